//! How local the spaces of a model are, and the report on it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::analysis::invariance::{ChangeCurve, PatchChange};
use crate::analysis::locality::{self, LocalityConfig, LocalityReport, SpaceLocality};
use crate::dataset::{self, DataSpec, Dataset, ImageOrder, SPREAD_SEED, Split};
use crate::engine::ask::PatchSpace;
use crate::engine::figures::output::Written;
use crate::engine::figures::plotted::{curves, line, page};
use crate::engine::jobs::fresh;
use crate::engine::jobs::plot::{PlotFile, write_csv};
use crate::engine::jobs::{Job, open_embedder};
use crate::figure::{CurveAxis, CurveSeries, Panel, PanelsData, PanelsSpec};
use crate::files;
use crate::model::ModelSpec;
use crate::patch::PatchGrid;
use crate::stats::Interval;

/// `bagssl locality`.
pub struct LocalityRequest {
    /// What is measured.
    pub model: ModelSpec,
    /// On which images.
    pub data: DataSpec,
    /// Which split of it; none: the test split where there is one.
    pub split: Option<Split>,
    /// Only so many images, spread over the data set and its classes; all where absent.
    pub limit: Option<usize>,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// Which spaces; none: every one from pixels to z.
    pub spaces: Vec<PatchSpace>,
    /// How.
    pub config: LocalityConfig,
    /// Where the report is drawn, if it is.
    pub plot: Option<PlotFile>,
    /// Where the numbers go, if they are wanted as a table.
    pub csv: Option<PathBuf>,
}

/// Its result.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LocalityResult {
    /// The model's name.
    pub model: String,
    /// Hex SHA-256 of the model file; empty in results of before.
    #[serde(default)]
    pub model_hash: String,
    /// The data set's name.
    pub data: String,
    /// Which split of it.
    pub split: Option<Split>,
    /// Side of the patches, pixels.
    pub patch: u32,
    /// Distance between patches, pixels.
    pub stride: u32,
    /// Images of the data set, of which some are taken.
    pub of: usize,
    /// In which order they are taken.
    pub images_order: String,
    /// The measures.
    #[serde(flatten)]
    pub report: LocalityReport,
    /// The files that were written.
    #[serde(flatten, skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub files: Option<Written>,
}

/// Measures, and draws the report.
///
/// # Errors
/// As [`locality::measure`]; a space that the model lacks; a file that cannot be written.
pub fn locality(request: &LocalityRequest, job: Job<'_>) -> anyhow::Result<LocalityResult> {
    let data = open(request)?;
    let (_, embedder) = open_embedder(job.device, &request.model)?;
    let plan = fresh::plan(&embedder, data.as_ref(), request.limit, request.grid, &request.spaces)?;
    let report = locality::measure(&embedder, &data, plan, &request.config, job.cancel, job.progress)?;
    let mut result = LocalityResult {
        model: embedder.name.clone(),
        model_hash: embedder.hash.clone(),
        data: data.name(),
        split: data.split(),
        patch: request.grid.patch,
        stride: request.grid.stride,
        of: data.len(),
        images_order: ImageOrder::Spread { seed: SPREAD_SEED, of: data.len() as u64 }.to_string(),
        report,
        files: None,
    };
    if let Some(plot) = &request.plot {
        let source = json!({
            "model": embedder.facts(), "data": result.data, "split": result.split, "patch": result.patch,
            "stride": result.stride, "images": result.report.images, "of": result.of,
            "config": result.report.config,
        });
        result.files = Some(plot.write(report_page(&result), report_spec(), source)?);
    }
    if let Some(csv) = &request.csv {
        write_table(csv, &result.report)?;
    }
    Ok(result)
}

/// The test split unless another is told; of a set without one all of it.
fn open(request: &LocalityRequest) -> anyhow::Result<std::sync::Arc<dyn Dataset>> {
    if request.split.is_some() {
        return dataset::open(&request.data, request.split);
    }
    match dataset::open(&request.data, Some(Split::Test)) {
        Err(error) if files::is_read_error(&error) => Err(error),
        Err(_) => dataset::open(&request.data, None),
        opened => opened,
    }
}

/// Names that stand in full beside one another below a panel.
const MOST_NAMES: usize = 8;

/// A measure of every space, from pixels to z.
fn by_space(title: &str, what: &str, names: &[String], lines: Vec<(&str, Vec<Option<Interval>>)>) -> Panel {
    let places: Vec<f64> = (0..names.len()).map(|place| place as f64).collect();
    let line = |(run, (name, values)): (usize, (&str, Vec<Option<Interval>>))| CurveSeries {
        space: String::new(),
        run,
        ..banded(name, places.clone(), &values)
    };
    let series = lines.into_iter().enumerate().map(line).collect();
    // The blocks of a transformer are many: "block11" as "b11".
    let short = |name: &String| match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
        word if names.len() > MOST_NAMES && word.len() < name.len() && word.is_ascii() => {
            format!("{}{}", &word[..1], &name[word.len()..])
        }
        _ => name.clone(),
    };
    let names: Vec<String> = names.iter().map(short).collect();
    Panel::Curves(curves(title, CurveAxis::of_names("", names), CurveAxis::of(what, ""), series))
}

/// How the report looks.
pub(super) fn report_spec() -> PanelsSpec {
    PanelsSpec { height_in: 1.05, ..PanelsSpec::default() }
}

/// The report, one page of plots.
pub(super) fn report_page(result: &LocalityResult) -> PanelsData {
    let report = &result.report;
    let names: Vec<String> = report.spaces.iter().map(|space| space.space.clone()).collect();
    let of = |value: &dyn Fn(&SpaceLocality) -> Option<Interval>| report.spaces.iter().map(value).collect();
    let mut panels = vec![];
    if report.parts_known {
        let purity = |name: &String| {
            let found = report.purity.get(name)?;
            Some(Interval { value: found.mean, low: found.low, high: found.high })
        };
        let chance = vec![purity(&"chance".to_owned()); names.len()];
        let lines = vec![("neighbours", names.iter().map(purity).collect()), ("chance", chance)];
        panels.push(by_space("part purity of neighbours", "share", &names, lines));
    }
    panels.push(displacement_panel(report));
    let contrast = of(&|space| space.displacement.near_minus_far);
    panels.push(by_space("near minus far", "cosine", &names, vec![("near minus far", contrast)]));
    let entropies = vec![
        ("neighbours", of(&|space| space.positions.map(|p| p.neighbours))),
        ("shuffled", of(&|space| space.positions.map(|p| p.shuffled))),
    ];
    panels.push(by_space("position entropy of neighbours", "bits", &names, entropies));
    let last = report.spaces.iter().filter(|space| ["h", "z"].contains(&space.space.as_str()));
    panels.extend(last.map(composition_panel));
    panels.extend(report.invariance.iter().map(|curve| invariance_panel(curve, &names)));
    // A panel of which nothing could be measured is left out.
    panels.retain(|panel| match panel {
        Panel::Curves(panel) => panel.curves.series.iter().any(|line| line.y.iter().any(|y| y.is_finite())),
        _ => true,
    });
    let config = report.config;
    let notes = vec![
        format!("model {}, {}: {} of {} images", result.model, result.data, report.images, result.of),
        format!("{} patches of {1} x {1} px every {2} px", report.patches, result.patch, result.stride),
        format!("{} queries, {} neighbours, seed {}", report.queries, config.neighbours, config.seed),
        format!("{} patches changed", report.changed),
        "bands: bootstrap intervals of 95 % over images".into(),
    ];
    page(format!("Locality of {}", result.model), panels, notes)
}

fn banded(space: &str, x: Vec<f64>, values: &[Option<Interval>]) -> CurveSeries {
    let of = |value: fn(&Interval) -> f64| -> Vec<f64> {
        values.iter().map(|interval| interval.as_ref().map_or(f64::NAN, value)).collect()
    };
    line(space, x, of(|i| i.value), Some((of(|i| i.low), of(|i| i.high))))
}

fn displacement_panel(report: &LocalityReport) -> Panel {
    let series = report.spaces.iter().map(|space| {
        let points = &space.displacement.points;
        let values: Vec<Option<Interval>> = points.iter().map(|point| Some(point.cosine)).collect();
        banded(&space.space, points.iter().map(|point| point.pixels).collect(), &values)
    });
    let axes = (CurveAxis::of("displacement", "px"), CurveAxis::of("cosine", ""));
    Panel::Curves(curves("cosine within an image", axes.0, axes.1, series.collect()))
}

fn composition_panel(space: &SpaceLocality) -> Panel {
    let of = &space.composition;
    let relations = [
        ("same image", &of.same_image),
        ("same class", &of.same_class),
        ("other class", &of.other_class),
        ("other image", &of.other_image),
    ];
    let occurs = |(_, values): &(&str, &Vec<Interval>)| values.iter().any(|share| share.value > 0.0);
    let series = relations.into_iter().filter(occurs).map(|(name, values)| {
        let ranks = (1..=values.len()).map(|rank| rank as f64).collect();
        let values: Vec<Option<Interval>> = values.iter().copied().map(Some).collect();
        CurveSeries { space: String::new(), ..banded(name, ranks, &values) }
    });
    let title = format!("neighbours in {} by rank", space.space);
    Panel::Curves(curves(&title, CurveAxis::of("rank", ""), CurveAxis::of("share", ""), series.collect()))
}

fn invariance_panel(curve: &ChangeCurve, names: &[String]) -> Panel {
    if curve.change == PatchChange::Flip {
        let of = |name: &String| curve.cosines.iter().find(|(space, _)| space == name)?.1[0];
        let values = names.iter().map(of).collect();
        return by_space("flip", "cosine", names, vec![("with its mirror image", values)]);
    }
    let shown = curve.cosines.iter().filter(|(space, _)| names.contains(space));
    let series = shown.map(|(space, values)| banded(space, curve.amounts.clone(), values)).collect();
    let change = curve.change.to_string();
    Panel::Curves(curves(&change, CurveAxis::of(&change, &*curve.unit), CurveAxis::of("cosine", ""), series))
}

fn write_table(path: &Path, report: &LocalityReport) -> anyhow::Result<()> {
    let mut rows: Vec<Vec<String>> = vec![];
    let mut add = |space: &str, measure: &str, at: f64, value: Interval| {
        let numbers = [at, value.value, value.low, value.high].map(|number| number.to_string());
        rows.push([space.to_owned(), measure.to_owned()].into_iter().chain(numbers).collect());
    };
    for (space, found) in &report.purity {
        let value = Interval { value: found.mean, low: found.low, high: found.high };
        add(space, "part purity", f64::from(report.config.neighbours as u32), value);
    }
    for space in &report.spaces {
        let SpaceLocality { space, composition, displacement, positions } = space;
        let relations = [
            ("same image", &composition.same_image),
            ("same class", &composition.same_class),
            ("other class", &composition.other_class),
            ("other image", &composition.other_image),
        ];
        for (name, shares) in relations {
            for (rank, share) in shares.iter().enumerate() {
                add(space, name, rank as f64 + 1.0, *share);
            }
        }
        displacement.points.iter().for_each(|point| add(space, "displacement", point.pixels, point.cosine));
        displacement.floor.into_iter().for_each(|floor| add(space, "floor", 0.0, floor));
        displacement.near_minus_far.into_iter().for_each(|value| add(space, "near minus far", 0.0, value));
        if let Some(positions) = positions {
            add(space, "position entropy", 0.0, positions.neighbours);
            add(space, "shuffled entropy", 0.0, positions.shuffled);
        }
    }
    for curve in &report.invariance {
        for (space, values) in &curve.cosines {
            for (amount, value) in curve.amounts.iter().zip(values) {
                value.iter().for_each(|value| add(space, &curve.change.to_string(), *amount, *value));
            }
        }
    }
    write_csv(path, &["space", "measure", "at", "value", "low", "high"], &rows)
}
