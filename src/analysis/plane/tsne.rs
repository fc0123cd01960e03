//! t-SNE of vectors at unit length (van der Maaten and Hinton 2008), by the `bhtsne` crate: the gradient by trees
//! (Barnes-Hut) or, of many, by interpolation (Linderman et al. 2019).
//!
//! It starts from the principal components, neighbours are exact, and one thread does the sums, so that the same vectors
//! give the same plane. Of 5,000 vectors of the built-in model its trustworthiness is scikit-learn's within 0.003.

use std::time::Instant;

use anyhow::{Context, ensure};
use bhtsne::{Neighbor, SparseAffinities, tSNE};

use crate::analysis::geometry::SpaceRows;
use crate::progress::{CancelToken, Progress};

/// Neighbours that count, effectively.
const PERPLEXITY: f32 = 30.0;
/// Steps of the descent.
const STEPS: usize = 1000;
/// Steps at first in which neighbours attract each other more, and which have less momentum.
const EARLY: usize = 250;
/// Steps after which it can be left.
const TURN: usize = 50;
/// Momentum early and later.
const MOMENTUM: [f32; 2] = [0.5, 0.8];
/// From so many on the gradient is interpolated.
const MANY: usize = 2000;
/// How exactly trees see what is far away.
const THETA: f32 = 0.5;
/// How far apart the points are at the start.
const START: f32 = 1e-4;
/// Vectors at least.
const LEAST: usize = 20;

/// Places of the rows of `values`, `[n, width]`, which start as `start` says.
///
/// # Errors
/// Too few rows, cancelled, no thread.
pub fn tsne(
    values: Vec<f32>,
    width: usize,
    start: &[[f32; 2]],
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<Vec<[f32; 2]>> {
    let rows = SpaceRows::new(values, width);
    let count = rows.count();
    ensure!(count >= LEAST, "t-SNE of {count} patches; expected {LEAST} or more");
    let perplexity = PERPLEXITY.min((count - 1) as f32 / 3.0);
    let k = ((3.0 * perplexity) as usize).clamp(1, count - 1);
    let near = rows.neighbours(k, cancel)?;
    drop(rows);
    let neighbour =
        |(index, chord): (&u32, &f64)| Neighbor { index: *index as usize, distance: *chord as f32 };
    let neighbours: Vec<Vec<Neighbor<f32>>> = near
        .nearest
        .chunks_exact(k)
        .zip(near.chords.chunks_exact(k))
        .map(|(nearest, chords)| nearest.iter().zip(chords).map(neighbour).collect())
        .collect();
    // The order in which several threads add up differs from time to time, and so would the planes.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().context("no thread for t-SNE")?;
    let clock = Instant::now();
    let mut at = scaled(start);
    let mut known = None;
    for done in (0..STEPS).step_by(TURN) {
        cancel.check()?;
        let elapsed = clock.elapsed();
        let (total, what, unit) = (STEPS as u64, "t-SNE", "steps");
        progress(Progress { what, done: done as u64, total, resumed: 0, unit, elapsed });
        let turn = TsneSteps { perplexity, neighbours: &neighbours, is_early: done < EARLY };
        (at, known) = pool.install(|| turn.descend(at, known));
        ensure!(at.iter().all(|v| v.is_finite()), "t-SNE left the range of numbers; lay out by pca instead");
    }
    Ok(at.as_chunks::<2>().0.to_vec())
}

/// A few steps of the descent.
struct TsneSteps<'a> {
    perplexity: f32,
    neighbours: &'a [Vec<Neighbor<f32>>],
    is_early: bool,
}

impl TsneSteps<'_> {
    /// Where the points are after it, and what attracts them, which stays the same from turn to turn.
    fn descend(
        &self,
        at: Vec<f32>,
        known: Option<SparseAffinities<f32>>,
    ) -> (Vec<f32>, Option<SparseAffinities<f32>>) {
        let count = self.neighbours.len();
        let momentum = MOMENTUM[usize::from(!self.is_early)];
        let samples = vec![(); count];
        let mut fit: tSNE<'_, f32, ()> = tSNE::new(&samples);
        fit.perplexity(self.perplexity).learning_rate((count as f32 / 12.0).max(50.0)).epochs(TURN);
        fit.momentum(momentum).final_momentum(momentum).momentum_switch_epoch(usize::MAX);
        fit.stop_lying_epoch(if self.is_early { usize::MAX } else { 0 }).initial_embedding(at);
        if let Some(known) = known {
            fit.with_affinities(known);
        }
        match count < MANY {
            true => fit.barnes_hut_with_neighbors(THETA, self.neighbours),
            false => fit.fit_sne_with_neighbors(self.neighbours),
        };
        (fit.embedding(), fit.affinities())
    }
}

/// The start, made so small that the descent decides.
fn scaled(start: &[[f32; 2]]) -> Vec<f32> {
    let squares: f64 = start.iter().map(|at| f64::from(at[0]).powi(2)).sum();
    let deviation = (squares / start.len().max(1) as f64).sqrt() as f32;
    let scale = if deviation > 0.0 { START / deviation } else { 0.0 };
    start.iter().flatten().map(|v| v * scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rings of 40 vectors in planes of their own, far from one another.
    fn rings() -> (Vec<f32>, usize) {
        let mut values = vec![];
        for ring in 0..3 {
            for i in 0..40 {
                let angle = i as f32 / 40.0 * std::f32::consts::TAU;
                let mut row = [0.0; 9];
                row[3 * ring] = 1.0;
                (row[3 * ring + 1], row[3 * ring + 2]) = (0.3 * angle.sin(), 0.3 * angle.cos());
                values.extend(row);
            }
        }
        (values, 9)
    }

    fn start(count: usize) -> Vec<[f32; 2]> {
        (0..count).map(|i| [(i as f32 * 0.7).sin(), (i as f32 * 1.9).cos()]).collect()
    }

    #[test]
    fn neighbours_stay_neighbours_and_the_same_vectors_give_the_same_plane() {
        let (values, width) = rings();
        let mut steps = vec![];
        let mut lay = || {
            tsne(values.clone(), width, &start(120), &CancelToken::default(), &mut |p| steps.push(p.done))
                .unwrap()
        };
        let at = lay();
        assert_eq!(at, lay());
        assert_eq!((steps.len(), steps[1]), (40, 50));
        for (i, place) in at.iter().enumerate() {
            let distance = |j: &usize| (at[*j][0] - place[0]).powi(2) + (at[*j][1] - place[1]).powi(2);
            let mut others: Vec<usize> = (0..120).filter(|j| *j != i).collect();
            others.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
            assert!(others[..10].iter().all(|j| j / 40 == i / 40), "{i}: {:?}", &others[..10]);
        }
    }

    #[test]
    fn it_is_left_when_nobody_waits_and_says_what_is_too_few() {
        let (values, width) = rings();
        let cancel = CancelToken::default();
        cancel.cancel();
        assert!(tsne(values.clone(), width, &start(120), &cancel, &mut |_| {}).is_err());
        let few = tsne(values[..9 * 5].to_vec(), width, &start(5), &CancelToken::default(), &mut |_| {});
        assert!(few.unwrap_err().to_string().contains("t-SNE of 5 patches"));
    }
}
