//! What went wrong and what was done, in words, at the top of the window until dismissed.

use eframe::egui::{Color32, Frame, Label, Margin, RichText, Ui};

use super::theme;

/// Notices shown at a time; more are counted.
const SHOWN: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Done,
    Warning,
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Notice {
    weight: Weight,
    about: String,
    message: String,
}

/// The notices that were not dismissed, newest first.
#[derive(Default)]
pub struct Notices {
    list: Vec<Notice>,
}

impl Notices {
    pub fn error(&mut self, about: String, message: String) {
        self.add(Notice { weight: Weight::Error, about, message });
    }

    /// Something is left out; the rest goes on.
    pub fn warning(&mut self, about: String, message: String) {
        self.add(Notice { weight: Weight::Warning, about, message });
    }

    pub fn done(&mut self, about: &str, message: String) {
        self.add(Notice { weight: Weight::Done, about: about.to_owned(), message });
    }

    fn add(&mut self, notice: Notice) {
        self.list.retain(|other| *other != notice);
        self.list.insert(0, notice);
    }

    /// Draws the notices; nothing if there are none.
    pub fn ui(&mut self, ui: &mut Ui) {
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
fn notice_ui(ui: &mut Ui, notice: &Notice) -> bool {
    let dark = ui.visuals().dark_mode;
    let (text, fill): (Color32, Color32) = match notice.weight {
        Weight::Error => theme::error(dark),
        Weight::Warning => theme::warning(dark),
        Weight::Done => (ui.visuals().text_color(), ui.visuals().faint_bg_color),
    };
    let frame = Frame::new().fill(fill).corner_radius(4).inner_margin(Margin::symmetric(8, 4));
    frame
        .show(ui, |ui| {
            ui.horizontal(|ui| {
                let dismissed = ui.small_button("Dismiss").clicked();
                ui.label(RichText::new(format!("{}:", notice.about)).strong().color(text));
                ui.add(Label::new(RichText::new(&notice.message).color(text)).wrap());
                ui.take_available_width();
                dismissed
            })
            .inner
        })
        .inner
}
