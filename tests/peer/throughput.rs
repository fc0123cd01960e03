//! Images per second of ResNet-18 (CIFAR stem, 32x32) or ResNet-50 (224x224) on the CPU backend, one line per measure.
//!
//! `throughput.py`, beside this file, runs it in turns with PyTorch and prints the ratios.
//! Arguments: resnet18 or resnet50, f32 or bf16, batch sizes. A training step, of ResNet-18 in float32, is the forward
//! and the backward pass.

#![expect(clippy::print_stdout, reason = "it is read by its own script")]

use std::time::Instant;

use bagssl::augment::{Normalization, Resize};
use bagssl::model::{BackboneConfig, Depth, EmbedPrecision, Encoder, Mode, ModelInfo, Space, Stem};
use burn::tensor::{Device, Distribution, Tensor};

const REPEATS: usize = 5;

fn encoder(depth: Depth, device: &Device) -> Encoder {
    let stem = if depth == Depth::ResNet18 { Stem::Cifar { padding: 1 } } else { Stem::ImageNet };
    let info = ModelInfo {
        backbone: BackboneConfig::new(depth, stem, 64).into(),
        projector: vec![],
        input: side(depth) as u32,
        resize: Resize::Bilinear,
        normalization: Normalization::CIFAR10,
        training: serde_json::Value::Null,
        origin: None,
        projector_norms: None,
        projector_form: Default::default(),
        projector_bias: true,
    };
    Encoder::new(&info, 0, device)
}

fn side(depth: Depth) -> usize {
    if depth == Depth::ResNet18 { 32 } else { 224 }
}

/// Median images per second of `call`, after one to warm up.
fn rate(batch: usize, mut call: impl FnMut()) -> f64 {
    call();
    let mut rates: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let clock = Instant::now();
            call();
            batch as f64 / clock.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[REPEATS / 2]
}

fn measure(depth: Depth, is_half: bool, batch: usize) {
    let shape = [batch, 3, side(depth), side(depth)];
    let images = |device: &Device| Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), device);
    let device = Device::flex();
    let precision = if is_half { EmbedPrecision::Bf16 } else { EmbedPrecision::F32 };
    let (network, input) = (encoder(depth, &device).laid_out(precision), images(&device));
    let forward = || {
        let h = network.embed(input.clone(), &[Space::H], Mode::Eval).remove(0);
        std::hint::black_box(h.into_data());
    };
    println!("forward {batch} {:.2}", rate(batch, forward));
    if is_half || depth != Depth::ResNet18 {
        return;
    }
    let device = device.autodiff();
    let (network, input) = (encoder(depth, &device), images(&device));
    let step = || {
        let h = network.embed(input.clone(), &[Space::H], Mode::Train).remove(0);
        std::hint::black_box(h.square().mean().backward());
    };
    println!("training {batch} {:.2}", rate(batch, step));
}

fn main() {
    // As the program itself does.
    bagssl::threads::choose(std::env::var("RAYON_NUM_THREADS").ok().and_then(|count| count.parse().ok()));
    bagssl::threads::lead();
    bagssl::memory::choose(bagssl::memory::MemoryBudget::of_this_machine());
    // `cargo bench` adds flags of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let has = |name: &str| words.iter().any(|word| word == name);
    let depth = if has("resnet50") { Depth::ResNet50 } else { Depth::ResNet18 };
    let batches = words.iter().filter_map(|word| word.parse().ok());
    batches.for_each(|batch| measure(depth, has("bf16"), batch));
}
