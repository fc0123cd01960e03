//! The evaluations of a plan: what of an image becomes its vector.

use eframe::egui::{ComboBox, RichText, TextEdit, Ui};

use crate::engine::{PAPER_SCALES, PlannedEvaluation, paper_evaluations};
use crate::gui::paint::theme::STEP;
use crate::gui::widgets::whole::{DRAG, whole};

/// What is cut from an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CutKind {
    /// Nothing: the whole, or its feature map.
    Whole,
    /// Square patches of one size.
    Patches,
    /// Crops of a range of scales.
    Crops,
}

impl CutKind {
    const ALL: [CutKind; 3] = [CutKind::Whole, CutKind::Patches, CutKind::Crops];

    fn words(self) -> &'static str {
        match self {
            CutKind::Whole => "whole image",
            CutKind::Patches => "patches",
            CutKind::Crops => "crops",
        }
    }
}

/// One evaluation as it is typed.
#[derive(Clone, Debug, PartialEq)]
struct EvaluationRow {
    kind: CutKind,
    /// Side of a patch, pixels.
    size: u32,
    /// Whether that was typed or is the paper's; otherwise it follows the model.
    has_own_size: bool,
    scales: [f64; 2],
    /// "central, 1, 16, 256".
    patches: String,
    /// Patches are cut from a centre of this side, pixels; 0: from the image as it is.
    fit: u32,
    /// Which vectors of a crop.
    space: String,
    /// Whether what is cut is changed as the model's training views are.
    augmented: bool,
}

/// The evaluations of a plan.
pub struct PlanRows {
    list: Vec<EvaluationRow>,
}

impl Default for PlanRows {
    fn default() -> Self {
        Self { list: vec![EvaluationRow::fresh(CutKind::Patches)] }
    }
}

impl EvaluationRow {
    fn fresh(kind: CutKind) -> Self {
        let patches = if kind == CutKind::Whole { "central" } else { "central, 1, 16" };
        let PlannedEvaluation { space, augmented, .. } = PlannedEvaluation::default();
        Self {
            kind,
            size: 14,
            has_own_size: false,
            scales: PAPER_SCALES,
            patches: patches.to_owned(),
            fit: 0,
            space,
            augmented,
        }
    }

    fn of(planned: &PlannedEvaluation) -> Self {
        let kind = match (planned.patch, planned.crop_scale) {
            (Some(_), _) => CutKind::Patches,
            (None, Some(_)) => CutKind::Crops,
            (None, None) => CutKind::Whole,
        };
        Self {
            kind,
            size: planned.patch.unwrap_or(14),
            has_own_size: planned.patch.is_some(),
            scales: planned.crop_scale.unwrap_or(PAPER_SCALES),
            patches: planned.patches.join(", "),
            fit: planned.fit.unwrap_or(0),
            space: planned.space.clone(),
            augmented: planned.augmented,
        }
    }

    fn name(&self) -> String {
        let of = if self.fit > 0 { format!(" of {} x {0}", self.fit) } else { String::new() };
        let cut = match self.kind {
            CutKind::Whole if self.patches.contains("local") => "local aggregation".to_owned(),
            CutKind::Whole => "whole image".to_owned(),
            CutKind::Patches => format!("patches of {}{of}", self.size),
            CutKind::Crops => format!("crops of {} to {}{of}", self.scales[0], self.scales[1]),
        };
        let space = match self.space.trim() {
            "h" => String::new(),
            space => format!(" in {space}"),
        };
        format!("{cut}{space}{}", if self.is_augmented() { ", augmented" } else { "" })
    }

    fn is_augmented(&self) -> bool {
        self.augmented && self.kind != CutKind::Whole
    }

    fn planned(&self, classifiers: &[String]) -> PlannedEvaluation {
        let cuts = self.kind != CutKind::Whole;
        let words = self.patches.split(',').map(|word| word.trim().to_owned());
        PlannedEvaluation {
            name: self.name(),
            patch: (self.kind == CutKind::Patches).then_some(self.size),
            crop_scale: (self.kind == CutKind::Crops).then_some(self.scales),
            fit: (cuts && self.fit > 0).then_some(self.fit),
            patches: words.filter(|word| !word.is_empty()).collect(),
            classifiers: classifiers.to_vec(),
            space: self.space.trim().to_owned(),
            augmented: self.is_augmented(),
            ..PlannedEvaluation::default()
        }
    }

    fn ui(&mut self, ui: &mut Ui, number: usize) -> bool {
        let mut is_gone = false;
        ui.horizontal_wrapped(|ui| {
            let combo = ComboBox::from_id_salt(("cut", number)).width(96.0).selected_text(self.kind.words());
            let combo = combo.show_ui(ui, |ui| {
                CutKind::ALL.map(|kind| ui.selectable_value(&mut self.kind, kind, kind.words()).changed())
            });
            combo.response.accessible_name(format!("Evaluation {number}"));
            if combo.inner == Some([true, false, false]) {
                self.patches = "central".to_owned();
            }
            match self.kind {
                CutKind::Whole => {}
                CutKind::Patches => {
                    let size = whole(ui, &mut self.size, DRAG).range(1..=4096).suffix(" px");
                    let size = ui.add(size).on_hover_text(
                        "Side of a patch: what the model was trained on, or Explore's where its file does not say that, \
                         until another is typed.",
                    );
                    self.has_own_size |= size.changed();
                    size.accessible_name(format!("Patch size of evaluation {number}"));
                }
                CutKind::Crops => {
                    for (scale, end) in self.scales.iter_mut().zip(["Smallest", "Largest"]) {
                        let field = eframe::egui::DragValue::new(scale).range(0.01..=1.0).speed(0.005);
                        let field = ui.add(field).on_hover_text("Share of the image's area.");
                        field.accessible_name(format!("{end} crop of evaluation {number}"));
                    }
                }
            }
            let button = ui.button("Remove").on_hover_text("Takes this evaluation out of the plan.");
            is_gone = button.accessible_name(format!("Remove evaluation {number}")).clicked();
        });
        ui.horizontal(|ui| {
            let label = ui.label("of").on_hover_text(
                "How an image becomes a vector: central (the whole image), or the mean of h over so many patches or crops; \
                 local-patches and local-map are the two readings of Table 5's local aggregation.",
            );
            let field = TextEdit::singleline(&mut self.patches).desired_width(ui.available_width());
            ui.add(field).labelled_by(label.id).accessible_name(format!("Patches of evaluation {number}"));
        });
        self.space_ui(ui, number);
        if self.kind != CutKind::Whole {
            ui.horizontal(|ui| {
                let label = ui.weak("from the centre").on_hover_text(
                    "The image is scaled and its centre of so many pixels taken first, as for images of ImageNet (224); 0: \
                     the image as it is.",
                );
                let field = whole(ui, &mut self.fit, DRAG).range(0..=8192).custom_formatter(|side, _| match side {
                    0.0 => "no: the image as it is".to_owned(),
                    side => format!("{side} px"),
                });
                ui.add(field).labelled_by(label.id).accessible_name(format!("Centre of evaluation {number}"));
            });
        }
        is_gone
    }

    fn space_ui(&mut self, ui: &mut Ui, number: usize) {
        ui.horizontal(|ui| {
            let label = ui.weak("in").on_hover_text(
                "Which vectors are evaluated: h as in the paper, or z, hidden1, stage3, ... of the projector and the backbone.",
            );
            let field = TextEdit::singleline(&mut self.space).desired_width(72.0);
            ui.add(field).labelled_by(label.id).accessible_name(format!("Space of evaluation {number}"));
            if self.kind != CutKind::Whole {
                let button = ui.checkbox(&mut self.augmented, "augmented").on_hover_text(
                    "Patches and crops are changed as the model's training views are, colours and all, as EMP-SSL's code \
                     evaluates; clean otherwise.",
                );
                button.accessible_name(format!("Augmented patches of evaluation {number}"));
            }
        });
    }
}

impl PlanRows {
    /// Takes the patch size that suits the model, where no other was typed.
    pub fn follow(&mut self, patch: Option<u32>) {
        let Some(patch) = patch else { return };
        self.list.iter_mut().filter(|row| !row.has_own_size).for_each(|row| row.size = patch);
    }

    /// The evaluations as a plan has them.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn planned(&self, classifiers: &[String]) -> Result<Vec<PlannedEvaluation>, String> {
        if self.list.is_empty() {
            return Err("Add an evaluation.".to_owned());
        }
        let mut planned: Vec<PlannedEvaluation> = vec![];
        for row in &self.list {
            let next = row.planned(classifiers);
            if planned.iter().any(|other| other.name == next.name) {
                return Err(format!("Two evaluations are \"{}\"; one of them is enough.", next.name));
            }
            planned.push(next);
        }
        Ok(planned)
    }

    /// Draws the rows.
    pub fn ui(&mut self, ui: &mut Ui) {
        ui.label(RichText::new("Evaluations").strong());
        let mut gone = None;
        for (index, row) in self.list.iter_mut().enumerate() {
            if row.ui(ui, index + 1) {
                gone = Some(index);
            }
            ui.add_space(STEP / 2.0);
        }
        gone.into_iter().for_each(|index| drop(self.list.remove(index)));
        ui.horizontal_wrapped(|ui| {
            if ui.button("Add evaluation").clicked() {
                self.list.push(EvaluationRow::fresh(CutKind::Crops));
            }
            let combo = ComboBox::from_id_salt("table").selected_text("As in the paper");
            let combo = combo.show_ui(ui, |ui| {
                for (table, words) in [
                    (1, "Tables 1 and 2: CIFAR, patches of 14 and crops"),
                    (3, "Table 3: ImageNet-100, patches of 100 and crops"),
                    (4, "Table 4: ImageNet, crops"),
                    (5, "Table 5: local aggregation"),
                ] {
                    if ui.selectable_label(false, words).clicked() {
                        self.list = paper_evaluations(table).iter().map(EvaluationRow::of).collect();
                    }
                }
            });
            combo.response.accessible_name("Evaluations as in the paper");
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_planned_as_it_is_typed_and_the_papers_come_back_the_same() {
        let row = EvaluationRow { patches: " central,16 ,".into(), ..EvaluationRow::fresh(CutKind::Patches) };
        let other = EvaluationRow { space: " hidden1".into(), augmented: true, ..row.clone() };
        assert_eq!(other.name(), "patches of 14 in hidden1, augmented");
        // What nothing is cut from is not changed either.
        let whole = EvaluationRow { kind: CutKind::Whole, ..other.clone() }.planned(&[]);
        assert_eq!((whole.name.as_str(), whole.augmented), ("whole image in hidden1", false));
        assert_eq!(EvaluationRow::of(&other.planned(&[])).planned(&[]), other.planned(&[]));
        let planned = row.planned(&["knn".to_owned()]);
        assert_eq!((planned.patches.join("|"), planned.patch), ("central|16".to_owned(), Some(14)));
        for table in 1..=5 {
            let classifiers = ["linear".to_owned(), "knn".to_owned()];
            for known in paper_evaluations(table) {
                let again = EvaluationRow::of(&known).planned(&classifiers);
                assert_eq!(PlannedEvaluation { name: known.name.clone(), ..again }, known);
            }
        }
    }

    #[test]
    fn patch_sizes_follow_the_model_but_for_those_that_are_typed_or_the_papers() {
        let mut rows = PlanRows::default();
        let sizes = |rows: &PlanRows| rows.list.iter().map(|row| row.size).collect::<Vec<_>>();
        rows.follow(Some(16));
        rows.list.push(EvaluationRow { patches: "4".into(), ..EvaluationRow::fresh(CutKind::Patches) });
        rows.list.extend(paper_evaluations(3).iter().map(EvaluationRow::of));
        rows.list.retain(|row| row.kind == CutKind::Patches);
        rows.follow(Some(20));
        assert_eq!(sizes(&rows), [20, 20, 100]);
        rows.list[1].has_own_size = true;
        rows.follow(None);
        rows.follow(Some(24));
        assert_eq!(sizes(&rows), [24, 20, 100]);
    }

    #[test]
    fn the_same_evaluation_twice_is_told() {
        let mut rows = PlanRows::default();
        rows.list.push(rows.list[0].clone());
        assert!(rows.planned(&[]).unwrap_err().contains("patches of 14"));
        rows.list.clear();
        assert!(rows.planned(&[]).unwrap_err().contains("Add an evaluation"));
    }
}
