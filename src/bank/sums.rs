//! A sum over every block of stored rows, so that a damaged one is found before it counts: CRC-32C of its values
//! and then its norms as they lie in the files.

use super::layout::Layout;
use crate::files;
use anyhow::{Context, Result};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Stored bytes are not those that were written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is damaged in rows {} to {} (image {image}): their sum is {found:08x}, written down is {expected:08x}. \
     The command that made the bank (bagssl embed) computes them again",
    path.display(), rows.start, rows.end - 1
)]
pub struct DamagedRows {
    /// File of the values; those of the norms beside it may be what is damaged.
    pub path: PathBuf,
    /// Rows of the block.
    pub rows: Range<usize>,
    /// Index of their image.
    pub image: usize,
    found: u32,
    expected: u32,
}

/// File of the sums: u32, little endian, `[blocks, spaces]`.
pub(super) fn sums_path(folder: &Path) -> PathBuf {
    folder.join("sums.crc32c")
}

/// Length of that file, bytes.
pub(super) fn sums_bytes(layout: &Layout, spaces: usize) -> u64 {
    4 * layout.blocks() as u64 * spaces as u64
}

/// The sum of rows that lie side by side, of their values and their norms as they lie in the files.
pub(super) fn sum_of(values: &[u8], inv_norms: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(values), inv_norms)
}

/// The sums of one space, and which blocks were found to have theirs.
#[derive(Debug)]
pub(super) struct SpaceSums {
    sums: Vec<u32>,
    /// A bit for each block.
    good: Vec<AtomicU64>,
    /// Blocks whose bit is not set.
    unseen: AtomicUsize,
}

impl SpaceSums {
    /// Reads the sums of each of `spaces` spaces.
    pub fn read(folder: &Path, spaces: usize, layout: &Layout) -> Result<Vec<Self>> {
        let path = sums_path(folder);
        let bytes = files::read(&path, sums_bytes(layout, spaces))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let sums: Vec<u32> = bytes.as_chunks().0.iter().map(|sum| u32::from_le_bytes(*sum)).collect();
        let of_space = |space: usize| Self {
            sums: sums.iter().skip(space).step_by(spaces).copied().collect(),
            good: (0..layout.blocks().div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            unseen: AtomicUsize::new(layout.blocks()),
        };
        Ok((0..spaces).map(of_space).collect())
    }

    /// Takes those blocks for looked at that were in `before`, which has as many.
    pub fn take_over(&self, before: &Self) {
        for (word, before) in self.good.iter().zip(&before.good) {
            let bits = before.load(Ordering::Relaxed);
            let known = word.fetch_or(bits, Ordering::Relaxed);
            self.unseen.fetch_sub((bits & !known).count_ones() as usize, Ordering::Relaxed);
        }
    }

    /// Looks at the blocks that hold `rows` and were not looked at before. `sum` gives the sum of rows.
    pub fn check(
        &self,
        layout: &Layout,
        rows: Range<usize>,
        path: &Path,
        sum: impl Fn(Range<usize>) -> u32,
    ) -> Result<()> {
        if rows.is_empty() || self.unseen.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        for block in layout.block_of(rows.start)..=layout.block_of(rows.end - 1) {
            let (word, bit) = (&self.good[block / 64], 1 << (block % 64));
            if word.load(Ordering::Relaxed) & bit != 0 {
                continue;
            }
            let rows = layout.rows_of_block(block);
            let (found, expected) = (sum(rows.clone()), self.sums[block]);
            if found != expected {
                let image = layout.images()[layout.place_of_row(rows.start)].index as usize;
                return Err(DamagedRows { path: path.into(), rows, image, found, expected }.into());
            }
            if word.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
                self.unseen.fetch_sub(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}
