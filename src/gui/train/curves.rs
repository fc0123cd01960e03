//! The curves: one small plot for each number, all with one horizontal axis and one cursor.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{Color32, ComboBox, Id, RichText, Slider, Ui, Vec2, vec2};
use egui_plot::{Line, Plot, PlotBounds, PlotPoints, PlotUi, Points};

use super::axis::{HorizontalAxis, span};
use super::heading::{HeadingValue, heading_ui, legend_ui, tag};
use super::icons::{self, Icon, icon_ui};
use super::metrics::{PlotSpec, plots, spectra};
use super::plotting::{PLOT_HEIGHT, ends, is_in_view, shared, tag_at, zoom_by_wheel};
use super::shown::{RunMark, ShownRun, hue};
use super::smooth::{CurveReading, CurveStyle, CurveUnits, LEAST_SMOOTHED, Ready, lowest};
use super::spectrum::spectrum_ui;
use crate::engine::training::{CurveExport, CurveLine, RunView};
use crate::gui::nouns::text::tail;
use crate::gui::paint::theme::STEP;

/// Smallest width of a plot, points.
const LEAST_WIDTH: f32 = 220.0;
/// Height of the one that has the whole width, points.
const LARGE_HEIGHT: f32 = 380.0;
/// Lines of so few points have them marked.
const DOTTED: usize = LEAST_SMOOTHED - 1;

/// The plots and how they look.
pub struct Curves {
    look: CurveStyle,
    axis: HorizontalAxis,
    /// The plot that has the whole width.
    large: Option<String>,
    ready: HashMap<(PathBuf, String), Arc<Ready>>,
    /// Where the curves on show begin and end.
    across: Option<[f64; 2]>,
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
            across: None,
            cursor: None,
            resets: 0,
        }
    }
}

/// One line of a plot.
struct Curve {
    name: String,
    /// Run and space at the line's end; empty where there is nothing to tell apart.
    tag: String,
    space: Option<&'static str>,
    mark: RunMark,
    color: Color32,
    ready: Arc<Ready>,
    reading: Option<CurveReading>,
}

/// What is drawn in one plot.
struct PlotLines {
    curves: Vec<Curve>,
    look: CurveStyle,
    /// What is unusual about it, in words.
    remark: &'static str,
}

impl Curves {
    /// Draws the plots of `runs`. Returns what is to be exported, if that was asked.
    pub fn ui(&mut self, ui: &mut Ui, runs: &[ShownRun<'_>]) -> Option<CurveExport> {
        let specs = plots(runs.iter().map(|shown| shown.run));
        self.toolbar_ui(ui, runs);
        self.forget(runs);
        self.across = span(self.axis, runs.iter().map(|shown| shown.run), self.look.log_x);
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
        for row in spectra.chunks(columns) {
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

    fn toolbar_ui(&mut self, ui: &mut Ui, runs: &[ShownRun<'_>]) {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Curves").strong());
            let marks: Vec<RunMark> = runs.iter().map(|shown| shown.mark).collect();
            legend_ui(ui, &marks);
            let label = ui.label("Smooth");
            let slider = Slider::new(&mut self.look.smoothing, 0.0..=0.99).fixed_decimals(2);
            ui.add(slider).labelled_by(label.id).on_hover_text(format!(
                "Weight of the past in an exponential running mean; the raw values stay visible, pale. 0 is none. Lines of fewer than {LEAST_SMOOTHED} points are drawn as measured.",
            ));
            let combo = ComboBox::from_id_salt("curve axis").width(72.0).selected_text(format!("by {}", self.axis.name()));
            let before = self.axis;
            let combo = combo.show_ui(ui, |ui| {
                for (axis, name) in HorizontalAxis::ALL {
                    ui.selectable_value(&mut self.axis, axis, name);
                }
            });
            combo.response.accessible_name("Horizontal axis").on_hover_text("What the horizontal axis counts.");
            let log_x = ui.checkbox(&mut self.look.log_x, "log x").on_hover_text("Logarithmic horizontal axis; what lies at 0 is left out.");
            let log_y = ui.checkbox(&mut self.look.log_y, "log y").on_hover_text("Logarithmic vertical axes; a plot with values of 0 or less stays linear and says so.");
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

    fn ready(&mut self, run: &RunView, key: &str, factor: f64, look: CurveStyle) -> Option<&Arc<Ready>> {
        let scale = CurveUnits { across: self.axis.across(run), factor };
        let source = run.series.get(key)?;
        let slot = self.ready.entry((run.path.clone(), key.to_owned()));
        let ready = slot.or_insert_with(|| Arc::new(Ready::new(source, scale.clone(), look)));
        if !ready.is_of(source, &scale, look) {
            *ready = Arc::new(Ready::new(source, scale, look));
        }
        Some(ready)
    }

    /// The lowest value of a series, as measured; looked for once.
    fn lowest(&self, run: &RunView, key: &str) -> f64 {
        let Some(source) = run.series.get(key) else { return f64::INFINITY };
        let known = self.ready.get(&(run.path.clone(), key.to_owned()));
        known.and_then(|ready| ready.lowest_of(source)).unwrap_or_else(|| lowest(source))
    }

    /// The lines of a plot, in the hues of their spaces and the strokes of their runs.
    fn lines(&mut self, spec: &PlotSpec, runs: &[ShownRun<'_>], ui: &Ui) -> PlotLines {
        let mut series = runs.iter().flat_map(|shown| spec.keys.iter().map(move |(key, _)| (shown.run, key)));
        let has_no_log = self.look.log_y && series.any(|(run, key)| self.lowest(run, key) <= 0.0);
        let look = CurveStyle { log_y: self.look.log_y && !has_no_log, ..self.look };
        let cursor = self.cursor;
        let mut curves = vec![];
        for ShownRun { run, mark } in runs {
            for (key, space) in &spec.keys {
                let Some(ready) = self.ready(run, key, spec.factor, look) else { continue };
                let name = match (space, runs.len()) {
                    (Some(space), 1) => (*space).to_owned(),
                    (Some(space), _) => format!("{} {} {space}", mark.letter(), tail(&run.name, 28)),
                    (None, 1) => tail(&run.name, 28),
                    (None, _) => format!("{} {}", mark.letter(), tail(&run.name, 28)),
                };
                curves.push(Curve {
                    name,
                    tag: tag(*mark, *space, runs.len()),
                    space: *space,
                    mark: *mark,
                    color: hue(*space, ui.visuals()),
                    ready: ready.clone(),
                    reading: ready.at(cursor),
                });
            }
        }
        let is_measured = look.smoothing > 0.0 && !curves.iter().any(|curve: &Curve| curve.ready.is_smoothed);
        let remark = match (has_no_log, is_measured) {
            (true, true) => "linear: has values of 0 or less; as measured",
            (true, false) => "linear: has values of 0 or less",
            (false, true) => "as measured",
            (false, false) => "",
        };
        PlotLines { curves, look, remark }
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
        let lines = self.lines(spec, runs, ui);
        self.heading_ui(ui, spec, &lines, export);
        if !is_in_view(ui, size) {
            return;
        }
        let PlotLines { curves, look, .. } = lines;
        let group = Id::unique(("curves", self.resets));
        let plot = Plot::new(("curve", &spec.base, self.resets))
            .width(size.x)
            .height(size.y)
            .allow_double_click_reset(true)
            .link_axis(group, [true, false])
            .link_cursor(group, [true, false]);
        let mut plot = shared(plot, ui, look).x_axis_label(self.axis.name());
        for at in self.across.map(|[low, high]| ends(low, high, look.log_x)).into_iter().flatten() {
            plot = plot.include_x(at);
        }
        let all = curves.iter().filter_map(|curve| curve.ready.ends);
        if let Some([low, high]) = all.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]) {
            plot = ends(low, high, look.log_y).into_iter().fold(plot, |plot, at| plot.include_y(at));
        }
        let response = plot.show(ui, move |plot| {
            zoom_by_wheel(plot);
            let bounds: PlotBounds = plot.plot_bounds();
            let range = (!plot.auto_bounds().x).then(|| (bounds.min()[0], bounds.max()[0]));
            for curve in curves {
                curve_ui(plot, &curve, range);
            }
            plot.response().hovered().then(|| plot.pointer_coordinate().map(|at| at.x)).flatten()
        });
        *cursor = cursor.or(response.inner);
    }

    /// Title and values (under the cursor, or where the lines end), and the plot's buttons.
    fn heading_ui(
        &mut self,
        ui: &mut Ui,
        spec: &PlotSpec,
        lines: &PlotLines,
        export: &mut Option<CurveExport>,
    ) {
        let value = |curve: &Curve| HeadingValue {
            name: curve.name.clone(),
            tag: curve.tag.clone(),
            color: curve.color,
            reading: curve.reading,
        };
        let values: Vec<HeadingValue> = lines.curves.iter().map(value).collect();
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = STEP / 2.0;
            let buttons = 2.0 * (icons::SIDE + STEP / 2.0);
            heading_ui(ui, spec, &values, lines.remark, (ui.available_width() - buttons).max(buttons));
            let is_large = self.large.as_ref() == Some(&spec.base);
            let (icon, size) = if is_large { (Icon::Shrink, "small") } else { (Icon::Enlarge, "large") };
            if icon_ui(ui, icon, &format!("{} at {size} size", spec.title)).clicked() {
                self.large = (!is_large).then(|| spec.base.clone());
            }
            if icon_ui(ui, Icon::Save, &format!("Export {} as a figure", spec.title)).clicked() {
                *export = Some(self.export(spec, lines));
            }
        });
    }

    fn export(&self, spec: &PlotSpec, lines: &PlotLines) -> CurveExport {
        let look = lines.look;
        let plain = |value: f64, log: bool| if log { 10f64.powf(value) } else { value };
        let line = |curve: &Curve| {
            let points = curve.ready.smooth.iter();
            let (x, y) = points.map(|[x, y]| (plain(*x, look.log_x), plain(*y, look.log_y))).unzip();
            let space = curve.space.map(str::to_owned);
            CurveLine { name: curve.name.clone(), space, run: curve.mark.0, x, y }
        };
        let smoothing = look.smoothing;
        let of = |smoothed: bool| lines.curves.iter().any(|curve| curve.ready.is_smoothed == smoothed);
        let few = if of(false) {
            format!("; lines of fewer than {LEAST_SMOOTHED} points as measured")
        } else {
            String::new()
        };
        let mean = of(true)
            .then(|| format!("Exponential running mean with weight {smoothing:.2} of the past{few}."));
        CurveExport {
            title: spec.title.clone(),
            x_label: self.axis.name().to_owned(),
            y_label: spec.title.clone(),
            unit: spec.unit.to_owned(),
            log_x: look.log_x,
            log_y: self.look.log_y,
            lines: lines.curves.iter().map(line).collect(),
            notes: mean.into_iter().collect(),
        }
    }
}

/// Draws a line: pale as measured, with points where there are few, and what it is at its end.
fn curve_ui(plot: &mut PlotUi<'_>, curve: &Curve, range: Option<(f64, f64)>) {
    let ready = &curve.ready;
    if ready.is_smoothed {
        let raw = Line::new(curve.name.clone(), PlotPoints::from(ready.thin_raw(range)));
        let pale = curve.color.gamma_multiply(0.28);
        plot.line(raw.color(pale).width(1.0).allow_hover(false).id((&curve.name, "raw")));
    }
    if ready.smooth.len() <= DOTTED {
        let points = Points::new(format!("{} points", curve.name), PlotPoints::from(ready.smooth.clone()));
        plot.points(points.color(curve.color).radius(2.0).allow_hover(false));
    }
    let line = Line::new(curve.name.clone(), PlotPoints::from(ready.thin_smooth(range)));
    plot.line(line.color(curve.color).width(1.5).style(curve.mark.stroke()).id(&curve.name));
    if let Some(end) = ready.smooth.last().filter(|_| !curve.tag.is_empty()) {
        tag_at(plot, &curve.tag, *end, curve.color);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::engine::training::{MetricSeries, RunStatus};

    fn run(series: MetricSeries) -> RunView {
        RunView {
            series: Arc::new(BTreeMap::from([("loss".to_owned(), Arc::new(series))])),
            status: RunStatus::Finished,
            ..RunView::of(Path::new("/runs/a"))
        }
    }

    #[test]
    fn a_line_is_looked_through_once_and_again_when_it_has_grown() {
        let mut curves = Curves::default();
        let look = curves.look;
        let short = run(MetricSeries { x: vec![0.0, 1.0], y: vec![3.0, 1.0] });
        let first = curves.ready(&short, "loss", 2.0, look).unwrap().clone();
        assert!(Arc::ptr_eq(&first, curves.ready(&short, "loss", 2.0, look).unwrap()));
        assert_eq!((first.ends, curves.lowest(&short, "loss")), (Some([2.0, 6.0]), 1.0));
        let long = run(MetricSeries { x: vec![0.0, 1.0, 2.0], y: vec![3.0, 1.0, -5.0] });
        assert_eq!(curves.lowest(&long, "loss"), -5.0, "not that of the shorter one");
        let again = curves.ready(&long, "loss", 2.0, look).unwrap();
        assert!(!Arc::ptr_eq(&first, again) && again.ends == Some([-10.0, 6.0]));
    }
}
