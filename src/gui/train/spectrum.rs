//! The spectra: the newest eigenvalues of each space by rank.

use eframe::egui::{Label, RichText, Ui};
use egui_plot::{Line, LineStyle, Plot, PlotPoints};

use super::metrics::PlotSpec;
use super::plotting::{PLOT_HEIGHT, letter_at, shared, zoom_by_wheel};
use super::shown::ShownRun;
use super::smooth::{CurveStyle, thinned};
use crate::gui::nouns::text::{tail, thousands};
use crate::gui::paint::theme;

/// The newest list of numbers of each run in its order, on a logarithmic axis.
pub fn spectrum_ui(ui: &mut Ui, spec: &PlotSpec, runs: &[ShownRun<'_>], width: f32) {
    let dark = ui.visuals().dark_mode;
    let mut lines = vec![];
    for ShownRun { run, color, letter } in runs {
        for (key, space) in &spec.keys {
            let Some((step, values)) = run.vectors.get(key) else { continue };
            let color = space.filter(|_| runs.len() == 1).map_or(*color, |space| theme::space(space, dark));
            let points = values.iter().enumerate().filter(|(_, value)| **value > 0.0);
            let points: Vec<[f64; 2]> =
                points.map(|(place, value)| [place as f64 + 1.0, value.log10()]).collect();
            let name = format!(
                "{letter} {} {} after step {}",
                tail(&run.name, 28),
                space.unwrap_or(""),
                thousands(*step as usize)
            );
            let several = runs.len() > 1;
            lines.push((name, color, *space == Some("h") && several, several.then_some(*letter), points));
        }
    }
    ui.horizontal(|ui| {
        ui.add(Label::new(RichText::new(&spec.title).strong()).truncate()).on_hover_text(spec.help);
        ui.weak("log, by rank");
    });
    let look = CurveStyle { smoothing: 0.0, log_x: false, log_y: true };
    let plot = Plot::new(("spectrum", &spec.base)).width(width).height(PLOT_HEIGHT);
    shared(plot, ui, look).show(ui, move |plot| {
        zoom_by_wheel(plot);
        for (name, color, dashed, letter, points) in lines {
            let end = letter.zip(points.last());
            end.into_iter().for_each(|(letter, end)| letter_at(plot, letter, *end, color));
            let style = if dashed { LineStyle::dashed_dense() } else { LineStyle::Solid };
            plot.line(
                Line::new(name, PlotPoints::from(thinned(&points, None)))
                    .color(color)
                    .width(1.5)
                    .style(style),
            );
        }
    });
}
