//! Which images of a bank are exact copies of one another, by hashes of their pixels.
//!
//! `pixels.bin` holds a record of 20 bytes for each image, in the bank's order: a [`PixelHash`] (zeros where there is
//! none, as of a skipped image) and its CRC-32C, u32, little endian. Earlier versions of the program wrote no such file.

use super::layout::Layout;
use crate::files;
use crate::image::Image;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Bytes of a hash.
const HASH: usize = 16;
/// Bytes of a record.
const RECORD: usize = HASH + 4;

/// Which pixels an image has: the first 16 bytes of the SHA-256 of its width and height (u32, little endian) and its
/// pixels as they are used, decoded as the data set's settings say. Images with equal hashes are exact copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PixelHash([u8; HASH]);

impl PixelHash {
    /// The hash of `image`.
    pub fn of(image: &Image) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(image.width().to_le_bytes());
        hasher.update(image.height().to_le_bytes());
        hasher.update(image.rgb());
        let mut hash = [0; HASH];
        hash.copy_from_slice(&hasher.finalize()[..HASH]);
        Self(hash)
    }
}

/// Finds copies while images come, in the bank's order.
#[derive(Clone, Debug, Default)]
pub(super) struct CopyFinder {
    seen: HashMap<PixelHash, u32>,
    /// By place: the first one with the same pixels.
    pub firsts: Arc<Vec<u32>>,
    /// Images that are copies of an earlier one.
    pub copies: usize,
}

impl CopyFinder {
    /// The hash of each image, in their order; `None` where it has none.
    pub fn hashes(&self) -> Vec<Option<PixelHash>> {
        let by_place: HashMap<u32, PixelHash> =
            self.seen.iter().map(|(hash, place)| (*place, *hash)).collect();
        self.firsts.iter().map(|first| by_place.get(first).copied()).collect()
    }

    /// Takes the next image; without a hash it is a copy of none.
    pub fn push(&mut self, hash: Option<PixelHash>) {
        let place = self.firsts.len() as u32;
        let first = hash.map_or(place, |hash| *self.seen.entry(hash).or_insert(place));
        self.copies += usize::from(first != place);
        Arc::make_mut(&mut self.firsts).push(first);
    }
}

/// What a bank knows of copies: for each place the first one with the same pixels.
#[derive(Clone, Debug)]
pub(super) enum KnownCopies {
    /// Of a bank in memory.
    Here(Arc<Vec<u32>>),
    /// In the folder, of the first `images` images; read when it is first asked for.
    OnDisk { images: usize, firsts: Arc<OnceLock<Arc<Vec<u32>>>> },
    /// An earlier version made the bank.
    Unknown,
}

impl KnownCopies {
    /// In the folder of a bank with `images` committed images, if it `has_hashes`.
    pub fn on_disk(images: usize, has_hashes: bool) -> Self {
        if has_hashes { Self::OnDisk { images, firsts: Arc::default() } } else { Self::Unknown }
    }

    /// For each place the first one with the same pixels. `folder` is that of a bank on disk.
    pub fn firsts(&self, folder: Option<&Path>) -> Result<Arc<Vec<u32>>> {
        let folder = folder.unwrap_or(Path::new("the bank"));
        match self {
            Self::Here(firsts) => Ok(firsts.clone()),
            Self::OnDisk { images, firsts } => {
                if let Some(known) = firsts.get() {
                    return Ok(known.clone());
                }
                let found = read_firsts(folder, *images)?;
                Ok(firsts.get_or_init(|| found).clone())
            }
            Self::Unknown => anyhow::bail!(
                "{0} has no hashes of its images' pixels, by which copies are found: an earlier version made it. \
                 `bagssl bank hash {0}` adds them; it reads the images and embeds nothing",
                folder.display()
            ),
        }
    }
}

fn read_firsts(folder: &Path, images: usize) -> Result<Arc<Vec<u32>>> {
    let mut finder = CopyFinder::default();
    read_hashes(folder, images)?.into_iter().for_each(|hash| finder.push(hash));
    Ok(finder.firsts)
}

/// For each of the first `images` images the first one with the same pixels, by the records in `bytes`, those of `path`.
#[cfg(feature = "lance")]
pub(super) fn firsts_in(bytes: &[u8], path: &Path, images: usize) -> Result<Arc<Vec<u32>>> {
    let mut finder = CopyFinder::default();
    for (place, record) in bytes.as_chunks().0.iter().take(images).enumerate() {
        let hash =
            hash_in(record).with_context(|| format!("{} is damaged in place {place}", path.display()))?;
        finder.push(hash);
    }
    anyhow::ensure!(
        finder.firsts.len() == images,
        "{} has hashes of {} images; expected {images}",
        path.display(),
        finder.firsts.len()
    );
    Ok(finder.firsts)
}

/// The hashes of the first `images` images of the bank in `folder`.
pub(super) fn read_hashes(folder: &Path, images: usize) -> Result<Vec<Option<PixelHash>>> {
    let hash = |(place, record)| {
        hash_in(record).with_context(|| {
            format!(
                "{} is damaged in place {place}: its sum is not the one written down. `bagssl bank hash {}` \
                 computes it again",
                pixels_path(folder).display(),
                folder.display()
            )
        })
    };
    let records = read_records(folder)?;
    anyhow::ensure!(
        records.len() >= images,
        "{} has hashes of {} images; expected {images}: it was cut. `bagssl bank hash {}` computes them again",
        pixels_path(folder).display(),
        records.len(),
        folder.display()
    );
    records.iter().take(images).enumerate().map(hash).collect()
}

/// File of the hashes.
pub(super) fn pixels_path(folder: &Path) -> PathBuf {
    folder.join("pixels.bin")
}

/// Length of that file, bytes.
pub(super) fn pixels_bytes(layout: &Layout) -> u64 {
    RECORD as u64 * layout.images().len() as u64
}

/// What the records of `images` images take, bytes.
#[cfg(feature = "lance")]
pub(super) fn hashes_bytes(images: usize) -> usize {
    RECORD * images
}

/// Where the record of the image in `place` begins, and the record.
pub(super) fn record(place: usize, hash: Option<PixelHash>) -> (u64, [u8; RECORD]) {
    let hash = hash.map_or([0; HASH], |hash| hash.0);
    let mut record = [0; RECORD];
    record[..HASH].copy_from_slice(&hash);
    record[HASH..].copy_from_slice(&crc32c::crc32c(&hash).to_le_bytes());
    ((RECORD * place) as u64, record)
}

/// The hash in a record, if it has one; `None` where the record is damaged.
fn hash_in(record: &[u8; RECORD]) -> Option<Option<PixelHash>> {
    let (hash, sum) = record.split_first_chunk::<HASH>()?;
    let is_whole = crc32c::crc32c(hash).to_le_bytes() == sum;
    is_whole.then(|| Some(PixelHash(*hash)).filter(|hash| hash.0 != [0; HASH]))
}

/// All records of the bank in `folder`, of which the length has been seen.
fn read_records(folder: &Path) -> Result<Vec<[u8; RECORD]>> {
    let path = pixels_path(folder);
    let most = RECORD as u64 * u64::from(u32::MAX);
    let bytes = files::read(&path, most).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes.as_chunks().0.to_vec())
}

/// Of the first `images` images, the places whose record is damaged.
pub(super) fn damaged_records(folder: &Path, images: usize) -> Result<Vec<usize>> {
    let records = read_records(folder)?;
    // What was cut off since is damaged too.
    let is_damaged = |place: &usize| records.get(*place).is_none_or(|record| hash_in(record).is_none());
    Ok((0..images).filter(is_damaged).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_that_were_cut_off_are_told_and_computed_again() {
        let folder = tempfile::tempdir().unwrap();
        let records = [0, 1].map(|place| record(place, Some(PixelHash([7; HASH]))).1);
        std::fs::write(pixels_path(folder.path()), records.concat()).unwrap();
        assert_eq!(read_firsts(folder.path(), 2).unwrap()[..], [0, 0]);
        let error = read_firsts(folder.path(), 3).unwrap_err().to_string();
        assert!(error.contains("2 images; expected 3") && error.contains("bagssl bank hash"), "{error}");
        assert_eq!(damaged_records(folder.path(), 4).unwrap(), [2, 3]);
    }
}
