//! The canvas: every shape is painted twice, anti-aliased into the picture and
//! hard-edged into the part map, so that the two agree by construction.

use tiny_skia::{
    Color, FillRule, GradientStop, LinearGradient, Paint, Path, Pixmap, Point, RadialGradient, Shader,
    SpreadMode, Stroke, Transform,
};

use super::colour::{Rgb, hex};
use super::names::ScenePart;
use super::shape::{Outline, P};

/// Width of outlines, in units of the frame.
const LINE: f32 = 0.007;

/// How the colours of an [`Ink`] run over a shape.
#[derive(Clone, Copy)]
enum Run {
    /// From the side of the light to the far side.
    Lit,
    /// From top to bottom.
    Down,
    /// Outwards from a point on the side of the light.
    Ball,
}

/// What a shape is painted with: three colours along a [`Run`], and perhaps an outline.
#[derive(Clone, Copy)]
pub(super) struct Ink {
    run: Run,
    /// Start, middle (of a ball only) and end.
    colours: [Rgb; 3],
    outline: Option<Rgb>,
}

impl Ink {
    /// A matt surface: light falls on one side.
    pub fn matt(c: Rgb) -> Self {
        Self { run: Run::Lit, colours: [c.lit(0.22), c, c.dim(0.24)], outline: Some(c.dim(0.55)) }
    }

    /// A round thing.
    pub fn ball(c: Rgb) -> Self {
        Self { run: Run::Ball, ..Self::matt(c) }
    }

    /// One colour.
    pub fn flat(c: Rgb) -> Self {
        Self { run: Run::Down, colours: [c; 3], outline: None }
    }

    /// From `top` to `bottom`.
    pub fn down(top: Rgb, bottom: Rgb) -> Self {
        Self { run: Run::Down, colours: [top, top.mix(bottom, 0.5), bottom], outline: None }
    }

    /// A limb in the shade of a body.
    pub fn shaded(c: Rgb) -> Self {
        Self { colours: [c.dim(0.04), c.dim(0.1), c.dim(0.22)], ..Self::matt(c) }
    }

    /// Without its outline.
    pub fn bare(self) -> Self {
        Self { outline: None, ..self }
    }
}

/// A square picture and its part map in the making. Coordinates are units of the
/// frame (0 to 1, y down) until a frame of an object is entered.
pub(super) struct PartCanvas {
    picture: Pixmap,
    map: Pixmap,
    place: Transform,
    /// Direction towards the light, in the frame.
    light: P,
    /// The part that the tests paint magenta, which nothing else is.
    #[cfg(test)]
    pub repainted: Option<ScenePart>,
}

impl PartCanvas {
    /// An empty canvas of `size` x `size` pixels; `size` from 1 to a few thousand. The light stands to
    /// the left of the frame where `light_x` is negative.
    pub fn new(size: u32, light_x: f32) -> Self {
        let blank = || Pixmap::new(size, size).expect("a size from 1 to a few thousand has a pixmap");
        let place = Transform::from_scale(size as f32, size as f32);
        let (picture, map) = (blank(), blank());
        Self {
            picture,
            map,
            place,
            light: (light_x, -1.0),
            #[cfg(test)]
            repainted: None,
        }
    }

    /// Runs `draw` in a frame of its own: `frame` takes its coordinates to the present ones.
    pub fn within(&mut self, frame: Transform, draw: impl FnOnce(&mut Self)) {
        let outer = self.place;
        self.place = outer.pre_concat(frame);
        draw(self);
        self.place = outer;
    }

    /// -1 where the light stands to the left in the present frame, 1 where it stands to the right.
    pub fn light_side(&self) -> f32 {
        self.local_light().0.signum()
    }

    /// Paints `shape`, which belongs to `part`.
    pub fn fill(&mut self, part: ScenePart, shape: Outline, ink: Ink) {
        let Some(path) = shape.path() else { return };
        let ink = self.seen(part, ink);
        let paint = Paint { shader: self.shader(&path, &ink), anti_alias: true, ..Paint::default() };
        let Some(path) = path.transform(self.place) else { return };
        self.picture.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), None);
        let mark = solid(part);
        self.map.fill_path(&path, &mark, FillRule::Winding, Transform::identity(), None);
        if let Some(colour) = ink.outline {
            self.outline(&path, colour, &mark);
        }
    }

    /// Lays a translucent colour (alpha in [0, 1]) over what is there; parts stay what they are.
    pub fn glaze(&mut self, shape: Outline, colour: Rgb, alpha: f32) {
        let Some(path) = shape.path() else { return };
        let mut paint = Paint::default();
        paint.set_color(translucent(colour, alpha));
        self.picture.fill_path(&path, &paint, FillRule::Winding, self.place, None);
    }

    /// A soft ellipse, `alpha` in the middle and nothing at the rim: glows and shadows. No part.
    pub fn glow(&mut self, (cx, cy): P, (rx, ry): P, colour: Rgb, alpha: f32) {
        let Some(path) = Outline::default().circle(0.0, 0.0, 1.0).path() else { return };
        let stops = [(0.0, 1.0), (0.5, 0.62), (1.0, 0.0)]
            .map(|(at, part)| GradientStop::new(at, translucent(colour, alpha * part)));
        let zero = Point::zero();
        let shader =
            RadialGradient::new(zero, zero, 1.0, stops.to_vec(), SpreadMode::Pad, Transform::identity());
        let Some(shader) = shader else { return };
        let paint = Paint { shader, anti_alias: true, ..Paint::default() };
        let place = self.place.pre_concat(Transform::from_row(rx, 0.0, 0.0, ry, cx, cy));
        self.picture.fill_path(&path, &paint, FillRule::Winding, place, None);
    }

    /// The shadow of a thing that stands on the ground at `(cx, cy)`.
    pub fn shadow(&mut self, cx: f32, cy: f32, rx: f32, ry: f32) {
        self.glow((cx, cy), (rx, ry), hex(0x14122B), 0.55);
    }

    /// Picture (RGBA, opaque) and part map (first byte of four) as they are.
    pub fn finish(self) -> (Pixmap, Pixmap) {
        (self.picture, self.map)
    }

    /// Draws along `path`, which is in pixels.
    fn outline(&mut self, path: &Path, colour: Rgb, mark: &Paint) {
        let stroke = Stroke { width: LINE * self.picture.width() as f32, ..Stroke::default() };
        let mut paint = Paint::default();
        paint.set_color(translucent(colour, 1.0));
        self.picture.stroke_path(path, &paint, &stroke, Transform::identity(), None);
        // Thinner lines hardly leave the shape, while a hard-edged line is a whole pixel wide.
        if stroke.width >= 1.0 {
            self.map.stroke_path(path, mark, &stroke, Transform::identity(), None);
        }
    }

    /// The colours of `ink` over `path`, which is in local coordinates; the shader is in pixels.
    fn shader(&self, path: &Path, ink: &Ink) -> Shader<'static> {
        let [a, b, c] = ink.colours.map(|c| translucent(c, 1.0));
        let plain = Shader::SolidColor(b);
        if ink.colours[0] == ink.colours[2] {
            return plain;
        }
        let bounds = path.bounds();
        let (cx, cy) = ((bounds.left() + bounds.right()) / 2.0, (bounds.top() + bounds.bottom()) / 2.0);
        let (hw, hh) = (bounds.width() / 2.0, bounds.height() / 2.0);
        let (lx, ly) = self.local_light();
        let place = self.place;
        let (first, last) = (GradientStop::new(0.0, a), GradientStop::new(1.0, c));
        let shader = match ink.run {
            Run::Ball => {
                let from = Point::from_xy(cx + 0.4 * lx * hw, cy + 0.4 * ly * hh);
                let stops = vec![first, GradientStop::new(0.45, b), last];
                RadialGradient::new(from, from, 1.35 * hw.max(hh), stops, SpreadMode::Pad, place)
            }
            Run::Lit | Run::Down => {
                let (dx, dy) = if matches!(ink.run, Run::Lit) { (lx, ly) } else { (0.0, -1.0) };
                let reach = dx.abs() * hw + dy.abs() * hh;
                let end = |sign: f32| Point::from_xy(cx + sign * dx * reach, cy + sign * dy * reach);
                // Two stops draw much faster than three.
                LinearGradient::new(end(1.0), end(-1.0), vec![first, last], SpreadMode::Pad, place)
            }
        };
        shader.unwrap_or(plain)
    }

    /// Unit direction towards the light in the present frame.
    fn local_light(&self) -> P {
        let t = self.place;
        let det = t.sx * t.sy - t.kx * t.ky;
        let (x, y) = (
            (t.sy * self.light.0 - t.kx * self.light.1) / det,
            (t.sx * self.light.1 - t.ky * self.light.0) / det,
        );
        let length = (x * x + y * y).sqrt();
        (x / length, y / length)
    }

    #[cfg(test)]
    fn seen(&self, part: ScenePart, ink: Ink) -> Ink {
        if self.repainted != Some(part) {
            return ink;
        }
        let magenta = Rgb([1.0, 0.0, 1.0]);
        Ink { colours: [magenta; 3], outline: ink.outline.map(|_| magenta), ..ink }
    }

    #[cfg(not(test))]
    fn seen(&self, _part: ScenePart, ink: Ink) -> Ink {
        ink
    }
}

/// The paint that writes `part` into the part map.
fn solid(part: ScenePart) -> Paint<'static> {
    let mut paint = Paint { anti_alias: false, ..Paint::default() };
    paint.set_color_rgba8(part as u8, 0, 0, 255);
    paint
}

fn translucent(colour: Rgb, alpha: f32) -> Color {
    let [r, g, b] = colour.0.map(|v| v.clamp(0.0, 1.0));
    Color::from_rgba(r, g, b, alpha.clamp(0.0, 1.0)).unwrap_or(Color::BLACK)
}
