//! How spaces lie, as a page of plots.

use serde_json::json;

use crate::analysis::spaces::{Geometry, SpacePair};
use crate::bank::{Bank, BankSpec, ModelFacts};
use crate::colormap::Colormap;
use crate::engine::ask::MeasuredPage;
use crate::engine::figures::plotted::{curves, line, page};
use crate::engine::figures::tiling::{tiles_behind, tiles_note};
use crate::figure::{CurveAxis, MatrixPanel, Panel, PanelsSpec};
use crate::words::thousands;

/// Spectra, hubs, and how alike the spaces are, of one bank or two of the same patches.
pub fn geometry_page(banks: &[Bank], report: &Geometry) -> MeasuredPage {
    let specs: Vec<&BankSpec> = banks.iter().map(Bank::spec).collect();
    let models: Vec<&ModelFacts> = specs.iter().map(|spec| &spec.model).collect();
    let (data, grid) = specs.first().map_or(("", None), |spec| (&*spec.data.name, Some(spec.grid)));
    let names: Vec<String> = report.spaces.iter().map(|space| space.space.clone()).collect();
    let places = |count: usize| (1..=count).map(|place| place as f64).collect::<Vec<f64>>();
    let spectra = report.spaces.iter().map(|space| {
        let spectrum = &space.spread.spectrum;
        let total: f64 = spectrum.iter().map(|v| f64::from(*v)).sum();
        // Rounding alone is not drawn.
        let share = |v: &f32| if f64::from(*v) > 1e-7 * total { f64::from(*v) / total } else { f64::NAN };
        line(&space.space, places(spectrum.len()), spectrum.iter().map(share).collect(), None)
    });
    let axes = (CurveAxis::of("component", ""), CurveAxis::of("share of the variance", ""));
    let mut spectra = curves("spectrum of the covariance", axes.0, axes.1, spectra.collect());
    (spectra.log_x, spectra.log_y) = (true, true);
    let hubs = report.spaces.iter().map(|space| {
        let sorted = &space.hubs.sorted;
        let counts = sorted.iter().map(|count| f64::from(*count)).collect();
        line(&space.space, places(sorted.len()), counts, None)
    });
    let what = format!("among the {} nearest of others", report.k);
    let axes = (CurveAxis::of("patch, most frequent first", ""), CurveAxis::of("times", ""));
    let mut hubs = curves(&what, axes.0, axes.1, hubs.collect());
    hubs.log_x = true;
    let mut panels = vec![Panel::Curves(spectra), Panel::Curves(hubs)];
    if names.len() > 1 {
        panels.push(matrix("linear CKA", &names, report, |pair| pair.cka.unwrap_or(f64::NAN)));
        panels.push(matrix(&format!("overlap@{}", report.k), &names, report, |pair| pair.overlap.value));
    }
    let names_of_models: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
    let tiles = specs.iter().find_map(|spec| tiles_behind(spec, &names));
    let mut notes = vec![
        format!("model {}, {data}", names_of_models.join(" and ")),
        format!("{} of {} patches, seed {}", thousands(report.rows), thousands(report.of), report.seed),
    ];
    notes.extend(tiles.map(tiles_note));
    let source = json!({
        "models": models, "data": data, "grid": grid, "rows": report.rows,
        "of": report.of, "k": report.k, "seed": report.seed, "tiles": tiles,
    });
    MeasuredPage { spec: PanelsSpec::default(), data: page(String::new(), panels, notes), source }
}

fn matrix(title: &str, names: &[String], report: &Geometry, value: impl Fn(&SpacePair) -> f64) -> Panel {
    let of = |a: &String, b: &String| {
        let pair =
            report.pairs.iter().find(|pair| (&pair.a, &pair.b) == (a, b) || (&pair.a, &pair.b) == (b, a));
        pair.map_or(1.0, &value) as f32
    };
    Panel::Matrix(MatrixPanel {
        title: title.to_owned(),
        rows: names.len(),
        cols: names.len(),
        values: names.iter().flat_map(|a| names.iter().map(move |b| (a, b))).map(|(a, b)| of(a, b)).collect(),
        range: [0.0, 1.0],
        colormap: Colormap::Viridis,
        row_label: String::new(),
        col_label: String::new(),
        names: names.to_vec(),
    })
}
