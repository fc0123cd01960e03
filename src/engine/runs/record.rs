//! What a run writes down besides its checkpoints: metrics, probes and notices, for its folder and TensorBoard.

use crate::objective::Objective;
use crate::train::events::EventFile;
use crate::train::{Metrics, Notice, NoticeKind, ProbeReport, RunFolder, metrics};

/// The run's folder and what stands in it so far, earlier parts of the run included.
pub struct RunRecord {
    folder: RunFolder,
    events: EventFile,
    probes: Vec<ProbeReport>,
    notices: Vec<Notice>,
    /// What it trains on, which decides what is a sign of a collapse.
    objective: Objective,
}

impl RunRecord {
    /// Reads what stands in `folder`, the folder of a run on `objective`, and writes the event file anew from it.
    pub fn open(folder: RunFolder, objective: Objective) -> anyhow::Result<Self> {
        let (events, probes, notices) = (folder.events()?, folder.probes()?, folder.notices()?);
        Ok(Self { folder, events, probes, notices, objective })
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// What the run says in words.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Whether there is a probe of `step`.
    pub fn has_probe(&self, step: u64) -> bool {
        self.probes.iter().any(|probe| probe.step == step)
    }

    /// Adds a line of metrics.
    pub fn log(&mut self, metrics: &Metrics) -> anyhow::Result<()> {
        self.folder.log(metrics)?;
        self.events.log(metrics)
    }

    /// Adds a probe, and returns it with the alarms that it gives after the earlier ones.
    pub fn log_probe(&mut self, mut report: ProbeReport) -> anyhow::Result<ProbeReport> {
        report.set_alarms(&self.probes, &self.objective);
        self.folder.log_probe(&report)?;
        self.events.log_probe(&report)?;
        self.probes.push(report.clone());
        Ok(report)
    }

    /// Adds a warning at `step` and returns it; one that is there already stays as it is.
    pub fn warn(&mut self, step: u64, message: String) -> Notice {
        let known = self.notices.iter().find(|notice| notice.message == message).cloned();
        known.unwrap_or_else(|| self.note(step, NoticeKind::Warning, message))
    }

    /// Adds a notice. That it cannot be written is no reason to stop.
    pub fn note(&mut self, step: u64, kind: NoticeKind, message: String) -> Notice {
        let notice = Notice { step, time: metrics::now(), kind, message };
        if let Err(error) = self.folder.log_notice(&notice) {
            log::warn!("{}: {error:#}", notice.message);
        }
        self.notices.push(notice.clone());
        notice
    }
}
