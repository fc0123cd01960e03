//! What the window remembers from one start to the next.

use std::collections::BTreeMap;

use eframe::egui::{Context, ThemePreference};
use serde::{Deserialize, Serialize};

use crate::colormap::Colormap;
use crate::engine::{MapMode, QuerySpec};
use crate::gui::memory::recent::RecentFiles;
use crate::gui::nouns::{MapLook, Tab};

use crate::gui::memory::figure_looks::FigureLooks;

/// Key in eframe's storage.
const KEY: &str = "bagssl-settings";

/// Choices of looks; nothing here changes a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light, dark, or as the system.
    pub theme: ThemePreference,
    /// Colours of the heatmaps.
    pub colormap: Colormap,
    /// Cosines at the two ends of the one colour scale.
    pub range: [f32; 2],
    /// How the heatmaps are shown.
    pub mode: MapMode,
    /// End of the scale of differences, upwards and downwards.
    pub difference: f32,
    /// Where a contour is drawn, in what the maps show.
    pub contour: Option<f32>,
    /// Opacity of the heatmaps over the image, percent.
    pub opacity: i32,
    /// Whether the cells of the heatmaps are outlined.
    pub grid: bool,
    /// Patch sizes of the microscope, pixels; none: those that suit the image.
    pub microscope: Vec<u32>,
    /// Folder of the last exported figure.
    pub export_folder: String,
    /// How figures look.
    pub export: FigureLooks,
    /// The tab that was open.
    pub tab: Tab,
    /// Whether the three steps to begin with are shown.
    pub hint: bool,
    /// What was opened lately.
    pub recent: RecentFiles,
    /// Pinned queries of each data set.
    pub pins: BTreeMap<String, Vec<QuerySpec>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemePreference::System,
            colormap: Colormap::default(),
            range: [-1.0, 1.0],
            mode: MapMode::Cosine,
            difference: 1.0,
            contour: None,
            opacity: 100,
            grid: false,
            microscope: vec![],
            export_folder: String::new(),
            export: FigureLooks::default(),
            tab: Tab::Explore,
            hint: true,
            recent: RecentFiles::default(),
            pins: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// What was stored, made valid; the defaults where there is nothing.
    pub fn load(storage: Option<&dyn eframe::Storage>) -> Self {
        let mut settings: Self =
            storage.and_then(|storage| eframe::get_value(storage, KEY)).unwrap_or_default();
        let [lo, hi] = settings.range;
        if !(lo >= -1.0 && hi <= 1.0 && lo < hi) {
            settings.range = Self::default().range;
        }
        if !(0.01..=2.0).contains(&settings.difference) {
            settings.difference = Self::default().difference;
        }
        settings.contour = settings.contour.filter(|level| (-2.0..=2.0).contains(level));
        settings.opacity = settings.opacity.clamp(0, 100);
        settings.export = settings.export.valid();
        settings
    }

    /// How the heatmaps look.
    pub fn map_look(&self) -> MapLook {
        let Self { mode, colormap, range, difference, contour, opacity, grid, .. } = *self;
        MapLook { mode, colormap, range, difference, contour, opacity, grid }
    }

    /// Stores them.
    pub fn save(&self, storage: &mut dyn eframe::Storage) {
        eframe::set_value(storage, KEY, self);
    }

    /// Changes the opacity of the heatmaps by `percent`.
    pub fn add_opacity(&mut self, percent: i32) {
        self.opacity = (self.opacity + percent).clamp(0, 100);
    }

    /// Takes the next theme: light, dark, as the system.
    pub fn next_theme(&mut self, ctx: &Context) {
        self.theme = match self.theme {
            ThemePreference::Light => ThemePreference::Dark,
            ThemePreference::Dark => ThemePreference::System,
            ThemePreference::System => ThemePreference::Light,
        };
        ctx.set_theme(self.theme);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::gui::memory::openable::Openable;
    use crate::patch::PatchRef;

    #[derive(Default)]
    struct FakeStorage(HashMap<String, String>);

    impl eframe::Storage for FakeStorage {
        fn get_string(&self, key: &str) -> Option<String> {
            self.0.get(key).cloned()
        }
        fn set_string(&mut self, key: &str, value: String) {
            self.0.insert(key.into(), value);
        }
        fn remove_string(&mut self, key: &str) {
            self.0.remove(key);
        }
        fn flush(&mut self) {}
    }

    #[test]
    fn choices_recent_files_and_the_tab_are_there_again_at_the_next_start() {
        let mut stored = FakeStorage::default();
        let mut settings = Settings { tab: Tab::Train, hint: false, opacity: 60, ..Settings::default() };
        settings.recent.note(Openable::Run("/runs/a".into()));
        let pin = QuerySpec::one(PatchRef { image: 2, y: 0, x: 7, size: 16 });
        settings.pins.insert("demo test 9".into(), vec![pin]);
        settings.save(&mut stored);
        assert_eq!(Settings::load(Some(&stored)), settings);
    }

    #[test]
    fn what_an_older_bagssl_stored_is_read_and_what_is_broken_is_not() {
        let mut stored = FakeStorage::default();
        stored.0.insert(KEY.into(), "(opacity: 400, range: (2.0, -7.0))".into());
        let settings = Settings::load(Some(&stored));
        assert_eq!((settings.opacity, settings.range, settings.hint), (100, [-1.0, 1.0], true));
        stored.0.insert(KEY.into(), "nonsense".into());
        assert_eq!(Settings::load(Some(&stored)), Settings::default());
    }
}
