//! What of a training run a path leads to: the run's folder, or a checkpoint in it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::run::RunFolder;
use crate::model::ModelSpec;
use crate::model::store::MODEL_FILE;

/// One checkpoint of a run folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCheckpoint {
    /// Steps that it was trained for.
    pub step: u64,
    /// Its folder.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
}

/// The run folder that `spec` names or that holds what it names, with the step if it is one of the run's
/// checkpoints. `None` for a built-in model and for a model file.
pub fn run_of(spec: &ModelSpec) -> Option<(PathBuf, Option<u64>)> {
    let path = spec.on_disk()?;
    if RunFolder::open(path).is_ok() {
        return Some((path.into(), None));
    }
    let run = path.parent().filter(|run| RunFolder::open(run).is_ok())?;
    let kept = kept_checkpoints(run).into_iter().find(|kept| kept.path == path)?;
    Some((run.into(), Some(kept.step)))
}

/// The checkpoints of a run folder that can be opened as a model, oldest first.
pub fn kept_checkpoints(run: &Path) -> Vec<KeptCheckpoint> {
    let entries = fs::read_dir(run).into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let step = entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok()?;
        let path = entry.path();
        path.join(MODEL_FILE).is_file().then_some(KeptCheckpoint { step, path })
    });
    let by_step: BTreeMap<u64, KeptCheckpoint> =
        found.map(|checkpoint| (checkpoint.step, checkpoint)).collect();
    by_step.into_values().collect()
}
