//! The network: backbone f, projector g, and the [`Encoder`] that maps a batch of
//! images to every named space.

pub mod backbone;
pub mod builtin;
pub mod encoder;
pub mod footprint;
mod foreign;
pub mod format;
pub mod formats;
pub mod layers;
mod loose;
pub mod momentum;
pub mod origin;
pub mod precision;
pub mod predictor;
pub mod projector;
pub mod resnet;
pub mod space;
pub mod spec;
mod stage_map;
pub mod store;
pub mod vit;
pub mod watch;
pub mod weights;

pub use backbone::Backbone;
pub use encoder::{Encoder, ModelInfo};
pub use layers::Mode;
pub use origin::ModelOrigin;
pub use precision::EmbedPrecision;
pub use predictor::Predictor;
pub use projector::ProjectorForm;
pub use resnet::{BackboneConfig, Depth, Stem};
pub use space::{MapLayer, Space};
pub use spec::{ModelPlace, ModelSpec, Overrides};
pub use vit::{Positions, VitConfig};
