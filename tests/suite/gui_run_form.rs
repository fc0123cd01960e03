//! The form for a new run in the Train tab, by role and label with the engine's part played: budget, the settings of
//! another run, the run as a command.

use std::path::Path;
use std::sync::Arc;

use bagssl::engine::training::{DataSource, RunStatus, RunView, StartTraining, TrainCommand};
use bagssl::engine::{Command, DataDescription, Split};
use bagssl::train::recipes;
use eframe::egui::{Event as Input, Key, Modifiers, OutputCommand, accesskit::Role};
use egui_kittest::Node;
use egui_kittest::kittest::{NodeT, Queryable};

use crate::gui::{Window, data};

/// The Train tab on the test split of 1,000 images in `/d`, these runs on its list.
fn train(runs: Vec<Arc<RunView>>) -> Window {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| {
        let labels = vec![None; 1000];
        shown.data = Some(Arc::new(DataDescription { images: 1000, labels, ..data() }));
        shown.data_source = Some(Arc::new(DataSource { spec: "/d".into(), split: Some(Split::Test) }));
        shown.runs.folders = Arc::new(runs);
    });
    window.click("Train");
    // A folder may be proposed while the first is typed, and none after it.
    (0..2).for_each(|_| fill(&mut window, "Run folder", "/runs/new"));
    window
}

/// A run that is called like a recipe and has another batch.
fn run() -> Arc<RunView> {
    let mut config = recipes::find("quick-parts").unwrap().config;
    config.batch = 48;
    Arc::new(RunView {
        config: Some(Arc::new(config)),
        status: RunStatus::Finished,
        ..RunView::of(Path::new("/runs/quick-parts"))
    })
}

/// The first field of that name: groups of settings may hold others, such as the probe's images.
fn field<'a>(window: &'a Window, name: &'a str) -> Node<'a> {
    window.harness.get_all_by_role_and_label(Role::TextInput, name).next().expect("at least one")
}

fn value(window: &Window, name: &str) -> Option<String> {
    field(window, name).value()
}

/// Replaces the text of a field.
fn fill(window: &mut Window, name: &str, text: &str) {
    field(window, name).focus();
    window.steps();
    window.press(Modifiers::COMMAND, Key::A);
    field(window, name).type_text(text);
    window.steps();
}

/// Presses a button, whether or not the form is scrolled away from it.
fn press(window: &mut Window, label: &str) {
    window.harness.get_by_role_and_label(Role::Button, label).click_accesskit();
    window.steps();
}

fn budget(window: &Window) -> Node<'_> {
    window.harness.get_by_role_and_label(Role::SpinButton, "Budget")
}

fn choose_unit(window: &mut Window, unit: &str) {
    window.harness.get_by_role_and_label(Role::ComboBox, "Unit of the budget").click();
    window.steps();
    window.harness.get_by_role_and_label(Role::Button, unit).click();
    window.steps();
}

/// Types a budget key by key, and Enter.
fn type_budget(window: &mut Window, number: &str) {
    budget(window).focus();
    window.steps();
    for key in number.chars() {
        window.harness.event(Input::Text(key.to_string()));
        window.steps();
    }
    window.press(Modifiers::NONE, Key::Enter);
}

/// What a press of the button asks the engine to train.
fn started(window: &mut Window) -> StartTraining {
    window.commands();
    press(window, "Start training");
    let start = |command| match command {
        Command::Train(TrainCommand::Start(start)) => Some(*start),
        _ => None,
    };
    window.commands().into_iter().find_map(start).expect("it is started")
}

/// What a press of the button puts on the clipboard.
fn copied(window: &mut Window) -> String {
    window.harness.get_by_role_and_label(Role::Button, "Copy command").click_accesskit();
    for _ in 0..4 {
        window.harness.step();
        for command in window.harness.output().platform_output.commands.clone() {
            if let OutputCommand::CopyText(text) = command {
                return text;
            }
        }
    }
    panic!("nothing is copied");
}

/// Each digit was taken as it came and rounded up to whole epochs: with the next one it was another number.
#[test]
fn a_budget_in_steps_or_images_is_typed_whole() {
    let mut window = train(vec![]);
    fill(&mut window, "images", "1000");
    fill(&mut window, "batch", "100");
    for (unit, number, epochs, shown) in
        [("steps", "250", 25, "250"), ("images", "12,500", 13, "13,000"), ("epochs", "40", 40, "40")]
    {
        choose_unit(&mut window, unit);
        type_budget(&mut window, number);
        assert!(window.shows(&format!("{epochs} epochs \u{b7} {} steps", 10 * epochs)), "{number} {unit}");
        assert_eq!(budget(&window).value().as_deref(), Some(shown), "{number} {unit}");
        assert_eq!(started(&mut window).config.epochs, epochs, "{number} {unit}");
    }
}

/// Where an epoch has no steps, the number of epochs stood there as one of steps.
#[test]
fn a_budget_in_a_unit_that_nobody_knows_is_no_number() {
    let mut window = train(vec![]);
    choose_unit(&mut window, "steps");
    assert!(!budget(&window).accesskit_node().is_disabled());
    fill(&mut window, "batch", "2000");
    assert!(window.shows("fewer images than one batch"));
    assert!(budget(&window).accesskit_node().is_disabled());
    assert_eq!(budget(&window).value().as_deref(), Some("?"));
    choose_unit(&mut window, "epochs");
    assert!(!budget(&window).accesskit_node().is_disabled());
}

/// Of a run Reset took the settings of the recipe of its name, or none; what cannot be read it left as it was.
#[test]
fn reset_returns_to_the_settings_of_recipe_or_run() {
    let mut window = train(vec![run()]);
    let is_as_in = |window: &Window, source: &str| {
        window.harness.query_by_label(&format!("as in the {source}")).is_some()
    };
    let recipes = value(&window, "batch");
    fill(&mut window, "batch", "72");
    assert!(window.shows("1 changed") && !is_as_in(&window, "recipe"));
    press(&mut window, "Reset");
    assert!(is_as_in(&window, "recipe"));
    assert_eq!(value(&window, "batch"), recipes);

    window.click("Use settings");
    window.steps();
    assert!(is_as_in(&window, "run"));
    assert_eq!(value(&window, "batch").as_deref(), Some("48"));
    fill(&mut window, "batch", "72");
    press(&mut window, "Reset");
    assert!(is_as_in(&window, "run"));
    assert_eq!(value(&window, "batch").as_deref(), Some("48"));
    fill(&mut window, "lr", "fast");
    assert!(window.shows("1 wrong") && !is_as_in(&window, "run"));
    press(&mut window, "Reset");
    assert!(is_as_in(&window, "run") && !window.shows("expected a number"));
}

/// A run's settings were copied as a recipe of its name, which may be none or another; data that was open in Explore
/// was left for the reader to fill in, and so was its split.
#[test]
fn the_command_that_is_copied_has_data_folder_and_settings() {
    let mut window = train(vec![run()]);
    fill(&mut window, "batch", "72");
    let from = "bagssl train --data /d --split test --out /runs/new";
    let recipe = "quick-cifar10-vicreg-patch14";
    assert_eq!(copied(&mut window), format!("{from} --recipe {recipe} --set batch=72"));
    window.click("Use settings");
    window.steps();
    assert_eq!(copied(&mut window), format!("{from} --config /runs/quick-parts/config.toml"));
    fill(&mut window, "images", "640");
    let settings = "--config /runs/quick-parts/config.toml --set images=640";
    assert_eq!(copied(&mut window), format!("{from} {settings}"));
}
