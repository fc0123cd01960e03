//! Images by what a table calls them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::bank::{PatchTable, TableImage};
use crate::dataset::{DataSpec, Dataset, Split};
use crate::words::{name_list, thousands};

/// The split that a table is of: both where it names both.
pub fn split_of(images: &[TableImage]) -> anyhow::Result<Option<Split>> {
    let mut found: Option<Split> = None;
    for image in images {
        let Some(text) = &image.split else { continue };
        let split = [Split::Train, Split::Test].into_iter().find(|split| split.name() == text);
        let split = split.with_context(|| {
            format!("row {}: the split is {text:?}; expected train or test, or --split", image.first_row)
        })?;
        found = Some(if found.is_none_or(|before| before == split) { split } else { Split::All });
    }
    Ok(found)
}

/// The folder below which all images of a table lie, or that of the data set whose `split` they are; paths in it are from
/// the table's folder on.
pub fn common_folder(table: &PatchTable, path: &Path, split: Option<Split>) -> anyhow::Result<PathBuf> {
    let base = path.parent().unwrap_or(Path::new(""));
    let leads_up = |image: &TableImage| Path::new(&image.path).components().any(|part| part == UP);
    // What `..` leads to is told by words, so links come first.
    let base = if table.images.iter().any(leads_up) { real(base) } else { base.to_path_buf() };
    let mut common: Option<PathBuf> = None;
    for image in &table.images {
        ensure!(
            !image.path.is_empty(),
            "row {} names its image by number alone: --data says of which data set",
            image.first_row
        );
        let file = without_ups(&base.join(&image.path));
        let folder = file.parent().unwrap_or(&base).to_path_buf();
        common = Some(match common {
            None => folder,
            Some(before) => before
                .components()
                .zip(folder.components())
                .take_while(|(a, b)| a == b)
                .map(|(a, _)| a)
                .collect(),
        });
    }
    let common = above_split(&common.unwrap_or_default(), split);
    Ok(if common.as_os_str().is_empty() { PathBuf::from(".") } else { common })
}

/// The folder in which that of `split` lies, if `folder` is that or lies in it; else `folder`.
fn above_split(folder: &Path, split: Option<Split>) -> PathBuf {
    let names: &[&str] = match split {
        Some(Split::Train) => &["train"],
        Some(Split::Test) => &["val", "test"],
        Some(Split::All) | None => &[],
    };
    let is_of_split = |above: &&Path| {
        let name = above.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| names.contains(&name))
    };
    folder.ancestors().find(is_of_split).and_then(Path::parent).unwrap_or(folder).to_path_buf()
}

/// The folder above.
const UP: Component<'static> = Component::ParentDir;

/// The same path without `..` after a name, by its words.
fn without_ups(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == UP && matches!(plain.components().next_back(), Some(Component::Normal(_))) {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

/// An empty path is the folder that one is in.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// The path from the root on.
fn absolute(path: &Path) -> PathBuf {
    without_ups(&std::path::absolute(or_here(path)).unwrap_or_else(|_| path.to_path_buf()))
}

/// Where a path leads, links followed.
fn real(path: &Path) -> PathBuf {
    or_here(path).canonicalize().unwrap_or_else(|_| absolute(path))
}

/// Where the paths of a table may lead.
struct TablePaths {
    /// Folder of the data set, and of the table: as they are called, and with links followed.
    folders: Vec<(PathBuf, PathBuf)>,
    /// What the folder of a test split is called.
    test: &'static str,
}

impl TablePaths {
    fn of(spec: &DataSpec, table: &Path) -> Self {
        let base = table.parent().unwrap_or(Path::new(""));
        let (folders, test) = match spec.path() {
            Some(folder) => (
                vec![(absolute(folder), absolute(base)), (real(folder), real(base))],
                if folder.join("val").is_dir() { "val" } else { "test" },
            ),
            None => (vec![], "test"),
        };
        Self { folders, test }
    }

    /// The image at `path` as paths within the data set's folder: from the root, from the table's folder or from there on.
    fn inner(&self, path: &str) -> Vec<String> {
        let below = |(folder, base): &(PathBuf, PathBuf)| {
            let file = without_ups(&base.join(path));
            Some(file.strip_prefix(folder).ok()?.to_str()?.to_owned())
        };
        self.folders.iter().filter_map(below).chain([path.to_owned()]).collect()
    }

    /// The split in whose folder a path within the data set's lies, and what it is there.
    fn in_split<'p>(&self, inner: &'p str) -> Option<(Split, &'p str)> {
        let (folder, rest) = inner.split_once('/')?;
        match folder {
            "train" => Some((Split::Train, rest)),
            folder if folder == self.test => Some((Split::Test, rest)),
            _ => None,
        }
    }
}

/// What finds an image of the data set by what a table calls it.
pub struct ImageNames<'a> {
    data: &'a dyn Dataset,
    paths: TablePaths,
    /// By name; `None` where several are called so.
    indices: HashMap<String, Option<u32>>,
}

impl<'a> ImageNames<'a> {
    pub fn of(data: &'a dyn Dataset, spec: &DataSpec, table: &Path) -> Self {
        let mut indices: HashMap<String, Option<u32>> = HashMap::new();
        for index in 0..data.len() {
            match indices.entry(data.image_name(index)) {
                Entry::Vacant(free) => _ = free.insert(Some(index as u32)),
                Entry::Occupied(mut taken) => _ = taken.insert(None),
            }
        }
        Self { data, paths: TablePaths::of(spec, table), indices }
    }

    /// Index in the data set of each image of `table`.
    pub fn indices(&self, table: &PatchTable) -> anyhow::Result<Vec<u32>> {
        table.images.iter().map(|image| self.index(image)).collect()
    }

    /// The split in whose folder the images of `table` lie by their paths: both where they lie in both.
    pub fn split(&self, table: &PatchTable) -> Option<Split> {
        let split = |inner: &String| self.paths.in_split(inner).map(|(split, _)| split);
        let of = |image: &TableImage| self.paths.inner(&image.path).iter().find_map(split);
        let mut splits = table.images.iter().filter_map(of);
        let first = splits.next()?;
        Some(if splits.all(|split| split == first) { first } else { Split::All })
    }

    /// What the data set calls the image at a path within its folder, which has that of its split in front.
    fn name_in_split(&self, inner: &str) -> Option<String> {
        let (split, rest) = self.paths.in_split(inner)?;
        match self.data.split()? {
            Split::All if rest.starts_with(split.name()) => Some(rest.to_owned()),
            Split::All => Some(format!("{} {rest}", split.name())),
            own => (own == split).then(|| rest.to_owned()),
        }
    }

    /// What is called `path`, or lies there.
    fn find(&self, path: &str) -> Option<&Option<u32>> {
        let at_path = || {
            let inner = self.paths.inner(path);
            let by_split = inner.iter().filter_map(|inner| self.name_in_split(inner));
            let names: Vec<String> = inner.iter().cloned().chain(by_split).collect();
            names.iter().find_map(|name| self.indices.get(name))
        };
        self.indices.get(path).or_else(at_path)
    }

    fn index(&self, image: &TableImage) -> anyhow::Result<u32> {
        let TableImage { path, index, first_row, .. } = image;
        let (count, name) = (self.data.len(), self.data.name());
        if let Some(index) = index {
            ensure!(
                (*index as usize) < count,
                "row {first_row} is of image {index}; {name} has {count}, 0 to {}",
                count - 1
            );
            let called = self.data.image_name(*index as usize);
            ensure!(
                path.is_empty() || *path == called,
                "row {first_row} calls image {index} {path:?}; in {name} it is {called:?}"
            );
            return Ok(*index);
        }
        match self.find(path) {
            Some(Some(index)) => Ok(*index),
            Some(None) => bail!(
                "row {first_row}: several images of {name} are called {path:?}; a column image with their numbers tells \
                 them apart"
            ),
            None => {
                let some: Vec<String> = (0..count.min(3)).map(|index| self.data.image_name(index)).collect();
                let some: Vec<&str> = some.iter().map(String::as_str).collect();
                bail!(
                    "row {first_row}: {name} has no image {path:?}; it has {} images, such as {} (--data names another \
                     data set)",
                    thousands(count),
                    name_list(&some)
                )
            }
        }
    }
}
