//! The figures that stand beside the page.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use crate::engine::ask::ResultRow;
use crate::engine::figures::bars::{BarsTable, bars_page, bars_spec};
use crate::engine::figures::locality::locality_spec;
use crate::engine::figures::plotted::{curves, named, page};
use crate::engine::jobs::convergence::{convergence_page, convergence_spec};
use crate::engine::jobs::locality::report_page;
use crate::engine::jobs::results::given::{GivenConvergence, GivenResults};
use crate::engine::jobs::results::trained::TrainedModel;
use crate::figure::{
    CurveAxis, CurveSeries, Figure, Format, Panel, PanelsData, PanelsFigure, PanelsSpec, TextAs,
};

/// What a figure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownResult {
    /// Losses and online accuracies of all runs.
    Curves,
    /// The accuracies of a results folder, by its place.
    Bars(usize),
    /// A Figure 3a, by its place.
    Convergence(usize),
    /// A locality report, by its place.
    Locality(usize),
}

/// A figure that is to stand beside the page.
pub struct PageFigure {
    /// What it shows.
    pub of: ShownResult,
    /// Its file.
    pub path: PathBuf,
    /// What it is drawn from, for errors.
    from: String,
    figure: Figure,
}

impl PageFigure {
    /// Writes it, with its sidecar.
    pub fn save(&self) -> anyhow::Result<()> {
        let source = json!({ "made by": "bagssl results" });
        let saved = self.figure.save(&self.path, Format::DEFAULT_DPI, source);
        saved.map(|_| ()).with_context(|| format!("{}, drawn from {}", self.path.display(), self.from))
    }

    /// Its file's name.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// All figures that can be drawn of what is given, beside a page at `out`.
pub fn figures(given: &GivenResults, out: &Path) -> Vec<PageFigure> {
    let mut all = vec![];
    let mut add = |of, name: String, from: String, (spec, data): (PanelsSpec, PanelsData)| {
        let stem = out.file_stem().unwrap_or_default().to_string_lossy();
        let path = out.with_file_name(format!("{stem}-{name}.svg"));
        // A page is read in a browser, which has fonts, and kept with the code: outlines were ten times as large.
        let spec = PanelsSpec { text: TextAs::Font, ..spec };
        if !data.panels.is_empty() {
            all.push(PageFigure { of, path, from, figure: Figure::Panels(PanelsFigure { spec, data }) });
        }
    };
    let spec = PanelsSpec { height_in: 1.8, ..PanelsSpec::default() };
    let runs: Vec<String> = given.models.iter().map(|model| model.run.display().to_string()).collect();
    add(ShownResult::Curves, "curves".into(), runs.join(", "), (spec, curves_page(&given.models)));
    for (place, table) in given.tables.iter().enumerate() {
        let rows: &[ResultRow] = &table.stored.rows;
        // Bars of no height are no figure.
        if rows.iter().any(|row| row.accuracy > 0.0) {
            let (folder, plan) = (table.from.display().to_string(), &table.stored.plan);
            let data = bars_page(&[BarsTable { folder, rows, plan }], &["linear", "knn"]);
            add(
                ShownResult::Bars(place),
                format!("fig2-{}", place + 1),
                table.from.display().to_string(),
                (bars_spec(), data),
            );
        }
    }
    for (place, GivenConvergence { from, found }) in given.convergences.iter().enumerate() {
        let data = convergence_page(found);
        add(
            ShownResult::Convergence(place),
            format!("fig3a-{}", place + 1),
            from.display().to_string(),
            (convergence_spec(), data),
        );
    }
    for (place, given) in given.localities.iter().enumerate() {
        let data = report_page(&given.found);
        add(
            ShownResult::Locality(place),
            format!("locality-{}", place + 1),
            given.from.display().to_string(),
            (locality_spec(), data),
        );
    }
    all
}

/// Losses, a panel for each method as each has a scale of its own; and the online accuracies of all runs.
fn curves_page(models: &[TrainedModel]) -> PanelsData {
    let mut methods: Vec<&'static str> = vec![];
    for model in models.iter().filter(|model| !model.metrics.is_empty()) {
        let title = model.config.objective.title();
        if !methods.contains(&title) {
            methods.push(title);
        }
    }
    let panel = |title: &str, y: CurveAxis, series: Vec<CurveSeries>| {
        let has_value = series.iter().any(|line| line.y.iter().any(|y| y.is_finite()));
        has_value.then(|| Panel::Curves(curves(title, CurveAxis::of("epoch", ""), y, series)))
    };
    let mut panels = vec![];
    for title in methods {
        let of = models.iter().enumerate().filter(|(_, model)| model.config.objective.title() == title);
        let series = of.map(|(run, model)| {
            let (x, y) = model.metrics.iter().map(|line| (line.epoch, line.loss)).unzip();
            named(&model.name, run, x, y)
        });
        panels.extend(panel(title, CurveAxis::of("loss", ""), series.collect()));
    }
    let asked = models.iter().enumerate().filter_map(|(run, model)| {
        let scores =
            model.probes.iter().filter_map(|probe| Some((probe.epoch, probe.knn.as_ref()?.accuracy)));
        let (x, y): (Vec<f64>, Vec<f64>) = scores.map(|(epoch, share)| (epoch, 100.0 * share)).unzip();
        (!x.is_empty()).then(|| named(&model.name, run, x, y))
    });
    panels.extend(panel("online kNN", CurveAxis::of("accuracy", "%"), asked.collect()));
    let notes =
        vec!["a stroke for each run; the online kNN knows and asks few images, as the table says".into()];
    page(String::new(), panels, notes)
}
