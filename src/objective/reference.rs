//! Values and gradients of every objective against float64 PyTorch, as
//! `tests/fixtures/make_objectives.py` wrote them from the formulas.

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::Objective;

/// The integer hash of `make_objectives.py`: values in [-1, 1), exact in float32.
fn hashed(name: &str, count: usize) -> Vec<f32> {
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

/// One entry of the fixture: an objective on inputs of a kind and shape.
struct ReferenceCase {
    key: String,
    objective: Objective,
    kind: String,
    /// N, d, V.
    shape: [usize; 3],
}

impl ReferenceCase {
    fn read(key: &str) -> Self {
        let mut parts = key.split('.');
        let name = parts.next().unwrap();
        let objective = Objective::all().into_iter().find(|o| o.name() == name);
        let kind = parts.next().unwrap().to_string();
        let sizes: Vec<usize> = parts.next().unwrap().split('x').map(|n| n.parse().unwrap()).collect();
        let shape = sizes.try_into().unwrap();
        Self { key: key.into(), objective: objective.expect("a known objective"), kind, shape }
    }

    /// Values of view `v`, row-major.
    fn view(&self, v: usize) -> Vec<f32> {
        let [n, d, _] = self.shape;
        let mixed = |shared: Vec<f32>, share: f32| -> Vec<f32> {
            let own = hashed(&format!("own{v}"), n * d);
            shared.iter().zip(own).map(|(common, own)| common + own * share).collect()
        };
        match self.kind.as_str() {
            "random" => mixed(hashed("common", n * d), 0.5),
            "identical" => hashed("common", n * d),
            "collapsed" => hashed("one", d).repeat(n),
            "nearly-collapsed" => mixed(hashed("one", d).repeat(n), 1.0 / 1024.0),
            "zero" => vec![0.0; n * d],
            kind => panic!("unknown kind {kind}"),
        }
    }

    /// The loss and its gradient with respect to all views.
    fn evaluate(&self) -> (f64, Vec<f64>) {
        let [n, d, views] = self.shape;
        let device = Device::flex().autodiff();
        let tensor = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [n, d]), &device);
        let leaves: Vec<_> = (0..views).map(|v| tensor(self.view(v)).require_grad()).collect();
        let stretched = |v: usize| {
            let factors = (0..n * d).map(|i| 1.0 + (i % d % 4) as f32 / 4.0);
            self.view(v).into_iter().zip(factors).map(|(z, factor)| z * factor).collect()
        };
        let targets = match self.objective.byol() {
            Some(_) => (0..views).map(|v| tensor(stretched(v))).collect(),
            None => vec![],
        };
        let total = self.objective.loss(&leaves, &targets).unwrap().total;
        let value = f64::from(total.clone().into_scalar::<f32>());
        let grads = total.backward();
        let read = |leaf: &Tensor<2>| {
            leaf.grad(&grads).unwrap().into_data().convert::<f64>().try_to_vec::<f64>().unwrap()
        };
        (value, leaves.iter().flat_map(read).collect())
    }
}

fn norm(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Runs `check(case, errors, sizes, errors of PyTorch's float32)`, each of the value and of the gradient.
fn for_each_case(mut check: impl FnMut(&ReferenceCase, [f64; 2], [f64; 2], Option<[f64; 2]>)) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/objectives.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let array = |key: &str| -> Vec<f64> {
        let view = file.tensor(key).unwrap();
        match view.dtype() {
            Dtype::F64 => bytemuck::pod_collect_to_vec(view.data()),
            _ => bytemuck::pod_collect_to_vec::<u8, f32>(view.data()).into_iter().map(f64::from).collect(),
        }
    };
    let mut cases = 0;
    for name in file.names() {
        let Some(key) = name.strip_suffix(".value") else { continue };
        let case = ReferenceCase::read(key);
        let (value, grad) = case.evaluate();
        let (expected, expected_grad) = (array(name)[0], array(&format!("{key}.grad")));
        assert_eq!(grad.len(), expected_grad.len());
        let distance = norm(grad.iter().zip(&expected_grad).map(|(a, b)| a - b));
        let float32 = format!("{key}.float32");
        let float32 = file.names().contains(&float32.as_str()).then(|| array(&float32).try_into().unwrap());
        check(&case, [(value - expected).abs(), distance], [expected.abs(), norm(expected_grad)], float32);
        cases += 1;
    }
    assert_eq!(cases, 7 * (6 + 4 * 2), "the fixture's cases");
}

/// 1e-5 norm-wise: some ten float32 operations deep, with room for sums over a batch.
#[test]
fn values_and_gradients_agree_with_float64_pytorch() {
    let mut wrong = vec![];
    for_each_case(|case, errors, sizes, float32| {
        if float32.is_some() {
            return;
        }
        for ((what, error), size) in ["value", "gradient"].into_iter().zip(errors).zip(sizes) {
            let is_near = error <= 1e-5 * size; // false for NaN too
            if !is_near {
                wrong.push(format!("{}: {what} off by {error:e} of {size:e}", case.key));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Identical views, collapsed and nearly collapsed z, zeros, Barlow Twins of two images: as near to float64 as four times PyTorch's
/// own float32. Where that happens to be nearer than float32 can tell numbers of this size apart,
/// the distance of two such numbers counts instead; 1e-12 is nothing beside the gradients of order 1 of
/// other inputs (eight equal rows give PyTorch's VICReg a gradient of exactly 0, 24 equal rows 5e-6).
#[test]
fn degenerate_inputs_stay_finite_and_as_exact_as_pytorch_in_float32() {
    let mut wrong = vec![];
    for_each_case(|case, errors, sizes, float32| {
        let Some(float32) = float32 else { return };
        let parts = ["value", "gradient"].into_iter().zip(errors).zip(sizes).zip(float32);
        for (((what, error), size), pytorch) in parts {
            let bound = 4.0 * pytorch.max(f64::from(f32::EPSILON) * size) + 1e-12;
            let is_near = error <= bound; // false for NaN too
            if !is_near {
                wrong.push(format!("{}: {what} off by {error:e}, PyTorch {pytorch:e} of {size:e}", case.key));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
