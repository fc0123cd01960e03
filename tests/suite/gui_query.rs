use std::sync::Arc;

use bagssl::engine::training::DataSource;
use bagssl::engine::{
    Command, Event, Heatmap, OutsidePicture, PreviewView, QuerySpec, QueryView, Sign, Source,
};
use bagssl::image::Image;
use bagssl::patch::{BoxRef, PatchRef};
use eframe::egui::{Color32, ColorImage, Event as Input, Key, Modifiers, Pos2, accesskit::Role, vec2};
use egui_kittest::kittest::Queryable;

use super::gui::{SIDE, Window, patch, query_view};

const SIZE: [f32; 2] = [1280.0, 800.0];

/// The last query that the window asked for.
fn asked(window: &Window) -> Option<QuerySpec> {
    window.commands().into_iter().fold(None, |last, command| match command {
        Command::Query { query, .. } => Some(query),
        _ => last,
    })
}

/// Where pixel `(x, y)` of the image lies in a pane, in parts of a pixel.
fn at(window: &Window, pane: &str, x: f32, y: f32) -> Pos2 {
    let rect = window.harness.get_by_label(pane).rect();
    let scale = (rect.width().min(rect.height()) / SIDE as f32).floor();
    rect.center() + (vec2(x, y) - vec2(SIDE as f32, SIDE as f32) / 2.0) * scale
}

/// Presses at pixel `from` and goes to pixel `to`.
fn drag(window: &mut Window, pane: &str, from: (f32, f32), to: (f32, f32)) -> Pos2 {
    let [start, end] = [from, to].map(|(x, y)| at(window, pane, x, y));
    window.harness.hover_at(start);
    window.harness.drag_at(start);
    window.steps();
    for part in [0.3, 1.0] {
        window.harness.hover_at(start.lerp(end, part));
        window.steps();
    }
    end
}

fn drop_at(window: &mut Window, end: Pos2) {
    window.harness.drop_at(end);
    window.steps();
}

/// Plays the engine's answer: the same maps as ever, and a picture for each part.
fn answer(window: &mut Window, id: u64, query: QuerySpec) {
    let parts = query.parts.iter().map(|_| Arc::new(Image::filled(8, 8, [3, 90, 200]))).collect();
    let view = QueryView { query, parts, ..query_view(id, patch(3, 8, 8)) };
    window.line.update(|shown| shown.query = Some(Arc::new(view)));
    window.steps();
}

fn signs(query: &QuerySpec) -> Vec<(Sign, BoxRef)> {
    query.boxes().collect()
}

#[test]
fn a_box_of_any_size_is_drawn_on_the_image_or_a_map_and_becomes_the_query() {
    let mut window = Window::with_query(SIZE);
    for pane in ["image", "h heatmap"] {
        let end = drag(&mut window, pane, (4.5, 6.5), (19.5, 13.5));
        assert_eq!(asked(&window), None, "nothing is asked for before the box is drawn");
        drop_at(&mut window, end);
        let drawn = BoxRef { image: 3, y: 6, x: 4, height: 8, width: 16 };
        assert_eq!(asked(&window), Some(QuerySpec::one(drawn)), "{pane}");
    }
    assert!(window.shows("16 x 8 px, y 6, x 4"));
    let end = drag(&mut window, "image", (4.5, 6.5), (19.5, 13.5));
    window.press(Modifiers::NONE, Key::Escape);
    drop_at(&mut window, end);
    assert_eq!(asked(&window), None, "Esc drops the box");
}

#[test]
fn shift_adds_a_part_and_alt_subtracts_one() {
    let mut window = Window::with_query(SIZE);
    // The middle of a pane is the patch at (12, 12).
    window.harness.get_by_label("z heatmap").click_modifiers(Modifiers::SHIFT);
    window.steps();
    let (first, middle) = (BoxRef::from(patch(3, 8, 8)), BoxRef::from(patch(3, 12, 12)));
    let two = asked(&window).expect("a part is added");
    assert_eq!(signs(&two), [(Sign::Plus, first), (Sign::Plus, middle)]);
    answer(&mut window, 1, two);
    assert!(window.shows("mean of 2 parts"));
    let neighbour = "h neighbour 8: cosine 0.965, car, other class";
    window.harness.get_by_label(neighbour).click_modifiers(Modifiers::ALT);
    window.steps();
    let three = asked(&window).expect("a part is subtracted");
    assert_eq!(three.parts[2].sign, Sign::Minus);
    assert_eq!(three.parts[2].source, patch(7, 4, 12).into());
    answer(&mut window, 2, three);
    assert!(window.shows("2 plus, 1 minus"));
    // Once more the same: it goes.
    window.harness.get_by_label(neighbour).click_modifiers(Modifiers::ALT);
    window.steps();
    assert_eq!(asked(&window).map(|query| query.parts.len()), Some(2));
}

#[test]
fn parts_are_listed_turned_round_and_taken_out() {
    let mut window = Window::with_query(SIZE);
    assert!(!window.shows("Remove part"), "one patch alone is no list");
    let query = QuerySpec::one(patch(3, 8, 8)).with(Sign::Minus, patch(7, 4, 12));
    answer(&mut window, 1, query.clone());
    window.harness.get_by_role_and_label(Role::Button, "Part 2 is subtracted").click();
    window.steps();
    let turned = asked(&window).expect("the part is turned round");
    assert_eq!(turned.parts.iter().map(|part| part.sign).collect::<Vec<_>>(), [Sign::Plus, Sign::Plus]);
    answer(&mut window, 2, query.clone());
    window.click("Remove part 1");
    let left = asked(&window).expect("the part is taken out");
    assert_eq!((left.parts.len(), left.parts[0].sign), (1, Sign::Minus));
    answer(&mut window, 3, query);
    window.press(Modifiers::NONE, Key::Delete);
    assert_eq!(asked(&window), Some(QuerySpec::one(patch(3, 8, 8))));
}

#[test]
fn a_right_click_offers_what_the_keys_do() {
    let mut window = Window::with_query(SIZE);
    window.harness.get_by_label("image").click_secondary();
    window.steps();
    window.harness.get_by_label_contains("Subtract it from the query").click();
    window.steps();
    let query = asked(&window).expect("the patch is subtracted");
    assert_eq!((query.parts.len(), query.parts[1].sign), (2, Sign::Minus));
    assert_eq!(query.parts[1].source, Source::from(patch(3, 12, 12)));
    answer(&mut window, 1, QuerySpec::one(patch(3, 8, 8)));
    window.harness.hover_at(at(&window, "z heatmap", 16.0, 16.0));
    window.steps();
    window.press(Modifiers::NONE, Key::A);
    assert_eq!(asked(&window).map(|query| query.words()), Some("mean of 2 parts".into()));
    window.harness.remove_cursor();
    window.steps();
    window.press(Modifiers::NONE, Key::A);
    assert!(asked(&window).is_none() && window.shows("nothing is under the pointer"));
}

/// A map of one value everywhere for `patch`.
fn preview(patch: PatchRef, value: f32) -> PreviewView {
    let flat = |map: &Heatmap| {
        let values = Arc::new(vec![value; map.values.len()]);
        Heatmap { values: values.clone(), shown: values, ..map.clone() }
    };
    PreviewView { patch, maps: query_view(0, patch).maps.iter().map(flat).collect() }
}

#[test]
fn with_the_preview_on_the_patch_under_the_pointer_has_the_maps_but_is_not_the_query() {
    let mut window = Window::with_query(SIZE);
    let previews = |window: &Window| window.line.previews.try_iter().collect::<Vec<_>>();
    window.harness.hover_at(at(&window, "image", 16.0, 16.0));
    window.steps();
    assert_eq!(previews(&window), [], "without the key nothing is previewed");
    window.press(Modifiers::NONE, Key::V);
    assert_eq!(previews(&window), [Some(patch(3, 12, 12))]);
    window.line.update(|shown| shown.views.preview = Some(Arc::new(preview(patch(3, 12, 12), 0.25))));
    window.steps();
    assert!(window.shows("preview") && window.shows("z: +0.25 to +0.25"));
    assert_eq!(asked(&window), None);
    window.harness.remove_cursor();
    window.steps();
    assert_eq!(previews(&window), [None]);
    assert!(window.shows("z: -1.00 to +1.00") && !window.shows("z: +0.25 to +0.25"));
}

/// A window whose data set has a name to keep pins by.
fn with_source() -> Window {
    let mut window = Window::with_query(SIZE);
    window.line.update(|shown| {
        shown.data_source = Some(Arc::new(DataSource { spec: "few".into(), split: None }));
    });
    window.harness.remove_cursor();
    window.steps();
    window
}

#[test]
fn pins_keep_neighbours_and_queries_at_hand() {
    let mut window = with_source();
    assert!(window.shows("None yet: B keeps"));
    window.press(Modifiers::NONE, Key::B);
    let first = QuerySpec::one(patch(3, 8, 8));
    let asked_pictures = |window: &Window| {
        let picture = |command| match command {
            Command::QueryPicture { data: 1, query } => Some(query),
            _ => None,
        };
        window.commands().into_iter().filter_map(picture).collect::<Vec<_>>()
    };
    assert_eq!(asked_pictures(&window), std::slice::from_ref(&first), "its picture is asked for once");
    let image = Arc::new(Image::filled(8, 8, [9, 9, 9]));
    window.line.emit(Event::QueryPicture { data: 1, query: first, image });
    window.harness.get_by_label("h neighbour 8: cosine 0.965, car, other class").click_secondary();
    window.steps();
    window.harness.get_by_label_contains("Pin it").click();
    window.steps();
    assert_eq!(asked_pictures(&window), [QuerySpec::one(patch(7, 4, 12))]);
    window.click("Pin 2: 8 x 8 px, y 4, x 12, image 7");
    assert_eq!(asked(&window), Some(QuerySpec::one(patch(7, 4, 12))));
    window.harness.get_by_label("Pin 1: 8 x 8 px, y 8, x 8, image 3").click_modifiers(Modifiers::ALT);
    window.steps();
    let query = asked(&window).expect("the pin is subtracted");
    assert_eq!((query.parts.len(), query.parts[1].sign), (2, Sign::Minus));
    window.harness.get_by_label("Pin 1: 8 x 8 px, y 8, x 8, image 3").click_secondary();
    window.steps();
    window.click("Remove this pin");
    assert!(window.shows("Pin 1: 8 x 8 px, y 4, x 12, image 7") && !window.shows("Pin 2:"));
}

#[test]
fn undo_and_redo_go_over_queries_and_pins() {
    let mut window = with_source();
    window.harness.run_steps(8);
    window.press(Modifiers::NONE, Key::ArrowRight);
    window.harness.run_steps(8);
    window.press(Modifiers::NONE, Key::B);
    window.harness.run_steps(8);
    let moved = asked(&window).expect("the query moves");
    assert_eq!(moved, QuerySpec::one(patch(3, 8, 12)));
    assert!(window.shows("Pin 1:"));
    window.press(Modifiers::COMMAND, Key::Z);
    assert!(!window.shows("Pin 1:") && asked(&window).is_none(), "only the pin goes");
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(asked(&window), Some(QuerySpec::one(patch(3, 8, 8))));
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(asked(&window), Some(moved));
    window.press(Modifiers::COMMAND, Key::Y);
    assert!(window.shows("Pin 1:"));
}

#[test]
fn a_picture_from_a_file_becomes_the_query() {
    let mut window = Window::with_query(SIZE);
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::O);
    window.harness.get_by_role_and_label(Role::TextInput, "Path").type_text("cats/tail.png");
    window.steps();
    window.click("Use");
    let sent = window.commands();
    assert!(
        matches!(&sent[..], [Command::OpenPicture { path }] if path.as_os_str() == "cats/tail.png"),
        "{sent:?}"
    );
    let image = Arc::new(Image::filled(20, 31, [200, 10, 10]));
    window.line.emit(Event::Picture(Arc::new(OutsidePicture { name: "tail.png".into(), image })));
    window.steps();
    let query = asked(&window).expect("the picture is the query");
    assert!(matches!(&query.parts[0].source, Source::Outside(picture) if picture.name == "tail.png"));
    assert!(window.shows("20 x 31 px from tail.png"));
}

#[test]
fn a_picture_that_is_pasted_becomes_the_query() {
    let mut window = Window::with_query(SIZE);
    let picture = ColorImage::filled([20, 31], Color32::from_rgb(200, 10, 10));
    window.harness.event(Input::PasteImage(Arc::new(picture)));
    // A thread takes it over.
    for _ in 0..50 {
        window.steps();
        if window.shows("20 x 31 px from the clipboard") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let query = asked(&window).expect("the picture is the query");
    let Source::Outside(picture) = &query.parts[0].source else { panic!("{query:?}") };
    assert_eq!((picture.image.width(), picture.image.height()), (20, 31));
    assert_eq!(picture.image.pixel(30, 19), [200, 10, 10]);
}
