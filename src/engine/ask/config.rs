//! What the explorer looks at.

use crate::engine::ask::filter::GalleryFilter;
use crate::engine::ask::search_way::SearchWay;
use crate::patch::PatchGrid;
use serde::{Deserialize, Serialize};
/// What the explorer looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExploreConfig {
    /// Patch size and stride of the heatmaps, pixels.
    pub grid: PatchGrid,
    /// Stride of the patches that the galleries search, pixels.
    pub gallery_stride: u32,
    /// How many images the galleries reach at most, spread over the data set and its classes.
    pub gallery_images: usize,
    /// Number of neighbours in a gallery.
    pub neighbours: usize,
    /// Names of the spaces side by side, from the left; of [`ModelDescription::all_spaces`](crate::engine::ModelDescription::all_spaces). Empty: the
    /// usual ones.
    pub spaces: Vec<String>,
    /// What the galleries leave out.
    pub filter: GalleryFilter,
    /// How a bank on disk that has codes is searched; without codes every patch is compared.
    pub way: SearchWay,
}
