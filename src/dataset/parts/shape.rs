//! Outlines in local coordinates (x to the right, y down), built from a few tools:
//! ellipses, polygons with rounded corners, smooth closed curves and tapered limbs.

use tiny_skia::{Path, PathBuilder, Rect};

/// A point `(x, y)`.
pub(super) type P = (f32, f32);

/// One outline or several; overlapping ones unite, since all run the same way round.
#[derive(Default)]
pub(super) struct Outline {
    builder: PathBuilder,
}

impl Outline {
    /// The path, or `None` if nothing was added.
    pub fn path(self) -> Option<Path> {
        self.builder.finish()
    }

    /// An ellipse with centre `(cx, cy)` and radii `rx`, `ry`.
    pub fn ellipse(mut self, cx: f32, cy: f32, rx: f32, ry: f32) -> Self {
        if let Some(rect) = Rect::from_ltrb(cx - rx, cy - ry, cx + rx, cy + ry) {
            self.builder.push_oval(rect);
        }
        self
    }

    /// A circle.
    pub fn circle(self, cx: f32, cy: f32, r: f32) -> Self {
        self.ellipse(cx, cy, r, r)
    }

    /// The rectangle with top-left `(x, y)`.
    pub fn rect(self, x: f32, y: f32, w: f32, h: f32) -> Self {
        self.poly(&[(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    }

    /// A rectangle whose corners have radius `r`.
    pub fn round_rect(self, x: f32, y: f32, w: f32, h: f32, r: f32) -> Self {
        self.rounded(&[(x, y, r), (x + w, y, r), (x + w, y + h, r), (x, y + h, r)])
    }

    /// A straight band from `a` to `b`, `w` wide.
    pub fn band(self, a: P, b: P, w: f32) -> Self {
        let (nx, ny) = normal(a, b);
        let (x, y) = (nx * w / 2.0, ny * w / 2.0);
        self.poly(&[(a.0 - x, a.1 - y), (b.0 - x, b.1 - y), (b.0 + x, b.1 + y), (a.0 + x, a.1 + y)])
    }

    /// A closed polygon.
    pub fn poly(mut self, points: &[P]) -> Self {
        let points = clockwise(points.to_vec(), |p| *p);
        for (k, p) in points.iter().enumerate() {
            if k == 0 { self.builder.move_to(p.0, p.1) } else { self.builder.line_to(p.0, p.1) }
        }
        self.builder.close();
        self
    }

    /// A closed polygon of `(x, y, radius)`, its corners rounded.
    pub fn rounded(mut self, points: &[(f32, f32, f32)]) -> Self {
        let points = clockwise(points.to_vec(), |p| (p.0, p.1));
        let n = points.len();
        for k in 0..n {
            let (x, y, r) = points[k];
            let from = towards((x, y), points[(k + n - 1) % n], r);
            let to = towards((x, y), points[(k + 1) % n], r);
            if k == 0 {
                self.builder.move_to(from.0, from.1)
            } else {
                self.builder.line_to(from.0, from.1)
            }
            self.builder.quad_to(x, y, to.0, to.1);
        }
        self.builder.close();
        self
    }

    /// A smooth closed curve through the points (Catmull-Rom).
    pub fn smooth(mut self, points: &[P]) -> Self {
        let p = clockwise(points.to_vec(), |p| *p);
        let n = p.len();
        self.builder.move_to(p[0].0, p[0].1);
        for k in 0..n {
            self.spline(p[(k + n - 1) % n], p[k], p[(k + 1) % n], p[(k + 2) % n]);
        }
        self.builder.close();
        self
    }

    /// Ground: a smooth line through the points, left to right, filled down to `bottom`.
    pub fn terrain(mut self, points: &[P], bottom: f32) -> Self {
        let last = points.len() - 1;
        self.builder.move_to(points[0].0, points[0].1);
        for k in 0..last {
            self.spline(points[k.saturating_sub(1)], points[k], points[k + 1], points[(k + 2).min(last)]);
        }
        self.builder.line_to(points[last].0, bottom);
        self.builder.line_to(points[0].0, bottom);
        self.builder.close();
        self
    }

    /// A limb along a smooth spine of `(x, y, half width)`, with round ends.
    pub fn limb(self, spine: &[(f32, f32, f32)]) -> Self {
        let fine = resample(spine);
        let last = fine.len() - 1;
        let (mut left, mut right) = (Vec::with_capacity(2 * last + 4), Vec::with_capacity(last + 1));
        for k in 0..=last {
            let (a, b) = (fine[k.saturating_sub(1)], fine[(k + 1).min(last)]);
            let (nx, ny) = normal((a.0, a.1), (b.0, b.1));
            let (x, y, w) = fine[k];
            left.push((x + nx * w, y + ny * w));
            right.push((x - nx * w, y - ny * w));
        }
        left.push(cap(fine[last - 1], fine[last]));
        left.extend(right.into_iter().rev());
        left.push(cap(fine[1], fine[0]));
        self.smooth(&left)
    }

    /// A blade of grass, a tuft or a feather tip: a thin triangle from a base `w` wide to `tip`.
    pub fn blade(self, base: P, tip: P, w: f32) -> Self {
        let (nx, ny) = normal(base, tip);
        let (x, y) = (nx * w / 2.0, ny * w / 2.0);
        self.poly(&[(base.0 - x, base.1 - y), tip, (base.0 + x, base.1 + y)])
    }

    fn spline(&mut self, a: P, b: P, c: P, d: P) {
        let (ux, uy) = ((c.0 - a.0) / 6.0, (c.1 - a.1) / 6.0);
        let (vx, vy) = ((d.0 - b.0) / 6.0, (d.1 - b.1) / 6.0);
        self.builder.cubic_to(b.0 + ux, b.1 + uy, c.0 - vx, c.1 - vy, c.0, c.1);
    }
}

/// Whether `(x, y)` lies in the polygon (crossing number).
pub(super) fn inside(points: &[P], x: f32, y: f32) -> bool {
    let n = points.len();
    let crosses = |k: usize| {
        let ((ax, ay), (bx, by)) = (points[k], points[(k + 1) % n]);
        (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax
    };
    (0..n).filter(|&k| crosses(k)).count() % 2 == 1
}

/// The points in the direction of tiny-skia's ovals, whichever way they came.
fn clockwise<T>(mut points: Vec<T>, at: impl Fn(&T) -> P) -> Vec<T> {
    let n = points.len();
    let doubled_area: f32 = (0..n)
        .map(|k| {
            let (a, b) = (at(&points[k]), at(&points[(k + 1) % n]));
            a.0 * b.1 - b.0 * a.1
        })
        .sum();
    if doubled_area < 0.0 {
        points.reverse();
    }
    points
}

/// Unit normal of the line from `a` to `b`; zero where they coincide.
fn normal(a: P, b: P) -> P {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = (dx * dx + dy * dy).sqrt();
    if length > 0.0 { (-dy / length, dx / length) } else { (0.0, 0.0) }
}

/// The point `r` from `p` towards `q`, at most half way.
fn towards(p: P, q: (f32, f32, f32), r: f32) -> P {
    let (dx, dy) = (q.0 - p.0, q.1 - p.1);
    let length = (dx * dx + dy * dy).sqrt().max(1e-6);
    let t = (r / length).min(0.5);
    (p.0 + dx * t, p.1 + dy * t)
}

/// The point of a round end: past `end`, by its half width, coming from `before`.
fn cap(before: (f32, f32, f32), end: (f32, f32, f32)) -> P {
    let (nx, ny) = normal((before.0, before.1), (end.0, end.1));
    (end.0 + ny * end.2, end.1 - nx * end.2)
}

/// Three Catmull-Rom samples to a segment; widths go along.
fn resample(spine: &[(f32, f32, f32)]) -> Vec<(f32, f32, f32)> {
    let last = spine.len() - 1;
    let mut fine = Vec::with_capacity(3 * last + 1);
    for k in 0..last {
        let (a, b) = (spine[k.saturating_sub(1)], spine[k]);
        let (c, d) = (spine[k + 1], spine[(k + 2).min(last)]);
        for t in [0.0, 1.0 / 3.0, 2.0 / 3.0] {
            let cubic = |a: f32, b: f32, c: f32, d: f32| {
                let (u, v) = (2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a);
                0.5 * (2.0 * b + t * (c - a + t * (u + t * v)))
            };
            fine.push((cubic(a.0, b.0, c.0, d.0), cubic(a.1, b.1, c.1, d.1), b.2 + (c.2 - b.2) * t));
        }
    }
    fine.push(spine[last]);
    fine
}
