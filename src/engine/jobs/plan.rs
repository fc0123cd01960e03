//! A grid of models and evaluations, as the paper's tables are: a file says what, a folder keeps what came of it.
//!
//! Each cell, one model under one evaluation with one seed, is a file of the folder and is made once: the same command
//! goes on where it stopped. Features lie in the folder too, and are shared by classifiers. After each cell the tables
//! are written anew: `results.json`, `results.csv`, `results.md`, `results.tex`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::augment::Crop;
use crate::dataset::DataSpec;
use crate::engine::jobs::evaluate::{EvalRequest, evaluate};
use crate::engine::jobs::plan_table::{self, ResultRow};
use crate::engine::jobs::{Job, open_embedder};
use crate::eval::aggregate::Aggregate;
use crate::eval::knn::KnnConfig;
use crate::eval::linear::LinearConfig;
use crate::eval::{Classifier, EvalConfig};
use crate::files::{self, FolderLock};
use crate::model::ModelSpec;
use crate::stats::mean;
use crate::train::place_words;

/// Largest plan or cell that is read.
const MAX_BYTES: u64 = 16 << 20;

/// What a plan's file says.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EvalPlan {
    /// Heading of the tables.
    #[serde(default)]
    pub title: String,
    /// The data set, as `--data` names it.
    pub data: String,
    /// Of a set with one split: the share of each class that is drawn as its test split.
    #[serde(default)]
    pub holdout: Option<f64>,
    /// Each cell is done once with each.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Only so many training images.
    #[serde(default)]
    pub limit_train: Option<usize>,
    /// Only so many test images.
    #[serde(default)]
    pub limit_test: Option<usize>,
    /// Epochs of the linear probe.
    #[serde(default)]
    pub probe_epochs: Option<usize>,
    /// Neighbours of the kNN classifier.
    #[serde(default)]
    pub k: Option<usize>,
    /// The models, in the order of the tables' rows.
    #[serde(rename = "model")]
    pub models: Vec<PlannedModel>,
    /// What is done with each, one table for each.
    #[serde(rename = "evaluation")]
    pub evaluations: Vec<PlannedEvaluation>,
}

fn one_seed() -> Vec<u64> {
    vec![0]
}

/// A model of a plan.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedModel {
    /// What the tables call it.
    pub name: String,
    /// As `--model` names it; relative to where the command is run.
    pub path: PathBuf,
}

/// An evaluation of a plan.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedEvaluation {
    /// What the tables call it.
    pub name: String,
    /// Means over patches of so many pixels.
    #[serde(default)]
    pub patch: Option<u32>,
    /// Means over crops of such shares of the area, in place of patches.
    #[serde(default)]
    pub crop_scale: Option<[f64; 2]>,
    /// Patches are cut from the centre N x N of the image scaled to N x 256/224.
    #[serde(default)]
    pub fit: Option<u32>,
    /// How images become vectors: "central", a number of patches, "local-patches", "local-map".
    pub patches: Vec<String>,
    /// "linear" and "knn".
    #[serde(default = "both_classifiers")]
    pub classifiers: Vec<String>,
    /// What the paper has of the linear classifier, %, by the model's name in the order of `patches`.
    #[serde(default)]
    pub paper: BTreeMap<String, Vec<f64>>,
}

fn both_classifiers() -> Vec<String> {
    vec!["linear".into(), "knn".into()]
}

impl EvalPlan {
    /// Reads a plan.
    ///
    /// # Errors
    /// Names the file, the line and the key, and what was expected.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = files::read_to_string(path, MAX_BYTES)
            .with_context(|| format!("{}: cannot read the plan", path.display()))?;
        let plan = Self::parse(&text);
        plan.with_context(|| format!("{}: not a plan of evaluations", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let plan: Self = toml::from_str(text).map_err(|error| anyhow::anyhow!(place_words(text, &error)))?;
        ensure!(!plan.models.is_empty(), "no [[model]]; expected at least one with a name and a path");
        ensure!(!plan.evaluations.is_empty(), "no [[evaluation]]; expected at least one");
        ensure!(!plan.seeds.is_empty(), "seeds is empty; expected at least one number");
        let names = plan.models.iter().map(|model| &model.name);
        let twice = |name: &&String| plan.models.iter().filter(|other| other.name == **name).count() > 1;
        if let Some(name) = names.clone().find(twice) {
            anyhow::bail!("two models are called \"{name}\"; expected different names");
        }
        for evaluation in &plan.evaluations {
            let what = || format!("evaluation \"{}\"", evaluation.name);
            plan.config(evaluation, 0, Path::new("")).with_context(what)?;
            for (model, known) in &evaluation.paper {
                let is_known = plan.models.iter().any(|other| other.name == *model);
                ensure!(is_known, "{}: paper: no model is called \"{model}\"", what());
                ensure!(
                    known.len() == evaluation.patches.len(),
                    "{}: paper.{model}: {} numbers for {} patches",
                    what(),
                    known.len(),
                    evaluation.patches.len()
                );
            }
        }
        Ok(plan)
    }

    fn config(&self, evaluation: &PlannedEvaluation, seed: u64, cache: &Path) -> anyhow::Result<EvalConfig> {
        let crop = match (evaluation.patch, evaluation.crop_scale) {
            (Some(_), Some(_)) => anyhow::bail!("patch and crop_scale are both given; expected one of them"),
            (Some(size), None) => Some(Crop::Fixed { size }),
            (None, scale) => scale.map(|[min, max]| Crop::Scale { min, max }),
        };
        let patches: anyhow::Result<Vec<Aggregate>> =
            evaluation.patches.iter().map(|text| text.parse()).collect();
        let classifiers: anyhow::Result<Vec<Classifier>> =
            evaluation.classifiers.iter().map(|text| text.parse()).collect();
        let (knn, linear) = (KnnConfig::default(), LinearConfig::default());
        let config = EvalConfig {
            crop,
            fit: evaluation.fit,
            patches: patches?,
            classifiers: classifiers?,
            knn: KnnConfig { k: self.k.unwrap_or(knn.k), ..knn },
            linear: LinearConfig { epochs: self.probe_epochs.unwrap_or(linear.epochs), ..linear },
            limit_train: self.limit_train,
            limit_test: self.limit_test,
            seed,
            cache: Some(cache.to_owned()),
        };
        let has_mean = config.patches.iter().any(|aggregate| matches!(aggregate, Aggregate::Mean(_)));
        ensure!(!has_mean || crop.is_some(), "a mean over patches needs patch or crop_scale");
        config.validate()?;
        Ok(config)
    }
}

/// `bagssl eval --plan FILE --out DIR`.
pub struct PlanRequest {
    /// What is done.
    pub plan: EvalPlan,
    /// Where it is kept.
    pub out: PathBuf,
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
}

/// Does what of a plan is not done yet, and writes its tables.
///
/// # Errors
/// A model, a data set or a folder that cannot be used, with the name of the cell; cancelled: what is done is kept.
pub fn run_plan(request: &PlanRequest, job: Job<'_>) -> anyhow::Result<PlanReport> {
    let (plan, cells_folder) = (&request.plan, request.out.join("cells"));
    fs::create_dir_all(&cells_folder)
        .with_context(|| format!("{}: cannot be made", cells_folder.display()))?;
    let _lock = FolderLock::take(&request.out)?;
    let mut report = PlanReport {
        title: plan.title.clone(),
        cells: plan.models.len() * plan.evaluations.len() * plan.seeds.len(),
        kept: 0,
        out: request.out.clone(),
        rows: vec![],
        markdown: String::new(),
    };
    for model in &plan.models {
        let what = || format!("model \"{}\"", model.name);
        let spec = ModelSpec::from(model.path.clone());
        let hash = open_embedder(job.device, &spec).with_context(what)?.1.hash;
        for evaluation in &plan.evaluations {
            let mut by_seed = vec![];
            for seed in &plan.seeds {
                job.cancel.check()?;
                let config = plan.config(evaluation, *seed, &request.out.join("features"))?;
                let asked = json!({
                    "model": hash, "data": plan.data, "holdout": plan.holdout, "config": config,
                });
                let name = format!("{}-{}-{seed}.json", slug(&model.name), slug(&evaluation.name));
                let path = cells_folder.join(name);
                let kept = kept_cell(&path, &asked)?;
                report.kept += usize::from(kept.is_some());
                let found = match kept {
                    Some(found) => found,
                    None => {
                        let eval = EvalRequest {
                            model: spec.clone(),
                            data: DataSpec::from(&plan.data),
                            holdout: plan.holdout,
                            config,
                        };
                        let job = Job { progress: &mut *job.progress, ..job };
                        let found = evaluate(&eval, job).with_context(|| {
                            format!("{}, evaluation \"{}\", seed {seed}", what(), evaluation.name)
                        })?;
                        let cell = PlanCell { request: asked, report: serde_json::to_value(&found)? };
                        files::write_bytes_atomic(&path, serde_json::to_string_pretty(&cell)?.as_bytes())?;
                        cell.report
                    }
                };
                by_seed.push(rows_of(&found).with_context(|| path.display().to_string())?);
            }
            report.rows.extend(combined(&model.name, evaluation, &by_seed));
            write_tables(&mut report, plan)?;
        }
    }
    Ok(report)
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
    serde_json::from_value(rows).context("key \"rows\": remove the file to have it made again")
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
        let known = evaluation.paper.get(model).filter(|_| row.classifier == "linear");
        let paper =
            known.zip(place).and_then(|(known, place)| known.get(place)).map(|percent| percent / 100.0);
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
        }
    };
    first.iter().enumerate().map(row).collect()
}

fn write_tables(report: &mut PlanReport, plan: &EvalPlan) -> anyhow::Result<()> {
    report.markdown = plan_table::markdown(&report.title, &report.rows);
    let all = json!({ "title": report.title, "plan": plan, "rows": report.rows });
    let write = |name: &str, text: &str| files::write_bytes_atomic(&report.out.join(name), text.as_bytes());
    write("results.json", &serde_json::to_string_pretty(&all)?)?;
    write("results.csv", &plan_table::csv(&report.rows))?;
    write("results.md", &report.markdown)?;
    write("results.tex", &plan_table::latex(&report.rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
        title = "Table 1"
        data = "demo"
        seeds = [0, 1]
        [[model]]
        name = "ours"
        path = "demo"
        [[evaluation]]
        name = "patch 16"
        patch = 16
        patches = ["central", "4"]
        paper = { ours = [46.2, 82.1] }
    "#;

    fn cell(accuracy: f64) -> CellRow {
        let (low, high) = (accuracy - 0.1, accuracy + 0.1);
        let (classifier, patches) = ("linear".into(), "4".into());
        CellRow { classifier, patches, accuracy, low, high, images: 50, train_images: 90, seconds: 2.0 }
    }

    #[test]
    fn seeds_become_a_mean_and_a_deviation_beside_the_papers_number() {
        let plan = EvalPlan::parse(PLAN).unwrap();
        let rows = combined("ours", &plan.evaluations[0], &[vec![cell(0.7)], vec![cell(0.8)]]);
        let row = &rows[0];
        assert!(
            (row.accuracy - 0.75).abs() < 1e-12
                && (row.deviation.unwrap() - 0.05f64.hypot(0.05)).abs() < 1e-12
        );
        assert_eq!((row.paper, row.seeds, row.images, row.seconds), (Some(0.821), 2, 50, 4.0));
        assert!((row.difference.unwrap() + 0.071).abs() < 1e-12);
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_named() {
        let error = |from: &str, to: &str| {
            assert!(PLAN.contains(from));
            format!("{:#}", EvalPlan::parse(&PLAN.replace(from, to)).unwrap_err())
        };
        assert!(error("patch = 16", "").contains("evaluation \"patch 16\": a mean over patches needs patch"));
        assert!(error("\"4\"]", "\"four\"]").contains("\"four\": expected central"));
        assert!(error("[46.2, 82.1]", "[46.2]").contains("paper.ours: 1 numbers for 2 patches"));
        assert!(error("ours = [", "other = [").contains("no model is called \"other\""));
        assert!(error("seeds", "seed").contains("seed"), "{}", error("seeds", "seed"));
        assert!(error("patch = 16", "patch = 16\ncrop_scale = [0.1, 1]").contains("expected one of them"));
    }

    #[test]
    fn names_of_cells_stay_apart() {
        assert_ne!(slug("a b"), slug("a-b"));
        assert!(slug("VICReg, 14").starts_with("vicreg--14-"));
    }
}
