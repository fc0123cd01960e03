//! Where the columns of the microscope lie.

use eframe::egui::{Rect, pos2, vec2};

use crate::gui::paint::color_bar;
use crate::gui::paint::theme::STEP;

/// Height of a line of words, points.
const LINE: f32 = 20.0;
/// Height of the chart below the maps.
const CHART: f32 = 104.0;
/// Smallest side of a map.
const LEAST: f32 = 88.0;

/// A column for each patch size: a heading, the image, and under a line of words each a map for each
/// space. Below all of them a chart, right of them the colour bar.
pub struct Columns {
    area: Rect,
    pitch: f32,
    side: f32,
    maps: usize,
    /// Height of everything; more than the area's where that is too low.
    pub height: f32,
}

impl Columns {
    /// As large as they fit into `area`.
    pub fn new(area: Rect, columns: usize, maps: usize) -> Self {
        let pitch = (area.width() - color_bar::WIDTH - STEP) / columns.max(1) as f32;
        let words = LINE * (1 + maps) as f32 + CHART + STEP;
        let side = ((area.height() - words) / (1 + maps) as f32).min(pitch - STEP).max(LEAST).floor();
        let height = words + side * (1 + maps) as f32;
        Self { area, pitch, side, maps, height }
    }

    fn line(&self, column: usize, top: f32) -> Rect {
        let left = self.area.left() + self.pitch * column as f32;
        Rect::from_min_size(pos2(left, self.area.top() + top), vec2(self.pitch - STEP, LINE))
    }

    fn square(&self, column: usize, top: f32) -> Rect {
        self.line(column, top).with_max_y(self.area.top() + top + self.side)
    }

    /// The line above a column.
    pub fn heading(&self, column: usize) -> Rect {
        self.line(column, 0.0)
    }

    /// The image of a column.
    pub fn image(&self, column: usize) -> Rect {
        self.square(column, LINE)
    }

    /// The line above a map.
    pub fn map_heading(&self, column: usize, row: usize) -> Rect {
        self.line(column, (LINE + self.side) * (row + 1) as f32)
    }

    /// A map of a column.
    pub fn map(&self, column: usize, row: usize) -> Rect {
        self.square(column, (LINE + self.side) * (row + 1) as f32 + LINE)
    }

    /// The colour bar, beside the maps.
    pub fn bar(&self) -> Rect {
        let top = self.image(0).top();
        let right = self.area.right();
        let bottom = self.map(0, self.maps.saturating_sub(1)).bottom();
        Rect::from_min_max(pos2(right - color_bar::WIDTH, top), pos2(right, bottom))
    }

    /// The chart, below all columns.
    pub fn chart(&self) -> Rect {
        let bottom = self.area.top() + self.height;
        Rect::from_min_max(pos2(self.area.left(), bottom - CHART), pos2(self.area.right(), bottom))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_lies_below_what_comes_before_it_and_inside() {
        let area = Rect::from_min_size(pos2(200.0, 100.0), vec2(880.0, 650.0));
        let columns = Columns::new(area, 4, 2);
        assert!(columns.height <= area.height());
        for column in 0..4 {
            let down = [
                columns.heading(column),
                columns.image(column),
                columns.map_heading(column, 0),
                columns.map(column, 0),
                columns.map_heading(column, 1),
                columns.map(column, 1),
                columns.chart(),
            ];
            assert!(down.windows(2).all(|pair| pair[0].bottom() <= pair[1].top()), "{down:?}");
            assert!(down.iter().all(|rect| area.contains_rect(*rect)));
            assert!(down[5].right() < columns.bar().left());
        }
        // Where it is too low, maps stay large enough to see.
        assert!(Columns::new(area.with_max_y(300.0), 4, 6).height > 200.0);
    }
}
