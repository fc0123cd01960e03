//! The paper's tables as numbers, so that they stand beside ours.

use std::path::PathBuf;

use crate::augment::Crop;
use crate::dataset::DataSpec;
use crate::engine::ask::eval_plan::{EvalPlan, PlannedEvaluation, PlannedModel};
use crate::engine::ask::paper_number::PaperNumber;

/// How a model of the paper was trained, which is how the paper evaluates it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PaperTraining {
    /// On patches of so many pixels.
    Patches(u32),
    /// On crops of 0.08 to 1 of the image's area.
    MultiScale,
}

/// A model of the paper with its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaperModel {
    /// The table that it stands in.
    pub table: u8,
    /// The word for the kind of the data set.
    pub data: &'static str,
    /// The objective's name in a configuration.
    pub objective: &'static str,
    /// What people call it.
    pub method: &'static str,
    /// How it was trained.
    pub training: PaperTraining,
    /// Classifier, aggregate and accuracy, %.
    pub numbers: &'static [(&'static str, &'static str, f64)],
}

/// The scales of the paper's crops.
pub const PAPER_SCALES: [f64; 2] = [0.08, 1.0];

/// A row of Tables 1 to 4.
macro_rules! paper_row {
    ($table:literal, $data:literal, $objective:literal, $method:literal, $training:expr, [$($count:literal)*], [$($value:literal)*]) => {
        PaperModel {
            table: $table,
            data: $data,
            objective: $objective,
            method: $method,
            training: $training,
            numbers: &[$(("linear", $count, $value)),*],
        }
    };
}

/// A row of Table 5: a checkpoint of solo-learn on CIFAR-10, whole and with local aggregation in both readings.
const fn local(
    objective: &'static str,
    method: &'static str,
    numbers: &'static [(&'static str, &'static str, f64)],
) -> PaperModel {
    PaperModel { table: 5, data: "cifar10", objective, method, training: MULTI, numbers }
}

const MULTI: PaperTraining = PaperTraining::MultiScale;
const PATCH_14: PaperTraining = PaperTraining::Patches(14);
const PATCH_100: PaperTraining = PaperTraining::Patches(100);

/// All of them, table by table.
#[rustfmt::skip]
pub const PAPER_MODELS: &[PaperModel] = &[
    paper_row!(1, "cifar10", "simclr", "SimCLR", PATCH_14, ["central" "1" "16" "256"], [46.2 82.1 90.5 90.8]),
    paper_row!(1, "cifar10", "tcr", "TCR", PATCH_14, ["central" "1" "16" "256"], [46.0 82.2 90.4 90.8]),
    paper_row!(1, "cifar10", "vicreg", "VICReg", PATCH_14, ["central" "1" "16" "256"], [47.1 83.1 90.9 91.2]),
    paper_row!(1, "cifar10", "byol", "BYOL", PATCH_14, ["central" "1" "16" "256"], [47.3 83.6 91.3 91.5]),
    paper_row!(1, "cifar10", "simclr", "SimCLR", MULTI, ["central" "1" "16" "256"], [90.2 86.4 91.6 91.8]),
    paper_row!(1, "cifar10", "tcr", "TCR", MULTI, ["central" "1" "16" "256"], [90.1 86.5 91.5 91.8]),
    paper_row!(1, "cifar10", "vicreg", "VICReg", MULTI, ["central" "1" "16" "256"], [90.7 87.3 91.9 92.0]),
    paper_row!(1, "cifar10", "byol", "BYOL", MULTI, ["central" "1" "16" "256"], [90.9 87.8 92.3 92.4]),
    paper_row!(2, "cifar100", "simclr", "SimCLR", PATCH_14, ["central" "1" "16" "256"], [34.7 59.4 67.2 67.4]),
    paper_row!(2, "cifar100", "tcr", "TCR", PATCH_14, ["central" "1" "16" "256"], [34.6 59.2 67.1 67.3]),
    paper_row!(2, "cifar100", "vicreg", "VICReg", PATCH_14, ["central" "1" "16" "256"], [35.5 60.1 68.0 68.3]),
    paper_row!(2, "cifar100", "byol", "BYOL", PATCH_14, ["central" "1" "16" "256"], [37.4 60.9 68.9 69.2]),
    paper_row!(2, "cifar100", "simclr", "SimCLR", MULTI, ["central" "1" "16" "256"], [66.8 60.5 68.2 68.3]),
    paper_row!(2, "cifar100", "tcr", "TCR", MULTI, ["central" "1" "16" "256"], [66.8 60.5 68.1 68.3]),
    paper_row!(2, "cifar100", "vicreg", "VICReg", MULTI, ["central" "1" "16" "256"], [67.6 61.4 69.0 69.3]),
    paper_row!(2, "cifar100", "byol", "BYOL", MULTI, ["central" "1" "16" "256"], [68.8 62.3 69.7 69.9]),
    paper_row!(3, "folder", "simclr", "SimCLR", PATCH_100, ["central" "1" "16" "48"], [41.4 45.7 76.1 76.2]),
    paper_row!(3, "folder", "tcr", "TCR", PATCH_100, ["central" "1" "16" "48"], [41.3 45.6 76.1 76.3]),
    paper_row!(3, "folder", "vicreg", "VICReg", PATCH_100, ["central" "1" "16" "48"], [42.1 46.1 76.8 76.9]),
    paper_row!(3, "folder", "byol", "BYOL", PATCH_100, ["central" "1" "16" "48"], [42.9 47.3 77.9 77.7]),
    paper_row!(3, "folder", "simclr", "SimCLR", MULTI, ["central" "1" "16" "48"], [77.5 70.3 78.6 79.0]),
    paper_row!(3, "folder", "tcr", "TCR", MULTI, ["central" "1" "16" "48"], [77.3 70.1 78.5 78.8]),
    paper_row!(3, "folder", "vicreg", "VICReg", MULTI, ["central" "1" "16" "48"], [77.8 70.7 79.1 79.4]),
    paper_row!(3, "folder", "byol", "BYOL", MULTI, ["central" "1" "16" "48"], [78.0 71.1 79.4 80.1]),
    paper_row!(4, "folder", "simclr", "SimCLR", MULTI, ["central" "1" "16" "48"], [69.3 54.3 71.0 71.3]),
    paper_row!(4, "folder", "tcr", "TCR", MULTI, ["central" "1" "16" "48"], [69.0 54.1 70.7 71.1]),
    paper_row!(4, "folder", "vicreg", "VICReg", MULTI, ["central" "1" "16" "48"], [73.2 57.6 74.2 74.4]),
    paper_row!(4, "folder", "byol", "BYOL", MULTI, ["central" "1" "16" "48"], [74.3 59.3 75.4 75.6]),
    local("simclr", "SimCLR", &[("knn", "central", 90.2), ("linear", "central", 90.7), ("knn", "local-patches", 93.1), ("knn", "local-map", 93.1)]),
    local("vicreg", "VICReg", &[("knn", "central", 90.8), ("linear", "central", 91.2), ("knn", "local-patches", 93.1), ("knn", "local-map", 93.1)]),
    local("byol", "BYOL", &[("knn", "central", 91.5), ("linear", "central", 92.6), ("knn", "local-patches", 93.5), ("knn", "local-map", 93.5)]),
];

impl PaperModel {
    /// "VICReg, patches of 14 (Table 1)".
    pub fn words(&self) -> String {
        let training = match self.training {
            PaperTraining::Patches(size) => format!("patches of {size}"),
            PaperTraining::MultiScale => "multi-scale".to_owned(),
        };
        format!("{}, {training} (Table {})", self.method, self.table)
    }

    /// What names it on the command line within its table: "vicreg-patches", "vicreg-multi"; "vicreg" where all are
    /// trained alike.
    pub fn key(&self) -> String {
        let training = match (self.table, self.training) {
            (4.., _) => "",
            (_, PaperTraining::Patches(_)) => "-patches",
            (_, PaperTraining::MultiScale) => "-multi",
        };
        format!("{}{training}", self.objective)
    }

    /// The numbers of `classifier` in the order of the evaluation's patches; `None` where none of them is in the paper, or
    /// the evaluation is another than this model's.
    fn numbers(&self, evaluation: &PlannedEvaluation, classifier: &str) -> Option<Vec<PaperNumber>> {
        let is_alike = match self.training {
            PaperTraining::Patches(size) => evaluation.patch == Some(size),
            PaperTraining::MultiScale => evaluation.crop_scale == Some(PAPER_SCALES),
        };
        // The whole image stands in each of the paper's evaluations once, beside the means of its own kind.
        let has_mean = evaluation.patches.iter().any(|patches| patches.parse::<usize>().is_ok());
        if has_mean && !is_alike {
            return None;
        }
        let number = |patches: &String| {
            let row = self.numbers.iter().find(|(of, count, _)| *of == classifier && **count == **patches);
            PaperNumber(row.map(|row| row.2))
        };
        // The paper evaluates h on clean patches.
        let is_usual = !evaluation.augmented && evaluation.space == PlannedEvaluation::default().space;
        let patches = is_usual.then_some(&evaluation.patches)?;
        let numbers: Vec<PaperNumber> = patches.iter().map(number).collect();
        numbers.iter().any(|number| number.0.is_some()).then_some(numbers)
    }
}

impl EvalPlan {
    /// Puts the numbers of a model of the paper beside those of the model that is called `name`.
    pub fn compare_with(&mut self, name: &String, paper: &PaperModel) {
        for evaluation in self.evaluations.iter_mut().filter(|it| it.is_of(name)) {
            for classifier in ["linear", "knn"] {
                if let Some(numbers) = paper.numbers(evaluation, classifier) {
                    let of = match classifier {
                        "linear" => &mut evaluation.paper,
                        _ => &mut evaluation.paper_knn,
                    };
                    of.insert(name.clone(), numbers);
                }
            }
        }
    }
}

/// Those of `models` that no model of the table stands for, in words that say what becomes of them: a slip of the pen,
/// perhaps.
pub fn words_of_others(table: u8, models: &[(String, PathBuf)]) -> Option<String> {
    let keys: Vec<String> =
        PAPER_MODELS.iter().filter(|model| model.table == table).map(PaperModel::key).collect();
    let others =
        models.iter().map(|(name, _)| name.as_str()).filter(|name| !keys.iter().any(|key| key == name));
    let others: Vec<&str> = others.collect();
    let words = || {
        format!(
            "{}: none of the models of Table {table} ({}), so evaluated in every way of the table, without numbers of the \
             paper",
            others.join(", "),
            keys.join(", ")
        )
    };
    (!others.is_empty()).then(words)
}

/// A figure of the paper that is made of accuracies: models of many ways of training, each evaluated in its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccuracyFigure {
    /// Figure 2: both classifiers, on CIFAR-10.
    Two,
    /// Figure 3b: the linear one, on ImageNet.
    ThreeB,
}

impl AccuracyFigure {
    /// "Figure 3b".
    pub fn title(self) -> &'static str {
        match self {
            AccuracyFigure::Two => "Figure 2",
            AccuracyFigure::ThreeB => "Figure 3b",
        }
    }

    /// What its file is called.
    pub fn file(self) -> &'static str {
        match self {
            AccuracyFigure::Two => "fig2.pdf",
            AccuracyFigure::ThreeB => "fig3b.pdf",
        }
    }

    /// Those that it has a panel of.
    pub fn classifiers(self) -> Vec<&'static str> {
        match self {
            AccuracyFigure::Two => vec!["linear", "knn"],
            AccuracyFigure::ThreeB => vec!["linear"],
        }
    }

    /// How a model that was trained on `crop` is evaluated; `patches` in place of the figure's numbers.
    fn evaluation(self, crop: Crop, patches: Option<&[String]>) -> PlannedEvaluation {
        let own: &[&str] = match self {
            AccuracyFigure::Two => CIFAR,
            AccuracyFigure::ThreeB => &["central", "1", "16"],
        };
        let own = || own.iter().map(|patches| (*patches).to_owned()).collect();
        let patches = patches.map_or_else(own, <[String]>::to_vec);
        let classifiers = self.classifiers().into_iter().map(str::to_owned).collect();
        let rest = PlannedEvaluation { patches, classifiers, ..PlannedEvaluation::default() };
        match crop {
            Crop::Fixed { size } => PlannedEvaluation {
                name: format!("patches of {size}"),
                patch: Some(size),
                fit: (self == AccuracyFigure::ThreeB).then_some(224),
                ..rest
            },
            Crop::Scale { min, max } => PlannedEvaluation {
                name: format!("crops of {min} to {max}"),
                crop_scale: Some([min, max]),
                ..rest
            },
        }
    }
}

/// The plan of a figure of accuracies: each model evaluated on patches or crops as it was trained on, and as a whole.
pub fn figure_plan(
    figure: AccuracyFigure,
    data: DataSpec,
    models: &[(String, PathBuf, Crop)],
    patches: Option<&[String]>,
) -> EvalPlan {
    let mut evaluations: Vec<PlannedEvaluation> = vec![];
    for (name, _, crop) in models {
        let own = figure.evaluation(*crop, patches);
        let place = evaluations.iter().position(|known| known.name == own.name).unwrap_or_else(|| {
            evaluations.push(own);
            evaluations.len() - 1
        });
        evaluations[place].models.push(name.clone());
    }
    let planned = |(name, path, _): &(String, PathBuf, Crop)| PlannedModel {
        name: name.clone(),
        path: path.clone(),
        options: Default::default(),
    };
    let models = models.iter().map(planned).collect();
    EvalPlan { title: figure.title().to_owned(), models, evaluations, ..EvalPlan::of(data) }
}

/// Numbers of patches in the tables of CIFAR.
const CIFAR: &[&str] = &["central", "1", "16", "256"];

/// The evaluations of a table of the paper.
pub fn paper_evaluations(table: u8) -> Vec<PlannedEvaluation> {
    let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let evaluation = |name: &str, patches: &[&str]| PlannedEvaluation {
        name: name.into(),
        patches: strings(patches),
        ..PlannedEvaluation::default()
    };
    let crops = |patches: &[&str], fit| PlannedEvaluation {
        crop_scale: Some(PAPER_SCALES),
        fit,
        ..evaluation("crops of 0.08 to 1", patches)
    };
    let patches = |size: u32, patches: &[&str], fit| PlannedEvaluation {
        patch: Some(size),
        fit,
        ..evaluation(&format!("patches of {size}"), patches)
    };
    const IMAGENET: &[&str] = &["central", "1", "16", "48"];
    match table {
        1 | 2 => vec![patches(14, CIFAR, None), crops(CIFAR, None)],
        3 => vec![patches(100, IMAGENET, Some(224)), crops(IMAGENET, None)],
        4 => vec![crops(IMAGENET, None)],
        5 => vec![
            evaluation("whole image", &["central"]),
            evaluation("local aggregation", &["local-patches", "local-map"]),
        ],
        _ => vec![],
    }
}

/// The plan of a table with our models in the places of the paper's: each by its [`PaperModel::key`], which has the paper's
/// numbers beside it and is evaluated as it is there, or by another name, and then in every way of the table. `patches`
/// takes other numbers of patches or crops than the table's.
pub fn paper_plan(
    table: u8,
    data: DataSpec,
    models: &[(String, PathBuf)],
    patches: Option<&[String]>,
) -> EvalPlan {
    let planned = |(name, path): &(String, PathBuf)| {
        let options = Default::default();
        PlannedModel { name: name.clone(), path: path.clone(), options }
    };
    let mut plan = EvalPlan {
        title: format!("Table {table}"),
        models: models.iter().map(planned).collect(),
        evaluations: paper_evaluations(table),
        ..EvalPlan::of(data)
    };
    let known = |name: &str| PAPER_MODELS.iter().find(|model| model.table == table && model.key() == name);
    let in_paper = || models.iter().filter_map(|(name, _)| Some((name, known(name)?)));
    in_paper().for_each(|(name, paper)| plan.compare_with(name, paper));
    for evaluation in &mut plan.evaluations {
        let is_done = |name: &String| {
            known(name).is_none()
                || [&evaluation.paper, &evaluation.paper_knn].iter().any(|it| it.contains_key(name))
        };
        evaluation.models = models.iter().map(|(name, _)| name.clone()).filter(is_done).collect();
        (evaluation.paper, evaluation.paper_knn) = Default::default();
        let is_of_many = evaluation.patch.is_some() || evaluation.crop_scale.is_some();
        if let Some(patches) = patches.filter(|_| is_of_many) {
            evaluation.patches = patches.to_vec();
        }
    }
    plan.evaluations.retain(|evaluation| !evaluation.models.is_empty());
    in_paper().for_each(|(name, paper)| plan.compare_with(name, paper));
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_named_models_has_their_evaluations_and_numbers() {
        let models = |names: &[&str]| -> Vec<(String, PathBuf)> {
            names.iter().map(|name| ((*name).to_owned(), "demo".into())).collect()
        };
        let plan = paper_plan(1, "demo".into(), &models(&["vicreg-multi"]), None);
        assert_eq!(plan.evaluations.len(), 1);
        assert_eq!(plan.evaluations[0].paper["vicreg-multi"], [90.7, 87.3, 91.9, 92.0]);
        plan.check().unwrap();
        // What the paper evaluates is h, on clean patches.
        let paper = PAPER_MODELS.iter().find(|model| model.key() == "vicreg-multi").unwrap();
        for (space, augmented) in [("z", false), ("h", true)] {
            let mut other = plan.clone();
            let evaluation = &mut other.evaluations[0];
            (evaluation.space, evaluation.augmented) = (space.into(), augmented);
            evaluation.paper.clear();
            other.compare_with(&"vicreg-multi".to_owned(), paper);
            assert!(other.evaluations[0].paper.is_empty(), "{space}, augmented {augmented}");
        }
        let plan = paper_plan(5, "demo".into(), &models(&["byol"]), None);
        assert_eq!(plan.evaluations[1].paper_knn["byol"], [93.5, 93.5]);
        let plan = paper_plan(1, "demo".into(), &models(&["mine", "tcr-patches"]), None);
        let words = words_of_others(1, &models(&["mine", "tcr-patches"])).unwrap();
        assert!(
            words.starts_with("mine: none of the models of Table 1 (simclr-patches, tcr-patches, "),
            "{words}"
        );
        assert_eq!(words_of_others(5, &models(&["byol"])), None);
        let done: Vec<&[String]> = plan.evaluations.iter().map(|it| &*it.models).collect();
        assert_eq!(done, [&["mine".to_owned(), "tcr-patches".to_owned()][..], &["mine".to_owned()]]);
    }

    #[test]
    fn a_figure_evaluates_each_model_as_it_was_trained() {
        let [small, large] = [14, 20].map(|size| Crop::Fixed { size });
        let multi = Crop::Scale { min: 0.08, max: 1.0 };
        let models = [("a", small), ("b", multi), ("c", large), ("d", small)];
        let models = models.map(|(name, crop)| (name.to_owned(), "demo".into(), crop));
        let plan = figure_plan(AccuracyFigure::Two, "demo".into(), &models, None);
        plan.check().unwrap();
        let of = |plan: &EvalPlan| -> Vec<(String, String)> {
            plan.evaluations.iter().map(|it| (it.name.clone(), it.models.join(" "))).collect()
        };
        let expected = [("patches of 14", "a d"), ("crops of 0.08 to 1", "b"), ("patches of 20", "c")];
        assert_eq!(of(&plan), expected.map(|(name, models)| (name.to_owned(), models.to_owned())));
        assert_eq!(
            (plan.cells(), plan.evaluations[0].classifiers.len(), plan.evaluations[0].fit),
            (4, 2, None)
        );
        let plan = figure_plan(AccuracyFigure::ThreeB, "demo".into(), &models[..1], None);
        let only = &plan.evaluations[0];
        assert_eq!(
            (&*only.patches.join(" "), &*only.classifiers[0], only.fit),
            ("central 1 16", "linear", Some(224))
        );
    }

    #[test]
    fn other_numbers_of_patches_have_the_papers_numbers_where_it_has_some() {
        let models = [("tcr-patches".to_owned(), "demo".into()), ("tcr-multi".to_owned(), "demo".into())];
        let plan = |patches: &[&str]| {
            let patches: Vec<String> = patches.iter().map(|it| (*it).to_owned()).collect();
            paper_plan(1, "demo".into(), &models, Some(&patches))
        };
        let few = plan(&["central", "1", "16"]);
        assert_eq!((few.cells(), &few.evaluations[1].models[..]), (2, &["tcr-multi".to_owned()][..]));
        assert_eq!((few.evaluations[0].paper["tcr-patches"].len(), few.evaluations[0].patches.len()), (3, 3));
        let some = plan(&["1", "4", "16"]);
        let beside: Vec<Option<f64>> =
            some.evaluations[0].paper["tcr-patches"].iter().map(|it| it.0).collect();
        assert_eq!(beside, [Some(82.2), None, Some(90.4)]);
        let other = plan(&["64"]);
        assert!(other.cells() == 2 && other.evaluations.iter().all(|it| it.paper.is_empty()));
    }

    #[test]
    fn every_table_is_a_plan_whose_numbers_are_the_papers() {
        for table in 1..=5 {
            let models: Vec<&PaperModel> = PAPER_MODELS.iter().filter(|model| model.table == table).collect();
            let mut plan = EvalPlan {
                models: models
                    .iter()
                    .map(|model| PlannedModel {
                        name: model.words(),
                        path: "demo".into(),
                        options: Default::default(),
                    })
                    .collect(),
                evaluations: paper_evaluations(table),
                ..EvalPlan::of("demo".into())
            };
            models.iter().for_each(|model| plan.compare_with(&model.words(), model));
            plan.check().unwrap();
            // Each number of the table stands beside one cell.
            for model in models {
                let has = |evaluation: &PlannedEvaluation| {
                    let all = evaluation.paper.get(&model.words()).into_iter();
                    let all = all.chain(evaluation.paper_knn.get(&model.words())).flatten();
                    all.filter_map(|number| number.0).collect::<Vec<f64>>()
                };
                let mut found: Vec<f64> = plan.evaluations.iter().flat_map(has).collect();
                let mut known: Vec<f64> = model.numbers.iter().map(|(.., value)| *value).collect();
                found.sort_by(f64::total_cmp);
                known.sort_by(f64::total_cmp);
                assert_eq!(found, known, "{}", model.words());
            }
        }
        let mut other = paper_evaluations(1);
        other[0].patches = vec!["4".into()];
        assert_eq!(PAPER_MODELS[0].numbers(&other[0], "linear"), None, "4 patches are not in the paper");
    }
}
