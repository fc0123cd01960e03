//! Folders as Hugging Face keeps them: a configuration beside weights, in one file or in shards with an index; also
//! the folder of a repository in its cache.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::foreign_file::{self, FileContent};
use super::neighbours::{self, CONFIG, json};
use super::{pytorch, safetensors};
use crate::files;
use crate::model::format::ModelFormat;
use crate::model::loose::LooseArrays;

/// Where weights are, those that load best first.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// A folder of Hugging Face.
pub static FORMAT: ModelFormat = ModelFormat {
    about: "a folder of Hugging Face (config.json)",
    endings: &[],
    recognise: |path| path.is_dir() && snapshot(path).is_some(),
    is_likely: |path| path.is_dir() && snapshot(path).is_some(),
    read: |path, device, name, overrides| {
        let open = || {
            let folder = snapshot(path).context("it has no config.json")?;
            let files = weight_files(&folder)?;
            let read = |file: &PathBuf| {
                files::read(file, files::MOST_WEIGHTS)
                    .with_context(|| format!("could not read {}", file.display()))
            };
            let bytes = files.iter().map(read).collect::<Result<Vec<_>>>()?;
            let mut arrays = LooseArrays::new();
            for (file, bytes) in files.iter().zip(&bytes) {
                let words = || file.display().to_string();
                arrays.extend(arrays_of(bytes).with_context(words)?);
            }
            let hints = neighbours::of_folder(&folder)?;
            let all: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
            foreign_file::open(
                &all,
                FileContent { format: "a folder of Hugging Face", arrays, hints },
                device,
                name,
                overrides,
            )
        };
        open().with_context(|| format!("{} is no usable model", path.display()))
    },
};

fn arrays_of(bytes: &[u8]) -> Result<LooseArrays<'_>> {
    if pytorch::is_checkpoint(bytes) {
        Ok(pytorch::content(bytes)?.arrays)
    } else {
        safetensors::arrays(bytes)
    }
}

/// The folder itself, or in the cache the newest snapshot of the repository that it is of.
fn snapshot(path: &Path) -> Option<PathBuf> {
    if path.join(CONFIG).is_file() {
        return Some(path.into());
    }
    let all = std::fs::read_dir(path.join("snapshots")).ok()?.filter_map(Result::ok);
    let made = |entry: &std::fs::DirEntry| entry.metadata().and_then(|meta| meta.modified()).ok();
    let whole = all.filter(|entry| entry.path().join(CONFIG).is_file());
    whole.max_by_key(|entry| (made(entry), entry.file_name())).map(|entry| entry.path())
}

fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let found = WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let found =
        found.with_context(|| format!("it has no weights: expected one of {}", WEIGHTS.join(", ")))?;
    if found.extension().is_none_or(|ending| ending != "json") {
        return Ok(vec![found]);
    }
    let index = json(&found)?;
    let names: BTreeSet<&str> =
        index["weight_map"].as_object().into_iter().flatten().filter_map(|(_, file)| file.as_str()).collect();
    ensure!(!names.is_empty(), "{} names no files of weights", found.display());
    let is_plain = |name: &&str| Path::new(name).components().count() == 1 && !name.contains("..");
    ensure!(names.iter().all(is_plain), "{} names files outside of its folder", found.display());
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}
