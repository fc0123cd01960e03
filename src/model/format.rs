//! What a model format is: how it is told from others, and how it is read.

use std::path::Path;

use burn::tensor::Device;

use super::encoder::{Encoder, ModelInfo};
use super::spec::Overrides;

/// A model that is ready to use.
pub struct Model {
    /// What to call it on screen ("demo", or the file's or run's name).
    pub name: String,
    /// Hex SHA-256 of the file.
    pub hash: String,
    /// What its file is.
    pub format: &'static str,
    /// What it is.
    pub info: ModelInfo,
    /// The network with its weights.
    pub encoder: Encoder,
    /// Whether its file has sums, which were right; earlier versions of the program wrote none.
    pub has_sums: bool,
}

/// Opens a model on the device under a name, with what is said in place of what its file says.
pub type ReadModel = fn(&Path, &Device, String, &Overrides) -> anyhow::Result<Model>;

/// A model format. Its file holds it as a constant, and `FORMATS` lists it.
pub struct ModelFormat {
    /// What is opened, for a person ("a checkpoint (.safetensors)").
    pub about: &'static str,
    /// Endings of its files; none if it is a folder.
    pub endings: &'static [&'static str],
    /// Whether what lies at a path, which exists, is of this format.
    pub recognise: fn(&Path) -> bool,
    /// Whether a path that may as well be data is rather one of these.
    pub is_likely: fn(&Path) -> bool,
    /// Opens it.
    pub read: ReadModel,
}
