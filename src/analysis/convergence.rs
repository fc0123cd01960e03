//! How the mean of a few patches' vectors nears the vector of the whole image (Fig. 3a).
//!
//! Protocol: the patches of an image lie on a grid and are taken in an order that is drawn once for each image, so that
//! the mean of 4 holds the 2 before it. Of the un-normalised mean of the first N the cosine is taken with the vector of
//! the whole image ("central") and with R, the mean over all patches. Where an image has fewer than N patches all of
//! them count, and the row says so. Of one image alone the spread is over further orders, of which the first is that of
//! the protocol.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, ensure};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::augment::view_rng;
use crate::embed::{BATCH, Embedder, PatchSource};
use crate::image::Image;
use crate::model::Space;
use crate::patch::PatchGrid;
use crate::progress::CancelToken;
use crate::stats::{Interval, bootstrap_mean, quantile};

/// How many patches a mean is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(into = "String", try_from = "String")]
pub enum PatchCount {
    /// So many, or all where there are fewer.
    First(usize),
    /// All of the grid.
    All,
}

impl PatchCount {
    /// The numbers that are averaged unless told.
    pub const USUAL: [Self; 6] =
        [Self::First(1), Self::First(2), Self::First(4), Self::First(8), Self::First(16), Self::All];

    /// So many of `patches`.
    pub fn of(self, patches: usize) -> usize {
        match self {
            Self::First(count) => count.min(patches),
            Self::All => patches,
        }
    }
}

impl From<PatchCount> for String {
    fn from(count: PatchCount) -> Self {
        count.to_string()
    }
}

impl TryFrom<String> for PatchCount {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for PatchCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(count) => count.fmt(f),
            Self::All => f.write_str("all"),
        }
    }
}

impl FromStr for PatchCount {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        let count = text.parse().ok().filter(|count| (1..=1 << 20).contains(count)).map(Self::First);
        count.with_context(|| format!("\"{text}\": expected a number of patches from 1 to 1,048,576, or all"))
    }
}

/// The cosines of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageCosines {
    /// Patches of its grid.
    pub patches: usize,
    /// For each space and count, with the whole image's vector.
    pub whole: Vec<Vec<f64>>,
    /// For each space and count, with the mean over all patches.
    pub mean: Vec<Vec<f64>>,
}

/// What is measured of each image.
pub struct ConvergencePlan<'a> {
    /// Of the model.
    pub embedder: &'a Embedder,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// Which spaces.
    pub spaces: Vec<Space>,
    /// Means over how many patches.
    pub counts: Vec<PatchCount>,
    /// Of the order of an image's patches.
    pub seed: u64,
}

impl ConvergencePlan<'_> {
    /// The cosines of image `index`: `patches_of` is what patches are cut from, `whole` what is embedded as a whole.
    ///
    /// # Errors
    /// No patch fits, cancelled, or those of the model.
    pub fn of_image(
        &self,
        index: usize,
        patches_of: &Arc<Image>,
        whole: &Arc<Image>,
        cancel: &CancelToken,
    ) -> anyhow::Result<ImageCosines> {
        let central = self.embedder.centrals(std::slice::from_ref(whole), &self.spaces)?;
        let corners = corners(self.grid, patches_of)?;
        let order: Vec<(u32, u32)> =
            order(corners.len(), self.seed, index, 0).into_iter().map(|cell| corners[cell]).collect();
        let mut sums: Vec<Running> = central.iter().map(|vector| Running::new(vector.len())).collect();
        let marks: Vec<usize> = self.counts.iter().map(|count| count.of(order.len())).collect();
        for corners in order.chunks(BATCH) {
            cancel.check()?;
            let vectors =
                self.embedder.patches(&sources(patches_of, corners), self.grid.patch, &self.spaces)?;
            sums.iter_mut().zip(&vectors).for_each(|(sum, rows)| sum.add(rows, &marks));
        }
        Ok(ImageCosines {
            patches: order.len(),
            whole: sums.iter().zip(&central).map(|(sum, whole)| sum.cosines(&marks, &wide(whole))).collect(),
            mean: sums.iter().map(|sum| sum.cosines(&marks, &sum.total)).collect(),
        })
    }
}

/// The order in which the patches of image `index` are taken: that of the protocol for `draw` 0, another for each
/// further one.
pub fn order(patches: usize, seed: u64, index: usize, draw: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..patches).collect();
    order.shuffle(&mut view_rng(seed, 0, index as u64, draw));
    order
}

/// 1, 2, 4, ... and all of `patches`.
pub fn doubling(patches: usize) -> Vec<PatchCount> {
    let powers = std::iter::successors(Some(1usize), |count| count.checked_mul(2));
    let below = powers.take_while(|count| *count < patches).map(PatchCount::First);
    below.chain([PatchCount::All]).collect()
}

/// The cosines of one space of one image, whose vectors are at hand, along one order.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderCosines {
    /// For each count, with the whole image's vector; none where that is not known.
    pub whole: Option<Vec<f64>>,
    /// For each count, with the mean over all patches.
    pub mean: Vec<f64>,
}

/// Measures `rows`, `[patches, width]`, along `order`, which has each patch once.
pub fn along(
    rows: &[f32],
    width: usize,
    whole: Option<&[f32]>,
    counts: &[PatchCount],
    order: &[usize],
) -> OrderCosines {
    let marks: Vec<usize> = counts.iter().map(|count| count.of(order.len())).collect();
    let mut sum = Running::new(width);
    order.iter().for_each(|cell| sum.add(&rows[cell * width..(cell + 1) * width], &marks));
    OrderCosines {
        whole: whole.map(|whole| sum.cosines(&marks, &wide(whole))),
        mean: sum.cosines(&marks, &sum.total),
    }
}

fn wide(vector: &[f32]) -> Vec<f64> {
    vector.iter().map(|value| f64::from(*value)).collect()
}

/// The corners of all patches of an image, row by row.
pub(super) fn corners(grid: PatchGrid, image: &Image) -> anyhow::Result<Vec<(u32, u32)>> {
    let (height, width) = (image.height(), image.width());
    let (rows, cols) = grid.shape(height, width);
    ensure!(
        rows * cols > 0,
        "a patch of {0} x {0} pixels does not fit an image of {width} x {height} (width x height)",
        grid.patch
    );
    Ok((0..rows * cols).map(|cell| grid.corner(cell, cols)).collect())
}

pub(super) fn sources(image: &Arc<Image>, corners: &[(u32, u32)]) -> Vec<PatchSource> {
    corners.iter().map(|&(y, x)| PatchSource { image: image.clone(), y, x }).collect()
}

/// A sum of vectors, and what it was after certain numbers of them.
pub(super) struct Running {
    pub(super) total: Vec<f64>,
    count: usize,
    /// Numbers of vectors and the sum of so many.
    known: Vec<(usize, Vec<f64>)>,
}

impl Running {
    pub(super) fn new(width: usize) -> Self {
        Self { total: vec![0.0; width], count: 0, known: vec![] }
    }

    /// Adds rows; the sum is kept where their number is one of `marks`.
    pub(super) fn add(&mut self, rows: &[f32], marks: &[usize]) {
        for row in rows.chunks_exact(self.total.len()) {
            self.total.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            self.count += 1;
            if marks.contains(&self.count) {
                self.known.push((self.count, self.total.clone()));
            }
        }
    }

    /// The sum of the first `count` vectors, which were marked. Its direction is that of their mean.
    fn after(&self, count: usize) -> &[f64] {
        self.known.iter().find(|(known, _)| *known == count).map_or(&self.total, |(_, sum)| sum)
    }

    /// Of the means after `marks`, the cosines with a vector.
    fn cosines(&self, marks: &[usize], with: &[f64]) -> Vec<f64> {
        marks.iter().map(|mark| cosine(self.after(*mark), with)).collect()
    }
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The cosine of two vectors; 0 where one is zero.
pub(super) fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { (dot(a, b) / lengths).clamp(-1.0, 1.0) } else { 0.0 }
}

/// A number over images, or over the orders of one image's patches: its mean with a bootstrap interval of 95 %, and how it is spread.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct OverDraws {
    /// Mean.
    pub mean: f64,
    /// Lower end of the mean's interval.
    pub low: f64,
    /// Upper end of the mean's interval.
    pub high: f64,
    /// Standard deviation (divisor n - 1); 0 of one.
    pub deviation: f64,
    /// A tenth of them lie below.
    pub p10: f64,
    /// A tenth of them lie above.
    pub p90: f64,
}

/// Bootstrap samples for an interval.
const RESAMPLES: usize = 2000;

impl OverDraws {
    /// Of at least one finite value.
    pub fn of(values: &[f64], seed: u64) -> anyhow::Result<Self> {
        let interval = bootstrap_mean(values, RESAMPLES, 0.95, seed).context("no finite values")?;
        let Interval { value: mean, low, high } = interval;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / (values.len() - 1).max(1) as f64).sqrt();
        let of = |q| quantile(values, q).unwrap_or(mean);
        Ok(Self { mean, low, high, deviation, p10: of(0.1), p90: of(0.9) })
    }
}

/// The curve of one space.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SpaceConvergence {
    /// Its name.
    pub space: String,
    /// By rising number of patches.
    pub points: Vec<ConvergencePoint>,
}

/// Means over so many patches.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ConvergencePoint {
    /// How many were asked for.
    pub count: PatchCount,
    /// Fewest and most patches that an image's mean is over.
    pub patches: (usize, usize),
    /// Cosine with the vector of the whole image; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<OverDraws>,
    /// Cosine with R, the mean over all patches.
    pub mean: OverDraws,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_sum_is_known_after_the_marked_numbers() {
        let mut sum = Running::new(2);
        sum.add(&[1.0, 0.0, 0.0, 1.0], &[1, 3]);
        sum.add(&[0.0, 1.0, 4.0, 4.0], &[1, 3]);
        assert_eq!(
            (sum.after(1), sum.after(3), sum.after(4)),
            (&[1.0, 0.0][..], &[1.0, 2.0][..], &[5.0, 6.0][..])
        );
        assert!((cosine(sum.after(1), &sum.total) - 5.0 / 61f64.sqrt()).abs() < 1e-15);
        assert_eq!(cosine(&[0.0; 2], &[1.0, 1.0]), 0.0);
    }

    /// Independent unit vectors about a common mean: E cos of a mean of N with that mean is known in the limit of many
    /// components, 1 / sqrt(1 + s^2 / N) with s^2 the noise's share.
    #[test]
    fn the_cosine_of_a_mean_grows_as_noise_averages_out() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(4);
        let (width, rows) = (4096, 64);
        let noise: Vec<f32> = (0..rows * width).map(|_| rng.random_range(-3f32..3f32).sqrt_sign()).collect();
        let share = noise.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / noise.len() as f64;
        let vectors: Vec<f32> = noise.iter().map(|v| v + 1.0).collect();
        let mut sum = Running::new(width);
        let marks = [1, 4, 16, 64];
        sum.add(&vectors, &marks);
        for mark in marks {
            let expected = 1.0 / (1.0 + share / mark as f64).sqrt();
            let found = cosine(sum.after(mark), &vec![1.0; width]);
            assert!((found - expected).abs() < 0.02, "{mark}: {found}, expected {expected}");
        }
    }

    trait SqrtSign {
        fn sqrt_sign(self) -> Self;
    }

    impl SqrtSign for f32 {
        /// Any symmetric distribution will do.
        fn sqrt_sign(self) -> Self {
            self.abs().sqrt().copysign(self)
        }
    }

    #[test]
    fn numbers_over_images_have_their_spread() {
        let found = OverDraws::of(&[0.0, 0.5, 1.0, 0.5], 1).unwrap();
        assert!((found.mean - 0.5).abs() < 1e-15 && (found.deviation - (0.5f64 / 3.0).sqrt()).abs() < 1e-15);
        assert!((found.p10 - 0.15).abs() < 1e-12 && (found.p90 - 0.85).abs() < 1e-12, "{found:?}");
        assert!(OverDraws::of(&[], 1).is_err());
        assert_eq!(OverDraws::of(&[0.25], 1).unwrap().deviation, 0.0);
    }

    #[test]
    fn one_image_is_measured_along_any_order_and_all_of_its_patches_are_r() {
        let rows = [3.0, 0.0, 0.0, 1.0, 0.0, 2.0];
        let counts = doubling(3);
        assert_eq!(counts, [PatchCount::First(1), PatchCount::First(2), PatchCount::All]);
        let found = along(&rows, 2, Some(&[0.0, 5.0]), &counts, &[2, 0, 1]);
        // Sums (0, 2), (3, 2), (3, 3).
        let expected = [1.0, 2.0 / 13f64.sqrt(), 0.5f64.sqrt()];
        for (found, expected) in found.whole.unwrap().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        let expected = [0.5f64.sqrt(), 5.0 / (26f64).sqrt(), 1.0];
        for (found, expected) in found.mean.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        assert_eq!(along(&rows, 2, None, &counts, &[0, 1, 2]).whole, None);
        assert_eq!((doubling(1), doubling(4).len()), (vec![PatchCount::All], 3));
        let orders: Vec<Vec<usize>> = (0..2).map(|draw| order(9, 1, 4, draw)).collect();
        assert_ne!(orders[0], orders[1]);
        let mut sorted = orders[1].clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn counts_read_back_and_are_never_more_than_there_are() {
        for text in ["1", "16", "all"] {
            assert_eq!(text.parse::<PatchCount>().unwrap().to_string(), text);
        }
        assert!("0".parse::<PatchCount>().is_err() && "many".parse::<PatchCount>().is_err());
        assert_eq!(
            [PatchCount::First(4).of(9), PatchCount::First(16).of(9), PatchCount::All.of(9)],
            [4, 9, 9]
        );
    }
}
