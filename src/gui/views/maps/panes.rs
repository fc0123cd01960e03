//! The image with the query, and beside it one heatmap for each space on one
//! locked colour scale. A click on any of them, or a box that is drawn there, makes a query.

use eframe::egui::{Color32, Id, Pos2, Rect, Response, RichText, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use crate::engine::{Heatmap, ImageView, MapMode, Picture, Snapshot};
use crate::patch::PatchGrid;

use crate::gui::desk::{Desk, Hover};
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::spaces::{explain_space, name_of_space};
use crate::gui::nouns::text;
use crate::gui::paint::color_bar;
use crate::gui::paint::map_painter::{MapPainter, slots};
use crate::gui::paint::marks;
use crate::gui::paint::pane::{Drag, Placement, Viewpoint};
use crate::gui::paint::textures::PictureSlot;
use crate::gui::paint::theme::{self, STEP};
use crate::gui::panels::gestures::PanePointer;
use crate::gui::widgets::place::{empty_ui, heading_ui};

/// Height of the headings above the panes.
const HEADING: f32 = 20.0;

/// What a preview is.
const PREVIEW: &str = "The patch under the pointer as if it were the query; a click makes it so (V ends it). Values \
                       under the pointer are still those of the query.";

/// The panel's own state.
#[derive(Default)]
pub struct MapsPanel {
    viewpoint: Viewpoint,
    pointer: PanePointer,
    painter: MapPainter<{ slots::of(ExploreView::Maps) }>,
    /// The spaces as pictures, by place.
    space_pictures: Vec<PictureSlot>,
    shown: Option<usize>,
    /// How to look at an image once it is on show.
    wanted: Option<(usize, Viewpoint)>,
}

/// One of the panes in a frame.
struct MapPane<'a> {
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

    /// What part of the image is seen.
    pub fn viewpoint(&self) -> Viewpoint {
        self.viewpoint
    }

    /// Sees that part of image `index` once it is on show.
    pub fn look_at(&mut self, index: usize, viewpoint: Viewpoint) {
        self.wanted = Some((index, viewpoint));
    }

    /// Draws the panes into the given height.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, height: f32) {
        let snapshot = desk.session.snapshot().clone();
        let (_, area) = ui.allocate_space(vec2(ui.available_width(), height));
        let Some(view) = &snapshot.view else {
            empty_ui(ui, area, &desk.lacks().unwrap_or_default());
            return;
        };
        if self.shown != Some(view.index) {
            self.shown = Some(view.index);
            self.reset_zoom();
        }
        if let Some((_, viewpoint)) = self.wanted.take_if(|(index, _)| *index == view.index) {
            self.viewpoint = viewpoint;
        }
        let maps = desk.maps.list().to_vec();
        let names = names(desk, &snapshot, &maps);
        let rects = split(area, names.len() + 1);
        let contents = contents(desk, &snapshot, view, &maps, names.len());
        let panes = self.place(ui, &rects, view, contents, &names);
        let size = vec2(view.image.width() as f32, view.image.height() as f32);
        for pane in &panes {
            self.viewpoint.navigate(ui, &pane.response, pane.placement, size, Drag::DrawsBox);
        }
        desk.hover = hover(desk, &panes, view);
        let patch = desk.hover.as_ref().and_then(|hover| hover.patch);
        patch.into_iter().for_each(|patch| desk.pointed = Some(patch.into()));
        for pane in &panes {
            self.pointer.update(ui, desk, &pane.response, pane.placement, view);
        }
        for (index, pane) in panes.iter().enumerate() {
            let heading = Rect::from_min_size(rects[index].min, vec2(rects[index].width(), HEADING));
            match index.checked_sub(1) {
                None => image_heading_ui(ui, heading, view),
                Some(space) => space_heading_ui(ui, heading, desk, &names[space], &pane.content),
            }
            self.pane_ui(ui, desk, pane, view, index);
        }
        if desk.settings.mode != MapMode::Pictures {
            let corner = pos2(area.right() - color_bar::WIDTH, area.top() + HEADING);
            color_bar::ui(ui, Rect::from_min_max(corner, area.max), &desk.scale(), desk.pointed_values());
        }
        // The headings have moved the cursor up again.
        ui.advance_cursor_after_rect(area);
    }

    /// Finds where everything lies and what the pointer does there.
    fn place<'a>(
        &self,
        ui: &Ui,
        rects: &[Rect],
        view: &ImageView,
        contents: Vec<Content<'a>>,
        names: &[String],
    ) -> Vec<MapPane<'a>> {
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
            MapPane { rect, response, placement, content }
        };
        rects.iter().enumerate().zip(contents).map(pane).collect()
    }

    /// What an empty pane says.
    fn remark(&self, desk: &Desk) -> String {
        if let Some(fault) = desk.patch_fault() {
            return format!("No map: {fault}.");
        }
        let text = match desk.settings.mode {
            _ if desk.lacks().is_some() => return desk.lacks().unwrap_or_default(),
            MapMode::Pictures => "The picture comes when all patches of the image are known.",
            _ if desk.session.is_query_pending() => "computing...",
            MapMode::Difference if desk.session.has_one_space() => {
                "A difference needs two spaces: choose another one under Spaces."
            }
            _ => "No query yet:\nclick a patch of the image.",
        };
        text.to_owned()
    }

    fn pane_ui(&mut self, ui: &mut Ui, desk: &Desk, pane: &MapPane<'_>, view: &ImageView, index: usize) {
        let painter = ui.painter_at(pane.rect.expand(1.0));
        self.painter.image(&painter, pane.placement, &view.image);
        match pane.content {
            Content::Image => {}
            Content::Map(map) => {
                self.painter.map(&painter, &desk.settings.map_look(), pane.placement, map, index)
            }
            Content::Picture(picture, grid) => {
                self.space_pictures
                    .resize_with(self.space_pictures.len().max(index + 1), PictureSlot::default);
                let name = format!("{} picture", picture.space);
                let (rows, cols) = (picture.colors.height() as usize, picture.colors.width() as usize);
                let opacity = desk.settings.opacity as f32 / 100.0;
                let rect = pane.placement.heatmap(grid, rows, cols);
                let slot = &mut self.space_pictures[index];
                let texture = slot.texture(ui.ctx(), &name, &picture.colors, rect).id();
                let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
                painter.image(texture, rect, whole, Color32::WHITE.gamma_multiply(opacity));
            }
            Content::Nothing => {
                painter.rect_filled(pane.rect, 0.0, ui.visuals().panel_fill.gamma_multiply(0.85));
                empty_ui(ui, pane.rect, &self.remark(desk));
                return;
            }
        }
        let patch = desk.hover.as_ref().and_then(|hover| hover.patch);
        if let (Some(patch), false) = (patch, self.pointer.drag.is_active()) {
            marks::hover_outline(&painter, pane.placement.patch(patch));
        }
        marks::query_boxes(&painter, pane.placement, &desk.session.boxes_in_view());
        self.pointer.drag.paint(&painter, pane.placement, view);
    }
}

/// Headings of the panes beside the image.
fn names(desk: &Desk, snapshot: &Snapshot, maps: &[Heatmap]) -> Vec<String> {
    let spaces = snapshot.config.iter().flat_map(|config| config.spaces.iter().cloned());
    match desk.settings.mode {
        MapMode::Cosine | MapMode::Ranks | MapMode::Lengths if maps.is_empty() => spaces.collect(),
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
    let pictures = snapshot.views.pictures.as_ref().filter(|pictures| pictures.image == view.index);
    let content = |index: usize| match desk.settings.mode {
        MapMode::Pictures => {
            let picture = pictures.and_then(|all| Some(Content::Picture(all.spaces.get(index)?, all.grid)));
            picture.unwrap_or(Content::Nothing)
        }
        // A patch that does not fit has a map without cells.
        _ => maps.get(index).filter(|map| !map.shown.is_empty()).map_or(Content::Nothing, Content::Map),
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
fn hover(desk: &Desk, panes: &[MapPane<'_>], view: &ImageView) -> Option<Hover> {
    let maps = desk.maps.of_query();
    let (pane, pos) = panes.iter().find_map(|pane| Some((pane, pane.response.hover_pos()?)))?;
    let grid = maps.first().map(|map| map.grid).or_else(|| desk.session.config().map(|config| config.grid));
    Hover::at(pane.placement.to_image(pos), view, grid, maps)
}

fn image_heading_ui(ui: &mut Ui, rect: Rect, view: &ImageView) {
    let what = view.class.as_ref().unwrap_or(&view.name);
    let text = format!("image {} \u{b7} {what}", text::thousands(view.index));
    heading_ui(ui, rect, |ui| {
        ui.add(eframe::egui::Label::new(RichText::new(text).strong()).truncate())
            .on_hover_text(view.details());
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
            _ if desk.maps.is_preview() => drop(ui.weak("preview").on_hover_text(PREVIEW)),
            _ if desk.settings.mode == MapMode::Ranks => drop(ui.weak("ranks")),
            Content::Map(Heatmap { lengths: Some(lengths), .. })
                if desk.settings.mode == MapMode::Lengths =>
            {
                ui.weak(format!("length, of {:.3}", lengths.longest()))
                    .on_hover_text("1 is the length of the longest vector in this image and space.");
            }
            _ => {
                ui.label(RichText::new(name_of_space(space)).color(color))
                    .on_hover_text(explain_space(space));
            }
        }
        let value = desk.hover.iter().flat_map(|hover| &hover.values).find(|(name, _)| name == space);
        // A preview's value there is 1; that of the query stands at the side.
        if let Some((_, value)) = value.filter(|_| !desk.maps.is_preview()) {
            ui.add_space(STEP / 2.0);
            ui.label(text::shown(value.unwrap_or(f32::NAN), desk.settings.mode));
        }
    });
}
