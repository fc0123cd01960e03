//! A convolution tile by tile.

use std::ops::{Deref, DerefMut, Range};

use rayon::prelude::*;

use super::tiles::{Block, PLACES, TileMaps, TileOutput, Tiling, Workers, block_len};
use super::weights::{Matrices, Taps, matrices_len};
use crate::kernel::gemm::{PANEL, Product, Right};
use crate::kernel::scratch::{self, Kept, Shared};
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
pub fn convolve(isa: Isa, shape: &Shape, x: &[f32], taps: Taps<'_>, finish: Finish<'_>) -> Vec<f32> {
    let mut out = scratch::unset(shape.output_len());
    let tiling = Tiling::new(*shape);
    let convolution = Convolution {
        isa,
        tiling: &tiling,
        maps: TileMaps::new(x, shape.channels[0]),
        taps,
        out: TileOutput::new(&tiling, finish, Shared::unset(&mut out)),
    };
    if PLACES * shape.channels[0] * shape.channels[1] > MANY_WEIGHTS {
        convolution.by_channels();
    } else {
        convolution.by_blocks();
    }
    // SAFETY: either way has written all channels of all tiles, which cover the maps.
    unsafe { out.assume_init() }.into_vec()
}

/// What both ways share.
struct Convolution<'a> {
    isa: Isa,
    tiling: &'a Tiling,
    maps: TileMaps<'a>,
    taps: Taps<'a>,
    out: TileOutput<'a>,
}

impl Convolution<'_> {
    /// All weights are transformed, then each worker takes blocks of tiles all the way while they
    /// lie in its cache.
    fn by_blocks(&self) {
        let [inputs, outputs] = self.tiling.shape.channels;
        let mut weights = Matrices::new(scratch::kept(matrices_len(inputs, outputs)), inputs, outputs);
        weights.fill(self.isa, Workers::All, self.taps, 0..inputs, 0);
        let channels = [inputs, outputs].map(padded);
        let count = self.tiling.count();
        let fitting = BLOCK_VALUES / (PLACES * (channels[0] + channels[1]));
        let even = count.div_ceil(rayon::current_num_threads());
        let size = fitting.clamp(BLOCK_TILES[0], BLOCK_TILES[1]).min(even).max(1);
        (0..count).into_par_iter().step_by(size).for_each(|first| {
            let tiles = first..count.min(first + size);
            let lengths = channels.map(|channels| block_len(size, channels));
            scratch::with(lengths[0] + lengths[1], |memory| {
                let (left, product) = memory.split_at_mut(lengths[0]);
                let mut left = Block::new(left, size, channels[0]);
                let mut product = Block::new(product, size, channels[1]);
                self.gather(&mut left, Workers::This, tiles.clone());
                self.multiply(&left, 0..inputs, &weights, &mut product, tiles.len());
                // SAFETY: no other worker has these tiles.
                unsafe { self.scatter(&product, tiles, 0..outputs) };
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
        let left = scratch::kept(block_len(size, padded(inputs)));
        let mut left = Block::new(left, size, padded(inputs));
        let panels = outputs.div_ceil(PANEL) / (2 * rayon::current_num_threads());
        let width = panels.clamp(1, 2) * PANEL;
        for first in (0..count).step_by(size) {
            let tiles = first..count.min(first + size);
            self.gather(&mut left, Workers::All, tiles.clone());
            (0..outputs).into_par_iter().step_by(width).for_each(|channel| {
                let columns = channel..(channel + width).min(outputs);
                // SAFETY: no other worker has these channels.
                unsafe { self.columns(&left, tiles.clone(), columns) };
            });
        }
    }

    /// Some output channels of some tiles, whose transforms `left` holds.
    ///
    /// # Safety
    /// Nobody else reads or writes these channels of these tiles of the output meanwhile.
    unsafe fn columns(&self, left: &Block<Kept>, tiles: Range<usize>, columns: Range<usize>) {
        let inputs = self.tiling.shape.channels[0];
        let width = padded(columns.len());
        let depth = (SLICE_VALUES / (PLACES * width)).next_multiple_of(PAD).min(inputs);
        let lengths = [matrices_len(depth, width), block_len(tiles.len(), width)];
        scratch::with(lengths[0] + lengths[1], |memory| {
            let (weights, product) = memory.split_at_mut(lengths[0]);
            let mut product = Block::new(product, tiles.len(), width);
            for from in (0..inputs).step_by(depth) {
                let slice = from..(from + depth).min(inputs);
                let mut matrices = Matrices::new(&mut *weights, slice.len(), width);
                matrices.fill(self.isa, Workers::This, self.taps, slice.clone(), columns.start);
                self.multiply(left, slice, &matrices, &mut product, tiles.len());
            }
            // SAFETY: the caller's.
            unsafe { self.scatter(&product, tiles, columns) };
        });
    }

    fn gather<M: DerefMut<Target = [f32]>>(
        &self,
        left: &mut Block<M>,
        workers: Workers,
        tiles: Range<usize>,
    ) {
        left.gather_input(self.isa, workers, self.tiling, &self.maps, tiles);
    }

    /// Output tiles `tiles` from the first of `product`.
    ///
    /// # Safety
    /// Nobody else reads or writes these channels of these tiles of the output meanwhile.
    unsafe fn scatter(&self, product: &Block<&mut [f32]>, tiles: Range<usize>, channels: Range<usize>) {
        for (index, tile) in tiles.enumerate() {
            // SAFETY: the caller's.
            unsafe { self.out.scatter(self.isa, product, index, tile, channels.clone()) };
        }
    }

    /// The products at all places of `tiles` tiles, over some input channels; sums with what is there
    /// unless they are the first.
    fn multiply<L, W>(
        &self,
        left: &Block<L>,
        inputs: Range<usize>,
        weights: &Matrices<W>,
        product: &mut Block<&mut [f32]>,
        tiles: usize,
    ) where
        L: Deref<Target = [f32]>,
        W: Deref<Target = [f32]>,
    {
        let n = product.channels();
        for place in 0..PLACES {
            self.isa.run(Product {
                m: tiles,
                n,
                k: inputs.len(),
                a: &left.place(place)[inputs.start..],
                a_row: left.channels(),
                a_step: 1,
                b: weights.place(place),
                right: Right::Panels,
                c: product.place_mut(place),
                c_row: n,
                add: inputs.start > 0,
            });
        }
    }
}
