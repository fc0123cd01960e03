//! What the window remembers from one start to the next.

use eframe::egui::{Context, ThemePreference};
use serde::{Deserialize, Serialize};

use crate::colormap::Colormap;
use crate::engine::MapMode;

use super::export::Choices;

/// Key in eframe's storage.
const KEY: &str = "bagssl-settings";

/// Choices of looks; nothing here changes a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub theme: ThemePreference,
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
    pub export: Choices,
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
            export: Choices::default(),
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
