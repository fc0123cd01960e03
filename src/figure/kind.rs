//! A figure of any kind, drawn.

use anyhow::{Context, Result};

use super::curve::CurveFigure;
use super::font::{self, FontChoice};
use super::gallery::GalleryFigure;
use super::heatmap::HeatmapFigure;
use super::outlines::{TextAs, outlined, words};
use super::output::{self, Format};
use super::panels::PanelsFigure;
use super::sheet::SheetFigure;
use crate::image::Image;

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
    /// Lettered panels: curves, matrices, pictures.
    Panels(PanelsFigure),
}

/// A figure's file before it is written, and what it looks like.
#[derive(Clone, Debug)]
pub struct FigurePreview {
    /// The bytes of the file.
    pub file: Vec<u8>,
    /// The page.
    pub picture: Image,
    /// Width and height of the page, inches.
    pub size_in: (f32, f32),
    /// The characters that its font lacks, in words.
    pub lacking: Option<String>,
}

/// What is said of the characters of a page that the font on hand lacks.
pub(super) fn lacking(svg: &str) -> Option<String> {
    font::current().lacking_words(&words(svg))
}

impl Figure {
    /// The figure as one SVG page, text as text. Fails on data that does not
    /// fit together.
    ///
    /// # Errors
    /// Says which and where; its font was not loaded.
    pub fn svg(&self) -> Result<String> {
        self.drawn(|| self.page())
    }

    /// The page, in the font on hand.
    pub(super) fn page(&self) -> Result<String> {
        match self {
            Figure::Heatmap(figure) => figure.svg().context("heatmap figure"),
            Figure::Gallery(figure) => figure.svg().context("gallery figure"),
            Figure::Sheet(figure) => figure.svg().context("sheet of galleries"),
            Figure::Curve(figure) => figure.svg().context("curve figure"),
            Figure::Panels(figure) => figure.svg().context("page of panels"),
        }
    }

    /// The bytes of a file that shows `svg`, its page.
    pub(super) fn bytes(&self, svg: String, format: Format) -> Result<Vec<u8>> {
        let svg = match (format, self.text()) {
            (Format::Svg, TextAs::Outlines) => outlined(&svg, |_| true)?,
            // svg2pdf writes several fonts in no fixed order: what is drawn with another one becomes paths.
            (Format::Pdf, _) => outlined(&svg, |text| font::current().lacks_of(text))?,
            _ => svg,
        };
        format.bytes_from_svg(svg)
    }

    /// What its text is in an SVG.
    fn text(&self) -> TextAs {
        match self {
            Figure::Heatmap(figure) => figure.spec.page.text,
            Figure::Gallery(figure) => figure.spec.page.text,
            Figure::Sheet(figure) => figure.spec.page.text,
            Figure::Curve(figure) => figure.spec.text,
            Figure::Panels(figure) => figure.spec.text,
        }
    }

    fn font(&self) -> Option<&FontChoice> {
        match self {
            Figure::Heatmap(figure) => figure.spec.page.font.as_ref(),
            Figure::Gallery(figure) => figure.spec.page.font.as_ref(),
            Figure::Sheet(figure) => figure.spec.page.font.as_ref(),
            Figure::Curve(figure) => figure.spec.font.as_ref(),
            Figure::Panels(figure) => figure.spec.font.as_ref(),
        }
    }

    /// Has it drawn with a font; with the program's where none is chosen.
    pub fn set_font(&mut self, font: Option<FontChoice>) {
        let own = match self {
            Figure::Heatmap(figure) => &mut figure.spec.page.font,
            Figure::Gallery(figure) => &mut figure.spec.page.font,
            Figure::Sheet(figure) => &mut figure.spec.page.font,
            Figure::Curve(figure) => &mut figure.spec.font,
            Figure::Panels(figure) => &mut figure.spec.font,
        };
        *own = font;
    }

    /// Draws with its font.
    pub(super) fn drawn<T>(&self, draw: impl FnOnce() -> Result<T>) -> Result<T> {
        font::with(self.font(), draw)
    }

    /// Has its text in an SVG be `text`.
    pub fn set_text(&mut self, text: TextAs) {
        let own = match self {
            Figure::Heatmap(figure) => &mut figure.spec.page.text,
            Figure::Gallery(figure) => &mut figure.spec.page.text,
            Figure::Sheet(figure) => &mut figure.spec.page.text,
            Figure::Curve(figure) => &mut figure.spec.text,
            Figure::Panels(figure) => &mut figure.spec.text,
        };
        *own = text;
    }

    /// The bytes of the figure's file; the same figure gives the same bytes.
    pub fn render(&self, format: Format) -> Result<Vec<u8>> {
        self.drawn(|| self.bytes(self.page()?, format))
    }

    /// The figure's file as [`Figure::render`] gives it, and its page as a picture of about `dpi` pixels per
    /// inch (fewer where the file is a PNG that has no more): made from the same page, so that what a
    /// preview shows is what is written.
    pub fn preview(&self, format: Format, dpi: f64) -> Result<FigurePreview> {
        let dpi = match format {
            Format::Png { dpi: own } => dpi.min(f64::from(own)),
            Format::Svg | Format::Pdf => dpi,
        };
        self.drawn(|| {
            let svg = self.page()?;
            let (picture, size_in) = output::picture_from_svg(&svg, dpi)?;
            let lacking = lacking(&svg);
            Ok(FigurePreview { file: self.bytes(svg, format)?, picture, size_in, lacking })
        })
    }
}
