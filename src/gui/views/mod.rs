//! What the middle of the Explore tab can show, one file or folder each, behind one trait.
//!
//! A further view touches three files: its own here, the list in [`Views::default`], and
//! [`crate::gui::nouns::views::VIEWS`] with its name, words and key.

mod compare;
mod instance;
mod maps;
mod measures;
mod microscope;
mod scatter;
mod view;

use eframe::egui::Ui;

use crate::gui::desk::Desk;
use crate::gui::nouns::{Action, Tab};
use crate::gui::paint::pane::Viewpoint;

use view::View;

/// All views.
pub struct Views(Vec<Box<dyn View>>);

impl Default for Views {
    fn default() -> Self {
        Self(vec![
            Box::new(maps::MapsView::default()),
            Box::new(microscope::MicroscopePanel::default()),
            Box::new(compare::ComparePanel::default()),
            Box::new(instance::InstancePanel::default()),
            Box::new(measures::MeasuresPanel::default()),
            Box::new(scatter::ScatterPanel::default()),
        ])
    }
}

impl Views {
    /// Tells each whether it is on show.
    pub fn sync(&mut self, desk: &mut Desk) {
        for view in &mut self.0 {
            let is_on_show = desk.tab == Tab::Explore && desk.view == view.which();
            view.sync(desk, is_on_show);
        }
    }

    /// Draws the one that was chosen.
    pub fn ui(&mut self, ui: &mut Ui, desk: &mut Desk) {
        let chosen = desk.view;
        let view = self.0.iter_mut().find(|view| view.which() == chosen);
        view.into_iter().for_each(|view| view.ui(ui, desk));
    }

    /// Has all show the whole image again.
    pub fn reset(&mut self) {
        self.0.iter_mut().for_each(|view| view.reset());
    }

    /// Has the view carry `action` out whose own it is now. Returns whether there was one.
    pub fn run(&mut self, desk: &Desk, action: Action) -> bool {
        self.0.iter_mut().any(|view| view.run(desk, action))
    }

    /// What part of the image a link keeps.
    pub fn viewpoint(&self) -> Option<Viewpoint> {
        self.0.iter().find_map(|view| view.viewpoint())
    }

    /// Sees that part of image `index` once it is on show.
    pub fn look_at(&mut self, index: usize, viewpoint: Viewpoint) {
        self.0.iter_mut().for_each(|view| view.look_at(index, viewpoint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gui::nouns::ExploreView;
    use crate::gui::nouns::views::VIEWS;

    #[test]
    fn every_view_of_the_table_has_its_file_in_the_list() {
        let drawn: Vec<ExploreView> = Views::default().0.iter().map(|view| view.which()).collect();
        let named: Vec<ExploreView> = VIEWS.iter().map(|info| info.view).collect();
        assert_eq!(drawn, named);
    }
}
