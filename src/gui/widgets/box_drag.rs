//! Drawing a box on the image with the pointer: any size, seen while it grows, dropped by Esc.

use eframe::egui::{Align2, Color32, FontId, Key, Painter, PointerButton, Pos2, Response, Ui, vec2};

use crate::engine::ImageView;
use crate::patch::BoxRef;

use crate::gui::paint::marks;
use crate::gui::paint::pane::Placement;

/// A drag shorter than this on screen is none, points.
const SHORTEST: f32 = 6.0;

/// The box that is being drawn, in pixels of the image.
#[derive(Default)]
pub struct BoxDrag(Option<Corners>);

#[derive(Clone, Copy)]
struct Corners {
    from: Pos2,
    to: Pos2,
    image: usize,
}

impl BoxDrag {
    /// Follows the pointer on one of the panes that show the image. Returns the box once it is drawn.
    pub fn update(
        &mut self,
        ui: &Ui,
        pane: &Response,
        placement: Placement,
        view: &ImageView,
    ) -> Option<BoxRef> {
        let (primary, input) = (PointerButton::Primary, |input: &eframe::egui::InputState| {
            (input.pointer.press_origin(), input.pointer.interact_pos())
        });
        let (press, now) = ui.input(input);
        if pane.drag_started_by(primary) {
            let corners = |at: Pos2| Corners { from: at, to: at, image: view.index };
            self.0 = press.map(|at| corners(placement.to_image(at)));
        }
        if self.0.is_some_and(|corners| corners.image != view.index)
            || ui.input_mut(|input| self.0.is_some() && input.consume_key(Default::default(), Key::Escape))
        {
            self.0 = None;
        }
        if let (Some(corners), Some(now), true) = (&mut self.0, now, pane.dragged_by(primary)) {
            corners.to = placement.to_image(now);
        }
        if !pane.drag_stopped_by(primary) {
            return None;
        }
        let corners = self.0.take()?;
        let long = (corners.to - corners.from).length() * placement.scale() >= SHORTEST;
        long.then(|| corners.area(view.image.height(), view.image.width()))
    }

    /// Whether one is being drawn.
    pub fn is_active(&self) -> bool {
        self.0.is_some()
    }

    /// Draws it with its size on one of the panes.
    pub fn paint(&self, painter: &Painter, placement: Placement, view: &ImageView) {
        let Some(corners) = self.0 else { return };
        let area = corners.area(view.image.height(), view.image.width());
        let rect = placement.area(area);
        marks::query_dashes(painter, rect);
        let text = format!("{} x {}", area.width, area.height);
        let at = rect.right_bottom() + vec2(4.0, 2.0);
        for (shift, color) in [(vec2(1.0, 1.0), Color32::BLACK), (vec2(0.0, 0.0), Color32::WHITE)] {
            painter.text(at + shift, Align2::LEFT_TOP, &text, FontId::proportional(11.0), color);
        }
    }
}

impl Corners {
    /// All pixels of an image of `height` x `width` that the box touches, at least one.
    fn area(self, height: u32, width: u32) -> BoxRef {
        let along = |a: f32, b: f32, side: u32| {
            let first = (a.min(b).floor().max(0.0) as u32).min(side.saturating_sub(1));
            let end = (a.max(b).ceil().max(0.0) as u32).clamp(first + 1, side.max(first + 1));
            (first, end - first)
        };
        let (x, across) = along(self.from.x, self.to.x, width);
        let (y, down) = along(self.from.y, self.to.y, height);
        BoxRef { image: self.image as u32, y, x, height: down, width: across }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::pos2;

    fn area(from: Pos2, to: Pos2) -> (u32, u32, u32, u32) {
        let BoxRef { y, x, height, width, .. } = Corners { from, to, image: 0 }.area(20, 30);
        (y, x, height, width)
    }

    #[test]
    fn a_box_has_all_pixels_that_it_touches_and_stays_on_the_image() {
        assert_eq!(area(pos2(3.2, 4.7), pos2(10.1, 6.0)), (4, 3, 2, 8));
        assert_eq!(area(pos2(10.1, 6.0), pos2(3.2, 4.7)), (4, 3, 2, 8));
        assert_eq!(area(pos2(-5.0, 12.0), pos2(99.0, 99.0)), (12, 0, 8, 30));
        assert_eq!(area(pos2(40.0, 40.0), pos2(50.0, 50.0)), (19, 29, 1, 1));
    }
}
