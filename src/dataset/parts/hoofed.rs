//! Horse and deer, side view.

use super::colour::{Rgb, hex};
use super::dice::Dice;
use super::draw::{Ink, PartCanvas};
use super::names::ScenePart;
use super::quadruped::{Coat, EDGES, Limb, Marks, Trunk, coat, eye, gait, legs};
use super::shape::{Outline, P};

const HORSES: [Coat; 6] = [
    coat(0x9A5B34, 0xE8D3B8, 0x3A2620),
    coat(0x6E4028, 0x54301F, 0x241A1A),
    coat(0xE9E4DA, 0xC9C0B6, 0xB8ACA0),
    coat(0x47404A, 0x2F2A33, 0x1E1A22),
    coat(0xC98F4E, 0xF4E6C8, 0xF0DDB0),
    coat(0x9B98A3, 0xD8D5D8, 0x5E5966),
];
const DEER: [Coat; 3] = [
    coat(0xB0703C, 0xF2DFC2, 0xFBEEDB),
    coat(0x94623C, 0xE5CFB2, 0xF4E6CF),
    coat(0xC48648, 0xF6E4C4, 0xFDF3E0),
];

/// `(width, height)` of a horse, and of a stag and a doe.
pub(super) const HORSE: P = (1.0, 0.95);
pub(super) const DEER_KINDS: [P; 2] = [(0.84, 1.05), (0.84, 0.9)];

/// A horse, its head up or grazing low.
pub(super) fn horse(c: &mut PartCanvas, d: &mut Dice) {
    let coat = d.pick(&HORSES);
    let marks = if d.chance(0.25) { Marks::Patches } else { Marks::Plain };
    let patches = Coat { mark: coat.pale.lit(0.3), ..coat };
    let trunk = Trunk { hip: (-0.2, -0.5), shoulder: (0.13, -0.5), thick: [0.29, 0.25, 0.3] };
    let limb = Limb { thigh: 0.075, shin: 0.032, hoof: true, bend: 1.0 };
    let (far, near) = gait(d, 0.1);
    let hoof = hex(0x2E2830);
    c.shadow(-0.02, 0.0, 0.42, 0.045);
    legs(c, [(-0.17, -0.44), (0.17, -0.42)], far, limb, (coat.base.dim(0.3), hoof), EDGES[0]);
    let sway = d.range(-0.05, 0.06);
    let tail = [
        (-0.31, -0.58, 0.03),
        (-0.39, -0.5, 0.045),
        (-0.42 - sway, -0.33, 0.05),
        (-0.43 - 1.5 * sway, -0.17, 0.012),
    ];
    c.fill(ScenePart::Tail, Outline::default().limb(&tail), Ink::matt(coat.mark));
    strands(c, &tail, coat.mark.lit(0.35));
    let bow = if d.chance(0.25) { d.range(0.08, 0.14) } else { d.range(0.0, 0.06) };
    let poll = (0.31 + bow * 0.3, -0.8 + bow);
    let neck = [(0.13, -0.53, 0.14), (0.22, -0.66 + bow * 0.5, 0.1), (poll.0, poll.1, 0.07)];
    for edge in EDGES {
        c.fill(ScenePart::Neck, Outline::default().limb(&neck), edge(Ink::matt(coat.base)));
        trunk.fill(c, coat, edge);
        legs(c, [(-0.22, -0.44), (0.12, -0.42)], near, limb, (coat.base, hoof), edge);
    }
    trunk.mark(c, d, patches, marks);
    mane(c, neck, coat.mark);
    horse_head(c, d, poll, coat);
}

/// Hairs along a tail or mane.
fn strands(c: &mut PartCanvas, spine: &[(f32, f32, f32)], tone: Rgb) {
    for off in [-0.5, 0.0, 0.45] {
        let hair: Vec<_> = spine.iter().map(|&(x, y, w)| (x + off * w, y, 0.004)).collect();
        c.glaze(Outline::default().limb(&hair), tone, 0.6);
    }
}

fn mane(c: &mut PartCanvas, neck: [(f32, f32, f32); 3], colour: Rgb) {
    let [low, mid, top] = neck;
    let crest = [
        (low.0 - 0.1, low.1 - 0.07),
        (mid.0 - 0.09, mid.1 - 0.08),
        (top.0 - 0.05, top.1 - 0.08),
        (top.0 + 0.04, top.1 - 0.08),
        (top.0 - 0.01, top.1 + 0.01),
        (mid.0 - 0.02, mid.1 + 0.03),
        (low.0 - 0.03, low.1 + 0.05),
    ];
    c.fill(ScenePart::Mane, Outline::default().smooth(&crest), Ink::matt(colour));
    for k in 0..6 {
        let t = k as f32 / 5.0;
        let (x, y) = (low.0 - 0.07 + (top.0 - low.0) * t, low.1 - 0.05 + (top.1 - low.1) * t);
        c.glaze(Outline::default().limb(&[(x, y, 0.005), (x + 0.02, y + 0.05, 0.004)]), colour.lit(0.4), 0.6);
    }
}

fn horse_head(c: &mut PartCanvas, d: &mut Dice, (x, y): P, coat: Coat) {
    let ear = |dx: f32| [(x + dx - 0.025, y - 0.05), (x + dx, y - 0.15), (x + dx + 0.035, y - 0.045)];
    c.fill(ScenePart::Ear, Outline::default().poly(&ear(0.05)), Ink::matt(coat.base.dim(0.3)));
    let skull = [
        (x - 0.055, y + 0.02),
        (x + 0.0, y - 0.075),
        (x + 0.07, y - 0.055),
        (x + 0.17, y + 0.07),
        (x + 0.185, y + 0.135),
        (x + 0.13, y + 0.165),
        (x + 0.05, y + 0.105),
        (x - 0.02, y + 0.09),
    ];
    c.fill(ScenePart::Head, Outline::default().smooth(&skull), Ink::matt(coat.base));
    if d.chance(0.4) {
        let blaze =
            [(x + 0.045, y - 0.055), (x + 0.075, y - 0.045), (x + 0.165, y + 0.075), (x + 0.145, y + 0.07)];
        c.fill(ScenePart::Head, Outline::default().poly(&blaze), Ink::flat(hex(0xFBF7EF)));
    }
    let muzzle = [
        (x + 0.115, y + 0.085),
        (x + 0.17, y + 0.07),
        (x + 0.19, y + 0.13),
        (x + 0.16, y + 0.175),
        (x + 0.105, y + 0.155),
    ];
    c.fill(ScenePart::Muzzle, Outline::default().smooth(&muzzle), Ink::matt(coat.base.mix(coat.mark, 0.55)));
    c.fill(
        ScenePart::Muzzle,
        Outline::default().ellipse(x + 0.163, y + 0.115, 0.011, 0.014),
        Ink::flat(hex(0x1E171A)),
    );
    c.fill(ScenePart::Ear, Outline::default().poly(&ear(-0.005)), Ink::matt(coat.base));
    eye(c, (x + 0.045, y + 0.01), 0.021, hex(0x4A2E1C));
}

/// A stag (0), with antlers, or a doe (1).
pub(super) fn deer(c: &mut PartCanvas, d: &mut Dice, kind: usize) {
    let coat = d.pick(&DEER);
    let trunk = Trunk { hip: (-0.2, -0.47), shoulder: (0.1, -0.47), thick: [0.25, 0.21, 0.26] };
    let limb = Limb { thigh: 0.058, shin: 0.024, hoof: true, bend: 1.0 };
    let (far, near) = gait(d, 0.08);
    let hoof = hex(0x33282A);
    c.shadow(-0.02, 0.0, 0.36, 0.04);
    legs(c, [(-0.16, -0.42), (0.14, -0.41)], far, limb, (coat.base.dim(0.3), hoof), EDGES[0]);
    let tail = [(-0.28, -0.54), (-0.36, -0.56), (-0.37, -0.47), (-0.31, -0.43)];
    c.fill(ScenePart::Tail, Outline::default().smooth(&tail), Ink::matt(coat.pale));
    let (x, y) = (0.25 + d.range(-0.03, 0.03), -0.74 + d.range(0.0, 0.06));
    let neck = [(0.1, -0.5, 0.11), (0.18, -0.63, 0.07), (x, y, 0.055)];
    for edge in EDGES {
        c.fill(ScenePart::Neck, Outline::default().limb(&neck), edge(Ink::matt(coat.base)));
        trunk.fill(c, coat, edge);
        legs(c, [(-0.21, -0.42), (0.09, -0.41)], near, limb, (coat.base, hoof), edge);
    }
    trunk.mark(c, d, coat, Marks::Spots);
    c.fill(
        ScenePart::Neck,
        Outline::default().ellipse(x - 0.02, y + 0.15, 0.04, 0.05),
        Ink::flat(coat.pale).bare(),
    );
    if kind == 0 {
        antlers(c, (x + 0.02, y - 0.05));
    }
    for (dx, tone) in [(0.07, coat.base.dim(0.3)), (-0.05, coat.base)] {
        let ear = [
            (x + dx * 0.4, y - 0.03),
            (x + dx * 1.2 - 0.03, y - 0.1),
            (x + dx * 1.9 - 0.02, y - 0.1),
            (x + dx, y - 0.02),
        ];
        c.fill(ScenePart::Ear, Outline::default().smooth(&ear), Ink::matt(tone));
    }
    let skull = [
        (x - 0.06, y + 0.01),
        (x - 0.01, y - 0.065),
        (x + 0.07, y - 0.035),
        (x + 0.17, y + 0.045),
        (x + 0.17, y + 0.085),
        (x + 0.07, y + 0.09),
        (x - 0.03, y + 0.075),
    ];
    c.fill(ScenePart::Head, Outline::default().smooth(&skull), Ink::matt(coat.base));
    let muzzle = [
        (x + 0.1, y + 0.03),
        (x + 0.165, y + 0.03),
        (x + 0.185, y + 0.07),
        (x + 0.15, y + 0.1),
        (x + 0.09, y + 0.09),
    ];
    c.fill(ScenePart::Muzzle, Outline::default().smooth(&muzzle), Ink::matt(coat.pale));
    c.fill(
        ScenePart::Muzzle,
        Outline::default().ellipse(x + 0.175, y + 0.055, 0.018, 0.016),
        Ink::flat(hex(0x2A2024)),
    );
    eye(c, (x + 0.045, y + 0.005), 0.022, hex(0x3A2418));
}

fn antlers(c: &mut PartCanvas, (x, y): P) {
    let horn = hex(0xC9A878);
    for (side, tone) in [(0.7, horn.dim(0.25)), (-1.0, horn)] {
        let p = |dx: f32, dy: f32, w: f32| (x + side * dx, y - dy, w);
        let beam = [p(0.0, 0.0, 0.017), p(0.09, 0.08, 0.016), p(0.12, 0.18, 0.014), p(0.07, 0.27, 0.007)];
        let rack = Outline::default()
            .limb(&beam)
            .limb(&[p(0.07, 0.06, 0.012), p(0.03, 0.12, 0.011), p(0.025, 0.17, 0.006)])
            .limb(&[p(0.115, 0.13, 0.012), p(0.17, 0.19, 0.01), p(0.18, 0.24, 0.006)]);
        c.fill(ScenePart::Antler, rack, Ink::matt(tone));
    }
}
