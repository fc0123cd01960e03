//! Does a space group patches by the part they show? Part purity on a data set that knows the
//! part of every pixel.
//!
//! Protocol: the part of a patch is the one at its centre pixel. Queries are drawn without
//! replacement from all patches that are centred on an object (not on its background). For each,
//! the 20 nearest patches by cosine from *other* images; purity is the share of them with the
//! query's part. Chance is the share of that part among all patches of other images. Means over
//! queries with percentile bootstrap intervals (95 %).

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use rand::seq::index;
use serde::Serialize;

use crate::augment::{ResizePlan, patch_tensor_values, view_rng};
use crate::bank::{Bank, BankSink, BankSpec, MemoryBank, SpaceSpec};
use crate::dataset::Dataset;
use crate::embed::{Embedder, ExtractPlan, Extraction};
use crate::files;
use crate::memory;
use crate::progress::{CancelToken, Progress};
use crate::search::{Options, top_k};
use crate::stats;
use crate::words::thousands;

/// Name of the baseline that compares normalised pixel values.
pub const PIXELS: &str = "pixels";

/// Constants of the protocol.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LocalityConfig {
    /// Patches on objects that are drawn.
    pub queries: usize,
    /// Nearest patches of other images that are looked at for each.
    pub neighbours: usize,
    /// Bootstrap samples for an interval.
    pub resamples: usize,
    /// Of the draw of queries and of the samples.
    pub seed: u64,
}

impl Default for LocalityConfig {
    fn default() -> Self {
        Self { queries: 1000, neighbours: 20, resamples: 2000, seed: 0 }
    }
}

/// A mean over queries with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Purity {
    /// In [0, 1].
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Part purity by space; `chance` is one of them.
#[derive(Clone, Debug, Serialize)]
pub struct LocalityReport {
    /// What was asked for.
    pub config: LocalityConfig,
    /// Images of the synthetic set.
    pub images: usize,
    /// Patches of all of them.
    pub patches: usize,
    /// Queries that were drawn: fewer than asked where there are fewer patches on objects.
    pub queries: usize,
    /// By name of the space.
    pub purity: BTreeMap<String, Purity>,
}

/// Measures every space of the model, raw pixels and chance.
pub fn measure(
    embedder: &Embedder,
    data: &Arc<dyn Dataset>,
    plan: ExtractPlan,
    config: &LocalityConfig,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<LocalityReport> {
    ensure!(
        data.parts(0).is_some(),
        "{} does not know the parts of its images; the built-in set (--data demo) does",
        data.name()
    );
    let pixels = pixel_bank(embedder, data.as_ref(), &plan)?;
    let mut memory = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
    let mut extraction = Extraction::start(plan, data.clone())?;
    while !extraction.is_finished() {
        cancel.check()?;
        extraction.advance(embedder, &mut memory)?;
        progress(extraction.progress());
    }
    let bank = memory.snapshot();
    let parts = parts_of_rows(&bank, data.as_ref())?;
    let queries = draw_queries(&bank, &parts, config)?;
    let mut purity = BTreeMap::new();
    let mut banks: Vec<(&str, &Bank)> = bank.spaces().map(|space| (space, &bank)).collect();
    banks.push((PIXELS, &pixels));
    for (space, bank) in banks {
        cancel.check()?;
        purity.insert(space.to_string(), summary(&purities(bank, space, &parts, &queries, config)?, config)?);
    }
    purity.insert("chance".into(), summary(&chances(&bank, &parts, &queries)?, config)?);
    Ok(LocalityReport {
        config: *config,
        images: bank.total_images(),
        patches: bank.searchable(),
        queries: queries.len(),
        purity,
    })
}

/// The part at the centre of each patch, `None` for the background; with its number.
fn parts_of_rows(bank: &Bank, data: &dyn Dataset) -> anyhow::Result<Vec<(u8, bool)>> {
    let mut parts = Vec::with_capacity(bank.patches());
    for entry in bank.images() {
        let image = entry.index as usize;
        let map = data.parts(image).with_context(|| format!("image {image} has no parts"))?;
        for row in bank.rows_of_image(image)? {
            let patch = bank.patch_ref(row);
            let (y, x) = (patch.y + patch.size / 2, patch.x + patch.size / 2);
            let part = map.index[(y * map.width + x) as usize];
            parts.push((part, usize::from(part) >= map.backgrounds));
        }
    }
    Ok(parts)
}

/// Rows of patches on objects, drawn whatever the order of the bank.
fn draw_queries(bank: &Bank, parts: &[(u8, bool)], config: &LocalityConfig) -> anyhow::Result<Vec<usize>> {
    let on_objects: Vec<usize> = bank.rows_in_order().flatten().filter(|&row| parts[row].1).collect();
    ensure!(!on_objects.is_empty(), "no patch is centred on an object; choose a smaller stride");
    let count = config.queries.min(on_objects.len());
    let mut rng = view_rng(config.seed, 0, 0, 0);
    Ok(index::sample(&mut rng, on_objects.len(), count).into_iter().map(|i| on_objects[i]).collect())
}

fn purities(
    bank: &Bank,
    space: &str,
    parts: &[(u8, bool)],
    queries: &[usize],
    config: &LocalityConfig,
) -> anyhow::Result<Vec<f64>> {
    let mut vector = vec![0.0; bank.width(space)?];
    let purity = |&row: &usize| {
        bank.row_f32(space, row, &mut vector)?;
        let options = Options { exclude_images: vec![bank.image_of_row(row)], ..Options::default() };
        let hits = top_k(bank, space, &vector, config.neighbours, &options)?;
        ensure!(!hits.is_empty(), "a query has no patch of another image to be compared with");
        let same = hits.iter().filter(|hit| parts[hit.row].0 == parts[row].0).count();
        Ok(same as f64 / hits.len() as f64)
    };
    queries.iter().map(purity).collect()
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

/// The normalised pixel values of every patch of the plan, as a bank of one space.
fn pixel_bank(embedder: &Embedder, data: &dyn Dataset, plan: &ExtractPlan) -> anyhow::Result<Bank> {
    let grid = plan.spec.grid;
    let width = 3 * (grid.patch * grid.patch) as usize;
    let spec = BankSpec {
        spaces: vec![SpaceSpec { name: PIXELS.into(), width: width as u32 }],
        input: grid.patch,
        ..plan.spec.clone()
    };
    // Both banks are there at once, and the values of an image before they are stored.
    let image =
        plan.images.iter().map(|image| 4 * (width * grid.len(image.height, image.width)) as u64).max();
    let bytes = spec.bytes(&plan.images)? + plan.spec.bytes(&plan.images)? + image.unwrap_or_default();
    let budget = memory::budget();
    let what = || format!("the vectors and pixels of {} patches", thousands(plan.patches()));
    budget.ensure(budget.bank(), bytes, what, "a larger --stride, or --limit")?;
    let mut bank = MemoryBank::new(spec, plan.images.clone())?;
    let same_size = ResizePlan::new(embedder.info.resize, grid.patch, grid.patch);
    for (place, entry) in plan.images.iter().enumerate() {
        let image = match data.image(entry.index as usize) {
            Ok(image) => image,
            Err(error) if files::is_read_error(&error) => return Err(error),
            Err(error) => {
                bank.push_skipped(place, &format!("{error:#}"))?;
                continue;
            }
        };
        let (rows, cols) = grid.shape(image.height(), image.width());
        let mut values = vec![0.0; rows * cols * width];
        for (i, out) in values.chunks_exact_mut(width).enumerate() {
            let (y, x) = grid.corner(i, cols);
            let norm = &embedder.info.normalization;
            patch_tensor_values(&image, y, x, grid.patch, &same_size, norm, out);
        }
        bank.push_image(place, &[(PIXELS, &values)])?;
    }
    Ok(bank.snapshot())
}
