//! What the page is made from: run folders, results folders, and what measures printed.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::augment::Crop;
use crate::dataset::DataSpec;
use crate::engine::ask::{
    PAPER_MODELS, PAPER_SCALES, PaperModel, PaperTraining, PlannedEvaluation, ResultRow,
};
use crate::engine::jobs::averages::{self, AVERAGES_FILE};
use crate::engine::jobs::convergence::ConvergenceReport;
use crate::engine::jobs::locality::LocalityResult;
use crate::engine::jobs::results::trained::TrainedModel;
use crate::engine::tables::plan::{RESULTS_FILE, StoredResults};
use crate::files;
use crate::train::RunFolder;

/// Largest document of a measure that is read.
const MAX_BYTES: u64 = 256 << 20;

/// Everything that the page is made from.
#[derive(Default)]
pub struct GivenResults {
    /// Runs.
    pub models: Vec<TrainedModel>,
    /// Results folders.
    pub tables: Vec<GivenTable>,
    /// Figures 3a.
    pub convergences: Vec<GivenConvergence>,
    /// Localities.
    pub localities: Vec<GivenLocality>,
}

/// A results folder.
pub struct GivenTable {
    /// The folder.
    pub from: PathBuf,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub stored: StoredResults,
}

/// A document of `bagssl figure fig3a --json`, or a model of `bagssl eval --figure 3a`.
pub struct GivenConvergence {
    /// The document.
    pub from: PathBuf,
    /// What it says.
    pub found: ConvergenceReport,
}

/// A document of `bagssl locality --json`.
pub struct GivenLocality {
    /// The document.
    pub from: PathBuf,
    /// What it says.
    pub found: LocalityResult,
}

/// A model under an evaluation by a classifier: a row of a table.
pub struct PlacedRow<'a> {
    /// The model's name in the table.
    pub model: &'a str,
    /// The objective's name in a configuration, where it is known.
    pub objective: Option<&'a str>,
    /// How it was trained, where it is known.
    pub training: Option<PaperTraining>,
    /// What was done with it.
    pub evaluation: &'a PlannedEvaluation,
    /// On which images.
    pub data: &'a DataSpec,
    /// "linear" or "knn".
    pub classifier: &'a str,
    /// Its numbers, in the order of the evaluation's patches.
    pub cells: Vec<&'a ResultRow>,
}

impl PlacedRow<'_> {
    /// The number of so many patches, or "central".
    pub fn cell(&self, patches: &str) -> Option<&ResultRow> {
        self.cells.iter().find(|cell| cell.patches == patches).copied()
    }

    /// Whether patches or crops are those that it was trained on.
    pub fn is_as_trained(&self) -> bool {
        match self.training {
            Some(PaperTraining::Patches(size)) => self.evaluation.patch == Some(size),
            Some(PaperTraining::MultiScale) => self.evaluation.crop_scale.is_some(),
            None => false,
        }
    }
}

impl GivenResults {
    /// Reads all `paths`, each by what lies there.
    ///
    /// # Errors
    /// Names the folder or file, what is wrong with it, and what was expected.
    pub fn read(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut given = Self::default();
        for path in paths {
            if RunFolder::is_at(path) {
                given.models.push(TrainedModel::read(path)?);
            } else if path.join(RESULTS_FILE).is_file() {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                given.tables.push(GivenTable {
                    from: path.clone(),
                    name,
                    stored: StoredResults::read(path)?,
                });
            } else if path.join(AVERAGES_FILE).is_file() {
                let of_model = |found| GivenConvergence { from: path.clone(), found };
                given.convergences.extend(averages::stored(path)?.into_iter().map(of_model));
            } else if path.is_file() {
                given.read_measure(path).with_context(|| path.display().to_string())?;
            } else {
                bail!(
                    "{}: nothing that a page of results is made from; expected a run folder (bagssl train), a results \
                     folder (bagssl eval --plan, --table or --figure), or a file with what bagssl figure fig3a --json or bagssl \
                     locality --json printed",
                    path.display()
                );
            }
        }
        Ok(given)
    }

    fn read_measure(&mut self, path: &Path) -> anyhow::Result<()> {
        let text = files::read_to_string(path, MAX_BYTES)?;
        let expected = "expected what bagssl figure fig3a --json or bagssl locality --json printed";
        let value: Value = serde_json::from_str(&text).with_context(|| format!("not JSON; {expected}"))?;
        let first = &value["spaces"][0];
        if first["points"].is_array() {
            let found = serde_json::from_value(value).context("not the numbers of a Figure 3a")?;
            self.convergences.push(GivenConvergence { from: path.into(), found });
        } else if first["displacement"].is_object() {
            let found = serde_json::from_value(value).context("not the numbers of a locality")?;
            self.localities.push(GivenLocality { from: path.into(), found });
        } else {
            bail!("neither curves of a Figure 3a nor measures of locality are in it; {expected}");
        }
        Ok(())
    }

    /// The run that a measured model is of: by the sum of its file, or by its name.
    pub fn run_of_measure(&self, name: &str, hash: &str) -> Option<&TrainedModel> {
        let by_hash = self.models.iter().find(|model| model.model_hash.as_deref() == Some(hash));
        by_hash.or_else(|| self.models.iter().find(|model| model.name == name))
    }

    /// All rows of all tables.
    pub fn rows(&self) -> Vec<PlacedRow<'_>> {
        self.tables.iter().flat_map(|table| self.rows_of(&table.stored)).collect()
    }

    fn rows_of<'a>(&'a self, stored: &'a StoredResults) -> Vec<PlacedRow<'a>> {
        let plan = &stored.plan;
        let mut rows = vec![];
        for (model, evaluation) in plan.pairs() {
            let (model, evaluation) = (&plan.models[model], &plan.evaluations[evaluation]);
            let run = self.models.iter().find(|run| run.holds(&model.path));
            let known =
                PAPER_MODELS.iter().find(|paper| paper.key() == model.name && is_under(paper, evaluation));
            let objective = run.map(|run| run.config.objective.name()).or(known.map(|paper| paper.objective));
            let training = match run {
                Some(run) => run.crop().map(training),
                None => known.map(|paper| paper.training),
            };
            for classifier in &evaluation.classifiers {
                let of = |row: &&ResultRow| {
                    (&row.model, &row.evaluation, &row.classifier)
                        == (&model.name, &evaluation.name, classifier)
                };
                rows.push(PlacedRow {
                    model: &model.name,
                    objective,
                    training,
                    evaluation,
                    data: &plan.data,
                    classifier,
                    cells: stored.rows.iter().filter(of).collect(),
                });
            }
        }
        rows
    }
}

/// How views of that cut train.
pub fn training(crop: Crop) -> PaperTraining {
    match crop {
        Crop::Fixed { size } => PaperTraining::Patches(size),
        Crop::Scale { .. } => PaperTraining::MultiScale,
    }
}

/// Whether a model of the paper is evaluated so.
fn is_under(paper: &PaperModel, evaluation: &PlannedEvaluation) -> bool {
    match paper.training {
        PaperTraining::Patches(size) => evaluation.patch == Some(size),
        PaperTraining::MultiScale => evaluation.crop_scale == Some(PAPER_SCALES),
    }
}
