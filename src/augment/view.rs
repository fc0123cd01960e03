//! One random view with every choice made explicit, and batches of views in parallel.

use std::borrow::Borrow;

use anyhow::{Context, ensure};
use rand_pcg::Pcg64;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::blur::gaussian_blur;
use super::color;
use super::crop::CropBox;
use super::preset::ViewConfig;
use super::resize::{Resize, ResizePlan};

use crate::image::{Image, Normalization};

/// What happens to one view, in the order of the fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewParams {
    pub crop: CropBox,
    pub resize: Resize,
    pub flip: bool,
    /// Colour changes, first to last; none where the view is not jittered.
    pub jitter: Vec<ColorStep>,
    pub grey: bool,
    pub blur: Option<Blur>,
    pub solarise: bool,
}

/// One change of colour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorStep {
    /// Factor, at least 0.
    Brightness(f32),
    /// Factor, at least 0.
    Contrast(f32),
    /// Factor, at least 0.
    Saturation(f32),
    /// Share of the full circle, -0.5 to 0.5.
    Hue(f32),
}

/// A Gaussian blur.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blur {
    /// Side of the kernel, pixels; odd.
    pub kernel: u32,
    /// Deviation, pixels.
    pub sigma: f32,
}

impl ColorStep {
    fn apply(self, rgb: &mut [f32]) {
        match self {
            Self::Brightness(factor) => color::brightness(rgb, factor),
            Self::Contrast(factor) => color::contrast(rgb, factor),
            Self::Saturation(factor) => color::saturation(rgb, factor),
            Self::Hue(shift) => color::hue(rgb, shift),
        }
    }

    fn check(self) -> anyhow::Result<()> {
        match self {
            Self::Brightness(factor) | Self::Contrast(factor) | Self::Saturation(factor) => {
                ensure!(factor >= 0.0 && factor.is_finite(), "{self:?}: expected a factor of at least 0");
            }
            Self::Hue(shift) => ensure!(shift.abs() <= 0.5, "{self:?}: expected a shift from -0.5 to 0.5"),
        }
        Ok(())
    }
}

impl ViewParams {
    /// Makes the view of `image`: normalised planar `[3, size, size]` into `out`.
    ///
    /// # Errors
    /// Where the crop leaves the image, a factor is out of its range, the blur's kernel does not
    /// fit the view, or `out` has another length.
    pub fn apply(
        &self,
        image: &Image,
        size: u32,
        norm: &Normalization,
        out: &mut [f32],
    ) -> anyhow::Result<()> {
        self.check(image, size, out.len())?;
        let (crop, side) = (self.crop, size as usize);
        let plan = ResizePlan::rect(self.resize, (crop.height, crop.width), (size, size));
        plan.resize(image, crop.y, crop.x, out);
        if self.flip {
            color::flip(out, side);
        }
        self.jitter.iter().for_each(|step| step.apply(out));
        if self.grey {
            color::grey(out);
        }
        if let Some(blur) = self.blur {
            gaussian_blur(out, side, side, blur.kernel as usize, blur.sigma);
        }
        if self.solarise {
            color::solarise(out);
        }
        norm.apply(out);
        Ok(())
    }

    fn check(&self, image: &Image, size: u32, len: usize) -> anyhow::Result<()> {
        let CropBox { y, x, height, width } = self.crop;
        let inside = |start: u32, len: u32, side: u32| len >= 1 && start as u64 + len as u64 <= side as u64;
        ensure!(
            inside(y, height, image.height()) && inside(x, width, image.width()),
            "a crop of {height} x {width} pixels at row {y}, column {x} leaves the image of {} x {}",
            image.height(),
            image.width()
        );
        ensure!(
            size >= 1 && len == 3 * size as usize * size as usize,
            "{len} values for a view of {size} x {size} pixels"
        );
        for step in &self.jitter {
            step.check()?;
        }
        if let Some(Blur { kernel, sigma }) = self.blur {
            let fits = kernel % 2 == 1 && kernel / 2 < size;
            ensure!(fits, "blur kernel {kernel}: expected an odd number below {}", 2 * size as u64);
            ensure!(
                sigma > 0.0 && sigma.is_finite(),
                "blur sigma {sigma}: expected a number of pixels above 0"
            );
        }
        Ok(())
    }
}

/// The random stream of one view. It depends on nothing but its arguments: training resumes at any
/// step without stored random state, and the number of threads does not matter.
pub fn view_rng(seed: u64, step: u64, image: u64, view: u64) -> Pcg64 {
    // Two 64-bit chains make the state of 128 bits; a third one picks the stream.
    let chain = |start: u64| {
        [step, image, view].into_iter().fold(mixed(start ^ mixed(seed)), |h, v| mixed(h ^ mixed(v)))
    };
    let wide = |high: u64, low: u64| ((high as u128) << 64) | low as u128;
    Pcg64::new(wide(chain(1), chain(2)), chain(3) as u128)
}

/// SplitMix64: a bijection of 64 bits that scatters neighbours.
fn mixed(value: u64) -> u64 {
    let z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What the views of a batch have in common.
#[derive(Clone, Copy, Debug)]
pub struct ViewBatch<'a> {
    pub seed: u64,
    /// The training step (or any number that makes this batch's draws its own).
    pub step: u64,
    /// One config for each view of an image.
    pub views: &'a [ViewConfig],
    /// Side of the views, pixels.
    pub size: u32,
    pub norm: Normalization,
}

/// Makes all views of a batch in parallel, on the rayon pool of the caller.
///
/// `images` are N pairs of an image and its number in the data set, which names its random stream.
/// `out` is `[V, N, 3, size, size]`: view 0 of all images, then view 1, ...
///
/// # Errors
/// Where a view cannot be made, with the number of its image; or `out` has another length.
pub fn make_views<I>(batch: &ViewBatch<'_>, images: &[(u64, I)], out: &mut [f32]) -> anyhow::Result<()>
where
    I: Borrow<Image> + Sync,
{
    let (count, values) = (images.len(), 3 * batch.size as usize * batch.size as usize);
    let expected = batch.views.len() * count * values;
    ensure!(
        out.len() == expected,
        "{} values for {} views of {count} images of 3 x {} x {}; expected {expected}",
        out.len(),
        batch.views.len(),
        batch.size,
        batch.size
    );
    if expected == 0 {
        return Ok(());
    }
    out.par_chunks_exact_mut(values).enumerate().try_for_each(|(i, out)| {
        let (view, (id, image)) = (i / count, &images[i % count]);
        let image = image.borrow();
        let mut rng = view_rng(batch.seed, batch.step, *id, view as u64);
        let params = batch.views[view].sample(&mut rng, image.height(), image.width());
        params
            .and_then(|params| params.apply(image, batch.size, &batch.norm, out))
            .with_context(|| format!("view {view} of image {id}"))
    })
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::super::{Crop, Preset, fixture};
    use super::*;

    fn params_of(case: &fixture::Case) -> ViewParams {
        let [y, x, height, width] = case.argument("crop");
        let step = |(name, factor): &(String, f32)| match name.as_str() {
            "brightness" => ColorStep::Brightness(*factor),
            "contrast" => ColorStep::Contrast(*factor),
            "saturation" => ColorStep::Saturation(*factor),
            "hue" => ColorStep::Hue(*factor),
            other => panic!("unknown step {other}"),
        };
        ViewParams {
            crop: CropBox { y, x, height, width },
            resize: case.argument("resize"),
            flip: case.argument("flip"),
            jitter: case.argument::<Vec<(String, f32)>>("jitter").iter().map(step).collect(),
            grey: case.argument("grey"),
            blur: case.argument::<Option<(u32, f32)>>("blur").map(|(kernel, sigma)| Blur { kernel, sigma }),
            solarise: case.argument("solarise"),
        }
    }

    /// The tolerance is that of single operations (2e-6 for the hue) over a chain of steps that may
    /// each widen it by their factor (up to 1.35), divided by the deviation (0.24).
    #[test]
    fn whole_views_equal_torchvision() {
        let cases = fixture::cases("view");
        assert_eq!(cases.len(), 4);
        for case in cases {
            let mut out = vec![0.0; case.expected.len()];
            let size = case.shape[1];
            params_of(&case).apply(&case.image(), size, &Normalization::CIFAR10, &mut out).unwrap();
            case.assert_close(&out, 1e-5);
        }
    }

    fn batch(views: &[ViewConfig]) -> ViewBatch<'_> {
        ViewBatch { seed: 3, step: 5, views, size: 32, norm: Normalization::CIFAR10 }
    }

    fn byol() -> [ViewConfig; 2] {
        let crop = Crop::Scale { min: 0.08, max: 1.0 };
        [Preset::ByolView1, Preset::ByolView2]
            .map(|preset| ViewConfig::preset(preset, crop, Resize::Bilinear, 32))
    }

    fn images(count: u32) -> Vec<(u64, Image)> {
        (0..count).map(|i| (100 + i as u64, fixture::image(32, 40, i))).collect()
    }

    fn views_on(threads: usize, images: &[(u64, Image)]) -> Vec<f32> {
        let mut out = vec![0.0; 2 * images.len() * 3 * 32 * 32];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| make_views(&batch(&byol()), images, &mut out)).unwrap();
        out
    }

    #[test]
    fn views_do_not_depend_on_threads_or_on_their_place_in_the_batch() {
        let images = images(9);
        let one = views_on(1, &images);
        assert_eq!(one, views_on(4, &images));
        let tail = views_on(2, &images[7..]);
        let view = 3 * 32 * 32;
        assert_eq!(tail[..2 * view], one[7 * view..9 * view]);
        assert_eq!(tail[2 * view..], one[16 * view..]);
    }

    #[test]
    fn the_batch_is_view_major_and_each_view_is_its_sampled_one() {
        let images = images(3);
        let out = views_on(2, &images);
        for (i, got) in out.chunks_exact(3 * 32 * 32).enumerate() {
            let (view, (id, image)) = (i / 3, &images[i % 3]);
            let params = byol()[view].sample(&mut view_rng(3, 5, *id, view as u64), 32, 40).unwrap();
            let params: ViewParams = serde_json::from_str(&serde_json::to_string(&params).unwrap()).unwrap();
            let mut expected = vec![0.0; got.len()];
            params.apply(image, 32, &Normalization::CIFAR10, &mut expected).unwrap();
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn every_argument_gives_another_stream_and_the_streams_never_change() {
        let first = |seed, step, image, view| view_rng(seed, step, image, view).random::<u64>();
        let mut seen = std::collections::HashSet::new();
        for i in 0..10_000u64 {
            assert!(seen.insert(first(i % 10, i / 10 % 10, i / 100 % 10, i / 1000)));
        }
        // A resumed run must draw what the first one would have drawn, in every later version.
        // The number was also computed with numpy's PCG64 from the same state and stream.
        assert_eq!(first(1, 2, 3, 4), 16_140_101_785_885_051_509);
    }

    #[test]
    fn an_image_that_is_too_small_is_named() {
        let config = [ViewConfig::preset(Preset::Quick, Crop::Fixed { size: 14 }, Resize::Bilinear, 32)];
        let images = [(7, Image::filled(20, 20, [9; 3])), (8, Image::filled(13, 20, [9; 3]))];
        let mut out = vec![0.0; 2 * 3 * 32 * 32];
        let error = format!("{:#}", make_views(&batch(&config), &images, &mut out).unwrap_err());
        assert!(error.starts_with("view 0 of image 8: a patch of 14 x 14 pixels does not fit"), "{error}");
        assert!(make_views(&batch(&config), &images, &mut out[1..]).is_err());
    }

    type Spoil = fn(&mut ViewParams);

    #[test]
    fn parameters_from_a_file_are_checked_before_use() {
        let good = params_of(&fixture::cases("view")[0]);
        let image = fixture::image(36, 40, 6);
        let spoilt: [(&str, Spoil); 6] = [
            ("leaves the image", |p| p.crop.y = 23),
            ("leaves the image", |p| p.crop.x = u32::MAX),
            ("leaves the image", |p| p.crop.width = 0),
            ("expected a shift", |p| p.jitter[0] = ColorStep::Hue(f32::NAN)),
            ("blur kernel 4", |p| p.blur = Some(Blur { kernel: 4, sigma: 1.0 })),
            ("blur sigma 0", |p| p.blur = Some(Blur { kernel: 3, sigma: 0.0 })),
        ];
        for (message, spoil) in spoilt {
            let mut params = good.clone();
            spoil(&mut params);
            let mut out = vec![0.0; 3 * 256];
            let error = params.apply(&image, 16, &Normalization::CIFAR10, &mut out).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
