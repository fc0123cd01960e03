//! Transformers with timm's names (`blocks.0.attn.qkv`): timm's own, DINO, DINOv2, DINOv3, iBOT, MAE, MoCo v3.

use crate::model::foreign::naming::{Habits, NameRule, Names, Naming, NetworkKind};

/// Their names, and ours.
const RULES: &[NameRule] = &[
    ("register_tokens", "reg_token"),
    ("storage_tokens", "reg_token"),
    ("cls_token", "cls_token"),
    ("reg_token", "reg_token"),
    ("pos_embed", "pos_embed"),
    ("patch_embed.proj", "patch_embed.proj"),
    ("norm_pre", "norm_pre"),
    ("norm", "norm"),
    // After the mean, in place of the final norm.
    ("fc_norm", "fc_norm"),
    ("attn_pool", "attn_pool"),
    // DINOv3's, in timm and in its own code.
    ("blocks.*.gamma_1", "blocks.*.ls1.gamma"),
    ("blocks.*.gamma_2", "blocks.*.ls2.gamma"),
    ("blocks.*.mlp.w12", "blocks.*.mlp.fc1"),
    ("blocks.*.mlp.w1", "blocks.*.mlp.gate"),
    ("blocks.*.mlp.w2", "blocks.*.mlp.up"),
    ("blocks.*.mlp.w3", "blocks.*.mlp.fc2"),
    ("blocks.*.mlp.fc1_g", "blocks.*.mlp.gate"),
    ("blocks.*.mlp.fc1_x", "blocks.*.mlp.up"),
    ("rope_embed.periods", "rope.periods"),
    // DINOv2's training keeps blocks in groups, and counts them through.
    ("blocks.*.*.mlp.w12", "blocks.*.mlp.fc1"),
    ("blocks.*.*.mlp.w3", "blocks.*.mlp.fc2"),
    ("blocks.*.*", "blocks.*"),
    ("blocks", "blocks"),
];

const PATCHES: &str = "patch_embed.proj.weight";
const BLOCKS: &str = "blocks.0.attn.qkv.weight";

const fn naming(title: &'static str, marks: &'static [&'static str], habits: &'static Habits) -> Naming {
    Naming { title, marks, names: Names::Rules(RULES), kind: NetworkKind::Transformer(habits) }
}

const DINO_HABITS: Habits = Habits { offset: 0.1, antialias: false, ..Habits::TIMM };
const DINO3: Habits = Habits { epsilon: 1e-5, rotary: true, input: Some(224), ..Habits::TIMM };

/// DINOv3 in its own code.
pub static DINOV3: Naming = naming("DINOv3", &[PATCHES, BLOCKS, "storage_tokens"], &DINO3);
/// DINOv3 in timm, which has others with registers and rotary positions, but without a class token.
pub static DINOV3_TIMM: Naming =
    naming("timm (DINOv3)", &[PATCHES, BLOCKS, "blocks.0.gamma_1", "reg_token", "cls_token"], &DINO3);
/// DINOv2 with registers in its own code, whose positions are interpolated otherwise.
pub static DINOV2_REGISTERS: Naming = naming(
    "DINOv2 with registers",
    &[PATCHES, BLOCKS, "mask_token", "register_tokens"],
    &Habits { input: Some(224), ..Habits::TIMM },
);
/// DINOv2 in its own code.
pub static DINOV2: Naming = naming(
    "DINOv2",
    &[PATCHES, BLOCKS, "mask_token", "blocks.0.ls1.gamma"],
    &Habits { input: Some(224), ..DINO_HABITS },
);
/// DINOv2 as its training keeps it: blocks in groups.
pub static DINOV2_GROUPED: Naming = naming(
    "DINOv2 (training)",
    &[PATCHES, "blocks.0.0.attn.qkv.weight", "mask_token"],
    &Habits { input: Some(224), ..DINO_HABITS },
);
/// MAE in its own code, with its decoder.
pub static MAE: Naming =
    naming("MAE", &[PATCHES, BLOCKS, "decoder_embed.weight"], &Habits { antialias: false, ..Habits::TIMM });
/// DINO and iBOT in their own code: student and teacher.
pub static DINO: Naming = naming("DINO", &[PATCHES, BLOCKS], &DINO_HABITS);
/// MoCo v3 in its own code, told by what stands before its two networks: its small one has heads of 32 values.
pub static MOCO_V3: Naming =
    naming("MoCo v3", &[PATCHES, BLOCKS], &Habits { heads: &[(384, 12)], ..Habits::TIMM });
/// timm, and all that take its class.
pub static TIMM: Naming = naming("timm", &[PATCHES, BLOCKS], &Habits::TIMM);
