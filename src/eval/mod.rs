//! Evaluation: image features by aggregating patches, and classifiers on them.

pub mod aggregate;
mod cache;
mod config;
mod evaluation;
pub mod features;
mod gemm;
pub mod knn;
pub mod linear;
pub mod online;
mod plan;
#[cfg(test)]
mod reference_tests;
mod split;
pub mod values;

pub use config::{Classifier, EvalConfig};
pub use evaluation::{EvalRow, EvalWork, Evaluation};
pub use plan::{FeaturePlan, inputs_per_image};
