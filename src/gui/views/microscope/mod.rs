//! The same point of the image at several patch sizes: a column for each size with the query's box and a
//! heatmap for each space, and below them how alike the query is to the rest of the image.

mod columns;
mod invariance;
mod sizes;

use std::sync::Arc;

use eframe::egui::{
    Id, Label, Rect, Response, RichText, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, vec2,
};

use self::columns::Columns;
use self::sizes::SizesField;
use super::view::View;
use crate::engine::{Command, Heatmap, ImageView, MapMode, MicroscopeLevel, displayed};
use crate::gui::desk::{Desk, Hover};
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::spaces::explain_space;
use crate::gui::nouns::text::{self, count, thousands};
use crate::gui::paint::color_bar;
use crate::gui::paint::map_painter::{MapPainter, slots};
use crate::gui::paint::marks;
use crate::gui::paint::pane::{Drag, Placement, Viewpoint};
use crate::gui::paint::theme;
use crate::gui::panels::controls;
use crate::gui::panels::view_switch::switch_ui;
use crate::gui::widgets::place::{empty_ui, heading_ui};
use crate::patch::PatchRef;

/// The view's own state.
#[derive(Default)]
pub struct MicroscopePanel {
    /// What the engine was last asked for.
    asked: Option<Vec<u32>>,
    sizes: SizesField,
    viewpoint: Viewpoint,
    /// Index of the image on show.
    shown: Option<usize>,
    painter: MapPainter<{ slots::of(ExploreView::Microscope) }>,
    columns: Vec<Column>,
}

/// A patch size with its maps as they are shown.
#[derive(Clone)]
struct Column {
    level: Arc<MicroscopeLevel>,
    mode: MapMode,
    maps: Vec<Heatmap>,
}

/// The image or a map of a column.
struct LevelPane {
    column: usize,
    /// None: the image itself.
    map: Option<usize>,
    rect: Rect,
    response: Response,
    placement: Placement,
}

impl View for MicroscopePanel {
    fn which(&self) -> ExploreView {
        ExploreView::Microscope
    }

    fn sync(&mut self, desk: &mut Desk, is_on_show: bool) {
        let wanted = is_on_show.then(|| desk.settings.microscope.clone());
        if wanted != self.asked {
            desk.session.send(Command::Microscope(wanted.clone()));
            self.asked = wanted;
        }
    }

    fn reset(&mut self) {
        self.viewpoint = Viewpoint::default();
    }

    fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        ui.horizontal_wrapped(|ui| {
            switch_ui(ui, desk);
            self.sizes.ui(ui, desk);
            controls::spaces_ui(ui, desk);
            ui.separator();
            controls::looks_ui(ui, desk, false);
        });
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.columns_ui(ui, desk));
    }
}

impl MicroscopePanel {
    fn columns_ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let snapshot = desk.session.snapshot().clone();
        let area = Rect::from_min_size(ui.cursor().min, ui.available_size());
        let shown = snapshot.views.microscope.as_ref().filter(|shown| !shown.levels.is_empty());
        let shown =
            shown.filter(|shown| snapshot.view.as_ref().is_some_and(|view| view.index == shown.image));
        let (Some(view), Some(shown)) = (&snapshot.view, shown) else {
            let (_, area) = ui.allocate_space(area.size());
            empty_ui(ui, area, &remark(desk));
            return;
        };
        if self.shown != Some(view.index) {
            self.shown = Some(view.index);
            self.reset();
        }
        let columns = self.columns(&shown.levels, mode(desk));
        let names = row_names(desk, &columns);
        let layout = Columns::new(area, columns.len(), names.len());
        ui.allocate_space(vec2(area.width(), layout.height));
        let panes = self.place(ui, &layout, view, &columns, &names);
        let size = vec2(view.image.width() as f32, view.image.height() as f32);
        for pane in &panes {
            self.viewpoint.navigate(ui, &pane.response, pane.placement, size, Drag::Pans);
        }
        desk.hover = hover(desk, view, &columns, &panes);
        click(desk, &panes);
        for (index, column) in columns.iter().enumerate() {
            level_heading_ui(ui, layout.heading(index), &column.level);
            for (row, name) in names.iter().enumerate() {
                map_heading_ui(ui, layout.map_heading(index, row), desk, column, name);
            }
        }
        for (slot, pane) in panes.iter().enumerate() {
            self.pane_ui(ui, desk, view, &columns[pane.column], pane, slot);
        }
        color_bar::ui(ui, layout.bar(), &desk.scale(), desk.pointed_values());
        let middles: Vec<f32> = (0..columns.len()).map(|index| layout.image(index).center().x).collect();
        invariance::chart_ui(ui, layout.chart(), &middles, &shown.levels, desk.settings.range);
    }

    /// The columns, their maps made anew only where a level or the way to look has changed.
    fn columns(&mut self, levels: &[Arc<MicroscopeLevel>], mode: MapMode) -> Vec<Column> {
        let column = |(index, level): (usize, &Arc<MicroscopeLevel>)| {
            let is_same = |column: &&Column| Arc::ptr_eq(&column.level, level) && column.mode == mode;
            let known = self.columns.get(index).filter(is_same);
            let make = || Column { level: level.clone(), mode, maps: displayed(&level.maps, mode) };
            known.cloned().unwrap_or_else(make)
        };
        let columns: Vec<Column> = levels.iter().enumerate().map(column).collect();
        self.columns.clone_from(&columns);
        columns
    }

    /// Finds where everything lies: the image of each column, then its maps.
    fn place(
        &self,
        ui: &Ui,
        layout: &Columns,
        view: &ImageView,
        columns: &[Column],
        names: &[String],
    ) -> Vec<LevelPane> {
        let size = vec2(view.image.width() as f32, view.image.height() as f32);
        let mut panes = vec![];
        for (column, Column { level, .. }) in columns.iter().enumerate() {
            for map in std::iter::once(None).chain((0..names.len()).map(Some)) {
                let rect = map.map_or(layout.image(column), |map| layout.map(column, map));
                let id = Id::unique(("microscope", column, map));
                let response = ui.interact(rect, id, Sense::CLICK | Sense::DRAG);
                let what = map.map_or("image".to_owned(), |map| format!("{} heatmap", names[map]));
                response.widget_info(|| {
                    WidgetInfo::labeled(Role::Image, true, format!("{what} at {} px", level.grid.patch))
                });
                let placement = self.viewpoint.placement(rect, size, ui.pixels_per_point());
                panes.push(LevelPane { column, map, rect, response, placement });
            }
        }
        panes
    }

    fn pane_ui(
        &mut self,
        ui: &mut Ui,
        desk: &Desk,
        view: &ImageView,
        column: &Column,
        pane: &LevelPane,
        slot: usize,
    ) {
        let painter = ui.painter_at(pane.rect.expand(1.0).intersect(ui.clip_rect()));
        self.painter.image(&painter, pane.placement, &view.image);
        if let Some(index) = pane.map {
            let Some(map) = column.maps.get(index) else {
                painter.rect_filled(pane.rect, 0.0, ui.visuals().panel_fill.gamma_multiply(0.85));
                empty_ui(ui, pane.rect, map_remark(desk));
                return;
            };
            self.painter.map(&painter, &desk.settings.map_look(), pane.placement, map, slot);
        }
        if let Some(patch) = desk.hover.as_ref().and_then(|hover| under(hover, &column.level, view)) {
            marks::hover_outline(&painter, pane.placement.patch(patch));
        }
        if let Some(query) = column.level.query {
            marks::query_dashes(&painter, pane.placement.patch(query));
        }
    }
}

/// The microscope shows maps: pictures have no query.
fn mode(desk: &Desk) -> MapMode {
    controls::without_pictures(desk.settings.mode)
}

/// What stands where there are no columns.
fn remark(desk: &Desk) -> String {
    let snapshot = desk.session.snapshot();
    if let Some(lacks) = desk.lacks().or_else(|| desk.lacks_network()) {
        return lacks;
    }
    let fits_none = |shown: &crate::engine::MicroscopeView| !shown.left_out.is_empty();
    if snapshot.views.microscope.as_deref().is_some_and(fits_none) {
        return "None of these patch sizes fits on the image: choose smaller ones above.".to_owned();
    }
    "computing...".to_owned()
}

/// What stands where there is no map.
fn map_remark(desk: &Desk) -> &'static str {
    match desk.session.boxes_in_view().is_empty() {
        false if mode(desk) == MapMode::Difference && desk.session.has_one_space() => {
            "A difference needs two spaces: choose another one under Spaces."
        }
        false => "computing...",
        true => "No query on this image yet:\nclick a patch of it.",
    }
}

/// Names of the rows of maps.
fn row_names(desk: &Desk, columns: &[Column]) -> Vec<String> {
    let first = columns.iter().find(|column| !column.maps.is_empty());
    match (first, mode(desk)) {
        (Some(column), _) => column.maps.iter().map(|map| map.space.clone()).collect(),
        (None, MapMode::Difference) => vec!["difference".to_owned()],
        (None, _) => desk.session.config().map_or_else(Vec::new, |config| config.spaces),
    }
}

/// What lies under the pointer; the values are those of the column that it is on.
fn hover(desk: &Desk, view: &ImageView, columns: &[Column], panes: &[LevelPane]) -> Option<Hover> {
    let (pane, pos) = panes.iter().find_map(|pane| Some((pane, pane.response.hover_pos()?)))?;
    let grid = desk.session.config().map(|config| config.grid);
    Hover::at(pane.placement.to_image(pos), view, grid, &columns[pane.column].maps)
}

/// The patch of a level whose centre is nearest to what is pointed at.
fn under(hover: &Hover, level: &MicroscopeLevel, view: &ImageView) -> Option<PatchRef> {
    let [x, y] = [hover.pixel.0, hover.pixel.1].map(|pixel| pixel as f32 + 0.5);
    let (row, col) = level.grid.nearest(x, y, view.image.height(), view.image.width())?;
    let [y, x] = [row, col].map(|cell| cell as u32 * level.grid.stride);
    Some(PatchRef { image: view.index as u32, y, x, size: level.grid.patch })
}

/// A click makes the place under the pointer that of the query.
fn click(desk: &mut Desk, panes: &[LevelPane]) {
    let patch = desk.hover.as_ref().and_then(|hover| hover.patch);
    let clicked = panes.iter().any(|pane| pane.response.clicked() && !pane.response.double_clicked());
    if let (true, Some(patch)) = (clicked, patch) {
        desk.session.go_to_place(patch);
    }
}

/// The size, and how much of its maps is known.
fn level_heading_ui(ui: &mut Ui, rect: Rect, level: &MicroscopeLevel) {
    let MicroscopeLevel { grid, positions, known, .. } = level;
    let progress = match known == positions {
        true => count(*positions, "patch"),
        false => format!("{} of {}", thousands(*known), count(*positions, "patch")),
    };
    heading_ui(ui, rect, |ui| {
        ui.label(RichText::new(format!("{} px", grid.patch)).strong());
        ui.add(Label::new(RichText::new(&progress).weak()).truncate()).on_hover_text(format!(
            "Patches of {0} x {0} pixels, one every {1}: {progress}. The query lies about the same centre at every \
             size, moved inside at the image's edge.",
            grid.patch,
            count(grid.stride as usize, "pixel"),
        ));
    });
}

/// The space, the mean cosine to the rest of the image, and the value under the pointer.
fn map_heading_ui(ui: &mut Ui, rect: Rect, desk: &Desk, column: &Column, name: &str) {
    let color = theme::space(name, ui.visuals().dark_mode);
    let rest = invariance::rest_of(&column.level, name);
    heading_ui(ui, rect, |ui| {
        ui.label(RichText::new(name).strong().color(color)).on_hover_text(explain_space(name));
        match rest {
            _ if mode(desk) == MapMode::Ranks => drop(ui.weak("ranks")),
            _ if mode(desk) == MapMode::Lengths => drop(ui.weak("lengths")),
            None => {}
            Some(rest) if rest.patches == 0 => {
                ui.weak("no other patch").on_hover_text("The image has one patch of this size.");
            }
            Some(rest) => {
                let mean = text::cosine(rest.mean);
                let words = format!("mean {mean} \u{b7} N {}", thousands(rest.patches));
                ui.add(Label::new(words).truncate()).on_hover_text(format!(
                    "Mean cosine of the query to the rest of the image in {name}: {mean}, standard deviation \
                     {:.2}, over {} that are known so far, of {}; its own place is left out.",
                    rest.deviation,
                    count(rest.patches, "patch"),
                    thousands(column.level.positions),
                ));
            }
        }
        let value = desk.hover.as_ref().and_then(|hover| value_at(hover, column, name));
        if let Some(value) = value {
            ui.label(RichText::new(text::shown(value, mode(desk))).strong())
                .on_hover_text("Under the pointer.");
        }
    });
}

/// The value of a column's map at what is pointed at.
fn value_at(hover: &Hover, column: &Column, name: &str) -> Option<f32> {
    let map = column.maps.iter().find(|map| map.space == name)?;
    let [x, y] = [hover.pixel.0, hover.pixel.1].map(|pixel| pixel as f32 + 0.5);
    let side = |count: usize| count.saturating_sub(1) as u32 * map.grid.stride + map.grid.patch;
    let at = Vec2::new(x.min(side(map.cols) as f32), y.min(side(map.rows) as f32));
    let (row, col) = map.grid.nearest(at.x, at.y, side(map.rows), side(map.cols))?;
    map.values.get(row * map.cols + col).copied()
}
