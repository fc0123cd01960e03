//! A discrete world in which the proposition of section 3 can be seen to hold (Prop. 3.1, App. A and B).
//!
//! Patches are of M kinds. An image is a distribution over kinds; two patches of one image are drawn from it
//! independently, so that p(x1, x2) is a mixture of images, p12 = mean_i p_i(x1) p_i(x2), symmetric and of rank N at
//! most. With p(x) the marginal and lambda = w / 2:
//!
//! ```text
//! L_S = -E_p12[z1.z2] + lambda E_p1p2[(z1.z2)^2]
//! L_C = E_p1p2[(w z1.z2 - p12 / (p1 p2))^2] = 2 w L_S + E_p1p2[(p12 / (p1 p2))^2]
//! ```
//!
//! The least L_C with z of width d is the sum of the squares of all but the d largest eigenvalues of
//! p12 / sqrt(p1 p2) (Eckart and Young 1936; that matrix has none below 0): 0 where d is its rank or more.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::stats::eigen::{Rows, of_gram};

/// The world.
#[derive(Clone, Debug)]
pub struct World {
    /// Number of kinds.
    pub kinds: usize,
    /// `[images, kinds]`: the distribution of each image.
    images: Vec<f64>,
    /// `[kinds]`: p(x).
    pub marginal: Vec<f64>,
    /// `[kinds, kinds]`: p(x1, x2).
    pub joint: Vec<f64>,
}

/// The two losses of Prop. 3.1 and the constant between them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// The spectral contrastive loss L_S, lambda = w / 2.
    pub spectral: f64,
    /// The loss of modelling co-occurrence, L_C.
    pub modelling: f64,
    /// E over independent draws of (p12 / (p1 p2))^2, whatever z is.
    pub constant: f64,
}

impl Losses {
    /// By how much L_C differs from 2 w L_S + constant: rounding.
    pub fn difference(&self, w: f64) -> f64 {
        self.modelling - (2.0 * w * self.spectral + self.constant)
    }
}

/// Least weight of a kind in an image before they are normalised: no kind is so rare that rounding hides it.
const LEAST_WEIGHT: f64 = 0.02;

impl World {
    /// Images that are drawn with few kinds each; `noise`, 0 to 1, is the share of an even distribution in each. Kinds are
    /// numbered by the image that they are most frequent in.
    pub fn draw(images: usize, kinds: usize, noise: f64, seed: u64) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let raw: Vec<f64> = (0..images * kinds).map(|_| LEAST_WEIGHT + rng.random::<f64>().powi(8)).collect();
        let mut rows: Vec<Vec<f64>> = raw
            .chunks_exact(kinds)
            .map(|row| {
                let total: f64 = row.iter().sum();
                row.iter().map(|v| (1.0 - noise) * v / total + noise / kinds as f64).collect()
            })
            .collect();
        let home = |kind: &usize| {
            let at = |image: &usize| rows[*image][*kind];
            (0..images).max_by(|a, b| at(a).total_cmp(&at(b))).unwrap_or(0)
        };
        let mut order: Vec<usize> = (0..kinds).collect();
        order.sort_by_key(home);
        rows = rows.iter().map(|row| order.iter().map(|kind| row[*kind]).collect()).collect();
        Self::of_images(rows.concat(), kinds)
    }

    /// Of the images' distributions, `[images, kinds]`.
    pub fn of_images(images: Vec<f64>, kinds: usize) -> Self {
        let count = (images.len() / kinds) as f64;
        let mut joint = vec![0.0; kinds * kinds];
        for image in images.chunks_exact(kinds) {
            for (row, a) in joint.chunks_exact_mut(kinds).zip(image) {
                row.iter_mut().zip(image).for_each(|(p, b)| *p += a * b / count);
            }
        }
        let marginal = joint.chunks_exact(kinds).map(|row| row.iter().sum()).collect();
        Self { kinds, images, marginal, joint }
    }

    /// p(x1) p(x2).
    fn independent(&self, pair: usize) -> f64 {
        self.marginal[pair / self.kinds] * self.marginal[pair % self.kinds]
    }

    /// p(x1, x2) / (p(x1) p(x2)), `[kinds, kinds]`.
    pub fn ratios(&self) -> Vec<f64> {
        self.joint.iter().enumerate().map(|(pair, p)| p / self.independent(pair)).collect()
    }

    /// p(x1, x2) / sqrt(p(x1) p(x2)), `[kinds, kinds]`: what the products of `sqrt(p) z` model, times w.
    pub fn scaled(&self) -> Vec<f64> {
        self.joint.iter().enumerate().map(|(pair, p)| p / self.independent(pair).sqrt()).collect()
    }

    /// Eigenvalues of [`World::scaled`], largest first (the first is 1), as many as images or kinds.
    pub fn eigenvalues(&self) -> Vec<f64> {
        // With X = p_i(x) / sqrt(images p(x)) the matrix is X'X.
        let count = (self.images.len() / self.kinds) as f64;
        let scale = |(at, p): (usize, &f64)| p / (count * self.marginal[at % self.kinds]).sqrt();
        of_gram(&Rows { width: self.kinds, values: self.images.iter().enumerate().map(scale).collect() })
    }

    /// The least L_C with z of width `dim`.
    pub fn least(&self, dim: usize) -> f64 {
        0.0 + self.eigenvalues().iter().skip(dim).map(|value| value * value).sum::<f64>()
    }

    /// Both losses of z, `[kinds, dim]`.
    pub fn losses(&self, z: &[f64], w: f64) -> Losses {
        let (mut spectral, mut modelling, mut constant) = (0.0, 0.0, 0.0);
        for (pair, product) in products(z, self.kinds).into_iter().enumerate() {
            let (p, independent) = (self.joint[pair], self.independent(pair));
            spectral += -p * product + w / 2.0 * independent * product * product;
            modelling += independent * (w * product - p / independent).powi(2);
            constant += p * p / independent;
        }
        Losses { spectral, modelling, constant }
    }
}

/// z1.z2 of all pairs, `[kinds, kinds]`.
pub fn products(z: &[f64], kinds: usize) -> Vec<f64> {
    let rows = || z.chunks_exact(z.len() / kinds);
    rows().flat_map(|a| rows().map(move |b| a.iter().zip(b).map(|(a, b)| a * b).sum())).collect()
}

/// Pearson's correlation; 0 where one of the two does not vary.
pub fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (of_a, of_b) = (mean(a), mean(b));
    let (mut both, mut squares) = (0.0, [0.0; 2]);
    for (a, b) in a.iter().zip(b).map(|(a, b)| (a - of_a, b - of_b)) {
        both += a * b;
        squares[0] += a * a;
        squares[1] += b * b;
    }
    let scale = (squares[0] * squares[1]).sqrt();
    if scale > 0.0 { both / scale } else { 0.0 }
}

/// App. B as corrected: of Z, d x N with unit columns, |Z'Z - I|^2 against |ZZ' - I|^2 + N - d, and |ZZ' - I|^2 against
/// |ZZ' - (N/d) I|^2 + (N - d)^2 / d.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Duality {
    /// |Z'Z - I_N|^2: what a contrastive loss keeps small.
    pub samples: f64,
    /// |ZZ' - I_d|^2: what a loss on the covariance keeps small.
    pub dimensions: f64,
    /// |ZZ' - (N/d) I_d|^2: how far the directions are from being used alike.
    pub even: f64,
    /// By how much the first identity is missed: rounding.
    pub first: f64,
    /// By how much the second one is.
    pub second: f64,
}

impl Duality {
    /// Of the rows of `z`, `[count, dim]`, brought to unit length.
    pub fn of(z: &[f64], count: usize) -> Self {
        let dim = z.len() / count;
        let mut unit = z.to_vec();
        for row in unit.chunks_exact_mut(dim) {
            let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            row.iter_mut().for_each(|v| *v /= if norm > 0.0 { norm } else { 1.0 });
        }
        let from_identity = |matrix: &[f64], side: usize, level: f64| -> f64 {
            let entry = |(at, v): (usize, &f64)| v - if at / side == at % side { level } else { 0.0 };
            matrix.iter().enumerate().map(|cell| entry(cell).powi(2)).sum()
        };
        let column = |c: usize| unit.iter().skip(c).step_by(dim).copied();
        let across: Vec<f64> = (0..dim).flat_map(column).collect();
        let covariance = products(&across, dim);
        let (n, d) = (count as f64, dim as f64);
        let samples = from_identity(&products(&unit, count), count, 1.0);
        let dimensions = from_identity(&covariance, dim, 1.0);
        let even = from_identity(&covariance, dim, n / d);
        Self {
            samples,
            dimensions,
            even,
            first: samples - (dimensions + n - d),
            second: dimensions - (even + (n - d).powi(2) / d),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::leading::leading;

    #[test]
    fn a_world_is_a_distribution_of_low_rank() {
        let world = World::draw(5, 24, 0.1, 3);
        assert!((world.joint.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        let values = world.eigenvalues();
        assert_eq!(values.len(), 5);
        // The marginal's root is an eigenvector, of eigenvalue 1: no patch says nothing of another.
        assert!((values[0] - 1.0).abs() < 1e-12 && values.iter().all(|v| *v <= 1.0 + 1e-12), "{values:?}");
        // The trace is the same by either way.
        let trace: f64 = (0..24).map(|kind| world.scaled()[kind * 25]).sum();
        assert!((trace - values.iter().sum::<f64>()).abs() < 1e-12);
        let kinds_apart = World::of_images(vec![0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5], 4);
        assert_eq!(kinds_apart.ratios()[..4], [2.0, 2.0, 0.0, 0.0]);
        assert!((kinds_apart.eigenvalues()[1] - 1.0).abs() < 1e-12);
    }

    /// z of the truncated eigenvalue decomposition: w z1.z2 is the best there is at that width, and its loss the tail.
    #[test]
    fn the_truncated_decomposition_reaches_the_least_loss() {
        let (world, w) = (World::draw(6, 20, 0.05, 9), 2.0);
        let scaled = world.scaled();
        for dim in [2, 4, 6] {
            let times = |block: &[Vec<f64>]| -> Vec<Vec<f64>> {
                let row = |r: usize, x: &[f64]| {
                    scaled[r * 20..(r + 1) * 20].iter().zip(x).map(|(a, b)| a * b).sum()
                };
                block.iter().map(|x| (0..20).map(|r| row(r, x)).collect()).collect()
            };
            let found = leading(20, dim, times);
            let entry = |kind: usize, d: usize| {
                found.vectors[d][kind] * (found.values[d].max(0.0) / w / world.marginal[kind]).sqrt()
            };
            let z: Vec<f64> =
                (0..20).flat_map(|kind| (0..dim).map(move |d| (kind, d))).map(|(k, d)| entry(k, d)).collect();
            let losses = world.losses(&z, w);
            assert!(
                (losses.modelling - world.least(dim)).abs() < 1e-10,
                "{dim}: {losses:?} {}",
                world.least(dim)
            );
            assert!(losses.difference(w).abs() < 1e-13);
            if dim == 6 {
                for (product, ratio) in products(&z, 20).iter().zip(world.ratios()) {
                    assert!((w * product - ratio).abs() < 1e-8, "{product} {ratio}");
                }
            }
        }
        assert!(world.least(2) > world.least(4) && world.least(6) < 1e-12);
    }

    #[test]
    fn both_identities_of_appendix_b_hold() {
        for (count, dim) in [(4, 9), (30, 7), (16, 16)] {
            let z: Vec<f64> = (0..count * dim).map(|i| (i as f64 * 1.7).sin() + 0.1).collect();
            let found = Duality::of(&z, count);
            assert!(found.first.abs() < 1e-11 * found.samples && found.second.abs() < 1e-11 * found.samples);
        }
    }

    #[test]
    fn a_correlation_is_numpys() {
        // numpy.corrcoef([1, 2, 4, 7], [2, 1, 5, 6])[0, 1]
        assert!(
            (correlation(&[1.0, 2.0, 4.0, 7.0], &[2.0, 1.0, 5.0, 6.0]) - 0.899_735_410_842_437_4).abs()
                < 1e-12
        );
        assert_eq!(correlation(&[1.0, 1.0], &[2.0, 3.0]), 0.0);
    }
}
