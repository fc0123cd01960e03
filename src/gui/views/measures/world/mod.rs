//! The toy world of section 3, to play with: what is set, the two matrices as they converge, losses and numbers. It needs
//! neither a model nor images.

mod matrices;
mod numbers;
mod settings;

use eframe::egui::{Button, Label, RichText, Ui, vec2};

use super::export::export_ui;
use super::plots;
use crate::engine::{Command, MeasureCommand, MeasurePage, WorldCommand, WorldPhase, WorldPlan, WorldView};
use crate::gui::desk::Desk;
use crate::gui::nouns::Action;
use crate::gui::nouns::text::thousands;
use crate::gui::paint::theme::STEP;
use crate::gui::panels::controls;
use crate::gui::widgets::messages::error_ui;

/// Height of the losses with their heading, points.
const LOSSES: f32 = 260.0;
/// The numbers stand beside the losses where there is so much room, points.
const BESIDE: f32 = 700.0;

const EXPLANATION: &str = "A world of few kinds of patches. An image is a mixture of kinds, two patches are drawn from one image, and \
                           p12 is how often two kinds stand together. The optimiser minimises the spectral contrastive loss L_S over \
                           the whole distribution. Prop. 3.1: w z1.z2 becomes p12 / (p1 p2), the co-occurrence.";

/// The page's own state.
#[derive(Default)]
pub struct WorldPage {
    plan: WorldPlan,
    /// Whether a world was asked for that is not there yet.
    is_asked: bool,
}

impl WorldPage {
    /// Sees to it that there is a world while the page is on show.
    pub fn sync(&mut self, desk: &Desk, is_on_show: bool) {
        let is_missing = desk.session.snapshot().views.measures.world.is_none();
        if is_on_show && is_missing && !self.is_asked {
            ask(desk, WorldCommand::Show(self.plan));
        }
        self.is_asked = is_on_show && is_missing;
    }

    /// Starts over with what is set.
    pub fn start(&self, desk: &Desk) {
        ask(desk, WorldCommand::Start(self.plan));
    }

    /// Rests, or goes on; where there is nothing yet, starts.
    pub fn pause(&self, desk: &Desk) {
        match desk.session.snapshot().views.measures.world.as_ref().map(|view| &view.phase) {
            Some(WorldPhase::Running) => ask(desk, WorldCommand::Pause(true)),
            Some(WorldPhase::Paused) => ask(desk, WorldCommand::Pause(false)),
            Some(WorldPhase::Finished | WorldPhase::Failed(_)) => {}
            None => self.start(desk),
        }
    }

    /// Draws it.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let view = desk.session.snapshot().views.measures.world.clone();
        let mut plan = self.plan;
        ui.horizontal_wrapped(|ui| {
            settings::ui(ui, &mut plan);
            ui.separator();
            buttons_ui(ui, desk, view.as_deref());
        });
        if plan != self.plan {
            self.plan = plan;
            self.start(desk);
        }
        let Some(view) = view else {
            ui.weak("about to begin...");
            return;
        };
        head_ui(ui, desk, &view);
        matrices::ui(ui, &view, desk.settings.colormap);
        ui.add_space(STEP);
        let losses = std::slice::from_ref(&view.losses);
        if ui.available_width() < BESIDE {
            plots::panels_ui(ui, losses, LOSSES);
            return numbers::ui(ui, &view.report);
        }
        ui.columns(2, |columns| {
            plots::panels_ui(&mut columns[0], losses, LOSSES);
            numbers::ui(&mut columns[1], &view.report);
        });
    }
}

fn ask(desk: &Desk, command: WorldCommand) {
    desk.session.send(Command::Measure(MeasureCommand::World(command)));
}

fn buttons_ui(ui: &mut Ui, desk: &mut Desk, view: Option<&WorldView>) {
    let (text, is_usable) = match view.map(|view| (&view.phase, view.report.done)) {
        Some((WorldPhase::Running, _)) => ("Pause", true),
        Some((WorldPhase::Paused, 1..)) => ("Go on", true),
        Some((WorldPhase::Finished | WorldPhase::Failed(_), _)) => ("Go on", false),
        _ => ("Start", true),
    };
    // As wide as its longest word, so that the next one does not move.
    let button = ui.add_enabled(is_usable, Button::new(text).min_size(vec2(56.0, 0.0)));
    let tip = "Steps are done between all other work; a model that is trained comes first.";
    if button.on_hover_text(tip).on_disabled_hover_text("All steps are done.").clicked() {
        desk.todo.push(Action::PauseWorld);
    }
    let button = ui.button("Start over");
    if button.on_hover_text("From the first step on, as any change of a number does.").clicked() {
        desk.todo.push(Action::StartWorld);
    }
}

/// What it is, and how far.
fn head_ui(ui: &mut Ui, desk: &mut Desk, view: &WorldView) {
    let (report, plan) = (&view.report, &view.report.plan);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Co-occurrence in a toy world").strong()).on_hover_text(EXPLANATION);
        let words = format!(
            "step {} of {} \u{b7} correlation {:.6} over {} pairs of kinds",
            thousands(report.done),
            thousands(plan.steps),
            report.correlation,
            thousands(plan.patches * plan.patches)
        );
        ui.weak(words).on_hover_text(
            "Pearson's correlation of w z1.z2 with p12 / (p1 p2). Steps: SGD with momentum 0.9, the learning rate falls as a cosine.",
        );
        controls::colormap_ui(ui, desk);
        export_ui(ui, desk, MeasurePage::World);
    });
    if let WorldPhase::Failed(message) = &view.phase {
        error_ui(ui, &format!("It could not go on: {message}"));
    }
    ui.add(Label::new(RichText::new(numbers::verdict(report)).weak()).wrap());
}
