//! What the models of a figure are called in it.

use eframe::egui::{TextEdit, Ui};

use crate::engine::ModelNames;
use crate::gui::desk::Desk;

use super::ExportDialog;

/// A model of the figure: how a comparison calls it, its own name and its hash.
struct NamedModel {
    side: &'static str,
    name: String,
    hash: String,
}

/// Letters of a name at most.
const LONGEST: usize = 40;

/// Whether both sides are the same weights.
fn is_one_twice(models: &[NamedModel]) -> bool {
    matches!(models, [own, other] if own.hash == other.hash)
}

impl ExportDialog {
    /// The open model, and the second one where the figure shows both.
    fn models(&self, desk: &Desk) -> Vec<NamedModel> {
        let snapshot = desk.session.snapshot();
        let Some(model) = &snapshot.model else { return vec![] };
        let own = NamedModel { side: "model", name: model.name.clone(), hash: model.hash.clone() };
        match (self.beside(desk), &snapshot.views.compare) {
            (Some(beside), Some(compare)) => vec![
                NamedModel { side: "A", ..own },
                NamedModel { side: "B", name: compare.name.clone(), hash: beside.hash },
            ],
            _ => vec![own],
        }
    }

    /// What they are called.
    pub(super) fn names(&self, desk: &Desk) -> ModelNames {
        let models = self.models(desk);
        if is_one_twice(&models) {
            return ModelNames::default(); // one name could not tell them apart
        }
        let mut names = models.into_iter().map(|model| self.choices.alias(&model.hash));
        ModelNames { own: names.next().unwrap_or_default(), beside: names.next().unwrap_or_default() }
    }

    /// Two models of one architecture are told apart by their names, unless the user calls them otherwise.
    pub(super) fn propose_names(&mut self, desk: &Desk) {
        let snapshot = desk.session.snapshot();
        let arch = snapshot.model.as_ref().map(|model| &model.arch);
        let other = snapshot.views.compare.as_ref().and_then(|compare| compare.other.as_ref());
        let models = self.models(desk);
        let fits = |model: &NamedModel| model.name.chars().count() <= LONGEST;
        let is_distinct = models.len() == 2 && models[0].name != models[1].name && !is_one_twice(&models);
        let is_distinct = is_distinct && models.iter().all(fits);
        if is_distinct && arch == other.map(|other| &other.arch) {
            for NamedModel { name, hash, .. } in models {
                self.choices.aliases.entry(hash).or_insert(name);
            }
        }
    }

    /// A field for the name of each.
    pub(super) fn names_ui(&mut self, ui: &mut Ui, desk: &Desk) {
        for NamedModel { side, name, hash } in self.models(desk) {
            ui.horizontal(|ui| {
                let label = ui.label(format!("Name of {side}"));
                let mut alias = self.choices.alias(&hash);
                let field = TextEdit::singleline(&mut alias).desired_width(150.0).char_limit(LONGEST).hint_text(name);
                let field = ui.add(field).labelled_by(label.id).on_hover_text(
                    "What headings, notes and caption call it, in place of its hash. Empty: architecture and hash.",
                );
                if field.changed() {
                    self.choices.aliases.insert(hash, alias);
                }
            });
        }
    }
}
