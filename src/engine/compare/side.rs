//! One model beside the first: its maps of the image on show and the patches that its galleries search.

use std::sync::Arc;
use std::time::SystemTime;

use crate::bank::VectorCache;
use crate::dataset::Dataset;
use crate::embed::{BATCH, Embedder};
use crate::engine::ask::{ExploreConfig, Heatmap, ImageView, PatchSpace, QuerySpec, RequestId};
use crate::engine::figures::rows::MapRows;
use crate::engine::look::extraction::{Before, Growing, Reach};
use crate::engine::look::maps::ImageMaps;
use crate::engine::look::parts;
use crate::engine::look::parts::{EmbeddedPart, PartSources};
use crate::model::ModelSpec;
use crate::patch::PatchGrid;
use crate::search::Processor;

/// Cells of a map's first batch: few, so that something is seen at once.
const FIRST_BATCH: usize = 32;

/// What is on show of the first model, and so what the other is to show.
pub struct SideTarget<'a> {
    /// Computes cosines.
    pub processor: &'a Arc<Processor>,
    pub generation: u64,
    pub data: &'a Arc<dyn Dataset>,
    pub data_id: u64,
    pub config: &'a ExploreConfig,
    /// Spaces on show.
    pub spaces: &'a [PatchSpace],
    pub view: Arc<ImageView>,
    pub query: Option<TargetQuery<'a>>,
    /// Where vectors are kept.
    pub cache: Option<&'a VectorCache>,
    /// The first model's bank.
    pub growing: Option<&'a Growing>,
}

/// The query under the first model.
#[derive(Clone, Copy)]
pub struct TargetQuery<'a> {
    pub id: RequestId,
    pub query: &'a QuerySpec,
    pub parts: &'a [Arc<EmbeddedPart>],
    /// Its vector in each space on show.
    pub vectors: &'a [Vec<f32>],
}

impl SideTarget<'_> {
    /// What a side is made for, if its galleries reach the first `images` images.
    pub fn frame(&self, images: usize) -> SideFrame {
        let images = images.min(self.config.gallery_images).min(self.data.len()).max(1);
        // Where memory does not suffice for more, the first model has fewer.
        let images = self.growing.map_or(images, |growing| images.min(growing.planned_images()));
        let grid = self.config.grid;
        SideFrame {
            data_id: self.data_id,
            image: self.view.index,
            grid,
            reach: Reach {
                grid: PatchGrid { patch: grid.patch, stride: self.config.gallery_stride },
                images,
                spaces: self.spaces.to_vec(),
            },
        }
    }
}

/// What the vectors of a side belong to.
#[derive(Clone, Debug, PartialEq)]
pub struct SideFrame {
    pub data_id: u64,
    pub image: usize,
    pub grid: PatchGrid,
    /// With all spaces on show, those that the model lacks among them.
    pub reach: Reach,
}

/// Which weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub spec: ModelSpec,
    /// Step of a run's checkpoint.
    pub step: Option<u64>,
    /// When its file was written: a run that is resumed may write a step anew.
    pub written: Option<SystemTime>,
}

/// What there is to do next for a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideUnit {
    Map,
    Bank,
}

/// A model and what was computed with it.
pub struct Side {
    pub key: Key,
    pub embedder: Embedder,
    frame: Option<SideFrame>,
    maps: Option<ImageMaps>,
    /// Why there is none, where patches cannot be embedded.
    growing: Option<Result<Growing, String>>,
    query: Option<QueryVectors>,
}

/// A query's vectors in the spaces on show that the model has.
struct QueryVectors {
    generation: u64,
    id: RequestId,
    vectors: Vec<Vec<f32>>,
}

impl Side {
    /// Nothing computed yet.
    pub fn new(key: Key, embedder: Embedder) -> Self {
        Self { key, embedder, frame: None, maps: None, growing: None, query: None }
    }

    /// Those of `spaces` that the model has.
    pub fn spaces(&self, spaces: &[PatchSpace], patch: u32) -> Vec<PatchSpace> {
        let has = |space: &&PatchSpace| space.width(&self.embedder.info, patch).is_some();
        spaces.iter().filter(has).copied().collect()
    }

    fn width(&self, space: PatchSpace, patch: u32) -> usize {
        space.width(&self.embedder.info, patch).unwrap_or_default()
    }

    /// Whether it is made for `frame`.
    pub fn is_for(&self, frame: &SideFrame) -> bool {
        self.frame.as_ref() == Some(frame)
    }

    /// Makes ready for another image, grid, data set or other spaces; what is still of use stays.
    pub fn fit(&mut self, frame: &SideFrame, target: &SideTarget<'_>, most_bytes: u64) {
        if self.frame.as_ref() == Some(frame) {
            return;
        }
        let has = self.spaces(target.spaces, frame.grid.patch);
        let old = self.frame.replace(frame.clone());
        let is_same_data = old.as_ref().is_some_and(|old| old.data_id == frame.data_id);
        let is_same_image = is_same_data
            && old.as_ref().is_some_and(|old| (old.image, old.grid) == (frame.image, frame.grid));
        let fits = |maps: &mut ImageMaps| is_same_image && maps.arrange(&has);
        if !self.maps.as_mut().is_some_and(fits) {
            let image = target.view.image.clone();
            self.maps = Some(
                ImageMaps::new(&self.embedder, frame.image, image, frame.grid, &has).on(target.processor),
            );
        }
        let is_same_reach = is_same_data
            && old.as_ref().is_some_and(|old| {
                (old.reach.grid, old.reach.images) == (frame.reach.grid, frame.reach.images)
            });
        let is_of_use = |growing: &Result<Growing, String>| {
            is_same_reach && growing.as_ref().is_ok_and(|growing| growing.has_spaces(&has))
        };
        if !self.growing.as_ref().is_some_and(is_of_use) {
            let reach = Reach { spaces: has, ..frame.reach.clone() };
            // Of a run that is followed every checkpoint is another model.
            let cache = target.cache.filter(|_| self.key.step.is_none());
            let before = Before { stored: None, cache };
            let growing = Growing::start(&self.embedder, target.data, &reach, before, most_bytes);
            self.growing = Some(growing.map_err(|error| format!("{error:#}")));
        }
        self.query = None;
    }

    /// What is to be done for `frame`; the map before the bank, which waits in a pause.
    pub fn due(&self, frame: &SideFrame, is_paused: bool) -> Option<SideUnit> {
        let fits = self.is_for(frame);
        let map = self.maps.as_ref().is_none_or(|maps| !maps.is_complete());
        let bank = match &self.growing {
            Some(Ok(growing)) => !growing.is_finished() && growing.stopped().is_none(),
            Some(Err(_)) => false,
            None => true,
        };
        match (fits, map, bank && !is_paused) {
            (false, ..) | (true, true, _) => Some(SideUnit::Map),
            (true, false, true) => Some(SideUnit::Bank),
            (true, false, false) => None,
        }
    }

    /// Whether all is known that is to be known for `frame`.
    pub fn is_complete(&self, frame: &SideFrame) -> bool {
        self.due(frame, false).is_none() && self.bank().is_none_or(|growing| growing.stopped().is_none())
    }

    /// Embeds the next cells of the map. An error ends both it and the bank.
    pub fn refine(&mut self) {
        if let Some(maps) = self.maps.as_mut().filter(|maps| !maps.is_complete()) {
            let batch = if maps.known() == 0 { FIRST_BATCH } else { BATCH };
            if let Err(error) = maps.refine(&self.embedder, self.embedder.turn(batch)) {
                self.growing = Some(Err(format!("{error:#}")));
            }
        }
    }

    /// Reads a file again that could not be read.
    pub fn go_on(&mut self) {
        if let Some(Ok(growing)) = &mut self.growing {
            growing.pause(false);
        }
    }

    /// Embeds the next patches of the bank. An error ends it, unless it is that a file could not be read.
    pub fn extract(&mut self) {
        if let Some(Ok(growing)) = &mut self.growing
            && let Err(error) = growing.advance(&self.embedder)
            && growing.stopped().is_none()
        {
            self.growing = Some(Err(format!("{error:#}")));
        }
    }

    /// The bank, if the side is made for `frame`, or why there is none.
    pub fn growing(&self, frame: &SideFrame) -> Option<Result<&Growing, &str>> {
        let growing = self.growing.as_ref().filter(|_| self.is_for(frame))?;
        Some(growing.as_ref().map_err(String::as_str))
    }

    /// The vectors of the query in the spaces on show that the model has, in their order.
    pub fn query_vectors(&mut self, target: &SideTarget<'_>, query: TargetQuery<'_>) -> &[Vec<f32>] {
        let (generation, id) = (target.generation, query.id);
        let is_new = self.query.as_ref().is_none_or(|known| (known.generation, known.id) != (generation, id));
        if is_new {
            let patch = target.config.grid.patch;
            let has = self.spaces(target.spaces, patch);
            let from = PartSources::new(&self.embedder, &has, patch).with_maps(self.maps.as_ref());
            // Parts that cancel out under this model are like nothing.
            let nothing = |_| has.iter().map(|space| vec![0.0; self.width(*space, patch)]).collect();
            let vectors = parts::vectors(query.query, query.parts, &from).unwrap_or_else(nothing);
            self.query = Some(QueryVectors { generation, id, vectors });
        }
        self.query.as_ref().map_or(&[], |query| &query.vectors)
    }

    /// Cells of the map that are known.
    pub fn known_cells(&self) -> usize {
        self.maps.as_ref().map_or(0, ImageMaps::known)
    }

    /// The maps of the query whose vectors were asked for last, and their cells in all.
    pub fn heatmaps(&self) -> Option<(Vec<Heatmap>, usize)> {
        let (maps, query) = self.maps.as_ref().zip(self.query.as_ref())?;
        Some((maps.heatmaps(&query.vectors), maps.cells()))
    }

    /// Hands maps that are complete to a figure.
    ///
    /// # Errors
    /// Parts of a query cancel out.
    pub fn give_known(&mut self, rows: &mut MapRows) -> anyhow::Result<()> {
        let Some((frame, maps)) = self.frame.as_ref().zip(self.maps.as_mut()) else { return Ok(()) };
        let taken = rows.take_known(&self.embedder, maps);
        // The maps on show keep their order of spaces.
        let has = |space: &&PatchSpace| space.width(&self.embedder.info, frame.grid.patch).is_some();
        let order: Vec<PatchSpace> = frame.reach.spaces.iter().filter(has).copied().collect();
        maps.arrange(&order);
        taken
    }

    /// The patches that its galleries search, whatever they were embedded for.
    pub fn bank(&self) -> Option<&Growing> {
        self.growing.as_ref()?.as_ref().ok()
    }

    /// Memory of weights and vectors.
    pub fn bytes(&self) -> u64 {
        let growing = self.growing.iter().flatten().map(|growing| growing.bytes).sum::<u64>();
        self.embedder.weight_bytes() + self.maps.as_ref().map_or(0, ImageMaps::bytes) + growing
    }
}
