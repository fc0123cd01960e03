//! A few curves of one run in a row, with a mark at one of its steps.

use std::collections::HashMap;
use std::path::PathBuf;

use eframe::egui::{Label, RichText, Stroke, Ui, Vec2, vec2};
use egui_plot::{Line, Plot, PlotPoints, VLine};

use super::axis::Across;
use super::metrics::{PlotSpec, plots};
use super::plotting::{ends, shared, short_number};
use super::shown::hue;
use super::smooth::{CurveReading, CurveStyle, CurveUnits, Ready, thinned};
use crate::engine::training::RunView;
use crate::gui::nouns::text::thousands;
use crate::gui::paint::theme::STEP;

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
        let mut lines = vec![];
        for (key, space) in &spec.keys {
            let color = hue(*space, ui.visuals());
            let name = space.unwrap_or(&spec.title).to_owned();
            if let Some(ready) = self.ready(run, key, spec.factor) {
                lines.push((name, color, ready.raw.clone(), ready.at(Some(step as f64))));
            }
        }
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = STEP / 2.0;
            let values =
                lines.iter().filter_map(|(name, color, _, reading)| Some((name, color, (*reading)?)));
            let mut texts: Vec<(RichText, String)> = values
                .clone()
                .map(|(name, color, reading)| {
                    let tag = if spec.keys.len() > 1 { format!("{name} ") } else { String::new() };
                    let text = RichText::new(format!("{tag}{}", short_number(reading.shown))).color(*color);
                    (text, format!("{name}, {}", logged_at(&spec.base, reading)))
                })
                .collect();
            let apart = values.map(|(.., reading)| reading).find(|reading| reading.at != step as f64);
            texts.extend(apart.map(|reading| {
                let words = format!("at step {}", thousands(reading.at as usize));
                (RichText::new(words).weak(), logged_at(&spec.base, reading))
            }));
            // The numbers first, the title in the room that they leave.
            let font = eframe::egui::TextStyle::Body.resolve(ui.style());
            let room: f32 = texts
                .iter()
                .map(|(text, _)| {
                    let text = text.text().to_owned();
                    let galley = ui.painter().layout_no_wrap(text, font.clone(), ui.visuals().text_color());
                    galley.size().x + STEP / 2.0
                })
                .sum();
            let title = vec2((ui.available_width() - room).max(0.0), HEADING);
            let layout = eframe::egui::Layout::left_to_right(eframe::egui::Align::Center);
            ui.allocate_ui_with_layout(title, layout, |ui| {
                ui.add(Label::new(RichText::new(spec.heading()).strong()).truncate())
                    .on_hover_text(spec.help);
            });
            for (text, tip) in texts {
                ui.label(text).on_hover_text(tip);
            }
        });
        let mark = Stroke::new(1.5, ui.visuals().text_color());
        let plot = Plot::new(("strip", &spec.base))
            .width(size.x)
            .height(size.y)
            .allow_drag(false)
            .allow_boxed_zoom(false)
            .include_x(0.0);
        let values = lines.iter().flat_map(|(_, _, points, _)| points).map(|point| point[1]);
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y: f64| (low.min(y), high.max(y)));
        let mut plot = shared(plot, ui, PLAIN);
        if low <= high {
            plot = ends(low, high, false).into_iter().fold(plot, |plot, at| plot.include_y(at));
        }
        let response = plot.show(ui, move |plot| {
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

/// Where a value was logged that stands beside a mark elsewhere.
fn logged_at(base: &str, reading: CurveReading) -> String {
    let is_probed = ["knn", "rank", "deviation", "unit_deviation"].iter().any(|name| base.starts_with(name));
    let kind = if is_probed { "probe" } else { "line of metrics" };
    format!("nearest {kind}, step {}", thousands(reading.at as usize))
}
