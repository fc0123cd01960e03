//! What decides a training run. One struct serves the TOML file, the flags and the recipes.

use std::ops::RangeInclusive;

use anyhow::{Context, anyhow, ensure};
use serde::{Deserialize, Serialize};

use super::optimizer::{OptimizerConfig, Rule};
use super::precision::Precision;
use crate::augment::{Resize, ViewConfig};
use crate::model::BackboneConfig;
use crate::objective::Objective;
use crate::words::thousands;

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
    /// In which numbers the network computes.
    #[serde(default)]
    pub precision: Precision,
    /// Use only the first N images; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Steps between checkpoints; one is also written at the start and at the end.
    pub checkpoint_every: u64,
    pub model: ModelConfig,
    pub objective: Objective,
    pub optimizer: OptimizerConfig,
    #[serde(default)]
    pub keep: Keep,
    #[serde(default)]
    pub probe: ProbeConfig,
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

/// Which checkpoints stay. The newest and that of step 0 always do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// The newest so many; 0 keeps all.
    pub last: usize,
    /// Besides, those whose step is a multiple of this; 0 for none.
    pub every: u64,
}

impl Keep {
    /// Which of `steps`, sorted upwards, may go.
    pub fn expendable(&self, steps: &[u64]) -> Vec<u64> {
        let newest = if self.last == 0 { steps.len() } else { self.last };
        let old = &steps[..steps.len().saturating_sub(newest)];
        let stays = |step: &u64| *step == 0 || (self.every > 0 && step.is_multiple_of(self.every));
        old.iter().copied().filter(|step| !stays(step)).collect()
    }
}

/// How the model is looked at while it trains: on fixed patches of images that it is not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// Steps between probes; 0 for none. Checkpoints come with the probe's vectors in any case.
    pub every: u64,
    /// Held-out images whose patches (16 of each) are embedded with every probe.
    pub images: usize,
    /// Labelled images that the online kNN classifier knows; 0 leaves it out.
    pub known: usize,
    /// Held-out images that it is asked about.
    pub asked: usize,
    /// Patches of an image whose embeddings are averaged; fixed-size patches only, crops of many
    /// sizes are answered by the whole image.
    pub patches: usize,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self { every: 100, images: 32, known: 1000, asked: 500, patches: 4 }
    }
}

impl ProbeConfig {
    fn add_problems(&self, problems: &mut Problems) {
        problems.range("probe.images", self.images, 2..=1024);
        problems.range("probe.known", self.known, 0..=100_000);
        problems.range("probe.asked", self.asked, 1..=100_000);
        problems.range("probe.patches", self.patches, 1..=256);
    }
}

/// A field that is out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted, as `--set` takes it: "model.projector".
    pub field: String,
    /// A sentence that begins with the field: what it is, and what was expected.
    pub message: String,
}

/// Collects problems.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn require(&mut self, good: bool, field: &str, words: impl FnOnce() -> String) {
        if !good {
            self.0.push(Problem { field: field.into(), message: format!("{field} {}", words()) });
        }
    }

    fn range<T: TryInto<u64> + Copy>(&mut self, field: &str, value: T, range: RangeInclusive<u64>) {
        let value = value.try_into().unwrap_or(u64::MAX);
        let (low, high) = (thousands(*range.start()), thousands(*range.end()));
        self.require(range.contains(&value), field, || {
            format!("is {}; expected {low} to {high}", thousands(value))
        });
    }

    /// Takes the error of a part that checks itself; its message begins with the field.
    fn check(&mut self, part: &str, result: anyhow::Result<()>) {
        if let Err(error) = result {
            let message = format!("{error:#}");
            let field =
                message.split([' ', ':']).next().filter(|field| field.starts_with(part)).unwrap_or(part);
            self.0.push(Problem { field: field.into(), message: message.clone() });
        }
    }
}

impl ModelConfig {
    fn add_problems(&self, problems: &mut Problems) {
        problems.check("model.backbone", self.backbone.validate().context("model.backbone"));
        problems.range("model.input", self.input as usize, 8..=1024);
        let widths = &self.projector;
        problems.require(!widths.is_empty(), "model.projector", || {
            "is empty; expected at least one layer".into()
        });
        problems.require(widths.iter().all(|width| (1..=65_536).contains(width)), "model.projector", || {
            format!("is {widths:?}; expected widths of 1 to 65,536")
        });
    }
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
            let (key, value) = (key.trim(), value.trim());
            // Another method or rule comes with constants of its own.
            let kind = key.strip_suffix(".name").unwrap_or(key);
            match kind_of(kind, value)? {
                Some(table) => {
                    let slot = find_slot(&mut tree, kind)?;
                    // The same one again keeps the constants that it has.
                    if slot.get("name") != table.get("name") {
                        *slot = table;
                    }
                }
                None => {
                    let slot = find_slot(&mut tree, key)?;
                    *slot = parse_value(value, slot);
                }
            }
            let told = |error: toml::de::Error| anyhow!("--set {assignment}: {}", in_words(error.message()));
            changed = tree.try_into().map_err(told)?;
        }
        changed.validate()?;
        *self = changed;
        Ok(())
    }

    /// Checks every range. The error names each field that is out of its range.
    pub fn validate(&self) -> anyhow::Result<()> {
        let problems: Vec<String> = self.problems().into_iter().map(|problem| problem.message).collect();
        ensure!(problems.is_empty(), "{}", problems.join("; "));
        Ok(())
    }

    /// Every field that is out of its range.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        let Self { epochs, warmup_epochs, batch, images, checkpoint_every, .. } = *self;
        problems.range("epochs", epochs, 1..=100_000);
        problems.require((0.0..=epochs as f64).contains(&warmup_epochs), "warmup_epochs", || {
            format!("is {warmup_epochs}; expected 0 to epochs ({epochs})")
        });
        problems.range("batch", batch, 2..=65_536);
        let parts = self.accumulate;
        let divides = parts >= 1 && batch.is_multiple_of(parts) && batch / parts >= 2;
        problems.require(divides, "accumulate", || {
            format!(
                "is {parts}; expected a divisor of batch ({batch}) that leaves micro-batches of at least 2 images"
            )
        });
        problems
            .require(checkpoint_every >= 1, "checkpoint_every", || "is 0; expected at least 1 step".into());
        if let Some(images) = images {
            problems.require(images >= batch, "images", || {
                format!("is {images}; expected at least one batch ({batch})")
            });
        }
        self.model.add_problems(&mut problems);
        problems.check("objective", self.objective.validate());
        problems.check("optimizer", self.optimizer.validate());
        self.probe.add_problems(&mut problems);
        let views = self.views.len();
        problems.require(views >= 2, "views", || format!("holds {views} entries; expected at least 2"));
        for (index, view) in self.views.iter().enumerate() {
            for problem in view.problems(self.model.input) {
                let field = format!("views.{index}.{}", problem.field);
                problems.require(false, &field, || problem.message);
            }
        }
        problems.0
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
    let mut elsewhere = vec![];
    places_of(tree, key, "", &mut elsewhere);
    let meant = elsewhere.first().map_or(String::new(), |path| format!("; did you mean {path}?"));
    let mut slot = tree;
    for part in key.split('.') {
        slot = match slot {
            toml::Value::Table(table) => {
                let optional = [("epochs", "images"), ("lr", "clip_norm")];
                let absent = optional
                    .iter()
                    .filter(|(beside, field)| table.contains_key(*beside) && !table.contains_key(*field));
                let known = table.keys().cloned().chain(absent.map(|(_, field)| (*field).to_owned()));
                let known = known.collect::<Vec<_>>().join(", ");
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
                    .with_context(|| format!("--set {key}: no field \"{part}\"; there are {known}{meant}"))?
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

/// The objective or the optimiser's rule called `name`, with its usual constants, where `key` is one of the two.
fn kind_of(key: &str, name: &str) -> anyhow::Result<Option<toml::Value>> {
    let name = name.trim_matches(['"', '\'']);
    Ok(match key {
        "objective" => {
            let found = Objective::all().into_iter().find(|objective| objective.name() == name);
            found.map(toml::Value::try_from).transpose()?
        }
        "optimizer.rule" => {
            Rule::ALL.into_iter().find(|rule| rule.name() == name).map(toml::Value::try_from).transpose()?
        }
        _ => None,
    })
}

/// Where a field called `name` stands below `tree`, by dotted keys.
fn places_of(tree: &toml::Value, name: &str, below: &str, found: &mut Vec<String>) {
    let toml::Value::Table(table) = tree else { return };
    for (key, value) in table {
        let path = if below.is_empty() { key.clone() } else { format!("{below}.{key}") };
        if key == name {
            found.push(path.clone());
        }
        places_of(value, name, &path, found);
    }
}

/// What a wrong value is said to be, without the names of Rust's types.
fn in_words(message: &str) -> String {
    let kinds = [
        ("expected usize", "expected a whole number from 0 on"),
        ("expected u64", "expected a whole number from 0 on"),
        ("expected u32", "expected a whole number from 0 on"),
        ("expected f64", "expected a number"),
        ("expected f32", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list, such as [64, 32]"),
        ("invalid type: ", "wrong kind of value: "),
    ];
    kinds.iter().fold(message.to_owned(), |text, (kind, words)| text.replace(kind, words))
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
    fn a_method_or_rule_is_set_by_its_name_and_brings_its_constants() {
        let mut config = recipes::find("quick-parts").unwrap().config;
        let recipe = config.clone();
        config.set(&["objective.name=vicreg", "optimizer.rule=adamw"]).unwrap();
        assert_eq!(config, recipe, "its own method and rule keep the recipe's constants");
        config.set(&["objective=tcr"]).unwrap();
        for objective in super::Objective::all() {
            config.set(&[format!("objective.name={}", objective.name())]).unwrap();
            assert_eq!(config.objective, objective);
        }
        config.set(&["optimizer.rule=lars", "optimizer.rule.eta=0.01"]).unwrap();
        let lars =
            super::Rule::Lars { momentum: 0.9, eta: 0.01, trust: crate::train::optimizer::Trust::Clipped };
        assert_eq!(config.optimizer.rule, lars);
        config.set(&["optimizer.rule.name=adamw", "objective=simclr", "objective.temperature=0.3"]).unwrap();
        assert_eq!(config.optimizer.rule.name(), "adamw");
        assert!(config.set(&["objective.name=magic"]).is_err());
    }

    #[test]
    fn a_wrong_field_or_value_is_named() {
        let mut config = recipes::find("quick-parts").unwrap().config;
        let error = |result: anyhow::Result<()>| format!("{:#}", result.unwrap_err());
        assert!(error(config.set(&["bach=64"])).contains("no field \"bach\""));
        let places = error(config.set(&["lr=0.1"]));
        assert!(places.contains("images") && places.contains("did you mean optimizer.lr?"), "{places}");
        assert!(error(config.set(&["batch=1"])).contains("expected 2 to"));
        for parts in ["accumulate=0", "accumulate=7", "accumulate=128"] {
            assert!(error(config.set(&[parts])).contains("accumulate is"), "{parts}");
        }
        let many = error(config.set(&["batch=many"]));
        assert!(many.contains("--set batch=many") && many.contains("expected a whole number"), "{many}");
        assert!(error(config.set(&["views.17.flip=1"])).contains("counted from 0"));
        assert!(error(config.set(&["probe.imagse=3"])).contains("no field \"imagse\""));
    }

    #[test]
    fn every_field_out_of_its_range_is_listed_by_its_key() {
        let mut config = recipes::find("quick-parts").unwrap().config;
        config.epochs = 0;
        config.warmup_epochs = -1.0;
        config.batch = 70_000;
        config.checkpoint_every = 0;
        config.images = Some(5);
        config.model.input = 4;
        config.model.projector = vec![];
        config.model.backbone.width = 0;
        config.optimizer.lr = -1.0;
        config.probe.images = 1;
        config.views[1].jitter.hue = 2.0;
        let fields: Vec<String> = config.problems().into_iter().map(|problem| problem.field).collect();
        let expected = [
            "epochs",
            "warmup_epochs",
            "batch",
            "checkpoint_every",
            "images",
            "model.backbone",
            "model.input",
            "model.projector",
            "optimizer.lr",
            "probe.images",
            "views.1.jitter.hue",
        ];
        assert_eq!(fields, expected);
        for problem in config.problems() {
            assert!(problem.message.starts_with(&problem.field), "{problem:?}");
            assert!(problem.message.contains("expected"), "{problem:?}");
        }
    }

    #[test]
    fn the_policy_keeps_the_first_the_last_and_every_nth_checkpoint() {
        let steps = [0, 100, 200, 300, 400, 450];
        let keep = |last, every| super::Keep { last, every }.expendable(&steps);
        assert!(keep(0, 0).is_empty());
        assert_eq!(keep(1, 0), [100, 200, 300, 400]);
        assert_eq!(keep(2, 200), [100, 300]);
        assert!(keep(9, 0).is_empty());
    }
}
