//! Separable resizing of RGB pixels in float32, neither rounded nor clamped.
//!
//! Equal to torch's `F.interpolate(.., align_corners=False, antialias=True)`, whose
//! filters are Pillow's: a triangle of radius 1 (bilinear), and the cubic with
//! a = -0.5 of radius 2 (bicubic). When an axis shrinks, the filter is stretched by
//! the factor (antialias); taps outside the picture are dropped and the rest
//! renormalised. For the triangle on an axis that grows, that is the same as
//! bilinear interpolation without antialias: dropping a tap at the border and
//! repeating the border pixel give the same weights.
//!
//! Weights are computed in float32 in torch's order of operations: in float64 they
//! would differ from torch's by 1e-5.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::image::Image;

/// How pixels are interpolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// Two taps when enlarging, an antialiasing triangle when reducing.
    Bilinear,
    /// Pillow's cubic (a = -0.5), with antialias when reducing.
    Bicubic,
}

/// Every 8-bit value over 255, rounded once as `x as f32 / 255.0` is.
const UNIT: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = i as f32 / 255.0;
        i += 1;
    }
    table
};

impl std::fmt::Display for Resize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
        })
    }
}

impl Resize {
    fn radius(self) -> f32 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    /// The filter at distance `x`, in taps of the unstretched filter.
    fn filter(self, x: f32) -> f32 {
        const A: f32 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A,
            _ => 0.0,
        }
    }
}

/// Weights along one axis: output `i` is the sum over `t < taps` of
/// `weight[i * taps + t] * input[start[i] + t]`.
#[derive(Clone, Debug)]
struct AxisWeights {
    taps: usize,
    start: Vec<usize>,
    weight: Vec<f32>,
}

impl AxisWeights {
    /// Weights of the outputs `kept`, of `output` in all, from `input` pixels.
    fn new(kind: Resize, input: usize, output: usize, kept: Range<usize>) -> Self {
        let scale = input as f32 / output as f32;
        let support = kind.radius() * scale.max(1.0);
        let shrink = 1.0 / scale.max(1.0);
        let span = |i: usize| {
            let center = scale * (i as f32 + 0.5);
            let low = (center - support + 0.5).max(0.0) as usize;
            let high = ((center + support + 0.5) as usize).min(input);
            (center, low, high)
        };
        let taps = kept.clone().map(|i| span(i).2 - span(i).1).max().unwrap_or(0);
        let mut axis =
            Self { taps, start: Vec::with_capacity(kept.len()), weight: vec![0.0; taps * kept.len()] };
        for (i, weights) in kept.zip(axis.weight.chunks_exact_mut(taps.max(1))) {
            let (center, low, high) = span(i);
            // All outputs have the same number of taps; near the end the window moves back and is padded with 0.
            let start = low.min(input - taps);
            let used = &mut weights[low - start..high - start];
            let mut total = 0.0;
            for (j, weight) in (low..high).zip(used.iter_mut()) {
                *weight = kind.filter((j as f32 - center + 0.5) * shrink);
                total += *weight;
            }
            used.iter_mut().for_each(|weight| *weight /= total);
            axis.start.push(start);
        }
        axis
    }

    fn len(&self) -> usize {
        self.start.len()
    }

    /// The inputs that any output uses.
    fn reach(&self) -> Range<usize> {
        let low = self.start.iter().min().copied().unwrap_or(0);
        let high = self.start.iter().max().map_or(0, |start| start + self.taps);
        low..high
    }

    /// Resizes one line of pixels.
    fn along_line(&self, line: &[f32], out: &mut [f32]) {
        match self.taps {
            2 => self.along_line_unrolled::<2>(line, out),
            4 => self.along_line_unrolled::<4>(line, out),
            taps => {
                for ((value, &start), weights) in
                    out.iter_mut().zip(&self.start).zip(self.weight.chunks_exact(taps))
                {
                    *value = line[start..start + taps]
                        .iter()
                        .zip(weights)
                        .map(|(pixel, weight)| pixel * weight)
                        .sum();
                }
            }
        }
    }

    fn along_line_unrolled<const TAPS: usize>(&self, line: &[f32], out: &mut [f32]) {
        for ((value, &start), weights) in
            out.iter_mut().zip(&self.start).zip(self.weight.as_chunks::<TAPS>().0)
        {
            let pixels = &line[start..start + TAPS];
            *value = (0..TAPS).map(|t| pixels[t] * weights[t]).sum();
        }
    }

    /// Resizes across lines of `width` pixels; line 0 of `lines` is input `first`.
    fn across_lines(&self, lines: &[f32], width: usize, first: usize, out: &mut [f32]) {
        for (i, row) in out.chunks_exact_mut(width).enumerate() {
            let weights = &self.weight[i * self.taps..(i + 1) * self.taps];
            let sources = lines[(self.start[i] - first) * width..].chunks_exact(width);
            for (t, (weight, source)) in weights.iter().zip(sources).enumerate() {
                if t == 0 {
                    row.iter_mut().zip(source).for_each(|(value, pixel)| *value = weight * pixel);
                } else {
                    row.iter_mut().zip(source).for_each(|(value, pixel)| *value += weight * pixel);
                }
            }
        }
    }
}

/// The weights of one resizing, made once and used for any number of crops.
#[derive(Clone, Debug)]
pub struct ResizePlan {
    input: (usize, usize),
    rows: AxisWeights,
    cols: AxisWeights,
}

impl ResizePlan {
    /// From squares of `input` to squares of `output` pixels a side, both at least 1 (panics on 0).
    pub fn new(kind: Resize, input: u32, output: u32) -> Self {
        Self::rect(kind, (input, input), (output, output))
    }

    /// From `input` to `output`, each `(height, width)` and at least 1 (panics on 0).
    pub fn rect(kind: Resize, input: (u32, u32), output: (u32, u32)) -> Self {
        let (height, width) = (output.0 as usize, output.1 as usize);
        Self::window(kind, input, (height, width), (0..height, 0..width))
    }

    /// Only the rows and columns `kept` of an enlargement or reduction to `scaled` pixels.
    pub(super) fn window(
        kind: Resize,
        input: (u32, u32),
        scaled: (usize, usize),
        kept: (Range<usize>, Range<usize>),
    ) -> Self {
        let input = (input.0 as usize, input.1 as usize);
        assert!(
            input.0 > 0 && input.1 > 0 && scaled.0 > 0 && scaled.1 > 0,
            "a side of 0 pixels cannot be resized"
        );
        Self {
            input,
            rows: AxisWeights::new(kind, input.0, scaled.0, kept.0),
            cols: AxisWeights::new(kind, input.1, scaled.1, kept.1),
        }
    }

    /// `(height, width)` of the crops that it takes.
    pub fn input(&self) -> (u32, u32) {
        (self.input.0 as u32, self.input.1 as u32)
    }

    /// `(height, width)` of what it gives.
    pub fn output(&self) -> (u32, u32) {
        (self.rows.len() as u32, self.cols.len() as u32)
    }

    /// Resizes the crop of `image` with top-left pixel `(y, x)` into `out`: RGB / 255, planar
    /// `[3, height, width]`. Panics if the crop leaves the image or `out` has another length.
    pub fn resize(&self, image: &Image, y: u32, x: u32, out: &mut [f32]) {
        let (crop_height, crop_width) = self.input;
        let (y, x, image_width) = (y as usize, x as usize, image.width() as usize);
        assert!(
            y + crop_height <= image.height() as usize && x + crop_width <= image_width,
            "crop leaves the image"
        );
        let (height, width) = (self.rows.len(), self.cols.len());
        assert_eq!(out.len(), 3 * height * width, "output of a resize to {height} x {width}");
        let used = self.rows.reach();
        let mut line = vec![0.0; 3 * crop_width];
        let mut lines = vec![0.0; 3 * used.len() * width]; // [3, used rows, output width]
        for (i, row) in used.clone().enumerate() {
            let start = 3 * ((y + row) * image_width + x);
            planar_from_bytes(&image.rgb()[start..start + 3 * crop_width], &mut line);
            for (channel, pixels) in line.chunks_exact(crop_width).enumerate() {
                let at = (channel * used.len() + i) * width;
                self.cols.along_line(pixels, &mut lines[at..at + width]);
            }
        }
        for (plane, lines) in out.chunks_exact_mut(height * width).zip(lines.chunks_exact(used.len() * width))
        {
            self.rows.across_lines(lines, width, used.start, plane);
        }
    }
}

/// Interleaved bytes to planar values in [0, 1].
fn planar_from_bytes(bytes: &[u8], line: &mut [f32]) {
    let (red, green, blue) = super::color::planes(line);
    for (((pixel, r), g), b) in bytes.as_chunks::<3>().0.iter().zip(red).zip(green).zip(blue) {
        *r = UNIT[pixel[0] as usize];
        *g = UNIT[pixel[1] as usize];
        *b = UNIT[pixel[2] as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn resized_pixels_equal_torch() {
        let cases = fixture::cases("resize");
        assert!(cases.len() >= 12);
        for case in cases {
            let image = case.image();
            let kind: Resize = case.argument("kind");
            let plan =
                ResizePlan::rect(kind, (image.height(), image.width()), (case.shape[1], case.shape[2]));
            let mut out = vec![0.0; case.expected.len()];
            plan.resize(&image, 0, 0, &mut out);
            case.assert_close(&out, 1e-6);
        }
    }

    #[test]
    fn a_crop_is_resized_as_if_it_were_the_whole_image() {
        let image = fixture::image(40, 50, 8);
        for (kind, height, width) in [(Resize::Bilinear, 14, 14), (Resize::Bicubic, 30, 9)] {
            let plan = ResizePlan::rect(kind, (height, width), (16, 17));
            let (mut inside, mut alone) = (vec![0.0; 3 * 16 * 17], vec![0.0; 3 * 16 * 17]);
            plan.resize(&image, 5, 11, &mut inside);
            plan.resize(&image.crop(5, 11, height, width), 0, 0, &mut alone);
            assert_eq!(inside, alone);
        }
    }

    #[test]
    fn the_same_size_gives_the_same_pixels() {
        let image = fixture::image(9, 9, 2);
        for kind in [Resize::Bilinear, Resize::Bicubic] {
            let mut out = vec![0.0; 3 * 81];
            ResizePlan::new(kind, 9, 9).resize(&image, 0, 0, &mut out);
            let expected = |c: usize, i: usize| image.pixel(i as u32 / 9, i as u32 % 9)[c] as f32 / 255.0;
            assert!((0..3 * 81).all(|i| out[i] == expected(i / 81, i % 81)));
        }
    }

    #[test]
    fn the_names_on_file_are_lower_case() {
        assert_eq!(serde_json::to_string(&Resize::Bicubic).unwrap(), "\"bicubic\"");
        assert_eq!(<Resize as clap::ValueEnum>::from_str("bilinear", false), Ok(Resize::Bilinear));
    }
}
