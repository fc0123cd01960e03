//! What four-legged animals are built from: coats, trunks, legs and eyes. They face
//! right, x from -0.5 to 0.5, and stand on y = 0.

use super::colour::{Rgb, hex};
use super::dice::Dice;
use super::draw::{Ink, PartCanvas};
use super::names::ScenePart;
use super::shape::{Outline, P, inside};

/// A coat: its colour, that of muzzle, belly and socks, and that of the markings.
#[derive(Clone, Copy)]
pub(super) struct Coat {
    pub base: Rgb,
    pub pale: Rgb,
    pub mark: Rgb,
}

pub(super) const fn coat(base: u32, pale: u32, mark: u32) -> Coat {
    Coat { base: hex(base), pale: hex(pale), mark: hex(mark) }
}

/// How a coat is marked.
#[derive(Clone, Copy)]
pub(super) enum Marks {
    Plain,
    Spots,
    Patches,
    Stripes,
}

/// Parts of one skin are painted twice, with outlines and then without, so that
/// the line runs round all of them and not between them.
pub(super) type Edge = fn(Ink) -> Ink;
pub(super) const EDGES: [Edge; 2] = [|ink| ink, Ink::bare];

/// A trunk between hip and shoulder.
pub(super) struct Trunk {
    pub hip: P,
    pub shoulder: P,
    /// Heights of rump, belly and chest.
    pub thick: [f32; 3],
}

impl Trunk {
    fn outline(&self) -> Vec<P> {
        let ((hx, hy), (sx, sy), [tr, tb, tc]) = (self.hip, self.shoulder, self.thick);
        let (mx, my) = ((hx + sx) / 2.0, (hy + sy) / 2.0);
        vec![
            (hx - tr * 0.46, hy - tr * 0.05),
            (hx - tr * 0.1, hy - tr * 0.5),
            (mx, my - tb * 0.46),
            (sx - tc * 0.05, sy - tc * 0.52),
            (sx + tc * 0.42, sy - tc * 0.1),
            (sx + tc * 0.15, sy + tc * 0.5),
            (mx, my + tb * 0.54),
            (hx + tr * 0.1, hy + tr * 0.46),
        ]
    }

    pub fn fill(&self, c: &mut PartCanvas, coat: Coat, edge: Edge) {
        c.fill(ScenePart::Body, Outline::default().smooth(&self.outline()), edge(Ink::matt(coat.base)));
    }

    pub fn mark(&self, c: &mut PartCanvas, d: &mut Dice, coat: Coat, marks: Marks) {
        let outline = self.outline();
        let ((hx, _), (sx, sy), [tr, _, tc]) = (self.hip, self.shoulder, self.thick);
        let mut at = |margin: f32| loop {
            let p = (d.range(hx - tr * 0.5, sx + tc * 0.4), d.range(sy - tc * 0.5, sy + tc * 0.5));
            if inside(&outline, p.0 - margin, p.1) && inside(&outline, p.0 + margin, p.1 + margin) {
                break p;
            }
        };
        match marks {
            Marks::Plain => {}
            Marks::Spots => {
                let spots = (0..16).fold(Outline::default(), |s, _| {
                    let (x, y) = at(0.02);
                    s.ellipse(x, y, 0.017, 0.013)
                });
                c.glaze(spots, coat.mark, 0.85);
            }
            Marks::Patches => {
                let patches = (0..3).fold(Outline::default(), |s, _| {
                    let (x, y) = at(0.06);
                    s.ellipse(x, y, 0.062, 0.05).ellipse(x + 0.03, y + 0.02, 0.035, 0.03)
                });
                c.glaze(patches, coat.mark, 0.9);
            }
            Marks::Stripes => {
                let stripes = (0..6).fold(Outline::default(), |s, k| {
                    let x = hx + (sx - hx) * (k as f32 + 0.3) / 6.0;
                    let top = sy - tc * 0.44;
                    s.limb(&[
                        (x, top, 0.013),
                        (x + 0.015, top + tc * 0.25, 0.011),
                        (x, top + tc * 0.5, 0.003),
                    ])
                });
                c.glaze(stripes, coat.mark, 0.8);
            }
        }
        let fur = (0..46).fold(Outline::default(), |s, _| {
            let (x, y) = at(0.012);
            s.blade((x + 0.012, y), (x - 0.014, y + 0.012), 0.007)
        });
        c.glaze(fur, coat.base.dim(0.55), 0.4);
    }
}

/// A leg from its joint at `top` to the ground: half widths of thigh and shin, the foot `step` ahead.
#[derive(Clone, Copy)]
pub(super) struct Limb {
    pub thigh: f32,
    pub shin: f32,
    pub hoof: bool,
    /// 1 where the joint bends forward (fore legs), -1 where it bends back.
    pub bend: f32,
}

pub(super) fn leg(c: &mut PartCanvas, top: P, step: f32, limb: Limb, (colour, foot): (Rgb, Rgb), edge: Edge) {
    let length = -top.1;
    let x = top.0 + step;
    let knee = (top.0 + step * 0.35 + limb.bend * 0.06 * length, top.1 + length * 0.5);
    let bottom = if limb.hoof { -0.035 } else { -0.03 };
    let spine = [
        (top.0, top.1, limb.thigh),
        (knee.0, knee.1, (limb.thigh + limb.shin) * 0.45),
        (x, -0.3 * length, limb.shin),
        (x, bottom, limb.shin),
    ];
    if limb.hoof {
        c.fill(ScenePart::Leg, Outline::default().limb(&spine), edge(Ink::shaded(colour)));
        let w = limb.shin * 1.25;
        let hoof =
            [(x - w, -0.055, 0.005), (x + w, -0.055, 0.005), (x + w * 1.45, 0.0, 0.008), (x - w, 0.0, 0.008)];
        c.fill(ScenePart::Leg, Outline::default().rounded(&hoof), edge(Ink::matt(foot)));
    } else {
        let paw = Outline::default().limb(&spine).ellipse(x + limb.shin * 0.5, -0.027, limb.shin * 1.5, 0.03);
        c.fill(ScenePart::Leg, paw, edge(Ink::shaded(colour)));
        c.glaze(
            Outline::default().rect(x + limb.shin * 0.5, -0.03, 0.006, 0.025).rect(
                x + limb.shin * 1.2,
                -0.03,
                0.006,
                0.022,
            ),
            foot,
            0.6,
        );
    }
}

/// Draws the two legs of one side: hind, then fore.
pub(super) fn legs(
    c: &mut PartCanvas,
    joints: [P; 2],
    steps: [f32; 2],
    limb: Limb,
    colours: (Rgb, Rgb),
    edge: Edge,
) {
    leg(c, joints[0], steps[0], Limb { bend: -1.0, ..limb }, colours, edge);
    leg(c, joints[1], steps[1], Limb { bend: 1.0, ..limb }, colours, edge);
}

pub(super) fn eye(c: &mut PartCanvas, (x, y): P, r: f32, iris: Rgb) {
    c.fill(ScenePart::Eye, Outline::default().ellipse(x, y, r, r * 1.08), Ink::flat(iris));
    c.fill(ScenePart::Eye, Outline::default().ellipse(x, y, r * 0.62, r * 0.85), Ink::flat(hex(0x17151C)));
    c.fill(
        ScenePart::Eye,
        Outline::default().circle(x - r * 0.25, y - r * 0.35, r * 0.28),
        Ink::flat(hex(0xFFFFFF)),
    );
}

/// Steps of the far and the near pair of legs.
pub(super) fn gait(d: &mut Dice, reach: f32) -> ([f32; 2], [f32; 2]) {
    let s = d.range(-1.0, 1.0) * reach;
    ([s + 0.03, -s + 0.03], [-s, s])
}
