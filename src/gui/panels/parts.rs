//! The parts of a query one below the other: each with its sign, its pixels, its place, and a way out.

use std::sync::Arc;

use eframe::egui::{Align, Button, Label, Layout, Sense, Ui, Vec2};

use crate::engine::{QueryPart, QuerySpec, Sign};
use crate::gui::nouns::text::thousands;
use crate::gui::paint::textures::PictureSlot;
use crate::image::Image;

use crate::gui::desk::Desk;
use crate::gui::widgets::place::picture_ui;

/// Side of a part's picture, points.
const SIDE: f32 = 22.0;

/// The pictures of the parts.
#[derive(Default)]
pub struct PartsList {
    pictures: Vec<PictureSlot>,
}

impl PartsList {
    /// Draws the parts of `query`, if it has several or one is to be unlike. `pixels` are theirs, once they
    /// are known.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, query: &QuerySpec, pixels: &[Arc<Image>]) {
        if query.parts.len() < 2 && query.parts.iter().all(|part| part.sign == Sign::Plus) {
            return;
        }
        let patch = desk.session.config().map_or(0, |config| config.grid.patch);
        self.pictures.resize_with(query.parts.len(), PictureSlot::default);
        for (index, (part, slot)) in query.parts.iter().zip(&mut self.pictures).enumerate() {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 4.0;
                sign_ui(ui, desk, index, part);
                let (rect, _) = ui.allocate_exact_size(Vec2::splat(SIDE), Sense::hover());
                picture_ui(ui, slot, rect, pixels.get(index));
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let remove = ui.add_enabled(query.parts.len() > 1, Button::new("\u{d7}").small());
                    let remove = remove.accessible_name(format!("Remove part {}", index + 1));
                    if remove.on_hover_text("Takes this part out of the query.").clicked() {
                        desk.session.remove_part(index);
                    }
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        ui.add(Label::new(short_place(part, patch)).truncate()).on_hover_text(place(part));
                    });
                });
            });
        }
    }
}

/// The sign of a part, which a click turns round.
fn sign_ui(ui: &mut Ui, desk: &mut Desk, index: usize, part: &QueryPart) {
    let (is, other) = match part.sign {
        Sign::Plus => ("added", "subtract"),
        Sign::Minus => ("subtracted", "add"),
    };
    let button = ui.add(Button::new(part.sign.symbol()).small().min_size(Vec2::new(18.0, 0.0)));
    let button = button.accessible_name(format!("Part {} is {is}", index + 1));
    let tip = format!("This part is {is}; click to {other} it. Each part counts as its unit vector.");
    if button.on_hover_text(tip).clicked() {
        desk.session.turn_part(index);
    }
}

/// Where a part lies, in few letters: its size only where it is not that of the patches.
fn short_place(part: &QueryPart, patch: u32) -> String {
    match part.source.area() {
        Some(area) if (area.width, area.height) == (patch, patch) => format!("y {}, x {}", area.y, area.x),
        Some(area) => format!("{}x{}, y {}, x {}", area.width, area.height, area.y, area.x),
        None => part.source.to_string(),
    }
}

/// Where a part lies.
fn place(part: &QueryPart) -> String {
    match part.source.area() {
        Some(area) => format!("{} of image {}", part.source, thousands(area.image as usize)),
        None => part.source.to_string(),
    }
}
