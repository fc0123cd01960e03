//! Fig 4: the image with the query patch in red dashes, and beside it how
//! similar every patch is to the query, one heatmap for each space, all on one
//! colour scale.
//!
//! A heatmap lies where its patches lie: each cell is one stride wide and
//! centred on its patch, over a faint grey copy of the image, so that a place
//! in the image and its score are at the same place in both panels.

use anyhow::{Context, Result, ensure};
use plotters::prelude::{ChartBuilder, LabelAreaPosition};
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, VPos};
use serde::{Deserialize, Serialize};

use super::canvas::{
    BORDER, Canvas, FAINT, INK, PT, Rect, Text, fixed, font, rgb, text_width, thousands, wrap,
};
use super::{codec, output};
use crate::colormap::{Colormap, space_color};
use crate::image::Image;
use crate::patch::PatchGrid;

/// How a heatmap figure looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeatmapSpec {
    /// Page width, inches (a column is 3.25, a text width 5.5 or 6.75).
    pub width_in: f32,
    /// Size of titles, points; small text is 7/8 of it.
    pub text_pt: f32,
    /// Colours of the scores.
    pub colormap: Colormap,
    /// Scores at the two ends of the colour scale.
    pub range: [f32; 2],
    /// What the scores are, beside the colour bar.
    pub scale_label: String,
    /// How strong the grey copy of the image is where a heatmap has no cells, 0 to 1.
    pub underlay: f32,
    /// Whether patch size, stride, grid and query stand below.
    pub facts: bool,
}

impl Default for HeatmapSpec {
    fn default() -> Self {
        Self {
            width_in: 6.75,
            text_pt: 8.0,
            colormap: Colormap::default(),
            range: [-1.0, 1.0],
            scale_label: "cosine similarity".to_owned(),
            underlay: 0.35,
            facts: true,
        }
    }
}

/// What a heatmap figure shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatmapData {
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
    /// Further facts to print below (model, data set); no paths, no times.
    pub notes: Vec<String>,
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

/// A heatmap figure.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatmapFigure {
    /// How it looks.
    pub spec: HeatmapSpec,
    /// What it shows.
    pub data: HeatmapData,
}

/// Where things stand on the page, in units.
struct Layout {
    width: i32,
    text: i32,
    small: i32,
    panel_width: i32,
    panel_height: i32,
    /// Panels side by side.
    per_row: i32,
    rows: i32,
    /// Height of a title, distance between panels.
    title: i32,
    gap: i32,
    /// Width of the numbers beside the colour bar.
    ticks: i32,
}

const MARGIN: i32 = 3 * PT;
const BAR: i32 = 7 * PT;

impl Layout {
    fn new(figure: &HeatmapFigure) -> Result<Self> {
        let (spec, data) = (&figure.spec, &figure.data);
        let width = output::page_width(spec.width_in)?;
        ensure!((4.0..=24.0).contains(&spec.text_pt), "text_pt is {}; expected 4 to 24 points", spec.text_pt);
        let text = (spec.text_pt * PT as f32).round() as i32;
        let small = text * 7 / 8;
        let gap = 7 * PT;
        let panels = data.spaces.len() as i32 + 1;
        let rows = (panels + 3) / 4;
        let per_row = (panels + rows - 1) / rows;
        let ticks = text_width("\u{2212}0.55", small) + 7 * PT;
        let bar = gap + BAR + ticks + small * 5 / 4;
        let panel_width = (width - 2 * MARGIN - bar - (per_row - 1) * gap) / per_row;
        ensure!(
            panel_width >= 20 * PT,
            "{} inches are too narrow for {per_row} panels side by side; expected a larger width",
            spec.width_in
        );
        let aspect = f64::from(data.image.height()) / f64::from(data.image.width());
        let panel_height = (f64::from(panel_width) * aspect).round().clamp(1.0, 1e7) as i32;
        Ok(Self {
            width,
            text,
            small,
            panel_width,
            panel_height,
            per_row,
            rows,
            title: text * 3 / 2,
            gap,
            ticks,
        })
    }

    /// Distance between the tops of two rows of panels.
    fn pitch(&self) -> i32 {
        self.title + self.panel_height + self.small * 7 / 4 + self.gap
    }

    /// The rectangle of panel `index`.
    fn panel(&self, index: usize) -> Rect {
        let (row, col) = (index as i32 / self.per_row, index as i32 % self.per_row);
        let (x, y) = (MARGIN + col * (self.panel_width + self.gap), MARGIN + self.title + row * self.pitch());
        Rect::new(x, y, self.panel_width, self.panel_height)
    }

    /// Bottom of the lowest panel.
    fn bottom(&self) -> i32 {
        MARGIN + self.title + (self.rows - 1) * self.pitch() + self.panel_height
    }
}

impl HeatmapFigure {
    pub(super) fn svg(&self) -> Result<String> {
        self.validate()?;
        let layout = Layout::new(self)?;
        let mut canvas = Canvas::new(layout.width);
        let image = layout.panel(0);
        canvas.image(&self.data.image, image, None);
        let [width, height] = [self.data.image.width(), self.data.image.height()];
        self.label(&mut canvas, &layout, 0, &self.data.title, INK, &[format!("{width} × {height} px")]);
        self.outline(&mut canvas, image);
        let underlay = faded(&self.data.image, self.spec.underlay);
        for (index, space) in self.data.spaces.iter().enumerate() {
            self.heatmap(&mut canvas, &layout, index + 1, space, &underlay);
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
        let (height, width) = (data.image.height(), data.image.width());
        ensure!(height > 0 && width > 0, "the image is {width} x {height} pixels; expected at least 1 x 1");
        let grid = PatchGrid::new(data.grid.patch, data.grid.stride).context("grid")?;
        let (rows, cols) = grid.shape(height, width);
        ensure!(
            rows > 0 && cols > 0,
            "grid: patches of {} pixels do not fit on an image of {width} x {height}",
            grid.patch
        );
        let [y, x] = data.query.map(u64::from);
        let patch = u64::from(grid.patch);
        ensure!(
            y + patch <= u64::from(height) && x + patch <= u64::from(width),
            "query: a patch of {patch} pixels at y {y}, x {x} leaves the image of {width} x {height}"
        );
        ensure!(
            (1..=12).contains(&data.spaces.len()),
            "spaces: {} given; expected 1 to 12",
            data.spaces.len()
        );
        for space in &data.spaces {
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

    /// Title above a panel and one small line below it: the first of `below` that fits.
    fn label(
        &self,
        canvas: &mut Canvas,
        layout: &Layout,
        index: usize,
        title: &str,
        color: [u8; 3],
        below: &[String],
    ) {
        let panel = layout.panel(index);
        let (x, y) = (panel.x as i32, panel.y as i32);
        let (h, size, upwards) = (HPos::Left, layout.text, false);
        let above = y - layout.text * 3 / 4;
        canvas.text(Text { x, y: above, size, color, h, v: VPos::Center, upwards, body: title.to_owned() });
        if let Some(body) = below.iter().find(|t| text_width(t, layout.small) <= layout.panel_width) {
            let (y, size, body) = (y + layout.panel_height + layout.small / 2, layout.small, body.clone());
            canvas.text(Text { x, y, size, color: FAINT, h, v: VPos::Top, upwards, body });
        }
    }

    /// The panel's border and the query's dashes.
    fn outline(&self, canvas: &mut Canvas, panel: Rect) {
        canvas.frame(panel, BORDER, PT / 2);
        let scale = panel.width / f64::from(self.data.image.width());
        let [y, x] = self.data.query.map(f64::from);
        let side = f64::from(self.data.grid.patch) * scale;
        canvas.query(Rect { x: panel.x + x * scale, y: panel.y + y * scale, width: side, height: side });
    }

    fn heatmap(
        &self,
        canvas: &mut Canvas,
        layout: &Layout,
        index: usize,
        space: &HeatmapSpace,
        underlay: &Image,
    ) {
        let (grid, image) = (self.data.grid, &self.data.image);
        let (rows, cols) = grid.shape(image.height(), image.width());
        let panel = layout.panel(index);
        let scale = panel.width / f64::from(image.width());
        let stride = f64::from(grid.stride) * scale;
        // The first cell is centred on the first patch, whose corner is (0, 0).
        let before = (f64::from(grid.patch) - f64::from(grid.stride)) / 2.0 * scale;
        let cells = Rect {
            x: panel.x + before,
            y: panel.y + before,
            width: cols as f64 * stride,
            height: rows as f64 * stride,
        };
        let colors = space.scores.iter().flat_map(|&s| self.spec.colormap.color_on(s, self.spec.range));
        let raster = Image::new(cols as u32, rows as u32, colors.collect());
        canvas.clipped(panel, |canvas| {
            canvas.image(underlay, panel, None);
            canvas.image(&raster, cells, None);
        });
        self.label(canvas, layout, index, &space.title, space_color(&space.name), &summary(&space.scores));
        self.outline(canvas, panel);
    }

    /// The one colour bar, right of the first row of panels.
    fn color_bar(&self, canvas: &mut Canvas, layout: &Layout) -> Result<()> {
        let last = layout.panel(layout.per_row as usize - 1);
        let (x, y) = ((last.x + last.width) as i32 + layout.gap, last.y as i32);
        let bar_height = layout.bottom() - y;
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

    /// What stands below: geometry, what is not shown as it is, the caller's notes.
    fn facts(&self) -> Vec<String> {
        let (grid, image) = (self.data.grid, &self.data.image);
        let (rows, cols) = grid.shape(image.height(), image.width());
        let [y, x] = self.data.query;
        let mut facts = Vec::new();
        if self.spec.facts {
            facts.push(format!("patch {0} × {0} px", grid.patch));
            facts.push(format!("stride {} px", grid.stride));
            facts.push(format!("grid {rows} × {cols} = {} patches", thousands((rows * cols) as u64)));
            facts.push(format!("query (red dashes) at y {y}, x {x}"));
        }
        let [lo, hi] = self.spec.range;
        for space in &self.data.spaces {
            let all = thousands(space.scores.len() as u64);
            let count = |is: &dyn Fn(f32) -> bool| space.scores.iter().filter(|&&s| is(s)).count() as u64;
            // A cosine may leave [-1, 1] by a rounding error, which is not clipping.
            let slack = 1e-4 * (hi - lo);
            let (missing, beyond) = (count(&|s| s.is_nan()), count(&|s| s < lo - slack || s > hi + slack));
            if missing > 0 {
                facts.push(format!(
                    "{}: {} of {all} patches not scored (grey)",
                    space.name,
                    thousands(missing)
                ));
            }
            if beyond > 0 {
                facts.push(format!("{}: {} of {all} scores beyond the scale", space.name, thousands(beyond)));
            }
        }
        facts.extend(self.data.notes.iter().cloned());
        facts
    }
}

/// Least, mean and greatest score in words, long and short; nothing where all are NaN.
fn summary(scores: &[f32]) -> Vec<String> {
    let known: Vec<f64> = scores.iter().filter(|s| !s.is_nan()).map(|&s| f64::from(s)).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let min = fixed(known.iter().copied().fold(f64::INFINITY, f64::min), 2);
    let max = fixed(known.iter().copied().fold(f64::NEG_INFINITY, f64::max), 2);
    let mean = fixed(known.iter().sum::<f64>() / known.len() as f64, 2);
    vec![format!("min {min} · mean {mean} · max {max}"), format!("{min} to {max}")]
}

/// A grey copy of `image` with `strength` of its contrast left, on white.
fn faded(image: &Image, strength: f32) -> Image {
    let grey = |p: &[u8]| {
        let luma = 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
        [(255.0 - strength * (255.0 - luma)).round() as u8; 3]
    };
    Image::new(image.width(), image.height(), image.rgb().chunks_exact(3).flat_map(grey).collect())
}
