//! The thread that reads run folders, finished ones and those that another process (or the
//! engine's own thread) is writing. It holds no tensors.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use crate::dataset;
use crate::engine::ask::{
    CurveExport, DataSeen, DataSource, EngineLine, Event, RunStatus, RunView, TrainEvent, TrainTask,
};
use crate::engine::runs::export;
use crate::engine::runs::series::RunSeries;
use crate::engine::runs::tail::Tail;
use crate::files;
use crate::model::store::LATEST_FILE;
use crate::train::run::{CONFIG_FILE, METRICS_FILE, NOTICES_FILE, PROBES_FILE, STATE_FILE};
use crate::train::{ENVIRONMENT_FILE, Environment, Notice, RunFolder, RunState, kept_checkpoints};

/// How often the files of the followed runs are looked at.
const PERIOD: Duration = Duration::from_millis(500);
/// A run whose metrics rest for longer than this, and than five of its usual gaps, is not being trained.
const QUIET: Duration = Duration::from_secs(30);

/// What the thread is asked.
pub enum FollowJob {
    Open(PathBuf),
    Close(PathBuf),
    /// A run was written to just now, and the window is to see it.
    Look,
    /// Time to leave between two frames that files which grow ask for.
    Rest(Duration),
    LookAtData(DataSource),
    Export {
        curves: CurveExport,
        path: PathBuf,
    },
}

/// The runs as they were read last; the thread that reads them writes it.
#[derive(Clone, Default)]
pub struct FollowedRuns(Arc<Mutex<Arc<Vec<Arc<RunView>>>>>);

impl FollowedRuns {
    /// In the order in which they were opened.
    pub fn runs(&self) -> Arc<Vec<Arc<RunView>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, runs: Arc<Vec<Arc<RunView>>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = runs;
    }
}

/// The engine's end of the thread.
pub struct Follower {
    jobs: Sender<FollowJob>,
    followed: FollowedRuns,
}

impl Follower {
    /// Starts the thread.
    pub fn start(line: Arc<EngineLine>) -> anyhow::Result<Self> {
        let (sender, jobs) = unbounded();
        let followed = FollowedRuns::default();
        let worker = FolderReader {
            line,
            runs: vec![],
            followed: followed.clone(),
            rest: PERIOD,
            woken: Instant::now(),
            is_owed: false,
        };
        let work = move || worker.run(&jobs);
        thread::Builder::new().name("runs".into()).spawn(work).context("could not start a thread")?;
        Ok(Self { jobs: sender, followed })
    }

    /// What it has read.
    pub fn followed(&self) -> FollowedRuns {
        self.followed.clone()
    }

    /// Queues a job.
    pub fn ask(&self, job: FollowJob) {
        // Fails only if the thread died; what it had read stays on show.
        let _ = self.jobs.send(job);
    }
}

struct FolderReader {
    line: Arc<EngineLine>,
    runs: Vec<Followed>,
    followed: FollowedRuns,
    /// Time to leave between two frames that files which grow ask for.
    rest: Duration,
    woken: Instant,
    /// Whether something has grown that no frame was asked for yet.
    is_owed: bool,
}

impl FolderReader {
    fn run(mut self, jobs: &Receiver<FollowJob>) {
        loop {
            let is_asked = match jobs.recv_timeout(PERIOD) {
                Ok(FollowJob::Rest(rest)) => {
                    self.rest = rest.max(PERIOD);
                    false
                }
                Ok(job) => {
                    self.handle(job);
                    true
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let changed = self.runs.iter_mut().fold(false, |changed, run| run.look() | changed);
            if changed {
                self.put();
            }
            self.is_owed |= changed;
            if is_asked || (self.is_owed && self.woken.elapsed() >= self.rest) {
                self.wake();
            }
        }
    }

    fn wake(&mut self) {
        (self.is_owed, self.woken) = (false, Instant::now());
        self.line.update(|_| ());
    }

    fn handle(&mut self, job: FollowJob) {
        match job {
            FollowJob::Look | FollowJob::Rest(_) => {}
            FollowJob::Open(path) => {
                if self.runs.iter().any(|run| files::is_same(&run.path, &path)) {
                    return;
                }
                match Followed::open(&path) {
                    Ok(run) => {
                        self.runs.push(run);
                        self.put();
                    }
                    Err(error) => self.fail(TrainTask::OpenRun(path), &error),
                }
            }
            FollowJob::Close(path) => {
                self.runs.retain(|run| run.path != path);
                self.put();
            }
            FollowJob::LookAtData(source) => {
                let found = look_at_data(&source).map_err(|error| format!("{error:#}"));
                self.line.emit(Event::Train(TrainEvent::DataSeen { source, found }));
            }
            FollowJob::Export { curves, path } => match export::save(&curves, &path) {
                Ok(saved) => {
                    let (path, sidecar) = (saved.out, saved.sidecar);
                    self.line.emit(Event::Train(TrainEvent::CurvesSaved { path, sidecar }));
                }
                Err(error) => self.fail(TrainTask::Export, &error),
            },
        }
    }

    fn fail(&self, asked: TrainTask, error: &anyhow::Error) {
        let message = format!("{error:#}");
        self.line.emit(Event::Train(TrainEvent::Failed { asked, message }));
    }

    fn put(&self) {
        let runs: Arc<Vec<_>> = Arc::new(self.runs.iter().map(|run| run.view.clone()).collect());
        self.followed.put(runs.clone());
        self.line.update_quietly(|shown| shown.runs.folders = runs);
    }
}

fn look_at_data(source: &DataSource) -> anyhow::Result<DataSeen> {
    let set = dataset::open(&source.spec, source.split)?;
    Ok(DataSeen {
        name: set.name(),
        kind: set.kind().name.into(),
        images: set.len(),
        classes: set.classes().len(),
        size: set.size(),
        has_splits: set.split().is_some(),
    })
}

/// A run folder and how far it is read.
struct Followed {
    path: PathBuf,
    view: Arc<RunView>,
    series: RunSeries,
    metrics: Tail,
    probes: Tail,
    alarms: Arc<Vec<String>>,
    notice_lines: Tail,
    notices: Arc<Vec<Notice>>,
    grew: Option<Instant>,
    gap: Duration,
    /// Modification times of what is read whole: configuration, environment, newest checkpoint.
    stamps: [Option<std::time::SystemTime>; 3],
}

impl Followed {
    fn open(path: &Path) -> anyhow::Result<Self> {
        RunFolder::open(path)?;
        let mut run = Self {
            path: path.into(),
            view: Arc::new(RunView::of(path)),
            series: RunSeries::default(),
            metrics: Tail::new(METRICS_FILE),
            probes: Tail::new(PROBES_FILE),
            notice_lines: Tail::new(NOTICES_FILE),
            notices: Arc::default(),
            alarms: Arc::default(),
            grew: None,
            gap: Duration::ZERO,
            stamps: [None; 3],
        };
        let age = run.modified(METRICS_FILE).and_then(|at| at.elapsed().ok());
        run.grew = age.and_then(|age| Instant::now().checked_sub(age));
        run.look();
        Ok(run)
    }

    fn modified(&self, file: &str) -> Option<std::time::SystemTime> {
        fs::metadata(self.path.join(file)).and_then(|meta| meta.modified()).ok()
    }

    /// Reads what is new. Returns whether anything changed.
    fn look(&mut self) -> bool {
        let mut view = (*self.view).clone();
        let stamps = [CONFIG_FILE, ENVIRONMENT_FILE, LATEST_FILE].map(|file| self.modified(file));
        let mut changed = stamps != self.stamps;
        if changed {
            self.stamps = stamps;
            self.read_facts(&mut view);
        }
        match self.read_lines() {
            Ok(false) => {}
            Ok(true) => {
                changed = true;
                view.error = None;
                view.series = Arc::new(self.series.shown());
                view.vectors = Arc::new(self.series.vectors());
                view.alarms = self.alarms.clone();
                view.notices = self.notices.clone();
            }
            Err(error) => {
                let error = Some(format!("{error:#}"));
                changed |= view.error != error;
                view.error = error;
            }
        }
        let status = self.status(&view);
        changed |= status != view.status;
        view.status = status;
        if changed {
            self.view = Arc::new(view);
        }
        changed
    }

    /// Configuration, environment and checkpoints.
    fn read_facts(&self, view: &mut RunView) {
        match RunFolder::open(&self.path) {
            Ok((_, config)) => {
                view.config = Some(Arc::new(config));
                view.error = None;
            }
            Err(error) => view.error = Some(format!("{error:#}")),
        }
        let environment = Environment::read(&self.path).unwrap_or_default();
        view.data = environment.data_name().map(str::to_owned).zip(environment.source());
        view.images = environment.images(view.config.as_ref().and_then(|config| config.images));
        view.device = environment.device().map(str::to_owned);
        view.checkpoints = Arc::new(kept_checkpoints(&self.path));
        let total = view.checkpoints.last().and_then(|last| total_steps(&last.path));
        view.total_steps = total.or(planned_steps(view));
    }

    fn status(&self, view: &RunView) -> RunStatus {
        let last = view.last_step().unwrap_or(0.0);
        if view.total_steps.is_some_and(|total| last >= total as f64) {
            return RunStatus::Finished;
        }
        let patience = QUIET.max(5 * self.gap);
        match self.grew {
            Some(at) if at.elapsed() < patience => RunStatus::Growing,
            _ => RunStatus::Unfinished,
        }
    }

    /// Takes in the lines that were added to either file. Returns whether there were any.
    fn read_lines(&mut self) -> anyhow::Result<bool> {
        let metrics = self.metrics.read(&self.path)?;
        let probes = self.probes.read(&self.path)?;
        let has_notices = self.read_notices()?;
        if metrics.is_new_file || probes.is_new_file {
            // A resumed run puts shorter files in place of the old ones: both are read again.
            self.series = RunSeries::default();
            self.alarms = Arc::default();
            if !(metrics.is_new_file && probes.is_new_file) {
                (self.metrics, self.probes) = (Tail::new(METRICS_FILE), Tail::new(PROBES_FILE));
                return self.read_lines().map(|_| true);
            }
        }
        metrics.lines.lines().for_each(|line| {
            self.series.push(line);
        });
        for alarms in probes.lines.lines().filter_map(|line| self.series.push_probe(line)) {
            self.alarms = Arc::new(alarms);
        }
        // What stood there before is as old as the file.
        if metrics.grew
            && !metrics.is_first
            && let Some(before) = self.grew.replace(Instant::now())
        {
            self.gap = before.elapsed();
        }
        Ok(has_notices || metrics.grew || probes.grew || metrics.is_new_file || probes.is_new_file)
    }

    fn read_notices(&mut self) -> anyhow::Result<bool> {
        let added = self.notice_lines.read(&self.path)?;
        if added.is_new_file {
            self.notices = Arc::default();
        }
        let notices = added.lines.lines().filter_map(|line| serde_json::from_str(line).ok());
        Arc::make_mut(&mut self.notices).extend(notices);
        Ok(added.grew || added.is_new_file)
    }
}

/// Steps of the whole run, as a checkpoint says.
fn total_steps(checkpoint: &Path) -> Option<u64> {
    let state: RunState =
        serde_json::from_slice(&files::read(&checkpoint.join(STATE_FILE), files::MOST_WORDS).ok()?).ok()?;
    Some(state.total_steps)
}

/// Steps of the whole run, where no checkpoint says it.
fn planned_steps(view: &RunView) -> Option<u64> {
    Some(view.steps_per_epoch()? * view.config.as_ref()?.epochs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::store::MODEL_FILE;
    use std::io::Write;

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn run_folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let config = crate::train::recipes::find("quick-parts").unwrap().config;
        fs::write(folder.path().join("config.toml"), config.to_toml().unwrap()).unwrap();
        folder
    }

    #[test]
    fn a_run_that_grows_is_read_on_and_one_that_was_rewound_anew() {
        let folder = run_folder();
        let metrics = folder.path().join("metrics.jsonl");
        append(&metrics, "{\"step\":1,\"loss\":3.0}\n{\"step\":2,\"lo");
        let mut run = Followed::open(folder.path()).unwrap();
        assert_eq!(run.view.last_step(), Some(1.0));
        assert_eq!(run.view.status, RunStatus::Growing);
        assert!(!run.look());
        append(&metrics, "ss\":2.0}\n");
        assert!(run.look());
        assert_eq!(run.view.series["loss"].y, [3.0, 2.0]);
        crate::files::write_bytes_atomic(&metrics, b"{\"step\":1,\"loss\":4.0}\n").unwrap();
        assert!(run.look());
        assert_eq!(run.view.series["loss"].y, [4.0]);
    }

    #[test]
    fn checkpoints_are_found_and_half_written_ones_are_not() {
        let folder = run_folder();
        for name in ["step-000100", "step-000020", ".step-000300.part", "step-x"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join(MODEL_FILE), "").unwrap();
        }
        fs::create_dir(folder.path().join("step-000400")).unwrap();
        let run = Followed::open(folder.path()).unwrap();
        assert_eq!(run.view.checkpoints.iter().map(|c| c.step).collect::<Vec<_>>(), [20, 100]);
    }

    #[test]
    fn a_folder_without_a_run_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = format!("{:#}", Followed::open(folder.path()).err().unwrap());
        assert!(error.contains("is no run folder"), "{error}");
    }
}
