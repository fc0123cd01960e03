//! Colour operations on planar RGB in [0, 1], in place, with the formulas of
//! torchvision's `transforms.functional` for float tensors.

/// Weights of red, green and blue in torchvision's greyscale (ITU-R 601).
const GREY: [f32; 3] = [0.2989, 0.587, 0.114];

/// The three planes of planar `[3, ...]` values.
pub(super) fn planes(rgb: &mut [f32]) -> (&mut [f32], &mut [f32], &mut [f32]) {
    let (red, rest) = rgb.split_at_mut(rgb.len() / 3);
    let (green, blue) = rest.split_at_mut(rest.len() / 2);
    (red, green, blue)
}

/// Applies `change` to every pixel.
#[inline]
fn per_pixel(rgb: &mut [f32], change: impl Fn([f32; 3]) -> [f32; 3]) {
    let (red, green, blue) = planes(rgb);
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        [*r, *g, *b] = change([*r, *g, *b]);
    }
}

fn grey_of([r, g, b]: [f32; 3]) -> f32 {
    GREY[0] * r + GREY[1] * g + GREY[2] * b
}

/// Scales by `factor` (>= 0), clamped to [0, 1].
pub fn brightness(rgb: &mut [f32], factor: f32) {
    rgb.iter_mut().for_each(|value| *value = (factor * *value).clamp(0.0, 1.0));
}

/// Blends with the image's mean grey: `factor` 0 is flat, 1 leaves it; clamped to [0, 1].
pub fn contrast(rgb: &mut [f32], factor: f32) {
    let pixels = rgb.len() / 3;
    let (red, green, blue) = planes(rgb);
    let mean = grey_of([red, green, blue].map(|plane| (sum(plane) / pixels as f64) as f32));
    let offset = (1.0 - factor) * mean;
    rgb.iter_mut().for_each(|value| *value = (factor * *value + offset).clamp(0.0, 1.0));
}

/// Blends each pixel with its grey: `factor` 0 is greyscale, 1 leaves it; clamped to [0, 1].
pub fn saturation(rgb: &mut [f32], factor: f32) {
    per_pixel(rgb, |pixel| {
        let offset = (1.0 - factor) * grey_of(pixel);
        pixel.map(|value| (factor * value + offset).clamp(0.0, 1.0))
    });
}

/// Turns the hue by `shift` of a full circle, in [-0.5, 0.5], keeping HSV's saturation and value.
///
/// Values are first clamped to [0, 1]. torchvision does not do that, but its formula means nothing
/// outside (it can even divide by zero), where only an overshoot of the cubic resize leads.
pub fn hue(rgb: &mut [f32], shift: f32) {
    per_pixel(rgb, |pixel| {
        let [r, g, b] = pixel.map(|value| value.clamp(0.0, 1.0));
        let value = larger(larger(r, g), b);
        let chroma = value - smaller(smaller(r, g), b);
        let divisor = if chroma == 0.0 { 1.0 } else { chroma };
        // Hue in sixths of the circle; the first of red, green, blue that is the largest decides.
        let from_blue = 4.0 + (r - g) / divisor;
        let from_green = 2.0 + (b - r) / divisor;
        let from_red = (g - b) / divisor;
        let sixths = if g == value { from_green } else { from_blue };
        let sixths = if r == value { from_red } else { sixths };
        let turned = wrapped(sixths + 6.0 * shift); // in [0, 6)
        // HSV to RGB without branches: each channel loses chroma by its distance to the hue
        // (the six cases of torchvision's p, q, t in one formula).
        [5.0, 3.0, 1.0].map(|offset| {
            let k = turned + offset;
            let k = if k >= 6.0 { k - 6.0 } else { k };
            value - chroma * larger(smaller(smaller(k, 4.0 - k), 1.0), 0.0)
        })
    });
}

/// Replaces every channel by the grey.
pub fn grey(rgb: &mut [f32]) {
    per_pixel(rgb, |pixel| [grey_of(pixel); 3]);
}

/// Inverts values of at least one half.
pub fn solarise(rgb: &mut [f32]) {
    rgb.iter_mut().for_each(|value| *value = if *value >= 0.5 { 1.0 - *value } else { *value });
}

/// Mirrors rows of `width` pixels.
pub fn flip(rgb: &mut [f32], width: usize) {
    rgb.chunks_exact_mut(width).for_each(<[f32]>::reverse);
}

/// `x` in [-6, 12) brought to [0, 6).
fn wrapped(x: f32) -> f32 {
    let x = if x < 0.0 { x + 6.0 } else { x };
    if x >= 6.0 { x - 6.0 } else { x }
}

// `f32::max` and `min` spend instructions on NaN, which clamped values cannot be here.
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// Sum in sixteen float32 lanes over short stretches, then in float64: fast, and exact enough for 224 x 224.
fn sum(values: &[f32]) -> f64 {
    let mut total = 0.0;
    for stretch in values.chunks(1024) {
        let (lanes, rest) = stretch.as_chunks::<16>();
        let mut sums = [0.0f32; 16];
        for lane in lanes {
            sums.iter_mut().zip(lane).for_each(|(sum, value)| *sum += value);
        }
        total += sums.iter().chain(rest).map(|&value| value as f64).sum::<f64>();
    }
    total
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    /// Rounding apart (the order of sums), these are torchvision's numbers; the hue differs most, by
    /// its way through h / 6 in [0, 1), whose rounding is multiplied by 6 again.
    #[test]
    fn each_operation_equals_torchvision() {
        let cases = fixture::cases("color");
        assert_eq!(cases.len(), 14);
        for case in cases {
            let mut rgb = case.planar();
            let factor = case.argument::<f32>("factor");
            let tolerance = match case.argument::<String>("op").as_str() {
                "brightness" => {
                    brightness(&mut rgb, factor);
                    1e-6
                }
                "contrast" => {
                    contrast(&mut rgb, factor);
                    1e-6
                }
                "saturation" => {
                    saturation(&mut rgb, factor);
                    1e-6
                }
                "hue" => {
                    hue(&mut rgb, factor);
                    2e-6
                }
                "grey" => {
                    grey(&mut rgb);
                    1e-6
                }
                "solarise" => {
                    solarise(&mut rgb);
                    0.0
                }
                "flip" => {
                    flip(&mut rgb, case.shape[2] as usize);
                    0.0
                }
                other => panic!("unknown operation {other}"),
            };
            case.assert_close(&rgb, tolerance);
        }
    }

    #[test]
    fn hue_of_overshooting_values_stays_finite_and_in_range() {
        let mut rgb = vec![-0.1, 0.0, 1.2, -0.2, 0.0, 0.5, -0.3, -0.1, 1.1];
        hue(&mut rgb, 0.2);
        assert!(rgb.iter().all(|value| (0.0..=1.0).contains(value)), "{rgb:?}");
    }

    #[test]
    fn the_mean_of_a_large_plane_keeps_its_digits() {
        let plane: Vec<f32> = (0..50_176).map(|i| (i % 251) as f32 / 250.0).collect();
        let exact: f64 = plane.iter().map(|&value| value as f64).sum();
        assert!((sum(&plane) - exact).abs() / exact < 1e-7);
    }
}
