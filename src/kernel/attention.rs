//! Attention in tiles: the scores of some queries and some keys at a time, with a softmax that goes on from tile to
//! tile (Milakov and Gimelshein 2018), so that no matrix of all scores is ever held.

use rayon::prelude::*;

use super::gemm::{PANEL, Product, Right};
use super::pointwise::{exp2, fold};
use super::scratch;
use super::simd::{Isa, SimdJob, Vector, padded, prefetch};

/// Queries of a tile.
const QUERIES: usize = 64;
/// Most keys of a tile: with the queries' scores they stay in a core's second cache.
const KEYS: usize = 544;

/// Tokens whose values are brought near before they are needed.
pub(super) const AHEAD: usize = 8;
/// Values of a line of the cache.
const LINE: usize = 16;

/// What attends to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Images.
    pub batch: usize,
    /// Tokens of each.
    pub tokens: usize,
    /// Heads.
    pub count: usize,
    /// Values of a head.
    pub width: usize,
}

/// A turn of queries and keys by their place: value `d` of a head becomes `cos x[d] + sin y`, with `y` the value half
/// a head away, negative for the first half.
pub struct Rotation<'a> {
    /// `[tokens, width of a head]`.
    pub cos: &'a [f32],
    /// `[tokens, width of a head]`.
    pub sin: &'a [f32],
}

impl Heads {
    /// Keys of a tile: tiles are about as large, and whole panels but for the last.
    fn keys(&self) -> usize {
        self.tokens.div_ceil(self.tokens.div_ceil(KEYS).max(1)).next_multiple_of(PANEL)
    }

    /// Values of a token: those of all heads.
    pub(super) fn row(&self) -> usize {
        self.count * self.width
    }

    /// Passes queries, keys and values of all tokens, and a turn for each of them.
    ///
    /// # Panics
    /// On others.
    pub(super) fn check(&self, qkv: &[f32], rotation: Option<&Rotation<'_>>) {
        let Heads { batch, tokens, width, .. } = *self;
        assert_eq!(qkv.len(), batch * tokens * 3 * self.row(), "{self:?}");
        let fits =
            |rotation: &Rotation<'_>| [rotation.cos, rotation.sin].iter().all(|r| r.len() == tokens * width);
        assert!(rotation.is_none_or(fits), "{self:?}");
    }

    /// Where the values of a head of a token's query (0), key (1) or value (2) begin.
    pub(super) fn place(&self, (part, token, head): (usize, usize, usize)) -> usize {
        (token * 3 + part) * self.row() + head * self.width
    }

    /// Has them brought near, if they are there: those of a head do not follow each other.
    pub(super) fn fetch(&self, qkv: &[f32], place: (usize, usize, usize)) {
        let place = self.place(place);
        (place..place + self.width).step_by(LINE).for_each(|at| prefetch(qkv.as_ptr().wrapping_add(at)));
    }

    /// The values of a query (0) or key (1) of a head.
    pub(super) fn turned(
        &self,
        qkv: &[f32],
        (part, token, head): (usize, usize, usize),
        rotation: Option<&Rotation<'_>>,
        out: &mut [f32],
    ) {
        let (width, half) = (self.width, self.width / 2);
        let values = &qkv[self.place((part, token, head))..][..width];
        let Some(rotation) = rotation else {
            out.copy_from_slice(values);
            return;
        };
        let place = token % self.tokens * width;
        let (cos, sin) = (&rotation.cos[place..place + width], &rotation.sin[place..place + width]);
        for d in 0..width {
            let other = if d < half { -values[d + half] } else { values[d - half] };
            out[d] = values[d] * cos[d] + other * sin[d];
        }
    }
}

/// One head of one image: its keys in panels and its values in rows, both padded.
struct Packed<'a> {
    keys: &'a [f32],
    values: &'a [f32],
}

/// Lays keys and values of every head of every image out for products. What pads them is anything: scores of keys that
/// are not there are never looked at, nor are values beyond a head's width.
fn pack(heads: &Heads, qkv: &[f32], rotation: Option<&Rotation<'_>>) -> scratch::Kept {
    let (keys, columns) = (padded(heads.tokens), padded(heads.width));
    let each = keys * (heads.width + columns);
    let mut packed = scratch::kept(heads.batch * heads.count * each);
    packed.par_chunks_mut(each).enumerate().for_each(|(index, packed)| {
        let (image, head) = (index / heads.count, index % heads.count);
        let (panels, rows) = packed.split_at_mut(keys * heads.width);
        let mut turned = vec![0.0; heads.width];
        for key in 0..heads.tokens {
            let token = image * heads.tokens + key;
            let panel = key / PANEL * PANEL;
            let width = PANEL.min(keys - panel);
            heads.fetch(qkv, (1, token + AHEAD, head));
            heads.fetch(qkv, (2, token + AHEAD, head));
            heads.turned(qkv, (1, token, head), rotation, &mut turned);
            let column = &mut panels[panel * heads.width + key % PANEL..];
            column.iter_mut().step_by(width).zip(&turned).for_each(|(to, value)| *to = *value);
            let values = &qkv[heads.place((2, token, head))..][..heads.width];
            rows[key * columns..][..heads.width].copy_from_slice(values);
        }
    });
    packed
}

/// The larger one; the second where the first is no number.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// What scores are multiplied by, so that weights are powers of two: that of e takes longer.
pub(super) fn scale_of(width: usize) -> f32 {
    std::f32::consts::LOG2_E / (width as f32).sqrt()
}

/// Scores, of base 2, become weights, and what earlier tiles gave shrinks to their scale.
pub(super) struct SoftmaxTile<'a> {
    pub scores: &'a mut [f32],
    /// Keys of the tile that are there; what follows in a row is padding.
    pub keys: usize,
    /// Scores of a row.
    pub stride: usize,
    pub most: &'a mut [f32],
    pub sums: &'a mut [f32],
    pub out: &'a mut [f32],
}

impl SimdJob for SoftmaxTile<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { scores, keys, stride, most, sums, out } = self;
        let columns = out.len() / most.len();
        let rows = scores.chunks_exact_mut(stride).zip(most).zip(sums).zip(out.chunks_exact_mut(columns));
        for (((row, most), sum), out) in rows {
            row[keys..].fill(f32::NEG_INFINITY);
            let chunks = row.as_chunks_mut::<16>().0;
            let mut lanes = [*most; 16];
            for chunk in &*chunks {
                lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane = larger(*lane, *value));
            }
            let new = fold(lanes, larger);
            let mut lanes = [0.0; 16];
            for chunk in chunks {
                for (lane, value) in lanes.iter_mut().zip(chunk) {
                    *value = exp2::<V>(*value - new);
                    *lane += *value;
                }
            }
            let shrink = exp2::<V>(*most - new);
            *sum = *sum * shrink + fold(lanes, |a, b| a + b);
            out.iter_mut().for_each(|value| *value *= shrink);
            *most = new;
        }
    }
}

/// Some queries of one head against all its keys.
struct QueryBlock<'a> {
    heads: Heads,
    packed: Packed<'a>,
    /// `[rows, width of a head]`, scaled.
    queries: &'a [f32],
    /// `[rows, keys of a tile]`.
    scores: &'a mut [f32],
    most: &'a mut [f32],
    sums: &'a mut [f32],
    /// `[rows, padded width of a head]`.
    out: &'a mut [f32],
}

impl QueryBlock<'_> {
    fn attend(self, isa: Isa) {
        let Self { heads, packed, queries, scores, most, sums, out } = self;
        let (m, columns) = (most.len(), padded(heads.width));
        most.fill(f32::NEG_INFINITY);
        sums.fill(0.0);
        out.fill(0.0);
        for first in (0..heads.tokens).step_by(heads.keys()) {
            let keys = heads.keys().min(heads.tokens - first);
            let stride = padded(keys);
            let scores = &mut scores[..m * stride];
            isa.run(Product {
                m,
                n: stride,
                k: heads.width,
                a: queries,
                a_row: heads.width,
                a_step: 1,
                b: &packed.keys[first * heads.width..],
                right: Right::Panels,
                c: scores,
                c_row: stride,
                add: false,
            });
            isa.run(SoftmaxTile { scores, keys, stride, most, sums, out });
            isa.run(Product {
                m,
                n: columns,
                k: keys,
                a: scores,
                a_row: stride,
                a_step: 1,
                b: &packed.values[first * columns..],
                right: Right::Rows(columns),
                c: out,
                c_row: columns,
                add: true,
            });
        }
    }
}

/// `softmax(q kᵀ / sqrt(width)) v` of every head. `qkv`: `[batch, tokens, 3, heads, width]`, result:
/// `[batch, tokens, heads, width]`.
pub fn forward(isa: Isa, heads: Heads, qkv: &[f32], rotation: Option<&Rotation<'_>>) -> Vec<f32> {
    let Heads { batch, tokens, count, width } = heads;
    heads.check(qkv, rotation);
    let packed = pack(&heads, qkv, rotation);
    let (keys, columns) = (padded(tokens), padded(width));
    let mut out = scratch::unset(batch * tokens * heads.row());
    let shared = scratch::Shared::unset(&mut out);
    let blocks = tokens.div_ceil(QUERIES).max(1);
    let rows = tokens.div_ceil(blocks);
    let scale = scale_of(width);
    (0..batch * count * blocks).into_par_iter().for_each(|task| {
        let (index, first) = (task / blocks, task % blocks * rows);
        let m = rows.min(tokens.saturating_sub(first));
        if m == 0 {
            return;
        }
        let (image, head) = (index / count, index % count);
        let each = keys * (width + columns);
        let (panels, values) = packed[index * each..][..each].split_at(keys * width);
        let tile = padded(heads.keys().min(tokens));
        scratch::with(m * (width + tile + columns + 2), |memory| {
            let (queries, memory) = memory.split_at_mut(m * width);
            let (scores, memory) = memory.split_at_mut(m * tile);
            let (out, memory) = memory.split_at_mut(m * columns);
            let (most, sums) = memory.split_at_mut(m);
            for (row, query) in queries.chunks_exact_mut(width).enumerate() {
                let token = image * tokens + first + row;
                heads.fetch(qkv, (0, token + AHEAD, head));
                heads.turned(qkv, (0, token, head), rotation, query);
                query.iter_mut().for_each(|value| *value *= scale);
            }
            let block = QueryBlock {
                heads,
                packed: Packed { keys: panels, values },
                queries,
                scores,
                most,
                sums,
                out,
            };
            block.attend(isa);
            for (row, (values, sum)) in out.chunks_exact_mut(columns).zip(sums).enumerate() {
                values.iter_mut().for_each(|value| *value /= *sum);
                let at = ((image * tokens + first + row) * count + head) * width;
                // SAFETY: each token's values of a head are written by the one task that has its query; they are
                // `width` values before the end, which `at` looks at.
                unsafe {
                    let to = shared.at(at + width).sub(width);
                    std::ptr::copy_nonoverlapping(values.as_ptr(), to, width);
                }
            }
        });
    });
    // SAFETY: every head of every token was written.
    unsafe { out.assume_init() }.into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    /// The definition, in float64.
    fn right(heads: Heads, qkv: &[f32], rotation: Option<&Rotation<'_>>) -> Vec<f64> {
        let Heads { batch, tokens, count, width } = heads;
        let mut out = vec![0.0; batch * tokens * heads.row()];
        let part = |part: usize, token: usize, head: usize| -> Vec<f64> {
            let values = &qkv[(token * 3 + part) * heads.row() + head * width..][..width];
            let place = token % tokens * width;
            let turned = |d: usize| {
                let Some(Rotation { cos, sin }) = rotation else { return f64::from(values[d]) };
                let half = width / 2;
                let other = if d < half { -values[d + half] } else { values[d - half] };
                f64::from(values[d]) * f64::from(cos[place + d])
                    + f64::from(other) * f64::from(sin[place + d])
            };
            (0..width).map(|d| if part == 2 { f64::from(values[d]) } else { turned(d) }).collect()
        };
        for query in 0..batch * tokens {
            for head in 0..count {
                let q = part(0, query, head);
                let first = query / tokens * tokens;
                let score = |key: usize| -> f64 {
                    let k = part(1, first + key, head);
                    q.iter().zip(k).map(|(q, k)| q * k).sum::<f64>() / (width as f64).sqrt()
                };
                let weights: Vec<f64> = (0..tokens).map(|key| score(key).exp()).collect();
                let total: f64 = weights.iter().sum();
                for (key, weight) in weights.iter().enumerate() {
                    let at = (query * count + head) * width;
                    let v = part(2, first + key, head);
                    out[at..at + width].iter_mut().zip(v).for_each(|(out, v)| *out += weight / total * v);
                }
            }
        }
        out
    }

    #[test]
    fn tiles_give_what_the_definition_gives() {
        for (batch, tokens, count, width) in [(2, 37, 3, 6), (1, 1, 1, 4), (1, 560, 1, 20), (1, 16, 2, 64)] {
            let heads = Heads { batch, tokens, count, width };
            // Large scores, so that the softmax is far from even.
            let qkv: Vec<f32> =
                values(batch * tokens * 3 * heads.row(), 7).iter().map(|value| 4.0 * value).collect();
            let angles = values(tokens * width, 3);
            let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|a| (a.cos(), a.sin())).unzip();
            for rotation in [None, Some(Rotation { cos: &cos, sin: &sin })] {
                let expected = right(heads, &qkv, rotation.as_ref());
                for isa in [Isa::Avx512, Isa::Avx2, Isa::Baseline].into_iter().filter(|isa| isa.is_here()) {
                    let found = forward(isa, heads, &qkv, rotation.as_ref());
                    let error =
                        found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>();
                    let norm = expected.iter().map(|b| b * b).sum::<f64>();
                    let error = (error / norm).sqrt();
                    assert!(error < 1e-6, "{heads:?} {isa:?}: {error:.1e}");
                }
            }
        }
    }
}
