//! What is explored: the talk with the engine, what is on show of it, and what lies under the pointer. All that
//! draws sees it and may change it.

pub mod hover;
pub mod maps;
pub mod session;
pub mod undo;

use crate::engine::Source;
use crate::engine::defaults::{PatchFault, patch_fault};
use crate::gui::memory::pins::PinnedQueries;
use crate::gui::memory::places::Places;
use crate::gui::memory::settings::Settings;
use crate::gui::memory::sources::SourceImages;
use crate::gui::nouns::{Action, ExploreView, Tab};
use crate::gui::paint::scale::MapScale;
use crate::patch::PatchRef;

pub use hover::Hover;
pub use maps::ShownMaps;
pub use session::Session;

/// What all panels see and may change.
pub struct Desk {
    /// The talk with the engine.
    pub session: Session,
    /// What is remembered from one start to the next.
    pub settings: Settings,
    /// The heatmaps of the image on show, in the way they are shown.
    pub maps: ShownMaps,
    /// What lies under the pointer on the image or a heatmap.
    pub hover: Option<Hover>,
    /// What can be looked for under the pointer or the keyboard's cursor.
    pub pointed: Option<Source>,
    /// Whether the patch under the pointer is shown as if it were the query.
    pub is_previewing: bool,
    /// Queries that are kept at hand.
    pub pins: PinnedQueries,
    /// What buttons asked for in this frame.
    pub todo: Vec<Action>,
    /// The tab on show.
    pub tab: Tab,
    /// What the middle of the Explore tab shows.
    pub view: ExploreView,
    /// The images around neighbours that were looked at.
    pub sources: SourceImages,
    /// The positions that are marked for the instance view.
    pub places: Places,
}

impl Desk {
    /// The settings as they are there again at the next start.
    pub fn remembered(&self) -> Settings {
        Settings { tab: self.tab, pins: self.pins.stored(), ..self.settings.clone() }
    }

    /// What is not open yet and how to open it, in the order in which it is needed for maps; while something is being
    /// opened, that.
    pub fn lacks(&self) -> Option<String> {
        let snapshot = self.session.snapshot();
        let opens = |what: &str| snapshot.busy.as_ref().filter(|busy| busy.contains(what));
        let or_open =
            |what: &str, words: &str| opens(what).map_or(words.to_owned(), |busy| format!("{busy}..."));
        match (&snapshot.model, &snapshot.data, &snapshot.view) {
            (None, ..) => {
                Some(or_open("the model", "No model is open: choose one with \"Open model...\" above."))
            }
            (_, None, _) => {
                Some(or_open("the data set", "No images are open: choose some with \"Open data...\" above."))
            }
            (.., None) => Some("No image is on show: pick one on the left.".to_owned()),
            _ => None,
        }
    }

    /// Why nothing can be embedded, where a bank is open without its model.
    pub fn lacks_network(&self) -> Option<String> {
        let reason = self.session.snapshot().model.as_ref()?.missing.as_ref()?;
        Some(format!("This needs the model, and a bank is open without it: {reason}."))
    }

    /// Why the image on show has no heatmaps with the patches that are set.
    pub fn patch_fault(&self) -> Option<PatchFault> {
        let (view, config) = (self.session.snapshot().view.as_ref()?, self.session.config()?);
        patch_fault(config.grid, view.image.height(), view.image.width())
    }

    /// The query, if it is one patch that can be marked as a position.
    pub fn markable_query(&self) -> Option<PatchRef> {
        let query = self.session.query().and_then(|query| query.as_patch());
        query.filter(|patch| !self.places.contains(*patch) && !self.places.is_full())
    }

    /// Marks the query as a position, where it can be.
    pub fn mark_query(&mut self) {
        if let Some(patch) = self.markable_query() {
            self.places.add(patch);
        }
    }

    /// Brings [`Desk::maps`] up to date with the snapshot and the settings.
    pub fn update_maps(&mut self) {
        self.maps.update(&self.session, self.settings.mode);
    }

    /// The colour scale of the heatmaps.
    pub fn scale(&self) -> MapScale {
        MapScale::of(&self.settings.map_look())
    }

    /// Space and value of the maps under the pointer; none of a preview, whose value there is 1.
    pub fn pointed_values(&self) -> impl Iterator<Item = (&str, f32)> {
        let hover = self.hover.iter().filter(|_| !self.maps.is_preview());
        let values = hover.flat_map(|hover| &hover.values);
        values.filter_map(|(space, value)| Some((space.as_str(), (*value)?)))
    }
}
