//! How fast this machine reads memory: what a search can be at best.

use std::time::Instant;

use rayon::prelude::*;

/// Bytes that one thread takes at a time, as in a search of 512 values in float16.
const BLOCK: usize = 2 << 20;

/// Seconds of one pass in which all threads together read `bytes`, as fast as they can.
pub fn read_pass(bytes: &[u8]) -> f64 {
    let clock = Instant::now();
    let seen = bytes.par_chunks(BLOCK).map(fold).reduce(|| 0, |a, b| a ^ b);
    std::hint::black_box(seen);
    clock.elapsed().as_secs_f64()
}

fn fold(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has the feature.
        return unsafe { fold_avx512(bytes) };
    }
    let mut sums = [0u64; 32];
    for block in bytes.as_chunks::<256>().0 {
        for (sum, word) in sums.iter_mut().zip(block.as_chunks::<8>().0) {
            *sum ^= u64::from_ne_bytes(*word);
        }
    }
    sums.iter().fold(0, |all, sum| all ^ sum)
}

/// # Safety
/// The processor has AVX-512.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn fold_avx512(bytes: &[u8]) -> u64 {
    use std::arch::x86_64::*;
    let ahead = super::ahead::ahead();
    let mut sums = [_mm512_setzero_si512(); 8];
    for block in bytes.as_chunks::<512>().0 {
        for (line, sum) in block.as_chunks::<64>().0.iter().zip(&mut sums) {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(ahead).cast());
            // SAFETY: the 64 bytes of the line.
            *sum = _mm512_xor_si512(*sum, unsafe { _mm512_loadu_si512(line.as_ptr().cast()) });
        }
    }
    let sum = sums.into_iter().fold(_mm512_setzero_si512(), |a, b| _mm512_xor_si512(a, b));
    _mm512_reduce_add_epi64(sum) as u64
}
