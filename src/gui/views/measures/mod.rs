//! What is measured of what is explored, in numbers and plots: the pages of the command line's measures, live.

mod cooccurrence;
mod export;
mod geometry;
mod image;
mod locality;
mod plots;
mod sample;
mod table;
mod world;

use eframe::egui::{ScrollArea, Ui};

use self::export::export_ui;
use self::image::ImagePage;
use self::world::WorldPage;
use super::view::View;
use crate::engine::{Command, MeasureCommand, MeasurePage, SampleMeasure};
use crate::gui::desk::Desk;
use crate::gui::nouns::actions::keys_of;
use crate::gui::nouns::{Action, ExploreView};
use crate::gui::panels::controls;
use crate::gui::panels::view_switch::switch_ui;
use crate::gui::widgets::together::together;

/// The view's own state.
#[derive(Default)]
pub struct MeasuresPanel {
    page: MeasurePage,
    /// Whether the engine measures the image on show for this view.
    follows: bool,
    image: ImagePage,
    world: WorldPage,
}

impl View for MeasuresPanel {
    fn which(&self) -> ExploreView {
        ExploreView::Measures
    }

    fn sync(&mut self, desk: &mut Desk, is_on_show: bool) {
        let follows = is_on_show && self.page == MeasurePage::Image;
        if follows != self.follows {
            desk.session.send(Command::Measure(MeasureCommand::FollowImage(follows)));
            self.follows = follows;
        }
        self.world.sync(desk, is_on_show && self.page == MeasurePage::World);
    }

    fn reset(&mut self) {
        self.image.reset();
    }

    fn run(&mut self, desk: &Desk, action: Action) -> bool {
        match action {
            Action::ShowMeasures(page) => self.page = page,
            Action::NextMeasures => {
                let at = MeasurePage::ALL.iter().position(|page| *page == self.page).unwrap_or(0);
                self.page = MeasurePage::ALL[(at + 1) % MeasurePage::ALL.len()];
            }
            Action::StartWorld => self.world.start(desk),
            Action::PauseWorld => self.world.pause(desk),
            _ => return false,
        }
        true
    }

    fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        ui.horizontal_wrapped(|ui| {
            switch_ui(ui, desk);
            pages_ui(ui, desk, self.page);
            // The other pages have theirs beside what they are, in a row that is there anyway.
            if self.page == MeasurePage::Image {
                ui.end_row();
                controls::spaces_ui(ui, desk);
                controls::patches_ui(ui, desk);
                controls::colormap_ui(ui, desk);
                controls::overlay_ui(ui, desk);
                export_ui(ui, desk, self.page);
            }
        });
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| match self.page {
            MeasurePage::Image => self.image.ui(ui, desk),
            MeasurePage::Sample(SampleMeasure::Geometry) => geometry::ui(ui, desk),
            MeasurePage::Sample(SampleMeasure::Locality) => locality::ui(ui, desk),
            MeasurePage::Sample(SampleMeasure::Cooccurrence) => cooccurrence::ui(ui, desk),
            MeasurePage::World => self.world.ui(ui, desk),
        });
    }
}

/// The control that chooses a page.
fn pages_ui(ui: &mut Ui, desk: &mut Desk, shown: MeasurePage) {
    together(ui, |ui| {
        for page in MeasurePage::ALL {
            let (name, words) = match page {
                MeasurePage::Image => {
                    ("This image", "Means of its patches against the whole (Fig. 3a), live.")
                }
                MeasurePage::Sample(SampleMeasure::Geometry) => (
                    "Geometry",
                    "How the vectors of the patches that are embedded lie: spectrum, dimension, norms, hubs.",
                ),
                MeasurePage::Sample(SampleMeasure::Locality) => (
                    "Locality",
                    "What the neighbours of a patch are, and how its cosine falls with distance (Sec. 4.3).",
                ),
                MeasurePage::Sample(SampleMeasure::Cooccurrence) => (
                    "Co-occurrence",
                    "Whether the products of vectors say which patches stand together on images (Prop. 3.1).",
                ),
                MeasurePage::World => (
                    "Toy world",
                    "Co-occurrence to play with, without a model: the spectral loss finds p12 / (p1 p2) (Sec. 3, App. A and B).",
                ),
            };
            let keys = keys_of(ui.ctx(), Action::NextMeasures);
            let button = ui.selectable_label(page == shown, name);
            if button.on_hover_text(format!("{words} ({keys}: the next page)")).clicked() {
                desk.todo.push(Action::ShowMeasures(page));
            }
        }
    });
}
