//! Folders as Hugging Face keeps them: a configuration beside weights, in one file or in shards with an index; also
//! the folder of a repository in its cache, and any folder with one file of weights in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::foreign_file::{self, FileContent};
use super::neighbours::{self, CONFIG, PREPROCESSOR};
use super::{folder, pytorch, safetensors};
use crate::files;
use crate::model::encoder::{Encoder, ModelInfo};
use crate::model::foreign;
use crate::model::format::ModelFormat;
use crate::model::loose::LooseArrays;
use crate::words::name_list;

/// Where weights are, those that load best first.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];
/// What an index adds to the name of what it divides.
const INDEX: &str = ".index.json";
/// Where a repository in the cache keeps its versions.
const SNAPSHOTS: &str = "snapshots";
/// What a program that trains keeps beside the weights, by the beginning of its name.
const BESIDE: [&str; 5] = ["optimizer", "scheduler", "training_args", "rng_state", "scaler"];
/// Most files of a folder that is taken for a model because one of them is.
const FEW: usize = 16;

/// A folder of Hugging Face.
pub static FORMAT: ModelFormat = ModelFormat {
    about: "a folder of Hugging Face (config.json)",
    endings: &[],
    recognise: |path| place(path).is_some(),
    is_likely: |path| {
        let is_small = || std::fs::read_dir(path).is_ok_and(|all| all.take(FEW + 1).count() <= FEW);
        let is_folder = |place: &Path| place.join(CONFIG).is_file() || is_small();
        place(path).is_some_and(|place| place != path || path.is_file() || is_folder(&place))
    },
    read: |path, device, name, overrides| {
        let open = || {
            let place = place(path).context("it has no weights")?;
            let (folder, files) = weight_files(&place)?;
            if let ([file], false) = (files.as_slice(), folder.join(CONFIG).is_file()) {
                let of_pytorch = pytorch::is_checkpoint(&files::first_bytes(file));
                let format = if of_pytorch { &pytorch::FORMAT } else { &safetensors::FORMAT };
                return (format.read)(file, device, name, overrides);
            }
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

/// Writes a folder that transformers loads, its files each atomically, and the one by which it is known last.
///
/// # Errors
/// What transformers has no network for, in words; of writing.
pub fn save(folder: &Path, encoder: &Encoder, info: &ModelInfo) -> Result<()> {
    let layout = foreign::hub_layout(encoder, info)?;
    let words = BTreeMap::from([("format".to_string(), "pt".to_string())]);
    let write = |name: &str, bytes: Vec<u8>| files::write_bytes_atomic(&folder.join(name), &bytes);
    write(WEIGHTS[0], safetensors::serialize(&layout.weights, words)?)?;
    write(PREPROCESSOR, serde_json::to_vec_pretty(&layout.preprocessor)?)?;
    write(CONFIG, serde_json::to_vec_pretty(&layout.config)?)
}

fn arrays_of(bytes: &[u8]) -> Result<LooseArrays<'_>> {
    if pytorch::is_checkpoint(bytes) {
        Ok(pytorch::content(bytes)?.arrays)
    } else {
        safetensors::arrays(bytes)
    }
}

/// Where the weights are that `path` means: a folder, or the index of shards.
fn place(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return index(path);
    }
    if !path.is_dir() || path.join(CONFIG).is_file() {
        return path.is_dir().then(|| path.into());
    }
    // A folder of ours.
    if (folder::FORMAT.is_likely)(path) || path.join(folder::MODEL_FILE).is_file() {
        return None;
    }
    snapshot(path).or_else(|| (!candidates(path).is_empty()).then(|| path.into()))
}

/// The index that `path` is, or that it is a shard of.
fn index(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    if name.ends_with(INDEX) {
        return Some(path.into());
    }
    // `model-00001-of-00002.safetensors` is of `model.safetensors.index.json`.
    let (stem, ending) = name.rsplit_once('.')?;
    let [_, "of", _, whole] = stem.rsplitn(4, '-').collect::<Vec<_>>()[..] else { return None };
    Some(path.with_file_name(format!("{whole}.{ending}{INDEX}"))).filter(|index| index.is_file())
}

/// In the cache, of a repository's versions with weights the one that is its main, else the newest.
fn snapshot(path: &Path) -> Option<PathBuf> {
    let is_within = path.file_name().is_some_and(|name| name == SNAPSHOTS);
    let all = if is_within { path.into() } else { path.join(SNAPSHOTS) };
    let found: Vec<PathBuf> =
        std::fs::read_dir(&all).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let has_weights = |path: &&PathBuf| {
        WEIGHTS.iter().any(|name| path.join(name).is_file()) || !candidates(path).is_empty()
    };
    let main = files::read_to_string(&all.with_file_name("refs").join("main"), files::MOST_WORDS);
    let main = main.ok().map(|name| all.join(name.trim()));
    let made = |path: &PathBuf| path.metadata().and_then(|meta| meta.modified()).ok();
    let whole: Vec<&PathBuf> = found.iter().filter(has_weights).collect();
    let best = whole.iter().find(|path| Some(**path) == main.as_ref()).copied();
    let best = best.or_else(|| whole.into_iter().max_by_key(|path| (made(path), path.file_name())));
    // One without weights says what it lacks.
    best.or_else(|| found.iter().find(|path| path.join(CONFIG).is_file())).cloned()
}

/// Files of a folder that are weights by what is in them.
fn candidates(folder: &Path) -> Vec<PathBuf> {
    let endings = [pytorch::FORMAT.endings, safetensors::FORMAT.endings].concat();
    let all =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let may_be = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        endings.contains(&ending.as_str()) && !BESIDE.iter().any(|part| name.starts_with(part))
    };
    let is_weights = |path: &PathBuf| {
        let bytes = files::first_bytes(path);
        pytorch::is_checkpoint(&bytes) || safetensors::is_header(&bytes)
    };
    let mut found: Vec<PathBuf> =
        all.filter(may_be).filter(|path| path.is_file() && is_weights(path)).collect();
    found.sort();
    found
}

/// The folder and files of the weights at `place`.
fn weight_files(place: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    if place.is_file() {
        return shards(place);
    }
    let folder = place.to_path_buf();
    if let Some(found) = WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.is_file()) {
        return if found.extension().is_some_and(|ending| ending == "json") {
            shards(&found)
        } else {
            Ok((folder, vec![found]))
        };
    }
    let found = candidates(&folder);
    let safe: Vec<&PathBuf> = found.iter().filter(|path| (safetensors::FORMAT.is_likely)(path)).collect();
    match (found.as_slice(), safe.as_slice()) {
        ([one], _) => Ok((folder, vec![one.clone()])),
        // The same twice, as Hugging Face has it.
        (_, [one]) => Ok((folder, vec![(*one).clone()])),
        ([], _) => bail!("it has no weights: expected one of {}", WEIGHTS.join(", ")),
        _ => {
            let names = found.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy());
            bail!(
                "more than one file in it may be meant: name one of {}",
                name_list(&names.collect::<Vec<_>>())
            )
        }
    }
}

/// The folder of an index, and the files that it names.
fn shards(index: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    let folder = index.parent().unwrap_or(Path::new(""));
    let read = neighbours::read(index)?;
    let names: BTreeSet<&str> =
        read["weight_map"].as_object().into_iter().flatten().filter_map(|(_, file)| file.as_str()).collect();
    ensure!(!names.is_empty(), "{} names no files of weights", index.display());
    let is_plain = |name: &&str| Path::new(name).components().count() == 1 && !name.contains("..");
    ensure!(names.iter().all(is_plain), "{} names files outside of its folder", index.display());
    Ok((folder.into(), names.into_iter().map(|name| folder.join(name)).collect()))
}
