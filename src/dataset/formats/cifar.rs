//! CIFAR-10 and CIFAR-100 in the official binary format: records of one label byte
//! (CIFAR-100: coarse, then fine; the fine one is used here) and 3,072 pixel bytes,
//! 32 x 32 red, then green, then blue, each row by row.
//!
//! Files may hold any whole number of records; a record is read and turned into an image when it is
//! asked for.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cifar_names::{CIFAR10_NAMES, CIFAR100_NAMES};
use crate::dataset::format::{DataFormat, SetPlace};
use crate::dataset::{DataKind, Dataset, FigureNote, PartMap, Skipped, Split, hex, with_thousands};
use crate::files;
use crate::image::{Image, Normalization};

/// Side of a CIFAR image, pixels.
pub const SIDE: u32 = 32;
const PLANE: usize = (SIDE * SIDE) as usize;
/// Bytes that are read at a time where a whole file is.
const READ_AT_ONCE: usize = 1 << 20;

/// CIFAR binaries.
pub static FORMAT: DataFormat = DataFormat {
    about: "a folder with CIFAR-10 or CIFAR-100 binaries",
    kinds: &[&CIFAR10, &CIFAR100],
    place: SetPlace::Folder {
        holds: "CIFAR binaries",
        recognise: |path| Ok(find(path)?.is_some()),
        open: |path, split| {
            let (variant, folder) = find(path)?.with_context(|| path.display().to_string())?;
            Ok(Arc::new(Cifar::open(&folder, variant, split)?))
        },
    },
};

static CIFAR10: DataKind =
    DataKind { normalization: Some(Normalization::CIFAR10), ..DataKind::plain("cifar10", FigureNote::Name) };

static CIFAR100: DataKind = DataKind {
    normalization: Some(Normalization { mean: [0.5071, 0.4866, 0.4409], std: [0.2673, 0.2564, 0.2762] }),
    ..DataKind::plain("cifar100", FigureNote::Name)
};

impl Normalization {
    /// Of the CIFAR-10 training images.
    pub const CIFAR10: Self = Self { mean: [0.4914, 0.4822, 0.4465], std: [0.2470, 0.2435, 0.2616] };
}

/// Which of the two sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "the doc of a variant is its help on the command line, and these words say enough"
)]
pub enum Variant {
    Cifar10,
    Cifar100,
}

impl Variant {
    /// What is known of the set.
    pub fn kind(self) -> &'static DataKind {
        match self {
            Variant::Cifar10 => &CIFAR10,
            Variant::Cifar100 => &CIFAR100,
        }
    }

    /// `CIFAR-10` or `CIFAR-100`.
    pub fn title(self) -> &'static str {
        match self {
            Variant::Cifar10 => "CIFAR-10",
            Variant::Cifar100 => "CIFAR-100",
        }
    }

    /// The folder within the official archive.
    pub fn folder(self) -> &'static str {
        match self {
            Variant::Cifar10 => "cifar-10-batches-bin",
            Variant::Cifar100 => "cifar-100-binary",
        }
    }

    /// Label bytes before the pixels; the last one is the label.
    fn label_bytes(self) -> usize {
        match self {
            Variant::Cifar10 => 1,
            Variant::Cifar100 => 2,
        }
    }

    /// Bytes of one record: 3,073 or 3,074.
    fn record_bytes(self) -> usize {
        self.label_bytes() + 3 * PLANE
    }

    fn standard_names(self) -> &'static [&'static str] {
        match self {
            Variant::Cifar10 => &CIFAR10_NAMES,
            Variant::Cifar100 => &CIFAR100_NAMES,
        }
    }

    fn names_file(self) -> &'static str {
        match self {
            Variant::Cifar10 => "batches.meta.txt",
            Variant::Cifar100 => "fine_label_names.txt",
        }
    }

    /// The files of a split that are in `folder`, in order of their number.
    fn files(self, folder: &Path, split: Split) -> Result<Vec<PathBuf>> {
        let single = match (self, split) {
            (_, Split::All) => {
                return Ok([self.files(folder, Split::Train)?, self.files(folder, Split::Test)?].concat());
            }
            (Variant::Cifar10, Split::Test) => "test_batch.bin",
            (Variant::Cifar100, Split::Test) => "test.bin",
            (Variant::Cifar100, Split::Train) => "train.bin",
            (Variant::Cifar10, Split::Train) => return train_batches(folder),
        };
        let path = folder.join(single);
        Ok(if path.is_file() { vec![path] } else { Vec::new() })
    }

    /// What the files of a split are called.
    fn file_pattern(self, split: Split) -> &'static str {
        match (self, split) {
            (_, Split::All) => "*.bin",
            (Variant::Cifar10, Split::Train) => "data_batch_1.bin, data_batch_2.bin, ...",
            (Variant::Cifar10, Split::Test) => "test_batch.bin",
            (Variant::Cifar100, Split::Train) => "train.bin",
            (Variant::Cifar100, Split::Test) => "test.bin",
        }
    }
}

fn train_batches(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number =
            name.and_then(|name| name.strip_prefix("data_batch_")?.strip_suffix(".bin")?.parse::<u32>().ok());
        if let Some(number) = number.filter(|_| path.is_file()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The CIFAR set in `path` or in its official sub-folder: `(variant, folder)`. `None` if there is none.
///
/// # Errors
/// Both sets are there, or only the Python version.
pub fn find(path: &Path) -> Result<Option<(Variant, PathBuf)>> {
    let mut found = Vec::new();
    for variant in [Variant::Cifar10, Variant::Cifar100] {
        for folder in [path.to_path_buf(), path.join(variant.folder())] {
            let has = |split| variant.files(&folder, split).is_ok_and(|files| !files.is_empty());
            if folder.is_dir() && (has(Split::Train) || has(Split::Test)) {
                found.push((variant, folder));
                break;
            }
        }
    }
    ensure!(
        found.len() < 2,
        "{}: holds both CIFAR-10 and CIFAR-100; name one of the folders {} and {}",
        path.display(),
        Variant::Cifar10.folder(),
        Variant::Cifar100.folder()
    );
    let python =
        ["data_batch_1", "cifar-10-batches-py", "cifar-100-python"].iter().find(|n| path.join(n).exists());
    if let (true, Some(python)) = (found.is_empty(), python) {
        bail!(
            "{}: holds the Python version of CIFAR ({python}); expected the binary version (*.bin), \
             which `bagssl data get cifar10 --out DIR` fetches",
            path.display()
        );
    }
    Ok(found.pop())
}

/// One open file.
struct BatchFile {
    path: PathBuf,
    file: File,
    /// Bytes when it was opened.
    length: u64,
}

impl BatchFile {
    /// # Errors
    /// [`files::Shrunk`] where the bytes are no longer there.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        files::read_at(&self.file, &self.path, self.length, offset, buffer)
    }
}

/// One split of CIFAR-10 or CIFAR-100.
pub struct Cifar {
    variant: Variant,
    split: Split,
    batches: Vec<BatchFile>,
    /// Index of the first image of each batch, and the number of images at the end.
    starts: Vec<usize>,
    /// One label per image, checked against `classes`.
    labels: Vec<u8>,
    classes: Vec<String>,
    fingerprint: OnceLock<String>,
}

impl Cifar {
    /// Opens `folder`. Without `split`: train, or test where only that is there.
    ///
    /// # Errors
    /// No file of the split, an empty or truncated file, a label out of range (all records are
    /// looked at), a names file with another number of names.
    pub fn open(folder: &Path, variant: Variant, split: Option<Split>) -> Result<Self> {
        let (split, files) = files_of_split(folder, variant, split)?;
        let classes = class_names(folder, variant)?;
        let (mut batches, mut starts, mut labels) = (Vec::new(), vec![0], Vec::new());
        for path in files {
            if let Some(batch) = open_batch(path, variant)? {
                read_labels(&batch, variant, classes.len(), &mut labels)?;
                batches.push(batch);
                starts.push(labels.len());
            }
        }
        let (title, file) = (variant.title(), variant.file_pattern(split));
        ensure!(!labels.is_empty(), "{}: {title}'s {file} is empty; expected records", folder.display());
        Ok(Self { variant, split, batches, starts, labels, classes, fingerprint: OnceLock::new() })
    }

    /// The record's pixels, planar: 1,024 red, green and blue bytes.
    fn planes(&self, index: usize) -> Result<[u8; 3 * PLANE]> {
        let batch = self.starts.partition_point(|&start| start <= index) - 1;
        let at = (index - self.starts[batch]) * self.variant.record_bytes() + self.variant.label_bytes();
        let mut planes = [0; 3 * PLANE];
        self.batches[batch].read(at as u64, &mut planes)?;
        Ok(planes)
    }

    fn compute_fingerprint(&self) -> Result<String> {
        let mut hash = Sha256::new();
        hash.update(self.variant.kind().name);
        let mut buffer = vec![0; READ_AT_ONCE];
        for batch in &self.batches {
            for start in (0..batch.length).step_by(READ_AT_ONCE) {
                let part = &mut buffer[..READ_AT_ONCE.min((batch.length - start) as usize)];
                batch.read(start, part)?;
                hash.update(part);
            }
        }
        self.classes.iter().for_each(|name| hash.update(format!("\n{name}")));
        Ok(hex(&hash.finalize()))
    }
}

fn files_of_split(folder: &Path, variant: Variant, split: Option<Split>) -> Result<(Split, Vec<PathBuf>)> {
    let order = match split {
        Some(split) => vec![split],
        None => vec![Split::Train, Split::Test],
    };
    for &split in &order {
        let files = variant.files(folder, split)?;
        if !files.is_empty() {
            return Ok((split, files));
        }
    }
    let expected = order.iter().map(|&s| variant.file_pattern(s)).collect::<Vec<_>>().join(" or ");
    let (name, title) = (order[0].name(), variant.title());
    bail!("{}: this {title} folder has no {name} split; expected {expected}", folder.display())
}

/// Opens a file and checks that it holds whole records; `None` for an empty file.
fn open_batch(path: PathBuf, variant: Variant) -> Result<Option<BatchFile>> {
    let file = files::open(&path, u64::MAX).with_context(|| path.display().to_string())?;
    let length = file.metadata().with_context(|| path.display().to_string())?.len();
    let size = variant.record_bytes() as u64;
    ensure!(
        length % size == 0,
        "{}: {} bytes are {} whole {} records of {size} bytes and {} bytes left over; the file is truncated \
         or of another format",
        path.display(),
        with_thousands(length),
        with_thousands(length / size),
        variant.title(),
        length % size
    );
    Ok((length > 0).then_some(BatchFile { path, file, length }))
}

fn read_labels(batch: &BatchFile, variant: Variant, classes: usize, labels: &mut Vec<u8>) -> Result<()> {
    let mut reader = BufReader::with_capacity(READ_AT_ONCE, &batch.file);
    let mut bytes = vec![0; variant.record_bytes()];
    for record in 0..batch.length / bytes.len() as u64 {
        reader
            .read_exact(&mut bytes)
            .with_context(|| format!("{}: record {record}", batch.path.display()))?;
        let label = bytes[variant.label_bytes() - 1];
        ensure!(
            usize::from(label) < classes,
            "{}: record {record} has label {label}; expected 0 to {}, the {classes} classes of {}",
            batch.path.display(),
            classes - 1,
            variant.title()
        );
        labels.push(label);
    }
    Ok(())
}

/// Names from the names file beside the data, else the standard ones.
fn class_names(folder: &Path, variant: Variant) -> Result<Vec<String>> {
    let standard = variant.standard_names();
    let path = folder.join(variant.names_file());
    if !path.is_file() {
        return Ok(standard.iter().map(|name| name.to_string()).collect());
    }
    let bytes = files::read(&path, files::MOST_WORDS).with_context(|| path.display().to_string())?;
    let text = String::from_utf8_lossy(&bytes);
    let names: Vec<String> =
        text.lines().map(str::trim).filter(|l| !l.is_empty()).map(String::from).collect();
    let (found, expected) = (names.len(), standard.len());
    ensure!(found == expected, "{}: {found} class names; expected {expected}, one a line", path.display());
    Ok(names)
}

impl Dataset for Cifar {
    fn kind(&self) -> &'static DataKind {
        self.variant.kind()
    }

    fn name(&self) -> String {
        format!("{} {}", self.variant.title(), self.split.name())
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn image(&self, index: usize) -> Result<Image> {
        ensure!(index < self.len(), "{} has no image {index}; it has {}", self.name(), self.len());
        let planes = self.planes(index)?;
        let (red, rest) = planes.split_at(PLANE);
        let (green, blue) = rest.split_at(PLANE);
        let rgb = red.iter().zip(green).zip(blue).flat_map(|((&r, &g), &b)| [r, g, b]).collect();
        Ok(Image::new(SIDE, SIDE, rgb))
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.labels.get(index).map(|&label| u32::from(label))
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
        let computed = self.compute_fingerprint()?;
        Ok(self.fingerprint.get_or_init(|| computed).clone())
    }

    fn skipped(&self) -> &[Skipped] {
        &[]
    }

    fn parts(&self, _index: usize) -> Option<PartMap> {
        None
    }
}

#[cfg(test)]
#[path = "cifar_tests.rs"]
mod tests;
