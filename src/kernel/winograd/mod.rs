//! 3x3 convolutions of stride 1 in Winograd's form F(4x4, 3x3): 36 products of matrices for 16
//! outputs, a quarter of the multiplications (Lavin and Gray 2016, "Fast Algorithms for
//! Convolutional Neural Networks"). The points of interpolation are 0, ±1/√2, ±√2 and infinity,
//! whose rounding error is less than half of that of the usual 0, ±1, ±2 and infinity.
//!
//! An output tile `y = A^T [(G w G^T) * (B^T x B)] A`, the product running over input channels
//! for each of the 36 places. The gradient of the weight has the same form read backwards:
//! `G^T [(B^T x B) * (A dy A^T)] G`, summed over tiles. Memory, not arithmetic, is what limits it,
//! so each way keeps in a core's cache what would otherwise be read most often.

use super::panels::Panels;
use super::shape::{Finish, Shape};
use super::simd::Isa;

mod convolve;
mod gradient;
mod lines;
mod tiles;
mod weights;

pub use gradient::weight_gradient;
use lines::{SIDE, TILE};
use weights::Taps;

/// Whether this form does less work than a plain product, transforms included.
pub fn pays(shape: &Shape) -> bool {
    let out = shape.out_size();
    let covered: usize = out.iter().map(|size| size.div_ceil(TILE) * SIDE).product();
    shape.winograd
        && shape.side == 3
        && shape.stride == 1
        && shape.padding <= 2
        && shape.channels[0] >= 8
        && covered * 3 < out[0] * out[1] * 9 * 2
}

/// The convolution. `x`: `[batch, height, width, in]`, `weight`: `[out, in, 3, 3]`, and the same laid out where it is.
pub fn forward(
    isa: Isa,
    shape: &Shape,
    x: &[f32],
    (weight, panels): (&[f32], Option<&Panels>),
    finish: Finish<'_>,
) -> Vec<f32> {
    let taps = Taps { values: weight, channels: shape.channels, turned: false, panels };
    convolve::convolve(isa, shape, x, taps, finish)
}

/// The gradient of the input: a convolution of the output's gradient with the weight turned by
/// half a turn and its channels swapped. `weight` is that of the forward pass.
pub fn input_gradient(isa: Isa, shape: &Shape, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    let [input, output] = shape.channels;
    let channels = [output, input];
    let turned = Shape { size: shape.out_size(), channels, padding: 2 - shape.padding, ..*shape };
    let taps = Taps { values: weight, channels, turned: true, panels: None };
    convolve::convolve(isa, &turned, dy, taps, Finish::default())
}
