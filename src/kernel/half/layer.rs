//! A layer over rows in bf16: product, bias, activation and a sum, a block of rows at a time so that it stays in cache.
//! What comes in and goes out is f32, as are the sums.

use std::ops::Range;

use rayon::prelude::*;

use super::product::{HalfMatrix, HalfProduct, PANEL, STEP, TILE, room, round, steps};
use super::unit::{ReadyUnit, Unit};
use crate::kernel::finish::FinishBlock;
use crate::kernel::pointwise::Activation;
use crate::kernel::scratch;
use crate::kernel::shape::Finish;
use crate::kernel::simd::Isa;
use crate::progress::is_left;

/// Values of bf16 in a block of rows: half a megabyte stays in a core's second cache.
const BLOCK_VALUES: usize = 1 << 18;
/// Most and least rows of a block.
const BLOCK_ROWS: [usize; 2] = [32, 256];
/// Panels whose sums are held at a time: long stretches of each output row are then written at once.
const CHUNK: usize = 8;

/// Weights and bias of a layer, made once.
#[derive(Clone, Debug)]
pub struct HalfLayer {
    /// `[in, out]`.
    pub weights: HalfMatrix,
    /// One per output, f32.
    pub bias: Vec<f32>,
}

/// What is done to an output value once it is summed: `relu?(activation(value + bias) + residual)`.
#[derive(Clone, Copy, Default)]
pub struct HalfFinish<'a> {
    /// Of each value.
    pub activation: Option<Activation>,
    /// In the output's shape.
    pub residual: Option<&'a [f32]>,
    /// Whether negative values become zero at the end.
    pub relu: bool,
}

impl HalfLayer {
    /// A linear layer, each output with a factor. `weight`: `[out, in]`, `bias` and `scale`: one per output.
    pub fn linear(weight: &[f32], bias: &[f32], scale: Option<&[f32]>) -> Self {
        let outputs = bias.len();
        let k = weight.len() / outputs.max(1);
        assert_eq!(k * outputs, weight.len(), "the weight of a linear layer");
        let factor = |o: usize| scale.map_or(1.0, |scale| scale[o]);
        Self {
            weights: HalfMatrix::new(k, outputs, |o, p| weight[o * k + p] * factor(o)),
            bias: bias.iter().enumerate().map(|(o, bias)| bias * factor(o)).collect(),
        }
    }

    /// A convolution and the normalisation after it, `scale value + bias`. `weight`: `[out, in, side, side]`.
    pub fn convolution(weight: &[f32], side: usize, scale: &[f32], bias: &[f32]) -> Self {
        let area = side * side;
        let k = weight.len() / scale.len().max(1);
        let inputs = k / area;
        assert!(inputs * area * bias.len() == weight.len() && scale.len() == bias.len(), "the weight");
        // A row of the unrolled maps has the taps one after another, each with all channels.
        let value = |o: usize, p: usize| weight[(o * inputs + p % inputs) * area + p / inputs] * scale[o];
        Self { weights: HalfMatrix::new(k, scale.len(), value), bias: bias.to_vec() }
    }

    /// The layer over `rows` rows; `fill` makes some of them from the first on, each with room for `STEP` values more than
    /// whole steps of `k`, and zeros beyond `k`.
    ///
    /// # Shapes
    /// - result, residual: `[rows, out]`
    pub fn forward(
        &self,
        unit: Unit,
        rows: usize,
        finish: HalfFinish<'_>,
        fill: impl Fn(usize, &mut HalfRows<'_>) + Sync,
    ) -> Vec<f32> {
        let n = self.weights.columns();
        assert!(finish.residual.is_none_or(|residual| residual.len() == rows * n), "the residual");
        if is_left() {
            return vec![0.0; rows * n];
        }
        let threads = rayon::current_num_threads();
        let k = steps(self.weights.k()) * STEP;
        // Rows a whole number of pages apart would share a few places of the cache.
        let row = k + STEP;
        let height = match unit {
            Unit::Amx => 2 * TILE,
            Unit::Avx512 => 1,
        };
        // As many blocks for each thread, all about as large.
        let fitting = (BLOCK_VALUES / row).clamp(BLOCK_ROWS[0], BLOCK_ROWS[1]);
        let even = rows.div_ceil(threads);
        let block = even.div_ceil(even.div_ceil(fitting).max(1)).max(1).next_multiple_of(height);
        let (blocks, panels) = (rows.div_ceil(block), n.div_ceil(PANEL));
        // Where there are few rows, their outputs are shared.
        let groups = threads.div_ceil(blocks.max(1)).clamp(1, panels.max(1));
        let of_group = panels.div_ceil(groups).max(1);
        let mut out = scratch::unset(rows * n);
        let shared = scratch::Shared::unset(&mut out);
        (0..blocks * groups).into_par_iter().for_each(|task| {
            let (first, group) = (task / groups * block, task % groups * of_group);
            let m = block.min(rows - first);
            let all = m.next_multiple_of(TILE);
            scratch::with(room(all * row) + all * CHUNK * PANEL, |memory| {
                let (left, sums) = memory.split_at_mut(room(all * row));
                let left: &mut [u16] = &mut bytemuck::cast_slice_mut(left)[..all * row];
                fill(first, &mut HalfRows { values: &mut left[..m * row], row });
                let ready = ReadyUnit::new(unit);
                let end = panels.min(group + of_group);
                for panel in (group..end).step_by(CHUNK) {
                    let after = end.min(panel + CHUNK);
                    let [b, next] = [panel..after, after..end].map(|panels| self.weights.panels(panels));
                    let (steps, c_row) = (k / STEP, CHUNK * PANEL);
                    let product =
                        HalfProduct { m, steps, a: left, a_row: row, b, next, c: sums, c_row, add: false };
                    product.run(&ready);
                    let columns = panel * PANEL..n.min(after * PANEL);
                    let finish = ChunkFinish { layer: self, finish, columns, first, out: shared };
                    finish.run(&mut sums[..m * c_row]);
                }
            });
        });
        // SAFETY: each task has set its outputs of all its rows.
        unsafe { out.assume_init() }.into_vec()
    }

    /// The linear layer. `x`: `[rows, in]`, result: `[rows, out]`.
    pub fn over(&self, unit: Unit, x: &[f32], finish: HalfFinish<'_>) -> Vec<f32> {
        let k = self.weights.k();
        assert!(x.len().is_multiple_of(k), "the rows of a linear layer");
        self.forward(unit, x.len() / k, finish, |first, rows| {
            rows.each(|index, row| round(&x[(first + index) * k..][..k], row));
        })
    }
}

/// Rows of bf16 that are being filled.
pub struct HalfRows<'a> {
    values: &'a mut [u16],
    row: usize,
}

impl HalfRows<'_> {
    /// Calls `fill` with the number of each row among these, and its values.
    pub fn each(&mut self, mut fill: impl FnMut(usize, &mut [u16])) {
        self.values.chunks_exact_mut(self.row).enumerate().for_each(|(index, row)| fill(index, row));
    }
}

/// What follows the sums of some panels.
struct ChunkFinish<'a> {
    layer: &'a HalfLayer,
    finish: HalfFinish<'a>,
    columns: Range<usize>,
    /// The first row among all.
    first: usize,
    out: scratch::Shared<'a>,
}

impl ChunkFinish<'_> {
    /// `sums`: `[rows, CHUNK PANEL]`.
    fn run(&self, sums: &mut [f32]) {
        let bias = &self.layer.bias;
        if let Some(activation) = self.finish.activation {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a unit of bf16 is ready, all of which have these vectors.
            unsafe {
                activate(activation, &bias[self.columns.clone()], sums);
            }
            #[cfg(not(target_arch = "x86_64"))]
            unreachable!("no unit of bf16 is here, {activation:?}");
        }
        let bias = self.finish.activation.is_none().then_some(&bias[..]);
        Isa::Avx512.run(FinishBlock {
            sums,
            stride: CHUNK * PANEL,
            width: self.columns.len(),
            first: self.first,
            column: self.columns.start,
            channels: self.layer.bias.len(),
            finish: Finish { scale: None, bias, residual: self.finish.residual, relu: self.finish.relu },
            out: self.out,
        });
    }
}

/// `activation(sum + bias)` of every row.
///
/// # Safety
/// The processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn activate(activation: Activation, bias: &[f32], sums: &mut [f32]) {
    for row in sums.chunks_exact_mut(CHUNK * PANEL) {
        row.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
        activation.apply::<std::arch::x86_64::__m512>(&mut row[..bias.len()]);
    }
}
