//! Images per second of ResNet-18 (CIFAR stem, 32x32) on the CPU backend, one line per measure.
//!
//! `throughput.py`, beside this file, runs it in turns with PyTorch and prints the ratios.
//! Arguments: batch sizes. A training step is the forward and the backward pass.

#![expect(clippy::print_stdout, reason = "it is read by its own script")]

use std::time::Instant;

use bagssl::augment::{Normalization, Resize};
use bagssl::model::{BackboneConfig, Depth, Encoder, Mode, ModelInfo, Space, Stem};
use burn::tensor::{Device, Distribution, Tensor};

const REPEATS: usize = 5;

fn encoder(device: &Device) -> Encoder {
    let info = ModelInfo {
        backbone: BackboneConfig { depth: Depth::ResNet18, stem: Stem::Cifar { padding: 1 }, width: 64 }
            .into(),
        projector: vec![],
        input: 32,
        resize: Resize::Bilinear,
        normalization: Normalization::CIFAR10,
        training: serde_json::Value::Null,
        origin: None,
        projector_norms: None,
        projector_form: Default::default(),
    };
    Encoder::new(&info, 0, device)
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

fn measure(batch: usize) {
    let images =
        |device: &Device| Tensor::<4>::random([batch, 3, 32, 32], Distribution::Uniform(-1.0, 1.0), device);
    let device = Device::flex();
    let (network, input) = (encoder(&device), images(&device));
    let forward = || {
        let h = network.embed(input.clone(), &[Space::H], Mode::Eval).remove(0);
        std::hint::black_box(h.into_data());
    };
    println!("forward {batch} {:.2}", rate(batch, forward));
    let device = device.autodiff();
    let (network, input) = (encoder(&device), images(&device));
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
    // `cargo bench` adds flags of its own.
    std::env::args().skip(1).filter_map(|word| word.parse().ok()).for_each(measure);
}
