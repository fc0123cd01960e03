//! Measures of a model: accuracy of its features, purity of its neighbours.

use std::sync::Arc;

use serde::Serialize;

use super::{Job, open_embedder};
use crate::analysis::locality::{self, LocalityConfig, LocalityReport};
use crate::bank::Dtype;
use crate::dataset::{self, Dataset, Split};
use crate::embed::ExtractPlan;
use crate::eval::{self, EvalConfig, EvalRow};
use crate::patch::PatchGrid;

/// `bagssl eval`.
pub struct EvalRequest {
    pub model: String,
    pub data: String,
    /// The first so many images of each split.
    pub limit_train: Option<usize>,
    pub limit_test: Option<usize>,
    pub config: EvalConfig,
}

/// Its result, with every constant.
#[derive(Clone, Debug, Serialize)]
pub struct EvalReport {
    pub rows: Vec<EvalRow>,
    /// Accuracy of a guess.
    pub chance: f64,
    pub config: EvalConfig,
    pub metric: &'static str,
    pub model: String,
    pub train: Part,
    pub test: Part,
}

/// How much of a split was used.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    pub images: usize,
    pub of: usize,
}

/// Classifies the test split by the train split.
pub fn evaluate(request: &EvalRequest, job: Job<'_>) -> anyhow::Result<EvalReport> {
    let (train, train_part) = split(&request.data, Split::Train, request.limit_train)?;
    let (test, test_part) = split(&request.data, Split::Test, request.limit_test)?;
    let (_, embedder) = open_embedder(job.device, &request.model)?;
    let rows = eval::evaluate(&embedder, &train, &test, &request.config, job.cancel, job.progress)?;
    Ok(EvalReport {
        rows,
        chance: 1.0 / train.classes().len() as f64,
        config: request.config.clone(),
        metric: "cosine",
        model: embedder.name,
        train: train_part,
        test: test_part,
    })
}

fn split(spec: &str, split: Split, limit: Option<usize>) -> anyhow::Result<(Arc<dyn Dataset>, Part)> {
    let data = dataset::open(spec, Some(split))?;
    let of = data.len();
    let data = match limit {
        Some(limit) => dataset::limited(data, limit)?,
        None => data,
    };
    let part = Part { images: data.len(), of };
    Ok((data, part))
}

/// `bagssl locality`.
pub struct LocalityRequest {
    pub model: String,
    pub data: String,
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
