//! Unpacks a CIFAR archive that nobody need trust: only the files that belong to the set,
//! in its one folder, and none larger than it can be.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use tar::EntryType;

use super::cifar::Variant;
use super::tar_entries::{self, TarEntry};
use crate::files;
use crate::progress::CancelToken;

/// No archive that is fetched here is larger, bytes.
pub(super) const MAX_ARCHIVE_BYTES: u64 = 1 << 30;
/// No file of images of the sets is larger (the largest, CIFAR-100's train.bin, has 153,700,000 bytes).
const MAX_FILE_BYTES: u64 = 200_000_000;
/// No file of names or words of the sets is larger.
const MAX_WORDS_BYTES: u64 = 1 << 20;
/// No archive unpacks to more; the sets have 186 MB.
const MAX_UNPACKED_BYTES: u64 = 1 << 30;

/// The files of the official archives.
fn is_expected(variant: Variant, name: &str) -> bool {
    match variant {
        Variant::Cifar10 => matches!(
            name,
            "data_batch_1.bin"
                | "data_batch_2.bin"
                | "data_batch_3.bin"
                | "data_batch_4.bin"
                | "data_batch_5.bin"
                | "test_batch.bin"
                | "batches.meta.txt"
                | "readme.html"
        ),
        Variant::Cifar100 => {
            matches!(name, "train.bin" | "test.bin" | "fine_label_names.txt" | "coarse_label_names.txt")
        }
    }
}

/// Unpacks `archive` (tar.gz) to `out/<the set's folder>/`.
///
/// # Errors
/// Anything but regular files with the expected names in the expected folder (links, absolute
/// paths, `..`), a name that comes twice, a file that is too large, broken compression.
pub(super) fn unpack(archive: &Path, variant: Variant, out: &Path, cancel: &CancelToken) -> Result<()> {
    let at = || archive.display().to_string();
    let file = BufReader::new(files::open(archive, MAX_ARCHIVE_BYTES).with_context(at)?);
    let bounded = GzDecoder::new(file).take(MAX_UNPACKED_BYTES);
    let folder = out.join(variant.folder());
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut visit = |entry: TarEntry<'_>| {
        cancel.check()?;
        if let Some(name) = checked_name(&entry, variant)? {
            write_file(entry.bytes, &folder.join(name), cancel)?;
        }
        Ok(true)
    };
    tar_entries::walk(bounded, &mut visit).with_context(at)
}

/// The file name of an entry that may be unpacked; `None` for the folder itself.
fn checked_name(entry: &TarEntry<'_>, variant: Variant) -> Result<Option<String>> {
    let (shown, size) = (entry.path.display(), entry.size);
    let mut parts = Vec::new();
    for part in entry.path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str().unwrap_or("?")),
            Component::CurDir => {}
            _ => {
                bail!("the archive has the entry {shown:?}, which leads out of its folder; nothing was kept")
            }
        }
    }
    let folder = variant.folder();
    match (entry.kind, parts.as_slice()) {
        (EntryType::Directory, [] | [_]) if parts.iter().all(|part| *part == folder) => Ok(None),
        (EntryType::Regular, [first, name]) if *first == folder && is_expected(variant, name) => {
            let most = if name.ends_with(".bin") { MAX_FILE_BYTES } else { MAX_WORDS_BYTES };
            ensure!(size <= most, "{shown:?} has {size} bytes; expected at most {most}");
            Ok(Some(name.to_string()))
        }
        (kind, _) => bail!(
            "the archive has the unexpected entry {shown:?} ({kind:?}); expected only the files of {} in {folder}/; \
             nothing was kept",
            variant.title()
        ),
    }
}

fn write_file(entry: &mut dyn Read, path: &Path, cancel: &CancelToken) -> Result<()> {
    let at = || path.display().to_string();
    let mut file = File::create_new(path).with_context(|| format!("{} comes twice", at()))?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        cancel.check()?;
        let count =
            entry.read(&mut buffer).context("the archive's compression is broken, or it ends early")?;
        if count == 0 {
            break;
        }
        file.write_all(&buffer[..count]).with_context(at)?;
    }
    file.sync_all().with_context(at)
}
