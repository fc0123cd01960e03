//! A linear layer in bf16: product, bias, activation and a sum, a block of rows at a time so that it stays in cache.
//! What comes in and goes out is f32, as are the sums.

use std::ops::Range;

use super::product::{HalfMatrix, HalfProduct, PANEL, ProductTo, STEP, TILE, steps};
use super::shares::Shares;
use super::unit::{ReadyUnit, Unit};
use super::values::{room, round};
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

/// What is done to an output value once it is summed: `activation(value + bias) + residual`.
#[derive(Clone, Copy, Default)]
pub struct HalfFinish<'a> {
    /// Of each value.
    pub activation: Option<Activation>,
    /// In the output's shape.
    pub residual: Option<&'a [f32]>,
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

    /// The layer. `x`: `[rows, in]`, result and residual: `[rows, out]`.
    pub fn over(&self, unit: Unit, x: &[f32], finish: HalfFinish<'_>) -> Vec<f32> {
        let (width, n) = (self.weights.k(), self.weights.columns());
        assert!(x.len().is_multiple_of(width), "the rows of a linear layer");
        let rows = x.len() / width;
        assert!(finish.residual.is_none_or(|residual| residual.len() == rows * n), "the residual");
        if is_left() {
            return vec![0.0; rows * n];
        }
        let k = steps(width) * STEP;
        // Rows a whole number of pages apart would share a few places of the cache.
        let row = k + STEP;
        let fitting = (BLOCK_VALUES / row).clamp(BLOCK_ROWS[0], BLOCK_ROWS[1]);
        let mut out = scratch::unset(rows * n);
        let shared = scratch::Shared::unset(&mut out);
        Shares::new(unit, [rows, n], fitting).each(|rows, panels| {
            let (first, m) = (rows.start, rows.len());
            let all = m.next_multiple_of(TILE);
            scratch::with(room(all * row) + all * CHUNK * PANEL, |memory| {
                let (left, sums) = memory.split_at_mut(room(all * row));
                let left: &mut [u16] = &mut bytemuck::cast_slice_mut(left)[..all * row];
                for (to, from) in left.chunks_exact_mut(row).zip(x.chunks_exact(width).skip(first).take(m)) {
                    round(from, to);
                }
                let ready = ReadyUnit::new(unit);
                for panel in panels.clone().step_by(CHUNK) {
                    let after = panels.end.min(panel + CHUNK);
                    let [b, next] =
                        [panel..after, after..panels.end].map(|panels| self.weights.panels(panels));
                    let (steps, c_row) = (k / STEP, CHUNK * PANEL);
                    let to = ProductTo::Sums { c: &mut *sums, c_row, add: false };
                    HalfProduct { m, steps, a: left, a_row: row, b, next, to }.run(&ready);
                    let columns = panel * PANEL..n.min(after * PANEL);
                    let finish = ChunkFinish { layer: self, finish, columns, first, out: shared };
                    finish.run(&mut sums[..m * c_row]);
                }
            });
        });
        // SAFETY: each task has set its outputs of all its rows.
        unsafe { out.assume_init() }.into_vec()
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
            finish: Finish { scale: None, bias, residual: self.finish.residual, relu: false },
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
