//! The toy world of section 3 in the Measures view, by role and label, and the engine's part of it, with nothing open.

use std::sync::Arc;
use std::time::Duration;

use bagssl::analysis::cooccurrence::{Duality, Losses};
use bagssl::device::DeviceChoice;
use bagssl::engine::{
    self, Command, EngineHandle, Event, FigureEvent, MeasureCommand, MeasurePage, Snapshot, WorldCommand,
    WorldPhase, WorldPlan, WorldReport, WorldView, open_device,
};
use bagssl::figure::{CurveAxis, CurveData, CurveSeries, CurvesPanel, Panel};
use crossbeam_channel::{Receiver, bounded};
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use crate::gui::Window;
use crate::gui_ease::increment;
use crate::gui_sizes::wrong_at_all_sizes;
use crate::support::{json, text};

fn asked(window: &Window) -> Vec<WorldCommand> {
    let of = |command| match command {
        Command::Measure(MeasureCommand::World(command)) => Some(command),
        _ => None,
    };
    window.commands().into_iter().filter_map(of).collect()
}

/// A world of four kinds after so many steps.
fn view(phase: WorldPhase, done: u64, dim: usize) -> WorldView {
    let plan = WorldPlan { images: 3, patches: 4, dim, ..WorldPlan::USUAL };
    let duality = Duality { samples: 9.5, dimensions: 7.5, even: 7.125, first: -2e-14, second: 3e-14 };
    let losses = Losses { spectral: -0.75, modelling: 0.012, constant: 3.012 };
    let report = WorldReport {
        plan,
        lambda: 1.0,
        done,
        device: "here".into(),
        rank: 3,
        eigenvalues: vec![1.0, 0.5, 0.1, 0.0],
        losses,
        difference: -8.8e-16,
        least: if dim < 3 { 0.01 } else { 0.0 },
        correlation: 0.998_765,
        largest_error: 2.5e-3,
        largest_ratio: 3.0,
        duality,
        curve: vec![(0, 0.0, 3.012), (done, -0.75, 0.012)],
    };
    let series = |name: &str| CurveSeries {
        name: name.into(),
        space: String::new(),
        run: 0,
        x: vec![1.0, 11.0],
        y: vec![3.012, 0.012],
        band: None,
    };
    let (x, y) = (CurveAxis::of("step + 1", ""), CurveAxis::of("loss", ""));
    let series = ["L_C", "2w L_S + constant"].map(series).to_vec();
    let curves = CurveData { title: "losses".into(), x, y, series, notes: vec![] };
    let values = |by: f32| Arc::new((0..16).map(|pair| by * pair as f32 / 5.0).collect());
    WorldView {
        phase,
        report,
        ratios: values(1.0),
        found: values(1.5),
        errors: values(0.5),
        losses: Panel::Curves(CurvesPanel { log_x: true, log_y: true, curves }),
    }
}

fn show(window: &mut Window, view: WorldView) {
    window.line.update(|shown| shown.views.measures.world = Some(Arc::new(view)));
    window.steps();
}

/// A window with nothing open at the toy world.
fn at_world(size: [f32; 2]) -> Window {
    let mut window = Window::with_query(size);
    window.line.update(|shown| *shown = Snapshot::default());
    window.press(Modifiers::NONE, Key::N);
    window.commands();
    window.click("Toy world");
    assert_eq!(asked(&window), [WorldCommand::Show(WorldPlan::USUAL)], "asked for once");
    window
}

#[test]
fn the_toy_world_is_started_paused_and_started_over_with_nothing_open() {
    let mut window = at_world([1280.0, 800.0]);
    show(&mut window, view(WorldPhase::Paused, 0, 8));
    window.click("Start");
    assert_eq!(asked(&window), [WorldCommand::Pause(false)]);
    show(&mut window, view(WorldPhase::Running, 10, 8));
    assert!(window.shows("step 10 of 3,000 \u{b7} correlation 0.998765 over 16 pairs of kinds"));
    window.click("Pause");
    assert_eq!(asked(&window), [WorldCommand::Pause(true)]);
    show(&mut window, view(WorldPhase::Paused, 10, 8));
    window.click("Go on");
    window.click("Start over");
    assert_eq!(asked(&window), [WorldCommand::Pause(false), WorldCommand::Start(WorldPlan::USUAL)]);
    // A number that is changed starts over; the defaults come back at once.
    increment(&mut window, "d");
    assert_eq!(asked(&window), [WorldCommand::Start(WorldPlan { dim: 9, ..WorldPlan::USUAL })]);
    window.click("Defaults");
    assert_eq!(asked(&window), [WorldCommand::Start(WorldPlan::USUAL)]);
    window.click("Next world");
    assert_eq!(asked(&window), [WorldCommand::Start(WorldPlan { seed: 1, ..WorldPlan::USUAL })]);
    // From another view, by its name among all commands.
    window.press(Modifiers::NONE, Key::Num5);
    window.press(Modifiers::COMMAND, Key::P);
    window.harness.get_by_role_and_label(Role::TextInput, "Command").type_text("toy world pause");
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.shows("Co-occurrence in a toy world"));
    assert_eq!(asked(&window), [WorldCommand::Pause(false)]);
}

#[test]
fn the_matrices_stand_side_by_side_with_their_numbers() {
    let mut window = at_world([1280.0, 800.0]);
    show(&mut window, view(WorldPhase::Running, 10, 8));
    for name in ["p12 / (p1 p2)", "w z1.z2", "difference"] {
        let name = format!("{name}: 4 x 4 kinds of patches");
        assert!(window.harness.query_by_role_and_label(Role::Image, &name).is_some(), "{name}");
    }
    assert!(window.shows("losses: loss by step + 1\nL_C: 3.01 at 1.0000 to 0.012"));
    assert!(window.shows("d 8 reaches the rank of p12, 3"));
    for number in [
        "\u{2212}0.750000",
        "\u{2212}8.8e\u{2212}16",
        "9.500000",
        "7.500000 \u{2212} 4",
        "7.125000 + 2.000000",
    ] {
        assert!(window.shows(number), "{number}");
    }
    // The middle of a matrix of four is the first corner of the cell at (2, 2).
    window.harness.get_by_role_and_label(Role::Image, "w z1.z2: 4 x 4 kinds of patches").hover();
    window.steps();
    assert!(
        window.shows("kinds 2 and 2: p12 / (p1 p2) 2.0000 \u{b7} w z1.z2 3.0000 \u{b7} difference +1.0e0")
    );
    show(&mut window, view(WorldPhase::Failed("z is not finite after step 11".into()), 11, 2));
    assert!(window.shows("It could not go on: z is not finite after step 11"));
    assert!(
        window.shows("d 2 is below the rank of p12, 3: without 1 eigenvalue L_C stays at 0.010000 or above")
    );
    assert!(window.shows("By now it is 1.2000 times that"));
}

#[test]
fn nothing_of_the_toy_world_is_cut_at_any_size() {
    let mut window = at_world([1280.0, 800.0]);
    show(&mut window, view(WorldPhase::Running, 10, 2));
    let wrong = wrong_at_all_sizes(&mut window.harness, |_, _| true);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An engine with nothing open.
struct Bare {
    engine: EngineHandle,
    bell: Receiver<()>,
}

impl Bare {
    fn new() -> Self {
        let (ring, bell) = bounded(1);
        let device = open_device(DeviceChoice::Cpu).unwrap();
        let engine = engine::start(device, None, move || _ = ring.try_send(())).unwrap();
        Self { engine, bell }
    }

    fn ask(&self, command: WorldCommand) {
        self.engine.send(Command::Measure(MeasureCommand::World(command)));
    }

    fn until(&self, what: &str, ready: impl Fn(&WorldView) -> bool) -> Arc<WorldView> {
        for _ in 0..120 {
            let view = self.engine.snapshot().views.measures.world.clone();
            if let Some(view) = view.filter(|view| ready(view)) {
                return view;
            }
            let _ = self.bell.recv_timeout(Duration::from_secs(1));
        }
        panic!("{what} did not happen");
    }

    fn hears(&self, what: &str, is_it: impl Fn(&Event) -> bool) {
        for _ in 0..120 {
            if self.engine.drain_events().iter().any(&is_it) {
                return;
            }
            let _ = self.bell.recv_timeout(Duration::from_secs(1));
        }
        panic!("{what} did not happen");
    }
}

/// What the window shows and writes at the end is the command line's.
#[test]
fn the_engine_finds_the_co_occurrence_step_by_step_and_writes_the_command_lines_page() {
    let bare = Bare::new();
    let plan = WorldPlan { images: 3, patches: 10, dim: 3, steps: 60, seed: 4, ..WorldPlan::USUAL };
    bare.ask(WorldCommand::Show(WorldPlan { seed: 5, ..plan }));
    let first = bare.until("the world", |_| true);
    assert_eq!((first.report.done, &first.phase), (0, &WorldPhase::Paused));
    bare.ask(WorldCommand::Show(plan));
    bare.ask(WorldCommand::Pause(false));
    bare.until("a step", |view| view.report.done > 0);
    bare.ask(WorldCommand::Pause(true));
    let paused = bare.until("the pause", |view| view.phase == WorldPhase::Paused);
    assert_eq!(
        (paused.report.plan.seed, &paused.ratios),
        (5, &first.ratios),
        "there was one to show already"
    );
    bare.ask(WorldCommand::Start(plan));
    let last = bare.until("the end", |view| view.phase == WorldPhase::Finished);
    assert_eq!((last.report.plan, last.report.done, last.report.rank), (plan, 60, 3));
    assert!(last.report.correlation > 0.99 && last.report.difference.abs() < 1e-12, "{:?}", last.report);
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["window.svg", "command.svg"].map(|name| folder.path().join(name));
    let export = MeasureCommand::Export { page: MeasurePage::World, path: ours.clone() };
    bare.engine.send(Command::Measure(export));
    bare.hears("the page", |event| matches!(event, Event::Figure(FigureEvent::Saved { .. })));
    let mut args = vec!["cooccurrence", "--images", "3", "--patches", "10", "--dim", "3", "--steps", "60"];
    args.extend(["--seed", "4", "--out", text(&theirs)]);
    let report = json(&args);
    let (found, told) = (last.report.losses.modelling, report["modelling"].as_f64().unwrap());
    assert!((found / told - 1.0).abs() < 1e-9, "{found}, on the command line {told}");
    let [ours, theirs] = [ours, theirs].map(|path| std::fs::read_to_string(path).unwrap());
    assert!(ours == theirs, "{} and {} bytes differ", ours.len(), theirs.len());
    // What is too large is refused in words, and the one on show stays.
    bare.ask(WorldCommand::Start(WorldPlan { patches: 129, ..plan }));
    bare.hears("the refusal", |event| match event {
        Event::Failed { message, .. } => message.contains("--patches 129; expected 2 to 128 kinds"),
        _ => false,
    });
    bare.until("the world", |view| view.phase == WorldPhase::Finished);
}
