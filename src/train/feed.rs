//! Batches of augmented views, made ahead of the trainer by CPU workers that touch no tensors.
//!
//! A batch is a function of the seed and the step alone, so a resumed run sees the batches that
//! an uninterrupted one would have seen.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use rand::seq::SliceRandom;

use super::config::TrainConfig;
use super::images::{TrainingImages, largest_patch};
use crate::augment::{Normalization, ViewBatch, make_views, view_rng};
use crate::dataset::{Dataset, Skipped};
use crate::files;
use crate::image::Image;
use crate::memory;
use crate::progress::CancelToken;

/// Batches that may wait for the trainer.
pub const AHEAD: usize = 3;
/// Broken images in a row that mean that the data set itself is.
const BROKEN_AFTER: usize = 256;
/// Broken images that are named; more are counted.
const NAMED: usize = 20;
/// How often who waits for a batch asks whether it is still wanted.
const LOOK_UP: Duration = Duration::from_millis(100);
/// Tells the stream that orders images from those that augment them.
const ORDER_STREAM: u64 = u64::MAX;

/// No more views can be made: the data cannot be read or are broken, or a view cannot be cut from an image. The
/// weights are as good as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no views to train on")]
pub struct NoViews;

/// One step's views.
pub struct StepViews {
    /// The step that they are for, from 0.
    pub step: u64,
    /// `[V, N, 3, side, side]`, normalised.
    pub values: Vec<f32>,
}

/// Makes the batches of steps `start..end` on a thread of its own.
pub struct Feeder {
    batches: Receiver<anyhow::Result<StepViews>>,
    /// What comes before those.
    given_back: Option<StepViews>,
    unreadable: Arc<Mutex<Unreadable>>,
    waited_nanos: AtomicU64,
}

/// Images that turned out not to be readable.
#[derive(Default)]
struct Unreadable {
    images: BTreeSet<u64>,
    /// The first [`NAMED`] of them, until somebody asks.
    untold: Vec<Skipped>,
}

impl Unreadable {
    fn note(&mut self, image: u64, name: impl FnOnce() -> String, error: &anyhow::Error) {
        if self.images.insert(image) && self.images.len() <= NAMED {
            self.untold.push(Skipped { file: name(), reason: format!("{error:#}") });
        }
    }
}

fn locked(unreadable: &Mutex<Unreadable>) -> MutexGuard<'_, Unreadable> {
    unreadable.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feeder {
    /// Starts to make batches.
    pub fn start(
        config: TrainConfig,
        data: Arc<dyn Dataset>,
        images: TrainingImages,
        norm: Normalization,
        steps: std::ops::Range<u64>,
    ) -> anyhow::Result<Self> {
        let (sender, batches) = bounded(AHEAD);
        let unreadable = Arc::new(Mutex::new(Unreadable::default()));
        let ahead = memory::budget().for_command().ahead();
        let mut source =
            ViewSource { config, data, images, norm, ahead, order: None, unreadable: unreadable.clone() };
        let work = move || {
            for step in steps {
                let batch = source.batch(step);
                let failed = batch.is_err();
                // The trainer dropped its end, or cannot go on.
                if sender.send(batch).is_err() || failed {
                    return;
                }
            }
        };
        thread::Builder::new().name("augment".into()).spawn(work).context("could not start a thread")?;
        Ok(Self { batches, given_back: None, unreadable, waited_nanos: AtomicU64::new(0) })
    }

    /// The next step's batch; waits for it.
    ///
    /// # Errors
    /// [`NoViews`]; cancelled while it waited.
    pub fn next(&mut self, cancel: &CancelToken) -> anyhow::Result<StepViews> {
        if let Some(batch) = self.given_back.take() {
            return Ok(batch);
        }
        let started = Instant::now();
        let batch = loop {
            match self.batches.recv_timeout(LOOK_UP) {
                Err(RecvTimeoutError::Timeout) => cancel.check()?,
                received => break received.context("the thread that makes batches has stopped"),
            }
        };
        self.waited_nanos.fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
        batch.flatten().context(NoViews)
    }

    /// Takes the batch of a step that was left, which is then the next again.
    pub fn give_back(&mut self, batch: StepViews) {
        self.given_back = Some(batch);
    }

    /// Time that [`Feeder::next`] has waited so far.
    pub fn waited(&self) -> Duration {
        Duration::from_nanos(self.waited_nanos.load(Ordering::Relaxed))
    }

    /// Images that could not be read so far; another one takes the place of each.
    pub fn unreadable(&self) -> u64 {
        locked(&self.unreadable).images.len() as u64
    }

    /// Those that were found since the last call, as far as they are named.
    pub fn take_unreadable(&self) -> Vec<Skipped> {
        std::mem::take(&mut locked(&self.unreadable).untold)
    }
}

/// Where the views of a step come from: the images in the order of their epoch, cropped and changed.
struct ViewSource {
    config: TrainConfig,
    data: Arc<dyn Dataset>,
    images: TrainingImages,
    norm: Normalization,
    /// Bytes of decoded images that may wait until views are made of them.
    ahead: u64,
    /// The order of images in an epoch.
    order: Option<(u64, Vec<u64>)>,
    unreadable: Arc<Mutex<Unreadable>>,
}

impl ViewSource {
    fn batch(&mut self, step: u64) -> anyhow::Result<StepViews> {
        self.order_for(step);
        let mut values = vec![0.0; self.config.batch * self.config.views.len() * self.values_of_view()];
        // Large images are made views of before all of the batch are decoded.
        let (mut waiting, mut bytes, mut done) = (vec![], 0, 0);
        self.each_image(step, |index, image| {
            let size = image.rgb().len() as u64;
            if !waiting.is_empty() && bytes + size > self.ahead {
                self.views_of(step, &waiting, &mut values, done)?;
                done += waiting.len();
                (waiting, bytes) = (vec![], 0);
            }
            bytes += size;
            waiting.push((index, image));
            Ok(())
        })?;
        self.views_of(step, &waiting, &mut values, done)?;
        Ok(StepViews { step, values })
    }

    fn values_of_view(&self) -> usize {
        3 * (self.config.model.input as usize).pow(2)
    }

    /// Makes the views of the images of a batch from number `first` on.
    fn views_of(
        &self,
        step: u64,
        images: &[(u64, Image)],
        values: &mut [f32],
        first: usize,
    ) -> anyhow::Result<()> {
        let TrainConfig { seed, ref views, ref model, batch: count, .. } = self.config;
        let batch = ViewBatch { seed, step, views, size: model.input, norm: self.norm };
        if images.len() == count {
            return make_views(&batch, images, values);
        }
        let size = self.values_of_view();
        let mut part = vec![0.0; views.len() * images.len() * size];
        make_views(&batch, images, &mut part)?;
        for (view, part) in part.chunks_exact(images.len() * size).enumerate() {
            values[(view * count + first) * size..][..part.len()].copy_from_slice(part);
        }
        Ok(())
    }

    /// Sees to it that the order of the step's epoch is there.
    fn order_for(&mut self, step: u64) {
        let epoch = step / self.config.steps_per_epoch(self.images.count());
        if self.order.as_ref().is_none_or(|(made_for, _)| *made_for != epoch) {
            self.order = Some((epoch, epoch_order(self.config.seed, epoch, &self.images.indices)));
        }
    }

    /// Hands over the images of a step. One that is broken is replaced by the next of the epoch that is not; a file that
    /// cannot be read is an error.
    fn each_image(
        &self,
        step: u64,
        mut take: impl FnMut(u64, Image) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let count = self.images.count();
        let per_epoch = self.config.steps_per_epoch(count);
        let order = &self.order.as_ref().context("the order of images is not made yet")?.1;
        let first = (step % per_epoch) as usize * self.config.batch;
        let (mut taken, mut failures) = (0, 0);
        let mut place = first;
        while taken < self.config.batch {
            let index = order[place % order.len()];
            place += 1;
            match self.image(index) {
                Ok(image) => {
                    (taken, failures) = (taken + 1, 0);
                    take(index, image)?;
                }
                Err(error) if files::is_read_error(&error) => return Err(error),
                Err(error) => {
                    let name = || self.data.image_name(index as usize);
                    locked(&self.unreadable).note(index, name, &error);
                    failures += 1;
                    // A few broken files among good ones are nothing.
                    ensure!(
                        failures < count.min(BROKEN_AFTER),
                        "{failures} images in a row are broken, of {count}; the last: {error:#}"
                    );
                }
            }
        }
        Ok(())
    }

    /// An image that patches fit on: a file may have changed since its size was taken.
    fn image(&self, index: u64) -> anyhow::Result<Image> {
        let image = self.data.image(index as usize)?;
        let (height, width, side) = (image.height(), image.width(), largest_patch(&self.config.views));
        ensure!(
            height.min(width) >= side,
            "{height} x {width} pixels, too small for a patch of {side} x {side}"
        );
        Ok(image)
    }
}

fn epoch_order(seed: u64, epoch: u64, indices: &[u64]) -> Vec<u64> {
    let mut order = indices.to_vec();
    order.shuffle(&mut view_rng(seed, epoch, ORDER_STREAM, 0));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_the_same_however_few_images_wait_at_a_time() {
        let mut config = crate::train::recipes::find("quick-parts").unwrap().config;
        config.batch = 10;
        let data = crate::dataset::open("demo", None).unwrap();
        let image = 3 * 64 * 64;
        let batch = |ahead: u64| {
            let images = TrainingImages::choose(&config, data.as_ref());
            let (norm, unreadable) = (Normalization::IMAGENET, Arc::default());
            let (config, data) = (config.clone(), data.clone());
            let mut source = ViewSource { config, data, images, norm, ahead, order: None, unreadable };
            source.batch(3).unwrap().values
        };
        let whole = batch(u64::MAX);
        assert!(whole.iter().any(|value| *value != 0.0));
        for ahead in [0, image, 3 * image, 9 * image] {
            assert!(batch(ahead) == whole, "{ahead} bytes");
        }
    }

    #[test]
    fn an_epoch_shows_every_image_once_in_an_order_of_its_own() {
        let images: Vec<u64> = (0..100).collect();
        let first = epoch_order(3, 0, &images);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(first, epoch_order(3, 0, &images));
        assert_ne!(first, epoch_order(3, 1, &images));
    }
}
