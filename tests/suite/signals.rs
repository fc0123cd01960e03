//! Whoever started the program asks it to end, by real signals; or does not listen to what it says.

#![cfg(unix)]

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bagssl::dataset::Split;
use bagssl::train::RunFolder;

use crate::run::tiny;
use crate::support::{json, program, query, spread_of_demo, text};

/// How soon the program is to end after it was asked to.
const SOON: Duration = Duration::from_secs(10);
/// Longer than anything here takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(240);

fn command(args: &[&str]) -> Command {
    let mut command = program();
    command.args(args).args(["--device", "cpu"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Whatever runs the tests may have it ignored.
    // SAFETY: the call is allowed between fork and exec, and takes no handler.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            Ok(())
        })
    };
    command
}

fn send(signal: i32, child: &Child) {
    // SAFETY: the process is a child that has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
}

/// Waits for the program's end; panics where it takes longer.
fn end_within(mut child: Child, time: Duration) -> Output {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > time {
            child.kill().unwrap();
            panic!("it has not ended after {time:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

fn until(child: &mut Child, ready: impl Fn() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(child.try_wait().unwrap().is_none(), "the program ended by itself");
        assert!(started.elapsed() < PATIENCE, "it does not come so far");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The arguments of a new run in `out`, whose configuration is written beside it.
fn training<'a>(config: &'a Path, out: &'a Path, changes: &[&str]) -> Vec<&'a str> {
    let mut tiny = tiny();
    tiny.set(changes).unwrap();
    fs::write(config, tiny.to_toml().unwrap()).unwrap();
    let data = ["train", "--data", "demo", "--split", "train", "--log-every", "1"];
    [&data[..], &["--config", text(config), "--out", text(out)]].concat()
}

/// The step of the newest checkpoint; 0 before there is one.
fn newest(run: &Path) -> u64 {
    let latest = fs::read_to_string(run.join("latest")).unwrap_or_default();
    latest.trim().strip_prefix("step-").map_or(0, |step| step.parse().unwrap())
}

#[test]
fn ctrl_c_a_scheduler_and_a_closed_terminal_stop_a_run_with_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    for (name, signal) in [("int", libc::SIGINT), ("term", libc::SIGTERM), ("hup", libc::SIGHUP)] {
        let out = folder.path().join(name);
        // No checkpoint is due for long.
        let arguments = training(&config, &out, &["epochs=4000", "checkpoint_every=100000", "probe.every=0"]);
        let mut child = command(&arguments).spawn().unwrap();
        until(&mut child, || fs::metadata(out.join("metrics.jsonl")).is_ok_and(|meta| meta.len() > 2000));
        send(signal, &child);
        let output = end_within(child, SOON);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{name}: {said}");
        assert!(said.contains("stopped after step") && said.contains("--resume continues from"), "{said}");
        let (run, _) = RunFolder::open(&out).unwrap();
        let step = run.load().unwrap().state.step;
        assert!(step > 0 && said.contains(&format!("after step {step} of 12000")), "{name}: {said}");
        assert_eq!(run.metrics().unwrap().len() as u64, step);
    }
}

/// A step of a thousand small pieces, which take a quarter of a minute and more, is left in its midst.
#[test]
fn a_long_step_is_left_and_the_run_stands_as_it_was_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (config, out) = (folder.path().join("config.toml"), folder.path().join("run"));
    let network = ["model.backbone.width=16", "model.input=32"];
    let run = ["images=2048", "batch=2048", "accumulate=512", "probe.every=0"];
    let arguments = training(&config, &out, &[&network[..], &run[..]].concat());
    let mut child = command(&arguments).spawn().unwrap();
    let has_vectors = |run: RunFolder| run.probe_steps().is_ok_and(|steps| !steps.is_empty());
    until(&mut child, || RunFolder::open(&out).is_ok_and(|(run, _)| has_vectors(run)));
    std::thread::sleep(Duration::from_secs(1));
    send(libc::SIGTERM, &child);
    let output = end_within(child, SOON);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("stopped after step 0 of 2; --resume continues from"), "{said}");
    assert_eq!(RunFolder::open(&out).unwrap().0.load().unwrap().state.step, 0);
}

#[test]
fn embedding_keeps_what_it_has_when_a_scheduler_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let bank = folder.path().join("bank");
    let place = ["embed", "--data", "demo", "--patch", "16", "--stride", "8", "--out", text(&bank)];
    let images = || {
        let info = command(&["bank", "info", text(&bank), "--json"]).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&info.stdout)
            .map_or(0, |info| info["images"].as_u64().unwrap())
    };
    let mut child = command(&place).spawn().unwrap();
    until(&mut child, || images() > 0);
    // It writes down what it has every five seconds, and once more at the end.
    let before = images();
    std::thread::sleep(Duration::from_secs(3));
    send(libc::SIGTERM, &child);
    let output = end_within(child, SOON);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("what is done so far is kept"), "{said}");
    let info = json(&["bank", "info", text(&bank)]);
    assert!(info["images"].as_u64() > Some(before) && info["complete"] == false, "{info}");
}

#[test]
fn what_nohup_starts_outlives_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let (config, out) = (folder.path().join("config.toml"), folder.path().join("run"));
    let arguments = training(&config, &out, &["epochs=4000", "probe.every=0"]);
    let mut command = command(&arguments);
    // SAFETY: as above.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGHUP, libc::SIG_IGN);
            Ok(())
        })
    };
    let mut child = command.spawn().unwrap();
    until(&mut child, || newest(&out) >= 2);
    send(libc::SIGHUP, &child);
    let then = newest(&out);
    until(&mut child, || newest(&out) >= then + 4);
    send(libc::SIGTERM, &child);
    assert_eq!(end_within(child, SOON).status.code(), Some(130));
}

/// A command that waits for ever: its result is longer than a pipe holds, and nobody reads.
fn stuck(bank: &Path) -> Child {
    let asked = query(spread_of_demo(Split::Test, 20)[0], 0, 0);
    let search = ["knn", "--bank", text(bank), "--query", asked, "--k", "900", "--json"];
    let child = command(&search).spawn().unwrap();
    // It searches for milliseconds.
    std::thread::sleep(Duration::from_secs(3));
    child
}

#[test]
fn work_that_does_not_look_up_is_left_after_a_while_and_at_once_when_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let bank = folder.path().join("bank");
    let embed = ["embed", "--data", "demo", "--split", "test", "--limit", "20", "--patch", "16"];
    json(&[&embed[..], &["--stride", "8", "--out", text(&bank)]].concat());
    let child = stuck(&bank);
    send(libc::SIGTERM, &child);
    let started = Instant::now();
    let output = end_within(child, SOON);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(started.elapsed() > Duration::from_secs(5), "it is waited for");
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("what was written before stands"), "{said}");

    let child = stuck(&bank);
    send(libc::SIGINT, &child);
    std::thread::sleep(Duration::from_millis(300));
    send(libc::SIGINT, &child);
    assert_eq!(end_within(child, Duration::from_secs(3)).status.code(), Some(130));
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// Runs `args` with a full disk behind its stderr, then with a stderr whose reader has gone.
fn unheard(args: &dyn Fn(&str) -> Vec<String>, mut check: impl FnMut(Output)) {
    for ear in ["full", "gone"] {
        let args = args(ear);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = command(&args);
        let child = if ear == "full" {
            command.stderr(full()).spawn().unwrap()
        } else {
            let mut child = command.spawn().unwrap();
            drop(child.stderr.take());
            child
        };
        check(end_within(child, PATIENCE));
    }
}

#[test]
fn nobody_who_listens_is_no_reason_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let train = |ear: &str| {
        let out = folder.path().join(ear);
        training(&config, &out, &["epochs=4"]).into_iter().map(String::from).collect()
    };
    unheard(&train, |output| assert_eq!(output.status.code(), Some(0), "{output:?}"));
    for ear in ["full", "gone"] {
        assert_eq!(newest(&folder.path().join(ear)), 12);
    }
    let nothing = text(&folder.path().join("nothing")).to_owned();
    let words = |args: &[&str]| -> Vec<String> { args.iter().map(|arg| arg.to_string()).collect() };
    let status = |args: &[&str], expected: i32| {
        unheard(&|_| words(args), |output| assert_eq!(output.status.code(), Some(expected), "{args:?}"));
    };
    status(&["data", "info", &nothing], 1);
    status(&["data", "inform"], 2);
    status(&["--help"], 0);
    // A warning, through the log: one picture of two is broken.
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    image::RgbImage::new(24, 24).save(data.join("a.png")).unwrap();
    fs::write(data.join("b.png"), "no picture").unwrap();
    status(&["data", "info", text(&data)], 0);
}

#[test]
fn a_result_that_cannot_be_printed_is_an_error_unless_its_reader_has_enough() {
    let list = ["train", "--list"];
    let output = end_within(command(&list).stdout(full()).spawn().unwrap(), PATIENCE);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("could not be printed on stdout") && !said.contains("panicked"), "{said}");
    let mut child = command(&list).spawn().unwrap();
    drop(child.stdout.take());
    let output = end_within(child, PATIENCE);
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn what_is_not_understood_is_repeated_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let (config, out) = (folder.path().join("config.toml"), folder.path().join("run"));
    let junk = "junk".repeat(30_000);
    fs::write(&config, format!("seed = 1\n{junk}")).unwrap();
    let link = format!("bagssl:1?{junk}");
    let (train, out) = (["train", "--data", "demo", "--config", text(&config)], ["--out", text(&out)]);
    for args in [
        [&train[..], &out].concat(),
        [&["train", "--data", "demo", "--recipe", "quick-parts", "--set", &junk][..], &out].concat(),
        vec!["gui", "--open", &link],
    ] {
        let output = end_within(command(&args).spawn().unwrap(), PATIENCE);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("... (120,") && said.contains(" characters)"), "{said}");
        assert!(said.len() < 10_000 && !output.status.success(), "{} bytes", said.len());
    }
}

#[test]
fn a_name_does_not_speak_to_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("\u{1b}[2J\u{7}set");
    fs::create_dir(&data).unwrap();
    image::RgbImage::new(24, 24).save(data.join("a.png")).unwrap();
    fs::write(data.join("\u{1b}]0;mine\u{7}\nforged.png"), "no picture").unwrap();
    let is_foul = |bytes: &[u8]| bytes.iter().any(|byte| byte.is_ascii_control() && *byte != b'\n');
    let missing = folder.path().join("\u{1b}[31mnothing");
    for path in [&data, &missing] {
        for extra in [&[][..], &["--json"], &["--split", "\u{1b}[31m"]] {
            let args = [&["data", "info", text(path)], extra].concat();
            let output = end_within(command(&args).spawn().unwrap(), PATIENCE);
            assert!(!is_foul(&output.stdout) && !is_foul(&output.stderr), "{output:?}");
            let said = [output.stdout, output.stderr].concat();
            assert!(
                !String::from_utf8_lossy(&said).lines().any(|line| line.starts_with("forged")),
                "{said:?}"
            );
            // Of what was typed wrongly the parser leaves sequences out.
            let is_usage = output.status.code() == Some(2);
            assert!(is_usage || String::from_utf8_lossy(&said).contains("1b"), "{args:?}: {said:?}");
        }
    }
}
