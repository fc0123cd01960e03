//! Which model stands beside the first, and where its weights are: one file, or the kept checkpoints of a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::device::OpenDevice;
use crate::embed::Embedder;
use crate::engine::ask::RunView;
use crate::engine::compare::side::Key;
use crate::files;
use crate::model::{ModelSpec, store};
use crate::train::{KeptCheckpoint, RunFolder, kept_checkpoints, run_of};

/// B as it was opened.
pub struct OtherModel {
    /// Its file's, folder's or run's name.
    pub name: String,
    spec: ModelSpec,
    pub run: Option<PathBuf>,
    pub steps: Arc<Vec<u64>>,
    /// The weights that are wanted.
    pub key: Key,
    /// Why they cannot be used.
    pub error: Option<String>,
}

/// Finds out what `spec` names.
///
/// # Errors
/// A run folder without a checkpoint. A model file is looked at later.
pub fn opened(spec: &ModelSpec) -> anyhow::Result<OtherModel> {
    let path = spec.path.as_path();
    let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let is_built_in = spec.on_disk().is_none();
    anyhow::ensure!(
        is_built_in || path.exists(),
        "there is no file or folder {}; expected a checkpoint, a run folder or a built-in model",
        path.display()
    );
    let Some((run, step)) = run_of(spec) else {
        let key = key(spec, path, None);
        let spec = spec.clone();
        return Ok(OtherModel { name: name(path), spec, run: None, steps: Arc::default(), key, error: None });
    };
    let kept = kept_checkpoints(&run);
    let steps: Vec<u64> = kept.iter().map(|checkpoint| checkpoint.step).collect();
    let Some(step) = step.or(steps.last().copied()) else {
        anyhow::bail!(
            "{} holds no checkpoint yet; wait for the run's first one, or open another model",
            run.display()
        );
    };
    let mut open = OtherModel {
        name: name(&run),
        key: Key { spec: spec.clone(), step: None, written: None },
        spec: spec.clone(),
        run: Some(run),
        steps: Arc::new(steps),
        error: None,
    };
    open.scrub_to(step);
    Ok(open)
}

/// Weights at `path`, which is a file, a checkpoint's folder or built in.
fn key(spec: &ModelSpec, path: &Path, step: Option<u64>) -> Key {
    let written = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let spec = ModelSpec { path: path.into(), overrides: spec.overrides.clone() };
    Key { spec, step, written: written(&path.join(store::MODEL_FILE)).or_else(|| written(path)) }
}

impl OtherModel {
    /// Takes over the path under which its run is followed already, so that its curves are found.
    pub fn be_called_as(&mut self, followed: &[Arc<RunView>]) {
        let Some(run) = &mut self.run else { return };
        if let Some(known) = followed.iter().find(|known| files::is_same(&known.path, run)) {
            run.clone_from(&known.path);
        }
    }

    /// Wants the checkpoint of `step`.
    pub fn scrub_to(&mut self, step: u64) {
        if let Some(key) = self.checkpoint(step) {
            self.key = key;
            self.error = None;
        }
    }

    fn checkpoint(&self, step: u64) -> Option<Key> {
        let run = RunFolder::at(self.run.as_ref()?);
        Some(key(&self.spec, &run.checkpoint(step), Some(step)))
    }

    /// The checkpoints after the wanted one, next first.
    pub fn later(&self) -> impl Iterator<Item = Key> {
        let first = self.steps.partition_point(|step| Some(*step) <= self.key.step);
        self.steps[first..].iter().filter_map(|step| self.checkpoint(*step))
    }

    /// Takes in the run's checkpoints as its follower sees them. Returns whether they are others than before.
    pub fn look_for_checkpoints(&mut self, followed: &[Arc<RunView>]) -> bool {
        let run = followed.iter().find(|run| Some(&run.path) == self.run.as_ref());
        let Some(kept) = run.map(|run| &run.checkpoints).filter(|kept| !kept.is_empty()) else {
            return false;
        };
        let step = |kept: &KeptCheckpoint| kept.step;
        let is_new = !kept.iter().map(step).eq(self.steps.iter().copied());
        if is_new {
            self.steps = Arc::new(kept.iter().map(step).collect());
        }
        is_new
    }

    /// Opens the weights of `key`; the error says which, why, and what to do.
    pub fn read(&self, key: &Key, device: &OpenDevice) -> Result<Embedder, String> {
        Embedder::open(&key.spec, &device.device).map_err(|error| match key.step {
            Some(step) => format!(
                "Step {step} of {} cannot be used: {error:#}. Choose another step, or another model.",
                self.name
            ),
            None => format!("{} cannot be used: {error:#}. Choose another model.", self.name),
        })
    }
}
