//! Several marked positions, on one image or on many, with a gallery for each (Fig. 10 to 12 of the paper).

mod cards;

use eframe::egui::{
    Button, Color32, Id, Label, Pos2, Rect, RichText, Role, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use self::cards::{Cards, NEIGHBOURS};
use super::view::View;
use crate::engine::{Command, FigureKind, ImageView, MOST_PLACES, PlacesRequest};
use crate::gui::desk::{Desk, Hover};
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::actions::{Action, keys_of};
use crate::gui::nouns::spaces::explain_space;
use crate::gui::nouns::text::thousands;
use crate::gui::paint::marks;
use crate::gui::paint::pane::{Drag, Placement, Viewpoint};
use crate::gui::paint::textures::PictureSlot;
use crate::gui::paint::theme::STEP;
use crate::gui::panels::controls;
use crate::gui::panels::view_switch::switch_ui;
use crate::gui::widgets::place::{empty_ui, heading_ui};

/// Share of the width that the image takes.
const IMAGE_SHARE: f32 = 0.4;
/// Height of the line above the image.
const HEADING: f32 = 20.0;

/// The view's own state.
#[derive(Default)]
pub struct InstancePanel {
    /// What the engine was last asked for.
    asked: Option<PlacesRequest>,
    viewpoint: Viewpoint,
    /// Index of the image on show.
    shown: Option<usize>,
    picture: PictureSlot,
    cards: Cards,
}

impl View for InstancePanel {
    fn which(&self) -> ExploreView {
        ExploreView::Instance
    }

    fn sync(&mut self, desk: &mut Desk, is_on_show: bool) {
        let snapshot = desk.session.snapshot();
        let (data, config) = (desk.session.data_id(), snapshot.config.clone());
        desk.places.follow(desk.session.images_id(), config.map(|config| config.grid.patch));
        let places = desk.places.list().to_vec();
        let data = data.filter(|_| is_on_show && !places.is_empty());
        let wanted = data.map(|data| PlacesRequest { data, places, neighbours: NEIGHBOURS });
        if wanted != self.asked {
            desk.session.send(Command::Places(wanted.clone()));
            self.asked = wanted;
        }
    }

    fn reset(&mut self) {
        self.viewpoint = Viewpoint::default();
    }

    fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        ui.horizontal_wrapped(|ui| {
            switch_ui(ui, desk);
            controls::patches_ui(ui, desk);
            controls::spaces_ui(ui, desk);
            space_ui(ui, desk);
            ui.separator();
            places_ui(ui, desk);
        });
        controls::patch_fault_ui(ui, desk);
        let (_, area) = ui.allocate_space(ui.available_size());
        let snapshot = desk.session.snapshot().clone();
        let Some(view) = &snapshot.view else {
            empty_ui(ui, area, &desk.lacks().unwrap_or_default());
            return;
        };
        let split = area.left() + (area.width() * IMAGE_SHARE).min(area.height()).floor();
        self.image_ui(ui, desk, view, area.with_max_x(split));
        self.cards.ui(ui, desk, area.with_min_x(split + STEP));
    }
}

impl InstancePanel {
    /// The image with its numbered positions.
    fn image_ui(&mut self, ui: &mut Ui, desk: &mut Desk, view: &ImageView, area: Rect) {
        if self.shown != Some(view.index) {
            self.shown = Some(view.index);
            self.reset();
        }
        let (heading, rest) = (area.with_max_y(area.top() + HEADING), area.with_min_y(area.top() + HEADING));
        image_heading_ui(ui, heading, view);
        let size = vec2(view.image.width() as f32, view.image.height() as f32);
        let side = rest.width().min(rest.height());
        let rect = Rect::from_min_size(rest.min, vec2(rest.width(), side * (size.y / size.x).min(1.0)));
        let response = ui.interact(rect, Id::unique("instance image"), Sense::CLICK | Sense::DRAG);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "image"));
        let placement = self.viewpoint.placement(rect, size, ui.pixels_per_point());
        self.viewpoint.navigate(ui, &response, placement, size, Drag::Pans);
        let grid = desk.session.config().map(|config| config.grid);
        let hover = response
            .hover_pos()
            .and_then(|pos| Hover::at(placement.to_image(pos), view, grid, desk.maps.list()));
        desk.hover = hover;
        let patch = desk.hover.as_ref().and_then(|hover| hover.patch);
        // The first click of a double click was one too: the second takes it back.
        if let (true, Some(patch)) = (response.clicked(), patch) {
            desk.places.toggle(patch);
        }
        let painter = ui.painter_at(rect.expand(1.0));
        let texture = self.picture.texture(ui.ctx(), "instance", &view.image, placement.rect()).id();
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(texture, placement.rect(), whole, Color32::WHITE);
        if let Some(patch) = patch {
            marks::hover_outline(&painter, placement.patch(patch));
        }
        marks::query_boxes(&painter, placement, &desk.session.boxes_in_view());
        marks_ui(ui, desk, view, placement, rect);
        let foot = area.with_min_y(rect.bottom() + STEP / 2.0);
        ui.scope_builder(UiBuilder::new().max_rect(foot), |ui| {
            ui.weak(
                "Click to mark a position, click it again to let go of it. Arrows move the query (dashes).",
            );
        });
    }
}

/// The positions on this image with their numbers.
fn marks_ui(ui: &Ui, desk: &Desk, view: &ImageView, placement: Placement, clip: Rect) {
    let painter = ui.painter_at(clip.expand(1.0));
    let snapshot = desk.session.snapshot();
    for (index, marked) in desk.places.list().iter().enumerate() {
        if marked.image as usize != view.index {
            continue;
        }
        let known = snapshot.views.places.as_ref().and_then(|places| places.of(*marked));
        let patch = known.map_or(*marked, |known| known.patch);
        let rect = placement.patch(patch);
        marks::hover_outline(&painter, rect);
        let ground = marks::number(&painter, rect.min, index + 1);
        let mark = ui.interact(ground.intersect(clip), Id::unique(("mark", index)), Sense::hover());
        let text = format!("mark {} at y {}, x {}", index + 1, patch.y, patch.x);
        mark.widget_info(|| WidgetInfo::labeled(Role::Note, true, &text));
    }
}

fn image_heading_ui(ui: &mut Ui, rect: Rect, view: &ImageView) {
    let class = view.class.as_ref().map(|class| format!(" \u{b7} {class}")).unwrap_or_default();
    let text = format!("image {}{class}", thousands(view.index));
    heading_ui(ui, rect, |ui| {
        ui.add(Label::new(RichText::new(text).strong()).truncate()).on_hover_text(view.details());
    });
}

/// The space of the galleries.
fn space_ui(ui: &mut Ui, desk: &mut Desk) {
    let shown = desk.session.config().map_or_else(Vec::new, |config| config.spaces);
    let Some(chosen) = desk.places.space(&shown).map(str::to_owned) else { return };
    controls::name_ui(ui, "Galleries in", 40.0);
    for space in &shown {
        let button = ui.selectable_label(*space == chosen, space);
        button.widget_info(|| {
            WidgetInfo::selected(Role::Button, true, *space == chosen, format!("Galleries in {space}"))
        });
        if button.on_hover_text(explain_space(space)).clicked() {
            desk.places.choose_space(space);
        }
    }
}

/// What can be done with the positions.
fn places_ui(ui: &mut Ui, desk: &mut Desk) {
    let add = ui.add_enabled(desk.markable_query().is_some(), Button::new("Mark the query"));
    let keys = keys_of(ui.ctx(), Action::MarkQuery);
    let what = "Adds the query's patch to the positions: a way to mark by keyboard, and on other images.";
    let why = match desk.session.query().and_then(|query| query.as_patch()) {
        None => "The query is not one patch.".to_owned(),
        Some(_) if desk.places.is_full() => {
            format!("{MOST_PLACES} positions are the most: remove one first.")
        }
        Some(_) => "The query is marked already.".to_owned(),
    };
    if add.on_hover_text(format!("{what} ({keys})")).on_disabled_hover_text(why).clicked() {
        desk.mark_query();
    }
    let count = desk.places.list().len();
    if ui.add_enabled(count > 0, Button::new("Remove all")).clicked() {
        desk.places.clear();
    }
    let kind = if desk.places.are_on_one_image() { FigureKind::Instance } else { FigureKind::Parts };
    let figure = match kind {
        FigureKind::Instance => "The image with its numbered positions and a gallery for each (Fig. 11, 12).",
        _ => "A sheet with a gallery for each position (Fig. 10); they lie on several images.",
    };
    let export = ui.add_enabled(count > 0, Button::new("Export..."));
    if export.on_hover_text(figure).on_disabled_hover_text("Mark positions first.").clicked() {
        desk.todo.push(Action::Export(kind));
    }
    if count > 0 {
        ui.weak(format!("{count} of {MOST_PLACES}"))
            .on_hover_text("Positions that are marked, of as many as there can be.");
    }
}
