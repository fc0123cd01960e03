//! How alike a patch is to the rest of its image, by patch size: where the lines reach the top, all
//! patches of that size look the same to the model.

use std::fmt::Write;
use std::sync::Arc;

use eframe::egui::{
    Align2, Painter, Pos2, Rect, RichText, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2,
};

use crate::engine::{MicroscopeLevel, RestOfImage};
use crate::gui::nouns::text::{cosine, count};
use crate::gui::paint::theme::{self, STEP};

const EXPLANATION: &str = "Mean cosine of the query to all other patches of the image of the same size, with their \
                           standard deviation. Where a line comes near 1, patches of that size look alike to the \
                           model: invariance has taken over (Sec. 4.3 of the paper).";

const TITLE: &str =
    "Mean cosine of the query to the rest of the image (\u{b1} standard deviation) by patch size, pixels";

/// Draws the chart with each level at its column's middle and the range of the colour scale upwards.
pub fn chart_ui(
    ui: &mut Ui,
    rect: Rect,
    middles: &[f32],
    levels: &[Arc<MicroscopeLevel>],
    [lo, hi]: [f32; 2],
) {
    let title = Rect::from_min_size(rect.min, eframe::egui::vec2(rect.width(), 18.0));
    ui.put(title, |ui: &mut Ui| ui.horizontal(|ui| ui.label(RichText::new(TITLE).weak())).response);
    let plot =
        Rect::from_min_max(pos2(rect.left(), title.bottom() + 4.0), rect.max - STEP * eframe::egui::Vec2::Y);
    let response = ui.interact(plot, ui.scope_id().with("invariance"), Sense::hover());
    let text = summary(levels);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &text));
    response.on_hover_text(format!("{EXPLANATION}\n{text}"));
    let painter = ui.painter();
    painter.rect_filled(plot, 0.0, ui.visuals().faint_bg_color);
    let height_of = |value: f32| plot.bottom() - (value.clamp(lo, hi) - lo) / (hi - lo) * plot.height();
    axis(ui, plot, [lo, hi], &height_of);
    for space in spaces(levels) {
        let color = theme::space(&space, ui.visuals().dark_mode);
        let points = middles.iter().zip(levels).filter_map(|(x, level)| {
            let rest = rest_of(level, &space).filter(|rest| rest.patches > 0)?;
            Some((*x, rest))
        });
        line(painter, &points.collect::<Vec<_>>(), &height_of, Stroke::new(1.5, color));
    }
}

/// Lines at the ends of the scale and at 0, with their numbers.
fn axis(ui: &Ui, plot: Rect, [lo, hi]: [f32; 2], height_of: &impl Fn(f32) -> f32) {
    let font = TextStyle::Small.resolve(ui.style());
    let color = ui.visuals().weak_text_color();
    let middle = (lo < 0.0 && hi > 0.0).then_some(0.0);
    for value in [Some(lo), middle, Some(hi)].into_iter().flatten() {
        let y = height_of(value);
        ui.painter().hline(plot.x_range(), y, ui.visuals().widgets.noninteractive.bg_stroke);
        let align = if value == hi { Align2::RIGHT_TOP } else { Align2::RIGHT_BOTTOM };
        ui.painter().text(pos2(plot.right() - 2.0, y), align, cosine(value), font.clone(), color);
    }
}

/// The points of one space, joined, each with its deviation as a thin bar.
fn line(painter: &Painter, points: &[(f32, RestOfImage)], height_of: &impl Fn(f32) -> f32, stroke: Stroke) {
    let at = |(x, rest): &(f32, RestOfImage)| Pos2::new(*x, height_of(rest.mean));
    for pair in points.windows(2) {
        painter.line_segment([at(&pair[0]), at(&pair[1])], stroke);
    }
    for point in points {
        let (x, rest) = point;
        let ends = [rest.mean + rest.deviation, rest.mean - rest.deviation].map(height_of);
        painter.vline(*x, ends[0]..=ends[1], Stroke::new(1.0, stroke.color.gamma_multiply(0.6)));
        painter.circle_filled(at(point), 3.0, stroke.color);
    }
}

fn spaces(levels: &[Arc<MicroscopeLevel>]) -> Vec<String> {
    let first = levels.iter().find(|level| !level.maps.is_empty());
    first.map_or_else(Vec::new, |level| level.maps.iter().map(|map| map.space.clone()).collect())
}

/// How alike the query is to the rest of the image in `space`, where that is known.
pub fn rest_of(level: &MicroscopeLevel, space: &str) -> Option<RestOfImage> {
    let index = level.maps.iter().position(|map| map.space == space)?;
    level.rest.get(index).copied()
}

/// All numbers of the chart in words.
fn summary(levels: &[Arc<MicroscopeLevel>]) -> String {
    let mut text = "Mean cosine to the rest of the image".to_owned();
    for level in levels {
        let _ = write!(text, "\n{} px:", level.grid.patch);
        for (map, rest) in level.maps.iter().zip(&level.rest) {
            match rest.patches {
                0 => _ = write!(text, " {} no other patch", map.space),
                patches => {
                    let (mean, deviation) = (cosine(rest.mean), rest.deviation);
                    let patches = count(patches, "patch");
                    let _ = write!(text, " {} {mean} \u{b1} {deviation:.2} ({patches})", map.space);
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Heatmap;
    use crate::patch::{PatchGrid, PatchRef};

    #[test]
    fn the_chart_says_all_its_numbers_in_words() {
        let level = |patch, patches| {
            let grid = PatchGrid { patch, stride: 4 };
            let values = Arc::new(vec![0.5; 4]);
            let map = |space: &str| Heatmap {
                space: space.into(),
                grid,
                rows: 2,
                cols: 2,
                values: values.clone(),
                shown: values.clone(),
                lengths: None,
            };
            Arc::new(MicroscopeLevel {
                grid,
                positions: 4,
                known: 4,
                query: Some(PatchRef { image: 0, y: 0, x: 0, size: patch }),
                maps: vec![map("z"), map("h")],
                rest: vec![RestOfImage { patches, mean: 0.5, deviation: 0.25 }; 2],
            })
        };
        let text = summary(&[level(14, 3), level(32, 0)]);
        assert_eq!(
            text,
            "Mean cosine to the rest of the image\n14 px: z +0.50 \u{b1} 0.25 (3 patches) h +0.50 \u{b1} 0.25 \
             (3 patches)\n32 px: z no other patch h no other patch"
        );
    }
}
