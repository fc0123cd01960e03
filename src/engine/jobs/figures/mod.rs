//! Figures from the command line: heatmaps (Fig 4, 6), galleries (Fig 5, 7 to 12), and any figure
//! again from its sidecar.

mod choose;
mod galleries;
mod maps;
mod sources;

use std::path::{Path, PathBuf};

use anyhow::ensure;
use serde::Serialize;

use crate::engine::compose::Style;
use crate::figure::{Figure, Format, SavedFigure, Sidecar};
use crate::files;

pub use galleries::{
    GalleriesReport, GalleriesRequest, GalleryReport, GalleryRequest, Haystack, Layout, galleries, gallery,
};
pub use maps::{HeatmapReport, HeatmapRequest, MapImages, MapsReport, MapsRequest, heatmap, maps};

/// Where a figure goes and how it looks.
pub struct Output {
    pub out: PathBuf,
    /// Where its caption goes, as a LaTeX `figure` environment.
    pub caption: Option<PathBuf>,
    pub style: Style,
}

/// The files of a figure.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    pub out: PathBuf,
    pub sidecar: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<PathBuf>,
}

impl Output {
    /// Finds what is wrong with the names before anything long begins.
    fn check(&self) -> anyhow::Result<()> {
        Figure::check_out(&self.out, self.style.dpi)?;
        let Some(caption) = &self.caption else { return Ok(()) };
        let sidecar = Figure::sidecar_of(&self.out);
        ensure!(
            *caption != self.out && *caption != sidecar,
            "--caption {}: the figure itself goes there",
            caption.display()
        );
        ensure!(!caption.is_dir(), "--caption {}: is a folder; expected a file name", caption.display());
        Ok(())
    }

    fn save(&self, figure: &Figure, source: serde_json::Value) -> anyhow::Result<Written> {
        let saved = figure.save(&self.out, self.style.dpi, source)?;
        write_caption(figure, saved, self.caption.as_deref())
    }
}

pub(in crate::engine) fn write_caption(
    figure: &Figure,
    saved: SavedFigure,
    caption: Option<&Path>,
) -> anyhow::Result<Written> {
    if let Some(caption) = caption {
        files::write_bytes_atomic(caption, figure.latex(&saved.out).as_bytes())?;
    }
    Ok(Written { out: saved.out, sidecar: saved.sidecar, caption: caption.map(Path::to_owned) })
}

/// `bagssl figure SIDECAR.json --out FILE`: the same figure again.
pub fn again(
    sidecar: &Path,
    out: &Path,
    dpi: Option<u32>,
    caption: Option<&Path>,
) -> anyhow::Result<Written> {
    let Sidecar { figure, format, source } = Sidecar::load(sidecar)?;
    let recorded = match format {
        Format::Png { dpi } => dpi,
        _ => Format::DEFAULT_DPI,
    };
    let saved = figure.save(out, dpi.unwrap_or(recorded), source)?;
    write_caption(&figure, saved, caption)
}
