use std::sync::Arc;

use bagssl::engine::training::DataSource;
use bagssl::engine::{
    Command, DataDescription, Event, ExploreConfig, FigureKind, FigureQuery, GalleryView, MeasuredRecall,
    PlaceView, PlacesRequest, PlacesView,
};
use bagssl::patch::{PatchGrid, PatchRef};
use eframe::egui::{Key, Modifiers, Rect, pos2, vec2};
use egui_kittest::kittest::Queryable;

use super::gui::{GRID, Window, config, data, gallery_view, patch};
use super::gui_export::last_preview;

const SIZE: [f32; 2] = [1280.0, 800.0];

/// What the engine was asked for, in order; no positions where the view ends.
fn asked(window: &Window) -> Vec<Vec<PatchRef>> {
    let places = |command| match command {
        Command::Places(request) => Some(request.map_or(vec![], |request: PlacesRequest| {
            assert_eq!((request.data, request.neighbours), (1, 24));
            request.places
        })),
        _ => None,
    };
    window.commands().into_iter().filter_map(places).collect()
}

fn with_instance(size: [f32; 2]) -> Window {
    let mut window = Window::with_query(size);
    window.click("Instance");
    assert!(asked(&window).is_empty(), "nothing is marked");
    window
}

/// Plays the engine's answer to these positions; `moved` is where it put the first.
fn answer(window: &mut Window, places: &[PatchRef], moved: Option<PatchRef>) {
    let place = |(index, asked): (usize, &PatchRef)| {
        let patch = moved.filter(|_| index == 0).unwrap_or(*asked);
        let mut gallery: GalleryView = gallery_view(0, patch);
        gallery.spaces.iter_mut().for_each(|space| space.neighbours.truncate(24));
        PlaceView { asked: *asked, patch, gallery: Some(Arc::new(gallery)), neighbours: 24, error: None }
    };
    let places = places.iter().enumerate().map(place).collect();
    window.line.update(|shown| shown.views.places = Some(Arc::new(PlacesView { round: 1, places })));
    window.steps();
}

/// A window with four marked positions and their galleries.
pub fn with_places(size: [f32; 2]) -> Window {
    let mut window = with_instance(size);
    let places = [patch(3, 8, 8), patch(3, 8, 12), patch(3, 12, 8), patch(3, 16, 16)];
    for (id, patch) in (1..).zip(places) {
        window.answer(id, patch);
        window.steps();
        window.click("Mark the query");
    }
    answer(&mut window, &places, None);
    window
}

#[test]
fn clicks_mark_positions_with_numbers_and_a_second_click_lets_go() {
    let mut window = with_instance(SIZE);
    assert!(window.shows("No position yet"));
    // The middle of the image is pixel (16, 16), the centre of the patch at (12, 12).
    window.click("image");
    assert_eq!(asked(&window), [[patch(3, 12, 12)]]);
    assert!(window.shows("mark 1 at y 12, x 12") && window.shows("searching..."));
    window.click("Mark the query");
    assert_eq!(asked(&window), [[patch(3, 12, 12), patch(3, 8, 8)]]);
    assert!(window.shows("mark 2 at y 8, x 8"));
    assert!(window.queries().is_empty(), "the query stays where it is");
    window.harness.run_steps(40); // not a double click
    window.click("image");
    assert_eq!(asked(&window), [[patch(3, 8, 8)]]);
    assert!(window.shows("mark 1 at y 8, x 8") && !window.shows("mark 2"));
    window.click("Remove all");
    assert_eq!(asked(&window), [[]]);
}

#[test]
fn by_keyboard_the_query_moves_and_is_marked() {
    let mut window = with_instance(SIZE);
    window.press(Modifiers::NONE, Key::ArrowRight);
    assert_eq!(window.queries(), [(1, patch(3, 8, 12))]);
    window.answer(1, patch(3, 8, 12));
    window.press(Modifiers::NONE, Key::M);
    assert_eq!(asked(&window), [[patch(3, 8, 12)]]);
}

#[test]
fn each_position_has_its_gallery_in_the_chosen_space() {
    let mut window = with_instance(SIZE);
    window.click("image");
    window.click("Mark the query");
    let places = [patch(3, 12, 12), patch(3, 8, 8)];
    answer(&mut window, &places, Some(patch(3, 11, 12)));
    for position in [1, 2] {
        assert!(window.shows(&format!("position {position} h neighbour 24: cosine")));
        assert!(!window.shows(&format!("position {position} z neighbour")));
    }
    assert!(window.shows("mark 1 at y 11, x 12"), "the engine moved it into the image");
    window.click("Galleries in z");
    window.commands();
    window.click("position 2 z neighbour 8: cosine 0.965, car, other class");
    assert_eq!(window.queries(), [(1, patch(7, 4, 12))], "a neighbour is gone to");
    window.click("Remove 1");
    assert_eq!(asked(&window), [[patch(3, 8, 8)]]);
    assert!(window.shows("position 1 z neighbour 24") && !window.shows("position 2"));
}

/// A search by codes was said to have compared every patch.
#[test]
fn a_position_says_how_its_space_was_searched() {
    let mut window = with_instance(SIZE);
    window.click("image");
    let asked = patch(3, 12, 12);
    let mut gallery = gallery_view(0, asked);
    gallery.spaces.iter_mut().for_each(|space| space.neighbours.truncate(24));
    // z is searched by codes, h is not.
    let (recall, least, compared) = (0.987, 0.9, 300.0);
    let measured =
        MeasuredRecall { recall, least, queries: 64, k: 24, compared, deviations: 1.0, rows: 1_960 };
    gallery.spaces[0].recall = Some(measured);
    let gallery = Some(Arc::new(gallery));
    let places = vec![PlaceView { asked, patch: asked, gallery, neighbours: 24, error: None }];
    window.line.update(|shown| shown.views.places = Some(Arc::new(PlacesView { round: 1, places })));
    window.steps();
    let told = |window: &mut Window| {
        window.harness.remove_cursor();
        window.steps();
        window.harness.get_by_label("y 12, x 12").hover();
        window.harness.run_steps(60);
        assert!(window.shows("The 24 nearest over 1,204 of 1,960 patches. "));
        [window.shows("Every one of them was compared."), window.shows("0.987 of the 24 nearest are found")]
    };
    assert_eq!(told(&mut window), [true, false]);
    window.click("Galleries in z");
    assert_eq!(told(&mut window), [false, true]);
}

#[test]
fn a_position_without_a_gallery_says_why() {
    let mut window = with_instance(SIZE);
    window.click("image");
    let (asked, error) = (patch(3, 12, 12), Some("image 3 cannot be read".to_owned()));
    let places = vec![PlaceView { asked, patch: asked, gallery: None, neighbours: 0, error }];
    window.line.update(|shown| shown.views.places = Some(Arc::new(PlacesView { round: 1, places })));
    window.steps();
    assert!(window.shows("image 3 cannot be read") && !window.shows("searching..."));
}

#[test]
fn leaving_the_view_ends_its_work_and_keeps_the_positions() {
    let mut window = with_instance(SIZE);
    window.click("image");
    asked(&window);
    window.press(Modifiers::NONE, Key::Num5);
    assert_eq!(asked(&window), [[]]);
    window.press(Modifiers::NONE, Key::Num8);
    assert_eq!(asked(&window), [[patch(3, 12, 12)]]);
}

/// As after the line to another machine dropped and what was open is open again.
#[test]
fn positions_stay_where_the_same_images_are_opened_again() {
    let mut window = with_instance(SIZE);
    let source = DataSource { spec: "/few".into(), split: None };
    window.line.update(|shown| shown.data_source = Some(Arc::new(source)));
    window.steps();
    window.click("image");
    window.commands();
    // At first with the settings that such images begin with.
    let usual = ExploreConfig { grid: PatchGrid { patch: 30, ..GRID }, ..config() };
    window.line.update(|shown| {
        shown.data = Some(Arc::new(DataDescription { id: 2, ..data() }));
        shown.config = Some(usual);
    });
    window.line.emit(Event::DataOpened);
    window.steps();
    window.line.update(|shown| shown.config = Some(config()));
    window.steps();
    let mut places = window.commands().into_iter().filter_map(|command| match command {
        Command::Places(request) => request,
        _ => None,
    });
    let newest = PlacesRequest { data: 2, places: vec![patch(3, 12, 12)], neighbours: 24 };
    assert_eq!(places.next_back(), Some(newest));
    // Of others they say nothing.
    let others = DataDescription { id: 3, name: "others".into(), ..data() };
    window.line.update(|shown| shown.data = Some(Arc::new(others)));
    window.line.emit(Event::DataOpened);
    window.steps();
    assert!(window.shows("No position yet"));
}

#[test]
fn export_opens_the_dialog_with_the_marked_positions() {
    let mut window = with_instance(SIZE);
    window.click("image");
    window.click("Mark the query");
    window.click("Galleries in z");
    window.click("Export...");
    let content = last_preview(&window).expect("a preview").content;
    assert_eq!(content.kind, FigureKind::Instance);
    assert_eq!(content.queries, [patch(3, 12, 12), patch(3, 8, 8)].map(FigureQuery::from));
    assert_eq!(content.spaces, ["z"]);
    window.press(Modifiers::NONE, Key::Escape);
    // With one on another image they make a sheet of parts.
    window.answer(1, patch(7, 4, 12));
    window.steps();
    window.click("Mark the query");
    window.click("Export...");
    let content = last_preview(&window).expect("a preview").content;
    assert_eq!(content.kind, FigureKind::Parts);
    assert_eq!(content.queries, [patch(3, 12, 12), patch(3, 8, 8), patch(7, 4, 12)].map(FigureQuery::from));
}

#[test]
fn four_positions_fit_at_the_sizes_that_the_window_promises() {
    for size in [SIZE, [1000.0, 800.0]] {
        let window = with_places(size);
        let screen = Rect::from_min_size(pos2(0.0, 0.0), vec2(size[0], size[1]));
        let mut labels = vec!["image".to_owned(), "Export...".into(), "Remove all".into()];
        for number in 1..=4 {
            labels.push(format!("Remove {number}"));
            labels.push(format!("position {number} h query"));
            labels.push(format!("position {number} h neighbour 24: cosine 0.885, car, same image"));
        }
        for label in labels {
            let rect = window.harness.get_by_label(&label).rect();
            assert!(screen.contains_rect(rect), "{label:?} at {size:?}: {rect:?}");
        }
    }
}
