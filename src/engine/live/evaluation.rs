//! Evaluations beside all other work: a unit at a time, every other time where patches are embedded for the galleries too.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;

use crate::engine::ask::{
    Command, EvaluateCommand, EvaluationPhase, EvaluationView, Event, MeasuredPage, PlanRequest, ResultRow,
};
use crate::engine::figures::bars::{BarsTable, bars_page, bars_spec};
use crate::engine::live::measured_pages;
use crate::engine::live::open::Open;
use crate::engine::live::part::{Due, Handled, Part, Turn};
use crate::engine::look::extraction::Growing;
use crate::engine::tables::plan::{PlanUnit, PlanWork, StoredResults, write_table};
use crate::engine::tables::table;
use crate::figure::Format;
use crate::progress::{Cancelled, Progress};

/// Progress is shown this often at most.
const PERIOD: Duration = Duration::from_millis(250);

/// Does plans of evaluations, and shows results.
#[derive(Default)]
pub struct EvaluationPart {
    work: Option<PlanWork>,
    view: Option<EvaluationView>,
    published: Option<Instant>,
    /// Whether the next unit is that of the galleries' patches.
    others_have_turn: bool,
}

impl Part for EvaluationPart {
    fn handle(&mut self, command: Command, open: &mut Open) -> Handled {
        let Command::Evaluate(command) = command else { return Handled::No(command) };
        Handled::Yes(match command {
            EvaluateCommand::Start(request) => {
                self.start(*request, open);
                Ok(())
            }
            EvaluateCommand::Stop => {
                self.end(EvaluationPhase::Unfinished, open);
                Ok(())
            }
            EvaluateCommand::Open(folder) => self.show(&folder, open),
            EvaluateCommand::Export(path) => self.export(&path, open),
        })
    }

    fn due(&self, _: &Open) -> Due {
        if self.work.is_some() { Due::Background } else { Due::Nothing }
    }

    fn work(&mut self, open: &mut Open) -> Turn {
        let is_shared = open.growing.as_ref().is_some_and(Growing::has_work);
        if is_shared && std::mem::take(&mut self.others_have_turn) {
            return Turn::Passed;
        }
        self.others_have_turn = true;
        self.advance(open);
        Turn::Taken
    }
}

impl EvaluationPart {
    /// Begins; what cannot begin is told where it would be shown.
    fn start(&mut self, request: PlanRequest, open: &Open) {
        if self.work.is_some() {
            return;
        }
        let before = self.view.take().filter(|view| view.request.plan == request.plan);
        // What is known of the same plan stays on show until it is read again.
        let (rows, trends, texts) =
            before.map(|view| (view.rows, view.trends, view.texts)).unwrap_or_default();
        let view = EvaluationView {
            request: Arc::new(request.clone()),
            phase: EvaluationPhase::Running,
            done: 0,
            kept: 0,
            cell: String::new(),
            progress: None,
            left: None,
            rows,
            trends,
            texts,
        };
        self.view = Some(view);
        match request.plan.check().and_then(|()| PlanWork::begin(request)) {
            Ok(work) => self.work = Some(work),
            Err(error) => self.end(EvaluationPhase::Failed(format!("{error:#}")), open),
        }
        self.publish(open);
    }

    /// One unit of the plan.
    fn advance(&mut self, open: &Open) {
        let (Some(work), Some(view)) = (&mut self.work, &mut self.view) else { return };
        let before = work.done();
        let mut told: Option<Progress> = None;
        let unit = PlanUnit {
            device: &open.device,
            is_shared: true,
            cancel: &open.line.hurry,
            progress: &mut |progress| told = Some(progress),
        };
        match work.advance(unit) {
            Ok(is_done) => {
                let has_cell = work.done() != before;
                (view.cell, view.left) = (work.words(), work.left());
                view.progress = if has_cell { None } else { told.or(view.progress.take()) };
                if has_cell {
                    (view.done, view.kept) = (work.done(), work.report().kept);
                    // Of a plan that goes on the rows of before stay until there are as many.
                    if work.report().rows.len() >= view.rows.len() {
                        let rows = work.report().rows.clone();
                        if let Err(error) = show_rows(view, rows) {
                            return self.end(EvaluationPhase::Failed(format!("{error:#}")), open);
                        }
                    }
                }
                if is_done {
                    return self.end(EvaluationPhase::Finished, open);
                }
                if has_cell || self.published.is_none_or(|at| at.elapsed() >= PERIOD) {
                    self.publish(open);
                }
            }
            Err(error) if error.is::<Cancelled>() => self.end(EvaluationPhase::Unfinished, open),
            Err(error) => self.end(EvaluationPhase::Failed(format!("{error:#}")), open),
        }
    }

    /// Ends what goes on; its folder is free for others.
    fn end(&mut self, phase: EvaluationPhase, open: &Open) {
        self.work = None;
        if let Some(view) = self.view.as_mut().filter(|view| view.phase == EvaluationPhase::Running) {
            view.phase = phase;
            (view.cell, view.progress, view.left) = (String::new(), None, None);
        }
        self.publish(open);
    }

    /// Shows the results of a folder.
    fn show(&mut self, folder: &Path, open: &Open) -> anyhow::Result<()> {
        anyhow::ensure!(self.work.is_none(), "an evaluation goes on; stop it first");
        let stored = StoredResults::read(folder)?;
        let done = stored.done();
        let is_whole = done == stored.plan.cells();
        let mut view = EvaluationView {
            request: Arc::new(PlanRequest { plan: stored.plan, out: folder.to_owned() }),
            phase: if is_whole { EvaluationPhase::Finished } else { EvaluationPhase::Unfinished },
            done,
            kept: done,
            cell: String::new(),
            progress: None,
            left: None,
            rows: Arc::default(),
            trends: Arc::default(),
            texts: Arc::default(),
        };
        show_rows(&mut view, stored.rows)?;
        self.view = Some(view);
        self.publish(open);
        open.line.emit(Event::ResultsOpened);
        Ok(())
    }

    fn export(&self, path: &Path, open: &Open) -> anyhow::Result<()> {
        let view = self.view.as_ref().context("there are no results yet")?;
        if Format::from_path(path, Format::DEFAULT_DPI).is_ok() {
            let classifiers = ["linear", "knn"];
            let (folder, plan) = (String::new(), &view.request.plan);
            let data = bars_page(&[BarsTable { folder, rows: &view.rows, plan }], &classifiers);
            let source = json!({ "classifiers": classifiers, "rows": &*view.rows });
            let page = MeasuredPage { spec: bars_spec(), data, source };
            return measured_pages::export(Some(Arc::new(page)), path.to_owned(), open);
        }
        write_table(path, &view.texts)?;
        open.line.emit(Event::ResultsSaved { path: path.to_owned() });
        Ok(())
    }

    fn publish(&mut self, open: &Open) {
        self.published = Some(Instant::now());
        let view = self.view.clone().map(Arc::new);
        let change = |shown: &mut crate::engine::ask::Snapshot| shown.views.evaluation = view;
        if open.is_quiet { open.line.update_quietly(change) } else { open.line.update(change) }
    }
}

fn show_rows(view: &mut EvaluationView, rows: Vec<ResultRow>) -> anyhow::Result<()> {
    view.texts = Arc::new(table::texts(&view.request.plan, &rows)?);
    view.trends = Arc::new(table::trends(&rows));
    view.rows = Arc::new(rows);
    Ok(())
}
