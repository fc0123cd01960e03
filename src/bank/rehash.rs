//! Hashes of pixels for a bank that was made without, or whose hashes are damaged.

use super::manifest::Manifest;
use super::pixels::{PixelHash, pixels_path, record};
use crate::files::{FolderLock, write_atomic};
use anyhow::{Result, ensure};
use std::path::Path;

/// Gives the bank in `folder` the hashes of its committed images, in its order; those it has are replaced.
///
/// # Errors
/// No bank there, another process writes it, it has grown meanwhile, or the write failed.
pub fn write_hashes(folder: &Path, hashes: &[Option<PixelHash>]) -> Result<()> {
    let _lock = FolderLock::take(folder)?;
    let (mut manifest, layout) = Manifest::read(folder)?;
    ensure!(
        manifest.complete_images == hashes.len() as u64,
        "{} has {} images by now, and had {} when their pixels were read; run the same again",
        folder.display(),
        manifest.complete_images,
        hashes.len()
    );
    let later = std::iter::repeat_n(None, layout.images().len() - hashes.len());
    let records = hashes.iter().copied().chain(later).enumerate();
    let bytes: Vec<u8> = records.flat_map(|(place, hash)| record(place, hash).1).collect();
    write_atomic(&pixels_path(folder), |out| out.write_all(&bytes).map_err(Into::into))?;
    if !manifest.pixels {
        manifest.pixels = true;
        manifest.write(folder)?;
    }
    Ok(())
}
