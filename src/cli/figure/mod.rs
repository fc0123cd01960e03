//! `bagssl heatmap`, `gallery`, `converge` and `figure`.

mod accuracy;
mod command;
mod convergence;
mod gallery;
mod heatmap;
mod paper;
mod style;

pub use command::FigureArgs;
pub use convergence::ConvergenceArgs;
pub use gallery::GalleryArgs;
pub use heatmap::HeatmapArgs;
#[cfg(test)]
pub use style::LOOK;
