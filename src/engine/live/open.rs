//! What is open and on show: the engine's truth, which the snapshot is written from and which is never read back from it.

use std::sync::Arc;

use anyhow::Context;

use crate::bank::{Bank, VectorCache};
use crate::dataset::Dataset;
use crate::device::OpenDevice;
use crate::embed::{Embedder, ImageShelf};
use crate::engine::ask::{
    DataSource, EngineLine, Event, ExploreConfig, ImageView, PatchSpace, QuerySpec, QueryView, RequestId,
    Source,
};
use crate::engine::look::extraction::Growing;
use crate::engine::look::gallery::ByCodes;
use crate::engine::look::maps::{ImageMaps, SharedMaps, check_cells};
use crate::engine::look::parts::{self, EmbeddedPart, PartCache, PartSources};
use crate::engine::look::stored::StoredBank;
use crate::image::Image;
use crate::patch::PatchGrid;
use crate::search::Processor;

/// Cells of a map's first batch: few, so that something is seen at once.
const FIRST_BATCH: usize = 32;

/// What is open and on show.
pub struct Open {
    /// Where it is shown.
    pub line: Arc<EngineLine>,
    /// Where tensors live.
    pub device: OpenDevice,
    /// Computes cosines.
    pub processor: Arc<Processor>,
    /// The model.
    pub embedder: Option<Embedder>,
    /// The data set.
    pub data: Option<OpenData>,
    /// The number of the next one.
    pub next_data: u64,
    /// The settings; there from the first data set on.
    pub config: Option<ExploreConfig>,
    /// The spaces on show, of the open model.
    pub spaces: Vec<PatchSpace>,
    /// The image on show.
    pub view: Option<Arc<ImageView>>,
    /// The vectors of its patches.
    pub maps: SharedMaps,
    /// What is looked for.
    pub query: Option<CurrentQuery>,
    /// Vectors of parts of queries.
    pub parts: PartCache,
    /// The patches that galleries search.
    pub growing: Option<Growing>,
    /// The bank that is open: vectors that need not be embedded, or where no model is there all that there are.
    pub stored: Option<StoredBank>,
    /// Where vectors are kept from one time to the next, if anywhere.
    pub cache: Option<VectorCache>,
    /// Changes with the meaning of vectors.
    pub generation: u64,
    /// Whether news of what is explored are to cost no frame, since a run is looked at.
    pub is_quiet: bool,
}

/// The open data set.
pub struct OpenData {
    /// Tells it from others that were open before.
    pub id: u64,
    /// Its images.
    pub set: Arc<dyn Dataset>,
    /// What opened it.
    pub source: DataSource,
}

/// The query that is being answered.
pub struct CurrentQuery {
    /// Number of the request.
    pub id: RequestId,
    /// Its boxes moved into their images.
    pub query: QuerySpec,
    /// Pixels and vectors of each part.
    pub parts: Vec<Arc<EmbeddedPart>>,
    /// Its vector in each shown space.
    pub vectors: Vec<Vec<f32>>,
}

impl Open {
    /// Nothing is open.
    pub fn new(
        line: Arc<EngineLine>,
        device: OpenDevice,
        processor: Arc<Processor>,
        cache: Option<VectorCache>,
    ) -> Self {
        Self {
            line,
            device,
            processor,
            embedder: None,
            data: None,
            next_data: 1,
            config: None,
            spaces: vec![],
            view: None,
            maps: SharedMaps::default(),
            query: None,
            parts: PartCache::default(),
            growing: None,
            stored: None,
            cache,
            generation: 0,
            is_quiet: false,
        }
    }

    /// Tells the face what could not be done.
    pub fn fail(&self, about: &str, error: &anyhow::Error) {
        self.line.emit(Event::Failed { about: about.into(), message: format!("{error:#}") });
    }

    /// Whether there are vectors to look at: of a model, or of a bank without its model.
    pub fn has_vectors(&self) -> bool {
        self.embedder.is_some() || self.stored.is_some()
    }

    /// The network.
    ///
    /// # Errors
    /// None is open; of a bank without its model, which.
    pub fn network(&self) -> anyhow::Result<&Embedder> {
        self.embedder.as_ref().with_context(|| self.why_no_network())
    }

    /// What searches `bank` by codes, where it is the one that is open, or a part of it, and has some.
    pub fn by_codes(&self, bank: &Bank) -> Option<ByCodes> {
        let stored = self.stored.as_ref().filter(|stored| stored.is_whole_of(bank))?;
        let way = self.config.as_ref()?.way;
        stored.by_codes().map(|processor| ByCodes { processor, way })
    }

    /// What to say where the network is needed and not there.
    pub fn why_no_network(&self) -> String {
        match &self.stored {
            None => "open a model first".into(),
            Some(stored) => {
                let PatchGrid { patch, stride } = stored.grid();
                format!(
                    "this needs the model: the bank {} is open without it, and has the vectors of patches of {patch} pixels \
                     every {stride} pixels, no others",
                    stored.folder.display()
                )
            }
        }
    }

    /// Without the model, what is asked for must lie in the bank: the patch on its grid that is nearest to each box.
    ///
    /// # Errors
    /// A picture from outside, of which the bank has no vector.
    pub fn on_grid(&self, mut query: QuerySpec) -> anyhow::Result<QuerySpec> {
        let (None, Some(stored)) = (&self.embedder, &self.stored) else { return Ok(query) };
        let set = self.set()?;
        for part in &mut query.parts {
            let Source::Box(area) = &mut part.source else { anyhow::bail!("{}", self.why_no_network()) };
            let (height, width) = set.dimensions(area.image as usize);
            *area = stored.nearest(*area, height, width).unwrap_or(*area);
        }
        Ok(query)
    }

    /// Without the model, patches are those of the bank; whether others were wanted.
    pub fn hold_to_bank(&self, config: &mut ExploreConfig) -> bool {
        let (None, Some(stored)) = (&self.embedder, &self.stored) else { return false };
        let grid = stored.grid();
        let is_other = (config.grid, config.gallery_stride) != (grid, grid.stride);
        (config.grid, config.gallery_stride) = (grid, grid.stride);
        is_other
    }

    /// The open data set.
    pub fn set(&self) -> anyhow::Result<&Arc<dyn Dataset>> {
        Ok(&self.data.as_ref().context("no data set is open")?.set)
    }

    /// Names of the spaces on show.
    pub fn space_names(&self) -> Vec<String> {
        self.spaces.iter().map(PatchSpace::to_string).collect()
    }

    /// Image `index`, decoded unless it is the one on show.
    pub fn image(&self, index: usize) -> anyhow::Result<Arc<Image>> {
        match self.view.as_ref().filter(|view| view.index == index) {
            Some(view) => Ok(view.image.clone()),
            None => Ok(Arc::new(self.set()?.image(index)?)),
        }
    }

    /// Puts image `index` on show, if it is not there already.
    pub fn show(&mut self, index: usize) -> anyhow::Result<()> {
        if self.view.as_ref().is_some_and(|view| view.index == index) {
            return Ok(());
        }
        let set = self.set()?;
        let image = Arc::new(set.image(index)?);
        let label = set.label(index);
        let parts = set.parts(index).unwrap_or_else(|error| {
            log::warn!("{error:#}");
            None
        });
        let view = Arc::new(ImageView {
            index,
            name: set.image_name(index),
            class: label.and_then(|label| set.classes().get(label as usize).cloned()),
            image,
            values: set.values(index),
            parts: parts.map(Arc::new),
        });
        self.view = Some(view.clone());
        self.line.update(|shown| shown.view = Some(view));
        Ok(())
    }

    /// Starts the maps of the image on show, unless they are there. Returns whether there is an image, a model and
    /// a grid to have maps of.
    ///
    /// # Errors
    /// They would have too many cells, or take more memory than maps may.
    pub fn prepare_maps(&mut self) -> anyhow::Result<bool> {
        let Some(config) = self.config.as_ref().filter(|_| self.has_vectors()) else { return Ok(false) };
        let Some(view) = &self.view else { return Ok(false) };
        let cells = check_cells(config.grid, view.image.height(), view.image.width())?;
        let row: usize = self.spaces.iter().filter_map(|space| self.width(*space, config.grid.patch)).sum();
        let (bytes, most) = ((cells * row * 4) as u64, self.device.memory.maps());
        anyhow::ensure!(
            bytes <= most,
            "the vectors of this image's {cells} patches would take {} MiB of memory; expected at most {} MiB: \
             choose a larger stride or fewer spaces, or give it more (--memory)",
            bytes >> 20,
            most >> 20
        );
        let fits = |maps: &mut ImageMaps| {
            maps.image_index == view.index && maps.grid == config.grid && maps.arrange(&self.spaces)
        };
        let mut maps = self.maps.write();
        if !maps.as_mut().is_some_and(fits) {
            *maps = None;
            *maps = Some(self.new_maps(config.grid, view)?.on(&self.processor));
        }
        Ok(true)
    }

    /// Values of a vector in a space on show.
    fn width(&self, space: PatchSpace, patch: u32) -> Option<usize> {
        match &self.embedder {
            Some(embedder) => space.width(&embedder.info, patch),
            None => self.stored.as_ref()?.bank.width(&space.to_string()).ok(),
        }
    }

    /// The maps of an image as far as they are known before anything is embedded.
    fn new_maps(&self, grid: PatchGrid, view: &ImageView) -> anyhow::Result<ImageMaps> {
        let stored = self.known_vectors().filter(|stored| stored.has(grid, &self.spaces));
        let (index, image) = (view.index, &view.image);
        if let Some(stored) = stored
            && let Some(maps) = ImageMaps::of_bank(stored, index, image.clone(), &self.spaces)?
        {
            return Ok(maps);
        }
        match &self.embedder {
            Some(embedder) => {
                let maps = ImageMaps::new(embedder, index, image.clone(), grid, &self.spaces);
                let known = self.shelf(&maps).and_then(|shelf| shelf.find());
                Ok(match known {
                    Some(known) => maps.knowing(known),
                    None => maps,
                })
            }
            None => anyhow::bail!("{} is not in the bank; {}", view.name, self.why_no_network()),
        }
    }

    /// Where the vectors of `maps` are kept, if anywhere.
    pub fn shelf(&self, maps: &ImageMaps) -> Option<ImageShelf> {
        self.growing.as_ref()?.shelf(self.cache.as_ref()?, maps, self.embedder.as_ref()?)
    }

    /// The bank that is open, if its vectors are those of the model, or no model is there.
    pub fn known_vectors(&self) -> Option<&StoredBank> {
        self.stored.as_ref().filter(|stored| stored.is_of_model || self.embedder.is_none())
    }

    /// Sees to it that the first map of the query is not empty.
    pub fn begin_maps(&self) {
        let is_empty = self.maps.read().as_ref().is_some_and(|maps| maps.known() == 0);
        if let (Some(_), Some(embedder), true) = (&self.query, &self.embedder, is_empty)
            && let Err(error) = self.maps.refine(embedder, embedder.turn(FIRST_BATCH))
        {
            self.fail("the heatmaps", &error);
        }
    }

    /// Pixels and vectors of each part of `query`, in the spaces on show.
    ///
    /// # Errors
    /// No model is open, or an image cannot be read.
    pub fn embed(&mut self, query: &QuerySpec) -> anyhow::Result<Vec<Arc<EmbeddedPart>>> {
        let mut cache = std::mem::take(&mut self.parts);
        let embedded = self.embed_with(&mut cache, query);
        self.parts = cache;
        embedded
    }

    fn embed_with(&self, cache: &mut PartCache, query: &QuerySpec) -> anyhow::Result<Vec<Arc<EmbeddedPart>>> {
        let Some(config) = self.config.as_ref().filter(|_| self.has_vectors()) else {
            anyhow::bail!("no model is open");
        };
        let maps = self.maps.read();
        let from = PartSources {
            embedder: self.embedder.as_ref(),
            spaces: &self.spaces,
            patch: config.grid.patch,
            maps: maps.as_ref(),
            stored: self.known_vectors(),
        };
        cache.embed(query, &from, |index| self.image(index as usize))
    }

    /// Embeds `query` and takes it for the one that is answered.
    ///
    /// # Errors
    /// As [`Open::embed`]; the query of before stays.
    pub fn take_query(&mut self, id: RequestId, query: QuerySpec) -> anyhow::Result<()> {
        let parts = self.embed(&query)?;
        let vectors = parts::composed(&query, &parts)?;
        if let Some(growing) = &mut self.growing {
            growing.invite(&query.images());
        }
        self.query = Some(CurrentQuery { id, query, parts, vectors });
        Ok(())
    }

    /// The query with its boxes moved into their images.
    ///
    /// # Errors
    /// One cannot fit.
    pub fn within(&self, query: QuerySpec) -> anyhow::Result<QuerySpec> {
        let set = self.set()?;
        within(query, |image| set.dimensions(image as usize))
    }

    /// Shows the query with its maps as far as they are known.
    pub fn publish_query(&self) {
        let maps = self.maps.read();
        let (Some(query), Some(maps)) = (&self.query, &*maps) else { return };
        let view = QueryView {
            id: query.id,
            query: query.query.clone(),
            parts: query.parts.iter().map(|part| part.small.clone()).collect(),
            image: maps.image_index,
            maps: maps.heatmaps(&query.vectors),
            known: maps.known(),
            tiles: self.embedder.as_ref().and_then(|embedder| maps.tiles(embedder)),
        };
        self.line.update(|shown| shown.query = Some(Arc::new(view)));
    }

    /// What is shown of a query loses its meaning.
    pub fn forget_answers(&mut self) {
        self.generation += 1;
        let generation = self.generation;
        self.line.update(|shown| {
            shown.generation = generation;
            shown.query = None;
            shown.galleries = None;
            shown.views.pictures = None;
            shown.views.preview = None;
        });
    }
}

fn within(mut query: QuerySpec, dimensions: impl Fn(u32) -> (u32, u32)) -> anyhow::Result<QuerySpec> {
    for part in &mut query.parts {
        if let Source::Box(area) = &mut part.source {
            let (height, width) = dimensions(area.image);
            *area = area.within(height, width).with_context(|| {
                format!(
                    "a patch of {} x {} pixels does not fit on the image of {width} x {height}; choose a smaller patch",
                    area.width, area.height
                )
            })?;
        }
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::PatchRef;

    #[test]
    fn a_patch_at_the_edge_is_moved_inside() {
        let query = QuerySpec::one(PatchRef { image: 0, y: 30, x: 2, size: 14 });
        let moved = within(query.clone(), |_| (32, 32)).unwrap();
        assert_eq!(moved.as_patch().unwrap().y, 18);
        assert!(within(query, |_| (10, 32)).unwrap_err().to_string().contains("smaller patch"));
    }
}
