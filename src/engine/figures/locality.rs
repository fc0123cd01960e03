//! How local spaces are, as a page of plots: the locality report.

use serde_json::json;

use crate::analysis::invariance::{ChangeCurve, PatchChange};
use crate::analysis::locality::{LocalityReport, SpaceLocality};
use crate::bank::ModelFacts;
use crate::dataset::Split;
use crate::engine::ask::MeasuredPage;
use crate::engine::figures::plotted::{curves, line, page};
use crate::engine::figures::tiling::tiles_note;
use crate::figure::{CurveAxis, CurveSeries, Panel, PanelsData, PanelsSpec};
use crate::patch::PatchGrid;
use crate::stats::Interval;
use crate::tiles::ImageTiles;
use crate::words::{count, thousands};

/// What was measured.
pub struct LocalityFacts<'a> {
    /// Of which model.
    pub model: &'a ModelFacts,
    /// The data set's name.
    pub data: &'a str,
    /// Which split of it.
    pub split: Option<Split>,
    /// Its images.
    pub of: usize,
    /// Where the patches lie.
    pub grid: PatchGrid,
    /// The tiles in which images went through that are larger, where a space is one of places.
    pub tiles: Option<ImageTiles>,
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
pub fn locality_spec() -> PanelsSpec {
    PanelsSpec { height_in: 1.05, ..PanelsSpec::default() }
}

/// The measures of `report` as one page of plots.
pub fn locality_page(facts: &LocalityFacts<'_>, report: &LocalityReport) -> MeasuredPage {
    let PatchGrid { patch, stride } = facts.grid;
    let source = json!({
        "model": facts.model, "data": facts.data, "split": facts.split, "patch": patch, "stride": stride,
        "images": report.images, "of": facts.of, "config": report.config, "tiles": facts.tiles,
    });
    let about = (&*facts.model.name, facts.data, facts.of);
    let data = locality_panels(about, (facts.grid, facts.tiles), report);
    MeasuredPage { spec: locality_spec(), data, source }
}

/// What that page shows, of a model on a data set of so many images, by their names.
pub fn locality_panels(
    (model, data, of_images): (&str, &str, usize),
    (grid, tiles): (PatchGrid, Option<ImageTiles>),
    report: &LocalityReport,
) -> PanelsData {
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
    let share = of(&|space| space.displacement.near_minus_far_share);
    let lines = vec![("near minus far", contrast), ("of 1 less the floor", share)];
    panels.push(by_space("near minus far", "cosine", &names, lines));
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
    let mut notes = vec![
        format!("model {model}, {data}: {} of {} images", thousands(report.images), thousands(of_images)),
        format!("{} of {2} x {2} px every {1} px", count(report.patches, "patch"), grid.stride, grid.patch),
        format!(
            "{} queries, {} neighbours, seed {}",
            thousands(report.queries),
            config.neighbours,
            config.seed
        ),
        format!("{} changed", count(report.changed, "patch")),
        "bands: bootstrap intervals of 95 % over images".into(),
    ];
    notes.extend(tiles.map(tiles_note));
    page(format!("Locality of {model}"), panels, notes)
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
