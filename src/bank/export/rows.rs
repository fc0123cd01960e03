//! Which rows of a bank are exported, and what each is of.

use crate::bank::store::{Bank, StoredSpace};
use crate::patch::PatchRef;
use anyhow::{Result, ensure};
use serde::Serialize;
use std::ops::Range;

/// Rows that are converted at a time.
pub const STEP: usize = 4096;

/// What an export holds of the patches that are in the bank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Rows that were written.
    pub rows: usize,
    /// Patches in the bank, with a vector or without.
    pub patches: usize,
    /// Patches left out because their image could not be read.
    pub patches_of_skipped_images: usize,
    /// Those images.
    pub skipped_images: usize,
    /// Patches left out because their vector is not finite or too long for a cosine.
    pub not_finite: usize,
    /// Of a bank that was imported: places on its grid that no vector was given for.
    pub without_vector: usize,
}

/// The rows of one space that have a vector, image by image as the data set has them, whatever the bank's own order.
pub struct ExportRows<'a> {
    bank: &'a Bank,
    space: StoredSpace<'a>,
    kept: Vec<Range<usize>>,
    counts: Exported,
}

/// What a row is of.
pub struct IndexEntry<'a> {
    pub patch: PatchRef,
    /// What the data set calls the image: the file's path below its folder, where it is one.
    pub path: &'a str,
    pub label: Option<u32>,
    pub class: Option<&'a str>,
    pub split: Option<&'static str>,
}

impl<'a> ExportRows<'a> {
    /// # Errors
    /// No such space, no row of it has a vector, or rows are damaged.
    pub fn new(bank: &'a Bank, space: &str) -> Result<Self> {
        let space = bank.space(space)?;
        ensure!(
            bank.patches() > 0,
            "the bank holds none of its {} patches yet; there is nothing to export",
            bank.total_patches()
        );
        let skipped = bank.skipped().iter().map(|skipped| skipped.image as usize);
        let patches_of_skipped_images: usize =
            skipped.map(|image| bank.rows_of_image(image).map_or(0, |rows| rows.len())).sum();
        space.check(0..bank.patches())?;
        let mut kept: Vec<Range<usize>> = vec![];
        for piece in bank.rows_in_order().flat_map(|image| space.pieces(image)) {
            let with_value = piece.inv_norms.iter().zip(piece.first_row..).filter(|(norm, _)| !norm.is_nan());
            for (_, row) in with_value {
                match kept.last_mut() {
                    Some(last) if last.end == row => last.end += 1,
                    _ => kept.push(row..row + 1),
                }
            }
        }
        space.check_length()?;
        let rows: usize = kept.iter().map(Range::len).sum();
        // An import takes no vector that is not finite: where there is none, none was given.
        let rest = bank.patches() - rows - patches_of_skipped_images;
        let is_imported = bank.spec().model.is_imported();
        let counts = Exported {
            rows,
            patches: bank.patches(),
            patches_of_skipped_images,
            skipped_images: bank.skipped().len(),
            not_finite: if is_imported { 0 } else { rest },
            without_vector: if is_imported { rest } else { 0 },
        };
        ensure!(
            rows > 0,
            "none of the {} patches in the bank has a vector in {}: {} are of images that could not be read",
            counts.patches,
            space.name(),
            counts.patches_of_skipped_images
        );
        Ok(Self { bank, space, kept, counts })
    }

    pub fn bank(&self) -> &'a Bank {
        self.bank
    }

    pub fn len(&self) -> usize {
        self.counts.rows
    }

    pub fn width(&self) -> usize {
        self.space.width()
    }

    pub fn counts(&self) -> Exported {
        self.counts
    }

    /// The rows of the bank, at most `most` at a time.
    pub fn groups(&self, most: usize) -> impl Iterator<Item = Vec<usize>> {
        let mut rows = self.kept.iter().cloned().flatten();
        std::iter::from_fn(move || {
            let group: Vec<usize> = rows.by_ref().take(most).collect();
            (!group.is_empty()).then_some(group)
        })
    }

    /// Replaces `values` by the vectors of `rows`, `[rows, width]`.
    ///
    /// # Errors
    /// Rows that are damaged, or no longer there.
    pub fn read(&self, rows: &[usize], values: &mut Vec<f32>) -> Result<()> {
        values.resize(rows.len() * self.width(), 0.0);
        let mut rest = values.as_mut_slice();
        for run in rows.chunk_by(|a, b| a + 1 == *b) {
            let (now, later) = rest.split_at_mut(run.len() * self.width());
            self.space.read_rows(run[0]..run[0] + run.len(), now)?;
            rest = later;
        }
        Ok(())
    }

    /// What `row` is of.
    pub fn entry(&self, row: usize) -> Result<IndexEntry<'a>> {
        let (patch, spec) = (self.bank.patch_ref(row), self.bank.spec());
        let image = self.bank.image_entry(patch.image as usize)?;
        Ok(IndexEntry {
            patch,
            path: &image.name,
            label: image.label,
            class: image.label.and_then(|label| spec.classes.get(label as usize)).map(String::as_str),
            split: spec.data.split_of(patch.image as usize).map(|split| split.name()),
        })
    }
}
