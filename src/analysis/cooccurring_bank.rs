//! Section 3 of the paper on real patches: whether z1.z2 says how often two kinds of patches stand on one image.
//!
//! Half of a bank's images, drawn by the seed, teach: patches are quantised into kinds by k-means, and a kind's vector in
//! each space is the mean of its patches' vectors of unit length, so that a product of two kinds is the mean cosine of
//! their patches. On the other half the kinds are counted, and p12 / (p1 p2) is held against those products.

use std::collections::HashSet;
use std::time::Instant;

use anyhow::{Context, ensure};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::analysis::cooccurrence::products;
use crate::analysis::cooccurring::{KindCounts, marginal, ratios};
use crate::analysis::kinds::PatchKinds;
use crate::bank::{Bank, ModelFacts};
use crate::memory;
use crate::patch::PatchGrid;
use crate::progress::{CancelToken, Progress};
use crate::stats::Interval;
use crate::tiles::ImageTiles;

/// Resamples of the held-out images.
const RESAMPLES: usize = 200;
/// Most patches that k-means learns from; all are counted.
const MOST_LEARNED: usize = 100_000;

/// How it is measured.
#[derive(Clone, Debug)]
pub struct CooccurringConfig {
    /// Kinds that patches are quantised into.
    pub kinds: usize,
    /// The space by whose vectors they are; none: h, or the first there is.
    pub by: Option<String>,
    /// Draws the halves, the first centres and the resamples.
    pub seed: u64,
}

impl CooccurringConfig {
    /// Kinds where no other number is told.
    pub const KINDS: usize = 128;
}

impl Default for CooccurringConfig {
    fn default() -> Self {
        Self { kinds: Self::KINDS, by: None, seed: 0 }
    }
}

/// What was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CooccurringReport {
    /// Whose vectors.
    pub model: ModelFacts,
    /// The data set's name.
    pub data: String,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// The tiles in which images went through that are larger, where the bank has spaces of places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiles: Option<ImageTiles>,
    /// Draws the halves, the first centres and the resamples.
    pub seed: u64,
    /// Kinds of patches.
    pub kinds: usize,
    /// The space by whose vectors they were quantised.
    pub by: String,
    /// Images and patches of the half that teaches, and of the held-out half.
    pub taught: [usize; 2],
    /// As `taught`.
    pub held_out: [usize; 2],
    /// Kinds that occur on held-out images.
    pub occurring: usize,
    /// Correlation of the ratios of the one half with those of the other: as much as counts can tell.
    pub ceiling: Option<Interval>,
    /// Of each space.
    pub spaces: Vec<SpaceAgreement>,
}

/// How the products of a space go with the co-occurrence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpaceAgreement {
    /// The space.
    pub space: String,
    /// Correlation with p12 / (p1 p2) on held-out images, pairs weighted by p1 p2; `None` where one does not vary.
    pub correlation: Option<Interval>,
}

/// All pairs of kinds, each `[kinds, kinds]`.
pub struct KindPairs {
    /// p(x1, x2) on held-out images.
    pub joint: Vec<f64>,
    /// The same, over p(x1) p(x2).
    pub ratios: Vec<f64>,
    /// For each space the mean cosine.
    pub products: Vec<Vec<f64>>,
}

/// Measures it on a bank, called `name` in what goes wrong, in `spaces`.
///
/// # Errors
/// A space that is not there, too few images, no room, cancelled.
pub fn measure_cooccurring(
    bank: &Bank,
    name: &str,
    spaces: &[String],
    config: &CooccurringConfig,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<(CooccurringReport, KindPairs)> {
    ensure!((2..=2048).contains(&config.kinds), "--kinds {}; expected 2 to 2,048", config.kinds);
    let by = chosen_space(bank, config.by.as_deref())?;
    spaces.iter().try_for_each(|space| bank.space(space).map(drop))?;
    let [taught, held_out] = halves(bank, config.seed);
    ensure!(
        taught.images() > 1 && held_out.images() > 1,
        "{name}: {} images with two patches and more; expected at least 4",
        taught.images() + held_out.images()
    );
    // Kinds are learned, then spaces are looked at.
    let (steps, clock) = (spaces.len() + 1, Instant::now());
    tell(progress, 0, steps, clock);
    let rows = unit_rows(bank, &by, &taught.rows)?;
    let width = bank.width(&by)?;
    let learned = &rows[..rows.len().min(MOST_LEARNED * width)];
    let kinds = PatchKinds::learn(learned, width, config.kinds, config.seed, cancel)?;
    let of_taught = kinds.nearest(&rows).into_iter().map(|(kind, _)| kind).collect::<Vec<_>>();
    drop(rows);
    let of_held_out = kinds.nearest(&unit_rows(bank, &by, &held_out.rows)?);
    let of_held_out: Vec<u32> = of_held_out.into_iter().map(|(kind, _)| kind).collect();
    let counts = held_out.counts(&of_held_out, kinds.count());
    let joint = counts.whole();
    let known = ratios(&taught.counts(&of_taught, kinds.count()).whole(), kinds.count());
    let mut report = CooccurringReport {
        model: bank.spec().model.clone(),
        data: bank.spec().data.name.clone(),
        grid: bank.spec().grid,
        tiles: bank.spec().tiles,
        seed: config.seed,
        kinds: kinds.count(),
        by,
        taught: [taught.images(), taught.rows.len()],
        held_out: [held_out.images(), held_out.rows.len()],
        occurring: marginal(&joint, kinds.count()).iter().filter(|p| **p > 0.0).count(),
        ceiling: counts.agreement(&known, RESAMPLES, config.seed),
        spaces: vec![],
    };
    let mut of_spaces = vec![];
    for (done, space) in spaces.iter().enumerate() {
        tell(progress, done + 1, steps, clock);
        cancel.check()?;
        let means = kind_means(bank, space, &taught.rows, &of_taught, kinds.count())?;
        let found = products(&means, kinds.count());
        let correlation = counts.agreement(&found, RESAMPLES, config.seed);
        report.spaces.push(SpaceAgreement { space: space.clone(), correlation });
        of_spaces.push(found);
    }
    tell(progress, steps, steps, clock);
    let ratios = ratios(&joint, kinds.count());
    Ok((report, KindPairs { joint, ratios, products: of_spaces }))
}

fn tell(progress: &mut dyn FnMut(Progress), done: usize, total: usize, clock: Instant) {
    progress(Progress {
        what: "measuring",
        done: done as u64,
        total: total as u64,
        resumed: 0,
        unit: "steps",
        elapsed: clock.elapsed(),
    });
}

/// What was asked for, or h, or what comes first: kinds that z made itself would say little of z.
fn chosen_space(bank: &Bank, by: Option<&str>) -> anyhow::Result<String> {
    if let Some(by) = by {
        return bank.space(by).map(|_| by.to_owned());
    }
    let names: Vec<&str> = bank.spaces().collect();
    let usual = names.iter().copied().find(|name| *name == "h");
    usual.or(names.first().copied()).map(str::to_owned).context("the bank has no space")
}

/// Patches of some images.
struct HalfOfBank {
    /// Image after image.
    rows: Vec<usize>,
    /// How many of them are of each image.
    of_image: Vec<usize>,
}

impl HalfOfBank {
    fn images(&self) -> usize {
        self.of_image.len()
    }

    /// The kinds on each image.
    fn counts(&self, kinds: &[u32], count: usize) -> KindCounts {
        let mut counts = KindCounts::new(count);
        let mut rest = kinds;
        for patches in &self.of_image {
            let (image, later) = rest.split_at(*patches);
            counts.add(image);
            rest = later;
        }
        counts
    }
}

/// The images with two patches and more, drawn into two halves.
fn halves(bank: &Bank, seed: u64) -> [HalfOfBank; 2] {
    let skipped: HashSet<u32> = bank.skipped().iter().map(|skipped| skipped.image).collect();
    let images = bank
        .rows_in_order()
        .filter(|rows| rows.len() > 1 && !skipped.contains(&bank.image_of_row(rows.start)));
    let mut images: Vec<_> = images.collect();
    images.shuffle(&mut Pcg64Mcg::seed_from_u64(seed));
    let (first, second) = images.split_at(images.len() / 2);
    [first, second].map(|images| HalfOfBank {
        rows: images.iter().cloned().flatten().collect(),
        of_image: images.iter().map(ExactSizeIterator::len).collect(),
    })
}

/// The vectors of `rows`, `[rows, width]`, of unit length; zeros stay.
fn unit_rows(bank: &Bank, space: &str, rows: &[usize]) -> anyhow::Result<Vec<f32>> {
    let width = bank.width(space)?;
    let budget = memory::budget();
    let what = || format!("the vectors of {} patches", rows.len());
    budget.ensure(budget.bank(), (rows.len() * width * 4) as u64, what, "a bank of fewer images")?;
    let mut values = vec![0.0; rows.len() * width];
    for (row, to) in rows.iter().zip(values.chunks_exact_mut(width)) {
        bank.row_f32(space, *row, to)?;
        to_unit(to);
    }
    Ok(values)
}

fn to_unit(row: &mut [f32]) {
    let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
    row.iter_mut().for_each(|value| *value /= if norm > 0.0 { norm } else { 1.0 });
}

/// The mean vector of each kind, `[kinds, width]`; zeros where there is none.
fn kind_means(
    bank: &Bank,
    space: &str,
    rows: &[usize],
    kinds: &[u32],
    count: usize,
) -> anyhow::Result<Vec<f64>> {
    let width = bank.width(space)?;
    let (mut means, mut counts, mut vector) =
        (vec![0.0; count * width], vec![0.0f64; count], vec![0.0; width]);
    for (row, kind) in rows.iter().zip(kinds) {
        bank.row_f32(space, *row, &mut vector)?;
        to_unit(&mut vector);
        let kind = *kind as usize;
        counts[kind] += 1.0;
        let mean = &mut means[kind * width..(kind + 1) * width];
        mean.iter_mut().zip(&vector).for_each(|(mean, value)| *mean += f64::from(*value));
    }
    for (mean, count) in means.chunks_exact_mut(width).zip(&counts) {
        mean.iter_mut().for_each(|value| *value /= count.max(1.0));
    }
    Ok(means)
}
