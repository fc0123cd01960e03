//! The image with the query, and beside it one heatmap for each space on one
//! locked colour scale. A click on any of them makes a query.

use std::sync::Arc;

use eframe::egui::{
    Color32, Id, Painter, Pos2, Rect, Response, RichText, Role, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

use crate::engine::{Heatmap, ImageView, MapMode, Picture, Snapshot};
use crate::patch::{PatchGrid, PatchRef};

use super::{Desk, Hover, explain_space, name_of_space};
use crate::gui::color_bar;
use crate::gui::contour::contour;
use crate::gui::heatmap_paint::HeatmapPaint;
use crate::gui::marks;
use crate::gui::pane::{Placement, Viewpoint};
use crate::gui::scale::Scale;
use crate::gui::text;
use crate::gui::textures::PictureSlot;
use crate::gui::theme::{self, STEP};

/// Height of the headings above the panes.
const HEADING: f32 = 20.0;
/// Smallest size of a cell, in points, at which the grid is drawn.
const GRID_FROM: f32 = 4.0;

/// The panel's own state.
#[derive(Default)]
pub struct MapsPanel {
    viewpoint: Viewpoint,
    picture: PictureSlot,
    /// The spaces as pictures, by place.
    space_pictures: Vec<PictureSlot>,
    contours: Vec<Contour>,
    shown: Option<usize>,
}

/// The contour of one pane, made anew when its map or the level changes.
#[derive(Default)]
struct Contour {
    made_of: Option<(Arc<Vec<f32>>, f32)>,
    pieces: Vec<[Pos2; 2]>,
}

impl Contour {
    fn pieces(&mut self, map: &Heatmap, level: f32) -> &[[Pos2; 2]] {
        let is_same = |(values, at): &(Arc<Vec<f32>>, f32)| Arc::ptr_eq(values, &map.shown) && *at == level;
        if !self.made_of.as_ref().is_some_and(is_same) {
            self.pieces = contour(&map.shown, map.rows, map.cols, level);
            self.made_of = Some((map.shown.clone(), level));
        }
        &self.pieces
    }
}

/// One of the panes in a frame.
struct Pane<'a> {
    rect: Rect,
    response: Response,
    placement: Placement,
    /// What lies over the image.
    content: Content<'a>,
}

/// What a pane shows.
enum Content<'a> {
    Image,
    Map(&'a Heatmap),
    Picture(&'a Picture, PatchGrid),
    /// Nothing yet.
    Nothing,
}

impl MapsPanel {
    /// Shows the whole image again.
    pub fn reset_zoom(&mut self) {
        self.viewpoint = Viewpoint::default();
    }

    /// Draws the panes into the given height.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, height: f32) {
        let snapshot = desk.session.snapshot().clone();
        let (_, area) = ui.allocate_space(vec2(ui.available_width(), height));
        let Some(view) = &snapshot.view else {
            let text = if snapshot.data.is_some() {
                "Pick an image on the left."
            } else {
                "Open data to see an image."
            };
            empty_ui(ui, area, text);
            return;
        };
        if self.shown != Some(view.index) {
            self.shown = Some(view.index);
            self.reset_zoom();
        }
        let maps = desk.maps.list().to_vec();
        let names = names(desk, &snapshot, &maps);
        let rects = split(area, names.len() + 1);
        let contents = contents(desk, &snapshot, view, &maps, names.len());
        let panes = self.place(ui, &rects, view, contents, &names);
        self.navigate(ui, &panes, view);
        desk.hover = hover(desk, &panes, view, &maps);
        click(desk, &panes);
        for (index, pane) in panes.iter().enumerate() {
            let heading = Rect::from_min_size(rects[index].min, vec2(rects[index].width(), HEADING));
            match index.checked_sub(1) {
                None => image_heading_ui(ui, heading, view),
                Some(space) => space_heading_ui(ui, heading, desk, &names[space], &pane.content),
            }
            self.pane_ui(ui, desk, pane, view, index);
        }
        if desk.settings.mode == MapMode::Pictures {
            return;
        }
        let bar = Rect::from_min_max(pos2(area.right() - color_bar::WIDTH, area.top() + HEADING), area.max);
        color_bar::ui(ui, bar, desk);
    }

    /// Finds where everything lies and what the pointer does there.
    fn place<'a>(
        &self,
        ui: &Ui,
        rects: &[Rect],
        view: &ImageView,
        contents: Vec<Content<'a>>,
        names: &[String],
    ) -> Vec<Pane<'a>> {
        let size = vec2(view.image.width() as f32, view.image.height() as f32);
        let pane = |((index, rect), content): ((usize, &Rect), Content<'a>)| {
            let rect = rect.with_min_y(rect.min.y + HEADING);
            let response = ui.interact(rect, Id::unique(("pane", index)), Sense::CLICK | Sense::DRAG);
            let label = match (&content, index.checked_sub(1)) {
                (Content::Picture(picture, _), _) => format!("{} picture", picture.space),
                (Content::Map(map), _) => format!("{} heatmap", map.space),
                (_, Some(space)) => format!("{} heatmap", names[space]),
                (_, None) => "image".to_owned(),
            };
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
            let placement = self.viewpoint.placement(rect, size, ui.pixels_per_point());
            Pane { rect, response, placement, content }
        };
        rects.iter().enumerate().zip(contents).map(pane).collect()
    }

    /// Wheel and pinch zoom, dragging pans, a double click goes back to the whole image.
    fn navigate(&mut self, ui: &Ui, panes: &[Pane<'_>], view: &ImageView) {
        let size = vec2(view.image.width() as f32, view.image.height() as f32);
        for pane in panes {
            if let Some(pos) = pane.response.hover_pos() {
                let factor = ui.input_mut(|input| {
                    let wheel = std::mem::take(&mut input.smooth_scroll_delta);
                    (wheel.y / 200.0).exp() * input.zoom_delta()
                });
                if factor != 1.0 {
                    let fixed = pane.placement.to_image(pos).to_vec2() / size;
                    self.viewpoint.zoom_about(fixed.clamp(Vec2::ZERO, Vec2::splat(1.0)), factor);
                    ui.ctx().request_repaint();
                }
            }
            if pane.response.dragged() && !self.viewpoint.is_whole() {
                self.viewpoint.pan(pane.response.drag_delta() / pane.placement.rect().size());
                ui.ctx().request_repaint();
            }
            if pane.response.double_clicked() {
                self.reset_zoom();
            }
        }
    }

    /// What an empty pane says.
    fn remark(&self, desk: &Desk) -> &'static str {
        match desk.settings.mode {
            MapMode::Pictures => "The picture comes when all patches of the image are known.",
            _ if desk.session.is_query_pending() => "computing...",
            MapMode::Difference if desk.session.config().is_some_and(|config| config.spaces.len() < 2) => {
                "A difference needs two spaces: choose another one under Spaces."
            }
            _ => "No query yet:\nclick a patch of the image.",
        }
    }

    fn map_ui(&mut self, painter: &Painter, desk: &Desk, placement: Placement, map: &Heatmap, index: usize) {
        let rect = placement.heatmap(map.grid, map.rows, map.cols);
        let scale = Scale::of(&desk.settings);
        let paint = HeatmapPaint {
            slot: index,
            rect,
            scores: map.shown.clone(),
            rows: map.rows,
            cols: map.cols,
            range: scale.range,
            opacity: desk.settings.opacity as f32 / 100.0,
            colormap: scale.colormap,
        };
        painter.add(paint.into_shape());
        let cell = placement.scale() * map.grid.stride as f32;
        if desk.settings.grid {
            grid_ui(painter, rect, map, cell);
        }
        if let Some(level) = desk.settings.contour {
            self.contours.resize_with(self.contours.len().max(index + 1), Contour::default);
            for piece in self.contours[index].pieces(map, level) {
                let ends = piece.map(|at| rect.min + at.to_vec2() * cell);
                painter.line_segment(ends, Stroke::new(3.0, Color32::from_black_alpha(150)));
                painter.line_segment(ends, Stroke::new(1.2, Color32::WHITE));
            }
        }
    }

    fn pane_ui(&mut self, ui: &mut Ui, desk: &Desk, pane: &Pane<'_>, view: &ImageView, index: usize) {
        let painter = ui.painter_at(pane.rect.expand(1.0));
        let texture = self.picture.texture(ui.ctx(), "image on show", &view.image).id();
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(texture, pane.placement.rect(), whole, Color32::WHITE);
        match pane.content {
            Content::Image => {}
            Content::Map(map) => self.map_ui(&painter, desk, pane.placement, map, index),
            Content::Picture(picture, grid) => {
                self.space_pictures
                    .resize_with(self.space_pictures.len().max(index + 1), PictureSlot::default);
                let name = format!("{} picture", picture.space);
                let texture = self.space_pictures[index].texture(ui.ctx(), &name, &picture.colors).id();
                let (rows, cols) = (picture.colors.height() as usize, picture.colors.width() as usize);
                let opacity = desk.settings.opacity as f32 / 100.0;
                let rect = pane.placement.heatmap(grid, rows, cols);
                painter.image(texture, rect, whole, Color32::WHITE.gamma_multiply(opacity));
            }
            Content::Nothing => {
                painter.rect_filled(pane.rect, 0.0, ui.visuals().panel_fill.gamma_multiply(0.85));
                empty_ui(ui, pane.rect, self.remark(desk));
                return;
            }
        }
        if let Some(patch) = desk.hover.as_ref().and_then(|hover| hover.patch) {
            marks::hover_outline(&painter, pane.placement.patch(patch));
        }
        if let Some(query) = desk.session.query_in_view() {
            marks::query_dashes(&painter, pane.placement.patch(query));
        }
    }
}

/// Headings of the panes beside the image.
fn names(desk: &Desk, snapshot: &Snapshot, maps: &[Heatmap]) -> Vec<String> {
    let spaces = snapshot.config.iter().flat_map(|config| config.spaces.iter().cloned());
    match desk.settings.mode {
        MapMode::Cosine | MapMode::Ranks if maps.is_empty() => spaces.collect(),
        MapMode::Pictures => spaces.collect(),
        MapMode::Difference if maps.is_empty() => vec!["difference".to_owned()],
        _ => maps.iter().map(|map| map.space.clone()).collect(),
    }
}

/// What the panes show: the image, then one space or difference in each.
fn contents<'a>(
    desk: &Desk,
    snapshot: &'a Snapshot,
    view: &ImageView,
    maps: &'a [Heatmap],
    count: usize,
) -> Vec<Content<'a>> {
    let pictures = snapshot.pictures.as_ref().filter(|pictures| pictures.image == view.index);
    let content = |index: usize| match desk.settings.mode {
        MapMode::Pictures => {
            let picture = pictures.and_then(|all| Some(Content::Picture(all.spaces.get(index)?, all.grid)));
            picture.unwrap_or(Content::Nothing)
        }
        _ => maps.get(index).map_or(Content::Nothing, Content::Map),
    };
    std::iter::once(Content::Image).chain((0..count).map(content)).collect()
}

/// `count` places of equal size with room for the colour bar on the right, in as many rows as make them
/// largest.
fn split(area: Rect, count: usize) -> Vec<Rect> {
    let side = |rows: usize| {
        let columns = count.div_ceil(rows);
        let width = (area.width() - color_bar::WIDTH) / columns as f32 - STEP;
        let height = area.height() / rows as f32 - HEADING;
        width.min(height)
    };
    let rows = (1..=count).fold(1, |best, rows| if side(rows) > side(best) * 1.05 { rows } else { best });
    let columns = count.div_ceil(rows);
    let room = area.width() - color_bar::WIDTH - STEP * columns as f32;
    let width = (room / columns as f32).max(32.0);
    let height = (area.height() - STEP * (rows as f32 - 1.0)) / rows as f32;
    let place = |index: usize| {
        let left = area.left() + (index % columns) as f32 * (width + STEP);
        let top = area.top() + (index / columns) as f32 * (height + STEP);
        Rect::from_min_max(pos2(left, top), pos2(left + width, top + height))
    };
    (0..count).map(place).collect()
}

/// What lies under the pointer, whichever pane it is on.
fn hover(desk: &Desk, panes: &[Pane<'_>], view: &ImageView, maps: &[Heatmap]) -> Option<Hover> {
    let (pane, pos) = panes.iter().find_map(|pane| Some((pane, pane.response.hover_pos()?)))?;
    let (height, width) = (view.image.height(), view.image.width());
    let at = pane.placement.to_image(pos);
    if at.x < 0.0 || at.y < 0.0 || at.x >= width as f32 || at.y >= height as f32 {
        return None;
    }
    let pixel = (at.x as u32, at.y as u32);
    let grid = maps.first().map(|map| map.grid).or_else(|| desk.session.config().map(|config| config.grid));
    let patch = grid.and_then(|grid| {
        let (row, col) = grid.nearest(at.x, at.y, height, width)?;
        let corner = |cell: usize| cell as u32 * grid.stride;
        Some(PatchRef { image: view.index as u32, y: corner(row), x: corner(col), size: grid.patch })
    });
    let value = |map: &Heatmap| {
        let cell = map.grid.nearest(at.x, at.y, height, width);
        let value = cell.and_then(|(row, col)| map.values.get(row * map.cols + col));
        (map.space.clone(), value.copied().filter(|value| !value.is_nan()))
    };
    let part = view.parts.as_ref().and_then(|parts| {
        let inside = pixel.0 < parts.width && pixel.1 < parts.height;
        let index = inside.then(|| parts.index.get((pixel.1 * parts.width + pixel.0) as usize))??;
        parts.names.get(*index as usize).copied()
    });
    Some(Hover { pixel, patch, values: maps.iter().map(value).collect(), part })
}

/// A click makes the patch under the pointer the query.
fn click(desk: &mut Desk, panes: &[Pane<'_>]) {
    let patch = desk.hover.as_ref().and_then(|hover| hover.patch);
    let clicked = panes.iter().any(|pane| pane.response.clicked() && !pane.response.double_clicked());
    if let (true, Some(patch)) = (clicked, patch) {
        desk.session.go_to(patch);
    }
}

/// Lines between the cells of a heatmap, where they are large enough.
fn grid_ui(painter: &Painter, rect: Rect, map: &Heatmap, cell: f32) {
    let stroke = Stroke::new(1.0, Color32::from_white_alpha(50));
    if cell < GRID_FROM {
        painter.add(Shape::closed_line(
            vec![rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom()],
            stroke,
        ));
        return;
    }
    for row in 0..=map.rows {
        painter.hline(rect.x_range(), rect.top() + row as f32 * cell, stroke);
    }
    for col in 0..=map.cols {
        painter.vline(rect.left() + col as f32 * cell, rect.y_range(), stroke);
    }
}

fn image_heading_ui(ui: &mut Ui, rect: Rect, view: &ImageView) {
    let mut text = format!("image {}", text::thousands(view.index));
    if let Some(class) = &view.class {
        text += &format!(" \u{b7} {class}");
    }
    heading_ui(ui, rect, |ui| {
        ui.add(eframe::egui::Label::new(RichText::new(text).strong()).truncate()).on_hover_text(&view.name);
    });
}

fn space_heading_ui(ui: &mut Ui, rect: Rect, desk: &Desk, space: &str, content: &Content<'_>) {
    let color = theme::space(space, ui.visuals().dark_mode);
    heading_ui(ui, rect, |ui| {
        ui.label(RichText::new(space).strong().color(color)).on_hover_text(explain_space(space));
        match content {
            Content::Picture(picture, _) => {
                let percent = 100.0 * picture.explained.iter().sum::<f32>();
                let [red, green, blue] = picture.explained.map(|share| 100.0 * share);
                ui.weak(format!("PCA, {percent:.0} %")).on_hover_text(format!(
                    "The first three principal components of this image's patches as red, green and blue; they \
                     explain {red:.0}, {green:.0} and {blue:.0} % of the variance. Each picture has its own \
                     components: colours cannot be compared between spaces or images."
                ));
            }
            _ if desk.settings.mode == MapMode::Ranks => drop(ui.weak("ranks")),
            _ => {
                ui.label(RichText::new(name_of_space(space)).color(color))
                    .on_hover_text(explain_space(space));
            }
        }
        let value = desk.hover.iter().flat_map(|hover| &hover.values).find(|(name, _)| name == space);
        if let Some((_, value)) = value {
            ui.add_space(STEP / 2.0);
            ui.label(text::cosine(value.unwrap_or(f32::NAN)));
        }
    });
}

fn heading_ui(ui: &mut Ui, rect: Rect, add: impl FnOnce(&mut Ui)) {
    let builder = eframe::egui::UiBuilder::new().max_rect(rect).layout(*ui.layout());
    ui.scope_builder(builder, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = STEP / 2.0;
            add(ui);
        })
    });
}

/// A remark in the middle of an empty place.
pub fn empty_ui(ui: &mut Ui, rect: Rect, text: &str) {
    let builder = eframe::egui::UiBuilder::new().max_rect(rect.shrink(STEP));
    ui.scope_builder(builder, |ui| {
        ui.vertical_centered(|ui| {
            ui.add_space((rect.height() / 2.0 - 2.0 * STEP).max(0.0));
            ui.label(RichText::new(text).weak());
        });
    });
}
