//! What a comparison is asked (commands) and what it shows.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

pub use crate::analysis::overlap::Overlap;
use crate::engine::ask::gallery::{ExtractionView, GalleryView};
use crate::engine::ask::maps::Heatmap;
use crate::engine::ask::query::QuerySpec;
use crate::engine::ask::request::RequestId;
use crate::model::ModelSpec;

/// What the window asks of the comparison of the open model (A) with another (B).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum CompareCommand {
    /// Opens B: `demo`, a model file, a checkpoint; of a run folder its newest kept checkpoint, with the others
    /// to scrub over.
    OpenOther {
        /// Which model.
        spec: ModelSpec,
    },
    /// Shows the checkpoint of that step of B's run. What was on show stays until it is computed.
    ScrubTo {
        /// Step of a checkpoint that the run has kept.
        step: u64,
    },
    /// Forgets B and all that was computed with it.
    CloseOther,
    /// Whether the comparison is on screen: if not, nothing is computed for it.
    Show(bool),
    /// Pauses or resumes the extraction of patches with B: where a file could not be read, with that file.
    Pause(bool),
    /// Whether the checkpoints after the one on show are computed ahead of being asked for.
    Ahead(bool),
    /// How many images, spread over the data set, the galleries of both models search.
    Images(usize),
}

/// The comparison as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompareView {
    /// Tells this B from those that were opened before.
    pub number: u64,
    /// What B is called: its file's, folder's or run's name.
    pub name: String,
    /// B's run folder, if it is one's checkpoint.
    #[serde(
        serialize_with = "crate::paths::serialize_some",
        deserialize_with = "crate::paths::deserialize_some"
    )]
    pub run: Option<PathBuf>,
    /// Steps of the run's kept checkpoints when last looked, oldest first.
    pub steps: Arc<Vec<u64>>,
    /// The checkpoint that was asked for; [`OtherView::step`] says which one is on show.
    pub wanted: Option<u64>,
    /// B as far as it is computed; the previous checkpoint until the wanted one has something to show.
    pub other: Option<Arc<OtherView>>,
    /// The nearest patches under both models.
    pub galleries: Option<Arc<ComparedGalleries>>,
    /// Extraction of patches with the wanted checkpoint.
    pub extraction: Option<ExtractionView>,
    /// What is kept in memory.
    pub kept: KeptView,
    /// Images that the galleries are to search.
    pub images: usize,
    /// Whether the extraction of patches with B is paused.
    pub paused: bool,
    /// What is wrong: which model, why, and what to do.
    pub error: Option<String>,
}

/// What is kept in memory, so that it can be shown again at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptView {
    /// Checkpoints whose map and patches are all known, ascending.
    pub steps: Vec<u64>,
    /// Memory of weights and vectors, bytes.
    pub bytes: u64,
    /// What that memory may be, bytes.
    pub budget: u64,
}

/// B with its maps of the query.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OtherView {
    /// Its step, if it is a run's checkpoint.
    pub step: Option<u64>,
    /// "ResNet-18/4".
    pub arch: String,
    /// Side of the network's input, pixels.
    pub input: u32,
    /// Hex SHA-256 of the model file.
    pub hash: String,
    /// [`crate::engine::Snapshot::generation`] of what the maps were made of.
    pub generation: u64,
    /// Number of the request that asked the query.
    pub query_id: RequestId,
    /// The query that the maps are of.
    pub query: QuerySpec,
    /// Index of the image that the maps are of.
    pub image: usize,
    /// One map for each space on show that B has, in their order.
    pub maps: Vec<Heatmap>,
    /// Cells of the map's grid that are known.
    pub known: usize,
    /// Cells of the map's grid in all.
    pub total: usize,
    /// Spaces on show that B does not have.
    pub missing: Vec<String>,
}

/// The nearest patches of the query under both models, among the same patches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ComparedGalleries {
    /// B's step, if it is a run's checkpoint.
    pub step: Option<u64>,
    /// [`crate::engine::Snapshot::generation`] of the search.
    pub generation: u64,
    /// A's gallery. [`GalleryView::searched`] of [`GalleryView::total`] patches are those that both
    /// have, of those that both are to have.
    pub a: Arc<GalleryView>,
    /// B's gallery, among the same patches.
    pub b: Arc<GalleryView>,
    /// By space, for those that both models have.
    pub overlaps: Vec<(String, Overlap)>,
    /// Images searched, of those that are to be.
    pub images: (usize, usize),
}
