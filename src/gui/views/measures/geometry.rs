//! How the vectors of the sample lie: a table, spectra and hubs, and how alike the spaces are.

use eframe::egui::{Label, RichText, Ui};

use super::plots;
use super::sample::{SampleWords, head_ui};
use super::table::table_ui;
use crate::engine::SampleMeasure;
use crate::engine::facts::{Geometry, SpaceGeometry, SpacePair};
use crate::gui::desk::Desk;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::theme::STEP;

/// Height of the plots, points.
const PLOTS: f32 = 250.0;

const EXPLANATION: &str = "How the vectors of a space lie: how many directions they use, how long they are, and whether a few \
                           of them are everybody's neighbours.";

const COLUMNS: [(&str, &str); 10] = [
    ("width", "Values of a vector."),
    (
        "RankMe",
        "Effective rank: exp of the entropy of the singular values' shares (Garrido et al. 2023). From 1 to the width.",
    ),
    (
        "particip.",
        "Participation ratio: (sum of eigenvalues)\u{b2} / sum of squares; as many as there are if all are equal.",
    ),
    ("90 %", "Components that make up 90 % of the variance."),
    ("TwoNN", "Intrinsic dimension on the unit sphere, from the two nearest neighbours (Facco et al. 2017)."),
    ("norm", "Mean Euclidean length, of all vectors and not only of those that are drawn."),
    ("5 to 95 %", "Length of all but the shortest and longest twentieth."),
    ("hubness", "Skewness of how often a patch is among the nearest of the others: 0 without hubs."),
    ("largest", "How often the most frequent neighbour is one."),
    ("never", "Share of patches that are nobody's neighbour."),
];

const PAIR_COLUMNS: [(&str, &str); 5] = [
    ("with", ""),
    ("CKA", "Linear CKA (Kornblith et al. 2019): 1 for spaces that are rotations of one another, scaled."),
    ("unbiased", "The same without the bias that few rows of wide vectors give it."),
    ("overlap", "Share of the nearest that both spaces have, with its bootstrap interval of 95 %."),
    ("chance", "What two lists at random would share."),
];

/// Draws it.
pub fn ui(ui: &mut Ui, desk: &mut Desk) {
    let view = desk.session.snapshot().views.measures.geometry.clone();
    let over = view.result.as_ref().map_or_else(String::new, |result| {
        let Geometry { rows, of, k, seed, .. } = &result.report;
        format!(
            "{} of {} of {} \u{b7} {k} neighbours \u{b7} seed {seed}; norms: all",
            thousands(*rows),
            count(*of, "patch"),
            count(result.images, "image")
        )
    });
    let measure = SampleMeasure::Geometry;
    let words = SampleWords { measure, title: "How the spaces lie", explanation: EXPLANATION, over };
    let shows = head_ui(ui, desk, &words, &view);
    let Some(result) = view.result.filter(|_| shows) else { return };
    ui.add_space(STEP / 2.0);
    let row = |space: &SpaceGeometry| (space.space.clone(), cells(space));
    table_ui(ui, "geometry", &COLUMNS, &result.report.spaces.iter().map(row).collect::<Vec<_>>());
    ui.add_space(STEP);
    plots::panels_ui(ui, &result.page.data.panels, PLOTS);
    pairs_ui(ui, &result.report);
}

fn pairs_ui(ui: &mut Ui, report: &Geometry) {
    if report.pairs.is_empty() {
        return;
    }
    ui.add_space(STEP / 2.0);
    let title =
        format!("How alike the spaces are, over the same patches; overlap of the {} nearest", report.k);
    ui.add(Label::new(RichText::new(title).strong()).wrap());
    let row = |pair: &SpacePair| (pair.a.clone(), pair_cells(pair));
    table_ui(ui, "pairs", &PAIR_COLUMNS, &report.pairs.iter().map(row).collect::<Vec<_>>());
}

fn some(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

fn cells(space: &SpaceGeometry) -> Vec<String> {
    let SpaceGeometry { spread, norms, hubs, .. } = space;
    let [low, .., high] = norms.quantiles;
    vec![
        thousands(spread.width),
        format!("{:.1}", spread.rank),
        some(space.participation_ratio, 1),
        space.components_90.to_string(),
        some(space.two_nn.map(|found| found.dimension), 1),
        format!("{:.2}", norms.mean),
        format!("{low:.2} to {high:.2}"),
        format!("{:.2}", hubs.skewness),
        thousands(hubs.largest as usize),
        format!("{:.1} %", 100.0 * hubs.never),
    ]
}

fn pair_cells(pair: &SpacePair) -> Vec<String> {
    let overlap = pair.overlap;
    vec![
        pair.b.clone(),
        some(pair.cka, 3),
        some(pair.unbiased_cka, 3),
        format!("{:.3} ({:.3} to {:.3})", overlap.value, overlap.low, overlap.high),
        format!("{:.3}", pair.chance),
    ]
}
