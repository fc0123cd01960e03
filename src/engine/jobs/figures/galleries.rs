//! Figures 5 and 7 to 12: the nearest patches of one or more queries.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::Serialize;

use super::{Output, Written, choose};
use crate::bank::{Bank, Dtype, MemoryBank};
use crate::dataset::Dataset;
use crate::embed::{ExtractPlan, Extraction};
use crate::engine::compose::{
    self, Cell, GalleryContent, Origin, QueryContent, SearchFacts, Style, image_title,
};
use crate::engine::defaults;
use crate::engine::jobs::embed::{BankSource, data_of_bank};
use crate::engine::jobs::search::{SearchReport, SearchRequest, search};
use crate::engine::jobs::{Job, open_embedder};
use crate::image::Image;
use crate::model::{ModelSpec, Space};
use crate::patch::{PatchGrid, PatchRef};
use crate::search::Relation;

/// Decoded images that are kept while a gallery is put together.
const KEPT_IMAGES: usize = 32;

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
    pub layout: Layout,
    /// Image, top and left edge of each query patch; none leaves the choice to the seed.
    pub queries: Vec<(usize, u32, u32)>,
    /// Queries to choose where none are given, and how many of the seed's choice to pass over.
    pub count: usize,
    pub skip: usize,
    pub k: usize,
    pub spaces: Vec<String>,
    pub exclude_same_image: bool,
    pub per_image: Option<usize>,
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
    let mut hunt = Hunt::new(bank, data);
    let (content, spaces) = hunt.query(&request.search, &request.spaces)?;
    let (origin, search) = hunt.origin(request.search.exclude_same_image, request.search.per_image);
    let figure = compose::gallery(vec![content], origin.notes(), &request.output.style)?;
    let files = request.output.save(&figure, origin.source(Some(&search)))?;
    Ok(GalleryReport { spaces, files })
}

/// Finds the neighbours of each query and draws them all on one page.
pub fn galleries(request: &GalleriesRequest, mut job: Job<'_>) -> anyhow::Result<GalleriesReport> {
    request.output.check()?;
    let mut hunt = request.haystack.open(&request.spaces, &mut job)?;
    let queries = request.places(&hunt, job.seed)?;
    let mut contents = vec![];
    let mut reports = vec![];
    let mut searched = 0;
    for &query in &queries {
        job.cancel.check()?;
        let search = SearchRequest {
            bank: PathBuf::new(),
            query,
            k: request.k,
            exclude_same_image: request.exclude_same_image,
            per_image: request.per_image,
        };
        let (mut content, spaces) = hunt.query(&search, &request.spaces)?;
        if let Layout::Instance(_) = request.layout {
            content.title = format!("at y {}, x {}", content.patch.y, content.patch.x);
        }
        searched = spaces.iter().map(|space| space.searched).min().unwrap_or(0);
        let counts = spaces.iter().map(|space| (space.space.clone(), Relations::of(space)));
        reports.push(QueryReport { query: content.patch, spaces: counts.collect() });
        contents.push(content);
    }
    let (origin, search) = hunt.origin(request.exclude_same_image, request.per_image);
    let figure = request.draw(&hunt, contents, origin.notes(), &request.output.style)?;
    let files = request.output.save(&figure, origin.source(Some(&search)))?;
    let total = hunt.bank.total_patches();
    Ok(GalleriesReport { k: request.k, searched, total, queries: reports, files })
}

impl GalleriesRequest {
    /// The queries that were given, or that the seed chooses.
    fn places(&self, hunt: &Hunt, seed: u64) -> anyhow::Result<Vec<(usize, u32, u32)>> {
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
            let chosen = hunt.choose(self.skip + self.count, seed)?;
            return Ok(chosen[self.skip..].iter().map(place).collect());
        };
        let first = match index {
            Some(image) => hunt.best_of_image(image, seed)?,
            None => hunt.choose(self.skip + 1, seed)?[self.skip],
        };
        let space = self.spaces.first().context("--space names no space")?;
        Ok(choose::unlike(&hunt.bank, space, first, self.count)?.iter().map(place).collect())
    }

    fn draw(
        &self,
        hunt: &Hunt,
        queries: Vec<QueryContent>,
        notes: Vec<String>,
        style: &Style,
    ) -> anyhow::Result<crate::figure::Figure> {
        match self.layout {
            Layout::Gallery => compose::gallery(queries, notes, style),
            Layout::Parts => compose::sheet(None, queries, notes, style),
            Layout::Instance(_) => {
                let index = queries[0].patch.image as usize;
                let image = hunt.data.image(index)?;
                compose::sheet(Some((&image, hunt.title(index))), queries, notes, style)
            }
        }
    }
}

impl Haystack {
    fn open(&self, spaces: &[String], job: &mut Job<'_>) -> anyhow::Result<Hunt> {
        let (model, source, patch, stride) = match self {
            Haystack::Bank { folder, data } => {
                let bank = Bank::open(folder)?;
                let data = data_of_bank(folder, &bank, data.as_deref())?;
                return Ok(Hunt::new(bank, data));
            }
            Haystack::Fresh { model, source, patch, stride } => (model, source, *patch, *stride),
        };
        let limit = Some(source.limit.unwrap_or(defaults::GALLERY_IMAGES));
        let data = BankSource { limit, ..source.clone() }.open()?;
        let spaces = spaces.iter().map(|space| space.parse()).collect::<anyhow::Result<Vec<Space>>>()?;
        let (height, width) = data.size().unwrap_or_else(|| data.dimensions(0));
        let side = height.min(width);
        let patch = patch.unwrap_or(defaults::patch(side));
        let grid = PatchGrid::new(patch, stride.unwrap_or(defaults::gallery_stride(side, patch)))?;
        let (_, embedder) = open_embedder(job.device, model)?;
        let plan = ExtractPlan::new(&embedder, data.as_ref(), grid, &spaces, Dtype::F16)?;
        let mut bank = MemoryBank::new(plan.spec.clone(), plan.images.clone())?;
        let mut extraction = Extraction::start(plan, data.clone(), 0)?;
        while !extraction.is_finished() {
            job.cancel.check()?;
            extraction.advance(&embedder, &mut bank)?;
            (job.progress)(extraction.progress());
        }
        Ok(Hunt::new(bank.snapshot(), data))
    }
}

/// A bank, its images, and those that are decoded already.
struct Hunt {
    bank: Bank,
    data: Arc<dyn Dataset>,
    images: BTreeMap<u32, Arc<Image>>,
}

impl Hunt {
    fn new(bank: Bank, data: Arc<dyn Dataset>) -> Self {
        Self { bank, data, images: BTreeMap::new() }
    }

    fn origin(&self, exclude_same_image: bool, per_image: Option<usize>) -> (Origin, SearchFacts) {
        let spec = self.bank.spec();
        (Origin::of_bank(spec), SearchFacts { grid: spec.grid, exclude_same_image, per_image })
    }

    /// "image 12 · horse".
    fn title(&self, image: usize) -> String {
        let class = self.data.label(image).and_then(|label| self.data.classes().get(label as usize));
        image_title(image, class.map(String::as_str))
    }

    /// Queries of the seed's choice.
    fn choose(&self, count: usize, seed: u64) -> anyhow::Result<Vec<PatchRef>> {
        let grid = self.bank.spec().grid;
        choose::patches(self.data.as_ref(), self.bank.complete_images(), |_, _| Some(grid), count, seed)
    }

    fn best_of_image(&self, image: usize, seed: u64) -> anyhow::Result<PatchRef> {
        self.bank.image_entry(image)?;
        choose::place(&self.data.image(image)?, image as u32, self.bank.spec().grid, seed)
    }

    /// A query's neighbours in each space, with their pixels.
    fn query(
        &mut self,
        request: &SearchRequest,
        spaces: &[String],
    ) -> anyhow::Result<(QueryContent, Vec<SearchReport>)> {
        let reports = spaces.iter().map(|space| search(&self.bank, request, space));
        let reports: Vec<SearchReport> = reports.collect::<anyhow::Result<_>>()?;
        let patch = reports.first().context("--space names no space")?.query;
        let mut contents = vec![];
        for report in &reports {
            let mut cells = vec![];
            for neighbour in &report.neighbours {
                let patch =
                    PatchRef { image: neighbour.image, y: neighbour.y, x: neighbour.x, size: patch.size };
                let (cosine, relation) = (neighbour.cosine, neighbour.relation);
                cells.push(Cell { patch, pixels: self.pixels(patch)?, cosine, relation });
            }
            let (searched, total) = (report.searched as usize, self.bank.total_patches());
            contents.push(GalleryContent { space: report.space.clone(), searched, total, cells });
        }
        let title = self.title(patch.image as usize);
        Ok((QueryContent { patch, pixels: self.pixels(patch)?, title, spaces: contents }, reports))
    }

    fn pixels(&mut self, patch: PatchRef) -> anyhow::Result<Arc<Image>> {
        let image = match self.images.get(&patch.image) {
            Some(image) => image.clone(),
            None => {
                let image = Arc::new(self.data.image(patch.image as usize)?);
                // A bound on memory, whatever the size of the images.
                if self.images.len() >= KEPT_IMAGES {
                    self.images.clear();
                }
                self.images.insert(patch.image, image.clone());
                image
            }
        };
        Ok(Arc::new(image.crop(patch.y, patch.x, patch.size, patch.size)))
    }
}
