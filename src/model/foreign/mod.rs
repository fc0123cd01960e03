//! Networks in the files of other programs: which are in there, which one is meant, and what it is.
//!
//! A network is found by names that must be in it, whatever stands before them: no list of wrappers is kept. A new
//! way to name layers is one entry of the table in [`families`].

mod families;
mod head;
mod hints;
mod hub_layout;
mod naming;
mod networks;
mod refusal;
mod resnet;
mod transformer;

use anyhow::{Context, Error, Result};

pub use self::hints::Hints;
pub use self::hub_layout::hub_layout;
use self::naming::{NetworkKind, Usual};
use self::networks::Layers;
use super::backbone::Backbone;
use super::encoder::ModelInfo;
use super::loose::LooseArrays;
use super::origin::ModelOrigin;
use super::weights::Weights;

/// A network's shape, its weights, how it is fed, and what of it nobody said.
struct RecognisedNetwork {
    backbone: Backbone,
    weights: Weights,
    input: u32,
    usual: Usual,
    believed: Vec<String>,
    assumed: Vec<String>,
}

fn recognise(layers: &Layers<'_>, kind: &NetworkKind, hints: &Hints) -> Result<RecognisedNetwork> {
    match kind {
        NetworkKind::ResNet => {
            let config = resnet::config(layers, hints)?;
            let (input, usual) = resnet::usual(config.stem);
            let assumed = resnet::assumed(config.stem, hints);
            let (backbone, weights) = (config.into(), layers.read()?);
            Ok(RecognisedNetwork { backbone, weights, input, usual, believed: vec![], assumed })
        }
        NetworkKind::Transformer(habits) => {
            let transformer::RecognisedVit { config, believed, assumed } =
                transformer::config(layers, hints, habits)?;
            let weights = transformer::complete(layers.read()?, &config)?;
            let input = transformer::usual_input(&config, habits);
            let backbone = Backbone::Transformer(config);
            Ok(RecognisedNetwork { backbone, weights, input, usual: habits.fed, believed, assumed })
        }
    }
}

/// What the network of a file is, and its weights under our names.
///
/// # Errors
/// No network that can be opened, or none before whose names `wanted` stands; what its layers cannot be.
pub fn read(arrays: &LooseArrays<'_>, hints: &Hints, wanted: Option<&str>) -> Result<(ModelInfo, Weights)> {
    let (network, others) = networks::choose(arrays, wanted)?;
    network.ensure_float(arrays)?;
    let layers = network.layers(arrays);
    let found = recognise(&layers, &network.naming.kind, hints)
        .map_err(|error| refusal::likeness(arrays).map_or(error, Error::msg))
        .with_context(|| network.words())?;
    let RecognisedNetwork { backbone, mut weights, input, usual, believed, assumed } = found;
    let head = head::find(arrays, &network.prefix, backbone.h_width(), |name| layers.uses(name));
    let head_words = match &head {
        Ok(head) => {
            weights.extend(head.read()?);
            head.words()
        }
        Err(reason) => format!("no z: {reason:#}"),
    };
    let is_used = |name: &String| layers.uses(name) || head.as_ref().is_ok_and(|head| head.uses(name));
    let ignored = arrays.iter().filter(|(name, array)| array.is_float() && !is_used(name));
    let fed = hints.preprocessing(input, usual);
    let origin = ModelOrigin {
        names: network.naming.title.into(),
        network: network.prefix.trim_end_matches('.').into(),
        others,
        head: head_words,
        believed: [fed.believed, believed].concat(),
        assumed: [fed.assumed, assumed].concat(),
        ignored: ignored.map(|(name, _)| name.clone()).collect(),
    };
    let head = head.ok();
    let info = ModelInfo {
        backbone,
        projector: head.as_ref().map_or(vec![], |head| head.widths()),
        projector_norms: head.as_ref().map(|head| head.norms()),
        projector_form: head.map_or_else(Default::default, |head| head.form),
        projector_bias: true,
        input: fed.input,
        resize: fed.resize,
        normalization: fed.normalization,
        training: serde_json::Value::Null,
        origin: Some(origin),
    };
    Ok((info, weights))
}
