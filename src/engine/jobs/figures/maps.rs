//! Figures 4 and 6: heatmaps of one or more queries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use crate::dataset::Split;
use crate::embed::Embedder;
use crate::engine::ask::{Heatmap, MapMode, PatchSpace, defaults};
use crate::engine::figures::compose;
use crate::engine::figures::compose::Origin;
use crate::engine::figures::output::{Output, Written};
use crate::engine::figures::rows::{Ask, MapRow, MapRows};
use crate::engine::jobs::figures::sources::{Sources, fitted, open_file};
use crate::engine::jobs::{Job, open_embedder};
use crate::files;
use crate::model::ModelSpec;
use crate::patch::{PatchGrid, PatchRef};

/// `bagssl heatmap`.
pub struct HeatmapRequest {
    pub model: ModelSpec,
    pub image: PathBuf,
    /// Take the centre of so many pixels a side.
    pub fit: Option<u32>,
    pub grid: PatchGrid,
    /// `(x, y)` of the query patch's centre, pixels of the image as shown.
    pub at: (f32, f32),
    pub spaces: Vec<PatchSpace>,
    pub output: Output,
    pub values: Option<PathBuf>,
}

/// Range and mean of one map.
#[derive(Clone, Debug, Serialize)]
pub struct MapSummary {
    pub min: f32,
    pub max: f32,
    pub mean: f32,
}

/// Result of `bagssl heatmap`.
#[derive(Clone, Debug, Serialize)]
pub struct HeatmapReport {
    pub rows: usize,
    pub cols: usize,
    pub query: Corner,
    pub spaces: BTreeMap<String, MapSummary>,
    #[serde(flatten)]
    pub files: Written,
}

/// Top-left pixel of a patch.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Corner {
    pub y: u32,
    pub x: u32,
}

/// Which images Figure 4 or 6 is of, and where they are asked about.
pub enum MapImages {
    /// Image files, each with the `(x, y)` of its query patch's centre; one place holds for all files, none
    /// leaves the choice to the seed.
    Files { paths: Vec<PathBuf>, at: Vec<(f32, f32)> },
    /// Images of a data set: index, top and left edge of each query patch; none leaves the choice to the seed.
    Data { data: String, split: Option<Split>, queries: Vec<(usize, u32, u32)> },
}

/// `bagssl figure fig4` and `fig6`.
pub struct MapsRequest {
    pub model: ModelSpec,
    /// A second model, whose maps follow.
    pub beside: Option<ModelSpec>,
    pub images: MapImages,
    pub fit: Option<u32>,
    /// Patch sizes; where none are given, what suits the images.
    pub patches: Vec<u32>,
    /// Whether that is two sizes (Fig 4: 71 and 100 of 224 pixels) or the smaller alone.
    pub two_sizes: bool,
    pub stride: Option<u32>,
    /// Queries to choose where none are given.
    pub count: usize,
    pub spaces: Vec<PatchSpace>,
    pub output: Output,
}

/// Result of `bagssl figure fig4` and `fig6`.
#[derive(Clone, Debug, Serialize)]
pub struct MapsReport {
    pub maps: Vec<MapReport>,
    #[serde(flatten)]
    pub files: Written,
}

/// One row of the figure.
#[derive(Clone, Debug, Serialize)]
pub struct MapReport {
    /// Index of the image in its data set, or of the file among those given.
    pub image: u32,
    pub rows: usize,
    pub cols: usize,
    pub query: PatchRef,
    pub spaces: BTreeMap<String, MapSummary>,
    /// Under the second model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<BTreeMap<String, MapSummary>>,
}

/// Embeds all patches of one image and draws their cosine with one of them.
pub fn heatmap(request: &HeatmapRequest, mut job: Job<'_>) -> anyhow::Result<HeatmapReport> {
    request.output.check()?;
    let data = open_file(&request.image)?;
    let (_, embedder) = open_embedder(job.device, &request.model)?;
    let image = Arc::new(fitted(data.image(0)?, request.fit, &embedder));
    let ask = Ask::at((0, image), "image".into(), request.grid, request.at)?;
    let rows = embedded(vec![ask], &request.spaces, &embedder, &mut job)?;
    let first = &rows[0];
    if let Some(values) = &request.values {
        write_values(values, &first.maps)?;
    }
    let report = first.report();
    let origin = Origin::new(&embedder, data.as_ref())?;
    let contents = rows.into_iter().map(|row| row.content(MapMode::Cosine)).collect();
    let figure = compose::heatmap(contents, MapMode::Cosine, origin.notes(), &request.output.style);
    let files = request.output.save(&figure, with_fit(&origin, request.fit))?;
    let query = Corner { y: report.query.y, x: report.query.x };
    Ok(HeatmapReport { rows: report.rows, cols: report.cols, query, spaces: report.spaces, files })
}

/// Several queries, each at one or more patch sizes: all at the first size, then all at the next.
pub fn maps(request: &MapsRequest, mut job: Job<'_>) -> anyhow::Result<MapsReport> {
    request.output.check()?;
    let sources = Sources::open(&request.images)?;
    let (_, embedder) = open_embedder(job.device, &request.model)?;
    let places = sources.places(request, &embedder, job.seed)?;
    let sizes =
        if request.patches.is_empty() { 1 + usize::from(request.two_sizes) } else { request.patches.len() };
    let mut asks = vec![];
    for size in 0..sizes {
        for place in &places {
            let grid = request.grid(size, place.image.height(), place.image.width())?;
            let image = (place.index, place.image.clone());
            asks.push(Ask::at(image, place.title.clone(), grid, place.at)?);
        }
    }
    let rows = embedded(asks.clone(), &request.spaces, &embedder, &mut job)?;
    let mut maps: Vec<MapReport> = rows.iter().map(MapRow::report).collect();
    let mut origin = Origin::new(&embedder, sources.sets[0].as_ref())?;
    origin.data = sources.facts()?;
    let mode = MapMode::Cosine;
    let contents = match &request.beside {
        None => rows.into_iter().map(|row| row.content(mode)).collect(),
        Some(model) => {
            let (_, other) = open_embedder(job.device, model)?;
            let others = embedded(asks, &request.spaces, &other, &mut job).context("the second model")?;
            origin = origin.beside(other.facts(), None);
            for (map, other) in maps.iter_mut().zip(&others) {
                map.beside = Some(other.report().spaces);
            }
            rows.into_iter().zip(&others).map(|(row, other)| row.content_beside(other, mode)).collect()
        }
    };
    let figure = compose::heatmap(contents, mode, origin.notes(), &request.output.style);
    let files = request.output.save(&figure, with_fit(&origin, request.fit))?;
    Ok(MapsReport { maps, files })
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
        rows.advance(embedder);
        (job.progress)(rows.progress());
    }
    Ok(rows.into_rows())
}

impl MapRow {
    fn report(&self) -> MapReport {
        let summaries = self.maps.iter().map(|map| (map.space.clone(), summarise(&map.values)));
        let (rows, cols) = self.maps.first().map_or((0, 0), |map| (map.rows, map.cols));
        let query = self.ask.query;
        MapReport { image: query.image, rows, cols, query, spaces: summaries.collect(), beside: None }
    }
}

impl MapsRequest {
    /// Patches of size number `size` on an image.
    pub fn grid(&self, size: usize, height: u32, width: u32) -> anyhow::Result<PatchGrid> {
        let side = height.min(width);
        let patch = match (self.patches.get(size), size) {
            (Some(&patch), _) => patch,
            (None, 0) => defaults::patch(side),
            (None, _) => defaults::large_patch(side),
        };
        PatchGrid::new(patch, self.stride.unwrap_or(defaults::map_stride(side, patch)))
    }
}

fn with_fit(origin: &Origin, fit: Option<u32>) -> serde_json::Value {
    let mut source = origin.source(None);
    if let Some(side) = fit {
        source["fit"] = side.into();
    }
    source
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
