//! The Train tab's charts on runs that the test makes: what tells runs and spaces apart, numbers, axes, sizes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bagssl::dataset::Coverage;
use bagssl::engine::{
    Event, MetricSeries, Phase, RunStatus, RunView, TrainEvent, TrainTask, TrainingPace, TrainingView,
    UsedImages,
};
use bagssl::train::{KeptCheckpoint, recipes};
use eframe::egui::{Rect, accesskit::Role};
use egui_kittest::kittest::{NodeT, Queryable};

use crate::gui::Window;
use crate::gui_sizes;

/// A run with so many points in each of `series`, the last of them the value that is named.
fn run(name: &str, points: usize, series: &[(&str, f64)]) -> Arc<RunView> {
    let of = |(key, last): &(&str, f64)| {
        let x: Vec<f64> = (1..=points).map(|point| 10.0 * point as f64).collect();
        let y = x.iter().map(|x| last + 0.5 * (x - 10.0 * points as f64)).collect();
        ((*key).to_owned(), Arc::new(MetricSeries { x, y }))
    };
    let path = PathBuf::from("runs").join(name);
    let checkpoint = |step: u64| KeptCheckpoint { step, path: path.join(format!("step-{step}")) };
    Arc::new(RunView {
        name: name.to_owned(),
        config: Some(Arc::new(recipes::find("quick-parts").unwrap().config)),
        data: None,
        images: Some(4096),
        device: None,
        total_steps: Some(1_920),
        series: Arc::new(series.iter().map(of).collect::<BTreeMap<_, _>>()),
        vectors: Arc::default(),
        checkpoints: Arc::new(vec![checkpoint(10), checkpoint(20)]),
        status: RunStatus::Unfinished,
        alarms: Arc::default(),
        notices: Arc::default(),
        error: None,
        path,
    })
}

/// The Train tab with these runs on its list.
fn train(size: [f32; 2], runs: Vec<Arc<RunView>>) -> Window {
    let mut window = Window::with_query(size);
    window.line.update(|shown| shown.runs.folders = Arc::new(runs));
    window.click("Train");
    window.steps();
    window
}

const NUMBERS: [(&str, f64); 6] = [
    ("loss", 2.5),
    ("knn.z", 0.222),
    ("knn.h", 0.216),
    ("rank.z", 12.5),
    ("rank.h", 30.5),
    ("views_per_second", 1394.0),
];

/// The text of every label.
fn texts(window: &Window) -> Vec<(String, Rect)> {
    let nodes = window.harness.query_all_by_role(Role::Label);
    nodes.map(|node| (node.accesskit_node().value().unwrap_or_default(), node.rect())).collect()
}

#[test]
fn every_value_is_named_by_run_and_space_and_none_is_cut() {
    let two = [("knn.z", 0.160), ("knn.h", 0.186), ("loss", 3.5)];
    let runs = vec![run("one", 2, &NUMBERS), run("two", 2, &two)];
    let mut window = train([1000.0, 700.0], runs);
    let found = texts(&window);
    let all = "A z 22.2  A h 21.6  B z 16.0  B h 18.6".to_owned();
    let plain = |text: &str| text.replace('\u{a0}', " ");
    let Some((_, rect)) = found.iter().find(|(text, _)| plain(text) == all) else {
        panic!("{all} is not shown: {found:?}");
    };
    // Beside a title of half a chart's width they need a second line, which they get.
    assert!(rect.height() > 24.0 && rect.right() <= 1000.0, "{rect:?}");
    for text in ["A 2.50  B 3.50", "kNN accuracy, %", "views per second", "as measured"] {
        assert!(found.iter().any(|(found, _)| plain(found) == text), "{text} is not shown: {found:?}");
    }
    // One run: the letter of the run says nothing, that of the space does.
    window.line.update(|shown| shown.runs.folders = Arc::new(vec![run("one", 2, &NUMBERS)]));
    window.steps();
    window.steps();
    let found = texts(&window);
    assert!(found.iter().any(|(text, _)| plain(text) == "z 22.2  h 21.6"), "{found:?}");
    assert!(found.iter().any(|(text, _)| text == "z") && window.shows("z: projection, by its hue"));
}

#[test]
fn a_plot_that_cannot_be_logarithmic_says_so() {
    let mut window = train([1280.0, 800.0], vec![run("tcr", 30, &[("loss", -400.0), ("rank.z", 900.0)])]);
    window.harness.get_by_role_and_label(Role::CheckBox, "log y").click();
    window.steps();
    let remarks = texts(&window).into_iter().filter(|(text, _)| text.starts_with("linear:"));
    assert_eq!(remarks.count(), 1, "the loss alone is below 0");
}

#[test]
fn why_a_run_did_not_start_stands_until_something_else_is_to_be_started() {
    let mut window = train([1280.0, 1400.0], vec![]);
    let failed = TrainEvent::Failed { asked: TrainTask::Start, message: "runs/x exists already".into() };
    window.line.emit(Event::Train(failed));
    window.steps();
    assert!(window.shows("runs/x exists already"));
    window.steps();
    assert!(window.shows("runs/x exists already"));
    window.harness.get_by_role_and_label(Role::TextInput, "Run folder").focus();
    window.steps();
    assert!(window.shows("runs/x exists already"));
    window.harness.get_by_role_and_label(Role::TextInput, "Run folder").type_text("y");
    window.steps();
    assert!(!window.shows("runs/x exists already"));
}

#[test]
fn the_recipe_offered_first_fits_the_data() {
    let mut window = train([1280.0, 800.0], vec![]);
    let chosen = |window: &Window| {
        window.harness.get_by_role_and_label(Role::ComboBox, "Recipe").accesskit_node().value()
    };
    assert_eq!(chosen(&window).as_deref(), Some("quick-cifar10-vicreg-patch14"));
    assert!(window.shows("Fits the data: patches of 14 x 14 pixels for images of 32 x 32."));
    window.line.update(|shown| {
        let mut data = super::gui::data();
        (data.id, data.size) = (2, Some((200, 300)));
        shown.data = Some(Arc::new(data));
    });
    window.steps();
    window.steps();
    assert_eq!(chosen(&window).as_deref(), Some("quick-vicreg-patch64"));
    // What was chosen by hand stays.
    window.harness.get_by_role_and_label(Role::ComboBox, "Recipe").click();
    window.steps();
    window.click("quick-parts");
    window.line.update(|shown| shown.data = Some(Arc::new(super::gui::data())));
    window.steps();
    assert_eq!(chosen(&window).as_deref(), Some("quick-parts"));
    assert!(window.shows("quick-cifar10-vicreg-patch14 would fit the data"));
}

fn training() -> TrainingView {
    TrainingView {
        run: PathBuf::from("runs/one"),
        phase: Phase::Running,
        error: None,
        step: 200,
        total_steps: 1_920,
        epoch: 3.1,
        loss: Some(2.5),
        lr: Some(0.01),
        pace: TrainingPace {
            views_per_step: 1024,
            views_per_second: Some(1394.0),
            remaining: Some(Duration::from_secs(600)),
        },
        memory: Some(1_200_000_000),
        checkpoint: Some(128),
        images: UsedImages { part: Arc::new(Coverage::default()), unreadable: 0 },
        pins_share: 0.0,
    }
}

#[test]
fn nothing_of_the_train_tab_is_cut_at_any_size() {
    let runs = vec![run("a-run-with-a-name-of-some-length", 30, &NUMBERS), run("two", 2, &NUMBERS)];
    let mut window = train([1280.0, 800.0], runs);
    window.line.update(|shown| shown.runs.active = Some(Arc::new(training())));
    window.steps();
    window.line.emit(Event::Train(TrainEvent::Stopped { run: "runs/two".into(), step: 20 }));
    window.steps();
    let wrong = gui_sizes::wrong_at_all_sizes(&mut window.harness, |_, _| true);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
