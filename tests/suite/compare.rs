//! Two models and a run's checkpoints beside each other, with the real engine on the CPU.

use std::path::Path;

use bagssl::dataset::Split;
use bagssl::engine::{
    Beside, Command, CompareCommand, CompareView, FigureCommand, FigureEvent, FigureKind, MapMode, QuerySpec,
    Snapshot,
};
use bagssl::patch::PatchRef;
use serde_json::Value;

use crate::engine::{Started, figure, figure_events, is_complete, next_failures};
use crate::support::{bagssl, failure, json, query, spread_of_demo, text};

/// A run of four tiny steps that keeps the checkpoints after 0, 2 and 4. Its network reads another
/// input size than the built-in one.
pub fn tiny_run(folder: &Path) -> std::path::PathBuf {
    let run = folder.join("tiny");
    let sets = [
        "images=64",
        "batch=16",
        "epochs=1",
        "checkpoint_every=2",
        "keep.last=0",
        "probe.every=2",
        "model.input=24",
        "model.backbone.width=4",
        "model.projector=[16]",
    ];
    let mut args = vec!["train", "--data", "demo", "--recipe", "quick-parts", "--out", text(&run)];
    args.extend(["--log-every", "1"]);
    sets.iter().for_each(|set| args.extend(["--set", *set]));
    let output = bagssl(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    run
}

fn send(started: &Started, command: CompareCommand) {
    started.engine.send(Command::Compare(command));
}

/// An engine with a query whose comparison is on screen.
fn compared(with: &str) -> Started {
    let started = Started::new();
    started.until("the worked example", is_complete);
    send(&started, CompareCommand::Show(true));
    send(&started, CompareCommand::OpenOther { spec: with.into() });
    started
}

/// The comparison, if maps and galleries of what is wanted are whole.
fn whole(shown: &Snapshot) -> Option<&CompareView> {
    let compare = shown.views.compare.as_deref()?;
    let (other, galleries) = (compare.other.as_ref()?, compare.galleries.as_ref()?);
    let id = shown.query.as_ref()?.id;
    let is_whole = other.step == compare.wanted
        && galleries.step == compare.wanted
        && other.known == other.total
        && galleries.images.0 == galleries.images.1
        && other.query_id == id
        && galleries.b.query_id == id;
    is_whole.then_some(compare)
}

#[test]
fn a_model_agrees_wholly_with_itself() {
    let started = compared("demo");
    let shown = started.until("the comparison", |shown| whole(shown).is_some());
    let compare = whole(&shown).unwrap();
    let (other, galleries) = (compare.other.as_ref().unwrap(), compare.galleries.as_ref().unwrap());
    assert_eq!((compare.name.as_str(), compare.run.is_none(), other.step), ("demo", true, None));
    for (a, b) in shown.query.as_ref().unwrap().maps.iter().zip(&other.maps) {
        assert_eq!(a.space, b.space);
        assert!(a.values.iter().zip(b.values.iter()).all(|(a, b)| (a - b).abs() < 1e-5));
    }
    for (space, overlap) in &galleries.overlaps {
        assert_eq!((overlap.k, overlap.common, overlap.share()), (20, 20, 1.0), "{space}");
    }
    // All of the 8 images that the galleries reach, though the comparison would search more.
    assert_eq!((galleries.images, galleries.b.searched, galleries.b.total), ((8, 8), 128, 128));
    assert_eq!((galleries.a.searched, galleries.a.total), (128, 128));
    assert_eq!(galleries.overlaps[0].1.candidates, 128);
    send(&started, CompareCommand::CloseOther);
    started.until("the end", |shown| shown.views.compare.is_none());
}

#[test]
fn the_checkpoints_of_a_run_are_scrubbed_and_what_was_computed_is_there_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = tiny_run(folder.path());
    let started = compared(text(&run));
    let shown = started.until("the newest checkpoint", |shown| whole(shown).is_some());
    let compare = whole(&shown).unwrap();
    assert_eq!((compare.wanted, &*compare.steps), (Some(4), &vec![0, 2, 4]));
    let other = compare.other.as_ref().unwrap();
    // Another input and other widths: the same patches of the same image all the same.
    assert_eq!((other.input, other.total), (24, 49));
    assert_eq!(other.maps[0].grid, shown.query.as_ref().unwrap().maps[0].grid);
    let newest = other.maps[1].values.clone();
    assert_eq!(compare.kept.steps, [4]);

    let seen = |step: u64| {
        send(&started, CompareCommand::ScrubTo { step });
        started.until("the checkpoint", |shown| whole(shown).is_some_and(|c| c.wanted == Some(step)))
    };
    let shown = seen(0);
    let first = &whole(&shown).unwrap().other.as_ref().unwrap().maps[1].values;
    assert_ne!(**first, *newest, "the untrained network sees something else");
    let galleries = whole(&shown).unwrap().galleries.as_ref().unwrap();
    let share = galleries.overlaps.iter().find(|(space, _)| space == "h").unwrap().1.share();
    assert!(share < 1.0, "the overlap with the demo model is {share}");

    // Back again: nothing is embedded, so that the whole map is there with the first answer.
    send(&started, CompareCommand::ScrubTo { step: 4 });
    let shown = started.until("a first answer", |shown| {
        shown.views.compare.as_ref().and_then(|c| c.other.as_ref()).is_some_and(|other| other.step == Some(4))
    });
    let compare = shown.views.compare.as_ref().unwrap();
    let other = compare.other.as_ref().unwrap();
    assert_eq!((other.known, &other.maps[1].values), (49, &newest));
    assert_eq!(compare.kept.steps, [0, 4]);
    assert!(compare.kept.bytes > 0 && compare.kept.bytes <= compare.kept.budget);

    // Playing computes what comes next before it is asked for.
    seen(0);
    send(&started, CompareCommand::Ahead(true));
    started.until("the checkpoint between", |shown| {
        shown.views.compare.as_ref().is_some_and(|compare| compare.kept.steps == [0, 2, 4])
    });
    // Its curves are followed, too.
    started.until("the run's curves", |shown| {
        shown.runs.folders.iter().any(|r| r.path == run && r.series.len() > 3)
    });

    // Another query on another image is asked of the checkpoint on show.
    let patch = PatchRef { image: 2, y: 16, x: 32, size: 16 };
    started.engine.send(Command::Query { id: 7, data: 1, query: QuerySpec::one(patch), image: 2 });
    let shown = started.until("the answer", |shown| {
        whole(shown).is_some_and(|compare| compare.other.as_ref().unwrap().query == QuerySpec::one(patch))
    });
    let other = whole(&shown).unwrap().other.as_ref().unwrap();
    assert!((other.maps[1].values[2 * 7 + 4] - 1.0).abs() < 1e-4, "the query's own cell");
}

#[test]
fn a_figure_of_both_models_has_the_panels_of_a_and_then_of_b() {
    let folder = tempfile::tempdir().unwrap();
    let run = tiny_run(folder.path());
    let started = compared(text(&run));
    let shown = started.until("the newest checkpoint", |shown| whole(shown).is_some());
    let compare = whole(&shown).unwrap();
    let (other, galleries) = (compare.other.as_ref().unwrap(), compare.galleries.as_ref().unwrap());
    let query = shown.query.as_ref().unwrap();
    let beside = Beside { hash: other.hash.clone(), step: other.step };
    let write = |name: &str, kind: FigureKind, mode: MapMode, beside: &Beside| {
        let mut request = figure(kind, vec![query.query.as_patch().unwrap()]);
        (request.content.mode, request.content.beside) = (mode, Some(beside.clone()));
        let path = folder.path().join(name);
        let sidecar = path.with_extension("svg.json");
        started.engine.send(Command::Figure(FigureCommand::Write { request, path, caption: None }));
        let event = figure_events(&started, 1).pop().expect("an answer");
        std::fs::read_to_string(sidecar).map(|json| serde_json::from_str(&json).unwrap()).map_err(|_| event)
    };
    let names = |spaces: &Value| -> Vec<String> {
        spaces.as_array().unwrap().iter().map(|space| space["name"].as_str().unwrap().to_owned()).collect()
    };

    let maps: Value = write("maps.svg", FigureKind::Heatmaps, MapMode::Cosine, &beside).unwrap();
    assert_eq!(names(&maps["data"]["rows"][0]["spaces"]), ["z A", "h A", "z B", "h B"]);
    assert_eq!(maps["source"]["beside"]["step"], 4);
    assert_ne!(maps["source"]["beside"]["hash"], maps["source"]["model"]["hash"]);
    let notes = maps["data"]["notes"].to_string();
    assert!(notes.contains("A: model ResNet-18/4") && notes.contains("step 4"), "{notes}");
    let caption = maps["caption"].as_str().unwrap();
    assert!(caption.contains("A: projection $z$") && caption.contains("B: embedding $h$"), "{caption}");

    let less: Value = write("less.svg", FigureKind::Heatmaps, MapMode::Difference, &beside).unwrap();
    assert_eq!(names(&less["data"]["rows"][0]["spaces"]), ["z A \u{2212} B", "h A \u{2212} B"]);

    let found: Value = write("found.svg", FigureKind::Galleries, MapMode::Cosine, &beside).unwrap();
    let spaces = &found["data"]["queries"][0]["spaces"];
    assert_eq!(names(spaces), ["z A", "h A", "z B", "h B"]);
    // The patches of the galleries on show, in their order.
    for (space, view) in [(1, &galleries.a), (3, &galleries.b)] {
        let cells = spaces[space]["cells"].as_array().unwrap();
        let places = cells.iter().map(|cell| {
            let at = |key: &str| cell["at"][key].as_u64().unwrap() as u32;
            (at("image"), at("y"), at("x"))
        });
        let expected = view.spaces[1].neighbours.iter().map(|n| (n.patch.image, n.patch.y, n.patch.x));
        assert!(places.eq(expected), "{space}");
    }

    let gone = Beside { hash: "0".repeat(64), step: None };
    let refused = write("gone.svg", FigureKind::Heatmaps, MapMode::Cosine, &gone).unwrap_err();
    assert!(matches!(refused, FigureEvent::Failed(message) if message.contains("second model")));
}

#[test]
fn a_checkpoint_that_cannot_be_read_is_named_and_the_last_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let run = tiny_run(folder.path());
    std::fs::write(run.join("step-000002/model.safetensors"), "no weights").unwrap();
    let started = compared(text(&run));
    started.until("the newest checkpoint", |shown| whole(shown).is_some());
    send(&started, CompareCommand::ScrubTo { step: 2 });
    let shown = started.until("an error", |shown| {
        shown.views.compare.as_ref().is_some_and(|compare| compare.error.is_some())
    });
    let compare = shown.views.compare.as_ref().unwrap();
    let error = compare.error.as_ref().unwrap();
    for words in ["Step 2 of tiny cannot be used", "step-000002", "safetensors", "Choose another step"] {
        assert!(error.contains(words), "{words:?} is not in {error:?}");
    }
    assert_eq!(compare.other.as_ref().unwrap().step, Some(4));
    send(&started, CompareCommand::ScrubTo { step: 0 });
    let shown =
        started.until("another step", |shown| whole(shown).is_some_and(|compare| compare.wanted == Some(0)));
    assert_eq!(whole(&shown).unwrap().error, None);

    send(&started, CompareCommand::OpenOther { spec: text(&folder.path().join("nothing")).into() });
    // What is not there is refused, and the comparison stays.
    let told = next_failures(&started);
    assert!(told[0].contains("nothing") && told[0].contains("there is no file or folder"), "{told:?}");
    let shown = started.engine.snapshot();
    assert_eq!(whole(&shown).unwrap().wanted, Some(0));
}

#[test]
fn nothing_is_computed_while_the_comparison_is_not_on_screen() {
    let started = compared("demo");
    send(&started, CompareCommand::Show(false));
    send(&started, CompareCommand::OpenOther { spec: "demo".into() });
    let shown = started.until("the model's name", |shown| {
        shown.views.compare.as_ref().is_some_and(|compare| compare.number == 2)
    });
    assert!(shown.views.compare.as_ref().unwrap().other.is_none());
    std::thread::sleep(std::time::Duration::from_millis(500));
    let shown = started.engine.snapshot();
    assert!(shown.views.compare.as_ref().unwrap().other.is_none());
    // Fewer images, once it is looked at.
    send(&started, CompareCommand::Images(3));
    send(&started, CompareCommand::Show(true));
    let shown = started.until("the comparison", |shown| whole(shown).is_some());
    assert_eq!(whole(&shown).unwrap().galleries.as_ref().unwrap().images, (3, 3));
}

#[test]
fn the_overlap_of_two_banks_is_counted_over_many_queries() {
    let folder = tempfile::tempdir().unwrap();
    let run = tiny_run(folder.path());
    let bank = |name: &str, model: &str, limit: &str| {
        let out = folder.path().join(name);
        let data = ["--data", "demo", "--split", "test", "--patch", "16", "--stride", "16", "--limit", limit];
        let made = bagssl(&[&["embed", "--model", model, "--out", text(&out)], &data[..]].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        out
    };
    let (a, b) = (bank("a", "demo", "12"), bank("b", text(&run), "10"));
    let ask = |a: &Path, b: &Path, rest: &[&str]| {
        json(&[&["compare", "--bank", text(a), "--bank", text(b), "--k", "20"], rest].concat())
    };
    let same = ask(&a, &a, &["--queries", "5"]);
    assert_eq!(same["spaces"][0]["overlap"], 1.0);
    let report = ask(&a, &b, &["--queries", "8", "--space", "h", "--seed", "1"]);
    assert_eq!((&report["searched"], &report["total"]), (&(10 * 16).into(), &(12 * 16).into()));
    assert_eq!((&report["images"], report["queries"].as_array().unwrap().len()), (&10.into(), 8));
    let h = &report["spaces"][0];
    let value = h["overlap"].as_f64().unwrap();
    let each: Vec<f64> = h["each"].as_array().unwrap().iter().map(|each| each.as_f64().unwrap()).collect();
    assert!((each.iter().sum::<f64>() / 8.0 - value).abs() < 1e-12 && value > 0.0 && value < 1.0);
    assert!(
        h["interval"]["low"].as_f64().unwrap() <= value && value <= h["interval"]["high"].as_f64().unwrap()
    );
    let again = ask(&a, &b, &["--queries", "8", "--space", "h", "--seed", "1"]);
    assert_eq!((&again["queries"], &again["spaces"]), (&report["queries"], &report["spaces"]));
    let only_in_a = spread_of_demo(Split::Test, 12)[11];
    let asked = query(only_in_a, 0, 0);
    let error = failure(&["compare", "--bank", text(&a), "--bank", text(&b), "--query", asked]);
    assert!(error.contains(&format!("image {only_in_a} is not in the bank")), "{error}");
}
