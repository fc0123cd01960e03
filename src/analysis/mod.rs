//! What the figures and measures of the paper are made of.

pub mod carried;
pub mod composition;
pub mod convergence;
pub mod cooccurrence;
pub mod cooccurring;
pub mod cooccurring_bank;
pub mod displacement;
#[cfg(test)]
mod fixture;
pub mod geometry;
pub mod heatmap;
pub mod invariance;
pub mod kinds;
pub mod locality;
pub mod overlap;
pub mod pca;
pub mod plane;
pub mod positions;
pub mod spaces;
