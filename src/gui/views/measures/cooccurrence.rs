//! Whether the products of the sample's vectors say what stands together on images: section 3 on real patches.

use eframe::egui::Ui;

use super::plots;
use super::sample::{SampleWords, head_ui};
use super::table::table_ui;
use crate::engine::SampleMeasure;
use crate::engine::facts::{CooccurringReport, SpaceAgreement};
use crate::gui::desk::Desk;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::theme::STEP;
use crate::stats::Interval;

/// Height of the plot, points.
const PLOT: f32 = 320.0;

const EXPLANATION: &str = "Prop. 3.1 on real patches: half of the images teach kinds of patches (k-means), and each kind's mean \
                           vector. On the other half kinds are counted: is the mean cosine of two kinds larger, the more often \
                           they stand on one image?";

const COLUMNS: [(&str, &str); 3] = [
    (
        "correlation",
        "Of the mean cosine of two kinds with p12 / (p1 p2) on held-out images, pairs weighted by p1 p2. 1: as Prop. 3.1 has it.",
    ),
    ("95 %", "Its interval, by resampled images."),
    (
        "ceiling",
        "The same of the other half's own p12 / (p1 p2): as much as counts can tell, which a product is to be held against. Of few \
         images counts are noisy.",
    ),
];

/// Draws it.
pub fn ui(ui: &mut Ui, desk: &mut Desk) {
    let view = desk.session.snapshot().views.measures.cooccurrence.clone();
    let over = view.result.as_ref().map_or_else(String::new, |result| {
        let CooccurringReport { kinds, occurring, by, taught, held_out, seed, .. } = &result.report;
        let half = |of: &[usize; 2]| format!("{} of {}", count(of[1], "patch"), count(of[0], "image"));
        format!(
            "{} kinds by {by} of {} \u{b7} {} occur on {} \u{b7} seed {seed}",
            thousands(*kinds),
            half(taught),
            thousands(*occurring),
            half(held_out)
        )
    });
    let measure = SampleMeasure::Cooccurrence;
    let words = SampleWords { measure, title: "What stands together", explanation: EXPLANATION, over };
    let shows = head_ui(ui, desk, &words, &view);
    let Some(result) = view.result.filter(|_| shows) else { return };
    ui.add_space(STEP / 2.0);
    let report = &result.report;
    let row = |of: &SpaceAgreement| (of.space.clone(), cells(of, report.ceiling.as_ref()));
    table_ui(ui, "co-occurrence", &COLUMNS, &report.spaces.iter().map(row).collect::<Vec<_>>());
    ui.add_space(STEP);
    plots::panels_ui(ui, &result.page.data.panels, PLOT);
    ui.weak(
        "A mark is the mean of pairs that make up a sixteenth of the weight, the first of those that never stand together; \
         bands: from a tenth to nine tenths of them.",
    );
}

fn cells(of: &SpaceAgreement, ceiling: Option<&Interval>) -> Vec<String> {
    let value = |found: Option<&Interval>| {
        found.map_or_else(|| "-".to_owned(), |found| format!("{:.3}", found.value))
    };
    let range = |found: &Interval| format!("{:.3} to {:.3}", found.low, found.high);
    let found = of.correlation.as_ref();
    vec![value(found), found.map_or_else(|| "-".to_owned(), range), value(ceiling)]
}
