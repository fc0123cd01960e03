//! A folder of another machine.

use std::path::PathBuf;

use eframe::egui::{Button, RichText, ScrollArea, Ui};

use crate::engine::{FolderEntry, FolderListing};
use crate::paths;

/// Height of the list, points.
const HEIGHT: f32 = 160.0;

/// Draws what a folder holds. Returns the path that was clicked.
pub fn listing_ui(ui: &mut Ui, listing: &FolderListing) -> Option<PathBuf> {
    let mut clicked = None;
    let folder = &listing.folder;
    ui.horizontal(|ui| {
        if let Some(parent) = folder.parent()
            && ui.small_button("Up").on_hover_text(parent.display().to_string()).clicked()
        {
            clicked = Some(parent.to_owned());
        }
        ui.weak(folder.display().to_string());
    });
    if let Some(error) = &listing.error {
        ui.colored_label(ui.visuals().warn_fg_color, error);
    }
    ScrollArea::vertical().id_salt("folder").max_height(HEIGHT).show(ui, |ui| {
        for FolderEntry { is_file, name } in &listing.entries {
            let text = if *is_file { name.clone() } else { format!("{name}/") };
            if ui.add(Button::new(text).frame(false).truncate()).clicked() {
                clicked = Some(folder.join(paths::from_words(name)));
            }
        }
        if listing.more > 0 {
            let shown = listing.entries.len();
            ui.label(
                RichText::new(format!("{shown} of {} shown; type the path of others", shown + listing.more))
                    .weak(),
            );
        }
    });
    clicked
}
