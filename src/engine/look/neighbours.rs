//! Neighbours of a vector in a bank, as they are told.

use crate::bank::Bank;
use crate::engine::ask::GalleryFilter;
use crate::engine::look::selection::nearest;
use crate::patch::PatchRef;
use crate::search::{Hit, Kin, Processor, Relation};
use serde::Serialize;
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

/// The neighbours in one space.
#[derive(Clone, Debug, Serialize)]
pub struct SearchReport {
    pub query: PatchRef,
    pub k: usize,
    pub space: String,
    /// Patches that were searched.
    pub searched: u64,
    /// Those among which the filter let the neighbours be chosen; the query is none of them.
    pub candidates: u64,
    /// The same with the query: what a figure counts.
    #[serde(skip)]
    pub let_through: usize,
    pub exact: bool,
    /// Part of the true neighbours that were found; 1, as the search is exact.
    pub recall: f64,
    pub milliseconds: f64,
    pub neighbours: Vec<NeighbourReport>,
}

/// One neighbour.
#[derive(Clone, Debug, Serialize)]
pub struct NeighbourReport {
    pub image: u32,
    pub y: u32,
    pub x: u32,
    pub cosine: f32,
    pub label: Option<u32>,
    pub relation: Relation,
}

/// Searches one space for what is near a vector.
pub fn near(
    bank: &Bank,
    space: &str,
    vector: &[f32],
    wanted: &NeighbourQuery<'_>,
) -> anyhow::Result<SearchReport> {
    let NeighbourQuery { patch, own, kin, k, filter } = *wanted;
    let clock = Instant::now();
    // Bringing a bank to a GPU would take longer than one search.
    let found = nearest(&Processor::cpu(), bank, (space, vector), k, filter, own, kin)?;
    let milliseconds = clock.elapsed().as_secs_f64() * 1e3;
    Ok(SearchReport {
        query: patch,
        k,
        space: space.into(),
        searched: bank.space(space)?.searchable(),
        candidates: found.candidates as u64,
        let_through: found.searched,
        exact: true,
        recall: 1.0,
        milliseconds,
        neighbours: found.hits.iter().map(|hit| describe(bank, hit, kin)).collect(),
    })
}

fn describe(bank: &Bank, hit: &Hit, kin: &Kin) -> NeighbourReport {
    let patch = bank.patch_ref(hit.row);
    NeighbourReport {
        image: patch.image,
        y: patch.y,
        x: patch.x,
        cosine: hit.cosine,
        label: bank.label_of_row(hit.row),
        relation: kin.relation(bank, hit.row),
    }
}
