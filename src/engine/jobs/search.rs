//! Neighbours of a patch in a bank.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use crate::bank::Bank;
use crate::patch::PatchRef;
use crate::search::{Hit, Options, Relation, top_k};

/// Which patches may be neighbours.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    pub bank: PathBuf,
    /// Image, top and left edge of the query patch.
    pub query: (usize, u32, u32),
    pub k: usize,
    pub exclude_same_image: bool,
    pub per_image: Option<usize>,
}

/// The neighbours in one space.
#[derive(Clone, Debug, Serialize)]
pub struct SearchReport {
    pub query: PatchRef,
    pub k: usize,
    pub space: String,
    /// Patches that were searched.
    pub searched: u64,
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
    let mut vector = vec![0.0; bank.width(space)?];
    bank.row_f32(space, row, &mut vector)?;
    let options = Options {
        exclude_rows: vec![row],
        exclude_images: request.exclude_same_image.then_some(image as u32).into_iter().collect(),
        per_image: request.per_image,
        ..Options::default()
    };
    let clock = Instant::now();
    let hits = top_k(bank, space, &vector, request.k, &options)?;
    let milliseconds = clock.elapsed().as_secs_f64() * 1e3;
    Ok(SearchReport {
        query: bank.patch_ref(row),
        k: request.k,
        space: space.into(),
        searched: bank.space(space)?.searchable(),
        exact: true,
        recall: 1.0,
        milliseconds,
        neighbours: hits.iter().map(|hit| describe(bank, hit, image)).collect(),
    })
}

fn describe(bank: &Bank, hit: &Hit, query_image: usize) -> NeighbourReport {
    let patch = bank.patch_ref(hit.row);
    let query_label = bank.image_entry(query_image).ok().and_then(|entry| entry.label);
    NeighbourReport {
        image: patch.image,
        y: patch.y,
        x: patch.x,
        cosine: hit.cosine,
        label: bank.label_of_row(hit.row),
        relation: Relation::of(bank, hit.row, Some(query_image as u32), query_label),
    }
}
