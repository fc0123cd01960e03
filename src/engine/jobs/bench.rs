//! This machine's numbers, with the built-in model and data.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use super::{Job, open_embedder};
use crate::analysis::heatmap::cosine_map;
use crate::bank::{BankSink, Dtype, MemoryBank};
use crate::dataset::{self, Dataset};
use crate::embed::{BATCH, Embedder, ExtractPlan, PatchSource};
use crate::image::Image;
use crate::model::Space;
use crate::patch::PatchGrid;
use crate::progress::Progress;
use crate::search::{Options, top_k};
use crate::stats::quantile;
use crate::train::{Trainer, recipes};

/// One measure: median and 95th percentile of n repetitions.
#[derive(Clone, Debug, Serialize)]
pub struct Measure {
    pub name: String,
    /// The median.
    pub value: f64,
    pub unit: &'static str,
    /// Repetitions.
    pub n: usize,
    pub p50: f64,
    pub p95: f64,
}

/// All measures and the device they were made on.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    pub device: String,
    pub reason: String,
    pub threads: usize,
    pub measures: Vec<Measure>,
}

/// Rows of the searched bank.
const SEARCH_ROWS: [usize; 2] = [100_000, 1_000_000];

/// Runs every measure; `quick` with fewer repetitions and a smaller bank.
pub fn bench(quick: bool, job: Job<'_>) -> anyhow::Result<BenchReport> {
    let repeats = if quick { 5 } else { 30 };
    let (open, embedder) = open_embedder(job.device, "demo")?;
    let data = dataset::open("demo", None)?;
    let started = Instant::now();
    let mut done = 0;
    let mut tick = || {
        done += 1;
        let elapsed = started.elapsed();
        (job.progress)(Progress { what: "measuring", done, total: 4, resumed: 0, unit: "measures", elapsed });
        job.cancel.check()
    };
    let mut measures = vec![embedding(&embedder, data.as_ref(), repeats)?];
    tick()?;
    measures.push(training_step(&data, &open.device, repeats)?);
    tick()?;
    measures.push(click_to_heatmap(&embedder, data.as_ref(), repeats)?);
    tick()?;
    measures.push(search(&embedder, data.as_ref(), SEARCH_ROWS[usize::from(!quick)], repeats)?);
    tick()?;
    let threads = rayon::current_num_threads();
    Ok(BenchReport { device: open.name, reason: open.reason, threads, measures })
}

fn patches_of(data: &dyn Dataset, count: usize, size: u32) -> anyhow::Result<Vec<PatchSource>> {
    let image: Arc<Image> = Arc::new(data.image(0)?);
    let grid = PatchGrid::new(size, 1)?;
    let (rows, cols) = grid.shape(image.height(), image.width());
    let corner = |i: usize| grid.corner(i % (rows * cols), cols);
    Ok((0..count).map(corner).map(|(y, x)| PatchSource { image: image.clone(), y, x }).collect())
}

/// Patches per second through cutting, resizing and the network.
fn embedding(embedder: &Embedder, data: &dyn Dataset, repeats: usize) -> anyhow::Result<Measure> {
    let patches = patches_of(data, BATCH, 16)?;
    let rates = repeat(repeats, || {
        embedder.patches(&patches, 16, &[Space::H, Space::Z]);
        Ok(())
    })?;
    measure("embedding", "patches/s", rates.into_iter().map(|secs| BATCH as f64 / secs).collect())
}

/// Views per second of whole training steps, augmentation included.
fn training_step(
    data: &Arc<dyn Dataset>,
    device: &burn::tensor::Device,
    repeats: usize,
) -> anyhow::Result<Measure> {
    let mut config = recipes::find("quick-parts")?.config;
    config.batch = 64;
    let mut trainer = Trainer::new(config, data.clone(), device)?;
    let views = trainer.views_per_step() as f64;
    let seconds = repeat(repeats, || trainer.step().map(|_| ()))?;
    measure("training step", "views/s", seconds.into_iter().map(|secs| views / secs).collect())
}

/// From a click to both maps where the image's patches are known: 39 x 39 patches.
fn click_to_heatmap(embedder: &Embedder, data: &dyn Dataset, repeats: usize) -> anyhow::Result<Measure> {
    let patches = patches_of(data, 39 * 39, 16)?;
    let vectors = embedder.patches(&patches, 16, &[Space::Z, Space::H]);
    let seconds = repeat(repeats, || {
        for all in &vectors {
            let width = all.len() / patches.len();
            std::hint::black_box(cosine_map(&all[..width], all));
        }
        Ok(())
    })?;
    measure(
        "click to heatmap, 39x39 known patches",
        "ms",
        seconds.into_iter().map(|secs| secs * 1e3).collect(),
    )
}

/// Exact search in h for 255 neighbours; the rows are real ones, repeated.
fn search(embedder: &Embedder, data: &dyn Dataset, rows: usize, repeats: usize) -> anyhow::Result<Measure> {
    let image = data.image(0)?;
    let grid = PatchGrid::new(16, 1)?;
    let per_image = grid.len(image.height(), image.width());
    let mut plan = ExtractPlan::new(embedder, data, grid, &[Space::H], Dtype::F16)?;
    let count = rows.div_ceil(per_image).min(plan.images.len());
    plan.images.truncate(count);
    let vectors = embedder.patches(&patches_of(data, per_image, 16)?, 16, &[Space::H]).remove(0);
    let mut memory = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
    for index in 0..count {
        memory.push_image(index, &[("h", &vectors)])?;
    }
    let bank = memory.snapshot();
    let width = bank.width("h")?;
    let seconds =
        repeat(repeats, || top_k(&bank, "h", &vectors[..width], 255, &Options::default()).map(|_| ()))?;
    let name = format!("exact search, k = 255 over {} x {width} in f16", bank.patches());
    measure(&name, "ms", seconds.into_iter().map(|secs| secs * 1e3).collect())
}

/// Seconds of each of `count` calls, after one to warm up.
fn repeat(count: usize, mut call: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Vec<f64>> {
    call()?;
    let timed = (0..count).map(|_| {
        let clock = Instant::now();
        call()?;
        Ok(clock.elapsed().as_secs_f64())
    });
    timed.collect()
}

fn measure(name: &str, unit: &'static str, values: Vec<f64>) -> anyhow::Result<Measure> {
    let at = |q| quantile(&values, q).context("a measure that is no number");
    Ok(Measure { name: name.into(), value: at(0.5)?, unit, n: values.len(), p50: at(0.5)?, p95: at(0.95)? })
}
