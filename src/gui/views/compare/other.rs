//! Which models are compared, over how many images, and what is still to come.

use eframe::egui::{Button, DragValue, Id, Label, RichText, Ui, vec2};

use crate::engine::facts::BUILT_IN;
use crate::engine::{Command, CompareCommand, CompareView};
use crate::gui::desk::Desk;
use crate::gui::nouns::actions::Action;
use crate::gui::nouns::text::{count, tail, thousands};
use crate::gui::paint::theme::STEP;
use crate::gui::widgets::messages::error_ui;

fn send(desk: &Desk, command: CompareCommand) {
    desk.session.send(Command::Compare(command));
}

/// What stands in the view before there is a second model: the ways to one.
pub fn empty_ui(ui: &mut Ui, desk: &mut Desk) {
    let runs = desk.session.snapshot().runs.folders.clone();
    ui.add_space(6.0 * STEP);
    ui.vertical_centered(|ui| {
        ui.label(
            "The open model beside another, or beside the checkpoints of a run: the same query under both.",
        );
        ui.add_space(STEP);
        let open = Button::new("Open a model or a run to compare with...").min_size(vec2(280.0, 0.0));
        if ui.add(open).clicked() {
            desk.todo.push(Action::OpenOther);
        }
        for run in runs.iter().filter(|run| !run.checkpoints.is_empty()) {
            let text = format!("{}: {}", tail(&run.name, 34), count(run.checkpoints.len(), "checkpoint"));
            let button = ui.add(Button::new(text).min_size(vec2(280.0, 0.0)));
            if button.on_hover_text(run.path.display().to_string()).clicked() {
                let spec = run.path.as_path().into();
                send(desk, CompareCommand::OpenOther { spec });
            }
        }
        let open = desk.session.snapshot().model.as_ref().map(|model| model.name.clone());
        for model in BUILT_IN.iter().filter(|model| Some(model.name) != open.as_deref()) {
            let button = Button::new(format!("The built-in model {}", model.name)).min_size(vec2(280.0, 0.0));
            if ui.add(button).on_hover_text(model.about).clicked() {
                send(desk, CompareCommand::OpenOther { spec: model.name.into() });
            }
        }
    });
}

/// The second model's name, how many images are searched, and how to leave.
pub fn other_ui(ui: &mut Ui, desk: &mut Desk, compare: &CompareView) {
    let snapshot = desk.session.snapshot().clone();
    let a = snapshot.model.as_ref().map_or("no model", |model| &model.name);
    let text = format!("A {} \u{b7} B {}", tail(a, 24), tail(&compare.name, 24));
    let label = ui.add(Label::new(RichText::new(text).strong()));
    label.on_hover_text(facts(desk, compare));
    if ui.button("Other...").on_hover_text("Opens another model or run as B.").clicked() {
        desk.todo.push(Action::OpenOther);
    }
    if ui.button("Close B").on_hover_text("Ends the comparison and frees its memory.").clicked() {
        send(desk, CompareCommand::CloseOther);
    }
    images_ui(ui, desk, compare);
    if let Some(extraction) = compare.extraction.as_ref().filter(|extraction| !extraction.finished) {
        let waits = compare.paused || extraction.stopped.is_some();
        let (text, tip) = match (&extraction.stopped, waits) {
            (Some(_), _) => ("Try again", "Reads the file again, and goes on embedding patches with B."),
            (None, true) => ("Go on", "Goes on embedding patches with B."),
            (None, false) => ("Pause B", "Stops embedding patches with B; what is there is searched."),
        };
        let done = extraction.progress.done;
        ui.weak(format!("{} of {}", thousands(done), count(extraction.progress.total as usize, "image")));
        if ui.small_button(text).on_hover_text(tip).clicked() {
            send(desk, CompareCommand::Pause(!waits));
        }
    }
}

fn images_ui(ui: &mut Ui, desk: &Desk, compare: &CompareView) {
    let Some(config) = desk.session.config() else { return };
    let most = config.gallery_images.max(1);
    let label = ui.label("Search");
    let shown = compare.images.min(most);
    // What is dragged is asked for where it is let go.
    let dragged = Id::unique("images of B");
    let mut images = ui.data(|data| data.get_temp(dragged)).unwrap_or(shown);
    let value = ui.add(DragValue::new(&mut images).range(1..=most).speed(1.0).update_while_editing(false));
    let value = value.labelled_by(label.id).on_hover_text(
        "Images whose patches are neighbours to choose from, under both models: B embeds them first. Spread over \
         those that the galleries of A reach and their classes.",
    );
    if value.dragged() {
        ui.data_mut(|data| data.insert_temp(dragged, images));
    } else {
        ui.data_mut(|data| data.remove::<usize>(dragged));
        if images != shown {
            send(desk, CompareCommand::Images(images));
        }
    }
    let spread = if images < most { ", spread" } else { "" };
    ui.label(format!("of {}{spread}", count(most, "image")));
}

/// Both models in a few lines.
fn facts(desk: &Desk, compare: &CompareView) -> String {
    let mut lines = vec![];
    if let Some(model) = &desk.session.snapshot().model {
        let hash = model.hash.get(..12).unwrap_or(&model.hash);
        let input = model.input;
        lines.push(format!(
            "A: {}, {}, input {input} x {input} pixels, weights {hash}",
            model.name, model.arch
        ));
    }
    match &compare.other {
        Some(other) => {
            let step = other.step.map_or(String::new(), |step| format!(" step {}", thousands(step)));
            let hash = other.hash.get(..12).unwrap_or(&other.hash);
            let (arch, input) = (&other.arch, other.input);
            lines.push(format!(
                "B: {}{step}, {arch}, input {input} x {input} pixels, weights {hash}",
                compare.name
            ));
        }
        None => lines.push(format!("B: {}", compare.name)),
    }
    if let Some(run) = &compare.run {
        lines.push(run.display().to_string());
    }
    let mib = |bytes: u64| thousands(bytes >> 20);
    let (used, budget) = (mib(compare.kept.bytes), mib(compare.kept.budget));
    lines.push(format!("{used} of {budget} MiB of memory for weights and vectors of B; the oldest go first"));
    lines.join("\n")
}

/// What is wrong, or what is still to come while the last stays on show. Always takes a line, so that nothing
/// jumps.
pub fn note_ui(ui: &mut Ui, compare: &CompareView, wanted: Option<u64>) {
    if let Some(error) = &compare.error {
        error_ui(ui, error);
        return;
    }
    ui.add(Label::new(RichText::new(note(compare, wanted)).weak()).truncate());
}

/// In words, what is not there yet.
fn note(compare: &CompareView, wanted: Option<u64>) -> String {
    let name = |step: Option<u64>| match step {
        Some(step) => format!("step {}", thousands(step)),
        None => compare.name.clone(),
    };
    let Some(other) = &compare.other else {
        return format!("Reading {} of {}...", name(wanted), compare.name);
    };
    if other.step != wanted {
        return format!(
            "{} is being computed; the maps are still those of {}.",
            name(wanted),
            name(other.step)
        );
    }
    let progress = compare.extraction.as_ref().filter(|extraction| !extraction.finished).map(|extraction| {
        let progress = &extraction.progress;
        format!("{} of {} images embedded", thousands(progress.done), thousands(progress.total))
    });
    let galleries = compare.galleries.as_ref();
    match (progress, galleries.map(|galleries| galleries.step)) {
        (Some(progress), Some(step)) if step != wanted => {
            format!("{}: {progress}; the galleries are still those of {}.", name(wanted), name(step))
        }
        (Some(progress), _) => format!("{}: {progress}.", name(wanted)),
        (None, Some(step)) if step != wanted => format!("{}: searching...", name(wanted)),
        (None, None) => "The galleries come when both models have embedded the first images.".to_owned(),
        _ => String::new(),
    }
}

/// The step on show, as the heading of a pane tells it.
pub fn step_text(compare: &CompareView, step: Option<u64>) -> String {
    step.map_or_else(|| tail(&compare.name, 18), |step| format!("step {}", thousands(step)))
}
