//! What a run's folder says of the model that it trained.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::augment::Crop;
use crate::files;
use crate::model::store::MODEL_FILE;
use crate::stats::{Interval, wilson};
use crate::train::{
    Environment, KnnScore, Metrics, NoticeKind, ProbeReport, RunFolder, TrainConfig, kept_checkpoints,
};
use crate::words::{first_lines, thousands};

/// A run, finished or not, as far as its folder tells.
#[derive(Clone, Debug, Serialize)]
pub struct TrainedModel {
    /// The folder's name.
    pub name: String,
    /// The folder.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub run: PathBuf,
    /// Method, network, views, optimiser: what decided it.
    pub config: TrainConfig,
    /// The data set's name.
    pub data: Option<String>,
    /// Images that it was trained on.
    pub images: Option<usize>,
    /// What it was trained on last.
    pub device: Option<String>,
    /// Hex SHA-256 of its newest checkpoint's model.
    pub model_hash: Option<String>,
    /// How far it came; absent before its first line of metrics.
    pub progress: Option<TrainedProgress>,
    /// What was seen of it meanwhile.
    pub watched: TrainedWatch,
    /// Its lines of metrics.
    #[serde(skip)]
    pub metrics: Vec<Metrics>,
    /// Its probes.
    #[serde(skip)]
    pub probes: Vec<ProbeReport>,
}

/// How far a run came.
#[derive(Clone, Debug, Serialize)]
pub struct TrainedProgress {
    /// Steps done.
    pub step: u64,
    /// Steps of the whole run, where its data is known.
    pub steps: Option<u64>,
    /// Passes over the data.
    pub epoch: f64,
    /// Views trained on.
    pub views: u64,
    /// Time of the steps, seconds, by the rate in each line of metrics: without checkpoints and probes.
    pub seconds: f64,
    /// The loss in the last line.
    pub loss: f64,
}

/// What was seen of a run while it trained.
#[derive(Clone, Debug, Serialize)]
pub struct TrainedWatch {
    /// The last online kNN accuracy, with its interval of 95 % for the choice of images.
    pub knn: Option<OnlineAccuracy>,
    /// Probes in all.
    pub probes: usize,
    /// Those with a sign of a collapse.
    pub alarmed: usize,
    /// The newest of those signs, in words.
    pub alarm: Option<String>,
    /// Why it stopped, where an error stopped it.
    pub stopped: Option<String>,
}

/// An online kNN accuracy.
#[derive(Clone, Debug, Serialize)]
pub struct OnlineAccuracy {
    /// Passes over the data by then.
    pub epoch: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// The score, with what decides it.
    #[serde(flatten)]
    pub score: KnnScore,
}

impl TrainedModel {
    /// Reads a run's folder.
    ///
    /// # Errors
    /// Names the file that cannot be read, and what was expected.
    pub fn read(run: &Path) -> anyhow::Result<Self> {
        let (folder, config) = RunFolder::open(run)?;
        let what = || run.display().to_string();
        let (metrics, probes) = (folder.metrics().with_context(what)?, folder.probes().with_context(what)?);
        let notices = folder.notices().with_context(what)?;
        let environment = Environment::read(run).unwrap_or_default();
        let images = environment.images(config.images);
        let steps = images.map(|images| config.steps_per_epoch(images).saturating_mul(config.epochs));
        let last = notices.last().filter(|notice| notice.kind == NoticeKind::Stopped);
        let alarmed = probes.iter().filter(|probe| !probe.alarms.is_empty());
        let alarm = alarmed.clone().next_back().and_then(|probe| probe.alarms.first());
        let watched = TrainedWatch {
            knn: probes.iter().rev().find_map(online),
            probes: probes.len(),
            alarmed: alarmed.count(),
            alarm: alarm.map(|alarm| alarm.message.clone()),
            stopped: last.map(|notice| notice.message.clone()),
        };
        Ok(Self {
            name: run.file_name().unwrap_or(run.as_os_str()).to_string_lossy().into_owned(),
            run: run.into(),
            data: environment.data_name().map(str::to_owned),
            images,
            device: environment.device().map(str::to_owned),
            model_hash: hash(&folder)?,
            progress: progress(&config, &metrics, steps),
            watched,
            config,
            metrics,
            probes,
        })
    }

    /// How its views are cut, where all are cut alike.
    pub fn crop(&self) -> Option<Crop> {
        let first = self.config.views.first()?.crop;
        self.config.views.iter().all(|view| view.crop == first).then_some(first)
    }

    /// "patches of 14", "crops of 0.08 to 1 (multi-scale)".
    pub fn regime(&self) -> String {
        match self.crop() {
            Some(Crop::Fixed { size }) => format!("patches of {size}"),
            Some(Crop::Scale { min, max }) => format!("crops of {min} to {max} (multi-scale)"),
            None => "views of several kinds".into(),
        }
    }

    /// Whether `path` is this run, or a checkpoint in it.
    pub fn holds(&self, path: &Path) -> bool {
        let is_in = |kept: &Path| files::is_same(kept, path);
        is_in(&self.run) || kept_checkpoints(&self.run).iter().any(|kept| is_in(&kept.path))
    }

    /// Signs of a collapse in words: "none in 12 probes".
    pub fn alarm_words(&self) -> String {
        let TrainedWatch { probes, alarmed, alarm, .. } = &self.watched;
        match alarm {
            _ if *probes == 0 => "no probe".into(),
            None => format!("none in {} probes", thousands(*probes)),
            Some(alarm) => {
                let said = first_lines(&[alarm], |alarm| (*alarm).clone(), "");
                format!(
                    "in {} of {} probes; last: {}",
                    thousands(*alarmed),
                    thousands(*probes),
                    said.concat()
                )
            }
        }
    }
}

/// Of the newest checkpoint; `None` where there is none yet.
fn hash(folder: &RunFolder) -> anyhow::Result<Option<String>> {
    let Ok(latest) = folder.latest() else { return Ok(None) };
    let path = latest.join(MODEL_FILE);
    let bytes = files::read(&path, files::MOST_WEIGHTS)
        .with_context(|| format!("could not read {}", path.display()))?;
    Ok(Some(files::hex(&Sha256::digest(bytes))))
}

fn progress(config: &TrainConfig, metrics: &[Metrics], steps: Option<u64>) -> Option<TrainedProgress> {
    let last = metrics.last()?;
    let views = (config.batch * config.views.len()) as u64;
    let starts = std::iter::once(0).chain(metrics.iter().map(|line| line.step));
    let seconds = starts.zip(metrics).map(|(before, line)| {
        let done = line.step.saturating_sub(before).saturating_mul(views) as f64;
        if line.views_per_second > 0.0 { done / line.views_per_second } else { 0.0 }
    });
    Some(TrainedProgress {
        step: last.step,
        steps,
        epoch: last.epoch,
        views: last.step.saturating_mul(views),
        seconds: seconds.sum(),
        loss: last.loss,
    })
}

fn online(probe: &ProbeReport) -> Option<OnlineAccuracy> {
    let score = probe.knn.clone().filter(|score| score.asked_images > 0)?;
    let right = (score.accuracy * score.asked_images as f64).round() as usize;
    let Interval { low, high, .. } = wilson(right.min(score.asked_images), score.asked_images);
    Some(OnlineAccuracy { epoch: probe.epoch, low, high, score })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::recipes;

    #[test]
    fn the_time_of_steps_is_that_of_their_rates() {
        let mut config = recipes::find("quick-cifar10-vicreg-patch14").unwrap().config;
        config.batch = 10;
        let line = |step, views_per_second| Metrics { step, views_per_second, ..Metrics::default() };
        // 5 steps of 20 views at 100 a second, then 10 at 50.
        let found = progress(&config, &[line(5, 100.0), line(15, 50.0)], Some(20)).unwrap();
        assert_eq!((found.step, found.steps, found.views, found.seconds), (15, Some(20), 300, 5.0));
        assert!(progress(&config, &[], None).is_none());
    }
}
