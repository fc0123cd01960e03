//! A checkpoint's folder: `model.safetensors`, `optimizer.safetensors`, for BYOL `method.safetensors`, and
//! `state.json`, which says where the run stands and holds the checkpoint's [`Seal`]. Checkpoints of earlier versions
//! have no seal; of those, names and lengths of everything are looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use toml::Value;

use super::codec::{optimizer_bytes, optimizer_from_bytes};
use super::config::{ModelConfig, TrainConfig};
use super::differences::differences;
use super::optimizer::{OptimizerState, Rule};
use super::precision::LossScale;
use super::seal::{PartSum, PartSums, Seal};
use crate::files;
use crate::model::store::{self, MODEL_FILE};
use crate::model::weights::{self, Weights};

const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const METHOD_FILE: &str = "method.safetensors";
/// Where the run of a checkpoint stands: [`RunState`].
pub const STATE_FILE: &str = "state.json";

/// Where a run stands. The random state is the seed and the step: every draw is a function of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Steps done.
    pub step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Fingerprint of the data set.
    pub data: String,
    /// What the loss is multiplied by at reduced precision.
    #[serde(default)]
    pub loss_scale: LossScale,
}

/// What resuming needs.
pub struct RunCheckpoint {
    /// The configuration of the run.
    pub config: TrainConfig,
    /// The file `model.safetensors`.
    pub model: Vec<u8>,
    /// The optimiser's buffers.
    pub optimizer: OptimizerState,
    /// Weights that the method trains besides the model; empty where there are none.
    pub method: Weights,
    /// Where the run stands.
    pub state: RunState,
}

/// `state.json`.
#[derive(Serialize, Deserialize)]
struct StateFile {
    #[serde(flatten)]
    state: RunState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<Seal>,
}

impl StateFile {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(STATE_FILE);
        serde_json::from_slice(&read(&path)?).with_context(|| format!("{} is damaged", path.display()))
    }
}

impl RunCheckpoint {
    /// Writes the files of a checkpoint into `folder`; `lines` are sums of the run's files of lines so far.
    pub fn write(&self, folder: &Path, lines: PartSums) -> anyhow::Result<()> {
        let mut parts = PartSums::new();
        let mut part = |file: &str, bytes: &[u8]| {
            parts.insert(file.into(), PartSum::of(bytes));
            files::write_bytes_atomic(&folder.join(file), bytes)
        };
        part(MODEL_FILE, &self.model)?;
        part(OPTIMIZER_FILE, &optimizer_bytes(&self.optimizer)?)?;
        if !self.method.is_empty() {
            part(METHOD_FILE, &store::weights_to_bytes(&self.method)?)?;
        }
        let seal = Seal::new(&self.config, &serde_json::to_vec(&self.state)?, parts, lines)?;
        let state = StateFile { state: self.state.clone(), seal: Some(seal) };
        files::write_bytes_atomic(&folder.join(STATE_FILE), &serde_json::to_vec_pretty(&state)?)
    }

    /// Reads the checkpoint in `folder`, of a run whose configuration is `config` now.
    ///
    /// # Errors
    /// What is damaged, missing or of another run or network: which file, key or tensor, what was found and expected.
    pub fn read(folder: &Path, config: TrainConfig) -> anyhow::Result<Self> {
        let StateFile { state, seal } = StateFile::read(folder)?;
        if let Some(seal) = &seal {
            seal.check_config(&config)?;
        }
        let mut found = PartSums::new();
        let mut part = |file: &str| {
            let bytes = read(&folder.join(file))?;
            found.insert(file.into(), PartSum::of(&bytes));
            anyhow::Ok(bytes)
        };
        let is_damaged = |file: &str| format!("{} is damaged", folder.join(file).display());
        let model = part(MODEL_FILE)?;
        let method = match folder.join(METHOD_FILE).exists() {
            true => {
                store::weights_from_bytes(&part(METHOD_FILE)?).with_context(|| is_damaged(METHOD_FILE))?
            }
            false => Weights::new(),
        };
        let optimizer = optimizer_from_bytes(&part(OPTIMIZER_FILE)?, |id| name_of(id, &model, &method))
            .with_context(|| is_damaged(OPTIMIZER_FILE))?;
        let saved = Self { config, model, optimizer, method, state };
        saved.check_fit()?;
        if let Some(seal) = seal {
            seal.check_parts(&serde_json::to_vec(&saved.state)?, &found)?;
        }
        Ok(saved)
    }

    /// Whether the parts are those of the run's network and optimiser.
    fn check_fit(&self) -> anyhow::Result<()> {
        let (info, mut shapes) = store::describe(&self.model).context(MODEL_FILE)?;
        let written = ModelConfig {
            backbone: info.backbone.resnet()?,
            projector: info.projector,
            input: info.input,
            resize: info.resize,
            projector_bias: info.projector_bias,
            // What a file of weights does not tell apart.
            normalization: self.config.model.normalization,
            zero_init: self.config.model.zero_init,
        };
        let found = differences(&Value::try_from(&self.config.model)?, &Value::try_from(&written)?);
        let words = found.iter().map(|found| {
            format!("config.toml says model.{} {}, {MODEL_FILE} has {}", found.key, found.first, found.second)
        });
        let words: Vec<String> = words.collect();
        ensure!(words.is_empty(), "the network is another: {}", words.join("; "));
        if self.config.objective.byol().is_some() {
            ensure!(
                !self.method.is_empty(),
                "{METHOD_FILE} is missing, with BYOL's predictor and target (predictor.0.weight and others)"
            );
            let predictor = self.method.iter().filter(|(name, _)| name.starts_with("predictor."));
            shapes.extend(predictor.map(|(name, array)| (name.clone(), array.shape.clone())));
        }
        shapes.retain(|name, _| !name.contains(".running_") && !name.ends_with(".num_batches_tracked"));
        // Before the first step there are no buffers yet.
        if self.state.step == 0 && self.optimizer.is_empty() {
            return Ok(());
        }
        check_buffers(&self.optimizer, &self.config.optimizer.rule, &shapes).context(OPTIMIZER_FILE)
    }
}

/// What the parameter is called whose buffers are saved under `id`.
fn name_of(id: u64, model: &[u8], method: &Weights) -> String {
    let of_model = store::describe(model).map(|(_, shapes)| shapes).unwrap_or_default();
    let mut names = of_model.keys().chain(method.keys());
    names.find(|name| weights::id_of(name) == id).cloned().unwrap_or_else(|| format!("parameter {id}"))
}

/// Sums of the run's files of lines, as far as they had come when the checkpoint in `folder` was written; none where
/// it does not say.
pub fn line_sums(folder: &Path) -> PartSums {
    StateFile::read(folder).ok().and_then(|file| file.seal).map(|seal| seal.lines).unwrap_or_default()
}

/// Holds an optimiser's buffers against the shapes of the parameters that it moves.
fn check_buffers(
    state: &OptimizerState,
    rule: &Rule,
    shapes: &BTreeMap<String, Vec<usize>>,
) -> anyhow::Result<()> {
    let expected = rule.buffers();
    for (name, shape) in shapes {
        let Some(buffers) = state.get(&weights::id_of(name)) else {
            bail!("it has no buffer for {name}; expected {expected} of shape {shape:?}");
        };
        ensure!(
            buffers.len() == expected,
            "it has {} buffers for {name}; expected {expected} of shape {shape:?}, as optimizer.rule is {}",
            buffers.len(),
            rule.name()
        );
        let length: usize = shape.iter().product();
        for (index, buffer) in buffers.iter().enumerate() {
            ensure!(
                buffer.len() == length,
                "buffer {index} of {name} has shape [{}]; expected [{length}], for weights of shape {shape:?}",
                buffer.len()
            );
        }
    }
    let known: BTreeSet<u64> = shapes.keys().map(|name| weights::id_of(name)).collect();
    let strange = state.keys().filter(|id| !known.contains(id)).count();
    ensure!(strange == 0, "it has buffers for {strange} parameters that the network does not have");
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    files::read(path, files::MOST_WEIGHTS).with_context(|| format!("could not read {}", path.display()))
}
