use std::fs;
use std::path::Path;

use bagssl::bank::Bank;
use bagssl::engine::{Command, ExploreConfig, GalleryFilter, QuerySpec};
use bagssl::patch::PatchRef;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde_json::{Value, json};

use crate::engine::{Started, small};
use crate::support::{bagssl, failure, json as run_json, text};

/// Pixels of 48 x 48, other ones for each seed.
fn pixels(seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let blotch = |i: u32| (i / 3 % 48 / 6 * 31 + i / 144 / 6 * 57 + seed * 77) as u8 / 2;
    (0..3 * 48 * 48u32)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            blotch(i) + (state >> 25) as u8
        })
        .collect()
}

fn save(path: &Path, seed: u32, (compression, filter): (CompressionType, FilterType)) {
    let encoder = PngEncoder::new_with_quality(fs::File::create(path).unwrap(), compression, filter);
    encoder.write_image(&pixels(seed), 48, 48, ExtendedColorType::Rgb8).unwrap();
}

/// A folder of three images, `a.png`, `b.png` and `c.png`; and one with a copy of `a.png` and one of `b.png` that is
/// another file with the same pixels.
fn folders(folder: &Path) -> [String; 2] {
    let [few, more] = ["few", "more"].map(|name| folder.join(name));
    for data in [&few, &more] {
        fs::create_dir(data).unwrap();
        for (seed, name) in ["a.png", "b.png", "c.png"].into_iter().enumerate() {
            save(&data.join(name), seed as u32, (CompressionType::Fast, FilterType::NoFilter));
        }
    }
    save(&more.join("b-again.png"), 1, (CompressionType::Best, FilterType::Paeth));
    fs::copy(more.join("a.png"), more.join("z-copy.png")).unwrap();
    let files = ["b.png", "b-again.png"].map(|name| fs::read(more.join(name)).unwrap());
    assert!(files[0] != files[1], "two files with the same pixels");
    [few, more].map(|data| text(&data).to_owned())
}

fn bank(data: &str) -> String {
    bank_of("demo", data)
}

fn bank_of(model: &str, data: &str) -> String {
    let out = format!("{data}-bank-of-{model}");
    let patches = ["--patch", "16", "--stride", "16"];
    run_json(&[&["embed", "--model", model, "--data", data, "--out", &out][..], &patches].concat());
    out
}

/// Index of the image called `name`.
fn index(bank: &str, name: &str) -> u32 {
    let bank = Bank::open(Path::new(bank)).unwrap();
    bank.images().iter().find(|image| image.name.ends_with(name)).expect("an image of that name").index
}

/// What `name` is a copy of.
fn original(name: &str) -> &str {
    match name.rsplit(['/', '\\']).next().unwrap() {
        "b-again.png" => "b.png",
        "z-copy.png" => "a.png",
        other => match other {
            "a.png" => "a.png",
            "b.png" => "b.png",
            _ => "c.png",
        },
    }
}

/// Neighbours as (original, y, x, cosine), and of how many images each.
fn near(bank: &str, asked: &[&str]) -> (Vec<Value>, Vec<u64>) {
    let found = run_json(&[&["knn", "--bank", bank, "--space", "h"], asked].concat());
    let opened = Bank::open(Path::new(bank)).unwrap();
    let name =
        |hit: &Value| opened.image_entry(hit["image"].as_u64().unwrap() as usize).unwrap().name.clone();
    let hits = found["neighbours"].as_array().unwrap();
    let place = |hit: &Value| json!([original(&name(hit)), hit["y"], hit["x"], hit["cosine"]]);
    (hits.iter().map(place).collect(), hits.iter().map(|hit| hit["copies"].as_u64().unwrap()).collect())
}

fn of(bank: &str, name: &str) -> String {
    format!("{}:16:16", index(bank, name))
}

#[test]
fn folded_neighbours_are_those_of_a_folder_without_the_copies() {
    let folder = tempfile::tempdir().unwrap();
    let [few, more] = folders(folder.path()).map(|data| bank(&data));
    assert_eq!(run_json(&["bank", "info", &more])["copies"], json!(2));
    for k in ["1", "7", "26", "40"] {
        for name in ["a.png", "b-again.png", "c.png"] {
            let (asked, there) = (of(&more, name), of(&few, original(name)));
            let (expected, ones) = near(&few, &["--query", &there, "--k", k]);
            let (folded, copies) = near(&more, &["--query", &asked, "--k", k, "--fold-copies"]);
            assert_eq!(folded, expected, "{name}, k = {k}");
            assert!(ones.iter().all(|copies| *copies == 1));
            let counts: Vec<u64> = folded.iter().map(|hit| if hit[0] == "c.png" { 1 } else { 2 }).collect();
            assert_eq!(copies, counts);
        }
    }
    let (all, _) = near(&more, &["--query", &of(&more, "a.png"), "--k", "40"]);
    assert_eq!(
        (all.len(), &all[0][0], &all[0][1], &all[0][2]),
        (40, &json!("a.png"), &json!(16), &json!(16))
    );
    assert!(all[0][3].as_f64() > Some(0.999_999), "its copy is the nearest: {}", all[0]);
}

#[test]
fn two_models_are_compared_as_on_a_folder_without_the_copies() {
    let folder = tempfile::tempdir().unwrap();
    let data = folders(folder.path());
    let [few, more] = data.each_ref().map(|data| ["demo", "demo-cifar10"].map(|model| bank_of(model, data)));
    let compared = |[a, b]: &[String; 2], name: &str, extra: &[&str]| {
        let asked = of(a, name);
        let banks = ["compare", "--bank", a, "--bank", b, "--space", "h,z", "--query", &asked, "--k", "7"];
        run_json(&[&banks[..], extra].concat())
    };
    for name in ["a.png", "b-again.png", "c.png"] {
        for extra in [&[][..], &["--exclude-same-image"], &["--per-image", "2"]] {
            let expected = compared(&few, original(name), extra);
            let folded = compared(&more, name, &[extra, &["--fold-copies"]].concat());
            assert_eq!(folded["spaces"], expected["spaces"], "{name}, {extra:?}");
            assert_eq!((&folded["fold_copies"], &expected["fold_copies"]), (&json!(true), &json!(false)));
        }
    }
    let all = compared(&more, "a.png", &[]);
    assert!(all["spaces"][0]["chance"] != compared(&few, "a.png", &[])["spaces"][0]["chance"]);
}

#[test]
fn what_is_folded_is_said_in_words_and_kept_with_figures() {
    let folder = tempfile::tempdir().unwrap();
    let [_, more] = folders(folder.path());
    let more = bank(&more);
    let asked = of(&more, "c.png");
    let knn = ["knn", "--bank", &more, "--query", &asked, "--space", "h", "--k", "26", "--fold-copies"];
    let said = String::from_utf8(bagssl(&knn).stdout).unwrap();
    for words in [
        "26 patches nearest in h to the patch of 16 x 16 pixels of image",
        "chosen among 26 of the 45 patches of 5 images (exact copies folded), exact",
        "other-image, 2 copies",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(said.lines().count(), 3 + 26, "two lines of words and a heading above the table");
    let info = String::from_utf8(bagssl(&["bank", "info", &more]).stdout).unwrap();
    assert!(
        info.contains("images: 5 embedded of 5 planned") && info.contains("2 are exact copies"),
        "{info}"
    );
    assert!(info.contains("patches: 45 embedded of 45 planned, 16 x 16 pixels every 16 pixels"), "{info}");

    let out = folder.path().join("near.svg");
    let gallery =
        ["gallery", "--bank", &more, "--query", &asked, "--k", "9", "--fold-copies", "--space", "h"];
    let said = bagssl(&[&gallery[..], &["--out", text(&out)]].concat());
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("9 patches nearest in h, chosen among 26 of the 45 patches of 5 images"), "{said}");
    let kept = fs::read_to_string(out.with_extension("svg.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["source"]["search"]["fold_copies"], json!(true));
    assert_eq!(kept["data"]["left_out"], json!(["exact copies folded"]));
    let cells = kept["data"]["queries"][0]["spaces"][0]["cells"].as_array().unwrap();
    let folded = cells.iter().filter(|cell| cell["copies"] == json!(2)).count();
    let words = format!("of 9 neighbours stand for 2 images with the same pixels: $h$ {folded}");
    let plain = words.replace('$', "");
    assert!(folded > 0 && kept["caption"].as_str().unwrap().contains(&plain[3..]), "{}", kept["caption"]);
}

#[test]
fn a_bank_of_an_earlier_version_is_told_what_to_do_and_given_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let [_, data] = folders(folder.path());
    let more = bank(&data);
    let asked = of(&more, "a.png");
    let folding = ["--query", &asked, "--k", "12", "--fold-copies"];
    let before = near(&more, &folding);
    let manifest = Path::new(&more).join("bank.json");
    let whole = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, whole.replace(",\n  \"pixels\": true", "")).unwrap();
    fs::remove_file(Path::new(&more).join("pixels.bin")).unwrap();
    let said = failure(&[&["knn", "--bank", &more, "--space", "h"], &folding[..]].concat());
    assert!(said.contains("an earlier version made it") && said.contains("bagssl bank hash"), "{said}");
    near(&more, &folding[..4]);
    assert_eq!(run_json(&["bank", "info", &more])["copies"], Value::Null);
    // Where the images are not at hand it says so.
    let moved = folder.path().join("moved");
    fs::rename(&data, &moved).unwrap();
    assert!(failure(&["bank", "hash", &more]).contains("--data says where they lie"));
    let made = run_json(&["bank", "hash", &more, "--data", text(&moved)]);
    assert_eq!(made, json!({ "images": 5, "hashed": 5, "copies": 2 }));
    assert_eq!(near(&more, &folding), before);
    assert_eq!(fs::read_to_string(&manifest).unwrap(), whole);
}

#[test]
fn the_window_counts_copies_and_folds_them() {
    let folder = tempfile::tempdir().unwrap();
    let [_, more] = folders(folder.path());
    let started = Started::new();
    started.engine.send(Command::OpenData { spec: more.as_str().into(), split: None });
    let is_open = |data: &bagssl::engine::DataDescription| data.images == 5;
    let shown = started.until("the folder", |shown| shown.data.as_deref().is_some_and(is_open));
    let data = shown.data.as_ref().unwrap().id;
    let filter = GalleryFilter { fold_copies: true, ..GalleryFilter::default() };
    let config = ExploreConfig { filter, neighbours: 40, gallery_images: 5, ..small() };
    started.engine.send(Command::Configure { id: 8, config });
    let patch = PatchRef { image: 0, y: 16, x: 16, size: 16 };
    started.engine.send(Command::Query { id: 9, data, query: QuerySpec::one(patch), image: 0 });
    let shown = started.until("the galleries", |shown| {
        let is_whole = |g: &bagssl::engine::GalleryView| {
            g.query_id == 9 && g.filter == filter && g.searched == g.total && g.total == 45
        };
        shown.galleries.as_deref().is_some_and(is_whole)
            && shown.extraction.as_ref().is_some_and(|extraction| extraction.finished)
    });
    assert_eq!(shown.extraction.as_ref().unwrap().copies, 2);
    for gallery in &shown.galleries.as_ref().unwrap().spaces {
        assert_eq!((gallery.neighbours.len(), gallery.candidates), (26, 26), "{}", gallery.space);
        for hit in &gallery.neighbours {
            let others: &[&str] = match hit.patch.image {
                0 => &["z-copy.png"],
                1 => &["b.png"],
                2 => &["b-again.png"],
                _ => &[],
            };
            assert_eq!(hit.copies, others.len() + 1, "{}", hit.image_name);
            assert!(hit.copy_names.iter().zip(others).all(|(name, other)| name.ends_with(other)));
        }
    }
}
