//! Neighbours of a query, and the extraction of the patches that they are found among.

use crate::dataset::Skipped;
use crate::engine::ask::filter::GalleryFilter;
use crate::engine::ask::query::QuerySpec;
use crate::engine::ask::request::RequestId;
use crate::image::Image;
use crate::patch::PatchRef;
use crate::progress::Progress;
use crate::search::Relation;
use std::sync::Arc;
/// The neighbours of a query in each space.
#[derive(Clone, Debug)]
pub struct GalleryView {
    pub query_id: RequestId,
    pub query: QuerySpec,
    /// Pixels of the query: of its one part, or all parts in one square picture.
    pub query_pixels: Arc<Image>,
    /// One for each shown space, in their order.
    pub spaces: Vec<Gallery>,
    /// What was left out.
    pub filter: GalleryFilter,
    /// Patches that were searched, of all that the galleries reach.
    pub searched: usize,
    pub total: usize,
}

/// The neighbours of a query in one space, best first, the query itself left out.
#[derive(Clone, Debug)]
pub struct Gallery {
    pub space: String,
    pub milliseconds: f64,
    /// Patches among which the filter let the neighbours be chosen, of [`GalleryView::searched`].
    pub candidates: usize,
    pub neighbours: Vec<Neighbour>,
}

/// One cell of a gallery.
#[derive(Clone, Debug)]
pub struct Neighbour {
    pub patch: PatchRef,
    pub cosine: f32,
    /// Its cosine to the query in the other shown spaces, where these were searched.
    pub in_other_spaces: Vec<(String, f32)>,
    pub relation: Relation,
    pub class: Option<String>,
    pub image_name: String,
    /// Its pixels; grey if its image cannot be read any more.
    pub pixels: Arc<Image>,
    pub is_readable: bool,
}

/// Extraction of patches for the galleries.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtractionView {
    pub progress: Progress,
    /// Patches done and in all.
    pub patches: (usize, usize),
    pub patches_per_second: Option<f64>,
    /// Images that could not be read, with the reason.
    pub skipped: Arc<Vec<Skipped>>,
    pub paused: bool,
    pub finished: bool,
    pub memory: MemoryUse,
}

/// What the vectors that the galleries search take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Bytes once all are there, and the most that they may take.
    pub bytes: u64,
    pub most_bytes: u64,
    /// Images that are embedded: the first so many of those wanted.
    pub images: usize,
    /// Images that the settings ask for, and the bytes that they would take.
    pub wanted_images: usize,
    pub wanted_bytes: u64,
}
