//! Models: what is in them, and writing them out.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::device::{self, DeviceChoice};
use crate::model::{ModelInfo, ModelOrigin, ModelSpec, Space, Stem, VitConfig, store};

/// `bagssl model info`.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// What it is called.
    pub name: String,
    /// The backbone.
    pub arch: String,
    /// The first layers of a ResNet.
    pub stem: Option<Stem>,
    /// What a transformer is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transformer: Option<VitConfig>,
    /// Names and widths of all spaces of a crop, from z back.
    pub crop_spaces: Vec<(String, usize)>,
    /// Names and widths of the feature maps of a whole image, from the last back.
    pub maps: Vec<(String, usize)>,
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
        stem: info.backbone.stem(),
        transformer: info.backbone.transformer(),
        crop_spaces: named(info, info.crop_spaces()),
        maps: named(info, info.map_layers().into_iter().map(Space::Token)),
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

/// Spaces by name, with their widths.
fn named(info: &ModelInfo, spaces: impl IntoIterator<Item = Space>) -> Vec<(String, usize)> {
    spaces.into_iter().filter_map(|space| Some((space.to_string(), info.width(space)?))).collect()
}

/// Writes a model as safetensors under torchvision's key names, or of a transformer under timm's.
pub fn convert(spec: &ModelSpec, out: &Path) -> anyhow::Result<()> {
    let open = device::open(DeviceChoice::Cpu)?;
    let model = store::open(spec, &open.device)?;
    store::save(out, &model.encoder, &model.info)
}
