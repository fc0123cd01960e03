//! A training run as units of work: one step, or one batch of a probe, then back to whoever asked.
//! The command line calls [`Session::advance`] until it is finished; the engine's thread calls it
//! between queries.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;

use crate::dataset::{self, DataSource, Skipped};
use crate::device::OpenDevice;
use crate::engine::ask::{Start, TrainRequest};
use crate::engine::runs::clock::Clock;
use crate::engine::runs::held_out::{Look, Watcher};
use crate::progress::Progress;
use crate::train::events::EventFile;
use crate::train::feed::NoViews;
use crate::train::{
    Environment, Metrics, Notice, NoticeKind, ProbeReport, RunFolder, StepReport, Trainer, metrics,
};

/// A run in progress: the trainer, its folder and what looks at the model. Lives on the thread that
/// owns the tensors.
pub struct Session {
    run: RunFolder,
    events: EventFile,
    trainer: Trainer,
    watcher: Watcher,
    /// A probe that is not finished yet; it looks at the model of its step.
    look: Option<Look>,
    probes: Vec<ProbeReport>,
    notices: Vec<Notice>,
    /// Warnings that nobody was told yet.
    untold: Vec<News>,
    clock: Clock,
    log_every: u64,
    /// Steps done when this part of the run began.
    first_step: u64,
    last_report: Option<StepReport>,
    /// The device is lost at this step.
    #[cfg(test)]
    lost_at: Option<u64>,
}

/// What a unit of work brought.
#[derive(Clone, Debug)]
pub enum News {
    /// A line of metrics, as it was written.
    Metrics(Metrics),
    /// A probe, as it was written.
    Probe(ProbeReport),
    /// A checkpoint was written.
    Checkpoint { step: u64, folder: PathBuf },
    /// Something is left out; the run goes on. Kept with the run.
    Warning(Notice),
}

impl Session {
    /// Starts or resumes a run: the folder is made, and a new run's first checkpoint written.
    ///
    /// # Errors
    /// A config that does not fit the data, a folder that holds another run, a checkpoint that
    /// cannot be read, other data than the run was trained on.
    pub fn begin(request: &TrainRequest, device: &OpenDevice) -> anyhow::Result<Self> {
        let data = dataset::open(&request.data, request.split)?;
        let source = DataSource { spec: request.data.clone(), split: request.split };
        let environment =
            |trainer: &Trainer| Environment::of(&source, data.as_ref(), trainer.part().images, &device.name);
        let (run, trainer) = match &request.start {
            Start::New(config) => {
                // The trainer first: a config that does not fit the data leaves no folder behind.
                let trainer = Trainer::new((**config).clone(), data.clone(), &device.device)?;
                (RunFolder::create(&request.out, config, environment(&trainer)?.json())?, trainer)
            }
            Start::Resume => {
                let (run, config) = RunFolder::open(&request.out)?;
                let saved = run.load()?;
                let step = saved.state.step;
                let trainer = Trainer::resume(config, saved, data.clone(), &device.device)?;
                run.rewind(step)?;
                run.note_environment(environment(&trainer)?.json())?;
                (run, trainer)
            }
        };
        let watcher = Watcher::new(request, trainer.config(), data.clone(), &device.device)?;
        run.save_probe_patches(watcher.patches())?;
        let mut session = Self {
            events: run.events()?,
            probes: run.probes()?,
            notices: run.notices()?,
            untold: vec![],
            clock: Clock::default(),
            log_every: request.log_every,
            first_step: trainer.state().step,
            last_report: None,
            #[cfg(test)]
            lost_at: None,
            look: None,
            run,
            trainer,
            watcher,
        };
        if session.trainer.state().step == 0 {
            session.trainer.checkpoint(&session.run)?;
        }
        session.look_if_due()?;
        session.warn_of_the_start();
        Ok(session)
    }

    /// What the run begins without.
    fn warn_of_the_start(&mut self) {
        let part = self.trainer.part();
        let skipped = (!part.skipped.is_empty()).then(|| format!("training on {}", part.words()));
        let warnings: Vec<String> = skipped.into_iter().chain(self.watcher.warnings().to_vec()).collect();
        warnings.into_iter().for_each(|warning| self.warn(warning));
    }

    /// Keeps a warning with the run, and tells it. One that is there already is only told.
    fn warn(&mut self, message: String) {
        let known = self.notices.iter().find(|notice| notice.message == message).cloned();
        let notice = known.unwrap_or_else(|| self.note(NoticeKind::Warning, message));
        self.untold.push(News::Warning(notice));
    }

    /// Keeps a notice with the run. That it cannot be written is no reason to stop.
    fn note(&mut self, kind: NoticeKind, message: String) -> Notice {
        let step = self.trainer.state().step;
        let notice = Notice { step, time: metrics::now(), kind, message };
        if let Err(error) = self.run.log_notice(&notice) {
            log::warn!("{}: {error:#}", notice.message);
        }
        self.notices.push(notice.clone());
        notice
    }

    /// One unit of work: a step and what is due after it, or one batch of a probe. Nothing where
    /// the run is finished.
    ///
    /// # Errors
    /// What stops the run: data that is gone, a full disk, a loss that is no number, a lost device.
    /// The message says what, and where `--resume` goes on. The run must not be advanced after it.
    pub fn advance(&mut self) -> anyhow::Result<Vec<News>> {
        let mut news = if self.look.is_some() {
            self.advance_look()?
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
        let report = self.guarded_step().map_err(|error| self.rescued(error))?;
        self.clock.add(started.elapsed());
        for Skipped { file, reason } in self.trainer.take_unreadable() {
            self.warn(format!("{file} is left out, another image takes its place: {reason}"));
        }
        let logged = self.after_step(&report).map_err(|error| self.rescued(error));
        self.last_report = Some(report);
        logged
    }

    /// Lines of metrics come so far apart that the whole run writes about `most` of them.
    pub fn limit_lines(&mut self, most: u64) {
        self.log_every = (self.trainer.state().total_steps / most).max(1);
    }

    /// Whether all steps and the last probe are done.
    pub fn is_finished(&self) -> bool {
        self.trainer.is_finished() && self.look.is_none()
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
        let folder = self.write_checkpoint()?;
        match &mut self.look {
            Some(look) => look.save(),
            None => self.look_if_due()?,
        }
        Ok(folder)
    }

    /// Writes the last checkpoint of this part of the run and returns its folder. Units of work that
    /// remain ([`Session::has_look`]) are those of the probe patches' vectors.
    pub fn end(&mut self) -> anyhow::Result<PathBuf> {
        let folder = self.checkpoint()?;
        let has_vectors = self.run.probe_steps()?.contains(&self.trainer.state().step);
        if has_vectors {
            self.look = None;
        }
        self.look.iter_mut().for_each(Look::only_save);
        Ok(folder)
    }

    /// Whether a probe is not finished yet.
    pub fn has_look(&self) -> bool {
        self.look.is_some()
    }

    fn write_checkpoint(&mut self) -> anyhow::Result<PathBuf> {
        let folder = self.trainer.checkpoint(&self.run)?;
        self.run.prune(&self.trainer.config().keep)?;
        Ok(folder)
    }

    /// What the run says in words so far, earlier parts included.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The trainer.
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// The run's folder.
    pub fn run(&self) -> &RunFolder {
        &self.run
    }

    /// What the last step of this part of the run did.
    pub fn last_report(&self) -> Option<&StepReport> {
        self.last_report.as_ref()
    }

    /// Views trained on per second in this part of the run; checkpoints and probes not counted.
    pub fn views_per_second(&self) -> Option<f64> {
        let steps = self.trainer.state().step - self.first_step;
        let secs = self.clock.active.as_secs_f64();
        (steps > 0).then(|| (steps * self.trainer.views_per_step()) as f64 / secs)
    }

    /// A step; a panic on the way (a lost device ends in one) becomes an error.
    fn guarded_step(&mut self) -> anyhow::Result<StepReport> {
        let step = self.trainer.state().step;
        let work = || {
            #[cfg(test)]
            assert!(self.lost_at != Some(step), "Device lost: driver reset");
            self.trainer.step()
        };
        guarded(work).with_context(|| format!("training stopped after step {step}"))
    }

    fn after_step(&mut self, report: &StepReport) -> anyhow::Result<Vec<News>> {
        let mut news = vec![];
        let state = self.trainer.state().clone();
        let finished = self.trainer.is_finished();
        if state.step.is_multiple_of(self.log_every) || finished {
            let metrics = self.metrics(report);
            self.run.log(&metrics)?;
            self.events.log(&metrics)?;
            news.push(News::Metrics(metrics));
        }
        if state.step.is_multiple_of(self.trainer.checkpoint_every()) || finished {
            let folder = self.write_checkpoint()?;
            news.push(News::Checkpoint { step: state.step, folder });
        }
        self.look_if_due()?;
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
    fn look_if_due(&mut self) -> anyhow::Result<()> {
        let step = self.trainer.state().step;
        let config = self.trainer.config().probe;
        let probe_due = config.every > 0 && (step.is_multiple_of(config.every) || self.trainer.is_finished());
        let probes = probe_due && self.probes.iter().all(|probe| probe.step != step);
        let saves = self.run.checkpoint(step).is_dir() && !self.run.probe_steps()?.contains(&step);
        if probes || saves {
            self.look = Some(self.watcher.look(&self.trainer, probes, saves));
        }
        Ok(())
    }

    fn advance_look(&mut self) -> anyhow::Result<Vec<News>> {
        let Some(mut look) = self.look.take() else { return Ok(vec![]) };
        match guarded(|| look.advance(&self.watcher)) {
            Ok(false) => self.look = Some(look),
            Ok(true) => return self.end_look(look).map_err(|error| self.rescued(error)),
            // The images to look at are gone: a pity, but no reason to stop.
            Err(error) => {
                let step = self.trainer.state().step;
                self.warn(format!("the probe of step {step} is left out: {error:#}"));
            }
        }
        Ok(vec![])
    }

    fn end_look(&mut self, look: Look) -> anyhow::Result<Vec<News>> {
        let seen = look.finish(&self.watcher);
        if seen.saves && !seen.vectors.is_empty() {
            self.run.save_probe_vectors(seen.report.step, &seen.vectors)?;
        }
        if !seen.probes {
            return Ok(vec![]);
        }
        let mut report = seen.report;
        report.set_alarms(&self.probes);
        self.run.log_probe(&report)?;
        self.events.log_probe(&report)?;
        self.probes.push(report.clone());
        Ok(vec![News::Probe(report)])
    }

    /// Saves what can be saved after an error, and says where the run goes on. Weights after a
    /// loss that is no number, or on a device that is gone, are not saved.
    fn rescued(&mut self, error: anyhow::Error) -> anyhow::Error {
        let intact = error.downcast_ref::<NoViews>().is_some()
            || error.chain().any(|cause| cause.is::<std::io::Error>());
        let mut error = error;
        if intact && let Err(second) = self.write_checkpoint() {
            error = error.context(format!("no checkpoint could be written either ({second:#})"));
        }
        self.note(NoticeKind::Stopped, format!("{error:#}"));
        match self.run.latest() {
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
        let request = |name: &str, start: Start| TrainRequest {
            data: "demo".into(),
            split: None,
            out: folder.path().join(name),
            start,
            log_every: 1,
        };
        let losses = |name: &str| -> Vec<f64> {
            let run = RunFolder::open(&folder.path().join(name)).unwrap().0;
            run.metrics().unwrap().iter().map(|line| line.loss).collect()
        };
        let to_end = |session: &mut Session| -> anyhow::Result<()> {
            while !session.is_finished() {
                session.advance()?;
            }
            Ok(())
        };
        let start = || Start::New(Box::new(config.clone()));
        to_end(&mut Session::begin(&request("whole", start()), &device).unwrap()).unwrap();

        let mut session = Session::begin(&request("lost", start()), &device).unwrap();
        session.lost_at = Some(3);
        let error = format!("{:#}", to_end(&mut session).unwrap_err());
        assert!(error.contains("Device lost: driver reset") && error.contains("after step 3"), "{error}");
        assert!(error.contains("--resume continues from") && error.contains("step-000002"), "{error}");
        let notice = session.run.notices().unwrap().pop().unwrap();
        assert!(notice.kind == NoticeKind::Stopped && notice.message.contains("Device lost"), "{notice:?}");
        drop(session);
        to_end(&mut Session::begin(&request("lost", Start::Resume), &device).unwrap()).unwrap();
        assert_eq!(losses("lost"), losses("whole"));
    }
}
