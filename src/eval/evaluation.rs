//! The evaluation as a whole: both splits become vectors, classifiers tell the class of the test images.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use rayon::prelude::*;
use serde::Serialize;

use super::aggregate::{self, Aggregate};
use super::cache::Cache;
use super::config::{Classifier, EvalConfig, chosen};
use super::features::Features;
use super::knn;
use super::linear::LinearProbe;
use super::plan::FeaturePlan;
use crate::augment::Crop;
use crate::dataset::{Coverage, Dataset, class_difference};
use crate::embed::Embedder;
use crate::progress::{CancelToken, Progress};
use crate::stats::{Interval, wilson};

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvalRow {
    /// What told the class.
    pub classifier: Classifier,
    /// How images became vectors.
    pub patches: Aggregate,
    /// The fewest patches that an image gave, where that is less than asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fewest_patches: Option<usize>,
    /// Part of the test images that are classified right, 0 to 1.
    pub accuracy: f64,
    /// Ends of its interval of 95 % (Wilson 1927), for the choice of test images alone.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Test images.
    pub images: usize,
    /// Images that the classifier was made from.
    pub train_images: usize,
    /// Values of a vector.
    pub width: usize,
    /// Of the linear probe: accuracy on its own images, and mean loss over its last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Of the linear probe: mean loss over its last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_loss: Option<f64>,
    /// Of the classifier; embedding is shared by all rows.
    pub seconds: f64,
}

/// All rows, and what they were made from.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Classifier by classifier, each with every aggregate, in the order of the configuration.
    pub rows: Vec<EvalRow>,
    /// Images of the train split that were used.
    pub train: Coverage,
    /// Images of the test split that were used.
    pub test: Coverage,
    /// Classes of which no test image was used: nothing is known of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes_without_test_images: Vec<String>,
    /// Classes of which no training image was used: their test images cannot be told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes_without_train_images: Vec<String>,
    /// Time that both splits took to become vectors.
    pub embedding_seconds: f64,
}

/// Embeds both splits and classifies the test images by the train images.
pub fn evaluate(
    embedder: &Embedder,
    train: &Arc<dyn Dataset>,
    test: &Arc<dyn Dataset>,
    config: &EvalConfig,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<Evaluation> {
    config.validate()?;
    let classes = train.classes().len();
    ensure!(classes >= 2, "{} has {classes} classes; a classifier needs at least 2", train.name());
    ensure!(
        train.classes() == test.classes(),
        "{} and {} have different classes ({})",
        train.name(),
        test.name(),
        class_difference(train.as_ref(), test.as_ref())
    );
    let plan = FeaturePlan {
        embedder,
        aggregates: &config.patches,
        crop: config.crop,
        fit: config.fit,
        seed: config.seed,
    };
    let started = Instant::now();
    let chosen = [chosen(train.as_ref(), config.limit_train), chosen(test.as_ref(), config.limit_test)];
    plan.ensure_fits(chosen[0].len() + chosen[1].len(), classes)?;
    let total = plan.inputs_per_image() * (chosen[0].len() + chosen[1].len()) as u64;
    let (mut done, mut resumed) = (0, 0);
    let mut tick = |inputs: u64, from_cache: bool| {
        done += inputs;
        resumed += if from_cache { inputs } else { 0 };
        let elapsed = started.elapsed();
        progress(Progress { what: "embedding", done, total, resumed, unit: "patches", elapsed });
    };
    let mut tables = vec![];
    let mut parts = vec![];
    for (data, chosen) in [train, test].into_iter().zip(&chosen) {
        plan.check(data.as_ref())?;
        let cache = config.cache.as_ref().map(|folder| Cache::open(folder, &plan, data.as_ref(), chosen));
        let cache = cache.transpose()?;
        let found = plan
            .features(data.as_ref(), chosen, cache.as_ref(), cancel, &mut tick)
            .with_context(|| data.name())?;
        let images = chosen.len() - found.skipped.len();
        let skipped = [data.skipped(), &found.skipped].concat();
        parts.push(Coverage { images, of: data.len(), skipped });
        tables.push(found.tables);
    }
    let embedding_seconds = started.elapsed().as_secs_f64();
    let [train_tables, test_tables] = tables.try_into().map_err(|_| anyhow::anyhow!("two splits"))?;
    let [train_part, test_part] = parts.try_into().map_err(|_| anyhow::anyhow!("two splits"))?;
    let fewest = fewest_patches(config, [train, test], &chosen);
    let pairs: Vec<Pair> = (config.patches.iter().zip(&train_tables).zip(&test_tables))
        .map(|((aggregate, known), asked)| Pair { aggregate: *aggregate, known, asked, classes, fewest })
        .collect();
    let rows = classify(&pairs, config, cancel, progress)?;
    Ok(Evaluation {
        rows,
        train: train_part,
        test: test_part,
        classes_without_test_images: classes_without_images(train.classes(), &test_tables),
        classes_without_train_images: classes_without_images(train.classes(), &train_tables),
        embedding_seconds,
    })
}

fn classes_without_images(classes: &[String], tables: &[Features]) -> Vec<String> {
    let seen: HashSet<usize> =
        tables.iter().flat_map(|table| &table.labels).map(|label| *label as usize).collect();
    let without = |(label, name): (usize, &String)| (!seen.contains(&label)).then(|| name.clone());
    classes.iter().enumerate().filter_map(without).collect()
}

/// Places of a patch on the smallest image.
fn fewest_patches(
    config: &EvalConfig,
    splits: [&Arc<dyn Dataset>; 2],
    chosen: &[Vec<usize>; 2],
) -> Option<usize> {
    let Some(Crop::Fixed { size }) = config.crop else { return None };
    if let Some(side) = config.fit {
        return Some(aggregate::positions(size, side, side));
    }
    let places = splits.into_iter().zip(chosen).flat_map(|(data, chosen)| {
        chosen.iter().map(move |index| {
            let (height, width) = data.dimensions(*index);
            aggregate::positions(size, height, width)
        })
    });
    // Images on which none fits were skipped.
    places.filter(|&count| count > 0).min()
}

/// Vectors by one aggregate.
struct Pair<'a> {
    aggregate: Aggregate,
    known: &'a Features,
    asked: &'a Features,
    classes: usize,
    /// Places of a patch on the smallest image.
    fewest: Option<usize>,
}

impl Pair<'_> {
    fn row(&self, classifier: Classifier, accuracy: f64, seconds: f64) -> EvalRow {
        let images = self.asked.labels.len();
        let right = (accuracy * images as f64).round() as usize;
        let Interval { low, high, .. } = wilson(right, images);
        let asked_for = if let Aggregate::Mean(count) = self.aggregate { count } else { 0 };
        EvalRow {
            classifier,
            patches: self.aggregate,
            fewest_patches: self.fewest.filter(|&fewest| fewest < asked_for),
            accuracy,
            low,
            high,
            images,
            train_images: self.known.labels.len(),
            width: self.known.width,
            train_accuracy: None,
            train_loss: None,
            seconds,
        }
    }
}

fn classify(
    pairs: &[Pair<'_>],
    config: &EvalConfig,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<Vec<EvalRow>> {
    let mut rows = vec![];
    for classifier in &config.classifiers {
        match classifier {
            Classifier::Knn => {
                for pair in pairs {
                    cancel.check()?;
                    let clock = Instant::now();
                    let accuracy = knn::accuracy(pair.known, pair.asked, pair.classes, &config.knn);
                    rows.push(pair.row(Classifier::Knn, accuracy, clock.elapsed().as_secs_f64()));
                }
            }
            Classifier::Linear => rows.extend(linear_rows(pairs, config, cancel, progress)?),
        }
    }
    Ok(rows)
}

/// All probes learn side by side, one epoch at a time; the seconds of a row are those of its own probe.
fn linear_rows<'a>(
    pairs: &'a [Pair<'a>],
    config: &EvalConfig,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<Vec<EvalRow>> {
    let started = Instant::now();
    let fresh = |pair: &'a Pair<'a>| (LinearProbe::new(pair.known, pair.classes, config.linear), 0.0);
    let mut probes: Vec<(LinearProbe<'_>, f64)> = pairs.iter().map(fresh).collect();
    let total = config.linear.epochs as u64;
    for done in 1..=total {
        cancel.check()?;
        probes.par_iter_mut().for_each(|(probe, seconds)| {
            let clock = Instant::now();
            probe.advance(config.seed);
            *seconds += clock.elapsed().as_secs_f64();
        });
        let elapsed = started.elapsed();
        progress(Progress { what: "linear probe", done, total, resumed: 0, unit: "epochs", elapsed });
    }
    let row = |(pair, (probe, seconds)): (&Pair, &(LinearProbe, f64))| {
        let accuracy = probe.accuracy(pair.asked).with_context(|| format!("{} patches", pair.aggregate))?;
        let (train_accuracy, train_loss) = (Some(probe.accuracy(pair.known)?), Some(probe.loss()));
        Ok(EvalRow { train_accuracy, train_loss, ..pair.row(Classifier::Linear, accuracy, *seconds) })
    };
    pairs.iter().zip(&probes).map(row).collect()
}
