use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bagssl::engine::{Command as Ask, Event, FigureKind, MapMode, QuerySpec, Style};
use bagssl::patch::PatchRef;
use serde_json::Value;

use crate::engine::{Started, is_complete};
use crate::support::{bagssl, failure, json, text};

/// A bank of 8 images of the demo set, 4 x 4 patches each.
fn bank(folder: &Path) -> String {
    let out = folder.join("bank");
    let data = ["--data", "demo", "--split", "test", "--limit", "8", "--patch", "16", "--stride", "16"];
    json(&[&["embed", "--out", text(&out)][..], &data[..]].concat());
    out.to_str().unwrap().into()
}

/// The flags that make each figure of the paper small.
fn figures(bank: &str) -> Vec<Vec<&str>> {
    let maps = |name| vec![name, "--data", "demo", "--split", "test", "--stride", "16"];
    let near = |name| vec![name, "--bank", bank, "--k", "15"];
    let mut figures = vec![maps("fig4"), [maps("fig6"), vec!["--queries", "4"]].concat()];
    figures.push([near("fig5"), vec!["--shares"]].concat());
    figures.extend([near("fig7"), near("fig8"), near("fig9")]);
    figures.push([near("fig10"), vec!["--queries", "6", "--palette", "safe"]].concat());
    figures.push([near("fig11"), vec!["--index", "3"]].concat());
    figures.push(near("fig12"));
    figures
}

/// Words that stand in each figure.
fn words(name: &str) -> &'static [&'static str] {
    match name {
        "fig4" | "fig6" => &["projection z", "embedding h", "cosine similarity", "(a)", "(b)"],
        "fig5" => &["projection z", "embedding h", "(b)", "15 nearest of 128 patches", "share by rank"],
        "fig7" => &["projection z", "embedding h", "(d)", "other class", "query"],
        "fig10" => &["1a", "2b", "embedding h: 15 nearest of 128 patches"],
        "fig11" => &["image 3", "embedding h: 15 nearest of 128 patches"],
        _ => &["embedding h", "15 nearest of 128 patches"],
    }
}

/// What a tool of Poppler says of a file; `None`, and a line that says so, where it is not installed.
fn poppler(tool: &str, args: &[&str]) -> Option<String> {
    match Command::new(tool).args(args).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(_) => {
            println!("skipped: {tool} is not installed");
            None
        }
    }
}

#[test]
fn every_figure_of_the_paper_comes_out_the_same_twice_and_from_its_sidecar() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    for arguments in figures(&bank) {
        let name = arguments[0];
        let make = |file: &str, more: &[&str]| {
            let out = folder.path().join(file);
            json(&[&["figure"][..], &arguments, &["--out", text(&out)], more].concat());
            out
        };
        let caption = folder.path().join(format!("{name}.tex"));
        let one = make(&format!("{name}.pdf"), &["--caption", text(&caption)]);
        let two = make(&format!("{name}-other-name.pdf"), &[]);
        let bytes = fs::read(&one).unwrap();
        assert!(bytes == fs::read(&two).unwrap(), "{name}: two runs differ");
        let again = folder.path().join("again.pdf");
        let sidecar = folder.path().join(format!("{name}.pdf.json"));
        json(&["figure", text(&sidecar), "--out", text(&again)]);
        assert!(bytes == fs::read(&again).unwrap(), "{name} differs from its sidecar's");
        assert!(fs::read(&sidecar).unwrap() == fs::read(again.with_extension("pdf.json")).unwrap());
        let kept: Value = serde_json::from_slice(&fs::read(&sidecar).unwrap()).unwrap();
        for key in ["/source/model/hash", "/source/data/fingerprint"] {
            assert_eq!(kept.pointer(key).and_then(Value::as_str).map(str::len), Some(64), "{name} {key}");
        }
        let tex = fs::read_to_string(&caption).unwrap();
        assert!(tex.contains(&format!("\\includegraphics[width=6.75in]{{{name}.pdf}}")), "{tex}");
        assert!(tex.contains(kept["caption"].as_str().unwrap()));
        check_pdf(name, &one);
    }
}

/// Words as words, and fonts that printers and journals take.
fn check_pdf(name: &str, pdf: &Path) {
    if let Some(found) = poppler("pdftotext", &["-layout", text(pdf), "-"]) {
        let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words(name) {
            assert!(found.contains(word), "{name}: pdftotext finds no \"{word}\" in: {found}");
        }
    }
    if let Some(fonts) = poppler("pdffonts", &[text(pdf)]) {
        let fonts: Vec<&str> = fonts.lines().skip(2).collect();
        assert!(!fonts.is_empty(), "{name} has no font");
        for font in fonts {
            assert!(font.contains("TrueType") && !font.contains("Type 3"), "{name}: {font}");
            // Embedded, a subset, with a map to Unicode.
            let said: Vec<&str> = font.split_whitespace().rev().skip(2).take(3).collect();
            assert_eq!(said, ["yes", "yes", "yes"], "{name}: {font}");
        }
    }
}

#[test]
fn a_seed_chooses_the_queries_and_the_report_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    let out = folder.path().join("a.svg");
    let queries = |name: &str, seed: &str| -> Vec<Value> {
        let made = json(&["figure", name, "--bank", &bank, "--k", "8", "--seed", seed, "--out", text(&out)]);
        made["queries"].as_array().unwrap().iter().map(|query| query["query"].clone()).collect()
    };
    assert_eq!(queries("fig7", "1"), queries("fig7", "1"));
    assert_ne!(queries("fig7", "1"), queries("fig7", "2"));
    // Figure 9 goes on where Figure 8 stops.
    assert_eq!([queries("fig8", "1"), queries("fig9", "1")].concat(), queries("fig5", "1"));
    let positions = queries("fig11", "1");
    assert_eq!(positions.len(), 5);
    assert!(positions.iter().all(|query| query["image"] == positions[0]["image"]));
}

#[test]
fn image_files_are_asked_about_where_told() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("parts");
    json(&["data", "synth", "--out", text(&data), "--images", "10", "--size", "64"]);
    let images: Vec<_> = ["car", "horse"]
        .iter()
        .map(|class| fs::read_dir(data.join("train").join(class)).unwrap().next().unwrap().unwrap().path())
        .collect();
    let (a, b, out) = (text(&images[0]), text(&images[1]), folder.path().join("fig6.svg"));
    let common = ["figure", "fig6", "--image", a, "--image", b, "--patch", "16", "--stride", "8"];
    let made = json(&[&common[..], &["--at", "32,32", "--at", "21,45", "--out", text(&out)]].concat());
    let corner =
        |at: usize| (made["maps"][at]["query"]["y"].as_u64(), made["maps"][at]["query"]["x"].as_u64());
    assert_eq!((corner(0), corner(1)), ((Some(24), Some(24)), (Some(40), Some(16)))); // centres 48 and 24
    // The bytes know no file name: the same pictures elsewhere give the same figure.
    let moved = folder.path().join("moved");
    fs::create_dir(&moved).unwrap();
    let (c, d, other) = (moved.join("x.png"), moved.join("y.png"), moved.join("another.svg"));
    fs::copy(a, &c).unwrap();
    fs::copy(b, &d).unwrap();
    let from = ["figure", "fig6", "--image", text(&c), "--image", text(&d), "--patch", "16", "--stride", "8"];
    json(&[&from[..], &["--at", "32,32", "--at", "21,45", "--out", text(&other)]].concat());
    assert!(fs::read(&out).unwrap() == fs::read(&other).unwrap());
    let three =
        failure(&[&common[..], &["--at", "1,1", "--at", "2,2", "--at", "3,3", "--out", text(&out)]].concat());
    assert!(three.contains("--at is given 3 times for 2 images"), "{three}");
}

#[test]
fn what_cannot_be_drawn_is_refused_before_the_work_and_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    let out = folder.path().join("a.svg");
    let near = |more: &[&str]| {
        let base = ["figure", "fig11", "--bank", &bank, "--k", "8"];
        failure(&[&base[..], more].concat())
    };
    let put = ["--out", text(&out)];
    let of = |name: &str, more: &[&str]| failure(&[&["figure", name][..], more, &put[..]].concat());
    assert!(near(&["--out", text(&folder.path().join("a.gif"))]).contains(".svg, .pdf or .png"));
    assert!(near(&["--out", text(&folder.path().join("none/a.svg"))]).contains("there is no folder"));
    assert!(near(&[&put[..], &["--caption", text(&out)]].concat()).contains("the figure itself"));
    assert!(near(&["--dpi", "9999", "--out", text(&folder.path().join("a.png"))]).contains("36 to 2400"));
    assert!(near(&[&put[..], &["--query", "1:0:0", "--query", "2:0:0"]].concat()).contains("one image"));
    assert!(near(&[&put[..], &["--queries", "17"]].concat()).contains("16 patches"));
    assert!(near(&[&put[..], &["--index", "99"]].concat()).contains("99"));
    assert!(near(&[&put[..], &["--space", "q"]].concat()).contains('q'));
    assert!(of("fig8", &["--bank", &bank, "--width", "0.5"]).contains("width_in"));
    assert!(of("fig4", &["--query", "99999:0:0"]).contains("99999"));
    assert!(of("fig4", &["--query", "1:3:3", "--stride", "8"]).contains("the nearest at"));
    assert!(of("fig4", &["--patch", "65"]).contains("65"));
    assert!(of("fig6", &["--fit", "64"]).contains("--fit"));
    assert!(!out.exists(), "a figure was left behind");
    // Wrong usage: what does not go together, what no figure has.
    for wrong in
        [&["fig5", "--bank", &bank, "--patch", "16"][..], &["fig4", "--k", "3"], &["fig4", "--at", "1,1"]]
    {
        let output = bagssl(&[&["figure"][..], wrong, &put[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn the_window_and_the_command_line_make_the_same_figure() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    let patch = PatchRef { image: 2, y: 16, x: 32, size: 16 };
    started.engine.send(Ask::Query {
        id: 7,
        data: 1,
        query: QuerySpec::one(patch),
        image: patch.image as usize,
    });
    started.until("the answer", |shown| {
        is_complete(shown)
            && shown.galleries.as_ref().unwrap().query == QuerySpec::one(patch)
            && shown.query.as_ref().unwrap().id == 7
    });
    let folder = tempfile::tempdir().unwrap();
    let window = |kind, name: &str| {
        let path = folder.path().join(name);
        started.engine.send(Ask::ExportFigure {
            kind,
            path: path.clone(),
            style: Style::default(),
            mode: MapMode::Cosine,
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let saved = |event| match event {
                Event::FigureSaved { path, .. } => Some(path),
                Event::Failed { message, .. } => panic!("{message}"),
                _ => None,
            };
            if started.engine.drain_events().into_iter().any(|event| saved(event).as_ref() == Some(&path)) {
                return path;
            }
            assert!(Instant::now() < deadline, "no figure");
            let _ = started.bell.recv_timeout(Duration::from_millis(200));
        }
    };
    let sidecar = |path: &Path| -> Value {
        let name = format!("{}.json", text(path));
        serde_json::from_slice(&fs::read(name).unwrap()).unwrap()
    };
    let common = ["--split", "test", "--query", "2:16:32", "--patch", "16"];
    let (fig4, fig5) = (folder.path().join("fig4.svg"), folder.path().join("fig5.svg"));
    json(&[&["figure", "fig4", "--stride", "8", "--out", text(&fig4)][..], &common].concat());
    let near = ["figure", "fig5", "--stride", "16", "--limit", "8", "--k", "20", "--out", text(&fig5)];
    json(&[&near[..], &common].concat());

    let shown = window(FigureKind::Heatmap, "window4.svg");
    assert!(fs::read(&shown).unwrap() == fs::read(&fig4).unwrap(), "Figure 4 differs");
    let (shown, made) = (sidecar(&shown), sidecar(&fig4));
    assert_eq!((&shown["source"], &shown["spec"]), (&made["source"], &made["spec"]));

    // The window embeds its query in float32, the bank holds it in float16, so that cosines may differ in the
    // fourth place; all else is the same.
    let (shown, made) = (sidecar(&window(FigureKind::Gallery, "window5.svg")), sidecar(&fig5));
    assert_eq!((&shown["source"], &shown["spec"]), (&made["source"], &made["spec"]));
    assert_eq!(shown["data"]["notes"], made["data"]["notes"]);
    let query = |figure: &Value| {
        let query = &figure["data"]["queries"][0];
        (
            query["title"].clone(),
            query["at"].clone(),
            query["pixels"].clone(),
            query["spaces"][0]["searched"].clone(),
        )
    };
    assert_eq!(query(&shown), query(&made));
}
