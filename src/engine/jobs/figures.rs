//! Figures 4 and 5 from the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::json;

use super::embed::data_of_bank;
use super::search::{SearchReport, SearchRequest, search};
use super::{Job, open_embedder};
use crate::analysis::heatmap::cosine_map;
use crate::augment;
use crate::bank::Bank;
use crate::dataset;
use crate::embed::{BATCH, Embedder, PatchSource};
use crate::engine::compose::{self, Cell, GalleryContent, HeatmapContent, Style};
use crate::figure::{Format, Sidecar};
use crate::files;
use crate::image::Image;
use crate::model::{ModelSpec, Space};
use crate::patch::{PatchGrid, PatchRef};
use crate::progress::Progress;

/// `bagssl heatmap`.
pub struct HeatmapRequest {
    pub model: ModelSpec,
    pub image: PathBuf,
    /// Take the centre of so many pixels a side.
    pub fit: Option<u32>,
    pub grid: PatchGrid,
    /// `(x, y)` of the query patch's centre, pixels of the image as shown.
    pub at: (f32, f32),
    pub spaces: Vec<Space>,
    pub style: Style,
    pub dpi: u32,
    pub out: PathBuf,
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
    pub out: PathBuf,
    pub sidecar: PathBuf,
}

/// Top-left pixel of a patch.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Corner {
    pub y: u32,
    pub x: u32,
}

/// Embeds all patches of one image and draws their cosine with one of them.
pub fn heatmap(request: &HeatmapRequest, job: Job<'_>) -> anyhow::Result<HeatmapReport> {
    Format::from_path(&request.out, request.dpi)?;
    let path = request.image.to_string_lossy();
    let data = dataset::open(&path, None)?;
    ensure!(data.kind() == "image", "{path} is no image file; a heatmap is of one image");
    let (_, embedder) = open_embedder(job.device, &request.model)?;
    let image = data.image(0)?;
    let image = match request.fit {
        Some(side) => augment::fit(&image, side, embedder.info.resize),
        None => image,
    };
    let (height, width) = (image.height(), image.width());
    let (x, y) = request.at;
    let place = request.grid.nearest(x, y, height, width).with_context(|| {
        format!(
            "--at {x},{y} is no place for a patch of {} pixels: the image is {width} x {height} (width x height)",
            request.grid.patch
        )
    })?;
    let (rows, cols) = request.grid.shape(height, width);
    let query_row = place.0 * cols + place.1;
    let (y, x) = request.grid.corner(query_row, cols);
    let query = PatchRef { image: 0, y, x, size: request.grid.patch };

    let shared = Arc::new(image);
    let corners = (0..rows * cols).map(|i| request.grid.corner(i, cols));
    let sources: Vec<PatchSource> =
        corners.map(|(y, x)| PatchSource { image: shared.clone(), y, x }).collect();
    for &space in &request.spaces {
        embedder.info.width(space).with_context(|| format!("the model has no space \"{space}\""))?;
    }
    let vectors = embed_all(&embedder, &sources, request, job)?;
    let map = |(space, all): (&Space, &Vec<f32>)| {
        let width = all.len() / sources.len();
        (space.to_string(), cosine_map(&all[query_row * width..(query_row + 1) * width], all))
    };
    let maps: Vec<(String, Vec<f32>)> = request.spaces.iter().zip(&vectors).map(map).collect();
    if let Some(values) = &request.values {
        write_values(values, &maps, rows, cols)?;
    }
    let spaces = maps.iter().map(|(name, map)| (name.clone(), summarise(map))).collect();
    let content = HeatmapContent {
        image: &shared,
        title: "image".into(),
        grid: request.grid,
        query,
        maps,
        notes: vec![format!("model {}, {}", embedder.name, embedder.info.backbone.title())],
    };
    let source = json!({
        "model": { "name": embedder.name, "hash": embedder.hash },
        "data": { "name": data.name(), "fingerprint": data.fingerprint()? },
        "fit": request.fit,
    });
    let saved = compose::heatmap(content, &request.style).save(&request.out, request.dpi, source)?;
    let query = Corner { y, x };
    Ok(HeatmapReport { rows, cols, query, spaces, out: saved.out, sidecar: saved.sidecar })
}

/// Vectors of all patches, a batch at a time.
fn embed_all(
    embedder: &Embedder,
    sources: &[PatchSource],
    request: &HeatmapRequest,
    job: Job<'_>,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let started = Instant::now();
    let mut vectors = vec![vec![]; request.spaces.len()];
    let mut done = 0;
    for batch in sources.chunks(BATCH) {
        job.cancel.check()?;
        let new = embedder.patches(batch, request.grid.patch, &request.spaces);
        vectors.iter_mut().zip(new).for_each(|(all, new)| all.extend(new));
        done += batch.len() as u64;
        (job.progress)(Progress {
            what: "embedding",
            done,
            total: sources.len() as u64,
            resumed: 0,
            unit: "patches",
            elapsed: started.elapsed(),
        });
    }
    Ok(vectors)
}

fn summarise(map: &[f32]) -> MapSummary {
    let min = map.iter().copied().fold(f32::INFINITY, f32::min);
    let max = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mean = map.iter().map(|&v| f64::from(v)).sum::<f64>() / map.len() as f64;
    MapSummary { min, max, mean: mean as f32 }
}

/// Float32 `[spaces, rows, cols]` in NumPy's format.
fn write_values(path: &Path, maps: &[(String, Vec<f32>)], rows: usize, cols: usize) -> anyhow::Result<()> {
    files::write_atomic(path, |out| {
        out.write_all(&files::npy_header(&[maps.len(), rows, cols]))?;
        for (_, map) in maps {
            out.write_all(bytemuck::cast_slice(map))?;
        }
        Ok(())
    })
}

/// Decoded images that are kept while a gallery is put together.
const KEPT_IMAGES: usize = 32;

/// `bagssl gallery`.
pub struct GalleryRequest {
    pub search: SearchRequest,
    pub spaces: Vec<String>,
    /// Where the images of the bank lie, if they were moved.
    pub data: Option<String>,
    pub style: Style,
    pub dpi: u32,
    pub out: PathBuf,
}

/// Result of `bagssl gallery`.
#[derive(Clone, Debug, Serialize)]
pub struct GalleryReport {
    pub spaces: Vec<SearchReport>,
    pub out: PathBuf,
    pub sidecar: PathBuf,
}

/// Searches each space and draws the neighbours.
pub fn gallery(request: &GalleryRequest) -> anyhow::Result<GalleryReport> {
    Format::from_path(&request.out, request.dpi)?;
    let bank = Bank::open(&request.search.bank)?;
    let data = data_of_bank(&request.search.bank, &bank, request.data.as_deref())?;
    let reports = request.spaces.iter().map(|space| search(&bank, &request.search, space));
    let reports: Vec<SearchReport> = reports.collect::<anyhow::Result<_>>()?;
    let mut images: BTreeMap<u32, Arc<Image>> = BTreeMap::new();
    let mut pixels = |patch: PatchRef| -> anyhow::Result<Arc<Image>> {
        let image = match images.get(&patch.image) {
            Some(image) => image.clone(),
            None => {
                let image = Arc::new(data.image(patch.image as usize)?);
                // A bound on memory, whatever the size of the images.
                if images.len() >= KEPT_IMAGES {
                    images.clear();
                }
                images.insert(patch.image, image.clone());
                image
            }
        };
        Ok(Arc::new(image.crop(patch.y, patch.x, patch.size, patch.size)))
    };
    let query = reports.first().context("--space names no space")?.query;
    let query_pixels = pixels(query)?;
    let mut spaces = vec![];
    for report in &reports {
        let mut cells = vec![];
        for neighbour in &report.neighbours {
            let patch = PatchRef { image: neighbour.image, y: neighbour.y, x: neighbour.x, size: query.size };
            let (cosine, relation) = (neighbour.cosine, neighbour.relation);
            cells.push(Cell { patch, pixels: pixels(patch)?, cosine, relation });
        }
        let (searched, total) = (report.searched as usize, bank.total_patches());
        spaces.push(GalleryContent { space: report.space.clone(), searched, total, cells });
    }
    let spec = bank.spec();
    let k = reports.iter().map(|report| report.neighbours.len()).max().unwrap_or(0);
    let notes = vec![format!("model {}, {} · data {}", spec.model.name, spec.model.arch, spec.data.name)];
    let source = json!({
        "model": spec.model,
        "data": spec.data,
        "grid": spec.grid,
        "exclude_same_image": request.search.exclude_same_image,
        "per_image": request.search.per_image,
    });
    let figure = compose::gallery(query, &query_pixels, k, spaces, notes, &request.style);
    let saved = figure.save(&request.out, request.dpi, source)?;
    Ok(GalleryReport { spaces: reports, out: saved.out, sidecar: saved.sidecar })
}

/// `bagssl figure SIDECAR.json --out FILE`: the same figure again.
pub fn again(sidecar: &Path, out: &Path, dpi: Option<u32>) -> anyhow::Result<crate::figure::Saved> {
    let Sidecar { figure, format, source } = Sidecar::load(sidecar)?;
    let recorded = match format {
        Format::Png { dpi } => dpi,
        _ => Format::DEFAULT_DPI,
    };
    figure.save(out, dpi.unwrap_or(recorded), source)
}
