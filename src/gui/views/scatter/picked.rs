//! The patches that an outline was drawn about, the nearest to their middle first.

use std::sync::Arc;

use eframe::egui::{
    Color32, Id, Label, Mesh, Rect, RichText, Role, ScrollArea, Sense, Shape, Ui, UiBuilder, Vec2,
    WidgetInfo, vec2,
};

use crate::engine::{PickedPatch, PickedPoints};
use crate::gui::desk::Desk;
use crate::gui::nouns::Action;
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::textures::Atlas;
use crate::gui::paint::theme;
use crate::gui::panels::gestures;
use crate::gui::panels::neighbour::{pointed_frame, source_ui};
use crate::gui::widgets::roving::{CellRows, rove};

/// Side of a cell, points.
const CELL: f32 = 40.0;
/// Space between cells, points.
const GAP: f32 = 2.0;

/// The gallery's own state.
#[derive(Default)]
pub struct PickedGallery {
    atlas: Option<(Arc<PickedPoints>, Atlas)>,
    cursor: usize,
}

impl PickedGallery {
    /// Draws it into `area`.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk, area: Rect, picked: &Arc<PickedPoints>) {
        ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
            ui.vertical(|ui| {
                head_ui(ui, desk, picked);
                if picked.points.is_empty() {
                    ui.add(
                        Label::new(
                            RichText::new("No point lies inside; draw the outline about some.").weak(),
                        )
                        .wrap(),
                    );
                } else if picked.patches.is_empty() {
                    ui.weak("reading the patches...");
                } else {
                    let cells = ScrollArea::vertical().auto_shrink(false);
                    cells.show(ui, |ui| self.cells_ui(ui, desk, picked));
                }
            });
        });
    }

    fn cells_ui(&mut self, ui: &mut Ui, desk: &mut Desk, picked: &Arc<PickedPoints>) {
        let columns = ((ui.available_width() + GAP) / (CELL + GAP)).floor().max(1.0) as usize;
        let rows = picked.patches.len().div_ceil(columns);
        let size = vec2(columns as f32, rows as f32) * (CELL + GAP);
        let (_, area) = ui.allocate_space(size);
        let cell = |index: usize| {
            let place = vec2((index % columns) as f32, (index / columns) as f32);
            Rect::from_min_size(area.min + place * (CELL + GAP), Vec2::splat(CELL))
        };
        if self.atlas.as_ref().is_none_or(|(of, _)| !Arc::ptr_eq(of, picked)) {
            let pixels: Vec<_> = picked.patches.iter().map(|patch| &*patch.pixels).collect();
            self.atlas = Some((picked.clone(), Atlas::of(ui.ctx(), "picked patches", &pixels)));
        }
        if let Some((_, atlas)) = &self.atlas {
            let mut mesh = Mesh::with_texture(atlas.texture.id());
            for index in 0..picked.patches.len() {
                mesh.add_rect_with_uv(cell(index), atlas.uv(index), Color32::WHITE);
            }
            ui.painter().add(Shape::mesh(mesh));
        }
        let id = Id::unique("picked patches");
        let title =
            |index: usize| picked.patches.get(index).map_or_else(String::new, |patch| label(index, patch));
        let shape = CellRows { count: picked.patches.len(), columns, page: 5 };
        let roved = rove(ui, id, area, "picked patches", shape, &mut self.cursor, title);
        if let Some(index) = roved.cursor {
            theme::cursor_frame(ui, cell(index));
            if roved.has_moved {
                ui.scroll_to_rect(cell(index), None);
            }
            let patch = picked.patches[index].patch;
            desk.pointed = Some(patch.into());
            if roved.is_taken {
                desk.session.go_to(patch);
            }
        }
        for (index, patch) in picked.patches.iter().enumerate() {
            if ui.is_rect_visible(cell(index)) {
                cell_ui(ui, desk, cell(index), id.with(index), index, patch);
            }
        }
    }
}

/// How many, and what can be done with them.
fn head_ui(ui: &mut Ui, desk: &mut Desk, picked: &PickedPoints) {
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(format!("{} inside", count(picked.points.len(), "patch"))).strong());
        if !picked.patches.is_empty() && picked.patches.len() < picked.points.len() {
            let shown = format!("{} shown, nearest the middle", thousands(picked.patches.len()));
            ui.add(Label::new(RichText::new(shown).weak()).wrap());
        }
        if ui.small_button("Table...").on_hover_text("Writes all of them, one a row (CSV).").clicked() {
            desk.todo.push(Action::ExportPicked);
        }
        if ui.small_button("Let go").on_hover_text("Nothing is picked any more.").clicked() {
            desk.todo.push(Action::DropPicked);
        }
    });
}

fn label(index: usize, patch: &PickedPatch) -> String {
    let class = patch.class.as_ref().map_or(String::new(), |class| format!(", {class}"));
    format!("picked {}: image {}{class}", index + 1, thousands(patch.patch.image as usize))
}

fn cell_ui(ui: &Ui, desk: &mut Desk, rect: Rect, id: Id, index: usize, picked: &PickedPatch) {
    let response = ui.interact(rect, id, Sense::CLICK);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, label(index, picked)));
    if response.hovered() {
        pointed_frame(ui, rect);
    }
    gestures::of_source(ui, desk, &response, || picked.patch.into());
    response.on_hover_ui(|ui| {
        let PickedPatch { patch, image_name, class, .. } = picked;
        source_ui(ui, desk, *patch, None);
        ui.label(format!("image {} \u{b7} {image_name}", thousands(patch.image as usize)));
        class.iter().for_each(|class| drop(ui.label(class)));
        ui.label(format!("{0} x {0} px, y {1}, x {2}", patch.size, patch.y, patch.x));
        ui.weak("Click to make it the query; Shift adds it, Alt subtracts it.");
    });
}
