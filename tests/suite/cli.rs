use std::fs;
use std::path::Path;
use std::process::Command;

use bagssl::dataset::{Dataset, Split};
use safetensors::SafeTensors;

use crate::run::tiny;
use crate::support::{bagssl, failure, json, program, query, real_data, spread_of_demo, text};

/// A folder with the synthetic set as an image folder: 20 images of 64 x 64.
fn synth(folder: &Path) -> String {
    let out = folder.join("parts");
    let made = json(&["data", "synth", "--out", text(&out), "--images", "20", "--size", "64"]);
    assert_eq!((made["images"].as_u64(), made["classes"].as_array().unwrap().len()), (Some(20), 10));
    assert!(made["parts"].as_array().unwrap().iter().any(|part| part == "wheel"));
    out.to_str().unwrap().into()
}

/// A bank of 6 images of the demo set, 7 x 7 patches each.
fn bank(folder: &Path) -> String {
    let out = folder.join("bank");
    let made = json(&[
        "embed",
        "--data",
        "demo",
        "--split",
        "test",
        "--patch",
        "16",
        "--stride",
        "8",
        "--limit",
        "6",
        "--out",
        text(&out),
    ]);
    assert_eq!((made["images"].as_u64(), made["patches"].as_u64()), (Some(6), Some(294)));
    assert_eq!(made["spaces"], serde_json::json!(["h", "z"]));
    let seconds = |name: &str| made["time"][name].as_f64().unwrap();
    let parts = ["waiting", "cutting", "network", "writing", "codes", "rest"].map(seconds);
    assert!(seconds("network") > 0.0 && seconds("decoding") > 0.0, "{}", made["time"]);
    assert!((parts.iter().sum::<f64>() - seconds("seconds")).abs() < 1e-6, "{}", made["time"]);
    out.to_str().unwrap().into()
}

#[test]
fn the_synthetic_set_opens_as_an_image_folder_with_its_classes_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = synth(folder.path());
    let info = json(&["data", "info", &data]);
    assert_eq!(info["kind"], "image-folder");
    assert_eq!((info["images"].as_u64(), info["classes"].as_u64()), (Some(20), Some(10)));
    assert_eq!((info["height"].as_u64(), info["width"].as_u64()), (Some(64), Some(64)));
    assert!(info["skipped"].as_array().unwrap().is_empty());
}

#[test]
fn the_synthetic_set_is_written_as_the_program_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = synth(folder.path());
    let shown = bagssl::dataset::parts::demo(None);
    for index in [0, 19] {
        let (class, name) =
            (&shown.classes()[shown.label(index).unwrap() as usize], format!("train-{index:06}.png"));
        let written = image::open(Path::new(&data).join("train").join(class).join(name)).unwrap().to_rgb8();
        assert!(written.as_raw() == shown.image(index).unwrap().rgb(), "image {index} is another");
    }
    let out = folder.path().join("others");
    let made = json(&["data", "synth", "--seed", "5", "--images", "1", "--out", text(&out)]);
    assert_eq!((made["seed"].as_u64(), made["images"].as_u64()), (Some(5), Some(1)));
}

#[test]
fn a_broken_image_among_good_ones_is_skipped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let picture = |name: &str| {
        let side = 24;
        let pixels = image::RgbImage::from_fn(side, side, |x, y| image::Rgb([x as u8 * 9, y as u8 * 9, 80]));
        pixels.save(data.join(name)).unwrap();
    };
    picture("a.png");
    picture("b.png");
    let whole = fs::read(data.join("b.png")).unwrap();
    fs::write(data.join("c.png"), &whole[..whole.len() / 2]).unwrap();
    let info = json(&["data", "info", text(&data)]);
    assert_eq!(info["images"].as_u64(), Some(2));
    assert_eq!(info["skipped"][0]["file"], "c.png");
    let alone = failure(&["data", "info", text(&data.join("c.png"))]);
    assert!(alone.contains("c.png"), "{alone}");
}

/// A 16-bit picture that uses 12 bits, as cameras and microscopes write them.
fn twelve_bits(path: &Path) {
    let mut seed = 1u32;
    let noise = image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::from_fn(64, 48, |x, y| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Luma([(20 * x + 40 * y + (seed >> 24)) as u16])
    });
    noise.save(path).unwrap();
}

#[test]
fn pictures_of_twelve_bits_have_a_map_and_say_what_is_black_and_white() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("deep.png"), folder.path().join("map.pdf"));
    twelve_bits(&data);
    let info = json(&["data", "info", text(&data)]);
    let window = &info["decoding"]["window"];
    assert!(window["low"].as_f64() < Some(300.0) && window["high"].as_f64() < Some(4096.0), "{info}");
    let heatmap = |window: &str| {
        let place = ["--at", "20,20", "--patch", "16", "--stride", "8", "--value-window", window];
        let made = [&["heatmap", "--image", text(&data), "--out", text(&out)], &place[..]].concat();
        json(&made)["spaces"]["h"]["min"].as_f64().unwrap()
    };
    let (whole, used) = (heatmap("0,65535"), heatmap("file"));
    assert!(whole > 0.99 && used < 0.9, "as if all of 16 bits were used {whole:.3}, else {used:.3}");
    let sidecar = fs::read_to_string(out.with_extension("pdf.json")).unwrap();
    let sidecar: serde_json::Value = serde_json::from_str(&sidecar).unwrap();
    assert!(sidecar.to_string().contains("black to white is"), "{sidecar}");
    let bank = folder.path().join("bank");
    let embed = ["embed", "--data", text(&data), "--patch", "16", "--stride", "16", "--out", text(&bank)];
    json(&embed);
    assert_eq!(json(&["bank", "info", text(&bank)])["decoding"]["value_window"], "file");
    let other = failure(&[&embed[..], &["--value-window", "0,65535"]].concat());
    assert!(other.contains("reading pictures: the bank has") && other.contains("0 to 65,535"), "{other}");
}

#[test]
fn an_orientation_is_applied_or_ignored_as_told() {
    let picture = crate::support::fixture("images/exif6.jpg");
    let size = |exif: &str| {
        let info = json(&["data", "info", text(&picture), "--exif", exif]);
        assert_eq!(info["decoding"]["exif"], exif);
        (info["height"].as_u64(), info["width"].as_u64())
    };
    assert_eq!((size("apply"), size("ignore")), ((Some(18), Some(11)), (Some(11), Some(18))));
}

#[test]
fn a_bank_is_described_exported_and_searched() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    let info = json(&["bank", "info", &bank]);
    assert_eq!((info["patches"].as_u64(), info["complete"].as_bool()), (Some(294), Some(true)));
    let npy = folder.path().join("h.npy");
    let index = folder.path().join("h.csv");
    let made = ["bank", "export", &bank, "--space", "h", "--out", text(&npy), "--index", text(&index)];
    let made = json(&made);
    assert_eq!((made["rows"].as_u64(), made["patches"].as_u64()), (Some(294), Some(294)));
    assert_eq!((&made["out"], &made["index"]), (&text(&npy).into(), &text(&index).into()));
    let lines = fs::read_to_string(&index).unwrap();
    // The six images of the spread, by their number in the data set.
    let first = spread_of_demo(Split::Test, 6).into_iter().min().unwrap();
    let data = bagssl::dataset::open("demo", Some(Split::Test)).unwrap();
    let label = data.label(first).unwrap();
    let class = &data.classes()[label as usize];
    let line = format!("{first},test {first},0,8,16,{label},{class},test");
    assert_eq!((lines.lines().count(), lines.lines().nth(2)), (295, Some(line.as_str())));
    let other = ["bank", "export", &bank, "--space", "h", "--out"];
    let refused = |more: &[&str]| failure(&[&other[..], more].concat());
    assert!(refused(&[text(&index)]).contains(".npy, .safetensors or .parquet"));
    let no_table = folder.path().join("index.npy");
    assert!(refused(&[text(&npy), "--index", text(&no_table)]).contains(".csv or .parquet"));
    let both = folder.path().join("a.parquet");
    assert!(refused(&[text(&both), "--index", text(&both)]).contains("name another file"));
    let width = info["spaces"]["h"].as_u64().unwrap();
    assert_eq!(fs::metadata(&npy).unwrap().len(), 128 + 294 * width * 4);

    let image = spread_of_demo(Split::Test, 6)[2];
    let asked = query(image, 8, 16);
    let found = json(&["knn", "--bank", &bank, "--query", asked, "--space", "h", "--k", "10"]);
    let neighbours = found["neighbours"].as_array().unwrap();
    assert_eq!((neighbours.len(), found["exact"].as_bool()), (10, Some(true)));
    assert_eq!((found["searched"].as_u64(), found["candidates"].as_u64()), (Some(294), Some(293)));
    let cosines: Vec<f64> = neighbours.iter().map(|n| n["cosine"].as_f64().unwrap()).collect();
    assert!(cosines.is_sorted_by(|a, b| a >= b) && cosines[0] <= 1.0);
    let is_query = |n: &serde_json::Value| n["image"] == image && n["y"] == 8 && n["x"] == 16;
    assert!(!neighbours.iter().any(is_query), "the query is among its neighbours");
    let other = json(&[
        "knn",
        "--bank",
        &bank,
        "--query",
        asked,
        "--space",
        "z",
        "--k",
        "10",
        "--exclude-same-image",
    ]);
    assert!(other["neighbours"].as_array().unwrap().iter().all(|n| n["image"] != image));
}

#[test]
fn a_bank_of_both_splits_is_searched_in_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("both");
    let made =
        ["embed", "--data", "demo", "--split", "all", "--patch", "16", "--stride", "24", "--limit", "10"];
    let made = json(&[&made[..], &["--out", text(&out)]].concat());
    assert_eq!((made["images"].as_u64(), made["patches"].as_u64()), (Some(10), Some(90)));
    let mut taken: Vec<u64> = spread_of_demo(Split::All, 10).into_iter().map(|image| image as u64).collect();
    taken.sort_unstable();
    let first = query(taken[1] as usize, 0, 24);
    let images = |split: &[&str]| -> Vec<u64> {
        let asked = ["knn", "--bank", text(&out), "--query", first, "--space", "h", "--k", "60"];
        let found = json(&[&asked[..], split].concat());
        let mut images: Vec<u64> =
            found["neighbours"].as_array().unwrap().iter().map(|n| n["image"].as_u64().unwrap()).collect();
        images.sort_unstable();
        images.dedup();
        images
    };
    // Every fifth image is held out.
    let (test, train): (Vec<u64>, Vec<u64>) = taken.iter().partition(|image| *image % 5 == 4);
    assert!(!test.is_empty() && !train.is_empty(), "{taken:?}");
    assert_eq!(images(&["--only-split", "test"]), test);
    assert_eq!(images(&["--only-split", "train"]), train);
    assert_eq!(images(&[]), taken);
    let asked = ["knn", "--bank", text(&out), "--query", first, "--space", "h", "--k", "3"];
    let error = failure(&[&asked[..], &["--only-split", "all"]].concat());
    assert!(error.contains("expected train or test"), "{error}");
    let bank = bank(folder.path());
    let asked = query(spread_of_demo(Split::Test, 6)[1], 0, 24);
    let error = failure(&["knn", "--bank", &bank, "--query", asked, "--space", "h", "--only-split", "train"]);
    assert!(error.contains("holds test"), "{error}");
}

#[test]
fn the_machine_is_measured_from_the_network_to_the_frame() {
    let report = json(&["bench", "--quick"]);
    let measures = report["measures"].as_array().unwrap();
    let has = |start: &str, unit: &str| {
        let found = measures.iter().find(|m| m["name"].as_str().unwrap().starts_with(start));
        let found = found.unwrap_or_else(|| panic!("no measure of {start}"));
        assert_eq!(found["unit"], unit, "{start}");
        let [value, p50, p95] = ["value", "p50", "p95"].map(|key| found[key].as_f64().unwrap());
        assert!(value > 0.0 && value == p50 && p95 >= p50 && found["n"].as_u64().unwrap() >= 5, "{found}");
    };
    for (start, unit) in [
        ("forward", "patches/s"),
        ("embedding", "patches/s"),
        ("training step", "views/s"),
        ("augmentation, quick-parts", "views/s"),
        ("click to both maps, 39x39 known", "ms"),
        ("exact search", "ms"),
        ("interface work per frame, idle", "ms"),
        ("interface work per frame, training shown", "ms"),
        ("interface work per frame, scatter of", "ms"),
        ("100,000 points of a plane drawn anew", "ms"),
        ("click to both maps in a frame, 39x39 known", "ms"),
        ("pointer moved to its preview in a frame, 39x39 known", "ms"),
    ] {
        has(start, unit);
    }
}

#[test]
fn a_bank_resumes_and_refuses_another_model_or_other_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = bank(folder.path());
    let common = ["embed", "--patch", "16", "--stride", "8", "--out", &path, "--split", "test"];
    let again = json(&[&common[..], &["--data", "demo", "--limit", "6"]].concat());
    assert_eq!(again["resumed_images"].as_u64(), Some(6));
    let other = failure(&[&common[..], &["--data", "demo", "--limit", "5"]].concat());
    assert!(other.contains("limit") || other.contains("data") || other.contains("images"), "{other}");
}

#[test]
fn figures_come_out_and_come_again_from_their_sidecars() {
    let folder = tempfile::tempdir().unwrap();
    let data = synth(folder.path());
    let image = Path::new(&data).join("train/car");
    let image = fs::read_dir(image).unwrap().next().unwrap().unwrap().path();
    let fig4 = folder.path().join("fig4.svg");
    let values = folder.path().join("values.npy");
    let map = json(&[
        "heatmap",
        "--image",
        text(&image),
        "--patch",
        "16",
        "--stride",
        "8",
        "--at",
        "32,32",
        "--out",
        text(&fig4),
        "--values",
        text(&values),
    ]);
    assert_eq!((map["rows"].as_u64(), map["cols"].as_u64()), (Some(7), Some(7)));
    assert_eq!((map["query"]["y"].as_u64(), map["query"]["x"].as_u64()), (Some(24), Some(24)));
    assert!(map["spaces"]["h"]["max"].as_f64().unwrap() > 0.999);
    assert_eq!(fs::metadata(&values).unwrap().len(), 128 + 2 * 49 * 4);
    let svg = fs::read_to_string(&fig4).unwrap();
    assert!(!svg.contains("<text") && svg.contains("projection z") && svg.contains("embedding h"));

    let bank = bank(folder.path());
    let asked = query(spread_of_demo(Split::Test, 6)[2], 8, 16);
    for format in ["pdf", "png"] {
        let fig5 = folder.path().join(format!("fig5.{format}"));
        json(&["gallery", "--bank", &bank, "--query", asked, "--k", "119", "--out", text(&fig5)]);
        let sidecar = folder.path().join(format!("fig5.{format}.json"));
        let again = folder.path().join(format!("again.{format}"));
        json(&["figure", text(&sidecar), "--out", text(&again)]);
        assert!(fs::read(&fig5).unwrap() == fs::read(&again).unwrap(), "{format} differs from its sidecar's");
    }
    let pdf = folder.path().join("fig5.pdf");
    match Command::new("pdftotext").args([text(&pdf), "-"]).output() {
        Ok(words) => {
            let words = String::from_utf8_lossy(&words.stdout).into_owned();
            assert!(words.contains("projection z") && words.contains("embedding h"), "{words}");
        }
        Err(_) => println!("skipped: pdftotext is not installed"),
    }
}

#[test]
fn errors_say_what_where_and_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("nothing");
    assert!(failure(&["data", "info", text(&nothing)]).contains("nothing"));
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(failure(&["data", "info", text(&empty)]).contains("empty"));
    assert!(failure(&["model", "info", text(&empty)]).contains("expected a checkpoint"));
    let out = folder.path().join("f.gif");
    let bank = bank(folder.path());
    let image = spread_of_demo(Split::Test, 6)[0];
    let gallery = ["gallery", "--bank", &bank, "--query", query(image, 0, 0)];
    assert!(failure(&[&gallery[..], &["--out", text(&out)]].concat()).contains(".svg"));
    let off = failure(&["knn", "--bank", &bank, "--query", query(image, 3, 3)]);
    assert!(off.contains("nearest"), "{off}");
    let run = folder.path().join("run");
    let recipe = failure(&["train", "--data", "demo", "--recipe", "nope", "--out", text(&run)]);
    assert!(recipe.contains("quick-parts"), "{recipe}");
    let key = failure(&[
        "train",
        "--data",
        "demo",
        "--recipe",
        "quick-parts",
        "--set",
        "bach=1",
        "--out",
        text(&run),
    ]);
    assert!(key.contains("bach") && key.contains("batch"), "{key}");
    let usage = bagssl(&["knn", "--bank", &bank, "--query", "nonsense"]);
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn recipes_and_the_demo_model_are_described() {
    let list = json(&["train", "--list"]);
    let recipes = list["recipes"].as_array().unwrap();
    assert!(recipes.iter().any(|recipe| recipe["name"] == "quick-cifar10-vicreg-patch14"));
    let model = json(&["model", "info", "demo"]);
    // As PyTorch counts them: what batch normalisation keeps of batches is no parameter.
    let bytes = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.safetensors")).unwrap();
    let arrays = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let learned = arrays.iter().filter(|(name, _)| !name.contains("running_"));
    let learned: usize = learned.map(|(_, array)| array.shape().iter().product::<usize>()).sum();
    assert_eq!(model["parameters"], learned);
    assert!(model["spaces"]["h"].as_u64().unwrap() > 0 && model["spaces"]["z"].as_u64().unwrap() > 0);
    assert_eq!(model["training"]["data"], "Parts");
}

#[test]
fn a_run_is_trained_and_evaluated_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let tiny = [
        "--set",
        "images=16",
        "--set",
        "batch=8",
        "--set",
        "epochs=1",
        "--set",
        "warmup_epochs=0",
        "--set",
        "model.backbone.width=2",
        "--set",
        "model.projector=[8, 8]",
    ];
    let train = ["train", "--data", "demo", "--recipe", "quick-parts", "--out", text(&run)];
    let report = json(&[&train[..], &tiny[..]].concat());
    assert_eq!(report["step"].as_u64(), Some(2));
    let eval = json(&[
        "eval",
        "--model",
        text(&run),
        "--data",
        "demo",
        "--patch",
        "16",
        "--patches",
        "central,4",
        "--limit-train",
        "40",
        "--limit-test",
        "20",
    ]);
    let rows = eval["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 4, "two classifiers on two aggregates");
    assert!(rows.iter().all(|row| (0.0..=1.0).contains(&row["accuracy"].as_f64().unwrap())));
    let curve = folder.path().join("loss.svg");
    json(&["figure", text(&run), "--out", text(&curve)]);
    assert!(fs::read_to_string(&curve).unwrap().contains("VICReg training loss"));
}

#[test]
fn the_loss_curve_of_every_objective_becomes_a_figure() {
    let folder = tempfile::tempdir().unwrap();
    for objective in bagssl::objective::Objective::all() {
        let run = folder.path().join(objective.name());
        let mut config = bagssl::train::recipes::find("quick-parts").unwrap().config;
        let title = objective.title();
        config.objective = objective;
        let made = bagssl::train::RunFolder::create(&run, &config, &serde_json::json!({})).unwrap();
        let terms = [("attraction".to_owned(), -0.5)].into_iter().collect();
        let line = bagssl::train::Metrics { step: 1, loss: -7.5, terms, ..Default::default() };
        made.log(&line).unwrap();
        let curve = folder.path().join(format!("{}.pdf", run.file_name().unwrap().display()));
        json(&["figure", text(&run), "--out", text(&curve)]);
        let sidecar = fs::read_to_string(format!("{}.json", curve.display())).unwrap();
        assert!(sidecar.contains("Linear vertical axis") && sidecar.contains(title), "{sidecar}");
    }
}

#[test]
fn real_images_of_any_size_become_a_bank() {
    let Some(data) = real_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let samples = data.join("imagenet_samples");
    let info = json(&["data", "info", text(&samples)]);
    assert_eq!((info["kind"].as_str(), info["images"].as_u64()), (Some("folder"), Some(250)));
    let out = folder.path().join("bank");
    let made = json(&[
        "embed",
        "--data",
        text(&samples),
        "--patch",
        "56",
        "--stride",
        "56",
        "--limit",
        "8",
        "--out",
        text(&out),
    ]);
    assert_eq!(made["images"].as_u64(), Some(8));
}

/// `b\xe4ume` in Latin-1, as an old disk has it.
#[test]
#[cfg(unix)]
fn a_path_that_is_no_text_is_opened_recorded_and_found_again() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join(std::ffi::OsStr::from_bytes(b"b\xe4ume"));
    fs::create_dir(&place).unwrap();
    let data = place.join("set");
    fs::create_dir(&data).unwrap();
    for name in ["a.png", "b.png"] {
        image::RgbImage::from_fn(24, 24, |x, y| image::Rgb([x as u8 * 9, y as u8 * 9, 80]))
            .save(data.join(name))
            .unwrap();
    }
    let run = |arguments: &[&std::ffi::OsStr]| {
        let mut command = program();
        let output = command.args(arguments).args(["--device", "cpu", "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let info = run(&["data".as_ref(), "info".as_ref(), data.as_os_str()]);
    assert_eq!(info["images"].as_u64(), Some(2));
    // A model and what is written lie there too, and the bank's record leads back to the images.
    let model = place.join("model.safetensors");
    let converted = run(&["model".as_ref(), "convert".as_ref(), "demo".as_ref(), model.as_os_str()]);
    let out = converted["out"].as_str().unwrap();
    assert!(out.starts_with("file:///") && out.ends_with("/b%E4ume/model.safetensors"), "{out}");
    assert_eq!(json(&["model", "info", out])["name"], "model.safetensors");
    let bank = place.join("bank");
    let words = ["embed", "--patch", "16", "--stride", "8", "--data"].map(std::ffi::OsStr::new);
    let places =
        [data.as_os_str(), "--out".as_ref(), bank.as_os_str(), "--model".as_ref(), model.as_os_str()];
    run(&[&words[..], &places[..]].concat());
    let source = fs::read_to_string(bank.join("source.json")).unwrap();
    assert!(source.contains("/b%E4ume/set\""), "{source}");
    let figure = place.join("figure.svg");
    let words = ["gallery", "--query", "0:0:0", "--k", "3", "--bank"].map(std::ffi::OsStr::new);
    let made = run(&[&words[..], &[bank.as_os_str(), "--out".as_ref(), figure.as_os_str()]].concat());
    assert!(figure.is_file(), "{made}");
}

#[test]
fn what_is_wrong_with_a_sidecar_or_a_checkpoint_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let photo = at("photo.png");
    image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, 9])).save(&photo).unwrap();
    let map = at("map.svg");
    let place = ["heatmap", "--image", text(&photo), "--patch", "32", "--stride", "16", "--at", "8,8"];
    json(&[&place[..], &["--out", text(&map)]].concat());
    let sidecar = at("map.svg.json");
    let mut words: serde_json::Value = serde_json::from_slice(&fs::read(&sidecar).unwrap()).unwrap();
    words["spec"]["range"] = serde_json::json!([1.0, -1.0]);
    fs::write(&sidecar, words.to_string()).unwrap();
    let said = failure(&["figure", text(&sidecar), "--out", text(&at("again.svg"))]);
    assert!(said.contains(text(&sidecar)), "{said}");

    let (config, run) = (at("config.toml"), at("run"));
    fs::write(&config, tiny().to_toml().unwrap()).unwrap();
    let train = ["train", "--data", "demo", "--split", "train", "--out", text(&run)];
    json(&[&train[..], &["--config", text(&config)]].concat());
    let latest = run.join(fs::read_to_string(run.join("latest")).unwrap());
    let model = latest.join("model.safetensors");
    let whole = fs::read(&model).unwrap();
    fs::write(&model, &whole[..whole.len() / 2]).unwrap();
    let said = failure(&[&train[..], &["--resume"]].concat());
    assert!(said.contains(text(&latest)), "{said}");
}

#[test]
fn of_many_broken_files_ten_are_named() {
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::new(24, 24).save(folder.path().join("a.png")).unwrap();
    (0..500).for_each(|number| fs::write(folder.path().join(format!("{number}.png")), "no picture").unwrap());
    let output = bagssl(&["data", "info", text(folder.path())]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().count(), 11, "{said}");
    assert!(said.contains("and 490 more; `bagssl data info --json` names all"), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("500 skipped, first"), "{output:?}");
}

/// What the parser cannot see, as values decide it or the option is one of every command.
#[test]
fn options_that_would_be_ignored_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let refused = |args: &[&str]| {
        let output = bagssl(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let figure = ["eval", "--figure", "3a", "a=demo", "--data", "demo", "--out", text(&out)];
    for option in [["--k", "3"], ["--temperature", "0.1"], ["--probe-epochs", "2"]] {
        let said = refused(&[&figure[..], &option[..]].concat());
        assert!(said.contains("--figure 3a takes --limit alone"), "{said}");
    }
    let said = refused(&["train", "--data", "demo", "--resume", "--seed", "3", "--out", text(&out)]);
    assert!(said.contains("leave --seed out") && !out.exists(), "{said}");
}
