//! Fig 5, 7, 8: the patches nearest to a query, one grid for each space, in
//! reading order, the query first. Boxes as in the paper's Appendix E (none:
//! same image; green: another image of the class; red: another class), and a
//! corner sign that says the same without colour.

use anyhow::{Result, ensure};
use plotters::style::text_anchor::{HPos, VPos};
use serde::{Deserialize, Serialize};

use super::canvas::{Canvas, INK, PT, Rect, Text, fixed, hex, text_width, thousands, wrap};
use super::{codec, output};
use crate::colormap::{OTHER_CLASS, SAME_CLASS, UNLABELLED, space_color};
use crate::image::Image;
use crate::patch::PatchRef;
use crate::search::Relation;

/// How a gallery looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GallerySpec {
    /// Page width, inches (a column is 3.25, a text width 5.5 or 6.75).
    pub width_in: f32,
    /// Size of headings, points; small text is 7/8 of it.
    pub text_pt: f32,
    /// Cells in a row; 0 picks a shape near a square (12 for 120 cells, 16 for 256).
    pub columns: u32,
    /// Whether legend and counts stand below.
    pub legend: bool,
}

impl Default for GallerySpec {
    fn default() -> Self {
        Self { width_in: 6.75, text_pt: 8.0, columns: 0, legend: true }
    }
}

/// How a relation looks on the page.
trait Marked {
    const ALL: [Relation; 4] =
        [Relation::SameImage, Relation::SameClass, Relation::OtherClass, Relation::OtherImage];
    fn words(self) -> &'static str;
    fn frame(self) -> Option<[u8; 3]>;
}

impl Marked for Relation {
    fn words(self) -> &'static str {
        match self {
            Relation::SameImage => "same image",
            Relation::SameClass => "same class",
            Relation::OtherClass => "other class",
            Relation::OtherImage => "other image",
        }
    }

    /// Colour of the frame.
    fn frame(self) -> Option<[u8; 3]> {
        match self {
            Relation::SameImage => None,
            Relation::SameClass => Some(SAME_CLASS),
            Relation::OtherClass => Some(OTHER_CLASS),
            Relation::OtherImage => Some(UNLABELLED),
        }
    }
}

/// What a gallery shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GalleryData {
    /// Pixels of the query patch.
    #[serde(with = "codec::picture")]
    pub query: Image,
    /// Where the query patch lies.
    pub at: PatchRef,
    /// Neighbours shown in each space.
    pub k: usize,
    /// The grids, left to right.
    pub spaces: Vec<GallerySpace>,
    /// Further facts to print below (model, data set); no paths, no times.
    pub notes: Vec<String>,
}

/// The neighbours in one space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GallerySpace {
    /// Short name, which picks the hue of the heading ("z").
    pub name: String,
    /// Heading ("projection z").
    pub title: String,
    /// Patches that were searched.
    pub searched: u64,
    /// Patches that there are; more than `searched` while a bank is being made.
    pub total: u64,
    /// The `k` nearest, best first, without the query.
    pub cells: Vec<GalleryCell>,
}

/// One neighbour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GalleryCell {
    /// The patch's pixels.
    #[serde(with = "codec::picture")]
    pub patch: Image,
    /// Where the patch lies.
    pub at: PatchRef,
    /// Cosine similarity to the query.
    pub cosine: f32,
    /// How its image relates to the query's.
    pub relation: Relation,
}

/// A gallery figure.
#[derive(Clone, Debug, PartialEq)]
pub struct GalleryFigure {
    /// How it looks.
    pub spec: GallerySpec,
    /// What it shows.
    pub data: GalleryData,
}

const MARGIN: i32 = 3 * PT;
/// A grid narrower than this goes on a row of its own.
const NARROWEST_GRID: i32 = 150 * PT;
/// Most neighbours in a figure.
const MAX_K: usize = 4095;

/// Where things stand on the page, in units.
struct Layout {
    width: i32,
    text: i32,
    small: i32,
    columns: i32,
    /// Distance between cells, the side of one, the line of a frame.
    pitch: i32,
    side: i32,
    line: i32,
    /// Grids side by side, and the distance from one to the next.
    per_row: i32,
    block_width: i32,
    block_height: i32,
}

impl Layout {
    fn new(figure: &GalleryFigure) -> Result<Self> {
        let (spec, data) = (&figure.spec, &figure.data);
        let width = output::page_width(spec.width_in)?;
        ensure!((4.0..=24.0).contains(&spec.text_pt), "text_pt is {}; expected 4 to 24 points", spec.text_pt);
        let text = (spec.text_pt * PT as f32).round() as i32;
        let (cells, gap) = (data.k as i32 + 1, 12 * PT);
        let columns = if spec.columns == 0 { columns_for(cells) } else { spec.columns.min(4096) as i32 };
        let room = width - 2 * MARGIN;
        let per_row = ((room + gap) / (NARROWEST_GRID + gap)).clamp(1, data.spaces.len() as i32);
        let grid_width = (room - (per_row - 1) * gap) / per_row;
        let pitch = grid_width / columns;
        ensure!(
            pitch >= 4 * PT,
            "{} inches are too narrow for {columns} cells in a row; expected a larger width or fewer columns",
            spec.width_in
        );
        let rows = (cells + columns - 1) / columns;
        // Between two cells there is room for two frames and some white.
        let (side, line) = (pitch - pitch / 6, (pitch / 20).clamp(PT / 2, PT));
        let block_height = text * 7 / 4 + rows * pitch;
        let (small, block_width) = (text * 7 / 8, grid_width + gap);
        Ok(Self { width, text, small, columns, pitch, side, line, per_row, block_width, block_height })
    }

    /// Top left of grid `index`, its heading included.
    fn block(&self, index: usize) -> (i32, i32) {
        let (row, col) = (index as i32 / self.per_row, index as i32 % self.per_row);
        (MARGIN + col * self.block_width, MARGIN + row * (self.block_height + self.text))
    }

    /// Cell `index` (0: the query) of grid `block`.
    fn cell(&self, block: usize, index: usize) -> Rect {
        let (x, y) = self.block(block);
        let (row, col) = (index as i32 / self.columns, index as i32 % self.columns);
        let inset = (self.pitch - self.side) / 2;
        let top = y + self.text * 7 / 4;
        Rect::new(x + inset + col * self.pitch, top + inset + row * self.pitch, self.side, self.side)
    }
}

/// The paper's shapes: 12 columns for 120 cells, a square for square numbers.
fn columns_for(cells: i32) -> i32 {
    let root = f64::from(cells).sqrt();
    if root.fract() == 0.0 { root as i32 } else { (f64::from(cells) * 1.2).sqrt().ceil() as i32 }
}

impl GalleryFigure {
    pub(super) fn svg(&self) -> Result<String> {
        self.validate()?;
        let layout = Layout::new(self)?;
        let mut canvas = Canvas::new(layout.width);
        for (block, space) in self.data.spaces.iter().enumerate() {
            self.heading(&mut canvas, &layout, block, space);
            for (i, cell) in space.cells.iter().enumerate() {
                let rect = layout.cell(block, i + 1);
                canvas.image(&cell.patch, rect, Some(&describe(i + 1, cell)));
                mark(&mut canvas, rect, layout.line, cell.relation);
            }
            let rect = layout.cell(block, 0);
            canvas.image(&self.data.query, rect, Some("query"));
            canvas.query(rect);
        }
        let (_, last) = layout.block(self.data.spaces.len() - 1);
        let mut y = last + layout.block_height + layout.small * 3 / 4;
        if self.spec.legend {
            y = self.legend(&mut canvas, &layout, y);
        }
        let notes = wrap(&self.data.notes, " · ", layout.small, layout.width - 2 * MARGIN);
        let end = canvas.notes(notes, MARGIN, y, layout.small);
        canvas.finish(end + MARGIN)
    }

    fn validate(&self) -> Result<()> {
        let data = &self.data;
        ensure!((1..=MAX_K).contains(&data.k), "k is {}; expected 1 to {MAX_K}", data.k);
        ensure!(
            (1..=12).contains(&data.spaces.len()),
            "spaces: {} given; expected 1 to 12",
            data.spaces.len()
        );
        let has_pixels = |image: &Image| image.width() > 0 && image.height() > 0;
        ensure!(has_pixels(&data.query), "query: the patch has no pixels");
        for space in &data.spaces {
            let name = &space.name;
            ensure!(
                space.cells.len() == data.k,
                "space \"{name}\": {} cells; expected k = {}",
                space.cells.len(),
                data.k
            );
            ensure!(
                space.searched <= space.total,
                "space \"{name}\": {} patches searched of {} in all",
                space.searched,
                space.total
            );
            for (i, cell) in space.cells.iter().enumerate() {
                ensure!(has_pixels(&cell.patch), "space \"{name}\", cell {i}: the patch has no pixels");
                let cosine = cell.cosine;
                ensure!(
                    cosine.is_finite(),
                    "space \"{name}\", cell {i}: cosine is {cosine}; expected a number"
                );
            }
        }
        Ok(())
    }

    /// "projection z · 119 nearest of 1,204,000 patches", shorter where that is too wide.
    fn heading(&self, canvas: &mut Canvas, layout: &Layout, block: usize, space: &GallerySpace) {
        let (k, searched, total) = (self.data.k, thousands(space.searched), thousands(space.total));
        let forms = if space.searched == space.total {
            vec![format!("· {k} nearest of {searched} patches"), format!("· {k} of {searched}")]
        } else {
            vec![
                format!("· {k} nearest of {searched} patches searched ({total} in all)"),
                format!("· {k} nearest, over {searched} of {total}"),
            ]
        };
        let (x, y) = layout.block(block);
        let (size, h, v, upwards) = (layout.text, HPos::Left, VPos::Center, false);
        let y = y + layout.text * 3 / 4;
        let color = space_color(&space.name);
        canvas.text(Text { x, y, size, color, h, v, upwards, body: space.title.clone() });
        let after = text_width(&space.title, size) + size / 4;
        let fits = |form: &&String| after + text_width(form, layout.small) <= layout.columns * layout.pitch;
        if let Some(body) = forms.iter().find(fits).or(forms.last()).cloned() {
            canvas.text(Text { x: x + after, y, size: layout.small, color: INK, h, v, upwards, body });
        }
    }

    /// The boxes that occur, each with its words and its count in every space; returns the y below.
    fn legend(&self, canvas: &mut Canvas, layout: &Layout, mut y: i32) -> i32 {
        let size = layout.small;
        let sample = size * 7 / 4;
        let mut x = MARGIN;
        for relation in std::iter::once(None).chain(Relation::ALL.map(Some)) {
            let Some(body) = self.legend_words(relation) else { continue };
            let entry = sample + size / 2 + text_width(&body, size);
            if x > MARGIN && x + entry > layout.width - MARGIN {
                (x, y) = (MARGIN, y + size * 5 / 2);
            }
            let rect = Rect::new(x + PT, y + PT, sample - 2 * PT, sample - 2 * PT);
            canvas.image(&Image::filled(1, 1, [0xdc; 3]), rect, None);
            match relation {
                None => canvas.query(rect),
                Some(relation) => mark(canvas, rect, PT, relation),
            }
            let (x_text, v, h) = (x + sample + size / 2, VPos::Center, HPos::Left);
            let y_text = y + sample / 2;
            canvas.text(Text { x: x_text, y: y_text, size, color: INK, h, v, upwards: false, body });
            x += entry + size * 3 / 2;
        }
        y + size * 11 / 4
    }

    /// Words for a box; `None` where it does not occur.
    fn legend_words(&self, relation: Option<Relation>) -> Option<String> {
        let Some(relation) = relation else { return Some("query".to_owned()) };
        let count = |s: &GallerySpace| s.cells.iter().filter(|c| c.relation == relation).count();
        let counts: Vec<usize> = self.data.spaces.iter().map(count).collect();
        if counts.iter().all(|&n| n == 0) {
            return None;
        }
        let counts = self.data.spaces.iter().zip(counts).map(|(s, n)| format!("{} {n}", s.name));
        Some(format!("{}: {}", relation.words(), counts.collect::<Vec<_>>().join(", ")))
    }
}

/// What a viewer of the SVG shows on hover.
fn describe(rank: usize, cell: &GalleryCell) -> String {
    let PatchRef { image, y, x, .. } = cell.at;
    format!("{rank}: cosine {}, image {image} at y {y}, x {x}", fixed(f64::from(cell.cosine), 3))
}

/// The frame just outside `rect` and the sign in its upper right corner: a
/// filled triangle for the same class, a cross in a white square for another.
fn mark(canvas: &mut Canvas, rect: Rect, line: i32, relation: Relation) {
    let Some(color) = relation.frame() else { return };
    let line = if relation == Relation::OtherImage { PT / 2 } else { line };
    let grow = f64::from(line) / 2.0;
    let frame = Rect {
        x: rect.x - grow,
        y: rect.y - grow,
        width: rect.width + 2.0 * grow,
        height: rect.height + 2.0 * grow,
    };
    canvas.frame(frame, color, line);
    let side = (rect.width * 0.25).clamp(f64::from(3 * PT), f64::from(9 * PT)).round();
    let (right, top) = ((rect.x + rect.width).round(), rect.y.round());
    let (left, bottom) = (right - side, top + side);
    let color = hex(color);
    let thin = PT / 2;
    match relation {
        Relation::SameClass => canvas.element(&format!(
            "<path class=\"same-class\" d=\"M{left} {top}H{right}V{bottom}Z\" fill=\"{color}\" \
             stroke=\"#ffffff\" stroke-width=\"{thin}\" stroke-linejoin=\"round\"/>"
        )),
        Relation::OtherClass => {
            let inset = (side * 0.22).round();
            let (l, t, r, b) = (left + inset, top + inset, right - inset, bottom - inset);
            canvas.element(&format!(
                "<rect x=\"{left}\" y=\"{top}\" width=\"{side}\" height=\"{side}\" fill=\"#ffffff\"/>\n\
                 <path class=\"other-class\" d=\"M{l} {t}L{r} {b}M{r} {t}L{l} {b}\" stroke=\"{color}\" \
                 stroke-width=\"{}\"/>",
                (side * 0.2).round()
            ));
        }
        Relation::SameImage | Relation::OtherImage => {}
    }
}
