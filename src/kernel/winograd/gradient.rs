//! The gradient of the weight.

use rayon::prelude::*;

use super::tiles::{Block, Maps, PLACES, Tiling};
use super::weights::{Sums, sums_stride};
use crate::kernel::gemm::{Product, Right};
use crate::kernel::scratch::{self, Shared};
use crate::kernel::shape::Shape;
use crate::kernel::simd::{Isa, PAD, padded};

/// Values of sums that stay in a core's cache.
const FEW_SUMS: usize = 1 << 18;
/// Values of both operands beside them.
const BLOCK_VALUES: usize = 1 << 17;
/// Values of both operands that are held at a time where workers share them.
const CHUNK_VALUES: usize = 5 << 20;
/// Tiles up to which the sums, rather than the operands, are what is read most.
const FEW_TILES: usize = 128;
/// Most channels in and out whose sums one worker holds.
const UNIT: [usize; 2] = [64, 128];

/// The gradient of the weight, `[out, in, 3, 3]`; the same to the bit for one number of threads.
pub fn weight_gradient(isa: Isa, shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let gradient = Gradient {
        isa,
        tiling: Tiling::new(*shape),
        maps: [Maps::new(x, shape.channels[0]), Maps::new(dy, shape.channels[1])],
    };
    let [input, output] = shape.channels.map(padded);
    if PLACES * input * output <= FEW_SUMS {
        gradient.by_tiles()
    } else if gradient.tiling.count() <= FEW_TILES {
        gradient.by_channels()
    } else {
        gradient.by_places()
    }
}

struct Gradient<'a> {
    isa: Isa,
    tiling: Tiling,
    maps: [Maps<'a>; 2],
}

impl Gradient<'_> {
    /// Each worker sums over tiles of its own, in its cache.
    fn by_tiles(&self) -> Vec<f32> {
        let channels = self.tiling.shape.channels.map(padded);
        let [input, output] = channels;
        let count = self.tiling.count();
        let groups = rayon::current_num_threads().min(count).max(1);
        let size = (BLOCK_VALUES / (PLACES * (input + output))).max(28);
        let all = self.tiling.shape.channels;
        let stride = sums_stride(all[0], all[1]);
        let mut sums = scratch::kept(groups * PLACES * stride);
        sums.par_chunks_mut(PLACES * stride).enumerate().for_each(|(group, sums)| {
            let (start, end) = (group * count / groups, (group + 1) * count / groups);
            let lengths = channels.map(|channels| Block::len(size, channels));
            scratch::with(lengths[0] + lengths[1], |memory| {
                let (left, right) = memory.split_at_mut(lengths[0]);
                let blocks = [Block::new(left, size, input), Block::new(right, size, output)];
                for first in (start..end).step_by(size) {
                    let tiles = size.min(end - first);
                    (0..tiles).for_each(|t| self.gather(blocks, t, first + t));
                    for (place, sums) in sums.chunks_exact_mut(stride).enumerate() {
                        self.multiply(blocks, place, tiles, [0, 0], all, sums, first > start);
                    }
                }
            });
        });
        let parts: Vec<&[f32]> = sums.chunks_exact(PLACES * stride).collect();
        self.finish(&parts)
    }

    /// All workers transform a chunk of tiles, then each sums over all of them at places of its own.
    fn by_places(&self) -> Vec<f32> {
        let all = self.tiling.shape.channels;
        let [input, output] = all.map(padded);
        let count = self.tiling.count();
        let size = (CHUNK_VALUES / (PLACES * (input + output))).max(64).min(count);
        let mut left = scratch::kept(Block::len(size, input));
        let mut right = scratch::kept(Block::len(size, output));
        // Each worker writes tiles of its own.
        let blocks = [Block::new(&mut left, size, input), Block::new(&mut right, size, output)];
        let stride = sums_stride(all[0], all[1]);
        let mut sums = scratch::kept(PLACES * stride);
        for first in (0..count).step_by(size) {
            let tiles = size.min(count - first);
            (0..tiles).into_par_iter().with_min_len(4).for_each(|t| self.gather(blocks, t, first + t));
            sums.par_chunks_exact_mut(stride).enumerate().for_each(|(place, sums)| {
                self.multiply(blocks, place, tiles, [0, 0], all, sums, first > 0);
            });
        }
        self.finish(&[&sums])
    }

    /// The gradient from sums over all channels, to be added up.
    fn finish(&self, parts: &[&[f32]]) -> Vec<f32> {
        let mut out = scratch::unset(self.tiling.shape.weight_len());
        let all = self.tiling.shape.channels;
        let sums = Sums { parts, channels: all.map(|count| (0, count)), all };
        // Each worker writes output channels of its own.
        let shared = Shared(out.as_mut_ptr());
        (0..all[1]).into_par_iter().step_by(PAD).for_each(|column| sums.finish(self.isa, column, shared));
        out
    }

    /// Where there are few tiles to so many sums: all workers transform the tiles, then each sums
    /// for channels of its own and transforms back while the sums lie in its cache.
    fn by_channels(&self) -> Vec<f32> {
        let all = self.tiling.shape.channels;
        let [input, output] = all.map(padded);
        let tiles = self.tiling.count();
        let mut left = scratch::kept(Block::len(tiles, input));
        let mut right = scratch::kept(Block::len(tiles, output));
        // Each worker writes tiles of its own.
        let blocks = [Block::new(&mut left, tiles, input), Block::new(&mut right, tiles, output)];
        (0..tiles).into_par_iter().with_min_len(4).for_each(|t| self.gather(blocks, t, t));
        let (units, most) = units(all);
        let mut out = scratch::unset(self.tiling.shape.weight_len());
        // Each worker writes channels of its own.
        let shared = Shared(out.as_mut_ptr());
        units.par_iter().for_each(|&unit| {
            scratch::with(PLACES * sums_stride(most[0], most[1]), |sums| {
                self.sum(blocks, tiles, unit, sums);
                let sums = Sums { parts: &[sums], channels: unit, all };
                let (start, end) = unit[1];
                (0..end - start).step_by(PAD).for_each(|column| sums.finish(self.isa, column, shared));
            });
        });
        out
    }

    /// The sums of a unit at all places.
    fn sum(&self, blocks: [Block; 2], tiles: usize, unit: [(usize, usize); 2], sums: &mut [f32]) {
        let [firsts, counts] = [unit.map(|(start, _)| start), unit.map(|(start, end)| end - start)];
        let stride = sums_stride(counts[0], counts[1]);
        for (place, sums) in sums.chunks_exact_mut(stride).take(PLACES).enumerate() {
            self.multiply(blocks, place, tiles, firsts, counts, sums, false);
        }
    }

    fn gather(&self, [left, right]: [Block; 2], index: usize, tile: usize) {
        left.gather_input(self.isa, &self.tiling, &self.maps[0], index, tile);
        right.gather_gradient(self.isa, &self.tiling, &self.maps[1], index, tile);
    }

    /// Sums over tiles at a place, for `counts` channels in and out from `firsts` on.
    #[allow(clippy::too_many_arguments)]
    fn multiply(
        &self,
        [left, right]: [Block; 2],
        place: usize,
        tiles: usize,
        firsts: [usize; 2],
        counts: [usize; 2],
        sums: &mut [f32],
        add: bool,
    ) {
        self.isa.run(Product {
            m: counts[0],
            n: padded(counts[1]),
            k: tiles,
            // SAFETY: channels of the blocks.
            a: unsafe { left.place(place).add(firsts[0]) },
            a_row: 1,
            a_step: left.channels,
            b: unsafe { right.place(place).add(firsts[1]) },
            right: Right::Rows(right.channels),
            c: sums.as_mut_ptr(),
            c_row: padded(counts[1]),
            add,
        });
    }
}

/// Pairs of ranges of channels in and out, and how many channels the largest has.
fn units(all: [usize; 2]) -> (Vec<[(usize, usize); 2]>, [usize; 2]) {
    let mut most = UNIT;
    let count = |most: [usize; 2]| all[0].div_ceil(most[0]) * all[1].div_ceil(most[1]);
    while count(most) < 2 * rayon::current_num_threads() && most[0] > PAD {
        let larger = usize::from(most[1] > most[0]);
        most[larger] /= 2;
    }
    let ranges = |d: usize| {
        let range = move |start: usize| (start, (start + most[d]).min(all[d]));
        (0..all[d]).step_by(most[d]).map(range)
    };
    (ranges(0).flat_map(|input| ranges(1).map(move |output| [input, output])).collect(), most)
}
