//! Numbers of a run against steps.

use serde::{Deserialize, Serialize};

/// Values against steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricSeries {
    /// Steps, ascending.
    #[serde(with = "crate::wire::fields::numbers")]
    pub x: Vec<f64>,
    /// Values; NaN where a line says that there is none.
    #[serde(with = "crate::wire::fields::numbers")]
    pub y: Vec<f64>,
}
