//! The dialog about the open model, and how its whole images go through.

use std::sync::Arc;

use bagssl::engine::{Command, QueryView};
use bagssl::tiles::{ImageTiles, TileChoice, TilesOfImage};
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;

use crate::gui::Window;

/// The model of these tests has room for 512 x 512 pixels.
#[test]
fn the_menu_of_resolutions_says_what_goes_through_in_tiles() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| shown.model_source = Some(Arc::new("demo".into())));
    window.steps();
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::M);
    assert!(window.shows("those of more than 512 x 512 px in tiles of 512 px, overlap 128 px: memory"));
    window.click("short side of whole images, for places");
    window.harness.get_by_role_and_label(Role::ComboBox, "Usual sides").click();
    window.steps();
    assert!(window.shows("448 px: one pass"));
    window.click("1,024 px: 9 tiles of 512 px, overlap 128 px: memory");
    window.click("Open so");
    let opened = window.commands().into_iter().find_map(|command| match command {
        Command::OpenModel { spec } => Some(spec.overrides),
        _ => None,
    });
    let overrides = opened.expect("it is opened");
    assert_eq!((overrides.resolution, overrides.tiles), (Some(1024), None));
}

#[test]
fn the_tiles_of_the_image_on_show_stand_beside_the_query() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let choice = TileChoice { tiles: ImageTiles { side: 518, overlap: 112 }, is_told: false };
    window.line.update(|shown| {
        let view = (**shown.query.as_ref().unwrap()).clone();
        let tiles = Some(TilesOfImage { count: 12, choice });
        shown.query = Some(Arc::new(QueryView { tiles, ..view }));
    });
    window.steps();
    assert!(window.shows("places: 12 tiles of 518 px, overlap 112 px: memory"));
}
