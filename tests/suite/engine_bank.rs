//! A bank in the window's engine: with its model, and without.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use bagssl::bank::{Bank, BankSink, BankWriter};
use bagssl::device::DeviceChoice;
use bagssl::engine::{self, Command, Event, ExploreConfig, QuerySpec, SearchWay, Snapshot, open_device};
use bagssl::patch::{PatchGrid, PatchRef};
use bagssl::progress::CancelToken;
use crossbeam_channel::bounded;

use crate::engine::Started;
use crate::support::{json, text};

/// A bank of six images of the built-in test set: patches of 16 pixels every 8.
pub fn bank(folder: &Path) -> String {
    let bank = folder.join("bank");
    let how = ["--data", "demo", "--split", "test", "--limit", "6", "--patch", "16", "--stride", "8"];
    json(&[&["embed", "--out", text(&bank)], &how[..]].concat());
    text(&bank).to_owned()
}

/// An engine that opens it.
fn opened(bank: &str) -> Started {
    let (ring, bell) = bounded(1);
    let engine =
        engine::start(open_device(DeviceChoice::Cpu).unwrap(), None, move || _ = ring.try_send(())).unwrap();
    engine.send(Command::OpenBank { folder: bank.into() });
    Started { engine, bell }
}

fn is_whole(shown: &Snapshot) -> bool {
    let map = shown.query.as_ref().is_some_and(|query| query.known == query.maps[0].values.len());
    let asked = shown.query.as_ref().map(|query| query.id);
    map && shown.extraction.as_ref().is_some_and(|extraction| extraction.finished)
        && shown.galleries.as_ref().map(|galleries| galleries.query_id) == asked
        && shown.galleries.as_ref().is_some_and(|galleries| galleries.searched == galleries.total)
}

/// Image, y, x and cosine of the neighbours in the last space on show.
fn neighbours(shown: &Snapshot) -> Vec<(u32, u32, u32, f32)> {
    let gallery =
        shown.galleries.as_ref().unwrap().spaces.iter().find(|gallery| gallery.space == "h").unwrap();
    gallery.neighbours.iter().map(|n| (n.patch.image, n.patch.y, n.patch.x, n.cosine)).collect()
}

/// As the command line finds them.
fn by_command(bank: &str, PatchRef { image, y, x, .. }: PatchRef, k: usize) -> Vec<(u32, u32, u32, f32)> {
    let (place, k) = (format!("{image}:{y}:{x}"), k.to_string());
    let found = json(&["knn", "--bank", bank, "--query", &place, "--space", "h", "--k", &k]);
    let number = |of: &serde_json::Value| of.as_u64().unwrap() as u32;
    let near = found["neighbours"].as_array().unwrap().iter();
    near.map(|n| {
        (number(&n["image"]), number(&n["y"]), number(&n["x"]), n["cosine"].as_f64().unwrap() as f32)
    })
    .collect()
}

/// The next failure that is told.
fn failure(started: &Started) -> String {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let failed = started.engine.drain_events().into_iter().find_map(|event| match event {
            Event::Failed { message, .. } => Some(message),
            _ => None,
        });
        if let Some(message) = failed {
            return message;
        }
        assert!(Instant::now() < deadline, "nothing failed");
        let _ = started.bell.recv_timeout(Duration::from_secs(1));
    }
}

#[test]
fn a_bank_opens_with_its_images_and_model_and_nothing_is_embedded_again() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    let started = opened(&bank);
    let shown = started.until("the bank", is_whole);
    assert_eq!(shown.model.as_ref().unwrap().missing, None);
    let extraction = shown.extraction.as_ref().unwrap();
    assert_eq!((extraction.patches, extraction.progress.resumed), ((294, 294), 6));
    assert_eq!(extraction.patches_per_second, None, "nothing was embedded");
    let config = shown.config.clone().unwrap();
    assert_eq!((config.grid, config.gallery_images), (PatchGrid { patch: 16, stride: 8 }, 6));
    let query = shown.query.as_ref().unwrap().query.as_patch().unwrap();
    assert_eq!(neighbours(&shown), by_command(&bank, query, config.neighbours));

    // Two images more: those that are known are not embedded again, and keep their vectors.
    let more = ExploreConfig { gallery_images: 8, ..config };
    started.engine.send(Command::Configure { id: 3, config: more.clone() });
    let shown = started.until("two images more", |shown| {
        is_whole(shown) && shown.galleries.as_ref().unwrap().images == (8, 8)
    });
    let extraction = shown.extraction.as_ref().unwrap();
    assert_eq!((extraction.patches, extraction.progress.resumed), ((8 * 49, 8 * 49), 6));
    let known = by_command(&bank, query, 293);
    let found = neighbours(&shown);
    assert!(found.iter().filter(|near| known.contains(near)).count() > found.len() / 2, "{found:?}");
    // Fewer are the first of the bank again.
    started.engine.send(Command::Configure { id: 4, config: ExploreConfig { gallery_images: 2, ..more } });
    started.until("fewer", |shown| is_whole(shown) && shown.galleries.as_ref().unwrap().images == (2, 2));
}

#[test]
fn a_bank_without_its_model_answers_on_its_grid_and_says_what_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let made = bank(folder.path());
    let rows = folder.path().join("h.parquet");
    json(&["bank", "export", &made, "--space", "h", "--out", text(&rows)]);
    let bank = text(&folder.path().join("imported")).to_owned();
    json(&["bank", "import", text(&rows), "--data", "demo", "--out", &bank, "--dtype", "f16"]);
    let started = opened(&bank);
    let shown = started.until("the bank", is_whole);
    let model = shown.model.as_ref().unwrap();
    assert!(model.missing.as_ref().unwrap().contains("another program"), "{:?}", model.missing);
    assert_eq!(model.all_spaces, ["h"]);
    let query = shown.query.as_ref().unwrap().query.as_patch().unwrap();
    let k = shown.config.as_ref().unwrap().neighbours;
    assert_eq!(
        neighbours(&shown),
        by_command(&made, query, k),
        "the same vectors as in the bank of the model"
    );

    // A click between the corners is one at the nearest.
    let (data, image) = (shown.data.as_ref().unwrap().id, shown.view.as_ref().unwrap().index);
    let beside = PatchRef { image: image as u32, y: 19, x: 37, size: 16 };
    started.engine.send(Command::Query { id: 9, data, query: QuerySpec::one(beside), image });
    let shown = started.until("the answer", |shown| is_whole(shown) && shown.query.as_ref().unwrap().id == 9);
    let map = &shown.query.as_ref().unwrap().maps[0];
    let snapped = shown.query.as_ref().unwrap().query.as_patch().unwrap();
    assert_eq!((snapped.y, snapped.x), (16, 40));
    assert!((map.values[2 * map.cols + 5] - 1.0).abs() < 1e-5);

    // Other patches need the model.
    started.engine.drain_events();
    let config = shown.config.clone().unwrap();
    let other = ExploreConfig { grid: PatchGrid { patch: 20, stride: 4 }, ..config.clone() };
    started.engine.send(Command::Configure { id: 10, config: other });
    let said = failure(&started);
    assert!(said.contains("needs the model") && said.contains("patches of 16 pixels every 8"), "{said}");
    assert_eq!(started.engine.snapshot().config, Some(config));
}

#[test]
fn a_bank_whose_images_are_gone_asks_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    json(&["data", "synth", "--out", text(&data), "--images", "4", "--size", "32", "--split", "test"]);
    let bank = text(&folder.path().join("bank")).to_owned();
    json(&[
        "embed",
        "--data",
        text(&data),
        "--split",
        "test",
        "--patch",
        "16",
        "--stride",
        "16",
        "--out",
        &bank,
    ]);
    let moved = folder.path().join("moved");
    std::fs::rename(&data, &moved).unwrap();
    let started = opened(&bank);
    let said = failure(&started);
    assert!(said.contains("Open data...") && said.contains("not where they were"), "{said}");
    started
        .engine
        .send(Command::OpenData { spec: text(&moved).into(), split: Some(bagssl::engine::Split::Test) });
    // By its folder in the dialog of data.
    started.engine.send(Command::OpenData { spec: bank.as_str().into(), split: None });
    let shown = started.until("the bank", is_whole);
    assert_eq!(shown.extraction.as_ref().unwrap().progress.resumed, 4);
}

#[test]
fn a_bank_with_codes_is_searched_by_them_unless_exact_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    // Of one space alone: the other is searched exactly.
    json(&["bank", "index", &bank, "--space", "h"]);
    let started = opened(&bank);
    started.until("the bank", is_whole);
    let few = ExploreConfig { neighbours: 9, ..started.engine.snapshot().config.clone().unwrap() };
    assert_eq!(few.way, SearchWay::Quantised);
    started.engine.send(Command::Configure { id: 1, config: few.clone() });
    let is_of = |shown: &Snapshot, id: u64| {
        is_whole(shown) && shown.galleries.as_ref().is_some_and(|view| view.query_id == id)
    };
    let by_codes = started.until("by codes", |shown| is_of(shown, 1));
    let view = by_codes.galleries.as_ref().unwrap();
    let recall = |name: &str| {
        let space = view.spaces.iter().find(|gallery| gallery.space == name).unwrap();
        space.recall.map(|measured| measured.rows)
    };
    assert_eq!((view.way, recall("h"), recall("z")), (Some(SearchWay::Quantised), Some(view.searched), None));

    let exact = ExploreConfig { way: SearchWay::Exact, ..few };
    started.engine.send(Command::Configure { id: 2, config: exact });
    let shown = started.until("exactly", |shown| is_of(shown, 2));
    let view = shown.galleries.as_ref().unwrap();
    assert_eq!(view.way, Some(SearchWay::Exact));
    assert!(view.spaces.iter().all(|gallery| gallery.recall.is_none()));
    // What was found by codes is as near to the bit, in the same order; what was missed may follow.
    let truth = neighbours(&shown);
    let found = neighbours(&by_codes).into_iter().filter(|hit| truth.contains(hit)).count();
    assert!(found >= 8, "{found} of {}", truth.len());
}

#[test]
fn codes_that_are_made_while_a_bank_is_open_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    let started = opened(&bank);
    let first = started.until("the bank", is_whole);
    assert_eq!(first.galleries.as_ref().unwrap().way, None, "there is no choice");
    json(&["bank", "index", &bank, "--space", "h"]);
    let by_codes =
        ExploreConfig { neighbours: 9, way: SearchWay::Quantised, ..first.config.clone().unwrap() };
    started.engine.send(Command::Configure { id: 1, config: by_codes });
    let is_asked = |shown: &Snapshot| shown.galleries.as_ref().is_some_and(|view| view.query_id == 1);
    let shown = started.until("by codes", |shown| is_whole(shown) && is_asked(shown));
    let view = shown.galleries.as_ref().unwrap();
    assert_eq!(view.way, Some(SearchWay::Quantised));
    assert!(view.spaces.iter().any(|gallery| gallery.recall.is_some()));
}

/// Adds images of `whole` to the bank that is being written.
fn add(writer: &mut BankWriter, whole: &Bank, places: Range<usize>) {
    for place in places {
        let rows = whole.rows_of_image(whole.images()[place].index as usize).unwrap();
        let of_space = |name: &str| {
            let space = whole.space(name).unwrap();
            let mut values = vec![0.0; rows.len() * space.width()];
            space.read_rows(rows.clone(), &mut values).unwrap();
            values
        };
        let values: Vec<Vec<f32>> = whole.spaces().map(of_space).collect();
        let named: Vec<(&str, &[f32])> = whole.spaces().zip(values.iter().map(Vec::as_slice)).collect();
        writer.push_image(place, &named).unwrap();
    }
    writer.commit().unwrap();
}

#[test]
fn a_bank_that_is_being_written_is_followed_and_what_its_writer_leaves_is_embedded_here() {
    let folder = tempfile::tempdir().unwrap();
    let of_one_process = bank(folder.path());
    let whole = Bank::open(Path::new(&of_one_process)).unwrap();
    let growing = folder.path().join("growing");
    let never = CancelToken::default();
    let (mut writer, _) =
        BankWriter::create_or_resume(&growing, whole.spec(), whole.images(), &never).unwrap();
    std::fs::copy(Path::new(&of_one_process).join("source.json"), growing.join("source.json")).unwrap();
    let started = opened(text(&growing));
    let refused = failure(&started);
    assert!(
        refused.contains("holds no vector of its 294 patches yet; process ")
            && refused.ends_with(" is writing it: open it again in a moment"),
        "{refused}"
    );

    add(&mut writer, &whole, 0..2);
    started.engine.send(Command::OpenBank { folder: growing });
    let searched =
        |images| move |shown: &Snapshot| shown.galleries.as_ref().is_some_and(|view| view.images == images);
    let shown = started.until("what is there", searched((2, 6)));
    let extraction = shown.extraction.as_ref().unwrap();
    assert_eq!((extraction.patches, extraction.finished), ((98, 294), false));
    assert!(extraction.written_by.as_ref().unwrap().contains(&std::process::id().to_string()));
    add(&mut writer, &whole, 2..4);
    let shown = started.until("what was added", searched((4, 6)));
    let extraction = shown.extraction.as_ref().unwrap();
    assert_eq!(
        (extraction.patches, extraction.patches_per_second),
        ((196, 294), None),
        "nothing is embedded here"
    );

    drop(writer);
    let shown = started.until("the rest", is_whole);
    let extraction = shown.extraction.as_ref().unwrap();
    assert_eq!((extraction.patches, extraction.progress.resumed), ((294, 294), 4));
    assert_eq!(extraction.written_by, None);
    let query = shown.query.as_ref().unwrap().query.as_patch().unwrap();
    let known = by_command(&of_one_process, query, 293);
    let found = neighbours(&shown);
    assert!(found.iter().filter(|near| known.contains(near)).count() > found.len() / 2, "{found:?}");
}
