//! Measures of a model: accuracy of its features, purity of its neighbours.

use serde::Serialize;

use crate::analysis::locality::{self, LocalityConfig, LocalityReport};
use crate::augment::Resize;
use crate::bank::Dtype;
use crate::dataset::{self, DataSpec, SPREAD_SEED, Split};
use crate::embed::ExtractPlan;
use crate::engine::jobs::{Job, open_embedder};
use crate::eval::{self, EvalConfig, Evaluation};
use crate::model::{ModelSpec, Stem};
use crate::patch::PatchGrid;
use crate::progress::Cancelled;

/// `bagssl eval`.
pub struct EvalRequest {
    /// What is measured.
    pub model: ModelSpec,
    /// A set with a train and a test split.
    pub data: DataSpec,
    /// How.
    pub config: EvalConfig,
}

/// Its result, with every constant.
#[derive(Clone, Debug, Serialize)]
pub struct EvalReport {
    /// The model's name.
    pub model: String,
    /// Hex SHA-256 of the model file.
    pub model_hash: String,
    /// The backbone.
    pub arch: String,
    /// Its first layers.
    pub stem: Stem,
    /// Side of the network's input, pixels.
    pub input: u32,
    /// How a patch or image reaches the input.
    pub resize: Resize,
    /// What is subtracted, per channel of RGB / 255.
    pub mean: [f32; 3],
    /// What is divided by, per channel of RGB / 255.
    pub std: [f32; 3],
    /// The data set's name.
    pub data: String,
    /// The device's name.
    pub device: String,
    /// Accuracy of a guess: one over the number of classes.
    pub chance: f64,
    /// What nearness is.
    pub metric: &'static str,
    /// Every constant.
    pub config: EvalConfig,
    /// In which order images are taken where a limit leaves some out.
    pub images_order: String,
    /// Accuracies, and what they were made from.
    #[serde(flatten)]
    /// The accuracies.
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
        images_order: format!("spread, seed {SPREAD_SEED}"),
        found,
    })
}

/// `bagssl locality`.
pub struct LocalityRequest {
    /// What is measured.
    pub model: ModelSpec,
    /// A set whose images have part masks.
    pub data: DataSpec,
    /// Which split of it.
    pub split: Option<Split>,
    /// Only so many images, spread over the data set and its classes; all where absent.
    pub limit: Option<usize>,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// How.
    pub config: LocalityConfig,
}

/// Its result.
#[derive(Clone, Debug, Serialize)]
pub struct LocalityResult {
    /// The model's name.
    pub model: String,
    /// The data set's name.
    pub data: String,
    /// Which split of it.
    pub split: Option<Split>,
    /// Side of the patches, pixels.
    pub patch: u32,
    /// Distance between patches, pixels.
    pub stride: u32,
    /// Images of the data set, of which some are taken.
    pub of: usize,
    /// In which order they are taken.
    pub images_order: String,
    /// Purity by space.
    #[serde(flatten)]
    /// The purities.
    pub report: LocalityReport,
}

/// Measures part purity.
pub fn locality(request: &LocalityRequest, job: Job<'_>) -> anyhow::Result<LocalityResult> {
    let data = dataset::open(&request.data, request.split)?;
    let (_, embedder) = open_embedder(job.device, &request.model)?;
    let spaces: Vec<_> = embedder.info.spaces().into_iter().map(|(space, _)| space).collect();
    let plan = ExtractPlan::new(&embedder, data.as_ref(), request.limit, request.grid, &spaces, Dtype::F16)?;
    let report = locality::measure(&embedder, &data, plan, &request.config, job.cancel, job.progress)?;
    Ok(LocalityResult {
        model: embedder.name,
        data: data.name(),
        split: data.split(),
        patch: request.grid.patch,
        stride: request.grid.stride,
        of: data.len(),
        images_order: format!("spread, seed {SPREAD_SEED}"),
        report,
    })
}
