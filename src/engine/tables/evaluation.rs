//! Accuracy of a model's features, as units of work.

use std::sync::Arc;

use crate::dataset::{self, DataSpec, Dataset, DecodingFacts, ImageOrder, SPREAD_SEED, Split};
use crate::embed::Embedder;
use crate::engine::ask::{EvalReport, EvalRequest, Holdout};
use crate::eval::EvalWork;
use crate::files;
use crate::progress::{CancelToken, Cancelled, Progress};

/// Both splits as they are there.
fn both(data: &DataSpec) -> anyhow::Result<[Arc<dyn Dataset>; 2]> {
    let open = |split| dataset::open(data, split);
    let hint = "eval classifies a test split by a train split; --holdout 0.2 draws a fifth of each class as the \
                test split of a set that has one split only";
    // What does not open at all lacks more than a split.
    let split = |split| open(Some(split)).or_else(|error| open(None).and(Err(error.context(hint))));
    Ok([split(Split::Train)?, split(Split::Test)?])
}

/// Both splits: as they are there, or drawn.
fn splits(request: &EvalRequest) -> anyhow::Result<[Arc<dyn Dataset>; 2]> {
    let Some(share) = request.holdout else { return both(&request.data) };
    dataset::divided(&request.data, &dataset::open(&request.data, None)?, share, request.config.seed)
}

/// Fingerprints of the images of an evaluation: of both splits, or of the set that a test split is drawn from.
///
/// # Errors
/// It cannot be opened or read.
pub fn fingerprints(data: &DataSpec, holdout: Option<f64>) -> anyhow::Result<Vec<String>> {
    let sets = match holdout {
        Some(_) => vec![dataset::open(data, None)?],
        None => both(data)?.to_vec(),
    };
    sets.iter().map(|set| set.fingerprint()).collect()
}

/// An evaluation at work, unit by unit.
pub struct Evaluating {
    request: EvalRequest,
    splits: [Arc<dyn Dataset>; 2],
    work: EvalWork,
}

impl Evaluating {
    /// Opens both splits.
    ///
    /// # Errors
    /// They cannot be opened, or what is asked for cannot be done with them.
    pub fn begin(request: EvalRequest, embedder: &Embedder) -> anyhow::Result<Self> {
        request.config.validate()?;
        let splits = splits(&request)?;
        let work = EvalWork::begin(embedder, [&splits[0], &splits[1]], &request.config)?;
        Ok(Self { request, splits, work })
    }

    /// Does one unit of at most so many `inputs` to the network. Returns whether all is done.
    ///
    /// # Errors
    /// Those of the work, with what is kept of it.
    pub fn advance(
        &mut self,
        embedder: &Embedder,
        inputs: usize,
        cancel: &CancelToken,
        progress: &mut dyn FnMut(Progress),
    ) -> anyhow::Result<bool> {
        self.work.advance(embedder, inputs, cancel, progress).map_err(|error| {
            match (error.is::<Cancelled>() || files::is_read_error(&error), &self.request.config.cache) {
                (true, Some(_)) => {
                    error.context("the features so far are kept, and the same command goes on from there")
                }
                (true, None) => {
                    error.context("nothing is kept; with --cache DIR the same command goes on from there")
                }
                _ => error,
            }
        })
    }

    /// What was found, once all is done.
    pub fn finish(self, embedder: &Embedder, device: &str) -> EvalReport {
        let Self { request, splits: [train, test], work } = self;
        EvalReport {
            holdout: request.holdout.map(|share| Holdout { share, seed: request.config.seed }),
            chance: 1.0 / train.classes().len() as f64,
            metric: "cosine",
            arch: embedder.info.backbone.title(),
            stem: embedder.info.backbone.stem(),
            input: embedder.info.input,
            resize: embedder.info.resize,
            mean: embedder.info.normalization.mean,
            std: embedder.info.normalization.std,
            model_hash: embedder.hash.clone(),
            model: embedder.name.clone(),
            data: train.name(),
            decoding: match request.holdout {
                // Both are of one set, whose facts each has.
                Some(_) => train.decoding(),
                None => DecodingFacts::of_both(train.decoding(), test.decoding()),
            },
            device: device.to_owned(),
            images_order: ImageOrder::Spread { seed: SPREAD_SEED, of: train.len() as u64 }.to_string(),
            config: request.config,
            found: work.finish(),
        }
    }
}
