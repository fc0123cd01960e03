//! A window here and its engine in another process, over the pipes of what stands in for `ssh`.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bagssl::engine::remote::{FarPlace, connect};
use bagssl::engine::training::{DataSource, StartTraining, TrainCommand};
use bagssl::engine::{
    Command, CompareCommand, ComparedGalleries, Event, ExploreConfig, FileAnswer, FileQuestion, Gallery,
    GalleryFilter, GalleryView, LinkPhase, Neighbour, OutsidePicture, QuerySpec, Snapshot, Source,
};
use bagssl::image::Image;
use bagssl::patch::PatchRef;
use bagssl::tiles::ImageTiles;
use bagssl::train::RunFolder;
use crossbeam_channel::bounded;

use crate::engine::{Started, guests_beside, is_complete, small};
use crate::engine_bank::bank;
use crate::run::tiny;
use crate::support::text;

/// A script that is called as `ssh -T -- HOST LINE` is.
fn stand_in(folder: &Path, script: &str) -> FarPlace {
    let path = folder.join("ssh");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    FarPlace {
        host: "far".into(),
        ssh: vec![text(&path).into()],
        program: env!("CARGO_BIN_EXE_bagssl").into(),
        arguments: vec!["--device".into(), "cpu".into()],
    }
}

/// One that runs what it is given, and says under which number.
fn runs_it(folder: &Path) -> (FarPlace, PathBuf) {
    let pid = folder.join("pid");
    let script = format!(
        "echo $$ > '{}'; echo 'a login script says hello'; XDG_CACHE_HOME=/dev/null/none exec sh -c \"exec $4\"",
        pid.display()
    );
    (stand_in(folder, &script), pid)
}

fn start(place: FarPlace) -> Started {
    let (ring, bell) = bounded(1);
    let engine = connect(place, move || _ = ring.try_send(())).unwrap();
    Started::of(engine, bell, small())
}

fn ask(started: &Started, id: u64, source: impl Into<Source>, image: usize) -> Arc<Snapshot> {
    let data = started.engine.snapshot().data.as_ref().unwrap().id;
    let query = QuerySpec::one(source);
    let guests: usize = query.images().iter().map(|image| guests_beside(8, *image as usize)).sum();
    started.engine.send(Command::Query { id, data, query, image });
    started.until("the query", |shown| is_answered(shown, id, guests))
}

/// Whether query `id` is answered from all patches, those of its own image beside the sample among them, which come last.
fn is_answered(shown: &Snapshot, id: u64, guests: usize) -> bool {
    let is_asked = |galleries: &Arc<GalleryView>| {
        galleries.query_id == id && galleries.guests == guests && !galleries.pictures_follow
    };
    shown.galleries.as_ref().is_some_and(is_asked) && is_complete(shown)
}

/// Each neighbour in words and pixels, with its cosines and whether it is nearer than `least` by more than two engines may
/// be apart: of almost equal ones another may be the last.
fn plain(view: &GalleryView, least: &[f32]) -> BTreeMap<String, (Vec<f32>, bool)> {
    let of_gallery = |(gallery, least): (&Gallery, &f32)| {
        let plain = |n: &Neighbour| {
            let picture = n.pixels.rgb();
            let words =
                format!("{:?} {:?} {:?} {:?} {picture:?}", n.patch, n.relation, n.class, n.image_name);
            let others = n.in_other_spaces.iter().map(|(_, cosine)| *cosine);
            let cosines = std::iter::once(n.cosine).chain(others).collect();
            (format!("{} {words}", gallery.space), (cosines, n.cosine > least + 2.0 * APART))
        };
        gallery.neighbours.iter().map(plain).collect::<Vec<_>>()
    };
    view.spaces.iter().zip(least).flat_map(of_gallery).collect()
}

/// The cosine of the last neighbour in each space, of the two galleries that which is larger.
fn least(a: &GalleryView, b: &GalleryView) -> Vec<f32> {
    let last = |gallery: &Gallery| {
        assert_eq!(gallery.neighbours.len(), 20);
        gallery.neighbours[19].cosine
    };
    a.spaces.iter().zip(&b.spaces).map(|(a, b)| last(a).max(last(b))).collect()
}

/// What may lie between the sums of two engines.
const APART: f32 = 1e-5;

/// Two engines may embed the same patches in other batches, whose sums are rounded otherwise.
fn assert_near(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < APART, "{apart} apart");
}

fn assert_same(a: &Snapshot, b: &Snapshot) {
    let [a_view, b_view] = [a, b].map(|shown| shown.galleries.as_ref().unwrap());
    let least = least(a_view, b_view);
    let [a_found, b_found] = [a_view, b_view].map(|view| plain(view, &least));
    assert!(a_found.values().filter(|(_, is_sure)| *is_sure).count() > 10);
    for (some, others) in [(&a_found, &b_found), (&b_found, &a_found)] {
        for (words, (cosines, _)) in some.iter().filter(|(_, (_, is_sure))| *is_sure) {
            let counts = [a_view, b_view].map(|view| (view.searched, view.total, view.guests));
            let only = || panic!("only one has {} {cosines:?}: {counts:?}", &words[..90]);
            let (other, _) = others.get(words).unwrap_or_else(only);
            assert_near(cosines, other);
        }
    }
    let maps = |shown: &Snapshot| shown.query.as_ref().unwrap().maps.clone();
    for (a, b) in maps(a).iter().zip(&maps(b)) {
        assert_eq!((&a.space, a.grid, a.rows), (&b.space, b.grid, b.rows));
        assert_near(&a.values, &b.values);
    }
}

#[test]
fn what_a_far_engine_shows_is_what_a_near_one_shows() {
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = (Started::new(), start(runs_it(folder.path()).0));
    let patch = PatchRef { image: 5, y: 8, x: 8, size: 16 };
    let mut shown = [&near, &far].map(|started| {
        started.until("the first query", is_complete);
        ask(started, 4, patch, 5)
    });
    let link = shown[1].link.clone().expect("the line is on show");
    assert_eq!((link.host.as_str(), &link.phase), ("far", &LinkPhase::Connected));
    let view = |shown: &Snapshot| shown.view.as_ref().unwrap().clone();
    assert!(view(&shown[0]).image == view(&shown[1]).image && view(&shown[0]).parts == view(&shown[1]).parts);
    assert_eq!(shown[0].data, shown[1].data);
    // What fits the memory that is free changes while the other engine starts.
    let model = |shown: &Snapshot| {
        let mut model = shown.model.as_deref().unwrap().clone();
        let tiles = ImageTiles { side: 64, overlap: 16 };
        let report = model.report.as_mut().unwrap();
        (report.tiles.tiles, report.fitting_tiles) = (tiles, tiles);
        model
    };
    assert_eq!(model(&shown[0]), model(&shown[1]));
    assert_same(&shown[0], &shown[1]);
    // A picture that is not of the data set goes there, and comes back as the one that went.
    let rgb = (0..3 * 24 * 24u32).map(|at| (at * 7 % 256) as u8).collect();
    let picture = OutsidePicture { name: "the clipboard".into(), image: Arc::new(Image::new(24, 24, rgb)) };
    let outside = Source::Outside(Arc::new(picture));
    shown = [&near, &far].map(|started| ask(started, 5, outside.clone(), 5));
    assert_same(&shown[0], &shown[1]);
    assert_eq!(shown[1].query.as_ref().unwrap().query, QuerySpec::one(outside));
    far.engine.send(Command::Files(FileQuestion::List(folder.path().into())));
    let answer = event(&far, |event| match event {
        Event::Files(FileAnswer::Listed(listing)) => Some(listing.entries.len()),
        _ => None,
    });
    assert_eq!(answer, 2, "the stand-in and its number");
}

/// Waits for an event.
fn event<T>(started: &Started, wanted: impl Fn(&Event) -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = started.engine.drain_events().iter().find_map(&wanted) {
            return found;
        }
        let _ = started.bell.recv_timeout(Duration::from_millis(200));
    }
    panic!("it did not happen");
}

#[test]
fn a_line_that_drops_is_said_and_what_was_open_is_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let (place, pid) = runs_it(folder.path());
    let far = start(place);
    far.until("the first query", is_complete);
    let patch = PatchRef { image: 5, y: 8, x: 8, size: 16 };
    let before = ask(&far, 4, patch, 5);
    far.engine.drain_events();
    kill(&pid);
    let said = failure(&far);
    assert!(said.contains("it dropped"), "{said}");
    let old = before.data.as_ref().unwrap().id;
    let again = far.until("taking up", |shown| {
        shown.data.as_ref().is_some_and(|data| data.id > old)
            && is_answered(shown, 4, guests_beside(8, 5))
            && !Arc::ptr_eq(shown.galleries.as_ref().unwrap(), before.galleries.as_ref().unwrap())
    });
    assert_eq!(again.link.as_ref().unwrap().phase, LinkPhase::Connected);
    assert_eq!(again.view.as_ref().unwrap().index, 5);
    assert_same(&again, &before);
}

/// Waits for a failure.
fn failure(started: &Started) -> String {
    event(started, |event| match event {
        Event::Failed { message, .. } => Some(message.clone()),
        _ => None,
    })
}

#[test]
fn what_the_galleries_leave_out_holds_where_it_was_set_while_the_line_was_down() {
    let folder = tempfile::tempdir().unwrap();
    let (place, pid) = runs_it(folder.path());
    let far = start(place);
    let old = far.until("the first query", is_complete).data.as_ref().unwrap().id;
    far.engine.drain_events();
    kill(&pid);
    let said = failure(&far);
    assert!(said.contains("it dropped"), "{said}");
    let filter = GalleryFilter { other_images_only: true, ..GalleryFilter::default() };
    let config = ExploreConfig { filter, ..small() };
    far.engine.send(Command::Configure { id: 1, config: config.clone() });
    let again = far.until("taking up", |shown| {
        let is_asked = |galleries: &Arc<GalleryView>| galleries.query_id == 1 && galleries.filter == filter;
        shown.data.as_ref().is_some_and(|data| data.id > old)
            && shown.galleries.as_ref().is_some_and(is_asked)
    });
    assert_eq!(again.config, Some(config));
}

/// Ends the process of that number, as a line that drops does.
fn kill(pid: &Path) {
    let number: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    // SAFETY: the process was started for this test, and is waited for by the thread that keeps the line.
    assert_eq!(unsafe { libc::kill(number, libc::SIGKILL) }, 0);
}

#[test]
fn a_bank_that_was_open_and_the_second_model_are_open_again() {
    let folder = tempfile::tempdir().unwrap();
    let (place, pid) = runs_it(folder.path());
    let bank = PathBuf::from(bank(folder.path()));
    let far = start(place);
    far.until("the first query", is_complete);
    far.engine.send(Command::OpenBank { folder: bank.clone() });
    let opened = |event: &Event| match event {
        Event::BankOpened { folder } => Some(folder.clone()),
        _ => None,
    };
    assert_eq!(event(&far, opened), bank);
    let asked = [
        CompareCommand::OpenOther { spec: "demo".into() },
        CompareCommand::Images(2),
        CompareCommand::Show(true),
    ];
    asked.into_iter().for_each(|command| far.engine.send(Command::Compare(command)));
    let images = far.engine.snapshot().data.as_ref().unwrap().images;
    let compared = |shown: &Snapshot| shown.views.compare.as_ref()?.galleries.clone();
    let before = far.until("both galleries", |shown| compared(shown).is_some());
    far.engine.drain_events();
    kill(&pid);
    assert_eq!(event(&far, opened), bank, "the bank, not its images alone");
    let (old, earlier) = (before.data.as_ref().unwrap().id, compared(&before).unwrap());
    let again = far.until("taking up", |shown| {
        let is_new = compared(shown).is_some_and(|galleries| !Arc::ptr_eq(&galleries, &earlier));
        is_new && shown.data.as_ref().is_some_and(|data| data.id > old)
    });
    assert_eq!(again.data.as_ref().unwrap().images, images);
    let searched =
        |galleries: &ComparedGalleries| (galleries.a.searched, galleries.b.searched, galleries.images);
    assert_eq!(searched(&compared(&again).unwrap()), searched(&earlier));
}

/// What is said of a line that cannot be opened.
fn refusal(script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let far = start(stand_in(folder.path(), script));
    let refused = far.until("refusing", |shown| {
        shown.link.as_ref().is_some_and(|link| matches!(link.phase, LinkPhase::Refused { .. }))
    });
    let said = event(&far, |event| match event {
        Event::Failed { message, .. } => Some(message.clone()),
        _ => None,
    });
    let Some(LinkPhase::Refused { why }) = refused.link.as_ref().map(|link| link.phase.clone()) else {
        panic!()
    };
    assert!(said.contains(&why), "{said}\n{why}");
    assert!(!said.contains(char::is_control), "a notice is one line: {said:?}");
    why
}

#[test]
fn another_version_no_program_and_no_login_are_told_in_words() {
    let other =
        r#"printf '\000bagssl link\000\045\000{"version":"9.9.9","protocol":123456}'; cat > /dev/null"#;
    let why = refusal(other);
    assert!(why.contains("there runs bagssl 9.9.9 (link 123456), here bagssl"), "{why}");
    let why = refusal("echo 'sh: bagssl: not found' >&2; exit 127");
    assert!(why.contains("came nothing") && why.contains("sh: bagssl: not found"), "{why}");
    let why =
        refusal("echo 'Welcome'; printf 'Hello\\nfar: Permission denied (publickey).\\n' >&2; exit 255");
    assert!(why.contains("came \"Welcome\"") && why.contains("Permission denied"), "{why}");
    let why = refusal("head -c 100000 /dev/zero");
    assert!(why.contains("expected bagssl's greeting"), "{why}");
    let folder = tempfile::tempdir().unwrap();
    let mut nowhere = stand_in(folder.path(), "");
    nowhere.host = "-oProxyCommand=x".into();
    assert!(connect(nowhere, || ()).err().unwrap().to_string().contains("names no machine"));
}

/// Whether the process still runs.
fn is_running(number: i32) -> bool {
    // SAFETY: signal 0 is sent to nobody; it only asks.
    unsafe { libc::kill(number, 0) == 0 }
}

#[test]
fn a_window_that_closes_leaves_a_run_over_there_with_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (place, pid) = runs_it(folder.path());
    let (ring, bell) = bounded(1);
    let engine = connect(place, move || _ = ring.try_send(())).unwrap();
    let out = folder.path().join("run");
    let mut config = tiny();
    config.set(&["epochs=2000", "checkpoint_every=100000", "probe.every=100000"]).unwrap();
    let data = DataSource { spec: "demo".into(), split: None };
    let start = StartTraining { config, data, out: out.clone() };
    engine.send(Command::Train(TrainCommand::Start(Box::new(start))));
    let far = Started { engine, bell };
    far.until("a step", |shown| shown.runs.active.as_ref().is_some_and(|run| run.step > 2));
    let curves = far.until("curves", |shown| shown.runs.folders.iter().any(|run| !run.series.is_empty()));
    assert_eq!(curves.runs.folders[0].path, out);
    let number: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    drop(far);
    let patience = Instant::now();
    while is_running(number) && patience.elapsed() < Duration::from_secs(100) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (run, _) = RunFolder::open(&out).unwrap();
    assert!(run.checkpoints().unwrap().iter().any(|step| *step > 2), "{:?}", run.checkpoints());
}
