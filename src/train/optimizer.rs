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
    pub rule: Rule,
    /// Learning rate at the end of the warm-up, for a batch of 1024 images; it scales linearly
    /// with the batch.
    pub lr: f64,
    /// 1-D parameters (biases, batch norm) get none.
    pub weight_decay: f64,
    /// Gradients whose joint norm exceeds this are scaled down to it; never where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
}

/// How a gradient g moves a weight w at learning rate lr.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Rule {
    /// `v = momentum v + (g + weight_decay w); w = w - lr v`, as `torch.optim.SGD`.
    Sgd { momentum: f64 },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019), as `torch.optim.AdamW`.
    AdamW { beta1: f64, beta2: f64 },
}

const ADAM_EPSILON: f64 = 1e-8;

impl OptimizerConfig {
    /// The base learning rate for a batch of `images`.
    pub fn base_lr(&self, images: usize) -> f64 {
        self.lr * images as f64 / 1024.0
    }

    /// Checks ranges. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        let Self { lr, weight_decay, clip_norm, .. } = *self;
        anyhow::ensure!(lr.is_finite() && lr > 0.0, "optimizer.lr is {lr}; expected more than 0");
        anyhow::ensure!(
            weight_decay.is_finite() && weight_decay >= 0.0,
            "optimizer.weight_decay is {weight_decay}; expected 0 or more"
        );
        let clips = clip_norm.is_none_or(|norm| norm.is_finite() && norm > 0.0);
        anyhow::ensure!(clips, "optimizer.clip_norm is {clip_norm:?}; expected more than 0, or nothing");
        let shares = match self.rule {
            Rule::Sgd { momentum } => vec![("momentum", momentum)],
            Rule::AdamW { beta1, beta2 } => vec![("beta1", beta1), ("beta2", beta2)],
        };
        for (name, value) in shares {
            let inside = (0.0..1.0).contains(&value);
            anyhow::ensure!(inside, "optimizer.rule.{name} is {value}; expected 0 to below 1");
        }
        Ok(())
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

    /// Moves every parameter that has a gradient by one step. Also returns the joint norm of the
    /// gradients, before any clipping.
    ///
    /// # Errors
    /// Gradients that are not finite; nothing has moved then.
    pub fn step<M: Module>(&mut self, module: M, grads: &Gradients, lr: f64) -> anyhow::Result<(M, f64)> {
        let mut squares = SquaredNorm { grads, sum: None };
        module.visit(&mut squares);
        let norm = squares.sum.map_or(0.0, |sum| f64::from(sum.into_scalar::<f32>()).sqrt());
        anyhow::ensure!(norm.is_finite(), "the joint norm of the gradients is {norm}");
        let scale = self.config.gradient_scale(norm);
        self.steps += 1;
        Ok((module.map(&mut Step { optimizer: self, grads, lr, scale }), norm))
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
    fn change(&mut self, id: ParamId, value: Tensor<1>, grad: Tensor<1>, decay: f64, lr: f64) -> Tensor<1> {
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
        let decay = if D > 1 { self.optimizer.config.weight_decay } else { 0.0 };
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

    /// Three steps of each rule on a linear layer against the formulas in plain float64.
    #[test]
    fn steps_agree_with_the_formulas() {
        for rule in [Rule::Sgd { momentum: 0.9 }, Rule::AdamW { beta1: 0.9, beta2: 0.999 }] {
            let device = Device::flex().autodiff();
            let mut layer = Linear::new(1, 1, &device);
            let start = Tensor::<2>::from_floats([[0.5]], &device).require_grad();
            layer.weight = Param::initialized(ParamId::from(1), start);
            let config = OptimizerConfig { rule, lr: 1.0, weight_decay: 0.1, clip_norm: None };
            let mut optimizer = Optimizer::new(config);
            let (mut w, mut m, mut v) = (0.5_f64, 0.0, 0.0);
            for step in 1..=3 {
                let x = Tensor::<2>::from_floats([[2.0]], &device);
                let grads = layer.forward(x).square().sum().backward(); // d/dw (2w)^2 = 8w
                layer = optimizer.step(layer, &grads, 0.05).unwrap().0;
                let g = 8.0 * w;
                match rule {
                    Rule::Sgd { momentum } => {
                        m = momentum * m + g + 0.1 * w;
                        w -= 0.05 * m;
                    }
                    Rule::AdamW { beta1, beta2 } => {
                        m = beta1 * m + (1.0 - beta1) * g;
                        v = beta2 * v + (1.0 - beta2) * g * g;
                        let (mean, var) = (m / (1.0 - beta1.powi(step)), v / (1.0 - beta2.powi(step)));
                        w -= 0.05 * (mean / (var.sqrt() + ADAM_EPSILON) + 0.1 * w);
                    }
                }
                // The bias starts at 0 and moves too; take it out of the gradient's way.
                layer.bias = Param::initialized(layer.bias.id, Tensor::zeros([1], &device).require_grad());
                let got = f64::from(layer.weight.val().into_data().try_to_vec::<f32>().unwrap()[0]);
                assert!((got - w).abs() < 1e-6, "{rule:?} step {step}: {got} against {w}");
            }
        }
    }

    #[test]
    fn long_gradients_are_cut_to_the_limit() {
        let rule = Rule::Sgd { momentum: 0.0 };
        let config = OptimizerConfig { rule, lr: 1.0, weight_decay: 0.0, clip_norm: Some(2.0) };
        assert_eq!((config.gradient_scale(8.0), config.gradient_scale(1.0)), (0.25, 1.0));
    }
}
