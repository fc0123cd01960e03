//! How figures look.

use crate::colormap::Colormap;
use crate::figure::{BoxPalette, Format, Letters, Page};
/// How figures look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Page width, inches.
    pub width_in: f32,
    /// Pixels per inch of a PNG.
    pub dpi: u32,
    /// Colours of heatmaps.
    pub colormap: Colormap,
    /// Ends of the colour scale, lower first: cosines.
    pub range: [f32; 2],
    /// Colours of boxes.
    pub palette: BoxPalette,
    /// Which panels bear letters.
    pub letters: Letters,
    /// Whether geometry, model and data set stand below the panels.
    pub facts: bool,
    /// Whether the share of each relation by rank stands below a gallery.
    pub shares: bool,
    /// Cells in a row of a gallery; 0 picks.
    pub columns: u32,
    /// Queries (heatmaps) or galleries (sheets) side by side; 0 picks.
    pub across: u32,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            width_in: 6.75,
            dpi: Format::DEFAULT_DPI,
            colormap: Colormap::default(),
            range: [-1.0, 1.0],
            palette: BoxPalette::default(),
            letters: Letters::default(),
            facts: true,
            shares: false,
            columns: 0,
            across: 0,
        }
    }
}

impl Style {
    /// The page that it asks of a figure.
    pub fn page(&self) -> Page {
        let Self { width_in, palette, letters, facts, .. } = *self;
        Page { width_in, palette, letters, facts, ..Page::default() }
    }
}
