//! Where a copy of CIFAR lies, as people have it: the binary or the Python version, unpacked or as the archive that was
//! downloaded.
//!
//! An archive is not unpacked on the disk: the files of one split are read into memory (CIFAR-10's train split takes
//! 154 MB), each time that it is opened.

use std::collections::HashSet;
use std::io::{BufReader, Read, Seek};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;

use super::cifar_variant::Variant;
use crate::dataset::tar_entries::{self, TarEntry};
use crate::dataset::{NoSplit, Split};
use crate::files::{self, MappedFile};
use crate::memory;

/// No file of the sets is larger (the largest, CIFAR-100's training images, has 155 MB).
const MAX_FILE_BYTES: u64 = 200_000_000;
/// Most unpacked bytes of an archive; the sets have 186 MB.
const MAX_ARCHIVE_BYTES: u64 = 1 << 30;

/// How the images are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Records of labels and pixels.
    Binary,
    /// Pickles.
    Python,
}

impl Version {
    const ALL: [Self; 2] = [Self::Binary, Self::Python];

    /// The folder in the official archive.
    fn folder(self, variant: Variant) -> &'static str {
        match (self, variant) {
            (Version::Binary, _) => variant.folder(),
            (Version::Python, Variant::Cifar10) => "cifar-10-batches-py",
            (Version::Python, Variant::Cifar100) => "cifar-100-python",
        }
    }

    /// The file with the class names.
    fn names_file(self, variant: Variant) -> &'static str {
        match (self, variant) {
            (Version::Binary, Variant::Cifar10) => "batches.meta.txt",
            (Version::Binary, Variant::Cifar100) => "fine_label_names.txt",
            (Version::Python, Variant::Cifar10) => "batches.meta",
            (Version::Python, Variant::Cifar100) => "meta",
        }
    }

    /// Which split a file is of, and its place there.
    fn place_of(self, variant: Variant, name: &str) -> Option<(Split, u32)> {
        let stem = if self == Version::Binary { name.strip_suffix(".bin")? } else { name };
        match (variant, stem) {
            (Variant::Cifar10, "test_batch") | (Variant::Cifar100, "test") => Some((Split::Test, 0)),
            (Variant::Cifar100, "train") => Some((Split::Train, 0)),
            (Variant::Cifar10, _) => Some((Split::Train, stem.strip_prefix("data_batch_")?.parse().ok()?)),
            _ => None,
        }
    }

    /// The files that a split is published as, in order.
    pub fn files_of(self, variant: Variant, split: Split) -> Vec<String> {
        let stems = match (variant, split) {
            (_, Split::All) => {
                let of = |split| self.files_of(variant, split);
                return [of(Split::Train), of(Split::Test)].concat();
            }
            (Variant::Cifar10, Split::Train) => {
                (1..=5).map(|number| format!("data_batch_{number}")).collect()
            }
            (Variant::Cifar10, Split::Test) => vec!["test_batch".to_owned()],
            (Variant::Cifar100, split) => vec![split.name().to_owned()],
        };
        let ending = if self == Version::Binary { ".bin" } else { "" };
        stems.into_iter().map(|stem| stem + ending).collect()
    }

    /// What the files of a split are called.
    fn file_pattern(self, variant: Variant, split: Split) -> &'static str {
        match (self, variant, split) {
            (Version::Binary, Variant::Cifar10, Split::Train) => "data_batch_1.bin, data_batch_2.bin, ...",
            (Version::Binary, Variant::Cifar10, Split::Test) => "test_batch.bin",
            (Version::Binary, Variant::Cifar100, Split::Train) => "train.bin",
            (Version::Binary, Variant::Cifar100, Split::Test) => "test.bin",
            (Version::Binary, _, Split::All) => "*.bin",
            (Version::Python, Variant::Cifar10, Split::Train) => "data_batch_1, data_batch_2, ...",
            (Version::Python, Variant::Cifar10, Split::Test) => "test_batch",
            (Version::Python, Variant::Cifar100, Split::Train) => "train",
            (Version::Python, Variant::Cifar100, Split::Test) => "test",
            (Version::Python, _, Split::All) => "its batches",
        }
    }
}

/// The bytes of a file.
pub(super) enum Bytes {
    Mapped(MappedFile),
    Held(Vec<u8>),
}

impl Bytes {
    /// # Errors
    /// [`files::Shrunk`]: some of the first `end` bytes are not there.
    pub fn check_to(&self, end: usize) -> Result<()> {
        match self {
            Bytes::Mapped(map) => map.check_to(end),
            Bytes::Held(_) => Ok(()),
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Held(bytes) => bytes,
        }
    }
}

/// A file of the set.
pub(super) struct SetFile {
    /// Where it lies, for messages.
    pub path: PathBuf,
    pub bytes: Bytes,
}

impl SetFile {
    /// Its name, without the folder.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The files of a split, in order, and that with the class names.
pub(super) struct SplitFiles {
    pub split: Split,
    /// What they are called.
    pub pattern: &'static str,
    pub batches: Vec<SetFile>,
    pub names: Option<SetFile>,
}

/// A copy of one of the sets.
pub(super) struct CifarSource {
    pub variant: Variant,
    pub version: Version,
    /// A folder, or an archive.
    pub path: PathBuf,
    is_archive: bool,
}

impl CifarSource {
    /// The binaries in `folder`.
    pub fn binaries(folder: &Path, variant: Variant) -> Self {
        Self { variant, version: Version::Binary, path: folder.into(), is_archive: false }
    }

    /// The set in a folder or in its official sub-folder; of two versions the binary one. `None` if there is none.
    ///
    /// # Errors
    /// Both sets are there.
    pub fn in_folder(path: &Path) -> Result<Option<Self>> {
        let found_of = |variant: Variant| {
            let places = Version::ALL.into_iter().flat_map(|version| {
                [path.to_path_buf(), path.join(version.folder(variant))].map(|folder| (version, folder))
            });
            let mut places = places.filter(|(version, folder)| is_there(*version, variant, folder));
            places.next().map(|(version, path)| Self { variant, version, path, is_archive: false })
        };
        let mut found: Vec<Self> =
            [Variant::Cifar10, Variant::Cifar100].into_iter().filter_map(found_of).collect();
        if let [one, other] = &found[..] {
            let folder = |source: &Self| source.version.folder(source.variant);
            bail!(
                "{}: holds both CIFAR-10 and CIFAR-100; name one of the folders {} and {}",
                path.display(),
                folder(one),
                folder(other)
            );
        }
        Ok(found.pop())
    }

    /// The set in a tar archive, compressed by gzip or not. `None` if the file is no archive.
    ///
    /// # Errors
    /// An archive of something else.
    pub fn in_archive(path: &Path) -> Result<Option<Self>> {
        let at = || path.display().to_string();
        if archive_kind(path).with_context(at)?.is_none() {
            return Ok(None);
        }
        let mut found = None;
        let visit = |folder: &str, _: &str, _: &mut TarEntry<'_>| {
            let known = [Variant::Cifar10, Variant::Cifar100].into_iter();
            let mut known = known.flat_map(|variant| Version::ALL.map(|version| (variant, version)));
            found = known.find(|(variant, version)| version.folder(*variant) == folder);
            Ok(found.is_none())
        };
        let walked = walk_archive(path, visit);
        let Some((variant, version)) = found else {
            walked.with_context(|| format!("{}: an archive that cannot be read", at()))?;
            bail!(
                "{}: an archive without CIFAR; expected cifar-10-binary.tar.gz, cifar-10-python.tar.gz or those of \
                 CIFAR-100. Unpack any other and open its folder",
                at()
            );
        };
        Ok(Some(Self { variant, version, path: path.into(), is_archive: true }))
    }

    /// The files of a split. Without `split`: train, or test where only that is there.
    ///
    /// # Errors
    /// No file of the split; a file that is too large; a damaged archive.
    pub fn files(&self, split: Option<Split>) -> Result<SplitFiles> {
        let order = split.map_or(vec![Split::Train, Split::Test], |split| vec![split]);
        for &split in &order {
            let wanted = |name: &str| match self.version.place_of(self.variant, name) {
                Some((of, number)) => {
                    (split == Split::All || of == split).then_some((1, of == Split::Test, number))
                }
                None => (name == self.version.names_file(self.variant)).then_some((0, false, 0)),
            };
            let read = if self.is_archive { read_archive } else { read_folder };
            let mut found = read(self, &wanted)?;
            found.sort_by_key(|(place, _)| *place);
            let count = found.len();
            let mut files = found.into_iter().peekable();
            let names = files.next_if(|(place, _)| place.0 == 0).map(|(_, file)| file);
            if count > usize::from(names.is_some()) {
                let pattern = self.version.file_pattern(self.variant, split);
                let batches = files.map(|(_, file)| file).collect();
                return Ok(SplitFiles { split, pattern, batches, names });
            }
        }
        let pattern = |split: &Split| self.version.file_pattern(self.variant, *split);
        let expected = order.iter().map(pattern).collect::<Vec<_>>().join(" or ");
        let (at, name, title) = (self.path.display(), order[0].name(), self.variant.title());
        let words = format!("{at}: this {title} folder has no {name} split; expected {expected}");
        Err(NoSplit(words).into())
    }
}

/// Where a file belongs among those of its split: the class names first.
type FilePlace = (u8, bool, u32);
/// Which files are wanted.
type Wanted<'a> = &'a dyn Fn(&str) -> Option<FilePlace>;

/// Whether a folder holds files of a split. (Python's CIFAR-100 calls them `train` and `test`, as others do.)
fn is_there(version: Version, variant: Variant, folder: &Path) -> bool {
    let is_pickle = |path: &Path| {
        let mut first = [0];
        files::open(path, u64::MAX).is_ok_and(|mut file| file.read_exact(&mut first).is_ok())
            && first == [0x80]
    };
    let is_plain = version == Version::Python && variant == Variant::Cifar100;
    names_in(folder).unwrap_or_default().iter().any(|name| {
        let path = folder.join(name);
        version.place_of(variant, name).is_some() && path.is_file() && (!is_plain || is_pickle(&path))
    })
}

fn names_in(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
    Ok(entries.collect::<std::io::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn read_folder(source: &CifarSource, wanted: Wanted<'_>) -> Result<Vec<(FilePlace, SetFile)>> {
    let folder = &source.path;
    let mut found = Vec::new();
    for name in names_in(folder).with_context(|| folder.display().to_string())? {
        let path = folder.join(&name);
        if let Some(place) = wanted(&name).filter(|_| path.is_file()) {
            let bytes = map(&path).with_context(|| path.display().to_string())?;
            found.push((place, SetFile { path, bytes }));
        }
    }
    Ok(found)
}

fn map(path: &Path) -> Result<Bytes> {
    let length = std::fs::metadata(path)?.len();
    Ok(if length == 0 { Bytes::Held(Vec::new()) } else { Bytes::Mapped(MappedFile::open(path, length)?) })
}

fn read_archive(source: &CifarSource, wanted: Wanted<'_>) -> Result<Vec<(FilePlace, SetFile)>> {
    let at = || source.path.display().to_string();
    let (mut found, mut names) = (Vec::new(), HashSet::new());
    let folder = source.version.folder(source.variant);
    let (budget, mut kept) = (memory::budget(), 0u64);
    let visit = |of: &str, name: &str, entry: &mut TarEntry<'_>| {
        if let Some(place) = wanted(name).filter(|_| of == folder) {
            ensure!(names.insert(name.to_owned()), "{folder}/{name} comes twice");
            kept = kept.saturating_add(entry.size);
            budget.ensure(
                budget.bank(),
                kept,
                || "the unpacked archive".into(),
                "unpack it and name its folder",
            )?;
            let mut bytes = Vec::new();
            let count = entry.bytes.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
            let count =
                count.with_context(|| format!("{folder}/{name}: the archive is damaged or ends early"))?;
            ensure!(
                count as u64 <= MAX_FILE_BYTES,
                "{folder}/{name} has more than {MAX_FILE_BYTES} bytes; no file of CIFAR has"
            );
            let path = source.path.join(folder).join(name);
            found.push((place, SetFile { path, bytes: Bytes::Held(bytes) }));
        }
        Ok(true)
    };
    walk_archive(&source.path, visit).with_context(at)?;
    Ok(found)
}

/// Whether a file is a tar archive (`Some(false)`), one in gzip (`Some(true)`), or neither.
fn archive_kind(path: &Path) -> Result<Option<bool>> {
    let mut start = Vec::new();
    files::open(path, u64::MAX)?.take(262).read_to_end(&mut start)?;
    Ok(match &start[..] {
        [0x1f, 0x8b, ..] => Some(true),
        start => (start.get(257..) == Some(b"ustar")).then_some(false),
    })
}

/// Calls `visit` with the folder, name and contents of each file of an archive, until it returns `false`.
fn walk_archive(
    path: &Path,
    mut visit: impl FnMut(&str, &str, &mut TarEntry<'_>) -> Result<bool>,
) -> Result<()> {
    let is_compressed = archive_kind(path)?.context("no tar archive")?;
    let mut file = BufReader::new(files::open(path, u64::MAX)?);
    file.rewind()?;
    let reader: Box<dyn Read> = if is_compressed { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    let mut visit = |mut entry: TarEntry<'_>| {
        let name = |path: Option<&Path>| Some(path?.file_name()?.to_str()?.to_owned());
        let names = (name(entry.path.parent()), name(Some(&entry.path)));
        let (Some(folder), Some(file)) = names else { return Ok(true) };
        Ok(!entry.kind.is_file() || visit(&folder, &file, &mut entry)?)
    };
    tar_entries::walk(reader.take(MAX_ARCHIVE_BYTES), &mut visit)
}
