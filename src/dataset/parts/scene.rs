//! A whole scene: setting, backdrop, the object in its pose, foreground, and light over all of it.

use tiny_skia::{Pixmap, Transform};

use super::colour::{Rgb, hex};
use super::dice::Dice;
use super::draw::PartCanvas;
use super::shape::P;
use super::sky::{self, Mood};
use super::{clutter, crafts, ground, hoofed, pets, small, vehicles};
use crate::image::Image;

/// The classes, in the order of labels.
pub(super) const CLASSES: [&str; 10] =
    ["car", "truck", "plane", "ship", "horse", "deer", "dog", "cat", "bird", "frog"];

/// Where a scene takes place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SceneSetting {
    Road,
    Meadow,
    Beach,
    Sea,
    /// High above a strip of land or sea.
    Sky,
}

/// An object before it is placed: its kind, its `(width, height)` and where it is at home.
struct Subject {
    class: usize,
    kind: usize,
    extent: P,
    setting: SceneSetting,
    /// Largest tilt, radians.
    tilt: f32,
}

impl Subject {
    fn roll(d: &mut Dice, class: usize) -> Self {
        use SceneSetting::{Beach, Meadow, Road, Sea, Sky};
        let of = |d: &mut Dice, kinds: &[P]| {
            let kind = d.below(kinds.len());
            (kind, kinds[kind])
        };
        let ((kind, extent), settings, tilt): (_, &[SceneSetting], f32) = match CLASSES[class] {
            "car" => (of(d, &vehicles::CAR_KINDS), &[Road, Road, Meadow], 0.04),
            "truck" => (of(d, &vehicles::TRUCK_KINDS), &[Road, Road, Meadow], 0.04),
            "plane" => {
                let (kind, extent) = of(d, &crafts::PLANE_KINDS);
                let settings: &[SceneSetting] = if kind == 2 { &[Sky] } else { &[Sky, Sky, Road] };
                ((kind, extent), settings, if kind == 2 { 0.7 } else { 0.25 })
            }
            "ship" => (of(d, &crafts::SHIP_KINDS), &[Sea], 0.08),
            "horse" => ((0, hoofed::HORSE), &[Meadow, Meadow, Meadow, Beach], 0.03),
            "deer" => (of(d, &hoofed::DEER_KINDS), &[Meadow], 0.03),
            "dog" => (of(d, &pets::DOG_KINDS), &[Meadow, Meadow, Road, Beach], 0.04),
            "cat" => (of(d, &pets::CAT_KINDS), &[Meadow, Road], 0.04),
            "bird" => {
                let (kind, extent) = of(d, &small::BIRD_KINDS);
                let settings: &[SceneSetting] = if kind == 0 { &[Sky] } else { &[Meadow, Road, Beach] };
                ((kind, extent), settings, if kind == 0 { 0.3 } else { 0.06 })
            }
            _ => ((0, small::FROG), &[Meadow, Meadow, Beach], 0.05),
        };
        Self { class, kind, extent, setting: d.pick(settings), tilt }
    }

    fn draw(&self, c: &mut PartCanvas, d: &mut Dice) {
        match CLASSES[self.class] {
            "car" => vehicles::car(c, d, self.kind),
            "truck" => vehicles::truck(c, d, self.kind),
            "plane" => crafts::plane(c, d, self.kind, self.setting == SceneSetting::Road),
            "ship" => crafts::ship(c, d, self.kind),
            "horse" => hoofed::horse(c, d),
            "deer" => hoofed::deer(c, d, self.kind),
            "dog" => pets::dog(c, d, self.kind),
            "cat" => pets::cat(c, d, self.kind),
            "bird" => small::bird(c, d, self.kind),
            _ => small::frog(c, d),
        }
    }

    /// The frame of the object: flipped, stretched, leaning and tilted, inside the picture, standing on
    /// `floor` or, in the sky, at any height.
    fn place(&self, d: &mut Dice, floor: f32) -> Transform {
        let flying = self.setting == SceneSetting::Sky;
        let (w, h) = self.extent;
        let tilt = d.range(-self.tilt, self.tilt)
            * if flying || self.setting == SceneSetting::Sea { 1.0 } else { 0.6 };
        let (sin, cos) = tilt.sin_cos();
        // Corners are empty in most outlines, so that a tilt widens them by half of what it does to a box.
        let (wide, high) = (w * cos + 0.5 * h * sin.abs(), h * cos + 0.5 * w * sin.abs());
        let room = if flying { 0.96 } else { floor - 0.03 };
        let scale = (0.95 / wide).min(room / high) * d.range(0.84, 1.0);
        let slack = ((1.0 - wide * scale) / 2.0).max(0.0);
        let x = 0.5 + slack * d.range(-0.9, 0.9);
        let spare = ((1.0 - high * scale) / 2.0).max(0.0);
        let middle = if flying { 0.5 + spare * d.range(-0.9, 0.7) } else { floor - h * scale / 2.0 };
        let (flip, stretch, lean) = (d.sign(), d.range(0.93, 1.04), d.range(-0.05, 0.05));
        let turn = Transform::from_row(cos, sin, -sin, cos, 0.0, 0.0);
        let view =
            Transform::from_row(flip * stretch * scale, 0.0, lean * scale, scale, 0.0, h * scale / 2.0);
        Transform::from_translate(x, middle).pre_concat(turn).pre_concat(view)
    }
}

/// Draws a scene of `class` with side `size` pixels: the picture and the part of every pixel.
pub(super) fn render(class: usize, d: &mut Dice, size: u32) -> (Image, Vec<u8>) {
    let light_x = d.sign() * d.range(0.35, 0.9);
    let mood = Mood::roll(d);
    let slope = (0.13 * light_x, -d.range(0.0, 0.08));
    let mut canvas = PartCanvas::new(size, light_x);
    compose(&mut canvas, d, &mood, class);
    develop(canvas.finish(), mood.tint, slope)
}

/// Paints everything, far to near.
pub(super) fn compose(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, class: usize) {
    let subject = Subject::roll(d, class);
    let flying = subject.setting == SceneSetting::Sky;
    let horizon = if flying { d.range(0.72, 1.0) } else { d.range(0.46, 0.66) };
    let floor = d.range(0.84, 0.93);
    let green = d.pick(&ground::GREENS);
    let water = d.pick(&[hex(0x2F7FB0), hex(0x2B9AA8), hex(0x3A68A8), hex(0x4E8E98)]);
    let clouds = d.below(if flying { 5 } else { 4 });
    sky::sky(c, d, mood, horizon, clouds);
    distance(c, d, mood, subject.setting, horizon, green);
    match subject.setting {
        SceneSetting::Road => street(c, d, mood, horizon, floor, green),
        SceneSetting::Meadow => {
            ground::grass(c, d, mood, (horizon, 1.1), green);
            standing_about(c, d, mood, horizon, green);
        }
        SceneSetting::Beach => {
            let shore = horizon + d.range(0.06, 0.16);
            ground::sea(c, d, mood, (horizon, shore + 0.05), water);
            ground::sand(c, d, shore);
        }
        SceneSetting::Sea => ground::sea(c, d, mood, (horizon, 1.1), water),
        SceneSetting::Sky if d.chance(0.5) => ground::sea(c, d, mood, (horizon, 1.1), water),
        SceneSetting::Sky => ground::grass(c, d, mood, (horizon, 1.1), green),
    }
    let frame = subject.place(d, floor);
    c.within(frame, |c| subject.draw(c, d));
    foreground(c, d, mood, subject.setting, floor, (green, water));
}

/// What stands on the horizon: mountains, hills, a town, trees.
fn distance(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, setting: SceneSetting, horizon: f32, green: Rgb) {
    let land = matches!(setting, SceneSetting::Road | SceneSetting::Meadow);
    if d.chance(if land { 0.4 } else { 0.3 }) {
        sky::mountains(c, d, mood, horizon);
    }
    if d.chance(if land { 0.75 } else { 0.3 }) {
        sky::hills(c, d, mood, horizon, green);
    }
    if setting == SceneSetting::Road && d.chance(0.5) {
        let mut x = d.range(-0.1, 0.1);
        while x < 1.0 {
            let (w, h) = (d.range(0.12, 0.2), d.range(0.14, 0.36));
            clutter::block(c, d, mood, (x, horizon + 0.01), (w, h));
            x += w + d.range(0.0, 0.2);
        }
    }
}

/// Trees, houses and a fence between the horizon and the object.
fn standing_about(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, horizon: f32, green: Rgb) {
    let foot = horizon + d.range(0.01, 0.05);
    if d.chance(0.3) {
        let (x, w) = (d.range(0.08, 0.92), d.range(0.2, 0.3));
        clutter::house(c, d, mood, (x, foot), w);
    }
    for _ in 0..d.below(4) {
        let (x, h) = (d.range(0.02, 0.98), d.range(0.2, 0.42));
        clutter::tree(c, d, (x, foot + 0.02), h, green);
    }
    if d.chance(0.3) {
        let h = d.range(0.1, 0.15);
        clutter::fence(c, d, foot + 0.07, h);
    }
}

/// A road with a green verge, trees and lamps behind it, and perhaps a verge in front.
fn street(c: &mut PartCanvas, d: &mut Dice, mood: &Mood, horizon: f32, floor: f32, green: Rgb) {
    let top = (floor - d.range(0.12, 0.2)).max(horizon + 0.04);
    ground::grass(c, d, mood, (horizon, top + 0.02), green);
    standing_about(c, d, mood, horizon, green);
    let bottom = if d.chance(0.6) { floor + d.range(0.05, 0.08) } else { 1.1 };
    ground::road(c, d, mood, (top, bottom));
    if bottom < 1.0 {
        ground::grass(c, d, mood, (bottom - 0.006, 1.1), green);
    }
    if d.chance(0.45) {
        let (x, h) = (d.range(0.06, 0.94), d.range(0.5, 0.68));
        clutter::lamp(c, d, mood, (x, top + 0.012), h);
    }
}

/// What lies between the viewer and the object.
fn foreground(
    c: &mut PartCanvas,
    d: &mut Dice,
    mood: &Mood,
    setting: SceneSetting,
    floor: f32,
    (green, water): (Rgb, Rgb),
) {
    match setting {
        SceneSetting::Sea => ground::swell(c, d, mood, floor + 0.01, water),
        SceneSetting::Meadow => {
            if d.chance(0.45) {
                ground::flowers(c, d, (floor - 0.02, 1.0));
            }
            if d.chance(0.35) {
                let (x, r) = (d.pick(&[0.1, 0.9]) + d.range(-0.06, 0.06), d.range(0.05, 0.1));
                let y = d.range(0.95, 1.0);
                clutter::rock(c, d, (x, y), r);
            }
            ground::grass_front(c, d, floor, green);
        }
        SceneSetting::Beach if d.chance(0.4) => {
            let (x, r) = (d.pick(&[0.1, 0.9]) + d.range(-0.06, 0.06), d.range(0.05, 0.11));
            let y = d.range(0.95, 1.0);
            clutter::rock(c, d, (x, y), r);
        }
        SceneSetting::Sky => {
            for _ in 0..d.below(2) {
                let at = (d.unit(), d.range(0.9, 1.0));
                let w = d.range(0.3, 0.5);
                sky::cloud(c, d, mood, at, w);
            }
        }
        SceneSetting::Beach | SceneSetting::Road => {}
    }
}

/// Lights the finished painting: every channel times `tint`, brighter along `slope` (per unit of the frame).
pub(super) fn develop((picture, map): (Pixmap, Pixmap), tint: [f32; 3], slope: P) -> (Image, Vec<u8>) {
    let size = picture.width();
    let mut rgb = Vec::with_capacity(3 * (size * size) as usize);
    for (at, pixel) in picture.data().chunks_exact(4).enumerate() {
        let x = (at as u32 % size) as f32 / size as f32 - 0.5;
        let y = (at as u32 / size) as f32 / size as f32 - 0.5;
        let light = 1.0 + x * slope.0 + y * slope.1;
        rgb.extend((0..3).map(|k| (f32::from(pixel[k]) * tint[k] * light + 0.5).min(255.0) as u8));
    }
    let parts = map.data().iter().step_by(4).copied().collect();
    (Image::new(size, size, rgb), parts)
}
