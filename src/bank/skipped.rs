//! What a bank was made without.

use anyhow::Result;

use super::manifest::SkippedImage;
use super::store::Bank;
use crate::dataset::Skipped;

impl Bank {
    /// Committed images with embeddings.
    pub fn usable_images(&self) -> usize {
        self.complete_images() - self.skipped().len()
    }

    /// The files of those without, and why they could not be used.
    ///
    /// # Errors
    /// The bank names an image that it does not hold.
    pub fn skipped_files(&self) -> Result<Vec<Skipped>> {
        let skipped = self.skipped().iter().map(|SkippedImage { image, reason }| {
            let file = self.image_entry(*image as usize)?.name.clone();
            Ok(Skipped { file, reason: reason.clone() })
        });
        skipped.collect()
    }
}
