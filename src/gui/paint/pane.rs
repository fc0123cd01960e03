//! Where an image lies in its pane: zoom, pan, and the way between points of
//! the screen and pixels of the image. All panes share one viewpoint.

use eframe::egui::{PointerButton, Pos2, Rect, Response, Ui, Vec2, pos2, vec2};

use crate::patch::{BoxRef, PatchGrid, PatchRef};

/// Largest zoom over the whole image.
const MAX_ZOOM: f32 = 24.0;
/// From this enlargement on, every pixel of the image is equally large on screen.
const WHOLE_FROM: f32 = 3.0;

/// What dragging with the primary button does on a pane; with another one it always pans.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Drag {
    Pans,
    DrawsBox,
}

/// What part of the image its panes show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Viewpoint {
    /// 1 shows the whole image.
    zoom: f32,
    /// Point of the image in the middle of a pane, in [0, 1].
    centre: Vec2,
}

impl Default for Viewpoint {
    fn default() -> Self {
        Self { zoom: 1.0, centre: Vec2::splat(0.5) }
    }
}

impl Viewpoint {
    /// The image of `size` pixels as it lies over `pane` on a screen of `pixels_per_point`.
    pub fn placement(&self, pane: Rect, size: Vec2, pixels_per_point: f32) -> Placement {
        let fit = (pane.width() / size.x).min(pane.height() / size.y);
        let on_screen = fit * pixels_per_point;
        let fit = if on_screen >= WHOLE_FROM { on_screen.floor() / pixels_per_point } else { fit };
        let scale = fit * self.zoom;
        let shown = size * scale;
        let corner = pane.center() - self.centre * shown;
        let round = |at: f32| (at * pixels_per_point).round() / pixels_per_point;
        Placement { origin: pos2(round(corner.x), round(corner.y)), scale, size }
    }

    /// Wheel and pinch over a pane zoom, dragging pans, a double click goes back to the whole image of
    /// `size` pixels.
    pub fn navigate(&mut self, ui: &Ui, pane: &Response, placement: Placement, size: Vec2, drag: Drag) {
        if let Some(pos) = pane.hover_pos() {
            let factor = ui.input_mut(|input| {
                let wheel = std::mem::take(&mut input.smooth_scroll_delta);
                (wheel.y / 200.0).exp() * input.zoom_delta()
            });
            if factor != 1.0 {
                let fixed = placement.to_image(pos).to_vec2() / size;
                self.zoom_about(fixed.clamp(Vec2::ZERO, Vec2::splat(1.0)), factor);
                ui.ctx().request_repaint();
            }
        }
        let pans = drag == Drag::Pans || !pane.dragged_by(PointerButton::Primary);
        if pane.dragged() && pans && !self.is_whole() {
            self.pan(pane.drag_delta() / placement.rect().size());
            ui.ctx().request_repaint();
        }
        if pane.double_clicked() {
            *self = Self::default();
        }
    }

    /// Zoom and the point of the image in the middle, as numbers; `None` for the whole image.
    pub fn numbers(&self) -> Option<[f32; 3]> {
        (!self.is_whole()).then_some([self.zoom, self.centre.x, self.centre.y])
    }

    /// What [`Self::numbers`] said.
    pub fn from_numbers([zoom, x, y]: [f32; 3]) -> Self {
        let mut viewpoint = Self { zoom: zoom.clamp(1.0, MAX_ZOOM), centre: vec2(x, y) };
        viewpoint.keep_on_image();
        viewpoint
    }

    /// Zooms by `factor` and keeps `fixed` (a point of the image in [0, 1]) where it is.
    pub fn zoom_about(&mut self, fixed: Vec2, factor: f32) {
        let zoom = (self.zoom * factor).clamp(1.0, MAX_ZOOM);
        self.centre = fixed + (self.centre - fixed) * (self.zoom / zoom);
        self.zoom = zoom;
        self.keep_on_image();
    }

    /// Moves the image by `delta`, a part of its whole size on screen.
    pub fn pan(&mut self, delta: Vec2) {
        self.centre -= delta;
        self.keep_on_image();
    }

    /// Whether the whole image is seen.
    pub fn is_whole(&self) -> bool {
        self.zoom <= 1.0
    }

    fn keep_on_image(&mut self) {
        let margin = 0.5 / self.zoom;
        self.centre = self.centre.clamp(Vec2::splat(margin), Vec2::splat(1.0 - margin));
    }
}

/// An image on the screen.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    origin: Pos2,
    /// Points for each pixel of the image.
    scale: f32,
    size: Vec2,
}

impl Placement {
    /// The whole image.
    pub fn rect(&self) -> Rect {
        Rect::from_min_size(self.origin, self.size * self.scale)
    }

    /// Points of the screen for each pixel of the image.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// The point of the image, in pixels, at `pos`; it may lie outside.
    pub fn to_image(self, pos: Pos2) -> Pos2 {
        ((pos - self.origin) / self.scale).to_pos2()
    }

    /// The rectangle of `size` pixels with top-left pixel `(x, y)`.
    pub fn pixels(&self, x: f32, y: f32, size: Vec2) -> Rect {
        Rect::from_min_size(self.origin + vec2(x, y) * self.scale, size * self.scale)
    }

    /// The outline of a patch.
    pub fn patch(&self, patch: PatchRef) -> Rect {
        self.area(patch.into())
    }

    /// The outline of a box.
    pub fn area(&self, area: BoxRef) -> Rect {
        self.pixels(area.x as f32, area.y as f32, vec2(area.width as f32, area.height as f32))
    }

    /// A heatmap of `rows` x `cols` cells: each covers stride x stride pixels about its patch's centre.
    pub fn heatmap(&self, grid: PatchGrid, rows: usize, cols: usize) -> Rect {
        let first = (grid.patch as f32 - grid.stride as f32) / 2.0;
        self.pixels(first, first, vec2(cols as f32, rows as f32) * grid.stride as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PANE: Rect = Rect { min: pos2(100.0, 50.0), max: pos2(370.0, 320.0) };

    #[test]
    fn a_small_image_is_enlarged_by_a_whole_number_of_pixels() {
        let placement = Viewpoint::default().placement(PANE, vec2(32.0, 32.0), 1.0);
        assert_eq!(placement.scale(), 8.0);
        assert_eq!(placement.rect().center(), PANE.center());
        assert_eq!(placement.to_image(placement.rect().max), pos2(32.0, 32.0));
    }

    #[test]
    fn cells_lie_about_the_centres_of_their_patches() {
        let placement = Viewpoint::default().placement(PANE, vec2(32.0, 32.0), 1.0);
        let grid = PatchGrid { patch: 14, stride: 4 };
        let map = placement.heatmap(grid, 5, 5);
        // The first centre is pixel 7; its cell goes from 5 to 9.
        assert_eq!(placement.to_image(map.min), pos2(5.0, 5.0));
        assert_eq!(placement.to_image(map.max), pos2(25.0, 25.0));
        let patch = PatchRef { image: 0, y: 4, x: 8, size: 14 };
        assert_eq!(placement.to_image(placement.patch(patch).center()), pos2(15.0, 11.0));
    }

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let mut viewpoint = Viewpoint::default();
        let size = vec2(64.0, 64.0);
        let at = pos2(200.0, 150.0);
        let before = viewpoint.placement(PANE, size, 1.0).to_image(at);
        viewpoint.zoom_about((before.to_vec2()) / size, 2.0);
        let after = viewpoint.placement(PANE, size, 1.0).to_image(at);
        assert!((before - after).length() < 0.2, "{before} {after}");
        viewpoint.zoom_about(Vec2::splat(0.5), 0.01);
        assert!(viewpoint.is_whole());
        assert_eq!(viewpoint, Viewpoint::default());
    }
}
