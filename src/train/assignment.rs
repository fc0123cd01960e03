//! Changes of a configuration by dotted key, as `--set` takes them.

use anyhow::{Context, anyhow};

use super::config::TrainConfig;
use super::settings::{self, SettingChoice};

impl TrainConfig {
    /// Changes fields by their dotted keys, as `--set batch=64 --set optimizer.lr=0.1` does; list
    /// items are numbered (`views.0.grey=0.2`), and nothing (`images=`) leaves out what may be absent.
    /// Ranges are checked once all changes are made.
    pub fn set<S: AsRef<str>>(&mut self, assignments: &[S]) -> anyhow::Result<()> {
        let mut changed = self.clone();
        for assignment in assignments {
            let assignment = assignment.as_ref();
            let (key, value) = assignment
                .split_once('=')
                .with_context(|| format!("--set {assignment}: expected key=value, such as batch=128"))?;
            let mut tree = toml::Value::try_from(&changed)?;
            let (key, value) = (key.trim(), value.trim());
            match kind_of(key, value) {
                Some((path, choice)) => {
                    let slot = find_slot(&mut tree, path)?;
                    // The same one again keeps the constants that it has.
                    if !choice.is_kind_of(slot) {
                        *slot = choice.value.clone();
                    }
                }
                None if value.is_empty() && settings::absent(key).is_some() => leave_out(&mut tree, key)?,
                None => {
                    let slot = find_slot(&mut tree, key)?;
                    *slot = parse_value(value, slot);
                }
            }
            changed = tree
                .try_into()
                .map_err(|error| anyhow!("--set {assignment}: {}", told(key, value, &error)))?;
        }
        changed.validate()?;
        *self = changed;
        Ok(())
    }
}

fn find_slot<'a>(tree: &'a mut toml::Value, key: &str) -> anyhow::Result<&'a mut toml::Value> {
    let mut elsewhere = vec![];
    places_of(tree, key, "", &mut elsewhere);
    let meant = elsewhere.first().map_or(String::new(), |path| format!("; did you mean {path}?"));
    let mut slot = tree;
    let mut path = String::new();
    for part in key.split('.') {
        slot = match slot {
            toml::Value::Table(table) => {
                let optional: Vec<_> =
                    settings::may_be_absent(&path).filter(|(name, _)| !table.contains_key(*name)).collect();
                let known = table.keys().map(String::as_str).chain(optional.iter().map(|(name, _)| *name));
                let known = known.collect::<Vec<_>>().join(", ");
                // A value of its kind tells how to read what is to stand there.
                if let Some((name, absent)) = optional.iter().find(|(name, _)| *name == part) {
                    table.insert((*name).into(), absent.like.clone());
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
        path = if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
    }
    Ok(slot)
}

/// Takes out the field at `key`, if it is there.
fn leave_out(tree: &mut toml::Value, key: &str) -> anyhow::Result<()> {
    let table = match key.rsplit_once('.') {
        Some((path, _)) => find_slot(tree, path)?,
        None => tree,
    };
    if let toml::Value::Table(table) = table {
        table.remove(key.rsplit('.').next().unwrap_or(key));
    }
    Ok(())
}

/// The possibility called `name` of the setting at `key`, or of the one whose tag `key` is, where a table with
/// constants of its own stands for each; with the path of the setting.
fn kind_of<'a>(key: &'a str, name: &str) -> Option<(&'a str, &'static SettingChoice)> {
    let path = setting_of(key);
    let choice = settings::find(path)?.choice(name.trim_matches(['"', '\'']))?;
    choice.value.is_table().then_some((path, choice))
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

/// Why the setting at `key` does not take `value`, and what it takes.
fn told(key: &str, value: &str, error: &toml::de::Error) -> String {
    let message = in_words(error.message());
    let setting = settings::find(setting_of(key));
    match setting.and_then(|setting| Some((setting, setting.expected()?))) {
        // A table says itself what is wrong in it.
        Some((setting, _)) if !setting.choices.is_empty() && value.starts_with('{') => message,
        Some((setting, expected)) if !setting.choices.is_empty() => format!("expected {expected}"),
        Some((_, expected)) => format!("{message} ({expected})"),
        None => message,
    }
}

/// The path of the setting whose tag may be `key`: the objective for `objective.name`.
fn setting_of(key: &str) -> &str {
    key.strip_suffix(".name").or_else(|| key.strip_suffix(".kind")).unwrap_or(key)
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
    use super::super::optimizer::{Rule, Trust};
    use super::super::recipes;
    use super::TrainConfig;
    use crate::objective::Objective;

    #[test]
    fn a_config_survives_toml_and_takes_changes_by_key() {
        let mut config = recipes::find("quick-parts").unwrap().config;
        let text = config.to_toml().unwrap();
        assert_eq!(TrainConfig::from_toml(&text).unwrap(), config);
        config.set(&["images=640", "batch=64", "optimizer.lr=1", "model.projector=[64, 32]"]).unwrap();
        assert_eq!((config.batch, config.images), (64, Some(640)));
        assert_eq!(config.model.projector, [64, 32]);
    }

    #[test]
    fn nothing_leaves_out_what_may_be_absent() {
        let mut config = recipes::find("quick-parts").unwrap().config;
        config.set(&["images=640", "optimizer.clip_norm=2"]).unwrap();
        config.set(&["images=", "optimizer.clip_norm=", "holdout="]).unwrap();
        assert_eq!((config.images, config.optimizer.clip_norm, config.holdout), (None, None, None));
        assert!(config.set(&["batch="]).is_err());
    }

    #[test]
    fn a_method_or_rule_is_set_by_its_name_and_brings_its_constants() {
        let mut config = recipes::find("quick-parts").unwrap().config;
        let recipe = config.clone();
        config.set(&["objective.name=vicreg", "optimizer.rule=adamw"]).unwrap();
        assert_eq!(config, recipe, "its own method and rule keep the recipe's constants");
        config.set(&["objective=tcr"]).unwrap();
        for objective in Objective::all() {
            config.set(&[format!("objective.name={}", objective.name())]).unwrap();
            assert_eq!(config.objective, objective);
        }
        config.set(&["optimizer.rule=lars", "optimizer.rule.eta=0.01"]).unwrap();
        let (trust, nesterov, decay_at_zero) = (Trust::Clipped, false, true);
        let lars = Rule::Lars { momentum: 0.9, eta: 0.01, trust, nesterov, decay_at_zero };
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
        assert!(many.contains("(2 to 65,536)"), "{many}");
        for (wrong, names) in [
            ("precision=half", "--set precision=half: expected one of full, mixed"),
            ("objective=magic", "expected one of vicreg, simclr, tcr"),
            ("optimizer.rule.name=magic", "expected one of sgd, adamw, lars"),
            ("model.backbone.stem.kind=magic", "expected one of cifar, pooled, imagenet"),
        ] {
            let message = error(config.set(&[wrong]));
            assert!(message.contains(names), "{message}");
        }
        config.set(&["model.backbone.stem=imagenet", "model.backbone.stem.kind=cifar"]).unwrap();
        assert!(error(config.set(&["views.17.flip=1"])).contains("counted from 0"));
        assert!(error(config.set(&["probe.imagse=3"])).contains("no field \"imagse\""));
    }
}
