//! What may happen to a view: ranges and probabilities, their checks, and named presets.

use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::crop::{Crop, uniform};
use super::resize::Resize;
use super::view::{Blur, ColorStep, ViewParams};

/// How random views are made. Operations come in this order: crop and resize, flip, jitter,
/// grey, blur, solarise, normalise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewConfig {
    /// Which part of the image a view shows.
    pub crop: Crop,
    /// How it reaches the view's side.
    pub resize: Resize,
    /// Probability of a mirrored view.
    pub flip: f64,
    /// Probability of a grey view.
    pub grey: f64,
    /// Probability that values of at least one half are inverted.
    pub solarise: f64,
    /// Changes of colour.
    pub jitter: JitterConfig,
    /// Gaussian blur.
    pub blur: BlurConfig,
}

/// torchvision's `ColorJitter` within `RandomApply`: factors are uniform in
/// [max(0, 1 - strength), 1 + strength], the hue's shift in [-hue, hue], their order random.
/// What has strength 0 is left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JitterConfig {
    /// Probability that the colours change at all.
    pub p: f64,
    /// Strength, 0 to 10.
    pub brightness: f64,
    /// Strength, 0 to 10.
    pub contrast: f64,
    /// Strength, 0 to 10.
    pub saturation: f64,
    /// At most 0.5, half the circle.
    pub hue: f64,
}

/// Gaussian blur with a deviation uniform in `sigma`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlurConfig {
    /// Probability of a blurred view.
    pub p: f64,
    /// Side of the kernel, pixels of the resized view; odd.
    pub kernel: u32,
    /// Whether the kernel is as wide as the deviation asks ([`whole_kernel`]) in place of that.
    #[serde(default)]
    pub whole: bool,
    /// Least and largest deviation, pixels.
    pub sigma: [f64; 2],
}

/// The augmentations of published methods, at a given crop and input size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Crops only.
    None,
    /// BYOL's colours without blur and solarise: cheap on a CPU.
    Quick,
    /// BYOL's first branch: always blurred, never solarised.
    #[value(name = "byol-view1")]
    #[serde(rename = "byol-view1")]
    ByolView1,
    /// BYOL's second branch: blurred and solarised one time in ten or five.
    #[value(name = "byol-view2")]
    #[serde(rename = "byol-view2")]
    ByolView2,
    /// SimCLR: strength 0.5 without blur below 64 pixels (its CIFAR-10), else strength 1 with blur (its ImageNet).
    Simclr,
    /// EMP-SSL (its crops are fixed patches of half the image's side).
    Emp,
}

/// Inputs with at least this many pixels a side count as ImageNet-size.
const LARGE_SIDE: u32 = 64;

impl ViewConfig {
    /// `preset` for crops by `crop`, resized to `side` x `side` pixels by `resize`.
    pub fn preset(preset: Preset, crop: Crop, resize: Resize, side: u32) -> Self {
        let jitter = |p, [brightness, contrast, saturation, hue]: [f64; 4]| JitterConfig {
            p,
            brightness,
            contrast,
            saturation,
            hue,
        };
        let byol = jitter(0.8, [0.4, 0.4, 0.2, 0.1]);
        let strong = side >= LARGE_SIDE;
        let (flip, jitter, grey, blur, solarise) = match preset {
            Preset::None => (0.0, jitter(0.0, [0.0; 4]), 0.0, 0.0, 0.0),
            Preset::Quick => (0.5, byol, 0.2, 0.0, 0.0),
            Preset::ByolView1 => (0.5, byol, 0.2, 1.0, 0.0),
            Preset::ByolView2 => (0.5, byol, 0.2, 0.1, 0.2),
            Preset::Simclr if strong => (0.5, jitter(0.8, [0.8, 0.8, 0.8, 0.2]), 0.2, 0.5, 0.0),
            Preset::Simclr => (0.5, jitter(0.8, [0.4, 0.4, 0.4, 0.1]), 0.2, 0.0, 0.0),
            Preset::Emp => (0.5, jitter(0.8, [0.4, 0.4, 0.4, 0.2]), 0.2, 0.1, 0.1),
        };
        let blur = BlurConfig { p: blur, kernel: blur_kernel(side), whole: false, sigma: [0.1, 2.0] };
        Self { crop, resize, flip, grey, solarise, jitter, blur }
    }

    /// Draws one view of an image of `height` x `width` pixels.
    ///
    /// # Errors
    /// Where a fixed patch is larger than the image.
    pub fn sample<R: Rng + ?Sized>(
        &self,
        rng: &mut R,
        height: u32,
        width: u32,
    ) -> anyhow::Result<ViewParams> {
        let crop = self.crop.sample(rng, height, width)?;
        let flip = happens(rng, self.flip);
        let jitter = if happens(rng, self.jitter.p) { self.jitter.sample(rng) } else { Vec::new() };
        let grey = happens(rng, self.grey);
        let [low, high] = self.blur.sigma;
        let blur = happens(rng, self.blur.p).then(|| {
            let sigma = uniform(rng, low, high);
            let kernel = if self.blur.whole { whole_kernel(sigma) } else { self.blur.kernel };
            Blur { kernel, sigma: sigma as f32 }
        });
        let solarise = happens(rng, self.solarise);
        Ok(ViewParams { crop, resize: self.resize, flip, jitter, grey, blur, solarise })
    }
}

impl JitterConfig {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<ColorStep> {
        let mut factor = |strength: f64| uniform(rng, (1.0 - strength).max(0.0), 1.0 + strength) as f32;
        let mut steps = vec![
            ColorStep::Brightness(factor(self.brightness)),
            ColorStep::Contrast(factor(self.contrast)),
            ColorStep::Saturation(factor(self.saturation)),
            ColorStep::Hue(uniform(rng, -self.hue, self.hue) as f32),
        ];
        steps.shuffle(rng);
        steps.retain(|step| match step {
            ColorStep::Brightness(_) => self.brightness > 0.0,
            ColorStep::Contrast(_) => self.contrast > 0.0,
            ColorStep::Saturation(_) => self.saturation > 0.0,
            ColorStep::Hue(_) => self.hue > 0.0,
        });
        steps
    }
}

fn happens<R: Rng + ?Sized>(rng: &mut R, p: f64) -> bool {
    rng.random::<f64>() < p
}

/// The kernel of a Gaussian that is not cut: 4 deviations to either side, beyond which lie 6e-5 of it.
pub fn whole_kernel(sigma: f64) -> u32 {
    2 * (4.0 * sigma).ceil() as u32 + 1
}

/// The odd number nearest to a tenth of the side: 3 at 32, 23 at 224.
pub fn blur_kernel(side: u32) -> u32 {
    let half = ((side as f64 / 10.0 - 1.0) / 2.0).round().max(1.0);
    2 * half as u32 + 1
}

#[cfg(test)]
mod tests {
    use super::super::view_rng;
    use super::*;

    fn config(preset: Preset) -> ViewConfig {
        ViewConfig::preset(preset, Crop::Fixed { size: 14 }, Resize::Bilinear, 32)
    }

    fn draws(config: &ViewConfig, count: u64) -> Vec<ViewParams> {
        (0..count).map(|i| config.sample(&mut view_rng(1, 2, i, 0), 32, 32).unwrap()).collect()
    }

    /// Fails unless `share` of `count` draws is what probability `p` gives, within 4 deviations.
    fn assert_share(hits: usize, count: usize, p: f64) {
        let deviation = (count as f64 * p * (1.0 - p)).sqrt();
        assert!((hits as f64 - count as f64 * p).abs() <= 4.0 * deviation, "{hits} of {count} at p {p}");
    }

    #[test]
    fn a_whole_blur_is_as_wide_as_its_deviation_asks() {
        let view = ViewConfig {
            blur: BlurConfig { p: 1.0, whole: true, ..config(Preset::None).blur },
            ..config(Preset::None)
        };
        for params in draws(&view, 50) {
            let blur = params.blur.unwrap();
            let reach = f64::from(blur.kernel / 2);
            let sigma = f64::from(blur.sigma);
            assert!(reach >= 4.0 * sigma - 1e-3 && reach < 4.0 * sigma + 1.001, "{blur:?}");
        }
        assert_eq!((whole_kernel(2.0), whole_kernel(0.1)), (17, 3));
    }

    #[test]
    fn operations_happen_as_often_as_the_preset_says() {
        for (preset, flip, jitter, grey, blur, solarise) in [
            (Preset::None, 0.0, 0.0, 0.0, 0.0, 0.0),
            (Preset::Quick, 0.5, 0.8, 0.2, 0.0, 0.0),
            (Preset::ByolView1, 0.5, 0.8, 0.2, 1.0, 0.0),
            (Preset::ByolView2, 0.5, 0.8, 0.2, 0.1, 0.2),
            (Preset::Simclr, 0.5, 0.8, 0.2, 0.0, 0.0),
            (Preset::Emp, 0.5, 0.8, 0.2, 0.1, 0.1),
        ] {
            let views = draws(&config(preset), 5000);
            let share =
                |happened: fn(&ViewParams) -> bool| views.iter().filter(|view| happened(view)).count();
            assert_share(share(|view| view.flip), 5000, flip);
            assert_share(share(|view| !view.jitter.is_empty()), 5000, jitter);
            assert_share(share(|view| view.grey), 5000, grey);
            assert_share(share(|view| view.blur.is_some()), 5000, blur);
            assert_share(share(|view| view.solarise), 5000, solarise);
        }
    }

    #[test]
    fn factors_are_uniform_in_torchvisions_ranges_and_any_order() {
        let mut config = config(Preset::ByolView1);
        config.jitter = JitterConfig { p: 1.0, brightness: 1.5, contrast: 0.4, saturation: 0.2, hue: 0.1 };
        let views = draws(&config, 8000);
        // A strength above 1 starts at 0: [0, 2.5].
        let ranges = [(0.0, 2.5), (0.6, 1.4), (0.8, 1.2), (-0.1, 0.1)];
        let mut values = [const { Vec::new() }; 4];
        let mut orders = std::collections::HashMap::<Vec<usize>, usize>::new();
        for view in &views {
            let order: Vec<usize> = view.jitter.iter().map(|step| keep(step, &mut values)).collect();
            *orders.entry(order).or_default() += 1;
        }
        for (values, (low, high)) in values.iter().zip(ranges) {
            assert_uniform(values, low, high);
        }
        assert_uniform(&views.iter().map(|view| view.blur.unwrap().sigma).collect::<Vec<_>>(), 0.1, 2.0);
        assert_eq!(orders.len(), 24);
        orders.values().for_each(|&count| assert_share(count, 8000, 1.0 / 24.0));
    }

    fn keep(step: &ColorStep, values: &mut [Vec<f32>; 4]) -> usize {
        let (kind, value) = match *step {
            ColorStep::Brightness(value) => (0, value),
            ColorStep::Contrast(value) => (1, value),
            ColorStep::Saturation(value) => (2, value),
            ColorStep::Hue(value) => (3, value),
        };
        values[kind].push(value);
        kind
    }

    fn assert_uniform(values: &[f32], low: f32, high: f32) {
        for tenth in 0..10 {
            let part = |value: &&f32| (((*value - low) / (high - low) * 10.0) as i32).min(9) == tenth;
            assert_share(values.iter().filter(part).count(), values.len(), 0.1);
        }
        assert!(values.iter().all(|value| (low..=high).contains(value)));
    }

    #[test]
    fn what_has_no_strength_is_left_out() {
        let mut config = config(Preset::Quick);
        config.jitter = JitterConfig { p: 1.0, brightness: 0.0, contrast: 0.0, saturation: 0.3, hue: 0.0 };
        let views = draws(&config, 20);
        assert!(views.iter().all(|view| matches!(view.jitter[..], [ColorStep::Saturation(_)])));
    }

    #[test]
    fn a_config_survives_toml_and_unknown_keys_are_refused() {
        for crop in [Crop::Fixed { size: 14 }, Crop::Scale { min: 0.08, max: 1.0 }] {
            let config = ViewConfig::preset(Preset::ByolView2, crop, Resize::Bicubic, 224);
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<ViewConfig>(&text).unwrap(), config);
            let error = toml::from_str::<ViewConfig>(&text.replace("contrast", "contrats")).unwrap_err();
            assert!(error.to_string().contains("unknown field `contrats`"), "{error}");
        }
    }

    #[test]
    fn the_kernel_is_about_a_tenth_of_the_side() {
        assert_eq!([8, 32, 64, 96, 224].map(blur_kernel), [3, 3, 7, 9, 23]);
    }

    #[test]
    fn simclr_is_stronger_on_large_inputs() {
        let large = ViewConfig::preset(Preset::Simclr, Crop::Fixed { size: 100 }, Resize::Bicubic, 224);
        assert_eq!((large.jitter.brightness, large.jitter.hue, large.blur.p), (0.8, 0.2, 0.5));
        assert_eq!((config(Preset::Simclr).jitter.brightness, config(Preset::Simclr).blur.p), (0.4, 0.0));
    }
}
