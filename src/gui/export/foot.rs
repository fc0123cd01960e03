//! Below options and preview: the file, what came of the last try, and the buttons.

use eframe::egui::{Button, Key, RichText, TextEdit, Ui};

use crate::engine::{Command, FigureCommand, FigureRequest};
use crate::gui::desk::Desk;
use crate::gui::memory::files::FileWorker;
use crate::gui::paint::theme;

use super::{ExportDialog, ExportState};

impl ExportDialog {
    /// Path and buttons. Returns whether "Cancel" was pressed.
    pub(super) fn foot_ui(
        &mut self,
        ui: &mut Ui,
        desk: &Desk,
        files: &FileWorker,
        request: Option<FigureRequest>,
    ) -> bool {
        let entered = self.path_ui(ui, files);
        self.note_ui(ui);
        let is_free = request.is_some() && self.state != ExportState::Writing;
        ui.horizontal(|ui| {
            let name = match &self.state {
                ExportState::Replaces(path) if *path == self.typed_path() => "Replace",
                _ => "Export",
            };
            let export = ui.add_enabled(is_free, Button::new(name)).on_hover_text("Enter");
            let nothing_focused = ui.memory(|memory| memory.focused().is_none());
            let by_key = nothing_focused && ui.input(|input| input.key_pressed(Key::Enter));
            if export.clicked() || entered || by_key {
                self.confirm(desk, files);
            }
            if let Some(request) = request {
                self.copy_ui(ui, desk, request);
            }
            ui.button("Cancel").on_hover_text("Esc").clicked()
        })
        .inner
    }

    fn copy_ui(&mut self, ui: &mut Ui, desk: &Desk, request: FigureRequest) {
        let image = ui.button("Copy image");
        let dpi = self.choices.dpi;
        if image.on_hover_text(format!("Puts the figure on the clipboard, {dpi} pixels per inch.")).clicked()
        {
            desk.session.send(Command::Figure(FigureCommand::CopyImage(request.clone())));
        }
        let caption = ui.button("Copy caption");
        let words = desk.session.snapshot().views.figure.as_ref().and_then(|view| view.page.clone());
        let words = words.map_or_else(|| "The caption, as LaTeX.".into(), |page| page.caption.clone());
        if caption.on_hover_text(words).clicked() {
            desk.session.send(Command::Figure(FigureCommand::CopyCaption(request)));
        }
    }

    /// The path and what belongs to it. Returns whether Enter was pressed in it.
    fn path_ui(&mut self, ui: &mut Ui, files: &FileWorker) -> bool {
        ui.horizontal(|ui| {
            let label = ui.label("File");
            let width = (ui.available_width() - 250.0).max(160.0);
            let field = ui.add(TextEdit::singleline(&mut self.path).desired_width(width));
            let field = field.labelled_by(label.id);
            if std::mem::take(&mut self.is_fresh) {
                field.request_focus();
            }
            if field.changed() {
                self.state = ExportState::Choosing;
            }
            if ui.button("Browse...").clicked() {
                files.pick_save("Export a figure", self.typed_path());
            }
            let explanation =
                "Also writes the caption beside the figure: a LaTeX figure environment in a .tex file.";
            ui.checkbox(&mut self.choices.caption, "Caption file (.tex)").on_hover_text(explanation);
            field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter))
        })
        .inner
    }

    fn note_ui(&self, ui: &mut Ui) {
        let dark = ui.visuals().dark_mode;
        match &self.state {
            ExportState::Choosing => {
                ui.weak("A .json beside the figure keeps what made it: the same bytes come of it again.");
            }
            ExportState::Replaces(_) => drop(ui.weak("This file exists already.")),
            ExportState::Writing => drop(ui.weak("Writing the figure...")),
            ExportState::Noted(note) => drop(ui.weak(note)),
            ExportState::Failed(error) => {
                ui.label(RichText::new(format!("Not done: {error}")).color(theme::error(dark).0));
            }
        }
    }
}
