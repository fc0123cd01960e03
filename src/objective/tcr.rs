//! Total coding rate (Li et al. 2022, Neural manifold clustering and embedding, eq. 6, after Yu et al.
//! 2020), with z on the unit sphere and Z of N x d:
//!
//! ```text
//! -mean over views of 1/2 logdet(I + d / (N eps) Z^T Z) - lambda x mean cosine of the views of an image
//! ```
//!
//! The determinant is taken of the smaller of Z^T Z and Z Z^T (the two are equal), by a Cholesky
//! factorisation in float64 on the CPU: N or d of a few hundred costs milliseconds, and no device
//! that burn drives factorises with a gradient. With M = I + a Z^T Z, the gradient is
//! d(1/2 logdet M)/dZ = a Z M^-1, which burn's own differentiation takes on from there.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::cholesky::Cholesky;
use super::loss::Loss;
use super::method::{Constant, ConstantRange, LossMatrices, Method, MethodInfo};
use super::terms::{mean, mean_dot, mean_over_pairs, unit_rows};

/// What is known of it.
pub static INFO: MethodInfo = MethodInfo {
    matrices: LossMatrices::OfFewer,
    ..MethodInfo::new("tcr", "TCR", "Total coding rate (Li et al. 2022; Yu et al. 2020).", &[EPS, LAMBDA])
};

const EPS: Constant = Constant {
    key: "eps",
    help: "Distortion eps of the coding rate.",
    range: ConstantRange::AboveZero,
    default: 0.2,
};
const LAMBDA: Constant = Constant {
    key: "lambda",
    help: "Weight lambda of the second term.",
    range: ConstantRange::FromZero,
    default: 30.0,
};

/// Distortion eps and weight lambda of the similarity; the paper's for CIFAR-10 are 0.2 and 30.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tcr {
    /// Distortion of the coding rate.
    pub eps: f64,
    /// Weight of the similarity.
    pub lambda: f64,
}

impl Default for Tcr {
    fn default() -> Self {
        Self { eps: EPS.default, lambda: LAMBDA.default }
    }
}

impl Method for Tcr {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn values(&self) -> Vec<f64> {
        vec![self.eps, self.lambda]
    }

    fn loss(&self, views: &[Tensor<2>], _targets: &[Tensor<2>]) -> Loss {
        let views: Vec<Tensor<2>> = views.iter().map(|z| unit_rows(z.clone())).collect();
        let rate = mean(views.iter().map(|z| coding_rate(z.clone(), self.eps)).collect());
        let cosine = mean_over_pairs(&views, mean_dot);
        let total = rate.clone().neg() - cosine.clone().mul_scalar(self.lambda);
        Loss { total, terms: vec![("coding_rate", rate), ("cosine", cosine)] }
    }
}

/// 1/2 logdet(I + d / (N eps) Z^T Z); NaN where z is not finite.
///
/// # Shapes
/// - z: `[N, d]`
/// - output: `[1]`
pub(super) fn coding_rate(z: Tensor<2>, eps: f64) -> Tensor<1> {
    let [batch, width] = z.dims();
    let scale = width as f64 / (batch as f64 * eps);
    let is_wide = width > batch;
    let side = batch.min(width);

    let plain = z.clone().without_autodiff();
    let device = plain.device();
    let gram = match is_wide {
        true => plain.clone().matmul(plain.clone().transpose()), // [N, N]
        false => plain.clone().transpose().matmul(plain.clone()), // [d, d]
    };
    let mut matrix: Vec<f64> = gram.into_data().convert::<f64>().try_to_vec().expect("converted to f64");
    for (place, value) in matrix.iter_mut().enumerate() {
        *value = *value * scale + f64::from(u8::from(place % (side + 1) == 0));
    }
    let Some(factor) = Cholesky::of(matrix, side) else {
        return z.sum().mul_scalar(f64::NAN);
    };
    let half_logdet = 0.5 * factor.log_determinant();
    let slope: Vec<f32> = factor.inverse().into_iter().map(|value| (scale * value) as f32).collect();
    let slope = Tensor::<2>::from_data(TensorData::new(slope, [side, side]), &device);
    let gradient = match is_wide {
        true => slope.matmul(plain),
        false => plain.matmul(slope),
    }; // [N, d]

    // A function of z with that value and that gradient.
    let gradient = if z.is_autodiff() { gradient.autodiff() } else { gradient };
    let linear = (z * gradient).sum();
    linear.clone() - linear.detach() + half_logdet
}
