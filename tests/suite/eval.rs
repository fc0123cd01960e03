use std::fs;
use std::path::{Path, PathBuf};

use bagssl::dataset::{divided, open};
use bagssl::train::RunFolder;
use serde_json::Value;

use crate::run::tiny;
use crate::support::{bagssl, failure, json, text};

/// An image folder of 3 classes, 32 x 32: `train` with 5 images each, `val` with 3.
fn data(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    for (split, count) in [("train", 5), ("val", 3)] {
        for (class, channel) in [("blue", 2), ("green", 1), ("red", 0)] {
            let place = data.join(split).join(class);
            fs::create_dir_all(&place).unwrap();
            for number in 0..count {
                let pixel = |x: u32, y: u32| {
                    let mut rgb = [(7 * x + 3 * y * (number + 1)) as u8; 3];
                    rgb[channel] = 250;
                    image::Rgb(rgb)
                };
                image::RgbImage::from_fn(32, 32, pixel).save(place.join(format!("{number}.png"))).unwrap();
            }
        }
    }
    data
}

fn rows(report: &Value) -> Vec<Value> {
    let mut rows = report["rows"].as_array().unwrap().clone();
    rows.iter_mut().for_each(|row| row["seconds"] = 0.into());
    rows
}

#[test]
fn both_classifiers_give_a_row_for_each_aggregate_with_every_constant() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let report = json(&["eval", "--data", text(&data), "--patch", "14", "--patches", "central,1,16"]);
    let rows = rows(&report);
    let named = |row: &Value| format!("{} {}", row["classifier"], row["patches"]).replace('"', "");
    let expected = ["linear central", "linear 1", "linear 16", "knn central", "knn 1", "knn 16"];
    assert_eq!(rows.iter().map(named).collect::<Vec<_>>(), expected);
    for row in &rows {
        assert_eq!((row["images"].as_u64(), row["train_images"].as_u64()), (Some(9), Some(15)));
        let value = |key: &str| row[key].as_f64().unwrap();
        assert!(value("low") <= value("accuracy") && value("accuracy") <= value("high"), "{row}");
        // Colours are told apart from any patch.
        assert!(value("accuracy") > 0.8, "{row}");
    }
    let config = &report["config"];
    assert_eq!((config["knn"]["k"].as_u64(), config["seed"].as_u64()), (Some(20), Some(0)));
    for (key, value) in
        [("lr", 0.03), ("momentum", 0.9), ("weight_decay", 5e-5), ("epochs", 100.0), ("batch", 100.0)]
    {
        assert_eq!(config["linear"][key].as_f64(), Some(value), "{key}");
    }
    let words = String::from_utf8(bagssl(&["eval", "--data", text(&data), "--patch", "14"]).stdout).unwrap();
    for said in ["15 of 15 train", "9 of 9 test", "k 20", "T 0.07", "lr 0.03 x batch/100", "last epoch"] {
        assert!(words.contains(said), "{said} is missing in:\n{words}");
    }
}

#[test]
fn features_are_kept_shared_and_made_again_where_they_are_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let run = |patches: &str, cache: &Path| {
        let cache = text(cache);
        let patches = ["--patch", "14", "--patches", patches, "--cache", cache];
        rows(&json(&[&["eval", "--data", text(&data)], &patches[..]].concat()))
    };
    let (one, many) = (folder.path().join("one"), folder.path().join("many"));
    let alone = run("4", &one);
    let among = run("1,4,16", &many);
    let files = |cache: &Path, name: &str| {
        let settings = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = settings.map(|place| place.join(name)).collect();
        files.sort();
        assert_eq!(files.len(), 2, "train and test");
        files
    };
    // The four patches alone are the first four of sixteen.
    let read = |cache: &Path| -> Vec<Vec<u8>> {
        files(cache, "4-00000.safetensors").iter().map(|file| fs::read(file).unwrap()).collect()
    };
    assert_eq!(read(&one), read(&many));
    assert_eq!(alone, [among[1].clone(), among[4].clone()]);
    let kept = read(&many);
    fs::write(&files(&many, "4-00000.safetensors")[0], b"torn").unwrap();
    fs::remove_file(&files(&many, "16-00000.safetensors")[1]).unwrap();
    assert_eq!(run("1,4,16", &many), among);
    assert_eq!(read(&many), kept);
}

#[test]
fn what_is_kept_of_images_that_changed_since_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let (plan, results) = (folder.path().join("plan.toml"), folder.path().join("results"));
    let figure = folder.path().join("fig3a");
    let words = format!(
        "data = {:?}\nk = 3\n[[model]]\nname = \"ours\"\npath = \"demo\"\n\
         [[evaluation]]\nname = \"whole\"\npatches = [\"central\"]\nclassifiers = [\"knn\"]\n",
        text(&data)
    );
    fs::write(&plan, words).unwrap();
    let cells = ["eval", "--plan", text(&plan), "--out", text(&results)];
    let place = ["--data", text(&data), "--limit", "2", "--out", text(&figure), "ours=demo"];
    let averages = [&["eval", "--figure", "3a"], &place[..]].concat();
    let kept = || [&cells[..], &averages[..]].map(|args| json(args)["kept"].as_u64().unwrap());
    assert_eq!(kept(), [0, 0]);
    assert_eq!(kept(), [1, 1]);
    image::RgbImage::new(32, 32).save(data.join("val/red/1.png")).unwrap();
    assert_eq!(kept(), [0, 0], "as many pictures, of the same names");
    assert_eq!(kept(), [1, 1]);
}

#[test]
fn local_aggregation_gives_both_readings_of_table_5() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let local = ["eval", "--data", text(&data), "--patches", "central", "--local", "--classifier", "knn"];
    // Padding 2 makes the 5 x 5 map that is pooled to 2 x 2, of a width of 128 each.
    let report = json(&[&local[..], &["--input", "32", "--stem-padding", "2"]].concat());
    let widths: Vec<_> = rows(&report).iter().map(|row| row["width"].as_u64().unwrap()).collect();
    assert_eq!(widths, [128, 512, 512]);
    assert_eq!((report["input"].as_u64(), report["stem"]["padding"].as_u64()), (Some(32), Some(2)));
    let said = failure(&local); // input 16: a map of 2 x 2
    assert!(said.contains("the last feature map is 2 x 2") && said.contains("--stem-padding 2"), "{said}");
}

#[test]
fn crops_of_a_range_of_scales_are_averaged_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let report = json(&[
        "eval",
        "--data",
        text(&data),
        "--crop-scale",
        "0.2,1",
        "--patches",
        "1,8",
        "--classifier",
        "knn",
    ]);
    assert_eq!(report["config"]["crop"]["scale"]["min"].as_f64(), Some(0.2));
    assert_eq!(rows(&report).len(), 2);
    let wrong = bagssl(&["eval", "--data", text(&data), "--patches", "16"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--patch P or --crop-scale A,B"));
}

#[test]
fn another_space_and_views_as_in_training_are_evaluated_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let place = ["eval", "--data", text(&data), "--patch", "14", "--classifier", "knn", "--k", "3"];
    let cache = folder.path().join("cache");
    let eval = |how: &[&str]| json(&[&place[..], &["--cache", text(&cache)], how].concat());
    let plain = eval(&["--patches", "central,4"]);
    assert!(plain["config"]["space"].is_null(), "a cell of before is found again");
    let hidden = eval(&["--patches", "central,4", "--space", "hidden1"]);
    let widths = |report: &Value| [0, 1].map(|row| report["rows"][row]["width"].as_u64().unwrap());
    assert_eq!(hidden["config"]["space"], "hidden1");
    assert_eq!((widths(&plain), widths(&hidden)), ([128; 2], [512; 2]));
    // Colours change in training: what tells these classes apart by colour is not what it was, and is the same again.
    let features = |report: &Value| {
        let (hash, seed) = (report["model_hash"].clone(), report["config"]["seed"].clone());
        (hash, seed, rows(report))
    };
    let changed = eval(&["--patches", "4", "--augmented"]);
    assert_eq!(features(&eval(&["--patches", "4", "--augmented"])), features(&changed));
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 6, "two splits in three ways, none taken for another");
    let refused = failure(&[&place[..], &["--patches", "4", "--space", "hidden7"]].concat());
    assert!(refused.contains("gives no vector \"hidden7\"") && refused.contains("hidden1"), "{refused}");
    let refused = failure(&[&place[..], &["--patches", "central", "--augmented"]].concat());
    assert!(refused.contains("expected a number of them"), "{refused}");
    let refused = failure(&[&place[..], &["--patches", "4", "--local", "--space", "z"]].concat());
    assert!(refused.contains("local-patches is of h"), "{refused}");
    // h is the mean over the last map, at the input's size.
    let places = |how: &[&str]| eval(&[&["--patches", "central,4", "--space", "token-last"], how].concat());
    assert_eq!(rows(&places(&["--resolution", "16"]))[0], rows(&plain)[0]);
    assert_eq!((widths(&places(&[])), fs::read_dir(&cache).unwrap().count()), ([128; 2], 10));
    let refused =
        failure(&[&place[..], &["--patches", "4", "--augmented", "--space", "token-last"]].concat());
    assert!(refused.contains("token-last is of places in a whole image"), "{refused}");
}

#[test]
fn what_cannot_be_used_is_counted_and_named_and_a_part_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let file = data.join("train/green/3.png");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    image::RgbImage::new(8, 40).save(data.join("val/red/9.png")).unwrap();
    let arguments = ["eval", "--data", text(&data), "--patch", "14", "--patches", "400"];
    let report = json(&[&arguments[..], &["--classifier", "knn"]].concat());
    let (train, test) = (&report["train"], &report["test"]);
    // A torn file is left out when the set is opened, one that is too small when its turn comes.
    assert_eq!((train["images"].as_u64(), train["of"].as_u64()), (Some(14), Some(14)));
    assert!(train["skipped"][0]["file"].as_str().unwrap().contains("3.png"), "{train}");
    assert_eq!((test["images"].as_u64(), test["of"].as_u64()), (Some(9), Some(10)));
    let reason = test["skipped"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("14 x 14 pixels does not fit an image of 40 x 8"), "{reason}");
    // There are 19 x 19 places.
    assert_eq!(report["rows"][0]["fewest_patches"].as_u64(), Some(361));
    let words = bagssl(&[&arguments[..], &["--limit", "6"]].concat());
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("of 14 train and 6 of 10 test images"), "{words}");
}

#[test]
fn a_set_of_one_split_is_divided_by_a_draw_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let one = data(folder.path()).join("train");
    let arguments = ["eval", "--data", text(&one), "--patches", "central", "--classifier", "knn"];
    let refused = failure(&arguments);
    assert!(refused.contains("--holdout 0.2") && refused.contains("has no train split"), "{refused}");
    // Where there is no set at all, a split is not what it lacks.
    let nowhere = failure(&["eval", "--data", "/no/such/set", "--patches", "central"]);
    assert!(nowhere.contains("no such file") && !nowhere.contains("--holdout"), "{nowhere}");
    let report = json(&[&arguments[..], &["--holdout", "0.4", "--seed", "7"]].concat());
    assert_eq!(report["holdout"], serde_json::json!({ "share": 0.4, "seed": 7 }));
    assert_eq!((report["train"]["of"].as_u64(), report["test"]["of"].as_u64()), (Some(9), Some(6)));
    let words = bagssl(&[&arguments[..], &["--holdout", "0.4", "--seed", "7"]].concat());
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("the test split was drawn: 40 % of each class, seed 7"), "{words}");
    let both = data(folder.path());
    let refused = failure(&["eval", "--data", text(&both), "--patches", "central", "--holdout", "0.2"]);
    assert!(refused.contains("has a train and a test split already"), "{refused}");
}

#[test]
fn what_a_run_keeps_from_training_is_what_eval_asks_about() {
    let folder = tempfile::tempdir().unwrap();
    let (one, config) = (data(folder.path()).join("train"), folder.path().join("config.toml"));
    let mut tiny = tiny();
    tiny.set(&["batch=4", "epochs=3", "probe.known=4", "seed=7"]).unwrap();
    tiny.images = None;
    fs::write(&config, tiny.to_toml().unwrap()).unwrap();
    let train = |out: &Path, how: &[&str]| {
        let place = ["train", "--data", text(&one), "--log-every", "1", "--out", text(out)];
        json(&[&place[..], how].concat());
        let run = RunFolder::open(out).unwrap().0;
        run.metrics().unwrap().iter().map(|line| (line.step, line.loss)).collect::<Vec<_>>()
    };
    let [by_flag, by_key] = ["flag", "key"].map(|name| folder.path().join(name));
    let expected = train(&by_flag, &["--config", text(&config), "--holdout", "0.4"]);
    assert_eq!(expected.len(), 6, "9 of 15 images, in batches of 4");
    assert_eq!(train(&by_key, &["--config", text(&config), "--set", "holdout=0.4"]), expected);
    let (run, kept) = RunFolder::open(&by_flag).unwrap();
    assert_eq!(kept.holdout, Some(0.4));
    let set = open(text(&one), None).unwrap();
    let [train_part, test_part] = divided(&text(&one).into(), &set, 0.4, 7).unwrap();
    let environment: serde_json::Value =
        serde_json::from_slice(&fs::read(by_flag.join("environment.json")).unwrap()).unwrap();
    let found = &environment["data"];
    assert_eq!((&found["used"], &found["split"]), (&9.into(), &serde_json::Value::Null));
    assert_eq!(found["fingerprint"], train_part.fingerprint().unwrap());
    let patches = run.probe_patches().unwrap().unwrap();
    assert!(patches.held_out && patches.fingerprint == test_part.fingerprint().unwrap());
    let asked = ["eval", "--data", text(&one), "--patches", "central", "--classifier", "knn"];
    let report = json(&[&asked[..], &["--holdout", "0.4", "--seed", "7"]].concat());
    assert_eq!(report["data"], found["name"]);
    // It goes on with it, and not without.
    fs::remove_dir_all(by_flag.join("step-000006")).unwrap();
    fs::write(by_flag.join("latest"), "step-000004").unwrap();
    assert_eq!(train(&by_flag, &["--resume"]), expected);
    let file = by_flag.join("config.toml");
    let edited = fs::read_to_string(&file).unwrap().replace("holdout = 0.4\n", "");
    fs::write(&file, edited).unwrap();
    let refused = failure(&["train", "--data", text(&one), "--resume", "--out", text(&by_flag)]);
    assert!(refused.contains("holdout"), "{refused}");
    let both = data(folder.path());
    let out = folder.path().join("both");
    let start = ["train", "--data", text(&both), "--config", text(&config), "--out", text(&out)];
    let refused = failure(&[&start[..], &["--holdout", "0.2"]].concat());
    assert!(refused.contains("has a train and a test split already") && !out.exists(), "{refused}");
}

#[test]
fn a_model_is_not_asked_about_images_that_it_was_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let (one, config) = (data(folder.path()).join("train"), folder.path().join("config.toml"));
    let mut tiny = tiny();
    tiny.set(&["batch=4", "probe.known=4", "seed=7"]).unwrap();
    tiny.images = None;
    fs::write(&config, tiny.to_toml().unwrap()).unwrap();
    let train = |name: &str, how: &[&str]| {
        let out = folder.path().join(name);
        let place = ["train", "--data", text(&one), "--config", text(&config), "--out", text(&out)];
        json(&[&place[..], how].concat());
        out
    };
    let runs = [train("kept", &["--holdout", "0.4"]), train("all", &[])];
    let [kept, all] = [runs[0].as_path(), runs[1].as_path()];
    let place = ["--data", text(&one), "--patches", "central", "--classifier", "knn"];
    let args = |model, share| [&["eval", "--model", text(model), "--holdout", share], &place[..]].concat();
    let eval = |model, share| json(&args(model, share));
    let drawn = |share: f64, seed: u64| serde_json::json!({ "share": share, "seed": seed });

    let report = eval(kept, "0.4");
    assert_eq!(report["holdout"], drawn(0.4, 7), "not by the seed 0 that was not asked for");
    let [train_part, _] = divided(&text(&one).into(), &open(text(&one), None).unwrap(), 0.4, 7).unwrap();
    assert_eq!((&report["data"], &report["warnings"]), (&train_part.name().into(), &Value::Null));
    let words = String::from_utf8(bagssl(&args(kept, "0.4")).stdout).unwrap();
    assert!(words.contains("seed 7 (that of the model's training)"), "{words}");
    let fewer = eval(kept, "0.2");
    assert_eq!((&fewer["holdout"], fewer["test"]["of"].as_u64()), (&drawn(0.2, 7), Some(3)));
    let refused = failure(&args(kept, "0.6"));
    assert!(refused.contains("kept 0.4 of each class") && refused.contains("0.4 or less"), "{refused}");

    let report = eval(all, "0.4");
    assert_eq!(report["holdout"], drawn(0.4, 0));
    assert!(report["warnings"][0].as_str().unwrap().contains("without a holdout"), "{report}");
    image::RgbImage::new(32, 32).save(one.join("red/5.png")).unwrap();
    let report = eval(kept, "0.4");
    assert_eq!(report["holdout"], drawn(0.4, 7));
    assert!(report["warnings"][0].as_str().unwrap().contains("has changed since"), "{report}");
}

#[test]
fn classes_follow_the_training_split_and_those_without_test_images_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    fs::rename(data.join("val/green"), data.join("val/yellow")).unwrap();
    let arguments = ["eval", "--data", text(&data), "--patches", "central", "--classifier", "knn"];
    let report = json(&arguments);
    assert_eq!(report["classes_without_test_images"], serde_json::json!(["green"]));
    assert!(report["classes_without_train_images"].is_null());
    assert_eq!(report["test"]["images"].as_u64(), Some(6));
    let skipped = &report["test"]["skipped"][0];
    assert_eq!(skipped["file"], "yellow");
    assert!(
        skipped["reason"]
            .as_str()
            .unwrap()
            .contains("the training split has no class of this name; 3 pictures")
    );
    let words = String::from_utf8(bagssl(&arguments).stdout).unwrap();
    assert!(words.contains("classes without test images, 1: green"), "{words}");
}
