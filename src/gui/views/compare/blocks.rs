//! Where everything of a comparison lies.

use eframe::egui::{Rect, Vec2, pos2, vec2};

use crate::gui::paint::color_bar;
use crate::gui::paint::theme::STEP;
use crate::gui::panels::gallery;

/// Height of a line of words, points.
const LINE: f32 = 20.0;
/// Height of the image and the curves below everything, and what they may take of what is left over.
const STRIP: f32 = 116.0;
const MORE_STRIP: f32 = 64.0;
/// Largest width of a pane; the smallest one is what a gallery takes.
const WIDEST: f32 = 420.0;
/// Smallest side of a map.
const LEAST: f32 = 96.0;

/// A block for each space: the maps of A and B side by side, a line of words, and their galleries. Blocks stand
/// in as many rows as the width asks for. Right of them the colour bar, below all a strip.
pub struct Blocks {
    area: Rect,
    pane: Vec2,
    gallery: f32,
    columns: usize,
    block: f32,
    strip: f32,
    /// Height of everything; more than the area's where that is too low.
    pub height: f32,
}

impl Blocks {
    /// As large as `spaces` blocks fit into `area`, with `neighbours` in each gallery.
    pub fn new(area: Rect, spaces: usize, neighbours: usize) -> Self {
        let room = area.width() - color_bar::WIDTH;
        let least = gallery::least_width(neighbours);
        let fit = ((room / (2.0 * (least + STEP))).floor() as usize).max(1);
        let rows = spaces.max(1).div_ceil(fit);
        let columns = spaces.max(1).div_ceil(rows);
        let width = (room / (2 * columns) as f32 - STEP).clamp(least, WIDEST).floor();
        let gallery = gallery::height_of(neighbours, None, width);
        let rest = (area.height() - STRIP - STEP) / rows as f32 - 2.0 * LINE - gallery - STEP;
        let side = rest.min(width).max(LEAST).floor();
        let block = 2.0 * LINE + side + gallery + STEP;
        let blocks = rows as f32 * block;
        let strip = (area.height() - blocks).clamp(STRIP, STRIP + MORE_STRIP);
        Self { area, pane: vec2(width, side), gallery, columns, block, strip, height: blocks + strip }
    }

    /// Top left corner of pane `model` (0 for A, 1 for B) of block `space`.
    fn corner(&self, space: usize, model: usize) -> eframe::egui::Pos2 {
        let (row, column) = (space / self.columns, space % self.columns);
        let left = (2 * column + model) as f32 * (self.pane.x + STEP);
        self.area.min + vec2(left, row as f32 * self.block)
    }

    /// The line above the map of a model.
    pub fn heading(&self, space: usize, model: usize) -> Rect {
        Rect::from_min_size(self.corner(space, model), vec2(self.pane.x, LINE))
    }

    /// The map of a model.
    pub fn map(&self, space: usize, model: usize) -> Rect {
        Rect::from_min_size(self.corner(space, model) + vec2(0.0, LINE), self.pane)
    }

    /// The line between the maps and the galleries of a block, over both panes.
    pub fn words(&self, space: usize) -> Rect {
        let top = self.map(space, 0).bottom();
        let corner = pos2(self.corner(space, 0).x, top);
        Rect::from_min_size(corner, vec2(2.0 * self.pane.x + STEP, LINE))
    }

    /// The gallery of a model.
    pub fn gallery(&self, space: usize, model: usize) -> Rect {
        let corner = self.corner(space, model) + vec2(0.0, 2.0 * LINE + self.pane.y);
        Rect::from_min_size(corner, vec2(self.pane.x, self.gallery))
    }

    /// The colour bar, beside the maps of the first row.
    pub fn bar(&self) -> Rect {
        let map = self.map(0, 0);
        let left = self.area.left() + (2 * self.columns) as f32 * (self.pane.x + STEP);
        Rect::from_min_max(pos2(left, map.top()), pos2(left + color_bar::WIDTH, map.bottom()))
    }

    /// Below all blocks: the image, and the curves of a run.
    pub fn strip(&self) -> Rect {
        let bottom = self.area.top() + self.height;
        Rect::from_min_max(pos2(self.area.left(), bottom - self.strip), pos2(self.area.right(), bottom))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_lies_below_what_comes_before_it_and_inside() {
        let area = Rect::from_min_size(pos2(180.0, 120.0), vec2(880.0, 600.0));
        for spaces in 1..=5 {
            let blocks = Blocks::new(area, spaces, 119);
            let whole = Rect::from_min_size(area.min, vec2(area.width(), blocks.height));
            for space in 0..spaces {
                for model in 0..2 {
                    let down = [
                        blocks.heading(space, model),
                        blocks.map(space, model),
                        blocks.words(space),
                        blocks.gallery(space, model),
                        blocks.strip(),
                    ];
                    assert!(down.windows(2).all(|pair| pair[0].bottom() <= pair[1].top() + 0.01), "{down:?}");
                    assert!(down.iter().all(|rect| whole.contains_rect(rect.shrink(0.01))), "{down:?}");
                    assert!(down[1].right() <= blocks.bar().left());
                }
                assert!(blocks.map(space, 0).right() < blocks.map(space, 1).left());
            }
        }
        // Two spaces fit into the middle of a window of 1280 x 800.
        assert!(Blocks::new(area, 2, 119).height <= area.height());
    }
}
