//! The vectors of patches, of rectangles and of whole images: what is cut out, and how it becomes an input.

use std::borrow::Borrow;
use std::sync::Arc;

use rayon::prelude::*;

use super::{CropSource, Embedder, Maps, PIXELS_SIDE, PatchSource, pixels_width};
use crate::augment::{CropBox, ResizePlan, central_tensor_values, image_tensor_values, patch_tensor_values};
use crate::image::Image;
use crate::model::{MapLayer, Space};

impl Embedder {
    /// Vectors of square patches of `size` pixels, all within their images.
    ///
    /// # Shapes
    /// - output i: `[patches.len() * width of spaces[i]]`, row-major, un-normalised
    ///
    /// # Errors
    /// The network gives a value that is not finite, or vectors too long for float32: which layer.
    pub fn patches(
        &self,
        patches: &[PatchSource],
        size: u32,
        spaces: &[Space],
    ) -> anyhow::Result<Vec<Vec<f32>>> {
        let plan = ResizePlan::new(self.info.resize, size, self.info.input);
        let norm = self.info.normalization;
        let of_crops = |spaces: &[Space]| {
            self.embed_with(patches.len(), spaces, |index, out| {
                let patch = &patches[index];
                patch_tensor_values(&patch.image, patch.y, patch.x, size, &plan, &norm, out);
            })
        };
        let place = |PatchSource { image, y, x }: &PatchSource| {
            let crop = CropBox { y: *y, x: *x, height: size, width: size };
            CropSource { image: image.clone(), crop }
        };
        let of_places =
            |layers: &[MapLayer]| self.places(&patches.iter().map(place).collect::<Vec<_>>(), layers);
        both_ways(spaces, of_crops, of_places)
    }

    /// The normalised values of the patches' own pixels, a baseline that knows no network. Patches of
    /// more than 32 pixels are resized to 32 as they would be for the network.
    ///
    /// # Shapes
    /// - output: `[patches.len() * pixels_width(size)]`, row-major
    ///
    /// # Errors
    /// The normalization makes values of them that are not finite.
    pub fn pixels(&self, patches: &[PatchSource], size: u32) -> anyhow::Result<Vec<f32>> {
        let plan = ResizePlan::new(self.info.resize, size, size.min(PIXELS_SIDE));
        let width = pixels_width(size);
        let mut values = vec![0.0; patches.len() * width];
        values.par_chunks_exact_mut(width).zip(patches).for_each(|(out, patch)| {
            patch_tensor_values(&patch.image, patch.y, patch.x, size, &plan, &self.info.normalization, out);
        });
        self.checked_pixels(values, width)
    }

    /// Vectors of rectangles within their images, each resized to the network's square input.
    ///
    /// # Shapes
    /// - as [`Embedder::patches`]
    ///
    /// # Errors
    /// As [`Embedder::patches`].
    pub fn crops(&self, crops: &[CropSource], spaces: &[Space]) -> anyhow::Result<Vec<Vec<f32>>> {
        let fill = |index: usize, out: &mut [f32]| self.fill_crop(&crops[index], self.info.input, out);
        let of_crops = |spaces: &[Space]| self.embed_with(crops.len(), spaces, fill);
        both_ways(spaces, of_crops, |layers| self.places(crops, layers))
    }

    /// The normalised values of the pixels of rectangles, resized so that they can be compared with those of
    /// patches of `size` pixels.
    ///
    /// # Shapes
    /// - output: `[crops.len() * pixels_width(size)]`, row-major
    ///
    /// # Errors
    /// As [`Embedder::pixels`].
    pub fn crop_pixels(&self, crops: &[CropSource], size: u32) -> anyhow::Result<Vec<f32>> {
        let (side, width) = (size.min(PIXELS_SIDE), pixels_width(size));
        let mut values = vec![0.0; crops.len() * width];
        values.par_chunks_exact_mut(width).zip(crops).for_each(|(out, crop)| self.fill_crop(crop, side, out));
        self.checked_pixels(values, width)
    }

    /// The pixels of a rectangle, resized to `side` x `side`.
    fn fill_crop(&self, CropSource { image, crop }: &CropSource, side: u32, out: &mut [f32]) {
        let plan = ResizePlan::rect(self.info.resize, (crop.height, crop.width), (side, side));
        plan.resize(image, crop.y, crop.x, out);
        self.info.normalization.apply(out);
    }

    /// Vectors of whole images ("central"): resized for a CIFAR-size network, otherwise the short
    /// side to input x 256/224 and the centre. In spaces of places the mean over the map in which their patches have theirs.
    ///
    /// # Errors
    /// As [`Embedder::patches`].
    pub fn centrals(&self, images: &[Arc<Image>], spaces: &[Space]) -> anyhow::Result<Vec<Vec<f32>>> {
        let fill = |index: usize, out: &mut [f32]| self.fill_central(&images[index], out);
        let of_crops = |spaces: &[Space]| self.embed_with(images.len(), spaces, fill);
        let whole = |image: &Arc<Image>| {
            let crop = CropBox { y: 0, x: 0, height: image.height(), width: image.width() };
            CropSource { image: image.clone(), crop }
        };
        let of_places =
            |layers: &[MapLayer]| self.places(&images.iter().map(whole).collect::<Vec<_>>(), layers);
        both_ways(spaces, of_crops, of_places)
    }

    /// The backbone's last feature maps of whole images, taken as [`Embedder::centrals`] takes them.
    ///
    /// # Errors
    /// As [`Embedder::patches`].
    pub fn central_maps<I: Borrow<Image> + Sync>(&self, images: &[I]) -> anyhow::Result<Maps> {
        let mut maps = Maps { values: vec![], channels: 0, rows: 0, cols: 0 };
        let fill = |index: usize, out: &mut [f32]| self.fill_central(images[index].borrow(), out);
        self.in_batches(images.len(), fill, |images| {
            let map = self.encoder.maps(images.clone(), &[MapLayer::Last]).remove(0);
            [_, maps.channels, maps.rows, maps.cols] = map.dims();
            maps.values.extend(self.checked(map, &images)?);
            Ok(())
        })?;
        Ok(maps)
    }

    fn fill_central(&self, image: &Image, out: &mut [f32]) {
        let (input, resize, norm) = (self.info.input, self.info.resize, &self.info.normalization);
        if input >= 64 {
            central_tensor_values(image, input, resize, norm, out);
        } else {
            image_tensor_values(image, input, resize, norm, out);
        }
    }
}

/// The vectors of spaces of crops and of places, in the order of `spaces`.
fn both_ways(
    spaces: &[Space],
    of_crops: impl FnOnce(&[Space]) -> anyhow::Result<Vec<Vec<f32>>>,
    of_places: impl FnOnce(&[MapLayer]) -> anyhow::Result<Vec<Vec<f32>>>,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let layer = |space: &Space| match space {
        Space::Token(layer) => Some(*layer),
        _ => None,
    };
    let layers: Vec<MapLayer> = spaces.iter().filter_map(layer).collect();
    let crops: Vec<Space> = spaces.iter().copied().filter(|space| layer(space).is_none()).collect();
    let mut crops = of_crops(&crops)?.into_iter();
    let mut places = if layers.is_empty() { vec![] } else { of_places(&layers)? }.into_iter();
    let mut next = |space: &Space| if layer(space).is_some() { places.next() } else { crops.next() };
    Ok(spaces.iter().map(|space| next(space).unwrap_or_default()).collect())
}
