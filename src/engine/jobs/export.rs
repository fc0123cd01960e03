//! The rows of a bank for other tools.

use std::path::{Path, PathBuf};

use anyhow::bail;
use serde::Serialize;

use crate::bank::{self, Exported, IndexFormat, VectorFormat, open_bank};
use crate::paths;
use crate::progress::CancelToken;

/// `bagssl bank export`.
pub struct ExportRequest {
    /// The bank's folder.
    pub bank: PathBuf,
    /// Name of the space.
    pub space: String,
    /// Vectors go here: `.npy`, `.safetensors` or `.parquet`.
    pub out: PathBuf,
    /// What each row is of goes here: `.csv` or `.parquet`.
    pub index: Option<PathBuf>,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct ExportReport {
    /// The vectors.
    #[serde(serialize_with = "paths::serialize")]
    pub out: PathBuf,
    /// What each of them is of.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "paths::serialize_some")]
    pub index: Option<PathBuf>,
    /// Name of the space.
    pub space: String,
    /// Values of a vector.
    pub width: usize,
    /// How many, and what was left out.
    #[serde(flatten)]
    pub exported: Exported,
}

/// Writes the vectors of one space, and their index if it is asked for.
///
/// # Errors
/// A file with another ending, no such space, nothing to export, cancelled, or a failed write.
pub fn export(request: ExportRequest, cancel: &CancelToken) -> anyhow::Result<ExportReport> {
    let ExportRequest { bank, space, out, index } = request;
    let format = vector_format(&out)?;
    let index_format = index.as_deref().map(index_format).transpose()?;
    let bank = open_bank(&bank)?;
    let exported = bank::export_vectors(&bank, &space, &out, format, cancel)?;
    if let Some((path, format)) = index.as_deref().zip(index_format) {
        bank::export_index(&bank, &space, path, format, cancel)?;
    }
    let width = bank.width(&space)?;
    Ok(ExportReport { out, index, space, width, exported })
}

fn ending(path: &Path) -> Option<&str> {
    path.extension().and_then(|extension| extension.to_str())
}

fn vector_format(path: &Path) -> anyhow::Result<VectorFormat> {
    Ok(match ending(path) {
        Some("npy") => VectorFormat::Npy,
        Some("safetensors") => VectorFormat::Safetensors,
        Some("parquet") => VectorFormat::Parquet,
        _ => bail!("{}: expected a name that ends with .npy, .safetensors or .parquet", path.display()),
    })
}

fn index_format(path: &Path) -> anyhow::Result<IndexFormat> {
    Ok(match ending(path) {
        Some("csv") => IndexFormat::Csv,
        Some("parquet") => IndexFormat::Parquet,
        _ => bail!("{}: expected a name that ends with .csv or .parquet for the index", path.display()),
    })
}
