//! A figure on disk: its file, and its sidecar beside it.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::kind::{Figure, lacking};
use super::output::{self, Format};
use super::sidecar::Sidecar;
use crate::files;

/// The two files of a saved figure.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedFigure {
    /// The figure.
    pub out: PathBuf,
    /// Its sidecar, `out` with `.json` added.
    pub sidecar: PathBuf,
    /// Width and height of the page, inches.
    pub size_in: (f32, f32),
    /// The characters that its font lacks, in words.
    pub lacking: Option<String>,
}

impl Figure {
    /// Checks that a figure can be written at `path`: its format is known and its folder is there.
    pub fn check_out(path: &Path, dpi: u32) -> Result<()> {
        Format::from_path(path, dpi)?.check()?;
        output::check_place(path)
    }

    /// Where the sidecar of a figure at `path` stands: `a.pdf` -> `a.pdf.json`.
    pub fn sidecar_of(path: &Path) -> PathBuf {
        output::sidecar_path(path)
    }

    /// Writes the figure to `path`, in the format of its extension (`dpi`
    /// counts for PNG), and its sidecar beside it, both or neither.
    ///
    /// `source` says where the data came from (model, data set, options) and
    /// is kept in the sidecar as it is.
    pub fn save(&self, path: &Path, dpi: u32, source: serde_json::Value) -> Result<SavedFigure> {
        let format = Format::from_path(path, dpi)?;
        output::check_place(path)?;
        let (bytes, size_in, lacking) = self.drawn(|| {
            let svg = self.page()?;
            let (size_in, lacking) = (output::size_in(&svg)?, lacking(&svg));
            Ok((self.bytes(svg, format)?, size_in, lacking))
        })?;
        let sidecar = output::sidecar_path(path);
        let json = Sidecar { figure: self.clone(), format, source }.to_json()?;
        files::write_together(&[(path, &bytes), (&sidecar, json.as_bytes())])?;
        Ok(SavedFigure { out: path.to_owned(), sidecar, size_in, lacking })
    }
}
