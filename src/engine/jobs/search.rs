//! Neighbours of a patch in a bank.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use serde::Serialize;

use crate::bank::Bank;
use crate::dataset::Split;
use crate::engine::selection::{GalleryFilter, NamedFilter, nearest};
use crate::patch::PatchRef;
use crate::search::{Hit, Kin, Processor, Relation};

/// Which patches may be neighbours.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    pub bank: PathBuf,
    /// Image, top and left edge of the query patch.
    pub query: (usize, u32, u32),
    pub k: usize,
    pub filter: NamedFilter,
}

/// Which patches are wanted near a vector.
pub struct Wanted<'a> {
    /// The query patch, and its row where the bank holds it, which is left out.
    pub patch: PatchRef,
    pub own: Option<usize>,
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
    /// Those among which the filter let the neighbours be chosen.
    pub candidates: u64,
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

/// `bagssl knn`.
pub fn knn(request: &SearchRequest, space: &str) -> anyhow::Result<SearchReport> {
    search(&Bank::open(&request.bank)?, request, space)
}

/// Searches one space.
pub fn search(bank: &Bank, request: &SearchRequest, space: &str) -> anyhow::Result<SearchReport> {
    let (image, y, x) = request.query;
    let row = bank.row_of(image, y, x)?;
    let filter = &request.filter.resolve(&bank.spec().classes)?;
    let of_bank = bank.spec().data.split;
    if let Some(split) = filter.split.filter(|split| of_bank != Some(Split::All) && of_bank != Some(*split)) {
        let holds = of_bank.map_or("images of no split", Split::name);
        bail!(
            "nothing of the {} split is in the bank, which holds {holds}; `embed --split all` takes both",
            split.name()
        );
    }
    let mut vector = vec![0.0; bank.width(space)?];
    bank.row_f32(space, row, &mut vector)?;
    near(bank, space, &vector, &Wanted { patch: bank.patch_ref(row), own: Some(row), k: request.k, filter })
}

/// Searches one space for what is near a vector.
pub fn near(bank: &Bank, space: &str, vector: &[f32], wanted: &Wanted<'_>) -> anyhow::Result<SearchReport> {
    let Wanted { patch, own, k, filter } = *wanted;
    let label = bank.image_entry(patch.image as usize).ok().and_then(|entry| entry.label);
    let kin = Kin { images: vec![patch.image], labels: label.into_iter().collect() };
    let clock = Instant::now();
    // Bringing a bank to a GPU would take longer than one search.
    let found = nearest(&Processor::cpu(), bank, (space, vector), k, filter, own.as_slice(), &kin)?;
    let milliseconds = clock.elapsed().as_secs_f64() * 1e3;
    Ok(SearchReport {
        query: patch,
        k,
        space: space.into(),
        searched: bank.space(space)?.searchable(),
        candidates: found.candidates as u64,
        exact: true,
        recall: 1.0,
        milliseconds,
        neighbours: found.hits.iter().map(|hit| describe(bank, hit, &kin)).collect(),
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
