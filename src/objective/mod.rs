//! Training objectives, one file each: formula, source and reference test.
//!
//! What all share: V views of N images, z un-normalised as the projector gives it (a loss that wants
//! unit vectors normalises them itself), and for more than two views the mean over all pairs of views
//! of the two-view loss, unless the file says otherwise.

pub mod barlow_twins;
pub mod byol;
mod cholesky;
mod loss;
mod method;
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
use serde::de::value::{Error as ValueError, MapDeserializer};
use serde::{Deserialize, Serialize};

pub use barlow_twins::BarlowTwins;
pub use byol::Byol;
pub use loss::Loss;
pub use method::{Constant, ConstantRange, LossMatrices, Method, MethodInfo};
pub use multi_patch::MultiPatch;
pub use simclr::SimClr;
pub use spectral::Spectral;
pub use tcr::Tcr;
pub use vicreg::VicReg;

/// What is known of every objective: names, help, constants and their ranges.
pub static METHODS: [&MethodInfo; 7] = [
    &vicreg::INFO,
    &simclr::INFO,
    &tcr::INFO,
    &byol::INFO,
    &spectral::INFO,
    &barlow_twins::INFO,
    &multi_patch::INFO,
];

/// Which objective, with its constants. Names are those of [`METHODS`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Objective {
    /// See [`vicreg`].
    VicReg(VicReg),
    /// See [`simclr`].
    SimClr(SimClr),
    /// See [`tcr`].
    Tcr(Tcr),
    /// See [`byol`].
    Byol(Byol),
    /// See [`spectral`].
    Spectral(Spectral),
    /// See [`barlow_twins`].
    #[serde(rename = "barlow-twins")]
    BarlowTwins(BarlowTwins),
    /// See [`multi_patch`].
    #[serde(rename = "multi-patch")]
    MultiPatch(MultiPatch),
}

impl Objective {
    fn method(&self) -> &dyn Method {
        match self {
            Objective::VicReg(method) => method,
            Objective::SimClr(method) => method,
            Objective::Tcr(method) => method,
            Objective::Byol(method) => method,
            Objective::Spectral(method) => method,
            Objective::BarlowTwins(method) => method,
            Objective::MultiPatch(method) => method,
        }
    }

    /// Every objective with its default constants.
    pub fn all() -> Vec<Self> {
        METHODS.iter().map(|info| Self::named(info.name).expect("a name of the list")).collect()
    }

    /// The objective of that name with its default constants, as a configuration reads it.
    pub fn named(name: &str) -> Option<Self> {
        let table = MapDeserializer::<_, ValueError>::new(std::iter::once(("name", name)));
        Self::deserialize(table).ok()
    }

    /// What is known of it.
    pub fn info(&self) -> &'static MethodInfo {
        self.method().info()
    }

    /// What the field calls it.
    pub fn title(&self) -> &'static str {
        self.info().title
    }

    /// Its name in a configuration file.
    pub fn name(&self) -> &'static str {
        self.info().name
    }

    /// BYOL's constants, where this is BYOL: the one objective that trains a predictor against a
    /// momentum encoder.
    pub fn byol(&self) -> Option<&Byol> {
        match self {
            Objective::Byol(byol) => Some(byol),
            _ => None,
        }
    }

    /// See [`MethodInfo::is_mean_over_images`].
    pub fn is_mean_over_images(&self) -> bool {
        self.info().is_mean_over_images
    }

    /// Values of the matrices that the loss makes of a batch; see [`LossMatrices::values`].
    pub fn matrix_values(&self, views: u64, images: u64, width: u64) -> u64 {
        self.info().matrices.values(views, images, width)
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
        let wanted = if self.info().has_targets { count } else { 0 };
        ensure!(targets.len() == wanted, "{title} takes {wanted} target views; there are {}", targets.len());
        for view in views.iter().chain(targets) {
            let found = view.dims();
            ensure!(found == shape, "views of one batch have shapes {shape:?} and {found:?}; expected one");
        }
        Ok(self.method().loss(views, targets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn every_objective_reads_back_from_toml_and_takes_its_defaults() {
        for objective in Objective::all() {
            let text = toml::to_string(&objective).unwrap();
            assert_eq!(toml::from_str::<Objective>(&text).unwrap(), objective, "{text}");
            let short = format!("name = \"{}\"", objective.name());
            assert_eq!(toml::from_str::<Objective>(&short).unwrap(), objective, "{short}");
        }
    }

    #[test]
    fn what_is_known_of_a_constant_is_what_it_is() {
        assert_eq!(METHODS.len(), Objective::all().len());
        for objective in Objective::all() {
            let (info, values) = (objective.info(), objective.method().values());
            assert_eq!(values.len(), info.constants.len(), "{}", info.name);
            let table = toml::Value::try_from(&objective).unwrap();
            for (constant, value) in info.constants.iter().zip(values) {
                let written = &table[constant.key];
                let written = written.as_float().or(written.as_integer().map(|whole| whole as f64));
                assert_eq!(written, Some(value), "{} {}", info.name, constant.key);
                assert_eq!(constant.default, value);
                assert!(constant.range.contains(value));
            }
            assert_eq!(table.as_table().unwrap().len(), 1 + info.constants.len());
        }
        assert!(Objective::named("nothing").is_none());
    }

    #[test]
    fn a_name_that_several_have_means_the_same_in_all() {
        let all: Vec<&Constant> = METHODS.iter().flat_map(|method| method.constants).collect();
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
            let same = (one.help, one.range) == (other.help, other.range);
            assert!(one.key != other.key || same, "{one:?} and {other:?}");
        }
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
