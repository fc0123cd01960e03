//! One grid of neighbours: the query first, then the patches in reading order, each with its
//! box and corner sign (the paper's Appendix E), and below them the share of each relation by rank.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::canvas::{BORDER, FAINT, INK, PT, PageCanvas, Rect, fixed, hex, label, text_width};
use super::codec;
use super::page::{BoxPalette, RELATIONS, relation_words};
use super::query::ComposedQuery;
use crate::image::Image;
use crate::patch::PatchRef;
use crate::search::Relation;

/// A query patch and its neighbours in each space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GalleryQuery {
    /// Pixels of the query patch.
    #[serde(with = "codec::picture")]
    pub pixels: Image,
    /// Where the query patch lies; of a composed query, a patch about its first part.
    pub at: PatchRef,
    /// The query, where it is no patch of the size that is searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composed: Option<ComposedQuery>,
    /// What it is called beside its letter ("horse"); may be empty.
    pub title: String,
    /// The grids, left to right; the same spaces for all queries of a figure.
    pub spaces: Vec<GallerySpace>,
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
    /// Images with the same pixels that it stands for, its own among them; 1 unless copies are folded.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub copies: usize,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(copies: &usize) -> bool {
    *copies == 1
}

/// Most neighbours in a grid.
const MAX_K: usize = 4095;
/// Most queries on a page.
const MAX_QUERIES: usize = 64;

/// Checks what galleries and sheets share; errors say where.
pub(super) fn validate(k: usize, queries: &[GalleryQuery]) -> Result<()> {
    ensure!((1..=MAX_K).contains(&k), "k is {k}; expected 1 to {MAX_K}");
    let count = queries.len();
    ensure!((1..=MAX_QUERIES).contains(&count), "queries: {count} given; expected 1 to {MAX_QUERIES}");
    let names = |query: &GalleryQuery| query.spaces.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
    let first = names(&queries[0]);
    ensure!((1..=12).contains(&first.len()), "spaces: {} given; expected 1 to 12", first.len());
    let has_pixels = |image: &Image| image.width() > 0 && image.height() > 0;
    for (index, query) in queries.iter().enumerate() {
        ensure!(has_pixels(&query.pixels), "query {index}: the patch has no pixels");
        if let Some(composed) = &query.composed {
            composed.validate(None).with_context(|| format!("query {index}"))?;
        }
        let own = names(query);
        ensure!(own == first, "query {index}: spaces {own:?}; expected {first:?} as in the first query");
        for space in &query.spaces {
            let at = || format!("query {index}, space \"{}\"", space.name);
            let count = space.cells.len();
            ensure!(count == k, "{}: {count} cells; expected k = {k}", at());
            ensure!(
                space.searched <= space.total,
                "{}: {} patches searched of {} in all",
                at(),
                space.searched,
                space.total
            );
            for (i, cell) in space.cells.iter().enumerate() {
                ensure!(has_pixels(&cell.patch), "{}, cell {i}: the patch has no pixels", at());
                let cosine = cell.cosine;
                ensure!(cosine.is_finite(), "{}, cell {i}: cosine is {cosine}; expected a number", at());
            }
        }
    }
    Ok(())
}

/// The paper's shapes: 12 columns for 120 cells, a square for square numbers.
pub(super) fn columns_for(cells: usize) -> i32 {
    let root = (cells as f64).sqrt();
    if root.fract() == 0.0 { root as i32 } else { (cells as f64 * 1.2).sqrt().ceil() as i32 }
}

/// The measures of a grid, in units.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellGrid {
    pub columns: i32,
    rows: i32,
    /// Distance between cells, the side of one, the line of a frame.
    pitch: i32,
    side: i32,
    line: i32,
}

impl CellGrid {
    /// A grid of `k` neighbours and the query, `width` units wide; `columns` 0 picks a shape.
    pub fn new(k: usize, columns: u32, width: i32) -> Result<Self> {
        let cells = k + 1;
        let columns = if columns == 0 { columns_for(cells) } else { columns.min(4096) as i32 };
        let pitch = width / columns;
        ensure!(
            pitch >= 4 * PT,
            "a grid {:.2} inches wide is too narrow for {columns} cells in a row; expected a larger width or \
             fewer columns",
            f64::from(width) / f64::from(super::canvas::UNITS_PER_INCH)
        );
        let rows = (cells as i32 + columns - 1) / columns;
        // Between two cells there is room for two frames and some white.
        Ok(Self { columns, rows, pitch, side: pitch - pitch / 6, line: (pitch / 20).clamp(PT / 2, PT) })
    }

    pub fn width(&self) -> i32 {
        self.columns * self.pitch
    }

    pub fn height(&self) -> i32 {
        self.rows * self.pitch
    }

    /// Cell `index` (0: the query) of a grid whose corner is `(x, y)`.
    fn cell(&self, (x, y): (i32, i32), index: usize) -> Rect {
        let (row, col) = (index as i32 / self.columns, index as i32 % self.columns);
        let inset = (self.pitch - self.side) / 2;
        Rect::new(x + inset + col * self.pitch, y + inset + row * self.pitch, self.side, self.side)
    }

    /// Draws the query and its neighbours in one space from corner `at`.
    pub fn draw(
        &self,
        canvas: &mut PageCanvas,
        at: (i32, i32),
        query: &Image,
        cells: &[GalleryCell],
        palette: BoxPalette,
    ) {
        for (i, cell) in cells.iter().enumerate() {
            let rect = self.cell(at, i + 1);
            canvas.image(&cell.patch, rect, Some(&describe(i + 1, cell)));
            mark(canvas, rect, self.line, cell.relation, palette);
        }
        let rect = self.cell(at, 0);
        canvas.image(query, rect, Some("query"));
        canvas.query(rect, palette.query());
    }

    /// Height of [`Self::draw_shares`].
    pub fn shares_height(&self, small: i32) -> i32 {
        small / 2 + STRIP + small * 3 / 2
    }

    /// Draws the share of each relation by rank, from `y` down, as wide as the grid.
    pub fn draw_shares(
        &self,
        canvas: &mut PageCanvas,
        (x, y): (i32, i32),
        cells: &[GalleryCell],
        small: i32,
        palette: BoxPalette,
    ) {
        let inset = (self.pitch - self.side) / 2;
        let strip = Rect::new(x + inset, y + small / 2, self.width() - 2 * inset, STRIP);
        let bins = share_by_rank(cells);
        let width = strip.width / bins.len() as f64;
        canvas.element("<g class=\"shares\">");
        for (i, shares) in bins.iter().enumerate() {
            let mut bottom = strip.y + strip.height;
            for (relation, share) in RELATIONS.into_iter().zip(shares).filter(|(_, share)| **share > 0.0) {
                let height = strip.height * share;
                bottom -= height;
                let bar = Rect { x: strip.x + i as f64 * width, y: bottom, width, height };
                canvas.fill(bar, palette.bar(relation));
            }
        }
        canvas.frame(strip, BORDER, PT / 2);
        canvas.element("</g>");
        let y = (strip.y + strip.height) as i32 + small * 3 / 4;
        let (left, right) = (strip.x as i32, (strip.x + strip.width) as i32);
        let last = cells.len().to_string();
        canvas.text(label(left, y, small, FAINT, "rank 1"));
        canvas.text(label(right - text_width(&last, small), y, small, FAINT, last));
        let forms = ["share by rank".to_owned(), "share".to_owned()];
        let room = right - left - text_width("rank 1", small) * 3;
        if let Some(middle) = forms.into_iter().find(|form| text_width(form, small) < room) {
            canvas.text(label((left + right - text_width(&middle, small)) / 2, y, small, FAINT, middle));
        }
    }
}

/// Height of a strip of shares.
const STRIP: i32 = 14 * PT;
/// Most bins of a strip.
const MOST_BINS: usize = 20;

/// What a strip below a gallery of `k` neighbours shows.
pub(super) fn strip_words(k: usize) -> String {
    let bins = k.min(MOST_BINS);
    let each = if bins == k { "each rank".to_owned() } else { format!("{bins} bins of {k} ranks") };
    format!("strip below a gallery: share of each relation by rank, 0 to 100 % upwards, for {each}")
}

/// Shares of the four [`RELATIONS`] in bins of (about) equally many ranks, the best first.
pub(super) fn share_by_rank(cells: &[GalleryCell]) -> Vec<[f64; 4]> {
    let bins = cells.len().min(MOST_BINS);
    let share = |bin: usize| {
        let of_bin = &cells[bin * cells.len() / bins..(bin + 1) * cells.len() / bins];
        RELATIONS.map(|r| of_bin.iter().filter(|c| c.relation == r).count() as f64 / of_bin.len() as f64)
    };
    (0..bins).map(share).collect()
}

/// What a viewer of the SVG shows on hover.
fn describe(rank: usize, cell: &GalleryCell) -> String {
    let PatchRef { image, y, x, .. } = cell.at;
    let copies = match cell.copies {
        1 => String::new(),
        copies => format!(", stands for {copies} images with the same pixels"),
    };
    format!("{rank}: cosine {}, image {image} at y {y}, x {x}{copies}", fixed(f64::from(cell.cosine), 3))
}

/// The boxes that occur, each with its words and its count in every space; returns the y below.
pub(super) fn legend(
    canvas: &mut PageCanvas,
    queries: &[GalleryQuery],
    (x0, mut y): (i32, i32),
    width: i32,
    size: i32,
    palette: BoxPalette,
) -> i32 {
    let sample = size * 7 / 4;
    let mut x = x0;
    for relation in std::iter::once(None).chain(RELATIONS.map(Some)) {
        let Some(body) = legend_words(queries, relation) else { continue };
        let entry = sample + size / 2 + text_width(&body, size);
        if x > x0 && x + entry > x0 + width {
            (x, y) = (x0, y + size * 5 / 2);
        }
        let rect = Rect::new(x + PT, y + PT, sample - 2 * PT, sample - 2 * PT);
        match relation {
            None => {
                canvas.fill(rect, [0xdc; 3]);
                canvas.query(rect, palette.query());
            }
            Some(relation) => {
                canvas.fill(rect, [0xdc; 3]);
                mark(canvas, rect, PT, relation, palette);
            }
        }
        canvas.text(label(x + sample + size / 2, y + sample / 2, size, INK, body));
        x += entry + size * 3 / 2;
    }
    y + size * 11 / 4
}

/// Words for a box; `None` where it does not occur.
fn legend_words(queries: &[GalleryQuery], relation: Option<Relation>) -> Option<String> {
    let Some(relation) = relation else { return Some("query".to_owned()) };
    let counts = counts(queries, relation);
    if counts.iter().all(|&(_, n)| n == 0) {
        return None;
    }
    let counts: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
    Some(format!("{}: {}", relation_words(relation), counts.join(", ")))
}

/// What the queries are that are no patches; `name` is what query `index` is called.
pub(super) fn composed_words(
    queries: &[GalleryQuery],
    name: impl Fn(usize) -> Option<String>,
) -> Vec<String> {
    let words = |(index, query): (usize, &GalleryQuery)| {
        let words = query.composed.as_ref()?.words();
        Some(match name(index) {
            Some(name) => format!("query {name}: {words}"),
            None => format!("query: {words}"),
        })
    };
    queries.iter().enumerate().filter_map(words).collect()
}

/// How many neighbours of each space stand for several images, and for how many; nothing where none does.
pub(super) fn copies_words(k: usize, queries: &[GalleryQuery]) -> Option<String> {
    let is_folded = |cell: &&GalleryCell| cell.copies > 1;
    let cells = queries.iter().flat_map(|query| &query.spaces).flat_map(|space| &space.cells);
    let copies: Vec<usize> = cells.filter(is_folded).map(|cell| cell.copies).collect();
    let (least, most) = (copies.iter().min()?, copies.iter().max()?);
    let images = if least == most { most.to_string() } else { format!("{least} to {most}") };
    let count = |at: usize| {
        let of_query = |query: &GalleryQuery| query.spaces[at].cells.iter().filter(is_folded).count();
        let count: usize = queries.iter().map(of_query).sum();
        format!("{} {count}", queries[0].spaces[at].name)
    };
    let counts: Vec<String> = (0..queries[0].spaces.len()).map(count).collect();
    let of = k * queries.len();
    Some(format!("of {of} neighbours stand for {images} images with the same pixels: {}", counts.join(", ")))
}

/// How often a relation occurs in each space, over all queries.
pub(super) fn counts(queries: &[GalleryQuery], relation: Relation) -> Vec<(&str, usize)> {
    let spaces = 0..queries.first().map_or(0, |query| query.spaces.len());
    let in_space = |space: &GallerySpace| space.cells.iter().filter(|c| c.relation == relation).count();
    let count = |at: usize| queries.iter().map(|query| in_space(&query.spaces[at])).sum();
    spaces.map(|at| (queries[0].spaces[at].name.as_str(), count(at))).collect()
}

/// The frame just outside `rect` and the sign in its upper right corner: a
/// filled triangle for the same class, a cross in a white square for another.
fn mark(canvas: &mut PageCanvas, rect: Rect, line: i32, relation: Relation, palette: BoxPalette) {
    let Some(color) = palette.frame(relation) else { return };
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
