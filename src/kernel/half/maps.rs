//! Maps of bf16, as they go from layer to layer.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::tiles::{STEP, TILE};
use super::values::{Line, round};
use crate::kernel::scratch::Shared;

/// Rows of so many values, 4 kilobytes, share one place of a core's first cache, which holds fewer lines than rows are
/// multiplied at once.
const CROWDED: usize = 2048;

/// Values from one pixel to the next of maps with so many channels: whole steps.
pub fn row_of(channels: usize) -> usize {
    let row = channels.next_multiple_of(STEP);
    if row.is_multiple_of(CROWDED) { row + STEP } else { row }
}

/// A batch of maps, channels last, rounded to bf16. Behind the channels of a pixel there are zeros.
pub struct HalfMaps {
    /// How many maps.
    pub batch: usize,
    /// Height and width.
    pub size: [usize; 2],
    /// Channels.
    pub channels: usize,
    row: usize,
    /// Whole tiles of pixels.
    lines: Box<[Line]>,
}

impl HalfMaps {
    /// Images, whose pixels follow each other without zeros: what a network's first layer takes. `x`:
    /// `[batch, channels, height, width]`.
    ///
    /// # Panics
    /// If there are not so many values.
    pub fn images(x: &[f32], [batch, channels, height, width]: [usize; 4]) -> Self {
        assert_eq!(x.len(), batch * channels * height * width, "values of images");
        let mut lines = vec![Line([0; 32]); x.len().div_ceil(32)].into_boxed_slice();
        let values: &mut [u16] = &mut bytemuck::cast_slice_mut(&mut lines)[..x.len()];
        let line = |image: usize, channel: usize, y: usize| {
            &x[((image * channels + channel) * height + y) * width..][..width]
        };
        values.par_chunks_mut((width * channels).max(1)).enumerate().for_each(|(index, to)| {
            let mut rounded = vec![0; width];
            for channel in 0..channels {
                round(line(index / height, channel, index % height), &mut rounded);
                let to = to[channel..].iter_mut().step_by(channels);
                to.zip(&rounded).for_each(|(to, value)| *to = *value);
            }
        });
        Self { batch, size: [height, width], channels, row: channels, lines }
    }

    /// Maps whose pixels `write` sets, each with `row_of` values.
    ///
    /// # Safety
    /// `write` sets all values of whole steps of channels of every pixel.
    pub unsafe fn written(
        batch: usize,
        size: [usize; 2],
        channels: usize,
        write: impl FnOnce(Shared<'_, u16>),
    ) -> Self {
        let row = row_of(channels);
        let (pixels, lines) = (batch * size[0] * size[1], row / 32);
        let mut all = Box::<[Line]>::new_uninit_slice(pixels.next_multiple_of(TILE) * lines);
        // What `write` does not set.
        let unset = if row > channels.next_multiple_of(STEP) { 0 } else { pixels * lines };
        all[unset..].fill(MaybeUninit::new(Line([0; 32])));
        let values = all.as_mut_ptr().cast::<MaybeUninit<u16>>();
        // SAFETY: a line is 32 values.
        write(Shared::unset(unsafe { std::slice::from_raw_parts_mut(values, pixels * row) }));
        // SAFETY: the caller's.
        Self { batch, size, channels, row, lines: unsafe { all.assume_init() } }
    }

    /// Maps of zeros.
    pub fn zeros(batch: usize, size: [usize; 2], channels: usize) -> Self {
        let row = row_of(channels);
        let pixels = (batch * size[0] * size[1]).next_multiple_of(TILE);
        Self { batch, size, channels, row, lines: vec![Line([0; 32]); pixels * row / 32].into_boxed_slice() }
    }

    /// Those of all parts, which are of one shape but for how many there are.
    ///
    /// # Panics
    /// If there are none, or they are of different shapes.
    pub fn joined(mut parts: Vec<Self>) -> Self {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let Self { size, channels, row, .. } = parts[0];
        assert!(parts.iter().all(|part| (part.size, part.row) == (size, row)), "parts of different shapes");
        let batch = parts.iter().map(|part| part.batch).sum();
        let write = |to: Shared<'_, u16>| {
            let starts =
                parts.iter().scan(0, |next, part| Some(std::mem::replace(next, *next + part.count())));
            let starts: Vec<usize> = starts.collect();
            parts.par_iter().zip(starts).for_each(|(part, start)| {
                // SAFETY: the values of a part are written by the one task that has it.
                unsafe {
                    std::ptr::copy_nonoverlapping(
                        part.values().as_ptr(),
                        to.room(start, part.count()),
                        part.count(),
                    )
                };
            });
        };
        // SAFETY: the parts' values are those of the whole.
        unsafe { Self::written(batch, size, channels, write) }
    }

    /// Values from one pixel to the next.
    pub fn row(&self) -> usize {
        self.row
    }

    /// Values of all pixels, and whatever else there is up to the end of a tile of pixels.
    pub fn values(&self) -> &[u16] {
        bytemuck::cast_slice(&self.lines)
    }

    /// Values of all pixels.
    pub fn count(&self) -> usize {
        self.batch * self.size[0] * self.size[1] * self.row
    }

    /// The maps in float32, `[batch, height, width, channels]`.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.batch * self.size[0] * self.size[1] * self.channels];
        let rows = out.par_chunks_exact_mut(self.channels.max(1));
        rows.zip(self.values().par_chunks_exact(self.row.max(1))).with_min_len(64).for_each(|(to, from)| {
            to.iter_mut().zip(from).for_each(|(to, value)| *to = widened(*value));
        });
        out
    }

    /// The mean of each channel over all positions, in float32: `[batch, channels]`.
    pub fn means(&self) -> Vec<f32> {
        let [height, width] = self.size;
        let mut out = vec![0.0; self.batch * self.channels];
        let images = self.values().par_chunks_exact((height * width * self.row).max(1));
        out.par_chunks_exact_mut(self.channels.max(1)).zip(images).for_each(|(sums, image)| {
            // Line by line, so that long sums stay as good as short ones.
            let mut of_line = vec![0.0; self.channels];
            for line in image.chunks_exact(width * self.row) {
                of_line.fill(0.0);
                for pixel in line.chunks_exact(self.row) {
                    of_line.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += widened(*value));
                }
                sums.iter_mut().zip(&of_line).for_each(|(sum, line)| *sum += line);
            }
            sums.iter_mut().for_each(|sum| *sum /= (height * width) as f32);
        });
        out
    }
}

fn widened(value: u16) -> f32 {
    f32::from_bits(u32::from(value) << 16)
}
