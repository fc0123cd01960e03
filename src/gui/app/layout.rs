//! Lays out the panels and what lies over them.

use eframe::egui;
use eframe::egui::{CentralPanel, Color32, Context, Frame, Id, Margin, Panel, ScrollArea, Ui};

use super::{App, Overlay};
use crate::gui::help;
use crate::gui::help::{Choice, PaletteOutcome};
use crate::gui::hint;
use crate::gui::nouns::ExploreView;
use crate::gui::open_dialog::Dialog;
use crate::gui::panels::{Tab, controls, gallery, status, top};
use crate::gui::theme::STEP;

/// Smallest height of the panes with image and heatmaps, points.
const MIN_MAPS: f32 = 170.0;
/// Part of the middle's height that the galleries may take.
const GALLERY_SHARE: f32 = 0.58;

impl App {
    pub(super) fn overlay_ui(&mut self, ctx: &Context) {
        match &mut self.overlay {
            Overlay::None => {}
            Overlay::Dialog(dialog) => {
                if let Some(outcome) = dialog.ui(ctx, &self.files, &self.desk.settings.recent) {
                    self.end_dialog(outcome);
                }
            }
            Overlay::Export(dialog) => {
                if dialog.ui(ctx, &mut self.desk, &self.files) {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Keys => {
                if help::keys_ui(ctx) {
                    self.overlay = Overlay::None;
                }
            }
            Overlay::Palette(palette) => match palette.ui(ctx, &self.desk.settings.recent) {
                PaletteOutcome::Open => {}
                PaletteOutcome::Closed => self.overlay = Overlay::None,
                PaletteOutcome::Chosen(choice) => {
                    self.overlay = Overlay::None;
                    match choice {
                        Choice::Action(action) => self.desk.todo.push(action),
                        Choice::Open(recent) => self.open_recent(recent),
                        Choice::Link(link) => self.open_link(*link),
                    }
                }
            },
        }
    }

    pub(super) fn panels_ui(&mut self, ui: &mut Ui) {
        let bar = Frame::side_top_panel(ui.style()).inner_margin(Margin::symmetric(8, 6));
        Panel::top("top").frame(bar).show(ui, |ui| top::top_ui(ui, &mut self.desk));
        Panel::bottom("status")
            .frame(bar)
            .exact_size(32.0)
            .show(ui, |ui| status::status_ui(ui, &mut self.desk));
        match self.desk.tab {
            Tab::Explore => self.explore_ui(ui),
            Tab::Train => {
                self.train.ui(ui, &mut self.desk, &self.files);
                if let Some(curves) = self.train.take_export() {
                    self.overlay = Overlay::Dialog(Dialog::export_curves(curves, &self.export_folder()));
                }
            }
        }
    }

    pub(super) fn explore_ui(&mut self, ui: &mut Ui) {
        let side = Frame::side_top_panel(ui.style()).inner_margin(Margin::same(8));
        Panel::left("images").frame(side).default_size(168.0).size_range(96.0..=420.0).show(ui, |ui| {
            self.images.ui(ui, &mut self.desk, &mut self.thumbnails);
        });
        Panel::right("inspector").frame(side).exact_size(196.0).resizable(false).show(ui, |ui| {
            ScrollArea::vertical().show(ui, |ui| self.inspector.ui(ui, &mut self.desk));
        });
        let middle = Frame::central_panel(ui.style()).inner_margin(Margin::same(8));
        CentralPanel::default_margins().frame(middle).show(ui, |ui| self.middle_ui(ui));
    }

    pub(super) fn middle_ui(&mut self, ui: &mut Ui) {
        hint::hint_ui(ui, &mut self.desk);
        match self.desk.view {
            ExploreView::Maps => self.maps_ui(ui),
            ExploreView::Microscope => self.microscope.ui(ui, &mut self.desk),
            ExploreView::Compare => self.compare.ui(ui, &mut self.desk),
            ExploreView::Instance => self.instance.ui(ui, &mut self.desk),
        }
    }

    /// Image and heatmaps above, galleries below; a scroll bar where the window is too low for both.
    pub(super) fn maps_ui(&mut self, ui: &mut Ui) {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let top = ui.cursor().top();
            let whole = ui.available_height();
            controls::heatmap_controls_ui(ui, &mut self.desk);
            // The row of gallery controls is as high as this one, if both wrap alike.
            let rows = 2.0 * (ui.cursor().top() - top) + STEP;
            let neighbours = self.desk.session.config().map_or(119, |config| config.neighbours);
            let room = whole - rows;
            let galleries =
                gallery::wanted_height(neighbours, ui.available_width()).min(room * GALLERY_SHARE);
            let maps = (room - galleries).max(MIN_MAPS);
            self.maps.ui(ui, &mut self.desk, maps);
            controls::gallery_controls_ui(ui, &mut self.desk);
            let left = (whole - (ui.cursor().top() - top)).max(galleries.min(200.0));
            gallery::galleries_ui(ui, &mut self.desk, &mut self.atlases, left);
        });
    }
}

/// Says over the whole window what dropping does, while a file hangs over it.
pub(super) fn drop_hint_ui(ctx: &Context) {
    if ctx.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let screen = ctx.content_rect();
    let layer = egui::LayerId::new(egui::Order::Foreground, Id::unique("drop hint"));
    let painter = ctx.layer_painter(layer);
    painter.rect_filled(screen, 0.0, Color32::from_black_alpha(190));
    painter.text(
        screen.center(),
        egui::Align2::CENTER_CENTER,
        "Drop a picture or a folder of pictures to open it as data,\na .safetensors file or a run folder to open it as model.",
        egui::FontId::proportional(18.0),
        Color32::WHITE,
    );
}
