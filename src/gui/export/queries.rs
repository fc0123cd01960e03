//! Which queries a figure shows: the marked positions while these are on show, else those that were asked, in
//! the order in which they were.

use eframe::egui::{ScrollArea, Ui};

use super::kinds::{KindRow, row};
use crate::engine::{DataDescription, FigureKind, defaults};
use crate::gui::desk::Desk;
use crate::gui::nouns::views::Adds;
use crate::patch::PatchRef;

/// Queries that can be chosen from at most: the last ones.
const MOST: usize = 64;
/// Least queries of a sheet or an instance.
const LEAST: usize = 2;

/// Queries and whether each is wanted.
#[derive(Default)]
pub struct Candidates {
    list: Vec<(PatchRef, bool)>,
    /// The one on show.
    current: Option<PatchRef>,
}

impl Candidates {
    /// The queries that a figure of `kind` may show, those wanted that it shows unless told.
    pub fn of(kind: FigureKind, desk: &Desk) -> Self {
        let current = desk.session.query().and_then(|query| query.as_patch());
        if row(kind).is_sheet && desk.view.adds() == Adds::Positions && !desk.places.list().is_empty() {
            return Self { list: marked(kind, desk.places.list()), current };
        }
        let mut asked = desk.session.asked_patches();
        if kind == FigureKind::Instance {
            let image = current.map(|patch| patch.image);
            asked.retain(|patch| Some(patch.image) == image);
        }
        asked.drain(..asked.len().saturating_sub(MOST));
        let first_part = asked.len().saturating_sub(defaults::PARTS);
        let is_wanted = |place: usize, patch: &PatchRef| match kind {
            FigureKind::Heatmaps | FigureKind::Galleries => Some(*patch) == current,
            FigureKind::Parts => place >= first_part,
            FigureKind::Instance => true,
        };
        let list = asked.iter().enumerate().map(|(i, patch)| (*patch, is_wanted(i, patch))).collect();
        Self { list, current }
    }

    /// Those that are wanted, in the order in which they were asked.
    pub fn chosen(&self) -> Vec<PatchRef> {
        self.list.iter().filter(|(_, is_wanted)| *is_wanted).map(|(patch, _)| *patch).collect()
    }

    /// Why a figure of `kind` cannot be made of them, and what to do first.
    pub fn obstacle(&self, kind: FigureKind) -> Option<String> {
        let chosen = self.chosen().len();
        let KindRow { is_sheet, more_queries, .. } = row(kind);
        let needed = if is_sheet { LEAST } else { 1 };
        if chosen >= needed {
            return None;
        }
        if self.list.is_empty() {
            return Some("There is no query yet: click a patch of the image first.".into());
        }
        if self.list.len() >= needed {
            return Some(match needed {
                1 => "Choose at least one query.".into(),
                _ => "Choose at least two queries.".into(),
            });
        }
        Some(more_queries.into())
    }

    /// A row for each query.
    pub fn ui(&mut self, ui: &mut Ui, data: Option<&DataDescription>) {
        let chosen = self.chosen().len();
        ui.horizontal(|ui| {
            ui.label(format!("Queries: {chosen} of {}", self.list.len()))
                .on_hover_text("The patches that were asked about, oldest first; they stand in this order.");
            if ui.small_button("All").clicked() {
                self.list.iter_mut().for_each(|(_, is_wanted)| *is_wanted = true);
            }
            if ui.small_button("Only the one on show").clicked() {
                let current = self.current;
                self.list.iter_mut().for_each(|(patch, wanted)| *wanted = Some(*patch) == current);
            }
        });
        let rows = ScrollArea::vertical().id_salt("queries").max_height(110.0).auto_shrink([false, true]);
        rows.show(ui, |ui| {
            for (patch, is_wanted) in &mut self.list {
                let on_show = if Some(*patch) == self.current { " (on show)" } else { "" };
                let PatchRef { image, y, x, .. } = *patch;
                let class = class_of(data, image).map(|class| format!(" \u{b7} {class}")).unwrap_or_default();
                ui.checkbox(is_wanted, format!("image {image}{class}, y {y}, x {x}{on_show}"));
            }
        });
    }
}

/// The marked positions, all wanted that a figure of `kind` can show.
fn marked(kind: FigureKind, places: &[PatchRef]) -> Vec<(PatchRef, bool)> {
    let is_wanted = |patch: &PatchRef| kind == FigureKind::Parts || patch.image == places[0].image;
    places.iter().filter(|patch| is_wanted(patch)).map(|patch| (*patch, true)).collect()
}

fn class_of(data: Option<&DataDescription>, image: u32) -> Option<String> {
    let data = data?;
    let label = data.labels.get(image as usize).copied().flatten()?;
    data.classes.get(label as usize).cloned()
}
