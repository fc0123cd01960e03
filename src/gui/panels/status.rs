//! The line at the bottom: long work, what was skipped, and the device.

use eframe::egui::{Align, Layout, ProgressBar, RichText, ScrollArea, Ui};

use crate::engine::{
    Command, ExtractionView, LINK_SILENCE, LinkPhase, LinkView, MemoryUse, Skipped, Snapshot,
};

use crate::gui::desk::Desk;
use crate::gui::nouns::actions::{Action, keys_of};
use crate::gui::nouns::text::{count, tail, thousands, wait};
use crate::words::sample_words;

/// Files listed in the tooltip of the skipped ones.
const LISTED: usize = 40;

/// A window narrower than this scrolls the line sideways, points.
const NARROW: f32 = 900.0;

/// Draws the status line.
pub fn status_ui(ui: &mut Ui, desk: &mut Desk) {
    let snapshot = desk.session.snapshot().clone();
    if ui.available_width() < NARROW {
        ScrollArea::horizontal().auto_shrink(false).show(ui, |ui| {
            ui.horizontal_centered(|ui| {
                work_ui(ui, desk, &snapshot);
                device_ui(ui, desk, &snapshot);
            });
        });
        return;
    }
    ui.horizontal_centered(|ui| {
        work_ui(ui, desk, &snapshot);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| device_ui(ui, desk, &snapshot));
    });
}

/// How the line to the other machine stands.
fn link_ui(ui: &mut Ui, desk: &Desk, link: &LinkView) {
    let is_down = matches!(link.phase, LinkPhase::Lost { .. } | LinkPhase::Refused { .. });
    if is_down && ui.small_button("Connect").on_hover_text("Opens the line again now.").clicked() {
        desk.session.send(Command::Reconnect);
    }
    let LinkView { host, phase, round_trip, received, sent } = link;
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let warn = ui.visuals().warn_fg_color;
    let label = match phase {
        LinkPhase::Connecting => ui.weak(format!("connecting to {host}...")),
        LinkPhase::Connected => {
            let time = round_trip
                .map_or(String::new(), |time| format!(" \u{b7} {:.0} ms", 1000.0 * time.as_secs_f64()));
            ui.label(format!("on {host}{time} \u{b7} {}", mib(*received)))
        }
        LinkPhase::Quiet { secs } => {
            ui.colored_label(warn, format!("nothing from {host} for {secs} of {} s", LINK_SILENCE.as_secs()))
        }
        LinkPhase::Lost { again, .. } => {
            ui.colored_label(warn, format!("{host} is out of reach; again in {} s", again.as_secs()))
        }
        LinkPhase::Refused { .. } => ui.colored_label(warn, format!("not connected to {host}")),
    };
    label.on_hover_text(match phase {
        LinkPhase::Lost { why, .. } | LinkPhase::Refused { why } => why.clone(),
        LinkPhase::Quiet { .. } => format!(
            "Every second an answer is asked for, and none comes. After {} s the line is closed and opened again, and what \
             is open with it.",
            LINK_SILENCE.as_secs()
        ),
        _ => format!(
            "Models, data, banks and runs are those of {host}, and so are paths; figures are written there. {} came, {} \
             went; the time is that of a question and its answer. Pictures of more than a megapixel arrive with fewer \
             pixels, for the screen only.",
            mib(*received),
            mib(*sent)
        ),
    });
}

fn device_ui(ui: &mut Ui, desk: &Desk, snapshot: &Snapshot) {
    if let Some(link) = &snapshot.link {
        link_ui(ui, desk, link);
    }
    match &snapshot.device {
        Some(device) => drop(
            ui.label(format!("{}: {}", device.kind, tail(&device.name, 48))).on_hover_text(&device.reason),
        ),
        None => drop(ui.weak("choosing a device...")),
    }
}

/// What is being done, what it takes, and what was left out.
fn work_ui(ui: &mut Ui, desk: &mut Desk, snapshot: &Snapshot) {
    if let Some(extraction) = &snapshot.extraction {
        extraction_ui(ui, desk, extraction);
        memory_ui(ui, &extraction.memory);
    }
    let in_data = snapshot.data.as_ref().map_or(&[][..], |data| &data.skipped);
    let later = snapshot.extraction.as_ref().map_or(&[][..], |extraction| &extraction.skipped);
    skipped_ui(ui, in_data, later);
    if let Some(busy) = &snapshot.busy {
        ui.label(format!("{busy}..."));
    }
}

fn extraction_ui(ui: &mut Ui, desk: &mut Desk, extraction: &ExtractionView) {
    let progress = &extraction.progress;
    let images = format!(
        "{} / {} {}",
        thousands(progress.done as usize),
        thousands(progress.total as usize),
        progress.unit
    );
    let explanation = "Embeds the patches that the galleries search; what is done is searched meanwhile. Vectors that are kept \
                       from before, in a bank or in the cache (\"Kept vectors\" among all commands), are not computed again.";
    if extraction.finished {
        let patches = count(extraction.patches.0, "patch");
        let kept = |number: usize| format!("{} of them kept from before", thousands(number));
        let text = match (progress.resumed, extraction.kept_patches) {
            (0, 0) => format!("embedded {images} \u{b7} {patches}"),
            (0, known) => format!("embedded {images} \u{b7} {patches}, {}", kept(known)),
            (known, _) if known >= progress.total => format!("{images} kept from before \u{b7} {patches}"),
            (known, _) => format!("embedded {images}, {} \u{b7} {patches}", kept(known as usize)),
        };
        ui.label(RichText::new(text).weak()).on_hover_text(explanation);
        return;
    }
    let fraction = progress.fraction();
    ui.add(ProgressBar::new(fraction).desired_width(96.0).desired_height(8.0))
        .on_hover_text(format!("{:.0} %", 100.0 * fraction));
    if let Some(writer) = &extraction.written_by {
        ui.label(format!("{images} \u{b7} {writer} is writing the bank")).on_hover_text(
            "What it adds is searched as it comes, every few seconds. If it ends early, the rest is embedded here, where the \
             bank's model is open.",
        );
        return;
    }
    let kept = match (progress.resumed, extraction.kept_patches) {
        (0, 0) => String::new(),
        (0, known) => format!(" \u{b7} {} kept", count(known, "patch")),
        (known, _) => format!(", {} kept", thousands(known as usize)),
    };
    ui.label(format!("{} {images}{kept}{}", progress.what, rate_text(extraction))).on_hover_text(explanation);
    if let Some(why) = &extraction.stopped {
        let color = ui.visuals().warn_fg_color;
        ui.colored_label(color, format!("stopped: {}", tail(why, 60))).on_hover_text(&**why);
    }
    let text = match (&extraction.stopped, extraction.paused) {
        (Some(_), _) => "Try again",
        (None, true) => "Resume",
        (None, false) => "Pause",
    };
    if ui.small_button(text).on_hover_text(keys_of(ui.ctx(), Action::PauseExtraction)).clicked() {
        desk.todo.push(Action::PauseExtraction);
    }
}

/// What the vectors take of what they may, and which images had no room.
fn memory_ui(ui: &mut Ui, memory: &MemoryUse) {
    if memory.most_bytes == 0 {
        return;
    }
    let gib = |bytes: u64| format!("{:.2}", bytes as f64 / f64::from(1 << 30));
    ui.weak(format!("vectors {} of {} GiB memory", gib(memory.bytes), gib(memory.most_bytes))).on_hover_text(
        "Memory of the vectors that the galleries search, once all are there, and the most that they may take: \
         17 of 32 parts of the budget (half of the free memory when the program started, or --memory).",
    );
    if memory.images < memory.wanted_images {
        let wanted = count(memory.wanted_images, "image");
        let text = format!("{}: memory", sample_words(memory.images, memory.wanted_images, 0));
        ui.colored_label(ui.visuals().warn_fg_color, text).on_hover_text(format!(
            "The patches of all {wanted} would take {} GiB. Choose a larger search stride or fewer spaces, or start \
             bagssl with more --memory.",
            gib(memory.wanted_bytes)
        ));
    }
}

/// " · 1,840 patches/s · 2 min left", as far as it is known and goes on.
fn rate_text(extraction: &ExtractionView) -> String {
    if extraction.stopped.is_some() {
        return String::new();
    }
    if extraction.paused {
        return " \u{b7} paused".to_owned();
    }
    let mut text = String::new();
    if let Some(rate) = extraction.patches_per_second {
        text += &format!(" \u{b7} {} patches/s", thousands(rate.round() as usize));
    }
    if let Some(left) = extraction.progress.remaining() {
        text += &format!(" \u{b7} {} left", wait(left));
    }
    text
}

/// How many files were skipped when the data set was opened and later on; the tooltip names the first.
fn skipped_ui(ui: &mut Ui, in_data: &[Skipped], later: &[Skipped]) {
    let number = in_data.len() + later.len();
    if number == 0 {
        return;
    }
    let color = ui.visuals().warn_fg_color;
    let label = ui.colored_label(color, format!("{} skipped", count(number, "file")));
    label.on_hover_ui(|ui| {
        ui.set_max_width(480.0);
        ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
            for skip in in_data.iter().chain(later).take(LISTED) {
                ui.label(format!("{}: {}", tail(&skip.file, 60), skip.reason));
            }
            if number > LISTED {
                ui.weak(format!("and {} more", thousands(number - LISTED)));
            }
        });
    });
}
