//! What the window costs and how soon it answers, measured frame by frame without a display: its own work
//! (events, layout, shapes, triangles) with the real engine behind it. Drawing the triangles is not part of it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use crossbeam_channel::{Receiver, bounded};
use eframe::egui::{Context, Event, Modifiers, PointerButton, Pos2, RawInput, Rect, Vec2, pos2};

use crate::engine::facts::{DeviceChoice, find_recipe};
use crate::engine::jobs::bench::{Measure, times};
use crate::engine::training::{Phase, StartTraining, TrainCommand};
use crate::engine::{self, Command, EngineHandle, ExploreConfig};
use crate::gui::app::App;
use crate::gui::app::options::GuiOptions;
use crate::gui::memory::kept::KeptSettings;
use crate::gui::memory::openable::Openable;
use crate::gui::nouns::Tab;
use crate::patch::{PatchGrid, PatchRef};
use crate::progress::CancelToken;

/// The window as it first opens, points.
const SIZE: Vec2 = Vec2::new(1280.0, 800.0);
/// Time from one frame to the next of a display, seconds.
const FRAME_SECS: f64 = 1.0 / 60.0;
/// Longest wait for anything, seconds.
const PATIENCE_SECS: u64 = 180;
/// Distance of the points that the pointer visits, points.
const LATTICE: f32 = 22.0;
/// Patch size and stride of the measured maps, pixels: 39 x 39 positions on the built-in images.
const GRID: PatchGrid = PatchGrid { patch: 26, stride: 1 };

/// Opens the window's inside on the built-in model and data and measures it; `count` repetitions of each.
pub fn measure(choice: DeviceChoice, count: usize, cancel: &CancelToken) -> anyhow::Result<Vec<Measure>> {
    let start = |wake: Wake| engine::start(engine::open_device(choice)?, None, wake);
    measure_engine(start, count, cancel)
}

/// What an engine calls when there is something new.
type Wake = Box<dyn Fn() + Send + Sync>;

/// The same with the engine that `start` starts, wherever that is.
///
/// # Errors
/// It does not answer; those of `start`; cancelled.
pub fn measure_engine(
    start: impl FnOnce(Box<dyn Fn() + Send + Sync>) -> anyhow::Result<EngineHandle>,
    count: usize,
    cancel: &CancelToken,
) -> anyhow::Result<Vec<Measure>> {
    let mut stage = Stage::open(start)?;
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

/// The window's inside with an engine of its own, and what stands in for a display.
struct Stage {
    ctx: Context,
    app: App,
    news: Receiver<()>,
    opened: Instant,
    /// What the last frame took, seconds.
    last_secs: f64,
}

impl Stage {
    fn open(start: impl FnOnce(Wake) -> anyhow::Result<EngineHandle>) -> anyhow::Result<Self> {
        let (sender, news) = bounded(1);
        let handle = start(Box::new(move || _ = sender.try_send(())))?;
        let ctx = Context::default();
        // Two clicks here are never meant as one of two.
        ctx.options_mut(|options| options.input_options.max_double_click_delay = 0.0);
        let app = App::open(&ctx, KeptSettings::open(None), false, handle, GuiOptions::default());
        Ok(Self { ctx, app, news, opened: Instant::now(), last_secs: 0.0 })
    }

    /// One frame with these events. Returns its work, seconds.
    fn frame(&mut self, events: Vec<Event>) -> f64 {
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, SIZE)),
            time: Some(self.opened.elapsed().as_secs_f64()),
            max_texture_side: Some(8192),
            events,
            ..RawInput::default()
        };
        let clock = Instant::now();
        let (app, last_secs) = (&mut self.app, self.last_secs as f32);
        let output = self.ctx.run_ui(input, |ui| {
            app.prepare(&ui.ctx().clone(), last_secs);
            app.draw(ui);
        });
        black_box(self.ctx.tessellate(output.shapes, output.pixels_per_point));
        self.last_secs = clock.elapsed().as_secs_f64();
        self.last_secs
    }

    /// Draws whenever the engine has news until `ready`.
    fn wait(&mut self, what: &str, ready: impl Fn(&App) -> bool) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(PATIENCE_SECS);
        loop {
            self.frame(vec![]);
            if ready(&self.app) {
                return Ok(());
            }
            ensure!(Instant::now() < end, "{what}: not there after {PATIENCE_SECS} s");
            // A timeout only means that there is no news; the window would blink its cursor then.
            let _ = self.news.recv_timeout(Duration::from_millis(100));
        }
    }

    /// Points of the window that lie on the image or its maps.
    fn points_on_the_maps(&mut self) -> anyhow::Result<Vec<Pos2>> {
        let mut points = vec![];
        for row in 0..(SIZE.y / LATTICE) as usize {
            for col in 0..(SIZE.x / LATTICE) as usize {
                let at = pos2(col as f32 * LATTICE, row as f32 * LATTICE);
                self.frame(vec![Event::PointerMoved(at)]);
                if self.pointed().is_some() {
                    points.push(at);
                }
            }
        }
        ensure!(points.len() > 8, "the window shows no image to point at");
        Ok(points)
    }

    /// The patch under the pointer.
    fn pointed(&self) -> Option<PatchRef> {
        self.app.desk.hover.as_ref().and_then(|hover| hover.patch)
    }

    /// The pointer goes over `points`, a frame each, at a display's pace; what each frame took, seconds.
    fn sweep(&mut self, points: &[Pos2], frames: usize) -> Vec<f64> {
        let mut secs = vec![];
        for at in 0..frames {
            let clock = Instant::now();
            secs.push(self.frame(vec![Event::PointerMoved(points[at % points.len()])]));
            let rest = FRAME_SECS - clock.elapsed().as_secs_f64();
            #[expect(clippy::disallowed_methods, reason = "a screen waits for the next frame, too")]
            std::thread::sleep(Duration::from_secs_f64(rest.max(0.0)));
        }
        secs
    }

    /// Changes the grid and waits until every position of the map is known.
    fn know_the_map(&mut self, config: ExploreConfig) -> anyhow::Result<()> {
        self.app.desk.session.send_config(config);
        self.wait("a map of the new grid", |app| {
            let maps = app.desk.session.snapshot().query.as_ref().map(|query| &query.maps);
            maps.is_some_and(|maps| {
                maps.iter().all(|map| map.grid == GRID && !map.values.iter().any(|value| value.is_nan()))
            })
        })
    }

    /// Rows and columns of the map on show.
    fn map_shape(&self) -> anyhow::Result<(usize, usize)> {
        let map = self.app.desk.maps.list().first().context("no map on show")?;
        Ok((map.rows, map.cols))
    }

    /// Clicks at `at`; seconds from the frame that sees the click to the end of the one that shows its maps.
    fn click(&mut self, at: Pos2) -> anyhow::Result<f64> {
        let button = |pressed| Event::PointerButton {
            pos: at,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        self.frame(vec![Event::PointerMoved(at)]);
        let patch = self.pointed().context("the pointer left the image")?;
        self.frame(vec![button(true)]);
        let clock = Instant::now();
        self.frame(vec![button(false)]);
        self.wait("the maps of a click", |app| {
            let shown = app.desk.maps.query_on_show().and_then(|query| query.query.as_patch());
            shown == Some(patch) && !app.desk.session.is_query_pending()
        })?;
        Ok(clock.elapsed().as_secs_f64())
    }

    /// Moves the pointer to `at` while previews are on; seconds to the end of the frame that shows them.
    fn preview(&mut self, at: Pos2) -> anyhow::Result<f64> {
        self.app.desk.is_previewing = true;
        let clock = Instant::now();
        self.frame(vec![Event::PointerMoved(at)]);
        let patch = self.pointed().context("the pointer left the image")?;
        self.wait("a preview", |app| {
            app.desk.maps.preview_on_show().is_some_and(|preview| preview.patch == patch)
        })?;
        self.app.desk.is_previewing = false;
        Ok(clock.elapsed().as_secs_f64())
    }

    /// Starts the recipe of the built-in model and shows the Train tab.
    fn train(&mut self, folder: &std::path::Path) -> anyhow::Result<()> {
        let config = find_recipe("quick-parts")?.config;
        let data = Openable::built_in_data();
        let start = StartTraining { config, data, out: folder.join("run") };
        self.app.desk.session.send(Command::Train(TrainCommand::Start(Box::new(start))));
        self.app.desk.tab = Tab::Train;
        self.wait("the first steps", |app| {
            app.desk.session.snapshot().runs.active.as_ref().is_some_and(|run| run.step >= 3)
        })
    }

    fn stop_training(&mut self) -> anyhow::Result<()> {
        self.app.desk.session.send(Command::Train(TrainCommand::Stop));
        self.wait("the end of training", |app| {
            let run = app.desk.session.snapshot().runs.active.clone();
            run.is_none_or(|run| matches!(run.phase, Phase::Stopped | Phase::Finished | Phase::Failed))
        })
    }
}
