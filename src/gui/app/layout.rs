//! Lays out the panels and what lies over them.

use eframe::egui::{CentralPanel, Context, Frame, Margin, Panel, ScrollArea, Ui, Vec2, vec2};

use super::{App, Overlay};
use crate::engine::Command;
use crate::gui::app::help::{PaletteChoice, PaletteOutcome};
use crate::gui::app::model_dialog::ModelOutcome;
use crate::gui::app::open_dialog::Dialog;
use crate::gui::nouns::Tab;
use crate::gui::panels::hint;
use crate::gui::panels::{status, top};
use crate::gui::widgets::room::with_room;

/// Explore needs so much room, points.
const LEAST_OF_EXPLORE: Vec2 = vec2(800.0, 480.0);
/// The first steps stand above it.
const LEAST_WITH_HINT: Vec2 = vec2(800.0, 600.0);
/// Evaluate has its table beside the form.
const LEAST_OF_EVALUATE: Vec2 = vec2(800.0, 400.0);
/// Train has its charts beside the form.
const LEAST_OF_TRAIN: Vec2 = vec2(900.0, 400.0);

impl App {
    pub(super) fn overlay_ui(&mut self, ctx: &Context) {
        match &mut self.overlay {
            Overlay::None => {}
            Overlay::Dialog(dialog) => {
                if let Some(outcome) = dialog.ui(ctx, &self.files, &self.desk.settings.recent) {
                    self.end_dialog(outcome);
                }
            }
            Overlay::Export(dialog) => {
                if dialog.ui(ctx, &mut self.desk, &self.files) {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Model(dialog) => {
                let model = self.desk.session.snapshot().model.clone();
                if let Some(outcome) = dialog.ui(ctx, model.as_deref()) {
                    self.overlay = Overlay::None;
                    if let ModelOutcome::Open(spec) = outcome {
                        self.desk.session.send(Command::OpenModel { spec });
                    }
                }
            }
            Overlay::Vectors(dialog) => {
                if dialog.ui(ctx, &self.files, &mut self.desk.settings) {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Keys(keys) => {
                if keys.ui(ctx) {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Palette(palette) => match palette.ui(ctx, &self.desk.settings.recent) {
                PaletteOutcome::Open => {}
                PaletteOutcome::Closed => self.overlay = Overlay::None,
                PaletteOutcome::Chosen(choice) => {
                    self.overlay = Overlay::None;
                    match choice {
                        PaletteChoice::Action(action) => self.desk.todo.push(action),
                        PaletteChoice::Open(openable) => self.open_again(openable),
                        PaletteChoice::Link(link) => self.open_link(*link),
                    }
                }
            },
        }
    }

    pub(super) fn panels_ui(&mut self, ui: &mut Ui) {
        let bar = Frame::side_top_panel(ui.style()).inner_margin(Margin::symmetric(8, 6));
        Panel::top("top").frame(bar).show(ui, |ui| top::top_ui(ui, &mut self.desk));
        Panel::bottom("status")
            .frame(bar)
            .exact_size(32.0)
            .show(ui, |ui| status::status_ui(ui, &mut self.desk));
        match self.desk.tab {
            Tab::Explore => {
                let least = if self.desk.settings.hint { LEAST_WITH_HINT } else { LEAST_OF_EXPLORE };
                with_room(ui, least, |ui| self.explore_panels_ui(ui));
            }
            Tab::Train => {
                self.notices.strip_ui(ui);
                with_room(ui, LEAST_OF_TRAIN, |ui| self.train.ui(ui, &mut self.desk, &self.files));
                if let Some(curves) = self.train.take_export() {
                    self.overlay = Overlay::Dialog(Dialog::export_curves(curves, &self.export_folder()));
                }
            }
            Tab::Evaluate => {
                with_room(ui, LEAST_OF_EVALUATE, |ui| self.evaluate.ui(ui, &mut self.desk, &self.files));
            }
        }
    }

    fn explore_panels_ui(&mut self, ui: &mut Ui) {
        let side = Frame::side_top_panel(ui.style()).inner_margin(Margin::same(8));
        let width = self.desk.settings.window.panel("images", 168.0);
        let images = Panel::left("images").frame(side).default_size(width).size_range(96.0..=420.0);
        let drawn = images.show(ui, |ui| self.images.ui(ui, &mut self.desk, &mut self.thumbnails));
        self.desk.settings.window.set_panel("images", drawn.response.rect.width());
        Panel::right("inspector").frame(side).exact_size(196.0).resizable(false).show(ui, |ui| {
            ScrollArea::vertical().show(ui, |ui| self.inspector.ui(ui, &mut self.desk));
        });
        let middle = Frame::central_panel(ui.style()).inner_margin(Margin::same(8));
        CentralPanel::default_margins().frame(middle).show(ui, |ui| self.middle_ui(ui));
    }

    pub(super) fn middle_ui(&mut self, ui: &mut Ui) {
        hint::hint_ui(ui, &mut self.desk);
        self.views.ui(ui, &mut self.desk);
    }
}
