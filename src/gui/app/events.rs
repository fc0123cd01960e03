//! What the engine and the files say, taken in.

use std::path::Path;

use eframe::egui::Context;

use crate::engine::defaults::PatchFault;
use crate::engine::training::DataSource;
use crate::engine::training::{TrainCommand, TrainEvent};
use crate::engine::{
    ABOUT_GALLERIES, ABOUT_MAPS, Command, EvaluateCommand, Event, FigureEvent, MeasureCommand,
    ScatterCommand, Source, about,
};

use super::{App, Overlay};
use crate::gui::app::open_dialog::Outcome;
use crate::gui::app::past::past_of;
use crate::gui::desk::undo::Undo;
use crate::gui::export;
use crate::gui::memory::files::{FoundFile, no_dialog};
use crate::gui::memory::openable::Openable;
use crate::gui::nouns::Tab;
use crate::gui::widgets::notices::Past;
use crate::paths;

impl App {
    pub(super) fn take_events(&mut self, ctx: &Context) {
        for event in self.desk.session.poll() {
            match event {
                Event::Failed { about, message } => self.take_failure(about, message),
                Event::Figure(event) => self.take_figure(ctx, &event),
                Event::SourceImage { data, index, size, image } => {
                    self.desk.sources.insert(data, index, size, image);
                }
                Event::Thumbnail { data, index, image } => self.thumbnails.insert(ctx, data, index, &image),
                Event::NoThumbnail { data, index, message } => {
                    self.desk.sources.lose(data, index);
                    self.thumbnails.mark_unreadable(data, index, message);
                }
                Event::ResultsOpened => {
                    self.tried = None;
                    self.notices.forget(Past::Open);
                }
                Event::ResultsSaved { path } => {
                    self.tried = None;
                    self.notices.done("Results saved", path.display().to_string());
                }
                Event::TableSaved { path } => self.notices.done("Table saved", path.display().to_string()),
                Event::Train(event) => {
                    self.closing.take_event(&event);
                    if let TrainEvent::DataSeen { source, found } = &event {
                        self.evaluate.take_seen(source, found);
                    }
                    self.train.take_event(event, &mut self.notices, &self.files);
                }
                Event::QueryPicture { data, query, image } => {
                    self.desk.pins.take_picture(data, &query, image)
                }
                Event::Files(answer) => self.files.take_answer(answer),
                Event::Picture(picture) => {
                    self.tried = None;
                    self.desk.tab = Tab::Explore;
                    self.desk.session.go_to(Source::Outside(picture));
                }
                Event::ModelOpened => {
                    self.tried = None;
                    self.notices.forget(Past::Model);
                    self.undo = Undo::default();
                    self.note_model();
                    self.refresh_export();
                }
                Event::BankOpened { folder } => {
                    let source = DataSource { spec: folder.into(), split: None };
                    self.desk.settings.recent.note(Openable::Data(source));
                }
                Event::DataOpened => {
                    self.tried = None;
                    self.notices.forget(Past::Data);
                    self.undo = Undo::default();
                    self.note_data();
                    self.restore();
                    self.refresh_export();
                }
            }
        }
    }

    /// Says what failed where it was asked for: in the dialog, which comes back with what was typed; below the fields
    /// of the patches, where these are at fault.
    fn take_failure(&mut self, about: String, message: String) {
        match self.tried.take() {
            Some((dialog, tried)) if tried == about && matches!(self.overlay, Overlay::None) => {
                self.show_overlay(Overlay::Dialog(dialog.again(message)));
            }
            tried => {
                self.tried = tried;
                let is_at_field = match self.desk.patch_fault() {
                    Some(PatchFault::TooLarge { .. }) if about == ABOUT_GALLERIES => true,
                    fault => fault.is_some() && ABOUT_MAPS.contains(&about.as_str()),
                };
                if is_at_field && is_of_patches(&message) {
                    return;
                }
                self.notices.error_until(past_of(&about), about, message);
            }
        }
    }

    pub(super) fn take_figure(&mut self, ctx: &Context, event: &FigureEvent) {
        let dialog = match &mut self.overlay {
            Overlay::Export(dialog) => Some(dialog),
            _ => None,
        };
        export::take_event(ctx, event, &mut self.notices, dialog.is_some());
        if dialog.is_some_and(|dialog| dialog.take_event(event)) {
            self.close_export();
        }
    }

    pub(super) fn close_export(&mut self) {
        if let Overlay::Export(dialog) = std::mem::take(&mut self.overlay) {
            dialog.close(&mut self.desk);
        }
    }

    /// Another model or data set: an open export dialog offers what it allows.
    pub(super) fn refresh_export(&mut self) {
        if let Overlay::Export(dialog) = &mut self.overlay {
            dialog.refresh(&self.desk);
        }
    }

    pub(super) fn note_model(&mut self) {
        let source = self.desk.session.snapshot().model_source.clone();
        source.into_iter().for_each(|spec| self.desk.settings.recent.note(Openable::Model((*spec).clone())));
    }

    pub(super) fn note_data(&mut self) {
        let source = self.desk.session.snapshot().data_source.clone();
        source
            .into_iter()
            .for_each(|source| self.desk.settings.recent.note(Openable::Data((*source).clone())));
    }

    pub(super) fn take_files(&mut self, ctx: &Context) {
        for found in self.files.drain() {
            match (&found, &self.overlay) {
                (FoundFile::Dropped(_), Overlay::Dialog(_)) => {}
                (FoundFile::Dropped(openable), _) => self.open_again(openable.clone()),
                (FoundFile::NoDialog, Overlay::None) => {
                    self.notices.error("Browse".into(), no_dialog().into())
                }
                (FoundFile::DroppedHere(path), _) => self.refuse_dropped(path),
                _ => {}
            }
            self.train.take_found(&found);
            self.evaluate.take_found(&found);
            if let FoundFile::Pasted(image) = found {
                self.look_for_pasted(image);
                continue;
            }
            if let Overlay::Export(dialog) = &mut self.overlay {
                dialog.take_found(&found, &self.desk);
            }
            if let FoundFile::Gone(gone) = &found {
                self.desk.settings.recent.set_gone(gone.clone());
            }
            if let Overlay::Vectors(dialog) = &mut self.overlay {
                dialog.take_found(&found);
            }
            if let Overlay::Dialog(dialog) = &mut self.overlay
                && let Some(outcome) = dialog.take_found(&found)
            {
                self.end_dialog(outcome);
            }
        }
        let dropped: Vec<_> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect());
        for path in dropped {
            self.files.look_at_dropped(path);
        }
    }

    /// Says that what was dropped lies on the wrong machine.
    fn refuse_dropped(&mut self, path: &Path) {
        let host =
            self.desk.session.snapshot().link.as_ref().map_or_else(String::new, |link| link.host.clone());
        let words = format!(
            "{} lies on this machine; the engine works on {host} and reads what lies there. Copy it there and open it by \
             its path, or paste a picture to look for it",
            path.display()
        );
        self.notices.error("What was dropped".into(), words);
    }

    pub(super) fn end_dialog(&mut self, outcome: Outcome) {
        let dialog = std::mem::take(&mut self.overlay);
        self.tried = None;
        match outcome {
            Outcome::Cancelled => {}
            Outcome::TrainData(source) => self.train.set_data(&self.desk, source),
            Outcome::EvaluatedModel(spec) => self.evaluate.add_model(&self.desk, spec),
            Outcome::EvaluatedData(source) => self.evaluate.set_data(&self.desk, source),
            Outcome::Run(path) => self.open_run(path),
            Outcome::Confirmed(command) => {
                if let Command::Train(TrainCommand::ExportCurves { path, .. })
                | Command::Measure(MeasureCommand::Export { path, .. })
                | Command::Scatter(
                    ScatterCommand::ExportPicked { path } | ScatterCommand::Export { path, .. },
                ) = &command
                {
                    let folder = path.parent().map_or(String::new(), paths::to_words);
                    self.desk.settings.export_folder = folder;
                } else if let Overlay::Dialog(dialog) = dialog {
                    if let Command::Evaluate(EvaluateCommand::Export(path)) = &command {
                        let folder = path.parent().map_or(String::new(), paths::to_words);
                        self.desk.settings.export_folder = folder;
                    }
                    self.tried = Some((dialog, about(&command)));
                }
                self.desk.session.send(command);
            }
        }
    }
}

/// Whether a failure is what the fields of the patches say already; others have the same occasion.
fn is_of_patches(message: &str) -> bool {
    let of_size = ["does not fit on", "fits on any of"];
    of_size.iter().any(|words| message.contains(words)) || message.starts_with("stride ")
}
