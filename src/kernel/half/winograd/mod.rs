//! 3x3 convolutions of stride 1 in bf16 in Winograd's form F(2x2, 3x3): 16 products of matrices for 4 outputs, 2.25 times
//! fewer multiplications (Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks").
//!
//! An output tile is `A^T [(G w G^T) * (B^T x B)] A`. Both transformed operands are rounded: on noise what comes out is 1.4
//! to 1.7 times as far from the exact sums as when they are summed in full. The larger tiles that serve in float32 would be
//! 4 to 5 times as far.

mod tiles; // both transforms

use std::ops::Range;

use super::left::Left;
use super::maps::HalfMaps;
use super::product::{HalfMatrix, HalfProduct, MapFinish, PANEL, ProductTo, STEP, TILE, steps, whole_panels};
use super::shares::Shares;
use super::unit::{ReadyUnit, Unit};
use super::value_parts::ValueParts;
use super::values::room;
use crate::kernel::scratch;
use crate::kernel::shape::Shape;

/// Side of a tile of the output, and of the pixels that it is made of.
const OUT: usize = 2;
const SIDE: usize = 4;
/// Places of a transformed tile.
const PLACES: usize = SIDE * SIDE;
/// Most tiles of a block, and its values of bf16: half a megabyte stays in a core's second cache.
const TILES: usize = 84;
const BLOCK_VALUES: usize = 1 << 18;

/// Weights of a convolution and of the normalisation after it, transformed once.
#[derive(Clone, Debug)]
pub struct HalfWinograd {
    /// One matrix `[in, out]` for each place.
    places: Vec<HalfMatrix>,
    /// Whole panels.
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
            HalfMatrix::new(ValueParts::Rounded, inputs, outputs, value)
        };
        Self { places: (0..PLACES).map(matrix).collect(), bias: whole_panels(bias) }
    }

    /// Outputs.
    pub fn outputs(&self) -> usize {
        self.places[0].columns()
    }

    /// What is added to each, with zeros up to the end of a panel.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// The convolution of `x`, all panels of all pixels.
    pub fn forward(&self, unit: Unit, shape: &Shape, x: &HalfMaps, finish: MapFinish<'_>) {
        assert!(shape.side == 3 && shape.stride == 1 && shape.padding < SIDE, "the kernel of {shape:?}");
        let inputs = self.places[0].k();
        assert_eq!([inputs, self.outputs()], shape.channels, "the weight of {shape:?}");
        let [down, across] = shape.out_size().map(|side| side.div_ceil(OUT));
        // Rows a whole number of pages apart would share a few places of the cache.
        let row = steps(inputs) * STEP + STEP;
        let fitting = (BLOCK_VALUES / PLACES / row).clamp(TILE, TILES);
        Shares::new(unit, [shape.batch * down * across, self.outputs()], fitting).each(|tiles, panels| {
            HalfBlock { unit, shape, x, layer: self, finish, row, tiles }.run(panels);
        });
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
    x: &'a HalfMaps,
    layer: &'a HalfWinograd,
    finish: MapFinish<'a>,
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
            for panel in panels.clone() {
                let places = &self.layer.places;
                for (at, matrix) in places.iter().enumerate() {
                    let next = match places.get(at + 1) {
                        Some(matrix) => matrix.panels(panel..panel + 1),
                        None => places[0].panels(panel + 1..panels.end.min(panel + 2)),
                    };
                    HalfProduct {
                        m,
                        steps: row / STEP - 1,
                        a: Left::Rows { values: &left[at * place..][..place], row },
                        b: matrix.panels(panel..panel + 1),
                        next,
                        to: ProductTo::Sums {
                            c: &mut sums[at * sums_place..][..sums_place],
                            c_row: PANEL,
                            add: false,
                        },
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
        unreachable!("no unit of bf16 is here, {} values {place} apart, {}", to.len(), self.x.row());
    }

    /// `A^T s A` of every tile, and what follows, for the outputs of a panel: sums of places lie `place` values apart.
    fn finish(&self, sums: &[f32], place: usize, panel: usize) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        unsafe {
            self.finish_by_vectors(sums, place, panel);
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("no unit of bf16 is here, {} {place} {panel} {}", sums.len(), self.finish.row);
    }
}
