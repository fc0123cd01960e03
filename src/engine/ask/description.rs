//! What is open: the device, the model, the data set.

use crate::dataset::{Skipped, Split};
/// Where tensors live.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceDescription {
    /// "GPU" or "CPU".
    pub kind: &'static str,
    /// Name of the adapter or processor.
    pub name: String,
    /// Why it was picked, one sentence.
    pub reason: String,
}

/// The open model.
#[derive(Clone, Debug, PartialEq)]
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
    pub hash: String,
}

/// The open data set.
#[derive(Clone, Debug, PartialEq)]
pub struct DataDescription {
    /// Changes each time that a data set is opened.
    pub id: u64,
    pub name: String,
    pub kind: String,
    pub images: usize,
    pub classes: Vec<String>,
    pub labels: Vec<Option<u32>>,
    /// `(height, width)` where all images share it.
    pub size: Option<(u32, u32)>,
    pub split: Option<Split>,
    pub skipped: Vec<Skipped>,
}
