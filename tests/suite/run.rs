use std::path::Path;
use std::sync::Arc;

use bagssl::dataset::{self, Dataset, Split, parts::Parts};
use bagssl::device::DeviceChoice;
use bagssl::engine::jobs::Job;
use bagssl::engine::jobs::train::{Start, TrainRequest, train};
use bagssl::model::weights;
use bagssl::progress::{CancelToken, Cancelled, Progress};
use bagssl::train::optimizer::Rule;
use bagssl::train::{Metrics, RunFolder, TrainConfig, Trainer, recipes};
use burn::tensor::Device;

/// A run of 6 steps of a very narrow network.
fn tiny() -> TrainConfig {
    let mut config = recipes::find("quick-parts").unwrap().config;
    config.views.truncate(2);
    let changes = [
        "images=24",
        "batch=8",
        "epochs=2",
        "warmup_epochs=1",
        "checkpoint_every=2",
        "probe.every=4",
        "probe.images=3",
        "probe.known=8",
        "probe.asked=6",
        "probe.patches=2",
        "model.backbone.width=2",
        "model.input=16",
        "model.projector=[16, 8]",
    ];
    config.set(&changes).unwrap();
    config
}

fn run(out: &Path, start: Start, cancel_at: Option<u64>) -> anyhow::Result<Vec<Metrics>> {
    let cancel = CancelToken::default();
    let token = cancel.clone();
    let mut progress = move |p: Progress| {
        if cancel_at.is_some_and(|step| p.done >= step) {
            token.cancel();
        }
    };
    let job = Job { device: DeviceChoice::Cpu, seed: 0, cancel: &cancel, progress: &mut progress };
    let request =
        TrainRequest { data: "demo".into(), split: Some(Split::Train), out: out.into(), start, log_every: 1 };
    train(&request, job, &mut |_| ())?;
    RunFolder::open(out).unwrap().0.metrics()
}

fn losses(metrics: &[Metrics]) -> Vec<(u64, f64)> {
    metrics.iter().map(|m| (m.step, m.loss)).collect()
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_bit_as_if_it_had_not() {
    let folder = tempfile::tempdir().unwrap();
    let whole = run(&folder.path().join("whole"), Start::New(Box::new(tiny())), None).unwrap();
    assert_eq!(whole.len(), 6);

    let halved = folder.path().join("halved");
    let stopped = run(&halved, Start::New(Box::new(tiny())), Some(3)).unwrap_err();
    assert!(stopped.downcast_ref::<Cancelled>().is_some(), "{stopped:#}");
    let resumed = run(&halved, Start::Resume, None).unwrap();
    assert_eq!(losses(&resumed), losses(&whole));

    let model =
        |name: &str| std::fs::read(folder.path().join(name).join("step-000006/model.safetensors")).unwrap();
    assert!(model("whole") == model("halved"), "the last checkpoints differ");
}

#[test]
fn a_run_that_was_killed_loses_only_what_came_after_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let whole = run(&out, Start::New(Box::new(tiny())), None).unwrap();
    // As a kill at step 5 leaves it: the newest checkpoint is that of step 4, metrics go further,
    // the last line is cut, and a half-written checkpoint lies about.
    std::fs::remove_dir_all(out.join("step-000006")).unwrap();
    std::fs::write(out.join("latest"), "step-000004").unwrap();
    std::fs::create_dir(out.join(".step-000006.part")).unwrap();
    let text = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    std::fs::write(out.join("metrics.jsonl"), &text[..text.len() - 20]).unwrap();
    let resumed = run(&out, Start::Resume, None).unwrap();
    assert_eq!(losses(&resumed), losses(&whole));
}

#[test]
fn a_loss_that_explodes_stops_the_run_and_keeps_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut config = tiny();
    // No clipping, so that the loss can explode.
    config.optimizer.clip_norm = None;
    config.optimizer.rule = Rule::Sgd { momentum: 0.9 };
    config.set(&["optimizer.lr=1e9", "warmup_epochs=0"]).unwrap();
    let error = format!("{:#}", run(&out, Start::New(Box::new(config)), None).unwrap_err());
    assert!(error.contains("step") && error.contains("checkpoint is kept"), "{error}");
    let model = bagssl::model::store::open(&out.to_str().unwrap().into(), &Device::flex()).unwrap();
    let finite = weights::collect(&model.encoder).values().all(|a| a.values.iter().all(|v| v.is_finite()));
    assert!(finite);
}

#[test]
fn training_lowers_the_loss() {
    let data: Arc<dyn Dataset> =
        dataset::limited(Arc::new(Parts::new(5, 64, 32, Split::Train).unwrap()), 32).unwrap();
    let mut config = tiny();
    config.set(&["images=32", "batch=16", "epochs=30", "warmup_epochs=1", "optimizer.lr=0.5"]).unwrap();
    let mut trainer = Trainer::new(config, data, &Device::flex()).unwrap();
    let mut losses = vec![];
    while !trainer.is_finished() {
        losses.push(trainer.step().unwrap().loss);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (first, last) = (mean(&losses[..10]), mean(&losses[losses.len() - 10..]));
    assert!(last < 0.95 * first, "from {first} to {last}");
}

#[test]
fn a_run_is_not_resumed_on_other_data_nor_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    run(&out, Start::New(Box::new(tiny())), None).unwrap();
    let again = format!("{:#}", run(&out, Start::New(Box::new(tiny())), None).unwrap_err());
    assert!(again.contains("holds a run already"), "{again}");
    let (_, config) = RunFolder::open(&out).unwrap();
    let saved = RunFolder::open(&out).unwrap().0.load().unwrap();
    let other: Arc<dyn Dataset> = Arc::new(Parts::new(99, 64, 64, Split::Train).unwrap());
    let error = Trainer::resume(config, saved, other, &Device::flex()).err().unwrap();
    assert!(error.to_string().contains("other data"), "{error:#}");
}
