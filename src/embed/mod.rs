//! From images to vectors: single patches for a query, whole data sets into a bank.

mod extract;
mod keeper;
mod kept_image;
mod kept_maps;
mod known;
mod pending;
mod plan;
mod read_ahead;
mod tiled;
mod times;
mod tokens;
mod vectors;
mod views;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::{bail, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::augment::{CropBox, Normalization};
use crate::bank::ModelFacts;
use crate::image::Image;
use crate::kernel;
use crate::memory;
use crate::model::footprint::Footprint;
use crate::model::store::{self, Model};
use crate::model::weights::count_parameters;
use crate::model::{EmbedPrecision, Encoder, Mode, ModelInfo, ModelSpec, Overrides, Space};
use crate::progress::check_left;
use crate::tiles::ImageTiles;

pub use extract::Extraction;
pub use keeper::{KeepBoth, Keeper};
pub use kept_image::ImageShelf;
pub use known::{Known, KnownCells};
pub use plan::ExtractPlan;
pub use times::EmbedSeconds;
pub use views::{ChangedView, pixels_side};

use kept_maps::{BegunMaps, KeptMaps};
use times::EmbedderTimes;

/// Patches that go through the network at once, where there is memory for so many.
pub const BATCH: usize = 128;

/// What a person waits for at most between two turns of the network, microseconds: a batch of a large network takes many
/// seconds.
const TURN: u32 = 400_000;

/// What a batch may take of a GPU's own memory, bytes.
const GPU_BATCH: u64 = 4 << 30;

/// Smallest short side of a whole image whose feature maps are taken, pixels.
const LEAST_RESOLUTION: u32 = 8;
/// Largest short side of a whole image whose feature maps are taken, pixels.
const MOST_RESOLUTION: u32 = 4096;

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
    /// What its file is.
    pub format: &'static str,
    /// Whether that file has sums, which were right.
    pub has_sums: bool,
    encoder: Encoder,
    device: Device,
    /// Inputs that go through the network at once.
    batch: usize,
    /// Short side of whole images whose feature maps are taken, pixels, where it was told.
    pub resolution: Option<u32>,
    /// The tiles in which whole images go through that are larger than one, where they were told.
    tiles: Option<ImageTiles>,
    /// In what numbers the network computes.
    pub precision: EmbedPrecision,
    kept: KeptMaps,
    /// What there is of an image whose tiles were left in their midst.
    begun: Mutex<Option<BegunMaps>>,
    /// What an input of the last batch took, microseconds; 0 before the first.
    per_input: AtomicU32,
    /// What a thousand pixels of the last whole images took, nanoseconds; 0 before the first.
    per_thousand: AtomicU32,
    times: EmbedderTimes,
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
    /// Those of the model; no memory for a single input; a precision that the device does not have.
    pub fn open(spec: &ModelSpec, device: &Device) -> anyhow::Result<Self> {
        let precision = spec.overrides.precision();
        precision.ensure_on(device)?;
        let model = store::open(spec, device)?;
        let (budget, footprint) = (memory::budget(), Footprint::of(&model.info));
        let one = budget.with_weights(footprint.embedding, precision.with_laid_out(footprint.weights));
        let side = model.info.input;
        let what = || format!("embedding one {side} x {side} patch with {}", model.name);
        if kernel::runs_on(device) {
            budget.ensure(budget.network(), one, what, "a smaller --input")?;
        }
        Self::with(model, device, precision).told(&spec.overrides)
    }

    /// Takes whole images as it is said.
    ///
    /// # Errors
    /// A resolution or tiles out of their range.
    pub fn told(self, said: &Overrides) -> anyhow::Result<Self> {
        let resolution = said.resolution;
        if let Some(told) = resolution {
            ensure!(
                (LEAST_RESOLUTION..=MOST_RESOLUTION).contains(&told),
                "resolution is {told}; expected {LEAST_RESOLUTION} to {MOST_RESOLUTION} pixels"
            );
        }
        said.tiles.map_or(Ok(()), ImageTiles::validate)?;
        let tiles = said.tiles.map(|tiles| tiles.on_steps(self.info.map_step()));
        Ok(Self { resolution, tiles, ..self })
    }

    /// Takes a model that was opened on `device` (one without gradients).
    pub fn new(model: Model, device: &Device) -> Self {
        Self::with(model, device, EmbedPrecision::F32)
    }

    fn with(model: Model, device: &Device, precision: EmbedPrecision) -> Self {
        let Model { name, hash, format, info, encoder, has_sums } = model;
        let footprint = Footprint::of(&info);
        let budget = memory::budget();
        let room = match kernel::runs_on(device) {
            true => {
                let weights = precision.with_laid_out(footprint.weights);
                budget.network().saturating_sub(budget.with_weights(0, weights))
            }
            false => GPU_BATCH,
        };
        let batch = (room / footprint.embedding).clamp(1, BATCH as u64) as usize;
        Self {
            name,
            hash,
            info,
            format,
            has_sums,
            encoder: if kernel::runs_on(device) {
                encoder.valid().laid_out(precision)
            } else {
                encoder.valid()
            },
            device: device.clone(),
            batch,
            resolution: None,
            tiles: None,
            precision,
            kept: KeptMaps::default(),
            begun: Mutex::default(),
            per_input: AtomicU32::new(0),
            per_thousand: AtomicU32::new(0),
            times: EmbedderTimes::default(),
        }
    }

    /// What a bank or a figure keeps of the model.
    pub fn facts(&self) -> ModelFacts {
        let Self { name, hash, info, .. } = self;
        let arch = match self.precision {
            EmbedPrecision::F32 => info.backbone.title(),
            EmbedPrecision::Bf16 => format!("{} in bf16", info.backbone.title()),
        };
        ModelFacts { name: name.clone(), hash: hash.clone(), arch }
    }

    /// How many of `most` inputs to embed in one turn, where somebody may wait for the next: as many as are soon done, by
    /// what the last ones took.
    pub fn turn(&self, most: usize) -> usize {
        match self.per_input.load(Ordering::Relaxed) {
            0 => most,
            micros => ((TURN / micros) as usize).clamp(1, most.max(1)),
        }
    }

    /// How many numbers it has learned: running statistics are none.
    pub fn parameters(&self) -> usize {
        count_parameters(&self.encoder)
    }

    /// Memory of the weights.
    pub fn weight_bytes(&self) -> u64 {
        (self.encoder.num_params() * size_of::<f32>()) as u64
    }

    /// Vectors of `count` inputs, for each space.
    fn embed_with(
        &self,
        count: usize,
        spaces: &[Space],
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) -> anyhow::Result<Vec<Vec<f32>>> {
        let mut vectors = vec![vec![]; spaces.len()];
        if spaces.is_empty() {
            return Ok(vectors);
        }
        self.in_batches(count, fill, |images| {
            let embedded = self.encoder.embed(images.clone(), spaces, Mode::Eval);
            for (all, tensor) in vectors.iter_mut().zip(embedded) {
                all.extend(self.checked(tensor, &images)?);
            }
            Ok(())
        })?;
        Ok(vectors)
    }

    /// The values that the network gives for `images`, one row for each. All are looked at; where one is not finite,
    /// the images go through the network once more, layer by layer.
    fn checked<const D: usize>(&self, given: Tensor<D>, images: &Tensor<4>) -> anyhow::Result<Vec<f32>> {
        let rows = given.dims()[0];
        let values = values_of(given);
        if fits_cosines(&values, values.len() / rows.max(1)) {
            return Ok(values);
        }
        let name = &self.name;
        if let Some(layer) = self.encoder.first_not_finite(images.clone(), Mode::Eval) {
            bail!(
                "the model {name} gives values that are not finite, first in {layer}: its weights or the normalization \
                 ({}) overflow float32",
                self.normalization_words()
            );
        }
        let largest = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        bail!("the model {name} gives values up to {largest:e}: too long vectors for a cosine in float32")
    }

    fn checked_pixels(&self, values: Vec<f32>, width: usize) -> anyhow::Result<Vec<f32>> {
        let words = || self.normalization_words();
        ensure!(
            fits_cosines(&values, width),
            "the normalization ({}) overflows float32 on the pixels",
            words()
        );
        Ok(values)
    }

    fn normalization_words(&self) -> String {
        let Normalization { mean, std } = self.info.normalization;
        format!("mean {mean:?}, std {std:?}")
    }

    /// Fills inputs in parallel and hands them over in batches of `[at most batch, 3, side, side]`.
    fn in_batches(
        &self,
        count: usize,
        fill: impl Fn(usize, &mut [f32]) + Sync,
        mut run: impl FnMut(Tensor<4>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let side = self.info.input as usize;
        for start in (0..count).step_by(self.batch) {
            let batch = self.batch.min(count - start);
            let clock = Instant::now();
            let mut values = vec![0.0; batch * 3 * side * side];
            let inputs = values.par_chunks_exact_mut(3 * side * side).enumerate();
            self.times.cutting.of(|| inputs.for_each(|(index, out)| fill(start + index, out)));
            // Of work that is left nothing is kept.
            check_left()?;
            let shape = [batch, 3, side, side];
            let through = || run(Tensor::from_data(TensorData::new(values, shape), &self.device));
            self.times.network.of(through)?;
            check_left()?;
            let micros = clock.elapsed().as_micros() / batch as u128;
            self.per_input.store(micros.clamp(1, u32::MAX.into()) as u32, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Whether all rows of `width` have a length in float32: no value is NaN or infinite, and none so large that the sum
/// of squares is.
fn fits_cosines(values: &[f32], width: usize) -> bool {
    values.chunks(width.max(1)).all(|row| row.iter().map(|value| value * value).sum::<f32>().is_finite())
}

fn values_of<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("converted to f32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Resize;
    use crate::model::{BackboneConfig, Depth, Stem, weights};

    /// The name of weights, and what they become.
    type Changed<'a> = (&'a str, fn(f32) -> f32);

    /// A model whose weights of some names are changed.
    fn embedder(depth: Depth, std: f32, changed: &[Changed<'_>]) -> Embedder {
        let device = Device::flex();
        let info = ModelInfo {
            backbone: BackboneConfig::new(depth, Stem::Cifar { padding: 1 }, 2).into(),
            projector: vec![6, 4],
            input: 16,
            resize: Resize::Bilinear,
            normalization: Normalization { mean: [0.5; 3], std: [std; 3] },
            training: serde_json::Value::Null,
            origin: None,
            projector_norms: None,
            projector_form: Default::default(),
            projector_bias: true,
        };
        let encoder = Encoder::new(&info, 3, &device);
        let mut all = weights::collect(&encoder);
        for (name, change) in changed {
            all.get_mut(*name).unwrap().values.iter_mut().for_each(|value| *value = change(*value));
        }
        let encoder = weights::assign(encoder, all).unwrap().0;
        let model = Model {
            name: "huge".into(),
            hash: String::new(),
            format: "made here",
            info,
            encoder,
            has_sums: false,
        };
        Embedder::new(model, &device)
    }

    fn patch() -> PatchSource {
        let pixels = (0..16 * 16 * 3).map(|at| (at * 37 % 251) as u8).collect();
        PatchSource { image: Arc::new(Image::new(16, 16, pixels)), y: 0, x: 0 }
    }

    fn refused(embedder: &Embedder) -> String {
        embedder.patches(&[patch()], 16, &[Space::H, Space::Z]).unwrap_err().to_string()
    }

    #[test]
    fn the_first_layer_that_overflows_is_named() {
        assert!(embedder(Depth::ResNet18, 0.25, &[]).patches(&[patch()], 16, &[Space::Z]).is_ok());
        for layer in ["conv1", "layer2.0.conv1", "layer2.0.downsample.0", "layer4.1.conv2", "projector.0"] {
            let name = format!("{layer}.weight");
            let error = refused(&embedder(Depth::ResNet18, 0.25, &[(&name, |_| 3e38)]));
            assert!(error.contains("the model huge gives values that are not finite"), "{layer}: {error}");
            assert!(error.contains(&format!("first in {layer}:")), "{layer}: {error}");
        }
        let deep = refused(&embedder(Depth::ResNet50, 0.25, &[("layer3.2.conv3.weight", |_| 3e38)]));
        assert!(deep.contains("first in layer3.2.conv3:"), "{deep}");
        let scaled = refused(&embedder(
            Depth::ResNet18,
            0.25,
            &[("conv1.weight", |v| v * 1e30), ("bn1.weight", |v| v * 1e30)],
        ));
        assert!(scaled.contains("first in bn1:"), "{scaled}");
    }

    #[test]
    fn a_turn_is_as_long_as_somebody_waits() {
        let embedder = embedder(Depth::ResNet18, 0.25, &[]);
        assert_eq!(embedder.turn(BATCH), BATCH, "nothing is known yet");
        for (micros, turn) in [(100, BATCH), (100_000, 4), (3_000_000, 1)] {
            embedder.per_input.store(micros, Ordering::Relaxed);
            assert_eq!(embedder.turn(BATCH), turn);
        }
        embedder.patches(&[patch()], 16, &[Space::H]).unwrap();
        let measured = embedder.per_input.load(Ordering::Relaxed);
        assert!(measured > 0 && measured != 3_000_000, "the batch was not measured");
    }

    #[test]
    fn a_normalization_that_overflows_and_vectors_without_a_length_are_named() {
        let tiny = embedder(Depth::ResNet18, 1e-39, &[]);
        let error = refused(&tiny);
        assert!(
            error.contains("first in the normalised pixels that go in") && error.contains("std [1e-39"),
            "{error}"
        );
        let error = tiny.pixels(&[patch()], 16).unwrap_err().to_string();
        assert!(error.contains("the normalization (mean [0.5") && error.contains("overflows"), "{error}");
        let long = refused(&embedder(Depth::ResNet18, 0.25, &[("projector.3.weight", |v| v * 1e25)]));
        assert!(long.contains("too long vectors for a cosine"), "{long}");
    }
}
