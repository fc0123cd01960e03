//! The largest of each 3x3 window of maps of bf16: as [`crate::kernel::max_pool`].

use super::maps::HalfMaps;
use crate::progress::is_left;

/// The pooled maps, `(height + 1) / 2` by `(width + 1) / 2`.
pub fn forward(x: &HalfMaps) -> HalfMaps {
    let size = x.size.map(|side| side.div_ceil(2));
    if is_left() {
        return HalfMaps::zeros(x.batch, size, x.channels);
    }
    #[cfg(target_arch = "x86_64")]
    return by_vectors::forward(x, size);
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("no unit of bf16 is here");
}

#[cfg(target_arch = "x86_64")]
mod by_vectors {
    use std::arch::x86_64::*;

    use rayon::prelude::*;

    use super::super::maps::HalfMaps;
    use super::super::tiles::STEP;
    use super::super::vectors::{put, widened};
    use crate::kernel::scratch::Shared;

    pub fn forward(x: &HalfMaps, size: [usize; 2]) -> HalfMaps {
        let write = |out: Shared<'_, u16>| {
            (0..x.batch * size[0]).into_par_iter().for_each(|line| {
                // SAFETY: maps of bf16 are made only where the processor has these vectors; no other task has this line.
                unsafe { pooled_line(x, size, line, out) };
            });
        };
        // SAFETY: every line sets all values of its pixels.
        unsafe { HalfMaps::written(x.batch, size, x.channels, write) }
    }

    /// A line of pixels of the result.
    ///
    /// # Safety
    /// The processor has AVX512-BF16; nobody else writes this line.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn pooled_line(x: &HalfMaps, [rows, cols]: [usize; 2], line: usize, out: Shared<'_, u16>) {
        let ([height, width], row, values) = (x.size, x.row(), x.values());
        let (image, y) = (line / rows, line % rows);
        let down = (2 * y).saturating_sub(1)..height.min(2 * y + 2);
        for left in 0..cols {
            let across = (2 * left).saturating_sub(1)..width.min(2 * left + 2);
            for channel in (0..row).step_by(STEP) {
                let mut most = [_mm512_set1_ps(f32::NEG_INFINITY); 2];
                for y in down.clone() {
                    for x in across.clone() {
                        let from = &values[((image * height + y) * width + x) * row + channel..][..STEP];
                        // SAFETY: 32 values are there.
                        let value = unsafe { widened(from.as_ptr()) };
                        most = [larger(most[0], value[0]), larger(most[1], value[1])];
                    }
                }
                // SAFETY: there is room for 32 values, which are the caller's.
                unsafe { put(most, false, out.room((line * cols + left) * row + channel, STEP)) };
            }
        }
    }

    /// The larger of each two; what is no number stays.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn larger(most: __m512, value: __m512) -> __m512 {
        // The second where either is no number.
        let larger = _mm512_max_ps(most, value);
        _mm512_mask_mov_ps(larger, _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(most, most), most)
    }
}
