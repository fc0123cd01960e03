use std::sync::Arc;

use bagssl::engine::{Command, Event, ExploreConfig, ExtractionView, GalleryFilter, GalleryView, SearchWay};
use bagssl::image::Image;
use bagssl::patch::PatchRef;
use bagssl::progress::Progress;
use bagssl::search::MeasuredRecall;
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use super::gui::{SIDE, Window, config, gallery_view, patch};

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

/// Extraction of 40 images, some of which are copies of others.
fn extraction(copies: usize) -> ExtractionView {
    let elapsed = std::time::Duration::from_secs(1);
    ExtractionView {
        progress: Progress { what: "embedding", done: 40, total: 40, resumed: 0, unit: "images", elapsed },
        patches: (1_960, 1_960),
        kept_patches: 0,
        patches_per_second: None,
        skipped: Arc::default(),
        copies,
        paused: false,
        stopped: None,
        finished: true,
        written_by: None,
        memory: Default::default(),
    }
}

#[test]
fn copies_are_counted_and_folded_where_there_are_some() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| shown.extraction = Some(extraction(0)));
    window.steps();
    assert!(!window.shows("fold copies"), "there are none");
    window.line.update(|shown| shown.extraction = Some(extraction(1_037)));
    window.steps();
    window.harness.get_by_role_and_label(Role::CheckBox, "fold copies (1,037)").click();
    window.harness.run_steps(60);
    let filter = GalleryFilter { fold_copies: true, ..GalleryFilter::default() };
    let sent = window.commands().into_iter().filter_map(|command| match command {
        Command::Configure { config, .. } => Some(config),
        _ => None,
    });
    assert_eq!(sent.last(), Some(ExploreConfig { filter, ..config() }));
    // It stays, and can be taken back, where the data set has no copies.
    window.line.update(|shown| {
        shown.extraction = Some(extraction(0));
        shown.galleries = Some(Arc::new(folded(patch(3, 8, 8))));
    });
    window.steps();
    assert!(window.shows("fold copies (0)"));
    assert!(window.shows("exact copies folded"), "the heading says what is left out");
}

/// Galleries whose eighth neighbour stands for three images.
fn folded(query: PatchRef) -> GalleryView {
    let mut view = gallery_view(0, query);
    view.filter.fold_copies = true;
    for gallery in &mut view.spaces {
        gallery.neighbours[7].copies = 3;
        gallery.neighbours[7].copy_names = vec!["few/again.png".into(), "more/7.png".into()];
    }
    view
}

#[test]
fn a_neighbour_says_how_many_copies_it_stands_for_and_names_them() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| shown.galleries = Some(Arc::new(folded(patch(3, 8, 8)))));
    window.steps();
    let cell = window.harness.get_by_label("h neighbour 8: cosine 0.965, car, other class, 3 copies").rect();
    window.harness.hover_at(cell.center());
    window.harness.run_steps(20);
    assert!(window.shows("3 copies, the same pixels as few/again.png, more/7.png"));
    assert!(window.shows("h neighbour 9: cosine 0.960, car, same image"));
}

#[test]
fn a_search_by_codes_says_its_recall_and_one_switch_asks_for_exact() {
    let mut window = Window::with_query([1280.0, 800.0]);
    assert!(!window.harness.query_all_by_label("exact").any(|_| true), "without codes there is no choice");
    let measured = MeasuredRecall {
        recall: 0.9962,
        least: 0.98,
        queries: 64,
        k: 255,
        compared: 1_234.0,
        deviations: 2.5,
        rows: 1_204,
    };
    let mut view = gallery_view(0, patch(3, 8, 8));
    view.way = Some(SearchWay::Quantised);
    view.spaces[0].recall = Some(measured);
    window.line.update(|shown| {
        shown.config = Some(ExploreConfig { way: SearchWay::Quantised, ..config() });
        shown.galleries = Some(Arc::new(view));
    });
    window.steps();
    assert!(window.shows("recall 0.996"), "by codes");
    assert!(window.shows("\u{b7} exact \u{b7}"), "a space without codes among those with some");
    window.harness.get_by_role_and_label(Role::CheckBox, "exact").click();
    window.harness.run_steps(60);
    let sent = window.commands().into_iter().filter_map(|command| match command {
        Command::Configure { config, .. } => Some(config.way),
        _ => None,
    });
    assert_eq!(sent.last(), Some(SearchWay::Exact));
}
