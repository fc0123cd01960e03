//! Named series over a common axis: a loss curve, a metric against steps.

use serde::{Deserialize, Serialize};

use super::codec;
use super::font::FontChoice;
use super::outlines::TextAs;

/// How a curve figure looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CurveSpec {
    /// Page width, inches (a column is 3.25, a text width 5.5 or 6.75).
    pub width_in: f32,
    /// Height of the plotting area with its axes, inches.
    pub height_in: f32,
    /// Size of axis labels, points; numbers are 7/8 of it.
    pub text_pt: f32,
    /// What text is in an SVG.
    #[serde(default = "TextAs::of_old")]
    pub text: TextAs,
    /// The font, where it is not the program's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub font: Option<FontChoice>,
    /// Whether x is on a logarithmic scale.
    pub log_x: bool,
    /// Whether y is on a logarithmic scale.
    pub log_y: bool,
}

impl Default for CurveSpec {
    fn default() -> Self {
        Self {
            width_in: 3.25,
            height_in: 2.0,
            text_pt: 8.0,
            text: TextAs::default(),
            font: None,
            log_x: false,
            log_y: false,
        }
    }
}

/// What a curve figure shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveData {
    /// Heading; empty for none.
    pub title: String,
    /// The horizontal axis.
    pub x: CurveAxis,
    /// The vertical axis.
    pub y: CurveAxis,
    /// The lines, in the legend's order.
    pub series: Vec<CurveSeries>,
    /// Further facts to print below; no paths, no times.
    pub notes: Vec<String>,
}

/// An axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveAxis {
    /// What is measured ("loss").
    pub label: String,
    /// In what ("nats"); empty for a pure number.
    pub unit: String,
    /// Names of the places 0, 1, 2, ... of a horizontal axis, which stand there in place of numbers; empty for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl CurveAxis {
    /// An axis of numbers.
    pub fn of(label: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { label: label.into(), unit: unit.into(), names: vec![] }
    }

    /// An axis of names.
    pub fn of_names(label: impl Into<String>, names: Vec<String>) -> Self {
        Self { label: label.into(), unit: String::new(), names }
    }

    /// What is measured, and in what.
    pub(super) fn words(&self) -> String {
        if self.unit.is_empty() { self.label.clone() } else { format!("{} ({})", self.label, self.unit) }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveSeries {
    /// Name in the legend.
    pub name: String,
    /// The space that it is of, whose hue it has; empty for none. A series named "z" or "h" is of that space.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub space: String,
    /// Which run it is of, from 0: told by the stroke (solid, dashed, dotted, ...), as hues tell spaces.
    #[serde(default, skip_serializing_if = "is_first")]
    pub run: usize,
    /// Positions, one for each value, all finite.
    #[serde(with = "codec::floats")]
    pub x: Vec<f64>,
    /// Values; a gap where one is NaN or infinite.
    #[serde(with = "codec::floats")]
    pub y: Vec<f64>,
    /// What is shaded about the line: a spread or an interval, which the notes name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<CurveBand>,
}

/// What is shaded about a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveBand {
    /// Lower edge, one for each value; a gap where one is NaN or infinite.
    #[serde(with = "codec::floats")]
    pub low: Vec<f64>,
    /// Upper edge.
    #[serde(with = "codec::floats")]
    pub high: Vec<f64>,
}

/// A curve figure.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveFigure {
    /// How it looks.
    pub spec: CurveSpec,
    /// What it shows.
    pub data: CurveData,
}

fn is_first(run: &usize) -> bool {
    *run == 0
}
