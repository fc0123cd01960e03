//! Fig 4, 6: an image with the query patch in dashes, and beside it how similar every patch is to
//! the query, one heatmap for each space, all on one colour scale; one such row for each query.
//!
//! A heatmap lies where its patches lie: each cell is one stride wide and
//! centred on its patch, over a faint grey copy of the image, so that a place
//! in the image and its score are at the same place in both panels.

mod data;
mod drawing;
mod layout;
mod words;

pub use data::{HeatmapData, HeatmapFigure, HeatmapRow, HeatmapSpace, HeatmapSpec};
