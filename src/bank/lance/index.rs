//! The index of a column: segments of it, each of some fragments, are made here or apart, and one commit joins them.
//!
//! What all segments have in common, the centres of the lists and the rotation of the codes, lies in each of them; the first
//! process that makes one apart commits a segment of no rows, which holds nothing else.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use arrow_array::Array;
use arrow_array::types::Float32Type;
use lance::Dataset;
use lance::index::vector::VectorIndexParams;
use lance::index::vector::ivf::build_ivf_model;
use lance::index::{CreateIndexBuilder, DatasetIndexExt, DatasetIndexInternalExt};
use lance::table::format::{Fragment, IndexMetadata};
use lance_index::IndexType;
use lance_index::metrics::NoOpMetricsCollector;
use lance_index::progress::noop_progress;
use lance_index::vector::bq::RQBuildParams;
use lance_index::vector::bq::builder::RabitQuantizer;
use lance_index::vector::ivf::IvfBuildParams;
use lance_index::vector::quantizer::Quantizer;
use lance_linalg::distance::MetricType;
use serde::{Deserialize, Serialize};

use super::super::part::PartNumber;
use super::store::{LancePlace, MOST, TABLE, wait, wait_unless};
use crate::progress::CancelToken;
use crate::words::count;

/// Rows of a list, about.
const LIST_ROWS: usize = 4096;
/// Most lists.
const MOST_LISTS: usize = 1 << 16;
/// An index is made anew where a table has so many times the rows that its lists were meant for.
const OUTGROWN: usize = 4;
/// Bits of a code, a value.
const BITS: u8 = 1;

const SEGMENTS: &str = "segments";

/// The column of a space.
pub struct IndexedColumn<'a> {
    /// Where the bank lies.
    pub place: &'a LancePlace,
    /// What it is called in the table.
    pub name: &'a str,
    /// Values of a vector.
    pub width: usize,
}

/// A segment that was made apart.
#[derive(Serialize, Deserialize)]
struct Apart {
    uuid: String,
    /// Of the table that it was made from.
    version: u64,
    /// Fragments that it is of, with the file of each: another table may have others of the same numbers.
    fragments: Vec<(u32, String)>,
}

/// Lists for so many rows.
pub fn lists(rows: usize) -> usize {
    (rows / LIST_ROWS).clamp(1, MOST_LISTS)
}

/// Whether one of `segments` is of the fragment `id`.
pub fn is_covered(segments: &[IndexMetadata], id: u64) -> bool {
    segments.iter().any(|segment| segment.fragment_bitmap.as_ref().is_some_and(|of| of.contains(id as u32)))
}

impl IndexedColumn<'_> {
    /// The segments of its index, those of no rows too.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn segments(&self, table: &Dataset) -> Result<Vec<IndexMetadata>> {
        wait(table.load_indices_by_name(&self.index_name())).with_context(|| self.words("read"))
    }

    /// Joins what was made apart, then indexes the fragments that no segment is of; `table` has all of it then.
    ///
    /// # Errors
    /// It cannot be made, or not be committed; cancelled.
    pub fn build(&self, table: &mut Dataset, cancel: &CancelToken) -> Result<()> {
        self.ensure_width()?;
        let known = self.segments(table)?;
        let apart = self.apart(table, &known)?;
        if !apart.is_empty() {
            self.commit(table, apart)?;
        }
        let known = self.segments(table)?;
        let rest = uncovered(table.fragments(), &known);
        if rest.is_empty() {
            return Ok(());
        }
        let rows = wait(table.count_rows(None))?;
        let params = match known.first() {
            Some(segment) => {
                Some(self.params_of(table, segment)?).filter(|(of, _)| of * OUTGROWN >= lists(rows))
            }
            None => None,
        };
        match params {
            Some((_, params)) => {
                let segment = self.uncommitted(table, ids(&rest), &params, cancel)?;
                self.commit(table, vec![segment])
            }
            None => {
                let params = VectorIndexParams::ivf_rq(lists(rows), BITS, MetricType::Cosine);
                let (columns, name) = ([self.name], Some(self.index_name()));
                let built = table.create_index(&columns, IndexType::Vector, name, &params, true);
                wait_unless(cancel, built).map(|_| ()).with_context(|| self.words("make"))
            }
        }
    }

    /// Makes a segment of `part` of the fragments; returns of which it is.
    ///
    /// # Errors
    /// As [`IndexedColumn::build`]; fewer fragments than parts.
    pub fn build_apart(
        &self,
        table: &mut Dataset,
        part: PartNumber,
        cancel: &CancelToken,
    ) -> Result<Vec<u64>> {
        self.ensure_width()?;
        let all = table.fragments().clone();
        let PartNumber { number, of } = part;
        ensure!(
            of as usize <= all.len(),
            "{} is of {}, which cannot be divided in {of} parts; expected at most one part for each",
            self.place.words(TABLE).display(),
            count(all.len(), "fragment")
        );
        let first = |part: u32| part as usize * all.len() / of as usize;
        let share = uncovered(&all[first(number - 1)..first(number)], &self.segments(table)?);
        let of_share = || share.iter().map(|fragment| fragment.id).collect();
        let record = format!("{SEGMENTS}/{}/{number}-of-{of}.json", self.name);
        let is_made = self.read(&record)?.is_some_and(|made| made.fragments == files_of(&share));
        if share.is_empty() || is_made {
            return Ok(of_share());
        }
        let (_, params) = match self.segments(table)?.first() {
            Some(segment) => self.params_of(table, segment)?,
            None => self.begin(table, cancel)?,
        };
        let segment = self.uncommitted(table, ids(&share), &params, cancel)?;
        let made = Apart {
            uuid: segment.uuid.to_string(),
            version: segment.dataset_version,
            fragments: files_of(&share),
        };
        self.place.write(&record, &serde_json::to_vec(&made)?)?;
        Ok(of_share())
    }

    fn ensure_width(&self) -> Result<()> {
        let (name, width) = (self.name, self.width);
        ensure!(
            width.is_multiple_of(8),
            "vectors of {name} have {width} values; an index in Lance needs a multiple of 8. --space names other spaces, and \
             --search exact does without"
        );
        Ok(())
    }

    /// Commits what all segments have in common, unless another process was faster.
    fn begin(&self, table: &mut Dataset, cancel: &CancelToken) -> Result<(usize, VectorIndexParams)> {
        let rows = wait(table.count_rows(None))?;
        let wanted = IvfBuildParams::new(lists(rows));
        let metric = MetricType::Cosine;
        let trained = build_ivf_model(table, self.name, self.width, metric, &wanted, None, noop_progress());
        let model = wait_unless(cancel, trained).with_context(|| self.words("make"))?;
        let centres = model.centroids.context("Lance found no lists")?;
        let ivf = IvfBuildParams::try_with_centroids(centres.len(), Arc::new(centres))?;
        let rotation = RabitQuantizer::new::<Float32Type>(BITS, self.width as i32);
        let rq =
            RQBuildParams { rotation: Some(rotation.metadata_ref().clone()), ..RQBuildParams::new(BITS) };
        let params = VectorIndexParams::with_ivf_rq_params(metric, ivf, rq);
        let empty = self.uncommitted(table, vec![], &params, cancel)?;
        let committed = self.commit(table, vec![empty]);
        *table = self.place.table()?.with_context(|| self.words("find"))?;
        match (self.segments(table)?.first(), committed) {
            (Some(segment), _) => self.params_of(table, segment),
            (None, committed) => {
                committed?;
                bail!("{}: what was committed is not there", self.words("make"))
            }
        }
    }

    /// A segment of the fragments `ids` that the table does not know yet.
    fn uncommitted(
        &self,
        table: &mut Dataset,
        ids: Vec<u32>,
        params: &VectorIndexParams,
        cancel: &CancelToken,
    ) -> Result<IndexMetadata> {
        let builder = CreateIndexBuilder::new(table, &[self.name], IndexType::Vector, params);
        // Others of the name stay; what is committed says which go.
        let mut builder = builder.name(self.index_name()).replace(true).fragments(ids);
        wait_unless(cancel, builder.execute_uncommitted()).with_context(|| self.words("make"))
    }

    fn commit(&self, table: &mut Dataset, segments: Vec<IndexMetadata>) -> Result<()> {
        let name = self.index_name();
        wait(table.commit_existing_index_segments(&name, self.name, segments))
            .with_context(|| self.words("commit"))
    }

    /// How many lists the segments have like `segment`, and how another one like it is made.
    fn params_of(&self, table: &Dataset, segment: &IndexMetadata) -> Result<(usize, VectorIndexParams)> {
        let opened = wait(table.open_vector_index(self.name, &segment.uuid, &NoOpMetricsCollector));
        let index = opened.with_context(|| self.words("read"))?;
        let (Some(centres), Quantizer::Rabit(codes)) =
            (index.ivf_model().centroids.clone(), index.quantizer())
        else {
            bail!("{}: it was made by another program", self.words("continue"));
        };
        let lists = centres.len();
        let ivf = IvfBuildParams::try_with_centroids(lists, Arc::new(centres))?;
        let rotation = Some(codes.metadata_ref().clone());
        let rq = RQBuildParams { rotation, ..RQBuildParams::new(codes.num_bits()) };
        Ok((lists, VectorIndexParams::with_ivf_rq_params(MetricType::Cosine, ivf, rq)))
    }

    /// Segments that were made apart of fragments that are there and that none of `known` is of.
    fn apart(&self, table: &Dataset, known: &[IndexMetadata]) -> Result<Vec<IndexMetadata>> {
        // With the first of them what they have in common was committed.
        let Some(like) = known.first() else { return Ok(vec![]) };
        let rest = files_of(&uncovered(table.fragments(), known));
        let folder = format!("{SEGMENTS}/{}", self.name);
        let (mut found, mut taken) = (vec![], vec![]);
        for name in self.place.list(&folder)? {
            let Some(Apart { uuid, version, fragments }) = self.read(&format!("{folder}/{name}"))? else {
                continue;
            };
            // Of two that were divided otherwise one counts.
            if fragments.iter().any(|of| !rest.contains(of) || taken.contains(of)) {
                continue;
            }
            found.push(IndexMetadata {
                uuid: uuid.parse().with_context(|| self.words("read"))?,
                dataset_version: version,
                fragment_bitmap: Some(fragments.iter().map(|(id, _)| *id).collect()),
                created_at: None,
                files: None,
                ..like.clone()
            });
            taken.extend(fragments);
        }
        Ok(found)
    }

    fn read(&self, name: &str) -> Result<Option<Apart>> {
        let Some(bytes) = self.place.find(name, MOST)? else { return Ok(None) };
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Some).with_context(|| format!("{} is damaged", self.place.words(name).display()))
    }

    fn words(&self, what: &str) -> String {
        format!("cannot {what} the index of {} in {}", self.name, self.place.words(TABLE).display())
    }

    /// What it is called in the table.
    fn index_name(&self) -> String {
        format!("{}_near", self.name)
    }
}

fn uncovered(fragments: &[Fragment], segments: &[IndexMetadata]) -> Vec<Fragment> {
    fragments.iter().filter(|fragment| !is_covered(segments, fragment.id)).cloned().collect()
}

fn ids(fragments: &[Fragment]) -> Vec<u32> {
    fragments.iter().map(|fragment| fragment.id as u32).collect()
}

fn files_of(fragments: &[Fragment]) -> Vec<(u32, String)> {
    let file = |fragment: &Fragment| fragment.files.first().map_or(String::new(), |file| file.path.clone());
    fragments.iter().map(|fragment| (fragment.id as u32, file(fragment))).collect()
}
