//! Every command that writes, killed at any moment, again and again, then run to its end: the result is that of a command
//! that nobody disturbed, nothing is left over, no lock is held.

use std::time::{Duration, Instant};

use rand::Rng;

use super::program::{Fault, Tree, difference, start, watch};
use super::tasks::{TASKS, Task};
use super::world::World;
use super::{cases, dice};

/// How often each is killed on its way.
const KILLS: usize = 3;

/// The moments that a kill at a call of the disk finds.
struct Moments {
    /// How long it takes undisturbed.
    whole: Duration,
    /// How many calls change something.
    calls: usize,
}

/// Letters of the calls that change what is on the disk, and of the looks after them.
const CHANGES: &str = "cwtsnud";

#[test]
fn a_command_that_was_killed_ends_as_if_it_had_not_been() {
    let world = World::shared();
    let mut wrong = vec![];
    let (mut kills, mut trials) = (0, 0);
    for task in &TASKS {
        let (undisturbed, moments) = measure(task, &world);
        for trial in 0..cases(if task.name == "train" { 2 } else { 3 }) {
            let name = format!("kill-{}-{trial}", task.name);
            let (killed, found) = kill(task, &world, &name, (&undisturbed, &moments));
            (kills, trials) = (kills + killed, trials + 1);
            wrong.extend(found.map(|found| format!("{name}: {found}")));
        }
    }
    println!("{kills} kills in {trials} trials of {} commands", TASKS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn measure(task: &Task, world: &World) -> (Tree, Moments) {
    let out = world.out(&format!("undisturbed-{}", task.name));
    let log = world.path(&format!("calls-{}", task.name));
    let started = Instant::now();
    let undisturbed = task.undisturbed(world, &out);
    let whole = started.elapsed();
    let again = world.out(&format!("counted-{}", task.name));
    start(&task.args(world, &again), |command| watch(command, &again, &log)).end().expect_well(task.name);
    let letters = std::fs::read_to_string(&log).unwrap();
    let calls = letters.chars().filter(|letter| CHANGES.contains(*letter)).count();
    (undisturbed, Moments { whole, calls })
}

/// Kills it some times, every other time at a call of the disk; then lets it end. Returns the kills, and what is wrong.
fn kill(
    task: &Task,
    world: &World,
    name: &str,
    (undisturbed, moments): (&Tree, &Moments),
) -> (usize, Option<String>) {
    let mut dice = dice::of(name, 0);
    let out = world.out(name);
    let log = world.path(&format!("{name}.log"));
    let mut killed = 0;
    for _ in 0..KILLS {
        let args = task.args(world, &out);
        let fell = if dice.random_bool(0.5) {
            start(&args, |_| ()).kill_after(moments.whole.mul_f64(dice.random_range(0.0..1.0)))
        } else {
            let nth = dice.random_range(0..moments.calls.max(1));
            let fault = Fault { calls: CHANGES.into(), nth, errno: 0, stays: false };
            start(&args, |command| fault.set(command, &out, &log)).end().status.code().is_none()
        };
        killed += usize::from(fell);
        if let Some(halves) = task.halves(&out, undisturbed) {
            return (killed, Some(halves));
        }
    }
    let ended = task.run(world, &out);
    let found = match ended.verdict() {
        Err(wrong) => Some(wrong),
        Ok(false) => Some(format!("it does not go on: {}", ended.stderr.trim())),
        Ok(true) => difference(&task.result(&out, &ended), undisturbed),
    };
    std::fs::remove_dir_all(&out).unwrap();
    (killed, found)
}
