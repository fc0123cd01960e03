//! Reading files that may be anything.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// Reads a whole file of at most `limit` bytes.
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let size = fs::metadata(path).with_context(|| format!("cannot open {}", path.display()))?.len();
    ensure!(size <= limit, "{} has {size} bytes; expected at most {limit}", path.display());
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
