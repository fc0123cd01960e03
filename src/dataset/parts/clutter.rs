//! Things that stand about: trees, houses, fences, lamp posts and rocks.

use super::colour::{Rgb, hex};
use super::dice::Dice;
use super::draw::{Ink, PartCanvas};
use super::names::ScenePart;
use super::shape::{Outline, P};
use super::sky::Mood;

/// A tree of height `h` whose foot is at `at`: leafy or a conifer.
pub(super) fn tree(c: &mut PartCanvas, d: &mut Dice, at: P, h: f32, green: Rgb) {
    let bark = d.pick(&[hex(0x7A5636), hex(0x6A4B3A), hex(0x8C6A4C)]);
    c.shadow(at.0, at.1, h * 0.28, h * 0.045);
    let trunk = [
        (at.0, at.1, h * 0.055),
        (at.0 + h * 0.01, at.1 - h * 0.2, h * 0.04),
        (at.0, at.1 - h * 0.5, h * 0.03),
    ];
    c.fill(ScenePart::Tree, Outline::default().limb(&trunk), Ink::matt(bark));
    if d.chance(0.35) { conifer(c, at, h, green) } else { crown(c, d, at, h, green) }
}

fn conifer(c: &mut PartCanvas, (x, y): P, h: f32, green: Rgb) {
    let needle = green.mix(hex(0x1F5B4A), 0.6);
    for (low, top, w) in [(0.12, 0.55, 0.27), (0.34, 0.78, 0.22), (0.58, 1.0, 0.16)] {
        let (foot, tip) = (y - low * h, y - top * h);
        let mut rim = vec![(x, tip)];
        for k in 0..=8 {
            let t = 1.0 - k as f32 / 4.0;
            rim.push((x + t * w * h, foot + if k % 2 == 0 { 0.0 } else { -0.035 * h } - 0.02 * h * t.abs()));
        }
        c.fill(ScenePart::Tree, Outline::default().poly(&rim), Ink::matt(needle));
    }
}

fn crown(c: &mut PartCanvas, d: &mut Dice, (x, y): P, h: f32, green: Rgb) {
    let leaf =
        d.pick(&[green.dim(0.1), green.mix(hex(0x2E7D4F), 0.5), green, hex(0xD98B3A).mix(green, 0.35)]);
    let puffs = [
        (-0.2, 0.56, 0.17),
        (0.2, 0.55, 0.17),
        (-0.13, 0.75, 0.17),
        (0.14, 0.74, 0.18),
        (0.0, 0.84, 0.16),
        (0.0, 0.6, 0.2),
    ];
    let puffs =
        puffs.map(|(dx, dy, r)| (x + (dx + d.range(-0.03, 0.03)) * h, y - dy * h, r * h * d.range(0.9, 1.1)));
    let heap = puffs.iter().fold(Outline::default(), |s, &(px, py, r)| s.circle(px, py, r));
    c.fill(ScenePart::Tree, heap, Ink::matt(leaf.dim(0.15)));
    let side = c.light_side();
    let lit = puffs
        .iter()
        .fold(Outline::default(), |s, &(px, py, r)| s.circle(px + side * r * 0.2, py - r * 0.25, r * 0.62));
    c.fill(ScenePart::Tree, lit, Ink::down(leaf.lit(0.2), leaf));
    for tone in [leaf.lit(0.45), leaf.dim(0.4)] {
        let leaves = (0..14).fold(Outline::default(), |s, _| {
            let (px, py, r) = d.pick(&puffs);
            s.ellipse(px + r * d.range(-0.7, 0.7), py + r * d.range(-0.7, 0.7), h * 0.022, h * 0.015)
        });
        c.glaze(leaves, tone, 0.55);
    }
}

/// A brick or plaster house `w` wide whose foot is at `at`.
pub(super) fn house(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, at: P, w: f32) {
    let wall = d
        .pick(&[hex(0xC9735A), hex(0xE9DCC3), hex(0xD9A76A), hex(0xB9C7C9), hex(0xE3B7A0)])
        .mix(mood.haze, 0.12);
    let tiles = d.pick(&[hex(0xA8483A), hex(0x5C5F73), hex(0x7D4B3E)]).mix(mood.haze, 0.1);
    let (h, x, y) = (w * d.range(0.6, 0.8), at.0 - w / 2.0, at.1);
    c.fill(ScenePart::House, Outline::default().rect(x, y - h, w, h), Ink::matt(wall));
    let mut courses = Outline::default();
    for row in 1..8 {
        let by = y - h * row as f32 / 8.0;
        courses = courses.rect(x, by, w, h * 0.012);
        for k in 0..6 {
            let bx = x + w * (k as f32 + if row % 2 == 0 { 0.25 } else { 0.75 }) / 6.0;
            courses = courses.rect(bx, by, w * 0.01, h / 8.0);
        }
    }
    c.glaze(courses, wall.dim(0.5), 0.45);
    let eave = w * 0.08;
    let gable = [
        (x - eave, y - h),
        (x + w * 0.12, y - h * 1.55),
        (x + w * 0.88, y - h * 1.55),
        (x + w + eave, y - h),
    ];
    c.fill(ScenePart::House, Outline::default().poly(&gable), Ink::matt(tiles));
    let rows = (1..4).fold(Outline::default(), |s, k| {
        let k = k as f32;
        s.rect(x + w * 0.04 * k - eave * 0.5, y - h * (1.0 + 0.14 * k), w * (1.0 - 0.06 * k), h * 0.02)
    });
    c.glaze(rows, tiles.dim(0.5), 0.6);
    let glass = if mood.night { hex(0xFFD873) } else { hex(0x9CC4DA) };
    let at_windows = |dx: f32, wide: f32| {
        [0.12, 0.64]
            .iter()
            .fold(Outline::default(), |s, k| s.rect(x + dx + k * w, y - h * 0.76, wide, h * 0.34))
    };
    c.fill(ScenePart::House, at_windows(0.0, w * 0.24), Ink::matt(glass));
    c.glaze(at_windows(w * 0.11, w * 0.02), hex(0xFFFFFF), 0.8);
    c.fill(
        ScenePart::House,
        Outline::default().rect(x + w * 0.41, y - h * 0.5, w * 0.18, h * 0.5),
        Ink::matt(hex(0x6B4A35)),
    );
}

/// A block of flats, `w` wide and `h` high.
pub(super) fn block(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, (x, y): P, (w, h): (f32, f32)) {
    let wall = d.pick(&[hex(0x9AA5B5), hex(0xB5A79A), hex(0x8892A8), hex(0xC2B8A8)]).mix(mood.haze, 0.4);
    c.fill(ScenePart::House, Outline::default().rect(x, y - h, w, h), Ink::matt(wall));
    let (mut dark, mut light) = (Outline::default(), Outline::default());
    let rows = (h / 0.045) as usize;
    for row in 0..rows {
        for k in 0..4 {
            let (px, py) = (x + w * (0.1 + 0.22 * k as f32), y - h + 0.015 + 0.045 * row as f32);
            let lit = d.chance(0.3);
            if lit {
                light = light.rect(px, py, w * 0.14, 0.024)
            } else {
                dark = dark.rect(px, py, w * 0.14, 0.024)
            }
        }
    }
    c.glaze(dark, wall.dim(0.6), 0.6);
    c.glaze(light, if mood.night { hex(0xFFD873) } else { hex(0xF7F4E4) }, 0.75);
}

/// A wooden fence along `y`, posts `h` high.
pub(super) fn fence(c: &mut PartCanvas, d: &mut Dice, y: f32, h: f32) {
    let wood = d.pick(&[hex(0xF2EDE2), hex(0xA9794F), hex(0x8C6B53)]);
    for rail in [0.35, 0.75] {
        c.fill(
            ScenePart::Fence,
            Outline::default().rect(-0.1, y - h * rail, 1.2, h * 0.14),
            Ink::down(wood, wood.dim(0.3)),
        );
    }
    let (start, step) = (d.range(-0.1, 0.0), d.range(0.085, 0.13));
    let posts = (0..14).fold(Outline::default(), |s, k| {
        let (x, w) = (start + step * k as f32, h * 0.17);
        s.poly(&[(x, y), (x, y - h * 0.92), (x + w / 2.0, y - h * 1.05), (x + w, y - h * 0.92), (x + w, y)])
    });
    c.fill(ScenePart::Fence, posts, Ink::matt(wood));
}

/// A street lamp of height `h`.
pub(super) fn lamp(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, (x, y): P, h: f32) {
    let iron = d.pick(&[hex(0x3E4A52), hex(0x2F4F4F), hex(0x5A5560)]);
    let side = d.sign();
    let post = [
        (x, y, 0.012),
        (x, y - h * 0.6, 0.009),
        (x + side * 0.01, y - h * 0.94, 0.008),
        (x + side * 0.09, y - h, 0.008),
    ];
    c.fill(ScenePart::Lamp, Outline::default().limb(&post), Ink::matt(iron));
    c.fill(ScenePart::Lamp, Outline::default().rect(x - 0.022, y - 0.03, 0.044, 0.03), Ink::matt(iron));
    let (lx, ly) = (x + side * 0.1, y - h + 0.015);
    c.glow((lx, ly + 0.02), (0.1, 0.1), hex(0xFFE9A0), if mood.night { 0.8 } else { 0.25 });
    c.fill(
        ScenePart::Lamp,
        Outline::default().rounded(&[
            (lx - 0.04, ly + 0.02, 0.005),
            (lx - 0.025, ly - 0.015, 0.01),
            (lx + 0.025, ly - 0.015, 0.01),
            (lx + 0.04, ly + 0.02, 0.005),
        ]),
        Ink::matt(iron),
    );
    c.fill(
        ScenePart::Lamp,
        Outline::default().ellipse(lx, ly + 0.024, 0.03, 0.012),
        Ink::flat(hex(0xFFF3C4)),
    );
}

/// A rock of half width `r`.
pub(super) fn rock(c: &mut PartCanvas, d: &mut Dice, (x, y): P, r: f32) {
    let stone = d.pick(&[hex(0x8E8C93), hex(0xA0978A), hex(0x75808A)]);
    c.shadow(x, y, r * 1.3, r * 0.25);
    let top = d.range(0.7, 1.0);
    let side = c.light_side();
    let outline = [
        (x - r, y, 0.1 * r),
        (x - r * 0.75, y - r * 0.6, 0.2 * r),
        (x - r * 0.1, y - r * top, 0.2 * r),
        (x + r * 0.65, y - r * 0.7, 0.2 * r),
        (x + r, y, 0.1 * r),
    ];
    c.fill(ScenePart::Rock, Outline::default().rounded(&outline), Ink::matt(stone));
    let facet = [
        (x + side * r * 0.5, y - r * 0.5),
        (x, y - r * top * 0.9),
        (x - side * r * 0.05, y - r * 0.35),
        (x + side * r * 0.5, y - r * 0.15),
    ];
    c.glaze(Outline::default().poly(&facet), stone.lit(0.6), 0.4);
    let spots = (0..5).fold(Outline::default(), |s, _| {
        s.circle(x + r * d.range(-0.6, 0.6), y - r * d.range(0.1, 0.6), r * 0.05)
    });
    c.glaze(spots, stone.dim(0.6), 0.5);
}
