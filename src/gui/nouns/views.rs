//! The views that the middle of the Explore tab can show: one entry of [`VIEWS`] feeds the control that chooses
//! one, the shortcuts, the list of keys, the palette, the side panel and the figures.

use eframe::egui::{Key, KeyboardShortcut, Modifiers};

/// What the middle of the Explore tab shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExploreView {
    /// Image and heatmaps above galleries.
    #[default]
    Maps,
    /// Several patch sizes side by side.
    Microscope,
    /// Two models, or the checkpoints of a run.
    Compare,
    /// A gallery for each marked position.
    Instance,
    /// What is measured of the image and of the patches that are searched.
    Measures,
    /// The patches that are searched on a plane.
    Scatter,
}

/// All that is said of a view; what it draws is in its file.
pub struct ViewInfo {
    /// Which one it is.
    pub view: ExploreView,
    /// Its name on the control.
    pub name: &'static str,
    /// A sentence on what it is for.
    pub words: &'static str,
    /// What showing it is called among all commands.
    pub command: &'static str,
    /// Keys that show it, alternatives.
    pub keys: &'static [KeyboardShortcut],
    /// What a figure takes from it while it is on show.
    pub adds: Adds,
}

/// What a view on show adds to the query and the maps that every figure can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adds {
    /// Nothing.
    Nothing,
    /// Its patch sizes.
    PatchSizes,
    /// A second model: its maps and galleries are of both.
    SecondModel,
    /// The marked positions.
    Positions,
}

/// A key alone.
const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

/// The views in the order of the control.
pub static VIEWS: [ViewInfo; 6] = [
    ViewInfo {
        view: ExploreView::Maps,
        name: "Maps",
        words: "The image, a heatmap for each space, and the nearest patches of the data set.",
        command: "Image, heatmaps and galleries",
        keys: &[key(Key::Num5)],
        adds: Adds::Nothing,
    },
    ViewInfo {
        view: ExploreView::Microscope,
        name: "Microscope",
        words: "The same point at several patch sizes in one row: where the patches of an image begin to look alike.",
        command: "Microscope: several patch sizes",
        keys: &[key(Key::Num6)],
        adds: Adds::PatchSizes,
    },
    ViewInfo {
        view: ExploreView::Compare,
        name: "Compare",
        words: "The same query under two models, or over the checkpoints of a run: maps, galleries, and what they \
                agree on.",
        command: "Compare two models or a run's checkpoints",
        keys: &[key(Key::Num7)],
        adds: Adds::SecondModel,
    },
    ViewInfo {
        view: ExploreView::Instance,
        name: "Instance",
        words: "Several marked positions of an image, or parts of many images, with a gallery for each (Fig. 10 to 12 \
                of the paper).",
        command: "Instance: a gallery for each marked position",
        keys: &[key(Key::Num8)],
        adds: Adds::Positions,
    },
    ViewInfo {
        view: ExploreView::Measures,
        name: "Measures",
        words: "The image in numbers: how soon the mean of a few patches points where the whole image does, and which \
                patches carry it (Fig. 3a of the paper).",
        command: "Measures: the image in numbers",
        keys: &[key(Key::N)],
        adds: Adds::Nothing,
    },
    ViewInfo {
        view: ExploreView::Scatter,
        name: "Scatter",
        words: "A map of all patches that the galleries search: points by the principal components of a space or by t-SNE, \
                and the patches themselves where one zooms in.",
        command: "Scatter: a map of all patches",
        keys: &[key(Key::D)],
        adds: Adds::Nothing,
    },
];

impl ExploreView {
    /// What a figure takes from it while it is on show.
    pub fn adds(self) -> Adds {
        VIEWS.iter().find(|info| info.view == self).map_or(Adds::Nothing, |info| info.adds)
    }
}
