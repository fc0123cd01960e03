//! The projector of a network: an MLP beside it in the same file.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use crate::model::ProjectorForm;
use crate::model::loose::{self, LooseArrays};
use crate::model::weights::{Array, Weights};

/// What projectors are called, most telling first.
const NAMES: [&str; 12] = [
    "visual_projection",
    "projector",
    "projection_head",
    "projection",
    "proj_head",
    "proj",
    "contrastive_head",
    "dino_head",
    "head",
    "mlp",
    "g",
    "fc",
];
/// What tells a momentum encoder's or a student's parts from the other's.
const PAIRS: [&str; 6] = ["momentum", "online", "target", "base", "teacher", "student"];
/// Networks that have no classifier.
const WITHOUT_CLASSIFIER: [&str; 4] = ["encoder_q", "encoder_k", "base_encoder", "momentum_encoder"];
/// What stands before a projector of a name, with batch normalisation and ReLU after its layer: of EMP-SSL.
const FIRST_PART: (&str, &str) = ("projection.", "pre_feature.");
/// What DINO and iBOT call their prototypes; anything may follow.
const PROTOTYPES: &str = "last_layer";
/// Most layers of a projector.
const MOST_LAYERS: usize = 16;

/// A projector.
pub struct Head<'a> {
    /// What stands before its names, with the dot; of each part where it has two.
    prefixes: Vec<String>,
    /// What stands between its layers.
    pub form: ProjectorForm,
    arrays: &'a LooseArrays<'a>,
    layers: Vec<Layer>,
}

/// A linear layer, and the batch normalisation after it.
struct Layer {
    linear: String,
    /// Whether its weight is an array of that name itself, inputs before outputs.
    turned: bool,
    norm: Option<String>,
    width: usize,
}

/// The projector of the network with `prefix`, whose embedding h has `width` values; the network itself `uses` some
/// arrays.
///
/// # Errors
/// There is none, or the first one that was found is none that can be read: why.
pub fn find<'a>(
    arrays: &'a LooseArrays<'a>,
    prefix: &str,
    width: usize,
    uses: impl Fn(&str) -> bool,
) -> Result<Head<'a>> {
    if let Some(layer) = matrix(arrays, prefix, width) {
        return Ok(Head {
            prefixes: vec![layer.linear.clone()],
            form: ProjectorForm::Mlp,
            arrays,
            layers: vec![layer],
        });
    }
    let is_there = |head: &String| {
        let first = arrays.range(head.clone()..).next();
        first.is_some_and(|(name, _)| name.starts_with(head) && !uses(name))
    };
    // One layer under such a name is a classifier, but in methods that have none.
    let is_classifier = |head: &String| {
        let is_named = ["fc.", "head."].iter().any(|name| head.ends_with(name));
        (is_named || head.trim_end_matches('.').ends_with(|last: char| last.is_ascii_digit()))
            && arrays.contains_key(&format!("{head}weight"))
            && !WITHOUT_CLASSIFIER.iter().any(|name| prefix.contains(name))
    };
    let found = candidates(prefix).into_iter().find(|head| is_there(head) && !is_classifier(head));
    let prefix = found.context("the file has no projector beside the network")?;
    // DINO's and iBOT's prototypes follow their bottleneck.
    let form = match arrays.range(format!("{prefix}{PROTOTYPES}")..).next() {
        Some((name, _)) if name.starts_with(&format!("{prefix}{PROTOTYPES}")) => ProjectorForm::Bottleneck,
        _ => ProjectorForm::Mlp,
    };
    let (last, first) = FIRST_PART;
    let first = prefix.strip_suffix(last).map(|outer| format!("{outer}{first}")).filter(is_there);
    let prefixes: Vec<String> = first.into_iter().chain([prefix]).collect();
    let mut found: Vec<Layer> = vec![];
    for part in &prefixes {
        let input = found.last().map_or(width, |layer| layer.width);
        found.extend(layers(arrays, part, input).with_context(|| format!("\"{part}\""))?);
    }
    Ok(Head { prefixes, form, arrays, layers: found })
}

/// CLIP's projection: a matrix beside its transformer's layers.
fn matrix(arrays: &LooseArrays<'_>, prefix: &str, width: usize) -> Option<Layer> {
    let linear = format!("{prefix}proj");
    match arrays.get(&linear)?.shape() {
        &[from, output] if from == width => Some(Layer { linear, turned: true, norm: None, width: output }),
        _ => None,
    }
}

/// Where the projector of a network may be: beside it or further out, and last within it.
fn candidates(prefix: &str) -> Vec<String> {
    let mut outer = prefix.trim_end_matches('.');
    let own = outer.rsplit('.').next().unwrap_or_default();
    let mut found = vec![];
    while !outer.is_empty() {
        outer = outer.rsplit_once('.').map_or("", |(outer, _)| outer);
        let mark = PAIRS.into_iter().find(|mark| prefix[outer.len()..].contains(mark));
        let dot = if outer.is_empty() { "" } else { "." };
        for name in NAMES {
            // What is marked as one of two has a projector that is marked alike.
            for name in
                mark.map(|mark| vec![format!("{mark}_{name}"), format!("{name}_{mark}")]).unwrap_or_default()
            {
                found.push(format!("{outer}{dot}{name}."));
            }
            found.push(format!("{outer}{dot}{name}."));
        }
    }
    // MoCo and SimSiam put it in the place of the classifier.
    found.extend(NAMES.map(|name| format!("{prefix}{name}.")));
    // The layer after the network in a Sequential.
    if let Ok(place) = own.parse::<u32>() {
        let outer = &prefix[..prefix.len() - own.len() - 1];
        found.push(format!("{outer}{}.", place.saturating_add(1)));
    }
    found
}

fn layers(arrays: &LooseArrays<'_>, prefix: &str, width: usize) -> Result<Vec<Layer>> {
    let mut groups: BTreeMap<Vec<NamePart>, &str> = BTreeMap::new();
    for (name, _) in arrays.range(prefix.to_string()..).take_while(|(name, _)| name.starts_with(prefix)) {
        if name[prefix.len()..].starts_with(PROTOTYPES) {
            continue;
        }
        let group = name.rsplit_once('.').map_or(name.as_str(), |(group, _)| group);
        groups.insert(places(group.get(prefix.len()..).unwrap_or_default()), group);
    }
    let mut input = width;
    let mut layers: Vec<Layer> = vec![];
    for group in groups.into_values() {
        let shape = |field: &str| arrays.get(&format!("{group}.{field}")).map(|array| array.shape());
        match (shape("weight"), shape("running_mean")) {
            (Some(&[output, from]), None) => {
                ensure!(from == input, "{group}.weight takes {from} values; expected {input}");
                ensure!(layers.len() < MOST_LAYERS, "more than {MOST_LAYERS} layers");
                layers.push(Layer { linear: group.into(), turned: false, norm: None, width: output });
                input = output;
            }
            (_, Some(&[_])) => {
                let layer =
                    layers.last_mut().with_context(|| format!("{group} normalises before a layer"))?;
                ensure!(layer.norm.is_none(), "{group} normalises again");
                layer.norm = Some(group.into());
            }
            (Some(shape), _) => bail!(
                "{group}.weight has shape {shape:?}: an MLP of linear layers with batch normalisation is read, and \
                 no other layers"
            ),
            _ => bail!("{group} is no layer of an MLP"),
        }
    }
    ensure!(!layers.is_empty(), "it has no linear layer");
    Ok(layers)
}

/// Part of a name, numbers in the order of numbers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum NamePart {
    Number(usize),
    Word(String),
}

fn places(name: &str) -> Vec<NamePart> {
    let place = |part: &str| part.parse().map_or_else(|_| NamePart::Word(part.into()), NamePart::Number);
    name.split('.').map(place).collect()
}

impl Head<'_> {
    /// Width of each layer, that of z last.
    pub fn widths(&self) -> Vec<usize> {
        self.layers.iter().map(|layer| layer.width).collect()
    }

    /// After which layers batch normalisation stands.
    pub fn norms(&self) -> Vec<bool> {
        self.layers.iter().map(|layer| layer.norm.is_some()).collect()
    }

    /// Whether an array of the file belongs to it.
    pub fn uses(&self, name: &str) -> bool {
        let rest = self.prefixes.iter().find_map(|prefix| name.strip_prefix(prefix.as_str()));
        rest.is_some_and(|rest| !rest.starts_with(PROTOTYPES))
    }

    /// Where z comes from, for a person.
    pub fn words(&self) -> String {
        let at: Vec<&str> = self.prefixes.iter().map(|prefix| prefix.trim_end_matches('.')).collect();
        let at = at.join(", ");
        match self.form {
            ProjectorForm::Mlp => format!("z: {at}"),
            ProjectorForm::Bottleneck => format!("z: {at}, up to its bottleneck, of length 1"),
        }
    }

    /// Its weights under our names; a bias, scale or shift that is not there is one that changes nothing.
    pub fn read(&self) -> Result<Weights> {
        let mut weights = Weights::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let mut take = |group: &str, place: usize, field: &str, neutral: Option<f32>| -> Result<()> {
                let name = format!("{group}.{field}");
                let array = match (neutral, self.arrays.contains_key(&name)) {
                    (Some(value), false) => {
                        Array { shape: vec![layer.width], values: vec![value; layer.width] }
                    }
                    _ => loose::array(self.arrays, &name)?,
                };
                weights.insert(format!("projector.{}.{field}", 3 * index + place), array);
                Ok(())
            };
            if layer.turned {
                let (weight, bias) =
                    (turned(&loose::array(self.arrays, &layer.linear)?), vec![0.0; layer.width]);
                weights.insert(format!("projector.{}.weight", 3 * index), weight);
                let bias = Array { shape: vec![layer.width], values: bias };
                weights.insert(format!("projector.{}.bias", 3 * index), bias);
                continue;
            }
            take(&layer.linear, 0, "weight", None)?;
            take(&layer.linear, 0, "bias", Some(0.0))?;
            if let Some(norm) = &layer.norm {
                take(norm, 1, "weight", Some(1.0))?;
                take(norm, 1, "bias", Some(0.0))?;
                take(norm, 1, "running_mean", None)?;
                take(norm, 1, "running_var", None)?;
            }
        }
        Ok(weights)
    }
}

/// A matrix with its columns as rows.
fn turned(matrix: &Array) -> Array {
    let (rows, columns) = (matrix.shape[0], matrix.shape[1]);
    let values =
        (0..columns).flat_map(|column| (0..rows).map(move |row| matrix.values[row * columns + column]));
    Array { shape: vec![columns, rows], values: values.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projector_is_sought_beside_its_network_first() {
        let found = candidates("state_dict.momentum_backbone.");
        let place = |name: &str| found.iter().position(|found| found == name).unwrap();
        assert!(place("state_dict.momentum_projector.") < place("state_dict.projector."));
        assert!(place("state_dict.projector.") < place("projector."));
        assert!(place("projector.") < place("state_dict.momentum_backbone.fc."));
        assert_eq!(candidates("").len(), NAMES.len());
        assert_eq!(candidates("encoder_q.0.").last().unwrap(), "encoder_q.1.");
        assert_eq!(candidates("0.").last().unwrap(), "1.");
        let found = candidates("teacher_backbone.");
        assert!(found.iter().any(|name| name == "teacher_head."), "{found:?}");
        let found = candidates("teacher_backbone.vit.");
        let place = |name: &str| found.iter().position(|found| found == name).unwrap();
        assert!(place("teacher_head.") < place("head."));
    }

    #[test]
    fn layers_stand_in_the_order_of_their_numbers() {
        let mut names = ["layers.10", "layers.2", "layers.0"].map(places);
        names.sort();
        assert_eq!(names.map(|place| place.len()), [2, 2, 2]);
        assert!(places("9") < places("10") && places("fc2") > places("10"));
    }
}
