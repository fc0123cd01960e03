//! How the heatmaps look.

use crate::colormap::Colormap;
use crate::engine::MapMode;

/// All that decides how a heatmap is painted; the user's choice of it is in the settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapLook {
    /// What of the cosines is shown.
    pub mode: MapMode,
    /// The colours.
    pub colormap: Colormap,
    /// Cosines at the two ends of the one colour scale.
    pub range: [f32; 2],
    /// End of the scale of differences, upwards and downwards.
    pub difference: f32,
    /// Where a contour is drawn, in what the maps show.
    pub contour: Option<f32>,
    /// Opacity over the image, percent.
    pub opacity: i32,
    /// Whether the cells are outlined.
    pub grid: bool,
}
