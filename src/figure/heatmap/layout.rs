//! Where things stand on the page of a heatmap figure.

use anyhow::{Result, ensure};

use super::data::{HeatmapFigure, HeatmapRow};
use crate::figure::canvas::{MARGIN, PT, Rect, text_width};
use crate::image::Image;
use crate::patch::PatchGrid;

/// Width of the colour bar, units.
pub(super) const BAR: i32 = 7 * PT;

/// Where things stand on the page, in units. A block is the panels of one query; blocks stand side
/// by side in bands. A lone block may break its panels into lines.
pub(super) struct HeatmapLayout {
    pub width: i32,
    pub text: i32,
    pub small: i32,
    pub panel_width: i32,
    /// Blocks side by side, panels in a line of a block.
    pub across: i32,
    pub per_line: i32,
    pub lines: i32,
    /// Top of the first panels of each band, height of its panels.
    pub bands: Vec<(i32, i32)>,
    /// Height of a title; distances between panels and between blocks.
    pub title: i32,
    pub gap: i32,
    pub block_gap: i32,
    /// Width of the numbers beside the colour bar.
    pub ticks: i32,
}

/// Panels in a line at most, of a lone query.
const LONGEST_LINE: i32 = 4;

impl HeatmapLayout {
    pub fn new(figure: &HeatmapFigure) -> Result<Self> {
        let (spec, data) = (&figure.spec, &figure.data);
        let (width, text, small) = spec.page.units()?;
        let (gap, block_gap) = (7 * PT, 16 * PT);
        let (blocks, panels) = (data.rows.len() as i32, data.rows[0].spaces.len() as i32 + 1);
        let maps = panels - 1;
        let fits = blocks > 1 || panels <= LONGEST_LINE;
        let lines = if fits { 1 } else { (maps + LONGEST_LINE - 2) / (LONGEST_LINE - 1) };
        let per_line = 1 + (maps + lines - 1) / lines;
        let across = match spec.across {
            0 if blocks >= 4 && panels <= 3 && spec.page.width_in >= 5.0 => 2,
            0 => 1,
            n => (n.min(64) as i32).min(blocks),
        };
        let ticks = text_width("\u{2212}0.55", small) + 7 * PT;
        let bar = gap + BAR + ticks + small * 5 / 4;
        let gaps = across * (per_line - 1) * gap + (across - 1) * block_gap;
        let panel_width = (width - 2 * MARGIN - bar - gaps) / (across * per_line);
        ensure!(
            panel_width >= 20 * PT,
            "{} inches are too narrow for {} panels side by side; expected a larger width",
            spec.page.width_in,
            across * per_line
        );
        let mut layout = Self {
            width,
            text,
            small,
            panel_width,
            across,
            per_line,
            lines,
            bands: vec![],
            title: text * 3 / 2,
            gap,
            block_gap,
            ticks,
        };
        layout.place_bands(&data.rows);
        Ok(layout)
    }

    /// Titles stand above the first band only: they are the same for all.
    fn place_bands(&mut self, rows: &[HeatmapRow]) {
        let height = |row: &HeatmapRow| {
            let aspect = f64::from(row.image.height()) / f64::from(row.image.width());
            (f64::from(self.panel_width) * aspect).round().clamp(1.0, 1e7) as i32
        };
        let mut top = MARGIN + self.title;
        let mut bands = vec![];
        for band in rows.chunks(self.across as usize) {
            let height = band.iter().map(height).max().unwrap_or(1);
            bands.push((top, height));
            top += height + self.below() + self.gap;
        }
        self.bands = bands;
    }

    /// Room for the small line below a panel.
    fn below(&self) -> i32 {
        self.small * 7 / 4
    }

    /// Distance between the tops of two lines of panels of a lone block.
    fn pitch(&self) -> i32 {
        self.title + self.bands[0].1 + self.below() + self.gap
    }

    /// The rectangle of panel `index` of block `block`, whose image is `image`.
    pub fn panel(&self, block: usize, index: usize, image: &Image) -> Rect {
        let (band, slot) = (block / self.across as usize, block as i32 % self.across);
        // Maps stand below maps: the image's column is its own.
        let maps = (self.per_line - 1).max(1);
        let (line, col) = match index as i32 {
            0 => (0, 0),
            index => ((index - 1) / maps, 1 + (index - 1) % maps),
        };
        let block_width = self.per_line * (self.panel_width + self.gap) - self.gap + self.block_gap;
        let x = MARGIN + slot * block_width + col * (self.panel_width + self.gap);
        let y = self.bands[band].0 + line * self.pitch();
        let aspect = f64::from(image.height()) / f64::from(image.width());
        let height = (f64::from(self.panel_width) * aspect).round().clamp(1.0, 1e7) as i32;
        Rect::new(x, y, self.panel_width, height)
    }

    /// Right edge of the panels.
    pub fn right(&self) -> i32 {
        self.width - MARGIN - self.gap - BAR - self.ticks - self.small * 5 / 4
    }

    /// Bottom of the lowest panel.
    pub fn bottom(&self) -> i32 {
        let (top, height) = self.bands[self.bands.len() - 1];
        top + (self.lines - 1) * self.pitch() + height
    }
}

/// The cells along a side of an image, each a stride long and centred on its patch, cut off at the image's ends: no
/// clipping is left to who shows the page.
#[derive(Debug, PartialEq)]
pub(super) struct CellCut {
    /// Of each pixel of the raster its cell: one pixel for a cell, more where cells are cut.
    pub cells: Vec<usize>,
    /// Where the raster begins and ends, pixels of the image.
    pub from: f64,
    pub to: f64,
}

impl CellCut {
    /// `count` cells on an image of `side` pixels.
    pub fn new(grid: PatchGrid, count: usize, side: u32) -> Self {
        // In half pixels of the image every edge is a whole number.
        let (patch, stride) = (i64::from(grid.patch), i64::from(grid.stride));
        let (step, start) = (2 * stride, patch - stride);
        let end = start + count as i64 * step;
        let (from, to) = (start.max(0), end.min(2 * i64::from(side)));
        let pixel = gcd(gcd(step, from - start), to - start);
        let cell = |at: i64| ((at - start) / step) as usize;
        let cells = (from..to).step_by(pixel as usize).map(cell).collect();
        Self { cells, from: from as f64 / 2.0, to: to as f64 / 2.0 }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_leave_the_image_are_cut_off_at_its_edge() {
        let cut = |patch, stride, count, side| CellCut::new(PatchGrid { patch, stride }, count, side);
        // Patches that overlap: a pixel for each cell, the first centred on the first patch.
        assert_eq!(cut(14, 2, 3, 32), CellCut { cells: vec![0, 1, 2], from: 6.0, to: 12.0 });
        // 4-pixel patches every 10 on 24 pixels: cells reach from -3 to 27, cut to 0 and 24, of 7, 10 and 7.
        let cells = [vec![0; 7], vec![1; 10], vec![2; 7]].concat();
        assert_eq!(cut(4, 10, 3, 24), CellCut { cells, from: 0.0, to: 24.0 });
        // Half pixels: 5-pixel patches every 8 on 13: from -1.5 to 14.5, in halves 13 and 13.
        let cells = [vec![0; 13], vec![1; 13]].concat();
        assert_eq!(cut(5, 8, 2, 13), CellCut { cells, from: 0.0, to: 13.0 });
    }
}
