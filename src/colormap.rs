//! Colormaps of the heatmaps, and the few fixed colours that every picture of
//! ours shares: one table for the window's shader and for figures on paper.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// The query's red dashes.
pub const QUERY: [u8; 3] = [0xe0, 0x10, 0x2a];
/// Frame of a neighbour from another image of the same class.
pub const SAME_CLASS: [u8; 3] = [0x00, 0x96, 0x4b];
/// Frame of a neighbour from another class.
pub const OTHER_CLASS: [u8; 3] = [0xd6, 0x27, 0x28];
/// Thin frame of a neighbour from another image when nothing is labelled.
pub const UNLABELLED: [u8; 3] = [0x9a, 0x9a, 0x9a];

/// A colormap over [0, 1]. All but `Coolwarm` rise evenly in lightness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Colormap {
    /// Black, purple, orange, pale yellow.
    #[default]
    Magma,
    /// Violet, teal, yellow.
    Viridis,
    /// Blue, grey, yellow; reads alike with red-green colour blindness.
    Cividis,
    /// Diverging: blue, light grey in the middle, red.
    Coolwarm,
}

/// 33 sRGB colours at equal distances over [0, 1].
type Keys = [u32; 33];

// Sampled from the published tables: magma and viridis by van der Walt and
// Smith (CC0), cividis by Nunez, Anderton and Renslow (2018), coolwarm by
// Moreland (2009). Linear in between, within 2/255 of those tables (6/255 at
// the kink of cividis's blue).
const MAGMA: Keys = [
    0x000004, 0x030311, 0x0a0822, 0x130d33, 0x1d1146, 0x28115a, 0x36106a, 0x430f76, 0x50127c, 0x5d177f,
    0x691c81, 0x762181, 0x822681, 0x8f2a81, 0x9c2e7f, 0xa9327d, 0xb63779, 0xc33b75, 0xcf4170, 0xdb486a,
    0xe65163, 0xee5c5e, 0xf5695c, 0xf9785d, 0xfb8761, 0xfd9668, 0xfea571, 0xfeb47b, 0xfec387, 0xfed194,
    0xfde0a2, 0xfceeb0, 0xfcfdbf,
];
const VIRIDIS: Keys = [
    0x440154, 0x470d60, 0x48186a, 0x482374, 0x472d7b, 0x453681, 0x424086, 0x3f4989, 0x3b528b, 0x375a8d,
    0x33638d, 0x2f6a8e, 0x2c728e, 0x297a8e, 0x26818e, 0x23898e, 0x21908c, 0x1f988b, 0x1f9f88, 0x21a685,
    0x28ae80, 0x31b57b, 0x3ebc74, 0x4cc26c, 0x5dc963, 0x6ece58, 0x82d34c, 0x96d83f, 0xabdc32, 0xc0df24,
    0xd5e21a, 0xeae51a, 0xfde725,
];
const CIVIDIS: Keys = [
    0x00224e, 0x00285b, 0x002e6a, 0x043371, 0x1a386f, 0x273e6e, 0x32436d, 0x3b496c, 0x434e6c, 0x4b546c,
    0x52596d, 0x5a5f6e, 0x61656f, 0x686a71, 0x6f7073, 0x757676, 0x7c7b78, 0x848179, 0x8b8778, 0x938d78,
    0x9b9376, 0xa39a75, 0xaba072, 0xb3a670, 0xbbad6c, 0xc3b469, 0xccba64, 0xd4c15f, 0xddc958, 0xe6d051,
    0xefd748, 0xf8df3c, 0xfee838,
];
const COOLWARM: Keys = [
    0x3b4cc0, 0x445acc, 0x4d68d7, 0x5775e1, 0x6282ea, 0x6c8ef1, 0x779af7, 0x82a5fb, 0x8db0fe, 0x98b9ff,
    0xa3c2fe, 0xaec9fc, 0xb8d0f9, 0xc2d5f4, 0xccd9ee, 0xd5dbe6, 0xdddddd, 0xe5d8d1, 0xecd3c5, 0xf1ccb9,
    0xf4c4ad, 0xf7bba0, 0xf7b194, 0xf7a687, 0xf49a7b, 0xf18d6f, 0xec7f63, 0xe57058, 0xde604d, 0xd55042,
    0xcb3e38, 0xc0282f, 0xb40426,
];

static LUTS: LazyLock<[[[u8; 4]; 256]; 4]> =
    LazyLock::new(|| [&MAGMA, &VIRIDIS, &CIVIDIS, &COOLWARM].map(lut_from_keys));

/// The 256 opaque colours between `keys`, linear in sRGB values.
fn lut_from_keys(keys: &Keys) -> [[u8; 4]; 256] {
    std::array::from_fn(|i| {
        let at = i * 32; // position in 1/255 of a key
        let (key, part) = ((at / 255).min(31), at - 255 * (at / 255).min(31));
        let channel = |shift: u32| {
            let [a, b] = [keys[key], keys[key + 1]].map(|rgb| (rgb >> shift & 0xff) as usize);
            ((a * (255 - part) + b * part + 127) / 255) as u8
        };
        [channel(16), channel(8), channel(0), 255]
    })
}

impl Colormap {
    /// The colour of `t`: the nearest of the 256 entries of [`Self::lut`], as
    /// the shader takes it. Below 0 counts as 0, above 1 as 1; NaN gives [`Self::missing`].
    pub fn color(self, t: f32) -> [u8; 3] {
        if t.is_nan() {
            return self.missing();
        }
        let [r, g, b, _] = self.lut()[(t.clamp(0.0, 1.0) * 255.0 + 0.5) as usize];
        [r, g, b]
    }

    /// The colour of `value` on the scale `lo..hi`.
    pub fn color_on(self, value: f32, [lo, hi]: [f32; 2]) -> [u8; 3] {
        self.color((value - lo) / (hi - lo))
    }

    /// The colour of `t` as a dot on a dark or a light ground: the end of the colours that the ground has is left out.
    pub fn on_ground(self, t: f32, is_dark: bool) -> [u8; 3] {
        let t = t.clamp(0.0, 1.0);
        self.color(if is_dark { 0.2 + 0.8 * t } else { 0.88 * t })
    }

    /// 256 colours, RGBA, opaque; entry `i` is the colour of `i / 255`.
    pub fn lut(self) -> &'static [[u8; 4]; 256] {
        &LUTS[self as usize]
    }

    /// The neutral colour of a value that is not there (NaN): far from every colour of the map.
    pub fn missing(self) -> [u8; 3] {
        match self {
            Colormap::Magma | Colormap::Viridis | Colormap::Cividis => [0xd9; 3],
            Colormap::Coolwarm => [0x5a; 3],
        }
    }
}

/// The hue of a space in headings and curves: z blue, h ochre, any other space
/// one of four further hues, always the same for the same name. What follows a blank ("z A") tells whose space it
/// is, and does not change the hue.
pub fn space_color(name: &str) -> [u8; 3] {
    const OTHERS: [[u8; 3]; 4] =
        [[0x1b, 0x7f, 0x79], [0x7a, 0x4f, 0xa0], [0x6b, 0x7a, 0x1e], [0x55, 0x61, 0x6f]];
    let name = name.split(' ').next().unwrap_or(name);
    match name {
        "z" => [0x2b, 0x5f, 0xa8],
        "h" => [0xb3, 0x58, 0x06],
        _ => OTHERS[name.bytes().map(usize::from).sum::<usize>() % OTHERS.len()],
    }
}

/// Colour of the `index`th of several kinds, legible on white and on black: Tableau's ten, then the same ones lighter and
/// darker by turns. Beyond thirty they come again.
pub fn category(index: usize) -> [u8; 3] {
    const TEN: [[u8; 3]; 10] = [
        [0x4e, 0x79, 0xa7],
        [0xf2, 0x8e, 0x2b],
        [0xe1, 0x57, 0x59],
        [0x3c, 0xa8, 0xa0],
        [0x59, 0xa1, 0x4f],
        [0xd0, 0xb0, 0x20],
        [0xb0, 0x7a, 0xa1],
        [0xff, 0x8d, 0x9b],
        [0x9c, 0x75, 0x5f],
        [0x8a, 0x85, 0x82],
    ];
    let base = TEN[index % TEN.len()];
    match index / TEN.len() % 3 {
        0 => base,
        1 => base.map(|v| v / 2 + 112),
        _ => base.map(|v| (u16::from(v) * 5 / 8) as u8),
    }
}

/// Colour of a place in a picture, `[x, y]` in [0, 1]: red grows to the right, blue downwards, and green away from both.
pub fn place_color([x, y]: [f32; 2]) -> [u8; 3] {
    let byte = |v: f32| (40.0 + 200.0 * v.clamp(0.0, 1.0)) as u8;
    [byte(x), byte(1.0 - (x + y) / 2.0), byte(y)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    /// CIE L* of an sRGB colour.
    fn lightness(rgb: [u8; 3]) -> f64 {
        let linear = rgb.map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        });
        let y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        if y > 0.008856 { 116.0 * y.cbrt() - 16.0 } else { 903.3 * y }
    }

    fn curve(map: Colormap) -> Vec<f64> {
        (0..256).map(|i| lightness(map.color(i as f32 / 255.0))).collect()
    }

    #[test]
    fn sequential_maps_rise_in_lightness_without_a_step_back() {
        for map in [Colormap::Magma, Colormap::Viridis, Colormap::Cividis] {
            let light = curve(map);
            // 8-bit rounding alone moves L* by up to about 0.3.
            assert!(light.windows(2).all(|w| w[1] > w[0] - 0.3), "{map:?}");
            assert!(light.windows(9).all(|w| w[8] > w[0]), "{map:?} stalls");
            assert!(light[255] - light[0] > 60.0, "{map:?}");
        }
    }

    #[test]
    fn the_diverging_map_is_lightest_in_the_middle() {
        let light = curve(Colormap::Coolwarm);
        assert!(light[..126].windows(9).all(|w| w[8] > w[0]));
        assert!(light[130..].windows(9).all(|w| w[8] < w[0]));
        assert!((light[0] - light[255]).abs() < 6.0);
    }

    #[test]
    fn entries_equal_the_published_tables_where_they_were_sampled() {
        assert_eq!(Colormap::Magma.color(0.0), [0x00, 0x00, 0x04]);
        assert_eq!(Colormap::Viridis.color(1.0), [0xfd, 0xe7, 0x25]);
        // Entries of matplotlib's tables.
        for (map, i, expected) in [
            (Colormap::Magma, 200, [0xfd, 0x98, 0x69]),
            (Colormap::Viridis, 128, [0x21, 0x91, 0x8c]),
            (Colormap::Cividis, 60, [0x3f, 0x4c, 0x6c]),
            (Colormap::Coolwarm, 230, [0xd6, 0x52, 0x44]),
        ] {
            let color = map.color(i as f32 / 255.0);
            assert!(
                color.iter().zip(expected).all(|(&a, b): (&u8, u8)| a.abs_diff(b) <= 2),
                "{map:?} {color:x?}"
            );
        }
    }

    #[test]
    fn kinds_are_told_apart_by_their_colours() {
        for a in 0..30 {
            for b in 0..a {
                let distance: u32 = (0..3).map(|i| category(a)[i].abs_diff(category(b)[i]) as u32).sum();
                assert!(distance > 24, "{a} and {b}");
            }
        }
        assert_eq!(category(3), category(33));
        let corners = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]].map(place_color);
        assert_eq!(corners, [[40, 240, 40], [240, 140, 40], [40, 140, 240], [240, 40, 240]]);
    }

    #[test]
    fn values_off_the_scale_are_clamped_and_missing_ones_are_neutral() {
        for &map in Colormap::value_variants() {
            assert_eq!(map.color(-3.0), map.color(0.0));
            assert_eq!(map.color(f32::INFINITY), map.color(1.0));
            let missing = map.color(f32::NAN);
            assert_eq!(missing, map.missing());
            let distance = |c: &[u8; 4]| (0..3).map(|i| c[i].abs_diff(missing[i]) as u32).sum::<u32>();
            assert!(map.lut().iter().map(distance).min().unwrap() > 60, "{map:?}");
        }
        assert_eq!(Colormap::Magma.color_on(0.0, [-1.0, 1.0]), Colormap::Magma.color(0.5));
    }
}
