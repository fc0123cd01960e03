//! The data of a run, opened once for all that works on it.

use std::sync::Arc;

use crate::dataset::{self, DataSource, Dataset};

/// The data set that a run trains on, with the words that opened it.
pub struct RunData {
    pub source: DataSource,
    pub set: Arc<dyn Dataset>,
}

impl RunData {
    /// Opens what `source` names.
    pub fn open(source: DataSource) -> anyhow::Result<Self> {
        let set = dataset::open(&source.spec, source.split)?;
        Ok(Self { source, set })
    }
}
