//! The one place where a figure comes together, for the window and the command line alike: what it shows and what
//! was gathered for it become panels, titles, notes, and what its sidecar keeps of where it came from.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::engine::ask::SearchReport;
use crate::engine::ask::{FigureContent, FigureKind, FigureQuery, Style};
use crate::engine::figures::compose;
use crate::engine::figures::compose::{HeatmapContent, Origin, QueryContent};
use crate::engine::figures::galleries::GalleryMaker;
use crate::engine::figures::output::{Written, write_caption};
use crate::engine::figures::rows::MapRow;
use crate::engine::figures::tiling::tiles_behind;
use crate::figure::Figure;
use crate::patch::PatchRef;
use crate::progress::CancelToken;

/// What a figure is made of.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is moved a few times")]
pub enum Material {
    /// The heatmaps of each query, and those under a second model.
    Rows { rows: Vec<MapRow>, beside: Option<Vec<MapRow>>, origin: Origin },
    /// Where to search for the neighbours of each query, and where under a second model, which is a checkpoint of
    /// this step.
    Search { haystack: FigureBank, beside: Option<(FigureBank, Option<u64>)> },
}

/// Where to search, and the queries with their vectors in the order of the content's spaces.
pub struct FigureBank {
    pub finder: Box<GalleryMaker>,
    /// No vectors are needed for a patch that the bank holds.
    pub queries: Vec<(FigureQuery, Vec<Vec<f32>>)>,
}

/// The neighbours of one query in each space, and those under the second model.
pub struct FoundNeighbours {
    pub query: FigureQuery,
    pub own: Vec<SearchReport>,
    pub beside: Option<Vec<SearchReport>>,
}

/// A figure, and what is told beside it.
pub struct Made {
    pub figure: Figure,
    origin: Origin,
    /// Its spaces as comparisons call them ("z A"), in their order.
    spaces: Vec<String>,
    /// What its sidecar keeps of where it came from.
    source: Value,
    /// What its neighbours are; nothing of heatmaps.
    pub found: Vec<FoundNeighbours>,
    /// Patches that were searched, of all, if it shows neighbours.
    pub searched: Option<(usize, usize)>,
}

/// The figure.
///
/// # Errors
/// A font that cannot be had, a space that a bank lacks, pixels that cannot be read any more, queries with unequal
/// numbers of neighbours, an instance of several images; cancelled.
pub fn assemble(
    content: &FigureContent,
    material: Material,
    style: &Style,
    cancel: &CancelToken,
) -> anyhow::Result<Made> {
    let mut made = match material {
        Material::Rows { rows, beside, origin } => Ok(heatmaps(content, (rows, beside), origin, style)),
        Material::Search { haystack, beside } => {
            let found = search(content, &haystack, beside.as_ref().map(|(bank, _)| bank), cancel)?;
            neighbours(content, (haystack, beside), found, style)
        }
    }?;
    made.dress(style)?;
    Ok(made)
}

fn heatmaps(
    content: &FigureContent,
    (rows, beside): (Vec<MapRow>, Option<Vec<MapRow>>),
    origin: Origin,
    style: &Style,
) -> Made {
    let mode = content.mode;
    let tiles = |rows: &[MapRow]| rows.iter().find_map(|row| Some(row.tiles?.choice.tiles));
    let origin = origin.in_tiles(tiles(&rows), beside.as_deref().and_then(tiles));
    let contents: Vec<_> = match beside {
        None => rows.into_iter().map(|row| row.content(mode)).collect(),
        Some(other) => {
            rows.into_iter().zip(&other).map(|(row, other)| row.content_beside(other, mode)).collect()
        }
    };
    let spaces = contents
        .first()
        .map_or(vec![], |row: &HeatmapContent| row.maps.iter().map(|(space, _)| space.clone()).collect());
    let figure = compose::heatmap(contents, mode, style);
    let source = origin.source(None);
    Made { figure, origin, spaces, source, found: vec![], searched: None }
}

/// Searches for all queries under both models.
fn search(
    content: &FigureContent,
    haystack: &FigureBank,
    beside: Option<&FigureBank>,
    cancel: &CancelToken,
) -> anyhow::Result<Vec<FoundNeighbours>> {
    let near = |bank: &FigureBank| {
        let wanted = (content.neighbours, &content.filter);
        bank.finder.search(&bank.queries, &content.spaces, wanted, cancel)
    };
    let beside = beside.map(near).transpose().context("the second model")?;
    let mut beside = beside.map(Vec::into_iter);
    let found = |((query, _), own): (&(FigureQuery, _), Vec<SearchReport>)| FoundNeighbours {
        query: query.clone(),
        own,
        beside: beside.as_mut().and_then(Iterator::next),
    };
    Ok(haystack.queries.iter().zip(near(haystack)?).map(found).collect())
}

fn neighbours(
    content: &FigureContent,
    (haystack, beside): (FigureBank, Option<(FigureBank, Option<u64>)>),
    found: Vec<FoundNeighbours>,
    style: &Style,
) -> anyhow::Result<Made> {
    let mut finder = haystack.finder;
    let mut contents: Vec<QueryContent> =
        found.iter().map(|found| finder.content(&found.query, &found.own)).collect::<anyhow::Result<_>>()?;
    let (mut origin, search) = finder.origin(&content.filter, &content.spaces);
    if let Some((FigureBank { finder: mut other, .. }, step)) = beside {
        let theirs = found.iter().filter_map(|found| Some((&found.query, found.beside.as_deref()?)));
        let theirs =
            theirs.map(|(query, reports)| other.content(query, reports)).collect::<anyhow::Result<_>>()?;
        compose::place_beside(&mut contents, theirs);
        let (spec, own) = (other.bank.spec(), origin.tiles);
        let tiles = tiles_behind(spec, &content.spaces);
        origin = origin.beside(spec.model.clone(), step).in_tiles(own, tiles);
    }
    let mut left_out = finder.left_out(&content.filter);
    left_out.extend(found.first().map_or(vec![], found_by_codes));
    let total = contents.first().and_then(|query| query.spaces.first()).map(|space| space.total);
    let searched = total.map(|total| (finder.bank.searchable(), total));
    let spaces = contents
        .first()
        .map_or(vec![], |query| query.spaces.iter().map(|space| space.space.clone()).collect());
    let figure = page(content.kind, &mut finder, contents, left_out, style)?;
    let source = origin.source(Some(&search));
    Ok(Made { figure, origin, spaces, source, found, searched })
}

/// In which spaces, as comparisons call them, neighbours were found by codes, and how surely.
fn found_by_codes(found: &FoundNeighbours) -> Vec<String> {
    let [first, second] = if found.beside.is_some() { [" A", " B"] } else { [""; 2] };
    let own = found.own.iter().map(|report| (report, first));
    let beside = found.beside.iter().flatten().map(|report| (report, second));
    let by_codes = own.chain(beside).filter(|(report, _)| !report.recall.exact);
    by_codes.map(|(report, model)| format!("{}{model} {}", report.space, report.recall)).collect()
}

/// The queries and their neighbours, laid out as a figure of `kind`.
fn page(
    kind: FigureKind,
    finder: &mut GalleryMaker,
    mut queries: Vec<QueryContent>,
    left_out: Vec<String>,
    style: &Style,
) -> anyhow::Result<Figure> {
    let first = queries.first().context("there is no query to show")?.patch.image;
    match kind {
        FigureKind::Heatmaps => anyhow::bail!("heatmaps show no neighbours"),
        FigureKind::Galleries => compose::gallery(queries, left_out, style),
        FigureKind::Parts => compose::sheet(None, queries, left_out, style),
        FigureKind::Instance => {
            for query in &mut queries {
                let PatchRef { image, y, x, .. } = query.patch;
                ensure!(image == first, "the figure is of one image, {first}; a query is of image {image}");
                query.title = format!("at y {y}, x {x}");
            }
            let (image, title) = (finder.image(first)?, finder.title(first as usize));
            compose::sheet(Some((&image, title)), queries, left_out, style)
        }
    }
}

impl Made {
    /// Gives it another look; what it shows stays.
    ///
    /// # Errors
    /// Its font cannot be had.
    pub fn dress(&mut self, style: &Style) -> anyhow::Result<()> {
        let font = style.font.load()?;
        compose::dress(&mut self.figure, style);
        self.figure.set_font(font);
        compose::name_models(&mut self.figure, &self.origin, &self.spaces, &style.names);
        Ok(())
    }

    /// Writes it, its sidecar and, where `caption` is told, its caption; `dpi` counts for a PNG.
    pub fn write(&self, out: &Path, dpi: u32, caption: Option<&Path>) -> anyhow::Result<Written> {
        let saved = self.figure.save(out, dpi, self.source.clone())?;
        write_caption(&self.figure, saved, caption)
    }
}
