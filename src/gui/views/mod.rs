//! What the middle of the Explore tab can show, one file each; the first, image and heatmaps above
//! galleries, is [`super::panels::maps`] and [`super::panels::gallery`].

mod columns;
pub mod compare;
pub mod instance;
mod invariance;
pub mod microscope;

use eframe::egui::Ui;

use super::actions::{Action, keys_of};
use super::panels::Desk;

/// What the middle of the Explore tab shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExploreView {
    #[default]
    Maps,
    Microscope,
    Compare,
    Instance,
}

/// The views in the order of the control, each with a sentence on what it is for.
const VIEWS: [(ExploreView, &str, &str); 4] = [
    (
        ExploreView::Maps,
        "Maps",
        "The image, a heatmap for each space, and the nearest patches of the data set.",
    ),
    (
        ExploreView::Microscope,
        "Microscope",
        "The same point at several patch sizes in one row: where the patches of an image begin to look alike.",
    ),
    (
        ExploreView::Compare,
        "Compare",
        "The same query under two models, or over the checkpoints of a run: maps, galleries, and what they agree on.",
    ),
    (
        ExploreView::Instance,
        "Instance",
        "Several marked positions of an image, or parts of many images, with a gallery for each (Fig. 10 to 12 of the \
         paper).",
    ),
];

/// The control that chooses a view.
pub fn switch_ui(ui: &mut Ui, desk: &mut Desk) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for (view, name, explanation) in VIEWS {
            let action = Action::ShowView(view);
            let button = ui.selectable_label(desk.view == view, name);
            let keys = keys_of(ui.ctx(), action);
            if button.on_hover_text(format!("{explanation} ({keys})")).clicked() {
                desk.todo.push(action);
            }
        }
    });
    ui.separator();
}
