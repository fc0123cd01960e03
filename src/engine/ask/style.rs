//! How figures look.

use crate::colormap::Colormap;
use crate::figure::{BoxPalette, FontSource, Format, Letters, Page, TextAs};
use serde::{Deserialize, Serialize};

/// How figures look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Style {
    /// Page width, inches.
    pub width_in: f32,
    /// Pixels per inch of a PNG.
    pub dpi: u32,
    /// Colours of heatmaps.
    pub colormap: Colormap,
    /// Ends of the colour scale, lower first: cosines.
    pub range: [f32; 2],
    /// Where a line of equal value is drawn on heatmaps, if one is.
    pub contour: Option<f32>,
    /// Colours of boxes.
    pub palette: BoxPalette,
    /// Which panels bear letters.
    pub letters: Letters,
    /// What text is in an SVG.
    pub text: TextAs,
    /// The font of all text.
    pub font: FontSource,
    /// What the models are called.
    pub names: ModelNames,
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
            contour: None,
            palette: BoxPalette::default(),
            letters: Letters::default(),
            text: TextAs::default(),
            font: FontSource::default(),
            names: ModelNames::default(),
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
        let Self { width_in, palette, letters, text, facts, .. } = *self;
        Page { width_in, palette, letters, text, facts, ..Page::default() }
    }
}

/// What the models of a figure are called in it, in place of architecture and hash; empty where nothing is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelNames {
    /// The model, or A of two.
    pub own: String,
    /// B, the second model.
    pub beside: String,
}

/// Longest name of a model, characters.
const LONGEST_NAME: usize = 40;

impl ModelNames {
    /// Checks that they can be told apart and have room.
    ///
    /// # Errors
    /// Says which one, and what was expected.
    pub fn check(&self) -> anyhow::Result<()> {
        for name in [&self.own, &self.beside] {
            let length = name.chars().count();
            anyhow::ensure!(
                length <= LONGEST_NAME && !name.chars().any(char::is_control),
                "the model's name \"{name}\" has {length} characters; expected at most {LONGEST_NAME} in one line"
            );
        }
        anyhow::ensure!(
            self.own != self.beside || self.own.is_empty(),
            "both models are called \"{}\"; expected two names",
            self.own
        );
        Ok(())
    }

    /// The name of the model that a comparison calls `side` ("A", "B").
    pub fn of<'a>(&'a self, side: &'a str) -> &'a str {
        let told = if side == "B" { &self.beside } else { &self.own };
        if told.is_empty() { side } else { told }
    }
}
