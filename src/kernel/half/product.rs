//! One thread's product of matrices of bf16, summed in f32.
//!
//! The right-hand matrix lies in panels of 32 columns, each of which is read from its beginning to its end: for every
//! 32 rows (a step) two tiles of 16 columns, in which the values of two rows that follow each other stand side by side.

use std::ops::Range;

use rayon::prelude::*;

use super::left::Left;
use super::maps::HalfMaps;
use super::tiles::{Ending, Tiles, TilesTo};
pub use super::tiles::{PANEL, STEP, STEP_VALUES, TILE};
use super::unit::{ReadyUnit, Unit};
use super::value_parts::ValueParts;
use super::values::Line;
use crate::kernel::scratch::Shared;

/// Steps of `k` values.
pub fn steps(k: usize) -> usize {
    k.div_ceil(STEP)
}

/// Where the pair of row `p` and column `column` lies in a matrix of so many steps, in pairs; that of the first parts. From
/// part to part there are [`PART_PAIRS`].
pub fn pair_place(parts: ValueParts, steps: usize, p: usize, column: usize) -> usize {
    let step = column / PANEL * steps + p / STEP;
    step * parts.count() * PART_PAIRS
        + column % PANEL / TILE * (PART_PAIRS / 2)
        + p % STEP / 2 * TILE
        + column % TILE
}

/// Pairs of a step of a panel, of one part.
pub const PART_PAIRS: usize = STEP_VALUES / 2;

/// `a b`, and what becomes of it.
pub struct HalfProduct<'a> {
    /// Rows.
    pub m: usize,
    /// Steps of a row of `a`, and of a panel of `b`.
    pub steps: usize,
    /// In tiles, its values and those of `b` are whole.
    pub a: Left<'a>,
    /// bf16, whole panels.
    pub b: &'a [u16],
    /// What is the right operand next, to be brought near meanwhile.
    pub next: &'a [u16],
    pub to: ProductTo<'a>,
}

/// Where a product goes.
pub enum ProductTo<'a> {
    /// `c = a b`, or `c += a b`, `c_row` values from one row of `c` to the next.
    Sums { c: &'a mut [f32], c_row: usize, add: bool },
    /// Finished and rounded into maps, from a pixel and a panel on.
    Maps { finish: MapFinish<'a>, first: usize, panel: usize },
}

/// What follows a sum for maps: `relu?(sum + bias + residual)`, rounded.
#[derive(Clone, Copy)]
pub struct MapFinish<'a> {
    /// One per output, zeros up to the end of a panel.
    pub bias: &'a [f32],
    /// Of the output's shape.
    pub residual: Option<&'a HalfMaps>,
    /// Whether negative values become zero at the end.
    pub relu: bool,
    /// The output; nobody else writes these pixels' panels meanwhile.
    pub out: Shared<'a, u16>,
    /// Values from one pixel of it to the next.
    pub row: usize,
}

impl MapFinish<'_> {
    /// Of `pixels` pixels from `first` on and `panels` panels from `panel` on.
    ///
    /// # Panics
    /// If they are not all there.
    fn ending(&self, [first, pixels]: [usize; 2], [panel, panels]: [usize; 2]) -> Ending {
        let Self { bias, residual, relu, out, row } = *self;
        let column = panel * PANEL;
        let end = column + panels * PANEL;
        assert!(pixels > 0 && end <= row && end <= bias.len(), "panels of the output");
        let at = first * row + column;
        let out = out.room(at, (pixels - 1) * row + panels * PANEL);
        let residual = residual.map_or(std::ptr::null(), |residual| {
            assert!(residual.row() == row && residual.count() >= (first + pixels) * row, "the residual");
            residual.values()[at..].as_ptr()
        });
        Ending { bias: bias[column..].as_ptr(), residual, relu, out, row }
    }
}

impl HalfProduct<'_> {
    /// Computes it.
    ///
    /// # Panics
    /// On operands that do not hold all their values.
    pub fn run(self, ready: &ReadyUnit) {
        let Self { m, steps, .. } = self;
        let (parts, a, a_row) = match self.a {
            Left::Rows { values, row } => (ValueParts::Rounded, values, row),
            Left::Tiles(values) => (ValueParts::Whole, values, steps * ValueParts::Whole.count() * STEP),
        };
        let panel_values = steps * parts.count() * STEP_VALUES;
        let panels = self.b.len() / panel_values.max(1);
        if m == 0 || steps == 0 || panels == 0 {
            return;
        }
        let (height, all) = match ready.unit() {
            Unit::Amx => (2 * TILE, m.next_multiple_of(TILE)),
            Unit::Avx512 => (m, m),
        };
        assert!(
            parts == ValueParts::Rounded || ready.unit() == Unit::Amx,
            "whole values are multiplied by tiles"
        );
        assert!((all - 1) * a_row + steps * STEP <= a.len(), "the left operand");
        assert!(parts == ValueParts::Rounded || all * a_row <= a.len(), "the tiles of the left operand");
        assert!(panels * panel_values == self.b.len(), "the right operand");
        let to = match self.to {
            ProductTo::Sums { c, c_row, add } => {
                assert!((all - 1) * c_row + panels * PANEL <= c.len(), "the product");
                TilesTo::Sums { c: c.as_mut_ptr(), row: c_row, add }
            }
            ProductTo::Maps { finish, first, panel } => {
                TilesTo::Maps(finish.ending([first, m], [panel, panels]))
            }
        };
        for panel in 0..panels {
            let after = self.b.get((panel + 1) * panel_values..).filter(|after| !after.is_empty());
            let ahead = after.unwrap_or(self.next).as_ptr();
            for (group, row) in (0..m).step_by(height).enumerate() {
                // SAFETY: the operands hold all rows of all tiles, as was just seen; the unit is ready.
                unsafe {
                    let b = self.b.as_ptr().add(panel * panel_values);
                    let a = a.as_ptr().add(row * a_row);
                    let to = to.from(row, panel);
                    let ahead = ahead.wrapping_add(group * steps * ahead_of(ready.unit(), parts));
                    let tiles = Tiles { parts, a, a_row, b, steps, to, ahead };
                    tiles.multiply(ready.unit(), height.min(m - row));
                }
            }
        }
    }
}

/// Values of what is multiplied next that a step of some rows brings near.
fn ahead_of(unit: Unit, parts: ValueParts) -> usize {
    match (unit, parts) {
        (Unit::Amx, ValueParts::Whole) => 512,
        (Unit::Amx, ValueParts::Rounded) => 256,
        // All rows of a panel are multiplied at once.
        (Unit::Avx512, _) => 0,
    }
}

impl Tiles {
    /// So many rows: of tiles two at most.
    ///
    /// # Safety
    /// The unit is ready; `a` and where the sums go are good for all rows, `b` for a panel.
    #[cfg(target_arch = "x86_64")]
    unsafe fn multiply(self, unit: Unit, rows: usize) {
        // SAFETY: the caller's.
        unsafe {
            match unit {
                Unit::Amx => super::amx::multiply(self, rows),
                Unit::Avx512 => super::vectors::multiply(self, rows),
            }
        }
    }

    /// Elsewhere no unit is ever ready.
    #[cfg(not(target_arch = "x86_64"))]
    unsafe fn multiply(self, _: Unit, _: usize) {}
}

/// A matrix for the right side, as values of bf16, packed once.
#[derive(Clone)]
pub struct HalfMatrix {
    parts: ValueParts,
    k: usize,
    columns: usize,
    lines: Vec<Line>,
}

impl std::fmt::Debug for HalfMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} bf16 [{}, {}]", self.parts, self.columns, self.k)
    }
}

impl HalfMatrix {
    /// Of `k` rows, whose values are `value(column, row)`.
    pub fn new(
        parts: ValueParts,
        k: usize,
        columns: usize,
        value: impl Fn(usize, usize) -> f32 + Sync,
    ) -> Self {
        let (steps, panels) = (steps(k), columns.div_ceil(PANEL));
        let panel_lines = steps * parts.count() * STEP_VALUES / 32;
        let mut lines = vec![Line([0; 32]); panels * panel_lines];
        lines.par_chunks_mut(panel_lines.max(1)).enumerate().for_each(|(panel, lines)| {
            let pairs: &mut [[u16; 2]] = bytemuck::cast_slice_mut(lines);
            for column in panel * PANEL..columns.min((panel + 1) * PANEL) {
                for p in (0..k).step_by(2) {
                    let second = if p + 1 < k { value(column, p + 1) } else { 0.0 };
                    let both = [value(column, p), second].map(|value| parts.of(value));
                    let place = pair_place(parts, steps, p, column % PANEL);
                    for part in 0..parts.count() {
                        pairs[place + part * PART_PAIRS] = both.map(|parts| parts[part]);
                    }
                }
            }
        });
        Self { parts, k, columns, lines }
    }

    /// What its values became.
    pub fn parts(&self) -> ValueParts {
        self.parts
    }

    /// Rows.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.lines.as_slice())
    }

    /// Some panels: columns from 32 times the first on.
    pub fn panels(&self, which: Range<usize>) -> &[u16] {
        let size = steps(self.k) * self.parts.count() * STEP_VALUES;
        &bytemuck::cast_slice(&self.lines)[which.start * size..which.end * size]
    }

    /// Some steps of a panel.
    pub fn part_of_panel(&self, panel: usize, which: Range<usize>) -> &[u16] {
        let size = self.parts.count() * STEP_VALUES;
        &self.panels(panel..panel + 1)[which.start * size..which.end * size]
    }
}

/// One value per output, with zeros up to the end of a panel.
pub fn whole_panels(bias: &[f32]) -> Vec<f32> {
    let mut bias = bias.to_vec();
    bias.resize(bias.len().next_multiple_of(PANEL), 0.0);
    bias
}
