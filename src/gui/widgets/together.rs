//! Items of a row that are one control.

use eframe::egui::Ui;

/// Points between the items.
const GAP: f32 = 2.0;

/// Draws items close to each other. They wrap as others of the row do: a scope would have no more room than what is left
/// of its first line.
pub fn together(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    let usual = std::mem::replace(&mut ui.spacing_mut().item_spacing.x, GAP);
    add(ui);
    ui.spacing_mut().item_spacing.x = usual;
    ui.add_space(usual - GAP);
}
