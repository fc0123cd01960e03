//! Fig 10: many parts on one sheet, a small gallery for each, named by row and column ("2d").
//! Fig 11, 12: the compositional structure of one image: the image with numbered positions, and a
//! small gallery for each of them.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use super::canvas::{BORDER, INK, MARGIN, PT, PageCanvas, Rect, fitting, label, text_width, thousands, wrap};
use super::cells::{self, CellGrid, GalleryQuery};
use super::codec;
use super::page::Page;
use crate::colormap::space_color;
use crate::image::Image;

/// How a sheet looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SheetSpec {
    /// The page.
    pub page: Page,
    /// Galleries side by side, the image of an instance counted.
    pub across: u32,
    /// Cells in a row of a gallery; 0 picks a shape near a square.
    pub columns: u32,
    /// Whether the share of each relation by rank stands below each gallery.
    pub shares: bool,
}

impl Default for SheetSpec {
    fn default() -> Self {
        Self { page: Page::default(), across: 4, columns: 0, shares: false }
    }
}

/// What a sheet shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SheetData {
    /// The image that all queries are positions of (Fig 11, 12); none for a sheet of parts (Fig 10).
    pub instance: Option<Instance>,
    /// Neighbours shown of each query.
    pub k: usize,
    /// The queries, in reading order. With several spaces each query has a gallery in each.
    pub queries: Vec<GalleryQuery>,
    /// What was left out of the search, in words ("other images only"); always printed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Further facts to print below (model, data set); no paths, no times.
    pub notes: Vec<String>,
}

/// The image whose positions are asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// Its pixels.
    #[serde(with = "codec::picture")]
    pub image: Image,
    /// What it is called ("image 12 · plane").
    pub title: String,
}

/// A sheet of galleries.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetFigure {
    /// How it looks.
    pub spec: SheetSpec,
    /// What it shows.
    pub data: SheetData,
}

const GAP: i32 = 9 * PT;

/// Where things stand on the page, in units. A slot is a gallery or the instance's image.
struct SheetLayout {
    width: i32,
    text: i32,
    small: i32,
    across: i32,
    cells: CellGrid,
    slot_width: i32,
    /// Height of a slot with its heading.
    slot_height: i32,
}

impl SheetLayout {
    fn new(figure: &SheetFigure) -> Result<Self> {
        let spec = &figure.spec;
        let (width, text, small) = spec.page.units()?;
        ensure!((1..=26).contains(&spec.across), "across is {}; expected 1 to 26 galleries", spec.across);
        let across = spec.across as i32;
        let slot_width = (width - 2 * MARGIN - (across - 1) * GAP) / across;
        let cells = CellGrid::new(figure.data.k, spec.columns, slot_width)?;
        let strip = if spec.shares { cells.shares_height(small) } else { 0 };
        let slot_height = text * 7 / 4 + cells.height() + strip;
        Ok(Self { width, text, small, across, cells, slot_width, slot_height })
    }

    /// Top left of slot `index`.
    fn slot(&self, index: usize) -> (i32, i32) {
        let (row, col) = (index as i32 / self.across, index as i32 % self.across);
        (MARGIN + col * (self.slot_width + GAP), MARGIN + row * (self.slot_height + self.text / 2))
    }
}

impl SheetFigure {
    pub(super) fn svg(&self) -> Result<String> {
        self.validate()?;
        let (page, data) = (&self.spec.page, &self.data);
        let layout = SheetLayout::new(self)?;
        let mut canvas = PageCanvas::new(layout.width);
        let mut slot = 0;
        if let Some(instance) = &data.instance {
            self.draw_instance(&mut canvas, &layout, instance);
            slot = 1;
        }
        for (q, query) in data.queries.iter().enumerate() {
            for (s, space) in query.spaces.iter().enumerate() {
                self.heading(&mut canvas, &layout, slot, q, s);
                let (x, y) = layout.slot(slot);
                let y = y + layout.text * 7 / 4;
                layout.cells.draw(&mut canvas, (x, y), &query.pixels, &space.cells, page.palette);
                if self.spec.shares {
                    let at = (x, y + layout.cells.height());
                    layout.cells.draw_shares(&mut canvas, at, &space.cells, layout.small, page.palette);
                }
                slot += 1;
            }
        }
        let (_, last) = layout.slot(slot - 1);
        let y = last + layout.slot_height + layout.small * 3 / 4;
        let room = layout.width - 2 * MARGIN;
        let y = cells::legend(&mut canvas, &data.queries, (MARGIN, y), room, layout.small, page.palette);
        let facts = wrap(&self.facts(), " · ", layout.small, room);
        let y = canvas.notes(facts, MARGIN, y, layout.small);
        canvas.finish(y + MARGIN)
    }

    fn validate(&self) -> Result<()> {
        let data = &self.data;
        cells::validate(data.k, &data.queries)?;
        let Some(instance) = &data.instance else { return Ok(()) };
        let (height, width) = (instance.image.height(), instance.image.width());
        ensure!(height > 0 && width > 0, "the image is {width} x {height} pixels; expected at least 1 x 1");
        for (index, query) in data.queries.iter().enumerate() {
            ensure!(
                query.composed.is_none(),
                "query {index}: is no patch; positions of an image are patches of it"
            );
            let [y, x, size] = [query.at.y, query.at.x, query.at.size].map(u64::from);
            ensure!(
                size > 0 && y + size <= u64::from(height) && x + size <= u64::from(width),
                "query {index}: a patch of {size} pixels at y {y}, x {x} leaves the image of {width} x {height}"
            );
        }
        Ok(())
    }

    /// What query `index` in space `space` is called: "2d" on a sheet, its number on an instance.
    pub(super) fn name(&self, index: usize, space: usize) -> String {
        if self.data.instance.is_some() {
            return (index + 1).to_string();
        }
        let slot = index * self.data.queries[0].spaces.len() + space;
        let across = self.spec.across.max(1) as usize;
        format!("{}{}", slot / across + 1, char::from(b'a' + (slot % across) as u8))
    }

    /// "2d horse", and the space where there are several.
    fn heading(&self, canvas: &mut PageCanvas, layout: &SheetLayout, slot: usize, q: usize, s: usize) {
        let query = &self.data.queries[q];
        let space = &query.spaces[s];
        let (mut x, y) = layout.slot(slot);
        let right = x + layout.slot_width;
        let (size, y) = (layout.text, y + layout.text * 3 / 4);
        let name = self.name(q, s);
        canvas.text(label(x, y, size, INK, &name));
        x += text_width(&name, size) + size / 2;
        if query.spaces.len() > 1 {
            let title = fitting(&[space.title.clone(), space.name.clone()], size, right - x);
            let end = x + text_width(&title, size) + size / 2;
            canvas.text(label(x, y, size, space_color(&space.name), title));
            x = end;
        }
        let body = fitting(std::slice::from_ref(&query.title), layout.small, right - x);
        canvas.text(label(x, y, layout.small, INK, body));
    }

    /// The image with a numbered box at each position, as large as its slot allows.
    fn draw_instance(&self, canvas: &mut PageCanvas, layout: &SheetLayout, instance: &Instance) {
        let (x, y) = layout.slot(0);
        let title = fitting(std::slice::from_ref(&instance.title), layout.text, layout.slot_width);
        canvas.text(label(x, y + layout.text * 3 / 4, layout.text, INK, title));
        let (width, height) = (f64::from(instance.image.width()), f64::from(instance.image.height()));
        let room = [f64::from(layout.slot_width), f64::from(layout.cells.height())];
        let scale = (room[0] / width).min(room[1] / height);
        let top = f64::from(y + layout.text * 7 / 4);
        let panel = Rect { x: f64::from(x), y: top, width: width * scale, height: height * scale };
        canvas.image(&instance.image, panel, None);
        canvas.frame(panel, BORDER, PT / 2);
        let color = self.spec.page.palette.query();
        for (index, query) in self.data.queries.iter().enumerate() {
            let [y, x, size] = [query.at.y, query.at.x, query.at.size].map(f64::from);
            let side = size * scale;
            let place = Rect { x: panel.x + x * scale, y: panel.y + y * scale, width: side, height: side };
            canvas.query(place, color);
            canvas.tag(place, layout.small, "number", &(index + 1).to_string(), color);
        }
    }

    /// What stands below: how many of how many patches, and the caller's notes.
    fn facts(&self) -> Vec<String> {
        let mut facts = vec![];
        for space in &self.data.queries[0].spaces {
            let (k, searched, total) = (self.data.k, thousands(space.searched), thousands(space.total));
            let over = if space.searched == space.total {
                format!("of {searched} patches")
            } else {
                format!("of {searched} patches searched ({total} in all)")
            };
            facts.push(format!("{}: {k} nearest {over}", space.title));
        }
        facts.extend(self.data.left_out.iter().cloned());
        facts.extend(cells::copies_words(self.data.k, &self.data.queries));
        if self.spec.shares {
            facts.push(cells::strip_words(self.data.k));
        }
        if self.spec.page.facts {
            facts.extend(cells::composed_words(&self.data.queries, |q| Some(self.name(q, 0))));
            facts.extend(self.data.notes.iter().cloned());
        }
        facts
    }
}
