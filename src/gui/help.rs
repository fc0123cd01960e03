//! The list of keys (F1) and the palette of commands (Ctrl+P), both from the one table.

use eframe::egui::{Context, Grid, Id, Key, Modal, RichText, ScrollArea, TextEdit, Ui};

use super::actions::{ACTIONS, Action, ActionInfo, MOUSE, keys_text};
use super::theme::{STEP, overlay_frame};

/// Draws the list of keys. Returns whether it is to be closed.
pub fn keys_ui(ctx: &Context) -> bool {
    let modal = Modal::new(Id::unique("keys")).frame(overlay_frame(ctx)).show(ctx, |ui| {
        ui.set_width(640.0);
        ui.label(RichText::new("Keys").strong());
        ui.add_space(STEP);
        ui.columns(2, |columns| {
            for group in ["Files", "Figures", "Images", "Query"] {
                group_ui(&mut columns[0], group);
            }
            for group in ["View", "Training", "Window"] {
                group_ui(&mut columns[1], group);
            }
            mouse_ui(&mut columns[1]);
        });
        ui.add_space(STEP);
        ui.button("Close").clicked()
    });
    modal.inner || modal.should_close()
}

fn group_ui(ui: &mut Ui, group: &str) {
    ui.label(RichText::new(group).weak());
    Grid::new(group).num_columns(2).show(ui, |ui| {
        for info in ACTIONS.iter().filter(|info| info.group == group) {
            ui.label(info.name.trim_end_matches('.'));
            ui.label(RichText::new(keys_text(ui.ctx(), info)).monospace());
            ui.end_row();
        }
    });
    ui.add_space(STEP);
}

fn mouse_ui(ui: &mut Ui) {
    ui.label(RichText::new("Mouse").weak());
    for (what, how) in MOUSE {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(*how).monospace());
            ui.label(*what);
        });
    }
}

/// The palette while it is open.
#[derive(Default)]
pub struct Palette {
    text: String,
    chosen: usize,
}

/// What came of the palette in a frame.
pub enum PaletteOutcome {
    Open,
    Closed,
    Chosen(Action),
}

impl Palette {
    pub fn ui(&mut self, ctx: &Context) -> PaletteOutcome {
        let modal = Modal::new(Id::unique("palette")).frame(overlay_frame(ctx)).show(ctx, |ui| {
            ui.set_width(400.0);
            let (up, down, enter) = ui.input(|input| {
                (
                    input.key_pressed(Key::ArrowUp),
                    input.key_pressed(Key::ArrowDown),
                    input.key_pressed(Key::Enter),
                )
            });
            let label = ui.label("Command");
            let field = ui.add(TextEdit::singleline(&mut self.text).desired_width(f32::INFINITY));
            let field = field.labelled_by(label.id);
            field.request_focus();
            if field.changed() {
                self.chosen = 0;
            }
            let fitting = fitting(&self.text);
            let last = fitting.len().saturating_sub(1);
            self.chosen = (self.chosen + usize::from(down)).saturating_sub(usize::from(up)).min(last);
            let clicked = self.list_ui(ui, &fitting, up || down);
            let entered = fitting.get(self.chosen).filter(|_| enter).map(|info| info.action);
            clicked.or(entered)
        });
        match modal.inner {
            Some(action) => PaletteOutcome::Chosen(action),
            None if modal.should_close() => PaletteOutcome::Closed,
            None => PaletteOutcome::Open,
        }
    }

    fn list_ui(&self, ui: &mut Ui, fitting: &[&ActionInfo], moved: bool) -> Option<Action> {
        let mut clicked = None;
        ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
            for (index, info) in fitting.iter().enumerate() {
                let keys = keys_text(ui.ctx(), info);
                let text =
                    if keys.is_empty() { info.name.to_owned() } else { format!("{}   {keys}", info.name) };
                let row = ui.selectable_label(index == self.chosen, text);
                if moved && index == self.chosen {
                    row.scroll_to_me(None);
                }
                if row.clicked() {
                    clicked = Some(info.action);
                }
            }
            if fitting.is_empty() {
                ui.weak("No command has these words.");
            }
            ui.take_available_width();
        });
        clicked
    }
}

/// The actions that have all words of `text` in their name or group.
fn fitting(text: &str) -> Vec<&'static ActionInfo> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let fits = |info: &&ActionInfo| {
        let name = format!("{} {}", info.group, info.name).to_lowercase();
        words.iter().all(|word| name.contains(word.as_str()))
    };
    ACTIONS.iter().filter(fits).filter(|info| info.action != Action::Palette).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_finds_commands_by_their_words() {
        let names: Vec<&str> = fitting("export fig").iter().map(|info| info.name).collect();
        assert_eq!(names.len(), 4);
        assert_eq!(names[0], "Export heatmaps (Fig. 4, 6)...");
        assert!(fitting("xyzzy").is_empty());
        assert_eq!(fitting("").len(), ACTIONS.len() - 1);
    }
}
