//! How figures look, remembered from one export to the next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::colormap::Colormap;
use crate::engine::{FigureKind, Style};
use crate::figure::{BoxPalette, FontSource, Letters, TextAs};
use crate::paths;

/// Looks of figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FigureLooks {
    /// Page width, inches.
    pub width_in: f32,
    /// Pixels per inch of a PNG, and of what is copied.
    pub dpi: u32,
    /// The colours.
    pub palette: BoxPalette,
    /// The letters.
    pub letters: Letters,
    /// What text is in an SVG.
    pub text: TextAs,
    /// A font file in words; empty for the program's own font.
    pub font: String,
    /// What models are called, by their hash.
    pub aliases: BTreeMap<String, String>,
    /// Whether geometry, model and data set stand below.
    pub facts: bool,
    /// Whether the share of each relation by rank stands below galleries.
    pub shares: bool,
    /// Queries or galleries side by side; 0 picks.
    pub across: u32,
    /// Ending of the file: "pdf", "svg" or "png".
    pub format: String,
    /// Whether the caption is written as a file of its own.
    pub caption: bool,
}

/// Endings of figures.
pub const ENDINGS: [&str; 3] = ["pdf", "svg", "png"];

impl Default for FigureLooks {
    fn default() -> Self {
        let Style { width_in, dpi, palette, letters, text, facts, shares, across, .. } = Style::default();
        Self {
            width_in,
            dpi,
            palette,
            letters,
            text,
            font: String::new(),
            aliases: BTreeMap::new(),
            facts,
            shares,
            across,
            format: "pdf".into(),
            caption: false,
        }
    }
}

impl FigureLooks {
    /// What the model of that hash is called; empty where it was given no name.
    pub fn alias(&self, hash: &str) -> String {
        self.aliases.get(hash).cloned().unwrap_or_default()
    }

    /// The ending of a new file's name.
    pub fn ending(&self) -> &str {
        ENDINGS.into_iter().find(|ending| *ending == self.format).unwrap_or(ENDINGS[0])
    }

    /// Whether each field holds what it may.
    ///
    /// # Errors
    /// What was expected of the first that does not.
    pub fn check(&self) -> Result<(), String> {
        if !(1.0..=40.0).contains(&self.width_in) {
            return Err("expected a width from 1 to 40 inches".into());
        }
        if !(36..=2400).contains(&self.dpi) {
            return Err("expected 36 to 2400 pixels per inch".into());
        }
        if self.across > 26 {
            return Err("expected at most 26 side by side; 0 picks".into());
        }
        Ok(())
    }

    /// The style of a figure of `kind` with this colour scale.
    pub fn style(&self, kind: FigureKind, colormap: Colormap, range: [f32; 2]) -> Style {
        let Self { width_in, dpi, palette, letters, text, facts, shares, across, .. } = *self;
        let font = match self.font.trim() {
            "" => FontSource::BuiltIn,
            file => FontSource::File(paths::typed(file)),
        };
        let style = Style { width_in, dpi, palette, letters, text, font, facts, ..Style::default() };
        match kind {
            FigureKind::Heatmaps => Style { colormap, range, across: across.min(8), ..style },
            FigureKind::Galleries => Style { shares, ..style },
            FigureKind::Parts | FigureKind::Instance => Style { shares, across, ..style },
        }
    }
}
