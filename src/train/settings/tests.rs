use std::collections::BTreeSet;

use toml::Value;

use super::*;
use crate::augment::{Crop, Preset, Resize, ViewConfig};
use crate::model::Depth;
use crate::train::{ImagesOrder, TrainConfig, recipes};

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
    (base.images_order, base.holdout) = (Some(ImagesOrder::Spread), Some(0.2));
    (base.model.backbone.depth, base.model.backbone.bottleneck) = (Depth::ResNet50, Some(8));
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
                // Networks of basic blocks have no bottlenecks.
                let backbone = tree["model"]["backbone"].as_table_mut().unwrap();
                if backbone["depth"].as_str() != Some("resnet50") {
                    backbone.remove("bottleneck");
                }
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
    let rows: BTreeSet<String> = settings().iter().map(|setting| setting.path.clone().into_owned()).collect();
    assert_eq!(rows.len(), settings().len(), "a path stands twice");
    assert_eq!(rows, fields);
}

#[test]
fn every_row_is_a_sentence_and_says_what_it_takes() {
    for setting in settings() {
        let Setting { path, help, .. } = setting;
        assert!(help.ends_with('.') && help.len() > 10, "{path}: {help}");
        let is_free = ["keep.every", "keep.last", "probe.every"].contains(&&**path);
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
            let words = match &setting.range {
                Range::Number { words, .. } => (*words).to_owned(),
                Range::Constant(range) => range.words(),
                _ => continue,
            };
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

type SpoilConfig = fn(&mut ViewConfig);

#[test]
fn each_value_out_of_range_is_refused_by_name() {
    let spoilt: [(&str, SpoilConfig); 16] = [
        ("crop.fixed.size: is 0; expected at least 1 pixel", |c| c.crop = Crop::Fixed { size: 0 }),
        ("crop.scale.min: is 0; ", |c| c.crop = Crop::Scale { min: 0.0, max: 1.0 }),
        ("crop.scale.max: is 0.1; ", |c| c.crop = Crop::Scale { min: 0.2, max: 0.1 }),
        ("crop.scale.max: is 1.1; ", |c| c.crop = Crop::Scale { min: 0.2, max: 1.1 }),
        ("flip: is 1.5; expected a probability from 0 to 1", |c| c.flip = 1.5),
        ("grey: is -0.1; ", |c| c.grey = -0.1),
        ("solarise: is NaN; ", |c| c.solarise = f64::NAN),
        ("jitter.p: is 2; ", |c| c.jitter.p = 2.0),
        ("jitter.brightness: is -1; ", |c| c.jitter.brightness = -1.0),
        ("jitter.contrast: is inf; ", |c| c.jitter.contrast = f64::INFINITY),
        ("jitter.saturation: is 11; ", |c| c.jitter.saturation = 11.0),
        ("jitter.hue: is 0.6; ", |c| c.jitter.hue = 0.6),
        ("blur.p: is 7; ", |c| c.blur.p = 7.0),
        ("blur.kernel: is 4; expected an odd number of pixels below 64", |c| c.blur.kernel = 4),
        ("blur.kernel: is 65; ", |c| c.blur.kernel = 65),
        ("blur.sigma: is [2, 1]; ", |c| c.blur.sigma = [2.0, 1.0]),
    ];
    for (message, spoil) in spoilt {
        let mut config = recipes::find("quick-parts").unwrap().config;
        config.model.input = 32;
        config.views[1] =
            ViewConfig::preset(Preset::ByolView1, Crop::Scale { min: 0.08, max: 1.0 }, Resize::Bilinear, 32);
        spoil(&mut config.views[1]);
        let [problem] = &config.problems()[..] else { panic!("{message}: {:?}", config.problems()) };
        let (field, words) = message.split_once(": ").unwrap();
        assert_eq!(problem.field, format!("views.1.{field}"));
        let expected = format!("views.1.{field} {words}");
        assert!(
            problem.message.starts_with(&expected),
            "{:?} does not start with {expected:?}",
            problem.message
        );
    }
}

#[test]
fn every_preset_of_a_view_is_within_the_ranges() {
    use Preset::*;
    for preset in [None, Quick, ByolView1, ByolView2, Simclr, Emp] {
        for input in [32, 224] {
            let mut config = recipes::find("quick-parts").unwrap().config;
            config.model.input = input;
            config.views =
                vec![ViewConfig::preset(preset, Crop::Fixed { size: 14 }, Resize::Bilinear, input); 2];
            assert_eq!(config.problems(), []);
        }
    }
}

#[test]
fn whatever_leads_to_an_allocation_has_a_range_that_the_error_names() {
    for (setting, expected) in [
        ("batch=65537", "batch is 65,537; expected 2 to 65,536"),
        ("model.input=1025", "model.input is 1,025; expected 8 to 1,024"),
        ("model.backbone.width=1025", "model.backbone.width is 1,025; expected 1 to 1,024"),
        (
            "model.backbone.bottleneck=2",
            "model.backbone.bottleneck is 2; expected 1 to 1,024, in networks of bottlenecks",
        ),
        ("model.projector=[65537]", "model.projector is [65537]; expected widths of 1 to 65,536"),
        ("probe.known=100001", "probe.known is 100,001; expected 0 to 100,000"),
        ("probe.images=1025", "probe.images is 1,025; expected 2 to 1,024"),
        ("probe.patches=257", "probe.patches is 257; expected 1 to 256"),
    ] {
        let mut config = crate::train::recipes::find("quick-parts").unwrap().config;
        let error = config.set(&[setting]).and_then(|()| config.validate()).unwrap_err();
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }
    let mut config = crate::train::recipes::find("quick-parts").unwrap().config;
    config.model.projector = vec![8; 17];
    config.views = vec![config.views[0].clone(); 1025];
    let text = config.validate().unwrap_err().to_string();
    assert!(text.contains("expected at most 16 layers"), "{text}");
    assert!(text.contains("views holds 1025 entries; expected 2 to 1,024"), "{text}");
}

#[test]
fn a_constant_of_a_loss_that_is_out_of_range_is_named() {
    let error = |text: &str| {
        let mut config = recipes::find("quick-parts").unwrap().config;
        config.objective = toml::from_str(text).unwrap();
        config.validate().unwrap_err().to_string()
    };
    assert!(error("name = \"simclr\"\ntemperature = 0.0").contains("objective.temperature is 0"));
    assert!(error("name = \"vicreg\"\nvariance = -1.0").contains("objective.variance is -1"));
    assert!(error("name = \"tcr\"\neps = 0.0").contains("objective.eps is 0"));
    assert!(error("name = \"tcr\"\nlambda = nan").contains("objective.lambda is NaN"));
    assert!(error("name = \"byol\"\nmomentum = 1.5").contains("objective.momentum is 1.5"));
    assert!(error("name = \"byol\"\nhidden = 0").contains("objective.hidden is 0"));
    assert!(error("name = \"spectral\"\nlambda = -2.0").contains("objective.lambda is -2"));
    assert!(error("name = \"barlow-twins\"\nlambda = -2.0").contains("objective.lambda is -2"));
    assert!(error("name = \"multi-patch\"\nweight = -2.0").contains("objective.weight is -2"));
}

/// NaN, what is infinite, and what becomes infinite in float32.
#[test]
fn no_setting_takes_a_number_that_float32_does_not() {
    let mut seen = BTreeSet::new();
    for tree in every_configuration() {
        let mut paths = BTreeSet::new();
        floats(&tree, "", &mut paths);
        for path in paths {
            for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e39] {
                let mut tree = tree.clone();
                *at(&mut tree, &path).unwrap() = Value::Float(wrong);
                let error = TrainConfig::from_toml(&toml::to_string(&tree).unwrap());
                let error = error.err().unwrap_or_else(|| panic!("{path} takes {wrong}")).to_string();
                // A number of a list is told by the list.
                let named = path.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('.');
                assert!(error.contains(named) && error.contains("expected"), "{path} = {wrong}: {error}");
            }
            seen.insert(path);
        }
    }
    for path in
        ["optimizer.lr", "optimizer.clip_norm", "warmup_epochs", "views.0.jitter.hue", "objective.eps"]
    {
        assert!(seen.contains(path), "{path} of {seen:?}");
    }
}

/// Every path below `value` that holds a number that is not whole.
fn floats(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| floats(value, &below(key), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| floats(item, &below(&at.to_string()), found));
        }
        Value::Float(_) => drop(found.insert(path.to_owned())),
        _ => {}
    }
}
