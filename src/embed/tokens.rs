//! Vectors of places in the feature maps of whole images: the image goes through the network once, in its own aspect,
//! and a place has the mean of the map over it, by area.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::kept_maps::{LayerMap, MapsOfImage};
use super::{CropSource, Embedder, LEAST_RESOLUTION, MOST_RESOLUTION};
use crate::augment::{Crop, ResizePlan};
use crate::image::Image;
use crate::kernel;
use crate::memory;
use crate::model::footprint::Footprint;
use crate::model::{MapLayer, ModelInfo};
use crate::words::thousands;

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
