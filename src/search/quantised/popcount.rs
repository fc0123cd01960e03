//! How a query of four bits a value agrees with rows of one bit a value: bits are compared and counted, with the widest
//! instructions that the processor has; and what the counts tell, by the same. All of them find the same.

use super::sketch::{PLANES, Sketch};

/// Rows that are looked at one by one where some of them may be near.
pub(super) const CHUNK: usize = 16;

/// Instructions for the counting, which this processor has: only [`Counter::available`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counter(CountWith);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CountWith {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Counter {
    /// What this processor can do, fastest first. Never empty.
    pub fn available() -> Vec<Counter> {
        let mut counters = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vpopcntdq") {
                counters.push(Counter(CountWith::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
                counters.push(Counter(CountWith::Avx2));
            }
        }
        counters.push(Counter(CountWith::Portable));
        counters
    }

    /// As [`Sketch::estimate`].
    pub fn estimate(
        self,
        sketch: &Sketch,
        differing: (&[u32], f32),
        factors: (&[f32], &[f32]),
        out: (&mut [f32], &mut [f32]),
    ) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` has seen the processor's features, and nothing else makes a counter.
            CountWith::Avx512 => unsafe { x86::estimate_avx512(sketch, differing, factors, out) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            CountWith::Avx2 => unsafe { x86::estimate_avx2(sketch, differing, factors, out) },
            CountWith::Portable => sketch.estimate(differing, factors, out),
        }
    }

    /// The first of the chunks of [`CHUNK`] values from chunk `first` on of which some is `least` or more.
    pub fn first_reaching(self, most: &[f32], least: f32, first: usize) -> Option<usize> {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            CountWith::Avx512 => unsafe { x86::first_reaching_avx512(most, least, first) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            CountWith::Avx2 => unsafe { x86::first_reaching_avx2(most, least, first) },
            CountWith::Portable => first_reaching(most, least, first),
        }
    }

    /// For each row of `codes`, `[out.len(), words]`: the bits in which it differs from each of `planes`,
    /// `[PLANES, words]`, those of plane j counted 2^j times.
    pub fn count(self, planes: &[u64], codes: &[u64], out: &mut [u32]) {
        let words = planes.len() / PLANES;
        assert_eq!(codes.len(), words * out.len(), "codes of {} rows", out.len());
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `available` has seen the processor's features, and nothing else makes a counter.
            CountWith::Avx512 => unsafe { x86::count_avx512(planes, codes, out) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            CountWith::Avx2 => unsafe { x86::count_avx2(planes, codes, out) },
            CountWith::Portable => {
                for (row, out) in codes.chunks_exact(words).zip(out) {
                    *out = portable(planes, row, 0);
                }
            }
        }
    }
}

/// A value without a number reaches nothing.
#[inline(always)]
fn first_reaching(most: &[f32], least: f32, first: usize) -> Option<usize> {
    let reaches = |chunk: &[f32]| chunk.iter().fold(false, |any, most| any | (*most >= least));
    let (chunks, rest) = most.as_chunks::<CHUNK>();
    let found = chunks.get(first..)?.iter().position(|chunk| reaches(chunk)).map(|at| first + at);
    found.or_else(|| reaches(rest).then_some(chunks.len()))
}

/// Of the words of a row from `first` on.
#[inline]
fn portable(planes: &[u64], row: &[u64], first: usize) -> u32 {
    let of_plane = |(place, plane): (usize, &[u64])| {
        let bits = row[first..].iter().zip(&plane[first..]).map(|(a, b)| (a ^ b).count_ones());
        bits.sum::<u32>() << place
    };
    planes.chunks_exact(row.len()).enumerate().map(of_plane).sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{PLANES, Sketch, first_reaching, portable};
    use crate::search::ahead::ahead;
    use std::arch::x86_64::*;

    /// Functions that the compiler makes of the plain ones for wider instructions, and finds.
    macro_rules! wide {
        ($estimate:ident, $first_reaching:ident, $features:literal) => {
            #[target_feature(enable = $features)]
            pub(super) fn $estimate(
                sketch: &Sketch,
                differing: (&[u32], f32),
                factors: (&[f32], &[f32]),
                out: (&mut [f32], &mut [f32]),
            ) {
                sketch.estimate(differing, factors, out);
            }

            #[target_feature(enable = $features)]
            pub(super) fn $first_reaching(most: &[f32], least: f32, first: usize) -> Option<usize> {
                first_reaching(most, least, first)
            }
        };
    }

    wide!(estimate_avx512, first_reaching_avx512, "avx512f");
    wide!(estimate_avx2, first_reaching_avx2, "avx2");

    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    pub(super) fn count_avx512(planes: &[u64], codes: &[u64], out: &mut [u32]) {
        let words = planes.len() / PLANES;
        match words {
            8 => rows_of_8(planes, codes, out),
            1 | 2 | 4 => short_rows(words, planes, codes, out),
            _ => {
                for (row, out) in codes.chunks_exact(words).zip(out) {
                    *out = long_row(planes, row);
                }
            }
        }
    }

    /// Plane j of eight words, counted against theirs 2^j times, in each lane.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    fn lanes(planes: &[__m512i; PLANES], row: __m512i) -> __m512i {
        let bits = |plane| _mm512_popcnt_epi64(_mm512_xor_si512(row, plane));
        let mut sum = bits(planes[PLANES - 1]);
        for plane in planes[..PLANES - 1].iter().rev() {
            sum = _mm512_add_epi64(_mm512_add_epi64(sum, sum), bits(*plane));
        }
        sum
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(words: &[u64]) -> __m512i {
        assert!(words.len() >= 8, "{} words", words.len());
        // SAFETY: there are eight words.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }

    /// Rows of 512 values: one register each. Four are summed at once: a lane has at most 960, a row 7,680.
    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    fn rows_of_8(planes: &[u64], codes: &[u64], out: &mut [u32]) {
        let planes: [__m512i; PLANES] = std::array::from_fn(|j| load(&planes[8 * j..]));
        let ahead = ahead();
        let (fours, rest) = codes.as_chunks::<32>();
        let (outs, out_rest) = out.as_chunks_mut::<4>();
        for (rows, out) in fours.iter().zip(outs) {
            for line in 0..4 {
                _mm_prefetch::<_MM_HINT_T0>(rows.as_ptr().wrapping_byte_add(ahead + 64 * line).cast());
            }
            let [a, b, c, d] = std::array::from_fn(|r| lanes(&planes, load(&rows[8 * r..])));
            let low = _mm512_or_si512(a, _mm512_slli_epi64::<16>(b));
            let high = _mm512_or_si512(c, _mm512_slli_epi64::<16>(d));
            let all = _mm512_or_si512(low, _mm512_slli_epi64::<32>(high));
            let sums = _mm_cvtsi64_si128(_mm512_reduce_add_epi64(all));
            // SAFETY: four sums.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_cvtepu16_epi32(sums)) };
        }
        for (row, out) in rest.as_chunks::<8>().0.iter().zip(out_rest) {
            *out = _mm512_reduce_add_epi64(lanes(&planes, load(row))) as u32;
        }
    }

    /// Rows of 64, 128 or 256 values: several in a register, each plane as often.
    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    fn short_rows(words: usize, planes: &[u64], codes: &[u64], out: &mut [u32]) {
        let repeated: [__m512i; PLANES] = std::array::from_fn(|j| {
            let plane: [u64; 8] = std::array::from_fn(|lane| planes[j * words + lane % words]);
            load(&plane)
        });
        let ahead = ahead();
        let (eights, rest) = codes.as_chunks::<8>();
        let mut outs = out.chunks_exact_mut(8 / words);
        for (rows, out) in eights.iter().zip(&mut outs) {
            _mm_prefetch::<_MM_HINT_T0>(rows.as_ptr().wrapping_byte_add(ahead).cast());
            let mut sums = [0u64; 8];
            // SAFETY: eight words.
            unsafe { _mm512_storeu_si512(sums.as_mut_ptr().cast(), lanes(&repeated, load(rows))) };
            for (sums, out) in sums.chunks_exact(words).zip(out) {
                *out = sums.iter().sum::<u64>() as u32;
            }
        }
        for (row, out) in rest.chunks_exact(words).zip(outs.into_remainder()) {
            *out = portable(planes, row, 0);
        }
    }

    /// A row of any length, eight words at a time, the rest by itself.
    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    fn long_row(planes: &[u64], row: &[u64]) -> u32 {
        let mut sum = _mm512_setzero_si512();
        let mut at = 0;
        while at + 8 <= row.len() {
            let planes: [__m512i; PLANES] = std::array::from_fn(|j| load(&planes[j * row.len() + at..]));
            sum = _mm512_add_epi64(sum, lanes(&planes, load(&row[at..])));
            at += 8;
        }
        let rest = if at < row.len() { portable(planes, row, at) } else { 0 };
        _mm512_reduce_add_epi64(sum) as u32 + rest
    }

    /// Bits are counted by a table of those in four (Mula's way), four words at a time.
    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn count_avx2(planes: &[u64], codes: &[u64], out: &mut [u32]) {
        let (words, ahead) = (planes.len() / PLANES, ahead());
        for (row, out) in codes.chunks_exact(words).zip(out) {
            _mm_prefetch::<_MM_HINT_T0>(row.as_ptr().wrapping_byte_add(ahead).cast());
            let mut sum = _mm256_setzero_si256();
            let mut at = 0;
            while at + 4 <= words {
                for (j, plane) in planes.chunks_exact(words).enumerate() {
                    let bits = bits_of(_mm256_xor_si256(load_4(&row[at..]), load_4(&plane[at..])));
                    let shift = _mm_cvtsi32_si128(j as i32);
                    sum = _mm256_add_epi64(sum, _mm256_sll_epi64(bits, shift));
                }
                at += 4;
            }
            let mut lanes = [0u64; 4];
            // SAFETY: four words.
            unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sum) };
            let rest = if at < words { portable(planes, row, at) } else { 0 };
            *out = lanes.iter().sum::<u64>() as u32 + rest;
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load_4(words: &[u64]) -> __m256i {
        assert!(words.len() >= 4, "{} words", words.len());
        // SAFETY: there are four words.
        unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
    }

    /// Bits that are set, in each lane of 64.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn bits_of(words: __m256i) -> __m256i {
        let table = _mm256_setr_epi8(
            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
        );
        let four = _mm256_set1_epi8(0x0f);
        let low = _mm256_shuffle_epi8(table, _mm256_and_si256(words, four));
        let high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16::<4>(words), four));
        _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn all_instructions_count_the_same_at_every_length() {
        let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(1);
        for words in (1..20).chain([32, 33]) {
            let mut draw = |count: usize| (0..count).map(|_| rng.random::<u64>()).collect::<Vec<u64>>();
            let planes = draw(PLANES * words);
            let mut codes = draw(19 * words);
            // As many as can differ, and none.
            let opposite: Vec<u64> = planes[..words].iter().map(|word| !word).collect();
            codes[..words].copy_from_slice(&opposite);
            codes[words..2 * words].copy_from_slice(&planes[..words]);
            let expected: Vec<u32> = codes.chunks(words).map(|row| portable(&planes, row, 0)).collect();
            for counter in Counter::available() {
                for rows in [19, 8, 3, 1] {
                    let mut out = vec![0; rows];
                    counter.count(&planes, &codes[..rows * words], &mut out);
                    assert_eq!(out, expected[..rows], "{counter:?}, {words} words");
                }
            }
        }
    }

    #[test]
    fn all_instructions_find_the_same_chunks() {
        let mut most = vec![0.1; 5 * CHUNK + 3];
        (most[2 * CHUNK + 7], most[5 * CHUNK + 2], most[3]) = (0.5, 0.5, f32::NAN);
        for counter in Counter::available() {
            let found = [0, 2, 3, 5, 6].map(|first| counter.first_reaching(&most, 0.5, first));
            assert_eq!(found, [Some(2), Some(2), Some(5), Some(5), None], "{counter:?}");
            assert_eq!(counter.first_reaching(&most, 0.6, 0), None);
        }
    }

    #[test]
    fn the_farthest_row_fits() {
        for words in [8, 32] {
            for counter in Counter::available() {
                let mut out = [0; 4];
                counter.count(&vec![u64::MAX; PLANES * words], &vec![0; 4 * words], &mut out);
                assert_eq!(out, [(15 * 64 * words) as u32; 4], "{counter:?}");
            }
        }
    }
}
