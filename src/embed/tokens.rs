//! Vectors of places in the feature maps of whole images: the image goes through the network once, in its own aspect,
//! and a place has the mean of the map over it, by area.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::{CropSource, Embedder, LEAST_RESOLUTION, MOST_RESOLUTION};
use crate::augment::{Crop, CropBox, ResizePlan};
use crate::image::Image;
use crate::kernel;
use crate::memory;
use crate::model::footprint::Footprint;
use crate::model::{MapLayer, ModelInfo};
use crate::words::thousands;

/// What the maps of the images that were asked for last may take, bytes; those of one image may take more.
const MOST_KEPT: usize = 256 << 20;

/// The feature map of a layer for one image.
struct LayerMap {
    rows: usize,
    cols: usize,
    channels: usize,
    /// `[rows, cols, channels]`.
    values: Vec<f32>,
}

/// The maps of one image.
struct MapsOfImage {
    image: Arc<Image>,
    layers: Vec<MapLayer>,
    maps: Vec<LayerMap>,
}

/// The maps of the images that were asked for last, the newest at the end.
#[derive(Default)]
pub(super) struct KeptMaps(Mutex<VecDeque<Arc<MapsOfImage>>>);

impl Embedder {
    /// Vectors of rectangles within their images in the feature maps of `layers`, `[places, channels]` each.
    ///
    /// # Errors
    /// As [`Embedder::patches`]; no memory for a whole image at this resolution.
    pub(super) fn places(&self, places: &[CropSource], layers: &[MapLayer]) -> anyhow::Result<Vec<Vec<f32>>> {
        let mut of_layers = vec![vec![]; layers.len()];
        for together in places.chunk_by(|a, b| Arc::ptr_eq(&a.image, &b.image)) {
            let Some(first) = together.first() else { continue };
            let found = self.maps_of(&first.image, layers)?;
            for (all, layer) in of_layers.iter_mut().zip(layers) {
                let Some(map) = found.of(*layer) else { continue };
                let size = (first.image.height(), first.image.width());
                let from = all.len();
                all.resize(from + together.len() * map.channels, 0.0);
                let rows = all[from..].par_chunks_exact_mut(map.channels).zip(together);
                rows.for_each(|(out, place)| map.mean_over(place.crop, size, out));
            }
        }
        Ok(of_layers)
    }

    /// The maps of one image, those that are kept or new ones.
    fn maps_of(&self, image: &Arc<Image>, layers: &[MapLayer]) -> anyhow::Result<Arc<MapsOfImage>> {
        if let Some(kept) = self.kept.find(image, layers) {
            return Ok(kept);
        }
        let side = self.short_side(image.height().min(image.width()));
        let (height, width) = map_input(&self.info, side, image.height(), image.width());
        self.ensure_fits(height, width)?;
        let mut values = vec![0.0; 3 * height as usize * width as usize];
        let plan = ResizePlan::rect(self.info.resize, (image.height(), image.width()), (height, width));
        plan.resize(image, 0, 0, &mut values);
        self.info.normalization.apply(&mut values);
        let shape = [1, 3, height as usize, width as usize];
        let images = Tensor::<4>::from_data(TensorData::new(values, shape), &self.device);
        let maps = self.encoder.maps(images.clone(), layers).into_iter().map(|map| {
            let [_, channels, rows, cols] = map.dims();
            let values = self.checked(map.permute([0, 2, 3, 1]).reshape([rows * cols, channels]), &images)?;
            Ok(LayerMap { rows, cols, channels, values })
        });
        let maps = maps.collect::<anyhow::Result<_>>()?;
        let found = Arc::new(MapsOfImage { image: image.clone(), layers: layers.to_vec(), maps });
        self.kept.keep(found.clone());
        Ok(found)
    }

    /// What the short side of an image becomes, pixels: as told; else so that its patches come to the network in the size
    /// in which it was trained on them; else the side of the input.
    fn short_side(&self, of_image: u32) -> u32 {
        let usual = || match self.info.trained_crops().as_slice() {
            [Crop::Fixed { size }, rest @ ..]
                if rest.iter().all(|crop| *crop == Crop::Fixed { size: *size }) =>
            {
                u64::from(of_image) * u64::from(self.info.input) / u64::from((*size).max(1))
            }
            _ => u64::from(self.info.input),
        };
        let side = self.resolution.map_or_else(usual, u64::from);
        side.clamp(LEAST_RESOLUTION.into(), MOST_RESOLUTION.into()) as u32
    }

    fn ensure_fits(&self, height: u32, width: u32) -> anyhow::Result<()> {
        if !kernel::runs_on(&self.device) {
            return Ok(());
        }
        let (budget, footprint) = (memory::budget(), Footprint::of(&self.info));
        let input = u64::from(self.info.input).pow(2);
        let one = footprint.embedding.saturating_mul(u64::from(height) * u64::from(width)).div_ceil(input);
        let one = budget.with_weights(one, footprint.weights);
        let name = &self.name;
        let what = || {
            format!(
                "the feature maps of one image of {} x {} pixels with {name}",
                thousands(width),
                thousands(height)
            )
        };
        Ok(budget.ensure(budget.network(), one, what, "a smaller --resolution")?)
    }
}

/// Height and width to which an image goes through the network whole: its short side becomes `resolution` pixels, both
/// sides are rounded so that every layer's places cover it.
pub(super) fn map_input(info: &ModelInfo, resolution: u32, height: u32, width: u32) -> (u32, u32) {
    let cells = info.map_layers().into_iter().map(|layer| info.cell(layer));
    let step = cells.max().unwrap_or(1).max(info.input_step());
    let factor = f64::from(resolution) / f64::from(height.min(width).max(1));
    let side = |side: u32| (f64::from(side) * factor / f64::from(step)).round().max(1.0) as u32 * step;
    (side(height), side(width))
}

impl MapsOfImage {
    fn of(&self, layer: MapLayer) -> Option<&LayerMap> {
        let place = self.layers.iter().position(|known| *known == layer)?;
        self.maps.get(place)
    }

    fn bytes(&self) -> usize {
        self.maps.iter().map(|map| size_of_val(map.values.as_slice())).sum()
    }
}

impl LayerMap {
    /// The mean over a rectangle of an image of `size` (height, width), each place weighted by how much of it is within.
    fn mean_over(&self, crop: CropBox, (height, width): (u32, u32), out: &mut [f32]) {
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
    fn find(&self, image: &Arc<Image>, layers: &[MapLayer]) -> Option<Arc<MapsOfImage>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let has_all = |maps: &MapsOfImage| layers.iter().all(|layer| maps.layers.contains(layer));
        kept.iter().rev().find(|maps| Arc::ptr_eq(&maps.image, image) && has_all(maps)).cloned()
    }

    fn keep(&self, maps: Arc<MapsOfImage>) {
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
        assert_eq!(mean(10, 20, 10, 10), [10.0, 11.0]);
        assert_eq!(mean(0, 0, 20, 30), [5.0, 6.0]);
        assert_eq!(mean(5, 5, 10, 10), [4.0, 5.0]);
    }
}
