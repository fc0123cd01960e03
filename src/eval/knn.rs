//! The kNN classifier of the field (Wu et al. 2018): cosine similarities s of the k nearest train
//! images vote for their class with weight exp(s / T).

use std::sync::Arc;

use anyhow::ensure;
use rayon::prelude::*;
use serde::Serialize;

use super::features::Features;
use super::gemm::{MatrixView, product};
use super::linear::first_largest;

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

/// Values of the similarities that one thread holds (16 MB).
const HELD: usize = 4 << 20;

/// Multiply-adds that a unit of [`KnnWork`] is made of, about: a few dozen milliseconds.
const UNIT: usize = 4 << 30;

/// The class of each row of `asked`. All similarities are computed, block by block; of equal ones the
/// earlier train image is nearer, and of equal votes the lower class wins.
pub fn predictions(known: &Features, asked: &Features, classes: usize, config: &KnnConfig) -> Vec<u32> {
    predicted(known, &unit_rows(&known.values, known.width), &asked.values, classes, config)
}

/// The class of each row of `asked`; `known_unit` are the rows of `known` with length 1.
fn predicted(
    known: &Features,
    known_unit: &[f32],
    asked: &[f32],
    classes: usize,
    config: &KnnConfig,
) -> Vec<u32> {
    let (width, count) = (known.width, known.labels.len());
    let asked_unit = unit_rows(asked, width);
    let block = (HELD / count).clamp(4, 128);
    let classified = asked_unit.par_chunks(block * width).map(|queries| {
        let rows = queries.len() / width;
        let mut cosines = vec![0.0; rows * count];
        let known_unit = MatrixView::row_major(known_unit, count, width);
        product(MatrixView::row_major(queries, rows, width), known_unit.transposed(), &mut cosines, false);
        let vote = |row: &[f32]| vote(row, &known.labels, classes, config);
        cosines.chunks_exact(count).map(vote).collect::<Vec<u32>>()
    });
    classified.flatten().collect()
}

fn unit_rows(values: &[f32], width: usize) -> Vec<f32> {
    let mut values = values.to_vec();
    for row in values.chunks_exact_mut(width) {
        let norm = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt().max(1e-12);
        row.iter_mut().for_each(|v| *v = (f64::from(*v) / norm) as f32);
    }
    values
}

/// [`accuracy`], some queries at a time.
pub struct KnnWork {
    known: Arc<Features>,
    asked: Arc<Features>,
    known_unit: Vec<f32>,
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
        let known_unit = unit_rows(&known.values, known.width);
        let portion = (UNIT / known_unit.len().max(1)).max(128);
        Self { known, asked, known_unit, classes, config, portion, done: 0, right: 0 }
    }

    /// Classifies as many more as are soon done. Returns whether all are.
    pub fn advance(&mut self) -> bool {
        let (width, all) = (self.known.width, self.asked.labels.len());
        let end = (self.done + self.portion).min(all);
        let asked = &self.asked.values[self.done * width..end * width];
        let found = predicted(&self.known, &self.known_unit, asked, self.classes, &self.config);
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

fn vote(cosines: &[f32], labels: &[u32], classes: usize, config: &KnnConfig) -> u32 {
    let mut order: Vec<(f32, u32)> = cosines.iter().copied().zip(0..).collect();
    let k = config.k.min(order.len());
    if k < order.len() {
        order.select_nth_unstable_by(k, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    }
    // Relative to the best, so that no temperature overflows; votes keep their proportions.
    let best = order[..k].iter().map(|(cosine, _)| *cosine).fold(f32::NEG_INFINITY, f32::max);
    let mut votes = vec![0.0f64; classes];
    for (cosine, at) in &order[..k] {
        votes[labels[*at as usize] as usize] += f64::from((cosine - best) / config.temperature).exp();
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
