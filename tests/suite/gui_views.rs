use std::sync::Arc;

use bagssl::engine::{
    Command, DataDescription, FigureKind, GalleryFilter, MapMode, Picture, Pictures, Split,
};
use bagssl::image::Image;
use eframe::egui::{Key, Modifiers, accesskit::Role};
use egui_kittest::kittest::Queryable;

use super::gui::{GRID, SIDE, Window, config, data, gallery_view, patch, query_view};
use super::gui_export::last_preview;

/// Frames until settings that were touched have been sent.
fn settle(window: &mut Window) {
    window.harness.run_steps(40);
}

fn configured(window: &Window) -> Vec<bagssl::engine::ExploreConfig> {
    let config = |command| match command {
        Command::Configure { config, .. } => Some(config),
        _ => None,
    };
    window.commands().into_iter().filter_map(config).collect()
}

#[test]
fn spaces_are_chosen_from_those_of_the_model_in_its_order() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.click("Spaces: z, h");
    for label in ["pixels", "hidden1"] {
        window.harness.get_by_role_and_label(Role::CheckBox, label).click();
        window.steps();
    }
    settle(&mut window);
    let sent = configured(&window);
    assert_eq!(sent.last().expect("the spaces are sent").spaces, ["z", "hidden1", "h", "pixels"]);
}

#[test]
fn the_difference_of_two_spaces_is_one_map_with_its_own_scale() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::NONE, Key::Num3);
    assert!(window.shows("z \u{2212} h heatmap"));
    assert!(!window.shows("z heatmap"));
    // Both maps of the test are the same: everything is 0.
    assert!(window.shows("z \u{2212} h: +0.00 to +0.00"));
    window.press(Modifiers::COMMAND, Key::E);
    let asked = last_preview(&window).expect("the figure of what is on show is asked for");
    assert_eq!((asked.content.kind, asked.content.mode), (FigureKind::Heatmaps, MapMode::Difference));
    assert_eq!(asked.style.range, [-1.0, 1.0]);
    window.press(Modifiers::NONE, Key::Escape);
    window.press(Modifiers::NONE, Key::Num1);
    assert!(window.shows("z heatmap"));
}

#[test]
fn ranks_are_marked_as_ranks() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::NONE, Key::Num2);
    assert!(window.harness.query_all_by_label("ranks").count() >= 2);
    assert!(window.shows("z: +0.00 to +1.00, mean +0.50"));
}

#[test]
fn a_contour_says_how_much_lies_above_it() {
    let mut window = Window::with_query([1280.0, 800.0]);
    assert!(!window.shows("% from 0.50 up"));
    window.press(Modifiers::NONE, Key::C);
    // 49 values at equal distances from -1 to 1: the last 13 are at least 0.5.
    assert!(window.shows("27 % from 0.50 up"));
    window.press(Modifiers::NONE, Key::C);
    assert!(!window.shows("% from 0.50 up"));
}

#[test]
fn the_spaces_are_shown_as_pictures_when_the_engine_has_them() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::NONE, Key::Num4);
    assert!(matches!(window.commands()[..], [Command::ShowPictures(true)]));
    assert!(window.shows("The picture comes when"));
    let (rows, cols) = GRID.shape(SIDE, SIDE);
    let picture = |space: &str| Picture {
        space: space.into(),
        colors: Arc::new(Image::filled(cols as u32, rows as u32, [200, 10, 10])),
        explained: [0.5, 0.2, 0.1],
    };
    window.line.update(|shown| {
        let spaces = vec![picture("z"), picture("h")];
        shown.views.pictures = Some(Arc::new(Pictures { image: 3, grid: GRID, spaces }));
    });
    window.steps();
    assert!(window.shows("h picture"));
    assert!(window.shows("PCA, 80 %"));
    let picture = window.harness.get_by_label("h picture").rect();
    let gallery = window.harness.get_by_label("z query").rect();
    assert!(picture.bottom() <= gallery.top(), "the galleries lie below: {picture:?}, {gallery:?}");
    window.press(Modifiers::NONE, Key::Num1);
    assert!(matches!(window.commands()[..], [Command::ShowPictures(false)]));
}

#[test]
fn what_a_gallery_leaves_out_is_chosen_in_words_and_stays_labelled() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.click("All patches");
    window.harness.get_by_role_and_label(Role::CheckBox, "other images only").click();
    window.steps();
    settle(&mut window);
    let filter = GalleryFilter { other_images_only: true, ..GalleryFilter::default() };
    let sent = configured(&window).pop().expect("the filter is sent");
    assert_eq!(sent, bagssl::engine::ExploreConfig { filter, ..config() });
    // The settings are a question of their own; its answer has the next number.
    window.line.update(|shown| {
        shown.query = Some(Arc::new(query_view(1, patch(3, 8, 8))));
        let view = gallery_view(1, patch(3, 8, 8));
        shown.galleries = Some(Arc::new(bagssl::engine::GalleryView { filter, ..view }));
    });
    window.steps();
    assert!(window.shows("over 1,204 of 1,960 patches \u{b7} other images only"));
}

#[test]
fn of_a_set_with_both_splits_one_can_be_left_out() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.click("All patches");
    assert!(!window.shows("split:"), "this set has one split");
    window.press(Modifiers::NONE, Key::Escape);
    window.line.update(|shown| {
        shown.data = Some(Arc::new(DataDescription { split: Some(Split::All), ..data() }));
    });
    window.steps();
    window.click("All patches");
    window.harness.get_by_role_and_label(Role::RadioButton, "test").click();
    window.steps();
    settle(&mut window);
    let filter = GalleryFilter { split: Some(Split::Test), ..GalleryFilter::default() };
    let sent = configured(&window).pop().expect("the filter is sent");
    assert_eq!(sent, bagssl::engine::ExploreConfig { filter, ..config() });
    assert!(window.shows("test split only"));
}

#[test]
fn each_gallery_shows_its_shares_by_rank() {
    let window = Window::with_query([1280.0, 800.0]);
    assert!(window.shows("z shares by rank: same image 33 %, same class 34 %, other class 34 %"));
}
