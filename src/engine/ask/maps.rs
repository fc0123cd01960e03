//! The image on show, the query, and their heatmaps.

use crate::dataset::{ImageValues, PartMap};
use crate::engine::ask::query::QuerySpec;
use crate::engine::ask::request::RequestId;
use crate::image::Image;
use crate::patch::{PatchGrid, PatchRef};
use std::sync::Arc;
/// The image on show.
#[derive(Clone, Debug)]
pub struct ImageView {
    /// Its index in the data set.
    pub index: usize,
    /// What it is called on screen.
    pub name: String,
    /// Name of its class, if it has one.
    pub class: Option<String>,
    /// Its pixels.
    pub image: Arc<Image>,
    /// Which values became black and white, if it has more than 8 bits.
    pub values: Option<ImageValues>,
    /// The part of every pixel, where the data set knows it: names and `height * width` indices.
    pub parts: Option<Arc<PartMap>>,
}

impl ImageView {
    /// Its name, and what became of its values if it has more than 8 bits.
    pub fn details(&self) -> String {
        let values = self.values.map_or(String::new(), |values| format!("\n{values}"));
        format!("{}{values}", self.name)
    }
}

/// A query and its heatmaps.
#[derive(Clone, Debug)]
pub struct QueryView {
    /// Number of the request that asked it.
    pub id: RequestId,
    /// What is looked for.
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
    /// The patch that stands in for the query.
    pub patch: PatchRef,
    /// One map for each shown space, in their order.
    pub maps: Vec<Heatmap>,
}

/// Cosine similarities of the query to every patch of the image on show.
#[derive(Clone, Debug)]
pub struct Heatmap {
    /// Name of the space as it is shown ("h"; of two spaces "z − h", of two models "h A").
    pub space: String,
    /// The patches that it compares with the query.
    pub grid: PatchGrid,
    /// Rows of the grid on this image.
    pub rows: usize,
    /// Columns of the grid on this image.
    pub cols: usize,
    /// `rows * cols` cosines in [-1, 1], row by row; NaN where not known yet. While coarse, a
    /// known value also stands in for its unknown neighbours in `shown`.
    pub values: Arc<Vec<f32>>,
    /// As `values` with unknown positions filled from the nearest known one; NaN only if none is.
    pub shown: Arc<Vec<f32>>,
    /// The lengths of the patches' vectors, where they are of one model's space.
    pub lengths: Option<Arc<VectorLengths>>,
}

/// Lengths (L2 norms) of the vectors of an image's patches, in the order of a map's values. A cosine does not see them;
/// a few that are far longer than the rest are a transformer's artefacts.
#[derive(Clone, Debug)]
pub struct VectorLengths {
    /// NaN where not known yet.
    pub values: Arc<Vec<f32>>,
    /// The same with unknown positions filled.
    pub shown: Arc<Vec<f32>>,
}

impl VectorLengths {
    /// The longest that is known; 0 where none is.
    pub fn longest(&self) -> f32 {
        self.values.iter().copied().filter(|length| !length.is_nan()).fold(0.0, f32::max)
    }
}

/// What the vectors of an image's patches have most in common, as colours: see
/// [`crate::analysis::pca`].
#[derive(Clone, Debug)]
pub struct Pictures {
    /// Index of the image.
    pub image: usize,
    /// The patches that the colours stand for.
    pub grid: PatchGrid,
    /// One for each shown space, in their order.
    pub spaces: Vec<Picture>,
}

/// The picture of one space.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Name of the space.
    pub space: String,
    /// One pixel for each patch of the grid.
    pub colors: Arc<Image>,
    /// Share of the variance behind red, green and blue, each 0 to 1.
    pub explained: [f32; 3],
}
