//! Floors: a room imports only from floors below it, a wing of a large room too, and no circle of imports stands
//! anywhere. The tables here are those of `src/lib.rs`, `src/engine/mod.rs` and `src/gui/mod.rs`. A type's name is
//! defined once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

use crate::imports::{Imports, is_test};

/// Rooms by floor, as in the table of `src/lib.rs`.
const FLOORS: [(u32, &[&str]); 7] = [
    (0, &["patch", "image", "progress", "colormap", "stats", "files", "paths", "words", "threads", "memory"]),
    (1, &["device", "dataset", "augment", "kernel", "tiles", "wire"]),
    (2, &["model", "objective", "bank"]),
    (3, &["train", "embed", "search"]),
    (4, &["analysis", "eval", "figure"]),
    (5, &["engine"]),
    (6, &["cli", "gui"]),
];

/// Wings of the large rooms by floor.
const WINGS: [(&str, &[&[&str]]); 3] = [
    (
        "engine",
        &[
            &["ask"],
            &["look"],
            &["runs"],
            &["tables"],
            &["figures"],
            &["compare"],
            &["live", "jobs"],
            &["remote"],
        ],
    ),
    (
        "gui",
        &[
            &["nouns"],
            &["paint"],
            &["widgets"],
            &["memory"],
            &["desk"],
            &["panels"],
            &["train"],
            &["evaluate"],
            &["views"],
            &["export"],
            &["app"],
        ],
    ),
    (
        "cli",
        &[
            &["shared"],
            &[
                "bank",
                "bench",
                "compare",
                "cooccurrence",
                "data",
                "embed",
                "eval",
                "geometry",
                "knn",
                "locality",
                "model",
                "results",
                "scatter",
                "serve",
                "train",
                "window",
            ],
            &["figure"],
            &["command"],
            &["main"],
        ],
    ),
];

/// What the two faces may see besides the engine, all of floor 0 and each other as it is told below.
const FACES_SEE: [&str; 2] = ["engine", "figure"];

/// Where the faces enter the engine.
const ENTRANCES: [&str; 5] = ["ask", "live", "jobs", "remote", "mod"];

/// Outside crates, and the rooms that may name them; others may be named anywhere.
const CRATES: [(&str, &[&str]); 32] = [
    ("lance", &["bank"]),
    ("lance_index", &["bank"]),
    ("lance_linalg", &["bank"]),
    ("arrow_array", &["bank"]),
    ("arrow_schema", &["bank"]),
    ("futures", &["bank"]),
    ("tokio", &["bank"]),
    ("bhtsne", &["analysis"]),
    ("burn", &["device", "kernel", "model", "objective", "train", "embed", "engine"]),
    ("burn_wgpu", &["device", "kernel"]),
    ("wgpu", &["device", "kernel", "search", "gui"]),
    ("eframe", &["gui"]),
    ("egui", &["gui"]),
    ("egui_wgpu", &["gui"]),
    ("egui_plot", &["gui"]),
    ("rfd", &["gui"]),
    ("plotters", &["figure"]),
    ("svg2pdf", &["figure"]),
    ("resvg", &["figure"]),
    ("usvg", &["figure"]),
    ("ttf_parser", &["figure"]),
    ("tiny_skia", &["figure", "dataset"]),
    ("ureq", &["dataset"]),
    ("tar", &["dataset"]),
    ("zip", &["model", "bank"]),
    ("memmap2", &["files"]),
    ("libc", &["files", "cli", "memory"]),
    ("ciborium", &["wire"]),
    ("indicatif", &["cli"]),
    ("ctrlc", &["cli"]),
    ("env_logger", &["cli"]),
    ("safetensors", &["files", "bank", "model", "train", "eval", "objective"]),
];

fn imports() -> Imports {
    Imports::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// The first two parts of a path below `src`, without their endings: room, and wing or file.
fn room_and_wing(path: &str) -> (&str, &str) {
    let mut parts = path.trim_end_matches(".rs").split('/');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn floor_of(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(floor, _)| *floor)
}

/// Whether a room may import from another.
fn may_see(room: &str, other: &str) -> bool {
    let (Some(floor), Some(below)) = (floor_of(room), floor_of(other)) else { return true };
    // `cli` opens the window; nothing else crosses a floor sideways.
    let opens_window = room == "cli" && other == "gui";
    if floor == 6 {
        return room == other || below == 0 || FACES_SEE.contains(&other) || opens_window;
    }
    room == other || below < floor
}

#[test]
fn a_room_imports_only_from_floors_below_it() {
    let imports = imports();
    let mut wrong = vec![];
    for (index, file) in imports.files.iter().enumerate() {
        let room = room_and_wing(&file.path).0;
        let is_top = ["lib", "main"].contains(&room);
        assert!(is_top || floor_of(room).is_some(), "{room} stands on no floor of the table");
        let strange = imports.rooms_named(index).into_iter().filter(|other| !may_see(room, other));
        wrong.extend(strange.map(|other| format!("{} names crate::{other}", file.path)));
    }
    for (from, to) in imports.arrows() {
        let path = &imports.files[from].path;
        let room = room_and_wing(path).0;
        let is_up = |to: usize| match room_and_wing(&imports.files[to].path) {
            // What the engine hands the faces of lower rooms comes to them from there.
            ("engine", wing) => ["cli", "gui"].contains(&room) && !ENTRANCES.contains(&wing),
            (other, _) => floor_of(room) != Some(6) && !may_see(room, other),
        };
        let up = to.iter().filter(|(to, _)| is_up(**to));
        wrong
            .extend(up.map(|(to, names)| format!("{path} takes {names:?} from {}", imports.files[*to].path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wing_imports_only_from_wings_below_it() {
    let imports = imports();
    let mut wrong = vec![];
    for (room, floors) in WINGS {
        let floor = |wing: &str| floors.iter().position(|wings| wings.contains(&wing));
        for (from, to) in imports.arrows() {
            let (path, (of, wing)) = (&imports.files[from].path, room_and_wing(&imports.files[from].path));
            if of != room || wing == "mod" {
                continue;
            }
            let own = floor(wing).unwrap_or_else(|| panic!("{path} stands in no wing of the table"));
            for (to, names) in to {
                let (other_room, other) = room_and_wing(&imports.files[to].path);
                let is_inside = other_room == room && other != wing && other != "mod";
                if is_inside && floor(other).is_none_or(|below| below >= own) {
                    wrong.push(format!("{path} takes {names:?} from {}", imports.files[to].path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_circle_of_imports_stands() {
    let imports = imports();
    let arrows = imports.arrows();
    let mut told = String::new();
    for circle in imports.circles(&arrows) {
        told += "a circle:\n";
        for from in &circle {
            for (to, names) in arrows.get(from).into_iter().flatten().filter(|(to, _)| circle.contains(to)) {
                let (from, to) = (&imports.files[*from].path, &imports.files[*to].path);
                told += &format!("  {from} takes {names:?} from {to}\n");
            }
        }
    }
    assert!(told.is_empty(), "{told}");
}

#[test]
fn a_room_names_only_the_crates_that_are_its_business() {
    let imports = imports();
    let mut wrong = vec![];
    for (index, file) in imports.files.iter().enumerate() {
        let room = room_and_wing(&file.path).0;
        let used = imports.crates(index);
        let strange = CRATES.iter().filter(|(name, rooms)| used.contains(*name) && !rooms.contains(&room));
        wrong.extend(strange.map(|(name, _)| format!("{} names {name}", file.path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Names of the types that `items` define, those of inline modules and of macros included; what a function's
/// body or a test module defines is theirs alone.
fn types_of(items: &[syn::Item], names: &mut Vec<String>) {
    for item in items {
        match item {
            syn::Item::Enum(item) => names.push(item.ident.to_string()),
            syn::Item::Struct(item) => names.push(item.ident.to_string()),
            syn::Item::Trait(item) => names.push(item.ident.to_string()),
            syn::Item::Type(item) => names.push(item.ident.to_string()),
            syn::Item::Union(item) => names.push(item.ident.to_string()),
            syn::Item::Macro(item) => types_in_tokens(item.mac.tokens.clone(), names),
            syn::Item::Mod(syn::ItemMod { attrs, content: Some((_, items)), .. }) if !is_test(attrs) => {
                types_of(items, names);
            }
            _ => {}
        }
    }
}

/// Names behind the words that define a type.
fn types_in_tokens(tokens: TokenStream, names: &mut Vec<String>) {
    let mut defines = false;
    for token in tokens {
        defines = match token {
            TokenTree::Ident(ident) => {
                let ident = ident.to_string();
                let is_word = ["enum", "struct", "trait", "union"].contains(&ident.as_str());
                if defines {
                    names.push(ident);
                }
                is_word
            }
            TokenTree::Group(group) => {
                types_in_tokens(group.stream(), names);
                false
            }
            _ => false,
        };
    }
}

/// Whoever reads a type's name, or searches for it, finds one type.
#[test]
fn no_type_name_is_defined_twice() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let imports = imports();
    // Files named so are test modules.
    let files = imports.files.iter().filter(|file| !file.path.ends_with("tests.rs"));
    for file in files {
        let syntax = syn::parse_file(&fs::read_to_string(src.join(&file.path)).unwrap()).unwrap();
        let mut names = vec![];
        types_of(&syntax.items, &mut names);
        for name in names {
            places.entry(name).or_default().push(file.path.clone());
        }
    }
    assert!(places.len() > 100, "only {} types were found", places.len());
    let twice = places.iter().filter(|(_, places)| places.len() > 1);
    let told: Vec<String> = twice.map(|(name, places)| format!("{name}: {}", places.join(", "))).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// Definitions are found in modules and macros; those of tests and of functions are not.
#[test]
fn types_are_found_in_modules_and_macros() {
    let text = "struct A; mod inner { pub type B = u8; } #[cfg(test)] mod tests { struct C; }
        macro_rules! parts { ($($part:ident)*) => { pub enum D { $($part),* } struct $name; } }
        fn f() { type E = u8; } impl F for A { type G = u8; } trait F { type G; } union H { a: u8 }";
    let mut names = vec![];
    types_of(&syn::parse_file(text).unwrap().items, &mut names);
    assert_eq!(names, ["A", "B", "D", "F", "H"]);
}

/// The reader of imports sees what the compiler sees.
#[test]
fn imports_are_found_through_groups_supers_re_exports_globs_and_macros() {
    let src = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = src.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a; mod b;");
    write("a/mod.rs", "mod deep; pub mod other; pub use deep::{Deep, Deep as Twice}; pub use other::*;");
    write("a/deep.rs", "use super::other::Other; pub struct Deep(Other);");
    write(
        "a/other.rs",
        "pub struct Other; pub fn help() {} #[cfg(test)] mod tests { use crate::b::grouped::X; }",
    );
    write("b/mod.rs", "mod grouped; mod glob; mod called; mod silent;");
    write("b/grouped.rs", "use crate::{a::{Twice, Deep}, b::silent::Y as Z}; pub struct X(Twice, Deep, Z);");
    write("b/glob.rs", "use crate::a::*; fn f() { help() }");
    write("b/called.rs", "fn f() { println!(\"{}\", crate::a::help()); }");
    write("b/silent.rs", "pub use crate::a::Deep as Y;");
    let imports = Imports::read(src.path());
    let path = |index: &usize| imports.files[*index].path.clone();
    let mut found = vec![];
    for (from, to) in imports.arrows() {
        found.extend(to.keys().map(|to| format!("{} -> {}", path(&from), path(to))));
    }
    let expected = [
        "a/deep.rs -> a/other.rs",
        "b/called.rs -> a/mod.rs",
        "b/called.rs -> a/other.rs",
        "b/glob.rs -> a/mod.rs",
        "b/glob.rs -> a/other.rs",
        "b/grouped.rs -> a/deep.rs",
        "b/grouped.rs -> a/mod.rs",
        "b/grouped.rs -> b/silent.rs",
    ];
    assert_eq!(
        found, expected,
        "a re-export is no arrow; who takes the name from it has one to the definition and to each file on the way"
    );
    write("a/other.rs", "use crate::b::grouped::X; pub struct Other(X); pub fn help() {}");
    let imports = Imports::read(src.path());
    let circles = imports.circles(&imports.arrows());
    let path = |index: &usize| imports.files[*index].path.clone();
    let circles: Vec<Vec<String>> = circles.iter().map(|circle| circle.iter().map(path).collect()).collect();
    assert_eq!(circles, [["a/deep.rs", "a/other.rs", "b/grouped.rs"]]);
}

#[test]
fn the_maps_of_the_large_rooms_name_every_wing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (room, floors) in WINGS.iter().filter(|(room, _)| *room != "cli") {
        let map = fs::read_to_string(root.join(room).join("mod.rs")).unwrap();
        let place = |wing: &str| {
            let row =
                map.lines().find(|line| line.starts_with("//! |") && line.contains(&format!("`{wing}`")));
            row.unwrap_or_else(|| panic!("{room}: no row for {wing}"))
                .split('|')
                .nth(1)
                .unwrap()
                .trim()
                .to_owned()
        };
        let places: Vec<usize> = floors.iter().map(|wings| place(wings[0]).parse().unwrap()).collect();
        assert!(places.is_sorted(), "{room}: {places:?}");
    }
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
