//! What every objective gives, and how its constants are checked.

use anyhow::ensure;
use burn::tensor::Tensor;

/// A loss and the terms that it is made of, each a tensor of one element.
pub struct Loss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// Its parts before weighting, by name.
    pub terms: Vec<(&'static str, Tensor<1>)>,
}

/// Checks a weight: finite, 0 or more.
pub(super) fn check_weight(name: &str, value: f64) -> anyhow::Result<()> {
    ensure!(value.is_finite() && value >= 0.0, "objective.{name} is {value}; expected 0 or more");
    Ok(())
}

/// Checks a constant that something is divided by.
pub(super) fn check_positive(name: &str, value: f64) -> anyhow::Result<()> {
    ensure!(value.is_finite() && value > 0.0, "objective.{name} is {value}; expected more than 0");
    Ok(())
}
