use std::fs;
use std::path::{Path, PathBuf};

use bagssl::dataset::{Dataset, Split, parts::Parts};
use bagssl::engine::jobs::train::Start;
use bagssl::progress::CancelToken;
use bagssl::train::{AlarmKind, Notice, NoticeKind, RunFolder, TrainConfig};
use serde_json::Value;

use crate::gui_train::Window;
use crate::run::{losses, run_on, tiny};
use crate::support::{bagssl, text};

/// An image folder of two classes: 24 images of 48 x 48 to train on, 8 held out, and `small` of
/// 16 x 16 among the first.
fn data(folder: &Path, small: u32) -> PathBuf {
    let data = folder.join("data");
    let parts = Parts::new(5, 32, 48, Split::Train).unwrap();
    for index in 0..32 {
        let image = parts.image(index).unwrap();
        let pixels = image::RgbImage::from_raw(image.width(), image.height(), image.rgb().to_vec()).unwrap();
        let split = if index < 24 { "train" } else { "val" };
        let place = data.join(split).join(if index % 2 == 0 { "even" } else { "odd" });
        fs::create_dir_all(&place).unwrap();
        pixels.save(place.join(format!("{index:02}.png"))).unwrap();
    }
    for index in 0..small {
        let file = data.join("train/even").join(format!("small-{index}.png"));
        image::RgbImage::new(16, 16).save(file).unwrap();
    }
    data
}

/// All images, patches of 32 x 32.
fn config(changes: &[&str]) -> TrainConfig {
    let mut config = tiny();
    config.images = None;
    config.set(changes).unwrap();
    config
}

fn train(data: &Path, out: &Path, start: Start, at_step: impl FnMut(u64)) -> anyhow::Result<Vec<(u64, f64)>> {
    Ok(losses(&run_on(text(data), out, start, &CancelToken::default(), at_step)?))
}

fn notices(run: &Path) -> Vec<Notice> {
    RunFolder::open(run).unwrap().0.notices().unwrap()
}

#[test]
fn images_too_small_for_a_patch_are_left_out_counted_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path(), 2);
    let (file, out) = (folder.path().join("config.toml"), folder.path().join("run"));
    fs::write(&file, config(&["probe.every=0"]).to_toml().unwrap()).unwrap();
    let arguments = ["train", "--data", text(&data), "--config", text(&file), "--out", text(&out)];
    let output = bagssl(&[&arguments[..], &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let (part, step) = (&report["data"], report["step"].as_u64());
    assert_eq!((part["images"].as_u64(), part["of"].as_u64(), step), (Some(24), Some(26), Some(6)));
    assert!(part["skipped"][0]["reason"].as_str().unwrap().contains("32 x 32"), "{part}");
    let words = "24 of 26 images; 2 skipped, first";
    assert!(said.contains("warning") && said.contains(words) && said.contains("small-0.png"), "{said}");
    assert!(report["notices"][0]["message"].as_str().unwrap().contains(words), "{report}");
    assert!(notices(&out)[0].message.contains(words));

    let environment = fs::read_to_string(out.join("environment.json")).unwrap();
    let environment: Value = serde_json::from_str(&environment).unwrap();
    assert_eq!(
        (environment["data"]["used"].as_u64(), environment["data"]["images"].as_u64()),
        (Some(24), Some(26))
    );
}

#[test]
fn a_run_says_once_what_it_leaves_out_however_often_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path(), 1);
    let out = folder.path().join("run");
    let cancel = CancelToken::default();
    let stop = |step: u64| {
        if step >= 2 {
            cancel.cancel()
        }
    };
    run_on(text(&data), &out, Start::New(Box::new(config(&[]))), &cancel, stop).unwrap_err();
    train(&data, &out, Start::Resume, |_| ()).unwrap();
    assert_eq!(notices(&out).len(), 1, "{:?}", notices(&out));
}

#[test]
fn too_few_images_that_a_patch_fits_on_are_an_error_with_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path(), 3);
    let out = folder.path().join("run");
    let mut big = config(&[]);
    big.views.iter_mut().for_each(|view| view.crop = bagssl::augment::Crop::Fixed { size: 60 });
    let error = format!("{:#}", train(&data, &out, Start::New(Box::new(big)), |_| ()).unwrap_err());
    assert!(error.contains("0 of 27 images; 27 skipped") && error.contains("60 x 60"), "{error}");
    assert!(!out.exists(), "no folder is left behind");
}

#[test]
fn an_image_that_breaks_during_the_run_is_named_and_another_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path(), 0);
    let out = folder.path().join("run");
    let torn = data.join("train/odd/07.png");
    let tear = |step: u64| {
        if step == 1 {
            fs::write(&torn, b"torn").unwrap();
        }
    };
    let long = config(&["epochs=8", "probe.every=0"]);
    train(&data, &out, Start::New(Box::new(long)), tear).unwrap();
    let found = notices(&out);
    assert_eq!((found.len(), found[0].kind), (1, NoticeKind::Warning), "{found:?}");
    assert!(found[0].message.contains("07.png") && found[0].message.contains("left out"), "{found:?}");
}

#[test]
fn a_probe_whose_images_are_gone_is_left_out_and_the_run_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path(), 0);
    let out = folder.path().join("run");
    let vanish = |step: u64| {
        if step == 1 {
            fs::rename(data.join("val"), folder.path().join("away")).unwrap();
        }
    };
    let steps = train(&data, &out, Start::New(Box::new(config(&[]))), vanish).unwrap();
    assert_eq!(steps.last().unwrap().0, 6, "the run went on");
    let found = notices(&out);
    assert!(
        found.iter().any(|notice| notice.message.starts_with("the probe of step 4 is left out")),
        "{found:?}"
    );
}

#[test]
fn held_out_images_too_small_to_probe_are_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path(), 0);
    fs::remove_dir_all(data.join("val")).unwrap();
    for class in ["even", "odd"] {
        let place = data.join("val").join(class);
        fs::create_dir_all(&place).unwrap();
        image::RgbImage::new(16, 16).save(place.join("small.png")).unwrap();
    }
    let out = folder.path().join("run");
    train(&data, &out, Start::New(Box::new(config(&[]))), |_| ()).unwrap();
    let said: Vec<String> = notices(&out).into_iter().map(|notice| notice.message).collect();
    assert!(said.iter().any(|line| line.contains("h and z are not probed")), "{said:?}");
    assert!(said.iter().any(|line| line.contains("online kNN accuracy is left out")), "{said:?}");
}

/// Nothing but the distance between views: the shortest way is the same z for everything.
fn collapsing() -> TrainConfig {
    let mut config = tiny();
    let changes = ["objective.variance=0", "objective.covariance=0", "epochs=60", "probe.every=30"];
    config
        .set(&[&changes[..], &["checkpoint_every=1000", "optimizer.lr=4", "probe.known=0"]].concat())
        .unwrap();
    config
}

#[test]
fn a_run_that_collapses_sets_off_the_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("config.toml"), folder.path().join("run"));
    fs::write(&file, collapsing().to_toml().unwrap()).unwrap();
    let arguments = ["train", "--data", "demo", "--config", text(&file), "--out", text(&out)];
    let output = bagssl(&arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    let probes = RunFolder::open(&out).unwrap().0.probes().unwrap();
    let measured: Vec<_> =
        probes.iter().map(|p| (p.step, p.spaces["z"].unit_deviation, p.spaces["z"].rank)).collect();
    assert!(probes[0].alarms.is_empty(), "{measured:?}");
    let last = probes.last().unwrap();
    for kind in [AlarmKind::Constant, AlarmKind::Shrunk] {
        assert!(last.alarms.iter().any(|alarm| alarm.kind == kind), "{measured:?}");
    }
    assert!(said.contains("ALARM: z is nearly the same for every patch"), "{said}");
    assert!(said.contains("ALARM: z has shrunk") && said.contains("alarm below 0.05 of that"), "{said}");
}

#[test]
fn the_window_shows_the_alarm_and_the_notices_of_a_run_of_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path(), 2);
    let out = folder.path().join("collapsed");
    let mut config = collapsing();
    config.images = None;
    train(&data, &out, Start::New(Box::new(config)), |_| ()).unwrap();
    let run = RunFolder::open(&out).unwrap().0;
    let why = Notice { step: 180, time: 0.0, kind: NoticeKind::Stopped, message: "the disk is full".into() };
    run.log_notice(&why).unwrap();

    let mut window = Window::open([1280.0, 800.0], "demo", vec![out]);
    window.until("the alarm", |window| window.shows("collapsed, collapse: z is nearly the same"));
    window.until("both alarms", |window| window.shows("collapsed, collapse: z has shrunk"));
    window.until("the warning", |window| window.shows("24 of 26 images; 2 skipped"));
    window.until("why it stopped", |window| window.shows("collapsed stopped: the disk is full"));
}

#[test]
fn a_run_of_the_window_says_what_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path(), 2);
    let mut window = Window::open([1280.0, 800.0], text(&data), vec![]);
    window.click("Train");
    window.until("the data set is open", |window| window.shows("26 images"));
    window.start(&folder.path().join("tiny"), "20000");
    window.until("the notice", |window| window.shows("training on 24 of 26 images; 2 skipped"));
    window.until("the count", |window| window.shows("24 of 26"));
}
