//! How local a space is: what a patch's neighbours are, how its cosine falls with distance, what changes of it show.
//!
//! Protocol. The vectors of all patches of the images, in every stage of the network from their own pixels to z.
//! Queries are drawn without replacement from all patches; where a data set knows the part of every pixel, from those
//! that are centred on an object (not on its background). All intervals are percentile bootstrap intervals (95 %).
//!
//! - **Part purity**, where parts are known: the part of a patch is the one at its centre pixel. For each query the 20
//!   nearest patches by cosine from *other* images; purity is the share of them with the query's part. Chance is the
//!   share of that part among all patches of other images.
//! - **Composition by rank** ([`crate::analysis::composition`]): the nearest patches of all images, the query's own
//!   included.
//! - **Displacement** ([`crate::analysis::displacement`]): cosine by distance within an image, half-width, near minus far.
//! - **Position entropy** ([`crate::analysis::positions`]) of the nearest patches from other images.
//! - **Invariance** ([`crate::analysis::invariance`]): cosine of a patch with itself, changed by a known amount.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use rand::seq::index;
use serde::{Deserialize, Serialize};

use crate::analysis::composition::{Composition, composition};
use crate::analysis::displacement::{Displacement, displacement};
use crate::analysis::invariance::{ChangeCurve, ChangedPatch, Invariance};
use crate::analysis::positions::{ObjectFrame, PositionEntropy, position_entropy};
use crate::augment::view_rng;
use crate::bank::{Bank, ImageEntry, MemoryBank};
use crate::dataset::{Dataset, Skipped};
use crate::embed::{BATCH, Embedder, ExtractPlan, Extraction, PIXELS};
use crate::model::Space;
use crate::progress::{CancelToken, Progress};
use crate::search::{Options, Processor, Question, TOGETHER};
use crate::stats;

/// Constants of the protocol.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct LocalityConfig {
    /// Patches that are drawn.
    pub queries: usize,
    /// Nearest patches that are looked at for each.
    pub neighbours: usize,
    /// Patches, of the queries, that are changed to see which changes show; none for 0.
    pub changed: usize,
    /// Bootstrap samples for an interval.
    pub resamples: usize,
    /// Of the draw of queries and of the samples.
    pub seed: u64,
}

impl Default for LocalityConfig {
    fn default() -> Self {
        Self { queries: 1000, neighbours: 20, changed: 256, resamples: 2000, seed: 0 }
    }
}

/// A mean over queries with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Purity {
    /// In [0, 1].
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// What was found.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LocalityReport {
    /// What was asked for.
    pub config: LocalityConfig,
    /// Images that were looked at.
    pub images: usize,
    /// Images that could not be used, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// Patches of all of them.
    pub patches: usize,
    /// Queries that were drawn: fewer than asked where there are fewer patches.
    pub queries: usize,
    /// Whether the data set knows the part of every pixel, so that queries are on objects.
    pub parts_known: bool,
    /// Part purity by name of the space; `chance` is one of them. Empty where parts are not known.
    pub purity: BTreeMap<String, Purity>,
    /// One for each space, from pixels to z.
    pub spaces: Vec<SpaceLocality>,
    /// Patches that were changed.
    pub changed: usize,
    /// One for each change.
    pub invariance: Vec<ChangeCurve>,
}

/// The measures of one space.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SpaceLocality {
    /// Its name.
    pub space: String,
    /// What neighbours are, by rank.
    pub composition: Composition,
    /// How the cosine falls with distance.
    pub displacement: Displacement,
    /// Whether neighbours sit at the same place; absent where queries have fewer than two.
    pub positions: Option<PositionEntropy>,
}

/// What is looked at: patches with their vectors, parts and objects.
struct Scene<'a> {
    bank: Bank,
    /// What searches it.
    processor: &'a Processor,
    data: &'a dyn Dataset,
    /// Of every row, the part at its centre and whether that is of an object; none where parts are not known.
    parts: Option<Vec<(u8, bool)>>,
    /// Rows that have a vector.
    rows: Vec<usize>,
    queries: Vec<usize>,
}

/// Measures every stage of the model, and raw pixels. `plan` has all of these as its spaces; `processor` searches.
///
/// # Errors
/// Those of the data set and the model; no patch can be a query; no room; cancelled.
pub fn measure(
    embedder: &Embedder,
    data: &Arc<dyn Dataset>,
    (plan, processor): (ExtractPlan, &Processor),
    config: &LocalityConfig,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<LocalityReport> {
    // A changed patch goes through the network alone: it has no place in a feature map of its image.
    let alone = |space: &&Space| !matches!(space, Space::Token(_));
    let network: Vec<Space> = plan.spaces.iter().filter(alone).copied().collect();
    let mut memory = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
    let mut extraction = Extraction::start(plan, data.clone())?;
    while !extraction.is_finished() {
        cancel.check()?;
        extraction.advance(embedder, &mut memory, BATCH)?;
        progress(extraction.progress());
    }
    let bank = memory.snapshot();
    let mut names: Vec<String> = bank.spaces().map(str::to_owned).collect();
    // From pixels, which come last in a bank, to z.
    if names.last().is_some_and(|last| last == PIXELS) {
        names.rotate_right(1);
    }
    let scene = Scene::new((bank, processor), data.as_ref(), config)?;
    let mut report = scene.report(&names, config, cancel, progress)?;
    let changed = scene.changed(config.changed, cancel)?;
    let mut changing = Invariance::new(changed, network, (config.resamples, config.seed));
    let clock = Instant::now();
    while !changing.advance(embedder, usize::MAX)? {
        cancel.check()?;
        progress(changing_progress(&changing, clock));
    }
    report.take_changed(&changing);
    Ok(report)
}

/// How far changes of patches are measured.
pub fn changing_progress(changing: &Invariance, since: Instant) -> Progress {
    let ((done, total), elapsed) = (changing.amounts(), since.elapsed());
    let (done, total) = (done as u64, total as u64);
    Progress { what: "changing", done, total, resumed: 0, unit: "amounts of change", elapsed }
}

/// The patches of a report that are to be changed, or why they cannot be: an image that cannot be read again.
pub type ChangeablePatches = anyhow::Result<Vec<ChangedPatch>>;

/// Measures `names`, spaces of a bank of `data`, which `processor` searches, as far as its images are there. The patches that are to be changed come
/// with it, cut out of their images: what becomes of them needs the model.
///
/// # Errors
/// A space that is not there; damaged rows; no patch can be a query; cancelled.
pub fn measure_bank(
    (bank, processor): (Bank, &Processor),
    data: &dyn Dataset,
    names: &[String],
    config: &LocalityConfig,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<(LocalityReport, ChangeablePatches)> {
    let scene = Scene::new((bank, processor), data, config)?;
    let report = scene.report(names, config, cancel, progress)?;
    Ok((report, scene.changed(config.changed, cancel)))
}

impl LocalityReport {
    /// Takes what became of patches that were changed.
    pub fn take_changed(&mut self, changing: &Invariance) {
        self.changed = changing.patches();
        self.invariance = changing.curves().to_vec();
    }
}

impl<'a> Scene<'a> {
    fn new(
        (bank, processor): (Bank, &'a Processor),
        data: &'a dyn Dataset,
        config: &LocalityConfig,
    ) -> anyhow::Result<Self> {
        let parts = data.part_names().is_some().then(|| parts_of_rows(&bank, data)).transpose()?;
        let mut has_vector = vec![];
        let first = bank.spaces().next().context("no space")?;
        for piece in bank.space(first)?.pieces(0..bank.patches()) {
            has_vector.extend(piece.inv_norms.iter().map(|norm| !norm.is_nan()));
        }
        let rows: Vec<usize> = bank.rows_in_order().flatten().filter(|&row| has_vector[row]).collect();
        let may_ask = |row: &usize| parts.as_ref().is_none_or(|parts| parts[*row].1);
        let queries = draw_queries(rows.iter().copied().filter(may_ask).collect(), config)?;
        Ok(Self { bank, processor, data, parts, rows, queries })
    }

    /// Everything but what becomes of patches that are changed.
    fn report(
        &self,
        names: &[String],
        config: &LocalityConfig,
        cancel: &CancelToken,
        progress: &mut dyn FnMut(Progress),
    ) -> anyhow::Result<LocalityReport> {
        let (draws, queries) = ((config.resamples, config.seed), self.queries.as_slice());
        let total = 2 * (names.len() * queries.len()) as u64;
        let (clock, mut done) = (Instant::now(), 0);
        let mut tick = || {
            done += 1;
            let elapsed = clock.elapsed();
            progress(Progress { what: "measuring", done, total, resumed: 0, unit: "searches", elapsed });
        };
        let (mut purity, mut spaces) = (BTreeMap::new(), vec![]);
        let (frames, counts) = (self.frames()?, self.counted());
        for name in names {
            let hits = self.nearest(name, config, false, cancel, &mut tick)?;
            if let Some(parts) = &self.parts {
                purity.insert(name.clone(), summary(&purities(parts, queries, &hits)?, config)?);
            }
            let positions = position_entropy(&self.bank, (queries, &hits), (&frames, &counts), draws)?;
            let hits = self.nearest(name, config, true, cancel, &mut tick)?;
            spaces.push(SpaceLocality {
                space: name.clone(),
                composition: composition(&self.bank, queries, &hits, config.resamples, config.seed),
                displacement: displacement(&self.bank, name, (queries, &self.rows), draws, cancel)?,
                positions,
            });
        }
        if let Some(parts) = &self.parts {
            purity.insert("chance".into(), summary(&chances(&self.bank, parts, queries)?, config)?);
        }
        Ok(LocalityReport {
            config: *config,
            images: self.bank.usable_images(),
            skipped: self.bank.skipped_files()?,
            patches: self.bank.searchable(),
            queries: queries.len(),
            parts_known: self.parts.is_some(),
            purity,
            spaces,
            changed: 0,
            invariance: vec![],
        })
    }

    /// The box about the object of each image, by its place in the bank; the whole image where none is known.
    fn frames(&self) -> anyhow::Result<Vec<ObjectFrame>> {
        let frame = |image: &ImageEntry| -> anyhow::Result<ObjectFrame> {
            let known = match self.parts.is_some() {
                true => self.data.parts(image.index as usize)?,
                false => None,
            };
            let object = known.and_then(|map| ObjectFrame::of_object(&map));
            Ok(object.unwrap_or(ObjectFrame::whole(image.height, image.width)))
        };
        self.bank.images().iter().map(frame).collect()
    }

    /// Whether each row counts among positions: it is centred on an object, where that is known.
    fn counted(&self) -> Vec<bool> {
        match &self.parts {
            Some(parts) => parts.iter().map(|(_, on_object)| *on_object).collect(),
            None => vec![true; self.bank.patches()],
        }
    }

    /// The nearest rows of each query, from other images or, `with_own`, from all.
    fn nearest(
        &self,
        space: &str,
        config: &LocalityConfig,
        with_own: bool,
        cancel: &CancelToken,
        tick: &mut dyn FnMut(),
    ) -> anyhow::Result<Vec<Vec<usize>>> {
        let question = |&row: &usize| -> anyhow::Result<Question> {
            let mut query = vec![0.0; self.bank.width(space)?];
            self.bank.row_f32(space, row, &mut query)?;
            let (rows, images) = match with_own {
                true => (vec![row], vec![]),
                false => (vec![], vec![self.bank.image_of_row(row)]),
            };
            let cancel = cancel.clone();
            let options =
                Options { exclude_rows: rows, exclude_images: images, cancel, ..Options::default() };
            Ok(Question { query, options })
        };
        let mut nearest = Vec::with_capacity(self.queries.len());
        for queries in self.queries.chunks(TOGETHER) {
            cancel.check()?;
            let questions = queries.iter().map(question).collect::<anyhow::Result<Vec<_>>>()?;
            for hits in self.processor.top_k_many(&self.bank, space, &questions, config.neighbours)? {
                nearest.push(hits.into_iter().map(|hit| hit.row).collect());
                tick();
            }
        }
        Ok(nearest)
    }

    /// The first of the queries, cut out of their images, which are read again.
    fn changed(&self, count: usize, cancel: &CancelToken) -> anyhow::Result<Vec<ChangedPatch>> {
        let cut = |row: &usize| {
            cancel.check()?;
            let patch = self.bank.patch_ref(*row);
            Ok(ChangedPatch::cut(&self.data.image(patch.image as usize)?, patch))
        };
        self.queries.iter().take(count).map(cut).collect()
    }
}

/// The part at the centre of each patch, `None` for the background; with its number.
fn parts_of_rows(bank: &Bank, data: &dyn Dataset) -> anyhow::Result<Vec<(u8, bool)>> {
    let mut parts = Vec::with_capacity(bank.patches());
    for entry in bank.images() {
        let image = entry.index as usize;
        let map = data.parts(image)?.with_context(|| format!("image {image} has no parts"))?;
        for row in bank.rows_of_image(image)? {
            let patch = bank.patch_ref(row);
            let (y, x) = (patch.y + patch.size / 2, patch.x + patch.size / 2);
            let part = map.index[(y * map.width + x) as usize];
            parts.push((part, usize::from(part) >= map.backgrounds));
        }
    }
    Ok(parts)
}

/// Queries, of those that may be.
fn draw_queries(rows: Vec<usize>, config: &LocalityConfig) -> anyhow::Result<Vec<usize>> {
    ensure!(
        !rows.is_empty(),
        "no patch can be a query (centred on an object, where parts are known); choose a smaller stride"
    );
    let count = config.queries.min(rows.len());
    let mut rng = view_rng(config.seed, 0, 0, 0);
    Ok(index::sample(&mut rng, rows.len(), count).into_iter().map(|i| rows[i]).collect())
}

/// The share of each query's neighbours that have its part.
fn purities(parts: &[(u8, bool)], queries: &[usize], hits: &[Vec<usize>]) -> anyhow::Result<Vec<f64>> {
    let purity = |(row, hits): (&usize, &Vec<usize>)| {
        ensure!(!hits.is_empty(), "a query has no patch of another image to be compared with");
        let same = hits.iter().filter(|hit| parts[**hit].0 == parts[*row].0).count();
        Ok(same as f64 / hits.len() as f64)
    };
    queries.iter().zip(hits).map(purity).collect()
}

/// The expected purity of neighbours drawn at random from other images.
fn chances(bank: &Bank, parts: &[(u8, bool)], queries: &[usize]) -> anyhow::Result<Vec<f64>> {
    let mut counts = [0usize; 256];
    parts.iter().for_each(|(part, _)| counts[usize::from(*part)] += 1);
    let chance = |&row: &usize| {
        let own = bank.rows_of_image(bank.image_of_row(row) as usize)?;
        let in_own_image = parts[own.clone()].iter().filter(|(part, _)| *part == parts[row].0).count();
        let others = parts.len() - own.len();
        Ok((counts[usize::from(parts[row].0)] - in_own_image) as f64 / others as f64)
    };
    queries.iter().map(chance).collect()
}

fn summary(values: &[f64], config: &LocalityConfig) -> anyhow::Result<Purity> {
    let interval = stats::bootstrap_mean(values, config.resamples, 0.95, config.seed);
    let interval = interval.context("no queries to take a mean of")?;
    Ok(Purity { mean: interval.value, low: interval.low, high: interval.high })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;
    use crate::dataset::{Split, open};

    #[test]
    fn vectors_are_measured_though_their_images_cannot_be_read_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = |image: usize| folder.path().join(format!("{image}.png"));
        (0..6).for_each(|image| image::RgbImage::new(32, 32).save(path(image)).unwrap());
        let data = open(folder.path().to_str().unwrap(), None).unwrap();
        let bank = fixture::bank(6, 2, 2, |patch| vec![1.0, (patch.x + patch.image) as f32]);
        let config = LocalityConfig { queries: 10, neighbours: 4, changed: 2, resamples: 50, seed: 2 };
        let measure = || {
            let (names, cancel) = (["h".to_owned()], CancelToken::default());
            let searched = (bank.clone(), &Processor::cpu());
            measure_bank(searched, data.as_ref(), &names, &config, &cancel, &mut |_| ()).unwrap()
        };
        assert_eq!(measure().1.unwrap().len(), 2);
        (0..6).for_each(|image| std::fs::remove_file(path(image)).unwrap());
        let (report, cut) = measure();
        let error = format!("{:#}", cut.map(|_| ()).unwrap_err());
        assert!(report.spaces.len() == 1 && error.contains(".png"), "{error}");
    }

    /// The first of two spaces knows the column of a patch and not its image: its neighbours stand in that column.
    #[test]
    fn a_bank_is_measured_space_by_space_and_can_be_left() {
        // Of the images of the built-in set, whose parts are known; patches of the bank are of 24 x 24 pixels of it.
        let data = open("demo", Some(Split::Test)).unwrap();
        let bank = fixture::bank(6, 2, 2, |patch| {
            let angle = 0.3 * patch.x as f32;
            vec![angle.cos(), angle.sin()]
        });
        // As it still grows.
        let bank = bank.first_images(4);
        let config = LocalityConfig { queries: 10, neighbours: 4, changed: 0, resamples: 50, seed: 2 };
        let (names, cancel) = (["h".to_owned()], CancelToken::default());
        let mut told = vec![];
        let mut progress = |progress: Progress| told.push((progress.done, progress.total));
        let cpu = Processor::cpu();
        let searched = (bank.clone(), &cpu);
        let (found, cut) =
            measure_bank(searched, data.as_ref(), &names, &config, &cancel, &mut progress).unwrap();
        assert!(cut.unwrap().is_empty());
        let queries = found.queries as u64;
        assert_eq!((found.images, found.patches, found.changed), (4, 100, 0));
        assert_eq!(told, (1..=2 * queries).map(|done| (done, 2 * queries)).collect::<Vec<_>>());
        let space = &found.spaces[0];
        let shares = |at: usize| {
            let of = &space.composition;
            [&of.same_image, &of.same_class, &of.other_class]
                .map(|shares| shares[at].value)
                .iter()
                .sum::<f64>()
        };
        assert!((shares(0) - 1.0).abs() < 1e-12 && space.composition.same_image.len() == 4);
        assert!(space.displacement.half_width.is_some());
        let leave = CancelToken::default();
        let mut once = |_| leave.cancel();
        let left = measure_bank((bank, &cpu), data.as_ref(), &names, &config, &leave, &mut once).map(|_| ());
        assert!(left.unwrap_err().is::<crate::progress::Cancelled>());
    }
}
