//! How the values of a heatmap are spread over its colour scale.

use eframe::egui::{
    Align2, Color32, Rect, RichText, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

use crate::engine::Heatmap;

use crate::gui::nouns::text::{cosine, thousands};
use crate::gui::paint::scale::MapScale;
use crate::gui::paint::theme;

const BINS: usize = 48;
const HEIGHT: f32 = 26.0;

/// Counts in equal bins over `range`; values beyond it count in the outer bins, NaN nowhere.
fn counts(values: &[f32], [lo, hi]: [f32; 2]) -> [usize; BINS] {
    let mut counts = [0; BINS];
    for value in values.iter().filter(|value| !value.is_nan()) {
        let at = (value - lo) / (hi - lo) * BINS as f32;
        counts[(at.max(0.0) as usize).min(BINS - 1)] += 1;
    }
    counts
}

/// Draws the histogram of one map, with the contour's threshold if there is one.
pub fn histogram_ui(ui: &mut Ui, map: &Heatmap, scale: &MapScale, threshold: Option<f32>) {
    let known: Vec<f32> = map.values.iter().copied().filter(|value| !value.is_nan()).collect();
    let color = theme::space(&map.space, ui.visuals().dark_mode);
    ui.horizontal(|ui| {
        ui.label(RichText::new(&map.space).strong().color(color));
        if let Some(threshold) = threshold {
            let above = known.iter().filter(|value| **value >= threshold).count();
            let share = 100.0 * above as f64 / known.len().max(1) as f64;
            ui.weak(format!("{share:.0} % from {threshold:.2} up")).on_hover_text(format!(
                "{} of {} patches",
                thousands(above),
                thousands(known.len())
            ));
        }
    });
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let text = summary(&map.space, &known);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &text));
    response.on_hover_text(&text);
    let counts = counts(&known, scale.range);
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f32;
    let painter = ui.painter();
    painter.rect_filled(rect, 0.0, ui.visuals().faint_bg_color);
    let width = rect.width() / BINS as f32;
    for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        // The square root keeps bins of few patches visible.
        let height = (*count as f32 / most).sqrt() * rect.height();
        let left = rect.left() + bin as f32 * width;
        let bar = Rect::from_min_max(pos2(left, rect.bottom() - height), pos2(left + width, rect.bottom()));
        painter.rect_filled(bar, 0.0, color);
    }
    let [lo, hi] = scale.range;
    if let Some(threshold) = threshold.filter(|threshold| (lo..=hi).contains(threshold)) {
        let x = rect.left() + (threshold - lo) / (hi - lo) * rect.width();
        painter.vline(x, rect.y_range(), Stroke::new(3.0, Color32::from_black_alpha(120)));
        painter.vline(x, rect.y_range(), Stroke::new(1.0, Color32::WHITE));
    }
    axis_ui(ui, rect, scale);
}

/// Below the bars what they are counted over, between the ends of the scale.
fn axis_ui(ui: &mut Ui, bars: Rect, scale: &MapScale) {
    let font = TextStyle::Small.resolve(ui.style());
    let (axis, _) = ui.allocate_exact_size(vec2(bars.width(), font.size + 2.0), Sense::hover());
    let color = ui.visuals().weak_text_color();
    let [lo, hi] = scale.range.map(tick_text);
    for (at, align, text) in [
        (axis.left_top(), Align2::LEFT_TOP, lo.as_str()),
        (axis.center_top(), Align2::CENTER_TOP, scale.label),
        (axis.right_top(), Align2::RIGHT_TOP, hi.as_str()),
    ] {
        ui.painter().text(at, align, text, font.clone(), color);
    }
}

/// An end of the scale with a true minus sign, and no more digits than it has.
fn tick_text(value: f32) -> String {
    value.to_string().replace('-', "\u{2212}")
}

fn summary(space: &str, known: &[f32]) -> String {
    if known.is_empty() {
        return format!("{space}: nothing known yet");
    }
    let mean = known.iter().map(|v| f64::from(*v)).sum::<f64>() / known.len() as f64;
    let least = known.iter().copied().fold(f32::INFINITY, f32::min);
    let most = known.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let [least, mean, most] = [least, mean as f32, most].map(cosine);
    format!("{space}: {least} to {most}, mean {mean}, {} patches", thousands(known.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_value_counts_once() {
        let counts = counts(&[-2.0, -1.0, 0.01, 1.0, 7.0, f32::NAN], [-1.0, 1.0]);
        assert_eq!((counts[0], counts[BINS / 2], counts[BINS - 1]), (2, 1, 2));
        assert_eq!(counts.iter().sum::<usize>(), 5);
        assert_eq!(summary("z", &[0.5, -0.5]), "z: -0.50 to +0.50, mean +0.00, 2 patches");
    }
}
