//! Questions about files where the engine is: what a window on another machine cannot see.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::paths;

/// Names of a folder that are listed at most.
const MOST_LISTED: usize = 500;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileQuestion {
    /// Whether something stands there.
    Exists(#[serde(with = "paths")] PathBuf),
    /// Which of these, as [`paths::to_words`] writes them, do not exist.
    Gone(Vec<String>),
    /// The first of `base-1`, `base-2`, ... that does not exist, to train into.
    FreeFolder(#[serde(with = "paths")] PathBuf),
    /// The same for the results of an evaluation.
    FreeResults(#[serde(with = "paths")] PathBuf),
    /// What a folder holds, or the folder of a file.
    List(#[serde(with = "paths")] PathBuf),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileAnswer {
    /// Whether something stands at `path`.
    Exists {
        /// What was asked about.
        #[serde(with = "paths")]
        path: PathBuf,
        /// Whether it is there.
        exists: bool,
    },
    /// Paths, as [`paths::to_words`] writes them, that do not exist.
    Gone(Vec<String>),
    /// A folder that does not exist yet.
    FreeFolder(#[serde(with = "paths")] PathBuf),
    /// The same for the results of an evaluation.
    FreeResults(#[serde(with = "paths")] PathBuf),
    /// What a folder holds.
    Listed(FolderListing),
}

/// What a folder holds, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderListing {
    /// The folder, from the root on.
    #[serde(with = "paths")]
    pub folder: PathBuf,
    /// Folders first.
    pub entries: Vec<FolderEntry>,
    /// How many more there are.
    pub more: usize,
    /// Why it cannot be listed, if it cannot.
    pub error: Option<String>,
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FolderEntry {
    /// Whether it is no folder.
    pub is_file: bool,
    /// The name, as [`paths::to_words`] writes it.
    pub name: String,
}

impl FileQuestion {
    /// The answer here. Looks at the disk.
    pub fn answer(self) -> FileAnswer {
        match self {
            Self::Exists(path) => FileAnswer::Exists { exists: home(&path).exists(), path },
            Self::Gone(paths) => {
                let is_gone = |path: &String| !home(&paths::from_words(path)).exists();
                FileAnswer::Gone(paths.into_iter().filter(is_gone).collect())
            }
            Self::FreeFolder(base) => FileAnswer::FreeFolder(free_folder(base)),
            Self::FreeResults(base) => FileAnswer::FreeResults(free_folder(base)),
            Self::List(path) => FileAnswer::Listed(listing(&home(&path))),
        }
    }
}

/// `path` with `~` as the home folder here.
fn home(path: &Path) -> PathBuf {
    path.to_str().map_or_else(|| path.to_owned(), paths::typed)
}

/// The first of `base-1`, `base-2`, ... that does not exist.
fn free_folder(base: PathBuf) -> PathBuf {
    let numbered = |number: u32| {
        let mut name = base.clone().into_os_string();
        name.push(format!("-{number}"));
        PathBuf::from(name)
    };
    let mut all = (1..10_000).map(numbered);
    all.find(|path| !path.exists()).unwrap_or(base)
}

fn listing(path: &Path) -> FolderListing {
    let path = std::path::absolute(if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let path = path.unwrap_or_default();
    let folder = match path.parent() {
        Some(parent) if !path.is_dir() => parent.to_owned(),
        _ => path,
    };
    let found = fs::read_dir(&folder).map(|found| found.flatten().map(entry).collect::<Vec<FolderEntry>>());
    let (mut entries, error) = match found {
        Ok(entries) => (entries, None),
        Err(error) => (vec![], Some(error.to_string())),
    };
    entries.retain(|entry| !entry.name.starts_with('.'));
    entries.sort();
    let more = entries.len().saturating_sub(MOST_LISTED);
    entries.truncate(MOST_LISTED);
    FolderListing { folder, entries, more, error }
}

fn entry(found: fs::DirEntry) -> FolderEntry {
    let name = paths::to_words(Path::new(&found.file_name()));
    FolderEntry { is_file: !found.path().is_dir(), name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_listed_with_folders_first_and_a_file_by_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("set");
        fs::create_dir(&inner).unwrap();
        fs::write(folder.path().join("a.png"), "").unwrap();
        fs::write(folder.path().join(".hidden"), "").unwrap();
        let list = |path: PathBuf| match FileQuestion::List(path).answer() {
            FileAnswer::Listed(listing) => listing,
            other => panic!("{other:?}"),
        };
        let names = |listing: &FolderListing| {
            listing.entries.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>()
        };
        let found = list(folder.path().to_owned());
        assert_eq!(names(&found), ["set", "a.png"]);
        assert_eq!(list(folder.path().join("a.png")), found);
        assert!(list(inner.join("gone").join("too")).error.is_some());
        let free = FileQuestion::FreeFolder(inner.clone()).answer();
        assert_eq!(free, FileAnswer::FreeFolder(folder.path().join("set-1")));
        let asked = vec![paths::to_words(&inner), "/nothing/here".to_owned()];
        assert_eq!(FileQuestion::Gone(asked).answer(), FileAnswer::Gone(vec!["/nothing/here".into()]));
    }
}
