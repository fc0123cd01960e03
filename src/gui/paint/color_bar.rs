//! The one colour bar that all heatmaps share.

use eframe::egui::{
    Align2, Color32, FontId, Mesh, Rect, Sense, Shape, Stroke, StrokeKind, TextStyle, Ui, epaint::TextShape,
    pos2, vec2,
};

use crate::colormap::Colormap;
use crate::gui::paint::scale::MapScale;
use crate::gui::paint::theme::{self, rgb};

/// Width of bar, ticks and label, points.
pub const WIDTH: f32 = 72.0;
/// Width of the bar alone.
const BAR: f32 = 14.0;
/// Room at both ends for half a tick's text.
const END: f32 = 7.0;
const TICKS: usize = 5;

/// Draws the bar of the heatmaps' `scale` with `values`, those of each space under the pointer.
pub fn ui<'a>(ui: &mut Ui, rect: Rect, scale: &MapScale, values: impl Iterator<Item = (&'a str, f32)>) {
    let [lo, hi] = scale.range;
    let text = format!(
        "{} One scale for all spaces, locked at {} to {}; a patch that is not computed yet has the neutral \
         colour.",
        scale.explanation,
        tick_text(lo, hi - lo),
        tick_text(hi, hi - lo)
    );
    with_words(ui, rect, scale, values, &text);
}

/// Draws the bar of `scale` with its ticks, its label and `values`; `words` say what it is.
pub fn with_words<'a>(
    ui: &mut Ui,
    rect: Rect,
    scale: &MapScale,
    values: impl Iterator<Item = (&'a str, f32)>,
    words: &str,
) {
    let [lo, hi] = scale.range;
    let bar = Rect::from_min_max(
        pos2(rect.left() + 10.0, rect.top() + END),
        pos2(rect.left() + 10.0 + BAR, rect.bottom() - END),
    );
    gradient(ui, bar, scale.colormap);
    let text_color = ui.visuals().text_color();
    let font = TextStyle::Small.resolve(ui.style());
    let height_of = |value: f32| bar.bottom() - (value - lo) / (hi - lo) * bar.height();
    for tick in 0..TICKS {
        let value = lo + (hi - lo) * tick as f32 / (TICKS - 1) as f32;
        let y = height_of(value);
        ui.painter().hline(bar.right()..=bar.right() + 3.0, y, Stroke::new(1.0, text_color));
        let label = tick_text(value, hi - lo);
        ui.painter().text(pos2(bar.right() + 6.0, y), Align2::LEFT_CENTER, label, font.clone(), text_color);
    }
    label_ui(ui, rect, scale.label, font, text_color);
    for (space, value) in values {
        pointer_ui(ui, bar, height_of(value.clamp(lo, hi)), space);
    }
    ui.allocate_rect(rect, Sense::hover()).on_hover_text(words);
}

/// A tick's text: as many digits as quarters of the range need, with a true minus sign.
fn tick_text(value: f32, span: f32) -> String {
    let digits = if span >= 2.0 { 1 } else { 2 };
    let text = format!("{:.digits$}", value.abs());
    if value < 0.0 && text.contains(|digit: char| ('1'..='9').contains(&digit)) {
        format!("\u{2212}{text}")
    } else {
        text
    }
}

fn gradient(ui: &Ui, bar: Rect, colormap: Colormap) {
    let mut mesh = Mesh::default();
    let step = bar.height() / 256.0;
    for (index, [r, g, b, _]) in colormap.lut().iter().enumerate() {
        let bottom = bar.bottom() - index as f32 * step;
        let cell = Rect::from_min_max(pos2(bar.left(), bottom - step), pos2(bar.right(), bottom));
        mesh.add_colored_rect(cell, Color32::from_rgb(*r, *g, *b));
    }
    ui.painter().add(Shape::mesh(mesh));
    let stroke = ui.visuals().widgets.noninteractive.bg_stroke;
    ui.painter().rect_stroke(bar, 0.0, stroke, StrokeKind::Outside);
}

/// What the numbers are, from bottom to top along the right edge.
fn label_ui(ui: &Ui, rect: Rect, label: &str, font: FontId, color: Color32) {
    let galley = ui.painter().layout_no_wrap(label.to_owned(), font, color);
    let corner = pos2(rect.right() - galley.size().y, rect.center().y + galley.size().x / 2.0);
    ui.painter().add(TextShape::new(corner, galley, color).with_angle(-std::f32::consts::FRAC_PI_2));
}

/// A small pointer in the hue of `space`: z from the left; any other from the left too, lying over it.
fn pointer_ui(ui: &Ui, bar: Rect, y: f32, space: &str) {
    let fill = rgb(crate::colormap::space_color(space));
    let tip = pos2(bar.left() + 1.0, y);
    let points = vec![tip, tip + vec2(-8.0, -4.0), tip + vec2(-8.0, 4.0)];
    let edge = theme::accent(ui.visuals().dark_mode).lerp_to_gamma(Color32::WHITE, 0.8);
    ui.painter().add(Shape::convex_polygon(points, fill, Stroke::new(1.0, edge)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_have_the_digits_that_they_need() {
        let ticks = |lo: f32, hi: f32| {
            let text = |tick| tick_text(lo + (hi - lo) * tick as f32 / 4.0, hi - lo);
            (0..TICKS).map(text).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ticks(-1.0, 1.0), "\u{2212}1.0 \u{2212}0.5 0.0 0.5 1.0");
        assert_eq!(ticks(0.0, 1.0), "0.00 0.25 0.50 0.75 1.00");
    }
}
