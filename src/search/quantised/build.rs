//! Codes of a bank's rows, made block by block and written beside it.

use super::file::{
    BLOCK_ROWS, BlockEntry, Facts, RowCodes, codes_bytes, codes_path, files_of, head_bytes, norms_sum,
    tail_bytes,
};
use super::rotation::RandomRotation;
use super::sketch::SketchFrame;
use crate::bank::{Bank, VectorCache};
use crate::files::{FolderLock, is_write_forbidden, write_atomic};
use crate::progress::CancelToken;
use anyhow::{Context, Result, ensure};
use rayon::prelude::*;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Of the rotation.
const SEED: u64 = 0x5EED;
/// Rows by whose mean the first codes are made; at each doubling of the rows it is looked at anew.
const FIRST_ROWS: usize = BLOCK_ROWS;
/// How much longer a row less the mean of earlier rows may be than less its own mean, as a part of the mean square.
const WORSE: f64 = 0.02;
/// Places of which rows are taken for a mean, and how many of each.
const MEAN_PLACES: usize = 128;
const MEAN_ROWS: usize = 128;
/// Blocks that are encoded between two writes, for each thread.
const AT_ONCE: usize = 4;

/// Nothing can be written beside a bank, and its codes have no place elsewhere either: why.
#[derive(Debug)]
pub struct NoPlaceForCodes(PathBuf);

impl fmt::Display for NoPlaceForCodes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "nothing can be written beside the bank, in {}", self.0.display())
    }
}

/// Makes the codes of all committed rows of `space` and writes them beside the bank, atomically; where nothing can be
/// written there, into the place that `cache` has for them. Blocks of `old` codes that are still right are taken over:
/// returns their rows. The codes are a function of the rows alone, whatever was made of fewer of them before. `progress` is
/// told of rows that are done.
///
/// # Errors
/// A bank in memory or without rows; damaged rows; cancelled; the write failed, or they have no place in the cache
/// ([`NoPlaceForCodes`]).
pub fn build(
    bank: &Bank,
    space: &str,
    (cache, old): (Option<&VectorCache>, Option<&RowCodes>),
    cancel: &CancelToken,
    progress: &mut dyn FnMut(usize),
) -> Result<usize> {
    let folder = bank.folder().context("codes are kept beside a bank on disk")?;
    ensure!(bank.patches() > 0, "{} holds no rows yet", folder.display());
    let mut write = |folder: &Path| write(bank, (space, folder), old, cancel, progress);
    let place = cache.and_then(|cache| Some((cache, cache.place_of_codes(bank.spec())?)));
    match (write(folder), place) {
        (Err(error), place) if is_write_forbidden(&error) => {
            let why = || NoPlaceForCodes(folder.to_path_buf());
            let place = place.context("nothing is kept elsewhere either (--cache-size)");
            let (cache, place) = place.with_context(why)?;
            in_cache(cache, &place, codes_bytes(bank.width(space)?, bank.patches()), write).with_context(why)
        }
        (made, place) => {
            // Those beside the bank can be written, and others of this space are not wanted any more.
            if let Some((cache, place)) = place.filter(|(_, place)| made.is_ok() && place.is_dir()) {
                cache.discard_files(&place, &files_of(&place, space));
            }
            made
        }
    }
}

/// Has codes of so many `bytes` written into their `place` of `cache`, for which what was not used for longest may go.
fn in_cache(
    cache: &VectorCache,
    place: &Path,
    bytes: u64,
    mut write: impl FnMut(&Path) -> Result<usize>,
) -> Result<usize> {
    let made = {
        let _lock = FolderLock::take(place)?;
        let room = cache.ensure_room(bytes);
        room.with_context(|| format!("codes cannot be kept in {} (--cache-size) either", place.display()))?;
        write(place)?
    };
    cache.trim(place);
    Ok(made)
}

/// Makes them as `folder`'s; returns the rows that were taken over.
fn write(
    bank: &Bank,
    (space, folder): (&str, &Path),
    old: Option<&RowCodes>,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(usize),
) -> Result<usize> {
    let mut taken_over = 0;
    write_atomic(&codes_path(folder, space), |out| {
        let facts = Facts::of(bank, space)?;
        let rotation = RandomRotation::random(RandomRotation::dims(bank.width(space)?), SEED);
        let frame = SketchFrame::new(rotation, centre(bank, space)?);
        let old = old.filter(|old| old.frame == frame);
        let blocks: Vec<usize> = (0..bank.patches().div_ceil(BLOCK_ROWS)).collect();
        let rows = |block: usize| block * BLOCK_ROWS..bank.patches().min((block + 1) * BLOCK_ROWS);
        let known = |block: usize| {
            let old = old.filter(|old| block < old.blocks() && old.rows_of_block(block) == rows(block))?;
            old.whole_block(bank, block).map(|(bytes, entry)| (bytes.to_vec(), entry, rows(block).len()))
        };
        let head = head_bytes(&facts, &frame)?;
        out.write_all(&head)?;
        let mut table = Vec::with_capacity(blocks.len());
        for some in blocks.chunks(AT_ONCE * rayon::current_num_threads()) {
            cancel.check()?;
            let made = some.par_iter().map(|block| match known(*block) {
                Some(known) => Ok(known),
                None => encode(bank, space, &frame, rows(*block)).map(|(bytes, entry)| (bytes, entry, 0)),
            });
            for (bytes, entry, known) in made.collect::<Result<Vec<_>>>()? {
                out.write_all(&bytes)?;
                table.push(entry);
                taken_over += known;
            }
            progress(rows(some[some.len() - 1]).end);
        }
        Ok(out.write_all(&tail_bytes(&head, &table))?)
    })?;
    Ok(taken_over)
}

/// A block as it lies in the file.
fn encode(
    bank: &Bank,
    space: &str,
    frame: &SketchFrame,
    rows: Range<usize>,
) -> Result<(Vec<u8>, BlockEntry)> {
    let stored = bank.space(space)?;
    let (width, words) = (stored.width(), frame.dims / 64);
    let mut values = vec![0.0; rows.len() * width];
    stored.read_rows(rows.clone(), &mut values)?;
    let inv_norms = stored.pieces(rows.clone()).flat_map(|piece| piece.inv_norms.iter().copied());
    let (mut bits, mut room) = (vec![0u64; rows.len() * words], vec![]);
    let (mut offsets, mut scales, mut spread) = (vec![], vec![], 0.0f32);
    for ((row, inv_norm), bits) in values.chunks_exact(width).zip(inv_norms).zip(bits.chunks_exact_mut(words))
    {
        let factors = frame.encode(row, inv_norm, &mut room, bits);
        offsets.push(factors.offset);
        scales.push(factors.scale);
        spread = spread.max(factors.spread);
    }
    let mut bytes: Vec<u8> = bytemuck::cast_slice(&bits).to_vec();
    bytes.extend_from_slice(bytemuck::cast_slice(&offsets));
    bytes.extend_from_slice(bytemuck::cast_slice(&scales));
    let entry = BlockEntry { sum: crc32c::crc32c(&bytes), norms_sum: norms_sum(bank, space, rows)?, spread };
    Ok((bytes, entry))
}

/// What is taken of rows at unit length before they are turned: which it is makes no difference to what is found, but to
/// how precisely it is told.
///
/// A bank grows, and a centre that followed each row would make all codes anew. It is the mean of the first rows, and at
/// each doubling of the rows the mean of all so far where that leaves rows clearly shorter: of rows r at unit length
/// with mean m, E|r - c|^2 is 1 - |m|^2 + |m - c|^2. So it is the same for a bank that grew and for one that was there
/// at once.
fn centre(bank: &Bank, space: &str) -> Result<Vec<f32>> {
    let mut rows = FIRST_ROWS.min(bank.patches());
    let mut centre = mean(bank, space, rows)?;
    while 2 * rows <= bank.patches() {
        rows *= 2;
        let own = mean(bank, space, rows)?;
        let square =
            |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>();
        let apart = square(&mut own.iter().zip(&centre).map(|(own, centre)| own - centre));
        if apart > WORSE * (1.0 - square(&mut own.iter().copied())) {
            centre = own;
        }
    }
    Ok(centre)
}

/// The mean of the first `total` rows at unit length, of some from all over them.
fn mean(bank: &Bank, space: &str, total: usize) -> Result<Vec<f32>> {
    let stored = bank.space(space)?;
    let width = stored.width();
    let mut sums = vec![0.0f64; width];
    let mut count = 0u64;
    for place in 0..MEAN_PLACES {
        let first = total * place / MEAN_PLACES;
        let rows = first..total.min(first + MEAN_ROWS).min((total * (place + 1) / MEAN_PLACES).max(first));
        let mut values = vec![0.0; rows.len() * width];
        stored.read_rows(rows.clone(), &mut values)?;
        let inv_norms = stored.pieces(rows).flat_map(|piece| piece.inv_norms.iter().copied());
        for (row, inv_norm) in values.chunks_exact(width).zip(inv_norms).filter(|(_, inv)| inv.is_finite()) {
            count += 1;
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(value * inv_norm));
        }
    }
    Ok(sums.into_iter().map(|sum| (sum / count.max(1) as f64) as f32).collect())
}
