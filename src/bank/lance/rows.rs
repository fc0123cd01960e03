//! The rows of a bank whose table is committed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::{Context, Result, bail, ensure};
use arrow_array::{Array, Float32Array, UInt64Array};
use futures::StreamExt;
use lance::Dataset;
use lance::dataset::ProjectionRequest;
use lance::dataset::scanner::{RowAddrMask, RowAddrTreeMap};
use lance::index::DatasetIndexExt;
use lance::index::vector::VectorIndexParams;
use lance_index::IndexType;
use lance_linalg::distance::MetricType;

use super::super::far::{FarIndex, RowSource};
use super::super::manifest::Manifest;
use super::super::pixels::{KnownCopies, firsts_in};
use super::super::rows::OwnedValues;
use super::super::spec::BankSpec;
use super::super::store::Bank;
use super::parts::{self, EmptyRows};
use super::store::{EMPTY, LancePlace, MOST, TABLE, wait};
use super::table;
use crate::files::MOST_WORDS;

/// Rows of a list of the index, about.
const LIST_ROWS: usize = 4096;
/// Most lists of an index.
const MOST_LISTS: usize = 1 << 16;
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
    Ok(Bank::of_manifest(manifest, layout, copies).read_from(&source))
}

/// A table that is open.
#[derive(Debug)]
struct LanceRows {
    place: LancePlace,
    table: RwLock<Dataset>,
    /// Names of the spaces, and their columns.
    spaces: Vec<String>,
    columns: Vec<String>,
    /// By the rows that come before it: which fragment.
    fragments: Vec<(usize, u64)>,
    /// Lists of an index.
    lists: usize,
    empty: Vec<Vec<Range<usize>>>,
    index: Mutex<BTreeMap<String, FarIndex>>,
}

impl LanceRows {
    fn open(place: LancePlace, spec: &BankSpec, patches: usize) -> Result<Self> {
        let uri = place.uri(TABLE);
        let words = || format!("cannot open {}", place.words(TABLE).display());
        let table = wait(Dataset::open(&uri)).with_context(words)?;
        let (mut fragments, mut rows) = (vec![], 0);
        for fragment in table.fragments().iter() {
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
        let index = match place.find(INDEX, MOST_WORDS)? {
            Some(bytes) => serde_json::from_slice(&bytes).with_context(|| damaged(INDEX))?,
            None => BTreeMap::default(),
        };
        Ok(Self {
            spaces: spec.spaces.iter().map(|space| space.name.clone()).collect(),
            columns: table::columns(&spec.spaces),
            empty: spec.spaces.iter().map(|space| empty.of(&space.name)).collect(),
            table: RwLock::new(table),
            index: Mutex::new(index),
            lists: (rows / LIST_ROWS).clamp(1, MOST_LISTS),
            fragments,
            place,
        })
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
            self.index(space).with_context(|| format!("space {} has no index", self.spaces[space]))?;
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
        self.index.lock().unwrap_or_else(PoisonError::into_inner).get(&self.spaces[space]).copied()
    }

    fn build_index(&self, space: usize) -> Result<()> {
        let mut table = self.table();
        let params = VectorIndexParams::ivf_rq(self.lists, 1, MetricType::Cosine);
        let column = self.columns[space].as_str();
        let name = Some(index_name(column));
        let columns = [column];
        wait(table.create_index(&columns, IndexType::Vector, name, &params, true)).with_context(|| {
            format!("cannot make an index of {} in {}", self.spaces[space], self.place.words(TABLE).display())
        })?;
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
        Ok(())
    }

    fn index_bytes(&self, space: usize) -> Result<u64> {
        let name = index_name(&self.columns[space]);
        let parts = wait(async { self.table().load_indices_by_name(&name).await })?;
        let sizes = parts.iter().map(|part| self.place.bytes_in(&format!("{TABLE}/_indices/{}", part.uuid)));
        sizes.sum()
    }

    fn note_index(&self, space: usize, found: FarIndex) -> Result<()> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.insert(self.spaces[space].clone(), found);
        if found.queries == 0 {
            // Only tried.
            return Ok(());
        }
        self.place.write(INDEX, &serde_json::to_vec_pretty(&*index)?)
    }

    fn empty(&self, space: usize) -> &[Range<usize>] {
        &self.empty[space]
    }
}

/// What the index of a column is called.
fn index_name(column: &str) -> String {
    format!("{column}_near")
}
