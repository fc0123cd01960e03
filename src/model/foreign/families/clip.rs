//! Image towers of CLIP and SigLIP, by the names of Hugging Face transformers and of OpenAI and open_clip.

use crate::augment::Resize;
use crate::kernel::Activation;
use crate::model::foreign::naming::{Habits, NameRule, Names, Naming, NetworkKind, Usual};

const TOWER: &[NameRule] = &[
    ("embeddings.class_embedding", "cls_token"),
    ("embeddings.position_embedding.weight", "pos_embed"),
    ("embeddings.patch_embedding", "patch_embed.proj"),
    ("pre_layrnorm", "norm_pre"),
    ("pre_layernorm", "norm_pre"),
    ("post_layernorm", "norm"),
    ("encoder.layers.*.self_attn.q_proj", "blocks.*.attn.q"),
    ("encoder.layers.*.self_attn.k_proj", "blocks.*.attn.k"),
    ("encoder.layers.*.self_attn.v_proj", "blocks.*.attn.v"),
    ("encoder.layers.*.self_attn.out_proj", "blocks.*.attn.proj"),
    ("encoder.layers.*.layer_norm1", "blocks.*.norm1"),
    ("encoder.layers.*.layer_norm2", "blocks.*.norm2"),
    ("encoder.layers", "blocks"),
    // SigLIP's pooling.
    ("head.probe", "attn_pool.latent"),
    ("head.attention.in_proj_weight", "attn_pool.qkv.weight"),
    ("head.attention.in_proj_bias", "attn_pool.qkv.bias"),
    ("head.attention.out_proj", "attn_pool.proj"),
    ("head.layernorm", "attn_pool.norm"),
    ("head.mlp", "attn_pool.mlp"),
];

const OPEN: &[NameRule] = &[
    ("class_embedding", "cls_token"),
    ("positional_embedding", "pos_embed"),
    ("conv1", "patch_embed.proj"),
    ("ln_pre", "norm_pre"),
    ("ln_post", "norm"),
    ("transformer.resblocks.*.attn.in_proj_weight", "blocks.*.attn.qkv.weight"),
    ("transformer.resblocks.*.attn.in_proj_bias", "blocks.*.attn.qkv.bias"),
    ("transformer.resblocks.*.attn.out_proj", "blocks.*.attn.proj"),
    ("transformer.resblocks.*.ln_1", "blocks.*.norm1"),
    ("transformer.resblocks.*.ln_2", "blocks.*.norm2"),
    ("transformer.resblocks.*.ls_1.gamma", "blocks.*.ls1.gamma"),
    ("transformer.resblocks.*.ls_2.gamma", "blocks.*.ls2.gamma"),
    ("transformer.resblocks.*.mlp.c_fc", "blocks.*.mlp.fc1"),
    ("transformer.resblocks.*.mlp.c_proj", "blocks.*.mlp.fc2"),
    ("transformer.resblocks", "blocks"),
    // CoCa's, which is no SigLIP's.
    ("attn_pool", "attn_pool"),
];

const CLIP_HABITS: Habits = Habits {
    epsilon: 1e-5,
    activation: Activation::QuickGelu,
    antialias: false,
    fed: Usual::CLIP,
    ..Habits::TIMM
};

/// CLIP of Hugging Face.
pub static CLIP: Naming = Naming {
    title: "Hugging Face transformers (CLIP)",
    marks: &[
        "embeddings.patch_embedding.weight",
        "encoder.layers.0.self_attn.q_proj.weight",
        "pre_layrnorm.weight",
    ],
    names: Names::Rules(TOWER),
    kind: NetworkKind::Transformer(&CLIP_HABITS),
};
/// CLIP's tower in OWL-ViT and OWLv2 of Hugging Face.
pub static OWL_VIT: Naming = Naming {
    title: "Hugging Face transformers (OWL-ViT)",
    marks: &[
        "embeddings.patch_embedding.weight",
        "encoder.layers.0.self_attn.q_proj.weight",
        "pre_layernorm.weight",
    ],
    names: Names::Rules(TOWER),
    kind: NetworkKind::Transformer(&CLIP_HABITS),
};
/// SigLIP of Hugging Face.
pub static SIGLIP: Naming = Naming {
    title: "Hugging Face transformers (SigLIP)",
    marks: &["embeddings.patch_embedding.weight", "encoder.layers.0.self_attn.q_proj.weight"],
    names: Names::Rules(TOWER),
    kind: NetworkKind::Transformer(&Habits {
        epsilon: 1e-6,
        activation: Activation::GeluTanh,
        antialias: false,
        fed: Usual { resize: Resize::Bicubic, ..Usual::HALVES },
        ..Habits::TIMM
    }),
};
/// CLIP of OpenAI, told from open_clip's by what stands beside the tower.
pub static CLIP_OPENAI: Naming = Naming {
    title: "OpenAI (CLIP)",
    marks: &["conv1.weight", "transformer.resblocks.0.attn.in_proj_weight", "ln_pre.weight"],
    names: Names::Rules(OPEN),
    kind: NetworkKind::Transformer(&Habits { antialias: true, ..CLIP_HABITS }),
};
/// CLIP of open_clip.
pub static CLIP_OPEN: Naming = Naming {
    title: "open_clip",
    marks: &["conv1.weight", "transformer.resblocks.0.attn.in_proj_weight", "ln_pre.weight"],
    names: Names::Rules(OPEN),
    kind: NetworkKind::Transformer(&Habits { activation: Activation::Gelu, antialias: true, ..CLIP_HABITS }),
};
