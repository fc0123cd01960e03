//! Model files: safetensors under torchvision's key names, with what the model is as JSON in
//! the file's metadata (key `bagssl`).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::files::{self, Tensors};
use crate::memory;
use crate::model::encoder::{Encoder, ModelInfo};
use crate::model::footprint::Footprint;
use crate::model::format::{Model, ModelFormat};
use crate::model::spec::Overrides;
use crate::model::weights::{self, Array, Weights};
use crate::words::name_list;

const METADATA_KEY: &str = "bagssl";

/// A model file.
pub static FORMAT: ModelFormat = ModelFormat {
    about: "a checkpoint (.safetensors)",
    endings: &["safetensors"],
    recognise: |path| path.is_file(),
    is_likely: |path| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors")),
    read: read_file,
};

/// Serialises an encoder.
pub fn to_bytes(encoder: &Encoder, info: &ModelInfo) -> anyhow::Result<Vec<u8>> {
    let metadata = BTreeMap::from([(METADATA_KEY.to_string(), serde_json::to_string(info)?)]);
    serialize(&weights::collect(encoder), metadata)
}

/// Serialises weights that are no whole model.
pub fn weights_to_bytes(weights: &Weights) -> anyhow::Result<Vec<u8>> {
    serialize(weights, BTreeMap::new())
}

/// Reads what [`weights_to_bytes`] wrote.
pub fn weights_from_bytes(bytes: &[u8]) -> anyhow::Result<Weights> {
    read_weights(&files::tensors_from_bytes(bytes)?.file)
}

fn serialize(weights: &Weights, metadata: BTreeMap<String, String>) -> anyhow::Result<Vec<u8>> {
    let views = weights.iter().map(|(name, array)| {
        let view = TensorView::new(Dtype::F32, array.shape.clone(), bytemuck::cast_slice(&array.values))?;
        Ok((name.as_str(), view))
    });
    let views = views.collect::<anyhow::Result<Vec<_>>>()?;
    files::tensors_to_bytes(views, metadata)
}

/// Writes a model file, atomically.
pub fn save(path: &Path, encoder: &Encoder, info: &ModelInfo) -> anyhow::Result<()> {
    files::write_bytes_atomic(path, &to_bytes(encoder, info)?)
}

/// Opens a model file.
pub(super) fn read_file(
    path: &Path,
    device: &Device,
    name: String,
    overrides: &Overrides,
) -> anyhow::Result<Model> {
    let bytes = files::read(path, files::MOST_WEIGHTS)
        .with_context(|| format!("could not read {}", path.display()))?;
    read(&bytes, device, name, overrides).with_context(|| format!("{} is no usable model", path.display()))
}

/// Reads a model from the bytes of a file, as the file describes it.
pub fn from_bytes(bytes: &[u8], device: &Device, name: String) -> anyhow::Result<Model> {
    read(bytes, device, name, &Overrides::default())
}

/// What a model file says that it holds, and the shape of each of its arrays by name.
///
/// # Errors
/// No whole model file; damage.
pub fn describe(bytes: &[u8]) -> anyhow::Result<(ModelInfo, BTreeMap<String, Vec<usize>>)> {
    let (Tensors { file, .. }, info) = open(bytes)?;
    let shapes = file.iter().map(|(name, view)| (name.to_string(), view.shape().to_vec())).collect();
    Ok((info, shapes))
}

/// The tensors of a model file, and what it says of them.
fn open(bytes: &[u8]) -> anyhow::Result<(Tensors<'_>, ModelInfo)> {
    SafeTensors::read_metadata(bytes)
        .map_err(|e| anyhow::anyhow!("not a whole safetensors file ({e}); expected one written by bagssl"))?;
    let tensors = files::tensors_from_bytes(bytes)?;
    let Some(described) = tensors.metadata.get(METADATA_KEY) else {
        bail!("the file does not say what network it holds: no \"{METADATA_KEY}\" entry in its metadata");
    };
    let info: ModelInfo = serde_json::from_str(described)
        .with_context(|| format!("the metadata entry \"{METADATA_KEY}\" is damaged"))?;
    info.validate().with_context(|| format!("the metadata entry \"{METADATA_KEY}\""))?;
    Ok((tensors, info))
}

/// Reads a model from the bytes of a file, with what is said in place of what it says.
pub(in crate::model) fn read(
    bytes: &[u8],
    device: &Device,
    name: String,
    overrides: &Overrides,
) -> anyhow::Result<Model> {
    let (Tensors { file, has_sums, .. }, mut info) = open(bytes)?;
    overrides.apply(&mut info)?;
    info.validate().context("what was said in place of the file's own settings")?;
    ensure!(
        info.least_parameters() <= bytes.len() / size_of::<f32>(),
        "the file is too small ({} bytes) for the network that it describes ({})",
        bytes.len(),
        info.backbone.title()
    );
    ensure_room(bytes, &info)?;
    let weights = read_weights(&file)?;
    let (encoder, mismatch) = weights::assign(Encoder::uninitialized(&info, device), weights)?;
    ensure!(mismatch.missing.is_empty(), "weights are missing: {}", name_list(&mismatch.missing));
    ensure!(mismatch.unexpected.is_empty(), "unknown weights: {}", name_list(&mismatch.unexpected));
    let hash = overrides.hash(files::hex(&Sha256::digest(bytes)));
    Ok(Model { name, hash, info, encoder, has_sums })
}

/// Passes a file whose weights fit into memory beside it: as they are read, as they are kept, and one array more.
fn ensure_room(bytes: &[u8], info: &ModelInfo) -> anyhow::Result<()> {
    let footprint = Footprint::of(info);
    let need = bytes.len() as u64 + 2 * footprint.weights + 2 * footprint.largest;
    let budget = memory::budget();
    let what = || format!("opening this {}", info.backbone.title());
    Ok(budget.ensure(budget.bytes(), need, what, "a smaller model")?)
}

fn read_weights(file: &SafeTensors<'_>) -> anyhow::Result<Weights> {
    let read = |(name, view): (&str, TensorView<'_>)| {
        ensure!(view.dtype() == Dtype::F32, "{name} is {:?}; expected F32", view.dtype());
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let values: Vec<f32> = values.collect();
        ensure!(values.iter().all(|v| v.is_finite()), "{name} holds values that are not finite");
        Ok((name.to_string(), Array { shape: view.shape().to_vec(), values }))
    };
    file.iter().map(read).collect()
}
