//! Figures 5 and 7 to 12: the nearest patches of one or more queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::Serialize;

use crate::bank::{Bank, StoredSpace, open_bank};
use crate::engine::ask::Output;
use crate::engine::ask::{Beside, FigureContent, FigureKind, FigureQuery, FigureRequest, defaults};
use crate::engine::ask::{SearchRecall, SearchReport};
use crate::engine::figures::assemble::{FigureBank, FoundNeighbours, Material, assemble};
use crate::engine::figures::galleries::GalleryMaker;
use crate::engine::figures::output::Written;
use crate::engine::jobs::compare::common_images;
use crate::engine::jobs::embed::data_of_bank;
use crate::engine::jobs::figures::choose;
use crate::engine::jobs::figures::request::{GallerySource, Haystack, QueryChoice};
use crate::engine::jobs::fresh;
use crate::engine::jobs::index::processor;
use crate::engine::jobs::{Job, open_embedder};
use crate::engine::look::spaces::crop_names;
use crate::patch::{PatchGrid, PatchRef};
use crate::search::{Processor, Relation};

/// Result of `bagssl gallery`.
#[derive(Clone, Debug, Serialize)]
pub struct GalleryReport {
    /// One for each space, in the order in which they were asked for.
    pub spaces: Vec<SearchReport>,
    /// The files that were written.
    #[serde(flatten)]
    pub files: Written,
}

/// Result of `bagssl figure fig5` and `fig7` to `fig12`.
#[derive(Clone, Debug, Serialize)]
pub struct GalleriesReport {
    /// Neighbours that were found: the most of any query and space.
    pub k: usize,
    /// The fewest.
    pub fewest: usize,
    /// Patches that were searched: the fewest of any space, for the last query.
    pub searched: u64,
    /// Patches of the first bank once it is complete.
    pub total: usize,
    /// How surely the neighbours in each space are the nearest, by its name.
    pub searches: BTreeMap<String, SearchRecall>,
    /// Under the second model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside_searches: Option<BTreeMap<String, SearchRecall>>,
    /// In reading order.
    pub queries: Vec<QueryReport>,
    /// The files that were written.
    #[serde(flatten)]
    pub files: Written,
}

/// One query and how often each relation is among its neighbours, for each space.
#[derive(Clone, Debug, Serialize)]
pub struct QueryReport {
    /// The query patch.
    pub query: PatchRef,
    /// By name of the space.
    pub spaces: BTreeMap<String, Relations>,
    /// Under the second model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<BTreeMap<String, Relations>>,
}

/// Neighbours by relation.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Relations {
    /// Patches of the query's image.
    pub same_image: usize,
    /// Patches of other images of the query's class.
    pub same_class: usize,
    /// Patches of images of other classes.
    pub other_class: usize,
    /// Patches of other images, where one of the two has no label.
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

/// `bagssl gallery`: the neighbours of one patch.
pub fn gallery(
    request: FigureRequest,
    source: &GallerySource,
    output: &Output,
    job: Job<'_>,
) -> anyhow::Result<GalleryReport> {
    let Drawn { found, files, .. } = draw(request, source, output, job)?;
    Ok(GalleryReport { spaces: found.into_iter().flat_map(|found| found.own).collect(), files })
}

/// `bagssl figure fig5` and `fig7` to `fig12`: the neighbours of each query, all on one page.
pub fn galleries(
    request: FigureRequest,
    source: &GallerySource,
    output: &Output,
    job: Job<'_>,
) -> anyhow::Result<GalleriesReport> {
    let Drawn { found, patch, total, files } = draw(request, source, output, job)?;
    let searched = found.last().and_then(|found| found.own.iter().map(|space| space.searched).min());
    // A small bank, or a filter, has fewer than were asked for.
    let spaces = found.iter().flat_map(|found| found.own.iter().chain(found.beside.iter().flatten()));
    let counts: Vec<usize> = spaces.map(|space| space.neighbours.len()).collect();
    let report = |found: &FoundNeighbours| QueryReport {
        query: found.query.place(patch),
        spaces: relations(&found.own),
        beside: found.beside.as_deref().map(relations),
    };
    let recalls =
        |found: &[SearchReport]| found.iter().map(|space| (space.space.clone(), space.recall)).collect();
    Ok(GalleriesReport {
        k: counts.iter().copied().max().unwrap_or(0),
        fewest: counts.iter().copied().min().unwrap_or(0),
        searched: searched.unwrap_or(0),
        total,
        searches: found.first().map_or_else(BTreeMap::new, |found| recalls(&found.own)),
        beside_searches: found.first().and_then(|found| found.beside.as_deref()).map(recalls),
        queries: found.iter().map(report).collect(),
        files,
    })
}

/// A figure that is written, and what it shows.
struct Drawn {
    found: Vec<FoundNeighbours>,
    /// Side of a patch, pixels.
    patch: u32,
    /// Patches of the first bank.
    total: usize,
    files: Written,
}

/// Opens what is searched, completes the request and draws it.
fn draw(
    mut request: FigureRequest,
    source: &GallerySource,
    output: &Output,
    mut job: Job<'_>,
) -> anyhow::Result<Drawn> {
    output.check(&request.style)?;
    let content = &mut request.content;
    let mut finder = source.haystack.open(&mut content.spaces, &mut job)?;
    finder.processor = source.processor(&finder, &content.spaces, &mut job)?;
    let other = source.second(content, &mut finder, &mut job)?;
    content.filter = source.filter.resolve(&finder.bank.spec().classes)?;
    let patches = source.patches(content, (&finder, other.as_ref()), job.seed)?;
    content.queries = patches.into_iter().map(FigureQuery::from).collect();
    let hash = other.as_ref().map(|other| other.bank.spec().model.hash.clone());
    content.beside = hash.map(|hash| Beside { hash, step: None });
    let (patch, total) = (finder.bank.spec().grid.patch, finder.bank.total_searchable());
    let queries: Vec<_> = content.queries.iter().map(|query| (query.clone(), vec![])).collect();
    let bank = |finder: GalleryMaker| FigureBank { finder: Box::new(finder), queries: queries.clone() };
    let material =
        Material::Search { haystack: bank(finder), beside: other.map(|other| (bank(other), None)) };
    let made = assemble(&request.content, material, &request.style, job.cancel)?;
    let files = made.write(&output.out, request.style.dpi, output.caption.as_deref())?;
    Ok(Drawn { found: made.found, patch, total, files })
}

/// How often each relation is among the neighbours in each space.
fn relations(found: &[SearchReport]) -> BTreeMap<String, Relations> {
    found.iter().map(|space| (space.space.clone(), Relations::of(space))).collect()
}

impl GallerySource {
    /// What searches `spaces` of a bank that is whole.
    fn processor(
        &self,
        finder: &GalleryMaker,
        spaces: &[String],
        job: &mut Job<'_>,
    ) -> anyhow::Result<Arc<Processor>> {
        Ok(Arc::new(processor(self.way, &finder.bank, (spaces, self.cache.as_ref()), job)?))
    }

    /// The patches under the second model; both finders then hold those that both have.
    fn second(
        &self,
        content: &FigureContent,
        first: &mut GalleryMaker,
        job: &mut Job<'_>,
    ) -> anyhow::Result<Option<GalleryMaker>> {
        let Some(haystack) = &self.beside else { return Ok(None) };
        ensure!(
            content.kind == FigureKind::Galleries,
            "a sheet of small galleries has no second model; expected fig5, fig7, fig8 or fig9"
        );
        let grid = first.bank.spec().grid;
        let mut spaces = content.spaces.clone();
        let other = haystack.of_patches(grid).open(&mut spaces, job);
        let mut other = other.context("the second model")?;
        other.processor = self.processor(&other, &content.spaces, job).context("the second model")?;
        let images =
            common_images([&first.bank, &other.bank]).context("the two cannot stand side by side")?;
        first.bank = first.bank.first_images(images);
        other.bank = other.bank.first_images(images);
        Ok(Some(other))
    }

    /// The queries that were given, or that the seed chooses.
    fn patches(
        &self,
        content: &FigureContent,
        (finder, other): (&GalleryMaker, Option<&GalleryMaker>),
        seed: u64,
    ) -> anyhow::Result<Vec<PatchRef>> {
        let is_instance = content.kind == FigureKind::Instance;
        if let (true, [first, ..]) = (is_instance, self.queries.as_slice()) {
            let image = self.choice.index.unwrap_or(first.0);
            for (number, query) in self.queries.iter().enumerate() {
                ensure!(
                    query.0 == image,
                    "the figure is of one image, {image}; query {number} is of image {}",
                    query.0
                );
            }
        }
        if !self.queries.is_empty() {
            let bank = &finder.bank;
            let patch = |&(image, y, x): &(usize, u32, u32)| Ok(bank.patch_ref(bank.row_of(image, y, x)?));
            return self.queries.iter().map(patch).collect();
        }
        let QueryChoice { count, skip, index } = self.choice;
        let banks = [Some(finder), other].into_iter().flatten().map(|finder| &finder.bank);
        let has = has_vectors(banks, &content.spaces)?;
        if !is_instance {
            return Ok(choose_of(finder, skip + count, seed, has)?.split_off(skip));
        }
        let first = match index {
            Some(image) => best_of_image(finder, image, seed, has)?,
            None => choose_of(finder, skip + 1, seed, has)?[skip],
        };
        let space = content.spaces.first().context("--space names no space")?;
        choose::unlike(&finder.bank, space, first, count)
    }
}

impl Haystack {
    /// Opens or embeds them. Where no `spaces` are told they become the usual ones.
    fn open(&self, spaces: &mut Vec<String>, job: &mut Job<'_>) -> anyhow::Result<GalleryMaker> {
        let or_usual = |spaces: &mut Vec<String>, all: &[String]| {
            if spaces.is_empty() {
                *spaces = defaults::spaces(all);
            }
        };
        let (model, source, patch, stride) = match self {
            Haystack::Bank { folder, data } => {
                let bank = open_bank(folder)?;
                or_usual(spaces, &bank.spaces().map(String::from).collect::<Vec<_>>());
                let data = data_of_bank(folder, &bank, data.as_ref())?;
                return Ok(GalleryMaker::new(bank, data));
            }
            Haystack::Fresh { model, source, patch, stride } => (model, source, *patch, *stride),
        };
        let limit = Some(source.limit.unwrap_or(defaults::GALLERY_IMAGES));
        let data = source.open()?;
        let side = data.short_side();
        let (_, embedder) = open_embedder(job.device, model)?;
        or_usual(spaces, &crop_names(&embedder.info));
        let spaces = spaces.iter().map(|space| space.parse()).collect::<anyhow::Result<Vec<_>>>()?;
        let patch = patch.unwrap_or(defaults::patch_for(side, &embedder.info.trained_crops()));
        let grid = PatchGrid::new(patch, stride.unwrap_or(defaults::gallery_stride(side, patch)))?;
        let plan = fresh::plan(&embedder, data.as_ref(), limit, grid, &spaces)?;
        Ok(GalleryMaker::new(fresh::embedded(plan, &data, &embedder, job)?, data))
    }
}

/// Whether a patch has a vector in each of `spaces` of all `banks`, as far as they have these.
fn has_vectors<'a>(
    banks: impl Iterator<Item = &'a Bank>,
    spaces: &[String],
) -> anyhow::Result<impl Fn(PatchRef) -> bool> {
    let mut stored = vec![];
    for bank in banks {
        for space in spaces.iter().filter(|space| bank.spaces().any(|other| other == *space)) {
            stored.push((bank, bank.space(space)?));
        }
    }
    Ok(move |patch: PatchRef| {
        let has = |(bank, space): &(&Bank, StoredSpace<'_>)| {
            bank.row_of(patch.image as usize, patch.y, patch.x).is_ok_and(|row| space.has(row))
        };
        stored.iter().all(has)
    })
}

/// Queries of the seed's choice, of patches that `has` vectors.
fn choose_of(
    finder: &GalleryMaker,
    count: usize,
    seed: u64,
    has: impl Fn(PatchRef) -> bool,
) -> anyhow::Result<Vec<PatchRef>> {
    let grid = finder.bank.spec().grid;
    let mut images: Vec<usize> = finder.bank.images().iter().map(|image| image.index as usize).collect();
    images.sort_unstable();
    choose::patches(finder.data.as_ref(), images, (|_, _| Some(grid), has), count, seed)
}

fn best_of_image(
    finder: &GalleryMaker,
    image: usize,
    seed: u64,
    has: impl Fn(PatchRef) -> bool,
) -> anyhow::Result<PatchRef> {
    finder.bank.image_entry(image)?;
    choose::place(&finder.data.image(image)?, image as u32, finder.bank.spec().grid, seed, has)
}
