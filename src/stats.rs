//! Small statistics: mean, quantiles, bootstrap and score intervals, all in float64.

pub mod bootstrap;
pub mod clusters;
pub mod eigen;
pub mod leading;
pub mod spectrum;

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
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
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
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

/// A share `hits / count` with its score interval of 95 % (Wilson 1927), which stays within [0, 1] and
/// is right for small counts. Panics if `count` is 0.
pub fn wilson(hits: usize, count: usize) -> Interval {
    assert!(count > 0, "a share of nothing");
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (count as f64, hits as f64 / count as f64);
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Interval { value: p, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
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
    fn score_intervals_are_those_of_scipy() {
        // scipy.stats.binomtest(hits, count).proportion_ci(method="wilson")
        let found = wilson(37, 500);
        near(Some(found.low), 0.054_161_184_751_011_97);
        near(Some(found.high), 0.100_334_753_322_230_55);
        near(Some(wilson(0, 10).low), 0.0);
        near(Some(wilson(0, 10).high), 0.277_532_799_862_889_26);
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
