//! Products by AVX512-BF16, and rounding.

use std::arch::x86_64::*;

use super::tiles::{STEP, Tiles};
use crate::kernel::simd::prefetch;

/// Most rows that are held in registers at once, two vectors wide.
const ROWS: usize = 14;

/// Any rows, in groups of about the same height.
///
/// # Safety
/// The processor has AVX512-BF16; `a` and `c` are good for all rows, `b` for a panel.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn multiply(tiles: Tiles, rows: usize) {
    let groups = rows.div_ceil(ROWS).max(1);
    let (base, extra) = (rows / groups, rows % groups);
    // Each group has a share of what follows brought near: its first use would wait for memory.
    let lead = 2 * STEP / groups;
    let mut row = 0;
    for group in 0..groups {
        let ahead = tiles.ahead.wrapping_add(group * lead * tiles.steps * STEP / 2);
        let count = base + usize::from(group < extra);
        macro_rules! pick {
            ($($count:literal)*) => {
                match count {
                    // SAFETY: the caller's, of the rows from `row` on.
                    $($count => unsafe {
                        let (a, c) = (tiles.a.add(row * tiles.a_row), tiles.c.add(row * tiles.c_row));
                        some_rows::<$count>(Tiles { a, c, ahead, ..tiles }, lead);
                    },)*
                    _ => {}
                }
            };
        }
        pick!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        row += count;
    }
}

/// # Safety
/// As [`multiply`], of `R` rows. `lead`: values that each pair of the panel brings near.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[expect(clippy::needless_range_loop, reason = "rows of registers, by number")]
unsafe fn some_rows<const R: usize>(tiles: Tiles, lead: usize) {
    let Tiles { a, a_row, b, steps, c, c_row, add, mut ahead } = tiles;
    // SAFETY: the caller's: row `i` of the `R`, every pair of the panel, two vectors.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        for step in 0..steps {
            for pair in 0..STEP / 2 {
                prefetch(ahead);
                ahead = ahead.wrapping_add(lead);
                let right = [0, 1].map(|tile| {
                    let at = b.add(((step * 2 + tile) * (STEP / 2) + pair) * 32);
                    std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(at.cast()))
                });
                for i in 0..R {
                    let both = a.add(i * a_row + step * STEP + 2 * pair).cast::<i32>().read_unaligned();
                    let left = std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(both));
                    sums[i][0] = _mm512_dpbf16_ps(sums[i][0], left, right[0]);
                    sums[i][1] = _mm512_dpbf16_ps(sums[i][1], left, right[1]);
                }
            }
        }
        for i in 0..R {
            for (half, sum) in sums[i].into_iter().enumerate() {
                let to = c.add(i * c_row + half * 16);
                let sum = if add { _mm512_add_ps(sum, _mm512_loadu_ps(to)) } else { sum };
                _mm512_storeu_ps(to, sum);
            }
        }
    }
}

/// The nearest bf16 of each value, to even between two.
///
/// # Safety
/// The processor has AVX512-BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn round(values: &[f32], to: &mut [u16]) {
    assert_eq!(values.len(), to.len());
    let (chunks, rest) = values.as_chunks::<16>();
    let (to, last) = to.as_chunks_mut::<16>();
    for (values, to) in chunks.iter().zip(to) {
        // SAFETY: 16 values are there to read and to write.
        unsafe {
            let bf16 = _mm512_cvtneps_pbh(_mm512_loadu_ps(values.as_ptr()));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), std::mem::transmute::<__m256bh, __m256i>(bf16));
        }
    }
    if !rest.is_empty() {
        let mask = (1u16 << rest.len()) - 1;
        // SAFETY: only the values of the mask are read and written.
        unsafe {
            let bf16 = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, rest.as_ptr()));
            let bf16 = std::mem::transmute::<__m256bh, __m256i>(bf16);
            _mm256_mask_storeu_epi16(last.as_mut_ptr().cast(), mask, bf16);
        }
    }
}

/// The same where there is room for whole vectors, which zeros fill.
///
/// # Panics
/// If there is not.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub fn round_over(values: &[f32], to: &mut [u16]) {
    let count = values.len();
    assert!(count.next_multiple_of(16) <= to.len());
    for at in (0..count).step_by(16) {
        let left = count - at;
        let mask = if left < 16 { (1u16 << left) - 1 } else { u16::MAX };
        // SAFETY: of the values only those of the mask are read; there is room for sixteen.
        unsafe {
            let bf16 = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, values.as_ptr().add(at)));
            _mm256_storeu_si256(
                to.as_mut_ptr().add(at).cast(),
                std::mem::transmute::<__m256bh, __m256i>(bf16),
            );
        }
    }
}
