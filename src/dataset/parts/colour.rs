//! Colours as the painters see them: sRGB in [0, 1], mixed towards light and shadow.

/// An sRGB colour, each channel in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rgb(pub [f32; 3]);

/// The colour of light and of shadow: shadows lean to blue-violet, which keeps palettes in harmony.
const LIGHT: Rgb = Rgb([1.0, 0.98, 0.92]);
const SHADOW: Rgb = Rgb([0.11, 0.09, 0.20]);

/// The colour `0xRRGGBB`.
pub(super) const fn hex(v: u32) -> Rgb {
    Rgb([(v >> 16 & 255) as f32 / 255.0, (v >> 8 & 255) as f32 / 255.0, (v & 255) as f32 / 255.0])
}

impl Rgb {
    /// `self` where `t` is 0, `other` where it is 1.
    pub fn mix(self, other: Rgb, t: f32) -> Rgb {
        Rgb(std::array::from_fn(|k| self.0[k] + (other.0[k] - self.0[k]) * t))
    }

    /// Towards light by `t` in [0, 1].
    pub fn lit(self, t: f32) -> Rgb {
        self.mix(LIGHT, t)
    }

    /// Towards shadow by `t` in [0, 1].
    pub fn dim(self, t: f32) -> Rgb {
        self.mix(SHADOW, t)
    }
}

/// Paints of vehicles, roofs and flags.
pub(super) const PAINTS: [Rgb; 12] = [
    hex(0xE4572E),
    hex(0x2E86AB),
    hex(0xF2B134),
    hex(0x3BA272),
    hex(0x7768AE),
    hex(0xF4EFE4),
    hex(0x46525C),
    hex(0xE58AA5),
    hex(0x19A8A6),
    hex(0xC1292E),
    hex(0x8D9DB6),
    hex(0xF08A3C),
];
