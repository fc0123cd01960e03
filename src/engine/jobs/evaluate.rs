//! Accuracy of a model's features: one evaluation, and a plan of many.

use crate::device;
use crate::embed::BATCH;
use crate::engine::ask::{EvalReport, EvalRequest, PlanReport, PlanRequest};
use crate::engine::jobs::{Job, open_embedder};
use crate::engine::tables::evaluation::Evaluating;
use crate::engine::tables::plan::{PlanUnit, PlanWork};

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

/// Does what of a plan is not done yet, and writes its tables.
///
/// # Errors
/// A model, a data set or a folder that cannot be used, with the name of the cell; cancelled: what is done is kept.
pub fn run_plan(request: PlanRequest, job: Job<'_>) -> anyhow::Result<PlanReport> {
    let device = device::open(job.device)?;
    let mut work = PlanWork::begin(request)?;
    let (is_shared, cancel) = (false, job.cancel);
    while !work.advance(PlanUnit { device: &device, is_shared, cancel, progress: &mut *job.progress })? {}
    Ok(work.finish())
}
