//! A grid of models and evaluations, as the paper's tables are: what a plan's file says, and the form of the window.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::augment::Crop;
use crate::dataset::DataSpec;
use crate::engine::ask::paper_number::PaperNumber;
use crate::eval::aggregate::Aggregate;
use crate::eval::knn::KnnConfig;
use crate::eval::linear::LinearConfig;
use crate::eval::{Classifier, EvalConfig};
use crate::files;
use crate::model::{ModelSpec, Overrides, Space};
use crate::train::place_words;

/// Largest plan that is read.
const MAX_BYTES: u64 = 16 << 20;

/// What a plan's file says.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EvalPlan {
    /// Heading of the tables.
    #[serde(default)]
    pub title: String,
    /// The data set, as `--data` names it.
    pub data: DataSpec,
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
    /// Temperature of the kNN classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
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
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedModel {
    /// What the tables call it.
    pub name: String,
    /// As `--model` names it; relative to where the command is run.
    #[serde(with = "crate::paths")]
    pub path: PathBuf,
    /// What is said in place of what its file says, as the options beside `--model` do.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub options: Overrides,
}

fn is_unsaid(options: &Overrides) -> bool {
    *options == Overrides::default()
}

impl PlannedModel {
    /// The model with its options.
    pub fn spec(&self) -> ModelSpec {
        ModelSpec { overrides: self.options.clone(), ..ModelSpec::from(self.path.clone()) }
    }

    /// Passes models of which each has a name of its own.
    ///
    /// # Errors
    /// Says which name is there twice.
    pub fn ensure_told_apart(models: &[Self]) -> anyhow::Result<()> {
        let is_twice = |name: &&String| models.iter().filter(|other| other.name == **name).count() > 1;
        match models.iter().map(|model| &model.name).find(is_twice) {
            Some(name) => anyhow::bail!("two models are called \"{name}\"; expected different names"),
            None => Ok(()),
        }
    }
}

/// An evaluation of a plan.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedEvaluation {
    /// What the tables call it.
    pub name: String,
    /// Only these models are evaluated so, by their names; all where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
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
    /// Which vectors of a crop, as `--space` names them.
    #[serde(default = "of_h", skip_serializing_if = "is_of_h")]
    pub space: String,
    /// Whether patches and crops are changed as the model's training views are.
    #[serde(default, skip_serializing_if = "is_clean")]
    pub augmented: bool,
    /// What the paper has of the linear classifier, %, by the model's name in the order of `patches`; "-" where it has no
    /// number.
    #[serde(default)]
    pub paper: BTreeMap<String, Vec<PaperNumber>>,
    /// The same of the kNN classifier.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paper_knn: BTreeMap<String, Vec<PaperNumber>>,
}

fn both_classifiers() -> Vec<String> {
    vec!["linear".into(), "knn".into()]
}

fn of_h() -> String {
    Space::H.to_string()
}

fn is_of_h(space: &String) -> bool {
    *space == of_h()
}

fn is_clean(augmented: &bool) -> bool {
    !augmented
}

impl PlannedEvaluation {
    /// What its means are over: crops of a range of scales, or patches.
    pub fn cut(&self) -> &'static str {
        if self.crop_scale.is_some() { "crop" } else { "patch" }
    }

    /// Whether the model that is called so is evaluated in this way.
    pub fn is_of(&self, model: &String) -> bool {
        self.models.is_empty() || self.models.contains(model)
    }
}

impl Default for PlannedEvaluation {
    fn default() -> Self {
        Self {
            name: String::new(),
            models: vec![],
            patch: None,
            crop_scale: None,
            fit: None,
            patches: vec![],
            classifiers: both_classifiers(),
            space: of_h(),
            augmented: false,
            paper: BTreeMap::new(),
            paper_knn: BTreeMap::new(),
        }
    }
}

impl EvalPlan {
    /// Nothing to do on `data`, with the usual constants.
    pub fn of(data: DataSpec) -> Self {
        Self {
            title: String::new(),
            data,
            holdout: None,
            seeds: one_seed(),
            limit_train: None,
            limit_test: None,
            probe_epochs: None,
            k: None,
            temperature: None,
            models: vec![],
            evaluations: vec![],
        }
    }

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
        plan.check()?;
        Ok(plan)
    }

    /// Passes what can be done.
    ///
    /// # Errors
    /// Names the model or evaluation and the key, and what was expected.
    pub fn check(&self) -> anyhow::Result<()> {
        let plan = self;
        ensure!(!plan.models.is_empty(), "no [[model]]; expected at least one with a name and a path");
        ensure!(!plan.evaluations.is_empty(), "no [[evaluation]]; expected at least one");
        ensure!(!plan.seeds.is_empty(), "seeds is empty; expected at least one number");
        PlannedModel::ensure_told_apart(&plan.models)?;
        for evaluation in &plan.evaluations {
            let what = || format!("evaluation \"{}\"", evaluation.name);
            plan.config(evaluation, 0, Path::new("")).with_context(what)?;
            let is_known = |name: &String| plan.models.iter().any(|model| model.name == *name);
            if let Some(name) = evaluation.models.iter().find(|name| !is_known(name)) {
                anyhow::bail!("{}: models: no model is called \"{name}\"", what());
            }
            let keys = [("paper", &evaluation.paper), ("paper_knn", &evaluation.paper_knn)];
            let all = keys.into_iter().flat_map(|(key, numbers)| numbers.iter().map(move |it| (key, it)));
            for (key, (model, known)) in all {
                ensure!(is_known(model), "{}: {key}: no model is called \"{model}\"", what());
                ensure!(
                    known.len() == evaluation.patches.len(),
                    "{}: {key}.{model}: {} numbers for {} patches",
                    what(),
                    known.len(),
                    evaluation.patches.len()
                );
            }
        }
        Ok(())
    }

    /// Places of the models and of the evaluations that are done with them, in the order in which they are done.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let all = (0..self.models.len()).flat_map(|m| (0..self.evaluations.len()).map(move |e| (m, e)));
        all.filter(|(m, e)| self.evaluations[*e].is_of(&self.models[*m].name))
    }

    /// Cells in all: models x evaluations of them x seeds.
    pub fn cells(&self) -> usize {
        self.pairs().count() * self.seeds.len()
    }

    /// What all its cells have in common, in words: the classifiers, the seeds, a test split that was drawn.
    pub fn protocol(&self) -> String {
        let (knn, linear) = (KnnConfig::default(), LinearConfig::default());
        let is_used =
            |name: &str| self.evaluations.iter().flat_map(|it| &it.classifiers).any(|it| it == name);
        let mut parts = vec![];
        if is_used("knn") {
            let (k, t) = (self.k.unwrap_or(knn.k), self.temperature.unwrap_or(knn.temperature));
            parts.push(format!("kNN: cosine, k {k}, votes exp(s/T), T {t}"));
        }
        if is_used("linear") {
            let epochs = self.probe_epochs.unwrap_or(linear.epochs);
            parts.push(format!(
                "linear probe: {epochs} epochs of SGD on features that are kept, the last epoch counts"
            ));
        }
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        parts.push(format!("{} {}", if seeds.len() == 1 { "seed" } else { "seeds" }, seeds.join(", ")));
        parts.extend(self.holdout.map(|share| format!("the test split is a drawn {share} of each class")));
        parts.join("; ")
    }

    /// What the means of the evaluation of that name are over ([`PlannedEvaluation::cut`]).
    pub fn cut_of(&self, evaluation: &str) -> &'static str {
        let own = self.evaluations.iter().find(|own| own.name == evaluation);
        own.map_or("patch", PlannedEvaluation::cut)
    }

    /// One evaluation with one seed, its features kept in `cache`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn config(
        &self,
        evaluation: &PlannedEvaluation,
        seed: u64,
        cache: &Path,
    ) -> anyhow::Result<EvalConfig> {
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
            knn: KnnConfig {
                k: self.k.unwrap_or(knn.k),
                temperature: self.temperature.unwrap_or(knn.temperature),
            },
            linear: LinearConfig { epochs: self.probe_epochs.unwrap_or(linear.epochs), ..linear },
            limit_train: self.limit_train,
            limit_test: self.limit_test,
            seed,
            space: evaluation.space.parse()?,
            augmented: evaluation.augmented,
            cache: Some(cache.to_owned()),
        };
        let has_mean = config.patches.iter().any(|aggregate| matches!(aggregate, Aggregate::Mean(_)));
        ensure!(!has_mean || crop.is_some(), "a mean over patches needs patch or crop_scale");
        config.validate()?;
        Ok(config)
    }
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

    #[test]
    fn what_is_wrong_with_a_plan_is_named() {
        let error = |from: &str, to: &str| {
            assert!(PLAN.contains(from));
            format!("{:#}", EvalPlan::parse(&PLAN.replace(from, to)).unwrap_err())
        };
        assert!(error("patch = 16", "").contains("evaluation \"patch 16\": a mean over patches needs patch"));
        assert!(error("\"4\"]", "\"four\"]").contains("\"four\": expected central"));
        assert!(error("[46.2, 82.1]", "[46.2]").contains("paper.ours: 1 numbers for 2 patches"));
        assert!(error("[46.2", "[\"none\"").contains("\"-\" where the paper has none"));
        assert!(error("ours = [", "other = [").contains("no model is called \"other\""));
        assert!(error("seeds", "seed").contains("seed"), "{}", error("seeds", "seed"));
        assert!(error("patch = 16", "patch = 16\ncrop_scale = [0.1, 1]").contains("expected one of them"));
        assert!(error("patch = 16", "patch = 16\nspace = \"q\"").contains("\"q\""));
        assert!(
            error("patch = 16", "patch = 16\nmodels = [\"mine\"]").contains("no model is called \"mine\"")
        );
        let local = error("\"4\"]", "\"local-map\"]\nspace = \"z\"");
        assert!(local.contains("evaluation \"patch 16\": local-map is of h"), "{local}");
    }

    #[test]
    fn a_plan_is_written_as_it_is_read() {
        let mut plan = EvalPlan::parse(PLAN).unwrap();
        plan.models[0].options.input = Some(64);
        plan.temperature = Some(0.1);
        plan.evaluations[0].paper.insert("ours".into(), vec![PaperNumber(None), 82.0.into()]);
        (plan.evaluations[0].space, plan.evaluations[0].augmented) = ("hidden1".into(), true);
        let config = plan.config(&plan.evaluations[0], 3, Path::new("")).unwrap();
        assert_eq!((config.space, config.augmented, config.seed), (Space::Hidden(1), true, 3));
        let text = toml::to_string(&plan).unwrap();
        assert_eq!(EvalPlan::parse(&text).unwrap(), plan, "{text}");
        assert_eq!((plan.cells(), plan.models[0].spec().overrides.input), (2, Some(64)));
    }

    #[test]
    fn the_protocol_has_the_constants_of_the_classifiers_that_are_used() {
        let plan = EvalPlan::parse(PLAN).unwrap();
        let words = "kNN: cosine, k 20, votes exp(s/T), T 0.07; linear probe: 100 epochs of SGD on features that are kept, \
                     the last epoch counts; seeds 0, 1";
        assert_eq!(plan.protocol(), words);
        let mut plan = EvalPlan { holdout: Some(0.2), seeds: vec![3], k: Some(5), ..plan };
        plan.evaluations[0].classifiers = vec!["knn".into()];
        let words =
            "kNN: cosine, k 5, votes exp(s/T), T 0.07; seed 3; the test split is a drawn 0.2 of each class";
        assert_eq!(plan.protocol(), words);
    }

    #[test]
    fn an_evaluation_may_be_of_some_models_only() {
        let mut plan = EvalPlan::parse(PLAN).unwrap();
        plan.models.push(PlannedModel { name: "theirs".into(), ..plan.models[0].clone() });
        plan.evaluations
            .push(PlannedEvaluation { models: vec!["theirs".into()], ..plan.evaluations[0].clone() });
        assert_eq!(plan.pairs().collect::<Vec<_>>(), [(0, 0), (1, 0), (1, 1)]);
        assert_eq!(plan.cells(), 6);
    }
}
