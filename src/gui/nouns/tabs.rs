//! The three tabs of the window.

use serde::{Deserialize, Serialize};

/// What the window is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tab {
    /// Looks at what a model holds alike.
    #[default]
    Explore,
    /// Trains models and looks at runs.
    Train,
    /// Measures what models' vectors are worth.
    Evaluate,
}
