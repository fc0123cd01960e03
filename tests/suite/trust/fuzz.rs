//! Spoilt bytes in front of every reader: each is taken or refused in words, without a panic, a hang or much memory.
//!
//! A reader works in a process of its own, this test program started again, so that what ends a process is seen, too,
//! and its memory is bounded. An input that does harm is kept in the folder of the target's temporary files.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};

use super::program::{start_command, tree};
use super::readers::{READERS, Reader};
use super::world::World;
use super::{cases, dice};

/// For the process of a reader.
const READER: &str = "BAGSSL_TRUST_READER";
const WORLD: &str = "BAGSSL_TRUST_WORLD";
const PLACE: &str = "BAGSSL_TRUST_PLACE";
/// Address space that a reader may take beyond what its process has, bytes: a picture of the largest size that is read
/// is 0.8 GB once as samples and once as an image.
const MEMORY: u64 = 3 << 30;
/// No input takes so long that does not hang.
const PATIENCE: Duration = Duration::from_secs(120);
/// Harm is told so many times.
const MOST_TOLD: usize = 12;

/// What the process of a reader found.
#[derive(Default, Serialize, Deserialize)]
struct Report {
    inputs: usize,
    taken: usize,
    refused: usize,
    slowest_ms: u128,
    wrong: Vec<String>,
}

macro_rules! readers {
    ($($test:ident $name:literal)*) => {
        $(#[test] fn $test() { hold($name); })*

        #[test]
        fn every_reader_is_tried() {
            assert_eq!(READERS.map(|reader| reader.name), [$($name),*]);
        }
    };
}

readers! {
    pictures "pictures"
    cifar "cifar"
    archives "archives"
    sidecars "sidecars"
    configurations "configurations"
    plans "plans"
    results "results"
    pages "pages"
    settings "settings"
    links "links"
    lines "lines"
    models "models"
    checkpoints "checkpoints"
    banks "banks"
    codes "codes"
    parts "parts"
    imports "imports"
    runs "runs"
    resumed_runs "resumed runs"
    caches "caches"
    window_settings "window settings"
    downloads "downloads"
}

/// Tries a reader in a process of its own.
fn hold(name: &str) {
    let world = World::shared();
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let child = format!("{}::one_reader_in_its_own_process", module_path!().split_once("::").unwrap().1);
    command.args(["--exact", &child, "--nocapture", "--test-threads", "1"]);
    command.env(READER, name).env(WORLD, world.folder()).env(PLACE, place.path());
    let mut running = start_command(command, |_| ());
    let at = || fs::read_to_string(place.path().join("at")).unwrap_or_default();
    let (mut last, mut since) = (at(), Instant::now());
    while !running.has_ended() {
        std::thread::sleep(Duration::from_millis(10));
        if at() != last {
            (last, since) = (at(), Instant::now());
        }
        if since.elapsed() > PATIENCE {
            running.kill_after(Duration::ZERO);
            panic!("{name} hangs at input {last}: {}", keep(place.path(), name, &last));
        }
    }
    let ended = running.end();
    let report = fs::read(place.path().join("report.json")).ok();
    let Some(report) = report.and_then(|bytes| serde_json::from_slice::<Report>(&bytes).ok()) else {
        let kept = keep(place.path(), name, &at());
        panic!(
            "{name} ends its process at input {}, {}: {kept}\n{}{}",
            at(),
            ended.status,
            ended.stdout,
            ended.stderr
        );
    };
    let Report { inputs, taken, refused, slowest_ms, wrong } = report;
    println!("{name}: {inputs} inputs, {taken} taken, {refused} refused, the slowest took {slowest_ms} ms");
    assert!(wrong.is_empty(), "{name}, {} of {inputs} inputs:\n{}", wrong.len(), wrong.join("\n"));
}

/// Keeps the input that did harm; says where.
fn keep(place: &Path, name: &str, input: &str) -> String {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", input.replace('/', "_")));
    match fs::copy(place.join("input"), &kept) {
        Ok(_) => format!("kept as {}", kept.display()),
        Err(error) => format!("not kept: {error}"),
    }
}

/// Not a test by itself: the other end of [`hold`].
#[test]
fn one_reader_in_its_own_process() {
    let told = |name| std::env::var_os(name);
    let (Some(name), Some(world), Some(place)) = (told(READER), told(WORLD), told(PLACE)) else { return };
    let reader = READERS.iter().find(|reader| name == reader.name).expect("a reader");
    let place = PathBuf::from(place);
    let report = Trial::new(reader, PathBuf::from(world), place.clone()).run();
    fs::write(place.join("report.json"), serde_json::to_vec(&report).unwrap()).unwrap();
}

/// A reader while it is tried.
struct Trial {
    reader: &'static Reader,
    world: PathBuf,
    place: PathBuf,
    /// Where the files lie.
    files: PathBuf,
    /// As they were laid.
    valid: BTreeMap<String, Vec<u8>>,
    report: Report,
}

impl Trial {
    fn new(reader: &'static Reader, world: PathBuf, place: PathBuf) -> Self {
        let mut trial = Self {
            reader,
            files: place.join("files"),
            world,
            place,
            valid: BTreeMap::new(),
            report: Report::default(),
        };
        trial.lay();
        trial.valid = read_all(&trial.files);
        trial
    }

    fn lay(&self) {
        // The first time there is nothing.
        let _ = fs::remove_dir_all(&self.files);
        fs::create_dir_all(&self.files).unwrap();
        (self.reader.lay)(&self.world, &self.files);
    }

    fn run(mut self) -> Report {
        std::panic::set_hook(Box::new(|_| ()));
        bound_memory();
        let names: Vec<String> = self.valid.keys().cloned().collect();
        // Where reading is work, one file as it is stands for all.
        let as_it_is = if self.reader.is_written { 1 } else { names.len() };
        for name in names.iter().take(as_it_is) {
            let is_right = self.try_input(0, name, self.valid[name].clone());
            if (self.reader.is_spoilt)(name) && !is_right {
                self.report.wrong.push(format!("{name} is refused as it is"));
            }
        }
        let spoilt: Vec<&String> = names.iter().filter(|name| (self.reader.is_spoilt)(name)).collect();
        for case in 1..=cases(self.reader.inputs) {
            let mut dice = dice::of(self.reader.name, case);
            let name = *spoilt.choose(&mut dice).expect("some file");
            let mut bytes = self.valid[name].clone();
            if dice.random_bool(0.5) {
                without_sums(&mut bytes);
            }
            let others: Vec<&[u8]> = self.valid.values().map(Vec::as_slice).collect();
            dice::spoil(&mut dice, &mut bytes, &others);
            self.try_input(case, name, bytes);
            if self.report.wrong.len() >= MOST_TOLD {
                break;
            }
        }
        self.report
    }

    /// Whether the input is taken.
    fn try_input(&mut self, case: usize, name: &str, bytes: Vec<u8>) -> bool {
        if self.reader.is_written {
            self.lay();
        }
        let (input, file) = (format!("{case}-{name}"), self.files.join(name));
        fs::write(self.place.join("input"), &bytes).unwrap();
        fs::write(self.place.join("at"), &input).unwrap();
        fs::write(&file, bytes).unwrap();
        let started = Instant::now();
        let read = catch_unwind(AssertUnwindSafe(|| (self.reader.read)(&self.files, name)));
        self.report.slowest_ms = self.report.slowest_ms.max(started.elapsed().as_millis());
        self.report.inputs += 1;
        let (taken, wrong) = match read {
            Ok(Ok(())) => (true, None),
            Ok(Err(error)) => (false, self.complaint(&format!("{error:#}"))),
            Err(panic) => (false, Some(format!("panics: {}", panic_words(&*panic)))),
        };
        *(if taken { &mut self.report.taken } else { &mut self.report.refused }) += 1;
        if let Some(wrong) = wrong {
            self.report
                .wrong
                .push(format!("input {input} {wrong}; {}", keep(&self.place, self.reader.name, &input)));
        }
        fs::write(&file, &self.valid[name]).unwrap();
        taken
    }

    /// What is wrong with the words of an error.
    fn complaint(&self, words: &str) -> Option<String> {
        let place = self.files.to_string_lossy();
        if words.trim().is_empty() {
            Some("is refused without a word".into())
        } else if self.reader.names_file && !words.contains(&*place) {
            Some(format!("is refused without a file's name: {words}"))
        } else {
            None
        }
    }
}

fn read_all(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = tree(folder).into_keys().filter(|name| !name.ends_with('/'));
    names.map(|name| (name.clone(), fs::read(folder.join(&name)).unwrap())).collect()
}

/// Files with sums under another key are files without sums: what is spoilt in them comes to the reader's eyes.
fn without_sums(bytes: &mut [u8]) {
    if let Some(at) = bytes.windows(8).position(|window| window == b"\"crc32c\"") {
        bytes[at + 6] = b'x';
    }
}

fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    words.unwrap_or("?").into()
}

/// From here on this process may take so much address space more.
fn bound_memory() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let taken = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let Some(taken) = taken else { return };
    let most = (taken << 10) + MEMORY;
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: a valid place that is only read.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}
