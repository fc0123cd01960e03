use std::path::Path;

use super::disk::Disk;
use super::*;
use crate::engine::QuerySpec;
use crate::gui::memory::openable::Openable;
use crate::gui::nouns::Tab;
use crate::patch::PatchRef;

fn pin(x: u32) -> QuerySpec {
    QuerySpec::one(PatchRef { image: 2, y: 0, x, size: 16 })
}

/// Settings at their file's opening, what is said, and the other files of the folder.
fn opened(path: &Path) -> (Settings, Vec<String>, Vec<String>) {
    let (_, settings, said) = Disk::open(path.into());
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|name| name != "settings.json");
    files.sort();
    (settings, said, files)
}

fn save(path: &Path, settings: &Settings) {
    let (mut disk, ..) = Disk::open(path.into());
    assert_eq!(disk.write(serde_json::to_value(settings).unwrap()), None);
}

#[test]
fn choices_recent_files_pins_the_window_and_the_tab_are_there_again_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("home/settings.json");
    let mut settings = Settings { tab: Tab::Train, hint: false, opacity: 60, ..Settings::default() };
    settings.recent.note(Openable::Run("/runs/a".into()));
    settings.pins.insert("demo test 9".into(), vec![pin(7)]);
    settings.window.zoom = 1.5;
    settings.window.set_panel("images", 200.0);
    settings.export.aliases.insert("12ab".into(), "ours".into());
    settings.range = [0.1, 0.3];
    save(&path, &settings);
    assert_eq!(opened(&path), (settings, vec![], vec![]));
    // A field a line, for people.
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().any(|line| line == "  \"opacity\": 60,"), "{text}");
}

#[test]
fn one_bad_field_loses_only_itself_and_is_said_and_the_file_is_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    let mut good = Settings { opacity: 60, grid: true, ..Settings::default() };
    good.pins.insert("a".into(), vec![pin(7), pin(9)]);
    good.recent.note(Openable::Run("/runs/a".into()));
    good.recent.note(Openable::Run("/runs/b".into()));
    good.export.dpi = 300;
    save(&path, &good);
    let text = std::fs::read_to_string(&path).unwrap();
    let unset = Settings::default();
    let less = |change: &dyn Fn(&mut Settings)| {
        let mut settings = good.clone();
        change(&mut settings);
        settings
    };
    let cases: [(&str, &str, &str, Settings); 9] = [
        (
            "\"opacity\": 60",
            "\"opacity\": 400",
            "opacity is 400: expected a percentage from 0 to 100",
            less(&|s| s.opacity = unset.opacity),
        ),
        (
            "\"opacity\": 60",
            "\"opacity\": \"much\"",
            "opacity is \"much\": invalid type",
            less(&|s| s.opacity = 100),
        ),
        ("[-1.0,1.0]", "[2,-7]", "range is [2,-7]: expected two numbers from -1 to 1", good.clone()),
        (
            "\"dpi\":300",
            "\"dpi\":1",
            "export.dpi is 1: expected 36 to 2400",
            less(&|s| s.export.dpi = unset.export.dpi),
        ),
        (
            "\"zoom\":1.0",
            "\"zoom\":0",
            "window.zoom is 0: expected a size of the interface from 0.2 to 5",
            good.clone(),
        ),
        ("\"zoom\":1.0", "\"zoom\":1e9", "window.zoom is 1000000000.0", good.clone()),
        ("\"position\":null", "\"position\":[1e9,0]", "window.position is", good.clone()),
        ("\"Run\":\"/runs/b\"", "\"Ran\":\"/runs/b\"", "recent.list[0] is {\"Ran\"", {
            let mut settings = less(&|s| s.recent = unset.recent.clone());
            settings.recent.note(Openable::Run("/runs/a".into()));
            settings
        }),
        (
            "\"width\":16",
            "\"width\":0",
            "pins.a[0] is",
            less(&|s| s.pins.get_mut("a").map(|pins| pins.remove(0)).map_or((), |_| ())),
        ),
    ];
    for (from, to, said, expected) in cases {
        assert!(text.contains(from), "{from} in {text}");
        let broken = text.replacen(from, to, 1);
        std::fs::write(&path, &broken).unwrap();
        let (settings, complaints, _) = opened(&path);
        assert_eq!(settings, expected, "{to}");
        let words = complaints.join("");
        assert!(complaints.len() == 1 && words.contains(said), "{words}");
        let aside = path.with_extension("json.bad");
        assert!(words.contains(aside.to_str().unwrap()), "{words}");
        assert_eq!(std::fs::read_to_string(&aside).unwrap(), broken);
        // What was sound is stored already, should this window be killed now.
        assert_eq!(opened(&path), (expected, vec![], vec!["settings.json.bad".into()]));
        std::fs::remove_file(&aside).unwrap();
    }
}

#[test]
fn a_file_that_is_no_json_loses_its_broken_lines_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    let good = Settings { opacity: 60, grid: true, hint: false, ..Settings::default() };
    save(&path, &good);
    let text = std::fs::read_to_string(&path).unwrap();
    let cut = &text[..text.find("\"opacity\"").unwrap() + 6];
    for broken in [text.replace("60", "NaN"), text.replace("60", "6e999"), cut.to_owned()] {
        std::fs::write(&path, broken).unwrap();
        let (settings, said, _) = opened(&path);
        assert!(said.len() == 1 && said[0].contains("expected JSON"), "{said:?}");
        assert_eq!((settings.opacity, settings.grid, settings.hint), (100, true, false));
    }
    for nothing in ["", "null", "[]", "\"text\"", "nonsense", "\u{0}\u{0}"] {
        std::fs::write(&path, nothing).unwrap();
        let (settings, said, _) = opened(&path);
        assert!(settings == Settings::default() && said.len() == 1, "{nothing:?} {said:?}");
    }
}

#[test]
fn two_windows_keep_what_each_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    let open = || Disk::open(path.clone());
    let ((mut one, settings, _), (mut other, ..)) = (open(), open());
    let (mut ours, mut theirs) = (settings.clone(), settings);
    let value = |settings: &Settings| serde_json::to_value(settings).unwrap();
    ours.pins.insert("a".into(), vec![pin(1)]);
    ours.opacity = 60;
    ours.recent.note(Openable::Run("/runs/a".into()));
    theirs.pins.insert("a".into(), vec![pin(2)]);
    theirs.pins.insert("b".into(), vec![pin(3)]);
    theirs.recent.note(Openable::Run("/runs/b".into()));
    theirs.grid = true;
    assert_eq!((one.write(value(&ours)), other.write(value(&theirs))), (None, None));
    // Neither saw what the other wrote; what they change now leaves it alone.
    ours.pins.clear();
    assert_eq!(one.write(value(&ours)), None);
    let (settings, said, _) = opened(&path);
    assert!(said.is_empty());
    assert_eq!(settings.pins, [("a".to_owned(), vec![pin(2)]), ("b".into(), vec![pin(3)])].into());
    assert!(settings.grid && settings.opacity == 60);
    assert_eq!(settings.recent.paths(), ["/runs/b", "/runs/a"].map(PathBuf::from));
}

/// As version 0.1.0 wrote it on closing.
const OLDER: &str = include_str!("older_sample.ron");

/// The same with more in it, as from a window that was in use for longer.
fn older_text() -> String {
    let recent = r#"recent:(list:[Run(\"/runs/a\"),Model((path:\"/m.safetensors\"))])"#;
    let pins =
        r#"pins:{\"demo test 9\":[(parts:[(sign:plus,source:box((image:2,y:0,x:7,height:16,width:16)))])]}"#;
    let changes = [
        ("range:(-1.0,1.0)", "range:(0.0,0.5)"),
        ("mode:cosine", "mode:difference"),
        ("contour:None", "contour:Some(0.25)"),
        ("opacity:100", "opacity:60"),
        ("tab:Explore,hint:true", "tab:Train,hint:false"),
        ("recent:(list:[])", recent),
        ("pins:{}", pins),
        ("zoom_factor:1.1", "zoom_factor:1.5"),
        ("Some((x:0.0,y:0.0)),scale_factor:1.0", "Some((x:200.0,y:100.0)),scale_factor:2.0"),
        ("inner_size_points:(x:1163.6364,y:727.2727)", "inner_size_points:(x:1000.0,y:600.0)"),
        ("maximized:false", "maximized:true"),
    ];
    changes.iter().fold(OLDER.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn what_an_earlier_version_kept_is_taken_over_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    std::fs::write(folder.path().join("app.ron"), older_text()).unwrap();
    let (settings, said, files) = opened(&path);
    assert_eq!(said, Vec::<String>::new());
    assert_eq!((settings.opacity, settings.range, settings.contour), (60, [0.0, 0.5], Some(0.25)));
    assert!(settings.tab == Tab::Train && !settings.hint);
    assert_eq!(settings.mode, crate::engine::MapMode::Difference);
    assert_eq!(settings.recent.paths(), ["/runs/a", "/m.safetensors"].map(PathBuf::from));
    assert_eq!(settings.pins["demo test 9"], [pin(7)]);
    let window = &settings.window;
    assert_eq!((window.zoom, window.size, window.position), (1.5, [1500.0, 900.0], Some([100.0, 50.0])));
    assert!(window.is_maximized);
    assert_eq!(files, ["app.ron.old"]);
    assert_eq!(opened(&path).0, settings);
    // Who removes the file begins anew.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(opened(&path).0, Settings::default());
}

#[test]
fn what_an_earlier_version_kept_of_a_first_look_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    std::fs::write(folder.path().join("app.ron"), OLDER).unwrap();
    let (settings, said, _) = opened(&path);
    assert_eq!(said, Vec::<String>::new());
    assert!(settings.grid && settings.window.zoom == 1.1);
    assert_eq!(settings.window.size.map(f32::round), [1280.0, 800.0]);
}

#[test]
fn an_earlier_file_with_faults_loses_the_faults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    let older = folder.path().join("app.ron");
    for (zoom, expected) in [("0.0", 1.0), ("NaN", 1.0), ("1000000000.0", 1.0), ("0.001", 1.0), ("2.0", 2.0)]
    {
        std::fs::write(&older, older_text().replace("zoom_factor:1.5", &format!("zoom_factor:{zoom}")))
            .unwrap();
        let (settings, said, _) = opened(&path);
        assert_eq!((settings.window.zoom, settings.opacity), (expected, 60), "{zoom}");
        assert_eq!(said.len(), usize::from(expected == 1.0), "{said:?}");
        std::fs::remove_file(&path).unwrap();
    }
    for (from, to, field) in
        [("mode:difference", "mode:nonsense", "mode"), ("opacity:60", "opacity:400", "opacity")]
    {
        std::fs::write(&older, older_text().replace(from, to)).unwrap();
        let (settings, said, _) = opened(&path);
        assert!(said.len() == 1 && said[0].contains(field), "{said:?}");
        assert_eq!((settings.range, settings.pins.len()), ([0.0, 0.5], 1));
        std::fs::remove_file(&path).unwrap();
    }
    for nothing in ["", "nonsense", "{\"bagssl-settings\": \"(opacity\"}"] {
        std::fs::write(&older, nothing).unwrap();
        let (settings, said, _) = opened(&path);
        assert!(settings == Settings::default() && said.len() == 1, "{nothing:?} {said:?}");
        assert!(said[0].contains("app.ron.bad"), "{said:?}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn what_is_no_file_is_moved_aside_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["settings.json", "app.ron"] {
        for kind in ["pipe", "zero", "folder"] {
            let path = folder.path().join(kind).join(name);
            std::fs::create_dir(path.parent().unwrap()).unwrap();
            match kind {
                "pipe" => {
                    let made = std::process::Command::new("mkfifo").arg(&path).status();
                    assert!(made.unwrap().success());
                }
                "zero" => std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
                _ => std::fs::create_dir(&path).unwrap(),
            }
            let settings = path.with_file_name("settings.json");
            let (found, said, files) = opened(&settings);
            assert!(found == Settings::default() && said.len() == 1, "{said:?}");
            assert!(said[0].contains("not a regular file but a "), "{said:?}");
            assert_eq!(files, [format!("{name}.bad")]);
            save(&settings, &Settings { opacity: 60, ..Settings::default() });
            assert_eq!(opened(&settings).0.opacity, 60);
            std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        }
    }
}

#[test]
fn a_home_that_cannot_be_written_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be: no rights are needed for it to fail, nor do root's help.
    std::fs::write(folder.path().join("home"), "").unwrap();
    let path = folder.path().join("home/settings.json");
    let (mut kept, settings) = KeptSettings::open(Some(path));
    let said = |kept: &mut KeptSettings, opacity| {
        kept.writer.as_mut().unwrap().send(Settings { opacity, ..settings.clone() });
        let writer = kept.writer.as_mut().unwrap();
        let said = writer.written.recv().unwrap();
        writer.pending -= 1;
        said
    };
    let first = said(&mut kept, 60);
    assert!(
        first.as_ref().is_some_and(|words| words.contains("lasts only until the window is closed")),
        "{first:?}"
    );
    assert_eq!(said(&mut kept, 70), None);
    kept.close(settings);
}

#[test]
fn a_window_that_closes_waits_for_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.json");
    for opacity in 0..20 {
        let (mut kept, settings) = KeptSettings::open(Some(path.clone()));
        kept.close(Settings { opacity, ..settings });
        assert_eq!(opened(&path).0.opacity, opacity);
    }
}
