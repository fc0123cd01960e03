//! The decoded picture that every room works on: 8-bit RGB, row by row; and how its values are normalised.

use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// An image of 8-bit sRGB pixels, interleaved, row-major; `rgb.len() == 3 * width * height`.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({} x {})", self.width, self.height)
    }
}

impl Image {
    /// Wraps interleaved RGB bytes. Panics unless there are `3 * width * height` of them.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Self {
        assert_eq!(
            rgb.len(),
            3 * width as usize * height as usize,
            "RGB bytes of a {width} x {height} image"
        );
        Self { width, height, rgb }
    }

    /// An image of one colour.
    pub fn filled(width: u32, height: u32, rgb: [u8; 3]) -> Self {
        Self::new(width, height, rgb.repeat(width as usize * height as usize))
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Interleaved RGB bytes, row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The pixel in row `y`, column `x`.
    pub fn pixel(&self, y: u32, x: u32) -> [u8; 3] {
        let at = 3 * (y as usize * self.width as usize + x as usize);
        [self.rgb[at], self.rgb[at + 1], self.rgb[at + 2]]
    }

    /// The `height` x `width` rectangle with top-left pixel `(y, x)`. Panics if it leaves the image.
    pub fn crop(&self, y: u32, x: u32, height: u32, width: u32) -> Image {
        assert!(y + height <= self.height && x + width <= self.width, "crop leaves the image");
        let mut rgb = Vec::with_capacity(3 * (width * height) as usize);
        for row in y..y + height {
            let start = 3 * (row as usize * self.width as usize + x as usize);
            rgb.extend_from_slice(&self.rgb[start..start + 3 * width as usize]);
        }
        Image::new(width, height, rgb)
    }

    /// Averaged down by a whole factor: each pixel is the mean of `factor` x `factor`, of fewer at the far edges.
    pub fn averaged(&self, factor: u32) -> Image {
        if factor <= 1 {
            return self.clone();
        }
        let (width, height) = (self.width.div_ceil(factor), self.height.div_ceil(factor));
        let mut rgb = Vec::with_capacity(3 * width as usize * height as usize);
        let mut sums = vec![[0u32; 3]; width as usize];
        for top in (0..self.height).step_by(factor as usize) {
            sums.fill([0; 3]);
            let rows = factor.min(self.height - top);
            for row in top..top + rows {
                let start = 3 * row as usize * self.width as usize;
                let pixels = self.rgb[start..start + 3 * self.width as usize].as_chunks::<3>().0;
                for (sum, some) in sums.iter_mut().zip(pixels.chunks(factor as usize)) {
                    for pixel in some {
                        sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
                    }
                }
            }
            for (col, sum) in (0..width).zip(&sums) {
                let count = rows * factor.min(self.width - col * factor);
                rgb.extend(sum.map(|sum| ((sum + count / 2) / count) as u8));
            }
        }
        Image::new(width, height, rgb)
    }

    /// Averaged down by the least whole factor by which no side has more than `most` pixels.
    pub fn averaged_within(&self, most: u32) -> Image {
        self.averaged(self.width.max(self.height).div_ceil(most.max(1)))
    }
}

/// Per-channel mean and standard deviation of RGB in [0, 1]: `(x - mean) / std`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// What is subtracted from red, green and blue.
    pub mean: [f32; 3],
    /// What red, green and blue are divided by after that, above 0.
    pub std: [f32; 3],
}

impl Normalization {
    /// The constants that ImageNet models are trained with.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

    /// Refuses values that would give no finite input: `mean` must be finite, `std` above 0.
    pub fn check(&self) -> anyhow::Result<()> {
        for (channel, (mean, std)) in ["red", "green", "blue"].iter().zip(self.mean.iter().zip(&self.std)) {
            ensure!(
                mean.is_finite(),
                "mean of {channel} is {mean}; expected a number (RGB counts from 0 to 1)"
            );
            ensure!(
                std.is_finite() && *std > 0.0,
                "std of {channel} is {std}; expected a number above 0 (RGB counts from 0 to 1)"
            );
        }
        Ok(())
    }

    /// Normalises planar `[3, height, width]` values in place.
    pub fn apply(&self, rgb: &mut [f32]) {
        if rgb.is_empty() {
            return;
        }
        let plane = rgb.len() / 3;
        for (values, (mean, std)) in rgb.chunks_exact_mut(plane).zip(self.mean.iter().zip(&self.std)) {
            values.iter_mut().for_each(|value| *value = (*value - mean) / std);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_averaged_down_and_a_small_one_kept() {
        let image = Image::new(
            3,
            2,
            [[10, 0, 0], [20, 0, 0], [90, 0, 9], [10, 0, 0], [21, 0, 0], [90, 0, 8]].concat(),
        );
        assert!(image.averaged(1) == image && image.averaged_within(3) == image);
        let small = image.averaged_within(2);
        assert_eq!((small.width(), small.height(), small.rgb()), (2, 1, &[15, 0, 0, 90, 0, 9][..]));
    }

    #[test]
    fn a_crop_holds_the_pixels_of_its_rectangle() {
        let image = Image::new(3, 2, (0..18).collect());
        let crop = image.crop(1, 1, 1, 2);
        assert_eq!(crop.rgb(), &[12, 13, 14, 15, 16, 17]);
        assert_eq!(image.pixel(1, 2), [15, 16, 17]);
    }
}
