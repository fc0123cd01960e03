//! The toy world in numbers: what the command line prints.

use eframe::egui::{Align, Grid, Layout, RichText, Ui};

use crate::engine::{WorldPlan, WorldReport};
use crate::gui::nouns::text::{count, thousands};
use crate::gui::paint::theme::STEP;

/// Height of a row, points.
const ROW: f32 = 17.0;
/// A least L_C below this is rounding.
const ROUNDING: f64 = 1e-15;

/// A number with its name and what it means.
struct WorldNumber {
    name: String,
    value: String,
    meaning: &'static str,
}

fn number(name: impl Into<String>, value: impl Into<String>, meaning: &'static str) -> WorldNumber {
    WorldNumber { name: name.into(), value: value.into(), meaning }
}

/// Draws them.
pub fn ui(ui: &mut Ui, report: &WorldReport) {
    ui.scope(|ui| {
        // Numbers alone need less room than buttons.
        ui.spacing_mut().interact_size.y = ROW;
        section_ui(ui, "Prop. 3.1: L_C is 2w L_S but for a constant", &proposition(report));
        ui.add_space(STEP / 2.0);
        section_ui(ui, "App. B: two regularisers, one but for a constant", &duality(report));
    });
}

fn section_ui(ui: &mut Ui, title: &str, numbers: &[WorldNumber]) {
    ui.label(RichText::new(title).strong());
    Grid::new(title).striped(true).num_columns(3).spacing([16.0, 2.0]).show(ui, |ui| {
        for number in numbers {
            ui.label(&number.name).on_hover_text(number.meaning);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(&number.value).on_hover_text(number.meaning);
            });
            ui.label("");
            ui.end_row();
        }
    });
}

fn proposition(report: &WorldReport) -> Vec<WorldNumber> {
    let WorldReport { losses, plan, .. } = report;
    vec![
        number(
            "L_S",
            exact(losses.spectral),
            "-E_p12[z1.z2] + lambda E_p1p2[(z1.z2)\u{b2}], with lambda = w / 2.",
        ),
        number(
            "L_C",
            exact(losses.modelling),
            "E_p1p2[(w z1.z2 - p12 / (p1 p2))\u{b2}]: how badly z models the co-occurrence.",
        ),
        number(
            format!("least L_C at d {}", plan.dim),
            exact(report.least),
            "The sum of the squares of all but the d largest eigenvalues of p12 / sqrt(p1 p2) (Eckart and Young 1936).",
        ),
        number(
            "2w L_S + constant",
            exact(2.0 * plan.w * losses.spectral + losses.constant),
            "The constant is E_p1p2[(p12 / (p1 p2))\u{b2}], whatever z is.",
        ),
        number("L_C less that", tiny(report.difference), "0 by App. A; what stands here is rounding."),
        number(
            "largest error",
            format!("{} of up to {:.2}", exact(report.largest_error), report.largest_ratio),
            "Largest |w z1.z2 - p12 / (p1 p2)| over all pairs, and the largest p12 / (p1 p2).",
        ),
    ]
}

fn duality(report: &WorldReport) -> Vec<WorldNumber> {
    let WorldPlan { patches, dim, .. } = report.plan;
    let (n, d, of) = (patches as f64, dim as f64, &report.duality);
    vec![
        number(
            "|Z'Z - I|\u{b2}",
            exact(of.samples),
            "Z has the kinds' vectors as columns of unit length. Small where different kinds are orthogonal: what a contrastive \
             loss asks for.",
        ),
        number(
            "|ZZ' - I|\u{b2} + N - d",
            format!("{} {} {}", exact(of.dimensions), sign(n - d), thousands((n - d).abs() as usize)),
            "Small where the covariance is the identity: what a non-contrastive loss asks for. N kinds, width d.",
        ),
        number(
            "the first less that",
            tiny(of.first),
            "0 by App. B as corrected; what stands here is rounding.",
        ),
        number(
            "|ZZ' - (N/d) I|\u{b2} + (N - d)\u{b2}/d",
            format!("{} + {}", exact(of.even), exact((n - d).powi(2) / d)),
            "The same covariance against one that uses all directions alike. With the second term it is |ZZ' - I|\u{b2}.",
        ),
        number(
            "|ZZ' - I|\u{b2} less that",
            tiny(of.second),
            "0 by App. B as corrected; what stands here is rounding.",
        ),
    ]
}

/// What can be and what is left, in a sentence.
pub fn verdict(report: &WorldReport) -> String {
    let (dim, rank) = (report.plan.dim, report.rank);
    if dim >= rank {
        return format!(
            "d {dim} reaches the rank of p12, {rank}: w z1.z2 can become p12 / (p1 p2), and L_C 0. By now L_C is {}.",
            exact(report.losses.modelling)
        );
    }
    if report.least <= ROUNDING {
        return format!("d {dim} is below the rank of p12, {rank}, but what is left is rounding.");
    }
    let at_zero = 100.0 * report.least / report.losses.constant;
    format!(
        "d {dim} is below the rank of p12, {rank}: without {} L_C stays at {} or above, {at_zero:.1} % of what it is at z = 0. \
         By now it is {:.4} times that.",
        count(rank - dim, "eigenvalue"),
        exact(report.least),
        report.losses.modelling / report.least
    )
}

fn sign(value: f64) -> char {
    if value < 0.0 { '\u{2212}' } else { '+' }
}

/// With six decimals, where that shows something.
fn exact(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 1e-3 => tiny(value),
        _ => with_minus(format!("{value:.6}")),
    }
}

/// In powers of ten.
fn tiny(value: f64) -> String {
    with_minus(format!("{value:.1e}"))
}

/// With true minus signs.
pub fn with_minus(text: String) -> String {
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_rounding_are_told_in_powers_of_ten() {
        assert_eq!(
            [0.0, 1.5, -0.25, 2.5e-4, -8.8e-16].map(exact),
            ["0", "1.500000", "\u{2212}0.250000", "2.5e\u{2212}4", "\u{2212}8.8e\u{2212}16"]
        );
        assert_eq!(tiny(0.0), "0.0e0");
    }
}
