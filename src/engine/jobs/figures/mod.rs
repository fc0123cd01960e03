//! Figures from the command line: heatmaps (Fig 4, 6), galleries (Fig 5, 7 to 12), and any figure
//! again from its sidecar.

mod choose;
mod galleries;
mod maps;
mod request;
mod sources;

use std::path::Path;

use anyhow::Context;

use crate::figure::{Format, Sidecar, TextAs};

pub use crate::engine::figures::output::Written;
use crate::engine::figures::output::write_caption;
pub use galleries::{GalleriesReport, GalleryReport, galleries, gallery};
pub use maps::{AskedPoint, Corner, HeatmapReport, MapsReport, heatmap, maps};
pub use request::{GallerySource, Haystack, MapImages, MapSizes, MapSource, QueryChoice};

/// `bagssl figure SIDECAR.json --out FILE`: the same figure again.
pub fn again(
    sidecar: &Path,
    out: &Path,
    (dpi, text): (Option<u32>, Option<TextAs>),
    caption: Option<&Path>,
) -> anyhow::Result<Written> {
    let Sidecar { mut figure, format, source } = Sidecar::load(sidecar)?;
    if let Some(text) = text {
        figure.set_text(text);
    }
    let recorded = match format {
        Format::Png { dpi } => dpi,
        _ => Format::DEFAULT_DPI,
    };
    let saved =
        figure.save(out, dpi.unwrap_or(recorded), source).with_context(|| sidecar.display().to_string())?;
    write_caption(&figure, saved, caption)
}
