//! The kNN classifier of the field (Wu et al. 2018): cosine similarities s of the k nearest train
//! images vote for their class with weight exp(s / T).

use std::sync::Arc;

use anyhow::ensure;
use rayon::prelude::*;
use serde::Serialize;

use super::features::Features;
use super::linear::first_largest;
use crate::kernel::QueryPanels;
use crate::search::{Best, Hit, TOGETHER};

/// Constants of the classifier; the metric is the cosine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KnnConfig {
    /// Neighbours that vote.
    pub k: usize,
    /// T of the votes exp(s / T), s being the cosine.
    pub temperature: f32,
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self { k: 20, temperature: 0.07 }
    }
}

impl KnnConfig {
    /// Checks ranges. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        let Self { k, temperature } = *self;
        ensure!(k >= 1, "k of the kNN classifier is 0; expected at least 1");
        ensure!(
            temperature.is_finite() && temperature > 0.0,
            "temperature of the kNN classifier is {temperature}; expected more than 0"
        );
        Ok(())
    }
}

/// Part of `asked` that is classified right by its neighbours in `known`, 0 to 1.
pub fn accuracy(known: &Features, asked: &Features, classes: usize, config: &KnnConfig) -> f64 {
    let found = predictions(known, asked, classes, config);
    let right = found.iter().zip(&asked.labels).filter(|(found, label)| found == label).count();
    right as f64 / asked.labels.len() as f64
}

/// Multiply-adds that a unit of [`KnnWork`] is made of, about: a few dozen milliseconds.
const UNIT: usize = 8 << 30;
/// Values of a block of train images that stay in a core's cache while they are multiplied with the queries.
const BLOCK_VALUES: usize = 1 << 16;

/// The class of each row of `asked`. All similarities are computed, block by block; of equal ones the
/// earlier train image is nearer, and of equal votes the lower class wins.
pub fn predictions(known: &Features, asked: &Features, classes: usize, config: &KnnConfig) -> Vec<u32> {
    predicted(known, &inverse_norms(&known.values, known.width), &asked.values, classes, config)
}

/// The class of each row of `asked`; `inv_norms` are those of the rows of `known`.
fn predicted(
    known: &Features,
    inv_norms: &[f32],
    asked: &[f32],
    classes: usize,
    config: &KnnConfig,
) -> Vec<u32> {
    let width = known.width;
    // As many for each thread, as long as there are many.
    let rows = asked.len() / width;
    let each = rows.div_ceil(rayon::current_num_threads()).clamp(1, TOGETHER);
    let classified = asked.par_chunks(each * width).map(|queries| {
        let near = nearest(known, inv_norms, queries, config.k);
        near.into_iter().map(|hits| vote(&hits, &known.labels, classes, config)).collect::<Vec<u32>>()
    });
    classified.flatten().collect()
}

/// The `k` rows of `known` of the largest cosine with each of `queries`, best first.
fn nearest(known: &Features, inv_norms: &[f32], queries: &[f32], k: usize) -> Vec<Vec<Hit>> {
    let width = known.width;
    // Of length 1, so that no product leaves float32.
    let norms = inverse_norms(queries, width);
    let unit =
        |(row, inv_norm): (&[f32], f32)| row.iter().map(move |value| value * inv_norm).collect::<Vec<f32>>();
    let unit: Vec<f32> = queries.chunks_exact(width).zip(norms).flat_map(unit).collect();
    let count = queries.len() / width;
    let panels = QueryPanels::new(&unit, count);
    let stride = panels.stride();
    let block = (BLOCK_VALUES / width.max(stride)).max(28);
    let mut best: Vec<Best> = (0..count).map(|_| Best::new(k)).collect();
    // Behind the last query nothing is near.
    let mut least = vec![f32::INFINITY; stride];
    least[..count].fill(f32::NEG_INFINITY);
    let (mut products, mut reached) = (vec![0.0; block * stride], vec![]);
    for (first, rows) in known.values.chunks(block * width).enumerate() {
        let products = &mut products[..rows.len() / width * stride];
        panels.products(rows, products);
        for (row, products) in (first * block..).zip(products.chunks_exact(stride)) {
            reached.clear();
            panels.reached(products, inv_norms[row], &least, &mut reached);
            for query in reached.iter().map(|query| *query as usize) {
                best[query].offer(Hit { row, cosine: products[query] * inv_norms[row] });
                least[query] = best[query].least();
            }
        }
    }
    best.into_iter().map(Best::into_sorted).collect()
}

/// 1 over the length of each row.
fn inverse_norms(values: &[f32], width: usize) -> Vec<f32> {
    let of = |row: &[f32]| row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt().max(1e-12);
    values.par_chunks_exact(width).map(|row| of(row).recip() as f32).collect()
}

/// [`accuracy`], some queries at a time.
pub struct KnnWork {
    known: Arc<Features>,
    asked: Arc<Features>,
    /// 1 over the length of each row of `known`.
    inv_norms: Vec<f32>,
    classes: usize,
    config: KnnConfig,
    /// Queries that are classified at once.
    portion: usize,
    /// Queries that are classified, and those of them that are right.
    done: usize,
    right: usize,
}

impl KnnWork {
    /// Nothing is classified yet.
    pub fn new(known: Arc<Features>, asked: Arc<Features>, classes: usize, config: KnnConfig) -> Self {
        let inv_norms = inverse_norms(&known.values, known.width);
        let portion = (UNIT / known.values.len().max(1)).max(128);
        Self { known, asked, inv_norms, classes, config, portion, done: 0, right: 0 }
    }

    /// Classifies as many more as are soon done. Returns whether all are.
    pub fn advance(&mut self) -> bool {
        let (width, all) = (self.known.width, self.asked.labels.len());
        let end = (self.done + self.portion).min(all);
        let asked = &self.asked.values[self.done * width..end * width];
        let found = predicted(&self.known, &self.inv_norms, asked, self.classes, &self.config);
        let labels = &self.asked.labels[self.done..end];
        self.right += found.iter().zip(labels).filter(|(found, label)| found == label).count();
        self.done = end;
        self.done == all
    }

    /// Queries that are classified.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Part of them that is classified right, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.done as f64
    }
}

/// The class for which `near`, best first, vote most.
fn vote(near: &[Hit], labels: &[u32], classes: usize, config: &KnnConfig) -> u32 {
    let mut votes = vec![0.0f64; classes];
    for hit in near {
        // Relative to the best, so that no temperature overflows; votes keep their proportions.
        votes[labels[hit.row] as usize] +=
            f64::from((hit.cosine - near[0].cosine) / config.temperature).exp();
    }
    first_largest(&votes) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(rows: &[([f32; 2], u32)]) -> Features {
        Features {
            values: rows.iter().flat_map(|(row, _)| *row).collect(),
            width: 2,
            labels: rows.iter().map(|(_, label)| *label).collect(),
        }
    }

    #[test]
    fn near_neighbours_outvote_many_far_ones() {
        // Cosines with (1, 0): 1, 0.6, 0.6. exp(1 / 0.07) beats 2 exp(0.6 / 0.07); at T = 1 it does not.
        let known = features(&[([2.0, 0.0], 0), ([3.0, 4.0], 1), ([3.0, -4.0], 1)]);
        let asked = features(&[([5.0, 0.0], 0)]);
        let sharp = KnnConfig { k: 3, temperature: 0.07 };
        assert_eq!(accuracy(&known, &asked, 2, &sharp), 1.0);
        assert_eq!(accuracy(&known, &asked, 2, &KnnConfig { k: 3, temperature: 1.0 }), 0.0);
        assert_eq!(accuracy(&known, &asked, 2, &KnnConfig { k: 1, temperature: 1.0 }), 1.0);
    }

    #[test]
    fn queries_in_portions_are_classified_as_all_at_once() {
        let rows: Vec<([f32; 2], u32)> =
            (0..300u32).map(|i| ([(i as f32).cos(), (i as f32).sin()], i % 3)).collect();
        let (known, asked) = (Arc::new(features(&rows[..40])), Arc::new(features(&rows)));
        let config = KnnConfig { k: 5, temperature: 0.1 };
        let mut work = KnnWork::new(known.clone(), asked.clone(), 3, config);
        work.portion = 128;
        assert!(!work.advance());
        while !work.advance() {}
        assert_eq!((work.done(), work.accuracy()), (300, accuracy(&known, &asked, 3, &config)));
    }

    #[test]
    fn equal_votes_go_to_the_lower_class() {
        let known = features(&[([0.0, 1.0], 2), ([0.0, 1.0], 1)]);
        let asked = features(&[([0.0, 3.0], 0)]);
        assert_eq!(predictions(&known, &asked, 3, &KnnConfig { k: 2, temperature: 0.07 }), [1]);
    }
}
