//! What to evaluate, and of which images.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{bail, ensure};
use serde::{Serialize, Serializer};

use super::aggregate::Aggregate;
use super::knn::KnnConfig;
use super::linear::LinearConfig;
use crate::augment::Crop;
use crate::dataset::{Dataset, SPREAD_SEED, spread};
use crate::model::Space;

/// What tells the class of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Classifier {
    /// Nearest neighbours, weighted by their similarity.
    Knn,
    /// The linear probe: softmax regression.
    Linear,
}

impl fmt::Display for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Classifier::Knn => "knn",
            Classifier::Linear => "linear",
        })
    }
}

impl FromStr for Classifier {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "knn" => Ok(Classifier::Knn),
            "linear" => Ok(Classifier::Linear),
            _ => bail!("\"{text}\": expected knn or linear"),
        }
    }
}

/// What to evaluate; all of it is printed with the result.
#[derive(Clone, Debug, Serialize)]
pub struct EvalConfig {
    /// What means are taken over: patches of one size, or crops of a range of scales.
    pub crop: Option<Crop>,
    /// Patches are cut from the centre N x N of the image scaled to N x 256/224.
    pub fit: Option<u32>,
    /// How images become vectors; one row of the table for each and classifier.
    pub patches: Vec<Aggregate>,
    /// What tells the class, each for all aggregates.
    pub classifiers: Vec<Classifier>,
    /// Constants of the kNN classifier.
    pub knn: KnnConfig,
    /// Constants of the linear probe.
    pub linear: LinearConfig,
    /// Only so many images, spread over each split and its classes.
    pub limit_train: Option<usize>,
    /// As `limit_train`, of the test split.
    pub limit_test: Option<usize>,
    /// Decides the positions of patches and the order of the linear probe's batches.
    pub seed: u64,
    /// Which vectors of the network are evaluated.
    #[serde(serialize_with = "as_words", skip_serializing_if = "is_h")]
    pub space: Space,
    /// Whether the patches or crops of a mean are changed as the model's training views are, colours and all, as EMP-SSL's
    /// code evaluates; clean otherwise.
    #[serde(skip_serializing_if = "is_clean")]
    pub augmented: bool,
    /// Where features are kept.
    #[serde(skip)]
    pub cache: Option<PathBuf>,
}

fn as_words<S: Serializer>(space: &Space, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(space)
}

// Results of before say neither, and are those of the same configuration.
fn is_h(space: &Space) -> bool {
    *space == Space::H
}

fn is_clean(augmented: &bool) -> bool {
    !augmented
}

impl EvalConfig {
    /// What is given to the network, most of it, as its progress counts it.
    pub fn unit(&self) -> &'static str {
        match self.crop {
            Some(Crop::Scale { .. }) => "crops",
            _ => "patches",
        }
    }

    /// Checks ranges and combinations.
    pub fn validate(&self) -> anyhow::Result<()> {
        self.knn.validate()?;
        self.linear.validate()?;
        ensure!(!self.patches.is_empty(), "nothing to evaluate: no number of patches, no central, no local");
        ensure!(!self.classifiers.is_empty(), "no classifier; expected knn or linear");
        for (what, limit) in [("train", self.limit_train), ("test", self.limit_test)] {
            ensure!(limit != Some(0), "a limit of 0 {what} images; expected at least 1");
        }
        let is_local = |it: &&Aggregate| matches!(it, Aggregate::LocalPatches | Aggregate::LocalMap);
        let local = self.patches.iter().find(is_local).filter(|_| self.space != Space::H || self.augmented);
        if let Some(local) = local {
            bail!(
                "{local} is of h and of clean patches; expected no other space with it, and none augmented"
            );
        }
        let has_mean = self.patches.iter().any(|it| matches!(it, Aggregate::Mean(_)));
        ensure!(
            has_mean || !self.augmented,
            "augmented are the patches or crops of a mean; expected a number of them"
        );
        if let Some(Crop::Scale { min, max }) = self.crop {
            let ordered = min > 0.0 && min <= max && max <= 1.0;
            ensure!(ordered, "crop scale {min},{max}: expected two shares of the area, 0 < A <= B <= 1");
        }
        Ok(())
    }
}

/// The images that are used where at most `limit` are: spread over `data` and its classes, upwards.
pub(super) fn chosen(data: &dyn Dataset, limit: Option<usize>) -> Vec<usize> {
    let mut chosen = spread(data, limit.unwrap_or(data.len()), SPREAD_SEED);
    chosen.sort_unstable();
    chosen
}
