//! The images of the data set: a list of thumbnails of which only the visible
//! ones are read, and a box to find one.

use eframe::egui::{
    self, Color32, Key, Rect, Response, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextEdit, Ui,
    Vec2, WidgetInfo, vec2,
};

use crate::engine::{Command, DataDescription};

use super::Desk;
use super::top::action_button;
use crate::gui::actions::Action;
use crate::gui::text::{count, thousands};
use crate::gui::textures::{Thumbnail, Thumbnails};
use crate::gui::theme::{self, STEP};

/// Side of a thumbnail, points.
const SIDE: f32 = 64.0;

/// The panel's own state.
#[derive(Default)]
pub struct ImagesPanel {
    filter: String,
    /// The images that fit the filter, and what they were found for.
    fitting: Option<(u64, String, Vec<u32>)>,
    /// An image to bring into view.
    scroll_to: Option<usize>,
    /// The image that was on show in the last frame.
    last_shown: Option<usize>,
    /// Set to put the keyboard into the filter box.
    pub focus_filter: bool,
}

impl ImagesPanel {
    /// Draws the panel.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, thumbnails: &mut Thumbnails) {
        let snapshot = desk.session.snapshot().clone();
        ui.take_available_width();
        let Some(data) = &snapshot.data else {
            ui.weak("No data yet. Open a folder or an image, or drop one here.");
            return;
        };
        self.filter_ui(ui, desk, data);
        self.update_fitting(data);
        let fitting = self.fitting.as_ref().map_or(&[][..], |(_, _, fitting)| fitting);
        let text = if fitting.len() == data.images {
            count(data.images, "image")
        } else {
            format!("{} of {}", thousands(fitting.len()), count(data.images, "image"))
        };
        ui.horizontal(|ui| {
            ui.label(RichText::new(text).weak());
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                action_button(ui, desk, "Random", Action::RandomImage);
            });
        });
        self.follow_shown(snapshot.view.as_ref().map(|view| view.index));
        thumbnails.begin_frame(data.id);
        self.list_ui(ui, desk, data, thumbnails);
    }

    fn filter_ui(&mut self, ui: &mut Ui, desk: &mut Desk, data: &DataDescription) {
        let hint = if data.classes.is_empty() { "index" } else { "index or class" };
        let field =
            ui.add(TextEdit::singleline(&mut self.filter).hint_text(hint).desired_width(f32::INFINITY));
        let field = field.accessible_name("Find image");
        if std::mem::take(&mut self.focus_filter) {
            field.request_focus();
        }
        let index = self.filter.trim().replace(',', "").parse::<usize>().ok();
        if field.changed() {
            self.scroll_to = index;
        }
        if field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            self.update_fitting(data);
            let first =
                || self.fitting.as_ref().and_then(|(_, _, fitting)| fitting.first()).map(|&at| at as usize);
            if let Some(index) = index.or_else(first) {
                desk.session.show_image(index);
            }
        }
    }

    /// Finds the images that fit the filter: all for an empty one or an index, those of fitting classes otherwise.
    fn update_fitting(&mut self, data: &DataDescription) {
        let filter = self.filter.trim().to_lowercase();
        if self.fitting.as_ref().is_some_and(|(id, text, _)| *id == data.id && *text == filter) {
            return;
        }
        let fitting = fitting_images(data, &filter);
        self.fitting = Some((data.id, filter, fitting));
    }

    /// Brings the image on show into view when it changes.
    fn follow_shown(&mut self, shown: Option<usize>) {
        if shown != self.last_shown {
            self.last_shown = shown;
            self.scroll_to = shown;
        }
    }

    /// An image at random from those that fit, if there are any.
    pub fn random(&self) -> Option<usize> {
        let (_, _, fitting) = self.fitting.as_ref()?;
        (!fitting.is_empty()).then(|| fitting[rand::random_range(0..fitting.len())] as usize)
    }

    /// The image `by` places after the one on show, among those that fit.
    pub fn neighbour_of_shown(&self, by: isize) -> Option<usize> {
        let (_, _, fitting) = self.fitting.as_ref()?;
        let place = fitting.partition_point(|&image| (image as usize) < self.last_shown.unwrap_or(0));
        let next = place.checked_add_signed(by)?;
        fitting.get(next).map(|&image| image as usize)
    }

    fn list_ui(&mut self, ui: &mut Ui, desk: &mut Desk, data: &DataDescription, thumbnails: &mut Thumbnails) {
        let Some((_, _, fitting)) = &self.fitting else { return };
        if fitting.is_empty() {
            ui.weak("No class has this name.");
            return;
        }
        ui.spacing_mut().item_spacing = Vec2::splat(STEP / 2.0);
        let columns = ((ui.available_width() - STEP) / (SIDE + STEP / 2.0)).floor().max(1.0) as usize;
        let rows = fitting.len().div_ceil(columns);
        let mut area = ScrollArea::vertical().auto_shrink(false).id_salt("thumbnails");
        if let Some(index) = self.scroll_to.take() {
            let place = fitting.partition_point(|&image| (image as usize) < index);
            let top = (place / columns) as f32 * (SIDE + STEP / 2.0);
            area = area.vertical_scroll_offset((top - ui.available_height() / 2.0 + SIDE / 2.0).max(0.0));
        }
        let now = ui.input(|input| input.time);
        area.show_rows(ui, SIDE, rows, |ui, visible| {
            for row in visible {
                ui.horizontal(|ui| {
                    let first = row * columns;
                    for &image in &fitting[first..(first + columns).min(fitting.len())] {
                        let shown = self.last_shown == Some(image as usize);
                        thumbnail_ui(ui, desk, data, thumbnails, image as usize, shown, now);
                    }
                });
            }
        });
    }
}

fn fitting_images(data: &DataDescription, filter: &str) -> Vec<u32> {
    let all = 0..data.images as u32;
    if filter.is_empty() || filter.replace(',', "").parse::<usize>().is_ok() {
        return all.collect();
    }
    let fits: Vec<bool> = data.classes.iter().map(|class| class.to_lowercase().contains(filter)).collect();
    let label = |image: &u32| data.labels.get(*image as usize).copied().flatten();
    all.filter(|image| label(image).is_some_and(|label| fits.get(label as usize) == Some(&true))).collect()
}

/// "1,207 · horse"; the index alone without labels.
pub fn image_title(data: &DataDescription, index: usize) -> String {
    let label = data.labels.get(index).copied().flatten();
    match label.and_then(|label| data.classes.get(label as usize)) {
        Some(class) => format!("{} \u{b7} {class}", thousands(index)),
        None => thousands(index),
    }
}

fn thumbnail_ui(
    ui: &mut Ui,
    desk: &mut Desk,
    data: &DataDescription,
    thumbnails: &mut Thumbnails,
    index: usize,
    is_shown: bool,
    now: f64,
) {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(SIDE), Sense::CLICK);
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Button, true, format!("image {}", image_title(data, index)))
    });
    match thumbnails.get(index, now) {
        Thumbnail::Ready(texture) => {
            let size = texture.size_vec2();
            let shown = size * (SIDE / size.x.max(size.y));
            let uv = Rect::from_min_max(egui::Pos2::ZERO, egui::pos2(1.0, 1.0));
            let place = Rect::from_center_size(rect.center(), shown);
            ui.painter().image(texture.id(), place, uv, Color32::WHITE);
        }
        Thumbnail::Missing { ask } => {
            ui.painter().rect_filled(rect.shrink2(vec2(1.0, 1.0)), 2.0, ui.visuals().faint_bg_color);
            if ask {
                desk.session.send(Command::Thumbnail { data: data.id, index });
            }
        }
    }
    frame(ui, rect, &response, is_shown);
    if response.on_hover_ui(|ui| drop(ui.label(image_title(data, index)))).clicked() {
        desk.session.show_image(index);
    }
}

fn frame(ui: &Ui, rect: Rect, response: &Response, is_shown: bool) {
    let accent = theme::accent(ui.visuals().dark_mode);
    if is_shown {
        ui.painter().rect_stroke(rect, 2.0, Stroke::new(2.0, accent), StrokeKind::Outside);
    } else if response.hovered() {
        ui.painter().rect_stroke(rect, 2.0, Stroke::new(1.0, accent), StrokeKind::Outside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_finds_classes_by_a_part_of_their_name() {
        let data = DataDescription {
            id: 1,
            name: "few".into(),
            kind: "folder".into(),
            images: 4,
            classes: vec!["Horse".into(), "dog".into()],
            labels: vec![Some(0), Some(1), None, Some(0)],
            size: None,
            split: None,
            skipped: vec![],
        };
        assert_eq!(fitting_images(&data, "hor"), [0, 3]);
        assert_eq!(fitting_images(&data, ""), [0, 1, 2, 3]);
        assert_eq!(fitting_images(&data, "2"), [0, 1, 2, 3]);
        assert!(fitting_images(&data, "cat").is_empty());
        assert_eq!(image_title(&data, 1), "1 \u{b7} dog");
    }
}
