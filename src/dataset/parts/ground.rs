//! What things stand on: grass, road, sand and sea.

use super::colour::{Rgb, hex};
use super::dice::Dice;
use super::draw::{Ink, PartCanvas};
use super::names::ScenePart;
use super::shape::{Outline, P};
use super::sky::Mood;

/// Greens (and a dry gold) that meadows, hills and trees of one scene share.
pub(super) const GREENS: [Rgb; 6] =
    [hex(0x6DB04B), hex(0x8ABF4F), hex(0x4F9A55), hex(0xA9B84E), hex(0xC9B45A), hex(0x5FA873)];

/// A meadow from `top` to `bottom`, with rows of blades that grow towards the viewer.
pub(super) fn grass(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, (top, bottom): (f32, f32), green: Rgb) {
    let far = green.lit(0.12).mix(mood.haze, 0.22);
    let line: Vec<P> = (0..6).map(|k| (k as f32 / 5.0 * 1.2 - 0.1, top + d.range(-0.008, 0.008))).collect();
    c.fill(ScenePart::Grass, Outline::default().terrain(&line, bottom), Ink::down(far, green.dim(0.2)));
    for tone in [green.lit(0.4), green.dim(0.5)] {
        let patches = (0..4).fold(Outline::default(), |s, _| {
            let y = d.range(top + 0.03, bottom.max(top + 0.05));
            s.ellipse(d.unit(), y, d.range(0.08, 0.25), 0.012 + 0.06 * (y - top))
        });
        c.glaze(patches, tone, 0.16);
    }
    let blades = ((bottom.min(1.05) - top) * 190.0) as usize;
    for colour in [green.dim(0.36), green.lit(0.3)] {
        let mut tufts = Outline::default();
        for _ in 0..blades / 2 {
            let t = d.unit();
            let y = top + 0.012 + t * (bottom - top);
            let (x, h) = (d.range(-0.02, 1.02), (0.012 + 0.055 * t) * d.range(0.6, 1.2));
            tufts = tufts.blade((x, y), (x + h * d.range(-0.5, 0.5), y - h), 0.006 + 0.012 * t);
        }
        c.fill(ScenePart::Grass, tufts, Ink::flat(colour));
    }
}

/// Tufts in front of whatever stands on `floor`.
pub(super) fn grass_front(c: &mut PartCanvas, d: &mut Dice, floor: f32, green: Rgb) {
    for colour in [green.dim(0.3), green.lit(0.18)] {
        let tufts = (0..11).fold(Outline::default(), |s, _| {
            let (x, y, h) = (d.unit(), d.range(floor + 0.03, 1.02), d.range(0.04, 0.075));
            [-0.45, 0.05, 0.5]
                .iter()
                .fold(s, |s, lean| s.blade((x + lean * 0.02, y), (x + lean * h, y - h), 0.016))
        });
        c.fill(ScenePart::Grass, tufts, Ink::flat(colour));
    }
}

/// A few flowers on the grass between `top` and `bottom`.
pub(super) fn flowers(c: &mut PartCanvas, d: &mut Dice, (top, bottom): (f32, f32)) {
    let petals = d.pick(&[hex(0xFFFFFF), hex(0xFFD84A), hex(0xF27DA5), hex(0xB58BE8), hex(0xF2694B)]);
    let (mut rings, mut hearts) = (Outline::default(), Outline::default());
    for _ in 0..4 + d.below(7) {
        let (x, y) = (d.unit(), d.range(top, bottom));
        let r = 0.008 + 0.02 * (y - top) / (bottom - top).max(0.05);
        for (dx, dy) in [(0.0, -1.0), (0.95, -0.3), (0.6, 0.8), (-0.6, 0.8), (-0.95, -0.3)] {
            rings = rings.circle(x + dx * r * 0.8, y + dy * r * 0.8, r * 0.62);
        }
        hearts = hearts.circle(x, y, r * 0.5);
    }
    c.fill(ScenePart::Flower, rings, Ink::flat(petals));
    c.fill(ScenePart::Flower, hearts, Ink::flat(hex(0xE8A02C)));
}

/// A road across the frame from `top` to `bottom`: kerbs, lane marks, speckled asphalt.
pub(super) fn road(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, (top, bottom): (f32, f32)) {
    let asphalt = d.pick(&[hex(0x6A6C76), hex(0x5A5D68), hex(0x7C7A78), hex(0x8A8078)]);
    let kerb = hex(0xD3CEC4);
    let strip = |y: f32, h: f32| Outline::default().rect(-0.1, y, 1.2, h);
    c.fill(
        ScenePart::Road,
        strip(top, bottom - top),
        Ink::down(asphalt.mix(mood.haze, 0.2), asphalt.dim(0.18)),
    );
    c.fill(ScenePart::Road, strip(top, 0.018), Ink::down(kerb, kerb.dim(0.2)));
    if bottom < 1.0 {
        c.fill(ScenePart::Road, strip(bottom - 0.024, 0.024), Ink::down(kerb.lit(0.2), kerb.dim(0.25)));
    }
    for shade in [asphalt.lit(0.5), asphalt.dim(0.5)] {
        let specks = (0..17).fold(Outline::default(), |s, _| {
            s.ellipse(d.unit(), d.range(top + 0.02, bottom), d.range(0.004, 0.016), 0.004)
        });
        c.glaze(specks, shade, 0.35);
    }
    let (y, h) = (top + 0.62 * (bottom - top), 0.1 * (bottom - top));
    let (start, step) = (d.range(-0.3, 0.0), d.range(0.24, 0.34));
    let paint = d.pick(&[hex(0xF3EFE2), hex(0xF0C64A)]);
    let dashes = (0..6).fold(Outline::default(), |s, k| {
        let x = start + step * k as f32;
        s.poly(&[(x, y), (x + step * 0.5, y), (x + step * 0.5 - h, y + h), (x - h, y + h)])
    });
    c.fill(ScenePart::Road, dashes, Ink::flat(paint.dim(0.05)));
}

/// Sand with ripples and pebbles from `top` down.
pub(super) fn sand(c: &mut PartCanvas, d: &mut Dice, top: f32) {
    let dune = d.pick(&[hex(0xEBD3A0), hex(0xE2C08B), hex(0xF0DFBC)]);
    let line: Vec<P> = (0..6).map(|k| (k as f32 / 5.0 * 1.2 - 0.1, top + d.range(-0.015, 0.015))).collect();
    c.fill(
        ScenePart::Sand,
        Outline::default().terrain(&line, 1.1),
        Ink::down(dune.lit(0.15), dune.dim(0.16)),
    );
    let ripples = (0..16).fold(Outline::default(), |s, _| {
        let (x, y, w) = (d.unit(), d.range(top + 0.03, 1.0), d.range(0.04, 0.12));
        s.smooth(&[(x - w, y), (x, y - 0.012), (x + w, y), (x, y - 0.002)])
    });
    c.glaze(ripples, dune.dim(0.5), 0.35);
    let grains = (0..24).fold(Outline::default(), |s, _| {
        let r = d.range(0.002, 0.006);
        s.ellipse(d.unit(), d.range(top + 0.02, 1.0), r * 1.4, r)
    });
    c.glaze(grains, dune.dim(0.65), 0.5);
}

/// The sea from `horizon` to `bottom`, with crests between them.
pub(super) fn sea(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, (horizon, bottom): (f32, f32), water: Rgb) {
    let area = Outline::default().rect(-0.1, horizon, 1.2, bottom - horizon);
    c.fill(ScenePart::Sea, area, Ink::down(water.mix(mood.low, 0.45), water.dim(0.22)));
    let glint = 0.5 + 0.35 * c.light_side();
    let glints = (0..9).fold(Outline::default(), |s, k| {
        s.ellipse(glint + d.range(-0.1, 0.1), horizon + 0.01 + 0.014 * k as f32, d.range(0.02, 0.07), 0.003)
    });
    c.glaze(glints, mood.sun, 0.5);
    waves(c, d, mood, (horizon + 0.03, bottom), water, 26);
}

/// Rows of `n` crests between `top` and `bottom`, larger towards the viewer.
fn waves(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, (top, bottom): (f32, f32), water: Rgb, n: usize) {
    let (mut troughs, mut crests, mut foam) = (Outline::default(), Outline::default(), Outline::default());
    for k in 0..n {
        let t = (k as f32 + d.unit()) / n as f32;
        let (x, y) = (d.range(-0.05, 1.05), top + t * (bottom - top));
        let (w, h) = (0.025 + 0.075 * t, 0.006 + 0.026 * t);
        troughs =
            troughs.smooth(&[(x - w, y + h * 0.4), (x, y - h * 0.2), (x + w, y + h * 0.4), (x, y + h * 0.9)]);
        let arc = |f: f32, s: f32| {
            [
                (x - w * s, y + h * 0.3),
                (x - w * 0.3, y - h * f),
                (x + w * 0.35, y - h * f),
                (x + w * s, y + h * 0.3),
            ]
        };
        let ([a, b, e, f], [_, g, i, _]) = (arc(0.6, 1.0), arc(0.0, 1.0));
        crests = crests.smooth(&[a, b, e, f, i, g]);
        let ([a, b, e, f], [_, g, i, _]) = (arc(0.6, 0.7), arc(0.3, 0.7));
        foam = foam.smooth(&[a, b, e, f, i, g]);
    }
    let colour = water.mix(mood.low, 0.35).lit(0.35);
    c.glaze(troughs, water.dim(0.6), 0.4);
    c.fill(ScenePart::Wave, crests, Ink::flat(colour));
    c.fill(ScenePart::Wave, foam, Ink::flat(colour.lit(0.5)));
}

/// The swell in front of a ship that floats at `floor`.
pub(super) fn swell(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, floor: f32, water: Rgb) {
    let phase = d.range(0.0, 0.15);
    let line: Vec<P> = (0..17)
        .map(|k| (k as f32 * 0.08 - 0.2 + phase, floor + if k % 2 == 0 { 0.012 } else { -0.012 }))
        .collect();
    let near = water.mix(mood.low, 0.12);
    let raised: Vec<P> = line.iter().map(|p| (p.0, p.1 - 0.012)).collect();
    c.fill(ScenePart::Wave, Outline::default().terrain(&raised, floor + 0.05), Ink::flat(near.lit(0.45)));
    c.fill(ScenePart::Sea, Outline::default().terrain(&line, 1.1), Ink::down(near, water.dim(0.3)));
    waves(c, d, mood, (floor + 0.04, 1.04), water, 9);
}
