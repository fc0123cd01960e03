//! ResNets: torchvision's names, those of its layers in a Sequential, and Hugging Face's.

use crate::model::foreign::naming::{Names, Naming, NetworkKind};

/// torchvision, and all that take its class.
pub static TORCHVISION: Naming = Naming {
    title: "torchvision",
    marks: &["conv1.weight", "layer1.0.conv1.weight"],
    names: Names::By(|name| {
        let (first, _) = name.split_once('.')?;
        let is_ours = ["conv1", "bn1"].contains(&first) || is_stage(first);
        // As in the copies of torchvision's file for CIFAR.
        is_ours.then(|| name.replace(".shortcut.", ".downsample."))
    }),
    kind: NetworkKind::ResNet,
};

/// The children of torchvision's network in a Sequential.
pub static NUMBERED: Naming = Naming {
    title: "torchvision, its layers numbered",
    marks: &["0.weight", "4.0.conv1.weight"],
    names: Names::Rules(&[
        ("0", "conv1"),
        ("1", "bn1"),
        ("4", "layer1"),
        ("5", "layer2"),
        ("6", "layer3"),
        ("7", "layer4"),
    ]),
    kind: NetworkKind::ResNet,
};

/// The same without a max-pool, as copies for CIFAR have it.
pub static NUMBERED_CIFAR: Naming = Naming {
    title: "torchvision, its layers numbered, without max-pool",
    marks: &["0.weight", "3.0.conv1.weight"],
    names: Names::Rules(&[
        ("0", "conv1"),
        ("1", "bn1"),
        ("3", "layer1"),
        ("4", "layer2"),
        ("5", "layer3"),
        ("6", "layer4"),
    ]),
    kind: NetworkKind::ResNet,
};

/// Hugging Face transformers.
pub static HUGGING_FACE: Naming = Naming {
    title: "Hugging Face transformers",
    marks: &["embedder.embedder.convolution.weight", "encoder.stages.0.layers.0.layer.0.convolution.weight"],
    names: Names::By(resnet_of_hugging_face),
    kind: NetworkKind::ResNet,
};

fn is_stage(name: &str) -> bool {
    name.strip_prefix("layer")
        .is_some_and(|digits| digits.len() == 1 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// `encoder.stages.0.layers.1.layer.2.convolution.weight` is `layer1.1.conv3.weight`.
fn resnet_of_hugging_face(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let kind = |kind: &str, number: usize| match kind {
        "convolution" => Some(format!("conv{number}")),
        "normalization" => Some(format!("bn{number}")),
        _ => None,
    };
    match parts.as_slice() {
        ["embedder", "embedder", of, field] => Some(format!("{}.{field}", kind(of, 1)?)),
        ["encoder", "stages", stage, "layers", block, rest @ ..] => {
            let stage = stage.parse::<usize>().ok()?.checked_add(1)?;
            match rest {
                ["layer", number, of, field] => {
                    let layer = kind(of, number.parse::<usize>().ok()?.checked_add(1)?)?;
                    Some(format!("layer{stage}.{block}.{layer}.{field}"))
                }
                ["shortcut", of, field] => {
                    let place = usize::from(*of == "normalization");
                    kind(of, 1)?;
                    Some(format!("layer{stage}.{block}.downsample.{place}.{field}"))
                }
                _ => None,
            }
        }
        _ => None,
    }
}
