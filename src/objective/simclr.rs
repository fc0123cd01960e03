//! SimCLR (Chen et al. 2020, eq. 1): with z on the unit sphere and the 2N vectors of two views as
//! anchors, the mean over anchors i of
//!
//! ```text
//! -log( exp(z_i.z_p / T) / sum over k != i of exp(z_i.z_k / T) )
//! ```
//!
//! where p is the other view of the same image. It is computed as log(1 + exp(x)) with x the
//! log-sum-exp over the other images less z_i.z_p / T, which keeps a loss near 0 exact in float32.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::method::{Constant, ConstantRange, LossMatrices, Method, MethodInfo};
use super::terms::{mean_dot, mean_over_pairs, unit_rows};

/// What is known of it.
pub static INFO: MethodInfo = MethodInfo {
    unit: "nats",
    matrices: LossMatrices::OfViewsByPair,
    ..MethodInfo::new(
        "simclr",
        "SimCLR",
        "Normalised temperature-scaled cross entropy (Chen et al. 2020).",
        &[TEMPERATURE],
    )
};

const TEMPERATURE: Constant = Constant {
    key: "temperature",
    help: "Cosines are divided by it.",
    range: ConstantRange::AboveZero,
    default: 0.1,
};

/// The temperature T; the paper's is 0.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimClr {
    /// What cosines are divided by.
    pub temperature: f64,
}

impl Default for SimClr {
    fn default() -> Self {
        Self { temperature: TEMPERATURE.default }
    }
}

impl Method for SimClr {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn values(&self) -> Vec<f64> {
        vec![self.temperature]
    }

    fn loss(&self, views: &[Tensor<2>], _targets: &[Tensor<2>]) -> Loss {
        let views: Vec<Tensor<2>> = views.iter().map(|z| unit_rows(z.clone())).collect();
        let total = mean_over_pairs(&views, |a, b| self.two_views(a, b));
        let attraction = mean_over_pairs(&views, mean_dot).div_scalar(-self.temperature);
        let repulsion = total.clone() - attraction.clone();
        Loss { total, terms: vec![("attraction", attraction), ("repulsion", repulsion)] }
    }
}

impl SimClr {
    /// # Shapes
    /// - inputs: `[N, d]`, unit rows
    /// - output: `[1]`
    fn two_views(&self, a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
        let images = a.dims()[0];
        let z = Tensor::cat(vec![a, b], 0); // [2N, d]
        let device = z.device();
        let logits = z.clone().matmul(z.transpose()).div_scalar(self.temperature); // [2N, 2N]
        let same_image = Tensor::<2>::eye(images, &device).repeat(&[2, 2]);
        let partners = same_image.clone() - Tensor::<2>::eye(2 * images, &device);
        let positive = (logits.clone() * partners).sum_dim(1); // [2N, 1]
        // Finite, as not every shader compiler keeps infinities; its exponential is 0.
        let others = logits.mask_fill(same_image.greater_elem(0.5), -1e30);
        let largest = others.clone().detach().max_dim(1);
        let sum = (others - largest.clone()).exp().sum_dim(1).log() + largest;
        log_one_plus_exp(sum - positive).mean()
    }
}

/// log(1 + exp(x)), with neither overflow nor cancellation.
fn log_one_plus_exp(x: Tensor<2>) -> Tensor<2> {
    // 1 where x >= 0: there it is x + log(1 + exp(-x)).
    let turned = x.clone().detach().greater_equal_elem(0.0).float();
    let sign = turned.clone().mul_scalar(-2.0) + 1.0;
    turned * x.clone() + (sign * x).exp().log1p()
}
