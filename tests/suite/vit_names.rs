//! Transformers whose arrays are named like others', told apart by what else is there.

use std::fs;
use std::path::Path;

use bagssl::model::store::Model;
use bagssl::model::{Mode, ModelSpec, Overrides, Positions, Space, VitConfig, store};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::support::fixture;

type Arrays = Vec<(String, Vec<usize>, Vec<f32>)>;

/// Arrays of zeros of one block of a network without positions, by timm's names.
fn block(width: usize, gated: bool) -> Arrays {
    let vector =
        |name: &str| vec![(format!("{name}.weight"), vec![width]), (format!("{name}.bias"), vec![width])];
    let layer = |name: &str, rows: usize, columns: usize| {
        vec![(format!("{name}.weight"), vec![rows, columns]), (format!("{name}.bias"), vec![rows])]
    };
    let first = match gated {
        true => [layer("blocks.0.mlp.fc1_g", 8, width), layer("blocks.0.mlp.fc1_x", 8, width)].concat(),
        false => layer("blocks.0.mlp.fc1", 8, width),
    };
    let shapes = [
        vec![
            ("cls_token".to_string(), vec![1, 1, width]),
            ("patch_embed.proj.weight".into(), vec![width, 3, 4, 4]),
            ("patch_embed.proj.bias".into(), vec![width]),
        ],
        vector("blocks.0.norm1"),
        layer("blocks.0.attn.qkv", 3 * width, width),
        layer("blocks.0.attn.proj", width, width),
        vector("blocks.0.norm2"),
        first,
        layer("blocks.0.mlp.fc2", width, 8),
        vector("norm"),
    ];
    let zeros = |(name, shape): (String, Vec<usize>)| {
        let count = shape.iter().product();
        (name, shape, vec![0.0; count])
    };
    shapes.concat().into_iter().map(zeros).collect()
}

fn zeros(name: &str, shape: &[usize]) -> (String, Vec<usize>, Vec<f32>) {
    (name.into(), shape.to_vec(), vec![0.0; shape.iter().product()])
}

/// Opens them as a file in which `prefix` stands before their names.
fn opened(prefix: &str, arrays: &Arrays) -> anyhow::Result<Model> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("m.safetensors");
    let views = arrays.iter().map(|(name, shape, values)| {
        let bytes = bytemuck::cast_slice(values);
        (format!("{prefix}{name}"), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    fs::write(&path, safetensors::serialize(views, None)?)?;
    store::open(&(&path).into(), &Device::flex())
}

fn config(model: &Model) -> VitConfig {
    model.info.backbone.transformer().expect("a transformer")
}

fn refusal(arrays: &Arrays) -> String {
    format!("{:#}", opened("", arrays).err().expect("refused"))
}

#[test]
fn the_small_network_of_moco_has_twelve_heads() {
    let mut arrays = block(384, false);
    arrays.push(zeros("pos_embed", &[1, 5, 384]));
    for (prefix, heads, names) in [
        ("module.base_encoder.", 12, "MoCo v3"),
        ("state_dict.module.momentum_encoder.", 12, "MoCo v3"),
        ("model.", 6, "timm"),
    ] {
        let model = opened(prefix, &arrays).unwrap();
        let (found, origin) = (config(&model).heads, model.info.origin.unwrap());
        assert_eq!((found, origin.names.as_str()), (heads, names), "{prefix}");
        let said = origin.assumed.iter().find(|words| words.contains("heads in each block")).unwrap();
        assert_eq!(said.contains("width / 64"), heads == 6, "{said}");
    }
}

#[test]
fn timms_dinov3_with_a_gate_opens_and_others_with_one_are_refused() {
    let rotary = |gated: bool| {
        let mut arrays = block(128, gated);
        arrays.extend([zeros("reg_token", &[1, 4, 128])]);
        arrays.extend(["gamma_1", "gamma_2"].map(|name| zeros(&format!("blocks.0.{name}"), &[128])));
        arrays
    };
    let gated = config(&opened("", &rotary(true)).unwrap());
    assert!(gated.mlp.gated && gated.positions == Positions::Rotary { base: 100.0, rounded: false });
    let mut learned = rotary(true);
    learned.push(zeros("pos_embed", &[1, 5, 128]));
    assert!(refusal(&learned).contains("EVA-02"));
    let without = |name: &str| rotary(false).into_iter().filter(|array| array.0 != name).collect();
    assert!(
        refusal(&without("cls_token")).contains("pos_embed is missing"),
        "another network with such positions"
    );
    assert!(refusal(&without("blocks.0.norm1.bias")).contains("RMS normalisation"));
}

#[test]
fn a_perception_encoder_and_a_siglip_with_a_class_token_are_refused() {
    let mut arrays = block(128, false);
    arrays.push(zeros("pos_embed", &[1, 5, 128]));
    arrays.extend(["norm_pre.weight", "norm_pre.bias"].map(|name| zeros(name, &[128])));
    assert!(opened("visual.trunk.", &arrays).is_ok());
    arrays.push(zeros("attn_pool.latent", &[1, 1, 128]));
    assert!(refusal(&arrays).contains("Perception Encoder"));
    let siglip = [
        zeros("embeddings.patch_embedding.weight", &[8, 3, 4, 4]),
        zeros("embeddings.class_embedding", &[8]),
        zeros("encoder.layers.0.self_attn.q_proj.weight", &[8, 8]),
    ];
    assert!(refusal(&siglip.to_vec()).contains("transformer of another kind"));
}

/// What `torch.tensor(100.0) ** (torch.arange(16) / 16)` is in bfloat16, as DINOv3 keeps it.
const ROUNDED: [f32; 16] = [
    1.0, 1.3359375, 1.78125, 2.375, 3.15625, 4.21875, 5.625, 7.5, 10.0, 13.3125, 17.75, 23.75, 31.625, 42.25,
    56.25, 75.0,
];

#[test]
fn the_periods_in_a_file_of_dinov3_are_followed() {
    let with = |periods: &[f32]| {
        let mut arrays = block(128, false);
        arrays.push(zeros("storage_tokens", &[1, 4, 128]));
        arrays.push(("rope_embed.periods".into(), vec![periods.len()], periods.to_vec()));
        arrays
    };
    let exact: Vec<f32> = (0..16).map(|at| 100f32.powf(at as f32 / 16.0)).collect();
    for (periods, rounded) in [(&exact[..], false), (&ROUNDED, true)] {
        let model = opened("", &with(periods)).unwrap();
        assert_eq!(config(&model).positions, Positions::Rotary { base: 100.0, rounded });
        assert!(model.info.origin.unwrap().ignored.is_empty());
    }
    assert!(refusal(&with(&[1.0; 16])).contains("rope_embed.periods"));
}

/// Positions of the tokens before the patches are those of the class token and the registers.
#[test]
fn positions_of_class_token_and_registers_are_added_to_them() {
    let mut arrays = block(64, false);
    let values =
        |from: usize, count: usize| (from..from + count).map(|at| (at as f32).sin()).collect::<Vec<_>>();
    for (name, _, held) in &mut arrays {
        let from = name.len() * 97;
        *held = values(from, held.len());
    }
    let mut apart = arrays.clone();
    let registers = values(5, 4 * 64);
    arrays.push(("reg_token".into(), vec![1, 4, 64], registers.clone()));
    arrays.push(("pos_embed".into(), vec![1, 21, 64], values(9, 21 * 64)));
    // The same by hand: added before, and positions of the patches alone.
    let added = |own: &[f32], from: usize| {
        own.iter().zip(values(9 + from, own.len())).map(|(own, position)| own + position).collect::<Vec<_>>()
    };
    let class = apart.iter_mut().find(|(name, ..)| name == "cls_token").unwrap();
    class.2 = added(&class.2, 0);
    apart.push(("reg_token".into(), vec![1, 4, 64], added(&registers, 64)));
    apart.push(("pos_embed".into(), vec![1, 16, 64], values(9 + 5 * 64, 16 * 64)));
    let [one, other] = [arrays, apart].map(|arrays| h(&opened("", &arrays).unwrap()));
    assert_eq!(one, other);
}

fn h(model: &Model) -> Vec<f32> {
    let pixels = (0..3 * 16 * 16).map(|at| (at as f32 * 0.7).cos()).collect::<Vec<f32>>();
    let images = Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, 16, 16]), &Device::flex());
    model.encoder.embed(images, &[Space::H], Mode::Eval).remove(0).into_data().try_to_vec::<f32>().unwrap()
}

#[test]
fn the_tower_of_owl_vit_is_clips() {
    let bytes = fs::read(fixture("checkpoints").join("vit/hf_clip/model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let saved = |name: &str, renamed: &dyn Fn(&str) -> String| {
        let path = folder.path().join(name);
        let views = file.iter().map(|(name, view)| (renamed(name), view));
        fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        open_with_two_heads(&path)
    };
    let clip = saved("clip.safetensors", &str::to_owned);
    let owl =
        saved("owl.safetensors", &|name| format!("owlvit.{}", name.replace("pre_layrnorm", "pre_layernorm")));
    assert_eq!(owl.info.origin.as_ref().unwrap().names, "Hugging Face transformers (OWL-ViT)");
    assert!(config(&owl).pre_norm && config(&owl) == config(&clip));
    assert_eq!(h(&owl), h(&clip));
}

fn open_with_two_heads(path: &Path) -> Model {
    let overrides = Overrides { heads: Some(2), ..Overrides::default() };
    store::open(&ModelSpec { path: path.into(), overrides }, &Device::flex()).unwrap()
}
