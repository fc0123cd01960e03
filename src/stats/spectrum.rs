//! How a set of vectors fills its space: deviation, spectrum of the covariance, effective rank.
//! All in float64.

use serde::{Deserialize, Serialize};

use super::eigen::{self, Rows};

/// How n vectors of a space lie in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Vectors that were looked at.
    pub count: usize,
    /// Components of each.
    pub width: usize,
    /// Mean over components of the standard deviation (divisor n - 1): what VICReg holds at 1.
    pub deviation: f64,
    /// The same of the vectors scaled to unit length, times sqrt(width) (Chen and He 2021, fig. 2):
    /// 1 where they point everywhere alike, 0 where all point the same way.
    pub unit_deviation: f64,
    /// RankMe (Garrido et al. 2023, eq. 1): `exp(-sum p_k ln p_k)` with `p_k = s_k / sum s + 1e-7`
    /// over the singular values s of the matrix of vectors, uncentred. From 1 to min(n, width).
    pub rank: f64,
    /// Eigenvalues of the covariance (divisor n - 1), largest first: min(n, width) of them.
    pub spectrum: Vec<f32>,
}

const RANK_EPSILON: f64 = 1e-7;

impl Spread {
    /// Of the rows of `values`, each `width` long. `None` of fewer than two rows, or if a value
    /// is not finite.
    ///
    /// # Shapes
    /// - values: `[n, width]`, row-major
    pub fn of(values: &[f32], width: usize) -> Option<Self> {
        let count = values.len().checked_div(width).unwrap_or(0);
        if count < 2 || values.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let rows = Rows { width, values: values.iter().map(|&v| f64::from(v)).collect() };
        let singular: Vec<f64> = eigen::of_gram(&rows).into_iter().map(f64::sqrt).collect();
        let centred = centre(rows.clone());
        let freedom = (count - 1) as f64;
        let spectrum = eigen::of_gram(&centred).into_iter().map(|value| (value / freedom) as f32).collect();
        let unit = centre(unit_rows(rows));
        Some(Self {
            count,
            width,
            deviation: mean_deviation(&centred),
            unit_deviation: mean_deviation(&unit) * (width as f64).sqrt(),
            rank: effective_rank(&singular),
            spectrum,
        })
    }
}

/// `exp` of the entropy of the singular values' shares; 1 where all are 0.
fn effective_rank(singular: &[f64]) -> f64 {
    let total: f64 = singular.iter().sum();
    if total <= 0.0 {
        return 1.0;
    }
    let shares = singular.iter().map(|s| s / total + RANK_EPSILON);
    (-shares.map(|p| p * p.ln()).sum::<f64>()).exp()
}

fn centre(mut rows: Rows) -> Rows {
    let count = rows.count() as f64;
    let mut mean = vec![0.0; rows.width];
    for row in rows.values.chunks_exact(rows.width) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / count);
    }
    for row in rows.values.chunks_exact_mut(rows.width) {
        row.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean);
    }
    rows
}

fn unit_rows(mut rows: Rows) -> Rows {
    for row in rows.values.chunks_exact_mut(rows.width) {
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-12);
        row.iter_mut().for_each(|value| *value /= norm);
    }
    rows
}

/// Mean over columns of the standard deviation of centred rows.
fn mean_deviation(centred: &Rows) -> f64 {
    let mut squares = vec![0.0; centred.width];
    for row in centred.values.chunks_exact(centred.width) {
        squares.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value);
    }
    let freedom = (centred.count() - 1) as f64;
    squares.iter().map(|sum| (sum / freedom).sqrt()).sum::<f64>() / centred.width as f64
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    fn noise(count: usize) -> Vec<f32> {
        let mut rng = Pcg64Mcg::seed_from_u64(5);
        (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    #[test]
    fn axes_of_known_length_give_their_eigenvalues_and_rank() {
        // +-3 and +-1 along two of three axes: variances 18/3 and 2/3, singular values sqrt(18), sqrt(2).
        let rows = [3.0, 0.0, 0.0, -3.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -1.0, 0.0];
        let spread = Spread::of(&rows, 3).unwrap();
        assert_eq!((spread.count, spread.width), (4, 3));
        for (got, expected) in spread.spectrum.iter().zip([6.0, 2.0 / 3.0, 0.0]) {
            assert!((got - expected).abs() < 1e-6, "{:?}", spread.spectrum);
        }
        let entropy = -(0.75f64 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        assert!((spread.rank - entropy.exp()).abs() < 1e-4, "{}", spread.rank);
        let deviation = (6f64.sqrt() + (2.0f64 / 3.0).sqrt()) / 3.0;
        assert!((spread.deviation - deviation).abs() < 1e-12);
    }

    #[test]
    fn wide_and_tall_sets_agree_on_what_both_can_see() {
        // The spectrum of 6 rows of 40 is that of their 6 x 6 Gram matrix; padding with columns of
        // zeros changes nothing but the mean over components.
        let values = noise(6 * 4);
        let padded: Vec<f32> =
            values.chunks(4).flat_map(|row| row.iter().copied().chain([0.0; 36])).collect();
        let (tall, wide) = (Spread::of(&values, 4).unwrap(), Spread::of(&padded, 40).unwrap());
        assert_eq!((tall.spectrum.len(), wide.spectrum.len()), (4, 6));
        for (a, b) in tall.spectrum.iter().zip(&wide.spectrum) {
            assert!((a - b).abs() < 1e-6, "{:?} {:?}", tall.spectrum, wide.spectrum);
        }
        assert!((tall.rank - wide.rank).abs() < 1e-3, "{} {}", tall.rank, wide.rank);
        let trace: f32 = tall.spectrum.iter().sum();
        let squares: f64 = (0..4)
            .map(|c| {
                let column: Vec<f64> = values.iter().skip(c).step_by(4).map(|&v| f64::from(v)).collect();
                let mean = column.iter().sum::<f64>() / column.len() as f64;
                column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (column.len() - 1) as f64
            })
            .sum();
        assert!((f64::from(trace) - squares).abs() < 1e-5);
    }

    #[test]
    fn a_collapsed_set_is_told_from_a_healthy_one() {
        let width = 16;
        let healthy = Spread::of(&noise(200 * width), width).unwrap();
        assert!(healthy.unit_deviation > 0.9 && healthy.rank > 14.0, "{healthy:?}");
        let same: Vec<f32> = (0..200).flat_map(|_| noise(width)).collect();
        let same = Spread::of(&same, width).unwrap();
        assert!(same.unit_deviation < 1e-6 && same.rank < 1.001 && same.deviation < 1e-6, "{same:?}");
        // All on one line: full deviation, rank 1.
        let line: Vec<f32> = noise(200).iter().flat_map(|&t| vec![t; width]).collect();
        let line = Spread::of(&line, width).unwrap();
        assert!(line.unit_deviation > 0.9 && line.rank < 1.01, "{line:?}");
    }

    #[test]
    fn nothing_is_said_of_one_vector_or_of_values_that_are_no_numbers() {
        assert!(Spread::of(&[1.0, 2.0], 2).is_none() && Spread::of(&[], 0).is_none());
        assert!(Spread::of(&[1.0, f32::NAN, 0.0, 0.0], 2).is_none());
        assert_eq!(Spread::of(&[0.0; 8], 2).unwrap().rank, 1.0);
    }
}
