//! How long a new run is: in the unit that one likes, and what that comes to.

use std::collections::HashMap;
use std::time::Duration;

use eframe::egui::{ComboBox, DragValue, Label, RichText, Ui};
use toml::Value;

use super::editor::ConfigEditor;
use super::named::short_row;
use crate::engine::facts::{TrainConfig, settings};
use crate::gui::nouns::text::{self, count, thousands};

/// In what the length of a run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BudgetUnit {
    Epochs,
    Steps,
    Images,
}

impl BudgetUnit {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Epochs, "epochs"), (Self::Steps, "steps"), (Self::Images, "images")];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(unit, _)| *unit == self).map_or("", |(_, name)| name)
    }

    /// One epoch of `plan` in this unit; `None` where its steps are not known, or there are none.
    fn of_an_epoch(self, plan: Option<&RunLength>) -> Option<u64> {
        let steps = plan.map(|plan| plan.steps_per_epoch).filter(|steps| *steps > 0);
        match self {
            Self::Epochs => Some(1),
            Self::Steps => steps,
            Self::Images => Some(steps? * plan?.batch),
        }
    }
}

/// The budget of a new run.
pub struct Budget {
    unit: BudgetUnit,
    /// Views per second that were seen with a network, by its description.
    rates: HashMap<String, f64>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { unit: BudgetUnit::Epochs, rates: HashMap::new() }
    }
}

impl Budget {
    /// A network was seen to train this fast.
    pub fn note_rate(&mut self, config: &TrainConfig, views_per_second: f64) {
        self.rates.insert(network(config), views_per_second);
    }

    /// Draws the budget of `editor`'s run on so many images.
    pub fn ui(&mut self, ui: &mut Ui, editor: &mut ConfigEditor, images: Option<usize>) {
        let plan = RunLength::of(editor, images);
        short_row(ui, "Budget", |ui| {
            let known = self.unit.of_an_epoch(plan.as_ref());
            let (is_known, epoch) = (known.is_some(), known.unwrap_or(1));
            let epochs = editor.value("epochs").and_then(Value::as_integer).unwrap_or(1).max(1) as u64;
            let mut amount = epochs * epoch;
            // Epochs are no steps: where one is not known in steps, no number is shown, and none is taken.
            let plain = |number: f64, _| match is_known {
                true => thousands(number.round() as usize),
                false => "?".to_owned(),
            };
            let parse = |text: &str| text.replace([',', ' '], "").parse().ok();
            let field =
                DragValue::new(&mut amount).range(1..=most_epochs() * epoch).speed(epoch as f64 * 0.1);
            // What is typed is rounded to whole epochs once it is whole: each digit before would be another number.
            let field = field.update_while_editing(false);
            let field = ui.add_enabled(is_known, field.custom_formatter(plain).custom_parser(parse));
            let unknown =
                "It is known once the data is, every setting is right, and there are images for a batch.";
            field.clone().accessible_name("Budget").on_disabled_hover_text(unknown);
            if field.changed() {
                let epochs = amount.div_ceil(epoch).max(1) as i64;
                editor.set("epochs", Value::Integer(epochs));
            }
            let combo =
                ComboBox::from_id_salt("budget unit").selected_text(self.unit.name()).show_ui(ui, |ui| {
                    for (unit, name) in BudgetUnit::ALL {
                        ui.selectable_value(&mut self.unit, unit, name);
                    }
                });
            combo
                .response
                .accessible_name("Unit of the budget")
                .on_hover_text("A run is made of whole epochs; steps and images are rounded up to them.");
        });
        let text = match plan {
            Some(plan) => {
                plan.text(editor.config().and_then(|config| self.rates.get(&network(config)).copied()))
            }
            None => "the number of steps is known once the data is".to_owned(),
        };
        ui.add(Label::new(RichText::new(text).weak()).wrap());
    }
}

/// What a run of the form comes to.
struct RunLength {
    epochs: u64,
    steps_per_epoch: u64,
    batch: u64,
    views: u64,
    /// Each class rounds the share that is held out of it, which may be a step more or less.
    is_rounded: bool,
}

impl RunLength {
    fn of(editor: &ConfigEditor, images: Option<usize>) -> Option<Self> {
        let config = editor.config()?;
        let kept = 1.0 - config.holdout.unwrap_or(0.0);
        let images = images.map(|images| (images as f64 * kept).round() as usize);
        let images = config.images.map_or(images?, |limit| limit.min(images.unwrap_or(limit)));
        Some(Self {
            epochs: config.epochs,
            steps_per_epoch: config.steps_per_epoch(images),
            batch: config.batch as u64,
            views: config.views.len() as u64,
            is_rounded: config.holdout.is_some(),
        })
    }

    fn text(&self, rate: Option<f64>) -> String {
        let steps = self.epochs * self.steps_per_epoch;
        let views = steps * self.batch * self.views;
        let mut text = format!(
            "{} \u{b7} {}{} \u{b7} {} views",
            count(self.epochs as usize, "epoch"),
            if self.is_rounded { "about " } else { "" },
            count(steps as usize, "step"),
            thousands(views as usize)
        );
        if self.steps_per_epoch == 0 {
            text += " \u{b7} fewer images than one batch";
        } else if let Some(rate) = rate.filter(|rate| *rate > 0.0) {
            let time = Duration::from_secs_f64(views as f64 / rate);
            text += &format!(" \u{b7} about {} at {} views/s", text::wait(time), thousands(rate as usize));
        }
        text
    }
}

/// Passes that a run takes at most.
fn most_epochs() -> u64 {
    settings::find("epochs").and_then(|setting| setting.whole_numbers()).map_or(1, |range| *range.end())
}

/// What decides how fast a network trains.
fn network(config: &TrainConfig) -> String {
    format!(
        "{:?} {:?} {} {}",
        config.model.backbone, config.model.projector, config.model.input, config.batch
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of epochs was shown and taken as one of steps.
    #[test]
    fn what_an_epoch_comes_to_is_known_with_its_steps_only() {
        let plan = |steps_per_epoch| RunLength {
            epochs: 2,
            steps_per_epoch,
            batch: 128,
            views: 8,
            is_rounded: false,
        };
        let of = |plan: Option<RunLength>| BudgetUnit::ALL.map(|(unit, _)| unit.of_an_epoch(plan.as_ref()));
        assert_eq!(of(Some(plan(32))), [Some(1), Some(32), Some(32 * 128)]);
        assert_eq!(of(Some(plan(0))), [Some(1), None, None]);
        assert_eq!(of(None), [Some(1), None, None]);
    }

    #[test]
    fn a_plan_says_what_the_budget_comes_to() {
        let plan = RunLength { epochs: 14, steps_per_epoch: 32, batch: 128, views: 8, is_rounded: false };
        assert_eq!(plan.text(None), "14 epochs \u{b7} 448 steps \u{b7} 458,752 views");
        assert_eq!(
            plan.text(Some(1000.0)),
            "14 epochs \u{b7} 448 steps \u{b7} 458,752 views \u{b7} about 8 min at 1,000 views/s"
        );
    }
}
