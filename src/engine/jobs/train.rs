//! Training runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use serde_json::json;

use super::Job;
use super::figures::{Written, write_caption};
use crate::dataset::{self, Dataset, Split};
use crate::device::{self, OpenDevice};
use crate::progress::{Cancelled, Progress};
use crate::train::{Metrics, RunFolder, TrainConfig, Trainer};

/// `bagssl train`.
pub struct TrainRequest {
    pub data: String,
    pub split: Option<Split>,
    pub out: PathBuf,
    pub start: Start,
    /// Steps between lines of metrics.
    pub log_every: u64,
}

/// How a run begins.
pub enum Start {
    /// Afresh.
    New(Box<TrainConfig>),
    /// Where the run in `out` stands.
    Resume,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct TrainReport {
    pub step: u64,
    pub epoch: f64,
    /// Of the last step of this run; absent if nothing was left to do.
    pub loss: Option<f64>,
    /// Mean over this run.
    pub views_per_second: Option<f64>,
    pub checkpoint: PathBuf,
    pub device: String,
    pub unreadable_images: u64,
}

/// Trains until all steps are done. Cancelled, it writes a checkpoint first. `watch` sees each
/// line of metrics as it is written.
pub fn train(
    request: &TrainRequest,
    job: Job<'_>,
    watch: &mut dyn FnMut(&Metrics),
) -> anyhow::Result<TrainReport> {
    let data = dataset::open(&request.data, request.split)?;
    let device = device::open(job.device)?;
    let (run, mut trainer) = begin(request, data, &device)?;
    if trainer.state().step == 0 {
        trainer.checkpoint(&run)?;
    }
    let started = Instant::now();
    let first = trainer.state().step;
    let mut last = None;
    while !trainer.is_finished() {
        if job.cancel.is_cancelled() {
            let folder = trainer.checkpoint(&run)?;
            return Err(anyhow::Error::new(Cancelled).context(format!(
                "stopped after step {} of {}; --resume continues from {}",
                trainer.state().step,
                trainer.state().total_steps,
                folder.display()
            )));
        }
        let report = trainer.step()?;
        let state = trainer.state().clone();
        if state.step % request.log_every == 0 || trainer.is_finished() {
            let metrics = trainer.metrics(&report);
            run.log(&metrics)?;
            watch(&metrics);
        }
        if state.step % trainer.checkpoint_every() == 0 || trainer.is_finished() {
            trainer.checkpoint(&run)?;
        }
        last = Some(report);
        (job.progress)(Progress {
            what: "training",
            done: state.step,
            total: state.total_steps,
            resumed: first,
            unit: "steps",
            elapsed: started.elapsed(),
        });
    }
    let state = trainer.state();
    let views = ((state.step - first) * trainer.views_per_step()) as f64;
    Ok(TrainReport {
        step: state.step,
        epoch: trainer.epoch(),
        loss: last.map(|report| report.loss),
        views_per_second: (state.step > first).then(|| views / started.elapsed().as_secs_f64()),
        checkpoint: run.latest()?,
        device: device.name,
        unreadable_images: trainer.unreadable(),
    })
}

fn begin(
    request: &TrainRequest,
    data: Arc<dyn Dataset>,
    device: &OpenDevice,
) -> anyhow::Result<(RunFolder, Trainer)> {
    let environment = json!({
        "program": concat!("bagssl ", env!("CARGO_PKG_VERSION")),
        "device": device.name,
        "threads": rayon::current_num_threads(),
        "data": { "spec": request.data, "name": data.name(), "images": data.len(), "fingerprint": data.fingerprint()? },
    });
    match &request.start {
        Start::New(config) => {
            // The trainer first: a config that does not fit the data leaves no folder behind.
            let trainer = Trainer::new((**config).clone(), data, &device.device)?;
            Ok((RunFolder::create(&request.out, config, &environment)?, trainer))
        }
        Start::Resume => {
            let (run, config) = RunFolder::open(&request.out)?;
            let saved = run.load()?;
            let step = saved.state.step;
            let trainer = Trainer::resume(config, saved, data, &device.device)?;
            run.rewind(step)?;
            run.note_environment(&environment)?;
            Ok((run, trainer))
        }
    }
}

/// The loss curve of a run as a figure.
pub fn loss_curve(run: &Path, out: &Path, dpi: u32, caption: Option<&Path>) -> anyhow::Result<Written> {
    let (folder, config) = RunFolder::open(run)?;
    let metrics = folder.metrics()?;
    anyhow::ensure!(!metrics.is_empty(), "{} has no metrics yet", run.display());
    let figure = crate::engine::compose::loss_curve(&metrics, config.objective.title());
    let source = json!({ "config": serde_json::to_value(&config)? });
    let saved = figure.save(out, dpi, source).context("the loss curve")?;
    write_caption(&figure, saved, caption)
}
