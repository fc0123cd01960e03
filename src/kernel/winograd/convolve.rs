//! A convolution tile by tile.

use std::ops::Range;

use rayon::prelude::*;

use super::tiles::{Block, Maps, PLACES, Tiling};
use super::weights::{Matrices, Taps, Weights};
use crate::kernel::gemm::{PANEL, Product, Right};
use crate::kernel::scratch::{self, Shared};
use crate::kernel::shape::{Finish, Shape};
use crate::kernel::simd::{Isa, PAD, padded};

/// Values that a block's transforms may take: a core's cache holds them and some weights.
const BLOCK_VALUES: usize = 1 << 18;
/// Most and least tiles of a block; multiples of the product's rows.
const BLOCK_TILES: [usize; 2] = [28, 112];
/// Transformed weights beyond which they are not all made at once.
const MANY_WEIGHTS: usize = 1 << 20;
/// Transformed weights that a worker makes and uses at a time.
const SLICE_VALUES: usize = 1 << 17;
/// Most tiles that are multiplied by such a slice; a multiple of the product's rows.
const SLICE_TILES: usize = 126;

/// The convolution of `x`, `[batch, height, width, in]`.
pub fn convolve(isa: Isa, shape: &Shape, x: &[f32], taps: Taps, finish: Finish) -> Vec<f32> {
    let mut out = scratch::unset(shape.output_len());
    let convolution = Convolution {
        isa,
        tiling: Tiling::new(*shape),
        maps: Maps::new(x, shape.channels[0]),
        taps,
        finish,
        // Each worker writes tiles or channels of its own.
        out: Shared(out.as_mut_ptr()),
    };
    if PLACES * shape.channels[0] * shape.channels[1] > MANY_WEIGHTS {
        convolution.by_channels();
    } else {
        convolution.by_blocks();
    }
    out
}

/// What both ways share.
struct Convolution<'a> {
    isa: Isa,
    tiling: Tiling,
    maps: Maps<'a>,
    taps: Taps<'a>,
    finish: Finish<'a>,
    out: Shared,
}

impl Convolution<'_> {
    /// All weights are transformed, then each worker takes blocks of tiles all the way while they
    /// lie in its cache.
    fn by_blocks(&self) {
        let weights = Weights::new(self.isa, self.taps);
        let [inputs, outputs] = self.tiling.shape.channels;
        let channels = [inputs, outputs].map(padded);
        let count = self.tiling.count();
        let fitting = BLOCK_VALUES / (PLACES * (channels[0] + channels[1]));
        let even = count.div_ceil(rayon::current_num_threads());
        let size = fitting.clamp(BLOCK_TILES[0], BLOCK_TILES[1]).min(even).max(1);
        (0..count).into_par_iter().step_by(size).for_each(|first| {
            let tiles = size.min(count - first);
            let lengths = channels.map(|channels| Block::len(size, channels));
            scratch::with(lengths[0] + lengths[1], |memory| {
                let (left, product) = memory.split_at_mut(lengths[0]);
                let left = Block::new(left, size, channels[0]);
                let product = Block::new(product, size, channels[1]);
                (0..tiles).for_each(|t| self.gather(left, t, first + t));
                self.multiply(left, 0..inputs, weights.matrices, product, tiles);
                (0..tiles).for_each(|t| self.scatter(product, t, first + t, 0..outputs));
            });
        });
    }

    /// Where there are so many weights that they are what is read most: all workers transform
    /// tiles, then each takes output channels of its own all the way, making slices of the
    /// weights as it goes.
    fn by_channels(&self) {
        let [inputs, outputs] = self.tiling.shape.channels;
        let count = self.tiling.count();
        let size = count.div_ceil(count.div_ceil(SLICE_TILES)).max(1);
        let mut left = scratch::kept(Block::len(size, padded(inputs)));
        // Each worker writes tiles of its own.
        let left = Block::new(&mut left, size, padded(inputs));
        let panels = outputs.div_ceil(PANEL) / (2 * rayon::current_num_threads());
        let width = panels.clamp(1, 2) * PANEL;
        for first in (0..count).step_by(size) {
            let tiles = size.min(count - first);
            (0..tiles).into_par_iter().with_min_len(4).for_each(|t| self.gather(left, t, first + t));
            (0..outputs).into_par_iter().step_by(width).for_each(|channel| {
                let columns = channel..(channel + width).min(outputs);
                self.columns(left, first..first + tiles, columns);
            });
        }
    }

    /// Some output channels of some tiles, whose transforms `left` holds.
    fn columns(&self, left: Block, tiles: Range<usize>, columns: Range<usize>) {
        let inputs = self.tiling.shape.channels[0];
        let width = padded(columns.len());
        let depth = (SLICE_VALUES / (PLACES * width)).next_multiple_of(PAD).min(inputs);
        let lengths = [Matrices::len(depth, width), Block::len(tiles.len(), width)];
        scratch::with(lengths[0] + lengths[1], |memory| {
            let (weights, product) = memory.split_at_mut(lengths[0]);
            let product = Block::new(product, tiles.len(), width);
            for from in (0..inputs).step_by(depth) {
                let slice = from..(from + depth).min(inputs);
                let matrices = Matrices::new(weights, slice.len(), width);
                for column in (0..columns.len()).step_by(PAD) {
                    matrices.fill(self.isa, self.taps, slice.clone(), columns.start, column);
                }
                self.multiply(left, slice, matrices, product, tiles.len());
            }
            for (t, tile) in tiles.enumerate() {
                self.scatter(product, t, tile, columns.clone());
            }
        });
    }

    fn gather(&self, block: Block, index: usize, tile: usize) {
        block.gather_input(self.isa, &self.tiling, &self.maps, index, tile);
    }

    fn scatter(&self, block: Block, index: usize, tile: usize, channels: Range<usize>) {
        block.scatter(self.isa, &self.tiling, index, tile, channels, self.finish, self.out.get());
    }

    /// The products at all places of `tiles` tiles, over some input channels; sums with what is there
    /// unless they are the first.
    fn multiply(&self, left: Block, inputs: Range<usize>, weights: Matrices, product: Block, tiles: usize) {
        for place in 0..PLACES {
            self.isa.run(Product {
                m: tiles,
                n: product.channels,
                k: inputs.len(),
                // SAFETY: channels of the block.
                a: unsafe { left.place(place).add(inputs.start) },
                a_row: left.channels,
                a_step: 1,
                b: weights.place(place),
                right: Right::Panels,
                c: product.place(place),
                c_row: product.channels,
                add: inputs.start > 0,
            });
        }
    }
}
