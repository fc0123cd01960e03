//! Neighbours of vectors in a bank, as they are told.

use crate::bank::Bank;
use crate::engine::ask::{GalleryFilter, NeighbourReport, SearchRecall, SearchReport};
use crate::engine::look::selection::{Selection, VectorQuery, nearest_many};
use crate::patch::PatchRef;
use crate::progress::CancelToken;
use crate::search::{Hit, Kin, Processor};
use std::time::Instant;

/// Which patches are wanted near a vector.
pub struct NeighbourQuery<'a> {
    /// The query patch, or one about a query that is none.
    pub patch: PatchRef,
    /// Its vector, the rows of its parts, where the bank holds them, its images and classes.
    pub of: VectorQuery<'a>,
}

/// Searches one space for the `k` that are nearest to each of `queries`, all together, on `processor`: bringing a bank
/// to a GPU would take longer than one search.
pub fn near(
    processor: &Processor,
    bank: &Bank,
    space: &str,
    queries: &[NeighbourQuery<'_>],
    (k, filter): (usize, &GalleryFilter),
    cancel: &CancelToken,
) -> anyhow::Result<Vec<SearchReport>> {
    let clock = Instant::now();
    let vectors: Vec<VectorQuery<'_>> = queries.iter().map(|query| query.of).collect();
    let found = nearest_many(processor, bank, space, &vectors, (k, filter), cancel)?;
    let milliseconds = clock.elapsed().as_secs_f64() * 1e3 / queries.len().max(1) as f64;
    let (measured, searched) = (processor.recall(bank, space), bank.space(space)?.searchable());
    let report = |(query, found): (&NeighbourQuery<'_>, Selection)| SearchReport {
        query: query.patch,
        k,
        space: space.into(),
        searched,
        candidates: found.candidates as u64,
        left_out: filter.words(&bank.spec().classes),
        let_through: found.searched,
        images: (bank.own_images(), bank.own_total_images()),
        recall: SearchRecall::of(measured),
        milliseconds,
        neighbours: found
            .hits
            .iter()
            .zip(found.copies)
            .map(|(hit, copies)| describe(bank, hit, query.of.kin, copies))
            .collect(),
    };
    Ok(queries.iter().zip(found).map(report).collect())
}

fn describe(bank: &Bank, hit: &Hit, kin: &Kin, copy_images: Vec<u32>) -> NeighbourReport {
    let patch = bank.patch_ref(hit.row);
    NeighbourReport {
        image: patch.image,
        y: patch.y,
        x: patch.x,
        cosine: hit.cosine,
        label: bank.label_of_row(hit.row),
        relation: kin.relation(bank, hit.row),
        copies: copy_images.len() + 1,
        copy_images,
    }
}
