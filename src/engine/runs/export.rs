//! Curves of one or more runs as a figure.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::ensure;
use serde_json::json;

use crate::engine::ask::{CurveExport, CurveLine, FigureNames, Outputs};
use crate::figure::{CurveAxis, CurveData, CurveFigure, CurveSeries, CurveSpec};
use crate::figure::{Figure, Format, SavedFigure};
use crate::objective::Objective;
use crate::train::Metrics;

/// Writes the figure and its sidecar.
pub fn save(curves: &CurveExport, path: &Path) -> anyhow::Result<SavedFigure> {
    ensure!(!curves.lines.is_empty(), "there is no curve to export yet: no run is shown");
    Outputs::default().writes_figure(&FigureNames::NOUNS, path, None).check()?;
    let source = json!({ "runs": curves.lines.iter().map(|line| &line.name).collect::<Vec<_>>() });
    figure(curves).save(path, Format::DEFAULT_DPI, source)
}

/// The loss of a run and its terms, as curves over the steps.
pub fn losses(metrics: &[Metrics], objective: &Objective) -> CurveExport {
    let names: BTreeSet<&String> = metrics.iter().flat_map(|line| line.terms.keys()).collect();
    let line = |name: &str, value: &dyn Fn(&Metrics) -> f64| CurveLine {
        name: name.into(),
        space: None,
        run: 0,
        x: metrics.iter().map(|line| line.step as f64).collect(),
        y: metrics.iter().map(value).collect(),
    };
    let mut lines = vec![line("loss", &|line| line.loss)];
    for name in names {
        lines.push(line(name, &|line| line.terms.get(name).copied().unwrap_or(f64::NAN)));
    }
    CurveExport {
        title: format!("{} training loss", objective.title()),
        x_label: "step".into(),
        y_label: "loss and its terms before weighting".into(),
        unit: objective.info().unit.into(),
        log_x: false,
        log_y: true,
        lines,
        notes: vec![],
    }
}

/// The curves as they are drawn: the one place that makes a figure of them. An axis that was asked to be
/// logarithmic and cannot show all values is linear, and a note says so.
pub fn figure(curves: &CurveExport) -> Figure {
    let is_positive = |value: &f64| !value.is_finite() || *value > 0.0;
    let log_x = curves.log_x && curves.lines.iter().flat_map(|line| &line.x).all(is_positive);
    let log_y = curves.log_y && curves.lines.iter().flat_map(|line| &line.y).all(is_positive);
    let line = |line: &CurveLine| {
        let (x, y) = line.x.iter().zip(&line.y).filter(|(x, _)| x.is_finite()).unzip();
        CurveSeries {
            name: line.name.clone(),
            space: line.space.clone().unwrap_or_default(),
            run: line.run,
            x,
            y,
            band: None,
        }
    };
    let fallen = [(curves.log_x != log_x, "horizontal"), (curves.log_y != log_y, "vertical")];
    let fallen = fallen.into_iter().filter(|(is_linear, _)| *is_linear).map(|(_, axis)| {
        format!("Linear {axis} axis: a logarithmic one cannot show the values of 0 or less.")
    });
    Figure::Curve(CurveFigure {
        spec: CurveSpec { width_in: 5.5, log_x, log_y, ..CurveSpec::default() },
        data: CurveData {
            title: curves.title.clone(),
            x: CurveAxis::of(&curves.x_label, ""),
            y: CurveAxis::of(&curves.y_label, &curves.unit),
            series: curves.lines.iter().map(line).collect(),
            notes: curves.notes.iter().cloned().chain(fallen).collect(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, x: Vec<f64>, y: Vec<f64>) -> CurveLine {
        CurveLine { name: name.into(), space: None, run: 0, x, y }
    }

    fn curves(lines: Vec<CurveLine>) -> CurveExport {
        CurveExport {
            title: "loss".into(),
            x_label: "step".into(),
            y_label: "loss".into(),
            unit: "nats".into(),
            log_x: false,
            log_y: true,
            lines,
            notes: vec!["smoothed over 10 steps".into()],
        }
    }

    #[test]
    fn curves_become_a_figure_with_the_names_of_their_runs() {
        let shown = curves(vec![
            line("first", vec![0.0, 1.0, 2.0], vec![3.0, 2.0, 1.0]),
            line("second", vec![1.0, 2.0], vec![0.5, 2.0]),
        ]);
        let folder = tempfile::tempdir().unwrap();
        let saved = save(&shown, &folder.path().join("loss.svg")).unwrap();
        let svg = std::fs::read_to_string(saved.out).unwrap();
        assert!(svg.contains("first") && svg.contains("second") && svg.contains("loss (nats)"));
        assert!(save(&curves(vec![]), &folder.path().join("none.svg")).is_err());
    }

    #[test]
    fn an_axis_that_cannot_be_logarithmic_is_linear_and_says_so() {
        let shown = |y: Vec<f64>| match figure(&curves(vec![line("loss", vec![1.0, 2.0], y)])) {
            Figure::Curve(figure) => figure,
            _ => unreachable!("curves become a figure of curves"),
        };
        let good = shown(vec![3.0, f64::NAN]);
        assert!(good.spec.log_y && good.data.notes.len() == 1);
        let bad = shown(vec![3.0, -2.0]);
        assert!(!bad.spec.log_y && bad.data.series[0].y == [3.0, -2.0]);
        assert!(bad.data.notes[1].contains("Linear vertical axis"), "{:?}", bad.data.notes);
        assert!(Figure::Curve(bad).svg().unwrap().contains("0 or less"));
    }

    #[test]
    fn losses_of_every_objective_become_a_figure() {
        for objective in Objective::all() {
            let terms = ["one".to_owned()].into_iter().map(|name| (name, -0.5)).collect();
            let at = |step| Metrics { step, loss: -1.0 - step as f64, terms, ..Metrics::default() };
            let svg = figure(&losses(&[at(1)], &objective)).svg().unwrap();
            assert!(svg.contains(&format!("{} training loss", objective.title())));
        }
    }
}
