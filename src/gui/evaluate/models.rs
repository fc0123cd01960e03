//! The models of a plan: what each is called, and which of the paper's it is compared with.

use eframe::egui::{ComboBox, RichText, TextEdit, Ui};

use crate::engine::facts::{Crop, ModelSpec, TrainedBy};
use crate::engine::{PAPER_MODELS, PAPER_SCALES, PaperModel, PaperTraining, PlannedModel};
use crate::gui::desk::Desk;
use crate::gui::nouns::actions::Action;
use crate::gui::nouns::text::tail;

/// One model of the plan.
struct PlanModel {
    name: String,
    /// The one that is open in Explore where absent.
    spec: Option<ModelSpec>,
    /// The one of the paper that it is compared with, by its place.
    paper: Option<usize>,
}

/// The models of a plan.
#[derive(Default)]
pub struct PlanModels {
    list: Vec<PlanModel>,
    /// Hash of the open model that was last proposed, so that another one is.
    followed: Option<String>,
}

impl PlanModels {
    /// Follows the model that is open: the first row is its, unless that was taken out.
    pub fn follow(&mut self, desk: &Desk) {
        let snapshot = desk.session.snapshot();
        let Some(model) = snapshot.model.as_ref().filter(|model| model.missing.is_none()) else { return };
        if self.followed.as_ref() == Some(&model.hash) {
            return;
        }
        let data = snapshot.data.as_ref().map(|data| data.kind.as_str());
        let paper = data.and_then(|kind| like(&model.trained_by, kind));
        let was_proposed = self.followed.replace(model.hash.clone()).is_some();
        match self.list.iter_mut().find(|row| row.spec.is_none()) {
            Some(row) => (row.name, row.paper) = (model.name.clone(), paper),
            None if was_proposed => {}
            None => {
                let row = PlanModel { name: model.name.clone(), spec: None, paper };
                self.list.insert(0, row);
            }
        }
    }

    /// One more.
    pub fn add(&mut self, spec: Option<ModelSpec>) {
        let path = spec.as_ref().map(|spec| spec.path.clone()).unwrap_or_default();
        let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let same = |name: &str| self.list.iter().any(|row| row.name == name);
        let numbered = |number| format!("{stem} {number}");
        let name = if same(&stem) { (2..).map(numbered).find(|name| !same(name)) } else { None };
        self.list.push(PlanModel { name: name.unwrap_or(stem), spec, paper: None });
    }

    /// The models as a plan has them, each with the one of the paper that it is compared with.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn planned(&self, desk: &Desk) -> Result<Vec<(PlannedModel, Option<&'static PaperModel>)>, String> {
        if self.list.is_empty() {
            return Err("Add a model.".to_owned());
        }
        let snapshot = desk.session.snapshot();
        let planned = |row: &PlanModel| {
            let open = || snapshot.model_source.as_deref().cloned();
            let spec = row.spec.clone().or_else(open).ok_or("No model is open yet.")?.absolute();
            let name = row.name.trim().to_owned();
            if name.is_empty() {
                return Err("Give each model a name.".to_owned());
            }
            if self.list.iter().filter(|other| other.name.trim() == name).count() > 1 {
                return Err(format!("Two models are called \"{name}\"; give them different names."));
            }
            let paper = row.paper.and_then(|place| PAPER_MODELS.get(place));
            Ok((PlannedModel { name, path: spec.path, options: spec.overrides }, paper))
        };
        self.list.iter().map(planned).collect()
    }

    /// Draws the rows.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        ui.label(RichText::new("Models").strong());
        let open = desk.session.snapshot().model_source.clone();
        let mut gone = None;
        for (index, row) in self.list.iter_mut().enumerate() {
            let tip = match (&row.spec, &open) {
                (Some(spec), _) => spec.path.display().to_string(),
                (None, Some(spec)) => format!("The model that is open in Explore: {}", spec.path.display()),
                (None, None) => "The model that is open in Explore; none is open yet.".to_owned(),
            };
            let number = index + 1;
            ui.horizontal(|ui| {
                let field = TextEdit::singleline(&mut row.name).desired_width(ui.available_width() - 84.0);
                ui.add(field).on_hover_text(&tip).accessible_name(format!("Name of model {number}"));
                let button = ui.button("Remove").on_hover_text("Takes this model out of the plan.");
                if button.accessible_name(format!("Remove model {number}")).clicked() {
                    gone = Some(index);
                }
            });
            let path = row.spec.as_ref().map(|spec| spec.path.display().to_string());
            ui.weak(tail(&path.unwrap_or_else(|| "open in Explore".to_owned()), 44)).on_hover_text(tip);
            paper_ui(ui, number, &mut row.paper);
        }
        gone.into_iter().for_each(|index| drop(self.list.remove(index)));
        ui.horizontal_wrapped(|ui| {
            let has_open = self.list.iter().any(|row| row.spec.is_none());
            if ui.button("Add model...").on_hover_text("A checkpoint or a run folder.").clicked() {
                desk.todo.push(Action::AddEvaluated);
            }
            if !has_open && ui.button("Add the open one").clicked() {
                self.followed = None;
                self.follow(desk);
            }
        });
    }
}

/// Which model of the paper stands beside this one.
fn paper_ui(ui: &mut Ui, number: usize, chosen: &mut Option<usize>) {
    ui.horizontal(|ui| {
        let label = ui.label("beside");
        label.on_hover_text("The model of the paper whose numbers stand beside this one's.");
        let words = chosen.map_or("none of the paper's".to_owned(), |place| PAPER_MODELS[place].words());
        let combo = ComboBox::from_id_salt(("paper", number)).width(ui.available_width()).truncate();
        let combo = combo.selected_text(words).height(420.0).show_ui(ui, |ui| {
            ui.selectable_value(chosen, None, "none of the paper's");
            for (place, model) in PAPER_MODELS.iter().enumerate() {
                ui.selectable_value(chosen, Some(place), model.words());
            }
        });
        combo.response.accessible_name(format!("Beside model {number}"));
    });
}

/// The paper's model that was trained as this one says, on this kind of data.
fn like(trained: &TrainedBy, kind: &str) -> Option<usize> {
    let objective = trained.objective.as_deref()?;
    let first = trained.crops.first()?;
    let is_alike = |training: PaperTraining| match (training, *first) {
        (PaperTraining::Patches(size), Crop::Fixed { size: own }) => size == own,
        (PaperTraining::MultiScale, Crop::Scale { min, max }) => [min, max] == PAPER_SCALES,
        _ => false,
    };
    PAPER_MODELS.iter().position(|model| {
        model.objective == objective && model.data == kind && model.table <= 2 && is_alike(model.training)
    })
}
