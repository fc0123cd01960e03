//! The Train tab with the real engine on the CPU and tiny runs, by role and label.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use bagssl::device::DeviceChoice;
use bagssl::engine::{self, open_device};
use bagssl::gui::{App, GuiOptions, Quit};
use eframe::egui::{Key, Modifiers, Rect, ViewportCommand, ViewportEvent, ViewportId};
use eframe::egui::{accesskit::Role, pos2, vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{Harness, Node};

use crate::resume::halted;
use crate::support::{bagssl, text};

/// A window with an engine of its own.
pub struct Window {
    harness: Harness<'static, App>,
    /// As the program has it for signals.
    quit: Quit,
}

/// Few images, so that a run soon has the engine for itself.
fn few() -> &'static Path {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("Parts");
        assert!(bagssl(&["data", "synth", "--out", text(&out), "--images", "64"]).status.success());
        folder
    });
    static DATA: LazyLock<PathBuf> = LazyLock::new(|| FOLDER.path().join("Parts"));
    &DATA
}

impl Window {
    /// The Train tab, a few images open.
    fn train(size: [f32; 2]) -> Self {
        Self::train_on(size, text(few()))
    }

    /// The Train tab on some data.
    fn train_on(size: [f32; 2], data: &str) -> Self {
        let mut window = Self::open(size, data, vec![]);
        window.click("Train");
        window.until("the data set is open", |window| window.shows("epochs \u{b7}"));
        window
    }

    /// The window on some data and runs.
    pub fn open(size: [f32; 2], data: &str, runs: Vec<PathBuf>) -> Self {
        let device = open_device(DeviceChoice::Cpu).unwrap();
        let engine = engine::start(device, None, || {}).unwrap();
        let options = GuiOptions { data: data.into(), runs, ..GuiOptions::default() };
        let quit = options.quit.clone();
        let build = Harness::builder().with_size(vec2(size[0], size[1])).with_max_steps(12).wgpu();
        let harness = build.build_eframe(|cc| App::new(cc, engine, options));
        Self { harness, quit }
    }

    fn steps(&mut self) {
        self.harness.run_steps(3);
    }

    pub fn until(&mut self, what: &str, ready: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            self.steps();
            if ready(self) {
                return;
            }
            assert!(Instant::now() < deadline, "{what}: not within two minutes");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn shows(&self, text: &str) -> bool {
        self.harness.query_all_by_label_contains(text).next().is_some()
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.steps();
    }

    fn has_button(&self, label: &str) -> bool {
        self.harness.query_by_role_and_label(Role::Button, label).is_some()
    }

    /// The first field of that name: groups of settings may hold others, such as the probe's images.
    fn field<'a>(&'a self, label: &'a str) -> Node<'a> {
        self.harness.get_all_by_role_and_label(Role::TextInput, label).next().expect("at least one")
    }

    /// Replaces the text of a field.
    fn fill(&mut self, label: &str, text: &str) {
        self.field(label).focus();
        self.steps();
        self.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        self.steps();
        self.field(label).type_text(text);
        self.steps();
    }

    /// A run of `epochs` epochs of four tiny steps each, started.
    pub fn start(&mut self, out: &Path, epochs: &str) {
        for (field, value) in
            [("images", "64"), ("batch", "16"), ("width", "4"), ("projector", "16"), ("epochs", epochs)]
        {
            self.fill(field, value);
        }
        self.fill("Run folder", text(out));
        self.click("Start training");
    }

    /// Steps of the only run on the list, as its row says.
    fn step(&self) -> usize {
        let nodes = self.harness.query_all_by_label_contains("step ");
        let labels = nodes.filter_map(|node| node.accesskit_node().value().or(node.accesskit_node().label()));
        let number = |label: String| {
            let done = label.strip_prefix("step ")?.split(" / ").next()?;
            done.replace(',', "").parse().ok()
        };
        labels.filter_map(number).max().unwrap_or(0)
    }
}

/// The step of the checkpoint that the run names as its newest.
fn newest_checkpoint(run: &Path) -> usize {
    let latest = std::fs::read_to_string(run.join("latest")).unwrap();
    latest.trim().strip_prefix("step-").unwrap().parse().unwrap()
}

#[test]
fn a_run_starts_pauses_goes_on_stops_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("tiny");
    let mut window = Window::train([1280.0, 800.0]);
    assert!(window.shows("press Start training"));
    window.start(&run, "20000");
    window.until("curves", |window| window.step() >= 3 && window.shows("gradient norm"));
    for plot in ["loss", "invariance", "learning rate", "views per second"] {
        assert!(window.shows(plot), "{plot} has no plot");
    }

    window.click("Pause training");
    window.until("a pause", |window| window.has_button("Resume training"));
    window.until("the paused step is on show", |window| window.step() > 0);
    std::thread::sleep(Duration::from_secs(1));
    window.steps();
    let paused = window.step();
    std::thread::sleep(Duration::from_secs(2));
    window.steps();
    assert_eq!(window.step(), paused, "steps were done in a pause");

    window.click("Checkpoint now");
    // The row tells the newest line of metrics; the run may be a few steps further.
    window.until("a checkpoint", |_| newest_checkpoint(&run) >= paused.max(1));
    window.click("Resume training");
    window.until("steps after the pause", |window| window.step() > paused);

    window.click("Stop training");
    // The notice goes by itself, maybe before the row tells the end: it is looked for in every frame.
    let is_told = std::cell::Cell::new(false);
    window.until("the end, and a notice of it", |window| {
        is_told.set(is_told.get() || window.shows("Training stopped"));
        is_told.get() && window.shows("stopped; can be resumed")
    });
    let stopped = newest_checkpoint(&run);
    assert!(stopped > paused);

    window.until("the resume button", |window| window.has_button("Resume"));
    window.click("Resume");
    window.until("steps after the resumption", |window| window.step() > stopped);
    window.click("Stop training");
    window.until("the second end", |window| window.shows("stopped; can be resumed"));
}

#[test]
fn a_signal_closes_the_window_after_a_checkpoint_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("tiny");
    let mut window = Window::train([1280.0, 800.0]);
    window.start(&run, "20000");
    window.until("steps", |window| window.step() >= 3);
    window.quit.ask();
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut is_held = false;
    loop {
        window.harness.run_steps(1);
        let commands = window.harness.output().viewport_output[&ViewportId::ROOT].commands.clone();
        is_held |= commands.contains(&ViewportCommand::CancelClose);
        if commands.contains(&ViewportCommand::Close) {
            if is_held {
                break;
            }
            // What the shell makes of it.
            let input = window.harness.input_mut();
            input.viewports.entry(ViewportId::ROOT).or_default().events.push(ViewportEvent::Close);
        }
        assert!(Instant::now() < deadline, "it does not close");
        std::thread::sleep(Duration::from_millis(20));
    }
    let step = newest_checkpoint(&run);
    assert!(step >= 3, "the checkpoint is that of step {step}");
}

#[test]
fn a_damaged_checkpoint_is_told_and_an_older_one_is_a_click_away() {
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = halted(folder.path());
    let optimizer = out.join("step-000004/optimizer.safetensors");
    std::fs::copy(out.join("step-000002/optimizer.safetensors"), &optimizer).unwrap();
    // It was killed in its fifth step.
    let lines = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let kept: String = lines.split_inclusive('\n').take(4).collect();
    std::fs::write(out.join("metrics.jsonl"), kept).unwrap();
    // Written long ago, so that nobody seems to train it.
    let metrics = std::fs::File::options().append(true).open(out.join("metrics.jsonl")).unwrap();
    metrics.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    let mut window = Window::open([1280.0, 800.0], "demo", vec![out.clone()]);
    window.until("the tab", |window| window.harness.query_by_label("Train").is_some());
    window.click("Train");
    window.until("the run", |window| window.has_button("Resume"));
    window.click("Resume");
    window.until("the offer", |window| window.has_button("Resume from step 2"));
    assert!(window.shows("optimizer.safetensors is not the one that the checkpoint was written with"));
    window.click("Resume from step 2");
    window.until("the end", |window| window.shows("finished") && newest_checkpoint(&out) == 6);
    assert!(out.join("step-000004.aside-1").is_dir() && !window.has_button("Resume from step 2"));
}

#[test]
fn pinned_patches_show_heatmaps_and_neighbours_of_the_model_in_training() {
    let folder = tempfile::tempdir().unwrap();
    // It has held-out images.
    let mut window = Window::train_on([1280.0, 800.0], "demo");
    window.start(&folder.path().join("tiny"), "20000");
    window
        .until("heatmaps", |window| window.shows("z heatmap of image") && window.shows("h heatmap of image"));
    window.until("neighbours", |window| window.shows("z 1: cosine"));
    assert!(window.shows("held-out images of Parts"));
    window.click("Explore");
    window.until("a query", |window| window.has_button("z query"));
    window.click("Pin in Train");
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::Num2);
    window.until("the pinned query", |window| window.shows("pinned image 16"));
}

#[test]
fn a_wrong_field_says_so_where_it_stands_and_keeps_the_run_from_starting() {
    let mut window = Window::train([1280.0, 800.0]);
    window.fill("batch", "1");
    assert!(window.shows("batch is 1; expected 2 to 65,536"));
    window.fill("lr", "fast");
    assert!(window.shows("lr is \"fast\"; expected a number"));
    let start = window.harness.get_by_role_and_label(Role::Button, "Start training");
    assert!(start.accesskit_node().is_disabled());
    window.fill("batch", "64");
    window.fill("lr", "0.01");
    let start = window.harness.get_by_role_and_label(Role::Button, "Start training");
    assert!(!start.accesskit_node().is_disabled());
    assert!(!window.shows("expected"));
}

#[test]
fn a_run_of_another_process_opens_and_a_folder_without_one_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("foreign");
    let sets = ["images=64", "batch=16", "epochs=2", "model.backbone.width=4", "model.projector=[16]"];
    let mut args =
        vec!["train", "--data", "demo", "--recipe", "quick-parts", "--out", text(&run), "--log-every", "1"];
    sets.iter().for_each(|set| args.extend(["--set", *set]));
    assert!(bagssl(&args).status.success());

    let mut window = Window::train([1280.0, 800.0]);
    for (path, expected) in [(folder.path(), "is no run folder"), (run.as_path(), "step 8 / 8")] {
        window.click("Open run...");
        window.fill("Path", text(path));
        window.harness.get_by_role_and_label(Role::Button, "Open").click();
        window.until(expected, |window| window.shows(expected));
    }
    assert_eq!(window.step(), 8);
    assert!(window.shows("learning rate"));
    // Its settings can be taken for a new run.
    window.click("Use settings");
    window.steps();
    window.until("the run's batch", |window| {
        window.field("batch").accesskit_node().value().as_deref() == Some("16")
    });
}

#[test]
fn nothing_important_of_the_train_tab_is_cut() {
    for size in [[1280.0, 800.0], [1000.0, 800.0]] {
        let folder = tempfile::tempdir().unwrap();
        let mut window = Window::train(size);
        window.start(&folder.path().join("tiny"), "20000");
        window.until("curves and pins", |window| window.step() >= 3 && window.shows("z heatmap of image"));
        let screen = Rect::from_min_max(pos2(0.0, 0.0), pos2(size[0], size[1]));
        for label in [
            "Recipe",
            "Run folder",
            "Start training",
            "Pause training",
            "Checkpoint now",
            "Stop training",
            "Open run...",
            "Explore a checkpoint",
            "Smooth",
            "Whole range",
            "loss",
            "Pinned patches",
            "Unpin",
        ] {
            let found: Vec<Rect> = window.harness.query_all_by_label(label).map(|node| node.rect()).collect();
            assert!(
                found.iter().any(|rect| screen.contains_rect(*rect)),
                "{label:?} is cut at {size:?}: {found:?}"
            );
        }
    }
}
