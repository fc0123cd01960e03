//! The pieces in which matrices of bf16 are multiplied, and what becomes of their sums.

use super::value_parts::ValueParts;

/// Columns of a panel.
pub const PANEL: usize = 32;
/// Values of a row of the left-hand matrix that are multiplied at a time.
pub const STEP: usize = 32;
/// Rows of a tile: both operands have a multiple of it in memory, whatever is in those beyond the last.
pub const TILE: usize = 16;
/// Values of a step of a panel.
pub const STEP_VALUES: usize = PANEL * STEP;

/// Some rows of one panel of a product.
#[derive(Clone, Copy)]
pub struct Tiles {
    /// Whole values lie in tiles, others in rows.
    pub parts: ValueParts,
    pub a: *const u16,
    pub a_row: usize,
    pub b: *const u16,
    pub steps: usize,
    pub to: TilesTo,
    /// What is multiplied next, as many values as there are of `b`; it may lie nowhere.
    pub ahead: *const u16,
}

/// Where the sums of some rows of one panel go.
#[derive(Clone, Copy)]
pub enum TilesTo {
    /// As they are, or added to what is there; `row` values from one row to the next.
    Sums { c: *mut f32, row: usize, add: bool },
    /// Finished and rounded, `row` values of bf16 from one row to the next.
    Maps(Ending),
}

/// What follows the sums of some rows of one panel: `relu?(sum + bias + residual)`, rounded.
#[derive(Clone, Copy)]
pub struct Ending {
    /// One for each column.
    pub bias: *const f32,
    /// Rows as those of `out`; nothing where it is null.
    pub residual: *const u16,
    pub relu: bool,
    pub out: *mut u16,
    pub row: usize,
}

impl TilesTo {
    /// The same from a row and a panel on.
    pub fn from(self, first: usize, panel: usize) -> Self {
        let at = |row: usize| first * row + panel * PANEL;
        match self {
            Self::Sums { c, row, add } => Self::Sums { c: c.wrapping_add(at(row)), row, add },
            Self::Maps(ending) => {
                let Ending { bias, residual, out, row, .. } = ending;
                let residual = if residual.is_null() { residual } else { residual.wrapping_add(at(row)) };
                let (bias, out) = (bias.wrapping_add(panel * PANEL), out.wrapping_add(at(row)));
                Self::Maps(Ending { bias, residual, out, ..ending })
            }
        }
    }
}
