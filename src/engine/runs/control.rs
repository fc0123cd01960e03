//! The run of this process: what is asked of it between steps, and one step at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::augment::Crop;
use crate::dataset::Dataset;
use crate::device::OpenDevice;
use crate::embed::Embedder;
use crate::engine::ask::{
    DataSource, Drawing, EngineLine, Event, Phase, Start, StartTraining, TrainCommand, TrainEvent, TrainTask,
};
use crate::engine::runs::active::{ActiveRun, AfterStep};
use crate::engine::runs::followed::{FollowJob, FollowedRuns, Follower};
use crate::engine::runs::pins::PinnedPatches;
use crate::engine::runs::run::TrainingRun;
use crate::engine::runs::run_data::RunData;
use crate::train::{ENVIRONMENT_FILE, Environment, OtherCheckpoints, TrainConfig};

/// News of training come this often at most where the device draws, too.
const GPU_PERIOD: Duration = Duration::from_millis(33);
/// And where drawing and training share the cores.
const CPU_PERIOD: Duration = Duration::from_millis(500);
/// A frame may take one part in this of the time between two frames that news ask for, so that
/// drawing yields; frames that the user asks for are drawn at once and show the same news.
const FRAME_SHARE: f32 = 120.0;
/// Where the processor draws, its other threads take this many times what the window's own takes, all cores
/// together (measured: 28 times, on two cores).
const SOFTWARE_COST: f32 = 30.0;
/// Longest time between two frames that news ask for, seconds.
const LONGEST_PERIOD: f32 = 8.0;
/// Time for other batch work, such as extraction for the galleries, to that of training: while
/// Explore is open, and while nobody sees what it is for.
const OTHER_SHARE: f64 = 0.2;
const OTHER_SHARE_UNSEEN: f64 = 0.002;
/// Lines of metrics that a run writes at most, about.
const LINES: u64 = 2000;
/// How often the memory of the process is looked at.
const MEMORY_PERIOD: Duration = Duration::from_secs(2);

/// The run of the engine's thread, if there is one, and what is asked of it and shown of it.
pub struct RunControl {
    line: Arc<EngineLine>,
    follower: Follower,
    active: Option<ActiveRun>,
    pins: PinnedPatches,
    drawing: Drawing,
    is_gpu: bool,
    published: Instant,
    /// When the window was last asked to draw what is published.
    woken: Instant,
    memory: (Option<Instant>, Option<u64>),
}

impl RunControl {
    /// Nothing is trained.
    pub fn new(line: Arc<EngineLine>, is_gpu: bool) -> anyhow::Result<Self> {
        Ok(Self {
            follower: Follower::start(line.clone())?,
            line,
            active: None,
            pins: PinnedPatches::new(),
            drawing: Drawing::default(),
            is_gpu,
            published: Instant::now(),
            woken: Instant::now(),
            memory: (None, None),
        })
    }

    /// The run folders that are followed.
    pub fn followed(&self) -> FollowedRuns {
        self.follower.followed()
    }

    /// Whether a step is to be done.
    pub fn has_work(&self) -> bool {
        self.active.as_ref().is_some_and(ActiveRun::works)
    }

    /// Whether batch work that nobody waits for may take its turn: a part of the time while a run goes on.
    pub fn grants(&self) -> bool {
        let running = self.active.as_ref().filter(|active| !active.is_paused);
        let share = if self.drawing.shows_pins { OTHER_SHARE_UNSEEN } else { OTHER_SHARE };
        running.is_none_or(|active| active.other <= active.trained.mul_f64(share))
    }

    /// Whether a run goes on and is looked at, so that news of anything else are to cost no frame.
    pub fn hides_others(&self) -> bool {
        self.drawing.shows_pins && self.active.as_ref().is_some_and(|active| !active.is_paused)
    }

    /// Other work took that long.
    pub fn note_other(&mut self, time: Duration) {
        if let Some(active) = self.active.as_mut().filter(|active| !active.is_paused) {
            active.other += time;
        }
    }

    /// Does what is asked; what fails is told where it was asked.
    pub fn handle(&mut self, command: TrainCommand, device: &OpenDevice) {
        let asked = asked(&command, self.active.as_ref().map(|active| active.path.as_path()));
        if let Err(error) = self.try_handle(command, device) {
            if let (TrainTask::Resume(run), Some(others)) = (&asked, error.downcast_ref::<OtherCheckpoints>())
            {
                self.emit(TrainEvent::OthersFound { run: run.clone(), steps: others.steps.clone() });
            }
            self.emit(TrainEvent::Failed { asked, message: format!("{error:#}") });
        }
    }

    fn try_handle(&mut self, command: TrainCommand, device: &OpenDevice) -> anyhow::Result<()> {
        match command {
            TrainCommand::LookAtData(source) => self.follower.ask(FollowJob::LookAtData(source)),
            TrainCommand::Start(start) => self.start(*start, device)?,
            TrainCommand::Resume { run, from, data } => self.resume(&run, from, data, device)?,
            TrainCommand::Pause(paused) => self.pause(paused, device),
            TrainCommand::Stop => self.stop(device)?,
            TrainCommand::Checkpoint => self.checkpoint()?,
            TrainCommand::Pin(pin) => self.change_pins(|pins| pins.pin(pin)),
            TrainCommand::Unpin(id) => self.change_pins(|pins| pins.unpin(id)),
            TrainCommand::OpenRun(path) => self.follower.ask(FollowJob::Open(path)),
            TrainCommand::CloseRun(path) => {
                if self.active.as_ref().is_none_or(|active| active.path != path) {
                    self.follower.ask(FollowJob::Close(path));
                }
            }
            TrainCommand::Drawing(drawing) => {
                self.drawing = drawing;
                self.follower.ask(FollowJob::Rest(self.frame_period()));
            }
            TrainCommand::ExportCurves { curves, path } => {
                self.follower.ask(FollowJob::Export { curves, path })
            }
        }
        Ok(())
    }

    fn emit(&self, event: TrainEvent) {
        self.line.emit(Event::Train(event));
    }

    // --- beginning and ending ------------------------------------------------------------------

    fn start(&mut self, start: StartTraining, device: &OpenDevice) -> anyhow::Result<()> {
        let StartTraining { config, data, out } = start;
        self.begin(&out, Start::New(Box::new(config)), data, device)
    }

    fn resume(
        &mut self,
        run: &Path,
        from: Option<u64>,
        data: Option<DataSource>,
        device: &OpenDevice,
    ) -> anyhow::Result<()> {
        let data = match data {
            Some(data) => data,
            None => recorded_data(run)?,
        };
        self.begin(run, from.map_or(Start::Resume, Start::ResumeFrom), data, device)
    }

    fn begin(
        &mut self,
        out: &Path,
        start: Start,
        source: DataSource,
        device: &OpenDevice,
    ) -> anyhow::Result<()> {
        if let Some(active) = &self.active {
            anyhow::bail!("{} is being trained; stop it first", active.path.display());
        }
        self.line.update(|shown| shown.busy = Some("starting the run".into()));
        let data = RunData::open(source)?;
        let mut run = TrainingRun::begin(out, &start, &data, device)?;
        run.limit_lines(LINES);
        run.leave_when(self.line.hurry.clone());
        let patch = pin_patch(run.trainer().config(), data.set.as_ref());
        self.pins.begin(run.held_out().clone(), patch);
        let active = ActiveRun::new(out.into(), run);
        self.active = Some(active);
        self.follower.ask(FollowJob::Open(out.into()));
        self.follower.ask(FollowJob::Look);
        self.emit(TrainEvent::Started { run: out.into() });
        self.publish(Phase::Running, None);
        Ok(())
    }

    fn pause(&mut self, paused: bool, device: &OpenDevice) {
        let Some(active) = &mut self.active else { return };
        active.is_paused = paused;
        active.rate.restart(Instant::now());
        if paused {
            self.catch_up(device);
        }
        self.publish_now();
    }

    /// Has the pinned patches seen by the model as it is now, which stays for a while.
    fn catch_up(&mut self, device: &OpenDevice) {
        let Some(active) = &self.active else { return };
        let trainer = active.training.trainer();
        self.pins.catch_up(trainer.state().step, || Embedder::new(trainer.model(), &device.device));
    }

    fn checkpoint(&mut self) -> anyhow::Result<()> {
        let active = self.active.as_mut().context("nothing is being trained")?;
        let path = active.training.checkpoint()?;
        self.saved(path);
        Ok(())
    }

    /// A checkpoint stands.
    fn saved(&mut self, path: PathBuf) {
        let Some(active) = &mut self.active else { return };
        active.checkpoint = active.training.trainer().state().step;
        let (run, step) = (active.path.clone(), active.checkpoint);
        self.follower.ask(FollowJob::Look);
        self.emit(TrainEvent::CheckpointSaved { run, step, path });
        self.publish_now();
    }

    /// Ends the run, its checkpoint written; one that cannot be written keeps the run. The vectors
    /// of the probe patches follow in pieces, unless it is asked again.
    fn stop(&mut self, device: &OpenDevice) -> anyhow::Result<()> {
        let active = self.active.as_mut().context("nothing is being trained")?;
        if active.is_ending {
            self.stopped();
            return Ok(());
        }
        let path = active.training.end()?;
        active.is_ending = true;
        self.saved(path);
        self.stop_if_ended(device);
        Ok(())
    }

    fn stop_if_ended(&mut self, device: &OpenDevice) {
        if self.active.as_ref().is_some_and(|active| active.is_ending && !active.training.has_probe_round()) {
            self.catch_up(device);
            self.stopped();
        }
    }

    fn stopped(&mut self) {
        self.publish(Phase::Stopped, None);
        if let Some(active) = self.active.take() {
            self.emit(TrainEvent::Stopped { run: active.path, step: active.checkpoint });
        }
    }

    fn change_pins(&mut self, change: impl FnOnce(&mut PinnedPatches)) {
        change(&mut self.pins);
        self.publish_now();
    }

    // --- one step ------------------------------------------------------------------------------

    /// One step, then a piece of the pinned patches, then the news. A failure ends the run and is told.
    pub fn step(&mut self, device: &OpenDevice) {
        let Some(active) = self.active.as_mut().filter(|active| active.works()) else { return };
        let done = active.step();
        let (run, warnings) = (active.path.clone(), std::mem::take(&mut active.warnings));
        for message in warnings {
            self.emit(TrainEvent::Warned { run: run.clone(), message });
        }
        match done {
            Ok(AfterStep::GoesOn) => {}
            Ok(AfterStep::Finished) => return self.finish(device),
            Err(error) => return self.fail(&error),
        }
        self.stop_if_ended(device);
        let Some(active) = self.active.as_mut() else { return };
        if self.drawing.shows_pins && !active.is_ending {
            let trainer = active.training.trainer();
            let trained = &active.trained;
            self.pins
                .advance(trainer.state().step, *trained, || Embedder::new(trainer.model(), &device.device));
        }
        if let Some(message) = self.pins.take_warning() {
            self.emit(TrainEvent::Warned { run, message });
        }
        let period = if self.is_gpu { GPU_PERIOD } else { CPU_PERIOD };
        if self.published.elapsed() >= period {
            self.publish_progress();
        }
    }

    fn finish(&mut self, device: &OpenDevice) {
        self.catch_up(device);
        self.publish(Phase::Finished, None);
        if let Some(active) = self.active.take() {
            self.emit(TrainEvent::Finished { run: active.path });
        }
    }

    /// The run stops where it is; its last checkpoint stays.
    fn fail(&mut self, error: &anyhow::Error) {
        let message = format!("{error:#}");
        self.publish(Phase::Failed, Some(message.clone()));
        if let Some(active) = self.active.take() {
            self.emit(TrainEvent::Failed { asked: TrainTask::Training(active.path), message });
        }
    }

    // --- what is shown -------------------------------------------------------------------------

    /// Time between two frames that news ask for.
    fn frame_period(&self) -> Duration {
        let least = if self.is_gpu { GPU_PERIOD } else { CPU_PERIOD };
        let cost = self.drawing.frame_secs * if self.drawing.is_software { SOFTWARE_COST } else { 1.0 };
        least.max(Duration::from_secs_f32((cost * FRAME_SHARE).clamp(0.0, LONGEST_PERIOD)))
    }

    /// What goes on all the time: shown with the next frame, and from time to time worth one of its own.
    fn publish_progress(&mut self) {
        let Some(active) = &self.active else { return };
        let phase = active.phase();
        self.put(phase, None);
        if self.woken.elapsed() >= self.frame_period() {
            self.woken = Instant::now();
            // The thread that reads the run's files wakes the window when it has: one frame for both.
            self.follower.ask(FollowJob::Look);
        }
    }

    fn publish_now(&mut self) {
        let Some(active) = &self.active else { return };
        self.publish(active.phase(), None);
    }

    /// Something has changed that is to be seen at once.
    fn publish(&mut self, phase: Phase, error: Option<String>) {
        self.put(phase, error);
        self.woken = Instant::now();
        self.follower.ask(FollowJob::Look);
    }

    fn put(&mut self, phase: Phase, error: Option<String>) {
        self.published = Instant::now();
        let memory = self.memory();
        let Some(active) = &self.active else { return };
        let view = active.view(phase, error, memory, self.pins.share(active.trained));
        let pins = self.pins.shown();
        self.line.update_quietly(|shown| {
            shown.runs.active = Some(Arc::new(view));
            shown.runs.pins = pins;
        });
    }

    fn memory(&mut self) -> Option<u64> {
        if self.memory.0.is_none_or(|at| at.elapsed() >= MEMORY_PERIOD) {
            let stats = memory_stats::memory_stats();
            self.memory = (Some(Instant::now()), stats.map(|stats| stats.physical_mem as u64));
        }
        self.memory.1
    }
}

fn asked(command: &TrainCommand, run: Option<&Path>) -> TrainTask {
    match command {
        TrainCommand::Start(_) => TrainTask::Start,
        TrainCommand::Resume { run, .. } => TrainTask::Resume(run.clone()),
        TrainCommand::OpenRun(path) => TrainTask::OpenRun(path.clone()),
        TrainCommand::ExportCurves { .. } => TrainTask::Export,
        _ => TrainTask::Training(run.unwrap_or(Path::new("")).into()),
    }
}

/// The data that a run says it was trained on.
fn recorded_data(run: &Path) -> anyhow::Result<DataSource> {
    Environment::read(run)?.source().with_context(|| {
        let path = run.join(ENVIRONMENT_FILE);
        format!("{} does not say what data the run was trained on; choose the data first", path.display())
    })
}

/// The patch size of the pins: that of training where it is small, else one that shows parts, as
/// in Explore.
fn pin_patch(config: &TrainConfig, data: &dyn Dataset) -> u32 {
    let side = data.short_side();
    let of_parts = match side {
        0..=40 => 14.min(side),
        41..=96 => side / 4,
        _ => side * 71 / 224,
    };
    match config.views.first().map(|view| view.crop) {
        Some(Crop::Fixed { size }) => size.min(of_parts),
        _ => of_parts,
    }
}
