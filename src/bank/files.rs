//! Small helpers for files that must be whole or absent.

use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes `path` through a temporary file beside it: flush, sync, rename. A kill at any
/// moment leaves the old file or the new one, and at worst a leftover `.NAME.tmp-PID`.
pub(super) fn write_atomic(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let name = path.file_name().with_context(|| format!("{} is not the path of a file", path.display()))?;
    let prefix = temporary_prefix(&name.to_string_lossy());
    let temporary = path.with_file_name(format!("{prefix}{}", std::process::id()));
    let written = fill_and_sync(&temporary, fill)
        .and_then(|()| fs::rename(&temporary, path).map_err(anyhow::Error::from))
        .and_then(|()| sync_folder(&folder_of(path)));
    if written.is_err() {
        // Best effort: the error that is returned says more than one about this leftover would.
        let _ = fs::remove_file(&temporary);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// How the temporary files of `name` begin.
pub(super) fn temporary_prefix(name: &str) -> String {
    format!(".{name}.tmp-")
}

fn fill_and_sync(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(path)?);
    fill(&mut writer)?;
    writer.flush()?;
    writer.get_ref().sync_all()?;
    Ok(())
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename in `folder` last through a power cut, where the system has a way to say so.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Reads a whole file of at most `limit` bytes.
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let size = fs::metadata(path).with_context(|| format!("cannot open {}", path.display()))?.len();
    ensure!(size <= limit, "{} has {size} bytes; expected at most {limit}", path.display());
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
