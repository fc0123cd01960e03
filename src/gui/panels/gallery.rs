//! The neighbours of the query, one gallery for each space: the query first,
//! then the nearest patches, best first.

use std::collections::HashMap;

use eframe::egui::{
    Color32, Id, Label, Mesh, Rect, RichText, Role, Sense, Shape, Tooltip, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use crate::engine::{Gallery, GalleryView, MeasuredRecall, defaults};

use super::composition;
use super::neighbour::{LookedAt, neighbour_text, pointed_frame};
use crate::gui::desk::Desk;
use crate::gui::nouns::spaces::explain_space;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::marks;
use crate::gui::paint::textures::{Atlas, GalleryAtlases};
use crate::gui::paint::theme::{self, STEP};
use crate::gui::panels::gestures;
use crate::gui::widgets::place::empty_ui;
use crate::gui::widgets::roving::{CellRows, rove};
use crate::patch::PatchRef;

/// Height of the line above a gallery.
const HEADING: f32 = 20.0;
/// Height of the shares below a gallery, with the space about them.
const SHARES: f32 = 16.0;
/// A gallery narrower than this says less above it, points.
const NARROW: f32 = 250.0;
/// Space between cells, points.
const GAP: f32 = 2.0;
/// Smallest and largest side of a cell, points.
const CELL: std::ops::RangeInclusive<f32> = 14.0..=72.0;
/// Smallest side of a cell where galleries of two models share the width.
const SMALL_CELL: f32 = 10.0;

/// Columns of a gallery of `cells` cells: 10 x 12 and 16 x 16 as in the paper.
fn columns(cells: usize) -> usize {
    match cells {
        0..=120 => 12,
        121..=256 => 16,
        _ => (cells as f32).sqrt().ceil() as usize,
    }
}

/// Rows and columns that `neighbours` and the query take; `fixed` columns, or as many as suit.
fn shape(neighbours: usize, fixed: Option<usize>) -> (usize, usize) {
    let columns = fixed.unwrap_or_else(|| columns(neighbours + 1));
    ((neighbours + 1).div_ceil(columns), columns)
}

/// The height in which galleries of `neighbours` fit best when `width` is there for two.
pub fn wanted_height(neighbours: usize, width: f32) -> f32 {
    let (rows, columns) = shape(neighbours, None);
    let cell = ((width - STEP) / 2.0 / columns as f32).clamp(*CELL.start(), *CELL.end());
    HEADING + rows as f32 * cell + SHARES
}

/// Least width in which a gallery of `neighbours` can share the width with others, points.
pub fn least_width(neighbours: usize) -> f32 {
    shape(neighbours, None).1 as f32 * SMALL_CELL
}

/// Height of a gallery of `neighbours` without its heading when it is `width` wide, with `columns` cells in a row
/// or as many as suit.
pub fn height_of(neighbours: usize, columns: Option<usize>, width: f32) -> f32 {
    let (rows, columns) = shape(neighbours, columns);
    rows as f32 * (width / columns as f32).floor().clamp(SMALL_CELL, *CELL.end()) + SHARES
}

/// Draws the galleries side by side into the given height.
pub fn galleries_ui(ui: &mut Ui, desk: &mut Desk, atlases: &mut GalleryAtlases, height: f32) {
    let snapshot = desk.session.snapshot().clone();
    let (_, area) = ui.allocate_space(vec2(ui.available_width(), height));
    let classes = snapshot.data.as_ref().map_or(&[][..], |data| &data.classes);
    let Some(view) = &snapshot.galleries else {
        let text = match snapshot.query {
            // Without an image its pane above says what is missing.
            _ if snapshot.view.is_none() => String::new(),
            _ if desk.lacks().is_some() => desk.lacks().unwrap_or_default(),
            None if desk.patch_fault().is_some() => String::new(),
            Some(_) => "The neighbours appear as soon as the first patches are embedded.".to_owned(),
            None => {
                "No query yet: click a patch of the image, and its nearest patches appear here.".to_owned()
            }
        };
        empty_ui(ui, area, &text);
        return;
    };
    let neighbours = desk.session.config().map_or(defaults::NEIGHBOURS, |config| config.neighbours);
    let width = (area.width() - STEP * (view.spaces.len() as f32 - 1.0)) / view.spaces.len().max(1) as f32;
    let pending = desk.session.are_galleries_pending();
    for (index, (gallery, atlas)) in view.spaces.iter().zip(atlases.of(ui.ctx(), view)).enumerate() {
        let left = area.left() + index as f32 * (width + STEP);
        let rect = Rect::from_min_size(pos2(left, area.top()), vec2(width, height));
        heading_ui(ui, rect.with_max_y(rect.top() + HEADING), view, gallery, classes, pending);
        let painted =
            PaintedGallery { gallery, view, atlas, pending, owner: "", columns: None, compared: None };
        painted_ui(ui, desk, rect.with_min_y(rect.top() + HEADING), neighbours, &painted);
    }
}

fn heading_ui(
    ui: &mut Ui,
    rect: Rect,
    view: &GalleryView,
    gallery: &Gallery,
    classes: &[String],
    pending: bool,
) {
    let color = theme::space(&gallery.space, ui.visuals().dark_mode);
    let builder = eframe::egui::UiBuilder::new().max_rect(rect);
    ui.scope_builder(builder, |ui| {
        ui.horizontal(|ui| {
            let is_narrow = rect.width() < NARROW;
            let nearest = if is_narrow { "" } else { " nearest" };
            let text = format!("{} \u{b7} {}{nearest}", gallery.space, thousands(gallery.neighbours.len()));
            ui.label(RichText::new(text).strong().color(color)).on_hover_text(explain_space(&gallery.space));
            let reach = if pending { "searching...".to_owned() } else { reach_text(view, gallery, classes) };
            // How many of how many is never cut.
            let shown = match is_narrow && !pending {
                true => format!("{} of {}", thousands(gallery.searched), thousands(view.total)),
                false => reach.clone(),
            };
            ui.add(Label::new(RichText::new(shown).weak()).truncate()).on_hover_text(format!(
                "{reach}\nPatches searched, of all that the galleries reach, and the time of the search. {}",
                way_words(gallery.recall)
            ));
        });
    });
}

/// How much was searched, and what was left out of it.
fn reach_text(view: &GalleryView, gallery: &Gallery, classes: &[String]) -> String {
    let all = count(view.total, "patch");
    let mut text = format!("over {} of {all}", thousands(gallery.searched));
    let (searched, reach) = view.images;
    // How many of the data set's images the galleries reach stands above them.
    if searched < reach {
        text += &format!(" \u{b7} {} of {}", thousands(searched), count(reach, "image"));
    }
    match view.guests {
        0 => {}
        1 => text += " \u{b7} with the query's image",
        more => text += &format!(" \u{b7} with {} of the query", count(more, "image")),
    }
    for words in view.filter.words(classes) {
        text += &format!(" \u{b7} {words}");
    }
    if let Some(measured) = gallery.recall {
        let MeasuredRecall { recall, queries, .. } = measured;
        text += &format!(" \u{b7} recall {recall:.3}, measured on {} queries", thousands(queries));
    } else if view.way.is_some() {
        text += " \u{b7} exact";
    }
    text + &format!(" \u{b7} {:.1} ms", gallery.milliseconds)
}

/// How the search went about it.
pub fn way_words(recall: Option<MeasuredRecall>) -> String {
    let Some(MeasuredRecall { recall, least, queries, k, compared, .. }) = recall else {
        return "Every one of them was compared.".to_owned();
    };
    format!(
        "Searched by codes of one bit a value; what they cannot tell from the nearest was compared, so cosines and order are \
         exact, and a neighbour may be missing: measured on {} queries, {recall:.3} of the {k} nearest are found ({least:.3} for \
         the worst of them), with {} compared on average.",
        thousands(queries),
        count(compared.round() as usize, "patch")
    )
}

/// Where the cells of a gallery lie.
struct Grid {
    origin: eframe::egui::Pos2,
    side: f32,
    columns: usize,
}

impl Grid {
    /// As large as it fits into `rect`, with cells of at least `least` points.
    fn fit(rect: Rect, (rows, columns): (usize, usize), least: f32) -> Self {
        let side = (rect.width() / columns as f32).min(rect.height() / rows as f32).floor();
        Self { origin: rect.min, side: side.clamp(least, *CELL.end()), columns }
    }

    /// Width of a whole row.
    fn width(&self) -> f32 {
        self.columns as f32 * self.side - GAP
    }

    fn cell(&self, index: usize) -> Rect {
        let place = vec2((index % self.columns) as f32, (index / self.columns) as f32);
        Rect::from_min_size(self.origin + place * self.side, Vec2::splat(self.side - GAP))
    }
}

/// A gallery as it is drawn.
pub struct PaintedGallery<'a> {
    /// The gallery itself.
    pub gallery: &'a Gallery,
    /// All galleries of the same answer.
    pub view: &'a GalleryView,
    /// Its pictures.
    pub atlas: &'a Atlas,
    /// Whether it belongs to an earlier question.
    pub pending: bool,
    /// Whose gallery it is, before the space's name where there are several: "A", "position 2".
    pub owner: &'a str,
    /// Cells in a row; none: as many as suit.
    pub columns: Option<usize>,
    /// Where it stands beside that of another model.
    pub compared: Option<ComparedWith<'a>>,
}

/// What is shown of the other gallery of a pair.
#[derive(Clone, Copy)]
pub struct ComparedWith<'a> {
    /// Patches with their ranks in the other gallery.
    pub ranks: &'a HashMap<PatchRef, usize>,
    /// The patch under the pointer in either.
    pub pointed: Option<PatchRef>,
}

impl PaintedGallery<'_> {
    /// Its name for labels: "z", or "A z".
    fn name(&self) -> String {
        let space = &self.gallery.space;
        if self.owner.is_empty() { space.clone() } else { format!("{} {space}", self.owner) }
    }
}

/// The keyboard on the cells: a cursor among them, and Enter goes to its patch. Returns the neighbour that it
/// is on.
fn keyboard(ui: &Ui, desk: &mut Desk, grid: &Grid, painted: &PaintedGallery<'_>, id: Id) -> Option<usize> {
    let PaintedGallery { gallery, view, .. } = *painted;
    let count = gallery.neighbours.len() + 1;
    let cells = CellRows { count, columns: grid.columns, page: 5 };
    let at = id.with("cursor");
    let mut cursor = ui.data(|data| data.get_temp(at)).unwrap_or(1);
    let title = |cell: usize| match cell.checked_sub(1).and_then(|rank| gallery.neighbours.get(rank)) {
        Some(neighbour) => format!("{cell}: {}", neighbour_text(neighbour)),
        None => "the query".to_owned(),
    };
    let name = format!("{} nearest", painted.name());
    let rect = grid.cell(0).union(grid.cell(count - 1)).with_max_x(grid.origin.x + grid.width());
    let roved = rove(ui, id.with("cells"), rect, &name, cells, &mut cursor, title);
    if let Some(cell) = roved.cursor {
        theme::cursor_frame(ui, grid.cell(cell));
        let at_cursor = cell.checked_sub(1).and_then(|rank| gallery.neighbours.get(rank));
        at_cursor.into_iter().for_each(|neighbour| desk.pointed = Some(neighbour.patch.into()));
        if roved.is_taken {
            match cell.checked_sub(1).and_then(|rank| gallery.neighbours.get(rank)) {
                Some(neighbour) => desk.session.go_to(neighbour.patch),
                None => desk.session.look_for(view.query.clone()),
            }
        }
    }
    ui.data_mut(|data| data.insert_temp(at, cursor));
    roved.cursor.and_then(|cell| cell.checked_sub(1))
}

/// Draws a gallery without its heading, with room for `neighbours`. Returns the neighbour under the pointer.
pub fn painted_ui(
    ui: &mut Ui,
    desk: &mut Desk,
    rect: Rect,
    neighbours: usize,
    painted: &PaintedGallery<'_>,
) -> Option<PatchRef> {
    let PaintedGallery { gallery, view, atlas, .. } = *painted;
    let count = gallery.neighbours.len();
    let least = if painted.compared.is_some() { SMALL_CELL } else { *CELL.start() };
    let grid = Grid::fit(
        rect.with_max_y(rect.bottom() - SHARES),
        shape(neighbours.max(count), painted.columns),
        least,
    );
    let bottom = grid.cell(count).bottom();
    let bar = Rect::from_min_size(pos2(rect.left(), bottom + 3.0), vec2(grid.width(), SHARES - 6.0));
    composition::by_rank_ui(ui, bar, gallery, &painted.name());
    let mut mesh = Mesh::with_texture(atlas.texture.id());
    let tint = if painted.pending { Color32::from_white_alpha(150) } else { Color32::WHITE };
    for index in 0..=count {
        mesh.add_rect_with_uv(grid.cell(index), atlas.uv(index), tint);
    }
    ui.painter().add(Shape::mesh(mesh));
    marks::query_dashes(ui.painter(), grid.cell(0).shrink(1.0));
    let id = Id::unique("gallery").with(painted.name());
    let chosen = keyboard(ui, desk, &grid, painted, id);
    let query = ui.interact(grid.cell(0), id.with("query"), Sense::CLICK);
    query.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("{} query", painted.name())));
    if query.on_hover_text("The query.").clicked() {
        desk.session.look_for(view.query.clone());
    }
    let mut pointed = None;
    for index in 0..count {
        let is_chosen = chosen == Some(index);
        if cell_ui(ui, desk, grid.cell(index + 1), id.with(index), painted, index, is_chosen) {
            pointed = Some(gallery.neighbours[index].patch);
        }
    }
    pointed
}

/// Neighbour `index` in words: "h neighbour 8: cosine 0.965, car, other class".
fn neighbour_label(painted: &PaintedGallery<'_>, index: usize) -> String {
    let neighbour = &painted.gallery.neighbours[index];
    let there = match painted.compared.and_then(|other| other.ranks.get(&neighbour.patch)) {
        Some(_) => ", in both",
        None => "",
    };
    format!("{} neighbour {}: {}{there}", painted.name(), index + 1, neighbour_text(neighbour))
}

/// Marks and behaviour of neighbour `index`, which the keys may have chosen. Returns whether it is looked at.
fn cell_ui(
    ui: &Ui,
    desk: &mut Desk,
    rect: Rect,
    id: Id,
    painted: &PaintedGallery<'_>,
    index: usize,
    is_chosen: bool,
) -> bool {
    let neighbour = &painted.gallery.neighbours[index];
    let rank_there = painted.compared.map(|other| other.ranks.get(&neighbour.patch).copied());
    marks::relation_marks(ui.painter(), rect, neighbour.relation);
    marks::copies(ui.painter(), rect, neighbour.copies);
    if let Some(Some(_)) = rank_there {
        marks::common_dot(ui.painter(), rect);
    }
    let response = ui.interact(rect, id, Sense::CLICK);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, neighbour_label(painted, index)));
    let is_looked_at = response.hovered() || is_chosen;
    if is_looked_at || painted.compared.and_then(|other| other.pointed) == Some(neighbour.patch) {
        pointed_frame(ui, rect);
    }
    gestures::of_source(ui, desk, &response, || neighbour.patch.into());
    let looked_at = LookedAt {
        gallery: &painted.name(),
        space: &painted.gallery.space,
        rank: index + 1,
        neighbour,
        rank_there,
    };
    let tip = |ui: &mut Ui| looked_at.ui(ui, desk);
    if is_chosen {
        Tooltip::always_open(ui.ctx().clone(), ui.layer_id(), id.with("chosen"), rect).gap(4.0).show(tip);
    } else {
        response.on_hover_ui(tip);
    }
    is_looked_at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn galleries_have_the_shapes_of_the_paper() {
        assert_eq!(shape(119, None), (10, 12));
        assert_eq!(shape(255, None), (16, 16));
        assert_eq!(shape(24, Some(5)), (5, 5));
        let rect = Rect::from_min_size(pos2(10.0, 10.0), vec2(400.0, 300.0));
        let grid = Grid::fit(rect, shape(119, None), 14.0);
        assert_eq!(grid.side, 30.0);
        assert!(rect.contains_rect(grid.cell(119)));
    }
}
