//! The rows of a bank whose table is committed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use anyhow::{Context, Result, bail, ensure};
use arrow_array::{Array, Float32Array, UInt64Array};
use futures::StreamExt;
use lance::Dataset;
use lance::dataset::ProjectionRequest;
use lance::dataset::scanner::{RowAddrMask, RowAddrTreeMap};
use lance::table::format::IndexMetadata;
use lance_linalg::distance::MetricType;
use serde::{Deserialize, Serialize};

use super::super::far::{FarIndex, RowSource};
use super::super::manifest::Manifest;
use super::super::part::PartNumber;
use super::super::pixels::{KnownCopies, firsts_in};
use super::super::rows::OwnedValues;
use super::super::spec::{BankSpec, SpaceSpec};
use super::super::store::Bank;
use super::index::{self, IndexedColumn, is_covered};
use super::parts::{self, EmptyRows};
use super::store::{EMPTY, LancePlace, MOST, TABLE, wait};
use super::table;
use crate::files::MOST_WORDS;
use crate::progress::CancelToken;

/// Rows that come past at a time, about.
const BLOCK_ROWS: usize = 8192;

const INDEX: &str = "index.json";

/// Opens the bank under `uri`.
///
/// # Errors
/// There is none, or it is not complete, or it cannot be read.
pub fn open(uri: &str) -> Result<Bank> {
    let place = LancePlace::new(uri)?;
    let Some(manifest) = place.find("bank.json", MOST)? else {
        bail!("{} is no bank: {}", place.words("").display(), parts::words(&place)?);
    };
    let manifest = Manifest::parse(&manifest, &place.words("bank.json"))?;
    let layout = manifest.layout(&place.read("images.bin", MOST)?, &place.words(""))?;
    let images = manifest.complete_images as usize;
    let copies = match manifest.pixels {
        true => KnownCopies::Here(firsts_in(
            &place.read("pixels.bin", MOST)?,
            &place.words("pixels.bin"),
            images,
        )?),
        false => KnownCopies::Unknown,
    };
    let source: Arc<dyn RowSource> = Arc::new(LanceRows::open(place, &manifest.spec, layout.patches())?);
    Ok(Bank::of_manifest(manifest, Arc::new(layout), copies).read_from(&source))
}

/// What the index of a space was seen to find, as it is noted.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NotedIndex {
    #[serde(flatten)]
    found: FarIndex,
    /// Of which segments that is: with others it is not known.
    #[serde(default)]
    segments: Vec<String>,
}

/// The index of a space.
#[derive(Debug, Default)]
struct ColumnIndex {
    segments: Vec<IndexMetadata>,
    /// Rows that they are of.
    rows: usize,
    noted: Option<NotedIndex>,
}

impl ColumnIndex {
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.segments.iter().map(|segment| segment.uuid.to_string()).collect();
        names.sort_unstable();
        names
    }
}

/// A table that is open.
#[derive(Debug)]
struct LanceRows {
    place: LancePlace,
    table: RwLock<Dataset>,
    /// The spaces, and their columns.
    spaces: Vec<SpaceSpec>,
    columns: Vec<String>,
    /// By the rows that come before it: which fragment.
    fragments: Vec<(usize, u64)>,
    rows: usize,
    /// Lists of an index.
    lists: usize,
    empty: Vec<Vec<Range<usize>>>,
    /// By space.
    indexes: Mutex<Vec<ColumnIndex>>,
}

impl LanceRows {
    fn open(place: LancePlace, spec: &BankSpec, patches: usize) -> Result<Self> {
        let table =
            place.table()?.with_context(|| format!("{} is not there", place.words(TABLE).display()))?;
        let (mut fragments, mut rows) = (vec![], 0);
        for fragment in table.fragments().iter() {
            // The order of rows is that of addresses.
            ensure!(
                fragments.last().is_none_or(|(_, before)| *before < fragment.id),
                "{}: its fragments are out of order; it was changed by another program, make the bank again",
                place.words(TABLE).display()
            );
            fragments.push((rows, fragment.id));
            let count = fragment.num_rows().with_context(|| {
                format!("{}: a fragment does not say how many rows it has", place.words(TABLE).display())
            })?;
            rows += count;
        }
        ensure!(
            rows == patches,
            "{} has {rows} rows; expected {patches}: it was changed by another program, make the bank again",
            place.words(TABLE).display()
        );
        let read = |name: &str| place.find(name, MOST);
        let damaged = |name: &str| format!("{} is damaged", place.words(name).display());
        let empty: EmptyRows = match read(EMPTY)? {
            Some(bytes) => serde_json::from_slice(&bytes).with_context(|| damaged(EMPTY))?,
            None => EmptyRows::default(),
        };
        let mut noted: BTreeMap<String, NotedIndex> = match place.find(INDEX, MOST_WORDS)? {
            Some(bytes) => serde_json::from_slice(&bytes).with_context(|| damaged(INDEX))?,
            None => BTreeMap::default(),
        };
        let indexes = spec
            .spaces
            .iter()
            .map(|space| ColumnIndex { noted: noted.remove(&space.name), ..ColumnIndex::default() });
        let opened = Self {
            indexes: Mutex::new(indexes.collect()),
            columns: table::columns(&spec.spaces),
            empty: spec.spaces.iter().map(|space| empty.of(&space.name)).collect(),
            spaces: spec.spaces.clone(),
            table: RwLock::new(table),
            lists: index::lists(rows),
            fragments,
            rows,
            place,
        };
        for space in 0..opened.spaces.len() {
            opened.look_at_index(space)?;
        }
        Ok(opened)
    }

    fn column(&self, space: usize) -> IndexedColumn<'_> {
        let width = self.spaces[space].width as usize;
        IndexedColumn { place: &self.place, name: &self.columns[space], width }
    }

    /// Sees which segments the index of a space has by now.
    fn look_at_index(&self, space: usize) -> Result<()> {
        let segments = self.column(space).segments(&self.table())?;
        let covered = (0..self.fragments.len()).filter(|at| is_covered(&segments, self.fragments[*at].1));
        let rows = covered.map(|at| self.rows_of(at).len()).sum();
        let mut indexes = self.indexes();
        (indexes[space].segments, indexes[space].rows) = (segments, rows);
        Ok(())
    }

    fn indexes(&self) -> MutexGuard<'_, Vec<ColumnIndex>> {
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows of a fragment.
    fn rows_of(&self, at: usize) -> Range<usize> {
        let end = self.fragments.get(at + 1).map_or(self.rows, |(first, _)| *first);
        self.fragments[at].0..end
    }

    fn table(&self) -> Dataset {
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The row of the bank whose address in the table that is.
    fn row(&self, address: u64) -> Option<usize> {
        let (fragment, offset) = (address >> 32, (address & u64::from(u32::MAX)) as usize);
        // A commit numbers fragments in their order.
        let at = self.fragments.binary_search_by_key(&fragment, |(_, id)| *id).ok()?;
        Some(self.fragments[at].0 + offset)
    }

    /// Addresses of `rows`, fragment by fragment.
    fn addresses(&self, rows: Range<usize>) -> Vec<Range<u64>> {
        let mut addresses = vec![];
        let mut row = rows.start;
        let mut at = self.fragments.partition_point(|(first, _)| *first <= row).saturating_sub(1);
        while row < rows.end {
            let (first, id) = self.fragments[at];
            let end = self.fragments.get(at + 1).map_or(rows.end, |(next, _)| rows.end.min(*next));
            let address = |row: usize| (id << 32) + (row - first) as u64;
            addresses.push(address(row)..address(end));
            (row, at) = (end, at + 1);
        }
        addresses
    }
}

impl RowSource for LanceRows {
    fn place(&self) -> PathBuf {
        self.place.words("")
    }

    fn read(&self, space: usize, rows: &[usize]) -> Result<OwnedValues> {
        let (table, column) = (self.table(), &self.columns[space]);
        let offsets: Vec<u64> = rows.iter().map(|row| *row as u64).collect();
        let projection = ProjectionRequest::from_columns([column], table.schema());
        let batch = wait(table.take(&offsets, projection)).with_context(|| {
            format!("cannot read {} rows of {}", rows.len(), self.place.words(TABLE).display())
        })?;
        table::values(&batch, column)
    }

    fn scan(
        &self,
        space: usize,
        rows: Range<usize>,
        take: &mut dyn FnMut(usize, OwnedValues) -> Result<()>,
    ) -> Result<()> {
        let (table, column) = (self.table(), &self.columns[space]);
        let words = || format!("cannot read {}", self.place.words(TABLE).display());
        let mut scanner = table.scan();
        scanner.project(&[column])?.limit(Some(rows.len() as i64), Some(rows.start as i64))?;
        scanner.scan_in_order(true).batch_size(BLOCK_ROWS);
        let mut stream = wait(async { scanner.try_into_stream().await }).with_context(words)?;
        let mut row = rows.start;
        while let Some(batch) = wait(async { stream.next().await.transpose() }).with_context(words)? {
            let count = batch.num_rows();
            take(row, table::values(&batch, column)?)?;
            row += count;
        }
        ensure!(row == rows.end, "{} gave {} of {} rows", words(), row - rows.start, rows.len());
        Ok(())
    }

    fn propose(
        &self,
        space: usize,
        query: &[f32],
        count: usize,
        among: Option<&[Range<usize>]>,
    ) -> Result<Vec<usize>> {
        let facts =
            self.index(space).with_context(|| format!("space {} has no index", self.spaces[space].name))?;
        let table = self.table();
        let mut scanner = table.scan();
        scanner.empty_project()?.with_row_id();
        scanner.nearest(&self.columns[space], &Float32Array::from(query.to_vec()), count)?;
        let probes = ((self.lists as f32 * facts.lists).ceil() as usize).clamp(1, self.lists);
        scanner.nprobes(probes).distance_metric(MetricType::Cosine).disable_scoring_autoprojection();
        if let Some(among) = among {
            let mut allowed = RowAddrTreeMap::default();
            for range in among.iter().flat_map(|rows| self.addresses(rows.clone())) {
                allowed.insert_range(range);
            }
            scanner.prefilter(true).with_row_id_prefilter(RowAddrMask::from_allowed(allowed));
        }
        let batch = wait(scanner.try_into_batch())
            .with_context(|| format!("cannot search {} by its index", self.place.words(TABLE).display()))?;
        let ids = batch.column_by_name(lance::dataset::ROW_ID).context("the index gave no rows")?;
        let ids = ids.as_any().downcast_ref::<UInt64Array>().context("the index gave no rows")?;
        ids.values()
            .iter()
            .map(|id| self.row(*id).context("the index knows rows that are not there"))
            .collect()
    }

    fn index(&self, space: usize) -> Option<FarIndex> {
        let indexes = self.indexes();
        let index = &indexes[space];
        let noted = index.noted.as_ref().filter(|noted| index.rows > 0 && noted.segments == index.names());
        noted.map(|noted| noted.found)
    }

    fn indexed_rows(&self, space: usize) -> usize {
        self.indexes()[space].rows
    }

    fn build_index(&self, space: usize, cancel: &CancelToken) -> Result<()> {
        let mut table = self.table();
        self.column(space).build(&mut table, cancel)?;
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
        self.look_at_index(space)
    }

    fn build_segment(&self, space: usize, part: PartNumber, cancel: &CancelToken) -> Result<usize> {
        let made = self.column(space).build_apart(&mut self.table(), part, cancel)?;
        let of_segment = (0..self.fragments.len()).filter(|at| made.contains(&self.fragments[*at].1));
        Ok(of_segment.map(|at| self.rows_of(at).len()).sum())
    }

    fn index_bytes(&self, space: usize) -> Result<u64> {
        let segments = self.indexes()[space].segments.clone();
        let sizes =
            segments.iter().map(|part| self.place.bytes_in(&format!("{TABLE}/_indices/{}", part.uuid)));
        sizes.sum()
    }

    fn note_index(&self, space: usize, found: FarIndex) -> Result<()> {
        let mut indexes = self.indexes();
        let segments = indexes[space].names();
        indexes[space].noted = Some(NotedIndex { found, segments });
        if found.queries == 0 {
            // Only tried.
            return Ok(());
        }
        let names = self.spaces.iter().map(|space| &space.name);
        let noted = names.zip(&*indexes).filter_map(|(name, index)| Some((name, index.noted.as_ref()?)));
        self.place.write(INDEX, &serde_json::to_vec_pretty(&noted.collect::<BTreeMap<_, _>>())?)
    }

    fn empty(&self, space: usize) -> &[Range<usize>] {
        &self.empty[space]
    }
}
