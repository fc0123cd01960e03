//! Asks for a path: to open data, to open a model, to write curves. A path
//! can be typed or picked in the system's dialog, which some desktops lack.

mod drawing;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::colormap::Colormap;
use crate::engine::facts::{DataSpec, Decoding, ModelSpec, data_sentence, model_sentence};
use crate::engine::training::{CurveExport, DataSource, TrainCommand};
use crate::engine::{
    Command, CompareCommand, EvaluateCommand, FolderListing, MeasureCommand, MeasurePage, SampleMeasure,
    ScatterCommand, Split,
};

use crate::gui::memory::files::{FileWorker, FoundFile, NOTHING_PICKED, no_dialog};
use crate::paths;

/// File endings of figures.
const FIGURE_ENDINGS: [&str; 3] = ["pdf", "svg", "png"];

/// File endings of tables.
const RESULT_ENDINGS: [&str; 7] = ["csv", "json", "md", "tex", "pdf", "svg", "png"];

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
    /// Results as a file: a table, or bars.
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
            Purpose::Table => &RESULT_ENDINGS,
            Purpose::Picked => &RESULT_ENDINGS[..1],
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
            Purpose::Table => "Export the results",
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
                "The ending chooses the format: a table as .csv, .json, .md (Markdown) or .tex (LaTeX, booktabs), its \
                 accuracies as bars (Figure 2) as .pdf, .svg or .png."
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
            Purpose::Table => "The name must end in .csv, .json, .md, .tex, .pdf, .svg or .png.",
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::memory::openable::Openable;

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
