//! Attention in bf16: as in f32, in tiles; queries, keys, weights and values are rounded, scores and sums are not.

use rayon::prelude::*;

use super::left::Left;
use super::product::{HalfProduct, PANEL, ProductTo, STEP, STEP_VALUES, TILE, pair_place, steps};
use super::unit::{ReadyUnit, Unit};
use super::value_parts::ValueParts;
use super::values::{room, round};
use crate::kernel::attention::{AHEAD, Heads, Rotation, SoftmaxTile, scale_of};
use crate::kernel::scratch;
use crate::kernel::simd::Isa;
use crate::progress::is_left;

/// Queries of a tile.
const QUERIES: usize = 64;
/// Keys of a tile.
const KEYS: usize = 512;

/// How a head of an image lies in memory, values of bf16.
#[derive(Clone, Copy)]
struct Plan {
    heads: Heads,
    /// Steps of a head's width, and of all tokens.
    steps: [usize; 2],
    /// Keys as columns; values as rows.
    keys: usize,
    values: usize,
}

impl Plan {
    fn new(heads: Heads) -> Self {
        let steps = [steps(heads.width), steps(heads.tokens)];
        let keys = heads.tokens.div_ceil(PANEL) * steps[0] * STEP_VALUES;
        let values = heads.width.div_ceil(PANEL) * steps[1] * STEP_VALUES;
        Self { heads, steps, keys, values }
    }

    fn each(&self) -> usize {
        self.keys + self.values
    }

    /// Keys and values of head `index` among those of all images.
    fn pack(&self, qkv: &[f32], rotation: Option<&Rotation<'_>>, index: usize, packed: &mut [u16]) {
        let Heads { tokens, count, width, .. } = self.heads;
        let (image, head) = (index / count, index % count);
        packed.fill(0);
        let (keys, values) = packed.split_at_mut(self.keys);
        let pairs: &mut [[u16; 2]] = bytemuck::cast_slice_mut(keys);
        let (mut turned, mut rows) = (vec![0.0; width], [vec![0; width + 1], vec![0; width + 1]]);
        for key in 0..tokens {
            self.heads.fetch(qkv, (1, image * tokens + key + AHEAD, head));
            self.heads.turned(qkv, (1, image * tokens + key, head), rotation, &mut turned);
            round(&turned, &mut rows[0]);
            for (pair, values) in rows[0].as_chunks::<2>().0.iter().enumerate() {
                pairs[pair_place(ValueParts::Rounded, self.steps[0], 2 * pair, key)] = *values;
            }
        }
        let pairs: &mut [[u16; 2]] = bytemuck::cast_slice_mut(values);
        for first in (0..tokens).step_by(2) {
            for (index, row) in rows.iter_mut().enumerate() {
                let token = first + index;
                self.heads.fetch(qkv, (2, image * tokens + token + AHEAD, head));
                let from = self.heads.place((2, image * tokens + token, head));
                // Behind the last token there are zeros.
                round(if token < tokens { &qkv[from..from + width] } else { &[] }, row);
            }
            for column in (0..width).step_by(TILE) {
                let place = pair_place(ValueParts::Rounded, self.steps[1], first, column);
                let to = &mut pairs[place..][..TILE.min(width - column)];
                let both = rows[0][column..].iter().zip(&rows[1][column..]);
                to.iter_mut().zip(both).for_each(|(to, (one, two))| *to = [*one, *two]);
            }
        }
    }
}

/// Some queries of one head, and what becomes of them.
struct HalfQueries<'a> {
    /// `[rows, width in whole steps]`, bf16, scaled.
    queries: &'a [u16],
    /// `[rows, at least KEYS]`.
    scores: &'a mut [f32],
    /// The same rounded.
    weights: &'a mut [u16],
    most: &'a mut [f32],
    sums: &'a mut [f32],
    /// `[rows, width in whole panels]`.
    out: &'a mut [f32],
}

impl HalfQueries<'_> {
    fn attend(self, ready: &ReadyUnit, plan: &Plan, packed: &[u16]) {
        let Self { queries, scores, weights, most, sums, out } = self;
        let m = most.len();
        let (keys, values) = packed.split_at(plan.keys);
        let [of_width, of_tokens] = plan.steps;
        let columns = plan.heads.width.div_ceil(PANEL) * PANEL;
        most.fill(f32::NEG_INFINITY);
        sums.fill(0.0);
        out.fill(0.0);
        for first in (0..plan.heads.tokens).step_by(KEYS) {
            let count = KEYS.min(plan.heads.tokens - first);
            let stride = count.div_ceil(PANEL) * PANEL;
            HalfProduct {
                m,
                steps: of_width,
                a: Left::Rows { values: queries, row: of_width * STEP },
                b: &keys[first * of_width * STEP..][..stride * of_width * STEP],
                next: &values[first * PANEL..],
                to: ProductTo::Sums { c: &mut *scores, c_row: stride, add: false },
            }
            .run(ready);
            let scores = &mut scores[..m * stride];
            Isa::Avx512.run(SoftmaxTile {
                scores,
                keys: count,
                stride,
                most,
                sums,
                out: &mut out[..m * columns],
            });
            for (to, from) in weights.chunks_exact_mut(stride).zip(scores.chunks_exact(stride)) {
                round(from, to);
            }
            for (panel, values) in values.chunks_exact(of_tokens * STEP_VALUES).enumerate() {
                HalfProduct {
                    m,
                    steps: stride / STEP,
                    a: Left::Rows { values: weights, row: stride },
                    b: &values[first * PANEL..][..stride * PANEL],
                    next: &[],
                    to: ProductTo::Sums { c: &mut out[panel * PANEL..], c_row: columns, add: true },
                }
                .run(ready);
            }
        }
    }
}

/// `softmax(q kᵀ / sqrt(width)) v` of every head. `qkv`: `[batch, tokens, 3, heads, width]`, result:
/// `[batch, tokens, heads, width]`.
pub fn forward(unit: Unit, heads: Heads, qkv: &[f32], rotation: Option<&Rotation<'_>>) -> Vec<f32> {
    let Heads { batch, tokens, count, width } = heads;
    heads.check(qkv, rotation);
    if is_left() {
        return vec![0.0; batch * tokens * heads.row()];
    }
    let plan = Plan::new(heads);
    let mut packed = scratch::kept(room(plan.each()) * batch * count);
    packed.par_chunks_mut(room(plan.each())).enumerate().for_each(|(index, packed)| {
        plan.pack(qkv, rotation, index, &mut bytemuck::cast_slice_mut(packed)[..plan.each()]);
    });
    let mut out = scratch::unset(batch * tokens * heads.row());
    let shared = scratch::Shared::unset(&mut out);
    let blocks = tokens.div_ceil(QUERIES);
    let (k, columns) = (plan.steps[0] * STEP, width.div_ceil(PANEL) * PANEL);
    let tile = KEYS.min(tokens).div_ceil(PANEL) * PANEL;
    (0..batch * count * blocks).into_par_iter().for_each(|task| {
        let (index, first) = (task / blocks, task % blocks * QUERIES);
        let (m, all) = (QUERIES.min(tokens - first), QUERIES.min((tokens - first).next_multiple_of(TILE)));
        let packed = &packed[index * room(plan.each())..][..room(plan.each())];
        let (image, head) = (index / count, index % count);
        let halves = [room(all * k), room(all * tile)];
        scratch::with(halves[0] + halves[1] + all * (tile + columns) + 2 * m + width, |memory| {
            let (queries, memory) = memory.split_at_mut(halves[0]);
            let (weights, memory) = memory.split_at_mut(halves[1]);
            let (scores, memory) = memory.split_at_mut(all * tile);
            let (out, memory) = memory.split_at_mut(all * columns);
            let (turned, memory) = memory.split_at_mut(width);
            let (most, sums) = memory.split_at_mut(m);
            let queries: &mut [u16] = bytemuck::cast_slice_mut(queries);
            for (row, query) in queries.chunks_exact_mut(k).take(m).enumerate() {
                let token = image * tokens + first + row;
                heads.fetch(qkv, (0, token + AHEAD, head));
                heads.turned(qkv, (0, token, head), rotation, turned);
                turned.iter_mut().for_each(|value| *value *= scale_of(width));
                round(turned, query);
            }
            let weights = bytemuck::cast_slice_mut(weights);
            let block = HalfQueries { queries, scores, weights, most, sums, out };
            block.attend(&ReadyUnit::new(unit), &plan, &bytemuck::cast_slice(packed)[..plan.each()]);
            for (row, (values, sum)) in out.chunks_exact_mut(columns).zip(sums).enumerate() {
                values.iter_mut().for_each(|value| *value /= *sum);
                let at = ((image * tokens + first + row) * count + head) * width;
                // SAFETY: a token's values of a head are written by the one task that has its query.
                unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), shared.room(at, width), width) };
            }
        });
    });
    // SAFETY: every head of every token was written.
    unsafe { out.assume_init() }.into_vec()
}
