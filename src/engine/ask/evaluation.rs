//! What evaluating is asked (commands) and what it shows.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::ask::eval_plan::EvalPlan;
use crate::progress::Progress;

/// A plan and the folder that its results are kept in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// What is done.
    pub plan: EvalPlan,
    /// Where it is kept.
    #[serde(with = "crate::paths")]
    pub out: PathBuf,
}

/// What the window asks of evaluating.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum EvaluateCommand {
    /// Does what of a plan is not done yet.
    Start(Box<PlanRequest>),
    /// Ends; what is done is kept, and the same plan goes on from there.
    Stop,
    /// Shows the results of a folder.
    Open(#[serde(with = "crate::paths")] PathBuf),
    /// Writes the tables on show, or their accuracies as bars; the format is told by the ending: csv, json, md, tex; pdf,
    /// svg, png.
    Export(#[serde(with = "crate::paths")] PathBuf),
}

/// One number of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultRow {
    /// The model's name in the plan.
    pub model: String,
    /// The evaluation's.
    pub evaluation: String,
    /// "linear" or "knn".
    pub classifier: String,
    /// How images became vectors.
    pub patches: String,
    /// Share of test images that are classified right: the mean over seeds.
    pub accuracy: f64,
    /// Lower end of its interval of 95 % for the choice of test images: the mean over seeds.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Seeds that it is over.
    pub seeds: usize,
    /// Standard deviation over seeds (divisor n - 1); absent of one.
    pub deviation: Option<f64>,
    /// Test images.
    pub images: usize,
    /// Training images.
    pub train_images: usize,
    /// Of the classifiers, all seeds.
    pub seconds: f64,
    /// The paper's number, if the plan has it.
    pub paper: Option<f64>,
    /// Ours less the paper's.
    pub difference: Option<f64>,
    /// Test images that there are; absent in results of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images_of: Option<usize>,
    /// Training images that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_images_of: Option<usize>,
    /// The fewest patches of an image, where some have fewer than so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewest_patches: Option<usize>,
}

/// What came of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanReport {
    /// Heading.
    pub title: String,
    /// Cells in all: models x evaluations x seeds.
    pub cells: usize,
    /// Cells that were there already.
    pub kept: usize,
    /// The folder.
    #[serde(serialize_with = "crate::paths::serialize")]
    pub out: PathBuf,
    /// All rows.
    pub rows: Vec<ResultRow>,
    /// The tables, as Markdown.
    pub markdown: String,
}

/// The tables as text, as they lie in a results folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResultTexts {
    /// `results.json`.
    pub json: String,
    /// `results.csv`.
    pub csv: String,
    /// `results.md`.
    pub markdown: String,
    /// `results.tex`.
    pub latex: String,
}

impl ResultTexts {
    /// Endings of files and what they hold.
    pub fn by_ending(&self) -> [(&'static str, &str); 4] {
        [("csv", &self.csv), ("json", &self.json), ("md", &self.markdown), ("tex", &self.latex)]
    }
}

/// Whether results go the way of the paper's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trend {
    /// The evaluation's name.
    pub evaluation: String,
    /// Whether each step from one number of patches to the next does.
    pub is_same: bool,
    /// In words, the model's name first.
    pub words: String,
}

/// How an evaluation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EvaluationPhase {
    /// It goes on.
    Running,
    /// It was stopped, or its folder holds less than its plan: it can go on.
    Unfinished,
    /// All cells are there.
    Finished,
    /// It ended with an error, and why.
    Failed(String),
}

/// An evaluation on show: one that goes on, or a folder that was opened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluationView {
    /// What is done, and where it is kept.
    pub request: Arc<PlanRequest>,
    /// How it stands.
    pub phase: EvaluationPhase,
    /// Cells that are done.
    pub done: usize,
    /// Those of them that were there before.
    pub kept: usize,
    /// What is being done: model, evaluation, seed.
    pub cell: String,
    /// How far that is.
    pub progress: Option<Progress>,
    /// Time left for all cells, once it can be told.
    pub left: Option<Duration>,
    /// The results so far.
    pub rows: Arc<Vec<ResultRow>>,
    /// How they go beside the paper's.
    pub trends: Arc<Vec<Trend>>,
    /// The tables as text.
    pub texts: Arc<ResultTexts>,
}

/// Part of a cell that is done once all is embedded.
const EMBEDDING: f32 = 0.9;

impl EvaluationView {
    /// Finished part of all cells, 0 to 1.
    pub fn fraction(&self) -> f32 {
        // Classifiers come after the network, and take a small part of the time.
        let within = self.progress.as_ref().map_or(0.0, |progress| match progress.what {
            "embedding" => EMBEDDING * progress.fraction(),
            _ => EMBEDDING,
        });
        ((self.done as f32 + within) / self.request.plan.cells().max(1) as f32).min(1.0)
    }
}
