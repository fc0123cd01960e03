//! How the dialog for a path is drawn: the path with its buttons, what was opened lately, what can be done.

use eframe::egui::{self, Id, Key, Modal, RichText, Ui};

use super::{Dialog, Outcome, Purpose};
use crate::engine::facts::{BUILT_IN, PICTURE_ENDINGS, built_in_data, model_endings};
use crate::engine::training::DataSource;
use crate::engine::{Command, CompareCommand, Split};
use crate::gui::app::decoding::decoding_ui;
use crate::gui::memory::files::FileWorker;
use crate::gui::memory::openable::Openable;
use crate::gui::memory::recent::RecentFiles;
use crate::gui::paint::theme::{STEP, overlay_frame};
use crate::gui::widgets::listing::listing_ui;
use crate::gui::widgets::messages::error_ui;
use crate::paths;

impl Dialog {
    /// Draws the dialog over everything else.
    pub fn ui(&mut self, ctx: &egui::Context, files: &FileWorker, recent: &RecentFiles) -> Option<Outcome> {
        let modal = Modal::new(Id::unique("path dialog")).frame(overlay_frame(ctx)).show(ctx, |ui| {
            ui.set_width(560.0_f32.min(ctx.content_rect().width() - 48.0));
            // In a window too low for it, it scrolls as a whole.
            let height = ctx.content_rect().height() - 48.0;
            // Else it would stay as low as it was when it held less, its buttons out of sight.
            let whole = egui::ScrollArea::vertical().max_height(height).min_scrolled_height(height);
            let whole = whole.auto_shrink([false, true]);
            whole.show(ui, |ui| self.body_ui(ui, files, recent)).inner
        });
        let is_closed = modal.should_close();
        modal.inner.or(is_closed.then_some(Outcome::Cancelled))
    }

    /// What stands in the dialog.
    fn body_ui(&mut self, ui: &mut Ui, files: &FileWorker, recent: &RecentFiles) -> Option<Outcome> {
        ui.label(RichText::new(self.title()).strong());
        ui.add_space(STEP / 2.0);
        ui.label(self.explanation());
        ui.add_space(STEP);
        let confirmed_by_key = self.path_ui(ui, files);
        let is_data = matches!(self.purpose, Purpose::Data | Purpose::TrainData | Purpose::EvaluatedData);
        let takes_split = is_data && self.purpose != Purpose::EvaluatedData;
        let confirmed_by_key = (takes_split && self.split_ui(ui)) || confirmed_by_key;
        if is_data {
            decoding_ui(ui, &mut self.decoding);
        }
        let room = (ui.ctx().content_rect().height() - 280.0).max(48.0);
        let list = egui::ScrollArea::vertical().max_height(room).min_scrolled_height(room);
        let again = list.show(ui, |ui| self.recent_ui(ui, recent)).inner;
        let obstacle = self.obstacle();
        match &self.error {
            Some(error) => error_ui(ui, error),
            None => drop(ui.label(RichText::new(obstacle.unwrap_or(&self.note)).weak())),
        }
        ui.add_space(STEP);
        self.buttons_ui(ui, files, obstacle.is_none(), confirmed_by_key).or(again)
    }

    /// The path and its "Browse" buttons. Returns whether Enter was pressed in it.
    fn path_ui(&mut self, ui: &mut Ui, files: &FileWorker) -> bool {
        let label = ui.label("Path");
        let field = ui.add(egui::TextEdit::singleline(&mut self.path).desired_width(f32::INFINITY));
        let field = field.labelled_by(label.id);
        if std::mem::take(&mut self.fresh) {
            field.request_focus();
            if files.are_far() {
                files.list(self.typed_path());
            }
        }
        if field.changed() {
            self.note.clear();
            self.error = None;
        }
        if files.are_far() {
            self.far_ui(ui, files);
        } else {
            self.browse_ui(ui, files);
        }
        field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter))
    }

    /// What stands beside the path where files are those of another machine: the folder there.
    fn far_ui(&mut self, ui: &mut Ui, files: &FileWorker) {
        self.built_in_ui(ui);
        let listed = self.listing.as_ref().map(|listing| listing_ui(ui, listing));
        let Some(Some(path)) = listed else { return };
        self.take_path(&path);
        files.list(path);
    }

    /// What is built in, where that can be opened.
    fn built_in_ui(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| match self.purpose {
            Purpose::Data | Purpose::TrainData | Purpose::EvaluatedData => {
                for word in built_in_data() {
                    if ui.button("Built-in set").clicked() {
                        self.path = word.to_owned();
                    }
                }
            }
            Purpose::Model | Purpose::Other | Purpose::EvaluatedModel => {
                for model in &BUILT_IN {
                    if ui.button(model.name).on_hover_text(format!("Built in: {}", model.about)).clicked() {
                        self.path = model.name.to_owned();
                    }
                }
            }
            _ => {}
        });
    }

    /// The buttons that open the system's dialogs.
    fn browse_ui(&mut self, ui: &mut Ui, files: &FileWorker) {
        ui.horizontal_wrapped(|ui| match self.purpose {
            Purpose::Data | Purpose::TrainData | Purpose::EvaluatedData => {
                if ui.button("Browse for a folder...").clicked() {
                    files.pick_folder("Open a folder of images");
                }
                if ui.button("Browse for a file...").clicked() {
                    files.pick_file("Open an image", &PICTURE_ENDINGS);
                }
                self.built_in_ui(ui);
            }
            Purpose::Model | Purpose::Other | Purpose::EvaluatedModel => {
                if ui.button("Browse for a checkpoint...").clicked() {
                    files.pick_file("Open a checkpoint", model_endings());
                }
                if ui.button("Browse for a run folder...").clicked() {
                    files.pick_folder("Open a run folder");
                }
                self.built_in_ui(ui);
            }
            Purpose::Picture => {
                if ui.button("Browse for a file...").clicked() {
                    files.pick_file(self.title(), &PICTURE_ENDINGS);
                }
            }
            Purpose::Run => {
                if ui.button("Browse for a run folder...").clicked() {
                    files.pick_folder("Open a run folder");
                }
            }
            Purpose::Results => {
                if ui.button("Browse for a results folder...").clicked() {
                    files.pick_folder("Open a results folder");
                }
            }
            Purpose::Curves
            | Purpose::Table
            | Purpose::Picked
            | Purpose::Scatter(_)
            | Purpose::Measures(_) => {
                if ui.button("Browse...").clicked() {
                    files.pick_save(self.title(), self.typed_path());
                }
                for &ending in self.purpose.endings() {
                    let chosen = self.typed_path().extension().is_some_and(|now| now == ending);
                    if ui.selectable_label(chosen, ending.to_uppercase()).clicked() {
                        self.path = paths::to_words(&self.typed_path().with_extension(ending));
                    }
                }
            }
        });
    }

    /// What was opened lately of the same kind; a click opens it again.
    fn recent_ui(&mut self, ui: &mut Ui, recent: &RecentFiles) -> Option<Outcome> {
        let kinds = match self.purpose {
            Purpose::Data | Purpose::TrainData | Purpose::EvaluatedData => &["data"][..],
            Purpose::Model => &["model"],
            Purpose::Other | Purpose::EvaluatedModel => &["model", "run"],
            Purpose::Run => &["run"],
            Purpose::Curves
            | Purpose::Picture
            | Purpose::Results
            | Purpose::Table
            | Purpose::Picked
            | Purpose::Scatter(_)
            | Purpose::Measures(_) => {
                return None;
            }
        };
        let mut chosen = None;
        for (index, file) in recent.list().iter().filter(|file| kinds.contains(&file.kind())).enumerate() {
            if index == 0 {
                ui.add_space(STEP / 2.0);
                ui.label(RichText::new("Opened lately").weak());
            }
            let is_gone = recent.is_gone(file);
            let gone = if is_gone { "  (not there any more)" } else { "" };
            let row = egui::Button::new(format!("{}{gone}", file.title())).truncate();
            if ui.add_enabled(!is_gone, row).clicked() {
                chosen = Some(file.clone());
            }
        }
        Some(match chosen? {
            Openable::Data(source) if self.purpose == Purpose::TrainData => Outcome::TrainData(source),
            Openable::Data(source) if self.purpose == Purpose::EvaluatedData => {
                Outcome::EvaluatedData(source)
            }
            Openable::Model(spec) if self.purpose == Purpose::EvaluatedModel => Outcome::EvaluatedModel(spec),
            Openable::Run(path) if self.purpose == Purpose::EvaluatedModel => {
                Outcome::EvaluatedModel(path.into())
            }
            Openable::Data(DataSource { spec, split }) => {
                Outcome::Confirmed(Command::OpenData { spec, split })
            }
            Openable::Model(spec) if self.purpose == Purpose::Other => {
                Outcome::Confirmed(Command::Compare(CompareCommand::OpenOther { spec }))
            }
            Openable::Run(path) if self.purpose == Purpose::Other => {
                let spec = path.into();
                Outcome::Confirmed(Command::Compare(CompareCommand::OpenOther { spec }))
            }
            Openable::Model(spec) => Outcome::Confirmed(Command::OpenModel { spec }),
            Openable::Run(path) => Outcome::Run(path),
        })
    }

    /// The split. Returns whether Enter was pressed in it, or where nothing listens to keys, as after a click here.
    fn split_ui(&mut self, ui: &mut Ui) -> bool {
        let row = ui.horizontal(|ui| {
            ui.label("Split, where there are two:");
            let choices = [
                (None, "default"),
                (Some(Split::Train), "train"),
                (Some(Split::Test), "test"),
                (Some(Split::All), "both"),
            ];
            choices.map(|(split, name)| {
                let radio = ui.radio_value(&mut self.split, split, name);
                let has_focus = radio.has_focus();
                if split == Some(Split::All) {
                    radio.on_hover_text("Evenly mixed. The galleries can then leave out one of them.");
                }
                has_focus
            })
        });
        let listens = ui.memory(|memory| memory.focused().is_none()) || row.inner.contains(&true);
        listens && ui.input(|input| input.key_pressed(Key::Enter))
    }

    fn buttons_ui(&mut self, ui: &mut Ui, files: &FileWorker, can: bool, by_key: bool) -> Option<Outcome> {
        let name = match self.purpose {
            _ if self.purpose.is_export() && self.replaces.as_deref() == Some(&self.typed_path()) => {
                "Replace"
            }
            Purpose::Curves
            | Purpose::Table
            | Purpose::Picked
            | Purpose::Scatter(_)
            | Purpose::Measures(_) => "Export",
            Purpose::EvaluatedModel => "Add",
            Purpose::TrainData | Purpose::Picture | Purpose::EvaluatedData => "Use",
            Purpose::Data | Purpose::Model | Purpose::Other | Purpose::Run | Purpose::Results => "Open",
        };
        ui.horizontal(|ui| {
            if ui.add_enabled(can, egui::Button::new(name)).clicked() || by_key {
                return self.confirm(files);
            }
            ui.button("Cancel").clicked().then_some(Outcome::Cancelled)
        })
        .inner
    }
}
