//! Panels of curves as a page of the command line has them, drawn as plots that zoom and tell their values.

use std::fmt::Write;

use eframe::egui::{Color32, RichText, Role, Sense, Ui, UiBuilder, Vec2, WidgetInfo, vec2};
use egui_plot::{AxisHints, FilledArea, GridInput, GridMark, Line, Plot, PlotPoints, PlotUi, Points};

use crate::colormap;
use crate::figure::{CurveAxis, CurveSeries, CurvesPanel, Panel};
use crate::gui::paint::theme::{self, STEP};
use crate::gui::train::plotting::{ends, number, shared, short_number, zoom_on_page};
use crate::gui::train::shown::{RunMark, hue};
use crate::gui::train::smooth::{CurveStyle, thinned};

/// Lines of so few values have a dot on each.
const DOTTED: usize = 24;
/// Values that are this near each other, of their size, are drawn as one.
const ROUNDING: f64 = 1e-9;
/// Least width of a plot, points.
const LEAST_WIDTH: f32 = 300.0;
/// Height of heading and legend above a plot, points.
const HEAD: f32 = 24.0;

/// Draws all panels of curves, as many side by side as there is room for, each `height` points with its heading.
pub fn panels_ui(ui: &mut Ui, panels: &[Panel], height: f32) {
    let curves: Vec<&CurvesPanel> = panels
        .iter()
        .filter_map(|panel| match panel {
            Panel::Curves(curves) => Some(curves),
            _ => None,
        })
        .collect();
    let width = ui.available_width();
    let most = ((width + STEP) / (LEAST_WIDTH + STEP)).floor().max(1.0) as usize;
    let across = most.min(curves.len()).max(1);
    let cell = vec2((width - STEP * (across - 1) as f32) / across as f32, height);
    for row in curves.chunks(across) {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = STEP;
            row.iter().for_each(|panel| panel_ui(ui, panel, cell));
        });
    }
}

/// A panel: heading, legend, plot.
fn panel_ui(ui: &mut Ui, panel: &CurvesPanel, size: Vec2) {
    let (_, rect) = ui.allocate_space(size);
    ui.scope_builder(UiBuilder::new().max_rect(rect).id_salt(&panel.curves.title), |ui| {
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            legend_ui(ui, panel);
            plot_ui(ui, panel, vec2(size.x, size.y - HEAD));
        });
    });
}

/// The hue of a line: its space's, or that of what it counts.
fn color(ui: &Ui, panel: &CurvesPanel, series: &CurveSeries) -> Color32 {
    let dark = ui.visuals().dark_mode;
    let seen = |color: Color32| if dark { color.lerp_to_gamma(Color32::WHITE, 0.35) } else { color };
    match (series.space.as_str(), series.name.as_str()) {
        ("", "same class") => seen(theme::rgb(colormap::SAME_CLASS)),
        ("", "other class") => seen(theme::rgb(colormap::OTHER_CLASS)),
        ("", "same image") => Color32::from_gray(128),
        ("", name) => match panel.curves.series.iter().position(|other| other.name == name) {
            Some(0) => theme::accent(dark),
            _ => hue(None, ui.visuals()),
        },
        (space, _) => hue(Some(space), ui.visuals()),
    }
}

/// What the panel is of, and its lines.
fn legend_ui(ui: &mut Ui, panel: &CurvesPanel) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = STEP / 2.0;
        ui.label(RichText::new(&panel.curves.title).strong());
        ui.add_space(STEP / 2.0);
        for series in &panel.curves.series {
            let color = color(ui, panel, series);
            let (sample, _) = ui.allocate_exact_size(vec2(18.0, 12.0), Sense::hover());
            RunMark(series.run).paint(ui, sample, color);
            ui.label(RichText::new(&series.name).small().color(color));
            ui.add_space(STEP / 2.0);
        }
    });
}

fn plot_ui(ui: &mut Ui, panel: &CurvesPanel, size: Vec2) {
    let look = CurveStyle { smoothing: 0.0, log_x: panel.log_x, log_y: panel.log_y };
    let (x, y) = (&panel.curves.x, &panel.curves.y);
    let plot = Plot::new(("measure", &panel.curves.title)).width(size.x).height(size.y);
    let mut plot = shared(plot, ui, look).allow_double_click_reset(true);
    if x.names.is_empty() {
        plot = plot.x_axis_label(words(x));
    } else {
        let names = x.names.clone();
        let name = move |mark: GridMark| names.get(mark.value.round() as usize).cloned().unwrap_or_default();
        let places = x.names.len();
        let axis = AxisHints::new_x().formatter(move |mark, _| name(mark));
        plot = plot.custom_x_axes(vec![axis]).x_grid_spacer(move |input| marks_of_places(input, places));
        plot = plot.include_x(-0.3).include_x(places as f64 - 0.7);
    }
    plot = plot.y_axis_label(words(y));
    let all = panel.curves.series.iter();
    let (xs, ys) = (all.clone().flat_map(|series| &series.x), all.flat_map(|series| &series.y));
    for at in single(xs, look.log_x).into_iter().flatten() {
        plot = plot.include_x(at);
    }
    for at in single(ys, look.log_y).into_iter().flatten() {
        plot = plot.include_y(at);
    }
    let lines: Vec<(Color32, &CurveSeries)> =
        panel.curves.series.iter().map(|series| (color(ui, panel, series), series)).collect();
    let shown = plot.show(ui, |plot| {
        zoom_on_page(plot);
        lines.iter().for_each(|(color, series)| line_ui(plot, series, *color, look));
    });
    let text = summary(panel);
    shown.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &text));
}

/// Ends of an axis, as drawn, whose values are one and the same but for rounding.
fn single<'a>(values: impl Iterator<Item = &'a f64>, log: bool) -> Option<[f64; 2]> {
    let drawn = values.map(|value| if log { value.log10() } else { *value }).filter(|at| at.is_finite());
    let (low, high) =
        drawn.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
    let is_one = low <= high && high - low <= ROUNDING * low.abs().max(high.abs());
    is_one.then(|| ends(low, low, log))
}

fn words(axis: &CurveAxis) -> String {
    if axis.unit.is_empty() { axis.label.clone() } else { format!("{} ({})", axis.label, axis.unit) }
}

/// A mark at each name.
fn marks_of_places(input: GridInput, places: usize) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    let all = (0..places).map(|place| place as f64).filter(|place| (low..=high).contains(place));
    all.map(|value| GridMark { value, step_size: 1.0 }).collect()
}

/// Band, line, and dots where there are few values; a gap where there is none.
fn line_ui(plot: &mut PlotUi<'_>, series: &CurveSeries, color: Color32, look: CurveStyle) {
    let place = |value: f64, log: bool| if log { value.log10() } else { value };
    let at =
        |index: usize, values: &[f64]| [place(series.x[index], look.log_x), place(values[index], look.log_y)];
    if let Some(band) = &series.band {
        for piece in pieces(series.y.len(), |index| {
            at(index, &band.low)[1].is_finite() && at(index, &band.high)[1].is_finite()
        }) {
            let side = |values: &[f64], axis: usize| -> Vec<f64> {
                piece.clone().map(|index| at(index, values)[axis]).collect()
            };
            let (xs, low, high) = (side(&band.low, 0), side(&band.low, 1), side(&band.high, 1));
            let area = FilledArea::new(format!("{} band", series.name), &xs, &low, &high);
            plot.add(area.fill_color(color.gamma_multiply(0.18)).allow_hover(false).id((
                &series.name,
                "band",
                piece.start,
            )));
        }
    }
    for piece in pieces(series.y.len(), |index| at(index, &series.y)[1].is_finite()) {
        let start = piece.start;
        let points: Vec<[f64; 2]> = piece.map(|index| at(index, &series.y)).collect();
        if series.y.len() <= DOTTED {
            let dots = Points::new(series.name.clone(), PlotPoints::from(points.clone()));
            plot.points(dots.color(color).radius(2.0).allow_hover(false).id((&series.name, "dots", start)));
        }
        let line = Line::new(series.name.clone(), PlotPoints::from(thinned(&points, None)));
        plot.line(line.color(color).width(1.5).style(RunMark(series.run).stroke()).id((&series.name, start)));
    }
}

/// The longest ranges of indices below `count` that are all `known`.
fn pieces(count: usize, known: impl Fn(usize) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut pieces: Vec<std::ops::Range<usize>> = vec![];
    for index in (0..count).filter(|index| known(*index)) {
        match pieces.last_mut() {
            Some(piece) if piece.end == index => piece.end += 1,
            _ => pieces.push(index..index + 1),
        }
    }
    pieces
}

/// Where each line begins and ends, in words.
fn summary(panel: &CurvesPanel) -> String {
    let curves = &panel.curves;
    let mut text = format!("{}: {} by {}", curves.title, words(&curves.y), words(&curves.x));
    for series in &curves.series {
        let known: Vec<usize> = (0..series.y.len()).filter(|index| series.y[*index].is_finite()).collect();
        let (Some(first), Some(last)) = (known.first(), known.last()) else { continue };
        let at = |index: usize| match curves.x.names.get(series.x[index] as usize) {
            Some(name) => format!("{} at {name}", short_number(series.y[index])),
            None => format!("{} at {}", short_number(series.y[index]), number(series.x[index])),
        };
        let _ = write!(text, "\n{}: {} to {}", series.name, at(*first), at(*last));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::CurveData;

    #[test]
    fn an_axis_of_one_value_is_about_it_and_any_other_is_left_alone() {
        assert_eq!(single([100.0, f64::NAN, 100.0 + 1e-9].iter(), true), Some([1.5, 2.5]));
        assert_eq!(single([4.0].iter(), false), Some([3.6, 4.4]));
        assert_eq!([single([1.0, 2.0].iter(), true), single([].iter(), false)], [None, None]);
    }

    #[test]
    fn gaps_part_a_line_and_a_plot_says_where_its_lines_begin_and_end() {
        let y = [f64::NAN, 1.0, 2.0, f64::NAN, 0.5];
        assert_eq!(pieces(5, |index| y[index].is_finite()), [1..3, 4..5]);
        let series = CurveSeries {
            name: "z".into(),
            space: "z".into(),
            run: 0,
            x: vec![0.0, 1.0, 2.0, 3.0, 4.0],
            y: y.to_vec(),
            band: None,
        };
        let (x, y) = (CurveAxis::of("displacement", "px"), CurveAxis::of("cosine", ""));
        let curves = CurveData { title: "within an image".into(), x, y, series: vec![series], notes: vec![] };
        let text = summary(&CurvesPanel { log_x: false, log_y: false, curves });
        assert_eq!(
            text,
            "within an image: cosine by displacement (px)\nz: 1.00 at 1.0000 to 0.500 at 4.0000"
        );
    }
}
