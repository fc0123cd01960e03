//! Gaussian blur with torchvision's kernel and reflecting border.

use super::color::planes;

/// Blurs planar `[3, height, width]` values in place with a Gaussian of deviation `sigma` pixels (> 0)
/// on `kernel` x `kernel` pixels (odd). Pixels beyond the border are mirrored without repeating it, so
/// `kernel / 2` must be below both sides; panics otherwise.
///
/// torchvision multiplies by the two-dimensional kernel; this one runs along rows and then
/// columns, which is the same up to rounding.
pub fn gaussian_blur(rgb: &mut [f32], height: usize, width: usize, kernel: usize, sigma: f32) {
    assert!(kernel % 2 == 1, "blur kernel of {kernel} pixels; expected an odd number");
    assert!(kernel / 2 < height.min(width), "blur kernel of {kernel} pixels on {height} x {width} pixels");
    assert_eq!(rgb.len(), 3 * height * width, "planar values of a {height} x {width} image");
    let weights = gaussian(kernel, sigma);
    let mut scratch = vec![0.0; height * width];
    let (red, green, blue) = planes(rgb);
    for plane in [red, green, blue] {
        along_rows(plane, width, &weights, &mut scratch);
        along_columns(&scratch, height, width, &weights, plane);
    }
}

/// Weights `exp(-x^2 / (2 sigma^2))` at `x = -kernel/2 ..= kernel/2`, summing to 1.
fn gaussian(kernel: usize, sigma: f32) -> Vec<f32> {
    let density = |i: usize| {
        let x = (i as f64 - (kernel / 2) as f64) / sigma as f64;
        (-0.5 * x * x).exp()
    };
    let total: f64 = (0..kernel).map(density).sum();
    (0..kernel).map(|i| (density(i) / total) as f32).collect()
}

/// Index `i - margin` mirrored into `0..side`, for `i` in `0..side + 2 * margin` and `margin < side`.
fn mirrored(i: usize, margin: usize, side: usize) -> usize {
    let inner = i.abs_diff(margin);
    if inner < side { inner } else { 2 * (side - 1) - inner }
}

fn along_rows(plane: &[f32], width: usize, weights: &[f32], out: &mut [f32]) {
    let margin = weights.len() / 2;
    let mut padded = vec![0.0; width + 2 * margin];
    for (row, out) in plane.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        padded[margin..margin + width].copy_from_slice(row);
        for i in (0..margin).chain(margin + width..width + 2 * margin) {
            padded[i] = row[mirrored(i, margin, width)];
        }
        weighted_sum(weights, |t| &padded[t..t + width], out);
    }
}

fn along_columns(plane: &[f32], height: usize, width: usize, weights: &[f32], out: &mut [f32]) {
    let margin = weights.len() / 2;
    for (y, out) in out.chunks_exact_mut(width).enumerate() {
        weighted_sum(weights, |t| &plane[mirrored(y + t, margin, height) * width..][..width], out);
    }
}

/// `out` becomes the sum of `weights[t] * line(t)`.
fn weighted_sum<'a>(weights: &[f32], line: impl Fn(usize) -> &'a [f32], out: &mut [f32]) {
    out.fill(0.0);
    for (t, weight) in weights.iter().enumerate() {
        out.iter_mut().zip(line(t)).for_each(|(value, pixel)| *value += weight * pixel);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn the_blur_equals_torchvision() {
        let cases = fixture::cases("blur");
        assert_eq!(cases.len(), 5);
        for case in cases {
            let mut rgb = case.planar();
            let (height, width) = (case.shape[1] as usize, case.shape[2] as usize);
            gaussian_blur(&mut rgb, height, width, case.argument("kernel"), case.argument("sigma"));
            case.assert_close(&rgb, 1e-6);
        }
    }

    #[test]
    fn mirroring_does_not_repeat_the_border() {
        let indices: Vec<_> = (0..8).map(|i| mirrored(i, 2, 4)).collect();
        assert_eq!(indices, [2, 1, 0, 1, 2, 3, 2, 1]);
        assert_eq!(mirrored(0, 0, 1), 0);
    }
}
