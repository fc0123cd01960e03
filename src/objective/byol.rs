//! BYOL (Grill et al. 2020, eq. 2): with q the predictor's output for one view and z' the momentum
//! encoder's projection of another, without gradient,
//!
//! ```text
//! 2 - 2 cos(q_1, z'_2)  +  2 - 2 cos(q_2, z'_1)
//! ```
//!
//! mean over images. After each step the momentum encoder's weights move towards the encoder's,
//! w' = m w' + (1 - m) w, with m on a cosine from `momentum` to 1 (section 3.3).

use std::f64::consts::PI;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::method::{Constant, ConstantRange, Method, MethodInfo};
use super::terms::{mean, pairs, unit_rows};

/// What is known of it.
pub static INFO: MethodInfo = MethodInfo {
    has_targets: true,
    is_mean_over_images: true,
    ..MethodInfo::new("byol", "BYOL", "Bootstrap your own latent (Grill et al. 2020).", &[MOMENTUM, HIDDEN])
};

const MOMENTUM: Constant = Constant {
    key: "momentum",
    help: "Momentum of the target network at the first step.",
    range: ConstantRange::Within(0.0, 1.0),
    default: 0.99,
};
const HIDDEN: Constant = Constant {
    key: "hidden",
    help: "Width of the predictor's hidden layer.",
    range: ConstantRange::Whole(1, 65_536),
    default: 4096.0,
};

/// Constants of the momentum encoder and the predictor; the paper's are 0.99 and 4096.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Byol {
    /// Momentum of the target at the first step.
    pub momentum: f64,
    /// Width of the predictor's hidden layer.
    pub hidden: usize,
}

impl Default for Byol {
    fn default() -> Self {
        Self { momentum: MOMENTUM.default, hidden: HIDDEN.default as usize }
    }
}

impl Byol {
    /// The target's momentum at `step` (from 0) of `total`: 1 - (1 - m)(cos(pi step / total) + 1) / 2.
    pub fn momentum_at(&self, step: u64, total: u64) -> f64 {
        let progress = step as f64 / total.max(1) as f64;
        1.0 - (1.0 - self.momentum) * ((PI * progress).cos() + 1.0) / 2.0
    }
}

impl Method for Byol {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn values(&self) -> Vec<f64> {
        vec![self.momentum, self.hidden as f64]
    }

    fn loss(&self, predictions: &[Tensor<2>], targets: &[Tensor<2>]) -> Loss {
        let predictions: Vec<Tensor<2>> = predictions.iter().map(|q| unit_rows(q.clone())).collect();
        let targets: Vec<Tensor<2>> = targets.iter().map(|z| unit_rows(z.clone().detach())).collect();
        let pairs = pairs(predictions.len()).into_iter().flat_map(|(v, w)| [(v, w), (w, v)]);
        let distances = pairs.map(|(v, w)| distance(predictions[v].clone(), targets[w].clone()));
        let total = mean(distances.collect()).mul_scalar(2.0); // both orders
        let cosine = total.clone().div_scalar(-4.0) + 1.0;
        Loss { total, terms: vec![("cosine", cosine)] }
    }
}

/// Mean of 2 - 2 cos of rows of length 1, as |a - b|^2: near 0 that keeps its digits.
///
/// # Shapes
/// - inputs: `[N, d]`
/// - output: `[1]`
fn distance(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    // A row of zeros has no direction, and its cosine counts as 0: 1 is added for each such row.
    let lengths = a.clone().square().sum_dim(1) + b.clone().square().sum_dim(1);
    let missing = (lengths.detach().neg() + 2.0).round();
    ((a - b).square().sum_dim(1) + missing).mean()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_momentum_rises_from_its_start_to_one() {
        let byol = Byol::default();
        assert!((byol.momentum_at(0, 100) - 0.99).abs() < 1e-12);
        assert!((byol.momentum_at(50, 100) - 0.995).abs() < 1e-12);
        assert!((byol.momentum_at(100, 100) - 1.0).abs() < 1e-12);
    }
}
