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
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum OptimizerConfig {
    /// `v = momentum v + (g + weight_decay w); w = w - lr v`, as `torch.optim.SGD`.
    /// 1-D parameters (biases, batch norm) get no decay.
    Sgd {
        /// Learning rate at the end of the warm-up, for a batch of 1024 images; it scales
        /// linearly with the batch.
        lr: f64,
        momentum: f64,
        weight_decay: f64,
        /// Gradients whose joint norm exceeds this are scaled down to it; never where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clip_norm: Option<f64>,
    },
}

impl OptimizerConfig {
    /// The base learning rate for a batch of `images`.
    pub fn base_lr(&self, images: usize) -> f64 {
        let OptimizerConfig::Sgd { lr, .. } = self;
        lr * images as f64 / 1024.0
    }

    /// Checks ranges. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        let OptimizerConfig::Sgd { lr, momentum, weight_decay, clip_norm } = *self;
        anyhow::ensure!(lr.is_finite() && lr > 0.0, "optimizer.lr is {lr}; expected more than 0");
        anyhow::ensure!((0.0..1.0).contains(&momentum), "optimizer.momentum is {momentum}; expected 0 to below 1");
        anyhow::ensure!(
            weight_decay.is_finite() && weight_decay >= 0.0,
            "optimizer.weight_decay is {weight_decay}; expected 0 or more"
        );
        let clips = clip_norm.is_none_or(|norm| norm.is_finite() && norm > 0.0);
        anyhow::ensure!(clips, "optimizer.clip_norm is {clip_norm:?}; expected more than 0, or nothing");
        Ok(())
    }

    /// What gradients of joint norm `norm` are multiplied by.
    fn gradient_scale(&self, norm: f64) -> f64 {
        let OptimizerConfig::Sgd { clip_norm, .. } = *self;
        clip_norm.filter(|&limit| norm > limit).map_or(1.0, |limit| limit / norm)
    }
}

/// An optimiser and its state, one momentum buffer for each parameter.
pub struct Optimizer {
    config: OptimizerConfig,
    momenta: BTreeMap<ParamId, Tensor<1>>,
}

/// Saved state: flat momentum values by parameter id.
pub type OptimizerState = BTreeMap<u64, Vec<f32>>;

impl Optimizer {
    /// A fresh optimiser.
    pub fn new(config: OptimizerConfig) -> Self {
        Self { config, momenta: BTreeMap::new() }
    }

    /// Moves every parameter that has a gradient by one step. Also returns the joint norm of the
    /// gradients, before any clipping.
    pub fn step<M: Module>(&mut self, module: M, grads: &Gradients, lr: f64) -> (M, f64) {
        let mut squares = SquaredNorm { grads, sum: None };
        module.visit(&mut squares);
        let norm = squares.sum.map_or(0.0, |sum| f64::from(sum.into_scalar::<f32>()).sqrt());
        let scale = self.config.gradient_scale(norm);
        (module.map(&mut Step { optimizer: self, grads, lr, scale }), norm)
    }

    /// The state to save.
    pub fn state(&self) -> OptimizerState {
        let values = |buffer: &Tensor<1>| {
            buffer.clone().into_data().convert::<f32>().try_to_vec().expect("converted to f32")
        };
        self.momenta.iter().map(|(id, buffer)| (id.val(), values(buffer))).collect()
    }

    /// Restores a saved state on `device` (one without gradients).
    pub fn restore(&mut self, state: OptimizerState, device: &Device) {
        let buffer = |values: Vec<f32>| {
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), device)
        };
        self.momenta = state.into_iter().map(|(id, values)| (ParamId::from(id), buffer(values))).collect();
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
        let OptimizerConfig::Sgd { momentum, weight_decay, .. } = self.optimizer.config;
        let value = param.val().inner();
        let shape = value.dims();
        let decay = if D > 1 { weight_decay } else { 0.0 };
        let count = shape.iter().product::<usize>();
        let mut velocity = (grad.mul_scalar(self.scale) + value.clone().mul_scalar(decay)).reshape([count]);
        if let Some(old) = self.optimizer.momenta.remove(&id) {
            velocity = velocity + old.mul_scalar(momentum);
        }
        self.optimizer.momenta.insert(id, velocity.clone());
        let moved = value - velocity.mul_scalar(self.lr).reshape(shape);
        Param::initialized(id, Tensor::from_inner(moved).require_grad())
    }
}
