//! What decides a training run. One struct serves the TOML file, the flags and the recipes.

use serde::{Deserialize, Serialize};

use super::gradients::BatchStatistics;
use super::normalization::NormalizationChoice;
use super::optimizer::OptimizerConfig;
use super::precision::Precision;
use super::schedule::ScheduleConfig;
use crate::augment::{Resize, ViewConfig};
use crate::model::BackboneConfig;
use crate::objective::Objective;

/// Everything that decides a run, besides the data. Saved with the run as `config.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of the weights, the order of images and every augmentation.
    pub seed: u64,
    /// Passes over the data set.
    pub epochs: u64,
    /// Passes during which the learning rate rises linearly.
    pub warmup_epochs: f64,
    /// Images in a batch; each gives one patch per view.
    pub batch: usize,
    /// Micro-batches that a batch is cut into, to need less memory (see [`super::gradients`]).
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Over which views batch normalisation looks.
    #[serde(default)]
    pub batch_statistics: BatchStatistics,
    /// In which numbers the network computes.
    #[serde(default)]
    pub precision: Precision,
    /// Use only so many images; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Which ones. A new run notes [`ImagesOrder::Spread`] where absent; runs that lack it had the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_order: Option<ImagesOrder>,
    /// Keep this share of each class from training, drawn by the seed ([`dataset::divided`](crate::dataset::divided)),
    /// for what looks at the run: of data with one split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdout: Option<f64>,
    /// Steps between checkpoints; one is also written at the start and at the end.
    pub checkpoint_every: u64,
    /// The network.
    pub model: ModelConfig,
    /// The loss.
    pub objective: Objective,
    /// The ends of the learning rate's way.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// How gradients move the weights.
    pub optimizer: OptimizerConfig,
    /// Which checkpoints stay.
    #[serde(default)]
    pub keep: Keep,
    /// How the model is measured on held-out images.
    #[serde(default)]
    pub probe: ProbeConfig,
    /// How each view of an image is made; two or more.
    pub views: Vec<ViewConfig>,
}

/// The network to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// From a patch to h.
    pub backbone: BackboneConfig,
    /// Output widths of the projector's layers; the last is that of z.
    pub projector: Vec<usize>,
    /// Side of the network's input, pixels.
    pub input: u32,
    /// How a crop is brought to that side.
    pub resize: Resize,
    /// What is subtracted from pixels, and what they are divided by.
    #[serde(default)]
    pub normalization: NormalizationChoice,
    /// Whether the last normalisation of each residual block starts at 0, so that blocks start as their shortcuts.
    #[serde(default)]
    pub zero_init: bool,
    /// Whether the projector's last layer has a bias.
    #[serde(default = "yes")]
    pub projector_bias: bool,
}

/// Which images a run uses where it does not use all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImagesOrder {
    /// Spread over the data set and its classes: those of [`spread`](crate::dataset::spread), seed 0.
    Spread,
    /// The first of the data set.
    First,
}

/// Which checkpoints stay. The newest and that of step 0 always do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// The newest so many; 0 keeps all.
    pub last: usize,
    /// Besides, those whose step is a multiple of this; 0 for none.
    pub every: u64,
}

impl Keep {
    /// Which of `steps`, sorted upwards, may go.
    pub fn expendable(&self, steps: &[u64]) -> Vec<u64> {
        let newest = if self.last == 0 { steps.len() } else { self.last };
        let old = &steps[..steps.len().saturating_sub(newest)];
        let stays = |step: &u64| *step == 0 || (self.every > 0 && step.is_multiple_of(self.every));
        old.iter().copied().filter(|step| !stays(step)).collect()
    }
}

/// How the model is looked at while it trains: on fixed patches of images that it is not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// Steps between probes; 0 for none. Checkpoints come with the probe's vectors in any case.
    pub every: u64,
    /// Held-out images whose patches (16 of each) are embedded with every probe.
    pub images: usize,
    /// Labelled images that the online kNN classifier knows; 0 leaves it out.
    pub known: usize,
    /// Held-out images that it is asked about.
    pub asked: usize,
    /// Patches of an image whose embeddings are averaged; fixed-size patches only, crops of many
    /// sizes are answered by the whole image.
    pub patches: usize,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self { every: 100, images: 32, known: 1000, asked: 500, patches: 4 }
    }
}

impl TrainConfig {
    /// The same as TOML.
    pub fn to_toml(&self) -> anyhow::Result<String> {
        Ok(toml::to_string_pretty(self)?)
    }

    /// Optimisation steps of one pass over `images` images; the last, incomplete batch is left out.
    pub fn steps_per_epoch(&self, images: usize) -> u64 {
        (images / self.batch) as u64
    }
}

fn one() -> usize {
    1
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_policy_keeps_the_first_the_last_and_every_nth_checkpoint() {
        let steps = [0, 100, 200, 300, 400, 450];
        let keep = |last, every| super::Keep { last, every }.expendable(&steps);
        assert!(keep(0, 0).is_empty());
        assert_eq!(keep(1, 0), [100, 200, 300, 400]);
        assert_eq!(keep(2, 200), [100, 300]);
        assert!(keep(9, 0).is_empty());
    }
}
