//! Figures from results: the one way from a heatmap or a gallery to paper, for the window and
//! the command line alike.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::colormap::Colormap;
use crate::figure::{
    Axis, CurveData, CurveFigure, CurveSpec, Figure, GalleryCell, GalleryData, GalleryFigure, GallerySpace,
    GallerySpec, HeatmapData, HeatmapFigure, HeatmapSpace, HeatmapSpec, Series,
};
use crate::image::Image;
use crate::patch::{PatchGrid, PatchRef};
use crate::search::Relation;
use crate::train::Metrics;

/// How figures look.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Page width, inches.
    pub width_in: f32,
    pub colormap: Colormap,
    /// Ends of the colour scale.
    pub range: [f32; 2],
}

impl Default for Style {
    fn default() -> Self {
        Self { width_in: 6.75, colormap: Colormap::default(), range: [-1.0, 1.0] }
    }
}

/// A heatmap figure's content.
pub struct HeatmapContent<'a> {
    pub image: &'a Image,
    /// What the image is called ("image 12 · horse").
    pub title: String,
    pub grid: PatchGrid,
    pub query: PatchRef,
    /// Space names and their cosines, row by row, in the order shown.
    pub maps: Vec<(String, Vec<f32>)>,
    /// Model and data, in words.
    pub notes: Vec<String>,
}

/// Figure 4: the image and one heatmap for each space.
pub fn heatmap(content: HeatmapContent<'_>, style: &Style) -> Figure {
    let space = |(name, scores): (String, Vec<f32>)| HeatmapSpace { title: space_title(&name), name, scores };
    Figure::Heatmap(HeatmapFigure {
        spec: HeatmapSpec {
            width_in: style.width_in,
            colormap: style.colormap,
            range: style.range,
            ..HeatmapSpec::default()
        },
        data: HeatmapData {
            image: content.image.clone(),
            title: content.title,
            grid: content.grid,
            query: [content.query.y, content.query.x],
            spaces: content.maps.into_iter().map(space).collect(),
            notes: content.notes,
        },
    })
}

/// One space of a gallery figure.
pub struct GalleryContent {
    pub space: String,
    pub searched: usize,
    pub total: usize,
    pub cells: Vec<Cell>,
}

/// A neighbour with its pixels.
pub struct Cell {
    pub patch: PatchRef,
    pub pixels: Arc<Image>,
    pub cosine: f32,
    pub relation: Relation,
}

/// Figure 5: the neighbours of a patch in each space.
pub fn gallery(
    query: PatchRef,
    pixels: &Image,
    k: usize,
    spaces: Vec<GalleryContent>,
    notes: Vec<String>,
    style: &Style,
) -> Figure {
    let cell = |cell: Cell| GalleryCell {
        patch: (*cell.pixels).clone(),
        at: cell.patch,
        cosine: cell.cosine,
        relation: cell.relation,
    };
    let space = |content: GalleryContent| GallerySpace {
        title: space_title(&content.space),
        name: content.space,
        searched: content.searched as u64,
        total: content.total as u64,
        cells: content.cells.into_iter().map(cell).collect(),
    };
    let spaces = spaces.into_iter().map(space).collect();
    Figure::Gallery(GalleryFigure {
        spec: GallerySpec { width_in: style.width_in, ..GallerySpec::default() },
        data: GalleryData { query: pixels.clone(), at: query, k, spaces, notes },
    })
}

/// "projection z", "embedding h", or the plain name.
pub fn space_title(name: &str) -> String {
    match name {
        "z" => "projection z".into(),
        "h" => "embedding h".into(),
        other => other.into(),
    }
}

/// The loss and its terms over a run.
pub fn loss_curve(metrics: &[Metrics], method: &str) -> Figure {
    let steps: Vec<f64> = metrics.iter().map(|m| m.step as f64).collect();
    let names: BTreeSet<&String> = metrics.iter().flat_map(|m| m.terms.keys()).collect();
    let line = |name: &str, value: &dyn Fn(&Metrics) -> f64| Series {
        name: name.into(),
        x: steps.clone(),
        y: metrics.iter().map(value).collect(),
    };
    let mut series = vec![line("loss", &|m| m.loss)];
    for name in names {
        series.push(line(name, &|m| m.terms.get(name).copied().unwrap_or(f64::NAN)));
    }
    Figure::Curve(CurveFigure {
        spec: CurveSpec { width_in: 5.5, log_y: true, ..CurveSpec::default() },
        data: CurveData {
            title: format!("{method} training loss"),
            x: Axis { label: "step".into(), unit: String::new() },
            y: Axis { label: "loss and its terms before weighting".into(), unit: String::new() },
            series,
            notes: vec![],
        },
    })
}
