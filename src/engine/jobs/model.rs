//! Models: what is in them, and writing them out.

use std::path::Path;

use crate::device::{self, DeviceChoice};
use crate::embed::Embedder;
use crate::engine::ask::ModelReport;
use crate::model::{ModelSpec, store};

/// Describes a model.
pub fn info(spec: &ModelSpec) -> anyhow::Result<ModelReport> {
    let open = device::open(DeviceChoice::Cpu)?;
    let model = store::open(spec, &open.device)?;
    let mut embedder = Embedder::new(model, &open.device).told(&spec.overrides)?;
    embedder.precision = spec.overrides.precision();
    Ok(ModelReport::of(&embedder))
}

/// Writes a model as safetensors under torchvision's key names, or of a transformer under timm's.
pub fn convert(spec: &ModelSpec, out: &Path) -> anyhow::Result<()> {
    let open = device::open(DeviceChoice::Cpu)?;
    let model = store::open(spec, &open.device)?;
    store::save(out, &model.encoder, &model.info)
}

/// Writes a model as a folder that Hugging Face transformers loads, without its projector.
pub fn convert_for_transformers(spec: &ModelSpec, out: &Path) -> anyhow::Result<()> {
    let open = device::open(DeviceChoice::Cpu)?;
    let model = store::open(spec, &open.device)?;
    store::save_for_transformers(out, &model.encoder, &model.info)
}
