use std::fs;
use std::path::Path;

use bagssl::dataset::Split;

use crate::support::{bagssl, json, query, spread_of_demo, text};

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

#[test]
fn figures_and_comparisons_go_by_codes_where_they_are_asked_to_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    let compare = ["compare", "--bank", &bank, "--bank", &bank, "--space", "h", "--k", "9", "--queries", "5"];
    assert!(said(&compare).lines().nth(1).unwrap().ends_with("  exact"));
    let exact = json(&compare);
    assert_eq!(exact["spaces"][0]["searches"][1], serde_json::json!({ "exact": true, "recall": 1.0 }));

    let by_codes = [&compare[..], &["--search", "quantised"]].concat();
    let report = json(&by_codes);
    let search = &report["spaces"][0]["searches"][0];
    let (recall, queries) = (search["recall"].as_f64().unwrap(), search["recall_queries"].as_u64().unwrap());
    assert!(search["exact"] == false && recall > 0.9 && queries > 1, "{search}");
    let words = format!("by codes, recall {recall:.3}, measured on {queries} queries");
    assert!(said(&by_codes).lines().nth(1).unwrap().ends_with(&words));

    let out = folder.path().join("pair.svg");
    let asked = query(spread_of_demo(Split::Test, 6)[2], 8, 16);
    let figure = ["figure", "fig8", "--bank", &bank, "--beside", &bank, "--query", asked, "--k", "8"];
    let figure = [&figure[..], &["--out", text(&out), "--search", "quantised"]].concat();
    let report = json(&figure);
    assert_eq!((&report["searches"]["h"], &report["beside_searches"]["h"]), (search, search));
    assert!(said(&figure).contains(&format!("over 294 of 294 patches, {words}")));
    // The figure says it, too.
    let sidecar = fs::read_to_string(folder.path().join("pair.svg.json")).unwrap();
    assert!(sidecar.contains(&format!("h A {words}")) && sidecar.contains(&format!("h B {words}")));

    let without = bagssl(&["figure", "fig8", "--search", "quantised", "--out", text(&out)]);
    assert_eq!(without.status.code(), Some(2), "patches that are embedded for a figure have no codes");
}
