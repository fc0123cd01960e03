//! Vectors of places in the feature maps of whole images: the image goes through the network once, in its own aspect,
//! and a place has the mean of the map over it, by area.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::kept_maps::{LayerMap, MapsOfImage};
use super::{CropSource, Embedder, LEAST_RESOLUTION, MOST_RESOLUTION, TURN};
use crate::augment::{Crop, ResizePlan};
use crate::image::Image;
use crate::kernel;
use crate::memory;
use crate::model::footprint::Footprint;
use crate::model::{MapLayer, ModelInfo};
use crate::progress::check_left;
use crate::words::thousands;

/// Whole images that go through the network at once, where there is memory for so many: more of them gain nothing.
pub(super) const WHOLE: usize = 8;

impl Embedder {
    /// Vectors of rectangles within their images in the feature maps of `layers`, `[places, channels]` each.
    ///
    /// # Errors
    /// As [`Embedder::patches`]; no memory for a whole image at this resolution.
    pub(super) fn places(&self, places: &[CropSource], layers: &[MapLayer]) -> anyhow::Result<Vec<Vec<f32>>> {
        let mut of_layers = vec![vec![]; layers.len()];
        let together: Vec<&[CropSource]> = places.chunk_by(|a, b| Arc::ptr_eq(&a.image, &b.image)).collect();
        let mut left = &together[..];
        while !left.is_empty() {
            let images: Vec<&Arc<Image>> = left.iter().map(|places| &places[0].image).collect();
            let found = self.maps_of_first(&images, layers)?;
            for (found, places) in found.iter().zip(left) {
                let size = (found.image.height(), found.image.width());
                for (all, map) in of_layers.iter_mut().zip(layers.iter().filter_map(|layer| found.of(*layer)))
                {
                    let from = all.len();
                    all.resize(from + places.len() * map.channels, 0.0);
                    let rows = all[from..].par_chunks_exact_mut(map.channels).zip(*places);
                    rows.for_each(|(out, place)| map.mean_over(place.crop, size, out));
                }
            }
            left = &left[found.len()..];
        }
        Ok(of_layers)
    }

    /// The maps of the first of some images, or of the first few: one whose maps are kept, or all those that go through
    /// the network at once.
    fn maps_of_first(
        &self,
        images: &[&Arc<Image>],
        layers: &[MapLayer],
    ) -> anyhow::Result<Vec<Arc<MapsOfImage>>> {
        if let Some(kept) = images.first().and_then(|image| self.kept.find(image, layers)) {
            return Ok(vec![kept]);
        }
        let Some(first) = images.first() else { return Ok(vec![]) };
        let (height, width) = self.whole_input(first);
        if let Some(choice) = self.cut(height, width) {
            return Ok(vec![self.tiled_maps(first, choice.tiles, layers)?]);
        }
        let inputs = images.iter().enumerate().take_while(|(index, image)| {
            let is_new = !images[..*index].iter().any(|other| Arc::ptr_eq(other, image));
            let is_alike = self.whole_input(image) == (height, width);
            is_alike && is_new && self.kept.find(image, layers).is_none()
        });
        let alike = inputs.count();
        let most = self.fits_at_once(height, width)?.min(self.whole_turn(height, width));
        self.new_maps(&images[..alike.min(most)], layers)
    }

    /// Height and width with which an image goes through the network whole.
    pub(super) fn whole_input(&self, image: &Image) -> (u32, u32) {
        self.whole_input_of(image.height(), image.width())
    }

    /// The same of an image of that size.
    pub(super) fn whole_input_of(&self, height: u32, width: u32) -> (u32, u32) {
        map_input(&self.info, self.short_side(height.min(width)), height, width)
    }

    /// The pixels of an image as they go through the network whole: `[3, height, width]`, normalised.
    pub(super) fn fill_whole(&self, image: &Image, (height, width): (u32, u32), values: &mut [f32]) {
        let plan = ResizePlan::rect(self.info.resize, (image.height(), image.width()), (height, width));
        plan.resize(image, 0, 0, values);
        self.info.normalization.apply(values);
    }

    /// The maps of images of one input, which go through the network at once; they are kept.
    fn new_maps(&self, images: &[&Arc<Image>], layers: &[MapLayer]) -> anyhow::Result<Vec<Arc<MapsOfImage>>> {
        let Some(first) = images.first() else { return Ok(vec![]) };
        let (height, width) = self.whole_input(first);
        let one = 3 * height as usize * width as usize;
        let mut values = vec![0.0; images.len() * one];
        let inputs = values.par_chunks_exact_mut(one).zip(images);
        let fill =
            |(values, image): (&mut [f32], &&Arc<Image>)| self.fill_whole(image, (height, width), values);
        self.times.cutting.of(|| inputs.for_each(fill));
        let maps = self.maps_of_inputs(values, (height, width), layers)?;
        let found = images.iter().zip(maps).map(|(image, maps)| {
            let found = Arc::new(MapsOfImage { image: (*image).clone(), layers: layers.to_vec(), maps });
            self.kept.keep(found.clone());
            found
        });
        Ok(found.collect())
    }

    /// The maps of `layers` of each of some inputs of one size, `[inputs, 3, height, width]`, which go through the network at
    /// once.
    pub(super) fn maps_of_inputs(
        &self,
        values: Vec<f32>,
        (height, width): (u32, u32),
        layers: &[MapLayer],
    ) -> anyhow::Result<Vec<Vec<LayerMap>>> {
        check_left()?;
        let clock = Instant::now();
        let count = values.len() / (3 * height as usize * width as usize);
        let shape = [count, 3, height as usize, width as usize];
        let mut maps: Vec<Vec<LayerMap>> = (0..count).map(|_| vec![]).collect();
        let through = || -> anyhow::Result<()> {
            let inputs = Tensor::<4>::from_data(TensorData::new(values, shape), &self.device);
            for map in self.encoder.maps(inputs.clone(), layers) {
                let [batch, channels, rows, cols] = map.dims();
                let places = map.permute([0, 2, 3, 1]).reshape([batch * rows * cols, channels]);
                let values = self.checked(places, &inputs)?;
                for (maps, values) in maps.iter_mut().zip(values.chunks_exact(rows * cols * channels)) {
                    maps.push(LayerMap { rows, cols, channels, values: values.to_vec() });
                }
            }
            Ok(())
        };
        self.times.network.of(through)?;
        check_left()?;
        self.note_whole(count, (height, width), clock.elapsed());
        Ok(maps)
    }

    /// Keeps how long whole images took.
    fn note_whole(&self, count: usize, (height, width): (u32, u32), took: Duration) {
        let pixels = count as u128 * u128::from(height) * u128::from(width);
        let nanos = took.as_nanos() * 1000 / pixels.max(1);
        self.per_thousand.store(nanos.clamp(1, u32::MAX.into()) as u32, Ordering::Relaxed);
    }

    /// How many whole images to put through the network at once, where somebody may wait for the next turn: as many as are
    /// soon done, by what the last ones took; a single one before the first.
    fn whole_turn(&self, height: u32, width: u32) -> usize {
        let nanos = match self.per_thousand.load(Ordering::Relaxed) {
            0 => return 1,
            nanos => u64::from(nanos) * u64::from(height) * u64::from(width) / 1000,
        };
        ((u64::from(TURN) * 1000 / nanos.max(1)) as usize).clamp(1, WHOLE)
    }

    /// How many of these images' places to take in one turn: see [`Embedder::turn`].
    pub(super) fn whole_images(&self, image: &Image) -> usize {
        let (height, width) = self.whole_input(image);
        self.whole_turn(height, width)
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

    /// How many whole inputs of that size there is memory for.
    ///
    /// # Errors
    /// For none.
    pub(super) fn fits_at_once(&self, height: u32, width: u32) -> anyhow::Result<usize> {
        if !kernel::runs_on(&self.device) {
            return Ok(1);
        }
        let (budget, footprint) = (memory::budget(), Footprint::of(&self.info));
        let input = u64::from(self.info.input).pow(2);
        let each = footprint.embedding.saturating_mul(u64::from(height) * u64::from(width)).div_ceil(input);
        let one = budget.with_weights(each, footprint.weights);
        let name = &self.name;
        let what = || {
            format!(
                "the feature maps of one image of {} x {} pixels with {name}",
                thousands(width),
                thousands(height)
            )
        };
        budget.ensure(budget.network(), one, what, "smaller --tiles")?;
        let room = budget.network().saturating_sub(budget.with_weights(0, footprint.weights));
        Ok((room / each.max(1)).clamp(1, WHOLE as u64) as usize)
    }
}

/// Height and width to which an image goes through the network whole: its short side becomes `resolution` pixels, both
/// sides are rounded so that every layer's places cover it.
pub(super) fn map_input(info: &ModelInfo, resolution: u32, height: u32, width: u32) -> (u32, u32) {
    let step = info.map_step();
    let factor = f64::from(resolution) / f64::from(height.min(width).max(1));
    let side = |side: u32| (f64::from(side) * factor / f64::from(step)).round().max(1.0) as u32 * step;
    (side(height), side(width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Space, store};

    fn embedder() -> Embedder {
        let device = burn::tensor::Device::flex();
        Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device)
    }

    fn places() -> Vec<CropSource> {
        let image = |index: u32| {
            // The fifth is of another size.
            let width = if index == 4 { 48 } else { 32 };
            let value = |at: u32| ((at + 7 * index).wrapping_mul(2_654_435_761) >> 24) as u8;
            Arc::new(Image::new(width, 32, (0..3 * 32 * width).map(value).collect()))
        };
        let images: Vec<Arc<Image>> = (0..7).map(image).collect();
        // The first comes again at the end.
        let order = [0, 1, 2, 3, 4, 5, 6, 0];
        let of = |index: &usize| {
            let crop = |x| CropSource {
                image: images[*index].clone(),
                crop: crate::augment::CropBox { y: 3, x, height: 16, width: 16 },
            };
            [0, 5, 16].map(crop)
        };
        order.iter().flat_map(of).collect()
    }

    #[test]
    fn images_that_go_through_together_have_the_vectors_of_each_alone() {
        let (places, layers) = (places(), [MapLayer::Last, MapLayer::Stage(2)]);
        let alone: Vec<Vec<Vec<f32>>> =
            places.chunks(3).map(|one| embedder().places(one, &layers).unwrap()).collect();
        let together = embedder();
        // A fast network: all that are alike go at once.
        together.per_thousand.store(1, Ordering::Relaxed);
        let images: Vec<&Arc<Image>> = places.chunks(3).map(|some| &some[0].image).collect();
        assert_eq!(
            together.maps_of_first(&images, &layers).unwrap().len(),
            4,
            "up to the one of another size"
        );
        assert_eq!(together.maps_of_first(&images, &layers).unwrap().len(), 1, "the first is kept");
        let found = embedder_of(1).places(&places, &layers).unwrap();
        for (layer, found) in found.iter().enumerate() {
            let width = together.info.width(Space::Token(layers[layer])).unwrap();
            for (place, (found, right)) in
                found.chunks(3 * width).zip(alone.iter().map(|one| &one[layer])).enumerate()
            {
                let length = right.iter().map(|value| value * value).sum::<f32>().sqrt();
                let off = found.iter().zip(right).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
                assert!(found.len() == right.len() && off <= 1e-5 * length, "{place} {layer}: {off:e}");
            }
        }
    }

    fn embedder_of(nanos: u32) -> Embedder {
        let embedder = embedder();
        embedder.per_thousand.store(nanos, Ordering::Relaxed);
        embedder
    }

    #[test]
    fn a_slow_network_takes_one_image_at_a_time() {
        // A second for a thousand pixels, then a microsecond.
        for (nanos, most) in [(0, 1), (1_000_000_000, 1), (100_000_000, 3), (1000, WHOLE)] {
            assert_eq!(embedder_of(nanos).whole_turn(32, 32), most, "{nanos}");
        }
        let embedder = embedder();
        embedder.places(&places()[..3], &[MapLayer::Last]).unwrap();
        assert!(embedder.per_thousand.load(Ordering::Relaxed) > 0, "it was not measured");
    }
}
