//! The convolution: a block of output pixels, some columns of its unrolled matrix at a time, times packed weights.

use rayon::prelude::*;

use super::rows::Unrolled;
use crate::kernel::finish::FinishBlock;
use crate::kernel::gemm::{PANEL, Product, Right};
use crate::kernel::panels::Panels;
use crate::kernel::scratch::{self, Shared};
use crate::kernel::shape::{Finish, Shape};
use crate::kernel::simd::{Isa, PAD, padded};

/// Output pixels of a block.
const ROWS: usize = 280;
/// Columns of the unrolled matrix that are there at a time: with a block's pixels half a megabyte, in a core's second cache.
const DEPTH: usize = 512;
/// Values of a page of memory.
const PAGE: usize = 1024;
/// Channels whose sums are held at a time, where one pass over the columns is all.
const CHANNELS: usize = 8 * PANEL;

/// The convolution. `x`: `[batch, height, width, in]`; the weights' rows are the taps, each with all channels in.
pub fn forward(isa: Isa, shape: &Shape, x: &[f32], weights: &Panels, finish: Finish<'_>) -> Vec<f32> {
    assert!(weights.depth() == shape.side * shape.side * shape.channels[0], "the weights of {shape:?}");
    let mut out = scratch::unset(shape.output_len());
    let out_values = Shared::unset(&mut out);
    let blocks = ConvBlocks { isa, shape, x, weights: weights.values(), finish, out: out_values };
    let [height, width] = shape.out_size();
    let rows = shape.batch * height * width;
    // As many blocks for each thread, all about as large.
    let even = rows.div_ceil(rayon::current_num_threads());
    let block = even.div_ceil(even.div_ceil(ROWS).max(1)).max(1);
    (0..rows.div_ceil(block)).into_par_iter().for_each(|index| {
        blocks.block(index * block, block.min(rows - index * block));
    });
    // SAFETY: each block has set every channel of all its rows.
    unsafe { out.assume_init() }.into_vec()
}

/// What all blocks share.
struct ConvBlocks<'a> {
    isa: Isa,
    shape: &'a Shape,
    x: &'a [f32],
    weights: &'a [f32],
    finish: Finish<'a>,
    out: Shared<'a>,
}

impl ConvBlocks<'_> {
    /// Output pixels from `first` on, `m` of them.
    fn block(&self, first: usize, m: usize) {
        let [input, output] = self.shape.channels;
        let k = self.shape.side * self.shape.side * input;
        let n = padded(output);
        let depth = k.div_ceil(k.div_ceil(DEPTH).max(1));
        // Sums over several passes are all held.
        let channels = if depth < k { n } else { n.min(CHANNELS) };
        // Rows a whole number of pages apart would share a few places of the cache.
        let row = depth + PAD;
        let is_unrolled = self.shape.is_rows() && !k.is_multiple_of(PAGE);
        scratch::with(m * (row + channels), |memory| {
            let (left, sums) = memory.split_at_mut(m * row);
            for channel in (0..n).step_by(channels) {
                let width = channels.min(n - channel);
                let sums = &mut sums[..m * width];
                for start in (0..k).step_by(depth) {
                    let columns = start..k.min(start + depth);
                    let count = columns.len();
                    if channel == 0 && !is_unrolled {
                        Unrolled { shape: self.shape, x: self.x, first, columns }.fill(left, row);
                    }
                    let (a, a_row) =
                        if is_unrolled { (&self.x[first * k + start..], k) } else { (&*left, row) };
                    self.isa.run(Product {
                        m,
                        n: width,
                        k: count,
                        a,
                        a_row,
                        a_step: 1,
                        b: &self.weights[channel * k..],
                        right: Right::PartOfPanels { depth: k, first: start },
                        c: sums,
                        c_row: width,
                        add: start > 0,
                    });
                }
                self.isa.run(FinishBlock {
                    sums,
                    stride: width,
                    width: width.min(output - channel),
                    first,
                    column: channel,
                    channels: output,
                    finish: self.finish,
                    out: self.out,
                });
            }
        });
    }
}
