//! Neighbours of a query, and the extraction of the patches that they are found among.

use crate::dataset::Skipped;
use crate::engine::ask::filter::GalleryFilter;
use crate::engine::ask::query::QuerySpec;
use crate::engine::ask::request::RequestId;
use crate::engine::ask::search_way::SearchWay;
use crate::image::Image;
use crate::patch::PatchRef;
use crate::progress::Progress;
use crate::search::{MeasuredRecall, Relation};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
/// The neighbours of a query in each space.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GalleryView {
    /// Number of the request that asked the query.
    pub query_id: RequestId,
    /// The query whose neighbours these are.
    pub query: QuerySpec,
    /// Pixels of the query: of its one part, or all parts in one square picture.
    #[serde(with = "crate::wire::fields::picture")]
    pub query_pixels: Arc<Image>,
    /// One for each shown space, in their order.
    pub spaces: Vec<Gallery>,
    /// What was left out.
    pub filter: GalleryFilter,
    /// Patches that were searched: those with a vector.
    pub searched: usize,
    /// Patches that the galleries reach: without those of images that turned out to be broken.
    pub total: usize,
    /// Images that were searched, and that the galleries reach: those of the sample.
    pub images: (usize, usize),
    /// Images of the query that were searched beside them.
    pub guests: usize,
    /// How the bank was searched, where it has codes and there is a choice.
    pub way: Option<SearchWay>,
    /// Whether pictures are still on their way from another machine: until then one pixel of its mean colour stands for each.
    pub pictures_follow: bool,
}

/// The neighbours of a query in one space, best first, the query itself left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gallery {
    /// Name of the space.
    pub space: String,
    /// Time of the search, milliseconds.
    pub milliseconds: f64,
    /// What searches by codes find, measured; `None` where every patch was compared.
    pub recall: Option<MeasuredRecall>,
    /// Patches with a vector that the filter let through, the query's own among them.
    pub searched: usize,
    /// Those among which the neighbours were chosen: all but the query's own.
    pub candidates: usize,
    /// The neighbours, best first.
    pub neighbours: Vec<Neighbour>,
}

/// One cell of a gallery.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Neighbour {
    /// Where it lies.
    pub patch: PatchRef,
    /// Its cosine to the query, -1 to 1.
    pub cosine: f32,
    /// Its cosine to the query in the other shown spaces, where these were searched.
    pub in_other_spaces: Vec<(String, f32)>,
    /// What it has in common with the query: image, class or neither.
    pub relation: Relation,
    /// Name of its image's class, if that has one.
    pub class: Option<String>,
    /// What its image is called on screen.
    pub image_name: String,
    /// Images with the same pixels that it stands for, its own among them; 1 unless copies are folded.
    pub copies: usize,
    /// What the first few others of them are called on screen.
    pub copy_names: Vec<String>,
    /// Its pixels, averaged down where they are many; grey if its image cannot be read any more.
    #[serde(with = "crate::wire::fields::picture")]
    pub pixels: Arc<Image>,
    /// Whether its image can still be read.
    pub is_readable: bool,
}

/// Extraction of patches for the galleries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtractionView {
    /// How far it is, in images.
    pub progress: Progress,
    /// Patches done and in all.
    pub patches: (usize, usize),
    /// Those of the done whose vectors were kept from before.
    pub kept_patches: usize,
    /// Patches embedded per second of this run; `None` before the first.
    pub patches_per_second: Option<f64>,
    /// Images that could not be read, with the reason.
    pub skipped: Arc<Vec<Skipped>>,
    /// Images so far that are exact copies of an earlier one.
    pub copies: usize,
    /// Whether it is paused.
    pub paused: bool,
    /// Why it stopped, if a file could not be read: to resume it is to read that file again.
    pub stopped: Option<Arc<str>>,
    /// Whether nothing is left to embed.
    pub finished: bool,
    /// The process that adds them to the bank that is open, if that is not this one.
    pub written_by: Option<Arc<str>>,
    /// What the vectors take.
    pub memory: MemoryUse,
}

/// What the vectors that the galleries search take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Bytes once all are there.
    pub bytes: u64,
    /// The most bytes that they may take.
    pub most_bytes: u64,
    /// Images that are embedded, of those wanted; spread over the data set as they are.
    pub images: usize,
    /// Images that the settings ask for.
    pub wanted_images: usize,
    /// Bytes that those would take.
    pub wanted_bytes: u64,
}
