//! Which ResNet a set of arrays is, by their names and shapes.

use anyhow::{Context, Result, bail, ensure};

use super::hints::Hints;
use super::naming::Usual;
use super::networks::Layers;
use crate::augment::Normalization;
use crate::model::origin::NO_MAX_POOL;
use crate::model::resnet::{BackboneConfig, Depth, Stem};

/// Parts of timm's names of networks whose arrays are named like others', and what tells them apart.
const OTHER_BLOCKS: [(&str, &str); 2] = [
    ("resnetaa", "it averages where others step over pixels"),
    ("resnetblur", "it blurs where others step over pixels"),
];
/// What Hugging Face says of networks that step over pixels elsewhere.
const OTHER_STEPS: [&str; 2] = ["downsample_in_bottleneck", "downsample_in_first_stage"];

/// The shape of the network.
///
/// # Errors
/// Layers that such a network does not have, or lacks; says which.
pub fn config(layers: &Layers<'_>, hints: &Hints) -> Result<BackboneConfig> {
    let shape = |name: &str| -> Result<[usize; 4]> {
        let array = layers.get(name).with_context(|| format!("{name} is missing"))?;
        let shape = array.shape();
        shape.try_into().ok().with_context(|| format!("{name} has shape {shape:?}; expected four dimensions"))
    };
    let other = OTHER_BLOCKS.iter().find(|(part, _)| hints.architecture().contains(part));
    ensure!(other.is_none(), "{}: {}", hints.architecture(), other.map_or("", |(_, words)| words));
    let other = OTHER_STEPS.into_iter().find(|key| hints.config[*key] == true);
    ensure!(
        other.is_none(),
        "config.json: {} is true; expected a network without",
        other.unwrap_or_default()
    );
    let [width, channels, side, _] = shape("conv1.weight")?;
    ensure!(channels == 3, "conv1.weight takes {channels} channels; expected 3 (RGB)");
    let stem = match side {
        3 => Stem::Cifar { padding: hints.stem_padding() },
        7 => Stem::ImageNet,
        _ => bail!("conv1.weight is {side} x {side}; expected 3 x 3 (CIFAR) or 7 x 7 (ImageNet)"),
    };
    let depth = depth(layers)?;
    let [inner, ..] = shape("layer1.0.conv1.weight")?;
    ensure!(
        inner == width || depth.is_bottleneck(),
        "layer1.0.conv1.weight has {inner} outputs for a stem of {width}: a network of basic blocks that alone are wider \
         or narrower is not opened"
    );
    let [outputs, inputs, ..] = shape("layer1.0.conv2.weight")?;
    ensure!(
        inputs == outputs,
        "layer1.0.conv2.weight has {outputs} outputs of {inputs} inputs each: grouped convolutions (ResNeXt) are \
         not opened"
    );
    if depth.is_bottleneck() {
        let [outputs, ..] = shape("layer1.0.conv3.weight")?;
        ensure!(
            outputs == 4 * width,
            "layer1.0.conv3.weight has {outputs} outputs for a stem of {width}; expected {}, four times as many",
            4 * width
        );
    }
    let known = |name: &str| {
        let (_, last) = name.rsplit_once('.').unwrap_or(("", name));
        ["weight", "bias", "running_mean", "running_var"].contains(&last)
            && !name.contains(".se.")
            && !name.contains(".attn.")
    };
    let strange = layers.names().find(|name| !known(name));
    ensure!(strange.is_none(), "{} is no part of a plain ResNet", strange.unwrap_or_default());
    let bottleneck = (inner != width).then_some(inner);
    Ok(BackboneConfig { depth, stem, width, bottleneck })
}

fn depth(layers: &Layers<'_>) -> Result<Depth> {
    let has = |name: String| layers.get(&name).is_some();
    let blocks = [1, 2, 3, 4]
        .map(|stage| (0..).take_while(|block| has(format!("layer{stage}.{block}.conv1.weight"))).count());
    let absent = blocks[..3].iter().position(|count| *count == 0);
    ensure!(
        absent.is_none(),
        "layer{}.0.conv1.weight is missing; expected four stages of blocks, layer1 to layer4",
        absent.map_or(0, |stage| stage + 1)
    );
    ensure!(
        blocks[3] > 0,
        "it has three stages of {}, {} and {} blocks, as the small ResNets for CIFAR (ResNet-20 to -110), whose \
         shortcuts have no weights (option A); ResNets of four stages are opened",
        blocks[0],
        blocks[1],
        blocks[2]
    );
    let is_bottleneck = has("layer1.0.conv3.weight".into());
    let depth = Depth::ALL
        .into_iter()
        .find(|depth| depth.blocks() == blocks && depth.is_bottleneck() == is_bottleneck);
    let depth = depth.with_context(|| {
        let kind = if is_bottleneck { "bottlenecks" } else { "basic blocks" };
        let titles = Depth::ALL.map(Depth::title).join(", ");
        format!("stages of {blocks:?} {kind}; expected those of {titles}")
    })?;
    ensure!(
        has("layer2.0.downsample.0.weight".into()),
        "layer2.0.downsample.0.weight is missing: shortcuts without weights (option A) are not opened"
    );
    Ok(depth)
}

/// How images usually reach a network with this stem, and at which side.
pub fn usual(stem: Stem) -> (u32, Usual) {
    match stem {
        Stem::ImageNet => (224, Usual::IMAGENET),
        Stem::Cifar { .. } | Stem::Pooled { .. } => {
            (32, Usual { normalization: Normalization::CIFAR10, of: "CIFAR-10", ..Usual::IMAGENET })
        }
    }
}

/// What a network's arrays do not say about its layers, and was assumed.
pub fn assumed(stem: Stem, hints: &Hints) -> Vec<String> {
    let Some(padding) = stem.padding() else { return vec![] };
    let source = if hints.is_solo_learn { ", as solo-learn has it" } else { "" };
    vec![format!("stem padding {padding}{source}"), NO_MAX_POOL.into()]
}
