//! What training is asked (commands) and what it shows.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use crate::dataset::DataSource;
use crate::dataset::{Coverage, DataSpec, Split};
use crate::engine::ask::gallery::Gallery;
use crate::engine::ask::maps::Heatmap;
pub use crate::engine::ask::series::MetricSeries;
use crate::image::Image;
use crate::patch::PatchRef;
use crate::train::{KeptCheckpoint, Metrics, Notice, NoticeKind, ProbeReport, TrainConfig};

/// What the window asks of training.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "a variant's doc says what its fields are")]
pub enum TrainCommand {
    /// Looks at a data set without opening it for the explorer; answered by [`TrainEvent::DataSeen`].
    LookAtData(DataSource),
    /// Begins a run.
    Start(Box<StartTraining>),
    /// Continues a run from its newest checkpoint or that of a step; on the data that it names, or on other.
    Resume {
        #[serde(with = "crate::paths")]
        run: PathBuf,
        from: Option<u64>,
        data: Option<DataSource>,
    },
    /// Pauses or goes on.
    Pause(bool),
    /// Writes a checkpoint and ends.
    Stop,
    /// Writes a checkpoint and goes on.
    Checkpoint,
    /// Watches a patch while the model changes.
    Pin(Pin),
    /// Watches it no more.
    Unpin(u64),
    /// Reads a run folder and follows it as it grows.
    OpenRun(#[serde(with = "crate::paths")] PathBuf),
    /// Forgets a run folder; a run that is being trained stays.
    CloseRun(#[serde(with = "crate::paths")] PathBuf),
    /// How the window draws, so that it takes little from training.
    Drawing(Drawing),
    /// Writes curves as a figure (format from the file's extension).
    ExportCurves {
        curves: CurveExport,
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
}

/// A run to begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartTraining {
    /// What is trained, and how.
    pub config: TrainConfig,
    /// What it is trained on.
    pub data: DataSource,
    /// The run folder; it must not hold a run yet.
    #[serde(with = "crate::paths")]
    pub out: PathBuf,
}

/// A patch that is watched while the model changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pin {
    /// Tells it from others.
    pub id: u64,
    /// Where it comes from, for people ("image 12, horse").
    pub name: String,
    /// The image that it is cut from.
    #[serde(with = "crate::wire::fields::picture")]
    pub image: Arc<Image>,
    /// Where it lies.
    pub patch: PatchRef,
}

/// What the window tells about its own work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    /// Whether the pinned patches are on screen: if not, none are computed.
    pub shows_pins: bool,
    /// What a frame takes on the window's thread, seconds.
    pub frame_secs: f32,
    /// Whether the processor draws, not a GPU.
    pub is_software: bool,
}

/// A set of curves as a figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CurveExport {
    /// Heading.
    pub title: String,
    /// Name of the horizontal axis: "step", "epoch", "views".
    pub x_label: String,
    /// Name of the vertical axis.
    pub y_label: String,
    /// Unit of the vertical axis; empty for a pure number.
    pub unit: String,
    /// Whether the horizontal axis is to be logarithmic.
    pub log_x: bool,
    /// Whether the vertical axis is to be logarithmic.
    pub log_y: bool,
    /// The lines, as drawn.
    pub lines: Vec<CurveLine>,
    /// Further facts to print below.
    pub notes: Vec<String>,
}

/// A line of curves that are exported.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CurveLine {
    /// Name in the legend.
    pub name: String,
    /// The space that it is of, which its hue tells.
    pub space: Option<String>,
    /// The run that it is of, which its stroke tells.
    pub run: usize,
    /// Positions.
    pub x: Vec<f64>,
    /// Values, one for each position.
    pub y: Vec<f64>,
}

/// A fact about training that happens once. Never dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "a variant's doc says what its fields are")]
pub enum TrainEvent {
    /// A run began or goes on.
    Started {
        #[serde(with = "crate::paths")]
        run: PathBuf,
    },
    /// A checkpoint stands.
    CheckpointSaved {
        #[serde(with = "crate::paths")]
        run: PathBuf,
        step: u64,
        #[serde(with = "crate::paths")]
        path: PathBuf,
    },
    /// A run ended on request, its last checkpoint written.
    Stopped {
        #[serde(with = "crate::paths")]
        run: PathBuf,
        step: u64,
    },
    /// Something is left out; the run goes on. Kept with the run.
    Warned {
        #[serde(with = "crate::paths")]
        run: PathBuf,
        message: String,
    },
    /// All steps are done.
    Finished {
        #[serde(with = "crate::paths")]
        run: PathBuf,
    },
    /// What a data set holds, or why it cannot be used.
    DataSeen { source: DataSource, found: Result<DataSeen, String> },
    /// Something asked for could not be done.
    Failed { asked: TrainTask, message: String },
    /// A run cannot be continued from the checkpoint that was asked for, but from those of these steps.
    OthersFound {
        #[serde(with = "crate::paths")]
        run: PathBuf,
        steps: Vec<u64>,
    },
    /// A figure of curves stands.
    CurvesSaved {
        #[serde(with = "crate::paths")]
        path: PathBuf,
        #[serde(with = "crate::paths")]
        sidecar: PathBuf,
    },
}

/// What failed, so that the message stands where it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrainTask {
    /// Beginning a run.
    Start,
    /// Continuing the run of this folder.
    Resume(#[serde(with = "crate::paths")] PathBuf),
    /// Reading this run folder.
    OpenRun(#[serde(with = "crate::paths")] PathBuf),
    /// The training itself stopped, or a checkpoint could not be written.
    Training(#[serde(with = "crate::paths")] PathBuf),
    /// Writing curves as a figure.
    Export,
}

/// A data set in a few facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSeen {
    /// What it is called.
    pub name: String,
    /// The word for its kind ("folder").
    pub kind: String,
    /// How many it holds.
    pub images: usize,
    /// How many it tells apart; 0 without labels.
    pub classes: usize,
    /// `(height, width)` where all images share it.
    pub size: Option<(u32, u32)>,
    /// Whether it is one split of two.
    pub has_splits: bool,
}

/// Where a run of this process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Steps are being done.
    Running,
    /// It rests, and can go on.
    Paused,
    /// Asked to stop, and its last checkpoint stands; the probe patches' vectors follow.
    Ending,
    /// It ended on request; it can be resumed.
    Stopped,
    /// All steps are done.
    Finished,
    /// An error stopped it.
    Failed,
}

impl Phase {
    /// Whether the run holds the engine: another one cannot begin.
    pub fn is_active(self) -> bool {
        matches!(self, Phase::Running | Phase::Paused | Phase::Ending)
    }
}

/// The run of this process, the latest of everything that changes all the time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrainingView {
    /// Its folder.
    #[serde(with = "crate::paths")]
    pub run: PathBuf,
    /// Where it stands.
    pub phase: Phase,
    /// Why it failed.
    pub error: Option<String>,
    /// Steps done.
    pub step: u64,
    /// Steps of the whole run.
    pub total_steps: u64,
    /// Passes over the data so far.
    pub epoch: f64,
    /// Of the last step.
    pub loss: Option<f64>,
    /// Learning rate of the last step.
    pub lr: Option<f64>,
    /// How fast it goes on.
    pub pace: TrainingPace,
    /// Memory of the whole process, bytes, where the system tells.
    pub memory: Option<u64>,
    /// Step of the newest checkpoint.
    pub checkpoint: Option<u64>,
    /// What it trains on.
    pub images: UsedImages,
    /// Part of the time that the pinned patches took, 0 to 1.
    pub pins_share: f64,
}

/// How fast a run goes on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct TrainingPace {
    /// Views that one step trains on.
    pub views_per_step: u64,
    /// Views trained on per second over the last seconds.
    pub views_per_second: Option<f64>,
    /// At that rate.
    pub remaining: Option<Duration>,
}

/// Which images a run trains on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UsedImages {
    /// Those that are trained on, and those that were left out from the start.
    pub part: Arc<Coverage>,
    /// Images that could not be read later on; others took their places.
    pub unreadable: u64,
}

impl TrainingView {
    /// Finished part in [0, 1].
    pub fn fraction(&self) -> f32 {
        if self.total_steps == 0 { 0.0 } else { (self.step as f64 / self.total_steps as f64) as f32 }
    }
}

/// The pinned patches as the model of `step` sees them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PinsView {
    /// Steps that the model was trained for.
    pub step: u64,
    /// In the order in which they were pinned.
    pub pins: Vec<PinView>,
    /// Patches that neighbours are taken from.
    pub patches: usize,
    /// Images that the patches are of.
    pub images: usize,
    /// Images that they were chosen from.
    pub images_total: usize,
    /// Name of the data set that neighbours are taken from.
    pub data: String,
    /// Whether training never sees these images.
    pub held_out: bool,
}

/// One pinned patch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PinView {
    /// What is watched.
    pub pin: Pin,
    /// One map for each space, z first.
    pub maps: Vec<Heatmap>,
    /// Its nearest patches in each space, z first; empty until they are known.
    pub galleries: Vec<Gallery>,
}

/// Lists of numbers by name, each with the step that it is of.
pub type Spectra = BTreeMap<String, (u64, Arc<Vec<f64>>)>;

/// A run folder, of this process or another, as far as it is read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunView {
    /// The folder.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// The folder's name.
    pub name: String,
    /// What it was trained with; absent if the file cannot be read (see `error`).
    pub config: Option<Arc<TrainConfig>>,
    /// The data set by name, and by the words that opened it.
    pub data: Option<(String, DataSource)>,
    /// Images that it trains on.
    pub images: Option<usize>,
    /// What it was trained on last, by name.
    pub device: Option<String>,
    /// Steps of the whole run, where they are known.
    pub total_steps: Option<u64>,
    /// Every number of `metrics.jsonl` and `probes.jsonl` by its dotted key, against steps.
    pub series: Arc<BTreeMap<String, Arc<MetricSeries>>>,
    /// The newest of every list of numbers, with its step: spectra.
    pub vectors: Arc<Spectra>,
    /// Kept checkpoints, oldest first.
    pub checkpoints: Arc<Vec<KeptCheckpoint>>,
    /// How it stands, as far as its files tell.
    pub status: RunStatus,
    /// Signs of a collapse that the newest probe saw, one sentence each.
    pub alarms: Arc<Vec<String>>,
    /// What it says in words: what was left out, and why it stopped.
    pub notices: Arc<Vec<Notice>>,
    /// What is wrong with the folder.
    pub error: Option<String>,
}

impl RunView {
    /// The run in the folder `path`, of which nothing is read yet.
    pub fn of(path: &Path) -> Self {
        Self {
            path: path.into(),
            name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            config: None,
            data: None,
            images: None,
            device: None,
            total_steps: None,
            series: Arc::default(),
            vectors: Arc::default(),
            checkpoints: Arc::default(),
            status: RunStatus::Unfinished,
            alarms: Arc::default(),
            notices: Arc::default(),
            error: None,
        }
    }

    /// Steps of the newest line of metrics.
    pub fn last_step(&self) -> Option<f64> {
        self.series.get("loss").and_then(|series| series.x.last().copied())
    }

    /// Why it stopped, where an error stopped it and it did not go on since.
    pub fn stopped_by(&self) -> Option<&str> {
        let last = self.notices.last().filter(|notice| notice.kind == NoticeKind::Stopped)?;
        Some(&last.message)
    }

    /// Steps of one pass over its images.
    pub fn steps_per_epoch(&self) -> Option<u64> {
        let config = self.config.as_ref()?;
        self.images.map(|images| config.steps_per_epoch(images)).filter(|steps| *steps > 0)
    }

    /// Views that one step trains on.
    pub fn views_per_step(&self) -> Option<f64> {
        self.config.as_ref().map(|config| (config.batch * config.views.len()) as f64)
    }
}

/// How a run folder stands, as far as its files tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunStatus {
    /// Nothing was written for a while and steps are left.
    Unfinished,
    /// Its metrics grew lately.
    Growing,
    /// All steps are done.
    Finished,
}

/// `bagssl train`.
pub struct TrainRequest {
    /// What it is trained on.
    pub data: DataSpec,
    /// Which split of it.
    pub split: Option<Split>,
    /// The run folder.
    pub out: PathBuf,
    /// Afresh, or from where the run stands.
    pub start: Start,
    /// Steps between lines of metrics.
    pub log_every: u64,
}

/// How a run begins.
pub enum Start {
    /// Afresh.
    New(Box<TrainConfig>),
    /// Where the run in `out` stands.
    Resume,
    /// From its checkpoint of that step; what came after it is done again.
    ResumeFrom(u64),
}

/// What a unit of a run's work brought.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "a variant's doc says what its fields are")]
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
