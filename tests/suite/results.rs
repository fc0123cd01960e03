//! The page of results, from folders that are laid by hand: what they hold is what it says.

use std::fs;
use std::path::{Path, PathBuf};

use bagssl::augment::Crop;
use serde_json::{Value, json};

use crate::run::tiny;
use crate::support::{failure, json as run_json, text};

/// A run of `crop`: 6 steps of 16 views, as its lines say in 2 seconds, and two probes of which one is alarmed.
fn run(folder: &Path, name: &str, crop: Crop) -> PathBuf {
    let run = folder.join(name);
    let mut config = tiny();
    config.views.iter_mut().for_each(|view| view.crop = crop);
    fs::create_dir(&run).unwrap();
    fs::write(run.join("config.toml"), config.to_toml().unwrap()).unwrap();
    let environment = json!({ "device": "CPU of the test", "data": { "name": "ten things", "used": 24 } });
    fs::write(run.join("environment.json"), environment.to_string()).unwrap();
    let line = |step: u64, loss: f64| {
        json!({ "step": step, "epoch": step as f64 / 3.0, "loss": loss, "terms": {}, "lr": 0.1, "grad_norm": 1.0,
            "views_per_second": 48.0 })
    };
    fs::write(run.join("metrics.jsonl"), format!("{}\n{}\n", line(3, 2.5), line(6, 1.25))).unwrap();
    let probe = |step: u64, accuracy: f64, alarms: Value| {
        let knn = json!({ "accuracy": accuracy, "accuracy_z": null, "k": 5, "temperature": 0.07, "patches": "2",
            "known_images": 80, "asked_images": 50, "held_out": true, "classes": 10 });
        json!({ "step": step, "epoch": step as f64 / 3.0, "time": 0.0, "spaces": {}, "knn": knn, "alarms": alarms,
            "seconds": 0.1 })
    };
    let alarm = json!([{ "kind": "constant", "message": "z is nearly the same" }]);
    let probes = format!("{}\n{}\n", probe(3, 0.3, alarm), probe(6, 0.5, json!([])));
    fs::write(run.join("probes.jsonl"), probes).unwrap();
    run
}

/// A results folder with one evaluation of `model` at `path`: the accuracies of central, 1 and 16.
fn table(
    folder: &Path,
    (model, path): (&str, &Path),
    how: &Value,
    linear: [f64; 3],
    knn: [f64; 3],
) -> PathBuf {
    let results = folder.join(format!("{model}-results"));
    fs::create_dir(&results).unwrap();
    let mut evaluation = json!({ "name": "as trained", "patches": ["central", "1", "16"],
        "paper": { model: [47.1, 83.1, 90.9] } });
    evaluation.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
    let plan = json!({ "title": "Table 1", "data": "demo", "k": 5, "model": [{ "name": model, "path": path }],
        "evaluation": [evaluation] });
    let row = |classifier: &str, (place, accuracy): (usize, &f64)| {
        let (patches, paper) = [("central", 0.471), ("1", 0.831), ("16", 0.909)][place];
        let paper = if classifier == "linear" { json!(paper) } else { json!(null) };
        json!({ "model": model, "evaluation": "as trained", "classifier": classifier,
            "patches": patches, "accuracy": accuracy, "low": accuracy - 0.01,
            "high": accuracy + 0.01, "seeds": 1, "images": 1000, "images_of": 10000, "train_images": 5000,
            "seconds": 1.0, "paper": paper, "difference": paper.as_f64().map(|paper| accuracy - paper) })
    };
    let rows = |classifier: &str, values: [f64; 3]| -> Vec<Value> {
        values.iter().enumerate().map(|cell| row(classifier, cell)).collect()
    };
    let rows = [rows("linear", linear), rows("knn", knn)].concat();
    fs::write(results.join("results.json"), json!({ "plan": plan, "rows": rows }).to_string()).unwrap();
    results
}

/// A model's whole image and its patches, aggregated locally, by the linear probe.
#[test]
fn local_aggregation_is_judged_beside_the_whole_image_and_drawn_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let results = folder.path().join("table5");
    fs::create_dir(&results).unwrap();
    let evaluation =
        |name: &str, patches: &[&str]| json!({ "name": name, "patches": patches, "classifiers": ["linear"] });
    let plan = json!({
        "title": "Table 5", "data": "demo", "model": [{ "name": "ours", "path": "elsewhere" }],
        "evaluation": [evaluation("whole image", &["central"]), evaluation("local aggregation", &["local-patches", "local-map"])],
    });
    let row = |evaluation: &str, patches: &str, accuracy: f64| {
        json!({
            "model": "ours", "evaluation": evaluation, "classifier": "linear", "patches": patches, "accuracy": accuracy,
            "low": accuracy - 0.01, "high": accuracy + 0.01, "seeds": 1, "images": 1000, "train_images": 5000,
            "seconds": 1.0, "paper": null, "difference": null,
        })
    };
    let rows = [
        row("whole image", "central", 0.62),
        row("local aggregation", "local-patches", 0.72),
        row("local aggregation", "local-map", 0.61),
    ];
    fs::write(results.join("results.json"), json!({ "plan": plan, "rows": rows }).to_string()).unwrap();
    let out = folder.path().join("page.md");
    let report = run_json(&["results", text(&results), "--out", text(&out)]);
    let claims = report["claims"].as_array().unwrap();
    let claim = claims.iter().find(|claim| claim["place"] == "Table 5").unwrap();
    assert_eq!(claim["findings"][0]["verdict"], "holds", "{claim}");
    let words = claim["findings"][0]["words"].as_str().unwrap();
    assert!(words.starts_with("central 62.0 % [61.0, 63.0], local-patches 72.0 %"), "{words}");
    let drawn: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("page-fig2-1.svg.json")).unwrap())
            .unwrap();
    let groups = |value: &Value| value.to_string().matches("\"groups\":[\"ours\"]").count();
    assert_eq!(groups(&drawn), 1, "one group of three bars: {drawn}");
}

/// The verdicts of all findings, claim by claim.
fn verdicts(report: &Value) -> Vec<Vec<&str>> {
    let of = |claim: &'_ Value| claim["findings"].as_array().unwrap().len();
    let claims = report["claims"].as_array().unwrap();
    assert!(claims.iter().all(|claim| (of(claim) > 0) != claim["command"].is_string()), "{claims:?}");
    let words = claims.iter().map(|claim| {
        let findings = claim["findings"].as_array().unwrap();
        findings.iter().map(|finding| finding["verdict"].as_str().unwrap()).collect()
    });
    words.collect()
}

#[test]
fn folders_become_a_page_that_says_what_holds_and_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let patches = run(folder.path(), "patches", Crop::Fixed { size: 14 });
    let crops = run(folder.path(), "crops", Crop::Scale { min: 0.08, max: 1.0 });
    let of_patches = table(
        folder.path(),
        ("ours", &patches),
        &json!({ "patch": 14 }),
        [0.45, 0.80, 0.90],
        [0.40, 0.70, 0.71],
    );
    let of_crops = table(
        folder.path(),
        ("other", &crops),
        &json!({ "crop_scale": [0.08, 1.0] }),
        [0.895, 0.85, 0.93],
        [0.80, 0.81, 0.79],
    );
    let out = folder.path().join("RESULTS.md");
    let args =
        ["results", text(&patches), text(&crops), text(&of_patches), text(&of_crops), "--out", text(&out)];
    let report = run_json(&args);
    let expected = [
        // Linear: 45 < 80 < 90 beyond a point; kNN: 70 and 71 are within the intervals.
        vec!["holds", "cannot-be-told"],
        vec!["holds", "cannot-be-told"],
        // 89.5 of the whole image against 45, and 80 against 40.
        vec!["holds", "holds"],
        // 90 against 89.5: on par; 71 against 80: not.
        vec!["holds", "does-not"],
        // No table has local aggregation.
        vec![],
        vec!["cannot-be-told", "cannot-be-told"],
        vec!["not-measured", "not-measured"],
        vec!["not-measured", "not-measured"],
    ];
    assert_eq!(verdicts(&report), expected);
    let models = report["models"].as_array().unwrap();
    let progress = &models[0]["progress"];
    assert_eq!(
        (&progress["views"], &progress["seconds"], &progress["steps"]),
        (&json!(96), &json!(2.0), &json!(6))
    );
    assert_eq!(report["figures"], json!(["RESULTS-curves.svg", "RESULTS-fig2-1.svg", "RESULTS-fig2-2.svg"]));

    let page = fs::read_to_string(&out).unwrap();
    for said in [
        "| patches | VICReg | ten things, 24 images | patches of 14, 2 views, 16 px |",
        "| 2.0 of 2 | 6 of 6 | 96 | 2.0 s | CPU of the test | 1.2500 | 50.0 [36.6, 63.4] of 50, knows 80, epoch 2.0 | in 1 of 2 probes; last: z is nearly the same |",
        "crops of 0.08 to 1 (multi-scale)",
        "of 1,000 of 10,000 test images by 5,000 training images",
        "| ours | 45.0 % [44.0, 46.0] (47.1, -2.1) | 80.0 % [79.0, 81.0] (83.1, -3.1) |",
        "ours: the same trend as in the paper.",
        "- ours, as trained, linear: **holds**. central 45.0 % [44.0, 46.0], 1 patch 80.0 % [79.0, 81.0], 16 patches 90.0 % [89.0, 91.0]; of 1,000 test images.",
        "ours: 16 patches 90.0 % [89.0, 91.0]; other: central 89.5 % [88.5, 90.5] (on par: the intervals overlap)",
        "`bagssl eval --figure 3a --data DATA --out fig3a patches=patches`",
        "`bagssl locality --model crops --data DATA",
        "(RESULTS-curves.svg)",
        "kNN: cosine, k 5, votes exp(s/T), T 0.07",
    ] {
        assert!(page.contains(said), "{said} is missing in:\n{page}");
    }
    assert!(!page.contains(text(folder.path())), "a page names no place on this machine:\n{page}");
    // The same bytes again.
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let before = ["RESULTS.md", "RESULTS-curves.svg", "RESULTS-fig2-1.svg"].map(bytes);
    run_json(&args);
    assert_eq!(["RESULTS.md", "RESULTS-curves.svg", "RESULTS-fig2-1.svg"].map(bytes), before);
}

#[test]
fn what_is_not_given_is_said_and_nothing_is_made_up() {
    let folder = tempfile::tempdir().unwrap();
    // Named as the paper's model is, so that its training is known without the run.
    let results = table(
        folder.path(),
        ("vicreg-patches", Path::new("elsewhere")),
        &json!({ "patch": 14 }),
        [0.45, 0.44, 0.90],
        [0.40, 0.60, 0.70],
    );
    let out = folder.path().join("page.md");
    let report = run_json(&["results", text(&results), "--out", text(&out)]);
    let found = verdicts(&report);
    assert_eq!(found[0], ["cannot-be-told", "holds"]);
    assert!(found[1..5].iter().all(Vec::is_empty) && found[5] == ["cannot-be-told"], "{found:?}");
    let page = fs::read_to_string(&out).unwrap();
    for said in [
        "No run folder was given",
        "Not measured; run `bagssl eval --table 1 --data DATA --out table1 vicreg-multi=RUN`",
        "Not measured; run `bagssl locality --model RUN --data DATA --split test --json > locality.json`",
        "vicreg-patches: the same trend as in the paper from 1 to 16; not to be told from central to 1, where intervals overlap.",
    ] {
        assert!(page.contains(said), "{said} is missing in:\n{page}");
    }
    let nothing = folder.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    let said = failure(&["results", text(&nothing), "--out", text(&out)]);
    assert!(said.contains("nothing") && said.contains("expected a run folder"), "{said}");
    fs::write(folder.path().join("x.json"), "{\"spaces\": 3}").unwrap();
    let said = failure(&["results", text(&folder.path().join("x.json")), "--out", text(&out)]);
    assert!(said.contains("x.json") && said.contains("bagssl figure fig3a --json"), "{said}");
    assert!(
        failure(&["results", text(&results), "--out", text(&folder.path().join("a.txt"))]).contains(".md")
    );
    assert_eq!(fs::read_to_string(&out).unwrap(), page, "a failure leaves the page as it was");
}
