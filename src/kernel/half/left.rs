//! How the left operand of a product lies in memory.

use super::tiles::{STEP, TILE};
use super::value_parts::ValueParts;
use super::values::{round, split};

/// Values of a tile.
const TILE_VALUES: usize = TILE * STEP;

/// The left operand of a product, of bf16.
#[derive(Clone, Copy)]
pub enum Left<'a> {
    /// Row after row, `row` values from one to the next, with zeros up to the end of a step.
    Rows { values: &'a [u16], row: usize },
    /// Of 16 rows at a time, step after step, the first parts of all values, the second ones, the third ones: what is
    /// multiplied together lies together.
    Tiles(&'a [u16]),
}

/// Rows of values of f32 as a product takes them.
#[derive(Clone, Copy)]
pub struct LeftRows {
    parts: ValueParts,
    /// Steps of a row.
    steps: usize,
}

impl LeftRows {
    /// Rows of `steps` steps.
    pub fn new(parts: ValueParts, steps: usize) -> Self {
        Self { parts, steps }
    }

    /// Values from one row to the next. Rows a whole number of pages apart would share a few places of the cache.
    pub fn row(&self) -> usize {
        match self.parts {
            ValueParts::Rounded => (self.steps + 1) * STEP,
            ValueParts::Whole => self.steps * self.parts.count() * STEP,
        }
    }

    /// Values of bf16 for `m` rows, whole tiles of them.
    pub fn len(&self, m: usize) -> usize {
        m.next_multiple_of(TILE) * self.row()
    }

    /// Lays a row out among others. What is behind its values is zero.
    ///
    /// # Panics
    /// If there is no room for it, or it has more values than steps.
    pub fn put(&self, row: usize, values: &[f32], to: &mut [u16]) {
        assert!(values.len() <= self.steps * STEP, "a row of the left operand");
        match self.parts {
            ValueParts::Rounded => round(values, &mut to[row * self.row()..][..self.steps * STEP]),
            ValueParts::Whole => {
                let first = row / TILE * TILE * self.row() + row % TILE * STEP;
                let each = self.parts.count() * TILE_VALUES;
                split(values, &mut to[first..], [self.steps, each, TILE_VALUES]);
            }
        }
    }

    /// Those that were laid out in `values`.
    pub fn of<'a>(&self, values: &'a [u16]) -> Left<'a> {
        match self.parts {
            ValueParts::Rounded => Left::Rows { values, row: self.row() },
            ValueParts::Whole => Left::Tiles(values),
        }
    }
}
