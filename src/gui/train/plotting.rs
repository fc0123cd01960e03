//! How every plot of the tab behaves and is marked: wheel, ticks, numbers, what is said under the pointer.

use eframe::egui::vec2;
use egui_plot::{GridInput, GridMark, HoverPosition, PlotUi};

use super::smooth::Look;
use crate::gui::text::thousands;

/// The wheel zooms about the pointer, as on pictures; with Shift only the vertical axis stays.
pub fn zoom_by_wheel(plot: &mut PlotUi<'_>) {
    if !plot.response().hovered() {
        return;
    }
    let factor = plot.ctx().input_mut(|input| {
        let wheel = std::mem::take(&mut input.smooth_scroll_delta);
        ((wheel.x + wheel.y) / 200.0).exp() * input.zoom_delta()
    });
    if factor != 1.0 {
        let vertical = if plot.ctx().input(|input| input.modifiers.shift) { 1.0 } else { factor };
        plot.zoom_bounds_around_hovered(vec2(factor, vertical));
        plot.ctx().request_repaint();
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

pub fn tick(at: f64, log: bool) -> String {
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

pub fn hover_text(at: &HoverPosition<'_>, look: Look) -> Option<String> {
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
pub fn marks(input: GridInput) -> Vec<GridMark> {
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

/// Marks of a logarithmic axis: powers of ten, and 2 to 9 times them where there is room.
pub fn log_marks(input: GridInput) -> Vec<GridMark> {
    let (lo, hi) = input.bounds;
    let span = hi - lo;
    if !span.is_finite() || span > 40.0 {
        return vec![];
    }
    let mut marks = vec![];
    for power in lo.floor() as i32..=hi.ceil() as i32 {
        marks.push(GridMark { value: f64::from(power), step_size: 1.0 });
        if span < 3.0 {
            marks.extend((2..10).map(|digit| GridMark {
                value: f64::from(power) + f64::from(digit).log10(),
                step_size: if span < 1.0 { 0.4 } else { 0.1 },
            }));
        }
    }
    marks.retain(|mark| (lo..=hi).contains(&mark.value));
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        assert_eq!(
            [0.0, 1.23456, 250.04, 12_345.6, 0.00012].map(number),
            ["0", "1.2346", "250.0", "12,346", "1.20e-4"]
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
    }
}
