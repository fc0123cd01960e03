//! Multi-patch training (EMP-SSL, Tong et al. 2023, eq. 3): with V patches of each image, z on the unit
//! sphere and m the mean of an image's z,
//!
//! ```text
//! -weight x mean cosine of z and m - mean over patches of 1/2 logdet(I + d / (N eps) Z^T Z)
//! ```
//!
//! The coding rate is to grow: it enters with a minus, as in [`super::tcr`].

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::method::{Constant, ConstantRange, LossMatrices, Method, MethodInfo};
use super::tcr::coding_rate;
use super::terms::{mean, mean_dot, unit_rows};

/// What is known of it.
pub static INFO: MethodInfo = MethodInfo {
    matrices: LossMatrices::OfFewer,
    ..MethodInfo::new(
        "multi-patch",
        "multi-patch TCR",
        "Many patches of each image drawn to their mean (EMP-SSL, Tong et al. 2023).",
        &[WEIGHT, EPS],
    )
};

const WEIGHT: Constant = Constant {
    key: "weight",
    help: "Weight of the similarity of patches to the mean of their image.",
    range: ConstantRange::FromZero,
    default: 200.0,
};
const EPS: Constant = Constant {
    key: "eps",
    help: "Distortion eps of the coding rate.",
    range: ConstantRange::AboveZero,
    default: 0.2,
};

/// Weight of the similarity and distortion eps of the coding rate; EMP-SSL's are 200 and 0.2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultiPatch {
    /// Weight of the similarity.
    pub weight: f64,
    /// Distortion of the coding rate.
    pub eps: f64,
}

impl Default for MultiPatch {
    fn default() -> Self {
        Self { weight: WEIGHT.default, eps: EPS.default }
    }
}

impl Method for MultiPatch {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn values(&self) -> Vec<f64> {
        vec![self.weight, self.eps]
    }

    fn loss(&self, views: &[Tensor<2>], _targets: &[Tensor<2>]) -> Loss {
        let views: Vec<Tensor<2>> = views.iter().map(|z| unit_rows(z.clone())).collect();
        let centre = unit_rows(mean(views.clone())); // [N, d]
        let cosine = mean(views.iter().map(|z| mean_dot(z.clone(), centre.clone())).collect());
        let rate = mean(views.iter().map(|z| coding_rate(z.clone(), self.eps)).collect());
        let total = cosine.clone().mul_scalar(-self.weight) - rate.clone();
        Loss { total, terms: vec![("cosine", cosine), ("coding_rate", rate)] }
    }
}
