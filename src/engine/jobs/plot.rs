//! Figures of measured numbers, and the same numbers as a table.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::engine::ask::{FigureNames, OutputKind, Outputs};
use crate::engine::figures::output::{Written, write_caption};
use crate::engine::jobs::figures::FileLook;
use crate::figure::{Figure, FontSource, Format, PanelsData, PanelsFigure, PanelsSpec};
use crate::files;

/// Where a figure of numbers goes, and how it looks.
pub struct PlotFile {
    /// The figure's file; its ending chooses the format.
    pub out: PathBuf,
    /// Where its caption goes, if it is wanted.
    pub caption: Option<PathBuf>,
    /// Page width, inches.
    pub width_in: f32,
    /// Resolution, text and font.
    pub look: FileLook,
}

impl PlotFile {
    fn dpi(&self) -> u32 {
        self.look.dpi.unwrap_or(Format::DEFAULT_DPI)
    }

    /// Draws a page of panels. `source` says where the numbers came from.
    pub(super) fn write(
        &self,
        data: PanelsData,
        spec: PanelsSpec,
        source: serde_json::Value,
    ) -> anyhow::Result<Written> {
        let spec = PanelsSpec { width_in: self.width_in, ..spec };
        let mut figure = Figure::Panels(PanelsFigure { spec, data });
        self.look.put_on(&mut figure)?;
        let saved = figure.save(&self.out, self.dpi(), source)?;
        write_caption(&figure, saved, self.caption.as_deref())
    }
}

/// Holds what a measure writes against what it reads, given in `outputs`, before anything long begins.
///
/// # Errors
/// One file is two, or cannot be written.
pub fn check(outputs: Outputs, plot: Option<&PlotFile>, csv: Option<&Path>) -> anyhow::Result<()> {
    let mut outputs = outputs.writes("--csv", csv, OutputKind::File);
    if let Some(plot) = plot {
        outputs = outputs.reads("--font", plot.look.font.as_ref().and_then(FontSource::file));
        outputs = outputs.writes_figure(&FigureNames::OPTIONS, &plot.out, plot.caption.as_deref());
        Figure::check_out(&plot.out, plot.dpi())?;
        if let Some(font) = &plot.look.font {
            font.load()?;
        }
    }
    outputs.check()
}

/// A table as comma-separated values: a heading, then rows. Cells are numbers and names without commas or quotes.
pub(super) fn write_csv(path: &Path, heading: &[&str], rows: &[Vec<String>]) -> anyhow::Result<()> {
    let mut text = heading.join(",") + "\n";
    for row in rows {
        let _ = writeln!(text, "{}", row.join(","));
    }
    files::write_bytes_atomic(path, text.as_bytes())
}
