//! A bank on disk that grows while it is open: what another process has committed since.

use super::Bank;
use super::manifest::Manifest;
use super::rows::MappedRows;
use super::store::Store;
use crate::files::FolderLock;
use anyhow::{Result, ensure};

impl Bank {
    /// Who is adding to the bank at this moment, for people; `None` where it is complete, is not a folder, or nobody
    /// has its lock.
    pub fn written_by(&self) -> Option<String> {
        self.folder().filter(|_| !self.is_complete()).and_then(FolderLock::holder_of)
    }

    /// The same bank with the images that were committed since, and what was found of its rows so far; `None` where there
    /// are none. It must be all of what lies in its folder, not a part of it.
    ///
    /// # Errors
    /// As [`Bank::open`]; another bank lies there by now.
    pub fn at_newest_commit(&self) -> Result<Option<Self>> {
        let Some(folder) = self.folder() else { return Ok(None) };
        let manifest = Manifest::read_alone(folder)?;
        ensure!(
            manifest.spec == *self.spec && manifest.complete_images >= self.complete_images() as u64,
            "{} holds another bank by now; open it again",
            folder.display()
        );
        manifest.check(&self.layout, folder)?;
        if manifest.complete_images == self.complete_images() as u64 {
            return Ok(None);
        }
        // The sums of what was added are in the file by now; blocks that were looked at need no second look.
        let rows = MappedRows::open_all(folder, &manifest.spec, &self.layout, manifest.sums)?;
        for (rows, before) in rows.iter().zip(&self.stores) {
            if let Store::Mapped(before) = before {
                rows.take_over_checked(before);
            }
        }
        Ok(Some(Self::mapped(folder, manifest, self.layout.clone(), rows)))
    }
}
