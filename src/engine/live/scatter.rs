//! The patches that the galleries search on a plane, as long as the window looks at it: threads of its own lay them out
//! and cut them out, so that neither the window nor the engine waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::colormap::Colormap;
use crate::engine::ask::{Command, EngineLine, MeasuredPage, ScatterCommand, ScatterPlan};
use crate::engine::figures::scatter::ScatterFacts;
use crate::engine::live::measured_pages::export;
use crate::engine::live::open::{CurrentQuery, Open};
use crate::engine::live::part::{Change, Handled, Part};
use crate::engine::look::plane::{DrawnPlane, PlaneBoard, PlaneJob, PlaneLayer};
use crate::engine::look::plane_patches::{PatchJob, PatchWants, PlanePatches};
use crate::progress::CancelToken;

/// How often the plane follows a bank that grows.
const PERIOD: Duration = Duration::from_millis(700);

/// Has the plane laid out.
pub struct ScatterPart {
    board: Arc<PlaneBoard>,
    layer: PlaneLayer,
    patches: PlanePatches,
    /// What the window looks at.
    wanted: Option<ScatterPlan>,
    /// Whose vectors count.
    source: u64,
    cancel: CancelToken,
    asked: Instant,
    /// Whether the last job was over all that there is.
    is_final: bool,
}

impl ScatterPart {
    /// Nothing is laid out; shows what is on `line`.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(line: &Arc<EngineLine>) -> anyhow::Result<Self> {
        let board = Arc::new(PlaneBoard::new(line.clone()));
        Ok(Self {
            layer: PlaneLayer::start(board.clone())?,
            patches: PlanePatches::start(line.clone(), board.clone())?,
            board,
            wanted: None,
            source: 0,
            cancel: CancelToken::default(),
            asked: Instant::now(),
            is_final: false,
        })
    }

    /// Has what is embedded by now laid out as it is wanted, with the query's place.
    fn ask(&mut self, open: &Open) {
        let (Some(plan), Some(growing), Some(data)) = (&self.wanted, &open.growing, &open.data) else {
            return;
        };
        let Some(space) = open.spaces.iter().position(|space| space.to_string() == plan.space) else {
            return;
        };
        let bank = growing.snapshot();
        if bank.searchable() == 0 {
            return;
        }
        let vector = |query: &CurrentQuery| Some((query.query.clone(), query.vectors.get(space)?.clone()));
        (self.asked, self.is_final) = (Instant::now(), growing.is_finished());
        self.layer.request(PlaneJob {
            source: self.source,
            plan: plan.clone(),
            bank,
            is_final: self.is_final,
            data: data.set.clone(),
            query: open.query.as_ref().and_then(vector),
            cancel: self.cancel.clone(),
        });
    }

    fn follow(&mut self, plan: Option<ScatterPlan>, open: &Open) {
        // The cosines of another space, or of a query meanwhile, are found anew; what is laid out stays.
        let of = |plan: &ScatterPlan| (plan.space.clone(), plan.way);
        if plan.as_ref().map(of) != self.wanted.as_ref().map(of) {
            self.cancel.cancel();
            self.cancel = CancelToken::default();
        }
        self.wanted = plan;
        self.ask(open);
    }

    /// What is on show as a page.
    fn page(&self, colormap: Colormap) -> Option<Arc<MeasuredPage>> {
        let DrawnPlane { plane: shown, tints, query } = self.board.drawn()?;
        let facts = ScatterFacts {
            spec: &shown.spec,
            plane: &shown.plane,
            images: shown.images.0,
            color: tints.color,
            tints: &tints.tints,
            colormap,
            query,
        };
        Some(Arc::new(facts.page()))
    }

    /// Asks for something about points of plane `number`, if it is still on show.
    fn want(&self, number: u64, wants: PatchWants, open: &Open) {
        if let (Some(plane), Some(data)) = (self.board.plane(number), &open.data) {
            self.patches.request(PatchJob { plane, data: data.set.clone(), data_id: data.id, wants });
        }
    }

    /// The same about the plane on show, whichever it is.
    fn want_of_shown(&self, wants: PatchWants, open: &Open) -> anyhow::Result<()> {
        let number = self.board.number().context("nothing is laid out yet; look at Scatter first")?;
        self.want(number, wants, open);
        Ok(())
    }
}

impl Part for ScatterPart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        let Command::Scatter(command) = command else { return Handled::No(command) };
        match command {
            ScatterCommand::Follow(plan) => self.follow(plan, open),
            ScatterCommand::Pictures { plane, points } => {
                self.want(plane, PatchWants::Pictures(points), open)
            }
            ScatterCommand::Pick { plane, outline } => self.want(plane, PatchWants::Pick(outline), open),
            // Nothing is picked where nothing is laid out.
            ScatterCommand::Unpick => drop(self.want_of_shown(PatchWants::Unpick, open)),
            ScatterCommand::Export { colormap, path } => {
                return Handled::Yes(export(self.page(colormap), path, open));
            }
            ScatterCommand::ExportPicked { path } => {
                return Handled::Yes(self.want_of_shown(PatchWants::Table(path), open));
            }
        }
        Handled::Yes(Ok(()))
    }

    fn changed(&mut self, change: Change, open: &mut Open) {
        match change {
            Change::Source | Change::Vectors => {
                self.cancel.cancel();
                self.cancel = CancelToken::default();
                (self.source, self.is_final) = (self.board.forget(), false);
            }
            Change::Query => self.ask(open),
            Change::Bank => {
                let finished = open.growing.as_ref().is_some_and(|growing| growing.is_finished());
                let due = !open.is_quiet && self.asked.elapsed() >= PERIOD && self.layer.is_idle();
                if !self.is_final && (finished || due) {
                    self.ask(open);
                }
            }
            Change::Settings | Change::Maps => {}
        }
    }
}

impl Drop for ScatterPart {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
