//! The run that is trained: where it stands, and its controls.

use std::path::Path;

use eframe::egui::{ProgressBar, RichText, Ui};

use crate::engine::training::{Phase, TrainingView};
use crate::gui::desk::Desk;
use crate::gui::nouns::actions::{Action, keys_of};
use crate::gui::nouns::text::{thousands, wait};
use crate::gui::paint::theme::STEP;
use crate::gui::widgets::messages::error_ui;

/// Draws the run that is trained, with its controls, or says how to begin.
pub fn active_ui(ui: &mut Ui, desk: &mut Desk) {
    let Some(view) = desk.session.snapshot().runs.active.clone() else { return };
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(name_of(&view.run)).strong()).on_hover_text(view.run.display().to_string());
        ui.label(phase_word(&view));
        if view.phase.is_active() {
            controls_ui(ui, desk, &view);
        }
    });
    ui.add(ProgressBar::new(view.fraction()).desired_height(6.0).desired_width(ui.available_width()));
    ui.horizontal_wrapped(|ui| {
        for (name, value, tip) in facts(&view) {
            ui.spacing_mut().item_spacing.x = STEP / 2.0;
            let label = ui.weak(name);
            let value = ui.label(RichText::new(value).strong());
            if !tip.is_empty() {
                label.on_hover_text(&tip);
                value.on_hover_text(tip);
            }
            ui.add_space(STEP);
        }
    });
    if let Some(error) = &view.error {
        error_ui(ui, &format!("The run stopped: {error}"));
    }
}

/// A run as it is called: its folder's name.
pub fn name_of(run: &Path) -> String {
    run.file_name().unwrap_or(run.as_os_str()).to_string_lossy().into_owned()
}

fn controls_ui(ui: &mut Ui, desk: &mut Desk, view: &TrainingView) {
    let pause = if view.phase == Phase::Paused { "Resume training" } else { "Pause training" };
    for (text, action) in [
        (pause, Action::PauseTraining),
        ("Checkpoint now", Action::CheckpointTraining),
        ("Stop training", Action::StopTraining),
    ] {
        if ui.button(text).on_hover_text(keys_of(ui.ctx(), action)).clicked() {
            desk.todo.push(action);
        }
    }
}

fn phase_word(view: &TrainingView) -> &'static str {
    match view.phase {
        Phase::Running => "training",
        Phase::Paused => "paused",
        Phase::Ending => "stopping: the checkpoint stands, its probe vectors follow",
        Phase::Stopped => "stopped; can be resumed",
        Phase::Finished => "finished",
        Phase::Failed => "stopped by an error",
    }
}

/// What changes all the time: name, value and a sentence.
fn facts(view: &TrainingView) -> Vec<(&'static str, String, String)> {
    let mut facts = vec![
        (
            "step",
            format!("{} / {}", thousands(view.step as usize), thousands(view.total_steps as usize)),
            String::new(),
        ),
        ("epoch", format!("{:.2}", view.epoch), "Passes over the data so far.".to_owned()),
    ];
    if let Some(loss) = view.loss {
        facts.push(("loss", format!("{loss:.4}"), "Of the last step.".to_owned()));
    }
    if let Some(rate) = view.pace.views_per_second {
        let tip = format!(
            "Over the last ten seconds; {} views a step.",
            thousands(view.pace.views_per_step as usize)
        );
        facts.push(("views/s", thousands(rate.round() as usize), tip));
    }
    if let Some(left) = view.pace.remaining.filter(|_| view.phase == Phase::Running) {
        facts.push(("left", wait(left), "At the present rate.".to_owned()));
    }
    if let Some(memory) = view.memory {
        facts.push((
            "memory",
            format!("{:.2} GB", memory as f64 / 1e9),
            "Of the whole program, without a GPU's own.".to_owned(),
        ));
    }
    if let Some(step) = view.checkpoint {
        facts.push(("checkpoint at", thousands(step as usize), "Step of the newest checkpoint.".to_owned()));
    }
    let part = &view.images.part;
    if part.images < part.of {
        let images = format!("{} of {}", thousands(part.images), thousands(part.of));
        facts.push(("images", images, part.words()));
    }
    if view.images.unreadable > 0 {
        facts.push((
            "unreadable",
            thousands(view.images.unreadable as usize),
            "Images that could not be read; others take their places.".to_owned(),
        ));
    }
    facts
}
