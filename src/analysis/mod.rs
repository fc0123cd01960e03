//! What the figures and measures of the paper are made of.

pub mod convergence;
pub mod cooccurrence;
pub mod geometry;
pub mod heatmap;
pub mod locality;
pub mod overlap;
pub mod pca;
pub mod stages;
