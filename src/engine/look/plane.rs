//! The thread that lays patches out on a plane and finds what their points are coloured by. It holds no tensors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use anyhow::Context;
use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::analysis::plane::{PatchPlane, PlaneConfig, PlaneWay};
use crate::bank::Bank;
use crate::dataset::Dataset;
use crate::engine::ask::{
    EngineLine, PointColor, PointTints, QuerySpec, SamplePhase, ScatterPlan, ScatterShown, ShownPlane,
};
use crate::engine::look::tints::tints;
use crate::progress::{CancelToken, Cancelled};
use crate::threads;

/// A plane is laid out again once there are so many times as many patches; before, that costs more than it shows.
fn growth(way: PlaneWay) -> f64 {
    match way {
        PlaneWay::Pca => 1.25,
        PlaneWay::Tsne => 2.0,
    }
}

/// What is to be on show.
pub struct PlaneJob {
    /// Whose vectors; those of another one mean nothing any more.
    pub source: u64,
    pub plan: ScatterPlan,
    pub bank: Bank,
    /// Whether the bank does not grow any more.
    pub is_final: bool,
    pub data: Arc<dyn Dataset>,
    /// What is looked for, with its vector in the plan's space.
    pub query: Option<(QuerySpec, Vec<f32>)>,
    pub cancel: CancelToken,
}

/// A plane as it is drawn.
pub struct DrawnPlane {
    pub plane: Arc<ShownPlane>,
    pub tints: Arc<PointTints>,
    /// Where the query lies, if it is known.
    pub query: Option<(QuerySpec, [f32; 2])>,
}

/// What is on show, for those who ask about its points.
pub struct PlaneBoard {
    line: Arc<EngineLine>,
    state: Mutex<BoardState>,
}

#[derive(Default)]
struct BoardState {
    /// Whose vectors count now.
    source: u64,
    plane: Option<Arc<ShownPlane>>,
    /// What its points are coloured by.
    tints: Option<Arc<PointTints>>,
    /// Where the query lies on it.
    query: Option<(QuerySpec, [f32; 2])>,
}

impl PlaneBoard {
    /// Nothing is on show.
    pub fn new(line: Arc<EngineLine>) -> Self {
        Self { line, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, BoardState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The plane on show, if it is `number`.
    pub fn plane(&self, number: u64) -> Option<Arc<ShownPlane>> {
        self.state().plane.clone().filter(|plane| plane.number == number)
    }

    /// All that is on show, once its points are coloured.
    pub fn drawn(&self) -> Option<DrawnPlane> {
        let state = self.state();
        let (plane, tints) = (state.plane.clone()?, state.tints.clone()?);
        Some(DrawnPlane { plane, tints, query: state.query.clone() })
    }

    fn take_query(&self, number: u64, query: Option<(QuerySpec, [f32; 2])>) {
        let mut state = self.state();
        if state.plane.as_ref().is_some_and(|plane| plane.number == number) {
            state.query = query.clone();
            self.line.update(|shown| shown.views.scatter.query = query);
        }
    }

    fn take_tints(&self, tints: Arc<PointTints>) {
        let mut state = self.state();
        if state.plane.as_ref().is_some_and(|plane| plane.number == tints.plane) {
            state.tints = Some(tints.clone());
            self.line.update(|shown| shown.views.scatter.tints = Some(tints));
        }
    }

    /// The number of the plane on show.
    pub fn number(&self) -> Option<u64> {
        self.state().plane.as_ref().map(|plane| plane.number)
    }

    /// What was laid out means nothing any more. Returns the number of what comes.
    pub fn forget(&self) -> u64 {
        let mut state = self.state();
        *state = BoardState { source: state.source + 1, ..BoardState::default() };
        self.line.update(|shown| shown.views.scatter = ScatterShown::default());
        state.source
    }

    /// Changes what is shown, if vectors of `source` still count.
    fn show(&self, source: u64, change: impl FnOnce(&mut ScatterShown)) {
        let state = self.state();
        if state.source == source {
            // With the lock, so that nothing is shown of what was forgotten meanwhile.
            self.line.update(|shown| change(&mut shown.views.scatter));
        }
    }

    /// The same, of things that belong to plane `number`.
    pub fn show_of(&self, number: u64, change: impl FnOnce(&mut ScatterShown)) {
        let state = self.state();
        if state.plane.as_ref().is_some_and(|plane| plane.number == number) {
            self.line.update(|shown| change(&mut shown.views.scatter));
        }
    }

    fn take(&self, source: u64, plane: &Arc<ShownPlane>) {
        let mut state = self.state();
        if state.source == source {
            *state = BoardState { source, plane: Some(plane.clone()), ..BoardState::default() };
            self.line.update(|shown| {
                let scatter = &mut shown.views.scatter;
                // What points were is another one's now.
                *scatter = ScatterShown { plane: Some(plane.clone()), ..ScatterShown::default() };
            });
        }
    }
}

/// The engine's end of the thread.
pub struct PlaneLayer {
    jobs: Sender<PlaneJob>,
    waiting: Arc<AtomicUsize>,
}

impl PlaneLayer {
    /// Starts the thread.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(board: Arc<PlaneBoard>) -> anyhow::Result<Self> {
        let (jobs, receiver) = unbounded();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counter = waiting.clone();
        let work = move || {
            threads::work_apart();
            // Told from the planes of another process, too, which a window may have shown before.
            let numbers = u64::from(std::process::id()) << 32;
            PlaneThread { board, laid: None, tinted: None, numbers }.run(&receiver, &counter);
        };
        thread::Builder::new().name("plane".into()).spawn(work).context("could not start a thread")?;
        Ok(Self { jobs, waiting })
    }

    /// Asks; a later job takes the place of one that has not begun.
    pub fn request(&self, job: PlaneJob) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Fails only if the thread died, and then the last plane stays on show.
        let _ = self.jobs.send(job);
    }

    /// Whether nothing is laid out.
    pub fn is_idle(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }
}

/// A plane with the bank whose rows it is of.
struct Laid {
    source: u64,
    shown: Arc<ShownPlane>,
    bank: Bank,
}

struct PlaneThread {
    board: Arc<PlaneBoard>,
    laid: Option<Laid>,
    /// Which plane is coloured by what.
    tinted: Option<(u64, PointColor, Option<QuerySpec>)>,
    numbers: u64,
}

impl PlaneThread {
    fn run(&mut self, jobs: &Receiver<PlaneJob>, waiting: &AtomicUsize) {
        while let Ok(mut job) = jobs.recv() {
            let mut taken = 1;
            while let Ok(newer) = jobs.try_recv() {
                job = newer;
                taken += 1;
            }
            if !job.cancel.is_cancelled() {
                self.serve(&job);
            }
            waiting.fetch_sub(taken, Ordering::Relaxed);
        }
    }

    fn serve(&mut self, job: &PlaneJob) {
        let done = self.lay_out(job).and_then(|()| self.tint(job));
        let phase = match done {
            Ok(()) => SamplePhase::Idle,
            Err(error) if error.is::<Cancelled>() => SamplePhase::Idle,
            Err(error) => SamplePhase::Failed(format!("{error:#}")),
        };
        self.board.show(job.source, |shown| shown.phase = phase);
    }

    /// Lays out what is there by now, unless that is on show already or nearly.
    fn lay_out(&mut self, job: &PlaneJob) -> anyhow::Result<()> {
        let is_same = |laid: &Laid| {
            let plane = &laid.shown.plane;
            laid.source == job.source && (&plane.space, plane.way) == (&job.plan.space, job.plan.way)
        };
        // That of another space is let go of, that of the same one stays until it has grown.
        let before = self.laid.take().filter(is_same);
        if let Some(laid) = before {
            let (then, now) = (laid.bank.searchable(), job.bank.searchable());
            let has_grown = now as f64 >= growth(job.plan.way) * then as f64 || (job.is_final && now > then);
            if !has_grown {
                self.laid = Some(laid);
                return Ok(());
            }
            return self.lay(job, Some(&laid));
        }
        self.lay(job, None)
    }

    fn lay(&mut self, job: &PlaneJob, before: Option<&Laid>) -> anyhow::Result<()> {
        self.board.show(job.source, |shown| shown.phase = SamplePhase::Running(None));
        let axes = before.map(|laid| &laid.shown.plane.axes);
        let board = self.board.clone();
        let mut progress = |progress| {
            board.show(job.source, |shown| shown.phase = SamplePhase::Running(Some(progress)));
        };
        let plane = PatchPlane::of(
            &job.bank,
            &job.plan.space,
            PlaneConfig::by(job.plan.way),
            axes,
            &job.cancel,
            &mut progress,
        )?;
        self.numbers += 1;
        let images = (job.bank.usable_images(), job.bank.total_images());
        let total = job.bank.total_searchable();
        let spec = job.bank.spec().clone();
        let labels = plane.rows.iter().map(|row| job.bank.label_of_row(*row as usize)).collect();
        let shown = Arc::new(ShownPlane { number: self.numbers, plane, spec, labels, images, total });
        // Looked up here for the first time, so that no frame sorts them.
        shown.plane.point_of(shown.plane.patches[0]);
        self.board.take(job.source, &shown);
        self.laid = Some(Laid { source: job.source, shown, bank: job.bank.clone() });
        Ok(())
    }

    /// Finds the colours and the query's place, where they are others than on show.
    fn tint(&mut self, job: &PlaneJob) -> anyhow::Result<()> {
        let Some(laid) = &self.laid else { return Ok(()) };
        let shown = &laid.shown;
        let place = job.query.as_ref().and_then(|(query, vector)| {
            Some((query.clone(), shown.plane.place_of(vector, query.as_patch())?))
        });
        self.board.take_query(shown.number, place);
        let asked = job.query.as_ref().map(|(query, _)| query.clone());
        let key = (shown.number, job.plan.color, asked.filter(|_| job.plan.color == PointColor::Cosine));
        if self.tinted.as_ref() == Some(&key) {
            return Ok(());
        }
        let vector = job.query.as_ref().map(|(_, vector)| vector.as_slice());
        let of = (&shown.plane, &laid.bank);
        let found = tints(job.plan.color, of, job.data.as_ref(), vector, &job.cancel)?;
        let found = PointTints { plane: shown.number, color: job.plan.color, tints: found };
        self.board.take_tints(Arc::new(found));
        self.tinted = Some(key);
        Ok(())
    }
}
