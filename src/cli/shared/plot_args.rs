//! How figures of measured numbers look: the arguments of all commands that can draw what they print.

use std::path::PathBuf;

use clap::Args;

use super::values::finite;
use crate::engine::jobs::figures::FileLook;
use crate::engine::jobs::plot::PlotFile;
use crate::figure::{FontSource, TextAs};

/// Heading of how figures look.
pub const LOOK: &str = "Look";

/// How a figure of numbers looks: said of the one at `--out` alone.
#[derive(Args)]
pub struct PlotArgs {
    /// Page width in inches: 3.25 (a column), 5.5 or 6.75
    #[arg(long, default_value_t = 6.75, value_parser = finite, requires = "out", help_heading = LOOK)]
    pub width: f32,
    /// Pixels per inch of a PNG
    #[arg(long, requires = "out", help_heading = LOOK)]
    pub dpi: Option<u32>,
    /// What the text of an SVG is; a PDF holds its font
    #[arg(long, value_enum, requires = "out", help_heading = LOOK)]
    pub text: Option<TextAs>,
    /// A font file (.ttf, .otf) for all text, or built-in (Ubuntu Light)
    #[arg(long, value_name = "FILE", requires = "out", help_heading = LOOK)]
    pub font: Option<FontSource>,
    /// Also write the caption, as a LaTeX figure environment
    #[arg(long, value_name = "FILE.tex", requires = "out")]
    pub caption: Option<PathBuf>,
}

impl PlotArgs {
    /// The figure that is written to `out`.
    pub fn file(self, out: PathBuf) -> PlotFile {
        let look = FileLook { dpi: self.dpi, text: self.text, font: self.font };
        PlotFile { out, caption: self.caption, width_in: self.width, look }
    }
}
