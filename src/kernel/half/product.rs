//! One thread's product of matrices of bf16, summed in f32.
//!
//! The right-hand matrix lies in panels of 32 columns, each of which is read from its beginning to its end: for every
//! 32 rows (a step) two tiles of 16 columns, in which the values of two rows that follow each other stand side by side.

use std::ops::Range;

use super::tiles::Tiles;
pub use super::tiles::{PANEL, STEP, STEP_VALUES, TILE};
use super::unit::{ReadyUnit, Unit};
use crate::kernel::simd;

/// Steps of `k` values.
pub fn steps(k: usize) -> usize {
    k.div_ceil(STEP)
}

/// Where the pair of row `p` and column `column` lies in a matrix of so many steps, in pairs.
pub fn pair_place(steps: usize, p: usize, column: usize) -> usize {
    let tile = (column / PANEL * steps + p / STEP) * 2 + column % PANEL / TILE;
    tile * (STEP_VALUES / 4) + p % STEP / 2 * TILE + column % TILE
}

/// `c = a b`, or `c += a b`.
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
    pub c: &'a mut [f32],
    /// Values from one row of `c` to the next.
    pub c_row: usize,
    /// Whether the product is added to what is in `c`.
    pub add: bool,
}

impl HalfProduct<'_> {
    /// Computes it.
    ///
    /// # Panics
    /// On operands that do not hold all their values.
    pub fn run(self, ready: &ReadyUnit) {
        let Self { m, steps, a_row, c_row, add, .. } = self;
        let panels = self.b.len() / (steps * STEP_VALUES).max(1);
        if m == 0 || steps == 0 || panels == 0 {
            return;
        }
        let height = match ready.unit() {
            Unit::Amx => 2 * TILE,
            Unit::Avx512 => m,
        };
        let last = m.next_multiple_of(TILE) - 1;
        assert!(last * a_row + steps * STEP <= self.a.len(), "the left operand");
        assert!(last * c_row + panels * PANEL <= self.c.len(), "the product");
        assert!(panels * steps * STEP_VALUES == self.b.len(), "the right operand");
        for panel in 0..panels {
            let after = self.b.get((panel + 1) * steps * STEP_VALUES..).filter(|after| !after.is_empty());
            let ahead = after.unwrap_or(self.next).as_ptr();
            for row in (0..m).step_by(height) {
                // SAFETY: the operands hold all rows of all tiles, as was just seen; the unit is ready.
                unsafe {
                    let b = self.b.as_ptr().add(panel * steps * STEP_VALUES);
                    let tiles = Tiles {
                        a: self.a.as_ptr().add(row * a_row),
                        a_row,
                        b,
                        steps,
                        c: self.c.as_mut_ptr().add(row * c_row + panel * PANEL),
                        c_row,
                        add,
                        ahead,
                    };
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
    /// The unit is ready; `a` and `c` are good for all rows, `b` for a panel.
    #[cfg(target_arch = "x86_64")]
    unsafe fn multiply(self, unit: Unit, rows: usize) {
        // SAFETY: the caller's.
        unsafe {
            match (unit, rows > TILE) {
                (Unit::Amx, true) => super::amx::two(self),
                (Unit::Amx, false) => super::amx::one(self),
                (Unit::Avx512, _) => super::vectors::multiply(self, rows),
            }
        }
    }

    /// Elsewhere no unit is ever ready.
    #[cfg(not(target_arch = "x86_64"))]
    unsafe fn multiply(self, _: Unit, _: usize) {}
}

/// A line of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u16; 32]);

// SAFETY: 32 numbers without gaps, of which any are good.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

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

/// The nearest bf16, to even between two.
pub fn rounded(value: f32) -> u16 {
    half::bf16::from_f32(value).to_bits()
}

/// The nearest bf16 of each of some values, and zeros behind them.
pub fn round(values: &[f32], to: &mut [u16]) {
    let (to, rest) = to.split_at_mut(values.len());
    rest.fill(0);
    #[cfg(target_arch = "x86_64")]
    if Unit::Avx512.is_here() {
        // SAFETY: the processor has the instructions.
        unsafe { super::vectors::round(values, to) };
        return;
    }
    to.iter_mut().zip(values).for_each(|(to, value)| *to = rounded(*value));
}

/// Memory for some values of bf16, in values of f32.
pub fn room(values: usize) -> usize {
    simd::padded(values.div_ceil(2))
}
