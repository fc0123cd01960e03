//! Points of a plane as pixels, and where the plane lies on the screen.

use eframe::egui::{Color32, ColorImage, Pos2, Rect, Vec2, vec2};

use crate::colormap::{Colormap, category, place_color};
use crate::engine::Tints;
use crate::gui::paint::theme::rgb;

/// Share of a pane that stays free about the outermost points.
const MARGIN: f32 = 0.04;
/// Largest zoom over the whole plane.
const MAX_ZOOM: f32 = 4000.0;
/// Opacity of a dot: where many lie on one another it is seen.
const ALPHA: f32 = 0.8;

/// What part of a plane is seen. Its second coordinate grows upwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlaneView {
    /// The point of the plane in the middle of its pane.
    pub centre: [f32; 2],
    /// Points of the screen for a unit of the plane.
    pub scale: f32,
}

impl PlaneView {
    /// All from the smallest to the largest coordinates, in a pane of `size` points.
    pub fn whole([low, high]: [[f32; 2]; 2], size: Vec2) -> Self {
        let extent = [0, 1].map(|c| (high[c] - low[c]).max(1e-6));
        let room = size * (1.0 - 2.0 * MARGIN);
        let scale = (room.x / extent[0]).min(room.y / extent[1]);
        Self { centre: [0, 1].map(|c| (low[c] + high[c]) / 2.0), scale: scale.max(1e-6) }
    }

    /// Where a point of the plane lies on the screen.
    pub fn to_screen(self, pane: Rect, at: [f32; 2]) -> Pos2 {
        pane.center() + vec2(at[0] - self.centre[0], self.centre[1] - at[1]) * self.scale
    }

    /// The point of the plane at a place of the screen.
    pub fn to_plane(self, pane: Rect, pos: Pos2) -> [f32; 2] {
        let off = (pos - pane.center()) / self.scale;
        [self.centre[0] + off.x, self.centre[1] - off.y]
    }

    /// The smallest and the largest coordinates that are seen.
    pub fn seen(&self, pane: Rect) -> [[f32; 2]; 2] {
        let (a, b) = (self.to_plane(pane, pane.left_bottom()), self.to_plane(pane, pane.right_top()));
        [a, b]
    }

    /// Zooms by `factor` about a place of the screen, as far as `whole` allows.
    pub fn zoom_about(&mut self, pane: Rect, pos: Pos2, factor: f32, whole: &PlaneView) {
        let fixed = self.to_plane(pane, pos);
        let scale = (self.scale * factor).clamp(whole.scale / 2.0, whole.scale * MAX_ZOOM);
        let ratio = self.scale / scale;
        self.centre = [0, 1].map(|c| fixed[c] + (self.centre[c] - fixed[c]) * ratio);
        self.scale = scale;
    }

    /// Moves the plane by `delta` points of the screen.
    pub fn pan(&mut self, delta: Vec2) {
        self.centre = [self.centre[0] - delta.x / self.scale, self.centre[1] + delta.y / self.scale];
    }

    /// Where what was drawn of `pane` as it is seen by `drawn` lies as it is seen now.
    pub fn moved(&self, pane: Rect, drawn: &PlaneView) -> Rect {
        let [low, high] = drawn.seen(pane);
        Rect::from_two_pos(self.to_screen(pane, low), self.to_screen(pane, high))
    }
}

/// Colour of the value that is a share `t` of the way from the lowest to the highest.
pub fn number_color(colormap: Colormap, t: f32, dark: bool) -> Color32 {
    rgb(colormap.on_ground(t, dark))
}

/// A colour for each of `count` points.
pub fn colors(count: usize, tints: Option<&Tints>, colormap: Colormap, dark: bool) -> Vec<Color32> {
    let plain = Color32::from_gray(if dark { 150 } else { 120 });
    match tints {
        Some(Tints::Kinds { index, names, .. }) => {
            let kinds: Vec<Color32> = (0..names.len()).map(|kind| rgb(category(kind))).collect();
            index.iter().map(|kind| kinds.get(usize::from(*kind)).copied().unwrap_or(plain)).collect()
        }
        Some(Tints::Places(places)) => places.iter().map(|place| rgb(place_color(*place))).collect(),
        Some(Tints::Numbers { values, range: [low, high] }) => {
            let table: Vec<Color32> =
                (0..256).map(|i| number_color(colormap, i as f32 / 255.0, dark)).collect();
            let color = |value: &f32| match value.is_nan() {
                true => plain,
                false => table[(((value - low) / (high - low)).clamp(0.0, 1.0) * 255.0) as usize],
            };
            values.iter().map(color).collect()
        }
        None => vec![plain; count],
    }
}

/// Side of a dot in points of the screen where so many are seen.
fn dot(seen: usize) -> f32 {
    match seen {
        0..=2_000 => 5.0,
        2_001..=15_000 => 4.0,
        15_001..=60_000 => 3.0,
        60_001..=250_000 => 2.0,
        _ => 1.0,
    }
}

/// What a pane shows.
pub struct Dots {
    /// As many pixels as the pane has.
    pub image: ColorImage,
    /// Points that are seen.
    pub seen: usize,
}

/// Draws points `at` as `view` shows them on `pane`, with `pixels_per_point`.
pub fn raster(
    at: &[[f32; 2]],
    colors: &[Color32],
    view: &PlaneView,
    pane: Rect,
    pixels_per_point: f32,
) -> Dots {
    let size = [pane.width(), pane.height()].map(|side| (side * pixels_per_point).round().max(1.0) as usize);
    let mut image = ColorImage::filled(size, Color32::TRANSPARENT);
    let [low, high] = view.seen(pane);
    let is_seen = |at: &[f32; 2]| (0..2).all(|c| at[c] >= low[c] && at[c] <= high[c]);
    let seen = at.iter().filter(|at| is_seen(at)).count();
    let side = (dot(seen) * pixels_per_point).round().max(1.0) as i32;
    let scale = view.scale * pixels_per_point;
    let [width, height] = size.map(|side| side as i32);
    for (at, color) in at.iter().zip(colors) {
        let x = ((at[0] - low[0]) * scale).round() as i32 - side / 2;
        let y = ((high[1] - at[1]) * scale).round() as i32 - side / 2;
        if x + side <= 0 || y + side <= 0 || x >= width || y >= height {
            continue;
        }
        let color = color.gamma_multiply(ALPHA);
        for row in y.max(0)..(y + side).min(height) {
            let is_end = row == y || row == y + side - 1;
            // Without its corners it is round.
            let cut = i32::from(is_end && side > 2);
            let line = row as usize * size[0];
            for col in (x + cut).max(0)..(x + side - cut).min(width) {
                let pixel = &mut image.pixels[line + col as usize];
                *pixel = pixel.blend(color);
            }
        }
    }
    Dots { image, seen }
}

/// Of the points that are seen, one in each square of a lattice that is fixed to the plane and whose squares are at least
/// `least` and less than twice as many points of the screen wide: the first of each, so that they stay while one pans.
pub fn spread(at: &[[f32; 2]], view: &PlaneView, pane: Rect, least: f32) -> Vec<u32> {
    let step = (least / view.scale).log2().ceil().exp2();
    let [low, high] = view.seen(pane);
    let first = low.map(|v| (v / step).floor());
    let count = [0, 1].map(|c| ((high[c] / step).floor() - first[c]) as usize + 1);
    let mut squares = vec![u32::MAX; count[0] * count[1]];
    for (point, at) in at.iter().enumerate() {
        if (0..2).all(|c| at[c] >= low[c] && at[c] <= high[c]) {
            let [col, row] = [0, 1].map(|c| ((at[c] / step).floor() - first[c]) as usize);
            let square = &mut squares[row.min(count[1] - 1) * count[0] + col.min(count[0] - 1)];
            *square = (*square).min(point as u32);
        }
    }
    let mut chosen: Vec<u32> = squares.into_iter().filter(|point| *point != u32::MAX).collect();
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::pos2;

    const PANE: Rect = Rect { min: pos2(10.0, 20.0), max: pos2(210.0, 120.0) };

    fn view() -> PlaneView {
        PlaneView::whole([[-1.0, -0.5], [1.0, 0.5]], PANE.size())
    }

    #[test]
    fn the_whole_plane_is_seen_upright_and_places_go_to_the_screen_and_back() {
        let view = view();
        let [low, high] = view.seen(PANE);
        assert!(low[0] < -1.0 && low[1] < -0.5 && high[0] > 1.0 && high[1] > 0.5, "{low:?} {high:?}");
        let up = view.to_screen(PANE, [0.0, 0.4]);
        assert!(up.y < PANE.center().y && up.x == PANE.center().x);
        let there = view.to_plane(PANE, up);
        assert!(there[0].abs() < 1e-6 && (there[1] - 0.4).abs() < 1e-6);
    }

    #[test]
    fn zooming_keeps_the_point_under_the_pointer_and_what_was_drawn_moves_along() {
        let (before, mut now) = (view(), view());
        let pos = pos2(150.0, 40.0);
        let fixed = now.to_plane(PANE, pos);
        now.zoom_about(PANE, pos, 3.0, &before);
        assert!((now.to_screen(PANE, fixed) - pos).length() < 1e-3);
        assert!((now.scale / before.scale - 3.0).abs() < 1e-5);
        let moved = now.moved(PANE, &before);
        assert!((moved.width() - 3.0 * PANE.width()).abs() < 1e-2);
        now.pan(vec2(5.0, -7.0));
        assert!((now.to_screen(PANE, fixed) - pos - vec2(5.0, -7.0)).length() < 1e-3);
        now.zoom_about(PANE, pos, 1e-9, &before);
        assert!((now.scale - before.scale / 2.0).abs() < 1e-5);
    }

    #[test]
    fn each_dot_has_its_colour_at_its_place_and_those_out_of_sight_are_not_counted() {
        let at = [[-0.5, 0.25], [0.5, -0.25], [7.0, 0.0]];
        let tints = Tints::kinds(vec![0, 1, 1], vec!["a".into(), "b".into()]);
        let colors = colors(3, Some(&tints), Colormap::Magma, false);
        let dots = raster(&at, &colors, &view(), PANE, 2.0);
        assert_eq!((dots.image.size, dots.seen), ([400, 200], 2));
        for (at, color) in at.iter().zip(&colors).take(2) {
            let pos = (view().to_screen(PANE, *at) - PANE.min) * 2.0;
            let pixel = dots.image.pixels[pos.y.round() as usize * 400 + pos.x.round() as usize];
            let expected = color.gamma_multiply(ALPHA);
            assert_eq!(pixel, expected);
        }
        let drawn = dots.image.pixels.iter().filter(|pixel| **pixel != Color32::TRANSPARENT).count();
        // Two squares of 10 pixels without their corners' rows.
        assert_eq!(drawn, 2 * (10 * 10 - 4));
    }

    #[test]
    fn one_point_of_each_square_stands_for_the_others_and_stays_when_one_pans() {
        let at: Vec<[f32; 2]> =
            (0..5000).map(|i| [(i as f32 * 0.71).sin(), (i as f32 * 0.37).cos() / 2.0]).collect();
        let chosen = spread(&at, &view(), PANE, 20.0);
        assert!((20..=60).contains(&chosen.len()), "{}", chosen.len());
        let mut moved = view();
        moved.pan(vec2(15.0, 0.0));
        let again = spread(&at, &moved, PANE, 20.0);
        let stay = again.iter().filter(|point| chosen.contains(point)).count();
        assert!(stay * 10 >= again.len() * 7, "{stay} of {}", again.len());
    }
}
