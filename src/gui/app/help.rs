//! The list of keys (F1) and the palette of commands (Ctrl+P), both from the one table.

use eframe::egui::{Context, Grid, Id, Key, Modal, RichText, ScrollArea, TextEdit, Ui};

use crate::gui::memory::link::{LINK_START, Link};
use crate::gui::memory::openable::Openable;
use crate::gui::memory::recent::RecentFiles;
use crate::gui::nouns::actions::{ACTIONS, Action, ActionInfo, MOUSE, keys_text};
use crate::gui::paint::theme::{STEP, overlay_frame};

/// Width of one column of the list of keys, points.
const COLUMN: f32 = 400.0;
/// Height of the list of the palette, points.
const PALETTE: f32 = 320.0;

/// The list of keys while it is open.
#[derive(Default)]
pub struct KeysList {
    text: String,
    /// Whether the keyboard was put into the search.
    had_focus: bool,
}

impl KeysList {
    /// Draws the list of keys, those that have all words of what is typed. Returns whether it is to be closed.
    pub fn ui(&mut self, ctx: &Context) -> bool {
        let modal = Modal::new(Id::unique("keys")).frame(overlay_frame(ctx)).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 96.0).min(960.0));
            ui.horizontal(|ui| {
                let label = ui.label(RichText::new("Keys").strong());
                let field = TextEdit::singleline(&mut self.text).hint_text("Search").desired_width(240.0);
                let field = ui.add(field).labelled_by(label.id);
                if !std::mem::replace(&mut self.had_focus, true) {
                    field.request_focus();
                }
            });
            ui.add_space(STEP);
            let height = (ctx.content_rect().height() - 140.0).max(120.0);
            // Sideways in a window narrower than a column.
            let list = ScrollArea::both().max_height(height).min_scrolled_height(height);
            list.auto_shrink(false).show(ui, |ui| self.list_ui(ui));
            ui.add_space(STEP);
            ui.button("Close").clicked()
        });
        modal.inner || modal.should_close()
    }

    fn list_ui(&self, ui: &mut Ui) {
        let words = lower_words(&self.text);
        let (actions, mouse) = (found_actions(ui.ctx(), &words), found_mouse(&words));
        if actions.is_empty() && mouse.is_empty() {
            ui.weak("No key has these words.");
        }
        let last = usize::from(ui.available_width() >= 2.0 * COLUMN);
        ui.columns(last + 1, |columns| {
            for (group, column) in groups_in_columns() {
                let found = actions.iter().filter(|info| info.group == group);
                group_ui(&mut columns[column.min(last)], group, &found.copied().collect::<Vec<_>>());
            }
            mouse_ui(&mut columns[last], &mouse);
        });
    }
}

fn lower_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

/// Whether all `words`, in small letters, are in `text`.
fn has_words(words: &[String], text: &str) -> bool {
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}

/// The actions that have all words in their group, name or keys.
fn found_actions(ctx: &Context, words: &[String]) -> Vec<&'static ActionInfo> {
    let text = |info: &ActionInfo| format!("{} {} {}", info.group, info.name, keys_text(ctx, info));
    ACTIONS.iter().filter(|info| has_words(words, &text(info))).collect()
}

/// What the mouse does that has all words.
fn found_mouse(words: &[String]) -> Vec<(&'static str, &'static str)> {
    MOUSE.iter().copied().filter(|(what, how)| has_words(words, &format!("mouse {what} {how}"))).collect()
}

/// All groups of the table in its order, each with its column: the first takes half of all lines.
fn groups_in_columns() -> Vec<(&'static str, usize)> {
    let mut groups: Vec<(&str, usize)> = vec![];
    let whole = ACTIONS.len() + MOUSE.len();
    for (index, info) in ACTIONS.iter().enumerate() {
        if !groups.iter().any(|(group, _)| *group == info.group) {
            groups.push((info.group, usize::from(2 * index >= whole)));
        }
    }
    groups
}

fn group_ui(ui: &mut Ui, group: &str, actions: &[&ActionInfo]) {
    if actions.is_empty() {
        return;
    }
    ui.label(RichText::new(group).weak());
    Grid::new(group).num_columns(2).show(ui, |ui| {
        for info in actions {
            ui.label(info.name.trim_end_matches('.'));
            ui.label(RichText::new(keys_text(ui.ctx(), info)).monospace());
            ui.end_row();
        }
    });
    ui.add_space(STEP);
}

fn mouse_ui(ui: &mut Ui, gestures: &[(&str, &str)]) {
    if gestures.is_empty() {
        return;
    }
    ui.label(RichText::new("Mouse").weak());
    for (what, how) in gestures {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(*how).monospace());
            ui.label(*what);
        });
    }
}

/// What can be chosen in the palette.
#[derive(Clone, Debug, PartialEq)]
pub enum PaletteChoice {
    Action(Action),
    /// Opens something again.
    Open(Openable),
    /// Restores what a link says.
    Link(Box<Link>),
}

/// A row of the palette.
struct PaletteRow {
    name: String,
    keys: String,
    choice: PaletteChoice,
}

/// The palette while it is open.
#[derive(Default)]
pub struct CommandPalette {
    text: String,
    chosen: usize,
}

impl CommandPalette {
    /// With something typed already.
    pub fn with_text(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }
}

/// What came of the palette in a frame.
pub enum PaletteOutcome {
    Open,
    Closed,
    Chosen(PaletteChoice),
}

impl CommandPalette {
    /// Draws the palette over everything else.
    pub fn ui(&mut self, ctx: &Context, recent: &RecentFiles) -> PaletteOutcome {
        let modal = Modal::new(Id::unique("palette")).frame(overlay_frame(ctx)).show(ctx, |ui| {
            ui.set_width((ctx.content_rect().width() - 48.0).min(400.0));
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
                // A whole link pasted behind the start that stands there already.
                let doubled = format!("{LINK_START}{LINK_START}");
                if let Some(rest) = self.text.strip_prefix(&doubled) {
                    self.text = format!("{LINK_START}{rest}");
                }
            }
            let fitting = fitting(ui.ctx(), &self.text, recent);
            let last = fitting.len().saturating_sub(1);
            self.chosen = (self.chosen + usize::from(down)).saturating_sub(usize::from(up)).min(last);
            let clicked = self.list_ui(ui, &fitting, up || down || field.changed());
            let entered = fitting.get(self.chosen).filter(|_| enter).map(|row| row.choice.clone());
            clicked.or(entered)
        });
        match modal.inner {
            Some(choice) => PaletteOutcome::Chosen(choice),
            None if modal.should_close() => PaletteOutcome::Closed,
            None => PaletteOutcome::Open,
        }
    }

    /// Why there is nothing to choose.
    fn remark(&self) -> String {
        match self.text.parse::<Link>() {
            _ if self.text.trim() == LINK_START => "Paste a link here; it begins with bagssl:1?".to_owned(),
            Err(error) if Link::is_meant(&self.text) => format!("This link cannot be opened: {error:#}."),
            _ => "No command has these words.".to_owned(),
        }
    }

    fn list_ui(&self, ui: &mut Ui, fitting: &[PaletteRow], moved: bool) -> Option<PaletteChoice> {
        let mut clicked = None;
        // As high as it was before a search left nothing.
        let height = PALETTE.min(ui.ctx().content_rect().height() - 160.0).max(64.0);
        let list = ScrollArea::vertical().max_height(height).min_scrolled_height(height);
        list.show(ui, |ui| {
            for (index, PaletteRow { name, keys, choice }) in fitting.iter().enumerate() {
                let text = if keys.is_empty() { name.clone() } else { format!("{name}   {keys}") };
                let row = ui.selectable_label(index == self.chosen, text);
                if moved && index == self.chosen {
                    row.scroll_to_me(None);
                }
                if row.clicked() {
                    clicked = Some(choice.clone());
                }
            }
            if fitting.is_empty() {
                ui.weak(self.remark());
            }
            ui.take_available_width();
        });
        clicked
    }
}

/// The actions and the files opened lately that have all words of `text` in their name or group.
fn fitting(ctx: &Context, text: &str, recent: &RecentFiles) -> Vec<PaletteRow> {
    if Link::is_meant(text) {
        let link = text.parse::<Link>().ok();
        let row = |link| PaletteRow {
            name: "Open this link".to_owned(),
            keys: String::new(),
            choice: PaletteChoice::Link(Box::new(link)),
        };
        return link.map(row).into_iter().collect();
    }
    let words = lower_words(text);
    let fits = |group: &str, name: &str| has_words(&words, &format!("{group} {name}"));
    let actions = ACTIONS.iter().filter(|info| info.action != Action::Palette);
    let actions = actions.filter(|info| fits(info.group, info.name)).map(|info| PaletteRow {
        name: info.name.to_owned(),
        keys: keys_text(ctx, info),
        choice: PaletteChoice::Action(info.action),
    });
    let files = recent.list().iter().map(|file| {
        let gone = if recent.is_gone(file) { " (not there any more)" } else { "" };
        let name = format!("Open {} again: {}{gone}", file.kind(), file.title());
        PaletteRow { name, keys: String::new(), choice: PaletteChoice::Open(file.clone()) }
    });
    actions.chain(files.filter(|row| fits("Files recent", &row.name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_on_the_list_of_keys() {
        let groups = groups_in_columns();
        for info in ACTIONS.iter() {
            assert_eq!(groups.iter().filter(|(group, _)| *group == info.group).count(), 1, "{}", info.name);
        }
        assert!(groups.is_sorted_by_key(|(_, column)| column) && groups.last().unwrap().1 == 1);
    }

    #[test]
    fn the_palette_finds_commands_by_their_words() {
        let ctx = Context::default();
        let mut recent = RecentFiles::default();
        let names = |text: &str, recent: &RecentFiles| -> Vec<String> {
            fitting(&ctx, text, recent).into_iter().map(|row| row.name).collect()
        };
        let exports = names("export fig", &recent);
        assert_eq!(exports.len(), 10);
        assert_eq!(exports[0], "Export heatmaps (Fig. 4, 6)...");
        assert!(names("xyzzy", &recent).is_empty());
        assert_eq!(names("bagssl:1?image=3", &recent), ["Open this link"]);
        assert!(names("bagssl:1?image=x", &recent).is_empty());
        assert!(CommandPalette::with_text("bagssl:1?image=x").remark().contains("expected a whole number"));
        assert_eq!(names("", &recent).len(), ACTIONS.len() - 1);
        recent.note(Openable::Run("/runs/first".into()));
        assert_eq!(names("recent first", &recent), ["Open run again: /runs/first"]);
        recent.set_gone(recent.paths());
        assert_eq!(names("open again", &recent), ["Open run again: /runs/first (not there any more)"]);
    }
}
