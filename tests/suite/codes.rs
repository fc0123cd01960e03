use std::path::Path;

use crate::support::{bagssl, json, text};

/// A bank of 6 images of the demo set, 7 x 7 patches each.
fn bank(folder: &Path) -> String {
    let out = folder.join("bank");
    let made =
        ["embed", "--data", "demo", "--split", "test", "--patch", "16", "--stride", "8", "--limit", "6"];
    json(&[&made[..], &["--out", text(&out)]].concat());
    text(&out).into()
}

/// What the program says, which must succeed.
fn said(args: &[&str]) -> String {
    let output = bagssl(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_bank_says_which_codes_there_are_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    assert!(said(&["bank", "info", &bank]).contains("codes: none"));
    let made = json(&["bank", "index", &bank, "--space", "h"]);
    let info = json(&["bank", "info", &bank]);
    assert_eq!(info["codes"].as_array().unwrap().len(), 1);
    let codes = &info["codes"][0];
    assert_eq!((&codes["space"], &codes["patches"], &codes["of"]), (&"h".into(), &294.into(), &294.into()));
    assert_eq!(
        (&codes["bytes"], &codes["measured"]),
        (&made["spaces"][0]["bytes"], &made["spaces"][0]["measured"])
    );
    assert_eq!((&codes["folder"], &codes["beside_bank"]), (&bank.as_str().into(), &true.into()));
    let words = said(&["bank", "info", &bank]);
    let line = words.lines().find(|line| line.starts_with("codes of h: of 294 patches, ")).unwrap();
    let queries = codes["measured"]["queries"].as_u64().unwrap();
    assert!(line.contains(&format!("measured on {queries} queries; in the bank's folder")), "{line}");
}
