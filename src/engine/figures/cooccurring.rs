//! The co-occurrence of kinds of real patches as a page: the products of their vectors by how often they stand together.

use serde_json::json;

use crate::analysis::cooccurring::{RatioBin, by_ratio};
use crate::analysis::cooccurring_bank::{CooccurringReport, KindPairs};
use crate::engine::ask::MeasuredPage;
use crate::engine::figures::plotted::{curves, line, page};
use crate::engine::figures::tiling::{any_of_places, tiles_note};
use crate::figure::{CurveAxis, CurveSeries, Panel, PanelsSpec};
use crate::stats::Interval;
use crate::words::{count, thousands};

/// Marks of a line, besides that of the pairs that never stand together.
const BINS: usize = 16;

/// The page of what was measured.
pub fn cooccurring_page(report: &CooccurringReport, pairs: &KindPairs) -> MeasuredPage {
    let lines: Vec<CurveSeries> = report
        .spaces
        .iter()
        .zip(&pairs.products)
        .map(|(of, products)| {
            let bins = by_ratio(&pairs.joint, products, report.kinds, BINS);
            let all = |of: fn(&RatioBin) -> f64| bins.iter().map(of).collect::<Vec<f64>>();
            let band = (all(|bin| bin.low), all(|bin| bin.high));
            line(&of.space, all(|bin| bin.ratio), all(|bin| bin.mean), Some(band))
        })
        .collect();
    let axes = (CurveAxis::of("p12 / (p1 p2)", ""), CurveAxis::of("mean cosine z1.z2", ""));
    let panel = curves("kinds of patches, by how often they stand together", axes.0, axes.1, lines);
    let half =
        |[images, patches]: [usize; 2]| format!("{} of {}", count(patches, "patch"), count(images, "image"));
    let found = report.spaces.iter().map(|of| format!("{} {}", of.space, interval(of.correlation.as_ref())));
    let found: Vec<String> = found.collect();
    let mut notes = vec![
        format!("model {}, {}", report.model.name, report.data),
        format!(
            "{} kinds of patches of {2} x {2} px every {3} px, by {1} of {4}",
            thousands(report.kinds),
            report.by,
            report.grid.patch,
            report.grid.stride,
            half(report.taught)
        ),
        format!(
            "counted on {}, on which {} kinds occur; seed {}",
            half(report.held_out),
            thousands(report.occurring),
            report.seed
        ),
        format!(
            "each value: pairs of a {BINS}th of the weight p1 p2, the first: those that never stand together; bands: a tenth to nine tenths"
        ),
        format!(
            "correlation (95 %): {}; ceiling, by the other half's own counts, {}",
            found.join(", "),
            interval(report.ceiling.as_ref())
        ),
    ];
    let spaces = report.spaces.iter().map(|of| &of.space).chain([&report.by]);
    let tiles = report.tiles.filter(|_| any_of_places(spaces));
    notes.extend(tiles.map(tiles_note));
    let source = json!({
        "model": report.model, "data": report.data, "grid": report.grid, "kinds": report.kinds, "by": report.by,
        "seed": report.seed, "taught": report.taught, "held_out": report.held_out, "tiles": tiles,
    });
    MeasuredPage {
        spec: PanelsSpec::default(),
        data: page(String::new(), vec![Panel::Curves(panel)], notes),
        source,
    }
}

fn interval(found: Option<&Interval>) -> String {
    found.map_or_else(
        || "-".to_owned(),
        |found| format!("{:.3} [{:.3}, {:.3}]", found.value, found.low, found.high),
    )
}
