//! The pinned queries as small pictures: a click goes back to one.

use std::collections::HashMap;

use eframe::egui::{Button, Id, Popup, Response, Role, Sense, Ui, Vec2, WidgetInfo};

use crate::engine::QuerySpec;
use crate::gui::nouns::QueryRole;
use crate::gui::nouns::actions::{Action, keys_of};
use crate::gui::nouns::text::thousands;
use crate::gui::paint::marks;
use crate::gui::paint::textures::PictureSlot;

use crate::gui::desk::Desk;
use crate::gui::widgets::place::picture_ui;

/// Side of a pin, points.
const SIDE: f32 = 32.0;

/// The pictures that are on screen, by place.
#[derive(Default)]
pub struct PinsStrip {
    pictures: HashMap<usize, PictureSlot>,
}

impl PinsStrip {
    /// Draws the pins of the open data set.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let pins = desk.pins.list().to_vec();
        if pins.is_empty() {
            let keys = keys_of(ui.ctx(), Action::Pin);
            ui.weak(format!("None yet: {keys} keeps what is under the pointer, or the query, at hand."));
            return;
        }
        let current = desk.session.query();
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = Vec2::splat(3.0);
            for (index, pin) in pins.iter().enumerate() {
                let (rect, response) = ui.allocate_exact_size(Vec2::splat(SIDE), Sense::CLICK);
                let picture = desk.pins.picture(pin, |ask| desk.session.send(ask));
                picture_ui(ui, self.pictures.entry(index).or_default(), rect.shrink(2.0), picture.as_ref());
                if current.as_ref() == Some(pin) {
                    marks::query_dashes(ui.painter(), rect.shrink(1.0));
                } else if response.hovered() || response.has_focus() {
                    marks::hover_outline(ui.painter(), rect.shrink(1.0));
                }
                let name = format!("Pin {}: {}", index + 1, words(pin));
                response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                let tip =
                    format!("{name}\nClick: look for it; Shift adds it to the query, Alt subtracts it.");
                pin_ui(ui, desk, &response.on_hover_text(tip), index, pin);
            }
        });
    }
}

/// What the pointer does to a pin.
fn pin_ui(ui: &Ui, desk: &mut Desk, response: &Response, index: usize, pin: &QuerySpec) {
    if response.clicked() {
        let role = QueryRole::of(ui.input(|input| input.modifiers));
        desk.session.take_all(role, pin);
    }
    Popup::context_menu(response).id(Id::unique(("pin", index))).show(|ui| {
        if ui.add(Button::new("Remove this pin")).clicked() {
            desk.pins.remove(index);
            ui.close();
        }
    });
}

/// What a pin is, with its image.
fn words(pin: &QuerySpec) -> String {
    match pin.home() {
        Some(image) => format!("{}, image {}", pin.words(), thousands(image as usize)),
        None => pin.words(),
    }
}
