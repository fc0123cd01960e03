//! The writing side of a bank on disk: whole images, committed now and then, resumable after any kill.

use super::BankSink;
use super::layout::{ImageEntry, Layout};
use super::manifest::{Manifest, SkippedImage, images_path, manifest_path, write_images};
use super::pixels::{PixelHash, damaged_records, pixels_bytes, pixels_path};
use super::rows::{ImageEncoder, MappedRows, Piece, RowBuffer, row_files};
use super::spec::BankSpec;
use super::store::{Bank, StoredSpace};
use super::sums::{DamagedRows, sums_bytes, sums_path};
use super::written::{WrittenFile, write_hash, write_image};
use crate::files::{self, FolderLock, LOCK_FILE, is_leftover};
use crate::progress::CancelToken;
use crate::words::first_lines;
use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A kill loses at most the work of so long.
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// Earlier versions of the program left this in a bank's folder.
const EARLIER_LOCK_FILE: &str = "writer.lock";

/// Writes a bank image by image. What is pushed becomes visible with the next commit: by itself
/// every five seconds, at [`BankWriter::commit`], and at [`BankWriter::finish`]. One writer per bank.
#[derive(Debug)]
pub struct BankWriter {
    folder: PathBuf,
    layout: Layout,
    manifest: Manifest,
    encoder: ImageEncoder,
    /// Two files per space, in the order of [`row_files`].
    files: Vec<WrittenFile>,
    /// File of the sums, where the bank has them.
    sums: Option<WrittenFile>,
    /// File of the hashes of pixels, where the bank has them.
    hashes: Option<WrittenFile>,
    next_image: usize,
    /// Committed images whose rows are not what was written, then those that an earlier run could not read: they
    /// come before the next image.
    damaged: VecDeque<usize>,
    unread: VecDeque<usize>,
    /// Whether the manifest says more than the file that holds it, whatever the number of images.
    has_news: bool,
    last_commit: Instant,
    /// Held until the writer is dropped.
    _lock: FolderLock,
}

impl BankWriter {
    /// Starts a bank in `folder` (made if missing), or continues the one that is there. Returns
    /// the writer and how many images are in already; the next to push is the one after them.
    ///
    /// Files get their final length ([`BankSpec::bytes`]) at once, without taking the disk yet.
    ///
    /// # Errors
    /// The bank there was made otherwise (every difference is named), it is damaged, another
    /// process writes it, or the folder holds something else. Cancelled: the rows that are there are all looked at.
    pub fn create_or_resume(
        folder: &Path,
        spec: &BankSpec,
        images: &[ImageEntry],
        cancel: &CancelToken,
    ) -> Result<(Self, usize)> {
        spec.validate()?;
        let layout = Layout::new(spec.grid, images.to_vec())?;
        let exists = manifest_path(folder).is_file();
        if !exists {
            check_nothing_else(folder, spec, &layout)?;
        }
        let lock = FolderLock::take(folder)?;
        remove_earlier_lock(folder)?;
        // Another process may have made it while we came.
        let exists = manifest_path(folder).is_file();
        let manifest = if exists { resume(folder, spec, images)? } else { create(folder, spec, &layout)? };
        files::sweep(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let rows = row_files(folder, spec, layout.patches()).into_iter();
        let files = rows.map(|(path, length)| WrittenFile::open(path, length)).collect::<Result<_>>()?;
        let sums = (sums_path(folder), sums_bytes(&layout, spec.spaces.len()));
        let pixels = (pixels_path(folder), pixels_bytes(&layout));
        let resumed = manifest.complete_images as usize;
        let unread = unread_images(&manifest, &layout);
        let mut damaged = damaged_images(folder, &manifest, &layout, cancel)?;
        damaged.retain(|image| unread.binary_search(image).is_err());
        let writer = Self {
            sums: manifest.sums.then(|| WrittenFile::open(sums.0, sums.1)).transpose()?,
            hashes: manifest.pixels.then(|| WrittenFile::open(pixels.0, pixels.1)).transpose()?,
            damaged,
            unread,
            has_news: false,
            folder: folder.to_path_buf(),
            encoder: ImageEncoder::new(spec),
            layout,
            manifest,
            files,
            next_image: resumed,
            last_commit: Instant::now(),
            _lock: lock,
        };
        Ok((writer, resumed))
    }

    /// Committed images of which some rows are not what was written, found when the bank was opened to be
    /// continued: they are to be pushed again, in this order, before the next image.
    pub fn damaged(&self) -> impl ExactSizeIterator<Item = usize> {
        self.damaged.iter().copied()
    }

    /// Committed images that an earlier version of the program left out because their files could not be read then:
    /// they are to be pushed again, in this order, after the damaged ones.
    pub fn unread(&self) -> impl ExactSizeIterator<Item = usize> {
        self.unread.iter().copied()
    }

    /// Images in all.
    pub fn total_images(&self) -> usize {
        self.layout.images().len()
    }

    /// Rows of the images that are written, committed or not; none while some of them are to be pushed again.
    pub fn written_patches(&self) -> usize {
        let is_whole = self.damaged.is_empty() && self.unread.is_empty();
        if is_whole { self.layout.rows_before(self.next_image) } else { 0 }
    }

    /// Makes everything pushed so far last: rows first, then the manifest that says so.
    pub fn commit(&mut self) -> Result<()> {
        self.last_commit = Instant::now();
        // Also where no image is new: some may have been pushed again.
        self.files.iter().chain(&self.sums).chain(&self.hashes).try_for_each(WrittenFile::sync)?;
        if self.manifest.complete_images == self.next_image as u64 && !self.has_news {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.manifest.complete_images, self.next_image as u64);
        let written = self.manifest.write(&self.folder);
        match &written {
            Ok(()) => self.has_news = false,
            Err(_) => self.manifest.complete_images = before,
        }
        written
    }

    /// Commits the last images and opens the finished bank.
    ///
    /// # Errors
    /// Images are missing, or the write failed.
    pub fn finish(mut self) -> Result<Bank> {
        self.commit()?;
        let again = self.damaged.len() + self.unread.len();
        ensure!(again == 0, "{again} images of {} were not pushed again", self.folder.display());
        let (done, total) = (self.next_image, self.total_images());
        ensure!(
            done == total,
            "{} holds {done} of {total} images; push the rest first",
            self.folder.display()
        );
        Bank::open(&self.folder)
    }

    /// Copies the image in place `index` from `part`, a whole bank on disk of the same spaces and format, where it lies
    /// in `place`: its rows, norms and sums come out byte for byte the same.
    ///
    /// # Errors
    /// Wrong index, damage to the part ([`DamagedRows`]), or a failed write. The bank then still expects the same image.
    pub(super) fn push_from(
        &mut self,
        index: usize,
        part: &Bank,
        place: usize,
        pixels: Option<PixelHash>,
    ) -> Result<()> {
        let count = self.prepare(index)?;
        let image = self.layout.images()[index].index;
        if let Some(skipped) = part.skipped_at(place) {
            return self.push_skipped(index, &skipped.reason);
        }
        if self.stays_skipped(image) {
            return self.push_skipped(index, "");
        }
        let rows = part.rows_of_image(image as usize)?;
        ensure!(rows.len() == count, "image {image} has {} rows in a part; expected {count}", rows.len());
        let spaces = part.stored_spaces();
        // Rows on disk lie side by side: one piece for each space, and none where the image has no patches.
        let mut pieces = vec![];
        for space in &spaces {
            space.check(rows.clone())?;
            pieces.extend(space.pieces(rows.clone()));
        }
        write_image(
            &mut self.files,
            self.sums.as_mut(),
            (&self.manifest.spec, &self.layout),
            index,
            &pieces,
        )?;
        let searchable: Vec<u64> = pieces.iter().map(Piece::searchable).collect();
        spaces.iter().try_for_each(StoredSpace::check_length)?;
        write_hash(self.hashes.as_mut(), index, pixels)?;
        self.count(image, &searchable);
        Ok(())
    }

    /// Notes that `image` was written, the one that was expected, with so many rows in each space that can be searched.
    fn count(&mut self, image: u32, searchable: &[u64]) {
        if self.damaged.pop_front().is_some() {
            return;
        }
        let Self { manifest, .. } = self;
        for (space, rows) in manifest.spec.spaces.iter().zip(searchable) {
            *manifest.searchable.entry(space.name.clone()).or_default() += rows;
        }
        match self.unread.pop_front() {
            Some(_) => {
                manifest.skipped.retain(|skipped| skipped.image != image);
                self.has_news = true;
            }
            None => self.next_image += 1,
        }
    }

    /// Whether `image` is to be repaired as one that was left out: it is there by now, but the manifest says so.
    fn stays_skipped(&self, image: u32) -> bool {
        !self.damaged.is_empty() && self.is_skipped(image)
    }

    /// Whether the image with index `image` was left out.
    fn is_skipped(&self, image: u32) -> bool {
        self.manifest.skipped.iter().any(|skipped| skipped.image == image)
    }

    /// Number of rows of the image in place `index`, if it is the one to come. Commits what is in when it is time.
    fn prepare(&mut self, index: usize) -> Result<usize> {
        let count = self.layout.expect(index, self.next_image())?;
        if self.last_commit.elapsed() >= COMMIT_EVERY {
            self.commit()?;
        }
        Ok(count)
    }
}

impl BankSink for BankWriter {
    fn next_image(&self) -> usize {
        self.damaged.front().or(self.unread.front()).copied().unwrap_or(self.next_image)
    }

    fn push_hashed(
        &mut self,
        index: usize,
        pixels: Option<PixelHash>,
        rows: &[(&str, &[f32])],
    ) -> Result<()> {
        let count = self.prepare(index)?;
        let image = self.layout.images()[index].index;
        if self.stays_skipped(image) {
            return self.push_skipped(index, "");
        }
        let Self { layout, manifest, encoder, files, sums, hashes, .. } = self;
        let spec = &manifest.spec;
        let buffers =
            encoder.encode(spec, count, rows).with_context(|| format!("image {image} of the bank"))?;
        let pieces: Vec<Piece<'_>> = buffers.iter().map(RowBuffer::piece).collect();
        write_image(files, sums.as_mut(), (spec, layout), index, &pieces)?;
        write_hash(hashes.as_mut(), index, pixels)?;
        let searchable: Vec<u64> = pieces.iter().map(Piece::searchable).collect();
        self.count(image, &searchable);
        Ok(())
    }

    fn push_skipped(&mut self, index: usize, reason: &str) -> Result<()> {
        let count = self.prepare(index)?;
        let image = self.layout.images()[index].index;
        let is_damaged = !self.damaged.is_empty();
        ensure!(
            self.is_skipped(image) || !is_damaged,
            "image {image} of {} is damaged there and cannot be computed again: {reason}",
            self.folder.display()
        );
        let Self { layout, manifest, encoder, files, sums, hashes, .. } = self;
        let buffers = encoder.encode_skipped(&manifest.spec, count)?;
        let pieces: Vec<Piece<'_>> = buffers.iter().map(RowBuffer::piece).collect();
        write_image(files, sums.as_mut(), (&manifest.spec, layout), index, &pieces)?;
        write_hash(hashes.as_mut(), index, None)?;
        if self.damaged.pop_front().is_some() {
            return Ok(());
        }
        if self.unread.pop_front().is_some() {
            let known = manifest.skipped.iter_mut().find(|skipped| skipped.image == image);
            known.into_iter().for_each(|known| known.reason = reason.into());
            self.has_news = true;
        } else {
            manifest.skipped.push(SkippedImage { image, reason: reason.into() });
            self.next_image += 1;
        }
        Ok(())
    }
}

/// Committed images that were left out because of an error of reading, upwards.
fn unread_images(manifest: &Manifest, layout: &Layout) -> VecDeque<usize> {
    let skipped = manifest.skipped.iter().filter(|skipped| files::tells_of_read_error(&skipped.reason));
    skipped.filter_map(|skipped| layout.place_of(skipped.image as usize)).collect()
}

/// Committed images with a block or a hash that has not its sum, upwards. Reads all that is committed.
fn damaged_images(
    folder: &Path,
    manifest: &Manifest,
    layout: &Layout,
    cancel: &CancelToken,
) -> Result<VecDeque<usize>> {
    let spaces = MappedRows::open_all(folder, &manifest.spec, layout, manifest.sums)?;
    let hashes =
        if manifest.pixels { damaged_records(folder, manifest.complete_images as usize)? } else { vec![] };
    let images = (0..manifest.complete_images as usize).into_par_iter();
    let damaged = images.filter_map(|image| {
        if let Err(cancelled) = cancel.check() {
            return Some(Err(cancelled.into()));
        }
        let rows = layout.rows_of(image);
        let Some(wrong) = spaces.iter().find_map(|space| space.check_sums(layout, rows.clone()).err()) else {
            return hashes.binary_search(&image).is_ok().then_some(Ok((image, None)));
        };
        if !wrong.is::<DamagedRows>() {
            return Some(Err(wrong));
        }
        Some(Ok((image, Some(wrong))))
    });
    let damaged = damaged.collect::<Result<Vec<(usize, Option<anyhow::Error>)>>>()?;
    let wrong: Vec<&anyhow::Error> = damaged.iter().filter_map(|(_, wrong)| wrong.as_ref()).collect();
    for line in first_lines(&wrong, |wrong| format!("{wrong:#}"), "all of them are embedded again") {
        log::warn!("{line}");
    }
    Ok(damaged.into_iter().map(|(image, _)| image).collect())
}

fn remove_earlier_lock(folder: &Path) -> Result<()> {
    let path = folder.join(EARLIER_LOCK_FILE);
    let is_there = path.is_file();
    if is_there {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    } else {
        Ok(())
    }
}

/// Reads the manifest of the bank that is there and refuses to mix it with another.
fn resume(folder: &Path, spec: &BankSpec, images: &[ImageEntry]) -> Result<Manifest> {
    let (manifest, layout) = Manifest::read(folder)?;
    let mut differences = manifest.spec.differences(spec);
    if differences.is_empty() {
        differences.extend(layout.difference(images));
    }
    if !differences.is_empty() {
        bail!(
            "the bank {} was made otherwise and cannot be continued; {}. Choose another folder, or remove this one",
            folder.display(),
            differences.join("; ")
        );
    }
    Ok(manifest)
}

/// Makes all files; the manifest comes last, and with it the folder is a bank.
fn create(folder: &Path, spec: &BankSpec, layout: &Layout) -> Result<Manifest> {
    write_images(folder, layout.images())?;
    let manifest = Manifest::empty(spec, layout);
    for (path, bytes) in
        row_files(folder, spec, layout.patches()).into_iter().chain(manifest.beside(folder, layout))
    {
        files::open_with(&path, OpenOptions::new().write(true).create(true).truncate(true))
            .and_then(|file| file.set_len(bytes).and_then(|()| file.sync_all()))
            .with_context(|| format!("cannot make {} of {bytes} bytes", path.display()))?;
    }
    manifest.write(folder)?;
    Ok(manifest)
}

/// A folder without a manifest may hold what a killed start of this very bank left, and nothing else.
fn check_nothing_else(folder: &Path, spec: &BankSpec, layout: &Layout) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let mut ours: Vec<PathBuf> =
        row_files(folder, spec, layout.patches()).into_iter().map(|(path, _)| path).collect();
    ours.extend([
        images_path(folder),
        sums_path(folder),
        pixels_path(folder),
        folder.join(LOCK_FILE),
        folder.join(EARLIER_LOCK_FILE),
    ]);
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot use {} as a bank", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        ensure!(
            ours.contains(&path) || is_leftover(&path),
            "{} holds {}, but no bank; choose a new or empty folder",
            folder.display(),
            path.file_name().unwrap_or_default().display()
        );
    }
    Ok(())
}
