//! The same point of an image at several patch sizes.

use crate::engine::ask::maps::Heatmap;
use crate::patch::{PatchGrid, PatchRef};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
/// Patch sizes of a microscope at most: each has a column of its own.
pub const MOST_SIZES: usize = 8;

/// The same point of an image at several patch sizes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct MicroscopeView {
    /// Index of the image.
    pub image: usize,
    /// One for each size, in the order asked for.
    pub levels: Vec<Arc<MicroscopeLevel>>,
    /// Sizes that were asked for and do not fit on the image.
    pub left_out: Vec<u32>,
}

/// One patch size of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MicroscopeLevel {
    /// The patches of this size and their stride.
    pub grid: PatchGrid,
    /// Grid positions in all.
    pub positions: usize,
    /// Grid positions whose vectors are known.
    pub known: usize,
    /// The query at this size, about the same centre and moved onto the image; `None` without a query.
    pub query: Option<PatchRef>,
    /// One map for each shown space, in their order; none until the query is known at this size. They
    /// grow from coarse to fine.
    pub maps: Vec<Heatmap>,
    /// How alike the query is to the rest of the image, for each of `maps`.
    pub rest: Vec<RestOfImage>,
}

/// Cosines of a query to the other patches of its image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestOfImage {
    /// Patches that are known, the query's own place left out.
    pub patches: usize,
    /// Their mean cosine, NaN if there are none.
    pub mean: f32,
    /// Their standard deviation.
    pub deviation: f32,
}
