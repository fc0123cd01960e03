//! What the pointer does to anything that can be looked for: a patch or a box of the image, a neighbour.

use eframe::egui::{Button, Response, Ui};

use crate::engine::{FigureKind, ImageView, QuerySpec, Sign, Source};

use crate::gui::desk::Desk;
use crate::gui::nouns::ExploreView;
use crate::gui::nouns::QueryRole;
use crate::gui::nouns::actions::{Action, keys_of};
use crate::gui::paint::pane::Placement;
use crate::gui::widgets::box_drag::BoxDrag;

/// The pointer on the panes of one image.
#[derive(Default)]
pub struct PanePointer {
    /// The box that is being drawn.
    pub drag: BoxDrag,
    /// What the open menu is about.
    menu: Option<Source>,
}

impl PanePointer {
    /// A click takes the patch under the pointer, a drag the box that it draws, a right click offers what
    /// can be done with the patch.
    pub fn update(
        &mut self,
        ui: &Ui,
        desk: &mut Desk,
        pane: &Response,
        placement: Placement,
        view: &ImageView,
    ) {
        let role = QueryRole::of(ui.input(|input| input.modifiers));
        if let Some(area) = self.drag.update(ui, pane, placement, view) {
            desk.session.take(role, area.into());
        }
        let patch = desk.hover.as_ref().and_then(|hover| hover.patch).map(Source::from);
        if pane.clicked() && !pane.double_clicked() {
            patch.iter().for_each(|source| desk.session.take(role, source.clone()));
        }
        if pane.secondary_clicked() {
            self.menu = patch;
        }
        if let Some(source) = &self.menu {
            pane.context_menu(|ui| menu_ui(ui, desk, source));
        }
    }
}

/// A click makes `source` the query, or a part of it with Shift or Alt; a right click offers the same; keys
/// reach it while the pointer is on it.
pub fn of_source(ui: &Ui, desk: &mut Desk, response: &Response, source: impl Fn() -> Source) {
    if response.hovered() {
        desk.pointed = Some(source());
    }
    if response.clicked() {
        let role = QueryRole::of(ui.input(|input| input.modifiers));
        desk.session.take(role, source());
    }
    // Asked first: the menu of each of hundreds of cells costs, even closed.
    if response.secondary_clicked() || response.context_menu_opened() {
        response.context_menu(|ui| menu_ui(ui, desk, &source()));
    }
}

/// What can be done with `source`.
fn menu_ui(ui: &mut Ui, desk: &mut Desk, source: &Source) {
    for (name, role, keys) in [
        ("Make it the query", QueryRole::Alone, "Click".to_owned()),
        ("Add it to the query", QueryRole::Part(Sign::Plus), keys_of(ui.ctx(), Action::AddPointed)),
        (
            "Subtract it from the query",
            QueryRole::Part(Sign::Minus),
            keys_of(ui.ctx(), Action::SubtractPointed),
        ),
    ] {
        if ui.add(Button::new(name).shortcut_text(keys)).clicked() {
            desk.session.take(role, source.clone());
            ui.close();
        }
    }
    let pin = Button::new("Pin it").shortcut_text(keys_of(ui.ctx(), Action::Pin));
    if ui.add(pin).clicked() {
        desk.pins.add(QuerySpec::one(source.clone()));
        ui.close();
    }
    // What needs a query takes it as one first.
    for (name, action) in [
        ("Compare two models on it", Action::ShowView(ExploreView::Compare)),
        ("Export its galleries...", Action::Export(FigureKind::Galleries)),
    ] {
        if ui.button(name).clicked() {
            desk.session.go_to(source.clone());
            desk.todo.push(action);
            ui.close();
        }
    }
}
