//! What libraries call the layers of a network, and our names of them: torchvision's for a ResNet, timm's for a
//! transformer. A new family is a file and its lines in the table here.

mod clip;
mod hugging_face;
mod resnets;
mod timm;
mod torchvision;

use super::naming::Naming;
use crate::model::loose::LooseArrays;

/// All of them; the first whose marks are there counts.
static NAMINGS: [&Naming; 23] = [
    &resnets::TORCHVISION,
    &resnets::NUMBERED_CIFAR,
    &resnets::NUMBERED,
    &resnets::HUGGING_FACE,
    &torchvision::VIT,
    &hugging_face::DINOV3,
    &hugging_face::DINOV3_IN_MEMORY,
    &hugging_face::DINOV2_REGISTERS,
    &hugging_face::DINOV2,
    &hugging_face::VIT_OR_MAE,
    &hugging_face::VIT_IN_MEMORY,
    &clip::CLIP,
    &clip::OWL_VIT,
    &clip::SIGLIP,
    &clip::CLIP_OPENAI,
    &clip::CLIP_OPEN,
    &timm::DINOV3,
    &timm::DINOV3_TIMM,
    &timm::DINOV2_REGISTERS,
    &timm::DINOV2,
    &timm::DINOV2_GROUPED,
    &timm::MAE,
    &timm::TIMM,
];

/// The way in which the network behind `prefix` is named, among those that have its marks.
pub fn of(arrays: &LooseArrays<'_>, prefix: &str) -> Option<&'static Naming> {
    let has = |mark: &&str| arrays.contains_key(&format!("{prefix}{mark}"));
    let found = NAMINGS.into_iter().find(|naming| naming.marks.iter().all(has))?;
    let is_of_two = ["teacher", "student"].iter().any(|word| prefix.contains(word));
    let is_of_moco = ["base_encoder.", "momentum_encoder."].iter().any(|word| prefix.ends_with(word));
    // lightly's class for masked images has timm's network within, whose positions it interpolates as timm does.
    let is_of_lightly =
        prefix.strip_suffix("vit.").is_some_and(|outer| arrays.contains_key(&format!("{outer}mask_token")));
    Some(match found.title {
        // Names alone do not tell these apart.
        "timm" if is_of_two && !is_of_lightly => &timm::DINO,
        "timm" if is_of_moco => &timm::MOCO_V3,
        // It has none: something else whose tower is named alike.
        "Hugging Face transformers (SigLIP)" if has(&"embeddings.class_embedding") => return None,
        "OpenAI (CLIP)" if !arrays.keys().any(|name| name.ends_with("input_resolution")) => &clip::CLIP_OPEN,
        _ => found,
    })
}

/// What may stand behind the prefix of a network.
pub fn first_marks() -> impl Iterator<Item = &'static str> {
    NAMINGS.into_iter().map(|naming| naming.marks[0])
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
            (
                "torchvision, its layers numbered, without max-pool",
                "6.1.bn2.weight",
                Some("layer4.1.bn2.weight"),
            ),
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
            ("DINOv2 (training)", "blocks.1.7.mlp.w3.bias", Some("blocks.7.mlp.fc2.bias")),
            (
                "torchvision (ViT)",
                "encoder.layers.encoder_layer_11.mlp.3.bias",
                Some("blocks.11.mlp.fc2.bias"),
            ),
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
