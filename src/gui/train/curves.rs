//! The curves: one small plot for each number, all with one horizontal axis and one cursor.

use std::collections::HashMap;
use std::path::PathBuf;

use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{
    Align, Color32, ComboBox, Id, Label, Layout, RichText, Slider, TextStyle, Ui, Vec2, vec2,
};
use egui_plot::{Line, LineStyle, Plot, PlotBounds, PlotPoints, Points};

use super::axis::HorizontalAxis;
use super::icons::{Icon, icon_ui};
use super::metrics::{PlotSpec, plots, spectra};
use super::plotting::{PLOT_HEIGHT, letter_at, number, shared, short_number, zoom_by_wheel};
use super::shown::ShownRun;
use super::smooth::{CurveStyle, CurveUnits, Ready, thinned};
use super::spectrum::spectrum_ui;
use crate::engine::training::{CurveExport, RunView};
use crate::gui::nouns::text::tail;
use crate::gui::paint::theme::{self, STEP};

/// Smallest width of a plot, points.
const LEAST_WIDTH: f32 = 220.0;
/// Height of the one that has the whole width, points.
const LARGE_HEIGHT: f32 = 380.0;
/// Room for values beside a title, points; less shows none.
const LEAST_VALUES: f32 = 24.0;
/// Lines of so few points have them marked.
const DOTTED: usize = 24;

/// The plots and how they look.
pub struct Curves {
    look: CurveStyle,
    axis: HorizontalAxis,
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
            look: CurveStyle { smoothing: 0.6, log_x: false, log_y: false },
            axis: HorizontalAxis::Steps,
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
    /// Tells it from the lines of other runs; none where there is one run.
    letter: Option<char>,
    raw: Vec<[f64; 2]>,
    smooth: Vec<[f64; 2]>,
    value: Option<f64>,
}

impl Curves {
    /// Draws the plots of `runs`. Returns what is to be exported, if that was asked.
    pub fn ui(&mut self, ui: &mut Ui, runs: &[ShownRun<'_>]) -> Option<CurveExport> {
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
                        self.plot_ui(ui, spec, runs, vec2(width, PLOT_HEIGHT), &mut cursor, &mut export);
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
                for (axis, name) in HorizontalAxis::ALL {
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
    fn forget(&mut self, runs: &[ShownRun<'_>]) {
        self.ready.retain(|(path, _), _| runs.iter().any(|shown| shown.run.path == *path));
    }

    fn ready(&mut self, run: &RunView, key: &str, factor: f64) -> Option<&Ready> {
        let scale = CurveUnits { across: self.axis.across(run), factor };
        let (source, look) = (run.series.get(key)?, self.look);
        let slot = self.ready.entry((run.path.clone(), key.to_owned()));
        let ready = slot.or_insert_with(|| Ready::new(source, scale.clone(), look));
        if !ready.is_of(source, &scale, look) {
            *ready = Ready::new(source, scale, look);
        }
        Some(ready)
    }

    /// The lines of a plot. One run has the hues of its spaces, several have their own colours and dashes for h.
    fn curves(&mut self, spec: &PlotSpec, runs: &[ShownRun<'_>], dark: bool) -> Vec<Curve> {
        let cursor = self.cursor;
        let mut curves = vec![];
        for ShownRun { run, color, letter } in runs {
            for (key, space) in &spec.keys {
                let Some(ready) = self.ready(run, key, spec.factor) else { continue };
                let name = match (space, runs.len()) {
                    (Some(space), 1) => (*space).to_owned(),
                    (Some(space), _) => format!("{letter} {} {space}", tail(&run.name, 28)),
                    (None, 1) => tail(&run.name, 28),
                    (None, _) => format!("{letter} {}", tail(&run.name, 28)),
                };
                let color =
                    space.filter(|_| runs.len() == 1).map_or(*color, |space| theme::space(space, dark));
                let dashed = *space == Some("h") && runs.len() > 1;
                let (raw, smooth) = (ready.raw.clone(), ready.smooth.clone());
                let letter = (runs.len() > 1).then_some(*letter);
                curves.push(Curve {
                    name,
                    color,
                    dashed,
                    letter,
                    raw,
                    smooth,
                    value: ready.value_at(cursor),
                });
            }
        }
        curves
    }

    fn plot_ui(
        &mut self,
        ui: &mut Ui,
        spec: &PlotSpec,
        runs: &[ShownRun<'_>],
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
        let plot = Plot::new(("curve", &spec.base, self.resets))
            .width(size.x)
            .height(size.y)
            .allow_double_click_reset(true)
            .link_axis(group, [true, false])
            .link_cursor(group, [true, false]);
        let mut plot = shared(plot, ui, look);
        if size.y >= LARGE_HEIGHT {
            plot = plot.x_axis_label(self.axis.name());
        }
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
                if curve.smooth.len() <= DOTTED {
                    let points =
                        Points::new(format!("{} points", curve.name), PlotPoints::from(curve.smooth.clone()));
                    plot.points(points.color(curve.color).radius(2.0).allow_hover(false));
                }
                let line = Line::new(curve.name.clone(), PlotPoints::from(thinned(&curve.smooth, range)));
                plot.line(line.color(curve.color).width(1.5).style(style).id(&curve.name));
                let end = curve.letter.zip(curve.smooth.last());
                end.into_iter().for_each(|(letter, end)| letter_at(plot, letter, *end, curve.color));
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
            ui.spacing_mut().item_spacing.x = 0.0;
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if icon_ui(ui, Icon::Save, &format!("Export {} as a figure", spec.title)).clicked() {
                    *export = Some(self.export(spec, curves));
                }
                let is_large = self.large.as_ref() == Some(&spec.base);
                let (icon, size) = if is_large { (Icon::Shrink, "small") } else { (Icon::Enlarge, "large") };
                if icon_ui(ui, icon, &format!("{} at {size} size", spec.title)).clicked() {
                    self.large = (!is_large).then(|| spec.base.clone());
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let tip = heading_tip(spec, curves);
                    ui.add(Label::new(RichText::new(&spec.title).strong()).truncate()).on_hover_text(&tip);
                    if ui.available_width() > LEAST_VALUES {
                        ui.add(Label::new(values(ui, curves)).truncate()).on_hover_text(tip);
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

/// The values in the colours of their curves.
fn values(ui: &Ui, curves: &[Curve]) -> LayoutJob {
    let font = TextStyle::Body.resolve(ui.style());
    let mut job = LayoutJob::default();
    for curve in curves {
        if let Some(value) = curve.value {
            let letter = curve.letter.map_or(String::new(), |letter| format!("{letter} "));
            let text = format!("  {letter}{}", short_number(value));
            job.append(&text, 0.0, TextFormat::simple(font.clone(), curve.color));
        }
    }
    job
}

/// What the number is, and the value of every curve by name.
fn heading_tip(spec: &PlotSpec, curves: &[Curve]) -> String {
    let values = curves.iter().filter_map(|curve| Some(format!("{}: {}", curve.name, number(curve.value?))));
    let help = (!spec.help.is_empty()).then(|| spec.help.to_owned());
    help.into_iter().chain(values).collect::<Vec<_>>().join("\n")
}
