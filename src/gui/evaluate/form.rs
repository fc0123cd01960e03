//! A new plan: models, data, evaluations, classifiers, folder, and the button that starts it.

use std::path::PathBuf;

use eframe::egui::{Button, DragValue, Label, RichText, TextEdit, Ui};

use super::models::PlanModels;
use super::rows::PlanRows;
use crate::engine::facts::{KnnConfig, LinearConfig, ModelSpec};
use crate::engine::training::{DataSeen, DataSource, TrainCommand};
use crate::engine::{Command, EvalPlan, EvaluateCommand, EvaluationPhase, PlanRequest, defaults};
use crate::gui::desk::Desk;
use crate::gui::memory::files::FileWorker;
use crate::gui::nouns::actions::{Action, keys_of};
use crate::gui::nouns::text::count;
use crate::gui::paint::theme::STEP;
use crate::gui::train::words::whole_path;
use crate::gui::widgets::messages::error_ui;
use crate::gui::widgets::whole::{DRAG, whole};
use crate::paths;

/// The form for a plan.
pub struct PlanForm {
    models: PlanModels,
    rows: PlanRows,
    /// Data of its own, and what is known of it; that of the explorer where absent.
    data: Option<(DataSource, Option<Result<DataSeen, String>>)>,
    numbers: PlanNumbers,
    out: String,
    /// Whether the folder's name is still the one that was proposed.
    out_is_proposed: bool,
    /// The folder of the evaluation on show when one was last proposed.
    seen_out: Option<PathBuf>,
}

/// Constants of a plan.
struct PlanNumbers {
    linear: bool,
    knn: bool,
    k: usize,
    temperature: f32,
    epochs: usize,
    /// "0, 1, 2".
    seeds: String,
    /// At most so many images; 0: all.
    train: usize,
    test: usize,
    /// Share of a set of one split that is drawn as its test split, %.
    holdout: u32,
}

impl Default for PlanNumbers {
    fn default() -> Self {
        let (knn, linear) = (KnnConfig::default(), LinearConfig::default());
        Self {
            linear: true,
            knn: true,
            k: knn.k,
            temperature: knn.temperature,
            epochs: linear.epochs,
            seeds: "0".to_owned(),
            train: 0,
            test: 0,
            holdout: 20,
        }
    }
}

impl PlanNumbers {
    fn classifiers(&self) -> Vec<String> {
        let chosen = [(self.linear, "linear"), (self.knn, "knn")];
        chosen.into_iter().filter(|(is_chosen, _)| *is_chosen).map(|(_, name)| name.to_owned()).collect()
    }

    /// The seeds.
    ///
    /// # Errors
    /// What of them is no number.
    fn seeds(&self) -> Result<Vec<u64>, String> {
        let words = self.seeds.split(',').map(str::trim).filter(|word| !word.is_empty());
        let number = |word: &str| word.parse().map_err(|_| format!("Seeds: \"{word}\" is no whole number."));
        let seeds: Vec<u64> = words.map(number).collect::<Result<_, _>>()?;
        if seeds.is_empty() {
            return Err("Seeds: expected at least one number.".to_owned());
        }
        Ok(seeds)
    }

    fn ui(&mut self, ui: &mut Ui, draws_test: bool) {
        ui.label(RichText::new("Classifiers").strong());
        ui.horizontal_wrapped(|ui| {
            let tip = "Softmax regression on the vectors, as the paper's tables have it.";
            ui.checkbox(&mut self.linear, "linear").on_hover_text(tip);
            number_ui(ui, "epochs", |ui| whole(ui, &mut self.epochs, DRAG).range(1..=100_000));
        });
        ui.horizontal_wrapped(|ui| {
            let tip = "The k nearest training images vote with weight exp(cosine / T).";
            ui.checkbox(&mut self.knn, "kNN").on_hover_text(tip);
            number_ui(ui, "k", |ui| whole(ui, &mut self.k, DRAG).range(1..=100_000));
            number_ui(ui, "T", |_| DragValue::new(&mut self.temperature).range(0.001..=100.0).speed(0.005));
        });
        ui.label(RichText::new("Images").strong());
        ui.horizontal_wrapped(|ui| {
            for (name, most) in [("train", &mut self.train), ("test", &mut self.test)] {
                let field = DragValue::new(most).range(0..=100_000_000).speed(20.0);
                let field = field.custom_formatter(|value, _| match value {
                    0.0 => "all".to_owned(),
                    value => crate::words::thousands(value as u64),
                });
                let field = field.custom_parser(|text| match text.trim() {
                    "all" => Some(0.0),
                    text => text.replace(',', "").parse().ok(),
                });
                number_ui(ui, name, |_| field);
            }
            if draws_test {
                number_ui(ui, "held out", |ui| whole(ui, &mut self.holdout, DRAG).range(1..=99).suffix(" %"));
            }
        });
        if draws_test {
            let words = "The set has one split: so much of each class is drawn as its test split.";
            ui.add(Label::new(RichText::new(words).weak()).wrap());
        }
        ui.horizontal(|ui| {
            let label = ui.label("Seeds");
            let field = TextEdit::singleline(&mut self.seeds).desired_width(96.0);
            let tip =
                "Each evaluation is done once with each: places of patches, order of the probe's batches.";
            ui.add(field).labelled_by(label.id).on_hover_text(tip);
        });
    }
}

fn number_ui<'a>(ui: &mut Ui, name: &str, field: impl FnOnce(&Ui) -> DragValue<'a>) {
    let label = ui.label(name);
    let field = field(ui);
    ui.add(field).labelled_by(label.id);
}

impl PlanForm {
    /// Begins with what is open.
    pub fn new(files: &FileWorker) -> Self {
        let form = Self {
            models: PlanModels::default(),
            rows: PlanRows::default(),
            data: None,
            numbers: PlanNumbers::default(),
            out: String::new(),
            out_is_proposed: true,
            seen_out: None,
        };
        files.propose_results(PathBuf::from("results/evaluation"));
        form
    }

    /// Evaluates one model more.
    pub fn add_model(&mut self, desk: &Desk, spec: ModelSpec) {
        let open = desk.session.snapshot().model_source.clone();
        let is_open = open.is_some_and(|open| *open == spec);
        self.models.add((!is_open).then_some(spec));
    }

    /// Uses data of its own.
    pub fn set_data(&mut self, desk: &Desk, source: DataSource) {
        desk.session.send(Command::Train(TrainCommand::LookAtData(source.clone())));
        self.data = Some((source, None));
    }

    /// What a data set holds has become known.
    pub fn take_seen(&mut self, source: &DataSource, found: &Result<DataSeen, String>) {
        if let Some((_, seen)) = self.data.as_mut().filter(|(own, _)| own == source) {
            *seen = Some(found.clone());
        }
    }

    /// A folder that is free was found, or one was picked.
    pub fn take_folder(&mut self, path: PathBuf, is_proposal: bool) {
        if !is_proposal || self.out_is_proposed {
            self.out = paths::to_words(&path);
            self.out_is_proposed = is_proposal;
        }
    }

    /// Draws the form.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, files: &FileWorker) {
        self.propose_after(desk, files);
        self.models.follow(desk);
        let patch = self.usual_patch(desk);
        self.rows.follow(patch);
        self.models.ui(ui, desk);
        ui.add_space(STEP / 2.0);
        self.data_ui(ui, desk);
        ui.add_space(STEP / 2.0);
        self.rows.ui(ui);
        ui.add_space(STEP / 2.0);
        let draws_test = self.draws_test(desk);
        self.numbers.ui(ui, draws_test);
        ui.add_space(STEP / 2.0);
        self.folder_ui(ui, files);
        ui.add_space(STEP / 2.0);
        self.start_ui(ui, desk);
    }

    /// Proposes another folder once what was begun, or opened, has its own.
    fn propose_after(&mut self, desk: &Desk, files: &FileWorker) {
        let on_show = desk.session.snapshot().views.evaluation.as_ref().map(|view| view.request.out.clone());
        if on_show.is_some() && on_show != self.seen_out {
            self.seen_out = on_show;
            files.propose_results(PathBuf::from("results/evaluation"));
        }
    }

    /// The patch size of the open model's training as it suits the images; Explore's where the model's file says none.
    fn usual_patch(&self, desk: &Desk) -> Option<u32> {
        let snapshot = desk.session.snapshot();
        let trained = snapshot.model.as_ref().map_or(&[][..], |model| &model.trained_by.crops[..]);
        let side = match &self.data {
            None => snapshot.data.as_ref().map(|data| data.side),
            Some((_, Some(Ok(seen)))) => seen.size.map(|(height, width)| height.min(width)),
            Some(_) => None,
        };
        match side.filter(|_| !trained.is_empty()) {
            Some(side) => Some(defaults::patch_for(side, trained)),
            None => desk.session.config().map(|config| config.grid.patch),
        }
    }

    /// Whether the set has no test split of its own, as far as it is known.
    fn draws_test(&self, desk: &Desk) -> bool {
        match &self.data {
            None => desk.session.snapshot().data.as_ref().is_some_and(|data| data.split.is_none()),
            Some((_, Some(Ok(seen)))) => !seen.has_splits,
            Some(_) => false,
        }
    }

    fn data_ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let explored = desk.session.snapshot().data.clone();
        ui.label(RichText::new("Data").strong());
        ui.horizontal_wrapped(|ui| {
            let is_own = self.data.is_some();
            let label = ui.selectable_label(!is_own, "as in Explore");
            if label.on_hover_text("The data set that is open in Explore, both of its splits.").clicked() {
                self.data = None;
            }
            let label = ui.selectable_label(is_own, "other...");
            if label.on_hover_text("Evaluate on data of its own.").clicked() {
                desk.todo.push(Action::ChooseEvaluatedData);
            }
        });
        match &self.data {
            None => {
                let name = explored.map_or_else(
                    || "no data is open yet".to_owned(),
                    |data| format!("{} \u{b7} {}", data.name, count(data.classes.len(), "class")),
                );
                ui.weak(name);
            }
            Some((_, None)) => drop(ui.weak("looking at it...")),
            Some((source, Some(Ok(seen)))) => {
                let text = format!("{} \u{b7} {}", seen.name, count(seen.classes, "class"));
                ui.weak(text).on_hover_text(source.spec.to_string());
            }
            Some((_, Some(Err(message)))) => error_ui(ui, message),
        }
    }

    fn folder_ui(&mut self, ui: &mut Ui, files: &FileWorker) {
        let label = ui.label("Results folder");
        ui.horizontal(|ui| {
            let field = TextEdit::singleline(&mut self.out).desired_width(ui.available_width() - 84.0);
            if ui.add(field).labelled_by(label.id).changed() {
                self.out_is_proposed = false;
            }
            if ui.button("Browse...").on_hover_text("Choose where the results are kept.").clicked() {
                files.pick_results_folder("Choose a folder for the results");
            }
        });
        if let Some(whole) = whole_path(self.out.trim()) {
            ui.add(Label::new(RichText::new(format!("is {whole}")).weak()).wrap());
        }
    }

    /// What is typed as a plan.
    ///
    /// # Errors
    /// What keeps it from being one, in words.
    fn plan(&self, desk: &Desk) -> Result<EvalPlan, String> {
        let models = self.models.planned(desk)?;
        let source = match &self.data {
            Some((_, Some(Err(message)))) => return Err(message.clone()),
            Some((source, _)) => source.clone(),
            None => {
                desk.session.snapshot().data_source.as_deref().cloned().ok_or("Open a data set first.")?
            }
        };
        let numbers = &self.numbers;
        let classifiers = numbers.classifiers();
        if classifiers.is_empty() {
            return Err("Choose a classifier.".to_owned());
        }
        let usual = (KnnConfig::default(), LinearConfig::default());
        let mut plan = EvalPlan {
            title: "Evaluation".to_owned(),
            holdout: self.draws_test(desk).then(|| f64::from(numbers.holdout) / 100.0),
            seeds: numbers.seeds()?,
            limit_train: (numbers.train > 0).then_some(numbers.train),
            limit_test: (numbers.test > 0).then_some(numbers.test),
            probe_epochs: (numbers.epochs != usual.1.epochs).then_some(numbers.epochs),
            k: (numbers.k != usual.0.k).then_some(numbers.k),
            temperature: (numbers.temperature != usual.0.temperature).then_some(numbers.temperature),
            models: models.iter().map(|(model, _)| model.clone()).collect(),
            evaluations: self.rows.planned(&classifiers)?,
            ..EvalPlan::of(source.spec.absolute())
        };
        for (model, paper) in &models {
            paper.iter().for_each(|paper| plan.compare_with(&model.name, paper));
        }
        plan.check().map_err(|error| format!("{error:#}"))?;
        Ok(plan)
    }

    /// What is to be done and where.
    ///
    /// # Errors
    /// What keeps it from being begun, in words.
    fn request(&self, desk: &Desk) -> Result<PlanRequest, String> {
        let on_show = desk.session.snapshot().views.evaluation.clone();
        if on_show.is_some_and(|view| view.phase == EvaluationPhase::Running) {
            return Err("An evaluation goes on; stop it first.".to_owned());
        }
        let plan = self.plan(desk)?;
        if self.out.trim().is_empty() {
            return Err("Type a folder for the results.".to_owned());
        }
        let out = paths::typed(&self.out);
        Ok(PlanRequest { plan, out: paths::absolute(&out).unwrap_or(out) })
    }

    fn start_ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let request = self.request(desk);
        let button = Button::new(RichText::new("Start evaluation").strong());
        let button = ui.add_enabled(request.is_ok(), button);
        if button.on_hover_text(keys_of(ui.ctx(), Action::StartEvaluation)).clicked() {
            desk.todo.push(Action::StartEvaluation);
        }
        match request {
            Ok(request) => drop(ui.weak(count(request.plan.cells(), "cell")).on_hover_text(
                "Models x evaluations x seeds; each is done once and kept, so that the same plan goes on where it stopped.",
            )),
            Err(obstacle) => drop(ui.add(Label::new(RichText::new(obstacle).weak()).wrap())),
        }
    }

    /// Starts, if nothing keeps it.
    pub fn start(&mut self, desk: &Desk) {
        if let Ok(request) = self.request(desk) {
            desk.session.send(Command::Evaluate(EvaluateCommand::Start(Box::new(request))));
            self.out_is_proposed = true;
        }
    }
}
