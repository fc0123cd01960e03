//! The button that writes a page of measures.

use eframe::egui::{Button, Ui};

use crate::engine::MeasurePage;
use crate::gui::desk::Desk;
use crate::gui::nouns::Action;

/// The button that writes the page on show.
pub fn export_ui(ui: &mut Ui, desk: &mut Desk, page: MeasurePage) {
    let has = desk.session.snapshot().views.measures.has(page);
    let button = ui.add_enabled(has, Button::new("Export..."));
    let tip = "Writes the plots as one page, SVG, PDF or PNG, with the numbers beside it.";
    if button.on_hover_text(tip).on_disabled_hover_text("Nothing is measured yet.").clicked() {
        desk.todo.push(Action::ExportMeasures(page));
    }
}
