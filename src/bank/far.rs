//! Rows that lie elsewhere: read when they are asked for, kept as long as the snapshot that asked.

use super::part::PartNumber;
use super::rows::{OwnedValues, Piece, RowBuffer, Values};
use super::spec::{BankSpec, Dtype, SpaceSpec};
use crate::memory::{self, NoRoom};
use crate::progress::CancelToken;
use anyhow::{Result, bail};
use half::f16;
use std::fmt::Debug;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Rows whose places are made together, once one of them is there.
const BLOCK: usize = 64;
/// Blocks of which the places are made together.
const BLOCKS: usize = 64;
/// Most rows that are asked for at a time.
const AT_ONCE: usize = 4096;
/// What a row takes beside its values, about, bytes.
const BESIDE: u64 = 256;

/// Where rows lie that are not on this machine. Spaces are told by their index in the bank's spec; rows are the bank's.
pub trait RowSource: Debug + Send + Sync {
    /// What the bank's place is called on the command line.
    fn place(&self) -> PathBuf;

    /// Reads `rows`, which rise and are there, of a space: row-major, as they are stored.
    ///
    /// # Errors
    /// They cannot be read.
    fn read(&self, space: usize, rows: &[usize]) -> Result<OwnedValues>;

    /// Gives `rows` of a space from the first to the last, so many at a time as the source likes, with the first row of
    /// each.
    ///
    /// # Errors
    /// They cannot be read; what `take` gives, which ends it.
    fn scan(
        &self,
        space: usize,
        rows: Range<usize>,
        take: &mut dyn FnMut(usize, OwnedValues) -> Result<()>,
    ) -> Result<()>;

    /// About `count` rows that may be the nearest to `query`, `[width]`, by the index, in any order; fewer where the index
    /// reaches no more. `among`: only of these, rising and apart.
    ///
    /// # Errors
    /// The space has no index, or it cannot be read.
    fn propose(
        &self,
        space: usize,
        query: &[f32],
        count: usize,
        among: Option<&[Range<usize>]>,
    ) -> Result<Vec<usize>>;

    /// What the index of a space finds, where it has one.
    fn index(&self, space: usize) -> Option<FarIndex>;

    /// Rows that the index of a space is of, 0 where there is none; the others are all compared.
    fn indexed_rows(&self, space: usize) -> usize;

    /// Makes what is missing of the index of a space: takes segments of it that were made apart, and indexes the rows that
    /// none is of.
    ///
    /// # Errors
    /// It cannot be made, or not be written; cancelled.
    fn build_index(&self, space: usize, cancel: &CancelToken) -> Result<()>;

    /// Makes a segment of the index of a space, of a part of the rows, which [`RowSource::build_index`] takes; returns of
    /// how many rows it is. None is made of rows that are indexed already, and one that was made before stays.
    ///
    /// # Errors
    /// As there; there are fewer pieces than parts.
    fn build_segment(&self, space: usize, part: PartNumber, cancel: &CancelToken) -> Result<usize>;

    /// What the index of a space takes, bytes.
    ///
    /// # Errors
    /// It cannot be looked at.
    fn index_bytes(&self, space: usize) -> Result<u64>;

    /// Notes what the index of a space was seen to find, with which it asks its index from now on.
    ///
    /// # Errors
    /// It cannot be written.
    fn note_index(&self, space: usize, found: FarIndex) -> Result<()>;

    /// Rows of a space without a value, rising and apart.
    fn empty(&self, space: usize) -> &[Range<usize>];
}

/// How an index is asked, and what it was seen to find then.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FarIndex {
    /// Share of its lists that are looked through, in (0, 1].
    pub lists: f32,
    /// Rows that are compared exactly for each that is wanted.
    pub candidates: usize,
    /// Part of the true `k` nearest that were found, in [0, 1], over all queries.
    pub recall: f64,
    /// Of the query with the least.
    pub least: f64,
    /// Queries that it was measured on; 0 where it was not.
    pub queries: usize,
    /// Neighbours of each.
    pub k: usize,
    /// Rows of a query that were compared, on average.
    pub compared: f64,
}

/// The rows of one space as a snapshot sees them.
#[derive(Debug)]
pub(super) struct FarRows {
    place: Arc<FarSpace>,
    here: Arc<HereRows>,
}

/// What all snapshots of it have in common.
#[derive(Debug)]
struct FarSpace {
    source: Arc<dyn RowSource>,
    space: usize,
    width: usize,
    /// Bytes of one value.
    value: u64,
    rows: usize,
    /// Above this the next snapshot begins with none, bytes.
    enough: u64,
    /// Above this nothing more is read, bytes.
    most: u64,
    /// Those that the next snapshot begins with.
    newest: Mutex<Arc<HereRows>>,
    /// What was wrong with rows that were read.
    trouble: Mutex<Option<String>>,
    /// Stands for a row that cannot be read.
    absent: RowBuffer,
}

type RowBlocks = Box<[OnceLock<Box<[OnceLock<Box<RowBuffer>>]>>]>;

/// Rows that are here, each once and for good.
#[derive(Debug)]
struct HereRows {
    bytes: AtomicU64,
    blocks: Box<[OnceLock<RowBlocks>]>,
    /// Held by whoever reads more.
    reading: Mutex<()>,
}

impl HereRows {
    fn none(rows: usize) -> Self {
        let groups = rows.div_ceil(BLOCK * BLOCKS);
        Self { bytes: AtomicU64::new(0), blocks: places(groups), reading: Mutex::new(()) }
    }

    fn get(&self, row: usize) -> Option<&RowBuffer> {
        let block = self.blocks[row / BLOCK / BLOCKS].get()?[row / BLOCK % BLOCKS].get()?;
        block[row % BLOCK].get().map(|buffer| &**buffer)
    }

    fn put(&self, row: usize, buffer: RowBuffer) {
        let blocks = self.blocks[row / BLOCK / BLOCKS].get_or_init(|| places(BLOCKS));
        let block = blocks[row / BLOCK % BLOCKS].get_or_init(|| places(BLOCK));
        // One that is there is the same.
        let _ = block[row % BLOCK].set(Box::new(buffer));
    }
}

fn places<T>(count: usize) -> Box<[OnceLock<T>]> {
    (0..count).map(|_| OnceLock::new()).collect()
}

impl Clone for FarRows {
    /// As a snapshot that begins now sees them: with what is here, unless that is enough.
    fn clone(&self) -> Self {
        let mut newest = self.place.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.bytes.load(Ordering::Relaxed) > self.place.enough {
            *newest = Arc::new(HereRows::none(self.place.rows));
        }
        Self { here: newest.clone(), place: self.place.clone() }
    }
}

impl FarRows {
    /// The rows of each space of `spec`, so many each, in `source`.
    pub fn of(spec: &BankSpec, rows: usize, source: &Arc<dyn RowSource>) -> Vec<Self> {
        let most = memory::budget().bank() / spec.spaces.len() as u64;
        let of_space = |(space, facts): (usize, &SpaceSpec)| {
            let width = facts.width as usize;
            let newest = Arc::new(HereRows::none(rows));
            let nothing = match spec.dtype {
                Dtype::F16 => OwnedValues::F16(vec![f16::NAN; width]),
                Dtype::F32 => OwnedValues::F32(vec![f32::NAN; width]),
            };
            let place = FarSpace {
                source: source.clone(),
                space,
                width,
                value: spec.dtype.bytes() as u64,
                rows,
                enough: most / 2,
                most,
                newest: Mutex::new(newest.clone()),
                trouble: Mutex::default(),
                absent: RowBuffer::stored(nothing, width),
            };
            Self { place: Arc::new(place), here: newest }
        };
        spec.spaces.iter().enumerate().map(of_space).collect()
    }

    /// Where they lie.
    pub fn source(&self) -> &Arc<dyn RowSource> {
        &self.place.source
    }

    /// Reads those of `rows`, which rise, that are not here.
    ///
    /// # Errors
    /// As [`RowSource::read`]; [`NoRoom`].
    pub fn bring(&self, rows: impl Iterator<Item = usize>) -> Result<()> {
        let FarSpace { source, space, width, .. } = &*self.place;
        let missing: Vec<usize> = rows.filter(|row| self.here.get(*row).is_none()).collect();
        for some in missing.chunks(AT_ONCE) {
            let _reading = self.here.reading.lock().unwrap_or_else(PoisonError::into_inner);
            let some: Vec<usize> = some.iter().copied().filter(|row| self.here.get(*row).is_none()).collect();
            if some.is_empty() {
                continue;
            }
            self.make_room(some.len() as u64)?;
            let values = source.read(*space, &some)?;
            let found = values.len() / width;
            if found != some.len() {
                bail!("{found} of {} rows came from {source:?}; the bank is damaged", some.len());
            }
            for (place, row) in some.into_iter().enumerate() {
                let range = place * width..(place + 1) * width;
                self.here.put(row, RowBuffer::stored(values.part(range), *width));
            }
        }
        Ok(())
    }

    /// Counts `rows` more.
    fn make_room(&self, rows: u64) -> Result<()> {
        let FarSpace { width, value, most, .. } = &*self.place;
        let bytes = rows * (*width as u64 * value + BESIDE);
        let all = self.here.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all > *most {
            self.here.bytes.fetch_sub(bytes, Ordering::Relaxed);
            let what = "reading so many rows of a bank that lies elsewhere".to_owned();
            let budget = memory::budget().bytes();
            return Err(NoRoom { what, bytes: all, most: *most, budget, remedy: "fewer patches" }.into());
        }
        Ok(())
    }

    /// The first of `rows`; with it as many of the others are read as one likes to read at a time.
    pub fn piece(&self, rows: Range<usize>) -> Piece<'_> {
        let first_row = rows.start;
        if self.here.get(first_row).is_none()
            && let Err(error) = self.bring(rows.take(AT_ONCE))
        {
            let mut trouble = self.place.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            trouble.get_or_insert(format!("{error:#}"));
        }
        let row = self.here.get(first_row).unwrap_or(&self.place.absent);
        Piece { first_row, ..row.piece() }
    }

    /// What was wrong with rows that were read, once.
    ///
    /// # Errors
    /// Some could not be read.
    pub fn check(&self) -> Result<()> {
        let trouble = self.place.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        trouble.map_or(Ok(()), |trouble| Err(anyhow::anyhow!(trouble)))
    }

    /// How many of `rows` have a value.
    pub fn searchable_in(&self, rows: Range<usize>) -> u64 {
        let empty = self.place.source.empty(self.place.space);
        let first = empty.partition_point(|range| range.end <= rows.start);
        let within = empty[first..].iter().take_while(|range| range.start < rows.end);
        let without: usize = within.map(|range| range.end.min(rows.end) - range.start.max(rows.start)).sum();
        (rows.len() - without) as u64
    }
}

/// Rows of a space as they came from their source, with one over their norms: `[rows, width]`.
pub struct FarBlock {
    buffer: RowBuffer,
    /// The first of them.
    pub first_row: usize,
}

impl FarBlock {
    /// Of rows from `first_row` on.
    pub fn new(first_row: usize, values: OwnedValues, width: usize) -> Self {
        Self { buffer: RowBuffer::stored(values, width), first_row }
    }

    /// All of them.
    pub fn piece(&self) -> Piece<'_> {
        Piece { first_row: self.first_row, ..self.buffer.piece() }
    }
}

impl OwnedValues {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::F16(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those in `range`.
    fn part(&self, range: Range<usize>) -> Self {
        match self {
            Self::F16(values) => Self::F16(values[range].to_vec()),
            Self::F32(values) => Self::F32(values[range].to_vec()),
        }
    }
}

impl<'a> From<&'a OwnedValues> for Values<'a> {
    fn from(values: &'a OwnedValues) -> Self {
        match values {
            OwnedValues::F16(values) => Values::F16(values),
            OwnedValues::F32(values) => Values::F32(values),
        }
    }
}
