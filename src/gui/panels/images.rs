//! The images of the data set: a list of thumbnails of which only the visible
//! ones are read, and ways to find one. Nothing here goes through all images in
//! a frame: the engine answers searches.

use std::sync::Arc;

use eframe::egui::{
    self, Color32, ComboBox, Id, Key, Rect, Response, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind,
    TextEdit, Ui, Vec2, WidgetInfo, vec2,
};

use crate::engine::{Command, DataDescription, FoundImages, ImageFilter, Snapshot};

use super::top::action_button;
use crate::gui::desk::Desk;
use crate::gui::nouns::actions::Action;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::textures::{Thumbnail, ThumbnailTextures};
use crate::gui::paint::theme::{self, STEP};
use crate::gui::widgets::roving::{CellRows, rove};

/// Side of a thumbnail, points.
const SIDE: f32 = 64.0;
/// From one thumbnail to the next, points.
const PITCH: f32 = SIDE + STEP / 2.0;

/// The panel's own state.
#[derive(Default)]
pub struct ImagesPanel {
    /// What is typed: an index, or a part of a name.
    text: String,
    /// The class that is chosen.
    class: Option<u32>,
    /// The images that text and class are meant for.
    images: Option<u64>,
    /// What the engine was asked last, and of which data set.
    asked: Option<(u64, ImageFilter)>,
    listed: Listed,
    /// Place of the keyboard's cursor on the list.
    cursor: usize,
    /// An image to bring into view.
    scroll_to: Option<usize>,
    /// The image that was on show in the last frame.
    last_shown: Option<usize>,
    /// The image from which to go to the first one that fits what is typed, once that is found.
    goes_from: Option<Option<usize>>,
    /// Set to put the keyboard into the filter box.
    pub focus_filter: bool,
    /// Set to put the keyboard onto the list.
    pub focus_list: bool,
}

/// The images on the list, in the order of the data set.
#[derive(Clone, Default)]
enum Listed {
    #[default]
    Nothing,
    /// So many, from the first.
    All(usize),
    Found(Arc<FoundImages>),
}

impl Listed {
    fn len(&self) -> usize {
        match self {
            Listed::Nothing => 0,
            Listed::All(images) => *images,
            Listed::Found(found) => found.images.len(),
        }
    }

    fn get(&self, place: usize) -> Option<usize> {
        match self {
            Listed::Nothing => None,
            Listed::All(images) => Some(place).filter(|place| place < images),
            Listed::Found(found) => found.images.get(place).map(|image| *image as usize),
        }
    }

    /// Where `image` stands, or would stand.
    fn place_of(&self, image: usize) -> usize {
        match self {
            Listed::Nothing => 0,
            Listed::All(images) => image.min(*images),
            Listed::Found(found) => found.images.partition_point(|other| (*other as usize) < image),
        }
    }
}

impl ImagesPanel {
    /// Draws the panel.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, thumbnails: &mut ThumbnailTextures) {
        let snapshot = desk.session.snapshot().clone();
        ui.take_available_width();
        let Some(data) = &snapshot.data else {
            ui.weak("No data yet. Open a folder or an image, or drop one here.");
            return;
        };
        let images = desk.session.images_id();
        if self.images != images {
            *self = Self { images, focus_filter: self.focus_filter, ..Self::default() };
        }
        self.text_ui(ui, desk, data);
        self.class_ui(ui, data);
        self.find(desk, &snapshot, data);
        self.count_ui(ui, desk, data);
        self.follow_shown(snapshot.view.as_ref().map(|view| view.index));
        thumbnails.begin_frame(data.id);
        self.list_ui(ui, desk, data, thumbnails);
    }

    fn text_ui(&mut self, ui: &mut Ui, desk: &mut Desk, data: &DataDescription) {
        let hint = if data.classes.is_empty() { "index or name" } else { "index, name or class" };
        let field = ui.add(TextEdit::singleline(&mut self.text).hint_text(hint).desired_width(f32::INFINITY));
        let field = field.accessible_name("Find image").on_hover_text(
            "A number goes to that image. Other words list the images with them in their name or class.",
        );
        if std::mem::take(&mut self.focus_filter) {
            field.request_focus();
        }
        if field.changed() {
            self.goes_from = None;
            self.scroll_to = self.index().filter(|index| *index < data.images);
        }
        if field.has_focus() && ui.input(|input| input.key_pressed(Key::ArrowDown)) {
            self.focus_list = true;
        }
        if field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            match self.index() {
                Some(index) => desk.session.show_image(index),
                // What is listed may be of words before.
                None => self.goes_from = (!self.text.trim().is_empty()).then(|| desk.session.image()),
            }
        }
    }

    /// The index that is typed, if it is one.
    fn index(&self) -> Option<usize> {
        self.text.trim().replace(',', "").parse().ok()
    }

    fn class_ui(&mut self, ui: &mut Ui, data: &DataDescription) {
        if data.classes.is_empty() {
            return;
        }
        let name = |class: Option<u32>| {
            class.and_then(|class| data.classes.get(class as usize)).map_or("all classes", String::as_str)
        };
        let width = ui.available_width();
        let combo = ComboBox::from_id_salt("class of images").width(width).truncate();
        let combo = combo.selected_text(name(self.class)).show_ui(ui, |ui| {
            let height = ui.spacing().interact_size.y;
            let rows = data.classes.len() + 1;
            // A thousand classes: only those in sight are laid out.
            ScrollArea::vertical().max_height(280.0).show_rows(ui, height, rows, |ui, visible| {
                ui.set_min_width(width);
                for row in visible {
                    let class = row.checked_sub(1).map(|class| class as u32);
                    ui.selectable_value(&mut self.class, class, name(class));
                }
            });
        });
        combo
            .response
            .accessible_name("Class of images")
            .on_hover_text("Lists the images of one class only.");
    }

    /// Asks the engine for the images that fit, when that has changed, and takes in its answer; the images
    /// found before stay until then.
    fn find(&mut self, desk: &mut Desk, snapshot: &Snapshot, data: &DataDescription) {
        let text = if self.index().is_some() { "" } else { self.text.trim() };
        if text.is_empty() && self.class.is_none() {
            self.asked = None;
            self.listed = Listed::All(data.images);
            return;
        }
        let is_asked = |(of, asked): &(u64, ImageFilter)| {
            *of == data.id && asked.text == text && asked.class == self.class
        };
        if !self.asked.as_ref().is_some_and(is_asked) {
            let filter = ImageFilter { text: text.to_owned(), class: self.class };
            self.asked = Some((data.id, filter.clone()));
            desk.session.send(Command::FindImages { data: data.id, filter });
        }
        if let Some(found) = &snapshot.found
            && found.data == data.id
            && self.asked.as_ref().is_some_and(|(_, asked)| *asked == found.filter)
        {
            self.listed = Listed::Found(found.clone());
        }
        // Where another one was chosen meanwhile, that is wanted.
        self.goes_from.take_if(|image| *image != desk.session.image());
        if self.goes_from.is_some() && !self.is_searching() {
            self.goes_from = None;
            self.listed.get(0).into_iter().for_each(|index| desk.session.show_image(index));
        }
    }

    /// Whether the list is still that of an earlier question.
    fn is_searching(&self) -> bool {
        match (&self.asked, &self.listed) {
            (Some((_, asked)), Listed::Found(found)) => found.filter != *asked,
            (asked, _) => asked.is_some(),
        }
    }

    fn count_ui(&self, ui: &mut Ui, desk: &mut Desk, data: &DataDescription) {
        let text = match &self.listed {
            _ if self.is_searching() => "searching...".to_owned(),
            Listed::Found(found) => {
                format!("{} of {}", thousands(found.images.len()), count(data.images, "image"))
            }
            _ => count(data.images, "image"),
        };
        // The button goes to a row of its own where the words take the width.
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(text).weak());
            action_button(ui, desk, "Random", Action::RandomImage);
        });
    }

    /// Brings the image on show into view when it changes.
    fn follow_shown(&mut self, shown: Option<usize>) {
        if shown != self.last_shown {
            self.last_shown = shown;
            self.scroll_to = shown;
            self.cursor = shown.map_or(self.cursor, |image| self.listed.place_of(image));
        }
    }

    /// An image at random from those that are listed, if there are any.
    pub fn random(&self) -> Option<usize> {
        (self.listed.len() > 0).then(|| self.listed.get(rand::random_range(0..self.listed.len())))?
    }

    /// The image `by` places after `shown`, which is on show or on its way, among those that are listed.
    pub fn neighbour_of(&self, shown: Option<usize>, by: isize) -> Option<usize> {
        let shown = shown.unwrap_or(0);
        let place = self.listed.place_of(shown);
        // Where it is not listed itself, the one at its place is the next already.
        let is_between = self.listed.get(place) != Some(shown);
        let by = if is_between && by > 0 { by - 1 } else { by };
        self.listed.get(place.checked_add_signed(by)?)
    }

    fn list_ui(
        &mut self,
        ui: &mut Ui,
        desk: &mut Desk,
        data: &DataDescription,
        thumbnails: &mut ThumbnailTextures,
    ) {
        let listed = self.listed.clone();
        if listed.len() == 0 {
            ui.weak("No image has this in its name or class.");
            return;
        }
        ui.spacing_mut().item_spacing = Vec2::splat(STEP / 2.0);
        let columns = ((ui.available_width() - STEP) / PITCH).floor().max(1.0) as usize;
        let cells = CellRows {
            count: listed.len(),
            columns,
            page: (ui.available_height() / PITCH).floor().max(1.0) as usize,
        };
        let cursor = self.keyboard(ui, desk, data, cells);
        let mut area = ScrollArea::vertical().auto_shrink(false).id_salt("thumbnails");
        if let Some(index) = self.scroll_to.take() {
            let top = (listed.place_of(index) / columns) as f32 * PITCH;
            area = area.vertical_scroll_offset((top - ui.available_height() / 2.0 + SIDE / 2.0).max(0.0));
        }
        let now = ui.input(|input| input.time);
        area.show_rows(ui, SIDE, listed.len().div_ceil(columns), |ui, visible| {
            for row in visible {
                ui.horizontal(|ui| {
                    for place in row * columns..((row + 1) * columns).min(listed.len()) {
                        let Some(image) = listed.get(place) else { continue };
                        let mark = Mark {
                            is_shown: self.last_shown == Some(image),
                            is_under_cursor: cursor == Some(place),
                        };
                        thumbnail_ui(ui, desk, data, thumbnails, image, mark, now);
                    }
                });
            }
        });
    }

    /// The keyboard on the list; returns the place of its cursor, if it is there.
    fn keyboard(
        &mut self,
        ui: &Ui,
        desk: &mut Desk,
        data: &DataDescription,
        cells: CellRows,
    ) -> Option<usize> {
        let id = Id::unique("list of images");
        if std::mem::take(&mut self.focus_list) {
            ui.memory_mut(|memory| memory.request_focus(id));
        }
        let listed = &self.listed;
        let title = |place| listed.get(place).map_or(String::new(), |image| image_title(data, image));
        let rect = ui.available_rect_before_wrap();
        let roved = rove(ui, id, rect, "Images", cells, &mut self.cursor, title);
        let image = listed.get(self.cursor);
        if roved.has_moved {
            self.scroll_to = image;
        }
        if let Some(image) = image.filter(|_| roved.is_taken) {
            desk.session.show_image(image);
        }
        roved.cursor
    }
}

/// "1,207 · horse"; the index alone without labels.
pub fn image_title(data: &DataDescription, index: usize) -> String {
    let label = data.labels.get(index).copied().flatten();
    match label.and_then(|label| data.classes.get(label as usize)) {
        Some(class) => format!("{} \u{b7} {class}", thousands(index)),
        None => thousands(index),
    }
}

/// What is special about a thumbnail.
#[derive(Clone, Copy)]
struct Mark {
    is_shown: bool,
    is_under_cursor: bool,
}

fn thumbnail_ui(
    ui: &mut Ui,
    desk: &mut Desk,
    data: &DataDescription,
    thumbnails: &mut ThumbnailTextures,
    index: usize,
    mark: Mark,
    now: f64,
) {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(SIDE), Sense::CLICK);
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Button, true, format!("image {}", image_title(data, index)))
    });
    let mut remark = None;
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
        Thumbnail::Unreadable(message) => {
            let stroke = Stroke::new(1.0, ui.visuals().warn_fg_color);
            let cross = rect.shrink(SIDE / 3.0);
            ui.painter().rect_filled(rect.shrink(1.0), 2.0, ui.visuals().faint_bg_color);
            ui.painter().line_segment([cross.left_top(), cross.right_bottom()], stroke);
            ui.painter().line_segment([cross.right_top(), cross.left_bottom()], stroke);
            remark = Some(message.to_owned());
        }
    }
    frame(ui, rect, &response, mark);
    let response = response.on_hover_ui(|ui| {
        ui.label(image_title(data, index));
        if let Some(message) = remark {
            ui.colored_label(ui.visuals().warn_fg_color, format!("cannot be read: {message}"));
        }
    });
    if response.clicked() {
        desk.session.show_image(index);
    }
}

fn frame(ui: &Ui, rect: Rect, response: &Response, mark: Mark) {
    let accent = theme::accent(ui.visuals().dark_mode);
    if mark.is_shown {
        ui.painter().rect_stroke(rect, 2.0, Stroke::new(2.0, accent), StrokeKind::Outside);
    } else if response.hovered() {
        ui.painter().rect_stroke(rect, 2.0, Stroke::new(1.0, accent), StrokeKind::Outside);
    }
    if mark.is_under_cursor {
        theme::cursor_frame(ui, rect);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_images_of_a_list_agree() {
        let found = FoundImages { data: 1, filter: ImageFilter::default(), images: vec![2, 5, 9] };
        let found = Listed::Found(Arc::new(found));
        assert_eq!((found.get(1), found.get(3), found.place_of(5), found.place_of(6)), (Some(5), None, 1, 2));
        let all = Listed::All(10);
        assert_eq!((all.get(9), all.get(10), all.place_of(7)), (Some(9), None, 7));
    }

    #[test]
    fn an_image_is_called_by_its_index_and_class() {
        let data = DataDescription {
            id: 1,
            name: "few".into(),
            kind: "folder".into(),
            images: 2,
            classes: vec!["Horse".into(), "dog".into()],
            labels: vec![Some(1), None],
            size: None,
            side: 32,
            split: None,
            decoding: None,
            skipped: vec![],
        };
        assert_eq!([image_title(&data, 0), image_title(&data, 1)], ["0 \u{b7} dog", "1"]);
    }
}
