//! From images to vectors: single patches for a query, whole data sets into a bank.

mod extract;
mod read_ahead;

use std::borrow::Borrow;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::augment::{CropBox, ResizePlan, central_tensor_values, image_tensor_values, patch_tensor_values};
use crate::bank::ModelFacts;
use crate::image::Image;
use crate::kernel;
use crate::memory;
use crate::model::footprint::Footprint;
use crate::model::store::{self, Model};
use crate::model::{Encoder, Mode, ModelInfo, ModelSpec, Space};

pub use extract::{ExtractPlan, Extraction};

/// Patches that go through the network at once, where there is memory for so many.
pub const BATCH: usize = 128;

/// What a batch may take of a GPU's own memory, bytes.
const GPU_BATCH: u64 = 4 << 30;

/// Name of the baseline that compares the values of a patch's own pixels.
pub const PIXELS: &str = "pixels";

/// Largest side of the pixels that are compared; larger patches are made smaller first.
const PIXELS_SIDE: u32 = 32;

/// Values that describe a patch of `size` pixels in the baseline of its own pixels.
pub fn pixels_width(size: u32) -> usize {
    3 * size.min(PIXELS_SIDE).pow(2) as usize
}

/// A model that is ready to embed: its running statistics, no gradients.
pub struct Embedder {
    /// What people call the model.
    pub name: String,
    /// Hex SHA-256 of the model file.
    pub hash: String,
    /// What its file says of it.
    pub info: ModelInfo,
    encoder: Encoder,
    device: Device,
    /// Inputs that go through the network at once.
    batch: usize,
}

/// One patch to embed.
#[derive(Clone)]
pub struct PatchSource {
    /// The image that it is cut from.
    pub image: Arc<Image>,
    /// Row of its upper left corner, pixels.
    pub y: u32,
    /// Column of its upper left corner, pixels.
    pub x: u32,
}

/// One rectangle to embed, whatever its aspect: as training's random crops are.
#[derive(Clone)]
pub struct CropSource {
    /// The image that it is cut from.
    pub image: Arc<Image>,
    /// Where it lies in the image, pixels.
    pub crop: CropBox,
}

/// The last feature maps of some images.
pub struct Maps {
    /// `[images, channels, rows, cols]`.
    pub values: Vec<f32>,
    /// Channels of the backbone's last stage.
    pub channels: usize,
    /// Height of a map.
    pub rows: usize,
    /// Width of a map.
    pub cols: usize,
}

impl Embedder {
    /// Opens a model on `device` (one without gradients).
    ///
    /// # Errors
    /// Those of the model; no memory for a single input.
    pub fn open(spec: &ModelSpec, device: &Device) -> anyhow::Result<Self> {
        let model = store::open(spec, device)?;
        let (budget, footprint) = (memory::budget(), Footprint::of(&model.info));
        let one = budget.with_weights(footprint.embedding, footprint.weights);
        let side = model.info.input;
        let what = || format!("embedding one {side} x {side} patch with {}", model.name);
        if !kernel::runs_on(device) {
            return Ok(Self::new(model, device));
        }
        budget.ensure(budget.network(), one, what, "a smaller --input")?;
        Ok(Self::new(model, device))
    }

    /// Takes a model that was opened on `device` (one without gradients).
    pub fn new(model: Model, device: &Device) -> Self {
        let Model { name, hash, info, encoder, .. } = model;
        let footprint = Footprint::of(&info);
        let budget = memory::budget();
        let room = match kernel::runs_on(device) {
            true => budget.network().saturating_sub(budget.with_weights(0, footprint.weights)),
            false => GPU_BATCH,
        };
        let batch = (room / footprint.embedding).clamp(1, BATCH as u64) as usize;
        Self { name, hash, info, encoder: encoder.valid(), device: device.clone(), batch }
    }

    /// What a bank or a figure keeps of the model.
    pub fn facts(&self) -> ModelFacts {
        let Self { name, hash, info, .. } = self;
        ModelFacts { name: name.clone(), hash: hash.clone(), arch: info.backbone.title() }
    }

    /// Memory of the weights.
    pub fn weight_bytes(&self) -> u64 {
        (self.encoder.num_params() * size_of::<f32>()) as u64
    }

    /// Vectors of square patches of `size` pixels, all within their images.
    ///
    /// # Shapes
    /// - output i: `[patches.len() * width of spaces[i]]`, row-major, un-normalised
    pub fn patches(&self, patches: &[PatchSource], size: u32, spaces: &[Space]) -> Vec<Vec<f32>> {
        let plan = ResizePlan::new(self.info.resize, size, self.info.input);
        let norm = self.info.normalization;
        self.embed_with(patches.len(), spaces, |index, out| {
            let patch = &patches[index];
            patch_tensor_values(&patch.image, patch.y, patch.x, size, &plan, &norm, out);
        })
    }

    /// The normalised values of the patches' own pixels, a baseline that knows no network. Patches of
    /// more than 32 pixels are resized to 32 as they would be for the network.
    ///
    /// # Shapes
    /// - output: `[patches.len() * pixels_width(size)]`, row-major
    pub fn pixels(&self, patches: &[PatchSource], size: u32) -> Vec<f32> {
        let plan = ResizePlan::new(self.info.resize, size, size.min(PIXELS_SIDE));
        let width = pixels_width(size);
        let mut values = vec![0.0; patches.len() * width];
        values.par_chunks_exact_mut(width).zip(patches).for_each(|(out, patch)| {
            patch_tensor_values(&patch.image, patch.y, patch.x, size, &plan, &self.info.normalization, out);
        });
        values
    }

    /// Vectors of rectangles within their images, each resized to the network's square input.
    ///
    /// # Shapes
    /// - as [`Embedder::patches`]
    pub fn crops(&self, crops: &[CropSource], spaces: &[Space]) -> Vec<Vec<f32>> {
        self.embed_with(crops.len(), spaces, |index, out| self.fill_crop(&crops[index], self.info.input, out))
    }

    /// The normalised values of the pixels of rectangles, resized so that they can be compared with those of
    /// patches of `size` pixels.
    ///
    /// # Shapes
    /// - output: `[crops.len() * pixels_width(size)]`, row-major
    pub fn crop_pixels(&self, crops: &[CropSource], size: u32) -> Vec<f32> {
        let (side, width) = (size.min(PIXELS_SIDE), pixels_width(size));
        let mut values = vec![0.0; crops.len() * width];
        values.par_chunks_exact_mut(width).zip(crops).for_each(|(out, crop)| self.fill_crop(crop, side, out));
        values
    }

    /// The pixels of a rectangle, resized to `side` x `side`.
    fn fill_crop(&self, CropSource { image, crop }: &CropSource, side: u32, out: &mut [f32]) {
        let plan = ResizePlan::rect(self.info.resize, (crop.height, crop.width), (side, side));
        plan.resize(image, crop.y, crop.x, out);
        self.info.normalization.apply(out);
    }

    /// Vectors of whole images ("central"): resized for a CIFAR-size network, otherwise the short
    /// side to input x 256/224 and the centre.
    pub fn centrals<I: Borrow<Image> + Sync>(&self, images: &[I], spaces: &[Space]) -> Vec<Vec<f32>> {
        self.embed_with(images.len(), spaces, |index, out| self.fill_central(images[index].borrow(), out))
    }

    /// The backbone's last feature maps of whole images, taken as [`Embedder::centrals`] takes them.
    pub fn central_maps<I: Borrow<Image> + Sync>(&self, images: &[I]) -> Maps {
        let mut maps = Maps { values: vec![], channels: 0, rows: 0, cols: 0 };
        let fill = |index: usize, out: &mut [f32]| self.fill_central(images[index].borrow(), out);
        self.in_batches(images.len(), fill, |images| {
            let map = self.encoder.last_map(images);
            [_, maps.channels, maps.rows, maps.cols] = map.dims();
            maps.values.extend(values_of(map));
        });
        maps
    }

    fn fill_central(&self, image: &Image, out: &mut [f32]) {
        let (input, resize, norm) = (self.info.input, self.info.resize, &self.info.normalization);
        if input >= 64 {
            central_tensor_values(image, input, resize, norm, out);
        } else {
            image_tensor_values(image, input, resize, norm, out);
        }
    }

    /// Vectors of `count` inputs, for each space.
    fn embed_with(
        &self,
        count: usize,
        spaces: &[Space],
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Vec<Vec<f32>> {
        let mut vectors = vec![vec![]; spaces.len()];
        if spaces.is_empty() {
            return vectors;
        }
        self.in_batches(count, fill, |images| {
            let embedded = self.encoder.embed(images, spaces, Mode::Eval);
            for (all, tensor) in vectors.iter_mut().zip(embedded) {
                all.extend(values_of(tensor));
            }
        });
        vectors
    }

    /// Fills inputs in parallel and hands them over in batches of `[at most batch, 3, side, side]`.
    fn in_batches(
        &self,
        count: usize,
        fill: impl Fn(usize, &mut [f32]) + Sync,
        mut run: impl FnMut(Tensor<4>),
    ) {
        let side = self.info.input as usize;
        for start in (0..count).step_by(self.batch) {
            let batch = self.batch.min(count - start);
            let mut values = vec![0.0; batch * 3 * side * side];
            let inputs = values.par_chunks_exact_mut(3 * side * side).enumerate();
            inputs.for_each(|(index, out)| fill(start + index, out));
            run(Tensor::from_data(TensorData::new(values, [batch, 3, side, side]), &self.device));
        }
    }
}

fn values_of<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("converted to f32")
}
