//! Products, layers and attention in bf16 against plain sums in f64 of the values as they are rounded.
//!
//! What is left then is the rounding of f32 sums, whose order is the unit's. Against the values before they are rounded,
//! each operand is off by at most 2^-9 of its size, evenly to both sides: a sum of products of noise by at most
//! sqrt(2) 2^-9 / sqrt(3) of its norm, 0.16 %.

use super::left::LeftRows;
use super::product::{HalfMatrix, HalfProduct, ProductTo, TILE, steps};
use super::unit::ReadyUnit;
use super::value_parts::rounded;
use super::values::{round, split};
use super::{HalfFinish, HalfLayer, Unit, ValueParts, attention};
use crate::kernel::attention::{Heads, Rotation};
use crate::kernel::pointwise::Activation;

mod maps; // what goes from map to map

/// Sums of f32.
const OF_SUMS: f64 = 2e-6;
/// Both operands rounded to 8 bits, and half as much again.
const OF_ROUNDING: f64 = 2.5e-3;

fn units() -> Vec<Unit> {
    let here: Vec<Unit> = [Unit::Amx, Unit::Avx512].into_iter().filter(|unit| unit.is_here()).collect();
    if here.len() < 2 {
        println!("this processor multiplies bf16 by {here:?} only: the other units are not tested");
    }
    here
}

/// What each unit multiplies.
fn ways() -> Vec<(Unit, ValueParts)> {
    let ways = [
        (Unit::Amx, ValueParts::Whole),
        (Unit::Amx, ValueParts::Rounded),
        (Unit::Avx512, ValueParts::Rounded),
    ];
    ways.into_iter().filter(|(unit, _)| units().contains(unit)).collect()
}

/// Pseudo-random values in [-1, 1).
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn as_rounded(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| f32::from_bits(u32::from(rounded(*value)) << 16)).collect()
}

/// ‖a - b‖ / ‖b‖.
fn error(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
    (difference / b.iter().map(|b| b * b).sum::<f64>().max(1e-30)).sqrt()
}

/// `[rows, k]` times `[columns, k]` transposed.
fn plain(a: &[f32], b: &[f32], k: usize) -> Vec<f64> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    a.chunks_exact(k).flat_map(|a| b.chunks_exact(k).map(move |b| dot(a, b))).collect()
}

#[test]
fn rounding_is_to_the_nearest_and_to_even_between_two() {
    let values = [1.0, -2.5, 1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, 3e38, f32::INFINITY, 1e-20, 0.1];
    let right = [0x3f80, 0xc020, 0x3f80, 0x3f82, 0x7f62, 0x7f80, 0x1e3d, 0x3dcd, 0, 0];
    // Any count: whole vectors, the rest, and zeros behind them.
    for count in [8, 24, 37] {
        let all: Vec<f32> = values.iter().copied().cycle().take(count).collect();
        let mut found = vec![7; count + 2];
        round(&all, &mut found);
        for (index, found) in found.iter().enumerate() {
            let right = if index < count { right[index % 8] } else { 0 };
            assert_eq!(*found, right, "{index} of {count}");
        }
    }
    let mut nan = [0];
    round(&[f32::from_bits(0x7fff_ffff)], &mut nan);
    assert!(f32::from_bits(u32::from(nan[0]) << 16).is_nan());
}

#[test]
fn three_parts_are_all_of_a_value() {
    let values = [noise(70, 9), vec![0.0, 1.0, f32::MIN_POSITIVE, 1.0 + f32::EPSILON, -3e38, 1e-30]].concat();
    let steps = values.len().div_ceil(32);
    let apart = 32 * steps;
    let mut found = vec![7; 3 * apart];
    split(&values, &mut found, [steps, 32, apart]);
    for place in 0..apart {
        let value = values.get(place).copied().unwrap_or(0.0);
        let parts = [0, 1, 2].map(|part| found[part * apart + place]);
        assert_eq!(parts, ValueParts::Whole.of(value), "{value}");
        let sum: f64 = parts.map(|part| f64::from(f32::from_bits(u32::from(part) << 16))).iter().sum();
        assert_eq!(sum, f64::from(value), "of the smallest values as of all others");
    }
    assert_eq!(ValueParts::Rounded.of(0.1)[0], rounded(0.1));
}

#[test]
fn products_of_all_sizes_are_sums_of_rounded_or_whole_values() {
    for (m, k, n) in [
        (1, 1, 1),
        (16, 32, 32),
        (17, 33, 31),
        (33, 64, 65),
        (100, 147, 64),
        (50, 200, 7),
        (15, 40, 33),
        (29, 64, 32),
    ] {
        let (a, b) = (noise(m * k, 1), noise(n * k, 2));
        let all = m.next_multiple_of(TILE);
        for (unit, parts) in ways() {
            let expected = match parts {
                ValueParts::Rounded => plain(&as_rounded(&a), &as_rounded(&b), k),
                ValueParts::Whole => plain(&a, &b, k),
            };
            let packed = HalfMatrix::new(parts, k, n, |o, p| b[o * k + p]);
            // What is behind the last row and between rows is never looked at.
            let rows = LeftRows::new(parts, steps(k));
            let mut left = vec![0x7fc0; rows.len(m)];
            a.chunks_exact(k).enumerate().for_each(|(row, values)| rows.put(row, values, &mut left));
            let ready = ReadyUnit::new(unit);
            let (mut found, mut twice) = (vec![], vec![]);
            let columns: Vec<Vec<f32>> = (0..n.div_ceil(32))
                .map(|panel| {
                    let mut c = vec![0.0; all * 32];
                    let product = |c: &mut [f32], add: bool| {
                        let (b, steps) = (packed.panels(panel..panel + 1), steps(k));
                        let to = ProductTo::Sums { c, c_row: 32, add };
                        HalfProduct { m, steps, a: rows.of(&left), b, next: &[], to }.run(&ready);
                    };
                    product(&mut c, false);
                    let once = c.clone();
                    product(&mut c, true);
                    twice.extend(c.iter().zip(&once).take(m * 32).map(|(two, one)| (two - 2.0 * one).abs()));
                    once
                })
                .collect();
            for row in 0..m {
                found.extend((0..n).map(|column| columns[column / 32][row * 32 + column % 32]));
            }
            let error = error(&found, &expected);
            assert!(error < OF_SUMS, "{unit:?} {parts:?} {m} {k} {n}: {error:.1e}");
            assert!(twice.iter().all(|off| *off < 1e-4), "{unit:?} {m} {k} {n}: added to what is there");
        }
    }
}

#[test]
fn a_linear_layer_is_finished_in_f32() {
    for (rows, k, n) in [(1, 6, 5), (67, 96, 288), (300, 40, 33), (5, 1030, 70), (40, 2100, 40)] {
        let (x, weight, bias) = (noise(rows * k, 3), noise(n * k, 4), noise(n, 5));
        let (scale, residual) = (noise(n, 6), noise(rows * n, 7));
        let scaled: Vec<f32> = weight.iter().enumerate().map(|(at, w)| w * scale[at / k]).collect();
        let sums = plain(&as_rounded(&x), &as_rounded(&scaled), k);
        let unrounded = plain(&x, &scaled, k);
        let is_rectified = n % 2 == 0;
        let finished = |sums: &[f64]| -> Vec<f64> {
            let value = |(at, sum): (usize, &f64)| {
                let sum = sum + f64::from(bias[at % n] * scale[at % n]);
                let value = sum / (1.0 + (-sum).exp()) + f64::from(residual[at]);
                if is_rectified { value.max(0.0) } else { value }
            };
            sums.iter().enumerate().map(value).collect()
        };
        for (unit, parts) in ways() {
            let shift = bias.iter().zip(&scale).map(|(bias, scale)| bias * scale).collect();
            let layer = HalfLayer::linear(parts, &weight, Some(&scale), shift);
            let activation = Some(Activation::Silu);
            let finish = |from: usize, rows: usize| HalfFinish {
                activation,
                residual: Some(&residual[from * n..][..rows * n]),
                relu: is_rectified,
            };
            let found = layer.over(unit, &x, finish(0, rows));
            let [sums, rounding] = [error(&found, &finished(&sums)), error(&found, &finished(&unrounded))];
            let [least, most] = match parts {
                ValueParts::Rounded => [sums, rounding],
                ValueParts::Whole => [rounding, rounding],
            };
            assert!(least < OF_SUMS, "{unit:?} {parts:?} {rows} {k} {n}: {least:.1e}");
            assert!(most < OF_ROUNDING, "{unit:?} {parts:?} {rows} {k} {n}: {most:.1e}");
            for row in 0..rows {
                let alone = layer.over(unit, &x[row * k..][..k], finish(row, 1));
                assert!(alone == found[row * n..][..n], "{unit:?} {parts:?}: row {row} alone is another");
            }
        }
    }
}

/// Scores of some units: each is off by 2^-9 of what is summed in it, and with it the weight of a key by as much.
#[test]
fn attention_is_that_of_f32_but_for_rounding() {
    for (batch, tokens, count, width) in [(2, 37, 3, 6), (1, 1, 1, 4), (1, 530, 1, 20), (1, 65, 2, 64)] {
        let heads = Heads { batch, tokens, count, width };
        let qkv = noise(batch * tokens * 3 * count * width, 7);
        let angles = noise(tokens * width, 3);
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|a| (a.cos(), a.sin())).unzip();
        for rotation in [None, Some(Rotation { cos: &cos, sin: &sin })] {
            let isa = crate::kernel::simd::Isa::best();
            let right = crate::kernel::attention::forward(isa, heads, &qkv, rotation.as_ref());
            let right: Vec<f64> = right.into_iter().map(f64::from).collect();
            let found: Vec<Vec<f32>> = units()
                .into_iter()
                .map(|unit| {
                    let found = attention::forward(unit, heads, &qkv, rotation.as_ref());
                    let error = error(&found, &right);
                    assert!(error < 2.0 * OF_ROUNDING, "{heads:?} {unit:?}: {error:.1e}");
                    found
                })
                .collect();
            if let [first, second] = &found[..] {
                let first: Vec<f64> = first.iter().map(|value| f64::from(*value)).collect();
                // A weight at the middle between two values of bf16 may go either way.
                assert!(error(second, &first) < 2e-4, "{heads:?}: the units differ");
            }
        }
    }
}
