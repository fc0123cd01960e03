//! The run folder:
//!
//! ```text
//! config.toml           the resolved configuration
//! environment.json      program version, device, data set
//! metrics.jsonl         one line per logged step
//! probes.jsonl          one line per probe: spread of h and z, online kNN accuracy, alarms
//! notices.jsonl         what was left out, and why the run stopped
//! *.jsonl.unreadable    lines of these that a resume found damaged
//! events.out.tfevents.* the same for TensorBoard
//! step-000100/          a checkpoint: model.safetensors, optimizer.safetensors, state.json, and for
//!                       BYOL method.safetensors with the predictor and the target
//! step-000200.aside-1/  one that was later than the checkpoint that `--from-step` chose
//! latest                the name of the newest finished checkpoint
//! probes/patches.json   the fixed probe patches
//! probes/step-000100.safetensors   their h and z at a checkpoint (float16); stay when it goes
//! ```
//!
//! A checkpoint is written into a temporary folder and renamed; `latest` changes after that. One
//! that goes is renamed before it is deleted, so that no half of one is ever taken for a whole.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

pub use super::checkpoint::{RunCheckpoint, RunState, STATE_FILE};
pub use super::codec::ProbeVectors;
use super::codec::{probe_bytes, probe_from_bytes};
use super::config::{Keep, TrainConfig};
use super::environment::ENVIRONMENT_FILE;
use super::events::EventFile;
use super::metrics::{Metrics, Notice, NoticeKind, ProbeReport};
use super::seal::{PartSum, PartSums};
use super::{checkpoint, lines};
use crate::files::{self, FolderLock};
use crate::model::store::LATEST_FILE;

/// The resolved configuration.
pub const CONFIG_FILE: &str = "config.toml";
/// Lines of [`Metrics`].
pub const METRICS_FILE: &str = "metrics.jsonl";
/// Lines of [`ProbeReport`].
pub const PROBES_FILE: &str = "probes.jsonl";
/// Lines of [`Notice`].
pub const NOTICES_FILE: &str = "notices.jsonl";
const PROBE_FOLDER: &str = "probes";
const PATCHES_FILE: &str = "patches.json";
/// Checkpoints that are offered in place of one that cannot be resumed from, at most.
const MOST_OFFERED: usize = 3;

/// A folder that holds one training run.
pub struct RunFolder {
    path: PathBuf,
    /// Of who writes the run.
    _lock: Option<FolderLock>,
}

/// Why a checkpoint cannot be resumed from is the cause below it; this says which others can.
#[derive(Debug)]
pub struct OtherCheckpoints {
    /// Steps of the newest that are whole and fit the run, downwards.
    pub steps: Vec<u64>,
}

impl fmt::Display for OtherCheckpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.steps.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        match self.steps.first() {
            Some(newest) => write!(
                f,
                "the checkpoint cannot be resumed from; whole are those of step {steps} \
                 (--resume --from-step {newest} goes on from there)"
            ),
            None => write!(f, "the checkpoint cannot be resumed from, and no other of the run can"),
        }
    }
}

impl std::error::Error for OtherCheckpoints {}

/// Which patches are embedded with every probe, in the order of the vectors' rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbePatches {
    /// What `--data` opens the images with.
    pub data: String,
    /// What `--split` opens them with; `None` where it was not said.
    pub split: Option<String>,
    /// Fingerprint of that data set.
    pub fingerprint: String,
    /// Whether the images are kept from training.
    pub held_out: bool,
    /// Side of the patches, pixels.
    pub size: u32,
    /// Image, and row and column of the top-left pixel.
    pub patches: Vec<[u32; 3]>,
}

impl RunFolder {
    /// A new run, to be written. An existing run is never overwritten; one that came to no step is none yet, and begins anew.
    pub fn create(
        path: &Path,
        config: &TrainConfig,
        environment: &serde_json::Value,
    ) -> anyhow::Result<Self> {
        let lock = FolderLock::take(path)?;
        if path.join(CONFIG_FILE).exists() && !is_unbegun(path)? {
            bail!(
                "{} holds a run already; --resume continues it, another --out starts a new one",
                path.display()
            );
        }
        let run = Self { path: path.into(), _lock: Some(lock) };
        // The configuration last: one without the environment beside it was laid there by somebody else.
        run.note_environment(environment)?;
        files::write_bytes_atomic(&path.join(CONFIG_FILE), config.to_toml()?.as_bytes())?;
        Ok(run)
    }

    /// An existing run and its configuration, to be written on.
    ///
    /// # Errors
    /// No run there, or somebody else writes it.
    pub fn go_on(path: &Path) -> anyhow::Result<(Self, TrainConfig)> {
        // Before anything is locked: a folder that holds no run gets nothing put in.
        Self::open(path)?;
        let lock = FolderLock::take(path)?;
        let (run, config) = Self::open(path)?;
        Ok((Self { _lock: Some(lock), ..run }, config))
    }

    /// An existing run and its configuration, to be read.
    pub fn open(path: &Path) -> anyhow::Result<(Self, TrainConfig)> {
        let file = path.join(CONFIG_FILE);
        let text = files::read_to_string(&file, files::MOST_WORDS).with_context(|| {
            format!("{} is no run folder: could not read {}", path.display(), file.display())
        })?;
        let config = TrainConfig::from_toml(&text).with_context(|| file.display().to_string())?;
        Ok((Self::at(path), config))
    }

    /// Whether `path` is a run's folder, by the names of what is in it.
    pub fn is_at(path: &Path) -> bool {
        path.join(CONFIG_FILE).is_file()
            && (path.join(LATEST_FILE).is_file() || path.join(ENVIRONMENT_FILE).is_file())
    }

    /// Whether what is called so in a run's folder is a part of the run.
    pub fn owns(name: &OsStr) -> bool {
        let files = [
            CONFIG_FILE,
            ENVIRONMENT_FILE,
            METRICS_FILE,
            PROBES_FILE,
            NOTICES_FILE,
            LATEST_FILE,
            PROBE_FOLDER,
        ];
        let name = name.to_string_lossy();
        files.contains(&&*name)
            || ["step-", "events.out.tfevents.", "."].iter().any(|start| name.starts_with(start))
    }

    /// The run folder at `path`, whose configuration is not looked at.
    pub fn at(path: &Path) -> Self {
        Self { path: path.into(), _lock: None }
    }

    /// Records what the run runs on.
    pub fn note_environment(&self, environment: &serde_json::Value) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(environment)?;
        files::write_bytes_atomic(&self.path.join(ENVIRONMENT_FILE), text.as_bytes())
    }

    /// Writes a checkpoint and makes it the latest. Returns its folder.
    pub fn save(&self, saved: &RunCheckpoint) -> anyhow::Result<PathBuf> {
        let name = step_name(saved.state.step);
        let target = self.path.join(&name);
        if self.latest().is_ok_and(|latest| latest == target) && target.join(STATE_FILE).is_file() {
            // The same step of the same run: nothing new to write, and nothing to put at risk.
            return Ok(target);
        }
        let temporary = self.path.join(format!(".{name}.part"));
        let write = || -> anyhow::Result<()> {
            remove_if_there(&temporary)?;
            saved.write(&temporary, self.line_sums())?;
            remove_if_there(&target)?;
            fs::rename(&temporary, &target)?;
            files::write_bytes_atomic(&self.path.join(LATEST_FILE), name.as_bytes())
        };
        write()
            .inspect_err(|_| {
                // A full disk needs the room.
                remove_if_there(&temporary)
                    .unwrap_or_else(|error| log::warn!("{}: {error}", temporary.display()));
            })
            .with_context(|| format!("could not write the checkpoint {}", target.display()))?;
        Ok(target)
    }

    /// Folder of the newest checkpoint.
    pub fn latest(&self) -> anyhow::Result<PathBuf> {
        let latest = self.path.join(LATEST_FILE);
        let name = files::read_to_string(&latest, files::MOST_WORDS).with_context(|| {
            format!("{} has no checkpoint yet: could not read {}", self.path.display(), latest.display())
        })?;
        Ok(self.path.join(name.trim()))
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// As [`RunCheckpoint::read`].
    pub fn load(&self) -> anyhow::Result<RunCheckpoint> {
        self.read(&self.latest()?)
    }

    /// The checkpoint of a step, or the newest. The error says which others can be resumed from
    /// ([`OtherCheckpoints`]).
    pub fn load_from(&self, step: Option<u64>) -> anyhow::Result<RunCheckpoint> {
        let folder = step.map_or_else(|| self.latest(), |step| Ok(self.checkpoint(step)));
        let loaded = match &folder {
            Ok(folder) => self.read(folder),
            Err(error) => Err(anyhow::anyhow!("{error:#}")),
        };
        loaded.map_err(|error| {
            let mut steps = self.checkpoints().unwrap_or_default();
            steps.retain(|step| folder.as_ref().ok() != Some(&self.checkpoint(*step)));
            let is_whole = |step: &u64| self.read(&self.checkpoint(*step)).is_ok();
            let steps = steps.into_iter().rev().filter(is_whole).take(MOST_OFFERED).collect();
            error.context(OtherCheckpoints { steps })
        })
    }

    fn read(&self, folder: &Path) -> anyhow::Result<RunCheckpoint> {
        let read = || {
            let saved = RunCheckpoint::read(folder, Self::open(&self.path)?.1)?;
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let expected = step_name(saved.state.step);
            ensure!(name == expected, "{STATE_FILE} is of {expected}, and lies in {name}");
            Ok(saved)
        };
        read().with_context(|| folder.display().to_string())
    }

    /// Makes the checkpoint of `step` the newest: later ones are renamed, so that none is lost. Returns a sentence
    /// for the user on what was renamed.
    pub fn fall_back(&self, step: u64) -> anyhow::Result<Option<String>> {
        let mut aside = vec![];
        for later in numbered(&self.path, "")?.into_iter().filter(|&later| later > step) {
            let free = (1..).map(|number| format!("{}.aside-{number}", step_name(later)));
            let free = free.map(|name| self.path.join(name)).find(|path| !path.exists());
            let free = free.context("a name that is free")?;
            let folder = self.checkpoint(later);
            fs::rename(&folder, &free).with_context(|| format!("could not rename {}", folder.display()))?;
            aside.push(free.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        // Only now: a run that went on from `step` would write over those that still had their names.
        files::write_bytes_atomic(&self.path.join(LATEST_FILE), step_name(step).as_bytes())?;
        let sentence = format!(
            "went on from the checkpoint of step {step}; later ones are kept aside as {}",
            aside.join(", ")
        );
        Ok((!aside.is_empty()).then_some(sentence))
    }

    /// Steps of the checkpoints that are there, upwards.
    pub fn checkpoints(&self) -> anyhow::Result<Vec<u64>> {
        let mut steps = numbered(&self.path, "")?;
        steps.retain(|step| self.checkpoint(*step).join(STATE_FILE).is_file());
        Ok(steps)
    }

    /// Folder of the checkpoint of `step`, there or not.
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.path.join(step_name(step))
    }

    /// Deletes the checkpoints that `keep` lets go, and what a kill left of earlier deletions and
    /// writes. Never the latest.
    pub fn prune(&self, keep: &Keep) -> anyhow::Result<()> {
        self.remove(keep.expendable(&self.checkpoints()?))
    }

    /// Deletes the checkpoint of `step`, if it is there and not the latest.
    pub fn discard(&self, step: u64) -> anyhow::Result<()> {
        self.remove(self.checkpoints()?.into_iter().filter(|&there| there == step).collect())
    }

    fn remove(&self, steps: Vec<u64>) -> anyhow::Result<()> {
        let latest = self.latest()?;
        for step in steps {
            let folder = self.checkpoint(step);
            if folder == latest {
                continue;
            }
            let going = self.path.join(format!(".{}.old", step_name(step)));
            fs::rename(&folder, &going).with_context(|| format!("could not remove {}", folder.display()))?;
        }
        self.sweep()
    }

    /// Deletes half-written and half-deleted checkpoints.
    pub fn sweep(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let leftover = name.starts_with(".step-") && (name.ends_with(".old") || name.ends_with(".part"));
            if leftover && path.is_dir() {
                fs::remove_dir_all(&path).with_context(|| format!("could not remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Adds one line to the metrics.
    pub fn log(&self, metrics: &Metrics) -> anyhow::Result<()> {
        lines::append(&self.path.join(METRICS_FILE), metrics)
    }

    /// All metrics so far. A last line that a kill cut short is left out.
    pub fn metrics(&self) -> anyhow::Result<Vec<Metrics>> {
        lines::read(&self.path.join(METRICS_FILE))
    }

    /// Adds one probe.
    pub fn log_probe(&self, probe: &ProbeReport) -> anyhow::Result<()> {
        lines::append(&self.path.join(PROBES_FILE), probe)
    }

    /// All probes so far.
    pub fn probes(&self) -> anyhow::Result<Vec<ProbeReport>> {
        lines::read(&self.path.join(PROBES_FILE))
    }

    /// Adds one notice.
    pub fn log_notice(&self, notice: &Notice) -> anyhow::Result<()> {
        lines::append(&self.path.join(NOTICES_FILE), notice)
    }

    /// All notices so far.
    pub fn notices(&self) -> anyhow::Result<Vec<Notice>> {
        lines::read(&self.path.join(NOTICES_FILE))
    }

    /// Records the fixed probe patches.
    pub fn save_probe_patches(&self, patches: &ProbePatches) -> anyhow::Result<()> {
        let path = self.path.join(PROBE_FOLDER).join(PATCHES_FILE);
        files::write_bytes_atomic(&path, &serde_json::to_vec(patches)?)
    }

    /// The fixed probe patches; `None` in a run without probes.
    pub fn probe_patches(&self) -> anyhow::Result<Option<ProbePatches>> {
        let path = self.path.join(PROBE_FOLDER).join(PATCHES_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = files::read(&path, files::MOST_LINES)
            .with_context(|| format!("could not read {}", path.display()))?;
        let patches =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        Ok(Some(patches))
    }

    /// Saves the probe patches' vectors at `step` as float16.
    pub fn save_probe_vectors(&self, step: u64, vectors: &ProbeVectors) -> anyhow::Result<()> {
        let path = self.probe_file(step);
        files::write_bytes_atomic(&path, &probe_bytes(vectors)?)
    }

    /// Steps at which the probe patches' vectors were saved, upwards.
    pub fn probe_steps(&self) -> anyhow::Result<Vec<u64>> {
        let folder = self.path.join(PROBE_FOLDER);
        if folder.is_dir() { numbered(&folder, ".safetensors") } else { Ok(vec![]) }
    }

    /// The probe patches' vectors at `step`.
    pub fn probe_vectors(&self, step: u64) -> anyhow::Result<ProbeVectors> {
        let path = self.probe_file(step);
        let bytes = files::read(&path, files::MOST_WEIGHTS)
            .with_context(|| format!("could not read {}", path.display()))?;
        probe_from_bytes(&bytes).with_context(|| format!("{} is damaged", path.display()))
    }

    fn probe_file(&self, step: u64) -> PathBuf {
        self.path.join(PROBE_FOLDER).join(format!("{}.safetensors", step_name(step)))
    }

    /// Drops the metrics, probes and warnings after `step`, which is about to be done again, and why the run
    /// stopped. Lines that cannot be read are kept in a file beside. Returns what is to be told, in sentences.
    pub fn rewind(&self, step: u64) -> anyhow::Result<Vec<String>> {
        self.sweep()?;
        let mut told = self.changed_lines(step);
        let stays = |notice: &Notice| notice.kind == NoticeKind::Warning && notice.step <= step;
        let aside = [
            (METRICS_FILE, lines::keep(&self.path.join(METRICS_FILE), |line: &Metrics| line.step <= step)?),
            (PROBES_FILE, lines::keep(&self.path.join(PROBES_FILE), |line: &ProbeReport| line.step <= step)?),
            (NOTICES_FILE, lines::keep(&self.path.join(NOTICES_FILE), stays)?),
        ];
        told.extend(aside.into_iter().filter(|(_, count)| *count > 0).map(|(file, count)| {
            let lines = if count == 1 { "1 line".into() } else { format!("{count} lines") };
            format!("{lines} of {file} could not be read: kept in {file}.unreadable")
        }));
        for late in self.probe_steps()?.into_iter().filter(|&late| late > step) {
            fs::remove_file(self.probe_file(late))?;
        }
        Ok(told)
    }

    /// Sums of the files of lines as they are; of one that cannot be read as a file, none.
    fn line_sums(&self) -> PartSums {
        let of = |file: &str| {
            let bytes = files::read(&self.path.join(file), files::MOST_LINES).ok()?;
            Some((file.to_owned(), PartSum::of(&bytes)))
        };
        [METRICS_FILE, PROBES_FILE].into_iter().filter_map(of).collect()
    }

    /// Which files of lines are not as they were when the checkpoint of `step` was written. No weight depends on
    /// them, so that this is told and stops nothing.
    fn changed_lines(&self, step: u64) -> Vec<String> {
        let expected = checkpoint::line_sums(&self.checkpoint(step)).into_iter();
        let is_changed = |(file, sum): &(String, PartSum)| {
            let bytes = files::read(&self.path.join(file), files::MOST_LINES).unwrap_or_default();
            !sum.begins(&bytes)
        };
        let words = |(file, _): (String, PartSum)| {
            format!(
                "{file} is not as it was at the checkpoint of step {step}: the curves may lack lines or hold others"
            )
        };
        expected.filter(is_changed).map(words).collect()
    }

    /// The event file for TensorBoard, written anew from what was logged so far.
    pub fn events(&self) -> anyhow::Result<EventFile> {
        EventFile::renew(&self.path, &self.metrics()?, &self.probes()?)
    }
}

/// Whether a run was laid down in `folder` that ended before its first checkpoint stood: nothing is lost where it begins
/// anew.
fn is_unbegun(folder: &Path) -> anyhow::Result<bool> {
    let is_there = |file: &str| folder.join(file).exists();
    let has_come_far = [LATEST_FILE, METRICS_FILE, PROBES_FILE].into_iter().any(is_there);
    // That of step 0 stands before `latest` does.
    let is_later = |name: &str| name.starts_with("step-") && name != step_name(0);
    let mut entries = fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let has_later =
        entries.any(|entry| entry.is_ok_and(|entry| is_later(&entry.file_name().to_string_lossy())));
    Ok(is_there(ENVIRONMENT_FILE) && !has_come_far && !has_later)
}

fn step_name(step: u64) -> String {
    format!("step-{step:06}")
}

/// The steps of all `step-N` with that ending in a folder, upwards.
fn numbered(folder: &Path, ending: &str) -> anyhow::Result<Vec<u64>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))?;
    let step_of = |name: String| name.strip_prefix("step-")?.strip_suffix(ending)?.parse().ok();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut steps: Vec<u64> = names.filter_map(step_of).collect();
    steps.sort_unstable();
    Ok(steps)
}

fn remove_if_there(folder: &Path) -> std::io::Result<()> {
    if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) }
}
