//! Clean inputs for inference: patches, whole images and central crops as the
//! normalised values that a network takes, written straight into a batch.

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use super::resize::{Resize, ResizePlan};
use crate::image::Image;

/// Per-channel mean and standard deviation of RGB in [0, 1]: `(x - mean) / std`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Subtracted from RGB in [0, 1].
    pub mean: [f32; 3],
    /// Divided by, for each channel.
    pub std: [f32; 3],
}

impl Normalization {
    /// Of the CIFAR-10 training images.
    pub const CIFAR10: Self = Self { mean: [0.4914, 0.4822, 0.4465], std: [0.2470, 0.2435, 0.2616] };
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

/// The square patch of side `size` with top-left pixel `(y, x)`, resized by `plan` and normalised,
/// into `out`: planar `[3, S, S]` with S the plan's output. Panics if the patch leaves the image,
/// the plan is for another size, or `out` has another length.
pub fn patch_tensor_values(
    image: &Image,
    y: u32,
    x: u32,
    size: u32,
    plan: &ResizePlan,
    norm: &Normalization,
    out: &mut [f32],
) {
    assert_eq!(plan.input(), (size, size), "size of the patches that the plan resizes");
    plan.resize(image, y, x, out);
    norm.apply(out);
}

/// The whole image, resized to `size` x `size` whatever its aspect, normalised: planar `[3, size, size]`.
pub fn image_tensor_values(image: &Image, size: u32, kind: Resize, norm: &Normalization, out: &mut [f32]) {
    ResizePlan::rect(kind, (image.height(), image.width()), (size, size)).resize(image, 0, 0, out);
    norm.apply(out);
}

/// The usual ImageNet evaluation crop: short side to `size * 256 / 224`, centre `size` x `size`,
/// normalised: planar `[3, size, size]`. Never rounded to 8 bits, unlike [`fit`].
pub fn central_tensor_values(image: &Image, size: u32, kind: Resize, norm: &Normalization, out: &mut [f32]) {
    central_plan(image, size, kind).resize(image, 0, 0, out);
    norm.apply(out);
}

/// The same centre as a picture to show and to cut patches from: 8 bits a channel, rounded to nearest.
pub fn fit(image: &Image, size: u32, kind: Resize) -> Image {
    let pixels = size as usize * size as usize;
    let mut planar = vec![0.0; 3 * pixels];
    central_plan(image, size, kind).resize(image, 0, 0, &mut planar);
    let mut rgb = Vec::with_capacity(3 * pixels);
    for i in 0..pixels {
        // The cast saturates: overshoots of the cubic end at 0 and 255.
        rgb.extend([0, 1, 2].map(|channel| (planar[channel * pixels + i] * 255.0 + 0.5) as u8));
    }
    Image::new(size, size, rgb)
}

/// torchvision's `Resize(size * 256 / 224)` and `CenterCrop(size)` in one: lengths are cut to
/// integers, an odd margin is split as Python rounds (ties to even).
fn central_plan(image: &Image, size: u32, kind: Resize) -> ResizePlan {
    let short = (size as u64 * 256 / 224) as usize;
    let (height, width) = (image.height() as usize, image.width() as usize);
    let least = height.min(width);
    assert!(least > 0, "an image without pixels cannot be scaled");
    let (height, width) = (short * height / least, short * width / least);
    let size = size as usize;
    let centre = |side: usize| {
        let start = ((side - size) as f64 / 2.0).round_ties_even() as usize;
        start..start + size
    };
    ResizePlan::window(
        kind,
        (image.height(), image.width()),
        (height, width),
        (centre(height), centre(width)),
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    const RAW: Normalization = Normalization { mean: [0.0; 3], std: [1.0; 3] };

    #[test]
    fn the_central_crop_equals_torchvision() {
        let cases = fixture::cases("fit");
        assert_eq!(cases.len(), 3);
        for case in cases {
            let (image, size) = (case.image(), case.argument::<u32>("n"));
            let mut out = vec![0.0; case.expected.len()];
            central_tensor_values(&image, size, Resize::Bicubic, &RAW, &mut out);
            case.assert_close(&out, 1e-6);
            let shown = fit(&image, size, Resize::Bicubic);
            for (i, value) in case.expected.iter().enumerate() {
                let (channel, pixel) = (i as u32 / (size * size), i as u32 % (size * size));
                let byte = shown.pixel(pixel / size, pixel % size)[channel as usize] as f32;
                assert!((byte - 255.0 * value.clamp(0.0, 1.0)).abs() <= 0.5 + 1e-3, "{byte} for {value}");
            }
        }
    }

    #[test]
    fn the_patch_and_the_whole_image_are_normalised_per_channel() {
        let image = fixture::image(20, 20, 3);
        let norm = Normalization::CIFAR10;
        let (mut patch, mut whole) = (vec![0.0; 3 * 196], vec![0.0; 3 * 196]);
        patch_tensor_values(&image, 2, 5, 14, &ResizePlan::new(Resize::Bilinear, 14, 14), &norm, &mut patch);
        image_tensor_values(&image.crop(2, 5, 14, 14), 14, Resize::Bilinear, &norm, &mut whole);
        assert_eq!(patch, whole);
        let pixel = image.pixel(2 + 3, 5 + 4);
        for channel in 0..3 {
            let expected = (pixel[channel] as f32 / 255.0 - norm.mean[channel]) / norm.std[channel];
            assert_eq!(patch[channel * 196 + 3 * 14 + 4], expected);
        }
    }

    #[test]
    fn a_very_long_image_keeps_its_centre_at_little_cost() {
        let mut rgb = vec![0; 3 * 60_000];
        rgb[3 * 29_990..3 * 30_010].fill(255);
        let image = fit(&Image::new(60_000, 1, rgb), 64, Resize::Bilinear);
        assert_eq!((image.pixel(0, 32), image.pixel(63, 0)), ([255; 3], [255; 3]));
    }

    #[test]
    fn a_deviation_of_zero_is_refused_by_channel() {
        let norm = Normalization { std: [0.2, 0.0, 0.2], ..Normalization::IMAGENET };
        assert!(norm.check().unwrap_err().to_string().starts_with("std of green is 0"));
        let norm = Normalization { mean: [0.2, 0.1, f32::NAN], ..Normalization::IMAGENET };
        assert!(norm.check().unwrap_err().to_string().starts_with("mean of blue is NaN"));
        assert!(Normalization::CIFAR10.check().is_ok());
    }
}
