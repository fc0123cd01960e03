use bagssl::augment::{Normalization, Resize};
use bagssl::model::weights::{self, Array, Weights};
use bagssl::model::{BackboneConfig, Depth, Encoder, Mode, ModelInfo, Space, Stem, store};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;

use crate::support::fixture;

/// The integer hash of `make_resnet.py`: values in [-1, 1), exact in float32.
pub fn hashed(name: &str, count: usize) -> Vec<f32> {
    let fnv = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let value = |i: u64| {
        let mut x = fnv.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        (x >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count as u64).map(value).collect()
}

pub fn value(name: &str, shape: &[usize]) -> Vec<f32> {
    let values = hashed(name, shape.iter().product());
    let scaled = |scale: f32, shift: f32| values.iter().map(|v| shift + scale * v).collect();
    match *shape {
        [output, _, height, width] => scaled((6.0 / (output * height * width) as f64).sqrt() as f32, 0.0),
        [_, input] => scaled((1.0 / (input as f64).sqrt()) as f32, 0.0),
        _ if name.ends_with("running_var") => scaled(0.5, 1.0),
        _ if name.ends_with("weight") => scaled(0.25, 1.0),
        _ => scaled(0.125, 0.0),
    }
}

pub fn info(depth: Depth, stem: Stem) -> ModelInfo {
    ModelInfo {
        backbone: BackboneConfig::new(depth, stem, 64).into(),
        projector: vec![32, 16],
        input: 32,
        resize: Resize::Bilinear,
        normalization: Normalization::CIFAR10,
        training: serde_json::Value::Null,
        origin: None,
        projector_norms: None,
        projector_form: Default::default(),
        projector_bias: true,
    }
}

fn encoder(depth: Depth, stem: Stem, device: &Device) -> Encoder {
    let fresh = Encoder::new(&info(depth, stem), 0, device);
    let filled = |(name, array): (&String, &Array)| {
        (name.clone(), Array { shape: array.shape.clone(), values: value(name, &array.shape) })
    };
    let hashed: Weights = weights::collect(&fresh).iter().map(filled).collect();
    let (encoder, mismatch) = weights::assign(fresh, hashed).unwrap();
    assert!(mismatch.missing.is_empty() && mismatch.unexpected.is_empty());
    encoder
}

fn images(side: usize, device: &Device) -> Tensor<4> {
    let shape = [8, 3, side, side];
    let values: Vec<f32> = hashed("images", shape.iter().product()).iter().map(|v| v * 2.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// ‖a - b‖ / ‖b‖.
pub fn relative_error(a: &[f32], b: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / norm(&mut b.iter().map(|b| f64::from(*b)))
}

pub fn array(file: &SafeTensors, name: &str) -> Vec<f32> {
    let view = file.tensor(name).unwrap_or_else(|_| panic!("the fixture lacks {name}"));
    view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

/// float32 of one library against float64 of the other over up to 50 layers: 1e-4 norm-wise. Running statistics do not
/// carry rounding on as a batch's do: 5e-6.
const TOLERANCE: f64 = 1e-4;

fn agrees(depth: Depth, name: &str, stems: &[(Stem, &str, usize)]) {
    let device = Device::flex();
    let bytes = std::fs::read(fixture("resnet.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for &(stem, stem_name, side) in stems {
        let encoder = encoder(depth, stem, &device);
        for (mode, mode_name, tolerance) in [(Mode::Eval, "eval", 5e-6), (Mode::Train, "train", TOLERANCE)] {
            let outputs = encoder.embed(images(side, &device), &[Space::H, Space::Z], mode);
            for (output, space) in outputs.into_iter().zip(["h", "z"]) {
                let key = format!("{name}.{stem_name}.{mode_name}.{space}");
                let expected = array(&file, &key);
                // The fixture keeps the first rows only of what is wide.
                let error = relative_error(&values(output)[..expected.len()], &expected);
                assert!(error <= tolerance, "{key}: relative error {error:.2e}");
            }
        }
        if (depth, stem) == (Depth::ResNet18, Stem::Cifar { padding: 1 }) {
            let after = weights::collect(&encoder);
            for key in ["bn1.running_mean", "bn1.running_var"] {
                let expected = array(&file, &format!("resnet18.cifar1.after.{key}"));
                let error = relative_error(&after[key].values, &expected);
                assert!(error <= 1e-5, "{key} after a training step: {error:.2e}");
            }
        }
    }
}

const CIFAR: (Stem, &str, usize) = (Stem::Cifar { padding: 1 }, "cifar1", 32);
const CIFAR_PADDED: (Stem, &str, usize) = (Stem::Cifar { padding: 2 }, "cifar2", 32);
const POOLED: (Stem, &str, usize) = (Stem::Pooled { padding: 1 }, "pooled1", 32);
const IMAGENET: (Stem, &str, usize) = (Stem::ImageNet, "imagenet", 64);

#[test]
fn resnet18_agrees_with_torchvision() {
    agrees(Depth::ResNet18, "resnet18", &[CIFAR, CIFAR_PADDED, POOLED, IMAGENET]);
}

#[test]
fn resnet34_agrees_with_torchvision() {
    agrees(Depth::ResNet34, "resnet34", &[CIFAR, IMAGENET]);
}

#[test]
fn resnet50_agrees_with_torchvision() {
    agrees(Depth::ResNet50, "resnet50", &[CIFAR, IMAGENET]);
}

#[test]
fn a_model_file_comes_back_as_it_was_saved() {
    let device = Device::flex();
    let info = info(Depth::ResNet18, Stem::Cifar { padding: 1 });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let encoder = Encoder::new(&info, 7, &device);
    store::save(&path, &encoder, &info).unwrap();
    let model = store::open(&path.to_str().unwrap().into(), &device).unwrap();
    assert_eq!(model.info, info);
    assert_eq!(weights::collect(&model.encoder), weights::collect(&encoder));
    assert_eq!(store::to_bytes(&model.encoder, &info).unwrap(), std::fs::read(&path).unwrap());
}

#[test]
fn a_damaged_model_file_is_refused_in_words() {
    let device = Device::flex();
    let info = ModelInfo { projector: vec![8], ..info(Depth::ResNet18, Stem::Cifar { padding: 1 }) };
    let info =
        ModelInfo { backbone: BackboneConfig { width: 2, ..info.backbone.resnet().unwrap() }.into(), ..info };
    let bytes = store::to_bytes(&Encoder::new(&info, 0, &device), &info).unwrap();
    let error = |bytes: &[u8]| format!("{:#}", store::from_bytes(bytes, &device, "m".into()).err().unwrap());
    assert!(error(&bytes[..bytes.len() - 5]).contains("safetensors"));
    assert!(error(b"PK\x03\x04 not ours").contains("safetensors"));
    let wrong = ModelInfo { projector: vec![9], ..info.clone() };
    let fresh = Encoder::new(&info, 0, &device);
    let mismatched = store::to_bytes(&fresh, &wrong).unwrap();
    assert!(error(&mismatched).contains("projector.0.weight has shape [8, 16], expected [9, 16]"));
    let mut rng = 1u64;
    for _ in 0..200 {
        let mut broken = bytes.clone();
        rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let place = (rng >> 33) as usize % 3000;
        broken[place] ^= 1 << (rng >> 61);
        // Whatever it says, it must not panic.
        let _ = store::from_bytes(&broken, &device, "m".into());
    }
}
