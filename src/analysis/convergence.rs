//! How the mean of a few patches' vectors nears the vector of the whole image (Fig. 3a), and which patches carry it.
//!
//! Protocol: the patches of an image lie on a grid and are taken in an order that is drawn once for each image, so that
//! the mean of 4 holds the 2 before it. Of the un-normalised mean of the first N the cosine is taken with the vector of
//! the whole image ("central") and with R, the mean over all patches. Where an image has fewer than N patches all of
//! them count, and the row says so.

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
        whole: &Image,
        cancel: &CancelToken,
    ) -> anyhow::Result<ImageCosines> {
        let central = self.embedder.centrals(&[whole], &self.spaces)?;
        let mut order = corners(self.grid, patches_of)?;
        order.shuffle(&mut view_rng(self.seed, 0, index as u64, 0));
        let mut sums: Vec<Running> = central.iter().map(|vector| Running::new(vector.len())).collect();
        let marks: Vec<usize> = self.counts.iter().map(|count| count.of(order.len())).collect();
        for corners in order.chunks(BATCH) {
            cancel.check()?;
            let vectors =
                self.embedder.patches(&sources(patches_of, corners), self.grid.patch, &self.spaces)?;
            sums.iter_mut().zip(&vectors).for_each(|(sum, rows)| sum.add(rows, &marks));
        }
        let cosines = |with: &[f64], sum: &Running| -> Vec<f64> {
            marks.iter().map(|mark| cosine(sum.after(*mark), with)).collect()
        };
        let central = central.iter().map(|vector| vector.iter().map(|v| f64::from(*v)).collect());
        let central: Vec<Vec<f64>> = central.collect();
        Ok(ImageCosines {
            patches: order.len(),
            whole: sums.iter().zip(&central).map(|(sum, whole)| cosines(whole, sum)).collect(),
            mean: sums.iter().map(|sum| cosines(&sum.total, sum)).collect(),
        })
    }
}

/// The corners of all patches of an image, row by row.
fn corners(grid: PatchGrid, image: &Image) -> anyhow::Result<Vec<(u32, u32)>> {
    let (height, width) = (image.height(), image.width());
    let (rows, cols) = grid.shape(height, width);
    ensure!(
        rows * cols > 0,
        "a patch of {0} x {0} pixels does not fit an image of {width} x {height} (width x height)",
        grid.patch
    );
    Ok((0..rows * cols).map(|cell| grid.corner(cell, cols)).collect())
}

fn sources(image: &Arc<Image>, corners: &[(u32, u32)]) -> Vec<PatchSource> {
    corners.iter().map(|&(y, x)| PatchSource { image: image.clone(), y, x }).collect()
}

/// A sum of vectors, and what it was after certain numbers of them.
struct Running {
    total: Vec<f64>,
    count: usize,
    /// Numbers of vectors and the sum of so many.
    known: Vec<(usize, Vec<f64>)>,
}

impl Running {
    fn new(width: usize) -> Self {
        Self { total: vec![0.0; width], count: 0, known: vec![] }
    }

    /// Adds rows; the sum is kept where their number is one of `marks`.
    fn add(&mut self, rows: &[f32], marks: &[usize]) {
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
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The cosine of two vectors; 0 where one is zero.
pub(super) fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { (dot(a, b) / lengths).clamp(-1.0, 1.0) } else { 0.0 }
}

/// A number over images: its mean with a bootstrap interval of 95 %, and how it is spread.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct OverImages {
    /// Mean.
    pub mean: f64,
    /// Lower end of the mean's interval.
    pub low: f64,
    /// Upper end of the mean's interval.
    pub high: f64,
    /// Standard deviation over images (divisor n - 1); 0 of one.
    pub deviation: f64,
    /// A tenth of the images lie below.
    pub p10: f64,
    /// A tenth of the images lie above.
    pub p90: f64,
}

/// Bootstrap samples for an interval.
const RESAMPLES: usize = 2000;

impl OverImages {
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

/// How much R, the mean of all patches, would turn without each of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    /// Rows and columns of patches.
    pub shape: (usize, usize),
    /// For each space, 1 - cos(R, R without the patch), row by row.
    pub turns: Vec<Vec<f64>>,
}

/// Leaves each patch of an image out in turn. Needs all its vectors at once.
///
/// # Errors
/// Fewer than two patches fit, no room for the vectors, cancelled, or those of the model.
pub fn leave_one_out(
    embedder: &Embedder,
    image: &Arc<Image>,
    grid: PatchGrid,
    spaces: &[Space],
    cancel: &CancelToken,
) -> anyhow::Result<Carried> {
    let corners = corners(grid, image)?;
    ensure!(corners.len() > 1, "one patch alone carries all of R; expected a smaller patch or stride");
    let widths = spaces.iter().filter_map(|space| embedder.info.width(*space));
    let bytes = 4 * (corners.len() * widths.sum::<usize>()) as u64;
    let budget = crate::memory::budget();
    budget.ensure(
        budget.maps(),
        bytes,
        || format!("the vectors of {} patches of one image", crate::words::thousands(corners.len())),
        "a larger --stride, or fewer spaces",
    )?;
    let mut vectors = vec![vec![]; spaces.len()];
    for corners in corners.chunks(BATCH) {
        cancel.check()?;
        let fresh = embedder.patches(&sources(image, corners), grid.patch, spaces)?;
        vectors.iter_mut().zip(fresh).for_each(|(all, fresh)| all.extend(fresh));
    }
    let turns = vectors.iter().map(|rows| turns(rows, rows.len() / corners.len())).collect();
    Ok(Carried { shape: grid.shape(image.height(), image.width()), turns })
}

/// 1 - cos(R, R without the row), for each row.
fn turns(rows: &[f32], width: usize) -> Vec<f64> {
    let mut sum = Running::new(width);
    sum.add(rows, &[]);
    let without = |row: &[f32]| {
        let rest: Vec<f64> = sum.total.iter().zip(row).map(|(sum, value)| sum - f64::from(*value)).collect();
        // As half the square of the chord of the unit vectors: 1 minus a cosine near 1 keeps no digits.
        let (of_sum, of_rest) = (dot(&sum.total, &sum.total).sqrt(), dot(&rest, &rest).sqrt());
        if of_sum == 0.0 || of_rest == 0.0 {
            return 1.0;
        }
        let chord = sum.total.iter().zip(&rest).map(|(a, b)| (a / of_sum - b / of_rest).powi(2));
        chord.sum::<f64>() / 2.0
    };
    rows.chunks_exact(width).map(without).collect()
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
    fn the_patch_that_points_elsewhere_carries_most() {
        // R without the last row points along x; with it, 3 : 1.
        let found = turns(&[1.0, 0.0, 1.0, 0.0, 1.0, 1.0], 2);
        let turn = |a: [f64; 2], b: [f64; 2]| 1.0 - cosine(&a, &b);
        let expected =
            [turn([3.0, 1.0], [2.0, 1.0]), turn([3.0, 1.0], [2.0, 1.0]), turn([3.0, 1.0], [2.0, 0.0])];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        // Far below what 1 - cosine would keep.
        let tiny = turns(&[[1.0, 0.0].repeat(1000), vec![1.0, 1e-5]].concat(), 2);
        let angle = 1e-5 / 1001.0;
        assert!((tiny[1000] / (angle * angle / 2.0) - 1.0).abs() < 1e-3, "{:e}", tiny[1000]);
        assert_eq!(turns(&[1.0, 0.0, -1.0, 0.0], 2), [1.0, 1.0]);
    }

    #[test]
    fn numbers_over_images_have_their_spread() {
        let found = OverImages::of(&[0.0, 0.5, 1.0, 0.5], 1).unwrap();
        assert!((found.mean - 0.5).abs() < 1e-15 && (found.deviation - (0.5f64 / 3.0).sqrt()).abs() < 1e-15);
        assert!((found.p10 - 0.15).abs() < 1e-12 && (found.p90 - 0.85).abs() < 1e-12, "{found:?}");
        assert!(OverImages::of(&[], 1).is_err());
        assert_eq!(OverImages::of(&[0.25], 1).unwrap().deviation, 0.0);
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
