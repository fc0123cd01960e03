//! The values of feature vectors: in memory, or in a file that is mapped where they would fill it.
//!
//! A million vectors of 2,048 values take 8 GB for each way from image to vector. Such a table is written beside the
//! shards that it is made of and mapped: the system reads what is asked for, and takes the pages back when it needs them.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use crate::files::{self, MappedFile};

/// Values of feature vectors, row by row.
#[derive(Clone, Debug)]
pub enum FeatureValues {
    /// In memory.
    Held(Vec<f32>),
    /// In a file.
    Filed(Arc<MappedFile>),
}

impl FeatureValues {
    /// Whether they lie in a file.
    pub fn is_filed(&self) -> bool {
        matches!(self, FeatureValues::Filed(_))
    }

    /// Passes values that were all there when they were read.
    ///
    /// # Errors
    /// The file was cut, or its disk gave an error.
    pub fn check(&self) -> anyhow::Result<()> {
        match self {
            FeatureValues::Held(_) => Ok(()),
            FeatureValues::Filed(file) => file.check(),
        }
    }
}

impl Deref for FeatureValues {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            FeatureValues::Held(values) => values,
            // A map begins with a page, and the file was written by this process.
            FeatureValues::Filed(file) => bytemuck::cast_slice(file),
        }
    }
}

impl From<Vec<f32>> for FeatureValues {
    fn from(values: Vec<f32>) -> Self {
        FeatureValues::Held(values)
    }
}

impl Default for FeatureValues {
    fn default() -> Self {
        FeatureValues::Held(vec![])
    }
}

impl PartialEq for FeatureValues {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// Values that are being gathered.
pub(super) enum GatheredValues {
    /// In memory.
    Held(Vec<f32>),
    /// In a file.
    Filed {
        /// Where it lies until it is mapped.
        path: PathBuf,
        /// Its end.
        file: BufWriter<File>,
        /// Bytes so far.
        bytes: u64,
    },
}

impl GatheredValues {
    /// None yet, to be kept in `path`, where another file may lie.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn in_file(path: PathBuf) -> anyhow::Result<Self> {
        let file = files::open_with(&path, OpenOptions::new().write(true).create(true).truncate(true));
        let file = file.with_context(|| format!("{}: cannot be made", path.display()))?;
        Ok(GatheredValues::Filed { path, file: BufWriter::new(file), bytes: 0 })
    }

    /// Adds some; memory is taken once, for `most` in all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn extend(&mut self, values: &[f32], most: usize) -> anyhow::Result<()> {
        match self {
            GatheredValues::Held(held) => {
                if held.is_empty() {
                    // All at once: a table that grows is there twice for a moment.
                    held.reserve_exact(most);
                }
                held.extend_from_slice(values);
            }
            GatheredValues::Filed { path, file, bytes } => {
                let written = file.write_all(bytemuck::cast_slice(values));
                written.with_context(|| cannot_write(path))?;
                *bytes += size_of_val(values) as u64;
            }
        }
        Ok(())
    }

    /// All of them. A file has no name any more where the system lets one that is mapped go, so that none is left over.
    ///
    /// # Errors
    /// The file cannot be written or mapped.
    pub fn finish(self) -> anyhow::Result<FeatureValues> {
        match self {
            GatheredValues::Held(values) => Ok(values.into()),
            GatheredValues::Filed { bytes: 0, .. } => Ok(FeatureValues::default()),
            GatheredValues::Filed { path, file, bytes } => {
                let file = file.into_inner().map_err(std::io::IntoInnerError::into_error);
                drop(file.with_context(|| cannot_write(&path))?);
                let mapped = MappedFile::open(&path, bytes)?;
                if let Err(error) = std::fs::remove_file(&path) {
                    log::debug!("{} stays until it is written again: {error}", path.display());
                }
                Ok(FeatureValues::Filed(Arc::new(mapped)))
            }
        }
    }
}

fn cannot_write(path: &Path) -> String {
    format!("{}: cannot be written", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_a_file_are_those_in_memory_and_leave_no_file_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("central.rows");
        // What a killed process left.
        std::fs::write(&path, [7; 1000]).unwrap();
        let mut filed = GatheredValues::in_file(path.clone()).unwrap();
        let mut held = GatheredValues::Held(vec![]);
        for piece in [&[1.0, -2.5][..], &[], &[0.25; 3000]] {
            filed.extend(piece, 4000).unwrap();
            held.extend(piece, 4000).unwrap();
        }
        let (filed, held) = (filed.finish().unwrap(), held.finish().unwrap());
        assert!(filed.is_filed() && !held.is_filed());
        assert_eq!((filed.len(), &filed), (3002, &held));
        filed.check().unwrap();
        if cfg!(unix) {
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
        let none = GatheredValues::in_file(path).unwrap().finish().unwrap();
        assert!(none.is_empty());
    }
}
