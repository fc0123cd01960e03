//! Pictures in folders, or one picture file.
//!
//! An image folder is `train/<class>/*` with `val/<class>/*` or `test/<class>/*`, or just
//! `<class>/*`; a folder without class folders is a plain one and has no labels. Folders
//! nested more deeply are not followed. Classes and, within a class, files are in the byte
//! order of their names. Hidden files are left out, and so are files that neither look like
//! a picture inside nor are called like one; a file called like a picture that cannot be
//! read, or a picture whose header is broken or too large, is skipped and counted.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail, ensure};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::dataset::decode::{self, Decoded, PictureFacts, READABLE};
use crate::dataset::format::{DataFormat, SetPlace};
use crate::dataset::reading::Reading;
use crate::dataset::{
    DataKind, Dataset, Decoding, DecodingFacts, FigureNote, ImageValues, PartMap, Skipped, Split, hex,
    with_thousands,
};
use crate::image::Image;

/// Endings of files that are taken for pictures without a look inside.
pub const PICTURE_ENDINGS: [&str; 9] = ["jpg", "jpeg", "jpe", "png", "webp", "bmp", "gif", "tif", "tiff"];

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

/// A file that may be a picture.
struct Candidate {
    path: PathBuf,
    label: Option<u32>,
}

/// An image folder, a plain folder or a single picture.
pub struct Folder {
    kind: &'static DataKind,
    name: String,
    entries: Vec<PictureFile>,
    classes: Vec<String>,
    split: Option<Split>,
    skipped: Vec<Skipped>,
    size: Option<(u32, u32)>,
    reading: Reading,
}

impl Folder {
    /// Opens a folder; every header is read, in parallel. Without `split`: train where there are two.
    ///
    /// # Errors
    /// No usable picture (says what was looked for and the first reason), no such split.
    pub fn open(path: &Path, split: Option<Split>) -> Result<Self> {
        let (root, split) = split_root(path, split)?;
        let files = list(&root)?;
        let mut skipped = Vec::new();
        let (classes, candidates) = candidates(&root, files, &mut skipped)?;
        let found = candidates.len();
        let (entries, bad) = probe_all(&root, candidates);
        if entries.is_empty() {
            bail!(none_usable(&root, found, bad.first()));
        }
        skipped.extend(bad);
        for file in &skipped {
            log::warn!("left out: {}: {}", file.file, file.reason);
        }
        let kind = if classes.is_empty() { &FOLDER } else { &IMAGE_FOLDER };
        let mut name = display_name(path);
        if let Some(split) = split {
            name = format!("{name} {}", split.name());
        }
        Ok(Self::new(kind, name, entries, classes, split, skipped))
    }

    /// Opens one picture file as a set of one image.
    ///
    /// # Errors
    /// It is no picture, or a broken or too large one; a split was asked for.
    pub fn open_file(path: &Path, split: Option<Split>) -> Result<Self> {
        if let Some(split) = split {
            bail!("{}: one image has no {} split", path.display(), split.name());
        }
        let candidate = Candidate { path: path.to_path_buf(), label: None };
        let root = path.parent().unwrap_or(Path::new(""));
        let entry = probe(root, &candidate)?;
        Ok(Self::new(&PICTURE, display_name(path), vec![entry], Vec::new(), None, Vec::new()))
    }

    fn new(
        kind: &'static DataKind,
        name: String,
        entries: Vec<PictureFile>,
        classes: Vec<String>,
        split: Option<Split>,
        skipped: Vec<Skipped>,
    ) -> Self {
        let reading = Reading::default();
        let mut new = Self { kind, name, entries, classes, split, skipped, size: None, reading };
        new.size = new.common_size();
        new
    }

    fn common_size(&self) -> Option<(u32, u32)> {
        let mut sizes = self.entries.iter().map(|entry| entry.facts.size(self.reading.decoding.exif));
        sizes.next().filter(|first| sizes.all(|size| size == *first))
    }

    fn facts(&self) -> impl Iterator<Item = &PictureFacts> + Clone {
        self.entries.iter().map(|entry| &entry.facts)
    }
}

/// What a listed folder holds, each sorted by the bytes of the name; hidden ones left out.
struct Listing {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// What is neither.
    others: Vec<Skipped>,
}

fn list(folder: &Path) -> Result<Listing> {
    let mut listing = Listing { folders: Vec::new(), files: Vec::new(), others: Vec::new() };
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry.with_context(|| folder.display().to_string())?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A link is followed; what is neither file nor folder (a pipe, a dead link) stays out.
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => listing.folders.push(path),
            Ok(meta) if meta.is_file() => listing.files.push(path),
            _ => listing.others.push(Skipped {
                file: path.display().to_string(),
                reason: "neither a file nor a folder (a pipe, a link to nothing)".into(),
            }),
        }
    }
    let by_name = |a: &PathBuf, b: &PathBuf| name_bytes(a).cmp(name_bytes(b));
    listing.folders.sort_by(by_name);
    listing.files.sort_by(by_name);
    Ok(listing)
}

fn name_bytes(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_encoded_bytes()
}

fn display_name(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned()
}

/// The folder of the wanted split, where `path` has `train` beside `val` or `test`, or holds nothing else.
fn split_root(path: &Path, split: Option<Split>) -> Result<(PathBuf, Option<Split>)> {
    let names: Vec<_> = list(path)?.folders.iter().map(|p| name_bytes(p).to_vec()).collect();
    let has = |name: &str| names.iter().any(|n| n == name.as_bytes());
    let test = ["val", "test"].into_iter().find(|name| has(name));
    let train = has("train").then_some("train");
    // A class may be called "train": alone among others it is one.
    let only_splits = names.iter().all(|n| [&b"train"[..], b"val", b"test"].contains(&&n[..]));
    let splits = (train.is_some() && test.is_some()) || (only_splits && !names.is_empty());
    let at = path.display();
    match (splits, split) {
        (false, None) => Ok((path.to_path_buf(), None)),
        (false, Some(split)) => {
            bail!("{at}: has no {} split; expected folders train and val (or test)", split.name())
        }
        (true, _) => {
            let split = split.unwrap_or(if train.is_some() { Split::Train } else { Split::Test });
            let folder = if split == Split::Train { train } else { test };
            let expected = if split == Split::Train { "train" } else { "val or test" };
            let folder = folder.with_context(|| format!("{at}: has no folder {expected}"))?;
            Ok((path.join(folder), Some(split)))
        }
    }
}

/// Class names and the files that may be pictures, in order. Folders without such files are no classes.
fn candidates(
    root: &Path,
    top: Listing,
    skipped: &mut Vec<Skipped>,
) -> Result<(Vec<String>, Vec<Candidate>)> {
    let (mut classes, mut candidates) = (Vec::new(), Vec::new());
    for folder in &top.folders {
        let Listing { files, others, .. } = list(folder)?;
        skipped.extend(others);
        let files = maybe_images(files);
        if !files.is_empty() {
            let label = Some(u32::try_from(classes.len()).context("too many classes")?);
            classes.push(String::from_utf8_lossy(name_bytes(folder)).into_owned());
            candidates.extend(files.into_iter().map(|path| Candidate { path, label }));
        }
    }
    skipped.extend(top.others);
    let loose = maybe_images(top.files);
    if classes.is_empty() {
        candidates = loose.into_iter().map(|path| Candidate { path, label: None }).collect();
    } else {
        skipped.extend(loose.into_iter().map(|path| Skipped {
            file: relative_name(root, &path),
            reason: "it lies beside the class folders and has no class".into(),
        }));
    }
    Ok((classes, candidates))
}

/// Keeps what is called like a picture or begins like one.
fn maybe_images(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let called = |path: &Path| {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or("").to_ascii_lowercase();
        PICTURE_ENDINGS.contains(&extension.as_str())
    };
    files.into_par_iter().filter(|path| called(path) || decode::looks_like_image(path)).collect()
}

fn probe_all(root: &Path, candidates: Vec<Candidate>) -> (Vec<PictureFile>, Vec<Skipped>) {
    let probed: Vec<_> = candidates.par_iter().map(|candidate| probe(root, candidate)).collect();
    let (mut entries, mut skipped) = (Vec::new(), Vec::new());
    for (probed, candidate) in probed.into_iter().zip(candidates) {
        match probed {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                // The outermost context is the path, which `file` says already.
                let reason = error.chain().skip(1).map(|e| e.to_string()).collect::<Vec<_>>().join(": ");
                let reason = if reason.is_empty() { error.to_string() } else { reason };
                skipped.push(Skipped { file: relative_name(root, &candidate.path), reason });
            }
        }
    }
    (entries, skipped)
}

fn probe(root: &Path, candidate: &Candidate) -> Result<PictureFile> {
    let path = &candidate.path;
    let facts = decode::probe(path)?;
    let meta = std::fs::metadata(path).with_context(|| path.display().to_string())?;
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

/// Path within `root`, with `/` on every system.
fn relative_name(root: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(root).unwrap_or(path);
    inner.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn none_usable(root: &Path, found: usize, first: Option<&Skipped>) -> String {
    let at = root.display();
    match first {
        None => format!(
            "{at}: no pictures; looked for {READABLE} files here and one folder down (<class>/*), \
             and for CIFAR binaries (data_batch_*.bin, test_batch.bin, train.bin, test.bin)"
        ),
        Some(Skipped { file, reason }) => format!(
            "{at}: none of {} picture files can be used; expected {READABLE}. The first: {file}: {reason}",
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
        self.classes.iter().for_each(|name| hash.update(format!("{name}\n")));
        hash.update(self.reading.mark(self.facts()));
        Ok(hex(&hash.finalize()))
    }

    fn decode_as(&mut self, decoding: Decoding) -> Result<()> {
        let wide = self.entries.iter().filter(|entry| entry.facts.is_wide());
        let wide: Vec<&Path> = wide.map(|entry| entry.path.as_path()).collect();
        self.reading = match self.kind == &PICTURE {
            true => Reading::of_one_picture(decoding, &wide)?,
            false => Reading::new(decoding, &wide)?,
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

    fn parts(&self, _index: usize) -> Option<PartMap> {
        None
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
