//! The kNN classifier of the field (Wu et al. 2018): cosine similarities s of the k nearest train
//! images vote for their class with weight exp(s / T).

use rayon::prelude::*;
use serde::Serialize;

use super::aggregate::Features;

/// Constants of the classifier; the metric is the cosine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KnnConfig {
    pub k: usize,
    pub temperature: f32,
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self { k: 20, temperature: 0.07 }
    }
}

/// Part of `asked` that is classified right by its neighbours in `known`, 0 to 1.
pub fn accuracy(known: &Features, asked: &Features, classes: usize, config: &KnnConfig) -> f64 {
    let known_unit = unit_rows(known);
    let asked_unit = unit_rows(asked);
    let right = asked_unit
        .par_chunks_exact(asked.width)
        .zip(&asked.labels)
        .filter(|(query, label)| classify(query, &known_unit, &known.labels, classes, config) == **label)
        .count();
    right as f64 / asked.labels.len() as f64
}

fn unit_rows(features: &Features) -> Vec<f32> {
    let mut values = features.values.clone();
    for row in values.chunks_exact_mut(features.width) {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
        row.iter_mut().for_each(|v| *v /= norm);
    }
    values
}

fn classify(query: &[f32], known: &[f32], labels: &[u32], classes: usize, config: &KnnConfig) -> u32 {
    let dot = |row: &[f32]| query.iter().zip(row).map(|(a, b)| a * b).sum::<f32>();
    let mut scored: Vec<(f32, u32)> =
        known.chunks_exact(query.len()).map(dot).zip(labels.iter().copied()).collect();
    let k = config.k.min(scored.len());
    if k < scored.len() {
        scored.select_nth_unstable_by(k, |a, b| b.0.total_cmp(&a.0));
    }
    // Relative to the best, so that no temperature overflows; votes keep their proportions.
    let best = scored[..k].iter().map(|(score, _)| *score).fold(f32::NEG_INFINITY, f32::max);
    let mut votes = vec![0.0f64; classes];
    for (score, label) in &scored[..k] {
        votes[*label as usize] += f64::from((score - best) / config.temperature).exp();
    }
    let best = votes.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(class, _)| class as u32)
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
}
