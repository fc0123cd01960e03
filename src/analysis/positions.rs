//! Do neighbours sit at the same place within objects? Entropy of their positions, against positions at random.
//!
//! The place of a patch is the cell, of 4 x 4, in which its centre lies within its object: the box about all pixels of
//! object parts where those are known, the whole image otherwise. For each query the entropy, in bits, of the places of
//! its nearest patches from other images; and the same of as many patches drawn at random from the same images. Where
//! parts are known only patches that are centred on an object count. The same number of patches on both sides, so that
//! what few patches do to an entropy is on both.

use anyhow::Context;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::bank::Bank;
use crate::dataset::PartMap;
use crate::stats::Interval;
use crate::stats::clusters::ClusterSums;

/// Cells along a side.
const CELLS: usize = 4;

/// A box within an image, pixels: what positions are told in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ObjectFrame {
    /// Top edge.
    pub y: f64,
    /// Left edge.
    pub x: f64,
    /// Height.
    pub height: f64,
    /// Width.
    pub width: f64,
}

impl ObjectFrame {
    /// All of an image.
    pub fn whole(height: u32, width: u32) -> Self {
        Self { y: 0.0, x: 0.0, height: f64::from(height), width: f64::from(width) }
    }

    /// About all pixels of object parts; `None` where there is none.
    pub fn of_object(map: &PartMap) -> Option<Self> {
        let width = map.width as usize;
        let pixels = map.index.iter().enumerate().filter(|(_, part)| usize::from(**part) >= map.backgrounds);
        let mut ends: Option<[usize; 4]> = None;
        for (at, _) in pixels {
            let (y, x) = (at / width, at % width);
            let [top, left, bottom, right] = ends.unwrap_or([y, x, y, x]);
            ends = Some([top.min(y), left.min(x), bottom.max(y), right.max(x)]);
        }
        let [top, left, bottom, right] = ends?.map(|end| end as f64);
        Some(Self { y: top, x: left, height: bottom - top + 1.0, width: right - left + 1.0 })
    }

    /// The cell of a point.
    fn cell(&self, y: f64, x: f64) -> usize {
        let along =
            |at: f64, start: f64, side: f64| (((at - start) / side * CELLS as f64) as usize).min(CELLS - 1);
        along(y, self.y, self.height) * CELLS + along(x, self.x, self.width)
    }
}

/// Entropies in bits: means over queries with intervals over their images.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct PositionEntropy {
    /// Of the places of neighbours.
    pub neighbours: Interval,
    /// Of the places of random patches of the same images.
    pub shuffled: Interval,
    /// The second less the first: how much a neighbour knows of its place.
    pub difference: Interval,
    /// Queries with two neighbours at least.
    pub queries: usize,
}

/// Measures one space. `hits[i]` are the rows found for row `queries[i]`, `frames` the objects by place in the bank, and
/// `counts` whether a row counts.
///
/// # Errors
/// An image that is not in the bank.
pub fn position_entropy(
    bank: &Bank,
    (queries, hits): (&[usize], &[Vec<usize>]),
    (frames, counts): (&[ObjectFrame], &[bool]),
    (resamples, seed): (usize, u64),
) -> anyhow::Result<Option<PositionEntropy>> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut sums = ClusterSums::new(3);
    let cell = |row: usize| {
        let patch = bank.patch_ref(row);
        let half = f64::from(patch.size) / 2.0;
        frames[bank.place_of_row(row)].cell(f64::from(patch.y) + half, f64::from(patch.x) + half)
    };
    for (query, hits) in queries.iter().zip(hits) {
        let hits: Vec<usize> = hits.iter().copied().filter(|row| counts[*row]).collect();
        if hits.len() < 2 {
            continue;
        }
        let mut shuffled = vec![];
        for row in &hits {
            let image = bank.rows_of_image(bank.image_of_row(*row) as usize)?;
            let others: Vec<usize> = image.filter(|row| counts[*row]).collect();
            let at = rng.random_range(0..others.len().max(1));
            shuffled.push(cell(*others.get(at).context("an image without a patch that counts")?));
        }
        let found = entropy(hits.iter().map(|row| cell(*row)));
        let random = entropy(shuffled.into_iter());
        let image = bank.image_of_row(*query);
        for (column, value) in [found, random, random - found].into_iter().enumerate() {
            sums.add(image, column, value);
        }
    }
    let queries = sums.count(0);
    Ok(match sums.means(resamples, seed)[..] {
        [Some(neighbours), Some(shuffled), Some(difference)] => {
            Some(PositionEntropy { neighbours, shuffled, difference, queries })
        }
        _ => None,
    })
}

/// Bits.
fn entropy(cells: impl Iterator<Item = usize>) -> f64 {
    let mut counts = [0usize; CELLS * CELLS];
    cells.for_each(|cell| counts[cell] += 1);
    let total = counts.iter().sum::<usize>() as f64;
    let share = |count: &usize| *count as f64 / total;
    counts.iter().filter(|count| **count > 0).map(share).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;

    #[test]
    fn entropies_are_in_bits() {
        assert_eq!(entropy([3; 8].into_iter()), 0.0);
        assert_eq!(entropy([0, 1, 2, 3].into_iter()), 2.0);
        assert!((entropy([0, 0, 0, 1].into_iter()) - 0.811_278_124_459_132_8).abs() < 1e-15);
    }

    #[test]
    fn neighbours_at_one_place_have_no_entropy() {
        let bank = fixture::bank(12, 3, 1, |_| vec![1.0]);
        let frames = vec![ObjectFrame::whole(24, 24); 12];
        let counts = vec![true; bank.patches()];
        let queries: Vec<usize> = (0..12).map(|image| image * 25 + 6).collect();
        let others = |query: &usize| (0..12).map(|image| image * 25 + 6).filter(|row| row != query).collect();
        let hits: Vec<Vec<usize>> = queries.iter().map(others).collect();
        let found =
            position_entropy(&bank, (&queries, &hits), (&frames, &counts), (200, 5)).unwrap().unwrap();
        assert_eq!((found.neighbours.value, found.queries), (0.0, 12));
        assert!(found.shuffled.value > 2.0 && found.difference.low > 1.5, "{found:?}");
        // Where nothing counts nothing is said.
        let none = vec![false; bank.patches()];
        let found = position_entropy(&bank, (&queries, &hits), (&frames, &none), (200, 5)).unwrap();
        assert_eq!(found, None);
    }

    #[test]
    fn places_are_told_within_the_object() {
        // An object of 2 x 4 pixels in the lower right of 6 x 8.
        let mut index = vec![0u8; 48];
        for (y, x) in (4..6).flat_map(|y| (4..8).map(move |x| (y, x))) {
            index[y * 8 + x] = 2;
        }
        let names = ["sky", "field", "wing"].map(String::from).to_vec().into();
        let map = PartMap { width: 8, height: 6, index, names, backgrounds: 2 };
        let frame = ObjectFrame::of_object(&map).unwrap();
        assert_eq!(frame, ObjectFrame { y: 4.0, x: 4.0, height: 2.0, width: 4.0 });
        assert_eq!([frame.cell(4.0, 4.0), frame.cell(5.9, 7.9), frame.cell(0.0, 20.0)], [0, 15, 3]);
        assert_eq!(ObjectFrame::whole(8, 8).cell(4.0, 2.0), 9);
    }
}
