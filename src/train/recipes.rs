//! Named configurations.

use anyhow::Context;

use super::config::{ModelConfig, TrainConfig};
use super::optimizer::OptimizerConfig;
use crate::augment::{Crop, Preset, Resize, ViewConfig};
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
            regime: "fixed-size 16x16 patches, 2 views",
            data: "demo",
            cost: "about half an hour on 2 cores; makes the built-in demo model",
            config: quick(16, 60, 4),
        },
        Recipe {
            name: "quick-cifar10-vicreg-patch14",
            regime: "fixed-size 14x14 patches, 2 views",
            data: "cifar10",
            cost: "minutes on 2 cores with --set images=10000",
            config: quick(14, 10, 4),
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

/// BagSSL with VICReg on fixed-size patches, two per image, in a ResNet-18 of a quarter of the
/// width: what a laptop finishes. The blur is left out, as patches of a few pixels have little to lose.
fn quick(patch: u32, epochs: u64, width_divisor: usize) -> TrainConfig {
    let view = ViewConfig::preset(Preset::Quick, Crop::Fixed { size: patch }, Resize::Bilinear, 32);
    TrainConfig {
        seed: 0,
        epochs,
        warmup_epochs: 1.0,
        batch: 256,
        images: None,
        checkpoint_every: 100,
        model: ModelConfig {
            backbone: BackboneConfig {
                depth: Depth::ResNet18,
                stem: Stem::Cifar { padding: 1 },
                width: 64 / width_divisor,
            },
            projector: vec![512, 64],
            input: 32,
            resize: Resize::Bilinear,
        },
        objective: Objective::VicReg(VicReg::default()),
        optimizer: OptimizerConfig::Sgd { lr: 0.6, momentum: 0.9, weight_decay: 1e-4, clip_norm: Some(5.0) },
        views: vec![view.clone(), view],
    }
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
