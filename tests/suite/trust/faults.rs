//! Disks that fail, under every command: one call on a file of data, model or result gives an error, or all from some
//! moment on do. The command ends in words or with a whole result, and without the fault it ends as if there had been
//! none.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_pcg::Pcg64Mcg;

use super::program::{Ended, Fault, Tree, difference, start, start_command, watch};
use super::tasks::{TASKS, Task};
use super::world::World;
use super::{cases, dice};
use crate::xvfb::Screen;

/// What a disk says, and for which calls.
const ERRORS: [(i32, &str, &str); 4] = [
    (libc::EIO, "EIO", "ocrmwtsnudlx"),
    (libc::ENOSPC, "ENOSPC", "cwtsnd"),
    (libc::EACCES, "EACCES", "ocnudlx"),
    (libc::ENOENT, "ENOENT", "olx"),
];

#[test]
fn a_disk_that_fails_under_data_sets_and_banks_is_told_and_spoils_nothing() {
    under(&["synth", "get", "embed", "export", "parquet", "import", "merge", "convert"]);
}

#[test]
fn a_disk_that_fails_under_a_run_is_told_and_spoils_nothing() {
    under(&["train"]);
}

#[test]
fn a_disk_that_fails_under_measures_and_figures_is_told_and_spoils_nothing() {
    under(&["eval", "heatmap", "gallery", "figure", "curve"]);
}

fn under(names: &[&str]) {
    let world = World::shared();
    let mut wrong = vec![];
    let (mut faults, mut met, mut told) = (0, 0, 0);
    for task in TASKS.iter().filter(|task| names.contains(&task.name)) {
        let undisturbed = task.undisturbed(&world, &world.out(&format!("whole-{}", task.name)));
        let letters = calls_of(task, &world);
        for case in 0..cases(if task.name == "train" { 20 } else { 14 }) {
            let fault = draw(&mut dice::of(task.name, case), &letters);
            let name = format!("fault-{}-{case}", task.name);
            let trial = Trial { task, world: &world, undisturbed: &undisturbed, out: &world.out(&name) };
            let (was_met, was_told, found) = trial.suffer(&fault);
            (faults, met, told) = (faults + 1, met + usize::from(was_met), told + usize::from(was_told));
            wrong.extend(
                found.map(|found| format!("{} {} {fault:?}: {found}", task.name, error_name(&fault))),
            );
        }
    }
    println!("{faults} faults under {names:?}: {met} were met, {told} ended the command in words");
    assert!(wrong.is_empty(), "{} of {faults}:\n{}", wrong.len(), wrong.join("\n"));
}

fn error_name(fault: &Fault) -> &'static str {
    ERRORS.iter().find(|(errno, ..)| *errno == fault.errno).map_or("?", |(_, name, _)| name)
}

/// The calls that it makes on files of the world, in order.
fn calls_of(task: &Task, world: &World) -> String {
    let (out, log) =
        (world.out(&format!("calls-{}", task.name)), world.path(&format!("letters-{}", task.name)));
    start(&task.args(world, &out), |command| watch(command, world.folder(), &log))
        .end()
        .expect_well(task.name);
    std::fs::read_to_string(&log).unwrap()
}

/// A fault among calls that are made.
fn draw(dice: &mut Pcg64Mcg, letters: &str) -> Fault {
    loop {
        let (errno, _, calls) = ERRORS.choose(dice).expect("some");
        let call = calls.chars().nth(dice.random_range(0..calls.len())).expect("within");
        let count = letters.chars().filter(|letter| *letter == call).count();
        if count > 0 {
            // What is full stays full; what is broken may be so for once.
            let stays = *errno == libc::ENOSPC || dice.random_bool(0.3);
            let calls = if stays && *errno == libc::ENOSPC { "cwtd".into() } else { call.to_string() };
            return Fault { calls, nth: dice.random_range(0..count), errno: *errno, stays };
        }
    }
}

struct Trial<'a> {
    task: &'a Task,
    world: &'a World,
    undisturbed: &'a Tree,
    out: &'a Path,
}

impl Trial<'_> {
    /// Whether the fault was met, whether the command said so, and what is wrong.
    fn suffer(&self, fault: &Fault) -> (bool, bool, Option<String>) {
        let log = self.out.with_extension("log");
        let args = self.task.args(self.world, self.out);
        let ended = start(&args, |command| fault.set(command, self.world.folder(), &log)).end();
        let met = std::fs::read_to_string(&log).is_ok_and(|log| log.contains('!'));
        let verdict = ended.verdict();
        let mut wrong = vec![];
        match &verdict {
            Err(words) => wrong.push(words.clone()),
            Ok(true) => {
                let mut result = self.task.result(self.out, &ended);
                // Only what cannot be removed stays, or not even be seen from then on; until the next comes.
                if fault.calls.contains('u') || (fault.calls.contains('x') && fault.stays) {
                    let is_ours =
                        |name: &str| ["/.bagssl", "/.unpacking-"].iter().any(|left| name.contains(left));
                    result.retain(|name, _| !is_ours(name));
                }
                let differs = self.differs(result);
                wrong.extend(
                    differs.map(|differs| format!("it ends well, but {differs}: {}", ended.stderr.trim())),
                );
            }
            Ok(false) => wrong.extend(self.task.halves(self.out, self.undisturbed)),
        }
        let again = self.task.run(self.world, self.out);
        match again.verdict() {
            Ok(true) => {
                let differs = self.differs(self.task.result(self.out, &again));
                wrong.extend(differs.map(|differs| format!("then without the fault {differs}")));
            }
            Ok(false) => wrong.push(format!("then without the fault it fails: {}", again.stderr.trim())),
            Err(words) => wrong.push(format!("then without the fault {words}")),
        }
        let told = if verdict == Ok(false) { ended.stderr.trim() } else { "" };
        let found = (!wrong.is_empty()).then(|| format!("{} [it said: {told}]", wrong.join("; ")));
        std::fs::remove_dir_all(self.out).unwrap();
        (met, verdict == Ok(false), found)
    }

    /// What is another than undisturbed. A run goes on without a probe that cannot be made, and says so in its folder.
    fn differs(&self, mut result: Tree) -> Option<String> {
        let mut expected = self.undisturbed.clone();
        let notices = result.get("run/notices.jsonl").map(|notices| String::from_utf8_lossy(notices));
        if notices.is_some_and(|notices| notices.contains("the probe of step")) {
            let is_of_probes = |name: &String| name.starts_with("run/probes") || name == "run/notices.jsonl";
            [&mut result, &mut expected]
                .into_iter()
                .for_each(|tree| tree.retain(|name, _| !is_of_probes(name)));
        }
        difference(&result, &expected)
    }
}

#[test]
fn a_disk_that_fails_under_the_window_is_told_and_spoils_nothing() {
    let Some(screen) = Screen::start() else { return };
    let world = World::shared();
    let log = world.path("window.letters");
    let opened = session(&screen, &world, |command| watch(command, world.folder(), &log));
    assert_eq!(opened.verdict(), Ok(true), "{}", opened.stderr);
    let letters = std::fs::read_to_string(&log).unwrap();
    let mut wrong = vec![];
    let (mut faults, mut told) = (0, 0);
    for case in 0..cases(6) {
        let fault = draw(&mut dice::of("window", case), &letters);
        let log = world.path(&format!("window-{case}"));
        let ended = session(&screen, &world, |command| fault.set(command, world.folder(), &log));
        faults += 1;
        match ended.verdict() {
            Ok(well) => told += usize::from(!well),
            Err(words) => wrong.push(format!("{} {fault:?}: {words}", error_name(&fault))),
        }
    }
    let again = session(&screen, &world, |_| ());
    assert_eq!(again.verdict(), Ok(true), "then without a fault: {}", again.stderr);
    println!("{faults} faults under the window, {told} ended it in words");
    assert!(wrong.is_empty(), "{} of {faults}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_window_that_was_killed_opens_again() {
    let Some(screen) = Screen::start() else { return };
    let world = World::shared();
    for kill in 0..cases(3) {
        let delay = dice::of("killed window", kill).random_range(0.0..4.0);
        start_command(window(&screen, &world), |_| ()).kill_after(Duration::from_secs_f64(delay));
    }
    let again = session(&screen, &world, |_| ());
    assert_eq!(again.verdict(), Ok(true), "{}", again.stderr);
}

/// The window on the world's images, with a home in the world.
fn window(screen: &Screen, world: &World) -> Command {
    let mut command = screen.command();
    for home in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        command.env(home, world.path("home"));
    }
    command.args(["gui", "--data", &world.text("parts"), "--model", &world.text("model.safetensors")]);
    command
}

/// Opens the window, lets it work for a moment, closes it.
fn session(screen: &Screen, world: &World, set: impl FnOnce(&mut Command)) -> Ended {
    let mut running = start_command(window(screen, world), set);
    let started = Instant::now();
    while !running.has_ended() && started.elapsed() < Duration::from_secs(40) {
        std::thread::sleep(Duration::from_millis(800));
        // There is no window yet, or none any more: then nobody takes the key.
        screen.try_xdotool(&[
            "search",
            "--onlyvisible",
            "--name",
            "^bagssl$",
            "windowfocus",
            "sleep",
            "0.6",
            "key",
            "ctrl+q",
        ]);
    }
    running.end()
}
