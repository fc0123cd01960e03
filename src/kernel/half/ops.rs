//! The layers in bf16 as operations on burn's tensors of the Flex backend, without gradients.

use burn::tensor::Tensor;

use super::{
    ConvolutionFinish, HalfConvolution, HalfFinish, HalfInput, HalfLayer, HalfMaps, Unit, attention, pool,
};
use crate::kernel::attention::{Heads, Rotation};
use crate::kernel::ops::{Operand, Window, plain, tensor, values};
use crate::kernel::pointwise::Activation;
use crate::kernel::shape::Shape;

/// # Panics
/// Where no unit multiplies bf16: layers of it are made only where one does.
fn unit() -> Unit {
    Unit::best().expect("a unit that multiplies bf16")
}

/// Whether values of f32 are multiplied faster as three of bf16 than as they are: by tiles, not by vectors.
pub fn is_faster_in_parts() -> bool {
    Unit::Amx.is_here()
}

/// A convolution of this side and stride, and the normalisation after it, for this processor. `weight`:
/// `[out, in, side, side]`; `scale`, `bias`: one per output.
///
/// # Panics
/// As all of these do, where no unit multiplies bf16.
pub fn laid_out(
    input: HalfInput,
    weight: &[f32],
    window: [usize; 2],
    scale: &[f32],
    bias: &[f32],
) -> HalfConvolution {
    HalfConvolution::by(unit(), input, weight, window, scale, bias)
}

/// A convolution with its normalisation, a sum and ReLU.
pub fn convolution(
    x: &HalfMaps,
    layer: &HalfConvolution,
    side: usize,
    window: Window,
    finish: ConvolutionFinish<'_>,
) -> HalfMaps {
    let Window { stride, padding, winograd } = window;
    let channels = [x.channels, layer.outputs()];
    let shape = Shape { batch: x.batch, size: x.size, channels, side, stride, padding, winograd };
    layer.forward(unit(), &shape, x, finish)
}

/// The largest of each 3x3 window, every other pixel, with a pixel of nothing around.
pub fn max_pool(x: &HalfMaps) -> HalfMaps {
    unit();
    pool::forward(x)
}

/// Images rounded for a network's first layer. `x`: `[batch, channels, height, width]`.
pub fn images(x: Tensor<4>) -> HalfMaps {
    let dims = x.dims();
    HalfMaps::images(values(&Operand::new(x).value()), dims)
}

/// Maps in float32, `[batch, height, width, channels]`.
pub fn maps(x: &HalfMaps) -> Tensor<4> {
    plain(tensor(x.to_f32(), [x.batch, x.size[0], x.size[1], x.channels]))
}

/// The means of maps over positions, `[batch, channels]`.
pub fn means(x: &HalfMaps) -> Tensor<2> {
    plain(tensor(x.means(), [x.batch, x.channels]))
}

/// A linear layer: `activation(x weight + bias) + residual`.
///
/// # Shapes
/// - x: `[rows, in]`
/// - output, residual: `[rows, out]`
pub fn linear(
    x: Tensor<2>,
    layer: &HalfLayer,
    activation: Option<Activation>,
    residual: Option<Tensor<2>>,
) -> Tensor<2> {
    let rows = x.dims()[0];
    let x = Operand::new(x).value();
    let residual = residual.map(|residual| Operand::new(residual).value());
    let finish = HalfFinish { activation, residual: residual.as_ref().map(values), relu: false };
    plain(tensor(layer.over(unit(), values(&x), finish), [rows, layer.weights.columns()]))
}

/// A convolution of a single pixel, stride 1, in f32: `relu?(x weight + bias + residual)`.
///
/// # Shapes
/// - x: `[batch, height, width, in]`
/// - output, residual: `[batch, height, width, out]`
pub fn pointwise(x: Tensor<4>, layer: &HalfLayer, residual: Option<Tensor<4>>, relu: bool) -> Tensor<4> {
    let [batch, height, width, _] = x.dims();
    let x = Operand::new(x).value();
    let residual = residual.map(|residual| Operand::new(residual).value());
    let finish = HalfFinish { activation: None, residual: residual.as_ref().map(values), relu };
    let y = layer.over(unit(), values(&x), finish);
    plain(tensor(y, [batch, height, width, layer.weights.columns()]))
}

/// `softmax(q kᵀ / sqrt(width)) v` of every head, in bf16.
///
/// # Shapes
/// As [`crate::kernel::attention()`].
pub fn attend(qkv: Tensor<2>, heads: Heads, rotation: Option<&Rotation<'_>>) -> Tensor<2> {
    let dims = [heads.batch * heads.tokens, heads.count * heads.width];
    let qkv = Operand::new(qkv).value();
    plain(tensor(attention::forward(unit(), heads, values(&qkv), rotation), dims))
}
