//! Networks in the files of other programs: which are in there, which one is meant, and what it is.
//!
//! A network is found by names that must be in it, whatever stands before them: no list of wrappers is kept. A new
//! way to name layers is one entry of [`naming::NAMINGS`].

mod head;
mod hints;
mod naming;
mod networks;
mod refusal;
mod resnet;

use anyhow::{Context, Result};

pub use self::hints::Hints;
use super::encoder::ModelInfo;
use super::loose::LooseArrays;
use super::origin::ModelOrigin;
use super::weights::Weights;

/// What the network of a file is, and its weights under our names.
///
/// # Errors
/// No network that can be opened, or none before whose names `wanted` stands; what its layers cannot be.
pub fn read(arrays: &LooseArrays<'_>, hints: &Hints, wanted: Option<&str>) -> Result<(ModelInfo, Weights)> {
    let (network, others) = networks::choose(arrays, wanted)?;
    let layers = network.layers(arrays);
    let backbone = resnet::config(&layers, hints).with_context(|| network.words())?;
    let mut weights = layers.read()?;
    let head = head::find(arrays, &network.prefix, backbone.h_width());
    let (projector, projector_norms, head_words) = match &head {
        Ok(head) => {
            weights.extend(head.read()?);
            (head.widths(), Some(head.norms()), format!("z: {}", head.prefix.trim_end_matches('.')))
        }
        Err(reason) => (vec![], None, format!("no z: {reason:#}")),
    };
    let is_used = |name: &String| layers.uses(name) || head.as_ref().is_ok_and(|head| head.uses(name));
    let ignored = arrays.iter().filter(|(name, array)| array.is_float() && !is_used(name));
    let fed = hints.preprocessing(backbone.stem);
    let origin = ModelOrigin {
        names: network.naming.title.into(),
        network: network.prefix.trim_end_matches('.').into(),
        others,
        head: head_words,
        assumed: [fed.assumed, resnet::assumed(backbone.stem, hints)].concat(),
        ignored: ignored.map(|(name, _)| name.clone()).collect(),
    };
    let info = ModelInfo {
        backbone,
        projector,
        projector_norms,
        input: fed.input,
        resize: fed.resize,
        normalization: fed.normalization,
        training: serde_json::Value::Null,
        origin: Some(origin),
    };
    info.validate()?;
    Ok((info, weights))
}
