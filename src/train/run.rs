//! The run folder:
//!
//! ```text
//! config.toml        the resolved configuration
//! environment.json   program version, device, data set
//! metrics.jsonl      one line per logged step
//! step-000100/       a checkpoint: model.safetensors, optimizer.safetensors, state.json, and for BYOL
//!                    method.safetensors with the predictor and the target
//! latest             the name of the newest finished checkpoint
//! ```
//!
//! A checkpoint is written into a temporary folder and renamed; `latest` changes after that.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::config::TrainConfig;
use super::optimizer::OptimizerState;
use crate::files;
use crate::model::store::{self, LATEST_FILE, MODEL_FILE};
use crate::model::weights::Weights;

const CONFIG_FILE: &str = "config.toml";
const METRICS_FILE: &str = "metrics.jsonl";
const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const METHOD_FILE: &str = "method.safetensors";
const STATE_FILE: &str = "state.json";

/// A folder that holds one training run.
pub struct RunFolder {
    path: PathBuf,
}

/// Where a run stands. The random state is the seed and the step: every draw is a function of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Steps done.
    pub step: u64,
    pub total_steps: u64,
    /// Fingerprint of the data set.
    pub data: String,
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Steps done, counting this one.
    pub step: u64,
    pub epoch: f64,
    pub loss: f64,
    pub terms: std::collections::BTreeMap<String, f64>,
    pub lr: f64,
    /// Joint norm of all gradients, before any clipping.
    pub grad_norm: f64,
    /// Views trained on per second since the last line.
    pub views_per_second: f64,
}

/// What resuming needs.
pub struct Saved {
    pub model: Vec<u8>,
    pub optimizer: OptimizerState,
    /// Weights that the method trains besides the model; empty where there are none.
    pub method: Weights,
    pub state: RunState,
}

impl RunFolder {
    /// A new run. An existing run is never overwritten.
    pub fn create(
        path: &Path,
        config: &TrainConfig,
        environment: &serde_json::Value,
    ) -> anyhow::Result<Self> {
        if path.join(CONFIG_FILE).exists() {
            bail!(
                "{} holds a run already; --resume continues it, another --out starts a new one",
                path.display()
            );
        }
        files::write_bytes_atomic(&path.join(CONFIG_FILE), config.to_toml()?.as_bytes())?;
        let run = Self { path: path.into() };
        run.note_environment(environment)?;
        Ok(run)
    }

    /// An existing run and its configuration.
    pub fn open(path: &Path) -> anyhow::Result<(Self, TrainConfig)> {
        let file = path.join(CONFIG_FILE);
        let text = fs::read_to_string(&file).with_context(|| {
            format!("{} is no run folder: could not read {}", path.display(), file.display())
        })?;
        let config = TrainConfig::from_toml(&text).with_context(|| file.display().to_string())?;
        Ok((Self { path: path.into() }, config))
    }

    /// Records what the run runs on.
    pub fn note_environment(&self, environment: &serde_json::Value) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(environment)?;
        files::write_bytes_atomic(&self.path.join("environment.json"), text.as_bytes())
    }

    /// Writes a checkpoint and makes it the latest. Returns its folder.
    pub fn save(&self, saved: &Saved) -> anyhow::Result<PathBuf> {
        let name = format!("step-{:06}", saved.state.step);
        let target = self.path.join(&name);
        if self.latest().is_ok_and(|latest| latest == target) && target.join(STATE_FILE).is_file() {
            // The same step of the same run: nothing new to write, and nothing to put at risk.
            return Ok(target);
        }
        let temporary = self.path.join(format!(".{name}.part"));
        let write = || -> anyhow::Result<()> {
            remove_if_there(&temporary)?;
            files::write_bytes_atomic(&temporary.join(MODEL_FILE), &saved.model)?;
            files::write_bytes_atomic(&temporary.join(OPTIMIZER_FILE), &optimizer_bytes(&saved.optimizer)?)?;
            if !saved.method.is_empty() {
                let bytes = store::weights_to_bytes(&saved.method)?;
                files::write_bytes_atomic(&temporary.join(METHOD_FILE), &bytes)?;
            }
            let state = serde_json::to_vec_pretty(&saved.state)?;
            files::write_bytes_atomic(&temporary.join(STATE_FILE), &state)?;
            remove_if_there(&target)?;
            fs::rename(&temporary, &target)?;
            files::write_bytes_atomic(&self.path.join(LATEST_FILE), name.as_bytes())
        };
        write().with_context(|| format!("could not write the checkpoint {}", target.display()))?;
        Ok(target)
    }

    /// Folder of the newest checkpoint.
    pub fn latest(&self) -> anyhow::Result<PathBuf> {
        let latest = self.path.join(LATEST_FILE);
        let name = fs::read_to_string(&latest).with_context(|| {
            format!("{} has no checkpoint yet: could not read {}", self.path.display(), latest.display())
        })?;
        Ok(self.path.join(name.trim()))
    }

    /// The newest checkpoint.
    pub fn load(&self) -> anyhow::Result<Saved> {
        let folder = self.latest()?;
        let read = |file: &str| {
            let path = folder.join(file);
            fs::read(&path).with_context(|| format!("could not read {}", path.display()))
        };
        let state = serde_json::from_slice(&read(STATE_FILE)?)
            .with_context(|| format!("{} is damaged", folder.join(STATE_FILE).display()))?;
        let optimizer = optimizer_from_bytes(&read(OPTIMIZER_FILE)?)
            .with_context(|| format!("{} is damaged", folder.join(OPTIMIZER_FILE).display()))?;
        let method = match folder.join(METHOD_FILE).exists() {
            true => store::weights_from_bytes(&read(METHOD_FILE)?)
                .with_context(|| format!("{} is damaged", folder.join(METHOD_FILE).display()))?,
            false => Weights::new(),
        };
        Ok(Saved { model: read(MODEL_FILE)?, optimizer, method, state })
    }

    /// Adds one line to the metrics.
    pub fn log(&self, metrics: &Metrics) -> anyhow::Result<()> {
        let path = self.path.join(METRICS_FILE);
        let mut line = serde_json::to_vec(metrics)?;
        line.push(b'\n');
        let append = || fs::OpenOptions::new().create(true).append(true).open(&path)?.write_all(&line);
        append().with_context(|| format!("could not write {}", path.display()))
    }

    /// All metrics so far. A last line that a kill cut short is left out.
    pub fn metrics(&self) -> anyhow::Result<Vec<Metrics>> {
        let path = self.path.join(METRICS_FILE);
        if !path.exists() {
            return Ok(vec![]);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        let whole = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Ok(whole.collect())
    }

    /// Drops the metrics after `step`: those steps are about to be done again.
    pub fn rewind(&self, step: u64) -> anyhow::Result<()> {
        let kept: Vec<Metrics> = self.metrics()?.into_iter().filter(|m| m.step <= step).collect();
        files::write_atomic(&self.path.join(METRICS_FILE), |out| {
            for metrics in &kept {
                serde_json::to_writer(&mut *out, metrics)?;
                out.write_all(b"\n")?;
            }
            Ok(())
        })
    }
}

fn remove_if_there(folder: &Path) -> std::io::Result<()> {
    if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) }
}

fn optimizer_bytes(state: &OptimizerState) -> anyhow::Result<Vec<u8>> {
    let named = state.iter().flat_map(|(id, buffers)| {
        buffers.iter().enumerate().map(move |(i, b)| (format!("buffer{i}.{id}"), b))
    });
    let views = named.map(|(name, values)| {
        Ok((name, TensorView::new(Dtype::F32, vec![values.len()], bytemuck::cast_slice(values))?))
    });
    let views = views.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(safetensors::serialize(views, None::<HashMap<String, String>>)?)
}

fn optimizer_from_bytes(bytes: &[u8]) -> anyhow::Result<OptimizerState> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut entries = vec![];
    for (name, view) in file.iter() {
        let place = name.strip_prefix("buffer").and_then(|rest| rest.split_once('.'));
        let place = place.and_then(|(i, id)| Some((i.parse::<usize>().ok()?, id.parse::<u64>().ok()?)));
        let (buffer, id) = place.with_context(|| format!("unknown key \"{name}\""))?;
        ensure!(view.dtype() == Dtype::F32, "{name} is {:?}; expected F32", view.dtype());
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        entries.push((buffer, id, values.collect::<Vec<f32>>()));
    }
    entries.sort_by_key(|(buffer, id, _)| (*buffer, *id));
    let mut state = OptimizerState::new();
    for (buffer, id, values) in entries {
        let buffers = state.entry(id).or_default();
        ensure!(buffers.len() == buffer, "buffer{buffer}.{id} is there, buffer{} is not", buffers.len());
        buffers.push(values);
    }
    Ok(state)
}
