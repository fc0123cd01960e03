//! kNN accuracy while a model trains: a few train and held-out images, kept decoded, embedded anew by
//! each state of the model.
//!
//! An [`OnlineKnn`] is made once. For a measurement, [`OnlineKnn::start`] takes an [`Embedder`] of the
//! weights at that moment; [`OnlineRound::advance`] does one batch at a time, so that a caller on the thread
//! that owns the tensors can answer clicks in between.

use std::sync::Arc;

use anyhow::{Context, ensure};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::aggregate;
use super::features::{Features, GatheredFeatures};
use super::knn::{self, KnnConfig};
use super::values::GatheredValues;
use crate::augment::Crop;
use crate::dataset::{Dataset, class_difference};
use crate::embed::{BATCH, Embedder, PatchSource};
use crate::image::Image;
use crate::model::Space;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnlineConfig {
    /// Side of the patches, pixels; the whole image where absent.
    pub patch: Option<u32>,
    /// Patches whose mean is an image's vector.
    pub patches: usize,
    /// Decides the positions of patches.
    pub seed: u64,
}

impl Default for OnlineConfig {
    fn default() -> Self {
        Self { patch: None, patches: 4, seed: 0 }
    }
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnlineResult {
    /// Part of the held-out images that is classified right, 0 to 1, in h.
    pub h: f64,
    /// In z, where the model has a projector.
    pub z: Option<f64>,
    /// Accuracy of a guess.
    pub chance: f64,
    /// Held-out images, of so many.
    pub images: usize,
    /// Held-out images that there are.
    pub of: usize,
    /// Images that vote, of so many.
    pub train_images: usize,
    /// Train images that there are.
    pub train_of: usize,
}

/// Images to measure on.
pub struct OnlineKnn {
    config: OnlineConfig,
    classes: usize,
    /// The train images, then the held-out ones.
    images: Vec<Chosen>,
    train_images: usize,
    train_of: usize,
    of: usize,
}

struct Chosen {
    index: usize,
    image: Arc<Image>,
    label: u32,
}

impl OnlineKnn {
    /// Reads the images of both sets, those of `train` to vote and those of `held_out` to be classified. Unreadable ones,
    /// those without a label and those that are too small for a patch are left out (the result counts the rest).
    ///
    /// # Errors
    /// Fewer than two classes, other classes in `held_out`, no usable image in one of the two.
    pub fn new(
        (train, voters): (&dyn Dataset, &[usize]),
        (held_out, asked): (&dyn Dataset, &[usize]),
        config: OnlineConfig,
    ) -> anyhow::Result<Arc<Self>> {
        let classes = train.classes().len();
        ensure!(classes >= 2, "{} has {classes} classes; kNN accuracy needs at least 2", train.name());
        ensure!(
            train.classes() == held_out.classes(),
            "{} and {} have different classes ({})",
            train.name(),
            held_out.name(),
            class_difference(train, held_out)
        );
        ensure!(config.patches >= 1, "patches of the online kNN is 0; expected at least 1");
        let mut images = chosen(train, voters, config.patch)?;
        let train_images = images.len();
        images.extend(chosen(held_out, asked, config.patch)?);
        Ok(Arc::new(Self {
            config,
            classes,
            images,
            train_images,
            train_of: train.len(),
            of: held_out.len(),
        }))
    }

    /// Begins a measurement of `embedder`.
    pub fn start(self: &Arc<Self>, embedder: Embedder) -> OnlineRound {
        let spaces = embedder.info.spaces();
        let table = |(_, width): &(Space, usize)| GatheredFeatures::new(GatheredValues::Held(vec![]), *width);
        let tables = spaces.iter().map(table);
        OnlineRound {
            tables: tables.collect(),
            spaces: spaces.into_iter().map(|(space, _)| space).collect(),
            knn: self.clone(),
            embedder,
            done: 0,
        }
    }

    /// A whole measurement at once.
    pub fn measure(self: &Arc<Self>, embedder: Embedder) -> anyhow::Result<OnlineResult> {
        let mut round = self.start(embedder);
        loop {
            if let Some(result) = round.advance()? {
                return Ok(result);
            }
        }
    }
}

fn chosen(data: &dyn Dataset, indices: &[usize], patch: Option<u32>) -> anyhow::Result<Vec<Chosen>> {
    let side = patch.unwrap_or(1);
    let read = |index: usize| -> anyhow::Result<Option<Chosen>> {
        let Some(image) = data.image_if_readable(index)? else { return Ok(None) };
        let is_large = image.height().min(image.width()) >= side;
        let label = data.label(index).filter(|_| is_large);
        Ok(label.map(|label| Chosen { index, image: Arc::new(image), label }))
    };
    let images: Vec<Chosen> =
        indices.par_iter().filter_map(|&index| read(index).transpose()).collect::<anyhow::Result<_>>()?;
    ensure!(
        !images.is_empty(),
        "none of {} images of {} has a label and {side} x {side} pixels or more",
        indices.len(),
        data.name()
    );
    Ok(images)
}

/// A measurement in progress.
pub struct OnlineRound {
    knn: Arc<OnlineKnn>,
    embedder: Embedder,
    spaces: Vec<Space>,
    /// One for each space, of the images that are done.
    tables: Vec<GatheredFeatures>,
    done: usize,
}

impl OnlineRound {
    /// Images done and in all.
    pub fn progress(&self) -> (usize, usize) {
        (self.done, self.knn.images.len())
    }

    /// Embeds the next images, about one batch of patches. The result comes with the last ones.
    pub fn advance(&mut self) -> anyhow::Result<Option<OnlineResult>> {
        let OnlineConfig { patch, patches, seed, .. } = self.knn.config;
        let per_image = if patch.is_some() { patches } else { 1 };
        let end = self.knn.images.len().min(self.done + (BATCH / per_image).max(1));
        let images = &self.knn.images[self.done..end];
        match patch {
            None => {
                let whole: Vec<Arc<Image>> = images.iter().map(|chosen| chosen.image.clone()).collect();
                let vectors = self.embedder.centrals(&whole, &self.spaces)?;
                for (table, rows) in self.tables.iter_mut().zip(vectors) {
                    table.values.extend(&rows, self.knn.images.len() * table.width)?;
                }
            }
            Some(size) => {
                let mut sources = vec![];
                let mut counts = vec![];
                for Chosen { index, image, .. } in images {
                    let sides = (image.height(), image.width());
                    let crops = aggregate::crops(Crop::Fixed { size }, sides, *index, patches, seed)?;
                    counts.push(crops.len());
                    let source = |crop: crate::augment::CropBox| PatchSource {
                        image: image.clone(),
                        y: crop.y,
                        x: crop.x,
                    };
                    sources.extend(crops.into_iter().map(source));
                }
                let vectors = self.embedder.patches(&sources, size, &self.spaces)?;
                for (table, rows) in self.tables.iter_mut().zip(vectors) {
                    let means = means_of_groups(&rows, table.width, &counts);
                    table.values.extend(&means, self.knn.images.len() * table.width)?;
                }
            }
        }
        let labels = images.iter().map(|chosen| chosen.label);
        self.tables.iter_mut().for_each(|table| table.labels.extend(labels.clone()));
        self.done = end;
        (self.done == self.knn.images.len()).then(|| self.result()).transpose()
    }

    fn result(&mut self) -> anyhow::Result<OnlineResult> {
        let accuracy = |table: GatheredFeatures| {
            let (known, asked) = split(&table.finish()?, self.knn.train_images);
            Ok(knn::accuracy(&known, &asked, self.knn.classes, &KnnConfig::default()))
        };
        let tables = std::mem::take(&mut self.tables).into_iter();
        let found: Vec<f64> = tables.map(accuracy).collect::<anyhow::Result<_>>()?;
        let of_space = |wanted| self.spaces.iter().position(|space| *space == wanted).map(|at| found[at]);
        Ok(OnlineResult {
            h: of_space(Space::H).context("a model without h")?,
            z: of_space(Space::Z),
            chance: 1.0 / self.knn.classes as f64,
            images: self.knn.images.len() - self.knn.train_images,
            of: self.knn.of,
            train_images: self.knn.train_images,
            train_of: self.knn.train_of,
        })
    }
}

/// The first `count` rows, and the rest.
fn split(table: &Features, count: usize) -> (Features, Features) {
    let part = |values: &[f32], labels: &[u32]| Features {
        values: values.to_vec().into(),
        width: table.width,
        labels: labels.to_vec(),
    };
    let (first, rest) = table.values.split_at(count * table.width);
    let (first_labels, rest_labels) = table.labels.split_at(count);
    (part(first, first_labels), part(rest, rest_labels))
}

/// The mean over each group of `counts[i]` rows.
///
/// # Shapes
/// - rows: `[sum of counts, width]`
/// - output: `[counts.len(), width]`
fn means_of_groups(rows: &[f32], width: usize, counts: &[usize]) -> Vec<f32> {
    let mut start = 0;
    let mean = |count: &usize| {
        let group = &rows[start * width..(start + count) * width];
        start += count;
        super::features::mean_of_rows(group, width)
    };
    counts.iter().flat_map(mean).collect()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::dataset::{self, Split, spread};
    use crate::eval::aggregate::Aggregate;
    use crate::eval::plan::FeaturePlan;
    use crate::eval::split::{SplitUnit, SplitWork};
    use crate::model::store;
    use crate::progress::CancelToken;

    fn embedder() -> Embedder {
        let device = Device::flex();
        Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device)
    }

    /// Step by step as at once, and as `bagssl eval` on the same images and patches.
    #[test]
    fn a_round_measures_what_an_evaluation_measures() {
        let open = |split| dataset::open("demo", Some(split)).unwrap();
        let (train, test) = (open(Split::Train), open(Split::Test));
        for (patch, aggregate) in [(None, Aggregate::Central), (Some(16), Aggregate::Mean(3))] {
            let config = OnlineConfig { patch, patches: 3, seed: 5 };
            let [known, asked] = [(&train, 90), (&test, 40)].map(|(set, n)| spread(set.as_ref(), n, 0));
            let knn = OnlineKnn::new((train.as_ref(), &known), (test.as_ref(), &asked), config).unwrap();
            let mut round = knn.start(embedder());
            let mut calls = 1;
            let found = loop {
                if let Some(found) = round.advance().unwrap() {
                    break found;
                }
                assert!(round.progress().0 < 130);
                calls += 1;
            };
            assert!(calls >= 2, "one batch at a time");
            assert_eq!(knn.measure(embedder()).unwrap(), found);
            assert_eq!((found.images, found.train_images, found.chance), (40, 90, 0.1));
            assert_eq!((found.of, found.train_of), (test.len(), train.len()));

            let embedder = embedder();
            let crop = patch.map(|size| Crop::Fixed { size });
            let aggregates = [aggregate];
            let (fit, seed, space) = (None, 5, Space::H);
            let plan = FeaturePlan {
                embedder: &embedder,
                aggregates: &aggregates,
                crop,
                fit,
                seed,
                space,
                views: &[],
            };
            let table = |data: &dyn Dataset, indices: &[usize]| {
                let cancel = CancelToken::default();
                let mut work = SplitWork::new(indices.to_vec(), None, &aggregates, false).unwrap();
                let tick: &mut dyn FnMut(u64, bool) = &mut |_, _| ();
                while !work
                    .advance(data, SplitUnit { plan: &plan, inputs: 64, cancel: &cancel, tick })
                    .unwrap()
                {}
                work.finish().unwrap().tables.remove(0)
            };
            let (known, asked) = (table(train.as_ref(), &known), table(test.as_ref(), &asked));
            assert_eq!(found.h, knn::accuracy(&known, &asked, 10, &KnnConfig::default()));
            assert!(found.h > 0.1 && found.z.is_some(), "{found:?}");
        }
    }

    #[test]
    fn a_patch_that_fits_nowhere_is_refused_up_front() {
        let data = dataset::open("demo", None).unwrap();
        let config = OnlineConfig { patch: Some(500), ..Default::default() };
        let (known, asked) = ((data.as_ref(), &[0, 1][..]), (data.as_ref(), &[2, 3][..]));
        let error = OnlineKnn::new(known, asked, config).err().unwrap().to_string();
        assert!(error.contains("500 x 500 pixels or more"), "{error}");
    }
}
