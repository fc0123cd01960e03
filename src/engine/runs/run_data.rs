//! The data of a run, opened once for all that works on it.

use std::sync::Arc;

use crate::dataset::{self, DataSource, Dataset};
use crate::train::TrainConfig;

/// The data set that a run trains on, with the words that open it.
#[derive(Clone)]
pub struct RunData {
    pub source: DataSource,
    pub set: Arc<dyn Dataset>,
    /// What was drawn to be kept from training.
    pub held_out: Option<Arc<dyn Dataset>>,
}

impl RunData {
    /// Opens what `source` names.
    pub fn open(source: DataSource) -> anyhow::Result<Self> {
        let set = dataset::open(&source.spec, source.split)?;
        Ok(Self { source: DataSource { split: set.split(), ..source }, set, held_out: None })
    }

    /// Without what `config` keeps from training.
    ///
    /// # Errors
    /// As [`dataset::divided`].
    pub fn without_holdout(&self, config: &TrainConfig) -> anyhow::Result<Self> {
        let Some(share) = config.holdout else { return Ok(self.clone()) };
        let [set, held_out] = dataset::divided(&self.source.spec, &self.set, share, config.seed)?;
        Ok(Self { source: self.source.clone(), set, held_out: Some(held_out) })
    }
}
