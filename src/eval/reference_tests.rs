//! The classifiers against scikit-learn and PyTorch, by `tests/fixtures/make_eval.py`.

use std::sync::Arc;

use safetensors::SafeTensors;

use super::features::Features;
use super::knn::{self, KnnConfig};
use super::linear::{LinearConfig, LinearProbe};

static FIXTURE: &[u8] = include_bytes!("../../tests/fixtures/eval.safetensors");
const CLASSES: usize = 5;
const WIDTH: usize = 24;

fn floats(name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(FIXTURE).unwrap();
    bytemuck::pod_collect_to_vec(file.tensor(name).unwrap().data())
}

fn integers(name: &str) -> Vec<u32> {
    let file = SafeTensors::deserialize(FIXTURE).unwrap();
    bytemuck::pod_collect_to_vec(file.tensor(name).unwrap().data())
}

fn features(name: &str) -> Features {
    Features { values: floats(name).into(), width: WIDTH, labels: integers(&format!("{name}_labels")) }
}

#[test]
fn knn_predicts_what_scikit_learn_predicts() {
    let (known, asked) = (features("known"), features("asked"));
    for (name, k, temperature) in [("knn_k20_t007", 20, 0.07), ("knn_k5_t1", 5, 1.0)] {
        let found = knn::predictions(&known, &asked, CLASSES, &KnnConfig { k, temperature });
        assert_eq!(found, integers(name), "{name}");
    }
}

#[test]
fn the_probe_learns_what_pytorch_learns() {
    let (known, asked) = (features("known"), features("asked"));
    let config = LinearConfig { epochs: 20, batch: 64, ..LinearConfig::default() };
    let mut probe = LinearProbe::new(Arc::new(known.clone()), CLASSES, config);
    for order in integers("orders").chunks_exact(known.labels.len()) {
        assert!(!probe.is_finished());
        probe.pass(&order.iter().map(|&i| i as usize).collect::<Vec<_>>());
    }
    assert!(probe.is_finished());
    // 140 steps in float32 against float64 (then stored in float32): each step rounds at 6e-8, and
    // SGD on a convex loss does not amplify; measured 3e-7.
    let (weight, bias) = probe.weights();
    for (name, found) in [("weight", weight), ("bias", bias)] {
        let expected = floats(name);
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let difference = norm(&mut found.iter().zip(&expected).map(|(a, b)| f64::from(a - b)));
        let relative = difference / norm(&mut expected.iter().map(|v| f64::from(*v)));
        assert!(relative < 3e-6, "{name} is off by {relative:e}");
    }
    let loss = f64::from(floats("loss")[0]);
    assert!((probe.loss() - loss).abs() < 1e-5 * loss, "{} against {loss}", probe.loss());
    let right = integers("predictions").iter().zip(&asked.labels).filter(|(p, l)| p == l).count();
    assert_eq!(probe.accuracy(&asked).unwrap(), right as f64 / asked.labels.len() as f64);
}

#[test]
fn a_probe_that_diverges_says_so() {
    let mut known = features("known");
    known.values = known.values.iter().map(|value| value * 1e30).collect::<Vec<f32>>().into();
    let mut probe = LinearProbe::new(
        Arc::new(known.clone()),
        CLASSES,
        LinearConfig { epochs: 3, ..LinearConfig::default() },
    );
    (0..3).for_each(|_| probe.advance(0));
    let error = probe.accuracy(&known).unwrap_err().to_string();
    assert!(error.contains("diverged") && error.contains("--probe-lr"), "{error}");
}

#[test]
fn a_probe_repeats_with_its_seed() {
    let known = features("known");
    let config = LinearConfig { epochs: 2, ..LinearConfig::default() };
    let trained = |seed| {
        let mut probe = LinearProbe::new(Arc::new(known.clone()), CLASSES, config);
        (0..2).for_each(|_| probe.advance(seed));
        probe.weights().0.to_vec()
    };
    assert_eq!(trained(1), trained(1));
    assert_ne!(trained(1), trained(2));
}
