use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bagssl::dataset::Split;

use crate::run::tiny;
use crate::support::{program, query, spread_of_demo, text};

/// Longer than anything here takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(240);

pub fn start(args: &[&str]) -> Child {
    let mut command = program();
    command.args(args).args(["--device", "cpu"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// Waits for the program's end; panics if it hangs.
pub fn end(mut child: Child, args: &[&str]) -> Output {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{args:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// What the program says, which must fail with status 1, and soon.
fn refusal(args: &[&str]) -> String {
    let output = end(start(args), args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    said
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The arguments of a new run in `out`, whose configuration is written beside it.
pub fn training<'a>(config: &'a Path, out: &'a Path, changes: &[&str]) -> Vec<&'a str> {
    let mut tiny = tiny();
    tiny.set(changes).unwrap();
    fs::write(config, tiny.to_toml().unwrap()).unwrap();
    let data = ["train", "--data", "demo", "--split", "train", "--log-every", "1"];
    [&data[..], &["--config", text(config), "--out", text(out)]].concat()
}

fn trained(folder: &Path) -> PathBuf {
    let (config, out) = (folder.join("config.toml"), folder.join("run"));
    let arguments = training(&config, &out, &[]);
    assert!(end(start(&arguments), &arguments).status.success());
    out
}

#[test]
fn a_pipe_in_any_files_place_is_named_and_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path());
    let latest = run.join(fs::read_to_string(run.join("latest")).unwrap());
    let out = folder.path().join("out");
    let resume = ["train", "--data", "demo", "--split", "train", "--resume", "--out", text(&run)];
    let image = folder.path().join("image.png");
    image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, 9])).save(&image).unwrap();
    let figure = folder.path().join("map.svg");
    let model = text(&run);
    let query = [
        "heatmap",
        "--image",
        text(&image),
        "--patch",
        "32",
        "--stride",
        "8",
        "--at",
        "8,8",
        "--out",
        text(&figure),
    ];
    let heatmap = [&query[..], &["--model", model]].concat();
    for file in ["config.toml", "latest", "metrics.jsonl", "probes.jsonl", "notices.jsonl"] {
        hangs_nothing(&run.join(file), &resume);
    }
    for file in ["state.json", "optimizer.safetensors", "model.safetensors"] {
        hangs_nothing(&latest.join(file), &resume);
    }
    hangs_nothing(&run.join("latest"), &["model", "info", model]);
    hangs_nothing(&run.join("latest"), &heatmap);
    let config = folder.path().join("config.toml");
    hangs_nothing(&config, &["train", "--data", "demo", "--config", text(&config), "--out", text(&out)]);
    let sidecar = folder.path().join("map.json");
    fs::write(&sidecar, "{}").unwrap();
    hangs_nothing(&sidecar, &["figure", text(&sidecar), "--out", text(&figure)]);
}

/// Puts a pipe, then a device in the place of `file`, runs `args`, and puts it back.
fn hangs_nothing(file: &Path, args: &[&str]) {
    let kept = file.with_extension("kept");
    let is_there = file.exists();
    if is_there {
        fs::rename(file, &kept).unwrap();
    }
    make_pipe(file);
    let said = refusal(args);
    assert!(said.contains("not a regular file but a pipe"), "{args:?}: {said}");
    assert!(said.contains(text(file)), "{args:?}: {said}");
    fs::remove_file(file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", file).unwrap();
    let said = refusal(args);
    assert!(said.contains("not a regular file but a device"), "{args:?}: {said}");
    fs::remove_file(file).unwrap();
    if is_there {
        fs::rename(kept, file).unwrap();
    }
}

#[test]
fn of_two_that_resume_a_run_one_is_told_who_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (config, out) = (folder.path().join("config.toml"), folder.path().join("run"));
    let arguments = training(&config, &out, &["epochs=40", "probe.every=0"]);
    let mut first = start(&arguments);
    let newest = || fs::read_to_string(out.join("latest")).unwrap_or_default();
    while newest().trim() < "step-000004" {
        assert!(first.try_wait().unwrap().is_none(), "the program ended before it could be killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    let resume =
        ["train", "--data", "demo", "--split", "train", "--log-every", "1", "--resume", "--out", text(&out)];
    let said = refusal(&resume);
    let who = format!("is being written by process {}", first.id());
    assert!(said.contains(&who) && said.contains(text(&out)), "{said}");
    let again = refusal(&arguments);
    assert!(again.contains(&who), "{again}");
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock of what was killed is nobody's.
    let [one, two] = [start(&resume), start(&resume)].map(|child| end(child, &resume));
    let (well, refused) = if one.status.success() { (one, two) } else { (two, one) };
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(well.status.success(), "{}", String::from_utf8_lossy(&well.stderr));
    assert!(refused.status.code() == Some(1) && said.contains("is being written by "), "{said}");
    let lines = fs::read_to_string(out.join("metrics.jsonl")).unwrap().lines().count();
    assert_eq!(lines, 120);
    let left: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn of_three_new_runs_in_one_folder_one_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let (config, out) = (folder.path().join("config.toml"), folder.path().join("run"));
    let arguments = training(&config, &out, &["epochs=20", "probe.every=0"]);
    let ended = [(); 3].map(|()| start(&arguments)).map(|child| end(child, &arguments));
    let well = ended.iter().filter(|output| output.status.success()).count();
    let said: Vec<_> = ended.iter().map(|output| String::from_utf8_lossy(&output.stderr)).collect();
    assert_eq!(well, 1, "{said:?}");
    assert_eq!(fs::read_to_string(out.join("metrics.jsonl")).unwrap().lines().count(), 60);
}

#[test]
fn two_evaluations_do_not_write_one_cache_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let evaluate = ["eval", "--data", "demo", "--limit", "60", "--patches", "central", "--classifier", "knn"];
    let arguments = [&evaluate[..], &["--k", "3", "--cache", text(&cache)]].concat();
    let ended = [(); 2].map(|()| start(&arguments)).map(|child| end(child, &arguments));
    let said: Vec<_> = ended.iter().map(|output| String::from_utf8_lossy(&output.stderr)).collect();
    assert!(ended.iter().any(|output| output.status.success()), "{said:?}");
    let refused = ended.iter().zip(&said).filter(|(output, _)| !output.status.success());
    // Which one, is known a moment after the folder is taken.
    refused.for_each(|(_, said)| assert!(said.contains("is being written by "), "{said}"));
}

/// CIFAR's test split with `count` records of noise.
fn write_cifar(folder: &Path, count: usize) -> PathBuf {
    let records = (0..count * 3073).map(|at| if at % 3073 == 0 { 3 } else { ((at * 7919) >> 5) as u8 });
    let file = folder.join("test_batch.bin");
    fs::write(&file, records.collect::<Vec<u8>>()).unwrap();
    file
}

#[test]
fn a_data_file_that_is_cut_stops_the_work_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let file = write_cifar(&data, 4000);
    let whole = fs::read(&file).unwrap();
    let bank = folder.path().join("bank");
    let cut = |arguments: &[&str], is_time: &dyn Fn() -> bool| {
        let mut child = start(arguments);
        while !is_time() {
            assert!(child.try_wait().unwrap().is_none(), "{arguments:?} ended before its file was cut");
            std::thread::sleep(Duration::from_millis(5));
        }
        fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(3073 * 5 + 100).unwrap();
        let output = end(child, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let words = format!("{} was cut while it was in use: 15465 bytes are left", file.display());
        assert!(said.contains(&words), "{said}");
        fs::write(&file, &whole).unwrap();
    };
    let place = ["--data", text(&data), "--out"];
    let embed = [&["embed", "--patch", "16", "--stride", "8"][..], &place, &[text(&bank)]].concat();
    cut(&embed, &|| bank.join("source.json").exists());
    let manifest = fs::read_to_string(bank.join("bank.json")).unwrap();
    assert!(manifest.contains("\"skipped\": []"), "what could not be read counts as no picture: {manifest}");
    let (config, out) = (folder.path().join("config.toml"), folder.path().join("run"));
    let mut train = training(&config, &out, &["epochs=400", "probe.every=0"]);
    train[2] = text(&data);
    train[4] = "test";
    cut(&train, &|| out.join("metrics.jsonl").metadata().is_ok_and(|meta| meta.len() > 0));
}

#[test]
fn what_kills_leave_goes_with_the_next_that_comes() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path());
    let litter = [".bagssl-Ab12Cd.part", ".step-000002.part", ".step-000002.old"];
    fs::write(run.join(litter[0]), "x").unwrap();
    litter[1..].iter().for_each(|name| fs::create_dir(run.join(name)).unwrap());
    let resume = ["train", "--data", "demo", "--split", "train", "--resume", "--out", text(&run)];
    assert!(end(start(&resume), &resume).status.success());
    litter.iter().for_each(|name| assert!(!run.join(name).exists(), "{name}"));
    // Beside a figure, too.
    let curve = folder.path().join("curve.svg");
    fs::write(folder.path().join(litter[0]), "x").unwrap();
    let figure = ["figure", text(&run), "--out", text(&curve)];
    assert!(end(start(&figure), &figure).status.success());
    assert!(curve.exists() && !folder.path().join(litter[0]).exists());
}

#[test]
fn a_flipped_bit_in_weights_is_named_by_tensor_and_in_a_bank_computed_again() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(folder.path());
    let model = run.join(fs::read_to_string(run.join("latest")).unwrap()).join("model.safetensors");
    flip_last_bit(&model);
    let info = ["model", "info", text(&run)];
    let said = refusal(&info);
    assert!(said.contains("model.safetensors") && said.contains("is damaged: its sum is"), "{said}");

    let bank = folder.path().join("bank");
    let common =
        ["embed", "--data", "demo", "--split", "test", "--limit", "6", "--patch", "16", "--stride", "8"];
    let embed = [&common[..], &["--out", text(&bank)]].concat();
    assert!(end(start(&embed), &embed).status.success());
    let rows = bank.join("h.f16");
    let whole = fs::read(&rows).unwrap();
    flip_last_bit(&rows);
    let images = spread_of_demo(Split::Test, 6);
    let asked = query(images[0], 0, 0);
    let said = refusal(&["knn", "--bank", text(&bank), "--query", asked, "--space", "h", "--k", "3"]);
    let last = format!("(image {})", images[5]);
    assert!(said.contains("h.f16 is damaged in rows") && said.contains(&last), "{said}");
    let again = end(start(&[&embed[..], &["--json"]].concat()), &embed);
    let report: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&report["repaired_images"], &report["resumed_images"]), (&1.into(), &5.into()));
    assert!(fs::read(&rows).unwrap() == whole);
}

#[test]
fn of_many_damaged_images_ten_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let bank = folder.path().join("bank");
    let common = ["embed", "--data", "demo", "--split", "test", "--limit", "13", "--patch", "64"];
    let embed = [&common[..], &["--stride", "64", "--space", "h", "--out", text(&bank)]].concat();
    assert!(end(start(&embed), &embed).status.success());
    let rows = bank.join("h.f16");
    let damaged: Vec<u8> = fs::read(&rows).unwrap().into_iter().map(|byte| byte ^ 1).collect();
    fs::write(&rows, damaged).unwrap();
    let again = end(start(&[&embed[..], &["--json"]].concat()), &embed);
    let report: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(report["repaired_images"], 13);
    let said = String::from_utf8_lossy(&again.stderr);
    assert_eq!(said.matches("is damaged in rows").count(), 10, "{said}");
    assert!(said.contains("and 3 more; all of them are embedded again"), "{said}");
}

fn flip_last_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}
