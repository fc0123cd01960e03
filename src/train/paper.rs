//! The paper's recipes: Tables 1 to 3 and the ImageNet run, every method in both regimes, generated
//! from one row of hyper-parameters for each data set.

use super::config::{Keep, ModelConfig, ProbeConfig, TrainConfig};
use super::gradients::BatchStatistics;
use super::normalization::NormalizationChoice;
use super::optimizer::{LrScale, OptimizerConfig, Rule};
use super::precision::Precision;
use super::recipe::Recipe;
use super::schedule::ScheduleConfig;
use crate::augment::{Crop, Preset, Resize, ViewConfig};
use crate::model::{BackboneConfig, Depth, Stem};
use crate::objective::{Byol, Objective, SimClr, Tcr, VicReg};
use crate::words::thousands;

/// The hyper-parameters of one data set (appendix C).
struct PaperTable {
    /// First part of the recipes' names, and what `--data` is meant to be.
    data: &'static str,
    /// Where the numbers stand.
    place: &'static str,
    /// Training images.
    images: u64,
    methods: &'static [ObjectiveOfTable],
    depth: Depth,
    stem: Stem,
    /// Side of the network's input, pixels.
    input: u32,
    resize: Resize,
    /// Side of the fixed-size patches, pixels.
    patch: u32,
    epochs: u64,
    lr: f64,
    weight_decay: f64,
    tcr_lambda: f64,
    projector: &'static [usize],
    rule: Rule,
    /// Multiply-adds of one view forward, from the shapes of the layers; in billions.
    giga_macs: f64,
}

/// An objective with the constants of a table.
type ObjectiveOfTable = fn(&PaperTable) -> Objective;

const SIMCLR: ObjectiveOfTable = |_| Objective::SimClr(SimClr { temperature: 0.1 });
const TCR: ObjectiveOfTable = |table| Objective::Tcr(Tcr { eps: 0.2, lambda: table.tcr_lambda });
const VICREG: ObjectiveOfTable =
    |_| Objective::VicReg(VicReg { invariance: 25.0, variance: 25.0, covariance: 1.0 });
const BYOL: ObjectiveOfTable = |_| Objective::Byol(Byol { momentum: 0.99, hidden: 4096 });
const METHODS: [ObjectiveOfTable; 4] = [SIMCLR, TCR, VICREG, BYOL];

const CIFAR: PaperTable = PaperTable {
    data: "cifar10",
    place: "Table 1",
    images: 50_000,
    methods: &METHODS,
    depth: Depth::ResNet34,
    stem: Stem::Cifar { padding: 1 },
    input: 32,
    resize: Resize::Bilinear,
    patch: 14,
    epochs: 600,
    lr: 0.3,
    weight_decay: 1e-4,
    tcr_lambda: 30.0,
    projector: &[4096, 128],
    rule: Rule::LARS_CIFAR,
    giga_macs: 1.16,
};
const IMAGENET: PaperTable = PaperTable {
    data: "imagenet",
    place: "Figure 3b",
    images: 1_281_167,
    methods: &[VICREG],
    depth: Depth::ResNet50,
    stem: Stem::ImageNet,
    input: 224,
    resize: Resize::Bicubic,
    patch: 100,
    epochs: 800,
    lr: 0.1,
    weight_decay: 1e-6,
    tcr_lambda: 1920.0,
    projector: &[8192, 8192, 8192],
    rule: Rule::LARS_IMAGENET,
    giga_macs: 4.1,
};
static ROWS: [PaperTable; 4] = [
    CIFAR,
    PaperTable { data: "cifar100", place: "Table 2", projector: &[4096, 512], ..CIFAR },
    PaperTable {
        data: "imagenet100",
        place: "Table 3",
        images: 126_689,
        methods: &METHODS,
        epochs: 400,
        weight_decay: 1e-4,
        ..IMAGENET
    },
    IMAGENET,
];

/// Images in a batch, in every run of the paper.
const BATCH: usize = 1024;
const WARMUP_EPOCHS: f64 = 10.0;

/// Every recipe of the paper.
pub fn recipes() -> Vec<Recipe> {
    let of_row = |row: &'static PaperTable| {
        let regimes = [Regime::Patch, Regime::MultiScale];
        regimes
            .into_iter()
            .flat_map(move |regime| row.methods.iter().map(move |method| row.recipe(method(row), regime)))
    };
    ROWS.iter().flat_map(of_row).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Regime {
    Patch,
    MultiScale,
}

impl PaperTable {
    fn recipe(&self, objective: Objective, regime: Regime) -> Recipe {
        let (suffix, words) = match regime {
            Regime::Patch => {
                (format!("patch{0}", self.patch), format!("fixed-size {0}x{0} patches", self.patch))
            }
            Regime::MultiScale => ("multiscale".into(), "crops of 0.08 to 1 of the area".into()),
        };
        Recipe {
            name: format!("{}-{}-{suffix}", self.data, objective.name()),
            regime: format!("{words}, 2 views"),
            data: self.data,
            purpose: format!("{} of the paper", self.place),
            cost: self.cost(),
            config: self.config(objective, regime),
        }
    }

    /// Counted, not measured: a step is three forwards, a multiply-add two operations.
    fn cost(&self) -> String {
        let views = 2 * self.images * self.epochs;
        let operations = views as f64 * self.giga_macs * 6e9;
        let hours = operations / 1e13 / 3600.0;
        format!(
            "{} million views, about {operations:.0e} operations: {} hours where 10 TFLOP/s are reached; needs a GPU",
            thousands(views / 1_000_000),
            thousands(hours.round() as u64)
        )
    }

    fn config(&self, objective: Objective, regime: Regime) -> TrainConfig {
        let epoch = self.images / BATCH as u64;
        TrainConfig {
            seed: 0,
            epochs: self.epochs,
            warmup_epochs: WARMUP_EPOCHS,
            schedule: ScheduleConfig::default(),
            batch: BATCH,
            accumulate: 1,
            batch_statistics: BatchStatistics::Each,
            precision: Precision::Full,
            images: None,
            images_order: None,
            holdout: None,
            checkpoint_every: 5 * epoch,
            model: ModelConfig {
                backbone: BackboneConfig::new(self.depth, self.stem, 64),
                projector: self.projector.to_vec(),
                input: self.input,
                resize: self.resize,
                normalization: NormalizationChoice::Data,
                zero_init: false,
                projector_bias: true,
            },
            objective,
            optimizer: OptimizerConfig {
                rule: self.rule,
                lr: self.lr,
                lr_scale: LrScale::Per1024,
                weight_decay: self.weight_decay,
                clip_norm: None,
            },
            // Some hundred megabytes each: the last three, and one in 50 epochs.
            keep: Keep { last: 3, every: 50 * epoch },
            probe: ProbeConfig { every: 5 * epoch, ..ProbeConfig::default() },
            views: self.views(regime),
        }
    }

    /// BYOL's two branches.
    fn views(&self, regime: Regime) -> Vec<ViewConfig> {
        let crop = match regime {
            Regime::Patch => Crop::Fixed { size: self.patch },
            Regime::MultiScale => Crop::Scale { min: 0.08, max: 1.0 },
        };
        let view = |preset| ViewConfig::preset(preset, crop, self.resize, self.input);
        vec![view(Preset::ByolView1), view(Preset::ByolView2)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_tables_is_there_in_both_regimes() {
        let names: Vec<String> = recipes().into_iter().map(|recipe| recipe.name).collect();
        assert_eq!(names.len(), 3 * 2 * 4 + 2);
        for name in [
            "cifar10-vicreg-patch14",
            "cifar10-simclr-multiscale",
            "cifar100-byol-patch14",
            "imagenet100-tcr-patch100",
            "imagenet-vicreg-patch100",
            "imagenet-vicreg-multiscale",
        ] {
            assert!(names.iter().any(|found| found == name), "{name}");
        }
    }

    /// The table of `Hyper-parameters` in the project's notes on the paper, row by row.
    #[test]
    fn the_hyper_parameters_are_the_papers() {
        let of = |name: &str| recipes().into_iter().find(|recipe| recipe.name == name).unwrap().config;
        let expected = [
            ("cifar10", 14, 600, 0.3, 1e-4, Some(30.0), vec![4096, 128], Depth::ResNet34),
            ("cifar100", 14, 600, 0.3, 1e-4, Some(30.0), vec![4096, 512], Depth::ResNet34),
            ("imagenet100", 100, 400, 0.1, 1e-4, Some(1920.0), vec![8192; 3], Depth::ResNet50),
            ("imagenet", 100, 800, 0.1, 1e-6, None, vec![8192; 3], Depth::ResNet50),
        ];
        for (data, patch, epochs, lr, decay, lambda, projector, depth) in expected {
            let config = of(&format!("{data}-vicreg-patch{patch}"));
            assert_eq!((config.epochs, config.batch, config.warmup_epochs), (epochs, 1024, 10.0), "{data}");
            assert_eq!((config.optimizer.lr, config.optimizer.weight_decay), (lr, decay), "{data}");
            assert_eq!(config.optimizer.base_lr(512), lr / 2.0);
            assert_eq!((config.model.projector.clone(), config.model.backbone.depth), (projector, depth));
            assert_eq!(config.views[0].crop, Crop::Fixed { size: patch });
            assert_eq!((config.views[0].blur.p, config.views[1].solarise), (1.0, 0.2));
            if let Some(lambda) = lambda {
                let tcr = of(&format!("{data}-tcr-multiscale"));
                assert_eq!(tcr.objective, Objective::Tcr(Tcr { eps: 0.2, lambda }));
                assert_eq!(tcr.views[1].crop, Crop::Scale { min: 0.08, max: 1.0 });
            }
        }
        assert_eq!(of("cifar10-byol-patch14").optimizer.rule, Rule::LARS_CIFAR);
        assert_eq!(of("imagenet-vicreg-patch100").optimizer.rule, Rule::LARS_IMAGENET);
    }
}
