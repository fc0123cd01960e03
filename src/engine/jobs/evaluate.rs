//! Accuracy of a model's features: one evaluation, and a plan of many.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use crate::augment::Crop;
use crate::device::{self, DeviceChoice};
use crate::embed::BATCH;
use crate::engine::ask::{EvalReport, EvalRequest, PlanReport, PlanRequest};
use crate::engine::jobs::{Job, open_embedder};
use crate::engine::tables::evaluation::Evaluating;
use crate::engine::tables::plan::{PlanUnit, PlanWork};
use crate::model::{ModelSpec, store};

/// Inputs to the network between two looks at whether it is to stop.
const INPUTS: usize = 8 * BATCH;

/// Classifies the test split by the train split.
pub fn evaluate(request: &EvalRequest, job: Job<'_>) -> anyhow::Result<EvalReport> {
    request.config.validate()?;
    let (open, embedder) = open_embedder(job.device, &request.model)?;
    let mut work = Evaluating::begin(request.clone(), &embedder)?;
    while !work.advance(&embedder, INPUTS, job.cancel, job.progress)? {}
    Ok(work.finish(&embedder, &open.name))
}

/// What each of the models, by its name and place, was trained on.
///
/// # Errors
/// A model that cannot be opened, or whose file does not name one kind of patches or crops.
pub fn trained_on(models: Vec<(String, PathBuf)>) -> anyhow::Result<Vec<(String, PathBuf, Crop)>> {
    let open = device::open(DeviceChoice::Cpu)?;
    let of_model = |(name, path): (String, PathBuf)| {
        let what = || format!("model \"{name}\"");
        let crops = store::open(&ModelSpec::from(path.clone()), &open.device)
            .with_context(what)?
            .info
            .trained_crops();
        let crop = crops.first().copied().filter(|first| crops.iter().all(|crop| crop == first));
        let crop = crop.with_context(|| {
            format!(
                "{}: its file does not name the one kind of patches or crops that it was trained on; expected a model \
                 of bagssl train; others are evaluated by --plan, which says on what",
                what()
            )
        })?;
        Ok((name, path, crop))
    };
    models.into_iter().map(of_model).collect()
}

/// Does what of a plan is not done yet, and writes its tables; `begun` hears which cell begins, of how many, and how long
/// all that is left will take.
///
/// # Errors
/// A model, a data set or a folder that cannot be used, with the name of the cell; cancelled: what is done is kept.
pub fn run_plan(
    request: PlanRequest,
    job: Job<'_>,
    begun: &mut dyn FnMut(CellBegun),
) -> anyhow::Result<PlanReport> {
    let device = device::open(job.device)?;
    let mut work = PlanWork::begin(request)?;
    let (is_shared, cancel) = (false, job.cancel);
    let mut last = None;
    loop {
        let (number, cells) = (work.done() + 1, work.plan().cells());
        if number <= cells && last != Some(number) {
            last = Some(number);
            begun(CellBegun { number, cells, words: work.words(), left: work.left() });
        }
        if work.advance(PlanUnit { device: &device, is_shared, cancel, progress: &mut *job.progress })? {
            return Ok(work.finish());
        }
    }
}

/// A cell of a plan that begins, or is found.
pub struct CellBegun {
    /// Its number, from 1.
    pub number: usize,
    /// Cells in all.
    pub cells: usize,
    /// Model, evaluation, seed.
    pub words: String,
    /// Time left for all cells, where it can be told.
    pub left: Option<Duration>,
}
