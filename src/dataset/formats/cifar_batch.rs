//! The images of one file: records of the binary version, or the pickle of the Python version. The pixels stay where
//! they are in the file.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::cifar_source::{Bytes, SetFile, Version};
use super::cifar_variant::{PLANE, Variant};
use crate::dataset::with_thousands;
use crate::files::pickle::{PLAIN, Pickle};

/// Bytes of an image's pixels.
const PIXELS: usize = 3 * PLANE;

/// The images of one file.
pub(super) struct Batch {
    bytes: Bytes,
    /// Where the pixels of the first image begin, and how far it is from one to the next.
    first: usize,
    step: usize,
    /// Label bytes of each image, as in a record.
    labels: Vec<u8>,
    /// How many they are.
    label_bytes: usize,
}

impl Batch {
    /// Reads the labels of a file and checks them.
    ///
    /// # Errors
    /// A file that is truncated or of another format, a label out of range.
    pub fn open(file: SetFile, variant: Variant, version: Version, classes: usize) -> Result<Self> {
        let SetFile { path, bytes } = file;
        let opened = match version {
            Version::Binary => of_records(bytes, variant),
            Version::Python => of_pickle(bytes, variant),
        };
        let batch = opened.with_context(|| path.display().to_string())?;
        batch.check_to(batch.len())?;
        batch.check_labels(&path, variant, classes)?;
        Ok(batch)
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len() / self.label_bytes
    }

    /// The label of an image.
    pub fn label(&self, index: usize) -> u8 {
        self.labels[(index + 1) * self.label_bytes - 1]
    }

    /// The pixels of an image, planar: 1,024 red, green and blue bytes.
    pub fn planes(&self, index: usize) -> &[u8] {
        &self.bytes[self.first + index * self.step..][..PIXELS]
    }

    /// To be asked after the pixels of the first `images` images were read, before they count.
    ///
    /// # Errors
    /// [`crate::files::Shrunk`]: the file was cut, and some of what was read was not there.
    pub fn check_to(&self, images: usize) -> Result<()> {
        let last = images.checked_sub(1).map_or(0, |last| self.first + last * self.step + PIXELS);
        self.bytes.check_to(last)
    }

    /// All of it in pieces that follow each other as in the binary version.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let labels = self.labels.chunks_exact(self.label_bytes).enumerate();
        labels.flat_map(|(index, labels)| [labels, self.planes(index)])
    }

    fn check_labels(&self, path: &Path, variant: Variant, classes: usize) -> Result<()> {
        for record in 0..self.len() {
            let label = self.label(record);
            ensure!(
                usize::from(label) < classes,
                "{}: record {record} has label {label}; expected 0 to {}, the {classes} classes of {}",
                path.display(),
                classes - 1,
                variant.title()
            );
        }
        Ok(())
    }
}

fn of_records(bytes: Bytes, variant: Variant) -> Result<Batch> {
    let (length, size, label_bytes) = (bytes.len(), variant.record_bytes(), variant.label_bytes());
    ensure!(
        length.is_multiple_of(size),
        "{} bytes are {} whole {} records of {size} bytes and {} bytes left over; the file is truncated \
         or of another format",
        with_thousands(length),
        with_thousands(length / size),
        variant.title(),
        length % size
    );
    let labels = bytes.chunks_exact(size).flat_map(|record| &record[..label_bytes]).copied().collect();
    Ok(Batch { bytes, first: label_bytes, step: size, labels, label_bytes })
}

fn of_pickle(bytes: Bytes, variant: Variant) -> Result<Batch> {
    let pickle = Pickle::read(&bytes, PLAIN)?;
    let keys = match variant {
        Variant::Cifar10 => &["labels"][..],
        Variant::Cifar100 => &["coarse_labels", "fine_labels"],
    };
    let data = pickle.byte_array(pickle.get("data")?).context("data")?;
    ensure!(data.columns == PIXELS, "data has {} values for each image; expected {PIXELS}", data.columns);
    let mut labels = vec![0; data.rows * keys.len()];
    for (place, key) in keys.iter().enumerate() {
        let found = pickle.items(pickle.get(key)?).with_context(|| key.to_string())?;
        ensure!(found.len() == data.rows, "{} {key} for {} images", found.len(), data.rows);
        for (image, id) in found.iter().enumerate() {
            let label = pickle.int(*id).with_context(|| key.to_string())?;
            labels[image * keys.len() + place] =
                u8::try_from(label).with_context(|| format!("{key}: image {image} has label {label}"))?;
        }
    }
    let (first, label_bytes) = (data.place.start, keys.len());
    if data.by_columns {
        let values = &bytes[data.place];
        let by_rows = (0..values.len()).map(|at| values[at % PIXELS * data.rows + at / PIXELS]).collect();
        return Ok(Batch { bytes: Bytes::Held(by_rows), first: 0, step: PIXELS, labels, label_bytes });
    }
    Ok(Batch { bytes, first, step: PIXELS, labels, label_bytes })
}

/// The class names that a names file holds.
pub(super) fn names_in(file: &SetFile, variant: Variant, version: Version) -> Result<Vec<String>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let names: Vec<String> = match version {
        Version::Binary => {
            file.bytes.split(|byte| *byte == b'\n').map(text).filter(|line| !line.is_empty()).collect()
        }
        Version::Python => {
            let key = if variant == Variant::Cifar10 { "label_names" } else { "fine_label_names" };
            let pickle = Pickle::read(&file.bytes, PLAIN)?;
            let names = pickle.items(pickle.get(key)?)?;
            names.iter().map(|id| pickle.text(*id).map(text)).collect::<Result<_>>()?
        }
    };
    let (found, expected) = (names.len(), variant.standard_names().len());
    ensure!(found == expected, "{found} class names; expected {expected}, one a line");
    Ok(names)
}
