//! Convolutions and pooling of maps of bf16 against their definition, and what goes in and comes out.
//!
//! 8 bits leave up to 2^-8 of a value, evenly to both sides: 0.16 % of the norm of many. That is what the result is off where
//! operands are exact; with both of them rounded it is sqrt(3) times as much, 0.28 %.

use super::{as_rounded, error, noise, units};
use crate::kernel::half::conv::HalfSummed;
use crate::kernel::half::maps::row_of;
use crate::kernel::half::values::round;
use crate::kernel::half::winograd::HalfWinograd;
use crate::kernel::half::{ConvolutionFinish, HalfConvolution, HalfInput, HalfMaps, Unit, pool};
use crate::kernel::shape::Shape;
use crate::kernel::simd::Isa;

/// The result alone rounded, of a few values twice as much.
const OF_RESULT: f64 = 3.2e-3;
/// Operands too.
const OF_ALL: f64 = 4.2e-3;

/// Maps of `[batch, height, width, channels]`.
fn maps_of(x: &[f32], batch: usize, size: [usize; 2], channels: usize) -> HalfMaps {
    let write = |out: crate::kernel::scratch::Shared<'_, u16>| {
        let row = row_of(channels);
        for (pixel, values) in x.chunks_exact(channels).enumerate() {
            // SAFETY: nobody else has the values.
            let to = unsafe { std::slice::from_raw_parts_mut(out.room(pixel * row, row), row) };
            round(values, to);
        }
    };
    // SAFETY: every pixel is set.
    unsafe { HalfMaps::written(batch, size, channels, write) }
}

/// What a convolution takes: of three channels images, whose values are turned to channels first.
fn input_of(x: &[f32], shape: &Shape) -> HalfMaps {
    let Shape { batch, size: [height, width], channels: [channels, _], .. } = *shape;
    if kind(shape) == HalfInput::Maps {
        return maps_of(x, batch, [height, width], channels);
    }
    let area = height * width;
    let first = |at: usize| {
        let (image, channel, pixel) = (at / (area * channels), at / area % channels, at % area);
        x[(image * area + pixel) * channels + channel]
    };
    let x: Vec<f32> = (0..x.len()).map(first).collect();
    HalfMaps::images(&x, [batch, channels, height, width])
}

fn kind(shape: &Shape) -> HalfInput {
    if shape.channels[0] == 3 { HalfInput::Images } else { HalfInput::Maps }
}

/// The convolution of maps in channels-last order by its definition.
fn convolved(shape: &Shape, x: &[f32], weight: &[f32]) -> Vec<f64> {
    let ([input, output], [height, width]) = (shape.channels, shape.out_size());
    let mut y = vec![0.0; shape.output_len()];
    for (at, y) in y.iter_mut().enumerate() {
        let (pixel, o) = (at / output, at % output);
        let (image, row, column) = (pixel / (height * width), pixel / width % height, pixel % width);
        for tap in 0..shape.side * shape.side {
            let place = |out: usize, tap: usize, size: usize| {
                (out * shape.stride + tap).checked_sub(shape.padding).filter(|&at| at < size)
            };
            let row = place(row, tap / shape.side, shape.size[0]);
            let Some((row, column)) = row.zip(place(column, tap % shape.side, shape.size[1])) else {
                continue;
            };
            let from = ((image * shape.size[0] + row) * shape.size[1] + column) * input;
            for i in 0..input {
                let weight = weight[(o * input + i) * shape.side * shape.side + tap];
                *y += f64::from(x[from + i]) * f64::from(weight);
            }
        }
    }
    y
}

/// Sums with all that follows them.
fn finished(sums: &[f64], [scale, bias]: [&[f32]; 2], residual: Option<&[f32]>, relu: bool) -> Vec<f64> {
    let value = |(at, sum): (usize, &f64)| {
        let o = at % scale.len();
        let residual = residual.map_or(0.0, |residual| residual[at]);
        let value = sum * f64::from(scale[o]) + f64::from(bias[o]) + f64::from(residual);
        if relu { value.max(0.0) } else { value }
    };
    sums.iter().enumerate().map(value).collect()
}

/// Batch, size, channels, and side, stride and padding.
type Case = (usize, [usize; 2], [usize; 2], [usize; 3]);

const WINDOWS: [Case; 11] = [
    (2, [8, 8], [16, 16], [3, 1, 1]),
    (3, [7, 9], [5, 37], [3, 1, 2]),
    (1, [5, 5], [33, 7], [3, 1, 0]),
    (2, [9, 8], [24, 40], [3, 2, 1]),
    (2, [15, 14], [3, 16], [7, 2, 3]),
    (9, [2, 1], [3, 8], [7, 2, 3]),
    (2, [8, 8], [20, 50], [1, 2, 0]),
    (2, [5, 6], [32, 64], [1, 1, 0]),
    (20, [1, 1], [16, 16], [3, 1, 1]),
    // Pixels a page apart.
    (1, [3, 5], [2048, 33], [1, 1, 0]),
    (1, [3, 3], [40, 2048], [1, 2, 0]),
];

fn shape_of((batch, size, channels, [side, stride, padding]): Case) -> Shape {
    Shape { batch, size, channels, side, stride, padding, winograd: false }
}

#[test]
fn convolutions_of_every_window_agree_with_their_definition() {
    for shape in WINDOWS.map(shape_of) {
        let Shape { batch, channels: [inputs, outputs], side, .. } = shape;
        let (x, weight) = (noise(shape.input_len(), 1), noise(shape.weight_len(), 2));
        let (scale, bias) = (vec![1.0; outputs], noise(outputs, 4));
        let residual = as_rounded(&noise(shape.output_len(), 5));
        let right = |x: &[f32], weight: &[f32]| {
            finished(&convolved(&shape, x, weight), [&scale, &bias], Some(&residual), true)
        };
        let layer = HalfSummed::new(kind(&shape), &weight, side, &scale, &bias);
        let layer = HalfConvolution::Full(layer);
        let residual = maps_of(&residual, batch, shape.out_size(), outputs);
        for unit in units() {
            let finish = ConvolutionFinish { residual: Some(&residual), relu: true };
            let found = layer.forward(unit, &shape, &input_of(&x, &shape), finish).to_f32();
            let result = error(&found, &right(&as_rounded(&x), &as_rounded(&weight)));
            let all = error(&found, &right(&x, &weight));
            assert!(
                result < OF_RESULT && all < OF_ALL,
                "{unit:?} {shape:?}, {inputs}: {result:.1e} {all:.1e}"
            );
        }
    }
}

/// Whole numbers so small that both transforms and all products are exact: nothing is left to the rounding but the result's.
fn whole(count: usize, seed: u64, times: f32) -> Vec<f32> {
    noise(count, seed).into_iter().map(|value| times * (value * 4.0).round()).collect()
}

/// In the form that `made` gives, with and without all that follows.
fn assert_exact(shape: Shape, made: impl Fn(&[f32], [&[f32]; 2]) -> HalfConvolution) {
    let Shape { batch, channels: [_, outputs], .. } = shape;
    let (x, weight) = (whole(shape.input_len(), 1, 1.0), whole(shape.weight_len(), 2, 4.0));
    let (scale, bias) = (whole(outputs, 3, 0.5), whole(outputs, 4, 1.0));
    let residual = whole(shape.output_len(), 5, 1.0);
    let maps = maps_of(&residual, batch, shape.out_size(), outputs);
    let layer = made(&weight, [&scale, &bias]);
    let sums = convolved(&shape, &x, &weight);
    for (values, residual, relu) in [(None, None, false), (Some(&residual[..]), Some(&maps), true)] {
        let right = finished(&sums, [&scale, &bias], values, relu);
        let right = as_rounded(&right.into_iter().map(|value| value as f32).collect::<Vec<_>>());
        for unit in units() {
            let found =
                layer.forward(unit, &shape, &input_of(&x, &shape), ConvolutionFinish { residual, relu });
            assert!(found.to_f32() == right, "{unit:?} {shape:?}, ReLU {relu}");
            // What is behind the channels are zeros still, as the next layer needs them.
            let behind = found.values().chunks_exact(found.row()).flat_map(|pixel| &pixel[outputs..]);
            assert!(behind.into_iter().all(|value| *value == 0), "{unit:?} {shape:?}: behind the channels");
        }
    }
}

#[test]
fn convolutions_are_exact_where_nothing_is_rounded() {
    for shape in WINDOWS.map(shape_of) {
        assert_exact(shape, |weight, [scale, bias]| {
            HalfConvolution::Full(HalfSummed::new(kind(&shape), weight, shape.side, scale, bias))
        });
    }
    for (batch, size, channels, padding) in [
        (2, [8, 8], [16, 16], 1),
        (3, [7, 9], [5, 37], 2),
        (1, [5, 6], [33, 7], 0),
        (40, [1, 1], [16, 70], 1),
        (2, [3, 2], [64, 32], 3),
        (1, [31, 90], [20, 33], 1),
    ] {
        let shape = shape_of((batch, size, channels, [3, 1, padding]));
        assert_exact(shape, |weight, [scale, bias]| {
            HalfConvolution::Winograd(HalfWinograd::new(weight, scale, bias))
        });
    }
}

#[test]
fn winograds_form_rounds_less_than_twice_as_much_as_sums_in_full() {
    let shape = shape_of((2, [13, 12], [96, 40], [3, 1, 1]));
    let (x, weight) = (noise(shape.input_len(), 1), noise(shape.weight_len(), 2));
    let (scale, bias) = (vec![1.0; 40], vec![0.0; 40]);
    let right = convolved(&shape, &x, &weight);
    let input = input_of(&x, &shape);
    for unit in units() {
        let of = |layer: HalfConvolution| {
            error(&layer.forward(unit, &shape, &input, ConvolutionFinish::default()).to_f32(), &right)
        };
        let full = of(HalfConvolution::Full(HalfSummed::new(HalfInput::Maps, &weight, 3, &scale, &bias)));
        let winograd = of(HalfConvolution::Winograd(HalfWinograd::new(&weight, &scale, &bias)));
        assert!(full < OF_ALL && winograd < 2.0 * full, "{unit:?}: {winograd:.1e} beside {full:.1e}");
    }
    // The form is taken where it is the faster one, and only there.
    let is_winograd = |unit, input, window| {
        let layer = HalfConvolution::by(unit, input, &weight, window, &scale, &bias);
        matches!(layer, HalfConvolution::Winograd(_))
    };
    assert!(
        is_winograd(Unit::Avx512, HalfInput::Maps, [3, 1])
            && !is_winograd(Unit::Avx512, HalfInput::Maps, [3, 2])
    );
    assert!(
        !is_winograd(Unit::Amx, HalfInput::Maps, [3, 1])
            && !is_winograd(Unit::Avx512, HalfInput::Images, [3, 1])
    );
}

#[test]
fn pooling_is_that_of_f32() {
    if units().is_empty() {
        return;
    }
    for [batch, height, width, channels] in [[2, 8, 8, 16], [1, 7, 5, 3], [3, 1, 1, 20], [1, 2, 9, 33]] {
        let mut x = as_rounded(&noise(batch * height * width * channels, 8));
        x[channels / 2] = f32::NAN;
        let right = crate::kernel::pool::forward(Isa::best(), &x, [batch, height, width, channels]);
        let found = pool::forward(&maps_of(&x, batch, [height, width], channels)).to_f32();
        assert_eq!(found.len(), right.len());
        let same = |(a, b): (&f32, &f32)| a == b || a.is_nan() && b.is_nan();
        assert!(found.iter().zip(&right).all(same), "{height} {width} {channels}");
        assert!(found.iter().any(|value| value.is_nan()), "what is no number stays");
    }
}

#[test]
fn means_are_over_all_positions_of_each_image() {
    if units().is_empty() {
        return;
    }
    let x = whole(2 * 3 * 5 * 7, 9, 1.0);
    let means = maps_of(&x, 2, [3, 5], 7).means();
    let mean = |at: usize| (0..15).map(|pixel| x[(at / 7 * 15 + pixel) * 7 + at % 7]).sum::<f32>() / 15.0;
    assert_eq!(means, (0..14).map(mean).collect::<Vec<f32>>());
}

#[test]
fn parts_are_joined_in_order() {
    if units().is_empty() {
        return;
    }
    let x = as_rounded(&noise(5 * 6 * 7, 9));
    let part = |from: usize, to: usize| maps_of(&x[from * 42..to * 42], to - from, [2, 3], 7);
    let whole = HalfMaps::joined(vec![part(0, 2), part(2, 3), part(3, 5)]);
    assert_eq!((whole.batch, whole.size, whole.channels), (5, [2, 3], 7));
    assert_eq!(whole.to_f32(), x);
}
