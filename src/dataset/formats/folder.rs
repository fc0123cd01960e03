//! Pictures in folders, or one picture file.
//!
//! An image folder is `train/<class>/**` with `val/<class>/**` or `test/<class>/**`, or just
//! `<class>/**`; a folder without class folders is a plain one and has no labels. As torchvision's
//! `ImageFolder` does, a class takes its files from folders at any depth, by links too. Classes are in
//! the byte order of their names, the files of a class in that of their folders, then of their names.
//! The test split has the classes of the training split, in its order. Hidden folders, and files that neither look like
//! a picture inside nor are called like one are no part of it; whatever else is left out (hidden, broken,
//! too large, of no class, a class without pictures) is named with its reason.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

pub use super::folder_walk::PICTURE_ENDINGS;
use super::folder_walk::{Candidate, Contents, SplitPlace, relative_name};
use super::wordnet;
use crate::dataset::decode::{self, Decoded, PictureFacts, READABLE};
use crate::dataset::format::{DataFormat, SetPlace};
use crate::dataset::masks::{NAMES_FILE, PartMasks};
use crate::dataset::reading::Reading;
use crate::dataset::{
    DataKind, Dataset, Decoding, DecodingFacts, FigureNote, ImageValues, NoSplit, PartMap, Skipped, Split,
    ValueRule, hex, with_thousands,
};
use crate::files::{self, Unread};
use crate::image::Image;
use crate::words::first_lines;

/// Pictures in a folder, or in one for each class.
pub static FORMAT: DataFormat = DataFormat {
    about: "a folder of images (with or without a folder for each class)",
    kinds: &[&IMAGE_FOLDER, &FOLDER],
    place: SetPlace::Folder {
        holds: "pictures",
        recognise: |_| Ok(true),
        open: |path, split| Ok(Arc::new(Folder::open(path, split)?)),
    },
};

/// One picture.
pub static PICTURE_FORMAT: DataFormat = DataFormat {
    about: "one image",
    kinds: &[&PICTURE],
    place: SetPlace::File {
        what: "a picture file",
        recognise: |_| Ok(true),
        open: |path, split| Ok(Arc::new(Folder::open_file(path, split)?)),
    },
};

/// With a folder for each class.
pub static IMAGE_FOLDER: DataKind = DataKind::plain("image-folder", FigureNote::Fingerprint);
/// Without labels.
pub static FOLDER: DataKind = DataKind::plain("folder", FigureNote::Fingerprint);
/// A single picture.
pub static PICTURE: DataKind = DataKind::plain("image", FigureNote::Nothing);

/// A usable picture file.
struct PictureFile {
    path: PathBuf,
    /// Path within the set's folder, with `/`.
    name: String,
    label: Option<u32>,
    facts: PictureFacts,
    /// What became of its values, once it was read.
    values: OnceLock<ImageValues>,
    /// Bytes, and nanoseconds since 1970 of the last change.
    size: u64,
    modified_ns: u128,
}

/// An image folder, a plain folder or a single picture.
pub struct Folder {
    kind: &'static DataKind,
    name: String,
    /// What was opened, in which the other split lies too.
    path: PathBuf,
    entries: Vec<PictureFile>,
    /// Names of the class folders, and what the classes are called.
    folders: Vec<String>,
    classes: Vec<String>,
    split: Option<Split>,
    skipped: Vec<Skipped>,
    size: Option<(u32, u32)>,
    reading: Reading,
    masks: Option<PartMasks>,
}

impl Folder {
    /// Opens a folder; every header is read, in parallel. Without `split`: train where there are two.
    ///
    /// # Errors
    /// No usable picture (says what was looked for and the first reason), no such split, a file or folder that could not
    /// be read: without it, this were another set.
    pub fn open(path: &Path, split: Option<Split>) -> Result<Self> {
        let place = SplitPlace::find(path, split)?;
        let Contents { classes, candidates, mut skipped } = place.contents()?;
        let SplitPlace { root, split, .. } = place;
        let found = candidates.len();
        let (entries, bad) = probe_all(&root, candidates)?;
        if entries.is_empty() {
            bail!(none_usable(&root, found, bad.first().or(skipped.first())));
        }
        skipped.extend(bad);
        // Pictures with broken names of parts are pictures.
        let masks = PartMasks::find(path).unwrap_or_else(|error| {
            skipped.push(Skipped { file: NAMES_FILE.into(), reason: format!("{error:#}") });
            None
        });
        let words = |file: &Skipped| format!("left out: {}: {}", file.file, file.reason);
        for line in first_lines(&skipped, words, "`bagssl data info --json` names all that are left out") {
            log::warn!("{line}");
        }
        let kind = if classes.is_empty() { &FOLDER } else { &IMAGE_FOLDER };
        let mut name = display_name(path);
        if let Some(split) = split {
            name = format!("{name} {}", split.name());
        }
        let named = wordnet::named(&classes, &root);
        Ok(Self {
            folders: classes,
            classes: named,
            split,
            skipped,
            masks,
            ..Self::new(kind, (name, path), entries)
        })
    }

    /// Opens one picture file as a set of one image.
    ///
    /// # Errors
    /// It is no picture, or a broken or too large one; a split was asked for.
    pub fn open_file(path: &Path, split: Option<Split>) -> Result<Self> {
        if let Some(split) = split {
            return Err(
                NoSplit(format!("{}: one image has no {} split", path.display(), split.name())).into()
            );
        }
        let candidate = Candidate { path: path.to_path_buf(), label: None };
        let root = path.parent().unwrap_or(Path::new(""));
        let entry = probe(root, &candidate)?;
        Ok(Self::new(&PICTURE, (display_name(path), path), vec![entry]))
    }

    /// Without labels, split and anything left out.
    fn new(kind: &'static DataKind, (name, path): (String, &Path), entries: Vec<PictureFile>) -> Self {
        let (folders, classes, skipped) = Default::default();
        let reading = Reading::default();
        let mut new = Self {
            kind,
            name,
            path: path.into(),
            entries,
            folders,
            classes,
            split: None,
            skipped,
            size: None,
            reading,
            masks: None,
        };
        new.size = new.common_size();
        new
    }

    fn common_size(&self) -> Option<(u32, u32)> {
        let mut sizes = self.entries.iter().map(|entry| entry.facts.size(self.reading.decoding.exif));
        sizes.next().filter(|first| sizes.all(|size| size == *first))
    }

    /// The pictures with more than 8 bits of the other split, if there is one.
    fn wide_beside(&self) -> Result<Vec<PathBuf>> {
        let other = match self.split {
            Some(Split::Train) => Split::Test,
            Some(Split::Test) => Split::Train,
            Some(Split::All) | None => return Ok(vec![]),
        };
        let Ok(place) = SplitPlace::find(&self.path, Some(other)) else { return Ok(vec![]) };
        let (entries, _) = probe_all(&place.root, place.contents()?.candidates)?;
        Ok(entries.into_iter().filter(|entry| entry.facts.is_wide()).map(|entry| entry.path).collect())
    }

    fn facts(&self) -> impl Iterator<Item = &PictureFacts> + Clone {
        self.entries.iter().map(|entry| &entry.facts)
    }
}

fn display_name(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned()
}

fn probe_all(root: &Path, candidates: Vec<Candidate>) -> Result<(Vec<PictureFile>, Vec<Skipped>)> {
    let probed: Vec<_> = candidates.par_iter().map(|candidate| probe(root, candidate)).collect();
    let (mut entries, mut skipped) = (Vec::new(), Vec::new());
    for (probed, candidate) in probed.into_iter().zip(candidates) {
        match probed {
            Ok(entry) => entries.push(entry),
            Err(error) if files::is_read_error(&error) => return Err(error),
            Err(error) => {
                // The outermost context is the path, which `file` says already.
                let reason = error.chain().skip(1).map(|e| e.to_string()).collect::<Vec<_>>().join(": ");
                let reason = if reason.is_empty() { error.to_string() } else { reason };
                skipped.push(Skipped { file: relative_name(root, &candidate.path), reason });
            }
        }
    }
    Ok((entries, skipped))
}

fn probe(root: &Path, candidate: &Candidate) -> Result<PictureFile> {
    let path = &candidate.path;
    let facts = decode::probe(path)?;
    let meta = std::fs::metadata(path).map_err(Unread::of(path))?;
    let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
    Ok(PictureFile {
        path: path.clone(),
        name: relative_name(root, path),
        label: candidate.label,
        facts,
        values: OnceLock::new(),
        size: meta.len(),
        modified_ns: modified.map_or(0, |t| t.as_nanos()),
    })
}

fn none_usable(root: &Path, found: usize, first: Option<&Skipped>) -> String {
    let at = root.display();
    let first =
        first.map_or(String::new(), |Skipped { file, reason }| format!(". The first: {file}: {reason}"));
    match found {
        0 => format!(
            "{at}: no pictures; looked for {READABLE} files here and below class folders (<class>/**), \
             and for CIFAR (data_batch_*.bin, test_batch.bin, train.bin, test.bin, or the Python version's files){first}"
        ),
        _ => format!(
            "{at}: none of {} picture files can be used; expected {READABLE}{first}",
            with_thousands(found as u64)
        ),
    }
}

impl Dataset for Folder {
    fn kind(&self) -> &'static DataKind {
        self.kind
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn image(&self, index: usize) -> Result<Image> {
        let entry = self.entries.get(index);
        let entry =
            entry.with_context(|| format!("{} has no image {index}; it has {}", self.name, self.len()))?;
        let Decoded { image, values } = decode::decode(&entry.path, self.reading.of_each())?;
        if let Some(values) = values {
            entry.values.get_or_init(|| values);
        }
        let (height, width) = entry.facts.size(self.reading.decoding.exif);
        let (found, known) = ((image.width(), image.height()), (width, height));
        ensure!(
            found == known,
            "{}: changed since it was opened, from {} x {} to {} x {} pixels",
            entry.path.display(),
            known.0,
            known.1,
            found.0,
            found.1
        );
        Ok(image)
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.entries.get(index)?.label
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn image_name(&self, index: usize) -> String {
        self.entries.get(index).map_or_else(String::new, |entry| entry.name.clone())
    }

    fn dimensions(&self, index: usize) -> (u32, u32) {
        self.entries[index].facts.size(self.reading.decoding.exif)
    }

    fn size(&self) -> Option<(u32, u32)> {
        self.size
    }

    fn split(&self) -> Option<Split> {
        self.split
    }

    fn fingerprint(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for entry in &self.entries {
            let label = entry.label.map_or(String::from("-"), |label| label.to_string());
            hash.update(format!("{}\0{}\0{}\0{label}\n", entry.name, entry.size, entry.modified_ns));
        }
        self.folders.iter().for_each(|name| hash.update(format!("{name}\n")));
        hash.update(self.reading.mark(self.facts()));
        Ok(hex(&hash.finalize()))
    }

    fn decode_as(&mut self, decoding: Decoding) -> Result<()> {
        let wide = self.entries.iter().filter(|entry| entry.facts.is_wide());
        let wide: Vec<&Path> = wide.map(|entry| entry.path.as_path()).collect();
        self.reading = match self.kind == &PICTURE {
            true => Reading::of_one_picture(decoding, &wide)?,
            false if decoding.value_window == ValueRule::Data => {
                Reading::new(decoding, &wide, &self.wide_beside()?)?
            }
            false => Reading::new(decoding, &wide, &[])?,
        };
        self.size = self.common_size();
        self.entries.iter_mut().for_each(|entry| entry.values = OnceLock::new());
        Ok(())
    }

    fn decoding(&self) -> Option<DecodingFacts> {
        self.reading.facts(self.facts())
    }

    fn values(&self, index: usize) -> Option<ImageValues> {
        self.entries.get(index)?.values.get().copied()
    }

    fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    fn parts(&self, index: usize) -> Result<Option<PartMap>> {
        let (Some(masks), Some(entry)) = (&self.masks, self.entries.get(index)) else { return Ok(None) };
        let image = entry.path.strip_prefix(&self.path).unwrap_or(&entry.path);
        masks.of(image, self.dimensions(index)).map(Some)
    }

    fn part_names(&self) -> Option<Arc<[String]>> {
        self.masks.as_ref().map(PartMasks::names)
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
