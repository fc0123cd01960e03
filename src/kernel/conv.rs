//! The convolution and its gradients, each by the form that does the least work. Work that is left
//! ([`crate::progress::is_left`]) gives zeros at once.

use super::panels::Panels;
use super::shape::{Finish, Shape};
use super::simd::Isa;
use super::{unrolled, winograd};
use crate::progress::is_left;

/// The convolution and its finish.
///
/// # Shapes
/// - x: `[batch, height, width, in]`
/// - weight: `[out, in, side, side]`, and the same laid out where it is
/// - result: `[batch, out height, out width, out]`
pub fn forward(
    isa: Isa,
    shape: &Shape,
    x: &[f32],
    (weight, panels): (&[f32], Option<&Panels>),
    finish: Finish<'_>,
) -> Vec<f32> {
    check(shape, x.len(), weight.len());
    finish.check(shape);
    if is_left() {
        return vec![0.0; shape.output_len()];
    }
    if winograd::pays(shape) {
        return winograd::forward(isa, shape, x, (weight, panels), finish);
    }
    let laid_out;
    let panels = match panels {
        Some(panels) => panels,
        None => {
            laid_out = Panels::new(weight, shape.channels[1], shape.side * shape.side);
            &laid_out
        }
    };
    unrolled::forward(isa, shape, x, panels, finish)
}

/// The gradient of x from that of the result.
pub fn input_gradient(isa: Isa, shape: &Shape, weight: &[f32], dy: &[f32]) -> Vec<f32> {
    check(shape, shape.input_len(), weight.len());
    assert_eq!(dy.len(), shape.output_len());
    if is_left() {
        return vec![0.0; shape.input_len()];
    }
    let form = if winograd::pays(shape) { winograd::input_gradient } else { unrolled::input_gradient };
    form(isa, shape, weight, dy)
}

/// The gradient of the weight from that of the result.
pub fn weight_gradient(isa: Isa, shape: &Shape, x: &[f32], dy: &[f32]) -> Vec<f32> {
    check(shape, x.len(), shape.weight_len());
    assert_eq!(dy.len(), shape.output_len());
    if is_left() {
        return vec![0.0; shape.weight_len()];
    }
    let form = if winograd::pays(shape) { winograd::weight_gradient } else { unrolled::weight_gradient };
    form(isa, shape, x, dy)
}

fn check(shape: &Shape, x: usize, weight: usize) {
    shape.check();
    assert_eq!(x, shape.input_len(), "the input of {shape:?}");
    assert_eq!(weight, shape.weight_len(), "the weight of {shape:?}");
}
