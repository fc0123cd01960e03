//! How picture files become pixels: the arguments of all commands that open some.

use clap::Args;

use crate::engine::facts::{DataSpec, Decoding, Exif, ValueRule};

/// Heading of the options that say how picture files become pixels.
pub const READING: &str = "Reading pictures";

/// How picture files are decoded.
#[derive(Args, Clone, Copy, Default)]
pub struct DecodingArgs {
    /// Turn images as their EXIF orientation says, or leave them as stored, as torchvision's loaders do
    #[arg(long, value_enum, value_name = "apply|ignore", help_heading = READING)]
    pub exif: Option<Exif>,
    /// What becomes black and white of more than 8 bits: what the file says, each image's smallest and largest
    /// value, those of all images in both splits, or two values; `file` unless told, and `image` where the file says nothing
    #[arg(long, value_name = "file|image|data|LOW,HIGH", allow_hyphen_values = true, help_heading = READING)]
    pub value_window: Option<ValueRule>,
}

impl DecodingArgs {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.exif.is_none() && self.value_window.is_none()
    }

    /// What was said, and the default of what was not.
    pub fn decoding(self) -> Decoding {
        let Self { exif, value_window } = self;
        Decoding { exif: exif.unwrap_or_default(), value_window: value_window.unwrap_or_default() }
    }

    /// `data`, decoded so.
    pub fn of(self, data: impl Into<DataSpec>) -> DataSpec {
        data.into().decoded_as(self.decoding())
    }
}
