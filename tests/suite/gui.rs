//! The window, by role and label: each test plays the engine's part through the same line and
//! looks at what is drawn and at what the window asks. Needs an adapter for drawing (lavapipe will do).

use std::collections::BTreeMap;
use std::sync::Arc;

use bagssl::augment::Resize;
use bagssl::colormap::Colormap;
use bagssl::engine::facts::{EmbedPrecision, TrainedBy};
use bagssl::engine::{
    Command, DataDescription, EngineLine, Event, ExploreConfig, ExtractionView, FigureEvent, FoundImages,
    Gallery, GalleryFilter, GalleryView, Heatmap, ImageFilter, ImageView, ModelDescription, ModelReport,
    Neighbour, QuerySpec, QueryView, Relation, about, line,
};
use bagssl::gui::{App, GuiOptions};
use bagssl::image::Image;
use bagssl::model::Stem;
use bagssl::patch::{PatchGrid, PatchRef};
use bagssl::progress::Progress;
use bagssl::tiles::{ImageTiles, TileChoice};
use eframe::egui::{
    Event as Input, Key, Modifiers, MouseWheelSource, MouseWheelUnit, TouchPhase, accesskit::Role, pos2, vec2,
};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;

pub const GRID: PatchGrid = PatchGrid { patch: 8, stride: 4 };
pub const SIDE: u32 = 32;
const IMAGES: usize = 40;

/// A window and the engine's end of its line.
pub struct Window {
    pub harness: Harness<'static, App>,
    pub line: EngineLine,
}

impl Window {
    /// A window that has just opened; the engine has said nothing yet.
    fn empty(size: [f32; 2]) -> Self {
        let (handle, line) = line(|| {});
        let options = GuiOptions::default();
        let build = Harness::builder().with_size(vec2(size[0], size[1])).with_max_steps(12).wgpu();
        let harness = build.build_eframe(|cc| App::new(cc, handle, options));
        Self { harness, line }
    }

    /// A window that shows a query with its maps and galleries; the first steps are dismissed.
    pub fn with_query(size: [f32; 2]) -> Self {
        let mut window = Self::first_start(size);
        window.click("Got it");
        window
    }

    /// The same, as it is at the very first start.
    pub fn first_start(size: [f32; 2]) -> Self {
        let mut window = Self::empty(size);
        window.commands();
        window.line.update(|shown| {
            shown.model = Some(Arc::new(model()));
            shown.data = Some(Arc::new(data()));
            shown.config = Some(config());
            shown.view = Some(Arc::new(view(3)));
        });
        window.answer(0, patch(3, 8, 8));
        window.steps();
        window.commands();
        window
    }

    /// Plays the engine's answer to a query.
    pub fn answer(&self, id: u64, query: PatchRef) {
        self.line.update(|shown| {
            shown.view = Some(Arc::new(view(query.image as usize)));
            shown.query = Some(Arc::new(query_view(id, query)));
            shown.galleries = Some(Arc::new(gallery_view(id, query)));
        });
    }

    /// A few frames. Not until it is quiet: a text cursor that blinks never is.
    pub fn steps(&mut self) {
        self.harness.run_steps(4);
    }

    /// What the window asked for since the last call, thumbnails left out.
    pub fn commands(&self) -> Vec<Command> {
        self.line
            .commands
            .try_iter()
            .filter(|command| !matches!(command, Command::Thumbnail { .. }))
            .collect()
    }

    pub fn queries(&self) -> Vec<(u64, PatchRef)> {
        let query = |command| match command {
            Command::Query { id, query, .. } => Some((id, query.as_patch().expect("a query of one patch"))),
            _ => None,
        };
        self.commands().into_iter().filter_map(query).collect()
    }

    pub fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.steps();
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.steps();
    }

    pub fn shows(&self, text: &str) -> bool {
        self.harness.query_all_by_label_contains(text).next().is_some()
    }
}

pub fn patch(image: u32, y: u32, x: u32) -> PatchRef {
    PatchRef { image, y, x, size: GRID.patch }
}

pub fn config() -> ExploreConfig {
    ExploreConfig {
        grid: GRID,
        gallery_stride: 4,
        gallery_images: IMAGES,
        neighbours: 119,
        spaces: vec!["z".into(), "h".into()],
        filter: GalleryFilter::default(),
        way: Default::default(),
    }
}

fn report() -> ModelReport {
    ModelReport {
        name: "demo".into(),
        arch: "ResNet-18/4".into(),
        stem: Some(Stem::Cifar { padding: 1 }),
        transformer: None,
        bottlenecks: None,
        spaces: BTreeMap::from([("h".into(), 128), ("z".into(), 64)]),
        crop_spaces: vec![("z".into(), 64), ("h".into(), 128)],
        maps: vec![("token-last".into(), 128)],
        input: 32,
        resolution: None,
        tiles: TileChoice { tiles: ImageTiles::of_side(512), is_told: false },
        fitting_tiles: ImageTiles::of_side(512),
        step: 32,
        precision: EmbedPrecision::F32,
        resize: Resize::Bilinear,
        mean: [0.5; 3],
        std: [0.25; 3],
        parameters: 800_000,
        hash: "0123456789abcdef".into(),
        format: "safetensors",
        missing: vec![],
        unexpected: vec![],
        sums: true,
        origin: None,
        training: serde_json::Value::Null,
    }
}

fn model() -> ModelDescription {
    ModelDescription {
        name: "demo".into(),
        arch: "ResNet-18/4".into(),
        spaces: vec![("z".into(), 64), ("h".into(), 128)],
        all_spaces: ["z", "hidden1", "h", "stage3", "pixels"].map(String::from).to_vec(),
        input: 32,
        hash: "0123456789abcdef".into(),
        trained_by: TrainedBy::default(),
        report: Some(report()),
        missing: None,
    }
}

pub fn data() -> DataDescription {
    DataDescription {
        id: 1,
        name: "few".into(),
        kind: "folder".into(),
        images: IMAGES,
        classes: vec!["car".into(), "horse".into()],
        labels: (0..IMAGES).map(|index| Some(index as u32 % 2)).collect(),
        size: Some((SIDE, SIDE)),
        side: SIDE,
        split: None,
        decoding: None,
        skipped: vec![],
    }
}

fn picture(level: u8) -> Arc<Image> {
    Arc::new(Image::filled(SIDE, SIDE, [level, 90, 200]))
}

pub fn view(index: usize) -> ImageView {
    let image = picture(index as u8);
    ImageView {
        index,
        name: format!("few/{index}.png"),
        class: Some("horse".into()),
        image,
        values: None,
        parts: None,
    }
}

/// Cosines that rise from cell to cell from -1 to 1.
fn ramp() -> (usize, Vec<f32>) {
    let (rows, cols) = GRID.shape(SIDE, SIDE);
    (cols, (0..rows * cols).map(|cell| cell as f32 / (rows * cols - 1) as f32 * 2.0 - 1.0).collect())
}

pub fn query_view(id: u64, patch: PatchRef) -> QueryView {
    let (cols, values) = ramp();
    let (rows, known) = (values.len() / cols, values.len());
    let values = Arc::new(values);
    let map = |space: &str| Heatmap {
        space: space.into(),
        grid: GRID,
        rows,
        cols,
        values: values.clone(),
        shown: values.clone(),
        lengths: None,
    };
    let parts = vec![Arc::new(Image::filled(8, 8, [3, 90, 200]))];
    let (query, image) = (QuerySpec::one(patch), patch.image as usize);
    QueryView { id, query, parts, image, maps: vec![map("z"), map("h")], known, tiles: None }
}

pub fn gallery_view(query_id: u64, query: PatchRef) -> GalleryView {
    let neighbour = |rank: u32| Neighbour {
        patch: patch(rank % IMAGES as u32, 4, 12),
        cosine: 1.0 - rank as f32 / 200.0,
        in_other_spaces: vec![("other".into(), 0.42)],
        relation: [Relation::SameClass, Relation::OtherClass, Relation::SameImage][rank as usize % 3],
        class: Some("car".into()),
        image_name: format!("few/{rank}.png"),
        copies: 1,
        copy_names: vec![],
        pixels: Arc::new(Image::filled(8, 8, [200, rank as u8, 0])),
        is_readable: true,
    };
    let gallery = |space: &str| Gallery {
        space: space.into(),
        milliseconds: 1.5,
        recall: None,
        searched: 1_204,
        candidates: 1_203,
        neighbours: (0..119).map(neighbour).collect(),
    };
    GalleryView {
        query_id,
        query: QuerySpec::one(query),
        query_pixels: Arc::new(Image::filled(8, 8, [3, 90, 200])),
        spaces: vec![gallery("z"), gallery("h")],
        filter: GalleryFilter::default(),
        searched: 1_204,
        total: 1_960,
        images: (24, 24),
        guests: 0,
        way: None,
        pictures_follow: false,
    }
}

#[test]
fn the_window_asks_for_its_model_and_data_when_it_opens() {
    let window = Window::empty([1280.0, 800.0]);
    let commands = window.commands();
    assert!(
        matches!(&commands[0], Command::OpenModel { spec } if spec.path == std::path::Path::new("demo")),
        "{commands:?}"
    );
    assert!(
        matches!(&commands[1], Command::OpenData { spec, split: None } if spec == "demo"),
        "{commands:?}"
    );
    assert!(window.shows("Open a folder or an image"));
}

#[test]
fn without_a_query_the_window_says_what_to_do() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| (shown.query, shown.galleries) = (None, None));
    window.steps();
    assert!(window.shows("No query yet"));
    window.press(Modifiers::COMMAND, Key::E);
    // The query that was there before can still be chosen.
    assert!(window.shows("Choose at least one query"), "export without a query says what is missing");
}

#[test]
fn a_click_on_the_image_or_on_a_map_makes_the_nearest_patch_the_query() {
    let mut window = Window::with_query([1280.0, 800.0]);
    for (number, pane) in ["image", "z heatmap", "h heatmap"].into_iter().enumerate() {
        // The middle of a pane is pixel (16, 16), the centre of the patch at (12, 12).
        window.click(pane);
        assert_eq!(window.queries(), [(number as u64 + 1, patch(3, 12, 12))], "{pane}");
        window.answer(number as u64 + 1, patch(3, 8, 8));
        window.steps();
    }
}

#[test]
fn a_click_on_a_neighbour_goes_there_and_back_returns() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.click("h neighbour 8: cosine 0.965, car, other class");
    assert_eq!(window.queries(), [(1, patch(7, 4, 12))]);
    window.answer(1, patch(7, 4, 12));
    window.steps();
    assert!(window.shows("image 7 \u{b7} horse"));
    window.click("Back");
    assert_eq!(window.queries(), [(2, patch(3, 8, 8))]);
    window.answer(2, patch(3, 8, 8));
    window.press(Modifiers::ALT, Key::ArrowRight);
    assert_eq!(window.queries(), [(3, patch(7, 4, 12))]);
}

#[test]
fn arrow_keys_move_the_query_by_strides() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::NONE, Key::ArrowRight);
    assert_eq!(window.queries(), [(1, patch(3, 8, 12))]);
    window.press(Modifiers::SHIFT, Key::ArrowDown);
    assert_eq!(window.queries(), [(2, patch(3, 24, 12))]);
}

#[test]
fn an_error_stands_in_the_window_in_words_until_it_is_dismissed() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let message = "broken.bin: 7 bytes are no whole number of records".to_owned();
    window.line.emit(Event::Failed { about: "opening the data set".into(), message: message.clone() });
    window.steps();
    assert!(window.shows(&message));
    window.click("Dismiss");
    assert!(!window.shows(&message));
}

#[test]
fn what_cannot_be_opened_is_told_in_the_dialog_with_what_was_typed() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::O);
    window.harness.get_by_role_and_label(Role::TextInput, "Path").type_text("/nowhere");
    window.steps();
    window.press(Modifiers::NONE, Key::Enter);
    let command = window.commands().pop().expect("it is tried");
    let has_dialog =
        |window: &Window| window.harness.query_by_role_and_label(Role::TextInput, "Path").is_some();
    assert!(!has_dialog(&window), "the dialog makes room");
    let message = "data \"/nowhere\": there is no such file or folder".to_owned();
    window.line.emit(Event::Failed { about: about(&command).into(), message: message.clone() });
    window.steps();
    assert!(has_dialog(&window) && window.shows(&message));
    let field = window.harness.get_by_role_and_label(Role::TextInput, "Path");
    assert_eq!(field.value().as_deref(), Some("/nowhere"));
    assert!(field.is_focused());
    // What fails later is no answer to the dialog.
    window.press(Modifiers::NONE, Key::Escape);
    window.line.emit(Event::Failed { about: about(&command).into(), message });
    window.steps();
    assert!(!has_dialog(&window) && window.shows("Dismiss"));
}

#[test]
fn what_was_done_goes_by_itself_and_what_failed_stays() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let before = window.harness.get_by_label("z heatmap").rect();
    let (path, sidecar) = ("/figures/a.pdf".into(), "/figures/a.pdf.json".into());
    window.line.emit(Event::Figure(FigureEvent::Saved { path, sidecar, caption: None }));
    window.line.emit(Event::Failed { about: "the query".into(), message: "no such patch".into() });
    window.steps();
    assert!(window.shows("Figure saved") && window.shows("no such patch"));
    assert_eq!(window.harness.get_by_label("z heatmap").rect(), before, "nothing moves");
    for _ in 0..200 {
        window.steps();
        if !window.shows("Figure saved") {
            break;
        }
    }
    assert!(!window.shows("Figure saved") && window.shows("no such patch"));
}

#[test]
fn the_heatmap_has_the_colours_of_its_values_cell_by_cell() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let pane = window.harness.get_by_label("z heatmap").rect();
    let drawn = window.harness.render().expect("an adapter draws the window");
    // The image is enlarged by a whole number of pixels about the pane's middle.
    let scale = (pane.width().min(pane.height()) / SIDE as f32).floor();
    let corner = pane.center() - vec2(SIDE as f32, SIDE as f32) * scale / 2.0;
    let (cols, values) = ramp();
    let query = window.line.snapshot().query.as_ref().unwrap().query.as_patch().unwrap();
    for (cell, value) in values.iter().enumerate() {
        let (y, x) = GRID.corner(cell, cols);
        let at = corner + vec2((x + GRID.patch / 2) as f32, (y + GRID.patch / 2) as f32) * scale;
        let near = |at: u32, edge: u32| at.abs_diff(edge) <= 1;
        let (row, col) = (y + GRID.patch / 2, x + GRID.patch / 2);
        let dashes_y = near(row, query.y) || near(row, query.y + query.size);
        let dashes_x = near(col, query.x) || near(col, query.x + query.size);
        if dashes_y || dashes_x {
            continue;
        }
        let shown = drawn.get_pixel(at.x.round() as u32, at.y.round() as u32).0;
        let expected = Colormap::Magma.color_on(*value, [-1.0, 1.0]);
        let error = (0..3).map(|channel| shown[channel].abs_diff(expected[channel])).max().unwrap();
        assert!(error <= 2, "cell {cell}, cosine {value}: {shown:?} for {expected:?}");
    }
}

#[test]
fn the_wheel_zooms_about_the_pointer_and_zero_shows_the_whole_image_again() {
    let mut window = Window::with_query([1280.0, 800.0]);
    let pane = window.harness.get_by_label("image").rect();
    window.harness.hover_at(pane.center());
    for _ in 0..6 {
        window.harness.event(Input::MouseWheel {
            unit: MouseWheelUnit::Line,
            delta: vec2(0.0, 4.0),
            phase: TouchPhase::Move,
            modifiers: Modifiers::NONE,
            source: MouseWheelSource::Wheel,
        });
        window.steps();
    }
    // Zoomed in, a corner of the pane is no longer near the corner of the image.
    let near_corner = pane.center() - vec2(100.0, 100.0);
    window.harness.hover_at(near_corner);
    window.harness.drag_at(near_corner);
    window.harness.drop_at(near_corner);
    window.steps();
    let zoomed = window.queries();
    assert!(zoomed.last().is_some_and(|(_, patch)| patch.x >= 8), "{zoomed:?}");
    window.press(Modifiers::NONE, Key::Num0);
    window.harness.run_steps(40); // a second click must not count as a double click
    window.harness.drag_at(near_corner);
    window.harness.drop_at(near_corner);
    window.steps();
    let whole = window.queries();
    assert!(whole.last().is_some_and(|(_, patch)| patch.x <= 4), "{whole:?}");
}

#[test]
fn the_status_line_says_how_far_the_extraction_is_and_pauses_it() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.line.update(|shown| {
        shown.extraction = Some(ExtractionView {
            progress: Progress {
                what: "embedding",
                done: 12_000,
                total: 50_000,
                resumed: 0,
                unit: "images",
                elapsed: std::time::Duration::from_secs(60),
            },
            patches: (300_000, 1_250_000),
            kept_patches: 0,
            patches_per_second: Some(1_840.0),
            skipped: Arc::default(),
            copies: 0,
            paused: false,
            stopped: None,
            finished: false,
            written_by: None,
            memory: bagssl::engine::MemoryUse {
                bytes: 640 << 20,
                most_bytes: 1 << 30,
                images: 50_000,
                wanted_images: 60_000,
                wanted_bytes: 1100 << 20,
            },
        });
    });
    window.steps();
    assert!(window.shows("12,000 / 50,000 images \u{b7} 1,840 patches/s \u{b7} 3 min left"));
    assert!(window.shows("0.62 of 1.00 GiB"));
    assert!(window.shows("50,000 of 60,000 images, spread: memory"));
    let kept = |window: &mut Window, images: u64, kept_patches: usize| {
        window.line.update(|shown| {
            let view = shown.extraction.take().unwrap();
            let progress = Progress { resumed: images, ..view.progress };
            shown.extraction = Some(ExtractionView { progress, kept_patches, ..view });
        });
        window.steps();
    };
    kept(&mut window, 4_000, 100_000);
    assert!(window.shows("12,000 / 50,000 images, 4,000 kept \u{b7} "));
    kept(&mut window, 0, 75_000);
    assert!(window.shows("12,000 / 50,000 images \u{b7} 75,000 patches kept \u{b7} "), "of each image some");
    window.click("Pause");
    assert!(matches!(window.commands()[..], [Command::PauseExtraction(true)]));
    window.line.update(|shown| {
        let stopped = Some("/data/a.png could not be read: Input/output error".into());
        shown.extraction = shown.extraction.take().map(|view| ExtractionView { stopped, ..view });
    });
    window.steps();
    assert!(window.shows("stopped: /data/a.png could not be read") && !window.shows("patches/s"));
    window.click("Try again");
    assert!(matches!(window.commands()[..], [Command::PauseExtraction(false)]));
}

#[test]
fn the_engine_is_asked_for_images_by_name_and_class() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::COMMAND, Key::F);
    window.harness.get_by_label("Find image").type_text("hor");
    window.steps();
    assert!(window.shows("searching..."));
    let filter = ImageFilter { text: "hor".into(), class: None };
    assert!(
        matches!(&window.commands()[..], [Command::FindImages { data: 1, filter: asked }] if *asked == filter)
    );
    let images = (0..IMAGES as u32).filter(|index| index % 2 == 1).collect();
    window.line.update(|shown| shown.found = Some(Arc::new(FoundImages { data: 1, filter, images })));
    window.steps();
    assert!(window.shows("20 of 40 images"));
    window.harness.get_by_label("image 5 \u{b7} horse").click();
    window.steps();
    assert!(matches!(window.commands()[..], [Command::ShowImage { data: 1, index: 5 }]));
}

#[test]
fn the_keys_are_listed_and_the_palette_runs_commands() {
    let mut window = Window::with_query([1280.0, 800.0]);
    window.press(Modifiers::NONE, Key::F1);
    assert!(window.shows("Ten strides left"));
    window.press(Modifiers::NONE, Key::Escape);
    assert!(!window.shows("Ten strides left"));
    window.press(Modifiers::COMMAND, Key::P);
    window.harness.get_by_role_and_label(Role::TextInput, "Command").type_text("export heat");
    window.steps();
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.harness.query_by_role_and_label(Role::TextInput, "File").is_some());
}

#[test]
fn nothing_important_is_cut_at_the_sizes_that_the_window_promises() {
    for size in [[1280.0, 800.0], [1000.0, 800.0]] {
        for window in [Window::with_query(size), Window::first_start(size)] {
            important_is_whole(&window, size);
        }
    }
}

fn important_is_whole(window: &Window, size: [f32; 2]) {
    let screen = eframe::egui::Rect::from_min_max(pos2(0.0, 0.0), pos2(size[0], size[1]));
    for label in [
        "Open model...",
        "Open data...",
        "Keys",
        "Find image",
        "image",
        "h heatmap",
        "Colours",
        "Range",
        "Neighbours",
        "z query",
        "h neighbour 119: cosine 0.410, car, other class",
        "Heatmaps...",
        "Galleries...",
        "Instance...",
    ] {
        let found = window.harness.query_all_by_label(label).map(|node| node.rect()).collect::<Vec<_>>();
        assert!(!found.is_empty(), "{label:?} is missing at {size:?}");
        assert!(
            found.iter().all(|rect| screen.contains_rect(*rect)),
            "{label:?} is cut at {size:?}: {found:?}"
        );
    }
}
