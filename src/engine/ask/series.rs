//! Numbers of a run against steps.

/// Values against steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricSeries {
    /// Steps, ascending.
    pub x: Vec<f64>,
    /// Values; NaN where a line says that there is none.
    pub y: Vec<f64>,
}
