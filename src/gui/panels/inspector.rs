//! Facts about the query, what lies under the pointer, what the marks mean,
//! and the way to a figure.

use eframe::egui::{Color32, Grid, Label, Rect, RichText, ScrollArea, Sense, Ui, Vec2, vec2};

use crate::engine::{FigureKind, Gallery, GalleryView, Relation, Snapshot};

use super::neighbour::relation_text;
use super::parts::PartsList;
use super::pins::PinsStrip;
use super::top::action_button;
use crate::gui::desk::Desk;
use crate::gui::nouns::actions::Action;
use crate::gui::nouns::spaces::explain_space;
use crate::gui::nouns::text;
use crate::gui::nouns::views::Adds;
use crate::gui::paint::marks;
use crate::gui::paint::textures::PictureSlot;
use crate::gui::paint::theme::{self, STEP};
use crate::gui::widgets::histogram::histogram_ui;
use crate::gui::widgets::place::picture_ui;

/// Side of the enlarged query, points.
const QUERY_SIDE: f32 = 56.0;

/// The panel's own state.
#[derive(Default)]
pub struct InspectorPanel {
    query: PictureSlot,
    parts: PartsList,
    pins: PinsStrip,
}

impl InspectorPanel {
    /// Draws the panel.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let snapshot = desk.session.snapshot().clone();
        self.query_ui(ui, desk, &snapshot);
        separator(ui);
        heading(ui, "Pins");
        self.pins.ui(ui, desk);
        separator(ui);
        pointer_ui(ui, desk, &snapshot);
        separator(ui);
        // What follows is about the maps and galleries of the first view.
        let is_of_maps = desk.view.adds() != Adds::SecondModel;
        if !desk.maps.list().is_empty() && is_of_maps {
            heading(ui, "Distribution");
            let scale = desk.scale();
            for map in desk.maps.list() {
                histogram_ui(ui, map, &scale, desk.settings.contour);
            }
            separator(ui);
        }
        if let Some(galleries) = snapshot.galleries.as_ref().filter(|_| is_of_maps) {
            composition_ui(ui, galleries);
            separator(ui);
        }
        heading(ui, "Export a figure");
        ui.columns(2, |columns| {
            for (place, name, kind) in [
                (0, "Heatmaps...", FigureKind::Heatmaps),
                (1, "Galleries...", FigureKind::Galleries),
                (0, "Parts...", FigureKind::Parts),
                (1, "Instance...", FigureKind::Instance),
            ] {
                columns[place].vertical_centered_justified(|ui| {
                    action_button(ui, desk, name, Action::Export(kind));
                });
            }
        });
        separator(ui);
        legend_ui(ui, snapshot.galleries.as_deref());
    }

    fn query_ui(&mut self, ui: &mut Ui, desk: &mut Desk, snapshot: &Snapshot) {
        ui.horizontal(|ui| {
            heading(ui, "Query");
            ui.with_layout(eframe::egui::Layout::right_to_left(eframe::egui::Align::Center), |ui| {
                let (back, forward) = (desk.session.can_go_back(), desk.session.can_go_forward());
                ui.add_enabled_ui(forward, |ui| action_button(ui, desk, "Forward", Action::Forward));
                ui.add_enabled_ui(back, |ui| action_button(ui, desk, "Back", Action::Back));
            });
        });
        let Some(query) = desk.session.query() else {
            let text = desk.lacks();
            ui.weak(text.unwrap_or_else(|| "No query yet: click a patch of the image.".to_owned()));
            return;
        };
        let answered = snapshot.query.as_ref().filter(|view| view.query == query);
        let pixels = answered.map_or(&[][..], |view| &view.parts);
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(QUERY_SIDE), Sense::hover());
            picture_ui(ui, &mut self.query, rect.shrink(2.0), pixels.first());
            marks::query_dashes(ui.painter(), rect.shrink(1.0));
            ui.vertical(|ui| {
                if let Some(image) = query.home() {
                    let view = snapshot.view.as_ref().filter(|view| view.index == image as usize);
                    let number = text::thousands(image as usize);
                    let name = view.map_or(String::new(), |view| view.name.clone());
                    // Its class, or what the file is called.
                    let what = view.map(|view| view.class.as_ref().unwrap_or(&view.name));
                    if let Some(what) = what {
                        ui.add(Label::new(RichText::new(what).strong()).truncate()).on_hover_text(&name);
                    }
                    ui.add(Label::new(format!("image {number}")).truncate()).on_hover_text(name);
                }
                action_button(ui, desk, "Pin in Train", Action::PinQuery);
            });
        });
        ui.label(query.words()).on_hover_text(
            "Width x height, then row y and column x of the top-left pixel, from 0, of the image as stored.",
        );
        self.parts.ui(ui, desk, &query, pixels);
        if let Some(query) = snapshot.query.as_ref().filter(|_| !desk.session.is_query_pending()) {
            let total = query.maps.first().map_or(0, |map| map.values.len());
            if query.known < total {
                ui.weak(format!("{} of {}", text::thousands(query.known), text::count(total, "patch")));
            }
            if let Some(tiles) = &query.tiles {
                ui.weak(format!("places: {tiles}")).on_hover_text(
                    "The image is too large for one pass. Each tile goes through the network alone; a place has its vector \
                     from the tile in which it lies deepest. Larger or other tiles: all about the model.",
                );
            }
        }
    }
}

fn heading(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).strong());
}

fn separator(ui: &mut Ui) {
    ui.add_space(STEP / 2.0);
    ui.separator();
}

/// Always takes the same room, so that nothing below it jumps.
fn pointer_ui(ui: &mut Ui, desk: &Desk, snapshot: &Snapshot) {
    heading(ui, "Pointer to query");
    let hover = desk.hover.as_ref();
    let place = hover.map(|hover| format!("y {}, x {}", hover.pixel.1, hover.pixel.0));
    let has_parts = snapshot.view.as_ref().is_some_and(|view| view.parts.is_some());
    Grid::new("pointer").num_columns(2).spacing(vec2(2.0 * STEP, 2.0)).show(ui, |ui| {
        ui.weak("pixel");
        ui.label(place.unwrap_or_default());
        ui.end_row();
        if has_parts {
            ui.weak("part");
            ui.label(hover.and_then(|hover| hover.object_part.as_deref()).unwrap_or_default());
            ui.end_row();
        }
        let compared = hover.filter(|_| desk.view.adds() == Adds::SecondModel);
        let of_both = compared.iter().flat_map(|hover| hover.values.iter().map(|(name, _)| name.as_str()));
        let of_maps = desk.maps.of_query().iter().map(|map| map.space.as_str());
        let of_maps = of_maps.filter(|_| desk.view.adds() != Adds::SecondModel);
        for space in of_maps.chain(of_both) {
            let color = theme::space(space, ui.visuals().dark_mode);
            ui.label(RichText::new(space).strong().color(color)).on_hover_text(explain_space(space));
            let value = hover.and_then(|hover| hover.values.iter().find(|(name, _)| name == space));
            let words = |value: &Option<f32>| text::shown(value.unwrap_or(f32::NAN), desk.settings.mode);
            ui.label(value.map_or(String::new(), |(_, value)| words(value)));
            ui.end_row();
        }
    });
}

/// The kinships that a gallery can have: with classes or without.
fn relations_in(galleries: &GalleryView) -> Vec<Relation> {
    let has = |relation| {
        galleries.spaces.iter().flat_map(|space| &space.neighbours).any(|hit| hit.relation == relation)
    };
    let labelled = has(Relation::SameClass) || has(Relation::OtherClass);
    let mut relations = vec![Relation::SameImage];
    if labelled {
        relations.extend([Relation::SameClass, Relation::OtherClass]);
    }
    if !labelled || has(Relation::OtherImage) {
        relations.push(Relation::OtherImage);
    }
    relations
}

fn share(gallery: &Gallery, relation: Relation) -> usize {
    gallery.neighbours.iter().filter(|hit| hit.relation == relation).count()
}

/// How many neighbours of each kinship there are in each space.
fn composition_ui(ui: &mut Ui, galleries: &GalleryView) {
    heading(ui, "Neighbours");
    // Many spaces would make the panel wider.
    ScrollArea::horizontal().id_salt("composition").show(ui, |ui| shares_ui(ui, galleries));
}

fn shares_ui(ui: &mut Ui, galleries: &GalleryView) {
    Grid::new("composition").num_columns(1 + galleries.spaces.len()).spacing(vec2(2.0 * STEP, 2.0)).show(
        ui,
        |ui| {
            ui.label("");
            for gallery in &galleries.spaces {
                let color = theme::space(&gallery.space, ui.visuals().dark_mode);
                ui.label(RichText::new(&gallery.space).strong().color(color));
            }
            ui.end_row();
            for relation in relations_in(galleries) {
                ui.weak(relation_text(relation));
                for gallery in &galleries.spaces {
                    let (part, all) = (share(gallery, relation), gallery.neighbours.len());
                    let percent = 100.0 * part as f64 / all.max(1) as f64;
                    ui.label(text::thousands(part)).on_hover_text(format!(
                        "{part} of {all} neighbours in {} ({percent:.0} %)",
                        gallery.space
                    ));
                }
                ui.end_row();
            }
        },
    );
}

/// What the frames and corner signs mean (Appendix E of the paper).
fn legend_ui(ui: &mut Ui, galleries: Option<&GalleryView>) {
    heading(ui, "Marks");
    ui.spacing_mut().item_spacing.y = 2.0;
    legend_row(ui, "query", |ui, rect| marks::query_dashes(ui.painter(), rect.shrink(1.0)));
    let relations = galleries
        .map_or_else(|| vec![Relation::SameImage, Relation::SameClass, Relation::OtherClass], relations_in);
    for relation in relations {
        let name = match relation {
            Relation::SameImage => "same image: no frame",
            Relation::SameClass => "same class, other image",
            Relation::OtherClass => "other class",
            Relation::OtherImage => "other image, no class",
        };
        legend_row(ui, name, |ui, rect| {
            ui.painter().rect_filled(rect, 0.0, Color32::from_gray(64));
            marks::relation_marks(ui.painter(), rect, relation);
        });
    }
}

fn legend_row(ui: &mut Ui, name: &str, paint: impl FnOnce(&Ui, Rect)) {
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(22.0), Sense::hover());
        paint(ui, rect);
        ui.label(name);
    });
}
