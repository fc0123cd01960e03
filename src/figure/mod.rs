//! Figures: a spec (all style) and plain data in, one SVG, PDF or PNG out, and
//! beside it a sidecar from which the same bytes can be made again without the
//! model or the data set. No tensors, no window; bytes hold no time, path or
//! file name.
//!
//! Everything is assembled as one SVG page (`canvas`); PDF (svg2pdf) and PNG
//! (resvg) are made from that page with the font that is in the program, or one that was chosen (`font`).

mod bars;
mod canvas;
mod caption;
mod cells;
mod codec;
mod contour;
mod curve;
mod font;
mod gallery;
mod heatmap;
mod kind;
mod legend;
mod matrix;
mod outlines;
mod output;
mod page;
mod panels;
mod plot;
mod points;
mod query;
mod saved;
mod scale;
mod sheet;
mod sidecar;

#[cfg(test)]
mod tests;

pub use bars::{BarSeries, BarsPanel};
pub use caption::tex;
pub use cells::{GalleryCell, GalleryQuery, GallerySpace};
pub use contour::contour;
pub use curve::{CurveAxis, CurveBand, CurveData, CurveFigure, CurveSeries, CurveSpec};
pub use font::{BUILT_IN_FONT, BUILT_IN_NAME, FontChoice, FontSource};
pub use gallery::{GalleryData, GalleryFigure, GallerySpec};
pub use heatmap::{HeatmapData, HeatmapFigure, HeatmapRow, HeatmapSpace, HeatmapSpec};
pub use kind::{Figure, FigurePreview};
pub use legend::LegendEntry;
pub use matrix::MatrixPanel;
pub use outlines::TextAs;
pub use output::{Format, paper_words};
pub use page::{BoxPalette, LEAST_PT, Letters, Page};
pub use panels::{CurvesPanel, MAX_PANELS, Panel, PanelsData, PanelsFigure, PanelsSpec, PicturePanel};
pub use points::{MOST_POINTS, PointsPanel};
pub use query::{ComposedPart, ComposedQuery, PartSource};
pub use saved::SavedFigure;
pub use sheet::{Instance, SheetData, SheetFigure, SheetSpec};
pub use sidecar::Sidecar;
