//! Opening a model, a data set; other patches or another reach: what was embedded before is of no use
//! any more, and extraction starts again.

use std::sync::Arc;

use crate::bank::Bank;
use crate::dataset::{self, DataSpec, Dataset, Split};
use crate::embed::Embedder;
use crate::engine::ask::{
    ABOUT_GALLERIES, DataDescription, DataSource, Event, ExploreConfig, GalleryFilter, ModelDescription,
    ModelReport, PatchSpace, QuerySpec, RequestId, SearchWay, defaults,
};
use crate::engine::live::example::example;
use crate::engine::live::explorer::Explorer;
use crate::engine::live::extraction;
use crate::engine::live::open::OpenData;
use crate::engine::live::part::Change;
use crate::engine::look::spaces;
use crate::engine::look::stored::StoredBank;
use crate::model::ModelSpec;
use crate::patch::PatchGrid;
use crate::train::fitting::TrainedBy;

impl Explorer {
    pub fn open_model(&mut self, spec: &ModelSpec) -> anyhow::Result<()> {
        self.open.line.update(|shown| shown.busy = Some("opening the model".into()));
        let device = &self.open.device.device;
        let embedder = Embedder::open(spec, device)?;
        self.take_embedder(embedder, spec);
        self.restart()
    }

    /// Puts a model in the place of what was open before, if something was.
    pub(super) fn take_embedder(&mut self, embedder: Embedder, spec: &ModelSpec) {
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
            trained_by: TrainedBy::of(&embedder.info),
            report: Some(ModelReport::of(&embedder)),
            missing: None,
        };
        if let Some(stored) = &mut self.open.stored {
            stored.is_of_model = stored.is_made_by(&embedder);
        }
        let before = self.open.embedder.replace(embedder);
        self.suit_patches(before.as_ref());
        self.forget_maps();
        // No answer of the one stands beside the other, not even for a moment.
        self.open.forget_answers();
        self.open.line.update(|shown| {
            shown.model = Some(Arc::new(description));
            shown.model_source = Some(Arc::new(spec.clone()));
        });
        self.open.line.emit(Event::ModelOpened);
    }

    /// Opens a data set, or a bank where its folder is named.
    pub fn open_data(&mut self, spec: &DataSpec, split: Option<Split>) -> anyhow::Result<()> {
        if let Some(folder) = spec.path().filter(|folder| Bank::is_at(folder)) {
            return self.open_bank(folder);
        }
        self.open.line.update(|shown| shown.busy = Some("opening the data set".into()));
        let set = dataset::open(spec, split)?;
        let mut config = default_config(set.as_ref(), self.open.embedder.as_ref())?;
        config.spaces = self.open.config.take().map_or_else(Vec::new, |config| config.spaces);
        if self.open.stored.take().is_some() && self.open.embedder.is_none() {
            // What stood for the model were the vectors of the bank.
            self.open.line.update(|shown| shown.model = None);
        }
        self.take_data(DataSource { spec: spec.clone(), split }, set, config);
        self.restart()
    }

    /// Puts a data set in the place of the one that was open before, if one was.
    pub(super) fn take_data(&mut self, source: DataSource, set: Arc<dyn Dataset>, config: ExploreConfig) {
        let id = self.open.next_data;
        self.open.next_data += 1;
        let description = DataDescription {
            id,
            name: set.name(),
            kind: set.kind().name.into(),
            images: set.len(),
            classes: set.classes().to_vec(),
            labels: (0..set.len()).map(|index| set.label(index)).collect(),
            size: set.size(),
            side: set.short_side(),
            split: set.split(),
            decoding: set.decoding(),
            skipped: set.skipped().to_vec(),
        };
        self.open.data = Some(OpenData { id, set, source: source.clone() });
        self.open.config = Some(config.clone());
        self.open.query = None;
        self.open.view = None;
        self.forget_maps();
        self.open.forget_answers();
        self.open.line.update(|shown| {
            shown.data = Some(Arc::new(description));
            shown.data_source = Some(Arc::new(source));
            shown.config = Some(config);
            shown.view = None;
            shown.found = None;
        });
        self.open.line.emit(Event::DataOpened);
    }

    /// Patches that nobody chose become those of the model that was opened in place of `before`.
    fn suit_patches(&mut self, before: Option<&Embedder>) {
        let (Some(data), Some(config)) = (&self.open.data, &mut self.open.config) else { return };
        let side = data.set.short_side();
        if config.grid.patch != usual_patch(side, before) {
            return;
        }
        let old = config.clone();
        config.grid.patch = usual_patch(side, self.open.embedder.as_ref());
        defaults::follow_patch(&old, config, side);
        if let Some(query) = &mut self.open.query {
            query.query.follow_patch_size(old.grid.patch, config.grid.patch);
        }
    }

    /// The vectors of the image on show lose their meaning.
    fn forget_maps(&mut self) {
        *self.open.maps.write() = None;
        self.tell(Change::Source);
    }

    /// After model, data or grid changed: what was embedded is of no use any more.
    pub(super) fn restart(&mut self) -> anyhow::Result<()> {
        // What it keeps is on disk from here on.
        self.open.growing = None;
        self.open.parts.clear();
        self.open.forget_answers();
        self.open.line.update(|shown| shown.extraction = None);
        self.choose_spaces();
        self.tell(Change::Vectors);
        let Some(config) = &self.open.config else { return Ok(()) };
        let grid = config.grid;
        if !self.open.has_vectors() || self.open.data.is_none() {
            return Ok(());
        }
        // Without galleries there are still heatmaps.
        if let Err(error) = extraction::start(&mut self.open) {
            self.open.fail(ABOUT_GALLERIES, &error);
        }
        let shown = self.open.view.as_ref().map(|view| view.index);
        match (self.open.query.take(), shown) {
            (Some(query), Some(image)) => self.ask(query.id, query.query, image),
            // An image that was chosen without a query stays on show.
            (None, Some(_)) => self.prepare_maps(),
            (_, None) => {
                let (query, image) = match self.open.known_vectors().and_then(StoredBank::example) {
                    Some(patch) => (QuerySpec::one(patch), patch.image as usize),
                    None => example(&mut self.open, grid)?,
                };
                self.ask(0, query, image)
            }
        }
    }

    /// Settles which of the wanted spaces the model has, or the bank where no model is there.
    fn choose_spaces(&mut self) {
        let Some(config) = &mut self.open.config else { return };
        self.open.spaces = match (&self.open.embedder, &self.open.stored) {
            (Some(embedder), _) => spaces::chosen(&embedder.info, &config.spaces),
            (None, Some(stored)) => stored.chosen(&config.spaces),
            (None, None) => return,
        };
        config.spaces = names(&self.open.spaces);
        let config = config.clone();
        self.open.line.update(|shown| shown.config = Some(config));
    }

    /// Whether the bank, if there is one, holds every space on show.
    fn bank_has_spaces(&self) -> bool {
        self.open.growing.as_ref().is_none_or(|growing| growing.has_spaces(&self.open.spaces))
    }

    /// Shows image `index`; the query stays.
    pub fn show_image(&mut self, index: usize) -> anyhow::Result<()> {
        self.open.show(index)?;
        self.prepare_maps()?;
        self.open.begin_maps();
        self.open.publish_query();
        Ok(())
    }

    /// Starts the maps of the image on show, unless they are there.
    fn prepare_maps(&mut self) -> anyhow::Result<()> {
        if self.open.prepare_maps()? {
            self.tell(Change::Maps);
        }
        Ok(())
    }

    /// Looks for `query`, on image `image`, and shows what is known already.
    pub fn ask(&mut self, id: RequestId, query: QuerySpec, image: usize) -> anyhow::Result<()> {
        self.open.show(image)?;
        let query = self.open.on_grid(self.open.within(query)?)?;
        self.prepare_maps()?;
        if !self.open.has_vectors() {
            return Ok(());
        }
        self.open.take_query(id, query)?;
        self.open.begin_maps();
        self.open.publish_query();
        self.tell(Change::Query);
        Ok(())
    }

    /// Takes new settings; the query, if there is one, is asked again as `id`.
    pub fn configure(&mut self, id: RequestId, mut config: ExploreConfig) -> anyhow::Result<()> {
        let refused = self.open.hold_to_bank(&mut config);
        if refused {
            let shown = config.clone();
            self.open.line.update(|snapshot| snapshot.config = Some(shown));
        }
        let Some(old) = self.open.config.replace(config.clone()) else { return Ok(()) };
        if let Some(query) = &mut self.open.query {
            query.id = id;
            query.query.follow_patch_size(old.grid.patch, config.grid.patch);
        }
        self.choose_spaces();
        if !self.open.has_vectors() {
            self.open.line.update(|shown| shown.config = Some(config.clone()));
        }
        if old.grid != config.grid {
            *self.open.maps.write() = None;
        }
        let reach = |c: &ExploreConfig| (c.grid.patch, c.gallery_stride, c.gallery_images);
        // Spaces that are left out stay in the bank; new ones need another.
        let was_refused = self.open.growing.is_none() && old.spaces != config.spaces;
        if reach(&old) != reach(&config) || was_refused || !self.bank_has_spaces() {
            return self.restart();
        }
        self.tell(Change::Settings);
        let shown = self.open.view.as_ref().map(|view| view.index);
        if let (Some(query), Some(image)) = (&self.open.query, shown) {
            self.ask(query.id, query.query.clone(), image)?;
        }
        anyhow::ensure!(!refused, "{}", self.open.why_no_network());
        Ok(())
    }
}

/// The patch size that suits images of short side `side`, and the model where there is one.
fn usual_patch(side: u32, embedder: Option<&Embedder>) -> u32 {
    let trained = embedder.map_or_else(Vec::new, |embedder| embedder.info.trained_crops());
    defaults::patch_for(side, &trained)
}

/// Patch size and strides that suit the images and the model: at most 25 x 25 positions in a map, 7 x 7 or a few more
/// for each image of the galleries.
pub(super) fn default_config(
    data: &dyn Dataset,
    embedder: Option<&Embedder>,
) -> anyhow::Result<ExploreConfig> {
    let side = data.short_side();
    let patch = usual_patch(side, embedder);
    Ok(ExploreConfig {
        grid: PatchGrid::new(patch, defaults::map_stride(side, patch))?,
        gallery_stride: defaults::gallery_stride(side, patch),
        gallery_images: data.len().min(defaults::GALLERY_IMAGES),
        neighbours: defaults::NEIGHBOURS,
        spaces: vec![],
        filter: GalleryFilter::default(),
        way: SearchWay::default(),
    })
}

fn names(spaces: &[PatchSpace]) -> Vec<String> {
    spaces.iter().map(PatchSpace::to_string).collect()
}
