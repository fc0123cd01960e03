//! The writing side of a bank on disk: whole images, committed now and then, resumable after any kill.

use super::BankSink;
use super::layout::{ImageEntry, Layout};
use super::manifest::{Manifest, SkippedImage, images_path, manifest_path, write_images};
use super::rows::{ImageEncoder, RowBuffer, row_files};
use super::spec::BankSpec;
use super::store::Bank;
use crate::files::is_leftover;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A kill loses at most the work of so long.
const COMMIT_EVERY: Duration = Duration::from_secs(5);
const LOCK_FILE: &str = "writer.lock";

/// Writes a bank image by image. What is pushed becomes visible with the next commit: by itself
/// every five seconds, at [`BankWriter::commit`], and at [`BankWriter::finish`]. One writer per bank.
#[derive(Debug)]
pub struct BankWriter {
    folder: PathBuf,
    layout: Layout,
    manifest: Manifest,
    encoder: ImageEncoder,
    /// Two files per space, in the order of [`row_files`].
    files: Vec<(PathBuf, File)>,
    next_image: usize,
    last_commit: Instant,
    /// Held until the writer is dropped.
    _lock: File,
}

impl BankWriter {
    /// Starts a bank in `folder` (made if missing), or continues the one that is there. Returns
    /// the writer and how many images are in already; the next to push is the one after them.
    ///
    /// Files get their final length ([`BankSpec::bytes`]) at once, without taking the disk yet.
    ///
    /// # Errors
    /// The bank there was made otherwise (every difference is named), it is damaged, another
    /// process writes it, or the folder holds something else.
    pub fn create_or_resume(folder: &Path, spec: &BankSpec, images: &[ImageEntry]) -> Result<(Self, usize)> {
        spec.validate()?;
        let layout = Layout::new(spec.grid, images.to_vec())?;
        let exists = manifest_path(folder).is_file();
        if !exists {
            check_nothing_else(folder, spec, &layout)?;
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let lock = lock(folder)?;
        let manifest = if exists { resume(folder, spec, images)? } else { create(folder, spec, &layout)? };
        remove_leftovers(folder)?;
        let open = |(path, _): (PathBuf, u64)| {
            let file = OpenOptions::new().write(true).open(&path);
            let file = file.with_context(|| format!("cannot write to {}", path.display()))?;
            Ok((path, file))
        };
        let files = row_files(folder, spec, layout.patches()).into_iter().map(open).collect::<Result<_>>()?;
        let resumed = manifest.complete_images as usize;
        let writer = Self {
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

    /// Images in all.
    pub fn total_images(&self) -> usize {
        self.layout.images().len()
    }

    /// Makes everything pushed so far last: rows first, then the manifest that says so.
    pub fn commit(&mut self) -> Result<()> {
        self.last_commit = Instant::now();
        if self.manifest.complete_images == self.next_image as u64 {
            return Ok(());
        }
        for (path, file) in &self.files {
            file.sync_data().with_context(|| format!("cannot write to {}", path.display()))?;
        }
        let before = std::mem::replace(&mut self.manifest.complete_images, self.next_image as u64);
        let written = self.manifest.write(&self.folder);
        if written.is_err() {
            self.manifest.complete_images = before;
        }
        written
    }

    /// Commits the last images and opens the finished bank.
    ///
    /// # Errors
    /// Images are missing, or the write failed.
    pub fn finish(mut self) -> Result<Bank> {
        self.commit()?;
        let (done, total) = (self.next_image, self.total_images());
        ensure!(
            done == total,
            "{} holds {done} of {total} images; push the rest first",
            self.folder.display()
        );
        Bank::open(&self.folder)
    }

    /// Number of rows of image `index`, if it is the one to come. Commits what is in when it is time.
    fn prepare(&mut self, index: usize) -> Result<usize> {
        ensure!(
            index == self.next_image && index < self.total_images(),
            "image {index} was given, image {} of {} comes next",
            self.next_image,
            self.total_images()
        );
        if self.last_commit.elapsed() >= COMMIT_EVERY {
            self.commit()?;
        }
        Ok(self.layout.rows_of(index).len())
    }
}

impl BankSink for BankWriter {
    fn next_image(&self) -> usize {
        self.next_image
    }

    fn push_image(&mut self, index: usize, rows: &[(&str, &[f32])]) -> Result<()> {
        let count = self.prepare(index)?;
        let spec = &self.manifest.spec;
        let buffers =
            self.encoder.encode(spec, count, rows).with_context(|| format!("image {index} of the bank"))?;
        write_rows(&mut self.files, buffers, self.layout.rows_before(index))?;
        for (space, buffer) in spec.spaces.iter().zip(buffers) {
            *self.manifest.searchable.entry(space.name.clone()).or_default() += buffer.searchable();
        }
        self.next_image += 1;
        Ok(())
    }

    fn push_skipped(&mut self, index: usize, reason: &str) -> Result<()> {
        let count = self.prepare(index)?;
        let buffers = self.encoder.encode_skipped(&self.manifest.spec, count)?;
        write_rows(&mut self.files, buffers, self.layout.rows_before(index))?;
        let image = self.layout.images()[index].index;
        self.manifest.skipped.push(SkippedImage { image, reason: reason.into() });
        self.next_image += 1;
        Ok(())
    }
}

/// Writes the rows of one image at their place, so that a write that failed can be repeated.
fn write_rows(files: &mut [(PathBuf, File)], buffers: &[RowBuffer], first_row: usize) -> Result<()> {
    for (buffer, pair) in buffers.iter().zip(files.chunks_exact_mut(2)) {
        let parts = [buffer.value_bytes(), bytemuck::cast_slice(&buffer.inv_norms)];
        for ((path, file), bytes) in pair.iter_mut().zip(parts) {
            let per_row = bytes.len().checked_div(buffer.rows()).unwrap_or(0);
            file.seek(SeekFrom::Start(first_row as u64 * per_row as u64))
                .and_then(|_| file.write_all(bytes))
                .with_context(|| format!("cannot write to {}; is the disk full?", path.display()))?;
        }
    }
    Ok(())
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
    for (path, bytes) in row_files(folder, spec, layout.patches()) {
        File::create(&path)
            .and_then(|file| file.set_len(bytes).and_then(|()| file.sync_all()))
            .with_context(|| format!("cannot make {} of {bytes} bytes", path.display()))?;
    }
    let manifest = Manifest::empty(spec, layout);
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
    ours.extend([images_path(folder), folder.join(LOCK_FILE)]);
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

const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK_FILE);
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    // A child process that is just being started holds copies of our files for a moment.
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => {
                // Some network file systems know no locks; then two writers are the user's care.
                log::warn!("cannot lock {}: {error}", path.display());
                return Ok(file);
            }
        }
    }
    bail!("another process is writing the bank {}", folder.display())
}

fn remove_leftovers(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if is_leftover(&path) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
