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
    /// Which model.
    pub model: ModelSpec,
    /// A data set with both splits.
    pub data: DataSpec,
    /// The classifiers and their constants.
    pub config: EvalConfig,
}

/// Its result, with every constant.
#[derive(Clone, Debug, Serialize)]
pub struct EvalReport {
    /// What people call the model.
    pub model: String,
    /// Hex SHA-256 of the model file.
    pub model_hash: String,
    /// Architecture ("ResNet-18/4").
    pub arch: String,
    /// First layers of the network.
    pub stem: Stem,
    /// Side of the network's input, pixels.
    pub input: u32,
    /// How a patch or image reaches that side.
    pub resize: Resize,
    /// What is subtracted from each channel of RGB, 0 to 1.
    pub mean: [f32; 3],
    /// What each channel is divided by after that.
    pub std: [f32; 3],
    /// Name of the train split.
    pub data: String,
    /// Name of the adapter, or of the CPU backend.
    pub device: String,
    /// Accuracy of a guess: one over the number of classes.
    pub chance: f64,
    /// How the nearest neighbours are told: "cosine".
    pub metric: &'static str,
    /// What was asked for.
    pub config: EvalConfig,
    /// Accuracies, and what they were made from.
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
    /// Which model.
    pub model: ModelSpec,
    /// A data set whose images know the part of every pixel.
    pub data: DataSpec,
    /// Which split; none: train.
    pub split: Option<Split>,
    /// Only so many images, from the first; none: all.
    pub limit: Option<usize>,
    /// Patch size and stride, pixels.
    pub grid: PatchGrid,
    /// The queries, and the neighbours of each.
    pub config: LocalityConfig,
}

/// Its result.
#[derive(Clone, Debug, Serialize)]
pub struct LocalityResult {
    /// What people call the model.
    pub model: String,
    /// Name of the data set.
    pub data: String,
    /// Which split it is, where the source has two.
    pub split: Option<Split>,
    /// Side of a patch, pixels.
    pub patch: u32,
    /// Stride of the patches, pixels.
    pub stride: u32,
    /// Purity by space.
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
