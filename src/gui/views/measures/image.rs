//! Figure 3a of the image on show: how soon the mean of a few of its patches points where the whole does, and a map of
//! which patches carry it.

use eframe::egui::{Id, Label, Rect, Response, RichText, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::plots;
use super::table::table_ui;
use crate::engine::facts::{ConvergencePoint, OverDraws};
use crate::engine::{ImageMeasures, ImageView, SpaceAverages};
use crate::gui::desk::{Desk, Hover};
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::spaces::explain_space;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::color_bar;
use crate::gui::paint::heatmap_paint::HeatmapPaint;
use crate::gui::paint::map_painter::{MapPainter, slots};
use crate::gui::paint::marks;
use crate::gui::paint::pane::{Drag, Placement, Viewpoint};
use crate::gui::paint::scale::MapScale;
use crate::gui::paint::theme::{self, STEP};
use crate::gui::widgets::place::{empty_ui, heading_ui};
use crate::patch::PatchRef;

/// Height of a line of words, points.
const LINE: f32 = 20.0;
/// Sides of a map, points.
const SIDES: std::ops::RangeInclusive<f32> = 96.0..=320.0;
/// Share of the height that maps take.
const MAPS_SHARE: f32 = 0.42;
/// Share of the height that plots take.
const PLOTS_SHARE: f32 = 0.35;
/// Heights of the plots, points.
const PLOTS: std::ops::RangeInclusive<f32> = 190.0..=300.0;
/// Where the colours of the maps end, times the mean: a few patches carry many times as much, and hid the rest.
const MOST: f32 = 4.0;
/// The cosine with the mean of all patches that the table looks for.
const NEAR: f64 = 0.95;

/// The page's own state.
#[derive(Default)]
pub struct ImagePage {
    viewpoint: Viewpoint,
    /// Index of the image on show.
    shown: Option<usize>,
    painter: MapPainter<{ slots::of(ExploreView::Measures) }>,
}

/// The image, or a map of it.
struct MeasurePane {
    /// None: the image itself.
    space: Option<usize>,
    rect: Rect,
    response: Response,
    placement: Placement,
}

impl ImagePage {
    /// Shows the whole image again.
    pub fn reset(&mut self) {
        self.viewpoint = Viewpoint::default();
    }

    /// Draws it.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let snapshot = desk.session.snapshot().clone();
        let room = ui.available_size();
        let (Some(view), Some(measures)) = (&snapshot.view, &snapshot.views.measures.image) else {
            let (_, area) = ui.allocate_space(room);
            return empty_ui(ui, area, &remark(desk));
        };
        if self.shown != Some(view.index) {
            self.shown = Some(view.index);
            self.reset();
        }
        let is_current = measures.image == view.index
            && desk.session.config().is_some_and(|config| {
                let spaces = measures.spaces.iter().map(|space| &space.curve.space);
                config.grid == measures.grid && spaces.eq(&config.spaces)
            });
        about_ui(ui, desk, view, measures, is_current);
        self.maps_ui(ui, desk, view, measures, is_current, room);
        ui.add_space(STEP / 2.0);
        let height = (room.y * PLOTS_SHARE).clamp(*PLOTS.start(), *PLOTS.end());
        plots::panels_ui(ui, &measures.page.data.panels, height);
        ui.add_space(STEP / 2.0);
        let row = |space: &SpaceAverages| (space.curve.space.clone(), cells(&space.curve.points).to_vec());
        table_ui(ui, "averages", &COLUMNS, &measures.spaces.iter().map(row).collect::<Vec<_>>());
    }

    /// The image and the maps in a row.
    fn maps_ui(
        &mut self,
        ui: &mut Ui,
        desk: &mut Desk,
        view: &ImageView,
        measures: &ImageMeasures,
        is_current: bool,
        room: Vec2,
    ) {
        let panes = measures.spaces.len() + 1;
        let across = (room.x - color_bar::WIDTH) / panes as f32 - STEP;
        let side = across.min(room.y * MAPS_SHARE).clamp(*SIDES.start(), *SIDES.end()).floor();
        let (_, area) = ui.allocate_space(vec2(room.x, side + LINE));
        let pane_rect = |index: usize| {
            Rect::from_min_size(
                pos2(area.left() + index as f32 * (side + STEP), area.top() + LINE),
                Vec2::splat(side),
            )
        };
        let size = vec2(view.image.width() as f32, view.image.height() as f32);
        let panes: Vec<MeasurePane> =
            (0..panes).map(|index| self.place(ui, measures, pane_rect(index), index, size)).collect();
        for pane in &panes {
            self.viewpoint.navigate(ui, &pane.response, pane.placement, size, Drag::Pans);
        }
        let pointed = panes.iter().find_map(|pane| Some((pane, pane.response.hover_pos()?)));
        desk.hover = pointed.and_then(|(pane, pos)| {
            Hover::at(pane.placement.to_image(pos), view, Some(measures.grid), desk.maps.list())
        });
        let patch = desk.hover.as_ref().and_then(|hover| hover.patch);
        let clicked = panes.iter().any(|pane| pane.response.clicked() && !pane.response.double_clicked());
        if let (true, Some(patch)) = (clicked, patch) {
            desk.session.go_to_place(patch);
        }
        for pane in &panes {
            let heading = Rect::from_min_size(pane.rect.min - vec2(0.0, LINE), vec2(side, LINE));
            match pane.space {
                None => image_heading_ui(ui, heading, view),
                Some(index) => {
                    let space = &measures.spaces[index];
                    map_heading_ui(ui, heading, measures, space, patch.filter(|_| is_current));
                }
            }
            self.pane_ui(ui, desk, view, measures, pane, is_current);
        }
        let left = panes.last().map_or(area.left(), |pane| pane.rect.right() + STEP);
        let bar = Rect::from_min_size(pos2(left, area.top() + LINE), vec2(color_bar::WIDTH, side));
        color_bar::ui(ui, bar, &scale(desk), std::iter::empty());
    }

    fn place(&self, ui: &Ui, measures: &ImageMeasures, rect: Rect, index: usize, size: Vec2) -> MeasurePane {
        let space = index.checked_sub(1);
        let response = ui.interact(rect, Id::unique(("measures", index)), Sense::CLICK | Sense::DRAG);
        let name = space.map_or("image".to_owned(), |space| {
            format!("{} leave-one-out map", measures.spaces[space].curve.space)
        });
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
        let placement = self.viewpoint.placement(rect, size, ui.pixels_per_point());
        MeasurePane { space, rect, response, placement }
    }

    fn pane_ui(
        &mut self,
        ui: &mut Ui,
        desk: &Desk,
        view: &ImageView,
        measures: &ImageMeasures,
        pane: &MeasurePane,
        is_current: bool,
    ) {
        let painter = ui.painter_at(pane.rect.expand(1.0).intersect(ui.clip_rect()));
        self.painter.image(&painter, pane.placement, &view.image);
        match pane.space {
            Some(_) if !is_current => {
                painter.rect_filled(pane.rect, 0.0, ui.visuals().panel_fill.gamma_multiply(0.85));
                empty_ui(ui, pane.rect, &progress_words(desk));
                return;
            }
            Some(index) => {
                let (scale, (rows, cols)) = (scale(desk), measures.shape);
                let paint = HeatmapPaint {
                    slot: slots::of(ExploreView::Measures) + index,
                    rect: pane.placement.heatmap(measures.grid, rows, cols),
                    scores: measures.spaces[index].map.clone(),
                    rows,
                    cols,
                    range: scale.range,
                    opacity: desk.settings.opacity as f32 / 100.0,
                    colormap: scale.colormap,
                };
                painter.add(paint.into_shape());
            }
            None => {}
        }
        if let Some(patch) = desk.hover.as_ref().and_then(|hover| hover.patch) {
            marks::hover_outline(&painter, pane.placement.patch(patch));
        }
        marks::query_boxes(&painter, pane.placement, &desk.session.boxes_in_view());
    }
}

/// The colours of the maps, the same for all images.
fn scale(desk: &Desk) -> MapScale {
    MapScale {
        range: [0.0, MOST],
        colormap: desk.settings.colormap,
        label: "turn of R, times the mean",
        explanation: "How far R, the mean of all patches, turns without a patch (1 - cosine), as a multiple of the mean \
                      over all patches: 1 everywhere if all carried it alike; what is beyond 4 has the colour of 4.",
    }
}

/// What stands where nothing is measured.
fn remark(desk: &Desk) -> String {
    if let Some(lacks) = desk.lacks() {
        return lacks;
    }
    if let Some(fault) = desk.patch_fault() {
        return format!("Nothing to measure: {fault}.");
    }
    match desk.lacks_network() {
        Some(lacks) => {
            format!("{lacks} An image whose patches all have a vector in the bank is measured without it.")
        }
        None => progress_words(desk),
    }
}

/// How far the measuring is.
fn progress_words(desk: &Desk) -> String {
    match desk.session.snapshot().views.measures.orders {
        Some((done, all)) => format!("averaging: {done} of {all} orders..."),
        None => match patches_known(desk) {
            Some((known, all)) => format!("computing: {} of {}...", thousands(known), count(all, "patch")),
            None => "computing...".to_owned(),
        },
    }
}

/// Patches of the image on show that are embedded, and all, while some are not.
fn patches_known(desk: &Desk) -> Option<(usize, usize)> {
    let query = desk.session.snapshot().query.clone()?;
    let all = query.maps.first().map(|map| map.rows * map.cols)?;
    (query.known < all).then_some((query.known, all))
}

/// What is measured, and over how much.
fn about_ui(ui: &mut Ui, desk: &Desk, view: &ImageView, measures: &ImageMeasures, is_current: bool) {
    let (rows, cols) = measures.shape;
    let PatchWords { patches, every } = PatchWords::of(measures);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Means of patches").strong()).on_hover_text(
            "R, the mean of an image's patches, stands for the image in the paper. The fewer patches a mean needs to point \
             where R or the whole image's own vector points, the more alike the patches are (Fig. 3a, Sec. 4.2).",
        );
        let words = format!("{patches} {every} \u{b7} {} orders", measures.orders);
        ui.weak(words).on_hover_text(format!(
            "{rows} rows of {cols} patches, those of the heatmaps. Lines: means over {} random orders in which the patches \
             are taken; bands: from a tenth to nine tenths of the orders. The first order is that of bagssl figure fig3a.",
            measures.orders
        ));
        if !is_current {
            let of = match measures.image == view.index {
                true => "other patches or spaces".to_owned(),
                false => format!("image {}", thousands(measures.image)),
            };
            ui.weak(format!("\u{b7} still of {of}; {}", progress_words(desk)));
        }
    });
}

/// The patches in words.
struct PatchWords {
    patches: String,
    every: String,
}

impl PatchWords {
    fn of(measures: &ImageMeasures) -> Self {
        let (rows, cols) = measures.shape;
        let grid = measures.grid;
        Self {
            patches: count(rows * cols, "patch"),
            every: format!("of {0} x {0} px every {1} px", grid.patch, grid.stride),
        }
    }
}

fn image_heading_ui(ui: &mut Ui, rect: Rect, view: &ImageView) {
    let class = view.class.as_ref().map(|class| format!(" \u{b7} {class}")).unwrap_or_default();
    let text = format!("image {}{class}", thousands(view.index));
    heading_ui(ui, rect, |ui| {
        ui.add(Label::new(RichText::new(text).strong()).truncate()).on_hover_text(view.details());
    });
}

/// The space, how few patches carry half, and the value under the pointer.
fn map_heading_ui(
    ui: &mut Ui,
    rect: Rect,
    measures: &ImageMeasures,
    space: &SpaceAverages,
    pointed: Option<PatchRef>,
) {
    let name = space.curve.space.as_str();
    let color = theme::space(name, ui.visuals().dark_mode);
    let (patches, half) = (space.carried.relative.len(), space.carried.half);
    let (y, x) = space.carried.at;
    let value = pointed.and_then(|patch| {
        let (row, col) =
            ((patch.y / measures.grid.stride) as usize, (patch.x / measures.grid.stride) as usize);
        space.map.get(row * measures.shape.1 + col).copied()
    });
    heading_ui(ui, rect, |ui| {
        ui.label(RichText::new(name).strong().color(color)).on_hover_text(explain_space(name));
        let words = format!("half carried by {} of {}", thousands(half), thousands(patches));
        ui.add(Label::new(RichText::new(words).weak()).truncate()).on_hover_text(format!(
            "Each patch is left out in turn: how far does R, the mean of all, turn without it? {} of {} together make up \
             half of the turning. Most turns without the patch at y {y}, x {x}: {:.1} times the mean, which is {:.1e}.",
            count(half, "patch"),
            thousands(patches),
            space.carried.largest,
            space.carried.mean_turn,
        ));
        if let Some(value) = value {
            ui.label(RichText::new(format!("{value:.2}x")).strong()).on_hover_text("Under the pointer.");
        }
    });
}

/// The numbers behind the curves.
const COLUMNS: [(&str, &str); 6] = [
    (
        "whole, 1 patch",
        "Cosine of one patch with the whole image's vector: mean and standard deviation over orders.",
    ),
    ("whole, 16", "The same of the mean of 16 patches."),
    ("whole, all", "The same of R, the mean of all patches."),
    ("R, 1 patch", "Cosine of one patch with R, the mean of all patches."),
    ("R, 16", "The same of the mean of 16 patches."),
    ("R to 0.95", "The first of 1, 2, 4, ... patches whose mean has a cosine of 0.95 and more with R."),
];

/// A row of the table, without its name.
fn cells(points: &[ConvergencePoint]) -> [String; 6] {
    let at = |patches: usize| points.iter().find(|point| point.patches.1 == patches);
    let whole = |point: Option<&ConvergencePoint>| spread(point.and_then(|point| point.whole));
    let mean = |point: Option<&ConvergencePoint>| spread(point.map(|point| point.mean));
    let near = points.iter().find(|point| point.mean.mean >= NEAR);
    let all = points.last();
    [
        whole(at(1)),
        whole(at(16)),
        all.and_then(|point| point.whole).map_or_else(none, |whole| format!("{:.3}", whole.mean)),
        mean(at(1)),
        mean(at(16)),
        near.map_or_else(none, |point| count(point.patches.1, "patch")),
    ]
}

fn none() -> String {
    "-".to_owned()
}

fn spread(value: Option<OverDraws>) -> String {
    value.map_or_else(none, |value| format!("{:.3} \u{b1} {:.3}", value.mean, value.deviation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::facts::PatchCount;

    #[test]
    fn the_table_has_the_numbers_of_the_curve_and_none_where_there_is_none() {
        let over =
            |mean: f64| OverDraws { mean, low: mean, high: mean, deviation: 0.1, p10: mean, p90: mean };
        let point = |patches: usize, whole: Option<f64>, mean: f64| ConvergencePoint {
            count: PatchCount::First(patches),
            patches: (patches, patches),
            whole: whole.map(over),
            mean: over(mean),
        };
        let points = [point(1, Some(0.5), 0.8), point(4, Some(0.6), 0.96), point(9, Some(0.7), 1.0)];
        assert_eq!(
            cells(&points),
            ["0.500 \u{b1} 0.100", "-", "0.700", "0.800 \u{b1} 0.100", "-", "4 patches"]
        );
        assert_eq!(cells(&[point(1, None, 1.0)])[0], "-");
    }
}
