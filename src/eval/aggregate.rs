//! How an image becomes one vector: h of the whole, R (the mean of un-normalised h over patches;
//! paper, section 3), or the local aggregation of Table 5.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, ensure};
use rand::seq::SliceRandom;
use serde::Serialize;

use crate::augment::{Crop, CropBox, view_rng};
use crate::patch::PatchGrid;

/// One way from an image to a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum Aggregate {
    /// h of the whole image.
    Central,
    /// The mean of h over so many patches or crops.
    Mean(usize),
    /// Table 5, first reading: h of 25 patches (16x16 at stride 4 on 32x32), average-pooled over
    /// 3x3 at stride 2 and concatenated: 2x2 vectors.
    LocalPatches,
    /// Table 5 and App. C.4, second reading: the last feature map of the whole image, pooled alike.
    LocalMap,
}

impl From<Aggregate> for String {
    fn from(aggregate: Aggregate) -> Self {
        aggregate.to_string()
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Aggregate::Central => write!(f, "central"),
            Aggregate::Mean(count) => write!(f, "{count}"),
            Aggregate::LocalPatches => write!(f, "local-patches"),
            Aggregate::LocalMap => write!(f, "local-map"),
        }
    }
}

impl FromStr for Aggregate {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "central" => return Ok(Aggregate::Central),
            "local-patches" => return Ok(Aggregate::LocalPatches),
            "local-map" => return Ok(Aggregate::LocalMap),
            _ => {}
        }
        let count = text.parse().ok().filter(|&count: &usize| (1..=1 << 16).contains(&count));
        let count = count.with_context(|| {
            format!("\"{text}\": expected central, or a number of patches from 1 to {}", 1 << 16)
        })?;
        Ok(Aggregate::Mean(count))
    }
}

/// The grid of Table 5's patches.
pub const LOCAL_GRID: PatchGrid = PatchGrid { patch: 16, stride: 4 };
/// Side and stride of the pooling window over the grid or map.
const POOL: (usize, usize) = (3, 2);

/// The first `count` crops of image `index`, of `height` x `width` pixels, in an order that is
/// drawn once for each image, so that fewer crops are always among more.
///
/// Fixed patches are drawn without replacement from all positions (all of them where there are
/// fewer than `count`), crops of a range of scales independently.
///
/// # Errors
/// The patch does not fit on the image.
pub fn crops(
    crop: Crop,
    (height, width): (u32, u32),
    index: usize,
    count: usize,
    seed: u64,
) -> anyhow::Result<Vec<CropBox>> {
    match crop {
        Crop::Fixed { size } => {
            let positions = positions(size, height, width);
            ensure!(
                positions > 0,
                "a patch of {size} x {size} pixels does not fit an image of {height} x {width}"
            );
            let grid = PatchGrid { patch: size, stride: 1 };
            let (_, cols) = grid.shape(height, width);
            let mut order: Vec<u32> = (0..positions as u32).collect();
            order.shuffle(&mut view_rng(seed, 0, index as u64, 0));
            let corners = order.into_iter().take(count).map(|cell| grid.corner(cell as usize, cols));
            Ok(corners.map(|(y, x)| CropBox { y, x, height: size, width: size }).collect())
        }
        Crop::Scale { .. } => {
            let draw = |view| crop.sample(&mut view_rng(seed, 1, index as u64, view as u64), height, width);
            (0..count).map(draw).collect()
        }
    }
}

/// Number of places of a square patch on an image.
pub fn positions(size: u32, height: u32, width: u32) -> usize {
    PatchGrid { patch: size, stride: 1 }.len(height, width)
}

/// Average pooling of 3x3 at stride 2, without padding, then flattening as PyTorch does: channel,
/// row, column. `at(channel, row, col)` reads the map.
///
/// # Shapes
/// - output: `[channels * pooled(rows) * pooled(cols)]`
pub fn pool_and_flatten(
    (channels, rows, cols): (usize, usize, usize),
    at: impl Fn(usize, usize, usize) -> f32,
) -> Vec<f32> {
    let (side, stride) = POOL;
    let mut out = Vec::with_capacity(channels * pooled(rows) * pooled(cols));
    for channel in 0..channels {
        for (row, col) in (0..pooled(rows)).flat_map(|r| (0..pooled(cols)).map(move |c| (r, c))) {
            let window = (0..side * side).map(|i| (row * stride + i / side, col * stride + i % side));
            let sum: f64 = window.map(|(r, c)| f64::from(at(channel, r, c))).sum();
            out.push((sum / (side * side) as f64) as f32);
        }
    }
    out
}

/// Windows along a side of `cells`.
pub fn pooled(cells: usize) -> usize {
    if cells < POOL.0 { 0 } else { (cells - POOL.0) / POOL.1 + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_patches_are_among_more_and_none_comes_twice() {
        let patch = Crop::Fixed { size: 14 };
        let all = crops(patch, (32, 32), 7, 256, 3).unwrap();
        for count in [1, 16] {
            assert_eq!(crops(patch, (32, 32), 7, count, 3).unwrap(), all[..count]);
        }
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 256);
        assert_ne!(crops(patch, (32, 32), 8, 16, 3).unwrap(), all[..16]);
        assert_ne!(crops(patch, (32, 32), 7, 16, 4).unwrap(), all[..16]);
        assert_eq!(crops(patch, (15, 15), 7, 256, 3).unwrap().len(), 4);
        let scale = Crop::Scale { min: 0.08, max: 1.0 };
        let many = crops(scale, (32, 32), 7, 48, 3).unwrap();
        assert_eq!(crops(scale, (32, 32), 7, 16, 3).unwrap(), many[..16]);
    }

    #[test]
    fn every_position_is_drawn_alike() {
        let mut counts = vec![0u32; 19 * 19];
        for index in 0..4000 {
            for b in crops(Crop::Fixed { size: 14 }, (32, 32), index, 16, 0).unwrap() {
                counts[(b.y * 19 + b.x) as usize] += 1;
            }
        }
        // 64,000 draws over 361 places: 177.3 expected, deviation 13.0.
        assert!(counts.iter().all(|&count| (110..245).contains(&count)), "{counts:?}");
    }

    #[test]
    fn a_map_of_five_by_five_becomes_two_by_two_windows() {
        let at = |channel: usize, row: usize, col: usize| (100 * channel + 10 * row + col) as f32;
        let found = pool_and_flatten((2, 5, 5), at);
        assert_eq!(found, [11.0, 13.0, 31.0, 33.0, 111.0, 113.0, 131.0, 133.0]);
        assert_eq!((pooled(5), pooled(4), pooled(3), pooled(2)), (2, 1, 1, 0));
    }

    #[test]
    fn names_read_back() {
        for name in ["central", "1", "256", "local-patches", "local-map"] {
            assert_eq!(name.parse::<Aggregate>().unwrap().to_string(), name);
        }
        assert!("0".parse::<Aggregate>().is_err() && "all".parse::<Aggregate>().is_err());
    }
}
