//! Folders that training writes: a checkpoint, or a run with checkpoints, of which the newest counts.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::safetensors;
use crate::files;
use crate::model::format::ModelFormat;

/// Name of the model file within a checkpoint folder.
pub const MODEL_FILE: &str = "model.safetensors";
/// Names the newest finished checkpoint within a run folder.
pub const LATEST_FILE: &str = "latest";

/// A run folder or a checkpoint folder.
pub static FORMAT: ModelFormat = ModelFormat {
    about: "a run folder of bagssl train",
    endings: &[],
    recognise: |path| path.is_dir(),
    is_likely: |path| path.join(LATEST_FILE).exists() || path.join("config.toml").exists(),
    read: |path, device, name, overrides| safetensors::read_file(&model_file(path)?, device, name, overrides),
};

/// The model file of a checkpoint folder, or of the newest checkpoint of a run folder.
fn model_file(path: &Path) -> anyhow::Result<PathBuf> {
    let latest = path.join(LATEST_FILE);
    let folder = if latest.exists() {
        let name = files::read_to_string(&latest, files::MOST_WORDS)
            .with_context(|| format!("could not read {}", latest.display()))?;
        path.join(name.trim())
    } else {
        path.into()
    };
    ensure!(
        !path.join(".metadata").is_file(),
        "{} holds shards of a distributed checkpoint (FSDP): consolidate them into one state_dict first",
        path.display()
    );
    let file = folder.join(MODEL_FILE);
    ensure!(
        file.is_file(),
        "{} is no run folder: expected a checkpoint with {MODEL_FILE} in it",
        path.display()
    );
    Ok(file)
}
