//! Models: what is in them, and writing them out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::device::{self, DeviceChoice};
use crate::model::{ModelOrigin, ModelSpec, Stem, store};

/// `bagssl model info`.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// What it is called.
    pub name: String,
    /// The backbone.
    pub arch: String,
    /// Its first layers.
    pub stem: Stem,
    /// Names and widths of the usual spaces.
    pub spaces: BTreeMap<String, usize>,
    /// Side of the input, pixels.
    pub input: u32,
    /// How a patch or image reaches the input.
    pub resize: String,
    /// What is subtracted, per channel of RGB / 255.
    pub mean: [f32; 3],
    /// What is divided by, per channel of RGB / 255.
    pub std: [f32; 3],
    /// How many numbers were trained.
    pub parameters: usize,
    /// Hex SHA-256 of the file.
    pub hash: String,
    /// What the file is.
    pub format: &'static str,
    /// Keys that the network needs and the file lacks; a file with any is refused.
    pub missing: Vec<String>,
    /// Keys that the network does not know; a file with any is refused.
    pub unexpected: Vec<String>,
    /// Whether the file has sums, by which damage is found; earlier versions of the program wrote none.
    pub sums: bool,
    /// How it was recognised in another program's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<ModelOrigin>,
    /// What the file says about how it was trained.
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
        format: model.format,
        origin: info.origin.clone(),
        missing: vec![],
        unexpected: vec![],
        sums: model.has_sums,
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
