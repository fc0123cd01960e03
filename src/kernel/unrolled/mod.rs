//! Convolutions of any square kernel and stride: pixels under the kernel are laid out as rows
//! (im2col), a block at a time so that it stays in cache, and multiplied.

mod forward; // the convolution
mod rows; // pixels as rows

pub use forward::forward;

use rayon::prelude::*;

use super::gemm::{Product, Right, pack};
use super::scratch;
use super::shape::Shape;
use super::simd::{Isa, padded};
use rows::Unrolled;

/// Values of a block of unrolled rows: half a megabyte or so stays in a core's cache.
const BLOCK_VALUES: usize = 1 << 17;

fn rows_of_block(shape: &Shape, k: usize) -> usize {
    let [height, width] = shape.out_size();
    let even = (shape.batch * height * width).div_ceil(rayon::current_num_threads());
    (BLOCK_VALUES / k).clamp(28, 280).min(even).max(1)
}

/// Calls `each(tap, offset of the pixel or none)` for the taps of output pixel `row`.
#[inline(always)]
fn taps(shape: &Shape, row: usize, mut each: impl FnMut(usize, Option<usize>)) {
    let [out_height, out_width] = shape.out_size();
    let [height, width] = shape.size;
    let (image, within) = (row / (out_height * out_width), row % (out_height * out_width));
    let (y, x) = (within / out_width * shape.stride, within % out_width * shape.stride);
    for ky in 0..shape.side {
        for kx in 0..shape.side {
            let at = |start: usize, k: usize, size: usize| {
                (start + k).checked_sub(shape.padding).filter(|&place| place < size)
            };
            let pixel = at(y, ky, height).zip(at(x, kx, width));
            let offset = pixel.map(|(y, x)| ((image * height + y) * width + x) * shape.channels[0]);
            each(ky * shape.side + kx, offset);
        }
    }
}

/// The gradient of the input, `[batch, height, width, in]`.
pub fn input_gradient(isa: Isa, shape: &Shape, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    let [input, output] = shape.channels;
    let area = shape.side * shape.side;
    let (n, count) = (padded(area * input), area * input);
    let weights = pack(output, count, |o, p| weight[(o * input + p % input) * area + p / input]);
    let [height, width] = shape.out_size();
    let block = rows_of_block(&Shape { batch: 1, ..*shape }, n).max(28).min(height * width);
    let one = Shape { batch: 1, ..*shape };
    let mut dx = vec![0.0; shape.input_len()];
    let per_image = shape.size[0] * shape.size[1] * input;
    dx.par_chunks_mut(per_image).zip(dy.par_chunks(height * width * output)).for_each(|(dx, dy)| {
        scratch::with(block * n, |product| {
            for (index, dy) in dy.chunks(block * output).enumerate() {
                let rows = dy.len() / output;
                isa.run(Product {
                    m: rows,
                    n,
                    k: output,
                    a: dy,
                    a_row: output,
                    a_step: 1,
                    b: &weights,
                    right: Right::Panels,
                    c: product,
                    c_row: n,
                    add: false,
                });
                for (row, product) in product[..rows * n].chunks_exact(n).enumerate() {
                    taps(&one, index * block + row, |tap, offset| {
                        let Some(offset) = offset else { return };
                        let from = &product[tap * input..(tap + 1) * input];
                        dx[offset..offset + input].iter_mut().zip(from).for_each(|(dx, from)| *dx += from);
                    });
                }
            }
        });
    });
    dx
}

/// The gradient of the weight, `[out, in, side, side]`: one sum per thread, added in order.
pub fn weight_gradient(isa: Isa, shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let [input, output] = shape.channels;
    let area = shape.side * shape.side;
    let (k, n) = (area * input, padded(output));
    let [height, width] = shape.out_size();
    let total = shape.batch * height * width;
    let block = rows_of_block(shape, k);
    let groups = rayon::current_num_threads().min(total.div_ceil(block)).max(1);
    let share = total.div_ceil(groups);
    let partial = |group: usize| {
        let mut sums = vec![0.0; k * n];
        let end = ((group + 1) * share).min(total);
        let mut first = group * share;
        let mut add = false;
        while first < end {
            let rows = block.min(end - first);
            scratch::with(block * (k + n), |memory| {
                let (left, right) = memory.split_at_mut(block * k);
                Unrolled { shape, x, first, columns: 0..k }.fill(&mut left[..rows * k], k);
                for (to, from) in right.chunks_exact_mut(n).zip(dy[first * output..].chunks_exact(output)) {
                    to[..output].copy_from_slice(from);
                    to[output..].fill(0.0);
                }
                isa.run(Product {
                    m: k,
                    n,
                    k: rows,
                    a: left,
                    a_row: 1,
                    a_step: k,
                    b: right,
                    right: Right::Rows(n),
                    c: &mut sums,
                    c_row: n,
                    add,
                });
            });
            first += rows;
            add = true;
        }
        sums
    };
    let partials: Vec<Vec<f32>> = (0..groups).into_par_iter().map(partial).collect();
    let mut out = vec![0.0; shape.weight_len()];
    out.par_chunks_mut(area * input).enumerate().for_each(|(o, out)| {
        for p in 0..k {
            out[p % input * area + p / input] = partials.iter().map(|sums| sums[p * n + o]).sum();
        }
    });
    out
}
