use std::sync::Arc;

use bagssl::engine::{
    Command, Heatmap, MicroscopeLevel, MicroscopeView, QuerySpec, QueryView, RestOfImage, Sign,
};
use bagssl::patch::PatchGrid;
use eframe::egui::{Key, Modifiers, accesskit::Role, pos2, vec2};
use egui_kittest::kittest::Queryable;

use super::gui::{SIDE, Window, patch};

/// A level of `size` pixels whose cosines are all `value` in z, and half of that in h.
fn level(size: u32, value: f32) -> Arc<MicroscopeLevel> {
    let grid = PatchGrid { patch: size, stride: 2 };
    let (rows, cols) = grid.shape(SIDE, SIDE);
    let map = |space: &str, value: f32| {
        let values = Arc::new(vec![value; rows * cols]);
        Heatmap {
            space: space.into(),
            grid,
            rows,
            cols,
            values: values.clone(),
            shown: values,
            lengths: None,
        }
    };
    let rest = |mean| RestOfImage { patches: rows * cols - 1, mean, deviation: 0.1 };
    Arc::new(MicroscopeLevel {
        grid,
        positions: rows * cols,
        known: rows * cols,
        query: Some(patch(3, 8, 8).about_same_centre(size, SIDE, SIDE)),
        maps: vec![map("z", value), map("h", value / 2.0)],
        rest: vec![rest(value), rest(value / 2.0)],
    })
}

fn microscopes(window: &Window) -> Vec<Option<Vec<u32>>> {
    let sizes = |command| match command {
        Command::Microscope(sizes) => Some(sizes),
        _ => None,
    };
    window.commands().into_iter().filter_map(sizes).collect()
}

/// A window whose microscope the engine has filled in.
pub fn with_microscope(size: [f32; 2]) -> Window {
    let mut window = Window::with_query(size);
    window.click("Microscope");
    assert_eq!(microscopes(&window), [Some(vec![])], "sizes that suit the image");
    window.line.update(|shown| {
        let levels = vec![level(8, 0.4), level(16, 0.8), level(30, 0.9)];
        shown.views.microscope = Some(Arc::new(MicroscopeView { image: 3, levels, left_out: vec![] }));
    });
    window.steps();
    window
}

#[test]
fn the_microscope_shows_a_column_for_each_size_with_its_mean_cosine() {
    let window = with_microscope([1280.0, 800.0]);
    for size in [8, 16, 30] {
        for what in ["image", "z heatmap", "h heatmap"] {
            assert!(window.shows(&format!("{what} at {size} px")), "{what} at {size} px");
        }
    }
    assert!(window.shows("mean +0.40 \u{b7} N 168"));
    assert!(window.shows("16 px: z +0.80 \u{b1} 0.10 (80 patches) h +0.40"));
    assert!(!window.shows("z query"), "the galleries make room");
}

#[test]
fn in_the_microscope_a_click_and_the_arrows_move_the_query() {
    let mut window = with_microscope([1280.0, 800.0]);
    // The middle of a pane is pixel (16, 16): patches of the chosen size, 8, have their centre there at 12.
    window.click("z heatmap at 30 px");
    assert_eq!(window.queries(), [(1, patch(3, 12, 12))]);
    window.press(Modifiers::NONE, Key::ArrowDown);
    assert_eq!(window.queries(), [(2, patch(3, 16, 12))]);
}

#[test]
fn leaving_the_microscope_ends_its_work() {
    let mut window = with_microscope([1280.0, 800.0]);
    window.press(Modifiers::NONE, Key::Num5);
    assert_eq!(microscopes(&window), [None]);
    assert!(window.shows("z query"), "the galleries are back");
    window.press(Modifiers::NONE, Key::Num6);
    assert_eq!(microscopes(&window), [Some(vec![])]);
    window.press(Modifiers::COMMAND, Key::Num2);
    assert_eq!(microscopes(&window), [None], "Train shows no microscope");
}

#[test]
fn patch_sizes_are_typed_and_a_wrong_list_is_told() {
    let mut window = with_microscope([1280.0, 800.0]);
    let typed = |window: &mut Window, text: &str| {
        window.harness.get_by_role_and_label(Role::TextInput, "Patch sizes").focus();
        window.press(Modifiers::COMMAND, Key::A);
        window.harness.get_by_role_and_label(Role::TextInput, "Patch sizes").type_text(text);
        window.press(Modifiers::NONE, Key::Enter);
    };
    typed(&mut window, "8, 12, big");
    assert!(window.shows("\"big\" is no patch size"));
    assert!(microscopes(&window).is_empty());
    typed(&mut window, "8, 12");
    assert_eq!(microscopes(&window), [Some(vec![8, 12])]);
    assert!(!window.shows("is no patch size"));
    window.click("By image size");
    assert_eq!(microscopes(&window), [Some(vec![])]);
}

#[test]
fn the_microscope_is_not_cut_at_the_sizes_that_the_window_promises() {
    for size in [[1280.0, 800.0], [1000.0, 800.0]] {
        let window = with_microscope(size);
        let screen = eframe::egui::Rect::from_min_size(pos2(0.0, 0.0), vec2(size[0], size[1]));
        let labels = ["image at 8 px", "h heatmap at 30 px", "Patch sizes", "By image size", "Maps"];
        let nodes = |label| window.harness.query_all_by_label(label).map(|node| node.rect());
        for rect in labels.into_iter().flat_map(nodes) {
            assert!(screen.contains_rect(rect), "{rect:?} at {size:?}");
        }
        let chart = window.harness.get_by_label_contains("30 px: z +0.90");
        assert!(screen.contains_rect(chart.rect()), "{:?}", chart.rect());
    }
}

#[test]
fn of_a_query_of_several_parts_it_says_which_place_it_shows() {
    let mut window = with_microscope([1280.0, 800.0]);
    assert!(!window.shows("one place:"));
    let query = QuerySpec::one(patch(3, 8, 8)).with(Sign::Minus, patch(3, 20, 20));
    window.line.update(|shown| {
        let view = QueryView { query, ..(**shown.query.as_ref().unwrap()).clone() };
        shown.query = Some(Arc::new(view));
    });
    window.steps();
    assert!(window.shows("one place: the first of the query's 2 parts on this image"));
}
