//! The bar at the top: what is open, and the choices that concern the whole window.

use eframe::egui::{Align, Button, CursorIcon, Label, Layout, RichText, Sense, ThemePreference, Ui};

use crate::engine::facts::DecodingFacts;
use crate::engine::{DataDescription, EvaluationPhase, ModelDescription};

use crate::gui::desk::Desk;
use crate::gui::nouns::Tab;
use crate::gui::nouns::actions::{Action, keys_of};
use crate::gui::nouns::text::{count, thousands};
use crate::words::first_names;

/// Classes that the tooltip of the data set names.
const NAMED_CLASSES: usize = 40;

/// A window narrower than this has the bar in several rows, points.
const NARROW: f32 = 900.0;

/// Draws the top bar.
pub fn top_ui(ui: &mut Ui, desk: &mut Desk) {
    if ui.available_width() < NARROW {
        ui.horizontal_wrapped(|ui| {
            tabs_ui(ui, desk);
            open_ui(ui, desk);
            theme_ui(ui, desk);
            action_button(ui, desk, "Keys", Action::Help);
        });
        return;
    }
    ui.horizontal(|ui| {
        ui.label(RichText::new("bagssl").strong());
        tabs_ui(ui, desk);
        ui.separator();
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            action_button(ui, desk, "Keys", Action::Help);
            theme_ui(ui, desk);
            ui.separator();
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| open_ui(ui, desk));
        });
    });
}

/// The tabs; a run or an evaluation that goes on is told beside the name.
fn tabs_ui(ui: &mut Ui, desk: &mut Desk) {
    let training = desk.session.snapshot().runs.active.clone().filter(|view| view.phase.is_active());
    let train =
        training.map_or("Train".to_owned(), |view| format!("Train \u{b7} {:.0} %", 100.0 * view.fraction()));
    let evaluation = desk.session.snapshot().views.evaluation.clone();
    let running = evaluation.filter(|view| view.phase == EvaluationPhase::Running);
    let evaluate = running
        .map_or("Evaluate".to_owned(), |view| format!("Evaluate \u{b7} {:.0} %", 100.0 * view.fraction()));
    for (tab, name, action) in [
        (Tab::Explore, "Explore".to_owned(), Action::ShowExplore),
        (Tab::Train, train, Action::ShowTrain),
        (Tab::Evaluate, evaluate, Action::ShowEvaluate),
    ] {
        let label = ui.selectable_label(desk.tab == tab, name);
        if label.on_hover_text(keys_of(ui.ctx(), action)).clicked() {
            desk.todo.push(action);
        }
    }
}

fn open_ui(ui: &mut Ui, desk: &mut Desk) {
    let snapshot = desk.session.snapshot().clone();
    // Each of the two gets half of the room that the buttons leave.
    let room = ((ui.available_width() - 260.0) / 2.0).max(80.0);
    match &snapshot.model {
        Some(model) => {
            let label = truncated(ui, &model_text(model), room).interact(Sense::CLICK);
            let label = label.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(format!(
                "{}\n{} {}",
                model_details(model),
                if model.missing.is_some() {
                    "A click opens it."
                } else {
                    "A click tells more, and changes how its file is taken."
                },
                keys_of(ui.ctx(), Action::AboutModel)
            ));
            if label.clicked() {
                desk.todo.push(Action::AboutModel);
            }
        }
        None => drop(truncated(ui, "no model", room)),
    }
    action_button(ui, desk, "Open model...", Action::OpenModel);
    ui.separator();
    match &snapshot.data {
        Some(data) => {
            let label = truncated(ui, &data_text(data), room);
            label.on_hover_ui(|ui| drop(ui.label(data_details(data))));
        }
        None => drop(truncated(ui, "no data", room)),
    }
    action_button(ui, desk, "Open data...", Action::OpenData);
}

fn truncated(ui: &mut Ui, text: &str, width: f32) -> eframe::egui::Response {
    ui.scope(|ui| {
        ui.set_max_width(width);
        ui.add(Label::new(text).truncate())
    })
    .inner
}

fn model_text(model: &ModelDescription) -> String {
    let spaces: Vec<String> =
        model.spaces.iter().rev().map(|(name, width)| format!("{name} {}", thousands(*width))).collect();
    let what = if model.missing.is_some() { "a bank's vectors, no model" } else { &model.arch };
    format!("{} \u{b7} {what} \u{b7} {}", model.name, spaces.join(", "))
}

fn model_details(model: &ModelDescription) -> String {
    let ModelDescription { name, input, hash, .. } = model;
    match &model.missing {
        None => format!(
            "Model {name}, input {input} x {input} pixels, weights {}",
            hash.get(..12).unwrap_or(hash)
        ),
        Some(reason) => format!(
            "The vectors of a bank without their model: {reason}.\nWhat lies in the bank is there at once: maps, \
             galleries over all its patches, queries on its grid. Other patch sizes, drawn boxes, pictures from outside, \
             the microscope and Compare need the model: Open model..."
        ),
    }
}

fn data_text(data: &DataDescription) -> String {
    format!("{} \u{b7} {}", data.name, count(data.images, "image"))
}

fn data_details(data: &DataDescription) -> String {
    let mut text = format!("{}, {}", data.kind, count(data.images, "image"));
    if let Some((height, width)) = data.size {
        text += &format!(" of {width} x {height} pixels");
    }
    if !data.classes.is_empty() {
        let names = first_names(&data.classes, NAMED_CLASSES);
        text += &format!(", {}: {names}", count(data.classes.len(), "class"));
    }
    for words in data.decoding.iter().flat_map(DecodingFacts::words) {
        text += &format!("\n{words}");
    }
    text
}

/// A button for an action, with its keys in the tooltip.
pub fn action_button(ui: &mut Ui, desk: &mut Desk, text: &str, action: Action) {
    let keys = keys_of(ui.ctx(), action);
    let mut button = ui.add(Button::new(text));
    if !keys.is_empty() {
        button = button.on_hover_text(keys);
    }
    if button.clicked() {
        desk.todo.push(action);
    }
}

fn theme_ui(ui: &mut Ui, desk: &mut Desk) {
    let mut themes = [
        (ThemePreference::Light, "Light"),
        (ThemePreference::Dark, "Dark"),
        (ThemePreference::System, "System"),
    ];
    if ui.layout().prefer_right_to_left() {
        themes.reverse();
    }
    for (theme, name) in themes {
        ui.spacing_mut().item_spacing.x = 2.0;
        if ui.selectable_label(desk.settings.theme == theme, name).clicked() {
            desk.settings.theme = theme;
            ui.ctx().set_theme(theme);
        }
    }
    ui.reset_style();
}
