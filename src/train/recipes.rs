//! Named configurations: those of the paper's tables, generated from one table of hyper-parameters
//! each, and quick ones that a laptop finishes.

use anyhow::Context;

use super::config::{Keep, ModelConfig, ProbeConfig, TrainConfig};
use super::gradients::BatchStatistics;
use super::normalization::NormalizationChoice;
use super::optimizer::{LrScale, OptimizerConfig, Rule};
use super::paper;
use super::precision::Precision;
use super::recipe::Recipe;
use super::released;
use super::schedule::ScheduleConfig;
use crate::augment::{Crop, JitterConfig, Preset, Resize, ViewConfig};
use crate::dataset::parts;
use crate::model::{BackboneConfig, Depth, Stem};
use crate::objective::{Byol, MultiPatch, Objective, SimClr, Tcr, VicReg};

/// All recipes: the quick ones, those of the paper, those of released code.
pub fn all() -> Vec<Recipe> {
    let mut recipes = quick_recipes();
    recipes.extend(paper::recipes());
    recipes.extend(released::recipes());
    recipes
}

fn quick_recipes() -> Vec<Recipe> {
    let mut recipes = vec![Recipe {
        name: "quick-parts".into(),
        regime: "fixed-size 20x20 patches, 8 views".into(),
        data: parts::WORD,
        purpose: "makes the built-in demo model".into(),
        cost: "a million views, six to twenty minutes on 2 cores".into(),
        config: TrainConfig {
            checkpoint_every: 128,
            epochs: 30,
            optimizer: adamw(0.048),
            objective: Objective::VicReg(VicReg { covariance: 5.0, ..VicReg::default() }),
            ..quick(8, 64, 128, repainted(patch(20)))
        },
    }];
    let methods = [
        Objective::VicReg(VicReg::default()),
        Objective::SimClr(SimClr::default()),
        Objective::Tcr(Tcr::default()),
        // A predictor as narrow as the rest.
        Objective::Byol(Byol { hidden: 512, ..Byol::default() }),
    ];
    recipes.extend(methods.map(|objective| Recipe {
        name: format!("quick-cifar10-{}-patch14", objective.name()),
        regime: "fixed-size 14x14 patches, 2 views".into(),
        data: "cifar10",
        purpose: "a first look at the method on real images".into(),
        cost: "20,000 views an epoch with --set images=10000, four to ten seconds on 2 cores".into(),
        config: TrainConfig { objective, ..quick(2, 256, 64, patch(14)) },
    }));
    recipes.push(Recipe {
        name: "quick-cifar10-multipatch16".into(),
        regime: "fixed-size 16x16 patches, 8 views".into(),
        data: "cifar10",
        purpose: "many patches of an image at once (EMP-SSL's form): the most per epoch".into(),
        cost: "80,000 views an epoch with --set images=10000, a minute and a half on 2 cores".into(),
        config: TrainConfig {
            epochs: 3,
            objective: Objective::MultiPatch(MultiPatch::default()),
            optimizer: adamw(0.048),
            ..quick(8, 64, 128, jittered(patch(16)))
        },
    });
    recipes.extend(own_images());
    recipes
}

/// For image folders of one's own, by the size of the images.
fn own_images() -> [Recipe; 3] {
    let recipe = |size: u32, input: u32, data: &'static str, cost: &str| Recipe {
        name: format!("quick-vicreg-patch{size}"),
        regime: format!("fixed-size {size}x{size} patches, 2 views"),
        data,
        purpose: "a first look at images of one's own".into(),
        cost: cost.into(),
        config: {
            let view = ViewConfig::preset(Preset::Quick, Crop::Fixed { size }, Resize::Bilinear, input);
            let config = quick(2, 256, 64, view);
            TrainConfig { model: ModelConfig { input, ..config.model.clone() }, ..config }
        },
    };
    let same = "two views an image and epoch, as fast as quick-cifar10-vicreg-patch14 but for decoding";
    let more = "two views an image and epoch, four times the multiply-adds of quick-cifar10-vicreg-patch14";
    [
        recipe(20, INPUT, "images of 40 pixels and more", same),
        recipe(28, 2 * INPUT, "images of 64 pixels and more", more),
        recipe(64, 2 * INPUT, "images of 160 pixels and more", more),
    ]
}

/// The recipe of that name.
pub fn find(name: &str) -> anyhow::Result<Recipe> {
    let recipes = all();
    let names = recipes.iter().map(|recipe| recipe.name.as_str()).collect::<Vec<_>>().join(", ");
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
        schedule: ScheduleConfig::default(),
        batch,
        accumulate: 1,
        batch_statistics: BatchStatistics::Each,
        precision: Precision::Full,
        images: None,
        images_order: None,
        holdout: None,
        checkpoint_every: 100,
        model: ModelConfig {
            backbone: BackboneConfig::new(Depth::ResNet18, Stem::Cifar { padding: 1 }, 16),
            projector: vec![512, z_width],
            input: INPUT,
            resize: Resize::Bilinear,
            normalization: NormalizationChoice::Data,
            zero_init: false,
            projector_bias: true,
        },
        objective: Objective::VicReg(VicReg::default()),
        optimizer: OptimizerConfig {
            rule: Rule::Sgd { momentum: 0.9 },
            lr: 0.2,
            lr_scale: LrScale::Per1024,
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

/// Colours that always change, and far: the scenes of the synthetic set differ most in their light,
/// and share palettes by which a network would find copies rather than parts.
fn repainted(view: ViewConfig) -> ViewConfig {
    let jitter = JitterConfig { p: 1.0, brightness: 0.6, contrast: 0.6, saturation: 0.6, hue: 0.2 };
    ViewConfig { jitter, grey: 0.3, ..view }
}

/// Colours that change a little more often than BYOL's, and in saturation as much as in brightness.
fn jittered(view: ViewConfig) -> ViewConfig {
    let jitter = JitterConfig { p: 0.9, brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };
    ViewConfig { jitter, ..view }
}

/// AdamW at a learning rate for a batch of 1024.
fn adamw(lr: f64) -> OptimizerConfig {
    let rule = Rule::AdamW { beta1: 0.9, beta2: 0.999 };
    OptimizerConfig { rule, lr, lr_scale: LrScale::Per1024, weight_decay: 1e-4, clip_norm: Some(5.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_valid_named_once_and_survives_toml() {
        let recipes = all();
        let names: std::collections::BTreeSet<&str> = recipes.iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names.len(), recipes.len());
        for recipe in &recipes {
            recipe.config.validate().unwrap_or_else(|error| panic!("{}: {error:#}", recipe.name));
            let text = recipe.config.to_toml().unwrap();
            assert_eq!(TrainConfig::from_toml(&text).unwrap(), recipe.config, "{}", recipe.name);
        }
        assert!(find("nope").err().unwrap().to_string().contains("quick-parts"));
    }
}
