//! Our side of `classifiers.py`: the kNN classifier and the linear probe on given features.
//!
//!     classifiers KNOWN.f32 ASKED.f32 LABELS.u32 WIDTH CLASSES K EPOCHS
//!
//! Features are little-endian float32, row-major; the labels are those of KNOWN, then those of ASKED. Prints JSON: seconds of
//! each, and the part that is classified right.

#![expect(clippy::disallowed_methods, reason = "reads what its own script wrote")]
#![expect(clippy::print_stdout, reason = "it is read by its own script")]

use std::sync::Arc;
use std::time::Instant;

use bagssl::eval::features::Features;
use bagssl::eval::knn::{self, KnnConfig};
use bagssl::eval::linear::{LinearConfig, LinearProbe};
use serde_json::json;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [known, asked, labels, width, classes, k, epochs] = &words[..] else {
        anyhow::bail!("expected KNOWN.f32 ASKED.f32 LABELS.u32 WIDTH CLASSES K EPOCHS");
    };
    // As the program itself does.
    bagssl::threads::choose(std::env::var("RAYON_NUM_THREADS").ok().and_then(|count| count.parse().ok()));
    bagssl::threads::lead();
    bagssl::memory::choose(bagssl::memory::MemoryBudget::of_this_machine());
    let (width, classes): (usize, usize) = (width.parse()?, classes.parse()?);
    let values = |path: &String| -> anyhow::Result<Vec<f32>> {
        Ok(bytemuck::pod_collect_to_vec(&std::fs::read(path)?))
    };
    let mut labels: Vec<u32> = bytemuck::pod_collect_to_vec(&std::fs::read(labels)?);
    let known = values(known)?;
    let of_asked = labels.split_off(known.len() / width);
    let known = Arc::new(Features { values: known.into(), width, labels });
    let asked = Features { values: values(asked)?.into(), width, labels: of_asked };
    let clock = Instant::now();
    let config = KnnConfig { k: k.parse()?, ..KnnConfig::default() };
    let right = knn::accuracy(&known, &asked, classes, &config);
    let seconds = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let mut probe =
        LinearProbe::new(known, classes, LinearConfig { epochs: epochs.parse()?, ..LinearConfig::default() });
    while !probe.is_finished() {
        probe.advance(0);
    }
    let linear_seconds = clock.elapsed().as_secs_f64();
    let linear = probe.accuracy(&asked)?;
    println!(
        "{}",
        json!({ "knn": { "seconds": seconds, "accuracy": right }, "linear": { "seconds": linear_seconds, "accuracy": linear } })
    );
    Ok(())
}
