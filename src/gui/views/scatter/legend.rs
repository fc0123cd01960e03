//! What the colours of the points say.

use eframe::egui::{Color32, Label, Mesh, Rect, RichText, Role, Sense, Shape, Ui, WidgetInfo, pos2, vec2};

use crate::colormap::{category, place_color};
use crate::engine::{PointColor, Tints};
use crate::gui::desk::Desk;
use crate::gui::paint::dots::number_color;
use crate::gui::paint::theme;

/// Kinds that are named at most.
const MOST: usize = 40;
/// Height of the samples, points.
const HEIGHT: f32 = 12.0;

/// Draws it in a row or, where there are many kinds, a few.
pub fn ui(ui: &mut Ui, desk: &Desk, color: PointColor, tints: Option<&Tints>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 2.0);
        match tints {
            Some(Tints::Kinds { names, there, .. }) => kinds_ui(ui, names, there),
            Some(Tints::Places(_)) => places_ui(ui),
            Some(Tints::Numbers { range, .. }) => numbers_ui(ui, desk, color, *range),
            None => drop(ui.label(RichText::new("colouring...").small().weak())),
        }
    });
}

fn kinds_ui(ui: &mut Ui, names: &[String], there: &[u16]) {
    let named = there.iter().take(MOST).map(|kind| usize::from(*kind));
    for (kind, name) in named.filter_map(|kind| Some((kind, names.get(kind)?))) {
        let (sample, _) = ui.allocate_exact_size(vec2(HEIGHT, HEIGHT), Sense::hover());
        ui.painter().circle_filled(sample.center(), 4.5, theme::rgb(category(kind)));
        ui.add(Label::new(RichText::new(name).small()).extend());
        ui.add_space(4.0);
    }
    if there.len() > MOST {
        ui.label(RichText::new(format!("and {} more", there.len() - MOST)).small().weak());
    }
}

fn places_ui(ui: &mut Ui) {
    let (square, response) = ui.allocate_exact_size(vec2(2.5 * HEIGHT, 2.0 * HEIGHT), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "colours of places in an image"));
    // Corner by corner: the colours are linear in between.
    let mut mesh = Mesh::default();
    for (x, y) in [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)] {
        let color = theme::rgb(place_color([x, y]));
        mesh.colored_vertex(square.min + square.size() * vec2(x, y), color);
    }
    mesh.add_triangle(0, 1, 2);
    mesh.add_triangle(0, 2, 3);
    ui.painter().add(Shape::mesh(mesh));
    ui.label(RichText::new("the image: where in it a patch lies").small());
}

fn numbers_ui(ui: &mut Ui, desk: &Desk, color: PointColor, [low, high]: [f32; 2]) {
    let words = |value: f32| format!("{value:.2}").replace('-', "\u{2212}");
    ui.label(RichText::new(format!("{} {}", color.name(), words(low))).small());
    let (bar, response) = ui.allocate_exact_size(vec2(128.0, HEIGHT), Sense::hover());
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Image, true, format!("{} {} to {}", color.name(), words(low), words(high)))
    });
    let dark = ui.visuals().dark_mode;
    let steps = 64;
    for step in 0..steps {
        let left = bar.left() + bar.width() * step as f32 / steps as f32;
        let piece = Rect::from_min_max(
            pos2(left, bar.top()),
            pos2(left + bar.width() / steps as f32 + 0.5, bar.bottom()),
        );
        let tint: Color32 = number_color(desk.settings.colormap, (step as f32 + 0.5) / steps as f32, dark);
        ui.painter().rect_filled(piece.intersect(bar), 0.0, tint);
    }
    let tip = "All but the outermost hundredths; what is beyond has the colour of the end.";
    response.on_hover_text(tip);
    ui.label(RichText::new(words(high)).small());
}
