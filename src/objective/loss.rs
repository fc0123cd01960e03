//! What every objective gives.

use burn::tensor::Tensor;

/// A loss and the terms that it is made of, each a tensor of one element.
pub struct Loss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// Its parts before weighting, by name.
    pub terms: Vec<(&'static str, Tensor<1>)>,
}
