//! Convolutions in bf16 from maps to maps, in Winograd's form where that is faster. Elsewhere pixels are multiplied as they
//! lie, or those under the kernel are laid out as rows (im2col), a block at a time.

use std::ops::Range;

use super::left::Left;
use super::maps::{HalfMaps, row_of};
use super::product::{HalfMatrix, HalfProduct, MapFinish, ProductTo, STEP, TILE, steps, whole_panels};
use super::shares::Shares;
use super::unit::{ReadyUnit, Unit};
use super::value_parts::ValueParts;
use super::values::room;
use super::winograd::HalfWinograd;
use crate::kernel::scratch::{self, Shared};
use crate::kernel::shape::Shape;
use crate::progress::is_left;

/// HalfInput channels from which on Winograd's form is the faster one: with fewer, most of a step would be zeros.
const WINOGRAD_INPUTS: usize = 16;
/// Values of a block of rows: half a megabyte stays in a core's second cache.
const BLOCK_VALUES: usize = 1 << 18;
/// Most and least rows of a block.
const BLOCK_ROWS: [usize; 2] = [32, 256];

/// Weights of a convolution and of the normalisation after it, made once.
#[derive(Clone, Debug)]
pub enum HalfConvolution {
    /// Every product is summed.
    Full(HalfSummed),
    /// 3x3, stride 1.
    Winograd(HalfWinograd),
}

/// What a convolution takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfInput {
    /// [`HalfMaps::images`].
    Images,
    /// What another convolution gave.
    Maps,
}

/// What is done to an output value once it is summed and has its bias: `relu?(value + residual)`.
#[derive(Clone, Copy, Default)]
pub struct ConvolutionFinish<'a> {
    /// In the output's shape.
    pub residual: Option<&'a HalfMaps>,
    /// Whether negative values become zero at the end.
    pub relu: bool,
}

impl HalfConvolution {
    /// The form that is the faster one by `unit`: tiles multiply so fast that transforms would take longer. `weight`:
    /// `[out, in, side, side]`; `scale` and `bias`, one per output, are what follows it.
    pub fn by(
        unit: Unit,
        input: HalfInput,
        weight: &[f32],
        [side, stride]: [usize; 2],
        scale: &[f32],
        bias: &[f32],
    ) -> Self {
        let inputs = weight.len() / (side * side * bias.len()).max(1);
        let is_three = (side, stride) == (3, 1) && input == HalfInput::Maps;
        if unit == Unit::Avx512 && is_three && inputs >= WINOGRAD_INPUTS {
            return Self::Winograd(HalfWinograd::new(weight, scale, bias));
        }
        Self::Full(HalfSummed::new(input, weight, side, scale, bias))
    }

    /// Outputs.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Full(layer) => layer.weights.columns(),
            Self::Winograd(layer) => layer.outputs(),
        }
    }

    /// The convolution of `x`.
    ///
    /// # Panics
    /// If `shape` is not that of `x` and these weights, or not that of the residual.
    pub fn forward(
        &self,
        unit: Unit,
        shape: &Shape,
        x: &HalfMaps,
        finish: ConvolutionFinish<'_>,
    ) -> HalfMaps {
        shape.check();
        let Shape { batch, size, channels: [inputs, outputs], .. } = *shape;
        assert_eq!((x.batch, x.size, x.channels), (batch, size, inputs), "the input of {shape:?}");
        let out_size = shape.out_size();
        let fits = |maps: &HalfMaps| (maps.batch, maps.size, maps.channels) == (batch, out_size, outputs);
        assert!(finish.residual.is_none_or(fits), "the residual of {shape:?}");
        if is_left() {
            return HalfMaps::zeros(batch, out_size, outputs);
        }
        let write = |out: Shared<'_, u16>| {
            let (bias, row) = (self.bias(), row_of(outputs));
            let finish = MapFinish { bias, residual: finish.residual, relu: finish.relu, out, row };
            match self {
                Self::Full(layer) => layer.forward(unit, shape, x, finish),
                Self::Winograd(layer) => layer.forward(unit, shape, x, finish),
            }
        };
        // SAFETY: either form finishes all panels of all pixels.
        unsafe { HalfMaps::written(batch, out_size, outputs, write) }
    }

    fn bias(&self) -> &[f32] {
        match self {
            Self::Full(layer) => &layer.bias,
            Self::Winograd(layer) => layer.bias(),
        }
    }
}

/// A convolution that is summed in full.
#[derive(Clone, Debug)]
pub struct HalfSummed {
    /// A row of the unrolled maps has the taps one after another, each with all values of a pixel.
    weights: HalfMatrix,
    bias: Vec<f32>,
    input: HalfInput,
}

impl HalfSummed {
    /// `scale value + bias`. `weight`: `[out, in, side, side]`.
    pub fn new(input: HalfInput, weight: &[f32], side: usize, scale: &[f32], bias: &[f32]) -> Self {
        let (area, outputs) = (side * side, bias.len());
        let inputs = weight.len() / (area * outputs).max(1);
        assert!(inputs * area * outputs == weight.len() && scale.len() == outputs, "the weight");
        let row = if input == HalfInput::Images { inputs } else { row_of(inputs) };
        let value = |o: usize, p: usize| match p % row {
            channel if channel < inputs => weight[(o * inputs + channel) * area + p / row] * scale[o],
            _ => 0.0,
        };
        // Behind the last tap's channels there are only zeros.
        let k = (area - 1) * row + inputs;
        Self {
            weights: HalfMatrix::new(ValueParts::Rounded, k, outputs, value),
            bias: whole_panels(bias),
            input,
        }
    }

    fn forward(&self, unit: Unit, shape: &Shape, x: &HalfMaps, finish: MapFinish<'_>) {
        let Shape { batch, channels: [inputs, outputs], side, .. } = *shape;
        let row = if self.input == HalfInput::Images { inputs } else { row_of(inputs) };
        let k = (side * side - 1) * row + inputs;
        let found = [self.weights.k(), self.weights.columns(), x.row()];
        assert_eq!(found, [k, outputs, row], "the weight of {shape:?}");
        let [height, width] = shape.out_size();
        // Rows a whole number of pages apart would share a few places of the cache.
        let unrolled = k.next_multiple_of(STEP).max(side * side * row) + STEP;
        let is_direct = shape.is_rows() && self.input == HalfInput::Maps;
        let a_row = if is_direct { row } else { unrolled };
        let fitting = (BLOCK_VALUES / a_row).clamp(BLOCK_ROWS[0], BLOCK_ROWS[1]);
        Shares::new(unit, [batch * height * width, outputs], fitting).each(|pixels, panels| {
            if is_direct {
                return self.multiply(unit, &x.values()[pixels.start * row..], row, (pixels, panels), finish);
            }
            let all = pixels.len().next_multiple_of(TILE);
            scratch::with(room(all * a_row), |memory| {
                let left: &mut [u16] = &mut bytemuck::cast_slice_mut(memory)[..all * a_row];
                let rows = &mut left[..pixels.len() * a_row];
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a unit of bf16 is here, all of which have these vectors.
                unsafe {
                    unroll(shape, x, pixels.start, rows, a_row);
                }
                #[cfg(not(target_arch = "x86_64"))]
                unreachable!("no unit of bf16 is here, {} rows", rows.len());
                self.multiply(unit, left, a_row, (pixels, panels), finish);
            });
        });
    }

    /// Some panels of some pixels, whose rows begin with `a`.
    fn multiply(
        &self,
        unit: Unit,
        a: &[u16],
        a_row: usize,
        (pixels, panels): (Range<usize>, Range<usize>),
        finish: MapFinish<'_>,
    ) {
        let to = ProductTo::Maps { finish, first: pixels.start, panel: panels.start };
        let (m, steps, b) = (pixels.len(), steps(self.weights.k()), self.weights.panels(panels));
        let a = Left::Rows { values: a, row: a_row };
        HalfProduct { m, steps, a, b, next: &[], to }.run(&ReadyUnit::new(unit));
    }
}

/// The values under output pixels from `first` on, one pixel a row.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn unroll(shape: &Shape, x: &HalfMaps, first: usize, rows: &mut [u16], row: usize) {
    let [out_height, out_width] = shape.out_size();
    let of_image = out_height * out_width;
    let (mut image, mut at) = (first / of_image, first % of_image);
    for row in rows.chunks_exact_mut(row) {
        pixel(shape, x, image, [at / out_width, at % out_width], row);
        at += 1;
        if at == of_image {
            (image, at) = (image + 1, 0);
        }
    }
}

/// The values under one output pixel. Those of a row of the kernel follow each other in the maps too.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn pixel(shape: &Shape, x: &HalfMaps, image: usize, [y, left]: [usize; 2], to: &mut [u16]) {
    use super::vectors::copy_over;
    let Shape { size: [height, width], side, stride, padding, .. } = *shape;
    let (values, row) = (x.values(), x.row());
    let (top, left) = (y * stride, left * stride);
    // Columns of the kernel that lie over the map.
    let begin = padding.saturating_sub(left).min(side);
    let end = (width + padding).saturating_sub(left).min(side).max(begin);
    let line = side * row;
    if end - begin == side && top >= padding && top + side <= height + padding {
        // Nothing is cut off, as almost everywhere.
        let first = (image * height + top - padding) * width + left - padding;
        for down in 0..side {
            let from = &values[(first + down * width) * row..][..line];
            copy_over(from, &mut to[down * line..]);
        }
        to[side * line..].fill(0);
        return;
    }
    for down in 0..side {
        let to = &mut to[down * line..];
        let Some(y) = (top + down).checked_sub(padding).filter(|y| *y < height && begin < end) else {
            to[..line].fill(0);
            continue;
        };
        // Mostly there is nothing to fill, and a call would cost as much as what it surrounds.
        if begin > 0 {
            to[..begin * row].fill(0);
        }
        let from = ((image * height + y) * width + left + begin - padding) * row;
        copy_over(&values[from..from + (end - begin) * row], &mut to[begin * row..]);
        if end < side {
            to[end * row..line].fill(0);
        }
    }
    to[side * line..].fill(0);
}
