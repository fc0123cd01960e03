//! Numbers of several spaces: a row for each, in its hue.

use eframe::egui::{Align, Grid, Layout, RichText, ScrollArea, Ui};

use crate::gui::nouns::spaces::explain_space;
use crate::gui::paint::theme;

/// Draws the table called `name`; `columns` are headings with what they mean. It scrolls sideways where it is wide.
pub fn table_ui(ui: &mut Ui, name: &str, columns: &[(&str, &str)], rows: &[(String, Vec<String>)]) {
    let dark = ui.visuals().dark_mode;
    ScrollArea::horizontal().id_salt(name).auto_shrink([false, true]).show(ui, |ui| {
        let grid = Grid::new(name).striped(true).num_columns(columns.len() + 2).spacing([16.0, 4.0]);
        grid.show(ui, |ui| {
            ui.label(RichText::new("space").weak());
            for (heading, meaning) in columns {
                let heading = RichText::new(*heading).weak();
                right(ui, |ui| drop(ui.label(heading).on_hover_text(*meaning)));
            }
            // The last column would take all the room that is left, and its numbers stand far away.
            ui.label("");
            ui.end_row();
            for (space, cells) in rows {
                let text = RichText::new(space).strong().color(theme::space(space, dark));
                ui.label(text).on_hover_text(explain_space(space));
                cells.iter().for_each(|cell| right(ui, |ui| drop(ui.label(cell))));
                ui.label("");
                ui.end_row();
            }
        });
    });
}

/// Numbers stand at the right of their column.
fn right(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    ui.with_layout(Layout::right_to_left(Align::Center), add);
}
