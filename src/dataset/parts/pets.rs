//! Dog and cat, side view; the head of a cat looks at you.

use super::colour::{Rgb, hex};
use super::dice::Dice;
use super::draw::{Ink, PartCanvas};
use super::names::ScenePart;
use super::quadruped::{Coat, EDGES, Limb, Marks, Trunk, coat, eye, gait, leg, legs};
use super::shape::{Outline, P, inside};

const DOGS: [Coat; 6] = [
    coat(0xD9A35C, 0xF3DDB2, 0xB57B3C),
    coat(0x8A5A3A, 0xE3C29A, 0x5A3826),
    coat(0xF1EBE0, 0xFFFFFF, 0x8A5638),
    coat(0x4A4650, 0xC79A66, 0x2B2830),
    coat(0xF4F2EE, 0xFFFFFF, 0x33313A),
    coat(0xC7764A, 0xF7E7D2, 0x8E4B2C),
];
const CATS: [Coat; 6] = [
    coat(0xE8A04E, 0xFBE8CC, 0xB86A26),
    coat(0x8E8F99, 0xDCDDE2, 0x5A5B66),
    coat(0x3C3A45, 0x5A5766, 0x25232C),
    coat(0xF3EDE2, 0xFFFFFF, 0xC99A6A),
    coat(0xB08A66, 0xEEDCC4, 0x6E4E36),
    coat(0xD9C3A6, 0xF5EADA, 0x5B4437),
];

/// `(width, height)` of dog and cat, standing and sitting.
pub(super) const DOG_KINDS: [P; 2] = [(1.0, 0.78), (0.75, 0.98)];
pub(super) const CAT_KINDS: [P; 2] = [(1.0, 0.86), (0.8, 1.0)];

/// A dog, standing (0) or sitting (1).
pub(super) fn dog(c: &mut PartCanvas, d: &mut Dice, kind: usize) {
    let coat = d.pick(&DOGS);
    let marks = d.pick(&[Marks::Plain, Marks::Patches]);
    let limb = Limb { thigh: 0.075, shin: 0.042, hoof: false, bend: 1.0 };
    c.shadow(0.0, 0.0, 0.4, 0.045);
    if kind == 0 {
        let trunk = Trunk { hip: (-0.22, -0.36), shoulder: (0.1, -0.38), thick: [0.25, 0.22, 0.28] };
        let (far, near) = gait(d, 0.06);
        legs(
            c,
            [(-0.17, -0.3), (0.15, -0.29)],
            far,
            limb,
            (coat.base.dim(0.3), coat.mark.dim(0.6)),
            EDGES[0],
        );
        let wag = d.range(-0.06, 0.08);
        let tail = [
            (-0.3, -0.42, 0.04),
            (-0.41, -0.48, 0.042),
            (-0.45 + wag * 0.5, -0.6, 0.036),
            (-0.42 + wag, -0.7, 0.014),
        ];
        c.fill(ScenePart::Tail, Outline::default().limb(&tail), Ink::matt(coat.base));
        for edge in EDGES {
            let neck = Outline::default().limb(&[(0.12, -0.42, 0.11), (0.22, -0.53, 0.085)]);
            c.fill(ScenePart::Neck, neck, edge(Ink::matt(coat.base)));
            trunk.fill(c, coat, edge);
            legs(c, [(-0.23, -0.3), (0.1, -0.29)], near, limb, (coat.base, coat.mark.dim(0.6)), edge);
        }
        trunk.mark(c, d, coat, marks);
        dog_head(c, d, (0.25, -0.6), coat);
    } else {
        let tail = [(-0.2, -0.08, 0.04), (-0.3, -0.07, 0.042), (-0.36, -0.14, 0.034), (-0.37, -0.24, 0.012)];
        c.fill(ScenePart::Tail, Outline::default().limb(&tail), Ink::matt(coat.base));
        sitting(c, d, coat, marks, limb);
        dog_head(c, d, (0.1, -0.75), coat);
    }
}

/// Body and legs of a sitting dog or cat, the neck ending near (0.08, -0.6).
fn sitting(c: &mut PartCanvas, d: &mut Dice, coat: Coat, marks: Marks, limb: Limb) {
    leg(c, (0.14, -0.34), 0.03, limb, (coat.base.dim(0.3), coat.mark.dim(0.6)), EDGES[0]);
    let body = [
        (-0.24, -0.1),
        (-0.23, -0.26),
        (-0.1, -0.48),
        (0.03, -0.62),
        (0.15, -0.56),
        (0.19, -0.38),
        (0.12, -0.18),
        (0.02, -0.04),
        (-0.14, -0.01),
    ];
    c.fill(ScenePart::Body, Outline::default().smooth(&body), Ink::matt(coat.base));
    let chest = [(0.1, -0.56), (0.165, -0.48), (0.175, -0.36), (0.13, -0.27), (0.1, -0.4)];
    c.fill(ScenePart::Body, Outline::default().smooth(&chest), Ink::flat(coat.pale));
    match marks {
        Marks::Patches => c.glaze(
            Outline::default().ellipse(-0.06, -0.38, 0.07, 0.06).ellipse(-0.02, -0.33, 0.04, 0.04),
            coat.mark,
            0.9,
        ),
        Marks::Stripes => {
            for k in 0..4 {
                let (x, y) = (-0.19 + 0.05 * k as f32, -0.28 - 0.08 * k as f32);
                let stripe = [(x, y, 0.014), (x + 0.06, y + 0.035, 0.011), (x + 0.11, y + 0.03, 0.003)];
                c.glaze(Outline::default().limb(&stripe), coat.mark, 0.8);
            }
        }
        Marks::Plain | Marks::Spots => {}
    }
    let fur = (0..40).fold(Outline::default(), |s, _| {
        let (x, y) = (d.range(-0.22, 0.16), d.range(-0.58, -0.05));
        if inside(&body, x - 0.02, y) && inside(&body, x + 0.02, y + 0.02) {
            s.blade((x, y), (x - 0.008, y + 0.022), 0.007)
        } else {
            s
        }
    });
    c.glaze(fur, coat.base.dim(0.55), 0.4);
    c.fill(
        ScenePart::Leg,
        Outline::default().ellipse(-0.11, -0.14, 0.125, 0.13),
        Ink::matt(coat.base).bare(),
    );
    c.glaze(
        Outline::default().limb(&[(-0.02, -0.23, 0.005), (0.015, -0.14, 0.006), (-0.02, -0.06, 0.004)]),
        coat.base.dim(0.6),
        0.7,
    );
    c.fill(
        ScenePart::Leg,
        Outline::default().ellipse(0.0, -0.032, 0.09, 0.034),
        Ink::matt(coat.pale.mix(coat.base, 0.4)),
    );
    leg(c, (0.1, -0.34), 0.03, limb, (coat.base, coat.mark.dim(0.6)), EDGES[0]);
}

fn dog_head(c: &mut PartCanvas, d: &mut Dice, (x, y): P, coat: Coat) {
    let pricked = d.chance(0.35);
    let skull = [
        (x - 0.11, y + 0.02),
        (x - 0.07, y - 0.1),
        (x + 0.03, y - 0.125),
        (x + 0.11, y - 0.06),
        (x + 0.12, y + 0.04),
        (x + 0.05, y + 0.11),
        (x - 0.06, y + 0.1),
    ];
    if pricked {
        let ear = [(x + 0.0, y - 0.09), (x + 0.05, y - 0.22), (x + 0.09, y - 0.06)];
        c.fill(ScenePart::Ear, Outline::default().poly(&ear), Ink::matt(coat.mark.dim(0.2)));
    }
    c.fill(ScenePart::Head, Outline::default().smooth(&skull), Ink::matt(coat.base));
    let muzzle = [
        (x + 0.06, y - 0.035),
        (x + 0.16, y - 0.025),
        (x + 0.23, y + 0.005),
        (x + 0.23, y + 0.065),
        (x + 0.15, y + 0.1),
        (x + 0.05, y + 0.095),
    ];
    c.fill(ScenePart::Muzzle, Outline::default().smooth(&muzzle), Ink::matt(coat.pale));
    c.fill(
        ScenePart::Muzzle,
        Outline::default().ellipse(x + 0.225, y + 0.004, 0.032, 0.026),
        Ink::ball(hex(0x2A2228)),
    );
    c.glaze(
        Outline::default().limb(&[
            (x + 0.1, y + 0.07, 0.005),
            (x + 0.16, y + 0.06, 0.006),
            (x + 0.22, y + 0.05, 0.004),
        ]),
        hex(0x2A1A1E),
        0.8,
    );
    if d.chance(0.4) {
        let tongue = Outline::default().round_rect(x + 0.13, y + 0.07, 0.05, 0.085, 0.024);
        c.fill(ScenePart::Muzzle, tongue, Ink::matt(hex(0xE8748A)));
    }
    eye(c, (x + 0.055, y - 0.045), 0.026, hex(0x5A3A20));
    let ear = if pricked {
        vec![(x - 0.1, y - 0.06), (x - 0.07, y - 0.24), (x + 0.01, y - 0.1), (x - 0.03, y - 0.04)]
    } else {
        vec![
            (x - 0.03, y - 0.11),
            (x - 0.1, y - 0.08),
            (x - 0.145, y + 0.03),
            (x - 0.11, y + 0.13),
            (x - 0.05, y + 0.1),
            (x - 0.02, y - 0.02),
        ]
    };
    let shape = if pricked { Outline::default().poly(&ear) } else { Outline::default().smooth(&ear) };
    c.fill(ScenePart::Ear, shape, Ink::matt(coat.mark));
}

/// A cat, walking (0) or sitting (1).
pub(super) fn cat(c: &mut PartCanvas, d: &mut Dice, kind: usize) {
    let coat = d.pick(&CATS);
    let marks = d.pick(&[Marks::Stripes, Marks::Stripes, Marks::Plain, Marks::Patches]);
    let limb = Limb { thigh: 0.06, shin: 0.036, hoof: false, bend: 1.0 };
    c.shadow(0.0, 0.0, 0.38, 0.04);
    if kind == 0 {
        let trunk = Trunk { hip: (-0.2, -0.33), shoulder: (0.12, -0.33), thick: [0.23, 0.21, 0.23] };
        let (far, near) = gait(d, 0.07);
        legs(
            c,
            [(-0.15, -0.27), (0.16, -0.27)],
            far,
            limb,
            (coat.base.dim(0.3), coat.mark.dim(0.5)),
            EDGES[0],
        );
        let curl = d.range(-0.05, 0.09);
        let tail = [
            (-0.27, -0.38, 0.036),
            (-0.4, -0.44, 0.036),
            (-0.43, -0.6, 0.034),
            (-0.36 - curl, -0.72, 0.03),
            (-0.4 - curl, -0.82, 0.014),
        ];
        c.fill(ScenePart::Tail, Outline::default().limb(&tail), Ink::matt(coat.base));
        rings(c, &tail, coat.mark);
        for edge in EDGES {
            trunk.fill(c, coat, edge);
            legs(c, [(-0.21, -0.27), (0.11, -0.27)], near, limb, (coat.base, coat.mark.dim(0.5)), edge);
        }
        trunk.mark(c, d, coat, marks);
        cat_head(c, d, (0.27, -0.5), coat, marks);
    } else {
        let tail = [
            (-0.2, -0.07, 0.036),
            (-0.33, -0.06, 0.036),
            (-0.38, -0.2, 0.034),
            (-0.31, -0.34, 0.03),
            (-0.36, -0.44, 0.014),
        ];
        c.fill(ScenePart::Tail, Outline::default().limb(&tail), Ink::matt(coat.base));
        rings(c, &tail, coat.mark);
        sitting(c, d, coat, marks, limb);
        cat_head(c, d, (0.08, -0.73), coat, marks);
    }
}

fn rings(c: &mut PartCanvas, tail: &[(f32, f32, f32)], mark: Rgb) {
    for &(x, y, w) in &tail[1..] {
        c.glaze(Outline::default().ellipse(x, y, w * 0.9, w * 0.45), mark, 0.7);
    }
}

fn cat_head(c: &mut PartCanvas, d: &mut Dice, (x, y): P, coat: Coat, marks: Marks) {
    for side in [-1.0, 1.0] {
        let ear = |k: f32| {
            [
                (x + side * 0.145, y - 0.03 - 0.02 * (1.0 - k)),
                (x + side * (0.08 + 0.045 * k), y - 0.13 - 0.12 * k),
                (x + side * (0.085 - 0.055 * k), y - 0.1),
            ]
        };
        c.fill(ScenePart::Ear, Outline::default().poly(&ear(1.0)), Ink::matt(coat.base));
        c.fill(
            ScenePart::Ear,
            Outline::default().poly(&ear(0.45)),
            Ink::flat(hex(0xE8A0A0).mix(coat.base, 0.2)),
        );
    }
    let face = [
        (x, y - 0.125),
        (x + 0.1, y - 0.1),
        (x + 0.165, y + 0.0),
        (x + 0.15, y + 0.07),
        (x + 0.06, y + 0.125),
        (x - 0.06, y + 0.125),
        (x - 0.15, y + 0.07),
        (x - 0.165, y + 0.0),
        (x - 0.1, y - 0.1),
    ];
    c.fill(ScenePart::Head, Outline::default().smooth(&face), Ink::matt(coat.base));
    if matches!(marks, Marks::Stripes) {
        for (dx, lean) in [(-0.05, 0.01), (0.0, 0.0), (0.05, -0.01)] {
            c.glaze(
                Outline::default().limb(&[(x + dx, y - 0.11, 0.012), (x + dx + lean, y - 0.06, 0.005)]),
                coat.mark,
                0.85,
            );
        }
        for side in [-1.0, 1.0] {
            c.glaze(
                Outline::default().blade((x + side * 0.155, y + 0.02), (x + side * 0.09, y + 0.03), 0.025),
                coat.mark,
                0.8,
            );
        }
    }
    let muzzle = Outline::default().ellipse(x - 0.034, y + 0.066, 0.047, 0.04).ellipse(
        x + 0.034,
        y + 0.066,
        0.047,
        0.04,
    );
    c.fill(ScenePart::Muzzle, muzzle, Ink::matt(coat.pale).bare());
    c.fill(
        ScenePart::Muzzle,
        Outline::default().rounded(&[
            (x - 0.024, y + 0.026, 0.008),
            (x + 0.024, y + 0.026, 0.008),
            (x, y + 0.055, 0.008),
        ]),
        Ink::flat(hex(0xD9707E)),
    );
    let iris = d.pick(&[hex(0x8CC04A), hex(0xE8C23C), hex(0x6FB7D8)]);
    for side in [-1.0, 1.0] {
        eye(c, (x + side * 0.068, y - 0.015), 0.034, iris);
        for dy in [0.055, 0.08] {
            let whisker = Outline::default().blade(
                (x + side * 0.06, y + dy),
                (x + side * 0.2, y + dy * 1.3 - 0.03),
                0.007,
            );
            c.glaze(whisker, hex(0xFFFFFF), 0.75);
        }
    }
}
