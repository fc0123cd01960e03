//! The heatmaps of a figure: each query's image embedded on a grid, a batch at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;

use crate::embed::{BATCH, Embedder, PatchSource};
use crate::engine::ask::{FigureQuery, Heatmap, MapMode, PatchSpace};
use crate::engine::ask::{compared, displayed};
use crate::engine::figures::compose::HeatmapContent;
use crate::engine::look::maps::{ImageMaps, check_cells};
use crate::engine::look::parts;
use crate::engine::look::parts::PartSources;
use crate::engine::look::spaces;
use crate::image::Image;
use crate::memory;
use crate::patch::{PatchGrid, PatchRef};
use crate::progress::Progress;
use crate::tiles::TilesOfImage;
use crate::words::thousands;

/// A query, and the patches of its image that it is compared with.
#[derive(Clone)]
pub struct Ask {
    pub image: Arc<Image>,
    /// What the image is called.
    pub title: String,
    pub grid: PatchGrid,
    /// Looked for on `image`, which is the one that it names.
    pub query: FigureQuery,
    /// The other images that parts of the query lie on.
    pub elsewhere: Vec<(u32, Arc<Image>)>,
    /// The point `(x, y)` that the query patch was asked for by, where it was one, pixels.
    pub point: Option<(f32, f32)>,
}

impl Ask {
    /// The patch of `grid` whose centre is nearest to the point `(x, y)` of an image, pixels.
    ///
    /// # Errors
    /// The point lies outside, no patch fits, or there are too many.
    pub fn at(
        (index, image): (u32, Arc<Image>),
        title: String,
        grid: PatchGrid,
        (x, y): (f32, f32),
    ) -> anyhow::Result<Self> {
        let (height, width) = (image.height(), image.width());
        let (row, col) = grid.nearest(x, y, height, width).with_context(|| {
            format!(
                "{x},{y} (x,y) is no place for a patch of {} pixels: the image is {width} x {height} (width x height)",
                grid.patch
            )
        })?;
        check_cells(grid, height, width)?;
        let (y, x) = (row as u32 * grid.stride, col as u32 * grid.stride);
        let query = PatchRef { image: index, y, x, size: grid.patch }.into();
        Ok(Self { image, title, grid, query, elsewhere: vec![], point: None })
    }

    /// The query patch, or one about a query that is none.
    pub fn place(&self) -> PatchRef {
        self.query.place(self.grid.patch)
    }

    /// The query's vector in each space.
    ///
    /// # Errors
    /// Its parts cancel out.
    fn vectors(&self, embedder: &Embedder, spaces: &[PatchSpace]) -> anyhow::Result<Vec<Vec<f32>>> {
        let patch = self.grid.patch;
        if let Some(PatchRef { y, x, .. }) =
            self.query.patch(patch).filter(|place| place.image == self.query.image)
        {
            let source = PatchSource { image: self.image.clone(), y, x };
            return spaces::vectors(embedder, &[source], patch, spaces);
        }
        let image = |index: u32| {
            let other = self.elsewhere.iter().find(|(other, _)| *other == index).map(|(_, image)| image);
            let own = (index == self.query.image).then_some(&self.image);
            own.or(other).cloned().with_context(|| format!("image {index} of the query is missing"))
        };
        let from = PartSources::new(embedder, spaces, patch);
        parts::query_vectors(&self.query.spec, &from, image)
    }

    fn cells(&self) -> usize {
        self.grid.len(self.image.height(), self.image.width())
    }
}

/// A query with its heatmaps, one for each space.
pub struct MapRow {
    pub ask: Ask,
    pub maps: Vec<Heatmap>,
    /// The tiles in which the image went through for spaces of places, where it is larger than one.
    pub tiles: Option<TilesOfImage>,
}

impl MapRow {
    /// What a figure shows of it, in the way `mode`.
    pub fn content(self, mode: MapMode) -> HeatmapContent {
        let maps = displayed(&self.maps, mode);
        self.content_with(maps)
    }

    /// The same of two models: A's maps and then B's, or A's less B's.
    pub fn content_beside(self, other: &Self, mode: MapMode) -> HeatmapContent {
        let of_space = |map: &Heatmap| compared(&map.space, &self.maps, &other.maps, mode);
        let [a, b]: [Vec<_>; 2] = self.maps.iter().map(of_space).map(|[a, b]| (a, b)).unzip().into();
        let maps = a.into_iter().chain(b).flatten().collect();
        self.content_with(maps)
    }

    fn content_with(self, maps: Vec<Heatmap>) -> HeatmapContent {
        let Ask { image, title, grid, query, .. } = self.ask;
        let maps = maps.into_iter().map(|map| (map.space, map.values.to_vec())).collect();
        HeatmapContent { image, title, grid, query, maps }
    }
}

/// The rows of a figure while they are made.
pub struct MapRows {
    asks: VecDeque<Ask>,
    spaces: Vec<PatchSpace>,
    /// The vectors of the first of `asks`.
    current: Option<ImageMaps>,
    rows: Vec<MapRow>,
    /// Patches of finished rows, and of all.
    done: usize,
    total: usize,
    started: Instant,
}

impl MapRows {
    /// Nothing embedded yet.
    ///
    /// # Errors
    /// A space that the model lacks, or an image with more patches than there is memory for.
    pub fn new(asks: Vec<Ask>, spaces: Vec<PatchSpace>, embedder: &Embedder) -> anyhow::Result<Self> {
        for space in &spaces {
            space.width(&embedder.info, 1).with_context(|| format!("the model has no space \"{space}\""))?;
        }
        let bytes = |ask: &Ask| {
            let widths = spaces.iter().filter_map(|space| space.width(&embedder.info, ask.grid.patch));
            (4 * ask.cells() * widths.sum::<usize>()) as u64
        };
        if let Some(ask) = asks.iter().max_by_key(|ask| bytes(ask)) {
            let budget = memory::budget();
            let what = || format!("the vectors of the {} patches of {}", thousands(ask.cells()), ask.title);
            budget.ensure(budget.maps(), bytes(ask), what, "a larger --stride")?;
        }
        let total = asks.iter().map(Ask::cells).sum();
        let rows = Vec::with_capacity(asks.len());
        Ok(Self { asks: asks.into(), spaces, current: None, rows, done: 0, total, started: Instant::now() })
    }

    /// Takes over what is known already: the next rows, as far as `known` is their image on their grid.
    ///
    /// # Errors
    /// Parts of a query cancel out.
    pub fn take_known(&mut self, embedder: &Embedder, known: &mut ImageMaps) -> anyhow::Result<()> {
        while let Some(ask) = self.asks.front() {
            let is_same = known.image_index == ask.query.image as usize && known.grid == ask.grid;
            if self.current.is_some() || !is_same || !known.is_complete() || !known.arrange(&self.spaces) {
                return Ok(());
            }
            self.finish_row(embedder, known)?;
        }
        Ok(())
    }

    /// Embeds the next batch.
    ///
    /// # Errors
    /// Parts of a query cancel out.
    pub fn advance(&mut self, embedder: &Embedder) -> anyhow::Result<()> {
        let Some(ask) = self.asks.front() else { return Ok(()) };
        let mut maps = self.current.take().unwrap_or_else(|| {
            ImageMaps::new(embedder, ask.query.image as usize, ask.image.clone(), ask.grid, &self.spaces)
        });
        maps.refine(embedder, BATCH)?;
        if maps.is_complete() {
            self.finish_row(embedder, &maps)?;
        } else {
            self.current = Some(maps);
        }
        Ok(())
    }

    fn finish_row(&mut self, embedder: &Embedder, maps: &ImageMaps) -> anyhow::Result<()> {
        let Some(ask) = self.asks.pop_front() else { return Ok(()) };
        let vectors = ask.vectors(embedder, &self.spaces)?;
        self.done += ask.cells();
        self.rows.push(MapRow { maps: maps.heatmaps(&vectors), tiles: maps.tiles(embedder), ask });
        Ok(())
    }

    pub fn is_finished(&self) -> bool {
        self.asks.is_empty()
    }

    /// Patches that are embedded, of all.
    pub fn progress(&self) -> Progress {
        let done = self.done + self.current.as_ref().map_or(0, ImageMaps::known);
        Progress {
            what: "embedding",
            done: done as u64,
            total: self.total as u64,
            resumed: 0,
            unit: "patches",
            elapsed: self.started.elapsed(),
        }
    }

    /// The finished rows, in the order in which they were asked for.
    pub fn into_rows(self) -> Vec<MapRow> {
        self.rows
    }
}
