//! Samples of more than 8 bits to 8-bit RGB: which values become black and white.

use serde::{Deserialize, Serialize};
use std::fmt;

use anyhow::{Result, ensure};

use super::decoding::{ValueRule, ValueWindow, not_numbers_words};

/// A sample of more than 8 bits.
pub(super) trait Sample: Copy {
    /// Whether values are whole numbers.
    const IS_WHOLE: bool;
    /// It as a number; the largest 64-bit ones are rounded.
    fn value(self) -> f64;
}

macro_rules! samples {
    ($is_whole:literal: $($kind:ty),*) => {
        $(impl Sample for $kind {
            const IS_WHOLE: bool = $is_whole;
            fn value(self) -> f64 {
                self as f64
            }
        })*
    };
}
samples!(true: u16, u32, u64, i8, i16, i32, i64);
samples!(false: f32, f64);

impl Sample for half::f16 {
    const IS_WHOLE: bool = false;
    fn value(self) -> f64 {
        self.to_f64()
    }
}

/// What a file says of its values.
#[derive(Clone, Copy)]
pub(super) enum Stated {
    Nothing,
    /// These are black and white.
    Window(ValueWindow),
    /// So many bits carry something: samples that all fit into them were not scaled up, as PNG has it, and
    /// run from 0 to `2^bits - 1`; others run over all 16 bits.
    Bits(u32),
}

/// Where samples lie: channel `c` of pixel `p` at `p * pixel_step + c * channel_step`.
pub(super) struct Placing {
    pub pixels: usize,
    /// 1 (grey) or 3.
    pub colours: usize,
    pub pixel_step: usize,
    pub channel_step: usize,
    /// Zero is white in the file, and what is here was taken from this number: the window and the
    /// extent are of the values as they are stored.
    pub inverted_from: Option<f64>,
}

/// What became of a picture's values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageValues {
    /// These became black and white.
    pub window: ValueWindow,
    /// Smallest and largest finite value.
    pub extent: ValueWindow,
    /// Whether they are whole numbers.
    pub is_whole: bool,
    /// Samples that are not numbers; they became black.
    pub not_numbers: u64,
}

/// "values 12 to 4,011 are black to white".
impl fmt::Display for ImageValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "values {} are black to white", self.window)?;
        if self.extent != self.window {
            write!(f, "; the image has {}", self.extent)?;
        }
        match self.not_numbers {
            0 => Ok(()),
            count => write!(f, "; {}", not_numbers_words(count)),
        }
    }
}

impl Placing {
    /// Channels one after the other in each pixel.
    pub fn interleaved(pixels: usize, colours: usize, channels: usize) -> Self {
        Self { pixels, colours, pixel_step: channels, channel_step: 1, inverted_from: None }
    }
}

/// Interleaved 8-bit RGB. Infinite values are black and white. Errors: too few samples, none that is finite.
pub(super) fn to_rgb<T: Sample>(
    samples: &[T],
    placing: &Placing,
    rule: ValueRule,
    stated: Stated,
) -> Result<(Vec<u8>, ImageValues)> {
    let Placing { pixels, colours, pixel_step, channel_step, inverted_from } = *placing;
    let last = pixels.saturating_sub(1) * pixel_step + (colours - 1) * channel_step;
    ensure!(last < samples.len(), "the picture's data is too short");
    let at = |pixel: usize, colour: usize| {
        let value = samples[pixel * pixel_step + colour * channel_step].value();
        inverted_from.map_or(value, |top| top - value)
    };
    let (mut extent, mut not_numbers) = (ValueWindow { low: f64::INFINITY, high: f64::NEG_INFINITY }, 0);
    for pixel in 0..pixels {
        for value in (0..colours).map(|colour| at(pixel, colour)) {
            not_numbers += u64::from(value.is_nan());
            if value.is_finite() {
                extent = extent.with(ValueWindow { low: value, high: value });
            }
        }
    }
    ensure!(extent.low <= extent.high, "none of the picture's values is a finite number");
    let window = window(extent, T::IS_WHOLE, rule, stated);
    let level = |value: f64| match (level(value, window, T::IS_WHOLE), inverted_from) {
        (level, Some(_)) if !value.is_nan() => 255 - level,
        (level, _) => level,
    };
    let rgb = (0..pixels).flat_map(|pixel| match colours {
        1 => [level(at(pixel, 0)); 3],
        _ => [0, 1, 2].map(|colour| level(at(pixel, colour))),
    });
    Ok((rgb.collect(), ImageValues { window, extent, is_whole: T::IS_WHOLE, not_numbers }))
}

fn window(extent: ValueWindow, is_whole: bool, rule: ValueRule, stated: Stated) -> ValueWindow {
    match (rule, stated) {
        (ValueRule::Window(window), _) | (ValueRule::File, Stated::Window(window)) => window,
        (ValueRule::File, Stated::Bits(bits)) => {
            let most = f64::from((1 << bits.min(16)) - 1);
            if extent.high <= most { ValueWindow { low: 0.0, high: most } } else { ValueWindow::WHOLE_16 }
        }
        _ if is_whole => extent.or_whole_16(),
        _ => extent,
    }
}

/// 0 to 255. Whole numbers fall into 256 equal bins, so that all of 16 bits gives the high byte.
fn level(value: f64, window: ValueWindow, is_whole: bool) -> u8 {
    let span = window.high - window.low + f64::from(u8::from(is_whole));
    let share = 256.0 * (value - window.low) / span;
    // NaN, also that of an image of one value, becomes 0.
    share.clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey<T: Sample>(samples: &[T], rule: ValueRule, stated: Stated) -> (Vec<u8>, ImageValues) {
        let placing = Placing::interleaved(samples.len(), 1, 1);
        let (rgb, values) = to_rgb(samples, &placing, rule, stated).unwrap();
        (rgb.chunks(3).map(|p| p[0]).collect(), values)
    }

    #[test]
    fn twelve_bits_in_sixteen_use_all_levels_by_every_rule() {
        let ramp: Vec<u16> = (0..4096).collect();
        let high: Vec<u8> = ramp.iter().map(|v| (v >> 4) as u8).collect();
        let told = ValueWindow { low: 0.0, high: 4095.0 };
        for (rule, stated) in [
            (ValueRule::File, Stated::Nothing),
            (ValueRule::File, Stated::Bits(12)),
            (ValueRule::File, Stated::Window(told)),
            (ValueRule::Image, Stated::Window(ValueWindow::WHOLE_16)),
            (ValueRule::Window(told), Stated::Nothing),
        ] {
            let (levels, values) = grey(&ramp, rule, stated);
            assert!(levels == high, "{rule}: {:?}", &levels[..40]);
            assert_eq!(values.window, told);
        }
        let half = &ramp[..2048];
        assert_eq!(grey(half, ValueRule::File, Stated::Bits(12)).1.window, told);
        assert_eq!(grey(half, ValueRule::File, Stated::Nothing).1.window.high, 2047.0);
    }

    #[test]
    fn sixteen_bits_that_are_all_used_keep_their_high_byte() {
        let most: Vec<u16> = (200..65_400).collect();
        let high: Vec<u8> = most.iter().map(|v| (v >> 8) as u8).collect();
        for stated in [Stated::Nothing, Stated::Bits(12)] {
            let (levels, values) = grey(&most, ValueRule::File, stated);
            assert!(levels == high, "{:?}", &levels[..40]);
            assert_eq!(values.window, ValueWindow::WHOLE_16);
        }
    }

    #[test]
    fn floats_run_from_their_smallest_to_their_largest_finite_value() {
        let samples = [-1.0f32, 0.0, 0.9999, 1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        let (levels, values) = grey(&samples, ValueRule::File, Stated::Nothing);
        assert_eq!(levels, [0, 128, 255, 255, 0, 255, 0]);
        assert_eq!((values.window, values.not_numbers), (ValueWindow { low: -1.0, high: 1.0 }, 1));
        assert_eq!(grey(&[3.5f64; 4], ValueRule::Image, Stated::Nothing).0, [0; 4]);
        let error = to_rgb(&[f32::NAN; 2], &Placing::interleaved(2, 1, 1), ValueRule::File, Stated::Nothing);
        assert!(error.unwrap_err().to_string().contains("finite"));
    }

    #[test]
    fn colours_share_one_window_and_other_channels_have_no_say() {
        let rgba = [100u16, 200, 355, 65_535, 100, 100, 100, 0];
        let placing = Placing::interleaved(2, 3, 4);
        let (rgb, values) = to_rgb(&rgba, &placing, ValueRule::File, Stated::Nothing).unwrap();
        assert_eq!((rgb, values.extent.high), (vec![0, 100, 255, 0, 0, 0], 355.0));
        let planes = [100u16, 100, 200, 100, 355, 100];
        let placing = Placing { pixels: 2, colours: 3, pixel_step: 1, channel_step: 2, inverted_from: None };
        let (rgb, _) = to_rgb(&planes, &placing, ValueRule::File, Stated::Nothing).unwrap();
        assert_eq!(rgb, [0, 100, 255, 0, 0, 0]);
    }
}
