//! SimCLR (Chen et al. 2020, eq. 1): with z on the unit sphere and the 2N vectors of two views as
//! anchors, the mean over anchors i of
//!
//! ```text
//! -log( exp(z_i.z_p / T) / sum over k != i of exp(z_i.z_k / T) )
//! ```
//!
//! where p is the other view of the same image.

use burn::tensor::Tensor;
use burn::tensor::{Bool, Device};
use serde::{Deserialize, Serialize};

use super::terms::{mean_dot, mean_over_pairs, unit_rows};
use super::{Loss, check_positive};

/// The temperature T; the paper's is 0.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimClr {
    pub temperature: f64,
}

impl Default for SimClr {
    fn default() -> Self {
        Self { temperature: 0.1 }
    }
}

impl SimClr {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        check_positive("temperature", self.temperature)
    }

    pub(super) fn loss(&self, views: &[Tensor<2>]) -> Loss {
        let views: Vec<Tensor<2>> = views.iter().map(|z| unit_rows(z.clone())).collect();
        let attraction = mean_over_pairs(&views, mean_dot).div_scalar(-self.temperature);
        let repulsion = mean_over_pairs(&views, |a, b| self.repulsion(a, b));
        let total = attraction.clone() + repulsion.clone();
        Loss { total, terms: vec![("attraction", attraction), ("repulsion", repulsion)] }
    }

    /// Mean over the 2N anchors of the log of the sum over all others.
    ///
    /// # Shapes
    /// - inputs: `[N, d]`, unit rows
    /// - output: `[1]`
    fn repulsion(&self, a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
        let z = Tensor::cat(vec![a, b], 0); // [2N, d]
        let logits = z.clone().matmul(z.transpose()).div_scalar(self.temperature); // [2N, 2N]
        let itself = diagonal(logits.dims()[0], &logits.device());
        // Finite, as not every shader compiler keeps infinities; its exponential is 0.
        let logits = logits.mask_fill(itself, -1e30);
        let largest = logits.clone().detach().max_dim(1); // [2N, 1]
        let sum = (logits - largest.clone()).exp().sum_dim(1);
        (sum.log() + largest).mean()
    }
}

/// True on the diagonal.
fn diagonal(side: usize, device: &Device) -> Tensor<2, Bool> {
    Tensor::<2, Bool>::diag_mask([side, side], 0, device).bool_not()
}
