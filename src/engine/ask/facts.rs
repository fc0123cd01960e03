//! The types of lower rooms that the faces edit and show.

pub use super::filter::NamedFilter;
pub use super::space::PatchSpace;
pub use crate::analysis::carried::SpaceCarried;
pub use crate::analysis::composition::Composition;
pub use crate::analysis::convergence::{ConvergencePoint, OverDraws, PatchCount, SpaceConvergence};
pub use crate::analysis::cooccurring_bank::{CooccurringConfig, CooccurringReport, SpaceAgreement};
pub use crate::analysis::displacement::{Displacement, DisplacementPoint};
pub use crate::analysis::locality::{LocalityConfig, LocalityReport, SpaceLocality};
pub use crate::analysis::plane::{PatchPlane, PlaneConfig, PlaneWay};
pub use crate::analysis::positions::PositionEntropy;
pub use crate::analysis::spaces::{Geometry, GeometryConfig, Hubs, NormQuantiles, SpaceGeometry, SpacePair};
pub use crate::augment::Crop;
pub use crate::augment::Resize;
pub use crate::bank::{CacheUse, Dtype, PartFacts, PartNumber, VectorCache, lies_far};
pub use crate::dataset::folder::PICTURE_ENDINGS;
pub use crate::dataset::{Coverage, ImageOrder, PartMap, Skipped, Split, cifar::Variant as CifarVariant};
pub use crate::dataset::{DataSpec, built_in_words as built_in_data, sentence as data_sentence};
pub use crate::dataset::{Decoding, DecodingFacts, Exif, ValueRule, ValueWindow};
pub use crate::device::DeviceChoice;
pub use crate::eval::aggregate::Aggregate;
pub use crate::eval::knn::KnnConfig;
pub use crate::eval::linear::LinearConfig;
pub use crate::eval::{Classifier, EvalConfig, EvalRow};
pub use crate::kernel::Activation;
pub use crate::model::builtin::{ALL as BUILT_IN, BuiltIn};
pub use crate::model::formats::{endings as model_endings, is_likely_model, sentence as model_sentence};
pub use crate::model::{EmbedPrecision, MapLayer, ModelOrigin, ModelSpec, Overrides, Space, VitConfig};
pub use crate::search::Relation;
pub use crate::stats::spectrum::Spread;
pub use crate::tiles::{ImageTiles, TileChoice, TilesOfImage};
pub use crate::train::fitting::{DataShape, FittingRecipe, TrainedBy, fitting as fitting_recipe};
pub use crate::train::recipes::{all as all_recipes, find as find_recipe};
pub use crate::train::run::CONFIG_FILE;
pub use crate::train::settings;
pub use crate::train::{
    Alarm, AlarmKind, ImagesOrder, Keep, KnnScore, MAY_CHANGE, Metrics, Notice, NoticeKind, ProbeConfig,
    ProbeReport, Problem, Recipe, TrainConfig,
};
