//! The list of images, by role and label: search, keyboard, and a million of them.

use std::sync::Arc;
use std::time::Instant;

use bagssl::engine::training::DataSource;
use bagssl::engine::{Command, DataDescription, Event, FoundImages, ImageFilter};
use bagssl::image::Image;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};

use super::counting::allocated;
use super::gui::Window;

const SIZE: [f32; 2] = [1280.0, 800.0];

/// A window on a data set of so many images of 1,000 classes.
fn window_of(images: usize) -> Window {
    let mut window = Window::with_query(SIZE);
    window.line.update(|shown| {
        shown.data = Some(Arc::new(DataDescription {
            id: 2,
            name: "many".into(),
            kind: "image-folder".into(),
            images,
            classes: (0..1000).map(|class| format!("class {class}")).collect(),
            labels: (0..images).map(|index| Some((index % 1000) as u32)).collect(),
            size: None,
            side: 32,
            split: None,
            decoding: None,
            skipped: vec![],
        }));
    });
    window.steps();
    window
}

/// The images that the window asked small pictures of since the last call.
fn asked(window: &Window) -> Vec<usize> {
    let index = |command| match command {
        Command::Thumbnail { index, .. } => Some(index),
        _ => None,
    };
    window.line.commands.try_iter().filter_map(index).collect()
}

/// The image that is to be shown, if the command is about one.
fn index_shown(command: Command) -> Option<usize> {
    match command {
        Command::ShowImage { data: 2, index } => Some(index),
        _ => None,
    }
}

fn list(window: &Window) -> egui_kittest::Node<'_> {
    window.harness.get_by_label_contains("Images: arrows move")
}

fn found(window: &mut Window, filter: ImageFilter, images: Vec<u32>) {
    window.line.update(|shown| shown.found = Some(Arc::new(FoundImages { data: 2, filter, images })));
    window.steps();
}

/// Bytes that a frame allocates when nothing changes: the least of several, since now and then a buffer grows.
fn bytes_of_a_frame(window: &mut Window) -> usize {
    (0..6).map(|_| allocated(|| window.harness.run_steps(1))).min().expect("six frames")
}

#[test]
fn a_frame_does_no_more_work_for_a_million_images_than_for_a_thousand() {
    let (mut few, mut many) = (window_of(1_000), window_of(1_000_000));
    assert!(many.shows("1,000,000 images"));
    for window in [&few, &many] {
        assert!(asked(window).len() <= 24, "only what is seen is asked for");
    }
    let frame = |window: &mut Window| {
        let bytes = bytes_of_a_frame(window);
        let clock = Instant::now();
        window.harness.run_steps(10);
        (bytes, clock.elapsed() / 10)
    };
    let (small, small_time) = frame(&mut few);
    let (large, large_time) = frame(&mut many);
    println!(
        "1,000 images: {small} bytes, {small_time:?}; 1,000,000 images: {large} bytes, {large_time:?} a frame"
    );
    // The same panels: a few digits more. A copy of anything a million long takes at least 1,000,000 bytes.
    assert!(large < small + 100_000, "{large} bytes for a million images, {small} for a thousand");
    let nodes = many.harness.root().children_recursive().count();
    assert!(nodes < 1_000, "{nodes} widgets");

    // Half of them found: the answer is shown where it lies.
    many.press(Modifiers::COMMAND, Key::F);
    many.harness.get_by_label("Find image").type_text("x");
    many.steps();
    let filter = ImageFilter { text: "x".into(), class: None };
    let before = bytes_of_a_frame(&mut many);
    found(&mut many, filter, (0..500_000).map(|place| 2 * place).collect());
    assert!(many.shows("500,000 of 1,000,000 images"));
    let after = bytes_of_a_frame(&mut many);
    assert!(after < before + 100_000, "{after} bytes with half of a million found, {before} before");
}

#[test]
fn small_pictures_are_asked_for_where_the_list_is_and_nowhere_else() {
    let mut window = window_of(1_000_000);
    asked(&window);
    window.press(Modifiers::COMMAND, Key::F);
    window.harness.get_by_label("Find image").type_text("700,123");
    window.steps();
    window.harness.run_steps(4);
    let asked = asked(&window);
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|index| index.abs_diff(700_123) < 100), "{asked:?}");
    window.press(Modifiers::NONE, Key::Enter);
    let shown = window.commands();
    assert!(matches!(shown[..], [Command::ShowImage { data: 2, index: 700_123 }]), "{shown:?}");
}

#[test]
fn arrows_home_end_and_enter_walk_through_the_images() {
    let mut window = window_of(1_000_000);
    window.commands();
    window.press(Modifiers::NONE, Key::I);
    assert!(list(&window).is_focused());
    assert_eq!(list(&window).value().as_deref(), Some("3 \u{b7} class 3"), "it starts at the image on show");
    for (key, title) in [
        (Key::ArrowRight, "4 \u{b7} class 4"),
        (Key::ArrowDown, "6 \u{b7} class 6"),
        (Key::End, "999,999 \u{b7} class 999"),
        (Key::ArrowLeft, "999,998 \u{b7} class 998"),
        (Key::Home, "0 \u{b7} class 0"),
        (Key::ArrowRight, "1 \u{b7} class 1"),
    ] {
        window.press(Modifiers::NONE, key);
        assert_eq!(list(&window).value().as_deref(), Some(title), "after {key:?}");
    }
    assert!(window.commands().is_empty(), "the query stays where it is");
    window.press(Modifiers::NONE, Key::Enter);
    let shown = window.commands();
    assert!(matches!(shown[..], [Command::ShowImage { data: 2, index: 1 }]), "{shown:?}");
}

#[test]
fn a_neighbour_is_reached_by_keyboard_alone() {
    let mut window = Window::with_query(SIZE);
    window.harness.get_by_label_contains("h nearest: arrows move").focus();
    window.steps();
    for key in [Key::Home, Key::ArrowDown, Key::ArrowRight, Key::Enter] {
        window.press(Modifiers::NONE, key);
    }
    // A row has 12 cells, the query first: this is neighbour 13, of image 12.
    let asked = window.queries();
    assert!(matches!(asked[..], [(_, patch)] if patch.image == 12), "{asked:?}");
}

#[test]
fn a_class_is_chosen_from_a_thousand() {
    let mut window = window_of(1_000_000);
    window.commands();
    window.click("Class of images");
    window.click("class 2");
    let filter = ImageFilter { text: String::new(), class: Some(2) };
    assert!(
        matches!(&window.commands()[..], [Command::FindImages { data: 2, filter: asked }] if *asked == filter)
    );
    found(&mut window, filter, (0..1000).map(|place| 1000 * place + 2).collect());
    assert!(window.shows("1,000 of 1,000,000 images"));
    window.press(Modifiers::NONE, Key::PageDown);
    let shown = window.commands();
    assert!(matches!(shown[..], [Command::ShowImage { data: 2, index: 1_002 }]), "{shown:?}");
}

/// As after the line to another machine dropped and what was open is open again.
#[test]
fn a_chosen_class_stays_where_the_same_images_are_opened_again() {
    let mut window = window_of(1_000);
    let source = DataSource { spec: "/many".into(), split: None };
    window.line.update(|shown| shown.data_source = Some(Arc::new(source)));
    window.steps();
    window.click("Class of images");
    window.click("class 2");
    let filter = ImageFilter { text: String::new(), class: Some(2) };
    found(&mut window, filter.clone(), vec![2]);
    assert!(window.shows("1 of 1,000 images"));
    window.commands();
    let open_again = |window: &mut Window, id: u64, name: &str| {
        window.line.update(|shown| {
            let before = shown.data.as_deref().expect("images are open").clone();
            shown.data = Some(Arc::new(DataDescription { id, name: name.into(), ..before }));
        });
        window.steps();
    };
    open_again(&mut window, 3, "many");
    let asked = window.commands().into_iter().find_map(|command| match command {
        Command::FindImages { data, filter } => Some((data, filter)),
        _ => None,
    });
    assert_eq!(asked, Some((3, filter)));
    assert!(window.shows("1 of 1,000 images"), "what was found stays until the answer comes");
    open_again(&mut window, 4, "others");
    assert!(!window.shows("1 of 1,000 images"));
}

#[test]
fn an_answer_to_an_older_question_is_not_taken() {
    let mut window = window_of(1_000);
    window.press(Modifiers::COMMAND, Key::F);
    window.harness.get_by_label("Find image").type_text("ab");
    window.steps();
    found(&mut window, ImageFilter { text: "a".into(), class: None }, vec![1, 2, 3]);
    assert!(window.shows("searching..."));
    found(&mut window, ImageFilter { text: "ab".into(), class: None }, vec![1]);
    assert!(window.shows("1 of 1,000 images"));
    found(&mut window, ImageFilter { text: "ab".into(), class: None }, vec![]);
    assert!(window.shows("No image has this in its name or class."));
}

/// Enter went to the first image of the list that was there, not of the words just typed.
#[test]
fn enter_goes_to_the_first_image_that_fits_once_it_is_found() {
    let mut window = window_of(1_000);
    window.press(Modifiers::COMMAND, Key::F);
    window.harness.get_by_label("Find image").type_text("ab");
    window.steps();
    window.press(Modifiers::NONE, Key::Enter);
    let shown = |window: &Window| window.commands().into_iter().filter_map(index_shown).collect::<Vec<_>>();
    assert!(shown(&window).is_empty(), "nothing is found yet");
    found(&mut window, ImageFilter { text: "a".into(), class: None }, vec![1, 2, 3]);
    assert!(shown(&window).is_empty(), "these are of other words");
    let filter = ImageFilter { text: "ab".into(), class: None };
    found(&mut window, filter.clone(), vec![7, 9]);
    assert_eq!(shown(&window), [7]);
    // Once: what is found later of the same words leaves the image as it is.
    found(&mut window, filter, vec![8, 9]);
    assert!(shown(&window).is_empty());
}

/// The first image that fits came in place of one that was chosen while it was looked for.
#[test]
fn enter_goes_nowhere_once_another_image_is_chosen() {
    let mut window = window_of(1_000);
    window.press(Modifiers::COMMAND, Key::F);
    window.harness.get_by_label("Find image").type_text("ab");
    window.steps();
    window.press(Modifiers::NONE, Key::Enter);
    window.press(Modifiers::NONE, Key::PageDown);
    found(&mut window, ImageFilter { text: "ab".into(), class: None }, vec![7, 9]);
    let shown: Vec<usize> = window.commands().into_iter().filter_map(index_shown).collect();
    assert_eq!(shown, [4]);
}

/// The image on show was asked for no more while another one was on its way, which then came in its place.
#[test]
fn the_image_gone_back_to_is_the_last_one_asked_for() {
    let mut window = window_of(1_000);
    window.commands();
    // None of them comes: image 3 stays on show.
    for key in [Key::PageDown, Key::PageDown, Key::PageUp, Key::PageUp] {
        window.press(Modifiers::NONE, key);
    }
    let shown: Vec<usize> = window.commands().into_iter().filter_map(index_shown).collect();
    assert_eq!(shown, [4, 5, 4, 3]);
}

#[test]
fn an_image_that_cannot_be_read_says_so_on_the_list() {
    let mut window = window_of(1_000);
    let image = Arc::new(Image::filled(8, 8, [9; 3]));
    window.line.emit(Event::Thumbnail { data: 2, index: 4, image });
    window.line.emit(Event::NoThumbnail { data: 2, index: 5, message: "5.png: no picture".into() });
    window.steps();
    window.harness.get_by_label("image 5 \u{b7} class 5").hover();
    window.harness.run_steps(60);
    assert!(window.shows("cannot be read: 5.png: no picture"));
}
