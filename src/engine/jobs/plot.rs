//! Figures of measured numbers, and the same numbers as a table.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::colormap::space_color;
use crate::engine::ask::{FigureNames, OutputKind, Outputs};
use crate::engine::figures::output::{Written, write_caption};
use crate::engine::jobs::figures::FileLook;
use crate::figure::{
    CurveAxis, CurveBand, CurveData, CurveSeries, CurvesPanel, Figure, FontSource, Format, Panel, PanelsData,
    PanelsFigure, PanelsSpec,
};
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

/// A line with a band, of one space: "h", or "h A" of two models.
pub(super) fn line(space: &str, x: Vec<f64>, y: Vec<f64>, band: Option<(Vec<f64>, Vec<f64>)>) -> CurveSeries {
    let band = band.map(|(low, high)| CurveBand { low, high });
    let run = usize::from(space.ends_with(" B"));
    CurveSeries { name: space.to_owned(), space: space.to_owned(), run, x, y, band }
}

/// A line of no space; `run` chooses its stroke.
pub(super) fn named(name: &str, run: usize, x: Vec<f64>, y: Vec<f64>) -> CurveSeries {
    CurveSeries { name: name.to_owned(), space: String::new(), run, x, y, band: None }
}

/// A panel of curves on linear axes. Spaces that share a hue have strokes that differ.
pub(super) fn curves(title: &str, x: CurveAxis, y: CurveAxis, mut series: Vec<CurveSeries>) -> CurvesPanel {
    for index in 1..series.len() {
        let (earlier, rest) = series.split_at_mut(index);
        let hue = |series: &CurveSeries| (!series.space.is_empty()).then(|| space_color(&series.space));
        let is_taken =
            |run: usize| earlier.iter().any(|other| other.run == run && hue(other) == hue(&rest[0]));
        if !rest[0].space.is_empty() {
            rest[0].run = (rest[0].run..).find(|run| !is_taken(*run)).unwrap_or(rest[0].run);
        }
    }
    let curves = CurveData { title: title.to_owned(), x, y, series, notes: vec![] };
    CurvesPanel { log_x: false, log_y: false, curves }
}

/// A page of these panels.
pub(super) fn page(title: String, panels: Vec<Panel>, notes: Vec<String>) -> PanelsData {
    PanelsData { title, panels, notes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_of_one_hue_have_strokes_that_differ() {
        let of = |space: &str| line(space, vec![0.0], vec![1.0], None);
        assert_eq!(space_color("stage1"), space_color("hidden1"));
        let axis = || CurveAxis::of("", "");
        let names = ["stage1", "h", "hidden1", "h A", "h B"];
        let panel = curves("", axis(), axis(), names.map(of).to_vec());
        let runs: Vec<usize> = panel.curves.series.iter().map(|series| series.run).collect();
        assert_eq!(runs, [0, 0, 1, 1, 2]);
    }
}
