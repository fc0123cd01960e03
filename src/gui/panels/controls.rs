//! The settings of the heatmaps and of the galleries, each with its unit.

use eframe::egui::{ComboBox, DragValue, Response, Slider, Ui};

use crate::colormap::Colormap;
use crate::engine::ExploreConfig;
use crate::gui::text::{count, thousands};

use super::Desk;

/// Colour scales to choose from, cosine at both ends.
const RANGES: [[f32; 2]; 4] = [[-1.0, 1.0], [-0.5, 1.0], [0.0, 1.0], [0.5, 1.0]];
const COLORMAPS: [(Colormap, &str); 4] = [
    (Colormap::Magma, "magma"),
    (Colormap::Viridis, "viridis"),
    (Colormap::Cividis, "cividis"),
    (Colormap::Coolwarm, "coolwarm"),
];
/// Numbers of neighbours, with the cells that they make with the query.
const NEIGHBOURS: [(usize, &str); 2] = [(119, "119 (10 x 12)"), (255, "255 (16 x 16)")];

/// Patch size and stride of the heatmaps, and how these are coloured.
pub fn heatmap_controls_ui(ui: &mut Ui, desk: &mut Desk) {
    ui.horizontal_wrapped(|ui| {
        config_ui(ui, desk, |ui, config, side| {
            number_ui(ui, "Patch", &mut config.grid.patch, 1..=side, " px")
                .on_hover_text("Side of a patch, pixels of the image (Sec. 3 of the paper).");
            number_ui(ui, "Stride", &mut config.grid.stride, 1..=side, " px").on_hover_text(
                "Distance between the patches of the heatmaps, pixels; smaller is finer and slower.",
            );
        });
        ui.separator();
        colormap_ui(ui, desk);
        range_ui(ui, desk);
        let label = ui.label("Overlay");
        ui.add(Slider::new(&mut desk.settings.opacity, 0..=100).suffix(" %").step_by(5.0))
            .labelled_by(label.id)
            .on_hover_text(
                "Opacity of the heatmaps over the image ([ and ]). Colours match the bar at 100 %.",
            );
        ui.checkbox(&mut desk.settings.grid, "Grid").on_hover_text("Outlines the cells of the heatmaps (G).");
    });
}

/// What the galleries search, and how much they show.
pub fn gallery_controls_ui(ui: &mut Ui, desk: &mut Desk) {
    let images = desk.session.snapshot().data.as_ref().map_or(1, |data| data.images).max(1);
    ui.horizontal_wrapped(|ui| {
        config_ui(ui, desk, |ui, config, side| {
            ui.label("Neighbours");
            let chosen = NEIGHBOURS.iter().find(|(number, _)| *number == config.neighbours);
            let text = chosen.map_or_else(|| config.neighbours.to_string(), |(_, text)| (*text).to_owned());
            let combo = ComboBox::from_id_salt("neighbours").width(104.0).selected_text(text);
            let combo = combo.show_ui(ui, |ui| {
                for (number, text) in NEIGHBOURS {
                    ui.selectable_value(&mut config.neighbours, number, text);
                }
            });
            combo.response.accessible_name("Neighbours");
            number_ui(ui, "Search stride", &mut config.gallery_stride, 1..=side, " px")
                .on_hover_text("Distance between the patches that the galleries search, pixels.");
            config.gallery_images = config.gallery_images.min(images);
            number_ui(ui, "in the first", &mut config.gallery_images, 1..=images, "")
                .on_hover_text("How many images the galleries reach, from the first of the data set.");
            ui.label(format!("of {}", count(images, "image")));
        });
    });
}

/// Lets `edit` change a copy of the settings and hands it on if it did. `edit`
/// also gets the longest side that makes sense here, pixels.
fn config_ui(ui: &mut Ui, desk: &mut Desk, edit: impl FnOnce(&mut Ui, &mut ExploreConfig, u32)) {
    let Some(config) = desk.session.config() else { return };
    let view = desk.session.snapshot().view.clone();
    let side = view.map_or(224, |view| view.image.width().min(view.image.height())).max(1);
    let mut edited = config;
    edit(ui, &mut edited, side);
    if edited != config {
        desk.session.change_config(edited, ui.input(|input| input.time));
    }
}

fn number_ui<N: eframe::emath::Numeric>(
    ui: &mut Ui,
    name: &str,
    number: &mut N,
    range: std::ops::RangeInclusive<N>,
    unit: &str,
) -> Response {
    let label = ui.label(name);
    let plain = |number: f64, _| thousands(number.round() as usize);
    let parse = |text: &str| text.replace([',', ' '], "").trim_end_matches("px").parse().ok();
    let speed = if range.end().to_f64() > 1000.0 { 25.0 } else { 0.1 };
    // A value that is out of range for this image stays until it is touched.
    let value = DragValue::new(number).range(range).clamp_existing_to_range(false).speed(speed);
    ui.add(value.suffix(unit).custom_formatter(plain).custom_parser(parse)).labelled_by(label.id)
}

fn colormap_ui(ui: &mut Ui, desk: &mut Desk) {
    let chosen = &mut desk.settings.colormap;
    let name = COLORMAPS.iter().find(|(colormap, _)| colormap == chosen).map_or("", |(_, name)| name);
    let combo = ComboBox::from_id_salt("colours").width(72.0).selected_text(name).show_ui(ui, |ui| {
        for (colormap, name) in COLORMAPS {
            ui.selectable_value(chosen, colormap, name);
        }
    });
    combo.response.accessible_name("Colours").on_hover_text("Colours of the heatmaps.");
}

fn range_ui(ui: &mut Ui, desk: &mut Desk) {
    let text = |[lo, hi]: [f32; 2]| format!("{lo} to {hi}").replace('-', "\u{2212}");
    ui.label("Range");
    let combo = ComboBox::from_id_salt("range").width(64.0).selected_text(text(desk.settings.range));
    let combo = combo.show_ui(ui, |ui| {
        for range in RANGES {
            ui.selectable_value(&mut desk.settings.range, range, text(range));
        }
        if let Some(range) = common_range(desk) {
            ui.selectable_value(&mut desk.settings.range, range, format!("{} (these maps)", text(range)));
        }
    });
    combo.response.accessible_name("Range").on_hover_text(
        "Cosines at the ends of the one colour scale. It is shared by all spaces and stays until you change it.",
    );
}

/// The tightest range in tenths that holds all values of all maps on show.
fn common_range(desk: &Desk) -> Option<[f32; 2]> {
    let query = desk.session.snapshot().query.as_ref()?;
    let values = || query.maps.iter().flat_map(|map| map.values.iter()).filter(|value| !value.is_nan());
    let lo = values().copied().reduce(f32::min)?;
    let hi = values().copied().reduce(f32::max)?;
    let [lo, hi] = [(lo * 10.0).floor() / 10.0, (hi * 10.0).ceil() / 10.0].map(|at| at.clamp(-1.0, 1.0));
    (lo < hi).then_some([lo, hi])
}
