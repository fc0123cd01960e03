//! Car and truck, side view, nose to the right. They stand on y = 0 and reach from x = -0.5 to 0.5.

use super::colour::{PAINTS, Rgb, hex};
use super::dice::Dice;
use super::draw::{Ink, PartCanvas};
use super::names::ScenePart;
use super::shape::{Outline, P};

const GLASS: Rgb = hex(0x9FCBE0);

/// A wheel with tyre, rim and spokes; aircraft use it too.
pub(super) fn wheel(c: &mut PartCanvas, (x, y): P, r: f32, rim: Rgb, turn: f32) {
    let tyre = hex(0x2C2C35);
    c.fill(ScenePart::Wheel, Outline::default().circle(x, y, r), Ink::ball(tyre));
    c.fill(ScenePart::Wheel, Outline::default().circle(x, y, r * 0.64), Ink::ball(rim));
    let mut holes = Outline::default();
    for k in 0..5 {
        let (sin, cos) = (turn + k as f32 * std::f32::consts::TAU / 5.0).sin_cos();
        holes = holes.circle(x + cos * r * 0.39, y + sin * r * 0.39, r * 0.14);
    }
    c.fill(ScenePart::Wheel, holes, Ink::flat(tyre.lit(0.1)));
    c.fill(ScenePart::Wheel, Outline::default().circle(x, y, r * 0.15), Ink::ball(rim.lit(0.3)));
}

fn pane(c: &mut PartCanvas, corners: &[(f32, f32, f32)]) {
    c.fill(ScenePart::Window, Outline::default().rounded(corners), Ink::matt(GLASS));
    let (left, right) = corners.iter().fold((1.0f32, -1.0f32), |(l, r), p| (l.min(p.0), r.max(p.0)));
    let (top, low) = corners.iter().fold((1.0f32, -1.0f32), |(t, b), p| (t.min(p.1), b.max(p.1)));
    let (x, w, h) = ((left + right) / 2.0, (right - left) * 0.1, low - top);
    let glint =
        [(x + w, top + h * 0.1), (x + 2.0 * w, top + h * 0.1), (x, low - h * 0.1), (x - w, low - h * 0.1)];
    c.glaze(Outline::default().poly(&glint), hex(0xFFFFFF), 0.55);
}

/// The measures that tell one kind of car from another.
struct CarShape {
    roof: f32,
    belt: f32,
    /// Where the cabin meets the belt and the roof: rear low, rear top, front top, front low.
    cabin: [f32; 4],
    boot: f32,
    bonnet: f32,
}

const CARS: [CarShape; 4] = [
    // saloon, hatchback, van, beetle
    CarShape { roof: -0.46, belt: -0.285, cabin: [-0.36, -0.22, 0.07, 0.24], boot: -0.27, bonnet: -0.25 },
    CarShape { roof: -0.48, belt: -0.29, cabin: [-0.47, -0.39, 0.05, 0.24], boot: -0.29, bonnet: -0.25 },
    CarShape { roof: -0.56, belt: -0.31, cabin: [-0.49, -0.46, 0.17, 0.33], boot: -0.31, bonnet: -0.28 },
    CarShape { roof: -0.50, belt: -0.29, cabin: [-0.38, -0.19, 0.06, 0.20], boot: -0.24, bonnet: -0.26 },
];

/// How many kinds of car there are, and their `(width, height)`.
pub(super) const CAR_KINDS: [P; 4] = [(1.0, 0.46), (1.0, 0.48), (1.0, 0.56), (1.0, 0.5)];

/// A car of kind `kind`.
pub(super) fn car(c: &mut PartCanvas, d: &mut Dice, kind: usize) {
    let k = &CARS[kind];
    let paint = d.pick(&PAINTS);
    let top = if d.chance(0.2) { hex(0xF4EFE4) } else { paint };
    let r = d.range(0.105, 0.13);
    c.shadow(0.0, 0.0, 0.56, 0.05);
    c.fill(ScenePart::Bodywork, Outline::default().rect(-0.4, -0.14, 0.8, 0.08), Ink::flat(hex(0x22222B)));
    let [a, b, e, f] = k.cabin;
    let cabin = [(a, k.belt + 0.02, 0.02), (b, k.roof, 0.09), (e, k.roof, 0.1), (f, k.belt + 0.02, 0.02)];
    c.fill(ScenePart::Roof, Outline::default().rounded(&cabin), Ink::matt(top));
    let body = [
        (-0.495, -0.08, 0.03),
        (-0.495, k.boot, 0.07),
        (a.max(-0.46), k.belt, 0.05),
        (f, k.belt, 0.1),
        (0.44, k.bonnet, 0.09),
        (0.495, -0.17, 0.04),
        (0.495, -0.08, 0.03),
    ];
    c.fill(ScenePart::Bodywork, Outline::default().rounded(&body), Ink::matt(paint));
    c.glaze(
        Outline::default().band((-0.44, k.belt + 0.03), (0.4, k.belt + 0.03), 0.012),
        hex(0xFFFFFF),
        0.35,
    );
    let (lean, rake) = ((b - a) * 0.82, (f - e) * 0.82);
    let (wt, wb) = (k.roof + 0.035, k.belt - 0.008);
    let middle = (a + f) / 2.0 - 0.02;
    pane(
        c,
        &[
            (a + 0.055, wb, 0.01),
            (a + 0.045 + lean, wt, 0.03),
            (middle - 0.012, wt, 0.01),
            (middle - 0.012, wb, 0.01),
        ],
    );
    pane(
        c,
        &[
            (middle + 0.012, wb, 0.01),
            (middle + 0.012, wt, 0.01),
            (f - 0.035 - rake, wt, 0.03),
            (f - 0.035, wb, 0.01),
        ],
    );
    for (left, right) in [((a + 0.08).max(-0.24), middle), (middle, (f - 0.02).min(middle + 0.25))] {
        door(c, (left, k.belt + 0.012), (right - left, -0.1 - k.belt), paint);
    }
    lights(c, (0.455, k.bonnet + 0.075), (-0.482, -0.215));
    for x in [-0.497, 0.36] {
        let bumper = Outline::default().round_rect(x, -0.115, 0.14, 0.045, 0.02);
        c.fill(ScenePart::Bumper, bumper, Ink::matt(hex(0xB9BEC6)));
    }
    let rim = d.pick(&[hex(0xD5D9DF), hex(0xB9C0CA), hex(0xE9E4D2)]);
    let turn = d.range(0.0, 1.2);
    for x in [-0.29, 0.29] {
        c.fill(ScenePart::Bodywork, Outline::default().circle(x, -r, r * 1.18), Ink::flat(hex(0x1C1B26)));
        wheel(c, (x, -r), r, rim, turn);
    }
}

fn door(c: &mut PartCanvas, (x, y): P, (w, h): P, paint: Rgb) {
    let panel = [
        (x + 0.006, y, 0.015),
        (x + w - 0.006, y, 0.015),
        (x + w - 0.006, y + h, 0.03),
        (x + 0.006, y + h, 0.03),
    ];
    c.fill(ScenePart::Door, Outline::default().rounded(&panel), Ink::matt(paint.lit(0.06)));
    let grip = Outline::default().round_rect(x + 0.025, y + 0.03, 0.05, 0.016, 0.008);
    c.fill(ScenePart::Door, grip, Ink::flat(paint.dim(0.6)));
}

fn lights(c: &mut PartCanvas, front: P, rear: P) {
    c.fill(
        ScenePart::Light,
        Outline::default().ellipse(front.0, front.1, 0.03, 0.027),
        Ink::ball(hex(0xFFF1B0)),
    );
    let back = Outline::default().round_rect(rear.0 - 0.012, rear.1, 0.035, 0.065, 0.012);
    c.fill(ScenePart::Light, back, Ink::matt(hex(0xE0352F)));
}

/// How many kinds of truck there are, and their `(width, height)`.
pub(super) const TRUCK_KINDS: [P; 4] = [(1.0, 0.64), (1.0, 0.56), (1.0, 0.56), (1.0, 0.6)];

/// A truck with a box, logs, a tank or sand.
pub(super) fn truck(c: &mut PartCanvas, d: &mut Dice, kind: usize) {
    let paint = d.pick(&PAINTS);
    let r = d.range(0.09, 0.105);
    c.shadow(0.0, 0.0, 0.56, 0.05);
    c.fill(ScenePart::Bodywork, Outline::default().rect(-0.49, -0.165, 0.9, 0.06), Ink::matt(hex(0x34343F)));
    match kind {
        0 => cargo_box(c, d),
        1 => cargo_logs(c, d),
        2 => cargo_tank(c, d),
        _ => cargo_sand(c, d),
    }
    let cab = [
        (0.19, -0.1, 0.02),
        (0.19, -0.5, 0.05),
        (0.37, -0.5, 0.06),
        (0.44, -0.3, 0.04),
        (0.495, -0.27, 0.05),
        (0.495, -0.1, 0.03),
    ];
    c.fill(ScenePart::Cabin, Outline::default().rounded(&cab), Ink::matt(paint));
    door(c, (0.215, -0.31), (0.16, 0.2), paint);
    pane(c, &[(0.225, -0.325, 0.01), (0.225, -0.46, 0.02), (0.352, -0.46, 0.02), (0.402, -0.325, 0.02)]);
    lights(c, (0.465, -0.2), (-0.482, -0.17));
    let bumper = Outline::default().round_rect(0.36, -0.125, 0.145, 0.05, 0.02);
    c.fill(ScenePart::Bumper, bumper, Ink::matt(hex(0xC4C8CE)));
    let rim = d.pick(&[hex(0xD5D9DF), hex(0xE9C46A), hex(0xD8735A)]);
    let turn = d.range(0.0, 1.2);
    for x in [-0.37, -0.16, 0.32] {
        c.fill(ScenePart::Bodywork, Outline::default().circle(x, -r, r * 1.14), Ink::flat(hex(0x1C1B26)));
        wheel(c, (x, -r), r, rim, turn);
    }
}

fn cargo_box(c: &mut PartCanvas, d: &mut Dice) {
    let side =
        d.pick(&[hex(0xF2EEE4), hex(0xE9C46A), hex(0x7FB7BE), hex(0xD8735A), hex(0xA5B68D), hex(0xB8A9C9)]);
    c.fill(ScenePart::Cargo, Outline::default().round_rect(-0.5, -0.64, 0.67, 0.49, 0.02), Ink::matt(side));
    let ribs = |dx: f32| {
        (1..9).fold(Outline::default(), |s, k| s.rect(-0.5 + dx + 0.67 * k as f32 / 9.0, -0.62, 0.012, 0.45))
    };
    c.glaze(ribs(0.0), side.dim(0.6), 0.4);
    c.glaze(ribs(0.012), hex(0xFFFFFF), 0.3);
    if d.chance(0.6) {
        let stripe = d.pick(&PAINTS);
        c.fill(
            ScenePart::Cargo,
            Outline::default().rect(-0.495, -0.44, 0.66, 0.09),
            Ink::matt(stripe).bare(),
        );
    }
}

fn cargo_logs(c: &mut PartCanvas, d: &mut Dice) {
    let bark = d.pick(&[hex(0x8A5F3C), hex(0x9B7048), hex(0x74503A)]);
    for (row, y) in [-0.215, -0.3, -0.385, -0.465].into_iter().enumerate() {
        let inset = 0.012 * row as f32 + d.range(0.0, 0.02);
        let log = Outline::default().round_rect(-0.49 + inset, y - 0.045, 0.64 - 1.5 * inset, 0.09, 0.03);
        c.fill(ScenePart::Cargo, log, Ink::matt(bark.lit(0.05 * (row % 2) as f32)));
        let grain = (0..5).fold(Outline::default(), |s, _| {
            let (x, dy) = (d.range(-0.42, 0.02), d.range(-0.03, 0.03));
            s.rect(x, y + dy, d.range(0.04, 0.12), 0.007)
        });
        c.glaze(grain, bark.dim(0.6), 0.7);
        let cut = (-0.475 + inset, y);
        c.fill(
            ScenePart::Cargo,
            Outline::default().ellipse(cut.0, cut.1, 0.026, 0.042),
            Ink::matt(hex(0xE3C08D)),
        );
        c.glaze(Outline::default().ellipse(cut.0, cut.1, 0.014, 0.024), bark, 0.6);
    }
    for x in [-0.36, -0.05] {
        c.fill(ScenePart::Cargo, Outline::default().rect(x, -0.53, 0.028, 0.38), Ink::matt(hex(0x4A4A55)));
    }
}

fn cargo_tank(c: &mut PartCanvas, d: &mut Dice) {
    let steel = d.pick(&[hex(0xD3D8DE), hex(0xBFD0D8), hex(0xE6DCC8), hex(0xD98A6A)]);
    c.fill(ScenePart::Cargo, Outline::default().round_rect(-0.5, -0.53, 0.67, 0.38, 0.14), Ink::matt(steel));
    c.glaze(Outline::default().round_rect(-0.44, -0.485, 0.55, 0.045, 0.02), hex(0xFFFFFF), 0.6);
    c.glaze(Outline::default().round_rect(-0.46, -0.235, 0.59, 0.06, 0.03), steel.dim(0.7), 0.35);
    let hoops = [-0.36, -0.18, 0.0].iter().fold(Outline::default(), |s, x| s.rect(*x, -0.527, 0.016, 0.374));
    c.glaze(hoops, steel.dim(0.7), 0.5);
    c.fill(
        ScenePart::Cargo,
        Outline::default().round_rect(-0.22, -0.565, 0.1, 0.045, 0.01),
        Ink::matt(steel.dim(0.15)),
    );
}

fn cargo_sand(c: &mut PartCanvas, d: &mut Dice) {
    let load = d.pick(&[hex(0xD9B36C), hex(0x8C7A6B), hex(0x6FA05A)]);
    let heap = [(-0.48, -0.36), (-0.36, -0.5), (-0.2, -0.58), (-0.04, -0.52), (0.14, -0.36), (-0.16, -0.3)];
    c.fill(ScenePart::Cargo, Outline::default().smooth(&heap), Ink::matt(load));
    let tray = d.pick(&PAINTS).dim(0.12);
    let sides = [(-0.46, -0.15, 0.02), (-0.51, -0.42, 0.02), (0.17, -0.42, 0.02), (0.17, -0.15, 0.02)];
    c.fill(ScenePart::Cargo, Outline::default().rounded(&sides), Ink::matt(tray));
    c.glaze(Outline::default().rect(-0.49, -0.4, 0.65, 0.025), hex(0xFFFFFF), 0.3);
    let ribs = (0..5).fold(Outline::default(), |s, k| s.rect(-0.43 + 0.135 * k as f32, -0.37, 0.026, 0.21));
    c.glaze(ribs, tray.dim(0.7), 0.5);
}
