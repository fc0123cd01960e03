//! Fig 5, 7, 8, 9: the patches nearest to a query, one grid for each space, one row of grids for
//! each query.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::canvas::{INK, MARGIN, PT, PageCanvas, fitting, label, text_width, thousands, wrap};
use super::cells::{self, CellGrid, GalleryQuery, GallerySpace};
use super::page::{self, Letters, Page};
use crate::colormap::space_color;

/// How a gallery looks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GallerySpec {
    /// The page.
    pub page: Page,
    /// Cells in a row; 0 picks a shape near a square (12 for 120 cells, 15 with several queries; 16 for 256).
    pub columns: u32,
    /// Whether the share of each relation by rank stands below each grid.
    pub shares: bool,
}

/// What a gallery shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GalleryData {
    /// Neighbours shown in each space.
    pub k: usize,
    /// The queries, top to bottom.
    pub queries: Vec<GalleryQuery>,
    /// What was left out of the search, in words ("other images only"); always printed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Further facts to print below (model, data set); no paths, no times.
    pub notes: Vec<String>,
}

/// A gallery figure.
#[derive(Clone, Debug, PartialEq)]
pub struct GalleryFigure {
    /// How it looks.
    pub spec: GallerySpec,
    /// What it shows.
    pub data: GalleryData,
}

/// A grid narrower than this goes on a row of its own.
const NARROWEST_GRID: i32 = 150 * PT;

/// Where things stand on the page, in units.
struct GalleryLayout {
    width: i32,
    text: i32,
    small: i32,
    cells: CellGrid,
    /// Grids side by side, and the distance from one to the next.
    per_row: i32,
    block_width: i32,
    block_height: i32,
    /// Rows of grids that a query takes.
    rows: i32,
}

impl GalleryLayout {
    fn new(figure: &GalleryFigure) -> Result<Self> {
        let (spec, data) = (&figure.spec, &figure.data);
        let (width, text, small) = spec.page.units()?;
        let (room, gap) = (width - 2 * MARGIN, 12 * PT);
        let spaces = data.queries[0].spaces.len() as i32;
        let fit = ((room + gap) / (NARROWEST_GRID + gap)).clamp(1, spaces);
        // Rows of equal length: four grids stand two by two rather than three and one.
        let rows = (spaces + fit - 1) / fit;
        let per_row = (spaces + rows - 1) / rows;
        let grid_width = (room - (per_row - 1) * gap) / per_row;
        // Several queries share a page of the paper in flatter grids: eight rows of fifteen for 120 cells.
        let columns = match (spec.columns, data.k + 1) {
            (0, 120) if data.queries.len() > 2 => 15,
            (columns, _) => columns,
        };
        let cells = CellGrid::new(data.k, columns, grid_width)?;
        let strip = if spec.shares { cells.shares_height(small) } else { 0 };
        let block_height = text * 7 / 4 + cells.height() + strip;
        let block_width = grid_width + gap;
        Ok(Self { width, text, small, cells, per_row, block_width, block_height, rows })
    }

    /// Top left of the grid of space `index` of query `query`, its heading included.
    fn block(&self, query: usize, index: usize) -> (i32, i32) {
        let (row, col) = (index as i32 / self.per_row, index as i32 % self.per_row);
        let row = query as i32 * self.rows + row;
        (MARGIN + col * self.block_width, MARGIN + row * (self.block_height + self.text))
    }
}

impl GalleryFigure {
    pub(super) fn svg(&self) -> Result<String> {
        let (page, data) = (&self.spec.page, &self.data);
        cells::validate(data.k, &data.queries)?;
        let layout = GalleryLayout::new(self)?;
        let mut canvas = PageCanvas::new(layout.width);
        for (q, query) in data.queries.iter().enumerate() {
            for (s, space) in query.spaces.iter().enumerate() {
                self.heading(&mut canvas, &layout, q, s);
                let (x, y) = layout.block(q, s);
                let y = y + layout.text * 7 / 4;
                layout.cells.draw(&mut canvas, (x, y), &query.pixels, &space.cells, page.palette);
                if self.spec.shares {
                    let at = (x, y + layout.cells.height());
                    layout.cells.draw_shares(&mut canvas, at, &space.cells, layout.small, page.palette);
                }
            }
        }
        let (_, last) = layout.block(data.queries.len() - 1, data.queries[0].spaces.len() - 1);
        let y = last + layout.block_height + layout.small * 3 / 4;
        let room = layout.width - 2 * MARGIN;
        let mut y = cells::legend(&mut canvas, &data.queries, (MARGIN, y), room, layout.small, page.palette);
        let mut facts = data.left_out.clone();
        facts.extend(cells::copies_words(data.k, &data.queries));
        if self.spec.shares {
            facts.push(cells::strip_words(data.k));
        }
        if page.facts {
            facts.extend(cells::composed_words(&data.queries, |q| page.letter(q, data.queries.len())));
            facts.extend(data.notes.iter().cloned());
        }
        if !facts.is_empty() {
            let facts = wrap(&facts, " · ", layout.small, room);
            y = canvas.notes(facts, MARGIN, y, layout.small);
        }
        canvas.finish(y + MARGIN)
    }

    /// The letter of a grid, if it bears one.
    pub(super) fn letter(&self, query: usize, space: usize) -> Option<String> {
        let page = &self.spec.page;
        match self.data.queries.len() {
            1 => (page.letters == Letters::Panels).then(|| page::letter(space)),
            count => page.letter(query, count).filter(|_| space == 0),
        }
    }

    /// "(a) projection z · 119 nearest of 1,204,000 patches", shorter where that is too wide.
    fn heading(&self, canvas: &mut PageCanvas, layout: &GalleryLayout, q: usize, s: usize) {
        let query = &self.data.queries[q];
        let space = &query.spaces[s];
        let (mut x, y) = layout.block(q, s);
        let right = x + layout.cells.width();
        let (size, y) = (layout.text, y + layout.text * 3 / 4);
        if let Some(letter) = self.letter(q, s) {
            canvas.text(label(x, y, size, INK, &letter));
            x += text_width(&letter, size) + size / 2;
        }
        let forms = self.heading_forms(q, space);
        // Of how many patches the neighbours are is never cut off: rather is "embedding h" just "h".
        let least = forms.last().map_or(0, |form| text_width(form, layout.small));
        let has_room = |title: &String| x + text_width(title, size) + size / 4 + least <= right;
        let title = if has_room(&space.title) { &space.title } else { &space.name };
        canvas.text(label(x, y, size, space_color(&space.name), title));
        x += text_width(title, size) + size / 4;
        let body = fitting(&forms, layout.small, right - x);
        canvas.text(label(x, y, layout.small, INK, body));
    }

    /// What stands beside a grid's title, longest first.
    fn heading_forms(&self, q: usize, space: &GallerySpace) -> Vec<String> {
        let title = &self.data.queries[q].title;
        let of_query = if title.is_empty() { String::new() } else { format!("· {title} ") };
        let (k, searched, total) = (self.data.k, thousands(space.searched), thousands(space.total));
        let [long, short] = if space.searched == space.total {
            [format!("· {k} nearest of {searched} patches"), format!("· {k} of {searched}")]
        } else {
            [
                format!("· {k} nearest of {searched} patches searched ({total} in all)"),
                format!("· {k} nearest, over {searched} of {total}"),
            ]
        };
        vec![format!("{of_query}{long}"), long, format!("{of_query}{short}"), short]
    }
}
