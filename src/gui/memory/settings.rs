//! What the window remembers from one start to the next.

use std::collections::BTreeMap;

use eframe::egui::{Context, ThemePreference};
use serde::{Deserialize, Serialize};

use crate::colormap::Colormap;
use crate::engine::facts::VectorCache;
use crate::engine::{MOST_SIZES, MapMode, QuerySpec};
use crate::gui::memory::figure_looks::FigureLooks;
use crate::gui::memory::pins;
use crate::gui::memory::recent::RecentFiles;
use crate::gui::memory::window_look::WindowLook;
use crate::gui::nouns::{MapLook, Tab};

/// Where the contour is drawn until it is moved.
const CONTOUR: f32 = 0.5;

/// Most disk that can be set, GiB.
pub const MOST_GIB: f64 = 1e6;

/// Choices of looks and of what is kept; nothing here changes a result.
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
    /// Disk that kept vectors may take, GiB; 0: none are kept or used.
    pub kept_vectors_gib: f64,
    /// The tab that was open.
    pub tab: Tab,
    /// Whether the three steps to begin with are shown.
    pub hint: bool,
    /// What was opened lately.
    pub recent: RecentFiles,
    /// Pinned queries of each data set.
    pub pins: BTreeMap<String, Vec<QuerySpec>>,
    /// The window itself.
    pub window: WindowLook,
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
            kept_vectors_gib: (VectorCache::USUAL_BYTES >> 30) as f64,
            tab: Tab::Explore,
            hint: true,
            recent: RecentFiles::default(),
            pins: BTreeMap::new(),
            window: WindowLook::default(),
        }
    }
}

impl Settings {
    /// Whether each field holds what it may.
    ///
    /// # Errors
    /// What was expected of the first that does not.
    pub fn check(&self) -> Result<(), String> {
        let [lo, hi] = self.range;
        if !(lo >= -1.0 && hi <= 1.0 && lo < hi) {
            return Err("expected two numbers from -1 to 1, the smaller first".into());
        }
        if !(0.01..=2.0).contains(&self.difference) {
            return Err("expected a number from 0.01 to 2".into());
        }
        if self.contour.is_some_and(|level| !(-2.0..=2.0).contains(&level)) {
            return Err("expected a number from -2 to 2, or none".into());
        }
        if !(0..=100).contains(&self.opacity) {
            return Err("expected a percentage from 0 to 100".into());
        }
        let is_size = |size: &u32| (1..=9999).contains(size);
        if self.microscope.len() > MOST_SIZES || !self.microscope.iter().all(is_size) {
            return Err(format!("expected at most {MOST_SIZES} sides of patches, each from 1 to 9999"));
        }
        if !(0.0..=MOST_GIB).contains(&self.kept_vectors_gib) {
            return Err("expected GiB, 0 or more; 0 keeps none".into());
        }
        if !self.pins.values().flatten().all(QuerySpec::is_sound) {
            return Err("expected queries of at least one part, each with a box".into());
        }
        self.export.check()?;
        self.window.check()
    }

    /// With the oldest of what is too many left out, as two windows together may have more than one keeps.
    pub fn within_limits(mut self) -> Self {
        self.recent.forget_oldest();
        self.pins.values_mut().for_each(pins::forget_oldest);
        self
    }

    /// How the heatmaps look.
    pub fn map_look(&self) -> MapLook {
        let Self { mode, colormap, range, difference, contour, opacity, grid, .. } = *self;
        MapLook { mode, colormap, range, difference, contour, opacity, grid }
    }

    /// Changes the opacity of the heatmaps by `percent`.
    pub fn add_opacity(&mut self, percent: i32) {
        self.opacity = (self.opacity + percent).clamp(0, 100);
    }

    /// Draws the contour, or no more.
    pub fn toggle_contour(&mut self) {
        self.contour = self.contour.is_none().then_some(CONTOUR);
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
