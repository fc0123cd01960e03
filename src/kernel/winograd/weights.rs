//! Weights to the places where they are multiplied, and their gradient back.

use std::ops::{Deref, DerefMut, Range};

use rayon::prelude::*;

use super::lines::{SIDE, both, weight_back_line, weight_line};
use super::tiles::{PLACES, Workers};
use crate::kernel::gemm::PANEL;
use crate::kernel::panels::Panels;
use crate::kernel::scratch::Shared;
use crate::kernel::simd::{Isa, PAD, SimdJob, Vector, padded};

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
    /// The same laid out, where they are and are not turned: outputs lie side by side, as they are transformed.
    pub panels: Option<&'a Panels>,
}

impl Taps<'_> {
    /// The nine taps from channel `input` to channel `output`.
    #[inline(always)]
    fn at(&self, input: usize, output: usize) -> &[f32; TAPS] {
        let [inputs, outputs] = self.channels;
        let pair = if self.turned { input * outputs + output } else { output * inputs + input };
        self.values[pair * TAPS..].first_chunk().expect("a weight for each pair of channels")
    }

    /// Each tap from channel `input` to the channels from `first` on that are there.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "lanes of registers, by number")]
    fn side_by_side(&self, input: usize, first: usize, to: &mut [[f32; PAD]; TAPS]) {
        for lane in 0..PAD.min(self.channels[1].saturating_sub(first)) {
            for (tap, value) in self.at(input, first + lane).iter().enumerate() {
                to[if self.turned { TAPS - 1 - tap } else { tap }][lane] = *value;
            }
        }
    }
}

/// Some or all weights, transformed: a matrix of input by output channels for each place, in the
/// product's panels.
pub struct Matrices<M> {
    memory: M,
    inputs: usize,
    outputs: usize,
}

/// Values of one place: one line more, so that 36 places do not share a cache set.
fn matrix_stride(inputs: usize, outputs: usize) -> usize {
    inputs * padded(outputs) + PAD
}

/// Values that the matrices of all places take.
pub fn matrices_len(inputs: usize, outputs: usize) -> usize {
    PLACES * matrix_stride(inputs, outputs)
}

impl<M: Deref<Target = [f32]>> Matrices<M> {
    /// Matrices in `memory`, still to be filled.
    pub fn new(memory: M, inputs: usize, outputs: usize) -> Self {
        assert!(memory.len() >= matrices_len(inputs, outputs));
        Self { memory, inputs, outputs: padded(outputs) }
    }

    /// The panels of a place.
    pub fn place(&self, place: usize) -> &[f32] {
        let stride = matrix_stride(self.inputs, self.outputs);
        &self.memory[place * stride..][..self.inputs * self.outputs]
    }
}

impl<M: DerefMut<Target = [f32]>> Matrices<M> {
    /// Fills all columns with the weights of channels `inputs` to output channels `first` and following.
    pub fn fill(&mut self, isa: Isa, workers: Workers, taps: Taps<'_>, inputs: Range<usize>, first: usize) {
        assert!(inputs.len() == self.inputs && first < taps.channels[1]);
        let (rows, columns) = (self.inputs, self.outputs);
        let stride = matrix_stride(rows, columns);
        // Each block of columns is written by one worker.
        let memory = Shared::new(&mut self.memory);
        let block = |block: usize| {
            let column = block * PAD;
            let panel = column / PANEL * PANEL;
            isa.run(Transform {
                taps,
                inputs: inputs.clone(),
                first: first + column,
                row: PANEL.min(columns - panel),
                stride,
                to: memory.at(panel * rows + column - panel),
            });
        };
        match workers {
            Workers::This => (0..columns / PAD).for_each(block),
            Workers::All => (0..columns / PAD).into_par_iter().for_each(block),
        }
    }
}

/// `G w G^T` of [`PAD`] output channels for a range of input channels. Made by [`Matrices::fill`] only.
struct Transform<'a> {
    taps: Taps<'a>,
    inputs: Range<usize>,
    /// First of the output channels.
    first: usize,
    /// Values from one input channel to the next.
    row: usize,
    /// Values from one place to the next.
    stride: usize,
    /// The columns of the first input channel at place 0; [`PAD`] columns of every channel are there at every place.
    to: *mut f32,
}

impl SimdJob for Transform<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let mut raw = [[0.0f32; PAD]; TAPS];
        for (index, c) in self.inputs.enumerate() {
            let taps: [&[f32; PAD]; TAPS] = match self.taps.panels {
                Some(panels) => {
                    std::array::from_fn(|tap| panels.at(tap * self.taps.channels[0] + c, self.first))
                }
                None => {
                    self.taps.side_by_side(c, self.first, &mut raw);
                    raw.each_ref()
                }
            };
            for lane in (0..PAD).step_by(V::LANES) {
                // SAFETY: columns that are there; the vector is the caller's, its lanes divide `PAD`.
                unsafe {
                    let to = self.to.add(index * self.row + lane);
                    both!(weight_line: 3 => SIDE,
                    load(i, j) V::load(taps[3 * i + j].as_ptr().add(lane)),
                    store(j, column) {
                        for (i, value) in column.into_iter().enumerate() {
                            value.store(to.add((i * SIDE + j) * self.stride));
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
    ///
    /// # Safety
    /// Nobody else reads or writes the gradient between these channels meanwhile.
    pub unsafe fn finish(self, isa: Isa, column: usize, out: Shared<'_>) {
        let [inputs, outputs] = self.channels.map(|(start, end)| end - start);
        let len = PLACES * sums_stride(inputs, outputs);
        assert!(!self.parts.is_empty() && self.parts.iter().all(|part| part.len() >= len));
        assert!(self.channels.iter().zip(self.all).all(|((start, end), all)| start <= end && *end <= all));
        assert!(column.is_multiple_of(PAD) && column < outputs);
        assert_eq!(out.len(), self.all[0] * self.all[1] * TAPS);
        isa.run(Back { sums: self, column, out: out.at(0) });
    }
}

/// The way back of [`Transform`]. Made by [`Sums::finish`] only, of sums and channels that are there.
struct Back<'a> {
    sums: Sums<'a>,
    column: usize,
    /// The whole gradient.
    out: *mut f32,
}

impl SimdJob for Back<'_> {
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
                // SAFETY: values that every part has; the vector is the caller's, its lanes divide `PAD`.
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
                        for (i, value) in column.into_iter().enumerate() {
                            value.store(raw[3 * i + j].as_mut_ptr().add(lane));
                        }
                    });
                }
            }
            for lane in 0..there {
                let output = first_out + self.column + lane;
                let at = (output * self.sums.all[0] + first_in + c) * TAPS;
                for (tap, values) in raw.iter().enumerate() {
                    // SAFETY: within the gradient, at channels of this worker.
                    unsafe { self.out.add(at + tap).write(values[lane]) };
                }
            }
        }
    }
}
