use std::collections::BTreeSet;

use toml::Value;

use super::*;
use crate::train::{TrainConfig, recipes};

#[test]
fn every_choice_is_one_that_a_configuration_takes() {
    let base = Value::try_from(&recipes::find("quick-parts").unwrap().config).unwrap();
    for path in [
        "objective",
        "optimizer.rule",
        "model.backbone.depth",
        "model.backbone.stem",
        "model.resize",
        "views.0.crop",
        "views.0.resize",
    ] {
        let all = &find(path).unwrap().choices;
        assert!(!all.is_empty(), "{path}");
        for choice in all {
            let mut tree = base.clone();
            let slot = path.split('.').fold(&mut tree, |slot, part| match part.parse::<usize>() {
                Ok(index) => &mut slot[index],
                Err(_) => &mut slot[part],
            });
            *slot = choice.value.clone();
            let config: TrainConfig =
                tree.try_into().unwrap_or_else(|e| panic!("{path} {}: {e}", choice.name));
            config.validate().unwrap_or_else(|e| panic!("{path} {}: {e:#}", choice.name));
        }
    }
}

/// Every path below `value` that a setting is expected at: numbers, words and lists, and tables that are one of a few.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Table(table) => {
            if table.keys().any(|key| key == "name" || key == "kind" || key == "fixed" || key == "scale") {
                found.insert(path.to_owned());
            }
            let tags = ["name", "kind"];
            table
                .iter()
                .filter(|(key, _)| !tags.contains(&key.as_str()))
                .for_each(|(key, value)| leaves(value, &below(key), found));
        }
        Value::Array(items) if items.iter().any(Value::is_table) => {
            found.insert(path.to_owned());
            items.iter().for_each(|item| leaves(item, &below("N"), found));
        }
        _ => drop(found.insert(path.to_owned())),
    }
}

/// The value at a dotted path, list items numbered.
fn at<'a>(tree: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(tree, |slot, part| match part.parse::<usize>() {
        Ok(index) => slot.get_mut(index),
        Err(_) => slot.get_mut(part),
    })
}

/// The default configuration with every possibility of every setting in turn, nothing being left out.
fn every_configuration() -> Vec<Value> {
    let mut base = recipes::find("quick-parts").unwrap().config;
    (base.images, base.optimizer.clip_norm) = (Some(1000), Some(1.0));
    let base = Value::try_from(&base).unwrap();
    let mut all = vec![base.clone()];
    for setting in settings() {
        for choice in &setting.choices {
            let mut tree = base.clone();
            let parts: Vec<String> = setting.path.replace('N', "0").split('.').map(str::to_owned).collect();
            let slot = parts.iter().try_fold(&mut tree, |slot, part| match part.parse::<usize>() {
                Ok(index) => slot.get_mut(index),
                Err(_) => slot.get_mut(part),
            });
            // Constants of another possibility (LARS' trust) are not there to be changed.
            if let Some(slot) = slot {
                *slot = choice.value.clone();
                all.push(tree);
            }
        }
    }
    all
}

#[test]
fn every_field_has_a_row_and_every_row_a_field() {
    let mut fields = BTreeSet::new();
    every_configuration().iter().for_each(|tree| leaves(tree, "", &mut fields));
    let rows: BTreeSet<String> = settings().iter().map(|setting| setting.path.to_owned()).collect();
    assert_eq!(rows.len(), settings().len(), "a path stands twice");
    assert_eq!(rows, fields);
}

#[test]
fn every_row_is_a_sentence_and_says_what_it_takes() {
    for setting in settings() {
        let Setting { path, help, .. } = setting;
        assert!(help.ends_with('.') && help.len() > 10, "{path}: {help}");
        let is_free = ["keep.every", "keep.last", "probe.every"].contains(path);
        assert_eq!(setting.expected().is_none(), is_free, "{path}");
        assert!(std::ptr::eq(find(&path.replace('N', "3")).unwrap(), setting), "{path}");
    }
    assert!(find("views.3").is_none() && find("probe").is_none() && find("").is_none());
    assert!(find("views.x.flip").is_none() && find("batch.0").is_none());
}

#[test]
fn every_number_out_of_range_is_a_problem_in_the_words_of_its_row() {
    for tree in every_configuration() {
        let config: TrainConfig = tree.clone().try_into().unwrap();
        assert_eq!(config.problems(), []);
        let mut fields = BTreeSet::new();
        leaves(&tree, "", &mut fields);
        for field in fields {
            let setting = find(&field).unwrap();
            let Range::Number { words, .. } = &setting.range else { continue };
            let mut wrong = tree.clone();
            // Of a list, the first item that has the field.
            let path = (0..8).map(|item| field.replace('N', &item.to_string()));
            let path = path.into_iter().find(|path| at(&mut wrong, path).is_some()).unwrap();
            let slot = at(&mut wrong, &path).unwrap();
            *slot = if slot.is_float() { Value::Float(-0.5) } else { Value::Integer(0) };
            let config: TrainConfig = wrong.try_into().unwrap();
            let problems = config.problems();
            assert!(
                problems.iter().any(|problem| problem.field == path
                    && problem.message.starts_with(&format!("{path} is "))
                    && problem.message.ends_with(&format!("; expected {words}"))),
                "{path}: {problems:?}"
            );
        }
    }
}
