use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::disk::{end, start, training};
use crate::support::{json, text};

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
    let data = pictures(folder.path(), 150, &["."]);
    let (bank, whole) = (folder.path().join("bank"), folder.path().join("whole"));
    let common = ["embed", "--data", text(&data), "--patch", "16", "--stride", "16", "--space", "h", "--out"];
    let embed = [&common[..], &[text(&bank)]].concat();
    let said = without(&data, &embed, &|| bank.join("source.json").exists());
    assert!(said.contains("what is done so far is kept, and the same command goes on from there"), "{said}");
    let stopped = manifest(&bank);
    assert_eq!(stopped["skipped"], serde_json::json!([]), "what could not be read is no fact");
    assert!(stopped["complete_images"].as_u64() < Some(300));
    let report = json(&embed);
    assert_eq!((&report["images"], &report["skipped"]), (&300.into(), &serde_json::json!([])));
    json(&[&common[..], &[text(&whole)]].concat());
    let same =
        |file: &str| assert!(fs::read(bank.join(file)).unwrap() == fs::read(whole.join(file)).unwrap());
    ["bank.json", "h.f16", "sums.crc32c"].into_iter().for_each(same);

    // As earlier versions wrote it: the file was gone, and the bank is complete.
    let row_bytes = fs::read(bank.join("h.f16")).unwrap();
    let mut before = manifest(&bank);
    let last = bagssl::bank::Bank::open(&bank).unwrap().images()[299].index;
    let reason = format!("{}: No such file or directory (os error 2)", data.join("a.png").display());
    before["skipped"] = serde_json::json!([{ "image": last, "reason": reason }]);
    before["searchable"]["h"] = (before["searchable"]["h"].as_u64().unwrap() - 9).into();
    fs::write(bank.join("bank.json"), serde_json::to_vec_pretty(&before).unwrap()).unwrap();
    let report = json(&embed);
    let counts = ["retried_images", "resumed_images"].map(|key| report[key].as_u64());
    assert_eq!((counts, &report["skipped"]), ([Some(1), Some(299)], &serde_json::json!([])));
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
    let mut train = training(&config, &out, &["epochs=300", "checkpoint_every=10000", "probe.every=0"]);
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
    assert!(all.starts_with(&metrics) && all.lines().count() == 900, "no step is lost");
}
