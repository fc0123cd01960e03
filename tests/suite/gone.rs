use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::disk::{end, start, training};
use crate::support::{bagssl, json, text};

/// A folder of pictures of two classes, `count` of each, in the folders of both splits where `splits`.
fn pictures(folder: &Path, count: u32, splits: &[&str]) -> PathBuf {
    let data = folder.join("data");
    for (split, class) in splits.iter().flat_map(|split| [(split, "dark"), (split, "light")]) {
        let place = data.join(split).join(class);
        fs::create_dir_all(&place).unwrap();
        for number in 0..count {
            let shade = if class == "dark" { 0 } else { 120 };
            let pixel = |x: u32, y: u32| {
                image::Rgb([shade + (3 * x + number) as u8 % 100, shade + (y * 2) as u8, 60])
            };
            image::RgbImage::from_fn(48, 48, pixel).save(place.join(format!("{number}.png"))).unwrap();
        }
    }
    data
}

/// Starts the program, moves `data` away once it `is_time`, and returns what the program says: it must end with status
/// 1 and name a file. Then all is back.
fn without(data: &Path, arguments: &[&str], is_time: &dyn Fn() -> bool) -> String {
    let mut child = start(arguments);
    while !is_time() {
        assert!(child.try_wait().unwrap().is_none(), "{arguments:?} ended before its data went");
        std::thread::sleep(Duration::from_millis(2));
    }
    let away = data.with_extension("away");
    fs::rename(data, &away).unwrap();
    let output = end(child, arguments);
    fs::rename(&away, data).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(text(data)) && said.contains(".png could not be read: No such file"), "{said}");
    said
}

fn manifest(bank: &Path) -> Value {
    serde_json::from_slice(&fs::read(bank.join("bank.json")).unwrap()).unwrap()
}

#[test]
fn a_bank_whose_data_go_away_stops_and_goes_on_with_what_was_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 60, &["."]);
    let (bank, whole) = (folder.path().join("bank"), folder.path().join("whole"));
    let common = ["embed", "--data", text(&data), "--patch", "16", "--stride", "16", "--space", "h", "--out"];
    let embed = [&common[..], &[text(&bank)]].concat();
    let said = without(&data, &embed, &|| bank.join("source.json").exists());
    assert!(said.contains("what is done so far is kept, and the same command goes on from there"), "{said}");
    let stopped = manifest(&bank);
    assert_eq!(stopped["skipped"], serde_json::json!([]), "what could not be read is no fact");
    assert!(stopped["complete_images"].as_u64() < Some(120));
    let report = json(&embed);
    assert_eq!((&report["images"], &report["skipped"]), (&120.into(), &serde_json::json!([])));
    json(&[&common[..], &[text(&whole)]].concat());
    let same =
        |file: &str| assert!(fs::read(bank.join(file)).unwrap() == fs::read(whole.join(file)).unwrap());
    ["bank.json", "h.f16", "sums.crc32c"].into_iter().for_each(same);

    // As earlier versions wrote it: the file was gone, and the bank is complete.
    let row_bytes = fs::read(bank.join("h.f16")).unwrap();
    let mut before = manifest(&bank);
    let last = bagssl::bank::Bank::open(&bank).unwrap().images()[119].index;
    let reason = format!("{}: No such file or directory (os error 2)", data.join("a.png").display());
    before["skipped"] = serde_json::json!([{ "image": last, "reason": reason }]);
    before["searchable"]["h"] = (before["searchable"]["h"].as_u64().unwrap() - 9).into();
    fs::write(bank.join("bank.json"), serde_json::to_vec_pretty(&before).unwrap()).unwrap();
    let report = json(&embed);
    let counts = ["retried_images", "resumed_images"].map(|key| report[key].as_u64());
    assert_eq!((counts, &report["skipped"]), ([Some(1), Some(119)], &serde_json::json!([])));
    same("bank.json");
    assert!(fs::read(bank.join("h.f16")).unwrap() == row_bytes);
}

#[test]
fn an_evaluation_whose_data_go_away_keeps_no_hole_in_its_cache() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 120, &["train", "val"]);
    let cache = folder.path().join("cache");
    let arguments =
        ["eval", "--data", text(&data), "--patches", "central", "--classifier", "knn", "--k", "3"];
    let evaluate = [&arguments[..], &["--cache", text(&cache)]].concat();
    let is_time = || {
        fs::read_dir(&cache)
            .is_ok_and(|places| places.flatten().any(|e| e.path().join("about.json").exists()))
    };
    let said = without(&data, &evaluate, &is_time);
    assert!(said.contains("the same command goes on from there"), "{said}");
    let (report, whole) = (json(&evaluate), json(&arguments));
    for split in ["train", "test"] {
        assert_eq!(report[split], whole[split]);
        assert_eq!(
            (&report[split]["images"], &report[split]["skipped"]),
            (&240.into(), &serde_json::json!([]))
        );
    }
    assert_eq!(report["rows"][0]["accuracy"], whole["rows"][0]["accuracy"]);
}

#[test]
fn a_run_whose_data_go_away_stops_with_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 30, &["."]);
    let (config, out) = (folder.path().join("config.toml"), folder.path().join("run"));
    let mut train = training(&config, &out, &["epochs=60", "checkpoint_every=10000", "probe.every=0"]);
    train.drain(1..5);
    train.extend(["--data", text(&data)]);
    let said =
        without(&data, &train, &|| out.join("metrics.jsonl").metadata().is_ok_and(|meta| meta.len() > 400));
    assert!(said.contains("--resume continues from") && !said.contains("step-000000"), "{said}");
    let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    assert!(fs::read_to_string(out.join("notices.jsonl")).unwrap().contains("could not be read"));
    let resume = ["train", "--data", text(&data), "--log-every", "1", "--resume", "--out", text(&out)];
    assert!(end(start(&resume), &resume).status.success());
    let all = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    assert!(all.starts_with(&metrics) && all.lines().count() == 180, "no step is lost");
}

/// Breaks a picture in its middle, which is seen when it is decoded and not before.
fn corrupt(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8].iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(file, bytes).unwrap();
}

#[test]
fn images_that_are_broken_count_nowhere_as_searched() {
    let folder = tempfile::tempdir().unwrap();
    let data = pictures(folder.path(), 4, &["."]);
    for (class, number) in [("dark", 1), ("dark", 3), ("light", 0), ("light", 2)] {
        corrupt(&data.join(format!("{class}/{number}.png")));
    }
    let bank = folder.path().join("bank");
    let place = ["--patch", "16", "--stride", "16", "--space", "h", "--out", text(&bank)];
    let embed = json(&[&["embed", "--data", text(&data)][..], &place].concat());
    let length = |report: &Value, key: &str| report[key].as_array().unwrap().len();
    assert_eq!((embed["patches"].as_u64(), length(&embed, "skipped")), (Some(36), 4), "{embed}");
    let info = json(&["bank", "info", text(&bank)]);
    let counts = ["patches", "total_patches", "images", "total_images"].map(|key| info[key].as_u64());
    assert_eq!((counts, length(&info, "skipped")), ([Some(36), Some(36), Some(4), Some(8)], 4));
    let found = json(&["knn", "--bank", text(&bank), "--query", "0:0:0", "--space", "h", "--k", "3"]);
    assert_eq!((found["searched"].as_u64(), found["candidates"].as_u64()), (Some(36), Some(35)));
    let both = ["compare", "--bank", text(&bank), "--bank", text(&bank), "--space", "h", "--queries", "2"];
    let compared = json(&[&both[..], &["--k", "3"]].concat());
    assert_eq!((compared["searched"].as_u64(), compared["total"].as_u64()), (Some(36), Some(36)));
    let (figure, caption) = (folder.path().join("near.svg"), folder.path().join("near.tex"));
    let drawn = ["gallery", "--bank", text(&bank), "--query", "0:0:0", "--space", "h", "--k", "4"];
    json(&[&drawn[..], &["--out", text(&figure), "--caption", text(&caption)]].concat());
    let words = fs::read_to_string(&caption).unwrap();
    assert!(words.contains("out of 36 patches.") && words.contains("without 4 of 8 images"), "{words}");
    assert!(!words.contains("of 72"), "{words}");
    let figure = ["figure", "fig7", "--bank", text(&bank), "--queries", "1", "--k", "4", "--space", "h"];
    let page = json(&[&figure[..], &["--out", text(&folder.path().join("page.svg"))]].concat());
    assert_eq!((page["searched"].as_u64(), page["total"].as_u64()), (Some(36), Some(36)));
}

#[test]
fn a_file_of_cifar_that_is_missing_or_empty_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for number in [1, 2, 4, 5] {
        let records = vec![number as u8; if number == 2 { 0 } else { 3073 * 10 }];
        fs::write(folder.path().join(format!("data_batch_{number}.bin")), records).unwrap();
    }
    let info = json(&["data", "info", text(folder.path())]);
    assert_eq!(info["images"].as_u64(), Some(30));
    let skipped = |at: usize, key: &str| info["skipped"][at][key].as_str().unwrap();
    assert_eq!((skipped(0, "file"), skipped(1, "file")), ("data_batch_2.bin", "data_batch_3.bin"));
    assert!(
        skipped(0, "reason").contains("empty") && skipped(1, "reason").contains("data_batch_5.bin"),
        "{info}"
    );
    let said = bagssl(&["data", "info", text(folder.path())]);
    assert!(String::from_utf8_lossy(&said.stdout).contains("data_batch_2.bin: it is empty"), "{said:?}");
}
