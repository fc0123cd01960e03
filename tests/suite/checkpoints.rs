//! Checkpoints of other programs: opened as they are, and as right as their own library (`make_checkpoints.py`).

use std::fs;
use std::path::{Path, PathBuf};

use bagssl::model::store::Model;
use bagssl::model::{
    BackboneConfig, Depth, Encoder, Mode, ModelInfo, ModelOrigin, ModelSpec, Overrides, Space, Stem, store,
    weights,
};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::model::{array, hashed, relative_error, value};
use crate::support::fixture;

pub fn spec(path: &Path, weights: Option<&str>) -> ModelSpec {
    let overrides = Overrides { weights: weights.map(String::from), ..Overrides::default() };
    ModelSpec { path: path.into(), overrides }
}

pub fn checkpoint(file: &str) -> PathBuf {
    fixture("checkpoints").join(file)
}

pub fn open(file: &str, weights: Option<&str>) -> Model {
    store::open(&spec(&checkpoint(file), weights), &Device::flex())
        .unwrap_or_else(|error| panic!("{file}: {error:#}"))
}

/// Opens a file and compares its vectors with those of its own library: float32 against float64 over up to 50
/// layers, 1e-4 norm-wise.
fn agrees(file: &str, weights: Option<&str>, key: &str) -> (Model, ModelOrigin) {
    let model = open(file, weights);
    let bytes = fs::read(checkpoint("expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let side = if model.info.backbone.stem() == Some(Stem::ImageNet) { 64 } else { 32 };
    let shape = [2, 3, side, side];
    let values: Vec<f32> = hashed("images", shape.iter().product()).iter().map(|v| v * 2.0).collect();
    let images = || Tensor::from_data(TensorData::new(values.clone(), shape), &Device::flex());
    let has_z = expected.tensor(&format!("{key}.z")).is_ok();
    let spaces: Vec<Space> = model.info.spaces().into_iter().map(|(space, _)| space).collect();
    assert_eq!(spaces.contains(&Space::Z), has_z, "{file}: {:?}", model.info.origin);
    for (space, vectors) in spaces.iter().zip(model.encoder.embed(images(), &spaces, Mode::Eval)) {
        let found = vectors.into_data().try_to_vec::<f32>().unwrap();
        let error = relative_error(&found, &array(&expected, &format!("{key}.{space}")));
        assert!(error <= 1e-4, "{file} {space}: relative error {error:.2e}");
    }
    let origin = model.info.origin.clone().expect("of another program");
    (model, origin)
}

#[test]
fn torchvisions_files_open_in_every_container() {
    let (model, origin) = agrees("torchvision.pth", None, "torchvision");
    assert_eq!((origin.names.as_str(), origin.network.as_str()), ("torchvision", ""));
    assert_eq!(origin.ignored, ["fc.bias", "fc.weight"]);
    assert!(origin.head.contains("no projector"), "{}", origin.head);
    assert_eq!((model.info.input, model.format), (224, "PyTorch"));
    assert!(origin.assumed.iter().any(|words| words == "normalisation of ImageNet"), "{:?}", origin.assumed);
    // A module that was saved as a whole, the old container, float64, half precision in strides, bfloat16.
    agrees("whole.pt", None, "whole");
    // And one that was traced, whose program nobody runs.
    agrees("script.pt", None, "torchvision");
    assert_eq!(agrees("legacy.th", None, "legacy").1.network, "net");
    agrees("double.pt", None, "double");
    assert_eq!(agrees("strided_f16.bin", None, "strided_f16").1.network, "model");
    assert_eq!(agrees("compiled_bf16.safetensors", None, "compiled_bf16").1.network, "_orig_mod");
}

#[test]
fn of_several_networks_the_usual_one_is_taken_and_another_by_name() {
    let (_, moco) = agrees("moco.pth.tar", None, "moco");
    assert_eq!(
        (moco.network.as_str(), moco.head.as_str()),
        ("state_dict.module.encoder_q", "z: state_dict.module.encoder_q.fc")
    );
    assert_eq!(moco.others, ["state_dict.module.encoder_k"]);
    let key = agrees("moco.pth.tar", Some("state_dict.module.encoder_k"), "moco_key").0;
    assert_ne!(key.hash, open("moco.pth.tar", None).hash);
    let (solo, origin) = agrees("solo.ckpt", None, "solo");
    assert_eq!(solo.info.backbone.stem(), Some(Stem::Cifar { padding: 2 }));
    assert_eq!(solo.info.projector, [24, 24, 8]);
    assert_eq!(origin.head, "z: state_dict.projector");
    let (_, momentum) = agrees("solo.ckpt", Some("state_dict.momentum_backbone"), "solo_momentum");
    assert_eq!(momentum.head, "z: state_dict.momentum_projector");
    let (_, dino) = agrees("dino.pth", None, "dino");
    assert_eq!(
        (dino.network.as_str(), dino.others.as_slice()),
        ("teacher.backbone", &["student.module.backbone".to_string()][..])
    );
    assert_eq!(dino.head, "z: teacher.head, up to its bottleneck, of length 1");
    let (_, lightly) = agrees("lightly.ckpt", None, "lightly");
    assert_eq!(lightly.head, "z: state_dict.projection_head");
    let error =
        store::open(&spec(&checkpoint("moco.pth.tar"), Some("teacher")), &Device::flex()).err().unwrap();
    let error = format!("{error:#}");
    assert!(error.contains("no network \"teacher\"") && error.contains("encoder_k"), "{error}");
}

/// Bottlenecks that alone are wider: as `make_checkpoints.py` makes them, in a file that names no network.
#[test]
fn torchvisions_wide_resnets_open_and_come_back_as_theirs() {
    let config =
        BackboneConfig { bottleneck: Some(4), ..BackboneConfig::new(Depth::ResNet50, Stem::ImageNet, 2) };
    let info = ModelInfo {
        backbone: config.into(),
        projector: vec![],
        ..crate::model::info(Depth::ResNet50, Stem::ImageNet)
    };
    let shapes = weights::collect(&Encoder::new(&info, 0, &Device::flex()));
    let arrays: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .iter()
        .map(|(name, array)| {
            let values = value(&format!("wide.{name}"), &array.shape);
            (name.clone(), array.shape.clone(), bytemuck::cast_slice(&values).to_vec())
        })
        .collect();
    let views = arrays.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wide.safetensors");
    fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let model = store::open(&spec(&path, None), &Device::flex()).unwrap();
    assert_eq!(model.info.backbone.resnet().unwrap(), config);
    assert_eq!(model.info.backbone.title(), "Wide ResNet-50-2/32");
    let bytes = fs::read(checkpoint("expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let spaces: Vec<Space> = ["h", "stage1", "stage2", "stage3"].map(|name| name.parse().unwrap()).into();
    for (height, width) in [(64, 64), (96, 80)] {
        let shape = [2, 3, height, width];
        let values: Vec<f32> = hashed("images", shape.iter().product()).iter().map(|v| v * 2.0).collect();
        let images = Tensor::<4>::from_data(TensorData::new(values, shape), &Device::flex());
        for (space, vectors) in spaces.iter().zip(model.encoder.embed(images, &spaces, Mode::Eval)) {
            let found = vectors.into_data().try_to_vec::<f32>().unwrap();
            let error = relative_error(&found, &array(&expected, &format!("wide.{width}.{space}")));
            assert!(error <= 1e-4, "{height} x {width}, {space}: relative error {error:.2e}");
        }
    }
    // As `model convert` writes it: their names and values, and the width in our own words.
    let out = folder.path().join("out.safetensors");
    store::save(&out, &model.encoder, &model.info).unwrap();
    let again = store::open(&spec(&out, None), &Device::flex()).unwrap();
    assert_eq!(again.info, model.info);
    let written = weights::collect(&again.encoder);
    assert!(written.len() == arrays.len() && written == weights::collect(&model.encoder));
    let plain = serde_json::to_string(&BackboneConfig { bottleneck: None, ..config }).unwrap();
    assert!(!plain.contains("bottleneck"), "files of before keep their bytes: {plain}");
}

#[test]
fn a_folder_of_hugging_face_is_believed() {
    let (model, origin) = agrees("transformers", None, "transformers");
    assert_eq!((model.info.input, model.info.normalization.mean), (64, [0.5, 0.4, 0.3]));
    assert!(origin.assumed.is_empty(), "{:?}", origin.assumed);
    // As its cache keeps it.
    let cache = tempfile::tempdir().unwrap();
    let snapshot = cache.path().join("snapshots").join("0123abcd");
    fs::create_dir_all(&snapshot).unwrap();
    for file in fs::read_dir(checkpoint("transformers")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), snapshot.join(file.file_name())).unwrap();
    }
    assert_eq!(store::open(&spec(cache.path(), None), &Device::flex()).unwrap().hash, model.hash);
}

#[test]
fn what_is_converted_is_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.safetensors");
    let model = open("lightly.ckpt", None);
    store::save(&out, &model.encoder, &model.info).unwrap();
    let again = store::open(&spec(&out, None), &Device::flex()).unwrap();
    assert_eq!(again.info, model.info);
    let images = || Tensor::<4>::ones([1, 3, 64, 64], &Device::flex());
    let z = |model: &Model| {
        let z = model.encoder.embed(images(), &[Space::Z], Mode::Eval).remove(0);
        z.into_data().try_to_vec::<f32>().unwrap()
    };
    assert_eq!(z(&again), z(&model));
}

fn error_of(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    match store::open(&spec(&path, None), &Device::flex()) {
        Ok(_) => "it opened".into(),
        Err(error) => format!("{error:#}"),
    }
}

/// The names of a ResNet-50 by which its blocks are known, with a 3 x 3 convolution of that shape in the first.
fn resnext(second: &[usize]) -> Vec<(&'static str, &[usize])> {
    let names = [3, 4, 6, 3].into_iter().zip(1..).flat_map(|(blocks, stage)| {
        (0..blocks).map(move |block| &*format!("layer{stage}.{block}.conv1.weight").leak())
    });
    let firsts = names.map(|name| (name, &[4, 2, 1, 1][..]));
    let rest: [(&str, &[usize]); 4] = [
        ("conv1.weight", &[2, 3, 7, 7]),
        ("layer1.0.conv2.weight", second),
        ("layer1.0.conv3.weight", &[4, 4, 1, 1]),
        ("layer2.0.downsample.0.weight", &[8, 4, 1, 1]),
    ];
    firsts.chain(rest).collect()
}

/// A file of arrays of one number each.
fn arrays(names: &[(&str, &[usize])]) -> Vec<u8> {
    let data = vec![0; 4096];
    let views = names.iter().map(|(name, shape)| {
        let length = 4 * shape.iter().product::<usize>();
        (*name, TensorView::new(Dtype::F32, shape.to_vec(), &data[..length]).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn what_cannot_be_opened_says_why() {
    let kernel: &[usize] = &[2, 2, 3, 3];
    let stem: &[usize] = &[2, 3, 3, 3];
    for (names, words) in [
        (&[("blocks.0.attn.qkv.weight", &[2, 2][..])][..], "it is a transformer without the names of a ViT"),
        (
            &[("patch_embed.proj.weight", &[2, 3, 4, 4]), ("blocks.0.attn.qkv.weight", &[6, 2])],
            "the network (timm names): blocks.0.norm1.weight is missing",
        ),
        (&[("module._flat_param", &[4])], "consolidate"),
        (&[("stages.0.blocks.0.conv_dw.weight", kernel)], "ConvNeXt"),
        (&[("layers.0.blocks.0.attn.relative_position_bias_table", &[4, 2])], "Swin"),
        (
            &[
                ("visual.conv1.weight", stem),
                ("visual.layer1.0.conv1.weight", kernel),
                ("visual.attnpool.k_proj.weight", &[2, 2]),
            ],
            "the network \"visual\" (torchvision names): it is CLIP's ResNet",
        ),
        (
            &[
                ("backbone.0.weight", stem),
                ("backbone.3.0.conv1.weight", kernel),
                ("backbone.3.0.shortcut.0.weight", &[2, 2, 1, 1]),
            ],
            "it is lightly's ResNet for CIFAR with its layers in a Sequential",
        ),
        (&[("blocks.0.attn.qkv.zero_point", &[1])], "it is quantised"),
        (&[("weight", &[2, 2])], "no ResNet or ViT was recognised among its 1 arrays (\"weight\""),
        (&[], "it holds no weights"),
        (
            &[
                ("conv1.weight", stem),
                ("layer1.0.conv1.weight", kernel),
                ("layer2.0.conv1.weight", kernel),
                ("layer3.0.conv1.weight", kernel),
            ],
            "option A",
        ),
        (
            &[("conv1.weight", stem), ("layer1.0.conv1.weight", kernel), ("stage2.0.conv1.weight", kernel)],
            "layer2.0.conv1.weight is missing; expected four stages",
        ),
        (
            &[
                ("backbone.conv1.weight", stem),
                ("backbone.layer1.0.conv1.weight", kernel),
                ("aux_classifier.0.weight", kernel),
            ],
            "it is a network for segmentation, whose last stages are dilated",
        ),
        (
            &[("conv1.weight", &[2, 1, 3, 3]), ("layer1.0.conv1.weight", kernel)],
            "takes 1 channels; expected 3 (RGB)",
        ),
        (
            &resnext(&[4, 1, 3, 3]),
            "layer1.0.conv2.weight has 4 outputs of 1 inputs each: grouped convolutions (ResNeXt)",
        ),
        (&resnext(&[4, 4, 3, 3]), "layer1.0.conv3.weight has 4 outputs for a stem of 2; expected 8"),
    ] {
        let error = error_of("m.safetensors", &arrays(names));
        assert!(error.contains(words), "{names:?}: {error}");
    }
    assert!(error_of("m.pth", b"hello").contains("neither a PyTorch checkpoint nor"));
    assert!(error_of("m.pth", b"PK\x03\x04 not one").contains("ZIP archive"));
    let whole = fs::read(checkpoint("torchvision.pth")).unwrap();
    assert!(error_of("m.pth", &whole[..whole.len() / 2]).contains("cut off or damaged"));
    let mut flipped = whole;
    flipped[40_000] ^= 1;
    assert!(error_of("m.pth", &flipped).contains("is damaged: its sum is another"));
    let legacy = fs::read(checkpoint("legacy.th")).unwrap();
    assert!(error_of("m.th", &legacy[..legacy.len() - 4]).contains("cut off"));
}

#[test]
fn a_program_in_a_checkpoint_is_not_run() {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    let evil = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.";
    let error = error_of("m.pth", &[&magic[..], evil].concat());
    assert!(error.contains("it calls os.system") && error.contains("nothing of it was run"), "{error}");
}

/// Whatever the bytes: an error or a model, and neither a panic nor much memory.
#[test]
fn damaged_checkpoints_never_panic() {
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.pth");
    for file in ["legacy.th", "torchvision.pth", "compiled_bf16.safetensors"] {
        let whole = fs::read(checkpoint(file)).unwrap();
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random(4) {
                // Mostly where the file says what it is.
                let reach = if random(3) == 0 { bytes.len() } else { 12_000 };
                bytes[random(reach)] = random(256) as u8;
            }
            if random(8) == 0 {
                bytes.truncate(random(bytes.len()));
            }
            fs::write(&path, bytes).unwrap();
            let _ = store::open(&spec(&path, None), &Device::flex());
        }
    }
}
