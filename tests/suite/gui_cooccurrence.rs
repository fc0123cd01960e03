//! Section 3 on real patches in the Measures view, by role and label, and the engine's part of it with the demo model.

use std::sync::Arc;

use bagssl::bank::ModelFacts;
use bagssl::engine::facts::{CooccurringReport, SpaceAgreement};
use bagssl::engine::{
    Command, MeasureCommand, MeasurePage, SampleMeasure, SamplePhase, SampleResult, SampleView,
};
use bagssl::patch::PatchGrid;
use bagssl::stats::Interval;
use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable;

use crate::engine::{Started, is_complete};
use crate::gui_measures::{asked, at_page, page, written};
use crate::gui_sizes::wrong_at_all_sizes;
use crate::support::{json, text};

const MEASURE: SampleMeasure = SampleMeasure::Cooccurrence;

fn measured() -> SampleResult<CooccurringReport> {
    let over = |value: f64| Some(Interval { value, low: value - 0.01, high: value + 0.01 });
    let space = |name: &str, correlation| SpaceAgreement { space: name.into(), correlation };
    let report = CooccurringReport {
        model: ModelFacts::imported("0".into()),
        data: "few".into(),
        grid: PatchGrid { patch: 8, stride: 4 },
        tiles: None,
        seed: 0,
        kinds: 128,
        by: "h".into(),
        taught: [150, 7_350],
        held_out: [150, 7_350],
        occurring: 127,
        ceiling: over(0.875),
        spaces: vec![space("z", over(0.5)), space("h", None)],
    };
    SampleResult { report, images: 300, patches: 14_700, page: page(&["kinds of patches"]) }
}

#[test]
fn what_stands_together_is_measured_on_request_beside_what_counts_can_tell() {
    let mut window = at_page("Co-occurrence");
    assert!(window.shows("Prop. 3.1 on real patches"));
    window.click("Measure");
    assert!(matches!(asked(&window)[..], [MeasureCommand::Start(MEASURE)]));
    window.line.update(|shown| {
        let result = Some(Arc::new(measured()));
        shown.views.measures.cooccurrence = SampleView { phase: SamplePhase::Idle, result };
    });
    window.steps();
    assert!(window.shows(
        "128 kinds by h of 7,350 patches of 150 images \u{b7} 127 occur on 7,350 patches of 150 images \u{b7} seed 0"
    ));
    for cell in ["0.500", "0.490 to 0.510", "0.875", "-"] {
        assert!(window.shows(cell), "{cell}");
    }
    assert!(window.shows("kinds of patches: cosine by") && window.shows("ceiling"));
    // What can be done with a page stands beside what it is, and takes no row of its own.
    let row = |name: &str| window.harness.get_by_role_and_label(Role::Button, name).rect().center().y;
    assert!((row("Export...") - row("Measure again")).abs() < 2.0);
    let wrong = wrong_at_all_sizes(&mut window.harness, |_, _| true);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The page that the window writes is the command line's of a bank of the same patches.
#[test]
fn the_engine_measures_what_stands_together_as_the_command_line_does() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    started.engine.send(Command::Measure(MeasureCommand::Start(MEASURE)));
    let shown = started.until("the measure", |shown| shown.views.measures.cooccurrence.result.is_some());
    let result = shown.views.measures.cooccurrence.result.clone().unwrap();
    let CooccurringReport { taught, held_out, kinds, .. } = result.report;
    assert_eq!((taught, held_out, kinds), ([4, 64], [4, 64], 64), "as many kinds as patches that teach");
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs, bank] = ["window.svg", "command.svg", "bank"].map(|name| folder.path().join(name));
    let page = MeasurePage::Sample(MEASURE);
    started.engine.drain_events();
    started.engine.send(Command::Measure(MeasureCommand::Export { page, path: ours.clone() }));
    written(&started, &ours);
    let how = ["--data", "demo", "--split", "test", "--limit", "8", "--patch", "16", "--stride", "16"];
    json(&[&["embed", "--space", "z,h", "--out", text(&bank)], &how[..]].concat());
    let told = json(&["cooccurrence", text(&bank), "--space", "z,h", "--out", text(&theirs)]);
    assert_eq!(told["out"], text(&theirs));
    let [ours, theirs] = [ours, theirs].map(|path| std::fs::read_to_string(path).unwrap());
    assert!(ours == theirs, "{} and {} bytes differ", ours.len(), theirs.len());
}
