//! A linear layer over rows: product, bias, activation, a factor per output and a sum, a block of rows at a time so
//! that it stays in cache.

use std::ops::Range;

use rayon::prelude::*;

use super::gemm::{PANEL, Product, Right};
use super::panels::Panels;
use super::pointwise::Activation;
use super::scratch;
use super::simd::{Isa, SimdJob, Vector, padded};

/// Most rows of a block: with 768 inputs they fill a core's second cache.
const ROWS: usize = 352;
/// Outputs whose sums are held at a time.
const CHUNK: usize = 4 * PANEL;

/// What is done to an output value once it is summed: `scale activation(value + bias) + residual`.
#[derive(Clone, Copy)]
pub struct RowFinish<'a> {
    /// One per output.
    pub bias: &'a [f32],
    /// Of each value.
    pub activation: Option<Activation>,
    /// One per output.
    pub scale: Option<&'a [f32]>,
    /// In the output's shape.
    pub residual: Option<&'a [f32]>,
}

struct FinishRows<'a> {
    /// Rows of `stride` values.
    product: &'a mut [f32],
    stride: usize,
    finish: RowFinish<'a>,
    /// The first row among all, and the outputs.
    first: usize,
    columns: Range<usize>,
    out: scratch::Shared<'a>,
}

impl SimdJob for FinishRows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { product, stride, finish, first, columns, out } = self;
        let width = finish.bias.len();
        let count = columns.len();
        for (index, row) in product.chunks_exact_mut(stride).enumerate() {
            let row = &mut row[..count];
            let at = (first + index) * width + columns.start;
            row.iter_mut().zip(&finish.bias[columns.clone()]).for_each(|(value, bias)| *value += bias);
            if let Some(activation) = finish.activation {
                activation.apply::<V>(row);
            }
            if let Some(scale) = finish.scale {
                row.iter_mut().zip(&scale[columns.clone()]).for_each(|(value, scale)| *value *= scale);
            }
            if let Some(residual) = finish.residual {
                row.iter_mut().zip(&residual[at..][..count]).for_each(|(value, residual)| *value += residual);
            }
            // SAFETY: these outputs of the row are this job's alone and only written.
            unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), out.room(at, count), count) };
        }
    }
}

/// Blocks of rows, of `most` at most, and groups of panels that share a product evenly among threads. Where there are few
/// rows the panels are shared, so that not every thread reads all weights.
pub(super) fn shares(rows: usize, panels: usize, most: usize, threads: usize) -> (usize, usize) {
    let least = rows.div_ceil(most).max(1);
    if least >= threads {
        return (least.next_multiple_of(threads), 1);
    }
    let ways = (least..=threads).map(|blocks| (blocks, (threads / blocks).clamp(1, panels.max(1))));
    let longest = |(blocks, groups): &(usize, usize)| rows.div_ceil(*blocks) * panels.div_ceil(*groups);
    ways.min_by_key(longest).expect("at least one")
}

/// The layer. `x`: `[rows, in]`, weights: of one output for each bias, result: `[rows, out]`.
pub fn forward(isa: Isa, x: &[f32], weights: &Panels, finish: RowFinish<'_>) -> Vec<f32> {
    let output = finish.bias.len();
    let (k, n) = (weights.depth(), padded(output));
    let rows = x.len() / k;
    assert_eq!((k * n, rows * k), (weights.values().len(), x.len()), "the operands of a linear layer");
    assert!(finish.scale.is_none_or(|scale| scale.len() == output));
    assert!(finish.residual.is_none_or(|residual| residual.len() == rows * output));
    let panels = n.div_ceil(PANEL);
    let (blocks, groups) = shares(rows, panels, ROWS, rayon::current_num_threads());
    let (block, of_group) = (rows.div_ceil(blocks), panels.div_ceil(groups) * PANEL);
    let mut out = scratch::unset(rows * output);
    let shared = scratch::Shared::unset(&mut out);
    (0..blocks * groups).into_par_iter().for_each(|task| {
        let (first, group) = (task / groups * block, task % groups * of_group);
        let m = block.min(rows.saturating_sub(first));
        let end = n.min(group + of_group);
        scratch::with(m * CHUNK, |product| {
            for column in (group..end).step_by(CHUNK) {
                let width = CHUNK.min(end - column);
                let product = &mut product[..m * width];
                isa.run(Product {
                    m,
                    n: width,
                    k,
                    a: x.get(first * k..).unwrap_or_default(),
                    a_row: k,
                    a_step: 1,
                    b: &weights.values()[column * k..],
                    right: Right::Panels,
                    c: product,
                    c_row: width,
                    add: false,
                });
                let columns = column..output.min(column + width);
                isa.run(FinishRows { product, stride: width, finish, first, columns, out: shared });
            }
        });
    });
    // SAFETY: each block has set every output of all its rows.
    unsafe { out.assume_init() }.into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sine waves: as good as noise, and each row another.
    fn values(count: usize, step: f32) -> Vec<f32> {
        (0..count).map(|at| (at as f32 * step).sin()).collect()
    }

    #[test]
    fn a_row_is_right_and_the_same_in_any_company() {
        // Two parts of the depth, a chunk of outputs and a part of another, outputs that fill no vector.
        let (rows, k, n) = (31, 500, 150);
        let (x, weight, bias) = (values(rows * k, 0.37), values(n * k, 0.23), values(n, 0.7));
        let (scale, residual) = (values(n, 0.3), values(rows * n, 0.9));
        let panels = Panels::new(&weight, n, 1);
        let finish = |row: usize, rows: usize| RowFinish {
            bias: &bias,
            activation: Some(Activation::Silu),
            scale: Some(&scale),
            residual: Some(&residual[row * n..][..rows * n]),
        };
        for isa in [Isa::Avx512, Isa::Avx2, Isa::Baseline].into_iter().filter(|isa| isa.is_here()) {
            let found = forward(isa, &x, &panels, finish(0, rows));
            let (mut off, mut norm) = (0.0, 0.0);
            for (at, found) in found.iter().enumerate() {
                let (row, o) = (at / n, at % n);
                let both = x[row * k..][..k].iter().zip(&weight[o * k..][..k]);
                let sum = both.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() + f64::from(bias[o]);
                let right = f64::from(scale[o]) * sum / (1.0 + (-sum).exp()) + f64::from(residual[at]);
                off += (f64::from(*found) - right).powi(2);
                norm += right * right;
            }
            assert!((off / norm).sqrt() < 1e-6, "{isa:?}: {:.1e}", (off / norm).sqrt());
            for row in 0..rows {
                let alone = forward(isa, &x[row * k..][..k], &panels, finish(row, 1));
                assert!(alone == found[row * n..][..n], "{isa:?}: row {row}");
            }
        }
    }

    #[test]
    fn shares_are_even_and_no_larger_than_they_may_be() {
        for (rows, panels, threads, expected) in [
            (197, 24, 2, (1, 2)),
            (1370, 12, 2, (4, 1)),
            (197, 24, 64, (8, 8)),
            (40, 1, 4, (4, 1)),
            (0, 3, 2, (1, 2)),
        ] {
            assert_eq!(shares(rows, panels, 352, threads), expected, "{rows} rows, {panels} panels");
        }
    }
}
