//! A page of lettered panels: curves, matrices and pictures side by side.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::bars::BarsPanel;
use super::canvas::{INK, MARGIN, PageCanvas, UNITS_PER_INCH, fitted, fitting, label, wrap};
use super::curve::CurveData;
use super::font::FontChoice;
use super::matrix::MatrixPanel;
use super::outlines::TextAs;
use super::plot::CurvePlot;
use super::points::PointsPanel;
use super::{codec, output, page, plot};
use crate::image::Image;

/// How a page of panels looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PanelsSpec {
    /// Page width, inches (a column is 3.25, a text width 5.5 or 6.75).
    pub width_in: f32,
    /// Height of a panel of curves with its axes, inches.
    pub height_in: f32,
    /// Panels side by side.
    pub across: u32,
    /// Size of headings and axis labels, points; numbers are 7/8 of it.
    pub text_pt: f32,
    /// What text is in an SVG.
    pub text: TextAs,
    /// The font, where it is not the program's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub font: Option<FontChoice>,
}

impl Default for PanelsSpec {
    fn default() -> Self {
        Self { width_in: 6.75, height_in: 1.7, across: 2, text_pt: 8.0, text: TextAs::default(), font: None }
    }
}

/// What a page of panels shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanelsData {
    /// Heading; empty for none.
    pub title: String,
    /// The panels, in reading order.
    pub panels: Vec<Panel>,
    /// Further facts to print below; no paths, no times.
    pub notes: Vec<String>,
}

/// One panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Panel {
    /// Named series over a common axis.
    Curves(CurvesPanel),
    /// Numbers as colours.
    Matrix(MatrixPanel),
    /// An image.
    Picture(PicturePanel),
    /// Bars by group.
    Bars(BarsPanel),
    /// Points on a plane.
    Points(PointsPanel),
}

/// A panel of curves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvesPanel {
    /// Whether x is on a logarithmic scale.
    #[serde(default)]
    pub log_x: bool,
    /// Whether y is on a logarithmic scale.
    #[serde(default)]
    pub log_y: bool,
    /// What is shown; its notes are empty, as those of the page stand below.
    pub curves: CurveData,
}

/// A panel with an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PicturePanel {
    /// Heading.
    pub title: String,
    /// The image.
    #[serde(with = "codec::picture")]
    pub image: Image,
}

/// A page of panels.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelsFigure {
    /// How it looks.
    pub spec: PanelsSpec,
    /// What it shows.
    pub data: PanelsData,
}

/// Most panels on a page: so many in two columns are half as high as a page may be.
pub const MAX_PANELS: usize = 64;

impl Panel {
    /// Its heading.
    pub(super) fn title(&self) -> &str {
        match self {
            Panel::Curves(panel) => &panel.curves.title,
            Panel::Matrix(panel) => &panel.title,
            Panel::Picture(panel) => &panel.title,
            Panel::Bars(panel) => &panel.title,
            Panel::Points(panel) => &panel.title,
        }
    }
}

impl PanelsData {
    /// Whether each list of a panel is as long as those that it belongs to; what is wrong with the numbers is said when it is
    /// drawn.
    ///
    /// # Errors
    /// Which is not.
    pub fn check_lengths(&self) -> Result<()> {
        let mut panels = self.panels.iter().enumerate();
        panels.try_for_each(|(index, panel)| panel.check_lengths().with_context(|| format!("panel {index}")))
    }
}

impl Panel {
    /// As [`PanelsData::check_lengths`].
    ///
    /// # Errors
    /// Which is not.
    pub fn check_lengths(&self) -> Result<()> {
        let is_whole = match self {
            Self::Curves(panel) => return panel.curves.series.iter().try_for_each(plot::check_lengths),
            Self::Matrix(panel) => panel.is_whole(),
            Self::Picture(_) => true,
            Self::Bars(BarsPanel { groups, series, .. }) => series.iter().all(|series| {
                [&series.values, &series.low, &series.high].iter().all(|list| list.len() == groups.len())
            }),
            Self::Points(PointsPanel { first, second, rgb, .. }) => {
                second.len() == first.len() && rgb.len() == 3 * first.len()
            }
        };
        ensure!(is_whole, "its lists are not as long as each other");
        Ok(())
    }
}

impl PanelsFigure {
    pub(super) fn svg(&self) -> Result<String> {
        let (spec, data) = (&self.spec, &self.data);
        let (count, across) = (data.panels.len(), spec.across as usize);
        ensure!((1..=MAX_PANELS).contains(&count), "panels: {count} given; expected 1 to {MAX_PANELS}");
        ensure!((1..=6).contains(&across), "across is {across}; expected 1 to 6 panels");
        ensure!(
            (0.5..=40.0).contains(&spec.height_in),
            "height_in is {}; expected 0.5 to 40",
            spec.height_in
        );
        let width = output::page_width(spec.width_in)?;
        let text = page::text_units(spec.text_pt)?;
        let (inner, gap) = (width - 2 * MARGIN, text * 3 / 2);
        let across = across.min(count) as i32;
        let cell = (inner - (across - 1) * gap) / across;
        ensure!(cell >= text * 8, "panels: {across} side by side are too many for {} inches", spec.width_in);
        let mut canvas = PageCanvas::new(width);
        let mut y = MARGIN;
        if !data.title.is_empty() {
            canvas.text(label(MARGIN, y + text * 3 / 4, text * 9 / 8, INK, data.title.clone()));
            y += text * 2;
        }
        let drawn = self.drawn_panels(text)?;
        for row in drawn.chunks(across as usize) {
            let left = |index: usize| MARGIN + index as i32 * (cell + gap);
            let heads = row.iter().enumerate().map(|(i, panel)| panel.head(&mut canvas, (left(i), y), cell));
            let top = heads.max().unwrap_or(y);
            let height = row.iter().map(|panel| panel.height(cell)).max().unwrap_or(0);
            for (i, panel) in row.iter().enumerate() {
                panel.body(&mut canvas, (left(i), top), (cell, height))?;
            }
            y = top + height + text / 2;
        }
        let small = text * 7 / 8;
        let notes = wrap(&data.notes, " · ", small, inner);
        let end = canvas.notes(notes, MARGIN, y + small / 4, small);
        canvas.finish(end + MARGIN)
    }

    /// The panels, checked.
    fn drawn_panels(&self, text: i32) -> Result<Vec<DrawnPanel<'_>>> {
        let height = (self.spec.height_in * UNITS_PER_INCH as f32).round() as i32;
        let count = self.data.panels.len();
        let mut drawn = vec![];
        for (index, panel) in self.data.panels.iter().enumerate() {
            let letter = if count > 1 { page::letter(index) } else { String::new() };
            let title = format!("{letter} {}", panel.title()).trim().to_owned();
            let content = match panel {
                Panel::Curves(CurvesPanel { log_x, log_y, curves }) => {
                    ensure!(
                        curves.notes.is_empty(),
                        "panel {index}: notes stand below the page, not a panel"
                    );
                    let plot = CurvePlot::new(curves, (*log_x, *log_y), text);
                    PanelContent::Curves(plot.with_context(|| format!("panel {index}"))?)
                }
                Panel::Matrix(matrix) => {
                    matrix.check().with_context(|| format!("panel {index}"))?;
                    PanelContent::Matrix(matrix)
                }
                Panel::Picture(picture) => PanelContent::Picture(&picture.image),
                Panel::Bars(bars) => {
                    bars.check().with_context(|| format!("panel {index}"))?;
                    PanelContent::Bars(bars)
                }
                Panel::Points(points) => {
                    points.check().with_context(|| format!("panel {index}"))?;
                    PanelContent::Points(points)
                }
            };
            drawn.push(DrawnPanel { title, content, text, height });
        }
        Ok(drawn)
    }
}

/// A panel that is checked.
struct DrawnPanel<'a> {
    /// With its letter.
    title: String,
    content: PanelContent<'a>,
    /// Size of labels, units.
    text: i32,
    /// Of a panel of curves, units.
    height: i32,
}

enum PanelContent<'a> {
    Curves(CurvePlot<'a>),
    Matrix(&'a MatrixPanel),
    Picture(&'a Image),
    Bars(&'a BarsPanel),
    Points(&'a PointsPanel),
}

impl DrawnPanel<'_> {
    /// Its heading, and a legend where there is one; returns the y below.
    fn head(&self, canvas: &mut PageCanvas, at: (i32, i32), width: i32) -> i32 {
        if let PanelContent::Curves(plot) = &self.content {
            return plot.head(canvas, &self.title, at, width);
        }
        if let PanelContent::Bars(bars) = &self.content {
            return bars.head(canvas, &self.title, at, (width, self.text));
        }
        if let PanelContent::Points(points) = &self.content {
            return points.head(canvas, &self.title, at, (width, self.text));
        }
        let title = fitting(std::slice::from_ref(&self.title), self.text, width);
        canvas.text(label(at.0, at.1 + self.text * 3 / 4, self.text, INK, title));
        at.1 + self.text * 7 / 4
    }

    /// Height that it asks for.
    fn height(&self, width: i32) -> i32 {
        match &self.content {
            PanelContent::Curves(_) | PanelContent::Bars(_) | PanelContent::Points(_) => self.height,
            PanelContent::Matrix(matrix) => matrix.height(width, self.text),
            PanelContent::Picture(image) => {
                let aspect = f64::from(image.height()) / f64::from(image.width());
                (f64::from(width) * aspect.min(1.25)) as i32
            }
        }
    }

    /// What it shows, in the upper left of a place of that size.
    fn body(&self, canvas: &mut PageCanvas, at: (i32, i32), size: (i32, i32)) -> Result<()> {
        match &self.content {
            PanelContent::Curves(plot) => plot.body(canvas, at, size),
            PanelContent::Bars(bars) => bars.body(canvas, at, size, self.text),
            PanelContent::Points(points) => points.body(canvas, at, size, self.text),
            PanelContent::Matrix(matrix) => {
                matrix.draw(canvas, at, size, self.text);
                Ok(())
            }
            PanelContent::Picture(image) => {
                canvas.image(image, fitted((image.width(), image.height()), at, size), None);
                Ok(())
            }
        }
    }
}
