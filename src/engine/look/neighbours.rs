//! Neighbours of a vector in a bank, as they are told.

use crate::bank::Bank;
use crate::engine::ask::{GalleryFilter, NeighbourReport, SearchReport};
use crate::engine::look::selection::nearest;
use crate::patch::PatchRef;
use crate::search::{Hit, Kin, Processor};
use std::time::Instant;
/// Which patches are wanted near a vector.
pub struct NeighbourQuery<'a> {
    /// The query patch, or one about a query that is none.
    pub patch: PatchRef,
    /// The rows of its parts, where the bank holds them, which are left out.
    pub own: &'a [usize],
    /// Its images and classes.
    pub kin: &'a Kin,
    pub k: usize,
    pub filter: &'a GalleryFilter,
}

/// Searches one space for what is near a vector, on `processor`: bringing a bank to a GPU would take longer than one search.
pub fn near(
    processor: &Processor,
    bank: &Bank,
    space: &str,
    vector: &[f32],
    wanted: &NeighbourQuery<'_>,
) -> anyhow::Result<SearchReport> {
    let NeighbourQuery { patch, own, kin, k, filter } = *wanted;
    let clock = Instant::now();
    let found = nearest(processor, bank, (space, vector), k, filter, own, kin)?;
    let milliseconds = clock.elapsed().as_secs_f64() * 1e3;
    let measured = processor.recall(bank, space);
    Ok(SearchReport {
        query: patch,
        k,
        space: space.into(),
        searched: bank.space(space)?.searchable(),
        candidates: found.candidates as u64,
        left_out: filter.words(&bank.spec().classes),
        let_through: found.searched,
        images: (bank.own_images(), bank.own_total_images()),
        exact: measured.is_none(),
        recall: measured.map_or(1.0, |measured| measured.recall),
        recall_queries: measured.map(|measured| measured.queries),
        milliseconds,
        neighbours: found
            .hits
            .iter()
            .zip(found.copies)
            .map(|(hit, copies)| describe(bank, hit, kin, copies))
            .collect(),
    })
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
