//! Figures 4 and 6: heatmaps of one or more queries.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::embed::Embedder;
use crate::engine::ask::Output;
use crate::engine::ask::{Beside, FigureRequest, Heatmap, PatchSpace, defaults};
use crate::engine::figures::assemble::{Material, assemble};
use crate::engine::figures::compose::Origin;
use crate::engine::figures::output::Written;
use crate::engine::figures::rows::{Ask, MapRow, MapRows};
use crate::engine::jobs::figures::request::MapSource;
use crate::engine::jobs::figures::sources::{Place, Sources, centre};
use crate::engine::jobs::{Job, open_embedder};
use crate::engine::look::spaces::crop_names;
use crate::files;
use crate::model::ModelInfo;
use crate::patch::PatchRef;
use crate::tiles::TilesOfImage;

/// Range and mean of one map.
#[derive(Clone, Debug, Serialize)]
pub struct MapSummary {
    /// The least cosine.
    pub min: f32,
    /// The greatest cosine.
    pub max: f32,
    /// The mean of all cosines.
    pub mean: f32,
}

/// Result of `bagssl heatmap`.
#[derive(Clone, Debug, Serialize)]
pub struct HeatmapReport {
    /// Rows of the map, one for each stride down the image.
    pub rows: usize,
    /// Columns of the map, one for each stride across the image.
    pub cols: usize,
    /// The query patch.
    pub query: Corner,
    /// The point that was asked about, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<AskedPoint>,
    /// By name of the space.
    pub spaces: BTreeMap<String, MapSummary>,
    /// The tiles in which the image went through for spaces of places, where it is larger than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiles: Option<TilesOfImage>,
    /// The files that were written.
    #[serde(flatten)]
    pub files: Written,
}

/// A point that was asked about, and the centre of the patch that it became. All in pixels of the image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AskedPoint {
    /// From the left edge.
    pub x: f32,
    /// From the top edge.
    pub y: f32,
    /// Of the patch's centre, from the left edge.
    pub centre_x: f32,
    /// Of the patch's centre, from the top edge.
    pub centre_y: f32,
    /// From the point to the centre.
    pub distance: f32,
}

impl AskedPoint {
    fn new((x, y): (f32, f32), patch: PatchRef) -> Self {
        let (centre_x, centre_y) = centre(patch);
        Self { x, y, centre_x, centre_y, distance: (x - centre_x).hypot(y - centre_y) }
    }

    /// "--at 100,60 became the patch at y 48, x 88 (its centre is 96,56), 5.7 px away".
    pub fn words(&self, patch: Corner) -> String {
        let Self { x, y, centre_x, centre_y, distance } = self;
        let away = match *distance {
            0.0 => "where it was asked for".to_owned(),
            distance => format!("{distance:.1} px away"),
        };
        let Corner { y: top, x: left } = patch;
        format!(
            "--at {x},{y} became the patch at y {top}, x {left} (its centre is {centre_x},{centre_y}), {away}"
        )
    }
}

/// Top-left pixel of a patch.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Corner {
    /// Top edge, pixels.
    pub y: u32,
    /// Left edge, pixels.
    pub x: u32,
}

impl From<PatchRef> for Corner {
    fn from(PatchRef { y, x, .. }: PatchRef) -> Self {
        Self { y, x }
    }
}

/// Result of `bagssl figure fig4` and `fig6`.
#[derive(Clone, Debug, Serialize)]
pub struct MapsReport {
    /// All queries at the first patch size, then all at the next.
    pub maps: Vec<MapReport>,
    /// The files that were written.
    #[serde(flatten)]
    pub files: Written,
}

/// One row of the figure.
#[derive(Clone, Debug, Serialize)]
pub struct MapReport {
    /// Index of the image in its data set, or of the file among those given.
    pub image: u32,
    /// Rows of the map, one for each stride down the image.
    pub rows: usize,
    /// Columns of the map, one for each stride across the image.
    pub cols: usize,
    /// The query patch.
    pub query: PatchRef,
    /// The point that was asked about, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<AskedPoint>,
    /// By name of the space.
    pub spaces: BTreeMap<String, MapSummary>,
    /// The tiles in which the image went through for spaces of places, where it is larger than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tiles: Option<TilesOfImage>,
    /// Under the second model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<BTreeMap<String, MapSummary>>,
}

/// `bagssl heatmap`: all patches of one image and their cosine with one of them, which `values` is told as numbers.
pub fn heatmap(
    request: FigureRequest,
    source: &MapSource,
    output: &Output,
    values: Option<&Path>,
    job: Job<'_>,
) -> anyhow::Result<HeatmapReport> {
    let MapsReport { maps, files } = draw(request, source, output, values, job)?;
    let MapReport { rows, cols, query, at, spaces, tiles, .. } =
        maps.into_iter().next().context("there is no image")?;
    Ok(HeatmapReport { rows, cols, query: query.into(), at, spaces, tiles, files })
}

/// `bagssl figure fig4` and `fig6`: several queries, each at one or more patch sizes.
pub fn maps(
    request: FigureRequest,
    source: &MapSource,
    output: &Output,
    job: Job<'_>,
) -> anyhow::Result<MapsReport> {
    draw(request, source, output, None, job)
}

/// Opens images and models, completes the request, embeds and draws: all queries at the first size, then all at the
/// next. The cosines of the first row are written to `values`.
fn draw(
    mut request: FigureRequest,
    source: &MapSource,
    output: &Output,
    values: Option<&Path>,
    mut job: Job<'_>,
) -> anyhow::Result<MapsReport> {
    output.check(&request.style)?;
    let sources = Sources::open(&source.images)?;
    let (_, embedder) = open_embedder(job.device, &source.model)?;
    let places = sources.places(source, &embedder, job.seed)?;
    let asks = asks(source, &places, &embedder.info)?;
    request.content.queries = asks.iter().take(places.len()).map(|ask| ask.query.clone()).collect();
    if request.content.spaces.is_empty() {
        request.content.spaces = defaults::spaces(&crop_names(&embedder.info));
    }
    let spaces = request.content.patch_spaces()?;
    let rows = embedded(asks.clone(), &spaces, &embedder, &mut job)?;
    if let Some((values, first)) = values.zip(rows.first()) {
        write_values(values, &first.maps)?;
    }
    let mut maps: Vec<MapReport> = rows.iter().map(MapRow::report).collect();
    let data = sources.facts()?;
    let mut origin = Origin { model: embedder.facts(), data, beside: None, fit: source.fit, tiles: None };
    let mut beside = None;
    if let Some(model) = &source.beside {
        let (_, other) = open_embedder(job.device, model)?;
        let others = embedded(asks, &spaces, &other, &mut job).context("the second model")?;
        for (map, other) in maps.iter_mut().zip(&others) {
            map.beside = Some(other.report().spaces);
        }
        request.content.beside = Some(Beside { hash: other.hash.clone(), step: None });
        origin = origin.beside(other.facts(), None);
        beside = Some(others);
    }
    let material = Material::Rows { rows, beside, origin };
    let made = assemble(&request.content, material, &request.style, job.cancel)?;
    let files = made.write(&output.out, request.style.dpi, output.caption.as_deref())?;
    Ok(MapsReport { maps, files })
}

/// What is asked of each place at each size.
fn asks(source: &MapSource, places: &[Place], info: &ModelInfo) -> anyhow::Result<Vec<Ask>> {
    let mut asks = vec![];
    for size in 0..source.sizes.count() {
        for place in places {
            let grid = source.grid(size, (place.image.height(), place.image.width()), info)?;
            let image = (place.index, place.image.clone());
            let point = place.is_point.then_some(place.at);
            asks.push(Ask { point, ..Ask::at(image, place.title.clone(), grid, place.at)? });
        }
    }
    Ok(asks)
}

/// The maps of all queries.
fn embedded(
    asks: Vec<Ask>,
    spaces: &[PatchSpace],
    embedder: &Embedder,
    job: &mut Job<'_>,
) -> anyhow::Result<Vec<MapRow>> {
    let mut rows = MapRows::new(asks, spaces.to_vec(), embedder)?;
    while !rows.is_finished() {
        job.cancel.check()?;
        rows.advance(embedder)?;
        (job.progress)(rows.progress());
    }
    Ok(rows.into_rows())
}

impl MapRow {
    fn report(&self) -> MapReport {
        let summaries = self.maps.iter().map(|map| (map.space.clone(), summarise(&map.values)));
        let (rows, cols) = self.maps.first().map_or((0, 0), |map| (map.rows, map.cols));
        let query = self.ask.place();
        let at = self.ask.point.map(|point| AskedPoint::new(point, query));
        MapReport {
            image: query.image,
            rows,
            cols,
            query,
            at,
            spaces: summaries.collect(),
            tiles: self.tiles,
            beside: None,
        }
    }
}

fn summarise(map: &[f32]) -> MapSummary {
    let min = map.iter().copied().fold(f32::INFINITY, f32::min);
    let max = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mean = map.iter().map(|&v| f64::from(v)).sum::<f64>() / map.len() as f64;
    MapSummary { min, max, mean: mean as f32 }
}

/// Float32 `[spaces, rows, cols]` in NumPy's format.
fn write_values(path: &Path, maps: &[Heatmap]) -> anyhow::Result<()> {
    let (rows, cols) = maps.first().map_or((0, 0), |map| (map.rows, map.cols));
    files::write_atomic(path, |out| {
        out.write_all(&files::npy_header(&[maps.len(), rows, cols]))?;
        for map in maps {
            out.write_all(bytemuck::cast_slice(&map.values))?;
        }
        Ok(())
    })
}
