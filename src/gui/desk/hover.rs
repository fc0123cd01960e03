//! What lies under the pointer.

use eframe::egui::Pos2;

use crate::engine::{Heatmap, ImageView};
use crate::patch::{PatchGrid, PatchRef};

/// A point of the image under the pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct Hover {
    /// Pixel, column and row.
    pub pixel: (u32, u32),
    /// The patch of the heatmap grid whose centre is nearest.
    pub patch: Option<PatchRef>,
    /// Space and cosine of that patch to the query; `None` where it is not known yet.
    pub values: Vec<(String, Option<f32>)>,
    /// The part of an object that the data set knows there.
    pub object_part: Option<String>,
}

impl Hover {
    /// What lies at point `at` of the image in pixels: the patch of `grid` and the values of `maps` there.
    /// `None` outside the image.
    pub fn at(at: Pos2, view: &ImageView, grid: Option<PatchGrid>, maps: &[Heatmap]) -> Option<Self> {
        let (height, width) = (view.image.height(), view.image.width());
        if at.x < 0.0 || at.y < 0.0 || at.x >= width as f32 || at.y >= height as f32 {
            return None;
        }
        let pixel = (at.x as u32, at.y as u32);
        let patch = grid.and_then(|grid| {
            let (row, col) = grid.nearest(at.x, at.y, height, width)?;
            let corner = |cell: usize| cell as u32 * grid.stride;
            Some(PatchRef { image: view.index as u32, y: corner(row), x: corner(col), size: grid.patch })
        });
        let value = |map: &Heatmap| {
            let cell = map.grid.nearest(at.x, at.y, height, width);
            let value = cell.and_then(|(row, col)| map.values.get(row * map.cols + col));
            (map.space.clone(), value.copied().filter(|value| !value.is_nan()))
        };
        let object_part = view.parts.as_ref().and_then(|parts| {
            let inside = pixel.0 < parts.width && pixel.1 < parts.height;
            let index = inside.then(|| parts.index.get((pixel.1 * parts.width + pixel.0) as usize))??;
            parts.names.get(*index as usize).cloned()
        });
        Some(Self { pixel, patch, values: maps.iter().map(value).collect(), object_part })
    }
}
