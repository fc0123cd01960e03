//! How the vectors of a space lie: dimension, norms, hubs; and how alike two spaces are over the same rows.
//!
//! Neighbours are by cosine, as everywhere here; the distance of two vectors is the chord of their unit vectors, which
//! has the same order. Everything is over the rows that are given: of a large bank a sample, which is said.

use rayon::prelude::*;

use crate::analysis::overlap::Overlap;
use crate::progress::CancelToken;
use crate::search::dots;

/// Rows of one space, their unit vectors, and the nearest of each.
pub struct SpaceRows {
    /// Values of a row.
    pub width: usize,
    /// `[rows, width]`, un-normalised.
    pub values: Vec<f32>,
    /// `[rows, width]`, each of unit length; a zero row stays zero.
    unit: Vec<f32>,
}

/// The nearest rows of each row.
pub struct Neighbourhood {
    /// Neighbours of each.
    pub k: usize,
    /// `[rows, k]`: nearest first, the row itself left out.
    pub nearest: Vec<u32>,
    /// `[rows, k]`: their chords, in [0, 2].
    pub chords: Vec<f64>,
}

impl SpaceRows {
    /// Takes `[rows, width]`, all finite.
    pub fn new(values: Vec<f32>, width: usize) -> Self {
        let mut unit = values.clone();
        unit.par_chunks_exact_mut(width).for_each(|row| {
            let norm = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
            row.iter_mut().for_each(|v| *v = (f64::from(*v) * scale) as f32);
        });
        Self { width, values, unit }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.values.len() / self.width
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.unit[index * self.width..(index + 1) * self.width]
    }

    fn chord(&self, a: usize, b: usize) -> f64 {
        let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
        self.row(a).iter().zip(self.row(b)).map(square).sum::<f64>().sqrt()
    }

    /// The `k` nearest others of each row, `k` below the number of rows; ties in the order of rows.
    ///
    /// # Errors
    /// Cancelled.
    pub fn neighbours(&self, k: usize, cancel: &CancelToken) -> anyhow::Result<Neighbourhood> {
        let count = self.count();
        let of_row = |index: usize| -> Vec<(f64, u32)> {
            let mut cosines = vec![0.0; count];
            dots(self.row(index), &self.unit, &mut cosines);
            let mut others: Vec<u32> = (0..count as u32).filter(|other| *other != index as u32).collect();
            let order =
                |a: &u32, b: &u32| cosines[*b as usize].total_cmp(&cosines[*a as usize]).then(a.cmp(b));
            // A few more than wanted, as float32 cosines near 1 are coarser than the chords that decide.
            let kept = (k + 8).min(others.len());
            if kept < others.len() {
                others.select_nth_unstable_by(kept - 1, order);
                others.truncate(kept);
            }
            let mut near: Vec<(f64, u32)> =
                others.into_iter().map(|other| (self.chord(index, other as usize), other)).collect();
            near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            near.truncate(k);
            near
        };
        let mut found = Neighbourhood { k, nearest: vec![], chords: vec![] };
        for first in (0..count).step_by(256) {
            cancel.check()?;
            let rows: Vec<Vec<(f64, u32)>> =
                (first..count.min(first + 256)).into_par_iter().map(of_row).collect();
            for (chord, row) in rows.into_iter().flatten() {
                found.nearest.push(row);
                found.chords.push(chord);
            }
        }
        Ok(found)
    }

    /// The centred matrix of dot products of the rows as they are stored, `[rows, rows]`: what CKA compares.
    pub fn gram(&self) -> Gram {
        let count = self.count();
        let mut values = vec![0.0f64; count * count];
        values.par_chunks_exact_mut(count).enumerate().for_each(|(index, out)| {
            let own = &self.values[index * self.width..(index + 1) * self.width];
            for (out, other) in out.iter_mut().zip(self.values.chunks_exact(self.width)) {
                *out = exact_dot(own, other);
            }
        });
        Gram { count, values }
    }
}

/// Eight sums in float64 side by side.
fn exact_dot(a: &[f32], b: &[f32]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0f64; 8];
    for (a, b) in a.iter().zip(b) {
        (0..8).for_each(|i| sums[i] += f64::from(a[i]) * f64::from(b[i]));
    }
    sums.iter().sum::<f64>()
        + a_rest.iter().zip(b_rest).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
}

/// Dot products of rows with one another, as they are.
pub struct Gram {
    count: usize,
    values: Vec<f64>,
}

impl Gram {
    /// Linear CKA (Kornblith et al. 2019, eq. 4 and 5): 1 for spaces that are rotations of one another, scaled. `None`
    /// where one does not vary.
    pub fn cka(&self, other: &Gram) -> Option<f64> {
        let of = |a: &Gram, b: &Gram| a.centred_product(b);
        ratio(of(self, other), of(self, self), of(other, other))
    }

    /// The same without the bias that few rows of wide vectors give it: with the unbiased estimate of HSIC (Song et al.
    /// 2012, eq. 5). Of at least four rows; about 0 for spaces that have nothing to do with one another.
    pub fn unbiased_cka(&self, other: &Gram) -> Option<f64> {
        let of = |a: &Gram, b: &Gram| a.unbiased_hsic(b);
        if self.count < 4 { None } else { ratio(of(self, other), of(self, self), of(other, other)) }
    }

    fn row_means(&self) -> (Vec<f64>, f64) {
        let n = self.count as f64;
        let means: Vec<f64> =
            self.values.chunks_exact(self.count).map(|r| r.iter().sum::<f64>() / n).collect();
        let mean = means.iter().sum::<f64>() / n;
        (means, mean)
    }

    /// The sum of products of both matrices' entries once centred: the rows' and columns' means are taken off.
    fn centred_product(&self, other: &Gram) -> f64 {
        let ((means, mean), (other_means, other_mean)) = (self.row_means(), other.row_means());
        let rows = self.values.par_chunks_exact(self.count).zip(other.values.par_chunks_exact(self.count));
        let sums: Vec<f64> = rows
            .enumerate()
            .map(|(i, (a, b))| {
                let entry = |j: usize| {
                    (a[j] - means[i] - means[j] + mean)
                        * (b[j] - other_means[i] - other_means[j] + other_mean)
                };
                (0..self.count).map(entry).sum()
            })
            .collect();
        sums.iter().sum()
    }

    fn unbiased_hsic(&self, other: &Gram) -> f64 {
        let (count, n) = (self.count, self.count as f64);
        let off = |gram: &Gram| -> Vec<f64> {
            let sum = |(i, row): (usize, &[f64])| row.iter().sum::<f64>() - row[i];
            gram.values.chunks_exact(count).enumerate().map(sum).collect()
        };
        let trace: f64 = (0..count)
            .map(|i| {
                let row = |gram: &Gram, j: usize| gram.values[i * count + j];
                (0..count).filter(|j| *j != i).map(|j| row(self, j) * row(other, j)).sum::<f64>()
            })
            .sum();
        let (a, b) = (off(self), off(other));
        let sum = |values: &[f64]| values.iter().sum::<f64>();
        let cross: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        (trace + sum(&a) * sum(&b) / ((n - 1.0) * (n - 2.0)) - 2.0 / (n - 2.0) * cross) / (n * (n - 3.0))
    }
}

fn ratio(both: f64, one: f64, other: f64) -> Option<f64> {
    let scale = (one * other).sqrt();
    (one > 0.0 && other > 0.0 && scale > 0.0).then(|| both / scale)
}

/// (sum of eigenvalues)^2 / sum of squares: as many as there are if all are equal, 1 if one is all. `None` of zeros.
pub fn participation_ratio(spectrum: &[f32]) -> Option<f64> {
    let values = || spectrum.iter().map(|value| f64::from(*value));
    let (sum, squares) = (values().sum::<f64>(), values().map(|v| v * v).sum::<f64>());
    (squares > 0.0).then(|| sum * sum / squares)
}

/// How many of the largest eigenvalues make up `share` of their sum.
pub fn components_for(spectrum: &[f32], share: f64) -> usize {
    let total: f64 = spectrum.iter().map(|value| f64::from(*value)).sum();
    let mut sum = 0.0;
    let enough = spectrum.iter().position(|value| {
        sum += f64::from(*value);
        sum >= share * total
    });
    enough.map_or(spectrum.len(), |at| at + 1)
}

/// An estimate of the intrinsic dimension.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TwoNn {
    /// The dimension.
    pub dimension: f64,
    /// Rows that it is from: all but those that coincide with another.
    pub rows: usize,
}

/// Share of the largest ratios that TwoNN leaves out, as its authors do.
const DISCARDED: f64 = 0.1;

impl Neighbourhood {
    /// Intrinsic dimension by TwoNN (Facco et al. 2017): the slope through the origin of -ln(1 - F(mu)) on ln mu, with mu
    /// the ratio of the distances to the second and the first neighbour, the largest tenth left out. `None` of fewer
    /// than ten rows, or of ratios that are all 1. `k` must be 2 at least.
    pub fn two_nn(&self) -> Option<TwoNn> {
        let ratios =
            self.chords.chunks_exact(self.k).filter(|near| near[0] > 0.0).map(|near| near[1] / near[0]);
        let mut logs: Vec<f64> = ratios.map(f64::ln).collect();
        let rows = logs.len();
        if rows < 10 {
            return None;
        }
        logs.sort_by(f64::total_cmp);
        logs.truncate((rows as f64 * (1.0 - DISCARDED)) as usize);
        let surprise = |at: usize| -(1.0 - at as f64 / rows as f64).ln();
        let products: f64 = logs.iter().enumerate().map(|(at, x)| x * surprise(at)).sum();
        let squares: f64 = logs.iter().map(|x| x * x).sum();
        (squares > 0.0).then(|| TwoNn { dimension: products / squares, rows })
    }

    /// Only the `k` nearest of each, at least one and no more than there are.
    pub fn first(self, k: usize) -> Self {
        let kept = k.clamp(1, self.k);
        let cut = |chunk: &[u32]| chunk[..kept].to_vec();
        let chords = self.chords.chunks_exact(self.k).flat_map(|chunk| chunk[..kept].to_vec()).collect();
        let nearest = self.nearest.chunks_exact(self.k).flat_map(cut).collect();
        Self { k: kept, nearest, chords }
    }

    /// How often each row is among the `k` nearest of the others.
    pub fn occurrences(&self) -> Vec<u32> {
        let mut counts = vec![0; self.nearest.len() / self.k];
        self.nearest.iter().for_each(|row| counts[*row as usize] += 1);
        counts
    }

    /// For each row, the share of its nearest that the other list has too.
    pub fn overlaps(&self, other: &Neighbourhood) -> Vec<f64> {
        let candidates = (self.nearest.len() / self.k).saturating_sub(1);
        let lists = self.nearest.chunks_exact(self.k).zip(other.nearest.chunks_exact(other.k));
        lists.map(|(a, b)| Overlap::of(a, b, candidates).share()).collect()
    }
}

/// Skewness m3 / m2^1.5 of counts, with moments about the mean (divisor n): of k-occurrences the hubness of Radovanovic
/// et al. (2010), 0 where there are no hubs. 0 where nothing varies.
pub fn skewness(counts: &[u32]) -> f64 {
    let n = counts.len().max(1) as f64;
    let mean = counts.iter().map(|count| f64::from(*count)).sum::<f64>() / n;
    let moment = |power: i32| counts.iter().map(|c| (f64::from(*c) - mean).powi(power)).sum::<f64>() / n;
    let spread = moment(2);
    if spread > 0.0 { moment(3) / spread.powf(1.5) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::stats::spectrum::Spread;

    /// What `tests/fixtures/make_geometry.py` wrote, by NumPy, SciPy and scikit-learn.
    #[derive(Deserialize)]
    struct Reference {
        a: Vec<Vec<f32>>,
        b: Vec<Vec<f32>>,
        k: usize,
        spectrum: Vec<f64>,
        rank_me: f64,
        participation_ratio: f64,
        two_nn: f64,
        occurrences: Vec<u32>,
        skewness: f64,
        cka: f64,
        unbiased_cka: f64,
        overlap: f64,
    }

    fn reference() -> Reference {
        serde_json::from_str(include_str!("../../tests/fixtures/geometry.json")).unwrap()
    }

    fn rows(values: &[Vec<f32>]) -> SpaceRows {
        SpaceRows::new(values.concat(), values[0].len())
    }

    fn near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance * expected.abs(), "{found}, expected {expected}");
    }

    /// 1e-9 where all is float64; 1e-6 where the spectrum is kept, or rows are brought to unit length, in float32.
    #[test]
    fn each_number_is_that_of_numpy_scipy_and_scikit_learn() {
        let known = reference();
        let (a, b) = (rows(&known.a), rows(&known.b));
        let spread = Spread::of(&a.values, a.width).unwrap();
        for (found, expected) in spread.spectrum.iter().zip(&known.spectrum) {
            near(f64::from(*found), *expected, 1e-6);
        }
        near(spread.rank, known.rank_me, 1e-9);
        near(participation_ratio(&spread.spectrum).unwrap(), known.participation_ratio, 1e-6);
        let cancel = CancelToken::default();
        let [near_a, near_b] = [&a, &b].map(|space| space.neighbours(known.k, &cancel).unwrap());
        near(near_a.two_nn().unwrap().dimension, known.two_nn, 1e-5);
        assert_eq!(near_a.occurrences(), known.occurrences);
        near(skewness(&near_a.occurrences()), known.skewness, 1e-12);
        near(a.gram().cka(&b.gram()).unwrap(), known.cka, 1e-9);
        near(a.gram().unbiased_cka(&b.gram()).unwrap(), known.unbiased_cka, 1e-9);
        let overlaps = near_a.overlaps(&near_b);
        near(overlaps.iter().sum::<f64>() / overlaps.len() as f64, known.overlap, 1e-12);
    }

    #[test]
    fn a_rotation_and_a_scale_change_no_cka_and_a_plane_has_two_dimensions() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(8);
        let flat: Vec<f32> = (0..2 * 600).map(|_| rng.random_range(-1.0f32..1.0)).collect();
        let turned: Vec<f32> = flat.chunks_exact(2).flat_map(|p| [3.0 * p[1], -3.0 * p[0]]).collect();
        let (one, other) = (SpaceRows::new(flat.clone(), 2), SpaceRows::new(turned, 2));
        near(one.gram().cka(&other.gram()).unwrap(), 1.0, 1e-6);
        near(one.gram().unbiased_cka(&one.gram()).unwrap(), 1.0, 1e-12);
        let still = SpaceRows::new(vec![2.0; 1200], 2);
        assert!(one.gram().cka(&still.gram()).is_none());
        // A patch of a sphere in 20 dimensions: two directions about a common one.
        let dome = flat.chunks_exact(2).flat_map(|p| {
            let mut row = vec![0.0; 20];
            (row[3], row[7], row[11]) = (p[0], p[1], 3.0);
            row
        });
        let dome = SpaceRows::new(dome.collect(), 20).neighbours(2, &CancelToken::default()).unwrap();
        let found = dome.two_nn().unwrap();
        assert!((found.dimension - 2.0).abs() < 0.2 && found.rows == 600, "{found:?}");
    }

    #[test]
    fn a_hub_is_told_from_a_crowd_and_copies_are_left_out() {
        // Five rays far apart and one in the middle, which is everyone's nearest.
        let mut rays = vec![0.5f32; 25];
        for ray in 0..5 {
            let mut row = vec![0.1; 5];
            row[ray] = 1.0;
            rays.splice(ray * 5..ray * 5 + 5, row);
        }
        rays.extend([1.0; 5]);
        let near = SpaceRows::new(rays, 5).neighbours(1, &CancelToken::default()).unwrap();
        assert_eq!(near.occurrences()[5], 5);
        assert!(skewness(&near.occurrences()) > 1.0 && skewness(&[2, 2, 2]) == 0.0);
        let copies = SpaceRows::new([1.0, 0.0, 0.0, 1.0].repeat(10), 2);
        assert!(copies.neighbours(2, &CancelToken::default()).unwrap().two_nn().is_none());
        assert_eq!((participation_ratio(&[2.0, 2.0]), components_for(&[6.0, 3.0, 1.0], 0.9)), (Some(2.0), 2));
        assert_eq!(participation_ratio(&[0.0]), None);
    }
}
