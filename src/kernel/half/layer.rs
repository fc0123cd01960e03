//! A linear layer by products of bf16: product, bias, activation and a sum, a block of rows at a time so that it stays in
//! cache. What comes in and goes out is f32, as are the sums.

use std::ops::Range;

use super::left::LeftRows;
use super::product::{HalfMatrix, HalfProduct, PANEL, ProductTo, STEP, TILE, steps};
use super::shares::Shares;
use super::unit::{ReadyUnit, Unit};
use super::value_parts::ValueParts;
use super::values::room;
use crate::kernel::finish::FinishBlock;
use crate::kernel::pointwise::Activation;
use crate::kernel::scratch;
use crate::kernel::shape::Finish;
use crate::kernel::simd::Isa;
use crate::progress::is_left;

/// Values of bf16 in a block of rows: half a megabyte stays in a core's second cache. Of whole values it is half as much again, since
/// caches of processors with tiles are larger.
const BLOCK_VALUES: usize = 1 << 18;
/// Most steps of a row that are multiplied at a time, of whole values: of that depth a panel stays there too.
const DEPTH: usize = 32;
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
    /// `scale (weight x) + shift`. `weight`: `[out, in]`; `scale`, `shift`: one per output.
    ///
    /// # Panics
    /// If there are not so many weights.
    pub fn linear(parts: ValueParts, weight: &[f32], scale: Option<&[f32]>, shift: Vec<f32>) -> Self {
        let outputs = shift.len();
        let k = weight.len() / outputs.max(1);
        assert_eq!(k * outputs, weight.len(), "the weight of a linear layer");
        let factor = |o: usize| scale.map_or(1.0, |scale| scale[o]);
        let value = |o: usize, p: usize| weight[o * k + p] * factor(o);
        Self { weights: HalfMatrix::new(parts, k, outputs, value), bias: shift }
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
        let parts = self.weights.parts();
        let all_steps = steps(width);
        // Parts of about the same depth.
        let passes = if parts == ValueParts::Whole { all_steps.div_ceil(DEPTH).max(1) } else { 1 };
        let depth = all_steps.div_ceil(passes);
        let left = LeftRows::new(parts, depth);
        let most = if parts == ValueParts::Whole { 3 * BLOCK_VALUES / 2 } else { BLOCK_VALUES };
        let fitting = (most / left.row()).clamp(BLOCK_ROWS[0], BLOCK_ROWS[1]);
        let mut out = scratch::unset(rows * n);
        let shared = scratch::Shared::unset(&mut out);
        Shares::new(unit, [rows, n], fitting).each(|rows, panels| {
            // Sums over several passes are all held.
            let chunk = if passes > 1 { panels.len() } else { CHUNK };
            let (m, c_row) = (rows.len(), chunk * PANEL);
            let halves = room(left.len(m));
            scratch::with(halves + m.next_multiple_of(TILE) * c_row, |memory| {
                let (values, sums) = memory.split_at_mut(halves);
                let values: &mut [u16] = bytemuck::cast_slice_mut(values);
                let ready = ReadyUnit::new(unit);
                for from in (0..all_steps).step_by(depth) {
                    let steps = from..all_steps.min(from + depth);
                    let block = LayerBlock { layer: self, rows: rows.clone(), steps, c_row };
                    block.lay(x, values);
                    for first in panels.clone().step_by(chunk) {
                        let these = first..panels.end.min(first + chunk);
                        block.multiply(&ready, values, these.clone(), sums);
                        if block.steps.end == all_steps {
                            block.finish(&mut sums[..m * c_row], these, finish, shared);
                        }
                    }
                }
            });
        });
        // SAFETY: each task has set its outputs of all its rows.
        unsafe { out.assume_init() }.into_vec()
    }
}

/// Some rows of a layer, over some steps of their depth.
struct LayerBlock<'a> {
    layer: &'a HalfLayer,
    rows: Range<usize>,
    steps: Range<usize>,
    /// Values from one row of sums to the next.
    c_row: usize,
}

impl LayerBlock<'_> {
    fn left(&self) -> LeftRows {
        LeftRows::new(self.layer.weights.parts(), self.steps.len())
    }

    /// Lays the rows out.
    fn lay(&self, x: &[f32], values: &mut [u16]) {
        let width = self.layer.weights.k();
        let part = self.steps.start * STEP..width.min(self.steps.end * STEP);
        let left = self.left();
        for (index, row) in self.rows.clone().enumerate() {
            left.put(index, &x[row * width..][part.clone()], values);
        }
    }

    /// Sums of some panels, added to those over the steps before.
    fn multiply(&self, ready: &ReadyUnit, values: &[u16], panels: Range<usize>, sums: &mut [f32]) {
        let part = |panel: usize| self.layer.weights.part_of_panel(panel, self.steps.clone());
        for (index, panel) in panels.clone().enumerate() {
            HalfProduct {
                m: self.rows.len(),
                steps: self.steps.len(),
                a: self.left().of(values),
                b: part(panel),
                next: if panel + 1 < panels.end { part(panel + 1) } else { &[] },
                to: ProductTo::Sums {
                    c: &mut sums[index * PANEL..],
                    c_row: self.c_row,
                    add: self.steps.start > 0,
                },
            }
            .run(ready);
        }
    }

    /// What follows the sums of some panels.
    fn finish(
        &self,
        sums: &mut [f32],
        panels: Range<usize>,
        finish: HalfFinish<'_>,
        out: scratch::Shared<'_>,
    ) {
        let bias = &self.layer.bias;
        let columns = panels.start * PANEL..bias.len().min(panels.end * PANEL);
        if let Some(activation) = finish.activation {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a unit of bf16 is ready, all of which have these vectors.
            unsafe {
                activate(activation, &bias[columns.clone()], sums, self.c_row);
            }
            #[cfg(not(target_arch = "x86_64"))]
            unreachable!("no unit of bf16 is here, {activation:?}");
        }
        let bias = finish.activation.is_none().then_some(&bias[..]);
        Isa::Avx512.run(FinishBlock {
            sums,
            stride: self.c_row,
            width: columns.len(),
            first: self.rows.start,
            column: columns.start,
            channels: self.layer.bias.len(),
            finish: Finish { scale: None, bias, residual: finish.residual, relu: finish.relu },
            out,
        });
    }
}

/// `activation(sum + bias)` of every row.
///
/// # Safety
/// The processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn activate(activation: Activation, bias: &[f32], sums: &mut [f32], stride: usize) {
    for row in sums.chunks_exact_mut(stride) {
        row.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
        activation.apply::<std::arch::x86_64::__m512>(&mut row[..bias.len()]);
    }
}
