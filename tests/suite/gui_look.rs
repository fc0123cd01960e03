//! How each panel looks in both themes, against pictures under `tests/snapshots`; and that a screen reader
//! finds a name for everything that can be operated. `UPDATE_SNAPSHOTS=1` renews the pictures.

use std::sync::Arc;

use bagssl::engine::Event;
use bagssl::image::Image;
use eframe::egui::{Id, Key, Modifiers, Rect, Theme, accesskit, accesskit::Role, pos2};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{SnapshotOptions, try_image_snapshot_options};

use super::gui::Window;

const SIZE: [f32; 2] = [1280.0, 800.0];
/// A pixel counts as changed from this distance in colour on (squared, YIQ; egui_kittest's own limit, which
/// bears the rounding of different drivers). Two runs on one machine give equal bytes, since fonts are
/// embedded and the adapter is software: no pixel may change.
const THRESHOLD: f32 = 0.6;

/// The panels of Explore, by where they lie in a window of [`SIZE`].
const PANELS: [(&str, [f32; 4]); 5] = [
    ("top", [0.0, 0.0, 1280.0, 36.0]),
    ("images", [0.0, 36.0, 168.0, 768.0]),
    ("maps-and-galleries", [168.0, 36.0, 1084.0, 768.0]),
    ("inspector", [1084.0, 36.0, 1280.0, 768.0]),
    ("status", [0.0, 768.0, 1280.0, 800.0]),
];

/// What lies over the window, by the key that opens it and the name of its area.
const OVERLAYS: [(&str, Modifiers, Key, &str); 3] = [
    ("palette", Modifiers::COMMAND, Key::P, "palette"),
    ("open-data", Modifiers::COMMAND, Key::O, "path dialog"),
    ("keys", Modifiers::NONE, Key::F1, "keys"),
];

/// Compares parts of the window with their pictures and gathers what differs.
struct Look {
    window: Window,
    theme: Theme,
    wrong: Vec<String>,
}

impl Look {
    fn new(theme: Theme) -> Self {
        let mut window = Window::first_start(SIZE);
        window.harness.ctx.set_theme(theme);
        for index in 0..40 {
            let level = 6 * index as u8;
            let image = Arc::new(Image::filled(32, 32, [level, 90, 255 - level]));
            window.line.emit(Event::Thumbnail { data: 1, index, image });
        }
        window.harness.remove_cursor();
        window.steps();
        window.steps();
        Self { window, theme, wrong: vec![] }
    }

    /// Compares the window within `rect`, points, with the picture of that name.
    fn compare(&mut self, name: &str, rect: Rect) {
        let drawn = self.window.harness.render().expect("an adapter draws the window");
        let [x, y, width, height] =
            [rect.left(), rect.top(), rect.width(), rect.height()].map(|side| side.round().max(0.0) as u32);
        let part = image::imageops::crop_imm(&drawn, x, y, width, height).to_image();
        let theme = if self.theme == Theme::Dark { "dark" } else { "light" };
        let options = SnapshotOptions::new().threshold(THRESHOLD);
        let result = try_image_snapshot_options(&part, format!("{name}-{theme}"), &options);
        self.wrong.extend(result.err().map(|error| error.to_string()));
    }

    /// Opens something over the window, compares it and closes it.
    fn overlay(&mut self, name: &str, modifiers: Modifiers, key: Key, area: &str) {
        self.window.press(modifiers, key);
        let rect = self.window.harness.ctx.memory(|memory| memory.area_rect(Id::unique(area)));
        self.compare(name, rect.unwrap_or_else(|| panic!("{name} is not open")));
        self.window.press(Modifiers::NONE, Key::Escape);
    }

    fn panels(mut self) {
        self.compare("hint", Rect::from_min_max(pos2(168.0, 36.0), pos2(1084.0, 100.0)));
        self.window.click("Got it");
        self.window.harness.remove_cursor();
        self.window.steps();
        for (name, [left, top, right, bottom]) in PANELS {
            self.compare(name, Rect::from_min_max(pos2(left, top), pos2(right, bottom)));
        }
        for (name, modifiers, key, area) in OVERLAYS {
            self.overlay(name, modifiers, key, area);
        }
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}

#[test]
fn every_panel_looks_as_its_picture_in_the_dark_theme() {
    Look::new(Theme::Dark).panels();
}

#[test]
fn every_panel_looks_as_its_picture_in_the_light_theme() {
    Look::new(Theme::Light).panels();
}

/// What can be clicked or reached by keyboard and has no name, on the whole window as it is now. Left out:
/// scroll bars, which egui gives no name and whose lists have keys of their own, and empty text.
fn unnamed(window: &Window) -> Vec<String> {
    let named = |text: Option<String>| text.is_some_and(|text| !text.trim().is_empty());
    let clickable = window.harness.root().children_recursive().filter(|node| {
        let node = node.accesskit_node();
        let is_named_by_what_it_moves = node.role() == Role::ScrollBar;
        node.data().supports_action(accesskit::Action::Click)
            && !node.is_hidden()
            && !is_named_by_what_it_moves
    });
    let clickable = clickable.filter(|node| node.rect().width() > 0.0);
    let silent = clickable
        .filter(|node| !named(node.accesskit_node().label()) && !named(node.accesskit_node().value()))
        .map(|node| format!("{:?} at {:?}", node.accesskit_node().role(), node.rect()));
    window.harness.unnamed_widgets().into_iter().chain(silent).collect()
}

#[test]
fn a_screen_reader_finds_a_name_for_everything_that_can_be_operated() {
    let mut window = Window::first_start(SIZE);
    let mut wrong = vec![];
    let mut look = |window: &Window, place: &str| {
        wrong.extend(unnamed(window).into_iter().map(|widget| format!("{place}: {widget}")));
    };
    look(&window, "Explore");
    for (role, menu) in [
        (Role::Button, "Spaces: z, h"),
        (Role::ComboBox, "View"),
        (Role::ComboBox, "Colours"),
        (Role::ComboBox, "Range"),
        (Role::ComboBox, "Class of images"),
        (Role::Button, "All patches"),
    ] {
        window.harness.get_by_role_and_label(role, menu).click();
        window.steps();
        look(&window, menu);
        window.press(Modifiers::NONE, Key::Escape);
    }
    for key in [Key::Num2, Key::Num3, Key::Num4, Key::Num1, Key::C] {
        window.press(Modifiers::NONE, key);
        look(&window, "a way to look");
    }
    for (key, modifiers) in [
        (Key::P, Modifiers::COMMAND),
        (Key::O, Modifiers::COMMAND),
        (Key::M, Modifiers::COMMAND),
        (Key::E, Modifiers::COMMAND),
        (Key::G, Modifiers::COMMAND),
        (Key::R, Modifiers::COMMAND),
        (Key::F1, Modifiers::NONE),
    ] {
        window.press(modifiers, key);
        look(&window, &format!("what {key:?} opens"));
        window.press(Modifiers::NONE, Key::Escape);
    }
    window.press(Modifiers::COMMAND, Key::Num2);
    look(&window, "Train");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn everything_that_can_be_clicked_is_reached_with_the_tab_key() {
    let mut window = Window::with_query(SIZE);
    let mut reached = std::collections::HashSet::new();
    for _ in 0..400 {
        window.harness.key_press(Key::Tab);
        window.harness.run_steps(1);
        let focused = window.harness.root().children_recursive().find(|node| node.is_focused());
        let Some(id) = focused.map(|node| node.accesskit_node().id()) else { continue };
        if !reached.insert(id) && reached.len() > 20 {
            break;
        }
    }
    let labels: Vec<String> = window
        .harness
        .root()
        .children_recursive()
        .filter(|node| reached.contains(&node.accesskit_node().id()))
        .filter_map(|node| node.accesskit_node().label())
        .collect();
    for list in ["Images: arrows move", "z nearest: arrows move", "h nearest: arrows move"] {
        assert!(labels.iter().any(|found| found.starts_with(list)), "{list} is not reached: {labels:?}");
    }
    for label in ["Explore", "Train", "Open model...", "Keys", "Find image", "Random"] {
        assert!(labels.iter().any(|found| found == label), "{label} is not reached: {labels:?}");
    }
}
