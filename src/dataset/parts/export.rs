//! The synthetic set as an image folder with part masks, for other tools to read.
//!
//! ```text
//! DIR/parts.json                      what this is, and the names of the parts
//! DIR/train/<class>/train-00000.png   images (val/ for the test split)
//! DIR/.parts/train/<class>/...png     masks of the same names: grey value = index into the names
//! ```
//!
//! The masks' folder is hidden, so that readers of image folders do not take it for a class.

use std::fs;
use std::io::{Cursor, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{BACKGROUNDS, PART_NAMES, Parts, VERSION};
use crate::dataset::Split;
use crate::dataset::masks::{MASKS_FOLDER, NAMES_FILE};
use crate::files::{self, FolderLock, LOCK_FILE, write_bytes_atomic, write_bytes_unsynced};
use crate::paths;
use crate::progress::{CancelToken, Progress};

/// Images between two looks at the clock and the word to stop.
const CHUNK: usize = 64;

/// What [`write_image_folder`] did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenSet {
    /// The folder to open.
    #[serde(serialize_with = "paths::serialize")]
    pub path: PathBuf,
    /// Images of this split that lie there now.
    pub images: usize,
    /// Those of them that were there before.
    pub resumed: usize,
    /// Class names, the folders' names.
    pub classes: Vec<String>,
    /// Part names, in the order of the masks' values.
    pub parts: Vec<String>,
}

/// `parts.json`: what the folder was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PartsManifest {
    format: String,
    version: u32,
    seed: u64,
    size: u32,
    /// Images of each split.
    train: usize,
    test: usize,
    classes: Vec<String>,
    /// What a mask's grey value v means: `parts[v]`.
    parts: Vec<String>,
    /// The first so many belong to no object; not said by earlier versions.
    #[serde(default = "backgrounds")]
    backgrounds: usize,
}

impl PartsManifest {
    fn of(set: &Parts) -> Self {
        let count = |split| if set.split == split { set.images } else { 0 };
        Self {
            format: "bagssl parts".into(),
            version: VERSION,
            seed: set.seed,
            size: set.size,
            train: count(Split::Train),
            test: count(Split::Test),
            classes: set.classes.clone(),
            parts: PART_NAMES.iter().map(|name| name.to_string()).collect(),
            backgrounds: BACKGROUNDS,
        }
    }
}

fn backgrounds() -> usize {
    BACKGROUNDS
}

/// Writes every image of `set` and its part mask (8-bit PNG) under `out`, in parallel. A folder of the
/// same set is completed or extended, other splits in it stay; anything else in `out` is an error.
/// Stops with [`crate::progress::Cancelled`] between images; the same call resumes.
pub fn write_image_folder(
    set: &Parts,
    out: &Path,
    cancel: &CancelToken,
    progress: &mut dyn FnMut(Progress),
) -> anyhow::Result<WrittenSet> {
    let start = Instant::now();
    let _lock = FolderLock::take(out)?;
    claim(set, out)?;
    for class in &set.classes {
        for dir in [image_dir(set, out, class), mask_dir(set, out, class)] {
            fs::create_dir_all(&dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
        }
    }
    let missing: Vec<usize> = (0..set.images).filter(|&index| !is_done(set, out, index)).collect();
    let resumed = set.images - missing.len();
    let mut done = resumed;
    let mut report = |done: usize| {
        progress(Progress {
            what: "drawing",
            done: done as u64,
            total: set.images as u64,
            resumed: resumed as u64,
            unit: "images",
            elapsed: start.elapsed(),
        });
    };
    report(done);
    for chunk in missing.chunks(CHUNK) {
        cancel.check()?;
        chunk.par_iter().try_for_each(|&index| write_one(set, out, index))?;
        done += chunk.len();
        report(done);
    }
    let parts = PART_NAMES.iter().map(|name| name.to_string()).collect();
    Ok(WrittenSet {
        path: out.to_path_buf(),
        images: set.images,
        resumed,
        classes: set.classes.clone(),
        parts,
    })
}

/// Makes `out` this set's folder, or says whose it is.
fn claim(set: &Parts, out: &Path) -> anyhow::Result<()> {
    let file = out.join(NAMES_FILE);
    let mut manifest = PartsManifest::of(set);
    match files::read_to_string(&file, files::MOST_WORDS) {
        Ok(text) => {
            let old: PartsManifest = serde_json::from_str(&text).with_context(|| {
                format!("{} is no description of a synthetic set; write to another folder", file.display())
            })?;
            let same =
                PartsManifest { train: manifest.train, test: manifest.test, ..old.clone() } == manifest;
            ensure!(
                same,
                "{} holds another synthetic set (version {}, seed {}, size {}; wanted version {VERSION}, seed {}, size {}); write to another folder",
                out.display(),
                old.version,
                old.seed,
                old.size,
                set.seed,
                set.size
            );
            let there = if set.split == Split::Train { old.train } else { old.test };
            ensure!(
                there <= set.images,
                "{} already holds {there} {} images, more than the {} wanted; write to another folder",
                out.display(),
                set.split.name(),
                set.images
            );
            (manifest.train, manifest.test) = (manifest.train.max(old.train), manifest.test.max(old.test));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // A call that was killed before its description stood has left no more than these.
            let is_other =
                |entry: fs::DirEntry| entry.file_name() != LOCK_FILE && !files::is_leftover(&entry.path());
            let occupied = fs::read_dir(out).is_ok_and(|entries| entries.flatten().any(is_other));
            if occupied {
                bail!(
                    "{} holds other files; write the synthetic set to a new or empty folder",
                    out.display()
                );
            }
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
    write_bytes_atomic(&file, &serde_json::to_vec_pretty(&manifest)?)
}

/// The test split is called `val`, as image folders call it.
fn folder_name(split: Split) -> &'static str {
    if split == Split::Test { "val" } else { "train" }
}

fn image_dir(set: &Parts, out: &Path, class: &str) -> PathBuf {
    out.join(folder_name(set.split)).join(class)
}

fn mask_dir(set: &Parts, out: &Path, class: &str) -> PathBuf {
    out.join(MASKS_FOLDER).join(folder_name(set.split)).join(class)
}

/// Where image `index` and its mask lie.
fn files(set: &Parts, out: &Path, index: usize) -> [PathBuf; 2] {
    let class = &set.classes[set.class(index)];
    let name = format!("{}-{index:06}.png", folder_name(set.split));
    [image_dir(set, out, class).join(&name), mask_dir(set, out, class).join(&name)]
}

fn is_done(set: &Parts, out: &Path, index: usize) -> bool {
    files(set, out, index).iter().all(|file| fs::metadata(file).is_ok_and(|meta| meta.len() > 0))
}

/// Not flushed to disk: the same call makes a lost file again, and thousands of flushes would take minutes.
fn write_one(set: &Parts, out: &Path, index: usize) -> anyhow::Result<()> {
    let (image, parts) = set.render(index)?;
    let [picture, mask] = files(set, out, index);
    write_bytes_unsynced(&picture, &png(image.rgb(), set.size, ExtendedColorType::Rgb8)?)?;
    write_bytes_unsynced(&mask, &png(&parts.index, set.size, ExtendedColorType::L8)?)
}

fn png(pixels: &[u8], size: u32, colour: ExtendedColorType) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    PngEncoder::new(&mut bytes).write_image(pixels, size, size, colour).context("cannot encode a PNG")?;
    Ok(bytes.into_inner())
}
