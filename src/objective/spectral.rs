//! The spectral contrastive loss (HaoChen et al. 2021; Prop. 3.1, eq. 1), z un-normalised:
//!
//! ```text
//! -E[z1.z2] over the two views of an image + lambda E[(z1.z2)^2] over views of different images
//! ```
//!
//! Pairs of different images of the batch estimate eq. 1's independent draws: all N (N - 1) of the
//! first view of one image with the second view of another.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::method::{Constant, ConstantRange, LossMatrices, Method, MethodInfo};
use super::terms::{mean_dot, mean_over_pairs, off_diagonal};

/// What is known of it.
pub static INFO: MethodInfo = MethodInfo {
    matrices: LossMatrices::OfImagesByPair,
    ..MethodInfo::new(
        "spectral",
        "spectral contrastive",
        "The spectral contrastive loss (HaoChen et al. 2021), Prop. 3.1, eq. 1.",
        &[LAMBDA],
    )
};

const LAMBDA: Constant = Constant {
    key: "lambda",
    help: "Weight lambda of the second term.",
    range: ConstantRange::FromZero,
    default: 1.0,
};

/// The weight lambda; 1 stands for w = 2 in Prop. 3.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spectral {
    /// Weight of the products of different images.
    pub lambda: f64,
}

impl Default for Spectral {
    fn default() -> Self {
        Self { lambda: LAMBDA.default }
    }
}

impl Method for Spectral {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn values(&self) -> Vec<f64> {
        vec![self.lambda]
    }

    fn loss(&self, views: &[Tensor<2>], _targets: &[Tensor<2>]) -> Loss {
        let attraction = mean_over_pairs(views, mean_dot).neg();
        let repulsion = mean_over_pairs(views, |a, b| {
            let images = a.dims()[0] as f64;
            let products = off_diagonal(a.matmul(b.transpose())); // [N, N]
            products.square().sum().div_scalar(images * (images - 1.0))
        });
        let total = attraction.clone() + repulsion.clone().mul_scalar(self.lambda);
        Loss { total, terms: vec![("attraction", attraction), ("repulsion", repulsion)] }
    }
}
