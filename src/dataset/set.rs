//! What a data set is: images in a fixed order, and what is known of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::decoding::{Decoding, DecodingFacts};
use super::kind::DataKind;
use super::split::{Mix, Split};
use super::wide::ImageValues;
use crate::files;
use crate::image::Image;
use crate::words::name_list;

/// Images in a fixed order, read one at a time.
#[expect(clippy::len_without_is_empty, reason = "no set is empty: opening nothing is an error")]
pub trait Dataset: Send + Sync {
    /// Of what kind it is.
    fn kind(&self) -> &'static DataKind;
    /// A short name for headings ("Parts", "CIFAR-10 test", the folder's name).
    fn name(&self) -> String;
    /// Number of images. Never 0.
    fn len(&self) -> usize;
    /// Reads image `index`. The error names the file and what is wrong with it; [`files::is_read_error`] tells what may
    /// pass from what the picture is.
    fn image(&self, index: usize) -> anyhow::Result<Image>;
    /// Image `index`; `None` where the picture itself cannot be used.
    ///
    /// # Errors
    /// Its file could not be read, which says nothing of the picture.
    fn image_if_readable(&self, index: usize) -> anyhow::Result<Option<Image>> {
        match self.image(index) {
            Ok(image) => Ok(Some(image)),
            Err(error) if files::is_read_error(&error) => Err(error),
            Err(_) => Ok(None),
        }
    }
    /// Class of image `index`: an index into [`Dataset::classes`].
    fn label(&self, index: usize) -> Option<u32>;
    /// Class names; empty where images carry no labels.
    fn classes(&self) -> &[String];
    /// What to call image `index` on screen (file name, or "test 1,207").
    fn image_name(&self, index: usize) -> String;
    /// `(height, width)` where all images share it.
    fn size(&self) -> Option<(u32, u32)>;
    /// `(height, width)` of image `index`, without decoding it. Panics beyond the last image.
    fn dimensions(&self, index: usize) -> (u32, u32);
    /// Short side of the images, pixels: of all where they share a size, else of the first.
    fn short_side(&self) -> u32 {
        let (height, width) = self.size().unwrap_or_else(|| self.dimensions(0));
        height.min(width)
    }
    /// Which split this is, where the source has two.
    fn split(&self) -> Option<Split>;
    /// How its images are mixed, if it is [`Split::All`].
    fn mix(&self) -> Option<Mix> {
        None
    }
    /// Hex SHA-256 over what decides the pixels, labels and their order
    /// (contents of binaries; paths, sizes and times of files; seed and version of generated sets).
    fn fingerprint(&self) -> anyhow::Result<String>;
    /// Files that were left out when the set was opened, with the reason.
    fn skipped(&self) -> &[Skipped];
    /// Decodes picture files in another way from now on; other sets have nothing to choose.
    ///
    /// # Errors
    /// No window of values can be found.
    fn decode_as(&mut self, _decoding: Decoding) -> anyhow::Result<()> {
        Ok(())
    }
    /// How picture files are decoded, where a choice mattered to some.
    fn decoding(&self) -> Option<DecodingFacts> {
        None
    }
    /// Which values became black and white in image `index`, if it has more than 8 bits and was read.
    fn values(&self, _index: usize) -> Option<ImageValues> {
        None
    }
    /// The part of every pixel of image `index`, where the source knows parts.
    ///
    /// # Errors
    /// Its part mask cannot be used; says which and why.
    fn parts(&self, index: usize) -> anyhow::Result<Option<PartMap>>;
    /// What the parts are called, where the source knows parts.
    fn part_names(&self) -> Option<Arc<[String]>> {
        None
    }
}

/// Which classes one of two sets has and the other has not, in words.
pub fn class_difference(one: &dyn Dataset, other: &dyn Dataset) -> String {
    let alone = |set: &dyn Dataset, other: &dyn Dataset| {
        let mut names: Vec<&str> = set.classes().iter().map(String::as_str).collect();
        names.retain(|name| !other.classes().iter().any(|known| known == name));
        (!names.is_empty()).then(|| format!("only in {}: {}", set.name(), name_list(&names)))
    };
    let words: Vec<String> = [alone(one, other), alone(other, one)].into_iter().flatten().collect();
    if words.is_empty() { "the same ones in another order".into() } else { words.join("; ") }
}

/// A file that could not be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its path, or its path within the set's folder.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The part of every pixel: `index[y * width + x]` is an index into `names`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartMap {
    /// Width, pixels.
    pub width: u32,
    /// Height, pixels.
    pub height: u32,
    /// The part of every pixel, row by row.
    pub index: Vec<u8>,
    /// What the parts are called.
    pub names: Arc<[String]>,
    /// The first so many names are backgrounds, the rest belong to objects.
    pub backgrounds: usize,
}

/// What is in a data set, in plain values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataInfo {
    /// Name of [`Dataset::kind`].
    pub kind: &'static str,
    /// See [`Dataset::name`].
    pub name: String,
    /// Number of images.
    pub images: usize,
    /// Number of classes; 0 without labels.
    pub classes: usize,
    /// See [`Dataset::classes`].
    pub class_names: Vec<String>,
    /// Height in pixels, where all images share their size.
    pub height: Option<u32>,
    /// Width in pixels, where all images share their size.
    pub width: Option<u32>,
    /// See [`Dataset::split`].
    pub split: Option<Split>,
    /// Number of [`Dataset::part_names`], where parts are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<usize>,
    /// See [`Dataset::decoding`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoding: Option<DecodingFacts>,
    /// Files left out when the set was opened.
    pub skipped: Vec<Skipped>,
}

impl DataInfo {
    /// What is in `set`.
    pub fn of(set: &dyn Dataset) -> Self {
        Self {
            kind: set.kind().name,
            name: set.name(),
            images: set.len(),
            classes: set.classes().len(),
            class_names: set.classes().to_vec(),
            height: set.size().map(|size| size.0),
            width: set.size().map(|size| size.1),
            split: set.split(),
            parts: set.part_names().map(|names| names.len()),
            decoding: set.decoding(),
            skipped: set.skipped().to_vec(),
        }
    }
}
