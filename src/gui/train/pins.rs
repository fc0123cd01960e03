//! Pinned patches: their heatmaps and nearest patches in z and h, as the model is now.

use std::collections::HashMap;
use std::sync::Arc;

use eframe::egui::{
    Color32, Label, Mesh, Rect, RichText, Role, Sense, Shape, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use crate::engine::training::{PinView, PinsView, TrainCommand, TrainingView};
use crate::engine::{Command, Gallery, GalleryFilter, GalleryView, Heatmap, QuerySpec};
use crate::gui::desk::Desk;
use crate::gui::nouns::spaces::name_of_space;
use crate::gui::nouns::text::{count, tail, thousands};
use crate::gui::paint::heatmap_paint::HeatmapPaint;
use crate::gui::paint::map_painter::slots;
use crate::gui::paint::marks;
use crate::gui::paint::pane::Viewpoint;
use crate::gui::paint::textures::{GalleryAtlases, PictureSlot};
use crate::gui::paint::theme::{self, STEP};

/// Side of the picture and of each heatmap where there is room, points.
const SIDE: f32 = 92.0;
/// Between them, points.
const GAP: f32 = 4.0;
/// Side of a neighbour, points.
const CELL: f32 = 30.0;

/// The strip of pinned patches.
#[derive(Default)]
pub struct TrainPins {
    cards: HashMap<u64, Card>,
}

/// Which pin of the strip a card shows, and the side of its pictures, points.
#[derive(Clone, Copy)]
struct CardPlace {
    index: usize,
    side: f32,
}

/// Textures of one pin.
#[derive(Default)]
struct Card {
    picture: PictureSlot,
    atlases: GalleryAtlases,
    shown: Option<(Arc<PinsView>, Arc<GalleryView>)>,
}

impl TrainPins {
    /// Draws the strip.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let snapshot = desk.session.snapshot().clone();
        let Some(training) = &snapshot.runs.active else { return };
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Pinned patches").strong()).on_hover_text(
                "How the model in training sees a few fixed patches (Fig. 4 and 5 of the paper, live). Pin more with the button in Explore.",
            );
            match &snapshot.runs.pins {
                Some(pins) => drop(ui.add(Label::new(RichText::new(reach(pins, training)).weak()).truncate())),
                None => drop(ui.weak("seen for the first time soon...")),
            }
        });
        let Some(pins) = &snapshot.runs.pins else { return };
        if pins.pins.is_empty() {
            ui.weak("Nothing is pinned. In Explore, click a patch and press Pin in Train.");
            return;
        }
        self.cards.retain(|id, _| pins.pins.iter().any(|pin| pin.pin.id == *id));
        let room = ui.available_width();
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(2.0 * STEP, STEP);
            for (index, pin) in pins.pins.iter().enumerate() {
                let maps = pin.maps.len() as f32;
                let side = ((room - GAP * maps) / (1.0 + maps)).min(SIDE);
                let place = CardPlace { index, side };
                ui.vertical(|ui| self.cards.entry(pin.pin.id).or_default().ui(ui, desk, pins, pin, place));
            }
        });
    }
}

/// What the neighbours are taken from, and how old the picture is.
fn reach(pins: &PinsView, training: &TrainingView) -> String {
    let kind = if pins.held_out { "held-out" } else { "training" };
    let age = match training.step.saturating_sub(pins.step) {
        0 => String::new(),
        steps => format!(" ({} ago)", count(steps as usize, "step")),
    };
    format!(
        "after step {}{age} \u{b7} neighbours among {} of {} of {} {kind} images of {} \u{b7} {:.1} % of the time",
        thousands(pins.step as usize),
        count(pins.patches, "patch"),
        thousands(pins.images),
        thousands(pins.images_total),
        pins.data,
        100.0 * training.pins_share
    )
}

impl Card {
    fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, pins: &Arc<PinsView>, pin: &PinView, place: CardPlace) {
        let CardPlace { index, side } = place;
        let width = side * (1 + pin.maps.len()) as f32 + GAP * pin.maps.len() as f32;
        ui.set_width(width);
        ui.horizontal_wrapped(|ui| {
            ui.label(tail(&pin.pin.name, 34));
            if ui.small_button("Unpin").on_hover_text("Watches this patch no more.").clicked() {
                desk.session.send(Command::Train(TrainCommand::Unpin(pin.pin.id)));
            }
        });
        let (_, area) = ui.allocate_space(vec2(width, side));
        self.picture_ui(ui, Rect::from_min_size(area.min, Vec2::splat(side)), pin);
        for (place, map) in pin.maps.iter().enumerate() {
            let left = area.left() + (side + GAP) * (place + 1) as f32;
            let rect = Rect::from_min_size(pos2(left, area.top()), Vec2::splat(side));
            map_ui(ui, desk, rect, pin, map, slots::PINS + 8 * index + place);
        }
        if pin.galleries.is_empty() {
            ui.weak("neighbours follow...");
            return;
        }
        let view = self.gallery_view(pins, pin);
        for (gallery, atlas) in pin.galleries.iter().zip(self.atlases.of(ui.ctx(), &view)) {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 2.0;
                let color = theme::space(&gallery.space, ui.visuals().dark_mode);
                ui.label(RichText::new(&gallery.space).strong().color(color))
                    .on_hover_text(name_of_space(&gallery.space));
                let cells = gallery.neighbours.len();
                let side = ((ui.available_width() - 2.0 * cells as f32) / cells.max(1) as f32).min(CELL);
                let mut mesh = Mesh::with_texture(atlas.texture.id());
                for (place, neighbour) in gallery.neighbours.iter().enumerate() {
                    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
                    mesh.add_rect_with_uv(rect, atlas.uv(place + 1), Color32::WHITE);
                    let class = neighbour.class.as_ref().map_or(String::new(), |class| format!(", {class}"));
                    let text =
                        format!("{} {}: cosine {:.3}{class}", gallery.space, place + 1, neighbour.cosine);
                    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &text));
                    response.on_hover_text(format!("{text}\n{}", neighbour.image_name));
                }
                ui.painter().add(Shape::mesh(mesh));
            });
        }
    }

    /// The neighbours in the form that the atlases take, the same as long as the pass is the same.
    fn gallery_view(&mut self, pins: &Arc<PinsView>, pin: &PinView) -> Arc<GalleryView> {
        if let Some((shown, view)) = &self.shown
            && Arc::ptr_eq(shown, pins)
        {
            return view.clone();
        }
        let at = pin.pin.patch;
        let spaces: Vec<Gallery> = pin.galleries.clone();
        let view = Arc::new(GalleryView {
            query_id: 0,
            query: QuerySpec::one(at),
            query_pixels: Arc::new(pin.pin.image.crop(at.y, at.x, at.size, at.size)),
            spaces,
            searched: pins.patches,
            total: pins.patches,
            images: (pins.images, pins.images),
            guests: 0,
            way: None,
            pictures_follow: false,
            filter: GalleryFilter { other_images_only: true, ..GalleryFilter::default() },
        });
        self.shown = Some((pins.clone(), view.clone()));
        view
    }

    fn picture_ui(&mut self, ui: &mut Ui, rect: Rect, pin: &PinView) {
        let image = &pin.pin.image;
        let size = vec2(image.width() as f32, image.height() as f32);
        let placement = Viewpoint::default().placement(rect, size, ui.pixels_per_point());
        let texture = self.picture.texture(ui.ctx(), "pin", image, placement.rect());
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter().image(texture.id(), placement.rect(), whole, Color32::WHITE);
        marks::query_dashes(ui.painter(), placement.patch(pin.pin.patch));
        let response = ui.interact(rect, ui.scope_id().with(("pin", pin.pin.id)), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("pinned {}", pin.pin.name)));
    }
}

fn map_ui(ui: &mut Ui, desk: &Desk, rect: Rect, pin: &PinView, map: &Heatmap, slot: usize) {
    let image = &pin.pin.image;
    let size = vec2(image.width() as f32, image.height() as f32);
    let placement = Viewpoint::default().placement(rect, size, ui.pixels_per_point());
    let paint = HeatmapPaint {
        slot,
        rect: placement.heatmap(map.grid, map.rows, map.cols),
        scores: map.shown.clone(),
        rows: map.rows,
        cols: map.cols,
        range: desk.settings.range,
        opacity: 1.0,
        colormap: desk.settings.colormap,
    };
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    painter.rect_filled(rect, 0.0, ui.visuals().faint_bg_color);
    painter.add(paint.into_shape());
    marks::query_dashes(&painter, placement.patch(pin.pin.patch));
    let values = map.values.iter().filter(|value| value.is_finite());
    let (sum, known) = values.fold((0.0, 0), |(sum, known), value| (sum + value, known + 1));
    let text = format!(
        "{} heatmap of {}: mean cosine {:.2} over {} of {} patches",
        map.space,
        pin.pin.name,
        sum / (known.max(1)) as f32,
        known,
        map.rows * map.cols
    );
    let response = ui.interact(rect, ui.scope_id().with(("pin map", pin.pin.id, slot)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &text));
    response.on_hover_text(text);
}
