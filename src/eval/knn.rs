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
const UNIT: usize = 4 << 30;
/// Known rows that come past at once.
const PIECE: usize = 1024;
/// Values of those that stay in a core's cache while they are multiplied with a block of queries.
const NEAR_VALUES: usize = 1 << 16;

/// The class of each row of `asked`. All similarities are computed, block by block; of equal ones the
/// earlier train image is nearer, and of equal votes the lower class wins.
pub fn predictions(known: &Features, asked: &Features, classes: usize, config: &KnnConfig) -> Vec<u32> {
    let mut passing = KnnPortion::begin(&asked.values, known.width, config.k);
    while !passing.advance(known) {}
    passing.predicted(&known.labels, classes, config)
}

/// 1 over the length of each row.
fn inverse_norms(values: &[f32], width: usize) -> Vec<f32> {
    let of = |row: &[f32]| row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt().max(1e-12);
    values.par_chunks_exact(width).with_min_len(64).map(|row| of(row).recip() as f32).collect()
}

/// Queries past which the known vectors come, piece by piece, so that those may lie in a file.
#[derive(Default)]
struct KnnPortion {
    blocks: Vec<KnnBlock>,
    queries: usize,
    /// Known rows that came past.
    at: usize,
}

impl KnnPortion {
    /// Nothing came past yet.
    fn begin(queries: &[f32], width: usize, k: usize) -> Self {
        let count = queries.len() / width;
        // As many for each thread, as long as there are many.
        let each = count.div_ceil(rayon::current_num_threads()).clamp(1, TOGETHER);
        let blocks = queries.par_chunks(each * width).map(|queries| KnnBlock::new(queries, width, k));
        Self { blocks: blocks.collect(), queries: count, at: 0 }
    }

    /// The next piece comes past. Returns whether it was the last.
    fn advance(&mut self, known: &Features) -> bool {
        let (width, count, at) = (known.width, known.labels.len(), self.at);
        let end = (at + PIECE).min(count);
        let piece = &known.values[at * width..end * width];
        let inv_norms = inverse_norms(piece, width);
        self.blocks.par_iter_mut().for_each(|block| block.take(piece, &inv_norms, at));
        self.at = end;
        end == count
    }

    /// The class of each query, once all came past.
    fn predicted(self, labels: &[u32], classes: usize, config: &KnnConfig) -> Vec<u32> {
        let near = self.blocks.into_iter().flat_map(|block| block.best);
        near.map(|best| voted(&best.into_sorted(), labels, classes, config)).collect()
    }
}

/// Queries that are multiplied together, and the nearest known rows of each so far.
struct KnnBlock {
    panels: QueryPanels,
    best: Vec<Best>,
    /// By query: a cosine that is below would not be kept. Behind the last query none would.
    least: Vec<f32>,
    /// Room to work in.
    products: Vec<f32>,
    reached: Vec<u32>,
}

impl KnnBlock {
    fn new(queries: &[f32], width: usize, k: usize) -> Self {
        // Of length 1, so that no product leaves float32.
        let rows = queries.chunks_exact(width).zip(inverse_norms(queries, width));
        let unit: Vec<f32> = rows.flat_map(|(row, inv_norm)| row.iter().map(move |v| v * inv_norm)).collect();
        let count = queries.len() / width;
        let panels = QueryPanels::new(&unit, count);
        let mut least = vec![f32::INFINITY; panels.stride()];
        least[..count].fill(f32::NEG_INFINITY);
        let best = (0..count).map(|_| Best::new(k)).collect();
        Self { panels, best, least, products: vec![], reached: vec![] }
    }

    /// Takes in `rows` of which the first has number `first`.
    fn take(&mut self, rows: &[f32], inv_norms: &[f32], first: usize) {
        let (width, stride) = (rows.len() / inv_norms.len(), self.panels.stride());
        let near = (NEAR_VALUES / width.max(stride)).max(28);
        self.products.resize(near * stride, 0.0);
        let of_rows = rows.chunks(near * width).zip(inv_norms.chunks(near));
        for (first, (rows, inv_norms)) in (first..).step_by(near).zip(of_rows) {
            let products = &mut self.products[..inv_norms.len() * stride];
            self.panels.products(rows, products);
            for (row, (products, inv_norm)) in (first..).zip(products.chunks_exact(stride).zip(inv_norms)) {
                self.reached.clear();
                self.panels.reached(products, *inv_norm, &self.least, &mut self.reached);
                for query in self.reached.iter().map(|query| *query as usize) {
                    self.best[query].offer(Hit { row, cosine: products[query] * inv_norm });
                    self.least[query] = self.best[query].least();
                }
            }
        }
    }
}

/// The class for which `near`, best first, vote.
fn voted(near: &[Hit], labels: &[u32], classes: usize, config: &KnnConfig) -> u32 {
    let mut votes = vec![0.0f64; classes];
    for hit in near {
        // Relative to the best, so that no temperature overflows; votes keep their proportions.
        votes[labels[hit.row] as usize] +=
            f64::from((hit.cosine - near[0].cosine) / config.temperature).exp();
    }
    first_largest(&votes) as u32
}

/// [`accuracy`], a portion of the queries and a piece of the known vectors at a time.
pub struct KnnWork {
    known: Arc<Features>,
    asked: Arc<Features>,
    classes: usize,
    config: KnnConfig,
    /// Queries that are classified at once.
    portion: usize,
    /// Those at work.
    passing: KnnPortion,
    /// Queries that are classified, and those of them that are right.
    done: usize,
    right: usize,
}

impl KnnWork {
    /// Nothing is classified yet.
    pub fn new(known: Arc<Features>, asked: Arc<Features>, classes: usize, config: KnnConfig) -> Self {
        let portion = (UNIT / (PIECE * known.width.max(1))).max(128);
        Self { known, asked, classes, config, portion, passing: KnnPortion::default(), done: 0, right: 0 }
    }

    /// Goes on with as many as are soon done. Returns whether all are classified.
    pub fn advance(&mut self) -> bool {
        let (width, all) = (self.known.width, self.asked.labels.len());
        let end = (self.done + self.portion).min(all);
        if self.passing.at == 0 {
            let queries = &self.asked.values[self.done * width..end * width];
            self.passing = KnnPortion::begin(queries, width, self.config.k);
        }
        if !self.passing.advance(&self.known) {
            return false;
        }
        let passed = std::mem::take(&mut self.passing);
        let found = passed.predicted(&self.known.labels, self.classes, &self.config);
        let labels = &self.asked.labels[self.done..end];
        self.right += found.iter().zip(labels).filter(|(found, label)| found == label).count();
        self.done = end;
        self.done == all
    }

    /// Queries that are classified; of those at work the part that known vectors came past.
    pub fn done(&self) -> usize {
        let KnnPortion { queries, at, .. } = &self.passing;
        self.done + queries * at / self.known.labels.len().max(1)
    }

    /// Queries in all.
    pub fn total(&self) -> usize {
        self.asked.labels.len()
    }

    /// Part of them that is classified right, 0 to 1.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.done as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::values::GatheredValues;

    fn features(rows: &[([f32; 2], u32)]) -> Features {
        Features {
            values: rows.iter().flat_map(|(row, _)| *row).collect::<Vec<f32>>().into(),
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
    fn the_nearest_are_those_of_all_sorted_whatever_pieces_they_come_in() {
        // Few directions, so that many cosines are equal: then the earlier rows are nearer.
        let row = |i: u32| ([(i.wrapping_mul(2_654_435_761) >> 26) as f32 - 32.0, 1.0], 0);
        let known = features(&(0..3000).map(row).collect::<Vec<_>>());
        let cosine = |at: u32| known.values[2 * at as usize].atan();
        let mut sorted: Vec<u32> = (0..3000).collect();
        sorted.sort_by(|a, b| cosine(*b).total_cmp(&cosine(*a)));
        for k in [1, 20, 200, 3000, 5000] {
            let mut portion = KnnPortion::begin(&[2.0, 0.0], 2, k);
            while !portion.advance(&known) {}
            let found = portion.blocks.remove(0).best.remove(0).into_sorted();
            let found: Vec<u32> = found.iter().map(|hit| hit.row as u32).collect();
            assert_eq!(found, sorted[..k.min(3000)], "the nearest {k}");
        }
    }

    #[test]
    fn vectors_that_come_past_are_voted_as_those_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        // Many equal cosines: of them the earlier row is nearer, on whichever side of a piece.
        let rows: Vec<([f32; 2], u32)> = (0..2500u32)
            .map(|i| ([f32::from((i % 37) as u8) - 18.0, f32::from((i % 5) as u8) + 1.0], i * i % 7))
            .collect();
        let held = Arc::new(features(&rows));
        let mut values = GatheredValues::in_file(folder.path().join("rows")).unwrap();
        values.extend(&held.values, 0).unwrap();
        let filed = Arc::new(Features { values: values.finish().unwrap(), ..(*held).clone() });
        let config = KnnConfig { k: 9, temperature: 0.2 };
        let mut work = KnnWork::new(filed.clone(), filed, 7, config);
        work.portion = 1000;
        let mut seen = vec![];
        while !work.advance() {
            seen.push(work.done());
        }
        // Three portions of queries, past each of which three pieces come.
        assert_eq!(seen, [409, 819, 1000, 1409, 1819, 2000, 2204, 2409]);
        assert_eq!((work.done(), work.accuracy()), (2500, accuracy(&held, &held, 7, &config)));
    }

    #[test]
    fn equal_votes_go_to_the_lower_class() {
        let known = features(&[([0.0, 1.0], 2), ([0.0, 1.0], 1)]);
        let asked = features(&[([0.0, 3.0], 0)]);
        assert_eq!(predictions(&known, &asked, 3, &KnnConfig { k: 2, temperature: 0.07 }), [1]);
    }
}
