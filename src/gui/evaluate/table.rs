//! The results as a table that sorts by the column that is clicked.

use std::cmp::Ordering;

use eframe::egui::{
    Align, Align2, Button, Grid, Label, Layout, Response, RichText, Role, ScrollArea, TextStyle, Ui,
    WidgetInfo, vec2,
};

use crate::engine::{EvalPlan, ResultRow};
use crate::gui::nouns::text::thousands;

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResultColumn {
    Model,
    Evaluation,
    Classifier,
    Patches,
    Accuracy,
    Interval,
    Paper,
    Difference,
    Test,
    Train,
    Seeds,
    Seconds,
}

impl ResultColumn {
    const ALL: [ResultColumn; 12] = [
        ResultColumn::Model,
        ResultColumn::Evaluation,
        ResultColumn::Classifier,
        ResultColumn::Patches,
        ResultColumn::Accuracy,
        ResultColumn::Interval,
        ResultColumn::Paper,
        ResultColumn::Difference,
        ResultColumn::Test,
        ResultColumn::Train,
        ResultColumn::Seeds,
        ResultColumn::Seconds,
    ];

    fn name(self) -> &'static str {
        match self {
            ResultColumn::Model => "model",
            ResultColumn::Evaluation => "evaluation",
            ResultColumn::Classifier => "classifier",
            ResultColumn::Patches => "vector of",
            ResultColumn::Accuracy => "accuracy, %",
            ResultColumn::Interval => "95 %",
            ResultColumn::Paper => "paper, %",
            ResultColumn::Difference => "difference",
            ResultColumn::Test => "test images",
            ResultColumn::Train => "train images",
            ResultColumn::Seeds => "seeds",
            ResultColumn::Seconds => "seconds",
        }
    }

    fn help(self) -> &'static str {
        match self {
            ResultColumn::Model => "As the plan calls it.",
            ResultColumn::Evaluation => "What the patches are cut as.",
            ResultColumn::Classifier => "linear: softmax regression; knn: weighted nearest neighbours.",
            ResultColumn::Patches => {
                "How an image becomes its vector: central, the whole image; a number, the mean of h over so many patches or \
                 crops, or over all where an image has fewer patches."
            }
            ResultColumn::Accuracy => {
                "Share of the test images that are classified right; of several seeds the mean and the standard deviation."
            }
            ResultColumn::Interval => {
                "Wilson's interval for the choice of test images alone; of several seeds its mean."
            }
            ResultColumn::Paper => "What the paper has for the model that this one stands beside.",
            ResultColumn::Difference => "Ours less the paper's, points of a percent.",
            ResultColumn::Test => "Test images that are classified, of those that there are.",
            ResultColumn::Train => "Images that the classifier was made from, of those that there are.",
            ResultColumn::Seeds => "Seeds that the numbers are over.",
            ResultColumn::Seconds => "Of the classifiers, all seeds; embedding is shared by all rows.",
        }
    }

    fn is_number(self) -> bool {
        !matches!(
            self,
            ResultColumn::Model | ResultColumn::Evaluation | ResultColumn::Classifier | ResultColumn::Patches
        )
    }

    /// A cell's words; `cut` is what its vector is a mean over: "patch" or "crop".
    fn text(self, row: &ResultRow, cut: &str) -> String {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        let of = |count: usize, all: Option<usize>| match all {
            Some(all) => format!("{} of {}", thousands(count), thousands(all)),
            None => thousands(count),
        };
        match self {
            ResultColumn::Model => row.model.clone(),
            ResultColumn::Evaluation => row.evaluation.clone(),
            ResultColumn::Classifier => row.classifier.clone(),
            ResultColumn::Patches => match (row.patches.as_str(), row.fewest_patches) {
                (number, few) if number.parse::<usize>().is_ok() => {
                    let plural = if number == "1" {
                        ""
                    } else if cut.ends_with('h') {
                        "es"
                    } else {
                        "s"
                    };
                    let few = few.map_or(String::new(), |few| format!(", as few as {}", thousands(few)));
                    format!("{number} {cut}{plural}{few}")
                }
                (name, _) => name.to_owned(),
            },
            ResultColumn::Accuracy => {
                let spread = row.deviation.map_or(String::new(), |d| format!(" \u{b1} {:.1}", 100.0 * d));
                percent(row.accuracy) + &spread
            }
            ResultColumn::Interval => format!("{} to {}", percent(row.low), percent(row.high)),
            ResultColumn::Paper => row.paper.map_or_else(String::new, percent),
            ResultColumn::Difference => {
                row.difference.map_or_else(String::new, |difference| format!("{:+.1}", 100.0 * difference))
            }
            ResultColumn::Test => of(row.images, row.images_of),
            ResultColumn::Train => of(row.train_images, row.train_images_of),
            ResultColumn::Seeds => row.seeds.to_string(),
            ResultColumn::Seconds if row.seconds < 0.05 => "< 0.1".to_owned(),
            ResultColumn::Seconds => format!("{:.1}", row.seconds),
        }
    }

    fn compare(self, a: &ResultRow, b: &ResultRow) -> Ordering {
        let by = |value: fn(&ResultRow) -> f64| value(a).total_cmp(&value(b));
        // What the paper does not have comes last, upwards.
        let absent = f64::INFINITY;
        match self {
            ResultColumn::Accuracy => by(|row| row.accuracy),
            ResultColumn::Interval => by(|row| row.high - row.low),
            ResultColumn::Paper => a.paper.unwrap_or(absent).total_cmp(&b.paper.unwrap_or(absent)),
            ResultColumn::Difference => {
                a.difference.unwrap_or(absent).total_cmp(&b.difference.unwrap_or(absent))
            }
            ResultColumn::Test => a.images.cmp(&b.images),
            ResultColumn::Train => a.train_images.cmp(&b.train_images),
            ResultColumn::Seeds => a.seeds.cmp(&b.seeds),
            ResultColumn::Seconds => by(|row| row.seconds),
            ResultColumn::Patches => {
                let number = |row: &ResultRow| row.patches.parse::<usize>().unwrap_or(0);
                number(a).cmp(&number(b)).then_with(|| a.patches.cmp(&b.patches))
            }
            ResultColumn::Model | ResultColumn::Evaluation | ResultColumn::Classifier => {
                self.text(a, "").cmp(&self.text(b, ""))
            }
        }
    }
}

/// How the table is sorted; as the plan has its rows, unless a column was clicked.
#[derive(Default)]
pub struct ResultTable {
    by: Option<(ResultColumn, bool)>,
}

impl ResultTable {
    /// The rows in the order in which they are shown.
    fn sorted<'a>(&self, rows: &'a [ResultRow]) -> Vec<&'a ResultRow> {
        let mut sorted: Vec<&ResultRow> = rows.iter().collect();
        if let Some((column, is_down)) = self.by {
            sorted.sort_by(|a, b| match is_down {
                true => column.compare(b, a),
                false => column.compare(a, b),
            });
        }
        sorted
    }

    /// Upwards, downwards, as in the plan.
    fn click(&mut self, column: ResultColumn) {
        self.by = match self.by {
            Some((by, false)) if by == column => Some((column, true)),
            Some((by, true)) if by == column => None,
            _ => Some((column, false)),
        };
    }

    /// Draws the table; it scrolls sideways where it is wide.
    pub fn ui(&mut self, ui: &mut Ui, plan: &EvalPlan, rows: &[ResultRow]) {
        let has_paper = rows.iter().any(|row| row.paper.is_some());
        let has_seeds = rows.iter().any(|row| row.seeds > 1);
        let is_shown = |column: &ResultColumn| match column {
            ResultColumn::Paper | ResultColumn::Difference => has_paper,
            ResultColumn::Seeds => has_seeds,
            _ => true,
        };
        let columns: Vec<ResultColumn> = ResultColumn::ALL.into_iter().filter(is_shown).collect();
        let mut clicked = None;
        ScrollArea::horizontal().auto_shrink([false, true]).show(ui, |ui| {
            Grid::new("results").striped(true).num_columns(columns.len() + 1).spacing([16.0, 4.0]).show(
                ui,
                |ui| {
                    for column in &columns {
                        if self.heading_ui(ui, *column).clicked() {
                            clicked = Some(*column);
                        }
                    }
                    // The last column would take all the room that is left, and its numbers stand far away.
                    ui.label("");
                    ui.end_row();
                    for row in self.sorted(rows) {
                        for column in &columns {
                            let text = RichText::new(column.text(row, plan.cut_of(&row.evaluation)));
                            let text = if *column == ResultColumn::Accuracy { text.strong() } else { text };
                            aligned(ui, *column, |ui| ui.add(Label::new(text).extend()));
                        }
                        ui.label("");
                        ui.end_row();
                    }
                },
            );
        });
        clicked.into_iter().for_each(|column| self.click(column));
    }

    /// The name of a column at the edge at which its cells stand. The sign of sorting lies in the space between columns, so
    /// that no column moves when it comes.
    fn heading_ui(&self, ui: &mut Ui, column: ResultColumn) -> Response {
        let add = |ui: &mut Ui| ui.add(Button::new(RichText::new(column.name()).strong()).frame(false));
        let button = aligned(ui, column, add).on_hover_text(column.help());
        let Some((_, is_down)) = self.by.filter(|(by, _)| *by == column) else { return button };
        let (sign, word) = if is_down { (DOWNWARDS, "downwards") } else { (UPWARDS, "upwards") };
        let (edge, align) = match column.is_number() {
            true => (button.rect.left_center() - vec2(SIGN_GAP, 0.0), Align2::RIGHT_CENTER),
            false => (button.rect.right_center() + vec2(SIGN_GAP, 0.0), Align2::LEFT_CENTER),
        };
        let font = TextStyle::Monospace.resolve(ui.style());
        ui.painter().text(edge, align, sign, font, ui.visuals().strong_text_color());
        let name = format!("{}, sorted {word}", column.name());
        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
        button
    }
}

/// Between a column's name and the sign that it is sorted by, points.
const SIGN_GAP: f32 = 3.0;

/// Signs of the column that the table is sorted by. Of the interface's fonts only that of equal widths has them.
const UPWARDS: &str = "\u{2191}";
const DOWNWARDS: &str = "\u{2193}";

/// Numbers stand at the right of their column.
fn aligned<T>(ui: &mut Ui, column: ResultColumn, add: impl FnOnce(&mut Ui) -> T) -> T {
    match column.is_number() {
        true => ui.with_layout(Layout::right_to_left(Align::Center), add).inner,
        false => add(ui),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(patches: &str, accuracy: f64, paper: Option<f64>) -> ResultRow {
        ResultRow {
            model: "a".into(),
            evaluation: "patches of 14".into(),
            classifier: "linear".into(),
            patches: patches.into(),
            accuracy,
            low: accuracy - 0.01,
            high: accuracy + 0.02,
            seeds: 2,
            deviation: Some(0.004),
            images: 2000,
            train_images: 4096,
            seconds: 1.25,
            paper,
            difference: paper.map(|paper| accuracy - paper),
            images_of: Some(10_000),
            train_images_of: None,
            fewest_patches: None,
        }
    }

    #[test]
    fn a_column_sorts_upwards_then_downwards_then_as_the_plan_has_it() {
        let rows = [row("16", 0.5, None), row("central", 0.9, Some(0.8)), row("1", 0.7, Some(0.9))];
        let mut table = ResultTable::default();
        let patches = |table: &ResultTable| -> Vec<String> {
            table.sorted(&rows).iter().map(|row| row.patches.clone()).collect()
        };
        table.click(ResultColumn::Patches);
        assert_eq!(patches(&table), ["central", "1", "16"], "by number, not by letter");
        table.click(ResultColumn::Accuracy);
        table.click(ResultColumn::Accuracy);
        assert_eq!(patches(&table), ["central", "1", "16"]);
        table.click(ResultColumn::Accuracy);
        assert_eq!(patches(&table), ["16", "central", "1"]);
        table.click(ResultColumn::Difference);
        assert_eq!(patches(&table), ["1", "central", "16"], "without a number it comes last");
    }

    #[test]
    fn numbers_are_told_with_their_count_and_sign() {
        let row = row("16", 0.512, Some(0.6));
        let text = |column: ResultColumn| column.text(&row, "patch");
        assert_eq!(text(ResultColumn::Accuracy), "51.2 \u{b1} 0.4");
        assert_eq!(
            [
                ResultColumn::Interval,
                ResultColumn::Difference,
                ResultColumn::Test,
                ResultColumn::Train,
                ResultColumn::Patches
            ]
            .map(text),
            ["50.2 to 53.2", "-8.8", "2,000 of 10,000", "4,096", "16 patches"]
        );
        let one = ResultRow { patches: "1".into(), ..row.clone() };
        let few = ResultRow { fewest_patches: Some(9), ..row.clone() };
        let words = [(&one, "crop"), (&row, "crop"), (&few, "patch")];
        assert_eq!(
            words.map(|(row, cut)| ResultColumn::Patches.text(row, cut)),
            ["1 crop", "16 crops", "16 patches, as few as 9"]
        );
    }

    #[test]
    fn the_font_of_the_signs_of_sorting_has_them() {
        let context = eframe::egui::Context::default();
        let mut seen = vec![];
        let _ = context.run_ui(Default::default(), |ui| {
            let font = eframe::egui::TextStyle::Monospace.resolve(ui.style());
            seen = [UPWARDS, DOWNWARDS]
                .map(|sign| ui.ctx().fonts_mut(|fonts| fonts.has_glyphs(&font, sign)))
                .to_vec();
        });
        assert!(seen == [true, true], "{seen:?}");
    }
}
