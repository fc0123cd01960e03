//! What went wrong and what was done, in words: over the lower right corner, where nothing below moves, or below
//! charts, whose values nothing may cover. What was done, and what is past, goes by itself, unless the pointer rests
//! on it; what went wrong stays until it is dismissed. Time is that of the frames, which a test sets.

use eframe::egui::{
    Align2, Area, Color32, Context, Frame, Id, Label, Layout, Margin, Order, Panel, Response, RichText,
    Stroke, Ui, vec2,
};

use crate::gui::paint::theme;
use crate::words::one_line;

/// Notices shown at a time; more are counted.
const SHOWN: usize = 3;
/// How long what was done stays, seconds.
const DONE_SECS: f64 = 8.0;
/// How long news of work that ended stays in a window that has the focus, seconds.
const NEWS_SECS: f64 = 20.0;
/// Width of a notice, points.
const WIDTH: f32 = 440.0;
/// Distance from the corner, points: above the status bar.
const DISTANCE: eframe::egui::Vec2 = vec2(-8.0, -40.0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Done,
    News,
    Warning,
    Error,
}

/// What makes a failure past, so that nobody has to dismiss it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// Nothing: it stays until it is dismissed.
    Never,
    /// A model was opened.
    Model,
    /// Data was opened.
    Data,
    /// Either was.
    Open,
    /// The patches that are embedded are others.
    Patches,
    /// Something else is looked for or at.
    Query,
    /// A figure was made.
    Figure,
    /// A run began or goes on.
    Training,
}

impl Past {
    /// Whether what waits for this is past once that has `happened`: another model or data bring other patches, and
    /// these another query.
    fn is_past_with(self, happened: Self) -> bool {
        match happened {
            Self::Never => false,
            Self::Model => !matches!(self, Self::Never | Self::Data | Self::Training),
            Self::Data => !matches!(self, Self::Never | Self::Model | Self::Training),
            Self::Open => !matches!(self, Self::Never | Self::Training),
            Self::Patches => matches!(self, Self::Patches | Self::Query),
            Self::Query | Self::Figure | Self::Training => self == happened,
        }
    }
}

#[derive(Clone, Debug)]
struct Message {
    weight: Weight,
    about: String,
    message: String,
    /// What makes it past.
    past: Past,
    /// When it goes; set when it is first drawn.
    until: Option<f64>,
}

/// The notices that were not dismissed, newest first.
#[derive(Default)]
pub struct Notices {
    list: Vec<Message>,
}

impl Notices {
    /// Says that something failed.
    pub fn error(&mut self, about: String, message: String) {
        self.error_until(Past::Never, about, message);
    }

    /// Says that something failed, until that is past.
    pub fn error_until(&mut self, past: Past, about: impl Into<String>, message: impl Into<String>) {
        self.add(Weight::Error, about.into(), message.into());
        self.list[0].past = past;
    }

    /// Something is left out; the rest goes on.
    pub fn warning(&mut self, about: String, message: String) {
        self.add(Weight::Warning, about, message);
    }

    /// Long work ended, perhaps while nobody looked: goes a while after the window has the focus.
    pub fn news(&mut self, about: &str, message: String) {
        self.add(Weight::News, about.to_owned(), message);
    }

    /// What was asked for is done: goes after a while.
    pub fn done(&mut self, about: &str, message: String) {
        self.add(Weight::Done, about.to_owned(), message);
    }

    fn add(&mut self, weight: Weight, about: String, message: String) {
        let [about, message] = [about, message].map(|words| one_line(&words).into_owned());
        let is_other = |other: &Message| (&other.about, &other.message) != (&about, &message);
        self.list.retain(is_other);
        self.list.insert(0, Message { weight, about, message, past: Past::Never, until: None });
    }

    /// Lets go of what is past now that this has happened.
    pub fn forget(&mut self, happened: Past) {
        self.list.retain(|notice| !notice.past.is_past_with(happened));
    }

    /// Lets go of the newest one.
    pub fn dismiss(&mut self) {
        if !self.list.is_empty() {
            self.list.remove(0);
        }
    }

    /// Draws the notices; nothing if there are none.
    pub fn ui(&mut self, ctx: &Context) {
        self.forget_old(ctx);
        if self.list.is_empty() {
            return;
        }
        let area =
            Area::new(Id::unique("notices")).order(Order::Middle).anchor(Align2::RIGHT_BOTTOM, DISTANCE);
        let area = area.show(ctx, |ui| {
            ui.set_width(WIDTH.min(ctx.content_rect().width() + 2.0 * DISTANCE.x));
            self.list_ui(ui);
        });
        self.stay_under_pointer(ctx, &area.response);
    }

    /// Draws the notices in a strip along the bottom of what is left of `ui`, as over charts they would cover values.
    pub fn strip_ui(&mut self, ui: &mut Ui) {
        self.forget_old(ui.ctx());
        if self.list.is_empty() {
            return;
        }
        let frame = Frame::side_top_panel(ui.style()).inner_margin(Margin::same(8));
        let strip =
            Panel::bottom("notice strip").frame(frame).resizable(false).show(ui, |ui| self.list_ui(ui));
        self.stay_under_pointer(&ui.ctx().clone(), &strip.response);
    }

    fn stay_under_pointer(&mut self, ctx: &Context, drawn: &Response) {
        if drawn.contains_pointer() {
            let until = ctx.input(|input| input.time) + DONE_SECS;
            self.list.iter_mut().filter(|notice| notice.until.is_some()).for_each(|n| n.until = Some(until));
        }
    }

    /// Lets go of what had its time, and asks for a frame when the next one has.
    fn forget_old(&mut self, ctx: &Context) {
        let (now, is_focused) = ctx.input(|input| (input.time, input.focused));
        for notice in &mut self.list {
            match notice.weight {
                Weight::Done => drop(notice.until.get_or_insert(now + DONE_SECS)),
                Weight::News if is_focused => drop(notice.until.get_or_insert(now + NEWS_SECS)),
                Weight::News | Weight::Warning | Weight::Error => {}
            }
        }
        self.list.retain(|notice| notice.until.is_none_or(|until| now < until));
        let next = self.list.iter().filter_map(|notice| notice.until).reduce(f64::min);
        if let Some(next) = next {
            ctx.request_repaint_after_secs((next - now) as f32);
        }
    }

    fn list_ui(&mut self, ui: &mut Ui) {
        let mut dismissed = None;
        for (index, notice) in self.list.iter().take(SHOWN).enumerate() {
            if notice_ui(ui, notice) {
                dismissed = Some(index);
            }
        }
        if let Some(index) = dismissed {
            self.list.remove(index);
        }
        if self.list.len() > SHOWN {
            ui.horizontal(|ui| {
                ui.label(RichText::new(format!("and {} more", self.list.len() - SHOWN)).weak());
                if ui.small_button("Dismiss all").clicked() {
                    self.list.clear();
                }
            });
        }
    }
}

/// Draws one notice; returns whether it was dismissed.
fn notice_ui(ui: &mut Ui, notice: &Message) -> bool {
    let dark = ui.visuals().dark_mode;
    let (text, fill): (Color32, Color32) = match notice.weight {
        Weight::Error => theme::error(dark),
        Weight::Warning => theme::warning(dark),
        Weight::News | Weight::Done => (ui.visuals().text_color(), ui.visuals().faint_bg_color),
    };
    // The colours are made for panels and are translucent; what is below must not show through.
    let fill = ui.visuals().window_fill.blend(fill);
    let line = Stroke::new(1.0, ui.visuals().window_stroke.color);
    let frame = Frame::new().fill(fill).stroke(line).corner_radius(4).inner_margin(Margin::symmetric(8, 4));
    let shown = frame.show(ui, |ui| {
        let dismissed = ui
            .horizontal(|ui| {
                ui.label(RichText::new(&notice.about).strong().color(text));
                let right = Layout::right_to_left(eframe::egui::Align::Center);
                ui.with_layout(right, |ui| ui.small_button("Dismiss").on_hover_text("Esc").clicked()).inner
            })
            .inner;
        ui.add(Label::new(RichText::new(&notice.message).color(text)).wrap());
        ui.take_available_width();
        dismissed
    });
    shown.inner
}

#[cfg(test)]
mod tests {
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable;

    use super::*;

    #[test]
    fn what_is_past_goes_by_itself_and_what_went_wrong_stays() {
        let mut notices = Notices::default();
        notices.news("Training stopped", "at step 30".into());
        notices.done("Figure saved", "loss.pdf".into());
        notices.error("Training".into(), "the disk is full".into());
        let draw = |ui: &mut Ui, notices: &mut Notices| {
            notices.strip_ui(ui);
            ui.label("a chart");
        };
        // A second a frame.
        let mut harness = Harness::builder().with_step_dt(1.0).build_ui_state(draw, notices);
        let shows =
            |harness: &Harness<'_, Notices>, text: &str| harness.query_by_label_contains(text).is_some();
        harness.run_steps(2);
        assert!(shows(&harness, "Training stopped") && shows(&harness, "Figure saved"));
        let below = harness.get_by_label("Training stopped").rect();
        assert!(!below.intersects(harness.get_by_label("a chart").rect()));
        harness.run_steps(DONE_SECS as usize);
        assert!(shows(&harness, "Training stopped") && !shows(&harness, "Figure saved"));
        harness.run_steps((NEWS_SECS - DONE_SECS) as usize);
        assert!(!shows(&harness, "Training stopped") && shows(&harness, "the disk is full"));
    }

    #[test]
    fn a_failure_goes_with_what_it_is_about() {
        let left = |happened: Past| {
            let mut notices = Notices::default();
            for past in [
                Past::Never,
                Past::Model,
                Past::Data,
                Past::Open,
                Past::Patches,
                Past::Query,
                Past::Figure,
                Past::Training,
            ] {
                notices.error_until(past, format!("{past:?}"), "failed");
            }
            notices.forget(happened);
            let mut left: Vec<_> = notices.list.iter().map(|notice| notice.past).collect();
            left.reverse();
            left
        };
        assert_eq!(left(Past::Model), [Past::Never, Past::Data, Past::Training]);
        assert_eq!(left(Past::Data), [Past::Never, Past::Model, Past::Training]);
        assert!(!left(Past::Patches).contains(&Past::Patches) && !left(Past::Patches).contains(&Past::Query));
        assert_eq!(left(Past::Patches).len(), 6);
        for one in [Past::Query, Past::Figure, Past::Training] {
            assert!(!left(one).contains(&one) && left(one).len() == 7, "{one:?}");
        }
    }

    #[test]
    fn news_waits_for_a_window_that_has_the_focus() {
        let draw = |ui: &mut Ui, notices: &mut Notices| notices.strip_ui(ui);
        let build = Harness::builder().with_step_dt(1.0);
        let mut harness = build.build_ui_state(draw, Notices::default());
        harness.input_mut().focused = false;
        harness.state_mut().news("Training finished", "at step 30".into());
        harness.run_steps(3 * NEWS_SECS as usize);
        assert!(harness.query_by_label("Training finished").is_some());
        harness.input_mut().focused = true;
        harness.run_steps(NEWS_SECS as usize + 2);
        assert!(harness.query_by_label("Training finished").is_none());
    }
}
