//! The layers of a ResNet in PyTorch's layout and naming, so that weights need
//! no renaming on their way in or out.

use std::sync::Arc;

use burn::module::{Initializer, Module, Param, RunningState};
use burn::tensor::module::{batch_norm, batch_norm_train, conv2d, linear};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, FloatDType, Tensor};

use super::precision::EmbedPrecision;
use crate::kernel::{
    self, LinearFinish, Panels,
    half::{self, ConvolutionFinish, HalfConvolution, HalfInput, HalfLayer, HalfMaps, ValueParts},
};

/// Which statistics batch normalisation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Those of the batch; the running ones are updated.
    Train,
    /// As [`Mode::Train`], with convolutions and linear layers in float16; what they give is float32 again.
    TrainMixed,
    /// The running ones.
    Eval,
}

/// Weights as the CPU's evaluation takes them, laid out once. Training does not see them, and would not change them.
#[derive(Clone, Debug)]
pub enum LaidOut {
    /// In float32.
    Full(Arc<Panels>),
    /// Of a linear layer in bf16, or in float32 as parts of bf16, with what follows folded in; of a convolution of single
    /// pixels too.
    Half(Arc<HalfLayer>),
    /// Of a convolution in bf16, with the normalisation after it folded in.
    HalfConvolution(Arc<HalfConvolution>),
}

impl LaidOut {
    /// Those in float32.
    pub fn panels(&self) -> Option<&Panels> {
        match self {
            LaidOut::Full(panels) => Some(panels),
            LaidOut::Half(_) | LaidOut::HalfConvolution(_) => None,
        }
    }
}

/// A 2-D convolution without bias. `weight`: `[out, in, side, side]`.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[out, in, side, side]`.
    pub weight: Param<Tensor<4>>,
    stride: usize,
    padding: usize,
    /// Whether training on the CPU may use Winograd's form, as evaluation always does where it pays.
    winograd: bool,
    /// The weights, and in bf16 the normalisation after them, by which evaluation on the CPU then computes.
    #[module(skip)]
    laid_out: Option<LaidOut>,
    /// Factor and shift of the normalisation after it, once weights are laid out.
    #[module(skip)]
    affine: Option<[Tensor<1>; 2]>,
}

/// The values of a tensor of weights.
pub(super) fn weight_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("converted to f32")
}

impl Conv2d {
    /// Zero weights; `weights::initialize` fills them.
    pub fn new(channels: [usize; 2], side: usize, stride: usize, padding: usize, device: &Device) -> Self {
        let [input, output] = channels;
        let weight = Initializer::Zeros.init([output, input, side, side], device);
        Self { weight, stride, padding, winograd: true, laid_out: None, affine: None }
    }

    /// The same, summed in full when trained on the CPU: for networks so deep that normalisation after normalisation, by the
    /// statistics of a small batch, would carry Winograd's rounding to 1e-4. By running ones it stays below 1e-6.
    pub fn summed_in_full(self) -> Self {
        Self { winograd: false, ..self }
    }

    /// From now on evaluation on the CPU computes this, and in bf16 the normalisation after it, of such an input, with
    /// weights that are laid out once.
    pub fn lay_out(&mut self, norm: &BatchNorm, input: HalfInput, precision: EmbedPrecision) {
        let [outputs, _, side, _] = self.weight.dims();
        let affine = norm.affine();
        self.affine = Some(affine.clone());
        let weight = weight_values(self.weight.val());
        let is_pointwise = (side, self.stride, self.padding) == (1, 1, 0);
        self.laid_out = Some(match precision {
            EmbedPrecision::F32 if is_pointwise && half::is_faster_in_parts() => {
                let [scale, shift] = affine.map(weight_values);
                let layer = HalfLayer::linear(ValueParts::Whole, &weight, Some(&scale), shift);
                LaidOut::Half(Arc::new(layer))
            }
            EmbedPrecision::F32 => LaidOut::Full(Arc::new(Panels::lasting(&weight, outputs, side * side))),
            EmbedPrecision::Bf16 => {
                let [scale, shift] = affine.map(weight_values);
                let layer = half::laid_out(input, &weight, [side, self.stride], &scale, &shift);
                LaidOut::HalfConvolution(Arc::new(layer))
            }
        });
    }

    fn window(&self) -> kernel::Window {
        kernel::Window { stride: self.stride, padding: self.padding, winograd: self.winograd }
    }

    /// # Shapes
    /// - input: `[batch, in, height, width]`
    /// - output: `[batch, out, (height + 2 padding - side) / stride + 1, ...]`
    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let options = ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1);
        let weight = self.weight.val();
        match mode {
            Mode::TrainMixed => conv2d(x.cast(FloatDType::F16), weight.cast(FloatDType::F16), None, options)
                .cast(FloatDType::F32),
            Mode::Train | Mode::Eval => conv2d(x, weight, None, options),
        }
    }

    /// The same by our own kernel, channels last: for maps that [`kernel::serves`].
    ///
    /// # Shapes
    /// - input: `[batch, height, width, in]`
    /// - output: `[batch, (height + 2 padding - side) / stride + 1, ..., out]`
    fn forward_last(&self, x: Tensor<4>) -> Tensor<4> {
        kernel::conv2d(x, self.weight.val(), self.window())
    }

    /// Convolution, normalisation, the sum with `residual` and ReLU, channels last.
    /// In evaluation one pass over memory, without gradients.
    ///
    /// # Shapes
    /// As `Conv2d::forward_last`; residual: that of the output.
    pub fn normalized_last(
        &self,
        x: Tensor<4>,
        norm: &BatchNorm,
        residual: Option<Tensor<4>>,
        relu: bool,
        mode: Mode,
    ) -> Tensor<4> {
        if mode == Mode::Train {
            return norm.train_last(self.forward_last(x), residual, relu);
        }
        if let Some(LaidOut::Half(layer)) = &self.laid_out {
            return half::pointwise(x, layer, residual, relu);
        }
        let weight = (self.weight.val(), self.laid_out.as_ref().and_then(LaidOut::panels));
        let window = kernel::Window { winograd: true, ..self.window() };
        let affine = self.affine.clone().unwrap_or_else(|| norm.affine());
        kernel::conv2d_finished(x, weight, window, affine, residual, relu)
    }

    /// Whether weights are laid out in bf16.
    pub fn is_half(&self) -> bool {
        matches!(self.laid_out, Some(LaidOut::HalfConvolution(_)))
    }

    /// As [`Conv2d::normalized_last`] in evaluation, in bf16.
    ///
    /// # Panics
    /// If weights are not laid out so.
    pub fn forward_half(&self, x: &HalfMaps, residual: Option<&HalfMaps>, relu: bool) -> HalfMaps {
        let Some(LaidOut::HalfConvolution(layer)) = &self.laid_out else {
            panic!("weights of a convolution that are not laid out in bf16")
        };
        let side = self.weight.dims()[2];
        half::convolution(x, layer, side, self.window(), ConvolutionFinish { residual, relu })
    }
}

/// Batch normalisation over all dimensions but the second, as `torch.nn.BatchNorm{1,2}d`:
/// epsilon 1e-5, momentum 0.1, and the running variance is the unbiased one
/// (burn's own layer keeps the biased one, and its running state is read only one step late).
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale of each channel.
    pub weight: Param<Tensor<1>>,
    /// Shift of each channel.
    pub bias: Param<Tensor<1>>,
    /// Running mean of each channel.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running unbiased variance of each channel.
    pub running_var: RunningState<Tensor<1>>,
}

const EPSILON: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;

impl BatchNorm {
    /// Scale 1, shift 0, running mean 0 and variance 1 for `width` channels.
    pub fn new(width: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Ones.init([width], device),
            bias: Initializer::Zeros.init([width], device),
            running_mean: RunningState::new(Tensor::zeros([width], device)),
            running_var: RunningState::new(Tensor::ones([width], device)),
        }
    }

    /// Factor and shift of each channel by the running statistics.
    fn affine(&self) -> [Tensor<1>; 2] {
        let scale = self.weight.val() / (self.running_var.value() + EPSILON).sqrt();
        let shift = self.bias.val() - self.running_mean.value() * scale.clone();
        [scale, shift]
    }

    /// # Shapes
    /// - input, output: `[batch, width, ...]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>, mode: Mode) -> Tensor<D> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        if mode == Mode::Eval {
            return batch_norm(x, weight, bias, self.running_mean.value(), self.running_var.value(), EPSILON);
        }
        let dims = x.dims();
        let count = dims.iter().product::<usize>() / dims[1];
        let result = batch_norm_train(x, weight, bias, EPSILON);
        self.update(result.mean, result.variance, count);
        result.output
    }

    /// Normalisation by the batch's statistics, the sum with `residual` and ReLU, channels last.
    fn train_last(&self, x: Tensor<4>, residual: Option<Tensor<4>>, relu: bool) -> Tensor<4> {
        let [batch, height, width, _] = x.dims();
        let affine = [self.weight.val(), self.bias.val()];
        let result = kernel::batch_norm_train(x, affine, residual, relu, EPSILON);
        self.update(result.mean, result.variance, batch * height * width);
        result.output
    }

    /// Blends a batch's mean and biased variance over `count` values into the running ones.
    fn update(&self, mean: Tensor<1>, variance: Tensor<1>, count: usize) {
        let count = count as f64;
        let unbiased = variance.mul_scalar(count / (count - 1.0).max(1.0));
        blend(&self.running_mean, mean);
        blend(&self.running_var, unbiased);
    }
}

/// `running = (1 - momentum) running + momentum batch`, visible at once.
fn blend(running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
    let old = running.value();
    let new = old.mul_scalar(1.0 - MOMENTUM) + batch.detach().mul_scalar(MOMENTUM);
    running.update(new.detach());
    running.value_sync();
}

/// A linear layer in PyTorch's layout. `weight`: `[out, in]`, `bias`: `[out]`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`; absent where nothing is added.
    pub bias: Option<Param<Tensor<1>>>,
    /// The weights, in bf16 or its parts with the bias, by which evaluation on the CPU then computes.
    #[module(skip)]
    pub laid_out: Option<LaidOut>,
}

impl Linear {
    /// Zero weights; `weights::initialize` fills them.
    pub fn new(input: usize, output: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Zeros.init([output, input], device),
            bias: Some(Initializer::Zeros.init([output], device)),
            laid_out: None,
        }
    }

    /// The same, which adds nothing.
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// What is added to the product; zeros where nothing is.
    ///
    /// # Shapes
    /// - output: `[out]`
    pub fn shift(&self) -> Tensor<1> {
        let weight = self.weight.val();
        let zeros = || Tensor::zeros([weight.dims()[0]], &weight.device());
        self.bias.as_ref().map_or_else(zeros, Param::val)
    }

    /// From now on evaluation on the CPU computes this, and by products of bf16 the factor of each output after it, with weights
    /// that are laid out once.
    pub fn lay_out(&mut self, scale: Option<Tensor<1>>, precision: EmbedPrecision) {
        let (weight, mut bias) = (weight_values(self.weight.val()), weight_values(self.shift()));
        let parts = match precision {
            EmbedPrecision::F32 => half::is_faster_in_parts().then_some(ValueParts::Whole),
            EmbedPrecision::Bf16 => Some(ValueParts::Rounded),
        };
        self.laid_out = Some(match parts {
            None => LaidOut::Full(Arc::new(Panels::lasting(&weight, bias.len(), 1))),
            Some(parts) => {
                let scale = scale.map(weight_values);
                bias.iter_mut().zip(scale.iter().flatten()).for_each(|(bias, scale)| *bias *= scale);
                LaidOut::Half(Arc::new(HalfLayer::linear(parts, &weight, scale.as_deref(), bias)))
            }
        });
    }

    /// # Shapes
    /// - input: `[batch, in]`
    /// - output: `[batch, out]`
    pub fn forward(&self, x: Tensor<2>, mode: Mode) -> Tensor<2> {
        if mode == Mode::Eval && kernel::serves(&x) == Some(false) {
            // Row by row the same, whatever the other rows are and how many: a vector does not change with its batch.
            if let Some(LaidOut::Half(layer)) = &self.laid_out {
                return kernel::half::linear(x, layer, None, None);
            }
            let panels = self.laid_out.as_ref().and_then(LaidOut::panels);
            let finish = LinearFinish { bias: self.shift(), activation: None, scale: None, residual: None };
            return kernel::linear(x, (self.weight.val(), panels), finish);
        }
        let weight = self.weight.val().transpose();
        match mode {
            Mode::TrainMixed => {
                let product = linear(x.cast(FloatDType::F16), weight.cast(FloatDType::F16), None);
                let product = product.cast(FloatDType::F32);
                match &self.bias {
                    Some(bias) => product + bias.val().unsqueeze(),
                    None => product,
                }
            }
            Mode::Train | Mode::Eval => linear(x, weight, self.bias.as_ref().map(Param::val)),
        }
    }
}
