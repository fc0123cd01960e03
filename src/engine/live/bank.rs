//! Opening a bank: its data set, its model where it is found, and all of its rows at once.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};

use crate::bank::open_bank;
use crate::dataset::Dataset;
use crate::embed::Embedder;
use crate::engine::ask::{BankSource, DataSource, Event, ModelDescription, PatchSpace, SearchWay};
use crate::engine::live::changes::default_config;
use crate::engine::live::explorer::Explorer;
use crate::engine::look::kept::source_of;
use crate::engine::look::stored::StoredBank;
use crate::model::{ModelPlace, ModelSpec};
use crate::train::fitting::TrainedBy;

impl Explorer {
    /// Opens the bank in `folder`. Its images are those noted with it, or those that are open; its model the one that is
    /// open, or the one noted with it, if it is still the same.
    ///
    /// # Errors
    /// No bank there, or an empty one; images that are gone: with what to do. A model that is gone is none.
    pub fn open_bank(&mut self, folder: &Path) -> anyhow::Result<()> {
        self.open.line.update(|shown| shown.busy = Some("opening the bank".into()));
        let mut stored = StoredBank::new(open_bank(folder)?, folder.to_path_buf(), self.open.cache.as_ref())?;
        let (source, noted) = source_of(folder)?;
        let (source, set) = self.images_of(&stored, source)?;
        self.open.stored = None;
        let missing = self.model_of(&stored, noted.as_ref());
        stored.is_of_model = missing.is_none();
        if let Some(reason) = missing {
            let description = without_model(&stored, reason);
            self.open.embedder = None;
            self.open.line.update(|shown| {
                shown.model = Some(Arc::new(description));
                shown.model_source = None;
            });
            self.open.line.emit(Event::ModelOpened);
        }
        let mut config = default_config(set.as_ref(), self.open.embedder.as_ref())?;
        config.grid = stored.grid();
        config.gallery_stride = stored.grid().stride;
        config.gallery_images = stored.bank.total_images();
        if stored.by_codes().is_some() {
            // Who had them made wants them used.
            config.way = SearchWay::Quantised;
        }
        config.spaces = stored.spaces.iter().map(PatchSpace::to_string).collect();
        self.take_data(DataSource { spec: source.data, split: source.split }, set, config);
        self.open.stored = Some(stored);
        self.open.line.emit(Event::BankOpened { folder: folder.to_path_buf() });
        self.restart()
    }

    /// The images of the bank: where they were, or what is open by now.
    fn images_of(
        &self,
        stored: &StoredBank,
        source: BankSource,
    ) -> anyhow::Result<(BankSource, Arc<dyn Dataset>)> {
        let noted = source.open().and_then(|set| {
            ensure!(source.is_of(&stored.bank, set.as_ref())?, "{} holds other images now", source.data);
            Ok(set)
        });
        let error = match noted {
            Ok(set) => return Ok((source, set)),
            Err(error) => error,
        };
        if let Some(data) = &self.open.data
            && source.is_of(&stored.bank, data.set.as_ref())?
        {
            let moved = BankSource { data: data.source.spec.clone(), split: data.source.split, ..source };
            return Ok((moved, data.set.clone()));
        }
        Err(error).context(
            "the images that the bank was made of are not where they were, and without them nothing of it can be shown: \
             open them where they lie now with Open data..., then open the bank again",
        )
    }

    /// Opens the model that made the bank, unless it is open. Why it is not there, if it is not.
    fn model_of(&mut self, stored: &StoredBank, noted: Option<&ModelSpec>) -> Option<String> {
        let facts = &stored.bank.spec().model;
        if facts.is_imported() {
            return Some("its vectors were computed by another program (imported)".into());
        }
        if self.open.embedder.as_ref().is_some_and(|embedder| stored.is_made_by(embedder)) {
            return None;
        }
        let by_name = ModelSpec::from(&facts.name);
        let built_in = Some(&by_name).filter(|spec| matches!(spec.place(), ModelPlace::BuiltIn(_)));
        let Some(spec) = noted.or(built_in) else {
            return Some(format!("where its model {} lies is not noted with it", facts.name));
        };
        let spec = stored.cut_alike(spec);
        match Embedder::open(&spec, &self.open.device.device) {
            Ok(embedder) if stored.is_made_by(&embedder) => {
                self.take_embedder(embedder, &spec);
                None
            }
            Ok(_) => Some(format!(
                "{} is another model than the one that made it, or has too little memory (--memory) for whole images at once",
                spec.path.display()
            )),
            Err(error) => Some(format!("its model cannot be opened: {error:#}")),
        }
    }
}

/// What is shown of the model of a bank that is not there.
fn without_model(stored: &StoredBank, reason: String) -> ModelDescription {
    let spec = stored.bank.spec();
    let widths = stored.spaces.iter().filter_map(|space| {
        let name = space.to_string();
        let width = stored.bank.width(&name).ok()?;
        Some((name, width))
    });
    let spaces: Vec<(String, usize)> = widths.collect();
    ModelDescription {
        name: spec.model.name.clone(),
        arch: spec.model.arch.clone(),
        all_spaces: spaces.iter().map(|(name, _)| name.clone()).collect(),
        spaces,
        input: spec.input,
        hash: spec.model.hash.clone(),
        trained_by: TrainedBy::default(),
        report: None,
        missing: Some(reason),
    }
}
