//! What the window costs and how soon it answers, measured frame by frame without a display: its own work
//! (events, layout, shapes, triangles) with the real engine behind it. Drawing the triangles is not part of it.

mod scatter;
mod stage;

use anyhow::Context as _;
use eframe::egui::Pos2;

use self::stage::{GRID, Stage, Wake};
use crate::engine::facts::DeviceChoice;
use crate::engine::jobs::bench::{Measure, times};
use crate::engine::{self, Command, EngineHandle, ExploreConfig};
use crate::gui::nouns::Tab;
use crate::progress::CancelToken;

/// Opens the window's inside on the built-in model and data and measures it; `count` repetitions of each.
pub fn measure(choice: DeviceChoice, count: usize, cancel: &CancelToken) -> anyhow::Result<Vec<Measure>> {
    let start = |wake: Wake| engine::start(engine::open_device(choice)?, None, wake);
    let mut stage = Stage::open(start)?;
    let mut measures = of_stage(&mut stage, count, cancel)?;
    measures.extend(scatter::zoomed(&mut stage, count, cancel)?);
    measures.extend(scatter::drawing(count)?);
    Ok(measures)
}

/// The same with the engine that `start` starts, wherever that is; without the points of a plane.
///
/// # Errors
/// It does not answer; those of `start`; cancelled.
pub fn measure_engine(
    start: impl FnOnce(Wake) -> anyhow::Result<EngineHandle>,
    count: usize,
    cancel: &CancelToken,
) -> anyhow::Result<Vec<Measure>> {
    of_stage(&mut Stage::open(start)?, count, cancel)
}

/// Maps, galleries and training, `count` repetitions of each.
fn of_stage(stage: &mut Stage, count: usize, cancel: &CancelToken) -> anyhow::Result<Vec<Measure>> {
    stage.wait("the first galleries", |app| app.desk.session.snapshot().galleries.is_some())?;
    let points = stage.points_on_the_maps()?;
    let mut measures = vec![];
    let frames = 20 * count;
    let config = stage.app.desk.session.config().context("nothing to explore")?;

    let secs = stage.sweep(&points, frames);
    measures.extend(times("interface work per frame, patches being embedded", &secs)?);
    cancel.check()?;

    stage.app.desk.session.send(Command::PauseExtraction(true));
    stage.know_the_map(ExploreConfig { grid: GRID, ..config })?;
    measures.extend(times("interface work per frame, idle", &stage.sweep(&points, frames))?);
    cancel.check()?;
    let title = |what: &str, shape: (usize, usize)| format!("{what}, {}x{} known patches", shape.0, shape.1);
    let shape = stage.map_shape()?;
    let secs = (0..count).map(|at| stage.click(spread(&points, at))).collect::<anyhow::Result<Vec<f64>>>()?;
    measures.extend(times(&title("click to both maps in a frame", shape), &secs)?);
    let secs =
        (0..count).map(|at| stage.preview(spread(&points, at))).collect::<anyhow::Result<Vec<f64>>>()?;
    measures.extend(times(&title("pointer moved to its preview in a frame", shape), &secs)?);
    cancel.check()?;

    let run = tempfile::tempdir().context("no folder for a run")?;
    stage.train(run.path())?;
    measures.extend(times("interface work per frame, training shown", &stage.sweep(&points, frames))?);
    stage.app.desk.tab = Tab::Explore;
    measures
        .extend(times("interface work per frame, exploring while training", &stage.sweep(&points, frames))?);
    stage.stop_training()?;
    Ok(measures)
}

/// Point `at` of a walk that jumps about.
fn spread(points: &[Pos2], at: usize) -> Pos2 {
    points[(at * 37 + 11) % points.len()]
}
