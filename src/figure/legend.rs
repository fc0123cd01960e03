//! A heading and what the colours below it say.

use plotters::style::text_anchor::{HPos, VPos};
use serde::{Deserialize, Serialize};

use super::canvas::{INK, PageCanvas, Rect, Text, text_width};

/// A colour and what it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegendEntry {
    /// What it says.
    pub name: String,
    /// Red, green, blue.
    pub color: [u8; 3],
}

/// Entries in their order.
pub(super) struct Legend<'a>(pub &'a [LegendEntry]);

impl Legend<'_> {
    /// Heading and entries from `(left, top)` down, in as many rows as they need; returns the y below them.
    pub fn head(
        &self,
        canvas: &mut PageCanvas,
        title: &str,
        (left, top): (i32, i32),
        (width, text): (i32, i32),
    ) -> i32 {
        let (mut x, mut y) = (left, top + text * 3 / 4);
        let (h, v, upwards) = (HPos::Left, VPos::Center, false);
        if !title.is_empty() {
            canvas.text(Text { x, y, size: text, color: INK, h, v, upwards, body: title.to_owned() });
            y += text * 3 / 2;
        }
        let size = text * 7 / 8;
        for LegendEntry { name, color } in self.0 {
            let entry = size * 3 / 2 + text_width(name, size);
            if x > left && x + entry > left + width {
                (x, y) = (left, y + text * 3 / 2);
            }
            canvas.fill(Rect::new(x, y - size / 2, size, size), *color);
            canvas.text(Text { x: x + size * 3 / 2, y, size, color: INK, h, v, upwards, body: name.clone() });
            x += entry + size * 3 / 2;
        }
        y + text * 5 / 4
    }
}
