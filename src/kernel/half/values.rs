//! Values of bf16: how they are rounded, and how they lie in memory.

use super::tiles::STEP;
use super::unit::Unit;
use super::value_parts::{ValueParts, rounded};
use crate::kernel::simd;

/// A line of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Line(pub [u16; 32]);

// SAFETY: 32 numbers without gaps, of which any are good.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

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

/// The three parts of each of some values, in steps of 32: `each` values of bf16 from step to step, `apart` from part to
/// part. Zeros where there are no more values.
///
/// # Panics
/// If there is no room for the last part of the last step.
pub fn split(values: &[f32], to: &mut [u16], [steps, each, apart]: [usize; 3]) {
    assert!(steps == 0 || (steps - 1) * each + 2 * apart + STEP <= to.len(), "room for parts");
    #[cfg(target_arch = "x86_64")]
    if Unit::Avx512.is_here() {
        // SAFETY: the processor has the instructions, and there is room, as was just seen.
        unsafe { super::vectors::split(values, to.as_mut_ptr(), [steps, each, apart]) };
        return;
    }
    for place in 0..steps * STEP {
        let value = values.get(place).copied().unwrap_or(0.0);
        for (part, bits) in ValueParts::Whole.of(value).into_iter().enumerate() {
            to[place / STEP * each + part * apart + place % STEP] = bits;
        }
    }
}

/// Memory for some values of bf16, in values of f32.
pub fn room(values: usize) -> usize {
    simd::padded(values.div_ceil(2))
}
