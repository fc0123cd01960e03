//! What a part of a composed query is for.

use serde::{Deserialize, Serialize};

/// Whether a part of a query is to be like or unlike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// To be like it: its unit vector is added.
    Plus,
    /// To be unlike it: its unit vector is subtracted.
    Minus,
}

impl Sign {
    /// "+" or a true minus sign.
    pub fn symbol(self) -> &'static str {
        match self {
            Sign::Plus => "+",
            Sign::Minus => "\u{2212}",
        }
    }

    /// The opposite sign.
    pub fn other(self) -> Self {
        match self {
            Sign::Plus => Sign::Minus,
            Sign::Minus => Sign::Plus,
        }
    }

    /// 1 or -1.
    pub fn factor(self) -> f32 {
        match self {
            Sign::Plus => 1.0,
            Sign::Minus => -1.0,
        }
    }
}
