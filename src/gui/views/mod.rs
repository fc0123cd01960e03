//! What the middle of the Explore tab can show, one file each; the first, image and heatmaps above
//! galleries, is [`super::panels::maps`] and [`super::panels::gallery`].

mod columns;
pub mod compare;
pub mod instance;
mod invariance;
pub mod microscope;

use eframe::egui::Ui;

use crate::gui::nouns::actions::{Action, keys_of};
pub use crate::gui::nouns::views::ExploreView;
use crate::gui::nouns::views::{VIEWS, ViewInfo};
use crate::gui::panels::Desk;

/// The control that chooses a view.
pub fn switch_ui(ui: &mut Ui, desk: &mut Desk) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
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
