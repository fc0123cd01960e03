//! A few curves of one run in a row, with a mark at one of its steps.

use std::collections::HashMap;
use std::path::PathBuf;

use eframe::egui::{Label, RichText, Stroke, Ui, Vec2};
use egui_plot::{Line, Plot, PlotPoints, VLine};

use super::axis::Across;
use super::metrics::{PlotSpec, plots};
use super::plotting::{shared, short_number};
use super::smooth::{CurveStyle, CurveUnits, Ready, thinned};
use crate::engine::training::RunView;
use crate::gui::paint::theme::{self, STEP};

/// Curves as they were measured.
const PLAIN: CurveStyle = CurveStyle { smoothing: 0.0, log_x: false, log_y: false };
/// Height of a heading, points.
const HEADING: f32 = 20.0;

/// The curves, made anew when a run has grown.
#[derive(Default)]
pub struct Strip {
    ready: HashMap<(PathBuf, String), Ready>,
}

impl Strip {
    /// Draws those of `names` that `run` has, at most as large as `size`, with a mark at `step` and the values
    /// there. Returns the step that was clicked.
    pub fn ui(&mut self, ui: &mut Ui, run: &RunView, names: &[&str], size: Vec2, step: u64) -> Option<f64> {
        self.ready.retain(|(path, _), _| *path == run.path);
        let all = plots([run].into_iter());
        let specs: Vec<&PlotSpec> =
            names.iter().filter_map(|name| all.iter().find(|spec| spec.base == *name)).collect();
        if specs.is_empty() {
            ui.weak("The run has not logged a number yet.");
            return None;
        }
        let width = (size.x - STEP * (specs.len() as f32 - 1.0)) / specs.len() as f32;
        let mut clicked = None;
        ui.horizontal_top(|ui| {
            for spec in specs {
                ui.vertical(|ui| {
                    ui.set_width(width);
                    let size = Vec2::new(width, (size.y - HEADING - 4.0).max(40.0));
                    clicked = self.plot_ui(ui, spec, run, size, step).or(clicked);
                });
            }
        });
        clicked
    }

    fn ready(&mut self, run: &RunView, key: &str, factor: f64) -> Option<&Ready> {
        let scale = CurveUnits { across: Across::Factor(1.0), factor };
        let source = run.series.get(key)?;
        let ready = self.ready.entry((run.path.clone(), key.to_owned()));
        let ready = ready.or_insert_with(|| Ready::new(source, scale.clone(), PLAIN));
        if !ready.is_of(source, &scale, PLAIN) {
            *ready = Ready::new(source, scale.clone(), PLAIN);
        }
        Some(ready)
    }

    fn plot_ui(&mut self, ui: &mut Ui, spec: &PlotSpec, run: &RunView, size: Vec2, step: u64) -> Option<f64> {
        let dark = ui.visuals().dark_mode;
        let mut lines = vec![];
        for (key, space) in &spec.keys {
            let color = space.map_or(theme::accent(dark), |space| theme::space(space, dark));
            let name = space.unwrap_or(&spec.title).to_owned();
            if let Some(ready) = self.ready(run, key, spec.factor) {
                lines.push((name, color, ready.raw.clone(), ready.value_at(Some(step as f64))));
            }
        }
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = STEP / 2.0;
            ui.add(Label::new(RichText::new(&spec.title).strong()).truncate()).on_hover_text(spec.help);
            for (name, color, _, value) in &lines {
                if let Some(value) = value {
                    let text = RichText::new(short_number(*value)).color(*color);
                    ui.label(text).on_hover_text(format!("{name}, at the logged step nearest to the mark"));
                }
            }
        });
        let mark = Stroke::new(1.5, ui.visuals().text_color());
        let plot = Plot::new(("strip", &spec.base))
            .width(size.x)
            .height(size.y)
            .allow_drag(false)
            .allow_boxed_zoom(false)
            .include_x(0.0);
        let response = shared(plot, ui, PLAIN).show(ui, move |plot| {
            for (name, color, points, _) in lines {
                plot.line(Line::new(name, PlotPoints::from(thinned(&points, None))).color(color).width(1.5));
            }
            plot.vline(VLine::new("checkpoint on show", step as f64).stroke(mark).allow_hover(false));
            plot.response().clicked().then(|| plot.pointer_coordinate().map(|at| at.x)).flatten()
        });
        response.response.on_hover_text("Click to go to the nearest checkpoint.");
        response.inner
    }
}
