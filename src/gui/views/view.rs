//! What every view can do.

use eframe::egui::Ui;

use crate::gui::desk::Desk;
use crate::gui::nouns::{Action, ExploreView};
use crate::gui::paint::pane::Viewpoint;

/// A view of the Explore tab.
pub trait View {
    /// Which one it is; what is said of it stands in [`crate::gui::nouns::views::VIEWS`].
    fn which(&self) -> ExploreView;

    /// Called in every frame before anything is drawn: has the engine work for this view while it is on show, and
    /// only then.
    fn sync(&mut self, desk: &mut Desk, is_on_show: bool);

    /// Draws it into the rest of the middle.
    fn ui(&mut self, ui: &mut Ui, desk: &mut Desk);

    /// Shows the whole image again.
    fn reset(&mut self);

    /// Carries out an action if it is the view's own now. Returns whether it was.
    fn run(&mut self, _desk: &Desk, _action: Action) -> bool {
        false
    }

    /// What part of the image is seen, for a view whose part a link keeps.
    fn viewpoint(&self) -> Option<Viewpoint> {
        None
    }

    /// Sees that part of image `index` once it is on show.
    fn look_at(&mut self, _index: usize, _viewpoint: Viewpoint) {}
}
