//! The matrices of the toy world side by side on one scale, and what they differ by; the pair under the pointer is read in all.

use std::sync::Arc;

use eframe::egui::{
    Id, Label, Pos2, Rect, RichText, Role, Sense, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::numbers::with_minus;
use crate::colormap::Colormap;
use crate::engine::{WorldReport, WorldView};
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::text::thousands;
use crate::gui::paint::color_bar;
use crate::gui::paint::heatmap_paint::HeatmapPaint;
use crate::gui::paint::map_painter::slots;
use crate::gui::paint::marks;
use crate::gui::paint::scale::MapScale;
use crate::gui::paint::theme::STEP;
use crate::gui::widgets::place::heading_ui;

/// Height of a line of words, points.
const LINE: f32 = 20.0;
/// Sides of a matrix, points.
const SIDES: std::ops::RangeInclusive<f32> = 96.0..=480.0;
/// The third matrix stands below where three in a row were smaller, points.
const THREE: f32 = 120.0;
/// Share of the height that a matrix takes.
const SHARE: f32 = 0.45;
/// Behind the buffers of the maps of the image on show.
const FIRST_SLOT: usize = slots::of(ExploreView::Measures) + 50;
/// The scale of the difference ends at this share of the largest ratio, so that what is left at the end can be seen.
const DIFFERENCE: f32 = 0.25;

/// A matrix.
struct WorldMatrix<'a> {
    title: &'static str,
    explanation: &'static str,
    values: &'a Arc<Vec<f32>>,
    scale: MapScale,
}

/// Where they lie.
struct WorldPlaces {
    side: f32,
    matrices: [Pos2; 3],
    bars: [Pos2; 2],
    height: f32,
}

impl WorldPlaces {
    /// In a row, or the third below the first, in an area that is `room` wide.
    fn of(area: Pos2, room: f32, height: f32) -> Self {
        let bar = color_bar::WIDTH;
        let three = (room - 2.0 * bar - 4.0 * STEP) / 3.0;
        let is_row = three >= THREE;
        let side = if is_row { three } else { (room - bar - 2.0 * STEP) / 2.0 };
        let side = side.min(height * SHARE).clamp(*SIDES.start(), *SIDES.end()).floor();
        let line = |row: f32| area.y + LINE + row * (side + LINE + STEP);
        let next = side + STEP;
        let first = [pos2(area.x, line(0.0)), pos2(area.x + next, line(0.0))];
        let bar_at = pos2(area.x + 2.0 * next, line(0.0));
        let third = if is_row { pos2(bar_at.x + bar + STEP, line(0.0)) } else { pos2(area.x, line(1.0)) };
        let bars = [bar_at, third + vec2(next, 0.0)];
        let rows = if is_row { 1.0 } else { 2.0 };
        let height = rows * (side + LINE) + (rows - 1.0) * STEP;
        Self { side, matrices: [first[0], first[1], third], bars, height }
    }
}

/// Draws them.
pub fn ui(ui: &mut Ui, view: &WorldView, colormap: Colormap) {
    let room = ui.available_width();
    let top = ui.cursor().min;
    let places = WorldPlaces::of(top, room, ui.clip_rect().height());
    ui.allocate_space(vec2(room, places.height));
    let matrices = matrices(view, colormap);
    let kinds = view.report.plan.patches;
    let rects = places.matrices.map(|corner| Rect::from_min_size(corner, Vec2::splat(places.side)));
    let mut pointed = None;
    for (index, (matrix, rect)) in matrices.iter().zip(rects).enumerate() {
        let response = ui.interact(rect, Id::unique(("world", index)), Sense::hover());
        let name = format!("{}: {kinds} x {kinds} kinds of patches", matrix.title);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
        pointed = pointed.or(response.hover_pos().and_then(|pos| pair_at(rect, pos, kinds)));
    }
    for (index, (matrix, rect)) in matrices.iter().zip(rects).enumerate() {
        matrix_ui(ui, index, matrix, rect, kinds, pointed);
    }
    for (scale, corner) in [matrices[0].scale, matrices[2].scale].iter().zip(places.bars) {
        let bar = Rect::from_min_size(corner, vec2(color_bar::WIDTH, places.side));
        color_bar::with_words(ui, bar, scale, std::iter::empty(), scale.explanation);
    }
    let words =
        pair_words(&view.report, pointed, |pair| [&view.ratios, &view.found].map(|of| of.get(pair).copied()));
    ui.add(Label::new(RichText::new(words).weak()).wrap());
}

fn matrices(view: &WorldView, colormap: Colormap) -> [WorldMatrix<'_>; 3] {
    let most = view.report.largest_ratio as f32;
    let shared = MapScale {
        range: [0.0, most],
        colormap,
        label: "both matrices",
        explanation: "One scale for p12 / (p1 p2) and w z1.z2, from 0 to the largest ratio: 1 where two kinds stand together as \
                      often as independent ones. Products beyond the ends have the colours of the ends.",
    };
    let difference = MapScale {
        range: [-DIFFERENCE * most, DIFFERENCE * most],
        colormap: Colormap::Coolwarm,
        label: "difference",
        explanation: "w z1.z2 less p12 / (p1 p2), to a quarter of the largest ratio either way: red where z says more than there \
                      is, blue where it says less. What is beyond has the colours of the ends.",
    };
    [
        WorldMatrix {
            title: "p12 / (p1 p2)",
            explanation: "How often two kinds of patches stand on one image, of how often they would if they were independent.",
            values: &view.ratios,
            scale: shared,
        },
        WorldMatrix {
            title: "w z1.z2",
            explanation: "w times the product of the kinds' vectors, as the optimiser has them by now.",
            values: &view.found,
            scale: shared,
        },
        WorldMatrix {
            title: "difference",
            explanation: "w z1.z2 less p12 / (p1 p2).",
            values: &view.errors,
            scale: difference,
        },
    ]
}

fn matrix_ui(
    ui: &mut Ui,
    index: usize,
    matrix: &WorldMatrix<'_>,
    rect: Rect,
    kinds: usize,
    pointed: Option<(usize, usize)>,
) {
    let heading = Rect::from_min_size(rect.min - vec2(0.0, LINE), vec2(rect.width(), LINE));
    let value = pointed.and_then(|(row, col)| matrix.values.get(row * kinds + col));
    heading_ui(ui, heading, |ui| {
        ui.add(Label::new(RichText::new(matrix.title).strong()).truncate()).on_hover_text(matrix.explanation);
        if let Some(value) = value {
            ui.label(RichText::new(with_minus(format!("{value:.3}"))).weak());
        }
    });
    let painter = ui.painter_at(rect.expand(2.0).intersect(ui.clip_rect()));
    let paint = HeatmapPaint {
        slot: FIRST_SLOT + index,
        rect,
        scores: matrix.values.clone(),
        rows: kinds,
        cols: kinds,
        range: matrix.scale.range,
        opacity: 1.0,
        colormap: matrix.scale.colormap,
    };
    painter.add(paint.into_shape());
    let stroke = ui.visuals().widgets.noninteractive.bg_stroke;
    painter.rect_stroke(rect, 0.0, stroke, StrokeKind::Outside);
    if let Some((row, col)) = pointed {
        let cell = rect.width() / kinds as f32;
        let corner = rect.min + vec2(col as f32, row as f32) * cell;
        marks::hover_outline(&painter, Rect::from_min_size(corner, Vec2::splat(cell)));
    }
}

/// Row and column of the cell at `pos`.
fn pair_at(rect: Rect, pos: Pos2, kinds: usize) -> Option<(usize, usize)> {
    let at = (pos - rect.min) / rect.width() * kinds as f32;
    let cell = |at: f32| (at >= 0.0 && at < kinds as f32).then_some(at as usize);
    cell(at.y).zip(cell(at.x))
}

/// The pair under the pointer in numbers, or how one is read.
fn pair_words(
    report: &WorldReport,
    pointed: Option<(usize, usize)>,
    values: impl Fn(usize) -> [Option<f32>; 2],
) -> String {
    let kinds = report.plan.patches;
    let read = pointed.map(|(row, col)| (row, col, values(row * kinds + col)));
    match read {
        Some((row, col, [Some(ratio), Some(found)])) => {
            let numbers =
                format!("{ratio:.4} \u{b7} w z1.z2 {found:.4} \u{b7} difference {:+.1e}", found - ratio);
            format!("kinds {row} and {col}: p12 / (p1 p2) {}", with_minus(numbers))
        }
        _ => format!(
            "{} kinds of patches, those that are most frequent in one image side by side. Point at a pair to read it.",
            thousands(kinds)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_under_the_pointer_is_that_of_its_row_and_column() {
        let rect = Rect::from_min_size(pos2(10.0, 20.0), Vec2::splat(100.0));
        assert_eq!(pair_at(rect, pos2(10.0, 20.0), 4), Some((0, 0)));
        assert_eq!(pair_at(rect, pos2(109.0, 46.0), 4), Some((1, 3)));
        assert_eq!(pair_at(rect, pos2(110.0, 46.0), 4), None);
    }

    #[test]
    fn three_matrices_stand_in_a_row_where_there_is_room_and_nothing_leaves_it() {
        for room in [400.0, 620.0, 900.0, 1600.0] {
            let places = WorldPlaces::of(pos2(5.0, 7.0), room, 700.0);
            let [first, second, third] = places.matrices;
            assert!(second.x >= first.x + places.side && first.y == second.y);
            assert_eq!(third.y == first.y, room > 600.0, "{room}");
            let right = places.bars.map(|bar| bar.x + color_bar::WIDTH).into_iter().fold(0.0, f32::max);
            assert!(right <= 5.0 + room + 0.5, "{room}: {right}");
            assert!((third.y + places.side - 7.0 - places.height).abs() < 0.5, "{room}");
        }
    }
}
