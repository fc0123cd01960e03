//! Models: what is in them, and writing them out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::device::{self, DeviceChoice};
use crate::model::{ModelSpec, Stem, store};

/// `bagssl model info`.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// What people call the model.
    pub name: String,
    /// Architecture ("ResNet-18/4").
    pub arch: String,
    /// First layers of the network.
    pub stem: Stem,
    /// Names and widths of the usual spaces.
    pub spaces: BTreeMap<String, usize>,
    /// Side of the input, pixels.
    pub input: u32,
    /// How pixels are interpolated on the way to that side: `bilinear` or `bicubic`.
    pub resize: String,
    /// What is subtracted from each channel of RGB, 0 to 1.
    pub mean: [f32; 3],
    /// What each channel is divided by after that.
    pub std: [f32; 3],
    /// Values in all arrays, running statistics included.
    pub parameters: usize,
    /// Hex SHA-256 of the model file.
    pub hash: String,
    /// Format of the file.
    pub format: &'static str,
    /// Keys that the network needs and the file lacks; a file with any is refused.
    pub missing: Vec<String>,
    /// Keys that the network does not know; a file with any is refused.
    pub unexpected: Vec<String>,
    /// How the weights came to be, as the trainer wrote it; null where nothing is told.
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
