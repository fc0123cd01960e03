//! What a click costs where the engine is on another machine, one line per measure.
//!
//! `remote.sh`, beside this file, runs it over a slow line. Arguments: host, what is called as ssh (split at spaces), the
//! program over there, number of clicks.

#![expect(clippy::print_stdout, reason = "it is read by its own script")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bagssl::engine::remote::{FarPlace, connect};
use bagssl::engine::{Command, EngineHandle, GalleryView, QuerySpec, Snapshot, Split};
use bagssl::gui::frame_time::measure_engine;
use bagssl::patch::PatchRef;
use bagssl::progress::CancelToken;
use crossbeam_channel::{Receiver, bounded};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(300);

fn until(engine: &EngineHandle, bell: &Receiver<()>, ready: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
    let end = Instant::now() + PATIENCE;
    loop {
        let shown = engine.snapshot();
        if ready(&shown) {
            return shown;
        }
        assert!(Instant::now() < end, "nothing happens; the line: {:?}", shown.link);
        let _ = bell.recv_timeout(Duration::from_millis(500));
    }
}

fn bytes(engine: &EngineHandle, bell: &Receiver<()>) -> (u64, u64) {
    // Counts are published with the answer to a question, once a second; two of them enclose what came before.
    let first = engine.snapshot().link.clone();
    let next = |before: &Option<_>| until(engine, bell, |shown| shown.link != *before).link.clone();
    let link = next(&next(&first)).expect("there is a line");
    (link.received, link.sent)
}

fn tell(name: &str, unit: &str, values: &mut [f64]) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    println!("{name}: median {:.1} {unit}, 95 % {:.1} {unit}, n = {}", at(0.5), at(0.95), values.len());
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let mut next = |what: &str| arguments.next().unwrap_or_else(|| panic!("expected {what}"));
    let (host, ssh) = (next("a host"), next("what is called as ssh"));
    let (program, clicks) = (next("the program over there"), next("a number of clicks").parse::<u64>()?);
    let ssh = ssh.split(' ').map(str::to_owned).collect();
    let arguments = ["--device", "cpu", "--cache-size", "0"].map(str::to_owned).to_vec();
    let place = FarPlace { host, ssh, program, arguments };

    let (ring, bell) = bounded(1);
    let engine = connect(place.clone(), move || _ = ring.try_send(()))?;
    let opened = Instant::now();
    engine.send(Command::OpenModel { spec: "demo".into() });
    engine.send(Command::OpenData { spec: "demo".into(), split: Some(Split::Test) });
    let is_whole = |shown: &Snapshot| {
        let is_known = shown
            .query
            .as_ref()
            .is_some_and(|query| query.maps.first().is_some_and(|map| query.known == map.rows * map.cols));
        is_known && shown.extraction.as_ref().is_some_and(|extraction| extraction.finished)
    };
    until(&engine, &bell, |shown| shown.galleries.is_some());
    println!("from ssh to the first gallery: {:.1} s", opened.elapsed().as_secs_f64());
    let shown = until(&engine, &bell, is_whole);
    let (data, size) =
        (shown.data.as_ref().expect("data").id, shown.config.as_ref().expect("settings").grid.patch);
    let (mut maps, mut order, mut galleries, mut received, mut sent) =
        (vec![], vec![], vec![], vec![], vec![]);
    for click in 0..clicks {
        let before = bytes(&engine, &bell);
        let (y, x) = ((click * 5 % 30) as u32, (click * 11 % 30) as u32);
        let query = QuerySpec::one(PatchRef { image: 3, y, x, size });
        let (id, image, clock) = (100 + click, 3, Instant::now());
        engine.send(Command::Query { id, data, query, image });
        until(&engine, &bell, |shown| shown.query.as_ref().is_some_and(|query| query.id == id));
        maps.push(1000.0 * clock.elapsed().as_secs_f64());
        let found = |shown: &Snapshot, whole: bool| {
            let is_found =
                |found: &Arc<GalleryView>| found.query_id == id && !(whole && found.pictures_follow);
            shown.galleries.as_ref().is_some_and(is_found)
        };
        until(&engine, &bell, |shown| found(shown, false));
        order.push(1000.0 * clock.elapsed().as_secs_f64());
        until(&engine, &bell, |shown| found(shown, true));
        galleries.push(1000.0 * clock.elapsed().as_secs_f64());
        let after = bytes(&engine, &bell);
        received.push((after.0 - before.0) as f64 / 1000.0);
        sent.push((after.1 - before.1) as f64);
    }
    let round_trip = engine.snapshot().link.as_ref().and_then(|link| link.round_trip).unwrap_or_default();
    println!("a question and its answer: {:.1} ms", 1000.0 * round_trip.as_secs_f64());
    tell("click to the maps of another patch", "ms", &mut maps);
    tell("click to its galleries in two spaces, with the pictures of the nearest", "ms", &mut order);
    tell("click to all their pictures", "ms", &mut galleries);
    tell("came for a click", "kB", &mut received);
    tell("went for a click, two seconds of questions and acknowledgements in it", "bytes", &mut sent);
    drop(engine);
    for measure in measure_engine(|wake| connect(place, wake), clicks as usize, &CancelToken::default())? {
        println!(
            "{}: median {:.2} {}, 95 % {:.2} {}, n = {}",
            measure.name, measure.p50, measure.unit, measure.p95, measure.unit, measure.n
        );
    }
    Ok(())
}
