//! Fig 4, 6: an image with the query patch in dashes, and beside it how similar every patch is to
//! the query, one heatmap for each space, all on one colour scale; one such row for each query.
//!
//! A heatmap lies where its patches lie: each cell is one stride wide and
//! centred on its patch, over a faint grey copy of the image, so that a place
//! in the image and its score are at the same place in both panels.

mod layout;
mod words;

use anyhow::{Context, Result, ensure};
use plotters::prelude::{ChartBuilder, LabelAreaPosition};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, VPos};
use serde::{Deserialize, Serialize};

use super::canvas::{
    BORDER, Canvas, FAINT, INK, MARGIN, PT, Rect, Text, UNITS_PER_INCH, fitting, fixed, font, label, rgb,
    text_width, wrap,
};
use super::codec;
use super::page::{self, Letters, Page};
use layout::Layout;
use words::summary;

use crate::colormap::{Colormap, space_color};
use crate::image::Image;
use crate::patch::PatchGrid;

/// How a heatmap figure looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeatmapSpec {
    /// The page.
    pub page: Page,
    /// Colours of the scores.
    pub colormap: Colormap,
    /// Scores at the two ends of the colour scale.
    pub range: [f32; 2],
    /// What the scores are, beside the colour bar.
    pub scale_label: String,
    /// How strong the grey copy of the image is where a heatmap has no cells, 0 to 1.
    pub underlay: f32,
    /// Queries side by side; 0 picks.
    pub across: u32,
}

impl Default for HeatmapSpec {
    fn default() -> Self {
        Self {
            page: Page::default(),
            colormap: Colormap::default(),
            range: [-1.0, 1.0],
            scale_label: "cosine similarity".to_owned(),
            underlay: 0.35,
            across: 0,
        }
    }
}

/// What a heatmap figure shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatmapData {
    /// The queries, in reading order, all in the same spaces.
    pub rows: Vec<HeatmapRow>,
    /// Further facts to print below (model, data set); no paths, no times.
    pub notes: Vec<String>,
}

/// One query: its image and its heatmaps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatmapRow {
    /// The image whose patches were scored.
    #[serde(with = "codec::picture")]
    pub image: Image,
    /// Title of the image's panel.
    pub title: String,
    /// Where the patches lie on the image.
    pub grid: PatchGrid,
    /// Top-left pixel `[y, x]` of the query patch, whose side is `grid.patch`.
    pub query: [u32; 2],
    /// The heatmaps, left to right.
    pub spaces: Vec<HeatmapSpace>,
}

/// The scores of one space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatmapSpace {
    /// Short name, which picks the hue of the title ("z").
    pub name: String,
    /// Title of the panel ("projection z").
    pub title: String,
    /// One score for each patch of the grid, row by row; NaN where there is none.
    #[serde(with = "codec::floats")]
    pub scores: Vec<f32>,
}

impl HeatmapRow {
    /// Rows and columns of the grid.
    fn shape(&self) -> (usize, usize) {
        self.grid.shape(self.image.height(), self.image.width())
    }
}

/// A heatmap figure.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatmapFigure {
    /// How it looks.
    pub spec: HeatmapSpec,
    /// What it shows.
    pub data: HeatmapData,
}

/// Most queries on a page.
const MAX_ROWS: usize = 64;
const BAR: i32 = 7 * PT;
/// Height of the colour bar at most.
const TALLEST_BAR: i32 = 3 * UNITS_PER_INCH;

impl HeatmapFigure {
    pub(super) fn svg(&self) -> Result<String> {
        self.validate()?;
        let layout = Layout::new(self)?;
        let mut canvas = Canvas::new(layout.width);
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

    fn validate(&self) -> Result<()> {
        let (spec, data) = (&self.spec, &self.data);
        let [lo, hi] = spec.range;
        ensure!(
            lo.is_finite() && hi.is_finite() && hi - lo > 1e-4 * lo.abs().max(hi.abs()),
            "range is [{lo}, {hi}]; expected two numbers, the first clearly below the second"
        );
        ensure!((0.0..=1.0).contains(&spec.underlay), "underlay is {}; expected 0 to 1", spec.underlay);
        let count = data.rows.len();
        ensure!((1..=MAX_ROWS).contains(&count), "rows: {count} given; expected 1 to {MAX_ROWS}");
        let names = |row: &HeatmapRow| row.spaces.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
        let first = names(&data.rows[0]);
        ensure!((1..=12).contains(&first.len()), "spaces: {} given; expected 1 to 12", first.len());
        for (index, row) in data.rows.iter().enumerate() {
            let own = names(row);
            ensure!(own == first, "row {index}: spaces {own:?}; expected {first:?} as in the first row");
            row.validate().with_context(|| format!("row {index}"))?;
        }
        Ok(())
    }

    /// Title above a panel: of a lone query's panels, and of the first band's.
    fn title(
        &self,
        canvas: &mut Canvas,
        layout: &Layout,
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
    fn below(&self, canvas: &mut Canvas, layout: &Layout, block: usize, index: usize, forms: &[String]) {
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
    fn outline(&self, canvas: &mut Canvas, layout: &Layout, block: usize, index: usize) {
        let row = &self.data.rows[block];
        let panel = layout.panel(block, index, &row.image);
        canvas.frame(panel, BORDER, PT / 2);
        let scale = panel.width / f64::from(row.image.width());
        let [y, x] = row.query.map(f64::from);
        let side = f64::from(row.grid.patch) * scale;
        let place = Rect { x: panel.x + x * scale, y: panel.y + y * scale, width: side, height: side };
        canvas.query(place, self.spec.page.palette.query());
    }

    fn heatmap(&self, canvas: &mut Canvas, layout: &Layout, block: usize, index: usize, underlay: &Image) {
        let row = &self.data.rows[block];
        let (grid, (rows, cols)) = (row.grid, row.shape());
        let panel = layout.panel(block, index, &row.image);
        let scale = panel.width / f64::from(row.image.width());
        let stride = f64::from(grid.stride) * scale;
        // The first cell is centred on the first patch, whose corner is (0, 0).
        let before = (f64::from(grid.patch) - f64::from(grid.stride)) / 2.0 * scale;
        let cells = Rect {
            x: panel.x + before,
            y: panel.y + before,
            width: cols as f64 * stride,
            height: rows as f64 * stride,
        };
        let scores = &row.spaces[index - 1].scores;
        let colors = scores.iter().flat_map(|&s| self.spec.colormap.color_on(s, self.spec.range));
        let raster = Image::new(cols as u32, rows as u32, colors.collect());
        canvas.clipped(panel, |canvas| {
            canvas.image(underlay, panel, None);
            canvas.image(&raster, cells, None);
        });
    }

    /// The one colour bar, right of the panels.
    fn color_bar(&self, canvas: &mut Canvas, layout: &Layout) -> Result<()> {
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

impl HeatmapRow {
    fn validate(&self) -> Result<()> {
        let (height, width) = (self.image.height(), self.image.width());
        ensure!(height > 0 && width > 0, "the image is {width} x {height} pixels; expected at least 1 x 1");
        let grid = PatchGrid::new(self.grid.patch, self.grid.stride).context("grid")?;
        let (rows, cols) = grid.shape(height, width);
        ensure!(
            rows > 0 && cols > 0,
            "grid: patches of {} pixels do not fit on an image of {width} x {height}",
            grid.patch
        );
        let [y, x] = self.query.map(u64::from);
        let patch = u64::from(grid.patch);
        ensure!(
            y + patch <= u64::from(height) && x + patch <= u64::from(width),
            "query: a patch of {patch} pixels at y {y}, x {x} leaves the image of {width} x {height}"
        );
        for space in &self.spaces {
            let got = space.scores.len();
            ensure!(
                got == rows * cols,
                "space \"{}\": {got} scores; expected {rows} rows x {cols} columns = {}",
                space.name,
                rows * cols
            );
        }
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
