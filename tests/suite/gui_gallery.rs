use std::sync::Arc;

use bagssl::engine::{Command, Event};
use bagssl::image::Image;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use super::gui::{SIDE, Window};

fn sources(window: &Window) -> Vec<(u64, usize)> {
    let source = |command| match command {
        Command::SourceImage { data, index } => Some((data, index)),
        _ => None,
    };
    window.commands().into_iter().filter_map(source).collect()
}

#[test]
fn a_neighbour_under_the_pointer_shows_its_image_and_its_cosine_in_each_space() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let cell = window.harness.get_by_label("h neighbour 8: cosine 0.965, car, other class").rect();
    window.harness.hover_at(cell.center());
    window.harness.run_steps(20);
    assert!(window.shows("h 8 \u{b7} cosine 0.9650"));
    assert!(window.shows("h 0.96 \u{b7} other 0.42") || window.shows("h 0.97 \u{b7} other 0.42"));
    assert!(window.shows("few/7.png"));
    assert_eq!(sources(&window), [(1, 7)], "its image is asked for once");
    let image = Arc::new(Image::filled(SIDE, SIDE, [7, 90, 200]));
    window.line.emit(Event::SourceImage { data: 1, index: 7, size: (SIDE, SIDE), image });
    window.harness.run_steps(10);
    assert!(sources(&window).is_empty(), "it is there");
}

#[test]
fn an_image_that_cannot_be_read_is_named_as_such() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let cell = window.harness.get_by_label("h neighbour 8: cosine 0.965, car, other class").rect();
    window.harness.hover_at(cell.center());
    window.harness.run_steps(20);
    window.line.emit(Event::NoThumbnail { data: 1, index: 7, message: "torn".into() });
    window.harness.run_steps(10);
    assert_eq!(sources(&window).len(), 1, "it is not asked for again");
}

#[test]
fn the_neighbour_under_the_keyboards_cursor_is_shown_closely_too() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.harness.get_by_label_contains("h nearest: arrows move").focus();
    window.steps();
    for key in [Key::Home, Key::ArrowRight] {
        window.press(Modifiers::NONE, key);
    }
    assert!(window.shows("few/0.png"));
    window.press(Modifiers::NONE, Key::ArrowDown);
    assert!(window.shows("few/12.png"));
    assert!(window.queries().is_empty(), "the arrows leave the query alone");
}
