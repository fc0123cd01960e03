//! The types of lower rooms that the faces edit and show.

pub use crate::analysis::locality::LocalityConfig;
pub use crate::bank::Dtype;
pub use crate::dataset::{PartMap, Skipped, Split, cifar::Variant as CifarVariant};
pub use crate::device::DeviceChoice;
pub use crate::eval::EvalConfig;
pub use crate::eval::aggregate::Patches;
pub use crate::eval::knn::KnnConfig;
pub use crate::model::Space;
pub use crate::search::Relation;
pub use crate::train::recipes::{all as all_recipes, find as find_recipe};
pub use crate::train::{Metrics, Recipe, TrainConfig};
