//! Products by AVX512-BF16, and rounding.

use std::arch::x86_64::*;

use super::tiles::{STEP, Tiles};

/// Rows that are held in registers at once, two vectors wide.
const ROWS: usize = 8;

/// A multiple of 8 rows.
///
/// # Safety
/// The processor has AVX512-BF16; `a` and `c` are good for all rows, `b` for a panel.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn multiply(tiles: Tiles, rows: usize) {
    for row in (0..rows).step_by(ROWS) {
        // SAFETY: the caller's, of the rows from `row` on.
        unsafe {
            let (a, c) = (tiles.a.add(row * tiles.a_row), tiles.c.add(row * tiles.c_row));
            some_rows(Tiles { a, c, ..tiles });
        }
    }
}

/// # Safety
/// As [`multiply`], of [`ROWS`] rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[expect(clippy::needless_range_loop, reason = "rows of registers, by number")]
unsafe fn some_rows(tiles: Tiles) {
    let Tiles { a, a_row, b, steps, c, c_row, add } = tiles;
    // SAFETY: the caller's: row `i` of eight, pair `p` of the panel, two vectors.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        for step in 0..steps {
            for pair in 0..STEP / 2 {
                let right = [0, 1].map(|tile| {
                    let at = b.add(((step * 2 + tile) * (STEP / 2) + pair) * 32);
                    std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(at.cast()))
                });
                for i in 0..ROWS {
                    let both = a.add(i * a_row + step * STEP + 2 * pair).cast::<i32>().read_unaligned();
                    let left = std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(both));
                    sums[i][0] = _mm512_dpbf16_ps(sums[i][0], left, right[0]);
                    sums[i][1] = _mm512_dpbf16_ps(sums[i][1], left, right[1]);
                }
            }
        }
        for i in 0..ROWS {
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
