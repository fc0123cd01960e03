use std::path::Path;
use std::sync::Arc;

use bagssl::augment::Crop;
use bagssl::dataset::{Dataset, Split, parts::Parts};
use bagssl::model::weights::{Weights, collect};
use bagssl::objective::{Byol, Objective};
use bagssl::progress::{CancelToken, Cancelled};
use bagssl::train::{ImagesOrder, RunFolder, TrainConfig, Trainer, recipes};
use burn::tensor::Device;

/// 32 scenes of 32 x 32.
pub fn data() -> Arc<dyn Dataset> {
    Arc::new(Parts::new(5, 32, 32, Split::Train).unwrap())
}

/// A very narrow network, and every objective with a predictor to match.
pub fn tiny(objective: Objective, changes: &[&str]) -> TrainConfig {
    let mut config = recipes::find("quick-cifar10-multipatch16").unwrap().config;
    config.views.iter_mut().for_each(|view| view.crop = Crop::Fixed { size: 32 });
    config.views.truncate(if matches!(objective, Objective::MultiPatch(_)) { 4 } else { 2 });
    config.objective = match objective {
        Objective::Byol(byol) => Objective::Byol(Byol { hidden: 32, ..byol }),
        other => other,
    };
    let network = ["model.backbone.width=2", "model.input=16", "model.projector=[16, 8]"];
    let run = ["images=32", "batch=16", "warmup_epochs=1", "optimizer.lr=0.5"];
    config.set(&[&network[..], &run[..], changes].concat()).unwrap();
    // As a run writes it down.
    config.images_order = Some(ImagesOrder::Spread);
    config
}

#[test]
fn every_method_lowers_its_loss_on_the_built_in_set() {
    for objective in Objective::all() {
        let mut trainer =
            Trainer::new(tiny(objective.clone(), &["epochs=25"]), data(), &Device::flex()).unwrap();
        let mut losses = vec![];
        while !trainer.is_finished() {
            let report = trainer.step().unwrap();
            assert!(report.loss.is_finite() && report.terms.values().all(|term| term.is_finite()));
            losses.push(report.loss);
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (first, last) = (mean(&losses[..10]), mean(&losses[losses.len() - 10..]));
        assert!(last < first - 0.02 * first.abs(), "{}: from {first} to {last}", objective.title());
    }
}

#[test]
fn every_method_trains_in_micro_batches() {
    for objective in Objective::all() {
        let config = tiny(objective.clone(), &["epochs=1", "accumulate=4"]);
        let mut trainer = Trainer::new(config, data(), &Device::flex()).unwrap();
        while !trainer.is_finished() {
            let report = trainer.step().unwrap();
            assert!(report.loss.is_finite() && report.grad_norm > 0.0, "{}", objective.title());
        }
    }
}

#[test]
fn a_config_from_before_accumulation_and_precision_reads_as_without() {
    let config = tiny(Objective::all().remove(0), &[]);
    let text = config.to_toml().unwrap();
    let old = text.replace("accumulate = 1\n", "").replace("precision = \"full\"\n", "");
    assert_eq!(old.lines().count() + 2, text.lines().count());
    assert_eq!(TrainConfig::from_toml(&old).unwrap(), config);
}

/// Losses of the steps until `end`.
fn steps(trainer: &mut Trainer, end: u64) -> Vec<f64> {
    let mut losses = vec![];
    while trainer.state().step < end {
        losses.push(trainer.step().unwrap().loss);
    }
    losses
}

/// The network with its running statistics.
fn all_weights(trainer: &Trainer) -> Weights {
    collect(&trainer.model().encoder)
}

/// Left at many moments of it, forward and backward: nothing has changed, and the steps that follow are those of a run
/// that nobody disturbed, to the bit.
#[test]
fn a_step_that_is_left_changes_nothing() {
    let device = Device::flex();
    for objective in Objective::all() {
        for parts in ["accumulate=1", "accumulate=2"] {
            let config = tiny(objective.clone(), &["epochs=2", parts]);
            let new = || Trainer::new(config.clone(), data(), &device).unwrap();
            let mut undisturbed = new();
            let expected = steps(&mut undisturbed, 4);
            let mut trainer = new();
            // How often a whole step asks whether it is to be left.
            let never = CancelToken::at_question(u64::MAX);
            let mut found = vec![trainer.step_unless(&never).unwrap().loss];
            let before = all_weights(&trainer);
            let moments = 8;
            assert!(never.questions() > 2 * moments, "{}: {}", objective.title(), never.questions());
            for moment in 0..moments {
                let soon = CancelToken::at_question(never.questions() * moment / moments);
                let error = trainer.step_unless(&soon).unwrap_err();
                assert!(error.is::<Cancelled>(), "{error:#}");
                assert!(all_weights(&trainer) == before && trainer.state().step == 1);
            }
            found.extend(steps(&mut trainer, 4));
            assert_eq!(found, expected, "{}, {parts}", objective.title());
            assert!(all_weights(&trainer) == all_weights(&undisturbed));
        }
    }
}

/// Two runs of the same config and seed, one of them stopped and resumed: the same losses to the
/// bit, whole batches and micro-batches alike.
#[test]
fn every_method_gives_the_same_losses_again_and_across_a_resume() {
    let device = Device::flex();
    for objective in Objective::all() {
        for parts in ["accumulate=1", "accumulate=2"] {
            let config = tiny(objective.clone(), &["epochs=2", parts]);
            let folder = tempfile::tempdir().unwrap();
            let run =
                RunFolder::create(&folder.path().join("run"), &config, &serde_json::Value::Null).unwrap();
            let expected = steps(&mut Trainer::new(config.clone(), data(), &device).unwrap(), 4);
            let mut trainer = Trainer::new(config.clone(), data(), &device).unwrap();
            let mut found = steps(&mut trainer, 2);
            trainer.checkpoint(&run).unwrap();
            drop(trainer);
            let mut trainer = Trainer::resume(config, run.load().unwrap(), data(), &device).unwrap();
            found.extend(steps(&mut trainer, 4));
            assert_eq!(found, expected, "{}, {parts}", objective.title());
        }
    }
}

#[test]
fn byol_goes_on_to_the_bit_from_its_checkpoint_predictor_and_target_included() {
    let folder = tempfile::tempdir().unwrap();
    let device = Device::flex();
    let config = tiny(Objective::Byol(Byol::default()), &["epochs=3", "images_order=spread"]);
    let create =
        |name: &str| RunFolder::create(&folder.path().join(name), &config, &serde_json::Value::Null).unwrap();
    let (whole, halved) = (create("whole"), create("halved"));

    let mut trainer = Trainer::new(config.clone(), data(), &device).unwrap();
    let mut expected = steps(&mut trainer, 6);
    trainer.checkpoint(&whole).unwrap();

    let mut trainer = Trainer::new(config.clone(), data(), &device).unwrap();
    let first = steps(&mut trainer, 3);
    trainer.checkpoint(&halved).unwrap();
    drop(trainer);
    let mut trainer = Trainer::resume(config.clone(), halved.load().unwrap(), data(), &device).unwrap();
    let rest = steps(&mut trainer, 6);
    trainer.checkpoint(&halved).unwrap();

    assert_eq!(expected.split_off(3), rest);
    assert_eq!(expected, first);
    for file in ["model.safetensors", "method.safetensors", "optimizer.safetensors"] {
        let bytes = |run: &str| std::fs::read(checkpoint(folder.path(), run).join(file)).unwrap();
        assert!(bytes("whole") == bytes("halved"), "{file} differs");
    }

    std::fs::remove_file(checkpoint(folder.path(), "halved").join("method.safetensors")).unwrap();
    let error = format!("{:#}", halved.load().err().unwrap());
    assert!(error.contains("method.safetensors") && error.contains("predictor.0.weight"), "{error}");
}

fn checkpoint(folder: &Path, run: &str) -> std::path::PathBuf {
    folder.join(run).join("step-000006")
}
