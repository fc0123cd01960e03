//! Named configurations.

use anyhow::Context;

use super::config::{Keep, ModelConfig, ProbeConfig, TrainConfig};
use super::optimizer::{OptimizerConfig, Rule};
use crate::augment::{Crop, JitterConfig, Preset, Resize, ViewConfig};
use crate::model::{BackboneConfig, Depth, Stem};
use crate::objective::Objective;
use crate::objective::vicreg::VicReg;

/// A named configuration and what to expect of it.
pub struct Recipe {
    pub name: &'static str,
    /// What the views are, in a few words.
    pub regime: &'static str,
    /// The data that it is meant for.
    pub data: &'static str,
    /// What it takes, as measured or estimated.
    pub cost: &'static str,
    pub config: TrainConfig,
}

/// All recipes.
pub fn all() -> Vec<Recipe> {
    vec![
        Recipe {
            name: "quick-parts",
            regime: "fixed-size 32x32 patches, 8 views",
            data: "demo",
            cost: "half a million views, about half an hour on 2 cores; makes the built-in demo model",
            config: TrainConfig {
                checkpoint_every: 128,
                epochs: 14,
                optimizer: adamw(0.048),
                objective: Objective::VicReg(VicReg { covariance: 5.0, ..VicReg::default() }),
                ..quick(8, 64, 128, jittered(patch(32)))
            },
        },
        Recipe {
            name: "quick-cifar10-vicreg-patch14",
            regime: "fixed-size 14x14 patches, 2 views",
            data: "cifar10",
            cost: "20,000 views an epoch with --set images=10000, about a minute on 2 cores",
            config: quick(2, 256, 64, patch(14)),
        },
    ]
}

/// The recipe of that name.
pub fn find(name: &str) -> anyhow::Result<Recipe> {
    let recipes = all();
    let names = recipes.iter().map(|recipe| recipe.name).collect::<Vec<_>>().join(", ");
    recipes
        .into_iter()
        .find(|recipe| recipe.name == name)
        .with_context(|| format!("there is no recipe \"{name}\"; there are {names}"))
}

/// BagSSL with VICReg on fixed-size patches in a ResNet-18 of a quarter of the width, at 16x16
/// input: what a laptop finishes.
fn quick(views: usize, batch: usize, z_width: usize, view: ViewConfig) -> TrainConfig {
    TrainConfig {
        seed: 0,
        epochs: 10,
        warmup_epochs: 0.5,
        batch,
        accumulate: 1,
        images: None,
        checkpoint_every: 100,
        model: ModelConfig {
            backbone: BackboneConfig { depth: Depth::ResNet18, stem: Stem::Cifar { padding: 1 }, width: 16 },
            projector: vec![512, z_width],
            input: INPUT,
            resize: Resize::Bilinear,
        },
        objective: Objective::VicReg(VicReg::default()),
        optimizer: OptimizerConfig {
            rule: Rule::Sgd { momentum: 0.9 },
            lr: 0.2,
            weight_decay: 1e-4,
            clip_norm: Some(5.0),
        },
        keep: Keep::default(),
        probe: ProbeConfig::default(),
        views: vec![view; views],
    }
}

/// Side of the network's input in quick recipes, pixels.
const INPUT: u32 = 16;

/// Square patches with BYOL's colours; the blur is left out, as patches of a few pixels have
/// little to lose.
fn patch(size: u32) -> ViewConfig {
    ViewConfig::preset(Preset::Quick, Crop::Fixed { size }, Resize::Bilinear, INPUT)
}

/// Colours that change a little more often and in saturation as much as in brightness: the scenes
/// of the synthetic set differ most in their light.
fn jittered(view: ViewConfig) -> ViewConfig {
    let jitter = JitterConfig { p: 0.9, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };
    ViewConfig { jitter, ..view }
}

/// AdamW at a learning rate for a batch of 1024.
fn adamw(lr: f64) -> OptimizerConfig {
    let rule = Rule::AdamW { beta1: 0.9, beta2: 0.999 };
    OptimizerConfig { rule, lr, weight_decay: 1e-4, clip_norm: Some(5.0) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_recipe_is_valid() {
        for recipe in super::all() {
            recipe.config.validate().unwrap();
        }
        assert!(super::find("nope").err().unwrap().to_string().contains("quick-parts"));
    }
}
