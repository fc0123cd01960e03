//! The control that chooses what the middle of Explore shows.

use eframe::egui::Ui;

use crate::gui::desk::Desk;
use crate::gui::nouns::Action;
use crate::gui::nouns::actions::keys_of;
use crate::gui::nouns::views::{VIEWS, ViewInfo};
use crate::gui::widgets::together::together;

/// The control that chooses a view.
pub fn switch_ui(ui: &mut Ui, desk: &mut Desk) {
    together(ui, |ui| {
        for ViewInfo { view, name, words, .. } in &VIEWS {
            let action = Action::ShowView(*view);
            let button = ui.selectable_label(desk.view == *view, *name);
            let keys = keys_of(ui.ctx(), action);
            if button.on_hover_text(format!("{words} ({keys})")).clicked() {
                desk.todo.push(action);
            }
        }
    });
    ui.separator();
}
