//! A panel of numbers as colours, with a bar that says what they are.

use anyhow::{Result, ensure};
use plotters::style::text_anchor::{HPos, VPos};
use serde::{Deserialize, Serialize};

use super::canvas::{BORDER, FAINT, INK, PT, PageCanvas, Rect, Text, fitted, fitting, label, text_width};
use super::codec;
use super::scale::tick;
use crate::colormap::Colormap;
use crate::image::Image;

/// A panel of numbers as colours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatrixPanel {
    /// Heading.
    pub title: String,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// `[rows, cols]`, the first row on top; NaN where there is none.
    #[serde(with = "codec::floats")]
    pub values: Vec<f32>,
    /// Values at the two ends of the colour scale.
    pub range: [f32; 2],
    /// Colours of the values.
    pub colormap: Colormap,
    /// What the rows are, on the left; empty for nothing.
    pub row_label: String,
    /// What the columns are, below.
    pub col_label: String,
    /// What each row is called, and each column, where they are the same few things; then cells bear their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// Room beside and below the cells, units.
struct MatrixRoom {
    /// For what rows are.
    left: i32,
    /// For the colour bar.
    right: i32,
    /// For what columns are.
    below: i32,
    /// Whether the names of columns run upwards.
    upwards: bool,
}

impl MatrixPanel {
    /// # Errors
    /// What cannot be drawn.
    pub(super) fn check(&self) -> Result<()> {
        let (rows, cols, given) = (self.rows, self.cols, self.values.len());
        ensure!(
            (1..=4096).contains(&rows) && (1..=4096).contains(&cols),
            "a matrix of {rows} x {cols}; expected 1 to 4,096 rows and columns"
        );
        ensure!(given == rows * cols, "{given} values; expected {rows} rows x {cols} columns");
        ensure!(self.has_its_names(), "{} names for {rows} rows and {cols} columns", self.names.len());
        let [lo, hi] = self.range;
        ensure!(
            lo.is_finite() && hi.is_finite() && lo < hi,
            "range is [{lo}, {hi}]; expected two numbers, the first below the second"
        );
        Ok(())
    }

    fn has_its_names(&self) -> bool {
        let names = self.names.len();
        names == 0 || (names == self.rows && names == self.cols)
    }

    /// Whether its lists are as long as it says.
    pub(super) fn is_whole(&self) -> bool {
        self.rows.checked_mul(self.cols) == Some(self.values.len()) && self.has_its_names()
    }

    fn room(&self, width: i32, text: i32) -> MatrixRoom {
        let of = |words: &str| if words.is_empty() { 0 } else { text * 3 / 2 };
        let small = text * 7 / 8;
        let longest = self.names.iter().map(|name| text_width(name, small)).max();
        let Some(longest) = longest.map(|longest| longest.min(width / 4)) else {
            return MatrixRoom {
                left: of(&self.row_label),
                right: text * 5,
                below: of(&self.col_label),
                upwards: false,
            };
        };
        let (left, right) = (longest + small / 2, text * 5);
        let upwards = longest + small / 2 > (width - left - right) / self.cols.max(1) as i32;
        MatrixRoom { left, right, below: if upwards { longest + small / 2 } else { text * 3 / 2 }, upwards }
    }

    /// Height that it asks for in a place of `width` units.
    pub(super) fn height(&self, width: i32, text: i32) -> i32 {
        let MatrixRoom { left, right, below, .. } = self.room(width, text);
        let inner = f64::from(width - left - right);
        below + (inner * (self.rows as f64 / self.cols as f64).min(1.25)) as i32
    }

    fn rgb(&self, value: f32) -> [u8; 3] {
        self.colormap.color_on(value, self.range)
    }

    /// Draws it in the upper left of a place of that size, with labels of `text` units.
    pub(super) fn draw(&self, canvas: &mut PageCanvas, at: (i32, i32), size: (i32, i32), text: i32) {
        let room = self.room(size.0, text);
        let cells = (self.cols as u32, self.rows as u32);
        let inner = (size.0 - room.left - room.right, size.1 - room.below);
        let place = fitted(cells, (at.0 + room.left, at.1), inner);
        let rgb = self.values.iter().flat_map(|value| self.rgb(*value)).collect();
        canvas.image(&Image::new(cells.0, cells.1, rgb), place, Some(&self.title));
        canvas.frame(place, BORDER, PT / 2);
        match self.names.is_empty() {
            true => self.labels(canvas, (at, place), text),
            false => {
                self.names(canvas, (&room, place), text);
                self.numbers(canvas, place, text);
            }
        }
        self.bar(canvas, place, text);
    }

    /// What rows and columns are.
    fn labels(&self, canvas: &mut PageCanvas, (at, place): ((i32, i32), Rect), text: i32) {
        let small = text * 7 / 8;
        let (x, y) = (place.x as i32, place.y as i32);
        let (width, height) = (place.width as i32, place.height as i32);
        let mut centred = |x, y, v, upwards, body: &str| {
            let body = body.to_owned();
            canvas.text(Text { x, y, size: small, color: FAINT, h: HPos::Center, v, upwards, body });
        };
        centred(x + width / 2, y + height + small / 4, VPos::Top, false, &self.col_label);
        centred(at.0 + small / 2, y + height / 2, VPos::Center, true, &self.row_label);
    }

    /// What each row and each column is called.
    fn names(&self, canvas: &mut PageCanvas, (room, place): (&MatrixRoom, Rect), text: i32) {
        let small = text * 7 / 8;
        let count = self.names.len() as f64;
        for (index, name) in self.names.iter().enumerate() {
            let middle = (index as f64 + 0.5) / count;
            let body = fitting(std::slice::from_ref(name), small, room.left - small / 2);
            let (x, y) = ((place.x as i32) - small / 2, (place.y + middle * place.height) as i32);
            let (size, color) = (small, FAINT);
            let row = Text { x, y, size, color, h: HPos::Right, v: VPos::Center, upwards: false, body };
            let (x, y) = (place.x + middle * place.width, place.y + place.height);
            let (x, y) = (x as i32, y as i32 + small / 4);
            let (h, v) = match room.upwards {
                true => (HPos::Right, VPos::Center),
                false => (HPos::Center, VPos::Top),
            };
            let column = Text { x, y, size, color, h, v, upwards: room.upwards, body: row.body.clone() };
            [row, column].into_iter().for_each(|text| canvas.text(text));
        }
    }

    /// The values in their cells, where they have room.
    fn numbers(&self, canvas: &mut PageCanvas, place: Rect, text: i32) {
        let small = text * 7 / 8;
        let (width, height) = (place.width / self.cols as f64, place.height / self.rows as f64);
        if width < f64::from(text_width("0.00", small) + small / 2) || height < f64::from(small * 3 / 2) {
            return;
        }
        for (index, value) in self.values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let [r, g, b] = self.rgb(*value).map(f64::from);
            let color = if 0.3 * r + 0.59 * g + 0.11 * b > 140.0 { INK } else { [0xff; 3] };
            let (row, col) = ((index / self.cols) as f64, (index % self.cols) as f64);
            let x = (place.x + (col + 0.5) * width) as i32;
            let y = (place.y + (row + 0.5) * height) as i32;
            let body = format!("{value:.2}").replace('-', "\u{2212}");
            canvas.text(Text {
                x,
                y,
                size: small,
                color,
                h: HPos::Center,
                v: VPos::Center,
                upwards: false,
                body,
            });
        }
    }

    /// Which colour is which number.
    fn bar(&self, canvas: &mut PageCanvas, place: Rect, text: i32) {
        let small = text * 7 / 8;
        let (x, y) = (place.x as i32, place.y as i32);
        let (width, height) = (place.width as i32, place.height as i32);
        let bar = Rect::new(x + width + text / 2, y, text * 3 / 4, height);
        let steps = (0..256).rev().map(|i| self.colormap.color(i as f32 / 255.0));
        canvas.image(&Image::new(1, 256, steps.flatten().collect()), bar, None);
        canvas.frame(bar, BORDER, PT / 2);
        let [low, high] = self.range.map(f64::from);
        for (at, value) in [(y + small / 2, high), (y + height - small / 2, low)] {
            canvas.text(label(x + width + text * 3 / 2, at, small, FAINT, tick(rounded(value))));
        }
    }
}

/// A number with four digits, as it stands beside a colour bar.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}
