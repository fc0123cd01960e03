//! From images to vectors: single patches for a query, whole data sets into a bank.

mod extract;

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::augment::{ResizePlan, central_tensor_values, patch_tensor_values};
use crate::image::Image;
use crate::model::store::Model;
use crate::model::{Encoder, Mode, ModelInfo, Space};

pub use extract::{ExtractPlan, Extraction};

/// Patches that go through the network at once.
pub const BATCH: usize = 128;

/// A model that is ready to embed: its running statistics, no gradients.
pub struct Embedder {
    pub name: String,
    /// Hex SHA-256 of the model file.
    pub hash: String,
    pub info: ModelInfo,
    encoder: Encoder,
    device: Device,
}

/// One patch to embed.
#[derive(Clone)]
pub struct PatchSource {
    pub image: Arc<Image>,
    pub y: u32,
    pub x: u32,
}

impl Embedder {
    /// Takes a model that was opened on `device` (one without gradients).
    pub fn new(model: Model, device: &Device) -> Self {
        let Model { name, hash, info, encoder } = model;
        Self { name, hash, info, encoder: encoder.valid(), device: device.clone() }
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

    /// Vectors of whole images ("central"): resized for a CIFAR-size network, otherwise the short
    /// side to input x 256/224 and the centre.
    pub fn centrals(&self, images: &[Image], spaces: &[Space]) -> Vec<Vec<f32>> {
        let (input, resize, norm) = (self.info.input, self.info.resize, self.info.normalization);
        self.embed_with(images.len(), spaces, |index, out| {
            let image = &images[index];
            if input >= 64 {
                central_tensor_values(image, input, resize, &norm, out);
            } else {
                crate::augment::image_tensor_values(image, input, resize, &norm, out);
            }
        })
    }

    /// Fills inputs in parallel and runs them through the network in batches.
    fn embed_with(
        &self,
        count: usize,
        spaces: &[Space],
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Vec<Vec<f32>> {
        let side = self.info.input as usize;
        let mut vectors = vec![vec![]; spaces.len()];
        for start in (0..count).step_by(BATCH) {
            let batch = BATCH.min(count - start);
            let mut values = vec![0.0; batch * 3 * side * side];
            let inputs = values.par_chunks_exact_mut(3 * side * side).enumerate();
            inputs.for_each(|(index, out)| fill(start + index, out));
            let images =
                Tensor::<4>::from_data(TensorData::new(values, [batch, 3, side, side]), &self.device);
            let embedded = self.encoder.embed(images, spaces, Mode::Eval);
            for (all, tensor) in vectors.iter_mut().zip(embedded) {
                all.extend(
                    tensor.into_data().convert::<f32>().try_to_vec::<f32>().expect("converted to f32"),
                );
            }
        }
        vectors
    }
}
