//! Model files: safetensors under torchvision's key names, with what the model is as JSON in
//! the file's metadata (key `bagssl`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use super::builtin;
use super::encoder::{Encoder, ModelInfo};
use super::spec::{ModelSpec, Overrides};
use super::weights::{self, Array, Weights};
use crate::files;

/// Name of the model file within a checkpoint folder.
pub const MODEL_FILE: &str = "model.safetensors";
/// Names the newest finished checkpoint within a run folder.
pub const LATEST_FILE: &str = "latest";

const METADATA_KEY: &str = "bagssl";

/// A model that is ready to use.
pub struct Model {
    /// What to call it on screen ("demo", or the file's or run's name).
    pub name: String,
    /// Hex SHA-256 of the file.
    pub hash: String,
    pub info: ModelInfo,
    pub encoder: Encoder,
}

/// Serialises an encoder.
pub fn to_bytes(encoder: &Encoder, info: &ModelInfo) -> anyhow::Result<Vec<u8>> {
    let metadata = HashMap::from([(METADATA_KEY.to_string(), serde_json::to_string(info)?)]);
    serialize(&weights::collect(encoder), Some(metadata))
}

/// Serialises weights that are no whole model.
pub fn weights_to_bytes(weights: &Weights) -> anyhow::Result<Vec<u8>> {
    serialize(weights, None)
}

/// Reads what [`weights_to_bytes`] wrote.
pub fn weights_from_bytes(bytes: &[u8]) -> anyhow::Result<Weights> {
    read_weights(&SafeTensors::deserialize(bytes)?)
}

fn serialize(weights: &Weights, metadata: Option<HashMap<String, String>>) -> anyhow::Result<Vec<u8>> {
    let views = weights.iter().map(|(name, array)| {
        let view = TensorView::new(Dtype::F32, array.shape.clone(), bytemuck::cast_slice(&array.values))?;
        Ok((name.as_str(), view))
    });
    let views = views.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, metadata)?)
}

/// Writes a model file, atomically.
pub fn save(path: &Path, encoder: &Encoder, info: &ModelInfo) -> anyhow::Result<()> {
    files::write_bytes_atomic(path, &to_bytes(encoder, info)?)
}

/// Opens a built-in model, a model file, a checkpoint folder or a run folder (its newest checkpoint).
pub fn open(spec: &ModelSpec, device: &Device) -> anyhow::Result<Model> {
    let ModelSpec { path, overrides } = spec;
    if let Some(model) = builtin::find(path) {
        let opened = read(model.file, device, model.name.into(), overrides);
        return opened.with_context(|| format!("the built-in model {}", model.name));
    }
    let name = display_name(Path::new(path));
    let path = locate(Path::new(path))?;
    let bytes = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
    read(&bytes, device, name, overrides).with_context(|| format!("{} is no usable model", path.display()))
}

/// The model file that a path means.
fn locate(path: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        path.exists(),
        "there is no model at {}: no such file or folder; built in are {}",
        path.display(),
        builtin::ALL.iter().map(|model| model.name).collect::<Vec<_>>().join(" and ")
    );
    if path.is_file() {
        return Ok(path.into());
    }
    let latest = path.join(LATEST_FILE);
    let folder = if latest.is_file() {
        let name = std::fs::read_to_string(&latest)
            .with_context(|| format!("could not read {}", latest.display()))?;
        path.join(name.trim())
    } else {
        path.into()
    };
    let file = folder.join(MODEL_FILE);
    ensure!(
        file.is_file(),
        "{} is no run folder: expected a checkpoint with {MODEL_FILE} in it",
        path.display()
    );
    Ok(file)
}

fn display_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Reads a model from the bytes of a file, as the file describes it.
pub fn from_bytes(bytes: &[u8], device: &Device, name: String) -> anyhow::Result<Model> {
    read(bytes, device, name, &Overrides::default())
}

fn read(bytes: &[u8], device: &Device, name: String, overrides: &Overrides) -> anyhow::Result<Model> {
    let (_, header) = SafeTensors::read_metadata(bytes)
        .map_err(|e| anyhow::anyhow!("not a whole safetensors file ({e}); expected one written by bagssl"))?;
    let described = header.metadata().as_ref().and_then(|map| map.get(METADATA_KEY));
    let Some(described) = described else {
        bail!("the file does not say what network it holds: no \"{METADATA_KEY}\" entry in its metadata");
    };
    let mut info: ModelInfo = serde_json::from_str(described)
        .with_context(|| format!("the metadata entry \"{METADATA_KEY}\" is damaged"))?;
    info.validate().with_context(|| format!("the metadata entry \"{METADATA_KEY}\""))?;
    overrides.apply(&mut info)?;
    info.validate().context("what was said in place of the file's own settings")?;
    ensure!(
        info.least_parameters() <= bytes.len() / size_of::<f32>(),
        "the file is too small ({} bytes) for the network that it describes ({})",
        bytes.len(),
        info.backbone.title()
    );
    let weights = read_weights(&SafeTensors::deserialize(bytes)?)?;
    let (encoder, mismatch) = weights::assign(Encoder::uninitialized(&info, device), weights)?;
    ensure!(mismatch.missing.is_empty(), "weights are missing: {}", mismatch.missing.join(", "));
    ensure!(mismatch.unexpected.is_empty(), "unknown weights: {}", mismatch.unexpected.join(", "));
    let hash = overrides.hash(files::hex(&Sha256::digest(bytes)));
    Ok(Model { name, hash, info, encoder })
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
