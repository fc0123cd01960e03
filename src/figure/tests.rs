use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::colormap::Colormap;
use crate::image::Image;
use crate::patch::{BoxRef, PatchGrid, PatchRef};
use crate::search::{Relation, Sign};

mod copies;
mod curves;
mod files;
mod fonts;
mod galleries;
mod heatmaps;
mod pages;
mod panels;

/// A picture with a different colour in every pixel.
fn picture(width: u32, height: u32, seed: u32) -> Image {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    Image::new(width, height, (0..3 * width * height).map(|_| byte()).collect())
}

fn row(seed: u32, patch: u32, title: &str) -> HeatmapRow {
    let grid = PatchGrid { patch, stride: 2 };
    let (rows, cols) = grid.shape(32, 32);
    let scores = |shift: f32| (0..rows * cols).map(|i| ((i as f32 + shift) * 0.1).sin()).collect();
    let space = |name: &str, title: &str, shift| HeatmapSpace {
        name: name.to_owned(),
        title: title.to_owned(),
        scores: scores(shift),
    };
    HeatmapRow {
        image: picture(32, 32, seed),
        title: title.to_owned(),
        grid,
        query: [6, 8],
        composed: None,
        spaces: vec![space("z", "projection z", 0.0), space("h", "embedding h", 0.3)],
    }
}

/// A box on image 0 less one on image 5.
fn composed() -> ComposedQuery {
    let part = |sign, image| {
        let source = PartSource::Box(BoxRef { image, y: 3, x: 4, height: 9, width: 20 });
        ComposedPart { sign, source }
    };
    ComposedQuery { image: 0, parts: vec![part(Sign::Plus, 0), part(Sign::Minus, 5)] }
}

fn heatmap() -> HeatmapFigure {
    let data = HeatmapData { rows: vec![row(7, 14, "image")], notes: vec!["demo model <1>".to_owned()] };
    HeatmapFigure { spec: HeatmapSpec::default(), data }
}

/// Fig 4: one image at two patch sizes; Fig 6: several images at one.
fn heatmaps(patches: &[u32]) -> HeatmapFigure {
    let mut figure = heatmap();
    let rows = patches.iter().enumerate();
    figure.data.rows =
        rows.map(|(i, &patch)| row(7 + i as u32, patch, &format!("image {i} · horse"))).collect();
    figure
}

fn query(k: usize, image: u32, names: &[(&str, &str)]) -> GalleryQuery {
    let relations = [Relation::SameImage, Relation::SameClass, Relation::OtherClass, Relation::SameClass];
    let cell = |i: usize, shift: u32| GalleryCell {
        copies: 1,
        patch: picture(6, 6, i as u32 + shift),
        at: PatchRef { image: i as u32, y: 2, x: 3, size: 6 },
        cosine: 1.0 - i as f32 / 300.0,
        relation: relations[i % 4],
    };
    let space = |(at, (name, title)): (usize, &(&str, &str))| GallerySpace {
        name: (*name).to_owned(),
        title: (*title).to_owned(),
        searched: 1_204_000,
        total: 1_204_000,
        cells: (0..k).map(|i| cell(i, image * 100 + 1000 * at as u32)).collect(),
    };
    GalleryQuery {
        pixels: picture(6, 6, image + 1),
        at: PatchRef { image, y: image, x: 2 * image, size: 6 },
        composed: None,
        title: format!("image {image} · horse"),
        spaces: names.iter().enumerate().map(space).collect(),
    }
}

const Z_AND_H: [(&str, &str); 2] = [("z", "projection z"), ("h", "embedding h")];
const H: [(&str, &str); 1] = [("h", "embedding h")];

fn gallery(k: usize) -> GalleryFigure {
    let data = GalleryData { k, queries: vec![query(k, 0, &Z_AND_H)], left_out: vec![], notes: vec![] };
    GalleryFigure { spec: GallerySpec::default(), data }
}

fn galleries(k: usize, queries: u32) -> GalleryFigure {
    let mut figure = gallery(k);
    figure.data.queries = (0..queries).map(|image| query(k, image, &Z_AND_H)).collect();
    figure.spec.shares = true;
    figure
}

/// Fig 10 without an image, Fig 11 with one.
fn sheet(k: usize, queries: u32, instance: bool) -> SheetFigure {
    let instance =
        instance.then(|| Instance { image: picture(40, 32, 9), title: "image 12 · plane".to_owned() });
    let queries = (0..queries).map(|image| query(k, image, &H)).collect();
    let data = SheetData { instance, k, queries, left_out: vec![], notes: vec!["demo model".to_owned()] };
    SheetFigure { spec: SheetSpec::default(), data }
}

fn curve() -> CurveFigure {
    let series = |name: &str, scale: f64| CurveSeries {
        name: name.to_owned(),
        space: String::new(),
        run: 0,
        x: (1..200).map(f64::from).collect(),
        y: (1..200).map(|i| scale / f64::from(i).sqrt()).collect(),
        band: None,
    };
    let data = CurveData {
        title: String::new(),
        x: CurveAxis::of("step", ""),
        y: CurveAxis::of("loss", "nats"),
        series: vec![series("train", 1.0), series("test", 1.0 / 3.0)],
        notes: vec![],
    };
    CurveFigure { spec: CurveSpec::default(), data }
}

/// Curves with names below and a band, a matrix, a picture.
fn panels() -> PanelsFigure {
    let mut curves = curve().data;
    curves.title = "by stage".to_owned();
    curves.x = CurveAxis::of_names("space", ["pixels", "h", "z"].map(str::to_owned).to_vec());
    let around = |shift: f64| vec![0.5 + shift, 0.4 + shift, 0.1 + shift];
    for series in &mut curves.series {
        (series.x, series.y) = (vec![0.0, 1.0, 2.0], around(0.0));
        series.band = Some(CurveBand { low: around(-0.1), high: around(0.2) });
    }
    let matrix = MatrixPanel {
        title: "counts".to_owned(),
        rows: 2,
        cols: 3,
        values: vec![0.0, 0.5, 0.6, 1.0, 0.25, 0.75],
        range: [0.0, 1.0],
        colormap: Colormap::Viridis,
        row_label: "first".to_owned(),
        col_label: "second".to_owned(),
        names: vec![],
    };
    let image = PicturePanel { title: "image 4".to_owned(), image: picture(12, 10, 3) };
    let panels = vec![
        Panel::Curves(CurvesPanel { log_x: false, log_y: false, curves }),
        Panel::Matrix(matrix),
        Panel::Picture(image),
    ];
    let data = PanelsData { title: "Three panels".to_owned(), panels, notes: vec!["a note".to_owned()] };
    PanelsFigure { spec: PanelsSpec::default(), data }
}

fn all() -> [Figure; 8] {
    [
        Figure::Heatmap(heatmap()),
        Figure::Gallery(gallery(11)),
        Figure::Curve(curve()),
        Figure::Panels(panels()),
        Figure::Heatmap(heatmaps(&[14, 20])),
        Figure::Gallery(galleries(11, 3)),
        Figure::Sheet(sheet(8, 6, false)),
        Figure::Sheet(sheet(8, 5, true)),
    ]
}

const FORMATS: [Format; 3] = [Format::Svg, Format::Pdf, Format::Png { dpi: 72 }];

fn error(figure: Figure) -> String {
    format!("{:#}", figure.svg().unwrap_err())
}
