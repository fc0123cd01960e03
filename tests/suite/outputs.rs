use std::fs;
use std::path::Path;

use bagssl::dataset::Split;

use crate::run::tiny;
use crate::support::{failure, json, query, spread_of_demo, text};

/// What the program says, which must fail and leave `file` as it was.
fn refused(args: &[&str], file: &Path) -> String {
    let before = fs::read(file).unwrap();
    let said = failure(args);
    assert!(fs::read(file).unwrap() == before, "{args:?} wrote over {}", file.display());
    said
}

#[test]
fn no_command_writes_over_what_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let photo = at("photo.png");
    image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, 9])).save(&photo).unwrap();
    let place =
        ["heatmap", "--image", text(&photo), "--patch", "32", "--stride", "16", "--at", "8,8", "--out"];
    let heatmap = |more: &[&str], file: &Path| refused(&[&place[..], more].concat(), file);
    let said = heatmap(&[text(&photo)], &photo);
    assert!(said.contains("--out") && said.contains("that is --image, which is read"), "{said}");
    // By another name.
    let link = at("link.png");
    std::os::unix::fs::symlink(&photo, &link).unwrap();
    assert!(heatmap(&[text(&link)], &photo).contains("that is --image"));
    let map = at("map.svg");
    for option in ["--values", "--caption"] {
        assert!(heatmap(&[text(&map), option, text(&photo)], &photo).contains("that is --image"));
        let said = heatmap(&[text(&map), option, text(&map)], &photo);
        assert!(said.contains("goes there already"), "{said}");
        let sidecar = at("map.svg.json");
        assert!(heatmap(&[text(&map), option, text(&sidecar)], &photo).contains("goes there already"));
    }
    assert!(!map.exists());
    let data = at("data");
    fs::create_dir(&data).unwrap();
    fs::copy(&photo, data.join("a.png")).unwrap();
    let fig4 = ["figure", "fig4", "--data", text(&data), "--patch", "32", "--out"];
    let into = data.join("fig.png");
    let said = refused(&[&fig4[..], &[text(&into)]].concat(), &photo);
    assert!(said.contains("it would be a file of --data"), "{said}");
    let embed = ["embed", "--data", text(&data), "--patch", "32", "--stride", "16", "--out", text(&data)];
    assert!(refused(&embed, &photo).contains("that is --data, which is read"));
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
}

#[test]
fn no_command_writes_over_a_bank_a_run_or_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let bank = at("bank");
    let embed =
        ["embed", "--data", "demo", "--split", "test", "--limit", "6", "--patch", "16", "--stride", "8"];
    json(&[&embed[..], &["--out", text(&bank)]].concat());
    let (manifest, figure) = (bank.join("bank.json"), at("fig.svg"));
    let asked = query(spread_of_demo(Split::Test, 6)[0], 0, 0);
    let gallery = ["gallery", "--bank", text(&bank), "--query", asked, "--k", "3", "--out", text(&figure)];
    let said = refused(&[&gallery[..], &["--caption", text(&manifest)]].concat(), &manifest);
    assert!(said.contains("that place belongs to the bank"), "{said}");
    let rows = bank.join("h.npy");
    let export = ["bank", "export", text(&bank), "--space", "h", "--out", text(&rows)];
    assert!(refused(&export, &manifest).contains("that place belongs to the bank"));
    let train = ["train", "--data", "demo", "--recipe", "quick-parts", "--out", text(&bank)];
    assert!(refused(&train, &manifest).contains("a bank is there"));

    let (config, run) = (at("config.toml"), at("run"));
    fs::write(&config, tiny().to_toml().unwrap()).unwrap();
    let train = ["train", "--data", "demo", "--split", "train", "--config", text(&config), "--out"];
    json(&[&train[..], &[text(&run)]].concat());
    assert!(refused(&[&train[..], &[text(&config)]].concat(), &config).contains("that is --config"));
    let model = run.join(fs::read_to_string(run.join("latest")).unwrap()).join("model.safetensors");
    let convert = |from: &Path, to: &Path| refused(&["model", "convert", text(from), text(to)], &model);
    assert!(convert(&run, &model).contains("that place belongs to the checkpoint"));
    assert!(convert(&model, &model).contains("that is MODEL, which is read"));
    let metrics = run.join("metrics.jsonl");
    let curve = ["figure", text(&run), "--caption", text(&metrics), "--out"];
    assert!(refused(&[&curve[..], &[text(&figure)]].concat(), &metrics).contains("belongs to the run"));
    // What a run is not made of may stand in its folder, and a figure may be made again in its place.
    let curve = run.join("loss.svg");
    json(&["figure", text(&run), "--out", text(&curve)]);
    let drawn = fs::read(&curve).unwrap();
    json(&["figure", text(&run.join("loss.svg.json")), "--out", text(&curve)]);
    assert!(fs::read(&curve).unwrap() == drawn);
}
