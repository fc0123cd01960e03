//! What stands in a place that is given: a heading, a remark, a small picture.

use std::sync::Arc;

use eframe::egui::{Color32, Pos2, Rect, RichText, Ui, UiBuilder, pos2};

use crate::gui::paint::textures::PictureSlot;
use crate::gui::paint::theme::STEP;
use crate::image::Image;

/// A picture as the network sees it, stretched to `rect`; an empty place where it is not known yet.
pub fn picture_ui(ui: &Ui, slot: &mut PictureSlot, rect: Rect, picture: Option<&Arc<Image>>) {
    match picture {
        Some(picture) => {
            let texture = slot.texture(ui.ctx(), "query", picture, rect).id();
            let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
            ui.painter().image(texture, rect, whole, Color32::WHITE);
        }
        None => drop(ui.painter().rect_filled(rect, 0.0, ui.visuals().faint_bg_color)),
    }
}

/// A line of text in a given place.
pub fn heading_ui(ui: &mut Ui, rect: Rect, add: impl FnOnce(&mut Ui)) {
    let builder = UiBuilder::new().max_rect(rect).layout(*ui.layout());
    ui.scope_builder(builder, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = STEP / 2.0;
            add(ui);
        })
    });
}

/// A remark in the middle of an empty place.
pub fn empty_ui(ui: &mut Ui, rect: Rect, text: &str) {
    let builder = UiBuilder::new().max_rect(rect.shrink(STEP));
    ui.scope_builder(builder, |ui| {
        ui.vertical_centered(|ui| {
            ui.add_space((rect.height() / 2.0 - 2.0 * STEP).max(0.0));
            ui.label(RichText::new(text).weak());
        });
    });
}
