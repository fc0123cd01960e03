//! `SPACE.codes`, beside the bank whose rows it holds once more in one bit a value; where nothing can be written there, in
//! the folder that the cache of vectors has for it ([`VectorCache::place_of_codes`]).
//!
//! Little endian: 8 bytes `BAGSCOD1`; u32 length of the facts; the facts, JSON; zeros up to a multiple of 64; signs of the
//! rotation, u64; the centre, f32; for each block of 2,048 rows its codes `[rows, dims / 64]` u64, offsets and scales
//! `[rows]` f32; then 12 bytes for each block: its CRC-32C, that of the bank's inverse norms of the same rows (by which
//! rows that have changed are found), f32 spread, the largest of its rows; at last the CRC-32C of all but the blocks.
//! A file that is damaged, or of another bank, is made again: it holds nothing that the bank does not.

use super::near::NearCodes;
use super::rotation::RandomRotation;
use super::sketch::SketchFrame;
use crate::bank::{Bank, VectorCache};
use crate::files::{self, MappedFile};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const MAGIC: &[u8; 8] = b"BAGSCOD1";
/// Rows that have one sum.
pub(super) const BLOCK_ROWS: usize = 2048;
/// Bytes of a block's entry in the table.
const ENTRY: usize = 12;
/// More than the facts ever take.
const MOST_FACTS: usize = 1 << 16;

/// Codes are not those of the bank's rows: damaged, or rows have changed since. They are to be made again.
#[derive(Debug, thiserror::Error)]
#[error("{} holds no codes of rows {} to {} of the bank as they are now: {why}", path.display(), rows.start, rows.end - 1)]
pub struct StaleCodes {
    /// The file.
    pub path: PathBuf,
    /// Rows of the block.
    pub rows: Range<usize>,
    why: &'static str,
}

/// What the codes are of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    pub space: String,
    width: usize,
    rows: usize,
    /// Hex SHA-256 of what made the bank.
    bank: String,
}

impl Facts {
    pub fn of(bank: &Bank, space: &str) -> Result<Self> {
        let spec = serde_json::to_vec(bank.spec())?;
        let bank_hash = files::hex(&Sha256::digest(spec));
        Ok(Self { space: space.into(), width: bank.width(space)?, rows: bank.patches(), bank: bank_hash })
    }

    fn dims(&self) -> usize {
        RandomRotation::dims(self.width)
    }

    fn blocks(&self) -> usize {
        self.rows.div_ceil(BLOCK_ROWS)
    }

    /// Bytes of a row.
    fn row_bytes(&self) -> usize {
        self.dims() / 8 + 8
    }
}

/// What stands of a block in the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct BlockEntry {
    pub sum: u32,
    pub norms_sum: u32,
    pub spread: f32,
}

/// A bank's rows of one space in one bit a value, mapped.
#[derive(Debug)]
pub struct RowCodes {
    pub(super) facts: Facts,
    pub(super) frame: SketchFrame,
    /// The bank's folder.
    bank: PathBuf,
    map: MappedFile,
    /// Bytes before the first block.
    head: usize,
    table: Vec<BlockEntry>,
    /// Whether a block was found whole.
    seen: Vec<AtomicBool>,
    near: NearCodes,
}

/// Codes of rows that lie in one block.
#[derive(Clone, Copy)]
pub(super) struct CodedRows<'a> {
    /// `[rows, dims / 64]`.
    pub bits: &'a [u64],
    pub offsets: &'a [f32],
    pub scales: &'a [f32],
    pub spread: f32,
}

/// Bytes of the codes of so many rows of `width` values, about: what does not grow with them is left out.
pub fn codes_bytes(width: usize, rows: usize) -> u64 {
    (rows * (RandomRotation::dims(width) / 8 + 8)) as u64
}

/// File of the codes of a space in a folder.
pub(super) fn codes_path(folder: &Path, space: &str) -> PathBuf {
    folder.join(format!("{space}.codes"))
}

/// The file of what was measured of codes, beside theirs.
pub(super) fn measured_path(codes: &Path) -> PathBuf {
    codes.with_extension("codes.json")
}

/// All that lies in a folder for a space.
pub(super) fn files_of(folder: &Path, space: &str) -> [PathBuf; 2] {
    let codes = codes_path(folder, space);
    [measured_path(&codes), codes]
}

/// What lies before the blocks.
pub(super) fn head_bytes(facts: &Facts, frame: &SketchFrame) -> Result<Vec<u8>> {
    let words = serde_json::to_vec(facts)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend((words.len() as u32).to_le_bytes());
    bytes.extend(words);
    bytes.resize(bytes.len().next_multiple_of(64), 0);
    bytes.extend_from_slice(bytemuck::cast_slice(frame.rotation.signs()));
    bytes.extend_from_slice(bytemuck::cast_slice(&frame.centre));
    bytes.resize(bytes.len().next_multiple_of(64), 0);
    Ok(bytes)
}

/// What lies behind them, given the head.
pub(super) fn tail_bytes(head: &[u8], table: &[BlockEntry]) -> Vec<u8> {
    let entry = |entry: &BlockEntry| {
        [entry.sum.to_le_bytes(), entry.norms_sum.to_le_bytes(), entry.spread.to_le_bytes()].concat()
    };
    let mut bytes: Vec<u8> = table.iter().flat_map(entry).collect();
    let sum = crc32c::crc32c_append(crc32c::crc32c(head), &bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// The sum of the inverse norms of rows of a bank.
pub(super) fn norms_sum(bank: &Bank, space: &str, rows: Range<usize>) -> Result<u32> {
    let stored = bank.space(space)?;
    let pieces = stored.pieces(rows);
    Ok(pieces.fold(0, |sum, piece| crc32c::crc32c_append(sum, bytemuck::cast_slice(piece.inv_norms))))
}

impl RowCodes {
    /// The codes of `space` that lie beside `bank` or are kept of it in `cache`, if there are some: of both those of more
    /// rows. They may be of fewer than it has by now, or of more than were there when it was opened.
    ///
    /// # Errors
    /// They are of another bank or version, or damaged: they are to be made again.
    pub fn open(bank: &Bank, space: &str, cache: Option<&VectorCache>) -> Result<Option<Self>> {
        let wanted = Facts::of(bank, space)?;
        let Some(folder) = bank.folder() else { return Ok(None) };
        let cached = cache.and_then(|cache| Some((cache, cache.place_of_codes(bank.spec())?)));
        let beside = Self::open_at(codes_path(folder, space), &wanted, folder);
        let Some((cache, place)) = cached else { return beside };
        // Kept there as nothing could be written beside the bank, where others may have lain that were wrong.
        let path = codes_path(&place, space);
        let kept = Self::open_at(path.clone(), &wanted, folder);
        if kept.as_ref().is_ok_and(Option::is_some) {
            cache.note_use(&path);
        }
        match (kept, beside) {
            (Ok(Some(kept)), Ok(Some(beside))) => {
                Ok(Some(if beside.rows() > kept.rows() { beside } else { kept }))
            }
            (Ok(Some(codes)), _) | (_, Ok(Some(codes))) => Ok(Some(codes)),
            (Ok(None), beside) => beside,
            (kept, _) => kept,
        }
    }

    /// Those of the bank in `folder`, where they lie at `path`.
    fn open_at(path: PathBuf, wanted: &Facts, folder: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let length = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        let map = MappedFile::open(&path, length)?;
        let codes = Self::parse(map, folder).with_context(|| format!("{} is damaged", path.display()))?;
        let found = &codes.facts;
        ensure!(
            (&found.space, &found.bank, found.width) == (&wanted.space, &wanted.bank, wanted.width),
            "{} is of another bank",
            path.display()
        );
        Ok(Some(codes))
    }

    fn parse(map: MappedFile, folder: &Path) -> Result<Self> {
        let bytes: &[u8] = &map;
        let cut = "it is cut off, or no file of codes of this version";
        let words = bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk::<4>()).context(cut)?;
        let length = u32::from_le_bytes(*words.0) as usize;
        ensure!(length <= MOST_FACTS, "its facts take {length} bytes");
        let facts: Facts = serde_json::from_slice(words.1.get(..length).context(cut)?)?;
        ensure!((1..=1 << 24).contains(&facts.width) && facts.rows < 1 << 40, "its facts are out of range");
        let signs = (MAGIC.len() + 4 + length).next_multiple_of(64);
        let centre = signs + 8 * RandomRotation::words(facts.dims());
        let head = (centre + 4 * facts.width).next_multiple_of(64);
        let table = head + facts.rows * facts.row_bytes();
        let end = table + ENTRY * facts.blocks();
        ensure!(bytes.len() == end + 4, "it has {} bytes; expected {}", bytes.len(), end + 4);
        let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..head]), &bytes[table..end]);
        ensure!(sum.to_le_bytes() == bytes[end..], "the sum of its head is not the one written down");
        let rotation = RandomRotation::of(bytemuck::pod_collect_to_vec(&bytes[signs..centre]));
        let mean = bytemuck::pod_collect_to_vec(&bytes[centre..centre + 4 * facts.width]);
        let number = |entry: &[u8; ENTRY], at: usize| [0, 1, 2, 3].map(|byte| entry[at + byte]);
        let entry = |entry: &[u8; ENTRY]| BlockEntry {
            sum: u32::from_le_bytes(number(entry, 0)),
            norms_sum: u32::from_le_bytes(number(entry, 4)),
            spread: f32::from_le_bytes(number(entry, 8)),
        };
        let table: Vec<BlockEntry> = bytes[table..end].as_chunks().0.iter().map(entry).collect();
        map.check()?;
        let seen = (0..facts.blocks()).map(|_| AtomicBool::new(false)).collect();
        let (frame, bank) = (SketchFrame::new(rotation, mean), folder.to_path_buf());
        let near = NearCodes::new(BLOCK_ROWS * facts.row_bytes(), facts.rows * facts.row_bytes());
        Ok(Self { frame, facts, bank, map, head, table, seen, near })
    }

    /// Rows that they are of: the first ones of the bank.
    pub fn rows(&self) -> usize {
        self.facts.rows
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// Whether they are of that space of that bank, as far as it goes without looking at them.
    pub fn is_of(&self, bank: &Bank, space: &str) -> bool {
        bank.folder() == Some(&self.bank) && self.facts.space == space
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.map.path()
    }

    /// The folder that they are kept in, where that is not the bank's.
    pub fn elsewhere(&self) -> Option<&Path> {
        self.path().parent().filter(|folder| *folder != self.bank)
    }

    /// Rows of block `block`.
    pub(super) fn rows_of_block(&self, block: usize) -> Range<usize> {
        block * BLOCK_ROWS..self.facts.rows.min((block + 1) * BLOCK_ROWS)
    }

    /// Number of blocks.
    pub(super) fn blocks(&self) -> usize {
        self.table.len()
    }

    /// Where a block lies in the file.
    fn place_of_block(&self, block: usize) -> Range<usize> {
        let rows = self.rows_of_block(block);
        self.head + rows.start * self.facts.row_bytes()..self.head + rows.end * self.facts.row_bytes()
    }

    /// To be told as a search begins: what is searched again comes near.
    pub(super) fn note_search(&self) {
        self.near.note_search();
    }

    /// Whether all of them came near.
    #[cfg(test)]
    pub(super) fn is_near(&self) -> bool {
        (0..self.blocks()).all(|block| self.near.block(block).is_some())
    }

    /// Brings a block near, where that is of use.
    pub(super) fn bring(&self, block: usize) {
        let codes = &self.map[self.head..self.head + self.facts.rows * self.facts.row_bytes()];
        self.near.bring(block, codes, |block, bytes| crc32c::crc32c(bytes) == self.table[block].sum);
    }

    /// A block, from where it lies nearest.
    fn block(&self, block: usize) -> &[u8] {
        self.near.block(block).unwrap_or_else(|| &self.map[self.place_of_block(block)])
    }

    /// A block as it lies in the file, with what stands of it in the table, if it is of the rows that `bank` has now.
    pub(super) fn whole_block(&self, bank: &Bank, block: usize) -> Option<(&[u8], BlockEntry)> {
        let is_there = block < self.table.len() && self.check(bank, block).is_ok();
        is_there.then(|| (self.block(block), self.table[block]))
    }

    /// Looks at a block when it is first asked for.
    ///
    /// # Errors
    /// [`StaleCodes`].
    pub(super) fn check(&self, bank: &Bank, block: usize) -> Result<()> {
        if self.seen[block].load(Ordering::Relaxed) {
            return Ok(());
        }
        let rows = self.rows_of_block(block);
        let BlockEntry { sum, norms_sum: expected, .. } = self.table[block];
        let stale = |why| StaleCodes { path: self.map.path().into(), rows: rows.clone(), why };
        let found = crc32c::crc32c(self.block(block));
        ensure!(found == sum, stale("its sum is not the one written down"));
        // Where the bank ends before it, the last block cannot be held against its rows: when it grows, perhaps.
        if rows.end <= bank.patches() {
            let found = norms_sum(bank, &self.facts.space, rows.clone())?;
            ensure!(found == expected, stale("the bank's rows have changed"));
            self.seen[block].store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Looks at all blocks.
    ///
    /// # Errors
    /// [`StaleCodes`].
    pub fn check_all(&self, bank: &Bank) -> Result<()> {
        use rayon::prelude::*;
        (0..self.blocks()).into_par_iter().try_for_each(|block| self.check(bank, block))?;
        self.check_length()
    }

    /// To be asked after codes were read, before they count.
    ///
    /// # Errors
    /// The file was cut while it was read.
    pub(super) fn check_length(&self) -> Result<()> {
        self.map.check()
    }

    /// Codes of `rows`, which lie in one block.
    pub(super) fn coded(&self, rows: Range<usize>) -> CodedRows<'_> {
        let block = rows.start / BLOCK_ROWS;
        let first = self.rows_of_block(block).start;
        let (count, words) = (self.rows_of_block(block).len(), self.frame.dims / 64);
        let bytes = self.block(block);
        let (bits, factors) = bytes.split_at(8 * words * count);
        let (offsets, scales) = factors.split_at(4 * count);
        let rows = rows.start - first..rows.end - first;
        CodedRows {
            bits: &bytemuck::cast_slice(bits)[words * rows.start..words * rows.end],
            offsets: &bytemuck::cast_slice(offsets)[rows.clone()],
            scales: &bytemuck::cast_slice(scales)[rows],
            spread: self.table[block].spread,
        }
    }
}
