//! How much of a data set is used.

use serde::{Deserialize, Serialize};

use super::set::Skipped;
use crate::words::thousands;

/// How many images of a data set, or of a part of it, are used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Images that are used.
    pub images: usize,
    /// Images that there are.
    pub of: usize,
    /// Images that cannot be used, and why.
    pub skipped: Vec<Skipped>,
}

impl Coverage {
    /// "9,998 of 10,000 images; 2 skipped, first a.png: 8 x 8 pixels, too small ..."
    pub fn words(&self) -> String {
        let mut words = format!("{} of {} images", thousands(self.images as u64), thousands(self.of as u64));
        if let [first, ..] = self.skipped.as_slice() {
            let count = thousands(self.skipped.len() as u64);
            words += &format!("; {count} skipped, first {}: {}", first.file, first.reason);
        }
        words
    }
}
