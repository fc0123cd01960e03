//! The vectors of a split in the making: a group of images at a time, so that other work comes between, and every
//! finished shard lies in the cache.

use anyhow::ensure;
use rayon::prelude::*;

use super::aggregate::Aggregate;
use super::cache::{Cache, SHARD, Shard};
use super::features::{GatheredFeatures, SplitFeatures, append};
use super::plan::{FeaturePlan, inputs_per_image};
use super::values::GatheredValues;
use crate::dataset::{Dataset, Skipped};
use crate::files;
use crate::memory;
use crate::progress::CancelToken;

/// Images that are read at once, at most.
const MOST_IMAGES: usize = 64;

/// The vectors of images of a split, as far as they are there.
pub struct SplitWork {
    indices: Vec<usize>,
    cache: Option<Cache>,
    /// Shards that are done.
    done: usize,
    current: Option<ShardWork>,
    /// One for each aggregate.
    tables: Vec<GatheredFeatures>,
    skipped: Vec<Skipped>,
}

/// A shard in the making.
struct ShardWork {
    /// One for each aggregate: found in the cache, or as far as it is made.
    shards: Vec<Shard>,
    /// Those that were not found.
    missing: Vec<Aggregate>,
    /// Images of it that are done.
    at: usize,
}

/// How a unit of the work is done.
pub struct SplitUnit<'a> {
    /// Images to vectors.
    pub plan: &'a FeaturePlan<'a>,
    /// Inputs to the network at most, unless one image has more.
    pub inputs: usize,
    /// Tells it to stop.
    pub cancel: &'a CancelToken,
    /// Hears how many inputs more are done, and whether they were found in the cache.
    pub tick: &'a mut dyn FnMut(u64, bool),
}

impl SplitWork {
    /// Nothing is done yet of images `indices`. What is in `cache` is not done again; where `files` is set, the vectors
    /// lie beside it in files, not in memory.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub fn new(
        indices: Vec<usize>,
        cache: Option<Cache>,
        aggregates: &[Aggregate],
        files: bool,
    ) -> anyhow::Result<Self> {
        let place = cache.as_ref().filter(|_| files);
        let table = |aggregate: &Aggregate| {
            let values = match place {
                Some(cache) => GatheredValues::in_file(cache.rows(*aggregate))?,
                None => GatheredValues::Held(vec![]),
            };
            anyhow::Ok(GatheredFeatures::new(values, 0))
        };
        let tables = aggregates.iter().map(table).collect::<anyhow::Result<_>>()?;
        Ok(Self { indices, cache, done: 0, current: None, tables, skipped: vec![] })
    }

    /// Images in all.
    pub fn images(&self) -> usize {
        self.indices.len()
    }

    /// The images.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// Does one group of images, or takes a shard from the cache. Returns whether all are done.
    ///
    /// # Errors
    /// A file or network that fails; cancelled: finished shards lie in the cache.
    pub fn advance(&mut self, data: &dyn Dataset, mut unit: SplitUnit<'_>) -> anyhow::Result<bool> {
        let shard = self.indices.chunks(SHARD).nth(self.done).unwrap_or_default();
        let mut work = match self.current.take() {
            Some(work) => work,
            None => self.begin(shard, &mut unit),
        };
        if work.at < shard.len() {
            work.advance(data, shard, &mut unit)?;
        }
        if work.at < shard.len() {
            self.current = Some(work);
            return Ok(false);
        }
        self.keep(data, work, unit.plan)?;
        let is_done = self.done * SHARD >= self.indices.len();
        if is_done {
            let skipped = &self.skipped;
            let first =
                skipped.first().map_or(String::new(), |s| format!(", first {}: {}", s.file, s.reason));
            let usable = self.tables.iter().any(|table| !table.labels.is_empty());
            ensure!(usable, "none of {} images can be used{first}", self.indices.len());
        }
        Ok(is_done)
    }

    /// The vectors, once all are done.
    ///
    /// # Errors
    /// A file that cannot be written or mapped.
    pub fn finish(&mut self) -> anyhow::Result<SplitFeatures> {
        let tables = std::mem::take(&mut self.tables).into_iter().map(GatheredFeatures::finish);
        let tables = tables.collect::<anyhow::Result<_>>()?;
        // Nobody else writes into its folder until then.
        self.cache = None;
        Ok(SplitFeatures { tables, skipped: std::mem::take(&mut self.skipped) })
    }

    /// Takes from the cache what is there of the next shard.
    fn begin(&self, indices: &[usize], unit: &mut SplitUnit<'_>) -> ShardWork {
        let plan = unit.plan;
        let load = |a: &Aggregate| self.cache.as_ref().and_then(|cache| cache.load(*a, self.done, indices));
        let found: Vec<Option<Shard>> = plan.aggregates.iter().map(load).collect();
        let pairs = plan.aggregates.iter().zip(&found);
        let missing: Vec<Aggregate> = pairs.filter(|(_, shard)| shard.is_none()).map(|(a, _)| *a).collect();
        let inputs = inputs_per_image(plan.aggregates) - inputs_per_image(&missing);
        (unit.tick)(inputs * indices.len() as u64, true);
        let at = if missing.is_empty() { indices.len() } else { 0 };
        ShardWork { shards: found.into_iter().map(Option::unwrap_or_default).collect(), missing, at }
    }

    /// Stores what was made of a shard that is done, and adds it to the tables.
    fn keep(&mut self, data: &dyn Dataset, work: ShardWork, plan: &FeaturePlan<'_>) -> anyhow::Result<()> {
        let ShardWork { shards, missing, .. } = work;
        for (aggregate, shard) in plan.aggregates.iter().zip(&shards) {
            if let Some(cache) = self.cache.as_ref().filter(|_| missing.contains(aggregate)) {
                cache.store(*aggregate, self.done, shard)?;
            }
        }
        ensure!(
            shards.iter().all(|shard| shard.images == shards[0].images),
            "the cached features are of other images than the new ones; remove the cache"
        );
        self.done += 1;
        append(data, &mut self.tables, &mut self.skipped, (shards, self.indices.len()))
    }
}

impl ShardWork {
    /// Does a group of the images `indices` of the shard.
    fn advance(
        &mut self,
        data: &dyn Dataset,
        indices: &[usize],
        unit: &mut SplitUnit<'_>,
    ) -> anyhow::Result<()> {
        let (plan, aggregates) = (unit.plan, &self.missing);
        let inputs = inputs_per_image(aggregates);
        let most = (unit.inputs / inputs.max(1) as usize).clamp(1, MOST_IMAGES);
        let bytes = |index: &usize| plan.image_bytes(data.dimensions(*index));
        let rest = &indices[self.at..];
        let groups = memory::groups(rest.iter().take(most).map(bytes), most, memory::budget().ahead());
        let indices = &rest[groups.first().cloned().unwrap_or_default()];
        let read = |&index: &usize| (index, plan.usable(data, index));
        let (mut images, mut skipped) = (vec![], vec![]);
        for (index, image) in indices.par_iter().map(read).collect::<Vec<_>>() {
            match image {
                Ok(image) => images.push(image),
                Err(error) if files::is_read_error(&error) => return Err(error),
                Err(error) => {
                    skipped.push(Skipped { file: data.image_name(index), reason: format!("{error:#}") });
                }
            }
        }
        let mut vectors = unit.cancel.leavable(|| plan.embed(&images, aggregates))??.into_iter();
        for (aggregate, shard) in plan.aggregates.iter().zip(&mut self.shards) {
            if !aggregates.contains(aggregate) {
                continue;
            }
            let vectors = vectors.next().unwrap_or_default();
            shard.width = if images.is_empty() { shard.width } else { vectors.len() / images.len() };
            shard.values.extend(vectors);
            shard.images.extend(images.iter().map(|image| image.index as u32));
            shard.skipped.extend(skipped.iter().cloned());
        }
        self.at += indices.len();
        (unit.tick)(inputs * indices.len() as u64, false);
        Ok(())
    }
}
