use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bagssl::dataset::Split;
use bagssl::engine::{
    Command as Ask, Event, FigureCommand, FigureEvent, FigureKind, FigureQuery, FigureRequest, GalleryFilter,
    QuerySpec, Sign, Style,
};
use bagssl::figure::{BoxPalette, Format};
use bagssl::patch::{BoxRef, PatchGrid, PatchRef};
use serde_json::{Value, json};

use crate::compare::tiny_run;
use crate::engine::{Started, figure, is_complete};
use crate::support::{bagssl, failure, json as run_json, query, spread_of_demo, text};

/// A bank of 8 images of the demo set, 4 x 4 patches each.
fn bank(folder: &Path) -> String {
    let out = folder.join("bank");
    let data = ["--data", "demo", "--split", "test", "--limit", "8", "--patch", "16", "--stride", "16"];
    run_json(&[&["embed", "--out", text(&out)][..], &data[..]].concat());
    out.to_str().unwrap().into()
}

/// The image of the demo set in that place of the bank.
fn of_bank(place: usize) -> usize {
    spread_of_demo(Split::Test, 8)[place]
}

/// The flags that make each figure of the paper small.
fn figures(bank: &str) -> Vec<Vec<&str>> {
    let maps = |name| vec![name, "--data", "demo", "--split", "test", "--stride", "16"];
    let near = |name| vec![name, "--bank", bank, "--k", "15"];
    let mut figures = vec![maps("fig4"), [maps("fig6"), vec!["--queries", "4"]].concat()];
    figures.push([near("fig5"), vec!["--shares"]].concat());
    figures.extend([near("fig7"), near("fig8"), near("fig9")]);
    figures.push([near("fig10"), vec!["--queries", "6", "--palette", "safe"]].concat());
    figures.push([near("fig11"), vec!["--index", of_bank(3).to_string().leak()]].concat());
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
        "fig11" => &["image ", "embedding h: 15 nearest of 128 patches"],
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
            run_json(&[&["figure"][..], &arguments, &["--out", text(&out)], more].concat());
            out
        };
        let caption = folder.path().join(format!("{name}.tex"));
        let one = make(&format!("{name}.pdf"), &["--caption", text(&caption)]);
        let two = make(&format!("{name}-other-name.pdf"), &[]);
        let bytes = fs::read(&one).unwrap();
        assert!(bytes == fs::read(&two).unwrap(), "{name}: two runs differ");
        let again = folder.path().join("again.pdf");
        let sidecar = folder.path().join(format!("{name}.pdf.json"));
        run_json(&["figure", text(&sidecar), "--out", text(&again)]);
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
fn a_small_bank_has_fewer_neighbours_than_the_paper_and_the_report_says_how_many() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    let out = folder.path().join("a.svg");
    let asked = ["figure", "fig8", "--bank", &bank, "--out", text(&out)];
    let report = run_json(&asked);
    assert_eq!((&report["k"], &report["fewest"]), (&json!(127), &json!(127)), "{report}");
    let words = bagssl(&[&asked[..], &["--per-image", "1"]].concat());
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains(": 8 nearest over "), "{words}");
}

#[test]
fn a_seed_chooses_the_queries_and_the_report_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    let out = folder.path().join("a.svg");
    let queries = |name: &str, seed: &str| -> Vec<Value> {
        let made =
            run_json(&["figure", name, "--bank", &bank, "--k", "8", "--seed", seed, "--out", text(&out)]);
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
    run_json(&["data", "synth", "--seed", "0", "--out", text(&data), "--images", "10", "--size", "64"]);
    let images: Vec<_> = ["car", "horse"]
        .iter()
        .map(|class| fs::read_dir(data.join("train").join(class)).unwrap().next().unwrap().unwrap().path())
        .collect();
    let (a, b, out) = (text(&images[0]), text(&images[1]), folder.path().join("fig6.svg"));
    let common = ["figure", "fig6", "--image", a, "--image", b, "--patch", "16", "--stride", "8"];
    let made = run_json(&[&common[..], &["--at", "32,32", "--at", "21,45", "--out", text(&out)]].concat());
    let corner =
        |at: usize| (made["maps"][at]["query"]["y"].as_u64(), made["maps"][at]["query"]["x"].as_u64());
    assert_eq!((corner(0), corner(1)), ((Some(24), Some(24)), (Some(40), Some(16)))); // centres 48 and 24
    // The report says which patch a point became, and how far off that is.
    let at = |at: usize| made["maps"][at]["at"].clone();
    assert_eq!(at(0), json!({ "x": 32.0, "y": 32.0, "centre_x": 32.0, "centre_y": 32.0, "distance": 0.0 }));
    assert_eq!((&at(1)["centre_x"], &at(1)["centre_y"]), (&json!(24.0), &json!(48.0)));
    assert!((at(1)["distance"].as_f64().unwrap() - 18.0_f64.sqrt()).abs() < 1e-6);
    let one =
        ["heatmap", "--image", a, "--patch", "16", "--stride", "8", "--at", "21,45", "--out", text(&out)];
    let words = String::from_utf8(bagssl(&one).stdout).unwrap();
    let expected = "--at 21,45 became the patch at y 40, x 16 (its centre is 24,48), 4.2 px away";
    assert!(words.contains(expected), "{words}");
    run_json(&[&common[..], &["--at", "32,32", "--at", "21,45", "--out", text(&out)]].concat());
    // The bytes know no file name: the same pictures elsewhere give the same figure.
    let moved = folder.path().join("moved");
    fs::create_dir(&moved).unwrap();
    let (c, d, other) = (moved.join("x.png"), moved.join("y.png"), moved.join("another.svg"));
    fs::copy(a, &c).unwrap();
    fs::copy(b, &d).unwrap();
    let from = ["figure", "fig6", "--image", text(&c), "--image", text(&d), "--patch", "16", "--stride", "8"];
    run_json(&[&from[..], &["--at", "32,32", "--at", "21,45", "--out", text(&other)]].concat());
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
    assert!(near(&[&put[..], &["--caption", text(&out)]].concat()).contains("--out goes there already"));
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
fn a_font_is_chosen_by_its_file_and_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let bank = bank(folder.path());
    let font = folder.path().join("hack.ttf");
    fs::write(&font, epaint_default_fonts::HACK_REGULAR).unwrap();
    let (out, again) = (folder.path().join("a.svg"), folder.path().join("b.svg"));
    let near = ["figure", "fig5", "--bank", &bank, "--k", "15", "--text", "font"];
    run_json(&[&near[..], &["--out", text(&out), "--font", text(&font)]].concat());
    let svg = fs::read_to_string(&out).unwrap();
    assert!(svg.contains("font-family=\"Hack, sans-serif\"") && !svg.contains("Ubuntu"));
    let sidecar = folder.path().join("a.svg.json");
    let repeat = ["figure", text(&sidecar), "--out", text(&again)];
    let error = failure(&repeat);
    assert!(error.contains("the font Hack (sha256 ") && error.contains("--font FILE"), "{error}");
    assert!(!again.exists());
    run_json(&[&repeat[..], &["--font", text(&font)]].concat());
    assert_eq!(fs::read_to_string(&again).unwrap(), svg);
    run_json(&[&repeat[..], &["--font", "built-in"]].concat());
    assert!(fs::read_to_string(&again).unwrap().contains("font-family=\"Ubuntu, sans-serif\""));
    // Before the work, and in words.
    let error = failure(&[&near[..], &["--out", text(&again), "--font", text(&sidecar)]].concat());
    assert!(error.contains("a.svg.json: not a font that can be drawn with"), "{error}");
}

/// Has the engine write a figure, and waits for it.
fn written(started: &Started, request: FigureRequest, path: &Path) {
    let caption = Some(path.with_extension("tex"));
    started.engine.send(Ask::Figure(FigureCommand::Write { request, path: path.into(), caption }));
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        for event in started.engine.drain_events() {
            match event {
                Event::Figure(FigureEvent::Saved { path: saved, .. }) if saved == path => return,
                Event::Figure(FigureEvent::Failed(message)) => panic!("{message}"),
                _ => {}
            }
        }
        assert!(Instant::now() < deadline, "no figure");
        let _ = started.bell.recv_timeout(Duration::from_millis(200));
    }
}

/// Figures of the window and the command line's arguments for the same.
fn both_ways((class, name): (u32, &str)) -> Vec<(&'static str, FigureRequest, Vec<&str>)> {
    let (a, b) = (of_bank(2), of_bank(5));
    let patch = |image: usize, y, x| PatchRef { image: image as u32, y, x, size: 16 };
    let two = || vec![patch(a, 16, 32), patch(b, 0, 16)];
    let one_image = || vec![patch(a, 16, 32), patch(a, 0, 16), patch(a, 48, 0)];
    let maps = |name| vec![name, "--split", "test", "--stride", "8", "--query", query(a, 16, 32)];
    let near = |name| {
        let base = [name, "--split", "test", "--limit", "8", "--patch", "16", "--stride", "16"];
        [&base[..], &["--query", query(a, 16, 32)]].concat()
    };
    let mut fig4 = figure(FigureKind::Heatmaps, vec![patch(a, 16, 32)]);
    fig4.content.grids.push(PatchGrid { patch: 23, stride: 8 });
    let mut fig5 = figure(FigureKind::Galleries, two());
    fig5.style = Style { shares: true, palette: BoxPalette::Safe, width_in: 5.5, ..Style::default() };
    fig5.content.filter = GalleryFilter {
        other_images_only: true,
        per_image: Some(6),
        without_overlap: true,
        fold_copies: true,
        class: Some(class),
        split: None,
    };
    fig5.content.neighbours = 3;
    let mut fig10 = figure(FigureKind::Parts, two());
    fig10.content.spaces = vec!["h".into()];
    let mut fig11 = figure(FigureKind::Instance, one_image());
    fig11.content.spaces = vec!["h".into()];
    let filter = [
        "--exclude-same-image",
        "--per-image",
        "6",
        "--without-overlap",
        "--fold-copies",
        "--class",
        name,
        "--k",
        "3",
    ];
    let looks = ["--shares", "--palette", "safe", "--width", "5.5"];
    let second = ["--query", query(b, 0, 16)];
    let third = ["--query", query(a, 0, 16), "--query", query(a, 48, 0), "--k", "20"];
    vec![
        ("fig4", fig4, [maps("fig4"), vec!["--patch", "16,23"]].concat()),
        (
            "fig6",
            figure(FigureKind::Heatmaps, two()),
            [&maps("fig6")[..], &["--patch", "16"], &second].concat(),
        ),
        ("fig5", fig5, [&near("fig5")[..], &second, &filter, &looks].concat()),
        ("fig10", fig10, [&near("fig10")[..], &second, &["--k", "20"]].concat()),
        ("fig11", fig11, [&near("fig11")[..], &third].concat()),
    ]
}

#[test]
fn the_window_and_the_command_line_write_the_same_bytes() {
    let started = Started::new();
    let shown = started.until("the worked example", is_complete);
    let data = shown.data.as_ref().unwrap();
    // One of the classes that are among the eight images.
    let number = data.labels[of_bank(0)].unwrap();
    let class = &data.classes[number as usize];
    let folder = tempfile::tempdir().unwrap();
    for (name, request, arguments) in both_ways((number, class)) {
        let (window, line) = (folder.path().join("a"), folder.path().join("b"));
        for side in [&window, &line] {
            fs::create_dir_all(side).unwrap();
        }
        let file = format!("{name}.pdf");
        let filter = request.content.filter;
        written(&started, request, &window.join(&file));
        let (out, tex) = (line.join(&file), line.join(format!("{name}.tex")));
        run_json(&[&["figure"][..], &arguments, &["--out", text(&out), "--caption", text(&tex)]].concat());
        for part in [file.clone(), format!("{file}.json"), format!("{name}.tex")] {
            let [one, other] = [&window, &line].map(|side| fs::read(side.join(&part)).unwrap());
            assert!(one == other, "{part} differs");
        }
        let kept: Value =
            serde_json::from_slice(&fs::read(line.join(format!("{file}.json"))).unwrap()).unwrap();
        if filter != GalleryFilter::default() {
            let search = &kept["source"]["search"];
            let facts = ["exclude_same_image", "per_image", "without_overlap", "fold_copies", "class"]
                .map(|key| search[key].clone());
            assert_eq!(facts, [json!(true), json!(6), json!(true), json!(true), json!(class)]);
            let class = format!("{class} only");
            let left_out =
                ["other images only", "at most 6 per image", "no overlaps", "exact copies folded", &class];
            assert_eq!(kept["data"]["left_out"], json!(left_out));
            assert!(kept["caption"].as_str().unwrap().contains("other images only; at most 6 per image"));
        }
    }
}

#[test]
fn a_preview_is_the_file_that_is_written() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    let folder = tempfile::tempdir().unwrap();
    let queries = vec![PatchRef { image: of_bank(2) as u32, y: 16, x: 32, size: 16 }];
    for (number, format) in [Format::Pdf, Format::Svg, Format::Png { dpi: 100 }].into_iter().enumerate() {
        let request = FigureRequest { format, ..figure(FigureKind::Galleries, queries.clone()) };
        let mut style = request.style;
        style.dpi = 100;
        let request = FigureRequest { style, ..request };
        let id = number as u64 + 1;
        started.engine.send(Ask::Figure(FigureCommand::Preview { id, request: request.clone(), dpi: 200.0 }));
        let shown = started
            .until("the preview", |shown| shown.views.figure.as_ref().is_some_and(|view| view.id == id));
        let page = shown.views.figure.as_ref().unwrap().page.clone().unwrap();
        let path = folder.path().join(["a.pdf", "a.svg", "a.png"][number]);
        written(&started, request, &path);
        assert_eq!(fs::read(&path).unwrap().len(), page.bytes, "{format:?}");
        assert_eq!(page.searched, Some((128, 128)));
        if let Format::Png { .. } = format {
            // No finer than the file, and then its very pixels.
            let file = image::open(&path).unwrap().to_rgb8();
            assert!(file.as_raw() == page.picture.rgb());
        } else {
            assert_eq!(page.picture.width(), 1350);
        }
    }
    // What cannot be drawn is told in the preview, and the last page stays.
    let mut bad = figure(FigureKind::Galleries, queries);
    bad.content.spaces = vec!["nonsense".into()];
    started.engine.send(Ask::Figure(FigureCommand::Preview { id: 9, request: bad, dpi: 96.0 }));
    let shown =
        started.until("an error", |shown| shown.views.figure.as_ref().is_some_and(|view| view.id == 9));
    let view = shown.views.figure.as_ref().unwrap();
    assert!(view.error.as_ref().unwrap().contains("nonsense") && view.page.is_some());
    started.engine.send(Ask::Figure(FigureCommand::Close));
    started.until("the end of the preview", |shown| shown.views.figure.is_none());
}

#[test]
fn a_second_model_stands_beside_in_heatmaps_and_galleries() {
    let folder = tempfile::tempdir().unwrap();
    let run = tiny_run(folder.path());
    let bank = bank(folder.path());
    let other = folder.path().join("other");
    // Of the other model fewer images are embedded: those that both have are searched.
    let data = ["--data", "demo", "--split", "test", "--limit", "6", "--patch", "16", "--stride", "16"];
    run_json(&[&["embed", "--model", text(&run), "--out", text(&other)][..], &data[..]].concat());
    let out = |name: &str| folder.path().join(name).display().to_string();
    let names = |sidecar: &str, row: &str| -> Vec<String> {
        let sidecar: Value = serde_json::from_str(&fs::read_to_string(out(sidecar)).unwrap()).unwrap();
        let spaces = sidecar["data"][row][0]["spaces"].as_array().unwrap();
        spaces.iter().map(|space| space["name"].as_str().unwrap().to_owned()).collect()
    };

    let maps = ["figure", "fig4", "--data", "demo", "--stride", "16", "--beside", text(&run)];
    let report = run_json(&[&maps[..], &["--out", &out("maps.svg")]].concat());
    let row = &report["maps"][0];
    assert_ne!(row["spaces"]["h"]["mean"], row["beside"]["h"]["mean"], "another model, other cosines");
    assert_eq!(names("maps.svg.json", "rows"), ["z A", "h A", "z B", "h B"]);

    let near = ["--bank", &bank, "--beside", text(&other), "--k", "15"];
    let report = run_json(&[&["figure", "fig5", "--out", &out("near.svg")][..], &near].concat());
    assert_eq!((&report["searched"], &report["total"]), (&json!(96), &json!(128)), "6 of 8 images");
    assert!(report["queries"][0]["beside"]["z"].is_object());
    assert_eq!(names("near.svg.json", "queries"), ["z A", "h A", "z B", "h B"]);
    let svg = fs::read_to_string(out("near.svg")).unwrap();
    assert!(svg.contains("B: projection z") && svg.contains("B: model ResNet-18/16"), "{svg}");

    // Names that the user gives stand in headings, legends, notes and caption, in place of A, B and the hashes.
    let names_of = ["--alias", "Ours", "--alias-beside", "B & C", "--queries", "1", "--out"];
    let report = run_json(&[&["figure", "fig5"][..], &names_of, &[&out("named.svg")], &near].concat());
    assert_eq!(names("named.svg.json", "queries"), ["z Ours", "h Ours", "z B & C", "h B & C"]);
    let kept: Value = serde_json::from_str(&fs::read_to_string(out("named.svg.json")).unwrap()).unwrap();
    assert_eq!(kept["data"]["notes"][0], "Ours: model ResNet-18/4");
    let caption = kept["caption"].as_str().unwrap();
    assert!(caption.contains("B \\& C: projection $z$") && !caption.contains("sha256"), "{caption}");
    assert!(kept["source"]["model"]["hash"].is_string(), "what made it is kept");
    // Two queries of two models on a narrow grid: the page is taller than paper, and the report says so.
    assert!(report["page_in"][1].as_f64().unwrap() < 11.0 && report["warning"].is_null());
    let narrow = ["--columns", "2", "--out"];
    let report = run_json(&[&["figure", "fig5"][..], &narrow, &[&out("tall.svg")], &near].concat());
    assert!(report["page_in"][1].as_f64().unwrap() > 11.0, "{report}");
    assert!(report["warning"].as_str().unwrap().contains("taller than paper"));
    let same = ["--alias", "Ours", "--alias-beside", "Ours", "--out"];
    let error = failure(&[&["figure", "fig5"][..], &same, &[&out("same.svg")], &near].concat());
    assert!(error.contains("both models are called \"Ours\""), "{error}");

    // What no font has is said by the report, and on stderr with nobody's words.
    let odd = ["--alias", "\u{732b}", "--alias-beside", "B", "--out"];
    let output = bagssl(&[&["figure", "fig5"][..], &odd, &[&out("odd.pdf")], &near].concat());
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    assert!(said[0].contains("no font here has \u{201c}\u{732b}\u{201d}") && said[1].is_empty(), "{said:?}");
    let error = failure(&[&["figure", "fig10", "--out", &out("sheet.svg")][..], &near].concat());
    assert!(error.contains("no second model") && error.contains("fig5"), "{error}");
}

#[test]
fn a_drawn_box_and_a_sum_of_parts_become_figures_that_come_again_from_their_sidecars() {
    let started = Started::new();
    started.until("the worked example", is_complete);
    let folder = tempfile::tempdir().unwrap();
    let drawn = BoxRef { image: 2, y: 5, x: 7, height: 20, width: 31 };
    let patch = |image| PatchRef { image, y: 16, x: 32, size: 16 };
    let sum = QuerySpec::one(patch(2)).with(Sign::Minus, patch(5));
    for (number, (spec, words)) in [
        (QuerySpec::one(drawn), "a box of 31 $\\times$ 20 px at y 5, x 7 of image 2"),
        (sum, "minus a box of 16 $\\times$ 16 px at y 16, x 32 of image 5 (unit vectors)"),
    ]
    .into_iter()
    .enumerate()
    {
        for kind in [FigureKind::Heatmaps, FigureKind::Galleries] {
            let mut request = figure(kind, vec![]);
            request.content.queries = vec![FigureQuery { spec: spec.clone(), image: 2 }];
            let out = folder.path().join(format!("{number}-{kind:?}.pdf"));
            written(&started, request, &out);
            let sidecar = out.with_extension("pdf.json");
            let kept: Value = serde_json::from_slice(&fs::read(&sidecar).unwrap()).unwrap();
            let list = if kind == FigureKind::Heatmaps { "rows" } else { "queries" };
            let parts = kept["data"][list][0]["composed"]["parts"].as_array().unwrap();
            let expected: Vec<Value> =
                spec.boxes().map(|(sign, area)| json!({ "sign": sign, "source": { "box": area } })).collect();
            assert_eq!(*parts, expected);
            assert!(kept["caption"].as_str().unwrap().contains(words), "{}", kept["caption"]);
            let again = folder.path().join("again.pdf");
            run_json(&["figure", text(&sidecar), "--out", text(&again)]);
            assert!(fs::read(&out).unwrap() == fs::read(&again).unwrap(), "{number} {kind:?} differs");
        }
    }
}
