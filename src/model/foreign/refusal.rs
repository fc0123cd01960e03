//! Why nothing in a file can be opened, in words.

use anyhow::{Result, ensure};

use crate::model::loose::LooseArrays;

/// The same of networks that have names of others, which they are not.
const LIKE_OTHERS: [(&str, &str); 2] = [
    (
        ".attnpool.",
        "it is CLIP's ResNet, with a stem of three convolutions and attention in place of the mean; CLIP's transformers and \
         plain ResNets are opened",
    ),
    (
        ".3.0.shortcut.0.weight",
        "it is lightly's ResNet for CIFAR with its layers in a Sequential, which applies no ReLU after the stem; save the \
         ResNet itself",
    ),
];

/// What a part of a name, with a point before it, gives away, and what to say.
const SIGNS: [(&str, &str); 16] = [
    ("_flat_param", "it holds shards of FSDP: consolidate them into one state_dict first"),
    ("flat_param", "it holds shards of FSDP: consolidate them into one state_dict first"),
    ("_packed_params", "it is quantised; expected floating-point weights"),
    (".zero_point", "it is quantised; expected floating-point weights"),
    (
        "relative_position_bias_table",
        "it is a Swin transformer; ResNets and plain vision transformers (ViT) are opened",
    ),
    ("dwconv.weight", "it is a ConvNeXt; ResNets and plain vision transformers (ViT) are opened"),
    (
        "conv_dw.weight",
        "it is a ConvNeXt or MobileNet; ResNets and plain vision transformers (ViT) are opened",
    ),
    ("depthwise_conv.weight", "it is a ConvNeXt; ResNets and plain vision transformers (ViT) are opened"),
    (
        "attn.qkv.weight",
        "it is a transformer without the names of a ViT that is known (patch_embed.proj.weight)",
    ),
    ("attention.query.weight", "it is a transformer of another kind, for text perhaps"),
    ("attention.q_proj.weight", "it is a transformer of another kind"),
    ("self_attn.q_proj.weight", "it is a transformer of another kind, for text perhaps"),
    ("attn.in_proj_weight", "it is a transformer of another kind, for text perhaps"),
    (
        "features.0.weight",
        "it is a VGG, AlexNet or the like; ResNets and plain vision transformers (ViT) are opened",
    ),
    ("conv1.0.weight", "it has a stem of three convolutions (ResNet-C or -D); a stem of one is opened"),
    ("blocks.0.conv1.weight", "its blocks are not named as in a ResNet that is known"),
];

/// Layers of a network that says what each pixel is, beside its backbone: convolutions, where a classifier has matrices.
const OF_PIXELS: [&str; 3] =
    ["classifier.0.convs.0.0.weight", "classifier.0.weight", "aux_classifier.0.weight"];

/// Checks what stands beside the network behind `prefix`.
///
/// # Errors
/// It is one that steps otherwise than those of its names.
pub fn ensure_like_its_names(arrays: &LooseArrays<'_>, prefix: &str) -> Result<()> {
    let Some(outer) = prefix.strip_suffix("backbone.") else { return Ok(()) };
    let names = OF_PIXELS.map(|name| format!("{outer}{name}"));
    let beside = names.iter().find(|name| arrays.get(*name).is_some_and(|array| array.shape().len() == 4));
    ensure!(
        beside.is_none(),
        "it is a network for segmentation, whose last stages are dilated in place of stepping over pixels (\"{}\")",
        beside.map_or("", String::as_str)
    );
    Ok(())
}

/// Why no network was found.
pub fn why(arrays: &LooseArrays<'_>) -> String {
    if !arrays.values().any(|array| array.is_float()) {
        return "it holds no weights: no arrays of floating-point numbers were found in it".into();
    }
    sign(&SIGNS, arrays).unwrap_or_else(|| {
        let first: Vec<String> = arrays.keys().take(3).map(|name| format!("\"{name}\"")).collect();
        format!(
            "no ResNet or ViT was recognised among its {} arrays ({}, ...): expected names as torchvision, timm or \
             Hugging Face give them, such as \"conv1.weight\" and \"layer1.0.conv1.weight\", with anything before them",
            arrays.len(),
            first.join(", ")
        )
    })
}

/// What it is in truth, where a network was recognised by its names and then turned out to be none such.
pub fn likeness(arrays: &LooseArrays<'_>) -> Option<String> {
    sign(&LIKE_OTHERS, arrays)
}

fn sign(signs: &[(&str, &str)], arrays: &LooseArrays<'_>) -> Option<String> {
    signs.iter().find_map(|(part, words)| {
        let name = arrays.keys().find(|name| format!(".{name}").contains(part))?;
        Some(format!("{words} (\"{name}\")"))
    })
}
