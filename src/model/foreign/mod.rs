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

use self::head::Head;
pub use self::hints::Hints;
pub use self::hub_layout::hub_layout;
use self::naming::{NetworkKind, Usual};
use self::networks::{Layers, Network};
use super::backbone::Backbone;
use super::encoder::ModelInfo;
use super::loose::LooseArrays;
use super::origin::ModelOrigin;
use super::weights::Weights;

/// A network of a file: what it is, before its weights are read.
pub struct FoundModel<'a> {
    /// What it is.
    pub info: ModelInfo,
    network: Network,
    layers: Layers<'a>,
    head: Option<Head<'a>>,
}

/// A network's shape, how it is fed, and what of it nobody said.
struct RecognisedNetwork {
    backbone: Backbone,
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
            Ok(RecognisedNetwork { backbone: config.into(), input, usual, believed: vec![], assumed })
        }
        NetworkKind::Transformer(habits) => {
            let transformer::RecognisedVit { config, believed, assumed } =
                transformer::config(layers, hints, habits)?;
            let input = transformer::usual_input(&config, habits);
            let backbone = Backbone::Transformer(config);
            Ok(RecognisedNetwork { backbone, input, usual: habits.fed, believed, assumed })
        }
    }
}

/// What the network of a file is.
///
/// # Errors
/// No network that can be opened, or none before whose names `wanted` stands; what its layers cannot be.
pub fn find<'a>(arrays: &'a LooseArrays<'a>, hints: &Hints, wanted: Option<&str>) -> Result<FoundModel<'a>> {
    let (network, others) = networks::choose(arrays, wanted)?;
    network.ensure_float(arrays)?;
    let layers = network.layers(arrays);
    let found = refusal::ensure_like_its_names(arrays, &network.prefix)
        .and_then(|()| recognise(&layers, &network.naming.kind, hints))
        .map_err(|error| refusal::likeness(arrays).map_or(error, Error::msg))
        .with_context(|| network.words())?;
    let RecognisedNetwork { backbone, input, usual, believed, assumed } = found;
    let head = head::find(arrays, &network.prefix, backbone.h_width(), |name| layers.uses(name));
    let head_words = match &head {
        Ok(head) => head.words(),
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
        projector_form: head.as_ref().map_or_else(Default::default, |head| head.form),
        projector_bias: true,
        input: fed.input,
        resize: fed.resize,
        normalization: fed.normalization,
        training: serde_json::Value::Null,
        origin: Some(origin),
    };
    Ok(FoundModel { info, network, layers, head })
}

impl FoundModel<'_> {
    /// Its weights under our names.
    ///
    /// # Errors
    /// What cannot be read, or does not fit together.
    pub fn weights(&self) -> Result<Weights> {
        let weights = self.layers.read().and_then(|weights| match &self.info.backbone {
            Backbone::Transformer(config) => transformer::complete(weights, config),
            Backbone::ResNet(_) => Ok(weights),
        });
        let mut weights = weights.with_context(|| self.network.words())?;
        if let Some(head) = &self.head {
            weights.extend(head.read()?);
        }
        Ok(weights)
    }
}
