//! Figures from the command line: heatmaps (Fig 4, 6), galleries (Fig 5, 7 to 12), and any figure
//! again from its sidecar.

mod choose;
mod galleries;
mod maps;
mod request;
mod sources;

use std::path::Path;

use anyhow::Context;

use crate::figure::{Figure, FontSource, Format, Sidecar, TextAs};

pub use crate::engine::figures::output::Written;
use crate::engine::figures::output::write_caption;
pub use galleries::{GalleriesReport, GalleryReport, galleries, gallery};
pub use maps::{AskedPoint, Corner, HeatmapReport, MapsReport, heatmap, maps};
pub use request::{GallerySource, Haystack, MapImages, MapSizes, MapSource, QueryChoice};

/// What is to look otherwise than a figure says by itself.
#[derive(Default)]
pub struct FileLook {
    /// Pixels per inch of a PNG.
    pub dpi: Option<u32>,
    /// What the text of an SVG is.
    pub text: Option<TextAs>,
    /// The font.
    pub font: Option<FontSource>,
}

impl FileLook {
    /// # Errors
    /// The font cannot be had.
    pub(super) fn put_on(&self, figure: &mut Figure) -> anyhow::Result<()> {
        if let Some(text) = self.text {
            figure.set_text(text);
        }
        if let Some(font) = &self.font {
            figure.set_font(font.load()?);
        }
        Ok(())
    }
}

/// `bagssl figure SIDECAR.json --out FILE`: the same figure again.
pub fn again(sidecar: &Path, out: &Path, look: &FileLook, caption: Option<&Path>) -> anyhow::Result<Written> {
    let Sidecar { mut figure, format, source } = Sidecar::load(sidecar)?;
    look.put_on(&mut figure)?;
    let recorded = match format {
        Format::Png { dpi } => dpi,
        _ => Format::DEFAULT_DPI,
    };
    let saved = figure
        .save(out, look.dpi.unwrap_or(recorded), source)
        .with_context(|| sidecar.display().to_string())?;
    write_caption(&figure, saved, caption)
}
