//! Values of bf16: how they are rounded, and how they lie in memory.

use super::unit::Unit;
use crate::kernel::simd;

/// A line of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [u16; 32]);

// SAFETY: 32 numbers without gaps, of which any are good.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

/// The nearest bf16, to even between two.
pub fn rounded(value: f32) -> u16 {
    half::bf16::from_f32(value).to_bits()
}

/// The nearest bf16 of each of some values, and zeros behind them.
pub fn round(values: &[f32], to: &mut [u16]) {
    let (to, rest) = to.split_at_mut(values.len());
    rest.fill(0);
    #[cfg(target_arch = "x86_64")]
    if Unit::Avx512.is_here() {
        // SAFETY: the processor has the instructions.
        unsafe { super::vectors::round(values, to) };
        return;
    }
    to.iter_mut().zip(values).for_each(|(to, value)| *to = rounded(*value));
}

/// Memory for some values of bf16, in values of f32.
pub fn room(values: usize) -> usize {
    simd::padded(values.div_ceil(2))
}
