//! How a bank is searched.

use serde::{Deserialize, Serialize};

/// The two ways to search a bank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SearchWay {
    /// Every patch is compared.
    #[default]
    Exact,
    /// By codes of one bit a value; what they cannot tell from the nearest is compared.
    Quantised,
}
