//! How picture files are decoded, as the dialogs that open data ask for it.

use eframe::egui::{DragValue, Ui};

use crate::engine::facts::{Decoding, Exif, ValueRule, ValueWindow};

/// Twelve bits, as many cameras and microscopes have.
const TWELVE_BITS: ValueWindow = ValueWindow { low: 0.0, high: 4095.0 };

/// Three lines of choices.
pub fn decoding_ui(ui: &mut Ui, decoding: &mut Decoding) {
    ui.horizontal_wrapped(|ui| {
        ui.label("EXIF orientation:");
        ui.radio_value(&mut decoding.exif, Exif::Apply, "apply").on_hover_text("As viewers of pictures do.");
        ui.radio_value(&mut decoding.exif, Exif::Ignore, "ignore")
            .on_hover_text("As torchvision's loaders do: for numbers that others made so.");
    });
    ui.horizontal_wrapped(|ui| {
        let rule = &mut decoding.value_window;
        ui.label("Black to white, of more than 8 bits:");
        ui.radio_value(rule, ValueRule::File, "as the file says")
            .on_hover_text("Else, the smallest and the largest value of each image.");
        ui.radio_value(rule, ValueRule::Image, "each image");
        ui.radio_value(rule, ValueRule::Data, "all images")
            .on_hover_text("The smallest and the largest value of all, in both splits where there are two: opening reads every image.");
        let is_told = matches!(rule, ValueRule::Window(_));
        if ui.radio(is_told, "values").clicked() && !is_told {
            *rule = ValueRule::Window(TWELVE_BITS);
        }
    });
    window_ui(ui, &mut decoding.value_window);
}

/// Both ends of the window of values; they stand there also while another rule is chosen, so that nothing moves.
fn window_ui(ui: &mut Ui, rule: &mut ValueRule) {
    let mut unused = TWELVE_BITS;
    let (is_told, ValueWindow { low, high }) = match rule {
        ValueRule::Window(window) => (true, window),
        ValueRule::File | ValueRule::Image | ValueRule::Data => (false, &mut unused),
    };
    ui.add_enabled_ui(is_told, |ui| {
        ui.horizontal(|ui| {
            let label = ui.label("Values from").id;
            let before = *high;
            ui.add(DragValue::new(low).range(f64::MIN..=before)).labelled_by(label);
            let label = ui.label("to").id;
            ui.add(DragValue::new(high).range(*low..=f64::MAX)).labelled_by(label);
            if *low >= *high {
                *high = *low + 1.0; // a window of no width could not be read back
            }
        });
    });
}
