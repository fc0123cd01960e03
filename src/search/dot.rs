//! Dot products of one query with many stored rows, at the speed of memory.
//!
//! The widest instructions are picked at run time. The query stays in float32: the half-precision
//! dot of `simsimd` wants it in float16, and where it uses the processor's own half-precision
//! arithmetic it also sums in it, which is not exact enough to order neighbours.

use crate::bank::Values;
use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

/// Instructions for the products, which this processor has: only [`Kernel::available`] makes one. A row's product
/// depends on the row, the query and this, on nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kernel(Instructions);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Kernel {
    /// What this processor can do, fastest first. Never empty.
    pub fn available() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                kernels.push(Kernel(Instructions::Avx512));
            }
            if is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
            {
                kernels.push(Kernel(Instructions::Avx2));
            }
        }
        kernels.push(Kernel(Instructions::Portable));
        kernels
    }

    /// `out[i] = query . row i`, for rows `[out.len(), query.len()]` stored as `values`.
    pub fn dots(self, query: &[f32], values: Values<'_>, out: &mut [f32]) {
        let width = query.len();
        match (self.0, values) {
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx512, Values::F16(rows)) => {
                // SAFETY: `available` has seen the processor's features, and nothing else makes a kernel.
                unsafe { x86::dots_f16_avx512(query, rows, out) }
            }
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx512, Values::F32(rows)) => {
                // SAFETY: `available` has seen the processor's features, and nothing else makes a kernel.
                unsafe { x86::dots_f32_avx512(query, rows, out) }
            }
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx2, Values::F16(rows)) => {
                // SAFETY: `available` has seen the processor's features, and nothing else makes a kernel.
                unsafe { x86::dots_f16_avx2(query, rows, out) }
            }
            #[cfg(target_arch = "x86_64")]
            (Instructions::Avx2, Values::F32(rows)) => {
                // SAFETY: `available` has seen the processor's features, and nothing else makes a kernel.
                unsafe { x86::dots_f32_avx2(query, rows, out) }
            }
            (Instructions::Portable, Values::F16(rows)) => {
                let mut wide = vec![0.0; width];
                for (row, out) in rows.chunks_exact(width).zip(out) {
                    row.convert_to_f32_slice(&mut wide);
                    *out = portable(query, &wide);
                }
            }
            (Instructions::Portable, Values::F32(rows)) => {
                rows.chunks_exact(width).zip(out).for_each(|(row, out)| *out = portable(query, row));
            }
        }
    }
}

/// Rows that one thread multiplies at a time in [`dots`], bytes.
const PARALLEL_BYTES: usize = 1 << 20;

/// Dot products of `query` with each row of `rows`, `[out.len(), query.len()]`, on all threads.
pub fn dots(query: &[f32], rows: &[f32], out: &mut [f32]) {
    let width = query.len().max(1);
    let kernel = Kernel::available()[0];
    let count = (PARALLEL_BYTES / (4 * width)).max(8);
    if out.len() <= count {
        // Waking the threads would take longer.
        return kernel.dots(query, Values::F32(rows), out);
    }
    let blocks = rows.par_chunks(count * width).zip(out.par_chunks_mut(count));
    blocks.for_each(|(rows, out)| kernel.dots(query, Values::F32(rows), out));
}

/// Sixteen sums side by side, so that the compiler can keep them in vector registers.
fn portable(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::f16;
    use crate::search::ahead;
    use std::arch::x86_64::*;

    /// How far ahead of the values at hand the memory is asked for more, bytes, at most, where rows are so long that as much
    /// of each of several would not fit the nearest cache.
    const AHEAD_IN_LONG: usize = 2048;
    /// Several rows that are longer than this together are long.
    const LONG_BYTES: usize = 1 << 16;

    fn ahead(rows: usize, row_bytes: usize) -> usize {
        if rows > 1 && rows * row_bytes > LONG_BYTES {
            ahead::ahead().min(AHEAD_IN_LONG)
        } else {
            ahead::ahead()
        }
    }

    /// One function `[rows, width] -> [rows]`. Rows in float32 are read side by side, so that the query is
    /// loaded once for all of them; those in float16 have time to load it anew, and one stream of memory is
    /// read faster than several. Each row has its own two sums, and what is left over at its end is
    /// added last, so that a product does not depend on the rows beside it.
    macro_rules! dots {
        ($name:ident, $features:literal, $stored:ty, $rows:literal, $lanes:literal, $vector:ty, $zero:ident,
         $load:expr, $query:ident, $fma:ident, $add:ident, $reduce:ident, $wide:expr) => {
            /// # Safety
            /// The processor has the features.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn $name(query: &[f32], rows: &[$stored], out: &mut [f32]) {
                /// The products of `R` rows that lie one after the other.
                #[inline]
                #[target_feature(enable = $features)]
                fn block<const R: usize>(query: &[f32], rows: &[$stored], ahead: usize) -> [f32; R] {
                    let width = query.len();
                    assert_eq!(rows.len(), R * width);
                    let mut sums = [[$zero(); 2]; R];
                    let mut at = 0;
                    while at + 2 * $lanes <= width {
                        let pair: [$vector; 2] = std::array::from_fn(|j| {
                            // SAFETY: at + 2 lanes <= width, the length of the query and of every row.
                            unsafe { $query(query.as_ptr().add(at + j * $lanes)) }
                        });
                        for (r, sums) in sums.iter_mut().enumerate() {
                            // SAFETY: as above.
                            let row = unsafe { rows.as_ptr().add(r * width + at) };
                            _mm_prefetch::<_MM_HINT_T0>(row.wrapping_byte_add(ahead).cast());
                            for (j, sum) in sums.iter_mut().enumerate() {
                                // SAFETY: as above.
                                *sum = $fma(pair[j], unsafe { $load(row.add(j * $lanes)) }, *sum);
                            }
                        }
                        at += 2 * $lanes;
                    }
                    std::array::from_fn(|r| {
                        let row = &rows[r * width..(r + 1) * width];
                        let rest = query[at..].iter().zip(&row[at..]).map(|(q, v)| q * $wide(*v));
                        $reduce($add(sums[r][0], sums[r][1])) + rest.sum::<f32>()
                    })
                }
                let width = query.len();
                let ahead = ahead($rows, width * size_of::<$stored>());
                let mut blocks = rows.chunks_exact($rows * width);
                let mut outs = out.chunks_exact_mut($rows);
                for (rows, out) in (&mut blocks).zip(&mut outs) {
                    out.copy_from_slice(&block::<$rows>(query, rows, ahead));
                }
                for (row, out) in blocks.remainder().chunks_exact(width).zip(outs.into_remainder()) {
                    [*out] = block::<1>(query, row, ahead);
                }
            }
        };
    }

    dots!(
        dots_f16_avx512,
        "avx512f",
        f16,
        1,
        16,
        __m512,
        _mm512_setzero_ps,
        |at: *const f16| _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())),
        _mm512_loadu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_reduce_add_ps,
        f16::to_f32
    );
    dots!(
        dots_f32_avx512,
        "avx512f",
        f32,
        8,
        16,
        __m512,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_loadu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_reduce_add_ps,
        f32::from
    );
    dots!(
        dots_f16_avx2,
        "avx2,fma,f16c",
        f16,
        1,
        8,
        __m256,
        _mm256_setzero_ps,
        |at: *const f16| _mm256_cvtph_ps(_mm_loadu_si128(at.cast())),
        _mm256_loadu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        reduce_avx2,
        f16::to_f32
    );
    dots!(
        dots_f32_avx2,
        "avx2,fma",
        f32,
        4,
        8,
        __m256,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_loadu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        reduce_avx2,
        f32::from
    );

    #[target_feature(enable = "avx2")]
    fn reduce_avx2(v: __m256) -> f32 {
        let half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
        _mm_cvtss_f32(_mm_add_ss(quarter, _mm_shuffle_ps::<1>(quarter, quarter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn every_kernel_agrees_with_float64_at_every_width() {
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(1);
        for width in (1..70).chain([128, 511, 2048]) {
            let query: Vec<f32> = (0..width).map(|_| rng.random_range(-1.0..1.0)).collect();
            let f32s: Vec<f32> = (0..11 * width).map(|_| rng.random_range(-1.0..1.0)).collect();
            let f16s: Vec<f16> = f32s.iter().map(|v| f16::from_f32(*v)).collect();
            let rounded: Vec<f32> = f16s.iter().map(|v| v.to_f32()).collect();
            for kernel in Kernel::available() {
                for (values, plain) in [(Values::F32(&f32s), &f32s), (Values::F16(&f16s), &rounded)] {
                    let mut out = [0.0; 11];
                    kernel.dots(&query, values, &mut out);
                    for (row, out) in plain.chunks(width).zip(out) {
                        let terms = || row.iter().zip(&query).map(|(a, b)| f64::from(*a) * f64::from(*b));
                        let bound = 1e-6 * terms().map(f64::abs).sum::<f64>();
                        let error = (f64::from(out) - terms().sum::<f64>()).abs();
                        assert!(error <= bound, "{kernel:?} at width {width} is off by {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_product_does_not_depend_on_the_rows_beside_it() {
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(2);
        let width = 77;
        let query: Vec<f32> = (0..width).map(|_| rng.random_range(-1.0..1.0)).collect();
        let rows: Vec<f16> = (0..19 * width).map(|_| f16::from_f32(rng.random_range(-1.0..1.0))).collect();
        for kernel in Kernel::available() {
            let mut all = [0.0; 19];
            kernel.dots(&query, Values::F16(&rows), &mut all);
            for first in 0..19 {
                let mut some = vec![0.0; 19 - first];
                kernel.dots(&query, Values::F16(&rows[first * width..]), &mut some);
                assert_eq!(some, all[first..], "{kernel:?} from row {first}");
            }
        }
    }
}
