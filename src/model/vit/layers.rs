//! The layers of a transformer, tokens as rows: by our own kernels where they serve, else by burn's operations.

use burn::module::{Initializer, Module, Param};
use burn::tensor::activation::{gelu, gelu_approximate, sigmoid, silu, softmax};
use burn::tensor::module::{layer_norm, linear};
use burn::tensor::{Device, Tensor, TensorData};

use super::config::{Mlp, VitConfig};
use super::positions;
use crate::kernel::{self, Activation, Heads, Panels, half::ValueParts};
use crate::model::layers::{LaidOut, Linear};
use crate::model::precision::EmbedPrecision;

/// Whether our own kernels compute with `x`: they have no gradients.
fn is_served<const D: usize>(x: &Tensor<D>) -> bool {
    kernel::serves(x) == Some(false)
}

fn activated(x: Tensor<2>, activation: Activation) -> Tensor<2> {
    match activation {
        Activation::Gelu => gelu(x),
        Activation::GeluTanh => gelu_approximate(x),
        Activation::QuickGelu => x.clone() * sigmoid(x.mul_scalar(1.702)),
        Activation::Silu => silu(x),
    }
}

/// What follows a linear layer.
#[derive(Default)]
pub struct Then {
    /// Of each value.
    pub activation: Option<Activation>,
    /// A factor of each output.
    pub scale: Option<Tensor<1>>,
    /// What is added at last.
    pub residual: Option<Tensor<2>>,
}

/// A linear layer and what follows it.
///
/// # Shapes
/// - x: `[rows, in]`
/// - output: `[rows, out]`
pub fn apply(layer: &Linear, x: Tensor<2>, then: Then) -> Tensor<2> {
    if let Some(LaidOut::Half(half)) = layer.laid_out.as_ref().filter(|_| is_served(&x)) {
        // The factors are in the weights.
        return kernel::half::linear(x, half, then.activation, then.residual);
    }
    let panels = layer.laid_out.as_ref().and_then(LaidOut::panels);
    weighted((layer.weight.val(), panels), layer.shift(), x, then)
}

/// [`apply`] with weights of `[out, in]`, which may be laid out, and `[out]`.
pub fn weighted(
    (weight, panels): (Tensor<2>, Option<&Panels>),
    bias: Tensor<1>,
    x: Tensor<2>,
    then: Then,
) -> Tensor<2> {
    let Then { activation, scale, residual } = then;
    if is_served(&x) {
        let finish = kernel::LinearFinish { bias, activation, scale, residual };
        return kernel::linear(x, (weight, panels), finish);
    }
    let mut x = linear(x, weight.transpose(), Some(bias));
    if let Some(activation) = activation {
        x = activated(x, activation);
    }
    if let Some(scale) = scale {
        x = x * scale.unsqueeze();
    }
    match residual {
        Some(residual) => x + residual,
        None => x,
    }
}

/// Normalisation of each token.
#[derive(Module, Debug)]
pub struct LayerNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    epsilon: f64,
}

impl LayerNorm {
    /// Scale 1 and shift 0.
    pub fn new(width: usize, epsilon: f64, device: &Device) -> Self {
        let (weight, bias) =
            (Initializer::Ones.init([width], device), Initializer::Zeros.init([width], device));
        Self { weight, bias, epsilon }
    }

    /// # Shapes
    /// - input, output: `[rows, width]`
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        if is_served(&x) {
            return kernel::layer_norm(x, [weight, bias], self.epsilon);
        }
        layer_norm(x, weight, Some(bias), self.epsilon)
    }
}

/// A factor for each channel of what a block adds.
#[derive(Module, Debug)]
pub struct LayerScale {
    /// `[width]`.
    pub gamma: Param<Tensor<1>>,
}

impl LayerScale {
    fn new(width: usize, device: &Device) -> Self {
        Self { gamma: Initializer::Ones.init([width], device) }
    }
}

/// Two layers, or three with a gate, whose product is in `fc1` as gate and value.
#[derive(Module, Debug)]
pub struct TokenMlp {
    fc1: Linear,
    fc2: Linear,
    #[module(skip)]
    shape: Mlp,
}

impl TokenMlp {
    /// Of tokens of `width` values.
    pub fn new(width: usize, shape: Mlp, device: &Device) -> Self {
        let first = if shape.gated { 2 * shape.hidden } else { shape.hidden };
        Self { fc1: Linear::new(width, first, device), fc2: Linear::new(shape.hidden, width, device), shape }
    }

    /// As [`Linear::lay_out`], with the factors that follow.
    fn lay_out(&mut self, scale: Option<Tensor<1>>, precision: EmbedPrecision) {
        self.fc1.lay_out(None, precision);
        self.fc2.lay_out(scale, precision);
    }

    /// # Shapes
    /// - x, output: `[rows, width]`
    pub fn forward(&self, x: Tensor<2>, scale: Option<Tensor<1>>, residual: Tensor<2>) -> Tensor<2> {
        let Mlp { hidden, activation, gated } = self.shape;
        let first = Then { activation: (!gated).then_some(activation), ..Then::default() };
        let mut x = apply(&self.fc1, x, first);
        if gated {
            x = match is_served(&x) {
                true => kernel::gate(x, activation),
                false => {
                    let value = x.clone().narrow(1, hidden, hidden);
                    activated(x.narrow(1, 0, hidden), activation) * value
                }
            };
        }
        apply(&self.fc2, x, Then { scale, residual: Some(residual), ..Then::default() })
    }
}

/// How queries and keys turn by their places.
pub struct PatchRotation {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl PatchRotation {
    /// For patches in that grid, by angles of those periods.
    pub fn new(config: &VitConfig, grid: [usize; 2], periods: &[f32]) -> Self {
        let [cos, sin] = positions::rotation(config.prefix(), grid, config.head_width(), periods);
        Self { cos, sin }
    }

    /// Turns queries or keys.
    ///
    /// # Shapes
    /// - x, output: `[batch, heads, tokens, head]`
    fn turn(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, tokens, head] = x.dims();
        let device = x.device();
        let turn = |values: &[f32]| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), [tokens, head]), &device).unsqueeze::<4>()
        };
        let half = head / 2;
        let other = Tensor::cat(vec![-x.clone().narrow(3, half, half), x.clone().narrow(3, 0, half)], 3);
        x * turn(&self.cos) + other * turn(&self.sin)
    }
}

/// Attention with queries, keys and values in one layer.
#[derive(Module, Debug)]
pub struct Attention {
    qkv: Linear,
    proj: Linear,
    heads: usize,
}

/// Most scores that are held at once where burn computes them.
const SCORES: usize = 1 << 26;

/// `softmax(q kᵀ / sqrt(head)) v` by burn's operations, some queries at a time.
///
/// # Shapes
/// - q: `[batch, heads, queries, head]`
/// - k, v: `[batch, heads, keys, head]`
/// - output: `[batch, queries, heads head]`
fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>) -> Tensor<3> {
    let [batch, heads, queries, head] = q.dims();
    let keys = k.dims()[2];
    let q = q.mul_scalar(1.0 / (head as f64).sqrt());
    let k = k.swap_dims(2, 3);
    let some = (SCORES / (batch * heads * keys).max(1)).clamp(1, queries.max(1));
    let blocks = (0..queries).step_by(some).map(|first| {
        let q = q.clone().narrow(2, first, some.min(queries - first));
        softmax(q.matmul(k.clone()), 3).matmul(v.clone())
    });
    let out = Tensor::cat(blocks.collect(), 2);
    out.swap_dims(1, 2).reshape([batch, queries, heads * head])
}

impl Attention {
    fn new(width: usize, heads: usize, device: &Device) -> Self {
        let (qkv, proj) = (Linear::new(width, 3 * width, device), Linear::new(width, width, device));
        Self { qkv, proj, heads }
    }

    fn qkv(&self, x: Tensor<2>) -> Tensor<2> {
        apply(&self.qkv, x, Then::default())
    }

    /// # Shapes
    /// - qkv: `[batch tokens, 3 width]`
    /// - output: `[batch tokens, width]`
    fn attend(&self, qkv: Tensor<2>, batch: usize, rotation: Option<&PatchRotation>) -> Tensor<2> {
        let [rows, width] = qkv.dims();
        let (tokens, count, width) = (rows / batch, self.heads, width / 3 / self.heads);
        if is_served(&qkv) {
            let turn = rotation.map(|PatchRotation { cos, sin }| kernel::Rotation { cos, sin });
            let heads = Heads { batch, tokens, count, width };
            return match &self.qkv.laid_out {
                Some(LaidOut::Half(layer)) if layer.weights.parts() == ValueParts::Rounded => {
                    kernel::half::attend(qkv, heads, turn.as_ref())
                }
                _ => kernel::attention(qkv, heads, turn.as_ref()),
            };
        }
        let parts = qkv.reshape([batch, tokens, 3 * count, width]).swap_dims(1, 2);
        let part = |index: usize| parts.clone().narrow(1, index * count, count);
        let turned = |x: Tensor<4>| match rotation {
            Some(rotation) => rotation.turn(x),
            None => x,
        };
        attend(turned(part(0)), turned(part(1)), part(2)).reshape([rows, count * width])
    }
}

/// A block: attention and an MLP, each added to what comes in.
#[derive(Module, Debug)]
pub struct VitBlock {
    norm1: LayerNorm,
    attn: Attention,
    ls1: Option<LayerScale>,
    norm2: LayerNorm,
    mlp: TokenMlp,
    ls2: Option<LayerScale>,
}

impl VitBlock {
    /// With weights still to be set.
    pub fn new(config: &VitConfig, device: &Device) -> Self {
        let VitConfig { width, heads, mlp, epsilon, layer_scale, .. } = *config;
        let scale = || layer_scale.then(|| LayerScale::new(width, device));
        Self {
            norm1: LayerNorm::new(width, epsilon, device),
            attn: Attention::new(width, heads, device),
            ls1: scale(),
            norm2: LayerNorm::new(width, epsilon, device),
            mlp: TokenMlp::new(width, mlp, device),
            ls2: scale(),
        }
    }

    /// From now on evaluation on the CPU computes so, with weights that are laid out once.
    pub fn lay_out(&mut self, precision: EmbedPrecision) {
        let gamma = |scale: &Option<LayerScale>| scale.as_ref().map(|scale| scale.gamma.val());
        self.attn.qkv.lay_out(None, precision);
        self.attn.proj.lay_out(gamma(&self.ls1), precision);
        self.mlp.lay_out(gamma(&self.ls2), precision);
    }

    /// Queries, keys and values, before any turn.
    ///
    /// # Shapes
    /// - x: `[batch tokens, width]`
    /// - output: `[batch tokens, 3 width]`
    pub fn qkv(&self, x: Tensor<2>) -> Tensor<2> {
        self.attn.qkv(self.norm1.forward(x))
    }

    /// The sum of what came in and of what attention adds.
    ///
    /// # Shapes
    /// - x, output: `[batch tokens, width]`
    /// - qkv: [`VitBlock::qkv`] of x
    pub fn attended(
        &self,
        x: Tensor<2>,
        qkv: Tensor<2>,
        batch: usize,
        rotation: Option<&PatchRotation>,
    ) -> Tensor<2> {
        let attended = self.attn.attend(qkv, batch, rotation);
        let scale = self.ls1.as_ref().map(|scale| scale.gamma.val());
        apply(&self.attn.proj, attended, Then { scale, residual: Some(x), ..Then::default() })
    }

    /// The sum of that and of what the MLP adds.
    ///
    /// # Shapes
    /// - x, output: `[batch tokens, width]`
    pub fn transformed(&self, x: Tensor<2>) -> Tensor<2> {
        let scale = self.ls2.as_ref().map(|scale| scale.gamma.val());
        self.mlp.forward(self.norm2.forward(x.clone()), scale, x)
    }
}

/// A learned query that attends to all tokens, and an MLP.
#[derive(Module, Debug)]
pub struct AttentionPool {
    latent: Param<Tensor<3>>,
    q: Linear,
    kv: Linear,
    proj: Linear,
    norm: LayerNorm,
    mlp: TokenMlp,
    heads: usize,
}

impl AttentionPool {
    /// With weights still to be set.
    pub fn new(config: &VitConfig, device: &Device) -> Self {
        let VitConfig { width, heads, mlp, epsilon, .. } = *config;
        Self {
            latent: Initializer::Zeros.init([1, 1, width], device),
            q: Linear::new(width, width, device),
            kv: Linear::new(width, 2 * width, device),
            proj: Linear::new(width, width, device),
            norm: LayerNorm::new(width, epsilon, device),
            mlp: TokenMlp::new(width, mlp, device),
            heads,
        }
    }

    /// From now on evaluation on the CPU computes so, with weights that are laid out once.
    pub fn lay_out(&mut self, precision: EmbedPrecision) {
        let layers = [&mut self.q, &mut self.kv, &mut self.proj];
        layers.into_iter().for_each(|layer| layer.lay_out(None, precision));
        self.mlp.lay_out(None, precision);
    }

    /// # Shapes
    /// - x: `[batch tokens, width]`
    /// - output: `[batch, width]`
    pub fn forward(&self, x: Tensor<2>, batch: usize) -> Tensor<2> {
        let [rows, width] = x.dims();
        let (tokens, heads, head) = (rows / batch, self.heads, width / self.heads);
        let query = apply(&self.q, self.latent.val().reshape([1, width]), Then::default());
        let query = query.reshape([1, heads, 1, head]).repeat_dim(0, batch);
        let both =
            apply(&self.kv, x, Then::default()).reshape([batch, tokens, 2 * heads, head]).swap_dims(1, 2);
        let part = |index: usize| both.clone().narrow(1, index * heads, heads);
        let attended = attend(query, part(0), part(1)).reshape([batch, width]);
        let x = apply(&self.proj, attended, Then::default());
        self.mlp.forward(self.norm.forward(x.clone()), None, x)
    }
}
