//! Training objectives, one file each: formula, source and reference test.
//!
//! What all share: V views of N images, z un-normalised as the projector gives it (a loss that wants
//! unit vectors normalises them itself), and for more than two views the mean over all pairs of views
//! of the two-view loss, unless the file says otherwise.

pub mod barlow_twins;
pub mod byol;
mod cholesky;
mod loss;
pub mod multi_patch;
pub mod simclr;
pub mod spectral;
pub mod tcr;
mod terms;
pub mod vicreg;

#[cfg(test)]
mod identities;
#[cfg(test)]
mod reference;

use anyhow::ensure;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

pub use barlow_twins::BarlowTwins;
pub use byol::Byol;
pub use loss::Loss;
pub use multi_patch::MultiPatch;
pub use simclr::SimClr;
pub use spectral::Spectral;
pub use tcr::Tcr;
pub use vicreg::VicReg;

/// Which objective, with its constants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Objective {
    /// Variance-invariance-covariance regularisation (Bardes et al. 2022).
    VicReg(VicReg),
    /// Normalised temperature-scaled cross entropy (Chen et al. 2020).
    SimClr(SimClr),
    /// Total coding rate (Li et al. 2022; Yu et al. 2020).
    Tcr(Tcr),
    /// Bootstrap your own latent (Grill et al. 2020).
    Byol(Byol),
    /// The spectral contrastive loss (HaoChen et al. 2021), Prop. 3.1, eq. 1.
    Spectral(Spectral),
    /// Redundancy reduction (Zbontar et al. 2021).
    #[serde(rename = "barlow-twins")]
    BarlowTwins(BarlowTwins),
    /// Many patches of each image drawn to their mean (EMP-SSL, Tong et al. 2023).
    #[serde(rename = "multi-patch")]
    MultiPatch(MultiPatch),
}

impl Objective {
    /// Every objective with its default constants.
    pub fn all() -> Vec<Self> {
        vec![
            Objective::VicReg(VicReg::default()),
            Objective::SimClr(SimClr::default()),
            Objective::Tcr(Tcr::default()),
            Objective::Byol(Byol::default()),
            Objective::Spectral(Spectral::default()),
            Objective::BarlowTwins(BarlowTwins::default()),
            Objective::MultiPatch(MultiPatch::default()),
        ]
    }

    /// What the field calls it.
    pub fn title(&self) -> &'static str {
        match self {
            Objective::VicReg(_) => "VICReg",
            Objective::SimClr(_) => "SimCLR",
            Objective::Tcr(_) => "TCR",
            Objective::Byol(_) => "BYOL",
            Objective::Spectral(_) => "spectral contrastive",
            Objective::BarlowTwins(_) => "Barlow Twins",
            Objective::MultiPatch(_) => "multi-patch TCR",
        }
    }

    /// Its name in a configuration file.
    pub fn name(&self) -> &'static str {
        match self {
            Objective::VicReg(_) => "vicreg",
            Objective::SimClr(_) => "simclr",
            Objective::Tcr(_) => "tcr",
            Objective::Byol(_) => "byol",
            Objective::Spectral(_) => "spectral",
            Objective::BarlowTwins(_) => "barlow-twins",
            Objective::MultiPatch(_) => "multi-patch",
        }
    }

    /// BYOL's constants, where this is BYOL: the one objective that trains a predictor against a
    /// momentum encoder.
    pub fn byol(&self) -> Option<&Byol> {
        match self {
            Objective::Byol(byol) => Some(byol),
            _ => None,
        }
    }

    /// Whether the loss of a batch is the mean of the losses of its images. Otherwise images of a
    /// batch are compared with each other, and the loss of a part of the batch is another loss.
    pub fn is_mean_over_images(&self) -> bool {
        self.byol().is_some()
    }

    /// The loss of V views of the same N images. `views` are projections z, or what BYOL's predictor
    /// makes of them; `targets` the projections of BYOL's momentum encoder, which get no gradient,
    /// and empty for every other objective.
    ///
    /// # Shapes
    /// - views, targets: V >= 2 tensors `[N, d]`, N >= 2; row i of each is a view of image i
    pub fn loss(&self, views: &[Tensor<2>], targets: &[Tensor<2>]) -> anyhow::Result<Loss> {
        let (title, count) = (self.title(), views.len());
        ensure!(count >= 2, "{title} needs at least 2 views of an image; there are {count}");
        let shape = views[0].dims();
        ensure!(shape[0] >= 2, "{title} needs at least 2 images in a batch; there are {}", shape[0]);
        let wanted = if self.byol().is_some() { count } else { 0 };
        ensure!(targets.len() == wanted, "{title} takes {wanted} target views; there are {}", targets.len());
        for view in views.iter().chain(targets) {
            let found = view.dims();
            ensure!(found == shape, "views of one batch have shapes {shape:?} and {found:?}; expected one");
        }
        Ok(match self {
            Objective::VicReg(vicreg) => vicreg.loss(views),
            Objective::SimClr(simclr) => simclr.loss(views),
            Objective::Tcr(tcr) => tcr.loss(views),
            Objective::Byol(byol) => byol.loss(views, targets),
            Objective::Spectral(spectral) => spectral.loss(views),
            Objective::BarlowTwins(barlow) => barlow.loss(views),
            Objective::MultiPatch(multi) => multi.loss(views),
        })
    }

    /// Checks the constants. The error names the field.
    pub fn validate(&self) -> anyhow::Result<()> {
        match self {
            Objective::VicReg(vicreg) => vicreg.validate(),
            Objective::SimClr(simclr) => simclr.validate(),
            Objective::Tcr(tcr) => tcr.validate(),
            Objective::Byol(byol) => byol.validate(),
            Objective::Spectral(spectral) => spectral.validate(),
            Objective::BarlowTwins(barlow) => barlow.validate(),
            Objective::MultiPatch(multi) => multi.validate(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn every_objective_reads_back_from_toml_and_takes_its_defaults() {
        for objective in Objective::all() {
            objective.validate().unwrap();
            let text = toml::to_string(&objective).unwrap();
            assert_eq!(toml::from_str::<Objective>(&text).unwrap(), objective, "{text}");
            let short = format!("name = \"{}\"", objective.name());
            assert_eq!(toml::from_str::<Objective>(&short).unwrap(), objective, "{short}");
        }
    }

    #[test]
    fn a_constant_out_of_range_is_named() {
        let error = |text: &str| {
            let objective: Objective = toml::from_str(text).unwrap();
            objective.validate().unwrap_err().to_string()
        };
        assert!(error("name = \"simclr\"\ntemperature = 0.0").contains("objective.temperature is 0"));
        assert!(error("name = \"vicreg\"\nvariance = -1.0").contains("objective.variance is -1"));
        assert!(error("name = \"tcr\"\neps = 0.0").contains("objective.eps is 0"));
        assert!(error("name = \"tcr\"\nlambda = nan").contains("objective.lambda is NaN"));
        assert!(error("name = \"byol\"\nmomentum = 1.5").contains("objective.momentum is 1.5"));
        assert!(error("name = \"byol\"\nhidden = 0").contains("objective.hidden is 0"));
        assert!(error("name = \"spectral\"\nlambda = -2.0").contains("objective.lambda is -2"));
        assert!(error("name = \"barlow-twins\"\nlambda = -2.0").contains("objective.lambda is -2"));
        assert!(error("name = \"multi-patch\"\nweight = -2.0").contains("objective.weight is -2"));
    }

    #[test]
    fn a_batch_or_number_of_views_that_is_too_small_is_refused_in_words() {
        let device = Device::flex();
        for objective in Objective::all() {
            let refusal = |images: usize, views: usize| {
                let views = vec![Tensor::<2>::zeros([images, 4], &device); views];
                let targets = if objective.byol().is_some() { views.clone() } else { vec![] };
                objective.loss(&views, &targets).err().unwrap().to_string()
            };
            let (image, view) = (refusal(1, 2), refusal(4, 1));
            assert!(image.contains("at least 2 images in a batch; there are 1"), "{image}");
            assert!(view.contains("at least 2 views of an image; there are 1"), "{view}");
            assert!(image.contains(objective.title()));
        }
    }
}
