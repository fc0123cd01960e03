//! Small statistics: mean, quantiles, bootstrap intervals, ranks and correlations, all in float64.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation (divisor n - 1); `None` of fewer than two values.
pub fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// Quantile `q` of values in any order, interpolated linearly between neighbours (type 7 of Hyndman
/// and Fan 1996, NumPy's default). `None` of nothing, for `q` outside [0, 1], or if a value is NaN.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    if values.iter().any(|v| v.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

/// [`quantile`] of values that are sorted upwards and hold no NaN.
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    if sorted.is_empty() || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    // Equal neighbours are returned as they are: infinities would give NaN below.
    Some(if low == high { low } else { low + (high - low) * at.fract() })
}

/// An estimate with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Mean of `values` with its percentile bootstrap interval (Efron 1979): `resamples` times as many values are
/// drawn with replacement, and the middle `level` (0.95) of their means is taken. The same seed gives the
/// same interval. `None` of nothing, without resamples, for a level outside (0, 1), or if a value is not finite.
pub fn bootstrap_mean(values: &[f64], resamples: usize, level: f64, seed: u64) -> Option<Interval> {
    let usable = resamples > 0 && level > 0.0 && level < 1.0 && values.iter().all(|v| v.is_finite());
    let value = mean(values).filter(|_| usable)?;
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut draw = || {
        let sum: f64 = values.iter().map(|_| values[rng.random_range(0..values.len())]).sum();
        sum / values.len() as f64
    };
    let mut means: Vec<f64> = (0..resamples).map(|_| draw()).collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    let (low, high) = (quantile_of_sorted(&means, tail)?, quantile_of_sorted(&means, 1.0 - tail)?);
    Some(Interval { value, low, high })
}

/// Ranks from 1 upwards, smallest value first; equal values share the mean of their ranks.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for group in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let shared = first as f64 + (group.len() + 1) as f64 / 2.0;
        group.iter().for_each(|at| ranks[*at] = shared);
        first += group.len();
    }
    ranks
}

/// Pearson's correlation of pairs, in [-1, 1]; `None` of fewer than two pairs, if either side
/// is constant, or if a value is not finite. Panics on sides of different length.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "two sides of pairs");
    let (mean_a, mean_b) = (mean(a)?, mean(b)?);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (dx, dy) = (x - mean_a, y - mean_b);
        aa += dx * dx;
        bb += dy * dy;
        ab += dx * dy;
    }
    let r = ab / (aa.sqrt() * bb.sqrt());
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}

/// Spearman's rank correlation of pairs, ties sharing ranks: `None` and panics as [`pearson`].
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let finite = a.iter().chain(b).all(|v| v.is_finite());
    pearson(&ranks(a), &ranks(b)).filter(|_| finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}, expected {expected}");
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        let values = [7.0, 1.0, 3.0, 10.0]; // numpy.quantile
        near(quantile(&values, 0.0), 1.0);
        near(quantile(&values, 0.1), 1.6);
        near(quantile(&values, 0.5), 5.0);
        near(quantile(&values, 1.0), 10.0);
        near(quantile(&[f64::INFINITY; 2], 0.3).map(|v| 1.0 / v), 0.0);
        assert_eq!([quantile(&[], 0.5), quantile(&values, 1.1), quantile(&[f64::NAN, 1.0], 0.5)], [None; 3]);
    }

    #[test]
    fn mean_and_deviation_of_a_small_sample() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        near(mean(&values), 5.0);
        near(deviation(&values), (32.0f64 / 7.0).sqrt());
        assert_eq!((mean(&[]), deviation(&[1.0])), (None, None));
    }

    #[test]
    fn correlations_of_known_pairs() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 6.0, 7.0, 8.0, 7.0]); // scipy.stats
        near(pearson(&a, &b), 0.832_050_294_337_843_7);
        near(spearman(&a, &b), 0.820_782_681_668_123_3);
        near(pearson(&a, &[1.0, 4.0, 9.0, 16.0, 25.0]), 60.0 / 3740.0f64.sqrt());
        near(spearman(&a, &[1.0, 4.0, 9.0, 16.0, 25.0]), 1.0);
        assert_eq!((pearson(&a, &[2.0; 5]), spearman(&[], &[]), pearson(&[1.0], &[1.0])), (None, None, None));
        assert_eq!(spearman(&[1.0, f64::NAN], &[1.0, 2.0]), None);
    }

    #[test]
    fn equal_values_share_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 0.0, 3.0]), [4.0, 2.0, 4.0, 1.0, 4.0]);
    }

    #[test]
    fn a_bootstrap_interval_has_the_width_that_theory_gives_and_repeats() {
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i % 2)).collect();
        let found = bootstrap_mean(&values, 2000, 0.95, 7).unwrap();
        let half = 1.96 * (0.25f64 / 1000.0).sqrt(); // 0.031
        assert_eq!(found.value, 0.5);
        assert!(
            (found.low - (0.5 - half)).abs() < 0.004 && (found.high - (0.5 + half)).abs() < 0.004,
            "{found:?}"
        );
        assert_eq!(bootstrap_mean(&values, 2000, 0.95, 7), Some(found));
        assert_ne!(bootstrap_mean(&values, 2000, 0.95, 8), Some(found));
        assert_eq!(bootstrap_mean(&[], 10, 0.95, 1), None);
        assert_eq!(bootstrap_mean(&[1.0, f64::NAN], 10, 0.95, 1), None);
    }
}
