//! Transformers of Hugging Face transformers: ViT and MAE, DINOv2, DINOv3, by the names in their files and in memory.

use crate::augment::Resize;
use crate::model::foreign::naming::{Habits, NameRule, Names, Naming, NetworkKind, Usual};

const PATCHES: &str = "embeddings.patch_embeddings.projection.weight";

const RULES: &[NameRule] = &[
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.register_tokens", "reg_token"),
    ("embeddings.position_embeddings", "pos_embed"),
    ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
    ("embeddings.patch_embeddings", "patch_embed.proj"),
    ("layernorm", "norm"),
    ("norm", "norm"),
    ("encoder.layer.*.attention.attention.query", "blocks.*.attn.q"),
    ("encoder.layer.*.attention.attention.key", "blocks.*.attn.k"),
    ("encoder.layer.*.attention.attention.value", "blocks.*.attn.v"),
    ("encoder.layer.*.attention.output.dense", "blocks.*.attn.proj"),
    ("encoder.layer.*.attention.q_proj", "blocks.*.attn.q"),
    ("encoder.layer.*.attention.k_proj", "blocks.*.attn.k"),
    ("encoder.layer.*.attention.v_proj", "blocks.*.attn.v"),
    ("encoder.layer.*.attention.o_proj", "blocks.*.attn.proj"),
    ("encoder.layer.*.layernorm_before", "blocks.*.norm1"),
    ("encoder.layer.*.layernorm_after", "blocks.*.norm2"),
    ("encoder.layer.*.intermediate.dense", "blocks.*.mlp.fc1"),
    ("encoder.layer.*.output.dense", "blocks.*.mlp.fc2"),
    ("encoder.layer.*.layer_scale1.lambda1", "blocks.*.ls1.gamma"),
    ("encoder.layer.*.layer_scale2.lambda1", "blocks.*.ls2.gamma"),
    ("encoder.layer.*.mlp.weights_in", "blocks.*.mlp.fc1"),
    ("encoder.layer.*.mlp.weights_out", "blocks.*.mlp.fc2"),
    ("encoder.layer.*.mlp.gate_proj", "blocks.*.mlp.gate"),
    ("encoder.layer.*.mlp.up_proj", "blocks.*.mlp.up"),
    ("encoder.layer.*.mlp.down_proj", "blocks.*.mlp.fc2"),
    ("encoder.layer", "blocks"),
];

/// In memory since version 5, and so in files that `torch.save` wrote.
const IN_MEMORY: &[NameRule] = &[
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.position_embeddings", "pos_embed"),
    ("embeddings.patch_embeddings.projection", "patch_embed.proj"),
    ("layernorm", "norm"),
    ("layers.*.attention.q_proj", "blocks.*.attn.q"),
    ("layers.*.attention.k_proj", "blocks.*.attn.k"),
    ("layers.*.attention.v_proj", "blocks.*.attn.v"),
    ("layers.*.attention.o_proj", "blocks.*.attn.proj"),
    ("layers.*.layernorm_before", "blocks.*.norm1"),
    ("layers.*.layernorm_after", "blocks.*.norm2"),
    ("layers", "blocks"),
];

const DINO3_RULES: &[NameRule] = &[
    ("embeddings.cls_token", "cls_token"),
    ("embeddings.register_tokens", "reg_token"),
    ("embeddings.patch_embeddings", "patch_embed.proj"),
    ("norm", "norm"),
    ("model.layer.*.attention.q_proj", "blocks.*.attn.q"),
    ("model.layer.*.attention.k_proj", "blocks.*.attn.k"),
    ("model.layer.*.attention.v_proj", "blocks.*.attn.v"),
    ("model.layer.*.attention.o_proj", "blocks.*.attn.proj"),
    ("model.layer.*.layer_scale1.lambda1", "blocks.*.ls1.gamma"),
    ("model.layer.*.layer_scale2.lambda1", "blocks.*.ls2.gamma"),
    ("model.layer.*.mlp.gate_proj", "blocks.*.mlp.gate"),
    // The first of two layers, or the second of three: told apart where they are put together.
    ("model.layer.*.mlp.up_proj", "blocks.*.mlp.up"),
    ("model.layer.*.mlp.down_proj", "blocks.*.mlp.fc2"),
    ("model.layer", "blocks"),
    ("layer.*.attention.q_proj", "blocks.*.attn.q"),
    ("layer.*.attention.k_proj", "blocks.*.attn.k"),
    ("layer.*.attention.v_proj", "blocks.*.attn.v"),
    ("layer.*.attention.o_proj", "blocks.*.attn.proj"),
    ("layer.*.layer_scale1.lambda1", "blocks.*.ls1.gamma"),
    ("layer.*.layer_scale2.lambda1", "blocks.*.ls2.gamma"),
    ("layer.*.mlp.gate_proj", "blocks.*.mlp.gate"),
    ("layer.*.mlp.up_proj", "blocks.*.mlp.up"),
    ("layer.*.mlp.down_proj", "blocks.*.mlp.fc2"),
    ("layer", "blocks"),
];

const VIT: Habits = Habits {
    epsilon: 1e-12,
    antialias: false,
    fed: Usual { resize: Resize::Bilinear, ..Usual::HALVES },
    ..Habits::TIMM
};
const DINO2: Habits = Habits { antialias: false, input: Some(224), ..Habits::TIMM };
const DINO3: Habits = Habits {
    epsilon: 1e-5,
    rotary: true,
    input: Some(224),
    fed: Usual { resize: Resize::Bilinear, ..Usual::IMAGENET },
    ..Habits::TIMM
};

const fn naming(
    title: &'static str,
    marks: &'static [&'static str],
    rules: &'static [NameRule],
    habits: &'static Habits,
) -> Naming {
    Naming { title, marks, names: Names::Rules(rules), kind: NetworkKind::Transformer(habits) }
}

/// DINOv3.
pub static DINOV3: Naming = naming(
    "Hugging Face transformers (DINOv3)",
    &["embeddings.patch_embeddings.weight", "layer.0.attention.q_proj.weight"],
    DINO3_RULES,
    &DINO3,
);
/// DINOv3 in memory.
pub static DINOV3_IN_MEMORY: Naming = naming(
    "Hugging Face transformers (DINOv3)",
    &["embeddings.patch_embeddings.weight", "model.layer.0.attention.q_proj.weight"],
    DINO3_RULES,
    &DINO3,
);
/// DINOv2 with registers, whose positions are interpolated otherwise.
pub static DINOV2_REGISTERS: Naming = naming(
    "Hugging Face transformers (DINOv2 with registers)",
    &[PATCHES, "encoder.layer.0.layer_scale1.lambda1", "embeddings.register_tokens"],
    RULES,
    &Habits { antialias: true, ..DINO2 },
);
/// DINOv2.
pub static DINOV2: Naming = naming(
    "Hugging Face transformers (DINOv2)",
    &[PATCHES, "encoder.layer.0.layer_scale1.lambda1"],
    RULES,
    &DINO2,
);
/// ViT and MAE.
pub static VIT_OR_MAE: Naming = naming(
    "Hugging Face transformers (ViT)",
    &[PATCHES, "encoder.layer.0.attention.attention.query.weight"],
    RULES,
    &VIT,
);
/// The same in memory.
pub static VIT_IN_MEMORY: Naming = naming(
    "Hugging Face transformers (ViT)",
    &[PATCHES, "layers.0.attention.q_proj.weight"],
    IN_MEMORY,
    &VIT,
);
