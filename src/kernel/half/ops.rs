//! The layers in bf16 as operations on burn's tensors of the Flex backend, without gradients.

use burn::backend::TensorMetadata;
use burn::tensor::Tensor;

use super::{HalfConvolution, HalfFinish, HalfLayer, Unit, attention};
use crate::kernel::attention::{Heads, Rotation};
use crate::kernel::ops::{Operand, Window, output_dims, plain, shape_of, tensor, values};
use crate::kernel::pointwise::Activation;

/// # Panics
/// Where no unit multiplies bf16: layers of it are made only where one does.
fn unit() -> Unit {
    Unit::best().expect("a unit that multiplies bf16")
}

/// A convolution of this side and stride, and the normalisation after it, for this processor. `weight`:
/// `[out, in, side, side]`; `scale`, `bias`: one per output.
///
/// # Panics
/// As all of these do, where no unit multiplies bf16.
pub fn laid_out(weight: &[f32], window: [usize; 2], scale: &[f32], bias: &[f32]) -> HalfConvolution {
    HalfConvolution::by(unit(), weight, window, scale, bias)
}

/// A convolution with its normalisation, a sum and ReLU.
///
/// # Shapes
/// - x: `[batch, height, width, in]`
/// - output, residual: `[batch, out height, out width, out]`
pub fn convolution(
    x: Tensor<4>,
    layer: &HalfConvolution,
    side: usize,
    window: Window,
    residual: Option<Tensor<4>>,
    relu: bool,
) -> Tensor<4> {
    let x = Operand::new(x).value();
    let residual = residual.map(|residual| Operand::new(residual).value());
    let input = x.shape()[3];
    let shape = shape_of(&x, [layer.outputs(), input, side], window);
    let finish = HalfFinish { activation: None, residual: residual.as_ref().map(values), relu };
    let y = layer.forward(unit(), &shape, values(&x), finish);
    plain(tensor(y, output_dims(&shape)))
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

/// `softmax(q kᵀ / sqrt(width)) v` of every head.
///
/// # Shapes
/// As [`crate::kernel::attention()`].
pub fn attend(qkv: Tensor<2>, heads: Heads, rotation: Option<&Rotation<'_>>) -> Tensor<2> {
    let dims = [heads.batch * heads.tokens, heads.count * heads.width];
    let qkv = Operand::new(qkv).value();
    plain(tensor(attention::forward(unit(), heads, values(&qkv), rotation), dims))
}
