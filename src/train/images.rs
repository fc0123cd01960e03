//! Which images of a data set a run trains on.

use crate::augment::{Crop, ViewConfig};
use crate::dataset::{Coverage, Dataset, SPREAD_SEED, Skipped, spread};

use super::config::{ImagesOrder, TrainConfig};

/// The images of a run: `images` of its config (all where absent), less those that are too small for a patch of
/// its views. Known from the sizes alone, before any image is decoded.
#[derive(Clone, Debug)]
pub struct TrainingImages {
    /// Their numbers in the data set, upwards.
    pub indices: Vec<u64>,
    /// How many are used of how many, and why not the others.
    pub part: Coverage,
}

impl TrainingImages {
    /// Which of the data set's images, upwards, a run's are chosen from; the others stay unseen.
    pub fn drawn(config: &TrainConfig, data: &dyn Dataset) -> Vec<usize> {
        let count = config.images.map_or(data.len(), |limit| limit.min(data.len()));
        match config.images_order {
            Some(ImagesOrder::Spread) if count < data.len() => {
                let mut drawn = spread(data, count, SPREAD_SEED);
                drawn.sort_unstable();
                drawn
            }
            _ => (0..count).collect(),
        }
    }

    /// Chooses them.
    pub fn choose(config: &TrainConfig, data: &dyn Dataset) -> Self {
        let drawn = Self::drawn(config, data);
        let side = largest_patch(&config.views);
        // Files that could not even be opened have no number; they are missing from the whole set only.
        let mut skipped = if drawn.len() == data.len() { data.skipped().to_vec() } else { vec![] };
        let of = drawn.len() + skipped.len();
        let mut indices = Vec::with_capacity(drawn.len());
        for index in drawn {
            let (height, width) = data.dimensions(index);
            if height.min(width) >= side {
                indices.push(index as u64);
            } else {
                skipped.push(too_small(data, index, side));
            }
        }
        let part = Coverage { images: indices.len(), of, skipped };
        Self { indices, part }
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        self.indices.len()
    }
}

/// Side of the largest fixed-size patch among the views, pixels; 1 where there is none, as a crop
/// of a share of the area fits everywhere.
pub fn largest_patch(views: &[ViewConfig]) -> u32 {
    let sides = views.iter().filter_map(|view| match view.crop {
        Crop::Fixed { size } => Some(size),
        Crop::Scale { .. } => None,
    });
    sides.max().unwrap_or(1)
}

fn too_small(data: &dyn Dataset, index: usize, side: u32) -> Skipped {
    let (height, width) = data.dimensions(index);
    let reason = format!("{height} x {width} pixels, too small for a patch of {side} x {side}");
    Skipped { file: data.image_name(index), reason }
}
