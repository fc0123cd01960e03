//! Unpacks a CIFAR archive that nobody need trust: only the files that belong to the set,
//! in its one folder, and none larger than it can be.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use tar::EntryType;

use super::cifar::Variant;
use crate::files;
use crate::progress::CancelToken;

/// No archive that is fetched here is larger, bytes.
pub(super) const MAX_ARCHIVE_BYTES: u64 = 1 << 30;
/// No file of the sets is larger (the largest, CIFAR-100's train.bin, has 153,700,000 bytes).
const MAX_FILE_BYTES: u64 = 200_000_000;
/// Most entries that are looked at.
const MAX_ENTRIES: usize = 64;

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
    // The headers and padding of a tar are small against this.
    let bounded = GzDecoder::new(file).take(MAX_ENTRIES as u64 * MAX_FILE_BYTES);
    let mut tar = tar::Archive::new(bounded);
    let folder = out.join(variant.folder());
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    for (count, entry) in tar.entries().with_context(at)?.enumerate() {
        cancel.check()?;
        ensure!(count < MAX_ENTRIES, "{}: more than {MAX_ENTRIES} entries", at());
        let mut entry = entry.with_context(|| format!("{}: not a readable tar.gz archive", at()))?;
        if let Some(name) = checked_name(&entry, variant).with_context(at)? {
            write_file(&mut entry, &folder.join(name), cancel).with_context(at)?;
        }
    }
    Ok(())
}

/// The file name of an entry that may be unpacked; `None` for the folder itself and for comments.
fn checked_name<R: Read>(entry: &tar::Entry<'_, R>, variant: Variant) -> Result<Option<String>> {
    let path = entry.path().context("an entry has no readable name")?.into_owned();
    let shown = path.display();
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str().unwrap_or("?")),
            Component::CurDir => {}
            _ => {
                bail!("the archive has the entry {shown:?}, which leads out of its folder; nothing was kept")
            }
        }
    }
    let folder = variant.folder();
    match (entry.header().entry_type(), parts.as_slice()) {
        (EntryType::XGlobalHeader, _) => Ok(None),
        (EntryType::Directory, [] | [_]) if parts.iter().all(|part| *part == folder) => Ok(None),
        (EntryType::Regular, [first, name]) if *first == folder && is_expected(variant, name) => {
            let size = entry.size();
            ensure!(size <= MAX_FILE_BYTES, "{shown:?} has {size} bytes; expected at most {MAX_FILE_BYTES}");
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
