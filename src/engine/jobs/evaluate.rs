//! Measures of a model: accuracy of its features, purity of its neighbours.

use serde::Serialize;

use crate::analysis::locality::{self, LocalityConfig, LocalityReport};
use crate::augment::Resize;
use crate::bank::Dtype;
use crate::dataset::{self, DataSpec, Split};
use crate::embed::ExtractPlan;
use crate::engine::jobs::{Job, open_embedder};
use crate::eval::{self, EvalConfig, Evaluation};
use crate::model::{ModelSpec, Stem};
use crate::patch::PatchGrid;
use crate::progress::Cancelled;

/// `bagssl eval`.
pub struct EvalRequest {
    pub model: ModelSpec,
    pub data: DataSpec,
    pub config: EvalConfig,
}

/// Its result, with every constant.
#[derive(Clone, Debug, Serialize)]
pub struct EvalReport {
    pub model: String,
    /// Hex SHA-256 of the model file.
    pub model_hash: String,
    pub arch: String,
    pub stem: Stem,
    /// Side of the input, pixels, and how a patch or image reaches it.
    pub input: u32,
    pub resize: Resize,
    pub mean: [f32; 3],
    pub std: [f32; 3],
    pub data: String,
    pub device: String,
    /// Accuracy of a guess.
    pub chance: f64,
    pub metric: &'static str,
    pub config: EvalConfig,
    #[serde(flatten)]
    pub found: Evaluation,
}

/// Classifies the test split by the train split.
pub fn evaluate(request: &EvalRequest, job: Job<'_>) -> anyhow::Result<EvalReport> {
    request.config.validate()?;
    let train = dataset::open(&request.data, Some(Split::Train))?;
    let test = dataset::open(&request.data, Some(Split::Test))?;
    let (open, embedder) = open_embedder(job.device, &request.model)?;
    let found = eval::evaluate(&embedder, &train, &test, &request.config, job.cancel, job.progress);
    let found = found.map_err(|error| match (error.is::<Cancelled>(), &request.config.cache) {
        (true, Some(_)) => {
            error.context("the features so far are kept, and the same command goes on from there")
        }
        (true, None) => {
            error.context("nothing is kept; with --cache DIR the same command goes on from there")
        }
        _ => error,
    })?;
    Ok(EvalReport {
        chance: 1.0 / train.classes().len() as f64,
        config: request.config.clone(),
        metric: "cosine",
        arch: embedder.info.backbone.title(),
        stem: embedder.info.backbone.stem,
        input: embedder.info.input,
        resize: embedder.info.resize,
        mean: embedder.info.normalization.mean,
        std: embedder.info.normalization.std,
        model_hash: embedder.hash,
        model: embedder.name,
        data: train.name(),
        device: open.name,
        found,
    })
}

/// `bagssl locality`.
pub struct LocalityRequest {
    pub model: ModelSpec,
    pub data: DataSpec,
    pub split: Option<Split>,
    pub limit: Option<usize>,
    pub grid: PatchGrid,
    pub config: LocalityConfig,
}

/// Its result.
#[derive(Clone, Debug, Serialize)]
pub struct LocalityResult {
    pub model: String,
    pub data: String,
    pub split: Option<Split>,
    pub patch: u32,
    pub stride: u32,
    #[serde(flatten)]
    pub report: LocalityReport,
}

/// Measures part purity.
pub fn locality(request: &LocalityRequest, job: Job<'_>) -> anyhow::Result<LocalityResult> {
    let mut data = dataset::open(&request.data, request.split)?;
    if let Some(limit) = request.limit {
        data = dataset::limited(data, limit)?;
    }
    let (_, embedder) = open_embedder(job.device, &request.model)?;
    let spaces: Vec<_> = embedder.info.spaces().into_iter().map(|(space, _)| space).collect();
    let plan = ExtractPlan::new(&embedder, data.as_ref(), request.grid, &spaces, Dtype::F16)?;
    let report = locality::measure(&embedder, &data, plan, &request.config, job.cancel, job.progress)?;
    Ok(LocalityResult {
        model: embedder.name,
        data: data.name(),
        split: data.split(),
        patch: request.grid.patch,
        stride: request.grid.stride,
        report,
    })
}
