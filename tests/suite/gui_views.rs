use std::sync::Arc;

use bagssl::colormap::Colormap;
use bagssl::engine::{
    Command, DataDescription, Event, ExploreConfig, FigureKind, GalleryFilter, Heatmap, ImageView, MapMode,
    Picture, Pictures, QueryView, Split,
};
use bagssl::image::Image;
use bagssl::patch::PatchGrid;
use eframe::egui::{Key, Modifiers, Rect, accesskit::Role};
use egui_kittest::kittest::Queryable;

use super::gui::{GRID, SIDE, Window, config, data, gallery_view, patch, query_view, view};
use super::gui_compare::with_compare;
use super::gui_export::last_preview;
use super::gui_microscope::with_microscope;
use super::gui_sizes::resize;

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

#[test]
fn a_stride_that_makes_too_many_patches_says_so_at_its_field_with_the_smallest_that_does() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let large = || {
        let view = view(3);
        Arc::new(ImageView { image: Arc::new(Image::filled(400, 300, [90; 3])), ..view })
    };
    window.line.update(|shown| {
        shown.view = Some(large());
        shown.config = Some(ExploreConfig { grid: PatchGrid { patch: 8, stride: 1 }, ..config() });
        (shown.query, shown.galleries) = (None, None);
    });
    window.commands();
    window.steps();
    assert!(window.shows("Stride 1 makes 115,149 patches on this image"));
    assert!(window.shows("No map: stride 1 makes"));
    // Every click would be answered so: it stands at the field, and not in the corner.
    window.line.emit(Event::Failed { about: "the query".into(), message: "stride 1 makes".into() });
    window.steps();
    assert!(!window.shows("Dismiss"));
    window.click("Use stride 2 px");
    settle(&mut window);
    let grids: Vec<PatchGrid> = configured(&window).into_iter().map(|config| config.grid).collect();
    assert_eq!(grids, [PatchGrid { patch: 8, stride: 2 }]);
}

#[test]
fn an_image_smaller_than_the_patch_says_so_in_its_place_and_offers_patches_that_fit() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| {
        let grid = PatchGrid { patch: 48, stride: 4 };
        shown.config = Some(ExploreConfig { grid, ..config() });
        (shown.query, shown.galleries) = (None, None);
    });
    window.steps();
    assert!(window.shows("No map: a patch of 48 x 48 pixels does not fit on this image of 32 x 32"));
    window.click("Use patches of 14 px");
    settle(&mut window);
    let sizes: Vec<u32> = configured(&window).into_iter().map(|config| config.grid.patch).collect();
    assert_eq!(sizes, [14]);
}

#[test]
fn what_failed_with_other_data_goes_with_it() {
    let mut window = Window::with_query([1280.0, 800.0]);
    for (about, message) in [("the query", "lost.png: no such file"), ("the GPU", "no driver")] {
        window.line.emit(Event::Failed { about: about.into(), message: message.into() });
    }
    window.steps();
    assert!(window.shows("lost.png") && window.shows("no driver"));
    window.line.emit(Event::DataOpened);
    window.steps();
    assert!(!window.shows("lost.png") && window.shows("no driver"));
}

#[test]
fn without_a_model_or_data_every_view_says_what_is_missing() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| (shown.model, shown.query, shown.galleries) = (None, None, None));
    window.steps();
    for key in [Key::Num5, Key::Num6, Key::Num7] {
        window.press(Modifiers::NONE, key);
        assert!(window.shows("No model is open: choose one with"), "{key:?}");
    }
    window.press(Modifiers::NONE, Key::Num5);
    window.line.update(|shown| shown.busy = Some("opening the model".into()));
    window.steps();
    assert!(!window.shows("No model is open") && window.shows("opening the model..."));
    // An instance is an image with marks: it can be looked at without a model.
    window.line.update(|shown| (shown.busy, shown.view) = (None, None));
    window.press(Modifiers::NONE, Key::Num8);
    window.steps();
    assert!(window.shows("No model is open: choose one with"));
}

#[test]
fn a_map_shown_small_has_the_mean_of_the_cells_in_a_pixel() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let (rows, cols) = (100, 600);
    let grid = PatchGrid { patch: 1, stride: 1 };
    let values: Vec<f32> = (0..rows * cols).map(|cell| if cell % 2 == 0 { -1.0 } else { 1.0 }).collect();
    let (values, known) = (Arc::new(values), rows * cols);
    window.line.update(|shown| {
        let image = Arc::new(Image::filled(cols as u32, rows as u32, [90; 3]));
        shown.view = Some(Arc::new(ImageView { image, ..view(3) }));
        let map = Heatmap {
            space: "z".into(),
            grid,
            rows,
            cols,
            values: values.clone(),
            shown: values.clone(),
            lengths: None,
        };
        let query = query_view(9, patch(3, 8, 8));
        shown.query = Some(Arc::new(QueryView { maps: vec![map], known, ..query }));
    });
    window.steps();
    let pane = window.harness.get_by_label("z heatmap").rect();
    let drawn = window.harness.render().expect("an adapter draws the window");
    // Away from the query's dashes, columns beside each other, each of more than two cells.
    let colors = Colormap::Magma;
    for step in 20..60 {
        let at = pane.center() + eframe::egui::vec2(step as f32, 10.0);
        let shown = drawn.get_pixel(at.x as u32, at.y as u32).0;
        let green = |value| colors.color_on(value, [-1.0, 1.0])[1];
        assert!((green(-0.5)..=green(0.5)).contains(&shown[1]), "{step}: {shown:?}");
    }
}

#[test]
fn the_palette_is_as_high_after_a_search_without_a_hit_and_shows_what_is_chosen() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::P);
    let field = |window: &Window| window.harness.get_by_role_and_label(Role::TextInput, "Command").rect();
    let before = field(&window);
    window.harness.get_by_role_and_label(Role::TextInput, "Command").type_text("xyzzy");
    window.steps();
    assert!(window.shows("No command has these words."));
    for _ in 0..5 {
        window.press(Modifiers::NONE, Key::Backspace);
    }
    assert_eq!(field(&window), before);
    for _ in 0..30 {
        window.press(Modifiers::NONE, Key::ArrowDown);
    }
    window.harness.get_by_role_and_label(Role::TextInput, "Command").type_text("e");
    window.steps();
    let first =
        window.harness.get_all_by_label_contains("Open data...   ").next().expect("the first command").rect();
    let list =
        Rect::from_min_max(before.left_bottom(), before.left_bottom() + eframe::egui::vec2(400.0, 330.0));
    assert!(list.contains_rect(first), "{first:?}");
}

#[test]
fn the_list_of_keys_is_searched_by_words_and_keys() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::NONE, Key::F1);
    window.harness.get_by_role_and_label(Role::TextInput, "Keys").type_text("strides LEFT");
    window.steps();
    assert!(window.shows("Ten strides left") && !window.shows("Undo"));
    window.harness.get_by_role_and_label(Role::TextInput, "Keys").type_text(" xyzzy");
    window.steps();
    assert!(window.shows("No key has these words."));
}

#[test]
fn a_toolbar_has_at_most_two_rows_in_the_smallest_window() {
    let small = [1000.0, 700.0];
    let mut instance = Window::with_query(small);
    instance.click("Instance");
    for (name, mut window, last) in [
        ("Maps", Window::with_query(small), "More"),
        ("Microscope", with_microscope(small), "More"),
        ("Compare", with_compare(small), "More"),
        ("Instance", instance, "Export..."),
    ] {
        resize(&mut window.harness, small, 1.0);
        let top = window.harness.get_all_by_label("Microscope").next().expect("the views").rect().top();
        let rows = window.harness.get_all_by_label(last).map(|node| node.rect().bottom() - top);
        let height = rows.fold(f32::INFINITY, f32::min);
        assert!(
            height <= 56.0,
            "{name}: {height} points from the first row's top to the last control's bottom"
        );
    }
}
