//! The evaluation on show: how far it is, its table, how it goes beside the paper, and its ways out.

use eframe::egui::{Label, ProgressBar, RichText, Ui};

use super::table::ResultTable;
use crate::engine::{Command, EvaluateCommand, EvaluationPhase, EvaluationView};
use crate::gui::desk::Desk;
use crate::gui::nouns::actions::{Action, keys_of};
use crate::gui::nouns::text::{count, first_upper, thousands, wait};
use crate::gui::paint::theme::STEP;
use crate::gui::train::words::quoted;
use crate::gui::widgets::messages::{error_ui, warning_ui};
use crate::paths;
use crate::progress::Progress;

/// What is on show of results.
#[derive(Default)]
pub struct Results {
    table: ResultTable,
}

/// Ends the evaluation that goes on.
pub fn stop(desk: &Desk) {
    if is_running(desk) {
        desk.session.send(Command::Evaluate(EvaluateCommand::Stop));
    }
}

/// Goes on with the evaluation on show.
pub fn go_on(desk: &Desk) {
    let Some(view) = desk.session.snapshot().views.evaluation.clone() else { return };
    if view.phase != EvaluationPhase::Running {
        let request = Box::new((*view.request).clone());
        desk.session.send(Command::Evaluate(EvaluateCommand::Start(request)));
    }
}

fn is_running(desk: &Desk) -> bool {
    let view = desk.session.snapshot().views.evaluation.clone();
    view.is_some_and(|view| view.phase == EvaluationPhase::Running)
}

impl Results {
    /// Draws what is on show, or says how to begin.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let view = desk.session.snapshot().views.evaluation.clone();
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Results").strong());
            match &view {
                None => drop(ui.weak("none are open")),
                Some(view) => heading_ui(ui, desk, view),
            }
            let button = ui.button("Open results...").on_hover_text(
                "Shows a folder that this tab or bagssl eval --plan made; what is missing of it can be done from here.",
            );
            if button.clicked() {
                desk.todo.push(Action::OpenResults);
            }
        });
        let Some(view) = view else { return empty_ui(ui) };
        progress_ui(ui, &view);
        if let EvaluationPhase::Failed(message) = &view.phase {
            error_ui(ui, &format!("The evaluation stopped: {message}"));
        }
        if view.rows.is_empty() {
            if view.phase == EvaluationPhase::Running {
                ui.add_space(STEP);
                ui.weak("The first row appears here as soon as its cell is done.");
            }
            return;
        }
        ui.add_space(STEP / 2.0);
        self.table.ui(ui, &view.request.plan, &view.rows);
        ui.add(Label::new(RichText::new(view.request.plan.protocol()).weak()).wrap());
        trends_ui(ui, &view);
        ui.add_space(STEP);
        export_ui(ui, desk, &view);
    }
}

fn heading_ui(ui: &mut Ui, desk: &mut Desk, view: &EvaluationView) {
    let out = &view.request.out;
    let name = out.file_name().unwrap_or(out.as_os_str()).to_string_lossy().into_owned();
    ui.label(RichText::new(name).strong()).on_hover_text(out.display().to_string());
    ui.label(match &view.phase {
        EvaluationPhase::Running => "evaluating",
        EvaluationPhase::Unfinished => "not finished; it can go on where it stopped",
        EvaluationPhase::Finished => "finished",
        EvaluationPhase::Failed(_) => "stopped by an error",
    });
    let (text, action) = match view.phase {
        EvaluationPhase::Running => ("Stop", Action::StopEvaluation),
        EvaluationPhase::Unfinished | EvaluationPhase::Failed(_) => ("Continue", Action::ContinueEvaluation),
        EvaluationPhase::Finished => return,
    };
    if ui.button(text).on_hover_text(keys_of(ui.ctx(), action)).clicked() {
        desk.todo.push(action);
    }
}

/// How many cells are done, and how far the one at work is.
fn progress_ui(ui: &mut Ui, view: &EvaluationView) {
    let cells = view.request.plan.cells();
    if view.phase != EvaluationPhase::Finished {
        ui.add(ProgressBar::new(view.fraction()).desired_height(6.0).desired_width(ui.available_width()));
    }
    let mut words = format!("{} of {} done", thousands(view.done), count(cells, "cell"));
    if view.kept > 0 && view.phase == EvaluationPhase::Running {
        words += &format!(", {} of them there before", thousands(view.kept));
    }
    if let Some(left) = view.left.filter(|_| view.phase == EvaluationPhase::Running && cells > 1) {
        words += &format!(", about {} left", wait(left));
    }
    if !view.cell.is_empty() {
        words += &format!(" \u{b7} {}", view.cell);
    }
    ui.add(Label::new(RichText::new(words).weak()).wrap());
    match (&view.progress, &view.phase) {
        (Some(progress), _) => drop(ui.add(Label::new(progress_words(progress)).wrap())),
        (None, EvaluationPhase::Running) => drop(ui.label("opening...")),
        _ => {}
    }
}

/// "Embedding 1,200 of 4,000 patches · 340 patches/s · 8 s left of this cell's".
fn progress_words(progress: &Progress) -> String {
    let (done, total) = (thousands(progress.done as usize), thousands(progress.total as usize));
    let mut words = format!("{} {done} of {total} {}", first_upper(progress.what), progress.unit);
    if let Some(rate) = progress.rate() {
        let rate = if rate < 10.0 { format!("{rate:.1}") } else { thousands(rate.round() as usize) };
        words += &format!(" \u{b7} {rate} {}/s", progress.unit);
    }
    if let Some(left) = progress.remaining().filter(|_| progress.done < progress.total) {
        words += &format!(" \u{b7} {} left of this step", wait(left));
    }
    words
}

/// Whether ours goes the way of the paper's.
fn trends_ui(ui: &mut Ui, view: &EvaluationView) {
    if view.trends.is_empty() {
        return;
    }
    ui.add_space(STEP / 2.0);
    ui.label(RichText::new("Beside the paper").strong()).on_hover_text(
        "Whether the accuracy rises and falls from one number of patches or crops to the next as it does in the paper. The paper's \
         models were trained for 600 epochs and more: the way is what to compare, rather than the height.",
    );
    for trend in view.trends.iter() {
        let words = format!("{} \u{b7} {}.", trend.evaluation, trend.words);
        match trend.is_same {
            true => drop(ui.add(Label::new(words).wrap())),
            false => drop(warning_ui(ui, &words)),
        }
    }
}

fn export_ui(ui: &mut Ui, desk: &mut Desk, view: &EvaluationView) {
    ui.horizontal_wrapped(|ui| {
        ui.label("Copy as");
        for ((_, text), name) in view.texts.by_ending().into_iter().zip(["CSV", "JSON", "Markdown", "LaTeX"])
        {
            let tip = format!("Puts the table on the clipboard as {name}.");
            if ui.button(name).on_hover_text(tip).clicked() {
                ui.ctx().copy_text(text.to_owned());
            }
        }
        let tip =
            "Writes the table, or its accuracies as bars (Figure 2), to a file; its ending chooses which.";
        if ui.button("Export...").on_hover_text(tip).clicked() {
            desk.todo.push(Action::ExportResults);
        }
        let out = quoted(&paths::to_words(&view.request.out));
        let plan = quoted(&paths::to_words(&view.request.out.join("plan.toml")));
        if ui.button("Copy command").on_hover_text("The same evaluation from a terminal.").clicked() {
            ui.ctx().copy_text(format!("bagssl eval --plan {plan} --out {out}"));
        }
    });
    let words = format!(
        "The same tables lie in {} as results.csv, results.json, results.md and results.tex.",
        view.request.out.display()
    );
    ui.add(Label::new(RichText::new(words).weak()).wrap());
}

/// What stands where there is nothing yet.
fn empty_ui(ui: &mut Ui) {
    ui.add_space(4.0 * STEP);
    ui.vertical_centered(|ui| {
        for words in [
            "How well do averaged patches tell classes apart? Choose models and evaluations on the left and press Start \
             evaluation: each row appears here as soon as it is done, the paper's number beside it.",
            "Or open a folder of results, finished or not, with Open results...",
        ] {
            ui.add(Label::new(RichText::new(words).weak()).wrap());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn progress_is_told_with_rate_and_time_left() {
        let mut progress = Progress {
            what: "embedding",
            done: 1200,
            total: 4000,
            resumed: 200,
            unit: "patches",
            elapsed: Duration::from_secs(10),
        };
        assert_eq!(
            progress_words(&progress),
            "Embedding 1,200 of 4,000 patches \u{b7} 100 patches/s \u{b7} 28 s left of this step"
        );
        progress.done = 4000;
        assert!(!progress_words(&progress).contains("left"));
    }
}
