//! The model formats: one file and, here, one line each.

pub mod folder;
mod foreign_file;
pub mod hub;
mod neighbours;
pub mod pytorch;
pub mod safetensors;

use std::path::Path;
use std::sync::LazyLock;

use super::format::ModelFormat;
use crate::words::alternatives;

/// All formats; the first one that recognises a path reads it.
pub static FORMATS: [&ModelFormat; 4] =
    [&hub::FORMAT, &folder::FORMAT, &pytorch::FORMAT, &safetensors::FORMAT];

/// The format of what lies at `path`.
pub fn recognise(path: &Path) -> Option<&'static ModelFormat> {
    FORMATS.into_iter().find(|format| (format.recognise)(path))
}

/// Endings of all files that may be models.
pub fn endings() -> &'static [&'static str] {
    static ENDINGS: LazyLock<Vec<&str>> =
        LazyLock::new(|| FORMATS.iter().flat_map(|format| format.endings).copied().collect());
    &ENDINGS
}

/// Whether `path` is rather a model than images.
pub fn is_likely_model(path: &Path) -> bool {
    FORMATS.iter().any(|format| (format.is_likely)(path))
}

/// What can be opened, in a sentence for a person.
pub fn sentence() -> String {
    let about: Vec<&str> = FORMATS.iter().map(|format| format.about).collect();
    alternatives(&about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_opened_is_told_from_the_list() {
        let expected = "A folder of Hugging Face (config.json), a run folder of bagssl train, a PyTorch checkpoint \
                        (.pth, .pt, .ckpt, .bin), or a checkpoint (.safetensors).";
        assert_eq!(sentence(), expected);
        assert_eq!(endings(), ["pth", "pt", "ckpt", "bin", "th", "tar", "safetensors"]);
    }
}
