//! Where a figure goes, and the files that it becomes.

use crate::engine::ask::{Output, Style};
use crate::figure::{Figure, SavedFigure, paper_words};
use crate::{files, paths};
use anyhow::ensure;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The files of a figure.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    /// The figure's file.
    #[serde(serialize_with = "paths::serialize")]
    pub out: PathBuf,
    /// The file beside it that says where it came from.
    #[serde(serialize_with = "paths::serialize")]
    pub sidecar: PathBuf,
    /// The caption's file, if one was wanted.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "paths::serialize_some")]
    pub caption: Option<PathBuf>,
    /// Width and height of the page, inches.
    pub page_in: (f32, f32),
    /// What is amiss with the page: it is taller than paper, its font lacks characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

impl Written {
    /// What is amiss, on a line of its own at the end of a report.
    pub fn warning_line(&self) -> String {
        self.warning.as_ref().map_or(String::new(), |warning| format!("\nwarning: {warning}"))
    }
}

impl Output {
    /// Finds what is wrong with the names of models, files and fonts before anything long begins.
    pub fn check(&self, style: &Style) -> anyhow::Result<()> {
        style.names.check()?;
        style.font.load()?;
        Figure::check_out(&self.out, style.dpi)?;
        let Some(caption) = &self.caption else { return Ok(()) };
        ensure!(!caption.is_dir(), "--caption {}: is a folder; expected a file name", caption.display());
        Ok(())
    }
}

/// Writes the caption of a figure that was saved, if one is wanted, and tells all its files.
pub fn write_caption(figure: &Figure, saved: SavedFigure, caption: Option<&Path>) -> anyhow::Result<Written> {
    if let Some(caption) = caption {
        files::write_bytes_atomic(caption, figure.latex(&saved.out).as_bytes())?;
    }
    let SavedFigure { out, sidecar, size_in, lacking } = saved;
    let amiss: Vec<String> = paper_words(size_in).into_iter().chain(lacking).collect();
    let warning = (!amiss.is_empty()).then(|| amiss.join("; "));
    let caption = caption.map(Path::to_owned);
    Ok(Written { out, sidecar, caption, page_in: size_in, warning })
}
