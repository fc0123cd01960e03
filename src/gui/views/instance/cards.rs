//! A card for each marked position: its number, its place, and its nearest patches.

use std::collections::HashMap;

use eframe::egui::{
    Align, Button, Label, Layout, Rect, RichText, ScrollArea, Ui, UiBuilder, Vec2, pos2, vec2,
};

use crate::engine::{DataDescription, Gallery, PlaceView};
use crate::gui::desk::Desk;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::marks;
use crate::gui::paint::textures::GalleryAtlases;
use crate::gui::paint::theme::{self, STEP};
use crate::gui::panels::gallery::{self, PaintedGallery, way_words};
use crate::gui::widgets::place::empty_ui;
use crate::patch::PatchRef;

/// Neighbours of each position: with the query they fill 5 x 5 cells.
pub const NEIGHBOURS: usize = 24;
/// Cells in a row.
const COLUMNS: usize = 5;
/// Height of the line above a gallery.
const HEADING: f32 = 22.0;
/// Widths of a card, points.
const WIDTHS: std::ops::RangeInclusive<f32> = 156.0..=360.0;
/// Width of the scroll bar.
const BAR: f32 = 14.0;

/// The pictures of the cards.
#[derive(Default)]
pub struct Cards {
    atlases: HashMap<PatchRef, GalleryAtlases>,
}

impl Cards {
    /// Draws all cards into `area`, as large as all fit; a scroll bar where they do not.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, area: Rect) {
        let places = desk.places.list().to_vec();
        self.atlases.retain(|patch, _| places.contains(patch));
        if places.is_empty() {
            empty_ui(
                ui,
                area,
                "No position yet: click the image at several places, an eye, a wing, the background. Each gets a \
                 gallery of its nearest patches, all in one space.",
            );
            return;
        }
        if desk.session.snapshot().model.is_none() {
            empty_ui(ui, area, "Open a model to see the nearest patches of the marked positions.");
            return;
        }
        ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
            ScrollArea::vertical().id_salt("instance").auto_shrink(false).show(ui, |ui| {
                let grid = CardGrid::new(area.size() - vec2(BAR, 0.0), places.len());
                let (_, whole) = ui.allocate_space(grid.size());
                for (index, patch) in places.into_iter().enumerate() {
                    let rect = grid.card(index).translate(whole.min.to_vec2());
                    // Whether or not the area itself lies in sight: what a screen reader asks for is to be found in it.
                    if rect.intersects(area) {
                        self.card_ui(ui, desk, rect, index, patch);
                    }
                }
            });
        });
    }

    fn card_ui(&mut self, ui: &mut Ui, desk: &mut Desk, rect: Rect, index: usize, patch: PatchRef) {
        let snapshot = desk.session.snapshot().clone();
        let place = snapshot.views.places.as_ref().and_then(|places| places.of(patch));
        let (heading, rest) = (rect.with_max_y(rect.top() + HEADING), rect.with_min_y(rect.top() + HEADING));
        let config = desk.session.config();
        let shown = config.as_ref().map_or(&[][..], |config| &config.spaces);
        let space = desk.places.space(shown);
        let at = place.and_then(|place| place_of(space?, place));
        let reach = place.map(|place| (place, at));
        heading_ui(ui, desk, heading, index, place.map_or(patch, |place| place.patch), reach);
        if let Some(error) = place.and_then(|place| place.error.as_ref()) {
            ui.scope_builder(UiBuilder::new().max_rect(rest), |ui| {
                ui.colored_label(theme::error(ui.visuals().dark_mode).0, error);
            });
            return;
        }
        let Some((view, at)) = place.and_then(|place| place.gallery.as_ref()).zip(at) else {
            empty_ui(ui, rest, "searching...");
            return;
        };
        let is_old = config.as_ref().is_some_and(|config| config.filter != view.filter);
        let pending = is_old || place.is_some_and(|place| place.neighbours != NEIGHBOURS);
        let atlas = &self.atlases.entry(patch).or_default().of(ui.ctx(), view)[at];
        let owner = format!("position {}", index + 1);
        let gallery = &view.spaces[at];
        let columns = Some(COLUMNS);
        let painted =
            PaintedGallery { gallery, view, atlas, pending, owner: &owner, columns, compared: None };
        gallery::painted_ui(ui, desk, rest, NEIGHBOURS, &painted);
    }
}

/// Number and place of a position, how much was searched, and a button that removes it.
fn heading_ui(
    ui: &mut Ui,
    desk: &mut Desk,
    rect: Rect,
    index: usize,
    patch: PatchRef,
    known: Option<(&PlaceView, Option<usize>)>,
) {
    let snapshot = desk.session.snapshot().clone();
    let on_show = snapshot.view.as_ref().map(|view| view.index);
    let number = marks::number(ui.painter(), rect.min, index + 1);
    let builder = UiBuilder::new().max_rect(rect.with_min_x(number.right() + STEP / 2.0));
    ui.scope_builder(builder.layout(Layout::right_to_left(Align::Min)), |ui| {
        let remove = ui.add(Button::new(format!("Remove {}", index + 1)).small());
        if remove.on_hover_text("Lets go of this position; those after it move up.").clicked() {
            desk.places.remove(index);
        }
        ui.with_layout(Layout::left_to_right(Align::Min), |ui| {
            let mut text = format!("y {}, x {}", patch.y, patch.x);
            if on_show != Some(patch.image as usize) {
                text = format!("image {} \u{b7} {text}", thousands(patch.image as usize));
            }
            let place = ui.add(Label::new(RichText::new(&text).strong()).truncate());
            place.on_hover_ui(|ui| {
                ui.label(format!("{0} x {0} px, {text}", patch.size));
                if let Some(class) = class_of(snapshot.data.as_deref(), patch) {
                    ui.label(format!("The image is of class {class}."));
                }
                if let Some((known, at)) = known {
                    ui.label(reach_text(known, at));
                }
            });
        });
    });
}

/// Which of a place's galleries is that in `space`.
fn place_of(space: &str, place: &PlaceView) -> Option<usize> {
    place.gallery.as_ref()?.spaces.iter().position(|gallery| gallery.space == space)
}

/// How much was searched for a place, in the space whose gallery is the one at `at`: each may be searched in its own way.
fn reach_text(place: &PlaceView, at: Option<usize>) -> String {
    let Some((view, at)) = place.gallery.as_ref().zip(at) else {
        return "Its neighbours are being searched.".into();
    };
    let Gallery { neighbours, searched, recall, .. } = &view.spaces[at];
    format!(
        "The {} nearest over {} of {}. {}",
        thousands(neighbours.len()),
        thousands(*searched),
        count(view.total, "patch"),
        way_words(*recall)
    )
}

fn class_of(data: Option<&DataDescription>, patch: PatchRef) -> Option<&str> {
    let data = data?;
    let label = data.labels.get(patch.image as usize).copied().flatten()?;
    data.classes.get(label as usize).map(String::as_str)
}

/// Where the cards lie.
#[derive(Debug)]
struct CardGrid {
    cards: usize,
    columns: usize,
    card: Vec2,
}

impl CardGrid {
    /// `cards` as large as all fit into `area`, or as many side by side as can be.
    fn new(area: Vec2, cards: usize) -> Self {
        let most = ((area.x + STEP) / (WIDTHS.start() + STEP)).floor().max(1.0) as usize;
        let grid = |columns: usize| {
            let width = (area.x - STEP * (columns - 1) as f32) / columns as f32;
            let width = width.min(*WIDTHS.end()).floor();
            let height = HEADING + gallery::height_of(NEIGHBOURS, Some(COLUMNS), width);
            Self { cards, columns, card: vec2(width, height) }
        };
        (1..=most).map(grid).find(|grid| grid.size().y <= area.y).unwrap_or_else(|| grid(most))
    }

    fn size(&self) -> Vec2 {
        let rows = self.cards.div_ceil(self.columns);
        vec2(self.columns as f32 * (self.card.x + STEP) - STEP, rows as f32 * (self.card.y + STEP) - STEP)
    }

    /// Card `index`, from the upper left corner of all.
    fn card(&self, index: usize) -> Rect {
        let place = vec2((index % self.columns) as f32, (index / self.columns) as f32);
        let corner = place * (self.card + Vec2::splat(STEP));
        Rect::from_min_size(pos2(corner.x, corner.y), self.card)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_cards_are_large_and_many_lie_side_by_side() {
        let area = vec2(520.0, 640.0);
        for (cards, columns) in [(1, 1), (2, 2), (4, 2), (32, 3)] {
            let grid = CardGrid::new(area, cards);
            assert_eq!(grid.columns, columns, "{cards} cards: {grid:?}");
            assert!(grid.size().x <= area.x && (cards > 6 || grid.size().y <= area.y), "{grid:?}");
            let last = grid.card(cards - 1);
            assert_eq!(last.max.y, grid.size().y);
        }
        // Too narrow for the least width: one column all the same.
        assert_eq!(CardGrid::new(vec2(100.0, 640.0), 3).columns, 1);
    }
}
