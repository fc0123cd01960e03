//! Patches as a few kinds: vectors quantised by spherical k-means (Dhillon and Modha 2001, "Concept Decompositions for
//! Large Sparse Text Data Using Clustering"), whose first centres are drawn as k-means++ draws them (Arthur and
//! Vassilvitskii 2007).

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use rayon::prelude::*;

use crate::progress::CancelToken;
use crate::search::dots;

/// Rounds of k-means at most.
const ROUNDS: usize = 30;
/// Rows that a thread takes at a time.
const ROWS: usize = 256;

/// The centres.
#[derive(Clone, Debug)]
pub struct PatchKinds {
    width: usize,
    /// `[kinds, width]`, of unit length.
    centres: Vec<f32>,
}

impl PatchKinds {
    /// The centres of `count` kinds of `rows`, `[n, width]` of unit length; as many as rows at most.
    ///
    /// # Errors
    /// Cancelled.
    pub fn learn(
        rows: &[f32],
        width: usize,
        count: usize,
        seed: u64,
        cancel: &CancelToken,
    ) -> anyhow::Result<Self> {
        let mut kinds = Self::first(rows, width, count, seed);
        let mut before = vec![];
        for _ in 0..ROUNDS {
            cancel.check()?;
            let found = kinds.nearest(rows);
            let of: Vec<u32> = found.iter().map(|(kind, _)| *kind).collect();
            if of == before {
                break;
            }
            kinds.move_to_means(rows, &found);
            before = of;
        }
        Ok(kinds)
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.centres.len() / self.width
    }

    /// The kind of each of `rows`, `[n, width]`, with the cosine to its centre; of equals the first.
    pub fn nearest(&self, rows: &[f32]) -> Vec<(u32, f32)> {
        let block = |rows: &[f32]| {
            let mut cosines = vec![0.0; self.count()];
            let nearest = |row: &[f32]| {
                dots(row, &self.centres, &mut cosines);
                let all = cosines.iter().enumerate();
                all.fold((0, f32::NEG_INFINITY), |best, (kind, cosine)| match *cosine > best.1 {
                    true => (kind as u32, *cosine),
                    false => best,
                })
            };
            rows.chunks_exact(self.width).map(nearest).collect::<Vec<_>>()
        };
        rows.par_chunks(ROWS * self.width).flat_map_iter(block).collect()
    }

    /// Rows that lie far from each other: each is drawn in proportion to its distance from those that were.
    fn first(rows: &[f32], width: usize, count: usize, seed: u64) -> Self {
        let all = rows.len() / width;
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let row = |index: usize| &rows[index * width..(index + 1) * width];
        let mut kinds = Self { width, centres: vec![] };
        let (mut distances, mut cosines) = (vec![f64::INFINITY; all], vec![0.0; all]);
        let mut next = if all > 0 { rng.random_range(0..all) } else { 0 };
        for _ in 0..count.min(all) {
            kinds.centres.extend_from_slice(row(next));
            dots(row(next), rows, &mut cosines);
            let nearer = |(distance, cosine): (&mut f64, &f32)| {
                *distance = distance.min(f64::from(1.0 - cosine).max(0.0));
            };
            distances.iter_mut().zip(&cosines).for_each(nearer);
            let mut at = rng.random::<f64>() * distances.iter().sum::<f64>();
            next = distances
                .iter()
                .position(|distance| {
                    at -= distance;
                    at < 0.0
                })
                .unwrap_or(0);
        }
        kinds
    }

    /// Each centre becomes the mean of its rows, of unit length; one that has none, the row that is farthest from its own.
    fn move_to_means(&mut self, rows: &[f32], found: &[(u32, f32)]) {
        let width = self.width;
        let mut sums = vec![0.0f64; self.centres.len()];
        let mut counts = vec![0usize; self.count()];
        for ((kind, _), row) in found.iter().zip(rows.chunks_exact(width)) {
            let kind = *kind as usize;
            counts[kind] += 1;
            let sum = &mut sums[kind * width..(kind + 1) * width];
            sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let mut far: Vec<usize> = (0..found.len()).collect();
        far.sort_by(|a, b| found[*a].1.total_cmp(&found[*b].1));
        let mut far = far.into_iter();
        for (kind, centre) in self.centres.chunks_exact_mut(width).enumerate() {
            let sum = &sums[kind * width..(kind + 1) * width];
            let norm = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
            if counts[kind] > 0 && norm > 0.0 {
                centre.iter_mut().zip(sum).for_each(|(to, value)| *to = (value / norm) as f32);
            } else if let Some(row) = far.next() {
                centre.copy_from_slice(&rows[row * width..(row + 1) * width]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of unit length around a few directions.
    fn blobs(directions: usize, of_each: usize, spread: f32) -> Vec<f32> {
        let mut rng = Pcg64Mcg::seed_from_u64(3);
        let mut rows = vec![];
        for index in 0..directions * of_each {
            let mut row: Vec<f32> = (0..8).map(|_| spread * rng.random_range(-1.0f32..1.0)).collect();
            row[index % directions] += 1.0;
            let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
            rows.extend(row.iter().map(|value| value / norm));
        }
        rows
    }

    #[test]
    fn separate_directions_are_separate_kinds_and_their_centres_are_means() {
        let rows = blobs(5, 40, 0.2);
        let kinds = PatchKinds::learn(&rows, 8, 5, 1, &CancelToken::default()).unwrap();
        let found = kinds.nearest(&rows);
        for (index, (kind, cosine)) in found.iter().enumerate() {
            assert_eq!(*kind, found[index % 5].0);
            assert!(*cosine > 0.9);
        }
        let mut different: Vec<u32> = found[..5].iter().map(|(kind, _)| *kind).collect();
        different.sort_unstable();
        assert_eq!(different, [0, 1, 2, 3, 4]);
        let of_first = |at: usize| rows.chunks_exact(8).step_by(5).map(|row| row[at]).sum::<f32>() / 40.0;
        let mean: Vec<f32> = (0..8).map(of_first).collect();
        let norm = mean.iter().map(|value| value * value).sum::<f32>().sqrt();
        let centre = &kinds.centres[found[0].0 as usize * 8..][..8];
        assert!(mean.iter().zip(centre).all(|(mean, centre)| (mean / norm - centre).abs() < 1e-6));
    }

    #[test]
    fn more_kinds_than_different_rows_are_no_obstacle() {
        let rows = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        let kinds = PatchKinds::learn(&rows, 2, 9, 0, &CancelToken::default()).unwrap();
        assert_eq!(kinds.count(), 3);
        let found = kinds.nearest(&rows);
        assert!(found[0].0 == found[1].0 && found[0].0 != found[2].0);
        assert!(PatchKinds::learn(&[], 2, 3, 0, &CancelToken::default()).unwrap().nearest(&[]).is_empty());
    }
}
