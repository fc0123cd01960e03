//! What a field of the configuration can be, where it is one of a few.

use toml::Value;

use crate::objective::Objective;
use crate::train::optimizer::Rule;

/// One possibility: its name, and the value (a word, or a table with its constants) that stands for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub name: String,
    pub value: Value,
}

/// The possibilities of the field at `path` (dotted, list items numbered); empty where it is free.
pub fn choices(path: &str) -> Vec<Choice> {
    let tail = path.split('.').skip_while(|part| *part == "views" || part.parse::<usize>().is_ok());
    match tail.collect::<Vec<_>>().join(".").as_str() {
        "objective" => objectives(),
        "optimizer.rule" => rules(),
        "optimizer.rule.trust" => words(&["clipped", "plain"]),
        "precision" => words(&["full", "mixed"]),
        "model.backbone.depth" => words(&["resnet18", "resnet34", "resnet50"]),
        "model.backbone.stem" => stems(),
        "model.resize" | "resize" => words(&["bilinear", "bicubic"]),
        "crop" => crops(),
        _ => vec![],
    }
}

fn words(names: &[&str]) -> Vec<Choice> {
    names.iter().map(|name| Choice { name: (*name).into(), value: Value::String((*name).into()) }).collect()
}

fn table(text: &str) -> Value {
    Value::Table(toml::from_str(text).expect("a table written here"))
}

/// Every rule with its usual constants.
fn rules() -> Vec<Choice> {
    let choice = |rule: Rule| Choice {
        name: rule.name().into(),
        value: Value::try_from(rule).expect("a rule is a table"),
    };
    Rule::ALL.map(choice).into()
}

fn stems() -> Vec<Choice> {
    let stems = [("cifar", "kind = 'cifar'\npadding = 1"), ("imagenet", "kind = 'imagenet'")];
    stems.map(|(name, text)| Choice { name: name.into(), value: table(text) }).into()
}

fn crops() -> Vec<Choice> {
    let crops = [
        ("fixed-size patch", "[fixed]\nsize = 14"),
        ("random share of the area", "[scale]\nmin = 0.08\nmax = 1.0"),
    ];
    crops.map(|(name, text)| Choice { name: name.into(), value: table(text) }).into()
}

/// Every objective with its default constants.
fn objectives() -> Vec<Choice> {
    let choice = |objective: Objective| {
        let value = Value::try_from(&objective).expect("an objective is a table");
        Choice { name: objective.name().into(), value }
    };
    Objective::all().into_iter().map(choice).collect()
}

#[cfg(test)]
mod tests {
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
            let all = choices(path);
            assert!(!all.is_empty(), "{path}");
            for choice in all {
                let mut tree = base.clone();
                let slot = path.split('.').fold(&mut tree, |slot, part| match part.parse::<usize>() {
                    Ok(index) => &mut slot[index],
                    Err(_) => &mut slot[part],
                });
                *slot = choice.value;
                let config: TrainConfig =
                    tree.try_into().unwrap_or_else(|e| panic!("{path} {}: {e}", choice.name));
                config.validate().unwrap_or_else(|e| panic!("{path} {}: {e:#}", choice.name));
            }
        }
    }
}
