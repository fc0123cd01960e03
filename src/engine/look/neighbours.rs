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
    /// The query patch, or one about a query that is none.
    pub query: PatchRef,
    /// Neighbours that were asked for.
    pub k: usize,
    /// Name of the space.
    pub space: String,
    /// Patches that were searched.
    pub searched: u64,
    /// Those among which the filter let the neighbours be chosen; the query is none of them.
    pub candidates: u64,
    /// What the filter left out, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The same with the query: what a figure counts.
    #[serde(skip)]
    pub let_through: usize,
    /// Images that were searched, of those that the bank is planned for.
    #[serde(skip)]
    pub images: (usize, usize),
    /// Whether every patch was compared; it always is.
    pub exact: bool,
    /// Part of the true neighbours that were found; 1, as the search is exact.
    pub recall: f64,
    /// Time of the search.
    pub milliseconds: f64,
    /// The neighbours, best first.
    pub neighbours: Vec<NeighbourReport>,
}

/// One neighbour.
#[derive(Clone, Debug, Serialize)]
pub struct NeighbourReport {
    /// Index of its image in the data set.
    pub image: u32,
    /// Row of its upper left pixel.
    pub y: u32,
    /// Column of its upper left pixel.
    pub x: u32,
    /// Its cosine to the query, -1 to 1.
    pub cosine: f32,
    /// Class of its image, an index into the class names.
    pub label: Option<u32>,
    /// What its image has in common with the query's.
    pub relation: Relation,
    /// Images with the same pixels that it stands for, its own among them; 1 unless copies are folded.
    pub copies: usize,
    /// The others of them: their indices in the data set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copy_images: Vec<u32>,
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
        left_out: filter.words(&bank.spec().classes),
        let_through: found.searched,
        images: (bank.complete_images(), bank.total_images()),
        exact: true,
        recall: 1.0,
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
