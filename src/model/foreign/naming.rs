//! What libraries call the layers of a network, and our names of them: torchvision's for a ResNet, timm's for a
//! transformer.

use super::families::{Habits, clip, hugging_face, timm};
use crate::model::loose::LooseArrays;

/// How one library names the layers.
pub struct Naming {
    /// The library, for a person.
    pub title: &'static str,
    /// Names that every such network has; what stands before them is the network's prefix.
    pub marks: &'static [&'static str],
    /// From their names to ours.
    pub names: Names,
    /// What such a network is.
    pub kind: Kind,
}

/// What a network is.
pub enum Kind {
    /// A ResNet.
    ResNet,
    /// A vision transformer of a family with these habits.
    Transformer(&'static Habits),
}

/// Parts of a name of theirs, numbers as `*`, and what they become in ours; what follows them stays.
pub type Rule = (&'static str, &'static str);

/// From their names to ours.
pub enum Names {
    /// Our name of an array; none for what is no part of the backbone.
    By(fn(&str) -> Option<String>),
    /// The first rule that fits a name counts; a name that none fits is no part of the backbone.
    Rules(&'static [Rule]),
}

/// All of them; the first whose marks are there counts. A new family is a file and its lines here.
static NAMINGS: [&Naming; 19] = [
    &TORCHVISION,
    &NUMBERED,
    &HUGGING_FACE,
    &hugging_face::DINOV3,
    &hugging_face::DINOV3_IN_MEMORY,
    &hugging_face::DINOV2_REGISTERS,
    &hugging_face::DINOV2,
    &hugging_face::VIT_OR_MAE,
    &hugging_face::VIT_IN_MEMORY,
    &clip::CLIP,
    &clip::SIGLIP,
    &clip::CLIP_OPENAI,
    &clip::CLIP_OPEN,
    &timm::DINOV3,
    &timm::DINOV3_TIMM,
    &timm::DINOV2_REGISTERS,
    &timm::DINOV2,
    &timm::MAE,
    &timm::TIMM,
];

/// The way in which the network behind `prefix` is named, among those that have its marks.
pub fn of(arrays: &LooseArrays<'_>, prefix: &str) -> Option<&'static Naming> {
    let has = |mark: &&str| arrays.contains_key(&format!("{prefix}{mark}"));
    let found = NAMINGS.into_iter().find(|naming| naming.marks.iter().all(has))?;
    let is_of_two = ["teacher", "student"].iter().any(|word| prefix.contains(word));
    Some(match found.title {
        // Names alone do not tell these apart.
        "timm" if is_of_two => &timm::DINO,
        "OpenAI (CLIP)" if !arrays.keys().any(|name| name.ends_with("input_resolution")) => &clip::CLIP_OPEN,
        _ => found,
    })
}

/// What may stand behind the prefix of a network.
pub fn first_marks() -> impl Iterator<Item = &'static str> {
    NAMINGS.into_iter().map(|naming| naming.marks[0])
}

impl Naming {
    /// Our name of an array.
    pub fn ours(&self, name: &str) -> Option<String> {
        match self.names {
            Names::By(ours) => ours(name),
            Names::Rules(rules) => rules.iter().find_map(|rule| renamed(rule, name)),
        }
    }
}

/// `name` by a rule that fits it.
fn renamed((theirs, ours): &Rule, name: &str) -> Option<String> {
    let mut parts = name.split('.');
    let mut number = "";
    for expected in theirs.split('.') {
        let part = parts.next()?;
        let is_number = || !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        match expected {
            "*" if is_number() => number = part,
            _ if expected == part => {}
            _ => return None,
        }
    }
    let ours = ours.replace('*', number);
    Some(parts.fold(ours, |name, part| format!("{name}.{part}")))
}

static TORCHVISION: Naming = Naming {
    title: "torchvision",
    marks: &["conv1.weight", "layer1.0.conv1.weight"],
    names: Names::By(|name| {
        let (first, _) = name.split_once('.')?;
        let is_ours = ["conv1", "bn1"].contains(&first) || is_stage(first);
        // As in the copies of torchvision's file for CIFAR.
        is_ours.then(|| name.replace(".shortcut.", ".downsample."))
    }),
    kind: Kind::ResNet,
};

static NUMBERED: Naming = Naming {
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
    kind: Kind::ResNet,
};

static HUGGING_FACE: Naming = Naming {
    title: "Hugging Face transformers",
    marks: &["embedder.embedder.convolution.weight", "encoder.stages.0.layers.0.layer.0.convolution.weight"],
    names: Names::By(resnet_of_hugging_face),
    kind: Kind::ResNet,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_torchvisions() {
        let of = |title: &str, name: &str| {
            NAMINGS.iter().find(|naming| naming.title == title).and_then(|naming| naming.ours(name))
        };
        for (title, theirs, ours) in [
            ("torchvision", "conv1.weight", Some("conv1.weight")),
            ("torchvision", "layer2.0.shortcut.1.bias", Some("layer2.0.downsample.1.bias")),
            ("torchvision", "fc.weight", None),
            ("torchvision, its layers numbered", "6.1.bn2.weight", Some("layer3.1.bn2.weight")),
            ("torchvision, its layers numbered", "8.weight", None),
            ("Hugging Face transformers", "embedder.embedder.normalization.bias", Some("bn1.bias")),
            (
                "Hugging Face transformers",
                "encoder.stages.3.layers.0.layer.2.normalization.running_var",
                Some("layer4.0.bn3.running_var"),
            ),
            (
                "Hugging Face transformers",
                "encoder.stages.1.layers.0.shortcut.convolution.weight",
                Some("layer2.0.downsample.0.weight"),
            ),
            ("Hugging Face transformers", "pooler.weight", None),
            ("timm", "blocks.11.attn.qkv.bias", Some("blocks.11.attn.qkv.bias")),
            ("timm", "blocks.0.attn.q_norm.weight", Some("blocks.0.attn.q_norm.weight")),
            ("timm", "norm.bias", Some("norm.bias")),
            ("timm", "head.weight", None),
            ("DINOv3", "storage_tokens", Some("reg_token")),
            ("DINOv3", "blocks.3.mlp.w3.weight", Some("blocks.3.mlp.fc2.weight")),
            (
                "Hugging Face transformers (DINOv2)",
                "encoder.layer.10.attention.attention.key.bias",
                Some("blocks.10.attn.k.bias"),
            ),
            ("Hugging Face transformers (ViT)", "pooler.dense.weight", None),
            ("OpenAI (CLIP)", "transformer.resblocks.2.attn.in_proj_bias", Some("blocks.2.attn.qkv.bias")),
            ("OpenAI (CLIP)", "proj", None),
        ] {
            assert_eq!(of(title, theirs).as_deref(), ours, "{theirs}");
        }
    }
}
