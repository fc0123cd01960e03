//! The transforms of Winograd's form F(4x4, 3x3), one dimension at a time.

use crate::kernel::simd::Vector;

/// Side of an output tile.
pub const TILE: usize = 4;
/// Side of an input tile.
pub const SIDE: usize = 6;

/// The two pairs of points.
const NEAR: f32 = std::f32::consts::FRAC_1_SQRT_2;
const FAR: f32 = std::f32::consts::SQRT_2;

/// `B^T v`: one dimension of the input transform.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub unsafe fn input_line<V: Vector>(v: [V; SIDE]) -> [V; SIDE] {
    // SAFETY: the caller's.
    unsafe {
        let (near, far, middle) = (V::splat(NEAR), V::splat(FAR), V::splat(-2.5));
        let even = V::splat(-2.0).mul_add(v[2], v[4]);
        let odd = near.mul(v[3]).sub(far.mul(v[1]));
        let even_far = V::splat(-0.5).mul_add(v[2], v[4]);
        let odd_far = far.mul(v[3]).sub(near.mul(v[1]));
        [
            middle.mul_add(v[2], v[0].add(v[4])),
            even.add(odd),
            even.sub(odd),
            even_far.add(odd_far),
            even_far.sub(odd_far),
            middle.mul_add(v[3], v[1].add(v[5])),
        ]
    }
}

/// `A^T v`: one dimension of the output transform.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub unsafe fn output_line<V: Vector>(v: [V; SIDE]) -> [V; TILE] {
    // SAFETY: the caller's.
    unsafe {
        let (even, odd) = (v[1].add(v[2]), v[1].sub(v[2]));
        let (even_far, odd_far) = (v[3].add(v[4]), v[3].sub(v[4]));
        let third = V::splat(2.0 * FAR).mul_add(odd_far, v[5]);
        [
            v[0].add(even).add(even_far),
            V::splat(FAR).mul_add(odd_far, V::splat(NEAR).mul(odd)),
            V::splat(2.0).mul_add(even_far, V::splat(0.5).mul(even)),
            V::splat(0.5 * NEAR).mul_add(odd, third),
        ]
    }
}

/// `A v`: one dimension of the output gradient's transform.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub unsafe fn gradient_line<V: Vector>(v: [V; TILE]) -> [V; SIDE] {
    // SAFETY: the caller's.
    unsafe {
        let even = V::splat(0.5).mul_add(v[2], v[0]);
        let odd = V::splat(0.5 * NEAR).mul_add(v[3], V::splat(NEAR).mul(v[1]));
        let even_far = V::splat(2.0).mul_add(v[2], v[0]);
        let odd_far = V::splat(2.0 * FAR).mul_add(v[3], V::splat(FAR).mul(v[1]));
        [v[0], even.add(odd), even.sub(odd), even_far.add(odd_far), even_far.sub(odd_far), v[3]]
    }
}

/// `G v`: one dimension of the weight's transform.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub unsafe fn weight_line<V: Vector>(v: [V; 3]) -> [V; SIDE] {
    // SAFETY: the caller's.
    unsafe {
        let even = V::splat(-2.0 / 3.0).mul(V::splat(0.5).mul_add(v[2], v[0]));
        let odd = V::splat(-2.0 / 3.0 * NEAR).mul(v[1]);
        let even_far = V::splat(1.0 / 6.0).mul(V::splat(2.0).mul_add(v[2], v[0]));
        let odd_far = V::splat(1.0 / 6.0 * FAR).mul(v[1]);
        [v[0], even.add(odd), even.sub(odd), even_far.add(odd_far), even_far.sub(odd_far), v[2]]
    }
}

/// `G^T v`: one dimension of the weight gradient's way back.
///
/// # Safety
/// The processor has the vector's instructions.
#[inline(always)]
pub unsafe fn weight_back_line<V: Vector>(v: [V; SIDE]) -> [V; 3] {
    // SAFETY: the caller's.
    unsafe {
        let (even, odd) = (v[1].add(v[2]), v[1].sub(v[2]));
        let (even_far, odd_far) = (v[3].add(v[4]), v[3].sub(v[4]));
        let first = V::splat(-2.0 / 3.0).mul_add(even, v[0]);
        let second = V::splat(-2.0 / 3.0 * NEAR).mul(odd);
        [
            V::splat(1.0 / 6.0).mul_add(even_far, first),
            V::splat(1.0 / 6.0 * FAR).mul_add(odd_far, second),
            V::splat(1.0 / 3.0).mul_add(even_far.sub(even), v[5]),
        ]
    }
}

/// A transform of both dimensions of a `from` by `from` tile: rows of what `load` gives at (i, j),
/// then columns, each of which goes to `store`. A macro, since closures are not surely inlined,
/// without which the vectors' instructions are calls.
macro_rules! both {
    ($line:ident: $from:expr => $to:expr, load($i:ident, $j:ident) $load:expr, store($at:ident, $column:ident) $store:expr) => {{
        let mut half = [[V::splat(0.0); $from]; $to];
        for $i in 0..$from {
            let mut row = [V::splat(0.0); $from];
            for $j in 0..$from {
                row[$j] = $load;
            }
            let line = $line(row);
            for j in 0..$to {
                half[j][$i] = line[j];
            }
        }
        for $at in 0..$to {
            let $column = $line(half[$at]);
            $store
        }
    }};
}
pub(super) use both;
