//! This machine's numbers, with the built-in model and data.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use serde::Serialize;

use crate::analysis::heatmap::{cosine_map, cosine_map_of, norm};
use crate::bank::{Bank, BankSink, Dtype, ImageEntry, MemoryBank, SpaceSpec};
use crate::dataset::{self, DataSpec, Dataset};
use crate::embed::{BATCH, Embedder, ExtractPlan, PatchSource};
use crate::engine::jobs::{Job, open_embedder};
use crate::image::Image;
use crate::model::builtin::ALL as BUILT_IN;
use crate::model::{Encoder, Mode, Space, store};
use crate::patch::PatchGrid;
use crate::progress::{CancelToken, Progress};
use crate::search::{Options, Question, TOGETHER, read_pass, top_k, top_k_many};
use crate::stats::quantile;
use crate::train::feed::{AHEAD, Feeder};
use crate::train::{TrainConfig, Trainer, TrainingImages, normalization, recipes};

/// One measure: median and 95th percentile of n repetitions.
#[derive(Clone, Debug, Serialize)]
pub struct Measure {
    /// What was measured.
    pub name: String,
    /// The median.
    pub value: f64,
    /// Of all three values.
    pub unit: &'static str,
    /// Repetitions.
    pub n: usize,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
}

/// All measures and the device they were made on.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Its name.
    pub device: String,
    /// Why it was chosen.
    pub reason: String,
    /// Threads of the CPU that worked.
    pub threads: usize,
    /// In the order in which they were made.
    pub measures: Vec<Measure>,
}

/// Rows of the searched bank.
const SEARCH_ROWS: [usize; 2] = [100_000, 1_000_000];

/// Values of its rows, and rows that count as one image.
const SEARCH_WIDTH: usize = 512;
const SEARCH_IMAGE: usize = 1000;

/// What the measures share.
struct Bench {
    embedder: Embedder,
    encoder: Encoder,
    data: Arc<dyn Dataset>,
    device: Device,
    repeats: usize,
    search_rows: usize,
}

/// Makes measures.
type MeasureOf = fn(&Bench) -> anyhow::Result<Vec<Measure>>;

/// Every measure, in the order in which they are made.
const MEASURES: [MeasureOf; 8] = [
    Bench::forward,
    Bench::embedding,
    Bench::training_step,
    Bench::augmentation,
    Bench::click,
    Bench::new_image,
    Bench::heatmaps,
    Bench::search,
];

/// Recipes whose views are made: fixed patches, and crops of many scales with blur and solarisation.
const AUGMENTED: [&str; 2] = ["quick-parts", "cifar10-vicreg-multiscale"];

/// Repetitions of each measure.
pub fn repetitions(quick: bool) -> usize {
    if quick { 5 } else { 30 }
}

/// Runs every measure; `quick` with fewer repetitions and a smaller bank.
pub fn bench(quick: bool, job: Job<'_>) -> anyhow::Result<BenchReport> {
    let (open, embedder) = open_embedder(job.device, &BUILT_IN[0].name.into())?;
    let bench = Bench {
        embedder,
        encoder: store::open(&BUILT_IN[0].name.into(), &open.device)?.encoder.valid(),
        data: dataset::open(DataSpec::default(), None)?,
        device: open.device.clone(),
        repeats: repetitions(quick),
        search_rows: SEARCH_ROWS[usize::from(!quick)],
    };
    let started = Instant::now();
    let mut measures = vec![];
    for (index, make) in MEASURES.into_iter().enumerate() {
        job.cancel.check()?;
        measures.extend(make(&bench)?);
        (job.progress)(Progress {
            what: "measuring",
            done: index as u64 + 1,
            total: MEASURES.len() as u64,
            resumed: 0,
            unit: "measures",
            elapsed: started.elapsed(),
        });
    }
    let threads = rayon::current_num_threads();
    Ok(BenchReport { device: open.name, reason: open.reason, threads, measures })
}

/// Side of the measured patches, pixels.
const PATCH: u32 = 16;
/// Patches of a map: all of 39 x 39.
const MAP: usize = 39 * 39;

impl Bench {
    /// Patches per second through the network alone, to h and z.
    fn forward(&self) -> anyhow::Result<Vec<Measure>> {
        let side = self.embedder.info.input as usize;
        let values: Vec<f32> = (0..BATCH * 3 * side * side).map(|i| (i % 251) as f32 / 125.0 - 1.0).collect();
        let images = Tensor::<4>::from_data(TensorData::new(values, [BATCH, 3, side, side]), &self.device);
        let seconds = repeat(self.repeats, || {
            for vectors in self.encoder.embed(images.clone(), &[Space::H, Space::Z], Mode::Eval) {
                // Reading waits for the device.
                std::hint::black_box(vectors.into_data());
            }
            Ok(())
        })?;
        rates(&format!("forward, {} at {side}x{side}", self.title()), "patches/s", BATCH as f64, &seconds)
    }

    /// Patches per second through cutting, resizing and the network.
    fn embedding(&self) -> anyhow::Result<Vec<Measure>> {
        let patches = self.patches(BATCH)?;
        let seconds =
            repeat(self.repeats, || self.embedder.patches(&patches, PATCH, &[Space::H, Space::Z]).map(drop))?;
        rates(&format!("embedding, {}", self.title()), "patches/s", BATCH as f64, &seconds)
    }

    /// Views per second of whole training steps, augmentation included.
    fn training_step(&self) -> anyhow::Result<Vec<Measure>> {
        let mut config = recipes::find("quick-parts")?.config;
        config.batch = 64;
        let mut trainer = Trainer::new(config, self.data.clone(), &self.device)?;
        let views = trainer.views_per_step() as f64;
        let seconds = repeat(self.repeats, || trainer.step().map(|_| ()))?;
        rates("training step", "views/s", views, &seconds)
    }

    /// Views per second that decoding and augmentation make while nothing else works: what the engine may
    /// take at most.
    fn augmentation(&self) -> anyhow::Result<Vec<Measure>> {
        let mut measures = vec![];
        for name in AUGMENTED {
            let config = TrainConfig { batch: 64, ..recipes::find(name)?.config };
            let views = (config.batch * config.views.len()) as f64;
            let images = TrainingImages::choose(&config, self.data.as_ref());
            let norm = normalization::of(self.data.as_ref())?;
            let mut feeder = Feeder::start(config, self.data.clone(), images, norm, 0..u64::MAX)?;
            // Those that were made ahead would seem to cost nothing.
            for _ in 0..=AHEAD {
                feeder.next(&CancelToken::default())?;
            }
            let seconds = repeat(self.repeats, || feeder.next(&CancelToken::default()).map(drop))?;
            measures.extend(rates(&format!("augmentation, {name}"), "views/s", views, &seconds)?);
        }
        Ok(measures)
    }

    /// From a click to both maps where the image's patches are known: the query's own way through the
    /// network, and its cosine with each of 39 x 39 patches in two spaces.
    fn click(&self) -> anyhow::Result<Vec<Measure>> {
        let patches = self.patches(MAP)?;
        let known = self.embedder.patches(&patches, PATCH, &[Space::Z, Space::H])?;
        let seconds = repeat(self.repeats, || self.maps(&patches[MAP / 2], &known))?;
        times("click to both maps, 39x39 known patches", &seconds)
    }

    /// From an image that was never seen to both maps of a click on it: all patches go through the network.
    fn new_image(&self) -> anyhow::Result<Vec<Measure>> {
        let patches = self.patches(MAP)?;
        let seconds = repeat(self.repeats.min(5), || {
            let known = self.embedder.patches(&patches, PATCH, &[Space::Z, Space::H])?;
            self.maps(&patches[MAP / 2], &known)
        })?;
        times("click to both maps, 39x39 new patches", &seconds)
    }

    fn maps(&self, query: &PatchSource, known: &[Vec<f32>]) -> anyhow::Result<()> {
        let query = self.embedder.patches(std::slice::from_ref(query), PATCH, &[Space::Z, Space::H])?;
        for (query, known) in query.iter().zip(known) {
            std::hint::black_box(cosine_map(query, known));
        }
        Ok(())
    }

    /// The map of a click alone, for vectors of any width: the cosine with each of 39 x 39 known patches.
    fn heatmaps(&self) -> anyhow::Result<Vec<Measure>> {
        let mut measures = vec![];
        for width in [128, 512, 2048, 8192] {
            let vectors = random(&mut rand_pcg::Pcg64Mcg::seed_from_u64(0), MAP * width);
            let norms: Vec<f32> = vectors.chunks_exact(width).map(norm).collect();
            let seconds = repeat(self.repeats, || {
                std::hint::black_box(cosine_map_of(&vectors[..width], &vectors, &norms));
                Ok(())
            })?;
            measures.extend(times(&format!("heatmap of 39x39 known patches, {width} wide"), &seconds)?);
        }
        Ok(measures)
    }

    /// Exact search for 255 neighbours among random rows, and the share of the read bandwidth that it
    /// reaches: each search is timed beside a pass that only reads as many bytes, on as many threads.
    fn search(&self) -> anyhow::Result<Vec<Measure>> {
        let bank = self.random_bank()?;
        let bytes = vec![1u8; bank.patches() * SEARCH_WIDTH * Dtype::F16.bytes()];
        let mut query = vec![0.0; SEARCH_WIDTH];
        bank.row_f32("h", 0, &mut query)?;
        let mut reads = vec![];
        let mut shares = vec![];
        let seconds = repeat(self.repeats, || top_k(&bank, "h", &query, 255, &Options::default()).map(drop))?;
        for _ in 0..=self.repeats {
            let read = read_pass(&bytes);
            let clock = Instant::now();
            std::hint::black_box(top_k(&bank, "h", &query, 255, &Options::default())?);
            shares.push(100.0 * read / clock.elapsed().as_secs_f64());
            reads.push(bytes.len() as f64 / read / 1e9);
        }
        let title = format!("exact search, k = 255 over {} x {SEARCH_WIDTH} in f16", bank.patches());
        let mut measures = times(&title, &seconds)?;
        // The first pass of each finds its pages.
        measures.push(measure("read bandwidth", "GB/s", reads.split_off(1))?);
        measures.push(measure(&format!("{title}, of the read bandwidth"), "%", shares.split_off(1))?);
        measures.extend(self.searches(&bank, &title)?);
        Ok(measures)
    }

    /// The same search for many rows together, as figures and measures ask, beside that for one of them after it.
    fn searches(&self, bank: &Bank, title: &str) -> anyhow::Result<Vec<Measure>> {
        let count = (8 * self.repeats).min(TOGETHER);
        let question = |index: usize| {
            let mut query = vec![0.0; SEARCH_WIDTH];
            bank.row_f32("h", index * bank.patches() / count, &mut query)?;
            Ok(Question { query, options: Options::default() })
        };
        let questions = (0..count).map(question).collect::<anyhow::Result<Vec<_>>>()?;
        let (mut each, mut ratios) = (vec![], vec![]);
        for _ in 0..=self.repeats.min(3) {
            let clock = Instant::now();
            std::hint::black_box(top_k_many(bank, "h", &questions, 255)?);
            let seconds = clock.elapsed().as_secs_f64() / count as f64;
            let clock = Instant::now();
            std::hint::black_box(top_k(bank, "h", &questions[0].query, 255, &questions[0].options)?);
            ratios.push(clock.elapsed().as_secs_f64() / seconds);
            each.push(seconds);
        }
        let mut measures = times(&format!("{title}, {count} queries together, each"), &each.split_off(1))?;
        measures.push(measure(&format!("{title}, one query beside them"), "x", ratios.split_off(1))?);
        Ok(measures)
    }

    fn random_bank(&self) -> anyhow::Result<Bank> {
        let grid = PatchGrid::new(1, 1)?;
        let plan = ExtractPlan::new(&self.embedder, self.data.as_ref(), None, grid, &[Space::H], Dtype::F16)?;
        let mut spec = plan.spec;
        spec.spaces = vec![SpaceSpec { name: "h".into(), width: SEARCH_WIDTH as u32 }];
        let images = self.search_rows / SEARCH_IMAGE;
        let entry = |index: usize| ImageEntry {
            index: index as u32,
            height: SEARCH_IMAGE as u32,
            width: 1,
            label: None,
            name: index.to_string(),
        };
        let mut memory = MemoryBank::new(spec, (0..images).map(entry).collect())?;
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(0);
        for index in 0..images {
            memory.push_image(index, &[("h", &random(&mut rng, SEARCH_IMAGE * SEARCH_WIDTH))])?;
        }
        Ok(memory.snapshot())
    }

    /// Patches of the first image, row by row and round again.
    fn patches(&self, count: usize) -> anyhow::Result<Vec<PatchSource>> {
        let image: Arc<Image> = Arc::new(self.data.image(0)?);
        let grid = PatchGrid::new(PATCH, 1)?;
        let (rows, cols) = grid.shape(image.height(), image.width());
        let corner = |i: usize| grid.corner(i % (rows * cols), cols);
        Ok((0..count).map(corner).map(|(y, x)| PatchSource { image: image.clone(), y, x }).collect())
    }

    fn title(&self) -> String {
        self.embedder.info.backbone.title()
    }
}

fn random(rng: &mut rand_pcg::Pcg64Mcg, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
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

/// `amount` in each of `seconds`, per second.
fn rates(name: &str, unit: &'static str, amount: f64, seconds: &[f64]) -> anyhow::Result<Vec<Measure>> {
    Ok(vec![measure(name, unit, seconds.iter().map(|secs| amount / secs).collect())?])
}

/// A measure in milliseconds of each of `seconds`.
///
/// # Errors
/// Where there are none, or one is no number.
pub fn times(name: &str, seconds: &[f64]) -> anyhow::Result<Vec<Measure>> {
    Ok(vec![measure(name, "ms", seconds.iter().map(|secs| secs * 1e3).collect())?])
}

fn measure(name: &str, unit: &'static str, values: Vec<f64>) -> anyhow::Result<Measure> {
    let at = |q| quantile(&values, q).context("a measure that is no number");
    Ok(Measure { name: name.into(), value: at(0.5)?, unit, n: values.len(), p50: at(0.5)?, p95: at(0.95)? })
}
