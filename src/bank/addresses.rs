//! Where images and their patches lie in a bank.

use std::ops::Range;

use anyhow::{Context, Result, ensure};

use super::layout::ImageEntry;
use super::manifest::SkippedImage;
use super::store::Bank;
use crate::dataset::ImageOrder;
use crate::patch::PatchRef;

impl Bank {
    /// The committed images, in the bank's order.
    pub fn images(&self) -> &[ImageEntry] {
        &self.layout.images()[..self.complete_images]
    }

    /// Whether the image of the data set with index `image` is committed.
    pub fn holds(&self, image: usize) -> bool {
        self.place_of_committed(image).is_some()
    }

    /// Where in [`Bank::images`] the image of the data set with index `image` lies, if it is committed.
    pub(crate) fn place_of_committed(&self, image: usize) -> Option<usize> {
        self.layout.place_of(image).filter(|place| *place < self.complete_images)
    }

    /// The image of the data set with index `image`, committed or not. The error says which there are.
    pub fn image_entry(&self, image: usize) -> Result<&ImageEntry> {
        Ok(&self.layout.images()[self.place_of(image)?])
    }

    /// Where the image of the data set with index `image` lies in the bank.
    fn place_of(&self, image: usize) -> Result<usize> {
        self.layout.place_of(image).with_context(|| self.without_words(image))
    }

    /// Why there is no image with index `image`.
    fn without_words(&self, image: usize) -> String {
        let total = self.total_images();
        if let Some(part) = &self.spec.data.part {
            return format!(
                "image {image} is not in the bank, which is {part}; bagssl bank merge joins parts"
            );
        }
        match self.spec.data.order {
            Some(ImageOrder::Spread { of, .. }) if !self.layout.is_in_order() && (image as u64) < of => {
                format!(
                    "image {image} is not in the bank, which is of {total} of the {of} images of the data set; \
                 bagssl embed without --limit takes all"
                )
            }
            Some(ImageOrder::Spread { of, .. }) if !self.layout.is_in_order() => {
                format!("image {image} is out of range; the data set has {of} (0 to {})", of - 1)
            }
            _ => format!("image {image} is out of range; the bank has {total} (0 to {})", total - 1),
        }
    }

    /// Rows of the image of the data set with index `image`, committed or not.
    pub fn rows_of_image(&self, image: usize) -> Result<Range<usize>> {
        Ok(self.layout.rows_of(self.place_of(image)?))
    }

    /// Where in [`Bank::images`] the image of `row` lies. Panics from [`Bank::total_patches`] on.
    pub(crate) fn place_of_row(&self, row: usize) -> usize {
        self.layout.place_of_row(row)
    }

    /// All rows of the image that `row` is of. Panics from [`Bank::total_patches`] on.
    pub(crate) fn rows_beside(&self, row: usize) -> Range<usize> {
        self.layout.rows_of(self.layout.place_of_row(row))
    }

    /// Rows of the committed images, one after the other by rising index in the data set.
    pub fn rows_in_order(&self) -> impl Iterator<Item = Range<usize>> {
        self.layout.places_in_order(self.complete_images).map(|place| self.layout.rows_of(place))
    }

    /// The patch in `row`. Panics from [`Bank::total_patches`] on.
    pub fn patch_ref(&self, row: usize) -> PatchRef {
        assert!(row < self.total_patches(), "row {row} of {} patches", self.total_patches());
        self.layout.patch_ref(row)
    }

    /// Index in the data set of the image of `row`. Panics from [`Bank::total_patches`] on.
    pub fn image_of_row(&self, row: usize) -> u32 {
        self.entry_of_row(row).index
    }

    /// Label of the image of `row`. Panics from [`Bank::total_patches`] on.
    pub fn label_of_row(&self, row: usize) -> Option<u32> {
        self.entry_of_row(row).label
    }

    fn entry_of_row(&self, row: usize) -> &ImageEntry {
        assert!(row < self.total_patches(), "row {row} of {} patches", self.total_patches());
        &self.layout.images()[self.layout.place_of_row(row)]
    }

    /// Row of the patch of the data set's image `image` whose top-left pixel is `(y, x)`.
    ///
    /// # Errors
    /// No such image; not committed yet; skipped, with its reason; no patch there, with the nearest corner.
    pub fn row_of(&self, image: usize, y: u32, x: u32) -> Result<usize> {
        let place = self.place_of(image)?;
        ensure!(
            place < self.complete_images,
            "image {image} is not in the bank yet; {} of {} images are",
            self.complete_images,
            self.total_images()
        );
        if let Some(skipped) = self.skipped_at(place) {
            anyhow::bail!("image {image} was skipped: {}", skipped.reason);
        }
        self.layout.row_of(place, y, x)
    }

    /// What is said of the committed image in `place`, if it was left out.
    pub(crate) fn skipped_at(&self, place: usize) -> Option<&SkippedImage> {
        let place_of = |skipped: &SkippedImage| self.layout.place_of(skipped.image as usize);
        let at = self.skipped.binary_search_by_key(&Some(place), place_of).ok()?;
        Some(&self.skipped[at])
    }
}
