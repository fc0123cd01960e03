//! Opening a model, a data set; other patches or another reach: what was embedded before is of no use
//! any more, and extraction starts again.

use super::Explorer;
use std::sync::Arc;

use anyhow::Context;

use crate::dataset::{self, DataSpec, Dataset, Split};
use crate::embed::Embedder;
use crate::engine::ask::{
    DataDescription, DataSource, Event, ExploreConfig, GalleryFilter, ModelDescription, PatchSpace,
    QuerySpec, RequestId, defaults,
};
use crate::engine::look::extraction::{Growing, Reach};
use crate::engine::look::spaces;
use crate::model::{ModelSpec, store};
use crate::patch::{PatchGrid, PatchRef};

/// Images that are tried, from the first on, for something to show.
const EXAMPLES: usize = 24;

/// The open data set.
pub(super) struct OpenData {
    pub id: u64,
    pub set: Arc<dyn Dataset>,
}

impl Explorer {
    pub(super) fn open_model(&mut self, spec: &ModelSpec) -> anyhow::Result<()> {
        self.line.update(|shown| shown.busy = Some("opening the model".into()));
        let model = store::open(spec, &self.device.device)?;
        let embedder = Embedder::new(model, &self.device.device);
        let description = ModelDescription {
            name: embedder.name.clone(),
            arch: embedder.info.backbone.title(),
            spaces: embedder
                .info
                .spaces()
                .into_iter()
                .rev()
                .map(|(space, width)| (space.to_string(), width))
                .collect(),
            all_spaces: names(&spaces::all(&embedder.info)),
            input: embedder.info.input,
            hash: embedder.hash.clone(),
        };
        self.embedder = Some(embedder);
        self.forget_maps();
        self.line.update(|shown| {
            shown.model = Some(Arc::new(description));
            shown.model_source = Some(Arc::new(spec.clone()));
        });
        self.line.emit(Event::ModelOpened);
        self.restart()
    }

    pub(super) fn open_data(&mut self, spec: &DataSpec, split: Option<Split>) -> anyhow::Result<()> {
        self.line.update(|shown| shown.busy = Some("opening the data set".into()));
        let set = dataset::open(spec, split)?;
        let id = self.data.as_ref().map_or(1, |data| data.id + 1);
        let description = DataDescription {
            id,
            name: set.name(),
            kind: set.kind().name.into(),
            images: set.len(),
            classes: set.classes().to_vec(),
            labels: (0..set.len()).map(|index| set.label(index)).collect(),
            size: set.size(),
            split: set.split(),
            skipped: set.skipped().to_vec(),
        };
        let mut config = default_config(set.as_ref())?;
        config.spaces = self.config.take().map_or_else(Vec::new, |config| config.spaces);
        self.data = Some(OpenData { id, set });
        self.config = Some(config.clone());
        self.query = None;
        self.forget_maps();
        self.line.update(|shown| {
            shown.data = Some(Arc::new(description));
            shown.data_source = Some(Arc::new(DataSource { spec: spec.clone(), split }));
            shown.config = Some(config);
            shown.view = None;
            shown.found = None;
        });
        self.line.emit(Event::DataOpened);
        self.restart()
    }

    /// The vectors of the image on show lose their meaning.
    fn forget_maps(&mut self) {
        *self.maps.write() = None;
        if let Some(microscope) = &mut self.microscope {
            microscope.forget();
        }
    }

    /// What is shown of a query loses its meaning.
    pub(super) fn forget_answers(&self) {
        self.line.update(|shown| {
            shown.generation += 1;
            shown.query = None;
            shown.galleries = None;
            shown.pictures = None;
            shown.preview = None;
        });
    }

    /// After model, data or grid changed: what was embedded is of no use any more.
    fn restart(&mut self) -> anyhow::Result<()> {
        self.growing = None;
        self.parts.clear();
        self.give_up_figure("another model or data set was opened meanwhile");
        self.forget_answers();
        self.forget_places();
        self.line.update(|shown| shown.extraction = None);
        self.choose_spaces();
        self.place_again();
        let Some(config) = self.config.clone() else { return Ok(()) };
        if self.embedder.is_none() || self.data.is_none() {
            return Ok(());
        }
        // Without galleries there are still heatmaps.
        if let Err(error) = self.start_extraction(&config) {
            self.fail("embedding patches for the galleries", &error);
        }
        let shown = self.line.snapshot().view.as_ref().map(|view| view.index);
        match (self.query.take(), shown) {
            (Some(query), Some(image)) => self.ask(query.id, query.query, image),
            // An image that was chosen without a query stays on show.
            (None, Some(_)) => self.prepare_maps(),
            (_, None) => self.show_example(config.grid),
        }
    }

    /// Settles which of the wanted spaces the model has.
    fn choose_spaces(&mut self) {
        let (Some(embedder), Some(config)) = (&self.embedder, &mut self.config) else { return };
        self.spaces = spaces::chosen(&embedder.info, &config.spaces);
        config.spaces = names(&self.spaces);
        let config = config.clone();
        self.line.update(|shown| shown.config = Some(config));
    }

    /// Whether the bank, if there is one, holds every space on show.
    fn bank_has_spaces(&self) -> bool {
        self.growing.as_ref().is_none_or(|growing| growing.has_spaces(&self.spaces))
    }

    fn start_extraction(&mut self, config: &ExploreConfig) -> anyhow::Result<()> {
        let (Some(embedder), Some(data)) = (&self.embedder, &self.data) else { return Ok(()) };
        let reach = Reach {
            grid: PatchGrid::new(config.grid.patch, config.gallery_stride)?,
            images: config.gallery_images,
            spaces: self.spaces.clone(),
        };
        let most_bytes = self.device.memory.bank();
        self.growing = Some(Growing::start_within(embedder, &data.set, &reach, most_bytes)?);
        self.publish_extraction();
        Ok(())
    }

    /// Asks for a first query worth seeing: a wheel, or the centre of the first image that can be read.
    fn show_example(&mut self, grid: PatchGrid) -> anyhow::Result<()> {
        let set = self.data.as_ref().context("no data set is open")?.set.clone();
        if let Some(patch) = wheel(set.as_ref(), grid) {
            return self.ask(0, QuerySpec::one(patch), patch.image as usize);
        }
        let mut first_error = None;
        for index in 0..EXAMPLES.min(set.len()) {
            let (height, width) = set.dimensions(index);
            let (rows, cols) = grid.shape(height, width);
            if rows * cols == 0 {
                first_error.get_or_insert_with(|| {
                    let patch = grid.patch;
                    anyhow::anyhow!(
                        "a patch of {patch} pixels does not fit on {width} x {height}; choose a smaller patch"
                    )
                });
            } else if let Err(error) = self.view(index) {
                first_error.get_or_insert(error);
            } else {
                let (y, x) = grid.corner(rows / 2 * cols + cols / 2, cols);
                let patch = PatchRef { image: index as u32, y, x, size: grid.patch };
                return self.ask(0, QuerySpec::one(patch), index);
            }
        }
        Err(first_error.unwrap_or_else(|| anyhow::anyhow!("it has no images")))
            .context("none of the first images can be shown; the first one")
    }

    /// Takes new settings; the query, if there is one, is asked again as `id`.
    pub(super) fn configure(&mut self, id: RequestId, config: ExploreConfig) -> anyhow::Result<()> {
        let Some(old) = self.config.replace(config.clone()) else { return Ok(()) };
        if let Some(query) = &mut self.query {
            query.id = id;
            query.query.follow_patch_size(old.grid.patch, config.grid.patch);
        }
        self.choose_spaces();
        if self.embedder.is_none() {
            self.line.update(|shown| shown.config = Some(config.clone()));
        }
        if old.grid != config.grid {
            *self.maps.write() = None;
        }
        let reach = |c: &ExploreConfig| (c.grid.patch, c.gallery_stride, c.gallery_images);
        // Spaces that are left out stay in the bank; new ones need another.
        let was_refused = self.growing.is_none() && old.spaces != config.spaces;
        if reach(&old) != reach(&config) || was_refused || !self.bank_has_spaces() {
            return self.restart();
        }
        self.place_again();
        let shown = self.line.snapshot().view.as_ref().map(|view| view.index);
        match (&self.query, shown) {
            (Some(query), Some(image)) => self.ask(query.id, query.query.clone(), image),
            _ => Ok(()),
        }
    }
}

/// Patch size and strides that suit the images: about a quarter of the side, at most 25 x 25 positions in
/// a map, 7 x 7 for each image of the galleries.
fn default_config(data: &dyn Dataset) -> anyhow::Result<ExploreConfig> {
    let (height, width) = match data.size() {
        Some(size) => size,
        None => data.dimensions(0),
    };
    let side = height.min(width);
    let patch = defaults::patch(side);
    Ok(ExploreConfig {
        grid: PatchGrid::new(patch, defaults::map_stride(side, patch))?,
        gallery_stride: defaults::gallery_stride(side, patch),
        gallery_images: data.len().min(defaults::GALLERY_IMAGES),
        neighbours: defaults::NEIGHBOURS,
        spaces: vec![],
        filter: GalleryFilter::default(),
    })
}

fn names(spaces: &[PatchSpace]) -> Vec<String> {
    spaces.iter().map(PatchSpace::to_string).collect()
}

/// A patch worth seeing where the data set knows its parts: one with a piece of a wheel and the most parts beside
/// it, among the first images.
fn wheel(data: &dyn Dataset, grid: PatchGrid) -> Option<PatchRef> {
    let worthwhile = data.kind().example_part?;
    let mut best: Option<((usize, usize), PatchRef)> = None;
    for index in 0..EXAMPLES.min(data.len()) {
        let map = data.parts(index)?;
        let wheel = map.names.iter().position(|name| *name == worthwhile)?;
        let (rows, cols) = grid.shape(map.height, map.width);
        for cell in 0..rows * cols {
            let (y, x) = grid.corner(cell, cols);
            let mut counts = vec![0; map.names.len()];
            for y in y..y + grid.patch {
                let row = (y * map.width + x) as usize..(y * map.width + x + grid.patch) as usize;
                map.index[row].iter().for_each(|part| counts[usize::from(*part)] += 1);
            }
            let area = (grid.patch * grid.patch) as usize;
            let parts =
                counts.iter().skip(map.backgrounds).filter(|count| **count * SMALL_PART >= area).count();
            let score = (parts, counts[wheel]);
            if counts[wheel] * SMALL_PIECE >= area && best.is_none_or(|(most, _)| score > most) {
                best = Some((score, PatchRef { image: index as u32, y, x, size: grid.patch }));
            }
        }
    }
    best.map(|(_, patch)| patch)
}

/// A part counts where it covers one in so many pixels of a patch, a piece of a wheel one in so many.
const SMALL_PART: usize = 25;
const SMALL_PIECE: usize = 6;
