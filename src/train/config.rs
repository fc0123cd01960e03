//! What decides a training run. One struct serves the TOML file, the flags and the recipes.

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::optimizer::OptimizerConfig;
use crate::augment::{Resize, ViewConfig};
use crate::model::BackboneConfig;
use crate::objective::Objective;

/// Everything that decides a run, besides the data. Saved with the run as `config.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of the weights, the order of images and every augmentation.
    pub seed: u64,
    /// Passes over the data set.
    pub epochs: u64,
    /// Passes during which the learning rate rises linearly.
    pub warmup_epochs: f64,
    /// Images in a batch; each gives one patch per view.
    pub batch: usize,
    /// Micro-batches that a batch is cut into, to need less memory (see [`super::gradients`]).
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Use only the first N images; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Steps between checkpoints; one is also written at the start and at the end.
    pub checkpoint_every: u64,
    pub model: ModelConfig,
    pub objective: Objective,
    pub optimizer: OptimizerConfig,
    /// How each view of an image is made; two or more.
    pub views: Vec<ViewConfig>,
}

/// The network to train. The data set decides the normalisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    pub backbone: BackboneConfig,
    /// Output widths of the projector's layers; the last is that of z.
    pub projector: Vec<usize>,
    /// Side of the network's input, pixels.
    pub input: u32,
    pub resize: Resize,
}

impl TrainConfig {
    /// Reads a TOML text. The error names the line and the key.
    pub fn from_toml(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text)?;
        config.validate()?;
        Ok(config)
    }

    /// The same as TOML.
    pub fn to_toml(&self) -> anyhow::Result<String> {
        Ok(toml::to_string_pretty(self)?)
    }

    /// Changes fields by their dotted keys, as `--set batch=64 --set optimizer.lr=0.1` does; list
    /// items are numbered (`views.0.grey=0.2`). Ranges are checked once all changes are made.
    pub fn set<S: AsRef<str>>(&mut self, assignments: &[S]) -> anyhow::Result<()> {
        let mut changed = self.clone();
        for assignment in assignments {
            let assignment = assignment.as_ref();
            let (key, value) = assignment
                .split_once('=')
                .with_context(|| format!("--set {assignment}: expected key=value, such as batch=128"))?;
            let mut tree = toml::Value::try_from(&changed)?;
            let slot = find_slot(&mut tree, key.trim())?;
            *slot = parse_value(value.trim(), slot);
            changed = tree.try_into().with_context(|| format!("--set {assignment}"))?;
        }
        changed.validate()?;
        *self = changed;
        Ok(())
    }

    /// Checks every range. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        ensure!((1..=100_000).contains(&self.epochs), "epochs is {}; expected 1 to 100,000", self.epochs);
        ensure!(
            (0.0..=self.epochs as f64).contains(&self.warmup_epochs),
            "warmup_epochs is {}; expected 0 to epochs ({})",
            self.warmup_epochs,
            self.epochs
        );
        ensure!((2..=65_536).contains(&self.batch), "batch is {}; expected 2 to 65,536 images", self.batch);
        let (batch, accumulate) = (self.batch, self.accumulate);
        ensure!(
            accumulate >= 1 && batch.is_multiple_of(accumulate) && batch / accumulate >= 2,
            "accumulate is {accumulate}; expected a divisor of batch ({batch}) that leaves micro-batches of \
             at least 2 images"
        );
        ensure!(self.checkpoint_every >= 1, "checkpoint_every is 0; expected at least 1 step");
        if let Some(images) = self.images {
            ensure!(images >= self.batch, "images is {images}; expected at least one batch ({})", self.batch);
        }
        let model = &self.model;
        model.backbone.validate().context("model.backbone")?;
        ensure!((8..=1024).contains(&model.input), "model.input is {}; expected 8 to 1024", model.input);
        ensure!(!model.projector.is_empty(), "model.projector is empty; expected at least one layer");
        let in_range = |&width: &usize| (1..=65_536).contains(&width);
        ensure!(
            model.projector.iter().all(in_range),
            "model.projector is {:?}; expected widths of 1 to 65,536",
            model.projector
        );
        self.objective.validate()?;
        self.optimizer.validate()?;
        ensure!(self.views.len() >= 2, "views holds {} entries; expected at least 2", self.views.len());
        for (index, view) in self.views.iter().enumerate() {
            let problems = view.problems(model.input);
            ensure!(problems.is_empty(), "views.{index}.{}", problems[0]);
        }
        Ok(())
    }

    /// Optimisation steps of one pass over `images` images; the last, incomplete batch is left out.
    pub fn steps_per_epoch(&self, images: usize) -> u64 {
        (images / self.batch) as u64
    }
}

fn one() -> usize {
    1
}

fn find_slot<'a>(tree: &'a mut toml::Value, key: &str) -> anyhow::Result<&'a mut toml::Value> {
    let mut slot = tree;
    for part in key.split('.') {
        slot = match slot {
            toml::Value::Table(table) => {
                let known = table.keys().cloned().collect::<Vec<_>>().join(", ");
                // Fields that may be absent, with the kind of value that they hold.
                let optional = match part {
                    "images" => Some(toml::Value::Integer(0)),
                    "clip_norm" => Some(toml::Value::Float(0.0)),
                    _ => None,
                };
                if let Some(value) = optional.filter(|_| !table.contains_key(part)) {
                    table.insert(part.into(), value);
                }
                table
                    .get_mut(part)
                    .with_context(|| format!("--set {key}: no field \"{part}\"; there are {known}"))?
            }
            toml::Value::Array(items) => {
                let count = items.len();
                let index = part.parse::<usize>().ok().filter(|&index| index < count);
                let index = index.with_context(|| {
                    format!("--set {key}: \"{part}\" is no item; the list holds {count}, counted from 0")
                })?;
                &mut items[index]
            }
            _ => anyhow::bail!("--set {key}: nothing below \"{part}\""),
        };
    }
    Ok(slot)
}

/// Reads `text` as the kind of value that stands there now; what does not fit stays text, and
/// the error comes from the field.
fn parse_value(text: &str, current: &toml::Value) -> toml::Value {
    if matches!(current, toml::Value::Float(_))
        && let Ok(number) = text.parse::<f64>()
    {
        return toml::Value::Float(number);
    }
    let wrapped = toml::from_str::<toml::Table>(&format!("v = {text}"));
    wrapped.ok().and_then(|mut table| table.remove("v")).unwrap_or_else(|| toml::Value::String(text.into()))
}

#[cfg(test)]
mod tests {
    use super::super::recipes;

    #[test]
    fn a_config_survives_toml_and_takes_changes_by_key() {
        let mut config = recipes::find("quick-parts").unwrap().config;
        let text = config.to_toml().unwrap();
        assert_eq!(super::TrainConfig::from_toml(&text).unwrap(), config);
        config.set(&["images=640", "batch=64", "optimizer.lr=1", "model.projector=[64, 32]"]).unwrap();
        assert_eq!((config.batch, config.images), (64, Some(640)));
        assert_eq!(config.model.projector, [64, 32]);
    }

    #[test]
    fn a_wrong_field_or_value_is_named() {
        let mut config = recipes::find("quick-parts").unwrap().config;
        let error = |result: anyhow::Result<()>| format!("{:#}", result.unwrap_err());
        assert!(error(config.set(&["bach=64"])).contains("no field \"bach\""));
        assert!(error(config.set(&["batch=1"])).contains("expected 2 to"));
        for parts in ["accumulate=0", "accumulate=7", "accumulate=128"] {
            assert!(error(config.set(&[parts])).contains("accumulate is"), "{parts}");
        }
        assert!(error(config.set(&["batch=many"])).contains("batch"));
        assert!(error(config.set(&["views.17.flip=1"])).contains("counted from 0"));
    }
}
