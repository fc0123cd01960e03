//! Measured numbers as panels of curves, the same for the command line's pages and the window's plots.

use crate::colormap::space_color;
use crate::figure::{CurveAxis, CurveBand, CurveData, CurveSeries, CurvesPanel, Panel, PanelsData};

/// A line with a band, of one space: "h", or "h A" of two models.
pub fn line(space: &str, x: Vec<f64>, y: Vec<f64>, band: Option<(Vec<f64>, Vec<f64>)>) -> CurveSeries {
    let band = band.map(|(low, high)| CurveBand { low, high });
    let run = usize::from(space.ends_with(" B"));
    CurveSeries { name: space.to_owned(), space: space.to_owned(), run, x, y, band }
}

/// A line of no space; `run` chooses its stroke.
pub fn named(name: &str, run: usize, x: Vec<f64>, y: Vec<f64>) -> CurveSeries {
    CurveSeries { name: name.to_owned(), space: String::new(), run, x, y, band: None }
}

/// A panel of curves on linear axes. Spaces that share a hue have strokes that differ.
pub fn curves(title: &str, x: CurveAxis, y: CurveAxis, mut series: Vec<CurveSeries>) -> CurvesPanel {
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
pub fn page(title: String, panels: Vec<Panel>, notes: Vec<String>) -> PanelsData {
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
