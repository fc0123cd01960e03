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
use super::knn::KnnWork;
use super::linear::LinearProbe;
use super::plan::{FeaturePlan, inputs_per_image};
use super::split::{SplitUnit, SplitWork};
use crate::augment::{Crop, ViewConfig};
use crate::dataset::{Coverage, Dataset, class_difference};
use crate::embed::Embedder;
use crate::memory::NoRoom;
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

/// Embeds both splits and classifies the test images by the train images, a unit at a time, so that other work comes
/// between.
pub struct EvalWork {
    config: EvalConfig,
    /// How the crops of a mean are changed; empty where they are clean.
    views: Vec<ViewConfig>,
    classes: usize,
    splits: [SplitPart; 2],
    /// Places of a patch on the smallest image.
    fewest: Option<usize>,
    inputs: InputCount,
    embedding_seconds: f64,
    /// Classifiers that are done.
    classified: usize,
    current: Option<ClassifierWork>,
    rows: Vec<EvalRow>,
}

/// One split on its way to vectors.
struct SplitPart {
    data: Arc<dyn Dataset>,
    work: SplitWork,
    /// One for each aggregate, once all are there.
    tables: Vec<Arc<Features>>,
    coverage: Option<Coverage>,
}

/// Inputs to the network, and since when they are counted.
struct InputCount {
    done: u64,
    total: u64,
    resumed: u64,
    started: Instant,
}

/// A classifier at work.
enum ClassifierWork {
    /// The aggregate, its queries, the time so far, seconds, and when they began.
    Knn(usize, KnnWork, f64, Instant),
    /// All probes side by side with the time of each, seconds, and when they began.
    Linear(Vec<(LinearProbe, f64)>, u64, Instant),
}

impl EvalWork {
    /// Nothing is done yet.
    ///
    /// # Errors
    /// What cannot be done with these images: classes, memory, sizes; a cache that is in use.
    pub fn begin(
        embedder: &Embedder,
        splits: [&Arc<dyn Dataset>; 2],
        config: &EvalConfig,
    ) -> anyhow::Result<Self> {
        Self::begin_where(embedder, splits, config, |plan, images, classes| plan.ensure_fits(images, classes))
    }

    /// As [`EvalWork::begin`], with what tells whether the vectors of so many images, for so many classes, fit into memory.
    /// Those that do not lie in files beside the cache.
    fn begin_where(
        embedder: &Embedder,
        [train, test]: [&Arc<dyn Dataset>; 2],
        config: &EvalConfig,
        fit: impl FnOnce(&FeaturePlan<'_>, usize, usize) -> Result<(), NoRoom>,
    ) -> anyhow::Result<Self> {
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
        let views = if config.augmented { embedder.info.trained_views() } else { vec![] };
        ensure!(
            !config.augmented || !views.is_empty(),
            "the file of {} does not say how its training views were made, so that none can be augmented like them",
            embedder.name
        );
        let plan = feature_plan(embedder, config, &views);
        let train_chosen = chosen(train.as_ref(), config.limit_train);
        let test_chosen = chosen(test.as_ref(), config.limit_test);
        let images = train_chosen.len() + test_chosen.len();
        let in_files = match (fit(&plan, images, classes), &config.cache) {
            (Ok(()), _) => false,
            (Err(no_room), None) => return Err(no_room.into()),
            (Err(_), Some(_)) => {
                plan.ensure_fits(0, classes)?;
                true
            }
        };
        let part = |data: &Arc<dyn Dataset>, chosen: Vec<usize>| {
            plan.check(data.as_ref())?;
            let cache =
                config.cache.as_ref().map(|folder| Cache::open(folder, &plan, data.as_ref(), &chosen));
            let work = SplitWork::new(chosen, cache.transpose()?, &config.patches, in_files)?;
            anyhow::Ok(SplitPart { data: data.clone(), work, tables: vec![], coverage: None })
        };
        let splits = [part(train, train_chosen)?, part(test, test_chosen)?];
        let total = inputs_per_image(&config.patches) * images as u64;
        Ok(Self {
            fewest: fewest_patches(config, &splits),
            config: config.clone(),
            views,
            classes,
            splits,
            inputs: InputCount { done: 0, total, resumed: 0, started: Instant::now() },
            embedding_seconds: 0.0,
            classified: 0,
            current: None,
            rows: vec![],
        })
    }

    /// Does one unit: at most `inputs` inputs to the network, unless one image has more, or a part of a classifier.
    /// Returns whether all is done.
    ///
    /// # Errors
    /// A file, a network or a probe that fails; cancelled.
    pub fn advance(
        &mut self,
        embedder: &Embedder,
        inputs: usize,
        cancel: &CancelToken,
        progress: &mut dyn FnMut(Progress),
    ) -> anyhow::Result<bool> {
        cancel.check()?;
        match self.splits.iter().position(|split| split.coverage.is_none()) {
            Some(split) => self.embed(split, embedder, inputs, cancel, progress)?,
            None => self.classify(progress)?,
        }
        Ok(self.classified == self.config.classifiers.len())
    }

    fn embed(
        &mut self,
        split: usize,
        embedder: &Embedder,
        inputs: usize,
        cancel: &CancelToken,
        progress: &mut dyn FnMut(Progress),
    ) -> anyhow::Result<()> {
        let clock = Instant::now();
        let plan = feature_plan(embedder, &self.config, &self.views);
        let SplitPart { data, work, tables, coverage } = &mut self.splits[split];
        let (count, unit) = (&mut self.inputs, self.config.unit());
        let mut tick = |inputs: u64, from_cache: bool| {
            count.done += inputs;
            count.resumed += if from_cache { inputs } else { 0 };
            let InputCount { done, total, resumed, started } = *count;
            let elapsed = started.elapsed();
            progress(Progress { what: "embedding", done, total, resumed, unit, elapsed });
        };
        let unit = SplitUnit { plan: &plan, inputs, cancel, tick: &mut tick };
        if work.advance(data.as_ref(), unit).with_context(|| data.name())? {
            let found = work.finish()?;
            let images = work.images() - found.skipped.len();
            let skipped = [data.skipped(), &found.skipped].concat();
            *coverage = Some(Coverage { images, of: data.len(), skipped });
            *tables = found.tables.into_iter().map(Arc::new).collect();
        }
        self.embedding_seconds += clock.elapsed().as_secs_f64();
        Ok(())
    }

    /// Vectors by one aggregate.
    fn pair(&self, place: usize) -> Pair<'_> {
        let [known, asked] = [0, 1].map(|split: usize| &self.splits[split].tables[place]);
        let aggregate = self.config.patches[place];
        Pair { aggregate, known, asked, classes: self.classes, fewest: self.fewest }
    }

    fn classify(&mut self, progress: &mut dyn FnMut(Progress)) -> anyhow::Result<()> {
        let Some(classifier) = self.config.classifiers.get(self.classified) else { return Ok(()) };
        let pairs = self.config.patches.len();
        let work = self.current.take().unwrap_or_else(|| match classifier {
            Classifier::Knn => ClassifierWork::Knn(0, self.pair(0).knn(&self.config), 0.0, Instant::now()),
            Classifier::Linear => {
                let fresh = |place| (self.pair(place).probe(&self.config), 0.0);
                ClassifierWork::Linear((0..pairs).map(fresh).collect(), 0, Instant::now())
            }
        });
        match work {
            ClassifierWork::Knn(place, mut knn, seconds, started) => {
                let clock = Instant::now();
                let is_done = knn.advance();
                let seconds = seconds + clock.elapsed().as_secs_f64();
                let [done, total] = [knn.done() + place * knn.total(), pairs * knn.total()].map(|n| n as u64);
                let elapsed = started.elapsed();
                progress(Progress { what: "comparing", done, total, resumed: 0, unit: "images", elapsed });
                if !is_done {
                    self.current = Some(ClassifierWork::Knn(place, knn, seconds, started));
                    return Ok(());
                }
                self.rows.push(self.pair(place).row(Classifier::Knn, knn.accuracy(), seconds)?);
                match place + 1 == pairs {
                    true => self.classified += 1,
                    false => {
                        let next = self.pair(place + 1).knn(&self.config);
                        self.current = Some(ClassifierWork::Knn(place + 1, next, 0.0, started));
                    }
                }
            }
            ClassifierWork::Linear(mut probes, done, started) => {
                let done = done + 1;
                epoch(&mut probes, self.config.seed);
                let (total, elapsed) = (self.config.linear.epochs as u64, started.elapsed());
                progress(Progress { what: "linear probe", done, total, resumed: 0, unit: "epochs", elapsed });
                match done >= total {
                    true => self.end_probes(&probes)?,
                    false => self.current = Some(ClassifierWork::Linear(probes, done, started)),
                }
            }
        }
        Ok(())
    }

    fn end_probes(&mut self, probes: &[(LinearProbe, f64)]) -> anyhow::Result<()> {
        let mut rows = vec![];
        for (place, (probe, seconds)) in probes.iter().enumerate() {
            let pair = self.pair(place);
            let accuracy =
                probe.accuracy(pair.asked).with_context(|| format!("{} patches", pair.aggregate))?;
            let (train_accuracy, train_loss) = (Some(probe.accuracy(pair.known)?), Some(probe.loss()));
            rows.push(EvalRow {
                train_accuracy,
                train_loss,
                ..pair.row(Classifier::Linear, accuracy, *seconds)?
            });
        }
        self.rows.extend(rows);
        self.classified += 1;
        Ok(())
    }

    /// What was found, once all is done.
    pub fn finish(self) -> Evaluation {
        let [train, test] = self.splits;
        let names = train.data.classes();
        Evaluation {
            rows: self.rows,
            classes_without_test_images: classes_without_images(names, &test.tables),
            classes_without_train_images: classes_without_images(names, &train.tables),
            train: train.coverage.unwrap_or_default(),
            test: test.coverage.unwrap_or_default(),
            embedding_seconds: self.embedding_seconds,
        }
    }
}

/// All probes learn side by side, one epoch at a time; the seconds of each are its own.
fn epoch(probes: &mut [(LinearProbe, f64)], seed: u64) {
    probes.par_iter_mut().for_each(|(probe, seconds)| {
        let clock = Instant::now();
        probe.advance(seed);
        *seconds += clock.elapsed().as_secs_f64();
    });
}

fn feature_plan<'a>(
    embedder: &'a Embedder,
    config: &'a EvalConfig,
    views: &'a [ViewConfig],
) -> FeaturePlan<'a> {
    let EvalConfig { crop, fit, seed, space, .. } = *config;
    FeaturePlan { embedder, aggregates: &config.patches, crop, fit, seed, space, views }
}

fn classes_without_images(classes: &[String], tables: &[Arc<Features>]) -> Vec<String> {
    let seen: HashSet<usize> =
        tables.iter().flat_map(|table| &table.labels).map(|label| *label as usize).collect();
    let without = |(label, name): (usize, &String)| (!seen.contains(&label)).then(|| name.clone());
    classes.iter().enumerate().filter_map(without).collect()
}

/// Places of a patch on the smallest image.
fn fewest_patches(config: &EvalConfig, splits: &[SplitPart; 2]) -> Option<usize> {
    let Some(Crop::Fixed { size }) = config.crop else { return None };
    if let Some(side) = config.fit {
        return Some(aggregate::positions(size, side, side));
    }
    let places = splits.iter().flat_map(|split| {
        split.work.indices().iter().map(move |index| {
            let (height, width) = split.data.dimensions(*index);
            aggregate::positions(size, height, width)
        })
    });
    // Images on which none fits were skipped.
    places.filter(|&count| count > 0).min()
}

/// Vectors by one aggregate.
struct Pair<'a> {
    aggregate: Aggregate,
    known: &'a Arc<Features>,
    asked: &'a Arc<Features>,
    classes: usize,
    /// Places of a patch on the smallest image.
    fewest: Option<usize>,
}

impl Pair<'_> {
    fn knn(&self, config: &EvalConfig) -> KnnWork {
        KnnWork::new(self.known.clone(), self.asked.clone(), self.classes, config.knn)
    }

    fn probe(&self, config: &EvalConfig) -> LinearProbe {
        LinearProbe::new(self.known.clone(), self.classes, config.linear)
    }

    /// # Errors
    /// Vectors in a file that were not all there.
    fn row(&self, classifier: Classifier, accuracy: f64, seconds: f64) -> anyhow::Result<EvalRow> {
        [self.known, self.asked].into_iter().try_for_each(|features| features.values.check())?;
        let images = self.asked.labels.len();
        let right = (accuracy * images as f64).round() as usize;
        let Interval { low, high, .. } = wilson(right, images);
        let asked_for = if let Aggregate::Mean(count) = self.aggregate { count } else { 0 };
        Ok(EvalRow {
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
        })
    }
}

#[cfg(test)]
#[path = "evaluation_tests.rs"]
mod tests;
