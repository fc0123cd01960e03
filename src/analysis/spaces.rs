//! How the spaces of a bank lie, or of two banks of the same patches, and how alike each two of them are: the measures
//! of [`crate::analysis::geometry`] over a sample of the rows, drawn by a seed.

use std::time::Instant;

use anyhow::{Context, ensure};
use rand::SeedableRng;
use rand::seq::index;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::analysis::geometry::{
    Gram, Neighbourhood, SpaceRows, TwoNn, components_for, participation_ratio, skewness,
};
use crate::bank::Bank;
use crate::memory;
use crate::progress::{CancelToken, Progress};
use crate::stats::spectrum::Spread;
use crate::stats::{Interval, bootstrap_mean, mean, quantile_of_sorted};
use crate::words::thousands;

/// What is measured of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeometryConfig {
    /// Rows at most, for everything but norms.
    pub sample: usize,
    /// Neighbours of each, for hubs and overlap.
    pub k: usize,
    /// Of the draw and of the intervals.
    pub seed: u64,
}

impl Default for GeometryConfig {
    fn default() -> Self {
        Self { sample: 2000, k: 10, seed: 0 }
    }
}

/// What was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Geometry {
    /// Patches that were looked at, for everything but norms.
    pub rows: usize,
    /// Patches that there are.
    pub of: usize,
    /// Neighbours of each.
    pub k: usize,
    /// Of the draw.
    pub seed: u64,
    /// One for each space.
    pub spaces: Vec<SpaceGeometry>,
    /// One for each two of them.
    pub pairs: Vec<SpacePair>,
}

/// One space.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpaceGeometry {
    /// Its name; with " A" or " B" where there are two models.
    pub space: String,
    /// How the sampled vectors fill it: deviation, RankMe, spectrum.
    #[serde(flatten)]
    pub spread: Spread,
    /// (sum of eigenvalues)^2 / sum of squares; absent where nothing varies.
    pub participation_ratio: Option<f64>,
    /// Components that make up 90 % of the variance.
    pub components_90: usize,
    /// Intrinsic dimension, on the unit sphere; absent where too few vectors differ.
    pub two_nn: Option<TwoNn>,
    /// Euclidean norms of all stored vectors.
    pub norms: NormQuantiles,
    /// How often vectors are among the nearest of others.
    pub hubs: Hubs,
}

/// Lengths of vectors.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct NormQuantiles {
    /// Vectors.
    pub count: usize,
    /// Mean.
    pub mean: f64,
    /// Quantiles 0.05, 0.25, 0.5, 0.75, 0.95.
    pub quantiles: [f64; 5],
}

/// k-occurrence: how often a vector is among the k nearest of the others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hubs {
    /// Its skewness; 0 without hubs.
    pub skewness: f64,
    /// The largest.
    pub largest: u32,
    /// Share of vectors that are nobody's neighbour.
    pub never: f64,
    /// Of every sampled vector, largest first.
    #[serde(skip_serializing_if = "crate::wire::is_for_a_file", default)]
    pub sorted: Vec<u32>,
}

/// Two spaces over the same patches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SpacePair {
    /// One.
    pub a: String,
    /// The other.
    pub b: String,
    /// Linear CKA; absent where one does not vary.
    pub cka: Option<f64>,
    /// The same, unbiased.
    pub unbiased_cka: Option<f64>,
    /// Share of the k nearest that both have: mean over the sample, with a bootstrap interval of 95 %.
    pub overlap: Interval,
    /// What two lists at random would share.
    pub chance: f64,
}

/// Shares at which norms are told.
const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];
/// Largest sample: all pairs of it are looked at.
const MOST_ROWS: usize = 20_000;

/// A space that is measured, and what pairs need of it.
struct Measured {
    geometry: SpaceGeometry,
    near: Neighbourhood,
    gram: Gram,
}

/// Steps of the work, told as they are done.
struct GeometrySteps<'a> {
    done: u64,
    total: u64,
    clock: Instant,
    cancel: &'a CancelToken,
    progress: &'a mut dyn FnMut(Progress),
}

impl GeometrySteps<'_> {
    /// One more is done.
    fn tick(&mut self) -> anyhow::Result<()> {
        self.done += 1;
        self.tell();
        Ok(self.cancel.check()?)
    }

    fn tell(&mut self) {
        (self.progress)(Progress {
            what: "measuring",
            done: self.done,
            total: self.total,
            resumed: 0,
            unit: "steps",
            elapsed: self.clock.elapsed(),
        });
    }
}

/// Measures `names`, spaces of each of `banks`, which hold the same patches: one bank, or two.
///
/// # Errors
/// A space that is not there, too few rows, no room, cancelled.
pub fn measure_spaces(
    banks: &[Bank],
    names: &[String],
    config: GeometryConfig,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<Geometry> {
    let GeometryConfig { sample, k, seed } = config;
    let rows = sample_rows(banks, names, sample.min(MOST_ROWS), seed)?;
    ensure!(
        rows.len() > k.max(3),
        "{} patches with a vector; expected more than k, which is {k}",
        rows.len()
    );
    ensure_room(banks, names, rows.len())?;
    let spaces = (banks.len() * names.len()) as u64;
    let total = 3 * spaces + spaces * spaces.saturating_sub(1) / 2;
    let mut steps = GeometrySteps { done: 0, total, clock: Instant::now(), cancel, progress };
    steps.tell();
    let letters: &[&str] = if banks.len() == 1 { &[""] } else { &[" A", " B"] };
    let mut measured = vec![];
    for (bank, letter) in banks.iter().zip(letters) {
        for name in names {
            cancel.check()?;
            measured.push(measure(bank, name, letter, &rows, k, &mut steps)?);
        }
    }
    let pairs = pairs(&measured, k, seed, &mut steps)?;
    Ok(Geometry {
        rows: rows.len(),
        of: banks.iter().map(Bank::searchable).min().unwrap_or(0),
        k,
        seed,
        spaces: measured.into_iter().map(|space| space.geometry).collect(),
        pairs,
    })
}

/// At most `count` rows that have a vector in every space, drawn whatever the order of the bank; ascending.
pub(super) fn sample_rows(
    banks: &[Bank],
    names: &[String],
    count: usize,
    seed: u64,
) -> anyhow::Result<Vec<usize>> {
    let mut has_vector = vec![true; banks[0].patches()];
    for bank in banks {
        for name in names {
            let mut row = 0;
            for piece in bank.space(name)?.pieces(0..bank.patches()) {
                for norm in piece.inv_norms {
                    has_vector[row] &= !norm.is_nan();
                    row += 1;
                }
            }
        }
    }
    let all: Vec<usize> = banks[0].rows_in_order().flatten().filter(|row| has_vector[*row]).collect();
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut rows: Vec<usize> = match count < all.len() {
        true => index::sample(&mut rng, all.len(), count).into_iter().map(|at| all[at]).collect(),
        false => all,
    };
    rows.sort_unstable();
    Ok(rows)
}

/// Vectors of one space several times over, and the dot products of all spaces.
fn ensure_room(banks: &[Bank], names: &[String], rows: usize) -> anyhow::Result<()> {
    let mut widest = 0;
    for bank in banks {
        for name in names {
            widest = widest.max(bank.width(name)?);
        }
    }
    let (n, spaces) = (rows as u64, (banks.len() * names.len()) as u64);
    // Both float32 copies, and three in float64 with their Gram matrix while the spectrum is found.
    let bytes = n * widest as u64 * (2 * 4 + 3 * 8) + 8 * n.min(widest as u64).pow(2) + spaces * 8 * n * n;
    let budget = memory::budget();
    let what = || format!("{} vectors of up to {widest} values and their dot products", thousands(rows));
    Ok(budget.ensure(budget.bank(), bytes, what, "a smaller --sample, or fewer spaces")?)
}

fn measure(
    bank: &Bank,
    name: &str,
    letter: &str,
    rows: &[usize],
    k: usize,
    steps: &mut GeometrySteps<'_>,
) -> anyhow::Result<Measured> {
    let width = bank.width(name)?;
    let mut values = vec![0.0; rows.len() * width];
    for (out, row) in values.chunks_exact_mut(width).zip(rows) {
        bank.row_f32(name, *row, out)?;
    }
    let spread =
        Spread::of(&values, width).with_context(|| format!("space {name}: values are not finite"))?;
    steps.tick()?;
    let space = SpaceRows::new(values, width);
    // TwoNN needs two, however few are asked for.
    let near = space.neighbours(k.max(2), steps.cancel)?;
    let two_nn = near.two_nn();
    let near = near.first(k);
    let mut sorted = near.occurrences();
    let skewness = skewness(&sorted);
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let never = sorted.iter().filter(|count| **count == 0).count() as f64 / sorted.len() as f64;
    let hubs = Hubs { skewness, largest: sorted[0], never, sorted };
    let geometry = SpaceGeometry {
        space: format!("{name}{letter}"),
        participation_ratio: participation_ratio(&spread.spectrum),
        components_90: components_for(&spread.spectrum, 0.9),
        spread,
        two_nn,
        norms: norms(bank, name)?,
        hubs,
    };
    steps.tick()?;
    let gram = space.gram();
    steps.tick()?;
    Ok(Measured { geometry, near, gram })
}

/// Of all rows of the bank that have a vector.
fn norms(bank: &Bank, name: &str) -> anyhow::Result<NormQuantiles> {
    let space = bank.space(name)?;
    let mut norms = vec![];
    for piece in space.pieces(0..bank.patches()) {
        let known = piece.inv_norms.iter().filter(|inv| !inv.is_nan());
        norms.extend(known.map(|inv| if *inv > 0.0 { 1.0 / f64::from(*inv) } else { 0.0 }));
    }
    space.check_length()?;
    norms.sort_by(f64::total_cmp);
    let quantiles = QUANTILES.map(|q| quantile_of_sorted(&norms, q).unwrap_or(0.0));
    Ok(NormQuantiles { count: norms.len(), mean: mean(&norms).unwrap_or(0.0), quantiles })
}

fn pairs(
    measured: &[Measured],
    k: usize,
    seed: u64,
    steps: &mut GeometrySteps<'_>,
) -> anyhow::Result<Vec<SpacePair>> {
    let mut pairs = vec![];
    for (index, a) in measured.iter().enumerate() {
        for b in &measured[index + 1..] {
            let overlaps = a.near.overlaps(&b.near);
            let overlap = bootstrap_mean(&overlaps, 2000, 0.95, seed).context("no rows")?;
            let others = overlaps.len() - 1;
            pairs.push(SpacePair {
                a: a.geometry.space.clone(),
                b: b.geometry.space.clone(),
                cka: a.gram.cka(&b.gram),
                unbiased_cka: a.gram.unbiased_cka(&b.gram),
                overlap,
                chance: k as f64 / others as f64,
            });
            steps.tick()?;
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;

    /// Vectors along two axes of three, one of them twice as long: two eigenvalues, no third.
    #[test]
    fn a_bank_in_memory_is_measured_step_by_step_and_can_be_left() {
        let bank = fixture::bank(4, 2, 3, |patch| {
            let (y, x) = (f64::from(patch.y) - 8.0, f64::from(patch.x) - 8.0);
            vec![x as f32 * 2.0, y as f32, 0.0]
        });
        let (names, cancel) = (["h".to_owned()], CancelToken::default());
        let config = GeometryConfig { sample: 1000, k: 5, seed: 1 };
        let mut told = vec![];
        let mut progress = |progress: Progress| told.push((progress.done, progress.total));
        let found =
            measure_spaces(std::slice::from_ref(&bank), &names, config, &cancel, &mut progress).unwrap();
        assert_eq!(
            (found.rows, found.of, found.pairs.len(), told),
            (100, 100, 0, vec![(0, 3), (1, 3), (2, 3), (3, 3)])
        );
        let spectrum = &found.spaces[0].spread.spectrum;
        assert!((spectrum[0] / spectrum[1] - 4.0).abs() < 1e-4 && spectrum[2].abs() < 1e-4, "{spectrum:?}");
        // (4 + 1)^2 / (16 + 1).
        assert!((found.spaces[0].participation_ratio.unwrap() - 25.0 / 17.0).abs() < 1e-4);
        let leave = CancelToken::default();
        let mut told = 0;
        let mut leaves = |progress: Progress| {
            told = progress.done;
            if told == 1 {
                leave.cancel();
            }
        };
        let left = measure_spaces(std::slice::from_ref(&bank), &names, config, &leave, &mut leaves);
        assert!(left.unwrap_err().is::<crate::progress::Cancelled>() && told == 1);
        let few = GeometryConfig { k: 100, ..config };
        let error =
            measure_spaces(std::slice::from_ref(&bank), &names, few, &cancel, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("expected more than k"), "{error}");
    }
}
