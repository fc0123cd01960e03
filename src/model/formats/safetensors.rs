//! Model files: safetensors under torchvision's key names, with what the model is as JSON in
//! the file's metadata (key `bagssl`).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use super::foreign_file::{self, FileContent};
use super::neighbours;
use crate::files::{self, Tensors};
use crate::model::encoder::{Encoder, ModelInfo};
use crate::model::footprint;
use crate::model::foreign::Hints;
use crate::model::format::{Model, ModelFormat};
use crate::model::loose::{Loose, LooseArrays, NumberKind};
use crate::model::spec::Overrides;
use crate::model::weights::{self, Array, Weights};
use crate::words::name_list;

/// What a file is that we wrote.
pub const OUR_FORMAT: &str = "safetensors (bagssl)";
const METADATA_KEY: &str = "bagssl";

/// A model file.
pub static FORMAT: ModelFormat = ModelFormat {
    about: "a checkpoint (.safetensors)",
    endings: &["safetensors"],
    recognise: |path| path.is_file(),
    is_likely: |path| has_ending(path) || path.is_file() && is_header(&files::first_bytes(path)),
    read: read_file,
};

/// Most bytes of a header that is read: three times as many take two seconds and 350 MB; a network has hundreds of names.
const MOST_HEADER: u64 = 8 << 20;
/// What may lie in a file's place, by its first bytes.
const IMPOSTORS: [(&[u8], &str); 3] = [
    (
        b"version https://git-lfs",
        "it is a pointer of Git LFS in place of the file: git lfs pull fetches that",
    ),
    (b"<!DOCTYPE html", "it is a web page, not the file that was to be downloaded"),
    (b"<html", "it is a web page, not the file that was to be downloaded"),
];

fn has_ending(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors"))
}

/// How many bytes the header has that the first bytes of a file announce.
fn header_length(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}

/// Whether a file that begins so is of this kind: the length of a header, and an object in JSON.
pub(super) fn is_header(bytes: &[u8]) -> bool {
    header_length(bytes).is_some_and(|length| length <= MOST_HEADER) && bytes.get(8) == Some(&b'{')
}

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

pub(super) fn serialize(weights: &Weights, metadata: BTreeMap<String, String>) -> anyhow::Result<Vec<u8>> {
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
    let hints = || neighbours::beside(path, Hints::default());
    let opened = read_with(&bytes, hints, device, name, overrides);
    opened.with_context(|| format!("{} is no usable model", path.display()))
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
    let tensors = open(bytes)?;
    let info = described(&tensors)?.with_context(|| {
        format!("the file does not say what network it holds: no \"{METADATA_KEY}\" entry in its metadata")
    })?;
    let shapes = tensors.file.iter().map(|(name, view)| (name.to_string(), view.shape().to_vec())).collect();
    Ok((info, shapes))
}

/// The tensors of a model file.
fn open(bytes: &[u8]) -> anyhow::Result<Tensors<'_>> {
    ensure_header(bytes)?;
    SafeTensors::read_metadata(bytes)
        .map_err(|e| anyhow::anyhow!("neither a PyTorch checkpoint nor a whole safetensors file ({e})"))?;
    files::tensors_from_bytes(bytes)
}

fn ensure_header(bytes: &[u8]) -> anyhow::Result<()> {
    let begins =
        |first: &[u8]| bytes.get(..first.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(first));
    if let Some((_, words)) = IMPOSTORS.iter().find(|(first, _)| begins(first)) {
        bail!(*words);
    }
    let length = header_length(bytes).filter(|length| *length > MOST_HEADER && *length < bytes.len() as u64);
    ensure!(
        length.is_none(),
        "its header has {} bytes; expected at most {MOST_HEADER}, of hundreds of arrays",
        length.unwrap_or_default()
    );
    Ok(())
}

/// What a model file says of itself; nothing where another program wrote it.
fn described(tensors: &Tensors<'_>) -> anyhow::Result<Option<ModelInfo>> {
    let Some(described) = tensors.metadata.get(METADATA_KEY) else { return Ok(None) };
    let info: ModelInfo = serde_json::from_str(described)
        .with_context(|| format!("the metadata entry \"{METADATA_KEY}\" is damaged"))?;
    info.validate().with_context(|| format!("the metadata entry \"{METADATA_KEY}\""))?;
    Ok(Some(info))
}

/// Reads a model from the bytes of a file, with what is said in place of what it says.
pub(in crate::model) fn read(
    bytes: &[u8],
    device: &Device,
    name: String,
    overrides: &Overrides,
) -> anyhow::Result<Model> {
    read_with(bytes, Hints::default, device, name, overrides)
}

/// [`read`], with what stands beside a file that another program wrote.
fn read_with(
    bytes: &[u8],
    hints: impl FnOnce() -> Hints,
    device: &Device,
    name: String,
    overrides: &Overrides,
) -> anyhow::Result<Model> {
    let tensors = open(bytes)?;
    let Some(mut info) = described(&tensors)? else {
        let content =
            FileContent { format: "safetensors", arrays: arrays_of(&tensors.file)?, hints: hints() };
        return foreign_file::open(&[bytes], content, device, name, overrides);
    };
    ensure!(overrides.weights.is_none(), "the file holds one network: no other can be taken");
    let Tensors { file, has_sums, .. } = tensors;
    overrides.apply(&mut info)?;
    info.validate().context("what was said in place of the file's own settings")?;
    ensure!(
        info.least_parameters() <= bytes.len() / size_of::<f32>(),
        "the file is too small ({} bytes) for the network that it describes ({})",
        bytes.len(),
        info.backbone.title()
    );
    footprint::ensure_room(bytes.len(), &info)?;
    let weights = read_weights(&file)?;
    let (encoder, mismatch) = weights::assign(Encoder::uninitialized(&info, device), weights)?;
    ensure!(mismatch.missing.is_empty(), "weights are missing: {}", name_list(&mismatch.missing));
    ensure!(mismatch.unexpected.is_empty(), "unknown weights: {}", name_list(&mismatch.unexpected));
    let hash = overrides.hash(files::hex(&Sha256::digest(bytes)));
    Ok(Model { name, hash, format: OUR_FORMAT, info, encoder, has_sums })
}

/// The arrays of a file that another program wrote.
pub(super) fn arrays(bytes: &[u8]) -> anyhow::Result<LooseArrays<'_>> {
    ensure_header(bytes)?;
    arrays_of(&SafeTensors::deserialize(bytes).context("not a whole safetensors file")?)
}

fn arrays_of<'a>(file: &SafeTensors<'a>) -> anyhow::Result<LooseArrays<'a>> {
    let loose = |name: &str| {
        let view = file.tensor(name)?;
        let kind = match view.dtype() {
            Dtype::F64 => NumberKind::F64,
            Dtype::F32 => NumberKind::F32,
            Dtype::F16 => NumberKind::F16,
            Dtype::BF16 => NumberKind::Bf16,
            other => NumberKind::Whole((other.bitsize() / 8).max(1)),
        };
        let array = Loose::contiguous(kind, view.shape().to_vec(), view.data());
        Ok((name.to_string(), array.with_context(|| name.to_string())?))
    };
    file.names().into_iter().map(loose).collect()
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
