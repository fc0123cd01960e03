//! The pieces in which matrices of bf16 are multiplied.

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
    pub a: *const u16,
    pub a_row: usize,
    pub b: *const u16,
    pub steps: usize,
    pub c: *mut f32,
    pub c_row: usize,
    pub add: bool,
    /// What is multiplied next, as many values as there are of `b`; it may lie nowhere.
    pub ahead: *const u16,
}
