//! The spectra: the newest eigenvalues of each space by rank.

use eframe::egui::{RichText, Ui, vec2};
use egui_plot::{Line, Plot, PlotPoints};

use super::heading::tag;
use super::metrics::PlotSpec;
use super::plotting::{PLOT_HEIGHT, is_in_view, shared, tag_at, zoom_by_wheel};
use super::shown::{ShownRun, hue};
use super::smooth::{CurveStyle, thinned};
use crate::gui::nouns::text::{tail, thousands};

/// The newest list of numbers of each run in its order, on a logarithmic axis.
pub fn spectrum_ui(ui: &mut Ui, spec: &PlotSpec, runs: &[ShownRun<'_>], width: f32) {
    let mut lines = vec![];
    for ShownRun { run, mark } in runs {
        for (key, space) in &spec.keys {
            let Some((step, values)) = run.vectors.get(key) else { continue };
            let color = hue(*space, ui.visuals());
            let points = values.iter().enumerate().filter(|(_, value)| **value > 0.0);
            let points: Vec<[f64; 2]> =
                points.map(|(place, value)| [place as f64 + 1.0, value.log10()]).collect();
            let name = format!(
                "{} {} {} after step {}",
                mark.letter(),
                tail(&run.name, 28),
                space.unwrap_or(""),
                thousands(*step as usize)
            );
            let tag = tag(*mark, *space, runs.len());
            lines.push((name, color, mark.stroke(), tag, points));
        }
    }
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(spec.heading()).strong()).on_hover_text(spec.help);
        ui.weak("logarithmic, by rank");
    });
    if !is_in_view(ui, vec2(width, PLOT_HEIGHT)) {
        return;
    }
    let look = CurveStyle { smoothing: 0.0, log_x: false, log_y: true };
    let plot = Plot::new(("spectrum", &spec.base)).width(width).height(PLOT_HEIGHT);
    shared(plot, ui, look).x_axis_label("rank").show(ui, move |plot| {
        zoom_by_wheel(plot);
        for (name, color, style, tag, points) in lines {
            let end = points.last().filter(|_| !tag.is_empty());
            end.into_iter().for_each(|end| tag_at(plot, &tag, *end, color));
            plot.line(
                Line::new(name, PlotPoints::from(thinned(&points, None)))
                    .color(color)
                    .width(1.5)
                    .style(style),
            );
        }
    });
}
