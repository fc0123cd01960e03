//! Accuracy of a model's features.

use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use crate::augment::Resize;
use crate::dataset::{self, DataSpec, Dataset, DecodingFacts, ImageOrder, SPREAD_SEED, Split};
use crate::engine::jobs::{Job, open_embedder};
use crate::eval::{self, EvalConfig, Evaluation};
use crate::files;
use crate::model::{ModelSpec, Stem};
use crate::progress::Cancelled;

/// `bagssl eval`.
pub struct EvalRequest {
    /// What is measured.
    pub model: ModelSpec,
    /// A set with a train and a test split, or with one of which a test split is drawn.
    pub data: DataSpec,
    /// Of a set with one split: the share of each class that is drawn as its test split.
    pub holdout: Option<f64>,
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
    pub stem: Option<Stem>,
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
    /// How the picture files of both splits were decoded, where a choice mattered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoding: Option<DecodingFacts>,
    /// The device's name.
    pub device: String,
    /// How the test split was drawn, where the set has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<Holdout>,
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

/// A test split that was drawn from a set of one split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Holdout {
    /// Share of the images of each class, 0 to 1.
    pub share: f64,
    /// Decides which.
    pub seed: u64,
}

/// Both splits: as they are there, or drawn.
fn splits(request: &EvalRequest) -> anyhow::Result<[Arc<dyn Dataset>; 2]> {
    let open = |split| dataset::open(&request.data, split);
    let Some(share) = request.holdout else {
        let [train, test] = [Split::Train, Split::Test].map(|split| open(Some(split)));
        let hint = "eval classifies a test split by a train split; --holdout 0.2 draws a fifth of each class as the \
                    test split of a set that has one split only";
        return Ok([train.context(hint)?, test.context(hint)?]);
    };
    dataset::divided(&request.data, &open(None)?, share, request.config.seed)
}

/// Classifies the test split by the train split.
pub fn evaluate(request: &EvalRequest, job: Job<'_>) -> anyhow::Result<EvalReport> {
    request.config.validate()?;
    let [train, test] = splits(request)?;
    let (open, embedder) = open_embedder(job.device, &request.model)?;
    let found = eval::evaluate(&embedder, &train, &test, &request.config, job.cancel, job.progress);
    let found = found.map_err(|error| {
        match (error.is::<Cancelled>() || files::is_read_error(&error), &request.config.cache) {
            (true, Some(_)) => {
                error.context("the features so far are kept, and the same command goes on from there")
            }
            (true, None) => {
                error.context("nothing is kept; with --cache DIR the same command goes on from there")
            }
            _ => error,
        }
    })?;
    Ok(EvalReport {
        holdout: request.holdout.map(|share| Holdout { share, seed: request.config.seed }),
        chance: 1.0 / train.classes().len() as f64,
        config: request.config.clone(),
        metric: "cosine",
        arch: embedder.info.backbone.title(),
        stem: embedder.info.backbone.stem(),
        input: embedder.info.input,
        resize: embedder.info.resize,
        mean: embedder.info.normalization.mean,
        std: embedder.info.normalization.std,
        model_hash: embedder.hash,
        model: embedder.name,
        data: train.name(),
        decoding: match request.holdout {
            // Both are of one set, whose facts each has.
            Some(_) => train.decoding(),
            None => DecodingFacts::of_both(train.decoding(), test.decoding()),
        },
        device: open.name,
        images_order: ImageOrder::Spread { seed: SPREAD_SEED, of: train.len() as u64 }.to_string(),
        found,
    })
}
