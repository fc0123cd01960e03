//! How local the spaces of the sample are: what neighbours are by rank, how cosines fall with distance.

use eframe::egui::Ui;

use super::plots;
use super::sample::{SampleWords, head_ui};
use super::table::table_ui;
use crate::engine::SampleMeasure;
use crate::engine::facts::{LocalityReport, SpaceLocality};
use crate::gui::desk::Desk;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::theme::STEP;
use crate::stats::Interval;

/// Height of the plots, points.
const PLOTS: f32 = 178.0;

const EXPLANATION: &str = "What the nearest patches of a patch are, by rank, and how its cosine to the patches of its image \
                           falls with distance: a space that is local finds the same part, and tells places apart \
                           (Sec. 4.3 of the paper). Then what it sees of changes: 64 patches shifted, scaled, mirrored, \
                           made darker or brighter, turned in hue, blurred.";

const COLUMNS: [(&str, &str); 9] = [
    ("same image", "Share of the neighbours that are of the query's own image: the mean over ranks."),
    ("same class", "Share that are of another image of its class."),
    ("other class", "Share that are of an image of another class."),
    (
        "half-width",
        "Displacement at which the cosine has fallen half way from 1 to that with other images, pixels.",
    ),
    (
        "near - far",
        "Mean cosine with patches that overlap the query less that with patches of its image that do not.",
    ),
    (
        "of 1 - floor",
        "The same as a share of 1 less the mean cosine with other images: where all cosines are high, as in h after ReLU, \
         all differences are small.",
    ),
    (
        "position",
        "Entropy of the places of neighbours within their objects, bits: low where they sit at the same place.",
    ),
    ("shuffled", "The same of as many random patches of the same images."),
    (
        "part purity",
        "Share of neighbours from other images that show the query's part, where the data set knows parts.",
    ),
];

/// Draws it.
pub fn ui(ui: &mut Ui, desk: &mut Desk) {
    let view = desk.session.snapshot().views.measures.locality.clone();
    let over = view.result.as_ref().map_or_else(String::new, |result| {
        let LocalityReport { queries, config, patches, images, parts_known, .. } = &result.report;
        format!(
            "{} queries{} \u{b7} {} neighbours of {} of {} \u{b7} seed {}; bands: 95 %",
            thousands(*queries),
            if *parts_known { " on objects" } else { "" },
            config.neighbours,
            count(*patches, "patch"),
            count(*images, "image"),
            config.seed
        )
    });
    let measure = SampleMeasure::Locality;
    let words = SampleWords { measure, title: "How local the spaces are", explanation: EXPLANATION, over };
    let shows = head_ui(ui, desk, &words, &view);
    let Some(result) = view.result.filter(|_| shows) else { return };
    ui.add_space(STEP / 2.0);
    let row = |space: &SpaceLocality| (space.space.clone(), cells(&result.report, space));
    table_ui(ui, "locality", &COLUMNS, &result.report.spaces.iter().map(row).collect::<Vec<_>>());
    ui.add_space(STEP);
    plots::panels_ui(ui, &result.page.data.panels, PLOTS);
    if result.report.config.changed == 0 {
        ui.weak(
            "Patches cannot be changed (shifted, scaled, mirrored, ...) without the model that embeds them.",
        );
    }
}

fn cells(report: &LocalityReport, space: &SpaceLocality) -> Vec<String> {
    let none = || "-".to_owned();
    let share = |ranks: &[Interval]| {
        let sum: f64 = ranks.iter().map(|share| share.value).sum();
        format!("{:.1} %", 100.0 * sum / ranks.len().max(1) as f64)
    };
    let of = &space.composition;
    let displacement = &space.displacement;
    let between = |value: Option<Interval>| {
        value.map_or_else(none, |value| format!("{:.3} ({:.3} to {:.3})", value.value, value.low, value.high))
    };
    let bits = |value: Option<Interval>| value.map_or_else(none, |value| format!("{:.2} bits", value.value));
    let [neighbours, shuffled] = match space.positions {
        Some(positions) => [Some(positions.neighbours), Some(positions.shuffled)],
        None => [None, None],
    };
    let purity = report.purity.get(&space.space).zip(report.purity.get("chance"));
    vec![
        share(&of.same_image),
        share(&of.same_class),
        share(&of.other_class),
        displacement.half_width.map_or_else(|| "none".to_owned(), |width| format!("{width:.1} px")),
        between(displacement.near_minus_far),
        between(displacement.near_minus_far_share),
        bits(neighbours),
        bits(shuffled),
        purity.map_or_else(none, |(found, chance)| format!("{:.3}, chance {:.3}", found.mean, chance.mean)),
    ]
}
