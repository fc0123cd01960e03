//! Models: what is in them, and writing them out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::device::{self, DeviceChoice};
use crate::model::{ModelSpec, Stem, store};

/// `bagssl model info`.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    pub name: String,
    pub arch: String,
    pub stem: Stem,
    /// Names and widths.
    pub spaces: BTreeMap<String, usize>,
    /// Side of the input, pixels.
    pub input: u32,
    pub resize: String,
    pub mean: [f32; 3],
    pub std: [f32; 3],
    pub parameters: usize,
    pub hash: String,
    pub format: &'static str,
    /// Keys that the network needs and the file lacks; a file with any is refused.
    pub missing: Vec<String>,
    /// Keys that the network does not know; a file with any is refused.
    pub unexpected: Vec<String>,
    pub training: serde_json::Value,
}

/// Describes a model.
pub fn info(spec: &ModelSpec) -> anyhow::Result<ModelReport> {
    let open = device::open(DeviceChoice::Cpu)?;
    let model = store::open(spec, &open.device)?;
    let info = &model.info;
    Ok(ModelReport {
        arch: info.backbone.title(),
        stem: info.backbone.stem,
        spaces: info.spaces().into_iter().map(|(space, width)| (space.to_string(), width)).collect(),
        input: info.input,
        resize: info.resize.to_string(),
        mean: info.normalization.mean,
        std: info.normalization.std,
        parameters: crate::model::weights::count_parameters(&model.encoder),
        hash: model.hash,
        format: "safetensors (bagssl)",
        missing: vec![],
        unexpected: vec![],
        training: info.training.clone(),
        name: model.name,
    })
}

/// Writes a model as safetensors under torchvision's key names.
pub fn convert(spec: &ModelSpec, out: &Path) -> anyhow::Result<()> {
    let open = device::open(DeviceChoice::Cpu)?;
    let model = store::open(spec, &open.device)?;
    store::save(out, &model.encoder, &model.info)
}
