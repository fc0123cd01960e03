//! What went wrong or is left out, in words and colour.

use eframe::egui::{Color32, Frame, Label, Margin, Response, RichText, Ui};

use crate::gui::paint::theme;

/// An error in words, wrapped.
pub fn error_ui(ui: &mut Ui, message: &str) {
    message_ui(ui, theme::error(ui.visuals().dark_mode), message);
}

/// A warning in words, wrapped.
pub fn warning_ui(ui: &mut Ui, message: &str) -> Response {
    message_ui(ui, theme::warning(ui.visuals().dark_mode), message)
}

fn message_ui(ui: &mut Ui, (color, fill): (Color32, Color32), message: &str) -> Response {
    Frame::new()
        .fill(fill)
        .corner_radius(4)
        .inner_margin(Margin::symmetric(6, 3))
        .show(ui, |ui| ui.add(Label::new(RichText::new(message).color(color)).wrap()))
        .inner
}
