use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by floor, as in the table of `src/lib.rs`.
const FLOORS: [(u32, &[&str]); 7] = [
    (0, &["patch", "image", "progress", "colormap", "stats", "files", "words", "threads"]),
    (1, &["device", "dataset", "augment", "kernel"]),
    (2, &["model", "objective", "bank"]),
    (3, &["train", "embed", "search"]),
    (4, &["analysis", "eval", "figure"]),
    (5, &["engine"]),
    (6, &["cli", "gui"]),
];

/// What the two faces may see besides `engine`.
const FACES_SEE: [&str; 3] = ["patch", "image", "figure"];

fn floor_of(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(floor, _)| *floor)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a file names with `crate::room`, its test modules included.
fn rooms_used(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut rooms = vec![];
    for line in code {
        for part in line.split("crate::").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            rooms.push(name);
        }
    }
    rooms
}

#[test]
fn a_room_imports_only_from_floors_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![];
    sources(&src, &mut files);
    let mut wrong = vec![];
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let room = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some(floor) = floor_of(room) else {
            assert!(["lib", "main"].contains(&room), "{room} stands on no floor of the table");
            continue;
        };
        for used in rooms_used(&fs::read_to_string(&file).unwrap()) {
            let Some(other) = floor_of(&used) else { continue };
            let face = floor == 6 && other != 0 && !FACES_SEE.contains(&used.as_str()) && used != "engine";
            // `cli` opens the window; nothing else crosses a floor sideways.
            let opens_window = room == "cli" && used == "gui";
            if used != room && (other >= floor || face) && !opens_window {
                wrong.push(format!("{} uses crate::{used}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_module_map_names_every_room() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for (floor, rooms) in FLOORS {
        for room in rooms {
            let row = map.lines().find(|line| line.contains(&format!("[`{room}`]")));
            assert!(row.is_some_and(|row| row.starts_with(&format!("//! | {floor} |"))), "{room} on {floor}");
        }
    }
}

#[test]
fn the_lock_file_holds_one_wgpu() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let mut versions: BTreeMap<&str, u32> = BTreeMap::new();
    for name in ["wgpu", "naga"] {
        let count = lock.lines().filter(|line| *line == format!("name = \"{name}\"")).count();
        versions.insert(name, count as u32);
    }
    assert_eq!(versions, BTreeMap::from([("wgpu", 1), ("naga", 1)]));
}
