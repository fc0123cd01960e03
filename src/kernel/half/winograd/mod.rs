//! 3x3 convolutions of stride 1 in bf16 in Winograd's form F(2x2, 3x3): 16 products of matrices for 4 outputs, 2.25 times
//! fewer multiplications (Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks").
//!
//! An output tile is `A^T [(G w G^T) * (B^T x B)] A`. Both transformed operands are rounded: on noise what comes out is 1.4
//! to 1.7 times as far from the exact sums as when they are summed in full. The larger tiles that serve in float32 would be
//! 4 to 5 times as far.

mod tiles; // both transforms

use std::ops::Range;

use rayon::prelude::*;

use super::layer::HalfFinish;
use super::product::{HalfMatrix, HalfProduct, PANEL, STEP, TILE, room, steps};
use super::unit::{ReadyUnit, Unit};
use crate::kernel::scratch;
use crate::kernel::shape::Shape;
use crate::progress::is_left;

/// Side of a tile of the output, and of the pixels that it is made of.
const OUT: usize = 2;
const SIDE: usize = 4;
/// Places of a transformed tile.
const PLACES: usize = SIDE * SIDE;
/// Most tiles of a block, and its values of bf16: half a megabyte stays in a core's second cache.
const TILES: usize = 42;
const BLOCK_VALUES: usize = 1 << 18;

/// Weights of a convolution and of the normalisation after it, transformed once.
#[derive(Clone, Debug)]
pub struct HalfWinograd {
    /// One matrix `[in, out]` for each place.
    places: Vec<HalfMatrix>,
    bias: Vec<f32>,
}

impl HalfWinograd {
    /// `scale (w x) + bias`. `weight`: `[out, in, 3, 3]`; `scale`, `bias`: one per output.
    pub fn new(weight: &[f32], scale: &[f32], bias: &[f32]) -> Self {
        let outputs = bias.len();
        let inputs = weight.len() / (9 * outputs).max(1);
        assert!(inputs * 9 * outputs == weight.len() && scale.len() == outputs, "the weight");
        let matrix = |place: usize| {
            let value = |o: usize, i: usize| scale[o] * at_place(&weight[(o * inputs + i) * 9..][..9], place);
            HalfMatrix::new(inputs, outputs, value)
        };
        Self { places: (0..PLACES).map(matrix).collect(), bias: bias.to_vec() }
    }

    /// Outputs.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The convolution, without an activation. `x`: `[batch, height, width, in]`, result and residual:
    /// `[batch, out height, out width, out]`.
    pub fn forward(&self, unit: Unit, shape: &Shape, x: &[f32], finish: HalfFinish<'_>) -> Vec<f32> {
        assert!(shape.side == 3 && shape.stride == 1 && shape.padding < SIDE, "the kernel of {shape:?}");
        let inputs = self.places[0].k();
        assert_eq!([inputs, self.outputs()], shape.channels, "the weight of {shape:?}");
        assert!(finish.residual.is_none_or(|residual| residual.len() == shape.output_len()), "the residual");
        assert!(finish.activation.is_none(), "an activation after a convolution");
        if is_left() {
            return vec![0.0; shape.output_len()];
        }
        let [down, across] = shape.out_size().map(|side| side.div_ceil(OUT));
        let tiles = shape.batch * down * across;
        let threads = rayon::current_num_threads();
        // Rows a whole number of pages apart would share a few places of the cache.
        let row = steps(inputs) * STEP + STEP;
        // As many blocks for each thread, all about as large.
        let even = tiles.div_ceil(threads);
        let fitting = (BLOCK_VALUES / PLACES / row).clamp(TILE, TILES);
        let block = even.div_ceil(even.div_ceil(fitting).max(1)).max(TILE);
        let (blocks, panels) = (tiles.div_ceil(block), self.outputs().div_ceil(PANEL));
        // Where there are few tiles, their outputs are shared.
        let groups = threads.div_ceil(blocks.max(1)).clamp(1, panels.max(1));
        let of_group = panels.div_ceil(groups).max(1);
        let mut out = scratch::unset(shape.output_len());
        let shared = scratch::Shared::unset(&mut out);
        (0..blocks * groups).into_par_iter().for_each(|task| {
            let (first, group) = (task / groups * block, task % groups * of_group);
            let tiles = first..tiles.min(first + block);
            let task = HalfBlock { unit, shape, x, layer: self, finish, out: shared, row, tiles };
            task.run(group..panels.min(group + of_group));
        });
        // SAFETY: each task has set its outputs of all its tiles.
        unsafe { out.assume_init() }.into_vec()
    }
}

/// `G w G^T` at a place.
fn at_place(w: &[f32], place: usize) -> f32 {
    const G: [[f32; 3]; SIDE] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
    let (down, right) = (G[place / SIDE], G[place % SIDE]);
    let row = |y: usize| (0..3).map(|x| w[3 * y + x] * right[x]).sum::<f32>();
    (0..3).map(|y| down[y] * row(y)).sum()
}

/// Some tiles of all maps.
struct HalfBlock<'a> {
    unit: Unit,
    shape: &'a Shape,
    x: &'a [f32],
    layer: &'a HalfWinograd,
    finish: HalfFinish<'a>,
    out: scratch::Shared<'a>,
    /// Values from one tile to the next, of one place.
    row: usize,
    /// From left to right, from top to bottom, map after map.
    tiles: Range<usize>,
}

impl HalfBlock<'_> {
    /// The outputs of some panels.
    fn run(&self, panels: Range<usize>) {
        let (m, row) = (self.tiles.len(), self.row);
        let all = m.next_multiple_of(TILE);
        // Nor are places a whole number of pages apart.
        let (place, sums_place) = (all * row + STEP, all * PANEL + STEP / 2);
        scratch::with(room(PLACES * place) + PLACES * sums_place, |memory| {
            let (left, sums) = memory.split_at_mut(room(PLACES * place));
            let left: &mut [u16] = &mut bytemuck::cast_slice_mut(left)[..PLACES * place];
            self.transform(left, place);
            let ready = ReadyUnit::new(self.unit);
            for panel in panels {
                let places = &self.layer.places;
                for (at, matrix) in places.iter().enumerate() {
                    let next = places.get(at + 1).map_or(&[][..], |matrix| matrix.panels(panel..panel + 1));
                    HalfProduct {
                        m,
                        steps: row / STEP - 1,
                        a: &left[at * place..][..place],
                        a_row: row,
                        b: matrix.panels(panel..panel + 1),
                        next,
                        c: &mut sums[at * sums_place..][..sums_place],
                        c_row: PANEL,
                        add: false,
                    }
                    .run(&ready);
                }
                self.finish(sums, sums_place, panel);
            }
        });
    }

    /// `B^T x B` of every tile, rounded: places `place` values apart.
    fn transform(&self, to: &mut [u16], place: usize) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a unit of bf16 is here, all of which have these vectors.
        unsafe {
            self.transform_by_vectors(to, place);
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("no unit of bf16 is here, {} values {place} apart, {:?}", to.len(), self.x.len());
    }

    /// `A^T s A` of every tile, and what follows, for the outputs of a panel: sums of places lie `place` values apart.
    fn finish(&self, sums: &[f32], place: usize, panel: usize) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        unsafe {
            self.finish_by_vectors(sums, place, panel);
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("no unit of bf16 is here, {} {place} {panel} {}", sums.len(), self.out.len());
    }
}
