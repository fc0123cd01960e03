use std::fs;
use std::path::Path;

use bagssl::bank::Bank;
use bagssl::dataset::{SPREAD_SEED, Split, open, spread};
use bagssl::engine::{Command, FigureCommand, FigureKind, QuerySpec, Relation};
use bagssl::patch::PatchRef;
use serde_json::{Value, json};

use crate::engine::{Started, figure, small};
use crate::support::{failure, json as run_json, query, text};

/// A folder of 60 images in ten classes, one class after the other, and a bank of `limit` of them.
fn bank(folder: &Path, name: &str, limit: &str) -> String {
    let (data, out) = (folder.join("data"), folder.join(name));
    if !data.exists() {
        run_json(&["data", "synth", "--out", text(&data), "--images", "60", "--size", "32"]);
    }
    let grid = ["--split", "train", "--patch", "16", "--stride", "16", "--limit", limit];
    let made = run_json(&[&["embed", "--data", text(&data), "--out", text(&out)][..], &grid].concat());
    assert_eq!((&made["images"], &made["of"]), (&json!(limit.parse::<u64>().unwrap()), &json!(60)));
    assert_eq!(made["order"], json!({ "kind": "spread", "seed": 0, "of": 60 }));
    text(&out).to_owned()
}

fn images(bank: &str) -> Vec<(u32, u32)> {
    let bank = Bank::open(Path::new(bank)).unwrap();
    bank.images().iter().map(|image| (image.index, image.label.unwrap())).collect()
}

/// That each of ten classes of equal size has its share within one image.
fn assert_fair(images: &[(u32, u32)]) {
    let mut counts = [0i64; 10];
    images.iter().for_each(|(_, label)| counts[*label as usize] += 1);
    let all = images.len() as i64;
    assert!(counts.iter().all(|count| (10 * count - all).abs() <= 10), "{counts:?}");
}

#[test]
fn a_limit_takes_images_of_all_classes_of_a_sorted_folder() {
    let folder = tempfile::tempdir().unwrap();
    let [few, more, again] = [("few", "25"), ("more", "40"), ("again", "25")]
        .map(|(name, limit)| bank(folder.path(), name, limit));
    let taken = [&few, &more].map(|bank| images(bank));
    taken.iter().for_each(|images| assert_fair(images));
    assert_eq!(taken[1][..25], taken[0], "fewer are among more");
    for file in ["bank.json", "images.bin", "h.f16"] {
        let [a, b] = [&few, &again].map(|bank| fs::read(Path::new(bank).join(file)).ok());
        assert!(a == b, "{file}");
    }
    let info = run_json(&["bank", "info", &few]);
    assert_eq!(info["order"]["kind"], "spread");

    // One image is called the same everywhere, by its number in the data set.
    let (image, label) = taken[0][20];
    let near = |bank: &str| {
        let asked =
            ["knn", "--bank", bank, "--space", "h", "--k", "99", "--query", query(image as usize, 0, 16)];
        run_json(&asked)
    };
    for (bank, taken) in [(&few, &taken[0]), (&more, &taken[1])] {
        for hit in near(bank)["neighbours"].as_array().unwrap() {
            let place =
                taken.iter().find(|(index, _)| json!(index) == hit["image"]).expect("an image of the bank");
            assert_eq!(hit["label"], json!(place.1));
            let relation = match (place.0 == image, place.1 == label) {
                (true, _) => "same-image",
                (_, true) => "same-class",
                _ => "other-class",
            };
            assert_eq!(hit["relation"], relation);
        }
    }
    let left_out = (0..60).find(|index| taken[1].iter().all(|(taken, _)| taken != index)).unwrap();
    let asked = query(left_out as usize, 0, 0);
    let error = failure(&["knn", "--bank", &more, "--query", asked, "--space", "h"]);
    assert!(error.contains("40 of the 60 images of the data set"), "{error}");
    let error = failure(&["knn", "--bank", &more, "--query", "60:0:0", "--space", "h"]);
    assert!(error.contains("the data set has 60 (0 to 59)"), "{error}");

    let both = run_json(&["compare", "--bank", &few, "--bank", &more, "--space", "h", "--queries", "9"]);
    assert_eq!((&both["images"], &both["spaces"][0]["overlap"]), (&json!(25), &json!(1.0)));
}

#[test]
fn exported_rows_follow_the_data_set_whatever_the_banks_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = bank(folder.path(), "bank", "25");
    let npy = folder.path().join("h.npy");
    run_json(&["bank", "export", &path, "--space", "h", "--out", text(&npy)]);
    let bytes = fs::read(npy).unwrap();
    let values: Vec<f32> =
        bytes[128..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    let bank = Bank::open(Path::new(&path)).unwrap();
    let width = bank.width("h").unwrap();
    let mut order: Vec<usize> = bank.images().iter().map(|image| image.index as usize).collect();
    assert!(!order.is_sorted());
    order.sort_unstable();
    let mut row = vec![0.0; width];
    let rows = order.iter().flat_map(|image| bank.rows_of_image(*image).unwrap());
    for (at, found) in rows.zip(values.chunks_exact(width)) {
        bank.row_f32("h", at, &mut row).unwrap();
        assert_eq!(row, found);
    }
}

#[test]
fn figures_and_measurements_say_which_images_they_took() {
    let folder = tempfile::tempdir().unwrap();
    bank(folder.path(), "bank", "20");
    let (data, out) = (folder.path().join("data"), folder.path().join("fig5.svg"));
    let grid = ["--patch", "16", "--stride", "16"];
    let search = ["--data", text(&data), "--split", "train", "--limit", "20", "--k", "12"];
    run_json(&[&["figure", "fig5", "--out", text(&out)][..], &search, &grid].concat());
    let sidecar: Value =
        serde_json::from_slice(&fs::read(folder.path().join("fig5.svg.json")).unwrap()).unwrap();
    let facts = &sidecar["source"]["data"];
    assert_eq!(facts["limit"], 20);
    assert_eq!(facts["order"], json!({ "kind": "spread", "seed": 0, "of": 60 }));
    let asked = ["locality", "--data", "demo", "--limit", "10", "--queries", "5", "--k", "5"];
    let found = run_json(&asked);
    assert_eq!((&found["images"], &found["images_order"]), (&json!(10), &json!("spread, seed 0")));
}

/// The query's image is not among the eight that the galleries search: its patches are there all the same, the sample is
/// what it was, and a figure says so.
#[test]
fn a_query_outside_of_the_sample_has_its_own_image_among_its_neighbours() {
    let started = Started::new();
    let set = open("demo", Some(Split::Test)).unwrap();
    let sample = spread(set.as_ref(), small().gallery_images, SPREAD_SEED);
    let outside = (0..).find(|image| !sample.contains(image)).unwrap();
    let patch = PatchRef { image: outside as u32, y: 16, x: 32, size: 16 };
    let query = QuerySpec::one(patch);
    started.until("the settings", |shown| shown.config == Some(small()));
    started.engine.send(Command::Query { id: 7, data: 1, query, image: outside });
    let shown = started.until("the galleries", |shown| {
        let galleries = shown.galleries.as_ref().filter(|galleries| galleries.query_id == 7);
        galleries.is_some_and(|found| found.images == (8, 8) && found.guests == 1)
    });
    let galleries = shown.galleries.as_ref().unwrap();
    assert_eq!((galleries.searched, galleries.total), (9 * 16, 9 * 16));
    for gallery in &galleries.spaces {
        assert_eq!((gallery.searched, gallery.candidates), (9 * 16, 9 * 16 - 1));
        let own: Vec<_> = gallery.neighbours.iter().filter(|hit| hit.patch.image == patch.image).collect();
        assert!(!own.is_empty() && own.iter().all(|hit| hit.relation == Relation::SameImage));
        assert!(gallery.neighbours.iter().all(|hit| hit.patch != patch));
        let strange = |hit: &&bagssl::engine::Neighbour| !sample.contains(&(hit.patch.image as usize));
        assert_eq!(gallery.neighbours.iter().filter(strange).count(), own.len());
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("fig5.svg");
    let request = figure(FigureKind::Galleries, vec![patch]);
    started.engine.send(Command::Figure(FigureCommand::Write { request, path: out, caption: None }));
    let sidecar = folder.path().join("fig5.svg.json");
    started.until("the figure", |_| sidecar.exists());
    let kept: Value = serde_json::from_slice(&fs::read(sidecar).unwrap()).unwrap();
    assert_eq!(kept["source"]["search"]["guests"], json!([outside]));
    assert_eq!(kept["data"]["queries"][0]["spaces"][0]["searched"], 9 * 16);
}
