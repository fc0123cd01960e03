//! Image and heatmaps above the galleries of the nearest patches.

mod panes;

use eframe::egui::{ScrollArea, Ui};

use self::panes::MapsPanel;
use super::view::View;
use crate::engine::defaults;
use crate::gui::desk::Desk;
use crate::gui::nouns::ExploreView;
use crate::gui::paint::pane::Viewpoint;
use crate::gui::paint::textures::GalleryAtlases;
use crate::gui::paint::theme::STEP;
use crate::gui::panels::{controls, gallery};

/// Smallest height of the panes with image and heatmaps, points.
const MIN_MAPS: f32 = 170.0;
/// Part of the middle's height that the galleries may take.
const GALLERY_SHARE: f32 = 0.58;

/// The view's own state.
#[derive(Default)]
pub struct MapsView {
    panes: MapsPanel,
    atlases: GalleryAtlases,
}

impl View for MapsView {
    fn which(&self) -> ExploreView {
        ExploreView::Maps
    }

    /// Previews the patch under the pointer.
    fn sync(&mut self, desk: &mut Desk, is_on_show: bool) {
        let pointed = desk.hover.as_ref().and_then(|hover| hover.patch);
        let is_previewing = desk.is_previewing && is_on_show;
        desk.session.preview(pointed.filter(|_| is_previewing));
    }

    /// Image and heatmaps above, galleries below; a scroll bar where the window is too low for both.
    fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let top = ui.cursor().top();
            let whole = ui.available_height();
            controls::heatmap_controls_ui(ui, desk);
            let toolbar = ui.cursor().top() - top;
            controls::patch_fault_ui(ui, desk);
            let fault = ui.cursor().top() - top - toolbar;
            // The row of gallery controls is as high as this one, if both wrap alike.
            let rows = 2.0 * toolbar + fault + STEP;
            let neighbours = desk.session.config().map_or(defaults::NEIGHBOURS, |config| config.neighbours);
            let room = whole - rows;
            let galleries =
                gallery::wanted_height(neighbours, ui.available_width()).min(room * GALLERY_SHARE);
            let maps = (room - galleries).max(MIN_MAPS);
            self.panes.ui(ui, desk, maps);
            controls::gallery_controls_ui(ui, desk);
            let left = (whole - (ui.cursor().top() - top)).max(galleries.min(200.0));
            gallery::galleries_ui(ui, desk, &mut self.atlases, left);
        });
    }

    fn reset(&mut self) {
        self.panes.reset_zoom();
    }

    fn viewpoint(&self) -> Option<Viewpoint> {
        Some(self.panes.viewpoint())
    }

    fn look_at(&mut self, index: usize, viewpoint: Viewpoint) {
        self.panes.look_at(index, viewpoint);
    }
}
