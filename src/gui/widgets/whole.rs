//! Fields of whole numbers.

use eframe::egui::{DragValue, Ui};
use eframe::emath::Numeric;

/// What a whole number changes by for each point that it is dragged, unless told.
pub const DRAG: f64 = 0.25;

/// A field of a whole number, which changes by `drag` for each point that it is dragged, and by one at least by an arrow
/// key: egui steps by the speed of dragging, and rounding takes a step below a half away again. It is to be added next.
pub fn whole<'a, N: Numeric>(ui: &Ui, number: &'a mut N, drag: f64) -> DragValue<'a> {
    let has_focus = ui.memory(|memory| memory.has_focus(ui.next_auto_id()));
    DragValue::new(number).speed(if has_focus { drag.max(1.0) } else { drag })
}

#[cfg(test)]
mod tests {
    use eframe::egui::Key;
    use eframe::egui::accesskit::Role;
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable;

    use super::*;

    #[test]
    fn an_arrow_key_steps_by_one() {
        let field = |ui: &mut Ui, number: &mut u32| {
            let value = whole(ui, number, 0.1).range(1..=99);
            ui.add(value).accessible_name("patches");
        };
        let mut harness = Harness::builder().build_ui_state(field, 16);
        harness.get_by_role(Role::SpinButton).focus();
        harness.run();
        for (key, expected) in [(Key::ArrowUp, 17), (Key::ArrowUp, 18), (Key::ArrowDown, 17)] {
            harness.key_press(key);
            harness.run();
            assert_eq!(*harness.state(), expected, "{key:?}");
        }
    }
}
