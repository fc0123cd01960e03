//! Batch normalisation over rows of channels, with the residual sum and ReLU that follow it.
//!
//! Two passes over memory each way. Sums are taken over fixed stretches of rows and added in
//! order, so they are the same to the bit for any number of threads. Work that is left
//! ([`crate::progress::is_left`]) gives zeros at once.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::scratch;
use super::simd::{Isa, SimdJob, Vector};
use crate::progress::is_left;

/// Rows summed in f32 before their sum goes to f64.
const STRETCH: usize = 256;
/// Values that one worker normalises at a time.
const SHARE: usize = 1 << 15;

/// Mean and biased variance of each channel.
pub struct Statistics {
    /// `[channels]`
    pub mean: Vec<f32>,
    /// `[channels]`
    pub variance: Vec<f32>,
}

/// What the backward pass needs.
pub struct Gradients {
    /// `[rows, channels]`
    pub x: Vec<f32>,
    /// `[channels]`
    pub weight: Vec<f32>,
    /// `[channels]`
    pub bias: Vec<f32>,
    /// Of the residual, where there was one, `[rows, channels]`.
    pub residual: Option<Vec<f32>>,
}

/// Where `y` is cut off, and what it was made of.
#[derive(Clone, Copy)]
pub struct Forward<'a> {
    /// The input, `[rows, channels]`.
    pub x: &'a [f32],
    /// The output, if a ReLU ended it, `[rows, channels]`.
    pub y: Option<&'a [f32]>,
    /// `[channels]`
    pub weight: &'a [f32],
    /// Of the batch, `[channels]`.
    pub mean: &'a [f32],
    /// `1 / sqrt(variance + epsilon)`, `[channels]`.
    pub scale: &'a [f32],
}

/// Loads, works and stores channel by channel, the last ones by parts. In a [`SimdJob`] whose slices are all
/// `[channels]` or as long as its `x`, which is whole rows: those who make one have checked it.
macro_rules! lanes {
    ($channels:expr, $c:ident, $count:ident, $body:block) => {
        let mut $c = 0;
        while $c < $channels {
            let $count = V::LANES.min($channels - $c);
            // SAFETY: channels `$c..$c + $count` are in every slice, in every row; the vector is the caller's.
            unsafe { $body }
            $c += V::LANES;
        }
    };
}

/// Values `at..at + count`, zeros behind them.
///
/// # Safety
/// The processor has the vector's instructions; `from` has the values, at most as many as there are lanes.
#[inline(always)]
unsafe fn load<V: Vector>(from: &[f32], at: usize, count: usize) -> V {
    debug_assert!(at + count <= from.len());
    // SAFETY: the caller's.
    unsafe {
        let from = from.as_ptr().add(at);
        if count < V::LANES { V::load_part(from, count) } else { V::load(from) }
    }
}

/// Writes values `at..at + count`.
///
/// # Safety
/// The processor has the vector's instructions; `to` has the values, at most as many as there are lanes.
#[inline(always)]
unsafe fn store<V: Vector>(value: V, to: &mut [f32], at: usize, count: usize) {
    debug_assert!(at + count <= to.len());
    // SAFETY: the caller's.
    unsafe { put(value, to.as_mut_ptr().add(at), count) }
}

/// As [`store`], for values that are not set yet.
///
/// # Safety
/// As [`store`].
#[inline(always)]
unsafe fn set<V: Vector>(value: V, to: &mut [MaybeUninit<f32>], at: usize, count: usize) {
    debug_assert!(at + count <= to.len());
    // SAFETY: the caller's.
    unsafe { put(value, to.as_mut_ptr().add(at).cast(), count) }
}

/// Writes the first `count` values.
///
/// # Safety
/// The processor has the vector's instructions; `to` is good for `count` values, at most as many as there are
/// lanes.
#[inline(always)]
unsafe fn put<V: Vector>(value: V, to: *mut f32, count: usize) {
    // SAFETY: the caller's.
    unsafe { if count < V::LANES { value.store_part(to, count) } else { value.store(to) } }
}

/// Adds `x - shift` and its square over rows.
struct Moments<'a> {
    x: &'a [f32],
    shift: &'a [f32],
    sums: &'a mut [f32],
    squares: &'a mut [f32],
}

impl SimdJob for Moments<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let channels = self.shift.len();
        let rows = self.x.len() / channels;
        lanes!(channels, c, count, {
            let shift = load::<V>(self.shift, c, count);
            let (mut sum, mut square) = (V::splat(0.0), V::splat(0.0));
            for row in 0..rows {
                let value = load::<V>(self.x, row * channels + c, count).sub(shift);
                sum = sum.add(value);
                square = value.mul_add(value, square);
            }
            store(sum, self.sums, c, count);
            store(square, self.squares, c, count);
        });
    }
}

/// Sums of `STRETCH` rows at a time, added in order: two for each channel.
fn sums(
    rows: usize,
    channels: usize,
    stretch: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) -> Vec<[f64; 2]> {
    let partial = |index: usize| {
        let mut values = vec![0.0f32; 2 * channels];
        let (first, second) = values.split_at_mut(channels);
        stretch(index, first, second);
        values
    };
    let partials: Vec<Vec<f32>> = (0..rows.div_ceil(STRETCH)).into_par_iter().map(partial).collect();
    let mut totals = vec![[0.0; 2]; channels];
    for values in partials {
        for (c, total) in totals.iter_mut().enumerate() {
            total[0] += f64::from(values[c]);
            total[1] += f64::from(values[channels + c]);
        }
    }
    totals
}

/// The mean and variance of every channel.
///
/// # Shapes
/// - x: `[rows, channels]`, a row or more
pub fn statistics(isa: Isa, x: &[f32], channels: usize) -> Statistics {
    assert!(x.len().is_multiple_of(channels), "{} values of {channels} channels", x.len());
    if is_left() {
        return Statistics { mean: vec![0.0; channels], variance: vec![0.0; channels] };
    }
    let rows = x.len() / channels;
    // Deviations from the first row, lest a large mean swallow the variance.
    let shift = &x[..channels];
    let totals = sums(rows, channels, |index, sums, squares| {
        let x = &x[index * STRETCH * channels..rows.min((index + 1) * STRETCH) * channels];
        isa.run(Moments { x, shift, sums, squares });
    });
    let mean = |c: usize| totals[c][0] / rows as f64;
    let variance = |c: usize| (totals[c][1] / rows as f64 - mean(c).powi(2)).max(0.0) as f32;
    Statistics {
        mean: (0..channels).map(|c| (f64::from(shift[c]) + mean(c)) as f32).collect(),
        variance: (0..channels).map(variance).collect(),
    }
}

struct Apply<'a> {
    x: &'a [f32],
    residual: Option<&'a [f32]>,
    mean: &'a [f32],
    factor: &'a [f32],
    bias: &'a [f32],
    relu: bool,
    out: &'a mut [MaybeUninit<f32>],
}

impl SimdJob for Apply<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let channels = self.mean.len();
        for row in (0..self.x.len()).step_by(channels) {
            lanes!(channels, c, count, {
                let centred = load::<V>(self.x, row + c, count).sub(load(self.mean, c, count));
                let mut y = centred.mul_add(load(self.factor, c, count), load(self.bias, c, count));
                if let Some(residual) = self.residual {
                    y = y.add(load(residual, row + c, count));
                }
                if self.relu {
                    y = V::splat(0.0).max(y);
                }
                set(y, self.out, row + c, count);
            });
        }
    }
}

/// Values of a share: whole rows.
fn share(channels: usize) -> usize {
    (SHARE / channels).max(1) * channels
}

/// `relu?((x - mean) factor + bias + residual)`.
///
/// # Shapes
/// - x, residual, result: `[rows, channels]`
/// - mean, factor, bias: `[channels]`
pub fn apply(
    isa: Isa,
    x: &[f32],
    [mean, factor, bias]: [&[f32]; 3],
    residual: Option<&[f32]>,
    relu: bool,
) -> Vec<f32> {
    let channels = mean.len();
    assert!(x.len().is_multiple_of(channels) && [factor.len(), bias.len()] == [channels; 2]);
    assert!(residual.is_none_or(|residual| residual.len() == x.len()));
    if is_left() {
        return vec![0.0; x.len()];
    }
    let mut y = scratch::unset(x.len());
    let share = share(channels);
    y.par_chunks_mut(share).zip(x.par_chunks(share)).enumerate().for_each(|(index, (out, x))| {
        let residual = residual.map(|values| &values[index * share..index * share + x.len()]);
        isa.run(Apply { x, residual, mean, factor, bias, relu, out });
    });
    // SAFETY: each share has set every channel of all its rows.
    unsafe { y.assume_init() }.into_vec()
}

/// Adds the gradient before normalisation, and its product with the deviation.
struct GradientSums<'a> {
    dy: &'a [f32],
    x: &'a [f32],
    y: Option<&'a [f32]>,
    mean: &'a [f32],
    sums: &'a mut [f32],
    products: &'a mut [f32],
}

impl SimdJob for GradientSums<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let channels = self.mean.len();
        let rows = self.x.len() / channels;
        lanes!(channels, c, count, {
            let mean = load::<V>(self.mean, c, count);
            let (mut sum, mut product) = (V::splat(0.0), V::splat(0.0));
            for row in 0..rows {
                let at = row * channels + c;
                let mut gradient = load::<V>(self.dy, at, count);
                if let Some(y) = self.y {
                    gradient = gradient.where_positive(load(y, at, count));
                }
                sum = sum.add(gradient);
                product = gradient.mul_add(load::<V>(self.x, at, count).sub(mean), product);
            }
            store(sum, self.sums, c, count);
            store(product, self.products, c, count);
        });
    }
}

struct GradientApply<'a> {
    dy: &'a [f32],
    x: &'a [f32],
    y: Option<&'a [f32]>,
    mean: &'a [f32],
    /// `dx = factor (dy - offset - (x - mean) slope)`.
    factor: &'a [f32],
    offset: &'a [f32],
    slope: &'a [f32],
    dx: &'a mut [MaybeUninit<f32>],
    residual: Option<&'a mut [MaybeUninit<f32>]>,
}

impl SimdJob for GradientApply<'_> {
    #[inline(always)]
    unsafe fn run<V: Vector>(mut self) {
        let channels = self.mean.len();
        for row in (0..self.x.len()).step_by(channels) {
            lanes!(channels, c, count, {
                let at = row + c;
                let mut gradient = load::<V>(self.dy, at, count);
                if let Some(y) = self.y {
                    gradient = gradient.where_positive(load(y, at, count));
                }
                let deviation = load::<V>(self.x, at, count).sub(load(self.mean, c, count));
                let expected = deviation.mul_add(load(self.slope, c, count), load(self.offset, c, count));
                let dx = gradient.sub(expected).mul(load(self.factor, c, count));
                set(dx, self.dx, at, count);
                if let Some(residual) = &mut self.residual {
                    set(gradient, residual, at, count);
                }
            });
        }
    }
}

/// The gradients of [`apply`] with the statistics of the batch.
///
/// # Shapes
/// - dy: `[rows, channels]`
pub fn backward(isa: Isa, forward: Forward<'_>, dy: &[f32], has_residual: bool) -> Gradients {
    let Forward { x, y, weight, mean, scale } = forward;
    let channels = mean.len();
    assert!(x.len().is_multiple_of(channels) && [weight.len(), scale.len()] == [channels; 2]);
    assert!(dy.len() == x.len() && y.is_none_or(|y| y.len() == x.len()));
    if is_left() {
        let (zeros, per_channel) = (|| vec![0.0; x.len()], vec![0.0; channels]);
        let residual = has_residual.then(zeros);
        return Gradients { x: zeros(), weight: per_channel.clone(), bias: per_channel, residual };
    }
    let rows = x.len() / channels;
    let totals = sums(rows, channels, |index, sums, products| {
        let range = index * STRETCH * channels..rows.min((index + 1) * STRETCH) * channels;
        let y = y.map(|y| &y[range.clone()]);
        isa.run(GradientSums { dy: &dy[range.clone()], x: &x[range], y, mean, sums, products });
    });
    let per_channel =
        |value: &dyn Fn(usize) -> f64| (0..channels).map(|c| value(c) as f32).collect::<Vec<_>>();
    let scale_of = |c: usize| f64::from(scale[c]);
    let offset = per_channel(&|c| totals[c][0] / rows as f64);
    let slope = per_channel(&|c| totals[c][1] / rows as f64 * scale_of(c).powi(2));
    let factor = per_channel(&|c| f64::from(weight[c]) * scale_of(c));
    let mut dx = scratch::unset(x.len());
    let mut residual = has_residual.then(|| scratch::unset(x.len()));
    let share = share(channels);
    let work = |index: usize, dx: &mut [MaybeUninit<f32>], residual: Option<&mut [MaybeUninit<f32>]>| {
        let range = index * share..index * share + dx.len();
        let (dy, x, y) = (&dy[range.clone()], &x[range.clone()], y.map(|y| &y[range]));
        let (factor, offset, slope) = (&factor, &offset, &slope);
        isa.run(GradientApply { dy, x, y, mean, factor, offset, slope, dx, residual });
    };
    match &mut residual {
        Some(residual) => {
            let parts = dx.par_chunks_mut(share).zip(residual.par_chunks_mut(share)).enumerate();
            parts.for_each(|(index, (dx, residual))| work(index, dx, Some(residual)));
        }
        None => dx.par_chunks_mut(share).enumerate().for_each(|(index, dx)| work(index, dx, None)),
    }
    // SAFETY: each share has set every channel of all its rows, of both.
    let (dx, residual) = unsafe { (dx.assume_init(), residual.map(|residual| residual.assume_init())) };
    Gradients {
        x: dx.into_vec(),
        weight: per_channel(&|c| totals[c][1] * scale_of(c)),
        bias: per_channel(&|c| totals[c][0]),
        residual: residual.map(<[f32]>::into_vec),
    }
}
