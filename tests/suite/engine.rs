use std::sync::Arc;
use std::time::{Duration, Instant};

use bagssl::device::{DeviceChoice, OpenDevice};
use bagssl::engine::{
    self, Command, EngineHandle, Event, ExploreConfig, FigureCommand, FigureContent, FigureEvent, FigureKind,
    FigureQuery, FigureRequest, GalleryFilter, MapMode, QuerySpec, Sign, Snapshot, Source, Split, Style,
    open_device,
};
use bagssl::figure::Format;
use bagssl::memory::MemoryBudget;
use bagssl::patch::{BoxRef, PatchGrid, PatchRef};
use crossbeam_channel::{Receiver, bounded};

use crate::support::spread_of_demo;

/// An engine on the CPU and a bell that rings when there is something new.
pub struct Started {
    pub engine: EngineHandle,
    pub bell: Receiver<()>,
}

impl Started {
    pub fn new() -> Self {
        Self::on(open_device(DeviceChoice::Cpu).unwrap(), small())
    }

    /// On another device, with other settings.
    pub fn on(device: OpenDevice, config: ExploreConfig) -> Self {
        let (ring, bell) = bounded(1);
        let engine = engine::start(device, None, move || _ = ring.try_send(())).unwrap();
        Self::of(engine, bell, config)
    }

    /// One that was started otherwise, and rings `bell`.
    pub fn of(engine: EngineHandle, bell: Receiver<()>, config: ExploreConfig) -> Self {
        engine.send(Command::OpenModel { spec: "demo".into() });
        engine.send(Command::OpenData { spec: "demo".into(), split: Some(Split::Test) });
        engine.send(Command::Configure { id: 0, config });
        Self { engine, bell }
    }

    /// Waits until `ready` holds of the snapshot.
    pub fn until(&self, what: &str, ready: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let shown = self.engine.snapshot();
            if ready(&shown) {
                return shown;
            }
            assert!(Instant::now() < deadline, "{what} did not happen");
            let _ = self.bell.recv_timeout(Duration::from_secs(1));
        }
    }
}

/// Few patches, so that the test is quick.
pub fn small() -> ExploreConfig {
    ExploreConfig {
        grid: PatchGrid { patch: 16, stride: 8 },
        gallery_stride: 16,
        gallery_images: 8,
        neighbours: 20,
        spaces: vec!["z".into(), "h".into()],
        filter: GalleryFilter::default(),
        way: Default::default(),
    }
}

/// A figure of the demo set as the engine of these tests has it open, looking as the command line's.
pub fn figure(kind: FigureKind, queries: Vec<PatchRef>) -> FigureRequest {
    let config = small();
    let content = FigureContent {
        kind,
        data: Some(1),
        queries: queries.into_iter().map(FigureQuery::from).collect(),
        spaces: config.spaces,
        grids: vec![config.grid],
        mode: MapMode::Cosine,
        neighbours: config.neighbours,
        filter: config.filter,
        round: 0,
        beside: None,
    };
    FigureRequest { content, style: Style::default(), format: Format::Pdf }
}

pub fn is_complete(shown: &Snapshot) -> bool {
    let map = shown
        .query
        .as_ref()
        .is_some_and(|q| !q.maps.is_empty() && q.known == q.maps[0].rows * q.maps[0].cols);
    let extraction = shown.extraction.as_ref().is_some_and(|e| e.finished);
    let gallery = shown.galleries.as_ref().is_some_and(|g| g.searched == g.total);
    map && extraction && gallery && shown.config == Some(small())
}

/// How many of one image of a query are searched beside a sample of so many.
pub fn guests_beside(sample: usize, image: usize) -> usize {
    usize::from(!spread_of_demo(Split::Test, sample).contains(&image))
}

#[test]
fn the_engine_opens_with_a_worked_example_and_answers_queries() {
    let started = Started::new();
    let shown = started.until("the worked example", is_complete);
    let query = shown.query.as_ref().unwrap();
    assert_eq!(query.maps.iter().map(|map| map.space.as_str()).collect::<Vec<_>>(), ["z", "h"]);
    assert!(query.maps[0].values.iter().all(|v| (-1.0..=1.0).contains(v)));
    let galleries = shown.galleries.as_ref().unwrap();
    let guests = guests_beside(8, query.image);
    assert_eq!((galleries.total, galleries.spaces[1].neighbours.len()), ((8 + guests) * 16, 20));

    let patch = PatchRef { image: 2, y: 16, x: 32, size: 16 };
    started.engine.send(Command::Query { id: 7, data: 1, query: QuerySpec::one(patch), image: 2 });
    let shown = started.until("the answer", |shown| {
        is_complete(shown)
            && shown.query.as_ref().is_some_and(|q| q.id == 7)
            && shown.galleries.as_ref().unwrap().query_id == 7
    });
    let query = shown.query.as_ref().unwrap();
    assert_eq!((query.query.as_patch().unwrap(), shown.view.as_ref().unwrap().index), (patch, 2));
    // The query's own cell: row 2, column 4 of 7.
    assert!((query.maps[1].values[2 * 7 + 4] - 1.0).abs() < 1e-4);
    // The query lies on the searched grid, and is left out of its own neighbours.
    let neighbours = &shown.galleries.as_ref().unwrap().spaces[1].neighbours;
    assert!(neighbours.iter().all(|n| n.patch != patch));
    assert!(neighbours.is_sorted_by(|a, b| a.cosine >= b.cosine));
}

#[test]
fn a_figure_from_the_engine_is_saved_and_a_failure_is_told_in_words() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fig4.svg");
    let query = started.engine.snapshot().query.as_ref().unwrap().query.as_patch().unwrap();
    let write = |path: &std::path::Path| {
        let request = figure(FigureKind::Heatmaps, vec![query]);
        started.engine.send(Command::Figure(FigureCommand::Write {
            request,
            path: path.into(),
            caption: None,
        }));
    };
    write(&path);
    write(&folder.path().join("fig4.docx"));
    let events = figure_events(&started, 2);
    assert!(
        matches!(&events[0], FigureEvent::Saved { path: saved, .. } if *saved == path && saved.is_file())
    );
    assert!(matches!(&events[1], FigureEvent::Failed(message) if message.contains(".pdf")));
    started.engine.send(Command::OpenData { spec: "/nowhere".into(), split: None });
    let told = next_failures(&started);
    assert!(told[0].contains("/nowhere"), "{told:?}");
    // The data set that was open stays open.
    assert_eq!(started.engine.snapshot().data.as_ref().unwrap().name, "Parts");
}

/// The next `count` facts about figures.
pub fn figure_events(started: &Started, count: usize) -> Vec<FigureEvent> {
    let mut events = vec![];
    let deadline = Instant::now() + Duration::from_secs(60);
    while events.len() < count && Instant::now() < deadline {
        let news = started.engine.drain_events().into_iter();
        events.extend(
            news.filter_map(|event| if let Event::Figure(event) = event { Some(event) } else { None }),
        );
        let _ = started.bell.recv_timeout(Duration::from_millis(200));
    }
    events
}

/// Writes a picture of coloured noise, the same for the same seed.
fn write_picture(path: &std::path::Path, seed: u32) {
    let pixel = |x: u32, y: u32| [x * 7 + seed * 31, y * 11, x * y + seed].map(|value| (value % 251) as u8);
    image::RgbImage::from_fn(48, 48, |x, y| image::Rgb(pixel(x, y))).save(path).unwrap();
}

/// What the engine said failed, so far.
fn failures(started: &Started) -> Vec<String> {
    let message = |event| match event {
        Event::Failed { message, .. } => Some(message),
        _ => None,
    };
    started.engine.drain_events().into_iter().filter_map(message).collect()
}

/// The next thing that the engine says failed.
pub fn next_failures(started: &Started) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut told = vec![];
    while told.is_empty() && Instant::now() < deadline {
        told = failures(started);
        let _ = started.bell.recv_timeout(Duration::from_millis(200));
    }
    told
}

#[test]
fn a_question_about_a_data_set_that_is_not_open_any_more_goes_unanswered() {
    let started = Started::new();
    let shown = started.until("the worked example", is_complete);
    let (id, view) = (shown.query.as_ref().unwrap().id, shown.view.as_ref().unwrap().index);
    let patch = PatchRef { image: view as u32 + 1, y: 0, x: 0, size: 16 };
    let query = QuerySpec::one(patch);
    started.engine.send(Command::Query { id: 90, data: 99, query, image: view + 1 });
    started.engine.send(Command::ShowImage { data: 99, index: 5 });
    started.engine.send(Command::Configure { id: 3, config: ExploreConfig { neighbours: 10, ..small() } });
    let shown = started.until("the next answer", |shown| {
        shown.galleries.as_ref().is_some_and(|galleries| galleries.query_id == 3)
    });
    assert_eq!(shown.view.as_ref().unwrap().index, view);
    assert_ne!(id, 3);
    assert_eq!(shown.galleries.as_ref().unwrap().spaces[0].neighbours.len(), 10);
}

#[test]
fn the_first_picture_that_can_be_read_is_the_example() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..3 {
        write_picture(&folder.path().join(format!("{index}.png")), index);
    }
    let broken = folder.path().join("0.png");
    let mut bytes = std::fs::read(&broken).unwrap();
    // Its last chunk stays, so that opening the folder does not see that it is broken.
    let end = bytes.len() - 20;
    bytes[60..end].fill(0);
    std::fs::write(&broken, bytes).unwrap();
    let started = Started::new();
    let spec = folder.path().display().to_string();
    started.engine.send(Command::OpenData { spec: spec.into(), split: None });
    let shown = started.until("an example", |shown| {
        shown.data.as_ref().is_some_and(|data| data.images == 3) && shown.query.is_some()
    });
    assert_eq!(shown.view.as_ref().unwrap().index, 1);
    assert_eq!(shown.config.as_ref().unwrap().gallery_images, 3);
}

#[test]
fn a_neighbour_that_cannot_be_read_any_more_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..3 {
        write_picture(&folder.path().join(format!("{index}.png")), index);
    }
    let started = Started::new();
    let spec = folder.path().display().to_string();
    started.engine.send(Command::OpenData { spec: spec.into(), split: None });
    let config = |neighbours| ExploreConfig { neighbours, gallery_images: 3, ..small() };
    started.engine.send(Command::Configure { id: 1, config: config(0) });
    started.until("the extraction", |shown| {
        shown.data.as_ref().is_some_and(|data| data.images == 3)
            && shown.config == Some(config(0))
            && shown.extraction.as_ref().is_some_and(|extraction| extraction.finished)
    });
    std::fs::remove_file(folder.path().join("2.png")).unwrap();
    failures(&started);
    for id in [2, 3] {
        started.engine.send(Command::Configure { id, config: config(18 + id as usize) });
        let shown = started.until("the gallery", |shown| {
            shown.galleries.as_ref().is_some_and(|galleries| galleries.query_id == id)
        });
        let neighbours = &shown.galleries.as_ref().unwrap().spaces[0].neighbours;
        assert_eq!(neighbours.len(), 18 + id as usize);
        assert!(neighbours.iter().all(|n| n.is_readable == (n.patch.image != 2)));
    }
    let told = failures(&started);
    assert!(told.len() == 1 && told[0].contains("2.png"), "{told:?}");
}

#[test]
fn further_spaces_pictures_and_filters_are_answered() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    let spaces = ["z", "stage2", "pixels"].map(String::from).to_vec();
    let filter = GalleryFilter { other_images_only: true, per_image: Some(2), ..GalleryFilter::default() };
    let config = ExploreConfig { spaces: spaces.clone(), filter, ..small() };
    started.engine.send(Command::ShowPictures(true));
    started.engine.send(Command::Configure { id: 4, config });
    let shown = started.until("the answer", |shown| {
        let galleries = shown.galleries.as_ref().is_some_and(|g| g.query_id == 4 && g.searched == g.total);
        galleries && shown.views.pictures.as_ref().is_some_and(|pictures| pictures.spaces.len() == 3)
    });
    let query = shown.query.as_ref().unwrap();
    assert_eq!(query.maps.iter().map(|map| map.space.clone()).collect::<Vec<_>>(), spaces);
    let own = query.query.home().unwrap();
    let galleries = shown.galleries.as_ref().unwrap();
    for gallery in &galleries.spaces {
        let images: Vec<u32> = gallery.neighbours.iter().map(|hit| hit.patch.image).collect();
        assert!(images.iter().all(|image| *image != own), "{}", gallery.space);
        assert!(images.iter().all(|image| images.iter().filter(|other| *other == image).count() <= 2));
        // 8 images are searched, with 16 patches each; the query may lie among them.
        let others = if spread_of_demo(Split::Test, 8).contains(&(own as usize)) { 7 } else { 8 };
        assert_eq!(gallery.candidates, others * 16);
    }
    let pictures = shown.views.pictures.as_ref().unwrap();
    assert_eq!((pictures.spaces[0].colors.width(), pictures.image), (7, own as usize));
    assert!(pictures.spaces.iter().all(|p| p.explained[0] >= p.explained[1] && p.explained[0] > 0.1));
}

#[test]
fn images_are_found_by_class_in_the_open_data_set() {
    let started = Started::new();
    let shown = started.until("the data set", |shown| shown.data.is_some());
    let data = shown.data.as_ref().unwrap();
    let class = data.classes[3].clone();
    let filter = bagssl::engine::ImageFilter { text: class.to_uppercase(), class: None };
    for text in ["a", "b", "c"] {
        let older = bagssl::engine::ImageFilter { text: text.into(), class: None };
        started.engine.send(Command::FindImages { data: data.id, filter: older });
    }
    started.engine.send(Command::FindImages { data: data.id, filter: filter.clone() });
    let shown = started.until("the answer to the newest question", |shown| {
        shown.found.as_ref().is_some_and(|found| found.filter == filter)
    });
    let expected: Vec<u32> =
        (0..data.images as u32).filter(|image| data.labels[*image as usize] == Some(3)).collect();
    assert!(!expected.is_empty());
    assert_eq!(shown.found.as_ref().unwrap().images, expected);
}

#[test]
fn where_memory_does_not_suffice_fewer_images_are_searched_and_said_so() {
    let (ring, bell) = bounded(1);
    let mut device = open_device(DeviceChoice::Cpu).unwrap();
    device.memory = MemoryBudget::new(64 << 20);
    let engine = engine::start(device, None, move || _ = ring.try_send(())).unwrap();
    let started = Started { engine, bell };
    started.engine.send(Command::OpenModel { spec: "demo".into() });
    started.engine.send(Command::OpenData { spec: "demo".into(), split: Some(Split::Test) });
    // 49 x 49 patches in two spaces of 128 half floats and a norm each: 1.2 MiB for each image.
    let config = ExploreConfig { gallery_stride: 1, gallery_images: 200, ..small() };
    started.engine.send(Command::Configure { id: 0, config: config.clone() });
    let shown = started.until("an extraction of what fits", |shown| {
        shown.config.as_ref() == Some(&config)
            && shown.extraction.as_ref().is_some_and(|e| e.memory.wanted_images == 200)
    });
    let memory = shown.extraction.as_ref().unwrap().memory;
    assert_eq!(memory.most_bytes, MemoryBudget::new(64 << 20).bank());
    assert!(memory.bytes <= memory.most_bytes && memory.wanted_bytes > memory.most_bytes);
    assert!((1..200).contains(&memory.images));
    // One more would have been too many.
    assert!(memory.bytes + memory.bytes.div_ceil(memory.images as u64) > memory.most_bytes);
    assert_eq!(shown.extraction.as_ref().unwrap().progress.total, memory.images as u64);
}

#[test]
fn a_box_and_a_difference_of_parts_are_answered_and_a_known_patch_is_previewed() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    let patch = PatchRef { image: 2, y: 16, x: 32, size: 16 };
    let drawn = BoxRef { image: 2, y: 3, x: 5, height: 21, width: 40 };
    let ask = |id, query| started.engine.send(Command::Query { id, data: 1, query, image: 2 });
    let answered = |id| {
        started.until("the answer", |shown| {
            is_complete(shown) && shown.query.as_ref().is_some_and(|query| query.id == id)
        })
    };
    ask(7, QuerySpec::one(drawn));
    let shown = answered(7);
    let pixels = &shown.query.as_ref().unwrap().parts[0];
    assert_eq!((pixels.height(), pixels.width()), (21, 40), "its own pixels, not those of a patch");
    ask(8, QuerySpec::one(patch).with(Sign::Minus, drawn));
    let shown = answered(8);
    let query = shown.query.as_ref().unwrap();
    // Something was subtracted, so the patch is not wholly like the query.
    let own = query.maps[1].values[2 * 7 + 4];
    assert!(own < 1.0 - 1e-3 && query.parts.len() == 2, "{own}");
    ask(9, QuerySpec::one(drawn));
    answered(9);
    started.engine.preview(Some(patch));
    let shown = started.until("the preview", |shown| shown.views.preview.is_some());
    let preview = shown.views.preview.as_ref().unwrap();
    assert_eq!((preview.patch, preview.maps.len()), (patch, 2));
    assert!((preview.maps[1].values[2 * 7 + 4] - 1.0).abs() < 1e-4);
    assert_eq!(shown.query.as_ref().unwrap().query, QuerySpec::one(drawn), "the query stays");
    // Off the grid nothing is known, so that the query's own maps come back.
    started.engine.preview(Some(PatchRef { x: 33, ..patch }));
    started.until("no preview", |shown| shown.views.preview.is_none());
}

#[test]
fn a_picture_from_a_file_is_looked_for_and_a_pin_has_its_pixels() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.png");
    write_picture(&path, 5);
    let next = || {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            let wanted = |event: &Event| {
                matches!(event, Event::Picture(_) | Event::QueryPicture { .. } | Event::Failed { .. })
            };
            if let Some(event) = started.engine.drain_events().into_iter().find(wanted) {
                return event;
            }
            let _ = started.bell.recv_timeout(Duration::from_millis(200));
        }
        panic!("the engine says nothing");
    };
    started.engine.send(Command::OpenPicture { path });
    let Event::Picture(picture) = next() else { panic!("no picture") };
    assert_eq!((picture.name.as_str(), picture.image.width()), ("noise.png", 48));
    let query = QuerySpec::one(Source::Outside(picture));
    started.engine.send(Command::Query { id: 7, data: 1, query, image: 2 });
    let shown = started
        .until("the answer", |shown| is_complete(shown) && shown.galleries.as_ref().unwrap().query_id == 7);
    assert_eq!((shown.query.as_ref().unwrap().parts[0].width(), shown.view.as_ref().unwrap().index), (48, 2));
    let pin = QuerySpec::one(BoxRef { image: 2, y: 3, x: 5, height: 21, width: 40 });
    started.engine.send(Command::QueryPicture { data: 1, query: pin.clone() });
    let Event::QueryPicture { data: 1, query, image } = next() else { panic!("no picture of the pin") };
    assert_eq!((query, image.height(), image.width()), (pin, 21, 40));
    started.engine.send(Command::OpenPicture { path: folder.path().join("none.png") });
    let Event::Failed { message, .. } = next() else { panic!("a file that is not there gives no picture") };
    assert!(message.contains("none.png"), "{message}");
}
