//! Chance that is the same on every machine: one stream per image, and only
//! integer steps between the generator and a number in [0, 1).

use rand_pcg::Pcg64;
use rand_pcg::rand_core::RngCore;

use crate::dataset::Split;
use crate::dataset::scramble::scramble;

/// The random numbers of one image.
pub(super) struct Dice(Pcg64);

impl Dice {
    /// The stream of image `index` of `split`; streams of the two splits are disjoint by construction.
    pub fn new(seed: u64, split: Split, index: u64) -> Self {
        let stream = 2 * u128::from(index) + u128::from(split == Split::Test);
        // The state is hashed too, since neighbouring PCG streams of one state start out alike.
        let low = scramble(seed ^ scramble(stream as u64));
        Self(Pcg64::new(u128::from(low) << 64 | u128::from(scramble(low)), stream))
    }

    /// Uniform in [0, 1), in steps of 2^-24.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in [lo, hi).
    pub fn range(&mut self, lo: f32, hi: f32) -> f32 {
        lo + (hi - lo) * self.unit()
    }

    /// Uniform in 0..n; `n` at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// One of `items`, which is not empty.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// -1 or 1.
    pub fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }
}
