//! Optimisers over named parameters.
//!
//! burn's own `ModuleOptimizer` is not used: it restores its state on burn's default device
//! (which a machine without Vulkan cannot open), and its optimisers do not see a parameter's rank,
//! which the exclusions of the field (no decay on 1-D parameters) depend on.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// Which optimiser, with its constants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The rule, with its own constants.
    pub rule: Rule,
    /// Learning rate at the end of the warm-up, for the batch that `lr_scale` says.
    pub lr: f64,
    /// How it follows the batch.
    #[serde(default)]
    pub lr_scale: LrScale,
    /// 1-D parameters (biases, batch norm) get none.
    pub weight_decay: f64,
    /// Gradients whose joint norm exceeds this are scaled down to it; never where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
}

/// How the learning rate follows the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LrScale {
    /// It is for 1,024 images and scales linearly.
    #[default]
    #[serde(rename = "per-1024")]
    Per1024,
    /// It is for 256 images and scales linearly, as in VICReg's code and solo-learn.
    #[serde(rename = "per-256")]
    Per256,
    /// It is what it is, whatever the batch, as in the code of NMCE and EMP-SSL.
    None,
}

/// How a gradient g moves a weight w at learning rate lr.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Rule {
    /// `v = momentum v + (g + weight_decay w); w = w - lr v`, as `torch.optim.SGD`.
    Sgd {
        /// Share of the velocity that a step keeps, 0 to below 1.
        momentum: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as `torch.optim.AdamW`.
    AdamW {
        /// Decay of the mean of gradients.
        beta1: f64,
        /// Decay of the mean of their squares.
        beta2: f64,
    },
    /// Layer-wise adaptive rates (You et al. 2017): decay, scaling by a trust ratio of its own for
    /// each parameter, then momentum as [`Rule::Sgd`]. 1-D parameters are not scaled.
    Lars {
        /// Share of the velocity that a step keeps, 0 to below 1.
        momentum: f64,
        /// Factor of the trust ratio.
        eta: f64,
        /// Which ratio.
        trust: Trust,
        /// Whether a step looks ahead: `w = w - lr (g + momentum v)` with the decayed and scaled g, as EMP-SSL's.
        #[serde(default)]
        nesterov: bool,
        /// Whether decay moves a weight whose gradient is exactly zero. In solo-learn's code, and with it in that of NMCE
        /// and EMP-SSL, it does not.
        #[serde(default = "yes")]
        decay_at_zero: bool,
    },
}

fn yes() -> bool {
    true
}

/// How LARS scales the gradient g of a weight w with weight decay wd; 1 where a norm is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// `min(eta |w| / (|g| + wd |w|) / lr, 1)`, as for CIFAR (solo-learn, with eta 0.02).
    Clipped,
    /// `eta |w| / |g + wd w|`, as for ImageNet (VICReg's own code, with eta 0.001).
    Plain,
}

impl Rule {
    /// Every rule with its usual constants.
    pub const ALL: [Self; 3] =
        [Self::Sgd { momentum: 0.9 }, Self::AdamW { beta1: 0.9, beta2: 0.999 }, Self::LARS_CIFAR];

    /// What the field calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::AdamW { .. } => "adamw",
            Self::Lars { .. } => "lars",
        }
    }

    /// Buffers that it keeps for each parameter.
    pub fn buffers(&self) -> usize {
        match self {
            Self::Sgd { .. } | Self::Lars { .. } => 1,
            Self::AdamW { .. } => 2,
        }
    }

    /// LARS as the paper's CIFAR recipes use it.
    pub const LARS_CIFAR: Self = Self::lars(0.02, Trust::Clipped);
    /// LARS as the paper's ImageNet recipes use it.
    pub const LARS_IMAGENET: Self = Self::lars(0.001, Trust::Plain);

    const fn lars(eta: f64, trust: Trust) -> Self {
        Self::Lars { momentum: 0.9, eta, trust, nesterov: false, decay_at_zero: true }
    }
}

const ADAM_EPSILON: f64 = 1e-8;

impl OptimizerConfig {
    /// The base learning rate for a batch of `images`.
    pub fn base_lr(&self, images: usize) -> f64 {
        match self.lr_scale {
            LrScale::Per1024 => self.lr * images as f64 / 1024.0,
            LrScale::Per256 => self.lr * images as f64 / 256.0,
            LrScale::None => self.lr,
        }
    }

    /// What gradients of joint norm `norm` are multiplied by.
    fn gradient_scale(&self, norm: f64) -> f64 {
        self.clip_norm.filter(|&limit| norm > limit).map_or(1.0, |limit| limit / norm)
    }
}

/// An optimiser and its state: one or two flat buffers for each parameter.
pub struct Optimizer {
    config: OptimizerConfig,
    /// Steps taken.
    steps: u64,
    buffers: BTreeMap<ParamId, Vec<Tensor<1>>>,
}

/// Saved state: flat buffers by parameter id.
pub type OptimizerState = BTreeMap<u64, Vec<Vec<f32>>>;

impl Optimizer {
    /// A fresh optimiser.
    pub fn new(config: OptimizerConfig) -> Self {
        Self { config, steps: 0, buffers: BTreeMap::new() }
    }

    /// Moves every parameter that has a gradient by one step. `grads`, of joint norm `norm` (see [`norm_of`]),
    /// are first divided by `loss_scale`.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        grads: &Gradients,
        norm: f64,
        loss_scale: f64,
        lr: f64,
    ) -> M {
        let scale = self.config.gradient_scale(norm / loss_scale) / loss_scale;
        self.steps += 1;
        module.map(&mut Step { optimizer: self, grads, lr, scale })
    }

    /// The state to save.
    pub fn state(&self) -> OptimizerState {
        let values = |buffer: &Tensor<1>| {
            buffer.clone().into_data().convert::<f32>().try_to_vec().expect("converted to f32")
        };
        self.buffers.iter().map(|(id, buffers)| (id.val(), buffers.iter().map(values).collect())).collect()
    }

    /// Restores the state after `steps` steps on `device` (one without gradients).
    pub fn restore(&mut self, state: OptimizerState, steps: u64, device: &Device) {
        let buffer = |values: Vec<f32>| {
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), device)
        };
        let restored = state
            .into_iter()
            .map(|(id, buffers)| (ParamId::from(id), buffers.into_iter().map(buffer).collect()));
        self.buffers = restored.collect();
        self.steps = steps;
    }

    /// By how much a weight moves, given its flat value and gradient.
    /// `decay` is `None` for parameters that get neither decay nor scaling.
    fn change(
        &mut self,
        id: ParamId,
        value: Tensor<1>,
        grad: Tensor<1>,
        decay: Option<f64>,
        lr: f64,
    ) -> Tensor<1> {
        let (scaled, decay) = (decay.is_some(), decay.unwrap_or(0.0));
        let old = self.buffers.remove(&id).unwrap_or_default();
        let blend = |buffer: Option<&Tensor<1>>, new: Tensor<1>, keep: f64, add: f64| {
            let new = new.mul_scalar(add);
            buffer.map_or(new.clone(), |old| old.clone().mul_scalar(keep) + new)
        };
        let (buffers, change) = match self.config.rule {
            Rule::Sgd { momentum } => {
                let grad = grad + value.mul_scalar(decay);
                let velocity = blend(old.first(), grad, momentum, 1.0);
                (vec![velocity.clone()], velocity.mul_scalar(lr))
            }
            Rule::Lars { momentum, eta, trust, nesterov, decay_at_zero } => {
                let ratio = scaled.then(|| trust.ratio(eta, &value, &grad, decay, lr));
                let mut pull = value.mul_scalar(decay);
                if !decay_at_zero {
                    pull = pull * grad.clone().square().sum().not_equal_scalar(0.0).float();
                }
                let decayed = grad + pull;
                let grad = ratio.map_or(decayed.clone(), |ratio| decayed * ratio);
                let velocity = blend(old.first(), grad.clone(), momentum, 1.0);
                let step = match nesterov {
                    true => grad + velocity.clone().mul_scalar(momentum),
                    false => velocity.clone(),
                };
                (vec![velocity], step.mul_scalar(lr))
            }
            Rule::AdamW { beta1, beta2 } => {
                let first = blend(old.first(), grad.clone(), beta1, 1.0 - beta1);
                let second = blend(old.get(1), grad.square(), beta2, 1.0 - beta2);
                let unbias = |beta: f64| 1.0 - beta.powi(self.steps as i32);
                let root = second.clone().div_scalar(unbias(beta2)).sqrt() + ADAM_EPSILON;
                let direction = first.clone().div_scalar(unbias(beta1)) / root;
                (vec![first, second], direction.mul_scalar(lr) + value.mul_scalar(lr * decay))
            }
        };
        self.buffers.insert(id, buffers);
        change
    }
}

impl Trust {
    /// What the decayed gradient is multiplied by; computed on the device, with no readback.
    ///
    /// # Shapes
    /// - value, grad: `[n]`
    /// - output: `[1]`
    fn ratio(self, eta: f64, value: &Tensor<1>, grad: &Tensor<1>, decay: f64, lr: f64) -> Tensor<1> {
        let norm = |tensor: Tensor<1>| tensor.square().sum().sqrt();
        let value_norm = norm(value.clone());
        // The norm below the line, and the one that must not be zero.
        let (length, moving) = match self {
            Trust::Clipped => {
                let moving = norm(grad.clone());
                (moving.clone() + value_norm.clone().mul_scalar(decay), moving)
            }
            Trust::Plain => {
                let length = norm(grad.clone() + value.clone().mul_scalar(decay));
                (length.clone(), length)
            }
        };
        let zero = value_norm.clone().equal_scalar(0.0).bool_or(moving.equal_scalar(0.0));
        let ratio = value_norm.mul_scalar(eta) / length;
        let ratio = match self {
            Trust::Clipped => ratio.div_scalar(lr).clamp_max(1.0),
            Trust::Plain => ratio,
        };
        ratio.mask_fill(zero, 1.0)
    }
}

/// The joint norm of a module's gradients.
pub fn norm_of<M: Module>(module: &M, grads: &Gradients) -> f64 {
    let mut squares = SquaredNorm { grads, sum: None };
    module.visit(&mut squares);
    squares.sum.map_or(0.0, |sum| f64::from(sum.into_scalar::<f32>()).sqrt())
}

/// Adds up the squares of all gradients.
struct SquaredNorm<'a> {
    grads: &'a Gradients,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(grad) = param.val().grad(self.grads) else { return };
        let square = grad.square().sum();
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + square,
            None => square,
        });
    }
}

struct Step<'a> {
    optimizer: &'a mut Optimizer,
    grads: &'a Gradients,
    lr: f64,
    /// What gradients are multiplied by.
    scale: f64,
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        // Running statistics and frozen parameters have no gradient.
        let Some(grad) = param.val().grad(self.grads) else { return param };
        let value = param.val().inner();
        let shape = value.dims();
        let count = [shape.iter().product::<usize>()];
        let decay = (D > 1).then_some(self.optimizer.config.weight_decay);
        let grad = grad.mul_scalar(self.scale).reshape(count);
        let change = self.optimizer.change(id, value.clone().reshape(count), grad, decay, self.lr);
        let moved = value - change.reshape(shape);
        Param::initialized(id, Tensor::from_inner(moved).require_grad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::layers::Linear;

    /// What `tests/fixtures/make_optimizers.py` wrote.
    #[derive(Deserialize)]
    struct Reference {
        rule: Rule,
        weight_decay: f64,
        /// By step.
        lr: Vec<f64>,
        /// Row-major values of each parameter.
        start: BTreeMap<String, Vec<f32>>,
        gradients: Vec<BTreeMap<String, Vec<f32>>>,
        after: Vec<BTreeMap<String, Vec<f32>>>,
    }

    /// Two layers, the second of which starts at zero.
    #[derive(Module, Debug)]
    struct Toy {
        first: Linear,
        second: Linear,
    }

    fn parameter<const D: usize>(id: u64, values: &[f32], like: &Tensor<D>) -> Param<Tensor<D>> {
        let value = Tensor::from_data(TensorData::new(values.to_vec(), like.dims()), &like.device());
        Param::initialized(ParamId::from(id), value.require_grad())
    }

    fn bias(layer: &Linear) -> &Param<Tensor<1>> {
        layer.bias.as_ref().unwrap()
    }

    impl Toy {
        fn new(values: &BTreeMap<String, Vec<f32>>, device: &Device) -> Self {
            let (mut first, mut second) = (Linear::new(5, 4, device), Linear::new(4, 3, device));
            first.weight = parameter(1, &values["first.weight"], &first.weight.val());
            first.bias = Some(parameter(2, &values["first.bias"], &first.shift()));
            second.weight = parameter(3, &values["second.weight"], &second.weight.val());
            second.bias = Some(parameter(4, &values["second.bias"], &second.shift()));
            Self { first, second }
        }

        /// A loss whose gradient is `gradients`: the sum of products with the parameters.
        fn loss(&self, gradients: &BTreeMap<String, Vec<f32>>) -> Tensor<1> {
            fn product<const D: usize>(param: &Param<Tensor<D>>, gradient: &[f32]) -> Tensor<1> {
                let value = param.val();
                let data = TensorData::new(gradient.to_vec(), value.dims());
                (value.clone() * Tensor::from_data(data, &value.device())).sum()
            }
            product(&self.first.weight, &gradients["first.weight"])
                + product(bias(&self.first), &gradients["first.bias"])
                + product(&self.second.weight, &gradients["second.weight"])
                + product(bias(&self.second), &gradients["second.bias"])
        }

        fn values(&self) -> BTreeMap<String, Vec<f32>> {
            fn read<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
                param.val().into_data().try_to_vec().unwrap()
            }
            BTreeMap::from([
                ("first.weight".into(), read(&self.first.weight)),
                ("first.bias".into(), read(bias(&self.first))),
                ("second.weight".into(), read(&self.second.weight)),
                ("second.bias".into(), read(bias(&self.second))),
            ])
        }
    }

    fn distance(a: &[f32], b: &[f32]) -> f64 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
    }

    /// The bound is on the error against how far the parameter has come since the start, beside the
    /// rounding of the weights themselves: both sides keep them in float32 (6e-8 of their norm,
    /// once a step), and some ways are a thousandth of that norm.
    #[test]
    fn ten_steps_of_each_rule_agree_with_pytorch() {
        let text = include_str!("../../tests/fixtures/optimizers.json");
        let cases: Vec<Reference> = serde_json::from_str(text).unwrap();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let config = OptimizerConfig {
                rule: case.rule,
                lr: 1.0,
                lr_scale: LrScale::None,
                weight_decay: case.weight_decay,
                clip_norm: None,
            };
            let mut optimizer = Optimizer::new(config);
            let mut toy = Toy::new(&case.start, &Device::flex().autodiff());
            for (step, (gradients, after)) in case.gradients.iter().zip(&case.after).enumerate() {
                let grads = toy.loss(gradients).backward();
                let norm = norm_of(&toy, &grads);
                toy = optimizer.step(toy, &grads, norm, 1.0, case.lr[step]);
                for (name, got) in toy.values() {
                    let way = distance(&after[&name], &case.start[&name]);
                    let error = distance(&got, &after[&name]);
                    let bound = 1e-5 * way + 2e-7 * distance(&after[&name], &vec![0.0; got.len()]);
                    assert!(error <= bound, "{:?} {name} step {step}: {error} of {way}", case.rule);
                }
            }
            assert_eq!(case.gradients.len(), 10);
        }
    }

    #[test]
    fn long_gradients_are_cut_to_the_limit() {
        let rule = Rule::Sgd { momentum: 0.0 };
        let config = OptimizerConfig {
            rule,
            lr: 1.0,
            lr_scale: LrScale::None,
            weight_decay: 0.0,
            clip_norm: Some(2.0),
        };
        assert_eq!((config.gradient_scale(8.0), config.gradient_scale(1.0)), (0.25, 1.0));
    }

    #[test]
    fn the_learning_rate_follows_the_batch_as_it_is_told() {
        let base = |lr_scale| {
            let rule = Rule::LARS_CIFAR;
            let config = OptimizerConfig { rule, lr: 0.3, lr_scale, weight_decay: 0.0, clip_norm: None };
            [config.base_lr(1024), config.base_lr(512)]
        };
        assert_eq!(base(LrScale::Per1024), [0.3, 0.15]);
        assert_eq!(base(LrScale::Per256), [1.2, 0.6]);
        assert_eq!(base(LrScale::None), [0.3, 0.3]);
    }
}
