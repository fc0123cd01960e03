//! A new run: recipe, data, budget, folder, every setting, and the button that starts it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{Button, ComboBox, Label, RichText, TextEdit, Ui};

use super::budget::Budget;
use super::editor::ConfigEditor;
use super::fields::fields_ui;
use super::named::short_row;
use super::words::{quoted, whole_path};
use crate::engine::Command;
use crate::engine::facts::{
    CONFIG_FILE, DataShape, FittingRecipe, Recipe, TrainConfig, TrainedBy, all_recipes, fitting_recipe,
};
use crate::engine::training::{DataSeen, DataSource, StartTraining, TrainCommand};
use crate::gui::desk::Desk;
use crate::gui::memory::files::FileWorker;
use crate::gui::nouns::actions::{Action, keys_of};
use crate::gui::nouns::text::count;
use crate::gui::paint::theme::STEP;
use crate::gui::widgets::messages::error_ui;
use crate::paths;

/// The form for a new run.
pub struct NewRun {
    recipes: Vec<Recipe>,
    /// The recipe's name, or that of the run whose configuration was taken.
    chosen: String,
    /// The folder of that run.
    run: Option<PathBuf>,
    /// The recipe that fits what is open, offered first.
    fitting: Option<FittingRecipe>,
    /// Whether the recipe follows the data: nothing was chosen yet.
    follows_data: bool,
    editor: ConfigEditor,
    /// Data of its own; that of the explorer where absent.
    data: Option<DataSource>,
    seen: HashMap<(String, Option<&'static str>), Result<DataSeen, String>>,
    budget: Budget,
    out: String,
    /// Whether the folder's name is still the one that was proposed.
    out_is_proposed: bool,
    /// Why the last attempt to start failed, and what was to be started.
    error: Option<(String, StartAsked)>,
}

/// The settings of a run, to begin a new one with.
pub struct TakenSettings {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its configuration.
    pub config: Arc<TrainConfig>,
}

/// What decides whether a start fails: settings, data, folder.
type StartAsked = (Option<TrainConfig>, Option<DataSource>, String);

impl NewRun {
    /// Begins with the first recipe.
    pub fn new(files: &FileWorker) -> Self {
        let recipes = all_recipes();
        let first = &recipes[0];
        let mut form = Self {
            chosen: first.name.clone(),
            run: None,
            fitting: None,
            follows_data: true,
            editor: ConfigEditor::new(&first.config),
            recipes,
            data: None,
            seen: HashMap::new(),
            budget: Budget::default(),
            out: String::new(),
            out_is_proposed: true,
            error: None,
        };
        form.propose_folder(files);
        form
    }

    /// Takes a run's configuration as the one to begin with.
    pub fn take_config(&mut self, taken: TakenSettings, files: &FileWorker) {
        let TakenSettings { name, folder, config } = taken;
        (self.chosen, self.run) = (name, Some(folder));
        self.follows_data = false;
        self.editor = ConfigEditor::new(&config);
        self.propose_folder(files);
    }

    /// What the chosen data is like, as far as it is known.
    fn shape(&self, desk: &Desk) -> Option<DataShape> {
        let shape =
            |kind: &str, size: (u32, u32), is_uniform| DataShape { kind: kind.to_owned(), size, is_uniform };
        match &self.data {
            None => {
                let snapshot = desk.session.snapshot();
                let data = snapshot.data.as_ref()?;
                let on_show = || snapshot.view.as_ref().map(|view| (view.image.height(), view.image.width()));
                Some(shape(&data.kind, data.size.or_else(on_show)?, data.size.is_some()))
            }
            Some(source) => {
                let seen = self.seen.get(&key(source))?.as_ref().ok()?;
                Some(shape(&seen.kind, seen.size?, true))
            }
        }
    }

    /// Finds the recipe that fits the data and the open model, and takes it while nothing was chosen or changed.
    fn follow_data(&mut self, desk: &Desk, files: &FileWorker) {
        let model = desk.session.snapshot().model.clone();
        let trained_by = model.map_or_else(TrainedBy::default, |model| model.trained_by.clone());
        let fitting = self.shape(desk).and_then(|shape| fitting_recipe(&shape, &trained_by, &self.recipes));
        if fitting == self.fitting {
            return;
        }
        self.fitting = fitting;
        let is_untouched = self.follows_data && self.editor.changes().is_empty() && self.editor.errors() == 0;
        let recipe =
            self.fitting.as_ref().and_then(|fit| self.recipes.iter().position(|one| one.name == fit.name));
        if let Some(place) = recipe.filter(|_| is_untouched) {
            self.choose(place, files);
        }
    }

    fn choose(&mut self, recipe: usize, files: &FileWorker) {
        let recipe = &self.recipes[recipe];
        (self.chosen, self.run) = (recipe.name.clone(), None);
        self.editor = ConfigEditor::new(&recipe.config);
        self.propose_folder(files);
    }

    /// Uses data of its own from now on.
    pub fn set_data(&mut self, desk: &Desk, source: DataSource) {
        desk.session.send(Command::Train(TrainCommand::LookAtData(source.clone())));
        self.data = Some(source);
    }

    /// What a data set holds has become known.
    pub fn take_seen(&mut self, source: &DataSource, found: &Result<DataSeen, String>) {
        self.seen.insert(key(source), found.clone());
    }

    /// A folder that is free was found, or one was picked.
    pub fn take_folder(&mut self, path: PathBuf, is_proposal: bool) {
        if !is_proposal || self.out_is_proposed {
            self.out = paths::to_words(&path);
            self.out_is_proposed = is_proposal;
        }
    }

    /// The start failed, or (`None`) worked.
    pub fn take_start(&mut self, failed: Option<String>, files: &FileWorker) {
        if failed.is_none() {
            self.out_is_proposed = true;
            self.propose_folder(files);
        }
        self.error = failed.map(|error| (error, self.attempt()));
    }

    /// Whether `name` is the recipe that was chosen; a run may be called like one.
    fn is_recipe(&self, name: &str) -> bool {
        self.run.is_none() && self.chosen == name
    }

    fn attempt(&self) -> StartAsked {
        (self.editor.config().cloned(), self.data.clone(), self.out.clone())
    }

    /// A network was seen to train this fast.
    pub fn note_rate(&mut self, config: &TrainConfig, views_per_second: f64) {
        self.budget.note_rate(config, views_per_second);
    }

    fn propose_folder(&mut self, files: &FileWorker) {
        if self.out_is_proposed {
            files.propose_folder(PathBuf::from("runs").join(&self.chosen));
        }
    }

    /// Draws the form.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, files: &FileWorker) {
        self.follow_data(desk, files);
        ui.label(RichText::new("New run").strong());
        self.recipe_ui(ui, files);
        ui.add_space(STEP / 2.0);
        self.data_ui(ui, desk);
        let images = self.images(desk);
        self.budget.ui(ui, &mut self.editor, images);
        self.folder_ui(ui, files);
        ui.add_space(STEP / 2.0);
        self.start_ui(ui, desk);
        ui.add_space(STEP / 2.0);
        ui.separator();
        self.settings_ui(ui, desk);
    }

    fn recipe_ui(&mut self, ui: &mut Ui, files: &FileWorker) {
        let mut picked = None;
        short_row(ui, "Recipe", |ui| {
            let width = ui.available_width();
            let combo =
                ComboBox::from_id_salt("recipe").width(width).truncate().selected_text(self.chosen.as_str());
            let combo = combo.height(420.0).show_ui(ui, |ui| {
                let fits = |recipe: &Recipe| self.fitting.as_ref().is_some_and(|fit| fit.name == recipe.name);
                let mut recipes: Vec<(usize, &Recipe)> = self.recipes.iter().enumerate().collect();
                recipes.sort_by_key(|(_, recipe)| !fits(recipe));
                for (index, recipe) in recipes {
                    let label = ui.selectable_label(self.is_recipe(&recipe.name), recipe.name.as_str());
                    if label.on_hover_text(describe(recipe)).clicked() {
                        picked = Some(index);
                    }
                    if fits(recipe) {
                        ui.weak("fits the data; the others:");
                    }
                }
            });
            combo.response.accessible_name("Recipe");
        });
        if let Some(index) = picked {
            self.follows_data = false;
            self.choose(index, files);
        }
        if let Some(fit) = &self.fitting {
            let text = match self.is_recipe(fit.name) {
                true => format!("Fits the data: {}.", fit.reason),
                false => format!("{} would fit the data: {}.", fit.name, fit.reason),
            };
            ui.add(Label::new(text).wrap());
        }
        if let Some(recipe) = self.recipes.iter().find(|recipe| self.is_recipe(&recipe.name)) {
            ui.add(Label::new(RichText::new(describe(recipe)).weak()).wrap());
        }
    }

    fn data_ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let explored = desk.session.snapshot().data.clone();
        short_row(ui, "Data", |ui| {
            let is_own = self.data.is_some();
            if ui
                .selectable_label(!is_own, "as in Explore")
                .on_hover_text("The data set that is open in Explore.")
                .clicked()
            {
                self.data = None;
            }
            let other = ui.selectable_label(is_own, "other...");
            if other.on_hover_text("Train on data of its own.").clicked() {
                desk.todo.push(Action::ChooseTrainData);
            }
        });
        match &self.data {
            None => {
                let name = explored.map_or_else(
                    || "no data is open yet".to_owned(),
                    |data| format!("{} \u{b7} {}", data.name, count(data.images, "image")),
                );
                ui.label(RichText::new(name).weak());
            }
            Some(source) => match self.seen.get(&key(source)) {
                None => drop(ui.weak("looking at it...")),
                Some(Ok(seen)) => {
                    let text = format!("{} \u{b7} {}", seen.name, count(seen.images, "image"));
                    ui.label(RichText::new(text).weak()).on_hover_text(source.spec.to_string());
                }
                Some(Err(message)) => error_ui(ui, message),
            },
        }
    }

    /// Images of the data set that is chosen, if known.
    fn images(&self, desk: &Desk) -> Option<usize> {
        match &self.data {
            None => desk.session.snapshot().data.as_ref().map(|data| data.images),
            Some(source) => self.seen.get(&key(source))?.as_ref().ok().map(|seen| seen.images),
        }
    }

    fn folder_ui(&mut self, ui: &mut Ui, files: &FileWorker) {
        let label = ui.label("Run folder");
        ui.horizontal(|ui| {
            let field = TextEdit::singleline(&mut self.out).desired_width(ui.available_width() - 84.0);
            if ui.add(field).labelled_by(label.id).changed() {
                self.out_is_proposed = false;
            }
            if ui.button("Browse...").on_hover_text("Choose where the run folder is made.").clicked() {
                files.pick_run_folder("Choose an empty folder for the run");
            }
        });
        if let Some(whole) = whole_path(self.out.trim()) {
            ui.add(Label::new(RichText::new(format!("is {whole}")).weak()).wrap());
        }
    }

    /// What keeps the run from starting, if anything does.
    fn obstacle(&self, desk: &Desk) -> Option<String> {
        let training = desk.session.snapshot().runs.active.clone();
        if training.is_some_and(|view| view.phase.is_active()) {
            return Some("A run is being trained; stop it first.".to_owned());
        }
        if let Some((path, message)) = self.editor.first_error() {
            return Some(format!("{path} {message}"));
        }
        if self.out.trim().is_empty() {
            return Some("Type a folder for the run.".to_owned());
        }
        match (&self.data, self.images(desk)) {
            (None, None) => Some("Open a data set first.".to_owned()),
            _ => None,
        }
    }

    fn start_ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let obstacle = self.obstacle(desk);
        let button = Button::new(RichText::new("Start training").strong());
        let button = ui.add_enabled(obstacle.is_none(), button);
        let tip = keys_of(ui.ctx(), Action::StartTraining);
        if button.on_hover_text(tip).clicked() {
            desk.todo.push(Action::StartTraining);
        }
        if let Some(obstacle) = obstacle {
            ui.add(Label::new(RichText::new(obstacle).weak()).wrap());
        }
        // With other settings, data or another folder it may go well.
        if self.error.as_ref().is_some_and(|(_, attempt)| *attempt != self.attempt()) {
            self.error = None;
        }
        if let Some((error, _)) = &self.error {
            error_ui(ui, error);
        }
    }

    /// What the run is trained on: data of its own, or what is open in Explore.
    fn source(&self, desk: &Desk) -> Option<DataSource> {
        self.data.clone().or_else(|| desk.session.snapshot().data_source.as_deref().cloned())
    }

    /// Starts the run, if nothing keeps it.
    pub fn start(&mut self, desk: &Desk) {
        let source = self.source(desk);
        let (None, Some(config), Some(data)) = (self.obstacle(desk), self.editor.config(), source) else {
            return;
        };
        self.error = None;
        let start = StartTraining { config: config.clone(), data, out: paths::typed(&self.out) };
        desk.session.send(Command::Train(TrainCommand::Start(Box::new(start))));
    }

    fn settings_ui(&mut self, ui: &mut Ui, desk: &Desk) {
        let source = if self.run.is_some() { "run" } else { "recipe" };
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Settings").strong());
            match (self.editor.changes().len(), self.editor.errors()) {
                (0, 0) => drop(ui.weak(format!("as in the {source}"))),
                (changed, wrong) => {
                    if changed > 0 {
                        ui.weak(format!("{changed} changed"));
                    }
                    // What cannot be read has changed nothing yet.
                    if wrong > 0 {
                        ui.colored_label(ui.visuals().error_fg_color, format!("{wrong} wrong"));
                    }
                    let reset = ui.small_button("Reset");
                    if reset.on_hover_text(format!("All settings as in the {source}.")).clicked() {
                        self.editor.reset();
                    }
                }
            }
            if ui.small_button("Copy command").on_hover_text("The same run from a terminal.").clicked() {
                ui.ctx().copy_text(self.command_line(self.source(desk).as_ref()));
            }
        });
        if let Some(message) = self.editor.error("") {
            error_ui(ui, message);
        }
        fields_ui(ui, &mut self.editor);
    }

    /// The run on `source` as a command.
    fn command_line(&self, source: Option<&DataSource>) -> String {
        let mut words = vec!["bagssl train --data".to_owned()];
        words.push(source.map_or("DATA".to_owned(), |source| quoted(&source.spec.words())));
        if let Some(split) = source.and_then(|source| source.split) {
            words.push(format!("--split {}", split.name()));
        }
        words.push(format!("--out {}", quoted(&paths::to_words(&paths::typed(&self.out)))));
        words.push(match &self.run {
            Some(run) => format!("--config {}", quoted(&paths::to_words(&run.join(CONFIG_FILE)))),
            None => format!("--recipe {}", quoted(&self.chosen)),
        });
        let decoding = source.map_or(String::new(), |source| source.spec.decoding().to_string());
        words.extend(Some(decoding).filter(|decoding| !decoding.is_empty()));
        let changes = self.editor.assignments();
        words.extend(changes.iter().map(|change| format!("--set {}", quoted(change))));
        words.join(" ")
    }
}

fn key(source: &DataSource) -> (String, Option<&'static str>) {
    (source.spec.to_string(), source.split.map(|split| split.name()))
}

fn describe(recipe: &Recipe) -> String {
    format!(
        "{} \u{b7} {} \u{b7} for {} \u{b7} {}.",
        recipe.config.objective.title(),
        recipe.regime,
        recipe.data,
        recipe.cost.trim_end_matches('.')
    )
}
