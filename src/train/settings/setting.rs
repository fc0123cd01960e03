//! What a row of the table of settings says, and whether a value is what it takes.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use toml::Value;

use crate::objective::ConstantRange;
use crate::train::config::TrainConfig;
use crate::words::thousands;

/// One setting of a run.
pub struct Setting {
    /// Dotted, as `--set` takes it; `N` stands for the number of an item of a list ("views.N.flip").
    pub path: Cow<'static, str>,
    /// A sentence on what it decides, with its unit.
    pub help: &'static str,
    /// Which values are taken.
    pub range: Range,
    /// The possibilities, where it is one of a few.
    pub choices: Vec<SettingChoice>,
    /// Set where it may be left out.
    pub absent: Option<Absent>,
}

/// One possibility: its name, and the value (a word, or a table with its usual constants) that stands for it.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingChoice {
    /// What people call it; `--set` takes it, too.
    pub name: String,
    /// As it stands in the file.
    pub value: Value,
}

/// What a setting is that is left out.
pub struct Absent {
    /// The word for it: "all", "never".
    pub meaning: &'static str,
    /// A value of the kind that it takes otherwise.
    pub like: Value,
}

/// The values that a setting takes.
pub enum Range {
    /// Whatever its kind of value can be.
    Any,
    /// Whole numbers between two.
    Whole(RangeInclusive<u64>),
    /// Numbers of which something holds.
    Number {
        /// What is expected, in words that follow "expected".
        words: &'static str,
        /// Whether a number is taken.
        holds: fn(f64) -> bool,
    },
    /// What a loss takes of a constant of its own.
    Constant(ConstantRange),
    /// What is taken depends on other settings, or the value is no single number.
    Beside {
        /// What is expected, in words that follow "expected".
        words: &'static str,
        /// The same with the numbers of this configuration, where its value is not taken.
        missed: fn(SettingPlace<'_>) -> Option<String>,
    },
}

/// Where a setting stands: in a configuration, in the item of that number where the setting is one of a list.
#[derive(Clone, Copy)]
pub struct SettingPlace<'a> {
    /// The whole configuration.
    pub config: &'a TrainConfig,
    /// Which view.
    pub item: usize,
}

/// Whether the first parts of `pattern` are those of `path`.
pub fn starts_with(pattern: &str, path: &str) -> bool {
    let mut pattern = pattern.split('.');
    path.split('.').all(|part| pattern.next().is_some_and(|wanted| is_part(wanted, part)))
}

/// Whether one part of a path is what a row calls `wanted`.
fn is_part(wanted: &str, part: &str) -> bool {
    part == wanted || wanted == "N" && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

impl Setting {
    /// Whether it is what `path` leads to.
    pub fn is_at(&self, path: &str) -> bool {
        starts_with(&self.path, path) && self.path.split('.').count() == path.split('.').count()
    }

    /// The possibility that `now` is one of.
    pub fn chosen(&self, now: &Value) -> Option<&SettingChoice> {
        self.choices.iter().find(|choice| choice.is_kind_of(now))
    }

    /// The possibility of that name.
    pub fn choice(&self, name: &str) -> Option<&SettingChoice> {
        self.choices.iter().find(|choice| choice.name == name)
    }

    /// The whole numbers that it takes, where it takes those between two.
    pub fn whole_numbers(&self) -> Option<RangeInclusive<u64>> {
        match &self.range {
            Range::Whole(range) => Some(range.clone()),
            Range::Constant(ConstantRange::Whole(least, most)) => Some(*least..=*most),
            _ => None,
        }
    }

    /// What is expected of a value, in words that follow "expected"; `None` where everything is taken.
    pub fn expected(&self) -> Option<String> {
        let names = || self.choices.iter().map(|choice| choice.name.as_str()).collect::<Vec<_>>().join(", ");
        match &self.range {
            Range::Any => (!self.choices.is_empty()).then(|| format!("one of {}", names())),
            Range::Whole(range) => Some(between(range)),
            Range::Constant(range) => Some(range.words()),
            Range::Number { words, .. } | Range::Beside { words, .. } => Some((*words).to_owned()),
        }
    }

    /// What is wrong with the setting's value in a configuration, in words that follow its path.
    pub fn problem(&self, value: &Value, place: SettingPlace<'_>) -> Option<String> {
        let number = || value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
        let expected = match &self.range {
            Range::Any => None,
            Range::Whole(range) => {
                let whole = value.as_integer().and_then(|whole| u64::try_from(whole).ok());
                (!whole.is_some_and(|whole| range.contains(&whole))).then(|| between(range))
            }
            Range::Number { words, holds } => (!number().is_some_and(holds)).then(|| (*words).to_owned()),
            Range::Constant(range) => {
                (!number().is_some_and(|value| range.contains(value))).then(|| range.words())
            }
            Range::Beside { missed, .. } => missed(place),
        };
        expected.map(|expected| format!("{}; expected {expected}", said(value)))
    }
}

impl SettingChoice {
    /// Whether `now` is this possibility, with whatever constants.
    pub fn is_kind_of(&self, now: &Value) -> bool {
        match (now, &self.value) {
            (Value::Table(now), Value::Table(own)) => match (tag(now), tag(own)) {
                (Some(now), Some(own)) => now == own,
                // Written below the one key that names it (`crop.fixed`).
                _ => now.keys().next() == own.keys().next(),
            },
            (now, own) => now == own,
        }
    }
}

/// The word that tells one kind of table from another.
pub fn tag(table: &toml::Table) -> Option<&str> {
    table.get("name").or_else(|| table.get("kind")).and_then(Value::as_str)
}

fn between(range: &RangeInclusive<u64>) -> String {
    format!("{} to {}", thousands(*range.start()), thousands(*range.end()))
}

/// A value in words that follow its name.
fn said(value: &Value) -> String {
    match value {
        Value::Array(items) if items.is_empty() => "is empty".to_owned(),
        Value::Array(items) if items.iter().any(Value::is_table) => format!("holds {} entries", items.len()),
        Value::Array(items) => format!("is [{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Integer(whole) if *whole >= 0 => format!("is {}", thousands(whole)),
        value => format!("is {}", plain(value)),
    }
}

/// A value as people write it: 1 for 1.0.
fn plain(value: &Value) -> String {
    match value {
        Value::Float(number) => number.to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
