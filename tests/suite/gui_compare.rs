//! Two models beside each other in the window: by role and label with the engine's part played, and once with
//! the real engine over a tiny run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bagssl::device::DeviceChoice;
use bagssl::engine::{
    self, Command, CompareCommand, CompareView, ComparedGalleries, ExtractionView, KeptView, OtherView,
    Overlap, open_device,
};
use bagssl::gui::{App, GuiOptions};
use bagssl::progress::Progress;
use eframe::egui::{Event as Input, Key, Modifiers, Rect, accesskit::Role, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

use super::compare::tiny_run;
use super::gui::{Window, gallery_view, patch, query_view};
use super::support::text;

/// B's maps of the query at `step`.
fn other(step: u64) -> OtherView {
    let query = query_view(0, patch(3, 8, 8));
    OtherView {
        step: Some(step),
        arch: "ResNet-18/16".into(),
        input: 24,
        hash: "fedcba9876543210".into(),
        generation: 0,
        query_id: 0,
        query: query.query,
        image: 3,
        total: query.maps[0].values.len(),
        known: query.known,
        maps: query.maps,
        missing: vec![],
    }
}

/// Galleries whose second half is another one under B.
fn galleries(step: u64) -> ComparedGalleries {
    let a = gallery_view(0, patch(3, 8, 8));
    let mut b = a.clone();
    for gallery in &mut b.spaces {
        gallery.neighbours.iter_mut().skip(60).for_each(|hit| hit.patch.y = 24);
    }
    let overlap = |common| Overlap { k: 119, common, candidates: 1_204 };
    ComparedGalleries {
        step: Some(step),
        generation: 0,
        a: Arc::new(a),
        b: Arc::new(b),
        overlaps: vec![("z".into(), overlap(60)), ("h".into(), overlap(30))],
        images: (12, 40),
    }
}

fn extraction(done: u64) -> ExtractionView {
    ExtractionView {
        progress: Progress {
            what: "embedding",
            done,
            total: 40,
            resumed: 0,
            unit: "images",
            elapsed: Duration::from_secs(1),
        },
        patches: (done as usize * 49, 40 * 49),
        kept_patches: 0,
        patches_per_second: None,
        skipped: Arc::default(),
        stopped: None,
        copies: 0,
        paused: false,
        finished: done == 40,
        written_by: None,
        memory: Default::default(),
    }
}

/// A comparison with the run "tiny", of which `step` is wanted and all there.
fn compared(step: u64) -> CompareView {
    CompareView {
        number: 1,
        name: "tiny".into(),
        run: Some("/runs/tiny".into()),
        steps: Arc::new(vec![0, 8, 16]),
        wanted: Some(step),
        other: Some(Arc::new(other(step))),
        galleries: Some(Arc::new(galleries(step))),
        extraction: Some(extraction(40)),
        kept: KeptView { steps: vec![step], bytes: 5 << 20, budget: 512 << 20 },
        images: 40,
        paused: false,
        error: None,
    }
}

fn show(window: &mut Window, compare: CompareView) {
    window.line.update(|shown| shown.views.compare = Some(Arc::new(compare)));
    window.steps();
}

/// The Compare view with step 8 of a run as B.
pub fn with_compare(size: [f32; 2]) -> Window {
    let mut window = Window::with_query(size);
    window.press(Modifiers::NONE, Key::Num7);
    show(&mut window, compared(8));
    window.commands();
    window
}

/// What was asked of the comparison since the last call.
fn asked(window: &Window) -> Vec<CompareCommand> {
    let command = |command| match command {
        Command::Compare(command) => Some(command),
        _ => None,
    };
    window.commands().into_iter().filter_map(command).collect()
}

fn scrubbed(window: &Window) -> Vec<u64> {
    let step = |command| match command {
        CompareCommand::ScrubTo { step } => Some(step),
        _ => None,
    };
    asked(window).into_iter().filter_map(step).collect()
}

#[test]
fn without_a_second_model_the_view_offers_the_ways_to_one() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.click("Compare");
    assert!(matches!(asked(&window)[..], [CompareCommand::Show(true)]));
    window.click("Open a model or a run to compare with...");
    window.harness.get_by_role_and_label(Role::TextInput, "Path").type_text("/runs/tiny");
    window.steps();
    window.harness.get_by_role_and_label(Role::Button, "Open").click();
    window.steps();
    let opened = asked(&window);
    assert!(
        matches!(&opened[..], [CompareCommand::OpenOther { spec }] if spec.path == std::path::Path::new("/runs/tiny")),
        "{opened:?}"
    );
    window.click("Maps");
    assert!(matches!(asked(&window)[..], [CompareCommand::Show(false)]), "nothing is computed unseen");
}

#[test]
fn maps_and_galleries_of_both_models_stand_side_by_side_with_what_they_share() {
    let mut window = with_compare([1280.0, 800.0]);
    for label in ["z A heatmap", "z B heatmap", "h A heatmap", "h B heatmap", "image"] {
        assert!(window.harness.query_by_label(label).is_some(), "{label}");
    }
    assert!(window.shows("z overlap@119 0.50"));
    assert!(window.shows("by chance 0.10 \u{b7} over 1,204 of 1,960 patches"));
    // The first 60 are in both lists, the others in none but their own.
    assert!(window.shows("A z neighbour 1: cosine 1.000, car, same class, in both"));
    assert!(window.shows("B h neighbour 60: cosine 0.705, car, same image, in both"));
    let lone = window.harness.get_by_label_contains("B h neighbour 61:");
    assert!(!lone.accesskit_node().label().unwrap().contains("in both"));
    // A click on any map makes a query, on a neighbour goes there.
    window.click("h B heatmap");
    let queries = |window: &Window| {
        let query = |command: &Command| matches!(command, Command::Query { .. });
        window.commands().iter().filter(|command| query(command)).count()
    };
    assert_eq!(queries(&window), 1);
    window.click("B z neighbour 2: cosine 0.995, car, other class, in both");
    assert_eq!(queries(&window), 1);
}

#[test]
fn checkpoints_are_scrubbed_by_keys_and_buttons() {
    let mut window = with_compare([1280.0, 800.0]);
    assert!(window.shows("step 8 of 16"));
    window.press(Modifiers::NONE, Key::Period);
    assert_eq!(scrubbed(&window), [16]);
    assert!(window.shows("step 16 of 16"), "the bar moves at once");
    // Arrows move the checkpoint now, until a map is clicked.
    window.press(Modifiers::NONE, Key::ArrowLeft);
    assert_eq!(scrubbed(&window), [8]);
    window.click("z A heatmap");
    window.commands();
    window.press(Modifiers::NONE, Key::ArrowLeft);
    assert!(matches!(window.commands()[..], [Command::Query { .. }]));
    window.click("Previous checkpoint");
    assert_eq!(scrubbed(&window), [0]);
    window.click("Previous checkpoint");
    assert!(scrubbed(&window).is_empty(), "there is none before the first");
}

#[test]
fn playing_waits_for_each_checkpoint_and_ends_at_the_last() {
    let mut window = with_compare([1280.0, 800.0]);
    window.harness.key_press(Key::Space);
    window.harness.run_steps(60);
    assert!(matches!(
        asked(&window)[..],
        [CompareCommand::Ahead(true), CompareCommand::ScrubTo { step: 16 }]
    ));
    // Not computed yet: it waits.
    show(&mut window, CompareView { wanted: Some(16), ..compared(8) });
    window.harness.run_steps(60);
    assert!(asked(&window).is_empty());
    assert!(window.shows("step 16 is being computed; the maps are still those of step 8."));
    show(&mut window, compared(16));
    window.harness.run_steps(60);
    assert!(matches!(asked(&window)[..], [CompareCommand::Ahead(false)]), "the last one ends it");
    assert!(window.harness.query_by_role_and_label(Role::Button, "Play").is_some());
}

#[test]
fn what_is_still_to_come_and_what_is_wrong_stand_in_the_view() {
    let mut window = with_compare([1280.0, 800.0]);
    let half = CompareView { extraction: Some(extraction(12)), ..compared(8) };
    show(&mut window, CompareView { galleries: Some(Arc::new(galleries(0))), ..half });
    assert!(window.shows("step 8: 12 of 40 images embedded; the galleries are still those of step 0."));
    window.click("Pause B");
    assert!(matches!(asked(&window)[..], [CompareCommand::Pause(true)]));
    let error = "Step 16 of tiny cannot be used: no weights. Choose another step, or another model.";
    show(&mut window, CompareView { wanted: Some(16), error: Some(error.into()), ..compared(8) });
    assert!(window.shows(error));
    assert!(window.harness.query_by_label("h B heatmap").is_some(), "the last one stays");
    show(&mut window, {
        let other = OtherView { maps: vec![other(8).maps[1].clone()], missing: vec!["z".into()], ..other(8) };
        CompareView { other: Some(Arc::new(other)), ..compared(8) }
    });
    assert!(window.shows("B has no space z."));
    window.click("Close B");
    assert!(matches!(asked(&window)[..], [CompareCommand::CloseOther]));
}

/// A number that was dragged went back in each frame, and was never asked for.
#[test]
fn images_of_b_are_asked_for_once_they_are_typed_or_let_go() {
    let mut window = with_compare([1280.0, 800.0]);
    show(&mut window, CompareView { images: 20, ..compared(8) });
    let field = |window: &Window| window.harness.get_by_role_and_label(Role::SpinButton, "Search").rect();
    let images = |window: &Window| -> Vec<usize> {
        let images = |command| match command {
            CompareCommand::Images(images) => Some(images),
            _ => None,
        };
        asked(window).into_iter().filter_map(images).collect()
    };
    window.harness.get_by_role_and_label(Role::SpinButton, "Search").focus();
    window.steps();
    for key in ["1", "2"] {
        window.harness.event(Input::Text(key.into()));
        window.steps();
    }
    assert!(images(&window).is_empty(), "half of a number is none");
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(images(&window), [12]);

    show(&mut window, CompareView { images: 12, ..compared(8) });
    let from = field(&window).center();
    window.harness.hover_at(from);
    window.harness.drag_at(from);
    window.steps();
    for by in [8.0, 16.0] {
        window.harness.hover_at(from + vec2(by, 0.0));
        window.steps();
    }
    assert!(images(&window).is_empty(), "it is still held");
    window.harness.drop_at(from + vec2(16.0, 0.0));
    window.steps();
    let dragged = images(&window);
    assert!(matches!(dragged[..], [images] if images > 12), "{dragged:?}");
}

#[test]
fn a_comparison_is_not_cut_at_the_sizes_that_the_window_promises() {
    for size in [[1280.0, 800.0], [1000.0, 800.0]] {
        let window = with_compare(size);
        let screen = Rect::from_min_max(pos2(0.0, 0.0), pos2(size[0], size[1]));
        let labels =
            ["Play", "Next checkpoint", "Checkpoint", "z A heatmap", "h B heatmap", "Close B", "image"];
        let cell = "B h neighbour 119: cosine 0.410, car, other class";
        for label in labels.into_iter().chain([cell]) {
            let found: Vec<Rect> = window.harness.query_all_by_label(label).map(|node| node.rect()).collect();
            assert!(!found.is_empty(), "{label:?} is missing at {size:?}");
            assert!(found.iter().all(|rect| screen.contains_rect(*rect)), "{label:?} at {size:?}: {found:?}");
        }
    }
}

#[test]
fn a_run_is_opened_scrubbed_and_played_with_its_curves() {
    let folder = tempfile::tempdir().unwrap();
    let run = tiny_run(folder.path());
    let engine = engine::start(open_device(DeviceChoice::Cpu).unwrap(), None, || {}).unwrap();
    let options = GuiOptions::default();
    let build = Harness::builder().with_size(vec2(1280.0, 800.0)).with_max_steps(12).wgpu();
    let mut harness = build.build_eframe(|cc| App::new(cc, engine, options));
    let until = |harness: &mut Harness<'static, App>, text: &str| {
        let deadline = Instant::now() + Duration::from_secs(120);
        while harness.query_all_by_label_contains(text).next().is_none() {
            assert!(Instant::now() < deadline, "{text:?} did not come");
            std::thread::sleep(Duration::from_millis(20));
            harness.run_steps(3);
        }
    };
    until(&mut harness, "z query");
    harness.key_press(Key::Num7);
    harness.run_steps(3);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    harness.run_steps(3);
    harness.get_by_role_and_label(Role::TextInput, "Path").type_text(text(&run));
    harness.run_steps(3);
    harness.get_by_role_and_label(Role::Button, "Open").click();
    until(&mut harness, "step 4 of 4");
    until(&mut harness, "h overlap@");
    until(&mut harness, "loss");
    harness.key_press(Key::Comma);
    until(&mut harness, "B step 2");
    harness.key_press(Key::Comma);
    until(&mut harness, "B step 0");
    harness.key_press(Key::Space);
    until(&mut harness, "B step 4");
    until(&mut harness, "3 of 3 computed");
}
