//! The Measures view, by role and label; and the engine's part of it with the demo model and a few images.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bagssl::analysis::carried::{SpaceCarried, leave_one_out};
use bagssl::analysis::convergence::{ConvergencePlan, along, doubling, order};
use bagssl::embed::{Embedder, PatchSource};
use bagssl::engine::facts::{
    Composition, ConvergencePoint, Displacement, DisplacementPoint, Geometry, Hubs, LocalityConfig,
    LocalityReport, NormQuantiles, OverDraws, PatchCount, SpaceConvergence, SpaceGeometry, SpaceLocality,
    SpacePair, Spread,
};
use bagssl::engine::{
    Command, Event, ExploreConfig, ExtractionView, FigureEvent, ImageMeasures, MeasureCommand, MeasurePage,
    MeasuredPage, MemoryUse, SampleMeasure, SamplePhase, SampleResult, SampleView, Snapshot, SpaceAverages,
};
use bagssl::figure::{CurveAxis, CurveData, CurveSeries, CurvesPanel, Panel, PanelsData, PanelsSpec};
use bagssl::model::{Space, store};
use bagssl::progress::{CancelToken, Progress};
use bagssl::stats::Interval;
use eframe::egui::accesskit::Role;
use eframe::egui::{Event as Input, Key, Modifiers, MouseWheelSource, MouseWheelUnit, TouchPhase, vec2};
use egui_kittest::kittest::Queryable;

use crate::engine::{Started, is_complete, small};
use crate::gui::{GRID, SIDE, Window, patch};
use crate::gui_sizes::wrong_at_all_sizes;
use crate::support::{json, text};

pub fn asked(window: &Window) -> Vec<MeasureCommand> {
    let of = |command| match command {
        Command::Measure(command) => Some(command),
        _ => None,
    };
    window.commands().into_iter().filter_map(of).collect()
}

fn panel(title: &str) -> Panel {
    let series = |name: &str, y: [f64; 3]| CurveSeries {
        name: name.into(),
        space: name.into(),
        run: 0,
        x: vec![1.0, 2.0, 49.0],
        y: y.to_vec(),
        band: None,
    };
    let (x, y) = (CurveAxis::of("patches in the mean", ""), CurveAxis::of("cosine", ""));
    let series = vec![series("z", [0.5, 0.7, 1.0]), series("h", [0.8, 0.9, 1.0])];
    let curves = CurveData { title: title.into(), x, y, series, notes: vec![] };
    Panel::Curves(CurvesPanel { log_x: true, log_y: false, curves })
}

pub fn page(titles: &[&str]) -> Arc<MeasuredPage> {
    let panels = titles.iter().map(|title| panel(title)).collect();
    let data = PanelsData { title: String::new(), panels, notes: vec![] };
    Arc::new(MeasuredPage { spec: PanelsSpec::default(), data, source: serde_json::Value::Null })
}

/// What is measured of image `image`: the patch at row 2, column 3 carries ten times as much as any other.
fn measures(image: usize) -> ImageMeasures {
    let (rows, cols) = GRID.shape(SIDE, SIDE);
    let mut turns = vec![1.0; rows * cols];
    turns[2 * cols + 3] = 10.0;
    let space = |name: &str, cosine: f64| {
        let over =
            |mean: f64| OverDraws { mean, low: mean, high: mean, deviation: 0.05, p10: mean, p90: mean };
        let point = |patches: usize, mean: f64| ConvergencePoint {
            count: PatchCount::First(patches),
            patches: (patches, patches),
            whole: Some(over(mean / 2.0)),
            mean: over(mean),
        };
        let points = vec![point(1, cosine), point(16, 0.97), point(49, 1.0)];
        let carried = SpaceCarried::of(&turns, GRID, cols);
        let map = Arc::new(carried.relative.iter().map(|turn| *turn as f32).collect());
        SpaceAverages { curve: SpaceConvergence { space: name.into(), points }, carried, map }
    };
    ImageMeasures {
        image,
        grid: GRID,
        shape: (rows, cols),
        orders: 64,
        spaces: vec![space("z", 0.5), space("h", 0.8)],
        page: page(&["with the whole image's vector", "with the mean of all patches"]),
    }
}

/// A window at the measures of its image.
fn with_measures(size: [f32; 2]) -> Window {
    let mut window = Window::with_query(size);
    window.press(Modifiers::NONE, Key::N);
    assert!(matches!(asked(&window)[..], [MeasureCommand::FollowImage(true)]));
    assert!(window.shows("computing..."));
    window.line.update(|shown| shown.views.measures.image = Some(Arc::new(measures(3))));
    window.steps();
    window
}

#[test]
fn figure_3a_of_the_image_on_show_stands_with_its_maps_plots_and_numbers() {
    let mut window = with_measures([1280.0, 800.0]);
    assert!(window.shows("49 patches of 8 x 8 px every 4 px \u{b7} 64 orders"));
    for role in ["image", "z leave-one-out map", "h leave-one-out map"] {
        assert!(window.harness.query_by_role_and_label(Role::Image, role).is_some(), "{role}");
    }
    // 10 of 58 and then one each: 19 more make up half.
    assert!(window.shows("half carried by 20 of 49"));
    assert!(
        window
            .shows("with the mean of all patches: cosine by patches in the mean\nz: 0.500 at 1.0000 to 1.00")
    );
    assert!(window.shows("0.500 \u{b1} 0.050") && window.shows("16 patches"));
    // The middle of a map is pixel (16, 16), the centre of the patch at (12, 12).
    window.click("h leave-one-out map");
    assert_eq!(window.queries(), [(1, patch(3, 12, 12))]);
    // Another image: what was measured says whose it is until its own is there.
    window.line.update(|shown| {
        shown.view = Some(Arc::new(crate::gui::view(5)));
        shown.views.measures.orders = Some((12, 64));
    });
    window.steps();
    assert!(window.shows("still of image 3; averaging: 12 of 64 orders..."));
    window.press(Modifiers::NONE, Key::Num5);
    assert!(matches!(asked(&window)[..], [MeasureCommand::FollowImage(false)]));
}

#[test]
fn measures_are_exported_by_a_typed_path() {
    let mut window = with_measures([1280.0, 800.0]);
    window.click("Export...");
    assert!(window.shows("Export the measures"));
    let field = window.harness.get_by_role_and_label(Role::TextInput, "Path");
    field.focus();
    window.steps();
    window.press(Modifiers::COMMAND, Key::A);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("carried.svg");
    window.harness.get_by_role_and_label(Role::TextInput, "Path").type_text(path.to_str().unwrap());
    window.press(Modifiers::NONE, Key::Enter);
    let mut found = vec![];
    for _ in 0..200 {
        found.extend(asked(&window));
        if !found.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        window.steps();
    }
    let [MeasureCommand::Export { page: MeasurePage::Image, path: asked }] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(*asked, path);
}

#[test]
fn measures_without_a_model_say_what_to_open() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::NONE, Key::N);
    window.line.update(|shown| shown.model = None);
    window.steps();
    assert!(window.shows("No model is open"));
}

#[test]
fn nothing_of_the_measures_is_cut_at_any_size() {
    let mut window = with_measures([1280.0, 800.0]);
    let wrong = wrong_at_all_sizes(&mut window.harness, |_, _| true);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the engine measures of the image is what the command line's functions say of it.
#[test]
fn the_engine_measures_the_image_as_the_command_line_does() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    started.engine.send(Command::Measure(MeasureCommand::FollowImage(true)));
    let measured = |shown: &Snapshot| {
        let measures = shown.views.measures.image.clone()?;
        shown.view.as_ref().is_some_and(|view| view.index == measures.image).then_some(measures)
    };
    let shown = started.until("the measures", |shown| measured(shown).is_some());
    let (found, view) = (measured(&shown).unwrap(), shown.view.clone().unwrap());
    let device = burn::tensor::Device::flex();
    let embedder = Embedder::new(store::open(&"demo".into(), &device).unwrap(), &device);
    let spaces = [Space::Z, Space::H];
    let cancel = CancelToken::default();
    let carried = leave_one_out(&embedder, &view.image, found.grid, &spaces, &cancel).unwrap();
    for (space, turns) in found.spaces.iter().zip(&carried.turns) {
        let expected = SpaceCarried::of(turns, found.grid, found.shape.1);
        for (found, expected) in space.carried.relative.iter().zip(&expected.relative) {
            assert!((found - expected).abs() < 2e-2 * expected.max(1.0), "{found}, expected {expected}");
        }
    }
    let cells = found.shape.0 * found.shape.1;
    let plan = ConvergencePlan {
        embedder: &embedder,
        grid: found.grid,
        spaces: spaces.to_vec(),
        counts: doubling(cells),
        seed: 0,
    };
    let first = plan.of_image(view.index, &view.image, &view.image, &cancel).unwrap();
    for (at, space) in found.spaces.iter().enumerate() {
        let points = &space.curve.points;
        assert_eq!(points.len(), first.whole[at].len());
        let (last, whole) = (points.last().unwrap(), first.whole[at].last().unwrap());
        // All patches, in whatever order: the cosine of R with the whole image.
        assert!((last.whole.unwrap().mean - whole).abs() < 1e-4, "{last:?}, expected {whole}");
        assert!((last.mean.mean - 1.0).abs() < 1e-9 && points[0].mean.deviation > 0.0);
        assert!(points.windows(2).all(|pair| pair[0].mean.mean < pair[1].mean.mean));
    }
    // The first order is the command line's.
    let corner = |cell: usize| found.grid.corner(cell, found.shape.1);
    let source = |cell| PatchSource { image: view.image.clone(), y: corner(cell).0, x: corner(cell).1 };
    let sources: Vec<PatchSource> = (0..cells).map(source).collect();
    let rows = embedder.patches(&sources, found.grid.patch, &spaces).unwrap();
    let order = order(cells, 0, view.index, 0);
    for (rows, expected) in rows.iter().zip(&first.mean) {
        let found = along(rows, rows.len() / cells, None, &doubling(cells), &order);
        assert!(found.mean.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?} {expected:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.svg");
    let export = MeasureCommand::Export { page: MeasurePage::Image, path: path.clone() };
    started.engine.drain_events();
    started.engine.send(Command::Measure(export));
    written(&started, &path);
    let svg = std::fs::read_to_string(&path).unwrap();
    assert!(svg.contains("64 orders of the patches") && path.with_extension("svg.json").exists());
}

fn spread_of(width: usize) -> Spread {
    Spread { count: 2000, width, deviation: 0.5, unit_deviation: 0.9, rank: 41.5, spectrum: vec![3.0, 1.0] }
}

fn space_geometry(space: &str, width: usize) -> SpaceGeometry {
    SpaceGeometry {
        space: space.into(),
        spread: spread_of(width),
        participation_ratio: Some(12.25),
        components_90: 17,
        two_nn: None,
        norms: NormQuantiles { count: 12_544, mean: 3.5, quantiles: [1.0, 2.0, 3.0, 4.0, 6.0] },
        hubs: Hubs { skewness: 1.75, largest: 96, never: 0.125, sorted: vec![96, 4, 0] },
    }
}

fn geometry() -> SampleResult<Geometry> {
    let overlap = Interval { value: 0.25, low: 0.24, high: 0.26 };
    let pair = SpacePair {
        a: "z".into(),
        b: "h".into(),
        cka: Some(0.5),
        unbiased_cka: None,
        overlap,
        chance: 0.005,
    };
    let spaces = vec![space_geometry("z", 64), space_geometry("h", 128)];
    let report = Geometry { rows: 2000, of: 12_544, k: 10, seed: 0, spaces, pairs: vec![pair] };
    SampleResult { report, images: 256, patches: 12_544, page: page(&["spectrum of the covariance"]) }
}

/// The page of a measure of the sample, before anything is measured.
pub fn at_page(name: &str) -> Window {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| {
        let progress = Progress {
            what: "embedding",
            done: 300,
            total: 1024,
            resumed: 0,
            unit: "images",
            elapsed: Duration::from_secs(9),
        };
        shown.extraction = Some(ExtractionView {
            progress,
            patches: (14_700, 50_176),
            kept_patches: 0,
            patches_per_second: None,
            skipped: Arc::default(),
            copies: 0,
            paused: false,
            stopped: None,
            finished: false,
            written_by: None,
            memory: MemoryUse::default(),
        });
    });
    window.press(Modifiers::NONE, Key::N);
    window.click(name);
    window.commands();
    window
}

#[test]
fn geometry_is_measured_on_request_stopped_and_told_with_what_it_is_over() {
    let mut window = at_page("Geometry");
    assert!(window.shows("Embedded by now: 14,700 of 50,176 patches of 300 of 1,024 images. Press Measure."));
    window.click("Measure");
    assert!(matches!(asked(&window)[..], [MeasureCommand::Start(SampleMeasure::Geometry)]));
    let progress = Progress {
        what: "measuring",
        done: 2,
        total: 7,
        resumed: 0,
        unit: "steps",
        elapsed: Duration::from_secs(4),
    };
    window.line.update(|shown| {
        shown.views.measures.geometry.phase = SamplePhase::Running(Some(progress));
    });
    window.steps();
    assert!(window.shows("Measuring 2 of 7 steps \u{b7} 10 s left"));
    window.click("Stop");
    assert!(matches!(asked(&window)[..], [MeasureCommand::Stop(SampleMeasure::Geometry)]));
    window.line.update(|shown| {
        let result = Some(Arc::new(geometry()));
        shown.views.measures.geometry = SampleView { phase: SamplePhase::Idle, result };
    });
    window.steps();
    assert!(
        window.shows("2,000 of 12,544 patches of 256 images \u{b7} 10 neighbours \u{b7} seed 0; norms: all")
    );
    assert!(window.shows("by now 14,700 patches of 300 images"));
    for cell in ["41.5", "12.2", "3.50", "1.00 to 6.00", "1.75", "12.5 %", "0.250 (0.240 to 0.260)"] {
        assert!(window.shows(cell), "{cell}");
    }
    assert!(window.shows("spectrum of the covariance: cosine by"));
    let failed = SamplePhase::Failed("3 patches with a vector; expected more than k, which is 10".into());
    window.line.update(|shown| shown.views.measures.geometry.phase = failed.clone());
    window.steps();
    assert!(window.shows("It could not be measured: 3 patches with a vector") && window.shows("41.5"));
    let wrong = wrong_at_all_sizes(&mut window.harness, |_, _| true);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_keyboard_goes_through_the_pages_of_measures() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::SHIFT, Key::N);
    assert!(matches!(asked(&window)[..], [MeasureCommand::FollowImage(true)]), "the page that was left");
    window.press(Modifiers::SHIFT, Key::N);
    assert!(window.shows("How the spaces lie"));
    assert!(matches!(asked(&window)[..], [MeasureCommand::FollowImage(false)]));
}

/// What the engine measures of the patches that are embedded is what the same functions find in the same bank.
#[test]
fn the_engine_measures_the_sample_beside_all_other_work() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    started.until("the sample", |shown| shown.extraction.as_ref().is_some_and(|sample| sample.finished));
    started.engine.send(Command::Measure(MeasureCommand::Start(SampleMeasure::Geometry)));
    let shown = started.until("the geometry", |shown| shown.views.measures.geometry.result.is_some());
    let result = shown.views.measures.geometry.result.clone().unwrap();
    let names: Vec<&str> = result.report.spaces.iter().map(|space| space.space.as_str()).collect();
    assert_eq!((names, result.images), (vec!["z", "h"], 8), "z is on the left");
    assert_eq!((result.report.rows, result.report.of, result.patches), (128, 128, 128));
    let folder = tempfile::tempdir().unwrap();
    let bank = folder.path().join("bank");
    let how = ["--data", "demo", "--split", "test", "--limit", "8", "--patch", "16", "--stride", "16"];
    json(&[&["embed", "--space", "h,z", "--out", text(&bank)], &how[..]].concat());
    let expected = json(&["geometry", text(&bank)]);
    for space in &result.report.spaces {
        let spaces = expected["spaces"].as_array().unwrap();
        let same = spaces.iter().find(|other| other["space"] == space.space).unwrap();
        let near = |found: f64, name: &str| {
            let expected = same[name].as_f64().unwrap();
            assert!((found - expected).abs() < 1e-3 * expected.abs(), "{name}: {found}, expected {expected}");
        };
        near(space.spread.rank, "rank");
        near(space.participation_ratio.unwrap(), "participation_ratio");
    }
    // Other patches: what was measured means nothing any more.
    let config = ExploreConfig { gallery_stride: 32, ..small() };
    started.engine.send(Command::Configure { id: 9, config });
    started.until("nothing", |shown| shown.views.measures.geometry.result.is_none());
}

fn locality() -> SampleResult<LocalityReport> {
    let over = |value: f64| Interval { value, low: value - 0.01, high: value + 0.01 };
    let space = |name: &str, half_width: Option<f64>| SpaceLocality {
        space: name.into(),
        composition: Composition {
            same_image: vec![over(0.5), over(0.25)],
            same_class: vec![over(0.25), over(0.25)],
            other_class: vec![over(0.25), over(0.5)],
            other_image: vec![over(0.0), over(0.0)],
        },
        displacement: Displacement {
            points: vec![DisplacementPoint { pixels: 4.0, cosine: over(0.75), pairs: 900 }],
            floor: Some(over(0.125)),
            half_width,
            near_minus_far: Some(over(0.375)),
            near_minus_far_share: Some(over(0.4375)),
        },
        positions: None,
    };
    let report = LocalityReport {
        config: LocalityConfig { changed: 0, ..LocalityConfig::default() },
        images: 256,
        skipped: vec![],
        patches: 12_544,
        queries: 1000,
        parts_known: false,
        purity: Default::default(),
        spaces: vec![space("z", None), space("h", Some(17.5))],
        changed: 0,
        invariance: vec![],
    };
    let page = page(&["cosine within an image", "neighbours in z by rank", "neighbours in h by rank"]);
    SampleResult { report, images: 300, patches: 14_700, page }
}

#[test]
fn locality_is_told_by_rank_and_by_distance_in_both_spaces() {
    let mut window = at_page("Locality");
    window.click("Measure");
    assert!(matches!(asked(&window)[..], [MeasureCommand::Start(SampleMeasure::Locality)]));
    window.line.update(|shown| {
        let result = Some(Arc::new(locality()));
        shown.views.measures.locality = SampleView { phase: SamplePhase::Running(None), result };
    });
    window.steps();
    assert!(window.shows("about to begin..."), "another measure goes on");
    assert!(window.shows(
        "1,000 queries \u{b7} 20 neighbours of 12,544 patches of 256 images \u{b7} seed 0; bands: 95 %"
    ));
    for cell in ["37.5 %", "25.0 %", "none", "17.5 px", "0.375 (0.365 to 0.385)"] {
        assert!(window.shows(cell), "{cell}");
    }
    assert!(
        window.shows("neighbours in h by rank: cosine by") && !window.shows("by now"),
        "nothing has come since"
    );
    window.click("Stop");
    assert!(matches!(asked(&window)[..], [MeasureCommand::Stop(SampleMeasure::Locality)]));
    let wrong = wrong_at_all_sizes(&mut window.harness, |_, _| true);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_wheel_over_a_plot_scrolls_the_page() {
    let mut window = at_page("Locality");
    window.harness.set_size(vec2(1000.0, 520.0));
    window.line.update(|shown| {
        let result = Some(Arc::new(locality()));
        shown.views.measures.locality = SampleView { phase: SamplePhase::Idle, result };
    });
    window.steps();
    let plot = |window: &Window| window.harness.get_by_label_contains("cosine within an image: ").rect();
    let before = plot(&window);
    window.harness.hover_at(before.center_top() + vec2(0.0, 20.0));
    window.steps();
    window.harness.event(Input::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, -40.0),
        phase: TouchPhase::Move,
        modifiers: Modifiers::NONE,
        source: MouseWheelSource::Wheel,
    });
    window.harness.run_steps(40);
    let moved = before.top() - plot(&window).top();
    assert!(moved > 10.0, "{moved}");
}

/// The page that the window writes is the command line's of the same patches.
#[test]
fn the_engine_writes_the_locality_report_of_the_command_line() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    started.until("the sample", |shown| shown.extraction.as_ref().is_some_and(|sample| sample.finished));
    started.engine.send(Command::Measure(MeasureCommand::Start(SampleMeasure::Locality)));
    // First what the vectors say, then what becomes of patches that are changed.
    let is_whole = |view: &SampleView<LocalityReport>| {
        view.phase == SamplePhase::Idle
            && view.result.as_ref().is_some_and(|result| result.report.changed > 0)
    };
    let shown = started.until("the locality", |shown| is_whole(&shown.views.measures.locality));
    let result = shown.views.measures.locality.result.clone().unwrap();
    let LocalityReport { images, patches, parts_known, queries, changed, .. } = result.report;
    assert_eq!((images, patches, parts_known, changed), (8, 128, true, queries.min(64)));
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["window.svg", "command.svg"].map(|name| folder.path().join(name));
    let page = MeasurePage::Sample(SampleMeasure::Locality);
    started.engine.drain_events();
    started.engine.send(Command::Measure(MeasureCommand::Export { page, path: ours.clone() }));
    written(&started, &ours);
    let mut args = vec!["locality", "--data", "demo", "--split", "test", "--limit", "8", "--patch", "16"];
    args.extend(["--stride", "16", "--space", "z,h", "--changed", "64", "--out", text(&theirs)]);
    json(&args);
    let [ours, theirs] = [ours, theirs].map(|path| std::fs::read_to_string(path).unwrap());
    assert!(ours == theirs, "{} and {} bytes differ", ours.len(), theirs.len());
    // What is left is not shown, and what was measured before stays.
    started.engine.send(Command::Measure(MeasureCommand::Start(SampleMeasure::Locality)));
    started.engine.send(Command::Measure(MeasureCommand::Stop(SampleMeasure::Locality)));
    started.until("the end", |shown| {
        let locality = &shown.views.measures.locality;
        locality.phase == SamplePhase::Idle && locality.result.is_some()
    });
}

/// Waits until the page stands at `path`.
pub fn written(started: &Started, path: &Path) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let saved =
        |event: &Event| matches!(event, Event::Figure(FigureEvent::Saved { path: at, .. }) if at == path);
    while !started.engine.drain_events().iter().any(saved) {
        assert!(std::time::Instant::now() < deadline, "it was not written");
        let _ = started.bell.recv_timeout(Duration::from_millis(100));
    }
}
