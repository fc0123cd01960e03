//! Three steps to begin with, shown until they are dismissed.

use eframe::egui::{Frame, Id, Margin, RichText, Role, Ui, WidgetInfo};

use crate::gui::desk::Desk;
use crate::gui::paint::theme::{self, STEP};

/// The steps: what to do, and what it shows.
pub const STEPS: [(&str, &str); 3] = [
    ("Click the image", "The maps show which places the model holds alike to that patch, in z and in h."),
    ("Compare z and h below", "The nearest patches of the images searched; frames tell classes apart."),
    ("Click a neighbour to go there", "Backspace returns. Ctrl+P finds every command, F1 lists the keys."),
];

/// Draws the steps side by side, unless they were dismissed.
pub fn hint_ui(ui: &mut Ui, desk: &mut Desk) {
    if !desk.settings.hint {
        return;
    }
    let frame = Frame::new().fill(ui.visuals().faint_bg_color).corner_radius(4);
    frame.inner_margin(Margin::symmetric(8, 4)).show(ui, |ui| {
        ui.horizontal_top(|ui| {
            let accent = theme::accent(ui.visuals().dark_mode);
            let width = (ui.available_width() - 80.0) / STEPS.len() as f32 - STEP;
            for (index, (what, why)) in STEPS.iter().enumerate() {
                let step = ui.vertical(|ui| {
                    ui.set_width(width);
                    ui.label(RichText::new(format!("{}  {what}", index + 1)).strong().color(accent));
                    ui.label(RichText::new(*why).weak());
                });
                let whole = ui.interact(
                    step.response.rect,
                    Id::unique(("hint", index)),
                    eframe::egui::Sense::hover(),
                );
                whole.widget_info(|| {
                    WidgetInfo::labeled(Role::Note, true, format!("Step {}: {what}. {why}", index + 1))
                });
            }
            if ui
                .button("Got it")
                .on_hover_text("They come back with \"Three steps to begin\" (Ctrl+P).")
                .clicked()
            {
                desk.settings.hint = false;
            }
        });
    });
    ui.add_space(STEP / 2.0);
}
