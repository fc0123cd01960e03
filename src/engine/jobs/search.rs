//! Neighbours of a patch in a bank.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::bank::{Bank, VectorCache, open_bank};
use crate::dataset::Split;
use crate::engine::ask::SearchReport;
use crate::engine::ask::{NamedFilter, QuerySpec, SearchWay};
use crate::engine::jobs::Job;
use crate::engine::jobs::index::processor;
use crate::engine::look::neighbours::{NeighbourQuery, near};
use crate::engine::look::selection::{self, VectorQuery};
use crate::progress::CancelToken;
use crate::search::Processor;

/// Which patches may be neighbours.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// Its folder.
    pub bank: PathBuf,
    /// Image, top and left edge of the query patch.
    pub query: (usize, u32, u32),
    /// Number of neighbours.
    pub k: usize,
    /// What is left out of them.
    pub filter: NamedFilter,
    /// How the bank is searched.
    pub way: SearchWay,
    /// Where codes are kept of a bank beside which nothing can be written.
    pub cache: Option<VectorCache>,
}

/// `bagssl knn`.
pub fn knn(request: &SearchRequest, space: &str, mut job: Job<'_>) -> anyhow::Result<SearchReport> {
    let bank = open_bank(&request.bank)?;
    bank.space(space)?;
    let codes_of = (&[space.to_owned()][..], request.cache.as_ref());
    let processor = processor(request.way, &bank, codes_of, &mut job)?;
    search(&processor, &bank, request, space, job.cancel)
}

/// Searches one space.
fn search(
    processor: &Processor,
    bank: &Bank,
    request: &SearchRequest,
    space: &str,
    cancel: &CancelToken,
) -> anyhow::Result<SearchReport> {
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
    let patch = bank.patch_ref(row);
    let kin = &selection::kin(&QuerySpec::one(patch), bank, |_| None);
    let query = NeighbourQuery { patch, of: VectorQuery { vector: &vector, own: &[row], kin } };
    let found = near(processor, bank, space, &[query], (request.k, filter), cancel)?;
    found.into_iter().next().context("one query has one answer")
}
