//! A name and what stands beside it, in columns.

use eframe::egui::{Align, Label, Layout, Response, Ui, WidgetText, vec2};

/// Width of the names before the few fields of the form itself, points.
const SHORT_NAME: f32 = 64.0;

/// A name in a column of `width` points.
pub fn name_ui(ui: &mut Ui, width: f32, text: impl Into<WidgetText>) -> Response {
    let layout = Layout::left_to_right(Align::Center);
    let column = ui.allocate_ui_with_layout(vec2(width, 22.0), layout, |ui| {
        ui.set_min_width(width);
        ui.add(Label::new(text).truncate())
    });
    column.inner
}

/// A name and what stands beside it.
pub fn short_row(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        name_ui(ui, SHORT_NAME, name);
        add(ui);
    });
}
