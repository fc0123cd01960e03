//! The Train tab: a form for a new run on the left; runs, curves and pinned patches beside it.

mod active;
mod axis;
mod budget;
pub mod closing;
mod curves;
mod editor;
mod fields;
mod form;
mod heading;
mod icons;
mod metrics;
pub mod named;
mod pins;
pub mod plotting;
mod runs;
pub mod shown;
pub mod smooth;
mod spectrum;
pub mod strip;
mod tree;
pub mod words;

use std::path::PathBuf;

use eframe::egui::{CentralPanel, Frame, Margin, Panel, ScrollArea, Ui};

use self::curves::Curves;
use self::form::NewRun;
use self::pins::TrainPins;
use self::runs::RunList;
use crate::engine::Command;
use crate::engine::training::{
    CurveExport, DataSource, Drawing, Phase, Pin, TrainCommand, TrainEvent, TrainTask,
};
use crate::gui::desk::Desk;
use crate::gui::memory::files::{FileWorker, FoundFile};
use crate::gui::nouns::actions::Action;
use crate::gui::paint::theme::STEP;
use crate::gui::widgets::notices::{Notices, Past};

/// Height of the strip of pinned patches, points.
const PINS_HEIGHT: f32 = 224.0;
/// The least of it, points.
const PINS_LEAST: f32 = 40.0;

/// The tab's own state.
pub struct TrainTab {
    form: NewRun,
    curves: Curves,
    pins: TrainPins,
    runs: RunList,
    /// Curves that wait for a path.
    export: Option<CurveExport>,
    told: Option<Drawing>,
    /// Whether the processor draws, not a GPU.
    is_software: bool,
    next_pin: u64,
}

impl TrainTab {
    pub fn new(files: &FileWorker, is_software: bool) -> Self {
        Self {
            form: NewRun::new(files),
            curves: Curves::default(),
            pins: TrainPins::default(),
            runs: RunList::default(),
            export: None,
            told: None,
            is_software,
            next_pin: 0,
        }
    }

    /// Takes in a fact; what went wrong is shown where it was asked.
    pub fn take_event(&mut self, event: TrainEvent, notices: &mut Notices, files: &FileWorker) {
        match event {
            TrainEvent::Started { run } => {
                notices.forget(Past::Training);
                self.runs.begin(&run);
                self.form.take_start(None, files);
            }
            TrainEvent::DataSeen { source, found } => self.form.take_seen(&source, &found),
            TrainEvent::CheckpointSaved { .. } => {}
            TrainEvent::Stopped { run, step } => {
                notices.news(
                    "Training stopped",
                    format!("{} has a checkpoint at step {step} and can be resumed.", run.display()),
                );
            }
            TrainEvent::Warned { run, message } => notices.warning(active::name_of(&run), message),
            TrainEvent::Finished { run } => notices.news("Training finished", run.display().to_string()),
            TrainEvent::CurvesSaved { path, sidecar } => {
                notices.forget(Past::Figure);
                notices.done(
                    "Figure saved",
                    format!("{} (what made it: {})", path.display(), sidecar.display()),
                );
            }
            TrainEvent::OthersFound { run, steps } => self.runs.offer(run, steps),
            TrainEvent::Failed { asked, message } => match asked {
                TrainTask::Start => self.form.take_start(Some(message), files),
                TrainTask::OpenRun(_) => self.runs.fail_to_open(message),
                TrainTask::Export => notices.error_until(Past::Figure, "Exporting the curves", message),
                TrainTask::Resume(run) | TrainTask::Training(run) => {
                    notices.error_until(Past::Training, "Training", message.clone());
                    self.runs.fail(run, message);
                }
            },
        }
    }

    /// Takes in what a file thread found.
    pub fn take_found(&mut self, found: &FoundFile) {
        match found {
            FoundFile::FreeFolder(path) => self.form.take_folder(path.clone(), true),
            FoundFile::RunFolder(Some(path)) => self.form.take_folder(path.clone(), false),
            _ => {}
        }
    }

    /// Uses data of its own for the next run.
    pub fn set_data(&mut self, desk: &Desk, source: DataSource) {
        self.form.set_data(desk, source);
    }

    /// Shows a run folder.
    pub fn open_run(&mut self, desk: &Desk, path: PathBuf) {
        self.runs.open(&path);
        desk.session.send(Command::Train(TrainCommand::OpenRun(path)));
    }

    /// The curves that are to be written, once.
    pub fn take_export(&mut self) -> Option<CurveExport> {
        self.export.take()
    }

    /// Carries out one of the actions of training.
    pub fn run(&mut self, desk: &Desk, action: Action) {
        let view = desk.session.snapshot().runs.active.clone().filter(|view| view.phase.is_active());
        let send = |command| desk.session.send(Command::Train(command));
        match (action, view) {
            (Action::StartTraining, _) => self.form.start(desk),
            (Action::PauseTraining, Some(view)) => send(TrainCommand::Pause(view.phase != Phase::Paused)),
            (Action::StopTraining, Some(_)) => send(TrainCommand::Stop),
            (Action::CheckpointTraining, Some(_)) => send(TrainCommand::Checkpoint),
            (Action::PinQuery, _) => self.pin_query(desk),
            _ => {}
        }
    }

    /// Pins the query of Explore.
    fn pin_query(&mut self, desk: &Desk) {
        let snapshot = desk.session.snapshot();
        let patch = desk.session.query().and_then(|query| query.as_patch());
        let (Some(view), Some(patch)) = (&snapshot.view, patch) else { return };
        if view.index != patch.image as usize {
            return;
        }
        let class = view.class.as_ref().map_or(String::new(), |class| format!(" \u{b7} {class}"));
        let name = format!("image {}{class}", view.index);
        self.next_pin += 1;
        let pin = Pin { id: self.next_pin, name, image: view.image.clone(), patch };
        desk.session.send(Command::Train(TrainCommand::Pin(pin)));
    }

    /// Tells the engine how drawing goes, where that has changed.
    pub fn tell_drawing(&mut self, desk: &Desk, is_open: bool, frame_secs: f32) {
        let now = Drawing { shows_pins: is_open, frame_secs, is_software: self.is_software };
        let is_told = self.told.is_some_and(|told| {
            let ratio = now.frame_secs.max(1e-4) / told.frame_secs.max(1e-4);
            told.shows_pins == now.shows_pins && (0.5..=2.0).contains(&ratio)
        });
        if !is_told {
            desk.session.send(Command::Train(TrainCommand::Drawing(now)));
            self.told = Some(now);
        }
    }

    /// Draws the tab.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, files: &FileWorker) {
        if let Some(taken) = self.runs.take_config() {
            self.form.take_config(taken, files);
        }
        self.note_rate(desk);
        let side = Frame::side_top_panel(ui.style()).inner_margin(Margin::same(8));
        let width = desk.settings.window.panel("new run", 312.0);
        let form = Panel::left("new run").frame(side).default_size(width).size_range(296.0..=460.0);
        let drawn = form.show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.form.ui(ui, desk, files));
        });
        desk.settings.window.set_panel("new run", drawn.response.rect.width());
        let middle = Frame::central_panel(ui.style()).inner_margin(Margin::same(8));
        let snapshot = desk.session.snapshot().clone();
        CentralPanel::default_margins().frame(middle).show(ui, |ui| {
            if snapshot.runs.active.is_some() {
                let below = Frame::new().inner_margin(Margin { top: 8, ..Margin::ZERO });
                let panel = Panel::bottom("pins").frame(below).resizable(true);
                let most = (0.5 * ui.available_height()).max(PINS_LEAST);
                let height = desk.settings.window.panel("pins", PINS_HEIGHT).min(most);
                let drawn = panel.default_size(height).size_range(PINS_LEAST..=most).show(ui, |ui| {
                    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.pins.ui(ui, desk));
                });
                desk.settings.window.set_panel("pins", drawn.response.rect.height());
            }
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.middle_ui(ui, desk));
        });
    }

    fn middle_ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let snapshot = desk.session.snapshot().clone();
        active::active_ui(ui, desk);
        if snapshot.runs.active.is_some() {
            ui.add_space(STEP / 2.0);
            ui.separator();
        }
        self.runs.ui(ui, desk);
        if !snapshot.runs.folders.is_empty() {
            ui.separator();
        }
        let shown = self.runs.shown(&snapshot.runs.folders);
        if snapshot.runs.folders.is_empty() {
            runs::empty_ui(ui);
        } else if let Some(export) = self.curves.ui(ui, &shown) {
            self.export = Some(export);
        }
    }

    /// Remembers how fast the run's network trains, for the form's estimate.
    fn note_rate(&mut self, desk: &Desk) {
        let snapshot = desk.session.snapshot();
        let Some(training) = &snapshot.runs.active else { return };
        let run = snapshot.runs.folders.iter().find(|run| run.path == training.run);
        if let (Some(rate), Some(config)) =
            (training.pace.views_per_second, run.and_then(|run| run.config.as_ref()))
        {
            self.form.note_rate(config, rate);
        }
    }
}
