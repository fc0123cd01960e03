//! Means with intervals where values come in clusters, such as patches in images: whole clusters are resampled.

use std::collections::BTreeMap;

use super::bootstrap::resampled;
use super::{Interval, quantile_of_sorted};

/// Values of several quantities, added up by cluster.
#[derive(Clone, Debug)]
pub struct ClusterSums {
    columns: usize,
    places: BTreeMap<u32, usize>,
    /// `[clusters, columns]`: sums of values, and how many.
    sums: Vec<f64>,
    counts: Vec<f64>,
}

impl ClusterSums {
    /// Of so many quantities.
    pub fn new(columns: usize) -> Self {
        Self { columns, places: BTreeMap::new(), sums: vec![], counts: vec![] }
    }

    /// Adds a value of quantity `column` in cluster `key`.
    pub fn add(&mut self, key: u32, column: usize, value: f64) {
        let next = self.places.len();
        let place = *self.places.entry(key).or_insert(next);
        if place == next {
            self.sums.resize(self.sums.len() + self.columns, 0.0);
            self.counts.resize(self.counts.len() + self.columns, 0.0);
        }
        self.sums[place * self.columns + column] += value;
        self.counts[place * self.columns + column] += 1.0;
    }

    /// How many values of quantity `column` there are.
    pub fn count(&self, column: usize) -> usize {
        self.counts.iter().skip(column).step_by(self.columns.max(1)).sum::<f64>() as usize
    }

    /// The mean of each quantity over all its values, with its percentile interval of 95 %: as many clusters as there
    /// are are drawn with replacement, `resamples` times. The same seed gives the same intervals; all quantities share
    /// their draws. `None` where a quantity has no value, or an infinite one.
    pub fn means(&self, resamples: usize, seed: u64) -> Vec<Option<Interval>> {
        let drawn = self.drawn(resamples, seed);
        let interval =
            |(column, value): (usize, &f64)| interval(*value, drawn.iter().map(|means| means[column]));
        self.whole().iter().enumerate().map(interval).collect()
    }

    /// A number that is made of the means of all quantities, with its interval by the same draws.
    pub fn of_means(&self, resamples: usize, seed: u64, of: impl Fn(&[f64]) -> f64) -> Option<Interval> {
        let drawn = self.drawn(resamples, seed);
        interval(of(&self.whole()), drawn.iter().map(|means| of(means)))
    }

    /// The means over all clusters.
    fn whole(&self) -> Vec<f64> {
        self.of(&(0..self.places.len()).collect::<Vec<_>>())
    }

    /// The means over each draw of clusters.
    fn drawn(&self, resamples: usize, seed: u64) -> Vec<Vec<f64>> {
        resampled(self.places.len(), resamples, seed, |drawn| self.of(drawn))
    }

    /// The means over the values of these clusters; NaN of none.
    fn of(&self, clusters: &[usize]) -> Vec<f64> {
        let mut sums = vec![0.0; self.columns];
        let mut counts = vec![0.0; self.columns];
        for place in clusters {
            let row = place * self.columns..(place + 1) * self.columns;
            sums.iter_mut().zip(&self.sums[row.clone()]).for_each(|(sum, value)| *sum += value);
            counts.iter_mut().zip(&self.counts[row]).for_each(|(sum, value)| *sum += value);
        }
        sums.iter().zip(&counts).map(|(sum, count)| sum / count).collect()
    }
}

/// A value with the middle 95 % of what it is on other draws.
fn interval(value: f64, drawn: impl Iterator<Item = f64>) -> Option<Interval> {
    // A draw without a value of this quantity says nothing of it.
    let mut sorted: Vec<f64> = drawn.filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (quantile_of_sorted(&sorted, 0.025)?, quantile_of_sorted(&sorted, 0.975)?);
    value.is_finite().then_some(Interval { value, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_cluster_count_as_one_observation() {
        // 100 clusters of 10 equal values: as uncertain as 100 values, not 1,000.
        let mut sums = ClusterSums::new(2);
        for cluster in 0..100u32 {
            for _ in 0..10 {
                sums.add(cluster, 0, f64::from(cluster % 2));
            }
        }
        let means = sums.means(2000, 7);
        let found = means[0].unwrap();
        let half = 1.96 * (0.25f64 / 100.0).sqrt();
        assert_eq!((found.value, sums.count(0), sums.count(1), means[1]), (0.5, 1000, 0, None));
        assert!(
            (found.low - (0.5 - half)).abs() < 0.02 && (found.high - (0.5 + half)).abs() < 0.02,
            "{found:?}"
        );
        assert_eq!(sums.means(2000, 7)[0], Some(found));
        assert_eq!(sums.of_means(2000, 7, |means| means[0]), Some(found));
        assert_eq!(
            sums.of_means(2000, 7, |means| 2.0 * means[0]).map(|twice| twice.high),
            Some(2.0 * found.high)
        );
        assert_eq!(ClusterSums::new(1).means(10, 0), [None]);
    }

    #[test]
    fn large_clusters_count_by_their_values() {
        let mut sums = ClusterSums::new(1);
        (0..3).for_each(|_| sums.add(4, 0, 1.0));
        sums.add(9, 0, 0.0);
        assert_eq!(sums.means(50, 1)[0].unwrap().value, 0.75);
    }
}
