//! Convolutions in bf16: pixels under the kernel are laid out as rows, rounded, a block at a time.

use super::layer::{HalfFinish, HalfLayer};
use super::product::round;
use super::unit::Unit;
use crate::kernel::shape::Shape;

/// The convolution. `x`: `[batch, height, width, in]`, result and residual: `[batch, out height, out width, out]`.
pub fn forward(unit: Unit, shape: &Shape, x: &[f32], layer: &HalfLayer, finish: HalfFinish<'_>) -> Vec<f32> {
    shape.check();
    assert_eq!(x.len(), shape.input_len(), "the input of {shape:?}");
    let k = shape.side * shape.side * shape.channels[0];
    assert_eq!(
        [k, shape.channels[1]],
        [layer.weights.k(), layer.weights.columns()],
        "the weight of {shape:?}"
    );
    if shape.side == 1 && shape.stride == 1 && shape.padding == 0 {
        return layer.over(unit, x, finish);
    }
    let [height, width] = shape.out_size();
    layer.forward(unit, shape.batch * height * width, finish, |first, rows| {
        rows.each(|index, row| unroll(shape, x, first + index, row));
    })
}

/// The values under output pixel `pixel`. Those of a row of the kernel follow each other in the maps too.
fn unroll(shape: &Shape, x: &[f32], pixel: usize, to: &mut [u16]) {
    let ([out_height, out_width], [height, width]) = (shape.out_size(), shape.size);
    let channels = shape.channels[0];
    let (image, within) = (pixel / (out_height * out_width), pixel % (out_height * out_width));
    let (y, left) = (within / out_width * shape.stride, within % out_width * shape.stride);
    // Columns of the kernel that lie over the map.
    let begin = shape.padding.saturating_sub(left).min(shape.side);
    let end = (width + shape.padding).saturating_sub(left).min(shape.side).max(begin);
    let line = shape.side * channels;
    for ky in 0..shape.side {
        let to = &mut to[ky * line..(ky + 1) * line];
        match (y + ky).checked_sub(shape.padding).filter(|row| *row < height) {
            Some(row) if begin < end => {
                let from = ((image * height + row) * width + left + begin - shape.padding) * channels;
                to[..begin * channels].fill(0);
                round(&x[from..from + (end - begin) * channels], &mut to[begin * channels..]);
            }
            _ => to.fill(0),
        }
    }
    to[shape.side * line..].fill(0);
}
