//! The kernels against plain sums in f64, and the operations against burn's own.

use burn::tensor::activation::relu;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData, module};

use super::panels::Panels;
use super::shape::{Finish, Shape};
use super::simd::Isa;
use super::{conv, norm, unrolled, winograd};
use crate::progress::CancelToken;

/// Pseudo-random values in [-1, 1).
fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// ‖a - b‖ / ‖b‖.
fn error(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let difference: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
    (difference / b.iter().map(|b| b * b).sum::<f64>()).sqrt()
}

/// Output, gradient of the input and gradient of the weight, summed in f64 by their definition.
fn reference(shape: &Shape, x: &[f32], weight: &[f32], dy: &[f32]) -> [Vec<f64>; 3] {
    let [input, output] = shape.channels;
    let [height, width] = shape.out_size();
    let mut y = vec![0.0; shape.output_len()];
    let mut dx = vec![0.0; shape.input_len()];
    let mut dw = vec![0.0; shape.weight_len()];
    let area = shape.side * shape.side;
    for place in 0..shape.batch * height * width * area {
        let (pixel, tap) = (place / area, place % area);
        let (image, row, column) = (pixel / (height * width), pixel / width % height, pixel % width);
        let at = |out: usize, tap: usize, size: usize| {
            (out * shape.stride + tap).checked_sub(shape.padding).filter(|&at| at < size)
        };
        let from = at(row, tap / shape.side, shape.size[0]).zip(at(column, tap % shape.side, shape.size[1]));
        let Some((row, column)) = from else { continue };
        let from = ((image * shape.size[0] + row) * shape.size[1] + column) * input;
        for o in 0..output {
            for i in 0..input {
                let w = (o * input + i) * area + tap;
                let (x, w_value) = (f64::from(x[from + i]), f64::from(weight[w]));
                let dy = f64::from(dy[pixel * output + o]);
                y[pixel * output + o] += x * w_value;
                dx[from + i] += dy * w_value;
                dw[w] += dy * x;
            }
        }
    }
    [y, dx, dw]
}

fn shape(
    batch: usize,
    size: [usize; 2],
    channels: [usize; 2],
    (side, stride, padding): (usize, usize, usize),
) -> Shape {
    Shape { batch, size, channels, side, stride, padding, winograd: true }
}

/// Even and odd maps, channels that fill vectors and that do not, every window of a ResNet; at the end, so many
/// channels, or so many of both channels and tiles, that each way of Winograd's form has its turn.
fn shapes() -> Vec<Shape> {
    vec![
        shape(2, [8, 8], [16, 16], (3, 1, 1)),
        shape(3, [7, 9], [5, 37], (3, 1, 2)),
        shape(1, [5, 5], [33, 7], (3, 1, 0)),
        shape(2, [9, 9], [64, 64], (3, 1, 2)),
        shape(40, [4, 4], [24, 48], (3, 1, 1)),
        shape(2, [9, 8], [24, 40], (3, 2, 1)),
        shape(2, [8, 7], [3, 64], (3, 1, 1)),
        shape(2, [15, 14], [3, 16], (7, 2, 3)),
        shape(2, [8, 8], [20, 50], (1, 2, 0)),
        shape(2, [1, 1], [16, 64], (1, 1, 0)),
        shape(1, [1, 1], [16, 16], (3, 1, 1)),
        shape(2, [5, 4], [176, 179], (3, 1, 1)),
        shape(131, [2, 2], [90, 88], (3, 1, 1)),
    ]
}

fn panels(shape: &Shape, weight: &[f32]) -> Panels {
    Panels::new(weight, shape.channels[1], shape.side * shape.side)
}

#[test]
fn both_forms_agree_with_sums_in_f64_on_every_instruction_set() {
    for isa in [Isa::Avx512, Isa::Avx2, Isa::Baseline].into_iter().filter(|isa| isa.is_here()) {
        for shape in shapes() {
            let x = noise(shape.input_len(), 1);
            let weight = noise(shape.weight_len(), 2);
            let dy = noise(shape.output_len(), 3);
            let expected = reference(&shape, &x, &weight, &dy);
            let mut found = vec![[
                unrolled::forward(isa, &shape, &x, &panels(&shape, &weight), Finish::default()),
                unrolled::input_gradient(isa, &shape, &weight, &dy),
                unrolled::weight_gradient(isa, &shape, &x, &dy),
            ]];
            if shape.side == 3 && shape.stride == 1 {
                found.push([
                    winograd::forward(isa, &shape, &x, (&weight, None), Finish::default()),
                    winograd::input_gradient(isa, &shape, &weight, &dy),
                    winograd::weight_gradient(isa, &shape, &x, &dy),
                ]);
            }
            if let Some([transformed, ..]) = found.get(1) {
                let laid_out = (&weight[..], Some(&panels(&shape, &weight)));
                let same = winograd::forward(isa, &shape, &x, laid_out, Finish::default());
                assert!(same == *transformed, "{isa:?} {shape:?}: weights that are laid out");
            }
            for (form, found) in found.iter().enumerate() {
                for (part, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    // Winograd's matrices multiply f32 rounding (6e-8) by some tens.
                    let error = error(found, expected);
                    assert!(error <= 1e-5, "{isa:?} {shape:?} form {form} part {part}: {error:.1e}");
                }
            }
        }
    }
}

#[test]
fn work_that_is_left_computes_nothing() {
    let (isa, shape) = (Isa::best(), shape(2, [9, 6], [19, 21], (3, 1, 1)));
    let (x, weight, dy) =
        (noise(shape.input_len(), 1), noise(shape.weight_len(), 2), noise(shape.output_len(), 3));
    let token = CancelToken::default();
    let left = token.leavable(|| {
        token.cancel();
        let norm::Statistics { mean, variance } = norm::statistics(isa, &x, 19);
        let affine: [&[f32]; 3] = [&mean, &variance, &mean];
        let forward = norm::Forward { x: &x, y: None, weight: &mean, mean: &mean, scale: &variance };
        let made = norm::backward(isa, forward, &x, true);
        let all = [
            (conv::forward(isa, &shape, &x, (&weight, None), Finish::default()), dy.len()),
            (conv::input_gradient(isa, &shape, &weight, &dy), x.len()),
            (conv::weight_gradient(isa, &shape, &x, &dy), weight.len()),
            (norm::apply(isa, &x, affine, None, true), x.len()),
            (made.x, x.len()),
            (made.residual.unwrap(), x.len()),
            (made.weight, 19),
        ];
        assert!(all.iter().all(|(values, count)| *values == vec![0.0; *count]));
    });
    assert!(left.is_err());
    assert!(
        conv::forward(isa, &shape, &x, (&weight, None), Finish::default()).iter().all(|value| *value != 0.0)
    );
}

#[test]
fn a_convolution_is_finished_as_written() {
    for window in [(3, 1, 1), (3, 2, 1)] {
        let shape = shape(2, [9, 6], [19, 21], window);
        let (x, weight) = (noise(shape.input_len(), 1), noise(shape.weight_len(), 2));
        let (scale, bias, residual) = (noise(21, 3), noise(21, 4), noise(shape.output_len(), 5));
        let [plain, ..] = reference(&shape, &x, &weight, &vec![0.0; shape.output_len()]);
        let finished = |(i, y): (usize, &f64)| {
            let channel = i % 21;
            let y = y * f64::from(scale[channel]) + f64::from(bias[channel]) + f64::from(residual[i]);
            y.max(0.0)
        };
        let expected: Vec<f64> = plain.iter().enumerate().map(finished).collect();
        let finish = Finish { scale: Some(&scale), bias: Some(&bias), residual: Some(&residual), relu: true };
        let found = conv::forward(Isa::best(), &shape, &x, (&weight, None), finish);
        assert!(error(&found, &expected) <= 1e-5);
    }
}

#[test]
fn results_repeat_to_the_bit() {
    for window in [(3, 1, 1), (3, 2, 1)] {
        let shape = shape(16, [12, 12], [32, 48], window);
        let (x, dy) = (noise(shape.input_len(), 1), noise(shape.output_len(), 3));
        let weight = noise(shape.weight_len(), 2);
        let isa = Isa::best();
        let run = || {
            [
                conv::forward(isa, &shape, &x, (&weight, None), Finish::default()),
                conv::input_gradient(isa, &shape, &weight, &dy),
                conv::weight_gradient(isa, &shape, &x, &dy),
            ]
        };
        let first = run();
        (0..5).for_each(|_| assert_eq!(run(), first));
    }
}

fn leaf<const D: usize>(dims: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let values = noise(dims.iter().product(), seed);
    Tensor::<D>::from_data(TensorData::new(values, dims), device).require_grad()
}

fn same<const D: usize>(found: Tensor<D>, expected: Tensor<D>, what: &str) {
    let values = |tensor: Tensor<D>| tensor.into_data().try_to_vec::<f32>().unwrap();
    let expected: Vec<f64> = values(expected).into_iter().map(f64::from).collect();
    let error = error(&values(found), &expected);
    // Two float32 computations of sums of a few hundred terms.
    assert!(error <= 1e-5, "{what}: {error:.1e}");
}

#[test]
fn the_convolution_and_its_gradients_agree_with_burns() {
    let device = Device::flex().autodiff();
    for (side, stride, padding) in [(3, 1, 1), (3, 2, 1), (1, 2, 0)] {
        let x = leaf([4, 9, 10, 20], 1, &device);
        let weight = leaf([24, 20, side, side], 2, &device);
        let window = super::Window { stride, padding, winograd: true };
        let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
        let ours = super::conv2d(x.clone(), weight.clone(), window);
        let burns = module::conv2d(x.clone().permute([0, 3, 1, 2]), weight.clone(), None, options);
        let burns = burns.permute([0, 2, 3, 1]);
        let factor = leaf(ours.dims(), 3, &device).detach();
        let grads = [ours.clone(), burns.clone()].map(|y| (y * factor.clone()).sum().backward());
        same(ours, burns, "output");
        let of = |i: usize| (x.grad(&grads[i]).unwrap(), weight.grad(&grads[i]).unwrap());
        let ((dx, dw), (dx_burn, dw_burn)) = (of(0), of(1));
        same(dx, dx_burn, "gradient of the input");
        same(dw, dw_burn, "gradient of the weight");
    }
}

#[test]
fn batch_normalisation_and_its_gradients_agree_with_burns() {
    let device = Device::flex().autodiff();
    for (relu_after, with_residual) in [(true, true), (true, false), (false, false), (false, true)] {
        let x = leaf([5, 7, 9, 19], 1, &device);
        let residual = leaf([5, 7, 9, 19], 2, &device);
        let (weight, bias) = (leaf([19], 3, &device), leaf([19], 4, &device));
        let affine = [weight.clone(), bias.clone()];
        let ours = super::batch_norm_train(
            x.clone(),
            affine,
            with_residual.then(|| residual.clone()),
            relu_after,
            1e-5,
        );
        let first = x.clone().permute([0, 3, 1, 2]);
        let burns = module::batch_norm_train(first, weight.clone(), bias.clone(), 1e-5);
        let mut y = burns.output.permute([0, 2, 3, 1]);
        if with_residual {
            y = y + residual.clone();
        }
        if relu_after {
            y = relu(y);
        }
        let factor = leaf([5, 7, 9, 19], 5, &device).detach();
        let grads = [ours.output.clone(), y.clone()].map(|y| (y * factor.clone()).sum().backward());
        same(ours.output, y, "output");
        same(ours.mean, burns.mean, "mean");
        same(ours.variance, burns.variance, "variance");
        let [ours, burns] = &grads;
        same(x.grad(ours).unwrap(), x.grad(burns).unwrap(), "gradient of the input");
        same(weight.grad(ours).unwrap(), weight.grad(burns).unwrap(), "gradient of the weight");
        same(bias.grad(ours).unwrap(), bias.grad(burns).unwrap(), "gradient of the bias");
        if with_residual {
            same(residual.grad(ours).unwrap(), residual.grad(burns).unwrap(), "gradient of the residual");
        }
    }
}

/// As PyTorch's and burn's: an overflow is not to look like a quiet channel.
#[test]
fn relu_keeps_what_is_no_number() {
    let device = Device::flex();
    let mut values = vec![1.0f32; 3 * 3 * 19];
    values[4 * 19] = f32::NAN;
    let x = Tensor::<4>::from_data(TensorData::new(values, [1, 3, 3, 19]), &device);
    let of = |y: Tensor<4>| y.into_data().try_to_vec::<f32>().unwrap().iter().filter(|v| v.is_nan()).count();
    for (side, padding, winograd) in [(1, 0, false), (3, 1, false), (3, 1, true)] {
        let weight = Tensor::<4>::ones([21, 19, side, side], &device);
        let scale = [Tensor::<1>::ones([21], &device), Tensor::<1>::zeros([21], &device)];
        let window = super::Window { stride: 1, padding, winograd };
        let y = super::conv2d_finished(x.clone(), (weight, None), window, scale, None, true);
        assert!(of(y) >= 21, "{side} {winograd}");
    }
}
