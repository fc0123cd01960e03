//! Pixels under a kernel as rows (im2col), some columns at a time.

use std::ops::Range;

use crate::kernel::shape::Shape;

/// Some rows and columns of a map's unrolled matrix.
pub struct Unrolled<'a> {
    pub shape: &'a Shape,
    /// `[batch, height, width, in]`.
    pub x: &'a [f32],
    /// The first output pixel among those of all maps.
    pub first: usize,
    /// Columns: tap by tap, each with all channels.
    pub columns: Range<usize>,
}

impl Unrolled<'_> {
    /// Writes as many rows as `rows` has, `stride` values apart.
    pub fn fill(&self, rows: &mut [f32], stride: usize) {
        let Range { start, end } = self.columns;
        for (index, row) in rows.chunks_mut(stride).enumerate() {
            self.row(self.first + index, &mut row[..end - start]);
        }
    }

    /// The columns of output pixel `at`: a kernel's row of pixels lies in one piece, in the map as here.
    fn row(&self, at: usize, row: &mut [f32]) {
        let Shape { size: [height, width], channels: [channels, _], side, stride, padding, .. } = *self.shape;
        let [out_height, out_width] = self.shape.out_size();
        let (image, within) = (at / (out_height * out_width), at % (out_height * out_width));
        let (top, left) = (within / out_width * stride, within % out_width * stride);
        let line = side * channels;
        let is_inside = |start: usize, size: usize| start >= padding && start + side <= size + padding;
        if self.columns == (0..side * line) && is_inside(top, height) && is_inside(left, width) {
            // Nothing is cut off, as almost everywhere.
            let first = (image * height + top - padding) * width + left - padding;
            for (down, row) in row.chunks_exact_mut(line).enumerate() {
                row.copy_from_slice(&self.x[(first + down * width) * channels..][..line]);
            }
            return;
        }
        // Taps of a line that lie on the map.
        let end = side.min((width + padding).saturating_sub(left));
        let taps = padding.saturating_sub(left).min(end)..end;
        let Range { start, end } = self.columns;
        for down in start / line..end.div_ceil(line) {
            let place = |column: usize| column.clamp(start, end) - start;
            let whole = place(down * line)..place((down + 1) * line);
            let there = taps.start * channels + down * line..taps.end * channels + down * line;
            let inner = place(there.start)..place(there.end);
            let y = (top + down).checked_sub(padding).filter(|y| *y < height && !inner.is_empty());
            let Some(y) = y else {
                row[whole].fill(0.0);
                continue;
            };
            row[whole.start..inner.start].fill(0.0);
            row[inner.end..whole.end].fill(0.0);
            let first = ((image * height + y) * width + left + taps.start - padding) * channels;
            let from = first + (start + inner.start - there.start);
            row[inner.clone()].copy_from_slice(&self.x[from..from + inner.len()]);
        }
    }
}
