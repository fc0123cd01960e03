//! What is set of the toy world: each number with its range and what it does.

use std::ops::RangeInclusive;

use eframe::egui::emath::Numeric;
use eframe::egui::{Button, DragValue, Response, Ui};

use crate::engine::{WorldLimits, WorldPlan};
use crate::gui::panels::controls::{name_ui, number_ui};

const LIMITS: WorldLimits = WorldLimits::WINDOW;
/// Largest seed that is offered.
const LAST_SEED: u64 = 9999;
/// Room for a number with its unit, points.
const FIELD: f32 = 56.0;

/// Draws the numbers of `plan`, and what sets them as they were at first.
pub fn ui(ui: &mut Ui, plan: &mut WorldPlan) {
    let whole = |range: &RangeInclusive<usize>| format!("{} to {}", range.start(), range.end());
    let value = whole_number(&mut plan.images, LIMITS.images);
    field_ui(ui, "Images", value).on_hover_text(format!(
        "Images that the world is a mixture of, {}: the rank of p12 is at most as large.",
        whole(&LIMITS.images)
    ));
    let value = whole_number(&mut plan.patches, LIMITS.patches);
    field_ui(ui, "Kinds", value).on_hover_text(format!(
        "Kinds of patches, {}: rows and columns of the matrices.",
        whole(&LIMITS.patches)
    ));
    let value = whole_number(&mut plan.dim, LIMITS.dim);
    field_ui(ui, "d", value).on_hover_text(format!(
        "Width of z, {}. From the rank of p12 on z holds all of it; below, the best is its largest eigenvalues.",
        whole(&LIMITS.dim)
    ));
    let (least, most) = (*LIMITS.w.start(), *LIMITS.w.end());
    let value = DragValue::new(&mut plan.w).range(LIMITS.w).speed(0.02).max_decimals(3);
    field_ui(ui, "w", value).on_hover_text(format!(
        "w of Prop. 3.1, {least} to {most}: lambda of the loss is w / 2. It scales z and changes nothing else."
    ));
    let mut percent = 100.0 * plan.noise;
    let value = DragValue::new(&mut percent).range(0.0..=100.0).speed(0.5).max_decimals(1).suffix(" %");
    let field = field_ui(ui, "Noise", value).on_hover_text(
        "Share of an even distribution in each image, 0 to 100 %: at 100 % all images are alike, and all kinds independent.",
    );
    if field.changed() {
        plan.noise = percent / 100.0;
    }
    let value = whole_number(&mut plan.seed, 0..=LAST_SEED);
    field_ui(ui, "Seed", value).on_hover_text(format!("Draws the world and the first z, 0 to {LAST_SEED}."));
    if ui.button("Next world").on_hover_text("The world of the next seed.").clicked() {
        plan.seed = if plan.seed < LAST_SEED { plan.seed + 1 } else { 0 };
    }
    number_ui(ui, "Steps", &mut plan.steps, LIMITS.steps, "").on_hover_text(
        "Steps of the optimiser, 10 to 100,000; the learning rate falls to 0 over all of them.",
    );
    let is_usual = *plan == WorldPlan::USUAL;
    let button = ui.add_enabled(!is_usual, Button::new("Defaults"));
    let tip = "All numbers as they were at first, those of bagssl cooccurrence.";
    if button.on_hover_text(tip).on_disabled_hover_text(tip).clicked() {
        *plan = WorldPlan::USUAL;
    }
}

/// A number with its name.
fn field_ui(ui: &mut Ui, name: &str, value: DragValue<'_>) -> Response {
    let label = name_ui(ui, name, FIELD);
    ui.add(value).labelled_by(label.id)
}

/// One up or down for a key or a point of the pointer's way.
fn whole_number<N: Numeric>(number: &mut N, range: RangeInclusive<N>) -> DragValue<'_> {
    DragValue::new(number).range(range).speed(1.0)
}
