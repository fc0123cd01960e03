//! Figures: a spec (all style) and plain data in, one SVG, PDF or PNG out, and
//! beside it a sidecar from which the same bytes can be made again without the
//! model or the data set. No tensors, no window; bytes hold no time, path or
//! file name.
//!
//! Everything is assembled as one SVG page (`canvas`); PDF (svg2pdf) and PNG
//! (resvg) are made from that page with the font that is in the program.

mod canvas;
mod caption;
mod cells;
mod codec;
mod curve;
mod gallery;
mod heatmap;
mod output;
mod page;
mod sheet;
mod sidecar;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::files;
use crate::image::Image;

pub use cells::{GalleryCell, GalleryQuery, GallerySpace};
pub use curve::{Axis, CurveData, CurveFigure, CurveSpec, Series};
pub use gallery::{GalleryData, GalleryFigure, GallerySpec};
pub use heatmap::{HeatmapData, HeatmapFigure, HeatmapRow, HeatmapSpace, HeatmapSpec};
pub use output::Format;
pub use page::{LEAST_PT, Letters, Page, Palette};
pub use sheet::{Instance, SheetData, SheetFigure, SheetSpec};
pub use sidecar::Sidecar;

/// A figure: how it looks and what it shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// Images, each with one similarity heatmap for each space (Fig 4, 6).
    Heatmap(HeatmapFigure),
    /// The nearest patches of queries, one grid for each space (Fig 5, 7, 8, 9).
    Gallery(GalleryFigure),
    /// Small galleries of many parts, or of positions of one image (Fig 10, 11, 12).
    Sheet(SheetFigure),
    /// Named series over a common axis, such as a loss curve.
    Curve(CurveFigure),
}

/// The two files of a saved figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The figure.
    pub out: PathBuf,
    /// Its sidecar, `out` with `.json` added.
    pub sidecar: PathBuf,
}

/// A figure's file before it is written, and what it looks like.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The bytes of the file.
    pub file: Vec<u8>,
    /// The page.
    pub picture: Image,
    /// Width and height of the page, inches.
    pub size_in: (f32, f32),
}

impl Figure {
    /// The figure as one SVG page, text as text. Fails on data that does not
    /// fit together, naming what and where.
    pub fn svg(&self) -> Result<String> {
        match self {
            Figure::Heatmap(figure) => figure.svg().context("heatmap figure"),
            Figure::Gallery(figure) => figure.svg().context("gallery figure"),
            Figure::Sheet(figure) => figure.svg().context("sheet of galleries"),
            Figure::Curve(figure) => figure.svg().context("curve figure"),
        }
    }

    /// The bytes of the figure's file; the same figure gives the same bytes.
    pub fn render(&self, format: Format) -> Result<Vec<u8>> {
        format.bytes_from_svg(self.svg()?)
    }

    /// The figure's file as [`Figure::render`] gives it, and its page as a picture of about `dpi` pixels per
    /// inch (fewer where the file is a PNG that has no more): made from the same page, so that what a
    /// preview shows is what is written.
    pub fn preview(&self, format: Format, dpi: f64) -> Result<Preview> {
        let svg = self.svg()?;
        let dpi = match format {
            Format::Png { dpi: own } => dpi.min(f64::from(own)),
            Format::Svg | Format::Pdf => dpi,
        };
        let (picture, size_in) = output::picture_from_svg(&svg, dpi)?;
        Ok(Preview { file: format.bytes_from_svg(svg)?, picture, size_in })
    }

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
    pub fn save(&self, path: &Path, dpi: u32, source: serde_json::Value) -> Result<Saved> {
        let format = Format::from_path(path, dpi)?;
        output::check_place(path)?;
        let bytes = self.render(format)?;
        let sidecar = output::sidecar_path(path);
        let json = Sidecar { figure: self.clone(), format, source }.to_json()?;
        files::write_together(&[(path, &bytes), (&sidecar, json.as_bytes())])?;
        Ok(Saved { out: path.to_owned(), sidecar })
    }
}

#[cfg(test)]
mod tests;
