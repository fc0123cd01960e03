//! The program, watched: how it ended, what it said, what it left.

use crate::support::program;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything here takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the program ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    /// It did not end by itself.
    pub hung: bool,
}

/// The program while it runs.
pub struct Running {
    child: Child,
    started: Instant,
    said: [File; 2],
}

/// Starts the program on the CPU; `set` may change the command.
pub fn start(args: &[String], set: impl FnOnce(&mut Command)) -> Running {
    let mut command = program();
    command.args(args).args(["--device", "cpu", "--threads", "2"]);
    start_command(command, set)
}

pub fn start_command(mut command: Command, set: impl FnOnce(&mut Command)) -> Running {
    // Files, so that nobody waits for a reader.
    let said = [(); 2].map(|()| tempfile::tempfile().unwrap());
    let [out, err] = [0, 1].map(|index| Stdio::from(said[index].try_clone().unwrap()));
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    set(&mut command);
    Running { child: command.spawn().expect("the program starts"), started: Instant::now(), said }
}

impl Running {
    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Ends it after so long; whether it was still running.
    pub fn kill_after(mut self, delay: Duration) -> bool {
        std::thread::sleep(delay);
        let runs = !self.has_ended();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        runs
    }

    pub fn end(self) -> Ended {
        self.end_within(PATIENCE)
    }

    pub fn end_within(mut self, patience: Duration) -> Ended {
        let mut hung = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > patience {
                hung = true;
                self.child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let [stdout, stderr] = self.said.map(|mut file| {
            let mut bytes = vec![];
            file.rewind().unwrap();
            file.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ended { status, stdout, stderr, hung }
    }
}

/// Runs the program to its end.
pub fn run(args: &[String]) -> Ended {
    start(args, |_| ()).end()
}

/// The arguments in a line; no path of these tests has a blank.
pub fn typed(line: impl AsRef<str>) -> Vec<String> {
    line.as_ref().split_whitespace().map(str::to_owned).collect()
}

impl Ended {
    /// Whether it did what it was asked, or says in words why not; everything else is a fault.
    pub fn verdict(&self) -> Result<bool, String> {
        let said = self.stderr.trim();
        let wrong = |what: &str| Err(format!("{what}, {}: {said}", self.status));
        match self.status.code() {
            _ if self.hung => wrong("it hangs"),
            _ if said.contains("panicked at") => wrong("it panics"),
            Some(0) => Ok(true),
            Some(1) if said.contains("error: ") => Ok(false),
            Some(1) => wrong("it fails without a word"),
            _ => wrong("it ends otherwise than with 0 or 1"),
        }
    }

    /// Panics unless it did what it was asked.
    pub fn expect_well(self, what: &str) -> Self {
        assert!(self.status.success(), "{what}: {} {}", self.status, self.stderr);
        self
    }
}

/// The shim of `tests/faults/shim.rs`, built once.
pub fn shim() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.rs");
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shim-{}.so", std::process::id()));
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command.args([
            "--edition",
            "2024",
            "--crate-type",
            "cdylib",
            "-C",
            "opt-level=2",
            "-C",
            "panic=abort",
            "-o",
        ]);
        let built = command.arg(&out).arg(&source).output().expect("rustc starts");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        out
    })
}

/// A call that is to fail, or to be the last.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Letters of calls, as the shim knows them.
    pub calls: String,
    /// Which of them, from 0.
    pub nth: usize,
    /// The error's number; 0 kills.
    pub errno: i32,
    /// So do all later ones.
    pub stays: bool,
}

impl Fault {
    /// Has `command` meet it on a file below `prefix`; `log` gets a `!` when it does.
    pub fn set(&self, command: &mut Command, prefix: &Path, log: &Path) {
        let set =
            [("CALLS", self.calls.clone()), ("NTH", self.nth.to_string()), ("ERRNO", self.errno.to_string())];
        for (name, value) in set {
            command.env(format!("BAGSSL_FAULT_{name}"), value);
        }
        if self.stays {
            command.env("BAGSSL_FAULT_STAYS", "1");
        }
        watch(command, prefix, log);
    }
}

/// Has `command` write down its calls on files below `prefix` in `log`.
pub fn watch(command: &mut Command, prefix: &Path, log: &Path) {
    command.env("LD_PRELOAD", shim()).env("BAGSSL_FAULT_PREFIX", prefix).env("BAGSSL_FAULT_LOG", log);
}

/// What lies in a folder, by path, as far as it is the same each time.
pub type Tree = BTreeMap<String, Vec<u8>>;

pub fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    gather(folder, folder, &mut found);
    found
}

fn gather(top: &Path, folder: &Path, found: &mut Tree) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.strip_prefix(top).unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            gather(top, &path, found);
            found.insert(name + "/", vec![]);
        } else if !name.contains("events.out.tfevents") {
            let bytes = fs::read(&path).unwrap_or_default();
            let bytes = comparable(&name, bytes, top);
            // Lines that are all gone are as good as none.
            if !(bytes.is_empty() && name.ends_with(".jsonl")) {
                found.insert(name, bytes);
            }
        }
    }
}

/// Without times, rates and the place.
fn comparable(name: &str, bytes: Vec<u8>, top: &Path) -> Vec<u8> {
    if name.ends_with("environment.json") {
        return vec![];
    }
    if name.ends_with(".jsonl") {
        let text = String::from_utf8_lossy(&bytes);
        let lines =
            text.lines().map(|line| serde_json::from_str(line).map_or_else(|_| line.into(), timeless));
        return lines.flat_map(|line| [line, "\n".into()]).collect::<String>().into_bytes();
    }
    if name.ends_with("state.json") {
        return serde_json::from_slice(&bytes).map_or(bytes, |state| timeless(state).into_bytes());
    }
    if [".json", ".tex"].iter().any(|ending| name.ends_with(ending)) {
        return String::from_utf8_lossy(&bytes).replace(&*top.to_string_lossy(), "OUT").into_bytes();
    }
    bytes
}

/// The JSON value without what depends on the clock.
pub fn timeless(mut value: Value) -> String {
    fn strip(value: &mut Value) {
        const OF_THE_CLOCK: [&str; 9] = [
            "time",
            "seconds",
            "embedding_seconds",
            "views_per_second",
            "starved",
            "seconds_left",
            "memory_bytes",
            // Sums of lines that have times in them.
            "lines",
            "cache",
        ];
        match value {
            Value::Object(keys) => {
                OF_THE_CLOCK.iter().for_each(|key| drop(keys.remove(*key)));
                keys.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value.to_string()
}

/// What is another in two trees, in words.
pub fn difference(found: &Tree, expected: &Tree) -> Option<String> {
    let names: std::collections::BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differs = |name: &&String| found.get(*name) != expected.get(*name);
    let say = |name: &String| match (found.get(name), expected.get(name)) {
        (Some(found), Some(expected)) => {
            format!("{name} differs ({} and {} bytes)", found.len(), expected.len())
        }
        (Some(_), None) => format!("{name} is left over"),
        _ => format!("{name} is missing"),
    };
    let words: Vec<String> = names.into_iter().filter(differs).take(6).map(say).collect();
    (!words.is_empty()).then(|| words.join(", "))
}
