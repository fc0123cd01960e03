//! A plan as units of work, and the folder that keeps what came of it.
//!
//! Each cell, one model under one evaluation with one seed, is a file of the folder and is made once: the same plan
//! goes on where it stopped, and makes a cell again where the images have changed since. Features lie in the folder too,
//! and are shared by classifiers. After each cell the tables are written anew: `results.json`, `results.csv`,
//! `results.md`, `results.tex`; `plan.toml` is the plan itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::device::OpenDevice;
use crate::embed::{BATCH, Embedder};
use crate::engine::ask::{
    EvalPlan, EvalRequest, PlanReport, PlanRequest, PlannedEvaluation, ResultRow, ResultTexts,
};
use crate::engine::tables::evaluation::{Evaluating, fingerprints};
use crate::engine::tables::pace::PlanPace;
use crate::engine::tables::table;
use crate::files::{self, FolderLock};
use crate::model::Overrides;
use crate::progress::{CancelToken, Progress};
use crate::stats::mean;

/// Largest cell or table that is read.
const MAX_BYTES: u64 = 64 << 20;
/// The table that a results folder is opened by.
pub const RESULTS_FILE: &str = "results.json";
/// The plan in a results folder.
const PLAN_FILE: &str = "plan.toml";

/// A cell on disk.
#[derive(Deserialize, Serialize)]
struct PlanCell {
    /// What decides it.
    request: Value,
    /// What `bagssl eval --json` prints.
    report: Value,
}

/// What is read of a cell's rows.
#[derive(Clone, Debug, Deserialize)]
struct CellRow {
    classifier: String,
    patches: String,
    accuracy: f64,
    low: f64,
    high: f64,
    images: usize,
    train_images: usize,
    seconds: f64,
    #[serde(default)]
    fewest_patches: Option<usize>,
    #[serde(skip)]
    images_of: Option<usize>,
    #[serde(skip)]
    train_images_of: Option<usize>,
}

/// A results folder as it was read.
#[derive(Deserialize)]
pub struct StoredResults {
    /// What was asked for.
    pub plan: EvalPlan,
    /// What came of it so far.
    pub rows: Vec<ResultRow>,
}

impl StoredResults {
    /// Reads the tables of a results folder.
    ///
    /// # Errors
    /// Names the file, and what was expected.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(RESULTS_FILE);
        let text = files::read_to_string(&path, MAX_BYTES).with_context(|| {
            format!(
                "{}: not a results folder; expected one that bagssl eval --plan or the Evaluate tab made, with {RESULTS_FILE}",
                folder.display()
            )
        })?;
        let stored: Self = serde_json::from_str(&text)
            .with_context(|| format!("{}: not the tables of a plan", path.display()))?;
        stored.plan.check().with_context(|| format!("{}: key \"plan\"", path.display()))?;
        for (index, row) in stored.rows.iter().enumerate() {
            let shares = [row.accuracy, row.low, row.high];
            let is_share = |value: &f64| (0.0..=1.0).contains(value);
            anyhow::ensure!(
                shares.iter().all(is_share) && row.paper.iter().all(is_share),
                "{}: key \"rows\", row {index}: accuracy {}, its interval {} to {}, paper {}; expected shares from 0 to 1",
                path.display(),
                row.accuracy,
                row.low,
                row.high,
                row.paper.map_or("none".to_owned(), |paper| paper.to_string())
            );
        }
        Ok(stored)
    }

    /// Cells whose results are there.
    pub fn done(&self) -> usize {
        let plan = &self.plan;
        let is_there = |(model, evaluation): (usize, usize)| {
            let names = (&plan.models[model].name, &plan.evaluations[evaluation].name);
            let of = |row: &&ResultRow| (&row.model, &row.evaluation) == names;
            self.rows.iter().find(of).map_or(0, |row| row.seeds.min(plan.seeds.len()))
        };
        plan.pairs().map(is_there).sum()
    }
}

/// A plan at work: what is not done yet of it, unit by unit.
pub struct PlanWork {
    request: PlanRequest,
    _lock: FolderLock,
    /// Models and evaluations by their places in the plan, in order.
    pairs: Vec<(usize, usize)>,
    /// Cells that are done.
    at: usize,
    /// The model of the cell, by its place in the plan.
    model: Option<(usize, Embedder)>,
    /// Fingerprints of the images, once they were looked at.
    images: Option<Vec<String>>,
    cell: Option<CellWork>,
    pace: PlanPace,
    /// Of the seeds that are done of the model and evaluation.
    by_seed: Vec<Vec<CellRow>>,
    /// Rows of the report that are over all seeds; what follows is over those that are done.
    whole: usize,
    report: PlanReport,
}

/// A cell at work.
struct CellWork {
    path: PathBuf,
    asked: Value,
    evaluating: Evaluating,
}

/// What a unit of a plan is done with.
pub struct PlanUnit<'a> {
    /// Where tensors are computed.
    pub device: &'a OpenDevice,
    /// Whether others wait for the network meanwhile: then units are short.
    pub is_shared: bool,
    /// Tells it to stop.
    pub cancel: &'a CancelToken,
    /// Hears how far the cell is.
    pub progress: &'a mut dyn FnMut(Progress),
}

impl PlanWork {
    /// Makes the folder, which nobody else uses meanwhile.
    ///
    /// # Errors
    /// It cannot be made, is in use, or holds the results of another plan.
    pub fn begin(request: PlanRequest) -> anyhow::Result<Self> {
        let cells = request.out.join("cells");
        fs::create_dir_all(&cells).with_context(|| format!("{}: cannot be made", cells.display()))?;
        let lock = FolderLock::take(&request.out)?;
        ensure_goes_on(&request)?;
        let text = toml::to_string(&request.plan).context("the plan cannot be written")?;
        files::write_bytes_atomic(&request.out.join(PLAN_FILE), text.as_bytes())?;
        let report = PlanReport {
            title: request.plan.title.clone(),
            cells: request.plan.cells(),
            kept: 0,
            out: request.out.clone(),
            rows: vec![],
            markdown: String::new(),
        };
        let pairs = request.plan.pairs().collect();
        let pace = PlanPace::new(&request.plan);
        Ok(Self {
            request,
            _lock: lock,
            pairs,
            at: 0,
            model: None,
            images: None,
            cell: None,
            pace,
            by_seed: vec![],
            whole: 0,
            report,
        })
    }

    /// What is done.
    pub fn plan(&self) -> &EvalPlan {
        &self.request.plan
    }

    /// Cells that are done.
    pub fn done(&self) -> usize {
        self.at
    }

    /// Time left for all cells, if it can be told.
    pub fn left(&self) -> Option<Duration> {
        self.pace.left()
    }

    /// What there is so far.
    pub fn report(&self) -> &PlanReport {
        &self.report
    }

    /// What there is, once all is done.
    pub fn finish(self) -> PlanReport {
        self.report
    }

    /// Places of the cell's model, evaluation and seed.
    fn places(&self) -> (usize, usize, usize) {
        let seeds = self.plan().seeds.len();
        let (model, evaluation) = self.pairs[self.at / seeds];
        (model, evaluation, self.at % seeds)
    }

    /// The cell in words; empty once all is done.
    pub fn words(&self) -> String {
        if self.at == self.report.cells {
            return String::new();
        }
        let (model, evaluation, seed) = self.places();
        let plan = self.plan();
        let seed = match plan.seeds.len() {
            1 => String::new(),
            _ => format!(", seed {}", plan.seeds[seed]),
        };
        format!(
            "model \"{}\", evaluation \"{}\"{seed}",
            plan.models[model].name, plan.evaluations[evaluation].name
        )
    }

    /// Does one unit: opens a model, looks at the images, takes a cell that is there, or goes on with one. Returns whether all is
    /// done.
    ///
    /// # Errors
    /// A model, a data set or a folder that cannot be used, with the name of the cell; cancelled: what is done is kept.
    pub fn advance(&mut self, unit: PlanUnit<'_>) -> anyhow::Result<bool> {
        if self.at == self.report.cells {
            return Ok(true);
        }
        unit.cancel.check()?;
        let what = self.words();
        let place = self.places().0;
        if self.model.as_ref().is_none_or(|(open, _)| *open != place) {
            self.model = None;
            let model = &self.plan().models[place];
            let embedder = Embedder::open(&model.spec(), &unit.device.device)
                .with_context(|| format!("model \"{}\"", model.name))?;
            self.model = Some((place, embedder));
            return Ok(false);
        }
        if self.images.is_none() {
            let plan = self.plan();
            let images = fingerprints(&plan.data, plan.holdout).with_context(|| what)?;
            self.images = Some(images);
            return Ok(false);
        }
        self.advance_cell(unit).with_context(|| what)?;
        Ok(self.at == self.report.cells)
    }

    fn advance_cell(&mut self, unit: PlanUnit<'_>) -> anyhow::Result<()> {
        let Some((_, embedder)) = &self.model else { return Ok(()) };
        let Some(cell) = &mut self.cell else {
            let (path, asked, request) = self.asked(embedder)?;
            if let Some(report) = kept_cell(&path, &asked)? {
                self.report.kept += 1;
                return self.take(&path, &report);
            }
            let evaluating = Evaluating::begin(request, embedder)?;
            self.cell = Some(CellWork { path, asked, evaluating });
            self.pace.begin_cell();
            return Ok(());
        };
        let inputs = if unit.is_shared { embedder.turn(BATCH) } else { 8 * BATCH };
        let pace = &mut self.pace;
        let mut hear = |progress: Progress| {
            pace.hear(&progress);
            (unit.progress)(progress);
        };
        if !cell.evaluating.advance(embedder, inputs, unit.cancel, &mut hear)? {
            return Ok(());
        }
        let Some(CellWork { path, asked, evaluating }) = self.cell.take() else { return Ok(()) };
        let found = evaluating.finish(embedder, &unit.device.name);
        found.warnings.iter().for_each(|warning| log::warn!("{}: {warning}", self.words()));
        let report = serde_json::to_value(found)?;
        let stored = PlanCell { request: asked, report };
        files::write_bytes_atomic(&path, serde_json::to_string_pretty(&stored)?.as_bytes())?;
        self.take(&path, &stored.report)
    }

    /// The file of the cell, what decides it, and what to do.
    fn asked(&self, embedder: &Embedder) -> anyhow::Result<(PathBuf, Value, EvalRequest)> {
        let (model, evaluation, seed) = self.places();
        let (plan, out) = (self.plan(), &self.request.out);
        let (model, evaluation, seed) =
            (&plan.models[model], &plan.evaluations[evaluation], plan.seeds[seed]);
        let config = plan.config(evaluation, seed, &out.join("features"))?;
        let mut asked = json!({
            "model": embedder.hash, "data": plan.data, "images": self.images, "holdout": plan.holdout,
            "config": config,
        });
        if model.options != Overrides::default() {
            asked["options"] = serde_json::to_value(&model.options)?;
        }
        let name = format!("{}-{}-{seed}.json", slug(&model.name), slug(&evaluation.name));
        let (data, holdout) = (plan.data.clone(), plan.holdout);
        let request = EvalRequest { model: model.spec(), data, holdout, config };
        Ok((out.join("cells").join(name), asked, request))
    }

    /// The cell is there: its rows, over the seeds so far, join the tables.
    fn take(&mut self, path: &Path, report: &Value) -> anyhow::Result<()> {
        self.by_seed.push(rows_of(report).with_context(|| path.display().to_string())?);
        let (model, evaluation, seed) = self.places();
        let plan = &self.request.plan;
        let (model, evaluation) = (&plan.models[model].name, &plan.evaluations[evaluation]);
        self.report.rows.truncate(self.whole);
        self.report.rows.extend(combined(model, evaluation, &self.by_seed));
        if seed + 1 == plan.seeds.len() {
            self.by_seed.clear();
            self.whole = self.report.rows.len();
        }
        let texts = table::texts(plan, &self.report.rows)?;
        write_tables(&self.request.out, &texts)?;
        self.report.markdown = texts.markdown;
        self.at += 1;
        self.pace.end_cell();
        Ok(())
    }
}

fn write_tables(folder: &Path, texts: &ResultTexts) -> anyhow::Result<()> {
    for (ending, text) in texts.by_ending() {
        files::write_bytes_atomic(&folder.join(format!("results.{ending}")), text.as_bytes())?;
    }
    Ok(())
}

/// Writes one of the tables; the ending of the path says which.
///
/// # Errors
/// Another ending; a file that cannot be written.
pub fn write_table(path: &Path, texts: &ResultTexts) -> anyhow::Result<()> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let text = texts.by_ending().into_iter().find(|(known, _)| *known == ending);
    let (_, text) = text.with_context(|| {
        format!("{}: expected a name that ends in .csv, .json, .md or .tex", path.display())
    })?;
    files::write_bytes_atomic(path, text.as_bytes())
}

/// Passes a folder whose tables the plan goes on with. Where it would keep none of their rows they are another plan's, and
/// would be lost.
fn ensure_goes_on(PlanRequest { plan, out }: &PlanRequest) -> anyhow::Result<()> {
    let Ok(stored) = StoredResults::read(out) else { return Ok(()) };
    let stays = |row: &ResultRow| {
        let is_it = |(model, evaluation): (usize, usize)| {
            plan.models[model].name == row.model && plan.evaluations[evaluation].name == row.evaluation
        };
        plan.pairs().any(is_it)
    };
    let title = match &*stored.plan.title {
        "" => String::new(),
        title => format!(", \"{title}\""),
    };
    let first =
        stored.rows.first().map_or_else(String::new, |row| format!("{}, {}", row.model, row.evaluation));
    anyhow::ensure!(
        stored.rows.is_empty() || stored.rows.iter().any(stays),
        "{}: holds the results of another plan{title} (first {first}), of which this one has no cell; expected a new \
         folder, or that of this plan",
        out.display()
    );
    Ok(())
}

/// A name as a part of a file's name.
fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let slug: String = name.chars().map(plain).collect();
    // Names that differ in other characters only stay apart.
    let sum =
        name.bytes().fold(0x811c_9dc5u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{}-{sum:08x}", slug.trim_matches('-'))
}

/// The report of a cell that was made of the same; `None` where there is none.
fn kept_cell(path: &Path, asked: &Value) -> anyhow::Result<Option<Value>> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = files::read_to_string(path, MAX_BYTES)?;
    let cell: PlanCell = serde_json::from_str(&text).with_context(|| {
        format!("{}: not a cell of a results folder; remove it to have it made again", path.display())
    })?;
    Ok((cell.request == *asked).then_some(cell.report))
}

fn rows_of(report: &Value) -> anyhow::Result<Vec<CellRow>> {
    let rows = report.get("rows").cloned().context("key \"rows\" is missing; remove the file")?;
    let rows: Vec<CellRow> =
        serde_json::from_value(rows).context("key \"rows\": remove the file to have it made again")?;
    let of = |split: &str| report[split]["of"].as_u64().map(|of| of as usize);
    let with_all = |row| CellRow { images_of: of("test"), train_images_of: of("train"), ..row };
    Ok(rows.into_iter().map(with_all).collect())
}

/// One row for each classifier and aggregate: means over seeds.
fn combined(model: &str, evaluation: &PlannedEvaluation, by_seed: &[Vec<CellRow>]) -> Vec<ResultRow> {
    let first = by_seed.first().cloned().unwrap_or_default();
    let row = |(at, row): (usize, &CellRow)| {
        let over = |value: fn(&CellRow) -> f64| -> Vec<f64> {
            by_seed.iter().filter_map(|rows| rows.get(at)).map(value).collect()
        };
        let mean_of = |value| mean(&over(value)).unwrap_or(0.0);
        let accuracies = over(|row| row.accuracy);
        let accuracy = mean_of(|row| row.accuracy);
        let squares: f64 = accuracies.iter().map(|value| (value - accuracy).powi(2)).sum();
        let deviation = (accuracies.len() > 1).then(|| (squares / (accuracies.len() - 1) as f64).sqrt());
        let place = evaluation.patches.iter().position(|patches| *patches == row.patches);
        let of_paper = if row.classifier == "linear" { &evaluation.paper } else { &evaluation.paper_knn };
        let known = of_paper.get(model);
        let paper = known.zip(place).and_then(|(known, place)| known.get(place)?.0);
        let paper = paper.map(|percent| percent / 100.0);
        ResultRow {
            model: model.to_owned(),
            evaluation: evaluation.name.clone(),
            classifier: row.classifier.clone(),
            patches: row.patches.clone(),
            accuracy,
            low: mean_of(|row| row.low),
            high: mean_of(|row| row.high),
            seeds: accuracies.len(),
            deviation,
            images: row.images,
            train_images: row.train_images,
            seconds: over(|row| row.seconds).iter().sum(),
            paper,
            difference: paper.map(|paper| accuracy - paper),
            images_of: row.images_of,
            train_images_of: row.train_images_of,
            fewest_patches: row.fewest_patches,
        }
    };
    first.iter().enumerate().map(row).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
