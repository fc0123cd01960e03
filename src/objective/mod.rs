//! Training objectives, one file each: formula, source and reference test.

pub mod vicreg;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A loss and the terms that it is made of, each a tensor of one element.
pub struct Loss {
    /// What is minimised.
    pub total: Tensor<1>,
    /// Its parts before weighting, by name.
    pub terms: Vec<(&'static str, Tensor<1>)>,
}

/// Which objective, with its constants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Objective {
    /// Variance-invariance-covariance regularisation (Bardes et al. 2022).
    VicReg(vicreg::VicReg),
}

impl Objective {
    /// What the field calls it.
    pub fn title(&self) -> &'static str {
        match self {
            Objective::VicReg(_) => "VICReg",
        }
    }

    /// The loss of the projections of V views of the same N images.
    ///
    /// # Shapes
    /// - views: V >= 2 tensors `[N, d]`, N >= 2; row i of each is a view of image i
    pub fn loss(&self, views: &[Tensor<2>]) -> anyhow::Result<Loss> {
        let count = views.len();
        anyhow::ensure!(count >= 2, "{} needs at least 2 views of an image; there are {count}", self.title());
        let batch = views[0].dims()[0];
        anyhow::ensure!(batch >= 2, "{} needs at least 2 images in a batch; there are {batch}", self.title());
        match self {
            Objective::VicReg(vicreg) => Ok(vicreg.loss(views)),
        }
    }

    /// Checks the constants. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        match self {
            Objective::VicReg(vicreg) => vicreg.validate(),
        }
    }
}
