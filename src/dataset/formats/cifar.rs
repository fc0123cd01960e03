//! CIFAR-10 and CIFAR-100 as they are published: in the binary format, records of one label byte
//! (CIFAR-100: coarse, then fine; the fine one is used here) and 3,072 pixel bytes,
//! 32 x 32 red, then green, then blue, each row by row; or in the Python version, pickles with
//! the same values. Folders and archives of either are opened as they are, and give the same set.
//!
//! Files may hold any whole number of records; they are memory-mapped (those of an archive are held in
//! memory) and a record is turned into an image when it is asked for.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::cifar_batch::{Batch, names_in};
use super::cifar_source::{CifarSource, SetFile, SplitFiles};
use super::cifar_variant::{CIFAR10, CIFAR100, PLANE};
pub use super::cifar_variant::{SIDE, Variant};
use crate::dataset::format::{DataFormat, SetPlace};
use crate::dataset::{DataKind, Dataset, PartMap, Skipped, Split, hex, with_thousands};
use crate::image::Image;

/// CIFAR in a folder.
pub static FORMAT: DataFormat = DataFormat {
    about: "a folder with CIFAR-10 or CIFAR-100 (binary or Python version)",
    kinds: &[&CIFAR10, &CIFAR100],
    place: SetPlace::Folder {
        holds: "CIFAR",
        recognise: |path| Ok(CifarSource::in_folder(path)?.is_some()),
        open: |path, split| {
            let source = CifarSource::in_folder(path)?.with_context(|| path.display().to_string())?;
            Ok(Arc::new(Cifar::of(&source, split)?))
        },
    },
};

/// CIFAR in the archive that was downloaded.
pub static ARCHIVE_FORMAT: DataFormat = DataFormat {
    about: "its archive (.tar.gz)",
    kinds: &[],
    place: SetPlace::File {
        what: "an archive of CIFAR",
        recognise: |path| Ok(CifarSource::in_archive(path)?.is_some()),
        open: |path, split| {
            let source = CifarSource::in_archive(path)?.with_context(|| path.display().to_string())?;
            Ok(Arc::new(Cifar::of(&source, split)?))
        },
    },
};

/// One split of CIFAR-10 or CIFAR-100.
pub struct Cifar {
    variant: Variant,
    split: Split,
    batches: Vec<Batch>,
    /// Index of the first image of each batch, and the number of images at the end.
    starts: Vec<usize>,
    classes: Vec<String>,
    /// Files of the split that hold nothing.
    skipped: Vec<Skipped>,
    fingerprint: OnceLock<String>,
}

impl Cifar {
    /// Opens the binaries in `folder`. Without `split`: train, or test where only that is there.
    ///
    /// # Errors
    /// No file of the split, an empty or truncated file, a label out of range (all records are
    /// looked at), a names file with another number of names.
    pub fn open(folder: &Path, variant: Variant, split: Option<Split>) -> Result<Self> {
        Self::of(&CifarSource::binaries(folder, variant), split)
    }

    fn of(source: &CifarSource, split: Option<Split>) -> Result<Self> {
        let (variant, version) = (source.variant, source.version);
        let SplitFiles { split, pattern, batches: files, names } = source.files(split)?;
        let classes = match &names {
            Some(file) => {
                names_in(file, variant, version).with_context(|| file.path.display().to_string())?
            }
            None => variant.standard_names().iter().map(|name| name.to_string()).collect(),
        };
        let skipped = left_out(&files, source, split);
        let (mut batches, mut starts) = (Vec::new(), vec![0]);
        for file in files.into_iter().filter(|file| !file.bytes.is_empty()) {
            let batch = Batch::open(file, variant, version, classes.len())?;
            starts.push(starts[batches.len()] + batch.len());
            batches.push(batch);
        }
        let (at, title) = (source.path.display(), variant.title());
        ensure!(starts.last() > Some(&0), "{at}: {title}'s {pattern} is empty; expected records");
        Ok(Self { variant, split, batches, starts, classes, skipped, fingerprint: OnceLock::new() })
    }

    /// The batch of an image, and its index there.
    fn at(&self, index: usize) -> (&Batch, usize) {
        let batch = self.starts.partition_point(|&start| start <= index) - 1;
        (&self.batches[batch], index - self.starts[batch])
    }
}

/// The files of a split, as it is published, that are not there or empty.
fn left_out(found: &[SetFile], source: &CifarSource, split: Split) -> Vec<Skipped> {
    let published = source.version.files_of(source.variant, split);
    let whole = format!("{}'s {} split is {}", source.variant.title(), split.name(), published.join(", "));
    let reason = |name: &String| match found.iter().find(|file| file.name() == *name) {
        None => Some(format!("it is not there; {whole}")),
        Some(file) if file.bytes.is_empty() => Some("it is empty; expected records of images".to_owned()),
        Some(_) => None,
    };
    let skipped =
        published.iter().filter_map(|name| Some(Skipped { file: name.clone(), reason: reason(name)? }));
    skipped.inspect(|file| log::warn!("left out: {}: {}", file.file, file.reason)).collect()
}

impl Dataset for Cifar {
    fn kind(&self) -> &'static DataKind {
        self.variant.kind()
    }

    fn name(&self) -> String {
        format!("{} {}", self.variant.title(), self.split.name())
    }

    fn len(&self) -> usize {
        self.starts[self.batches.len()]
    }

    fn image(&self, index: usize) -> Result<Image> {
        ensure!(index < self.len(), "{} has no image {index}; it has {}", self.name(), self.len());
        let (batch, index) = self.at(index);
        let planes = batch.planes(index);
        let (red, rest) = planes.split_at(PLANE);
        let (green, blue) = rest.split_at(PLANE);
        let rgb = red.iter().zip(green).zip(blue).flat_map(|((&r, &g), &b)| [r, g, b]).collect();
        batch.check_to(index + 1)?;
        Ok(Image::new(SIDE, SIDE, rgb))
    }

    fn label(&self, index: usize) -> Option<u32> {
        let (batch, index) = (index < self.len()).then(|| self.at(index))?;
        Some(u32::from(batch.label(index)))
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn image_name(&self, index: usize) -> String {
        format!("{} {}", self.split.name(), with_thousands(index as u64))
    }

    fn dimensions(&self, _index: usize) -> (u32, u32) {
        (SIDE, SIDE)
    }

    fn size(&self) -> Option<(u32, u32)> {
        Some((SIDE, SIDE))
    }

    fn split(&self) -> Option<Split> {
        Some(self.split)
    }

    fn fingerprint(&self) -> Result<String> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(known.clone());
        }
        let mut hash = Sha256::new();
        hash.update(self.variant.kind().name);
        for batch in &self.batches {
            batch.records().for_each(|piece| hash.update(piece));
            batch.check_to(batch.len())?;
        }
        self.classes.iter().for_each(|name| hash.update(format!("\n{name}")));
        Ok(self.fingerprint.get_or_init(|| hex(&hash.finalize())).clone())
    }

    fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    fn parts(&self, _index: usize) -> Result<Option<PartMap>> {
        Ok(None)
    }
}

#[cfg(test)]
#[path = "cifar_tests.rs"]
mod tests;
