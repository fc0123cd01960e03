//! Weights as a product takes them: in panels of outputs.

use rayon::prelude::*;
use std::fmt;

use super::gemm::PANEL;
use super::scratch::{self, Kept};
use super::simd::{PAD, padded};

/// Inputs that are moved at a time: a cache line of each output's.
const LINE: usize = 16;

/// A matrix of weights in the panels of a product; outputs beyond the last are anything.
pub struct Panels {
    memory: Kept,
    depth: usize,
}

impl fmt::Debug for Panels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Panels").field("depth", &self.depth).field("values", &self.memory.len()).finish()
    }
}

impl Panels {
    /// Of weights `[outputs, inputs, taps]`, of which the rows are taps and inputs, a tap's inputs together; 1 tap for a
    /// linear layer. For one use: their memory is used again.
    ///
    /// # Panics
    /// If there are not so many weights.
    pub fn new(weight: &[f32], outputs: usize, taps: usize) -> Self {
        let depth = weight.len() / outputs.max(1);
        let mut panels = Self { memory: scratch::kept(depth * padded(outputs)), depth };
        panels.fill(weight, outputs, taps);
        panels
    }

    /// The same, to be kept.
    ///
    /// # Panics
    /// As [`Panels::new`].
    pub fn lasting(weight: &[f32], outputs: usize, taps: usize) -> Self {
        let depth = weight.len() / outputs.max(1);
        let mut panels = Self { memory: scratch::fresh(depth * padded(outputs)), depth };
        panels.fill(weight, outputs, taps);
        panels
    }

    fn fill(&mut self, weight: &[f32], outputs: usize, taps: usize) {
        let depth = self.depth;
        assert!(depth * outputs == weight.len() && depth.is_multiple_of(taps), "the weights of a layer");
        let inputs = depth / taps;
        self.memory.par_chunks_mut((depth * PANEL).max(1)).enumerate().for_each(|(index, panel)| {
            let width = panel.len() / depth;
            let first = index * PANEL;
            let rows = &weight[first * depth..(first + width).min(outputs) * depth];
            for line in (0..inputs).step_by(LINE) {
                let some = line..inputs.min(line + LINE);
                for (column, row) in rows.chunks_exact(depth).enumerate() {
                    for tap in 0..taps {
                        let to = panel[(tap * inputs + line) * width + column..].iter_mut().step_by(width);
                        let from = row[some.start * taps + tap..].iter().step_by(taps);
                        to.zip(from).take(some.len()).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        });
    }

    /// The panels.
    pub fn values(&self) -> &[f32] {
        &self.memory
    }

    /// The values of [`PAD`] outputs from `output` on, a multiple of it, in a row.
    pub fn at(&self, row: usize, output: usize) -> &[f32; PAD] {
        let first = output / PANEL * PANEL * self.depth;
        let width = PANEL.min((self.memory.len() - first) / self.depth);
        assert!(row < self.depth && output.is_multiple_of(PAD));
        self.memory[first + row * width + output % PANEL..].first_chunk().expect("outputs are padded")
    }

    /// Rows: inputs of an output.
    pub fn depth(&self) -> usize {
        self.depth
    }
}
