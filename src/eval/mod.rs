//! Evaluation: image features by aggregating patches, and classifiers on them.

pub mod aggregate;
pub mod knn;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Serialize;

use crate::dataset::Dataset;
use crate::embed::Embedder;
use crate::progress::{CancelToken, Progress};
use aggregate::{Features, Patches};
use knn::KnnConfig;

/// What to evaluate; all of it is printed with the result.
#[derive(Clone, Debug, Serialize)]
pub struct EvalConfig {
    /// Patch size, pixels.
    pub patch: u32,
    pub patches: Vec<Patches>,
    pub knn: KnnConfig,
    pub seed: u64,
}

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvalRow {
    pub classifier: &'static str,
    pub patches: String,
    /// Part of the test images that are classified right, 0 to 1.
    pub accuracy: f64,
    /// Test images.
    pub images: usize,
    /// Images that the classifier knows.
    pub train_images: usize,
    pub seconds: f64,
}

/// Embeds both splits and classifies the test images by their neighbours among the train images.
pub fn evaluate(
    embedder: &Embedder,
    train: &Arc<dyn Dataset>,
    test: &Arc<dyn Dataset>,
    config: &EvalConfig,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<Vec<EvalRow>> {
    let classes = train.classes().len();
    ensure!(classes >= 2, "{} has {classes} classes; a classifier needs at least 2", train.name());
    ensure!(train.classes() == test.classes(), "{} and {} have different classes", train.name(), test.name());
    let KnnConfig { k, temperature } = config.knn;
    ensure!(k >= 1, "k of the kNN classifier is 0; expected at least 1");
    ensure!(
        temperature.is_finite() && temperature > 0.0,
        "temperature of the kNN classifier is {temperature}; expected more than 0"
    );
    let started = Instant::now();
    let total = ((train.len() + test.len()) * config.patches.len()) as u64;
    let mut done = 0;
    let mut tick = |images: u64| {
        done += images;
        let elapsed = started.elapsed();
        progress(Progress { what: "evaluating", done, total, resumed: 0, unit: "images", elapsed });
    };
    let mut rows = vec![];
    for &patches in &config.patches {
        let clock = Instant::now();
        let mut features = |data: &Arc<dyn Dataset>| -> anyhow::Result<Features> {
            aggregate::features(embedder, data.as_ref(), patches, config, cancel, &mut tick)
                .with_context(|| data.name())
        };
        let (known, asked) = (features(train)?, features(test)?);
        let accuracy = knn::accuracy(&known, &asked, classes, &config.knn);
        rows.push(EvalRow {
            classifier: "knn",
            patches: patches.to_string(),
            accuracy,
            images: asked.labels.len(),
            train_images: known.labels.len(),
            seconds: clock.elapsed().as_secs_f64(),
        });
    }
    Ok(rows)
}
