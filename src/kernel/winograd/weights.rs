//! Weights to the places where they are multiplied, and their gradient back.

use rayon::prelude::*;

use std::ops::Range;

use super::lines::{SIDE, both, weight_back_line, weight_line};
use super::tiles::PLACES;
use crate::kernel::gemm::PANEL;
use crate::kernel::scratch::{self, Kept, Shared};
use crate::kernel::simd::{Isa, Job, PAD, Vector, padded};

/// Taps of a kernel.
const TAPS: usize = 9;

/// The weight of a convolution, `[out, in, 3, 3]`, or that of its transpose.
#[derive(Clone, Copy)]
pub struct Taps<'a> {
    pub values: &'a [f32],
    /// Channels in and out of the product.
    pub channels: [usize; 2],
    /// Whether `values` is `[in, out, 3, 3]`, to be turned by half a turn.
    pub turned: bool,
}

impl Taps<'_> {
    /// The nine taps from channel `input` to channel `output`.
    #[inline(always)]
    fn at(&self, input: usize, output: usize) -> &[f32; TAPS] {
        let [inputs, outputs] = self.channels;
        let pair = if self.turned { input * outputs + output } else { output * inputs + input };
        self.values[pair * TAPS..].first_chunk().expect("a weight for each pair of channels")
    }
}

/// Some or all weights, transformed: a matrix of input by output channels for each place, in the
/// product's panels.
#[derive(Clone, Copy)]
pub struct Matrices {
    at: *mut f32,
    inputs: usize,
    outputs: usize,
}

// SAFETY: whoever shares one says why its writers do not overlap.
unsafe impl Send for Matrices {}
unsafe impl Sync for Matrices {}

impl Matrices {
    /// Values of one place: one line more, so that 36 places do not share a cache set.
    fn stride(inputs: usize, outputs: usize) -> usize {
        inputs * padded(outputs) + PAD
    }

    /// Values that the matrices of all places take.
    pub fn len(inputs: usize, outputs: usize) -> usize {
        PLACES * Self::stride(inputs, outputs)
    }

    /// Matrices in `memory`, still to be filled.
    pub fn new(memory: &mut [f32], inputs: usize, outputs: usize) -> Self {
        assert!(memory.len() >= Self::len(inputs, outputs));
        Self { at: memory.as_mut_ptr(), inputs, outputs: padded(outputs) }
    }

    /// The panels of a place.
    pub fn place(self, place: usize) -> *const f32 {
        // SAFETY: within the memory that `new` was given.
        unsafe { self.at.add(place * Self::stride(self.inputs, self.outputs)) }
    }

    /// Fills the [`PAD`] columns from `column` on: output channels `first + column` and following.
    pub fn fill(self, isa: Isa, taps: Taps, inputs: Range<usize>, first: usize, column: usize) {
        assert!(inputs.len() == self.inputs && column < self.outputs);
        let panel = column / PANEL * PANEL;
        let width = PANEL.min(self.outputs - panel);
        isa.run(Transform {
            taps,
            first: first + column,
            row: width,
            stride: Self::stride(self.inputs, self.outputs),
            // SAFETY: columns of the first place.
            to: unsafe { self.at.add(panel * self.inputs + column - panel) },
            inputs,
        });
    }
}

/// All weights of a convolution, transformed.
pub struct Weights {
    _memory: Kept,
    pub matrices: Matrices,
}

impl Weights {
    pub fn new(isa: Isa, taps: Taps) -> Self {
        let [input, output] = taps.channels;
        let mut memory = scratch::kept(Matrices::len(input, output));
        let matrices = Matrices::new(&mut memory, input, output);
        // Each worker fills columns of its own.
        (0..output).into_par_iter().step_by(PAD).for_each(|column| {
            matrices.fill(isa, taps, 0..input, 0, column);
        });
        Self { _memory: memory, matrices }
    }
}

/// `G w G^T` of [`PAD`] output channels for a range of input channels.
struct Transform<'a> {
    taps: Taps<'a>,
    inputs: Range<usize>,
    /// First of the output channels.
    first: usize,
    /// Values from one input channel to the next.
    row: usize,
    /// Values from one place to the next.
    stride: usize,
    to: *mut f32,
}

impl Job for Transform<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let there = PAD.min(self.taps.channels[1] - self.first);
        let mut raw = [[0.0f32; PAD]; TAPS];
        for (index, c) in self.inputs.enumerate() {
            for lane in 0..there {
                let taps = self.taps.at(c, self.first + lane);
                for tap in 0..TAPS {
                    raw[if self.taps.turned { TAPS - 1 - tap } else { tap }][lane] = taps[tap];
                }
            }
            for lane in (0..PAD).step_by(V::LANES) {
                unsafe {
                    let to = self.to.add(index * self.row + lane);
                    both!(weight_line: 3 => SIDE,
                    load(i, j) V::load(raw[3 * i + j].as_ptr().add(lane)),
                    store(j, column) {
                        for i in 0..SIDE {
                            column[i].store(to.add((i * SIDE + j) * self.stride));
                        }
                    });
                }
            }
        }
    }
}

/// Sums of a weight's gradient at every place, and the channels that they belong to.
#[derive(Clone, Copy)]
pub struct Sums<'a> {
    /// `[36][inputs][outputs padded]`, to be added up.
    pub parts: &'a [&'a [f32]],
    /// The channels in and out, from each to each.
    pub channels: [(usize, usize); 2],
    /// Channels in and out of the whole weight.
    pub all: [usize; 2],
}

/// Values from one place to the next in [`Sums`]: one line more, lest they share a cache set.
pub fn sums_stride(inputs: usize, outputs: usize) -> usize {
    inputs * padded(outputs) + PAD
}

impl Sums<'_> {
    /// `G^T u G` for [`PAD`] of the output channels, those from `column` on, into the whole
    /// gradient, `[out, in, 3, 3]`.
    pub fn finish(self, isa: Isa, column: usize, out: Shared) {
        isa.run(Back { sums: self, column, out: out.get() });
    }
}

/// The way back of [`Transform`].
struct Back<'a> {
    sums: Sums<'a>,
    column: usize,
    out: *mut f32,
}

impl Job for Back<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let [(first_in, end_in), (first_out, end_out)] = self.sums.channels;
        let (inputs, row) = (end_in - first_in, padded(end_out - first_out));
        let stride = sums_stride(inputs, row);
        let there = PAD.min(end_out - first_out - self.column);
        let mut raw = [[0.0f32; PAD]; TAPS];
        for c in 0..inputs {
            for lane in (0..PAD).step_by(V::LANES) {
                let at = c * row + self.column + lane;
                unsafe {
                    both!(weight_back_line: SIDE => 3,
                    load(i, j) {
                        let at = at + (i * SIDE + j) * stride;
                        let mut sum = V::load(self.sums.parts[0].as_ptr().add(at));
                        for part in &self.sums.parts[1..] {
                            sum = sum.add(V::load(part.as_ptr().add(at)));
                        }
                        sum
                    },
                    store(j, column) {
                        for i in 0..3 {
                            column[i].store(raw[3 * i + j].as_mut_ptr().add(lane));
                        }
                    });
                }
            }
            for lane in 0..there {
                let output = first_out + self.column + lane;
                let at = (output * self.sums.all[0] + first_in + c) * TAPS;
                for tap in 0..TAPS {
                    // SAFETY: within the gradient, at channels of this worker.
                    unsafe { *self.out.add(at + tap) = raw[tap][lane] };
                }
            }
        }
    }
}
