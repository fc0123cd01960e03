//! What a folder holds: pictures in the folders of classes, at any depth, in the order of torchvision's
//! `ImageFolder`, and what is left out of them.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;

use crate::dataset::{NoSplit, Skipped, Split, decode, with_thousands};
use crate::files::{self, Unread};

/// Endings of files that are taken for pictures without a look inside.
pub const PICTURE_ENDINGS: [&str; 9] = ["jpg", "jpeg", "jpe", "png", "webp", "bmp", "gif", "tif", "tiff"];

/// The folder of a split, and whose classes it has.
pub(super) struct SplitPlace {
    pub root: PathBuf,
    pub split: Option<Split>,
    /// The folder of the training split, where this is the test split beside it.
    train: Option<PathBuf>,
    /// What lies beside the splits.
    beside: Vec<Skipped>,
}

/// A file that may be a picture.
pub(super) struct Candidate {
    pub path: PathBuf,
    pub label: Option<u32>,
}

/// What lies in a split's folder.
pub(super) struct Contents {
    /// Names of the class folders, in order; none in a plain folder.
    pub classes: Vec<String>,
    pub candidates: Vec<Candidate>,
    pub skipped: Vec<Skipped>,
}

impl SplitPlace {
    /// The folder of the wanted split, where `path` has `train` beside `val` or `test`, or holds nothing else.
    pub fn find(path: &Path, split: Option<Split>) -> Result<Self> {
        let top = list(path, path)?;
        let has = |name: &str| top.folders.iter().any(|folder| name_bytes(folder) == name.as_bytes());
        let test = ["val", "test"].into_iter().find(|name| has(name));
        let train = has("train").then_some("train");
        // A class may be called "train": alone among others it is one.
        let is_split = |folder: &PathBuf| [&b"train"[..], b"val", b"test"].contains(&name_bytes(folder));
        let only_splits = top.folders.iter().all(is_split) && !top.folders.is_empty();
        let splits = (train.is_some() && test.is_some()) || only_splits;
        let at = path.display();
        match (splits, split) {
            (false, None) => {
                Ok(Self { root: path.to_path_buf(), split: None, train: None, beside: Vec::new() })
            }
            (false, Some(split)) => {
                let expected = "expected folders train and val (or test)";
                Err(NoSplit(format!("{at}: has no {} split; {expected}", split.name())).into())
            }
            (true, _) => {
                let split = split.unwrap_or(if train.is_some() { Split::Train } else { Split::Test });
                let folder = if split == Split::Train { train } else { test };
                let expected = if split == Split::Train { "train" } else { "val or test" };
                let folder = folder.ok_or_else(|| NoSplit(format!("{at}: has no folder {expected}")))?;
                let train = train.filter(|_| split == Split::Test).map(|train| path.join(train));
                let beside = beside_splits(path, top, test);
                Ok(Self { root: path.join(folder), split: Some(split), train, beside })
            }
        }
    }

    /// All that lies in it. The classes of a test split are those of the training split.
    pub fn contents(&self) -> Result<Contents> {
        let mut contents = contents_of(&self.root)?;
        if let Some(train) = &self.train {
            contents.take_classes(class_names(train)?);
        }
        contents.skipped.splice(..0, self.beside.iter().cloned());
        Ok(contents)
    }
}

/// What lies beside the splits and is in none of them.
fn beside_splits(path: &Path, top: Listing, test: Option<&str>) -> Vec<Skipped> {
    let used =
        |folder: &PathBuf| [Some("train"), test].iter().flatten().any(|n| name_bytes(folder) == n.as_bytes());
    let mut beside = top.others;
    beside.extend(top.folders.iter().filter(|folder| !used(folder)).map(|folder| Skipped {
        file: relative_name(path, folder),
        reason: format!(
            "a folder beside the splits train and {}; open it by itself to see it",
            test.unwrap_or("val")
        ),
    }));
    beside.extend(maybe_images(top.files).into_iter().map(|file| Skipped {
        file: relative_name(path, &file),
        reason: "it lies beside the folders of the splits and is in none".into(),
    }));
    beside
}

impl Contents {
    /// Puts the classes of the training split in place of its own; pictures of others are left out. Splits that have no
    /// class in common (as those for learning from few examples) keep their own.
    fn take_classes(&mut self, classes: Vec<String>) {
        let place = |class: &String| classes.iter().position(|known| known == class).map(|at| at as u32);
        let places: Vec<Option<u32>> = self.classes.iter().map(place).collect();
        if places.iter().all(Option::is_none) {
            return;
        }
        let mut counts = vec![0_usize; places.len()];
        self.candidates.retain_mut(|candidate| {
            let Some(label) = candidate.label else { return true };
            counts[label as usize] += 1;
            candidate.label = places[label as usize];
            candidate.label.is_some()
        });
        for ((class, place), count) in self.classes.iter().zip(places).zip(counts) {
            if place.is_none() {
                self.skipped.push(Skipped {
                    file: class.clone(),
                    reason: format!(
                        "the training split has no class of this name; {} pictures are left out",
                        with_thousands(count as u64)
                    ),
                });
            }
        }
        self.classes = classes;
    }
}

/// Class folders are those with pictures at any depth. One alone beside loose pictures is no class, but belongs to a
/// plain folder.
fn contents_of(root: &Path) -> Result<Contents> {
    let top = list(root, root)?;
    let (mut skipped, mut empty, mut folders) = (top.others, Vec::new(), Vec::new());
    for folder in top.folders {
        let mut walk = Walk::new(root, &folder);
        let files = walk.by_ref().collect::<Result<Vec<_>>>()?;
        let mut files = maybe_images(files.concat());
        skipped.append(&mut walk.skipped);
        if files.is_empty() {
            empty.push(Skipped {
                file: relative_name(root, &folder),
                reason: "a class folder without pictures is no class".into(),
            });
        } else {
            files.sort_by(in_order);
            folders.push((folder, files));
        }
    }
    let loose = maybe_images(top.files);
    if is_plain(folders.len(), !loose.is_empty()) {
        let files = loose.into_iter().chain(folders.into_iter().flat_map(|(_, files)| files));
        let candidates = files.map(|path| Candidate { path, label: None }).collect();
        return Ok(Contents { classes: Vec::new(), candidates, skipped });
    }
    skipped.extend(empty);
    skipped.extend(loose.iter().map(|path| Skipped {
        file: relative_name(root, path),
        reason: "it lies beside the class folders and has no class".into(),
    }));
    let classes = folders.iter().map(|(folder, _)| class_name(folder)).collect();
    let mut candidates = Vec::new();
    for (label, (_, files)) in folders.into_iter().enumerate() {
        let label = Some(u32::try_from(label).context("too many classes")?);
        candidates.extend(files.into_iter().map(|path| Candidate { path, label }));
    }
    Ok(Contents { classes, candidates, skipped })
}

fn is_plain(folders: usize, has_loose: bool) -> bool {
    folders == 0 || (folders == 1 && has_loose)
}

/// The classes that [`contents_of`] finds, by a look at as few files as tell.
fn class_names(root: &Path) -> Result<Vec<String>> {
    let top = list(root, root)?;
    let holds = |folder: PathBuf| {
        for files in Walk::new(root, &folder) {
            if files?.iter().any(|file| is_maybe_image(file)) {
                return Ok(Some(folder));
            }
        }
        Ok(None)
    };
    let folders: Vec<Option<PathBuf>> = top.folders.into_par_iter().map(holds).collect::<Result<_>>()?;
    let folders: Vec<PathBuf> = folders.into_iter().flatten().collect();
    let has_loose = folders.len() == 1 && top.files.iter().any(|file| is_maybe_image(file));
    Ok(match is_plain(folders.len(), has_loose) {
        true => Vec::new(),
        false => folders.iter().map(|folder| class_name(folder)).collect(),
    })
}

fn class_name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files of a folder and of those below it, a folder at a time. Links are followed; no folder comes twice, which
/// also cuts loops.
struct Walk<'a> {
    root: &'a Path,
    real_root: PathBuf,
    waiting: Vec<PathBuf>,
    seen: HashSet<PathBuf>,
    /// Links that are not followed, and what is neither file nor folder.
    skipped: Vec<Skipped>,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Path, folder: &Path) -> Self {
        let real_root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
        Self { root, real_root, waiting: vec![folder.into()], seen: HashSet::new(), skipped: Vec::new() }
    }

    /// The files of a folder; none where it is left out.
    fn files_in(&mut self, folder: &Path) -> Result<Vec<PathBuf>> {
        let real = folder.canonicalize().map_err(Unread::of(folder))?;
        let reason = if self.real_root.starts_with(&real) {
            "a link back to a folder above it"
        } else if !self.seen.insert(real) {
            "a link to a folder that is read already"
        } else {
            let Listing { folders, files, others } = list(self.root, folder)?;
            self.skipped.extend(others);
            self.waiting.extend(folders.into_iter().rev());
            return Ok(files);
        };
        self.skipped.push(Skipped { file: relative_name(self.root, folder), reason: reason.into() });
        Ok(Vec::new())
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Vec<PathBuf>>;

    fn next(&mut self) -> Option<Self::Item> {
        let folder = self.waiting.pop()?;
        Some(self.files_in(&folder))
    }
}

/// What a listed folder holds, each sorted by the bytes of the name.
struct Listing {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    /// What is neither, and hidden files that are called like pictures.
    others: Vec<Skipped>,
}

/// What a folder holds.
///
/// # Errors
/// [`Unread`]: it, or what something in it is.
fn list(root: &Path, folder: &Path) -> Result<Listing> {
    let mut listing = Listing { folders: Vec::new(), files: Vec::new(), others: Vec::new() };
    for entry in std::fs::read_dir(folder).map_err(Unread::of(folder))? {
        let path = entry.map_err(Unread::of(folder))?.path();
        let is_hidden = name_bytes(&path).starts_with(b".");
        let skip = |reason: &str| Skipped { file: relative_name(root, &path), reason: reason.into() };
        // A link is followed; what is neither file nor folder (a pipe, a dead link) stays out.
        match std::fs::metadata(&path) {
            Ok(meta) if is_hidden => {
                if meta.is_file() && is_called_like_a_picture(&path) {
                    listing.others.push(skip("hidden: its name begins with a dot"));
                }
            }
            _ if is_hidden => {}
            Ok(meta) if meta.is_dir() => listing.folders.push(path),
            Ok(meta) if meta.is_file() => listing.files.push(path),
            Err(error) if !files::is_dead_link(&path, &error) => return Err(Unread { path, error }.into()),
            _ => listing.others.push(skip("neither a file nor a folder (a pipe, a link to nothing)")),
        }
    }
    listing.folders.sort_by(in_order);
    listing.files.sort_by(in_order);
    listing.others.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(listing)
}

/// First by the folder's path, then by the name, as bytes.
fn in_order(a: &impl AsRef<Path>, b: &impl AsRef<Path>) -> Ordering {
    fn folder(path: &Path) -> Option<&[u8]> {
        Some(path.parent()?.as_os_str().as_encoded_bytes())
    }
    let (a, b) = (a.as_ref(), b.as_ref());
    folder(a).cmp(&folder(b)).then_with(|| name_bytes(a).cmp(name_bytes(b)))
}

fn name_bytes(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_encoded_bytes()
}

/// Keeps what is called like a picture or begins like one.
fn maybe_images(files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.into_par_iter().filter(|path| is_maybe_image(path)).collect()
}

fn is_maybe_image(path: &Path) -> bool {
    is_called_like_a_picture(path) || decode::looks_like_image(path)
}

fn is_called_like_a_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or("").to_ascii_lowercase();
    PICTURE_ENDINGS.contains(&extension.as_str())
}

/// Path within `root`, with `/` on every system.
pub(super) fn relative_name(root: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(root).unwrap_or(path);
    inner.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
