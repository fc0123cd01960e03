//! Feature maps of whole images, kept for a while, and the vectors of places in them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::augment::CropBox;
use crate::image::Image;
use crate::model::MapLayer;

/// What the maps of the images that were asked for last may take, bytes; those of one image may take more.
const MOST_KEPT: usize = 256 << 20;

/// The feature map of a layer for one image.
pub struct LayerMap {
    /// Height.
    pub rows: usize,
    /// Width.
    pub cols: usize,
    /// Values of a place.
    pub channels: usize,
    /// `[rows, cols, channels]`.
    pub values: Vec<f32>,
}

/// The maps of one image.
pub struct MapsOfImage {
    /// The image.
    pub image: Arc<Image>,
    /// The layers.
    pub layers: Vec<MapLayer>,
    /// The map of each.
    pub maps: Vec<LayerMap>,
}

/// The maps of an image of which some tiles went through the network.
pub struct BegunMaps {
    /// Zeros where the others will be.
    pub of: MapsOfImage,
    /// How many tiles did, row by row.
    pub done: usize,
}

/// The maps of the images that were asked for last, the newest at the end.
#[derive(Default)]
pub struct KeptMaps(Mutex<VecDeque<Arc<MapsOfImage>>>);

impl MapsOfImage {
    /// The map of a layer, if it is here.
    pub fn of(&self, layer: MapLayer) -> Option<&LayerMap> {
        let place = self.layers.iter().position(|known| *known == layer)?;
        self.maps.get(place)
    }

    fn bytes(&self) -> usize {
        self.maps.iter().map(|map| size_of_val(map.values.as_slice())).sum()
    }
}

impl LayerMap {
    /// The mean over a rectangle of an image of `size` (height, width), each place weighted by how much of it is within.
    pub fn mean_over(&self, crop: CropBox, (height, width): (u32, u32), out: &mut [f32]) {
        let down = shares(crop.y, crop.height, height, self.rows);
        let across = shares(crop.x, crop.width, width, self.cols);
        for &(row, of_row) in &down {
            for &(col, of_col) in &across {
                let at = (row * self.cols + col) * self.channels;
                let share = of_row * of_col;
                out.iter_mut()
                    .zip(&self.values[at..at + self.channels])
                    .for_each(|(sum, value)| *sum += share * value);
            }
        }
    }
}

/// Which of `cells` equal cells along a side of `side` pixels lie within `length` pixels from `start` on, each with its
/// share of them; the shares sum to 1.
fn shares(start: u32, length: u32, side: u32, cells: usize) -> Vec<(usize, f32)> {
    let cell = f64::from(side) / cells as f64;
    let (start, end) = (f64::from(start), f64::from(start) + f64::from(length));
    let first = ((start / cell) as usize).min(cells - 1);
    let last = ((end / cell).ceil() as usize).clamp(first + 1, cells);
    let within = |index: usize| {
        let (from, to) = (index as f64 * cell, (index + 1) as f64 * cell);
        (to.min(end) - from.max(start)).max(0.0) / f64::from(length)
    };
    let shares = (first..last).map(|index| (index, within(index) as f32));
    shares.filter(|(_, share)| *share > 0.0).collect()
}

impl KeptMaps {
    /// The maps of an image, if all `layers` of it are kept.
    pub fn find(&self, image: &Arc<Image>, layers: &[MapLayer]) -> Option<Arc<MapsOfImage>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_all = |maps: &MapsOfImage| layers.iter().all(|layer| maps.layers.contains(layer));
        kept.iter().rev().find(|maps| Arc::ptr_eq(&maps.image, image) && has_all(maps)).cloned()
    }

    /// Keeps them in place of others of the same image; the oldest go.
    pub fn keep(&self, maps: Arc<MapsOfImage>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|other| !Arc::ptr_eq(&other.image, &maps.image));
        kept.push_back(maps);
        while kept.len() > 1 && kept.iter().map(|maps| maps.bytes()).sum::<usize>() > MOST_KEPT {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_by_area_and_sum_to_one() {
        // Four cells of 8 pixels.
        assert_eq!(shares(8, 8, 32, 4), [(1, 1.0)]);
        assert_eq!(shares(0, 32, 32, 4), [(0, 0.25), (1, 0.25), (2, 0.25), (3, 0.25)]);
        assert_eq!(shares(6, 4, 32, 4), [(0, 0.5), (1, 0.5)]);
        assert_eq!(shares(3, 2, 32, 4), [(0, 1.0)]);
        // Cells of 100 / 3 pixels.
        for (start, length) in [(0, 100), (33, 1), (99, 1), (10, 57)] {
            let sum: f32 = shares(start, length, 100, 3).iter().map(|(_, share)| share).sum();
            assert!((sum - 1.0).abs() < 1e-6, "{start} {length}: {sum}");
        }
    }

    #[test]
    fn the_mean_over_a_place_is_that_of_its_cells() {
        let values = (0..2 * 3 * 2).map(|value| value as f32).collect();
        let map = LayerMap { rows: 2, cols: 3, channels: 2, values };
        let mean = |y, x, height, width| {
            let mut out = vec![0.0; 2];
            map.mean_over(CropBox { y, x, height, width }, (20, 30), &mut out);
            out
        };
        let places = [
            (mean(10, 20, 10, 10), [10.0, 11.0]),
            (mean(0, 0, 20, 30), [5.0, 6.0]),
            (mean(5, 5, 10, 10), [4.0, 5.0]),
        ];
        // But for the rounding of the shares.
        for (found, expected) in places {
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-6 * b),
                "{found:?} {expected:?}"
            );
        }
    }
}
