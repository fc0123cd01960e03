//! A gallery for each of several places, on one image or on many (Fig 10 to 12 of the paper).

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::engine::ask::gallery::GalleryView;
use crate::patch::PatchRef;

/// Places at most: each has its own gallery.
pub const MOST_PLACES: usize = 32;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacesRequest {
    /// The data set that they are of ([`crate::engine::ask::DataDescription::id`]).
    pub data: u64,
    /// In reading order; those beyond [`MOST_PLACES`] are left out.
    pub places: Vec<PatchRef>,
    /// Neighbours of each.
    pub neighbours: usize,
}

/// What there is to show.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PlacesView {
    /// Changes with each question; answers of an earlier one are dropped.
    pub round: u64,
    /// In the order asked for.
    pub places: Vec<PlaceView>,
}

/// One place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlaceView {
    /// The patch as it was asked for.
    pub asked: PatchRef,
    /// The same, moved into its image.
    pub patch: PatchRef,
    /// Its neighbours in each shown space. Those of an earlier question stay until the new ones are there.
    pub gallery: Option<Arc<GalleryView>>,
    /// How many neighbours were asked for.
    pub neighbours: usize,
    /// Why it has none.
    pub error: Option<String>,
}

impl PlacesView {
    /// What is known of the place that was asked for as `patch`.
    pub fn of(&self, patch: PatchRef) -> Option<&PlaceView> {
        self.places.iter().find(|place| place.asked == patch)
    }
}
