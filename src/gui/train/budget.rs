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
            let per_epoch = plan.as_ref().map_or(0, |plan| plan.steps_per_epoch);
            let batch = plan.as_ref().map_or(1, |plan| plan.batch);
            // One epoch in the unit that is chosen.
            let epoch = match self.unit {
                BudgetUnit::Epochs => 1,
                BudgetUnit::Steps => per_epoch.max(1),
                BudgetUnit::Images => (per_epoch * batch).max(1),
            };
            let epochs = editor.value("epochs").and_then(Value::as_integer).unwrap_or(1).max(1) as u64;
            let mut amount = epochs * epoch;
            let plain = |number: f64, _| thousands(number.round() as usize);
            let parse = |text: &str| text.replace([',', ' '], "").parse().ok();
            let field =
                DragValue::new(&mut amount).range(1..=most_epochs() * epoch).speed(epoch as f64 * 0.1);
            // What is typed is rounded to whole epochs once it is whole: each digit before would be another number.
            let field = field.update_while_editing(false);
            let field = ui.add(field.custom_formatter(plain).custom_parser(parse));
            field.clone().accessible_name("Budget");
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
