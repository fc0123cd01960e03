//! Vision transformers of other programs: opened as they are, and as right as their own library
//! (`make_transformers.py`).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bagssl::kernel::Activation;
use bagssl::model::store::Model;
use bagssl::model::{MapLayer, Mode, ModelOrigin, ModelSpec, Overrides, Space, VitConfig, store};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use crate::model::{array, hashed, relative_error};
use crate::support::fixture;

fn checkpoint(file: &str) -> PathBuf {
    fixture("checkpoints").join("vit").join(file)
}

fn open(file: &str, overrides: Overrides) -> Model {
    let spec = ModelSpec { path: checkpoint(file), overrides };
    store::open(&spec, &Device::flex()).unwrap_or_else(|error| panic!("{file}: {error:#}"))
}

/// The sizes of `make_transformers.py`: the network's own, and a rectangle.
const SIZES: [(&str, [usize; 4]); 2] = [("own", [2, 3, 16, 16]), ("other", [1, 3, 24, 20])];

fn images(shape: [usize; 4]) -> Tensor<4> {
    images_on(shape, &Device::flex())
}

fn images_on(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values: Vec<f32> = hashed("images", shape.iter().product()).iter().map(|v| v * 2.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

/// Opens a file and compares all its vectors with those of its own library: float32 against float64.
fn agrees(file: &str, key: &str, heads: Option<usize>, sizes: &[&str]) -> (Model, ModelOrigin) {
    let model = open(file, Overrides { heads, ..Overrides::default() });
    let bytes = fs::read(checkpoint("expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let origin = model.info.origin.clone().expect("of another program");
    for (size, shape) in SIZES.into_iter().filter(|(size, _)| sizes.contains(size)) {
        let names =
            expected.names().into_iter().filter_map(|name| name.strip_prefix(&format!("{key}.{size}.")));
        let spaces: Vec<Space> = names.map(|name| name.parse().unwrap()).collect();
        assert!(spaces.len() >= 4, "{file}: {spaces:?}");
        assert_eq!(spaces.contains(&Space::Z), model.info.width(Space::Z).is_some(), "{file}: {origin:?}");
        for space in spaces {
            let found = match space {
                Space::Token(layer) => values(model.encoder.maps(images(shape), &[layer]).remove(0)),
                _ => values(model.encoder.embed(images(shape), &[space], Mode::Eval).remove(0)),
            };
            let error = relative_error(&found, &array(&expected, &format!("{key}.{size}.{space}")));
            assert!(error <= 2e-6, "{file} {size} {space}: relative error {error:.2e}");
        }
    }
    (model, origin)
}

const BOTH: [&str; 2] = ["own", "other"];

fn config(model: &Model) -> VitConfig {
    model.info.backbone.transformer().expect("a transformer")
}

#[test]
fn files_with_the_names_of_timm_open() {
    let (model, origin) = agrees("timm.pth", "timm", Some(2), &BOTH);
    assert_eq!(
        (origin.names.as_str(), origin.ignored.as_slice()),
        ("timm", &["head.bias", "head.weight"].map(String::from)[..])
    );
    assert!(origin.head.contains("no projector"), "{}", origin.head);
    assert_eq!((model.info.input, model.info.input_step()), (16, 4));
    assert!(!origin.assumed.iter().any(|words| words.contains("heads")), "{:?}", origin.assumed);
    let assumed = open("timm.pth", Overrides::default()).info.origin.unwrap().assumed;
    assert!(assumed.contains(&"1 heads in each block (width / 64)".to_string()), "{assumed:?}");
    let registers = agrees("timm_registers.safetensors", "timm_registers", Some(2), &BOTH).0;
    assert_eq!(config(&registers).registers, 3);
    agrees("timm_mean.pth", "timm_mean", Some(2), &BOTH);
    agrees("timm_siglip.pth", "timm_siglip", Some(2), &BOTH);
    let (_, torchvision) = agrees("torchvision_vit.pth", "torchvision_vit", Some(2), &["own"]);
    assert_eq!(torchvision.ignored, ["heads.head.bias", "heads.head.weight"]);
    let (_, origin) = agrees("timm_dinov3", "timm_dinov3", None, &BOTH);
    assert!(origin.assumed.is_empty(), "{:?}", origin.assumed);
}

#[test]
fn dino_mae_and_moco_open_with_their_heads() {
    let (_, dino) = agrees("dino.pth", "dino", Some(2), &BOTH);
    assert_eq!((dino.names.as_str(), dino.network.as_str()), ("DINO", "teacher.backbone"));
    assert_eq!(dino.others, ["student.module.backbone"]);
    assert_eq!(dino.head, "z: teacher.head, up to its bottleneck, of length 1");
    let (_, second) = agrees("dinov2.pth", "dinov2", Some(2), &BOTH);
    assert_eq!(
        (second.names.as_str(), second.ignored.as_slice()),
        ("DINOv2", &["mask_token".to_string()][..])
    );
    let (_, training) = agrees("dinov2_training.pth", "dinov2", Some(2), &BOTH);
    assert_eq!(
        (training.names.as_str(), training.network.as_str()),
        ("DINOv2 (training)", "teacher.backbone")
    );
    let (_, mae) = agrees("mae.pth", "mae", Some(2), &BOTH);
    assert_eq!(mae.names, "MAE");
    assert!(mae.ignored.contains(&"model.decoder_embed.weight".to_string()), "{:?}", mae.ignored);
    let (_, moco) = agrees("mocov3.pth.tar", "mocov3", Some(2), &BOTH);
    assert_eq!(moco.network, "state_dict.module.base_encoder");
    assert_eq!(moco.others, ["state_dict.module.momentum_encoder"]);
}

#[test]
fn a_teacher_of_lightly_is_timms_network_and_not_dinos() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let bytes = fs::read(checkpoint("timm_registers.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let names = |is_masked: bool| {
        let mask = TensorView::new(Dtype::F32, vec![1, 1, 8], &[0; 32]).unwrap();
        let beside = is_masked.then(|| ("teacher_backbone.mask_token".to_string(), mask));
        let network = file.iter().map(|(name, view)| (format!("teacher_backbone.vit.{name}"), view));
        fs::write(&path, safetensors::serialize(network.chain(beside), None).unwrap()).unwrap();
        let overrides = Overrides { heads: Some(2), ..Overrides::default() };
        let spec = ModelSpec { path: path.clone(), overrides };
        store::open(&spec, &Device::flex()).unwrap().info.origin.unwrap().names
    };
    assert_eq!((names(true).as_str(), names(false).as_str()), ("timm", "DINO"));
}

#[test]
fn folders_of_hugging_face_open_with_their_heads_and_forms() {
    for name in
        ["hf_dinov2", "hf_dinov2_swiglu", "hf_dinov2_registers", "hf_dinov3", "hf_dinov3_gated", "hf_vit"]
    {
        let (model, origin) = agrees(name, name, None, &BOTH);
        assert!(!origin.assumed.iter().any(|words| words.contains("heads")), "{name}: {:?}", origin.assumed);
        assert_eq!(config(&model).heads, 2, "{name}");
    }
    // The file alone reads what stands beside it.
    let file = agrees("hf_dinov2/model.safetensors", "hf_dinov2", None, &["own"]).0;
    assert_eq!(file.hash, open("hf_dinov2", Overrides::default()).hash);
    agrees("hf_vit_in_memory.bin", "hf_vit_in_memory", Some(2), &BOTH);
    let (_, mae) = agrees("hf_mae", "hf_mae", None, &BOTH);
    assert_eq!(mae.network, "vit");
    let (_, clip) = agrees("hf_clip", "hf_clip", None, &BOTH);
    assert_eq!((clip.network.as_str(), clip.head.as_str()), ("vision_model", "z: visual_projection"));
    let (_, siglip) = agrees("hf_siglip", "hf_siglip", None, &BOTH);
    assert!(siglip.head.contains("no projector"), "{}", siglip.head);
    // The same weights under OpenAI's names; its own code takes no other size.
    let (model, openai) = agrees("openai_clip.pt", "hf_clip", Some(2), &["own"]);
    assert_eq!((openai.names.as_str(), openai.head.as_str()), ("OpenAI (CLIP)", "z: state_dict.visual.proj"));
    assert!(config(&model).pre_norm);
}

#[test]
fn every_layer_of_a_transformer_is_a_map() {
    let model = open("timm_registers.safetensors", Overrides { heads: Some(2), ..Overrides::default() });
    let layers = model.info.map_layers();
    assert_eq!(layers.len(), 1 + 2 + 1 + 3 * 2);
    let [batch, _, height, width] = SIZES[1].1;
    for (layer, map) in layers.iter().zip(model.encoder.maps(images(SIZES[1].1), &layers)) {
        let cell = model.info.cell(*layer) as usize;
        assert_eq!(Some(map.dims()[1]), model.info.width(Space::Token(*layer)));
        assert_eq!(map.dims(), [batch, 8, height / cell, width / cell], "{layer}");
    }
    let map = |layer| values(model.encoder.maps(images(SIZES[0].1), &[layer]).remove(0));
    assert_eq!(map(MapLayer::Normed(2)), map(MapLayer::Last));
    assert_ne!(map(MapLayer::Block(2)), map(MapLayer::Last));
    assert_eq!(model.info.width(Space::Token(MapLayer::Block(3))), None);
}

/// The real network of `../shared/models/dinov2s DIR`, where `BAGSSL_TEST_DINOV2` names its folder.
#[test]
fn a_real_dinov2_agrees_with_hugging_face() {
    let Some(folder) = std::env::var_os("BAGSSL_TEST_DINOV2").map(PathBuf::from).filter(|path| path.is_dir())
    else {
        println!("skipped: BAGSSL_TEST_DINOV2 names no folder");
        return;
    };
    let model = store::open(&(&folder).into(), &Device::flex()).unwrap();
    assert_eq!((model.info.backbone.title().as_str(), config(&model).heads), ("ViT-S/14", 6));
    let bytes = fs::read(checkpoint("dinov2s.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let squares = hashed("squares", 3 * 8 * 8);
    for (size, rows, cols) in [("own", 28, 28), ("other", 14, 21)] {
        let shape = [1, 3, 8 * rows, 8 * cols];
        let pixel = |at: usize| {
            let (y, x) = (at / shape[3] % shape[2], at % shape[3]);
            2.0 * squares[at / (shape[2] * shape[3]) * 64 + y / rows * 8 + x / cols]
        };
        let values_in: Vec<f32> = (0..shape.iter().product()).map(pixel).collect();
        let images = Tensor::<4>::from_data(TensorData::new(values_in, shape), &Device::flex());
        let layers = [MapLayer::Last, MapLayer::Key(9)];
        let mut found: Vec<(Space, Vec<f32>)> = vec![];
        for (layer, map) in layers.into_iter().zip(model.encoder.maps(images.clone(), &layers)) {
            // As the script keeps them.
            found.push((Space::Token(layer), values(map).into_iter().step_by(37).collect()));
        }
        let spaces = [Space::H, Space::Block(6)];
        for (space, vectors) in spaces.into_iter().zip(model.encoder.embed(images, &spaces, Mode::Eval)) {
            found.push((space, values(vectors)));
        }
        for (space, found) in found {
            let error = relative_error(&found, &array(&expected, &format!("{size}.{space}")));
            println!("{size} {space}: relative error {error:.1e}");
            assert!(error <= 1e-5, "{size} {space}: relative error {error:.2e}");
        }
    }
}

/// Our kernels serve the CPU without gradients; with them, and on a GPU, burn's operations do.
#[test]
fn burns_operations_give_the_same() {
    for (name, heads) in [
        ("timm_siglip.pth", Some(2)),
        ("hf_clip", None),
        ("hf_siglip", None),
        ("hf_dinov2_swiglu", None),
        ("hf_dinov3", None),
    ] {
        let overrides = Overrides { heads, ..Overrides::default() };
        let device = Device::flex().autodiff();
        let spec = ModelSpec { path: checkpoint(name), overrides: overrides.clone() };
        let (ours, burns) = (open(name, overrides), store::open(&spec, &device).unwrap());
        let h = |model: &Model, device: &Device| {
            values(model.encoder.embed(images_on(SIZES[1].1, device), &[Space::H], Mode::Eval).remove(0))
        };
        let error = relative_error(&h(&ours, &Device::flex()), &h(&burns, &device));
        assert!(error <= 2e-6, "{name}: {error:.1e}");
    }
}

#[test]
fn an_activation_that_no_file_says_is_told() {
    let open = |activation| open("timm_siglip.pth", Overrides { activation, ..Overrides::default() });
    let (assumed, told) = (open(None), open(Some(Activation::QuickGelu)));
    let assumes = |model: &Model| {
        let origin = model.info.origin.as_ref().unwrap();
        origin.assumed.iter().any(|words| words.contains("GELU in its MLPs"))
    };
    assert!(assumes(&assumed) && !assumes(&told));
    assert_eq!(config(&told).mlp.activation, Activation::QuickGelu);
    assert_ne!(told.hash, assumed.hash);
    let spec = ModelSpec {
        path: checkpoint("hf_dinov2_swiglu"),
        overrides: Overrides { activation: Some(Activation::Gelu), ..Overrides::default() },
    };
    let error = format!("{:#}", store::open(&spec, &Device::flex()).err().unwrap());
    assert!(error.contains("exact GELU: the model's MLPs have a gate"), "{error}");
}

#[test]
fn what_is_converted_is_the_same_transformer() {
    let folder = tempfile::tempdir().unwrap();
    for (name, heads) in [("hf_dinov2_swiglu", None), ("dino.pth", Some(2)), ("hf_siglip", None)] {
        let out = folder.path().join("out.safetensors");
        let model = open(name, Overrides { heads, ..Overrides::default() });
        store::save(&out, &model.encoder, &model.info).unwrap();
        let again = store::open(&(&out).into(), &Device::flex()).unwrap();
        assert_eq!(again.info, model.info, "{name}");
        for space in model.info.crop_spaces() {
            let of = |model: &Model| {
                values(model.encoder.embed(images(SIZES[1].1), &[space], Mode::Eval).remove(0))
            };
            assert_eq!(of(&again), of(&model), "{name} {space}");
        }
        // Nothing trains it.
        let error = again.info.backbone.resnet().unwrap_err().to_string();
        assert!(error.contains("opened for looking, not trained"), "{error}");
    }
}

#[test]
fn what_is_written_for_transformers_is_as_it_writes_it_and_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let names = |place: &Path| -> BTreeSet<String> {
        let bytes = fs::read(place.join("model.safetensors")).unwrap();
        SafeTensors::deserialize(&bytes).unwrap().names().into_iter().map(String::from).collect()
    };
    let config = |place: &Path| -> Value {
        serde_json::from_slice(&fs::read(place.join("config.json")).unwrap()).unwrap()
    };
    for (name, heads) in [
        ("hf_vit", None),
        ("hf_dinov2", None),
        ("hf_dinov2_swiglu", None),
        ("hf_dinov2_registers", None),
        ("../transformers", None),
        ("dino.pth", Some(2)),
    ] {
        let out = folder.path().join(name.replace(['/', '.'], "_"));
        let model = open(name, Overrides { heads, ..Overrides::default() });
        store::save_for_transformers(&out, &model.encoder, &model.info).unwrap();
        let again = store::open(&(&out).into(), &Device::flex()).unwrap();
        let fed = |model: &Model| (model.info.input, model.info.resize, model.info.normalization);
        assert_eq!(fed(&again), fed(&model), "{name}");
        let side = if again.info.backbone.transformer().is_some() { SIZES[0].1 } else { [1, 3, 64, 64] };
        let h = |model: &Model| values(model.encoder.embed(images(side), &[Space::H], Mode::Eval).remove(0));
        assert_eq!(h(&again), h(&model), "{name}");
        if checkpoint(name).is_dir() {
            // Their classes have a pooler beside, which is no part of the network here.
            let theirs = names(&checkpoint(name)).into_iter();
            let theirs =
                theirs.filter(|name| !name.contains("pooler") && !name.contains("num_batches_tracked"));
            assert_eq!(names(&out), theirs.collect(), "{name}");
            let (written, said) = (config(&out), config(&checkpoint(name)));
            for (key, value) in written.as_object().unwrap() {
                assert_eq!(value, &said[key], "{name}: {key}");
            }
        }
    }
    for (name, words) in [("hf_dinov3", "rotary positions are not written"), ("hf_siglip", "ViT and DINOv2")]
    {
        let model = open(name, Overrides::default());
        let error = store::save_for_transformers(folder.path(), &model.encoder, &model.info).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_transformer_with_other_layers_is_refused_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let bytes = fs::read(checkpoint("timm_registers.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let error = |change: &dyn Fn(&str) -> Option<String>, heads: usize| {
        let arrays = file.iter().filter_map(|(name, view)| Some((change(name)?, view)));
        fs::write(&path, safetensors::serialize(arrays, None).unwrap()).unwrap();
        let overrides = Overrides { heads: Some(heads), ..Overrides::default() };
        let opened = store::open(&ModelSpec { path: path.clone(), overrides }, &Device::flex());
        format!("{:#}", opened.err().expect("refused"))
    };
    let all = |name: &str| Some(name.to_string());
    let empty = TensorView::new(Dtype::F32, vec![0, 3, 4, 4], &[]).unwrap();
    let hollow =
        file.iter().map(
            |(name, view)| {
                if name == "patch_embed.proj.weight" { (name, empty.clone()) } else { (name, view) }
            },
        );
    fs::write(&path, safetensors::serialize(hollow, None).unwrap()).unwrap();
    let refused = store::open(&(&path).into(), &Device::flex()).err().unwrap();
    assert!(format!("{refused:#}").contains("patch_embed.proj.weight is empty"), "{refused:#}");
    assert!(error(&all, 3).contains("heads is 3; expected a divisor of the width, 8"));
    let strange = error(&|name| Some(name.replace("1.ls1.gamma", "1.attn.q_norm.weight")), 2);
    assert!(strange.contains("weights are missing: blocks.1.ls1.gamma"), "{strange}");
    let without = error(&|name| (name != "pos_embed").then(|| name.to_string()), 2);
    assert!(without.contains("pos_embed is missing"), "{without}");
}
