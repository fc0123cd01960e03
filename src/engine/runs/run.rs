//! A training run as units of work: one step, or one batch of a probe, then back to whoever asked.
//! The command line calls [`TrainingRun::advance`] until it is finished; the engine's thread calls it
//! between queries.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::dataset::Skipped;
use crate::device::OpenDevice;
use crate::engine::ask::{News, Start};
use crate::engine::runs::between::Between;
use crate::engine::runs::clock::StepClock;
use crate::engine::runs::held_out_images::HeldOutImages;
use crate::engine::runs::held_out_probe::{HeldOutProbe, ProbeRound};
use crate::engine::runs::record::RunRecord;
use crate::engine::runs::run_data::RunData;
use crate::progress::{CancelToken, Cancelled, Progress};
use crate::train::feed::NoViews;
use crate::train::run::ProbePatches;
use crate::train::{Environment, Metrics, Notice, NoticeKind, RunFolder, StepReport, Trainer, metrics};

/// How long the vectors of the last checkpoint's probe patches may take where the run is to end soon: else they are made
/// when it goes on.
const HURRIED: Duration = Duration::from_secs(3);

/// A run in progress: the trainer, what is written down and what probes the model. Lives on the thread
/// that owns the tensors.
pub struct TrainingRun {
    record: RunRecord,
    trainer: Trainer,
    probe: HeldOutProbe,
    /// A probe that is not finished yet; it looks at the model of its step.
    round: Option<ProbeRound>,
    /// Warnings that nobody was told yet.
    untold: Vec<News>,
    clock: StepClock,
    between: Between,
    log_every: u64,
    /// Steps done when this part of the run began.
    first_step: u64,
    last_report: Option<StepReport>,
    /// Who may have a unit of work left in its midst.
    cancel: CancelToken,
    /// Whether its last checkpoint stands.
    is_ending: bool,
    /// Steps count as if they took so long.
    #[cfg(test)]
    slow: Option<Duration>,
    /// The device is lost at this step.
    #[cfg(test)]
    lost_at: Option<u64>,
}

impl TrainingRun {
    /// Starts or resumes the run of the folder `out` on `data`: the folder is made, and a new run's first
    /// checkpoint written.
    ///
    /// # Errors
    /// A config that does not fit the data, a folder that holds another run, a checkpoint that
    /// cannot be read, other data than the run was trained on.
    pub fn begin(out: &Path, start: &Start, data: &RunData, device: &OpenDevice) -> anyhow::Result<Self> {
        let environment = |RunData { source, set, .. }: &RunData, trainer: &Trainer| {
            Environment::of(source, set.as_ref(), trainer.part().images, &device.name)
        };
        let from = match start {
            Start::New(_) | Start::Resume => None,
            Start::ResumeFrom(step) => Some(*step),
        };
        let probe = |data: &RunData, trainer: &Trainer, kept: Option<ProbePatches>| {
            HeldOutProbe::new(trainer.config(), data, kept, &device.device)
        };
        let mut told = vec![];
        let (folder, trainer, probe) = if let Start::New(config) = start {
            // What can fail comes first: a config that does not fit the data, images that cannot be read, leave no folder
            // behind.
            let data = data.without_holdout(config)?;
            let trainer = Trainer::new((**config).clone(), data.set.clone(), &device.device)?;
            let environment = environment(&data, &trainer)?;
            let probe = probe(&data, &trainer, None)?;
            let folder = RunFolder::create(out, trainer.config(), environment.json())?;
            (folder, trainer, probe)
        } else {
            let (folder, config) = RunFolder::go_on(out)?;
            let data = data.without_holdout(&config)?;
            let saved = folder.load_from(from)?;
            let step = saved.state.step;
            let trainer = Trainer::resume(config, saved, data.set.clone(), &device.device)
                .with_context(|| folder.checkpoint(step).display().to_string())?;
            // What can fail comes first here, too: until then all that stands in the folder stays.
            let environment = environment(&data, &trainer)?;
            let probe = probe(&data, &trainer, folder.probe_patches()?)?;
            if from.is_some() {
                told.extend(folder.fall_back(step)?);
            }
            told.extend(folder.rewind(step)?);
            folder.note_environment(environment.json())?;
            (folder, trainer, probe)
        };
        folder.save_probe_patches(probe.patches())?;
        let mut run = Self {
            record: RunRecord::open(folder, trainer.config().objective.clone())?,
            untold: vec![],
            clock: StepClock::default(),
            between: Between::default(),
            log_every: 1,
            first_step: trainer.state().step,
            last_report: None,
            cancel: CancelToken::default(),
            is_ending: false,
            #[cfg(test)]
            slow: None,
            #[cfg(test)]
            lost_at: None,
            round: None,
            trainer,
            probe,
        };
        if run.step() == 0 {
            run.trainer.checkpoint(run.record.folder())?;
        }
        run.probe_if_due()?;
        told.into_iter().for_each(|warning| run.warn(warning));
        run.warn_of_the_start();
        Ok(run)
    }

    /// What the run begins without.
    fn warn_of_the_start(&mut self) {
        let part = self.trainer.part();
        let skipped = (!part.skipped.is_empty()).then(|| format!("training on {}", part.words()));
        let warnings: Vec<String> = skipped.into_iter().chain(self.probe.warnings().to_vec()).collect();
        warnings.into_iter().for_each(|warning| self.warn(warning));
    }

    /// Keeps a warning with the run, and tells it. One that is there already is only told.
    fn warn(&mut self, message: String) {
        let notice = self.record.warn(self.step(), message);
        self.untold.push(News::Warning(notice));
    }

    /// Steps done.
    fn step(&self) -> u64 {
        self.trainer.state().step
    }

    /// A unit of work is left in its midst, having changed nothing, once `cancel` is asked to stop: what is to come
    /// then is [`TrainingRun::end`].
    pub fn leave_when(&mut self, cancel: CancelToken) {
        self.cancel = cancel;
    }

    /// One unit of work: a step and what is due after it, or one batch of a probe. Nothing where
    /// the run is finished, or where the unit is left.
    ///
    /// # Errors
    /// What stops the run: data that is gone, a full disk, a loss that is no number, a lost device.
    /// The message says what, and where `--resume` goes on. The run must not be advanced after it.
    pub fn advance(&mut self) -> anyhow::Result<Vec<News>> {
        let mut news = if self.round.is_some() {
            self.advance_round()?
        } else if self.trainer.is_finished() {
            vec![]
        } else {
            self.advance_step()?
        };
        news.append(&mut self.untold);
        Ok(news)
    }

    fn advance_step(&mut self) -> anyhow::Result<Vec<News>> {
        let started = Instant::now();
        let report = match self.guarded_step() {
            Err(error) if error.is::<Cancelled>() => return Ok(vec![]),
            done => done.map_err(|error| self.rescued(error))?,
        };
        let took = started.elapsed();
        #[cfg(test)]
        let took = self.slow.unwrap_or(took);
        self.clock.add(took);
        self.between.add(took);
        for Skipped { file, reason } in self.trainer.take_unreadable() {
            self.warn(format!("{file} is left out, another image takes its place: {reason}"));
        }
        let logged = self.after_step(&report).map_err(|error| self.rescued(error));
        self.last_report = Some(report);
        logged
    }

    /// A line of metrics comes with every `steps` steps.
    pub fn log_every(&mut self, steps: u64) {
        self.log_every = steps;
    }

    /// Lines of metrics come so far apart that the whole run writes about `most` of them.
    pub fn limit_lines(&mut self, most: u64) {
        self.log_every = (self.trainer.state().total_steps / most).max(1);
    }

    /// Whether all steps and the last probe are done.
    pub fn is_finished(&self) -> bool {
        self.trainer.is_finished() && self.round.is_none()
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        let state = self.trainer.state();
        Progress {
            what: "training",
            done: state.step,
            total: state.total_steps,
            resumed: self.first_step,
            unit: "steps",
            elapsed: self.clock.active,
        }
    }

    /// Writes a checkpoint of the run as it stands and returns its folder. The probe patches' vectors
    /// follow with the next units of work.
    pub fn checkpoint(&mut self) -> anyhow::Result<PathBuf> {
        let folder = self.write_checkpoint(true)?;
        match &mut self.round {
            Some(round) => round.save(),
            None => self.probe_if_due()?,
        }
        Ok(folder)
    }

    /// Writes the last checkpoint of this part of the run and returns its folder. Units of work that
    /// remain ([`TrainingRun::has_probe_round`]) are those of the probe patches' vectors; where someone asked to stop,
    /// they are given three seconds.
    pub fn end(&mut self) -> anyhow::Result<PathBuf> {
        let folder = self.checkpoint()?;
        let has_vectors = self.record.folder().probe_steps()?.contains(&self.step());
        if has_vectors {
            self.round = None;
        }
        self.round.iter_mut().for_each(ProbeRound::only_save);
        self.is_ending = true;
        let is_hurried = self.cancel.is_cancelled();
        self.cancel = if is_hurried { CancelToken::after(HURRIED) } else { CancelToken::default() };
        Ok(folder)
    }

    /// Whether a probe is not finished yet.
    pub fn has_probe_round(&self) -> bool {
        self.round.is_some()
    }

    /// One that `is_asked` for is kept as the configuration says, another until the next.
    fn write_checkpoint(&mut self, is_asked: bool) -> anyhow::Result<PathBuf> {
        let folder = self.trainer.checkpoint(self.record.folder())?;
        if let Some(step) = self.between.replace(self.step(), is_asked) {
            self.record.folder().discard(step)?;
        }
        if is_asked {
            self.record.folder().prune(&self.trainer.config().keep)?;
        }
        Ok(folder)
    }

    /// What the run says in words so far, earlier parts included.
    pub fn notices(&self) -> &[Notice] {
        self.record.notices()
    }

    /// The trainer.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// The images that it is looked at with.
    pub fn held_out(&self) -> &HeldOutImages {
        self.probe.images()
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        self.record.folder()
    }

    /// What the last step of this part of the run did.
    pub fn last_report(&self) -> Option<&StepReport> {
        self.last_report.as_ref()
    }

    /// Views trained on per second in this part of the run; checkpoints and probes not counted.
    pub fn views_per_second(&self) -> Option<f64> {
        let steps = self.step() - self.first_step;
        let secs = self.clock.active.as_secs_f64();
        (steps > 0).then(|| (steps * self.trainer.views_per_step()) as f64 / secs)
    }

    /// A step; a panic on the way (a lost device ends in one) becomes an error.
    fn guarded_step(&mut self) -> anyhow::Result<StepReport> {
        let step = self.step();
        let work = || {
            #[cfg(test)]
            assert!(self.lost_at != Some(step), "Device lost: driver reset");
            self.trainer.step_unless(&self.cancel)
        };
        guarded(work).with_context(|| format!("training stopped after step {step}"))
    }

    fn after_step(&mut self, report: &StepReport) -> anyhow::Result<Vec<News>> {
        let mut news = vec![];
        let state = self.trainer.state().clone();
        let finished = self.trainer.is_finished();
        if state.step.is_multiple_of(self.log_every) || finished {
            let metrics = self.metrics(report);
            self.record.log(&metrics)?;
            news.push(News::Metrics(metrics));
        }
        let is_asked = state.step.is_multiple_of(self.trainer.checkpoint_every()) || finished;
        if is_asked || self.between.is_due() {
            let folder = self.write_checkpoint(is_asked)?;
            news.push(News::Checkpoint { step: state.step, folder });
        }
        self.probe_if_due()?;
        Ok(news)
    }

    fn metrics(&mut self, report: &StepReport) -> Metrics {
        let state = self.trainer.state();
        let left = state.total_steps - state.step;
        let rates = self.clock.lap(state.step, self.trainer.waited());
        Metrics {
            time: metrics::now(),
            views_per_second: rates.steps_per_second * self.trainer.views_per_step() as f64,
            starved: rates.waited,
            seconds_left: self.clock.seconds_per_step().map(|secs| secs * left as f64),
            memory_bytes: memory_stats::memory_stats().map(|stats| stats.physical_mem as u64),
            ..self.trainer.metrics(report)
        }
    }

    /// Starts a probe where the config or a checkpoint asks for one at this step, unless an
    /// earlier part of the run has made it.
    fn probe_if_due(&mut self) -> anyhow::Result<()> {
        let step = self.step();
        let config = self.trainer.config().probe;
        let probe_due = config.every > 0 && (step.is_multiple_of(config.every) || self.trainer.is_finished());
        let probes = probe_due && !self.record.has_probe(step);
        let saves = !self.between.holds(step)
            && self.record.folder().checkpoint(step).is_dir()
            && !self.record.folder().probe_steps()?.contains(&step);
        if probes || saves {
            self.round = Some(self.probe.start(&self.trainer, probes, saves));
        }
        Ok(())
    }

    fn advance_round(&mut self) -> anyhow::Result<Vec<News>> {
        let Some(mut round) = self.round.take() else { return Ok(vec![]) };
        let Ok(advanced) = self.cancel.leavable(|| guarded(|| round.advance(&self.probe))) else {
            self.round = Some(round).filter(|_| !self.is_ending);
            return Ok(vec![]);
        };
        match advanced {
            Ok(false) => self.round = Some(round),
            Ok(true) => return self.end_round(round).map_err(|error| self.rescued(error)),
            // The images to look at are gone: a pity, but no reason to stop.
            Err(error) => {
                let step = self.step();
                self.warn(format!("the probe of step {step} is left out: {error:#}"));
            }
        }
        Ok(vec![])
    }

    fn end_round(&mut self, round: ProbeRound) -> anyhow::Result<Vec<News>> {
        let result = round.finish(&self.probe);
        if result.saves && !result.vectors.is_empty() {
            self.record.folder().save_probe_vectors(result.report.step, &result.vectors)?;
        }
        if !result.probes {
            return Ok(vec![]);
        }
        Ok(vec![News::Probe(self.record.log_probe(result.report)?)])
    }

    /// Saves what can be saved after an error, and says where the run goes on. Weights after a
    /// loss that is no number, or on a device that is gone, are not saved.
    fn rescued(&mut self, error: anyhow::Error) -> anyhow::Error {
        let intact = error.downcast_ref::<NoViews>().is_some()
            || error.chain().any(|cause| cause.is::<std::io::Error>());
        let mut error = error;
        if intact && let Err(second) = self.write_checkpoint(true) {
            error = error.context(format!("no checkpoint could be written either ({second:#})"));
        }
        self.record.note(self.step(), NoticeKind::Stopped, format!("{error:#}"));
        match self.record.folder().latest() {
            Ok(folder) => error.context(format!("--resume continues from {}", folder.display())),
            Err(_) => error,
        }
    }
}

/// Runs `work`; a panic becomes an error that says what it said.
fn guarded<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|text| text.to_string());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(anyhow::anyhow!(
            "the device or its driver failed: {}",
            said.unwrap_or_else(|| "no reason given".into())
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::DataSource;

    #[test]
    fn a_lost_device_becomes_an_error_that_says_why() {
        let lost: anyhow::Result<()> = guarded(|| panic!("Device lost: {}", "driver reset"));
        let error = lost.unwrap_err().to_string();
        assert!(error.contains("device") && error.contains("driver reset"), "{error}");
        assert_eq!(guarded(|| Ok(3)).unwrap(), 3);
    }

    /// A panic on the way of a step is what a lost device looks like from here.
    #[test]
    fn a_run_whose_device_is_lost_says_so_and_goes_on_from_its_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let device = crate::device::open(crate::device::DeviceChoice::Cpu).unwrap();
        let mut config = crate::train::recipes::find("quick-parts").unwrap().config;
        config.views.truncate(2);
        let network = ["model.backbone.width=2", "model.projector=[8]", "images=16", "batch=8"];
        config.set(&[&network[..], &["epochs=3", "probe.every=0", "checkpoint_every=2"]].concat()).unwrap();
        let data = RunData::open(DataSource { spec: "demo".into(), split: None }).unwrap();
        let begin = |name: &str, start: Start| {
            TrainingRun::begin(&folder.path().join(name), &start, &data, &device).unwrap()
        };
        let losses = |name: &str| -> Vec<f64> {
            let run = RunFolder::open(&folder.path().join(name)).unwrap().0;
            run.metrics().unwrap().iter().map(|line| line.loss).collect()
        };
        let to_end = |run: &mut TrainingRun| -> anyhow::Result<()> {
            while !run.is_finished() {
                run.advance()?;
            }
            Ok(())
        };
        let start = || Start::New(Box::new(config.clone()));
        to_end(&mut begin("whole", start())).unwrap();

        let mut lost = begin("lost", start());
        lost.lost_at = Some(3);
        let error = format!("{:#}", to_end(&mut lost).unwrap_err());
        assert!(error.contains("Device lost: driver reset") && error.contains("after step 3"), "{error}");
        assert!(error.contains("--resume continues from") && error.contains("step-000002"), "{error}");
        let notice = lost.folder().notices().unwrap().pop().unwrap();
        assert!(notice.kind == NoticeKind::Stopped && notice.message.contains("Device lost"), "{notice:?}");
        drop(lost);
        to_end(&mut begin("lost", Start::Resume)).unwrap();
        assert_eq!(losses("lost"), losses("whole"));
    }

    #[test]
    fn a_run_of_long_steps_writes_checkpoints_of_its_own_that_the_next_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let device = crate::device::open(crate::device::DeviceChoice::Cpu).unwrap();
        let mut config = crate::train::recipes::find("quick-parts").unwrap().config;
        config.views.truncate(2);
        let network = ["model.backbone.width=2", "model.projector=[8]", "images=16", "batch=8"];
        config.set(&[&network[..], &["epochs=4", "probe.every=0", "checkpoint_every=7"]].concat()).unwrap();
        let data = RunData::open(DataSource { spec: "demo".into(), split: None }).unwrap();
        let start = Start::New(Box::new(config));
        let mut run = TrainingRun::begin(folder.path(), &start, &data, &device).unwrap();
        run.slow = Some(Duration::from_secs(35));
        let mut seen = vec![];
        while !run.is_finished() {
            let before = run.step();
            run.advance().unwrap();
            if run.step() > before {
                seen.push(run.folder().checkpoints().unwrap());
            }
        }
        let expected: [&[u64]; 8] = [&[0], &[0, 2], &[0, 2], &[0, 4], &[0, 4], &[0, 6], &[0, 7], &[0, 7, 8]];
        assert_eq!(seen, expected);
        // Nobody looks at what is soon gone.
        assert_eq!(run.folder().probe_steps().unwrap(), [0, 7, 8]);
    }
}
