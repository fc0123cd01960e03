//! The run that is going on: its units of work, its clocks, and where it stands in words and numbers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::dataset::Coverage;
use crate::engine::ask::{News, Phase, TrainingPace, TrainingView, UsedImages};
use crate::engine::runs::rate::RecentRate;
use crate::engine::runs::run::TrainingRun;

/// A step that takes more than so many times the quickest counts as that.
const LONGEST_STEP: u32 = 10;

/// A run that is going on or paused.
pub struct ActiveRun {
    pub path: PathBuf,
    pub training: TrainingRun,
    part: Arc<Coverage>,
    pub is_paused: bool,
    /// It is asked to stop, and its last checkpoint stands; the probe patches' vectors follow.
    pub is_ending: bool,
    pub rate: RecentRate,
    pub checkpoint: u64,
    /// Time in training steps.
    pub trained: Duration,
    /// That of the quickest.
    quickest: Duration,
    /// Time in other work of the thread since the run began.
    pub other: Duration,
    /// What nobody was told yet.
    pub warnings: Vec<String>,
}

/// How far a step brought the run.
pub enum AfterStep {
    GoesOn,
    /// The last step is done.
    Finished,
}

impl ActiveRun {
    /// A run that goes on.
    pub fn new(path: PathBuf, training: TrainingRun) -> Self {
        let mut rate = RecentRate::default();
        rate.restart(Instant::now());
        Self {
            path,
            checkpoint: training.trainer().state().step,
            part: Arc::new(training.trainer().part().clone()),
            training,
            is_paused: false,
            is_ending: false,
            rate,
            trained: Duration::ZERO,
            quickest: Duration::MAX,
            other: Duration::ZERO,
            warnings: vec![],
        }
    }

    /// Whether a unit of work is to be done.
    pub fn works(&self) -> bool {
        !self.is_paused || self.is_ending
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        match (self.is_ending, self.is_paused) {
            (true, _) => Phase::Ending,
            (false, true) => Phase::Paused,
            (false, false) => Phase::Running,
        }
    }

    /// One step with what is due after it, or one batch of a probe.
    pub fn step(&mut self) -> anyhow::Result<AfterStep> {
        ensure!(
            self.is_ending || !self.training.is_finished(),
            "the run has done all its steps; raise epochs in a new run"
        );
        let before = self.training.trainer().state().step;
        let clock = Instant::now();
        let news = self.training.advance()?;
        self.note_trained(clock.elapsed());
        if self.training.trainer().state().step > before {
            self.rate.tick(Instant::now());
        }
        for item in &news {
            match item {
                News::Checkpoint { step, .. } => self.checkpoint = *step,
                News::Warning(notice) => self.warnings.push(notice.message.clone()),
                News::Metrics(_) | News::Probe(_) => {}
            }
        }
        Ok(if self.training.is_finished() && !self.is_ending {
            AfterStep::Finished
        } else {
            AfterStep::GoesOn
        })
    }

    /// Counts the time of a step, but not what the process slept in it, stopped by a user: other work is given
    /// a share of the time in training.
    fn note_trained(&mut self, took: Duration) {
        self.quickest = self.quickest.min(took);
        self.trained += took.min(LONGEST_STEP * self.quickest);
    }

    /// Everything that changes all the time.
    pub fn view(
        &self,
        phase: Phase,
        error: Option<String>,
        memory: Option<u64>,
        pins_share: f64,
    ) -> TrainingView {
        let trainer = self.training.trainer();
        let state = trainer.state();
        let per_second = self.rate.steps_per_second().filter(|_| phase == Phase::Running);
        let left = (state.total_steps - state.step) as f64;
        TrainingView {
            run: self.path.clone(),
            phase,
            error,
            step: state.step,
            total_steps: state.total_steps,
            epoch: trainer.epoch(),
            loss: self.training.last_report().map(|report| report.loss),
            lr: self.training.last_report().map(|report| report.lr),
            pace: TrainingPace {
                views_per_step: trainer.views_per_step(),
                views_per_second: per_second.map(|rate| rate * trainer.views_per_step() as f64),
                remaining: per_second.map(|rate| Duration::from_secs_f64(left / rate)),
            },
            memory,
            checkpoint: Some(self.checkpoint),
            images: UsedImages { part: self.part.clone(), unreadable: trainer.unreadable() },
            pins_share,
        }
    }
}
