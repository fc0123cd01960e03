//! Recipes that follow released training code convention by convention, where it differs from what the paper's recipes
//! settle: NMCE (TCR), EMP-SSL, VICReg. `tests/peer/released.py` compares optimiser, schedule and loss with that code.

use super::config::{Keep, ModelConfig, ProbeConfig, TrainConfig};
use super::gradients::BatchStatistics;
use super::normalization::NormalizationChoice;
use super::optimizer::{LrScale, OptimizerConfig, Rule, Trust};
use super::precision::Precision;
use super::recipe::Recipe;
use super::schedule::{CosineStart, LrChange, ScheduleConfig, WarmupStart};
use crate::augment::{BlurConfig, Crop, Preset, Resize, ViewConfig};
use crate::model::{BackboneConfig, Depth, Stem};
use crate::objective::{MultiPatch, Objective, Tcr, VicReg};

/// All of them.
pub fn recipes() -> [Recipe; 3] {
    [nmce(), emp_ssl(), vicreg()]
}

/// What the three have in common.
fn common(model: ModelConfig, objective: Objective, optimizer: OptimizerConfig) -> TrainConfig {
    TrainConfig {
        seed: 0,
        epochs: 0,
        warmup_epochs: 0.0,
        batch: 0,
        accumulate: 1,
        batch_statistics: BatchStatistics::Each,
        precision: Precision::Full,
        images: None,
        images_order: None,
        holdout: None,
        checkpoint_every: 500,
        model,
        objective,
        schedule: ScheduleConfig::default(),
        optimizer,
        keep: Keep { last: 3, every: 0 },
        probe: ProbeConfig { every: 500, ..ProbeConfig::default() },
        views: vec![],
    }
}

fn cifar(projector: &[usize], normalization: NormalizationChoice) -> ModelConfig {
    ModelConfig {
        backbone: BackboneConfig::new(Depth::ResNet18, Stem::Cifar { padding: 1 }, 64),
        projector: projector.to_vec(),
        input: 32,
        resize: Resize::Bilinear,
        normalization,
        zero_init: false,
        projector_bias: true,
    }
}

/// LARS of solo-learn, as NMCE and EMP-SSL copied it, at a learning rate that is not scaled.
fn lars_of_solo(eta: f64, nesterov: bool) -> OptimizerConfig {
    let rule = Rule::Lars { momentum: 0.9, eta, trust: Trust::Clipped, nesterov, decay_at_zero: false };
    OptimizerConfig { rule, lr: 0.3, lr_scale: LrScale::None, weight_decay: 1e-4, clip_norm: None }
}

/// A view with Pillow's blur.
fn whole_blur(view: ViewConfig) -> ViewConfig {
    ViewConfig { blur: BlurConfig { whole: true, ..view.blur }, ..view }
}

/// `train_selfsup.py` with the arguments of its README for TCR on CIFAR-10.
fn nmce() -> Recipe {
    let model = cifar(&[4096, 128], NormalizationChoice::Nmce);
    let objective = Objective::Tcr(Tcr { eps: 0.2, lambda: 30.0 });
    let view = ViewConfig::preset(Preset::Simclr, Crop::Scale { min: 0.08, max: 1.0 }, Resize::Bilinear, 32);
    let config = TrainConfig {
        epochs: 600,
        warmup_epochs: 10.0,
        batch: 1024,
        batch_statistics: BatchStatistics::Joint,
        schedule: ScheduleConfig {
            cosine: CosineStart::Run,
            every: LrChange::Epoch,
            ..ScheduleConfig::default()
        },
        views: vec![view; 2],
        ..common(model, objective, lars_of_solo(0.02, false))
    };
    Recipe {
        name: "nmce-cifar10".into(),
        regime: "crops of 0.08 to 1 of the area, 2 views".into(),
        data: "cifar10",
        purpose: "TCR as the released code of NMCE trains it".into(),
        cost: "60 million views of ResNet-18; needs a GPU".into(),
        config,
    }
}

/// `main.py` with 20 patches of an image, as its README has it.
fn emp_ssl() -> Recipe {
    let model = cifar(&[4096, 4096, 1024], NormalizationChoice::Half);
    let objective = Objective::MultiPatch(MultiPatch { weight: 200.0, eps: 0.2 });
    // A quarter of the area at aspect 1: 16 x 16 of 32 x 32.
    let view = ViewConfig::preset(Preset::Emp, Crop::Fixed { size: 16 }, Resize::Bilinear, 32);
    let config = TrainConfig {
        epochs: 30,
        batch: 100,
        batch_statistics: BatchStatistics::Joint,
        views: vec![whole_blur(view); 20],
        ..common(model, objective, lars_of_solo(0.005, true))
    };
    Recipe {
        name: "emp-ssl-cifar10".into(),
        regime: "fixed-size 16x16 patches, 20 views".into(),
        data: "cifar10",
        purpose: "multi-patch training as the released code of EMP-SSL does it".into(),
        cost: "a million views an epoch of ResNet-18; needs a GPU".into(),
        config,
    }
}

/// `main_vicreg.py` with the arguments that it has by default.
fn vicreg() -> Recipe {
    let model = ModelConfig {
        backbone: BackboneConfig::new(Depth::ResNet50, Stem::ImageNet, 64),
        projector: vec![8192; 3],
        input: 224,
        resize: Resize::Bicubic,
        normalization: NormalizationChoice::Data,
        zero_init: true,
        projector_bias: false,
    };
    let objective = Objective::VicReg(VicReg { invariance: 25.0, variance: 25.0, covariance: 1.0 });
    let optimizer = OptimizerConfig {
        rule: Rule::LARS_IMAGENET,
        lr: 0.2,
        lr_scale: LrScale::Per256,
        weight_decay: 1e-6,
        clip_norm: None,
    };
    let view = |preset| {
        let crop = Crop::Scale { min: 0.08, max: 1.0 };
        whole_blur(ViewConfig::preset(preset, crop, Resize::Bicubic, 224))
    };
    let config = TrainConfig {
        epochs: 100,
        warmup_epochs: 10.0,
        batch: 2048,
        accumulate: 16,
        schedule: ScheduleConfig { start: WarmupStart::Zero, end: 0.001, ..ScheduleConfig::default() },
        views: vec![view(Preset::ByolView1), view(Preset::ByolView2)],
        ..common(model, objective, optimizer)
    };
    Recipe {
        name: "vicreg-imagenet".into(),
        regime: "crops of 0.08 to 1 of the area, 2 views".into(),
        data: "imagenet",
        purpose: "VICReg as its released code trains it, but for batch statistics over 128 images".into(),
        cost: "256 million views of ResNet-50; needs a large GPU".into(),
        config,
    }
}
