//! The data set that a bank is made of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bank::Bank;
use crate::dataset::{self, DataSpec, Dataset, ImageOrder, Split};
use crate::files;

/// Where the images of a bank lie: kept beside it, so that galleries find their pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BankSource {
    /// What opens the data set.
    pub data: DataSpec,
    /// Which split of it.
    pub split: Option<Split>,
    /// Only so many images, spread over the data set and its classes; all where absent.
    pub limit: Option<usize>,
}

impl BankSource {
    /// Opens the data set, all of it: an image is called by its number there.
    pub fn open(&self) -> anyhow::Result<Arc<dyn Dataset>> {
        dataset::open(&self.data, self.split)
    }

    /// What a bank keeps as the fingerprint of its images, taken from `data` in `order`.
    fn fingerprint(&self, data: &dyn Dataset, order: Option<ImageOrder>) -> anyhow::Result<String> {
        let whole = data.fingerprint()?;
        match self.limit.filter(|limit| order.is_none() && *limit < data.len()) {
            // Banks of before took the first images, and hashed that.
            Some(limit) => Ok(files::hex(&Sha256::digest(format!("first {limit} of {whole}")))),
            None => Ok(whole),
        }
    }

    /// Whether `data` is what `bank` was made of.
    ///
    /// # Errors
    /// Its fingerprint cannot be taken.
    pub fn is_of(&self, bank: &Bank, data: &dyn Dataset) -> anyhow::Result<bool> {
        Ok(self.fingerprint(data, bank.spec().data.order)? == bank.spec().data.fingerprint)
    }

    /// The same source under a path that holds from any folder.
    pub fn absolute(&self) -> Self {
        let path = self.data.path().and_then(|path| std::fs::canonicalize(path).ok());
        let data = path.map_or_else(|| self.data.clone(), |path| self.data.at(path));
        Self { data, ..self.clone() }
    }
}
