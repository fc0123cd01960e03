//! The slider over a run's kept checkpoints, with play.

use eframe::egui::{Key, Response, RichText, Slider, Ui};

use crate::engine::{Command, CompareCommand, CompareView};
use crate::gui::desk::Desk;
use crate::gui::nouns::actions::{Action, keys_of};
use crate::gui::nouns::text::thousands;

/// How long a checkpoint stays on show while playing, seconds, once it is computed.
const HOLD_SECS: f64 = 0.6;

/// Whether the checkpoints play, and since when the one on show is complete.
#[derive(Default)]
pub struct Scrub {
    is_playing: bool,
    complete_since: Option<f64>,
    /// The step that was asked for last, until the engine has taken note of it.
    asked: Option<u64>,
    /// Whether the arrow keys move the checkpoint and not the query: from its use on, until a map is clicked.
    has_arrows: bool,
}

impl Scrub {
    /// The checkpoint that is wanted, whether the engine knows it yet or not.
    pub fn wanted(&self, compare: &CompareView) -> Option<u64> {
        self.asked.filter(|step| compare.steps.contains(step)).or(compare.wanted)
    }

    /// Asks for the checkpoint of `step`.
    pub fn go_to(&mut self, desk: &Desk, step: u64) {
        self.asked = Some(step);
        self.complete_since = None;
        self.has_arrows = true;
        desk.session.send(Command::Compare(CompareCommand::ScrubTo { step }));
    }

    /// Moves by so many checkpoints. Returns whether there was one.
    pub fn step_by(&mut self, desk: &Desk, compare: &CompareView, by: isize) -> bool {
        let wanted = self.wanted(compare);
        let Some(at) = compare.steps.iter().position(|step| Some(*step) == wanted) else { return false };
        let Some(step) = at.checked_add_signed(by).and_then(|at| compare.steps.get(at)) else { return false };
        self.go_to(desk, *step);
        true
    }

    /// Plays on from the checkpoint on show, or from the first after the last; or stops.
    pub fn play(&mut self, desk: &Desk, compare: &CompareView) {
        let is_last = self.wanted(compare) == compare.steps.last().copied();
        if let (false, true, Some(first)) = (self.is_playing, is_last, compare.steps.first()) {
            self.go_to(desk, *first);
        }
        self.set_playing(desk, !self.is_playing);
        self.has_arrows = true;
    }

    /// Whether the arrow keys move the checkpoint.
    pub fn has_arrows(&self) -> bool {
        self.has_arrows
    }

    /// The arrow keys move the query again.
    pub fn leave_arrows(&mut self) {
        self.has_arrows = false;
    }

    fn set_playing(&mut self, desk: &Desk, is_playing: bool) {
        if self.is_playing != is_playing {
            self.is_playing = is_playing;
            self.complete_since = None;
            desk.session.send(Command::Compare(CompareCommand::Ahead(is_playing)));
        }
    }

    /// Stops, as when the comparison is left.
    pub fn stop(&mut self, desk: &Desk) {
        self.set_playing(desk, false);
    }

    /// While playing, goes on once the checkpoint on show is complete and was seen for a moment. One that
    /// cannot be read is passed over.
    pub fn advance(&mut self, ui: &Ui, desk: &Desk, compare: &CompareView) {
        if self.asked.is_some() && self.asked == compare.wanted {
            self.asked = None;
        }
        if !self.is_playing {
            return;
        }
        if self.asked.is_some() || !(is_complete(compare) || compare.error.is_some()) {
            self.complete_since = None;
            return;
        }
        let now = ui.input(|input| input.time);
        let left = *self.complete_since.get_or_insert(now) + HOLD_SECS - now;
        if left > 0.0 {
            ui.ctx().request_repaint_after_secs(left as f32);
        } else if !self.step_by(desk, compare, 1) {
            self.set_playing(desk, false);
        }
    }

    /// Draws the bar.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, compare: &CompareView) {
        let play = if self.is_playing { "Pause" } else { "Play" };
        for (text, name, action) in [
            ("<", "Previous checkpoint", Action::PreviousCheckpoint),
            (play, play, Action::PlayCheckpoints),
            (">", "Next checkpoint", Action::NextCheckpoint),
        ] {
            let button = ui.button(text).on_hover_text(format!("{name} ({})", keys_of(ui.ctx(), action)));
            if button.accessible_name(name).clicked() {
                desk.todo.push(action);
            }
        }
        let last = compare.steps.len().saturating_sub(1);
        let wanted = self.wanted(compare);
        let now = compare.steps.iter().position(|step| Some(*step) == wanted).unwrap_or(last);
        let mut place = now;
        let total = compare.steps.last().copied().unwrap_or_default();
        let text = format!("step {} of {}", thousands(wanted.unwrap_or_default()), thousands(total));
        ui.spacing_mut().slider_width = (ui.available_width() - 260.0).clamp(80.0, 420.0);
        let slider = ui.add(Slider::new(&mut place, 0..=last).show_value(false));
        let slider = slider.accessible_name("Checkpoint").on_hover_text(
            "The run's kept checkpoints. Once it was moved the left and right arrow keys move it by one, until a map \
             is clicked; Space plays.",
        );
        if place != now {
            self.set_playing(desk, false);
            self.go_to(desk, compare.steps[place]);
        }
        self.keys(ui, desk, &slider);
        ui.label(RichText::new(text).strong()).on_hover_text("Training steps of the checkpoint.");
        let mib = |bytes: u64| thousands(bytes >> 20);
        ui.weak(format!("{} of {} computed", compare.kept.steps.len(), compare.steps.len())).on_hover_text(
            format!(
                "Checkpoints whose map and patches are all known: they are shown at once. Weights and vectors take \
                 {} of at most {} MiB; those that were not looked at for longest go first.",
                mib(compare.kept.bytes),
                mib(compare.kept.budget)
            ),
        );
    }

    /// A slider that has the focus takes the keys from the window; those of the bar go on working.
    fn keys(&self, ui: &Ui, desk: &mut Desk, slider: &Response) {
        if !slider.has_focus() {
            return;
        }
        for (key, action) in [
            (Key::Space, Action::PlayCheckpoints),
            (Key::Comma, Action::PreviousCheckpoint),
            (Key::Period, Action::NextCheckpoint),
        ] {
            if ui.input(|input| input.key_pressed(key)) {
                desk.todo.push(action);
            }
        }
    }
}

/// Whether map and galleries of the wanted checkpoint are all there.
fn is_complete(compare: &CompareView) -> bool {
    let other = compare.other.as_ref().is_some_and(|other| {
        other.step == compare.wanted && (other.known == other.total || other.total == 0)
    });
    let extracted = compare.extraction.as_ref().is_none_or(|extraction| extraction.finished);
    let galleries = compare.galleries.as_ref().is_some_and(|galleries| galleries.step == compare.wanted);
    other && extracted && galleries
}
