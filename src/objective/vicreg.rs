//! VICReg (Bardes, Ponce, LeCun 2022, eq. 1 to 6), as this project settles its averages:
//!
//! - invariance: mean squared error of two views over all elements;
//! - variance: hinge at 1 of sqrt(unbiased variance + 1e-4), mean over dimensions, mean over views;
//! - covariance: squared off-diagonals of the (N-1) covariance, divided by d, summed over the two
//!   views (for V views: twice the mean over views).
//!
//! For more than two views the invariance is the mean over all pairs.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use serde::{Deserialize, Serialize};

use super::loss::Loss;
use super::method::{Constant, ConstantRange, LossMatrices, Method, MethodInfo};
use super::terms::{mean, mean_over_pairs, off_diagonal};

const EPSILON: f64 = 1e-4;

/// What is known of it.
pub static INFO: MethodInfo = MethodInfo {
    deviation_of_z: Some(1.0),
    matrices: LossMatrices::OfComponents,
    ..MethodInfo::new(
        "vicreg",
        "VICReg",
        "Variance-invariance-covariance regularisation (Bardes et al. 2022).",
        &[INVARIANCE, VARIANCE, COVARIANCE],
    )
};

const INVARIANCE: Constant = Constant {
    key: "invariance",
    help: "Weight of the distance between views.",
    range: ConstantRange::FromZero,
    default: 25.0,
};
const VARIANCE: Constant = Constant {
    key: "variance",
    help: "Weight of the spread of every dimension.",
    range: ConstantRange::FromZero,
    default: 25.0,
};
const COVARIANCE: Constant = Constant {
    key: "covariance",
    help: "Weight of the decorrelation of dimensions.",
    range: ConstantRange::FromZero,
    default: 1.0,
};

/// Weights of the three terms; the paper's are 25, 25 and 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VicReg {
    /// Weight of the distance between views.
    pub invariance: f64,
    /// Weight of the spread of every dimension.
    pub variance: f64,
    /// Weight of the decorrelation of dimensions.
    pub covariance: f64,
}

impl Default for VicReg {
    fn default() -> Self {
        Self { invariance: INVARIANCE.default, variance: VARIANCE.default, covariance: COVARIANCE.default }
    }
}

impl Method for VicReg {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn values(&self) -> Vec<f64> {
        vec![self.invariance, self.variance, self.covariance]
    }

    fn loss(&self, views: &[Tensor<2>], _targets: &[Tensor<2>]) -> Loss {
        let invariance = mean_over_pairs(views, |a, b| (a - b).square().mean());
        let (variances, covariances) = views.iter().map(|z| spread_terms(z.clone())).unzip();
        let variance = mean(variances);
        let covariance = mean(covariances).mul_scalar(2.0);

        let total = invariance.clone().mul_scalar(self.invariance)
            + variance.clone().mul_scalar(self.variance)
            + covariance.clone().mul_scalar(self.covariance);
        Loss {
            total,
            terms: vec![("invariance", invariance), ("variance", variance), ("covariance", covariance)],
        }
    }
}

/// Variance hinge and off-diagonal covariance of one view.
///
/// # Shapes
/// - input: `[N, d]`
/// - outputs: `[1]` each
fn spread_terms(z: Tensor<2>) -> (Tensor<1>, Tensor<1>) {
    let [batch, width] = z.dims();
    let centred = z.clone() - z.mean_dim(0);
    let freedom = (batch - 1) as f64;
    let variance = centred.clone().square().sum_dim(0).div_scalar(freedom); // [1, d]
    let deviation = (variance + EPSILON).sqrt();
    let hinge = relu(deviation.neg() + 1.0).mean();
    let covariance = centred.clone().transpose().matmul(centred).div_scalar(freedom); // [d, d]
    let off = off_diagonal(covariance).square().sum().div_scalar(width as f64);
    (hinge, off)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    /// The same loss in plain float64 loops, and its gradient by central differences.
    fn reference(views: &[Vec<f64>], batch: usize, width: usize) -> f64 {
        let mut total = 0.0;
        let invariance: f64 = views[0].iter().zip(&views[1]).map(|(a, b)| (a - b).powi(2)).sum();
        total += 25.0 * invariance / (batch * width) as f64;
        for z in views {
            let mean: Vec<f64> = (0..width)
                .map(|j| (0..batch).map(|i| z[i * width + j]).sum::<f64>() / batch as f64)
                .collect();
            let cov = |a: usize, b: usize| {
                let products =
                    (0..batch).map(|i| (z[i * width + a] - mean[a]) * (z[i * width + b] - mean[b]));
                products.sum::<f64>() / (batch - 1) as f64
            };
            for a in 0..width {
                total += 25.0 * (1.0 - (cov(a, a) + EPSILON).sqrt()).max(0.0) / width as f64 / 2.0;
                let off = (0..width).filter(|&b| b != a).map(|b| cov(a, b).powi(2));
                total += off.sum::<f64>() / width as f64;
            }
        }
        total
    }

    fn sample(batch: usize, width: usize, view: usize) -> Vec<f64> {
        (0..batch * width).map(|i| (((i * 37 + view * 11) % 23) as f64 * 0.7).sin() * 0.8).collect()
    }

    fn tensor(values: &[f64], batch: usize, width: usize, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
        Tensor::from_data(TensorData::new(values, [batch, width]), device)
    }

    #[test]
    fn value_and_gradient_agree_with_plain_float64() {
        let device = Device::flex().autodiff();
        for (batch, width) in [(2, 3), (8, 5), (16, 32)] {
            let views = [sample(batch, width, 0), sample(batch, width, 1)];
            let tensors: Vec<Tensor<2>> =
                views.iter().map(|v| tensor(v, batch, width, &device).require_grad()).collect();
            let loss = VicReg::default().loss(&tensors, &[]).total;
            let expected = reference(&views, batch, width);
            let got: f32 = loss.clone().into_scalar();
            assert!((f64::from(got) - expected).abs() <= 1e-5 * expected.abs(), "{got} against {expected}");

            let grads = loss.backward();
            let grad = tensors[0].grad(&grads).unwrap().into_data().try_to_vec::<f32>().unwrap();
            let step = 1e-6;
            let numeric: Vec<f64> = (0..batch * width)
                .map(|i| {
                    let mut moved = views.clone();
                    moved[0][i] += step;
                    let up = reference(&moved, batch, width);
                    moved[0][i] -= 2.0 * step;
                    (up - reference(&moved, batch, width)) / (2.0 * step)
                })
                .collect();
            let norm = numeric.iter().map(|v| v * v).sum::<f64>().sqrt();
            let error =
                grad.iter().zip(&numeric).map(|(&a, b)| (f64::from(a) - b).powi(2)).sum::<f64>().sqrt();
            // 1e-4: float32 gradient against central differences of step 1e-6.
            assert!(error <= 1e-4 * norm, "gradient of {batch} x {width}: {}", error / norm);
        }
    }
}
