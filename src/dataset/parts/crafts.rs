//! Plane and ship, nose and bow to the right, x from -0.5 to 0.5. Ships float at y = 0.

use super::colour::{PAINTS, Rgb, hex};
use super::dice::Dice;
use super::draw::{Ink, PartCanvas};
use super::names::ScenePart;
use super::shape::{Outline, P};
use super::vehicles::wheel;

const WHITE: Rgb = hex(0xF3F4F2);
const GLASS: Rgb = hex(0x5F93B5);

/// How many kinds of plane there are, and their `(width, height)`; the height is that above y = 0.
pub(super) const PLANE_KINDS: [P; 3] = [(1.0, 0.46), (1.0, 0.5), (1.0, 0.9)];

/// An airliner, a propeller plane or a plane from above; `landed` puts wheels out.
pub(super) fn plane(c: &mut PartCanvas, d: &mut Dice, kind: usize, landed: bool) {
    let hull = if d.chance(0.6) { WHITE } else { d.pick(&PAINTS).lit(0.25) };
    let trim = d.pick(&PAINTS);
    if landed {
        c.shadow(0.0, 0.0, 0.5, 0.045);
    }
    match kind {
        0 => airliner(c, hull, trim, landed),
        1 => propeller_plane(c, d, hull, trim),
        _ => from_above(c, hull, trim),
    }
}

fn airliner(c: &mut PartCanvas, hull: Rgb, trim: Rgb, landed: bool) {
    let far = [(0.02, -0.21, 0.02), (-0.12, -0.4, 0.02), (-0.2, -0.4, 0.02), (-0.12, -0.21, 0.02)];
    c.fill(ScenePart::Wing, Outline::default().rounded(&far), Ink::matt(hull.dim(0.2)));
    if landed {
        for x in [-0.08, 0.3] {
            c.fill(
                ScenePart::Wheel,
                Outline::default().rect(x - 0.008, -0.12, 0.016, 0.09),
                Ink::flat(hex(0x70757E)),
            );
            wheel(c, (x, -0.04), 0.04, hex(0xC9CED6), 0.0);
        }
    }
    let fin = [(-0.3, -0.22, 0.02), (-0.42, -0.46, 0.02), (-0.495, -0.46, 0.02), (-0.46, -0.22, 0.02)];
    c.fill(ScenePart::Tail, Outline::default().rounded(&fin), Ink::matt(trim));
    c.glaze(Outline::default().band((-0.375, -0.33), (-0.475, -0.33), 0.03), hex(0xFFFFFF), 0.5);
    let tube = [
        (-0.49, -0.235),
        (-0.3, -0.275),
        (0.0, -0.28),
        (0.3, -0.275),
        (0.43, -0.24),
        (0.495, -0.18),
        (0.43, -0.135),
        (0.2, -0.115),
        (-0.1, -0.115),
        (-0.32, -0.15),
    ];
    c.fill(ScenePart::Fuselage, Outline::default().smooth(&tube), Ink::matt(hull));
    c.fill(
        ScenePart::Fuselage,
        Outline::default().band((-0.36, -0.176), (0.47, -0.176), 0.024),
        Ink::flat(trim),
    );
    let row = (0..10)
        .fold(Outline::default(), |s, k| s.round_rect(-0.29 + 0.062 * k as f32, -0.238, 0.037, 0.044, 0.014));
    c.fill(ScenePart::Window, row, Ink::flat(GLASS));
    let cockpit = [(0.36, -0.25, 0.01), (0.43, -0.228, 0.01), (0.465, -0.196, 0.01), (0.37, -0.205, 0.01)];
    c.fill(ScenePart::Window, Outline::default().rounded(&cockpit), Ink::matt(GLASS));
    let stub = [(-0.33, -0.215, 0.015), (-0.47, -0.17, 0.01), (-0.5, -0.18, 0.01), (-0.44, -0.225, 0.015)];
    c.fill(ScenePart::Tail, Outline::default().rounded(&stub), Ink::matt(trim.dim(0.1)));
    let near = [(0.1, -0.165, 0.03), (-0.22, 0.0, 0.015), (-0.32, 0.0, 0.02), (-0.12, -0.165, 0.03)];
    c.fill(ScenePart::Wing, Outline::default().rounded(&near), Ink::matt(hull.dim(0.06)));
    c.glaze(Outline::default().band((-0.13, -0.12), (-0.29, -0.01), 0.02), hull.dim(0.7), 0.4);
    let pod = Outline::default().round_rect(-0.1, -0.1, 0.17, 0.085, 0.04);
    c.fill(ScenePart::Engine, pod, Ink::matt(trim.lit(0.1)));
    c.fill(
        ScenePart::Engine,
        Outline::default().ellipse(0.062, -0.058, 0.018, 0.04),
        Ink::matt(hex(0x3C414B)),
    );
}

fn propeller_plane(c: &mut PartCanvas, d: &mut Dice, hull: Rgb, trim: Rgb) {
    let biplane = d.chance(0.5);
    let wings: &[f32] = if biplane { &[-0.44, -0.2] } else { &[-0.4] };
    for x in [0.12, 0.24] {
        c.fill(
            ScenePart::Wheel,
            Outline::default().band((0.18, -0.16), (x, -0.06), 0.018),
            Ink::flat(hex(0x5A5F69)),
        );
    }
    let fin = [(-0.33, -0.26, 0.02), (-0.42, -0.42, 0.05), (-0.5, -0.4, 0.05), (-0.47, -0.24, 0.02)];
    c.fill(ScenePart::Tail, Outline::default().rounded(&fin), Ink::matt(trim));
    let tube = [
        (-0.49, -0.26),
        (-0.25, -0.31),
        (0.0, -0.35),
        (0.25, -0.35),
        (0.4, -0.3),
        (0.43, -0.24),
        (0.36, -0.16),
        (0.15, -0.13),
        (-0.15, -0.17),
    ];
    c.fill(ScenePart::Fuselage, Outline::default().smooth(&tube), Ink::matt(hull));
    c.fill(
        ScenePart::Fuselage,
        Outline::default().poly(&[(-0.44, -0.24), (0.36, -0.25), (0.36, -0.21), (-0.36, -0.215)]),
        Ink::flat(trim),
    );
    let cockpit = [(-0.08, -0.335, 0.02), (-0.03, -0.41, 0.03), (0.1, -0.41, 0.03), (0.18, -0.335, 0.02)];
    c.fill(ScenePart::Window, Outline::default().rounded(&cockpit), Ink::matt(GLASS.lit(0.3)));
    c.fill(
        ScenePart::Tail,
        Outline::default().rounded(&[
            (-0.36, -0.27, 0.02),
            (-0.5, -0.27, 0.02),
            (-0.5, -0.235, 0.02),
            (-0.38, -0.235, 0.02),
        ]),
        Ink::matt(trim.dim(0.1)),
    );
    if biplane {
        for x in [0.0, 0.16] {
            c.fill(ScenePart::Wing, Outline::default().rect(x, -0.43, 0.014, 0.24), Ink::flat(hex(0x7A5B3C)));
        }
    }
    for &y in wings {
        let wing = [
            (-0.11, y + 0.03, 0.02),
            (-0.09, y - 0.03, 0.03),
            (0.26, y - 0.035, 0.03),
            (0.29, y + 0.02, 0.02),
        ];
        c.fill(ScenePart::Wing, Outline::default().rounded(&wing), Ink::matt(trim));
        c.glaze(Outline::default().band((-0.07, y + 0.004), (0.25, y - 0.004), 0.012), hex(0xFFFFFF), 0.4);
    }
    c.fill(
        ScenePart::Engine,
        Outline::default().rounded(&[
            (0.36, -0.32, 0.03),
            (0.45, -0.3, 0.03),
            (0.45, -0.2, 0.03),
            (0.36, -0.18, 0.03),
        ]),
        Ink::matt(hex(0x777D88)),
    );
    for (sign, w) in [(-1.0, 0.02), (1.0, 0.02)] {
        let blade = Outline::default().ellipse(0.475, -0.25 + sign * 0.095, w, 0.095);
        c.fill(ScenePart::Propeller, blade, Ink::matt(hex(0x8A6038)));
    }
    c.fill(ScenePart::Propeller, Outline::default().ellipse(0.472, -0.25, 0.03, 0.035), Ink::ball(trim));
    for x in [0.12, 0.24] {
        wheel(c, (x, -0.05), 0.05, hex(0xD5D9DF), 0.3);
    }
}

fn from_above(c: &mut PartCanvas, hull: Rgb, trim: Rgb) {
    let mid = -0.45;
    for side in [-1.0, 1.0] {
        let y = |v: f32| mid + side * v;
        let wing =
            [(0.14, y(0.03), 0.02), (-0.12, y(0.44), 0.03), (-0.21, y(0.44), 0.03), (-0.1, y(0.03), 0.02)];
        c.fill(
            ScenePart::Wing,
            Outline::default().rounded(&wing),
            Ink::matt(hull.dim(if side > 0.0 { 0.12 } else { 0.03 })),
        );
        let tip = [
            (-0.08, y(0.375), 0.01),
            (-0.12, y(0.44), 0.02),
            (-0.21, y(0.44), 0.02),
            (-0.19, y(0.375), 0.01),
        ];
        c.fill(ScenePart::Wing, Outline::default().rounded(&tip), Ink::matt(trim).bare());
        c.glaze(Outline::default().band((-0.08, y(0.09)), (-0.18, y(0.36)), 0.018), hull.dim(0.7), 0.4);
        c.fill(
            ScenePart::Engine,
            Outline::default().round_rect(0.0, y(0.19) - 0.034, 0.14, 0.068, 0.03),
            Ink::matt(trim),
        );
        let stub =
            [(-0.36, y(0.02), 0.01), (-0.45, y(0.17), 0.02), (-0.5, y(0.17), 0.02), (-0.47, y(0.02), 0.01)];
        c.fill(ScenePart::Tail, Outline::default().rounded(&stub), Ink::matt(trim));
    }
    let tube = [
        (-0.49, mid),
        (-0.3, mid - 0.05),
        (0.0, mid - 0.065),
        (0.36, mid - 0.06),
        (0.46, mid - 0.035),
        (0.495, mid),
        (0.46, mid + 0.035),
        (0.36, mid + 0.06),
        (0.0, mid + 0.065),
        (-0.3, mid + 0.05),
    ];
    c.fill(ScenePart::Fuselage, Outline::default().smooth(&tube), Ink::matt(hull));
    c.fill(ScenePart::Tail, Outline::default().ellipse(-0.42, mid, 0.07, 0.014), Ink::matt(trim));
    let cockpit = [
        (0.4, mid - 0.038, 0.01),
        (0.455, mid - 0.02, 0.02),
        (0.455, mid + 0.02, 0.02),
        (0.4, mid + 0.038, 0.01),
    ];
    c.fill(ScenePart::Window, Outline::default().rounded(&cockpit), Ink::matt(GLASS));
}

/// How many kinds of ship there are, and their `(width, height)`.
pub(super) const SHIP_KINDS: [P; 4] = [(1.0, 0.95), (1.0, 0.62), (1.0, 0.5), (1.0, 0.85)];

/// A sailing boat, a steamer, a container ship or a galleon.
pub(super) fn ship(c: &mut PartCanvas, d: &mut Dice, kind: usize) {
    let paint = d.pick(&PAINTS);
    let trim = d.pick(&[hex(0xF4EFE4), hex(0xE9C46A), hex(0xD1495B), hex(0x2E5E7E)]);
    c.shadow(0.0, 0.015, 0.5, 0.04);
    match kind {
        0 => sailing_boat(c, d, paint, trim),
        1 => steamer(c, d, paint, trim),
        2 => container_ship(c, d, paint),
        _ => galleon(c, d, trim),
    }
}

/// The hull with its deck at `deck`, a trim line and planks or plates.
fn hull(c: &mut PartCanvas, deck: f32, paint: Rgb, trim: Rgb, wooden: bool) {
    let outline = [
        (-0.44, 0.05, 0.06),
        (-0.5, deck - 0.01, 0.02),
        (-0.2, deck + 0.015, 0.2),
        (0.25, deck + 0.01, 0.2),
        (0.5, deck - 0.04, 0.01),
        (0.4, 0.05, 0.08),
    ];
    c.fill(ScenePart::Hull, Outline::default().rounded(&outline), Ink::matt(paint));
    let h = 0.05 - deck;
    let seams = (1..5).fold(Outline::default(), |s, k| {
        let t = k as f32 / 5.0;
        s.rect(-0.48 + 0.05 * t, deck + 0.01 + h * t, 0.93 - 0.12 * t, 0.008)
    });
    c.glaze(seams, paint.dim(0.7), if wooden { 0.7 } else { 0.25 });
    let line = [
        (-0.49, deck + 0.005),
        (-0.2, deck + 0.025),
        (0.25, deck + 0.02),
        (0.48, deck - 0.025),
        (0.47, deck + 0.015),
        (0.25, deck + 0.06),
        (-0.2, deck + 0.065),
        (-0.485, deck + 0.045),
    ];
    c.fill(ScenePart::Hull, Outline::default().smooth(&line), Ink::flat(trim));
}

fn sailing_boat(c: &mut PartCanvas, d: &mut Dice, paint: Rgb, trim: Rgb) {
    let wood = hex(0x8A6A4A);
    let cloth = d.pick(&[hex(0xFBF6EA), hex(0xF6E2B8), hex(0xF2F4F7)]);
    let stripe = d.pick(&PAINTS);
    c.fill(ScenePart::Mast, Outline::default().rect(-0.025, -0.92, 0.032, 0.8), Ink::matt(wood));
    let main = [
        (-0.045, -0.87),
        (-0.1, -0.7),
        (-0.25, -0.42),
        (-0.44, -0.21),
        (-0.25, -0.19),
        (-0.045, -0.2),
        (-0.045, -0.5),
    ];
    c.fill(ScenePart::Sail, Outline::default().smooth(&main), Ink::matt(cloth));
    if d.chance(0.6) {
        let band = [(-0.05, -0.5), (-0.21, -0.48), (-0.29, -0.37), (-0.05, -0.38)];
        c.fill(ScenePart::Sail, Outline::default().poly(&band), Ink::flat(stripe));
    }
    let jib =
        [(0.03, -0.82), (0.16, -0.55), (0.3, -0.36), (0.44, -0.22), (0.2, -0.2), (0.05, -0.23), (0.07, -0.5)];
    let front = if d.chance(0.4) { stripe } else { cloth.dim(0.05) };
    c.fill(ScenePart::Sail, Outline::default().smooth(&jib), Ink::matt(front));
    for (a, b) in
        [((-0.05, -0.7), (-0.09, -0.69)), ((-0.05, -0.3), (-0.35, -0.27)), ((0.07, -0.4), (0.25, -0.37))]
    {
        c.glaze(Outline::default().band(a, b, 0.008), cloth.dim(0.6), 0.6);
    }
    flag(c, (-0.01, -0.95), 0.14, stripe);
    hull(c, -0.15, paint, trim, true);
}

fn flag(c: &mut PartCanvas, (x, y): P, w: f32, cloth: Rgb) {
    let wave = [
        (x, y),
        (x - w * 0.5, y + w * 0.08),
        (x - w, y - w * 0.02),
        (x - w * 0.95, y + w * 0.5),
        (x - w * 0.45, y + w * 0.6),
        (x, y + w * 0.5),
    ];
    c.fill(ScenePart::Flag, Outline::default().smooth(&wave), Ink::matt(cloth));
}

fn cabin(c: &mut PartCanvas, (x, y): P, (w, h): P, wall: Rgb, panes: usize) {
    c.fill(ScenePart::Cabin, Outline::default().round_rect(x, y - h, w, h + 0.02, 0.015), Ink::matt(wall));
    c.fill(
        ScenePart::Cabin,
        Outline::default().round_rect(x - 0.015, y - h - 0.012, w + 0.03, 0.025, 0.01),
        Ink::matt(wall.dim(0.15)),
    );
    let step = w / panes as f32;
    let row = (0..panes).fold(Outline::default(), |s, k| {
        s.round_rect(x + step * (k as f32 + 0.2), y - h * 0.72, step * 0.6, h * 0.46, 0.012)
    });
    c.fill(ScenePart::Window, row, Ink::matt(GLASS));
}

fn steamer(c: &mut PartCanvas, d: &mut Dice, paint: Rgb, trim: Rgb) {
    let chimneys = 1 + d.below(2);
    c.fill(ScenePart::Mast, Outline::default().rect(0.27, -0.6, 0.02, 0.4), Ink::matt(hex(0x6A5A4A)));
    flag(c, (0.27, -0.6), 0.12, trim);
    for k in 0..chimneys {
        let x = -0.16 + 0.17 * k as f32;
        let smoke = Outline::default().circle(x + 0.02, -0.6, 0.04).circle(x - 0.05, -0.64, 0.055);
        c.glaze(smoke.circle(x - 0.13, -0.67, 0.065), hex(0xD8DAE0), 0.5);
        let stack =
            [(x, -0.36, 0.0), (x + 0.01, -0.57, 0.01), (x + 0.1, -0.57, 0.01), (x + 0.11, -0.36, 0.0)];
        c.fill(ScenePart::Funnel, Outline::default().rounded(&stack), Ink::matt(paint));
        c.fill(
            ScenePart::Funnel,
            Outline::default().rect(x + 0.008, -0.515, 0.094, 0.05),
            Ink::flat(hex(0xF4EFE4)),
        );
        c.fill(
            ScenePart::Funnel,
            Outline::default().rect(x + 0.008, -0.57, 0.094, 0.025),
            Ink::flat(hex(0x2A2A33)),
        );
    }
    cabin(c, (-0.24, -0.28), (0.42, 0.11), WHITE, 4);
    cabin(c, (-0.34, -0.165), (0.62, 0.11), WHITE.dim(0.04), 6);
    hull(c, -0.17, paint, trim, false);
    let portholes = (0..5).fold(Outline::default(), |s, k| s.circle(-0.32 + 0.15 * k as f32, -0.065, 0.022));
    c.fill(ScenePart::Window, portholes, Ink::matt(GLASS));
}

fn container_ship(c: &mut PartCanvas, d: &mut Dice, paint: Rgb) {
    cabin(c, (-0.44, -0.3), (0.18, 0.12), WHITE, 3);
    cabin(c, (-0.45, -0.16), (0.2, 0.14), WHITE.dim(0.05), 3);
    c.fill(ScenePart::Funnel, Outline::default().rect(-0.4, -0.5, 0.07, 0.08), Ink::matt(paint));
    c.fill(ScenePart::Mast, Outline::default().rect(0.39, -0.4, 0.02, 0.26), Ink::matt(hex(0x6A6F78)));
    for column in 0..4 {
        for row in 0..2 + d.below(2) {
            let (x, y) = (-0.21 + 0.145 * column as f32, -0.255 - 0.105 * row as f32);
            let tin = d.pick(&PAINTS);
            c.fill(ScenePart::Cargo, Outline::default().rect(x, y, 0.14, 0.1), Ink::matt(tin));
            let ribs = (1..6)
                .fold(Outline::default(), |s, k| s.rect(x + 0.0233 * k as f32, y + 0.008, 0.008, 0.084));
            c.glaze(ribs, tin.dim(0.7), 0.45);
        }
    }
    hull(c, -0.17, paint, hex(0x2E5E7E).mix(paint, 0.3), false);
    c.fill(
        ScenePart::Hull,
        Outline::default().poly(&[(-0.455, -0.01), (0.43, -0.01), (0.4, 0.05), (-0.43, 0.05)]),
        Ink::flat(hex(0x9E3B36)),
    );
}

fn galleon(c: &mut PartCanvas, d: &mut Dice, trim: Rgb) {
    let (wood, brown) = (hex(0x7A5638), d.pick(&[hex(0x8A5A38), hex(0x9A6B42), hex(0x6E4630)]));
    let cloth = d.pick(&[hex(0xF7EFDC), hex(0xEFE0C0), hex(0xF3D9D0)]);
    let mark = d.pick(&PAINTS);
    for (x, top) in [(-0.24, -0.72), (0.1, -0.82)] {
        c.fill(ScenePart::Mast, Outline::default().rect(x - 0.015, top, 0.03, -top - 0.15), Ink::matt(wood));
        for (y, w, h) in [(top + 0.06, 0.11, 0.2), (top + 0.29, 0.155, 0.24)] {
            let sail = [
                (x - w, y, 0.01),
                (x + w, y, 0.01),
                (x + w * 1.15, y + h * 0.6, 0.06),
                (x + w, y + h, 0.02),
                (x - w, y + h, 0.02),
                (x - w * 0.85, y + h * 0.6, 0.06),
            ];
            c.fill(ScenePart::Sail, Outline::default().rounded(&sail), Ink::matt(cloth));
            c.fill(
                ScenePart::Sail,
                Outline::default().rect(x - w * 0.84, y + h * 0.42, w * 1.95, h * 0.2),
                Ink::flat(mark),
            );
            c.fill(
                ScenePart::Mast,
                Outline::default().rect(x - w - 0.02, y - 0.018, 2.0 * w + 0.04, 0.022),
                Ink::matt(wood),
            );
        }
        flag(c, (x, top - 0.02), 0.11, trim.mix(mark, 0.5));
    }
    c.fill(
        ScenePart::Cabin,
        Outline::default().rounded(&[
            (-0.49, -0.14, 0.01),
            (-0.53, -0.29, 0.02),
            (-0.32, -0.27, 0.02),
            (-0.3, -0.14, 0.01),
        ]),
        Ink::matt(brown.lit(0.12)),
    );
    for x in [-0.48, -0.4] {
        c.fill(
            ScenePart::Window,
            Outline::default().round_rect(x, -0.245, 0.05, 0.06, 0.015),
            Ink::matt(hex(0xF2C864)),
        );
    }
    c.fill(ScenePart::Mast, Outline::default().band((0.4, -0.16), (0.53, -0.27), 0.024), Ink::matt(wood));
    hull(c, -0.15, brown, trim, true);
}
