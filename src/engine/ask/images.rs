//! Looking for images by name and class.

use serde::{Deserialize, Serialize};

/// What images are looked for; all where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFilter {
    /// A part of the image's or its class's name, in any case.
    pub text: String,
    /// Only images of this class.
    pub class: Option<u32>,
}

/// The images that were found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundImages {
    /// [`DataDescription::id`](crate::engine::DataDescription::id).
    pub data: u64,
    /// What was looked for.
    pub filter: ImageFilter,
    /// Their indices, rising.
    pub images: Vec<u32>,
}
