//! Checkpoints of PyTorch: `torch.save` in both of its containers, whatever else is in the file.

mod archive;
mod legacy;
mod objects;

use anyhow::{Context, Result};

use super::foreign_file::{self, FileContent};
use super::neighbours;
use crate::files;
use crate::model::format::ModelFormat;

/// A checkpoint of PyTorch.
pub static FORMAT: ModelFormat = ModelFormat {
    about: "a PyTorch checkpoint (.pth, .pt, .ckpt, .bin)",
    endings: &["pth", "pt", "ckpt", "bin", "th", "tar"],
    recognise: |path| path.is_file() && is_checkpoint(&files::first_bytes(path)),
    is_likely: |path| {
        let bytes = if path.is_file() { files::first_bytes(path) } else { vec![] };
        legacy::is_legacy(&bytes) || archive::is_of_pytorch(&bytes)
    },
    read: |path, device, name, overrides| {
        let bytes = files::read(path, files::MOST_WEIGHTS)
            .with_context(|| format!("could not read {}", path.display()))?;
        let open = || {
            let content = content(&bytes)?;
            let content = FileContent { hints: neighbours::beside(path, content.hints), ..content };
            foreign_file::open(&[&bytes], content, device, name, overrides)
        };
        open().with_context(|| format!("{} is no usable model", path.display()))
    },
};

/// Whether these are a file's bytes, or its first ones.
pub(super) fn is_checkpoint(bytes: &[u8]) -> bool {
    legacy::is_legacy(bytes) || archive::is_archive(bytes)
}

/// The arrays in the bytes of a file, and what it says besides.
pub(super) fn content(bytes: &[u8]) -> Result<FileContent<'_>> {
    if legacy::is_legacy(bytes) { legacy::content(bytes) } else { archive::content(bytes) }
}
