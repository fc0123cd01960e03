//! Where a token is: learned positions for any grid, and the angles of rotary ones.

use std::f64::consts::TAU;

use burn::tensor::{Device, Tensor, TensorData};
use half::bf16;

/// How learned positions reach another grid.
#[derive(Clone, Copy, Debug)]
pub struct Interpolation {
    /// See [`Positions::Learned`](super::Positions::Learned).
    pub offset: f64,
    /// See [`Positions::Learned`](super::Positions::Learned).
    pub antialias: bool,
    /// See [`Positions::Learned`](super::Positions::Learned).
    pub corners: bool,
}

/// Positions of a grid for another one.
///
/// # Shapes
/// - positions: `[rows cols, width]` of the old grid
/// - output: `[rows cols, width]` of the new grid
pub fn resample(positions: Tensor<2>, old: [usize; 2], new: [usize; 2], how: Interpolation) -> Tensor<2> {
    if old == new {
        return positions;
    }
    let ([rows, cols], [new_rows, new_cols]) = (old, new);
    let [_, width] = positions.dims();
    let device = positions.device();
    let down = weights(rows, new_rows, how, &device).matmul(positions.reshape([rows, cols * width]));
    let across = weights(cols, new_cols, how, &device).unsqueeze::<3>();
    across.matmul(down.reshape([new_rows, cols, width])).reshape([new_rows * new_cols, width])
}

/// The weights of `old` values in each of `new` ones, `[new, old]`.
fn weights(old: usize, new: usize, how: Interpolation, device: &Device) -> Tensor<2> {
    let mut weights = vec![0.0f32; new * old];
    let step = old as f64 / (new as f64 + how.offset);
    for (index, row) in weights.chunks_exact_mut(old).enumerate() {
        let centre = match how.corners {
            true => 0.5 + index as f64 * (old - 1) as f64 / new.saturating_sub(1).max(1) as f64,
            false => step * (index as f64 + 0.5),
        };
        if how.antialias { antialiased(row, centre, step) } else { plain(row, centre) }
    }
    Tensor::from_data(TensorData::new(weights, [new, old]), device)
}

/// Keys' cubic convolution with that `a`.
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * a
    } else {
        0.0
    }
}

/// PyTorch's bicubic: four places, those beyond the edge being the one at the edge.
fn plain(row: &mut [f32], centre: f64) {
    let at = centre - 0.5;
    let first = at.floor();
    for tap in -1..=2 {
        let place = (first as isize + tap).clamp(0, row.len() as isize - 1) as usize;
        row[place] += cubic(at - first - tap as f64, -0.75) as f32;
    }
}

/// PyTorch's and Pillow's bicubic with antialiasing: wider where the grid becomes smaller, and places beyond the edge
/// do not count.
fn antialiased(row: &mut [f32], centre: f64, step: f64) {
    let scale = step.max(1.0);
    let reach = 2.0 * scale;
    let first = (centre - reach + 0.5).max(0.0) as usize;
    let end = ((centre + reach + 0.5) as usize).min(row.len());
    let weight = |place: usize| cubic((place as f64 - centre + 0.5) / scale, -0.5);
    let total: f64 = (first..end).map(weight).sum();
    for (place, to) in row.iter_mut().enumerate().take(end).skip(first) {
        *to = (weight(place) / total) as f32;
    }
}

/// Periods of the angles of a head of so many values, as a part of the image's side: from 1 to nearly `base`.
pub fn rotary_periods(head: usize, base: f64, rounded: bool) -> Vec<f32> {
    // Of float32 as the libraries compute it: large angles feel the rounding.
    let period = |i: usize| (base as f32).powf(4.0 * i as f32 / head as f32);
    let stored = |period: f32| if rounded { bf16::from_f32(period).to_f32() } else { period };
    (0..head / 4).map(period).map(stored).collect()
}

/// Cosines and sines by which the queries and keys of a head turn, `[prefix + rows cols, head]` each; the prefix does
/// not turn.
pub fn rotation(prefix: usize, [rows, cols]: [usize; 2], head: usize, periods: &[f32]) -> [Vec<f32>; 2] {
    let places = prefix + rows * cols;
    let (mut cos, mut sin) = (vec![1.0f32; places * head], vec![0.0f32; places * head]);
    let quarter = head / 4;
    let at = |place: usize, of: usize| 2.0 * ((place as f32 + 0.5) / of as f32) - 1.0;
    for place in 0..rows * cols {
        let coordinates = [at(place / cols, rows), at(place % cols, cols)];
        for d in 0..head {
            // y and x, each with all its periods, and both once more.
            let index = d % (2 * quarter);
            let angle = TAU as f32 * coordinates[index / quarter] / periods[index % quarter];
            let to = (prefix + place) * head + d;
            (cos[to], sin[to]) = (angle.cos(), angle.sin());
        }
    }
    [cos, sin]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resampled(values: &[f32], new: usize, how: Interpolation) -> Vec<f32> {
        let positions =
            Tensor::from_data(TensorData::new(values.to_vec(), [values.len(), 1]), &Device::flex());
        let found = resample(positions, [values.len(), 1], [new, 1], how);
        found.into_data().try_to_vec().unwrap()
    }

    /// `torch.nn.functional.interpolate(..., mode="bicubic")` of columns of 1, 4, 2, 8 in float64.
    #[test]
    fn positions_are_interpolated_as_pytorch_does_it() {
        let values = [1.0, 4.0, 2.0, 8.0];
        let plain = Interpolation { offset: 0.0, antialias: false, corners: false };
        // scale_factor=(6 + 0.1) / 4, as DINO says it.
        let (dino, timm) =
            (Interpolation { offset: 0.1, ..plain }, Interpolation { antialias: true, ..plain });
        // align_corners=True.
        let torchvision = Interpolation { corners: true, ..plain };
        let cases: [(usize, Interpolation, &[f32]); 7] = [
            (6, plain, &[0.739_583_3, 2.6875, 3.869_213, 1.818_287, 4.8125, 8.520_833]),
            (6, dino, &[0.734_560_8, 2.625_836, 3.9216, 1.853_949, 4.464_44, 8.382_763]),
            (3, timm, &[1.855_835, 2.894_397, 6.402_746]),
            (7, timm, &[0.762_019_2, 1.982_522, 3.92565, 2.8125, 2.210_144, 6.111_319, 8.475_962]),
            (6, torchvision, &[1.0, 3.052, 3.792, 1.848, 4.112, 8.0]),
            (3, torchvision, &[1.0, 2.71875, 8.0]),
            (1, torchvision, &[1.0]),
        ];
        for (new, how, right) in cases {
            let found = resampled(&values, new, how);
            for (found, right) in found.iter().zip(right) {
                assert!((found - right).abs() < 2e-6, "{new} {how:?}: {found} {right}");
            }
        }
    }
}
