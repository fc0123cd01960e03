//! Training runs.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde_json::json;

use crate::dataset::{Coverage, DataSource};
use crate::device;
pub use crate::engine::ask::{News, Start, TrainRequest};
use crate::engine::figures::output::{Written, write_caption};
use crate::engine::jobs::Job;
use crate::engine::jobs::figures::FileLook;
use crate::engine::runs::export;
use crate::engine::runs::run::TrainingRun;
use crate::engine::runs::run_data::RunData;
use crate::figure::Format;
use crate::paths;
use crate::progress::Cancelled;
use crate::train::{Notice, RunFolder};

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct TrainReport {
    /// Steps done.
    pub step: u64,
    /// Passes over the data.
    pub epoch: f64,
    /// Of the last step of this run; absent if nothing was left to do.
    pub loss: Option<f64>,
    /// Mean over this run.
    pub views_per_second: Option<f64>,
    /// Folder of the newest one.
    #[serde(serialize_with = "paths::serialize")]
    pub checkpoint: PathBuf,
    /// The device's name.
    pub device: String,
    /// Images that are trained on, and those that were left out from the start.
    pub data: Coverage,
    /// Images that could not be read later on; others took their places.
    pub unreadable_images: u64,
    /// What was left out, as kept in the run folder.
    pub notices: Vec<Notice>,
}

/// Trains until all steps are done. Cancelled, it writes a checkpoint first. `watch` sees what
/// is written as it is written.
pub fn train(
    request: &TrainRequest,
    job: Job<'_>,
    watch: &mut dyn FnMut(&News),
) -> anyhow::Result<TrainReport> {
    let device = device::open(job.device)?;
    let data = RunData::open(DataSource { spec: request.data.clone(), split: request.split })?;
    let mut run = TrainingRun::begin(&request.out, &request.start, &data, &device)?;
    run.log_every(request.log_every);
    run.leave_when(job.cancel.clone());
    while !run.is_finished() {
        if job.cancel.is_cancelled() {
            let folder = run.end()?;
            while run.has_probe_round() {
                run.advance()?.iter().for_each(&mut *watch);
            }
            let state = run.trainer().state();
            return Err(anyhow::Error::new(Cancelled).context(format!(
                "stopped after step {} of {}; --resume continues from {}",
                state.step,
                state.total_steps,
                folder.display()
            )));
        }
        run.advance()?.iter().for_each(&mut *watch);
        (job.progress)(run.progress());
    }
    let trainer = run.trainer();
    Ok(TrainReport {
        step: trainer.state().step,
        epoch: trainer.epoch(),
        loss: run.last_report().map(|report| report.loss),
        views_per_second: run.views_per_second(),
        checkpoint: run.folder().latest()?,
        device: device.name,
        data: trainer.part().clone(),
        unreadable_images: trainer.unreadable(),
        notices: run.notices().to_vec(),
    })
}

/// The loss curve of a run as a figure.
pub fn loss_curve(
    run: &Path,
    out: &Path,
    look: &FileLook,
    caption: Option<&Path>,
) -> anyhow::Result<Written> {
    let (folder, config) = RunFolder::open(run)?;
    let metrics = folder.metrics()?;
    anyhow::ensure!(!metrics.is_empty(), "{} has no metrics yet", run.display());
    let mut figure = export::figure(&export::losses(&metrics, &config.objective));
    look.put_on(&mut figure)?;
    let source = json!({ "config": serde_json::to_value(&config)? });
    let saved =
        figure.save(out, look.dpi.unwrap_or(Format::DEFAULT_DPI), source).context("the loss curve")?;
    write_caption(&figure, saved, caption)
}
