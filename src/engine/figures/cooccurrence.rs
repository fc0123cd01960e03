//! The toy world of section 3 as a page: the two matrices side by side, and the losses by step.

use serde_json::json;

use crate::colormap::Colormap;
use crate::engine::ask::{MeasuredPage, WorldPlan, WorldReport};
use crate::engine::figures::plotted::{curves, named, page};
use crate::figure::{CurveAxis, CurvesPanel, MatrixPanel, Panel, PanelsSpec};
use crate::words::thousands;

/// A least L_C below this is rounding of the eigenvalues, and would pull the axis down to it.
const ROUNDING: f64 = 1e-15;

/// The page of `ratios`, p12 / (p1 p2), and `found`, w z1.z2, both `[kinds, kinds]`.
pub fn cooccurrence_page(report: &WorldReport, ratios: &[f64], found: &[f64]) -> MeasuredPage {
    let WorldPlan { images, patches, dim, w, noise, seed, steps } = report.plan;
    let most = report.largest_ratio as f32;
    let matrix = |title: &str, values: &[f64]| {
        Panel::Matrix(MatrixPanel {
            title: title.into(),
            rows: patches,
            cols: patches,
            values: values.iter().map(|value| *value as f32).collect(),
            range: [0.0, most],
            colormap: Colormap::Magma,
            row_label: "kind of patch".into(),
            col_label: "kind of patch".into(),
            names: vec![],
        })
    };
    let panels = vec![
        matrix("p12 / (p1 p2)", ratios),
        matrix("w z1.z2, found by the optimiser", found),
        Panel::Curves(loss_curves(report)),
    ];
    let done = match report.done == steps {
        true => format!("{} steps", thousands(steps)),
        false => format!("{} of {} steps", thousands(report.done), thousands(steps)),
    };
    let notes = vec![
        format!(
            "{} images, {} kinds of patches, noise {noise}, seed {seed}",
            thousands(images),
            thousands(patches)
        ),
        format!("z of width {dim}, rank of p12 {}, w {w}, {done}", report.rank),
        format!("correlation {:.6}, largest error {:.2e}", report.correlation, report.largest_error),
    ];
    let source = json!({
        "images": images, "patches": patches, "dim": dim, "w": w, "noise": noise, "seed": seed, "steps": steps,
        "done": report.done,
    });
    MeasuredPage { spec: PanelsSpec::default(), data: page(String::new(), panels, notes), source }
}

/// L_C and 2w L_S + constant by step, and the least L_C at this width.
pub fn loss_curves(report: &WorldReport) -> CurvesPanel {
    let steps: Vec<f64> = report.curve.iter().map(|(step, ..)| *step as f64 + 1.0).collect();
    let above = |value: f64| if value > 0.0 { value } else { f64::NAN };
    let modelling = report.curve.iter().map(|(_, _, modelling)| above(*modelling)).collect();
    let of_spectral = |spectral: f64| above(2.0 * report.plan.w * spectral + report.losses.constant);
    let spectral = report.curve.iter().map(|(_, spectral, _)| of_spectral(*spectral)).collect();
    let mut series = vec![
        named("L_C", 0, steps.clone(), modelling),
        named("2w L_S + constant", 1, steps.clone(), spectral),
    ];
    if report.least > ROUNDING {
        series.push(named("least L_C", 2, steps.clone(), vec![report.least; steps.len()]));
    }
    let axes = (CurveAxis::of("step + 1", ""), CurveAxis::of("loss", ""));
    let mut losses = curves("losses", axes.0, axes.1, series);
    (losses.log_x, losses.log_y) = (true, true);
    losses
}
