//! Nothing that can be operated is cut, from 1000x700 to 2560x1440 pixels and interfaces of 0.8 to 2: the views of
//! Explore, the dialogs, the palette and the list of keys. Train is in `gui_charts`.

use eframe::egui::{Key, Modifiers, accesskit::Role};
use egui_kittest::kittest::NodeT;

use super::gui::Window;
use super::gui_compare::with_compare;
use super::gui_instance::with_places;
use super::gui_microscope::with_microscope;
use super::gui_sizes::{names, resize, wrong_at_all_sizes};

const SIZE: [f32; 2] = [1280.0, 800.0];

fn fits(mut window: Window) {
    let wrong = wrong_at_all_sizes(&mut window.harness, |_, _| true);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same of what lies over the window once these keys are pressed.
fn overlay_fits(keys: &[(Modifiers, Key)]) {
    let mut window = Window::with_query(SIZE);
    let below = names(&window.harness);
    keys.iter().for_each(|(modifiers, key)| window.press(*modifiers, *key));
    assert!(names(&window.harness).difference(&below).next().is_some(), "nothing came up");
    let wrong = wrong_at_all_sizes(&mut window.harness, |name, _| !below.contains(name));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_of_the_maps_is_cut_at_any_size() {
    fits(Window::with_query(SIZE));
}

#[test]
fn nothing_of_the_first_steps_is_cut_at_any_size() {
    fits(Window::first_start(SIZE));
}

#[test]
fn nothing_of_the_microscope_is_cut_at_any_size() {
    fits(with_microscope(SIZE));
}

#[test]
fn nothing_of_a_comparison_is_cut_at_any_size() {
    fits(with_compare(SIZE));
}

#[test]
fn nothing_of_the_positions_is_cut_at_any_size() {
    fits(with_places(SIZE));
}

#[test]
fn nothing_of_the_open_dialogs_is_cut_at_any_size() {
    overlay_fits(&[(Modifiers::COMMAND, Key::O)]);
    overlay_fits(&[(Modifiers::COMMAND | Modifiers::SHIFT, Key::O)]);
}

#[test]
fn nothing_of_the_export_dialog_is_cut_at_any_size() {
    overlay_fits(&[(Modifiers::COMMAND, Key::G)]);
    overlay_fits(&[(Modifiers::COMMAND, Key::E)]);
}

#[test]
fn nothing_of_keys_and_palette_is_cut_at_any_size() {
    overlay_fits(&[(Modifiers::NONE, Key::F1)]);
    overlay_fits(&[(Modifiers::COMMAND, Key::P)]);
}

/// Not operated, but read: every line lies within the window or is scrolled to.
#[test]
fn the_list_of_keys_is_as_narrow_as_the_window() {
    let mut window = Window::with_query(SIZE);
    window.press(Modifiers::NONE, Key::F1);
    for (size, interface) in [([1000.0, 700.0], 2.0), ([1000.0, 700.0], 1.5), ([1280.0, 800.0], 1.0)] {
        resize(&mut window.harness, size, interface);
        let right = size[0] / interface;
        let beyond = window.harness.root().children_recursive().filter(|node| {
            node.accesskit_node().role() == Role::Label
                && node.accesskit_node().bounding_box().is_some()
                && window.harness.ctx.content_rect().intersects(node.rect())
                && node.rect().right() > right
        });
        let below: Vec<_> = beyond.filter_map(|node| node.accesskit_node().value()).collect();
        let keys = ["Ten strides left", "Open data", "Whole window"];
        assert!(!below.iter().any(|text| keys.iter().any(|key| text.contains(key))), "{below:?}");
    }
}

#[test]
fn what_the_keyboard_is_on_is_in_sight() {
    let mut window = Window::with_query(SIZE);
    // Explore scrolls as a whole at this size, and its inspector within it.
    resize(&mut window.harness, [1000.0, 700.0], 2.0);
    let screen = window.harness.ctx.content_rect();
    let mut seen = 0;
    for _ in 0..60 {
        window.harness.key_press(Key::Tab);
        window.harness.run_steps(16);
        let Some(focused) = window.harness.ctx.memory(|memory| memory.focused()) else { continue };
        let Some(drawn) = window.harness.ctx.read_response(focused) else { continue };
        let (whole, shown) = (drawn.rect.size(), drawn.interact_rect.intersect(screen).size());
        // What is larger than the window cannot be seen whole.
        if whole.x > screen.width() || whole.y > screen.height() / 2.0 {
            continue;
        }
        assert!(
            shown.x >= whole.x - 1.0 && shown.y >= whole.y - 1.0,
            "{:?} lies at {:?}, seen {:?}",
            focused,
            drawn.rect,
            drawn.interact_rect
        );
        seen += 1;
    }
    assert!(seen > 20, "the keyboard reached {seen} widgets only");
}
