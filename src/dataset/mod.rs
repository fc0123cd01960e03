//! Where images come from: CIFAR binaries, folders, single files and the
//! built-in synthetic set, all behind one small trait and read lazily.

pub mod cifar;
mod cifar_names;
pub mod decode;
pub mod download;
pub mod folder;
mod joined;
mod jpeg;
mod limit;
pub mod parts;
mod tiff;
mod unpack;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use serde::Serialize;

pub(crate) use crate::files::hex;
use crate::image::Image;
pub(crate) use crate::words::thousands as with_thousands;
pub use joined::Mix;
pub use limit::limited;

/// A part of a data set that is kept for one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    Train,
    Test,
    /// Both, evenly mixed.
    All,
}

impl Split {
    /// `train`, `test` or `all`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Test => "test",
            Split::All => "all",
        }
    }
}

/// Images in a fixed order, read one at a time.
#[expect(clippy::len_without_is_empty, reason = "no set is empty: opening nothing is an error")]
pub trait Dataset: Send + Sync {
    /// `parts`, `cifar10`, `cifar100`, `image-folder`, `folder` or `image`.
    fn kind(&self) -> &'static str;
    /// A short name for headings ("Parts", "CIFAR-10 test", the folder's name).
    fn name(&self) -> String;
    /// Number of images. Never 0.
    fn len(&self) -> usize;
    /// Reads image `index`. The error names the file and what is wrong with it.
    fn image(&self, index: usize) -> anyhow::Result<Image>;
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
    /// The part of every pixel of image `index`, where the source knows it.
    fn parts(&self, index: usize) -> Option<PartMap>;
}

/// A file that could not be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    pub file: String,
    pub reason: String,
}

/// How many images of a data set, or of a part of it, are used.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    pub images: usize,
    pub of: usize,
    /// Images that cannot be used, and why.
    pub skipped: Vec<Skipped>,
}

impl Part {
    /// "9,998 of 10,000 images; 2 skipped, first a.png: 8 x 8 pixels, too small ..."
    pub fn words(&self) -> String {
        let mut words =
            format!("{} of {} images", with_thousands(self.images as u64), with_thousands(self.of as u64));
        if let [first, ..] = self.skipped.as_slice() {
            let count = with_thousands(self.skipped.len() as u64);
            words += &format!("; {count} skipped, first {}: {}", first.file, first.reason);
        }
        words
    }
}

/// The part of every pixel: `index[y * width + x]` is an index into `names`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartMap {
    pub width: u32,
    pub height: u32,
    pub index: Vec<u8>,
    pub names: &'static [&'static str],
    /// The first so many names are backgrounds, the rest belong to objects.
    pub backgrounds: usize,
}

/// Opens what `--data` names: `demo` (the built-in set), a folder with CIFAR binaries or its
/// parent, an image folder, a plain folder, or one picture file. Without `split`: train where
/// there are two. A file or folder that is itself called `demo` is reached as `./demo`.
///
/// # Errors
/// Nothing there, nothing usable in it, no such split; says what was looked for.
pub fn open(spec: &str, split: Option<Split>) -> Result<Arc<dyn Dataset>> {
    if split == Some(Split::All) {
        return joined::joined(open(spec, Some(Split::Train))?, open(spec, Some(Split::Test))?);
    }
    if spec == "demo" {
        return Ok(Arc::new(parts::demo(split)));
    }
    let path = Path::new(spec);
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            let why = match error.kind() {
                ErrorKind::NotFound => "there is no such file or folder".to_owned(),
                _ => error.to_string(),
            };
            bail!(
                "data {spec:?}: {why}; expected `demo`, a folder with CIFAR binaries or pictures, or a picture file"
            )
        }
    };
    if !meta.is_dir() {
        return Ok(Arc::new(folder::Folder::open_file(path, split)?));
    }
    match cifar::find(path)? {
        Some((variant, folder)) => Ok(Arc::new(cifar::Cifar::open(&folder, variant, split)?)),
        None => Ok(Arc::new(folder::Folder::open(path, split)?)),
    }
}

/// What is in a data set, in plain values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataInfo {
    /// See [`Dataset::kind`].
    pub kind: &'static str,
    pub name: String,
    /// Number of images.
    pub images: usize,
    /// Number of classes; 0 without labels.
    pub classes: usize,
    pub class_names: Vec<String>,
    /// Height in pixels, where all images share their size.
    pub height: Option<u32>,
    /// Width in pixels, where all images share their size.
    pub width: Option<u32>,
    pub split: Option<Split>,
    /// Files left out when the set was opened.
    pub skipped: Vec<Skipped>,
}

impl DataInfo {
    pub fn of(set: &dyn Dataset) -> Self {
        Self {
            kind: set.kind(),
            name: set.name(),
            images: set.len(),
            classes: set.classes().len(),
            class_names: set.classes().to_vec(),
            height: set.size().map(|size| size.0),
            width: set.size().map(|size| size.1),
            split: set.split(),
            skipped: set.skipped().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(spec: &str, split: Option<Split>) -> String {
        match open(spec, split) {
            Ok(set) => panic!("opened {}", set.name()),
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn each_kind_of_source_is_told_by_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        let file = images.join("exif6.jpg");
        let at = |path: &Path| path.to_str().unwrap().to_string();
        assert_eq!(open(&at(&file), None).unwrap().kind(), "image");
        std::fs::copy(&file, dir.path().join("a.jpg")).unwrap();
        assert_eq!(open(&at(dir.path()), None).unwrap().kind(), "folder");
        std::fs::create_dir(dir.path().join("cls")).unwrap();
        std::fs::copy(&file, dir.path().join("cls/b.jpg")).unwrap();
        assert_eq!(open(&at(dir.path()), None).unwrap().kind(), "image-folder");
        std::fs::write(dir.path().join("test_batch.bin"), [7; 3073]).unwrap();
        assert_eq!(open(&at(dir.path()), None).unwrap().kind(), "cifar10");
        assert_eq!(open("demo", None).unwrap().kind(), "parts");
    }

    #[test]
    fn a_missing_path_and_a_split_that_is_not_there_are_errors_in_words() {
        let text = error_of("/no/such/folder", None);
        assert!(text.contains("/no/such/folder") && text.contains("expected `demo`"), "{text}");
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        let text = error_of(images.join("grey.jpg").to_str().unwrap(), Some(Split::Test));
        assert!(text.contains("one image has no test split"), "{text}");
    }

    #[test]
    fn the_description_has_the_keys_that_scripts_rely_on() {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
        let set = open(images.join("exif6.jpg").to_str().unwrap(), None).unwrap();
        let info = serde_json::to_value(DataInfo::of(set.as_ref())).unwrap();
        assert_eq!(info["kind"], "image");
        assert_eq!((&info["images"], &info["classes"]), (&1.into(), &0.into()));
        assert_eq!((&info["height"], &info["width"]), (&18.into(), &11.into()));
        assert!(info["split"].is_null());
    }
}
