//! Mixed precision, beside float32. Run where float16 is as exact as on a GPU and slower: on the CPU.

use bagssl::augment::{Normalization, Resize};
use bagssl::model::{BackboneConfig, Depth, Encoder, Mode, ModelInfo, Space, Stem};
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
        backbone: BackboneConfig { depth: Depth::ResNet18, stem: Stem::Cifar { padding: 1 }, width: 16 }
            .into(),
        projector: vec![64, 32],
        input: 16,
        resize: Resize::Bilinear,
        normalization: Normalization::CIFAR10,
        training: serde_json::Value::Null,
        origin: None,
        projector_norms: None,
        projector_form: Default::default(),
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
