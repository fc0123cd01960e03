//! Figures 5 and 7 to 12: the nearest patches of one or more queries.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde::Serialize;

use crate::bank::{Bank, Dtype, MemoryBank};
use crate::embed::{ExtractPlan, Extraction};
use crate::engine::ask::{FigureKind, NamedFilter, PatchSpace, defaults};
use crate::engine::figures::compose;
use crate::engine::figures::compose::GalleryWords;
use crate::engine::figures::galleries::GalleryMaker;
use crate::engine::figures::output::{Output, Written};
use crate::engine::jobs::compare::common_images;
use crate::engine::jobs::embed::{BankSource, data_of_bank};
use crate::engine::jobs::figures::choose;
use crate::engine::jobs::search::SearchRequest;
use crate::engine::jobs::{Job, open_embedder};
use crate::engine::look::neighbours::SearchReport;
use crate::model::{ModelSpec, Space};
use crate::patch::{PatchGrid, PatchRef};
use crate::search::Relation;

/// `bagssl gallery`.
pub struct GalleryRequest {
    pub search: SearchRequest,
    pub spaces: Vec<String>,
    /// Where the images of the bank lie, if they were moved.
    pub data: Option<String>,
    pub output: Output,
}

/// Result of `bagssl gallery`.
#[derive(Clone, Debug, Serialize)]
pub struct GalleryReport {
    pub spaces: Vec<SearchReport>,
    #[serde(flatten)]
    pub files: Written,
}

/// The patches that are searched.
#[derive(Clone)]
pub enum Haystack {
    /// A bank on disk, and where its images lie if they were moved.
    Bank { folder: PathBuf, data: Option<String> },
    /// Patches that are embedded for this figure alone.
    Fresh { model: ModelSpec, source: BankSource, patch: Option<u32>, stride: Option<u32> },
}

/// How several queries share a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A row of grids for each (Fig 5, 7, 8, 9).
    Gallery,
    /// A sheet of many parts (Fig 10).
    Parts,
    /// One image with numbered positions (Fig 11, 12), the image by its index if it is told.
    Instance(Option<usize>),
}

/// `bagssl figure fig5` and `fig7` to `fig12`.
pub struct GalleriesRequest {
    pub haystack: Haystack,
    /// The same patches under a second model, whose galleries follow (Fig 5, 7, 8, 9).
    pub beside: Option<Haystack>,
    pub layout: Layout,
    /// Image, top and left edge of each query patch; none leaves the choice to the seed.
    pub queries: Vec<(usize, u32, u32)>,
    /// Queries to choose where none are given, and how many of the seed's choice to pass over.
    pub count: usize,
    pub skip: usize,
    pub k: usize,
    pub spaces: Vec<String>,
    pub filter: NamedFilter,
    pub output: Output,
}

/// Result of `bagssl figure fig5` and `fig7` to `fig12`.
#[derive(Clone, Debug, Serialize)]
pub struct GalleriesReport {
    pub k: usize,
    /// Patches that were searched, of all.
    pub searched: u64,
    pub total: usize,
    pub queries: Vec<QueryReport>,
    #[serde(flatten)]
    pub files: Written,
}

/// One query and how often each relation is among its neighbours, for each space.
#[derive(Clone, Debug, Serialize)]
pub struct QueryReport {
    pub query: PatchRef,
    pub spaces: BTreeMap<String, Relations>,
    /// Under the second model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<BTreeMap<String, Relations>>,
}

/// Neighbours by relation.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Relations {
    pub same_image: usize,
    pub same_class: usize,
    pub other_class: usize,
    pub other_image: usize,
}

impl Relations {
    fn of(report: &SearchReport) -> Self {
        let count = |relation| report.neighbours.iter().filter(|n| n.relation == relation).count();
        Self {
            same_image: count(Relation::SameImage),
            same_class: count(Relation::SameClass),
            other_class: count(Relation::OtherClass),
            other_image: count(Relation::OtherImage),
        }
    }
}

/// Searches each space and draws the neighbours.
pub fn gallery(request: &GalleryRequest) -> anyhow::Result<GalleryReport> {
    request.output.check()?;
    let bank = Bank::open(&request.search.bank)?;
    let data = data_of_bank(&request.search.bank, &bank, request.data.as_deref())?;
    let filter = request.search.filter.resolve(&bank.spec().classes)?;
    let (image, y, x) = request.search.query;
    let patch = bank.patch_ref(bank.row_of(image, y, x)?);
    let mut finder = GalleryMaker::new(bank, data);
    let spaces = finder.search(patch, &[], &request.spaces, (request.search.k, &filter))?;
    let content = finder.content(&spaces)?;
    let (origin, search) = finder.origin(&filter);
    let words = GalleryWords { left_out: finder.left_out(&filter), notes: origin.notes() };
    let figure = compose::gallery(vec![content], words, &request.output.style)?;
    let files = request.output.save(&figure, origin.source(Some(&search)))?;
    Ok(GalleryReport { spaces, files })
}

/// Finds the neighbours of each query and draws them all on one page.
pub fn galleries(request: &GalleriesRequest, mut job: Job<'_>) -> anyhow::Result<GalleriesReport> {
    request.output.check()?;
    let mut finder = request.haystack.open(&request.spaces, &mut job)?;
    let mut other = request.second(&mut finder, &mut job)?;
    let filter = request.filter.resolve(&finder.bank.spec().classes)?;
    let found = request.places(&finder, job.seed)?.into_iter().map(|(image, y, x)| {
        job.cancel.check()?;
        let patch = finder.bank.patch_ref(finder.bank.row_of(image, y, x)?);
        let search = |finder: &GalleryMaker| finder.search(patch, &[], &request.spaces, (request.k, &filter));
        let beside = other.as_ref().map(search).transpose().context("the second model")?;
        Ok((patch, search(&finder)?, beside))
    });
    let found: Vec<_> = found.collect::<anyhow::Result<_>>()?;
    let (mut queries, mut reports, mut searched) = (vec![], vec![], 0);
    for (query, own, theirs) in &found {
        searched = own.iter().map(|space| space.searched).min().unwrap_or(0);
        reports.push(QueryReport {
            query: *query,
            spaces: relations(own),
            beside: theirs.as_deref().map(relations),
        });
        let mut content = [finder.content(own)?];
        if let Some((other, theirs)) = other.as_mut().zip(theirs.as_ref()) {
            compose::place_beside(&mut content, vec![other.content(theirs)?]);
        }
        queries.extend(content);
    }
    let (mut origin, search) = finder.origin(&filter);
    if let Some(other) = &other {
        origin = origin.beside(other.bank.spec().model.clone(), None);
    }
    let words = GalleryWords { left_out: finder.left_out(&filter), notes: origin.notes() };
    let figure = finder.figure(request.layout.kind(), queries, words, &request.output.style)?;
    let files = request.output.save(&figure, origin.source(Some(&search)))?;
    let total = finder.bank.total_patches();
    Ok(GalleriesReport { k: request.k, searched, total, queries: reports, files })
}

/// How often each relation is among the neighbours in each space.
fn relations(found: &[SearchReport]) -> BTreeMap<String, Relations> {
    found.iter().map(|space| (space.space.clone(), Relations::of(space))).collect()
}

impl Layout {
    fn kind(self) -> FigureKind {
        match self {
            Layout::Gallery => FigureKind::Galleries,
            Layout::Parts => FigureKind::Parts,
            Layout::Instance(_) => FigureKind::Instance,
        }
    }
}

impl GalleriesRequest {
    /// The patches under the second model; both finders then hold those that both have.
    fn second(&self, first: &mut GalleryMaker, job: &mut Job<'_>) -> anyhow::Result<Option<GalleryMaker>> {
        let Some(haystack) = &self.beside else { return Ok(None) };
        ensure!(
            self.layout == Layout::Gallery,
            "a sheet of small galleries has no second model; expected fig5, fig7, fig8 or fig9"
        );
        let mut other = haystack.open(&self.spaces, job).context("the second model")?;
        let images =
            common_images([&first.bank, &other.bank]).context("the two cannot stand side by side")?;
        first.bank = first.bank.first_images(images);
        other.bank = other.bank.first_images(images);
        Ok(Some(other))
    }

    /// The queries that were given, or that the seed chooses.
    fn places(&self, finder: &GalleryMaker, seed: u64) -> anyhow::Result<Vec<(usize, u32, u32)>> {
        if let (Layout::Instance(index), [first, ..]) = (self.layout, self.queries.as_slice()) {
            let image = index.unwrap_or(first.0);
            for (number, query) in self.queries.iter().enumerate() {
                ensure!(
                    query.0 == image,
                    "the figure is of one image, {image}; query {number} is of image {}",
                    query.0
                );
            }
        }
        if !self.queries.is_empty() {
            return Ok(self.queries.clone());
        }
        let place = |patch: &PatchRef| (patch.image as usize, patch.y, patch.x);
        let Layout::Instance(index) = self.layout else {
            let chosen = choose_of(finder, self.skip + self.count, seed)?;
            return Ok(chosen[self.skip..].iter().map(place).collect());
        };
        let first = match index {
            Some(image) => best_of_image(finder, image, seed)?,
            None => choose_of(finder, self.skip + 1, seed)?[self.skip],
        };
        let space = self.spaces.first().context("--space names no space")?;
        Ok(choose::unlike(&finder.bank, space, first, self.count)?.iter().map(place).collect())
    }
}

impl Haystack {
    /// The same patches under the model `named`, or in the bank of that name where this is a bank.
    pub fn with(&self, named: &str) -> Self {
        match self.clone() {
            Haystack::Bank { data, .. } => Haystack::Bank { folder: named.into(), data },
            Haystack::Fresh { source, patch, stride, .. } => {
                Haystack::Fresh { model: named.into(), source, patch, stride }
            }
        }
    }

    fn open(&self, spaces: &[String], job: &mut Job<'_>) -> anyhow::Result<GalleryMaker> {
        let (model, source, patch, stride) = match self {
            Haystack::Bank { folder, data } => {
                let bank = Bank::open(folder)?;
                let data = data_of_bank(folder, &bank, data.as_deref())?;
                return Ok(GalleryMaker::new(bank, data));
            }
            Haystack::Fresh { model, source, patch, stride } => (model, source, *patch, *stride),
        };
        let limit = Some(source.limit.unwrap_or(defaults::GALLERY_IMAGES));
        let data = BankSource { limit, ..source.clone() }.open()?;
        let mut network: Vec<Space> = vec![];
        let mut has_pixels = false;
        for space in spaces {
            match space.parse()? {
                PatchSpace::Network(space) => network.push(space),
                PatchSpace::Pixels => has_pixels = true,
            }
        }
        let (height, width) = data.size().unwrap_or_else(|| data.dimensions(0));
        let side = height.min(width);
        let patch = patch.unwrap_or(defaults::patch(side));
        let grid = PatchGrid::new(patch, stride.unwrap_or(defaults::gallery_stride(side, patch)))?;
        let (_, embedder) = open_embedder(job.device, model)?;
        let mut plan = ExtractPlan::new(&embedder, data.as_ref(), grid, &network, Dtype::F16)?;
        if has_pixels {
            plan = plan.with_pixels();
        }
        let mut bank = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
        let mut extraction = Extraction::start(plan, data.clone(), 0)?;
        while !extraction.is_finished() {
            job.cancel.check()?;
            extraction.advance(&embedder, &mut bank)?;
            (job.progress)(extraction.progress());
        }
        Ok(GalleryMaker::new(bank.snapshot(), data))
    }
}

/// Queries of the seed's choice.
fn choose_of(finder: &GalleryMaker, count: usize, seed: u64) -> anyhow::Result<Vec<PatchRef>> {
    let grid = finder.bank.spec().grid;
    choose::patches(finder.data.as_ref(), finder.bank.complete_images(), |_, _| Some(grid), count, seed)
}

fn best_of_image(finder: &GalleryMaker, image: usize, seed: u64) -> anyhow::Result<PatchRef> {
    finder.bank.image_entry(image)?;
    choose::place(&finder.data.image(image)?, image as u32, finder.bank.spec().grid, seed)
}
