//! One evaluation: what is asked, and what is told with the result.

use serde::Serialize;

use crate::augment::Resize;
use crate::dataset::{DataSpec, DecodingFacts};
use crate::eval::{EvalConfig, Evaluation};
use crate::model::{ModelSpec, Stem};

/// `bagssl eval`.
#[derive(Clone)]
pub struct EvalRequest {
    /// What is measured.
    pub model: ModelSpec,
    /// A set with a train and a test split, or with one of which a test split is drawn.
    pub data: DataSpec,
    /// Of a set with one split: the share of each class that is drawn as its test split.
    pub holdout: Option<f64>,
    /// How.
    pub config: EvalConfig,
}

/// Its result, with every constant.
#[derive(Clone, Debug, Serialize)]
pub struct EvalReport {
    /// The model's name.
    pub model: String,
    /// Hex SHA-256 of the model file.
    pub model_hash: String,
    /// The backbone.
    pub arch: String,
    /// Its first layers.
    pub stem: Option<Stem>,
    /// Side of the network's input, pixels.
    pub input: u32,
    /// How a patch or image reaches the input.
    pub resize: Resize,
    /// What is subtracted, per channel of RGB / 255.
    pub mean: [f32; 3],
    /// What is divided by, per channel of RGB / 255.
    pub std: [f32; 3],
    /// The data set's name.
    pub data: String,
    /// How the picture files of both splits were decoded, where a choice mattered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoding: Option<DecodingFacts>,
    /// The device's name.
    pub device: String,
    /// How the test split was drawn, where the set has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<Holdout>,
    /// What is to be known of how it was drawn, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Accuracy of a guess: one over the number of classes.
    pub chance: f64,
    /// What nearness is.
    pub metric: &'static str,
    /// Every constant.
    pub config: EvalConfig,
    /// In which order images are taken where a limit leaves some out.
    pub images_order: String,
    /// Accuracies, and what they were made from.
    #[serde(flatten)]
    /// The accuracies.
    pub found: Evaluation,
}

/// A test split that was drawn from a set of one split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Holdout {
    /// Share of the images of each class, 0 to 1.
    pub share: f64,
    /// Decides which.
    pub seed: u64,
}
