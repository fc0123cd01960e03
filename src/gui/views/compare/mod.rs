//! The open model (A) beside another (B) or beside the checkpoints of a run: the same query, one colour
//! scale, the galleries over the same patches with what they have in common.

mod blocks;
mod galleries;
mod maps;
mod other;
mod scrub;

use eframe::egui::{Label, Rect, Response, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};

use self::blocks::Blocks;
use self::galleries::GalleryPair;
use self::maps::{ComparedMaps, SpaceMaps};
use self::scrub::Scrub;
use super::view::View;
use crate::engine::{Command, CompareCommand, CompareView, Heatmap, ImageView, MapMode, Snapshot};
use crate::gui::desk::{Desk, Hover};
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::actions::Action;
use crate::gui::nouns::spaces::explain_space;
use crate::gui::nouns::text;
use crate::gui::paint::color_bar;
use crate::gui::paint::map_painter::{MapPainter, slots};
use crate::gui::paint::marks;
use crate::gui::paint::pane::{Drag, Placement, Viewpoint};
use crate::gui::paint::theme::{self, STEP};
use crate::gui::panels::controls;
use crate::gui::panels::view_switch::switch_ui;
use crate::gui::train::strip::Strip;
use crate::gui::widgets::place::{empty_ui, heading_ui};

/// Plots of a run's curves below a comparison, by the names of their numbers.
const PLOTS: [&str; 2] = ["loss", "knn"];

/// The view's own state.
#[derive(Default)]
pub struct ComparePanel {
    /// Whether the engine knows that this view is on show.
    is_told: bool,
    viewpoint: Viewpoint,
    /// Index of the image on show.
    shown: Option<usize>,
    painter: MapPainter<{ slots::of(ExploreView::Compare) }>,
    maps: ComparedMaps,
    galleries: GalleryPair,
    scrub: Scrub,
    curves: Strip,
}

/// A map, or the image below all of them.
struct ComparedPane<'a> {
    rect: Rect,
    response: Response,
    placement: Placement,
    map: Option<&'a Heatmap>,
    /// What stands where there is no map.
    remark: String,
}

impl View for ComparePanel {
    fn which(&self) -> ExploreView {
        ExploreView::Compare
    }

    fn sync(&mut self, desk: &mut Desk, is_on_show: bool) {
        if is_on_show != self.is_told {
            self.is_told = is_on_show;
            desk.session.send(Command::Compare(CompareCommand::Show(is_on_show)));
        }
        if !is_on_show || desk.session.snapshot().views.compare.is_none() {
            self.scrub.stop(desk);
            self.scrub.leave_arrows();
        }
    }

    fn reset(&mut self) {
        self.viewpoint = Viewpoint::default();
    }

    /// Walks through the checkpoints, by the arrow keys too while these are the slider's and not the query's.
    fn run(&mut self, desk: &Desk, action: Action) -> bool {
        let Some(compare) = desk.session.snapshot().views.compare.clone() else { return false };
        let takes_arrows = desk.view == ExploreView::Compare && self.scrub.has_arrows();
        match action {
            Action::PlayCheckpoints => self.scrub.play(desk, &compare),
            Action::PreviousCheckpoint => _ = self.scrub.step_by(desk, &compare, -1),
            Action::NextCheckpoint => _ = self.scrub.step_by(desk, &compare, 1),
            Action::Move { right, down: 0 } if takes_arrows => {
                _ = self.scrub.step_by(desk, &compare, right as isize)
            }
            _ => return false,
        }
        true
    }

    fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        ui.horizontal_wrapped(|ui| {
            switch_ui(ui, desk);
            controls::patches_ui(ui, desk);
            controls::spaces_ui(ui, desk);
            ui.separator();
            controls::looks_ui(ui, desk, false);
        });
        controls::patch_fault_ui(ui, desk);
        if let Some(lacks) = desk.lacks_network() {
            let (_, area) = ui.allocate_space(ui.available_size());
            empty_ui(ui, area, &lacks);
            return;
        }
        let snapshot = desk.session.snapshot().clone();
        let Some(compare) = &snapshot.views.compare else {
            other::empty_ui(ui, desk);
            return;
        };
        self.scrub.advance(ui, desk, compare);
        ui.horizontal_wrapped(|ui| {
            other::other_ui(ui, desk, compare);
        });
        if !compare.steps.is_empty() {
            ui.horizontal(|ui| self.scrub.ui(ui, desk, compare));
        }
        other::note_ui(ui, compare, self.scrub.wanted(compare));
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| self.blocks_ui(ui, desk, &snapshot, compare));
    }
}

impl ComparePanel {
    fn blocks_ui(&mut self, ui: &mut Ui, desk: &mut Desk, snapshot: &Snapshot, compare: &CompareView) {
        let area = Rect::from_min_size(ui.cursor().min, ui.available_size());
        let (Some(view), Some(config)) = (&snapshot.view, &snapshot.config) else {
            let (_, area) = ui.allocate_space(area.size());
            empty_ui(ui, area, &desk.lacks().unwrap_or_default());
            return;
        };
        if self.shown != Some(view.index) {
            self.shown = Some(view.index);
            self.reset();
        }
        let mode = controls::without_pictures(desk.settings.mode);
        let maps = self.maps(snapshot, compare, mode, &config.spaces);
        let blocks = Blocks::new(area, maps.len(), config.neighbours);
        ui.allocate_space(vec2(area.width(), blocks.height));
        let panes = self.panes((ui, desk), &blocks, view, compare, &maps, mode);
        let size = vec2(view.image.width() as f32, view.image.height() as f32);
        for (_, pane) in &panes {
            self.viewpoint.navigate(ui, &pane.response, pane.placement, size, Drag::Pans);
        }
        let all: Vec<Heatmap> = maps.iter().flat_map(|maps| maps.maps.iter().flatten().cloned()).collect();
        let pointed = panes.iter().find_map(|(_, pane)| Some((pane, pane.response.hover_pos()?)));
        desk.hover = pointed
            .and_then(|(pane, pos)| Hover::at(pane.placement.to_image(pos), view, Some(config.grid), &all));
        if click(desk, &panes) {
            self.scrub.leave_arrows();
        }
        for (place, pane) in &panes {
            if let Some((space, model)) = place {
                let rect = blocks.heading(*space, *model);
                heading(ui, desk, rect, compare, &maps[*space].space, *model, mode);
            }
            self.pane_ui(ui, desk, view, pane, *place);
        }
        color_bar::ui(ui, blocks.bar(), &desk.scale(), desk.pointed_values());
        self.galleries.ui(ui, desk, &blocks, compare, &maps);
        self.curves_ui(ui, desk, &blocks, snapshot, compare);
    }

    fn maps(
        &mut self,
        snapshot: &Snapshot,
        compare: &CompareView,
        mode: MapMode,
        spaces: &[String],
    ) -> Vec<SpaceMaps> {
        let index = snapshot.view.as_ref().map(|view| view.index);
        let a = snapshot.query.as_ref().filter(|query| Some(query.image) == index);
        // Maps of another image or model lie over nothing that is on show.
        let b = compare
            .other
            .as_ref()
            .filter(|other| other.generation == snapshot.generation && Some(other.image) == index);
        self.maps.update(a, b, mode, spaces).to_vec()
    }

    /// Every pane with its block and model; the image, last, has none.
    fn panes<'a>(
        &self,
        (ui, desk): (&Ui, &Desk),
        blocks: &Blocks,
        view: &ImageView,
        compare: &CompareView,
        maps: &'a [SpaceMaps],
        mode: MapMode,
    ) -> Vec<(Option<(usize, usize)>, ComparedPane<'a>)> {
        let size = vec2(view.image.width() as f32, view.image.height() as f32);
        let pane = |rect: Rect, label: String, map: Option<&'a Heatmap>, remark: String| {
            let id = ui.scope_id().with(("compared", &label));
            let response = ui.interact(rect, id, Sense::CLICK | Sense::DRAG);
            response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
            let placement = self.viewpoint.placement(rect, size, ui.pixels_per_point());
            ComparedPane { rect, response, placement, map, remark }
        };
        let mut panes = vec![];
        for (space, SpaceMaps { space: name, maps }) in maps.iter().enumerate() {
            let models = if mode == MapMode::Difference { 1 } else { 2 };
            for (model, map) in maps.iter().take(models).enumerate() {
                let label = match (mode, model) {
                    (MapMode::Difference, _) => format!("{name} A less B heatmap"),
                    (_, 0) => format!("{name} A heatmap"),
                    _ => format!("{name} B heatmap"),
                };
                let mut rect = blocks.map(space, model);
                if models == 1 {
                    rect.set_right(blocks.map(space, 1).right());
                }
                panes.push((
                    Some((space, model)),
                    pane(rect, label, map.as_ref(), remark(desk, compare, name, model)),
                ));
            }
        }
        let strip = blocks.strip().with_min_y(blocks.strip().top() + STEP);
        let image = Rect::from_min_size(strip.min, vec2(strip.height(), strip.height()));
        panes.push((None, pane(image, "image".to_owned(), None, String::new())));
        panes
    }

    fn pane_ui(
        &mut self,
        ui: &mut Ui,
        desk: &Desk,
        view: &ImageView,
        pane: &ComparedPane<'_>,
        place: Option<(usize, usize)>,
    ) {
        let painter = ui.painter_at(pane.rect.expand(1.0));
        self.painter.image(&painter, pane.placement, &view.image);
        match (pane.map, place) {
            (Some(map), Some((space, model))) if !map.shown.is_empty() => {
                self.painter.map(&painter, &desk.settings.map_look(), pane.placement, map, 2 * space + model);
            }
            (_, Some(_)) => {
                painter.rect_filled(pane.rect, 0.0, ui.visuals().panel_fill.gamma_multiply(0.85));
                empty_ui(ui, pane.rect, &pane.remark);
                return;
            }
            _ => {}
        }
        if let Some(patch) = desk.hover.as_ref().and_then(|hover| hover.patch) {
            marks::hover_outline(&painter, pane.placement.patch(patch));
        }
        marks::query_boxes(&painter, pane.placement, &desk.session.boxes_in_view());
    }

    /// The run's loss and accuracy with a mark at the checkpoint on show; a click goes to the nearest one.
    fn curves_ui(
        &mut self,
        ui: &mut Ui,
        desk: &Desk,
        blocks: &Blocks,
        snapshot: &Snapshot,
        compare: &CompareView,
    ) {
        let run = snapshot.runs.folders.iter().find(|run| Some(&run.path) == compare.run.as_ref());
        let strip = blocks.strip().with_min_y(blocks.strip().top() + STEP);
        let rest = strip.with_min_x(strip.left() + strip.height() + STEP);
        let (Some(run), Some(wanted)) = (run, self.scrub.wanted(compare)) else { return };
        let on_show = compare.other.as_ref().and_then(|other| other.step).unwrap_or(wanted);
        let builder = eframe::egui::UiBuilder::new().max_rect(rest);
        let clicked = ui.scope_builder(builder, |ui| self.curves.ui(ui, run, &PLOTS, rest.size(), on_show));
        let nearest = clicked.inner.and_then(|at| {
            let distance = |step: &&u64| (**step as f64 - at).abs();
            compare.steps.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).copied()
        });
        if let Some(step) = nearest {
            self.scrub.go_to(desk, step);
        }
    }
}

/// What a pane without a map says.
fn remark(desk: &Desk, compare: &CompareView, space: &str, model: usize) -> String {
    if let Some(fault) = desk.patch_fault() {
        return format!("No map: {fault}.");
    }
    let lacks = |other: &crate::engine::OtherView| other.missing.iter().any(|missing| missing == space);
    match (model, &compare.other) {
        (0, _) if desk.lacks().is_some() => desk.lacks().unwrap_or_default(),
        (0, _) => "No query yet:\nclick a patch of the image.".to_owned(),
        (_, Some(other)) if lacks(other) => format!("B has no space {space}."),
        (_, None) if compare.error.is_some() => "B cannot be used.".to_owned(),
        _ => "computing...".to_owned(),
    }
}

/// A click makes the patch under the pointer the query. Returns whether there was one.
fn click(desk: &mut Desk, panes: &[(Option<(usize, usize)>, ComparedPane<'_>)]) -> bool {
    let patch = desk.hover.as_ref().and_then(|hover| hover.patch);
    let clicked = panes.iter().any(|(_, pane)| pane.response.clicked() && !pane.response.double_clicked());
    if let (true, Some(patch)) = (clicked, patch) {
        desk.session.go_to(patch);
    }
    clicked
}

/// Space, model and the value under the pointer above a map.
fn heading(
    ui: &mut Ui,
    desk: &Desk,
    rect: Rect,
    compare: &CompareView,
    space: &str,
    model: usize,
    mode: MapMode,
) {
    let color = theme::space(space, ui.visuals().dark_mode);
    let step = compare.other.as_ref().map_or(compare.wanted, |other| other.step);
    let b = format!("B {}", other::step_text(compare, step));
    let (name, suffix) = match (mode, model) {
        (MapMode::Difference, _) => (format!("A \u{2212} {b}"), "A \u{2212} B"),
        (_, 0) => ("A".to_owned(), "A"),
        _ => (b, "B"),
    };
    heading_ui(ui, rect, |ui| {
        ui.label(RichText::new(space).strong().color(color)).on_hover_text(explain_space(space));
        ui.add(Label::new(RichText::new(name).strong()).truncate());
        let name = format!("{space} {suffix}");
        let value = desk.hover.iter().flat_map(|hover| &hover.values).find(|(other, _)| *other == name);
        if let Some((_, value)) = value {
            ui.label(text::shown(value.unwrap_or(f32::NAN), mode));
        }
    });
}
