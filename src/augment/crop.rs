//! Where a view is cut from its image.

use anyhow::ensure;
use rand::Rng;
use serde::{Deserialize, Serialize};

/// The rule by which crops are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Crop {
    /// A square patch of `size` pixels at a uniform integer position (BagSSL's fixed-scale patch).
    Fixed {
        /// Side, pixels.
        size: u32,
    },
    /// torchvision's `RandomResizedCrop(scale=(min, max))`: a share of the image's area,
    /// of aspect 3/4 to 4/3.
    Scale {
        /// Least share of the image's area, above 0.
        min: f64,
        /// Largest share, at most 1.
        max: f64,
    },
}

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CropBox {
    /// Top edge.
    pub y: u32,
    /// Left edge.
    pub x: u32,
    /// Rows, pixels.
    pub height: u32,
    /// Columns, pixels.
    pub width: u32,
}

/// Width over height of random crops.
const ASPECT: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);
/// Draws of area and aspect before the centre fallback.
const TRIES: usize = 10;

impl Crop {
    /// Draws a crop of an image of `height` x `width` pixels.
    ///
    /// # Errors
    /// Where the image has no pixels or a fixed patch is larger than it.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R, height: u32, width: u32) -> anyhow::Result<CropBox> {
        ensure!(
            height > 0 && width > 0,
            "the image is {height} x {width} pixels; there is nothing to cut from"
        );
        match *self {
            Self::Fixed { size } => {
                ensure!(
                    size >= 1 && size <= height.min(width),
                    "a patch of {size} x {size} pixels does not fit an image of {height} x {width}; \
                     choose a smaller patch or leave such images out"
                );
                Ok(placed(rng, (height, width), (size, size)))
            }
            Self::Scale { min, max } => Ok(random_resized_crop(rng, (height, width), (min, max))),
        }
    }
}

/// Uniform in [low, high).
pub(super) fn uniform<R: Rng + ?Sized>(rng: &mut R, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// A `size` = (height, width) crop at a uniform integer position of `image`.
fn placed<R: Rng + ?Sized>(rng: &mut R, image: (u32, u32), size: (u32, u32)) -> CropBox {
    let y = rng.random_range(0..=image.0 - size.0);
    let x = rng.random_range(0..=image.1 - size.1);
    CropBox { y, x, height: size.0, width: size.1 }
}

/// torchvision's `RandomResizedCrop.get_params` with its ten tries.
fn random_resized_crop<R: Rng + ?Sized>(rng: &mut R, image: (u32, u32), scale: (f64, f64)) -> CropBox {
    for _ in 0..TRIES {
        let area = uniform(rng, scale.0, scale.1);
        let aspect = uniform(rng, ASPECT.0.ln(), ASPECT.1.ln()).exp();
        if let Some(size) = crop_size(image, area, aspect) {
            return placed(rng, image, size);
        }
    }
    centre_fallback(image)
}

/// `(height, width)` of a crop with a share `area` of the image and width / height `aspect`; `None`
/// if it does not fit. Python rounds ties to even, and so does this.
fn crop_size(image: (u32, u32), area: f64, aspect: f64) -> Option<(u32, u32)> {
    let pixels = area * image.0 as f64 * image.1 as f64;
    let width = (pixels * aspect).sqrt().round_ties_even() as u32;
    let height = (pixels / aspect).sqrt().round_ties_even() as u32;
    let fits = (1..=image.0).contains(&height) && (1..=image.1).contains(&width);
    fits.then_some((height, width))
}

/// The largest centred crop whose aspect is allowed.
fn centre_fallback((height, width): (u32, u32)) -> CropBox {
    let aspect = width as f64 / height as f64;
    let (crop_height, crop_width) = if aspect < ASPECT.0 {
        ((width as f64 / ASPECT.0).round_ties_even() as u32, width)
    } else if aspect > ASPECT.1 {
        (height, (height as f64 * ASPECT.1).round_ties_even() as u32)
    } else {
        (height, width)
    };
    CropBox {
        y: (height - crop_height) / 2,
        x: (width - crop_width) / 2,
        height: crop_height,
        width: crop_width,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, view_rng};
    use super::*;

    /// Chi-square of `counts` against equal shares, in standard deviations above its mean.
    fn excess(counts: &[u32]) -> f64 {
        let expected = counts.iter().sum::<u32>() as f64 / counts.len() as f64;
        let chi: f64 = counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum();
        let freedom = (counts.len() - 1) as f64;
        (chi - freedom) / (2.0 * freedom).sqrt()
    }

    fn histogram(values: impl Iterator<Item = f64>, bins: usize) -> Vec<u32> {
        let mut counts = vec![0; bins];
        values.for_each(|value| counts[((value * bins as f64) as usize).min(bins - 1)] += 1);
        counts
    }

    fn draws(crop: Crop, height: u32, width: u32, count: usize) -> Vec<CropBox> {
        let mut rng = view_rng(7, 0, 0, 0);
        (0..count).map(|_| crop.sample(&mut rng, height, width).unwrap()).collect()
    }

    #[test]
    fn fixed_patches_are_square_and_lie_everywhere_alike() {
        let boxes = draws(Crop::Fixed { size: 14 }, 32, 33, 38_000);
        assert!(boxes.iter().all(|b| (b.height, b.width) == (14, 14)));
        let mut counts = vec![0; 19 * 20]; // every position has its own count, both ends included
        boxes.iter().for_each(|b| counts[(b.y * 20 + b.x) as usize] += 1);
        assert!(excess(&counts).abs() < 4.0, "{}", excess(&counts));
    }

    #[test]
    fn random_crops_have_uniform_area_log_aspect_and_position() {
        // No draw is refused at these scales (0.5 * 4/3 < 1), so the distributions are the plain ones;
        // the image is large enough that rounding to pixels does not show.
        let boxes = draws(Crop::Scale { min: 0.1, max: 0.5 }, 2000, 2000, 20_000);
        let area = boxes.iter().map(|b| (b.height as f64 * b.width as f64 / 4e6 - 0.1) / 0.4);
        let log_range = (16.0f64 / 9.0).ln();
        let aspect =
            boxes.iter().map(|b| ((b.width as f64 / b.height as f64).ln() / log_range + 0.5).clamp(0.0, 1.0));
        let y = boxes.iter().map(|b| (b.y as f64 + 0.5) / (2001 - b.height) as f64);
        let x = boxes.iter().map(|b| (b.x as f64 + 0.5) / (2001 - b.width) as f64);
        for counts in [histogram(area, 20), histogram(aspect, 20), histogram(y, 20), histogram(x, 20)] {
            assert!(excess(&counts).abs() < 4.0, "{counts:?}");
        }
    }

    #[test]
    fn one_scale_gives_one_area() {
        for b in draws(Crop::Scale { min: 0.25, max: 0.25 }, 224, 224, 500) {
            let share = (b.height * b.width) as f64 / (224.0 * 224.0);
            assert!((share - 0.25).abs() < 0.005, "{b:?}");
        }
    }

    #[test]
    fn crop_sizes_equal_torchvision() {
        let index = fixture::index();
        let rows: Vec<[f64; 6]> = serde_json::from_value(index["crop_sizes"].clone()).unwrap();
        assert!(rows.len() > 80);
        for [height, width, area, aspect, crop_height, crop_width] in rows {
            let size = crop_size((height as u32, width as u32), area, aspect);
            assert_eq!(
                size,
                Some((crop_height as u32, crop_width as u32)),
                "{height} x {width}, {area}, {aspect}"
            );
        }
    }

    #[test]
    fn what_never_fits_falls_back_to_torchvisions_centre() {
        let index = fixture::index();
        let rows: Vec<[u32; 6]> = serde_json::from_value(index["fallback"].clone()).unwrap();
        assert_eq!(rows.len(), 5);
        for [height, width, crop_height, crop_width, y, x] in rows {
            let expected = CropBox { y, x, height: crop_height, width: crop_width };
            assert_eq!(draws(Crop::Scale { min: 1.0, max: 1.0 }, height, width, 1), [expected]);
        }
        assert_eq!(centre_fallback((30, 31)), CropBox { y: 0, x: 0, height: 30, width: 31 });
    }

    #[test]
    fn crops_stay_inside_the_smallest_images() {
        for (height, width) in [(1, 1), (1, 9), (3, 2)] {
            for b in draws(Crop::Scale { min: 0.01, max: 1.0 }, height, width, 200) {
                assert!(
                    b.height >= 1 && b.width >= 1 && b.y + b.height <= height && b.x + b.width <= width,
                    "{b:?}"
                );
            }
        }
    }

    #[test]
    fn a_patch_larger_than_the_image_is_an_error() {
        let error = Crop::Fixed { size: 71 }.sample(&mut view_rng(0, 0, 0, 0), 80, 56).unwrap_err();
        assert!(error.to_string().contains("71 x 71 pixels does not fit an image of 80 x 56"), "{error}");
    }
}
