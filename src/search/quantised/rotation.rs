//! A random rotation that costs n log n: signs are flipped at random, then a Hadamard transform mixes the values.
//!
//! Where the number of values is no power of two, the transform takes the first and the last values that are one by
//! turns, and a turn of each value against the one half the vector away mixes the two (as in RaBitQ's own library).

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::f32::consts::FRAC_1_SQRT_2;

/// Times that all is mixed.
const ROUNDS: usize = 4;

/// A rotation of vectors of a multiple of 64 values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RandomRotation {
    /// Of each round a bit for each value: whether its sign is flipped.
    signs: Vec<u64>,
}

impl RandomRotation {
    /// Values of a rotated vector, of one of `width`: the rest is filled with zeros before.
    pub fn dims(width: usize) -> usize {
        width.max(1).next_multiple_of(64)
    }

    /// One of `dims` values by a seed.
    pub fn random(dims: usize, seed: u64) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        Self { signs: (0..Self::words(dims)).map(|_| rng.random()).collect() }
    }

    /// One of such [`RandomRotation::signs`].
    pub fn of(signs: Vec<u64>) -> Self {
        Self { signs }
    }

    /// What tells it from others.
    pub fn signs(&self) -> &[u64] {
        &self.signs
    }

    /// Words of the signs of a rotation of `dims` values.
    pub fn words(dims: usize) -> usize {
        ROUNDS * dims / 64
    }

    /// Rotates `values`, whose length is preserved.
    pub fn apply(&self, values: &mut [f32]) {
        let dims = values.len();
        // The largest power of two that is not larger.
        let part = 1 << dims.ilog2();
        for (round, signs) in self.signs.chunks_exact(dims / 64).enumerate() {
            for (block, signs) in values.as_chunks_mut::<64>().0.iter_mut().zip(signs) {
                for (place, value) in block.iter_mut().enumerate() {
                    *value = f32::from_bits(value.to_bits() ^ (((signs >> place) as u32 & 1) << 31));
                }
            }
            let first = if round % 2 == 0 { 0 } else { dims - part };
            hadamard(&mut values[first..first + part]);
            if part < dims {
                let (low, high) = values.split_at_mut(dims / 2);
                for (a, b) in low.iter_mut().zip(high) {
                    (*a, *b) = ((*a + *b) * FRAC_1_SQRT_2, (*a - *b) * FRAC_1_SQRT_2);
                }
            }
        }
    }
}

/// The Hadamard transform of a power of two of values, which preserves lengths.
fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (values.len() as f32).sqrt();
    values.iter_mut().for_each(|value| *value *= scale);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_products_and_lengths_stay() {
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        for dims in [64, 128, 192, 384, 512, 768, 1088] {
            let rotation = RandomRotation::random(dims, 7);
            let mut draw = || (0..dims).map(|_| rng.random_range(-1.0f32..1.0)).collect::<Vec<f32>>();
            let (a, b) = (draw(), draw());
            let (mut a_turned, mut b_turned) = (a.clone(), b.clone());
            rotation.apply(&mut a_turned);
            rotation.apply(&mut b_turned);
            let dot = |a: &[f32], b: &[f32]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let scale = dot(&a, &a);
            // Float32 through 4 rounds of at most 11 stages: some ten roundings of 6e-8 each.
            assert!((dot(&a, &b) - dot(&a_turned, &b_turned)).abs() < 2e-6 * scale, "{dims}");
            assert!((scale - dot(&a_turned, &a_turned)).abs() < 2e-6 * scale, "{dims}");
        }
    }

    #[test]
    fn one_value_is_spread_over_all() {
        for dims in [64, 192, 512, 768] {
            for place in [0, 1, dims / 2, dims - 1] {
                let mut values = vec![0.0; dims];
                values[place] = 1.0;
                RandomRotation::random(dims, 3).apply(&mut values);
                let largest = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
                assert!(largest < 6.0 / (dims as f32).sqrt(), "{dims}, {place}: {largest}");
            }
        }
    }
}
