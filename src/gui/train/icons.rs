//! Small buttons with a drawn sign, as the fonts have none of these, and a name that explains it.

use eframe::egui::{Painter, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

/// Side of a button, and of the sign in it, points.
pub const SIDE: f32 = 16.0;
const SIGN: f32 = 9.0;

/// What the sign shows.
#[derive(Clone, Copy)]
pub enum Icon {
    /// A square as large as it gets.
    Enlarge,
    /// A small square in it.
    Shrink,
    /// An arrow down to a line.
    Save,
}

/// A button. Its name stands in its tooltip, too.
pub fn icon_ui(ui: &mut Ui, icon: Icon, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(SIDE, SIDE), Sense::click());
    let visuals = ui.style().interact(&response);
    if response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, visuals.corner_radius, visuals.weak_bg_fill);
    }
    let color = if response.hovered() { ui.visuals().text_color() } else { ui.visuals().weak_text_color() };
    paint(
        ui.painter(),
        Rect::from_center_size(rect.center(), vec2(SIGN, SIGN)),
        icon,
        Stroke::new(1.2, color),
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    response.on_hover_text(name)
}

fn paint(painter: &Painter, sign: Rect, icon: Icon, stroke: Stroke) {
    let outline = |rect: Rect| {
        let corners =
            [rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom(), rect.left_top()];
        painter.line(corners.to_vec(), stroke);
    };
    match icon {
        Icon::Enlarge => outline(sign),
        Icon::Shrink => {
            outline(sign);
            outline(Rect::from_min_max(sign.center(), sign.max));
        }
        Icon::Save => {
            let (x, foot) = (sign.center().x, sign.bottom() - 2.5);
            painter.line_segment([pos2(x, sign.top()), pos2(x, foot)], stroke);
            painter.line(vec![pos2(x - 3.0, foot - 3.0), pos2(x, foot), pos2(x + 3.0, foot - 3.0)], stroke);
            painter.line_segment([sign.left_bottom(), sign.right_bottom()], stroke);
        }
    }
}
