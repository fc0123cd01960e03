//! The marks on pictures: the query's red dashes, the frames of the paper's
//! appendix E, and the signs that say the same without colour.

use eframe::egui::{Color32, FontId, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2, vec2};

use crate::colormap;
use crate::engine::{Relation, Sign};
use crate::patch::BoxRef;

use crate::gui::paint::pane::Placement;
use crate::gui::paint::theme::rgb;

/// Side of the sign of a query's part, points.
const SIGN_SIDE: f32 = 12.0;

/// Smallest side of a cell that has words on it, points.
const LEAST_FOR_WORDS: f32 = 24.0;

/// Red dashes around the query, on a light line that keeps them visible on red.
pub fn query_dashes(painter: &Painter, rect: Rect) {
    let corners =
        [rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom(), rect.left_top()];
    let pale = Stroke::new(2.0, Color32::from_white_alpha(150));
    painter.add(Shape::closed_line(corners[..4].to_vec(), pale));
    let dash = (rect.width() / 7.0).clamp(3.0, 8.0);
    painter.extend(Shape::dashed_line(&corners, Stroke::new(2.0, rgb(colormap::QUERY)), dash, dash * 0.7));
}

/// The query's parts on an image, each with its sign where there are several or one is to be unlike.
pub fn query_boxes(painter: &Painter, placement: Placement, boxes: &[(Sign, BoxRef)]) {
    let has_signs = boxes.len() > 1 || boxes.iter().any(|(sign, _)| *sign == Sign::Minus);
    for (sign, area) in boxes {
        let rect = placement.area(*area);
        query_dashes(painter, rect);
        if has_signs {
            sign_in_corner(painter, rect, *sign);
        }
    }
}

/// "+" or a minus sign on a dark ground in the upper left corner.
pub fn sign_in_corner(painter: &Painter, rect: Rect, sign: Sign) {
    let ground = Rect::from_min_size(rect.min, Vec2::splat(SIGN_SIDE));
    painter.rect_filled(ground, 2.0, rgb(colormap::QUERY));
    let (middle, arm) = (ground.center(), SIGN_SIDE * 0.3);
    let stroke = Stroke::new(2.0, Color32::WHITE);
    painter.line_segment([middle - vec2(arm, 0.0), middle + vec2(arm, 0.0)], stroke);
    if sign == Sign::Plus {
        painter.line_segment([middle - vec2(0.0, arm), middle + vec2(0.0, arm)], stroke);
    }
}

/// A number on a red ground whose upper left corner is `at`. Returns the ground.
pub fn number(painter: &Painter, at: Pos2, number: usize) -> Rect {
    let galley = painter.layout_no_wrap(number.to_string(), FontId::proportional(12.0), Color32::WHITE);
    let ground = Rect::from_min_size(at, galley.size() + vec2(6.0, 0.0));
    painter.rect_filled(ground, 2.0, rgb(colormap::QUERY));
    painter.galley(ground.min + vec2(3.0, 0.0), galley, Color32::WHITE);
    ground
}

/// A thin outline that shows on light and dark: the patch under the pointer.
pub fn hover_outline(painter: &Painter, rect: Rect) {
    painter.rect_stroke(rect, 0.0, Stroke::new(3.0, Color32::from_black_alpha(130)), StrokeKind::Middle);
    painter.rect_stroke(rect, 0.0, Stroke::new(1.0, Color32::WHITE), StrokeKind::Middle);
}

/// The frame and corner sign of a neighbour.
pub fn relation_marks(painter: &Painter, rect: Rect, relation: Relation) {
    let width = (rect.width() / 14.0).clamp(1.5, 3.0);
    match relation {
        Relation::SameImage => {}
        Relation::SameClass => {
            frame(painter, rect, width, colormap::SAME_CLASS);
            triangle(painter, rect, width);
        }
        Relation::OtherClass => {
            frame(painter, rect, width, colormap::OTHER_CLASS);
            cross(painter, rect, width);
        }
        Relation::OtherImage => frame(painter, rect, 1.0, colormap::UNLABELLED),
    }
}

fn frame(painter: &Painter, rect: Rect, width: f32, color: [u8; 3]) {
    painter.rect_stroke(rect, 0.0, Stroke::new(width, rgb(color)), StrokeKind::Inside);
}

/// Side of a corner sign.
fn sign_side(rect: Rect) -> f32 {
    (rect.width() * 0.24).clamp(4.0, 9.0)
}

/// Filled triangle in the lower right corner: same class.
fn triangle(painter: &Painter, rect: Rect, inset: f32) {
    let (corner, side): (Pos2, f32) = (rect.max - Vec2::splat(inset), sign_side(rect) + 1.0);
    let points = vec![corner, corner - vec2(side, 0.0), corner - vec2(0.0, side)];
    painter.add(Shape::convex_polygon(
        points,
        Color32::WHITE,
        Stroke::new(1.0, Color32::from_black_alpha(200)),
    ));
}

/// A light dot in the upper left corner: both of two compared models find this neighbour.
pub fn common_dot(painter: &Painter, rect: Rect) {
    let radius = sign_side(rect) / 2.0;
    let centre = rect.min + Vec2::splat(radius + 2.0);
    painter.circle(centre, radius, Color32::WHITE, Stroke::new(1.0, Color32::from_black_alpha(220)));
}

/// How many copies a neighbour stands for, in the lower left corner: "×3". Nothing of one, nor where a cell is too
/// small for words.
pub fn copies(painter: &Painter, rect: Rect, copies: usize) {
    if copies < 2 || rect.width() < LEAST_FOR_WORDS {
        return;
    }
    let font = FontId::proportional((rect.width() * 0.3).clamp(8.0, 12.0));
    let galley = painter.layout_no_wrap(format!("\u{d7}{copies}"), font, Color32::WHITE);
    let size = galley.size() + vec2(4.0, 0.0);
    let ground = Rect::from_min_size(rect.left_bottom() - vec2(0.0, size.y), size);
    painter.rect_filled(ground, 2.0, Color32::from_black_alpha(190));
    painter.galley(ground.min + vec2(2.0, 0.0), galley, Color32::WHITE);
}

/// Cross on a light square in the lower right corner: other class, as in figures.
fn cross(painter: &Painter, rect: Rect, inset: f32) {
    let corner = rect.max - Vec2::splat(inset);
    let ground = Rect::from_min_max(corner - Vec2::splat(sign_side(rect) + 1.0), corner);
    painter.rect_filled(ground, 0.0, Color32::WHITE);
    let arms = ground.shrink(ground.width() * 0.22);
    let stroke = Stroke::new((ground.width() * 0.2).max(1.2), rgb(colormap::OTHER_CLASS));
    painter.line_segment([arms.left_top(), arms.right_bottom()], stroke);
    painter.line_segment([arms.right_top(), arms.left_bottom()], stroke);
}
