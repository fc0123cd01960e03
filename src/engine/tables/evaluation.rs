//! Accuracy of a model's features, as units of work.

use std::sync::Arc;

use anyhow::ensure;

use crate::dataset::{self, DataSpec, Dataset, DecodingFacts, ImageOrder, SPREAD_SEED, Split};
use crate::embed::Embedder;
use crate::engine::ask::{EvalReport, EvalRequest, Holdout};
use crate::eval::EvalWork;
use crate::files;
use crate::model::ModelInfo;
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
struct Splits {
    sets: [Arc<dyn Dataset>; 2],
    holdout: Option<Holdout>,
    /// What is to be known of how they were drawn.
    warning: Option<String>,
}

impl Splits {
    fn of(request: &EvalRequest, model: &ModelInfo) -> anyhow::Result<Self> {
        let Some(share) = request.holdout else {
            return Ok(Self { sets: both(&request.data)?, holdout: None, warning: None });
        };
        let set = dataset::open(&request.data, None)?;
        let (seed, warning) = seed_of_draw(&set, (share, request.config.seed), model)?;
        let sets = dataset::divided(&request.data, &set, share, seed)?;
        Ok(Self { sets, holdout: Some(Holdout { share, seed }), warning })
    }
}

/// What draws a test split of `share` of `set`: the seed that is asked for, or, where the model's training kept a share of
/// these images, the seed of that, so that the model is asked about none that it was trained on. With what is to be known.
///
/// # Errors
/// A larger share than training kept; what cannot be drawn from.
fn seed_of_draw(
    set: &Arc<dyn Dataset>,
    (share, asked): (f64, u64),
    model: &ModelInfo,
) -> anyhow::Result<(u64, Option<String>)> {
    let Some((trained_name, trained_print)) = model.trained_data() else { return Ok((asked, None)) };
    let Some((kept, seed)) = model.trained_holdout() else {
        let is_same = set.fingerprint()? == trained_print;
        let words = || {
            format!(
                "the model was trained on {} without a holdout: it may have seen the images of the test split",
                set.name()
            )
        };
        return Ok((asked, is_same.then(words)));
    };
    let [trained, _] = dataset::drawn(set, kept, seed)?;
    let is_same = trained.fingerprint()? == trained_print;
    if !is_same && trained.name() != trained_name {
        return Ok((asked, None));
    }
    ensure!(
        share <= kept,
        "the model's training kept {kept} of each class of {} (seed {seed}), and was done on the rest: a test split of \
         {share} would have images of it; expected a holdout of {kept} or less",
        set.name()
    );
    let words = || {
        format!(
            "{} has changed since the model was trained on it: the seed of that draws another test split now, with images \
             that the model may have seen",
            set.name()
        )
    };
    Ok((seed, (!is_same).then(words)))
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
    splits: Splits,
    work: EvalWork,
}

impl Evaluating {
    /// Opens both splits.
    ///
    /// # Errors
    /// They cannot be opened, or what is asked for cannot be done with them.
    pub fn begin(request: EvalRequest, embedder: &Embedder) -> anyhow::Result<Self> {
        request.config.validate()?;
        let splits = Splits::of(&request, &embedder.info)?;
        let [train, test] = &splits.sets;
        let work = EvalWork::begin(embedder, [train, test], &request.config)?;
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
        let Self { request, splits: Splits { sets: [train, test], holdout, warning }, work } = self;
        EvalReport {
            holdout,
            warnings: warning.into_iter().collect(),
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
            decoding: match holdout {
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
