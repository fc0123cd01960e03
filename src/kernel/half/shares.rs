//! How the rows and outputs of a layer are shared among threads.

use std::ops::Range;

use rayon::prelude::*;

use super::tiles::{PANEL, TILE};
use super::unit::Unit;

/// Blocks of rows, each of which one task takes, or several that share its panels of outputs.
pub struct Shares {
    rows: usize,
    block: usize,
    panels: usize,
    /// Panels of a task.
    of_task: usize,
}

impl Shares {
    /// Of `rows` rows and so many outputs; about `fitting` rows are a block. As many blocks for each thread, all about as
    /// large; where there are few rows, their outputs are shared.
    pub fn new(unit: Unit, [rows, outputs]: [usize; 2], fitting: usize) -> Self {
        let threads = rayon::current_num_threads();
        let height = match unit {
            Unit::Amx => 2 * TILE,
            Unit::Avx512 => 1,
        };
        let even = rows.div_ceil(threads);
        let block = even.div_ceil(even.div_ceil(fitting).max(1)).max(1).next_multiple_of(height);
        let (blocks, panels) = (rows.div_ceil(block), outputs.div_ceil(PANEL));
        let groups = threads.div_ceil(blocks.max(1)).clamp(1, panels.max(1));
        Self { rows, block, panels, of_task: panels.div_ceil(groups).max(1) }
    }

    /// Calls `work` with the rows and the panels of each task.
    pub fn each(&self, work: impl Fn(Range<usize>, Range<usize>) + Sync) {
        let groups = self.panels.div_ceil(self.of_task);
        (0..self.rows.div_ceil(self.block) * groups).into_par_iter().for_each(|task| {
            let (first, panel) = (task / groups * self.block, task % groups * self.of_task);
            work(first..self.rows.min(first + self.block), panel..self.panels.min(panel + self.of_task));
        });
    }
}
