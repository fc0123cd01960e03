//! Two writers of one folder, and readers beside a writer.

use std::fs;
use std::time::{Duration, Instant};

use bagssl::files::FolderLock;

use super::program::{difference, run, start, typed};
use super::tasks::task;
use super::world::World;

#[test]
fn whoever_comes_second_to_a_folder_is_told_who_writes_it() {
    let world = World::shared();
    let refused = |name: &str, folder: &str| {
        let (task, out) = (task(name), world.out(&format!("second-{name}")));
        let undisturbed = task.undisturbed(&world, &out);
        // The folder that its command locks lies somewhere below, and is made anew where it does not stay.
        let lock = FolderLock::take(&find(&out, folder)).unwrap();
        if name == "get" {
            fs::remove_dir_all(out.join("cifar/cifar-10-batches-bin")).unwrap();
        }
        let ended = start(&task.args(&world, &out), |_| ()).end();
        assert_eq!(ended.verdict(), Ok(false), "{name}: {}", ended.stderr);
        let who = format!("is being written by process {}", std::process::id());
        assert!(ended.stderr.contains(&who), "{name}: {}", ended.stderr);
        drop(lock);
        let ended = task.run(&world, &out).expect_well(name);
        assert_eq!(difference(&task.result(&out, &ended), &undisturbed), None, "{name}");
    };
    refused("embed", "bank");
    refused("train", "run");
    refused("get", "cifar");
    refused("eval", "cache");
}

/// The folder that is written: of a cache, the first of its parts.
fn find(out: &std::path::Path, folder: &str) -> std::path::PathBuf {
    let path = out.join(folder);
    if folder != "cache" {
        return path;
    }
    let mut parts: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    parts.sort();
    parts.remove(0)
}

#[test]
fn of_two_at_once_one_does_it_and_the_result_is_whole() {
    let world = World::shared();
    for name in ["embed", "train", "eval", "get", "synth", "heatmap", "export"] {
        let (task, out) = (task(name), world.out(&format!("both-{name}")));
        let undisturbed = task.undisturbed(&world, &world.out(&format!("alone-{name}")));
        let args = task.args(&world, &out);
        let both = [(); 2].map(|()| start(&args, |_| ()));
        let ended = both.map(super::program::Running::end);
        for one in &ended {
            let words = one.verdict().unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
            let is_known = ["is being written by ", "holds a run already"];
            assert!(
                words || is_known.iter().any(|known| one.stderr.contains(known)),
                "{name}: {}",
                one.stderr
            );
        }
        let done =
            ended.iter().find(|one| one.status.success()).unwrap_or_else(|| panic!("{name}: nobody did it"));
        assert_eq!(difference(&task.result(&out, done), &undisturbed), None, "{name}");
    }
}

#[test]
fn readers_beside_a_writer_see_what_is_there_or_say_what_is_not() {
    let world = World::shared();
    let out = world.out("beside");
    let bank = out.join("bank").display().to_string();
    let run_folder = out.join("run").display().to_string();
    let embed = task("embed").args(&world, &out);
    let train = task("train").args(&world, &out);
    let looks = [
        typed(format!("bank info {bank} --json")),
        typed(format!("knn --bank {bank} --query 0:0:0 --k 5 --json")),
        typed(format!("model info {run_folder} --json")),
        typed(format!("figure {run_folder} --out {}", world.text("beside.svg"))),
    ];
    let (mut seen, mut not_yet) = (0, 0);
    let mut writers = [start(&embed, |_| ()), start(&train, |_| ())];
    let started = Instant::now();
    while writers.iter_mut().any(|writer| !writer.has_ended()) && started.elapsed() < Duration::from_secs(60)
    {
        for look in &looks {
            let ended = run(look);
            let is_there = ended.verdict().unwrap_or_else(|wrong| panic!("{look:?}: {wrong}"));
            *(if is_there { &mut seen } else { &mut not_yet }) += 1;
            let named = [&bank, &run_folder].into_iter().any(|folder| ended.stderr.contains(folder.as_str()));
            let too_early = ended.stderr.contains("not in the bank") || ended.stderr.contains("not yet");
            assert!(is_there || named || too_early, "{look:?}: {}", ended.stderr);
        }
    }
    for writer in writers {
        writer.end().expect_well("a writer with readers beside it");
    }
    for look in &looks {
        assert_eq!(run(look).verdict(), Ok(true), "{look:?}");
    }
    println!("{seen} looks beside writers saw something, {not_yet} were told that there is nothing yet");
}
