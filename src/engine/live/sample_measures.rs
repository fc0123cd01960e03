//! Measures of the patches that the galleries search, as far as they are embedded: by a thread of its own, which holds
//! no tensors, so that neither the window nor the engine waits. One is measured after the other; each can be left. What
//! becomes of patches that are changed needs the network, and so the engine's thread: it comes after the rest, a few
//! patches at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::analysis::cooccurring_bank::{CooccurringConfig, CooccurringReport, measure_cooccurring};
use crate::analysis::invariance::Invariance;
use crate::analysis::locality::{LocalityConfig, LocalityReport, changing_progress, measure_bank};
use crate::analysis::spaces::{Geometry, GeometryConfig, measure_spaces};
use crate::bank::Bank;
use crate::dataset::Dataset;
use crate::embed::{BATCH, Embedder};
use crate::engine::ask::PatchSpace;
use crate::engine::ask::{
    Command, EngineLine, MeasureCommand, MeasurePage, MeasuredPage, MeasuresShown, SampleMeasure,
    SamplePhase, SampleResult, SampleView,
};
use crate::engine::figures::cooccurring::cooccurring_page;
use crate::engine::figures::locality::{LocalityFacts, locality_page};
use crate::engine::figures::spaces::geometry_page;
use crate::engine::figures::tiling::tiles_behind;
use crate::engine::live::measured_pages::export;
use crate::engine::live::open::Open;
use crate::engine::live::part::{Change, Due, Handled, Part, Turn};
use crate::model::Space;
use crate::progress::{CancelToken, Cancelled, Progress};
use crate::search::Processor;
use crate::threads;

/// Progress is shown this often at most.
const PERIOD: Duration = Duration::from_millis(200);

/// Patches that are changed, of the queries.
const CHANGED: usize = 64;

/// What is measured.
struct SampleJob {
    measure: SampleMeasure,
    /// Told from earlier ones, whose answers nobody waits for.
    number: u64,
    bank: Bank,
    /// What searches it.
    processor: Arc<Processor>,
    /// The images that it is of.
    data: Arc<dyn Dataset>,
    /// The spaces on show, in their order.
    spaces: Vec<PatchSpace>,
    /// Whether there is a model that changed patches can go through.
    has_model: bool,
    cancel: CancelToken,
}

/// What came of a job without the network, and what is left to do with it.
struct SampleMeasured<R> {
    report: R,
    page: MeasuredPage,
    /// Or why there is nothing that could be changed.
    changing: anyhow::Result<Option<Invariance>>,
}

/// Patches that are being changed, for the report of a job.
struct ChangingJob {
    job: SampleJob,
    since: Instant,
    changing: Invariance,
}

/// How a measure stands, and the newest job of it.
struct SampleSlot<R> {
    view: SampleView<R>,
    number: u64,
    cancel: CancelToken,
}

impl<R> Default for SampleSlot<R> {
    fn default() -> Self {
        Self { view: SampleView::default(), number: 0, cancel: CancelToken::default() }
    }
}

/// How all stand.
#[derive(Default)]
struct SampleSlots {
    geometry: SampleSlot<Geometry>,
    locality: SampleSlot<LocalityReport>,
    cooccurrence: SampleSlot<CooccurringReport>,
    /// Left to do for the newest locality report.
    changing: Option<ChangingJob>,
}

impl SampleSlots {
    /// Changes no more patches for a report that nobody waits for; what it says without them stays.
    fn drop_left(&mut self) {
        if self.changing.as_ref().is_some_and(|changing| changing.job.cancel.is_cancelled()) {
            self.changing = None;
        }
    }
}

/// What is known on both sides, and where it is shown.
struct SampleBoard {
    line: Arc<EngineLine>,
    slots: Mutex<SampleSlots>,
}

/// What a measure gives, and where it stands.
trait SampleReport: Sized {
    /// How it stands.
    fn slot(slots: &mut SampleSlots) -> &mut SampleSlot<Self>;
    /// The same as it is shown.
    fn shown(shown: &mut MeasuresShown) -> &mut SampleView<Self>;
    /// Measures, and lays a page out.
    fn measure(job: &SampleJob, progress: &mut dyn FnMut(Progress)) -> anyhow::Result<SampleMeasured<Self>>;
}

impl SampleReport for Geometry {
    fn slot(slots: &mut SampleSlots) -> &mut SampleSlot<Self> {
        &mut slots.geometry
    }

    fn shown(shown: &mut MeasuresShown) -> &mut SampleView<Self> {
        &mut shown.geometry
    }

    fn measure(job: &SampleJob, progress: &mut dyn FnMut(Progress)) -> anyhow::Result<SampleMeasured<Self>> {
        let (bank, config) = (std::slice::from_ref(&job.bank), GeometryConfig::default());
        let report = measure_spaces(bank, &job.names(), config, &job.cancel, progress)?;
        let page = geometry_page(bank, &report);
        Ok(SampleMeasured { report, page, changing: Ok(None) })
    }
}

impl SampleReport for LocalityReport {
    fn slot(slots: &mut SampleSlots) -> &mut SampleSlot<Self> {
        &mut slots.locality
    }

    fn shown(shown: &mut MeasuresShown) -> &mut SampleView<Self> {
        &mut shown.locality
    }

    fn measure(job: &SampleJob, progress: &mut dyn FnMut(Progress)) -> anyhow::Result<SampleMeasured<Self>> {
        let (searched, data) = ((job.bank.clone(), job.processor.as_ref()), job.data.as_ref());
        let changed = if job.has_model { CHANGED } else { 0 };
        let config = LocalityConfig { changed, ..LocalityConfig::default() };
        let (report, cut) = measure_bank(searched, data, &job.names(), &config, &job.cancel, progress)?;
        let changing = cut.context("what becomes of changed patches").map(|cut| {
            let changing = Invariance::new(cut, job.alone(), (config.resamples, config.seed));
            (changing.patches() > 0).then_some(changing)
        });
        Ok(SampleMeasured { page: job.locality_page(&report), report, changing })
    }
}

impl SampleJob {
    fn names(&self) -> Vec<String> {
        self.spaces.iter().map(PatchSpace::to_string).collect()
    }

    /// The spaces that a patch alone has: it has no place in a feature map of its image.
    fn alone(&self) -> Vec<Space> {
        let of = |space: &PatchSpace| match space {
            PatchSpace::Network(Space::Token(_)) | PatchSpace::Pixels => None,
            PatchSpace::Network(space) => Some(*space),
        };
        self.spaces.iter().filter_map(of).collect()
    }

    fn locality_page(&self, report: &LocalityReport) -> MeasuredPage {
        let (spec, data) = (self.bank.spec(), self.data.as_ref());
        let (of, split, grid) = (data.len(), data.split(), spec.grid);
        let tiles = tiles_behind(spec, self.names());
        let facts = LocalityFacts { model: &spec.model, data: &spec.data.name, split, of, grid, tiles };
        locality_page(&facts, report)
    }

    /// What is shown of a report.
    fn result<R>(&self, report: R, page: MeasuredPage) -> Arc<SampleResult<R>> {
        let (images, patches) = (self.bank.usable_images(), self.bank.searchable());
        Arc::new(SampleResult { report, images, patches, page: Arc::new(page) })
    }
}

impl SampleReport for CooccurringReport {
    fn slot(slots: &mut SampleSlots) -> &mut SampleSlot<Self> {
        &mut slots.cooccurrence
    }

    fn shown(shown: &mut MeasuresShown) -> &mut SampleView<Self> {
        &mut shown.cooccurrence
    }

    fn measure(job: &SampleJob, progress: &mut dyn FnMut(Progress)) -> anyhow::Result<SampleMeasured<Self>> {
        let (name, config) = (job.data.name(), CooccurringConfig::default());
        let (report, pairs) =
            measure_cooccurring(&job.bank, &name, &job.names(), &config, &job.cancel, progress)?;
        let page = cooccurring_page(&report, &pairs);
        Ok(SampleMeasured { report, page, changing: Ok(None) })
    }
}

impl SampleBoard {
    fn slots(&self) -> MutexGuard<'_, SampleSlots> {
        self.slots.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Changes what is shown of a measure, if `number` is its newest job.
    fn change<R: SampleReport>(&self, number: u64, change: impl FnOnce(&mut SampleView<R>)) {
        let mut slots = self.slots();
        let slot = R::slot(&mut slots);
        if slot.number != number {
            return;
        }
        change(&mut slot.view);
        let view = slot.view.clone();
        // With the lock, so that what is shown is never older than what is known.
        self.line.update(|shown| *R::shown(&mut shown.views.measures) = view);
    }

    /// A new job, as whose number what comes is shown.
    fn begin<R: SampleReport>(&self) -> (u64, CancelToken) {
        let (number, cancel) = {
            let mut slots = self.slots();
            let slot = R::slot(&mut slots);
            slot.cancel.cancel();
            (slot.number, slot.cancel) = (slot.number + 1, CancelToken::default());
            let newest = (slot.number, slot.cancel.clone());
            slots.drop_left();
            newest
        };
        self.change::<R>(number, |view| view.phase = SamplePhase::Running(None));
        (number, cancel)
    }

    /// Leaves the newest job; what was measured before stays unless `forgets`.
    fn leave<R: SampleReport>(&self, forgets: bool) {
        let number = {
            let mut slots = self.slots();
            let slot = R::slot(&mut slots);
            slot.cancel.cancel();
            slot.number += 1;
            let number = slot.number;
            slots.drop_left();
            number
        };
        self.change::<R>(number, |view| {
            view.phase = SamplePhase::Idle;
            if forgets {
                view.result = None;
            }
        });
    }

    fn page<R: SampleReport>(&self) -> Option<Arc<MeasuredPage>> {
        R::slot(&mut self.slots()).view.result.as_ref().map(|result| result.page.clone())
    }

    /// Does a job as far as it goes without the network.
    fn serve<R: SampleReport>(&self, job: SampleJob) {
        let mut told: Option<Instant> = None;
        let mut progress = |progress: Progress| {
            if told.is_none_or(|told| told.elapsed() >= PERIOD) {
                told = Some(Instant::now());
                self.change::<R>(job.number, |view| view.phase = SamplePhase::Running(Some(progress)));
            }
        };
        if job.cancel.is_cancelled() {
            return;
        }
        let measured = R::measure(&job, &mut progress);
        let mut left = None;
        self.change::<R>(job.number, |view| match measured {
            Ok(SampleMeasured { report, page, changing }) => {
                view.result = Some(job.result(report, page));
                view.phase = match &changing {
                    Ok(Some(changing)) => {
                        SamplePhase::Running(Some(changing_progress(changing, Instant::now())))
                    }
                    Ok(None) => SamplePhase::Idle,
                    Err(error) if error.is::<Cancelled>() => SamplePhase::Idle,
                    Err(error) => SamplePhase::Failed(format!("{error:#}")),
                };
                left = changing.ok().flatten();
            }
            Err(error) if error.is::<Cancelled>() => view.phase = SamplePhase::Idle,
            Err(error) => view.phase = SamplePhase::Failed(format!("{error:#}")),
        });
        if let Some(changing) = left {
            self.hand_over(ChangingJob { job, since: Instant::now(), changing });
        }
    }

    /// Gives what is left of a job to the engine's thread, unless it was left meanwhile.
    fn hand_over(&self, changing: ChangingJob) {
        let mut slots = self.slots();
        if !changing.job.cancel.is_cancelled() {
            slots.changing = Some(changing);
            drop(slots);
            self.line.call();
        }
    }

    /// Changes some more patches; the report has them once all are done.
    fn change_patches(&self, embedder: &Embedder) {
        // Without the lock: the other thread shows its progress meanwhile.
        let Some(mut left) = self.slots().changing.take() else { return };
        let number = left.job.number;
        let advanced = left.changing.advance(embedder, embedder.turn(BATCH));
        self.change::<LocalityReport>(number, |view| match (&advanced, &view.result) {
            (Ok(true), Some(known)) => {
                let mut report = known.report.clone();
                report.take_changed(&left.changing);
                let page = left.job.locality_page(&report);
                (view.phase, view.result) = (SamplePhase::Idle, Some(left.job.result(report, page)));
            }
            (Ok(_), _) => {
                view.phase = SamplePhase::Running(Some(changing_progress(&left.changing, left.since)));
            }
            (Err(error), _) => view.phase = SamplePhase::Failed(format!("{error:#}")),
        });
        if matches!(advanced, Ok(false)) {
            let mut slots = self.slots();
            if slots.changing.is_none() && !left.job.cancel.is_cancelled() {
                slots.changing = Some(left);
            }
        }
    }
}

/// Has the sample measured.
pub struct SampleMeasuresPart {
    board: Arc<SampleBoard>,
    /// The thread, once there was something to measure.
    jobs: Option<Sender<SampleJob>>,
}

impl Part for SampleMeasuresPart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        match command {
            Command::Measure(MeasureCommand::Start(measure)) => match measure {
                SampleMeasure::Geometry => self.start::<Geometry>(measure, open),
                SampleMeasure::Locality => self.start::<LocalityReport>(measure, open),
                SampleMeasure::Cooccurrence => self.start::<CooccurringReport>(measure, open),
            },
            Command::Measure(MeasureCommand::Stop(measure)) => match measure {
                SampleMeasure::Geometry => self.board.leave::<Geometry>(false),
                SampleMeasure::Locality => self.board.leave::<LocalityReport>(false),
                SampleMeasure::Cooccurrence => self.board.leave::<CooccurringReport>(false),
            },
            Command::Measure(MeasureCommand::Export { page: MeasurePage::Sample(measure), path }) => {
                return Handled::Yes(self.export(measure, path, open));
            }
            other => return Handled::No(other),
        }
        Handled::Yes(Ok(()))
    }

    fn changed(&mut self, change: Change, _: &mut Open) {
        if matches!(change, Change::Source | Change::Vectors) {
            self.board.leave::<Geometry>(true);
            self.board.leave::<LocalityReport>(true);
            self.board.leave::<CooccurringReport>(true);
        }
    }

    fn due(&self, open: &Open) -> Due {
        let is_due = open.embedder.is_some() && self.board.slots().changing.is_some();
        if is_due { Due::Background } else { Due::Nothing }
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        open.embedder.iter().for_each(|embedder| self.board.change_patches(embedder));
        Turn::Taken
    }

    fn shares_turns(&self) -> bool {
        true
    }
}

impl SampleMeasuresPart {
    /// Nothing is measured; shows what is on `line`.
    pub fn new(line: Arc<EngineLine>) -> Self {
        Self { board: Arc::new(SampleBoard { line, slots: Mutex::default() }), jobs: None }
    }

    /// Has what is embedded by now measured; what cannot begin is told where it was asked for.
    fn start<R: SampleReport>(&mut self, measure: SampleMeasure, open: &Open) {
        let (number, cancel) = self.board.begin::<R>();
        let sent = job(measure, open, number, cancel).and_then(|job| self.send(job));
        if let Err(error) = sent {
            let failed = SamplePhase::Failed(format!("{error:#}"));
            self.board.change::<R>(number, |view| view.phase = failed);
        }
    }

    fn send(&mut self, job: SampleJob) -> anyhow::Result<()> {
        if self.jobs.is_none() {
            let (jobs, receiver) = unbounded();
            let board = self.board.clone();
            let work = move || measure_all(&board, &receiver);
            thread::Builder::new().name("measures".into()).spawn(work).context("could not start a thread")?;
            self.jobs = Some(jobs);
        }
        let is_sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        ensure!(is_sent, "the thread that measures has stopped; start bagssl again");
        Ok(())
    }

    fn export(&self, measure: SampleMeasure, path: PathBuf, open: &Open) -> anyhow::Result<()> {
        let page = match measure {
            SampleMeasure::Geometry => self.board.page::<Geometry>(),
            SampleMeasure::Locality => self.board.page::<LocalityReport>(),
            SampleMeasure::Cooccurrence => self.board.page::<CooccurringReport>(),
        };
        export(page, path, open)
    }
}

impl Drop for SampleMeasuresPart {
    fn drop(&mut self) {
        let slots = self.board.slots();
        slots.geometry.cancel.cancel();
        slots.locality.cancel.cancel();
        slots.cooccurrence.cancel.cancel();
    }
}

/// What is embedded by now, to be measured in the spaces on show.
fn job(measure: SampleMeasure, open: &Open, number: u64, cancel: CancelToken) -> anyhow::Result<SampleJob> {
    let growing = open.growing.as_ref().context("no patches are embedded; open a model and images first")?;
    let (bank, data, spaces) = (growing.snapshot(), open.set()?.clone(), open.spaces.clone());
    ensure!(bank.searchable() > 0, "no patch is embedded yet; wait until some are");
    let (has_model, processor) = (open.embedder.is_some(), open.processor.clone());
    Ok(SampleJob { measure, number, bank, processor, data, spaces, has_model, cancel })
}

fn measure_all(board: &SampleBoard, jobs: &Receiver<SampleJob>) {
    threads::work_apart();
    while let Ok(job) = jobs.recv() {
        match job.measure {
            SampleMeasure::Geometry => board.serve::<Geometry>(job),
            SampleMeasure::Locality => board.serve::<LocalityReport>(job),
            SampleMeasure::Cooccurrence => board.serve::<CooccurringReport>(job),
        }
    }
}
