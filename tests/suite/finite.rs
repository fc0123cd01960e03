//! A value that is not finite stops whatever would show it, and is named with the layer that made it.

use std::fs;

use bagssl::model::{store, weights};
use burn::tensor::Device;

use crate::support::{failure, json, text};

#[test]
fn no_command_draws_or_writes_what_a_network_that_overflows_gives() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let device = Device::flex();
    let demo = store::open(&"demo".into(), &device).unwrap();
    let mut all = weights::collect(&demo.encoder);
    all.get_mut("layer2.0.conv1.weight").unwrap().values.iter_mut().for_each(|value| *value *= 1e38);
    let encoder = weights::assign(demo.encoder, all).unwrap().0;
    let file = path("huge.safetensors");
    store::save(&file, &encoder, &demo.info).unwrap();
    let model = ["--model", text(&file)];
    let data = ["--data", "demo", "--split", "test"];

    let image = path("image.png");
    image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([4 * x as u8, 4 * y as u8, 90])).save(&image).unwrap();
    let figure = path("figure.svg");
    let out = ["--out", text(&figure)];
    let grid = ["--patch", "20", "--stride", "20"];
    let heatmap = [&["heatmap", "--image", text(&image), "--at", "20,20"], &grid[..], &out].concat();
    let bank = path("bank");
    let embed = [&["embed"], &data[..], &grid, &["--limit", "4", "--out", text(&bank)]].concat();
    let eval = ["eval", "--data", "demo", "--patch", "20", "--patches", "central", "--limit", "20"].to_vec();
    for command in [heatmap, embed, eval] {
        let said = failure(&[&command[..], &model].concat());
        assert!(
            said.contains("not finite") && said.contains("first in layer2.0.conv1"),
            "{command:?}: {said}"
        );
        assert!(!figure.exists(), "{command:?} drew");
    }
    // What there is of the bank holds no vector of it.
    if bank.exists() {
        let left = json(&["bank", "info", text(&bank)]);
        assert_ne!(left["complete"], true, "{left}");
    }
    fs::remove_file(&file).unwrap();
}

#[test]
fn numbers_that_are_none_are_refused_where_they_are_typed() {
    let typed = |args: &[&str]| {
        let output = crate::support::bagssl(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let figure = ["heatmap", "--model", "demo", "--image", "a.png", "--out", "a.svg", "--at"];
    for wrong in ["nan,3", "3,inf", "1e39,3"] {
        assert!(typed(&[&figure[..], &[wrong]].concat()).contains("expected X,Y"), "{wrong}");
    }
    for (flag, wrong) in
        [("--contour", "nan"), ("--width", "inf"), ("--contour", "1e39"), ("--range", "nan,1")]
    {
        let said = typed(&[&figure[..], &["3,3", flag, wrong]].concat());
        assert!(said.contains("expected") && said.contains(flag), "{flag} {wrong}: {said}");
    }
    let eval = ["eval", "--model", "demo", "--data", "demo", "--patches", "central"];
    for (flag, wrong) in [("--temperature", "nan"), ("--temperature", "1e39"), ("--holdout", "nan")] {
        let said = typed(&[&eval[..], &[flag, wrong]].concat());
        assert!(said.contains("expected") && said.contains(flag), "{flag} {wrong}: {said}");
    }
    for (flag, wrong) in [("--probe-lr", "1e39"), ("--probe-lr", "nan"), ("--probe-weight-decay", "inf")] {
        let said = failure(&[&eval[..], &[flag, wrong]].concat());
        assert!(said.contains("of the probe is") && said.contains("expected"), "{flag} {wrong}: {said}");
    }
}
