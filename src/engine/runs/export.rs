//! Curves of one or more runs as a figure.

use std::path::Path;

use anyhow::ensure;
use serde_json::json;

use crate::engine::ask::CurveExport;
use crate::figure::{CurveAxis, CurveData, CurveFigure, CurveSeries, CurveSpec};
use crate::figure::{Figure, Format, SavedFigure};

/// Writes the figure and its sidecar.
pub fn save(curves: &CurveExport, path: &Path) -> anyhow::Result<SavedFigure> {
    ensure!(!curves.lines.is_empty(), "there is no curve to export yet: no run is shown");
    let source = json!({ "runs": curves.lines.iter().map(|(name, ..)| name).collect::<Vec<_>>() });
    figure(curves).save(path, Format::DEFAULT_DPI, source)
}

/// The curves as they are drawn. A logarithmic axis leaves out what is not positive.
pub fn figure(curves: &CurveExport) -> Figure {
    let line = |(name, x, y): &(String, Vec<f64>, Vec<f64>)| {
        let shown = x.iter().zip(y).filter(|(x, _)| x.is_finite() && (!curves.log_x || **x > 0.0));
        let value = |y: f64| if curves.log_y && y <= 0.0 { f64::NAN } else { y };
        let (x, y) = shown.map(|(x, y)| (*x, value(*y))).unzip();
        CurveSeries { name: name.clone(), x, y }
    };
    Figure::Curve(CurveFigure {
        spec: CurveSpec { width_in: 5.5, log_x: curves.log_x, log_y: curves.log_y, ..CurveSpec::default() },
        data: CurveData {
            title: curves.title.clone(),
            x: CurveAxis { label: curves.x_label.clone(), unit: String::new() },
            y: CurveAxis { label: curves.title.clone(), unit: String::new() },
            series: curves.lines.iter().map(line).collect(),
            notes: curves.notes.clone(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_become_a_figure_with_the_names_of_their_runs() {
        let curves = CurveExport {
            title: "loss".into(),
            x_label: "step".into(),
            log_x: false,
            log_y: true,
            lines: vec![
                ("first".into(), vec![0.0, 1.0, 2.0], vec![3.0, 2.0, 1.0]),
                ("second".into(), vec![1.0, 2.0], vec![0.0, 2.0]),
            ],
            notes: vec!["smoothed over 10 steps".into()],
        };
        let folder = tempfile::tempdir().unwrap();
        let saved = save(&curves, &folder.path().join("loss.svg")).unwrap();
        let svg = std::fs::read_to_string(saved.out).unwrap();
        assert!(svg.contains("first") && svg.contains("second"));
        let none = CurveExport { lines: vec![], ..curves };
        assert!(save(&none, &folder.path().join("none.svg")).is_err());
    }
}
