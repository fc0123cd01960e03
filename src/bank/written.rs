//! The files of a bank while it is written: rows, sums and hashes, each at its place.

use super::layout::Layout;
use super::pixels::{PixelHash, record};
use super::rows::Piece;
use super::spec::BankSpec;
use crate::files;
use anyhow::{Context, Result, ensure};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Writes the rows of one image, a piece for each space, and their sums at their place, so that a write that failed can be repeated.
pub(super) fn write_image(
    files: &mut [WrittenFile],
    sums: Option<&mut WrittenFile>,
    (spec, layout): (&BankSpec, &Layout),
    image: usize,
    pieces: &[Piece<'_>],
) -> Result<()> {
    for (piece, pair) in pieces.iter().zip(files.chunks_exact_mut(2)) {
        let parts = [piece.values.bytes(), bytemuck::cast_slice(piece.inv_norms)];
        for (file, bytes) in pair.iter_mut().zip(parts) {
            let per_row = bytes.len().checked_div(piece.inv_norms.len()).unwrap_or(0);
            file.write_at(layout.rows_before(image) as u64 * per_row as u64, bytes)?;
        }
    }
    let Some(file) = sums else { return Ok(()) };
    let place = 4 * layout.blocks_of(image).start * pieces.len();
    let first = layout.rows_before(image);
    let rows = layout.blocks_of(image).map(|block| layout.rows_of_block(block));
    let sums = rows.flat_map(|rows| {
        let rows = rows.start - first..rows.end - first;
        let spaces = pieces.iter().zip(&spec.spaces);
        spaces.map(move |(piece, space)| piece.sum(rows.clone(), space.width as usize))
    });
    file.write_at(place as u64, bytemuck::cast_slice(&sums.collect::<Vec<u32>>()))
}

/// Notes which pixels the image in place `index` has, where the bank keeps that.
pub(super) fn write_hash(
    hashes: Option<&mut WrittenFile>,
    index: usize,
    pixels: Option<PixelHash>,
) -> Result<()> {
    let Some(file) = hashes else { return Ok(()) };
    let (place, record) = record(index, pixels);
    file.write_at(place, &record)
}

/// A file of rows, sums or hashes, which had its final length before the first byte was written.
#[derive(Debug)]
pub(super) struct WrittenFile {
    path: PathBuf,
    file: File,
    length: u64,
}

impl WrittenFile {
    pub fn open(path: PathBuf, length: u64) -> Result<Self> {
        let file = files::open_with(&path, OpenOptions::new().write(true));
        let file = file.with_context(|| format!("cannot write to {}", path.display()))?;
        Ok(Self { path, file, length })
    }

    /// Writes at a place of the file, which somebody may have cut: what is written behind its end would make it long
    /// again, with zeros for rows that were there.
    fn write_at(&mut self, place: u64, bytes: &[u8]) -> Result<()> {
        self.check()?;
        self.file
            .seek(SeekFrom::Start(place))
            .and_then(|_| self.file.write_all(bytes))
            .with_context(|| format!("cannot write to {}; is the disk full?", self.path.display()))
    }

    pub fn sync(&self) -> Result<()> {
        self.check()?;
        self.file.sync_data().with_context(|| format!("cannot write to {}", self.path.display()))
    }

    fn check(&self) -> Result<()> {
        let meta = self.file.metadata().with_context(|| format!("cannot look at {}", self.path.display()))?;
        let now = meta.len();
        ensure!(
            now == self.length,
            "{} has {now} bytes, and had {} when it was opened: it was cut while the bank was made. Make the bank again",
            self.path.display(),
            self.length
        );
        Ok(())
    }
}
