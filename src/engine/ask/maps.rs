//! The image on show, the query, and their heatmaps.

use crate::dataset::PartMap;
use crate::engine::ask::query::QuerySpec;
use crate::engine::ask::request::RequestId;
use crate::image::Image;
use crate::patch::{PatchGrid, PatchRef};
use std::sync::Arc;
/// The image on show.
#[derive(Clone, Debug)]
pub struct ImageView {
    pub index: usize,
    pub name: String,
    pub class: Option<String>,
    pub image: Arc<Image>,
    /// The part of every pixel, where the data set knows it: names and `height * width` indices.
    pub parts: Option<Arc<PartMap>>,
}

/// A query and its heatmaps.
#[derive(Clone, Debug)]
pub struct QueryView {
    pub id: RequestId,
    pub query: QuerySpec,
    /// Pixels of each part, before they were resized for the network.
    pub parts: Vec<Arc<Image>>,
    /// The image that the maps are of: the query may come from elsewhere.
    pub image: usize,
    /// One map for each shown space, in their order. They grow from coarse to fine.
    pub maps: Vec<Heatmap>,
    /// Grid positions whose cosine is known, of all; equal in all spaces.
    pub known: usize,
}

/// What the maps would be if a patch of the image on show were the query.
#[derive(Clone, Debug)]
pub struct PreviewView {
    pub patch: PatchRef,
    /// One map for each shown space, in their order.
    pub maps: Vec<Heatmap>,
}

/// Cosine similarities of the query to every patch of the image on show.
#[derive(Clone, Debug)]
pub struct Heatmap {
    pub space: String,
    pub grid: PatchGrid,
    pub rows: usize,
    pub cols: usize,
    /// `rows * cols` cosines in [-1, 1], row by row; NaN where not known yet. While coarse, a
    /// known value also stands in for its unknown neighbours in `shown`.
    pub values: Arc<Vec<f32>>,
    /// As `values` with unknown positions filled from the nearest known one; NaN only if none is.
    pub shown: Arc<Vec<f32>>,
}

/// What the vectors of an image's patches have most in common, as colours: see
/// [`crate::analysis::pca`].
#[derive(Clone, Debug)]
pub struct Pictures {
    /// Index of the image.
    pub image: usize,
    pub grid: PatchGrid,
    /// One for each shown space, in their order.
    pub spaces: Vec<Picture>,
}

/// The picture of one space.
#[derive(Clone, Debug)]
pub struct Picture {
    pub space: String,
    /// One pixel for each patch of the grid.
    pub colors: Arc<Image>,
    /// Share of the variance behind red, green and blue.
    pub explained: [f32; 3],
}
