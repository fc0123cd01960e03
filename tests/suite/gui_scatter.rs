//! The Scatter view, by role and label; and the engine's part of it with the demo model and a few images.

use std::sync::Arc;
use std::time::Duration;

use bagssl::bank::{BankSink, BankSpec, DataFacts, Dtype, ImageEntry, MemoryBank, ModelFacts, SpaceSpec};
use bagssl::colormap::Colormap;
use bagssl::dataset::{self, DataSpec, Split};
use bagssl::engine::facts::{PatchPlane, PlaneConfig, PlaneWay};
use bagssl::engine::{
    Command, Event, ExploreConfig, PickedPatch, PickedPoints, PointColor, PointPicture, PointPictures,
    PointTints, QuerySpec, SamplePhase, ScatterCommand, ScatterPlan, ShownPlane, Snapshot, Tints,
};
use bagssl::image::Image;
use bagssl::patch::PatchRef;
use bagssl::progress::{CancelToken, Progress};
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, PointerButton, Pos2, Rect, vec2};
use egui_kittest::kittest::Queryable;

use crate::engine::{Started, is_complete, small};
use crate::gui::{GRID, SIDE, Window, patch};
use crate::gui_sizes::wrong_at_all_sizes;

const IMAGES: u32 = 6;

fn asked(window: &Window) -> Vec<ScatterCommand> {
    let of = |command| match command {
        Command::Scatter(command) => Some(command),
        _ => None,
    };
    window.commands().into_iter().filter_map(of).collect()
}

/// Patches of a few images that lie on the plane as in their images, about the middle of which the mean is; those of later
/// images a little further out.
fn plane() -> ShownPlane {
    let spec = BankSpec {
        program: "test".into(),
        model: ModelFacts { name: "m".into(), hash: "0".into(), arch: "a".into() },
        data: DataFacts {
            kind: "folder".into(),
            name: "few".into(),
            fingerprint: "f".into(),
            split: None,
            mix: None,
            limit: None,
            decoding: None,
            order: None,
            part: None,
        },
        grid: GRID,
        input: 8,
        resize: "bilinear".into(),
        resolution: None,
        tiles: None,
        mean: [0.5; 3],
        std: [0.5; 3],
        dtype: Dtype::F32,
        spaces: vec![SpaceSpec { name: "z".into(), width: 3 }],
        classes: vec!["car".into(), "horse".into()],
    };
    let entry = |index: u32| ImageEntry {
        index,
        height: SIDE,
        width: SIDE,
        label: Some(index % 2),
        name: "i".into(),
    };
    let mut bank = MemoryBank::new(spec.clone(), (0..IMAGES).map(entry).collect()).unwrap();
    for image in 0..IMAGES {
        let along = |at: u32| (at as f32 - 12.0) / 60.0 * (1.0 + image as f32 / 50.0);
        let vector = |cell: u32| {
            let [x, y] = [along(cell % 7 * 4), 0.7 * along(cell / 7 * 4)];
            [x, y, (1.0 - x * x - y * y).sqrt()]
        };
        let rows: Vec<f32> = (0..49).flat_map(vector).collect();
        bank.push_image(image as usize, &[("z", &rows)]).unwrap();
    }
    let (config, cancel) = (PlaneConfig::default(), CancelToken::default());
    let plane = PatchPlane::of(&bank.snapshot(), "z", config, None, &cancel, &mut |_| {}).unwrap();
    let labels = plane.patches.iter().map(|patch| Some(patch.image % 2)).collect();
    ShownPlane { number: 4, plane, spec, labels, images: (6, 24), total: 1176 }
}

fn tints(plane: &ShownPlane) -> PointTints {
    let index = plane.plane.patches.iter().map(|patch| (patch.image % 2) as u16).collect();
    let tints = Tints::kinds(index, vec!["car".into(), "horse".into()]);
    PointTints { plane: plane.number, color: PointColor::Class, tints }
}

/// A window at the plane of its patches, drawn.
fn with_plane(size: [f32; 2]) -> Window {
    let mut window = Window::with_query(size);
    window.press(Modifiers::NONE, Key::D);
    let plan = ScatterPlan { space: "z".into(), way: PlaneWay::Pca, color: PointColor::Class };
    assert!(matches!(&asked(&window)[..], [ScatterCommand::Follow(Some(asked))] if *asked == plan));
    assert!(window.shows("The plane appears as soon as"));
    window.line.update(|shown| {
        let plane = plane();
        shown.views.scatter.tints = Some(Arc::new(tints(&plane)));
        shown.views.scatter.query = Some((QuerySpec::one(patch(3, 8, 8)), [0.01, 0.02]));
        shown.views.scatter.plane = Some(Arc::new(plane));
    });
    window.steps();
    window
}

fn pane(window: &Window) -> Rect {
    window.harness.get_by_role_and_label(Role::Image, "plane of z: 294 patches").rect()
}

/// Frames until `done`, while a thread works.
fn wait(window: &mut Window, done: impl Fn(&Window) -> bool) {
    for _ in 0..500 {
        window.steps();
        if done(window) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it did not happen");
}

#[test]
fn all_patches_lie_on_a_plane_and_a_click_on_one_makes_it_the_query() {
    let mut window = with_plane([1280.0, 800.0]);
    assert!(window.shows("294 of 1,176 patches \u{b7} 6 of 24 images"));
    assert!(window.shows("% of the variance") && window.shows("car") && window.shows("horse"));
    let middle = pane(&window).center();
    window.harness.hover_at(middle);
    window.steps();
    window.harness.event(click(middle, true, Modifiers::NONE));
    window.harness.event(click(middle, false, Modifiers::NONE));
    window.steps();
    // The first of the patches in the middle of their images.
    assert_eq!(window.queries(), [(1, patch(0, 12, 12))]);
    window.harness.get_by_role_and_label(Role::ComboBox, "Colour").click();
    window.steps();
    window.click("norm");
    let plan = ScatterPlan { space: "z".into(), way: PlaneWay::Pca, color: PointColor::Norm };
    assert!(matches!(&asked(&window)[..], [ScatterCommand::Follow(Some(asked))] if *asked == plan));
    assert!(window.shows("colouring..."));
    window.harness.get_by_role_and_label(Role::ComboBox, "by").click();
    window.steps();
    window.click("t-SNE");
    let plan = ScatterPlan { way: PlaneWay::Tsne, ..plan };
    assert!(matches!(&asked(&window)[..], [ScatterCommand::Follow(Some(asked))] if *asked == plan));
    let (what, unit, elapsed) = ("t-SNE", "steps", Duration::from_secs(2));
    let progress = Progress { what, done: 250, total: 1000, resumed: 0, unit, elapsed };
    window.line.update(|shown| shown.views.scatter.phase = SamplePhase::Running(Some(progress)));
    window.steps();
    assert!(window.shows("t-SNE: 250 of 1,000 steps..."));
    window.press(Modifiers::NONE, Key::Num5);
    assert!(matches!(asked(&window)[..], [ScatterCommand::Follow(None)]));
}

/// Of an imported table, for example.
#[test]
fn a_point_is_of_the_class_that_its_bank_says_and_not_the_open_images() {
    let mut window = with_plane([1280.0, 800.0]);
    window.line.update(|shown| {
        let mut plane = plane();
        plane.spec.classes = vec!["ant".into(), "cow".into()];
        plane.labels.fill(Some(1));
        shown.views.scatter.plane = Some(Arc::new(plane));
    });
    window.steps();
    let middle = pane(&window).center();
    window.harness.hover_at(middle);
    window.harness.run_steps(60);
    assert!(window.shows("cow"));
}

fn click(pos: Pos2, pressed: bool, modifiers: Modifiers) -> eframe::egui::Event {
    eframe::egui::Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers }
}

#[test]
fn where_one_zooms_in_the_patches_take_the_place_of_points() {
    let mut window = with_plane([1280.0, 800.0]);
    let mut wanted = vec![];
    for _ in 0..500 {
        window.steps();
        wanted.extend(asked(&window));
        if !wanted.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // So few points are patches at once, one for each place.
    let [ScatterCommand::Pictures { plane: 4, points }] = &wanted[..] else { panic!("{wanted:?}") };
    assert!(points.len() < 294 && points.len() >= 49, "{}", points.len());
    let picture = |point: &u32| {
        let pixels = Arc::new(Image::filled(8, 8, [*point as u8, 90, 9]));
        PointPicture { point: *point, pixels }
    };
    let pictures = points.iter().map(picture).collect();
    window.line.update(|shown| {
        shown.views.scatter.pictures = Some(Arc::new(PointPictures { plane: 4, pictures }));
    });
    window.steps();
    // By keys: Tab to the plane, then closer, and back.
    window.harness.get_by_role_and_label(Role::Image, "plane of z: 294 patches").focus();
    window.steps();
    for _ in 0..8 {
        window.press(Modifiers::NONE, Key::Plus);
    }
    wait(&mut window, |window| {
        asked(window).iter().any(
            |command| matches!(command, ScatterCommand::Pictures { points: closer, .. } if closer != points),
        )
    });
    assert!(window.queries().is_empty(), "the arrows of the plane move no query");
}

#[test]
fn all_points_in_sight_are_picked_by_one_key() {
    let mut window = with_plane([1280.0, 800.0]);
    let picked = |window: &mut Window| {
        window.press(Modifiers::SHIFT, Key::L);
        let picks: Vec<_> = asked(window)
            .into_iter()
            .filter_map(|command| match command {
                ScatterCommand::Pick { plane: 4, outline } => Some(outline),
                _ => None,
            })
            .collect();
        let [outline] = &picks[..] else { panic!("{picks:?}") };
        window.line.snapshot().views.scatter.plane.as_ref().unwrap().plane.inside(outline).len()
    };
    assert_eq!(picked(&mut window), 294);
    window.harness.get_by_role_and_label(Role::Image, "plane of z: 294 patches").focus();
    window.steps();
    (0..8).for_each(|_| window.press(Modifiers::NONE, Key::Plus));
    let near = picked(&mut window);
    assert!(near > 0 && near < 294, "{near}");
}

/// The zoom of one plane stayed for the next, of another space or data set, whose patches lie elsewhere.
#[test]
fn a_zoom_is_of_its_plane_while_that_grows_and_of_no_other() {
    let mut window = with_plane([1280.0, 800.0]);
    let next = |window: &mut Window, change: &dyn Fn(&mut ShownPlane)| {
        let mut next = plane();
        change(&mut next);
        window.line.update(|shown| {
            shown.views.scatter.tints = Some(Arc::new(tints(&next)));
            shown.views.scatter.plane = Some(Arc::new(next));
        });
        window.steps();
    };
    let seen = |window: &mut Window| {
        window.press(Modifiers::SHIFT, Key::L);
        let outline = asked(window).into_iter().find_map(|command| match command {
            ScatterCommand::Pick { outline, .. } => Some(outline),
            _ => None,
        });
        let outline = outline.expect("what is in sight is picked");
        window.line.snapshot().views.scatter.plane.as_ref().unwrap().plane.inside(&outline).len()
    };
    let zoom = |window: &mut Window| {
        window.harness.get_by_role_and_label(Role::Image, "plane of z: 294 patches").focus();
        window.steps();
        (0..8).for_each(|_| window.press(Modifiers::NONE, Key::Plus));
    };
    zoom(&mut window);
    let near = seen(&mut window);
    assert!(near > 0 && near < 294, "{near}");
    next(&mut window, &|plane| plane.number = 5);
    assert_eq!(seen(&mut window), near, "it grew");
    next(&mut window, &|plane| plane.spec.data.fingerprint = "of other images".into());
    assert_eq!(seen(&mut window), 294);
    zoom(&mut window);
    assert_eq!(seen(&mut window), near);
    next(&mut window, &|plane| plane.spec.model.hash = "of another model".into());
    assert_eq!(seen(&mut window), 294);

    zoom(&mut window);
    window.harness.get_by_role_and_label(Role::ComboBox, "Of").click();
    window.steps();
    window.harness.get_by_role_and_label(Role::Button, "h").click();
    window.steps();
    next(&mut window, &|plane| plane.plane.space = "h".into());
    assert!(window.harness.query_by_role_and_label(Role::Image, "plane of h: 294 patches").is_some());
    assert_eq!(seen(&mut window), 294);
}

#[test]
fn an_outline_that_is_drawn_about_points_shows_their_patches() {
    let mut window = with_plane([1280.0, 800.0]);
    window.press(Modifiers::NONE, Key::L);
    let middle = pane(&window).center();
    window.harness.hover_at(middle - vec2(90.0, 60.0));
    window.steps();
    window.harness.drag_at(middle - vec2(90.0, 60.0));
    window.steps();
    for to in [vec2(90.0, -60.0), vec2(90.0, 60.0), vec2(-90.0, 60.0)] {
        window.harness.hover_at(middle + to);
        window.steps();
    }
    window.harness.drop_at(middle + vec2(-90.0, 60.0));
    window.steps();
    let picks: Vec<_> =
        asked(&window).into_iter().filter(|command| matches!(command, ScatterCommand::Pick { .. })).collect();
    let [ScatterCommand::Pick { plane: 4, outline }] = &picks[..] else { panic!("{picks:?}") };
    let points = window.line.snapshot().views.scatter.plane.as_ref().unwrap().plane.inside(outline);
    assert!(!points.is_empty() && points.len() < 294, "{}", points.len());
    let picked = PickedPoints {
        plane: 4,
        outline: outline.clone(),
        points: (0..260).collect(),
        patches: (0..240).map(picked).collect(),
    };
    window.line.update(|shown| shown.views.scatter.picked = Some(Arc::new(picked)));
    window.steps();
    assert!(window.shows("260 patches inside") && window.shows("240 shown, nearest the middle"));
    window.click("picked 2: image 1, car");
    assert_eq!(window.queries(), [(1, patch(1, 4, 12))]);
    let wrong = wrong_at_all_sizes(&mut window.harness, |name, _| !name.starts_with("picked"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn picked(index: u32) -> PickedPatch {
    PickedPatch {
        patch: patch(index % 6, 4, 12),
        image_name: "few/1.png".into(),
        class: Some("car".into()),
        pixels: Arc::new(Image::filled(8, 8, [200, index as u8, 0])),
    }
}

#[test]
fn what_cannot_be_laid_out_or_coloured_says_why() {
    let mut window = with_plane([1280.0, 800.0]);
    window.line.update(|shown| {
        shown.views.scatter.tints = None;
        shown.views.scatter.phase = SamplePhase::Failed("its images have no classes".into());
    });
    window.steps();
    assert!(window.shows("They cannot be coloured by class: its images have no classes"));
    window.line.update(|shown| shown.views.scatter.plane = None);
    window.steps();
    assert!(window.shows("The patches cannot be laid out: its images have no classes"));
    window.line.update(|shown| shown.model = None);
    window.steps();
    assert!(window.shows("No model is open"));
}

fn follow(started: &Started, space: &str, color: PointColor) {
    let plan = ScatterPlan { space: space.into(), way: PlaneWay::Pca, color };
    started.engine.send(Command::Scatter(ScatterCommand::Follow(Some(plan))));
}

/// The plane of `space` over the whole sample, coloured by `color`.
fn is_laid(shown: &Snapshot, space: &str, color: PointColor) -> bool {
    let scatter = &shown.views.scatter;
    let Some(plane) = &scatter.plane else { return false };
    let tints = scatter.tints.as_ref();
    plane.plane.space == space
        && plane.plane.rows.len() == plane.total
        && tints.is_some_and(|tints| tints.plane == plane.number && tints.color == color)
}

/// The engine lays out what is embedded, knows what lies where, and lets go of it with the vectors.
#[test]
fn the_engine_lays_the_sample_out_beside_all_other_work() {
    let started = Started::new();
    follow(&started, "h", PointColor::Part);
    started.until("the worked example", is_complete);
    let shown = started.until("the plane", |shown| is_laid(shown, "h", PointColor::Part));
    let plane = shown.views.scatter.plane.clone().unwrap();
    assert_eq!((plane.plane.rows.len(), plane.images), (128, (8, 8)));
    let Tints::Kinds { index, names, .. } = &shown.views.scatter.tints.as_ref().unwrap().tints else {
        panic!()
    };
    assert!(index.iter().all(|kind| usize::from(*kind) < names.len()));
    // A patch of the sample lies as the query where it lies as a point.
    let (point, query) = (37, plane.plane.patches[37]);
    started.engine.send(Command::Query { id: 5, data: 1, query: QuerySpec::one(query), image: 0 });
    let is_there = |shown: &Snapshot| {
        shown.views.scatter.query.as_ref().is_some_and(|(asked, _)| asked.as_patch() == Some(query))
    };
    let shown = started.until("the query's place", is_there);
    let (at, there) = (shown.views.scatter.query.clone().unwrap().1, plane.plane.at[point]);
    // The bank's vectors are in half precision.
    assert!((at[0] - there[0]).abs() < 5e-3 && (at[1] - there[1]).abs() < 5e-3, "{at:?} {there:?}");
    follow(&started, "h", PointColor::Cosine);
    let shown = started.until("cosines", |shown| is_laid(shown, "h", PointColor::Cosine));
    let Tints::Numbers { values, .. } = &shown.views.scatter.tints.as_ref().unwrap().tints else { panic!() };
    assert!((values[point] - 1.0).abs() < 1e-3 && values.iter().all(|value| *value <= values[point] + 1e-6));
    pictures_and_picks(&started, &plane);
    let config = ExploreConfig { gallery_stride: 32, ..small() };
    started.engine.send(Command::Configure { id: 9, config });
    started.until("nothing of it is left", |shown| {
        shown.views.scatter.plane.as_ref().is_none_or(|other| other.number != plane.number)
    });
}

fn pictures_and_picks(started: &Started, plane: &ShownPlane) {
    let number = plane.number;
    let data = dataset::open(DataSpec::from("demo"), Some(Split::Test)).unwrap();
    let points = vec![3, 99, 41];
    started.engine.send(Command::Scatter(ScatterCommand::Pictures { plane: number, points }));
    let all = |shown: &Snapshot| {
        shown.views.scatter.pictures.as_ref().is_some_and(|pictures| pictures.pictures.len() == 3)
    };
    let shown = started.until("the pictures", all);
    for PointPicture { point, pixels } in &shown.views.scatter.pictures.as_ref().unwrap().pictures {
        let PatchRef { image, y, x, size } = plane.plane.patches[*point as usize];
        assert_eq!(**pixels, data.image(image as usize).unwrap().crop(y, x, size, size));
    }
    let outline = vec![[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0], [-2.0, 2.0]];
    started.engine.send(Command::Scatter(ScatterCommand::Pick { plane: number, outline }));
    let read = |shown: &Snapshot| {
        shown.views.scatter.picked.as_ref().is_some_and(|picked| !picked.patches.is_empty())
    };
    let shown = started.until("what was picked", read);
    let picked = shown.views.scatter.picked.clone().unwrap();
    assert_eq!((picked.points.len(), picked.patches.len()), (128, 128));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picked.csv");
    started.engine.drain_events();
    started.engine.send(Command::Scatter(ScatterCommand::ExportPicked { path: path.clone() }));
    let figure = folder.path().join("scatter.svg");
    let export = ScatterCommand::Export { colormap: Colormap::Viridis, path: figure.clone() };
    started.engine.send(Command::Scatter(export));
    started.until("the figure", |_| figure.with_extension("svg.json").exists());
    let svg = std::fs::read_to_string(&figure).unwrap();
    assert!(svg.contains("128 of 128 patches of 8 images drawn") && svg.contains("class=\"query\""), "{svg}");
    let saved = |event: &Event| matches!(event, Event::TableSaved { path: told } if *told == path);
    // The bell rings for other things, too.
    for _ in 0..500 {
        if started.engine.drain_events().iter().any(saved) {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!((lines.len(), lines[0]), (129, "image,name,y,x,size,label,class,first,second,norm"));
            let first = picked.patches[0].patch;
            assert!(lines[1].starts_with(&format!("{},", first.image)), "{}", lines[1]);
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nobody told of the table");
}
