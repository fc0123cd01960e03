use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bagssl::augment::Crop;
use bagssl::dataset::{Dataset, Split, parts::Parts};
use bagssl::device::DeviceChoice;
use bagssl::engine::jobs::Job;
use bagssl::engine::jobs::train::{Start, TrainRequest, train};
use bagssl::model::weights;
use bagssl::objective::{Objective, VicReg};
use bagssl::progress::{CancelToken, Cancelled, Progress};
use bagssl::train::optimizer::Rule;
use bagssl::train::{Metrics, NoticeKind, RunFolder, TrainConfig, Trainer, recipes};
use burn::tensor::Device;

use crate::support::{program, text};

/// A run of 6 steps of a very narrow network, on patches of 32 x 32 whose colours change a little.
pub fn tiny() -> TrainConfig {
    let mut config = recipes::find("quick-cifar10-multipatch16").unwrap().config;
    config.objective = Objective::VicReg(VicReg { covariance: 5.0, ..VicReg::default() });
    config.views.truncate(2);
    config.views.iter_mut().for_each(|view| view.crop = Crop::Fixed { size: 32 });
    let changes = [
        "images=24",
        "batch=8",
        "epochs=2",
        "warmup_epochs=1",
        "checkpoint_every=2",
        "probe.every=4",
        "probe.images=3",
        "probe.known=8",
        "probe.asked=6",
        "probe.patches=2",
        "model.backbone.width=2",
        "model.input=16",
        "model.projector=[16, 8]",
    ];
    config.set(&changes).unwrap();
    config
}

fn run(out: &Path, start: Start, cancel_at: Option<u64>) -> anyhow::Result<Vec<Metrics>> {
    let cancel = CancelToken::default();
    let token = cancel.clone();
    let at_step = move |step: u64| {
        if cancel_at.is_some_and(|at| step >= at) {
            token.cancel();
        }
    };
    run_on("demo", out, start, &cancel, at_step)
}

/// Runs to the end, or until `at_step` (which sees the steps done) has cancelled it.
pub fn run_on(
    data: &str,
    out: &Path,
    start: Start,
    cancel: &CancelToken,
    mut at_step: impl FnMut(u64),
) -> anyhow::Result<Vec<Metrics>> {
    let mut progress = |p: Progress| at_step(p.done);
    let job = Job { device: DeviceChoice::Cpu, seed: 0, cancel, progress: &mut progress };
    let request =
        TrainRequest { data: data.into(), split: Some(Split::Train), out: out.into(), start, log_every: 1 };
    train(&request, job, &mut |_| ())?;
    RunFolder::open(out).unwrap().0.metrics()
}

pub fn losses(metrics: &[Metrics]) -> Vec<(u64, f64)> {
    metrics.iter().map(|m| (m.step, m.loss)).collect()
}

/// The last checkpoint of a run.
fn last_model(run: &Path) -> Vec<u8> {
    let folder = RunFolder::open(run).unwrap().0.latest().unwrap();
    std::fs::read(folder.join("model.safetensors")).unwrap()
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_bit_as_if_it_had_not() {
    for rule in [Rule::AdamW { beta1: 0.9, beta2: 0.999 }, Rule::LARS_CIFAR, Rule::LARS_IMAGENET] {
        let mut config = tiny();
        config.optimizer.rule = rule;
        let start = || Start::New(Box::new(config.clone()));
        let folder = tempfile::tempdir().unwrap();
        let (whole, halved) = (folder.path().join("whole"), folder.path().join("halved"));
        let expected = run(&whole, start(), None).unwrap();
        assert_eq!(expected.len(), 6);

        let stopped = run(&halved, start(), Some(3)).unwrap_err();
        assert!(stopped.downcast_ref::<Cancelled>().is_some(), "{stopped:#}");
        let vectors = RunFolder::open(&halved).unwrap().0.probe_steps().unwrap();
        assert_eq!(vectors.last(), Some(&3), "the checkpoint of the stop has its probe vectors");
        let resumed = run(&halved, Start::Resume, None).unwrap();
        assert_eq!(losses(&resumed), losses(&expected), "{rule:?}");
        assert!(last_model(&whole) == last_model(&halved), "{rule:?}: the last checkpoints differ");
    }
}

#[test]
fn the_folder_holds_probes_of_held_out_patches_at_every_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, halved) = (folder.path().join("whole"), folder.path().join("halved"));
    run(&whole, Start::New(Box::new(tiny())), None).unwrap();
    let (run_folder, _) = RunFolder::open(&whole).unwrap();
    let patches = run_folder.probe_patches().unwrap().unwrap();
    assert!(patches.held_out && patches.split.as_deref() == Some("test"));
    assert_eq!((patches.size, patches.patches.len()), (32, 3 * 16));
    assert_eq!(run_folder.probe_steps().unwrap(), [0, 2, 4, 6]);
    let vectors = run_folder.probe_vectors(4).unwrap();
    assert_eq!((vectors["z"].0, vectors["z"].1.len()), (8, 48 * 8));
    assert_ne!(vectors["h"], run_folder.probe_vectors(0).unwrap()["h"]);

    let probes = run_folder.probes().unwrap();
    assert_eq!(probes.iter().map(|probe| probe.step).collect::<Vec<_>>(), [0, 4, 6]);
    for probe in &probes {
        assert_eq!((probe.spaces["z"].width, probe.spaces["z"].count), (8, 48));
        assert!((1.0..=8.001).contains(&probe.spaces["z"].rank), "{}", probe.spaces["z"].rank);
        let knn = probe.knn.as_ref().unwrap();
        assert!(knn.held_out && (knn.known_images, knn.asked_images) == (8, 6));
    }

    // The same where the run was stopped and went on.
    run(&halved, Start::New(Box::new(tiny())), Some(3)).unwrap_err();
    run(&halved, Start::Resume, None).unwrap();
    let again = RunFolder::open(&halved).unwrap().0;
    let spaces = |run: &RunFolder| -> Vec<_> {
        run.probes().unwrap().into_iter().map(|probe| (probe.step, probe.spaces, probe.knn)).collect()
    };
    assert_eq!(spaces(&again), spaces(&run_folder));
}

#[test]
fn old_checkpoints_go_as_the_config_says_and_their_probes_stay() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut config = tiny();
    config.set(&["keep.last=1", "checkpoint_every=1", "keep.every=4"]).unwrap();
    run(&out, Start::New(Box::new(config)), None).unwrap();
    let run_folder = RunFolder::open(&out).unwrap().0;
    assert_eq!(run_folder.checkpoints().unwrap(), [0, 4, 6]);
    assert_eq!(run_folder.probe_steps().unwrap(), [0, 1, 2, 3, 4, 5, 6]);
    let hidden = std::fs::read_dir(&out)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_the_run_in_words_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, out) = (folder.path().join("whole"), folder.path().join("run"));
    run(&whole, Start::New(Box::new(tiny())), None).unwrap();
    let metrics = out.join("metrics.jsonl");
    let fill = |step: u64| {
        if step == 3 {
            std::fs::rename(&metrics, folder.path().join("kept")).unwrap();
            std::os::unix::fs::symlink("/dev/full", &metrics).unwrap();
        }
    };
    let start = Start::New(Box::new(tiny()));
    let error = run_on("demo", &out, start, &CancelToken::default(), fill).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("metrics.jsonl") && error.contains("No space left"), "{error}");
    assert!(error.contains("--resume continues from") && error.contains("step-000004"), "{error}");
    let stopped = RunFolder::open(&out).unwrap().0.notices().unwrap();
    assert!(stopped.len() == 1 && stopped[0].kind == NoticeKind::Stopped, "{stopped:?}");
    assert!(stopped[0].step == 4 && stopped[0].message.contains("No space left"), "{stopped:?}");
    std::fs::remove_file(&metrics).unwrap();
    std::fs::rename(folder.path().join("kept"), &metrics).unwrap();
    run(&out, Start::Resume, None).unwrap();
    assert!(last_model(&whole) == last_model(&out), "the last checkpoints differ");
    assert_eq!(RunFolder::open(&out).unwrap().0.notices().unwrap(), [], "the run went on");
}

#[test]
fn a_data_set_that_vanishes_stops_the_run_which_goes_on_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (data, away) = (folder.path().join("data"), folder.path().join("away"));
    for class in ["even", "odd"] {
        std::fs::create_dir_all(data.join("train").join(class)).unwrap();
    }
    let parts = Parts::new(5, 24, 48, Split::Train).unwrap();
    for index in 0..24 {
        let image = parts.image(index).unwrap();
        let pixels = image::RgbImage::from_raw(image.width(), image.height(), image.rgb().to_vec()).unwrap();
        let class = if index % 2 == 0 { "train/even" } else { "train/odd" };
        pixels.save(data.join(class).join(format!("{index:02}.png"))).unwrap();
    }
    let mut config = tiny();
    config.set(&["epochs=6", "probe.every=0"]).unwrap();
    let train = |out: &str, start: Start, at_step: &mut dyn FnMut(u64)| {
        let cancel = CancelToken::default();
        run_on(data.to_str().unwrap(), &folder.path().join(out), start, &cancel, at_step)
    };
    let whole = train("whole", Start::New(Box::new(config.clone())), &mut |_| ()).unwrap();
    let mut vanish = |step: u64| {
        if step == 1 {
            std::fs::rename(&data, &away).unwrap();
        }
    };
    let error = format!("{:#}", train("run", Start::New(Box::new(config)), &mut vanish).unwrap_err());
    assert!(error.contains("could not be read") && error.contains("--resume continues from"), "{error}");
    std::fs::rename(&away, &data).unwrap();
    let resumed = train("run", Start::Resume, &mut |_| ()).unwrap();
    assert_eq!(losses(&resumed), losses(&whole));
}

#[test]
fn a_program_that_is_killed_goes_on_from_its_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, out) = (folder.path().join("whole"), folder.path().join("run"));
    let mut config = tiny();
    config.set(&["epochs=20", "probe.every=0"]).unwrap();
    let expected = run(&whole, Start::New(Box::new(config.clone())), None).unwrap();

    let file = folder.path().join("config.toml");
    std::fs::write(&file, config.to_toml().unwrap()).unwrap();
    let arguments = ["train", "--data", "demo", "--split", "train", "--device", "cpu", "--log-every", "1"];
    let mut child = program()
        .args(arguments)
        .args(["--config", text(&file), "--out", text(&out)])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // The folder stands a moment before `latest` names it.
    let newest = || std::fs::read_to_string(out.join("latest")).unwrap_or_default();
    while newest().trim() < "step-000004" {
        assert!(child.try_wait().unwrap().is_none(), "the program ended before it could be killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let (run_folder, _) = RunFolder::open(&out).unwrap();
    assert!(run_folder.load().unwrap().state.step >= 4);
    let resumed = run(&out, Start::Resume, None).unwrap();
    assert_eq!(losses(&resumed), losses(&expected));
    assert!(last_model(&whole) == last_model(&out), "the last checkpoints differ");
}

#[test]
fn a_run_that_was_killed_loses_only_what_came_after_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let whole = run(&out, Start::New(Box::new(tiny())), None).unwrap();
    // As a kill at step 5 leaves it: the newest checkpoint is that of step 4, metrics go further,
    // the last line is cut, and a half-written checkpoint lies about.
    std::fs::remove_dir_all(out.join("step-000006")).unwrap();
    std::fs::write(out.join("latest"), "step-000004").unwrap();
    std::fs::create_dir(out.join(".step-000006.part")).unwrap();
    let text = std::fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    // Written as nobody here writes it: what stays is kept byte for byte.
    let text = text.replacen("\"step\":1,", "\"step\": 1,", 1);
    std::fs::write(out.join("metrics.jsonl"), &text[..text.len() - 20]).unwrap();
    let resumed = run(&out, Start::Resume, None).unwrap();
    assert_eq!(losses(&resumed), losses(&whole));
    let kept: String = text.split_inclusive('\n').take(4).collect();
    assert!(kept.contains("\"step\": 1,"), "{kept}");
    assert!(std::fs::read_to_string(out.join("metrics.jsonl")).unwrap().starts_with(&kept));
}

#[test]
fn a_loss_that_explodes_stops_the_run_and_keeps_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut config = tiny();
    // No clipping, so that the loss can explode.
    config.optimizer.clip_norm = None;
    config.optimizer.rule = Rule::Sgd { momentum: 0.9 };
    config.set(&["optimizer.lr=1e9", "warmup_epochs=0"]).unwrap();
    let error = format!("{:#}", run(&out, Start::New(Box::new(config)), None).unwrap_err());
    assert!(error.contains("step") && error.contains("checkpoint is kept"), "{error}");
    let names_it =
        ["weights not finite, first ", "are not finite first in ", "being that of ", "value being "];
    assert!(names_it.iter().any(|words| error.contains(words)), "{error}");
    let model = bagssl::model::store::open(&out.to_str().unwrap().into(), &Device::flex()).unwrap();
    let finite = weights::collect(&model.encoder).values().all(|a| a.values.iter().all(|v| v.is_finite()));
    assert!(finite);
}

#[test]
fn a_run_that_ended_before_its_first_checkpoint_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let start = || Start::New(Box::new(tiny()));
    let expected = losses(&run(&path("whole"), start(), None).unwrap());
    let mut other = tiny();
    other.seed = 7;
    // Killed before there was any checkpoint, and before `latest` named it.
    for (name, has_first) in [("none", false), ("first", true)] {
        drop(RunFolder::create(&path(name), &other, &serde_json::json!({})).unwrap());
        if has_first {
            std::fs::create_dir(path(name).join("step-000000")).unwrap();
        }
        assert_eq!(losses(&run(&path(name), start(), None).unwrap()), expected, "{name}");
        assert_eq!(RunFolder::open(&path(name)).unwrap().1.seed, 0);
    }
    // What somebody laid there, and what has come further, stays.
    let words = tiny().to_toml().unwrap();
    std::fs::create_dir(path("laid")).unwrap();
    std::fs::write(path("laid/config.toml"), &words).unwrap();
    let later = path("later");
    drop(RunFolder::create(&later, &other, &serde_json::json!({})).unwrap());
    std::fs::create_dir(later.join("step-000002")).unwrap();
    for out in [path("laid"), later] {
        let error = format!("{:#}", run(&out, start(), None).unwrap_err());
        assert!(error.contains("holds a run already"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(path("laid/config.toml")).unwrap(), words);
}

/// Pictures of two classes for training, and one of each to look at.
fn pictures(folder: &Path) {
    for (split, count) in [("train", 12), ("val", 1)] {
        for class in ["even", "odd"] {
            let place = folder.join(split).join(class);
            std::fs::create_dir_all(&place).unwrap();
            for number in 0..count {
                let file = place.join(format!("{number}.png"));
                let pixel = |x: u32, y: u32| image::Rgb([(7 * x) as u8, (5 * y) as u8, 20 * number as u8]);
                image::RgbImage::from_fn(40, 40, pixel).save(&file).unwrap();
            }
        }
    }
}

/// Those to look at cannot be read, or can again: their ends are there, what lies before has another sum than it says.
fn tear_or_mend(folder: &Path) {
    for file in ["val/even/0.png", "val/odd/0.png"].map(|name| folder.join(name)) {
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        std::fs::write(&file, bytes).unwrap();
    }
}

#[test]
fn a_run_that_cannot_be_looked_at_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    pictures(&data);
    tear_or_mend(&data);
    let begin = || run_on(text(&data), &out, Start::New(Box::new(tiny())), &CancelToken::default(), |_| ());
    let error = format!("{:#}", begin().unwrap_err());
    assert!(error.contains("none of 2 images can be read") && !out.exists(), "{error}");
    tear_or_mend(&data);
    assert_eq!(begin().unwrap().len(), 6);
}

#[test]
fn a_resume_that_cannot_be_looked_at_leaves_all_that_stands() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("run"));
    pictures(&data);
    let train = |start| run_on(text(&data), &out, start, &CancelToken::default(), |_| ());
    let whole = train(Start::New(Box::new(tiny()))).unwrap();
    std::fs::remove_dir_all(out.join("step-000006")).unwrap();
    std::fs::write(out.join("latest"), "step-000004").unwrap();
    let stands = || {
        let files = ["latest", "metrics.jsonl", "probes.jsonl"];
        let run = RunFolder::at(&out);
        let steps = [run.checkpoints().unwrap(), run.probe_steps().unwrap()];
        (files.map(|file| std::fs::read_to_string(out.join(file)).unwrap()), steps)
    };
    let before = stands();
    assert_eq!(before.1, [vec![0, 2, 4], vec![0, 2, 4, 6]]);
    tear_or_mend(&data);
    for start in [Start::Resume, Start::ResumeFrom(2)] {
        let error = format!("{:#}", train(start).unwrap_err());
        assert!(error.contains("none of 2 images can be read"), "{error}");
        assert_eq!(stands(), before);
    }
    tear_or_mend(&data);
    assert_eq!(losses(&train(Start::Resume).unwrap()), losses(&whole));
}

#[test]
fn training_lowers_the_loss() {
    let data: Arc<dyn Dataset> = Arc::new(Parts::new(5, 32, 32, Split::Train).unwrap());
    let mut config = tiny();
    config.set(&["images=32", "batch=16", "epochs=30", "warmup_epochs=1", "optimizer.lr=0.5"]).unwrap();
    let mut trainer = Trainer::new(config, data, &Device::flex()).unwrap();
    let mut losses = vec![];
    while !trainer.is_finished() {
        losses.push(trainer.step().unwrap().loss);
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (first, last) = (mean(&losses[..10]), mean(&losses[losses.len() - 10..]));
    assert!(last < 0.95 * first, "from {first} to {last}");
}

#[test]
fn a_run_is_not_resumed_on_other_data_nor_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    run(&out, Start::New(Box::new(tiny())), None).unwrap();
    let again = format!("{:#}", run(&out, Start::New(Box::new(tiny())), None).unwrap_err());
    assert!(again.contains("holds a run already"), "{again}");
    let (_, config) = RunFolder::open(&out).unwrap();
    let saved = RunFolder::open(&out).unwrap().0.load().unwrap();
    let other: Arc<dyn Dataset> = Arc::new(Parts::new(99, 64, 64, Split::Train).unwrap());
    let error = Trainer::resume(config, saved, other, &Device::flex()).err().unwrap();
    assert!(error.to_string().contains("other data"), "{error:#}");
}
