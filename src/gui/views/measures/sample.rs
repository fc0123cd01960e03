//! What stands above every measure of the sample: over how much it is, how far it is, and what can be done.

use eframe::egui::{Label, ProgressBar, RichText, Ui};

use super::export::export_ui;
use crate::engine::{MeasurePage, SampleMeasure, SamplePhase, SampleView};
use crate::gui::desk::Desk;
use crate::gui::nouns::Action;
use crate::gui::nouns::text::{count, first_upper, thousands, wait};
use crate::gui::paint::theme::STEP;
use crate::gui::panels::controls;
use crate::gui::widgets::messages::error_ui;
use crate::progress::Progress;

/// A measure in words.
pub struct SampleWords<'a> {
    /// Which it is.
    pub measure: SampleMeasure,
    /// Its heading.
    pub title: &'a str,
    /// What it is, in a few sentences.
    pub explanation: &'a str,
    /// Over how much what is on show was measured; empty where nothing is.
    pub over: String,
}

/// Draws it. Returns whether there is something to show below.
pub fn head_ui<R>(ui: &mut Ui, desk: &mut Desk, words: &SampleWords<'_>, view: &SampleView<R>) -> bool {
    let lacks = desk.lacks();
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(words.title).strong()).on_hover_text(words.explanation);
        let (text, tip, action) = match &view.phase {
            SamplePhase::Running(_) => {
                ("Stop", "What was measured before stays.", Action::StopMeasure(words.measure))
            }
            _ => {
                let text = if view.result.is_some() { "Measure again" } else { "Measure" };
                (text, "Measures what is embedded by now.", Action::StartMeasure(words.measure))
            }
        };
        let button = ui.add_enabled(lacks.is_none(), eframe::egui::Button::new(text));
        if button.on_hover_text(tip).clicked() {
            desk.todo.push(action);
        }
        controls::spaces_ui(ui, desk);
        export_ui(ui, desk, MeasurePage::Sample(words.measure));
        // Last, as these grow longer with their numbers: nothing is moved by them.
        if !words.over.is_empty() {
            ui.weak(&words.over);
        }
        if let Some(grown) = view.result.as_ref().and_then(|result| grown(desk, result.patches)) {
            ui.weak(grown).on_hover_text("The sample has grown since it was measured.");
        }
    });
    match &view.phase {
        SamplePhase::Running(progress) => progress_ui(ui, progress.as_ref()),
        SamplePhase::Failed(message) => error_ui(ui, &format!("It could not be measured: {message}")),
        SamplePhase::Idle => {}
    }
    if view.result.is_none() && !matches!(view.phase, SamplePhase::Running(_)) {
        ui.add_space(4.0 * STEP);
        let text = lacks.unwrap_or_else(|| format!("{} {}", words.explanation, sample_words(desk)));
        ui.vertical_centered(|ui| ui.add(Label::new(RichText::new(text).weak()).wrap()));
    }
    view.result.is_some()
}

fn progress_ui(ui: &mut Ui, progress: Option<&Progress>) {
    let fraction = progress.map_or(0.0, Progress::fraction);
    ui.add(ProgressBar::new(fraction).desired_height(6.0).desired_width(ui.available_width()));
    let words = match progress {
        None => "about to begin...".to_owned(),
        Some(progress) => {
            let (done, total) = (thousands(progress.done as usize), thousands(progress.total as usize));
            let left = progress.remaining().filter(|_| progress.done < progress.total);
            let left = left.map_or(String::new(), |left| format!(" \u{b7} {} left", wait(left)));
            format!("{} {done} of {total} {}{left}", first_upper(progress.what), progress.unit)
        }
    };
    ui.weak(words);
}

/// What there would be to measure.
fn sample_words(desk: &Desk) -> String {
    let Some(extraction) = &desk.session.snapshot().extraction else {
        return "No patches are embedded yet.".to_owned();
    };
    let (done, all) = extraction.patches;
    let images = &extraction.progress;
    format!(
        "Embedded by now: {} of {} of {} of {}. Press Measure.",
        thousands(done),
        count(all, "patch"),
        thousands(images.done as usize),
        count(images.total as usize, "image")
    )
}

/// What is there by now, if more has come since so many `patches` were measured.
fn grown(desk: &Desk, patches: usize) -> Option<String> {
    let extraction = desk.session.snapshot().extraction.as_ref()?;
    let (now, images) = (extraction.patches.0, extraction.progress.done as usize);
    let words = || format!("\u{b7} by now {} of {}", count(now, "patch"), count(images, "image"));
    (now > patches).then(words)
}
