//! Which patches carry R, the mean over an image's patches: how far it turns without each of them.

use std::sync::Arc;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use super::convergence::{Running, corners, dot, sources};
use crate::embed::{BATCH, Embedder};
use crate::image::Image;
use crate::model::Space;
use crate::patch::PatchGrid;
use crate::progress::CancelToken;

/// How much R, the mean of all patches, would turn without each of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    /// Rows and columns of patches.
    pub shape: (usize, usize),
    /// For each space, 1 - cos(R, R without the patch), row by row.
    pub turns: Vec<Vec<f64>>,
}

/// Leaves each patch of an image out in turn. Needs all its vectors at once.
///
/// # Errors
/// Fewer than two patches fit, no room for the vectors, cancelled, or those of the model.
pub fn leave_one_out(
    embedder: &Embedder,
    image: &Arc<Image>,
    grid: PatchGrid,
    spaces: &[Space],
    cancel: &CancelToken,
) -> anyhow::Result<Carried> {
    let corners = corners(grid, image)?;
    ensure!(corners.len() > 1, "one patch alone carries all of R; expected a smaller patch or stride");
    let widths = spaces.iter().filter_map(|space| embedder.info.width(*space));
    let bytes = 4 * (corners.len() * widths.sum::<usize>()) as u64;
    let budget = crate::memory::budget();
    budget.ensure(
        budget.maps(),
        bytes,
        || format!("the vectors of {} patches of one image", crate::words::thousands(corners.len())),
        "a larger --stride, or fewer spaces",
    )?;
    let mut vectors = vec![vec![]; spaces.len()];
    for corners in corners.chunks(BATCH) {
        cancel.check()?;
        let fresh = embedder.patches(&sources(image, corners), grid.patch, spaces)?;
        vectors.iter_mut().zip(fresh).for_each(|(all, fresh)| all.extend(fresh));
    }
    let turns = vectors.iter().map(|rows| turns(rows, rows.len() / corners.len())).collect();
    Ok(Carried { shape: grid.shape(image.height(), image.width()), turns })
}

/// 1 - cos(R, R without the row), for each row of `[patches, width]`.
pub fn turns(rows: &[f32], width: usize) -> Vec<f64> {
    let mut sum = Running::new(width);
    sum.add(rows, &[]);
    let without = |row: &[f32]| {
        let rest: Vec<f64> = sum.total.iter().zip(row).map(|(sum, value)| sum - f64::from(*value)).collect();
        // As half the square of the chord of the unit vectors: 1 minus a cosine near 1 keeps no digits.
        let (of_sum, of_rest) = (dot(&sum.total, &sum.total).sqrt(), dot(&rest, &rest).sqrt());
        if of_sum == 0.0 || of_rest == 0.0 {
            return 1.0;
        }
        let chord = sum.total.iter().zip(&rest).map(|(a, b)| (a / of_sum - b / of_rest).powi(2));
        chord.sum::<f64>() / 2.0
    };
    rows.chunks_exact(width).map(without).collect()
}

/// How much R turns without each patch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpaceCarried {
    /// Mean over patches of 1 - cos(R, R without the patch).
    pub mean_turn: f64,
    /// Largest turn, as a multiple of the mean.
    pub largest: f64,
    /// Top and left edge of the patch without which R turns most, pixels.
    pub at: (u32, u32),
    /// Patches, of all, without which R turns half as much as without all of them, one at a time.
    pub half: usize,
    /// For each patch, row by row, its turn as a multiple of the mean.
    pub relative: Vec<f64>,
}

impl SpaceCarried {
    /// The largest turn in any of `spaces`, as a multiple of the mean, where the colours of their maps end; 1 of none.
    pub fn most<'a>(spaces: impl IntoIterator<Item = &'a Self>) -> f32 {
        spaces.into_iter().map(|space| space.largest).fold(1.0, f64::max) as f32
    }

    /// Of the turns of all patches on `grid`, row by row, `cols` to a row. At least one.
    pub fn of(turns: &[f64], grid: PatchGrid, cols: usize) -> Self {
        let total: f64 = turns.iter().sum();
        let mean_turn = total / turns.len() as f64;
        let relative: Vec<f64> =
            turns.iter().map(|turn| if mean_turn > 0.0 { turn / mean_turn } else { 1.0 }).collect();
        let largest = relative.iter().copied().fold(0.0, f64::max);
        let at = relative.iter().position(|value| *value == largest).unwrap_or(0);
        let mut sorted = turns.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let mut sum = 0.0;
        let half = sorted.iter().position(|turn| {
            sum += turn;
            sum >= total / 2.0
        });
        Self { mean_turn, largest, at: grid.corner(at, cols), half: half.map_or(0, |at| at + 1), relative }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::convergence::cosine;

    #[test]
    fn the_patch_that_points_elsewhere_carries_most() {
        // R without the last row points along x; with it, 3 : 1.
        let found = turns(&[1.0, 0.0, 1.0, 0.0, 1.0, 1.0], 2);
        let turn = |a: [f64; 2], b: [f64; 2]| 1.0 - cosine(&a, &b);
        let expected =
            [turn([3.0, 1.0], [2.0, 1.0]), turn([3.0, 1.0], [2.0, 1.0]), turn([3.0, 1.0], [2.0, 0.0])];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
        // Far below what 1 - cosine would keep.
        let tiny = turns(&[[1.0, 0.0].repeat(1000), vec![1.0, 1e-5]].concat(), 2);
        let angle = 1e-5 / 1001.0;
        assert!((tiny[1000] / (angle * angle / 2.0) - 1.0).abs() < 1e-3, "{:e}", tiny[1000]);
        assert_eq!(turns(&[1.0, 0.0, -1.0, 0.0], 2), [1.0, 1.0]);
    }

    #[test]
    fn half_of_the_turn_is_carried_by_the_fewest_patches() {
        let found = SpaceCarried::of(&[1.0, 4.0, 1.0, 2.0], PatchGrid { patch: 8, stride: 4 }, 2);
        assert_eq!((found.mean_turn, found.largest, found.at, found.half), (2.0, 2.0, (0, 4), 1));
        assert_eq!(found.relative, [0.5, 2.0, 0.5, 1.0]);
        let even = SpaceCarried::of(&[0.0; 4], PatchGrid { patch: 8, stride: 4 }, 2);
        assert_eq!((even.largest, even.relative), (1.0, vec![1.0; 4]));
    }
}
