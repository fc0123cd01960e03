//! Bird and frog, facing right, x from -0.5 to 0.5.

use super::colour::{Rgb, hex};
use super::dice::Dice;
use super::draw::{Ink, PartCanvas};
use super::names::ScenePart;
use super::shape::{Outline, P};

/// Colours of back, breast, wing and beak.
const BIRDS: [[Rgb; 4]; 7] = [
    [hex(0x7A6250), hex(0xE8703C), hex(0x5E4A3E), hex(0xE0A63A)],
    [hex(0x3F86CF), hex(0xF0B27A), hex(0x2C5FA8), hex(0x4A4652)],
    [hex(0xF3CB3F), hex(0xFBE58B), hex(0xC99A28), hex(0xEE8433)],
    [hex(0x3FA968), hex(0xE9544F), hex(0x2B7FB5), hex(0xF0C24A)],
    [hex(0xEDEFF2), hex(0xFFFFFF), hex(0x98A3B3), hex(0xF2A33A)],
    [hex(0x3C3D4B), hex(0x585A6C), hex(0x2A2A36), hex(0xE9B23C)],
    [hex(0xD9473F), hex(0xE9756A), hex(0xA32F32), hex(0xF0A040)],
];

/// `(width, height)` of a flying and of a standing bird.
pub(super) const BIRD_KINDS: [P; 2] = [(1.0, 0.85), (1.0, 0.82)];

/// A bird, flying (0) or standing (1).
pub(super) fn bird(c: &mut PartCanvas, d: &mut Dice, kind: usize) {
    let colours = d.pick(&BIRDS);
    if kind == 0 { flying(c, d, colours) } else { standing(c, d, colours) }
}

/// Feathers `colour` fanned from `root`, at angles from `from` to `to` (radians, 0 to the right,
/// counter-clockwise), `length` long.
fn fan(c: &mut PartCanvas, part: ScenePart, root: P, (from, to): P, length: f32, colour: Rgb) {
    for k in 0..4 {
        let (sin, cos) = (from + (to - from) * k as f32 / 3.0).sin_cos();
        let p = |f: f32, w: f32| (root.0 + cos * length * f, root.1 - sin * length * f, w * length);
        let tone = if k % 2 == 0 { colour } else { colour.lit(0.12) };
        c.fill(part, Outline::default().limb(&[p(0.1, 0.05), p(0.55, 0.1), p(0.95, 0.05)]), Ink::matt(tone));
    }
}

/// A spread wing: an arm from `root` at `angle`, `span` long, with feathers that trail behind it.
fn spread_wing(c: &mut PartCanvas, (x, y): P, angle: f32, span: f32, colour: Rgb, cover: Rgb) {
    let (sin, cos) = angle.sin_cos();
    let arm = |f: f32| (x + cos * span * f, y - sin * span * f);
    // Feathers near the root point backwards, those at the tip along the arm.
    let back = if sin > 0.0 { 3.0 } else { -3.0 };
    for k in 0..7 {
        let t = k as f32 / 6.0;
        let (base, turn) = (arm(0.08 + 0.62 * t), back + (angle - back) * (0.15 + 0.8 * t * t));
        let (s, c0, l) = (turn.sin(), turn.cos(), span * (0.36 + 0.24 * t));
        let p = |f: f32, w: f32| (base.0 + c0 * l * f, base.1 - s * l * f, w * span);
        let tone = if k % 2 == 0 { colour } else { colour.lit(0.12) };
        c.fill(
            ScenePart::Wing,
            Outline::default().limb(&[p(0.0, 0.07), p(0.6, 0.075), p(0.95, 0.04)]),
            Ink::matt(tone),
        );
    }
    let (a, b, e) = (arm(-0.04), arm(0.4), arm(0.78));
    let covert = [(a.0, a.1, span * 0.13), (b.0, b.1, span * 0.11), (e.0, e.1, span * 0.06)];
    c.fill(ScenePart::Wing, Outline::default().limb(&covert), Ink::matt(cover));
}

fn flying(c: &mut PartCanvas, d: &mut Dice, [back, breast, wing, beak]: [Rgb; 4]) {
    let lift = d.range(-0.25, 0.3);
    spread_wing(c, (0.12, -0.42), 1.25 + lift, 0.46, wing.dim(0.25), back.mix(wing, 0.5).dim(0.25));
    fan(c, ScenePart::Tail, (-0.2, -0.33), (3.35, 3.0), 0.34, wing.dim(0.05));
    let body = [
        (-0.28, -0.33),
        (-0.12, -0.43),
        (0.1, -0.47),
        (0.25, -0.43),
        (0.29, -0.35),
        (0.2, -0.25),
        (0.02, -0.2),
        (-0.16, -0.26),
    ];
    c.fill(ScenePart::Body, Outline::default().smooth(&body), Ink::matt(back));
    let belly = [(-0.16, -0.28), (0.05, -0.33), (0.26, -0.36), (0.19, -0.255), (0.02, -0.21)];
    c.fill(ScenePart::Body, Outline::default().smooth(&belly), Ink::matt(breast).bare());
    head(c, (0.28, -0.44), back, breast, beak, d);
    let (angle, span) = if d.chance(0.65) { (1.75 + lift, 0.54) } else { (-1.85 - 0.5 * lift, 0.4) };
    spread_wing(c, (0.07, -0.37), angle, span, wing, back.mix(wing, 0.4));
}

fn standing(c: &mut PartCanvas, d: &mut Dice, [back, breast, wing, beak]: [Rgb; 4]) {
    c.shadow(0.0, 0.0, 0.3, 0.035);
    for (x, tone) in [(0.06, 0.3), (-0.02, 0.0)] {
        let shank = beak.dim(0.15 + tone);
        let foot = Outline::default()
            .limb(&[(x - 0.01, -0.22, 0.024), (x + 0.005, -0.1, 0.017), (x, -0.02, 0.016)])
            .limb(&[(x - 0.07, -0.012, 0.011), (x, -0.024, 0.015), (x + 0.1, -0.012, 0.011)]);
        c.fill(ScenePart::Leg, foot, Ink::matt(shank));
    }
    fan(c, ScenePart::Tail, (-0.2, -0.3), (3.6, 3.25), 0.33, wing.dim(0.1));
    let body = [
        (-0.3, -0.26),
        (-0.16, -0.42),
        (0.04, -0.58),
        (0.22, -0.58),
        (0.28, -0.42),
        (0.2, -0.24),
        (0.02, -0.15),
        (-0.18, -0.18),
    ];
    c.fill(ScenePart::Body, Outline::default().smooth(&body), Ink::matt(back));
    let belly = [
        (0.24, -0.52),
        (0.275, -0.4),
        (0.19, -0.24),
        (0.02, -0.16),
        (-0.12, -0.18),
        (0.08, -0.32),
        (0.16, -0.46),
    ];
    c.fill(ScenePart::Body, Outline::default().smooth(&belly), Ink::matt(breast).bare());
    let down = (0..14).fold(Outline::default(), |s, _| {
        let (x, y) = (d.range(0.04, 0.2), d.range(-0.38, -0.22));
        s.blade((x, y), (x - 0.01, y + 0.024), 0.012)
    });
    c.glaze(down, breast.dim(0.5), 0.4);
    head(c, (0.17, -0.64), back, breast, beak, d);
    let folded = [
        (0.1, -0.49),
        (0.14, -0.37),
        (0.03, -0.25),
        (-0.17, -0.2),
        (-0.4, -0.17),
        (-0.2, -0.34),
        (-0.05, -0.47),
    ];
    c.fill(ScenePart::Wing, Outline::default().smooth(&folded), Ink::matt(wing));
    let quills = (0..4).fold(Outline::default(), |s, k| {
        let (x, y) = (0.07 - 0.025 * k as f32, -0.41 + 0.045 * k as f32);
        let at = |f: f32, w: f32| (x + (-0.38 - x) * f, y + (-0.18 - y) * f, w);
        s.limb(&[at(0.0, 0.01), at(0.35, 0.009), at(0.62, 0.003)])
    });
    c.glaze(quills, wing.lit(0.5), 0.6);
}

fn head(c: &mut PartCanvas, (x, y): P, back: Rgb, breast: Rgb, beak: Rgb, d: &mut Dice) {
    let long = d.range(0.0, 0.07);
    let upper = [(x + 0.08, y - 0.05, 0.0), (x + 0.23 + long, y + 0.012, 0.01), (x + 0.08, y + 0.03, 0.0)];
    let lower = [(x + 0.07, y + 0.01, 0.0), (x + 0.18 + long, y + 0.022, 0.01), (x + 0.07, y + 0.06, 0.0)];
    c.fill(ScenePart::Beak, Outline::default().rounded(&lower), Ink::matt(beak.dim(0.2)));
    c.fill(ScenePart::Beak, Outline::default().rounded(&upper), Ink::matt(beak));
    if d.chance(0.25) {
        let crest = Outline::default().blade((x - 0.02, y - 0.08), (x - 0.14, y - 0.2), 0.07).blade(
            (x + 0.02, y - 0.09),
            (x - 0.07, y - 0.23),
            0.06,
        );
        c.fill(ScenePart::Head, crest, Ink::matt(back));
    }
    c.fill(ScenePart::Head, Outline::default().circle(x, y, 0.125), Ink::matt(back));
    c.fill(ScenePart::Head, Outline::default().ellipse(x + 0.06, y + 0.05, 0.055, 0.05), Ink::flat(breast));
    c.fill(ScenePart::Eye, Outline::default().circle(x + 0.045, y - 0.03, 0.034), Ink::flat(hex(0xFBF6EA)));
    c.fill(ScenePart::Eye, Outline::default().circle(x + 0.05, y - 0.03, 0.023), Ink::flat(hex(0x17151C)));
    c.fill(ScenePart::Eye, Outline::default().circle(x + 0.042, y - 0.04, 0.009), Ink::flat(hex(0xFFFFFF)));
}

/// `(width, height)` of a frog.
pub(super) const FROG: P = (1.0, 0.7);

/// A sitting frog.
pub(super) fn frog(c: &mut PartCanvas, d: &mut Dice) {
    let skin = d.pick(&[hex(0x5DA843), hex(0x86B83E), hex(0x3F9468), hex(0xA9A23F), hex(0x4E9AA8)]);
    let belly = d.pick(&[hex(0xF1EFC2), hex(0xE9E0A8), hex(0xF7E3B5)]);
    c.shadow(0.0, 0.0, 0.46, 0.05);
    foot(c, (0.3, -0.02), skin.dim(0.3));
    c.fill(
        ScenePart::Leg,
        Outline::default().limb(&[(0.2, -0.22, 0.06), (0.27, -0.12, 0.045), (0.28, -0.03, 0.035)]),
        Ink::matt(skin.dim(0.3)),
    );
    let body = [
        (-0.38, -0.14),
        (-0.33, -0.28),
        (-0.12, -0.42),
        (0.12, -0.47),
        (0.3, -0.4),
        (0.33, -0.25),
        (0.22, -0.1),
        (-0.05, -0.04),
        (-0.3, -0.05),
    ];
    c.fill(ScenePart::Body, Outline::default().smooth(&body), Ink::matt(skin));
    let throat = [(0.33, -0.3), (0.28, -0.14), (0.1, -0.06), (-0.05, -0.06), (0.1, -0.2)];
    c.fill(ScenePart::Body, Outline::default().smooth(&throat), Ink::matt(belly).bare());
    let spots = (0..9).fold(Outline::default(), |s, _| {
        let t = d.unit();
        s.ellipse(-0.25 + 0.36 * t, -0.2 - 0.16 * t + d.range(-0.05, 0.06), 0.03, 0.02)
    });
    c.glaze(spots, skin.dim(0.5), 0.6);
    let face = [
        (0.05, -0.4),
        (0.13, -0.54),
        (0.32, -0.56),
        (0.44, -0.47),
        (0.45, -0.38),
        (0.33, -0.29),
        (0.14, -0.29),
    ];
    c.fill(ScenePart::Head, Outline::default().smooth(&face), Ink::matt(skin));
    let jaw = [(0.14, -0.36), (0.3, -0.36), (0.448, -0.4), (0.41, -0.33), (0.3, -0.285), (0.17, -0.3)];
    c.fill(ScenePart::Head, Outline::default().smooth(&jaw), Ink::matt(belly).bare());
    c.glaze(
        Outline::default().limb(&[(0.13, -0.37, 0.006), (0.28, -0.36, 0.008), (0.45, -0.405, 0.005)]),
        skin.dim(0.75),
        0.9,
    );
    for (x, y, r) in [(0.34, -0.565, 0.065), (0.19, -0.58, 0.08)] {
        c.fill(ScenePart::Head, Outline::default().circle(x, y, r), Ink::matt(skin));
        c.fill(
            ScenePart::Eye,
            Outline::default().circle(x + 0.01, y - 0.005, r * 0.68),
            Ink::flat(hex(0xF6D95B)),
        );
        c.fill(
            ScenePart::Eye,
            Outline::default().ellipse(x + 0.02, y - 0.005, r * 0.42, r * 0.34),
            Ink::flat(hex(0x17151C)),
        );
        c.fill(ScenePart::Eye, Outline::default().circle(x, y - 0.02, r * 0.15), Ink::flat(hex(0xFFFFFF)));
    }
    foot(c, (-0.28, -0.01), skin.dim(0.08));
    let thigh =
        [(-0.42, -0.08), (-0.38, -0.25), (-0.2, -0.29), (-0.04, -0.17), (-0.1, -0.06), (-0.28, -0.02)];
    c.fill(ScenePart::Leg, Outline::default().smooth(&thigh), Ink::matt(skin.lit(0.05)));
    c.glaze(
        Outline::default()
            .limb(&[(-0.3, -0.22, 0.022), (-0.22, -0.2, 0.02)])
            .limb(&[(-0.2, -0.14, 0.02), (-0.14, -0.12, 0.018)]),
        skin.dim(0.5),
        0.6,
    );
    foot(c, (0.17, -0.01), skin);
    c.fill(
        ScenePart::Leg,
        Outline::default().limb(&[(0.08, -0.24, 0.065), (0.15, -0.13, 0.05), (0.15, -0.03, 0.038)]),
        Ink::matt(skin),
    );
}

fn foot(c: &mut PartCanvas, (x, y): P, skin: Rgb) {
    let toes = [(-0.02, 0.0), (0.07, -0.012), (0.12, 0.0)].iter().fold(Outline::default(), |s, t| {
        s.limb(&[(x - 0.05, y - 0.015, 0.022), (x + t.0, y + t.1 - 0.008, 0.014)]).circle(
            x + t.0,
            y + t.1 - 0.008,
            0.02,
        )
    });
    c.fill(ScenePart::Leg, toes, Ink::matt(skin));
}
