//! What is kept of what was embedded.

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use crate::bank::{CacheUse, VectorCache};

/// `bagssl bank cache`.
#[derive(Clone, Debug, Serialize)]
pub struct CacheReport {
    /// Where it lies.
    pub folder: PathBuf,
    /// Banks, and bytes of the disk.
    #[serde(flatten)]
    pub usage: CacheUse,
    /// Bytes that it may take.
    pub most_bytes: u64,
    /// Bytes that were removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_bytes: Option<u64>,
}

/// What is kept; where `clear`, what was, and is no more.
///
/// # Errors
/// No home folder is known.
pub fn cache(cache: Option<VectorCache>, clear: bool) -> anyhow::Result<CacheReport> {
    let cache = cache.context("no home folder is known, so nothing is kept")?;
    let before = cache.usage();
    let usage = if clear { cache.clear() } else { before };
    let removed_bytes = clear.then(|| before.bytes.saturating_sub(usage.bytes));
    Ok(CacheReport { folder: cache.folder().into(), usage, most_bytes: cache.most_bytes(), removed_bytes })
}
