//! What is kept of what was embedded, in the window: what it takes, what it may take, clearing it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bagssl::bank::VectorCache;
use bagssl::engine::{EngineLine, line};
use bagssl::gui::{App, GuiOptions};
use eframe::egui::accesskit::{self, ActionRequest, Role};
use eframe::egui::{Event as Input, Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};

const GIB: u64 = 1 << 30;

struct Window {
    harness: Harness<'static, App>,
    cache: VectorCache,
    _line: EngineLine,
}

impl Window {
    /// With its dialog about vectors open; `told` is what the command line says.
    fn open(folder: &Path, told: Option<u64>) -> Self {
        let (handle, line) = line(|| {});
        let cache =
            VectorCache::new(folder.join("vectors"), told.unwrap_or(VectorCache::USUAL_BYTES)).leaving(0);
        let options = GuiOptions {
            settings: Some(folder.join("settings.json")),
            cache: Some(cache.clone()),
            is_cache_told: told.is_some(),
            ..GuiOptions::default()
        };
        // Half a second a frame.
        let build = Harness::builder().with_size(vec2(1280.0, 800.0)).with_step_dt(0.5).wgpu();
        let harness = build.build_eframe(|cc| App::new(cc, handle, options));
        let mut window = Self { harness, cache, _line: line };
        window.press(Modifiers::COMMAND, Key::P);
        window.harness.get_by_role_and_label(Role::TextInput, "Command").type_text("kept vectors");
        window.steps();
        window.press(Modifiers::NONE, Key::Enter);
        window
    }

    fn steps(&mut self) {
        self.harness.run_steps(4);
    }

    fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.steps();
    }

    fn shows(&self, text: &str) -> bool {
        self.harness.query_all_by_label_contains(text).next().is_some()
    }

    /// Found out on another thread.
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{what}");
            self.steps();
        }
    }

    /// Sets what they may take, as a screen reader does.
    fn set_limit(&mut self, gib: f64) {
        let node = self.harness.get_by_role_and_label(Role::SpinButton, "at most").accesskit_node().locate();
        self.harness.event(Input::AccessKitActionRequest(ActionRequest {
            action: accesskit::Action::SetValue,
            target_node: node.0,
            target_tree: node.1,
            data: Some(accesskit::ActionData::NumericValue(gib)),
        }));
        self.steps();
    }
}

/// What looks like a bank of the cache, of 2 MiB.
fn bank(folder: &Path) -> PathBuf {
    let bank = folder.join("vectors").join(format!("{}-{}", "a".repeat(24), "b".repeat(12)));
    fs::create_dir_all(&bank).unwrap();
    fs::write(bank.join("h.f16"), vec![1; 2 << 20]).unwrap();
    fs::write(bank.join("bank.json"), "{}").unwrap();
    bank
}

fn stored(folder: &Path) -> serde_json::Value {
    let text = fs::read(folder.join("settings.json")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

#[test]
fn kept_vectors_are_counted_limited_and_cleared_in_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    let mut window = Window::open(folder.path(), None);
    assert_eq!(window.cache.most_bytes(), 10 * GIB);
    window.until("what is there is told", |window| window.shows("2.0 MiB in 1 bank"));
    window.set_limit(0.5);
    assert_eq!(window.cache.most_bytes(), GIB / 2);
    let of_file = |key: &str| stored(folder.path())[key].as_f64();
    window.until("the limit is kept", |_| of_file("kept_vectors_gib") == Some(0.5));

    window.set_limit(0.0);
    assert!(window.shows("Off: no vectors are kept") && window.cache.most_bytes() == 0);
    window.harness.get_by_role_and_label(Role::Button, "Close").click();
    window.steps();
    assert!(!window.shows("Off: no vectors") && bank.is_dir(), "what is there stays until it is cleared");
    drop(window);

    let mut window = Window::open(folder.path(), None);
    window.until("off at the next start too", |window| window.cache.most_bytes() == 0);
    window.until("what is there is told", |window| window.shows("in 1 bank"));
    window.harness.get_by_role_and_label(Role::Button, "Clear").click();
    window.until("it is cleared", |window| {
        window.shows("2.0 MiB removed.") && window.shows("0.0 MiB in 0 banks")
    });
    assert!(!bank.exists());
}

#[test]
fn what_the_command_line_says_of_kept_vectors_holds_for_that_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = Window::open(folder.path(), Some(3 * GIB));
    assert!(window.shows("This start was told --cache-size 3.00"));
    window.set_limit(7.0);
    assert_eq!(window.cache.most_bytes(), 3 * GIB);
    window.until("it is kept for the next start", |_| stored(folder.path())["kept_vectors_gib"] == 7.0);
    drop(window);
    let window = Window::open(folder.path(), None);
    assert_eq!(window.cache.most_bytes(), 7 * GIB);
    assert!(!window.shows("This start was told"));
}
