//! A bank in the window, without the model that made it.

use std::sync::Arc;
use std::time::Duration;

use bagssl::engine::{Command, Event, ExtractionView, MemoryUse, ModelDescription};
use bagssl::progress::Progress;
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};

use crate::gui::Window;

fn without_model() -> Window {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| {
        let model = shown.model.as_deref().cloned().unwrap();
        let missing = Some("its vectors were computed by another program (imported)".into());
        shown.model = Some(Arc::new(ModelDescription { name: "imported".into(), missing, ..model }));
        shown.extraction = Some(ExtractionView {
            progress: Progress {
                what: "embedding",
                done: 40,
                total: 40,
                resumed: 40,
                unit: "images",
                elapsed: Duration::ZERO,
            },
            patches: (1960, 1960),
            kept_patches: 1960,
            patches_per_second: None,
            skipped: Arc::default(),
            copies: 0,
            paused: false,
            stopped: None,
            finished: true,
            written_by: None,
            memory: MemoryUse::default(),
        });
    });
    window.steps();
    window
}

#[test]
fn a_bank_without_its_model_says_what_it_is_and_what_needs_the_model() {
    let mut window = without_model();
    assert!(window.shows("imported \u{b7} a bank's vectors, no model \u{b7} h 128, z 64"));
    assert!(window.shows("40 / 40 images kept from before \u{b7} 1,960 patches"));
    let is_disabled =
        window.harness.get_by_role_and_label(Role::SpinButton, "Patch").accesskit_node().is_disabled();
    assert!(is_disabled, "other patches cannot be embedded");
    for view in ["Microscope", "Compare"] {
        window.click(view);
        assert!(
            window.shows("This needs the model, and a bank is open without it: its vectors were"),
            "{view}"
        );
    }
}

#[test]
fn a_bank_that_another_process_writes_says_who_and_cannot_be_paused() {
    let mut window = without_model();
    window.line.update(|shown| {
        let extraction = shown.extraction.as_mut().unwrap();
        extraction.progress.total = 60;
        extraction.patches.1 = 2940;
        (extraction.finished, extraction.written_by) = (false, Some("process 7 on elsewhere".into()));
    });
    window.steps();
    window.commands();
    assert!(window.shows("40 / 60 images \u{b7} process 7 on elsewhere is writing the bank"));
    assert!(window.harness.query_by_label("Pause").is_none());
    window.press(Modifiers::NONE, Key::P);
    window.steps();
    let asked = window.commands();
    assert!(!asked.iter().any(|command| matches!(command, Command::PauseExtraction(_))), "{asked:?}");
}

#[test]
fn a_bank_that_is_opened_is_offered_again_in_the_dialog_of_data() {
    let mut window = without_model();
    let folder = tempfile::tempdir().unwrap();
    let bank = folder.path().join("dino");
    std::fs::create_dir(&bank).unwrap();
    window.line.emit(Event::BankOpened { folder: bank.clone() });
    window.steps();
    window.commands();
    window.click("Open data...");
    window.harness.get_by_label_contains("/dino").click();
    window.steps();
    let asked = window.commands();
    assert!(
        asked.iter().any(|command| matches!(
            command, Command::OpenData { spec, .. } if spec.path() == Some(bank.as_path())
        )),
        "{asked:?}"
    );
}
