//! The curves: one small plot for each number, all with one horizontal axis and one cursor.

use std::collections::HashMap;
use std::path::PathBuf;

use eframe::egui::{Align, Button, Color32, ComboBox, Id, Label, Layout, RichText, Slider, Ui, Vec2, vec2};
use egui_plot::{Line, LineStyle, Plot, PlotBounds, PlotPoints};

use super::metrics::{PlotSpec, plots, spectra};
use super::plotting::{hover_text, log_marks, marks, number, tick, zoom_by_wheel};
use super::smooth::{Look, Ready, thinned};
use super::spectrum::spectrum_ui;
use crate::engine::training::{CurveExport, RunView};
use crate::gui::text::tail;
use crate::gui::theme::{self, STEP};

/// Smallest width of a plot, and its height, points.
const LEAST_WIDTH: f32 = 220.0;
pub const HEIGHT: f32 = 116.0;
const LARGE_HEIGHT: f32 = 380.0;
/// Runs whose values stand above a plot.
const VALUES: usize = 4;

/// What the horizontal axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Axis {
    Steps,
    Epochs,
    Views,
}

impl Axis {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Steps, "step"), (Self::Epochs, "epoch"), (Self::Views, "views")];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(axis, _)| *axis == self).map_or("", |(_, name)| name)
    }

    /// What one step of `run` is; a run that does not tell is left on steps.
    fn scale(self, run: &RunView) -> f64 {
        match self {
            Axis::Steps => 1.0,
            Axis::Views => run.views_per_step().unwrap_or(1.0),
            Axis::Epochs => run.steps_per_epoch().map_or(1.0, |steps| 1.0 / steps as f64),
        }
    }
}

/// A run that is drawn, with its colour.
pub struct Shown<'a> {
    pub run: &'a RunView,
    pub color: Color32,
}

/// The plots and how they look.
pub struct Curves {
    look: Look,
    axis: Axis,
    /// The plot that has the whole width.
    large: Option<String>,
    ready: HashMap<(PathBuf, String), Ready>,
    /// Where the pointer is on the horizontal axis, as drawn.
    cursor: Option<f64>,
    /// Counts up when the whole range is to be seen again.
    resets: u64,
}

impl Default for Curves {
    fn default() -> Self {
        Self {
            look: Look { smoothing: 0.6, log_x: false, log_y: false },
            axis: Axis::Steps,
            large: None,
            ready: HashMap::new(),
            cursor: None,
            resets: 0,
        }
    }
}

/// One line of a plot.
struct Curve {
    name: String,
    color: Color32,
    dashed: bool,
    raw: Vec<[f64; 2]>,
    smooth: Vec<[f64; 2]>,
    value: Option<f64>,
}

impl Curves {
    /// Draws the plots of `runs`. Returns what is to be exported, if that was asked.
    pub fn ui(&mut self, ui: &mut Ui, runs: &[Shown<'_>]) -> Option<CurveExport> {
        let specs = plots(runs.iter().map(|shown| shown.run));
        self.toolbar_ui(ui);
        self.forget(runs);
        let mut export = None;
        let mut cursor = None;
        if self.large.as_ref().is_some_and(|large| !specs.iter().any(|spec| spec.base == *large)) {
            self.large = None;
        }
        let (large, small): (Vec<_>, Vec<_>) =
            specs.iter().partition(|spec| self.large.as_ref() == Some(&spec.base));
        for spec in large {
            let size = vec2(ui.available_width(), LARGE_HEIGHT);
            self.plot_ui(ui, spec, runs, size, &mut cursor, &mut export);
        }
        let columns = ((ui.available_width() + STEP) / (LEAST_WIDTH + STEP)).floor().clamp(1.0, 4.0) as usize;
        let columns = columns.min(small.len().max(1));
        let width = (ui.available_width() - STEP * (columns as f32 - 1.0)) / columns as f32;
        for row in small.chunks(columns) {
            ui.horizontal_top(|ui| {
                for spec in row {
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        self.plot_ui(ui, spec, runs, vec2(width, HEIGHT), &mut cursor, &mut export);
                    });
                }
            });
        }
        self.cursor = cursor;
        let spectra = spectra(runs.iter().map(|shown| shown.run));
        for row in spectra.chunks(columns.max(2)) {
            ui.horizontal_top(|ui| {
                for spec in row {
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        spectrum_ui(ui, spec, runs, width);
                    });
                }
            });
        }
        export
    }

    fn toolbar_ui(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Curves").strong());
            let label = ui.label("Smooth");
            let slider = Slider::new(&mut self.look.smoothing, 0.0..=0.99).fixed_decimals(2);
            ui.add(slider).labelled_by(label.id).on_hover_text(
                "Weight of the past in an exponential running mean; the raw values stay visible, pale. 0 is none.",
            );
            let combo = ComboBox::from_id_salt("curve axis").width(72.0).selected_text(format!("by {}", self.axis.name()));
            let before = self.axis;
            let combo = combo.show_ui(ui, |ui| {
                for (axis, name) in Axis::ALL {
                    ui.selectable_value(&mut self.axis, axis, name);
                }
            });
            combo.response.accessible_name("Horizontal axis").on_hover_text("What the horizontal axis counts.");
            let log_x = ui.checkbox(&mut self.look.log_x, "log x").on_hover_text("Logarithmic horizontal axis.");
            let log_y = ui.checkbox(&mut self.look.log_y, "log y").on_hover_text("Logarithmic vertical axes; what is not positive is left out.");
            let whole = ui.button("Whole range").on_hover_text("Wheel zooms, dragging pans, dragging with the right button zooms into a box.");
            if before != self.axis || log_x.changed() || log_y.changed() || whole.clicked() {
                self.resets += 1;
            }
        });
    }

    /// Drops what belongs to runs that are gone.
    fn forget(&mut self, runs: &[Shown<'_>]) {
        self.ready.retain(|(path, _), _| runs.iter().any(|shown| shown.run.path == *path));
    }

    fn ready(&mut self, run: &RunView, key: &str) -> Option<&Ready> {
        let (source, scale, look) = (run.series.get(key)?, self.axis.scale(run), self.look);
        let slot = self.ready.entry((run.path.clone(), key.to_owned()));
        let ready = slot.or_insert_with(|| Ready::new(source, scale, look));
        if !ready.is_of(source, scale, look) {
            *ready = Ready::new(source, scale, look);
        }
        Some(ready)
    }

    /// The lines of a plot. One run has the hues of its spaces, several have their own colours and dashes for h.
    fn curves(&mut self, spec: &PlotSpec, runs: &[Shown<'_>], dark: bool) -> Vec<Curve> {
        let cursor = self.cursor;
        let mut curves = vec![];
        for Shown { run, color } in runs {
            for (key, space) in &spec.keys {
                let Some(ready) = self.ready(run, key) else { continue };
                let name = match (space, runs.len()) {
                    (Some(space), 1) => (*space).to_owned(),
                    (Some(space), _) => format!("{} {space}", tail(&run.name, 28)),
                    (None, _) => tail(&run.name, 28),
                };
                let color =
                    space.filter(|_| runs.len() == 1).map_or(*color, |space| theme::space(space, dark));
                let dashed = *space == Some("h") && runs.len() > 1;
                let (raw, smooth) = (ready.raw.clone(), ready.smooth.clone());
                curves.push(Curve { name, color, dashed, raw, smooth, value: ready.value_at(cursor) });
            }
        }
        curves
    }

    fn plot_ui(
        &mut self,
        ui: &mut Ui,
        spec: &PlotSpec,
        runs: &[Shown<'_>],
        size: Vec2,
        cursor: &mut Option<f64>,
        export: &mut Option<CurveExport>,
    ) {
        let curves = self.curves(spec, runs, ui.visuals().dark_mode);
        self.heading_ui(ui, spec, &curves, export);
        let look = self.look;
        let group = Id::unique(("curves", self.resets));
        let longest =
            curves.iter().flat_map(|curve| curve.raw.last()).map(|point| point[0]).fold(f64::NAN, f64::max);
        let is_smoothed = look.smoothing > 0.0;
        let mut plot = Plot::new(("curve", &spec.base, self.resets))
            .width(size.x)
            .height(size.y)
            .allow_scroll(false)
            .allow_zoom(false)
            .allow_double_click_reset(true)
            .link_axis(group, [true, false])
            .link_cursor(group, [true, false])
            .y_axis_min_width(44.0)
            .set_margin_fraction(vec2(0.01, 0.08))
            .x_axis_formatter(move |mark, _| tick(mark.value, look.log_x))
            .y_axis_formatter(move |mark, _| tick(mark.value, look.log_y))
            .label_formatter(move |at| hover_text(at, look));
        plot = plot.x_grid_spacer(if look.log_x { log_marks } else { marks });
        plot = plot.y_grid_spacer(if look.log_y { log_marks } else { marks });
        if longest.is_finite() {
            plot = plot.include_x(longest);
        }
        let response = plot.show(ui, move |plot| {
            zoom_by_wheel(plot);
            let bounds: PlotBounds = plot.plot_bounds();
            let range = (!plot.auto_bounds().x).then(|| (bounds.min()[0], bounds.max()[0]));
            for curve in curves {
                let style = if curve.dashed { LineStyle::dashed_dense() } else { LineStyle::Solid };
                if is_smoothed {
                    let raw = Line::new(curve.name.clone(), PlotPoints::from(thinned(&curve.raw, range)));
                    plot.line(
                        raw.color(curve.color.gamma_multiply(0.28))
                            .width(1.0)
                            .allow_hover(false)
                            .id((&curve.name, "raw")),
                    );
                }
                let line = Line::new(curve.name.clone(), PlotPoints::from(thinned(&curve.smooth, range)));
                plot.line(line.color(curve.color).width(1.5).style(style).id(&curve.name));
            }
            plot.response().hovered().then(|| plot.pointer_coordinate().map(|at| at.x)).flatten()
        });
        *cursor = cursor.or(response.inner);
    }

    /// Title and values: under the cursor, or the newest.
    fn heading_ui(
        &mut self,
        ui: &mut Ui,
        spec: &PlotSpec,
        curves: &[Curve],
        export: &mut Option<CurveExport>,
    ) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = STEP / 2.0;
            let title = ui.add(Label::new(RichText::new(&spec.title).strong()).truncate());
            if !spec.help.is_empty() {
                title.on_hover_text(spec.help);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui
                    .add(Button::new("Export").small())
                    .on_hover_text(format!("Export {} as a figure", spec.title))
                    .clicked()
                {
                    *export = Some(self.export(spec, curves));
                }
                let is_large = self.large.as_ref() == Some(&spec.base);
                let name = if is_large { "Small" } else { "Large" };
                if ui
                    .add(Button::new(name).small())
                    .on_hover_text(format!("{} at {} size", spec.title, name.to_lowercase()))
                    .clicked()
                {
                    self.large = (!is_large).then(|| spec.base.clone());
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    for curve in curves.iter().take(VALUES) {
                        if let Some(value) = curve.value {
                            let text = RichText::new(number(value)).color(curve.color);
                            ui.add(Label::new(text).truncate()).on_hover_text(&curve.name);
                        }
                    }
                });
            });
        });
    }

    fn export(&self, spec: &PlotSpec, curves: &[Curve]) -> CurveExport {
        let plain = |value: f64, log: bool| if log { 10f64.powf(value) } else { value };
        let line = |curve: &Curve| {
            let (x, y) = curve
                .smooth
                .iter()
                .map(|[x, y]| (plain(*x, self.look.log_x), plain(*y, self.look.log_y)))
                .unzip();
            (curve.name.clone(), x, y)
        };
        let smoothing = self.look.smoothing;
        CurveExport {
            title: spec.title.clone(),
            x_label: self.axis.name().to_owned(),
            log_x: self.look.log_x,
            log_y: self.look.log_y,
            lines: curves.iter().map(line).collect(),
            notes: (smoothing > 0.0)
                .then(|| format!("Exponential running mean with weight {smoothing:.2} of the past."))
                .into_iter()
                .collect(),
        }
    }
}
