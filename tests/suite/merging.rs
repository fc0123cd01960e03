//! Parts of a bank by the program: made apart, put together, what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{bagssl, failure, json as run, text};

/// The files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

/// Embeds by `how` at once and in `of` parts, which must merge into the same bytes. Returns the folders of the parts.
fn divided(folder: &Path, how: &[&str], of: usize) -> Vec<String> {
    let whole = folder.join("whole");
    run(&[&["embed", "--out", text(&whole)], how].concat());
    let part = |number: usize| {
        let out = folder.join(format!("part-{number}"));
        let made =
            run(&[&["embed", "--out", text(&out), "--shard", &format!("{number}/{of}")], how].concat());
        assert_eq!((&made["part"]["number"], &made["part"]["of"]), (&json!(number), &json!(of)));
        text(&out).to_owned()
    };
    // The last one first, and merged in yet another order.
    let mut parts: Vec<String> = (1..=of).rev().map(part).collect();
    parts.rotate_left(1);
    let merged = folder.join("merged");
    let mut args = vec!["bank", "merge", "--out", text(&merged)];
    args.extend(parts.iter().map(String::as_str));
    let report = run(&args);
    let (one, info) = (run(&["bank", "info", text(&whole)]), run(&["bank", "info", text(&merged)]));
    assert_eq!((&report["missing"], &report["parts"]), (&json!([]), &json!(of)));
    assert_eq!((&report["images"], &report["patches"]), (&one["total_images"], &one["patches"]));
    assert_eq!(info, one);
    let (one, merged) = (files(&whole), files(&merged));
    assert_eq!(merged.keys().collect::<Vec<_>>(), one.keys().collect::<Vec<_>>());
    one.iter().for_each(|(name, bytes)| assert!(merged[name] == *bytes, "{name}"));
    parts
}

#[test]
fn parts_of_the_built_in_set_merge_into_the_bank_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let how = ["--data", "demo", "--split", "test", "--limit", "7", "--patch", "32", "--stride", "16"];
    let how = [&how[..], &["--space", "h,z"]].concat();
    let parts = divided(folder.path(), &how, 3);
    let part = text(&folder.path().join("part-2")).to_owned();

    // Run again by a scheduler that does not know that it is done.
    let again = [&["embed", "--out", &part, "--shard", "2/3"], &how[..]].concat();
    let output = bagssl(&again);
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{words}");
    assert!(
        words.contains("part 2 of 3 of a bank of 7 images, complete: ") && words.contains("nothing was left"),
        "{words}"
    );
    let error = failure(&[&["embed", "--out", &part, "--shard", "1/3"], &how[..]].concat());
    assert!(
        error.contains("part: the bank has part 2 of 3") && error.contains("asked for is part 1 of 3"),
        "{error}"
    );
    let info = String::from_utf8(bagssl(&["bank", "info", &part]).stdout).unwrap();
    assert!(info.contains("part 2 of 3 of a bank of 7 images, of data"), "{info}");

    let out = folder.path().join("incomplete");
    let some = ["bank", "merge", &parts[0], "--out", text(&out)];
    let error = failure(&some);
    for words in ["missing: parts 1/3, 3/3 (5 of 7 images, 45 of 63 patches)", "--shard 1/3", "part-2"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    let output = bagssl(&[&some[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["images"], &report["patches"], &report["missing"]),
        (&json!(2), &json!(18), &json!([1, 3]))
    );
    assert!(!out.exists());
    let error = failure(&[&["embed", "--out", text(&out), "--shard", "1/8"], &how[..]].concat());
    assert!(error.contains("7 images with patches cannot be divided in 8 parts"), "{error}");
    assert_eq!(
        bagssl(&[&["embed", "--out", text(&out), "--shard", "0/3"], &how[..]].concat()).status.code(),
        Some(2)
    );
    let error = failure(&["bank", "merge", &parts[0], &parts[1], &parts[2], "--out", &part]);
    assert!(error.contains("PART"), "{error}");
}

#[test]
fn parts_of_pictures_of_which_one_is_broken_merge_into_the_bank_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    run(&["data", "synth", "--out", text(&data), "--images", "8", "--size", "32", "--split", "train"]);
    let class = fs::read_dir(data.join("train")).unwrap().next().unwrap().unwrap().path();
    let picture = fs::read_dir(class).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&picture).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0);
    fs::write(&picture, bytes).unwrap();
    let how = ["--data", text(&data), "--split", "train", "--patch", "16", "--stride", "8", "--dtype", "f32"];
    divided(folder.path(), &how, 5);
    let info = run(&["bank", "info", text(&folder.path().join("merged"))]);
    assert_eq!((&info["images"], &info["total_images"]), (&json!(7), &json!(8)));
}
