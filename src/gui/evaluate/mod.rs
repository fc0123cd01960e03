//! The Evaluate tab: a plan of models by evaluations on the left, its results beside it.

mod form;
mod models;
mod results;
mod rows;
mod table;

use eframe::egui::{CentralPanel, Frame, Margin, Panel, ScrollArea, Ui};

use self::form::PlanForm;
use self::results::Results;
use crate::engine::facts::ModelSpec;
use crate::engine::training::{DataSeen, DataSource};
use crate::gui::desk::Desk;
use crate::gui::memory::files::{FileWorker, FoundFile};
use crate::gui::nouns::actions::Action;

/// The tab's own state.
pub struct EvaluateTab {
    form: PlanForm,
    results: Results,
}

impl EvaluateTab {
    /// Begins with the model and the data that are open.
    pub fn new(files: &FileWorker) -> Self {
        Self { form: PlanForm::new(files), results: Results::default() }
    }

    /// Takes in what a file thread found.
    pub fn take_found(&mut self, found: &FoundFile) {
        match found {
            FoundFile::FreeResults(path) => self.form.take_folder(path.clone(), true),
            FoundFile::ResultsFolder(Some(path)) => self.form.take_folder(path.clone(), false),
            _ => {}
        }
    }

    /// Evaluates one model more.
    pub fn add_model(&mut self, desk: &Desk, spec: ModelSpec) {
        self.form.add_model(desk, spec);
    }

    /// Evaluates on data of its own.
    pub fn set_data(&mut self, desk: &Desk, source: DataSource) {
        self.form.set_data(desk, source);
    }

    /// What a data set holds has become known.
    pub fn take_seen(&mut self, source: &DataSource, found: &Result<DataSeen, String>) {
        self.form.take_seen(source, found);
    }

    /// Carries out one of the actions of evaluating.
    pub fn run(&mut self, desk: &Desk, action: Action) {
        match action {
            Action::StartEvaluation => self.form.start(desk),
            Action::StopEvaluation => results::stop(desk),
            Action::ContinueEvaluation => results::go_on(desk),
            _ => {}
        }
    }

    /// Draws the tab.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, files: &FileWorker) {
        let side = Frame::side_top_panel(ui.style()).inner_margin(Margin::same(8));
        let width = desk.settings.window.panel("new plan", 312.0);
        let form = Panel::left("new plan").frame(side).default_size(width).size_range(296.0..=460.0);
        let drawn = form.show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.form.ui(ui, desk, files));
        });
        desk.settings.window.set_panel("new plan", drawn.response.rect.width());
        let middle = Frame::central_panel(ui.style()).inner_margin(Margin::same(8));
        CentralPanel::default_margins().frame(middle).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.results.ui(ui, desk));
        });
    }
}
