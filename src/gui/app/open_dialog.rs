//! Asks for a path: to open data, to open a model, to write curves. A path
//! can be typed or picked in the system's dialog, which some desktops lack.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use eframe::egui::{self, Id, Key, Modal, RichText, Ui};

use crate::colormap::Colormap;
use crate::engine::facts::{
    BUILT_IN, DataSpec, Decoding, ModelSpec, PICTURE_ENDINGS, built_in_data, data_sentence, model_endings,
    model_sentence,
};
use crate::engine::training::{CurveExport, DataSource, TrainCommand};
use crate::engine::{
    Command, CompareCommand, EvaluateCommand, FolderListing, MeasureCommand, MeasurePage, SampleMeasure,
    ScatterCommand, Split,
};

use super::decoding::decoding_ui;
use crate::gui::memory::files::{FileWorker, FoundFile, NOTHING_PICKED, no_dialog};
use crate::gui::memory::openable::Openable;
use crate::gui::memory::recent::RecentFiles;
use crate::gui::paint::theme::{STEP, overlay_frame};
use crate::gui::widgets::listing::listing_ui;
use crate::gui::widgets::messages::error_ui;
use crate::paths;

/// File endings of figures.
const FIGURE_ENDINGS: [&str; 3] = ["pdf", "svg", "png"];

/// File endings of tables.
const TABLE_ENDINGS: [&str; 4] = ["csv", "json", "md", "tex"];

/// What the path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Data,
    Model,
    /// A model or a run to compare the open model with.
    Other,
    /// A picture to look for.
    Picture,
    /// Data for a run.
    TrainData,
    /// A run folder to look at.
    Run,
    /// Curves as a figure.
    Curves,
    /// A model to evaluate.
    EvaluatedModel,
    /// Data to evaluate on.
    EvaluatedData,
    /// A folder of results.
    Results,
    /// A table of results as a file.
    Table,
    /// Picked patches as a table.
    Picked,
    /// Points of a plane as a figure, numbers in these colours.
    Scatter(Colormap),
    /// A page of measures as a figure.
    Measures(MeasurePage),
}

impl Purpose {
    fn is_export(self) -> bool {
        matches!(
            self,
            Purpose::Curves | Purpose::Table | Purpose::Picked | Purpose::Scatter(_) | Purpose::Measures(_)
        )
    }

    /// Endings of what is written.
    fn endings(self) -> &'static [&'static str] {
        match self {
            Purpose::Curves | Purpose::Scatter(_) | Purpose::Measures(_) => &FIGURE_ENDINGS,
            Purpose::Table => &TABLE_ENDINGS,
            Purpose::Picked => &TABLE_ENDINGS[..1],
            _ => &[],
        }
    }
}

/// How a dialog ended.
pub enum Outcome {
    Cancelled,
    Confirmed(Command),
    TrainData(DataSource),
    EvaluatedModel(ModelSpec),
    EvaluatedData(DataSource),
    Run(PathBuf),
}

/// A dialog that is open.
#[derive(Clone)]
pub struct Dialog {
    purpose: Purpose,
    path: String,
    split: Option<Split>,
    decoding: Decoding,
    /// The curves to export.
    curves: Option<Box<CurveExport>>,
    /// A remark below the path: nothing picked, a file that would be replaced.
    note: String,
    /// Why the path could not be opened when it was tried last.
    error: Option<String>,
    /// The file that stands there already and that "Replace" would replace.
    replaces: Option<PathBuf>,
    /// A folder of the other machine, where files are those of one.
    listing: Option<FolderListing>,
    /// Set until the path field had the focus once.
    fresh: bool,
}

impl Dialog {
    /// A dialog with `path` typed already.
    pub fn new(purpose: Purpose, path: String) -> Self {
        let (note, decoding) = (String::new(), Decoding::default());
        Self {
            purpose,
            path,
            split: None,
            decoding,
            curves: None,
            note,
            error: None,
            replaces: None,
            listing: None,
            fresh: true,
        }
    }

    /// The same dialog once more, since what was asked for in it failed.
    pub fn again(self, error: String) -> Self {
        Self { error: Some(error), fresh: true, ..self }
    }

    /// A dialog to write curves into `folder`.
    pub fn export_curves(curves: CurveExport, folder: &Path) -> Self {
        let name = format!("{}.pdf", curves.title.replace(' ', "-"));
        let path = paths::to_words(&folder.join(name));
        Self { curves: Some(Box::new(curves)), ..Self::new(Purpose::Curves, path) }
    }

    /// A dialog to write the table of results into `folder`.
    pub fn export_results(folder: &Path) -> Self {
        Self::new(Purpose::Table, paths::to_words(&folder.join("results.md")))
    }

    /// A dialog to write picked patches into `folder`.
    pub fn export_picked(folder: &Path) -> Self {
        Self::new(Purpose::Picked, paths::to_words(&folder.join("picked.csv")))
    }

    /// A dialog to write the points of a plane into `folder`.
    pub fn export_scatter(colormap: Colormap, folder: &Path) -> Self {
        Self::new(Purpose::Scatter(colormap), paths::to_words(&folder.join("scatter.pdf")))
    }

    /// A dialog to write a page of measures into `folder`.
    pub fn export_measures(page: MeasurePage, folder: &Path) -> Self {
        let name = match page {
            MeasurePage::Image => "image-measures.pdf",
            MeasurePage::Sample(SampleMeasure::Geometry) => "geometry.pdf",
            MeasurePage::Sample(SampleMeasure::Locality) => "locality.pdf",
            MeasurePage::Sample(SampleMeasure::Cooccurrence) => "cooccurrence.pdf",
            MeasurePage::World => "toy-world.pdf",
        };
        Self::new(Purpose::Measures(page), paths::to_words(&folder.join(name)))
    }

    fn title(&self) -> &'static str {
        match self.purpose {
            Purpose::Data => "Open data",
            Purpose::Model => "Open model",
            Purpose::Other => "Compare with a model or a run",
            Purpose::Picture => "A picture as query",
            Purpose::TrainData => "Data for training",
            Purpose::Run => "Open a run folder",
            Purpose::Curves => "Export curves",
            Purpose::EvaluatedModel => "Add a model to evaluate",
            Purpose::EvaluatedData => "Data for evaluating",
            Purpose::Results => "Open results",
            Purpose::Table => "Export the table of results",
            Purpose::Picked => "Export the picked patches",
            Purpose::Scatter(_) => "Export the scatter of patches",
            Purpose::Measures(_) => "Export the measures",
        }
    }

    fn explanation(&self) -> Cow<'static, str> {
        let words = match self.purpose {
            Purpose::Data => {
                return format!("{} Or the folder of a bank, which opens with its images.", data_sentence())
                    .into();
            }
            Purpose::TrainData => return data_sentence().into(),
            Purpose::EvaluatedData => {
                return format!(
                    "{} Both splits are used; of a set of one split a part is held out.",
                    data_sentence()
                )
                .into();
            }
            Purpose::Results => {
                "The folder that this tab or bagssl eval --plan keeps its results in, finished or not."
            }
            Purpose::Table => {
                "The ending chooses the format: .csv, .json, .md (Markdown) or .tex (LaTeX, booktabs)."
            }
            Purpose::Picked => {
                "A row for each patch, the nearest to the middle first: image, place, class, where it lies on the plane, \
                 length of its vector."
            }
            Purpose::Model | Purpose::EvaluatedModel => return model_sentence().into(),
            Purpose::Other => {
                "A run folder of bagssl train, whose kept checkpoints can then be played one after the other, or a \
                 checkpoint (.safetensors)."
            }
            Purpose::Picture => {
                "One image file. All of it, resized to the network's square input, becomes the query; Shift and drag then \
                 add to it."
            }
            Purpose::Run => "A folder that bagssl train or this window made, finished or still growing.",
            Purpose::Curves | Purpose::Scatter(_) | Purpose::Measures(_) => {
                "The ending chooses the format: .pdf, .svg or .png. A .json beside the figure keeps \
                 what made it."
            }
        };
        words.into()
    }

    /// Takes in what a file thread found. A confirmed export comes back as an outcome.
    pub fn take_found(&mut self, found: &FoundFile) -> Option<Outcome> {
        match found {
            FoundFile::Picked(Some(path)) => self.take_path(path),
            FoundFile::Dropped(openable) => openable.path().into_iter().for_each(|path| self.take_path(path)),
            FoundFile::Listed(listing) => self.listing = Some(listing.clone()),
            FoundFile::Picked(None) => self.note = NOTHING_PICKED.to_owned(),
            FoundFile::NoDialog => self.error = Some(no_dialog().to_owned()),
            FoundFile::Exists { path, exists: false } if *path == self.typed_path() => {
                return self.confirmed();
            }
            FoundFile::Exists { path, exists: true } if *path == self.typed_path() => {
                self.note = "This file exists already.".to_owned();
                self.replaces = Some(path.clone());
            }
            FoundFile::Exists { .. }
            | FoundFile::FreeFolder(_)
            | FoundFile::FreeResults(_)
            | FoundFile::ResultsFolder(_)
            | FoundFile::Gone(_)
            | FoundFile::Font(_)
            | FoundFile::Pasted(_)
            | FoundFile::RunFolder(_)
            | FoundFile::DroppedHere(_)
            | FoundFile::KeptVectors(_) => {}
        }
        None
    }

    fn take_path(&mut self, path: &Path) {
        self.path = paths::to_words(path);
        self.note.clear();
        self.error = None;
        self.replaces = None;
    }

    fn typed_path(&self) -> PathBuf {
        paths::typed(&self.path)
    }

    /// Why "OK" is not possible, if it is not.
    fn obstacle(&self) -> Option<&'static str> {
        if self.path.trim().is_empty() {
            return Some("Type a path or browse for one.");
        }
        let ending = self.typed_path().extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let known = self.purpose.endings();
        let is_known = ending.is_some_and(|ending| known.contains(&ending.as_str()));
        (self.purpose.is_export() && !is_known).then_some(match self.purpose {
            Purpose::Table => "The name must end in .csv, .json, .md or .tex.",
            Purpose::Picked => "The name must end in .csv.",
            _ => "The name must end in .pdf, .svg or .png.",
        })
    }

    fn data_spec(&self) -> DataSpec {
        DataSpec::from(self.typed_path()).decoded_as(self.decoding)
    }

    fn confirmed(&self) -> Option<Outcome> {
        let spec = self.typed_path();
        Some(Outcome::Confirmed(match self.purpose {
            Purpose::Data => Command::OpenData { spec: self.data_spec(), split: self.split },
            Purpose::Model => Command::OpenModel { spec: spec.into() },
            Purpose::Other => Command::Compare(CompareCommand::OpenOther { spec: spec.into() }),
            Purpose::Picture => Command::OpenPicture { path: self.typed_path() },
            Purpose::Curves => {
                let (curves, path) = (self.curves.as_deref()?.clone(), self.typed_path());
                Command::Train(TrainCommand::ExportCurves { curves, path })
            }
            Purpose::TrainData => {
                return Some(Outcome::TrainData(DataSource { spec: self.data_spec(), split: self.split }));
            }
            Purpose::Run => return Some(Outcome::Run(self.typed_path())),
            Purpose::EvaluatedModel => return Some(Outcome::EvaluatedModel(spec.into())),
            Purpose::EvaluatedData => {
                return Some(Outcome::EvaluatedData(DataSource {
                    spec: self.data_spec(),
                    split: self.split,
                }));
            }
            Purpose::Results => Command::Evaluate(EvaluateCommand::Open(self.typed_path())),
            Purpose::Table => Command::Evaluate(EvaluateCommand::Export(self.typed_path())),
            Purpose::Picked => Command::Scatter(ScatterCommand::ExportPicked { path: self.typed_path() }),
            Purpose::Scatter(colormap) => {
                Command::Scatter(ScatterCommand::Export { colormap, path: self.typed_path() })
            }
            Purpose::Measures(page) => {
                Command::Measure(MeasureCommand::Export { page, path: self.typed_path() })
            }
        }))
    }

    /// What happens on "OK": an export first makes sure that nothing is replaced unasked.
    fn confirm(&self, files: &FileWorker) -> Option<Outcome> {
        if self.obstacle().is_some() {
            return None;
        }
        let path = self.typed_path();
        if self.purpose.is_export() && self.replaces.as_ref() != Some(&path) {
            files.ask_exists(path);
            return None;
        }
        self.confirmed()
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn dialog() -> Dialog {
        let curves = CurveExport {
            title: "loss".into(),
            x_label: "step".into(),
            y_label: "loss".into(),
            unit: String::new(),
            log_x: false,
            log_y: true,
            lines: vec![],
            notes: vec![],
        };
        Dialog::export_curves(curves, Path::new("out"))
    }

    #[test]
    fn a_figure_needs_a_known_ending() {
        let mut dialog = dialog();
        assert!(dialog.obstacle().is_none());
        dialog.path = "out/figure.docx".to_owned();
        assert!(dialog.obstacle().is_some());
    }

    #[test]
    fn a_typed_path_may_begin_at_home_and_a_drop_or_a_missing_dialog_is_taken_in() {
        let mut dialog = Dialog::new(Purpose::Data, "~/cifar".to_owned());
        let opened = dialog.confirmed();
        let home = std::env::home_dir().unwrap();
        assert!(matches!(
            opened, Some(Outcome::Confirmed(Command::OpenData { spec, .. })) if spec.path() == Some(home.join("cifar").as_path())
        ));
        dialog.take_found(&FoundFile::NoDialog);
        assert!(
            dialog.error.as_ref().is_some_and(|error| error.contains("drop the file")),
            "{:?}",
            dialog.error
        );
        dialog.take_found(&FoundFile::Dropped(Openable::at(Path::new("/some/folder"))));
        assert_eq!((dialog.path.as_str(), &dialog.error), ("/some/folder", &None));
        dialog.path = "demo".to_owned();
        assert!(matches!(
            dialog.confirmed(), Some(Outcome::Confirmed(Command::OpenData { spec, .. })) if spec.path().is_none()
        ));
    }

    #[test]
    fn a_file_that_exists_is_not_replaced_unasked() {
        let mut dialog = dialog();
        let path = dialog.typed_path();
        assert!(dialog.take_found(&FoundFile::Exists { path: path.clone(), exists: true }).is_none());
        assert_eq!(dialog.replaces, Some(path.clone()));
        let outcome = dialog.take_found(&FoundFile::Exists { path, exists: false });
        assert!(matches!(outcome, Some(Outcome::Confirmed(Command::Train(_)))));
    }
}
