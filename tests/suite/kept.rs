//! Vectors that are kept from one command to the next.

use std::fs;
use std::path::Path;

use crate::support::{program, text};

fn run(cache: &Path, args: &[&str]) -> serde_json::Value {
    let mut command = program();
    command.env("XDG_CACHE_HOME", cache).args(args).args(["--device", "cpu", "--json"]);
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_bank_is_found_wherever_it_lies_and_what_comes_of_it_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let at = |name: &str| folder.path().join(name);
    let embed = |out: &Path, rest: &[&str]| {
        let place = ["embed", "--data", "demo", "--split", "test", "--patch", "32", "--out", text(out)];
        run(&cache, &[&place[..], rest].concat())
    };
    let first = embed(&at("first"), &["--stride", "8", "--limit", "4", "--space", "h,z"]);
    assert_eq!((first["patches"].as_u64(), first["reused_patches"].as_u64()), (Some(100), Some(0)));
    // Fewer positions and spaces, more images.
    let wanted = ["--stride", "16", "--limit", "6", "--space", "h"];
    let reused = embed(&at("reused"), &wanted);
    assert_eq!((reused["patches"].as_u64(), reused["reused_patches"].as_u64()), (Some(54), Some(36)));
    let alone = embed(&at("alone"), &[&wanted[..], &["--cache-size", "0"]].concat());
    assert_eq!(alone["reused_patches"].as_u64(), Some(0));
    for file in ["bank.json", "images.bin", "pixels.bin", "sums.crc32c", "h.f16", "h.inv"] {
        let [reused, alone] = ["reused", "alone"].map(|bank| fs::read(at(bank).join(file)).unwrap());
        assert!(reused == alone, "{file}");
    }
    // Banks elsewhere take nothing of the cache, and one that is gone is no longer found.
    let usage = run(&cache, &["bank", "cache"]);
    assert_eq!((usage["banks"].as_u64(), usage["bytes"].as_u64()), (Some(0), Some(0)));
    fs::remove_dir_all(at("first")).unwrap();
    fs::remove_dir_all(at("reused")).unwrap();
    let again = embed(&at("again"), &wanted);
    assert_eq!(again["reused_patches"].as_u64(), Some(0));
    run(&cache, &["bank", "cache", "--clear"]);
    assert_eq!(fs::read_dir(cache.join("bagssl/vectors")).unwrap().count(), 0);
}
