use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bagssl::dataset::{self, Split};

/// The real images, where this machine has them; otherwise says that the test skips.
pub fn real_data() -> Option<PathBuf> {
    let path = std::env::var_os("BAGSSL_TEST_DATA").map(PathBuf::from).filter(|path| path.is_dir());
    if path.is_none() {
        println!("skipped: BAGSSL_TEST_DATA names no folder");
    }
    path
}

/// A file that a script under `tests/fixtures` made.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The program, which keeps no vectors for tests to find of each other.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bagssl"));
    command.env("XDG_CACHE_HOME", "/dev/null/none");
    command
}

/// Runs the program on the CPU.
pub fn bagssl(args: &[&str]) -> Output {
    let mut command = program();
    command.args(args).args(["--device", "cpu"]).output().expect("the program starts")
}

/// Runs the program, which must succeed, and reads the JSON document that it prints.
pub fn json(args: &[&str]) -> serde_json::Value {
    let output = bagssl(&[args, &["--json"]].concat());
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document on stdout")
}

/// Runs the program, which must fail with status 1, and returns what it says.
pub fn failure(args: &[&str]) -> String {
    let output = bagssl(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert!(output.stdout.is_empty(), "{args:?} failed but printed a result");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The images of the demo set's `split` that `--limit count` takes, in the order in which they are taken.
pub fn spread_of_demo(split: Split, count: usize) -> Vec<usize> {
    let data = dataset::open("demo", Some(split)).unwrap();
    dataset::spread(data.as_ref(), count, dataset::SPREAD_SEED)
}

/// A query patch as the command line takes it.
pub fn query(image: usize, y: u32, x: u32) -> &'static str {
    format!("{image}:{y}:{x}").leak()
}

/// The path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path of plain text")
}
