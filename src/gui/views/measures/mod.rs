//! What is measured of what is explored, in numbers and plots: the pages of the command line's measures, live.

mod image;
mod plots;
mod table;

use eframe::egui::{ScrollArea, Ui};

use self::image::ImagePage;
use super::view::View;
use crate::engine::{Command, MeasureCommand, MeasurePage};
use crate::gui::desk::Desk;
use crate::gui::nouns::{Action, ExploreView};
use crate::gui::panels::controls;
use crate::gui::panels::view_switch::switch_ui;

/// The view's own state.
#[derive(Default)]
pub struct MeasuresPanel {
    page: MeasurePage,
    /// Whether the engine measures the image on show for this view.
    follows: bool,
    image: ImagePage,
}

impl View for MeasuresPanel {
    fn which(&self) -> ExploreView {
        ExploreView::Measures
    }

    fn sync(&mut self, desk: &mut Desk, is_on_show: bool) {
        let follows = is_on_show && self.page == MeasurePage::Image;
        if follows != self.follows {
            desk.session.send(Command::Measure(MeasureCommand::FollowImage(follows)));
            self.follows = follows;
        }
    }

    fn reset(&mut self) {
        self.image.reset();
    }

    fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        ui.horizontal_wrapped(|ui| {
            switch_ui(ui, desk);
            controls::patches_ui(ui, desk);
            controls::spaces_ui(ui, desk);
            controls::colormap_ui(ui, desk);
            controls::overlay_ui(ui, desk);
            export_ui(ui, desk, self.page);
        });
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| match self.page {
            MeasurePage::Image => self.image.ui(ui, desk),
        });
    }
}

/// The button that writes the page on show.
fn export_ui(ui: &mut Ui, desk: &mut Desk, page: MeasurePage) {
    let has = desk.session.snapshot().views.measures.has(page);
    let button = ui.add_enabled(has, eframe::egui::Button::new("Export..."));
    let tip = "Writes the plots as one page, SVG, PDF or PNG, with the numbers beside it.";
    if button.on_hover_text(tip).on_disabled_hover_text("Nothing is measured yet.").clicked() {
        desk.todo.push(Action::ExportMeasures(page));
    }
}
