//! Whether a configuration is within its ranges, as the rows of [`super::settings`] tell them.

use anyhow::{anyhow, ensure};
use toml::Value;

use super::config::TrainConfig;
use super::settings::{Setting, SettingPlace, settings};
use crate::words::quoted;

/// A field that is out of its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted, as `--set` takes it: "model.projector".
    pub field: String,
    /// A sentence that begins with the field: what it is, and what was expected.
    pub message: String,
}

impl TrainConfig {
    /// Reads a TOML text. The error names the line and the key.
    pub fn from_toml(text: &str) -> anyhow::Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| anyhow!("{}", place_words(text, &error)))?;
        config.validate()?;
        Ok(config)
    }

    /// Checks every range. The error names each field that is out of its range.
    pub fn validate(&self) -> anyhow::Result<()> {
        let problems: Vec<String> = self.problems().into_iter().map(|problem| problem.message).collect();
        ensure!(problems.is_empty(), "{}", problems.join("; "));
        Ok(())
    }

    /// Every field that is out of its range, in the order of the rows.
    pub fn problems(&self) -> Vec<Problem> {
        let tree = match Value::try_from(self) {
            Ok(tree) => tree,
            // A whole number beyond those of TOML, which no file can hold.
            Err(error) => {
                let message = format!("seed or another number cannot be written as TOML: {error}");
                return vec![Problem { field: "seed".into(), message }];
            }
        };
        let mut check = Check { config: self, problems: vec![] };
        for setting in settings() {
            check.visit(setting, &setting.path, &tree, String::new(), 0);
        }
        check.problems
    }
}

/// Where a TOML text is broken, and how, on one line; the parser repeats the line whole, however long it is.
pub fn place_words(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message.to_owned();
    };
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let (line, column) = (before.matches('\n').count() + 1, before[start..].chars().count() + 1);
    let rest = text[start..].lines().next().unwrap_or_default();
    format!("line {line}, column {column}, {}: {message}", quoted(rest))
}

/// The problems found so far.
struct Check<'a> {
    config: &'a TrainConfig,
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// Checks whatever stands at `rest` below `tree`, each item of a list. `path` leads to `tree`.
    fn visit(&mut self, setting: &Setting, rest: &str, tree: &Value, path: String, item: usize) {
        let (part, rest) = rest.split_once('.').unwrap_or((rest, ""));
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match (part, tree) {
            ("", value) => {
                if let Some(words) = setting.problem(value, SettingPlace { config: self.config, item }) {
                    self.problems.push(Problem { message: format!("{path} {words}"), field: path });
                }
            }
            ("N", Value::Array(items)) => {
                for (item, value) in items.iter().enumerate() {
                    self.visit(setting, rest, value, below(&item.to_string()), item);
                }
            }
            (part, Value::Table(table)) => {
                if let Some(value) = table.get(part) {
                    self.visit(setting, rest, value, below(part), item);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{TrainConfig, recipes};

    #[test]
    fn where_a_text_is_broken_is_told_in_a_line() {
        let error = |text: &str| TrainConfig::from_toml(text).unwrap_err().to_string();
        let said = error("seed = 1\nepochs = \"many\"\n");
        assert!(said.starts_with("line 2, column 10, \"epochs = \\\"many\\\"\": "), "{said}");
        assert!(said.contains("invalid type") && !said.contains('\n'), "{said}");
        let said = error(&format!("seed = 1\n{}", "x".repeat(200_000)));
        assert!(said.starts_with("line 2, column ") && said.contains("... (200,000 characters)"), "{said}");
        assert!(said.len() < 600, "{}", said.len());
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
            "images",
            "checkpoint_every",
            "optimizer.lr",
            "model.backbone.width",
            "model.projector",
            "model.input",
            "probe.images",
            "views.1.jitter.hue",
        ];
        assert_eq!(fields, expected);
        for problem in config.problems() {
            assert!(problem.message.starts_with(&problem.field), "{problem:?}");
            assert!(problem.message.contains("expected"), "{problem:?}");
        }
    }
}
