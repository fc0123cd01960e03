//! The measures of the paper's argument as commands: figure 3a, geometry, locality, co-occurrence.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{bagssl, failure, fixture, json as run_json, text};

/// What `bagssl results` finds in what a measure printed, and its page.
fn page_of(report: &Value, folder: &Path) -> (Vec<Value>, String) {
    let (kept, out) = (folder.join("kept.json"), folder.join("page.md"));
    fs::write(&kept, report.to_string()).unwrap();
    let made = run_json(&["results", text(&kept), "--out", text(&out)]);
    let claims = made["claims"].as_array().unwrap();
    let findings = claims.iter().flat_map(|claim| claim["findings"].as_array().unwrap().clone()).collect();
    (findings, fs::read_to_string(&out).unwrap())
}

fn names(report: &Value) -> Vec<&str> {
    report["spaces"].as_array().unwrap().iter().map(|space| space["space"].as_str().unwrap()).collect()
}

#[test]
fn the_mean_of_all_patches_is_r_and_figure_3a_comes_again_from_its_sidecar() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (out, csv) = (path("fig3a.svg"), path("fig3a.csv"));
    let mut args = vec![
        "figure",
        "fig3a",
        "--patch",
        "16",
        "--stride",
        "16",
        "--limit",
        "3",
        "--space",
        "h,z,token-last",
    ];
    args.extend(["--counts", "1,4,all", "--out", text(&out), "--csv", text(&csv)]);
    let report = run_json(&args);
    assert_eq!(
        (names(&report), &report["images"], &report["stride"]),
        (vec!["h", "z", "token-last"], &json!(3), &json!(16))
    );
    for space in report["spaces"].as_array().unwrap() {
        let points = space["points"].as_array().unwrap();
        let of = |at: usize| points[at]["mean"]["mean"].as_f64().unwrap();
        assert!(of(0) < of(1) && (of(2) - 1.0).abs() < 1e-9, "{points:?}");
        assert_eq!(points[2]["count"], "all");
        let whole = &points[2]["whole"];
        assert!(whole["low"].as_f64() <= whole["mean"].as_f64() && whole["p90"].as_f64() <= Some(1.0));
    }
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 1 + 3 * 3 * 2);
    let (found, page) = page_of(&report, folder.path());
    assert_eq!(found.len(), 1, "{found:?}");
    let all = &report["spaces"][0]["points"][2];
    let (most, r) = (&all["patches"][1], all["whole"]["mean"].as_f64().unwrap());
    assert!(page.contains(&format!("all {most}: {r:.3} [")) && page.contains("(page-fig3a-1.svg)"), "{page}");
    let again = path("again.svg");
    run_json(&["figure", text(&path("fig3a.svg.json")), "--out", text(&again)]);
    assert_eq!(fs::read(&out).unwrap(), fs::read(&again).unwrap());
    // The same seed, the same bytes.
    let same = path("same.svg");
    args[13] = text(&same);
    args.truncate(14);
    run_json(&args);
    assert_eq!(fs::read(&out).unwrap(), fs::read(&same).unwrap());

    // Another way to ask, with the numbers by space and no figure.
    let asked = ["converge", "--patch", "16", "--stride", "16", "--images", "3", "--space", "h,z,token-last"];
    let numbers = run_json(&[&asked[..], &["--counts", "1,4,all"]].concat());
    assert_eq!((&numbers["images"], &numbers["out"]), (&json!(3), &Value::Null));
    for space in report["spaces"].as_array().unwrap() {
        let points = numbers["spaces"][space["space"].as_str().unwrap()].as_array().unwrap();
        for (point, known) in points.iter().zip(space["points"].as_array().unwrap()) {
            let whole = &known["whole"];
            let expected = json!({ "n": known["patches"][1], "mean": whole["mean"], "low": whole["low"], "high": whole["high"] });
            assert_eq!(*point, expected);
        }
        assert_eq!(points.len(), 3);
    }

    // Patches that tile an image have together the mean of its map, which is the whole image's.
    let drawn = path("places.svg");
    let mut of_places = vec!["figure", "fig3a", "--patch", "16", "--stride", "16", "--limit", "3"];
    of_places.extend(["--out", text(&drawn), "--space", "token-last", "--counts", "1,all"]);
    let places = run_json(&of_places);
    let whole = |at: usize| places["spaces"][0]["points"][at]["whole"]["mean"].as_f64().unwrap();
    assert!((whole(1) - 1.0).abs() < 1e-6 && whole(0) < 0.999, "{places}");

    let map = path("carried.svg");
    let mut args =
        vec!["figure", "fig3a", "--patch", "16", "--stride", "16", "--space", "h", "--out", text(&map)];
    args.extend(["--leave-one-out", "2"]);
    let report = run_json(&args);
    let relative = report["spaces"]["h"]["relative"].as_array().unwrap();
    let sum: f64 = relative.iter().map(|value| value.as_f64().unwrap()).sum();
    assert!((sum / relative.len() as f64 - 1.0).abs() < 1e-9, "{relative:?}");
    let error = failure(&["figure", "fig3a", "--leave-one-out", "9999999", "--out", text(&map)]);
    assert!(error.contains("--leave-one-out 9999999"), "{error}");
}

/// What stands in table, figure and report is one plane: scores about 0 whose variances are as the report says and that do not
/// go together.
#[test]
fn the_patches_of_a_bank_on_a_plane_as_figure_and_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (bank, out, csv) = (path("bank"), path("scatter.svg"), path("scatter.csv"));
    let how = ["--data", "demo", "--limit", "5", "--patch", "16", "--stride", "16", "--space", "h"];
    run_json(&[&["embed", "--out", text(&bank)], &how[..]].concat());
    let files = ["--out", text(&out), "--csv", text(&csv)];
    let image = run_json(&["bank", "info", text(&bank)]);
    assert_eq!(image["patches"], 80);
    let report =
        run_json(&[&["scatter", text(&bank), "--space", "h", "--color", "part"], &files[..]].concat());
    let counts = ["patches", "of", "images", "fitted"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counts, [80, 80, 5, 80]);
    let table = fs::read_to_string(&csv).unwrap();
    // From the end: names of images have commas, and stand in quotes.
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.rsplit(',').collect()).collect();
    let column = |at: usize| -> Vec<f64> { rows.iter().map(|row| row[at].parse().unwrap()).collect() };
    let spread = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
    let (first, second) = (column(2), column(1));
    assert!(first.iter().sum::<f64>().abs() < 1e-3 && second.iter().sum::<f64>().abs() < 1e-3);
    let shares = [0, 1].map(|at| report["explained"][at].as_f64().unwrap());
    assert!((spread(&second) / spread(&first) - shares[1] / shares[0]).abs() < 1e-3, "{shares:?}");
    let dot: f64 = first.iter().zip(&second).map(|(a, b)| a * b).sum();
    assert!(dot.abs() < 1e-3 * spread(&first), "components do not go together: {dot}");
    let svg = fs::read_to_string(&out).unwrap();
    assert!(svg.contains("80 of 80 patches of 5 images drawn") && out.with_extension("svg.json").exists());
    let query = format!("{}:{}:{}", rows[3].last().unwrap(), rows[3][7], rows[3][6]);
    let args = ["scatter", text(&bank), "--space", "h", "--color", "cosine"];
    let report = run_json(&[&args[..], &["--query", &query, "--most", "40"]].concat());
    assert_eq!(report["patches"], 40);
    let (once, again) = (path("once.csv"), path("again.csv"));
    for csv in [&once, &again] {
        let report = run_json(&["scatter", text(&bank), "--space", "h", "--by", "tsne", "--csv", text(csv)]);
        assert_eq!((&report["by"], &report["patches"]), (&json!("tsne"), &json!(80)));
    }
    assert_eq!(fs::read(&once).unwrap(), fs::read(&again).unwrap(), "the same vectors give the same plane");
    let error = failure(&["scatter", text(&bank), "--space", "z"]);
    assert!(error.contains("z"), "{error}");
}

#[test]
fn the_geometry_of_a_bank_and_of_two() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (bank, out, csv) = (path("bank"), path("geometry.pdf"), path("geometry.csv"));
    let how = ["--data", "demo", "--limit", "5", "--patch", "16", "--stride", "16", "--space", "h,z"];
    run_json(&[&["embed", "--out", text(&bank)], &how[..]].concat());
    let args =
        ["geometry", text(&bank), "--sample", "60", "--k", "5", "--out", text(&out), "--csv", text(&csv)];
    let report = run_json(&args);
    assert_eq!((names(&report), &report["rows"]), (vec!["h", "z"], &json!(60)));
    for space in report["spaces"].as_array().unwrap() {
        let (rank, width) = (space["rank"].as_f64().unwrap(), space["width"].as_f64().unwrap());
        assert!(rank >= 1.0 && rank <= width.min(60.0) && space["spectrum"].as_array().unwrap().len() == 60);
        assert_eq!(space["norms"]["count"], report["of"]);
        assert!(space["two_nn"]["dimension"].as_f64().unwrap() > 1.0, "{}", space["two_nn"]);
    }
    assert!(fs::read(&out).unwrap().starts_with(b"%PDF"));
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 3);
    // A bank beside itself: spaces of the same name are the same.
    let twice = run_json(&["geometry", text(&bank), "--beside", text(&bank), "--sample", "40", "--k", "5"]);
    let pair = |a: &str, b: &str| {
        let pairs = twice["pairs"].as_array().unwrap();
        pairs.iter().find(|pair| pair["a"] == a && pair["b"] == b).unwrap().clone()
    };
    let same = pair("h A", "h B");
    assert!((same["cka"].as_f64().unwrap() - 1.0).abs() < 1e-9 && same["overlap"]["value"] == 1.0, "{same}");
    assert!(pair("h A", "z B")["cka"].as_f64().unwrap() < 0.999);
    let error = failure(&["geometry", text(&bank), "--space", "y"]);
    assert!(error.contains('y') && error.contains("h, z"), "{error}");
}

#[test]
fn locality_is_a_page_of_measures_from_pixels_to_z() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (out, csv) = (path("locality.svg"), path("locality.csv"));
    let mut args = vec!["locality", "--limit", "8", "--queries", "12", "--k", "6", "--changed", "4"];
    args.extend(["--space", "pixels,h,z", "--out", text(&out), "--csv", text(&csv)]);
    let report = run_json(&args);
    assert_eq!(names(&report), ["pixels", "h", "z"]);
    assert_eq!((&report["parts_known"], &report["purity"]["chance"]["mean"].is_f64()), (&json!(true), &true));
    for space in report["spaces"].as_array().unwrap() {
        let shares = |name: &str| space["composition"][name][0]["value"].as_f64().unwrap();
        assert!((shares("same_image") + shares("same_class") + shares("other_class") - 1.0).abs() < 1e-12);
        assert!(space["displacement"]["near_minus_far"]["value"].as_f64().unwrap() > 0.0, "{space}");
    }
    let changes: Vec<&str> =
        report["invariance"].as_array().unwrap().iter().map(|c| c["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["shift", "scale", "flip", "brightness", "hue", "blur"]);
    let (found, words) = page_of(&report, folder.path());
    let about = |finding: &Value| finding["about"].as_str().unwrap().split(": ").nth(1).unwrap().to_owned();
    let measures: Vec<String> = found.iter().map(about).collect();
    assert_eq!(measures.len(), 5, "part purity, distance, places, own image, shift: {measures:?}");
    assert!(words.contains("12 queries of 8 images") && words.contains("(page-locality-1.svg)"), "{words}");
    // The report is drawn again as it was drawn first, but for text, which stays text on a page.
    let (sidecar, again) = (path("page-locality-1.svg.json"), path("again.svg"));
    run_json(&["figure", text(&sidecar), "--text", "outlines", "--out", text(&again)]);
    let [again, first] = [&again, &out].map(|path| fs::read_to_string(path).unwrap());
    assert!(again == first, "{} and {} bytes differ", again.len(), first.len());
    let page = fs::read_to_string(&out).unwrap();
    assert!(page.contains("polygon") && fs::read_to_string(&csv).unwrap().contains("h,near minus far,0,"));
    // A folder with part masks knows them; one without is measured without.
    let set = path("set");
    run_json(&["data", "synth", "--images", "10", "--size", "32", "--out", text(&set)]);
    assert_eq!(run_json(&["data", "info", text(&set)])["parts"], 45);
    let mut args = vec!["locality", "--data", text(&set), "--queries", "5", "--k", "4", "--changed", "0"];
    args.extend(["--space", "h"]);
    let report = run_json(&args);
    assert!(report["parts_known"] == true && report["purity"]["h"]["mean"].is_f64(), "{report}");
    fs::remove_dir_all(set.join(".parts")).unwrap();
    let report = run_json(&args);
    assert_eq!((&report["parts_known"], &report["purity"]), (&json!(false), &json!({})));
}

#[test]
fn a_plan_is_done_cell_by_cell_and_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (plan, out) = (path("plan.toml"), path("results"));
    let text_of = |classifiers: &str| {
        format!(
            "title = \"Tiny\"\ndata = \"demo\"\nseeds = [0, 1]\nlimit_train = 30\nlimit_test = 20\nk = 3\n\
             [[model]]\nname = \"built in\"\npath = \"demo\"\n\
             [[evaluation]]\nname = \"whole\"\npatches = [\"central\"]\nclassifiers = [{classifiers}]\n"
        )
    };
    fs::write(&plan, text_of("\"knn\"")).unwrap();
    let args = ["eval", "--plan", text(&plan), "--out", text(&out)];
    let first = run_json(&args);
    assert_eq!(
        (&first["cells"], &first["kept"], &first["rows"][0]["seeds"]),
        (&json!(2), &json!(0), &json!(2))
    );
    // The features are the same for both seeds; nothing is done twice, and the tables are the same.
    let tables: Vec<String> = ["results.md", "results.csv", "results.tex", "results.json"]
        .map(|name| fs::read_to_string(out.join(name)).unwrap())
        .to_vec();
    assert!(tables[0].contains("| built in |") && tables[2].contains("\\toprule"), "{}", tables[0]);
    let again = run_json(&args);
    assert_eq!((&again["kept"], &again["rows"]), (&json!(2), &first["rows"]));
    assert_eq!(fs::read_to_string(out.join("results.csv")).unwrap(), tables[1]);
    // Another setting is another cell.
    fs::write(&plan, text_of("\"knn\"").replace("k = 3", "k = 4")).unwrap();
    assert_eq!(run_json(&args)["kept"], 0);
    fs::write(&plan, text_of("\"svm\"")).unwrap();
    let error = failure(&args);
    assert!(error.contains("plan.toml") && error.contains("\"svm\": expected knn or linear"), "{error}");
    // What the file says is said nowhere else, so that nothing is asked for in vain.
    for (option, value) in [("--k", "3"), ("--probe-lr", "0.1"), ("--input", "64"), ("--seed", "1")] {
        let output = bagssl(&[&args[..], &[option, value]].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(option) && error.contains("--plan"), "{error}");
    }
}

#[test]
fn a_table_of_the_paper_is_done_with_many_seeds_and_other_numbers_of_patches() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("table1");
    let few =
        ["--data", "demo", "--limit", "20", "--patches", "1,2", "--probe-epochs", "2", "--seeds", "3,4"];
    let args = [&["eval", "--table", "1", "--out", text(&out), "--mean", "0,0,0"], &few[..]].concat();
    let ours = "vicreg-patches=demo";
    let report = run_json(&[&args[..], &[ours]].concat());
    let found = |row: &Value| (row["patches"].clone(), row["paper"].clone(), row["seeds"].clone());
    let rows: Vec<_> = report["rows"].as_array().unwrap().iter().map(found).collect();
    assert_eq!(rows[0], (json!("1"), json!(0.831), json!(2)));
    assert_eq!(rows[1], (json!("2"), Value::Null, json!(2)), "the paper has no mean of 2");
    let plan = fs::read_to_string(out.join("plan.toml")).unwrap();
    assert!(plan.contains("[83.1, \"-\"]") && plan.contains("mean = [0.0, 0.0, 0.0]"), "{plan}");
}

#[test]
fn a_figure_of_accuracies_is_run_and_drawn_by_one_command() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("fig2");
    let few = ["--data", "demo", "--limit", "30", "--patches", "central,1", "--probe-epochs", "2"];
    let args = [&["eval", "--figure", "2", "--out", text(&out)], &few[..], &["ours=demo"]].concat();
    let report = run_json(&args);
    // The built-in model was trained on patches of 20.
    let rows = report["rows"].as_array().unwrap();
    assert!(rows.len() == 4 && rows.iter().all(|row| row["evaluation"] == "patches of 20"), "{report}");
    let sidecar = fs::read_to_string(out.join("fig2.pdf.json")).unwrap();
    for words in [
        "30 of 1,024 test images",
        "30 of 4,096 training images",
        "kNN: cosine, k 20",
        "linear probe: 2 epochs",
    ] {
        assert!(sidecar.contains(words), "{words}: {sidecar}");
    }
    assert_eq!(run_json(&args)["kept"], 1, "it goes on where it stopped");
    let said = failure(&["eval", "--figure", "2", "--data", "demo", "--out", text(&out), "a=elsewhere"]);
    assert!(said.contains("model \"a\"") && said.contains("elsewhere"), "{said}");
    let other = fixture("checkpoints/vit/hf_dinov2");
    let other = format!("a={}", text(&other));
    let said = failure(&["eval", "--figure", "3b", "--data", "demo", "--out", text(&out), &other]);
    assert!(said.contains("does not name the one kind of patches") && said.contains("--plan"), "{said}");
}

#[test]
fn figure_3a_of_several_models_keeps_what_is_done_and_is_a_part_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let (out, page) = (folder.path().join("fig3a"), folder.path().join("page.md"));
    let args = ["eval", "--figure", "3a", "--data", "demo", "--limit", "2", "--out", text(&out), "ours=demo"];
    let report = run_json(&args);
    let found = &report["models"][0];
    assert_eq!((&report["kept"], &found["split"], &found["images"]), (&json!(0), &json!("test"), &json!(2)));
    let table = report["markdown"].as_str().unwrap();
    assert!(table.contains("| | images | space | 1 | 2 | 4 | 8 | 16 | all |"), "{table}");
    assert!(table.contains("| ours | 2 | h |") && table.contains("| ours | 2 | z |"), "{table}");
    let sidecar = fs::read_to_string(out.join("fig3a.pdf.json")).unwrap();
    assert!(
        sidecar.contains("ours: with the whole image's vector")
            && sidecar.contains("ours: 2 of 1,024 images")
    );

    // One more model: the first is not measured again, and has the same numbers.
    let report = run_json(&[&args[..], &["cifar=demo-cifar10"]].concat());
    assert_eq!((&report["kept"], &report["models"][0]), (&json!(1), found));
    assert!(fs::read_to_string(out.join("fig3a.pdf.json")).unwrap().contains("cifar: with the whole"));
    let results = run_json(&["results", text(&out), "--out", text(&page)]);
    let claims = results["claims"].as_array().unwrap();
    let claim = claims.iter().find(|claim| claim["place"].as_str().unwrap().contains("Figure 3a")).unwrap();
    assert_eq!(claim["findings"].as_array().unwrap().len(), 2, "{claim}");

    // What is not asked for this time is there the next time.
    assert_eq!(run_json(&args)["models"].as_array().unwrap().len(), 1);
    assert_eq!(run_json(&[&args[..], &["cifar=demo-cifar10"]].concat())["kept"], 2);

    // Other images are another question; other models are another folder.
    let other =
        ["eval", "--figure", "3a", "--data", "demo", "--limit", "1", "--out", text(&out), "ours=demo"];
    assert_eq!(run_json(&other)["kept"], 0);
    let said = failure(&[&args[..], &["ours=demo-cifar10"]].concat());
    assert!(said.contains("two models are called \"ours\""), "{said}");
    let said = failure(&[&args[..9], &["else=demo"]].concat());
    assert!(said.contains("of other models (first ours)") && said.contains("a new folder"), "{said}");
    let output = bagssl(&[&args[..], &["--patches", "1"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("bagssl figure fig3a"), "{said}");
}

#[test]
fn figure_3a_of_photographs_has_the_papers_patches_whichever_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("fig3a"));
    fs::create_dir(&data).unwrap();
    for (name, width, height) in [("a", 150, 120), ("b", 300, 400)] {
        let pixel = |x: u32, y: u32| image::Rgb([(7 * x) as u8, (5 * y) as u8, 40]);
        image::RgbImage::from_fn(width, height, pixel).save(data.join(format!("{name}.png"))).unwrap();
    }
    let args = ["eval", "--figure", "3a", "--data", text(&data), "--limit", "1", "--out", text(&out)];
    let large = run_json(&[&args[..], &["ours=demo", "--input", "64"]].concat());
    let found = &large["models"][0];
    assert_eq!((&found["fit"], &found["patch"], &found["stride"]), (&json!(224), &json!(100), &json!(4)));
    let sidecar = fs::read_to_string(out.join("fig3a.pdf.json")).unwrap();
    assert!(sidecar.contains("every 4 px on the centre of 224 x 224 px"), "{sidecar}");
    // A network for small images has patches of those it was trained on.
    let small = run_json(&[&args[..], &["ours=demo"]].concat());
    assert_eq!((&small["models"][0]["fit"], &small["models"][0]["patch"]), (&Value::Null, &json!(20)));
}

#[test]
fn images_that_cannot_be_used_are_counted_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c", "broken"] {
        let pixel = |x: u32, y: u32| image::Rgb([(7 * x) as u8, (5 * y) as u8, name.len() as u8 * 40]);
        image::RgbImage::from_fn(32, 32, pixel).save(folder.path().join(format!("{name}.png"))).unwrap();
    }
    // Its end is there, so that it is looked at; what lies before has another sum than it says.
    let broken = folder.path().join("broken.png");
    let mut bytes = fs::read(&broken).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&broken, bytes).unwrap();
    let data = ["--data", text(folder.path()), "--patch", "16", "--stride", "16", "--space", "h"];
    let locality = run_json(&[&["locality", "--queries", "4", "--changed", "0"], &data[..]].concat());
    assert_eq!((&locality["images"], &locality["patches"]), (&json!(3), &json!(12)));
    let geometry = run_json(&[&["geometry", "--model", "demo", "--k", "4"], &data[..]].concat());
    for report in [&locality, &geometry] {
        let skipped = report["skipped"].as_array().unwrap();
        assert!(skipped.len() == 1 && skipped[0]["file"] == "broken.png", "{skipped:?}");
    }
}

#[test]
fn the_toy_world_prints_both_losses_and_draws_both_matrices() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("world.svg");
    let mut args = vec!["cooccurrence", "--images", "3", "--patches", "10", "--dim", "3", "--steps", "800"];
    args.extend(["--seed", "4", "--out", text(&out)]);
    let report = run_json(&args);
    let of = |key: &str| report[key].as_f64().unwrap();
    assert!(of("correlation") > 0.9999 && of("difference").abs() < 1e-12, "{report}");
    assert!((2.0 * of("w") * of("spectral") + of("constant") - of("modelling")).abs() < 1e-12);
    assert_eq!(fs::read_to_string(&out).unwrap().matches("<image ").count(), 4);
    let error = failure(&["cooccurrence", "--patches", "1"]);
    assert!(error.contains("--patches 1; expected 2 to 2048"), "{error}");
}

#[test]
fn kinds_of_patches_that_stand_together_are_told_from_a_bank() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (bank, csv) = (path("bank"), path("pairs.csv"));
    let embed = ["embed", "--limit", "40", "--patch", "16", "--stride", "16", "--space", "h,z", "--out"];
    run_json(&[&embed[..], &[text(&bank)]].concat());
    let args = ["cooccurrence", text(&bank), "--kinds", "24", "--csv", text(&csv)];
    let found = run_json(&args);
    assert_eq!((&found["kinds"], &found["by"]), (&json!(24), &json!("h")));
    let images = |half: &str| found[half][0].as_u64().unwrap();
    assert_eq!((images("taught"), images("held_out")), (20, 20));
    let names: Vec<&str> =
        found["spaces"].as_array().unwrap().iter().map(|space| space["space"].as_str().unwrap()).collect();
    assert_eq!(names, ["h", "z"]);
    for space in found["spaces"].as_array().unwrap() {
        let [low, value, high] =
            ["low", "value", "high"].map(|end| space["correlation"][end].as_f64().unwrap());
        assert!(low <= high && (-1.0..=1.0).contains(&value), "{space}");
    }
    let pairs = fs::read_to_string(&csv).unwrap();
    assert_eq!(pairs.lines().next(), Some("first,second,p12,ratio,h,z"));
    assert_eq!(pairs.lines().count(), 1 + 24 * 24);
    // p12 is a distribution over pairs, and symmetric.
    let cell = |line: &str, at: usize| line.split(',').nth(at).unwrap().parse::<f64>().unwrap();
    let p12: Vec<f64> = pairs.lines().skip(1).map(|line| cell(line, 2)).collect();
    assert!((p12.iter().sum::<f64>() - 1.0).abs() < 1e-9 && (p12[1] - p12[24]).abs() < 1e-12);
    assert_eq!(run_json(&args)["spaces"], found["spaces"]);
    let error = failure(&["cooccurrence", text(&bank), "--by", "stage9"]);
    assert!(error.contains("stage9"), "{error}");
    let error = failure(&["cooccurrence", text(&bank), "--kinds", "1"]);
    assert!(error.contains("--kinds 1; expected 2 to 2,048"), "{error}");
}
