//! Figures 4 and 6: heatmaps of one or more queries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Output, Written, choose};
use crate::analysis::heatmap::cosine_map;
use crate::augment;
use crate::bank::DataFacts;
use crate::dataset::{self, Dataset, Split};
use crate::embed::{BATCH, Embedder, PatchSource};
use crate::engine::compose::{self, HeatmapContent, Origin, image_title};
use crate::engine::defaults;
use crate::engine::jobs::{Job, open_embedder};
use crate::files;
use crate::image::Image;
use crate::model::{ModelSpec, Space};
use crate::patch::{PatchGrid, PatchRef};
use crate::progress::Progress;

/// Cells of one map at most: beyond this it would take minutes and gigabytes.
const MOST_CELLS: usize = 60_000;

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
    pub images: MapImages,
    pub fit: Option<u32>,
    /// Patch sizes; where none are given, what suits the images.
    pub patches: Vec<u32>,
    /// Whether that is two sizes (Fig 4: 71 and 100 of 224 pixels) or the smaller alone.
    pub two_sizes: bool,
    pub stride: Option<u32>,
    /// Queries to choose where none are given.
    pub count: usize,
    pub spaces: Vec<Space>,
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
}

/// An image and a place on it that is asked about.
struct Asked {
    index: u32,
    image: Arc<Image>,
    title: String,
    /// Centre of the query patch, pixels.
    x: f32,
    y: f32,
}

/// The maps of one query.
struct Mapped {
    grid: PatchGrid,
    query: PatchRef,
    rows: usize,
    cols: usize,
    maps: Vec<(String, Vec<f32>)>,
}

impl Mapped {
    fn summaries(&self) -> BTreeMap<String, MapSummary> {
        self.maps.iter().map(|(name, map)| (name.clone(), summarise(map))).collect()
    }

    fn content<'a>(self, image: &'a Image, title: String) -> HeatmapContent<'a> {
        HeatmapContent { image, title, grid: self.grid, query: self.query, maps: self.maps }
    }
}

/// Embeds all patches of one image and draws their cosine with one of them.
pub fn heatmap(request: &HeatmapRequest, mut job: Job<'_>) -> anyhow::Result<HeatmapReport> {
    request.output.check()?;
    let data = open_file(&request.image)?;
    let (_, embedder) = open_embedder(job.device, &request.model)?;
    let image = fitted(data.image(0)?, request.fit, &embedder);
    let (x, y) = request.at;
    let asked = Asked { index: 0, image: Arc::new(image), title: "image".into(), x, y };
    let mapped = map(&embedder, &asked, request.grid, &request.spaces, &mut job)?;
    if let Some(values) = &request.values {
        write_values(values, &mapped)?;
    }
    let (rows, cols, spaces) = (mapped.rows, mapped.cols, mapped.summaries());
    let query = Corner { y: mapped.query.y, x: mapped.query.x };
    let origin = Origin::new(&embedder, data.as_ref())?;
    let content = mapped.content(&asked.image, asked.title.clone());
    let figure = compose::heatmap(vec![content], origin.notes(), &request.output.style);
    let files = request.output.save(&figure, with_fit(&origin, request.fit))?;
    Ok(HeatmapReport { rows, cols, query, spaces, files })
}

/// Several queries, each at one or more patch sizes: all at the first size, then all at the next.
pub fn maps(request: &MapsRequest, mut job: Job<'_>) -> anyhow::Result<MapsReport> {
    request.output.check()?;
    let sources = Sources::open(&request.images)?;
    let (_, embedder) = open_embedder(job.device, &request.model)?;
    let asked = sources.asked(request, &embedder, job.seed)?;
    let sizes =
        if request.patches.is_empty() { 1 + usize::from(request.two_sizes) } else { request.patches.len() };
    let mut rows = vec![];
    for size in 0..sizes {
        for asked in &asked {
            let grid = request.grid(size, asked.image.height(), asked.image.width())?;
            rows.push((asked, map(&embedder, asked, grid, &request.spaces, &mut job)?));
        }
    }
    let report = |(asked, mapped): &(&Asked, Mapped)| MapReport {
        image: asked.index,
        rows: mapped.rows,
        cols: mapped.cols,
        query: mapped.query,
        spaces: mapped.summaries(),
    };
    let maps = rows.iter().map(report).collect();
    let mut origin = Origin::new(&embedder, sources.sets[0].as_ref())?;
    origin.data = sources.facts()?;
    let contents = rows.into_iter().map(|(asked, mapped)| mapped.content(&asked.image, asked.title.clone()));
    let figure = compose::heatmap(contents.collect(), origin.notes(), &request.output.style);
    let files = request.output.save(&figure, with_fit(&origin, request.fit))?;
    Ok(MapsReport { maps, files })
}

impl MapsRequest {
    /// Patches of size number `size` on an image.
    fn grid(&self, size: usize, height: u32, width: u32) -> anyhow::Result<PatchGrid> {
        let side = height.min(width);
        let patch = match (self.patches.get(size), size) {
            (Some(&patch), _) => patch,
            (None, 0) => defaults::patch(side),
            (None, _) => defaults::large_patch(side),
        };
        PatchGrid::new(patch, self.stride.unwrap_or(defaults::map_stride(side, patch)))
    }
}

/// The data sets that the images are taken from: one, or one for each file.
struct Sources<'a> {
    images: &'a MapImages,
    sets: Vec<Arc<dyn Dataset>>,
}

impl<'a> Sources<'a> {
    fn open(images: &'a MapImages) -> anyhow::Result<Self> {
        let sets = match images {
            MapImages::Files { paths, .. } => {
                paths.iter().map(|path| open_file(path)).collect::<anyhow::Result<_>>()?
            }
            MapImages::Data { data, split, .. } => vec![dataset::open(data, *split)?],
        };
        Ok(Self { images, sets })
    }

    /// The images and places that the request names, or that its seed chooses.
    fn asked(&self, request: &MapsRequest, embedder: &Embedder, seed: u64) -> anyhow::Result<Vec<Asked>> {
        match self.images {
            MapImages::Files { at, .. } => self.asked_of_files(at, request, embedder, seed),
            MapImages::Data { queries, .. } => self.asked_of_data(queries, request, embedder, seed),
        }
    }

    fn asked_of_files(
        &self,
        at: &[(f32, f32)],
        request: &MapsRequest,
        embedder: &Embedder,
        seed: u64,
    ) -> anyhow::Result<Vec<Asked>> {
        let count = self.sets.len();
        ensure!(
            at.len() <= 1 || at.len() == count,
            "--at is given {} times for {count} images; expected once for all, once for each, or not at all",
            at.len()
        );
        let asked = |(index, set): (usize, &Arc<dyn Dataset>)| {
            let image = fitted(set.image(0)?, request.fit, embedder);
            let grid = request.grid(0, image.height(), image.width())?;
            let (x, y) = match at.get(index).or(at.first()) {
                Some(&place) => place,
                None => centre(choose::place(&image, index as u32, grid, seed)?),
            };
            let title = if count == 1 { "image".to_owned() } else { format!("image {}", index + 1) };
            Ok(Asked { index: index as u32, image: Arc::new(image), title, x, y })
        };
        self.sets.iter().enumerate().map(asked).collect()
    }

    fn asked_of_data(
        &self,
        queries: &[(usize, u32, u32)],
        request: &MapsRequest,
        embedder: &Embedder,
        seed: u64,
    ) -> anyhow::Result<Vec<Asked>> {
        let data = self.sets[0].as_ref();
        let patches = match queries {
            [] => {
                ensure!(
                    request.fit.is_none(),
                    "--fit changes where patches lie; expected --query with it, or --image FILE"
                );
                let grid = |height, width| request.grid(0, height, width).ok();
                choose::patches(data, data.len(), grid, request.count, seed)?
            }
            _ => queries
                .iter()
                .map(|&query| self.patch_of_query(query, request, embedder))
                .collect::<anyhow::Result<_>>()?,
        };
        let asked = |patch: PatchRef| {
            let index = patch.image as usize;
            let image = fitted(data.image(index)?, request.fit, embedder);
            let class = data.label(index).and_then(|label| data.classes().get(label as usize));
            let title = image_title(index, class.map(String::as_str));
            let (x, y) = centre(patch);
            Ok(Asked { index: patch.image, image: Arc::new(image), title, x, y })
        };
        patches.into_iter().map(asked).collect()
    }

    /// A query's patch; its corner must lie on the first grid.
    fn patch_of_query(
        &self,
        (index, y, x): (usize, u32, u32),
        request: &MapsRequest,
        embedder: &Embedder,
    ) -> anyhow::Result<PatchRef> {
        let data = self.sets[0].as_ref();
        ensure!(
            index < data.len(),
            "--query {index}:{y}:{x}: {} has {} images, 0 to {}",
            data.name(),
            data.len(),
            data.len() - 1
        );
        let (height, width) = match request.fit {
            Some(_) => {
                let image = fitted(data.image(index)?, request.fit, embedder);
                (image.height(), image.width())
            }
            None => data.dimensions(index),
        };
        let grid = request.grid(0, height, width)?;
        let patch = PatchRef { image: index as u32, y, x, size: grid.patch };
        let (near_x, near_y) = centre(patch);
        let nearest = grid.nearest(near_x, near_y, height, width);
        let nearest = nearest.map(|(row, col)| (row as u32 * grid.stride, col as u32 * grid.stride));
        ensure!(
            nearest == Some((y, x)),
            "--query {index}:{y}:{x}: no patch of {0} x {0} pixels has its corner there; image {index} is \
             {width} x {height} (width x height), corners lie every {1} pixels{2}",
            grid.patch,
            grid.stride,
            nearest.map_or(String::new(), |(y, x)| format!(", the nearest at {y}:{x}"))
        );
        Ok(patch)
    }

    /// What was looked at: the data set, or all files together.
    fn facts(&self) -> anyhow::Result<DataFacts> {
        let first = DataFacts::of(self.sets[0].as_ref())?;
        if self.sets.len() == 1 {
            return Ok(first);
        }
        let mut hash = Sha256::new();
        for set in &self.sets {
            hash.update(set.fingerprint()?);
        }
        let (kind, name) = ("images".to_owned(), format!("{} images", self.sets.len()));
        Ok(DataFacts { kind, name, fingerprint: files::hex(&hash.finalize()), split: None, limit: None })
    }
}

fn open_file(path: &Path) -> anyhow::Result<Arc<dyn Dataset>> {
    let name = path.to_string_lossy();
    let data = dataset::open(&name, None)?;
    ensure!(data.kind() == "image", "{name} is no image file; a heatmap is of one image");
    Ok(data)
}

fn fitted(image: Image, fit: Option<u32>, embedder: &Embedder) -> Image {
    match fit {
        Some(side) => augment::fit(&image, side, embedder.info.resize),
        None => image,
    }
}

/// `(x, y)` of a patch's centre, pixels.
fn centre(patch: PatchRef) -> (f32, f32) {
    let middle = |corner: u32| corner as f32 + patch.size as f32 / 2.0;
    (middle(patch.x), middle(patch.y))
}

fn with_fit(origin: &Origin, fit: Option<u32>) -> serde_json::Value {
    let mut source = origin.source(None);
    if let Some(side) = fit {
        source["fit"] = side.into();
    }
    source
}

/// Embeds all patches of an image on a grid and takes their cosines with the one that is asked about.
fn map(
    embedder: &Embedder,
    asked: &Asked,
    grid: PatchGrid,
    spaces: &[Space],
    job: &mut Job<'_>,
) -> anyhow::Result<Mapped> {
    let (height, width) = (asked.image.height(), asked.image.width());
    let Asked { x, y, .. } = *asked;
    let place = grid.nearest(x, y, height, width).with_context(|| {
        format!(
            "{x},{y} (x,y) is no place for a patch of {} pixels: the image is {width} x {height} (width x height)",
            grid.patch
        )
    })?;
    let (rows, cols) = grid.shape(height, width);
    ensure!(
        rows * cols <= MOST_CELLS,
        "a heatmap of {} patches is too large; expected at most {MOST_CELLS}: choose a larger --stride",
        rows * cols
    );
    for &space in spaces {
        embedder.info.width(space).with_context(|| format!("the model has no space \"{space}\""))?;
    }
    let query_row = place.0 * cols + place.1;
    let (y, x) = grid.corner(query_row, cols);
    let query = PatchRef { image: asked.index, y, x, size: grid.patch };
    let corners = (0..rows * cols).map(|i| grid.corner(i, cols));
    let sources: Vec<PatchSource> =
        corners.map(|(y, x)| PatchSource { image: asked.image.clone(), y, x }).collect();
    let vectors = embed_all(embedder, &sources, grid.patch, spaces, job)?;
    let map = |(space, all): (&Space, &Vec<f32>)| {
        let width = all.len() / sources.len();
        (space.to_string(), cosine_map(&all[query_row * width..(query_row + 1) * width], all))
    };
    let maps = spaces.iter().zip(&vectors).map(map).collect();
    Ok(Mapped { grid, query, rows, cols, maps })
}

/// Vectors of all patches, a batch at a time.
fn embed_all(
    embedder: &Embedder,
    sources: &[PatchSource],
    size: u32,
    spaces: &[Space],
    job: &mut Job<'_>,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let started = Instant::now();
    let mut vectors = vec![vec![]; spaces.len()];
    let mut done = 0;
    for batch in sources.chunks(BATCH) {
        job.cancel.check()?;
        let new = embedder.patches(batch, size, spaces);
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
fn write_values(path: &Path, mapped: &Mapped) -> anyhow::Result<()> {
    files::write_atomic(path, |out| {
        out.write_all(&files::npy_header(&[mapped.maps.len(), mapped.rows, mapped.cols]))?;
        for (_, map) in &mapped.maps {
            out.write_all(bytemuck::cast_slice(map))?;
        }
        Ok(())
    })
}
