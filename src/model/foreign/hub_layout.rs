//! A network as Hugging Face transformers keeps it: a configuration that says which class it is, and weights under the
//! names of that class.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::naming::{NameRule, Names};
use crate::augment::Resize;
use crate::kernel::Activation;
use crate::model::backbone::Backbone;
use crate::model::encoder::{Encoder, ModelInfo};
use crate::model::resnet::{BackboneConfig, Stem};
use crate::model::vit::{Pooling, Positions, VitConfig};
use crate::model::weights::{self, Array, Weights};

/// Our names, and those of `ViTModel`.
const VIT: &[NameRule] = &[
    ("cls_token", "embeddings.cls_token"),
    ("pos_embed", "embeddings.position_embeddings"),
    ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
    ("norm", "layernorm"),
    ("blocks.*.attn.q", "encoder.layer.*.attention.attention.query"),
    ("blocks.*.attn.k", "encoder.layer.*.attention.attention.key"),
    ("blocks.*.attn.v", "encoder.layer.*.attention.attention.value"),
    ("blocks.*.attn.proj", "encoder.layer.*.attention.output.dense"),
    ("blocks.*.norm1", "encoder.layer.*.layernorm_before"),
    ("blocks.*.norm2", "encoder.layer.*.layernorm_after"),
    ("blocks.*.mlp.fc1", "encoder.layer.*.intermediate.dense"),
    ("blocks.*.mlp.fc2", "encoder.layer.*.output.dense"),
];

/// Our names, and those of `Dinov2Model` and `Dinov2WithRegistersModel`.
const DINOV2: &[NameRule] = &[
    ("cls_token", "embeddings.cls_token"),
    ("reg_token", "embeddings.register_tokens"),
    ("mask_token", "embeddings.mask_token"),
    ("pos_embed", "embeddings.position_embeddings"),
    ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
    ("norm", "layernorm"),
    ("blocks.*.attn.q", "encoder.layer.*.attention.attention.query"),
    ("blocks.*.attn.k", "encoder.layer.*.attention.attention.key"),
    ("blocks.*.attn.v", "encoder.layer.*.attention.attention.value"),
    ("blocks.*.attn.proj", "encoder.layer.*.attention.output.dense"),
    ("blocks.*.ls1.gamma", "encoder.layer.*.layer_scale1.lambda1"),
    ("blocks.*.ls2.gamma", "encoder.layer.*.layer_scale2.lambda1"),
    ("blocks.*.gated.fc1", "encoder.layer.*.mlp.weights_in"),
    ("blocks.*.gated.fc2", "encoder.layer.*.mlp.weights_out"),
    ("blocks", "encoder.layer"),
];

/// What transformers keeps of a network.
pub struct HubLayout {
    /// Which class it is, and its sides.
    pub config: Value,
    /// How images reach it.
    pub preprocessor: Value,
    /// Its weights, under the names of its class.
    pub weights: Weights,
}

/// A network as transformers loads it: the backbone without a projector, for which its classes have no place.
///
/// # Errors
/// None of its classes that are written is such a network; says why.
pub fn hub_layout(encoder: &Encoder, info: &ModelInfo) -> Result<HubLayout> {
    let mut arrays = weights::collect(encoder);
    arrays.retain(|name, _| !name.starts_with("projector."));
    let (config, names) = match &info.backbone {
        Backbone::ResNet(config) => resnet(config)?,
        Backbone::Transformer(config) => {
            spread(&mut arrays, config)?;
            transformer(config)?
        }
    };
    let named = arrays.into_iter().map(|(name, array)| {
        let theirs = names.named(&name).with_context(|| format!("{name} has no name there"))?;
        Ok((theirs, array))
    });
    Ok(HubLayout { config, preprocessor: preprocessor(info), weights: named.collect::<Result<_>>()? })
}

fn preprocessor(info: &ModelInfo) -> Value {
    let side = info.input;
    json!({
        "image_processor_type": "ViTImageProcessor",
        "do_resize": true,
        "size": { "height": side, "width": side },
        // Pillow's numbers.
        "resample": match info.resize { Resize::Bilinear => 2, Resize::Bicubic => 3 },
        "do_rescale": true,
        "rescale_factor": 1.0 / 255.0,
        "do_normalize": true,
        "image_mean": info.normalization.mean.map(shortest),
        "image_std": info.normalization.std.map(shortest),
    })
}

/// The number with the fewest digits that is this one in float32.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn resnet(config: &BackboneConfig) -> Result<(Value, Names)> {
    ensure!(
        config.stem == Stem::ImageNet,
        "transformers has no ResNet with a stem of 3 x 3: take the plain file"
    );
    ensure!(config.bottleneck.is_none(), "transformers has no wide ResNet: take the plain file");
    let widest = [1, 2, 4, 8].map(|factor| factor * config.h_width() / 8);
    let config = json!({
        "architectures": ["ResNetModel"],
        "model_type": "resnet",
        "num_channels": 3,
        "embedding_size": config.width,
        "hidden_sizes": widest,
        "depths": config.depth.blocks(),
        "layer_type": if config.depth.is_bottleneck() { "bottleneck" } else { "basic" },
        "hidden_act": "relu",
        "downsample_in_first_stage": false,
        "downsample_in_bottleneck": false,
    });
    Ok((config, Names::By(resnet_name)))
}

/// `layer1.1.conv3.weight` is `encoder.stages.0.layers.1.layer.2.convolution.weight`.
fn resnet_name(ours: &str) -> Option<String> {
    let parts: Vec<&str> = ours.split('.').collect();
    let kind =
        |part: &str| if part.starts_with("conv") || part == "0" { "convolution" } else { "normalization" };
    let number = |part: &str| part.chars().last()?.to_digit(10)?.checked_sub(1);
    match parts.as_slice() {
        [part, field] => Some(format!("embedder.embedder.{}.{field}", kind(part))),
        [stage, block, rest @ ..] => {
            let at = format!("encoder.stages.{}.layers.{block}", number(stage)?);
            match rest {
                ["downsample", part, field] => Some(format!("{at}.shortcut.{}.{field}", kind(part))),
                [part, field] => Some(format!("{at}.layer.{}.{}.{field}", number(part)?, kind(part))),
                _ => None,
            }
        }
        _ => None,
    }
}

fn transformer(config: &VitConfig) -> Result<(Value, Names)> {
    let Positions::Learned { grid, .. } = config.positions else {
        bail!("rotary positions are not written for transformers: take the plain file");
    };
    let is_plain =
        config.class_token && config.pooling == Pooling::Class && !config.pre_norm && grid[0] == grid[1];
    ensure!(
        is_plain,
        "ViT and DINOv2, whose h is the class token, are written for transformers, and no other: take the plain file"
    );
    let mlp = config.mlp;
    let mut said = json!({
        "num_channels": 3,
        "hidden_size": config.width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "hidden_act": match mlp.activation {
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_pytorch_tanh",
            Activation::QuickGelu => "quick_gelu",
            Activation::Silu => "silu",
        },
        "layer_norm_eps": config.epsilon,
        "image_size": grid[0] * config.patch,
        "patch_size": config.patch,
        "qkv_bias": true,
    });
    if !config.layer_scale {
        ensure!(
            !mlp.gated && config.registers == 0,
            "transformers has no ViT with registers or gates but without layer scale: take the plain file"
        );
        said["architectures"] = json!(["ViTModel"]);
        said["model_type"] = json!("vit");
        said["intermediate_size"] = json!(mlp.hidden);
        return Ok((said, Names::Rules(VIT)));
    }
    // The width of its MLP follows from a ratio.
    let hidden = |ratio: usize| match mlp.gated {
        true => (config.width * ratio * 2 / 3).next_multiple_of(8),
        false => config.width * ratio,
    };
    let ratio = (1..=16).find(|ratio| hidden(*ratio) == mlp.hidden);
    said["mlp_ratio"] = json!(ratio.context("transformers has no DINOv2 with an MLP of that width")?);
    said["use_swiglu_ffn"] = json!(mlp.gated);
    if mlp.gated {
        // What its own configurations say; the gate is SiLU.
        said["hidden_act"] = json!("gelu");
    }
    let (class, kind) = match config.registers {
        0 => ("Dinov2Model", "dinov2"),
        _ => ("Dinov2WithRegistersModel", "dinov2_with_registers"),
    };
    said["architectures"] = json!([class]);
    said["model_type"] = json!(kind);
    if config.registers > 0 {
        said["num_register_tokens"] = json!(config.registers);
    }
    Ok((said, Names::Rules(DINOV2)))
}

/// Makes of our arrays what its classes have: queries, keys and values apart, a place for the class token, the token
/// that stands for a hidden patch in training.
fn spread(arrays: &mut Weights, config: &VitConfig) -> Result<()> {
    let width = config.width;
    for block in 0..config.depth {
        for field in ["weight", "bias"] {
            let name = format!("blocks.{block}.attn.qkv.{field}");
            let all = arrays.remove(&name).with_context(|| format!("{name} is missing"))?;
            let shape = [&[width][..], &all.shape[1..]].concat();
            for (part, values) in
                ["q", "k", "v"].into_iter().zip(all.values.chunks_exact(all.values.len() / 3))
            {
                let array = Array { shape: shape.clone(), values: values.to_vec() };
                arrays.insert(format!("blocks.{block}.attn.{part}.{field}"), array);
            }
            for layer in ["fc1", "fc2"].into_iter().filter(|_| config.mlp.gated) {
                let moved = arrays.remove(&format!("blocks.{block}.mlp.{layer}.{field}"));
                arrays.extend(moved.map(|array| (format!("blocks.{block}.gated.{layer}.{field}"), array)));
            }
        }
    }
    if let (Positions::Learned { class: false, .. }, Some(positions)) =
        (config.positions, arrays.get_mut("pos_embed"))
    {
        positions.values = [vec![0.0; width], std::mem::take(&mut positions.values)].concat();
        positions.shape[1] += 1;
    }
    if config.layer_scale {
        arrays.insert("mask_token".into(), Array { shape: vec![1, width], values: vec![0.0; width] });
    }
    Ok(())
}
