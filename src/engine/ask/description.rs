//! What is open: the device, the model, the data set.

use crate::dataset::{DecodingFacts, Skipped, Split};
use crate::engine::ask::model_report::ModelReport;
use crate::train::fitting::TrainedBy;
use crate::wire::fields::Word;
use serde::{Deserialize, Serialize};

/// Where tensors live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceDescription {
    /// "GPU" or "CPU".
    #[serde(with = "crate::wire::fields::word")]
    pub kind: Word,
    /// Name of the adapter or processor.
    pub name: String,
    /// Why it was picked, one sentence.
    pub reason: String,
}

/// The open model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelDescription {
    /// "demo", or the file's or run's name.
    pub name: String,
    /// "ResNet-18/4".
    pub arch: String,
    /// Names and widths of the usual spaces, z first.
    pub spaces: Vec<(String, usize)>,
    /// Names of all spaces that can be shown, from z back to the raw pixels.
    pub all_spaces: Vec<String>,
    /// Side of the network's input, pixels.
    pub input: u32,
    /// Hex SHA-256 of the model file.
    pub hash: String,
    /// How it was trained, as far as its file says.
    pub trained_by: TrainedBy,
    /// All that is known of it; nothing where it is `missing`.
    pub report: Option<ModelReport>,
    /// Why there are its vectors alone, in a bank, and nothing can be embedded; `None` where it is open.
    pub missing: Option<String>,
}

/// The open data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataDescription {
    /// Changes each time that a data set is opened.
    pub id: u64,
    /// A short name for headings ("Parts", "CIFAR-10 test", the folder's name).
    pub name: String,
    /// The word for its kind in reports and sidecars ("folder").
    pub kind: String,
    /// Number of images.
    pub images: usize,
    /// Class names; empty where images carry no labels.
    pub classes: Vec<String>,
    /// Class of each image, an index into `classes`, where it has one.
    pub labels: Vec<Option<u32>>,
    /// `(height, width)` where all images share it.
    pub size: Option<(u32, u32)>,
    /// Short side, pixels, of the images that usual patch sizes and strides suit: of all, or of the first.
    pub side: u32,
    /// Which split it is, where the source has two.
    pub split: Option<Split>,
    /// How picture files are decoded, where a choice matters.
    pub decoding: Option<DecodingFacts>,
    /// Files that were left out when it was opened, with the reason.
    pub skipped: Vec<Skipped>,
}

impl DataDescription {
    /// A folder of so many images of 32 x 32 pixels, without classes.
    #[cfg(test)]
    pub fn of_test(id: u64, images: usize) -> Self {
        Self {
            id,
            name: "few".into(),
            kind: "folder".into(),
            images,
            classes: vec![],
            labels: vec![None; images],
            size: Some((32, 32)),
            side: 32,
            split: None,
            decoding: None,
            skipped: vec![],
        }
    }

    /// Whether the other is the same but for its number.
    pub fn has_same_images(&self, other: &Self) -> bool {
        let Self { id: _, name, kind, images, classes, labels, size, side, split, decoding, skipped } = self;
        (images, size, side, split) == (&other.images, &other.size, &other.side, &other.split)
            && (name, kind, classes) == (&other.name, &other.kind, &other.classes)
            && (labels, decoding, skipped) == (&other.labels, &other.decoding, &other.skipped)
    }
}
