//! From what names a model to the model.

use std::path::Path;

use anyhow::{Context, ensure};
use burn::tensor::Device;

use super::builtin;
use super::formats::{recognise, safetensors};
use super::spec::{ModelPlace, ModelSpec};

pub use super::format::Model;
pub use super::formats::folder::{LATEST_FILE, MODEL_FILE};
pub use super::formats::hub::save as save_for_transformers;
pub use super::formats::safetensors::{
    OUR_FORMAT, describe, from_bytes, save, to_bytes, weights_from_bytes, weights_to_bytes,
};

/// Opens a built-in model, a model file, a checkpoint folder or a run folder (its newest checkpoint).
pub fn open(spec: &ModelSpec, device: &Device) -> anyhow::Result<Model> {
    match spec.place() {
        ModelPlace::BuiltIn(model) => {
            let opened = safetensors::read(model.file, device, model.name.into(), &spec.overrides);
            opened.with_context(|| format!("the built-in model {}", model.name))
        }
        ModelPlace::Path(path) => {
            ensure!(
                path.exists(),
                "there is no model at {}: no such file or folder; built in are {}",
                path.display(),
                builtin::ALL.iter().map(|model| model.name).collect::<Vec<_>>().join(" and ")
            );
            let format = recognise(path).with_context(|| {
                format!("{} is no run folder: expected a checkpoint with {MODEL_FILE} in it", path.display())
            })?;
            (format.read)(path, device, display_name(path), &spec.overrides)
        }
    }
}

fn display_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
