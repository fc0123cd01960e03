//! What stands between the products of a transformer: activations, layer normalisation, and the exponential that
//! softmax needs, in plain arithmetic that the compiler turns into vectors of whatever instruction set it is in.

use std::str::FromStr;

use anyhow::Context;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::scratch;
use super::simd::{Isa, SimdJob, Vector};

/// What an MLP applies between its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x Φ(x)`.
    Gelu,
    /// GELU by its approximation with a hyperbolic tangent.
    GeluTanh,
    /// `x sigmoid(1.702 x)`, OpenAI's approximation of GELU.
    QuickGelu,
    /// `x sigmoid(x)`.
    Silu,
}

impl FromStr for Activation {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = || Activation::ALL.map(Activation::word).join(", ");
        let found = Activation::ALL.into_iter().find(|activation| activation.word() == word);
        found.with_context(|| format!("unknown activation \"{word}\"; expected one of {}", known()))
    }
}

/// `a b + c`, in one instruction where the vectors have one.
#[inline(always)]
fn mul_add<V: Vector>(a: f32, b: f32, c: f32) -> f32 {
    // Of four lanes nobody knows; elsewhere it would be a call.
    if V::LANES > 4 { a.mul_add(b, c) } else { a * b + c }
}

/// Rounds to a whole number when it is added, since no lower bits are left.
const ROUND: f32 = 12_582_912.0;

/// `e^x`, right to two units in the last place; beyond the range of f32 the largest or smallest value of it.
#[inline(always)]
pub(super) fn exp<V: Vector>(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let shifted = mul_add::<V>(x, std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    // ln 2 in two parts, the first exact in few bits.
    let rest = mul_add::<V>(whole, 2.121_944_4e-4, mul_add::<V>(whole, -0.693_359_4, x));
    let mut series = 1.987_569_1e-4;
    for term in [1.398_2e-3, 8.333_452e-3, 4.166_58e-2, 1.666_666_6e-1, 0.5] {
        series = mul_add::<V>(series, rest, term);
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23);
    (mul_add::<V>(series * rest, rest, rest) + 1.0) * power
}

/// `2^x` for `x` of at most 0, right to two units in the last place; 2^-125 for what is below.
#[inline(always)]
pub(super) fn exp2<V: Vector>(x: f32) -> f32 {
    // No number stays none.
    let x = if x < -125.0 { -125.0 } else { x };
    let shifted = x + ROUND;
    let rest = x - (shifted - ROUND);
    let mut series = 1.326_469_9e-3;
    for term in [9.671_509e-3, 5.550_734e-2, 2.402_224_2e-1, 6.931_469_4e-1, 1.0] {
        series = mul_add::<V>(series, rest, term);
    }
    f32::from_bits(series.to_bits().wrapping_add(shifted.to_bits() << 23))
}

#[inline(always)]
fn sigmoid<V: Vector>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<V>(-x))
}

/// The error function by a quotient of polynomials, right to 5e-7.
#[inline(always)]
fn erf<V: Vector>(x: f32) -> f32 {
    const ABOVE: [f32; 7] = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const BELOW: [f32; 5] = [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let (mut above, mut below) = (0.0, 0.0);
    for term in ABOVE {
        above = mul_add::<V>(above, square, term);
    }
    for term in BELOW {
        below = mul_add::<V>(below, square, term);
    }
    x * above / below
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Activation::Gelu, Activation::GeluTanh, Activation::QuickGelu, Activation::Silu];

    /// The word by which it is told.
    pub fn word(self) -> &'static str {
        match self {
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu-tanh",
            Activation::QuickGelu => "quick-gelu",
            Activation::Silu => "silu",
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Activation::Gelu => "exact GELU",
            Activation::GeluTanh => "GELU by tanh",
            Activation::QuickGelu => "OpenAI's quick GELU",
            Activation::Silu => "SiLU",
        }
    }

    /// Of each value.
    #[inline(always)]
    pub(super) fn apply<V: Vector>(self, values: &mut [f32]) {
        match self {
            Activation::Gelu => {
                let gelu = |x: f32| 0.5 * x * (1.0 + erf::<V>(x * std::f32::consts::FRAC_1_SQRT_2));
                values.iter_mut().for_each(|x| *x = gelu(*x));
            }
            // tanh(y) = 2 sigmoid(2 y) - 1
            Activation::GeluTanh => {
                let gelu = |x: f32| x * sigmoid::<V>(1.595_769 * (x + 0.044_715 * x * x * x));
                values.iter_mut().for_each(|x| *x = gelu(*x));
            }
            Activation::QuickGelu => values.iter_mut().for_each(|x| *x *= sigmoid::<V>(1.702 * *x)),
            Activation::Silu => values.iter_mut().for_each(|x| *x *= sigmoid::<V>(*x)),
        }
    }
}

/// What sixteen lanes come to, half of them at a time.
#[inline(always)]
pub(super) fn fold(lanes: [f32; 16], both: impl Fn(f32, f32) -> f32) -> f32 {
    let lanes: [f32; 8] = std::array::from_fn(|lane| both(lanes[lane], lanes[lane + 8]));
    let lanes: [f32; 4] = std::array::from_fn(|lane| both(lanes[lane], lanes[lane + 4]));
    both(both(lanes[0], lanes[2]), both(lanes[1], lanes[3]))
}

/// The sum over a row, in sixteen lanes.
#[inline(always)]
fn sum(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0f32; 16];
    let (chunks, rest) = row.as_chunks::<16>();
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += of(*value);
        }
    }
    sums.iter_mut().zip(rest).for_each(|(sum, value)| *sum += of(*value));
    fold(sums, |a, b| a + b)
}

/// Values that a task takes at a time.
const TASK: usize = 1 << 15;

fn rows_of_task(width: usize) -> usize {
    (TASK / width.max(1)).max(1)
}

struct NormRows<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
    out: scratch::Shared<'a>,
}

impl SimdJob for NormRows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let width = self.weight.len();
        assert!(self.bias.len() == width && self.out.len() == self.x.len());
        for (index, row) in self.x.chunks_exact(width).enumerate() {
            let mean = sum(row, |value| value) / width as f32;
            let variance = sum(row, |value| (value - mean) * (value - mean)) / width as f32;
            let scale = 1.0 / (variance + self.epsilon).sqrt();
            // SAFETY: a row of `x` ends where one of `out` does, which is this job's alone and only written.
            let out = unsafe { std::slice::from_raw_parts_mut(self.out.at(index * width), width) };
            for (((out, value), weight), bias) in out.iter_mut().zip(row).zip(self.weight).zip(self.bias) {
                *out = (value - mean) * scale * weight + bias;
            }
        }
    }
}

/// Layer normalisation of rows of `weight.len()` values.
pub fn layer_norm(isa: Isa, x: &[f32], [weight, bias]: [&[f32]; 2], epsilon: f64) -> Vec<f32> {
    assert!(x.len().is_multiple_of(weight.len().max(1)));
    let mut out = scratch::unset(x.len());
    let task = rows_of_task(weight.len()) * weight.len();
    out.par_chunks_mut(task).zip(x.par_chunks(task)).for_each(|(out, x)| {
        let out = scratch::Shared::unset(out);
        isa.run(NormRows { x, weight, bias, epsilon: epsilon as f32, out });
    });
    // SAFETY: every row was written.
    unsafe { out.assume_init() }.into_vec()
}

struct GateRows<'a> {
    x: &'a [f32],
    hidden: usize,
    activation: Activation,
    out: &'a mut [f32],
}

impl SimdJob for GateRows<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { x, hidden, activation, out } = self;
        for (out, row) in out.chunks_exact_mut(hidden).zip(x.chunks_exact(2 * hidden)) {
            let (gate, value) = row.split_at(hidden);
            out.copy_from_slice(gate);
            activation.apply::<V>(out);
            out.iter_mut().zip(value).for_each(|(out, value)| *out *= value);
        }
    }
}

/// Of rows of `2 hidden` values: the activation of the first half times the second half.
pub fn gate(isa: Isa, x: &[f32], hidden: usize, activation: Activation) -> Vec<f32> {
    assert!(x.len().is_multiple_of(2 * hidden.max(1)));
    let mut out = vec![0.0; x.len() / 2];
    let task = rows_of_task(hidden) * hidden;
    out.par_chunks_mut(task)
        .zip(x.par_chunks(2 * task))
        .for_each(|(out, x)| isa.run(GateRows { x, hidden, activation, out }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_two_units_in_the_last_place() {
        for step in -8700..8800 {
            let x = step as f32 * 0.01;
            let right = f64::from(x).exp();
            assert!((f64::from(exp::<[f32; 4]>(x)) / right - 1.0).abs() < 2.4e-7, "{x}");
        }
        assert!(exp::<[f32; 4]>(f32::NEG_INFINITY) < 1e-37 && exp::<[f32; 4]>(f32::NAN).is_nan());
    }

    #[test]
    fn powers_of_two_are_right_to_two_units_in_the_last_place() {
        for step in 0..12500 {
            let x = step as f32 * -0.01;
            let right = f64::from(x).exp2();
            assert!((f64::from(exp2::<[f32; 4]>(x)) / right - 1.0).abs() < 2.4e-7, "{x}");
        }
        assert!(exp2::<[f32; 4]>(0.0) == 1.0 && exp2::<[f32; 4]>(f32::NAN).is_nan());
        assert!(exp2::<[f32; 4]>(f32::NEG_INFINITY) < 1e-37);
    }

    /// Values of Python's math.erf.
    #[test]
    fn activations_are_right() {
        let x = [-6.0, -2.0, -0.5, 0.0, 0.25, 1.0, 3.0];
        let of = |activation: Activation| {
            let mut values = x;
            activation.apply::<[f32; 4]>(&mut values);
            values
        };
        let gelu = [-5.919_526e-9, -0.045_500_264, -0.154_268_77, 0.0, 0.149_676_6, 0.841_344_7, 2.995_950_3];
        let quick =
            [-2.203_535_5e-4, -0.064_341_374, -0.149_611_56, 0.0, 0.151_199_65, 0.845_795_75, 2.981_928_8];
        let silu = [-0.014_835_738, -0.238_405_84, -0.188_770_33, 0.0, 0.140_544_1, 0.731_058_6, 2.857_722_4];
        for (activation, right) in
            [(Activation::Gelu, gelu), (Activation::QuickGelu, quick), (Activation::Silu, silu)]
        {
            for (found, right) in of(activation).into_iter().zip(right) {
                assert!(
                    (found - right).abs() <= 1e-6 * right.abs().max(1.0),
                    "{activation:?}: {found} {right}"
                );
            }
        }
        // The approximation stays within its known distance of the exact one.
        for (found, right) in of(Activation::GeluTanh).into_iter().zip(gelu) {
            assert!((found - right).abs() < 5e-4, "{found} {right}");
        }
    }
}
