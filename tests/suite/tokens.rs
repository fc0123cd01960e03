//! Places of feature maps as spaces, beside those of patches alone.

use std::sync::Arc;

use bagssl::dataset::Split;
use bagssl::device::{self, DeviceChoice};
use bagssl::embed::{Embedder, PatchSource};
use bagssl::image::Image;
use bagssl::model::{MapLayer, ModelSpec, Overrides, Space};

use crate::support::{bagssl, failure, fixture, json, query, spread_of_demo, text};

fn embedder(input: Option<u32>, resolution: Option<u32>) -> Embedder {
    let overrides = Overrides { input, resolution, ..Overrides::default() };
    let spec = ModelSpec { path: "demo".into(), overrides };
    Embedder::open(&spec, &device::open(DeviceChoice::Cpu).unwrap().device).unwrap()
}

fn picture(height: u32, width: u32) -> Arc<Image> {
    let value = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
    Arc::new(Image::new(width, height, (0..3 * height * width).map(value).collect()))
}

/// All cells of a stage of an image that goes through the network as it is: the map itself; its mean is the space of
/// the whole image.
#[test]
fn the_places_of_an_image_are_the_cells_of_its_map() {
    let (embedder, image) = (embedder(Some(32), Some(32)), picture(32, 32));
    let spaces = [Space::Token(MapLayer::Last), Space::Stage(3), Space::Token(MapLayer::Stage(3)), Space::H];
    let widths = spaces.map(|space| embedder.info.width(space).unwrap());
    // The last stage's cells are 8 pixels, those of the third 4.
    let cells: Vec<PatchSource> =
        (0..16).map(|cell| PatchSource { image: image.clone(), y: cell / 4 * 8, x: cell % 4 * 8 }).collect();
    let places = embedder.patches(&cells, 8, &spaces).unwrap();
    let whole = embedder.centrals(&[image], &spaces).unwrap();
    let mean = |all: &[f32], width: usize| -> Vec<f32> {
        (0..width).map(|at| all.chunks(width).map(|row| row[at]).sum::<f32>() / 16.0).collect()
    };
    let close = |a: &[f32], b: &[f32]| {
        let length = |x: &mut dyn Iterator<Item = f32>| x.map(|v| v * v).sum::<f32>().sqrt();
        length(&mut a.iter().zip(b).map(|(a, b)| a - b)) / length(&mut b.iter().copied())
    };
    assert!(close(&mean(&places[0], widths[0]), &whole[3]) < 1e-5, "the last map's mean is h");
    assert!(close(&mean(&places[2], widths[2]), &whole[1]) < 1e-5, "the third map's mean is stage3");
    assert!(close(&whole[0], &whole[3]) < 1e-5 && close(&whole[2], &whole[1]) < 1e-5);
    // A patch that went through alone knows nothing of what is around it.
    assert!(close(&places[1], &places[2]) > 0.01);
}

#[test]
fn a_rectangle_goes_through_in_its_aspect_and_at_the_resolution_that_is_told() {
    let image = picture(40, 64);
    let patch = [PatchSource { image, y: 8, x: 16 }];
    let spaces = [Space::Token(MapLayer::Last)];
    // The demo model saw patches of 20 pixels as inputs of 16: 40 pixels become 32.
    let [usual, same, large] =
        [None, Some(32), Some(64)].map(|side| embedder(None, side).patches(&patch, 16, &spaces).unwrap());
    assert_eq!(usual, same);
    assert_ne!(usual, large);
}

#[test]
fn a_bank_holds_places_beside_patches_and_is_searched_by_them() {
    let folder = tempfile::tempdir().unwrap();
    let bank = text(&folder.path().join("bank")).to_owned();
    let embed = [
        "embed", "--data", "demo", "--split", "test", "--limit", "4", "--patch", "8", "--stride", "8",
        "--out", &bank,
    ];
    let report =
        json(&[&embed[..], &["--space", "h", "--space", "token-last", "--resolution", "64"]].concat());
    assert_eq!(report["spaces"], serde_json::json!(["h", "token-last"]));
    let again = failure(&[&embed[..], &["--space", "h", "--space", "token-last"]].concat());
    assert!(again.contains("resolution"), "{again}");
    let first = spread_of_demo(Split::Test, 4)[0];
    let asked = query(first, 8, 8);
    let found = json(&["knn", "--bank", &bank, "--query", asked, "--space", "token-last", "--k", "3"]);
    assert_eq!(found.to_string().matches("\"cosine\"").count(), 3, "{found}");
}

/// What is taken unless told is what there is: a model or a bank without z has h.
#[test]
fn the_usual_spaces_are_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    let (vit, image) = (fixture("checkpoints/vit/hf_dinov2"), at("p.png"));
    image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([x as u8 * 8, y as u8 * 8, 9])).save(&image).unwrap();
    let heatmap = ["heatmap", "--model", text(&vit), "--image", &image, "--patch", "16", "--stride", "8"];
    let map = json(&[&heatmap[..], &["--at", "8,8", "--out", &at("map.svg")]].concat());
    assert_eq!(map["spaces"].as_object().unwrap().keys().collect::<Vec<_>>(), ["h"]);
    let (bank, other) = (at("bank"), at("other"));
    let embed =
        ["embed", "--data", "demo", "--split", "test", "--limit", "4", "--patch", "16", "--stride", "16"];
    json(&[&embed[..], &["--space", "h", "--out", &bank]].concat());
    json(&[&embed[..], &["--space", "stage3", "--out", &other]].concat());
    let asked = query(spread_of_demo(Split::Test, 4)[0], 0, 0);
    let gallery = json(&["gallery", "--bank", &bank, "--query", asked, "--k", "3", "--out", &at("g.svg")]);
    assert_eq!(gallery["spaces"][0]["space"], "h");
    let same = json(&["compare", "--bank", &bank, "--bank", &bank, "--k", "3", "--queries", "2"]);
    assert_eq!(
        (same["spaces"][0]["space"].as_str(), same["spaces"].as_array().unwrap().len()),
        (Some("h"), 1)
    );
    let error = failure(&["compare", "--bank", &bank, "--bank", &other, "--k", "3", "--queries", "2"]);
    assert!(error.contains("no space in common"), "{error}");
}

/// A figure names the tiles in its caption and its sidecar where it shows places of images that went through in some.
#[test]
fn every_figure_of_places_says_in_what_tiles_images_went_through() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    let (bank, near_h) = (at("bank"), at("near-h.svg"));
    let demo = ["--data", "demo", "--split", "test", "--patch", "16", "--stride", "16"];
    let tiles = ["--resolution", "64", "--tiles", "32:8"];
    let both = ["--space", "h", "--space", "token-last"];
    json(&[&["embed", "--limit", "6", "--out", &bank], &demo[..], &tiles, &both].concat());
    let of_places = ["--space", "token-last"];
    let figures = [
        [&["figure", "fig4", "--queries", "1"], &demo[..], &tiles, &of_places].concat(),
        [&["figure", "fig5", "--bank", &bank, "--k", "3"], &of_places[..]].concat(),
        [&["geometry", &bank], &of_places[..]].concat(),
        [&["cooccurrence", &bank, "--kinds", "4", "--by", "token-last"], &of_places[..]].concat(),
        [&["scatter", &bank], &of_places[..]].concat(),
        [&["locality", "--limit", "4", "--queries", "4", "--changed", "0"], &demo[..], &tiles, &of_places]
            .concat(),
    ];
    let sidecar = |out: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(format!("{out}.json")).unwrap()).unwrap()
    };
    for (place, figure) in figures.iter().enumerate() {
        let (out, caption) = (at(&format!("{place}.svg")), at(&format!("{place}.tex")));
        json(&[&figure[..], &["--out", &out, "--caption", &caption]].concat());
        let told = std::fs::read_to_string(&caption).unwrap();
        assert!(told.contains("images went through in tiles of 32 px, overlap 8 px"), "{figure:?}: {told}");
        let source = &sidecar(&out)["source"];
        assert_eq!(source["tiles"], serde_json::json!({ "side": 32, "overlap": 8 }), "{figure:?}: {source}");
    }
    json(&["figure", "fig5", "--bank", &bank, "--k", "3", "--space", "h", "--out", &near_h]);
    assert!(!sidecar(&near_h).to_string().contains("tiles"), "patches alone went through no tiles");
}

/// Whatever says how a model is taken has no meaning beside a bank, whose vectors are there.
#[test]
fn no_option_of_a_model_is_overlooked_beside_a_bank() {
    for option in
        [["--resolution", "64"], ["--tiles", "64"], ["--heads", "2"], ["--input", "32"], ["--exif", "ignore"]]
    {
        let fig5 = ["figure", "fig5", "--bank", "b", "--out", "f.svg"];
        for command in [&["geometry", "b"][..], &fig5] {
            let output = bagssl(&[command, &option].concat());
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.code() == Some(2) && said.contains("cannot be used with"),
                "{option:?}: {said}"
            );
        }
    }
}

/// Images of 64 pixels in tiles of 32 that share 8: 3 x 3 of them.
#[test]
fn images_larger_than_a_tile_go_through_in_tiles_and_what_is_made_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    let embed = [
        "embed",
        "--data",
        "demo",
        "--split",
        "test",
        "--limit",
        "2",
        "--patch",
        "16",
        "--stride",
        "16",
        "--space",
        "token-last",
        "--resolution",
        "64",
    ];
    let (bank, whole) = (at("bank"), at("whole"));
    let tiles = serde_json::json!({ "side": 32, "overlap": 8 });
    let report = json(&[&embed[..], &["--tiles", "32:8", "--out", &bank]].concat());
    assert_eq!(report["tiles"], serde_json::json!({ "side": 32, "overlap": 8, "is_told": true }));
    let info = json(&["bank", "info", &bank]);
    assert_eq!((&info["tiles"], &info["resolution"]), (&tiles, &serde_json::json!(64)));
    let words = String::from_utf8(bagssl(&["bank", "info", &bank]).stdout).unwrap();
    assert!(words.contains("(whole images: short side 64 px, in tiles of 32 px, overlap 8 px)"), "{words}");
    // It is none that went through at once, nor is one of other tiles.
    let report = json(&[&embed[..], &["--out", &whole]].concat());
    assert!(report.get("tiles").is_none() && json(&["bank", "info", &whole]).get("tiles").is_none());
    for other in [&[][..], &["--tiles", "32:16"]] {
        let error = failure(&[&embed[..], other, &["--out", &bank]].concat());
        assert!(error.contains("how whole images go through"), "{error}");
    }
    let rows = |bank: &str| std::fs::read(format!("{bank}/token-last.f16")).unwrap();
    assert!(rows(&bank).len() == rows(&whole).len() && rows(&bank) != rows(&whole));
    // One tile over all of it is one pass.
    let covered = at("covered");
    json(&[&embed[..], &["--tiles", "64", "--out", &covered]].concat());
    assert_eq!(rows(&covered), rows(&whole));

    let image = at("p.png");
    image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8 * 4, y as u8 * 4, 9])).save(&image).unwrap();
    let heatmap = ["heatmap", "--image", &image, "--patch", "16", "--stride", "16", "--at", "8,8"];
    let told = ["--resolution", "64", "--tiles", "32:8"];
    let map = |space| json(&[&heatmap[..], &told, &["--space", space, "--out", &at("map.svg")]].concat());
    assert_eq!(
        map("token-last")["tiles"],
        serde_json::json!({ "count": 9, "side": 32, "overlap": 8, "is_told": true })
    );
    assert!(map("h").get("tiles").is_none(), "a patch alone is not of the whole image");
    let error =
        String::from_utf8(bagssl(&[&embed[..], &["--tiles", "32:20", "--out", &bank]].concat()).stderr);
    assert!(error.unwrap().contains("expected at most half of the tile's side, 16"));
}
