//! The inverse cosine transform of libjpeg ("islow"), to the bit.

/// A block's coefficients, row by row.
pub type Coefficients = [i16; 64];

const BITS: u32 = 13;
const PASS_BITS: u32 = 2;

/// Writes the 8 x 8 samples of a block with quantisation steps `steps` to `out`, rows `stride` apart.
#[inline]
pub fn idct(block: &Coefficients, steps: &[u16; 64], out: &mut [u8], stride: usize) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has the feature.
        return unsafe { idct_avx2(block, steps, out, stride) };
    }
    idct_here(block, steps, out, stride);
}

/// The same with wider instructions.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn idct_avx2(block: &Coefficients, steps: &[u16; 64], out: &mut [u8], stride: usize) {
    idct_here(block, steps, out, stride);
}

#[inline(always)]
fn idct_here(block: &Coefficients, steps: &[u16; 64], out: &mut [u8], stride: usize) {
    let mut rows = [[0i32; 8]; 8];
    for (row, (block, steps)) in rows.iter_mut().zip(block.chunks_exact(8).zip(steps.chunks_exact(8))) {
        for column in 0..8 {
            row[column] = i32::from(block[column]).wrapping_mul(i32::from(steps[column]));
        }
    }
    let columns = transposed(&pass(&rows, BITS - PASS_BITS));
    let samples = transposed(&pass(&columns, BITS + PASS_BITS + 3));
    for (row, out) in samples.iter().zip(out.chunks_mut(stride)) {
        for column in 0..8 {
            out[column] = row[column].wrapping_add(128).clamp(0, 255) as u8;
        }
    }
}

/// The same of a block with nothing but its mean.
#[inline]
pub fn flat(mean: i16, step: u16, out: &mut [u8], stride: usize) {
    let mean = (i32::from(mean).wrapping_mul(i32::from(step)) << PASS_BITS).wrapping_add(16) >> 5;
    let sample = (mean + 128).clamp(0, 255) as u8;
    out.chunks_mut(stride).take(8).for_each(|out| out[..8].fill(sample));
}

#[inline(always)]
fn transposed(rows: &[[i32; 8]; 8]) -> [[i32; 8]; 8] {
    let mut columns = [[0; 8]; 8];
    for row in 0..8 {
        for column in 0..8 {
            columns[column][row] = rows[row][column];
        }
    }
    columns
}

/// Transforms along the first index, all eight of the second at once; rounds `shift` bits away.
/// Loeffler, Ligtenberg and Moschytz with 12 multiplications, as in libjpeg's `jidctint.c`.
#[inline(always)]
fn pass(input: &[[i32; 8]; 8], shift: u32) -> [[i32; 8]; 8] {
    let mut out = [[0; 8]; 8];
    let round = 1 << (shift - 1);
    for lane in 0..8 {
        let at = |index: usize| input[index][lane];
        let times = |value: i32, factor: i32| value.wrapping_mul(factor);
        let z1 = times(at(2).wrapping_add(at(6)), 4433);
        let t2 = z1.wrapping_sub(times(at(6), 15_137));
        let t3 = z1.wrapping_add(times(at(2), 6270));
        let t0 = at(0).wrapping_add(at(4)) << BITS;
        let t1 = at(0).wrapping_sub(at(4)) << BITS;
        let even = [t0.wrapping_add(t3), t1.wrapping_add(t2), t1.wrapping_sub(t2), t0.wrapping_sub(t3)];

        let [t0, t1, t2, t3] = [at(7), at(5), at(3), at(1)];
        let z1 = times(t0.wrapping_add(t3), -7373);
        let z2 = times(t1.wrapping_add(t2), -20_995);
        let (z3, z4) = (t0.wrapping_add(t2), t1.wrapping_add(t3));
        let z5 = times(z3.wrapping_add(z4), 9633);
        let z3 = times(z3, -16_069).wrapping_add(z5);
        let z4 = times(z4, -3196).wrapping_add(z5);
        let odd = [
            times(t3, 12_299).wrapping_add(z1).wrapping_add(z4),
            times(t2, 25_172).wrapping_add(z2).wrapping_add(z3),
            times(t1, 16_819).wrapping_add(z2).wrapping_add(z4),
            times(t0, 2446).wrapping_add(z1).wrapping_add(z3),
        ];
        for index in 0..4 {
            out[index][lane] = even[index].wrapping_add(odd[index]).wrapping_add(round) >> shift;
            out[7 - index][lane] = even[index].wrapping_sub(odd[index]).wrapping_add(round) >> shift;
        }
    }
    out
}
