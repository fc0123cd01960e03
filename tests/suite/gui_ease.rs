//! What makes the window easy: the first steps, recent files, links, the size of the interface.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bagssl::engine::training::DataSource;
use bagssl::engine::{Command, Event, MapMode, Split, line};
use bagssl::gui::{App, GuiOptions, Link};
use bagssl::patch::PatchRef;
use eframe::egui::accesskit::{self, ActionRequest, Role};
use eframe::egui::{Event as Input, Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::gui::{Window, config, patch, query_view, view};

const SIZE: [f32; 2] = [1280.0, 800.0];

/// A window whose model and data came from `/m` and `/d`.
fn opened() -> Window {
    let mut window = Window::with_query(SIZE);
    source(&window, "/d");
    window.line.update(|shown| shown.model_source = Some(Arc::new("/m".into())));
    window.line.emit(Event::ModelOpened);
    window.line.emit(Event::DataOpened);
    window.steps();
    window.commands();
    window
}

fn source(window: &Window, spec: &str) {
    let source = DataSource { spec: spec.into(), split: Some(Split::Test) };
    window.line.update(|shown| shown.data_source = Some(Arc::new(source)));
}

fn paste(window: &mut Window, text: &str) {
    window.harness.event(Input::Paste(text.to_owned()));
    window.steps();
}

#[test]
fn a_dialog_closes_the_tooltip_of_what_it_covers() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let tooltip = "Shows the patch under the pointer as if it were the query";
    window.harness.get_by_role_and_label(Role::CheckBox, "Preview").hover();
    window.harness.run_steps(80);
    assert!(window.shows(tooltip));
    window.press(Modifiers::COMMAND, Key::O);
    assert!(window.shows("Browse for a folder...") && !window.shows(tooltip));
}

/// Enter opens from the path field, after a click on a radio button, and while one has the focus; on a button it is the
/// button's.
#[test]
fn enter_opens_wherever_the_split_was_chosen() {
    let dialog = || {
        let mut window = Window::with_query(SIZE);
        window.press(Modifiers::COMMAND, Key::O);
        window.harness.get_by_role_and_label(Role::TextInput, "Path").type_text("/some/folder");
        window.steps();
        window.commands();
        window
    };
    let opened = |mut window: Window, split: Option<Split>| {
        window.press(Modifiers::NONE, Key::Enter);
        let sent = window.commands();
        assert!(
            matches!(&sent[..], [Command::OpenData { spec, split: sent }] if *spec == *"/some/folder" && *sent == split),
            "{sent:?}"
        );
    };
    opened(dialog(), None);
    let mut clicked = dialog();
    clicked.harness.get_by_role_and_label(Role::RadioButton, "test").click();
    clicked.steps();
    opened(clicked, Some(Split::Test));
    let mut focused = dialog();
    focused.harness.get_by_role_and_label(Role::RadioButton, "default").focus();
    focused.steps();
    opened(focused, None);
    let mut cancelled = dialog();
    cancelled.harness.get_by_role_and_label(Role::Button, "Cancel").focus();
    cancelled.steps();
    cancelled.press(Modifiers::NONE, Key::Enter);
    assert!(cancelled.commands().is_empty() && !cancelled.shows("Browse for a folder..."));
}

#[test]
fn the_dialog_says_how_pictures_are_decoded() {
    let mut window = opened();
    window.press(Modifiers::COMMAND, Key::O);
    window.harness.get_by_role_and_label(Role::TextInput, "Path").type_text("/deep");
    window.harness.get_by_role_and_label(Role::RadioButton, "ignore").click();
    window.harness.get_by_role_and_label(Role::RadioButton, "values").click();
    window.steps();
    window.harness.get_by_role_and_label(Role::Button, "Open").click();
    window.steps();
    let sent = window.commands();
    let [Command::OpenData { spec, split: None }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(spec.to_string(), "/deep (--exif ignore --value-window 0,4095)");
}

#[test]
fn three_steps_are_shown_at_first_dismissed_and_called_back() {
    let mut window = Window::first_start(SIZE);
    for step in ["Step 1: Click the image", "Step 2: Compare z and h below", "Step 3: Click a neighbour"] {
        assert!(window.shows(step), "{step}");
    }
    window.click("Got it");
    assert!(!window.shows("Step 1"));
    window.press(Modifiers::SHIFT, Key::F1);
    assert!(window.shows("Step 1"));
}

#[test]
fn the_interface_is_enlarged_and_made_as_it_was() {
    let mut window = Window::with_query(SIZE);
    window.press(Modifiers::COMMAND, Key::Plus);
    window.press(Modifiers::COMMAND, Key::Equals);
    assert_eq!(window.harness.ctx.zoom_factor(), 1.2);
    window.press(Modifiers::COMMAND, Key::Minus);
    assert_eq!(window.harness.ctx.zoom_factor(), 1.1);
    window.press(Modifiers::COMMAND, Key::Num0);
    assert_eq!(window.harness.ctx.zoom_factor(), 1.0);
    assert!(window.commands().is_empty(), "no other key was meant");
}

#[test]
fn what_was_opened_is_offered_again_and_a_vanished_one_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().display().to_string();
    let mut window = opened();
    source(&window, &there);
    window.line.emit(Event::DataOpened);
    window.steps();
    window.commands();
    window.press(Modifiers::COMMAND, Key::O);
    // What is gone is found out on another thread.
    let gone = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        window.steps();
        window.shows("/d (test)  (not there any more)")
    });
    assert!(gone, "/d is not there");
    let label = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
    {
        let rows = window.harness.get_all_by_role(Role::Button);
        let rows: Vec<_> = rows
            .filter(|node| {
                let node = egui_kittest::kittest::NodeT::accesskit_node(node);
                node.label().is_some_and(|text| text.contains(&label))
            })
            .collect();
        rows.last().expect("the folder is listed").click();
    }
    window.steps();
    let sent = window.commands();
    assert!(
        matches!(&sent[..], [Command::OpenData { spec, split: Some(Split::Test) }] if *spec == there),
        "{sent:?}"
    );

    window.press(Modifiers::COMMAND, Key::P);
    window.harness.get_by_role_and_label(Role::TextInput, "Command").type_text("again model");
    window.steps();
    assert!(window.shows("Open model again: /m (not there any more)"));
    window.press(Modifiers::NONE, Key::Enter);
    assert!(
        matches!(&window.commands()[..], [Command::OpenModel { spec }] if spec.path == std::path::Path::new("/m"))
    );
}

#[test]
fn what_is_on_show_is_copied_as_a_link_and_restored_from_it() {
    let mut window = opened();
    window.press(Modifiers::NONE, Key::Num2);
    window.press(Modifiers::COMMAND, Key::L);
    assert!(window.shows("Copied as link"));
    let expected =
        "bagssl:1?model=/m&data=/d&split=test&image=3&query=3:8:8&patch=8&stride=4&spaces=z,h&mode=ranks";
    assert!(window.shows(expected));
    window.press(Modifiers::NONE, Key::Num1);
    paste(&mut window, &format!("{expected}&neighbours=20"));
    let sent = window.commands();
    // Model and data are open already; the settings come before the query.
    assert!(
        matches!(&sent[..], [Command::Configure { config: sent, .. }, Command::Query { query, image: 3, .. }]
            if *sent == bagssl::engine::ExploreConfig { neighbours: 20, ..config() } && query.as_patch() == Some(patch(3, 8, 8))),
        "{sent:?}"
    );
    assert!(window.harness.query_all_by_label("ranks").count() >= 2, "the way to look is restored");
}

#[test]
fn a_link_to_other_data_waits_until_that_is_open() {
    let mut window = opened();
    paste(&mut window, "bagssl:1?data=/other&image=5&query=5:4:0&patch=8");
    let sent = window.commands();
    assert!(matches!(&sent[..], [Command::OpenData { spec, split: None }] if spec == "/other"), "{sent:?}");
    window.line.update(|shown| {
        shown.data_source = Some(Arc::new(DataSource { spec: "/other".into(), split: None }));
        shown.view = Some(Arc::new(view(0)));
        shown.query = None;
    });
    window.line.emit(Event::DataOpened);
    window.steps();
    let asked: Vec<PatchRef> = window.queries().into_iter().map(|(_, patch)| patch).collect();
    assert_eq!(asked, [patch(5, 4, 0)]);
}

#[test]
fn a_bad_link_is_told_in_words() {
    let mut window = opened();
    paste(&mut window, "bagssl:1?image=many");
    assert!(window.shows("The pasted link"));
    assert!(window.shows("expected a whole number"));
    window.click("Dismiss");
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    assert!(window.shows("Paste a link here"));
    window.harness.get_by_role_and_label(Role::TextInput, "Command").type_text("7?image=1");
    window.steps();
    assert!(window.shows("this bagssl reads version 1"));
    assert!(window.commands().is_empty());
}

#[test]
fn a_window_opens_with_a_link() {
    let (handle, line) = line(|| {});
    let link: Link = "bagssl:1?model=/m&data=/d&image=3&query=3:8:12&mode=difference".parse().unwrap();
    assert_eq!(link.look.mode, Some(MapMode::Difference));
    let options = GuiOptions { link: Some(link), ..GuiOptions::default() };
    let build = Harness::builder().with_size(vec2(SIZE[0], SIZE[1])).with_max_steps(12).wgpu();
    let mut harness = build.build_eframe(|cc| App::new(cc, handle, options));
    let sent: Vec<Command> =
        line.commands.try_iter().filter(|command| !matches!(command, Command::Train(_))).collect();
    assert!(
        matches!(&sent[..], [Command::OpenModel { spec }, Command::OpenData { spec: data, split: None }]
            if spec.path == std::path::Path::new("/m") && data == "/d"),
        "{sent:?}"
    );
    line.update(|shown| {
        shown.data = Some(Arc::new(super::gui::data()));
        shown.data_source = Some(Arc::new(DataSource { spec: "/d".into(), split: None }));
        shown.config = Some(config());
        shown.view = Some(Arc::new(view(0)));
        shown.query = Some(Arc::new(query_view(0, patch(0, 0, 0))));
    });
    line.emit(Event::DataOpened);
    harness.run_steps(4);
    let sent: Vec<Command> = line.commands.try_iter().collect();
    let asked = sent.iter().find_map(|command| match command {
        Command::Query { query, .. } => query.as_patch(),
        _ => None,
    });
    assert_eq!(asked, Some(patch(3, 8, 12)));
}

/// Turns a number one up, as a screen reader does.
pub fn increment(window: &mut Window, name: &str) {
    let node = window.harness.get_by_role_and_label(Role::SpinButton, name).accesskit_node().locate();
    window.harness.event(Input::AccessKitActionRequest(ActionRequest {
        action: accesskit::Action::Increment,
        target_node: node.0,
        target_tree: node.1,
        data: None,
    }));
    window.steps();
}

#[test]
fn a_failure_goes_once_something_else_is_asked_for() {
    let mut window = opened();
    let fail = |window: &mut Window, about: &str| {
        window.line.emit(Event::Failed { about: about.into(), message: format!("{about}: too large") });
        window.steps();
        assert!(window.shows(&format!("{about}: too large")));
    };
    fail(&mut window, "embedding patches for the galleries");
    fail(&mut window, "the query");
    fail(&mut window, "opening the model");
    increment(&mut window, "Neighbours");
    assert!(window.shows("galleries: too large") && !window.shows("the query: too large"));
    window.click("Spaces: z, h");
    window.harness.get_by_role_and_label(Role::CheckBox, "pixels").click();
    window.steps();
    window.steps();
    assert!(!window.shows("galleries: too large"));
    window.line.emit(Event::DataOpened);
    window.steps();
    assert!(window.shows("opening the model: too large"), "data opened says nothing of the model");
    window.line.emit(Event::ModelOpened);
    window.steps();
    assert!(!window.shows("opening the model: too large"));
}

#[test]
fn what_is_set_is_kept_while_the_window_is_open_and_two_windows_share_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.json");
    let open = || {
        let (handle, line) = line(|| {});
        let options = GuiOptions { settings: Some(file.clone()), ..GuiOptions::default() };
        // Half a second a frame.
        let build = Harness::builder().with_size(vec2(SIZE[0], SIZE[1])).with_step_dt(0.5).wgpu();
        (build.build_eframe(|cc| App::new(cc, handle, options)), line)
    };
    let stored = || -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(&file).unwrap_or_default()).unwrap_or_default()
    };
    let settle = |harness: &mut Harness<'_, App>, key: &str, expected: serde_json::Value| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while stored()[key] != expected {
            assert!(Instant::now() < deadline, "{key} is {} in {}", stored()[key], file.display());
            harness.run_steps(1);
        }
    };
    let ((mut one, _one), (mut other, _other)) = (open(), open());
    one.run_steps(6);
    other.run_steps(6);
    one.key_press(Key::G);
    settle(&mut one, "grid", true.into());
    one.key_press_modifiers(Modifiers::COMMAND, Key::Plus);
    one.run_steps(3);
    other.get_by_label("Got it").click();
    settle(&mut other, "hint", false.into());
    assert_eq!(stored()["grid"], true, "the other window's choice is gone");
    settle(&mut one, "grid", true.into());
    let deadline = Instant::now() + Duration::from_secs(20);
    while stored()["window"]["zoom"].as_f64().is_none_or(|zoom| (zoom - 1.1).abs() > 1e-6) {
        assert!(Instant::now() < deadline, "{}", stored());
        one.run_steps(1);
    }
    assert_eq!(stored()["hint"], false);
    let (mut again, _again) = open();
    again.run_steps(3);
    assert!((again.ctx.zoom_factor() - 1.1).abs() < 1e-6);
    assert!(again.query_by_label("Got it").is_none());
}

#[test]
fn settings_that_cannot_be_are_said_in_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.json");
    for zoom in ["0", "-1", "1e9", "0.001", "1e999", "NaN", "\"large\""] {
        std::fs::write(&file, format!("{{\n\"hint\": false,\n\"window\": {{\"zoom\": {zoom}}}\n}}")).unwrap();
        let (handle, _line) = line(|| {});
        let options = GuiOptions { settings: Some(file.clone()), ..GuiOptions::default() };
        let build = Harness::builder().with_size(vec2(SIZE[0], SIZE[1])).with_max_steps(12).wgpu();
        let mut harness = build.build_eframe(|cc| App::new(cc, handle, options));
        harness.run_steps(4);
        assert_eq!(harness.ctx.zoom_factor(), 1.0);
        assert!(harness.query_by_label("Got it").is_none(), "{zoom} cost another field");
        let said = harness.query_all_by_label_contains("settings.json.bad").count();
        assert_eq!(said, 1, "{zoom}");
        assert!(folder.path().join("settings.json.bad").is_file());
        std::fs::remove_file(folder.path().join("settings.json.bad")).unwrap();
    }
}

#[test]
fn a_query_of_several_parts_goes_through_a_link() {
    let mut window = opened();
    paste(&mut window, "bagssl:1?image=4&query=3:8:8,-4:0:2:20x12");
    let sent = window.commands();
    let [Command::Query { query, image: 4, .. }] = &sent[..] else { panic!("{sent:?}") };
    let parts: Vec<_> = query.boxes().map(|(sign, area)| (sign.factor(), area.to_string())).collect();
    let expected = [(1.0, "8 x 8 px, y 8, x 8"), (-1.0, "20 x 12 px, y 0, x 2")];
    assert_eq!(parts, expected.map(|(sign, area)| (sign, area.to_owned())));
    window.press(Modifiers::COMMAND, Key::L);
    assert!(window.shows("query=3:8:8,-4:0:2:20x12&patch=8"));
}
