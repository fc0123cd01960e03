//! The far half of a scene: the time of day, sky, sun, clouds, mountains and hills.

use super::colour::{Rgb, hex};
use super::dice::Dice;
use super::draw::{Ink, PartCanvas};
use super::names::ScenePart;
use super::shape::{Outline, P};

/// The weather and time of day, which colour everything.
#[derive(Clone, Copy)]
pub(super) struct Mood {
    pub top: Rgb,
    pub low: Rgb,
    /// What distance fades into.
    pub haze: Rgb,
    pub cloud: Rgb,
    pub sun: Rgb,
    /// What the light multiplies each channel by.
    pub tint: [f32; 3],
    pub night: bool,
}

/// Colours `[top, low, haze, cloud, sun]`, then the tint of the light.
const MOODS: [([u32; 5], [f32; 3]); 8] = [
    ([0x4A9BE0, 0xC9E9F8, 0xA9CCE0, 0xFFFFFF, 0xFFF3B8], [1.0, 1.0, 1.0]),
    ([0x2F78C8, 0x9AD4F0, 0x8DB9D6, 0xFDFBF5, 0xFFF0A0], [1.03, 1.0, 0.96]),
    ([0x6FBFC6, 0xFBEBCB, 0xC3D8C9, 0xFFFAEC, 0xFFE7A3], [1.02, 1.0, 0.94]),
    ([0x5F86BE, 0xFFCE92, 0xDDAE90, 0xFFE3C2, 0xFFB64D], [1.06, 0.96, 0.84]),
    ([0x5A559A, 0xF6A8A0, 0xA688AE, 0xF9C9C4, 0xFF8E66], [1.0, 0.88, 0.90]),
    ([0xA3B1BF, 0xDFE4E6, 0xBFC9CE, 0xF1F3F4, 0xF4F0DC], [0.92, 0.95, 0.98]),
    ([0x1A2358, 0x4A62A3, 0x35457F, 0x5B6BA6, 0xF3F0D8], [0.66, 0.73, 0.96]),
    ([0x86A9DC, 0xF2D9EA, 0xC4BEDD, 0xFFF4FA, 0xFFE9C4], [1.0, 0.97, 1.0]),
];
const NIGHT: usize = 6;

impl Mood {
    /// One of eight moods, a little changed; nights are rarer.
    pub fn roll(d: &mut Dice) -> Self {
        let mut which = d.below(MOODS.len());
        if which == NIGHT && d.chance(0.4) {
            which = 0;
        }
        let (colours, tint) = MOODS[which];
        let [top, low, haze, cloud, sun] = colours.map(hex);
        let (top, low) = (top.mix(low, d.range(0.0, 0.3)), low.mix(top, d.range(0.0, 0.2)));
        let brightness = d.range(0.88, 1.06);
        let warmth = d.range(-0.04, 0.04);
        let tint = [
            tint[0] * brightness * (1.0 + warmth),
            tint[1] * brightness,
            tint[2] * brightness * (1.0 - warmth),
        ];
        Self { top, low, haze, cloud, sun, tint, night: which == NIGHT }
    }
}

/// The sky down to `horizon`, with stars, sun or moon, and clouds.
pub(super) fn sky(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, horizon: f32, clouds: usize) {
    c.fill(ScenePart::Sky, Outline::default().rect(-0.1, -0.1, 1.2, 1.2), Ink::flat(mood.low));
    c.fill(
        ScenePart::Sky,
        Outline::default().rect(-0.1, -0.1, 1.2, horizon + 0.12),
        Ink::down(mood.top, mood.low),
    );
    if mood.night {
        let stars = (0..26).fold(Outline::default(), |s, _| {
            s.circle(d.unit(), d.range(0.0, horizon), d.range(0.002, 0.006))
        });
        c.fill(ScenePart::Sky, stars, Ink::flat(hex(0xE9ECFF)));
    }
    if d.chance(0.45) {
        sun(c, d, mood, horizon);
    }
    for k in 0..clouds {
        let w = d.range(0.16, 0.42);
        let x = (k as f32 + d.range(0.1, 0.9)) / clouds as f32;
        let y = d.range(0.06, (horizon * 0.8).max(0.12));
        cloud(c, d, mood, (x, y), w);
    }
}

fn sun(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, horizon: f32) {
    let r = d.range(0.05, 0.095);
    // It stands on the side that the light comes from.
    let x = 0.5 + c.light_side() * d.range(0.2, 0.42);
    let y = d.range(0.08, (horizon - r).clamp(0.1, 0.5));
    c.glow((x, y), (r * 3.2, r * 3.2), mood.sun, 0.55);
    c.fill(ScenePart::Sun, Outline::default().circle(x, y, r), Ink::down(mood.sun.lit(0.35), mood.sun));
    if mood.night {
        for (dx, dy, q) in [(-0.3, -0.2, 0.2), (0.25, 0.15, 0.26), (-0.1, 0.45, 0.15)] {
            c.glaze(Outline::default().circle(x + dx * r, y + dy * r, q * r), mood.haze, 0.3);
        }
    }
}

/// A heap of puffs on a flat base, `w` wide, with its base at `at`.
pub(super) fn cloud(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, at: P, w: f32) {
    let n = 4 + d.below(3);
    let side = c.light_side();
    let puffs: Vec<(f32, f32, f32)> = (0..n)
        .map(|k| {
            let t = (k as f32 + 0.5) / n as f32;
            let arch = (1.0 - (2.0 * t - 1.0) * (2.0 * t - 1.0)) * 0.8 + 0.35;
            let r = w * 0.19 * arch * d.range(0.85, 1.25);
            (at.0 + (t - 0.5) * w * 0.8, at.1 - r * 0.55, r)
        })
        .collect();
    let heap = |dx: f32, dy: f32, by: f32| {
        let base = Outline::default().ellipse(at.0 + dx, at.1 + dy - 0.02 * w, w * 0.48 * by, w * 0.09 * by);
        puffs.iter().fold(base, |s, &(x, y, r)| s.circle(x + dx, y + dy, r * by))
    };
    let (light, shade) = (mood.cloud, mood.cloud.mix(mood.haze, 0.55));
    c.fill(ScenePart::Cloud, heap(0.0, 0.0, 1.0), Ink::down(light.mix(shade, 0.4), shade));
    c.fill(
        ScenePart::Cloud,
        heap(side * 0.03 * w, -0.035 * w, 0.86),
        Ink::down(light, light.mix(shade, 0.45)),
    );
}

/// A ridge of snow-capped peaks standing on `horizon`.
pub(super) fn mountains(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, horizon: f32) {
    let rock = d.pick(&[hex(0x6E7FA3), hex(0x7C8C8F), hex(0x8A7A86)]).mix(mood.haze, 0.45);
    let snow = hex(0xFAFCFF).mix(mood.haze, 0.15);
    let n = 3 + d.below(2);
    let side = c.light_side();
    for k in 0..n {
        let x = (k as f32 + d.range(0.2, 0.8)) / n as f32;
        let (h, w) = (d.range(0.16, 0.3).min(horizon * 0.7), d.range(0.2, 0.32));
        let (top, foot) = (horizon - h, horizon + 0.02);
        let at = |dx: f32, f: f32| (x + dx * w * f, top + (foot - top) * f);
        let sunny = Outline::default().poly(&[at(0.0, 0.0), at(-1.0, 1.0), at(1.0, 1.0)]);
        c.fill(ScenePart::Mountain, sunny, Ink::down(rock.lit(0.1), rock.mix(mood.haze, 0.35)));
        let folds =
            [at(0.0, 0.0), at(-side, 1.0), at(0.25 * side, 1.0), at(-0.2 * side, 0.62), at(0.3 * side, 0.4)];
        c.glaze(Outline::default().poly(&folds), mood.haze.dim(0.55), 0.35);
        let cap =
            [at(0.0, 0.0), at(-1.0, 0.36), at(-0.45, 0.3), at(-0.1, 0.44), at(0.4, 0.28), at(1.0, 0.34)];
        c.fill(ScenePart::Mountain, Outline::default().poly(&cap), Ink::flat(snow));
        let dark = [at(0.0, 0.0), at(-side, 0.35), at(-0.45 * side, 0.29), at(-0.1 * side, 0.3)];
        c.glaze(Outline::default().poly(&dark), mood.haze.dim(0.3), 0.35);
    }
}

/// Two or three rows of rolling hills in front of each other, the nearest ending at `horizon`.
pub(super) fn hills(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, horizon: f32, green: Rgb) {
    let rows = 2 + d.below(2);
    for row in 0..rows {
        let near = (row as f32 + 1.0) / rows as f32;
        let colour = green.dim(0.12).mix(mood.haze, 0.72 - 0.5 * near);
        let lift = 0.05 + 0.1 * (1.0 - near) + d.range(0.0, 0.04);
        let line: Vec<P> =
            (0..8).map(|k| (k as f32 / 7.0 * 1.3 - 0.15, horizon - lift - d.range(-0.035, 0.05))).collect();
        let shape = Outline::default().terrain(&line, horizon + 0.03);
        c.fill(ScenePart::Hill, shape, Ink::down(colour.lit(0.12), colour.dim(0.08)));
        if d.chance(0.7) {
            let groves = (0..5).fold(Outline::default(), |s, _| {
                let (x, y) = line[d.below(line.len())];
                let (x, y) = (x + d.range(-0.05, 0.05), y + d.range(0.03, 0.07));
                let r = d.range(0.008, 0.018);
                s.ellipse(x, y, r * 1.6, r).circle(x + r, y - r * 0.5, r)
            });
            c.glaze(groves, colour.dim(0.45), 0.6);
        }
    }
}
