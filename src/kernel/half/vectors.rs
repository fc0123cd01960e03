//! Products by AVX512-BF16, what follows their sums, and rounding.

use std::arch::x86_64::*;

use super::tiles::{Ending, PANEL, STEP, Tiles, TilesTo};
use crate::kernel::simd::prefetch;

/// Most rows that are held in registers at once, two vectors wide.
const ROWS: usize = 14;

/// Any rows, in groups of about the same height.
///
/// # Safety
/// The processor has AVX512-BF16; `a` and where the sums go are good for all rows, `b` for a panel.
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
                        let (a, to) = (tiles.a.add(row * tiles.a_row), tiles.to.from(row, 0));
                        some_rows::<$count>(Tiles { a, to, ahead, ..tiles }, lead);
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
    let Tiles { a, a_row, b, steps, to, mut ahead, .. } = tiles;
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
        match to {
            TilesTo::Sums { c, row, add } => {
                for i in 0..R {
                    for (half, sum) in sums[i].into_iter().enumerate() {
                        let to = c.add(i * row + half * 16);
                        let sum = if add { _mm512_add_ps(sum, _mm512_loadu_ps(to)) } else { sum };
                        _mm512_storeu_ps(to, sum);
                    }
                }
            }
            TilesTo::Maps(ending) => {
                let bias = [0, 16].map(|at| _mm512_loadu_ps(ending.bias.add(at)));
                // One by one: in a loop this long the compiler would not keep sums in registers.
                macro_rules! rows {
                    ($($i:literal)*) => {
                        $(if $i < R {
                            ending.row($i, sums[$i], bias);
                        })*
                    };
                }
                rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13);
            }
        }
    }
}

/// What follows sums that lie in memory.
///
/// # Safety
/// The processor has AVX512-BF16; `ending` is good for all rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn finish(ending: Ending, sums: &[[f32; PANEL]]) {
    // SAFETY: the caller's; a row is two vectors.
    unsafe {
        let both = |from: *const f32| [_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(16))];
        let bias = both(ending.bias);
        for (i, sums) in sums.iter().enumerate() {
            ending.row(i, both(sums.as_ptr()), bias);
        }
    }
}

impl Ending {
    /// One row.
    ///
    /// # Safety
    /// As [`finish`].
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn row(&self, index: usize, sums: [__m512; 2], bias: [__m512; 2]) {
        let at = index * self.row;
        let mut values = [_mm512_add_ps(sums[0], bias[0]), _mm512_add_ps(sums[1], bias[1])];
        // SAFETY: the caller's.
        unsafe {
            if !self.residual.is_null() {
                let residual = widened(self.residual.add(at));
                values = [_mm512_add_ps(values[0], residual[0]), _mm512_add_ps(values[1], residual[1])];
            }
            put(values, self.relu, self.out.add(at));
        }
    }
}

/// `relu?(values)`, rounded.
///
/// # Safety
/// The processor has AVX512-BF16; 32 values of bf16 can be written.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn put(mut values: [__m512; 2], relu: bool, to: *mut u16) {
    if relu {
        // NaN stays.
        values =
            [_mm512_max_ps(_mm512_setzero_ps(), values[0]), _mm512_max_ps(_mm512_setzero_ps(), values[1])];
    }
    // SAFETY: the caller's.
    unsafe {
        let bf16 = _mm512_cvtne2ps_pbh(values[1], values[0]);
        _mm512_storeu_si512(to.cast(), std::mem::transmute::<__m512bh, __m512i>(bf16));
    }
}

/// 32 values of bf16 in f32.
///
/// # Safety
/// The processor has AVX512-BF16; 32 values can be read.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn widened(from: *const u16) -> [__m512; 2] {
    // SAFETY: the caller's.
    unsafe { [widened_half(from), widened_half(from.add(16))] }
}

/// 16 values of bf16 in f32.
///
/// # Safety
/// The processor has AVX512-BF16; 16 values can be read.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn widened_half(from: *const u16) -> __m512 {
    // SAFETY: the caller's.
    let bits = unsafe { _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast())) };
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
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

/// The three parts of each of some values, in `steps` steps of 32, `each` values of bf16 from one to the next and `apart`
/// from part to part; zeros where there are no more values.
///
/// # Safety
/// The processor has AVX512-BF16; there is room for 32 values of each part of each step.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub unsafe fn split(values: &[f32], to: *mut u16, [steps, each, apart]: [usize; 3]) {
    for place in 0..2 * steps {
        let rest = values.get(16 * place..).unwrap_or_default();
        let mask = if rest.len() < 16 { (1u16 << rest.len()) - 1 } else { u16::MAX };
        // SAFETY: only the values of the mask are read; room is the caller's.
        unsafe {
            let mut value = _mm512_maskz_loadu_ps(mask, rest.as_ptr());
            for part in 0..3 {
                let bf16 = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value));
                let to = to.add(place / 2 * each + part * apart + place % 2 * 16);
                _mm256_storeu_si256(to.cast(), bf16);
                let near = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bf16));
                value = _mm512_sub_ps(value, _mm512_castsi512_ps(near));
            }
        }
    }
}

/// Copies values to where there is room for whole vectors; what is behind them is anything.
///
/// # Panics
/// If there is not.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub fn copy_over(values: &[u16], to: &mut [u16]) {
    let count = values.len();
    assert!(count.next_multiple_of(32) <= to.len());
    for at in (0..count).step_by(32) {
        let left = count - at;
        let mask = if left < 32 { (1u32 << left) - 1 } else { u32::MAX };
        // SAFETY: of the values only those of the mask are read; there is room for 32.
        unsafe {
            let values = _mm512_maskz_loadu_epi16(mask, values.as_ptr().add(at).cast());
            _mm512_storeu_si512(to.as_mut_ptr().add(at).cast(), values);
        }
    }
}
