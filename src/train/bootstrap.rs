//! What BYOL trains besides the encoder: a predictor, and a target that follows the encoder.

use anyhow::{Context, ensure};
use burn::module::Module;
use burn::tensor::Device;

use crate::model::weights::{self, Array, Weights};
use crate::model::{Encoder, Predictor, momentum};
use crate::objective::Byol;
use crate::words::name_list;

const TARGET_PREFIX: &str = "target.";

/// The predictor, on a device with gradients, and the momentum encoder, on one without.
pub struct Bootstrap {
    byol: Byol,
    /// Maps the online branch's z to the target's.
    pub predictor: Predictor,
    /// The momentum encoder, which no gradient moves.
    pub target: Encoder,
}

impl Bootstrap {
    /// A fresh predictor, and a target that equals the encoder.
    pub fn new(byol: &Byol, z_width: usize, encoder: &Encoder, seed: u64, device: &Device) -> Self {
        let predictor = Predictor::new(z_width, byol.hidden, seed, device).train();
        Self { byol: byol.clone(), predictor, target: encoder.valid() }
    }

    /// Puts back what [`Bootstrap::weights`] gave.
    pub fn restore(mut self, saved: Weights) -> anyhow::Result<Self> {
        let is_target = |(name, _): &(String, Array)| name.starts_with(TARGET_PREFIX);
        let (target, predictor): (Vec<_>, Vec<_>) = saved.into_iter().partition(is_target);
        let bare = |(name, array): (String, Array)| (name[TARGET_PREFIX.len()..].to_string(), array);
        self.predictor = set(self.predictor, predictor.into_iter().collect()).context("the predictor")?;
        self.target = set(self.target, target.into_iter().map(bare).collect()).context("the target")?;
        Ok(self)
    }

    /// All weights by name: `predictor.0.weight`, ..., `target.conv1.weight`, ...
    pub fn weights(&self) -> Weights {
        let target = weights::collect(&self.target);
        let target = target.into_iter().map(|(name, array)| (format!("{TARGET_PREFIX}{name}"), array));
        weights::collect(&self.predictor).into_iter().chain(target).collect()
    }

    /// Moves the target towards the encoder, after `step` (from 0) of `total`.
    pub fn follow(&mut self, encoder: &Encoder, step: u64, total: u64) {
        let momentum = self.byol.momentum_at(step, total);
        self.target = momentum::follow(self.target.clone(), encoder, momentum);
    }
}

/// Sets all weights of a module.
fn set<M: Module>(module: M, weights: Weights) -> anyhow::Result<M> {
    let (module, mismatch) = weights::assign(module, weights)?;
    ensure!(mismatch.missing.is_empty(), "weights are missing: {}", name_list(&mismatch.missing));
    ensure!(mismatch.unexpected.is_empty(), "unknown weights: {}", name_list(&mismatch.unexpected));
    Ok(module)
}
