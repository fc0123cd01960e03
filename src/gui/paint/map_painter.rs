//! How an image and a heatmap over it are painted, the same in every view.

use std::sync::Arc;

use eframe::egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, pos2};

use crate::engine::Heatmap;
use crate::figure::contour;
use crate::gui::nouns::MapLook;
use crate::gui::paint::heatmap_paint::HeatmapPaint;
use crate::gui::paint::pane::Placement;
use crate::gui::paint::scale::MapScale;
use crate::gui::paint::textures::PictureSlot;
use crate::image::Image;

/// Where the buffers of each view's heatmaps begin: two maps on screen never share one.
pub mod slots {
    use crate::gui::nouns::ExploreView;

    /// Those of a view of Explore.
    pub const fn of(view: ExploreView) -> usize {
        100 * view as usize
    }

    /// Pinned patches of the Train tab.
    pub const PINS: usize = 1000;
}

/// Smallest size of a cell, in points, at which the grid is drawn.
const GRID_FROM: f32 = 4.0;

/// The picture and the contours of one view, whose heatmaps keep their buffers from `FIRST_SLOT` on.
#[derive(Default)]
pub struct MapPainter<const FIRST_SLOT: usize> {
    picture: PictureSlot,
    contours: Vec<Contour>,
}

/// The contour of one pane, made anew when its map or the level changes.
#[derive(Default)]
struct Contour {
    made_of: Option<(Arc<Vec<f32>>, f32)>,
    pieces: Vec<[Pos2; 2]>,
}

impl Contour {
    fn pieces(&mut self, map: &Heatmap, level: f32) -> &[[Pos2; 2]] {
        let is_same = |(values, at): &(Arc<Vec<f32>>, f32)| Arc::ptr_eq(values, &map.shown) && *at == level;
        if !self.made_of.as_ref().is_some_and(is_same) {
            let pieces = contour(&map.shown, map.rows, map.cols, level);
            self.pieces = pieces.iter().map(|piece| piece.map(|[x, y]| pos2(x, y))).collect();
            self.made_of = Some((map.shown.clone(), level));
        }
        &self.pieces
    }
}

impl<const FIRST_SLOT: usize> MapPainter<FIRST_SLOT> {
    /// The image on show, where it lies.
    pub fn image(&mut self, painter: &Painter, placement: Placement, image: &Arc<Image>) {
        let rect = placement.rect();
        let texture = self.picture.texture(painter.ctx(), "image on show", image, rect).id();
        let whole = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        painter.image(texture, rect, whole, Color32::WHITE);
    }

    /// A heatmap over it, in pane `pane` of the view, with grid and contour if these are on.
    pub fn map(
        &mut self,
        painter: &Painter,
        look: &MapLook,
        placement: Placement,
        map: &Heatmap,
        pane: usize,
    ) {
        let rect = placement.heatmap(map.grid, map.rows, map.cols);
        let scale = MapScale::of(look);
        let paint = HeatmapPaint {
            slot: FIRST_SLOT + pane,
            rect,
            scores: map.shown.clone(),
            rows: map.rows,
            cols: map.cols,
            range: scale.range,
            opacity: look.opacity as f32 / 100.0,
            colormap: scale.colormap,
        };
        painter.add(paint.into_shape());
        let cell = placement.scale() * map.grid.stride as f32;
        if look.grid {
            grid(painter, rect, map, cell);
        }
        if let Some(level) = look.contour {
            self.contours.resize_with(self.contours.len().max(pane + 1), Contour::default);
            for piece in self.contours[pane].pieces(map, level) {
                let ends = piece.map(|at| rect.min + at.to_vec2() * cell);
                painter.line_segment(ends, Stroke::new(3.0, Color32::from_black_alpha(150)));
                painter.line_segment(ends, Stroke::new(1.2, Color32::WHITE));
            }
        }
    }
}

/// Lines between the cells of a heatmap, where they are large enough.
fn grid(painter: &Painter, rect: Rect, map: &Heatmap, cell: f32) {
    let stroke = Stroke::new(1.0, Color32::from_white_alpha(50));
    if cell < GRID_FROM {
        painter.add(Shape::closed_line(
            vec![rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom()],
            stroke,
        ));
        return;
    }
    for row in 0..=map.rows {
        painter.hline(rect.x_range(), rect.top() + row as f32 * cell, stroke);
    }
    for col in 0..=map.cols {
        painter.vline(rect.left() + col as f32 * cell, rect.y_range(), stroke);
    }
}
