//! How every plot of the tab behaves and is marked: wheel, ticks, numbers, what is said under the pointer.

use eframe::egui::{Align2, Color32, Rangef, Rect, RichText, Sense, Ui, Vec2, vec2};
use egui_plot::{AxisHints, GridInput, GridMark, HoverPosition, Plot, PlotPoint, PlotUi, Text};

use super::smooth::CurveStyle;
use crate::gui::nouns::text::thousands;

/// Height of a plot with its axes, points.
pub const PLOT_HEIGHT: f32 = 132.0;

/// Whether a plot of that size would be seen here. Else its place is left empty: one that is scrolled away costs a frame
/// as much as one that is seen.
pub fn is_in_view(ui: &mut Ui, size: Vec2) -> bool {
    let is_seen = ui.is_rect_visible(Rect::from_min_size(ui.cursor().min, size));
    if !is_seen {
        ui.allocate_exact_size(size, Sense::hover());
    }
    is_seen
}

/// The wheel zooms about the pointer, as on pictures; with Shift only the vertical axis stays.
pub fn zoom_by_wheel(plot: &mut PlotUi<'_>) {
    if !plot.response().hovered() {
        return;
    }
    let factor = plot.ctx().input_mut(|input| {
        let wheel = std::mem::take(&mut input.smooth_scroll_delta);
        ((wheel.x + wheel.y) / 200.0).exp() * input.zoom_delta()
    });
    zoom(plot, factor);
}

/// The same of a plot on a page of them, which the wheel scrolls: with Ctrl it zooms, as two fingers do.
pub fn zoom_on_page(plot: &mut PlotUi<'_>) {
    if plot.response().hovered() {
        let factor = plot.ctx().input(|input| input.zoom_delta());
        zoom(plot, factor);
    }
}

fn zoom(plot: &mut PlotUi<'_>, factor: f32) {
    if factor != 1.0 {
        let vertical = if plot.ctx().input(|input| input.modifiers.shift) { 1.0 } else { factor };
        plot.zoom_bounds_around_hovered(vec2(factor, vertical));
        plot.ctx().request_repaint();
    }
}

/// Room between the marks of an axis at which their numbers fade in, points.
const MARK_ROOM: [(f32, f32); 2] = [(22.0, 30.0), (12.0, 18.0)];

/// A plot with the marks, numbers and behaviour that all plots share.
pub fn shared<'a>(plot: Plot<'a>, ui: &Ui, look: CurveStyle) -> Plot<'a> {
    let [room_across, room_up] = MARK_ROOM.map(|(least, full)| Rangef::new(least, full));
    let across =
        AxisHints::new_x().label_spacing(room_across).formatter(move |mark, _| tick(mark.value, look.log_x));
    let up = AxisHints::new_y()
        .label_spacing(room_up)
        .min_thickness(44.0)
        .formatter(move |mark, _| tick(mark.value, look.log_y));
    plot.allow_scroll(false)
        .allow_zoom(false)
        .set_margin_fraction(vec2(0.01, 0.08))
        .grid_color(ui.visuals().widgets.noninteractive.bg_stroke.color)
        .grid_fade(0.0)
        .custom_x_axes(vec![across])
        .custom_y_axes(vec![up])
        .x_grid_spacer(if look.log_x { log_marks } else { marks })
        .y_grid_spacer(if look.log_y { log_marks } else { marks })
        .label_formatter(move |at| hover_text(at, look))
}

/// The run and the space of a line at its end, within the plot: "A z".
pub fn tag_at(plot: &mut PlotUi<'_>, tag: &str, [x, y]: [f64; 2], color: Color32) {
    let text = RichText::new(tag).small().color(color);
    let text = Text::new(format!("{tag} end"), PlotPoint::new(x, y), text).color(color);
    plot.text(text.anchor(Align2::RIGHT_BOTTOM).allow_hover(false).id((tag, x.to_bits(), y.to_bits())));
}

/// Ends of an axis for values between `low` and `high`, as drawn; about a single value, a range that it is the
/// middle of.
pub fn ends(low: f64, high: f64, log: bool) -> [f64; 2] {
    let pad = match (high > low, log) {
        (true, _) => 0.0,
        // Half a decade either way.
        (false, true) => 0.5,
        (false, false) if low == 0.0 => 1.0,
        (false, false) => 0.1 * low.abs(),
    };
    [low - pad, high + pad]
}

/// A number with three digits or so, for where there is little room.
pub fn short_number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size >= 10_000.0 || !value.is_finite() || size == 0.0 => number(value),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ if size >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

/// A number with the digits that matter.
pub fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "none".to_owned(),
        0.0 => "0".to_owned(),
        _ if size >= 10_000.0 => {
            format!("{}{}", if value < 0.0 { "-" } else { "" }, thousands(size.round() as usize))
        }
        _ if size >= 100.0 => format!("{value:.1}"),
        _ if size >= 0.01 => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}

fn tick(at: f64, log: bool) -> String {
    let value = if log { 10f64.powf(at) } else { at };
    let size = value.abs();
    match size {
        0.0 => "0".to_owned(),
        _ if size >= 1e9 => format!("{}G", value / 1e9),
        _ if size >= 1e6 => format!("{}M", value / 1e6),
        _ if size >= 1e4 => format!("{}k", value / 1e3),
        _ if size >= 1e-3 => format!("{}", (value * 1e6).round() / 1e6),
        _ => format!("{value:.0e}"),
    }
}

fn hover_text(at: &HoverPosition<'_>, look: CurveStyle) -> Option<String> {
    let plain = |value: f64, log: bool| if log { 10f64.powf(value) } else { value };
    match at {
        HoverPosition::NearDataPoint { plot_name, position, .. } => Some(format!(
            "{plot_name}\nat {}: {}",
            number(plain(position.x, look.log_x)),
            number(plain(position.y, look.log_y))
        )),
        HoverPosition::Elsewhere { .. } => None,
    }
}

/// Three to seven marks at round numbers.
fn marks(input: GridInput) -> Vec<GridMark> {
    let (lo, hi) = input.bounds;
    let rough = (hi - lo) / 4.0;
    if !(rough.is_finite() && rough > 0.0) {
        return vec![];
    }
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|step| *step >= rough * 0.75);
    let step = step.unwrap_or(10.0 * power);
    let first = (lo / step).ceil() as i64;
    let all = (first..).map(|place| place as f64 * step).take_while(|value| *value <= hi).take(16);
    all.map(|value| GridMark { value, step_size: step }).collect()
}

/// Powers of ten that are marked on a logarithmic axis, at most about: more would be too near each other for numbers.
const MOST_POWERS: f64 = 8.0;

/// Marks of a logarithmic axis: powers of ten, of many every second or third, and 2 to 9 times them where there is room.
fn log_marks(input: GridInput) -> Vec<GridMark> {
    let (lo, hi) = input.bounds;
    let span = hi - lo;
    if !span.is_finite() || span > 40.0 {
        return vec![];
    }
    let mut marks = vec![];
    let every = (span / MOST_POWERS).ceil().max(1.0) as i32;
    for power in (lo.floor() as i32..=hi.ceil() as i32).filter(|power| power % every == 0) {
        marks.push(GridMark { value: f64::from(power), step_size: f64::from(every) });
        if span < 3.0 {
            marks.extend((2..10).map(|digit| GridMark {
                value: f64::from(power) + f64::from(digit).log10(),
                step_size: if span < 1.0 { 0.4 } else { 0.1 },
            }));
        }
    }
    marks.retain(|mark| (lo..=hi).contains(&mark.value));
    if marks.len() >= 2 {
        return marks;
    }
    // Less than a step of those: round numbers at equal distances.
    let plain = GridInput { bounds: (10f64.powf(lo), 10f64.powf(hi)), base_step_size: input.base_step_size };
    let even = self::marks(plain).into_iter();
    even.map(|mark| GridMark { value: mark.value.log10(), step_size: span / 4.0 }).collect()
}

#[cfg(test)]
mod tests {
    use eframe::egui::{Context, Pos2, RawInput};

    use super::*;

    #[test]
    fn a_plot_out_of_view_keeps_its_place() {
        let screen = Rect::from_min_size(Pos2::ZERO, vec2(100.0, 100.0));
        let (size, mut seen) = (vec2(50.0, 70.0), vec![]);
        let input = RawInput { screen_rect: Some(screen), ..RawInput::default() };
        let _ = Context::default().run_ui(input, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for _ in 0..3 {
                let top = ui.cursor().top();
                let is_seen = is_in_view(ui, size);
                if is_seen {
                    ui.allocate_exact_size(size, Sense::hover());
                }
                seen.push((is_seen, ui.cursor().top() - top));
            }
        });
        assert_eq!(seen, [(true, 70.0), (true, 70.0), (false, 70.0)]);
    }

    #[test]
    fn numbers_have_the_digits_that_matter() {
        assert_eq!(
            [0.0, 1.23456, 250.04, 12_345.6, 0.00012].map(number),
            ["0", "1.2346", "250.0", "12,346", "1.20e-4"]
        );
        assert_eq!(
            [0.0, 0.1234, 1.2345, 12.345, 123.4, 12_345.6, 0.00012].map(short_number),
            ["0", "0.123", "1.23", "12.3", "123", "12,346", "1.2e-4"]
        );
        assert_eq!([0.0, 0.05, 25_000.0, 2e6].map(|value| tick(value, false)), ["0", "0.05", "25k", "2M"]);
        assert_eq!(tick(-2.0, true), "0.01");
    }

    #[test]
    fn an_axis_is_marked_at_round_numbers() {
        let values = |lo, hi| {
            marks(GridInput { bounds: (lo, hi), base_step_size: 0.1 })
                .iter()
                .map(|m| m.value)
                .collect::<Vec<_>>()
        };
        assert_eq!(values(0.0, 14.0), [0.0, 5.0, 10.0]);
        assert_eq!(values(-3.0, 900.0), [0.0, 200.0, 400.0, 600.0, 800.0]);
        assert!(values(f64::INFINITY, 1.0).is_empty() && values(1.0, 1.0).is_empty());
    }

    #[test]
    fn a_logarithmic_axis_is_marked_at_powers_of_ten() {
        let marks = log_marks(GridInput { bounds: (-1.5, 2.5), base_step_size: 0.1 });
        assert_eq!(marks.iter().map(|mark| mark.value).collect::<Vec<_>>(), [-1.0, 0.0, 1.0, 2.0]);
        // Of many powers every third.
        let many = log_marks(GridInput { bounds: (-16.5, 0.5), base_step_size: 0.1 });
        let powers: Vec<f64> = many.iter().map(|mark| mark.value).collect();
        assert_eq!((powers, many[0].step_size), (vec![-15.0, -12.0, -9.0, -6.0, -3.0, 0.0], 3.0));
        // From 6.2 to 6.9 there is no digit times a power of ten.
        let bounds = (6.2f64.log10(), 6.9f64.log10());
        let short = log_marks(GridInput { bounds, base_step_size: 0.1 });
        let values: Vec<f64> = short.iter().map(|mark| 10f64.powf(mark.value)).collect();
        assert!(values.len() >= 3 && values.iter().all(|value| (6.2..=6.9).contains(value)), "{values:?}");
    }

    #[test]
    fn the_axis_of_a_single_value_is_about_it() {
        assert_eq!(ends(22.2, 22.2, false), [22.2 - 2.22, 22.2 + 2.22]);
        assert_eq!(ends(-4.0, -4.0, false), [-4.4, -3.6]);
        assert_eq!(ends(0.0, 0.0, false), [-1.0, 1.0]);
        assert_eq!(ends(2.0, 2.0, true), [1.5, 2.5]);
        assert_eq!(ends(1.0, 3.0, false), [1.0, 3.0]);
    }
}
