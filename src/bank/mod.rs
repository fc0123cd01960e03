//! Banks: the embeddings of every patch of a data set, with what made them.
//!
//! A bank on disk is a folder:
//!
//! | file | content |
//! |---|---|
//! | `bank.json` | manifest: [`BankSpec`], counts, how many images are complete, skipped images |
//! | `images.bin` | per image: height, width, label, name, and its index in the data set where they do not lie in that order |
//! | `pixels.bin` | per image a hash of its pixels, by which exact copies are found; earlier versions wrote none |
//! | `SPACE.f16` or `.f32` | `[patches, width]` little-endian, row-major, un-normalised embeddings |
//! | `sums.crc32c` | a sum for each block of at most 2,048 rows of one image; earlier versions wrote none |
//! | `SPACE.inv` | `[patches]` f32: one over the norm of the stored row; 0 for a zero row, NaN for a row without a value |
//! | `SPACE.codes`, `SPACE.codes.json` | where it was indexed: its rows once more in one bit a value, and how many neighbours these miss; [`crate::search`] makes both |
//!
//! Rows are in bank order: image by image, and within an image corner by
//! corner, row by row, at 0, S, 2S, ... up to side - P. Since the sizes of all
//! images are known up front, so is the place of every row, and files have
//! their final length from the start. [`BankWriter`] commits whole images:
//! rows first, then the manifest by an atomic rename. What lies behind the last
//! commit does not exist for a reader, and is written again on resuming.
//!
//! A bank may be one of several parts ([`PartFacts`]): it has a run of the images of a whole, and [`PartBanks`] lays them end to end.
//!
//! A bank may lie in Lance instead, on a folder or an object store (`lance`, an optional feature): [`RowSource`] is what
//! reads, scans and proposes rows there, [`BankOutput`] what writes them, here as there.
//!
//! [`Bank`] reads both such a folder, memory-mapped, and a [`MemoryBank`] that grows
//! while it is searched; it is a snapshot that is cheap to clone.

mod addresses;
mod cache;
mod export;
mod far;
mod images;
mod import;
#[cfg(feature = "lance")]
mod lance;
mod layout;
mod manifest;
mod memory;
mod merge;
mod newest;
mod output;
mod part;
mod pixels;
mod place;
mod rehash;
mod rows;
mod skipped;
mod spec;
mod store;
mod sums;
mod uri;
mod writer;
mod written;

#[cfg(test)]
mod tests;

pub use cache::{CacheUse, VectorCache};
pub use export::{Exported, IndexFormat, VectorFormat, export_index, export_vectors};
pub use far::{FarBlock, FarIndex, RowSource};
pub use import::{PatchTable, TableImage, TableRow, VectorFile, VectorPlace};
pub use layout::ImageEntry;
pub use manifest::SkippedImage;
pub use memory::MemoryBank;
pub use merge::PartBanks;
pub use output::BankOutput;
pub use part::{PartFacts, PartNumber};
pub use pixels::PixelHash;
pub use place::{create_or_resume, merge_far, open_bank, read_beside, write_beside};
pub use rehash::write_hashes;
pub use rows::{OwnedValues, Piece, Values};
pub use spec::{BankSpec, DataFacts, Dtype, ModelFacts, SpaceSpec};
pub use store::{Bank, BankId, StoredSpace};
pub use sums::DamagedRows;
pub use uri::lies_far;
pub use writer::BankWriter;

/// Takes the embeddings of a data set, image by image, in order: a bank on disk or in memory.
pub trait BankSink {
    /// Place in the bank of the image that is expected next; equal to the number of images when all are in.
    fn next_image(&self) -> usize;

    /// Adds the image in place `index`, which must be [`Self::next_image`]. `rows` names every space of the
    /// bank once, in any order, with its values `[patches of the image, width]`, row-major. `pixels` tells exact
    /// copies of it; without, it is taken for a copy of none.
    ///
    /// A row with a NaN or an infinity is kept but takes no part in searches.
    ///
    /// # Errors
    /// Wrong index, missing or unknown space, wrong number of values, a value too large for
    /// float16, or a failed write. The bank then still expects the same image.
    fn push_hashed(
        &mut self,
        index: usize,
        pixels: Option<PixelHash>,
        rows: &[(&str, &[f32])],
    ) -> anyhow::Result<()>;

    /// As [`Self::push_hashed`], of an image whose pixels are not known.
    ///
    /// # Errors
    /// As [`Self::push_hashed`].
    fn push_image(&mut self, index: usize, rows: &[(&str, &[f32])]) -> anyhow::Result<()> {
        self.push_hashed(index, None, rows)
    }

    /// Records that the image in place `index` could not be used, and why. Its rows are NaN and take no part in searches.
    ///
    /// # Errors
    /// Wrong index, or a failed write.
    fn push_skipped(&mut self, index: usize, reason: &str) -> anyhow::Result<()>;
}
