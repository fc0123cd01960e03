//! A linear layer over rows: product, bias, activation, a factor per output and a sum, a block of rows at a time so
//! that it stays in cache.

use rayon::prelude::*;

use super::gemm::{Product, Right};
use super::panels::Panels;
use super::pointwise::Activation;
use super::scratch;
use super::simd::{Isa, SimdJob, Vector, padded};

/// Values of a block of rows: half a megabyte or so stays in a core's cache.
const BLOCK_VALUES: usize = 1 << 17;

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
    /// Padded rows.
    product: &'a mut [f32],
    finish: RowFinish<'a>,
    /// Where the rows begin in the whole output, values.
    first: usize,
    out: scratch::Shared<'a>,
}

impl SimdJob for FinishRows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { product, finish, first, out } = self;
        let width = finish.bias.len();
        let rows = out.len() / width;
        assert_eq!(product.len(), rows * padded(width));
        for (index, row) in product.chunks_exact_mut(padded(width)).enumerate() {
            let row = &mut row[..width];
            row.iter_mut().zip(finish.bias).for_each(|(value, bias)| *value += bias);
            if let Some(activation) = finish.activation {
                activation.apply::<V>(row);
            }
            if let Some(scale) = finish.scale {
                row.iter_mut().zip(scale).for_each(|(value, scale)| *value *= scale);
            }
            if let Some(residual) = finish.residual {
                let residual = &residual[first + index * width..][..width];
                row.iter_mut().zip(residual).for_each(|(value, residual)| *value += residual);
            }
            // SAFETY: `out` has as many rows as `product`, and is this job's alone and only written.
            unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), out.at(index * width), width) };
        }
    }
}

/// The layer. `x`: `[rows, in]`, weights: of one output for each bias, result: `[rows, out]`.
pub fn forward(isa: Isa, x: &[f32], weights: &Panels, finish: RowFinish<'_>) -> Vec<f32> {
    let output = finish.bias.len();
    let (k, n) = (weights.depth(), padded(output));
    let rows = x.len() / k;
    assert_eq!((k * n, rows * k), (weights.values().len(), x.len()), "the operands of a linear layer");
    assert!(finish.scale.is_none_or(|scale| scale.len() == output));
    assert!(finish.residual.is_none_or(|residual| residual.len() == rows * output));
    // As many blocks for each thread, all about as large.
    let even = rows.div_ceil(rayon::current_num_threads());
    let most = (BLOCK_VALUES / k.max(n)).clamp(28, 280);
    let block = even.div_ceil(even.div_ceil(most).max(1)).max(1);
    let mut out = scratch::unset(rows * output);
    out.par_chunks_mut(block * output).enumerate().for_each(|(index, out)| {
        let m = out.len() / output;
        scratch::with(m * n, |product| {
            let a = &x[index * block * k..][..m * k];
            isa.run(Product {
                m,
                n,
                k,
                a,
                a_row: k,
                a_step: 1,
                b: weights.values(),
                right: Right::Panels,
                c: product,
                c_row: n,
                add: false,
            });
            let out = scratch::Shared::unset(out);
            isa.run(FinishRows { product, finish, first: index * block * output, out });
        });
    });
    // SAFETY: each block has set every output of all its rows.
    unsafe { out.assume_init() }.into_vec()
}
