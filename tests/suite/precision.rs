//! Mixed precision in training and bf16 in embedding, beside float32. Mixed precision: Run where float16 is as exact as on a GPU and slower: on the CPU.

use std::path::Path;
use std::sync::Arc;

use bagssl::augment::{Normalization, Resize};
use bagssl::dataset::{self, DataSpec, Split};
use bagssl::embed::{Embedder, PatchSource};
use bagssl::image::Image;
use bagssl::model::{
    BackboneConfig, Depth, EmbedPrecision, Encoder, MapLayer, Mode, ModelInfo, ModelSpec, Overrides, Space,
    Stem,
};
use bagssl::objective::Objective;
use bagssl::train::{RunFolder, TrainConfig, Trainer};
use burn::tensor::{Device, Tensor, TensorData};

use super::methods::{self, data};

/// Wider than the other tests' network, and all images in a batch, so that rounding is not magnified by few values.
fn tiny(objective: Objective, precision: &str) -> TrainConfig {
    let network = ["model.backbone.width=16", "model.projector=[64, 32]", "batch=32", "epochs=6"];
    methods::tiny(objective, &[&network[..], &[&format!("precision={precision}")]].concat())
}

fn run(config: TrainConfig, steps: u64) -> Vec<(f64, f64)> {
    let mut trainer = Trainer::new(config, data(), &Device::flex()).unwrap();
    (0..steps).map(|_| trainer.step().unwrap()).map(|report| (report.loss, report.grad_norm)).collect()
}

fn distance(a: &Tensor<2>, b: &Tensor<2>) -> f32 {
    let norm = |x: Tensor<2>| x.square().sum().sqrt().into_scalar::<f32>();
    norm(a.clone() - b.clone()) / norm(b.clone())
}

/// float16 has 11 bits: inputs and weights of some twenty layers are each rounded by up to 5e-4 of their size, and
/// normalisation carries that on, the projector's the most, whose inputs differ little from image to image. (A
/// fresh ResNet-50 magnifies rounding another tenfold, as it does float32's.)
#[test]
fn vectors_in_mixed_precision_are_those_of_float32_but_for_rounding() {
    let device = Device::flex();
    let info = ModelInfo {
        backbone: BackboneConfig::new(Depth::ResNet18, Stem::Cifar { padding: 1 }, 16).into(),
        projector: vec![64, 32],
        input: 16,
        resize: Resize::Bilinear,
        normalization: Normalization::CIFAR10,
        training: serde_json::Value::Null,
        origin: None,
        projector_norms: None,
        projector_form: Default::default(),
        projector_bias: true,
    };
    let encoder = Encoder::new(&info, 3, &device);
    let values: Vec<f32> = (0..32 * 3 * 256).map(|i| ((i * 7919 % 1013) as f32 * 0.37).sin()).collect();
    let images = Tensor::<4>::from_data(TensorData::new(values, [32, 3, 16, 16]), &device);
    let spaces = [Space::H, Space::Z];
    let [full, mixed] =
        [Mode::Train, Mode::TrainMixed].map(|mode| encoder.embed(images.clone(), &spaces, mode));
    for ((space, full), mixed) in spaces.iter().zip(&full).zip(&mixed) {
        let error = distance(mixed, full);
        assert!(error > 1e-5, "{space}: {error}, nothing was computed in float16");
        let bound = if *space == Space::H { 1e-2 } else { 3e-2 };
        assert!(error <= bound, "{space}: {error}");
    }
}

/// The bounds are those of z. A gradient that was not divided by the loss scale would be off by a factor of 65,536.
#[test]
fn a_first_step_in_mixed_precision_is_near_that_of_float32_for_every_objective() {
    for objective in Objective::all() {
        let (full, mixed) =
            (run(tiny(objective.clone(), "full"), 1), run(tiny(objective.clone(), "mixed"), 1));
        let ((loss, norm), (mixed_loss, mixed_norm)) = (full[0], mixed[0]);
        let title = objective.title();
        assert_ne!(loss, mixed_loss, "{title}: nothing was computed in float16");
        assert!((mixed_loss - loss).abs() <= 1e-2 * loss.abs(), "{title}: {mixed_loss}, {loss}");
        assert!((mixed_norm - norm).abs() <= 5e-2 * norm, "{title}: {mixed_norm}, {norm}");
    }
}

#[test]
fn a_run_in_mixed_precision_goes_on_to_the_bit_with_its_loss_scale() {
    let config = tiny(Objective::all().remove(0), "mixed");
    let folder = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(&folder.path().join("run"), &config, &serde_json::Value::Null).unwrap();
    let expected = run(config.clone(), 6);
    let mut trainer = Trainer::new(config.clone(), data(), &Device::flex()).unwrap();
    (0..3).for_each(|_| drop(trainer.step().unwrap()));
    assert_eq!(trainer.state().loss_scale.steps, 3);
    trainer.checkpoint(&folder).unwrap();
    let mut trainer = Trainer::resume(config, folder.load().unwrap(), data(), &Device::flex()).unwrap();
    assert_eq!(trainer.state().loss_scale.steps, 3);
    let rest: Vec<_> = (3..6).map(|_| trainer.step().unwrap()).map(|r| (r.loss, r.grad_norm)).collect();
    assert_eq!(rest, expected[3..]);
}

#[test]
fn a_gradient_that_overflows_is_taken_again_with_a_smaller_scale() {
    let config = tiny(Objective::all().remove(0), "mixed");
    let folder = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(&folder.path().join("run"), &config, &serde_json::Value::Null).unwrap();
    Trainer::new(config.clone(), data(), &Device::flex()).unwrap().checkpoint(&folder).unwrap();
    let mut saved = folder.load().unwrap();
    let (usual, huge) = (saved.state.loss_scale.value, 2f64.powi(36));
    saved.state.loss_scale.value = huge;
    let mut trainer = Trainer::resume(config.clone(), saved, data(), &Device::flex()).unwrap();
    let report = trainer.step().unwrap();
    let scale = trainer.state().loss_scale.value;
    assert!(scale < huge && scale >= 1.0, "{scale}, usually {usual}");
    let (loss, norm) = run(config, 1)[0];
    assert!((report.loss - loss).abs() <= 1e-6 * loss.abs(), "{} beside {loss}", report.loss);
    assert!((report.grad_norm - norm).abs() <= 3e-2 * norm, "{} beside {norm}", report.grad_norm);
}

/// A model in both precisions; none in bf16 where the processor does not multiply it, which is said.
fn in_both(path: &Path, input: Option<u32>) -> Option<[Embedder; 2]> {
    let open = |precision| {
        let overrides =
            Overrides { precision: Some(precision), input, resolution: input, ..Overrides::default() };
        Embedder::open(&ModelSpec { path: path.into(), overrides }, &Device::flex())
    };
    let full = open(EmbedPrecision::F32).unwrap();
    match open(EmbedPrecision::Bf16) {
        Ok(half) => Some([full, half]),
        Err(error) => {
            let words = error.to_string();
            assert!(words.contains("precision bf16 needs a processor that multiplies bfloat16"), "{words}");
            println!("skipped: {words}");
            None
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The ten rows nearest to each.
fn nearest(rows: &[&[f32]]) -> Vec<Vec<usize>> {
    let of = |row: &&[f32]| {
        let cosines: Vec<f64> = rows.iter().map(|other| cosine(row, other)).collect();
        let mut others: Vec<usize> = (0..rows.len()).collect();
        others.sort_by(|a, b| cosines[*b].total_cmp(&cosines[*a]));
        others[1..11].to_vec()
    };
    rows.iter().map(of).collect()
}

/// The demo model on patches of the built-in set: a trained network on what it was trained for.
#[test]
fn embedding_in_bf16_is_near_that_of_float32() {
    let Some([full, half]) = in_both(Path::new("demo"), None) else { return };
    assert_ne!(full.hash, half.hash, "their vectors would be taken for each other's");
    assert_eq!(half.facts().arch, format!("{} in bf16", full.facts().arch));
    let data = dataset::open(DataSpec::default(), Some(Split::Test)).unwrap();
    let patches: Vec<PatchSource> = (0..60)
        .map(|at| PatchSource {
            image: Arc::new(data.image(at / 3).unwrap()),
            y: 8 * (at as u32 % 3),
            x: at as u32 % 5 * 8,
        })
        .collect();
    let spaces = [Space::H, Space::Z, Space::Stage(2), Space::Token(MapLayer::Last)];
    let [a, b] = [&full, &half].map(|embedder| embedder.patches(&patches, 16, &spaces).unwrap());
    for ((a, b), (space, least)) in a.iter().zip(&b).zip(spaces.iter().zip([0.9997, 0.999, 0.9999, 0.9997])) {
        let width = full.info.width(*space).unwrap();
        let [a, b]: [Vec<&[f32]>; 2] = [a, b].map(|rows| rows.chunks_exact(width).collect());
        let worst = a.iter().zip(&b).map(|(a, b)| cosine(a, b)).fold(1.0, f64::min);
        let [of_a, of_b] = [nearest(&a), nearest(&b)];
        let both = of_a.iter().zip(&of_b).map(|(a, b)| a.iter().filter(|at| b.contains(at)).count());
        let overlap = both.sum::<usize>() as f64 / (10 * a.len()) as f64;
        println!("{space}: least cosine {worst:.6}, overlap of ten neighbours {overlap:.3}");
        assert!(worst >= least && overlap >= 0.95, "{space}: cosine {worst:.6}, overlap {overlap:.3}");
        assert!(worst < 0.999_999_99, "{space} was not computed in bf16");
    }
}

/// Tiny networks with hashed weights: layer scale, a gated MLP, rotary positions, pooling by attention, bottlenecks.
#[test]
fn every_kind_of_network_computes_in_bf16() {
    let files =
        ["vit/timm.pth", "vit/hf_dinov2_swiglu", "vit/hf_dinov3", "vit/timm_siglip.pth", "torchvision.pth"];
    for file in files {
        let Some([full, half]) = in_both(&crate::support::fixture("checkpoints").join(file), Some(32)) else {
            return;
        };
        let value = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
        let image = Arc::new(Image::new(40, 40, (0..4800).map(value).collect()));
        let patches: Vec<PatchSource> =
            (0..3).map(|at| PatchSource { image: image.clone(), y: at, x: 4 * at }).collect();
        let spaces = [Space::H, Space::Token(MapLayer::Last)];
        let [a, b] = [&full, &half].map(|embedder| embedder.patches(&patches, 32, &spaces).unwrap());
        for ((a, b), space) in a.iter().zip(&b).zip(spaces) {
            let cosine = cosine(a, b);
            assert!((0.999..0.999_999_99).contains(&cosine), "{file} {space}: {cosine:.8}");
        }
    }
}
