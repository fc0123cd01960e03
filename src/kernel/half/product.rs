//! One thread's product of matrices of bf16, summed in f32.
//!
//! The right-hand matrix lies in panels of 32 columns, each of which is read from its beginning to its end: for every
//! 32 rows (a step) two tiles of 16 columns, in which the values of two rows that follow each other stand side by side.

use std::ops::Range;

use super::maps::HalfMaps;
use super::tiles::{Ending, Tiles, TilesTo};
pub use super::tiles::{PANEL, STEP, STEP_VALUES, TILE};
use super::unit::{ReadyUnit, Unit};
use super::values::{Line, rounded};
use crate::kernel::scratch::Shared;

/// Steps of `k` values.
pub fn steps(k: usize) -> usize {
    k.div_ceil(STEP)
}

/// Where the pair of row `p` and column `column` lies in a matrix of so many steps, in pairs.
pub fn pair_place(steps: usize, p: usize, column: usize) -> usize {
    let tile = (column / PANEL * steps + p / STEP) * 2 + column % PANEL / TILE;
    tile * (STEP_VALUES / 4) + p % STEP / 2 * TILE + column % TILE
}

/// `a b`, and what becomes of it.
pub struct HalfProduct<'a> {
    /// Rows.
    pub m: usize,
    /// Steps of a row of `a`, and of a panel of `b`.
    pub steps: usize,
    /// bf16, with zeros up to the end of a step.
    pub a: &'a [u16],
    /// Values from one row of `a` to the next.
    pub a_row: usize,
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
        let Self { m, steps, a_row, .. } = self;
        let panels = self.b.len() / (steps * STEP_VALUES).max(1);
        if m == 0 || steps == 0 || panels == 0 {
            return;
        }
        let (height, all) = match ready.unit() {
            Unit::Amx => (2 * TILE, m.next_multiple_of(TILE)),
            Unit::Avx512 => (m, m),
        };
        assert!((all - 1) * a_row + steps * STEP <= self.a.len(), "the left operand");
        assert!(panels * steps * STEP_VALUES == self.b.len(), "the right operand");
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
            let after = self.b.get((panel + 1) * steps * STEP_VALUES..).filter(|after| !after.is_empty());
            let ahead = after.unwrap_or(self.next).as_ptr();
            for row in (0..m).step_by(height) {
                // SAFETY: the operands hold all rows of all tiles, as was just seen; the unit is ready.
                unsafe {
                    let b = self.b.as_ptr().add(panel * steps * STEP_VALUES);
                    let a = self.a.as_ptr().add(row * a_row);
                    let to = to.from(row, panel);
                    let tiles = Tiles { a, a_row, b, steps, to, ahead };
                    tiles.multiply(ready.unit(), height.min(m - row));
                }
            }
        }
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

/// A matrix for the right side, rounded to bf16 and packed once.
#[derive(Clone)]
pub struct HalfMatrix {
    k: usize,
    columns: usize,
    lines: Vec<Line>,
}

impl std::fmt::Debug for HalfMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bf16 [{}, {}]", self.columns, self.k)
    }
}

impl HalfMatrix {
    /// Of `k` rows, whose values are `value(column, row)`.
    pub fn new(k: usize, columns: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let (steps, panels) = (steps(k), columns.div_ceil(PANEL));
        let mut lines = vec![Line([0; 32]); panels * steps * STEP_VALUES / 32];
        let pairs: &mut [[u16; 2]] = bytemuck::cast_slice_mut(&mut lines);
        for column in 0..columns {
            for p in (0..k).step_by(2) {
                let second = if p + 1 < k { value(column, p + 1) } else { 0.0 };
                pairs[pair_place(steps, p, column)] = [value(column, p), second].map(rounded);
            }
        }
        Self { k, columns, lines }
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
        let size = steps(self.k) * STEP_VALUES;
        &bytemuck::cast_slice(&self.lines)[which.start * size..which.end * size]
    }
}

/// One value per output, with zeros up to the end of a panel.
pub fn whole_panels(bias: &[f32]) -> Vec<f32> {
    let mut bias = bias.to_vec();
    bias.resize(bias.len().next_multiple_of(PANEL), 0.0);
    bias
}
