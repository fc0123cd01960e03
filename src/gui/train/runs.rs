//! The list of runs that are shown: this process's own, and folders that were opened.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{Button, ComboBox, Label, RichText, Ui};

use super::form::TakenSettings;
use super::heading::piece_ui;
use super::shown::{RunMark, ShownRun, hue};
use crate::engine::facts::NoticeKind;
use crate::engine::training::{Phase, RunStatus, RunView, TrainCommand, TrainingView};
use crate::engine::{Command, CompareCommand};
use crate::gui::desk::Desk;
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::actions::Action;
use crate::gui::nouns::text::{tail, thousands};
use crate::gui::paint::theme::STEP;
use crate::gui::widgets::messages::{error_ui, warning_ui};

/// The list of runs, and what went wrong with them.
#[derive(Default)]
pub struct RunList {
    /// Runs that are not drawn.
    hidden: HashSet<PathBuf>,
    /// Why a folder could not be opened, and what went wrong with a run.
    open_error: Option<String>,
    run_errors: HashMap<PathBuf, String>,
    /// Steps of checkpoints that a run can be continued from where its newest one cannot be.
    others: HashMap<PathBuf, Vec<u64>>,
    /// A run's settings that are to be those of the form.
    take_config: Option<TakenSettings>,
}

impl RunList {
    /// A run began or goes on: it is drawn, and its errors are of the past.
    pub fn begin(&mut self, run: &Path) {
        self.run_errors.remove(run);
        self.others.remove(run);
        self.hidden.remove(run);
    }

    /// A run can be continued from the checkpoints of these steps, not from that which was asked for.
    pub fn offer(&mut self, run: PathBuf, steps: Vec<u64>) {
        self.others.insert(run, steps);
    }

    /// A folder is about to be opened.
    pub fn open(&mut self, run: &Path) {
        self.open_error = None;
        self.hidden.remove(run);
    }

    /// Says why a folder could not be opened.
    pub fn fail_to_open(&mut self, message: String) {
        self.open_error = Some(message);
    }

    /// Says what went wrong with a run.
    pub fn fail(&mut self, run: PathBuf, message: String) {
        self.run_errors.insert(run, message);
    }

    /// A run's settings that are to be those of the form, once.
    pub fn take_config(&mut self) -> Option<TakenSettings> {
        self.take_config.take()
    }

    /// Those of `runs` that are drawn, with what tells them apart.
    pub fn shown<'a>(&self, runs: &'a [Arc<RunView>]) -> Vec<ShownRun<'a>> {
        let shown = runs.iter().enumerate().filter(|(_, run)| !self.hidden.contains(&run.path));
        shown.map(|(index, run)| ShownRun { run, mark: RunMark(index) }).collect()
    }

    /// Draws the list, one row each.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let runs = desk.session.snapshot().runs.folders.clone();
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Runs").strong());
            ui.weak(match runs.len() {
                0 => "none is open".to_owned(),
                count => format!(
                    "{} of {count} shown",
                    runs.iter().filter(|run| !self.hidden.contains(&run.path)).count()
                ),
            });
            if ui
                .button("Open run...")
                .on_hover_text("Shows the curves and checkpoints of a run folder, finished or growing.")
                .clicked()
            {
                desk.todo.push(Action::OpenRun);
            }
        });
        if let Some(error) = self.open_error.clone() {
            error_ui(ui, &error);
            if ui.small_button("Dismiss").clicked() {
                self.open_error = None;
            }
        }
        for (index, run) in runs.iter().enumerate() {
            self.run_ui(ui, desk, run, RunMark(index));
        }
        for run in runs.iter() {
            if let Some(error) = run.error.as_ref().or(self.run_errors.get(&run.path)) {
                error_ui(ui, &format!("{}: {error}", run.name));
            }
            others_ui(ui, desk, run, self.others.get(&run.path));
            if let Some(why) = run.stopped_by() {
                error_ui(ui, &format!("{} stopped: {why}", run.name));
            }
            for alarm in run.alarms.iter() {
                error_ui(ui, &format!("{}, collapse: {alarm}", run.name));
            }
            warnings_ui(ui, run);
        }
    }

    /// A run in as many lines as it needs: nothing is cut where the window is narrow.
    fn run_ui(&mut self, ui: &mut Ui, desk: &mut Desk, run: &RunView, mark: RunMark) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = STEP / 2.0;
            let words = format!("Run {}: its lines are {}", mark.letter(), mark.stroke_word());
            ui.label(RichText::new(mark.letter().to_string()).strong()).on_hover_text(&words);
            piece_ui(ui, mark, hue(None, ui.visuals()), &words);
            let mut shown = !self.hidden.contains(&run.path);
            let check = ui.checkbox(&mut shown, tail(&run.name, 34)).on_hover_text(describe(run));
            if check.changed() {
                if shown {
                    self.hidden.remove(&run.path)
                } else {
                    self.hidden.insert(run.path.clone())
                };
            }
            self.facts_ui(ui, desk, run);
        });
    }

    /// Where a run stands, and what can be done with it.
    fn facts_ui(&mut self, ui: &mut Ui, desk: &mut Desk, run: &RunView) {
        let own = desk.session.snapshot().runs.active.clone().filter(|view| view.run == run.path);
        ui.weak(state_word(run, own.as_deref()));
        let step = run.last_step().unwrap_or(0.0) as usize;
        let of = run.total_steps.map_or(String::new(), |total| format!(" / {}", thousands(total as usize)));
        ui.label(format!("step {}{of}", thousands(step)));
        if let Some(loss) = run.series.get("loss").and_then(|series| series.y.last()) {
            ui.label(format!("loss {loss:.4}"));
        }
        self.run_buttons_ui(ui, desk, run, own.as_deref());
    }

    fn run_buttons_ui(&mut self, ui: &mut Ui, desk: &mut Desk, run: &RunView, own: Option<&TrainingView>) {
        explore_ui(ui, desk, run);
        compare_ui(ui, desk, run);
        let is_active = own.is_some_and(|view| view.phase.is_active());
        let another = desk.session.snapshot().runs.active.as_ref().is_some_and(|view| view.phase.is_active());
        if !is_active && run.status != RunStatus::Finished {
            // What grew by this process's hand is its own to continue.
            let is_foreign = run.status == RunStatus::Growing && own.is_none();
            let resume = ui.add_enabled(!another && !is_foreign, Button::new("Resume").small());
            let tip = "Continues from the newest checkpoint, on the data that the run names.";
            let resume = resume.on_hover_text(tip).on_disabled_hover_text(match another {
                true => "Another run is being trained; stop it first.",
                false => "Its files grew just now: another process seems to train it.",
            });
            if resume.clicked() {
                self.run_errors.remove(&run.path);
                send_resume(desk, run, None);
            }
        }
        if let Some(config) = &run.config
            && ui
                .small_button("Use settings")
                .on_hover_text("Takes this run's settings for a new run.")
                .clicked()
        {
            let (name, folder) = (run.name.clone(), run.path.clone());
            self.take_config = Some(TakenSettings { name, folder, config: config.clone() });
        }
        if !is_active
            && ui
                .small_button("Close")
                .on_hover_text("Takes the run off this list; its folder stays.")
                .clicked()
        {
            desk.session.send(Command::Train(TrainCommand::CloseRun(run.path.clone())));
        }
    }
}

/// "Explore": opens a kept checkpoint as the model.
fn explore_ui(ui: &mut Ui, desk: &mut Desk, run: &RunView) {
    let Some(latest) = run.checkpoints.last() else { return };
    let mut picked = None;
    let combo = ComboBox::from_id_salt(("explore", &run.path)).width(72.0).selected_text("Explore").show_ui(
        ui,
        |ui| {
            let count = run.checkpoints.len();
            ui.weak(format!("{count} kept, newest first"));
            for checkpoint in run.checkpoints.iter().rev() {
                let newest = if checkpoint == latest { " (newest)" } else { "" };
                if ui
                    .selectable_label(false, format!("step {}{newest}", thousands(checkpoint.step as usize)))
                    .clicked()
                {
                    picked = Some(checkpoint.path.clone());
                }
            }
        },
    );
    combo
        .response
        .accessible_name("Explore a checkpoint")
        .on_hover_text("Opens a kept checkpoint as the model of Explore; training goes on.");
    if let Some(path) = picked {
        desk.session.send(Command::OpenModel { spec: path.into() });
        desk.todo.push(Action::ShowExplore);
    }
}

/// "Scrub": the checkpoints one after the other beside the open model.
fn compare_ui(ui: &mut Ui, desk: &mut Desk, run: &RunView) {
    if run.checkpoints.is_empty() {
        return;
    }
    let button = ui.small_button("Scrub").on_hover_text(
        "Shows the kept checkpoints one after the other beside the model of Explore: maps, galleries, overlap.",
    );
    if button.clicked() {
        let spec = run.path.as_path().into();
        desk.session.send(Command::Compare(CompareCommand::OpenOther { spec }));
        desk.todo.push(Action::ShowView(ExploreView::Compare));
    }
}

/// The checkpoints that a run can be continued from in place of its newest, one button each.
fn others_ui(ui: &mut Ui, desk: &Desk, run: &RunView, steps: Option<&Vec<u64>>) {
    let Some(steps) = steps.filter(|steps| !steps.is_empty()) else { return };
    let another = desk.session.snapshot().runs.active.as_ref().is_some_and(|view| view.phase.is_active());
    ui.horizontal_wrapped(|ui| {
        for &step in steps {
            let words = format!("Resume from step {}", thousands(step as usize));
            let button = ui.add_enabled(!another, Button::new(words).small());
            let button = button
                .on_hover_text(
                    "Steps after it are done again; later checkpoints are kept aside in the folder.",
                )
                .on_disabled_hover_text("Another run is being trained; stop it first.");
            if button.clicked() {
                send_resume(desk, run, Some(step));
            }
        }
    });
}

fn send_resume(desk: &Desk, run: &RunView, from: Option<u64>) {
    desk.session.send(Command::Train(TrainCommand::Resume { run: run.path.clone(), from, data: None }));
}

/// The newest warning of a run; all of them under the pointer.
fn warnings_ui(ui: &mut Ui, run: &RunView) {
    let warnings = run.notices.iter().filter(|notice| notice.kind == NoticeKind::Warning);
    let lines: Vec<String> = warnings
        .map(|notice| format!("step {}: {}", thousands(notice.step as usize), notice.message))
        .collect();
    let Some(last) = lines.last() else { return };
    let more = match lines.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    warning_ui(ui, &format!("{}, {last}{more}", run.name)).on_hover_text(lines.join("\n"));
}

fn state_word(run: &RunView, own: Option<&TrainingView>) -> &'static str {
    match own.map(|view| view.phase) {
        Some(Phase::Running) => "training",
        Some(Phase::Paused) => "paused",
        Some(Phase::Ending) => "stopping",
        Some(Phase::Failed) => "stopped by an error",
        Some(Phase::Finished) => "finished",
        Some(Phase::Stopped) | None => match run.status {
            RunStatus::Finished => "finished",
            RunStatus::Growing if own.is_none() => "growing",
            RunStatus::Growing | RunStatus::Unfinished => "unfinished",
        },
    }
}

/// The run in a few lines, for its tooltip.
fn describe(run: &RunView) -> String {
    let mut lines = vec![run.path.display().to_string()];
    if let Some(config) = &run.config {
        lines.push(format!(
            "{} \u{b7} {} \u{b7} {} views of {} images a step \u{b7} {} epochs",
            config.objective.title(),
            config.model.backbone.title(),
            config.views.len(),
            thousands(config.batch),
            config.epochs
        ));
    }
    if let Some((name, source)) = &run.data {
        lines.push(format!("data {name} ({})", source.spec));
    }
    lines.extend(run.device.iter().map(|device| format!("on {device}")));
    lines.join("\n")
}

/// What stands where there is no run yet.
pub fn empty_ui(ui: &mut Ui) {
    ui.add_space(4.0 * STEP);
    ui.vertical_centered(|ui| {
        ui.add(Label::new(
            RichText::new("Choose a recipe on the left and press Start training: its curves appear here.")
                .weak(),
        ));
        ui.add(Label::new(
            RichText::new("Or open the folder of a run, finished or still growing, with Open run...").weak(),
        ));
    });
}
