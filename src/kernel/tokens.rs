//! The kernels of a transformer as operations on burn's tensors: for tensors of the Flex backend, without gradients.
//! Tokens are rows.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::attention::{Heads, Rotation, forward as attend};
use super::linear::{RowFinish, forward as multiply};
use super::ops::{Operand, plain, tensor, values};
use super::panels::Panels;
use super::pointwise::{self, Activation};
use super::simd::Isa;

/// What is done to a linear layer's output: `scale activation(value + bias) + residual`.
pub struct LinearFinish {
    /// `[out]`.
    pub bias: Tensor<1>,
    /// Of each value.
    pub activation: Option<Activation>,
    /// `[out]`.
    pub scale: Option<Tensor<1>>,
    /// `[rows, out]`.
    pub residual: Option<Tensor<2>>,
}

fn value<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    Operand::new(tensor).value()
}

/// A linear layer and what follows it, in one pass.
///
/// # Shapes
/// - x: `[rows, in]`
/// - weight: `[out, in]`, and the same laid out where it is
/// - output: `[rows, out]`
pub fn linear(
    x: Tensor<2>,
    (weight, panels): (Tensor<2>, Option<&Panels>),
    finish: LinearFinish,
) -> Tensor<2> {
    let [rows, _] = x.dims();
    let [output, _] = weight.dims();
    let (x, weight, bias) = (value(x), value(weight), value(finish.bias));
    let (scale, residual) = (finish.scale.map(value), finish.residual.map(value));
    let finish = RowFinish {
        bias: values(&bias),
        activation: finish.activation,
        scale: scale.as_ref().map(values),
        residual: residual.as_ref().map(values),
    };
    let y = match panels {
        Some(panels) => multiply(Isa::best(), values(&x), panels, finish),
        None => multiply(Isa::best(), values(&x), &Panels::new(values(&weight), output, 1), finish),
    };
    plain(tensor(y, [rows, output]))
}

/// Layer normalisation of each row.
///
/// # Shapes
/// - x, output: `[rows, width]`
/// - weight, bias: `[width]`
pub fn layer_norm(x: Tensor<2>, [weight, bias]: [Tensor<1>; 2], epsilon: f64) -> Tensor<2> {
    let dims = x.dims();
    let (x, weight, bias) = (value(x), value(weight), value(bias));
    let affine = [values(&weight), values(&bias)];
    plain(tensor(pointwise::layer_norm(Isa::best(), values(&x), affine, epsilon), dims))
}

/// The activation of the first half of each row times its second half.
///
/// # Shapes
/// - x: `[rows, 2 hidden]`
/// - output: `[rows, hidden]`
pub fn gate(x: Tensor<2>, activation: Activation) -> Tensor<2> {
    let [rows, both] = x.dims();
    let x = value(x);
    plain(tensor(pointwise::gate(Isa::best(), values(&x), both / 2, activation), [rows, both / 2]))
}

/// `softmax(q kᵀ / sqrt(width)) v` of every head, in tiles.
///
/// # Shapes
/// - qkv: `[batch tokens, 3 heads width]`
/// - output: `[batch tokens, heads width]`
pub fn attention(qkv: Tensor<2>, heads: Heads, rotation: Option<&Rotation<'_>>) -> Tensor<2> {
    let dims = [heads.batch * heads.tokens, heads.count * heads.width];
    let qkv = value(qkv);
    plain(tensor(attend(Isa::best(), heads, values(&qkv), rotation), dims))
}
