//! Barlow Twins (Zbontar et al. 2021, eq. 1 and 2): with each dimension of each view brought to mean 0
//! and variance 1 over the batch (divided by sqrt(biased variance + 1e-5), as the authors' batch
//! normalisation does) and C = 1/N Z_1^T Z_2,
//!
//! ```text
//! sum over i of (1 - C_ii)^2 + lambda sum over i != j of C_ij^2
//! ```

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::method::{Constant, ConstantRange, LossMatrices, Method, MethodInfo};
use super::terms::{mean_over_pairs, off_diagonal};

const EPSILON: f64 = 1e-5;

/// What is known of it.
pub static INFO: MethodInfo = MethodInfo {
    matrices: LossMatrices::OfComponentsByPair,
    ..MethodInfo::new(
        "barlow-twins",
        "Barlow Twins",
        "Redundancy reduction (Zbontar et al. 2021).",
        &[LAMBDA],
    )
};

const LAMBDA: Constant = Constant {
    key: "lambda",
    help: "Weight lambda of the second term.",
    range: ConstantRange::FromZero,
    default: 0.0051,
};

/// The weight lambda of the redundancy; the authors' is 0.0051.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BarlowTwins {
    /// Weight of the redundancy.
    pub lambda: f64,
}

impl Default for BarlowTwins {
    fn default() -> Self {
        Self { lambda: LAMBDA.default }
    }
}

impl Method for BarlowTwins {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn values(&self) -> Vec<f64> {
        vec![self.lambda]
    }

    fn loss(&self, views: &[Tensor<2>], _targets: &[Tensor<2>]) -> Loss {
        let views: Vec<Tensor<2>> = views.iter().map(|z| standardized(z.clone())).collect();
        let invariance = mean_over_pairs(&views, |a, b| {
            let images = a.dims()[0] as f64;
            let diagonal = (a * b).sum_dim(0).div_scalar(images); // [1, d]
            (diagonal.neg() + 1.0).square().sum()
        });
        let redundancy = mean_over_pairs(&views, |a, b| {
            let images = a.dims()[0] as f64;
            off_diagonal(a.transpose().matmul(b).div_scalar(images)).square().sum()
        });
        let total = invariance.clone() + redundancy.clone().mul_scalar(self.lambda);
        Loss { total, terms: vec![("invariance", invariance), ("redundancy", redundancy)] }
    }
}

/// Mean 0 and variance 1 of each column.
///
/// # Shapes
/// - input, output: `[N, d]`
fn standardized(z: Tensor<2>) -> Tensor<2> {
    let centred = z.clone() - z.mean_dim(0);
    let variance = centred.clone().square().mean_dim(0); // [1, d]
    centred / (variance + EPSILON).sqrt()
}
