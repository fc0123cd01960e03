//! A window's inside without a display, and what is done to it: frames, clicks, waiting.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use crossbeam_channel::{Receiver, bounded};
use eframe::egui::{Context, Event, Modifiers, PointerButton, Pos2, RawInput, Rect, Vec2, pos2};

use crate::engine::facts::find_recipe;
use crate::engine::training::{Phase, StartTraining, TrainCommand};
use crate::engine::{Command, EngineHandle, ExploreConfig};
use crate::gui::app::App;
use crate::gui::app::options::GuiOptions;
use crate::gui::memory::kept::KeptSettings;
use crate::gui::memory::openable::Openable;
use crate::gui::nouns::Tab;
use crate::patch::{PatchGrid, PatchRef};

/// The window as it first opens, points.
pub const SIZE: Vec2 = Vec2::new(1280.0, 800.0);
/// Time from one frame to the next of a display, seconds.
const FRAME_SECS: f64 = 1.0 / 60.0;
/// Longest wait for anything, seconds.
const PATIENCE_SECS: u64 = 180;
/// Distance of the points that the pointer visits, points.
const LATTICE: f32 = 22.0;
/// Patch size and stride of the measured maps, pixels: 39 x 39 positions on the built-in images.
pub const GRID: PatchGrid = PatchGrid { patch: 26, stride: 1 };

/// What an engine calls when there is something new.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// The window's inside with an engine of its own, and what stands in for a display.
pub struct Stage {
    ctx: Context,
    pub app: App,
    news: Receiver<()>,
    opened: Instant,
    /// What the last frame took, seconds.
    last_secs: f64,
}

impl Stage {
    pub fn open(start: impl FnOnce(Wake) -> anyhow::Result<EngineHandle>) -> anyhow::Result<Self> {
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
    pub fn wait(&mut self, what: &str, ready: impl Fn(&App) -> bool) -> anyhow::Result<()> {
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
    pub fn points_on_the_maps(&mut self) -> anyhow::Result<Vec<Pos2>> {
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
    pub fn sweep(&mut self, points: &[Pos2], frames: usize) -> Vec<f64> {
        self.paced(frames, |at| vec![Event::PointerMoved(points[at % points.len()])])
    }

    /// Frames with the events of each, at a display's pace; what each frame took, seconds.
    pub fn paced(&mut self, frames: usize, events: impl Fn(usize) -> Vec<Event>) -> Vec<f64> {
        let mut secs = vec![];
        for at in 0..frames {
            let clock = Instant::now();
            secs.push(self.frame(events(at)));
            let rest = FRAME_SECS - clock.elapsed().as_secs_f64();
            #[expect(clippy::disallowed_methods, reason = "a screen waits for the next frame, too")]
            std::thread::sleep(Duration::from_secs_f64(rest.max(0.0)));
        }
        secs
    }

    /// Changes the grid and waits until every position of the map is known.
    pub fn know_the_map(&mut self, config: ExploreConfig) -> anyhow::Result<()> {
        self.app.desk.session.send_config(config);
        self.wait("a map of the new grid", |app| {
            let maps = app.desk.session.snapshot().query.as_ref().map(|query| &query.maps);
            maps.is_some_and(|maps| {
                maps.iter().all(|map| map.grid == GRID && !map.values.iter().any(|value| value.is_nan()))
            })
        })
    }

    /// Rows and columns of the map on show.
    pub fn map_shape(&self) -> anyhow::Result<(usize, usize)> {
        let map = self.app.desk.maps.list().first().context("no map on show")?;
        Ok((map.rows, map.cols))
    }

    /// Clicks at `at`; seconds from the frame that sees the click to the end of the one that shows its maps.
    pub fn click(&mut self, at: Pos2) -> anyhow::Result<f64> {
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
    pub fn preview(&mut self, at: Pos2) -> anyhow::Result<f64> {
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
    pub fn train(&mut self, folder: &std::path::Path) -> anyhow::Result<()> {
        let config = find_recipe("quick-parts")?.config;
        let data = Openable::built_in_data();
        let start = StartTraining { config, data, out: folder.join("run") };
        self.app.desk.session.send(Command::Train(TrainCommand::Start(Box::new(start))));
        self.app.desk.tab = Tab::Train;
        self.wait("the first steps", |app| {
            app.desk.session.snapshot().runs.active.as_ref().is_some_and(|run| run.step >= 3)
        })
    }

    pub fn stop_training(&mut self) -> anyhow::Result<()> {
        self.app.desk.session.send(Command::Train(TrainCommand::Stop));
        self.wait("the end of training", |app| {
            let run = app.desk.session.snapshot().runs.active.clone();
            run.is_none_or(|run| matches!(run.phase, Phase::Stopped | Phase::Finished | Phase::Failed))
        })
    }
}
