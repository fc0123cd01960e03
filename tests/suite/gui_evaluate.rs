//! The Evaluate tab: a plan as it is typed, results as they come, by role and label; and the engine's part of it with the
//! demo model and a few images.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bagssl::engine::facts::{Crop, ModelSpec, TrainedBy};
use bagssl::engine::training::DataSource;
use bagssl::engine::{
    Command, EvalPlan, EvaluateCommand, EvaluationPhase, EvaluationView, Event, FigureEvent,
    ModelDescription, PlanRequest, PlannedModel, ResultRow, ResultTexts, Split, Trend, paper_evaluations,
};
use bagssl::progress::Progress;
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use crate::engine::Started;
use crate::gui::Window;
use crate::gui_sizes::wrong_at_all_sizes;
use crate::support::{json, text};

/// The tab, with the model and the data of [`Window::with_query`] opened from the built-in ones.
fn tab() -> Window {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| {
        shown.model_source = Some(Arc::new(ModelSpec::from("demo")));
        shown.data_source = Some(Arc::new(DataSource { spec: "demo".into(), split: Some(Split::Test) }));
    });
    window.press(Modifiers::COMMAND, Key::Num3);
    window.steps();
    window.commands();
    window
}

fn fill(window: &mut Window, label: &str, text: &str) {
    window.harness.get_by_role_and_label(Role::TextInput, label).focus();
    window.steps();
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.get_by_role_and_label(Role::TextInput, label).type_text(text);
    window.steps();
}

fn asked(window: &Window) -> Vec<EvaluateCommand> {
    let of = |command| match command {
        Command::Evaluate(command) => Some(command),
        _ => None,
    };
    window.commands().into_iter().filter_map(of).collect()
}

fn row(evaluation: &str, patches: &str, accuracy: f64) -> ResultRow {
    ResultRow {
        model: "demo".into(),
        evaluation: evaluation.into(),
        classifier: "linear".into(),
        patches: patches.into(),
        accuracy,
        low: accuracy - 0.02,
        high: accuracy + 0.02,
        seeds: 1,
        deviation: None,
        images: 2000,
        train_images: 4096,
        seconds: 1.5,
        paper: Some(0.9),
        difference: Some(accuracy - 0.9),
        images_of: Some(10_000),
        train_images_of: Some(50_000),
        fewest_patches: None,
    }
}

fn results(phase: EvaluationPhase, progress: Option<Progress>) -> EvaluationView {
    let models = vec![PlannedModel { name: "demo".into(), path: "demo".into(), options: Default::default() }];
    let plan = EvalPlan { models, evaluations: paper_evaluations(1), ..EvalPlan::of("demo".into()) };
    let words = "demo: another trend than in the paper from 1 to 16".to_owned();
    EvaluationView {
        request: Arc::new(PlanRequest { plan, out: "/data/results/table-1".into() }),
        phase,
        done: 1,
        kept: 0,
        cell: "model \"demo\", evaluation \"crops of 0.08 to 1\"".into(),
        progress,
        left: Some(Duration::from_secs(300)),
        rows: Arc::new(vec![row("patches of 14", "16", 0.512), row("patches of 14", "central", 0.634)]),
        trends: Arc::new(vec![Trend { evaluation: "patches of 14".into(), is_same: false, words }]),
        texts: Arc::new(ResultTexts { markdown: "| table |".into(), ..ResultTexts::default() }),
    }
}

#[test]
fn a_plan_is_typed_and_sent_and_what_keeps_it_is_told() {
    let mut window = tab();
    assert!(window.shows("press Start evaluation"));
    fill(&mut window, "Patches of evaluation 1", "central, four");
    assert!(window.shows("\"four\": expected central, or a number of patches"));
    window.click("Start evaluation");
    assert!(asked(&window).is_empty());
    fill(&mut window, "Patches of evaluation 1", "central, 4");
    fill(&mut window, "Name of model 1", "ours");
    fill(&mut window, "Space of evaluation 1", "hidden1");
    window.click("Augmented patches of evaluation 1");
    fill(&mut window, "Seeds", "0, 7");
    fill(&mut window, "Results folder", "/data/results/mine");
    assert!(window.shows("2 cells"));
    window.click("Start evaluation");
    let [EvaluateCommand::Start(request)] = &asked(&window)[..] else { panic!("a start") };
    let plan = &request.plan;
    assert_eq!((request.out.to_str(), plan.seeds.as_slice()), (Some("/data/results/mine"), &[0, 7][..]));
    assert_eq!((plan.models[0].name.as_str(), plan.data == *"demo"), ("ours", true));
    let evaluation = &plan.evaluations[0];
    assert_eq!((evaluation.patch, evaluation.patches.join(" ")), (Some(8), "central 4".into()));
    assert_eq!((evaluation.space.as_str(), evaluation.augmented), ("hidden1", true));
    // The set of this window has one split.
    assert_eq!(plan.holdout, Some(0.2));
}

/// A model of another file, trained on patches of `size` pixels.
fn open_trained(window: &mut Window, size: u32) {
    window.line.update(|shown| {
        let trained_by = TrainedBy { crops: vec![Crop::Fixed { size }], objective: None };
        let before = shown.model.as_deref().expect("a model is open").clone();
        let hash = format!("trained on {size}");
        shown.model = Some(Arc::new(ModelDescription { trained_by, hash, ..before }));
    });
    window.steps();
}

/// The patch size that would be evaluated now.
fn planned_patch(window: &mut Window) -> Option<u32> {
    window.click("Start evaluation");
    let [EvaluateCommand::Start(request)] = &asked(window)[..] else { panic!("a start") };
    request.plan.evaluations[0].patch
}

#[test]
fn the_patch_size_is_the_models_until_one_is_typed() {
    let mut window = tab();
    fill(&mut window, "Patches of evaluation 1", "central, 4");
    fill(&mut window, "Results folder", "/data/results/mine");
    assert_eq!(planned_patch(&mut window), Some(8), "Explore's, where the model says none");
    open_trained(&mut window, 16);
    assert_eq!(planned_patch(&mut window), Some(16));
    open_trained(&mut window, 20);
    assert_eq!(planned_patch(&mut window), Some(20));
    window.harness.get_by_role_and_label(Role::SpinButton, "Patch size of evaluation 1").focus();
    window.steps();
    window.press(Modifiers::NONE, Key::ArrowUp);
    assert_eq!(planned_patch(&mut window), Some(21));
    open_trained(&mut window, 16);
    assert_eq!(planned_patch(&mut window), Some(21));
}

#[test]
fn results_are_told_with_their_counts_beside_the_paper_and_nothing_is_cut() {
    let mut window = tab();
    let progress = Progress {
        what: "embedding",
        done: 1000,
        total: 5000,
        resumed: 0,
        unit: "patches",
        elapsed: std::time::Duration::from_secs(10),
    };
    let running = results(EvaluationPhase::Running, Some(progress));
    window.line.update(|shown| shown.views.evaluation = Some(Arc::new(running)));
    window.steps();
    for words in [
        "Evaluate \u{b7} 59 %",
        "1 of 2 cells done, about 5 min left",
        "Embedding 1,000 of 5,000 patches \u{b7} 100 patches/s \u{b7} 40 s left",
        "2,000 of 10,000",
        "51.2",
        "-38.8",
        "patches of 14 \u{b7} demo: another trend than in the paper from 1 to 16.",
    ] {
        assert!(window.shows(words), "{words}");
    }
    window.click("Stop");
    assert!(matches!(asked(&window)[..], [EvaluateCommand::Stop]));
    let failed = results(EvaluationPhase::Failed("no memory".into()), None);
    window.line.update(|shown| shown.views.evaluation = Some(Arc::new(failed)));
    window.steps();
    assert!(window.shows("The evaluation stopped: no memory"));
    window.click("Continue");
    let [EvaluateCommand::Start(request)] = &asked(&window)[..] else { panic!("a start") };
    assert_eq!(request.out.to_str(), Some("/data/results/table-1"));
    let wrong = wrong_at_all_sizes(&mut window.harness, |_, _| true);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn headings_stand_at_the_edge_of_their_cells_whichever_column_is_sorted_by() {
    let mut window = tab();
    let finished = results(EvaluationPhase::Finished, None);
    window.line.update(|shown| shown.views.evaluation = Some(Arc::new(finished)));
    window.steps();
    let edges = |window: &Window, by: &str, of: &str| {
        let rect = |label: &str| window.harness.get_by_label(label).rect();
        let heading =
            |name: &str, is_by: bool| rect(&if is_by { format!("{name}{by}") } else { name.into() });
        let left = [heading("vector of", of == "vector of"), rect("16 patches")].map(|rect| rect.left());
        let right = [heading("accuracy, %", of == "accuracy, %"), rect("51.2")].map(|rect| rect.right());
        for [heading, cell] in [left, right] {
            assert!((heading - cell).abs() < 1.0, "{heading} over {cell}, sorted by {of}");
        }
        [left[0], right[0]]
    };
    let before = edges(&window, "", "");
    for column in ["accuracy, %", "vector of"] {
        window.click(column);
        assert_eq!(edges(&window, ", sorted upwards", column), before);
    }
    window.click("vector of, sorted upwards");
    assert_eq!(edges(&window, ", sorted downwards", "vector of"), before);
}

#[test]
fn a_plan_is_done_beside_other_work_and_its_folder_is_that_of_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let toml = "title = \"Tiny\"\ndata = \"demo\"\nseeds = [0, 1]\nlimit_train = 30\nlimit_test = 20\nk = 3\n\
                [[model]]\nname = \"built in\"\npath = \"demo\"\n\
                [[evaluation]]\nname = \"whole\"\npatches = [\"central\"]\nclassifiers = [\"knn\"]\n";
    fs::write(path("plan.toml"), toml).unwrap();
    let plan = EvalPlan::read(&path("plan.toml")).unwrap();
    let started = Started::new();
    let send = |command| started.engine.send(Command::Evaluate(command));
    let request = PlanRequest { plan, out: path("window") };
    send(EvaluateCommand::Start(Box::new(request.clone())));
    let phase = |shown: &bagssl::engine::Snapshot| {
        shown.views.evaluation.as_ref().map(|view| (view.phase.clone(), view.done, view.kept))
    };
    let done = started.until("the plan", |shown| phase(shown) == Some((EvaluationPhase::Finished, 2, 0)));
    let view = done.views.evaluation.clone().unwrap();
    let row = &view.rows[0];
    assert_eq!((row.seeds, row.images, row.images_of), (2, 20, Some(1024)), "{row:?}");
    // The command finds every cell there, by the plan that lies in the folder, and writes the same tables.
    let csv = fs::read_to_string(path("window/results.csv")).unwrap();
    let plan_file = path("window/plan.toml");
    let again = json(&["eval", "--plan", text(&plan_file), "--out", text(&path("window"))]);
    assert_eq!(again["kept"], 2);
    assert_eq!(fs::read_to_string(path("window/results.csv")).unwrap(), csv);
    // The other way round: a folder of the command opens, and goes on where a cell is missing.
    json(&["eval", "--plan", text(&path("plan.toml")), "--out", text(&path("command"))]);
    send(EvaluateCommand::Open(path("command")));
    let opened = started.until("the folder", |shown| {
        shown.views.evaluation.as_ref().is_some_and(|view| view.request.out == path("command"))
    });
    let opened = opened.views.evaluation.clone().unwrap();
    assert_eq!((&opened.phase, opened.rows[0].accuracy), (&EvaluationPhase::Finished, row.accuracy));
    let cell = fs::read_dir(path("command/cells")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(cell).unwrap();
    send(EvaluateCommand::Start(Box::new(PlanRequest { out: path("command"), ..request })));
    started.until("the rest", |shown| phase(shown) == Some((EvaluationPhase::Finished, 2, 1)));
    send(EvaluateCommand::Export(path("table.tex")));
    send(EvaluateCommand::Export(path("bars.svg")));
    send(EvaluateCommand::Open(path("nowhere")));
    let mut events = vec![];
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let failed = loop {
        events.extend(started.engine.drain_events());
        let failure = events.iter().find_map(|event| match event {
            Event::Failed { about, message } => Some((about.clone(), message.clone())),
            _ => None,
        });
        let is_drawn = |event: &Event| matches!(event, Event::Figure(FigureEvent::Saved { .. }));
        if let Some(failure) = failure.filter(|_| events.iter().any(is_drawn)) {
            break failure;
        }
        assert!(std::time::Instant::now() < deadline, "no failure and no figure are told");
        let _ = started.bell.recv_timeout(std::time::Duration::from_secs(1));
    };
    assert!(failed.0 == "opening the results" && failed.1.contains("not a results folder"), "{failed:?}");
    assert!(events.iter().any(|event| matches!(event, Event::ResultsSaved { .. })));
    assert!(fs::read_to_string(path("table.tex")).unwrap().contains("\\toprule"));
    let bars = fs::read_to_string(path("bars.svg.json")).unwrap();
    assert!(bars.contains("20 of 1,024 test images") && bars.contains("2 seeds"), "{bars}");
}
