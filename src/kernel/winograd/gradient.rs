//! The gradient of the weight.

use std::ops::{Deref, DerefMut, Range};

use rayon::prelude::*;

use super::tiles::{Block, PLACES, TileMaps, Tiling, Workers, block_len};
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
        maps: [TileMaps::new(x, shape.channels[0]), TileMaps::new(dy, shape.channels[1])],
    };
    if gradient.tiling.count() == 0 {
        return vec![0.0; shape.weight_len()];
    }
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
    maps: [TileMaps<'a>; 2],
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
            let lengths = channels.map(|channels| block_len(size, channels));
            scratch::with(lengths[0] + lengths[1], |memory| {
                let (left, right) = memory.split_at_mut(lengths[0]);
                let mut blocks = [Block::new(left, size, input), Block::new(right, size, output)];
                for first in (start..end).step_by(size) {
                    let tiles = first..end.min(first + size);
                    self.gather(&mut blocks, Workers::This, tiles.clone());
                    for (place, sums) in sums.chunks_exact_mut(stride).enumerate() {
                        self.multiply(&blocks, place, tiles.len(), whole(all), sums, first > start);
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
        let mut blocks = [input, output]
            .map(|channels| Block::new(scratch::kept(block_len(size, channels)), size, channels));
        let stride = sums_stride(all[0], all[1]);
        let mut sums = scratch::kept(PLACES * stride);
        for first in (0..count).step_by(size) {
            let tiles = first..count.min(first + size);
            self.gather(&mut blocks, Workers::All, tiles.clone());
            sums.par_chunks_exact_mut(stride).enumerate().for_each(|(place, sums)| {
                self.multiply(&blocks, place, tiles.len(), whole(all), sums, first > 0);
            });
        }
        self.finish(&[&sums])
    }

    /// The gradient from sums over all channels, to be added up.
    fn finish(&self, parts: &[&[f32]]) -> Vec<f32> {
        let mut out = scratch::unset(self.tiling.shape.weight_len());
        let all = self.tiling.shape.channels;
        let sums = Sums { parts, channels: whole(all), all };
        let shared = Shared::unset(&mut out);
        // SAFETY: each worker writes output channels of its own.
        let finish = |column| unsafe { sums.finish(self.isa, column, shared) };
        (0..all[1]).into_par_iter().step_by(PAD).for_each(finish);
        // SAFETY: all output channels have been written, from every input channel.
        unsafe { out.assume_init() }.into_vec()
    }

    /// Where there are few tiles to so many sums: all workers transform the tiles, then each sums
    /// for channels of its own and transforms back while the sums lie in its cache.
    fn by_channels(&self) -> Vec<f32> {
        let all = self.tiling.shape.channels;
        let [input, output] = all.map(padded);
        let tiles = self.tiling.count();
        let mut blocks = [input, output]
            .map(|channels| Block::new(scratch::kept(block_len(tiles, channels)), tiles, channels));
        self.gather(&mut blocks, Workers::All, 0..tiles);
        let (units, most) = units(all);
        let mut out = scratch::unset(self.tiling.shape.weight_len());
        let shared = Shared::unset(&mut out);
        units.par_iter().for_each(|&unit| {
            scratch::with(PLACES * sums_stride(most[0], most[1]), |sums| {
                self.sum(&blocks, tiles, unit, sums);
                let sums = Sums { parts: &[sums], channels: unit, all };
                let (start, end) = unit[1];
                for column in (0..end - start).step_by(PAD) {
                    // SAFETY: no two units have the same channels in and out.
                    unsafe { sums.finish(self.isa, column, shared) };
                }
            });
        });
        // SAFETY: the units make up all channels in and out.
        unsafe { out.assume_init() }.into_vec()
    }

    /// The sums of a unit at all places.
    fn sum<M>(&self, blocks: &[Block<M>; 2], tiles: usize, unit: ChannelRanges, sums: &mut [f32])
    where
        M: Deref<Target = [f32]>,
    {
        let [inputs, outputs] = unit.map(|(start, end)| end - start);
        for (place, sums) in sums.chunks_exact_mut(sums_stride(inputs, outputs)).take(PLACES).enumerate() {
            self.multiply(blocks, place, tiles, unit, sums, false);
        }
    }

    fn gather<M>(&self, [left, right]: &mut [Block<M>; 2], workers: Workers, tiles: Range<usize>)
    where
        M: DerefMut<Target = [f32]>,
    {
        left.gather_input(self.isa, workers, &self.tiling, &self.maps[0], tiles.clone());
        right.gather_gradient(self.isa, workers, &self.tiling, &self.maps[1], tiles);
    }

    /// Sums over tiles at a place, for a unit's channels.
    fn multiply<M>(
        &self,
        [left, right]: &[Block<M>; 2],
        place: usize,
        tiles: usize,
        [(first_in, end_in), (first_out, end_out)]: ChannelRanges,
        sums: &mut [f32],
        add: bool,
    ) where
        M: Deref<Target = [f32]>,
    {
        let n = padded(end_out - first_out);
        self.isa.run(Product {
            m: end_in - first_in,
            n,
            k: tiles,
            a: &left.place(place)[first_in..],
            a_row: 1,
            a_step: left.channels(),
            b: &right.place(place)[first_out..],
            right: Right::Rows(right.channels()),
            c: sums,
            c_row: n,
            add,
        });
    }
}

/// Channels in and out, each a first one and an end.
type ChannelRanges = [(usize, usize); 2];

/// All channels.
fn whole(all: [usize; 2]) -> ChannelRanges {
    all.map(|count| (0, count))
}

/// Pairs of ranges of channels in and out, and how many channels the largest has.
fn units(all: [usize; 2]) -> (Vec<ChannelRanges>, [usize; 2]) {
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
