//! Training runs.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde_json::json;

use crate::dataset::Coverage;
use crate::device;
pub use crate::engine::ask::{Start, TrainRequest};
use crate::engine::figures::output::{Written, write_caption};
use crate::engine::jobs::Job;
use crate::engine::runs::run::{News, Session};
use crate::progress::Cancelled;
use crate::train::{Notice, RunFolder};

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct TrainReport {
    /// Steps done, those of earlier runs that were resumed included.
    pub step: u64,
    /// Passes over the data so far.
    pub epoch: f64,
    /// Of the last step of this run; absent if nothing was left to do.
    pub loss: Option<f64>,
    /// Mean over this run.
    pub views_per_second: Option<f64>,
    /// Folder of the newest checkpoint.
    pub checkpoint: PathBuf,
    /// Name of the adapter, or of the CPU backend.
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
    let mut session = Session::begin(request, &device)?;
    while !session.is_finished() {
        if job.cancel.is_cancelled() {
            let folder = session.end()?;
            while session.has_look() {
                session.advance()?.iter().for_each(&mut *watch);
            }
            let state = session.trainer().state();
            return Err(anyhow::Error::new(Cancelled).context(format!(
                "stopped after step {} of {}; --resume continues from {}",
                state.step,
                state.total_steps,
                folder.display()
            )));
        }
        session.advance()?.iter().for_each(&mut *watch);
        (job.progress)(session.progress());
    }
    let trainer = session.trainer();
    Ok(TrainReport {
        step: trainer.state().step,
        epoch: trainer.epoch(),
        loss: session.last_report().map(|report| report.loss),
        views_per_second: session.views_per_second(),
        checkpoint: session.run().latest()?,
        device: device.name,
        data: trainer.part().clone(),
        unreadable_images: trainer.unreadable(),
        notices: session.notices().to_vec(),
    })
}

/// The loss curve of a run as a figure.
pub fn loss_curve(run: &Path, out: &Path, dpi: u32, caption: Option<&Path>) -> anyhow::Result<Written> {
    let (folder, config) = RunFolder::open(run)?;
    let metrics = folder.metrics()?;
    anyhow::ensure!(!metrics.is_empty(), "{} has no metrics yet", run.display());
    let figure = crate::engine::figures::compose::loss_curve(&metrics, config.objective.title());
    let source = json!({ "config": serde_json::to_value(&config)? });
    let saved = figure.save(out, dpi, source).context("the loss curve")?;
    write_caption(&figure, saved, caption)
}
