//! The page of a heatmap figure, drawn.

use anyhow::Result;
use plotters::prelude::{ChartBuilder, LabelAreaPosition};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, VPos};

use super::data::HeatmapFigure;
use super::layout::{BAR, CellCut, HeatmapLayout};
use super::words::summary;
use crate::colormap::space_color;
use crate::figure::canvas::{
    BORDER, FAINT, INK, MARGIN, PT, PageCanvas, Rect, Text, UNITS_PER_INCH, fitting, fixed, font, label, rgb,
    text_width, wrap,
};
use crate::figure::contour::contour;
use crate::figure::page::{self, Letters};
use crate::image::Image;

/// Height of the colour bar at most.
const TALLEST_BAR: i32 = 3 * UNITS_PER_INCH;

impl HeatmapFigure {
    pub(in crate::figure) fn svg(&self) -> Result<String> {
        self.validate()?;
        let layout = HeatmapLayout::new(self)?;
        let mut canvas = PageCanvas::new(layout.width);
        for (block, row) in self.data.rows.iter().enumerate() {
            canvas.image(&row.image, layout.panel(block, 0, &row.image), None);
            self.title(&mut canvas, &layout, (block, 0), &[self.image_title(row)], INK);
            self.below(&mut canvas, &layout, block, 0, &self.image_words(block));
            self.outline(&mut canvas, &layout, block, 0);
            let underlay = faded(&row.image, self.spec.underlay);
            for (index, space) in row.spaces.iter().enumerate() {
                self.heatmap(&mut canvas, &layout, block, index + 1, &underlay);
                let color = space_color(&space.name);
                let forms = [space.title.clone(), space.name.clone()];
                self.title(&mut canvas, &layout, (block, index + 1), &forms, color);
                self.below(&mut canvas, &layout, block, index + 1, &summary(&space.scores));
                self.outline(&mut canvas, &layout, block, index + 1);
            }
        }
        self.color_bar(&mut canvas, &layout)?;
        let below = layout.bottom() + layout.small * 9 / 4;
        let facts = wrap(&self.facts(), " · ", layout.small, layout.width - 2 * MARGIN);
        let end = canvas.notes(facts, MARGIN, below, layout.small);
        canvas.finish(end + MARGIN)
    }

    /// Title above a panel: of a lone query's panels, and of the first band's.
    fn title(
        &self,
        canvas: &mut PageCanvas,
        layout: &HeatmapLayout,
        (block, index): (usize, usize),
        forms: &[String],
        color: [u8; 3],
    ) {
        if block >= layout.across as usize {
            return;
        }
        let panel = layout.panel(block, index, &self.data.rows[block].image);
        let (mut x, y) = (panel.x as i32, panel.y as i32 - layout.text * 3 / 4);
        let right = x + layout.panel_width;
        if self.spec.page.letters == Letters::Panels && !self.has_several() {
            let letter = page::letter(index);
            canvas.text(label(x, y, layout.text, INK, &letter));
            x += text_width(&letter, layout.text) + layout.text / 2;
        }
        canvas.text(label(x, y, layout.text, color, fitting(forms, layout.text, right - x)));
    }

    /// A small line below a panel: the first of `forms` that fits.
    fn below(
        &self,
        canvas: &mut PageCanvas,
        layout: &HeatmapLayout,
        block: usize,
        index: usize,
        forms: &[String],
    ) {
        let panel = layout.panel(block, index, &self.data.rows[block].image);
        if forms.is_empty() {
            return;
        }
        let (x, y) = (panel.x as i32, (panel.y + panel.height) as i32 + layout.small / 2);
        let (size, h, v, upwards) = (layout.small, HPos::Left, VPos::Top, false);
        let color = if index == 0 && self.has_several() { INK } else { FAINT };
        let body = fitting(forms, size, layout.panel_width);
        canvas.text(Text { x, y, size, color, h, v, upwards, body });
    }

    /// The panel's border and the query's dashes.
    fn outline(&self, canvas: &mut PageCanvas, layout: &HeatmapLayout, block: usize, index: usize) {
        let row = &self.data.rows[block];
        let panel = layout.panel(block, index, &row.image);
        canvas.frame(panel, BORDER, PT / 2);
        let scale = panel.width / f64::from(row.image.width());
        let color = self.spec.page.palette.query();
        if let Some(composed) = &row.composed {
            return composed.draw(canvas, panel, scale, (layout.small, color));
        }
        let [y, x] = row.query.map(f64::from);
        let side = f64::from(row.grid.patch) * scale;
        let place = Rect { x: panel.x + x * scale, y: panel.y + y * scale, width: side, height: side };
        canvas.query(place, color);
    }

    fn heatmap(
        &self,
        canvas: &mut PageCanvas,
        layout: &HeatmapLayout,
        block: usize,
        index: usize,
        underlay: &Image,
    ) {
        let row = &self.data.rows[block];
        let (grid, (rows, cols)) = (row.grid, row.shape());
        let panel = layout.panel(block, index, &row.image);
        let scale = panel.width / f64::from(row.image.width());
        let [down, across] = [(rows, row.image.height()), (cols, row.image.width())]
            .map(|(count, side)| CellCut::new(grid, count, side));
        let cells = Rect {
            x: panel.x + across.from * scale,
            y: panel.y + down.from * scale,
            width: (across.to - across.from) * scale,
            height: (down.to - down.from) * scale,
        };
        let scores = &row.spaces[index - 1].scores;
        let places = down.cells.iter().flat_map(|row| across.cells.iter().map(move |col| row * cols + col));
        let colors = places.flat_map(|cell| self.spec.colormap.color_on(scores[cell], self.spec.range));
        let raster = Image::new(across.cells.len() as u32, down.cells.len() as u32, colors.collect());
        canvas.image(underlay, panel, None);
        canvas.image(&raster, cells, None);
        if let Some(level) = self.spec.contour {
            let start = (f64::from(grid.patch) - f64::from(grid.stride)) / 2.0;
            let place = |cells: f32| (start + f64::from(cells) * f64::from(grid.stride)) * scale;
            let pieces = contour(scores, rows, cols, level);
            let place = |[x, y]: [f32; 2]| [panel.x + place(x), panel.y + place(y)];
            canvas.line(pieces.into_iter().map(|piece| piece.map(place)));
        }
    }

    /// The one colour bar, right of the panels.
    fn color_bar(&self, canvas: &mut PageCanvas, layout: &HeatmapLayout) -> Result<()> {
        let (x, y) = (layout.right() + layout.gap, layout.bands[0].0);
        let bar_height = (layout.bottom() - y).min(TALLEST_BAR.max(layout.bands[0].1));
        let lut = self.spec.colormap.lut();
        let column = lut.iter().rev().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
        let bar = Rect::new(x, y, BAR, bar_height);
        canvas.element("<g id=\"color-bar\">");
        canvas.image(&Image::new(1, 256, column), bar, None);
        canvas.frame(bar, BORDER, PT / 2);
        let [lo, hi] = self.spec.range;
        let label = |v: &f32| fixed(f64::from(*v), if hi - lo < 0.5 { 2 } else { 1 });
        let (x, ticks) = (x + BAR, layout.ticks);
        canvas.plot(y + bar_height + 1, |page| {
            let area = page.clone().shrink((x, y), (ticks, bar_height + 1));
            let mut chart = ChartBuilder::on(&area)
                .set_label_area_size(LabelAreaPosition::Right, ticks - 1)
                .build_cartesian_2d(0.0..1.0f32, lo..hi)?;
            let style = font(layout.small).color(&rgb(INK));
            chart
                .configure_mesh()
                .disable_mesh()
                .disable_x_axis()
                .y_labels(8)
                .y_label_formatter(&label)
                .y_label_style(style)
                .axis_style(rgb(BORDER).stroke_width(PT as u32 / 2))
                .set_all_tick_mark_size(2 * PT)
                .draw()?;
            Ok(())
        })?;
        canvas.element("</g>");
        canvas.text(Text {
            x: x + ticks + layout.small / 2,
            y: y + bar_height / 2,
            size: layout.small,
            color: INK,
            h: HPos::Center,
            v: VPos::Center,
            upwards: true,
            body: self.spec.scale_label.clone(),
        });
        Ok(())
    }
}

/// A grey copy of `image` with `strength` of its contrast left, on white.
fn faded(image: &Image, strength: f32) -> Image {
    let grey = |p: &[u8]| {
        let luma = 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        [(255.0 - strength * (255.0 - luma)).round() as u8; 3]
    };
    Image::new(image.width(), image.height(), image.rgb().chunks_exact(3).flat_map(grey).collect())
}
