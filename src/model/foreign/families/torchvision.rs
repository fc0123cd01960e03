//! torchvision's vision transformers.

use crate::model::foreign::naming::{Habits, NameRule, Names, Naming, NetworkKind, Usual};

const RULES: &[NameRule] = &[
    ("class_token", "cls_token"),
    ("conv_proj", "patch_embed.proj"),
    ("encoder.pos_embedding", "pos_embed"),
    ("encoder.ln", "norm"),
    ("encoder.layers.encoder_layer_*.ln_1", "blocks.*.norm1"),
    ("encoder.layers.encoder_layer_*.ln_2", "blocks.*.norm2"),
    ("encoder.layers.encoder_layer_*.self_attention.in_proj_weight", "blocks.*.attn.qkv.weight"),
    ("encoder.layers.encoder_layer_*.self_attention.in_proj_bias", "blocks.*.attn.qkv.bias"),
    ("encoder.layers.encoder_layer_*.self_attention.out_proj", "blocks.*.attn.proj"),
    ("encoder.layers.encoder_layer_*.mlp.0", "blocks.*.mlp.fc1"),
    ("encoder.layers.encoder_layer_*.mlp.3", "blocks.*.mlp.fc2"),
    ("encoder.layers.encoder_layer_*.mlp.linear_1", "blocks.*.mlp.fc1"),
    ("encoder.layers.encoder_layer_*.mlp.linear_2", "blocks.*.mlp.fc2"),
    ("encoder.layers.encoder_layer_*", "blocks.*"),
];

/// A ViT; the class itself takes no other size than its own, a function of its makes positions of another.
pub static VIT: Naming = Naming {
    title: "torchvision (ViT)",
    marks: &["conv_proj.weight", "encoder.layers.encoder_layer_0.self_attention.in_proj_weight"],
    names: Names::Rules(RULES),
    kind: NetworkKind::Transformer(&Habits {
        antialias: false,
        corners: true,
        fed: Usual::IMAGENET,
        ..Habits::TIMM
    }),
};
